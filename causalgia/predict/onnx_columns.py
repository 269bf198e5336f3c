"""What an ONNX network answers, read as one column for each task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import CausalgiaError, PredictorError, quoted
from causalgia.predict.answer_checks import place_columns
from causalgia.predict.wording import first_line

Names = tuple[str, ...]


def pick_columns(
    output: object, n_rows: int, *, tasks: Names | None, heads: Names | None, reduce: Callable[[Any], Any] | None
) -> tuple[NDArray[Any], Names]:
    """Return the columns (n_rows, tasks) that are asked for, and their names.

    Raises
    ------
    PredictorError
        If the output is not (n,) or (n, columns) after `reduce`, or has other columns than the names say.
    """
    value = output if reduce is None else _reduced(output, reduce)
    if not isinstance(value, Mapping):
        table = _table(value, n_rows, "the network's output")
        places, names = place_columns(table.shape[1], tasks, heads)
        return table[:, places], names
    if heads is not None:
        msg = f"heads= names the columns of one output, and there are {_listed(value)}; pick outputs with tasks="
        raise PredictorError(msg)
    names = tasks or tuple(map(str, value))
    return np.concatenate([_column(value, name, n_rows) for name in names], axis=1), names


def _reduced(output: object, reduce: Callable[[Any], Any]) -> object:
    try:
        return reduce(output)
    except CausalgiaError:
        raise
    except Exception as error:
        what = _listed(output) if isinstance(output, Mapping) else _shape(output)
        msg = f"reduce= failed on the network's output, {what}: {first_line(error)}"
        raise PredictorError(msg) from error


def _column(value: Mapping[str, object], name: str, n_rows: int) -> NDArray[Any]:
    if name not in value:
        msg = f"the network has no output {quoted(name)}; it has {_listed(value)}, and tasks= picks outputs by name"
        raise PredictorError(msg)
    column = _table(value[name], n_rows, f"the network's output {quoted(name)}")
    if column.shape[1] != 1:
        msg = (
            f"the network's output {quoted(name)} has {column.shape[1]} columns and an output is one task; give "
            f"reduce=, for example reduce=lambda y: y[{quoted(name)}] and name its columns in tasks="
        )
        raise PredictorError(msg)
    return column


def _table(value: object, n_rows: int, what: str) -> NDArray[Any]:
    if isinstance(value, np.ndarray) and value.ndim in (1, 2) and len(value) == n_rows and value.size:
        return value.reshape(n_rows, -1)
    msg = (
        f"{what} for {n_rows} sequences is {_shape(value)}, not ({n_rows},) or ({n_rows}, tasks); give reduce=, for "
        "example reduce=lambda y: y.sum(-1) for total counts of a profile"
    )
    raise PredictorError(msg)


def _listed(value: Mapping[Any, Any]) -> str:
    return ", ".join(f"{name} {_shape(item)}" for name, item in value.items())


def _shape(value: object) -> str:
    return str(value.shape) if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
