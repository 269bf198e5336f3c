"""Ranks of effects among matched null effects: conformal p-values by stratum, regions and local false discovery rates.

A variant's effect in its own sequence is exact for a predictor; what is random is which variant it is. So its effect is
compared with the effects of null variants that are alike in all that is matched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from causalgia.choices import LEAST_FOR_A_LAW, LEAST_MATCHED_NULLS
from causalgia.errors import EstimateError, quoted
from causalgia.multiplicity.fdr import storey_q
from causalgia.multiplicity.stepwise import stepwise
from causalgia.types import Array, Codes, Mask


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
        For each stratum, the keys that its members need not share, in the order in which they were dropped.
    """

    of_effect: Codes
    nulls: tuple[npt.NDArray[np.int64], ...]
    dropped: tuple[tuple[str, ...], ...]


def match_strata(keys: npt.ArrayLike, names: Sequence[str], matched: npt.ArrayLike, *, least: int) -> Strata:
    """Divide effects into strata of equal keys, and drop keys where a stratum has too few nulls.

    Each null was drawn to match one effect, and goes with it. Effects whose stratum has fewer than `least` nulls are
    pooled after the first key is dropped, those still short of nulls after the second, and so on; the last key stays.
    What is still left is pooled with the smallest strata that have its last key. So a stratum's nulls have the keys of
    its effects in the same proportions, also the dropped ones. The division depends on keys and not on effects, which
    is why ranks within it are valid.

    Parameters
    ----------
    keys
        (K, n) codes of the keys of each effect, in the order in which they may be dropped.
    names
        Names of the n keys.
    matched
        (M,) the effect that each null was drawn for.
    least
        Nulls that a stratum needs; at least 39 in any case.

    Raises
    ------
    EstimateError
        If all nulls with the last key of an effect are fewer than 39.

    Examples
    --------
    >>> strata = match_strata([[0, 0], [1, 0], [2, 0]], ["context", "length"], np.repeat([0, 1, 2], 40), least=50)
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
            raise EstimateError(
                f"a stratum has {mine[of_null].sum()} nulls with all keys dropped but {quoted(names[-1])}, and ranks "
                f"with a region need {LEAST_MATCHED_NULLS}: draw more nulls (n_null=; of='genome' and null models "
                f"have any number), or leave {quoted(names[-1])} out of match="
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


class MatchedRanks(NamedTuple):
    """Ranks of K effects among their nulls, each of shape (K, ...).

    Attributes
    ----------
    p
        ``(1 + #{|null| >= |effect|}) / (m + 1)`` within the stratum.
    q
        Benjamini-Hochberg's adjusted p over the K effects.
    n
        m, the nulls of the stratum.
    lower, upper
        Central 95 % of the nulls of the stratum.
    """

    p: Array
    q: Array
    n: npt.NDArray[np.int64]
    lower: Array
    upper: Array


def rank_among_matched(
    effects: npt.ArrayLike, nulls: npt.ArrayLike, strata: Strata, *, floor: npt.ArrayLike = 0.0
) -> MatchedRanks:
    """Rank each effect among the null effects of its stratum.

    The p-value is conformal: super-uniform whenever an effect is exchangeable with its nulls, whatever their
    distribution. P-values that share nulls are positively dependent, under which Benjamini and Hochberg's procedure
    controls the false discovery rate.

    Parameters
    ----------
    effects
        (K, ...) effects, such as (variant, task).
    nulls
        (M, ...) null effects.
    strata
        From `match_strata`.
    floor
        Error of an effect by the predictor's own arithmetic, for each column: nulls within it count as ties.

    References
    ----------
    Bates, Candes, Lei, Romano & Sesia (2023), doi:10.1214/22-AOS2244.

    Examples
    --------
    >>> strata = match_strata(np.zeros((2, 1)), ["length"], np.zeros(99), least=39)
    >>> found = rank_among_matched([100.0, -50.0], np.arange(1, 100.0), strata)
    >>> found.p, found.q, found.lower
    (array([0.01, 0.51]), array([0.02, 0.51]), array([2.5, 2.5]))
    """
    of, null = np.asarray(effects, np.float64), np.asarray(nulls, np.float64)
    flat, null = of.reshape(len(of), -1), null.reshape(len(null), -1)
    p, lower, upper = (np.empty(flat.shape) for _ in range(3))
    n = np.empty(flat.shape, np.int64)
    least = np.abs(flat) - np.broadcast_to(np.asarray(floor, np.float64), of.shape[1:]).ravel()
    for number, members in enumerate(strata.nulls):
        mine, m = strata.of_effect == number, len(members)
        own = null[members]
        size = np.sort(np.abs(own), axis=0)
        low, high = np.quantile(own, [0.025, 0.975], axis=0, method="weibull")
        for j in range(flat.shape[1]):
            beyond = m - np.searchsorted(size[:, j], least[mine, j], side="left")
            p[mine, j] = (1 + beyond) / (m + 1)
        lower[mine], upper[mine], n[mine] = low, high, m
    q = np.column_stack([stepwise(column, "bh") for column in p.T])
    shaped = [values.reshape(of.shape) for values in (p, q, lower, upper)]
    return MatchedRanks(shaped[0], shaped[1], n.reshape(of.shape), shaped[2], shaped[3])


def local_fdr(p: npt.ArrayLike) -> Array:
    """Estimate the local false discovery rate from p-values by two groups: ``pi0 / f(p)``.

    Null p-values are uniform, and f, the density of all, falls with p: it is the slope of the least concave majorant of
    their distribution function. pi0 is Storey's conservative estimate at .5.

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
    Grenander (1956), doi:10.1080/03461238.1956.10414944; Strimmer (2008), doi:10.1186/1471-2105-9-303.

    Examples
    --------
    >>> p = np.concatenate([np.full(50, 1e-4), np.linspace(0.005, 1, 100)])
    >>> local_fdr(p)[[0, 60]].round(2)
    array([0., 1.])
    """
    values = np.asarray(p, np.float64)
    if len(values) < LEAST_FOR_A_LAW:
        raise EstimateError(
            f"a local false discovery rate needs {LEAST_FOR_A_LAW} p-values to estimate their density, and there are "
            f"{len(values)}; read p or q instead"
        )
    at, count = np.unique(values, return_counts=True)
    x, y = np.concatenate([[0.0], at]), np.concatenate([[0.0], np.cumsum(count) / len(values)])
    corners = [0]
    for i in range(1, len(x)):  # the upper hull, left to right
        while len(corners) > 1 and _slope(x, y, corners[-2], corners[-1]) <= _slope(x, y, corners[-1], i):
            corners.pop()
        corners.append(i)
    slopes = np.diff(y[corners]) / np.diff(x[corners])
    density = slopes[np.searchsorted(x[corners], values, side="left") - 1]
    pi0 = min(storey_q(values, pi0="adaptive")[1], 1.0)
    return np.minimum(pi0 / density, 1.0)


def _slope(x: Array, y: Array, i: int, j: int) -> float:
    return float((y[j] - y[i]) / (x[j] - x[i]))


def nulls_needed(share: float, q: float = 0.05) -> int:
    """Return the nulls that resolve p-values finely enough for a share of real effects: ``5 / (q share)``.

    With K effects of which R are found, Benjamini and Hochberg's threshold is ``q R / K``, and the least p is
    ``1 / (m + 1)``: m = 5 K / (q R) puts five nulls beyond the threshold.

    Examples
    --------
    >>> nulls_needed(0.01), nulls_needed(0.05)
    (10000, 2000)
    """
    return round(5 / (q * share))
