"""The answer of a screen, and the sentences that are made from it alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from causalgia.attributes import about
from causalgia.checks import in_list
from causalgia.choices import PLACEBO_ROPES
from causalgia.errors import first_of
from causalgia.experiments.kit.stated import Acting, Screened
from causalgia.inputs import cut_middle
from causalgia.tell.answer_sentences import size_in_words
from causalgia.tell.verdict_sentences import region_in_words

if TYPE_CHECKING:
    import xarray as xr

_OF_RANDOM = "the range of random sequences"
_IN_ANSWER, _FAMILIES_NAMED, _MEMBERS_NAMED = 3, 20, 3


def screen_sentence(found: Screened, decisions: xr.Dataset) -> str:
    """Return how many motifs and families act, and the largest of these.

    Examples
    --------
    >>> import xarray as xr
    >>> ap1 = Acting(
    ...     name="FOS",
    ...     core="TGACTCA",
    ...     strand="-",
    ...     effect=0.6,
    ...     lower=0.55,
    ...     upper=0.65,
    ...     other_strand=0.01,
    ...     members=("JUN",),
    ... )
    >>> found = Screened(
    ...     noun="motif",
    ...     n_asked=9,
    ...     n_acting=2,
    ...     families=(ap1,),
    ...     largest=ap1,
    ...     n_inside=7,
    ...     n_random=50,
    ...     n_random_acting=0,
    ...     range_lower=-0.1,
    ...     range_upper=0.1,
    ... )
    >>> rows = xr.Dataset(attrs={"rope_kind": "placebo outliers"})
    >>> print(screen_sentence(found, rows))
    2 of 9 motifs, 1 family, have effects beyond the range of random sequences (-0.1 to 0.1): FOS TGACTCA (0.600 [...
    """
    region = _region(decisions)
    if region == _OF_RANDOM:
        region += f" ({found.range_lower:.3g} to {found.range_upper:.3g})"
    asked = f"{found.n_asked:,} {found.noun}s"
    if not found.n_acting:
        largest = _in_words(found.largest)
        return (
            f"none of {asked} has an effect beyond {region}; the largest is {largest}."
        )
    n = len(found.families)
    have = "has an effect" if found.n_acting == 1 else "have effects"
    listed = in_list([_in_words(one) for one in found.families[:_IN_ANSWER]])
    largest = "" if n <= _IN_ANSWER else "the largest "
    return (
        f"{found.n_acting:,} of {asked}, {n:,} famil{'y' if n == 1 else 'ies'}, {have} "
        f"beyond {region}: {largest}{listed}."
    )


def screen_details(found: Screened, decisions: xr.Dataset) -> str:
    """Return the families with their members, and how many motifs lie inside of the
    range.
    """
    texts = [
        f"{cut_middle(one.name)}"
        + (
            f" with {first_of(map(cut_middle, one.members), _MEMBERS_NAMED)}"
            if one.members
            else ""
        )
        for one in found.families[:_FAMILIES_NAMED]
    ]
    named = first_of(texts, _FAMILIES_NAMED, sep="; ", n=len(found.families))
    left = found.n_asked - found.n_acting - found.n_inside
    return (
        f"{'families: ' + named if texts else 'no family'}. {found.n_inside:,} of "
        f"{found.n_asked:,} {found.noun}s lie inside of {_region(decisions)} "
        f"({found.range_lower:.3g} to {found.range_upper:.3g}; {found.n_random:,} random "
        f"sequences, {found.n_random_acting:,} of them beyond it), and {left:,} beyond "
        f"it {'is' if left == 1 else 'are'} undecided."
    )


def _region(decisions: xr.Dataset) -> str:
    """Return what effects are compared with: random sequences, or given limits."""
    if about(decisions, None).rope_kind in PLACEBO_ROPES:
        return _OF_RANDOM
    return region_in_words(decisions)


def _in_words(one: Acting) -> str:
    numbers = {"ace": one.effect, "lower": one.lower, "upper": one.upper}
    text = size_in_words(numbers)
    if not math.isnan(one.other_strand):
        text += f" on the {one.strand} strand, {one.other_strand:.3g} on the other"
    if one.members:
        text += f"; {len(one.members):,} more of its family"
    name = cut_middle(one.name)
    shown = "" if one.core == one.name.replace("U", "T") else f" {one.core}"
    return f"{name}{shown} ({text})"
