"""Variants in their own contexts: the windows of the genome with both alleles, and the
regions that they cover.
"""

from __future__ import annotations

from os import PathLike
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalgia.choices import Align
from causalgia.design import Arm, EmbedEach, Untreated
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.listed_rows import ListOfVariants
from causalgia.sequences.alphabet import decode
from causalgia.sequences.listed_variants import ListedVariants
from causalgia.sequences.parents import overlapping
from causalgia.sequences.windowed_variants import (
    ReadOut,
    VariantWindows,
    variant_changes,
    windows_of_list,
)
from causalgia.types import Tokens

REFERENCE, ALTERNATE = "reference", "alternate"
MEAN = "alternate minus reference"
CONTRAST = {MEAN: {ALTERNATE: 1.0, REFERENCE: -1.0}}


class OwnContexts(NamedTuple):
    """The windows of a list of variants.

    Attributes
    ----------
    listed
        Its lines, and those left out.
    windows
        The window of each variant with either allele.
    distances
        Bases from the read-out of each window to the first one that changes; None
        where the variant itself is in the middle.
    """

    listed: ListedVariants
    windows: VariantWindows
    distances: tuple[int, ...] | None


def own_contexts(
    variants: ListOfVariants,
    fasta: str | PathLike[str],
    *,
    length: int,
    read_out: ReadOut | None,
    align: Align | None,
) -> OwnContexts:
    """Return the windows of the genome around the variants of a list.

    Raises
    ------
    DesignError
        If both alleles of a variant give one window, which is not left out.
    SequenceError
        As `causalgia.sequences.windowed_variants.windows_of_list`.
    """
    found = windows_of_list(
        variants.chosen,
        fasta,
        length=length,
        skip=variants.skip,
        read_out=read_out,
        align=align,
    )
    if "unchanged" in variants.skip:
        found = found.changed()
    windows = found.windows
    _check_changed(windows)
    if read_out is None:
        return OwnContexts(found.listed, windows, None)
    middle = windows.reference.shape[1] // 2
    changes = variant_changes(windows, flank=0)
    distances = tuple(change.at - middle for change in changes)
    return OwnContexts(found.listed, windows, distances)


def arms_of(alternates: list[str], starts: list[int]) -> list[Arm]:
    """Return the two arms: the windows as they are, and with the alternate letters."""
    return [
        Arm(REFERENCE, Untreated()),
        Arm(ALTERNATE, EmbedEach(alternates, at=starts)),
    ]


def _check_changed(windows: VariantWindows) -> None:
    if (same := windows.unchanged).any():
        name = windows.names[int(np.argmax(same))]
        raise DesignError(
            f"variant {quoted(name)}: both alleles give one window of "
            f"{windows.reference.shape[1]} bases (an indel in a repeat that reaches the "
            "window's end); skip='unchanged' leaves it out"
        )


def window_loci(windows: VariantWindows) -> list[str]:
    """Return the genomic region of each variant's window; overlapping windows share a
    region.
    """
    chromosome = [x.chromosome for x in windows.variants]
    first = windows.first
    group = overlapping(chromosome, first, first + windows.reference.shape[1])
    start = np.full(len(windows), first.max())
    np.minimum.at(start, group, first)
    return [f"{c}:{start[g]}" for c, g in zip(chromosome, group, strict=True)]


def replaced_strings(windows: VariantWindows) -> tuple[list[str], list[int]]:
    """Return the alternate letters, from the allele (or the first base that differs) to
    the last one, and starts.
    """
    if windows.align != "left" or windows.minus is not None:
        return replaced_letters(windows.reference, windows.alternate)
    differs = windows.reference != windows.alternate
    last = windows.reference.shape[1] - np.argmax(differs[:, ::-1], axis=1)
    stops = np.where(differs.any(axis=1), last, windows.start + 1)
    return _strings_between(windows.alternate, windows.start, stops)


def replaced_letters(
    reference: Tokens, alternate: Tokens
) -> tuple[list[str], list[int]]:
    """Return the alternate letters from the first base that differs to the last one,
    and where they start.
    """
    differs = reference != alternate
    starts = np.argmax(differs, axis=1)
    last = reference.shape[1] - np.argmax(differs[:, ::-1], axis=1)
    return _strings_between(
        alternate, starts, np.where(differs.any(axis=1), last, starts + 1)
    )


def _strings_between(
    alternate: Tokens, starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> tuple[list[str], list[int]]:
    first, letters = starts.tolist(), decode(alternate)
    rows = zip(letters, first, stops.tolist(), strict=True)
    return [row[start:stop] for row, start, stop in rows], first
