"""Effect of a tile by its place and orientation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from causalgia.design import Arm, Genomic
from causalgia.design.intervention import Span
from causalgia.errors import DesignError
from causalgia.experiments.kit.answer import Finding, profile_along
from causalgia.experiments.kit.experiment import (
    Entry,
    Experiment,
    TrialResults,
    finding_by_task,
    rise_weights,
)
from causalgia.experiments.kit.tile_contexts import (
    TileContext,
    as_tile_sequences,
    span_name,
    tile_analysis,
    tile_context,
)
from causalgia.experiments.kit.variance import effect_in_words, per_unit
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences.fasta import Source

if TYPE_CHECKING:
    import xarray as xr

CONTEXT, DISTANCE, ORIENTATION = "context alone", "distance", "orientation"
_PER = 100  # bp; the slope is given for this distance


def tile_placement(
    sequences: Source | Genomic,
    *,
    tile: Span,
    at: Sequence[int],
    tss: Span,
    n_draws: int = 10,
    k: int = 2,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that estimates the effect of distance and orientation of a
    tile.

    In a shuffled context with the promoter kept, the tile is copied from each sequence
    to each place, in both orientations. Contrasts: each place and strand against the
    context alone; ``orientation``, forward minus reversed, at each place and on
    average; and ``distance``, the rise of the least-squares line through the effects
    (mean of both strands) from the nearest copy to the farthest, by the distance
    between the centers of copy and promoter. The rise is an effect over the whole range
    and is compared with the ROPE as it is.

    Places do not overlap, so all arms shuffle the same blocks and share their shuffled
    bases. At its original position the tile is forward only; where that is one of the
    places, the line is that of forward copies.

    Parameters
    ----------
    sequences
        Real sequences of equal length, as `causalgia.Genomic` takes them. Several are a
        sample of a population, with errors between sequences; a single one is the
        target itself, with errors between its shuffles.
    tile
        (start, stop) of the tile, 0-based, stop excluded.
    at
        0-based starts of two or more copies; the tile's own start may be among them.
    tss
        (start, stop) of the span that every arm keeps and from which distances are
        measured.
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
        Arms ``"context alone"``, ``"at 2000"`` and ``"at 2000, reversed"``; coordinates
        ``place``, ``distance`` and ``strand`` of the contrasts at one place.

    Raises
    ------
    DesignError
        If the tile, a copy or the promoter leaves the sequence, or overlaps another; or
        for one sequence with a single draw.

    References
    ----------
    Toneyan & Koo (2024), doi:10.1038/s41588-024-01923-3.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.sequences import decode
    >>> random = decode(cg.Uniform(length=5_000).sample(20, rng=0)["sequence"].values)
    >>> cut = enumerate(random)
    >>> sequences = [
    ...     s[: 2 * i]
    ...     + "ATGCTGAGTCAT"
    ...     + s[2 * i + 12 : 4_500]
    ...     + "GGCTATAAAAGG"
    ...     + s[4_512:]
    ...     for i, s in cut
    ... ]
    >>> experiment = cg.experiments.tile_placement(
    ...     sequences,
    ...     tile=(0, 60),
    ...     at=[0, 1_500, 3_000],
    ...     tss=(4_480, 4_540),
    ...     n_draws=2,
    ...     rope=(-0.1, 0.1),
    ... )
    >>> answer = experiment.analyze(
    ...     cg.run(experiment, cg.zoo.oracle("long_range"), rng=0), rng=0
    ... )
    >>> print(answer.sentences[0])
    Task outcome: the effect of tile 0-60, forward, falls with distance: -1...
    """
    region = Rope.parse(rope, error=DesignError)
    null = as_tile_sequences(sequences, n_draws, region)
    context = tile_context(null, tile=tile, at=at, tss=tss, k=k)
    forward = {at: f"at {at}" for at in context.at}
    # its own copy is not reversed
    turned = {at: f"at {at}, reversed" for at in context.at if at != context.tile[0]}
    arms = [Arm(CONTEXT, context.with_copies({}))]
    arms += [
        Arm(name, context.with_copies({at: "+"}), {"place": at})
        for at, name in forward.items()
    ]
    arms += [
        Arm(name, context.with_copies({at: "-"}), {"place": at})
        for at, name in turned.items()
    ]
    places = {name: at for names in (forward, turned) for at, name in names.items()}
    rows = _placement_contrasts(context, forward, turned)
    return Experiment(
        null=null,
        arms=arms,
        n_units=null.available,
        contrasts=rows,
        entry=TILE_PLACEMENT,
        analysis=tile_analysis(null, region),
        asked=[name for name in rows if name not in places],
        labels={
            "place": places,
            "distance": {name: context.distance(at) for name, at in places.items()},
            "strand": dict.fromkeys(forward.values(), "+")
            | dict.fromkeys(turned.values(), "-"),
            "tile": {forward[context.at[0]]: span_name(context.tile)},
        },
    )


def _placement_contrasts(
    context: TileContext, forward: Mapping[int, str], turned: Mapping[int, str]
) -> dict[str, dict[str, float]]:
    rows = {
        name: {name: 1.0, CONTEXT: -1.0}
        for name in (*forward.values(), *turned.values())
    }
    rows |= {
        f"{ORIENTATION} at {at}": {forward[at]: 1.0, name: -1.0}
        for at, name in turned.items()
    }
    if len(turned) > 1:
        share = 1.0 / len(turned)
        rows[ORIENTATION] = {forward[at]: share for at in turned} | dict.fromkeys(
            turned.values(), -share
        )
    distances = {name: context.distance(at) for at, name in forward.items()}
    if len(set(distances.values())) > 1:
        rise = rise_weights(distances)
        if len(turned) == len(forward):  # of the means over strands
            rise |= {name: rise[forward[at]] / 2 for at, name in turned.items()}
            rise |= {forward[at]: rise[name] for at, name in turned.items()}
        rows[DISTANCE] = {name: float(weight) for name, weight in rise.items()}
    return rows


_FALLS = {
    "decreases": "falls with distance",
    "increases": "grows with distance",
    "negligible": "does not depend on distance",
    "undecided": "may or may not depend on distance (undecided)",
}


def _read_placement(found: TrialResults) -> Finding:
    (tile,) = found.experiment.labels["tile"].values()
    return finding_by_task(found, lambda rows: f"{_placement_text(rows, tile)}.")


def _placement_text(decisions: xr.Dataset, tile: str) -> str:
    names = list(decisions["contrast"].to_numpy())
    text = f"the effect of tile {tile}"
    strands = decisions["strand"].to_numpy().tolist()
    averaged = strands.count("-") == strands.count("+")
    if averaged or DISTANCE in names:
        both = "averaged over both orientations"
        text += f", {both if averaged else 'forward'},"
    if DISTANCE in names:
        row = decisions.sel(contrast=DISTANCE)
        near, far = (
            float(end)
            for end in (decisions["distance"].min(), decisions["distance"].max())
        )
        text += (
            f" {_FALLS[str(row['verdict'].item())]}: {effect_in_words(row)} from "
            f"{near:,.0f} to {far:,.0f} bp"
        )
        text += f" ({per_unit(row, (far - near) / _PER, f'per {_PER} bp')})"
    else:
        text += " is at positions of one distance"
    turned = [name for name in names if name.startswith(ORIENTATION)]
    row = decisions.sel(contrast=ORIENTATION if ORIENTATION in turned else turned[0])
    matters = {"negligible": "is negligible", "undecided": "is undecided"}.get(
        str(row["verdict"].item()), "matters"
    )
    return (
        f"{text}; orientation {matters}: {effect_in_words(row)} for forward minus "
        "reverse"
    )


TILE_PLACEMENT = Entry(
    name="tile_placement",
    question="Does the effect of a tile depend on its distance and orientation?",
    estimand=(
        "E[Y(tile at a place and strand, context shuffled) - Y(context alone)], its "
        "linear trend over the distances and the difference of strands, over the real "
        "sequences and the shuffles."
    ),
    doi="10.1038/s41588-024-01923-3",
    read=_read_placement,
    draw=profile_along("distance", by="strand"),
)
