"""What a trial will take: how many sequences, how long, and how many bytes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia._run.kept_moments import QUANTILES
from causalgia.design import Design
from causalgia.design.null_model import NullModel
from causalgia.errors import DesignError
from causalgia.estimation._estimate import MAX_COVARIANCE
from causalgia.numerics.sketching import bins_within
from causalgia.predict import Predictor
from causalgia.schema import validate
from causalgia.trial.capacity import require_memory
from causalgia.trial.execution import Parts, each_turn, unit_parts
from causalgia.trial.in_memory import laid_out, outcome_dims
from causalgia.trial.reductions import Everything
from causalgia.trial.setup import Begun, begin
from causalgia.trial.storing import fields_of
from causalgia.trial.turn_plan import Plan, columns
from causalgia.trial.turns import Drawn, Trial

_SECONDS, _MOST_TURNS, _FEW = 2.0, 3, 8
_LEAST_GROUPS, _BYTES_OF_GROUPS = 256, 2**25


@dataclass(frozen=True)
class Cost:
    """What a trial takes on this machine, as some of its units tell.

    Attributes
    ----------
    outcomes
        Of all units.
    sequences
        That the predictor is asked for: distinct ones among those that are answered together.
    seconds
        From the call to the outcomes, on one machine, in memory.
    timed
        Units that were timed.
    """

    outcomes: int
    sequences: int
    seconds: float
    timed: int


def before_the_first_turn(begun: Begun) -> float:
    """Return the seconds that it takes to say what a trial is, and to lay out a few outcomes."""
    trial, started = begun.trial, time.perf_counter()
    units = trial.draw(0, min(_FEW, trial.design.n_units))
    again = begin(trial.design, trial.predictor, rng=0, analysis=None)
    _lay_out(again, [_parts(begun, units, None)])
    return time.perf_counter() - started


def _parts(begun: Begun, units: Drawn, outcome: NDArray[Any] | None) -> Parts:
    """Return what a trial keeps of some units; without outcomes, with some that are all alike."""
    trial = begun.trial
    if outcome is None:
        assert trial.answer_like is not None, "the predictor has been met"
        arms = (columns(trial.design),) if units.assigned is None else ()
        outcome = np.broadcast_to(trial.answer_like, (len(units.ids), *arms, *trial.answer_like.shape))
    return {**unit_parts(trial, units), "outcome": outcome}


def _lay_out(begun: Begun, parts: list[Parts]) -> None:
    """Do what a trial does with its outcomes in the end."""
    kept = Everything(outcome_dims(begun.trial.design, begun.trial.predictor))
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    validate(laid_out(begun.frame, kept, whole), "outcomes")


def costed(begun: Begun, plan: Plan, *, per_second: float, start: float) -> Cost:
    """Estimate what a trial takes by carrying out some of it.

    Parameters
    ----------
    begun, plan
        What is carried out, and its cut.
    per_second
        Sequences that the predictor answers per second.
    start
        Seconds that a trial takes before its first turn.

    Raises
    ------
    PredictorError
        If the predictor cannot answer.
    """
    trial = begun.trial
    rows = columns(trial.design)
    affordable = int(_SECONDS * per_second / rows)
    if affordable < 1:
        return by_rate(trial, plan, per_second=per_second, start=start)
    trial.answer(trial.prepare(0, 1))  # every length is met
    if affordable < plan.turn:
        return _by_part_of_a_turn(begun, plan, min(affordable, plan.n_units), start=start)
    return _by_turns(begun, plan, min(len(plan), _MOST_TURNS, affordable // plan.turn), start=start)


def _by_turns(begun: Begun, plan: Plan, n_turns: int, *, start: float) -> Cost:
    """Time whole turns one after the other, as a trial carries them out."""
    began, ends, parts, distinct = time.perf_counter(), [], [], 0
    for turn, outcome in each_turn(begun.trial, map(plan.bounds, range(n_turns))):
        parts.append(_parts(begun, turn.units, outcome))
        ends.append(time.perf_counter() - began)
        distinct += turn.n_distinct
    _lay_out(begun, parts)
    units = plan.bounds(n_turns - 1)[1]
    after = time.perf_counter() - began - ends[-1]
    a_unit = (ends[-1] - ends[0]) / (units - plan.turn) if n_turns > 1 else ends[0] / units
    seconds = start + ends[-1] + after + (plan.n_units - units) * (a_unit + after / units)
    return _cost(begun.trial, distinct / units, seconds, units)


def _by_part_of_a_turn(begun: Begun, plan: Plan, n: int, *, start: float) -> Cost:
    """Time some units of the first turn: they are made ready while others are answered, the first turn's before."""
    trial, began = begun.trial, time.perf_counter()
    turn = trial.prepare(0, n)
    ready = time.perf_counter() - began
    parts = _parts(begun, turn.units, trial.answer(turn))
    answered = time.perf_counter() - began - ready
    _lay_out(begun, [parts])
    after = time.perf_counter() - began - ready - answered
    before = ready / n * min(plan.turn, plan.n_units)
    seconds = start + before + plan.n_units * (max(ready, answered) + after) / n
    return _cost(trial, turn.n_distinct / n, seconds, n)


def by_rate(trial: Trial, plan: Plan, *, per_second: float, start: float) -> Cost:
    """Reckon with the rate alone: where one unit under every arm takes too long, or answers cannot be used."""
    n = min(_FEW, plan.n_units)
    distinct = trial.prepare(0, n).n_distinct / n
    return _cost(trial, distinct, start + plan.n_units * distinct / per_second, 0)


def _cost(trial: Trial, distinct_a_unit: float, seconds: float, timed: int) -> Cost:
    n = trial.design.n_units
    return Cost(n * columns(trial.design), round(n * distinct_a_unit), seconds, timed)


def held(begun: Begun) -> int:
    """Return the bytes of the outcomes of a trial that holds them in memory."""
    like = begun.trial.answer_like
    assert like is not None, "the predictor has been met"
    return begun.trial.design.n_units * columns(begun.trial.design) * like.nbytes


def fits(begun: Begun) -> bool:
    """Say whether a trial that holds its outcomes in memory would be begun."""
    try:
        require_memory(begun.trial.design, tasks=_answers(begun.trial.predictor))
    except DesignError:
        return False
    return True


def disk(begun: Begun) -> dict[str, int]:
    """Return the bytes of a store by what is kept: outcomes, and of a crossover effects and moments.

    A store is not compressed. Names of arms, tasks and contrasts are not counted.
    """
    design, predictor = begun.trial.design, begun.trial.predictor
    fields = fields_of(begun, Everything(outcome_dims(design, predictor)))
    sizes = {field.name: int(np.prod(field.shape)) * np.dtype(field.dtype).itemsize for field in fields}
    of_units = 8 + sum(sizes.values()) - sizes["outcome"]
    found = {"outcomes": design.n_units * (sizes["outcome"] + of_units)}
    if design.assignment != "crossover":
        return found
    n_contrasts, n_controls = _contrasts(design)
    answers, dtype = _answers(predictor), sizes["outcome"] // columns(design)
    found["effects"] = design.n_units * (8 * n_contrasts * answers + n_controls * dtype + of_units)
    if design.n_units > 1:
        found["moments"] = _moments(design, n_contrasts, answers)
    return found


def _answers(predictor: Predictor) -> int:
    return len(predictor.tasks) * len(predictor.models or ("",))


def _contrasts(design: Design) -> tuple[int, int]:
    """Return how many contrasts a design asks for, and how many arms they subtract."""
    named = design.named_contrasts
    if named is None:
        return len(design.named_arms) - 1, 1
    return len(named), len({arm for row in named.values() for arm, weight in row.items() if weight < 0})


def _moments(design: Design, n_contrasts: int, answers: int) -> int:
    """Return bytes of running moments, which are kept twice, and of the moments that they become."""
    columns_ = n_contrasts * answers
    together = 8 * columns_ * _rows_of_covariance(design, n_contrasts, columns_)
    sketch = 8 * columns_ * (2 * bins_within(columns_) + 1)
    return 2 * (together + sketch) + together + 8 * columns_ * len(QUANTILES)


def _rows_of_covariance(design: Design, n_contrasts: int, columns_: int) -> int:
    if type(design.drawn).parents is not NullModel.parents:
        return min(design.n_units, len(set(getattr(design.drawn, "parent_names", range(design.n_units)))))
    if n_contrasts <= MAX_COVARIANCE:
        return n_contrasts
    return min(design.n_units, max(_LEAST_GROUPS, _BYTES_OF_GROUPS // (8 * columns_)))
