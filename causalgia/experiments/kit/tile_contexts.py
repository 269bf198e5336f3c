"""Tiles of real sequences, and shuffled contexts that all arms share.

Each block of a sequence is shuffled within itself. Two arms that shuffle the same block
draw the same bases there, so the arms of a unit differ only in their tiles, and the
effect of a unit is a paired difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

from causalgia.analysis import Analysis
from causalgia.checks import as_count, as_span
from causalgia.design import Copy, Genomic, Intervention, Scramble, Untreated
from causalgia.design.intervention import Span
from causalgia.errors import DesignError, PredictorError, quoted, type_in_words
from causalgia.experiments.kit.sites import as_positions
from causalgia.predict import Predictor
from causalgia.ropes import Rope

_PUBLISHED_WIDTH = 5_000  # of the tiles of Toneyan & Koo (2024)
_SHUFFLED = 4  # least bases that a dinucleotide shuffle can change


def as_tile_sequences(
    sequences: Any, n_draws: int, rope: Rope, *, fixed_control: bool = False
) -> Genomic:
    """Return the null model of given sequences, each with `n_draws` consecutive units.

    Parameters
    ----------
    sequences
        Sequences as `Genomic` takes them, or a `Genomic`.
    n_draws
        Shuffles of each sequence.
    rope
        Region of practical equivalence.
    fixed_control
        Whether the control arm has no random part, so that its outcomes do not vary for
        a single sequence.

    Examples
    --------
    >>> as_tile_sequences(["ACGTAC", "TTGACA"], 10, Rope.parse(0)).n_draws
    10
    """
    null = (
        replace(sequences, n_draws=n_draws)
        if isinstance(sequences, Genomic)
        else Genomic(of=sequences, n_draws=n_draws)
    )
    if len(set(null.parent_names)) > 1:
        return null
    if null.n_draws == 1:
        raise DesignError(
            "one sequence and n_draws=1: an error needs two shuffles of it or "
            "more; give n_draws=10"
        )
    if fixed_control and rope.kind == "sd":
        raise DesignError(
            "one sequence: its own outcome is one number, so that "
            f"rope={quoted(rope.value)} of its sd has no width; give the effects that "
            "are too small to matter, rope=(-0.1, 0.1)"
        )
    return null


def tile_analysis(null: Genomic, rope: Rope) -> Analysis:
    """Return the analysis of a tile experiment.

    Several sequences are a sample of a population; a single one is the target itself,
    over its shuffles. Verdicts are tests: tiles differ by their place beside a promoter
    and are not exchangeable.

    Examples
    --------
    >>> direction = Rope.parse(0)
    >>> tile_analysis(as_tile_sequences(["ACGTAC"], 10, direction), direction).target
    'parents'
    """
    alone = len(set(null.parent_names)) == 1
    return Analysis(rope=rope, target="parents" if alone else "population")


def span_name(span: Span) -> str:
    """Return the name of a span, "start-stop".

    Examples
    --------
    >>> span_name((100, 150))
    '100-150'
    """
    return f"{span[0]}-{span[1]}"


def as_span_inside(value: Any, name: str, length: int) -> Span:
    """Return a span of the sequence, (start, stop).

    Examples
    --------
    >>> as_span_inside([10, 20], "element", 100)
    (10, 20)
    """
    try:
        start, stop = as_span(value)
    except DesignError as error:
        raise type(error)(f"{name}: {error}") from error
    if stop > length:
        raise DesignError(
            f"{name}={start}-{stop} leaves the sequence of {length:,} bp; the last "
            f"valid stop is {length}"
        )
    if stop - start == length:
        raise DesignError(
            f"{name}={start}-{stop} is the whole sequence, and leaves no context; "
            "give a part of it"
        )
    return start, stop


def as_spans_inside(
    values: Any, name: str, length: int, *, least: int = 1
) -> tuple[Span, ...]:
    """Return non-overlapping spans of the sequence, in the given order.

    Examples
    --------
    >>> as_spans_inside([[0, 10], [20, 30]], "tiles", 100)
    ((0, 10), (20, 30))
    """
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise DesignError(f"{name}={quoted(values)} must be a list of (start, stop)")
    spans = tuple(as_span_inside(value, name, length) for value in values)
    if len(spans) < least:
        raise DesignError(
            f"{name}: {least} or more are needed, and there are {len(spans)}"
        )
    for first, second in pairwise(sorted(spans)):
        _check_disjoint(
            first, second, f"{name}: {span_name(first)} and {span_name(second)}"
        )
    return spans


def as_protected_spans(
    tss: Any, length: int, spans: Sequence[Span], name: str = "tiles"
) -> tuple[Span, ...]:
    """Return the protected span as a tuple of one (or empty), checked against overlap
    with the other spans.

    Examples
    --------
    >>> as_protected_spans((40, 60), 100, [(0, 20), (60, 80)])
    ((40, 60),)
    """
    if tss is None:
        return ()
    promoter = as_span_inside(tss, "tss", length)
    for span in spans:
        _check_disjoint(
            span,
            promoter,
            f"{name}: {span_name(span)} and the protected tss={span_name(promoter)}",
        )
    return (promoter,)


def _check_disjoint(first: Span, second: Span, what: str) -> None:
    if first[0] < second[1] and second[0] < first[1]:
        raise DesignError(f"{what} overlap; move or shorten one of them")


def as_tiles_and_protected(
    length: int, *, tile_width: int | None, tiles: Any, tss: Any
) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Return the tiles, and the protected span as a tuple of one (or empty).

    Parameters
    ----------
    length
        Length of the sequences.
    tile_width
        Width of adjacent tiles that fill the sequence on both sides of the protected
        span, where `tiles` is None. The last tile is shorter where the width does not
        divide the length; a rest of 1 to 3 bases joins the tile before it. None: 5,000
        as published, or an eighth of a sequence that is shorter than two such tiles.
    tiles
        The tiles, (start, stop) each.
    tss
        The span that no arm changes.

    Examples
    --------
    >>> as_tiles_and_protected(60, tile_width=20, tiles=None, tss=(20, 40))
    (((0, 20), (40, 60)), ((20, 40),))
    >>> as_tiles_and_protected(50, tile_width=20, tiles=None, tss=None)[0]
    ((0, 20), (20, 40), (40, 50))
    >>> as_tiles_and_protected(43, tile_width=20, tiles=None, tss=None)[0]
    ((0, 20), (20, 43))
    """
    if tiles is not None:
        spans = as_spans_inside(tiles, "tiles", length)
        return spans, as_protected_spans(tss, length, spans)
    promoter = as_protected_spans(tss, length, ())
    published = (
        _PUBLISHED_WIDTH if length >= 2 * _PUBLISHED_WIDTH else max(length // 8, 1)
    )
    width = published if tile_width is None else as_count(tile_width, "tile_width")
    if width >= length:
        raise DesignError(
            f"tile_width={width:,} is the whole sequence of {length:,} bp or more; "
            "give a narrower tile"
        )
    pieces = (
        [(0, length)]
        if not promoter
        else [(0, promoter[0][0]), (promoter[0][1], length)]
    )
    spans = tuple(
        span for start, stop in pieces for span in _adjacent_tiles(start, stop, width)
    )
    return spans, promoter


def _adjacent_tiles(start: int, stop: int, width: int) -> list[Span]:
    """Return tiles that fill a span; a rest too short to shuffle joins the tile before
    it.
    """
    starts = list(range(start, stop, width))
    if len(starts) > 1 and stop - starts[-1] < _SHUFFLED:
        starts.pop()
    return list(pairwise([*starts, stop]))


def cut_into_blocks(length: int, spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the blocks between all ends of non-overlapping spans.

    Examples
    --------
    >>> cut_into_blocks(100, [(40, 60), (80, 100)])
    ((0, 40), (40, 60), (60, 80), (80, 100))
    """
    cuts = sorted({0, length, *(end for span in spans for end in span)})
    return tuple(pairwise(cuts))


def shuffle_spans(spans: Iterable[Span], k: int) -> Intervention:
    """Return the intervention that shuffles each span within itself, preserving its
    k-let counts.

    A span shorter than k is shuffled with k equal to its width.

    Examples
    --------
    >>> print(shuffle_spans([(0, 10), (20, 30)], 2))
    do(x[0:10] ~ scrambled (k = 2), x[20:30] ~ scrambled (k = 2))
    """
    if as_count(k, "k") > 10:
        raise DesignError(f"k={k} must be a whole number from 1 to 10")
    shuffles: Intervention = Untreated()
    for start, stop in spans:
        shuffles = shuffles + Scramble((start, stop), k=min(k, stop - start))
    return shuffles


def check_shufflable(spans: Iterable[Span], k: int) -> None:
    """Raise DesignError where a span is too short to be changed by a shuffle that
    preserves its k-let counts.

    Examples
    --------
    >>> check_shufflable([(0, 3)], 2)
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: 0-3 has 3 bp: a shuffle that keeps its 2-let counts leaves it as it is; ...
    """
    for span in spans:
        width = span[1] - span[0]
        if width < 2 * as_count(k, "k"):
            raise DesignError(
                f"{span_name(span)} has {width} bp: a shuffle that keeps its {k}-let "
                f"counts leaves it as it is; widen it to {2 * k} bp or more by another "
                "width or tiles=" + (", or give a smaller k" if k > 1 else "")
            )


def check_task(predictor: object, task: str | None) -> None:
    """Check, before the first prediction, that this is a predictor and has the task.

    Examples
    --------
    >>> check_task("gata1_like", None)
    Traceback (most recent call last):
    ...
    causalgia.errors.PredictorError: a str is not a predictor; one of the zoo is cg.zoo.oracle('gata1_like'), wrap ...
    """
    if not isinstance(predictor, Predictor):
        name = quoted(predictor) if isinstance(predictor, str) else "'gata1_like'"
        raise PredictorError(
            f"{type_in_words(predictor)} is not a predictor; one of the zoo is "
            f"cg.zoo.oracle({name}), wrap a network in cg.TorchPredictor(...), "
            "any other callable in cg.FunctionPredictor(...)"
        )
    try:
        tasks = predictor.tasks
    except PredictorError:  # the tasks are known after the first prediction
        return
    as_task(tasks, task)


def as_task(tasks: Iterable[Any], task: str | None) -> str:
    """Return the task to search: the named one, or the only one.

    Examples
    --------
    >>> as_task(["K562"], None)
    'K562'
    """
    names = [str(name) for name in tasks]
    if task is None and len(names) == 1:
        return names[0]
    if task not in names:
        raise DesignError(
            f"task={quoted(task)}: choose the task whose outcome is searched, one "
            f"of {', '.join(names)}",
            argument="task",
        )
    return str(task)


Strand = Literal["+", "-"]


@dataclass(frozen=True)
class TileContext:
    """The context of copies of a tile: the sequence cut at every place, so that all
    arms shuffle the same blocks.

    Attributes
    ----------
    length
        Length of the sequences.
    tile
        The span that is copied, from each sequence's own bases.
    tss
        The span that is never shuffled.
    at
        Starts of the copies, which overlap neither each other nor `tss`; the tile's own
        start may be among them.
    k
        Length of the k-lets whose counts shuffles preserve.
    """

    length: int
    tile: Span
    tss: Span
    at: tuple[int, ...]
    k: int

    @property
    def width(self) -> int:
        """Width of the tile."""
        return self.tile[1] - self.tile[0]

    @cached_property
    def _blocks(self) -> tuple[Span, ...]:
        return cut_into_blocks(
            self.length, [self.tile, self.tss, *map(self.place, self.at)]
        )

    def place(self, at: int) -> Span:
        """Return the span of a copy."""
        return at, at + self.width

    def distance(self, at: int) -> float:
        """Return the distance between the centers of a copy and the promoter, in
        bases.
        """
        return abs(sum(self.place(at)) - sum(self.tss)) / 2

    def with_copies(self, strands: Mapping[int, Strand]) -> Intervention:
        """Return the intervention that copies the tile to these places, on their
        strands, and shuffles the rest.
        """
        copies: Intervention = Untreated()
        for at, strand in strands.items():
            if at != self.tile[0]:
                copies = copies + Copy(self.tile, at=at, strand=strand)
        places = {self.tss, *map(self.place, strands)}
        return copies + shuffle_spans(
            [block for block in self._blocks if block not in places], self.k
        )


def tile_context(null: Genomic, *, tile: Any, at: Any, tss: Any, k: int) -> TileContext:
    """Return the shuffled context for copies of a tile at given places.

    Examples
    --------
    >>> context = tile_context(
    ...     Genomic(of=["ACGT" * 25]), tile=(0, 10), at=[20, 60], tss=(40, 50), k=2
    ... )
    >>> context.distance(20), str(context.with_copies({20: "-"}))[:40]
    (20.0, 'do(x[20:30] = rc(x[0:10]), x[0:10] ~ scr')
    """
    own = as_span_inside(tile, "tile", null.length)
    if tss is None:
        raise DesignError(
            "tss: give the (start, stop) that the tile acts on; it is kept in every arm"
        )
    check_shufflable([own], k)
    listed, width = as_positions(at, "at", least=2), own[1] - own[0]
    spans = [
        as_span_inside((place, place + width), "at: a copy", null.length)
        for place in listed
    ]
    apart = sorted([*spans, own] if own not in spans else spans)
    for first, second in pairwise(apart):
        if second[0] < first[1]:
            raise DesignError(
                f"at: a copy of {width} bp at {second[0]} overlaps "
                f"{span_name(first)} (another copy, or tile={span_name(own)} "
                f"itself); keep places {width} bp or more apart, so that all arms "
                "share their context"
            )
    (promoter,) = as_protected_spans(tss, null.length, apart, "tile and copies")
    return TileContext(null.length, own, promoter, listed, k)
