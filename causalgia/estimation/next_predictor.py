"""Predictive intervals for the effect in one more predictor from the same population."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import scipy
import xarray as xr

from causalgia.errors import EstimateError, quoted
from causalgia.estimation.crossover import Estimate, from_factor, interaction_influence, mean_ice, sqrt_ratio
from causalgia.estimation.variance_moderation import Moderated
from causalgia.numerics.moments import root_sum_squares
from causalgia.types import Array, Codes

NEXT = "next predictor"
_LOW, _HIGH, _MOST_DF = 0.95, 0.9995, 1e9


def next_level(ice: Array, cluster: Codes | None = None, *, between: Moderated | None = None) -> Estimate:
    """Predict the ACE of one more level (a predictor) from J exchangeable ones.

    The interval is ``mean +- sqrt(t_{J-1}^2 s_b^2 (1 + 1/J) + t_{G-1}^2 b)``, with ``s_b^2`` the variance between the
    ACEs of the levels and ``b`` the variance of the units that they share. ``se`` and ``df`` are those of the t
    interval that is as wide at 90 % and at 99.9 %, and no narrower between.

    Parameters
    ----------
    ice
        Individual causal effects, shape ``(n, J, ...)``.
    cluster
        Cluster of each unit, 0 to G - 1, all present, shape ``(n,)``; without it each unit is one.
    between
        From `causalgia.estimation.crossover.between_levels`: moderated variances between the levels' means, used
        instead of the sample's own. The interval then holds on average over contrasts, and covers less where the levels
        differ most.

    Returns
    -------
    Estimate
        Shape ``(...)``: the mean, and as ``se`` and ``df`` scale and degrees of freedom of the t distribution of the
        prediction error. ``factor' factor`` has ``se^2`` on its diagonal.

    Raises
    ------
    EstimateError
        With fewer than two levels or clusters.

    Notes
    -----
    With ``ice_um = d + g_m + a_u + e_um`` the ACE of the next level is ``d + g_{J+1}``. The mean over J levels misses
    it by ``g_{J+1} - mean(g) - mean(a) - mean(e)``, whose variance is ``s2_m (1 + 1/J) + s2_a / n + s2_e / (nJ)``.
    Because ``E[s_b^2] = s2_m + s2_e / n`` this is ``(1 + 1/J) E[s_b^2] + b`` with ``b = (s2_a - s2_e) / n``, set to 0
    if negative.

    Without ``b`` the interval is exact (normal levels) for the ACE of the next level over *these* units, and it is
    nearly exact where one term is far above the other. Between, the root of the sum of two squared half widths exceeds
    a coverage of 90 % by at most .058, .035, .025, .019 with J = 2, 3, 4, 5; Satterthwaite's t is too narrow (J = 2:
    .83 at 90 %, .92 at 99 %). Where s2_e is above s2_a the interval is too wide as well.

    J = 2 has one degree of freedom: the interval is 12.7 standard errors at 95 %. If the J levels agree exactly the
    interval is that of the shared units, a point if these do not vary.

    References
    ----------
    Geisser (1993), Predictive Inference, doi:10.1201/9780203742310. Zou & Donner (2008), doi:10.1002/sim.3095: the
    half width of a sum from those of its parts.

    Examples
    --------
    >>> answer = next_level(np.array([[1.0, 2.0], [3.0, 5.0], [2.0, 4.0]]))
    >>> answer.ace.round(4), answer.se.round(4), answer.df.round(4)
    (np.float64(2.8333), np.float64(1.4881), np.float64(1.0049))
    """
    n_levels = ice.shape[1]
    if n_levels < 2:
        raise EstimateError("one level gives no spread between levels; two or more predictors are needed")
    first, ice = ice[0, 0], ice - ice[0, 0]
    units, levels = mean_ice(ice.mean(axis=1), cluster), mean_ice(ice.mean(axis=0))
    both = np.asarray(root_sum_squares(interaction_influence(ice, cluster))[0] ** 2)
    shared = np.maximum(units.se**2 - (n_levels + 1) * both, 0.0)
    drawn, df = levels.se**2, levels.df
    if between is not None:
        drawn, df = between.variance / n_levels, np.broadcast_to(between.df, levels.df.shape)
    predicted = (n_levels + 1) * drawn
    scale, df = _t_of_same_width(predicted, df, shared, units.df)
    part = np.concatenate(
        [units.factor * sqrt_ratio(shared, units.se**2), levels.factor * sqrt_ratio(predicted, levels.se**2)]
    )
    return from_factor(units.ace + first, part * sqrt_ratio(scale**2, predicted + shared), df)


def _t_of_same_width(one: Array, df: Array, other: Array, other_df: Array) -> tuple[Array, Array]:
    """Return scale and df of the t interval with the half widths, at 90 % and 99.9 %, of two combined t terms."""

    def half_width(at: float) -> Array:
        return np.sqrt(one * scipy.special.stdtrit(df, at) ** 2 + other * scipy.special.stdtrit(other_df, at) ** 2)

    narrow, wide_level = half_width(_LOW), half_width(_HIGH)
    low, high = np.log(np.minimum(df, other_df)), np.log(np.minimum(np.maximum(df, other_df), _MOST_DF))
    for _ in range(60):
        middle = (low + high) / 2
        heavy = (
            scipy.special.stdtrit(np.exp(middle), _HIGH) * narrow
            > scipy.special.stdtrit(np.exp(middle), _LOW) * wide_level
        )
        low, high = np.where(heavy, middle, low), np.where(heavy, high, middle)
    found = np.where(other > 0, np.exp(high), df)
    return np.where(other > 0, narrow / scipy.special.stdtrit(found, _LOW), np.sqrt(one)), found


def check_distinct_predictors(effects: xr.Dataset, ice: Array) -> None:
    """Check that no two predictors have identical ICE, which would be one network counted twice.

    Parameters
    ----------
    effects
        Effects whose coordinate ``model`` names the predictors.
    ice
        Their ICE, shape ``(n, K, ..., J)``. Predictors without any variation (all their architecture excludes it) are
        not compared.

    Raises
    ------
    EstimateError
        If two are identical; the message names both.
    """
    for i, j in combinations(range(ice.shape[-1]), 2):
        one, other = ice[..., i], ice[..., j]
        if np.array_equal(one[0], other[0]) and (one != one[0]).any() and np.array_equal(one, other):
            names = effects["model"].to_numpy() if "model" in effects.coords else range(ice.shape[-1])
            raise EstimateError(
                f"models {quoted(str(names[i]))} and {quoted(str(names[j]))} gave the same numbers in every unit: they "
                "are one network, and do not show the spread between networks; leave one of them out"
            )
