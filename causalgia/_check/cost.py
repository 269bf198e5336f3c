"""Cost of a trial: sequences, time, memory and disk space; and the throughput of a
predictor.
"""

from __future__ import annotations

import copy
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia._run.running_moments import QUANTILES
from causalgia.design import Design
from causalgia.errors import DesignError
from causalgia.estimation._estimate import MAX_COVARIANCE
from causalgia.numerics.running_sums import bins_within
from causalgia.predict import FunctionPredictor, Predictor
from causalgia.predict.predictor import LONG
from causalgia.schema import validate
from causalgia.trial.outcomes import answer_turns, outcome_dims, outcomes_dataset
from causalgia.trial.setup import TrialSetup, check_memory, set_up_trial, store_fields
from causalgia.trial.turn_plan import TurnPlan, outcomes_per_unit
from causalgia.trial.turns import (
    AllOutcomes,
    DrawnUnits,
    NamedArrays,
    Trial,
    Turn,
    unit_coordinates,
)
from causalgia.types import Tokens
from causalgia.workers.clusters import available_cores

_MEASURED_SECONDS = 2.0  # of turns that are measured
_MOST_TURNS_MEASURED = 3
_SETUP_UNITS = 8  # drawn to measure the setup
_LEAST_GROUPS, _BYTES_OF_GROUPS = 256, 2**25


@dataclass(frozen=True)
class Cost:
    """Cost of a trial on this machine, extrapolated from some of its units.

    Attributes
    ----------
    outcomes
        Number of outcomes of all units.
    sequences
        Number of sequences that the predictor is asked for: distinct ones within a
        turn.
    seconds
        Time from the call to the outcomes, on one machine, in memory.
    timed
        Number of units that were timed.
    """

    outcomes: int
    sequences: int
    seconds: float
    timed: int


def setup_seconds(setup: TrialSetup) -> float:
    """Return the seconds for the setup of a trial and the Dataset of a few outcomes."""
    trial, started = setup.trial, time.perf_counter()
    units = trial.draw(0, min(_SETUP_UNITS, trial.design.n_units))
    again = set_up_trial(trial.design, trial.predictor, rng=0, analysis=None)
    _build_outcomes(again, [_unit_records(setup, units, None)])
    return time.perf_counter() - started


def _unit_records(
    setup: TrialSetup, units: DrawnUnits, outcome: NDArray[Any] | None
) -> NamedArrays:
    """Return the outcomes and coordinates of some units; `outcome` None stands for
    equal outcomes.
    """
    trial = setup.trial
    if outcome is None:
        assert trial.answer_like is not None, "the predictor has been met"
        arms = (outcomes_per_unit(trial.design),) if units.assigned is None else ()
        outcome = np.broadcast_to(
            trial.answer_like, (len(units.ids), *arms, *trial.answer_like.shape)
        )
    return {**unit_coordinates(trial, units), "outcome": outcome}


def _build_outcomes(setup: TrialSetup, parts: list[NamedArrays]) -> None:
    """Build the outcomes Dataset as a trial does at its end."""
    outcomes_store = AllOutcomes(
        outcome_dims(setup.trial.design, setup.trial.predictor)
    )
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    validate(
        outcomes_dataset(setup.frame, outcomes_store, whole), "outcomes", positions=True
    )


def estimate_cost(
    setup: TrialSetup, plan: TurnPlan, *, per_second: float, start: float
) -> Cost:
    """Estimate the cost of a trial by running part of it.

    Parameters
    ----------
    setup, plan
        The trial and its plan of turns.
    per_second
        Sequences that the predictor answers per second.
    start
        Seconds that a trial takes before its first turn.

    Raises
    ------
    PredictorError
        If the predictor cannot answer.
    """
    trial = setup.trial
    rows = outcomes_per_unit(trial.design)
    affordable = int(_MEASURED_SECONDS * per_second / rows)
    if affordable < 1:
        return cost_from_rate(trial, plan, per_second=per_second, start=start)
    trial.answer(trial.prepare(0, 1))  # checks the predictor at every length
    if affordable < plan.turn:
        return _time_part_of_turn(
            setup, plan, min(affordable, plan.n_units), start=start
        )
    return _time_turns(
        setup,
        plan,
        min(len(plan), _MOST_TURNS_MEASURED, affordable // plan.turn),
        start=start,
    )


def _time_turns(
    setup: TrialSetup, plan: TurnPlan, n_turns: int, *, start: float
) -> Cost:
    """Time whole turns one after the other, as a trial runs them."""
    began, ends, parts, distinct = time.perf_counter(), [], [], 0

    def gather(turn: Turn, outcome: NDArray[Any]) -> None:
        nonlocal distinct
        parts.append(_unit_records(setup, turn.units, outcome))
        ends.append(time.perf_counter() - began)
        distinct += turn.n_distinct

    answer_turns(setup.trial, map(plan.bounds, range(n_turns)), gather)
    _build_outcomes(setup, parts)
    units = plan.bounds(n_turns - 1)[1]
    after = time.perf_counter() - began - ends[-1]
    a_unit = (
        (ends[-1] - ends[0]) / (units - plan.turn) if n_turns > 1 else ends[0] / units
    )
    seconds = (
        start + ends[-1] + after + (plan.n_units - units) * (a_unit + after / units)
    )
    return _cost(setup.trial, distinct / units, seconds, units)


def _time_part_of_turn(
    setup: TrialSetup, plan: TurnPlan, n: int, *, start: float
) -> Cost:
    """Time some units of the first turn; turns are prepared while others are predicted,
    the first one before.
    """
    trial, began = setup.trial, time.perf_counter()
    turn = trial.prepare(0, n)
    ready = time.perf_counter() - began
    parts = _unit_records(setup, turn.units, trial.answer(turn))
    answered = time.perf_counter() - began - ready
    _build_outcomes(setup, [parts])
    after = time.perf_counter() - began - ready - answered
    before = ready / n * min(plan.turn, plan.n_units)
    seconds = start + before + plan.n_units * (max(ready, answered) + after) / n
    return _cost(trial, turn.n_distinct / n, seconds, n)


def cost_from_rate(
    trial: Trial, plan: TurnPlan, *, per_second: float, start: float
) -> Cost:
    """Estimate the cost from the rate alone: one unit under every arm takes too long,
    or answers are unusable.
    """
    n = min(_SETUP_UNITS, plan.n_units)
    distinct = trial.prepare(0, n).n_distinct / n
    return _cost(trial, distinct, start + plan.n_units * distinct / per_second, 0)


def _cost(trial: Trial, distinct_a_unit: float, seconds: float, timed: int) -> Cost:
    n = trial.design.n_units
    return Cost(
        n * outcomes_per_unit(trial.design), round(n * distinct_a_unit), seconds, timed
    )


def outcome_bytes(setup: TrialSetup) -> int:
    """Return the bytes of a trial's outcomes in memory."""
    like = setup.trial.answer_like
    assert like is not None, "the predictor has been met"
    return (
        setup.trial.design.n_units * outcomes_per_unit(setup.trial.design) * like.nbytes
    )


def fits_in_memory(setup: TrialSetup) -> bool:
    """Say whether a trial could hold its outcomes in memory."""
    try:
        check_memory(
            setup.trial.design, tasks=_answers_per_sequence(setup.trial.predictor)
        )
    except DesignError:
        return False
    return True


def store_bytes(setup: TrialSetup) -> dict[str, int]:
    """Return the bytes of a store by ``keep=``: outcomes, and for a crossover effects
    and moments.

    A store is not compressed. Names of arms, tasks and contrasts are not counted.
    """
    design, predictor = setup.trial.design, setup.trial.predictor
    fields = store_fields(setup, AllOutcomes(outcome_dims(design, predictor)))
    sizes = {
        field.name: int(np.prod(field.shape)) * np.dtype(field.dtype).itemsize
        for field in fields
    }
    of_units = sum(sizes.values()) - sizes["outcome"]
    found = {"outcomes": design.n_units * (sizes["outcome"] + of_units)}
    if design.assignment != "crossover":
        return found
    n_contrasts, n_controls = len(design.named_arms) - 1, 1
    if (named := design.named_contrasts) is not None:
        n_contrasts = len(named)
        n_controls = len(
            {arm for row in named.values() for arm, weight in row.items() if weight < 0}
        )
    answers, dtype = (
        _answers_per_sequence(predictor),
        sizes["outcome"] // outcomes_per_unit(design),
    )
    found["effects"] = design.n_units * (
        8 * n_contrasts * answers + n_controls * dtype + of_units
    )
    if design.n_units > 1:
        found["moments"] = _moments_bytes(design, n_contrasts, answers)
    return found


def _answers_per_sequence(predictor: Predictor) -> int:
    n_positions = 1 if predictor.positions is None else len(predictor.positions)
    return n_positions * len(predictor.tasks) * len(predictor.models or ("",))


def _moments_bytes(design: Design, n_contrasts: int, answers: int) -> int:
    """Return the bytes of running moments, and of the final moments."""
    columns_ = n_contrasts * answers
    if design.drawn.has_parents:
        rows = min(
            design.n_units,
            len(set(getattr(design.drawn, "parent_names", range(design.n_units)))),
        )
    elif n_contrasts <= MAX_COVARIANCE:
        rows = n_contrasts
    else:
        rows = min(
            design.n_units, max(_LEAST_GROUPS, _BYTES_OF_GROUPS // (8 * columns_))
        )
    together = 8 * columns_ * rows
    sketch = 8 * columns_ * (2 * bins_within(columns_) + 1)
    return together + sketch + together + 8 * columns_ * len(QUANTILES)


_MAPPED_FROM = 2**25
"""Bytes above which glibc maps fresh memory at every layer: larger batches cost a
factor of 3 on a CPU.
"""
_BATCH_SHARES = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the usual batch size
_LEAST_TIMINGS = 3  # of each batch size, whose median counts
_PACE_SECONDS = 3.0
_BRIEF_SECONDS = 0.15
SLOW = 0.3
"""Seconds per sequence above which a predictor is slow: as little as possible is
predicted.
"""


@dataclass(frozen=True)
class Throughput:
    """Throughput of a predictor.

    Attributes
    ----------
    batch_size
        The batch size in use.
    by_batch
        Sequences per second at each batch size that was tried, of one network.
    by_threads
        Sequences per second by number of threads, where torch computes on a CPU; else
        empty.
    per_second
        Sequences per second at `batch_size`, every member of an ensemble answering.
    busy
        Mean number of busy cores.
    threads
        Threads in use; None without torch on a CPU.
    use
        Memory of a batch.
    long
        Whether it is that of single sequences above 50 kb.
    """

    batch_size: int
    by_batch: dict[int, float]
    by_threads: dict[int, float]
    per_second: float
    busy: float
    threads: int | None
    use: MemoryUse
    long: bool = False

    @property
    def best_batch_size(self) -> int:
        """The batch size of the largest throughput among those that were tried."""
        return max(self.by_batch, key=lambda size: self.by_batch[size])


def measure_throughput(
    predictor: Predictor, tokens: Tokens, *, seconds_a_row: float
) -> Throughput:
    """Measure the throughput for sequences such as these, in some seconds; the
    predictor is left as it was.
    """
    length, part = tokens.shape[1], predictor.parts[0]
    batch = predictor.resolve_batch_size(length)
    rows = _rows_within(
        predictor, tokens, _PACE_SECONDS / 3, seconds_a_row=seconds_a_row, most=batch
    )
    few = len(rows)
    use = measure_memory(lambda: predictor.predict(rows)).times(batch / few)
    rate, busy = _rate(lambda: predictor.predict(rows), few)
    threads = _torch_threads(use)
    by_batch = _by_batch(
        part, tokens, use, seconds_a_row=1 / (rate * len(predictor.parts))
    )
    # with one thread, with those in use, and with one for each core
    by_threads: dict[int, float] = {}
    if threads is not None:
        from causalgia.predict.torch_device import with_threads

        some = rows[: max(8, int(_BRIEF_SECONDS * rate))]
        for n in sorted({1, threads, available_cores()}):
            with with_threads(n):
                by_threads[n] = _rate(
                    lambda: predictor.predict(some), len(some), seconds=_BRIEF_SECONDS
                )[0]
    return Throughput(
        batch_size=batch,
        by_batch=by_batch,
        by_threads=by_threads,
        per_second=rate,
        busy=busy,
        threads=threads,
        use=use,
    )


def _rows_within(
    predictor: Predictor,
    tokens: Tokens,
    seconds: float,
    *,
    seconds_a_row: float,
    most: int,
) -> Tokens:
    """Return as many rows as are answered within `seconds`, at most `most`, repeated in
    order if there are fewer.

    The time of a few sequences gives the first number. A GPU, or a remote call, answers
    many in the time of a few: the number grows as long as a call leaves time for twice
    as many.
    """
    n = max(1, min(most, int(seconds / seconds_a_row)))
    while True:
        rows = np.resize(tokens, (n, tokens.shape[1]))
        if n == most:
            return rows
        took = _seconds(partial(predictor.predict, rows))
        if took < seconds / 2:  # the first call of this shape may do more
            took = min(took, _seconds(partial(predictor.predict, rows)))
        affordable = min(most, int(n * seconds / took))
        if affordable < 2 * n:
            return rows
        n = affordable


def _rate(
    do: Callable[[], object], n_rows: int, *, seconds: float = 0.4
) -> tuple[float, float]:
    """Return rows per second, from the median of at least three calls, and the number
    of busy cores.
    """
    took: list[float] = []
    started, used = time.perf_counter(), time.process_time()
    while len(took) < _LEAST_TIMINGS or time.perf_counter() - started < seconds:
        took.append(_seconds(do))
        if time.perf_counter() - started > 3 * seconds:
            break
    return n_rows / float(np.median(took)), (time.process_time() - used) / (
        time.perf_counter() - started
    )


def _seconds(do: Callable[[], object]) -> float:
    started = time.perf_counter()
    do()
    return max(time.perf_counter() - started, 1e-9)


def _by_batch(
    part: Predictor, tokens: Tokens, use: MemoryUse, *, seconds_a_row: float
) -> dict[int, float]:
    """Return sequences per second by batch size, from a quarter of the current one to
    four times as many.

    Every size predicts the same rows, in turn with the others; the fastest time of each
    counts, since other load on the machine can only slow it down.
    """
    length = tokens.shape[1]
    usual = part.resolve_batch_size(length)
    sizes = _sizes(part, length, usual, use)
    affordable = int(_PACE_SECONDS / (_LEAST_TIMINGS * len(sizes) * seconds_a_row))
    sizes = [size for size in sizes if size <= affordable] or [
        min(usual, max(1, affordable))
    ]
    rows = np.resize(tokens, (max(sizes), length))
    rounds = int(
        np.clip(
            _PACE_SECONDS / 4 / (len(sizes) * len(rows) * seconds_a_row),
            _LEAST_TIMINGS,
            4 * _LEAST_TIMINGS,
        )
    )
    calls = [partial(_predict_in_batches, part, rows, size) for size in sizes]
    took = np.array([[_seconds(call) for call in calls] for _ in range(rounds)])
    return {
        size: len(rows) / least
        for size, least in zip(sizes, took.min(axis=0).tolist(), strict=True)
    }


def _sizes(part: Predictor, length: int, usual: int, use: MemoryUse) -> list[int]:
    """Return the batch sizes to try; the current one for a compiled network, and above
    50 kb.

    Larger ones stay on a CPU below the limit of fresh memory, elsewhere at twice the
    current one.
    """
    if getattr(part, "compile", False) or length > LONG:
        return [usual]
    found = []
    for size in dict.fromkeys(max(1, int(usual * share)) for share in _BATCH_SHARES):
        if size > usual:
            safe = (
                use.largest * size / usual < _MAPPED_FROM
                if use.on_cpu
                else size <= 2 * usual
            )
            if not safe:
                continue
            with at_batch_size(part, length, size) as sized:
                if sized.resolve_batch_size(length) != size:
                    continue
        found.append(size)
    return found


def _predict_in_batches(part: Predictor, rows: Tokens, size: int) -> None:
    length = rows.shape[1]
    larger = size > part.resolve_batch_size(length)
    with at_batch_size(part, length, size) if larger else nullcontext(part) as sized:
        for start in range(0, len(rows), size):
            sized.predict(rows[start : start + size])


@contextmanager
def at_batch_size(predictor: Predictor, length: int, size: int) -> Iterator[Predictor]:
    """Yield a predictor with another batch size, if it can be set; restore it
    afterward.
    """
    if isinstance(predictor, FunctionPredictor):
        sized = copy.copy(predictor)
        sized.batch_size = size
        yield sized
        return
    before = predictor.resolve_batch_size(length)
    predictor.fix_batches({length: size})
    try:
        yield predictor
    finally:
        predictor.fix_batches({length: before})


def _torch_threads(use: MemoryUse) -> int | None:
    """Return torch's number of threads if it computes on a CPU."""
    if not (use.torch and use.on_cpu):
        return None
    from causalgia.predict.torch_device import threads_in_use

    return threads_in_use()


def seconds_per_sequence(
    ask: Callable[[Tokens], NDArray[Any]], tokens: Tokens
) -> float:
    """Return the approximate seconds per sequence, from one sequence, and from all if
    that is quick: twice, since the first call of a shape may do more.
    """
    one = _seconds(partial(ask, tokens[:1]))
    if one > SLOW:
        return one
    took = _seconds(partial(ask, tokens))
    if took < SLOW:
        took = min(took, _seconds(partial(ask, tokens)))
    return min(one, took / len(tokens))


@dataclass(frozen=True)
class MemoryUse:
    """Memory of one call.

    Attributes
    ----------
    peak
        Peak bytes: of arrays, as counted by Python, and of torch's tensors.
    largest
        Bytes of the largest tensor; 0 without torch.
    torch
        Whether torch did the work.
    on_cpu
        Whether in the host's memory.
    """

    peak: int
    largest: int
    torch: bool
    on_cpu: bool

    def times(self, share: float) -> MemoryUse:
        """Return the memory of `share` times as many rows."""
        return replace(
            self, peak=round(self.peak * share), largest=round(self.largest * share)
        )


@dataclass(frozen=True)
class LongProbe:
    """The first two passes of a sequence above 50 kb, which stand for the repeated ones
    that shorter sequences take.

    Attributes
    ----------
    answers
        Its answers, (2, tasks[, models]).
    memory
        Memory of the first pass.
    seconds
        Time of the second.
    busy
        Mean number of busy cores in it.
    """

    answers: NDArray[Any]
    memory: MemoryUse
    seconds: float
    busy: float


def probe_long(ask: Callable[[Tokens], NDArray[Any]], tokens: Tokens) -> LongProbe:
    """Ask for one sequence twice."""
    answers: list[NDArray[Any]] = []
    memory = measure_memory(lambda: answers.append(ask(tokens[:1])), at_once=True)
    used = time.process_time()
    seconds = _seconds(lambda: answers.append(ask(tokens[:1])))
    return LongProbe(
        np.concatenate(answers[-2:]),
        memory,
        seconds,
        (time.process_time() - used) / seconds,
    )


def throughput_of_long(
    predictor: Predictor, ask: Callable[[], object], probe: LongProbe, *, length: int
) -> Throughput:
    """Return the throughput for sequences above 50 kb; `ask` makes one more pass, with
    a thread for each core.
    """
    batch, rate = predictor.resolve_batch_size(length), 1 / probe.seconds
    threads, cores = _torch_threads(probe.memory), available_cores()
    by_threads: dict[int, float] = {}
    if threads is not None and threads < cores:
        from causalgia.predict.torch_device import with_threads

        with with_threads(cores):
            by_threads = {threads: rate, cores: 1 / _seconds(ask)}
    return Throughput(
        batch_size=batch,
        by_batch={1: rate * len(predictor.parts)},
        by_threads=by_threads,
        per_second=rate,
        busy=probe.busy,
        threads=threads,
        use=probe.memory.times(batch),
        long=True,
    )


def measure_memory(do: Callable[[], object], *, at_once: bool = False) -> MemoryUse:
    """Return the peak memory of a call, which is made once for each allocator;
    `at_once`: once, and again on CUDA.
    """
    if "torch" not in sys.modules:
        return MemoryUse(_peak_host_bytes(do), 0, False, True)
    from causalgia.predict.torch_device import cuda_peak, tensors_used

    sizes: list[int] = []
    used = tensors_used((lambda: sizes.append(_peak_host_bytes(do))) if at_once else do)
    host = sizes[0] if at_once else _peak_host_bytes(do)
    peak = used.peak if used.on_cpu else max(used.peak, cuda_peak(do))
    return MemoryUse(host + peak, used.largest, used.operations > 0, used.on_cpu)


def _peak_host_bytes(do: Callable[[], object]) -> int:
    """Return the peak bytes of Python's and numpy's allocators; a trace of the user's
    own goes on.
    """
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        do()
        return max(0, tracemalloc.get_traced_memory()[1] - before)
    finally:
        if ours:
            tracemalloc.stop()
