"""Instances of a motif in given sequences, each with placebo spans: motif-free, of its width, in its sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalgia.design import AblateEach, Genomic
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.given_sequences import nearest_window, pattern_label
from causalgia.sequences import Instances, Motif, find_instances
from causalgia.streams import derive
from causalgia.types import Ints

P_VALUE = 1e-4
_SCANNED = 2_000  # changed spans that are scanned for the motif
_KEY = 0  # random key of fixed choices of the design: placebo spans, and the draws that are scanned

Spans = list[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Sites:
    """Instances of a motif with their placebo spans.

    Attributes
    ----------
    label
        Label of the motif.
    found
        Row in the given sequences, start, strand and score of each of m instances.
    sequence
        (m,) name of the sequence of each instance.
    cluster
        (m,) cluster of dependent instances: the parent of the sequence; the sequence where all share one parent; the
        instance itself where there is one sequence.
    placebo
        (m, draws) starts of placebo spans: same sequence and width, no overlap with an instance.
    n_sequences
        Number of given sequences.
    """

    label: str
    found: Instances
    sequence: tuple[str, ...]
    cluster: tuple[str, ...]
    placebo: Ints
    n_sequences: int

    def __len__(self) -> int:
        return len(self.found)

    @property
    def n_with(self) -> int:
        """Number of sequences with an instance."""
        return len(set(self.sequence))

    @property
    def spans(self) -> Spans:
        """(start, stop) of each instance."""
        return [(start, start + self.found.width) for start in self.found.start.tolist()]

    @property
    def placebo_spans(self) -> list[Spans]:
        """(start, stop) of the placebo spans of each instance."""
        return [[(start, start + self.found.width) for start in starts] for starts in self.placebo.tolist()]

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each instance, "peak1:12-19(+)"."""
        places = zip(self.sequence, self.spans, self.found.strand.tolist(), strict=True)
        return tuple(f"{name}:{start}-{stop}({strand})" for name, (start, stop), strand in places)


def motif_sites(null: Genomic, pattern: str | Motif, threshold: float | None, *, n_draws: int) -> Sites:
    """Find the instances of a word or motif in given sequences, and draw placebo spans for each.

    Raises
    ------
    DesignError
        If there are fewer than two instances, or no room for a placebo span in a sequence.
    SequenceError
        If the pattern is longer than the sequences, or cannot be searched.

    Examples
    --------
    >>> null = Genomic(of={"first": "CCAGATAAGCCCCCCCC", "second": "CCCCCCCCCCCTTATCT", "third": "C" * 17})
    >>> sites = motif_sites(null, "AGATAAG", None, n_draws=1)
    >>> sites.names, sites.n_with, sites.n_sequences
    (('first:2-9(+)', 'second:10-17(-)'), 2, 3)
    """
    tokens, names = null.parents_given.tokens, null.parents_given.names
    found, label = find_instances(tokens, pattern, threshold=threshold), pattern_label(pattern)
    if not len(found):
        near = nearest_window(tokens, names, pattern, P_VALUE if threshold is None else threshold)
        raise DesignError(f"motif: none of {len(tokens):,} sequences has an instance of {label}: {near}")
    sequence = tuple(str(names[row]) for row in found.row.tolist())
    if len(found) == 1:
        raise DesignError(
            f"motif: there is one instance of {label}, in {quoted(sequence[0])}, among {len(tokens):,} sequences, and "
            f"an average needs two or more; give more sequences{_threshold_advice(pattern, 'higher')}"
        )
    everywhere = find_instances(tokens, pattern, threshold=threshold, overlapping=True)
    free = [
        _free_starts(everywhere.start[everywhere.row == row], tokens.shape[1], found.width)
        for row in found.row.tolist()
    ]
    full = next((name for name, starts in zip(sequence, free, strict=True) if not len(starts)), None)
    if full is not None:
        raise DesignError(
            f"motif: sequence {quoted(full)} has nowhere {found.width} bases without an instance of {label}, for a "
            f"placebo span; drop it, or take longer sequences{_threshold_advice(pattern, 'lower')}"
        )
    placebo = _draw_placebo_starts(free, n_draws)
    return Sites(label, found, sequence, _cluster_labels(null, found, sequence), placebo, len(tokens))


def _cluster_labels(null: Genomic, found: Instances, sequence: tuple[str, ...]) -> tuple[str, ...]:
    parents = tuple(str(null.parent_names[row]) for row in found.row.tolist())
    each = tuple(map(str, range(len(found))))
    return next(labels for labels in (parents, sequence, each) if len(set(labels)) > 1)


def _threshold_advice(pattern: str | Motif, how: str) -> str:
    return "" if isinstance(pattern, str) else f", or a {how} threshold="


def _draw_placebo_starts(free: list[Ints], n_draws: int) -> Ints:
    """Draw starts of placebo spans uniformly and independently from those free in each row, (rows, draws).

    Examples
    --------
    >>> _draw_placebo_starts([np.array([3]), np.array([5])], 2).tolist()
    [[3, 3], [5, 5]]
    """
    from causalgia.sequences.random import random_below

    n = np.repeat([len(starts) for starts in free], n_draws)
    chosen = random_below(derive(_KEY, "placebo spans"), np.arange(len(n)), n).reshape(-1, n_draws)
    return np.array([starts[i] for starts, i in zip(free, chosen, strict=True)], np.int64)


def _free_starts(taken: Ints, length: int, width: int) -> Ints:
    """Return the starts of spans that overlap none of the taken spans.

    Examples
    --------
    >>> _free_starts(np.array([3]), 8, 2).tolist()
    [0, 1, 5, 6]
    """
    starts = np.arange(length - width + 1)
    free: Ints = starts[(np.abs(starts[:, None] - taken[None, :]) >= width).all(axis=1)]
    return free


def share_with_motif(
    spans: Sequence[tuple[int, int]], fill: str, rows: NDArray[np.uint8], pattern: str | Motif, threshold: float | None
) -> float:
    """Return the share of draws of a fill after which the span overlaps an instance of the motif.

    Parameters
    ----------
    spans
        (start, stop) in each row, all of one width.
    fill
        Fill, as in `causalgia.design.AblateEach`.
    rows
        (m, length) sequences.
    pattern, threshold
        As in `causalgia.sequences.find_instances`.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> share_with_motif([(2, 6)], "dinucleotide_shuffle", encode(["CCGATACC"]), "GATA", None)
    1.0
    """
    starts, width = np.array(spans)[:, 0], spans[0][1] - spans[0][0]
    wide = min(3 * width, rows.shape[1])
    begin = np.clip(starts - width, 0, rows.shape[1] - wide)
    windows = np.take_along_axis(rows, begin[:, None] + np.arange(wide), axis=1)
    each, inside = -(-_SCANNED // len(rows)), (starts - begin).tolist()
    drawn = AblateEach([(start, start + width) for start in inside], fill=fill, n_draws=each)
    units = np.arange(len(rows) * each, dtype=np.uint64)
    changed = drawn.apply(np.repeat(windows, each, axis=0), units=units, key=derive(_KEY, "scanned draws"))
    found = find_instances(changed, pattern, threshold=threshold, overlapping=True)
    near = np.abs(found.start - np.repeat(inside, each)[found.row]) < width
    return len(np.unique(found.row[near])) / len(changed)
