"""Pilot data for planning: the variance that falls with more units, and the floor that does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.analysis import Analysis
from causalgia.effects import contrast
from causalgia.errors import EstimateError, quoted
from causalgia.estimation import as_estimates, estimate, variance_components
from causalgia.estimation.ratios import working_scale_of
from causalgia.estimation.request import parents_if_shared
from causalgia.numerics.moments import satterthwaite
from causalgia.planning.power_functions import NORMAL, as_positive
from causalgia.schema import check_no_positions
from causalgia.types import Array


@dataclass(frozen=True)
class Pilot:
    """A pilot for planning: ``se^2 = floor + per_cluster / G`` with G clusters (units, or parents with several).

    No effect is 0: a ratio of means is planned on its logarithm, as it will be tested.

    Attributes
    ----------
    table
        Coordinates of the contrasts and tasks; all arrays have the shape ``(...)`` of `per_cluster`.
    dims
        Names of its dims.
    ace, se, df
        Estimate of the pilot; None for a plain sd.
    per_cluster
        Squared standard error of the pilot times its clusters, without the floor.
    floor, floor_df
        Squared standard error that more units do not reduce (predictors), with its degrees of freedom.
    df_per_cluster
        Degrees of freedom for each cluster beyond the first.
    size
        Units in a cluster.
    target
        Target of the claim.
    null
        Value of no effect on the contrast's scale.
    ratio
        The pilot's ratio of means; None on other scales.
    """

    table: xr.Dataset
    dims: tuple[str, ...]
    ace: Array | None
    se: Array | None
    df: Array | None
    per_cluster: Array
    floor: Array
    floor_df: float
    df_per_cluster: Array
    size: Array
    target: str
    null: float = 0.0
    ratio: Array | None = None

    def put(self, value: float, name: str) -> float:
        """Transform an effect from the contrast's scale to that of the pilot, on which no effect is 0."""
        if self.ratio is None:
            return value - self.null
        if value <= 0:
            raise EstimateError(f"{name}: {value:g} is not a ratio of means, which is above 0; no effect is 1")
        return float(np.log(value))

    def back(self, value: float) -> float:
        """Undo `put`."""
        return value + self.null if self.ratio is None else float(np.exp(value))

    def size_of(self, spread: Array) -> Array:
        """Return standard errors or half widths on the contrast's scale, at the ratio of the pilot."""
        return spread if self.ratio is None else spread * self.ratio

    def error(self, clusters: Array) -> tuple[Array, Array]:
        """Return the standard error and degrees of freedom of a trial with a number of clusters."""
        parts = np.stack([self.per_cluster / clusters, self.floor])
        drawn = np.where(np.isinf(self.df_per_cluster), 10 * NORMAL, self.df_per_cluster * (clusters - 1))
        df = satterthwaite(parts, np.stack([drawn, np.full_like(drawn, self.floor_df)]))
        return np.sqrt(parts.sum(axis=0)), np.where(self.floor > 0, df, drawn)

    def dataset(self, columns: dict[str, Any], attrs: dict[str, Any]) -> xr.Dataset:
        """Return a Dataset of results on the pilot's contrasts and tasks."""
        data = {name: (self.dims, np.broadcast_to(values, self.per_cluster.shape)) for name, values in columns.items()}
        return xr.Dataset(data, self.table.coords, attrs | {"target": self.target})

    def name(self, where: npt.NDArray[Any]) -> str:
        """Return the name of the first cell of a mask."""
        at = np.argwhere(where)[0]
        labels = (
            self.table[d].to_numpy()[i] if d in self.table.coords else i for d, i in zip(self.dims, at, strict=True)
        )
        return ", ".join(f"{dim} {label!s}" for dim, label in zip(self.dims, labels, strict=True)) or "the effect"


def read_pilot(pilot: Any, sd: float | None) -> Pilot:
    """Make a `Pilot` from outcomes, effects, estimates, a table with effect, se and n_units, or an sd of the ICE.

    Examples
    --------
    >>> read_pilot(None, 2.0).per_cluster
    array(4.)
    """
    if pilot is None and sd is None:
        raise EstimateError(
            "no pilot is given; give effects, estimates, or a table with effect, se and n_units, or instead sd= (the "
            "sd of the ICE)"
        )
    if pilot is not None and sd is not None:
        raise EstimateError("a pilot and sd= are given, and the pilot has an sd of its own; leave one of them out")
    if sd is not None:
        one, variance = np.ones(()), np.asarray(as_positive(sd, "sd") ** 2)
        return Pilot(xr.Dataset(), (), None, None, None, variance, 0 * one, 1.0, one, one, "population")
    pilot = effects_if_outcomes(pilot)
    if isinstance(pilot, xr.Dataset) and "component" in pilot.dims:
        raise EstimateError(
            "variance components are a pilot of cg.planning.cheapest_split; here give the effects they are of"
        )
    if isinstance(pilot, xr.Dataset):
        check_no_positions(pilot, "the pilot")
    if isinstance(pilot, xr.Dataset) and ("ice" in pilot or "assigned" in pilot.variables):
        several = "ice" in pilot and pilot["ice"].sizes.get("model", 1) > 1
        return (
            _about_no_effect(_pilot_over_predictors(pilot), pilot) if several else _pilot_of_estimates(estimate(pilot))
        )
    return _pilot_of_estimates(_with_units(pilot))


def effects_if_outcomes(pilot: Any) -> Any:
    """Return a pilot, with outcomes replaced by their effects under the stored analysis.

    Examples
    --------
    >>> effects_if_outcomes(xr.Dataset({"outcome": (("unit", "arm", "task"), np.zeros((2, 2, 1)))}))
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: the pilot is outcomes, and keeps no analysis that says what is contrasted; give ...
    """
    if not isinstance(pilot, xr.Dataset) or "outcome" not in pilot or "contrast" in pilot.dims:
        return pilot
    text = str(pilot.attrs.get("analysis", "")).strip()
    analysis = Analysis.from_json(text) if text.startswith("{") else Analysis()
    if analysis.control is None and analysis.contrasts is None and analysis.interaction is None:
        raise EstimateError(
            "the pilot is outcomes, and keeps no analysis that says what is contrasted; give cg.contrast(outcomes, "
            "control='...')"
        )
    return contrast(pilot, **analysis.contrasting)


def _about_no_effect(pilot: Pilot, source: xr.Dataset) -> Pilot:
    """Transform a pilot so that no effect is 0: minus attrs["null_value"], or the logarithm of a ratio of means."""
    null, ratio = float(source.attrs.get("null_value", 0.0)), pilot.ace
    assert ratio is not None
    assert pilot.se is not None
    if source.attrs.get("transform") != "ratio":
        return replace(pilot, ace=ratio - null, null=null)
    if (ratio <= 0).any():
        raise EstimateError(
            f"{pilot.name(ratio <= 0)}: the pilot's ratio of means is not above 0, so that it has no logarithm to plan "
            "on; contrast with scale='identity'"
        )
    on_log = replace(pilot, ace=np.log(ratio), se=pilot.se / ratio, null=null, ratio=ratio)
    return replace(on_log, per_cluster=pilot.per_cluster / ratio**2, floor=pilot.floor / ratio**2)


def _with_units(pilot: Any) -> xr.Dataset:
    if isinstance(pilot, xr.Dataset) and "ace" in pilot and "n_units" in pilot:
        pilot = pilot.assign(n_units=pilot["n_units"].broadcast_like(pilot["ace"]).transpose(*pilot["ace"].dims))
    estimates = as_estimates(pilot)
    if "n_units" in estimates:
        return estimates
    units = pilot["n_units"] if isinstance(pilot, pd.DataFrame | xr.Dataset) and "n_units" in pilot else None
    if units is None:
        raise EstimateError(
            "the pilot does not say how many units its standard errors rest on; add a column n_units "
            "(estimates.assign(n_units=500)), or give the effects, or sd="
        )
    counts = np.broadcast_to(np.asarray(units, dtype=np.int64).reshape(-1, 1), estimates["ace"].shape)
    return estimates.assign(n_units=(estimates["ace"].dims, counts))


def _pilot_of_estimates(estimates: xr.Dataset) -> Pilot:
    target = str(estimates.attrs.get("target", "population"))
    if target != "population":
        cure = "give the effects" if "predictors" in target else "estimate with target='population'"
        raise EstimateError(f"a pilot for target={quoted(target)} does not say what more units buy; {cure}")
    if "se" not in estimates:
        raise EstimateError("the pilot has no standard errors, because it has one unit; draw two or more")
    dims = tuple(map(str, estimates["ace"].dims))
    ace, se = (np.asarray(estimates[name].to_numpy(), dtype=np.float64) for name in ("ace", "se"))
    units = np.broadcast_to(estimates["n_units"].to_numpy(), ace.shape).astype(np.float64)
    clusters = estimates["n_clusters"].to_numpy().astype(np.float64) if "n_clusters" in estimates else units
    if not (clusters >= 2).all():
        raise EstimateError("the pilot has fewer than two units for some contrast; draw two or more")
    df = estimates["df"].to_numpy() if "df" in estimates else np.full(ace.shape, np.inf)
    table = xr.Dataset(coords={d: estimates[d] for d in dims if d in estimates.coords})
    zero, share, size = np.zeros(ace.shape), df / (clusters - 1), units / clusters
    pilot = Pilot(table, dims, ace, se, df, se**2 * clusters, zero, 1.0, share, size, target)
    unclear = working_scale_of(estimates, ace, se, df, 0.95).unclear
    if unclear.any():
        raise EstimateError(
            f"{pilot.name(unclear)}: a mean that enters the ratio is not clear of 0, or the ratio is negative, so that "
            "nothing follows for a larger trial; draw more units, or contrast with scale='log_of_means'"
        )
    return _about_no_effect(pilot, estimates)


def _pilot_over_predictors(effects: xr.Dataset) -> Pilot:
    """Return a pilot for claims about retrainings: the variance between predictors is the floor."""
    ice = effects["ice"]
    n, m = effects.sizes["unit"], effects.sizes["model"]
    components = variance_components(effects)
    variance = {str(c): components["variance"].sel(component=c).to_numpy() for c in components["component"].to_numpy()}
    parents = parents_if_shared(effects) if "parent" in variance else None
    sizes = np.ones(n) if parents is None else parents.sizes.astype(np.float64)
    clusters, shape = len(sizes), components["variance"].shape[1:]
    own = variance["background"] + variance["residual"] / m
    if parents is not None:
        shared = variance["parent"] + variance["parent_by_predictor"] / m
        own = own * clusters / n + shared * clusters * float((sizes**2).sum()) / n**2
    floor = variance["predictor"] / m
    pilot = Pilot(
        table=xr.Dataset(coords={d: components[d] for d in ("contrast", "task") if d in components.coords}),
        dims=("contrast", "task"),
        ace=ice.mean(("unit", "model")).transpose("contrast", "task").to_numpy(),
        se=None,
        df=None,
        per_cluster=own,
        floor=floor,
        floor_df=float(m - 1),
        df_per_cluster=np.ones(shape),
        size=np.full(shape, n / clusters),
        target="population x predictors",
    )
    se, df = pilot.error(np.full(shape, float(clusters)))
    return Pilot(**{**vars(pilot), "se": se, "df": df})
