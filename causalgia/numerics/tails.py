"""Logarithms of p-values: the tails of t and the normal far beyond the least float."""

from __future__ import annotations

import numpy as np

from causalgia.types import Array

_FAR = -650.0
_LARGEST = 1e150  # its square is a float still


def log_p(ace: Array, se: Array, df: Array) -> Array:
    """Return the natural logarithm of the two-sided p of ACE = 0, also where p itself is below the least float.

    Where `se` is 0 it is 0 for an ACE of 0, else the lowest float, in the place of minus infinity.

    Parameters
    ----------
    ace, se, df
        Average causal effect, its standard error and degrees of freedom (``inf`` is normal), of one shape.

    Returns
    -------
    array
        Of the shape of `ace`.

    Examples
    --------
    >>> log_p(np.array([1.0, 50.0]), np.array([0.5, 1.0]), np.array([9.0, np.inf])).round(4)
    array([   -2.5698, -1254.1382])
    """
    from scipy import special

    ace, se, df = np.broadcast_arrays(ace, se, df)
    exact = (se == 0).ravel()
    with np.errstate(over="ignore"):
        t = np.minimum(np.abs(ace).ravel() / np.where(exact, 1.0, se.ravel()), _LARGEST)
    freedom = df.ravel()
    normal, student = ~exact & np.isinf(freedom), ~exact & np.isfinite(freedom)
    out = np.where(t == 0, 0.0, np.finfo(np.float64).min)
    out[normal] = np.log(2) + special.log_ndtr(-t[normal])
    out[student] = np.log(2) + log_sf_t(t[student], freedom[student])
    return np.asarray(np.minimum(out, 0.0).reshape(ace.shape))


def log_sf_t(t: Array, df: Array) -> Array:
    """Return log P(T > t), also where the probability itself is below the least float.

    Far out, ``P = f(t) R(t)``, and Mills' ratio R is an integral of the density's decay beyond t by Gauss-Laguerre
    (many degrees of freedom), or the hypergeometric series of the incomplete beta function (t^2 > df).

    Parameters
    ----------
    t, df
        Statistics (not negative) and finite degrees of freedom, shape ``(K,)``.

    Examples
    --------
    >>> log_sf_t(np.array([1.0, 1e40]), np.array([4.0, 9.0])).round(4)
    array([  -1.6769, -821.0884])
    """
    from scipy import special

    with np.errstate(divide="ignore", under="ignore"):
        out = np.log(special.stdtr(df, -t))
    polynomial = (out < _FAR) & (t > np.sqrt(df))
    exponential = (out < _FAR) & ~polynomial
    out[polynomial] = _log_sf_series(t[polynomial], df[polynomial])
    out[exponential] = _log_sf_mills(t[exponential], df[exponential])
    return np.asarray(out)


def density_ratio_at_0(df: Array) -> Array:
    """Return the density of t at 0 over that of the normal, ``sqrt(2/df) Gamma((df+1)/2) / Gamma(df/2)``, (K,).

    Examples
    --------
    >>> density_ratio_at_0(np.array([1.0, 1e6])).round(6)
    array([0.797885, 1.      ])
    """
    from scipy import special

    half = df / 2
    exact = special.gammaln(half + 0.5) - special.gammaln(half) - 0.5 * np.log(half)
    series = -1 / (8 * half) + 1 / (192 * half**3) - 1 / (640 * half**5)  # of the same, from half = 50 to rounding
    return np.asarray(np.exp(np.where(half > 50, series, exact)))


def _log_sf_series(t: Array, df: Array) -> Array:
    from scipy import special

    a, log_x = df / 2, -np.logaddexp(0, 2 * np.log(t) - np.log(df))
    x = np.exp(log_x)
    beta = special.gammaln(a) + 0.5 * np.log(np.pi) - special.gammaln(a + 0.5)
    series = np.log(special.hyp2f1(a + 0.5, 1.0, a + 1.0, x))
    return np.asarray(a * log_x + 0.5 * np.log1p(-x) - np.log(a) - beta - np.log(2) + series)


def _log_sf_mills(t: Array, df: Array) -> Array:
    from scipy import special

    nodes, weights = special.roots_laguerre(40)
    square = df + t**2
    y = nodes[:, None] * square / ((df + 1) * t)
    decay = (df + 1) / 2 * np.log1p((2 * t * y + y**2) / square)
    mills = (weights[:, None] * np.exp(nodes[:, None] - decay)).sum(axis=0) * square / ((df + 1) * t)
    log_density = np.log(density_ratio_at_0(df)) - 0.5 * np.log(2 * np.pi) - (df + 1) / 2 * np.log1p(t**2 / df)
    return np.asarray(log_density + np.log(mills))
