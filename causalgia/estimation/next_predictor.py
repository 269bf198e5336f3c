"""The effect in one more network: predictive intervals for the next level of a population of predictors."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
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
    """Predict the ACE of one more level (a predictor) from J that were drawn as it will be.

    With ``ice_um = d + g_m + a_u + e_um`` the ACE of the next level is ``d + g_{J+1}``, and the mean over the J levels
    misses it by ``g_{J+1} - mean(g) - mean(a) - mean(e)``, whose variance is ``s2_m (1 + 1/J) + s2_a / n +
    s2_e / (nJ)``. The variance ``s_b^2`` between the ACEs of the levels has the expectation ``s2_m + s2_e / n``: each
    ACE already has the error of the units in so far as the levels answer them differently, and that of the level to
    come is not asked for. So the variance is ``(1 + 1/J) E[s_b^2] + (s2_a - s2_e) / n``, and with ``b`` for the last
    term (0 where it comes out below 0) the interval is

        ``mean +- sqrt(t_{J-1}^2 s_b^2 (1 + 1/J) + t_{G-1}^2 b)``

    It is exact (normal levels) for the ACE of the next level over *these* units, without the second term, and nearly so
    where one term is far above the other. Between, the root of the sum of two squared half widths is too wide by at
    most .058, .035, .025, .019 in the coverage of 90 % with J = 2, 3, 4, 5; Satterthwaite's t is too narrow (J = 2: .83
    at 90 %, .92 at 99 %). Where s2_e is above s2_a it is too wide as well.
    ``se`` and ``df`` are those of the t interval that is as wide at 90 % and at 99.9 %; between it is no narrower.

    Degenerate cases: J = 1 is refused; J = 2 has one degree of freedom, and an interval of 12.7 standard errors at
    95 %; where the J levels agree exactly the interval is that of the units they share, and a point if there is none.

    Parameters
    ----------
    ice
        Individual causal effects, shape ``(n, J, ...)``.
    cluster
        Cluster of each unit, 0 to G - 1, all present, shape ``(n,)``; without it each unit is one.
    between
        From `causalgia.estimation.crossover.between_levels`: variances between the levels' means moderated over
        contrasts, to be used for the sample's own, with their degrees of freedom. The interval then has its probability
        on average over the contrasts, and less where the levels differ most.

    Returns
    -------
    Estimate
        Shape ``(...)``: the mean, and as ``se`` and ``df`` scale and degrees of freedom of the t law of the error of
        prediction. ``factor' factor`` has ``se^2`` on its diagonal.

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
    """Return scale and df of the t interval as wide at 90 % and 99.9 % as the root of the sum of two squared ones."""

    def half_width(at: float) -> Array:
        return np.sqrt(one * scipy.special.stdtrit(df, at) ** 2 + other * scipy.special.stdtrit(other_df, at) ** 2)

    narrow, wide = half_width(_LOW), half_width(_HIGH)
    low, high = np.log(np.minimum(df, other_df)), np.log(np.minimum(np.maximum(df, other_df), _MOST_DF))
    for _ in range(60):
        middle = (low + high) / 2
        heavy = (
            scipy.special.stdtrit(np.exp(middle), _HIGH) * narrow > scipy.special.stdtrit(np.exp(middle), _LOW) * wide
        )
        low, high = np.where(heavy, middle, low), np.where(heavy, high, middle)
    found = np.where(other > 0, np.exp(high), df)
    return np.where(other > 0, narrow / scipy.special.stdtrit(found, _LOW), np.sqrt(one)), found


def check_distinct_predictors(effects: xr.Dataset, ice: Array) -> None:
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
