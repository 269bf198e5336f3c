"""Tasks where a region has no width, in sd of a control that does not vary: the other tasks are decided alone."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr

from causalgia.analysis import is_of_placebos
from causalgia.errors import DegenerateWarning, quoted
from causalgia.estimation.request import users_level
from causalgia.multiplicity.placebo import tasks_without_scale
from causalgia.notes import with_notes


def tasks_that_vary(estimates: xr.Dataset, rope: Any) -> list[Any]:
    """Return the tasks that a region in sd of the control, or of placebo words, has a width for; all for any other.

    A task is left out where the control's outcomes are one number behind every contrast (a dead output, a task that
    these backgrounds never touch), or where its placebo words spread no more than their errors. Where that is so in
    every task, or for some contrasts of a task only, all are returned, and `causalgia.decide` refuses by name.

    Parameters
    ----------
    estimates
        With ``control_sd (contrast, task[, model])``.
    rope
        As `causalgia.decide` takes it.

    Examples
    --------
    >>> sd = xr.DataArray([[1.0, 0.0]], dims=("contrast", "task"), coords={"task": ["K562", "dead"]})
    >>> tasks_that_vary(xr.Dataset({"control_sd": sd}), "0.2 sd")
    ['K562']
    """
    tasks = estimates["task"].to_numpy().tolist()
    if is_of_placebos(rope):
        of_task = tasks_without_scale(estimates).tolist()
    elif "control_sd" in estimates and isinstance(rope, str):
        still = estimates["control_sd"].transpose("contrast", "task", ...).to_numpy() <= 0
        of_task = [bool(row.any()) for row in np.reshape(still.all(axis=0), (len(tasks), -1))]
    else:
        return list(tasks)
    return list(tasks) if all(of_task) else [task for i, task in enumerate(tasks) if not of_task[i]]


def left_out(estimates: xr.Dataset, chosen: list[Any], rope: Any) -> str:
    """Return the sentence that names the tasks without a verdict, which are those not chosen; "" for none."""
    names = [str(task) for task in estimates["task"].to_numpy().tolist() if task not in chosen]
    if not names:
        return ""
    which = f"task {quoted(names[0])}" if len(names) == 1 else f"tasks {', '.join(map(quoted, names))}"
    them = "its estimates are kept; for a verdict give two numbers, rope=(-0.1, 0.1)"
    why = (
        "the placebo words there vary no more than their errors explain, or nearly all of them have the same effect"
        if is_of_placebos(rope)
        else "the control's outcomes do not vary there"
    )
    return f"no verdict on {which}: {why}, so that rope={quoted(rope)} has no width; {them}"


def warn_of(sentence: str) -> None:
    """Warn of the tasks that are left out, at the line of the user's call."""
    if sentence:
        warnings.warn(sentence, DegenerateWarning, stacklevel=users_level())


def of_tasks(dataset: xr.Dataset, chosen: list[Any]) -> xr.Dataset:
    """Return the part of effects or estimates that is about these tasks."""
    if "task" not in dataset.dims or len(chosen) == dataset.sizes["task"]:
        return dataset
    index = np.flatnonzero([task in chosen for task in dataset["task"].to_numpy().tolist()])
    return dataset.isel(task=index)


def noted(decisions: xr.Dataset, sentence: str) -> xr.Dataset:
    """Return the decisions with the sentence as a note."""
    return with_notes(decisions, sentence) if sentence else decisions
