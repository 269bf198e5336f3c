"""Greedy search for tiles that matter jointly: the experiment of one round, and the
search.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr

from causalgia.attributes import attributes
from causalgia.checks import as_ci_prob, as_count
from causalgia.design import Arm, Design, Genomic, Untreated
from causalgia.design.intervention import Span
from causalgia.errors import (
    DesignError,
    quoted,
)
from causalgia.experiments._necessity import verdict_counts
from causalgia.experiments.kit.answer import Finding, profile_along
from causalgia.experiments.kit.experiment import (
    Entry,
    Experiment,
    TrialResults,
    finding_by_task,
)
from causalgia.experiments.kit.tile_contexts import (
    as_spans_inside,
    as_task,
    as_tile_sequences,
    check_shufflable,
    check_task,
    shuffle_spans,
    span_coordinates,
    span_name,
    tile_analysis,
)
from causalgia.predict import Predictor
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences.fasta import Source
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Client

Goal = Literal["lower", "raise"]
WILD_TYPE, CHOSEN = "wild type", "chosen shuffled"
_BEFORE_ARM = "before"
_AFTER_ARM = "after"


def greedy_round(
    sequences: Source | Genomic,
    *,
    tiles: Sequence[Span],
    chosen: Sequence[Span] = (),
    n_draws: int = 10,
    k: int = 2,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return one round of a greedy search: the effect of each further tile, given that
    the chosen ones are shuffled.

    The effect of a tile is ``Y(chosen and this tile shuffled) - Y(chosen shuffled)``;
    in the first round, with nothing chosen, its necessity. The largest of many
    estimates is biased upwards by selection: estimate a chosen tile from draws other
    than those that selected it, as `greedy_tiles` does.

    Parameters
    ----------
    sequences, n_draws, k
        As for `necessity`.
    tiles
        (start, stop) of the candidates; chosen tiles may be among them.
    chosen
        (start, stop) of the tiles chosen so far.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. An sd is that of the outcome with the chosen tiles shuffled.

    Returns
    -------
    Experiment
        Arms ``"wild type"`` or ``"chosen shuffled"``, and ``"0-500"``, ... for each
        candidate; coordinates ``start``, ``stop`` and ``center``.

    Raises
    ------
    DesignError
        If tiles overlap, leave the sequence or are too short to be shuffled, or no
        candidate is left; or for one sequence with a single draw, or in the first round
        with a rope in sd.

    References
    ----------
    Toneyan & Koo (2024), doi:10.1038/s41588-024-01923-3.

    Examples
    --------
    >>> import causalgia as cg
    >>> random = cg.Uniform(length=90).sample(20, rng=0)["sequence"].values
    >>> experiment = cg.experiments.greedy_round(
    ...     random, tiles=[(0, 30), (30, 60), (60, 90)], chosen=[(30, 60)]
    ... )
    >>> experiment.arm_names
    ['chosen shuffled', '0-30', '60-90']
    """
    region = Rope.parse(rope, error=DesignError)
    null = as_tile_sequences(sequences, n_draws, region, fixed_control=not len(chosen))
    spans, before = _candidates(null, tiles, chosen, k)
    control = CHOSEN if before else WILD_TYPE
    arms = [
        Arm(span_name(span), shuffle_spans([*before, span], k), {"start": span[0]})
        for span in spans
    ]
    return Experiment(
        null=null,
        arms=[Arm(control, shuffle_spans(before, k)), *arms],
        n_units=null.available,
        contrasts=control,
        entry=GREEDY_ROUND,
        analysis=tile_analysis(null, region),
        labels=span_coordinates(spans),
    )


def _candidates(
    null: Genomic, tiles: Any, chosen: Any, k: int
) -> tuple[list[Span], tuple[Span, ...]]:
    """Return the remaining tiles and the chosen ones."""
    spans = as_spans_inside(tiles, "tiles", null.length)
    before = as_spans_inside(chosen, "chosen", null.length, least=0)
    left = [span for span in spans if span not in before]
    if not left:
        raise DesignError(
            f"chosen: all {len(spans)} tiles are chosen, and none is left; give "
            "more tiles, or stop"
        )
    as_spans_inside([*left, *before], "tiles and chosen", null.length)
    check_shufflable([*left, *before], k)
    return left, before


def greedy_tiles(
    sequences: Source | Genomic,
    predictor: Predictor,
    *,
    tiles: Sequence[Span],
    rng: RNG,
    n_rounds: int = 3,
    task: str | None = None,
    goal: Goal = "lower",
    n_draws: int = 10,
    k: int = 2,
    ci_prob: float = 0.95,
    client: Client | None = None,
) -> xr.Dataset:
    """Shuffle tiles one after the other, each time the one that changes the mean
    outcome most, and estimate each.

    Each round runs `greedy_round` on some shuffles; the effect of the selected tile is
    then estimated from fresh shuffles of the same sequences. The claim is about new
    shuffles of these sequences, for which the tiles were selected; for a claim about
    other sequences, reserve some beforehand.

    Parameters
    ----------
    sequences, n_draws, k
        As for `necessity`; two draws or more.
    predictor
        The predictor.
    tiles
        (start, stop) of the candidates, which do not overlap.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    n_rounds
        Number of tiles to choose.
    task
        Task whose outcome is searched; None for a predictor with a single task.
    goal
        ``"lower"``: the tile whose loss lowers the outcome most (an enhancing set);
        ``"raise"``: the one whose loss raises it most (a silencing set).
    ci_prob
        Probability of the intervals.
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process. Its
        workers predict.

    Returns
    -------
    Dataset
        ``ace, se, df, p, lower, upper (round, contrast, task)`` on fresh shuffles:
        contrast ``"added"`` is the effect of the tile given those before it,
        ``"total"`` that of all tiles so far against the wild type;
        ``choosing (round, task)`` is the estimate from the shuffles that selected it.
        Coordinates ``tile, start, stop (round)``.

    Raises
    ------
    DesignError
        As for `greedy_round`; if there are fewer tiles than rounds, a single draw, or
        no such task or goal.
    StoreError
        As `causalgia.run`.

    References
    ----------
    Toneyan & Koo (2024), doi:10.1038/s41588-024-01923-3.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.sequences import decode
    >>> from causalgia.zoo import Oracle, MotifCount
    >>> oracle = Oracle(
    ...     MotifCount("GATAAG", 2.0),
    ...     MotifCount("TATAAA", 1.0),
    ...     MotifCount("CAC", 0.01),
    ... )
    >>> random = decode(cg.Uniform(length=240).sample(10, rng=0)["sequence"].values)
    >>> sequences = [s[:70] + "GATAAG" + s[76:130] + "TATAAA" + s[136:] for s in random]
    >>> tiles = [(start, start + 60) for start in range(0, 240, 60)]
    >>> found = cg.experiments.greedy_tiles(
    ...     sequences, oracle, tiles=tiles, n_rounds=2, rng=0
    ... )
    >>> found["tile"].values.tolist()
    ['60-120', '120-180']
    """
    import xarray as xr

    from causalgia._run import run
    from causalgia.effects import contrast
    from causalgia.estimation import estimate

    null = as_tile_sequences(sequences, n_draws, Rope.parse(0))
    spans, _ = _candidates(null, tiles, (), k)
    if goal not in ("lower", "raise"):
        raise DesignError(f"goal={quoted(goal)} must be 'lower' or 'raise'")
    if as_count(n_rounds, "n_rounds") > len(spans):
        raise DesignError(
            f"n_rounds={n_rounds}: there are {len(spans)} tiles to choose from; "
            "give more tiles"
        )
    if null.n_draws < 2:
        raise DesignError(
            "n_draws=1: an error over the shuffles of these sequences needs two of "
            "each; give n_draws=10",
            argument="n_draws",
        )
    check_task(predictor, task)
    ci_prob = as_ci_prob(ci_prob)
    answers = partial(run, predictor=predictor, client=client, progress=False)
    key, chosen, rows = root_key(rng), list[Span](), list[xr.Dataset]()
    for n in range(n_rounds):
        round_ = greedy_round(
            null, tiles=tiles, chosen=chosen, n_draws=n_draws, k=k, rope=0
        )
        ice = contrast(answers(round_, rng=derive(key, "choose", n)))["ice"]
        change = ice.mean([dim for dim in ice.dims if dim not in ("contrast", "task")])
        task = as_task(change["task"].to_numpy(), task)
        best = int(
            np.argmax((-1 if goal == "lower" else 1) * change.sel(task=task).to_numpy())
        )
        name = str(change["contrast"].to_numpy()[best])
        span = next(
            s
            for s in as_spans_inside(tiles, "tiles", null.length)
            if span_name(s) == name
        )
        fresh = answers(
            _fresh_trial(null, chosen, span, k), rng=derive(key, "estimate", n)
        )
        found = estimate(contrast(fresh), target="parents", ci_prob=ci_prob)
        chosen.append(span)
        numbers = found[
            [
                column
                for column in ("ace", "se", "df", "p", "lower", "upper")
                if column in found
            ]
        ]
        numbers = numbers.drop_vars(
            [name for name in numbers.coords if name not in numbers.dims]
        )
        choosing = change.isel(contrast=best, drop=True).drop_vars(
            "do", errors="ignore"
        )
        where = {"tile": span_name(span), "start": span[0], "stop": span[1]}
        rows.append(numbers.assign(choosing=choosing).assign_coords(where))
    table = xr.concat(
        rows,
        dim=xr.Variable("round", np.arange(1, n_rounds + 1)),
        coords=["tile", "start", "stop"],
    )
    attrs = attributes(
        searched=(
            f"the tile whose loss would {goal} the mean of task {task} most, in every "
            "round"
        ),
        chosen=", ".join(span_name(span) for span in chosen),
    )
    return table.assign_attrs(
        rows[0].attrs
        | attrs
        | attributes(estimated="from shuffles that did not choose the tile")
    )


def _fresh_trial(null: Genomic, chosen: Sequence[Span], span: Span, k: int) -> Design:
    """Return the trial on fresh shuffles that estimates the added effect of a tile and
    the total effect so far.
    """
    before = [Arm(_BEFORE_ARM, shuffle_spans(chosen, k))] if chosen else []
    start = _BEFORE_ARM if chosen else WILD_TYPE
    return Design(
        null=null,
        arms=[
            Arm(WILD_TYPE, Untreated()),
            *before,
            Arm(_AFTER_ARM, shuffle_spans([*chosen, span], k)),
        ],
        n_units=null.available,
        contrasts={
            "added": {_AFTER_ARM: 1.0, start: -1.0},
            "total": {_AFTER_ARM: 1.0, WILD_TYPE: -1.0},
        },
    )


_TILE_PHRASES = {
    "decreases": "needed beyond those chosen",
    "increases": "holding the outcome down",
    "negligible": "negligible",
    "undecided": "undecided",
}


def _read_greedy_round(found: TrialResults) -> Finding:
    return finding_by_task(
        found,
        lambda rows: f"{verdict_counts(rows, _TILE_PHRASES, of='remaining tiles')}.",
    )


GREEDY_ROUND = Entry(
    name="greedy_round",
    question="Which further tile matters, given those that are shuffled already?",
    estimand=(
        "E[Y(chosen tiles and this one shuffled) - Y(chosen tiles shuffled)] for each "
        "tile, over the real sequences and the shuffles."
    ),
    doi="10.1038/s41588-024-01923-3",
    read=_read_greedy_round,
    draw=profile_along("center"),
)
