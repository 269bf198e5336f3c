"""Variants in their own contexts: the windows of the genome with both alleles, and the
regions that they cover.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from causalgia.design import Arm, EmbedEach, Untreated
from causalgia.sequences.alphabet import decode
from causalgia.sequences.parents import overlapping
from causalgia.sequences.windowed_variants import VariantWindows
from causalgia.types import Stretches, Tokens

REFERENCE, ALTERNATE = "reference", "alternate"
CONTRAST = {"alternate minus reference": {ALTERNATE: 1.0, REFERENCE: -1.0}}


def arms_of(
    reference: Tokens,
    alternate: Tokens,
    aligned: Sequence[Stretches],
    names: tuple[str, str] = (REFERENCE, ALTERNATE),
) -> list[Arm]:
    """Return the two arms: the windows as they are, and with the alternate letters,
    whose tracks are read at the bases of the reference.
    """
    letters, starts = _replaced_letters(reference, alternate)
    changed = EmbedEach(letters, at=starts)
    return [Arm(names[0], Untreated()), Arm(names[1], changed, aligned=aligned)]


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


def _replaced_letters(
    reference: Tokens, alternate: Tokens
) -> tuple[list[str], list[int]]:
    """Return the alternate letters from the first base that differs to the last one,
    and where they start.
    """
    differs = reference != alternate
    first = np.argmax(differs, axis=1)
    last = reference.shape[1] - np.argmax(differs[:, ::-1], axis=1)
    stops = np.where(differs.any(axis=1), last, first + 1).tolist()
    starts = first.tolist()
    rows = zip(decode(alternate), starts, stops, strict=True)
    return [row[start:stop] for row, start, stop in rows], starts
