"""Ranks of effects among matched null effects: conformal p-values, local false
discovery rates, and their tails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from causalgia.choices import LEAST_FOR_A_LAW, LEAST_MATCHED_NULLS, Alternative
from causalgia.errors import EstimateError, quoted
from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.types import Array, Codes, Mask

FEWEST_NULLS = 2_000
"""Fewest null effects whose tail is modeled."""
ENOUGH_BEYOND = 10
"""Null effects beyond an effect from which its rank is precise enough, so that no model
is used.
"""
FARTHEST = 100
"""How far below 1 / (m + 1) a tail is extrapolated: by this factor."""
CENTRAL, LEAST_COMPARED = (0.05, 0.5, 0.95), 3
"""Shares of nulls that are compared with the median effect, of at least so many."""
_FEWEST_EXCEEDANCES, _MOST_EXCEEDANCES = 100, 250
_SHAPES = np.linspace(0.0, 2.0, 41)[:, None]
# of the median exceedance / log 2, the scale of an exponential law
_LOG_SCALES = np.linspace(-1.2, 1.0, 45)[None, :]
#: Anderson and Darling's statistic at its .95 quantile with both parameters fitted on
#: this grid, by shape
_CRITICAL = ((0.0, 0.25, 0.5, 1.0, 1.5), (1.073, 0.919, 0.85, 0.77, 0.729))


@dataclass(frozen=True)
class Strata:
    """Strata of effects, each with its nulls.

    Attributes
    ----------
    of_effect
        (K,) stratum of each effect.
    nulls
        For each stratum, the indices of its nulls.
    dropped
        For each stratum, the keys that its members need not share, in the order in
        which they were dropped.
    """

    of_effect: Codes
    nulls: tuple[npt.NDArray[np.int64], ...]
    dropped: tuple[tuple[str, ...], ...]


def match_strata(
    keys: npt.ArrayLike, names: Sequence[str], matched: npt.ArrayLike, *, least: int
) -> Strata:
    """Divide effects into strata of equal keys, and drop keys where a stratum has too
    few nulls.

    Each null was drawn to match one effect, and goes with it. Effects whose stratum has
    fewer than `least` nulls are pooled after the first key is dropped, those still
    short of nulls after the second, and so on; the last key stays. What is still left
    is pooled with the smallest strata that have its last key. So a stratum's nulls have
    the keys of its effects in the same proportions, also the dropped ones. The division
    depends on keys and not on effects, which is why ranks within it are valid.

    Parameters
    ----------
    keys
        (K, n) codes of the keys of each effect, in the order in which they may be
        dropped.
    names
        Names of the n keys.
    matched
        (M,) the effect that each null was drawn for.
    least
        Nulls that a stratum needs; at least 19 in any case.

    Raises
    ------
    EstimateError
        If all nulls with the last key of an effect are fewer than 19.

    Examples
    --------
    >>> strata = match_strata(
    ...     [[0, 0], [1, 0], [2, 0]],
    ...     ["context", "length"],
    ...     np.repeat([0, 1, 2], 40),
    ...     least=50,
    ... )
    >>> strata.of_effect, [len(x) for x in strata.nulls], strata.dropped
    (array([0, 0, 0]), [120], (('context',),))
    """
    codes, of_null = np.asarray(keys, np.int64), np.asarray(matched, np.int64)
    needed = max(least, LEAST_MATCHED_NULLS)
    free = np.ones(len(codes), bool)
    found: list[tuple[Mask, int]] = []  # members and the number of dropped keys
    for n_dropped in range(codes.shape[1]):
        _, group = np.unique(codes[:, n_dropped:], axis=0, return_inverse=True)
        group = group.ravel()
        size = np.bincount(group[of_null][free[of_null]], minlength=group.max() + 1)
        for one in np.unique(group[free & (size[group] >= needed)]).tolist():
            mine = free & (group == one)
            free &= ~mine
            found.append((mine, n_dropped))
    for last in np.unique(codes[free, -1]).tolist():
        mine = free & (codes[:, -1] == last)
        alike = [one for one in found if codes[one[0].argmax(), -1] == last]
        for one in sorted(alike, key=lambda x: int(x[0][of_null].sum())):
            if mine[of_null].sum() < needed:
                mine = mine | one[0]
                found = [other for other in found if other is not one]
        if mine[of_null].sum() < LEAST_MATCHED_NULLS:
            n, several = len(of_null), len(np.unique(codes[of_null, -1])) > 1
            which = (
                f"a stratum has {mine[of_null].sum()} nulls with all keys dropped but "
                f"{quoted(names[-1])}"
                if several
                else f"there are {n} nulls"
            )
            pooled = (
                f", or leave {quoted(names[-1])} out of match="
                if several and n >= LEAST_MATCHED_NULLS
                else ""
            )
            raise EstimateError(
                f"{which}, and ranks with a region need {LEAST_MATCHED_NULLS}: draw more "
                "nulls (n_null=; a genome and null models have any number)"
                f"{pooled}"
            )
        found.append((mine, codes.shape[1] - 1))
    of_effect = np.full(len(codes), -1)
    for number, (mine, _) in enumerate(found):
        of_effect[mine] = number
    return Strata(
        of_effect,
        tuple(np.flatnonzero(mine[of_null]) for mine, _ in found),
        tuple(tuple(names[:n_dropped]) for _, n_dropped in found),
    )


def divide_strata(strata: Strata, own: Array, nulls: Array, *, least: int) -> Strata:
    """Divide strata by a number that each effect and each null has, such as what its
    reference predicts.

    The nulls of a stratum are cut in their order into groups of equal size, as many as
    have `least` nulls; an effect belongs to the group that has its number. Groups
    depend on these numbers and not on effects.

    Parameters
    ----------
    strata
        K effects and M nulls.
    own, nulls
        (K,) and (M,) their numbers.
    least
        Nulls that a group needs.

    Examples
    --------
    >>> one = Strata(np.zeros(2, np.int64), (np.arange(100),), ((),))
    >>> found = divide_strata(one, np.array([7.0, 500.0]), np.arange(100.0), least=40)
    >>> found.of_effect, [len(x) for x in found.nulls]
    (array([0, 1]), [50, 50])
    """
    of_effect = np.empty_like(strata.of_effect)
    members, dropped = list[npt.NDArray[np.int64]](), list[tuple[str, ...]]()
    for number, mine in enumerate(strata.nulls):
        ordered, n = np.sort(nulls[mine]), len(mine)
        size, edges, at = n // max(n // least, 1), [-np.inf], 0
        while at + size < n:  # equal numbers stay together
            at = int(np.searchsorted(ordered, ordered[at + size - 1], side="right"))
            if n - at < least:
                break
            edges.append(ordered[at])
        of_null = np.searchsorted(edges, nulls[mine], side="right") - 1
        here = strata.of_effect == number
        group = np.searchsorted(edges, own[here], side="right") - 1
        of_effect[here] = group + len(members)
        members += [mine[of_null == j] for j in range(len(edges))]
        dropped += [strata.dropped[number]] * len(edges)
    return Strata(of_effect, tuple(members), tuple(dropped))


def unlike_medians(
    strata: Strata, own: Array, nulls: Array
) -> tuple[float, float, float, float] | None:
    """Return the median of the effects' numbers, that of the nulls', and the ends of
    the nulls' central 90 %, if the first lies outside of these; None if it does not.

    Each effect counts the nulls of its stratum alike. Of three or more exchangeable
    effects the median lies outside with a probability of .015 or less; fewer are not
    compared.

    Examples
    --------
    >>> one = Strata(np.zeros(3, np.int64), (np.arange(100),), ((),))
    >>> unlike_medians(one, np.array([0.0, 120.0, 140.0]), np.arange(100.0))
    (120.0, 49.0, 4.0, 94.0)
    """
    if len(own) < LEAST_COMPARED:
        return None
    share = np.bincount(strata.of_effect, minlength=len(strata.nulls))
    values = np.concatenate([nulls[mine] for mine in strata.nulls])
    weights = np.repeat(
        share / [len(mine) for mine in strata.nulls], list(map(len, strata.nulls))
    )
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order]) / weights.sum()
    at = np.searchsorted(below, np.array(CENTRAL) - 1e-9)
    low, middle, high = values[order][at].tolist()
    median = float(np.median(own))
    return (median, middle, low, high) if median < low or median > high else None


class MatchedRanks(NamedTuple):
    """Ranks of K effects among their nulls, each of shape (K, ...).

    Attributes
    ----------
    p
        ``(1 + #{|null| >= |effect|}) / (m + 1)`` within the stratum.
    q
        Benjamini-Hochberg's adjusted p over all effects, or those of each column.
    n
        m, the nulls of the stratum.
    limit
        The ``floor(alpha (m + 1))``-th largest ``|null|`` of the stratum, plus `floor`:
        p is at most alpha exactly where ``|effect|`` is larger. NaN where m is too
        small.
    """

    p: Array
    q: Array
    n: npt.NDArray[np.int64]
    limit: Array


def rank_among_matched(
    effects: npt.ArrayLike,
    nulls: npt.ArrayLike,
    strata: Strata,
    *,
    floor: npt.ArrayLike = 0.0,
    alpha: float = 0.05,
    by_column: bool = False,
    alternative: Alternative = "two-sided",
) -> MatchedRanks:
    """Rank each effect among the null effects of its stratum.

    The p-value is conformal: super-uniform whenever an effect is exchangeable with its
    nulls, whatever their distribution. P-values that share nulls are positively
    dependent, under which Benjamini and Hochberg's procedure controls the false
    discovery rate. The limit comes from the same ordering, so an effect with p (or q)
    of at most alpha is never within it.

    Parameters
    ----------
    effects
        (K, ...) effects, such as (variant, task).
    nulls
        (M, ...) null effects.
    strata
        From `match_strata`.
    floor
        Error of an effect by the predictor's own arithmetic, for each column: nulls
        within it count as ties.
    alpha
        Level of the limit.
    by_column
        Whether q is adjusted over the effects of each column by itself, not over all.
    alternative
        Whether effects and nulls are compared by their absolute values, by their values
        (``"greater"``), or by minus these (``"less"``); `limit` is in what is compared.

    References
    ----------
    Bates, Candes, Lei, Romano & Sesia (2023), doi:10.1214/22-AOS2244.

    Examples
    --------
    >>> strata = match_strata(np.zeros((2, 1)), ["length"], np.zeros(99), least=39)
    >>> found = rank_among_matched([100.0, -50.0], np.arange(1, 100.0), strata)
    >>> found.p, found.q, found.limit
    (array([0.01, 0.51]), array([0.02, 0.51]), array([95., 95.]))
    """
    of, null = np.asarray(effects, np.float64), np.asarray(nulls, np.float64)
    flat, null = of.reshape(len(of), -1), null.reshape(len(null), -1)
    p, limit = np.empty(flat.shape), np.full(flat.shape, np.nan)
    n = np.empty(flat.shape, np.int64)
    effect, ties = _sizes(flat, alternative), _floor_of_columns(floor, of)
    for number, members in enumerate(strata.nulls):
        mine, m = strata.of_effect == number, len(members)
        size = np.sort(_sizes(null[members], alternative), axis=0) + ties
        for j in range(flat.shape[1]):
            beyond = m - np.searchsorted(size[:, j], effect[mine, j], side="left")
            p[mine, j] = (1 + beyond) / (m + 1)
        if at := int(round(alpha * (m + 1), 9)):
            limit[mine] = size[m - at]
        n[mine] = m
    q = adjusted_ranks(p, by_column=by_column)
    shaped = [values.reshape(of.shape) for values in (p, q, limit)]
    return MatchedRanks(shaped[0], shaped[1], n.reshape(of.shape), shaped[2])


def adjusted_ranks(p: Array, *, by_column: bool) -> Array:
    """Return Benjamini-Hochberg's adjusted p of p, (K, ...), over all effects or over
    those of each column.
    """
    flat = p.reshape(len(p), -1)
    families = flat.T if by_column else flat.ravel()[None]
    q = np.array([stepwise(one, "bh") for one in families])
    return (q.T if by_column else q).reshape(p.shape)


def _sizes(values: Array, alternative: Alternative) -> Array:
    """Return by what effects are compared: the larger, the more extreme."""
    if alternative == "two-sided":
        return np.abs(values)
    return values if alternative == "greater" else -values


def _floor_of_columns(floor: npt.ArrayLike, effects: Array) -> Array:
    return np.broadcast_to(np.asarray(floor, np.float64), effects.shape[1:]).ravel()


def local_fdr(p: npt.ArrayLike) -> Array:
    """Estimate the local false discovery rate from p-values by two groups:
    ``pi0 / f(p)``.

    Null p-values are uniform, and f, the density of all, falls with p: it is the slope
    of the least concave majorant of their distribution function. pi0 is Storey's
    conservative estimate at .5.

    Parameters
    ----------
    p
        (K,) p-values, at least 30.

    Raises
    ------
    EstimateError
        If there are fewer than 30.

    References
    ----------
    Grenander (1956), doi:10.1080/03461238.1956.10414944; Strimmer (2008),
    doi:10.1186/1471-2105-9-303.

    Examples
    --------
    >>> p = np.concatenate([np.full(50, 1e-4), np.linspace(0.005, 1, 100)])
    >>> local_fdr(p)[[0, 60]].round(2)
    array([0., 1.])
    """
    values = np.asarray(p, np.float64)
    if len(values) < LEAST_FOR_A_LAW:
        raise EstimateError(
            f"a local false discovery rate needs {LEAST_FOR_A_LAW} p-values to "
            f"estimate their density, and there are {len(values)}"
        )
    at, count = np.unique(values, return_counts=True)
    x, y = (
        np.concatenate([[0.0], at]),
        np.concatenate([[0.0], np.cumsum(count) / len(values)]),
    )
    corners = [0]
    for i in range(1, len(x)):  # the upper hull, left to right
        while len(corners) > 1 and _slope(x, y, corners[-2], corners[-1]) <= _slope(
            x, y, corners[-1], i
        ):
            corners.pop()
        corners.append(i)
    slopes = np.diff(y[corners]) / np.diff(x[corners])
    density = slopes[np.searchsorted(x[corners], values, side="left") - 1]
    pi0 = min((1 + int((values > 0.5).sum())) / (len(values) / 2), 1.0)
    return np.minimum(pi0 / density, 1.0)


def _slope(x: Array, y: Array, i: int, j: int) -> float:
    return float((y[j] - y[i]) / (x[j] - x[i]))


@dataclass(frozen=True)
class NullTail:
    """The tail of m null effects: the posterior of its generalized Pareto law.

    Attributes
    ----------
    threshold, share
        The absolute effect above which the law holds, and the share of null effects
        above it.
    scale
        Unit of the scales of the grid.
    weights
        Posterior probabilities on the grid of shapes and scales.
    least
        The least p that is given, ``1 / (100 (m + 1))``.
    """

    threshold: float
    share: float
    scale: float
    weights: Array
    least: float

    def p(self, sizes: npt.ArrayLike) -> Array:
        """Return the posterior predictive probability that a null effect is at least as
        large, at least `least`.
        """
        beyond = (
            np.maximum(np.asarray(sizes, np.float64).ravel() - self.threshold, 0.0)
            / self.scale
        )
        found = np.array([(self.weights * np.exp(-_log_rate(x))).sum() for x in beyond])
        return np.maximum(self.share * found, self.least)


class TailRanks(NamedTuple):
    """P-values of K effects, each of shape (K, ...).

    Attributes
    ----------
    p
        By the law of the tail, or by rank.
    by
        ``"rank"`` where 10 null effects or more are as large; ``"tail"`` where fewer
        are; ``"no fit"`` where fewer are and the tail was not fitted, so that p is by
        rank.
    """

    p: Array
    by: npt.NDArray[np.str_]


def extrapolate_ranks(
    effects: npt.ArrayLike,
    nulls: npt.ArrayLike,
    strata: Strata,
    *,
    floor: npt.ArrayLike = 0.0,
    alternative: Alternative = "two-sided",
) -> TailRanks:
    """Extend the p-values of `rank_among_matched` beyond the largest null effects of
    each stratum, by a model.

    Parameters
    ----------
    effects, nulls, strata, floor, alternative
        As in `rank_among_matched`.

    Examples
    --------
    >>> from causalgia.multiplicity.matched_ranks import match_strata
    >>> strata = match_strata(np.zeros((2, 1)), ["length"], np.zeros(10_000), least=39)
    >>> found = extrapolate_ranks(
    ...     [16.0, 2.0], np.random.default_rng(0).exponential(size=10_000), strata
    ... )
    >>> found.by, found.p < 1e-4
    (array(['tail', 'rank'], dtype='<U6'), array([ True, False]))
    """
    of, null = np.asarray(effects, np.float64), np.asarray(nulls, np.float64)
    flat = of.reshape(len(of), -1)
    sizes = _sizes(null.reshape(len(null), -1), alternative)
    effect, ties = _sizes(flat, alternative), _floor_of_columns(floor, of)
    p, by = np.empty(flat.shape), np.full(flat.shape, "rank", "<U6")
    for number, members in enumerate(strata.nulls):
        mine = np.flatnonzero(strata.of_effect == number)
        for j in range(flat.shape[1]):
            own = np.sort(sizes[members, j])
            beyond = len(own) - np.searchsorted(
                own + ties[j], effect[mine, j], side="left"
            )
            p[mine, j] = (1 + beyond) / (len(own) + 1)
            few = mine[beyond < ENOUGH_BEYOND]
            tail = fit_null_tail(own) if len(few) else None
            by[few, j] = "no fit" if tail is None else "tail"
            if tail is not None:
                p[few, j] = tail.p(effect[few, j] - ties[j])
    return TailRanks(p.reshape(of.shape), by.reshape(of.shape))


def fit_null_tail(sizes: npt.ArrayLike) -> NullTail | None:
    r"""Fit the tail of absolute null effects; None where they are too few or no such
    law fits.

    Exceedances over a high threshold follow approximately a generalized Pareto law,
    ``P(z > x) = (1 + shape x / scale)^(-1 / shape)`` (Knijnenburg et al. 2009, who
    extend permutation p-values by it). The threshold leaves 1 % of the null effects
    beyond it, at least 100 of them and at most 250. The probability is averaged over
    the posterior of shape and scale (flat in shape from 0 to 2 and in log scale): the
    probability at the best fit is too small, as if shape and scale were known. Shapes
    below 0, of tails that end, are left out: their p is 0 beyond the end.

    The fit is refused where Anderson and Darling's statistic is above its .95 quantile.

    Parameters
    ----------
    sizes
        (m,) absolute null effects, or null effects where these are compared.

    References
    ----------
    Knijnenburg, Wessels, Reinders & Shmulevich (2009),
    doi:10.1093/bioinformatics/btp211; the test of fit: Choulakian & Stephens (2001),
    doi:10.1198/00401700152672573.

    Examples
    --------
    >>> tail = fit_null_tail(np.random.default_rng(0).exponential(size=10_000))
    >>> tail.p([np.log(1e5)]) / 1e-5  # the least of 10,000 ranks is 1e-4
    array([3.8...])
    """
    ordered = np.sort(np.asarray(sizes, np.float64).ravel())
    m = len(ordered)
    if m < FEWEST_NULLS:
        return None
    n = min(max(m // 100, _FEWEST_EXCEEDANCES), _MOST_EXCEEDANCES)
    threshold = float(ordered[-n] + ordered[-n - 1]) / 2
    z = ordered[-n:] - threshold
    unit = float(np.median(z)) / np.log(2)
    if not unit > 1e-9 * abs(ordered[-1]):
        return None  # the largest null effects are equal
    z = z / unit
    rates = np.sum([_log_rate(x) for x in z], axis=0)
    log_density = (
        -n * np.broadcast_to(_LOG_SCALES, rates.shape) - rates - _SHAPES * rates
    )
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    shape, scale = np.unravel_index(int(log_density.argmax()), log_density.shape)
    best = np.array([_log_rate(x)[shape, scale] for x in z])
    if anderson_darling(best) > np.interp(_SHAPES[shape, 0], *_CRITICAL):
        return None
    return NullTail(threshold, n / m, unit, weights, 1 / (FARTHEST * (m + 1)))


def _log_rate(x: float) -> Array:
    """Return minus the log of the probability to exceed x,
    ``log(1 + shape x / scale) / shape``, on the grid.
    """
    ratio = x / np.exp(_LOG_SCALES)
    inner = np.where(_SHAPES > 0, _SHAPES, 1.0)
    return np.where(_SHAPES > 0, np.log1p(inner * ratio) / inner, ratio)


def anderson_darling(rates: npt.ArrayLike) -> float:
    """Return Anderson and Darling's statistic of values in increasing order from minus
    their log survival.

    Examples
    --------
    >>> round(
    ...     anderson_darling(-np.log(1 - (np.arange(100) + 0.5) / 100)), 3
    ... )  # as even as can be
    0.011
    """
    r = np.asarray(rates, np.float64)
    n = len(r)
    weight = 2 * np.arange(1, n + 1) - 1
    below = np.log(-np.expm1(-np.maximum(r, 1e-300)))
    return float(-n - (weight * (below - r[::-1])).sum() / n)
