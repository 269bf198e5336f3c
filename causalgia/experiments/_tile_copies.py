"""Copies of a tile: additive, saturating or synergistic."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from causalgia.design import Arm, Genomic
from causalgia.design.intervention import Span
from causalgia.errors import DesignError
from causalgia.experiments._copies import (
    BEYOND_FIRST,
    EXCESS,
    copies_in_words,
    copy_contrasts,
    read_copies,
)
from causalgia.experiments.kit.answer import profile_along
from causalgia.experiments.kit.experiment import Entry, Experiment
from causalgia.experiments.kit.tile_contexts import (
    as_tile_sequences,
    tile_analysis,
    tile_context,
)
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
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that tests whether copies of a tile are additive,
    saturating or synergistic.

    In a shuffled context with the promoter kept, the tile is copied from each sequence
    to the first place, to the first two, and so on. Contrasts are those of `copies`:
    each number of copies, and the tile alone at each place, against the context alone;
    the ``linear trend`` from none to all; the ``excess over n times the first``, all n
    copies minus n times the first; and the ``excess over single sites``, all copies
    minus the sum of each alone, which is 0 for additive copies even where the effect of
    a site depends on its place.

    Parameters
    ----------
    sequences, tile, tss, n_draws, k
        As for `tile_placement`.
    at
        0-based starts of two or more non-overlapping copies, in the order in which they
        are added; the tile's own start may be among them.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. An sd is that of the arms that are subtracted.

    Returns
    -------
    Experiment
        Arms ``"context alone"``, ``"1 copy"``, ``"2 copies"``, ... and
        ``"alone at 2000"`` for each place but the first; coordinate ``copies``.

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
    Task outcome: 3 copies of the tile are saturating (less than the sum of 3 positive effects): from none ...
    """
    region = Rope.parse(rope, error=DesignError)
    null = as_tile_sequences(sequences, n_draws, region)
    context = tile_context(null, tile=tile, at=at, tss=tss, k=k)
    return Experiment(
        null=null,
        arms=[
            Arm(CONTEXT, context.with_copies({}), {"copies": 0}),
            *(
                Arm(
                    copies_in_words(n),
                    context.with_copies(dict.fromkeys(context.at[:n], "+")),
                    {"copies": n},
                )
                for n in range(1, len(context.at) + 1)
            ),
            *(
                Arm(f"alone at {start}", context.with_copies({start: "+"}))
                for start in context.at[1:]
            ),
        ],
        n_units=null.available,
        contrasts=copy_contrasts(context.at, control=CONTEXT),
        entry=TILE_COPIES,
        analysis=tile_analysis(null, region),
        asked=(BEYOND_FIRST, EXCESS),
        labels={
            "copies": {copies_in_words(n): n for n in range(1, len(context.at) + 1)}
        },
    )


TILE_COPIES = Entry(
    name="tile_copies",
    question="Are copies of a tile additive, saturating or synergistic?",
    estimand=(
        "E[Y(n copies, context shuffled) - Y(context alone)] for each n, its linear "
        "trend from none to n, and E[Y(n copies)] minus the sum of single tiles, over the real "
        "sequences and the shuffles."
    ),
    doi="10.1038/s41588-024-01923-3",
    read=partial(read_copies, site="the tile"),
    draw=profile_along("copies"),
)
