"""Windows of a genome with both alleles of variants, the change in each, and windows
centered on read-out sites.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress
from os import PathLike
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import is_whole
from causalgia.choices import ALIGNS, BASES, COMPLEMENT, Align
from causalgia.errors import SequenceError, quoted
from causalgia.inputs import cut_middle
from causalgia.sequences.alphabet import decode, encode, reverse_complement
from causalgia.sequences.genome import Genome
from causalgia.sequences.intervals import Window, bed_text, of_file, read_bed
from causalgia.sequences.listed_variants import ListedVariants, listed_variants
from causalgia.sequences.text_files import numbered_lines
from causalgia.sequences.variant_files import (
    Variant,
    VariantTable,
    as_variants,
    check_alleles,
    read_variants,
)
from causalgia.types import Mask, Stretches, Tokens


@dataclass(frozen=True, eq=False)
class VariantWindows:
    """Windows of one length around V variants, once with each allele.

    Parameters
    ----------
    variants
        The V variants, in the order given.
    reference, alternate
        (V, length) tokens: the genome, and the genome with the alternate allele.
        Aligned left, both agree up to the allele; after an indel the alternate is
        shifted, and filled from the genome (or cut) at its right end. Aligned right,
        both agree after the allele, and the left end of the alternate is filled or cut.
    start
        (V,) where the allele begins in the reference window, counted from 0.
    align
        ``"left"``, ``"right"`` or ``"read_out"``.
    minus
        (V,) which windows are of the minus strand, reverse-complemented with both their
        alleles; None: none.
    """

    variants: tuple[Variant, ...]
    reference: Tokens
    alternate: Tokens
    start: NDArray[np.int64]
    align: Align = "left"
    minus: Mask | None = None

    @property
    def on_minus(self) -> Mask:
        """Which windows are of the minus strand, (V,)."""
        return np.zeros(len(self), bool) if self.minus is None else self.minus

    @property
    def first(self) -> NDArray[np.int64]:
        """Position of each window in the genome, its lowest base counted from 0,
        (V,).
        """
        after = self.reference.shape[1] - self.start - self.reference_width
        return np.array([x.position for x in self.variants]) - np.where(
            self.on_minus, after, self.start
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each variant."""
        return tuple(x.name for x in self.variants)

    @property
    def reference_width(self) -> NDArray[np.int64]:
        """Number of bases of each reference allele, (V,)."""
        return np.array([len(x.reference) for x in self.variants], np.int64)

    @property
    def alternate_width(self) -> NDArray[np.int64]:
        """Number of bases of each alternate allele, (V,)."""
        return np.array([len(x.alternate) for x in self.variants], np.int64)

    @property
    def unchanged(self) -> Mask:
        """Which windows are the same with both alleles, (V,): an indel in a repeat that
        reaches the end of its window.
        """
        same: Mask = (self.reference == self.alternate).all(axis=1)
        return same

    @property
    def aligned(self) -> list[Stretches]:
        """Stretches of bases that both alleles have, (V,): see `shared_stretches`."""
        found, length = [], self.reference.shape[1]
        for i, change in enumerate(variant_changes(self, flank=0)):
            x, minus = self.variants[i], bool(self.on_minus[i])
            start = int(self.start[i])
            plus = length - start - len(x.reference) if minus else start
            side = _side(x, plus, length, self.align, minus)
            # of the window as it is read
            right = (side == "right") != minus
            found.append(shared_stretches(change.at, *change.size, length, right=right))
        return found

    def rows(self, chosen: Mask) -> VariantWindows:
        """Return some of the windows, (V,)."""
        return replace(
            self,
            variants=tuple(compress(self.variants, chosen)),
            reference=self.reference[chosen],
            alternate=self.alternate[chosen],
            start=self.start[chosen],
            minus=None if self.minus is None else self.minus[chosen],
        )

    def __len__(self) -> int:
        return len(self.variants)


def variant_windows(
    variants: VariantTable,
    fasta: str | PathLike[str],
    *,
    length: int,
    starts: Sequence[int] | None = None,
    align: Align = "left",
    minus: Sequence[bool] | None = None,
) -> VariantWindows:
    r"""Cut a window of `length` around each variant out of a genome, with the reference
    and the alternate allele.

    The middle of the longer allele stands in the middle of the window: with w its
    width, the allele begins at ``length // 2 - w // 2``, so a substitution of one base
    stands at ``length // 2``, as in `from_bed`. The genome is given by the FASTA alone
    and must have each reference allele at the variant's position; lower case is upper
    case.

    Parameters
    ----------
    variants
        The variants in any form that `read_variants` reads: at least one, with
        different names.
    fasta
        The genome: FASTA, plain or gzip-compressed, or .2bit.
    length
        Bases of each window, at least as many as the longest allele.
    starts
        Where each variant's allele begins in its window on the plus strand, counted
        from 0; None: in the middle, as said above.
    align
        Which side of an indel keeps its place, since the window has one length.
        ``"left"``: the bases before it; the right end of the alternate is filled from
        the genome after a deletion, and cut after an insertion. ``"right"``: the bases
        after it; the left end is filled or cut. ``"read_out"``: the bases on that side
        of it which has the middle of the window, ``length // 2``. Substitutions are the
        same either way.
    minus
        (V,) which windows are reverse-complemented, after the cut; left and right are
        those of the finished window.

    Raises
    ------
    SequenceError
        If there is no variant or two share a name, an allele is longer than the window
        or leaves it, `align` is neither side, a chromosome is unknown, a window leaves
        its chromosome, the genome has another reference allele, or a window has a
        letter that is no base. The message names the variant.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from causalgia.sequences import decode
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "genome.fa"
    >>> _ = path.write_text(">chr1\nAACCGGTTACGT\n")
    >>> windows = variant_windows(
    ...     [Variant("chr1", 4, "G", "T"), Variant("chr1", 4, "GG", "G")],
    ...     path,
    ...     length=6,
    ... )
    >>> decode(windows.reference), decode(windows.alternate), windows.start.tolist()
    (['ACCGGT', 'CCGGTT'], ['ACCTGT', 'CCGTTA'], [3, 2])
    """
    chosen = as_variants(read_variants(variants))
    _check_windows_fit(chosen, length)
    if align not in ALIGNS:
        msg = (
            f"align={quoted(align)} is neither 'left' nor 'right', the side of an "
            "indel that keeps its place, nor 'read_out', the side of the window's "
            "middle"
        )
        raise SequenceError(msg)
    at = (
        [length // 2 - allele_width(x) // 2 for x in chosen]
        if starts is None
        else _as_window_starts(chosen, starts, length)
    )
    on_minus = np.zeros(len(chosen), bool) if minus is None else np.asarray(minus, bool)
    sides = [
        _side(x, start, length, align, other)
        for x, start, other in zip(chosen, at, on_minus, strict=True)
    ]
    spans = [
        _span(x, start, length, side)
        for x, start, side in zip(chosen, at, sides, strict=True)
    ]
    with Genome(fasta) as genome:

        def letters_at(place: tuple[Variant, tuple[int, int]]) -> str:
            x, span = place
            of = f"variant {quoted(x.name)}"
            return (
                genome.letters(x.chromosome, *span, place=of).decode("latin-1").upper()
            )

        places = [*zip(chosen, spans, strict=True)]
        _check_inside(genome, chosen, spans, length)
        stretches = [letters_at(place) for place in places]
    before = [
        x.position - start - first
        for x, start, (first, _) in zip(chosen, at, spans, strict=True)
    ]
    check_alleles(
        chosen,
        [
            letters[more + start :]
            for letters, more, start in zip(stretches, before, at, strict=True)
        ],
        fasta,
        before=[
            letters[max(more + start - 1, 0) : more + start]
            for letters, more, start in zip(stretches, before, at, strict=True)
        ],
    )
    for variant, letters in zip(chosen, stretches, strict=True):
        _check_letters(variant, letters, fasta)
    pairs = []
    for x, letters, more, start, side in zip(
        chosen, stretches, before, at, sides, strict=True
    ):
        changed = (
            letters[: more + start]
            + x.alternate
            + letters[more + start + len(x.reference) :]
        )
        pairs.append(
            (
                letters[more : more + length],
                changed[-length:] if side == "right" else changed[:length],
            )
        )
    reference, alternate = (encode(list(each)) for each in zip(*pairs, strict=True))
    begins = np.array(at, np.int64)
    if not on_minus.any():
        return VariantWindows(chosen, reference, alternate, begins, align)
    for tokens in (reference, alternate):
        tokens[on_minus] = reverse_complement(tokens[on_minus])
    ends = begins + np.array([len(x.reference) for x in chosen])
    return VariantWindows(
        chosen,
        reference,
        alternate,
        np.where(on_minus, length - ends, begins),
        align,
        on_minus,
    )


class WindowsOfList(NamedTuple):
    """The variants of a list with the windows of their haplotypes.

    Attributes
    ----------
    listed
        The variants that can be used, and those that were left out.
    windows
        Windows of their H different haplotypes.
    """

    listed: ListedVariants
    windows: VariantWindows

    def changed(self) -> WindowsOfList:
        """Return those whose alleles differ in their window (`ListedVariants.changed`)."""
        same = self.windows.unchanged
        letters = decode(self.windows.reference[same])
        rows = np.flatnonzero(same).tolist()
        return WindowsOfList(
            self.listed.changed(
                {
                    i: f"both alleles read {cut_middle(x)} (an indel in a repeat)"
                    for i, x in zip(rows, letters, strict=True)
                }
            ),
            self.windows.rows(~same) if rows else self.windows,
        )


def windows_of_list(
    variants: Sequence[Variant],
    fasta: str | PathLike[str],
    *,
    length: int,
    skip: frozenset[str] = frozenset(),
    read_out: ReadOut | None = None,
    align: Align | None = None,
    widest: int | None = None,
) -> WindowsOfList:
    r"""Cut the windows of a list's haplotypes, without the variants that `skip` leaves
    out.

    Parameters
    ----------
    variants, fasta, length, align
        As for `variant_windows`, which says what is refused.
    skip
        Reasons for which variants are left out (`listed_variants`).
    read_out
        As for `place_by_read_out`; None: the variant in the middle, and alternates of
        one reference in one window. A table has a row for each variant given.
    widest
        Most bases of an allele; None: `length`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "genome.fa"
    >>> _ = path.write_text(">chr1\nAACCGGTTACGT\n")
    >>> found = windows_of_list(
    ...     [Variant("chr1", 4, "G", "T"), Variant("chr1", 0, "A", "T")],
    ...     path,
    ...     length=6,
    ...     skip=frozenset({"edge"}),
    ... )
    >>> found.windows.names, [x.reason for x in found.listed.skipped]
    (('chr1:5:G>T',), ['edge'])
    """
    _check_length(length)
    chosen = as_variants(variants)
    side = align or ("left" if read_out is None else "read_out")
    sites = (
        None
        if read_out is None
        else _read_out_sites(chosen, read_out, lenient="read_out" in skip)
    )

    shared = _shared_windows(chosen, length)

    def start_of(variant: Variant, i: int) -> int:
        first = shared[i]
        if first is None:
            return length // 2 - allele_width(variant) // 2
        return variant.position - first

    def span(variant: Variant, i: int) -> tuple[int, int] | None:
        start, minus = start_of(variant, i), False
        if sites is not None:
            at, minus = int(sites[0][i]), bool(sites[1][i])
            middle = length - 1 - length // 2 if minus else length // 2
            start = variant.position - at + middle
            if at < 0 or not 0 <= start <= length - allele_width(variant):
                return None
        return _span(variant, start, length, _side(variant, start, length, side, minus))

    listed = listed_variants(
        variants,
        fasta,
        skip=skip,
        span=span,
        widest=length if widest is None else widest,
    )
    index = {x.name: i for i, x in enumerate(chosen)}
    which = [index[x.name] for x in listed.haplotypes]
    if sites is None:
        starts = [*map(start_of, listed.haplotypes, which)]
        placed = Placed(np.array(starts), np.zeros(len(which), bool))
    else:
        placed = _placed(listed.haplotypes, sites[0][which], sites[1][which], length)
    windows = variant_windows(
        listed.haplotypes,
        fasta,
        length=length,
        starts=placed.starts.tolist(),
        align=side,
        minus=placed.minus.tolist(),
    )
    return WindowsOfList(listed, windows)


def _shared_windows(variants: Sequence[Variant], length: int) -> list[int | None]:
    """Return the first base of the window that several alternates of one reference
    have, which fits the widest; None for a variant of its own.
    """
    first: dict[tuple[str, int, str], list[int]] = defaultdict(list)
    for x in variants:
        start = x.position - length // 2 + allele_width(x) // 2
        first[x.chromosome, x.position, x.reference].append(start)
    of = [first[x.chromosome, x.position, x.reference] for x in variants]
    return [max(starts) if len(starts) > 1 else None for starts in of]


def _side(
    variant: Variant, start: int, length: int, align: Align, minus: bool
) -> Align:
    """Return the side, left or right on the plus strand, on which bases beside the
    allele keep their place.
    """
    if align != "read_out":
        return ("right" if align == "left" else "left") if minus else align
    middle = length - 1 - length // 2 if minus else length // 2
    alleles = variant.reference, variant.alternate
    shared = next(
        (i for i, (x, y) in enumerate(zip(*alleles, strict=False)) if x != y),
        min(map(len, alleles)),
    )
    return keeping_side(
        start + shared, len(variant.reference) - shared, middle, minus=minus
    )


def keeping_side(
    at: int, removed: int, middle: int, *, minus: bool = False
) -> Literal["left", "right"]:
    """Return the side of a change at which the bases keep their place so that the
    middle of the window does.

    Examples
    --------
    >>> [
    ...     keeping_side(at, 2, 30) for at in (28, 29, 30, 31)
    ... ]  # removed before it, around it (two), behind it
    ['right', 'left', 'left', 'left']
    """
    inside = at <= middle < at + removed
    return "left" if middle < at or (inside and not minus) else "right"


def allele_width(variant: Variant) -> int:
    """Return the number of letters of the longer allele."""
    return max(len(variant.reference), len(variant.alternate))


def _check_windows_fit(chosen: tuple[Variant, ...], length: int) -> None:
    _check_length(length)
    long = next((x for x in chosen if allele_width(x) > length), None)
    if long is not None:
        raise SequenceError(
            f"variant {quoted(long.name)} has an allele of {allele_width(long)} bases, "
            f"more than length={length}; skip='long' leaves it out"
        )


def _check_length(length: int) -> None:
    if not is_whole(length) or length < 1:
        msg = (
            f"length={quoted(length)}: windows have a whole number of bases, at least 1"
        )
        raise SequenceError(msg)


def _as_window_starts(
    chosen: tuple[Variant, ...], starts: Sequence[int], length: int
) -> list[int]:
    at = [int(start) for start in starts]
    if len(at) != len(chosen):
        msg = (
            f"{len(at)} starts for {len(chosen)} variants; give each variant the start "
            "of its allele"
        )
        raise SequenceError(msg)
    for variant, start in zip(chosen, at, strict=True):
        if not 0 <= start <= length - allele_width(variant):
            msg = (
                f"variant {quoted(variant.name)}: an allele of {allele_width(variant)} "
                f"bases that begins at {start} leaves its window of {length}; the last "
                f"start is {length - allele_width(variant)}"
            )
            raise SequenceError(msg)
    return at


def _span(variant: Variant, at: int, length: int, align: Align) -> tuple[int, int]:
    """Return the bases of the genome for both windows: a deletion needs more at the end
    that is filled.
    """
    more = max(len(variant.reference) - len(variant.alternate), 0)
    first = variant.position - at - (more if align == "right" else 0)
    return first, first + length + more


def _check_inside(
    genome: Genome,
    variants: Sequence[Variant],
    spans: Sequence[tuple[int, int]],
    length: int,
) -> None:
    """Raise SequenceError if windows of two variants or more leave their chromosomes;
    one is named by `Genome`.
    """
    outside, lengths = [], genome.lengths
    for variant, (first, last) in zip(variants, spans, strict=True):
        if variant.chromosome in lengths and (
            first < 0 or last > lengths[variant.chromosome]
        ):
            outside.append(variant.name)
    if len(outside) > 1:
        shown = ", ".join(map(quoted, outside[:5])) + (
            ", ..." if len(outside) > 5 else ""
        )
        msg = (
            f"{len(outside):,} of {len(variants):,} variants lie so near an end of "
            f"their chromosome that a window of {length:,} bases leaves it: {shown}; "
            + "skip='edge' leaves it out"
        )
        raise SequenceError(msg)


def _check_letters(variant: Variant, letters: str, fasta: str | PathLike[str]) -> None:
    if not set(BASES).issuperset(letters):
        odd = next(i for i, letter in enumerate(letters) if letter not in BASES)
        msg = (
            f"variant {quoted(variant.name)}: {fasta} has {quoted(letters[odd])}, "
            f"which is not a base, {odd} bases after the start of its window; "
            + "skip='N' leaves it out"
        )
        raise SequenceError(msg)


def _complement(letters: str) -> str:
    return letters[::-1].translate(COMPLEMENT)


@dataclass(frozen=True)
class Change:
    """What one variant changes, without the bases that its alleles share.

    Attributes
    ----------
    removed, added
        Letters of the reference and of the alternate; one of them is empty for an
        insertion or a deletion.
    left, right
        The bases beside them in the reference window, as many as were asked for (fewer
        at its ends).
    at
        Where the change begins in the reference window.
    """

    removed: str
    added: str
    left: str
    right: str
    at: int

    @property
    def size(self) -> tuple[int, int]:
        """Number of bases removed and added."""
        return len(self.removed), len(self.added)

    @cached_property
    def on_other_strand(self) -> Change:
        """The same change as the other strand reads it, at the same place."""
        removed, added, left, right = map(
            _complement, (self.removed, self.added, self.right, self.left)
        )
        return Change(removed, added, left, right, self.at)


def variant_changes(windows: VariantWindows, *, flank: int) -> list[Change]:
    """Return what each variant changes in its window, with `flank` bases on each side.

    Examples
    --------
    >>> from causalgia.sequences import Variant, encode
    >>> both = encode(["ACGTACGT", "ACGTACGT"]), encode(["ACGGACGT", "ACGACGTA"])
    >>> chosen = Variant("c", 3, "T", "G"), Variant("c", 2, "GT", "G")
    >>> for change in variant_changes(
    ...     VariantWindows(chosen, *both, np.array([3, 2])), flank=1
    ... ):
    ...     print(change.removed, change.added, change.left, change.right, change.at)
    T G G A 3
    T  G A 3
    """
    found = []
    rows = zip(
        windows.variants,
        decode(windows.reference),
        windows.start.tolist(),
        windows.on_minus,
        strict=True,
    )
    for variant, letters, start, minus in rows:
        removed, added = variant.reference, variant.alternate
        if minus:
            removed, added = map(_complement, (removed, added))
        shared = 0
        while (
            shared < min(len(removed), len(added)) and removed[shared] == added[shared]
        ):
            shared += 1
        removed, added, at = removed[shared:], added[shared:], start + shared
        while removed and added and removed[-1] == added[-1]:
            removed, added = removed[:-1], added[:-1]
        stop = at + len(removed)
        found.append(
            Change(
                removed,
                added,
                letters[max(at - flank, 0) : at],
                letters[stop : stop + flank],
                at,
            )
        )
    return found


def shared_stretches(
    at: int, removed: int, added: int, length: int, *, right: bool
) -> Stretches:
    """Return the stretches ``(start, stop, shift)`` of the bases of a window that its
    other allele has too, where base i stands at ``i + shift``; none where all keep
    their place.

    Parameters
    ----------
    at, removed, added
        The change: where it begins, the bases that it removes and those that it adds.
        As many as are both removed and added replace one another, those on the side
        that keeps its place.
    length
        Bases of the window.
    right
        Whether the bases behind it keep their place, and not those before it.

    Examples
    --------
    >>> shared_stretches(4, 2, 0, 10, right=False)
    ((0, 4, 0), (6, 10, -2))
    >>> shared_stretches(4, 1, 3, 10, right=True)
    ((0, 4, -2), (4, 10, 0))
    """
    shift, both, stop = added - removed, min(removed, added), at + removed
    if not shift:
        return ()
    if right:
        return (0, at, -shift), (stop - both, length, 0)
    return (0, at + both, 0), (stop, length, shift)


def distance_class(distance: int) -> int:
    """Return the side and the power of two of a distance: 0, +-1 for 1, +-2 for 2 to 3,
    +-3 for 4 to 7, ...

    Examples
    --------
    >>> [distance_class(d) for d in (-5, -1, 0, 1, 2, 3, 4)]
    [-3, -1, 0, 1, 2, 2, 3]
    """
    return (distance > 0) * distance.bit_length() - (
        distance < 0
    ) * distance.bit_length()


def distances_of(number: int) -> range:
    """Return the distances of a class.

    Examples
    --------
    >>> [list(distances_of(i)) for i in (-2, 0, 1, 3)]
    [[-3, -2], [0], [1], [4, 5, 6, 7]]
    """
    if number == 0:
        return range(1)
    least, beyond = 1 << (abs(number) - 1), 1 << abs(number)
    return range(least, beyond) if number > 0 else range(1 - beyond, 1 - least)


def changed_windows(
    wide: Tokens,
    offset: int,
    length: int,
    at: Sequence[int],
    removed: int,
    added: Tokens,
    align: Align,
) -> tuple[Tokens, Tokens]:
    """Return the windows ``[offset, offset + length)`` of wider sequences, as they are
    and with a change each.

    Parameters
    ----------
    wide
        (n, width) tokens, with the bases that a deletion takes from beyond the window.
    offset, length
        The window.
    at
        (n,) where each change begins in the window.
    removed
        Bases that each removes.
    added
        (n, bases) that each adds.
    align
        The side of an indel that keeps its place.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> for side in ("left", "right"):
    ...     windows = changed_windows(
    ...         encode(["GACGTC"]), 1, 4, [1], 1, encode(["AA"])[:, :0], side
    ...     )
    ...     print(*map(decode, windows))
    ['ACGT'] ['AGTC']
    ['ACGT'] ['GAGT']
    """
    n_added = added.shape[1]
    start = np.asarray(at, np.int64)[:, None] + offset
    column = (
        np.arange(length)[None, :]
        + offset
        + (n_added - removed if align == "right" else 0)
    )
    source = np.where(column < start, column, column - n_added + removed)
    inside = (column >= start) & (column < start + n_added)
    alternate = np.take_along_axis(wide, np.where(inside, 0, source), axis=1)
    row = np.broadcast_to(np.arange(len(wide))[:, None], inside.shape)[inside]
    alternate[inside] = added[row, (column - start)[inside]]
    return wide[:, offset : offset + length].copy(), alternate


ReadOut: TypeAlias = str | PathLike[str] | Mapping[str, Sequence[int] | Sequence[str]]
"""Sites in a BED or narrowPeak file or its table, or a table with the columns
``position`` and, if need be, ``strand``.
"""


class Placed(NamedTuple):
    """Where V variants lie in windows that have their read-outs in the middle.

    Attributes
    ----------
    starts
        (V,) where each allele begins in its window on the plus strand.
    minus
        (V,) which read-outs lie on the minus strand.
    """

    starts: NDArray[np.int64]
    minus: Mask


def place_by_read_out(
    variants: Sequence[Variant], read_out: ReadOut, *, length: int
) -> Placed:
    r"""Place variants in windows whose middle, ``length // 2`` as the network reads
    them, is their read-out.

    Parameters
    ----------
    variants
        The V variants.
    read_out
        A BED file of sites (transcription start sites, splice sites, peaks), of which
        each variant gets the nearest on its chromosome: the middle of the interval, or
        the summit in column 10 of narrowPeak; on the strand of column 6, if there is
        one. Or a table with a row for each variant: ``position``, counted from 0, and
        ``strand``, "+" or "-".
    length
        Bases of a window.

    Raises
    ------
    SequenceError
        If the file cannot be read or has no site on a variant's chromosome, some of its
        sites have a strand and others none, the table lacks its column or a row, a
        value is malformed, or variants lie outside of their windows.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "tss.bed"
    >>> _ = path.write_text("chr1\t100\t101\ta\t0\t+\nchr1\t300\t301\tb\t0\t-\n")
    >>> place_by_read_out(
    ...     [Variant("chr1", 96, "A", "G"), Variant("chr1", 310, "A", "G")],
    ...     path,
    ...     length=61,
    ... )
    Placed(starts=array([26, 40]), minus=array([False,  True]))
    """
    at, minus = _read_out_sites(variants, read_out)
    return _placed(variants, at, minus, length)


def _read_out_sites(
    variants: Sequence[Variant], read_out: ReadOut, *, lenient: bool = False
) -> tuple[NDArray[np.int64], Mask]:
    """Return position and strand of each variant's site; -1 for none, if lenient."""
    table: Any = read_out
    columns = {str(x).lower() for x in table} if hasattr(table, "keys") else set()
    if of_file(read_out) or columns & {"start", "chromstart"}:
        return _nearest_sites(variants, read_out, lenient=lenient)
    return _of_table(read_out, len(variants))


def _placed(
    variants: Sequence[Variant], at: NDArray[np.int64], minus: Mask, length: int
) -> Placed:
    middle = np.where(minus, length - 1 - length // 2, length // 2)
    starts = np.array([x.position for x in variants], np.int64) - at + middle
    widths = np.array([max(len(x.reference), len(x.alternate)) for x in variants])
    outside = np.flatnonzero((starts < 0) | (starts + widths > length)).tolist()
    if outside:
        far = ", ".join(
            f"{quoted(variants[i].name)} {abs(variants[i].position - int(at[i])):,} "
            f"bases from {variants[i].chromosome}:{at[i] + 1}"
            for i in outside[:5]
        )
        raise SequenceError(
            f"{len(outside):,} of {len(variants):,} variants lie outside of the window "
            f"of {length} bases around their read-out "
            f"({far}{', ...' if len(outside) > 5 else ''}); "
            + "skip='read_out' leaves it out"
        )
    return Placed(starts, minus)


def _nearest_sites(
    variants: Sequence[Variant], path: ReadOut, *, lenient: bool = False
) -> tuple[NDArray[np.int64], Mask]:
    sites: dict[str, list[Window]] = defaultdict(list)
    for site in sorted(_sites(path), key=lambda x: x.start):
        sites[site.chromosome].append(site)
    at, minus = np.zeros(len(variants), np.int64), np.zeros(len(variants), bool)
    starts = {
        chromosome: np.array([site.start for site in rows])
        for chromosome, rows in sites.items()
    }
    for i, variant in enumerate(variants):
        if variant.chromosome not in sites:
            if lenient:
                at[i] = -1
                continue
            shown = ", ".join(map(quoted, list(sites)[:3])) + (
                ", ..." if len(sites) > 3 else ""
            )
            raise SequenceError(
                f"read_out: no site on chromosome {quoted(variant.chromosome)} of "
                f"variant {quoted(variant.name)}; its chromosomes are {shown}: "
                + "skip='read_out' leaves it out"
            )
        nearest = int(np.abs(starts[variant.chromosome] - variant.position).argmin())
        site = sites[variant.chromosome][nearest]
        at[i], minus[i] = site.start, site.strand == "-"
    return at, minus


def _sites(path: Any) -> list[Window]:
    """Return the sites of a BED or narrowPeak file, or its table, as windows of one
    base.
    """
    text, source = bed_text(path, 1)
    rows = [
        (number, line.split("\t") if "\t" in line else line.split())
        for number, line in numbered_lines(text)
        if not line.startswith(("#", "track", "browser"))
    ]
    strands = {len(row) > 5 and row[5].strip() in ("+", "-") for _, row in rows}
    if len(strands) == 2:
        number = next(
            n for n, row in rows if len(row) <= 5 or row[5].strip() not in ("+", "-")
        )
        raise SequenceError(
            f"{source}: line {number} has no strand '+' or '-' (column 6), and other "
            "lines have; give each site its strand, or none"
        )
    summits = bool(rows) and all(
        len(row) == 10 and row[9].strip() != "-1" for _, row in rows
    )
    return read_bed(
        path,
        length=1,
        center="summit" if summits else "middle",
        stranded=strands == {True},
    )


def _of_table(table: Any, n: int) -> tuple[NDArray[np.int64], Mask]:
    columns = (
        list(table) if hasattr(table, "__iter__") and hasattr(table, "keys") else None
    )
    if columns is None:
        raise SequenceError(
            f"read_out={quoted(table)} is neither a file nor a table: give a BED "
            "file of sites, or a table with the columns 'position' (counted from 0) "
            "and 'strand', a row for each variant"
        )
    if "position" not in columns:
        raise SequenceError(
            "read_out= has no column 'position', the site of each variant counted "
            f"from 0; its columns are {', '.join(map(quoted, columns)) or 'none'}: "
            "rename the one that has it"
        )
    positions = list(table["position"])
    strands = list(table["strand"]) if "strand" in columns else ["+"] * len(positions)
    if len(positions) != n or len(strands) != n:
        raise SequenceError(
            f"read_out= has {len(positions):,} rows, and there are {n:,} variants; "
            "give each variant its row, in their order"
        )
    for row, (position, strand) in enumerate(zip(positions, strands, strict=True)):
        if not is_whole(position) or position < 0:
            raise SequenceError(
                f"read_out=, row {row}: position={quoted(position)} is not a "
                "whole number, counted from 0"
            )
        if strand not in ("+", "-"):
            raise SequenceError(
                f"read_out=, row {row}: strand={quoted(strand)} is neither '+' nor '-'"
            )
    return np.array([int(x) for x in positions], np.int64), np.array(
        [x == "-" for x in strands], bool
    )
