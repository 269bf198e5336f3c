"""Bootstrap-t of the largest ``|t|``: clusters resampled with replacement, each
resample studentized.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from causalgia.errors import EstimateError, quoted
from causalgia.estimation.crossover import mean_ice
from causalgia.multiplicity.maxima import (
    Block,
    as_ice_array,
    check_enough_draws,
    column_chunks,
    largest_among,
    purpose_generator,
    quantile_of_maxima,
    rows_per_block,
    scale_columns,
)
from causalgia.numerics.moments import centered, cluster_sums
from causalgia.streams import RNG
from causalgia.types import Array, Codes

Float32: TypeAlias = npt.NDArray[np.float32]

MIN_CLUSTERS = 5
MOST_RESAMPLED = 4_096
"""Most clusters that are resampled singly; more are merged at random into this many
blocks.
"""
_NO_SPREAD = np.float32(1e-5)


@dataclass(frozen=True)
class BootstrapT:
    """Mean ICE with a simultaneous band.

    Attributes
    ----------
    critical
        The value that the largest ``|t|`` exceeds with probability ``1 - ci_prob``.
    maxima
        The largest ``|t|`` of each draw in ascending order, shape ``(B,)``.
    half_width
        Half-width of the band around each ACE, on the scale of the ICE, shape ``(K,)``.
    rare
        Whether so few clusters differ from a common ICE that the band comes from their
        number, shape ``(K,)``.
    """

    critical: float
    maxima: Array
    half_width: Array
    rare: npt.NDArray[np.bool_]


def bootstrap_t_max(
    ice: Array,
    cluster: Codes | None = None,
    *,
    n_draws: int = 9_999,
    ci_prob: float = 0.95,
    rng: RNG,
    curve: bool = False,
    scale: Codes | None = None,
) -> BootstrapT:
    r"""Return the simultaneous band of mean ICE, by the largest ``|t|`` of resampled
    clusters.

    G clusters are drawn with replacement, cluster g ``w_g`` times. With ``S_g`` the sum
    over cluster g of the ICE minus their mean, ``n_g`` its units and
    ``n* = sum_g w_g n_g``, the draw's mean is ``m* = sum_g w_g S_g / n*`` (its truth
    is 0) and its variance the CR2 of `mean_ice`, taken about ``m*``:

        ``v* = sum_g w_g (S_g - n_g m*)^2 / (1 - n_g / n*) / n*^2``,  ``t* = m* / sqrt(v*)``.

    With clusters of one size that is
    ``v* = G / (G - 1) (sum_g w_g S_g^2 - G n_1^2 m*^2) / n*^2``: two matrix products a
    block, ``w @ S`` and ``w @ S^2``; unequal sizes take a third. The distribution of
    ``t*`` includes the skewness, which the t interval ignores. All contrasts share the
    clusters and hence the df, so that no mapping is needed.

    Parameters
    ----------
    ice
        Individual causal effects, shape ``(n, K)``.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. All are present; without it
        each unit is one.
    n_draws
        Resamples.
    ci_prob
        Probability of the band. Its critical value is that of the maximum, the
        half-width of the band in standard errors.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    curve
        Whether the contrasts are positions of curves, most of which an edit may not
        reach: those at which no cluster differs are then not counted as rare for
        Bonferroni's bound (see Notes).
    scale
        Number of the scale (a task) of each contrast, shape ``(K,)``: effects that were
        not drawn are no larger than those of that scale. Without it all have one.

    Returns
    -------
    BootstrapT
        Two-sided; the error is that of `mean_ice`.

    Raises
    ------
    EstimateError
        With fewer than five clusters, whose resamples are too few and too alike, or too
        few draws for `ci_prob`; or if ICE are not finite numbers ``(n, K)``, or
        clusters are not integer codes.

    Notes
    -----
    **Many clusters.** More than 4,096 clusters are merged at random into 4,096 blocks,
    and blocks are drawn: time grows with the units, not with units times draws. The
    observed statistics remain those of the clusters. Sums over blocks have the mean,
    variance and third moment of sums over clusters, so the distribution of ``t*`` is
    that of the clusters up to terms of order 1 / 4,096, a hundredth of the error of
    9,999 draws.

    **Rare effects.** Where all but a few clusters share one ICE (`too_rare`: about 8
    for 200 contrasts), resamples often have no spread, and the tail of ``t*`` is not
    informative. Such a contrast, and one that does not vary at all, is left out of the
    maximum: its band is `rare_reach`. Single
    resamples without spread (below 1e-5 of the mean square) are not counted for that
    contrast. Where more than half of a family is rare, the others were selected by
    their number of hits, and Bonferroni's t bounds them as well.

    How large an effect that was not drawn may be is an assumption, the largest
    deviation observed in the family, on the same scale; no data can improve on it. A family of near-normal
    contrasts and one whose effect is rare and ten times their size (3 % of 100 units,
    so that 5 % of trials draw none) misses in 10 to 12 % of its 95 % bands; a family
    whose contrasts have effects of one size keeps its level. Give a contrast of another
    size a family of its own, or draw more units.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 12.5. Romano &
    Wolf (2005), doi:10.1198/016214504000000539. Cameron, Gelbach & Miller (2008),
    doi:10.1162/rest.90.3.414.

    Examples
    --------
    >>> ice = np.random.default_rng(0).exponential(size=(60, 3)) - [1.0, 1.0, 0.2]
    >>> answer = bootstrap_t_max(ice, n_draws=999, rng=1)
    >>> np.abs(ice.mean(axis=0)) > answer.half_width
    array([False, False,  True])
    """
    ice, cluster = as_ice_array(ice, cluster)
    check_enough_draws(n_draws, ci_prob, "n_draws")
    sizes = np.ones(len(ice)) if cluster is None else np.bincount(cluster).astype(float)
    if len(sizes) < MIN_CLUSTERS:
        raise EstimateError(
            f"{len(sizes)} clusters are too few to resample: {MIN_CLUSTERS} or more "
            "are needed"
        )
    observed, sums = _observed_statistics(ice, cluster, scale, len(sizes), ci_prob)
    draw = purpose_generator(rng, "bootstrap_t")
    n_clusters = len(sizes)
    if n_clusters > MOST_RESAMPLED:
        sums, sizes = _merge_clusters(sums, sizes, draw)
    size = rows_per_block(len(sizes), 2 * len(sums), n_draws)
    counts = _resampled_counts(len(sizes), n_draws, size, draw)
    blocks = (
        _t_of_equal_clusters(sums, counts)
        if np.ptp(sizes) == 0
        else _t_of_unequal_clusters(sums, sizes.astype(np.float32), counts)
    )
    critical, maxima = quantile_of_maxima(blocks, ci_prob)
    critical = max(critical, _bonferroni(observed, ci_prob, curve=curve))
    far = rare_reach(
        observed.reach,
        observed.n_differing,
        n_clusters,
        len(observed.se),
        ci_prob=ci_prob,
    ) + np.abs(observed.ace - observed.common)
    half_width = np.where(observed.rare, far, critical * observed.se)
    return BootstrapT(critical, maxima, half_width, observed.rare)


@dataclass(frozen=True)
class _Observed:
    """ACE, se, common ICE, number of clusters that differ, whether it is small; each
    (K,).
    """

    ace: Array
    se: Array
    common: Array
    n_differing: Codes
    rare: npt.NDArray[np.bool_]
    reach: Array
    df: float


def _observed_statistics(
    ice: Array,
    cluster: Codes | None,
    scale: Codes | None,
    n_clusters: int,
    ci_prob: float,
) -> tuple[_Observed, Float32]:
    """Return statistics, and sums over clusters of the ICE minus their mean, (K, G), of
    mean square 1; 0 where rare.
    """
    sums = np.empty((ice.shape[1], n_clusters), dtype=np.float32)
    ace, se, common, reach = np.empty((4, ice.shape[1]))
    n_differing = np.empty(ice.shape[1], dtype=np.intp)
    middle = len(ice) // 2
    for chunk in column_chunks(ice):
        columns, exponents = scale_columns(ice[:, chunk])
        estimate = mean_ice(columns, cluster)
        ace[chunk], se[chunk] = (
            np.ldexp(estimate.ace, exponents),
            np.ldexp(estimate.se, exponents),
        )
        median = np.partition(columns, middle, axis=0)[middle]
        away = np.abs(columns - median)
        common[chunk], reach[chunk] = (
            np.ldexp(median, exponents),
            np.ldexp(away.max(axis=0), exponents),
        )
        _, residuals = centered(columns)
        n_differing[chunk] = np.count_nonzero(cluster_sums(away, cluster), axis=0)
        part = cluster_sums(residuals, cluster)
        norm = np.sqrt((part**2).mean(axis=0))
        sums[chunk] = (part / np.where(norm > 0, norm, 1.0)).T
    reach = (
        np.full_like(reach, reach.max())
        if scale is None
        else largest_among(reach, scale)
    )
    rare = too_rare(n_differing, n_clusters, len(se), ci_prob=ci_prob) | (se == 0)
    sums[rare] = 0.0
    return _Observed(
        ace, se, common, n_differing, rare, reach, float(estimate.df[0])
    ), sums


def _bonferroni(observed: _Observed, ci_prob: float, *, curve: bool) -> float:
    """Return Bonferroni's critical value by t where most of the family is rare, else 0.

    The few contrasts that vary enough are then extremes of many, which a maximum over
    the few does not account for.
    """
    alive = observed.n_differing > 0 if curve else np.ones(len(observed.se), dtype=bool)
    k, n_rare = (
        int(np.count_nonzero(alive)),
        int(np.count_nonzero(observed.rare & alive)),
    )
    if not k / 2 < n_rare < k:
        return 0.0
    return float(-special.stdtrit(observed.df, (1 - ci_prob) / 2 / k))


def _merge_clusters(
    sums: Float32, sizes: Array, draw: np.random.Generator
) -> tuple[Float32, Array]:
    """Merge clusters at random into `MOST_RESAMPLED` blocks whose numbers of clusters
    differ by one at most.

    Returns
    -------
    sums, sizes
        Of the blocks, shapes ``(K, B)`` and ``(B,)``; the sums have mean square 1
        again, or are 0.
    """
    order = draw.permutation(len(sizes))
    starts = np.linspace(0, len(sizes), MOST_RESAMPLED, endpoint=False).astype(np.intp)
    joined = np.stack(
        [np.add.reduceat(row[order].astype(np.float64), starts) for row in sums]
    )
    norm = np.sqrt((joined**2).mean(axis=1, keepdims=True))
    scaled = (joined / np.where(norm > 0, norm, 1.0)).astype(np.float32)
    return scaled, np.add.reduceat(sizes[order], starts)


def _resampled_counts(
    n_clusters: int, n_draws: int, size: int, draw: np.random.Generator
) -> Iterator[Float32]:
    """Yield how often each cluster is drawn, shape ``(b, G)``: every row sums to G."""
    for start in range(0, n_draws, size):
        rows = min(size, n_draws - start)
        which = draw.integers(0, n_clusters, size=(rows, n_clusters), dtype=np.int32)
        which += (np.arange(rows, dtype=np.int32) * n_clusters)[:, None]
        counts = np.bincount(which.ravel(), minlength=rows * n_clusters)
        yield counts.reshape(rows, n_clusters).astype(np.float32)


def _t_of_equal_clusters(sums: Float32, draws: Iterator[Float32]) -> Iterator[Block]:
    n_clusters, squares = np.float32(sums.shape[1]), sums**2
    for counts in draws:
        total, square = sums @ counts.T, squares @ counts.T
        yield _studentized(
            total, square, square - total**2 / n_clusters, np.sqrt(1 - 1 / n_clusters)
        )


def _t_of_unequal_clusters(
    sums: Float32, sizes: Float32, draws: Iterator[Float32]
) -> Iterator[Block]:
    squares, weighted = sums**2, sums * sizes
    for counts in draws:
        units = counts @ sizes
        share = sizes / units[:, None]
        scaled = (counts / np.where(share < 1, 1 - share, 1)).astype(np.float32)
        total, square = sums @ counts.T, squares @ scaled.T
        mean = total / units
        spread = square + mean * (
            mean * (scaled @ sizes**2) - np.float32(2) * (weighted @ scaled.T)
        )
        yield _studentized(total, square, spread, np.float32(1))


def _studentized(
    total: Float32, square: Float32, spread: Float32, factor: np.float32
) -> Float32:
    """Return ``|total| / sqrt(spread) * factor``, and 0 where there is no spread;
    overwrites its arguments.
    """
    square *= _NO_SPREAD
    none = spread <= square
    spread[none] = 1
    total[none] = 0
    np.sqrt(spread, out=spread)
    np.abs(total, out=total)
    total *= np.float32(factor)
    total /= spread
    return total


def too_rare(
    n_differing: Codes, n_clusters: int, n_contrasts: int, *, ci_prob: float
) -> npt.NDArray[np.bool_]:
    """Return whether resamples would too often contain no cluster that differs from the
    common ICE.

    A resample of G clusters misses all u that differ with probability
    ``(1 - u / G)^G``; it then has no spread, and no t. Where that exceeds
    ``(1 - ci_prob) / K`` and fewer than half of the clusters differ, the tail of the
    resampled t is not informative: for 200 contrasts at .95 and 1,000 clusters, up to 8
    of them.

    Examples
    --------
    >>> too_rare(np.array([0, 7, 8, 9, 999]), 1_000, 200, ci_prob=0.95)
    array([ True,  True,  True, False, False])
    """
    missed = (1 - n_differing / n_clusters) ** n_clusters
    return np.asarray(
        (missed > (1 - ci_prob) / n_contrasts) & (n_differing < n_clusters / 2)
    )


def rare_reach(
    reach: Array | float,
    n_differing: Codes,
    n_clusters: int,
    n_contrasts: int,
    *,
    ci_prob: float,
) -> Array:
    """Return the largest distance of the ACE from the common ICE where u of G clusters
    differ from it.

    `reach` times the Clopper-Pearson upper limit, at ``(1 - ci_prob) / K``, of the
    share that differs; without any that differ and for one contrast about
    ``reach * 3 / G``, the rule of three.

    Parameters
    ----------
    reach
        Assumed bound on the deviation of an ICE: the largest deviation observed in the
        family.
    n_differing
        Clusters in which any unit differs, shape ``(K,)``.
    n_clusters, n_contrasts
        Independent clusters G, and contrasts of the family.
    ci_prob
        Probability of the band.

    References
    ----------
    Hanley & Lippman-Hand (1983), doi:10.1001/jama.1983.03330370053031. Clopper &
    Pearson (1934), doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> rare_reach(1.0, np.array([0, 3]), 100, 1, ci_prob=0.95).round(4)
    array([0.0295, 0.0757])
    """
    u = np.minimum(n_differing, n_clusters - 1)
    return np.asarray(
        reach
        * special.betaincinv(u + 1, n_clusters - u, 1 - (1 - ci_prob) / n_contrasts)
    )


def missed_share(n: float) -> float:
    """Return the share of backgrounds that n independent draws may all have missed:
    ``min(3 / n, 1)``.

    An effect on a share q of the backgrounds is absent from n of them with probability
    ``(1 - q)^n``, which is .05 at about ``q = 3 / n``, the rule of three.

    Parameters
    ----------
    n
        Independent backgrounds (clusters, where units share parents).

    Raises
    ------
    EstimateError
        If `n` is not a positive number.

    References
    ----------
    Hanley & Lippman-Hand (1983), doi:10.1001/jama.1983.03330370053031.

    Examples
    --------
    >>> missed_share(300), missed_share(2)
    (0.01, 1.0)
    """
    if not n > 0:
        raise EstimateError(
            f"n={quoted(n)} backgrounds: the share that they may miss needs at "
            "least one"
        )
    return min(3 / n, 1.0)
