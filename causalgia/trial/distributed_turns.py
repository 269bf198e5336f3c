"""Turns of a trial on a Dask cluster; distributed is imported when a client is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from causalgia.errors import quoted
from causalgia.trial.turn_plan import TurnPlan, outcomes_per_unit
from causalgia.trial.turns import (
    Advance,
    NamedArrays,
    Trial,
    Turn,
    TurnReduction,
    unit_coordinates,
)
from causalgia.workers import jobs as sent_out
from causalgia.workers.clusters import check_client
from causalgia.workers.jobs import Origin, pickle_with_code

if TYPE_CHECKING:
    from distributed import Client

Job: TypeAlias = tuple[int, int | None]


def run_on_cluster(
    client: Client,
    trial: Trial,
    plan: TurnPlan,
    jobs: Iterable[Job],
    *,
    reduction: TurnReduction,
    advance: Advance | None = None,
) -> Iterator[tuple[int, int | None, NamedArrays]]:
    """Yield the turn and the model of each job and its reduced outcomes, as workers
    finish.

    The trial is sent once and loaded once by each worker; a job is two numbers. Answers
    equal those of `causalgia.trial.outcomes.run_turns` here, bit for bit on equal hardware.
    Workers may die and join, and there may be a time limit
    (`causalgia.workers.jobs.run_jobs`).

    Parameters
    ----------
    client
        A `distributed.Client`.
    trial, plan
        The trial and its plan of turns.
    jobs
        Turns, each with the number of a part of the predictor, or None for all of it.
    reduction
        Applied to the outcomes by the worker.
    advance
        Called with the number of new outcomes that all models have answered.

    Raises
    ------
    StoreError
        As `causalgia.workers.jobs.run_jobs`; or if the trial cannot be sent.
    DesignError, PredictorError
        As `causalgia.trial.outcomes.answer_turns`; errors of workers are raised here.
    MissingExtraError
        If Dask distributed is not installed.

    Warns
    -----
    UserWarning
        Warnings of workers, once each.
    """
    check_client(client)
    work = TrialWork(trial, plan, reduction, trial.settings)
    data = pickle_with_code(work, "the trial")

    def named(turn: int, model: int | None) -> str:
        first, last = plan.bounds(turn)
        names = trial.predictor.models
        who = (
            "" if model is None or names is None else f", model {quoted(names[model])}"
        )
        return f"units {first:,} to {last - 1:,} (turn {turn}{who})"

    def turns() -> Iterator[tuple[int, int | None, NamedArrays]]:
        columns, n_models, n = (
            outcomes_per_unit(trial.design),
            len(trial.predictor.parts),
            0,
        )
        for (turn, model), parts in sent_out.run_jobs(
            client, data, Origin.of("the trial"), jobs, named=named
        ):
            first, last = plan.bounds(turn)
            before, n = n // n_models, n + (last - first) * columns
            if (
                advance is not None
            ):  # a turn counts once all models, asked one by one, have answered it
                advance(n // n_models - before)
            yield turn, model, parts

    return turns()


@dataclass(frozen=True)
class TrialWork:
    """The work that is loaded on a worker: the trial, its plan, and the reduction of
    outcomes.
    """

    trial: Trial
    plan: TurnPlan
    reduction: TurnReduction
    settings: list[dict[str, Any]]

    def __post_init__(self) -> None:
        """Apply the settings of the sending process: the last bits of an answer depend
        on them.
        """
        if self.trial.settings != self.settings:
            self.trial.apply_settings(self.settings)

    def __reduce__(self) -> tuple[Any, ...]:
        return TrialWork, (self.trial, self.plan, self.reduction, self.settings)

    def prepare(self, turn: int, model: int | None) -> tuple[Turn, int | None]:
        """Return a turn that is drawn and edited, and the model to ask; None: every
        one.
        """
        return self.trial.prepare(*self.plan.bounds(turn)), model

    def do(self, ready: tuple[Turn, int | None]) -> NamedArrays:
        """Return the reduced outcomes of a turn; the units' coordinates come with the
        first model.
        """
        turn, model = ready
        outcome = self.trial.answer(turn, model=model)
        parts = unit_coordinates(self.trial, turn.units) if not model else {}
        return {**parts, **self.reduction.reduce(outcome)}
