"""Outcomes gathered in memory, turn by turn, and laid out under their names."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from causalgia.design import Design
from causalgia.errors import DegenerateWarning
from causalgia.predict import Predictor
from causalgia.schema import annotate, validate
from causalgia.trial.carrying import Parts, each_turn, unit_parts
from causalgia.trial.describing import arm_coordinates
from causalgia.trial.keeping import keep_design
from causalgia.trial.plan import Plan
from causalgia.trial.turns import Advance, Trial


def outcome_dims(design: Design, predictor: Predictor) -> tuple[str, ...]:
    """Return the dims of the outcomes of a trial."""
    arm = ("arm",) if design.assignment == "crossover" else ()
    return ("unit", *arm, "task", *(() if predictor.models is None else ("model",)))


def frame_of(design: Design, predictor: Predictor, attrs: dict[str, Any]) -> xr.Dataset:
    """Return the outcomes without a unit: arms, tasks, models, the design and the attributes."""
    coords: dict[str, Any] = {"task": list(predictor.tasks), **arm_coordinates(design.named_arms)}
    if predictor.models is not None:
        coords["model"] = list(predictor.models)
    return keep_design(xr.Dataset(coords=coords, attrs=attrs), design)


def laid_out(frame: xr.Dataset, dims: tuple[str, ...], parts: Parts) -> xr.Dataset:
    """Return outcomes: a frame with the values of its units, ``outcome`` with these dims and coordinates ``(unit)``."""
    n = len(parts["outcome"])
    coords = {"unit": np.arange(n), **{name: ("unit", part) for name, part in parts.items() if name != "outcome"}}
    return annotate(frame.assign(outcome=(dims, parts["outcome"])).assign_coords(coords))


class Gathered:
    """The outcomes of the first units of a trial, more and more of them.

    Parameters
    ----------
    trial, plan
        What is carried out, and its cut.
    frame
        From `frame_of`.
    advance
        Told how many more outcomes are known.
    """

    def __init__(self, trial: Trial, plan: Plan, frame: xr.Dataset, advance: Advance) -> None:
        self._trial, self._plan, self._frame, self._advance = trial, plan, frame, advance
        self._dims = outcome_dims(trial.design, trial.predictor)
        self._n = self._n_distinct = 0
        self._whole: Parts = {}

    def up_to(self, n: int) -> xr.Dataset:
        """Return the outcomes of the first n units, asking for those that are not known yet."""
        cuts = [self._n, *(int(end) for end in self._plan.ends if self._n < end < n), n]
        bounds = [(first, last) for first, last in pairwise(cuts) if last > first]
        for turn, outcome in each_turn(self._trial, bounds, advance=self._advance):
            self._n_distinct += turn.n_distinct
            self._take({"outcome": outcome, **unit_parts(self._trial, turn)})
        parts = {name: part[:n] for name, part in self._whole.items()}
        return validate(laid_out(self._frame, self._dims, parts), "outcomes")

    def _take(self, parts: Parts) -> None:
        last = self._n + len(parts["outcome"])
        for name, part in parts.items():
            whole = self._whole.get(name)
            if whole is None:
                whole = np.empty((self._plan.n_units, *part.shape[1:]), part.dtype)
            whole = whole.astype(np.result_type(whole, part), copy=False)
            whole[self._n : last] = part
            self._whole[name] = whole
        self._n = last

    def warn_constant(self) -> None:
        """Warn of a task that has one answer for every sequence."""
        warn_constant(self._whole["outcome"][: self._n], self._dims, self._trial.predictor.tasks, self._n_distinct)


def warn_constant(outcome: Any, dims: tuple[str, ...], tasks: tuple[str, ...], n_distinct: int) -> None:
    """Warn of a task that has one answer for all of several sequences, in every model."""
    over = tuple(dims.index(dim) for dim in dims if dim in ("unit", "arm"))
    same = outcome.min(axis=over) == outcome.max(axis=over)
    constant = np.asarray(same).reshape(len(tasks), -1).all(axis=1)
    if n_distinct > 1 and constant.any():
        task = tasks[int(constant.argmax())]
        text = f"task '{task}': the predictor gives the same answer for all {n_distinct:,} distinct sequences"
        warnings.warn(text, DegenerateWarning, stacklevel=4)
