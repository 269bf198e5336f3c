"""Informative cluster size: a test whether effects depend on the size of their cluster."""

from __future__ import annotations

import warnings

import numpy as np
import scipy
import xarray as xr

from causalgia.effects.scales import OF_MEANS
from causalgia.errors import ClusterSizeWarning
from causalgia.estimation.crossover_estimates import ice_without_rounding
from causalgia.estimation.request import Grouping, Request, caller_stacklevel, clusters
from causalgia.notes import with_notes
from causalgia.numerics.moments import centered
from causalgia.types import Array, Codes

LEVEL = 0.01
"""Level of the test, over all contrasts, tasks and predictors."""
FEWEST = 10
"""Clusters below which there is no test: too few for a rank correlation."""
_PERMUTATIONS, _SEED, _BLOCK = 999, 0, 2**22


def size_dependence(ice: Array, cluster: Codes) -> tuple[Array, float]:
    r"""Test whether the mean ICE of clusters depends on their size, in any of K contrasts.

    The statistic is the correlation :math:`r_k` of the logarithm of a cluster's size with the rank of its mean ICE. The
    p of the largest :math:`|r_k|` is its rank among 999 permutations of the sizes (with a fixed seed, and only if a
    single :math:`r_k` has p below .05 by t).

    Parameters
    ----------
    ice
        Individual causal effects, shape ``(n, ...)``.
    cluster
        Cluster of each unit, 0 to G - 1, all present, shape ``(n,)``.

    Returns
    -------
    correlation, p
        Correlation of log size and rank, shape ``(...)``, 0 where means or sizes do not vary; and p of the largest, 1
        below 10 clusters.

    Notes
    -----
    If cluster effects are independent of size and identically distributed, p is exact for any distribution of effects,
    any sizes and any dependence between contrasts. Means of large clusters vary less, which makes the test
    conservative. Its power in few clusters is low: for a slope of one sd of the cluster effects per unit of log size
    (Pareto sizes, index 1.5) it is .1 with 20 clusters, .5 with 50 and .9 with 100.

    References
    ----------
    Hoffman, Sen & Weinberg (2001), doi:10.1093/biomet/88.4.1121. Westfall & Young (1993), Resampling-Based Multiple
    Testing.

    Examples
    --------
    >>> cluster = np.repeat(np.arange(12), np.arange(1, 13))
    >>> correlation, p = size_dependence(cluster[:, None] / 10, cluster)
    >>> correlation.round(2), p
    (array([0.95]), 0.001)
    """
    from scipy.stats import rankdata  # slow to import

    sizes, means = np.bincount(cluster), centered(ice, cluster)[0]
    n_clusters, trailing = len(sizes), means.shape[1:]
    size = _standardized(np.log(sizes)[:, None])[:, 0]
    effect = _standardized(rankdata(means.reshape(n_clusters, -1), axis=0))
    correlation = size @ effect
    largest = float(np.abs(correlation).max(initial=0.0))
    p = 1.0
    if n_clusters >= FEWEST and largest > 0 and _by_t(largest, n_clusters) <= 5 * LEVEL:
        p = _by_permutation(size, effect, largest)
    return correlation.reshape(trailing), p


def _standardized(values: Array) -> Array:
    """Return each column centered, with a sum of squares of 1, or 0 where all are equal."""
    values = values - values.mean(axis=0)
    norm = np.sqrt((values**2).sum(axis=0))
    return np.asarray(values / np.where(norm > 0, norm, 1.0))


def _by_t(correlation: float, n: int) -> float:
    r2 = min(correlation**2, 1 - 1e-12)
    return float(2 * scipy.special.stdtr(n - 2, -np.sqrt(r2 * (n - 2) / (1 - r2))))


def _by_permutation(size: Array, effect: Array, largest: float) -> float:
    """Return the rank of the largest correlation among those with permuted sizes."""
    draw = np.random.default_rng(_SEED)
    permuted = draw.permuted(np.broadcast_to(size, (_PERMUTATIONS, len(size))), axis=1)
    width = max(1, _BLOCK // _PERMUTATIONS)
    most = np.zeros(_PERMUTATIONS)
    for start in range(0, effect.shape[1], width):
        most = np.maximum(most, np.abs(permuted @ effect[:, start : start + width]).max(axis=1))
    return float((1 + np.count_nonzero(most >= largest * (1 - 1e-9))) / (1 + _PERMUTATIONS))


def with_size_note(estimates: xr.Dataset, effects: xr.Dataset, request: Request) -> xr.Dataset:
    """Add a note to estimates, and warn, if the effects of a crossover depend on the size of clusters.

    Only means over units with randomly drawn clusters are tested (not ``weights="clusters"``, fixed parents or units).

    Warns
    -----
    ClusterSizeWarning
        If p of `size_dependence` is .01 or less.
    """
    groups = _drawn_clusters(effects, request)
    if groups is None or np.ptp(groups.sizes) == 0:
        return estimates
    ice = ice_without_rounding(effects)
    if request.is_crossed:
        ice = ice.mean(axis=-1)
    correlation, p = size_dependence(ice, groups.codes)
    if p > LEVEL:
        return estimates
    sentence = _size_note(effects, groups, ice, correlation)
    warnings.warn(sentence, ClusterSizeWarning, stacklevel=caller_stacklevel())
    return with_notes(estimates, sentence)


def _drawn_clusters(effects: xr.Dataset, request: Request) -> Grouping | None:
    if "ice" not in effects or effects.attrs.get("transform") in OF_MEANS or request.weights == "clusters":
        return None
    return clusters(effects, request) if request.target == "population" or request.is_crossed else None


def _size_note(effects: xr.Dataset, groups: Grouping, ice: Array, correlation: Array) -> str:
    worst = int(np.argmax(np.abs(correlation)))
    at, one = np.unravel_index(worst, correlation.shape), ice.reshape(len(ice), -1)[:, worst]
    over_units, over_clusters = float(one.mean()), float(centered(one, groups.codes)[0].mean())
    dims = [str(dim) for dim in effects["ice"].dims if dim != "unit"]
    names = [
        str(effects[dim].to_numpy()[i]) if dim in effects.coords else str(i)
        for dim, i in zip(dims, at, strict=False)
        if dim == "contrast" or effects.sizes[dim] > 1
    ]
    name = groups.name
    return (
        f"effects depend on the size of their {name} ({' in '.join(names)}: correlation of rank and log size "
        f"{float(correlation[at]):.2f}): the mean over units, {over_units:.3g}, and the mean over {name}s, "
        f"{over_clusters:.3g}, are two different estimands, and intervals of the first cover less than their nominal "
        f'level where few {name}s have most of the units; weights="clusters" estimates the second'
    )
