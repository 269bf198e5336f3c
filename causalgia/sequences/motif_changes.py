"""The motif that a variant makes or breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalgia.choices import BASES
from causalgia.sequences.motif_scores import PER_BIT, step_scores, tail_probabilities
from causalgia.sequences.motifs import Motif
from causalgia.sequences.windowed_variants import Change
from causalgia.types import Array

_AT_ONCE = 500
_THRESHOLD = 1e-4


class MotifChanges(NamedTuple):
    """The motif that each of V variants changes most.

    Attributes
    ----------
    motif
        (V,) its name; empty where no motif matches either allele.
    score_ref, score_alt
        (V,) log-odds of its best place that overlaps the change, in bits, with the
        reference and with the alternate allele; NaN without a motif.
    strand
        (V,) of the better of the two, as the sequence is read.
    """

    motif: NDArray[np.str_]
    score_ref: Array
    score_alt: Array
    strand: NDArray[np.str_]


def motif_changes(
    changes: Sequence[Change], motifs: Mapping[str, Motif]
) -> MotifChanges:
    """Return the motif that each variant makes or breaks: of those that match one of
    the alleles, the one whose score differs most between them.

    Only places that overlap the change count: beside it both alleles read the same.

    Parameters
    ----------
    changes
        What each variant changes, with the bases beside it: as many on each side as the
        longest motif has, less one.
    motifs
        Name -> motif. The lowest score that is a match has a p-value of 1e-4, of one
        place and strand among uniform random bases; a motif too short for it matches by
        its best string.

    References
    ----------
    Grant, Bailey & Noble (2011), doi:10.1093/bioinformatics/btr064.

    Examples
    --------
    >>> from causalgia.sequences.motif_names import named_motifs
    >>> one = Change("T", "C", "GGCAGA", "AAGCCT", 6)
    >>> found = motif_changes([one], named_motifs(["AGATAAG"]))
    >>> found.motif.item(), found.strand.item()
    ('AGATAAG', '+')
    >>> found.score_ref.round(1).item(), found.score_alt.round(1).item()
    (13.9, 5.3)
    """
    names, steps = list(motifs), [step_scores(motif) for motif in motifs.values()]
    lowest = np.empty(len(names))
    for i, step in enumerate(steps):
        tails = tail_probabilities(step)
        least = max(_THRESHOLD, tails[-1]) * (1 + 1e-9)
        lowest[i] = step.min(axis=1).sum() + np.argmax(tails <= least)
    most, which = np.zeros(len(changes)), np.full(len(changes), -1)
    score, minus = np.full((len(changes), 2), np.nan), np.zeros(len(changes), bool)
    for first in range(0, len(changes), _AT_ONCE):
        some = changes[first : first + _AT_ONCE]
        for width in {len(step) for step in steps}:
            of = np.array([i for i, step in enumerate(steps) if len(step) == width])
            best = _best_scores(some, np.array([steps[i] for i in of]))
            top = best.max(axis=1)  # (allele, variant, motif)
            matches = top.max(axis=0) >= lowest[of]
            gain = np.where(matches, abs(top[1] - top[0]), 0.0)
            chosen, row = gain.argmax(axis=1), np.arange(len(some))
            more = gain[row, chosen] > most[first + row]
            row, chosen = row[more], chosen[more]
            at = first + row
            most[at], which[at] = gain[row, chosen], of[chosen]
            score[at] = top[:, row, chosen].T / PER_BIT
            allele = top[:, row, chosen].argmax(axis=0)
            minus[at] = best[allele, :, row, chosen].argmax(axis=1) == 1
    return MotifChanges(
        np.array([names[i] if i >= 0 else "" for i in which.tolist()]),
        score[:, 0],
        score[:, 1],
        np.where(which < 0, "", np.where(minus, "-", "+")),
    )


def _best_scores(changes: Sequence[Change], steps: NDArray[np.int64]) -> Array:
    """Return the best score of motifs (motif, width, 4) at places that overlap each
    change, (allele, strand, change, motif).
    """
    width = steps.shape[1]
    both = np.stack([steps, steps[:, ::-1, ::-1]])
    least = steps.min(axis=2).sum(axis=1)  # where an allele has no place
    found = np.empty((2, 2, len(changes), len(steps)))
    for allele in range(2):
        texts = [
            x.left[max(len(x.left) - width + 1, 0) :]
            + (x.added if allele else x.removed)
            + x.right[: width - 1]
            for x in changes
        ]
        longest = max(width, *map(len, texts))
        letters = np.array([list(text.ljust(longest, "N")) for text in texts])
        hot = (letters[..., None] == list(BASES)).astype(np.float32)
        places = np.lib.stride_tricks.sliding_window_view(hot, width, axis=1)
        flat = places.swapaxes(2, 3).reshape(-1, 4 * width)
        scores = flat @ both.reshape(-1, 4 * width).T.astype(np.float32)
        scores[flat.sum(axis=1) < width] = -np.inf
        best = scores.reshape(*places.shape[:2], 2, len(steps)).max(axis=1)
        found[allele] = np.maximum(best, least).swapaxes(0, 1)
    return found
