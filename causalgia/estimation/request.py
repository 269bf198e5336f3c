"""Arguments of `estimate`, groupings of units, the answer of an estimator and the floor
that rounding sets for it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.arguments import ANALYSIS
from causalgia.attributes import about
from causalgia.checks import check_value, in_order, is_real, is_whole, nearest
from causalgia.choices import TARGET_MEANINGS, Target
from causalgia.effect_table import has_gaps, of_effects
from causalgia.errors import (
    DegenerateWarning,
    EstimateError,
    caller_stacklevel,
    first_of,
    quoted,
)
from causalgia.estimation.crossover import Estimate
from causalgia.notes import with_notes
from causalgia.numerics.row_blocks import extremes, in_memory
from causalgia.schema import annotate
from causalgia.types import Array, Codes, Mask

OVER_PREDICTORS = tuple(
    name for name, target in TARGET_MEANINGS.items() if target.of_predictors
)
FEW_CLUSTERS = 20
ZERO = "zero within rounding"
"""Label of an effect below its floor."""
LARGEST_SE = float(np.sqrt(np.finfo(float).max))


def check_cluster_name(cluster: object, *, of_units: bool) -> None:
    """Raise EstimateError unless `cluster` names how units are grouped; estimates have
    no units left to group.

    Examples
    --------
    >>> check_cluster_name("parent", of_units=False)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: cluster='parent' groups units, and these are estimates
    """
    check_value(cluster, ANALYSIS, "cluster", error=EstimateError)
    if not of_units and cluster not in ("auto", "none"):
        raise EstimateError(
            f"cluster={quoted(cluster)} groups units, and these are estimates",
            argument="cluster",
        )


@dataclass(frozen=True)
class Request:
    """Validated arguments of one call of `estimate`; `groups` are its clusters
    (`with_clusters`).
    """

    cluster: str
    block: str | None
    covariates: tuple[str, ...]
    target: str
    weights: str
    groups: Grouping | None = None

    def __post_init__(self) -> None:
        check_cluster_name(self.cluster, of_units=True)
        for name, value in (("target", self.target), ("weights", self.weights)):
            check_value(value, ANALYSIS, name, error=EstimateError)

    @property
    def is_crossed(self) -> bool:
        """Whether the target has a second population beside that of the units, so that
        it needs every ICE.
        """
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
    """An `Estimate` with further columns, for K contrasts and a trailing shape of tasks
    (and models).

    Attributes
    ----------
    estimate
        Shape ``(K, ...)``.
    skewness
        Skewness of the independent contributions to the estimate, shape ``(K, ...)``.
    reach
        Bound on |ICE| over the units, shape ``(K, ...)``.
    n_units, n_clusters
        Shape ``(K,)``, or that of the estimates.
    method, cluster
        The estimator in words, and the coordinate that names the independent clusters.
    by_definition
        Whether a standard error of 0 follows from the target, not from a lack of
        spread.
    unbounded
        Which effects have no standard error, of the shape of the estimates; None: all
        have one.
    measured
        Which effects there are, of the shape of the estimates; None: all.
    smallest
        Independent units of the smallest arm, shape ``(K,)`` or that of the estimates;
        None: all units have every arm.
    pooled
        Error and degrees of freedom of independent arms by their pooled variance, error
        0 where they are not; None: no arms are.
    of_arms
        Standard deviation and number of units of each arm whose units are independent,
        ``(A, ...)``; None: they are not.
    sums_of_arms
        Which effects are weighted sums of the arms' means, of the shape of the
        estimates; None: all.
    """

    estimate: Estimate
    skewness: Array
    reach: Array
    n_units: Codes
    n_clusters: Codes
    method: str
    cluster: str
    by_definition: bool = False
    unbounded: Mask | None = None
    measured: Mask | None = None
    smallest: Codes | None = None
    pooled: tuple[Array, Array] | None = None
    of_arms: tuple[Array, Codes] | None = None
    sums_of_arms: Mask | None = None


def grouping(effects: xr.Dataset, name: str, argument: str) -> Grouping:
    """Return the units grouped by a coordinate; `argument` is how error messages name
    the request.

    Examples
    --------
    >>> effects = xr.Dataset(
    ...     coords={"unit": [0, 1, 2], "parent": ("unit", ["a", "b", "a"])}
    ... )
    >>> grouping(effects, "parent", "cluster='parent'").codes
    array([0, 1, 0])
    """
    on_unit = [str(c) for c in effects.coords if effects[c].dims == ("unit",)]
    if not isinstance(name, str) or name not in on_unit:
        raise EstimateError(
            f"{argument}: no coordinate {quoted(name)} on the units; there are "
            f"{', '.join(on_unit) or 'none'}"
        )
    codes, labels = pd.factorize(effects[name].to_numpy())
    if (codes < 0).any():
        raise EstimateError(
            f"unit {unit_name(effects, int(np.argmin(codes)))} has no {quoted(name)}"
        )
    _check_names_groups(effects, name, argument, codes, labels)
    return Grouping(name, np.asarray(codes, dtype=np.intp), tuple(map(str, labels)))


def _check_names_groups(
    effects: xr.Dataset, name: str, argument: str, codes: Codes, labels: Any
) -> None:
    """Raise EstimateError where a coordinate holds numbers that are not whole: a
    measurement names no groups.
    """
    if labels.dtype.kind not in "fO":
        return
    measured = [
        is_real(label) and not is_whole(label) and not float(label).is_integer()
        for label in labels
    ]
    if any(measured):
        first = measured.index(True)
        what = "block" if argument.startswith("block") else "cluster"
        raise EstimateError(
            f"{argument}: unit {unit_name(effects, int(np.argmax(codes == first)))} "
            f"has {quoted(name)} {float(labels[first]):g}, and a {what} is a group of "
            "units"
        )


def as_contrasts(value: Any, known: list[Any], argument: str) -> list[Any]:
    """Return the contrasts that a value names, by their labels.

    Raises
    ------
    EstimateError
        If it names none, or one that is not among the known ones.

    Examples
    --------
    >>> as_contrasts("GATA1", ["GATA1", "SP1"], "contrast")
    ['GATA1']
    >>> as_contrasts(["GATA"], ["GATA1", "SP1"], "contrast")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: contrast 'GATA' is not among the estimates; did you mean 'GATA1'?
    """
    names = in_order(value)
    if not names:
        raise EstimateError(
            f"{argument}={quoted(value)} is not one or more names of contrasts",
            argument=argument,
        )
    unknown = [name for name in names if name not in known]
    if unknown:
        near = nearest(
            str(unknown[0]),
            map(str, known),
        )
        raise EstimateError(
            f"contrast {quoted(unknown[0])} is not among the estimates{near}"
        )
    return list(names)


def contrast_labels(dataset: xr.Dataset) -> npt.NDArray[Any]:
    """Return the names of the contrasts, numbers from 0 where they have none.

    Examples
    --------
    >>> contrast_labels(xr.Dataset({"ace": ("contrast", [0.5, 1.0])}))
    array([0, 1])
    """
    return (
        dataset["contrast"].to_numpy()
        if "contrast" in dataset.coords
        else np.arange(dataset.sizes["contrast"])
    )


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
    """Return a request with its clusters, found once, where the target has units drawn
    with them.

    Examples
    --------
    >>> effects = xr.Dataset(
    ...     coords={"unit": [0, 1, 2], "parent": ("unit", ["a", "b", "a"])}
    ... )
    >>> request = with_clusters(
    ...     effects, Request("auto", None, (), "population", "units")
    ... )
    >>> (
    ...     request.groups.labels,
    ...     with_clusters(effects, Request("auto", None, (), "units", "units")).groups,
    ... )
    (('a', 'b'), None)
    """
    drawn = request.target == "population" or request.is_crossed
    return replace(request, groups=clusters(effects, request)) if drawn else request


def check_clusters(groups: Grouping, n_clusters: int) -> None:
    """Raise EstimateError for one cluster; warn below 20."""
    check_two_clusters(groups, n_clusters)
    if n_clusters < FEW_CLUSTERS:
        warnings.warn(
            DegenerateWarning(
                f"{n_clusters} clusters ({groups.name}): below {FEW_CLUSTERS}, intervals "
                "may cover less than their nominal level when clusters are skewed; draw "
                "from more of them"
            ),
            stacklevel=caller_stacklevel(),
        )


def check_two_clusters(groups: Grouping, n_clusters: int) -> None:
    """Raise EstimateError for one cluster, from which no variance between clusters can
    be estimated.
    """
    if n_clusters < 2:
        raise EstimateError(
            f"all units share the one {groups.name} {quoted(groups.labels[0])}, so the "
            f"variance between {groups.name}s cannot be estimated",
        )


def check_no_cluster(request: Request, instead: str) -> None:
    """Raise EstimateError where a cluster is named and the target does not use it."""
    if request.cluster not in (
        "none",
        "auto",
        "parent" if request.target == "parents" else "auto",
    ):
        raise EstimateError(
            f"cluster={quoted(request.cluster)} does not go with "
            f"target={quoted(request.target)}: {instead}",
            argument="cluster",
        )


def parents_as_strata(effects: xr.Dataset) -> Grouping:
    """Return the units grouped by parent, for claims about new shuffles of these
    parents.
    """
    if "parent" not in effects.coords:
        raise EstimateError(
            "target='parents' needs a coordinate 'parent' on the units",
            argument="target",
        )
    return grouping(effects, "parent", "target='parents'")


def as_target(effects: xr.Dataset, target: Target | None) -> Target:
    """Return the target; None is new elements and replicates for measured outcomes,
    else new units.

    Raises
    ------
    EstimateError
        If the target is for predictions and the outcomes were measured, or the reverse.
    """
    measured = about(effects, None).model_is == "replicates"
    if target is None:
        return "population x replicates" if measured else "population"
    meaning = TARGET_MEANINGS.get(str(target))
    if meaning is not None and measured and not meaning.of_measurements:
        raise EstimateError(
            f"target={quoted(target)} is for predictions, and these outcomes were "
            "measured, with noise of barcodes and replicates: leave target= out "
            "for the mean over elements, or use cg.mpra.fit for each element's "
            "effect",
            argument="target",
        )
    if meaning is not None and not measured and not meaning.of_predictions:
        raise EstimateError(
            f"target={quoted(target)} is for measured activities, from cg.mpra.outcomes",
            argument="target",
        )
    return target


def null_value(dataset: xr.Dataset) -> float:
    """Return the value of no effect, attrs["null_value"]: 1 for ratios, else 0.

    Examples
    --------
    >>> null_value(xr.Dataset()), null_value(xr.Dataset(attrs={"null_value": 1}))
    (0.0, 1.0)
    """
    return float(about(dataset, 0.0).null_value)


def are_known(estimates: xr.Dataset) -> bool:
    """Return whether effects are known exactly: those on exactly these units, of which
    nothing is sampled.

    Examples
    --------
    >>> se = xr.Dataset({"se": ("contrast", [0.0])})
    >>> are_known(se), are_known(se.assign_attrs(target="units"))
    (False, True)
    """
    return (
        about(estimates, None).target == "units"
        and "se" in estimates
        and "p" not in estimates
        and not estimates["se"].any()
    )


def check_has_errors(estimates: xr.Dataset) -> None:
    """Check that estimates have errors: those of one unit, or of exactly these units,
    have none.

    Raises
    ------
    EstimateError
        With the reason and the remedy.

    Examples
    --------
    >>> check_has_errors(xr.Dataset({"ace": ("contrast", [1.0])}))
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: the estimates have no standard errors, ...
    """
    if "se" not in estimates:
        raise EstimateError(
            "the estimates have no standard errors, because one unit gives no standard "
            "error"
        )
    if are_known(estimates):
        raise EstimateError(
            "target='units': the effects on exactly these units are known, and nothing "
            "is sampled: there is no test, no p and no interval",
            argument="target",
        )


def floor_of_estimates(estimates: xr.Dataset) -> Array:
    """Return the floor of each estimate, in the shape of ``ace``; 0 where it is not
    known.

    Examples
    --------
    >>> floor_of_estimates(xr.Dataset({"ace": ("contrast", [1.0, 2.0])}))
    array([0., 0.])
    """
    if "floor" not in estimates:
        return np.zeros(estimates.variables["ace"].shape)
    return np.asarray(of_effects(estimates, "floor"), np.float64)


def is_below_floor(estimates: xr.Dataset) -> Mask:
    """Return which effects are zero within rounding, in the shape of ``ace``, except
    those that are 0 in every unit.

    Examples
    --------
    >>> is_below_floor(
    ...     xr.Dataset(
    ...         {"ace": ("contrast", [1e-9, 2.0]), "floor": ("contrast", [1e-7, 1e-7])}
    ...     )
    ... )
    array([ True, False])
    """
    null = null_value(estimates)
    away = np.abs(of_effects(estimates, "ace") - null)
    return np.asarray(
        (away <= floor_of_estimates(estimates))
        & ~(_is_exact(estimates) & (away == 0))
        & ("floor" in estimates)
    )


def _is_exact(estimates: xr.Dataset) -> Mask:
    if "exact" not in estimates:
        return np.zeros(estimates.variables["ace"].shape, dtype=bool)
    return np.asarray(of_effects(estimates, "exact"), bool)


def at_least_floor(
    estimates: xr.Dataset, lower: Array, upper: Array
) -> tuple[Array, Array]:
    """Return limits at least the floor away from the effect; intervals of exact effects
    above the floor stay points.

    Examples
    --------
    >>> one = xr.Dataset({"ace": ("contrast", [1e-9]), "floor": ("contrast", [1e-7])})
    >>> at_least_floor(one, np.array([9e-10]), np.array([1.1e-9]))
    (array([-9.9e-08]), array([1.01e-07]))
    """
    if "floor" not in estimates:
        return lower, upper
    ace, floor = of_effects(estimates, "ace"), floor_of_estimates(estimates)
    reach = np.where(_is_exact(estimates) & ~is_below_floor(estimates), 0.0, floor)
    return np.where(reach > 0, np.minimum(lower, ace - reach), lower), np.where(
        reach > 0, np.maximum(upper, ace + reach), upper
    )


_BY_FLOOR = ("p", "log_p", "lower", "upper")


def with_floor(estimates: xr.Dataset, effects: xr.Dataset) -> xr.Dataset:
    r"""Add ``floor`` and ``below_floor`` to estimates; set p to 1 below it, and widen
    intervals to at least the floor.

    The floor of a contrast is :math:`\sum_a |w_a| \max|e|`, with e the rounding error
    of an output of the predictor. Intervals
    are :math:`\mathrm{ACE} \mp \max(h, \mathrm{floor})`, h being the half width, so
    that they hold for the network in exact arithmetic even if rounding is the same in
    every unit. For several predictors, or placebos, the largest floor is used.
    """
    if "floor" not in effects:
        return estimates
    dims = estimates.variables["ace"].dims
    over = [dim for dim in effects["floor"].dims if dim not in dims]
    floor = effects["floor"].max(over) if over else effects["floor"]
    if floor.sizes["contrast"] != estimates.sizes["contrast"]:
        floor = floor.max("contrast").expand_dims(contrast=estimates.sizes["contrast"])
    floored = xr.Dataset(
        {n: estimates.variables[n] for n in ("ace", "exact") if n in estimates}
        | {"floor": floor.variable.transpose(*dims)},
        attrs=estimates.attrs,
    )
    below = is_below_floor(floored)
    columns = {"floor": floor_of_estimates(floored), "below_floor": below}
    known = {n: of_effects(estimates, n) for n in _BY_FLOOR if n in estimates}
    if "p" in known:
        columns["p"] = np.where(below, 1.0, known["p"])
        columns["log_p"] = np.where(below, 0.0, known["log_p"])
    if "lower" in known:
        limits = at_least_floor(floored, known["lower"], known["upper"])
        columns["lower"], columns["upper"] = limits
    out = estimates.assign({name: (dims, column) for name, column in columns.items()})
    return annotate(with_notes(out, *_floor_note(out, below)))


def _floor_note(estimates: xr.Dataset, below: Mask) -> list[str]:
    """Return a note on the effects that are zero within rounding, with the size of the
    floor.
    """
    if not below.any():
        return []
    named = [
        dim
        for dim in estimates["ace"].dims
        if dim == "contrast" or estimates.sizes[dim] > 1
    ]
    names = [
        ", ".join(
            str(estimates[dim].to_numpy()[i])
            for dim, i in zip(estimates["ace"].dims, where, strict=True)
            if dim in named
        )
        for where in np.argwhere(below)[:3]
    ]
    shown = first_of(names, 3, sep="; ", n=int(below.sum()))
    size = float(floor_of_estimates(estimates)[below].max())
    return [
        f"{ZERO}: {shown}: rounding in the predictor alone can "
        f"produce an effect of up to {size:.2g}, the same in every unit, which no "
        "number of units distinguishes from 0; compute in float64 to lower this limit"
    ]


def rescale(effects: xr.Dataset) -> tuple[xr.Dataset, Codes]:
    """Divide the numbers of tasks outside 1e-100 to 1e100 by a power of two, without
    loss of digits.

    Returns
    -------
    effects, exponents
        Rescaled effects, and the powers of two, shape ``(task,)``.

    Examples
    --------
    >>> effects = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), [[[1e200, 1.0]], [[3e200, 2.0]]])}
    ... )
    >>> small, exponents = rescale(effects)
    >>> exponents, small["ice"].max("unit").values.round(3)
    (array([666,   0]), array([[0.98, 2.  ]]))
    """
    name = "ice" if "ice" in effects else "outcome"
    there = effects[name].fillna(0.0) if has_gaps(effects) else effects[name]
    low, high = extremes(there.data)
    others = tuple(i for i, dim in enumerate(effects[name].dims[1:]) if dim != "task")
    peak = np.maximum(high.max(axis=others), -low.min(axis=others)).astype(np.float64)
    exponents = np.where(
        (peak > 0) & ((peak < 1e-100) | (peak > 1e100)), np.frexp(peak)[1], 0
    ).astype(np.intp)
    if not exponents.any():
        return effects, exponents
    power = xr.DataArray(-exponents, dims="task")
    effects, names = in_memory(effects), [n for n in (name, "rounding") if n in effects]
    return effects.assign(
        {n: xr.apply_ufunc(np.ldexp, effects[n].astype(float), power) for n in names}
    ), exponents


def undo_rescale(answer: Answer, exponents: Codes, effects: xr.Dataset) -> Answer:
    """Multiply an answer by the powers of two of `rescale`.

    Raises
    ------
    EstimateError
        If a squared standard error is beyond float64, so that there is no covariance.
    """
    if not exponents.any():
        return answer
    e = answer.estimate
    power = exponents.reshape(-1, *[1] * (e.ace.ndim - 2))
    with np.errstate(over="ignore"):
        ace, se, factor = (np.ldexp(x, power) for x in (e.ace, e.se, e.factor))
    check_squares(se, effects)
    return replace(
        answer,
        estimate=replace(e, ace=ace, se=se, factor=factor),
        reach=np.ldexp(answer.reach, power),
        pooled=answer.pooled and (np.ldexp(answer.pooled[0], power), answer.pooled[1]),
        of_arms=answer.of_arms
        and (np.ldexp(answer.of_arms[0], power), answer.of_arms[1]),
    )


def check_squares(se: Array, effects: xr.Dataset) -> None:
    """Check that float64 holds the squares of standard errors; `effects` has the names
    for the message.

    Raises
    ------
    EstimateError
        If it does not, so that there is no covariance.
    """
    too_large = ~(se < LARGEST_SE)
    if too_large.any():
        k, t = np.argwhere(too_large)[0][:2]
        contrast, task = (
            effects["contrast"].to_numpy()[k],
            effects["task"].to_numpy()[t],
        )
        raise EstimateError(
            f"contrast {contrast}, task {task}: the standard error "
            f"{se[too_large][0]:.3g} has a square beyond float64"
        )
