"""Interactions of tiles: all main effects and interactions of a full factorial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from causalgia.design import Arm, Genomic
from causalgia.design.intervention import Span
from causalgia.errors import DesignError, quoted
from causalgia.experiments._necessity import verdict_counts
from causalgia.experiments.kit.answer import Finding
from causalgia.experiments.kit.experiment import (
    Entry,
    Experiment,
    TrialResults,
    finding_by_task,
)
from causalgia.experiments.kit.joint_effects import (
    UNDECIDED,
    JointEffect,
    bounded_sentences,
    interactions_in_words,
    is_departure,
    joint_effect,
    scales_tried,
)
from causalgia.experiments.kit.tile_contexts import (
    as_protected_spans,
    as_spans_inside,
    as_tile_sequences,
    check_shufflable,
    cut_into_blocks,
    shuffle_spans,
    span_name,
    tile_analysis,
)
from causalgia.experiments.kit.variance import DOES, effect_in_words
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences.fasta import Source

if TYPE_CHECKING:
    import xarray as xr

Around = Literal["own", "shuffled"]
TOGETHER, NONE = "all together", "none"
MOST_TILES = 6


def tile_interactions(
    sequences: Source | Genomic,
    *,
    tiles: Sequence[Span],
    tss: Span | None = None,
    context: Around = "own",
    n_draws: int = 10,
    k: int = 2,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that estimates interactions of tiles: 2^k arms, each set of
    tiles kept, others shuffled.

    Contrasts are the Moebius terms: for a set S of tiles
    ``sum over T in S of (-1)^(|S| - |T|) Y(T kept)``. The term of one tile is its
    effect with the others shuffled, that of two their interaction, and so on;
    ``all together``, every tile kept minus none, is the sum of all terms. If all tiles
    are needed (AND), only the highest term differs from 0; if one is enough (OR),
    single terms are positive and pairs negative; additive tiles have no interactions.
    The variance of a term grows with its order, up to 2-fold for each.

    Parameters
    ----------
    sequences
        Real sequences of equal length, as `causalgia.Genomic` takes them. Several are a
        sample of a population, with errors between sequences; a single one is the
        target itself, with errors between its shuffles.
    tiles
        (start, stop) of 2 to 6 tiles, 0-based, stop excluded, without overlap.
    tss
        The span that is kept in every arm; it must not overlap a tile.
    context
        Context of the tiles: ``"own"``, unchanged; ``"shuffled"``, all bases but the
        tiles and `tss` shuffled.
    n_draws
        Shuffles of each sequence.
    k
        Length of the k-lets whose counts a shuffle preserves: 1 composition, 2
        dinucleotides.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. An sd is that of the arms that are subtracted.

    Returns
    -------
    Experiment
        Arms ``"none"``, ``"0-500"``, ``"0-500 + 900-1400"``, ... with a factor (0 or 1)
        for each tile; contrasts ``"0-500"``, ``"0-500 x 900-1400"``, ... and
        ``"all together"``; coordinate ``order``.

    Raises
    ------
    DesignError
        If there are fewer than 2 tiles or more than 6, they overlap or leave the
        sequence, or are too short to be shuffled; or for one sequence with a single
        draw.

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
    >>> experiment = cg.experiments.tile_interactions(
    ...     sequences, tiles=[(60, 100), (120, 160)], rope=(-2.0, 2.0)
    ... )
    >>> answer = experiment.analyze(cg.run(experiment, gate, rng=0), rng=0)
    >>> answer.decisions["verdict"].values.ravel().tolist()
    ['negligible', 'negligible', 'increases', 'increases']
    """
    region = Rope.parse(rope, error=DesignError)
    null = as_tile_sequences(sequences, n_draws, region)
    spans = as_spans_inside(tiles, "tiles", null.length, least=2)
    if len(spans) > MOST_TILES:
        raise DesignError(
            f"tiles: {len(spans)} are 2^{len(spans)} = {2 ** len(spans):,} arms; "
            f"give {MOST_TILES} or fewer"
        )
    promoter = as_protected_spans(tss, null.length, spans)
    check_shufflable(spans, k)
    if context not in ("own", "shuffled"):
        raise DesignError(f"context={quoted(context)} must be 'own' or 'shuffled'")
    blocks = (
        cut_into_blocks(null.length, [*spans, *promoter])
        if context == "shuffled"
        else ()
    )
    # shuffled in every arm
    around = [block for block in blocks if block not in (*spans, *promoter)]
    sets = _tile_subsets(spans)
    terms = {_term_name(some): moebius_weights(some) for some in sets if some}
    arms = [
        Arm(
            _intact_tiles_name(intact),
            shuffle_spans(
                [*around, *(span for span in spans if span not in intact)], k
            ),
            {span_name(span): int(span in intact) for span in spans},
        )
        for intact in sets
    ]
    return Experiment(
        null=null,
        arms=arms,
        n_units=null.available,
        contrasts={**terms, TOGETHER: {_intact_tiles_name(spans): 1.0, NONE: -1.0}},
        entry=TILE_INTERACTIONS,
        analysis=tile_analysis(null, region),
        asked=("* x *",),
        labels={"order": {_term_name(some): len(some) for some in sets if some}},
    )


def _tile_subsets(spans: Sequence[Span]) -> list[tuple[Span, ...]]:
    return [
        some for size in range(len(spans) + 1) for some in combinations(spans, size)
    ]


def _intact_tiles_name(intact: Iterable[Span]) -> str:
    return " + ".join(map(span_name, intact)) or NONE


def _term_name(tiles: Iterable[Span]) -> str:
    return " x ".join(map(span_name, tiles))


def moebius_weights(tiles: Sequence[Span]) -> dict[str, float]:
    """Return the weights of the Moebius term of a set of tiles, by arm.

    Examples
    --------
    >>> moebius_weights([(0, 5), (7, 9)])
    {'none': 1.0, '0-5': -1.0, '7-9': -1.0, '0-5 + 7-9': 1.0}
    """
    return {
        _intact_tiles_name(some): float((-1) ** (len(tiles) - len(some)))
        for some in _tile_subsets(tiles)
    }


_SIGN_WORDS = {
    "increases": "positive",
    "decreases": "negative",
    "negligible": "negligible",
    "undecided": "undecided",
}


def _tile_interactions_text(decisions: xr.Dataset, found: TrialResults) -> str:
    pairs = decisions.isel(contrast=decisions["order"].to_numpy() == 2)
    whole = decisions.sel(contrast=TOGETHER)
    together = f"{DOES[str(whole['verdict'].item())]} ({effect_in_words(whole)})"
    kinds = _kinds_of_pairs(decisions, pairs)
    contrasts: Mapping[str, Mapping[str, float]] = (
        found.experiment.named_contrasts or {}
    )
    n = len(kinds)
    departing = [name for name, kind in kinds.items() if is_departure(kind)]
    tried = scales_tried(found.outcomes, {name: contrasts[name] for name in departing})
    on_scales = "" if tried is None else tried.text(departing, decisions)
    together = f"keeping all tiles {together}"
    if n == 1:
        ((name, kind),) = kinds.items()
        size = effect_in_words(pairs.isel(contrast=0))
        how = UNDECIDED if kind.word == UNDECIDED else f"{kind}{on_scales}"
        return f"{name} is {how} (interaction {size}); {together}"
    strongest = abs(pairs["ace"]).argmax("contrast")
    row = pairs.isel(contrast=int(strongest))
    largest = (
        f"; the strongest is {row['contrast'].item()} ({effect_in_words(row)})"
        if departing
        else ""
    )
    return (
        f"of {n} pairs of tiles, {interactions_in_words(kinds.values(), on_scales)}"
        f"{largest}; {together}"
    )


def _tiles_by_number_text(decisions: xr.Dataset) -> str:
    """Return what tiles do alone, and the terms of three tiles or more."""
    order = decisions["order"].to_numpy()
    single, higher = (decisions.isel(contrast=rows) for rows in (order == 1, order > 2))
    text = verdict_counts(single, _SIGN_WORDS, of="tiles alone")
    if higher.sizes["contrast"]:
        terms = "terms of three tiles or more"
        text += f"; {verdict_counts(higher, _SIGN_WORDS, of=terms)}"
    return text


def _kinds_of_pairs(decisions: xr.Dataset, pairs: xr.Dataset) -> dict[str, JointEffect]:
    """Return what the two tiles of each pair do together, the others shuffled."""
    verdicts = dict(
        zip(
            decisions["contrast"].to_numpy().astype(str).tolist(),
            decisions["verdict"].to_numpy().astype(str).tolist(),
            strict=True,
        )
    )
    return {
        name: joint_effect(
            [verdicts[tile] for tile in name.split(" x ")], verdicts[name]
        )
        for name in pairs["contrast"].to_numpy().astype(str).tolist()
    }


def _read_tile_interactions(found: TrialResults) -> Finding:
    finding = finding_by_task(
        found,
        text=lambda rows: f"{_tile_interactions_text(rows, found)}.",
        details=lambda rows: f"{_tiles_by_number_text(rows)}.",
    )
    bounded = bounded_sentences(found.outcomes)
    return replace(finding, sentences=(*finding.sentences, *bounded))


TILE_INTERACTIONS = Entry(
    name="tile_interactions",
    question="Are tiles additive, or do they need or replace each other?",
    estimand=(
        "The Moebius terms of Y(set of tiles kept, the other tiles shuffled), over the "
        "real sequences and the shuffles."
    ),
    doi="10.1038/s41588-024-01923-3",
    read=_read_tile_interactions,
)
