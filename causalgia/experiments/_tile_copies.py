"""Copies of a tile: what each further one adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from causalgia.design import Genomic
from causalgia.design.intervention import Span
from causalgia.errors import DesignError
from causalgia.experiments._copies import add_copies, read_copies
from causalgia.experiments.kit.experiment import Entry, Experiment
from causalgia.experiments.kit.shapes import draw_shapes
from causalgia.experiments.kit.tile_contexts import (
    as_tile_sequences,
    tile_analysis,
    tile_context,
)
from causalgia.experiments.kit.trial import ROPE, Trial, Weights
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences.fasta import Source

CONTEXT = "context alone"


def tile_copies(
    sequences: Source | Genomic,
    *,
    tile: Span,
    at: Sequence[int],
    tss: Span,
    n_draws: int = 10,
    k: int = 2,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the experiment that asks what each further copy of a tile adds.

    In a shuffled context with the promoter kept, the tile is copied from each sequence
    to the first place, to the first two, and so on. Contrasts are those of `copies`.

    Parameters
    ----------
    sequences, tile, tss, n_draws, k
        As for `tile_placement`.
    at
        0-based starts of two or more non-overlapping copies, in the order in which they
        are added; the tile's own start may be among them.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads; by default a tenth of the largest effect of one copy,
        at least 0.2 sd of the backgrounds.

    Returns
    -------
    Experiment
        Contrasts as of `copies`, against ``"context alone"``.

    Raises
    ------
    DesignError
        As for `tile_placement`.

    References
    ----------
    Toneyan & Koo (2024), doi:10.1038/s41588-024-01923-3.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.sequences import decode
    >>> random = decode(cg.Uniform(length=600).sample(20, rng=0)["sequence"].values)
    >>> sequences = [s[:20] + "TGCATG" + s[26:] for s in random]
    >>> experiment = cg.experiments.tile_copies(
    ...     sequences,
    ...     tile=(0, 60),
    ...     at=[0, 100, 200],
    ...     tss=(500, 550),
    ...     n_draws=4,
    ...     rope=(-0.1, 0.1),
    ... )
    >>> answer = experiment.analyze(
    ...     cg.run(experiment, cg.zoo.oracle("saturating"), rng=0), rng=0
    ... )
    >>> print(answer.sentences[0])
    Task outcome: ...
    """
    region = Rope.parse(rope, error=DesignError)
    null = as_tile_sequences(sequences, n_draws, region)
    context = tile_context(null, tile=tile, at=at, tss=tss, k=k)
    trial = Trial(null, control="untreated", entry=TILE_COPIES)

    def arm(name: str, places: Sequence[int]) -> Weights:
        return trial.intervention(name, context.with_copies(dict.fromkeys(places, "+")))

    first, *others = context.at
    dose = [
        arm(
            CONTEXT if n == 0 else f"tile at {', '.join(map(str, context.at[:n]))}",
            context.at[:n],
        )
        for n in range(len(context.at) + 1)
    ]
    add_copies(
        trial,
        dose,
        {first: dose[1], **{at: arm(f"tile at {at}", [at]) for at in others}},
    )
    asked = trial.experiment(n_units=null.available, rope=region)
    return replace(asked, analysis=tile_analysis(null, region))


TILE_COPIES = Entry(
    name="tile_copies",
    question="What does each further copy of a tile add?",
    estimand=(
        "E[Y(n copies, context shuffled) - Y(n - 1 copies)] for each n, and E[Y(all "
        "copies)] minus the sum of single tiles, over the real sequences and the shuffles."
    ),
    doi="10.1038/s41588-024-01923-3",
    axis="copies",
    of="the tile",
    read=read_copies,
    draw=draw_shapes,
)
