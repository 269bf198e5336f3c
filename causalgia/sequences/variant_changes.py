"""What a variant changes in its window: letters removed and added, their flanks, and their distance from the middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from causalgia.choices import Align
from causalgia.sequences.alphabet import decode
from causalgia.sequences.vcf import VariantWindows
from causalgia.types import Tokens

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
