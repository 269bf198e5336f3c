"""Setup of a trial: its identity, its attributes, whether it is feasible, and the first answers of the predictor."""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import Analysis
from causalgia.design import Design
from causalgia.design.arms import edits_of_arms
from causalgia.errors import DegenerateWarning, DesignError
from causalgia.notes import LONGEST_ATTRIBUTE, edits_to_json
from causalgia.predict import Predictor
from causalgia.predict.predictor import LONG
from causalgia.schema import annotate
from causalgia.streams import RNG, root_key
from causalgia.trial.answer_precision import TRANSFORMS, answer_floor
from causalgia.trial.attributes import (
    analysis_json,
    arm_coordinates,
    store_design,
    task_scale_coordinate,
    trial_attributes,
)
from causalgia.trial.design_notes import notes_of_design
from causalgia.trial.outcomes import announce_cost
from causalgia.trial.turn_plan import TurnPlan
from causalgia.trial.turns import Trial, TurnReduction

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class TrialSetup:
    """A trial before its first answer.

    Attributes
    ----------
    trial
        Design, predictor and key.
    attrs
        Attributes of its outcomes.
    """

    trial: Trial
    attrs: dict[str, Any]

    def identity(self, reduction: TurnReduction) -> dict[str, str]:
        """Return the identity of the trial; a store with another identity is refused."""
        return {
            "design": f"{_design_summary(self.trial.design)} ({self.attrs['design_fingerprint']})",
            "predictor": self.attrs["predictor_fingerprint"],
            "rng": f"{self.trial.key:016x}",
            "analysis": self.attrs.get("analysis", ""),
            "keep": reduction.name,
        }

    @property
    def parts(self) -> dict[str, str]:
        """Digests of the parts of the predictor's fingerprint, and versions that its code depends on."""
        torch = sys.modules.get("torch")
        versions = f"Python {self.attrs['python']}, numpy {self.attrs['numpy']}"
        named = versions if torch is None else f"{versions}, torch {torch.__version__}"
        return {**self.trial.predictor.fingerprint_parts, "versions": named}

    @property
    def roundings(self) -> dict[str, NDArray[np.float64]]:
        """Rounding error of the stored quantities, by field (their last dims); it has been measured."""
        assert self.trial.floor is not None, "the predictor has been met"
        return {"outcome": self.trial.floor[0]}

    def probe(self, *, resumed: bool = False) -> TurnPlan:
        """Predict a few units, so that tasks, batch sizes and rounding are known; return the plan of turns.

        A resumed trial has the size of rounding in its store.

        Raises
        ------
        DesignError
            If every unit comes out as one sequence.
        PredictorError
            If an answer is not finite, or depends on batch mates.
        """
        check_distinct(self.trial)
        self.trial.probe()
        if self.trial.announce and self.trial.design.null.length > LONG:
            announce_cost(self.trial)
        plan = self.trial.plan()
        self.trial.floor = None if resumed else answer_floor(self.trial)
        return plan

    @property
    def frame(self) -> xr.Dataset:
        """The outcomes Dataset without units: arms, tasks, models, the design and the attributes."""
        design, predictor = self.trial.design, self.trial.predictor
        coords = {**predictor.coordinates, **task_scale_coordinate(predictor), **arm_coordinates(design.named_arms)}
        found = store_design(xr.Dataset(coords=coords, attrs=self.attrs), design)
        return annotate(found if self.trial.floor is None else found.assign(answer_floor=self.floor_by_scale))

    @property
    def floor_by_scale(self) -> xr.DataArray:
        """Rounding error of an answer, (transform, task[, model]); it has been measured."""
        coords = {"transform": list(TRANSFORMS), **self.trial.predictor.coordinates}
        return xr.DataArray(self.trial.floor, dims=tuple(coords), coords=coords)


def _design_summary(design: Design) -> str:
    """Return a design in one line, so that an error shows which setting changed."""
    names = design.arm_names
    arms = ", ".join(names[:6]) + (f", ... ({len(names):,})" if len(names) > 6 else "")
    return f"{design.n_units:,} units of {design.drawn.describe()}, {design.assignment}, arms {arms}"


def set_up_trial(
    design: Design,
    predictor: Predictor,
    *,
    rng: RNG,
    analysis: Analysis | None,
    client: Client | None = None,
) -> TrialSetup:
    """Return a trial that is set up; nothing is drawn or predicted yet.

    Raises
    ------
    ClusterError
        If a client is given that has no workers, or the predictor cannot be sent to them.
    """
    attrs = trial_attributes(design, predictor, predictor.fingerprint, rng)  # a network may count its calls
    if analysis is not None:
        attrs["analysis"] = analysis_json(analysis, design)
    edits, requested = (
        edits_of_arms(design.named_arms),
        (analysis or Analysis()).asking(design.analysis_fields),
    )
    trial = Trial(design, predictor, root_key(rng))
    with explain_memory_error(design):
        notes = [
            *design.drawn.notes(design.n_units),
            *notes_of_design(design, requested, edits, key=trial.key),
        ]
    if notes:
        attrs["notes"] = "\n".join(notes)
    text = edits_to_json(edits)  # of hundreds of arms too long for an attribute
    if len(text) <= LONGEST_ATTRIBUTE:
        attrs["edits"] = text
    if client is not None:
        from causalgia.trial.distributed_turns import check_picklable
        from causalgia.workers import check_client

        check_client(client)
        check_picklable(trial)
    return TrialSetup(trial, attrs)


_AT_ONCE = 16_384
_TOKENS = 2**26


def check_memory(design: Design, *, tasks: int) -> None:
    """Raise DesignError if the units and outcomes of a design exceed this machine's memory; nothing is allocated.

    Counted are 24 bytes of coordinates per unit and 4 bytes per outcome: a lower bound.

    Raises
    ------
    DesignError
        If they would not fit; says how much they would take.
    """
    if _bytes_needed(design, tasks) > _physical_memory():
        raise _memory_error(design, tasks)


def _bytes_needed(design: Design, tasks: int) -> int:
    answers = len(design.named_arms) if design.assignment == "crossover" else 1
    return design.null.length + design.n_units * (24 + 4 * answers * tasks)


def _physical_memory() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def _memory_error(design: Design, tasks: int) -> DesignError:
    n, gib = design.n_units, _bytes_needed(design, tasks) / 2**30
    return DesignError(
        f"n_units={n:,}: units of {design.null.length:,} bp and their outcomes would take {gib:,.1f} GiB, more than "
        "this machine's memory; keep them on disk with store=, or ask for fewer units: the standard error shrinks only "
        "with the square root of n_units"
    )


@contextmanager
def explain_memory_error(design: Design) -> Iterator[None]:
    """Say how much memory a design takes where memory runs out."""
    try:
        yield
    except MemoryError as error:
        raise _memory_error(design, 1) from error


def check_distinct(trial: Trial) -> None:
    """Raise or warn if the first units repeat and the null model could not predict that.

    Raises
    ------
    DesignError
        If every one of them came out as the same sequence.

    Warns
    -----
    DegenerateWarning
        If fewer than half of them are distinct sequences.
    """
    design = trial.design
    most = min(_AT_ONCE, max(_TOKENS // design.null.length, 2), design.n_units)
    if most == 1 or np.isfinite(design.drawn.log_reachable(design.n_units)):
        return
    tokens = trial.draw(0, most).tokens
    rows = np.ascontiguousarray(tokens)
    distinct = len(np.unique(rows.view(np.dtype((np.void, rows.shape[1])))))
    if distinct >= max(2, most / 2) or np.isfinite(design.drawn.log_reachable(most)):
        return
    if distinct == 1:
        all_ = "all" if most == design.n_units else "the first"
        raise DesignError(
            f"{all_} {most:,} units came out as one sequence: {design.drawn.describe()} hardly vary; "
            "use a null model that does, or n_units=1"
        )
    text = f"{design.drawn.describe()}: only {distinct:,} of the first {most:,} units are distinct sequences"
    warnings.warn(text, DegenerateWarning, stacklevel=4)
