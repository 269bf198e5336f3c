"""Exact power of t tests, equivalence tests and verdicts, and sample sizes: functions
of arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from causalgia.checks import as_ci_prob, is_real
from causalgia.errors import EstimateError, quoted
from causalgia.numerics.moments import NORMAL, t_quantile, untransformed
from causalgia.types import Array

#: independent contributions from which Hall's interval is hardly wider than Student's
MANY = 300
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_OF_SKEWNESS = tuple(x.tolist() for x in np.polynomial.legendre.leggauss(4))
_DOUBLINGS = 200
_BISECTIONS = 120
_OF_A_CRITICAL = 30


def rejection_probability(
    true_effect: npt.ArrayLike,
    se: npt.ArrayLike,
    df: npt.ArrayLike,
    *,
    level: float | Array,
) -> Array:
    """Return the exact power of the two-sided t test of no effect, including both tails
    of the noncentral t, for levels of any size, which may be an array.

    Paired: ``se = sd / sqrt(n)``, ``df = n - 1``. Two arms:
    ``se = sd sqrt(1/n1 + 1/n0)``, ``df = n1 + n0 - 2``. Clusters:
    ``se = sd sqrt(design_effect / n)``, ``df = G - 1``. Normal: ``df = inf``. Where se is
    0 the power is 1 for an effect and 0 for none.

    References
    ----------
    Cohen (1988), doi:10.4324/9780203771587. Johnson & Welch (1940),
    doi:10.1093/biomet/31.3-4.362.

    Examples
    --------
    >>> rejection_probability(0.0, 1.0, np.inf, level=np.array([0.2, 0.95])).round(6)
    array([0.8 , 0.05])
    """
    true_effect, se, df = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (true_effect, se, df))
    )
    critical = t_quantile(df, 1 - (1 - level) / 2)
    power = _noncentral_t_tail(critical, df, _noncentrality(true_effect, se))
    return np.asarray(
        power + _noncentral_t_tail(critical, df, _noncentrality(-true_effect, se))
    )[()]


def verdict_chances(
    center: npt.ArrayLike,
    spread: npt.ArrayLike,
    se: npt.ArrayLike,
    df: npt.ArrayLike,
    ends: tuple[Array, Array],
    *,
    ci_prob: float,
    n_rows: npt.ArrayLike,
    n: npt.ArrayLike,
) -> Array:
    r"""Return the probability of any verdict: increases, decreases or negligible.

    Verdicts are those of `causalgia.decide` on one effect among `n_rows`: its interval
    at `ci_prob` lies above, below or inside the region of these `ends` (equal for a
    direction alone), and its q allows it although no other row has a verdict of its
    kind. The estimate is ``N(center, spread^2)`` with estimated standard error
    ``se sqrt(chi2_df / df)``; spread = se for a known true effect, and is larger for an
    uncertain one. With n independent contributions to a mean decisions take the union
    of the t interval and Hall's, which is wider; infinite: the t interval alone.

    Notes
    -----
    With :math:`\alpha = 1 - ci\_prob` and K rows, the interval needs a one-sided p of
    at most :math:`\alpha / 2` at the nearest end. The first step of
    Benjamini-Hochberg's needs :math:`\alpha / K`: for a negligible of the larger of
    the two one-sided p, for a direction of the sum of its p against both ends, which is
    twice one of them where a direction alone is asked for.

    Contributions are taken as normal. Their sample skewness :math:`g_1` is then
    independent of mean and sd, with mean 0 and
    variance :math:`6 (n - 2) / ((n + 1) (n + 3))`; the probability is averaged over it,
    as normal, since Hall's interval depends on :math:`g_1 / \sqrt n`.

    References
    ----------
    Schuirmann (1987), doi:10.1007/BF01068419. Benjamini & Hochberg (1995),
    doi:10.1111/j.2517-6161.1995.tb02031.x. Hall (1992),
    doi:10.1111/j.2517-6161.1992.tb01872.x. Cramer (1946), Mathematical Methods of
    Statistics, section 29.3: the moments of the sample skewness.

    Examples
    --------
    >>> ends = np.array([-0.2, 0.0]), np.array([0.2, 0.0])
    >>> verdict_chances(
    ...     0.4, 0.1, 0.1, 99, ends, ci_prob=0.95, n_rows=1, n=np.inf
    ... ).round(4)
    array([0.5082, 0.9773])
    """
    given = (center, spread, se, df, *ends, n_rows, n)
    arrays = (np.asarray(x, dtype=np.float64) for x in given)
    center, spread, se, df, low, high, rows, n = np.broadcast_arrays(*arrays)
    own, alone = t_quantile(df, (1 + ci_prob) / 2), (1 - ci_prob) / rows
    to_direction = np.maximum(own, _direction_critical(alone, df, se, high - low))
    to_negligible = np.maximum(own, t_quantile(df, 1 - alone))
    ratio = np.divide(se, spread, out=np.ones_like(se), where=spread > 0)
    above, below = (
        _noncentrality(center - high, spread),
        _noncentrality(low - center, spread),
    )
    chance = np.zeros_like(se)
    for a, weight in _hall_coefficients(n):
        to_lower, to_upper = _reach(to_direction, a)
        beyond = _noncentral_t_tail(to_lower * ratio, df, above)
        beyond = beyond + _noncentral_t_tail(to_upper * ratio, df, below)
        inside = _inside_probability(
            center, spread, se, df, (low, high), _reach(to_negligible, a)
        )
        chance = chance + weight * (beyond + inside)
    return np.asarray(chance)[()]


def _reach(critical: Array, a: Array) -> tuple[Array, Array]:
    """Return the standard errors from the estimate to the lower and to the upper limit
    of the union with Hall's interval.
    """
    return (
        np.maximum(critical, untransformed(critical, a)),
        np.maximum(critical, -untransformed(-critical, a)),
    )


def _direction_critical(alone: Array, df: Array, se: Array, width: Array) -> Array:
    """Return the t from the nearest end at which the one-sided p against both ends of a
    region add up to `alone`, by bisection.
    """
    apart = np.divide(width, se, out=np.full_like(se, np.inf), where=se > 0)
    apart = np.where(width > 0, apart, 0.0)
    low, high = t_quantile(df, 1 - alone), t_quantile(df, 1 - alone / 2)
    for _ in range(_OF_A_CRITICAL):
        middle = (low + high) / 2
        both = special.stdtr(df, -middle) + special.stdtr(df, -middle - apart)
        low, high = (
            np.where(both > alone, middle, low),
            np.where(both > alone, high, middle),
        )
    return high


def _hall_coefficients(n: Array) -> list[tuple[Array, float]]:
    """Return nodes and weights of Hall's coefficient of n normal contributions; 0 where
    they are so many that it changes no probability by .003.
    """
    few = (n > 2) & (n < MANY)
    if not few.any():
        return [(np.zeros_like(n), 1.0)]
    k = np.where(few, n, 3.0)
    sd = np.where(few, np.sqrt(6 * (k - 2) / ((k + 1) * (k + 3)) / k), 0.0)
    sides = [
        (side, x, w) for side in (-1, 1) for x, w in zip(*_OF_SKEWNESS, strict=True)
    ]
    return [
        (side * sd * float(special.ndtri(0.75 + x / 4)), w / 4) for side, x, w in sides
    ]


def _inside_probability(
    center: Array,
    spread: Array,
    se: Array,
    df: Array,
    rope: tuple[Array, Array],
    reach: tuple[Array, Array],
) -> Array:
    """Return the probability that an interval lies inside a region, integrated over the
    estimated standard error; `reach` are the standard errors from the estimate to the
    lower and to the upper limit.
    """
    low, high = rope
    size = np.where(spread > 0, spread, 1.0)
    both = (reach[0] + reach[1]) * se
    top = np.divide(high - low, both, out=np.full_like(se, np.inf), where=se > 0)
    df_, normal = np.minimum(df, NORMAL), df > NORMAL
    ends = [np.sqrt(special.chdtri(df_, q) / df_) for q in (1 - 1e-13, 1e-13)]
    left, right = np.minimum(ends[0], top), np.minimum(ends[1], top)
    x = left[..., None] + (right - left)[..., None] * (_NODES + 1) / 2
    x = np.where(normal[..., None], np.minimum(1.0, top)[..., None], x)
    upper = (high - center)[..., None] - (reach[1] * se)[..., None] * x
    lower = (low - center)[..., None] + (reach[0] * se)[..., None] * x
    chance = special.ndtr(upper / size[..., None]) - special.ndtr(
        lower / size[..., None]
    )
    chance = np.where(
        spread[..., None] > 0, np.maximum(chance, 0.0), (upper >= 0) & (lower <= 0)
    )
    k = df_[..., None]
    constant = np.log(2.0) + k / 2 * np.log(k / 2) - special.gammaln(k / 2)
    # of sqrt(chi2_df / df)
    density = np.asarray(np.exp(constant + special.xlogy(k - 1, x) - k * x**2 / 2))
    integral = (right - left) / 2 * np.sum(_WEIGHTS * chance * density, axis=-1)
    found = np.where(
        normal | (se == 0), np.where(top > 1, chance[..., 0], 0.0), integral
    )
    return np.where(low < high, found, 0.0)


def _noncentrality(true_effect: Array, spread: Array) -> Array:
    """Return the effect over its spread; if that is 0, infinity for a positive effect,
    else minus infinity.
    """
    return np.where(
        spread > 0,
        np.divide(true_effect, spread, out=np.zeros_like(spread), where=spread > 0),
        np.where(true_effect > 0, np.inf, -np.inf),
    )


def _noncentral_t_tail(threshold: Array, df: Array, ncp: Array) -> Array:
    """Return P(T > threshold) of the noncentral t, exactly 0 or 1 where double
    precision allows nothing else.
    """
    reach = 40 + np.abs(threshold) * (1 + 12 / np.sqrt(df))
    sure, never = ncp > reach, ncp < -40
    normal = df > NORMAL
    plain = ~(sure | never | normal)
    safe = np.where(plain, ncp, 0.0)
    from scipy.stats import nct

    exact = np.asarray(nct.sf(threshold, np.where(normal, 1.0, df), safe))
    exact = np.where(
        normal, special.ndtr(np.where(np.isfinite(ncp), ncp, 0.0) - threshold), exact
    )
    return np.clip(np.where(sure, 1.0, np.where(never, 0.0, exact)), 0.0, 1.0)


def detectable(
    se: npt.ArrayLike, df: npt.ArrayLike, *, power: float, ci_prob: float = 0.95
) -> Array:
    """Return the effect at which the two-sided t test has this power, by bisection to
    the last digits.

    Raises
    ------
    EstimateError
        If `ci_prob` is not a number from 0.5 to below 1, or the power not between 1 - ci_prob, the
        power at no effect, and 1.

    Examples
    --------
    >>> detectable(1 / np.sqrt(20), 19, power=0.8).round(6)
    np.float64(0.660442)
    """
    level = as_ci_prob(ci_prob)
    if not 1 - level < power < 1:
        raise EstimateError(
            f"power={quoted(power)} is not between {1 - level:g} (which no effect has) "
            "and 1"
        )
    se, df = np.broadcast_arrays(
        np.asarray(se, dtype=np.float64), np.asarray(df, dtype=np.float64)
    )
    low, high = np.zeros_like(se), np.ones_like(se)
    for _ in range(_DOUBLINGS):
        short = rejection_probability(high, 1.0, df, level=level) < power
        if not short.any():
            break
        low, high = np.where(short, high, low), np.where(short, 2 * high, high)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        short = rejection_probability(middle, 1.0, df, level=level) < power
        low, high = np.where(short, middle, low), np.where(short, high, middle)
        if (high - low <= 4e-16 * high).all():
            break
    return np.asarray(high * se)[()]


#: largest number that is searched
MOST = 1e12


def least_integer(
    reaches: Callable[[Array], npt.NDArray[np.bool_]],
    start: Array,
    *,
    ratio: float = 2.0,
    most: float | Array = MOST,
) -> Array:
    """Return the smallest integer from `start` that reaches a target, for many targets
    at once; inf if none does.

    The search goes up by a ratio and bisects the last step. It is exact for a monotone
    target; for others it finds a point where the target holds over more than one step.

    Parameters
    ----------
    reaches
        Maps integers (as floats), one for each target, to whether they suffice.
    start
        First integer, one for each target.
    ratio
        Step of the search, above 1.
    most
        Largest integer to try.

    Examples
    --------
    >>> least_integer(lambda n: n**2 >= np.array([50.0, 9.0]), np.array([2.0, 2.0]))
    array([8., 3.])
    """
    high, low = start.astype(np.float64), start - 1.0
    done = reaches(high)
    while (open_ := ~done & (high < most)).any():
        low = np.where(open_, high, low)
        high = np.where(
            open_, np.minimum(np.maximum(np.ceil(high * ratio), high + 1), most), high
        )
        done = done | (open_ & reaches(high))
    while (high - low > 1).any():
        middle = np.ceil((low + high) / 2)
        enough = reaches(middle)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(done, high, np.inf)


def as_positive(value: Any, name: str) -> float:
    """Return a positive, finite number as a float.

    Examples
    --------
    >>> as_positive(0, "half_width")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: half_width=0 is not a positive number
    """
    number = is_real(value)
    if not number or not 0 < float(value) < np.inf:
        raise EstimateError(f"{name}={quoted(value)} is not a positive number")
    return float(value)


def as_variance(sd: Any, name: str) -> float:
    """Return the square of a positive, finite number.

    Examples
    --------
    >>> as_variance(2.0, "sd")
    4.0
    >>> as_variance(1e300, "sd")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: sd=1e+300 has a square beyond float64
    """
    value = as_positive(sd, name)
    if value >= np.sqrt(np.finfo(float).max):
        raise EstimateError(f"{name}={quoted(sd)} has a square beyond float64")
    return value**2
