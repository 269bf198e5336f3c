"""Notes on what an experiment does not ask."""

from __future__ import annotations

from collections.abc import Sequence

from causalgia.checks import first_of

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
