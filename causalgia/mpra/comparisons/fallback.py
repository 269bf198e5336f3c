"""When predictions do not sharpen a mean, and the classical interval of the measured units is given instead."""

from __future__ import annotations

import zlib

import numpy as np
from scipy import special

from causalgia.mpra.comparisons.prediction_powered_means import by_cluster
from causalgia.types import Array, Codes

LEAST_MEASURED, LEAST_DIFFERENT = 20, 10
LEAST_COVERAGE, SKEW_UNITS, ALPHA = 0.93, 25.0, 0.05
_N_DRAWS, _AT_ONCE = 2_000, 4_000_000


def classical_reason(
    y: Array, f: Array, f_rest: Array, *, cluster: Codes | None = None, cluster_rest: Codes | None = None
) -> str:
    """Return why the classical interval is given, or an empty string where the predictions are used.

    The error of a prediction-powered mean is that of ``y - b f``. Where this is rare or skewed, few measured units do
    not show its spread, and its interval covers less than the classical one of y. With n measured units (or parents),
    the classical interval is given

    - with n below 20;
    - where fewer than 10 differ from the most common outcome (binary and rare outcomes);
    - where t intervals of n *predictions*, drawn 2,000 times from those of all units, cover their mean less often than
      .93 at .95: the predictions of many units say how skewed effects on few may be;
    - where n is below 25 times the squared skewness of the outcomes or of ``y - b f``;
    - where the correlation of y and f could be chance (p above .05): predictions that do not go along with the
      measurements add noise.

    Parameters
    ----------
    y, f
        Measurement and prediction of n units, shape ``(n,)``.
    f_rest
        Predictions of N others, shape ``(N,)``.
    cluster, cluster_rest
        Cluster of each unit, 0 to G - 1; None: each is its own.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> f = rng.normal(size=1_000)
    >>> classical_reason(f[:40] + rng.normal(0, 0.5, 40), f[:40], f[40:])
    ''
    >>> classical_reason((f[:40] > 1.0) * 1.0, f[:40], f[40:])
    'only 4 of 40 measured units differ from the most common outcome (10 needed): such outcomes are too rare'
    """
    e_y, e_f = by_cluster(y, cluster), by_cluster(f, cluster)
    n, what = len(e_y), "units" if cluster is None else "parents"
    if n < LEAST_MEASURED:
        return f"only {n} {what} were measured ({LEAST_MEASURED} needed to learn how predictions err)"
    different = _n_different(y, cluster)
    if different < LEAST_DIFFERENT:
        return (
            f"only {different} of {n} measured {what} differ from the most common outcome ({LEAST_DIFFERENT} needed): "
            "such outcomes are too rare"
        )
    r = _correlation(e_y, e_f)
    bound = _chance_correlation(n)
    if abs(r) <= bound:
        return f"predictions do not go along with the measurements (r = {r:.2f}; up to {bound:.2f} is chance)"
    covers = _coverage_of_draws(np.concatenate([e_f, by_cluster(f_rest, cluster_rest)]), n)
    if covers < LEAST_COVERAGE:
        return f"the predictions are rare or skewed: 95% t intervals of {n} of them cover their mean in {covers:.2f}"
    b = e_y @ e_f / (e_f @ e_f)
    skew = max(abs(fisher_skewness(e_y)), abs(fisher_skewness(e_y - b * e_f)))
    if n < SKEW_UNITS * skew**2:
        return (
            f"measured effects, or their distances from the predictions, are skewed ({skew:.1f}), and {n} {what} are "
            f"fewer than 25 skew^2 = {SKEW_UNITS * skew**2:.0f}"
        )
    return ""


def fisher_skewness(x: Array) -> float:
    """Return the sample skewness with Fisher's correction, 0 where nothing varies.

    Examples
    --------
    >>> round(fisher_skewness(np.array([0.0, 0.0, 0.0, 1.0])), 9), fisher_skewness(np.ones(4))
    (2.0, 0.0)
    """
    n, e = len(x), x - x.mean()
    m2 = float((e**2).mean())
    if m2 <= 1e-24 * max(1.0, float((x**2).max())):
        return 0.0
    return float((e**3).mean() / m2**1.5 * np.sqrt(n * (n - 1)) / (n - 2))


def _n_different(y: Array, cluster: Codes | None) -> int:
    """Return how many units, or clusters with such units, differ from the most common outcome."""
    values, counts = np.unique(y, return_counts=True)
    differs = y != values[counts.argmax()]
    return int(differs.sum()) if cluster is None else len(np.unique(cluster[differs]))


def _correlation(e_y: Array, e_f: Array) -> float:
    size = float((e_y @ e_y) * (e_f @ e_f))
    return float(e_y @ e_f / np.sqrt(size)) if size > 0 else 0.0


def _chance_correlation(n: int) -> float:
    """Return the largest correlation of n pairs that is not significant at .05, two-sided."""
    t = float(special.stdtrit(n - 2, 1 - ALPHA / 2))
    return t / float(np.sqrt(n - 2 + t**2))


def _coverage_of_draws(e: Array, n: int) -> float:
    """Return how often the 95 % t interval of n values drawn from e covers their mean, in 2,000 draws."""
    values = np.sort(e)
    rng = np.random.default_rng(zlib.crc32(values.tobytes()))
    critical, mean, hits, done = float(special.stdtrit(n - 1, 0.975)), float(e.mean()), 0, 0
    while done < _N_DRAWS:
        block = min(max(_AT_ONCE // n, 1), _N_DRAWS - done)
        drawn = values[rng.integers(len(values), size=(block, n))]
        half = critical * drawn.std(axis=1, ddof=1) / np.sqrt(n)
        hits, done = hits + int((np.abs(drawn.mean(axis=1) - mean) <= half).sum()), done + block
    return hits / _N_DRAWS
