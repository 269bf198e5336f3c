"""Sign-flip tests of effects symmetric about 0: each contrast, and the maximum over contrasts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from causalgia.errors import EstimateError, quoted
from causalgia.multiplicity.maxima import (
    FLOAT32_SLACK,
    SLACK,
    Block,
    MaxT,
    against_maxima,
    as_ice_array,
    check_count,
    check_enough_draws,
    cluster_sums,
    column_chunks,
    descending_order,
    purpose_generator,
    rows_per_block,
    scale_columns,
)
from causalgia.streams import RNG
from causalgia.types import Array, Codes

Statistic = Literal["studentized", "mean"]
Alternative = Literal["two-sided", "greater"]

_ENUMERATED = 14


def sign_flip_max_t(
    ice: Array,
    cluster: Codes | None = None,
    *,
    statistic: Statistic = "studentized",
    alternative: Alternative = "two-sided",
    n_flips: int = 9_999,
    ci_prob: float = 0.95,
    rng: RNG | None = None,
) -> MaxT:
    """Test every mean ICE and the largest of them by flipping the signs of whole clusters.

    The test is exact where the vectors of cluster sums are jointly symmetric about 0, which skewed effects are not; it
    gives no interval. One sign flips all contrasts of a cluster together, which keeps their dependence.
    ``"studentized"`` is the t of the G cluster sums, which grows with ``|sum_g s_g S_g| / sqrt(sum_g S_g^2)``, the only
    part that a flip changes; ``"mean"`` is the mean ICE. Contrasts that are 0 throughout have p = 1.

    Parameters
    ----------
    ice
        Individual causal effects, shape ``(n, K)``.
    cluster
        Cluster of each unit, 0 to G - 1, all present, shape ``(n,)``; without it each unit is one.
    statistic
        ``"studentized"`` or ``"mean"``; with the mean, contrasts of large variance dominate the maximum.
    alternative
        ``"two-sided"`` or ``"greater"``.
    n_flips
        Flips drawn. All 2^G are enumerated instead where G is at most 14 or 2^G at most `n_flips`.
    ci_prob
        Probability at the critical value of the maximum.
    rng
        Seed, Generator or SeedSequence; not needed where all flips are enumerated.

    Returns
    -------
    MaxT
        p by counting, ties included; drawn flips in float32, the largest of each summed in float64.

    Raises
    ------
    EstimateError
        If an option is unknown, the flips are too few for `ci_prob`, ICE are not finite numbers ``(n, K)``, or
        clusters are not integer codes.
    RandomnessError
        If flips are drawn and `rng` is not a source of randomness.

    References
    ----------
    Westfall & Young (1993), Resampling-Based Multiple Testing, Wiley. Ge, Dudoit & Speed (2003),
    doi:10.1007/BF02595811. Hemerik & Goeman (2018), doi:10.1007/s11749-017-0571-1.

    Examples
    --------
    >>> ice = np.array([[1.0, 0.5], [2.0, -1.0], [1.5, 0.2], [0.5, 1.0]])
    >>> sign_flip_max_t(ice).p_step_down
    array([0.125, 0.75 ])
    """
    if statistic not in ("studentized", "mean") or alternative not in ("two-sided", "greater"):
        raise EstimateError(
            f"statistic={quoted(statistic)}, alternative={quoted(alternative)}: give 'studentized' or 'mean', and "
            "'two-sided' or 'greater'"
        )
    ice, cluster = as_ice_array(ice, cluster)
    n_clusters = len(ice) if cluster is None else int(cluster.max()) + 1
    exact = enumerates(n_clusters, n_flips)
    if not exact:
        check_enough_draws(n_flips, ci_prob, "n_flips")
    scale, sums = _scaled_cluster_sums(ice, cluster, statistic, np.float64 if exact else np.float32)
    with_sign = sums.sum(axis=1, dtype=np.float64)
    observed = np.abs(with_sign) if alternative == "two-sided" else with_sign
    sums = sums[descending_order(observed)]
    n_draws = 2**n_clusters if exact else n_flips
    size = rows_per_block(n_clusters, len(sums), n_draws)
    signs = _all_signs(n_clusters, size) if exact else _random_signs(n_clusters, n_flips, size, rng)
    blocks = _flipped_statistics(sums, signs, alternative)
    answer = against_maxima(observed, blocks, ci_prob=ci_prob, exact=exact, slack=SLACK if exact else FLOAT32_SLACK)
    return _on_statistic_scale(answer, scale, n_clusters, statistic)


def enumerates(n_clusters: int, n_flips: int) -> bool:
    """Return whether all 2^G flips are enumerated.

    Examples
    --------
    >>> enumerates(14, 9_999), enumerates(15, 9_999), enumerates(15, 40_000)
    (True, False, True)
    """
    check_count(n_flips, "n_flips")
    return n_clusters <= max(_ENUMERATED, int(np.log2(n_flips)))


def _scaled_cluster_sums(
    ice: Array, cluster: Codes | None, statistic: Statistic, dtype: npt.DTypeLike
) -> tuple[float, Block]:
    """Return the unit of the mean, and cluster sums (K, G) in that unit, or of norm 1 each where studentized."""
    n_clusters = len(ice) if cluster is None else int(cluster.max()) + 1
    sums = np.empty((ice.shape[1], n_clusters), dtype=dtype)
    peak = max(float(np.abs(ice).max(initial=0.0)), np.finfo(float).tiny)
    for chunk in column_chunks(ice):
        if statistic == "mean":
            sums[chunk] = cluster_sums(ice[:, chunk] / peak, cluster).T
        else:
            part = cluster_sums(scale_columns(ice[:, chunk])[0], cluster)
            norm = np.sqrt((part**2).sum(axis=0))
            sums[chunk] = (part / np.where(norm > 0, norm, 1.0)).T
    return peak / len(ice), sums


def _flipped_statistics(sums: Block, signs: Iterator[Block], alternative: Alternative) -> Iterator[Block]:
    from causalgia.multiplicity.maxima import refine_maxima

    for block in signs:
        drawn = sums @ block.T
        refine_maxima(drawn, sums, block, alternative == "two-sided")
        yield drawn


def _all_signs(n_clusters: int, size: int) -> Iterator[Block]:
    for start in range(0, 2**n_clusters, size):
        which = np.arange(start, min(start + size, 2**n_clusters), dtype=np.int64)[:, None]
        yield 1.0 - 2.0 * ((which >> np.arange(n_clusters)) & 1)


def _random_signs(n_clusters: int, n_flips: int, size: int, rng: RNG | None) -> Iterator[Block]:
    draw, words = purpose_generator(rng, "sign_flip"), -(-n_clusters // 64)
    for start in range(0, n_flips, size):
        packed = draw.integers(0, 2**64, size=(min(size, n_flips - start), words), dtype=np.uint64)
        signs = np.unpackbits(packed.view(np.uint8), axis=1, count=n_clusters).astype(np.float32)
        signs *= 2
        signs -= 1
        yield signs


def _on_statistic_scale(answer: MaxT, scale: float, n_clusters: int, statistic: Statistic) -> MaxT:
    def to_scale(u: Array) -> Array:
        if statistic == "mean":
            return np.asarray(u * scale)
        left = np.maximum(n_clusters - u**2, 1e-12 * n_clusters)  # all sums equal: a large, finite t
        return np.asarray(u * np.sqrt((n_clusters - 1) / left))

    maxima = to_scale(answer.maxima)
    critical = float(to_scale(np.asarray(answer.critical)))
    return replace(answer, observed=to_scale(answer.observed), critical=critical, maxima=maxima)
