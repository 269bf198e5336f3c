"""Variants in their own contexts: the windows of the genome with both alleles, the
regions that they cover, and tracks along them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from causalgia.attributes import about
from causalgia.design import Arm, EmbedEach, Untreated
from causalgia.sequences.alphabet import decode
from causalgia.sequences.parents import overlapping
from causalgia.sequences.windowed_variants import VariantWindows, variant_changes
from causalgia.types import Tokens

if TYPE_CHECKING:
    import xarray as xr

REFERENCE, ALTERNATE = "reference", "alternate"
CONTRAST = {"alternate minus reference": {ALTERNATE: 1.0, REFERENCE: -1.0}}


def arms_of(reference: Tokens, alternate: Tokens) -> list[Arm]:
    """Return the two arms: the windows as they are, and with the alternate letters."""
    letters, starts = replaced_letters(reference, alternate)
    return [Arm(REFERENCE, Untreated()), Arm(ALTERNATE, EmbedEach(letters, at=starts))]


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


def replaced_letters(
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


def on_reference(outcomes: xr.Dataset, windows: VariantWindows) -> xr.Dataset:
    """Return outcomes of a track (unit, arm, position, task[, model]) whose positions
    are bases of the reference under both alleles.

    Behind an indel (before it, where windows are aligned right) the track of the
    alternate is shifted by the bases that it adds or lacks; those that it adds are left
    out. It is NaN at bases that it lacks, and at the window's end where it has none.
    The value of a bin is the mean over its bases.
    """
    n, width = outcomes.sizes["position"], about(outcomes, 1).bin
    first = (windows.reference.shape[1] - n * width) // 2  # of a cropped track
    base = first + np.arange(n * width)
    found = (
        outcomes["outcome"].transpose("unit", "arm", "position", ...).copy(deep=True)
    )
    values = found.sel(arm=ALTERNATE).to_numpy().copy()
    for i, change in enumerate(variant_changes(windows, flank=0)):
        removed, added = change.size
        stop, both = change.at + removed, min(removed, added)
        if removed == added:
            continue
        alike = windows.reference[i] == windows.alternate[i]
        if alike[: change.at].all():  # bases before it keep their place
            to = np.where(base < stop, base, base + added - removed)
            lacks = (base >= change.at + both) & (base < stop)
        else:
            to = np.where(base >= change.at, base, base + removed - added)
            lacks = (base >= change.at) & (base < stop - both)
        bin_of = (to - first) // width
        lacks |= (bin_of < 0) | (bin_of >= n)
        moved = values[i][np.clip(bin_of, 0, n - 1)].astype(float)
        moved[lacks] = np.nan
        rows = moved.reshape(n, width, *moved.shape[1:])
        values[i] = np.ma.masked_invalid(rows).mean(axis=1).filled(np.nan)
    found.loc[{"arm": ALTERNATE}] = values
    return outcomes.assign(outcome=found)
