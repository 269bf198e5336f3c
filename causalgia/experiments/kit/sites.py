"""Sites in sequences: instances of a motif with placebo spans, and unintended sites beside embedded ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalgia.design import AblateEach, Design, Embed, Genomic
from causalgia.design.intervention import Layout, steps_of
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.given_sequences import nearest_window
from causalgia.sequences import Instances, Motif, find_instances
from causalgia.sequences.motif_scores import step_scores, tail_probabilities
from causalgia.streams import derive
from causalgia.types import Ints, Tokens

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

    Examples
    --------
    >>> null = Genomic(of={"first": "CCAGATAAGCCCCCCCC", "second": "CCCCCCCCCCCTTATCT", "third": "C" * 17})
    >>> sites = motif_sites(null, "AGATAAG", None, n_draws=1)
    >>> sites.names, sites.n_with, sites.n_sequences
    (('first:2-9(+)', 'second:10-17(-)'), 2, 3)
    """
    tokens, names = null.parents_given.tokens, null.parents_given.names
    found, label = find_instances(tokens, pattern, threshold=threshold), as_pattern(pattern).label
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
    starts, free = np.arange(tokens.shape[1] - found.width + 1), []
    for row in found.row.tolist():
        taken = everywhere.start[everywhere.row == row]
        free.append(starts[(np.abs(starts[:, None] - taken[None, :]) >= found.width).all(axis=1)])
    full = next((name for name, left in zip(sequence, free, strict=True) if not len(left)), None)
    if full is not None:
        raise DesignError(
            f"motif: sequence {quoted(full)} has nowhere {found.width} bases without an instance of {label}, for a "
            f"placebo span; drop it, or take longer sequences{_threshold_advice(pattern, 'lower')}"
        )
    parents, each = (str(null.parent_names[row]) for row in found.row.tolist()), map(str, range(len(found)))
    cluster = next(labels for labels in (tuple(parents), sequence, tuple(each)) if len(set(labels)) > 1)
    return Sites(label, found, sequence, cluster, _draw_placebo_starts(free, n_draws), len(tokens))


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


def share_with_motif(
    spans: Sequence[tuple[int, int]], fill: str, rows: NDArray[np.uint8], pattern: str | Motif, threshold: float | None
) -> float:
    """Return the share of draws of a fill after which the span overlaps an instance of the motif.

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


_BACKGROUNDS = 2_000
_P_VALUE = 1e-4  # of an instance of a motif, or that of its best word where it is greater
_WORTH_SAYING = 0.01


def further_sites(design: Design, name: str, *, key: int) -> dict[str, float]:
    """Return how often the embedded sites of an arm complete a further one with the letters between them.

    An instance is unintended if it overlaps two embedded spans and lies within neither: UGCAUG and UGCAUG 8 apart read
    ``UG CA UG`` in one uniform background of 16. Both strands of newly drawn backgrounds (2,000, or all of the null
    model) are scanned; the predictor is not called.

    Parameters
    ----------
    design
        A design with an arm that embeds two or more words or motifs.
    name
        Name of that arm.
    key
        Key of the random stream of backgrounds.

    Returns
    -------
    dict
        Word, or name of a motif -> share of backgrounds, 0 to 1.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.copies(at=(4, 12))
    >>> further_sites(experiment, "2 copies", key=0)
    {'UGCAUG': 0.06...}
    """
    arm = next(arm for arm in design.named_arms if arm.name == name)
    embeds = [step for step in steps_of(arm.intervention) if isinstance(step, Embed)]
    patterns = {as_pattern(step.written).label: step.written.source for step in embeds}
    spans = [(w.start, w.stop) for w in arm.intervention.lay(Layout(design.null.length)).written]
    first, last = min(start for start, _ in spans), max(stop for _, stop in spans)
    try:
        design.drawn.check(_BACKGROUNDS)
        n = _BACKGROUNDS
    except DesignError:  # the null model has fewer backgrounds
        n = design.n_units
    ids = np.arange(n, dtype=np.uint64)
    backgrounds = design.drawn.draw(ids, key=derive(key, "null"), n_units=n)
    tokens = arm.intervention.apply(backgrounds, units=ids, key=key)[:, first:last]
    written = np.array(spans) - first
    return {label: _share_completed(tokens, written, pattern) for label, pattern in patterns.items()}


def further_sites_in_words(design: Design, name: str, *, of: str, key: int) -> tuple[str, ...]:
    """Return a sentence for each word that an arm completes unintentionally in more than 1 % of backgrounds.

    Examples
    --------
    >>> import causalgia as cg
    >>> further_sites_in_words(cg.experiments.copies(at=(4, 12)), "2 copies", of="the excess", key=0)
    ('In 6 % of backgrounds the sites of "2 copies" and the letters between them read UGCAUG once more, on either ...',)
    >>> further_sites_in_words(cg.experiments.copies(at=(4, 13)), "2 copies", of="the excess", key=0)
    ()
    """
    return tuple(
        f'In {100 * share:.0f} % of backgrounds the sites of "{name}" and the letters between them read {label} once '
        f"more, on either strand: what it does is part of {of}."
        for label, share in further_sites(design, name, key=key).items()
        if share > _WORTH_SAYING
    )


def _share_completed(tokens: Tokens, spans: NDArray[np.int64], pattern: str | Motif) -> float:
    """Return the share of sequences with an instance that overlaps two spans and lies within neither."""
    threshold = None if isinstance(pattern, str) else max(_P_VALUE, float(tail_probabilities(step_scores(pattern))[-1]))
    if threshold is not None and threshold >= 1:  # every window is an instance
        return 0.0
    found = find_instances(tokens, pattern, threshold=threshold, overlapping=True)
    start, stop = found.start[:, None], found.start[:, None] + found.width
    overlapped = ((start < spans[:, 1]) & (spans[:, 0] < stop)).sum(axis=1)
    within = ((spans[:, 0] <= start) & (stop <= spans[:, 1])).any(axis=1)
    return len(np.unique(found.row[(overlapped >= 2) & ~within])) / len(tokens)
