"""Variants in their windows: the change in each window, and windows centered on sites where a network reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import is_whole
from causalgia.choices import Align
from causalgia.errors import SequenceError, quoted
from causalgia.sequences.alphabet import decode
from causalgia.sequences.genome import Window, read_bed
from causalgia.sequences.text_files import numbered_lines, read_text
from causalgia.sequences.vcf import Variant, VariantWindows
from causalgia.types import Mask, Tokens

_COMPLEMENT = str.maketrans("ACGT", "TGCA")


def _complement(word: str) -> str:
    return word[::-1].translate(_COMPLEMENT)


@dataclass(frozen=True)
class Change:
    """What one variant changes, without the bases that its alleles share.

    Attributes
    ----------
    removed, added
        Letters of the reference and of the alternate; one of them is empty for an insertion or a deletion.
    left, right
        The bases beside them in the reference window, as many as were asked for (fewer at its ends).
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
        removed, added, left, right = map(_complement, (self.removed, self.added, self.right, self.left))
        return Change(removed, added, left, right, self.at)


def variant_changes(windows: VariantWindows, *, flank: int) -> list[Change]:
    """Return what each variant changes in its window, with `flank` bases on each side.

    Examples
    --------
    >>> from causalgia.sequences import Variant, encode
    >>> both = encode(["ACGTACGT", "ACGTACGT"]), encode(["ACGGACGT", "ACGACGTA"])
    >>> chosen = Variant("c", 3, "T", "G"), Variant("c", 2, "GT", "G")
    >>> for change in variant_changes(VariantWindows(chosen, *both, np.array([3, 2])), flank=1):
    ...     print(change.removed, change.added, change.left, change.right, change.at)
    T G G A 3
    T  G A 3
    """
    found = []
    rows = zip(windows.variants, decode(windows.reference), windows.start.tolist(), windows.on_minus, strict=True)
    for variant, letters, start, minus in rows:
        removed, added = variant.reference, variant.alternate
        if minus:
            removed, added = map(_complement, (removed, added))
        shared = 0
        while shared < min(len(removed), len(added)) and removed[shared] == added[shared]:
            shared += 1
        removed, added, at = removed[shared:], added[shared:], start + shared
        while removed and added and removed[-1] == added[-1]:
            removed, added = removed[:-1], added[:-1]
        stop = at + len(removed)
        found.append(Change(removed, added, letters[max(at - flank, 0) : at], letters[stop : stop + flank], at))
    return found


def distance_class(distance: int) -> int:
    """Return the side and the power of two of a distance: 0, +-1 for 1, +-2 for 2 to 3, +-3 for 4 to 7, ...

    Examples
    --------
    >>> [distance_class(d) for d in (-5, -1, 0, 1, 2, 3, 4)]
    [-3, -1, 0, 1, 2, 2, 3]
    """
    return (distance > 0) * distance.bit_length() - (distance < 0) * distance.bit_length()


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
    wide: Tokens, offset: int, length: int, at: Sequence[int], removed: int, added: Tokens, align: Align
) -> tuple[Tokens, Tokens]:
    """Return the windows ``[offset, offset + length)`` of wider sequences, as they are and with a change each.

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
    ...     windows = changed_windows(encode(["GACGTC"]), 1, 4, [1], 1, encode(["AA"])[:, :0], side)
    ...     print(*map(decode, windows))
    ['ACGT'] ['AGTC']
    ['ACGT'] ['GAGT']
    """
    n_added = added.shape[1]
    start = np.asarray(at, np.int64)[:, None] + offset
    column = np.arange(length)[None, :] + offset + (n_added - removed if align == "right" else 0)
    source = np.where(column < start, column, column - n_added + removed)
    inside = (column >= start) & (column < start + n_added)
    alternate = np.take_along_axis(wide, np.where(inside, 0, source), axis=1)
    row = np.broadcast_to(np.arange(len(wide))[:, None], inside.shape)[inside]
    alternate[inside] = added[row, (column - start)[inside]]
    return wide[:, offset : offset + length].copy(), alternate


ReadOut: TypeAlias = "str | PathLike[str] | Mapping[str, Sequence[Any]]"
"""Sites in a BED or narrowPeak file, or a table with the columns ``position`` and, if need be, ``strand``."""


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


def place_by_read_out(variants: Sequence[Variant], read_out: ReadOut, *, length: int) -> Placed:
    r"""Place variants in windows whose middle, ``length // 2`` as the network reads them, is their read-out.

    Parameters
    ----------
    variants
        The V variants.
    read_out
        A BED file of sites (transcription start sites, splice sites, peaks), of which each variant gets the nearest on
        its chromosome: the middle of the interval, or the summit in column 10 of narrowPeak; on the strand of column 6,
        if there is one. Or a table with a row for each variant: ``position``, counted from 0, and ``strand``, "+" or
        "-".
    length
        Bases of a window.

    Raises
    ------
    SequenceError
        If the file cannot be read or has no site on a variant's chromosome, some of its sites have a strand and others
        none, the table lacks its column or a row, a value is malformed, or variants lie outside of their windows.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "tss.bed"
    >>> _ = path.write_text("chr1\t100\t101\ta\t0\t+\nchr1\t300\t301\tb\t0\t-\n")
    >>> place_by_read_out([Variant("chr1", 96, "A", "G"), Variant("chr1", 310, "A", "G")], path, length=61)
    Placed(starts=array([26, 40]), minus=array([False,  True]))
    """
    if isinstance(read_out, str | PathLike):
        at, minus = _nearest_sites(variants, read_out)
    else:
        at, minus = _of_table(read_out, len(variants))
    middle = np.where(minus, length - 1 - length // 2, length // 2)
    starts = np.array([x.position for x in variants], np.int64) - at + middle
    widths = np.array([max(len(x.reference), len(x.alternate)) for x in variants])
    outside = np.flatnonzero((starts < 0) | (starts + widths > length)).tolist()
    if outside:
        far = ", ".join(
            f"{quoted(variants[i].name)} {abs(variants[i].position - int(at[i])):,} bases from "
            f"{variants[i].chromosome}:{at[i] + 1}"
            for i in outside[:5]
        )
        raise SequenceError(
            f"{len(outside):,} of {len(variants):,} variants lie outside of the window of {length} bases around their "
            f"read-out ({far}{', ...' if len(outside) > 5 else ''}); leave them out, or give sites nearer to them "
            "(read_out=) or a longer length="
        )
    return Placed(starts, minus)


def _nearest_sites(variants: Sequence[Variant], path: str | PathLike[str]) -> tuple[NDArray[np.int64], Mask]:
    sites: dict[str, list[Window]] = defaultdict(list)
    for site in sorted(_sites(path), key=lambda x: x.start):
        sites[site.chromosome].append(site)
    at, minus = np.zeros(len(variants), np.int64), np.zeros(len(variants), bool)
    starts = {chromosome: np.array([site.start for site in rows]) for chromosome, rows in sites.items()}
    for i, variant in enumerate(variants):
        if variant.chromosome not in sites:
            shown = ", ".join(map(quoted, list(sites)[:3])) + (", ..." if len(sites) > 3 else "")
            raise SequenceError(
                f"{path}: no site on chromosome {quoted(variant.chromosome)} of variant {quoted(variant.name)}; its "
                f"chromosomes are {shown}: add sites, or leave the variant out"
            )
        nearest = int(np.abs(starts[variant.chromosome] - variant.position).argmin())
        site = sites[variant.chromosome][nearest]
        at[i], minus[i] = site.start, site.strand == "-"
    return at, minus


def _sites(path: str | PathLike[str]) -> list[Window]:
    """Return the sites of a BED or narrowPeak file as windows of one base."""
    rows = [
        (number, line.split("\t") if "\t" in line else line.split())
        for number, line in numbered_lines(read_text(path))
        if not line.startswith(("#", "track", "browser"))
    ]
    strands = {len(row) > 5 and row[5].strip() in ("+", "-") for _, row in rows}
    if len(strands) == 2:
        number = next(n for n, row in rows if len(row) <= 5 or row[5].strip() not in ("+", "-"))
        raise SequenceError(
            f"{path}: line {number} has no strand '+' or '-' (column 6), and other lines have; give each site its "
            "strand, or none"
        )
    summits = bool(rows) and all(len(row) == 10 and row[9].strip() != "-1" for _, row in rows)
    return read_bed(path, length=1, center="summit" if summits else "middle", stranded=strands == {True})


def _of_table(table: Any, n: int) -> tuple[NDArray[np.int64], Mask]:
    columns = list(table) if hasattr(table, "__iter__") and hasattr(table, "keys") else None
    if columns is None:
        raise SequenceError(
            f"read_out={quoted(table)} is neither a file nor a table: give a BED file of sites, or a table with "
            "the columns "
            "'position' (counted from 0) and 'strand', a row for each variant"
        )
    if "position" not in columns:
        raise SequenceError(
            f"read_out= has no column 'position', the site of each variant counted from 0; its columns are "
            f"{', '.join(map(quoted, columns)) or 'none'}: rename the one that has it"
        )
    positions = list(table["position"])
    strands = list(table["strand"]) if "strand" in columns else ["+"] * len(positions)
    if len(positions) != n or len(strands) != n:
        raise SequenceError(
            f"read_out= has {len(positions):,} rows, and there are {n:,} variants; give each variant its row, in their "
            "order"
        )
    for row, (position, strand) in enumerate(zip(positions, strands, strict=True)):
        if not is_whole(position) or position < 0:
            raise SequenceError(
                f"read_out=, row {row}: position={quoted(position)} is not a whole number, counted from 0"
            )
        if strand not in ("+", "-"):
            raise SequenceError(f"read_out=, row {row}: strand={quoted(strand)} is neither '+' nor '-'")
    return np.array([int(x) for x in positions], np.int64), np.array([x == "-" for x in strands], bool)
