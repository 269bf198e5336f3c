"""Notes on what an experiment does not ask, and on what null variants cannot match."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from causalgia.checks import in_list
from causalgia.errors import first_of

_NAMED = 3


def settings_left_out(n: int, length: int) -> tuple[str, ...]:
    """Return the note on settings that do not fit.

    Examples
    --------
    >>> settings_left_out(8, 200)
    ('8 settings do not fit 200 bp and are not asked',)
    """
    if not n:
        return ()
    does, are = ("setting does", "is") if n == 1 else ("settings do", "are")
    return (f"{n:,} {does} not fit {length:,} bp and {are} not asked",)


def motifs_left_out(names: Sequence[str]) -> tuple[str, ...]:
    """Return the note on motifs that cannot be screened.

    Examples
    --------
    >>> motifs_left_out(["ZNF1"])
    ('1 motif without a core, or too wide, is not asked: ZNF1',)
    """
    if not names:
        return ()
    what, are = ("motif", "is") if len(names) == 1 else ("motifs", "are")
    return (
        f"{len(names):,} {what} without a core, or too wide, {are} not asked: "
        f"{first_of(names, _NAMED)}",
    )


def gaps_of_pairs(gaps: Sequence[int]) -> str:
    """Return the note on the gaps at which pairs are asked.

    Examples
    --------
    >>> gaps_of_pairs([0, 3, 6])
    '3 gaps are asked, 0 to 6 bp; experiments.pair asks a pair again at every gap'
    """
    gaps_are = "gap is" if len(gaps) == 1 else "gaps are"
    return (
        f"{len(gaps)} {gaps_are} asked, {min(gaps)} to {max(gaps)} bp; "
        "experiments.pair asks a pair again at every gap"
    )


def null_variant_notes(
    dropped: Collection[tuple[str, ...]],
    given_up: int,
    nulls: float,
    least: int,
    level: float,
    *,
    without_site: bool = False,
) -> list[str]:
    """Return the notes on ranks: keys that null variants do not match, and how small
    their p-values can be.

    Parameters
    ----------
    dropped
        The keys that each variant's null variants need not share.
    given_up
        Null variants that share fewer keys, since no place for them was found.
    nulls, least, level
        Null variants of a stratum (median), and how many real variants there must be
        for any to reach a q of `level`.
    without_site
        Whether variants have read-outs, and null variants lie at loci without one.

    Examples
    --------
    >>> null_variant_notes([(), ("context",)], 0, 10_000, 1, 0.05)
    ['1 of 2 variants: too few null variants match on context']
    """
    notes = [
        f"{count:,} of {len(dropped):,} variants: too few null variants match on "
        f"{in_list(keys)}"
        for keys, count in sorted(Counter(dropped).items())
        if keys
    ]
    if without_site:
        notes.append("null variants lie at random loci, without a read-out there")
    if given_up:
        notes.append(f"{given_up:,} null variants share fewer keys than asked")
    if least > 1:
        notes.append(
            f"among {nulls:,.0f} null variants (median) p is too large for q <= "
            f"{level:.2g} if fewer than {least:,} variants are real (n_null=)"
        )
    return notes
