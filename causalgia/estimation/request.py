"""What was asked of `estimate`, and the units, clusters and strata that a Dataset of effects has for it."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.errors import EstimateError, FewClustersWarning, quoted
from causalgia.estimation.crossover import Estimate
from causalgia.types import Array, Codes

TARGETS = (
    *("population", "parents", "units"),
    *("population x predictors", "next predictor", "population x words", "population x replicates"),
)
OVER_PREDICTORS = ("population x predictors", "next predictor")
FEW_CLUSTERS = 20


@dataclass(frozen=True)
class Request:
    """The choices of one call of `estimate`, as given."""

    cluster: str | None
    block: str | None
    covariates: tuple[str, ...]
    target: str
    weights: str
    moderate: bool | None = None

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise EstimateError(f"target {quoted(self.target)} is none of {', '.join(map(quoted, TARGETS))}")
        if self.weights not in ("units", "clusters"):
            raise EstimateError(f"weights {quoted(self.weights)} is neither 'units' (each counts once) nor 'clusters'")
        if self.moderate not in (None, True, False):
            raise EstimateError(
                f"moderate={quoted(self.moderate)} is neither True nor False (nor None, as the target has it)"
            )
        if self.moderate is not None and self.target not in OVER_PREDICTORS:
            raise EstimateError(
                f"moderate={self.moderate} is of the variance between predictors, which target={quoted(self.target)} "
                "lacks; leave moderate= out, or use target='next predictor'"
            )

    @property
    def is_crossed(self) -> bool:
        """Whether the target has another population beside that of the units, so that it takes every unit's ICE."""
        return self.target.startswith("population x") or self.target == "next predictor"


@dataclass(frozen=True)
class Grouping:
    """Units sorted into groups.

    Attributes
    ----------
    name
        The coordinate that the groups come from.
    codes
        Group of each unit, 0 to G - 1, shape ``(n,)``.
    labels
        What each group is called, shape ``(G,)``.
    """

    name: str
    codes: Codes
    labels: tuple[str, ...]

    @property
    def sizes(self) -> Codes:
        """Units in each group, shape ``(G,)``."""
        return np.bincount(self.codes, minlength=len(self.labels))


@dataclass(frozen=True)
class Answer:
    """An `Estimate` and what a table says beside it, for K contrasts and a trailing shape of tasks (and models).

    Attributes
    ----------
    estimate
        Shape ``(K, ...)``.
    skewness
        Of the ICE, or of the outcomes of an arm, where the factor of the estimate is not at hand; shape ``(K, ...)``.
    reach
        Bound on |ICE| over the units, shape ``(K, ...)``.
    n_units, n_clusters
        Shape ``(K,)``.
    method, cluster
        A sentence on the estimator, and the coordinate that names the independent clusters.
    by_definition
        Whether a standard error of 0 is what the target means, and not a lack of spread.
    """

    estimate: Estimate
    skewness: Array
    reach: Array
    n_units: Codes
    n_clusters: Codes
    method: str
    cluster: str
    by_definition: bool = False


def grouping(effects: xr.Dataset, name: str, argument: str) -> Grouping:
    """Sort the units by a coordinate; `argument` is how the user asked for it.

    Examples
    --------
    >>> effects = xr.Dataset(coords={"unit": [0, 1, 2], "parent": ("unit", ["a", "b", "a"])})
    >>> grouping(effects, "parent", "cluster='parent'").codes
    array([0, 1, 0])
    """
    on_unit = [str(c) for c in effects.coords if effects[c].dims == ("unit",)]
    if not isinstance(name, str) or name not in on_unit:
        raise EstimateError(
            f"{argument}: no coordinate {quoted(name)} on the units; there are {', '.join(on_unit) or 'none'}"
        )
    codes, labels = pd.factorize(effects[name].to_numpy())
    if (codes < 0).any():
        raise EstimateError(f"unit {unit_name(effects, int(np.argmin(codes)))} has no {quoted(name)}; fill it in")
    return Grouping(name, np.asarray(codes, dtype=np.intp), tuple(map(str, labels)))


def unit_name(effects: xr.Dataset, i: int) -> str:
    """Return the name of the i-th unit."""
    return str(effects["unit"].to_numpy()[i]) if "unit" in effects.coords else str(i)


def parents_if_shared(effects: xr.Dataset) -> Grouping | None:
    """Return the units by parent where any parent has more than one of them, else None."""
    if "parent" not in effects.coords:
        return None
    parents = grouping(effects, "parent", "cluster='auto'")
    return parents if len(parents.labels) < len(parents.codes) else None


def clusters(effects: xr.Dataset, request: Request) -> Grouping | None:
    """Return the clusters that the request means, or None where each unit stands for itself."""
    if request.cluster is None:
        return None
    if isinstance(request.cluster, str) and request.cluster == "auto":
        return parents_if_shared(effects)
    return grouping(effects, request.cluster, f"cluster={quoted(request.cluster)}")


def require_clusters(groups: Grouping, n_clusters: int) -> None:
    """Refuse one cluster, warn below 20."""
    refuse_one_cluster(groups, n_clusters)
    if n_clusters < FEW_CLUSTERS:
        warnings.warn(
            f"{n_clusters} clusters ({groups.name}): below {FEW_CLUSTERS}, intervals may cover less than their nominal "
            "level when clusters are skewed; draw from more of them",
            FewClustersWarning,
            stacklevel=users_level(),
        )


def refuse_one_cluster(groups: Grouping, n_clusters: int) -> None:
    """Refuse one cluster, which shows no variance between clusters."""
    if n_clusters < 2:
        shuffles = "target='parents' (new shuffles of this one) or " if groups.name == "parent" else ""
        raise EstimateError(
            f"all units share the one {groups.name} {quoted(groups.labels[0])}, so the variance between {groups.name}s "
            f"cannot be estimated; draw from more {groups.name}s, or claim less: {shuffles}target='units'"
        )


def users_level() -> int:
    """Stack level of the first caller outside this package and xarray's pipe, so that a warning points at the user."""
    level, frame = 2, sys._getframe(2)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith(("causalgia.", "xarray.")):
        level, frame = level + 1, frame.f_back
    return level


def refuse_cluster(request: Request, instead: str) -> None:
    """Refuse a cluster that was asked for by name where the target has none."""
    if request.cluster not in (None, "auto", "parent" if request.target == "parents" else None):
        raise EstimateError(
            f"cluster={quoted(request.cluster)} does not go with target={quoted(request.target)}: {instead}; "
            "leave cluster= out"
        )


def parents_as_strata(effects: xr.Dataset) -> Grouping:
    """Return the units by parent, for claims about new shuffles of these parents."""
    if "parent" not in effects.coords:
        raise EstimateError("target='parents' needs a coordinate 'parent' on the units; use target='population'")
    return grouping(effects, "parent", "target='parents'")


def target_of(effects: xr.Dataset, target: str | None) -> str:
    """Return the target that is meant: of outcomes that were measured, elements and replicates; else new units.

    Raises
    ------
    EstimateError
        If a target of predictors is asked of replicates or the reverse, or these units alone of what was measured.
    """
    measured = effects.attrs.get("model_is") == "replicates"
    if target is None:
        return "population x replicates" if measured else "population"
    if measured and target in ("units", "parents", "population x predictors", "next predictor"):
        raise EstimateError(
            f"target={quoted(target)} is for predictions, and these outcomes were measured, with noise of barcodes and "
            "replicates: leave target= out for the mean over elements, or use cg.mpra.fit for each element's effect"
        )
    if not measured and target == "population x replicates":
        raise EstimateError(
            f"target={quoted(target)} is for measured activities, from cg.mpra.activity; leave target= out"
        )
    return target


def require_ci_prob(ci_prob: Any, *, least: float = 0.0) -> float:
    """Return the probability of an interval, any real number above `least` and below 1.

    Examples
    --------
    >>> require_ci_prob(np.float32(0.5))
    0.5
    >>> require_ci_prob(95)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: ci_prob=95 is not between 0 and 1; for example ci_prob=0.95
    """
    if isinstance(ci_prob, bool) or not isinstance(ci_prob, Real) or ci_prob <= least or not ci_prob < 1:
        raise EstimateError(f"ci_prob={quoted(ci_prob)} is not between {least:g} and 1; for example ci_prob=0.95")
    return float(ci_prob)
