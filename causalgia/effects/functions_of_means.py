"""Functions of the arms' means (ratios, interactions), expanded by the delta method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import sparse

from causalgia.checks import is_real
from causalgia.effects.pointwise_effects import arm_sds, control_sd, pooled_sd
from causalgia.effects.scales import (
    OF_MEANS,
    check_log2,
    check_not_log,
    on_scale,
)
from causalgia.errors import (
    ContrastError,
    Setting,
    quoted,
)
from causalgia.numerics.row_blocks import agreement
from causalgia.types import Array

if TYPE_CHECKING:
    from causalgia.effects.scales import TaskWeights

_EPS = 8 * float(np.finfo(float).eps)
Parts = tuple[Array, tuple[Array, ...], Array, tuple[Array, ...]]
"""Value, its gradient, denominator, its gradient; gradients by arm 0, B, A, AB."""


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
        """Return the weighted sums over tasks of functions that have no divisor."""
        value = over.sums(self.value, 1)
        return Expansion(
            value, over.sums(self.influence, 2), None, over.bounds(self.bound, 2)
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
    """Expand ``sum_a w_a log m_a``.

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
    return Expansion(value, _sums_over_first_axis(W, change), None, moved)


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
    """Expand ``prod_a m_a^w_a``: for one treatment and one control the ratio of their
    means, of any sign.

    The denominator is the mean that is divided by. With more than two means it is the
    mean nearest to 0 in its standard errors (of independent units), which decides
    whether all logarithms are reliable.

    Parameters
    ----------
    mean, change, bound, W
        As in `log_of_means`; negative means only where a contrast has one arm over one
        other.

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
    negative = _sums_over_first_axis(abs(W) > 0, (mean < 0).astype(float))
    value = np.exp(log.value) * np.where(negative % 2 == 1, -1.0, 1.0)
    wide = value[:, None]
    below = 1 + _sums_over_first_axis((-W).maximum(0), change)
    for k in np.flatnonzero(~is_plain(W)):
        arms = W.indices[W.indptr[k] : W.indptr[k + 1]]
        nearest = arms[(change[arms] ** 2).mean(axis=1).argmax(axis=0)]
        below[k] = 1 + np.take_along_axis(change, nearest[None, None], axis=0)[0]
    return Expansion(value, wide * log.influence, below, np.abs(wide) * log.bound)


def is_plain(W: sparse.csr_array) -> npt.NDArray[np.bool_]:
    """Return whether each contrast is one arm minus one other, shape (K,).

    Examples
    --------
    >>> is_plain(
    ...     sparse.csr_array([[-1.0, 1.0, 0.0], [-2.0, 1.0, 1.0], [1.0, -0.5, -0.5]])
    ... )
    array([ True, False, False])
    """
    two = (abs(W) > 0).sum(axis=1) == 2
    return np.asarray((abs(W).sum(axis=1) == 2) & two)  # of weights that sum to 0


def _sums_over_first_axis(W: sparse.csr_array, x: Array) -> Array:
    return np.asarray(W @ x.reshape(len(x), -1)).reshape(W.shape[0], *x.shape[1:])


def excess_over_multiplicative(none: Array, b: Array, a: Array, both: Array) -> Parts:
    """``AB - A B / 0``: 0 where effects multiply."""
    one, zero = np.ones_like(none), np.zeros_like(none)
    return (
        both - a * b / none,
        (a * b / none**2, -a / none, -b / none, one),
        none,
        (one, zero, zero, zero),
    )


def bpnet(none: Array, b: Array, a: Array, both: Array) -> Parts:
    """``(AB - (B - 0)) / A``: 1 where effects add (Avsec et al. 2021)."""
    top, one, zero = both - b + none, np.ones_like(none), np.zeros_like(none)
    return top / a, (1 / a, -1 / a, -top / a**2, 1 / a), a, (zero, zero, one, zero)


def cooperativity(none: Array, b: Array, a: Array, both: Array) -> Parts:
    """``2^AB / (2^A + 2^B - 2^0)`` of outcomes in log2: 1 where effects add before the
    log (de Almeida et al. 2022).
    """
    low, left, right = (np.exp2(x - both) for x in (none, b, a))
    below, rate = left + right - low, np.log(2.0)
    by_arm = (-rate * low, rate * left, rate * right, np.zeros_like(low))
    value = 1 / below
    gradient = (*(-g / below**2 for g in by_arm[:3]), rate * value)
    return value, gradient, below, by_arm


def bliss(none: Array, b: Array, a: Array, both: Array, *, ceiling: float) -> Parts:
    """``e_AB - e_A - e_B + e_A e_B`` of ``e = (m - m_0) / (ceiling - m_0)``: 0 where A
    and B act independently.
    """
    room = ceiling - none
    e_b, e_a, e_both = ((m - none) / room for m in (b, a, both))
    of_none = ((e_both - 1) - (e_a - 1) * (1 - e_b) - (e_b - 1) * (1 - e_a)) / room
    gradient = (of_none, -(1 - e_a) / room, -(1 - e_b) / room, 1 / room)
    zero = np.zeros_like(none)
    return (
        e_both - e_a - e_b + e_a * e_b,
        gradient,
        room,
        (-np.ones_like(none), zero, zero, zero),
    )


def of_four_means(
    y: Array,
    bound: Array,
    parts: Callable[[Array, Array, Array, Array], Parts],
    name: str,
) -> Expansion:
    """Expand a function of the means of a 2 x 2 factorial.

    Parameters
    ----------
    y, bound
        Outcomes of the arms 0, B, A and AB and bounds on their rounding, shape
        ``(4, n, ...)``.
    parts
        The function.
    name
        Its name.

    Raises
    ------
    ContrastError
        If the divisor is not positive.

    Examples
    --------
    >>> y = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 5.0], [9.0, 11.0]])
    >>> found = of_four_means(y, np.zeros((4, 2)), bpnet, "bpnet")
    >>> found.value, found.influence
    (array([2.25]), array([[ 0.3125, -0.3125]]))
    """
    mean = y[:, 0] + (y - y[:, :1]).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        value, gradient, below, below_gradient = parts(*mean)
    if not ((below > 0) & np.isfinite(value)).all():
        raise ContrastError(
            argument="scale",
            value=name,
            need=f"divides by {float(np.min(below)):.4g}, which must be positive",
            cure="use the additive interaction (``scale='identity'``)",
        )
    away = y - mean[:, None]
    slopes = np.stack(gradient)[:, None]
    moved = (
        np.abs(slopes)
        * (bound + bound.mean(axis=1, keepdims=True) + _EPS * np.abs(mean[:, None]))
    ).sum(axis=0)
    relative_below = 1 + (np.stack(below_gradient)[:, None] * away).sum(axis=0) / below
    return Expansion(
        value[None],
        (slopes * away).sum(axis=0)[None],
        relative_below[None],
        moved[None],
    )


_OF_FOUR = {
    "excess_over_multiplicative": excess_over_multiplicative,
    "bpnet": bpnet,
    "cooperativity": cooperativity,
}


def check_scale_of_means(
    scale: object,
    ceiling: float | None,
    interaction: Sequence[str] | None,
    crossover: bool,
    measured_on: str,
) -> None:
    """Raise ContrastError where a function of means is not defined for the request.

    Examples
    --------
    >>> check_scale_of_means("bpnet", None, None, True, "counts")
    Traceback (most recent call last):
    ...
    causalgia.errors.ContrastError: scale='bpnet' is an interaction of two factors; name the two in interaction=
    """
    if not isinstance(scale, str):
        raise ContrastError(
            f"scale {quoted(scale)} is not one of the scales, such as 'identity', "
            "'log' and 'ratio'"
        )
    if (scale == "bliss") != (ceiling is not None):
        raise ContrastError(
            argument="scale",
            value="bliss",
            need=(
                "and ",
                Setting("ceiling"),
                " (the largest possible outcome) go together",
            ),
            cure="give both",
        )
    if scale not in OF_MEANS:
        return
    if scale == "sd":
        pass  # of any outcome
    elif scale == "cooperativity":
        if measured_on != "outcome":
            check_log2(scale, measured_on)
    else:
        check_not_log(scale, measured_on)
    if scale == "sd" and not crossover:
        raise ContrastError(
            argument="scale",
            value="sd",
            need="needs a crossover, in which the same units give the effects and the "
            "sd of the control",
            cure=(
                "in a parallel trial use ",
                Setting("scale", "log"),
                " or 'log_of_means', or give a region in sd: ",
                Setting("rope", "0.2 sd"),
            ),
        )
    if scale in ("sd", "log_of_means", "ratio"):
        return
    if interaction is None or len(interaction) != 2 or isinstance(interaction, str):
        raise ContrastError(
            argument="scale",
            value=scale,
            need="is an interaction of two factors",
            cure="name the two in ``interaction=``",
        )
    if not crossover:
        raise ContrastError(
            argument="scale",
            value=scale,
            need="needs a crossover",
            cure=("in a parallel trial use ", Setting("scale", "log_of_means")),
        )


def expand_crossover(
    y: xr.DataArray,
    W: sparse.csr_array,
    sd_of: sparse.csr_array,
    scale: str,
    measured_on: str,
    ceiling: float | None,
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
    scale, measured_on, ceiling
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
    if scale in ("log_of_means", "ratio"):
        mean, change, moved = (
            np.stack(x) for x in zip(*map(relative, values, bound), strict=True)
        )
        _check_means(mean, W, scale, [str(a) for a in y["arm"].to_numpy()])
        found = (log_of_means if scale == "log_of_means" else ratio_of_means)(
            mean, change, moved, W
        )
        if over is not None:
            found, change, moved = (
                found.over_tasks(over),
                over.sums(change, 2),
                over.bounds(moved, 2),
            )
        spread = control_sd(list(change), list(moved), sd_of)
    elif scale == "sd":
        found, spread = _in_sd(values, bound, W, sd_of, y, over)
    else:
        arms = [str(a) for a in y["arm"].to_numpy()]
        order = [arms.index(cell) for cell in cells]
        found, spread = (
            of_four_means(
                values[order],
                bound[order],
                function_of_four_means(scale, ceiling),
                scale,
            ),
            {},
        )
    return effect_variables(found, y, OF_MEANS[scale], spread, over)


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
        raise ContrastError(
            argument="scale",
            value="sd",
            need=": the error of an sd needs three units, and there are "
            f"{values.shape[1]}",
            cure=("draw more, or use ", Setting("scale", "identity")),
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
        raise ContrastError(
            argument="scale",
            value="sd",
            need=f": task {quoted(task)} does not vary {where} in the control "
            f"({', '.join(arms)}), so its sd cannot serve as the unit",
            cure=("leave the task out, or use ", Setting("scale", "identity")),
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


def function_of_four_means(
    scale: str, ceiling: float | None
) -> Callable[[Array, Array, Array, Array], Parts]:
    """Return the function of the means of arms 0, B, A and AB for a scale."""
    if scale == "bliss":
        return partial(bliss, ceiling=_as_ceiling(ceiling))
    return _OF_FOUR[scale]


def _as_ceiling(ceiling: float | None) -> float:
    """Return the largest outcome as a float, or raise ContrastError."""
    if not is_real(ceiling) or not np.isfinite(ceiling):
        raise ContrastError(
            f"``ceiling={quoted(ceiling)}`` is not a number; give the largest outcome "
            "there can be"
        )
    return float(ceiling)


def _check_means(mean: Array, W: sparse.csr_array, scale: str, arms: list[str]) -> None:
    """Raise ContrastError for a mean of 0, or a negative one unless its contrasts are
    ratios of two means.
    """
    plain = is_plain(W) if scale == "ratio" else np.zeros(W.shape[0], dtype=bool)
    strict = np.asarray(abs(W).T @ ~plain > 0)
    flat = mean.reshape(len(mean), -1)
    bad = (flat == 0) | (strict[:, None] & (flat < 0))
    for a, r in np.argwhere(bad)[:1]:
        need = "positive" if strict[a] else "other than 0"
        raise ContrastError(
            argument="scale",
            value=scale,
            need=f"needs means {need}, and arm {quoted(arms[a])} has the mean "
            f"{flat[a, r]:.4g}",
            cure=("use ", Setting("scale", "identity")),
        )


def effect_variables(
    found: Expansion,
    y: xr.DataArray,
    null: float,
    spread: dict[str, Array],
    over: TaskWeights | None = None,
) -> dict[str, Any]:
    """Return the variables of effects for an expansion; of outcomes
    ``y (unit, arm, ...)`` only labels are used.
    """
    others = y.dims[2:]
    constant, one = constant_and_value(found, null)
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
    columns = {"constant": constant, "zero": constant & (one == 0), **spread}
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
        its rounding, of the shape of `y`; and for the ratio ``ratio (contrast, ...)``.
    """
    values, bound = (
        y.to_numpy().astype(np.float64),
        on_scale(y, "identity", measured_on)[1],
    )
    used = np.unique(W.indices)
    empty = [arms[a] for a in used if not len(rows[a])]
    if empty:
        raise ContrastError(
            argument="scale",
            value=scale,
            need=f": no unit was given arm {quoted(empty[0])}, so it has no mean",
            cure="leave it out",
        )
    used = np.array([a for a in np.union1d(used, sd_of.indices) if len(rows[a])])
    mean = np.ones((len(arms), *values.shape[1:]))
    out, moved = np.zeros_like(values), np.zeros_like(values)
    for a in used:
        mean[a], change, within = relative(values[rows[a]], bound[rows[a]])
        out[rows[a]], moved[rows[a]] = change, within
    _check_means(mean, W, scale, list(arms))
    nothing = np.zeros((len(arms), 1, *mean.shape[1:]))
    if scale == "ratio":
        value = ratio_of_means(mean, nothing, nothing, W).value
        bound = np.stack([moved[i].max(axis=0, initial=0.0) for i in rows]).reshape(
            len(arms), -1
        )
        value = np.where(
            np.abs(value - 1) <= (abs(W) @ bound).reshape(value.shape), 1.0, value
        )
        return (
            y.copy(data=out + 1),
            moved,
            {"ratio": (("contrast", *y.dims[1:]), value)},
        )
    for a in used:
        log = np.log(mean[a])
        out[rows[a]] += log
        moved[rows[a]] += 8 * np.finfo(float).eps * (1 + np.abs(log))
    return y.copy(data=out), moved, {}
