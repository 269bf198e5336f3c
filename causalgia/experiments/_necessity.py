"""Necessity of tiles in their own context, and sufficiency of tiles in a shuffled
one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from causalgia.choices import DIRECTIONS
from causalgia.design import Arm, Genomic, Untreated
from causalgia.design.intervention import Span
from causalgia.errors import DesignError
from causalgia.experiments.kit.answer import Finding, profile_along
from causalgia.experiments.kit.experiment import (
    Entry,
    Experiment,
    TrialResults,
    finding_by_task,
)
from causalgia.experiments.kit.tile_contexts import (
    as_tile_sequences,
    as_tiles_and_protected,
    check_shufflable,
    cut_into_blocks,
    shuffle_spans,
    span_coordinates,
    span_name,
    tile_analysis,
)
from causalgia.experiments.kit.variance import effect_in_words
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences.fasta import Source

if TYPE_CHECKING:
    import xarray as xr

WILD_TYPE, NOTHING = "wild type", "all shuffled"
_TILES_NAMED = 5


def necessity(
    sequences: Source | Genomic,
    *,
    tile_width: int | None = None,
    tiles: Sequence[Span] | None = None,
    tss: Span | None = None,
    n_draws: int = 10,
    k: int = 2,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that estimates which tiles are necessary: each is shuffled
    in place.

    The effect of a tile is ``Y(tile shuffled) - Y(wild type)``: shuffling a necessary
    tile ``"decreases"`` the outcome, shuffling a repressive one ``"increases"`` it, and
    a tile that is not necessary is ``"negligible"`` (it may still be sufficient: where
    either of two tiles is enough, neither is necessary).

    Parameters
    ----------
    sequences
        Real sequences of equal length, as `causalgia.Genomic` takes them. Several are a
        sample of a population, with errors between sequences; a single one is the
        target itself, with errors between its shuffles.
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
        Shuffles of each tile in each sequence.
    k
        Length of the k-lets whose counts a shuffle preserves: 1 composition, 2
        dinucleotides.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. An sd is that of the wild type.

    Returns
    -------
    Experiment
        Arms ``"wild type"`` and ``"0-5000"``, ``"5000-10000"``, ...; coordinates
        ``start``, ``stop`` and ``center``.

    Raises
    ------
    DesignError
        If tiles leave the sequence, overlap each other or `tss`, are too short to be
        shuffled, or one is the whole sequence; or for one sequence with a single draw
        or a rope in sd.

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
    >>> experiment = cg.experiments.necessity(
    ...     sequences, tile_width=60, rope=(-0.5, 0.5)
    ... )
    >>> answer = experiment.analyze(cg.run(experiment, gate, rng=0), rng=0)
    >>> print(answer.sentences[0])
    Task outcome: of 4 tiles, 2 are needed (60-120: -3.6...; 120-180: -3.5...), 2 are negligible.
    """
    region = Rope.parse(rope, error=DesignError)
    null = as_tile_sequences(sequences, n_draws, region, fixed_control=True)
    spans, _ = as_tiles_and_protected(
        null.length, tile_width=tile_width, tiles=tiles, tss=tss
    )
    check_shufflable(spans, k)
    arms = [
        Arm(span_name(span), shuffle_spans([span], k), {"start": span[0]})
        for span in spans
    ]
    return _tile_experiment(
        null, [Arm(WILD_TYPE, Untreated()), *arms], WILD_TYPE, NECESSITY, region, spans
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
    """Return the experiment that estimates which tiles are sufficient: each alone in a
    shuffled context.

    The effect of a tile is ``Y(tile and tss kept, all else shuffled) - Y(tss kept, all
    else shuffled)``. Every tile and every gap is shuffled within itself, with the same
    shuffled bases in every arm, so that the arms of a unit differ in one tile alone.

    Parameters
    ----------
    sequences, tile_width, tiles, n_draws, k
        As for `necessity`.
    tss
        The span that every arm keeps, such as the promoter that a tile acts on; None:
        no span is kept.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. An sd is that of the fully shuffled arm.

    Returns
    -------
    Experiment
        Arms ``"all shuffled"`` and ``"0-5000"``, ``"5000-10000"``, ...; coordinates
        ``start``, ``stop`` and ``center``.

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
    Task outcome: of 4 tiles, 2 are sufficient (60-120: 3...; 120-180: 3...), 2 are ...
    """
    region = Rope.parse(rope, error=DesignError)
    null = as_tile_sequences(sequences, n_draws, region)
    spans, promoter = as_tiles_and_protected(
        null.length, tile_width=tile_width, tiles=tiles, tss=tss
    )
    check_shufflable(spans, k)
    context = [
        block
        for block in cut_into_blocks(null.length, [*spans, *promoter])
        if block not in promoter
    ]
    alone = (
        Arm(
            span_name(s),
            shuffle_spans([b for b in context if b != s], k),
            {"start": s[0]},
        )
        for s in spans
    )
    return _tile_experiment(
        null,
        [Arm(NOTHING, shuffle_spans(context, k)), *alone],
        NOTHING,
        SUFFICIENCY,
        region,
        spans,
    )


def _tile_experiment(
    null: Genomic,
    arms: list[Arm],
    control: str,
    entry: Entry,
    region: Rope,
    spans: Sequence[Span],
) -> Experiment:
    return Experiment(
        null=null,
        arms=arms,
        n_units=null.available,
        contrasts=control,
        entry=entry,
        analysis=tile_analysis(null, region),
        labels=span_coordinates(spans),
    )


_LOST = {
    "decreases": "needed",
    "increases": "holding the outcome down",
    "negligible": "negligible",
    "undecided": "undecided",
}
_GAINED = {
    "increases": "sufficient",
    "decreases": "lowering the outcome",
    "negligible": "negligible",
    "undecided": "undecided",
}


def _read_tiles(found: TrialResults, *, words: dict[str, str]) -> Finding:
    return finding_by_task(
        found, lambda rows: f"{verdict_counts(rows, words, of='tiles')}."
    )


def verdict_counts(
    decisions: xr.Dataset,
    words: dict[str, str],
    largest: Callable[[xr.Dataset], str] | None = None,
    *,
    of: str = "",
) -> str:
    """Return the number of contrasts with each verdict, as text, with the largest
    increases and decreases.

    Parameters
    ----------
    decisions
        ``ace``, ``lower``, ``upper`` and ``verdict`` of one task, (contrast).
    words
        Verdict -> its word in the text.
    largest
        From increases or decreases, the text that names the largest; by default up to
        three tiles and their effects.
    of
        What the contrasts are of, in the plural; empty: only the counts.

    Examples
    --------
    >>> import xarray as xr
    >>> row = {
    ...     "ace": [2.0, 0.0],
    ...     "lower": [1.9, -0.1],
    ...     "upper": [2.1, 0.1],
    ...     "verdict": ["increases", "negligible"],
    ... }
    >>> table = xr.Dataset(
    ...     {k: ("contrast", v) for k, v in row.items()},
    ...     coords={"contrast": ["0-5", "5-9"]},
    ... )
    >>> words = {"increases": "sufficient", "negligible": "negligible"}
    >>> verdict_counts(table, words, of="tiles")
    'of 2 tiles, 1 is sufficient (0-5: 2.00 [1.90, 2.10]), 1 is negligible'
    """
    verdicts, parts = decisions["verdict"].to_numpy(), []
    for verdict, word in words.items():
        rows = decisions.isel(contrast=verdicts == verdict)
        n = rows.sizes["contrast"]
        shown = (
            f" ({(largest or _largest_tiles)(rows)})" if verdict in DIRECTIONS else ""
        )
        does = f"{'is' if n == 1 else 'are'} {word}"
        if f"{word}s" == verdict:  # a verb
            does = verdict if n == 1 else word
        if of and 1 < n == len(verdicts):
            return f"all {n} {of} {does}{shown}"
        parts += [f"{n} {does}{shown}"] if n else []
    if not of:
        return ", ".join(parts)
    n = len(verdicts)
    named = re.sub("(tile|term)s", r"\1", of, count=1) if n == 1 else of
    return f"of {n} {named}, {', '.join(parts)}"


def _largest_tiles(tiles: xr.Dataset) -> str:
    """List the tiles with the largest effects, in the order of the sequence."""
    order = np.argsort(-abs(tiles["ace"].to_numpy()), kind="stable")
    rows = [tiles.isel(contrast=i) for i in sorted(order[:_TILES_NAMED])]
    text = "; ".join(
        f"{row['contrast'].item()}: {effect_in_words(row)}" for row in rows
    )
    return text + ("; ..." if len(order) > _TILES_NAMED else "")


NECESSITY = Entry(
    name="necessity",
    question="Which tiles are necessary for the outcome?",
    estimand=(
        "E[Y(tile shuffled) - Y(wild type)] for each tile, over the real sequences and "
        "the shuffles."
    ),
    doi="10.1038/s41588-024-01923-3",
    read=partial(_read_tiles, words=_LOST),
    draw=profile_along("center"),
)
SUFFICIENCY = Entry(
    name="sufficiency",
    question="Which tiles are sufficient by themselves?",
    estimand=(
        "E[Y(tile kept, context shuffled) - Y(all shuffled)] for each tile, over the "
        "real sequences and shuffles."
    ),
    doi="10.1038/s41588-024-01923-3",
    read=partial(_read_tiles, words=_GAINED),
    draw=profile_along("center"),
)
