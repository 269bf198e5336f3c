"""Necessity of the sites of a motif or of tiles in their own context, and sufficiency of
tiles in a shuffled one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from causalgia.design import Genomic
from causalgia.design.intervention import Span
from causalgia.errors import DesignError
from causalgia.experiments._needed_sites import ASKED_ALONE, LOST, needed_sites
from causalgia.experiments.kit.answer import Reading, profile_along
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.shapes import shape_table, shapes_along
from causalgia.experiments.kit.stated import Shape
from causalgia.experiments.kit.tile_contexts import (
    as_tile_sequences,
    as_tiles_and_protected,
    check_shufflable,
    cut_into_blocks,
    shuffle_spans,
    span_name,
    tile_analysis,
)
from causalgia.experiments.kit.trial import Trial
from causalgia.experiments.kit.variance import rows_by_task
from causalgia.notes import Statement
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences import Motif
from causalgia.sequences.fasta import Source

if TYPE_CHECKING:
    pass


_DOES = {LOST: "shuffling a tile", ASKED_ALONE: "a tile alone in shuffles"}


def necessity(
    sequences: Source | Genomic,
    *,
    motif: str | Motif | None = None,
    fills: Sequence[str] = ("shuffle",),
    threshold: float | None = None,
    tile_width: int | None = None,
    tiles: Sequence[Span] | None = None,
    tss: Span | None = None,
    n_draws: int = 10,
    k: int = 2,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that asks what sequences lose without each site of a motif,
    or without each tile, and what it does alone.

    By sites (`motif`): ``"shuffle"`` is what sequences lose when the letters of a site
    are put in another order, minus the sequence as it is. Composition stays and nothing
    else is touched, so the loss is of the site itself; no span elsewhere is the control,
    as it may hold another motif. The unit is the site: the answer is the mean over sites
    and the quantiles of their effects. ``"alone in shuffles"`` is the same site in a
    shuffle of its sequence minus that shuffle.

    By tiles: each is shuffled in place (``"60-120 shuffled"``), and kept alone while all
    else is shuffled (``"60-120 alone"``). A tile that is not needed may be sufficient:
    where either of two is enough, neither is needed.

    Parameters
    ----------
    sequences
        Real sequences of one length: a FASTA file, strings, tokens, or
        ``cg.Genomic(of=..., parent=...)`` where several descend from one. Several are a
        sample of a population, with errors between sequences; a single one is the target
        itself, with errors between its draws.
    motif
        A string of IUPAC letters (found exactly, on both strands), or what
        `causalgia.motif` takes: a name, a file, a table. None: tiles.
    fills
        Replacements of the sites, as in `causalgia.AblateEach`: by default its own
        letters in another order. Each is drawn again where it holds the motif or makes
        it with the bases beside it; sites without a fill free of the motif are left out,
        and the answer says how many.
    threshold
        p-value of the lowest score of a site of a motif, by default 1e-4; not allowed
        for a string.
    tile_width
        Width of adjacent tiles that fill the sequence beside `tss`, where `tiles` is
        None; the last tile may be shorter. None: 5,000, or an eighth of sequences that
        are shorter than two such tiles.
    tiles
        (start, stop) of each tile, 0-based, stop excluded, without overlap.
    tss
        The span that is never shuffled, such as the tile with the start of
        transcription.
    n_draws
        Fills of each site, or shuffles of each tile.
    k
        Length of the k-lets whose counts a shuffle preserves: 1 composition, 2
        dinucleotides.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. An sd is that of the untreated sequences.

    Returns
    -------
    Experiment
        Coordinate ``asks`` of the contrasts: ``"lost"``, ``"alone"``. By sites also
        ``fill``; finding ``instances``, the mean effect of each site over its draws with
        its standard error, sequence, start, strand and score; ``quantiles (prob, ...)`` of
        these effects; and ``moderation``, what moves them (`causalgia.moderation`). By
        tiles ``tile`` (its start), ``stop`` and ``center``; finding ``shapes``.

    Raises
    ------
    DesignError
        If no sequence has a site, or there is only one, or only one that has a fill
        free of the motif (AAAAAA has no other order); if tiles leave the sequence,
        overlap each other or `tss`, are too short to be shuffled, or one is the whole
        sequence; if both sites and tiles are asked for; for one sequence with a rope in
        sd, or one draw.
    SequenceError
        If the motif is longer than the sequences, or there is no motif of that name.

    References
    ----------
    Avsec et al. (2021), doi:10.1038/s41588-021-00782-6. Toneyan & Koo (2024),
    doi:10.1038/s41588-024-01923-3.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.zoo import EndGC, MotifCount, Oracle
    >>> sampled = cg.Uniform(length=200).sample(400, rng=0)["sequence"].values
    >>> experiment = cg.experiments.necessity(sampled, motif="AGATAA", n_draws=2)
    >>> oracle = Oracle(MotifCount("AGATAA", 0.9, "both"), EndGC(-1.0, last=150))
    >>> answer = experiment.analyze(cg.run(experiment, oracle, rng=0), rng=0)
    >>> print(answer.sentences[0])
    Task outcome: overwriting AGATAA by its letters in another order lowers the outcome ...

    Tiles of sequences in which both of two sites are needed:

    >>> from causalgia.sequences import decode
    >>> from causalgia.zoo.terms import Gate
    >>> gate = Oracle(
    ...     Gate(("GATAAG", "TATAAA"), bonus=4.0, logic="and"), MotifCount("CAC", 0.01)
    ... )
    >>> random = decode(cg.Uniform(length=240).sample(60, rng=0)["sequence"].values)
    >>> sequences = [s[:70] + "GATAAG" + s[76:140] + "TATAAA" + s[146:] for s in random]
    >>> experiment = cg.experiments.necessity(
    ...     sequences, tile_width=60, rope=(-0.5, 0.5)
    ... )
    >>> answer = experiment.analyze(cg.run(experiment, gate, rng=0), rng=0)
    >>> print(answer.sentences[0])
    Task outcome: shuffling a tile lowers the outcome at 60 to 180 (-3...); negligible ...
    """
    if motif is None:
        if threshold is not None:
            raise DesignError("threshold= is of motif=", argument="threshold")
        return _of_tiles(
            NECESSITY,
            sequences,
            (tile_width, tiles, tss),
            n_draws=n_draws,
            k=k,
            rope=rope,
        )
    if (tile_width, tiles, tss) != (None, None, None):
        raise DesignError(
            "motif= asks for its sites; leave tile_width, tiles and tss out",
            argument="motif",
        )
    return needed_sites(
        sequences,
        motif,
        fills=fills,
        threshold=threshold,
        n_draws=n_draws,
        k=k,
        rope=rope,
    )


def sufficiency(
    sequences: Source | Genomic,
    *,
    tile_width: int | None = None,
    tiles: Sequence[Span] | None = None,
    tss: Span | None = None,
    n_draws: int = 10,
    k: int = 2,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that asks what each tile does alone in a shuffled context,
    and what its sequence loses without it.

    The effect of a tile is ``Y(tile and tss kept, all else shuffled) - Y(tss kept, all
    else shuffled)``. Every tile and every gap is shuffled within itself, with the same
    shuffled bases in every arm, so that the arms of a unit differ in one tile alone. The
    trial is that of `necessity`; the question is the other half of it.

    Parameters
    ----------
    sequences, tile_width, tiles, n_draws, k, rope
        As for `necessity`.
    tss
        The span that every arm keeps, such as the promoter that a tile acts on; None:
        no span is kept.

    Returns
    -------
    Experiment
        As `necessity` of tiles.

    Raises
    ------
    DesignError
        As for `necessity`.

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
    ...     Gate(("GATAAG", "TATAAA"), bonus=4.0, logic="or"), MotifCount("CAC", 0.01)
    ... )
    >>> random = decode(cg.Uniform(length=240).sample(60, rng=0)["sequence"].values)
    >>> sequences = [s[:70] + "GATAAG" + s[76:140] + "TATAAA" + s[146:] for s in random]
    >>> experiment = cg.experiments.sufficiency(
    ...     sequences, tile_width=60, rope=(-0.5, 0.5)
    ... )
    >>> answer = experiment.analyze(cg.run(experiment, gate, rng=0), rng=0)
    >>> print(answer.sentences[0])
    Task outcome: a tile alone in shuffles raises the outcome at 60 to 180 (+3...); ...
    """
    return _of_tiles(
        SUFFICIENCY,
        sequences,
        (tile_width, tiles, tss),
        n_draws=n_draws,
        k=k,
        rope=rope,
    )


def _of_tiles(
    entry: Entry,
    sequences: Source | Genomic,
    cut: tuple[int | None, Sequence[Span] | None, Span | None],
    *,
    n_draws: int,
    k: int,
    rope: RopeLike,
) -> Experiment:
    """Return the trial with each tile shuffled, and with each alone: the entry says
    which of the two is the question.
    """
    region, (tile_width, tiles, tss) = Rope.parse(rope, error=DesignError), cut
    null = as_tile_sequences(sequences, n_draws, region, fixed_control=True)
    spans, kept = as_tiles_and_protected(
        null.length, tile_width=tile_width, tiles=tiles, tss=tss
    )
    check_shufflable(spans, k)
    context = [
        b for b in cut_into_blocks(null.length, [*spans, *kept]) if b not in kept
    ]
    trial = Trial(null, control="untreated", entry=entry)
    nothing = trial.intervention("all shuffled", shuffle_spans(context, k))
    for span in spans:
        start, stop = span
        name, place = span_name(span), {"tile": start, "stop": stop}
        lost = trial.intervention(f"{name} shuffled", shuffle_spans([span], k))
        alone = trial.intervention(
            f"{name} alone", shuffle_spans([b for b in context if b != span], k)
        )
        for effect, asks in (
            (lost - trial.untreated(), LOST),
            (alone - nothing, ASKED_ALONE),
        ):
            trial.row(
                f"{name} {'shuffled' if asks == LOST else 'alone'}",
                effect,
                asked=asks == _ASKS[entry.name],
                asks=asks,
                center=(start + stop) / 2,
                **place,
            )
    target = tile_analysis(null, region).target
    return trial.experiment(n_units=null.available, rope=region, target=target)


def _read_tiles(found: TrialResults) -> Reading:
    """Return where a tile is needed and where it is enough, that of the question
    first.
    """
    first = _ASKS[found.experiment.entry.name]
    states: list[Statement] = []
    every: list[tuple[tuple[str, str | None], Shape]] = []
    for task, rows in rows_by_task(found.steps.decisions):
        for asks in sorted(_DOES, key=lambda which: which != first):
            own = rows.isel(contrast=rows["asks"].to_numpy() == asks)
            shapes = [
                replace(s, group=asks)
                for s in shapes_along(own, found.experiment.entry.axis)
            ]
            every += [(task, shape) for shape in shapes]
            states.append(Statement((("shapes", shapes, _DOES[asks]),), *task))
    return Reading(datasets={"shapes": shape_table(every)}, states=tuple(states))


_ASKS = {"necessity": LOST, "sufficiency": ASKED_ALONE}


NECESSITY = Entry(
    name="necessity",
    question="What do sequences lose without each tile, and what does it do alone?",
    estimand=(
        "E[Y(tile shuffled) - Y(untreated)] for each tile, over the real sequences and "
        "the shuffles; E[Y(tile alone, all else shuffled) - Y(all shuffled)] beside it."
    ),
    doi="10.1038/s41588-024-01923-3",
    zoo="long_range",
    example={"sequences": "example.fa", "tile_width": 60, "rope": [-0.1, 0.1]},
    read=_read_tiles,
    draw=profile_along("center", by="asks"),
    axis="tile",
)
SUFFICIENCY = replace(
    NECESSITY,
    name="sufficiency",
    question="What does each tile do alone, and what do sequences lose without it?",
    estimand=(
        "E[Y(tile kept, context shuffled) - Y(all shuffled)] for each tile, over the "
        "real sequences and shuffles; E[Y(tile shuffled) - Y(untreated)] beside it."
    ),
)
