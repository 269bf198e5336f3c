"""The effect in one more network: predictive intervals for the next level of a population of predictors."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import special

from causalgia.errors import EstimateError, quoted
from causalgia.estimation.crossed import interaction_of
from causalgia.estimation.crossover import Estimate, from_factor, mean_ice
from causalgia.estimation.moderation import Moderated
from causalgia.estimation.moments import Array, Codes, root_sum_squares

NEXT = "next predictor"
_AT, _MOST_DF = 0.995, 1e9


def next_level(ice: Array, cluster: Codes | None = None, *, between: Moderated | None = None) -> Estimate:
    """Predict the ACE of one more level (a predictor) from J that were drawn as it will be.

    With ``ice_um = d + g_m + a_u + e_um`` the ACE of the next level is ``d + g_{J+1}``, and the mean over the J levels
    misses it by ``g_{J+1} - mean(g) - mean(a) - mean(e)``, whose variance is ``s2_m (1 + 1/J) + s2_a / n +
    s2_e / (nJ)``. The variance ``s_b^2`` between the ACEs of the levels has the expectation ``s2_m + s2_e / n``: each
    ACE already has the error of the units in so far as the levels answer them differently. What the levels share,
    ``s2_a / n``, is in none of their differences and is added:

        ``mean +- sqrt(t_{J-1}^2 s_b^2 (1 + 1/J) + t_{G-1}^2 s2_a / n)``

    It is exact (normal levels) for the ACE of the next level over *these* units, without the second term. For the ACE
    over the population it has at least its probability: ``s2_e / n`` is counted once too often, and the root of the sum
    of two squared half widths is wide enough for two parts of few degrees of freedom, where Satterthwaite's t is not
    (J = 2, a twentieth of the variance from units: .945 at 90 %, Satterthwaite .83; with J = 3 .915).
    ``df`` are those of the t interval that is as wide at 99 %.

    Degenerate cases: J = 1 is refused; J = 2 has one degree of freedom, and an interval of 12.7 standard errors at
    95 %; where the J levels agree exactly the interval is that of the units they share, and a point if there is none.

    Parameters
    ----------
    ice
        Individual causal effects, shape ``(n, J, ...)``.
    cluster
        Cluster of each unit, 0 to G - 1, all present, shape ``(n,)``; without it each unit is one.
    between
        From `causalgia.estimation.crossed.between_levels`: variances between the levels' means moderated over
        contrasts, to be used for the sample's own, with their degrees of freedom. The interval then has its probability
        on average over the contrasts, and less where the levels differ most.

    Returns
    -------
    Estimate
        Shape ``(...)``: the mean, the standard deviation of the error of prediction as ``se``, and its degrees of
        freedom. ``factor' factor`` is the covariance of the errors of prediction.

    Raises
    ------
    EstimateError
        With fewer than two levels or clusters.

    References
    ----------
    Geisser (1993), Predictive Inference, doi:10.1201/9780203742310. Zou & Donner (2008), doi:10.1002/sim.3095: the
    half width of a sum from those of its parts.

    Examples
    --------
    >>> answer = next_level(np.array([[1.0, 2.0], [3.0, 5.0], [2.0, 4.0]]))
    >>> answer.ace.round(4), answer.se.round(4), answer.df.round(4)
    (np.float64(2.8333), np.float64(1.6073), np.float64(1.0272))
    """
    n_levels = ice.shape[1]
    if n_levels < 2:
        raise EstimateError("one level gives no spread between levels; two or more predictors are needed")
    first, ice = ice[0, 0], ice - ice[0, 0]
    units, levels = mean_ice(ice.mean(axis=1), cluster), mean_ice(ice.mean(axis=0))
    both = np.asarray(root_sum_squares(interaction_of(ice, cluster))[0] ** 2)
    shared = np.maximum(units.se**2 - both, 0.0)
    drawn, df = levels.se**2, levels.df
    if between is not None:
        drawn, df = between.variance / n_levels, np.broadcast_to(between.df, levels.df.shape)
    predicted = (n_levels + 1) * drawn
    factor = [units.factor * _root(shared, units.se**2), levels.factor * _root(predicted, levels.se**2)]
    return from_factor(units.ace + first, np.concatenate(factor), _df_of_both(predicted, df, shared, units.df))


def _df_of_both(one: Array, df: Array, other: Array, other_df: Array) -> Array:
    """Return the df of the t interval that is as wide at 99 % as the root of the sum of two squared half widths."""
    total = one + other
    share = np.divide(one, total, out=np.ones_like(total), where=total > 0)
    wanted = np.sqrt(share * special.stdtrit(df, _AT) ** 2 + (1 - share) * special.stdtrit(other_df, _AT) ** 2)
    low, high = np.log(np.minimum(df, other_df)), np.log(np.minimum(np.maximum(df, other_df), _MOST_DF))
    for _ in range(60):
        middle = (low + high) / 2
        too_wide = special.stdtrit(np.exp(middle), _AT) > wanted
        low, high = np.where(too_wide, middle, low), np.where(too_wide, high, middle)
    return np.where(share == 1, df, np.exp(high))


def _root(part: Array, whole: Array) -> Array:
    return np.asarray(np.sqrt(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)))


def refuse_one_twice(effects: xr.Dataset, ice: Array) -> None:
    """Refuse two predictors whose ICE are the same numbers: one network counted twice.

    Parameters
    ----------
    effects
        Whose coordinate ``model`` names the predictors.
    ice
        Their ICE, shape ``(n, K, ..., J)``. Predictors without any variation (all their architecture excludes it) are
        not compared.

    Raises
    ------
    EstimateError
        Names both.
    """
    for i, j in combinations(range(ice.shape[-1]), 2):
        if np.array_equal(ice[0, ..., i], ice[0, ..., j]) and _are_one(ice[..., i], ice[..., j]):
            names = effects["model"].to_numpy() if "model" in effects.coords else range(ice.shape[-1])
            raise EstimateError(
                f"models {quoted(str(names[i]))} and {quoted(str(names[j]))} gave the same numbers in every unit: they "
                "are one network, and do not show the spread between networks; leave one of them out"
            )


def _are_one(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> bool:
    return bool((one != one[0]).any()) and np.array_equal(one, other)
