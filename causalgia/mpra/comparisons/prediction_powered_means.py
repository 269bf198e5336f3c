"""Prediction-powered means of few measurements, and a test that these are a random
draw.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from scipy import special

from causalgia.errors import EstimateError
from causalgia.estimation.shared_error import df_with_shared_noise
from causalgia.numerics.moments import group_sums, satterthwaite
from causalgia.types import Array, Codes


@dataclass(frozen=True)
class PoweredMean:
    """A mean with its standard error.

    Attributes
    ----------
    mean, se, df
        Of the measured outcome over the population.
    lam
        Weight of the predictions: 0 is the classical mean.
    r
        Correlation of measurement and prediction over the measured units (clusters).
    pieces
        Independent pieces of the error, whose squares add to ``se^2``: those of the
        clusters of measured units, of all units (measured first), and of replicates, in
        this order.
    """

    mean: float
    se: float
    df: float
    lam: float
    r: float
    pieces: Array


def powered_mean(
    y: Array,
    f: Array,
    f_rest: Array,
    *,
    lam: float | None = None,
    cluster: Codes | None = None,
    cluster_rest: Codes | None = None,
) -> PoweredMean:
    """Estimate a population mean of y from n measured units and predictions for these
    and N others.

    ``mean(y) + lam (mean(f_rest) - mean(f))``. With `lam` given the variance is
    ``var(y - lam f) / n + lam^2 var(f_rest) / N`` on n - 1 degrees of freedom
    (prediction-powered inference; 1 is the original, 0 the classical mean).

    With None the weight is tuned: the slope b of y on f over the *measured* units,
    times ``N / (n + N)``. This is the power tuning of PPI++ with the variance of f from
    the same units as the covariance, and equals the regression estimator of survey
    sampling, whose variance includes the cost of tuning:
    ``s^2 (1/n + d^2 / S_ff) + b^2 var(f) / (n + N)``, s^2 over n - 2, d the gap between
    the mean prediction of all and of the measured units. (The variance of f pooled over
    all units is as good for large n. With 20 measured units, skewed effects and
    correlation .9 its intervals covered .90 and were .64 as wide as the classical ones;
    these .93 and .49.)

    Units of one cluster form one piece, the cluster's sum about the mean; no cluster is
    on both sides.

    Parameters
    ----------
    y, f
        Measurement and prediction of n units, shape ``(n,)``.
    f_rest
        Predictions of N others of the same population, shape ``(N,)``.
    lam
        Weight of the predictions; None tunes it.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. None: each is its own.
    cluster_rest
        Those of the others, shape ``(N,)``.

    Raises
    ------
    EstimateError
        With fewer than four clusters measured, or without others.

    References
    ----------
    Angelopoulos, Bates, Fannjiang, Jordan & Zrnic (2023), doi:10.1126/science.adi6000.
    Angelopoulos, Duchi & Zrnic (2023), arXiv:2311.01453. Cochran (1977), Sampling
    Techniques, chapter 7, Wiley.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> f = rng.normal(size=1_000)
    >>> y = 1 + 2 * f[:50] + rng.normal(0, 0.5, 50)
    >>> few, many = (
    ...     powered_mean(y, f[:50], f[50:], lam=0.0),
    ...     powered_mean(y, f[:50], f[50:]),
    ... )
    >>> round(few.se, 2), round(many.se, 2)
    (0.28, 0.09)
    """
    if len(f_rest) < 2:
        raise EstimateError(
            "no predictions beyond the measured units; predict more units of the same "
            "population"
        )
    e_y, e_f, e_rest = (
        cluster_deviations(y, cluster),
        cluster_deviations(f, cluster),
        cluster_deviations(f_rest, cluster_rest),
    )
    if len(e_y) < 4:
        raise EstimateError(
            f"{len(e_y)} independent measured units or parents; four are needed, and "
            "twenty are few"
        )
    n, G = len(y), len(e_y)
    S_ff, S_yy, S_yf = e_f @ e_f, e_y @ e_y, e_y @ e_f
    r = float(S_yf / np.sqrt(S_ff * S_yy)) if S_ff > 0 and S_yy > 0 else 0.0
    gap = float(f_rest.mean() - f.mean())
    if lam is not None:
        ours = (e_y - lam * e_f) / np.sqrt(G * (G - 1))
        theirs = lam * e_rest / np.sqrt(len(e_rest) * (len(e_rest) - 1.0))
        return _combine_pieces(
            float(y.mean() + lam * gap),
            ours,
            G - 1,
            np.concatenate([np.zeros(G), theirs]),
            lam,
            r,
        )
    b, share = (
        (float(S_yf / S_ff) if S_ff > 0 else 0.0),
        len(f_rest) / (n + len(f_rest)),
    )
    cost = 1 / G + ((share * gap) ** 2 / S_ff if S_ff > 0 else 0.0)
    ours = (e_y - b * e_f) * np.sqrt(cost / (G - 2))
    # the error pieces of the mean prediction over all units
    both = np.concatenate([f, f_rest])
    if cluster is None and cluster_rest is None:
        codes = None
    else:
        first = np.arange(len(f)) if cluster is None else cluster
        then = np.arange(len(f_rest)) if cluster_rest is None else cluster_rest
        codes = np.concatenate([first, then + first.max() + 1])
    e = cluster_deviations(both, codes)
    theirs = b * np.asarray(e / np.sqrt(len(e) * (len(e) - 1)))
    return _combine_pieces(
        float(y.mean() + b * share * gap), ours, G - 2, theirs, b * share, r
    )


def cluster_deviations(x: Array, cluster: Codes | None) -> Array:
    """Return each cluster's contribution to the mean of x: G / n times its sum about
    the mean, shape ``(G,)``.

    The variance of the mean is the variance of these over G.

    Examples
    --------
    >>> cluster_deviations(np.array([1.0, 3.0, 5.0, 7.0]), np.array([0, 0, 1, 1]))
    array([-2.,  2.])
    """
    e = x - x.mean()
    if cluster is None:
        return np.asarray(e)
    sums = group_sums(e, cluster)
    return np.asarray(sums * len(sums) / len(x))


def _combine_pieces(
    mean: float, ours: Array, df: int, theirs: Array, lam: float, r: float
) -> PoweredMean:
    variances = np.array([ours @ ours, theirs @ theirs])
    freedom = float(satterthwaite(variances, np.array([df, len(theirs) - 1.0])))
    return PoweredMean(
        mean,
        float(np.sqrt(variances.sum())),
        freedom,
        lam,
        r,
        np.concatenate([ours, theirs]),
    )


@dataclass(frozen=True)
class SharedNoise:
    """Variance that replicates add to a mean over units, because all units share their
    noise.

    Attributes
    ----------
    pieces
        Pieces of error whose squares add to ``between - within``, or to 0 where that is
        negative, shape ``(R,)``.
    between, within
        Variance of the mean from the spread between replicate means, and the part of it
        due to the units' own noise.
    df
        Degrees of freedom of `within`; those of `between` are R - 1.
    """

    pieces: Array
    between: float
    within: float
    df: float


def shared_noise(y: Array) -> SharedNoise:
    """Return the shared noise of replicates by two-way analysis of variance.

    Parameters
    ----------
    y
        Measurements of n units in R replicates, shape ``(n, R)``; with one replicate
        nothing is known.

    Examples
    --------
    >>> shared_noise(np.array([[1.0, 2.0], [3.0, 4.0], [2.0, 3.0]])).pieces.round(3)
    array([-0.354,  0.354])
    """
    n, R = y.shape
    if R < 2:
        return SharedNoise(np.zeros(R), 0.0, 0.0, 1.0)
    of = y.mean(axis=0) - y.mean()
    left = y - y.mean(axis=1, keepdims=True) - of
    df = (n - 1.0) * (R - 1.0)
    return excess_replicate_noise(of, float((left**2).sum() / (df * n * R)), df)


def excess_replicate_noise(shift: Array, within: float, df: float) -> SharedNoise:
    """Return the shared noise of replicates from the distances of their means.

    Parameters
    ----------
    shift
        Distance of each replicate's mean from the overall mean, shape ``(R,)``; they
        sum to 0.
    within, df
        Variance of the mean over replicates due to the units' own noise, and its
        degrees of freedom.

    Examples
    --------
    >>> excess_replicate_noise(np.array([-1.0, 1.0]), 1.5, 9.0).pieces.round(3)
    array([0., 0.])
    """
    R = len(shift)
    between = float(shift @ shift / (R * (R - 1)))
    pieces = (
        shift * np.sqrt((between - within) / (shift @ shift))
        if between > within
        else np.zeros(R)
    )
    return SharedNoise(np.asarray(pieces), between, within, df)


def add_replicate_noise(found: PoweredMean, noise: SharedNoise) -> PoweredMean:
    """Add the shared noise of replicates, with the degrees of freedom of
    `df_with_shared_noise`.

    Examples
    --------
    >>> one = PoweredMean(1.0, 3.0, 9.0, 0.0, 0.0, np.array([3.0]))
    >>> add_replicate_noise(one, SharedNoise(np.array([-4.0, 0.0]), 17.0, 1.0, 9.0)).se
    5.0
    """
    se, df = widen_standard_error(found.se, found.df, noise)
    return PoweredMean(
        found.mean,
        se,
        df,
        found.lam,
        found.r,
        np.concatenate([found.pieces, noise.pieces]),
    )


def widen_standard_error(
    se: float, df: float, noise: SharedNoise
) -> tuple[float, float]:
    """Return a standard error and its degrees of freedom including the shared noise of
    replicates.

    The degrees of freedom are those of `df_with_shared_noise`: of two or three
    replicates, the wide limits that so few call for also where they seem to share
    nothing; `df` where nothing is known of what they share.

    Examples
    --------
    >>> widen_standard_error(
    ...     3.0, 9.0, SharedNoise(np.array([-4.0, 0.0]), 17.0, 1.0, 9.0)
    ... )[0]
    5.0
    """
    if len(noise.pieces) < 2 or noise.between == 0:
        return se, df
    total = se**2 + float(noise.pieces @ noise.pieces)
    wide = df_with_shared_noise(
        se**2, df, noise.between, noise.within, noise.df, len(noise.pieces)
    )
    return float(np.sqrt(total)), float(wide)


LEAST_MEASURED, LEAST_COVERAGE, SKEW_UNITS, ALPHA = 20, 0.93, 25.0, 0.05
_COVERAGE_DRAWS = 2_000
_DRAWN_NUMBERS = 4_000_000  # in memory at a time: 32 MB


def classical_reason(
    y: Array,
    f: Array,
    f_rest: Array,
    *,
    cluster: Codes | None = None,
    cluster_rest: Codes | None = None,
) -> str:
    """Return why the classical interval is used, or an empty string where predictions
    are used.

    The error of a prediction-powered mean is that of ``y - b f``. Where it is rare or
    skewed, few measured units do not show its spread, and the interval covers less than
    the classical one. With n measured units (parents) the classical interval is used

    - with n below 20;
    - where 95 % t intervals of n *predictions*, drawn 2,000 times from those of all
      units, cover their mean less often than .93: the predictions of many units show
      how skewed the effects on few may be;
    - where n is below 25 times the squared skewness of the outcomes or of ``y - b f``,
      as of rare ones;
    - where the correlation of y and f is not significant (p above .05): such
      predictions only add noise.

    Parameters
    ----------
    y, f
        Measurement and prediction of n units, shape ``(n,)``.
    f_rest
        Predictions of N others, shape ``(N,)``.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. None: each is its own.
    cluster_rest
        Those of the others, shape ``(N,)``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> f = rng.normal(size=1_000)
    >>> classical_reason(f[:40] + rng.normal(0, 0.5, 40), f[:40], f[40:])
    ''
    >>> classical_reason((f[:40] > 1.0) * 1.0, f[:40], f[40:])[-39:]
    '40 units are fewer than 25 skew^2 = 192'
    """
    e_y, e_f = cluster_deviations(y, cluster), cluster_deviations(f, cluster)
    n, what = len(e_y), "units" if cluster is None else "parents"
    if n < LEAST_MEASURED:
        return (
            f"only {n} {what} were measured ({LEAST_MEASURED} needed to learn how "
            "predictions err)"
        )
    size = float((e_y @ e_y) * (e_f @ e_f))
    r = float(e_y @ e_f / np.sqrt(size)) if size > 0 else 0.0
    # the largest correlation of n pairs that is not significant at .05, two-sided
    t = float(special.stdtrit(n - 2, 1 - ALPHA / 2))
    bound = t / float(np.sqrt(n - 2 + t**2))
    if abs(r) <= bound:
        return (
            f"predictions do not go along with the measurements (r = {r:.2f}; up to "
            f"{bound:.2f} is chance)"
        )
    covers = _coverage_of_draws(
        np.concatenate([e_f, cluster_deviations(f_rest, cluster_rest)]), n
    )
    if covers < LEAST_COVERAGE:
        return (
            f"the predictions are rare or skewed: 95 % t intervals of {n} of them "
            f"cover their mean in {covers:.2f}"
        )
    b = e_y @ e_f / (e_f @ e_f)
    skew = max(abs(fisher_skewness(e_y)), abs(fisher_skewness(e_y - b * e_f)))
    if n < SKEW_UNITS * skew**2:
        return (
            "measured effects, or their distances from the predictions, are skewed "
            f"({skew:.1f}), and {n} {what} are fewer than 25 skew^2 = "
            f"{SKEW_UNITS * skew**2:.0f}"
        )
    return ""


def fisher_skewness(x: Array) -> float:
    """Return the sample skewness with Fisher's correction, 0 where nothing varies.

    Examples
    --------
    >>> (
    ...     round(fisher_skewness(np.array([0.0, 0.0, 0.0, 1.0])), 9),
    ...     fisher_skewness(np.ones(4)),
    ... )
    (2.0, 0.0)
    """
    n, e = len(x), x - x.mean()
    m2 = float((e**2).mean())
    if m2 <= 1e-24 * max(1.0, float((x**2).max())):
        return 0.0
    return float((e**3).mean() / m2**1.5 * np.sqrt(n * (n - 1)) / (n - 2))


def _coverage_of_draws(e: Array, n: int) -> float:
    """Return the coverage of 95 % t intervals of n values drawn from e, over 2,000
    draws.
    """
    values = np.sort(e)
    rng = np.random.default_rng(zlib.crc32(values.tobytes()))
    critical, mean, hits, done = (
        float(special.stdtrit(n - 1, 0.975)),
        float(e.mean()),
        0,
        0,
    )
    while done < _COVERAGE_DRAWS:
        block = min(max(_DRAWN_NUMBERS // n, 1), _COVERAGE_DRAWS - done)
        drawn = values[rng.integers(len(values), size=(block, n))]
        half = critical * drawn.std(axis=1, ddof=1) / np.sqrt(n)
        hits, done = (
            hits + int((np.abs(drawn.mean(axis=1) - mean) <= half).sum()),
            done + block,
        )
    return hits / _COVERAGE_DRAWS


N_DRAWS = 19_999
_ENOUGH_LARGER = 20
_MOST_PERMUTATIONS_AT_ONCE = 100
_TIE_ROUNDING = 1e-10
_NUMBERS = 10_000_000  # in memory at a time: 80 MB


@dataclass(frozen=True)
class DrawTest:
    """Result of the permutation test.

    Attributes
    ----------
    p
        Permutation p-value: a random draw has ``p <= a`` with probability at most a,
        whatever the predictions are.
    by_spread
        Whether the measured units differ in the distance of their predictions from the
        middle, not in their level.
    contrast
        Contrast in which they differ most.
    """

    p: float
    by_spread: bool
    contrast: int = 0


def random_draw_test(
    f: Array,
    f_rest: Array,
    *,
    cluster: Codes | None = None,
    cluster_rest: Codes | None = None,
) -> DrawTest:
    """Test that n measured units are a random draw of the n + N that were predicted.

    Under the null hypothesis every choice of n of the n + N units is equally likely,
    whatever the distribution of the predictions. Two scores detect selection by
    prediction: the normal score of the midrank (large or small predictions) and the
    distance of the midrank from the middle (extreme or typical ones). The statistic is
    the largest ``|mean score of the measured - mean score of all|``, in standard
    deviations, over scores and contrasts; the p-value is the share of random choices in
    which it is as large, the observed one included. Choices keep the predictions of a
    unit together, so the test has one level for all contrasts. They are drawn until
    twenty are as large, at most 19,999 (Besag & Clifford 1991); the level is exact
    either way. Ranks keep the power under long tails; with binary predictions both
    scores compare shares.

    Units of one cluster (parent) were drawn together, so clusters are permuted. Larger
    clusters have mean scores of smaller variance; to make clusters exchangeable, the
    same number of units is taken from each at random, that of the smallest.

    Parameters
    ----------
    f, f_rest
        Predictions of the n measured units and of the N others, shapes ``(n, K)`` and
        ``(N, K)`` of K contrasts, or ``(n,)`` and ``(N,)`` of one.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. None: each is its own.
    cluster_rest
        Those of the others, 0 to G - 1 anew. No cluster is on both sides.

    Returns
    -------
    DrawTest
        With p 1 where all predictions are equal.

    References
    ----------
    Besag & Clifford (1991), doi:10.1093/biomet/78.2.301. Phipson & Smyth (2010),
    doi:10.2202/1544-6115.1585.

    Examples
    --------
    >>> f = np.arange(100.0)
    >>> (
    ...     random_draw_test(f[::5], np.delete(f, np.s_[::5])).p > 0.05,
    ...     random_draw_test(f[-20:], f[:-20]).p < 0.001,
    ... )
    (True, True)
    """
    from scipy import stats

    f, f_rest = (x.reshape(len(x), -1) for x in (f, f_rest))
    # seeded by all predictions, so that the result is reproducible
    rng = np.random.default_rng(
        zlib.crc32(np.sort(np.concatenate([f, f_rest]), axis=0).tobytes())
    )
    values, sizes = _equal_clusters(f, f_rest, cluster, cluster_rest, rng)
    # normal scores of midranks within a contrast, and their distances from the middle
    columns = values.reshape(-1, values.shape[-1])
    share = stats.rankdata(columns, axis=0).reshape(values.shape) / (len(columns) + 1)
    scores = (
        np.stack([special.ndtri(share), np.abs(share - 0.5)], axis=-1)
        .mean(axis=1)
        .reshape(len(values), -1)
    )
    sd = scores.std(axis=0)
    varies = sd > _TIE_ROUNDING
    if not varies.any():
        return DrawTest(1.0, by_spread=False)
    scores = (scores - scores.mean(axis=0))[:, varies] / sd[varies]
    distance = np.abs(scores[: sizes[0]].sum(axis=0))
    contrast, by_spread = divmod(int(np.flatnonzero(varies)[distance.argmax()]), 2)
    p = _permuted_p(
        scores[np.lexsort(scores.T)], min(sizes), float(distance.max()), rng
    )
    return DrawTest(p, bool(by_spread), contrast)


def _equal_clusters(
    f: Array,
    f_rest: Array,
    cluster: Codes | None,
    cluster_rest: Codes | None,
    rng: np.random.Generator,
) -> tuple[Array, tuple[int, int]]:
    """Return predictions (cluster, unit, contrast), measured first, and the number of
    clusters of each side.
    """
    sides = [(f, cluster), (f_rest, cluster_rest)]
    codes = [np.arange(len(x)) if c is None else c for x, c in sides]
    sizes = [np.bincount(c) for c in codes]
    least = int(min(s.min() for s in sizes))
    parts = []
    for (x, _), c, size in zip(sides, codes, sizes, strict=True):
        order = (
            np.lexsort((rng.random(len(x)), c))
            if size.max() > least
            else np.argsort(c, kind="stable")
        )
        first = np.cumsum(size) - size
        parts.append(x[order][first[:, None] + np.arange(least)])
    return np.concatenate(parts), (len(parts[0]), len(parts[1]))


def _permuted_p(
    scores: Array, n: int, observed: float, rng: np.random.Generator
) -> float:
    """Return the share of random choices of n rows whose largest standardized sum is as
    far from 0.
    """
    least, larger, done = observed * (1 - _TIE_ROUNDING), 0, 0
    most = int(
        np.clip(_NUMBERS // (n * scores.shape[1]), 1, _MOST_PERMUTATIONS_AT_ONCE)
    )
    while done < N_DRAWS and larger < _ENOUGH_LARGER:
        block = min(most, N_DRAWS - done)
        chosen = np.stack(
            [
                rng.choice(len(scores), n, replace=False, shuffle=False)
                for _ in range(block)
            ]
        )
        as_large = np.abs(scores[chosen].sum(axis=1)).max(axis=1) >= least
        counts = larger + np.cumsum(as_large)
        if counts[-1] >= _ENOUGH_LARGER:
            return _ENOUGH_LARGER / (
                done + int(np.argmax(counts >= _ENOUGH_LARGER)) + 1
            )
        larger, done = int(counts[-1]), done + block
    return (larger + 1) / (done + 1)
