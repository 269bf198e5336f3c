"""Effects on few backgrounds: the share that a sample could miss, and contrasts whose ICE differ in few units only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from causalgia.errors import EstimateError, quoted
from causalgia.types import Array, Codes


def too_rare(n_differing: Codes, n_clusters: int, n_contrasts: int, *, ci_prob: float) -> npt.NDArray[np.bool_]:
    """Return whether a resample of the clusters would too often have none of those that differ.

    A resample of G clusters misses all u that differ from the common value with probability ``(1 - u / G)^G``; it then
    has no spread, and no t. Where that is more than ``(1 - ci_prob) / K``, and fewer than half of the clusters differ,
    the tail of the resampled t says nothing: for 200 contrasts at .95 and 1,000 clusters, up to 8 of them.

    Examples
    --------
    >>> too_rare(np.array([0, 7, 8, 9, 999]), 1_000, 200, ci_prob=0.95)
    array([ True,  True,  True, False, False])
    """
    missed = (1 - n_differing / n_clusters) ** n_clusters
    return np.asarray((missed > (1 - ci_prob) / n_contrasts) & (n_differing < n_clusters / 2))


def rare_p(common: Array, reach: float, n_differing: Codes, n_clusters: int, n_contrasts: int = 1) -> Array:
    """Return p of ACE = 0 where u of G clusters differ from one common ICE, made for K contrasts by Bonferroni.

    Were a share pi of the population to differ, by at most `reach`, an ACE of 0 needs ``pi >= |common| / reach``, and
    u or fewer among G have probability ``P(Bin(G, pi) <= u)``. It is 1 where the common ICE is 0, and 0 where
    it is beyond `reach`.

    Parameters
    ----------
    common
        The common ICE, shape ``(K,)``.
    reach
        The most by which an ICE that differs is taken to do so: the largest such difference seen in the family.
    n_differing
        Clusters in which any unit differs, shape ``(K,)``.
    n_clusters, n_contrasts
        Independent clusters G, and contrasts of the family.

    References
    ----------
    Hanley & Lippman-Hand (1983), doi:10.1001/jama.1983.03330370053031. Clopper & Pearson (1934),
    doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> rare_p(np.array([0.0, 0.03, 2.0]), 1.0, np.zeros(3, dtype=int), 100).round(4)
    array([1.    , 0.0476, 0.    ])
    """
    from scipy import special

    size = np.abs(common)
    share = np.divide(size, reach, out=np.where(size > 0, 1.0, 0.0), where=reach > size)
    return np.minimum(n_contrasts * special.bdtr(np.minimum(n_differing, n_clusters - 1), n_clusters, share), 1.0)


def rare_reach(reach: float, n_differing: Codes, n_clusters: int, n_contrasts: int, *, ci_prob: float) -> Array:
    """Return how far from the common ICE the ACE may lie: the dual of `rare_p`.

    `reach` times the Clopper-Pearson upper limit, at ``(1 - ci_prob) / K``, of the share that differs; without any that
    differ and for one contrast about ``reach * 3 / G``, the rule of three.

    Examples
    --------
    >>> rare_reach(1.0, np.array([0, 3]), 100, 1, ci_prob=0.95).round(4)
    array([0.0295, 0.0757])
    """
    from scipy import special

    u = np.minimum(n_differing, n_clusters - 1)
    return np.asarray(reach * special.betaincinv(u + 1, n_clusters - u, 1 - (1 - ci_prob) / n_contrasts))


def missed_share(n: float) -> float:
    """Return the share of backgrounds that n independent draws may all have missed: ``min(3 / n, 1)``.

    An effect on a share q of the backgrounds is absent from n of them with probability ``(1 - q)^n``, which is .05 at
    about ``q = 3 / n``, the rule of three.

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
        raise EstimateError(f"n={quoted(n)} backgrounds: the share that they may miss needs at least one")
    return min(3 / n, 1.0)


def missed_share_sentence(share: float) -> str:
    """Return what is said beside "negligible" and beside an effect without spread: how rare an effect may be missed.

    Parameters
    ----------
    share
        Of backgrounds, from 0 to 1: the `rare` that was promised, or `missed_share` of the number of clusters.

    Raises
    ------
    EstimateError
        If `share` is not above 0 and at most 1.

    Examples
    --------
    >>> missed_share_sentence(0.01)
    'effects on fewer than 1 % of backgrounds could be missed'
    >>> missed_share_sentence(missed_share(2_000))
    'effects on fewer than 0.15 % of backgrounds could be missed'
    """
    if not 0 < share <= 1:
        raise EstimateError(f"share={quoted(share)} of the backgrounds is not above 0 and at most 1")
    return f"effects on fewer than {100 * share:.2g} % of backgrounds could be missed".replace("1e+02", "100")
