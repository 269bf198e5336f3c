"""Functions of the arms' means (ratios, interactions), expanded by the delta method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy import sparse

from causalgia.attributes import about
from causalgia.effect_table import unmeasured_in_words
from causalgia.effects.pointwise_effects import arm_sds, control_sd, pooled_sd
from causalgia.effects.scales import (
    FUNCTION,
    OF_MEANS,
    MeansFunction,
    check_not_log,
    on_scale,
    scale_name,
)
from causalgia.errors import (
    EstimateError,
    quoted,
)
from causalgia.numerics.row_blocks import agreement
from causalgia.types import Array, Mask

if TYPE_CHECKING:
    from causalgia.effects.scales import TaskWeights

_EPS = 8 * float(np.finfo(float).eps)
_STEP = 1e-3
"""Step of the differences that give a gradient, relative to a mean or its error."""
_SLOPE = 1e-9
"""Relative error of such a gradient, of a function that is smooth over the step."""


@dataclass(frozen=True)
class Expansion:
    """First-order expansion of K functions of the arms' means over n units.

    Attributes
    ----------
    value
        The functions at the means, shape ``(K, ...)``.
    influence
        Their first-order change by each unit, mean 0, shape ``(K, n, ...)``.
    denominator
        Relative influence on the divisor of each function, plus 1, shape
        ``(K, n, ...)``; None without a divisor.
    bound
        Bound on the rounding of each influence, shape ``(K, n, ...)``.
    """

    value: Array
    influence: Array
    denominator: Array | None
    bound: Array

    def over_tasks(self, over: TaskWeights) -> Expansion:
        """Return the weighted sums over tasks, which have a divisor only where tasks are
        selected and not summed.
        """
        below = self.denominator if over.selects else None
        return Expansion(
            over.sums(self.value, 1),
            over.sums(self.influence, 2),
            None if below is None else over.sums(below, 2),
            over.bounds(self.bound, 2),
        )


def relative(y: Array, bound: Array) -> tuple[Array, Array, Array]:
    """Return means over units, relative deviations from them, and bounds on the
    rounding of these.

    Parameters
    ----------
    y, bound
        Outcomes and bounds on their rounding, shape ``(n, ...)``.

    Returns
    -------
    mean, change, bound
        Shapes ``(...)``, ``(n, ...)`` and ``(n, ...)``; a mean within rounding of 0 is
        0, with change 0.

    Examples
    --------
    >>> mean, change, bound = relative(np.array([1.0, 3.0]), np.zeros(2))
    >>> mean, change
    (np.float64(2.0), array([-0.5,  0.5]))
    """
    shifted = y - y[0]
    mean = y[0] + shifted.mean(axis=0)
    nothing = np.abs(mean) <= bound.mean(axis=0)
    size = np.where(nothing, 1.0, mean)
    change = (shifted - shifted.mean(axis=0)) / size
    moved = (bound + bound.mean(axis=0)) / np.abs(size) + _EPS * np.abs(change)
    return np.where(nothing, 0.0, mean)[()], np.where(nothing, 0.0, change), moved


def log_of_means(
    mean: Array, change: Array, bound: Array, W: sparse.csr_array
) -> Expansion:
    """Expand ``sum_a w_a log m_a``, the logarithm of a quotient of two products of
    means; the divisor is the product of those with negative weights.

    Parameters
    ----------
    mean, change, bound
        Of A arms with positive means, from `relative`, shapes ``(A, ...)``,
        ``(A, n, ...)`` and ``(A, n, ...)``.
    W
        Weights, shape ``(K, A)``.

    Examples
    --------
    >>> mean, change = np.array([1.0, 2.0]), np.array([[-0.5, 0.5], [0.25, -0.25]])
    >>> found = log_of_means(
    ...     mean, change, np.zeros((2, 2)), sparse.csr_array([[-1.0, 1.0]])
    ... )
    >>> found.value.round(4), found.influence
    (array([0.6931]), array([[ 0.75, -0.75]]))
    """
    value = _sums_over_first_axis(W, np.log(np.abs(mean)))
    moved = _sums_over_first_axis(
        abs(W), bound + _EPS * (1 + np.abs(np.log(np.abs(mean))))[:, None]
    )
    below = 1 + _sums_over_first_axis((-W).maximum(0), change)
    return Expansion(value, _sums_over_first_axis(W, change), below, moved)


def in_control_sd(
    y: Array, bound: Array, W: sparse.csr_array, sd_of: sparse.csr_array
) -> tuple[Expansion, Array]:
    """Expand ``sum_a w_a m_a / s``, s being the sd over units of the arms that each
    contrast is measured in.

    s is estimated from the same units (Glass's delta; Hedges 1981,
    doi:10.3102/10769986006002107, without its assumption of normal outcomes). The
    influences are those of the jackknife: with one unit left out the effect is ``e_i``,
    and its influence is ``(n - 1) (mean e - e_i)``, so that ``sd / sqrt(n)`` of the
    influences is the jackknife's standard error (Efron & Stein 1981,
    doi:10.1214/aos/1176345462). Their linear part, ``-e (z^2 - 1) / 2`` of a control z
    sd from its mean, gives errors that are 9 % too small with 200 units of an
    exponential control.

    Parameters
    ----------
    y, bound
        Outcomes of A arms and bounds on their rounding, shape ``(A, n, ...)``.
    W, sd_of
        Weights of the contrasts, and those of `sd_weights`, shape ``(K, A)`` each.

    Returns
    -------
    expansion, sd
        The sd has shape ``(K, ...)``. The expansion is not finite where the sd is 0, or
        0 without one of the units.

    Examples
    --------
    >>> y = np.array([[1.0, 3.0, 5.0], [5.0, 7.0, 9.0]])
    >>> W = sparse.csr_array([[-1.0, 1.0]])
    >>> found, sd = in_control_sd(y, np.zeros((2, 3)), W, W)
    >>> found.value, found.influence.round(3), sd
    (array([2.]), array([[-0.943,  1.886, -0.943]]), array([2.]))
    """
    sd = pooled_sd(arm_sds(list(y), list(bound)), sd_of)
    ice, moved = _sums_over_first_axis(W, y), _sums_over_first_axis(abs(W), bound)
    origin = ice[:, :1]
    value = origin[:, 0] + (ice - origin).mean(axis=1)
    share = (-sd_of).maximum(0)
    share = sparse.diags_array(1 / share.sum(axis=1)) @ share
    away = y - y[:, :1]
    away = away - away.mean(axis=1, keepdims=True)
    n = y.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = _sums_over_first_axis(share, away**2) / sd[:, None] ** 2
        # share of the variance that goes with a unit
        lost = (n / (n - 1) * squares - 1) / (n - 2)
        root = np.sqrt(np.where(lost < 1 - _EPS * n, 1 - lost, np.nan))
        pull = (n - 1) * value[:, None] * lost / (root * (1 + root)) - (
            ice - value[:, None]
        ) / root
        influence = (pull.mean(axis=1, keepdims=True) - pull) / sd[:, None]
        within = (moved + moved.mean(axis=1, keepdims=True)) / (
            sd[:, None] * root
        ) + _EPS * np.abs(influence)
        return Expansion(value / sd, influence, None, within), sd


def ratio_of_means(
    mean: Array, change: Array, bound: Array, W: sparse.csr_array
) -> Expansion:
    """Expand ``prod_a m_a^w_a``, for one treatment and one control the ratio of their
    means.

    Parameters
    ----------
    mean, change, bound, W
        As in `log_of_means`.

    Examples
    --------
    >>> mean, change = np.array([1.0, 2.0]), np.array([[-0.5, 0.5], [0.25, -0.25]])
    >>> found = ratio_of_means(
    ...     mean, change, np.zeros((2, 2)), sparse.csr_array([[-1.0, 1.0]])
    ... )
    >>> found.value.round(4), found.influence.round(4), found.denominator
    (array([2.]), array([[ 1.5, -1.5]]), array([[0.5, 1.5]]))
    """
    log = log_of_means(mean, change, bound, W)
    value = np.exp(log.value)
    wide = value[:, None]
    return Expansion(value, wide * log.influence, log.denominator, wide * log.bound)


def _sums_over_first_axis(W: sparse.csr_array, x: Array) -> Array:
    return np.asarray(W @ x.reshape(len(x), -1)).reshape(W.shape[0], *x.shape[1:])


def parts_and_slopes(
    function: MeansFunction, mean: Array, step: Array
) -> tuple[Array, Array, bool]:
    """Return numerator and divisor of a function of four means, ``(2, ...)``, their
    slopes by arm, ``(2, 4, ...)``, and whether there is a divisor.

    Slopes are differences over five points, with a relative error of 1e-9 where the
    function is smooth over twice the step.

    Parameters
    ----------
    function
        As `causalgia.contrast` takes it.
    mean, step
        Of the arms 0, B, A and AB, shape ``(4, ...)`` each.

    Examples
    --------
    >>> mean = np.array([1.0, 2.0, 4.0, 10.0])
    >>> def bpnet(none, a, b, both):
    ...     return both - a - b + none, a
    >>> parts, slopes, divides = parts_and_slopes(bpnet, mean, 1e-3 * mean)
    >>> parts, slopes[0].round(6), divides
    (array([5., 4.]), array([ 1., -1., -1.,  1.]), True)
    """

    def at(means: Array) -> tuple[Array, bool]:
        none, b, a, both = means
        found = function(none, a, b, both)
        divides = isinstance(found, tuple)
        top, below = found if divides else (found, np.ones_like(none))
        parts = [
            np.broadcast_to(np.asarray(x, float), none.shape) for x in (top, below)
        ]
        return np.stack(parts), divides

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        parts, divides = at(mean)
        slopes = np.empty((2, *mean.shape))
        for k in range(len(mean)):
            moved = np.zeros_like(mean)
            moved[k] = step[k]
            near, far = (
                at(mean + times * moved)[0] - at(mean - times * moved)[0]
                for times in (1, 2)
            )
            slopes[:, k] = (8 * near - far) / (12 * step[k])
    return parts, slopes, divides


def of_four_means(y: Array, bound: Array, function: MeansFunction) -> Expansion:
    """Expand a function of the means of a 2 x 2 factorial.

    Parameters
    ----------
    y, bound
        Outcomes of the arms 0, B, A and AB and bounds on their rounding, shape
        ``(4, n, ...)``.
    function
        As `causalgia.contrast` takes it.

    Raises
    ------
    EstimateError
        If the divisor is not positive, or the value is not finite.

    Examples
    --------
    >>> y = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 5.0], [9.0, 11.0]])
    >>> def bpnet(none, a, b, both):
    ...     return both - a - b + none, a
    >>> found = of_four_means(y, np.zeros((4, 2)), bpnet)
    >>> found.value, found.influence.round(9)
    (array([1.25]), array([[ 0.3125, -0.3125]]))
    """
    mean = y[:, 0] + (y - y[:, :1]).mean(axis=1)
    away = y - mean[:, None]
    error = np.sqrt((away**2).mean(axis=1) / y.shape[1])
    (top, below), slopes_of_parts, divides = parts_and_slopes(
        function, mean, steps(mean, error)
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        value = top / below
        slopes = (slopes_of_parts[0] - value * slopes_of_parts[1]) / below
    if not ((below > 0) & np.isfinite(value)).all():
        name = scale_name(function)
        what = (
            f"divides by {float(np.min(below)):.4g}, which must be positive"
            if (below <= 0).any()
            else "is not finite at the means of the arms"
        )
        raise EstimateError(
            f"scale={quoted(name)} {what}",
            argument="scale",
        )
    size = np.abs(slopes)[:, None]
    rounding = bound + bound.mean(axis=1, keepdims=True) + _EPS * np.abs(mean[:, None])
    moved = (size * (rounding + _SLOPE * np.abs(away))).sum(axis=0)
    change = (slopes_of_parts[1][:, None] * away).sum(axis=0) / below
    return Expansion(
        value[None],
        (slopes[:, None] * away).sum(axis=0)[None],
        (1 + change)[None] if divides else None,
        moved[None],
    )


def steps(mean: Array, error: Array | float = 0.0) -> Array:
    """Return the steps of differences about means: a thousandth of a mean, or of its
    error where that is larger.
    """
    least = np.maximum(np.abs(mean), error)
    return _STEP * np.where(least > 0, least, 1.0)


def check_scale_of_means(
    scale: object,
    interaction: Sequence[str] | None,
    crossover: bool,
    measured_on: str,
) -> None:
    """Raise EstimateError where a function of means is not defined for the request.

    Examples
    --------
    >>> check_scale_of_means(lambda none, a, b, both: both, None, True, "counts")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: scale='function' is an interaction of two factors
    """
    if callable(scale):
        _check_function(scale, interaction, crossover)
        return
    if not isinstance(scale, str):
        raise EstimateError(
            f"scale {quoted(scale)} is not one of the scales, such as 'identity', "
            "'log' and 'ratio'"
        )
    if scale in ("log_of_means", "ratio"):
        check_not_log(scale, measured_on)
    if scale == "sd" and not crossover:
        raise EstimateError(
            "scale='sd' needs a crossover, in which the same units give the "
            "effects and the sd of the control; in a parallel trial use scale='log' "
            "or 'log_of_means', or give a region in sd: rope='0.2 sd'",
            argument="scale",
        )


def _check_function(
    scale: MeansFunction, interaction: Sequence[str] | None, crossover: bool
) -> None:
    name = scale_name(scale)
    if interaction is None or len(interaction) != 2 or isinstance(interaction, str):
        raise EstimateError(
            f"scale={quoted(name)} is an interaction of two factors",
            argument="scale",
        )
    if not crossover:
        raise EstimateError(
            f"scale={quoted(name)} needs a crossover; in a parallel trial use scale='log_of_means'",
            argument="scale",
        )


def expand_crossover(
    y: xr.DataArray,
    W: sparse.csr_array,
    sd_of: sparse.csr_array,
    scale: str | MeansFunction,
    measured_on: str,
    cells: Sequence[str],
    over: TaskWeights | None = None,
) -> dict[str, Any]:
    """Return the variables of effects for functions of the means of a crossover.

    Parameters
    ----------
    y
        Outcomes ``(unit, arm, ...)`` of the A arms that are used.
    W, sd_of
        Weights of the contrasts, and those of `sd_weights`, shape ``(K, A)`` each.
    scale, measured_on
        As in `contrast`.
    cells
        The arms of the first contrast in the order of its weights: 0, B, A, AB for an
        interaction.
    over
        Contrasts between tasks, which replace the tasks: of ``"sd"`` and
        ``"log_of_means"``.
    """
    values, bound = (
        np.moveaxis(np.asarray(x), 1, 0) for x in on_scale(y, "identity", measured_on)
    )
    null = OF_MEANS[FUNCTION if callable(scale) else scale]
    if callable(scale):
        arms = [str(a) for a in y["arm"].to_numpy()]
        order = [arms.index(cell) for cell in cells]
        found, spread = of_four_means(values[order], bound[order], scale), {}
    elif scale in ("log_of_means", "ratio"):
        mean, change, moved = (
            np.stack(x) for x in zip(*map(relative, values, bound), strict=True)
        )
        measured = _rows_with_means(
            mean, W, scale, [str(a) for a in y["arm"].to_numpy()]
        )
        found = (log_of_means if scale == "log_of_means" else ratio_of_means)(
            np.where(mean > 0, mean, 1.0), change, moved, W
        )
        if over is not None:
            found, change, moved = (
                found.over_tasks(over),
                over.sums(change, 2),
                over.bounds(moved, 2),
            )
            measured = rows_of_tasks(measured, over)
        spread = control_sd(list(change), list(moved), sd_of)
        return effect_variables(found, y, null, spread, over, measured=measured)
    else:
        found, spread = _in_sd(values, bound, W, sd_of, y, over)
    return effect_variables(found, y, null, spread, over)


def _in_sd(
    values: Array,
    bound: Array,
    W: sparse.csr_array,
    sd_of: sparse.csr_array,
    y: xr.DataArray,
    over: TaskWeights | None,
) -> tuple[Expansion, dict[str, Array]]:
    """Return effects in sd of the control arm, their contrasts between tasks, and the
    control's sd on that scale.
    """
    if values.shape[1] < 3:
        raise EstimateError(
            "scale='sd': the error of an sd needs three units, and there are "
            f"{values.shape[1]}",
            argument="scale",
        )
    found, sd = in_control_sd(values, bound, W, sd_of)
    for k, t, *more in np.argwhere(~np.isfinite(found.influence).all(axis=1))[:1]:
        arms = [
            str(y["arm"].to_numpy()[a])
            for a in sd_of.indices[sd_of.indptr[k] : sd_of.indptr[k + 1]]
        ]
        task = str(y["task"].to_numpy()[t]) if "task" in y.coords else str(t)
        where = (
            "over units" if sd[(k, t, *more)] == 0 else "over units but for one of them"
        )
        raise EstimateError(
            f"scale='sd': task {quoted(task)} does not vary {where} in the control "
            f"({', '.join(arms)}), so its sd cannot serve as the unit",
            argument="scale",
        )
    if over is None:
        return found, {"control_sd": np.ones_like(sd)}
    subtracted = np.unique(sd_of.indices[sd_of.data < 0])
    spread = np.empty((W.shape[0], len(over.names), *sd.shape[2:]))
    for k in range(len(sd)):
        if k and (sd[k] == sd[k - 1]).all():
            spread[k] = spread[k - 1]
            continue
        of_arms = arm_sds(
            [over.sums(values[a] / sd[k], 1) for a in subtracted],
            [over.bounds(bound[a] / sd[k], 1) for a in subtracted],
        )
        spread[k] = pooled_sd(of_arms, sd_of[[k], :][:, subtracted])[0]
    return found.over_tasks(over), {"control_sd": spread}


def _rows_with_means(
    mean: Array, W: sparse.csr_array, scale: str, arms: list[str]
) -> Mask:
    """Return which effects are of means above 0, ``(K, ...)``; EstimateError if none
    is.
    """
    flat = mean.reshape(len(mean), -1)
    lacking = np.asarray(abs(W) @ (flat <= 0).astype(float)) > 0
    if lacking.all():
        a = W.indices[W.indptr[0] : W.indptr[1]]
        arm = a[flat[a, 0] <= 0][0]
        raise EstimateError(
            f"scale={quoted(scale)} needs means above 0, and arm {quoted(arms[arm])} "
            f"has the mean {flat[arm, 0]:.4g}",
            argument="scale",
        )
    return ~lacking.reshape(W.shape[0], *mean.shape[1:])


def rows_of_tasks(measured: Mask, over: TaskWeights) -> Mask:
    """Return which contrasts between tasks, ``(K, tasks, ...)``, have all their
    effects.
    """
    return np.asarray(over.bounds((~measured).astype(float), 1) == 0)


def without_means(measured: Mask) -> dict[str, Mask]:
    """Return the variable ``measured`` of effects, if a row has no means above 0."""
    return {} if measured.all() else {"measured": measured}


def no_means_note(effects: xr.Dataset) -> str:
    """Return a sentence that names the rows of effects without means above 0."""
    what = "ratio" if about(effects).transform == "ratio" else "logarithm"
    rows = unmeasured_in_words(effects["measured"])
    return f"no {what} of means: {rows} (the mean of an arm is not above 0)"


def effect_variables(
    found: Expansion,
    y: xr.DataArray,
    null: float,
    spread: dict[str, Array],
    over: TaskWeights | None = None,
    *,
    measured: Mask | None = None,
) -> dict[str, Any]:
    """Return the variables of effects for an expansion; of outcomes
    ``y (unit, arm, ...)`` only labels are used. Rows that are not measured have no
    effect.
    """
    others = y.dims[2:]
    constant, one = constant_and_value(found, null)
    unknown: dict[str, Mask] = {}
    if measured is not None:
        constant, one = constant | ~measured, np.where(measured, one, null)
        unknown = without_means(measured)
    ice = np.where(
        constant[:, None], one[:, None], found.value[:, None] + found.influence
    )
    coords = {dim: y[dim].to_numpy() for dim in ("unit", *others) if dim in y.coords}
    coords |= {} if over is None else {"task": np.asarray(over.names)}
    by_unit = (
        {"ice": ice}
        if found.denominator is None
        else {"ice": ice, "denominator": found.denominator}
    )
    dims = ("unit", "contrast", *others)
    parts: dict[str, Any] = {
        name: xr.DataArray(
            np.ascontiguousarray(np.moveaxis(x, 0, 1)), dims=dims, coords=coords
        )
        for name, x in by_unit.items()
    }
    columns = {"constant": constant, "zero": constant & (one == 0), **spread, **unknown}
    return parts | {
        name: (("contrast", *others), values) for name, values in columns.items()
    }


def constant_and_value(found: Expansion, null: float) -> tuple[Any, Array]:
    """Return where influences are constant within rounding, and the effect, set to the
    null value if within rounding.

    Returns
    -------
    constant, value
        Shape ``(K, ...)``.

    Examples
    --------
    >>> value, nothing = np.array([1 + 1e-16, 2.0]), np.zeros((2, 3))
    >>> constant_and_value(Expansion(value, nothing, None, nothing + 1e-15), 1.0)
    (array([ True,  True]), array([1., 2.]))
    """
    around = found.value - null
    flags = [
        agreement(x + e, b)
        for x, e, b in zip(around, found.influence, found.bound, strict=True)
    ]
    constant, zero = (np.stack(part) for part in zip(*flags, strict=True))
    return constant, np.where(zero, null, found.value)


def expand_parallel(
    y: xr.DataArray,
    rows: Sequence[Any],
    arms: Sequence[str],
    W: sparse.csr_array,
    sd_of: sparse.csr_array,
    scale: str,
    measured_on: str,
) -> tuple[xr.DataArray, Array, dict[str, Any]]:
    """Expand functions of the means of a parallel trial.

    Parameters
    ----------
    y
        Outcomes ``(unit, ...)``.
    rows
        Units of each arm.
    arms
        Their names.
    W, sd_of
        Weights of the contrasts, and those of `sd_weights`, shape ``(K, A)`` each.
    scale, measured_on
        As in `contrast`.

    Returns
    -------
    outcome, bound, variables
        ``log m_a + (Y_u - m_a) / m_a`` (for the ratio ``Y_u / m_a``) and the bound on
        its rounding, of the shape of `y`; for the ratio ``ratio (contrast, ...)``; and
        ``measured (contrast, ...)`` where a row has no means above 0.
    """
    values, bound = (
        y.to_numpy().astype(np.float64),
        on_scale(y, "identity", measured_on)[1],
    )
    used = np.unique(W.indices)
    empty = [arms[a] for a in used if not len(rows[a])]
    if empty:
        raise EstimateError(
            f"scale={quoted(scale)}: no unit was given arm {quoted(empty[0])}, so it "
            "has no mean",
            argument="scale",
        )
    used = np.array([a for a in np.union1d(used, sd_of.indices) if len(rows[a])])
    mean = np.ones((len(arms), *values.shape[1:]))
    out, moved = np.zeros_like(values), np.zeros_like(values)
    for a in used:
        mean[a], change, within = relative(values[rows[a]], bound[rows[a]])
        out[rows[a]], moved[rows[a]] = change, within
    variables: dict[str, Any] = {
        name: (("contrast", *y.dims[1:]), known)
        for name, known in without_means(
            _rows_with_means(mean, W, scale, list(arms))
        ).items()
    }
    mean = np.where(mean > 0, mean, 1.0)
    nothing = np.zeros((len(arms), 1, *mean.shape[1:]))
    if scale == "ratio":
        value = ratio_of_means(mean, nothing, nothing, W).value
        bound = np.stack([moved[i].max(axis=0, initial=0.0) for i in rows]).reshape(
            len(arms), -1
        )
        value = np.where(
            np.abs(value - 1) <= (abs(W) @ bound).reshape(value.shape), 1.0, value
        )
        ratio = {"ratio": (("contrast", *y.dims[1:]), value)}
        return y.copy(data=out + 1), moved, variables | ratio
    for a in used:
        log = np.log(mean[a])
        out[rows[a]] += log
        moved[rows[a]] += 8 * np.finfo(float).eps * (1 + np.abs(log))
    return y.copy(data=out), moved, variables
