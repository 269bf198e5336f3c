"""Interim estimates at one look of a sequential trial: effects, standard errors, skewness, and the largest effect."""

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
from causalgia.estimation.crossover_estimates import ice_without_rounding, placebo_words
from causalgia.estimation.request import Request, clusters
from causalgia.numerics.moments import centered, group_sums, skewness
from causalgia.types import Array, Codes


@dataclass(frozen=True)
class Interim:
    """Effects of the units so far.

    Attributes
    ----------
    ace, se, df, skewness
        Shape ``(K, ...)`` for K contrasts and a trailing shape of tasks (and models); the skewness is of the sums over
        clusters.
    n_units, n_clusters
        Numbers of units and clusters.
    largest
        The largest distance of an ICE from no effect in any contrast of the task, ``(1, ...)``; where clusters differ
        in size, at least what the largest sum over a cluster adds to the mean.
    first_units
        First unit of each cluster, in increasing order.
    awaited
        Effects that a rule waits for, ``(K, ...)``: all but those of fixed placebo words.
    null_value
        Value of no effect: 1 for ratios, else 0.
    control_phrase
        "minus 'placebo' " (ratios: divided by), or empty without a single control.
    labels
        An empty Dataset with the coordinates contrast, task (and model).
    """

    ace: Array
    se: Array
    df: Array
    skewness: Array
    n_units: int
    n_clusters: int
    largest: Array
    first_units: npt.NDArray[np.intp]
    awaited: npt.NDArray[np.bool_]
    null_value: float
    control_phrase: str
    labels: xr.Dataset

    def units_at(self, clusters: int) -> int:
        """Return the number of units that contain this many clusters; `n_units` if there are fewer clusters."""
        return int(self.first_units[clusters - 1]) + 1 if self.n_clusters >= clusters else self.n_units

    def named(self, which: npt.NDArray[np.bool_]) -> str:
        """Return the names of the contrasts with any of these effects."""
        names = self.labels["contrast"].to_numpy()[which.reshape(len(which), -1).any(axis=1)]
        return ", ".join(map(str, names[:4])) + (f" and {len(names) - 4:,} more" if len(names) > 4 else "")

    def most_skewed(self) -> str:
        """Return the name of the most skewed awaited effect: its contrast, and its task if there are several."""
        place = np.unravel_index(np.argmax(np.where(self.awaited, np.abs(self.skewness), -1.0)), self.skewness.shape)
        at = {dim: self.labels[dim].to_numpy()[i] for dim, i in zip(self.labels.sizes, place, strict=True)}
        several = [str(at[dim]) for dim in at if dim != "contrast" and self.labels.sizes[dim] > 1]
        return f"'{at['contrast']}'{' in ' if several else ''}{', '.join(several)}"

    def record(self, lower: Array, upper: Array) -> xr.Dataset:
        """Return the record of a look: its numbers of units and clusters and its intervals."""
        dims = tuple(self.labels.sizes)
        sizes = {"n_units": self.n_units, "n_clusters": self.n_clusters}
        return self.labels.assign({**sizes, "lower": (dims, lower), "upper": (dims, upper)})


def interim_estimates(
    outcomes: xr.Dataset,
    *,
    control: str | None,
    contrasts: Mapping[str, Mapping[str, float]] | None,
) -> Interim:
    """Return interim estimates of the rule's contrasts, else the stored analysis', else against the first arm."""
    arguments = _contrast_arguments(outcomes, control, contrasts)
    effects = contrast(outcomes, **arguments.pop("contrast"))
    groups = clusters(effects, Request(arguments["cluster"], None, (), "population", "units"))
    ice = ice_without_rounding(effects)
    n = len(ice)
    codes = np.arange(n) if groups is None else groups.codes
    if codes.max() == 0:
        raise EstimateError(
            "until=: all units so far share one cluster, so the variance between clusters cannot be estimated; draw "
            "more parents"
        )
    found = mean_ice(ice, None if groups is None else codes)
    first = np.unique(codes, return_index=True)[1]
    residuals = centered(ice)[1]
    sums = residuals if groups is None else group_sums(residuals, codes)
    words = placebo_words(effects)
    awaited = np.broadcast_to((~words | words.all()).reshape(-1, *[1] * (ice.ndim - 2)), ice.shape[1:])
    dims = effects["ice"].dims[1:]
    null_value = float(effects.attrs.get("null_value", 0.0))
    return Interim(
        ace=found.ace,
        se=found.se,
        df=found.df,
        skewness=skewness(sums),
        n_units=n,
        n_clusters=len(first),
        largest=_largest_effect(ice - null_value, None if groups is None else codes),
        first_units=np.sort(first),
        awaited=awaited,
        null_value=null_value,
        control_phrase=_control_phrase(effects),
        labels=xr.Dataset(coords={dim: effects[dim].to_numpy() for dim in dims}),
    )


def _largest_effect(effects: Array, codes: Codes | None) -> Array:
    """Return the largest absolute effect over units (or clusters of more weight) and contrasts, ``(1, ...)``."""
    size = np.abs(effects).max(axis=0)
    if codes is not None:
        per_cluster = len(codes) / (int(codes.max()) + 1)
        size = np.maximum(size, np.abs(group_sums(effects, codes)).max(axis=0) / per_cluster)
    return np.asarray(size.max(axis=0, keepdims=True))


def _control_phrase(effects: xr.Dataset) -> str:
    if not effects.attrs.get("control"):
        return ""
    how = "divided by" if effects.attrs.get("transform") == "ratio" else "minus"
    return f"{how} '{effects.attrs['control']}' "


def _contrast_arguments(
    outcomes: xr.Dataset, control: str | None, contrasts: Mapping[str, Mapping[str, float]] | None
) -> dict[str, Any]:
    stored = outcomes.attrs.get("analysis")
    analysis = Analysis() if stored is None else Analysis.from_json(str(stored))
    options: dict[str, Any] = {"scale": analysis.scale}
    if control is not None or contrasts is not None:
        options |= {"control": control, "contrasts": contrasts}
    elif analysis.contrasts is not None:
        options["contrasts"] = analysis.weights_by_contrast
    elif analysis.interaction is not None:
        options["interaction"] = analysis.interaction
    else:
        options["control"] = analysis.control or str(outcomes["arm"].to_numpy()[0])
    return {"contrast": options, "cluster": analysis.cluster}
