"""Turns of a trial: draw some units, apply every arm, and predict each distinct
sequence once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from causalgia.design import Design
from causalgia.design.arms import assign
from causalgia.design.intervention import Layout
from causalgia.design.null_model import gc_content
from causalgia.errors import PredictorError, quoted
from causalgia.predict import NonFiniteError, Predictor
from causalgia.predict.answer_comparisons import (
    ProbeAnswers,
    asks_one_by_one,
    check_unchanged,
    probe_answers,
)
from causalgia.predict.predictor import check_same_dtype, non_finite
from causalgia.sequences.composition import number_distinct
from causalgia.streams import derive
from causalgia.trial.attributes import apply_arm
from causalgia.trial.turn_plan import TurnPlan, outcomes_per_unit, plan_turns
from causalgia.types import Ints, Tokens

NamedArrays: TypeAlias = dict[str, NDArray[Any]]


class TurnReduction(Protocol):
    """Reduction of a turn's outcomes; it is sent to workers, so it can be pickled."""

    @property
    def name(self) -> str:
        """The value of ``keep=``, which is part of the identity of a store."""

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """The dims of each array that `reduce` returns: "unit" first and "model", where
        there are models, last.
        """

    def reduce(self, outcome: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the reduced outcomes of some units, (units, arms, tasks[, models]), a
        row for each unit.

        Where the members of an ensemble are asked separately, `outcome` is that of one
        member, without the last axis.
        """


@dataclass(frozen=True)
class AllOutcomes:
    """Keeps the outcomes unchanged.

    Attributes
    ----------
    outcome
        Their dims.
    """

    outcome: tuple[str, ...]

    @property
    def name(self) -> str:
        """``"outcomes"``."""
        return "outcomes"

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """The dims of the outcome."""
        return {"outcome": self.outcome}

    def reduce(self, outcome: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the outcomes."""
        return {"outcome": outcome}


@runtime_checkable
class RunningSums(TurnReduction, Protocol):
    """Keeps running sums only; turns are taken in order, whoever answered them.

    The result of `reduce` is handed to `take` and dropped; sums over the first turns
    can be saved and restored.
    """

    def take(self, parts: dict[str, NDArray[Any]]) -> None:
        """Add the reduced outcomes of the next turn, with the units' own coordinates
        (parent, gc).
        """

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the sums so far, as arrays."""

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Restore sums that `state` returned; StoreError if they are not such sums."""


Advance: TypeAlias = Callable[[int], None]
_ROWS_OF_SESSION = 2**14
_ROWS_MOVED = 2**8
_UNITS_OF_ESTIMATE = 8
_BETWEEN = 1_000
"""Sequences between two checks that the answers of the probe are unchanged; the checks
are 0.2 % of the work.
"""


@dataclass(frozen=True)
class DrawnUnits:
    """Units before any arm is applied.

    `ids` (n,) uint64; `tokens` (n, length) uint8 backgrounds; `parents` (n,) names or
    indices; `blocks` (n,) labels or None; `assigned` (n,) index of the arm that each
    unit receives, or None in a crossover.
    """

    ids: NDArray[np.uint64]
    tokens: Tokens
    parents: NDArray[Any]
    blocks: NDArray[Any] | None = None
    assigned: Ints | None = None

    @cached_property
    def gc(self) -> NDArray[np.float64]:
        """Share of G and C of each background."""
        return gc_content(self.tokens)


def draw_backgrounds(design: Design, first: int, last: int, *, key: int) -> DrawnUnits:
    """Return units `first` to `last` - 1 of the trial with this root key, without their
    assignment to arms.
    """
    ids, stream = np.arange(first, last, dtype=np.uint64), derive(key, "null")
    return DrawnUnits(
        ids,
        *design.drawn.draw_with_parents(ids, key=stream, n_units=design.n_units),
    )


@dataclass(frozen=True)
class _DistinctSequences:
    """The distinct sequences of one length, (d, length), in order, and the arm and unit
    where each came first.
    """

    tokens: Tokens
    arms: Ints
    units: Ints


class _Edits:
    """Edited sequences of one length, (n, length) at most, written one after the other
    into one array.
    """

    def __init__(self, n: int, length: int) -> None:
        self._n, self._tokens = 0, np.empty((n, length), np.uint8)
        self._arms, self._units = np.empty((2, n), np.int64)

    def add(self, edited: Tokens, arm: int, units: Ints) -> slice:
        """Add the sequences of an arm and these units; return their place."""
        place = slice(self._n, self._n + len(units))
        self._tokens[place], self._arms[place], self._units[place] = edited, arm, units
        self._n = place.stop
        return place

    def distinct(self) -> tuple[_DistinctSequences, Ints]:
        """Return the distinct sequences, moved to the front of the array, and the
        number of each sequence's own.
        """
        numbers, fresh = number_distinct(self._tokens[: self._n])
        if len(fresh) < self._n:
            for first in range(0, len(fresh), _ROWS_MOVED):
                rows = fresh[first : first + _ROWS_MOVED]  # each at its place or later
                self._tokens[first : first + len(rows)] = self._tokens[rows]
        tokens = self._tokens[: len(fresh)]
        return _DistinctSequences(
            tokens, self._arms[fresh], self._units[fresh]
        ), numbers


@dataclass(frozen=True)
class Turn:
    """Units under every arm, ready to be predicted.

    `distinct` has the distinct sequences by length. `arms` says, for each arm that some
    units receive, its index, the length of its sequences, these units (r,), and the
    number of the distinct sequence of each, (r,).
    """

    units: DrawnUnits
    distinct: dict[int, _DistinctSequences]
    arms: tuple[tuple[int, int, Ints, Ints], ...]

    @property
    def n_rows(self) -> int:
        """Number of outcomes of the turn."""
        return sum(len(rows) for _, _, rows, _ in self.arms)

    @property
    def n_distinct(self) -> int:
        """Number of sequences that the predictor is asked for."""
        return sum(len(distinct.tokens) for distinct in self.distinct.values())


@dataclass
class Trial:
    """A design, a predictor and the root key: everything on which the outcomes of any
    unit depend.

    Parameters
    ----------
    design, predictor
        What is done to which units, and the predictor that answers.
    key
        Root key of the trial.
    answer_like, floor
        The answer to one sequence, and the rounding error of answers (`answer_floor`),
        once known.
    """

    design: Design
    predictor: Predictor
    key: int
    answer_like: NDArray[Any] | None = field(default=None, repr=False, compare=False)
    floor: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    _limits: dict[int, float] = field(default_factory=dict, repr=False, compare=False)
    """By length, the largest difference between two answers to one sequence that counts
    as rounding, once checked.
    """
    _reference: tuple[Tokens, NDArray[Any], float] | None = field(
        default=None, repr=False, compare=False
    )
    """One or two sequences, (n, length), their answers when the trial began, and the
    tolerated difference.
    """
    _dtypes: dict[int, np.dtype[Any]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """dtype of the answers, by part of the predictor."""
    _known: dict[bytes, NDArray[Any]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """Answers (tasks[, models]) to the sequences of the probe that a turn would ask
    again to the same bits.
    """
    seconds_a_pass: float = field(default=0.0, repr=False, compare=False)
    """Seconds that one sequence took, once probed."""
    announce: bool = field(default=False, repr=False, compare=False)
    """Whether to say, before a trial of long sequences, what it will take."""
    _since: int = field(default=0, repr=False, compare=False)
    """Sequences answered since the last check of these."""

    def probe(self) -> None:
        """Predict eight units under the first arm, so that the tasks and `answer_like`
        (tasks[, models]) are known.

        Raises
        ------
        PredictorError
            If an answer is not finite (naming arm and unit), or depends on batch mates.
        """
        units = self.draw(0, min(8, self.design.n_units))
        index = 0 if units.assigned is None else int(units.assigned[0])
        mine = (
            np.arange(len(units.ids))
            if units.assigned is None
            else np.flatnonzero(units.assigned == index)
        )
        edited = apply_arm(
            self.design.named_arms[index], units.tokens[mine], units.ids[mine], self.key
        )
        asking = _SequenceQueries(
            self,
            Turn(units, {}, ()),
            _DistinctSequences(edited, np.full(len(mine), index), mine),
        )
        found = asking.check()
        self._limits[edited.shape[1]] = found.limit
        self.answer_like, self.seconds_a_pass = found.answers[0], found.seconds
        self.remember(found.tokens, found.answers)
        if len(self.predictor.parts) == 1:
            self._dtypes[0] = self.answer_like.dtype
        some = slice(1 if asks_one_by_one(self.predictor, edited.shape[1]) else None)
        self._reference = found.tokens[some], found.answers[some], found.limit
        self._fix_batches()

    def remember(self, tokens: Tokens, answers: NDArray[Any]) -> None:
        """Keep answers (n, tasks[, models]) for the turns, where a turn would get the
        same bits.
        """
        predictor = self.predictor
        alike = (
            len(predictor.parts) == 1
            or answers.dtype.itemsize == 4
            or predictor.precision.itemsize == 8
        )
        if alike and asks_one_by_one(predictor, tokens.shape[1]):
            self._known |= {
                row.tobytes(): answer
                for row, answer in zip(tokens, answers, strict=True)
            }

    def known(self, tokens: Tokens) -> dict[int, NDArray[Any]]:
        """Return the answers (tasks[, models]) that `remember` kept, by row of the
        tokens.
        """
        if not self._known:
            return {}
        found = (
            (row, self._known.get(one.tobytes())) for row, one in enumerate(tokens)
        )
        return {row: answer for row, answer in found if answer is not None}

    def check_unchanged(self) -> None:
        """Ask for the sequences of the probe again, in one batch and their order, if
        any others were answered since.

        Raises
        ------
        PredictorError
            If an answer is another one than when the trial began.
        """
        if self._reference is not None and self._since:
            self._since = 0
            check_unchanged(self.predictor, *self._reference)

    def error_of_unit(
        self, error: NonFiniteError, arm: str, unit: int
    ) -> PredictorError:
        """Return the error of an answer that is not finite, which says if those when
        the trial began have changed.
        """
        named = f"arm {quoted(arm)}, unit {unit}: "
        try:
            if self._reference is not None:
                check_unchanged(self.predictor, *self._reference)
        except PredictorError as changed:
            return PredictorError(f"{named}{error.detail}; {changed}")
        return PredictorError(named + error.detail)

    def plan(self) -> TurnPlan:
        """Return the plan of turns; the predictor has been probed."""
        design, predictor = self.design, self.predictor
        batch = max(
            part.resolve_batch_size(design.null.length) for part in predictor.parts
        )
        n_models = len(predictor.models or ("",))
        n_positions = 1 if predictor.positions is None else len(predictor.positions)
        held = max(
            part.backgrounds_at_once(design.null.length) for part in predictor.parts
        )
        n_tasks = len(predictor.tasks) * n_positions
        return plan_turns(
            design, batch=batch, n_tasks=n_tasks, n_models=n_models, held=held
        )

    def _fix_batches(self) -> None:
        """Fix the batch sizes and the incremental choices of every part of the
        predictor for the whole trial.
        """
        layout = Layout(self.design.null.length)
        lengths = {
            arm.intervention.lay(layout).length: arm.name
            for arm in reversed(self.design.named_arms)
        }
        for length, arm in lengths.items():
            for part in self.predictor.parts:
                try:
                    part.resolve_batch_size(length)
                except PredictorError as error:
                    raise type(error)(
                        f"arm {quoted(arm)} ({length} bp): {error}"
                    ) from error
        length = self.design.null.length
        incremental = [
            part
            for part in self.predictor.parts
            if part.incremental and part.backgrounds_at_once(length)
        ]
        if incremental:
            n_units = min(_UNITS_OF_ESTIMATE, self.design.n_units)
            turn = self.prepare(0, n_units)
            if (distinct := turn.distinct.get(length)) is not None:
                # of edits in a call, as many as there are in hand
                most = max(1, _ROWS_OF_SESSION // len(distinct.tokens))
                times = min(self.design.n_units // n_units, most)
                for part in incremental:
                    part.settle(
                        turn.units.tokens, distinct.tokens, distinct.units, times
                    )

    @property
    def settings(self) -> list[dict[str, Any]]:
        """Batch sizes and choices of each part of the predictor, ready for JSON.

        The last bits of answers depend on them.
        """
        return [
            {
                "batches": {str(length): n for length, n in part.batches().items()},
                "choices": part.choices(),
            }
            for part in self.predictor.parts
        ]

    def apply_settings(self, settings: list[dict[str, Any]]) -> None:
        """Take over the settings of an earlier run."""
        for part, part_settings in zip(self.predictor.parts, settings, strict=True):
            part.fix_batches(
                {int(length): n for length, n in part_settings["batches"].items()}
            )
            part.choose(part_settings["choices"])

    @cached_property
    def arm_names(self) -> NDArray[np.str_]:
        """The names of the arms, in order."""
        return np.asarray(self.design.arm_names)

    def draw(self, first: int, last: int) -> DrawnUnits:
        """Return units `first` to `last` - 1."""
        blocks, assigned = (
            None if whole is None else whole[first:last] for whole in self._assignment
        )
        return replace(
            draw_backgrounds(self.design, first, last, key=self.key),
            blocks=blocks,
            assigned=assigned,
        )

    @cached_property
    def _assignment(self) -> tuple[NDArray[Any] | None, Ints | None]:
        """The block of every unit and the arm that it receives, in a parallel trial."""
        design = self.design
        if design.assignment == "crossover":
            return None, None
        blocks = design.block_labels(key=derive(self.key, "null"))
        labels = np.zeros(design.n_units, np.int64) if blocks is None else blocks
        return blocks, assign(labels, n_arms=len(design.named_arms), key=self.key)

    def prepare(self, first: int, last: int) -> Turn:
        """Draw units `first` to `last` - 1 and apply their arms; nothing is predicted.

        Raises
        ------
        DesignError
            If an arm cannot be applied (the arm is named).
        """
        units = self.draw(first, last)
        n = (last - first) * outcomes_per_unit(self.design)
        edits: dict[int, _Edits] = {}
        arms: list[tuple[int, int, Ints, slice]] = []
        for index, arm in enumerate(self.design.named_arms):
            mine = (
                np.arange(last - first)
                if units.assigned is None
                else np.flatnonzero(units.assigned == index)
            )
            if len(mine):
                edited = apply_arm(arm, units.tokens[mine], units.ids[mine], self.key)
                length = edited.shape[1]
                place = edits.setdefault(length, _Edits(n, length)).add(
                    edited, index, mine
                )
                arms.append((index, length, mine, place))
        distinct, numbers = {}, {}
        for length, some in edits.items():
            distinct[length], numbers[length] = some.distinct()
        return Turn(
            units,
            distinct,
            tuple(
                (index, length, mine, numbers[length][place])
                for index, length, mine, place in arms
            ),
        )

    def answer(
        self, turn: Turn, *, model: int | None = None, advance: Advance | None = None
    ) -> NDArray[Any]:
        """Return the outcomes of a turn, (units, arms, tasks[, models]); (units,
        tasks[, models]) in a parallel trial.

        Parameters
        ----------
        turn
            What `prepare` returned.
        model
            Ask this member of an ensemble alone: (units, arms, tasks).
        advance
            Called with the number of new outcomes.

        Raises
        ------
        PredictorError
            If an answer is not finite (naming arm and unit), has the wrong shape, or
            depends on batch mates.
        """
        return self.gather(turn, self.ask(turn, model=model, advance=advance))

    def ask(
        self, turn: Turn, *, model: int | None = None, advance: Advance | None = None
    ) -> dict[int, NDArray[Any]]:
        """Return the answers to the distinct sequences of a turn, by length, (d,
        tasks[, models]); see `answer`.
        """
        answers = {
            length: self._answers(length, distinct, turn, model, advance)
            for length, distinct in turn.distinct.items()
        }
        self._since += turn.n_distinct
        if self._since >= _BETWEEN:
            self.check_unchanged()
        if advance is not None:
            advance(turn.n_rows - turn.n_distinct)
        return answers

    def gather(self, turn: Turn, answers: dict[int, NDArray[Any]]) -> NDArray[Any]:
        """Return the outcomes of a turn from the answers of `ask`; the predictor is not
        needed.
        """
        some = next(iter(answers.values()))
        outcome = np.empty(
            (len(turn.units.ids), outcomes_per_unit(self.design), *some.shape[1:]),
            np.result_type(*(each.dtype for each in answers.values())),
        )
        for index, length, rows, numbers in turn.arms:
            found, arm = answers[length][numbers], self.design.named_arms[index]
            if self.predictor.bin is not None:  # of a track
                of = turn.units.ids[rows], self.design.n_units
                found = arm.at_shared_bases(found, *of, length, self.predictor.bin)
            outcome[rows, index if turn.units.assigned is None else 0] = found
        return outcome if turn.units.assigned is None else outcome[:, 0]

    def _answers(
        self,
        length: int,
        distinct: _DistinctSequences,
        turn: Turn,
        model: int | None,
        advance: Advance | None,
    ) -> NDArray[Any]:
        """Return the answers to all distinct sequences of one length, (d, tasks[,
        models]).
        """
        asking = _SequenceQueries(self, turn, distinct)
        if length not in self._limits:
            found = asking.check()
            self._limits[length] = found.limit
            self.remember(found.tokens, found.answers)
        parts = list(enumerate(self.predictor.parts))
        if model is not None:
            return asking.part(*parts[model], advance)
        if len(parts) == 1:
            return asking.part(*parts[0], advance)
        first = asking.part(*parts[0], None)
        rest = [asking.part(j, part, None) for j, part in parts[1:]]
        if advance is not None:
            advance(len(distinct.tokens))
        return np.stack([first, *rest], axis=-1)

    def __getstate__(self) -> dict[str, Any]:
        known = {
            "design": self.design,
            "predictor": self.predictor,
            "key": self.key,
            "_reference": self._reference,
        }
        return known | {
            "_limits": {},
            "_known": {},
            "_dtypes": dict(self._dtypes),
            "_since": 0,
        }


@dataclass(frozen=True)
class _SequenceQueries:
    """Predicts the distinct sequences of one length; errors name the arm and unit of
    the sequence at fault.
    """

    trial: Trial
    turn: Turn
    distinct: _DistinctSequences

    def check(self) -> ProbeAnswers:
        """Check on at most eight sequences that answers do not depend on batch
        mates.
        """
        arm = self._arm(0)
        mates = self.distinct.arms == self.distinct.arms[0]
        try:
            return probe_answers(self.trial.predictor, self.distinct.tokens[mates][:8])
        except NonFiniteError as error:
            raise self._of_unit(
                error, int(np.flatnonzero(mates)[error.row]), None
            ) from error
        except PredictorError as error:
            length = self.distinct.tokens.shape[1]
            raise type(error)(f"arm {quoted(arm)} ({length} bp): {error}") from error

    def part(
        self, number: int, part: Predictor, advance: Advance | None
    ) -> NDArray[Any]:
        """Return the answers of one part of the predictor to every sequence, (d,
        tasks[, models]).
        """
        names, tokens = self.trial.predictor.models, self.distinct.tokens
        single = len(self.trial.predictor.parts) == 1
        model = None if names is None or single else names[number]
        found: list[tuple[Any, NDArray[Any]]] = []
        wanted = np.arange(len(tokens))
        if known := self.trial.known(tokens):
            rows = list(known)
            answers = np.stack(list(known.values()))
            found.append((rows, answers if single else answers[..., number]))
            self.trial._dtypes.setdefault(number, answers.dtype)
            wanted = np.delete(wanted, rows)
            if advance is not None:
                advance(len(rows))
        same_length = tokens.shape[1] == self.turn.units.tokens.shape[1]
        held = part.backgrounds_at_once(tokens.shape[1]) if same_length else 0
        if not len(wanted):
            calls: Iterable[Any] = ()
        elif held:
            calls = self._sessions(part, wanted, held, advance)
        else:
            some = tokens if len(wanted) == len(tokens) else tokens[wanted]
            calls = [(wanted, partial(part.predict, some, progress=advance))]
        for rows, ask in calls:
            try:
                answer = ask()
            except NonFiniteError as error:
                raise self._of_unit(error, int(rows[error.row]), model) from error
            except PredictorError as error:
                message = (
                    str(error) if model is None else f"model {quoted(model)}: {error}"
                )
                raise PredictorError(
                    f"arm {quoted(self._arm(int(rows[0])))}: {message}"
                ) from error
            before = self.trial._dtypes.setdefault(number, answer.dtype)
            check_same_dtype(
                answer.dtype,
                before,
                "the predictor" if model is None else f"model {quoted(model)}",
            )
            found.append((rows, answer))
        made = np.empty((len(tokens), *found[0][1].shape[1:]), found[0][1].dtype)
        for rows, answer in found:
            made[rows] = answer
        return made

    def _sessions(
        self, part: Predictor, wanted: Ints, held: int, advance: Advance | None
    ) -> Iterator[tuple[Ints, Callable[[], NDArray[Any]]]]:
        group = self.distinct.units // held
        # an incremental session shares work between the arms of a unit; another one is
        # sent what a single arm changes
        inner = (self.distinct.arms, self.distinct.units)
        order = np.lexsort((*(inner if part.incremental else inner[::-1]), group))
        order = order[np.isin(order, wanted)]
        cuts = np.diff(group[order]) != 0
        if part.incremental:
            cuts[_ROWS_OF_SESSION - 1 :: _ROWS_OF_SESSION] = True
        else:
            cuts |= np.diff(self.distinct.arms[order]) != 0
        before = -1
        for rows in np.split(order, np.flatnonzero(cuts) + 1):
            first = int(group[rows[0]]) * held
            if first != before:
                session, before = (
                    part.edits(self.turn.units.tokens[first : first + held]),
                    first,
                )
            yield (
                rows,
                partial(
                    session.answers,
                    self.distinct.tokens[rows],
                    self.distinct.units[rows] - first,
                ),
            )
            if advance is not None:
                advance(len(rows))

    def _arm(self, row: int) -> str:
        return self.trial.design.named_arms[int(self.distinct.arms[row])].name

    def _of_unit(
        self, error: NonFiniteError, row: int, model: str | None
    ) -> PredictorError:
        unit = int(self.turn.units.ids[self.distinct.units[row]])
        named = error
        if model is not None:
            named = non_finite(
                error.value,
                row=row,
                task=error.task,
                model=model,
                position=error.position,
            )
        return self.trial.error_of_unit(named, self._arm(row), unit)


def unit_coordinates(trial: Trial, units: DrawnUnits) -> NamedArrays:
    """Return the coordinates of units: parent, gc, and block and assigned arm where
    they exist.
    """
    parts: NamedArrays = {"parent": units.parents, "gc": units.gc}
    if units.blocks is not None:
        parts["block"] = units.blocks
    if units.assigned is not None:
        parts["assigned"] = trial.arm_names[units.assigned]
    return parts
