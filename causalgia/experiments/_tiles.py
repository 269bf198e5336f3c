"""Tiles together, and one tile copied to other places."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from causalgia.design import Genomic
from causalgia.design.intervention import Span
from causalgia.errors import DesignError, quoted
from causalgia.experiments._copies import EXCESS
from causalgia.experiments.kit.answer import Reading
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.shapes import Clauses, draw_shapes, read_shapes
from causalgia.experiments.kit.stated import GROUP
from causalgia.experiments.kit.tile_contexts import (
    Strand,
    TileContext,
    as_protected_spans,
    as_spans_inside,
    as_tile_sequences,
    check_shufflable,
    cut_into_blocks,
    shuffle_spans,
    span_name,
    tile_analysis,
    tile_context,
)
from causalgia.experiments.kit.trial import ROPE, Trial, Weights
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences.fasta import Source

if TYPE_CHECKING:
    import xarray as xr

CONTEXT, ORIENTATION = "context alone", "orientation"
TOGETHER, NONE = "all together", "none"
_MOST_TILES = 6
_AXES = ("order", "distance", "copies")


def tiles(
    sequences: Source | Genomic,
    *,
    tiles: Sequence[Span],
    at: Sequence[int] | None = None,
    tss: Span | None = None,
    context: Literal["own", "shuffled"] = "own",
    n_draws: int = 10,
    k: int = 2,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the experiment that asks what tiles do together, or what one tile does at
    other places.

    Of two or more tiles every set is kept and the others are shuffled: 2^n arms. Terms
    are those of Moebius: of a set S of tiles
    ``sum over T in S of (-1)^(|S| - |T|) Y(T kept)``, the effect of one tile with the
    others shuffled, the interaction of two, and so on. If all tiles are needed (AND),
    only the highest term differs from 0; if one is enough (OR), single terms are
    positive and pairs negative.

    One tile is copied, with `at`, from each sequence to each place on both strands, and
    to the first place, the first two, and so on, in a shuffled context that keeps
    `tss`. Places do not overlap, so that all arms share their shuffled bases; at its
    own place the tile is forward only.

    Parameters
    ----------
    sequences
        Real sequences of equal length, as `causalgia.Genomic` takes them. Several are a
        sample of a population, with errors between sequences; a single one is the
        target itself, with errors between its shuffles.
    tiles
        (start, stop) of 1 to 6 tiles, 0-based, stop excluded, without overlap.
    at
        0-based starts of two or more copies of the one tile, in the order in which they
        are added; its own start may be among them.
    tss
        The span that is kept in every arm; with `at`, the one from which distances are
        measured.
    context
        Context of several tiles: ``"own"``, unchanged; ``"shuffled"``, all bases but
        the tiles and `tss`.
    n_draws
        Shuffles of each sequence.
    k
        Length of the k-lets whose counts a shuffle preserves: 1 composition, 2
        dinucleotides.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads; by default a tenth of the largest effect of one tile or copy, at least
        0.2 sd of the arm without any.

    Returns
    -------
    Experiment
        Of several tiles: contrasts ``"0-500 x 900-1400"``, ..., which answer the
        question, ``"0-500"``, ... and ``"all together"``; coordinate ``order``. Of one:
        ``"at 2000"`` and ``"at 2000, reversed"`` with coordinates ``place``,
        ``distance`` (bp between the centers of copy and `tss`) and ``arrangement`` (its
        strand), ``"orientation at 2000"`` and their mean ``"orientation"``, forward
        minus reversed; ``"copy 2 added"``, ... with ``copies``, and ``"excess over
        single sites"``.

    Raises
    ------
    DesignError
        If tiles, copies and `tss` overlap or leave the sequence, are too short to be
        shuffled, or their number does not fit; or for one sequence with a single draw.

    References
    ----------
    Toneyan & Koo (2024), doi:10.1038/s41588-024-01923-3.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.sequences import decode
    >>> from causalgia.zoo import MotifCount, Oracle
    >>> from causalgia.zoo.terms import Gate
    >>> gate = Oracle(
    ...     Gate(("GATAAG", "TATAAA"), bonus=4.0, logic="and"), MotifCount("CAC", 0.01)
    ... )
    >>> random = decode(cg.Uniform(length=240).sample(60, rng=0)["sequence"].values)
    >>> sequences = [s[:70] + "GATAAG" + s[76:140] + "TATAAA" + s[146:] for s in random]
    >>> experiment = cg.experiments.tiles(
    ...     sequences, tiles=[(60, 100), (120, 160)], rope=(-2.0, 2.0)
    ... )
    >>> answer = experiment.analyze(cg.run(experiment, gate, rng=0), rng=0)
    >>> print(answer.sentences[0])
    Task outcome: the tiles do more than their sum, +3.23 for 60-100 x 120-160; ...
    """
    region = Rope.parse(rope, error=DesignError)
    null = as_tile_sequences(sequences, n_draws, region)
    spans = as_spans_inside(
        tiles, "tiles", null.length, least=1 if at is not None else 2
    )
    if at is None:
        trial = Trial(null, control="untreated", entry=TILES)
        _add_terms(trial, spans, tss, context, k)
    elif len(spans) == 1:
        own = tile_context(null, tile=spans[0], at=at, tss=tss, k=k)
        copied = replace(
            TILES,
            of=f"tile {span_name(own.tile)}",
            axis="distance",
            draw=draw_shapes,
        )
        trial = Trial(null, control="untreated", entry=copied)
        _add_copies(trial, own)
    else:
        raise DesignError(f"at: copies are of one tile, and tiles has {len(spans)}")
    asked = trial.experiment(n_units=null.available, rope=region)
    return replace(asked, analysis=tile_analysis(null, region))


def _add_terms(
    trial: Trial, spans: Sequence[Span], tss: Span | None, context: str, k: int
) -> None:
    """Add the Moebius terms of all sets of tiles."""
    if len(spans) > _MOST_TILES:
        raise DesignError(
            f"tiles: {len(spans)} are 2^{len(spans)} = {2 ** len(spans):,} arms; "
            f"give {_MOST_TILES} or fewer"
        )
    if context not in ("own", "shuffled"):
        raise DesignError(f"context={quoted(context)} must be 'own' or 'shuffled'")
    length = trial.null.length
    kept = {*spans, *as_protected_spans(tss, length, spans)}
    check_shufflable(spans, k)
    around = [
        block
        for block in (cut_into_blocks(length, kept) if context == "shuffled" else ())
        if block not in kept
    ]

    def arm(intact: Sequence[Span]) -> Weights:
        return trial.intervention(
            " + ".join(map(span_name, intact)) or NONE,
            shuffle_spans([*around, *(x for x in spans if x not in intact)], k),
            **{span_name(span): int(span in intact) for span in spans},
        )

    sets = [
        x for size in range(len(spans) + 1) for x in itertools.combinations(spans, size)
    ]
    arms = {intact: arm(intact) for intact in sets}
    for term in sets[1:]:
        weights = Weights()
        for intact, own in arms.items():
            if set(intact) <= set(term):
                weights = weights + (-1.0) ** (len(term) - len(intact)) * own
        name = " x ".join(map(span_name, term))
        single = {"single": True} if len(term) == 1 else {}
        trial.row(
            name,
            weights,
            asked=len(term) > 1,
            order=len(term),
            **{GROUP: name},
            **single,
        )
    trial.row(TOGETHER, arms[tuple(spans)] - arms[()])


def _add_copies(trial: Trial, context: TileContext) -> None:
    """Add the rows of a tile at each place and strand, and of more and more copies."""

    def arm(name: str, strands: dict[int, Strand]) -> Weights:
        return trial.intervention(name, context.with_copies(strands))

    places = context.at
    none = arm(CONTEXT, {})
    forward = {x: arm(f"at {x}", {x: "+"}) for x in places}
    turned = {
        x: arm(f"at {x}, reversed", {x: "-"}) for x in places if x != context.tile[0]
    }
    for strand, arms, ends in (("+", forward, ""), ("-", turned, ", reversed")):
        for place, own in arms.items():
            trial.row(
                f"at {place}{ends}",
                own - none,
                asked=True,
                single=True,
                place=place,
                distance=context.distance(place),
                **{GROUP: strand},
            )
    for place, own in turned.items():
        trial.row(f"{ORIENTATION} at {place}", forward[place] - own)
    mean = Weights()
    for place, own in turned.items():
        mean = mean + (1.0 / len(turned)) * (forward[place] - own)
    trial.row(ORIENTATION, mean, asked=True)
    dose = [none] + [
        arm(f"at {', '.join(map(str, places[:n]))}", dict.fromkeys(places[:n], "+"))
        for n in range(1, len(places) + 1)
    ]
    for n, (before, after) in enumerate(itertools.pairwise(dose), 1):
        trial.row(f"copy {n} added", after - before, asked=True, copies=n)
    total = (len(places) - 1) * none
    for own in forward.values():
        total = total - own
    trial.row(EXCESS, dose[-1] + total, asked=True)


def _read_tiles(found: TrialResults) -> Reading:
    def after(rows: xr.Dataset) -> Clauses:
        if TOGETHER in rows["contrast"].to_numpy().tolist():
            return (("row", rows.sel(contrast=TOGETHER), "keeping all"),)
        turned = rows.sel(contrast=ORIENTATION)
        return (
            ("excess", rows.sel(contrast=EXCESS)),
            ("row", turned, "forward minus reversed"),
        )

    return read_shapes(found, axes=_AXES, after=after)


TILES = Entry(
    name="tiles",
    question="What do tiles do together, and what does one do at other places?",
    estimand=(
        "The Moebius terms of Y(set of tiles kept, the others shuffled); or E[Y(tile at "
        "a place and strand, context shuffled) - Y(context alone)] and what each further "
        "copy adds, over the real sequences and the shuffles."
    ),
    doi="10.1038/s41588-024-01923-3",
    zoo="long_range",
    example={
        "sequences": "example.fa",
        "tiles": [[120, 180], [300, 360], [420, 480]],
        "rope": [-0.1, 0.1],
    },
    axis="order",
    of="the tiles",
    read=_read_tiles,
)
