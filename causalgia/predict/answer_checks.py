"""Checks of a network's output: numbers for each row and task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import PredictorError, quoted
from causalgia.errors import first_line as first_line
from causalgia.errors import one_line as one_line
from causalgia.predict.mistakes import cure_of_shape

_GENERAL = (
    "give reduce= to turn the network's output into one number per sequence and task, for example reduce=lambda y: "
    "y.sum(-1)"
)


def name_tasks(n_tasks: int) -> tuple[str, ...]:
    """Return the default names of outputs.

    Examples
    --------
    >>> name_tasks(1), name_tasks(2)
    (('outcome',), ('task 0', 'task 1'))
    """
    return ("outcome",) if n_tasks == 1 else tuple(f"task {i}" for i in range(n_tasks))


def place_columns(
    n_columns: int, tasks: tuple[str, ...] | None, heads: tuple[str, ...] | None
) -> tuple[list[int], tuple[str, ...]]:
    """Return the requested columns of a table of outputs, and their names.

    Raises
    ------
    PredictorError
        If the number of names differs from the number of columns, or a task is not among the heads.

    Examples
    --------
    >>> place_columns(3, ("b",), ("a", "b", "c"))
    ([1], ('b',))
    """
    names = heads or tasks or name_tasks(n_columns)
    if n_columns != len(names):
        what = "heads" if heads else "tasks"
        msg = (
            f"the network has {n_columns} outputs and {what}= names {len(names)}: {quoted(list(names))}; name each "
            "output in heads= and pick some of them in tasks="
        )
        raise PredictorError(msg)
    wanted = tasks or names
    absent = [task for task in wanted if task not in names]
    if absent:
        raise PredictorError(
            f"task {quoted(absent[0])} is not among heads={quoted(list(names))}; tasks= picks heads by name"
        )
    return [names.index(task) for task in wanted], wanted


def as_answers(values: object, *, n_rows: int, tasks: tuple[str, ...] | None) -> NDArray[Any]:
    """Return one batch of answers as (n_rows, tasks) floating numbers, in their own dtype.

    Raises
    ------
    PredictorError
        If they are not real numbers, (n_rows,) or (n_rows, tasks), or there is another number of tasks.
    """
    answers = as_numbers(values)
    if answers.ndim not in (1, 2) or answers.shape[0] != n_rows or not answers.size:
        cure = cure_of_shape(answers.shape, [], n_rows) if answers.ndim < 3 or 1 in answers.shape[1:] else _GENERAL
        sequences = "one sequence was" if n_rows == 1 else f"{n_rows} sequences were"
        raise PredictorError(
            f"{sequences} answered with shape {answers.shape}; a predictor answers (n,) or (n, tasks): {cure}"
        )
    table = answers.reshape(n_rows, -1)
    if tasks is not None and table.shape[1] != len(tasks):
        msg = (
            f"the network has {table.shape[1]} outputs and tasks= names {len(tasks)}: {quoted(list(tasks))}; "
            "name each output"
        )
        raise PredictorError(msg)
    return table


def as_numbers(values: object) -> NDArray[Any]:
    """Return answers as an array of floating numbers; PredictorError if they are not real numbers."""
    if values is None:
        raise PredictorError("the callable answered None; end it with a return of (n,) or (n, tasks) numbers")
    try:
        answers = np.asarray(values)
    except Exception as error:
        cure = (
            "return net(x).detach().numpy(), or use cg.TorchPredictor(net)" if "grad" in str(error) else "return numpy"
        )
        msg = f"the answer, a {type(values).__name__}, cannot be read as an array ({first_line(error)}); {cure}"
        raise PredictorError(msg) from error
    if np.ma.is_masked(values):
        raise PredictorError("the answer is a masked array, and some of its values are masked; return numbers for all")
    if answers.dtype.kind in "iub":
        return answers.astype(np.float64)
    if answers.dtype.kind != "f":
        msg = (
            f"the answer, a {type(values).__name__}, holds {answers.dtype}, not real numbers; give reduce= to turn the "
            "output into (n,) or (n, tasks) numbers"
        )
        raise PredictorError(msg)
    return answers


def as_storable(answers: NDArray[Any]) -> NDArray[Any]:
    """Return answers of a floating dtype that a file of outcomes can hold.

    Examples
    --------
    >>> [str(as_storable(np.ones(1, dtype)).dtype) for dtype in ("f2", "f4", "f8", "longdouble")]
    ['float32', 'float32', 'float64', 'float64']
    """
    with np.errstate(over="ignore"):  # overflow becomes infinity, which is refused later
        return answers.astype(np.float32 if answers.dtype.itemsize <= 4 else np.float64, copy=False)


def abridged(names: Sequence[str]) -> str:
    """Return names as a list in which at most four are written out.

    Examples
    --------
    >>> abridged("ab"), abridged("abcdef")
    ("['a', 'b']", "['a', 'b', 'c', 'd', ... 6 in all]")
    """
    shown = ", ".join(map(quoted, names[:4]))
    return f"[{shown}]" if len(names) <= 4 else f"[{shown}, ... {len(names):,} in all]"
