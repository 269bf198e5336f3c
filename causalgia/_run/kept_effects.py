"""Trials that keep individual effects, with the quantities that `contrast` computes
from all units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia._run.request import (
    MEASURED,
    ContrastReduction,
    ContrastRequest,
    ContrastTrialSetup,
    RunRequest,
    set_up_contrasts,
    warn_constant_tasks,
    which_tasks,
)
from causalgia.attributes import about, attributes
from causalgia.effect_table import as_effect_table
from causalgia.effects.pointwise_effects import (
    n_with_effect,
    sd_attrs,
    shared_arm_sds,
    shared_control_sd,
)
from causalgia.effects.source_effects import MOST_BACKGROUNDS, background_quantiles
from causalgia.errors import StoreError
from causalgia.numerics.row_blocks import is_lazy
from causalgia.schema import annotate, validate
from causalgia.trial.archive import Archive, open_archive, state_of_trial
from causalgia.trial.attributes import n_known_answers
from causalgia.trial.outcomes import OutcomeBuffer, meter, outcomes_dataset, run_turns
from causalgia.trial.setup import (
    check_memory,
    explain_memory_error,
    flush_on_interrupt,
    open_or_create,
)
from causalgia.trial.turn_plan import TurnPlan, outcomes_per_unit
from causalgia.trial.turns import NamedArrays


@dataclass(frozen=True, eq=False)
class EffectsReduction:
    """Reduces a unit to its ICE and its outcomes in the arms whose sd is the unit of
    the contrasts.

    Parameters
    ----------
    reduction
        Computes the contrasts of a turn.
    ranges
        Whether to add the ranges of all units of the turn, which `SharedRanges` takes
        out again.
    """

    name = "effects"
    reduction: ContrastReduction
    ranges: bool = False

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """The dims of the reduced arrays."""
        last = self.reduction.dims
        measured = tuple(
            "measured_task" if dim == "task" and self.reduction.over else dim
            for dim in last
        )
        return {
            "ice": ("unit", "contrast", *last),
            "measured": ("unit", "measured", *measured),
        }

    def reduce(self, outcome: NDArray[Any]) -> NamedArrays:
        """Reduce outcomes (units, arms, tasks[, models]); with ranges also to
        ``low, high, least, most``.
        """
        effects = self.reduction.effects(outcome)
        measured = np.take(
            self.reduction.of_tasks(outcome), self.reduction.measured, axis=1
        )
        parts = {**effects, "measured": measured, **self.reduction.extremes(outcome)}
        return (
            parts
            if self.ranges
            else {name: part for name, part in parts.items() if name in self.dims}
        )


_SUMMARY_VARIABLES = ("constant", "zero", "control_sd", "n_units")
_BETTER: dict[str, Any] = {
    "low": np.fmax,
    "high": np.fmin,
    "least": np.fmin,
    "most": np.fmax,
}


class SharedRanges:
    """Ranges over all units that show whether their ICE may be one number, and whether
    a task has one answer.

    Turns may come in any order, and more than once. Once numbers are known to differ,
    their ranges are reset to infinity, so that the state seldom changes.

    Examples
    --------
    >>> ends, one = SharedRanges(), np.ones((1, 1))
    >>> parts = {"low": one, "high": 2 * one, "least": one[0], "most": one[0]}
    >>> (
    ...     ends.take(dict(parts)),
    ...     ends.take(dict(parts)),
    ...     ends.take({**parts, "low": 3 * one}),
    ...     ends.constant.item(),
    ... )
    (True, False, True, False)
    """

    def __init__(self) -> None:
        self._ends: dict[str, NDArray[Any]] = {}

    def take(
        self, parts: NamedArrays, *, model: int | None = None, models: int = 0
    ) -> bool:
        """Remove the ranges of a turn from its arrays and merge them; return whether
        the state changed.

        Parameters
        ----------
        parts
            Arrays of a turn; of one model, where models are asked separately.
        model, models
            Which model, of how many.
        """
        before, after = self._ends, {}
        for name, better in _BETTER.items():
            values = np.asarray(parts.pop(name), np.float64)
            shape = values.shape if model is None else (*values.shape, models)
            after[name] = (
                before[name].copy()
                if before
                else np.full(shape, -better(-np.inf, np.inf))
            )
            some = after[name] if model is None else after[name][..., model]
            better(some, values, out=some)
        # numbers known to differ
        apart, unlike = after["low"] > after["high"], after["least"] < after["most"]
        for name, where, end in (
            ("low", apart, 1),
            ("high", apart, -1),
            ("least", unlike, -1),
            ("most", unlike, 1),
        ):
            after[name][where] = end * np.inf
        self._ends = after
        return not before or any(
            not np.array_equal(after[name], before[name]) for name in after
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the ranges, as arrays by name."""
        return dict(self._ends)

    def restore(self, state: dict[str, NDArray[Any]], *, of: tuple[int, ...]) -> None:
        """Restore what `state` returned, for effects (K, tasks[, models]) of this
        shape.

        Raises
        ------
        StoreError
            If the arrays are not those of this trial.
        """
        shapes = {"low": of, "high": of, "least": of[1:], "most": of[1:]}
        found = {name: values for name, values in state.items() if name in shapes}
        if {name: x.shape for name, x in found.items()} != shapes or any(
            x.dtype.kind != "f" for x in found.values()
        ):
            raise StoreError("ranges of other names, shapes or kinds")
        self._ends = {name: values.copy() for name, values in found.items()}

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Whether the ICE of all units are one number within rounding, (K, tasks[,
        models]).
        """
        return np.asarray(self._ends["low"] <= self._ends["high"])

    @property
    def zero(self) -> NDArray[np.bool_]:
        """Whether that number may be 0."""
        return self.constant & (self._ends["low"] <= 0) & (self._ends["high"] >= 0)

    def constant_tasks(self, dims: tuple[str, ...]) -> list[int]:
        """Return the tasks that have one answer for every sequence, in every model;
        `dims` are those of an answer.
        """
        return which_tasks(self._ends["least"] == self._ends["most"], dims)


def effects_dataset(
    raw: xr.Dataset, question: ContrastRequest, ends: SharedRanges
) -> xr.Dataset:
    """Return effects as `causalgia.contrast` does, lazily if the stored values are
    lazy.

    Parameters
    ----------
    raw
        ``ice`` and ``measured`` of all units, with the labels of `effect_labels`.
    question
        The contrasts.
    ends
        The ranges over all units.
    """
    dims = raw["ice"].dims[1:]
    effects = raw.drop_vars("measured")
    effects["constant"], effects["zero"] = (dims, ends.constant), (dims, ends.zero)
    # the unit of each contrast is the sd of the untreated arm, if it varies
    sd_of = question.sd_matrix
    if sd_of is not question.matrix:
        untreated = np.searchsorted(question.measured, sd_of.indices[:1])
        varies = (
            raw.sizes["unit"] > 1
            and (
                shared_arm_sds(raw["measured"].data, untreated, scale="identity") > 0
            ).all()
        )
        sd_of = sd_of if varies else question.matrix
    if raw.sizes["unit"] > 1:
        sd = shared_control_sd(
            raw["measured"].data,
            sd_of[:, question.measured],
            scale=question.scale,
            over=question.over,
        )
        effects["control_sd"] = (dims, sd)
    if "position" in dims:
        effects = effects.assign(
            {name: (dims, n) for name, n in n_with_effect(raw["ice"].data).items()}
        )
    effects.attrs |= sd_attrs(sd_of, question.matrix)
    found = annotate(_with_background_answers(effects, raw))
    if is_lazy(raw["ice"]):
        # stored values were checked to be finite when they were predicted
        return as_effect_table(found)
    return validate(found, "effects", positions=True)


def summary_arrays(effects: xr.Dataset) -> dict[str, NDArray[Any]]:
    """Return the variables of effects that summarize all units, as arrays by name."""
    found = {
        f"whole.{name}": effects[name].to_numpy()
        for name in _SUMMARY_VARIABLES
        if name in effects
    }
    return found | {"whole.control_sd_of": np.asarray(about(effects, "").control_sd_of)}


def has_summary(state: dict[str, NDArray[Any]], *, n_units: int) -> bool:
    """Say whether a state contains the result of `summary_arrays`, all of it; one unit
    has no sd.
    """
    columns = ("constant", "zero", *["control_sd"] * (n_units > 1))
    return {f"whole.{name}" for name in (*columns, "control_sd_of")} <= state.keys()


def with_summary(raw: xr.Dataset, state: dict[str, NDArray[Any]]) -> xr.Dataset:
    """Return effects, as `effects_dataset` does, from the stored units and the result
    of `summary_arrays`.
    """
    effects = raw.drop_vars("measured")
    for name in _SUMMARY_VARIABLES:
        if f"whole.{name}" in state:
            effects[name] = (raw["ice"].dims[1:], state[f"whole.{name}"])
    of = str(state["whole.control_sd_of"])
    effects = _with_background_answers(effects, raw)
    return as_effect_table(
        annotate(effects.assign_attrs(attributes(control_sd_of=of) if of else {}))
    )


def _with_background_answers(effects: xr.Dataset, raw: xr.Dataset) -> xr.Dataset:
    """Return effects with quantiles of the first backgrounds beside ``source_answer``.

    They are of the arm that the variable names in an attribute, which is left out.
    """
    if "source_answer" not in raw:
        return effects
    if raw.sizes["unit"] < 2:
        return effects.drop_vars("source_answer")
    answer, dims = raw["source_answer"].variable, list(raw["ice"].dims[2:])
    some = raw["measured"].isel(
        unit=slice(MOST_BACKGROUNDS), measured=int(answer.attrs[MEASURED])
    )
    found = background_quantiles(some.to_numpy(), dims)
    return effects.assign(source_answer=(answer.dims, answer.to_numpy()), **found)


def run_effects(request: RunRequest) -> xr.Dataset:
    """Run a trial and keep the individual effects of its contrasts."""
    setup, ranges = set_up_contrasts(request), SharedRanges()
    found = (_hold_effects if request.path is None else _store_effects)(
        request, setup, ranges
    )
    warn_constant_tasks(ranges.constant_tasks(request.predictor.dims), found)
    return found


def _reductions(setup: ContrastTrialSetup) -> tuple[EffectsReduction, EffectsReduction]:
    """Return the reduction of a unit, and that of a turn with its ranges."""
    return EffectsReduction(setup.reduction), EffectsReduction(
        setup.reduction, ranges=True
    )


def _hold_effects(
    request: RunRequest, setup: ContrastTrialSetup, ranges: SharedRanges
) -> xr.Dataset:
    """Run a trial in memory."""
    trial, question, per_unit = (
        setup.trial,
        setup.question,
        outcomes_per_unit(request.design),
    )
    models = trial.predictor.models
    of_unit, of_turn = _reductions(setup)
    # eight bytes an effect, and its interval; four a measured outcome
    numbers = (2 * len(question.weights) + len(question.measured)) * n_known_answers(
        trial.predictor
    )
    check_memory(request.design, tasks=-(-numbers // per_unit))
    with (
        explain_memory_error(request.design),
        meter(trial.design.n_units * per_unit, show=request.progress) as advance,
    ):
        plan = setup.probe()
        gathered = OutcomeBuffer(trial, plan, of_unit)

        def put(turn: int, model: int | None, parts: NamedArrays) -> None:
            ranges.take(parts, model=model, models=len(models or ()))
            gathered.put(turn, model, parts)

        run_turns(
            trial,
            plan,
            range(len(plan)),
            put,
            reduction=of_turn,
            client=request.client,
            advance=advance,
        )
        raw = outcomes_dataset(setup.frame, of_unit, gathered.parts)
    return effects_dataset(raw, question, ranges)


def _store_effects(
    request: RunRequest, setup: ContrastTrialSetup, ranges: SharedRanges
) -> xr.Dataset:
    """Run the part of a trial that a store lacks. The ranges of a turn are saved before
    its units.
    """
    assert request.path is not None
    trial, models = setup.trial, setup.trial.predictor.models
    of_unit, of_turn = _reductions(setup)
    archive, plan = open_or_create(
        setup, of_unit, request.path, same_answers=request.same_answers
    )
    n, per_unit = plan.n_units, outcomes_per_unit(trial.design)
    with (
        archive,
        flush_on_interrupt(archive),
        meter(n * per_unit, show=request.progress) as advance,
    ):
        n_changes, turns, summary = _restore_ranges(ranges, archive, plan)
        advance(
            (n - sum(last - first for first, last in map(plan.bounds, turns)))
            * per_unit
        )

        def put(turn: int, model: int | None, parts: NamedArrays) -> None:
            nonlocal n_changes
            if ranges.take(parts, model=model, models=len(models or ())):
                n_changes = min(n_changes + 1, len(plan))
                archive.put_state(ranges.state(), turns=n_changes)
            archive.put(turn, parts, model=model)

        run_turns(
            trial,
            plan,
            turns,
            put,
            reduction=of_turn,
            client=request.client,
            advance=advance,
        )
        if not summary:
            archive.flush()
            summary = summary_arrays(
                effects_dataset(open_archive(request.path), setup.question, ranges)
            )
            archive.put_state({**ranges.state(), **summary}, turns=len(plan))
    with state_of_trial(request.path):
        return with_summary(annotate(open_archive(request.path)), summary)


def _restore_ranges(
    ranges: SharedRanges, archive: Archive, plan: TurnPlan
) -> tuple[int, tuple[int, ...], dict[str, NDArray[Any]]]:
    """Restore the ranges; return how often they changed, the turns to run, and the
    summary of a finished trial.

    If they are lost all turns are run again; units that are in the store stay as they
    are.
    """
    state = archive.state()
    if state is None:
        return 0, tuple(range(len(plan))), {}
    shape = next((field.shape for field in archive.fields if field.name == "ice"), ())
    with state_of_trial(archive.path):
        ranges.restore(state[1], of=shape)
    return (
        state[0],
        archive.missing,
        state[1] if has_summary(state[1], n_units=plan.n_units) else {},
    )
