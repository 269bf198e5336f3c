"""Sites and settings of experiments: positions, strings and motifs, checked, and
searched in real sequences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import as_position
from causalgia.choices import BASES
from causalgia.design import Design, Embed, Genomic, NullModel
from causalgia.design.intervention import Layout, steps_of
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError, SequenceError, quoted
from causalgia.sequences import Motif, find_instances, motif as motif_of
from causalgia.sequences.alphabet import reverse_complement
from causalgia.sequences.fasta import as_sequences
from causalgia.sequences.motif_scores import (
    Instances,
    step_scores,
    tail_probabilities,
)
from causalgia.streams import derive
from causalgia.types import Ints, Tokens


def as_positions(values: object, name: str, *, least: int = 1) -> tuple[int, ...]:
    """Return distinct 0-based positions, at least `least` of them.

    Examples
    --------
    >>> as_positions([4, 12], "at")
    (4, 12)
    """
    if isinstance(values, str):
        raise DesignError(
            f"{name}={quoted(values)} is text; give "
            + ("a position counted from 0, or a list" if least == 1 else "positions")
            + " such as [4, 12]"
        )
    listed = list(values) if isinstance(values, Iterable) else [values]
    places = tuple(as_position(value, name) for value in listed)
    if len(set(places)) < least:
        raise DesignError(
            f"{name}={quoted(values)}: give "
            + ("1 position" if least == 1 else f"{least} different positions")
            + " or more"
        )
    if len(set(places)) < len(places):
        raise DesignError(
            f"{name}={quoted(values)} names a position twice; give each once: "
            f"{name}={list(dict.fromkeys(places))}"
        )
    return places


def centered_starts(
    length: int, width: int, n: int = 1, *, gap: int = 0
) -> tuple[int, ...]:
    """Return the 0-based starts of n sites of one width, centered in a sequence with
    `gap` bases between neighbors.

    Sites that do not fit begin at 0; the design then raises an error about the ones
    that leave the sequence.

    Examples
    --------
    >>> centered_starts(41, 6), centered_starts(41, 6, 3, gap=4)
    ((17,), (7, 17, 27))
    """
    step = width + gap
    first = max((length - (n * step - gap)) // 2, 0)
    return tuple(first + i * step for i in range(n))


def as_start(value: object, name: str, length: int, width: int) -> int:
    """Return a valid 0-based start; None: the start that centers a site of this width.

    Examples
    --------
    >>> as_start(None, "at", 41, 6), as_start(3, "at", 41, 6)
    (17, 3)
    """
    return (
        centered_starts(length, width)[0] if value is None else as_position(value, name)
    )


def start_of_widest(null: NullModel, at: int | None, width: int, what: str) -> int:
    """Return where the widest of several sites starts, in the middle if `at` is None.

    Examples
    --------
    >>> from causalgia.design import Uniform
    >>> start_of_widest(Uniform(length=41), 38, 8, "a motif of 8 bases")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: at=38: a motif of 8 bases ends at 46, beyond 41 bp
    """
    start = as_start(at, "at", null.length, width)
    if start + width > null.length:
        raise DesignError(
            f"at={start}: {what} ends at {start + width:,}, beyond {null.length:,} bp"
        )
    return start


def as_site(value: Any, name: str) -> str | Motif:
    """Return a string or motif from a setting.

    A string of IUPAC letters is a string, even where a factor has that name; anything
    else is what `causalgia.motif` makes of it. A ``trial.toml`` may give
    ``{file = "x.meme", motif = "GATA1"}``.

    Examples
    --------
    >>> as_site("UGCAUG", "string"), as_site("GATA1", "string").name
    ('UGCAUG', 'GATA1')
    """
    try:
        return as_pattern(value).source
    except DesignError as error:
        raise DesignError(f"{name}: {error}") from error


def as_strings(values: Sequence[str], name: str, *, least: int = 1) -> tuple[str, ...]:
    """Return distinct strings of A C G T (U), at least `least` of them.

    Examples
    --------
    >>> as_strings(["UGCAUG", "AGCAUG"], "strings")
    ('UGCAUG', 'AGCAUG')
    """
    if not isinstance(values, Iterable) or isinstance(values, Mapping):
        raise DesignError(f"{name}={quoted(values)} is not a list of strings")
    patterns = []
    for value in [values] if isinstance(values, str) else values:
        if (
            not isinstance(value, str)
            or not value
            or not set(value.upper()) <= {*BASES, "U"}
        ):
            shown = value.name if isinstance(value, Motif) else value
            raise DesignError(f"{name}: {quoted(shown)} is not a string of A C G T (U)")
        patterns.append(as_pattern(value))
    if len(patterns) < least:
        raise DesignError(
            f"{name}={quoted(values)}: {least} strings or more are needed"
        )
    count = Counter(pattern.reads for pattern in patterns)
    twice = [pattern for pattern in patterns if count[pattern.reads] > 1]
    if twice:
        label, n = twice[0].label, count[twice[0].reads]
        raise DesignError(
            f"{name}: {label} is given {'twice' if n == 2 else f'{n} times'}; name "
            "each string once"
        )
    return tuple(pattern.label for pattern in patterns)


P_VALUE = 1e-4

Spans = list[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Sites:
    """Instances of a motif in given sequences.

    Attributes
    ----------
    label
        Label of the motif.
    found
        Row in the given sequences, start, strand and score of each of m instances.
    sequence
        (m,) name of the sequence of each instance.
    parent
        (m,) parent of the sequence of each instance.
    """

    label: str
    found: Instances
    sequence: tuple[str, ...]
    parent: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.found)

    @property
    def n_with(self) -> int:
        """Number of sequences with an instance."""
        return len(set(self.sequence))

    @property
    def cluster(self) -> tuple[str, ...]:
        """Cluster of dependent instances: the parent of the sequence; the sequence where
        all share one parent; the instance itself where there is one sequence.
        """
        each = tuple(map(str, range(len(self))))
        return next(
            labels
            for labels in (self.parent, self.sequence, each)
            if len(set(labels)) > 1
        )

    @property
    def spans(self) -> Spans:
        """(start, stop) of each instance."""
        return [
            (start, start + self.found.width) for start in self.found.start.tolist()
        ]

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each instance, "peak1:12-19(+)"."""
        places = zip(self.sequence, self.spans, self.found.strand.tolist(), strict=True)
        return tuple(
            f"{name}:{start}-{stop}({strand})" for name, (start, stop), strand in places
        )

    def take(self, numbers: Ints) -> Sites:
        """Return some of the instances, by number."""
        found = self.found
        return Sites(
            self.label,
            Instances(
                row=found.row[numbers],
                start=found.start[numbers],
                strand=found.strand[numbers],
                score=found.score[numbers],
                width=found.width,
            ),
            sequence=tuple(self.sequence[k] for k in numbers.tolist()),
            parent=tuple(self.parent[k] for k in numbers.tolist()),
        )


def motif_sites(null: Genomic, pattern: str | Motif, threshold: float | None) -> Sites:
    """Find the instances of a string or motif in given sequences.

    Examples
    --------
    >>> null = Genomic(
    ...     of={
    ...         "first": "CCAGATAAGCCCCCCCC",
    ...         "second": "CCCCCCCCCCCTTATCT",
    ...         "third": "C" * 17,
    ...     }
    ... )
    >>> sites = motif_sites(null, "AGATAAG", None)
    >>> sites.names, sites.n_with
    (('first:2-9(+)', 'second:10-17(-)'), 2)
    """
    given = null.parents_given
    found = find_instances(given.tokens, pattern, threshold=threshold)
    label = as_pattern(pattern).label
    if len(found) < 2:
        raise DesignError(
            f"motif: {len(given):,} sequences have {len(found)} instances of {label}, "
            "and an average needs two or more"
        )
    return Sites(
        label,
        found,
        sequence=tuple(str(given.names[row]) for row in found.row.tolist()),
        parent=tuple(str(null.parent_names[row]) for row in found.row.tolist()),
    )


_BACKGROUNDS = 2_000
# of an instance of a motif, or that of its best string where it is greater
_P_VALUE = 1e-4


def further_sites(design: Design, name: str, *, key: int) -> dict[str, float]:
    """Return how often the embedded sites of an arm complete a further one with the
    letters between them.

    An instance is unintended if it overlaps two embedded spans and lies within neither:
    UGCAUG and UGCAUG 8 apart read ``UG CA UG`` in one uniform background of 16. Both
    strands of newly drawn backgrounds (2,000, or all of the null model) are scanned;
    the predictor is not called.

    Parameters
    ----------
    design
        A design with an arm that embeds two or more strings or motifs.
    name
        Name of that arm.
    key
        Key of the random stream of backgrounds.

    Returns
    -------
    dict
        MotifCount, or name of a motif -> share of backgrounds, 0 to 1.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.copies(cg.Uniform(length=41), "UGCAUG", at=(4, 12))
    >>> further_sites(experiment, "UGCAUG at 4, UGCAUG at 12", key=0)
    {'UGCAUG': 0.06...}
    """
    arm = next(arm for arm in design.named_arms if arm.name == name)
    embeds = [step for step in steps_of(arm.intervention) if isinstance(step, Embed)]
    patterns = {as_pattern(step.written).label: step.written.source for step in embeds}
    spans = [
        (w.start, w.stop)
        for w in arm.intervention.lay(Layout(design.null.length)).written
    ]
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
    return {
        label: _share_completed(tokens, written, pattern)
        for label, pattern in patterns.items()
    }


def _share_completed(
    tokens: Tokens, spans: NDArray[np.int64], pattern: str | Motif
) -> float:
    """Return the share of sequences with an instance that overlaps two spans and lies
    within neither.
    """
    threshold = (
        None
        if isinstance(pattern, str)
        else max(_P_VALUE, float(tail_probabilities(step_scores(pattern))[-1]))
    )
    if threshold is not None and threshold >= 1:  # every window is an instance
        return 0.0
    found = find_instances(tokens, pattern, threshold=threshold, overlapping=True)
    start, stop = found.start[:, None], found.start[:, None] + found.width
    overlapped = ((start < spans[:, 1]) & (spans[:, 0] < stop)).sum(axis=1)
    within = ((spans[:, 0] <= start) & (stop <= spans[:, 1])).any(axis=1)
    return len(np.unique(found.row[(overlapped >= 2) & ~within])) / len(tokens)


def as_genomic(sequences: Any, name: str) -> Genomic:
    """Return given sequences as a null model; a `Genomic` is returned unchanged, with
    its parents and draws.

    Examples
    --------
    >>> as_genomic({"peak": "ACGT"}, "sequences")
    Genomic(of={'peak': 'ACGT'})
    """
    if isinstance(sequences, Genomic):
        return sequences
    if isinstance(sequences, NullModel):
        raise DesignError(
            f"{name}: {sequences.describe()} are not real sequences; give these (a "
            "FASTA file, strings, tokens), or cg.Genomic(of=...)"
        )
    try:
        return Genomic(of=as_sequences(sequences))
    except SequenceError as error:
        raise DesignError(f"{name}: {error}") from error


def check_no_overlap(negatives: Genomic, positives: Genomic) -> None:
    """Check that no negative equals or contains, or lies within, one of the positives
    on either strand.

    Sequences are compared by their letters, not by their names.

    Examples
    --------
    >>> check_no_overlap(
    ...     Genomic(of={"quiet": "AAGG", "other": "ACAC"}), Genomic(of={"peak": "CCTT"})
    ... )
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: negatives: 1 of 2 overlap the positives: the first, 'quiet', has the letters of ...
    """
    negative, positive = negatives.parents_given, positives.parents_given
    width = min(negative.length, positive.length)
    known = {
        one: row
        for row, windows in enumerate(_canonical_windows(positive.tokens, width))
        for one in windows
    }
    shared = [
        (row, known[one])
        for row, windows in enumerate(_canonical_windows(negative.tokens, width))
        for one in windows & known.keys()
    ]
    if shared:
        (first, of), n = shared[0], len({row for row, _ in shared})
        raise DesignError(
            f"negatives: {n:,} of {len(negative):,} overlap the positives: the "
            f"first, {quoted(negative.names[first])}, has the letters of "
            f"{quoted(positive.names[of])} (read on either strand); take them out of "
            "one of the two sets"
        )


def _canonical_windows(tokens: Tokens, width: int) -> Iterator[set[bytes]]:
    """Yield the set of windows of each sequence, each as the lexicographically first of
    its two strands.
    """
    last = tokens.shape[1] - width
    for plus, minus in zip(tokens, reverse_complement(tokens), strict=True):
        yield {
            min(
                plus[i : i + width].tobytes(),
                minus[last - i : last - i + width].tobytes(),
            )
            for i in range(last + 1)
        }


def as_string_or_motif(value: Any, name: str) -> str | Motif:
    """Return a string or motif from a setting that is meant for motifs.

    It takes whatever `causalgia.motif` takes, and tables of a `trial.toml`. Letters A C
    G T (U) are a string, and so are other IUPAC letters unless a factor has that name.
    (In settings meant for strings, `causalgia.experiments.kit.sites.as_site`, any IUPAC
    letters are a string.)

    Examples
    --------
    >>> (
    ...     as_string_or_motif("AGATAAG", "motif"),
    ...     as_string_or_motif("GATA1", "motif").name,
    ... )
    ('AGATAAG', 'GATA1')
    """
    if isinstance(value, Mapping) or (
        isinstance(value, str) and value and set(value.upper()) <= {*BASES, "U"}
    ):
        return as_site(value, name)
    try:
        found = motif_of(value)
    except SequenceError as error:
        raise type(error)(f"{name}: {error}") from error
    is_string = (
        isinstance(value, str) and found.identifier is None and found.source is None
    )
    return as_site(value, name) if is_string else found
