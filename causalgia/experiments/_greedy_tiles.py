"""Which tiles matter together, found one at a time: a round's design given those chosen so far, and the loop."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from causalgia.analysis import Rope
from causalgia.checks import as_count
from causalgia.design import Arm, Design, Genomic, Untreated
from causalgia.design.intervention import Span
from causalgia.errors import DesignError, quoted
from causalgia.experiments._necessity import counted
from causalgia.experiments.kit.answer import Finding
from causalgia.experiments.kit.experiment import Entry, Experiment, Found
from causalgia.experiments.kit.figures import profile_along
from causalgia.experiments.kit.tile_contexts import (
    analysis_of,
    chosen_task,
    in_words,
    places,
    real_sequences,
    require_shufflable,
    require_task,
    said_of_each,
    shuffled,
    spans_inside,
)
from causalgia.streams import RNG, derive, root_key

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

    from causalgia.predict import Predictor

Goal = Literal["lower", "raise"]
WILD_TYPE, CHOSEN = "wild type", "chosen shuffled"
_BEFORE, _AFTER = "before", "after"


def greedy_round(
    sequences: Any,
    *,
    tiles: Sequence[Span],
    chosen: Sequence[Span] = (),
    draws: int = 10,
    k: int = 2,
    rope: Rope = "0.2 sd",
) -> Experiment:
    """Return one round of a greedy search: what each further tile changes, given that those chosen are shuffled.

    The effect of a tile is ``Y(chosen and this tile shuffled) - Y(chosen shuffled)``; in the first round, with nothing
    chosen, its necessity. The best of many estimates is too large by its choosing: read the effect of a tile that was
    chosen from other draws than chose it, as `greedy_tiles` gives it.

    Parameters
    ----------
    sequences, draws, k
        As for `necessity`.
    tiles
        (start, stop) of the candidates, those that are chosen among them or not.
    chosen
        (start, stop) of the tiles chosen so far.
    rope
        Region of practical equivalence for every contrast, on the predictor's scale; sd with the chosen ones shuffled.

    Returns
    -------
    Experiment
        Arms ``"wild type"`` or ``"chosen shuffled"``, and ``"0-500"``, ... for each candidate; coordinates ``start``,
        ``stop`` and ``centre``.

    Raises
    ------
    DesignError
        If tiles overlap, leave the sequence or are too short to be shuffled, or none is left to choose; or for one
        sequence with a single draw, or in the first round with a rope in sd.

    References
    ----------
    Toneyan & Koo (2024), doi:10.1038/s41588-024-01923-3.

    Examples
    --------
    >>> import causalgia as cg
    >>> random = cg.Uniform(length=90).sample(20, rng=0)["sequence"].values
    >>> made = cg.experiments.greedy_round(random, tiles=[(0, 30), (30, 60), (60, 90)], chosen=[(30, 60)])
    >>> made.arm_names
    ['chosen shuffled', '0-30', '60-90']
    """
    null = real_sequences(sequences, draws, rope, fixed_control=not len(chosen))
    spans, done = _candidates(null, tiles, chosen, k)
    control = CHOSEN if done else WILD_TYPE
    arms = [Arm(in_words(span), shuffled([*done, span], k), {"start": span[0]}) for span in spans]
    return Experiment(
        null=null,
        arms=[Arm(control, shuffled(done, k)), *arms],
        n_units=null.available,
        contrasts=control,
        entry=GREEDY_ROUND,
        analysis=analysis_of(null, rope),
        labels=places(spans),
    )


def _candidates(null: Genomic, tiles: Any, chosen: Any, k: int) -> tuple[list[Span], tuple[Span, ...]]:
    """Return the tiles that are left, and those chosen."""
    spans = spans_inside(tiles, "tiles", null.length)
    done = spans_inside(chosen, "chosen", null.length, least=0)
    left = [span for span in spans if span not in done]
    if not left:
        raise DesignError(f"chosen: all {len(spans)} tiles are chosen, and none is left; give more tiles, or stop")
    spans_inside([*left, *done], "tiles and chosen", null.length)
    require_shufflable([*left, *done], k)
    return left, done


def greedy_tiles(
    sequences: Any,
    predictor: Predictor,
    *,
    tiles: Sequence[Span],
    rng: RNG,
    rounds: int = 3,
    task: str | None = None,
    goal: Goal = "lower",
    draws: int = 10,
    k: int = 2,
    ci_prob: float = 0.95,
    client: Client | None = None,
) -> xr.Dataset:
    """Shuffle one tile after the other, each time the one that changes the mean outcome most, and say what each does.

    Each round asks `greedy_round` of some shuffles, and what its winner changes is then estimated from other shuffles
    of the same sequences, which did not choose it. So it is a claim about new shuffles of these sequences: the tiles
    were chosen for them, and other sequences are reserved beforehand if the claim is to reach them.

    Parameters
    ----------
    sequences, draws, k
        As for `necessity`; two draws or more.
    predictor
        What is asked.
    tiles
        (start, stop) of the candidates, which do not overlap.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    rounds
        How many tiles are chosen.
    task
        Whose outcome chooses; None where there is one alone.
    goal
        ``"lower"``: the tile whose loss lowers the outcome most (an enhancing set); ``"raise"``: a silencing one.
    ci_prob
        Probability of each interval.
    client
        Of a Dask cluster (`distributed.Client`) whose workers answer; None: this process.

    Returns
    -------
    Dataset
        ``ace, se, df, p, lower, upper (round, contrast, task)`` on fresh shuffles: contrast ``"added"`` is the tile's
        own change given those before it, ``"total"`` that of all so far against the wild type; ``choosing (round,
        task)`` the tile's change among the shuffles that chose it. Coordinates ``tile, start, stop (round)``.

    Raises
    ------
    DesignError
        As for `greedy_round`; if there are fewer tiles than rounds, a single draw, or no such task or goal.
    ClusterError
        As `causalgia.run`.

    References
    ----------
    Toneyan & Koo (2024), doi:10.1038/s41588-024-01923-3.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.sequences import decode
    >>> from causalgia.zoo import Oracle, Word
    >>> oracle = Oracle(Word("GATAAG", 2.0), Word("TATAAA", 1.0), Word("CAC", 0.01))
    >>> random = decode(cg.Uniform(length=240).sample(10, rng=0)["sequence"].values)
    >>> sequences = [s[:70] + "GATAAG" + s[76:130] + "TATAAA" + s[136:] for s in random]
    >>> tiles = [(start, start + 60) for start in range(0, 240, 60)]
    >>> found = cg.experiments.greedy_tiles(sequences, oracle, tiles=tiles, rounds=2, rng=0)
    >>> found["tile"].values.tolist()
    ['60-120', '120-180']
    """
    import xarray as xr

    from causalgia.effects import contrast
    from causalgia.estimation import estimate
    from causalgia.trial import run

    null = real_sequences(sequences, draws, 0)
    _check(null, tiles, rounds, goal, k)
    require_task(predictor, task)
    answers = partial(run, predictor=predictor, client=client, progress=False)
    key, chosen, rows = root_key(rng), list[Span](), list[xr.Dataset]()
    for n in range(rounds):
        round_ = greedy_round(null, tiles=tiles, chosen=chosen, draws=draws, k=k, rope=0)
        change = _mean_change(answers(round_, rng=derive(key, "choose", n)))
        task = chosen_task(change["task"].to_numpy(), task)
        best = int(np.argmax((-1 if goal == "lower" else 1) * change.sel(task=task).to_numpy()))
        name = str(change["contrast"].to_numpy()[best])
        span = next(s for s in spans_inside(tiles, "tiles", null.length) if in_words(s) == name)
        fresh = answers(_afresh(null, chosen, span, k), rng=derive(key, "estimate", n))
        found = estimate(contrast(fresh), target="parents", ci_prob=ci_prob)
        chosen.append(span)
        rows.append(_row(found, change.isel(contrast=best, drop=True), span))
    return _together(rows, task, goal)


def _check(null: Genomic, tiles: Any, rounds: int, goal: str, k: int) -> None:
    spans, _ = _candidates(null, tiles, (), k)
    if goal not in ("lower", "raise"):
        raise DesignError(f"goal={quoted(goal)} must be 'lower' or 'raise'")
    if as_count(rounds, "rounds") > len(spans):
        raise DesignError(f"rounds={rounds}: there are {len(spans)} tiles to choose from; give more tiles")
    if null.draws < 2:
        raise DesignError("draws=1: an error over the shuffles of these sequences needs two of each; give draws=10")


def _mean_change(outcomes: xr.Dataset) -> xr.DataArray:
    """Return the mean effect of every candidate, (contrast, task); over the models of an ensemble too."""
    from causalgia.effects import contrast

    ice = contrast(outcomes)["ice"]
    return ice.mean([dim for dim in ice.dims if dim not in ("contrast", "task")])


def _afresh(null: Genomic, chosen: Sequence[Span], span: Span, k: int) -> Design:
    """Return the trial that says, of other shuffles, what a tile adds, and what all so far come to."""
    before = [Arm(_BEFORE, shuffled(chosen, k))] if chosen else []
    start = _BEFORE if chosen else WILD_TYPE
    return Design(
        null=null,
        arms=[Arm(WILD_TYPE, Untreated()), *before, Arm(_AFTER, shuffled([*chosen, span], k))],
        n_units=null.available,
        contrasts={"added": {_AFTER: 1.0, start: -1.0}, "total": {_AFTER: 1.0, WILD_TYPE: -1.0}},
    )


def _row(found: xr.Dataset, change: xr.DataArray, span: Span) -> xr.Dataset:
    numbers = found[[name for name in ("ace", "se", "df", "p", "lower", "upper") if name in found]]
    numbers = numbers.drop_vars([name for name in numbers.coords if name not in numbers.dims])
    where = {"tile": in_words(span), "start": span[0], "stop": span[1]}
    return numbers.assign(choosing=change.drop_vars("do", errors="ignore")).assign_coords(where)


def _together(rows: list[xr.Dataset], task: str | None, goal: str) -> xr.Dataset:
    import xarray as xr

    coords = ["tile", "start", "stop"]
    table = xr.concat(rows, dim=xr.Variable("round", np.arange(1, len(rows) + 1)), coords=coords)
    said = {"searched": f"the tile whose loss would {goal} the mean of task {task} most, in every round"}
    return table.assign_attrs(rows[0].attrs | said | {"estimated": "from shuffles that did not choose the tile"})


_WORDS = {
    "decreases": "needed beyond those chosen",
    "increases": "holding it down",
    "negligible": "negligible",
    "undecided": "undecided",
}


def _read(found: Found) -> Finding:
    return said_of_each(found, lambda rows: f"of the tiles left {counted(rows, _WORDS)}")


GREEDY_ROUND = Entry(
    name="greedy_round",
    question="Which further tile matters, given those that are shuffled already?",
    estimand="E[Y(chosen tiles and this one shuffled) - Y(chosen tiles shuffled)] for each tile, over the real "
    "sequences and the shuffles.",
    doi="10.1038/s41588-024-01923-3",
    read=_read,
    draw=profile_along("centre"),
)
