"""Two populations at once: units drawn from the null model, and predictors (or words) drawn from theirs."""

from __future__ import annotations

import numpy as np

from causalgia.errors import EstimateError
from causalgia.estimation.crossover import Estimate, from_factor, mean_ice
from causalgia.estimation.variance_moderation import LEAST_VARIANCES, Moderated, moderate
from causalgia.numerics.moments import centred, group_sums, root_sum_squares, satterthwaite
from causalgia.types import Array, Codes


def crossed_mean(ice: Array, cluster: Codes | None = None, *, between: Moderated | None = None) -> Estimate:
    """Estimate the ACE over units and over M crossed levels (predictors, words), both random.

    ``se^2 = s2_u / n + s2_m / M + s2_um / (n M)`` with the components of a two-way analysis of variance (the REML ones
    of a balanced table) and Satterthwaite degrees of freedom; a component estimated below 0 is 0. With clusters of
    units the parts that come from units are CR2. With few levels the interval is approximate: with equal components
    and 30 units a 95 % one covered .925, .944 and .951 with 3, 5 and 8 levels.

    Parameters
    ----------
    ice
        Individual causal effects, shape ``(n, M, ...)``.
    cluster
        Cluster of each unit, 0 to G - 1, all present, shape ``(n,)``; without it each unit is one.
    between
        From `between_levels`: the variances between the levels' means, moderated over contrasts, to be used for the
        sample's own.

    Returns
    -------
    Estimate
        Shape ``(...)``; its factor has a row for each cluster and for each level, and where s2_u was cut off at 0 one
        for each cluster in each level. ``factor' factor`` has the stated variances on its diagonal.

    Raises
    ------
    EstimateError
        With fewer than two levels or clusters.

    References
    ----------
    Satterthwaite (1946), doi:10.2307/3002019. Judd, Westfall & Kenny (2012), doi:10.1037/a0028347.

    Examples
    --------
    >>> answer = crossed_mean(np.array([[1.0, 2.0], [3.0, 5.0], [2.0, 4.0]]))
    >>> answer.ace.round(4), answer.se.round(4), answer.df.round(4)
    (np.float64(2.8333), np.float64(1.0929), np.float64(2.294))
    """
    n_levels = ice.shape[1]
    if n_levels < 2:
        raise EstimateError("one level gives no spread between levels; two or more predictors (or words) are needed")
    first, ice = ice[0, 0], ice - ice[0, 0]
    units, levels = mean_ice(ice.mean(axis=1), cluster), mean_ice(ice.mean(axis=0))
    interaction = interaction_of(ice, cluster)
    both = np.asarray(root_sum_squares(interaction)[0] ** 2)
    own, df = levels.se**2, levels.df
    drawn, df = (own, df) if between is None else (between.variance / n_levels, np.broadcast_to(between.df, df.shape))
    more_units, more_levels = np.maximum(units.se**2 - both, 0.0), np.maximum(drawn - both, 0.0)
    counted = np.stack([more_units > 0, more_levels > 0, (more_units > 0) == (more_levels > 0)])
    parts = np.where(counted, np.stack([units.se**2, drawn, both]), 0.0)
    dfs = np.stack([units.df, df, units.df * levels.df])
    factor = [units.factor, levels.factor * _root(more_levels, own)]
    missing = np.maximum(both - units.se**2, 0.0)
    if (missing > 0).any():
        factor.append(interaction * _root(missing, both))
    return from_factor(units.ace + first, np.concatenate(factor), _df(more_units + more_levels + both, parts, dfs))


def _root(part: Array, whole: Array) -> Array:
    return np.asarray(np.sqrt(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)))


def _df(total: Array, parts: Array, dfs: Array) -> Array:
    """Satterthwaite's degrees of freedom of sums and differences of mean squares, finite where all are 0."""
    spread = (parts**2 / dfs).sum(axis=0)
    return np.asarray(np.divide(total**2, spread, out=np.array(satterthwaite(parts[:2], dfs[:2])), where=spread > 0))[
        ()
    ]


def between_levels(ice: Array) -> Moderated | None:
    """Moderate the variances between the levels over contrasts; None with fewer than three levels or contrasts.

    Few levels say little about each contrast's own variance; many contrasts say how such variances are distributed,
    and less so where the same levels are high in all of them: that correlation is estimated and allowed for. 95 %
    intervals for 60 contrasts of 3 predictors covered .90 to .95 where unmoderated ones covered .92 to .95, at
    two thirds of their width where contrasts are independent.

    Parameters
    ----------
    ice
        Individual causal effects, shape ``(n, M, K, ...)``.

    References
    ----------
    Smyth (2004), doi:10.2202/1544-6115.1027.

    Examples
    --------
    >>> ice = np.random.default_rng(0).normal(size=(9, 3, 200)) + np.random.default_rng(1).normal(size=(3, 200))
    >>> between_levels(ice).prior_df > 10
    np.True_
    """
    n_levels = ice.shape[1]
    if ice.ndim < 3 or ice.shape[2] < LEAST_VARIANCES or n_levels < 3:
        return None
    means = centred((ice - ice[0, 0]).mean(axis=0))[1]
    size = root_sum_squares(means)[0]
    rho = _dependence(np.divide(means, size, out=np.zeros_like(means), where=size > 0))
    return moderate(size**2 / (n_levels - 1), n_levels - 1.0, dependence=rho)


def _dependence(z: Array) -> Array:
    """Mean squared correlation of two contrasts over the levels, without what M levels give by chance, shape (...).

    Of unit columns z of shape ``(M, K, ...)``; the sum over all pairs is ``|z z'|^2``, which needs no K by K matrix.
    """
    n_levels, n = len(z), np.maximum((z != 0).any(axis=0).sum(axis=0), 2)
    square = (np.einsum("mk...,lk...->ml...", z, z) ** 2).sum(axis=(0, 1))
    chance = 1 / (n_levels - 1)
    return np.asarray(np.clip(((square - n) / (n * (n - 1)) - chance) / (1 - chance), 0.0, 1.0))


def interaction_of(ice: Array, cluster: Codes | None) -> Array:
    """Influence of each cluster in each level, shape ``(G M, ...)``, CR2; its squares sum to s2_um / (n M)."""
    n, n_levels = ice.shape[:2]
    codes = np.arange(n) if cluster is None else cluster
    by_unit = ice - ice.mean(axis=1, keepdims=True)
    scale = (1 - np.bincount(codes) / n) ** -0.5 / n / np.sqrt(n_levels * (n_levels - 1))
    sums = group_sums(centred(by_unit)[1], codes) * scale.reshape(-1, *[1] * (ice.ndim - 1))
    return np.asarray(sums.reshape(-1, *ice.shape[2:]))
