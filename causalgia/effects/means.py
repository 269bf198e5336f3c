"""Effects that are functions of the arms' means: their first-order expansion, unit by unit (the delta method).

``theta(m) + sum_a dtheta/dm_a (Y_u(a) - m_a)`` has the effect for its mean, and its spread over units is the effect's
sampling error: whatever is true of a mean of ICE (clusters, covariance, bootstrap) holds of it to first order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from causalgia.errors import ContrastError, quoted
from causalgia.scales import Array

_EPS = 8 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class Expansion:
    """K functions of the arms' means on n units.

    Attributes
    ----------
    value
        The functions at the means, shape ``(K, ...)``.
    influence
        Their first-order change by each unit, mean 0, shape ``(K, n, ...)``.
    denominator
        The same of what each function divides by, relative to it, plus 1, shape ``(K, n, ...)``; None where nothing
        is divided by.
    bound
        How far rounding of the outcomes moves each influence, shape ``(K, n, ...)``.
    """

    value: Array
    influence: Array
    denominator: Array | None
    bound: Array


def relative(y: Array, bound: Array) -> tuple[Array, Array, Array]:
    """Return means over units, outcomes relative to them less 1, and the bound on the rounding of these.

    Parameters
    ----------
    y, bound
        Outcomes and bounds on their rounding, shape ``(n, ...)``.

    Returns
    -------
    mean, change, bound
        Shapes ``(...)``, ``(n, ...)`` and ``(n, ...)``; where a mean may be 0 by rounding alone it is 0, and change 0.

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


def log_of_means(mean: Array, change: Array, bound: Array, W: sparse.csr_array) -> Expansion:
    """Expand ``sum_a w_a log m_a``.

    Parameters
    ----------
    mean, change, bound
        Of A arms with positive means, from `relative`, shapes ``(A, ...)``, ``(A, n, ...)`` and ``(A, n, ...)``.
    W
        Weights, shape ``(K, A)``.

    Examples
    --------
    >>> mean, change = np.array([1.0, 2.0]), np.array([[-0.5, 0.5], [0.25, -0.25]])
    >>> found = log_of_means(mean, change, np.zeros((2, 2)), sparse.csr_array([[-1.0, 1.0]]))
    >>> found.value.round(4), found.influence
    (array([0.6931]), array([[ 0.75, -0.75]]))
    """
    value = _times(W, np.log(np.abs(mean)))
    moved = _times(abs(W), bound + _EPS * (1 + np.abs(np.log(np.abs(mean))))[:, None])
    return Expansion(value, _times(W, change), None, moved)


def ratio_of_means(mean: Array, change: Array, bound: Array, W: sparse.csr_array) -> Expansion:
    """Expand ``prod_a m_a^w_a``: for one treatment and one control the ratio of their means, of any sign.

    The denominator of one mean over one other is the other; of more means it is the one of them that is nearest to 0
    in its own standard errors (of independent units), which says whether the logarithm of each is trusted.

    Parameters
    ----------
    mean, change, bound, W
        As in `log_of_means`; negative means only where a contrast has one arm over one other.

    Examples
    --------
    >>> mean, change = np.array([1.0, 2.0]), np.array([[-0.5, 0.5], [0.25, -0.25]])
    >>> found = ratio_of_means(mean, change, np.zeros((2, 2)), sparse.csr_array([[-1.0, 1.0]]))
    >>> found.value.round(4), found.influence.round(4), found.denominator
    (array([2.]), array([[ 1.5, -1.5]]), array([[0.5, 1.5]]))
    """
    log = log_of_means(mean, change, bound, W)
    negative = _times(abs(W) > 0, (mean < 0).astype(float))
    value = np.exp(log.value) * np.where(negative % 2 == 1, -1.0, 1.0)
    wide = value[:, None]
    below = 1 + _times((-W).maximum(0), change)
    for k in np.flatnonzero(~is_plain(W)):
        arms = W.indices[W.indptr[k] : W.indptr[k + 1]]
        nearest = arms[(change[arms] ** 2).mean(axis=1).argmax(axis=0)]
        below[k] = 1 + np.take_along_axis(change, nearest[None, None], axis=0)[0]
    return Expansion(value, wide * log.influence, below, np.abs(wide) * log.bound)


def is_plain(W: sparse.csr_array) -> npt.NDArray[np.bool_]:
    """Return whether each contrast is one arm minus one other, shape (K,).

    Examples
    --------
    >>> is_plain(sparse.csr_array([[-1.0, 1.0, 0.0], [-2.0, 1.0, 1.0], [1.0, -0.5, -0.5]]))
    array([ True, False, False])
    """
    two = (abs(W) > 0).sum(axis=1) == 2
    return np.asarray((abs(W).sum(axis=1) == 2) & two)  # of weights that sum to 0


def _times(W: sparse.csr_array, x: Array) -> Array:
    return np.asarray(W @ x.reshape(len(x), -1)).reshape(W.shape[0], *x.shape[1:])


Parts = tuple[Array, tuple[Array, ...], Array, tuple[Array, ...]]
"""Value, its gradient, denominator, its gradient; gradients by arm 0, B, A, AB."""


def excess_over_multiplicative(none: Array, b: Array, a: Array, both: Array) -> Parts:
    """``AB - A B / 0``: 0 where effects multiply."""
    one, zero = np.ones_like(none), np.zeros_like(none)
    return both - a * b / none, (a * b / none**2, -a / none, -b / none, one), none, (one, zero, zero, zero)


def bpnet(none: Array, b: Array, a: Array, both: Array) -> Parts:
    """``(AB - (B - 0)) / A``: 1 where effects add (Avsec et al. 2021)."""
    top, one, zero = both - b + none, np.ones_like(none), np.zeros_like(none)
    return top / a, (1 / a, -1 / a, -top / a**2, 1 / a), a, (zero, zero, one, zero)


def cooperativity(none: Array, b: Array, a: Array, both: Array) -> Parts:
    """``2^AB / (2^A + 2^B - 2^0)`` of outcomes in log2: 1 where effects add before the log (de Almeida et al. 2022)."""
    low, left, right = (np.exp2(x - both) for x in (none, b, a))
    below, rate = left + right - low, np.log(2.0)
    by_arm = (-rate * low, rate * left, rate * right, np.zeros_like(low))
    value = 1 / below
    gradient = (*(-g / below**2 for g in by_arm[:3]), rate * value)
    return value, gradient, below, by_arm


def bliss(ceiling: float) -> Callable[[Array, Array, Array, Array], Parts]:
    """``e_AB - e_A - e_B + e_A e_B`` of ``e = (m - m_0) / (ceiling - m_0)``: 0 where A and B act independently."""

    def expand(none: Array, b: Array, a: Array, both: Array) -> Parts:
        room = ceiling - none
        e_b, e_a, e_both = ((m - none) / room for m in (b, a, both))
        of_none = ((e_both - 1) - (e_a - 1) * (1 - e_b) - (e_b - 1) * (1 - e_a)) / room
        gradient = (of_none, -(1 - e_a) / room, -(1 - e_b) / room, 1 / room)
        zero = np.zeros_like(none)
        return e_both - e_a - e_b + e_a * e_b, gradient, room, (-np.ones_like(none), zero, zero, zero)

    return expand


def of_four_means(y: Array, bound: Array, parts: Callable[[Array, Array, Array, Array], Parts], name: str) -> Expansion:
    """Expand a function of the means of a 2 x 2 factorial.

    Parameters
    ----------
    y, bound
        Outcomes of the arms 0, B, A and AB and bounds on their rounding, shape ``(4, n, ...)``.
    parts
        The function.
    name
        What it is called.

    Raises
    ------
    ContrastError
        If what it divides by is not positive.

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
            f"scale={quoted(name)} divides by {float(np.min(below)):.4g}, which must be positive; use the additive "
            "interaction (scale='identity')"
        )
    away = y - mean[:, None]
    slopes = np.stack(gradient)[:, None]
    moved = (np.abs(slopes) * (bound + bound.mean(axis=1, keepdims=True) + _EPS * np.abs(mean[:, None]))).sum(axis=0)
    relative_below = 1 + (np.stack(below_gradient)[:, None] * away).sum(axis=0) / below
    return Expansion(value[None], (slopes * away).sum(axis=0)[None], relative_below[None], moved[None])
