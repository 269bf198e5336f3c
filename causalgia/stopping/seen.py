"""What a look at the outcomes so far sees: effects, their standard errors, and how skewed clusters are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.analysis import Analysis
from causalgia.effects import contrast
from causalgia.errors import EstimateError
from causalgia.estimation import mean_ice
from causalgia.estimation.crossover_targets import settled
from causalgia.estimation.moments import Array, centred, group_sums, skewness
from causalgia.estimation.request import Request, clusters
from causalgia.estimation.words import placebo_words


@dataclass(frozen=True)
class Seen:
    """Effects of the units so far.

    Attributes
    ----------
    ace, se, df, skewness
        Shape ``(K, ...)`` for K contrasts and a trailing shape of tasks (and models); the skewness is of the sums over
        clusters.
    n_units, n_clusters
        How many there are.
    units_at_start
        Units by which `start` clusters had been met; `n_units` where they have not been.
    awaited
        Which effects a rule waits for, ``(K, ...)``: all but those of fixed placebo words.
    null_value
        What no effect is: 1 for ratios, else 0.
    against
        "minus 'placebo' " (ratios: divided by), or nothing where there is no one control.
    labels
        An empty Dataset with the coordinates contrast, task (and model).
    """

    ace: Array
    se: Array
    df: Array
    skewness: Array
    n_units: int
    n_clusters: int
    units_at_start: int
    awaited: npt.NDArray[np.bool_]
    null_value: float
    against: str
    labels: xr.Dataset

    def named(self, which: npt.NDArray[np.bool_]) -> str:
        """Return the names of the contrasts that have an effect among these."""
        names = self.labels["contrast"].to_numpy()[which.reshape(len(which), -1).any(axis=1)]
        return ", ".join(map(str, names[:4])) + (f" and {len(names) - 4:,} more" if len(names) > 4 else "")

    def most_skewed(self) -> str:
        """Return the name of the effect that is most skewed, of those that are awaited: contrast, and task if several.

        The first of them, where several are.
        """
        place = np.unravel_index(np.argmax(np.where(self.awaited, np.abs(self.skewness), -1.0)), self.skewness.shape)
        at = {dim: self.labels[dim].to_numpy()[i] for dim, i in zip(self.labels.sizes, place, strict=True)}
        several = [str(at[dim]) for dim in at if dim != "contrast" and self.labels.sizes[dim] > 1]
        return f"'{at['contrast']}'{' in ' if several else ''}{', '.join(several)}"

    def record(self, lower: Array, upper: Array) -> xr.Dataset:
        """Return what a look leaves behind: its size and its intervals."""
        dims = tuple(self.labels.sizes)
        said = {"n_units": self.n_units, "n_clusters": self.n_clusters}
        return self.labels.assign({**said, "lower": (dims, lower), "upper": (dims, upper)})


def seen(
    outcomes: xr.Dataset,
    *,
    control: str | None,
    contrasts: Mapping[str, Mapping[str, float]] | None,
    start: int,
) -> Seen:
    """Return the effects of the units so far; the question is the rule's, else the kept analysis', else first arm."""
    asked = _question(outcomes, control, contrasts)
    effects = contrast(outcomes, **asked.pop("contrast"))
    groups = clusters(effects, Request(asked["cluster"], None, (), "population", "units"))
    ice = settled(effects)
    n = len(ice)
    codes = np.arange(n) if groups is None else groups.codes
    if codes.max() == 0:
        raise EstimateError(
            "until=: all units so far share one cluster, so nothing is known of others; draw more parents"
        )
    found = mean_ice(ice, None if groups is None else codes)
    first = np.unique(codes, return_index=True)[1]
    residuals = centred(ice)[1]
    sums = residuals if groups is None else group_sums(residuals, codes)
    words = placebo_words(effects)
    awaited = np.broadcast_to(_column(~words | words.all(), ice.ndim - 1), ice.shape[1:])
    dims = effects["ice"].dims[1:]
    return Seen(
        ace=found.ace,
        se=found.se,
        df=found.df,
        skewness=skewness(sums),
        n_units=n,
        n_clusters=len(first),
        units_at_start=int(np.sort(first)[start - 1]) + 1 if len(first) >= start else n,
        awaited=awaited,
        null_value=float(effects.attrs.get("null_value", 0.0)),
        against=_against(effects),
        labels=xr.Dataset(coords={dim: effects[dim].to_numpy() for dim in dims}),
    )


def _against(effects: xr.Dataset) -> str:
    if not effects.attrs.get("control"):
        return ""
    how = "divided by" if effects.attrs.get("transform") == "ratio" else "minus"
    return f"{how} '{effects.attrs['control']}' "


def _column(values: npt.NDArray[np.bool_], ndim: int) -> npt.NDArray[np.bool_]:
    return values.reshape(-1, *[1] * (ndim - 1))


def _question(
    outcomes: xr.Dataset, control: str | None, contrasts: Mapping[str, Mapping[str, float]] | None
) -> dict[str, Any]:
    kept = outcomes.attrs.get("analysis")
    analysis = Analysis() if kept is None else Analysis.from_json(str(kept))
    what: dict[str, Any] = {"scale": analysis.scale}
    if control is not None or contrasts is not None:
        what |= {"control": control, "contrasts": contrasts}
    elif analysis.contrasts is not None:
        what["contrasts"] = analysis.weights_by_contrast
    elif analysis.interaction is not None:
        what["interaction"] = analysis.interaction
    else:
        what["control"] = analysis.control or str(outcomes["arm"].to_numpy()[0])
    return {"contrast": what, "cluster": None if analysis.cluster == "none" else analysis.cluster}
