"""Real sequences cut into tiles: which spans there are, and contexts whose shuffled bases all arms share.

What is shuffled is shuffled block by block, each block within itself. Two arms that shuffle the same block draw the
same bases there, so they differ in the tiles they differ by and in nothing else: the effect of a unit is a paired one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from causalgia.analysis import Analysis, Rope
from causalgia.checks import as_count, as_span
from causalgia.design import Copy, Genomic, Intervention, Scramble, Untreated
from causalgia.design.intervention import Span
from causalgia.errors import DesignError, PredictorError, quoted
from causalgia.experiments.kit.answer import Finding
from causalgia.experiments.kit.experiment import Found, analysis_for
from causalgia.experiments.kit.settings import positions
from causalgia.experiments.kit.variance import by_task
from causalgia.predict import Predictor

if TYPE_CHECKING:
    import xarray as xr

_WIDTH = 5_000  # of the tiles of Toneyan & Koo (2024)
_SHUFFLED = 4  # bases that a shuffle with their 2-let counts can change


def real_sequences(sequences: Any, draws: int, rope: Rope, *, fixed_control: bool = False) -> Genomic:
    """Return the null model of these sequences, each one `draws` units in a row.

    Parameters
    ----------
    sequences
        As `Genomic` takes them, or a `Genomic` itself.
    draws
        Shuffles of each.
    rope
        Of the analysis.
    fixed_control
        Whether the control draws nothing, so that with one sequence its outcomes do not vary.

    Raises
    ------
    DesignError
        If they cannot be read, have several lengths, or are one that has a single draw or a rope in sd that is 0.

    Examples
    --------
    >>> real_sequences(["ACGTAC", "TTGACA"], 10, (-0.1, 0.1)).draws
    10
    """
    given = replace(sequences, draws=draws) if isinstance(sequences, Genomic) else Genomic(of=sequences, draws=draws)
    if len(set(given.parent_names)) > 1:
        return given
    if given.draws == 1:
        raise DesignError("one sequence and draws=1: an error needs two shuffles of it or more; give draws=10")
    if fixed_control and isinstance(rope, str) and rope.strip().endswith("sd"):
        raise DesignError(
            f"one sequence: its own outcome is one number, so that rope={quoted(rope)} of its sd has no width; give "
            "the effects that are too small to matter, rope=(-0.1, 0.1)"
        )
    return given


def analysis_of(null: Genomic, rope: Rope) -> Analysis:
    """Return the analysis: sequences are a sample of a population; one alone is that one, over its shuffles.

    Verdicts are tests: a tile is a place of its own beside a promoter, and no draw from many like it.

    Examples
    --------
    >>> analysis_of(real_sequences(["ACGTAC"], 10, 0), 0).target
    'parents'
    """
    alone = len(set(null.parent_names)) == 1
    return analysis_for("confirmatory", rope=rope, target="parents" if alone else "population")


def claim(null: Genomic) -> str:
    """Return what the effects are of, for a sentence.

    Examples
    --------
    >>> claim(real_sequences(["ACGTAC", "TTGACA"], 10, 0))
    'over sequences like these 2, 10 draws of each'
    >>> claim(real_sequences(["ACGTAC"], 10, 0))
    'in this one sequence, over 10 draws'
    """
    n = len(set(null.parent_names))
    if n == 1:
        return f"in this one sequence, over {null.available:,} draws"
    return f"over sequences like these {n:,}, {null.draws:,} draws of each"


def said_of_each(found: Found, say: Callable[[xr.Dataset], str]) -> Finding:
    """Return a sentence for each task (and predictor): what `say` says of its decisions, and of what sequences."""
    null = found.experiment.null
    assert isinstance(null, Genomic)
    said = (f"{start}: {say(rows)}, {claim(null)}." for start, rows in by_task(found.steps.decisions))
    return Finding(sentences=tuple(said))


def in_words(span: Span) -> str:
    """Return the name of a span.

    Examples
    --------
    >>> in_words((100, 150))
    '100-150'
    """
    return f"{span[0]}-{span[1]}"


def span_inside(value: Any, name: str, length: int) -> Span:
    """Return a span of the sequence, (start, stop).

    Raises
    ------
    DesignError
        If it is none, leaves the sequence, or is the whole of it.

    Examples
    --------
    >>> span_inside([10, 20], "element", 100)
    (10, 20)
    """
    try:
        start, stop = as_span(value.tolist() if isinstance(value, np.ndarray) else value)
    except DesignError as error:
        raise DesignError(f"{name}: {error}") from error
    if stop > length:
        raise DesignError(
            f"{name}={start}-{stop} leaves the sequence of {length:,} bp; the last valid stop is {length}"
        )
    if stop - start == length:
        raise DesignError(f"{name}={start}-{stop} is the whole sequence, and leaves no context; give a part of it")
    return start, stop


def spans_inside(values: Any, name: str, length: int, *, least: int = 1) -> tuple[Span, ...]:
    """Return different spans of the sequence that do not overlap, in the order given.

    Raises
    ------
    DesignError
        If they are not, or too few; the message names the setting and the pair.

    Examples
    --------
    >>> spans_inside([[0, 10], [20, 30]], "tiles", 100)
    ((0, 10), (20, 30))
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise DesignError(f"{name}={quoted(values)} must be a list of (start, stop)")
    spans = tuple(span_inside(value, name, length) for value in values)
    if len(spans) < least:
        raise DesignError(f"{name}: {least} or more are needed, and there are {len(spans)}")
    for first, second in pairwise(sorted(spans)):
        _refuse_overlap(first, second, f"{name}: {in_words(first)} and {in_words(second)}")
    return spans


def protected(tss: Any, length: int, spans: Sequence[Span], name: str = "tiles") -> tuple[Span, ...]:
    """Return the protected span as a tuple of one, or none; no span may reach into it.

    Raises
    ------
    DesignError
        If it is not in the sequence, or a span overlaps it.

    Examples
    --------
    >>> protected((40, 60), 100, [(0, 20), (60, 80)])
    ((40, 60),)
    """
    if tss is None:
        return ()
    kept = span_inside(tss, "tss", length)
    for span in spans:
        _refuse_overlap(span, kept, f"{name}: {in_words(span)} and the protected tss={in_words(kept)}")
    return (kept,)


def _refuse_overlap(first: Span, second: Span, what: str) -> None:
    if first[0] < second[1] and second[0] < first[1]:
        raise DesignError(f"{what} overlap; move or shorten one of them")


def tiles_of(length: int, *, tile_width: int | None, tiles: Any, tss: Any) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Return the tiles, and the protected span as a tuple of one or none.

    Parameters
    ----------
    length
        Of the sequences.
    tile_width
        Width of tiles that fill the sequence, or what is before and behind the protected span; where `tiles` is None.
        Where it does not divide that, the last tile is shorter, or longer by a rest of 1 to 3 bases. None: 5,000 as
        published, or an eighth of the sequence where that has not two such tiles.
    tiles
        The tiles themselves, (start, stop) each.
    tss
        The span that is never touched.

    Raises
    ------
    DesignError
        If tiles leave the sequence, overlap each other or the protected span, or one would be the whole sequence.

    Examples
    --------
    >>> tiles_of(60, tile_width=20, tiles=None, tss=(20, 40))
    (((0, 20), (40, 60)), ((20, 40),))
    >>> tiles_of(50, tile_width=20, tiles=None, tss=None)[0]
    ((0, 20), (20, 40), (40, 50))
    >>> tiles_of(43, tile_width=20, tiles=None, tss=None)[0]
    ((0, 20), (20, 43))
    """
    if tiles is not None:
        spans = spans_inside(tiles, "tiles", length)
        return spans, protected(tss, length, spans)
    kept = protected(tss, length, ())
    published = _WIDTH if length >= 2 * _WIDTH else max(length // 8, 1)
    width = published if tile_width is None else as_count(tile_width, "tile_width")
    if width >= length:
        raise DesignError(f"tile_width={width:,} is the whole sequence of {length:,} bp or more; give a narrower tile")
    pieces = [(0, length)] if not kept else [(0, kept[0][0]), (kept[0][1], length)]
    spans = tuple(span for start, stop in pieces for span in _side_by_side(start, stop, width))
    return spans, kept


def _side_by_side(start: int, stop: int, width: int) -> list[Span]:
    """Return tiles of a piece; a rest too short to be shuffled belongs to the tile before it."""
    starts = list(range(start, stop, width))
    if len(starts) > 1 and stop - starts[-1] < _SHUFFLED:
        starts.pop()
    return list(pairwise([*starts, stop]))


def blocks(length: int, spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the sequence cut at every end of the spans, which do not overlap.

    Examples
    --------
    >>> blocks(100, [(40, 60), (80, 100)])
    ((0, 40), (40, 60), (60, 80), (80, 100))
    """
    cuts = sorted({0, length, *(end for span in spans for end in span)})
    return tuple(pairwise(cuts))


def shuffled(spans: Iterable[Span], k: int) -> Intervention:
    """Return the intervention that shuffles each span within itself, keeping its k-let counts.

    A span shorter than k is shuffled with the k that it has room for.

    Raises
    ------
    DesignError
        If k is not a whole number from 1 to 10.

    Examples
    --------
    >>> print(shuffled([(0, 10), (20, 30)], 2))
    do(x[0:10] ~ scrambled (k = 2), x[20:30] ~ scrambled (k = 2))
    """
    if as_count(k, "k") > 10:
        raise DesignError(f"k={k} must be a whole number from 1 to 10")
    done: Intervention = Untreated()
    for start, stop in spans:
        done = done + Scramble((start, stop), k=min(k, stop - start))
    return done


def require_shufflable(spans: Iterable[Span], k: int) -> None:
    """Raise DesignError where a span is so short that hardly any shuffle with its k-let counts is another sequence.

    Examples
    --------
    >>> require_shufflable([(0, 3)], 2)
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: 0-3 has 3 bp: a shuffle that keeps its 2-let counts leaves it as it is; ...
    """
    for span in spans:
        width = span[1] - span[0]
        if width < 2 * as_count(k, "k"):
            raise DesignError(
                f"{in_words(span)} has {width} bp: a shuffle that keeps its {k}-let counts leaves it as it is; widen "
                f"it to {2 * k} bp or more by another width or tiles=" + (", or give a smaller k" if k > 1 else "")
            )


def places(spans: Iterable[Span]) -> dict[str, dict[str, float]]:
    """Return the coordinates ``start``, ``stop`` and ``centre`` of contrasts that are named after their span.

    Examples
    --------
    >>> places([(0, 10)])
    {'start': {'0-10': 0}, 'stop': {'0-10': 10}, 'centre': {'0-10': 5.0}}
    """
    named = {in_words(span): span for span in spans}
    return {
        "start": {name: start for name, (start, _) in named.items()},
        "stop": {name: stop for name, (_, stop) in named.items()},
        "centre": {name: (start + stop) / 2 for name, (start, stop) in named.items()},
    }


def require_task(predictor: object, task: str | None) -> None:
    """Refuse, before it is asked anything, what is no predictor, and a task that one that says its tasks has not.

    Raises
    ------
    PredictorError
        If it is no predictor.
    DesignError
        If it has no such task.

    Examples
    --------
    >>> require_task("gata1_like", None)
    Traceback (most recent call last):
    ...
    causalgia.errors.PredictorError: str is not a predictor; one of the zoo is cg.zoo.oracle('gata1_like'), wrap ...
    """
    if not isinstance(predictor, Predictor):
        name = quoted(predictor) if isinstance(predictor, str) else "'gata1_like'"
        raise PredictorError(
            f"{type(predictor).__name__} is not a predictor; one of the zoo is cg.zoo.oracle({name}), wrap a network "
            "in cg.TorchPredictor(...), any other callable in cg.FunctionPredictor(...)"
        )
    try:
        tasks = predictor.tasks
    except PredictorError:  # known with the first answer
        return
    chosen_task(tasks, task)


def chosen_task(tasks: Iterable[Any], task: str | None) -> str:
    """Return the task that a search follows: the one named, or the only one.

    Raises
    ------
    DesignError
        If it is none of the tasks, or there are several and none is named.

    Examples
    --------
    >>> chosen_task(["K562"], None)
    'K562'
    """
    names = [str(name) for name in tasks]
    if task is None and len(names) == 1:
        return names[0]
    if task not in names:
        raise DesignError(f"task={quoted(task)}: choose the task whose outcome is searched, one of {', '.join(names)}")
    return str(task)


Strand = Literal["+", "-"]


@dataclass(frozen=True)
class Stage:
    """What all arms share: the sequence cut into blocks at every place, so that they shuffle the same blocks.

    Attributes
    ----------
    length
        Of the sequences.
    tile
        What is copied, from each sequence's own bases.
    tss
        What is never shuffled.
    at
        Places, clear of each other and of `tss`; the tile's own may be among them.
    k
        k-let counts that shuffles keep.
    """

    length: int
    tile: Span
    tss: Span
    at: tuple[int, ...]
    k: int

    @property
    def width(self) -> int:
        """Bases of the tile."""
        return self.tile[1] - self.tile[0]

    @cached_property
    def _blocks(self) -> tuple[Span, ...]:
        return blocks(self.length, [self.tile, self.tss, *map(self.place, self.at)])

    def place(self, at: int) -> Span:
        """Return the span of a copy."""
        return at, at + self.width

    def distance(self, at: int) -> float:
        """Return the distance from the middle of a copy to that of the promoter, in bases."""
        return abs(sum(self.place(at)) - sum(self.tss)) / 2

    def with_copies(self, strands: Mapping[int, Strand]) -> Intervention:
        """Return the intervention that leaves copies at these places, on their strands, and shuffles all the rest."""
        done: Intervention = Untreated()
        for at, strand in strands.items():
            if at != self.tile[0]:
                done = done + Copy(self.tile, at=at, strand=strand)
        kept = {self.tss, *map(self.place, strands)}
        return done + shuffled([block for block in self._blocks if block not in kept], self.k)


def stage(null: Genomic, *, tile: Any, at: Any, tss: Any, k: int) -> Stage:
    """Return the context for copies of a tile at given places.

    Raises
    ------
    DesignError
        If the tile or a place leaves the sequence, or overlaps another place, the tile or the promoter.

    Examples
    --------
    >>> made = stage(Genomic(of=["ACGT" * 25]), tile=(0, 10), at=[20, 60], tss=(40, 50), k=2)
    >>> made.distance(20), str(made.with_copies({20: "-"}))[:40]
    (20.0, 'do(x[20:30] = rc(x[0:10]), x[0:10] ~ scr')
    """
    own = span_inside(tile, "tile", null.length)
    if tss is None:
        raise DesignError("tss: give the (start, stop) that the tile acts on; it is kept in every arm")
    require_shufflable([own], k)
    listed, width = positions(at, "at", least=2), own[1] - own[0]
    spans = [span_inside((place, place + width), "at: a copy", null.length) for place in listed]
    apart = sorted([*spans, own] if own not in spans else spans)
    for first, second in pairwise(apart):
        if second[0] < first[1]:
            raise DesignError(
                f"at: a copy of {width} bp at {second[0]} overlaps {in_words(first)} (another copy, or tile="
                f"{in_words(own)} itself); keep places {width} bp or more apart, so that all arms share their context"
            )
    (kept,) = protected(tss, null.length, apart, "tile and copies")
    return Stage(null.length, own, kept, listed, k)
