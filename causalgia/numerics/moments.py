"""Numerically stable moments, norms without overflow, p-values and limits of t, and
scores of observed bases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalgia.numerics.row_blocks import (
    Rows,
    extremes,
    first_row,
    mean_from,
    row_blocks,
    sum_in_order,
)
from causalgia.types import Array, Codes, Tokens

#: degrees of freedom above which t is replaced by the normal
NORMAL = 1e7

_FAR_LOG_TAIL = -650.0  # log of a tail that stdtr may lose
_LARGEST_T = 1e150  # its square is a float still
ENOUGH = 25
"""Units per squared skewness below which a t interval covers less than its level."""


def group_sums(x: npt.NDArray[np.floating], codes: Codes) -> Array:
    """Sum rows that share a code.

    Parameters
    ----------
    x
        Values, shape ``(n, ...)``.
    codes
        The group of each row, 0 to G - 1, every group present, shape ``(n,)``.

    Returns
    -------
    array
        Shape ``(G, ...)``, on the scale of `x`.

    Examples
    --------
    >>> group_sums(np.array([1.0, 2.0, 4.0]), np.array([0, 1, 0]))
    array([5., 2.])
    """
    from scipy import sparse

    n = len(codes)
    indicator = sparse.csr_array((np.ones(n), (codes, np.arange(n))))
    sums = np.asarray(indicator @ np.asarray(x, dtype=np.float64).reshape(n, -1))
    return sums.reshape(-1, *x.shape[1:])


def centered(
    x: npt.NDArray[np.floating], codes: Codes | None = None
) -> tuple[Array, Array]:
    """Return group means and residuals, by two passes.

    Each group is first shifted by its own first row, so that an offset of 1e6 costs no
    digits and a constant group has residuals that are exactly 0. The mean of all rows
    is summed in the blocks of `row_blocks`.

    Parameters
    ----------
    x
        Values, shape ``(n, ...)``.
    codes
        The group of each row, shape ``(n,)``; without it all rows are one group.

    Returns
    -------
    means, residuals
        Shapes ``(G, ...)`` and ``(n, ...)``, in float64, on the scale of `x`.

    References
    ----------
    Chan, Golub & LeVeque (1983), doi:10.1080/00031305.1983.10483115.

    Examples
    --------
    >>> means, residuals = centered(np.array([1e6 + 1.0, 1e6 + 2.0, 1e6 + 6.0]))
    >>> means, residuals
    (array([1000003.]), array([-2., -1.,  3.]))
    """
    if codes is None:
        first = first_row(x)
        shift = mean_from(x, first)
        return first + shift, shifted_rows(x, first=first, shift=shift)
    first = np.asarray(x, dtype=np.float64)[np.unique(codes, return_index=True)[1]]
    shifted = np.asarray(x, dtype=np.float64) - first[codes]
    sizes = np.bincount(codes).reshape(-1, *[1] * (x.ndim - 1))
    means = group_sums(shifted, codes) / sizes
    shifted -= means[codes]
    return first + means, shifted


def root_sum_squares(factor: Array) -> tuple[Array, Array]:
    """Return the norm of each column and the largest share of one row in its square.

    Rows are divided by the largest before they are squared, so that nothing overflows
    or underflows.

    Parameters
    ----------
    factor
        Independent pieces of an estimate, shape ``(G, ...)``.

    Returns
    -------
    norm, share
        Shape ``(...)`` each; the share of a column of zeros is 0.

    Examples
    --------
    >>> root_sum_squares(np.array([[3e200, 0.0], [4e200, 0.0]]))
    (array([5.e+200, 0.e+000]), array([0.64, 0.  ]))
    """
    peak = np.abs(factor).max(axis=0)
    square = ((factor / np.where(peak > 0, peak, 1.0)) ** 2).sum(axis=0)
    return peak * np.sqrt(square), np.divide(
        1.0, square, out=np.zeros_like(square), where=square > 0
    )


def skewness(residuals: Array) -> Array:
    """Return ``m3 / m2^1.5`` of centered values of shape ``(n, ...)``, shape ``(...)``;
    0 where they do not vary.

    m2 and m3 are means over n of squares and cubes.

    Examples
    --------
    >>> skewness(np.array([-1.0, -1.0, 2.0])).round(4)
    np.float64(0.7071)
    """
    peak = np.abs(residuals).max(axis=0)
    z = residuals / np.where(peak > 0, peak, 1.0)
    spread = (z**2).mean(axis=0) ** 1.5
    return np.asarray(
        np.divide(
            (z**3).mean(axis=0), spread, out=np.zeros_like(spread), where=spread > 0
        )
    )[()]


def p_and_limits(
    ace: Array, se: Array, df: Array, ci_prob: float
) -> tuple[Array, Array, Array]:
    """Return the two-sided p of ACE = 0 and the limits of the t interval.

    Where `se` is 0 the interval is the point `ace`, and p is 1 if that is 0, else 0.

    Parameters
    ----------
    ace, se, df
        Average causal effect, its standard error and degrees of freedom, of one shape.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    p, lower, upper
        Of the shape of `ace`.

    Examples
    --------
    >>> p, lower, upper = p_and_limits(
    ...     np.array([1.0, 2.0]), np.array([0.5, 0.0]), np.array([9.0, 9.0]), 0.95
    ... )
    >>> p.round(4), lower.round(4), upper.round(4)
    (array([0.0766, 0.    ]), array([-0.1311,  2.    ]), array([2.1311, 2.    ]))
    """
    from scipy import special

    exact = se == 0
    with np.errstate(over="ignore"):
        t = np.abs(ace) / np.where(exact, 1.0, se)
    p = np.where(exact, np.where(ace == 0, 1.0, 0.0), 2 * special.stdtr(df, -t))
    half = special.stdtrit(df, 0.5 + ci_prob / 2) * se
    return np.minimum(p, 1.0), ace - half, ace + half


def t_quantile(df: npt.ArrayLike, probability: float | Array) -> Array:
    """Return the quantile of t, of the normal where df is infinite.

    Examples
    --------
    >>> t_quantile([9.0, np.inf], 0.975).round(4)
    array([2.2622, 1.96  ])
    """
    from scipy import special

    df = np.asarray(df, dtype=np.float64)
    normal = df > NORMAL
    return np.where(
        normal,
        special.ndtri(probability),
        special.stdtrit(np.where(normal, 1.0, df), probability),
    )


def satterthwaite(variances: Array, dfs: Array) -> Array:
    """Return the degrees of freedom of a sum of independent variance estimates.

    ``(sum_j v_j)^2 / sum_j v_j^2 / df_j``; where all are 0 the sum of the df, so that
    it is always finite.

    Parameters
    ----------
    variances
        Estimated variances, shape ``(J, ...)``, zeros allowed.
    dfs
        Their degrees of freedom, broadcast against `variances`.

    Returns
    -------
    array
        Shape ``(...)``.

    References
    ----------
    Satterthwaite (1946), doi:10.2307/3002019. Welch (1947),
    doi:10.1093/biomet/34.1-2.28.

    Examples
    --------
    >>> satterthwaite(np.array([1.0, 1.0]), np.array([4.0, 4.0]))
    np.float64(8.0)
    """
    peak = variances.max(axis=0)
    v = variances / np.where(peak > 0, peak, 1.0)
    total, spread = v.sum(axis=0), (v**2 / dfs).sum(axis=0)
    every = np.broadcast_to(dfs, v.shape).sum(axis=0, dtype=float)
    return np.asarray(
        np.divide(total**2, spread, out=np.array(every), where=spread > 0)
    )[()]


def log_p(ace: Array, se: Array, df: Array) -> Array:
    """Return the natural logarithm of the two-sided p of ACE = 0, also where p itself
    underflows.

    Where `se` is 0 it is 0 for an ACE of 0, else the lowest float instead of minus
    infinity.

    Parameters
    ----------
    ace, se, df
        Average causal effect, its standard error and degrees of freedom (``inf`` is
        normal), of one shape.

    Returns
    -------
    array
        Of the shape of `ace`.

    Examples
    --------
    >>> log_p(
    ...     np.array([1.0, 50.0]), np.array([0.5, 1.0]), np.array([9.0, np.inf])
    ... ).round(4)
    array([   -2.5698, -1254.1382])
    """
    from scipy import special

    ace, se, df = np.broadcast_arrays(ace, se, df)
    exact = (se == 0).ravel()
    with np.errstate(over="ignore"):
        t = np.minimum(
            np.abs(ace).ravel() / np.where(exact, 1.0, se.ravel()), _LARGEST_T
        )
    freedom = df.ravel()
    normal, student = ~exact & np.isinf(freedom), ~exact & np.isfinite(freedom)
    out = np.where(t == 0, 0.0, np.finfo(np.float64).min)
    out[normal] = np.log(2) + special.log_ndtr(-t[normal])
    out[student] = np.log(2) + log_sf_t(t[student], freedom[student])
    return np.asarray(np.minimum(out, 0.0).reshape(ace.shape))


def log_sf_t(t: Array, df: Array) -> Array:
    """Return log P(T > t), also where the probability itself underflows.

    Far out, ``P = f(t) R(t)``, and Mills' ratio R is an integral of the density's decay
    beyond t by Gauss-Laguerre (many degrees of freedom), or the hypergeometric series
    of the incomplete beta function (t^2 > df).

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
    polynomial = (out < _FAR_LOG_TAIL) & (t > np.sqrt(df))
    exponential = (out < _FAR_LOG_TAIL) & ~polynomial
    out[polynomial] = _log_sf_series(t[polynomial], df[polynomial])
    out[exponential] = _log_sf_mills(t[exponential], df[exponential])
    return np.asarray(out)


def density_ratio_at_0(df: Array) -> Array:
    """Return the density of t at 0 over that of the normal,
    ``sqrt(2/df) Gamma((df+1)/2) / Gamma(df/2)``, (K,).

    Examples
    --------
    >>> density_ratio_at_0(np.array([1.0, 1e6])).round(6)
    array([0.797885, 1.      ])
    """
    from scipy import special

    half = df / 2
    exact = special.gammaln(half + 0.5) - special.gammaln(half) - 0.5 * np.log(half)
    # of the same, from half = 50 to rounding
    series = -1 / (8 * half) + 1 / (192 * half**3) - 1 / (640 * half**5)
    return np.asarray(np.exp(np.where(half > 50, series, exact)))


def _log_sf_series(t: Array, df: Array) -> Array:
    from scipy import special

    a, log_x = df / 2, -np.logaddexp(0, 2 * np.log(t) - np.log(df))
    x = np.exp(log_x)
    beta = special.gammaln(a) + 0.5 * np.log(np.pi) - special.gammaln(a + 0.5)
    series = np.log(special.hyp2f1(a + 0.5, 1.0, a + 1.0, x))
    return np.asarray(
        a * log_x + 0.5 * np.log1p(-x) - np.log(a) - beta - np.log(2) + series
    )


def _log_sf_mills(t: Array, df: Array) -> Array:
    from scipy import special

    nodes, weights = special.roots_laguerre(40)
    square = df + t**2
    y = nodes[:, None] * square / ((df + 1) * t)
    decay = (df + 1) / 2 * np.log1p((2 * t * y + y**2) / square)
    mills = (
        (weights[:, None] * np.exp(nodes[:, None] - decay)).sum(axis=0)
        * square
        / ((df + 1) * t)
    )
    log_density = (
        np.log(density_ratio_at_0(df))
        - 0.5 * np.log(2 * np.pi)
        - (df + 1) / 2 * np.log1p(t**2 / df)
    )
    return np.asarray(log_density + np.log(mills))


def shifted_rows(
    rows: Rows, *, first: Array, shift: Array, scale: float = 1.0
) -> Array:
    """Return ``((row - first) - shift) * scale``, in float64.

    Examples
    --------
    >>> shifted_rows(
    ...     np.array([[5.0], [9.0]]), first=np.array([[5.0]]), shift=np.array([[2.0]])
    ... )
    array([[-2.],
           [ 2.]])
    """
    out = np.asarray(rows, dtype=np.float64) - first
    out -= shift
    if scale != 1.0:
        out *= scale
    return out


@dataclass(frozen=True)
class ColumnMoments:
    """Mean and central moments of the columns of n rows; every array but the first two
    has the shape of a row.

    Attributes
    ----------
    n
        Number of rows.
    first, shift
        First row, and the mean less it, shape ``(1, ...)``.
    peak
        Largest distance from the mean.
    squares, cubes
        Sums over rows of squares and cubes of ``(row - mean) / peak``, 0 where the peak
        is 0.
    largest
        Largest absolute value.
    """

    n: int
    first: Array
    shift: Array
    peak: Array
    squares: Array
    cubes: Array
    largest: Array

    @property
    def mean(self) -> Array:
        """Mean of each column."""
        mean: Array = (self.first + self.shift)[0]
        return mean

    @property
    def sd(self) -> Array:
        """Standard deviation of each column, over n - 1."""
        return np.asarray(self.peak * np.sqrt(self.squares / (self.n - 1)))[()]

    @property
    def skewness(self) -> Array:
        """``m3 / m2^1.5`` of each column, 0 where it does not vary."""
        spread = (self.squares / self.n) ** 1.5
        return np.asarray(
            np.divide(
                self.cubes / self.n, spread, out=np.zeros_like(spread), where=spread > 0
            )
        )[()]

    @property
    def leverage(self) -> Array:
        """Share in the sum of squares of the row farthest from the mean, 0 where a
        column does not vary.
        """
        return np.asarray(
            np.divide(
                1.0,
                self.squares,
                out=np.zeros_like(self.squares),
                where=self.squares > 0,
            )
        )[()]


def column_moments(rows: Rows) -> ColumnMoments:
    """Return mean, extremes and central moments of each column, by two passes over the
    rows.

    Rows are shifted by the first, so that an offset costs no digits and moments of a
    constant column are exactly 0, and divided by the peak before they are squared, so
    that nothing overflows.

    Parameters
    ----------
    rows
        Shape ``(n, ...)``, in memory or lazy.

    References
    ----------
    Chan, Golub & LeVeque (1983), doi:10.1080/00031305.1983.10483115.

    Examples
    --------
    >>> found = column_moments(np.array([[1.0], [2.0], [4.0], [9.0]]))
    >>> found.mean, found.sd.round(4), found.skewness.round(4)
    (array([4.]), array([3.559]), array([0.7684]))
    """
    first = first_row(rows)
    shift = mean_from(rows, first)
    least, most = extremes(rows)
    low, high = (
        shifted_rows(end[None], first=first, shift=shift)[0] for end in (least, most)
    )
    peak = np.maximum(high, -low)
    size = np.where(peak > 0, peak, 1.0)
    sums = sum_in_order(
        _power_sums(shifted_rows(block, first=first, shift=shift), size)
        for block in row_blocks(rows)
    )
    largest = np.maximum(np.asarray(most), -np.asarray(least))
    return ColumnMoments(len(rows), first, shift, peak, sums[0], sums[1], largest)


def _power_sums(away: Array, size: Array) -> Array:
    """Return sums over rows of squares and cubes of ``away / size``, shape
    ``(2, ...)``.
    """
    away /= size
    power = away * away
    squares = power.sum(axis=0)
    power *= away
    return np.stack([squares, power.sum(axis=0)])


LINEAR_BEYOND = 4.0
"""|t| beyond which Hall's transformation has slope 1: the expansion that it inverts is one about the center.
"""


def transformed(
    t: Array | float, a: Array | float, share: Array | float = 1.0
) -> Array:
    """Return Hall's transformed t, which removes the effect of skewness on t.

    ``g(t) = t + a t^2 / 3 + a^2 t^3 / 27 + a / 6`` for |t| <= 4, continued with
    slope 1. The studentized mean of n skewed observations has a long tail on the side
    of the short tail of the observations:
    ``P(t <= x) = Phi(x) + a (2 x^2 + 1) phi(x) / 6 + O(1/n)`` with
    ``a = skewness / sqrt(n)``. g is increasing and removes that term. The cubic is flat
    at ``t = -3 / a``, far beyond where the expansion holds: there it would make of a t
    of any size a small one.

    If only the share s of the variance in t is of these observations, and the rest of
    others (moderated variances), the term is ``a ((3 s - 1) x^2 + 1) phi(x) / 6``, and
    ``b = a (3 s - 1) / 2`` takes the place of a in the cubic.

    Parameters
    ----------
    t
        Studentized distances of estimates from the tested value.
    a
        Skewness of the independent contributions divided by the root of their number,
        broadcast against `t`.
    share
        s, broadcast against `t`.

    References
    ----------
    Hall (1992), doi:10.1111/j.2517-6161.1992.tb01872.x.

    Examples
    --------
    >>> transformed(np.array([-2.0, 0.0, 2.0]), np.array([0.0, 0.3, 0.3])).round(4)
    array([-2.    ,  0.05  ,  2.4767])
    >>> transformed(np.array([-20.0]), np.array([0.6])).round(2)
    array([-17.55])
    """
    # ((1 + a t / 3)^3 - 1) / a, without the cancellation for small a
    near = np.clip(t, -LINEAR_BEYOND, LINEAR_BEYOND)
    u = _bend(a, share) * near / 3
    return np.asarray(near * (1 + u + u**2 / 3) + a / 6 + (t - near))


def _bend(a: Array | float, share: Array | float) -> Array:
    """Return the coefficient of the cubic of `transformed`."""
    return np.asarray(a * ((3 * np.asarray(share) - 1) / 2))


def untransformed(x: Array, a: Array | float, share: Array | float = 1.0) -> Array:
    """Return the inverse of `transformed`: the t whose transformed value is x.

    Examples
    --------
    >>> t, a = np.array([-9.0, -1.0, 4.0]), np.array([0.7, 0.7, -0.01])
    >>> untransformed(transformed(t, a), a)
    array([-9., -1.,  4.])
    """
    x, a, b = np.broadcast_arrays(
        np.asarray(x, dtype=np.float64),
        np.asarray(a, dtype=np.float64),
        _bend(a, share),
    )
    least, most = (transformed(t, a, share) for t in (-LINEAR_BEYOND, LINEAR_BEYOND))
    y = np.clip(x, least, most) - a / 6
    still = np.abs(b) < 1e-12
    safe = np.where(still, 1.0, b)
    inner = safe * y
    small = inner > -0.5
    root = np.where(
        small,
        np.expm1(np.log1p(np.where(small, inner, 0.0)) / 3),
        np.cbrt(1 + inner) - 1,
    )
    near = np.where(still, y, 3 * root / safe)
    return np.asarray(
        np.where(
            x < least,
            x - least - LINEAR_BEYOND,
            np.where(x > most, x - most + LINEAR_BEYOND, near),
        )
    )


def observed_scores(
    score: Array, observed: Tokens, *, by_substitution: bool = False
) -> Array:
    """Return the score of the observed base at each position, (n, length, ...), from
    (n, length, 4, ...).

    Parameters
    ----------
    score
        Scores by base.
    observed
        Tokens (n, length).
    by_substitution
        Whether scores are changes by substitutions, 0 for the observed base: its own is
        then minus the mean of the three others.

    Examples
    --------
    >>> observed_scores(
    ...     np.array([[[0.5, 0.0, -0.5, 0.0]]]), np.array([[2]], np.uint8)
    ... ).tolist()
    [[-0.5]]
    >>> observed_scores(
    ...     np.array([[[-3.0, -2.0, 0.0, -1.0]]]),
    ...     np.array([[2]], np.uint8),
    ...     by_substitution=True,
    ... ).tolist()
    [[2.0]]
    """
    if by_substitution:
        lost: Array = -score.sum(axis=2) / 3
        return lost
    at = observed.astype(np.intp).reshape(*observed.shape, *[1] * (score.ndim - 2))
    taken: Array = np.take_along_axis(score, at, axis=2)[:, :, 0]
    return taken
