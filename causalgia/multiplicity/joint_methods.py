"""Bands of one family or curve, by multivariate t or sup-t, and its rare effects."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import special

from causalgia.attributes import about
from causalgia.effect_table import hall_coefficient, of_effects
from causalgia.effects.scales import OF_MEANS
from causalgia.errors import EstimateError
from causalgia.estimation.request import FEW_CLUSTERS
from causalgia.multiplicity.families import JointEstimates
from causalgia.multiplicity.maxima import (
    check_enough_draws,
    largest_among,
    purpose_generator,
    rows_per_block,
)
from causalgia.multiplicity.multivariate_t import equicoordinate
from causalgia.numerics.moments import (
    ENOUGH,
    root_sum_squares,
)
from causalgia.streams import RNG
from causalgia.types import Array, Codes

FEW = 8
"""Most clusters that make the effect at a position where t is not informative."""
_SMALL = 1e-6
_CHANCE = 4.5


def dunnett(
    joint: JointEstimates, members: Codes, *, ci_prob: float, key: int
) -> Array:
    """Return the critical values of a family by the multivariate t of the estimates'
    correlation; with different df that of z, mapped to each t.

    Independent errors share no scale either: their maximum is Sidak's. Members without
    spread have the value of one t. Where it is not known how tasks correlate, each
    takes an equal part of the error.
    """
    if not joint.tells_columns_together(members):
        column = members % joint.n_columns
        tasks = np.unique(column)
        critical = np.empty(len(members))
        for one in tasks:
            critical[column == one] = dunnett(
                joint,
                members[column == one],
                ci_prob=1 - (1 - ci_prob) / len(tasks),
                key=key,
            )
        return critical
    se, df = (x[members] for x in joint.tested(ci_prob))
    vary = se > 0
    critical = np.asarray(special.stdtrit(df, 0.5 + ci_prob / 2), dtype=np.float64)
    if not vary.any():
        return critical
    factor, of = joint.factor_of(members[vary]), df[vary]
    if factor is None:
        critical[vary] = special.stdtrit(of, 0.5 + ci_prob ** (1 / len(of)) / 2)
    elif not np.allclose(of, of[0], rtol=1e-9):
        z = equicoordinate(factor, ci_prob=ci_prob, rng=key)
        critical[vary] = -special.stdtrit(of, special.ndtr(-z))
    else:
        critical[vary] = equicoordinate(factor, float(of[0]), ci_prob=ci_prob, rng=key)
    return critical


class Rarity(NamedTuple):
    """What the clusters behind a curve say about rare effects, at each position.

    Attributes
    ----------
    n_differing
        Clusters that differ from the others.
    few_units
        Whether few of them carry the effect: ``n < 25 skewness^2``, or eight or fewer
        differ.
    unseen
        What effects in 3 / n of the population, as large as the largest of the curve,
        could add; 0 where so few differ that the band says it already.
    """

    n_differing: Codes
    few_units: npt.NDArray[np.bool_]
    unseen: Array


def carried_by_few(estimates: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return where skewness says that few clusters carry the effect:
    ``n < 25 skewness^2``, in the shape of ``ace``.

    Among many positions some skewness is chance. Its standard error is ``sqrt(6 / n)``
    for normal effects, and what is within 4.5 of them is not counted, which matters
    below about 55 clusters.

    Examples
    --------
    >>> columns = {"ace": [0.3, 0.3], "skewness": [2.5, 1.5], "n_units": [30, 30]}
    >>> carried_by_few(
    ...     xr.Dataset({name: ("contrast", x) for name, x in columns.items()})
    ... )
    array([ True, False])
    """
    a = hall_coefficient(estimates)  # skewness / sqrt(n)
    counts = "n_clusters" if "n_clusters" in estimates else "n_units"
    if counts not in estimates:
        return np.zeros(a.shape, dtype=bool)
    n = of_effects(estimates, counts)
    return np.asarray((ENOUGH * a**2 > 1) & (np.abs(a) * n > _CHANCE * np.sqrt(6)))


def rarity(joint: JointEstimates, members: Codes) -> Rarity | None:
    """Return the `Rarity` of the positions of a curve; None where the units are not
    what varies, or are not known.

    An effect that is rare but present is seen by the skewness of the position, or by
    the number of clusters that differ; one that is in none of the clusters is seen by
    nothing, and bounded by the rule of three.
    """
    e = joint.estimates
    if about(e, "population").target != "population" or not {
        "largest_ice",
        "n_clusters",
    } <= set(e):
        return None
    vary, differing = (
        joint.numbers("se")[members] > 0,
        np.zeros(len(members), dtype=np.intp),
    )
    if vary.any():
        factor = joint.factor_of(members[vary])
        if factor is None:
            return None
        differing[vary] = n_differing(factor)
    n = int(joint.numbers("n_clusters")[members][0])
    draws = n / 2 if about(e, "").assignment == "parallel" else n
    skewed = carried_by_few(e).ravel()[members]
    reach = (
        0.0
        if about(e, "").transform in OF_MEANS
        else float(joint.numbers("largest_ice")[members].max())
    )
    few = vary & (skewed | (differing <= FEW))
    return Rarity(
        differing, few, np.where(differing > FEW, min(3 / draws, 1.0) * reach, 0.0)
    )


def sup_t(
    joint: JointEstimates,
    members: Codes,
    curve: Codes,
    *,
    ci_prob: float,
    n_draws: int,
    key: int,
) -> tuple[Array, Array]:
    """Return half-widths of the band of curves, and the same in standard errors (those
    of one t where it is exact); `curve` numbers the curve of each member.

    Where eight or fewer of 20 or more clusters differ from the others, the effect has
    no t, and is bounded by its rarity: that number gives an upper limit of the share of
    the population that differs, by the largest ICE of the curve at most.
    """
    se, df = (x[members] for x in joint.tested(ci_prob))
    critical = np.asarray(special.stdtrit(df, 0.5 + ci_prob / 2), dtype=np.float64)
    half, differing = np.zeros(len(se)), np.zeros(len(se), dtype=np.intp)
    vary, n_clusters = se > 0, joint.numbers("n_clusters")[members]
    factor = joint.factor_of(members[vary]) if vary.any() else np.zeros((1, 0))
    if factor is None:
        raise EstimateError(
            "the estimates do not say how positions correlate, which the band of a "
            "curve needs"
        )
    if vary.any():
        differing[vary] = n_differing(factor)
    sampled = (n_clusters >= FEW_CLUSTERS) & (
        about(joint.estimates, None).target == "population"
    )
    rare = sampled & (differing <= FEW)
    common = vary & ~rare
    if common.any():
        columns = factor[:, common[vary]]
        critical[common] = critical_values(
            columns, df[common], ci_prob=ci_prob, n_draws=n_draws, rng=key
        )
        half[common] = critical[common] * se[common]
    if rare.any():
        reach, u, n = (
            largest_among(joint.numbers("largest_ice")[members], curve)[rare],
            differing[rare],
            int(n_clusters[rare][0]),
        )
        half[rare] = reach * u / n + rare_reach(reach, u, n, len(se), ci_prob=ci_prob)
        critical[rare] = np.divide(
            half[rare], se[rare], out=critical[rare], where=se[rare] > 0
        )
    return half, critical


def rare_in_arms(
    joint: JointEstimates, members: Codes, curve: Codes, *, ci_prob: float
) -> Array:
    """Return the rule-of-three half-widths of a parallel trial's curves: 0 where more
    than eight units differ.

    The effects of units are not known, and how many differ follows from the skewness:
    about ``n / skewness^2``.
    """
    e, n = joint.estimates, joint.numbers("n_clusters")[members] / 2
    a, still = (
        np.abs(hall_coefficient(e).ravel()[members]),
        joint.numbers("se")[members] == 0,
    )
    u = np.where(still, 0, np.rint(1 / np.maximum(a, _SMALL) ** 2)).astype(np.intp)
    rare, half = (u <= FEW) & (n >= FEW_CLUSTERS / 2), np.zeros(len(members))
    if rare.any():
        reach = largest_among(joint.numbers("largest_ice")[members], curve)[rare]
        limit = rare_reach(
            reach, u[rare], int(n[rare].min()), len(members), ci_prob=ci_prob
        )
        half[rare] = reach * u[rare] / n[rare] + limit
    return half


def n_differing(factor: Array) -> Codes:
    """Return how many clusters deviate from the middle one, by more than a millionth of
    the largest deviation.

    Examples
    --------
    >>> n_differing(
    ...     np.array([[0.0, 1.0], [0.0, -2.0], [0.0, 3.0], [4.0, 1.5], [0.0, 0.5]])
    ... ).tolist()
    [1, 4]
    """
    away = np.abs(factor - np.median(factor, axis=0))
    return np.asarray(
        np.count_nonzero(away > _SMALL * away.max(axis=0), axis=0), dtype=np.intp
    )


def critical_values(
    factor: Array, df: Array, *, ci_prob: float, n_draws: int, rng: RNG
) -> Array:
    r"""Return the value that ``|t|`` of all K estimates stays below with probability
    `ci_prob`, for each estimate.

    With the pieces :math:`F_g` of the estimates' errors, one for each of G independent
    clusters, a draw is :math:`t_k = \sum_g \xi_g F_{gk} / \sqrt{\sum_g F_{gk}^2}` with
    normal :math:`\xi_g`, over a common :math:`\sqrt{\chi^2_\nu / \nu}`. Where the
    degrees of freedom differ, the quantile of the largest normal statistic is put on
    the t scale of each estimate.

    Parameters
    ----------
    factor
        Shape ``(G, K)``, no column 0.
    df
        Degrees of freedom, shape ``(K,)``.
    ci_prob
        Probability of the band.
    n_draws
        Draws of the multipliers.
    rng
        Seed (0 is a seed), Generator or SeedSequence.

    Raises
    ------
    EstimateError
        If there are too few draws for `ci_prob`.

    References
    ----------
    Montiel Olea & Plagborg-Moller (2019), doi:10.1002/jae.2656. Chernozhukov,
    Chetverikov & Kato (2013), doi:10.1214/13-AOS1161.

    Examples
    --------
    >>> independent = critical_values(
    ...     np.eye(10), np.full(10, np.inf), ci_prob=0.95, n_draws=9_999, rng=0
    ... )
    >>> abs(independent[0] - special.ndtri((1 + 0.95**0.1) / 2)) < 0.05
    np.True_
    """
    check_enough_draws(n_draws, ci_prob, "n_draws")
    draw = purpose_generator(rng, "sup_t")
    unit = np.asarray(factor / root_sum_squares(factor)[0], dtype=np.float32)
    alike = bool(np.allclose(df, df[0], rtol=1e-9)) and bool(np.isfinite(df[0]))
    tops, size = [], rows_per_block(len(unit), unit.shape[1], n_draws)
    for start in range(0, n_draws, size):
        rows = min(size, n_draws - start)
        top = (
            np.abs(draw.standard_normal((rows, len(unit)), dtype=np.float32) @ unit)
            .max(axis=1)
            .astype(np.float64)
        )
        tops.append(
            top / np.sqrt(draw.chisquare(df[0], rows) / df[0]) if alike else top
        )
    maxima = np.sort(np.concatenate(tops))
    critical = float(maxima[int(np.ceil(ci_prob * (n_draws + 1) * (1 - 1e-12))) - 1])
    if alike:
        return np.full(len(df), critical)
    return np.where(
        np.isfinite(df), -special.stdtrit(df, special.ndtr(-critical)), critical
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
