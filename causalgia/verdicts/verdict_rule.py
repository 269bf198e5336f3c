"""The rule of verdicts on arrays: where an interval lies, its two p-values, and q
within the kind of verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from causalgia.choices import (
    DECREASES,
    INCREASES,
    NEGLIGIBLE,
    UNDECIDED as UNDECIDED,
)
from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.numerics.rounding import RELATIVE_ROUNDING
from causalgia.types import Array, Codes, Mask


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
        Twice the p of two one-sided tests (TOST) that the effect lies inside: at most
        ``1 - ci_prob`` where the interval lies inside.
    needed_direction, needed_negligible
        The p of which q is made. Of a direction the sum of its one-sided p against both
        ends, since a false one may lie on either side: `p_direction` where the ends are
        equal, half of it where the region is wide. Of a negligible the p of TOST, since
        a false one lies on one side.
    region_lower, region_upper
        Ends of its region; equal where a direction alone is asked for, one of them
        infinite where the region has one side.
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
    needed_direction: Array
    needed_negligible: Array
    region_lower: Array
    region_upper: Array
    counted: Mask
    by_rank: bool = False

    @property
    def alone(self) -> Mask:
        """Of which rows the direction alone is asked."""
        return np.asarray(self.region_lower == self.region_upper)

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

    A direction needs the interval beyond the region, "negligible" the interval inside.
    One row needs no more: its p, twice the one-sided p of the direction or twice that
    of TOST, is at most ``1 - ci_prob`` exactly there. Of several rows q is at most
    ``1 - ci_prob`` as well. Of ``"fdr"``, q is Benjamini-Hochberg's within a family
    *and* a kind, over the rows still open to it (a direction among the rows whose own
    interval does not lie inside their region, a negligible among those whose own
    interval does not lie beyond it), of the p that the kind needs: TOST's, not doubled,
    since a false negligible lies on one side; and the sum of the one-sided p of a
    direction against both ends. So on average at most a share ``1 - ci_prob`` of the
    directions is false, and of the negligibles; rows that are plainly of one kind
    neither help nor hinder verdicts of the other. Where p of a direction is a rank
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
    www.jstor.org/stable/4615733. Schuirmann (1987), doi:10.1007/BF01068419: TOST.

    Examples
    --------
    >>> one = np.array([0.0, 1.0])
    >>> rows = Rows(
    ...     lower=one - 0.2,
    ...     upper=one + 0.2,
    ...     p_direction=np.array([1.0, 2e-4]),
    ...     p_negligible=np.array([2e-3, 1.0]),
    ...     needed_direction=np.array([1.0, 1e-4]),
    ...     needed_negligible=np.array([1e-3, 1.0]),
    ...     region_lower=one * 0 - 0.5,
    ...     region_upper=one * 0 + 0.5,
    ...     counted=one < 2,
    ... )
    >>> found = rule(rows, [np.arange(2)], error="fdr", ci_prob=0.95)
    >>> found.verdict.tolist(), found.p_verdict.tolist(), found.q.tolist()
    (['negligible', 'increases'], [0.002, 0.0002], [0.001, 0.0001])
    """
    shape = rows.lower.shape
    beyond, inside = (rows.above | rows.below).ravel(), rows.inside.ravel()
    alone, counted = rows.alone.ravel(), rows.counted.ravel()
    p, needed = (
        np.minimum(np.stack([x.ravel() for x in both]), 1.0)
        for both in (
            (rows.p_direction, rows.p_negligible),
            (rows.needed_direction, rows.needed_negligible),
        )
    )
    p[1, alone] = needed[1, alone] = 1.0
    tested = np.stack([counted, counted & ~alone])
    open_to = tested & np.stack([~inside | rows.by_rank, ~beyond])
    q = p.copy()
    for members in families if error != "each" else []:
        if error == "fwer":
            kind, at = np.nonzero(tested[:, members])
            if len(at):
                q[kind, members[at]] = stepwise(needed[kind, members[at]], "holm")
            continue
        for of_kind, p_of_kind, open_rows in zip(q, needed, open_to, strict=True):
            at = members[open_rows[members]]
            if len(at):
                of_kind[at] = stepwise(p_of_kind[at], "bh")
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


def with_largest(rows: Rows, n: Array, largest: Array | float) -> Rows:
    r"""Return rows whose p also cover backgrounds with effects of at most `largest`
    that were not drawn.

    Every p of a row, also those of q, is ``max(p, (1 - s)^n)``, s the share of the
    backgrounds that could undo the verdict if each of them had an effect of that size:
    ``(lower - end) / (lower + largest)`` of an increase,
    ``(end - upper) / (largest - upper)`` or its mirror, the smaller one, of a
    negligible.

    Parameters
    ----------
    rows
        Intervals, p-values and regions.
    n
        Independent backgrounds of the smallest arm, of the shape of the effects; 0
        where they are not known.
    largest
        Bound on any individual effect, on the scale of the contrast.

    References
    ----------
    Hanley & Lippman-Hand (1983), doi:10.1001/jama.1983.03330370053031.

    Examples
    --------
    >>> one = np.array([1.0])
    >>> ends = one * -0.1, one * 0.1
    >>> p = one * 1e-9, one, one * 1e-9, one
    >>> rows = Rows(one * 0.9, one * 1.1, *p, *ends, one > 0)
    >>> with_largest(rows, np.array([100]), 6.0).p_direction.round(7)
    array([4.4e-06])
    """
    end = np.where(rows.above, rows.region_upper, rows.region_lower)
    near = np.where(rows.above, rows.lower - end, end - rows.upper)
    limit = np.where(rows.above, rows.lower, -rows.upper)
    to_upper = rows.region_upper - rows.upper, largest - rows.upper
    to_lower = rows.lower - rows.region_lower, largest + rows.lower
    with np.errstate(divide="ignore", invalid="ignore"):
        of_direction = near / (limit + largest)
        of_inside = np.minimum(
            *(
                np.where((span > 0) & np.isfinite(room), room / span, 1.0)
                for room, span in (to_upper, to_lower)
            )
        )

    def missed(share: Array) -> Array:
        p = (1 - np.clip(share, 0.0, 1.0)) ** np.maximum(n, 1)
        return np.where(n > 0, p, 0.0)

    beyond = np.where(rows.above | rows.below, missed(of_direction), 0.0)
    inside = np.where(rows.inside, missed(of_inside), 0.0)
    return replace(
        rows,
        p_direction=np.maximum(rows.p_direction, beyond),
        needed_direction=np.maximum(rows.needed_direction, beyond),
        p_negligible=np.maximum(rows.p_negligible, inside),
        needed_negligible=np.maximum(rows.needed_negligible, inside),
    )


def reversal_size(rows: Rows, missed: Array) -> Array:
    r"""Return the effect that a missed share of backgrounds would need to undo where
    each interval lies; NaN where it lies neither beyond nor inside its region.

    If a share `missed` of the backgrounds, the largest that was missed by chance, had
    this effect, the average would fall back to the end of the region:
    ``lower - (lower - end) / s0`` for an increase, ``upper + (end - upper) / s0`` or its
    mirror, the nearer to 0, for a negligible.

    Parameters
    ----------
    rows
        Intervals and regions.
    missed
        ``s0 = 1 - (1 - ci_prob)^(1/n)``
        (`causalgia.estimation.effect_intervals.missed_share_of`); NaN where n is not
        known.

    Examples
    --------
    >>> lower, upper = np.array([1.05, -0.02]), np.array([1.07, 0.06])
    >>> end = np.full(2, 0.1)
    >>> rows = Rows(lower, upper, end, end, end, end, -end, end, end > 0)
    >>> reversal_size(rows, np.array([0.003, 0.003])).round(1)
    array([-315.6,   13.4])
    """
    with np.errstate(invalid="ignore"):
        up = rows.lower - (rows.lower - rows.region_upper) / missed
        down = rows.upper - (rows.upper - rows.region_lower) / missed
        to_upper = rows.upper + (rows.region_upper - rows.upper) / missed
        to_lower = rows.lower - (rows.lower - rows.region_lower) / missed
    nearer = np.where(np.abs(to_upper) <= np.abs(to_lower), to_upper, to_lower)
    found = np.select([rows.above, rows.below, rows.inside], [up, down, nearer], np.nan)
    return np.where(np.isfinite(found), found, np.nan)
