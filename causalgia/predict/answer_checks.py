"""Checks of a network's output, and common mistakes that it reveals, each with its
cure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import (
    PredictorError,
    first_line as first_line,
    first_of,
    one_line as one_line,
    quoted,
    type_in_words,
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
        If the number of names differs from the number of columns, or a task is not
        among the heads.

    Examples
    --------
    >>> place_columns(3, ("b",), ("a", "b", "c"))
    ([1], ('b',))
    """
    names = heads or tasks or name_tasks(n_columns)
    if n_columns != len(names):
        raise PredictorError(
            f"the network has {n_columns} outputs and {'heads' if heads else 'tasks'}= "
            f"names {len(names)}: {quoted(list(names))}; heads= names all outputs, "
            "tasks= picks some of them"
        )
    wanted = tasks or names
    absent = [task for task in wanted if task not in names]
    if absent:
        raise PredictorError(
            f"task {quoted(absent[0])} is not among heads={quoted(list(names))}"
        )
    return [names.index(task) for task in wanted], wanted


def as_answers(
    values: object, *, n_rows: int, tasks: tuple[str, ...] | None
) -> NDArray[Any]:
    """Return one batch of answers as (n_rows, tasks) floating numbers, in their own
    dtype.

    Raises
    ------
    PredictorError
        If they are not real numbers, (n_rows,) or (n_rows, tasks), or there is another
        number of tasks.
    """
    answers: NDArray[Any] = without_trailing(as_numbers(values), 2)
    if answers.ndim not in (1, 2) or answers.shape[0] != n_rows or not answers.size:
        raise PredictorError(
            f"{n_rows} sequences were answered with shape {answers.shape}, and a "
            "predictor answers (n,) or (n, tasks)"
        )
    table: NDArray[Any] = answers.reshape(n_rows, -1)
    if tasks is not None and table.shape[1] != len(tasks):
        n = table.shape[1]
        raise PredictorError(
            f"the network has {n} outputs and tasks= names {len(tasks)}: "
            f"{quoted(list(tasks))}"
        )
    return table


def parts_in_words(output: Any) -> str:
    """Return what an output has to choose from: its keys, its places, or its shape.

    Examples
    --------
    >>> parts_in_words({"human": 1, "mouse": 2}), parts_in_words((1, 2))
    ("a dict with 'human', 'mouse'", 'a tuple with places 0 to 1')
    """
    if isinstance(output, Mapping):
        return f"{type_in_words(output)} with {first_of(map(quoted, output), 8)}"
    if isinstance(output, tuple | list) and output:
        return f"{type_in_words(output)} with places 0 to {len(output) - 1}"
    shape = getattr(output, "shape", None)
    return type_in_words(output) if shape is None else f"of shape {tuple(shape)}"


def without_trailing(value: Any, ndim: int) -> Any:
    """Return an output, numpy or torch, without trailing axes of 1 beyond `ndim` axes.

    Examples
    --------
    >>> without_trailing(np.zeros((5, 2, 1)), 2).shape
    (5, 2)
    """
    while getattr(value, "ndim", 0) > ndim and value.shape[-1] == 1:
        value = value[..., 0]
    return value


def as_numbers(values: object) -> NDArray[Any]:
    """Return answers as an array of floating numbers; PredictorError if they are not
    real numbers.
    """
    if values is None:
        raise PredictorError(
            "the callable answered None, and a predictor answers (n,) or (n, tasks) "
            "numbers"
        )
    if isinstance(values, Mapping):
        raise PredictorError(
            f"the answer is {parts_in_words(values)}, and reduce= chooses one by its key"
        )
    try:
        answers = np.asarray(values)
    except Exception as error:
        raise PredictorError(
            f"the answer, {type_in_words(values)}, cannot be read as an array "
            f"({first_line(error)})"
        ) from error
    if np.ma.is_masked(values):
        raise PredictorError(
            "the answer is a masked array, and some of its values are masked"
        )
    if answers.dtype.kind in "iub":
        return answers.astype(np.float64)
    if answers.dtype.name == "bfloat16":  # of JAX, by ml_dtypes
        return answers.astype(np.float32)
    if answers.dtype.kind != "f":
        raise PredictorError(
            f"the answer, {type_in_words(values)}, holds {answers.dtype}, not "
            "real numbers, (n,) or (n, tasks)"
        )
    return answers


def as_storable(answers: NDArray[Any]) -> NDArray[Any]:
    """Return answers of a floating dtype that a file of outcomes can hold.

    Examples
    --------
    >>> [
    ...     str(as_storable(np.ones(1, dtype)).dtype)
    ...     for dtype in ("f2", "f4", "f8", "longdouble")
    ... ]
    ['float32', 'float32', 'float64', 'float64']
    """
    with np.errstate(
        over="ignore"
    ):  # overflow becomes infinity, which is refused later
        return answers.astype(
            np.float32 if answers.dtype.itemsize <= 4 else np.float64, copy=False
        )


def abridged(names: Sequence[str]) -> str:
    """Return names as a list in which at most four are written out.

    Examples
    --------
    >>> abridged("ab"), abridged("abcdef")
    ("['a', 'b']", "['a', 'b', 'c', 'd', ... 6 in all]")
    """
    shown = ", ".join(map(quoted, names[:4]))
    return f"[{shown}]" if len(names) <= 4 else f"[{shown}, ... {len(names):,} in all]"


_MOST_VALUES = 10_000_000


def check_not_constant(
    reduce: Callable[[Any], Any], output: object, like: Callable[[NDArray[Any]], object]
) -> None:
    """Raise PredictorError if probabilities that add up to 1 are reduced to a number
    that no sequence can change.

    The reduction is tried on other probabilities of that shape; `like` makes of an
    array what the network returns.

    Examples
    --------
    >>> check_not_constant(
    ...     lambda y: y.sum(1), np.array([[0.1, 0.6, 0.3]]), lambda other: other
    ... )
    Traceback (most recent call last):
    causalgia.errors.PredictorError: reduce= gives 1 for every sequence: the output (1, 3) is a softmax over axis 1, ...
    """
    try:
        values = _as_float64(output)
    except (TypeError, ValueError, RuntimeError):
        return
    if (
        values.ndim < 2
        or not 1 < values.size <= _MOST_VALUES
        or not (np.isfinite(values).all() and values.min() >= 0)
    ):
        return
    for axis in range(1, values.ndim):
        if values.shape[axis] < 2 or not np.allclose(values.sum(axis), 1, atol=1e-3):
            continue
        other = np.exp(np.sin(1.7 * np.arange(values.size)).reshape(values.shape))
        other /= other.sum(axis, keepdims=True)
        try:
            first, second = (_as_float64(reduce(like(one))) for one in (values, other))
        except (
            Exception
        ):  # the reduction fails on the network's own output, too, and is refused there
            return
        if (
            first.size
            and first.shape == second.shape
            and np.allclose(first, second, rtol=1e-4, atol=1e-7)
        ):
            raise PredictorError(
                f"reduce= gives {first.flat[0]:.4g} for every sequence: the "
                f"output {values.shape} is a softmax over axis {axis}, which adds "
                "up to 1"
            )


def _as_float64(value: Any) -> NDArray[np.float64]:
    """Return an array or a tensor, of any device, as numpy numbers."""
    return np.asarray(value.cpu() if hasattr(value, "cpu") else value, dtype=np.float64)
