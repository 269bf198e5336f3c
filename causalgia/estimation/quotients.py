"""Functions of estimated means as arrays: the delta method, and Fieller's limits where a denominator may be 0."""

from __future__ import annotations

import numpy as np
from scipy import special

from causalgia.numerics.moments import p_and_limits
from causalgia.types import Array, Mask


def delta_method(gradient: Array, covariance: Array) -> Array:
    """Return the standard error of a smooth function of estimates, ``sqrt(g' V g)``.

    Parameters
    ----------
    gradient
        Derivatives of the function by each of A estimates, at the estimates, shape ``(A, ...)``.
    covariance
        Their covariance V, shape ``(A, A, ...)``.

    Returns
    -------
    array
        Shape ``(...)``, on the scale of the function.

    References
    ----------
    Oehlert (1992), doi:10.2307/2684406.

    Examples
    --------
    >>> delta_method(np.array([1 / 2.0, -1 / 4.0]), np.diag([0.04, 0.16])).round(6)  # log(2) - log(4)
    np.float64(0.141421)
    """
    variance = np.einsum("a...,ab...,b...->...", gradient, covariance, gradient)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))[()]


def fieller(
    numerator: Array, denominator: Array, variances: tuple[Array, Array, Array], df: Array, ci_prob: float | Array
) -> tuple[Array, Array, Mask]:
    """Return Fieller's limits of a ratio of two means, exact for normal means whatever the denominator.

    The ratios theta that the t test of ``numerator - theta denominator = 0`` does not reject. Where the denominator
    itself is not significant, ``g = t^2 v_dd / d^2 >= 1``, they reach to infinity on one side or both, and the interval
    given is the whole line.

    Parameters
    ----------
    numerator, denominator
        Estimated means, shape ``(...)``.
    variances
        Variance of the numerator, covariance, variance of the denominator, shape ``(...)`` each.
    df
        Degrees of freedom, shape ``(...)``.
    ci_prob
        Probability of the set, broadcast against the means.

    Returns
    -------
    lower, upper, unbounded
        Shape ``(...)`` each.

    References
    ----------
    Fieller (1954), doi:10.1111/j.2517-6161.1954.tb00159.x.

    Examples
    --------
    >>> lower, upper, unbounded = fieller(
    ...     np.array([2.0, 2.0]), np.array([1.0, 0.1]), (np.full(2, 0.04), np.zeros(2), np.full(2, 0.01)), 20.0, 0.95
    ... )
    >>> lower.round(4), upper.round(4), unbounded
    (array([1.4809,   -inf]), array([2.7011,    inf]), array([False,  True]))
    """
    v_nn, v_nd, v_dd = variances
    t2 = special.stdtrit(df, 0.5 + np.asarray(ci_prob) / 2) ** 2
    a, b, c = denominator**2 - t2 * v_dd, numerator * denominator - t2 * v_nd, numerator**2 - t2 * v_nn
    unbounded = np.asarray(a <= 0)
    root, size = np.sqrt(np.maximum(b**2 - a * c, 0.0)), np.where(unbounded, 1.0, a)
    return np.where(unbounded, -np.inf, (b - root) / size), np.where(unbounded, np.inf, (b + root) / size), unbounded


def p_of_ratio(
    numerator: Array, denominator: Array, variances: tuple[Array, Array, Array], df: Array, null: float = 1.0
) -> Array:
    """Return the two-sided p of ``numerator = null * denominator``, which belongs to `fieller`'s limits.

    Parameters
    ----------
    numerator, denominator, variances, df
        As in `fieller`.
    null
        The ratio that is tested.

    Examples
    --------
    >>> v = (np.array(0.04), np.array(0.0), np.array(0.01))
    >>> p_of_ratio(np.array(2.0), np.array(1.0), v, np.array(20.0)).round(5)
    np.float64(0.00023)
    """
    v_nn, v_nd, v_dd = variances
    gap, spread = numerator - null * denominator, v_nn - 2 * null * v_nd + null**2 * v_dd
    return p_and_limits(gap, np.sqrt(np.maximum(spread, 0.0)), df, 0.5)[0][()]
