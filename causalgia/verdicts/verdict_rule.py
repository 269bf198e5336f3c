"""The rule of verdicts on arrays: where an interval lies, its two p-values, and q
within the kind of verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.numerics.rounding import RELATIVE_ROUNDING
from causalgia.types import Array, Codes, Mask

INCREASES, DECREASES, NEGLIGIBLE, UNDECIDED = (
    "increases",
    "decreases",
    "negligible",
    "undecided",
)


@dataclass(frozen=True)
class Rows:
    """What the rule knows of K effects; every array has the shape of the effects.

    Attributes
    ----------
    lower, upper
        Limits of the interval of each effect, at ``ci_prob``.
    p_direction
        Twice the one-sided p of the direction in which the effect lies beyond its
        region: at most ``1 - ci_prob`` where the interval lies beyond it.
    p_negligible
        Twice the p of two one-sided tests that the effect lies inside: at most
        ``1 - ci_prob`` where the interval lies inside.
    region_lower, region_upper
        Ends of its region; equal where a direction alone is asked for.
    counted
        Which rows are tested: False of rows without a p.
    by_rank
        Whether p of a direction is also a rank among random sequences: it is uniform
        over all rows that are such sequences, so that none may be left out because its
        interval lies inside the region of these.
    """

    lower: Array
    upper: Array
    p_direction: Array
    p_negligible: Array
    region_lower: Array
    region_upper: Array
    counted: Mask
    by_rank: bool = False

    @property
    def above(self) -> Mask:
        """Which intervals lie above their region."""
        return np.asarray(self.lower > self.region_upper)

    @property
    def below(self) -> Mask:
        """Which intervals lie below their region."""
        return np.asarray(self.upper < self.region_lower)

    @property
    def inside(self) -> Mask:
        """Which intervals lie in their region, which is closed and has a width."""
        wide = self.region_lower < self.region_upper
        return np.asarray(
            wide & (self.region_lower <= self.lower) & (self.upper <= self.region_upper)
        )

    @property
    def named(self) -> npt.NDArray[np.str_]:
        """The verdict that each interval alone would give."""
        return np.select(
            [self.above, self.below, self.inside],
            [INCREASES, DECREASES, NEGLIGIBLE],
            UNDECIDED,
        )


@dataclass(frozen=True)
class Verdicts:
    """Verdicts on effects; every array has their shape.

    Attributes
    ----------
    verdict
        ``"increases"``, ``"decreases"``, ``"negligible"`` or ``"undecided"``.
    p_verdict
        The p of its kind: of the one in which the interval lies, else the smaller of
        both.
    q
        The error rate of the set of verdicts of that kind, in its family, that ends
        with this one.
    """

    verdict: npt.NDArray[np.str_]
    p_verdict: Array
    q: Array


Rate = Literal["fdr", "fwer", "each"]


def rule(
    rows: Rows, families: Sequence[Codes], *, error: Rate, ci_prob: float
) -> Verdicts:
    r"""Return the verdict on each effect: where its interval lies, if the error rate of
    its kind allows it.

    A direction needs the interval beyond the region, "negligible" the interval inside;
    and ``q <= 1 - ci_prob``. Of ``"fdr"``, q is Benjamini-Hochberg's within a family
    *and* a kind, over the rows still open to that kind: a direction among the rows
    whose own interval does not lie inside their region, a negligible among those whose
    own interval does not lie beyond it. So at most a share ``1 - ci_prob`` of the
    directions is false on average, and of the negligibles; rows that are plainly of one
    kind neither help nor hinder verdicts of the other. Where p of a direction is a rank
    among random sequences, all rows are open to one. Of ``"fwer"`` q is Holm's over
    both p of all rows of a family; of ``"each"`` it is p.

    Parameters
    ----------
    rows
        Intervals, p-values and regions.
    families
        Flat positions of the rows of each family.
    error
        The error rate.
    ci_prob
        Probability of the intervals.

    References
    ----------
    Benjamini & Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x. Holm (1979),
    www.jstor.org/stable/4615733.

    Examples
    --------
    >>> one = np.array([0.0, 1.0])
    >>> rows = Rows(
    ...     one - 0.2,
    ...     one + 0.2,
    ...     np.array([1.0, 1e-4]),
    ...     np.array([1e-3, 1.0]),
    ...     one * 0 - 0.5,
    ...     one * 0 + 0.5,
    ...     one < 2,
    ... )
    >>> rule(rows, [np.arange(2)], error="fdr", ci_prob=0.95).verdict.tolist()
    ['negligible', 'increases']
    """
    shape = rows.lower.shape
    beyond, inside = (rows.above | rows.below).ravel(), rows.inside.ravel()
    p = np.stack(
        [
            np.minimum(rows.p_direction, 1.0).ravel(),
            np.minimum(rows.p_negligible, 1.0).ravel(),
        ]
    )
    # a direction alone is asked for
    alone = (rows.region_lower == rows.region_upper).ravel()
    p[1, alone] = 1.0
    counted = rows.counted.ravel()
    open_to = np.stack([~inside | rows.by_rank, ~beyond & ~alone]) & counted
    q = p.copy()
    for members in families if error != "each" else []:
        if error == "fwer":
            both = members[counted[members]]
            q[:, both] = (
                stepwise(p[:, both].ravel(), "holm").reshape(2, -1)
                if len(both)
                else 1.0
            )
            continue
        for kind in (0, 1):
            at = members[open_to[kind, members]]
            if len(at):
                q[kind, at] = stepwise(p[kind, at], "bh")
    negligible = np.where(beyond, False, np.where(inside, True, p[1] < p[0]))
    p_verdict, q_verdict = (np.where(negligible, x[1], x[0]) for x in (p, q))
    p_verdict, q_verdict = (
        np.where(counted, p_verdict, 1.0),
        np.where(counted, q_verdict, 1.0),
    )
    verdict = np.where(
        q_verdict <= (1 - ci_prob) * (1 + RELATIVE_ROUNDING),
        rows.named.ravel(),
        UNDECIDED,
    )
    return Verdicts(*(x.reshape(shape) for x in (verdict, p_verdict, q_verdict)))


def with_rare(p_negligible: Array, n: Array, rare: float | None) -> Array:
    r"""Return the p of "negligible" that also covers an effect on a share `rare` of the
    backgrounds.

    ``max(p, (1 - rare)^n)``: n independent backgrounds all miss such an effect with
    that probability.

    Parameters
    ----------
    p_negligible
        P of the tests, any shape.
    n
        Independent backgrounds, of that shape; 0 where they are not known, and p is
        left as it is.
    rare
        The share; None where no rare effects are assumed.

    References
    ----------
    Hanley & Lippman-Hand (1983), doi:10.1001/jama.1983.03330370053031.

    Examples
    --------
    >>> with_rare(np.array([0.001, 0.001]), np.array([298, 299]), 0.01).round(4)
    array([0.05  , 0.0495])
    """
    if rare is None:
        return p_negligible
    missed = np.where(n > 0, np.exp(np.where(n > 0, n, 1) * np.log1p(-rare)), 0.0)
    return np.maximum(p_negligible, missed)


def with_largest(rows: Rows, n: Array, largest: Array | float | None) -> Array:
    r"""Return the p of a direction that also covers backgrounds with effects of at most
    `largest` that were not drawn.

    ``max(p, (1 - s)^n)`` with ``s = (lower - end) / (lower + largest)``: the share of
    the backgrounds that could undo a direction whose limit is `lower` beyond an end of
    its region, if each of them had an effect of ``-largest``.

    Parameters
    ----------
    rows
        Intervals and regions.
    n
        Independent backgrounds, of the shape of the effects.
    largest
        Bound on any individual effect, on the scale of the contrast; None where none is
        stated.

    Examples
    --------
    >>> one = np.array([1.0])
    >>> rows = Rows(
    ...     one * 0.9, one * 1.1, one * 1e-6, one, one * -0.1, one * 0.1, one > 0
    ... )
    >>> with_largest(rows, np.array([100]), 6.0).round(6)
    array([4.e-06])
    """
    if largest is None:
        return rows.p_direction
    up, down = rows.lower - rows.region_upper, rows.region_lower - rows.upper
    room, limit = np.maximum(up, down), np.where(up >= down, rows.lower, -rows.upper)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where((room > 0) & np.isfinite(room), room / (limit + largest), 0.0)
    return np.where(
        n > 0,
        np.maximum(rows.p_direction, (1 - np.clip(share, 0.0, 1.0)) ** n),
        rows.p_direction,
    )


def reversal_size(limit: Array, end: Array, missed: Array) -> Array:
    r"""Return the effect that a missed share of backgrounds would need to undo a
    direction.

    ``limit - (limit - end) / s0``: if a share `missed` of the backgrounds, the largest
    that was missed by chance, had this effect, the average would fall back to the end
    of the region.

    Parameters
    ----------
    limit
        The limit of the interval that is nearest to the region.
    end
        The end of the region that it lies beyond.
    missed
        ``s0 = 1 - (1 - ci_prob)^(1/n)``
        (`causalgia.estimation.effect_intervals.missed_share_of`).

    Examples
    --------
    >>> reversal_size(np.array([1.05]), np.array([0.1]), np.array([0.003])).round(0)
    array([-316.])

    An interval without a limit has none:

    >>> reversal_size(np.array([-np.inf]), np.array([0.1]), np.array([0.003]))
    array([nan])
    """
    limit = np.where(np.isfinite(limit), limit, np.nan)
    return np.asarray(limit - (limit - end) / missed)
