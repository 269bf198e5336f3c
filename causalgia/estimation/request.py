"""Arguments of `estimate`, groupings of units, and the answer of an estimator."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.checks import is_real
from causalgia.choices import TARGET_MEANINGS, TARGETS, Target
from causalgia.errors import EstimateError, FewClustersWarning, quoted
from causalgia.estimation.crossover import Estimate
from causalgia.types import Array, Codes

OVER_PREDICTORS = tuple(name for name, target in TARGET_MEANINGS.items() if target.of_predictors)
FEW_CLUSTERS = 20


def check_cluster_name(cluster: object, *, of_units: bool) -> None:
    """Raise EstimateError unless `cluster` names how units are grouped; estimates have no units left to group.

    Examples
    --------
    >>> check_cluster_name("parent", of_units=False)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: cluster='parent' groups units, and these are estimates; give it to cg.estimate
    """
    if not isinstance(cluster, str):
        raise EstimateError(f"cluster={quoted(cluster)} is not 'auto', 'none' or a coordinate of the units")
    if not of_units and cluster not in ("auto", "none"):
        raise EstimateError(f"cluster={quoted(cluster)} groups units, and these are estimates; give it to cg.estimate")


@dataclass(frozen=True)
class Request:
    """Validated arguments of one call of `estimate`; `groups` are the clusters of a crossover (`with_clusters`)."""

    cluster: str
    block: str | None
    covariates: tuple[str, ...]
    target: str
    weights: str
    moderate: bool | None = None
    groups: Grouping | None = None

    def __post_init__(self) -> None:
        check_cluster_name(self.cluster, of_units=True)
        if not isinstance(self.target, str) or self.target not in TARGETS:
            raise EstimateError(f"target {quoted(self.target)} is not one of {', '.join(map(quoted, TARGETS))}")
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
        """Whether the target has a second population beside that of the units, so that it needs every ICE."""
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
        Name of each group, shape ``(G,)``.
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
    """An `Estimate` with further columns, for K contrasts and a trailing shape of tasks (and models).

    Attributes
    ----------
    estimate
        Shape ``(K, ...)``.
    skewness
        Skewness of the independent contributions to the estimate, shape ``(K, ...)``.
    reach
        Bound on |ICE| over the units, shape ``(K, ...)``.
    n_units, n_clusters
        Shape ``(K,)``.
    method, cluster
        The estimator in words, and the coordinate that names the independent clusters.
    by_definition
        Whether a standard error of 0 follows from the target, not from a lack of spread.
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
    """Return the units grouped by a coordinate; `argument` is how error messages name the request.

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


def contrast_labels(dataset: xr.Dataset) -> npt.NDArray[Any]:
    """Return the names of the contrasts, numbers from 0 where they have none.

    Examples
    --------
    >>> contrast_labels(xr.Dataset({"ace": ("contrast", [0.5, 1.0])}))
    array([0, 1])
    """
    return dataset["contrast"].to_numpy() if "contrast" in dataset.coords else np.arange(dataset.sizes["contrast"])


def unit_name(effects: xr.Dataset, i: int) -> str:
    """Return the name of the i-th unit."""
    return str(effects["unit"].to_numpy()[i]) if "unit" in effects.coords else str(i)


def parents_if_shared(effects: xr.Dataset) -> Grouping | None:
    """Return the units grouped by parent if any parent has more than one, else None."""
    if "parent" not in effects.coords:
        return None
    parents = grouping(effects, "parent", "cluster='auto'")
    return parents if len(parents.labels) < len(parents.codes) else None


def clusters(effects: xr.Dataset, request: Request) -> Grouping | None:
    """Return the requested clusters, or None where units are independent."""
    if request.cluster == "none":
        return None
    if request.cluster == "auto":
        return parents_if_shared(effects)
    return grouping(effects, request.cluster, f"cluster={quoted(request.cluster)}")


def with_clusters(effects: xr.Dataset, request: Request) -> Request:
    """Return a request with its clusters, found once, where the target has units drawn with them.

    Examples
    --------
    >>> effects = xr.Dataset(coords={"unit": [0, 1, 2], "parent": ("unit", ["a", "b", "a"])})
    >>> request = with_clusters(effects, Request("auto", None, (), "population", "units"))
    >>> request.groups.labels, with_clusters(effects, Request("auto", None, (), "units", "units")).groups
    (('a', 'b'), None)
    """
    drawn = request.target == "population" or request.is_crossed
    return replace(request, groups=clusters(effects, request)) if drawn else request


def check_clusters(groups: Grouping, n_clusters: int) -> None:
    """Raise EstimateError for one cluster, warn below 20."""
    check_two_clusters(groups, n_clusters)
    if n_clusters < FEW_CLUSTERS:
        warnings.warn(
            f"{n_clusters} clusters ({groups.name}): below {FEW_CLUSTERS}, intervals may cover less than their nominal "
            "level when clusters are skewed; draw from more of them",
            FewClustersWarning,
            stacklevel=caller_stacklevel(),
        )


def check_two_clusters(groups: Grouping, n_clusters: int) -> None:
    """Raise EstimateError for one cluster, from which no variance between clusters can be estimated."""
    if n_clusters < 2:
        shuffles = "target='parents' (new shuffles of this one) or " if groups.name == "parent" else ""
        raise EstimateError(
            f"all units share the one {groups.name} {quoted(groups.labels[0])}, so the variance between {groups.name}s "
            f"cannot be estimated; draw from more {groups.name}s, or claim less: {shuffles}target='units'"
        )


def caller_stacklevel() -> int:
    """Return the stack level of the first caller outside this package and xarray's pipe, for warnings."""
    level, frame = 2, sys._getframe(2)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith(("causalgia.", "xarray.")):
        level, frame = level + 1, frame.f_back
    return level


def check_no_cluster(request: Request, instead: str) -> None:
    """Raise EstimateError where a cluster is named and the target does not use it."""
    if request.cluster not in ("none", "auto", "parent" if request.target == "parents" else "auto"):
        raise EstimateError(
            f"cluster={quoted(request.cluster)} does not go with target={quoted(request.target)}: {instead}; "
            "leave cluster= out"
        )


def parents_as_strata(effects: xr.Dataset) -> Grouping:
    """Return the units grouped by parent, for claims about new shuffles of these parents."""
    if "parent" not in effects.coords:
        raise EstimateError("target='parents' needs a coordinate 'parent' on the units; use target='population'")
    return grouping(effects, "parent", "target='parents'")


def as_target(effects: xr.Dataset, target: Target | None) -> Target:
    """Return the target; None is new elements and replicates for measured outcomes, else new units.

    Raises
    ------
    EstimateError
        If the target is for predictions and the outcomes were measured, or the reverse.
    """
    measured = effects.attrs.get("model_is") == "replicates"
    if target is None:
        return "population x replicates" if measured else "population"
    meaning = TARGET_MEANINGS.get(str(target))
    if meaning is not None and measured and not meaning.of_measurements:
        raise EstimateError(
            f"target={quoted(target)} is for predictions, and these outcomes were measured, with noise of barcodes and "
            "replicates: leave target= out for the mean over elements, or use cg.mpra.fit for each element's effect"
        )
    if meaning is not None and not measured and not meaning.of_predictions:
        raise EstimateError(
            f"target={quoted(target)} is for measured activities, from cg.mpra.activity; leave target= out"
        )
    return target


def as_ci_prob(ci_prob: Any, *, least: float = 0.0) -> float:
    """Return the probability of an interval as a float; it must lie between `least` and 1.

    Examples
    --------
    >>> as_ci_prob(np.float32(0.5))
    0.5
    >>> as_ci_prob(95)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: ci_prob=95 is not between 0 and 1; for example ci_prob=0.95
    """
    if not is_real(ci_prob) or ci_prob <= least or not ci_prob < 1:
        raise EstimateError(f"ci_prob={quoted(ci_prob)} is not between {least:g} and 1; for example ci_prob=0.95")
    if ci_prob < 0.5:
        raise EstimateError(
            f"ci_prob={quoted(ci_prob)} is below 0.5; it is the probability of the interval, not its error: give "
            f"ci_prob={1 - ci_prob:g}"
        )
    return float(ci_prob)
