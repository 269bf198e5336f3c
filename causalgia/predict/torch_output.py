"""Output of a PyTorch network as one column for each task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from causalgia.errors import CausalgiaError, PredictorError, quoted
from causalgia.predict.answer_checks import first_line, place_columns
from causalgia.predict.predictor import as_distinct_names

Names = tuple[str, ...]


def read_columns(
    output: object,
    n_rows: int,
    *,
    tasks: Names | None,
    heads: Names | None,
    reduce: Callable[[Any], torch.Tensor] | None,
) -> tuple[torch.Tensor, Names]:
    """Return the requested columns (n_rows, tasks), on the device, and their names.

    Raises
    ------
    PredictorError
        If the output is not (n,) or (n, outputs) after `reduce`, or its columns do not match the names.
    """
    value = output if reduce is None else _reduced(output, reduce)
    if isinstance(value, Mapping):
        return _pick_keys(value, n_rows, tasks, heads)
    table = _as_table(value, n_rows, "the network's output")
    places, names = place_columns(table.shape[1], tasks, heads)
    return (table if places == list(range(table.shape[1])) else table[:, places]), names


def _reduced(output: object, reduce: Callable[[Any], torch.Tensor]) -> object:
    try:
        return reduce(output)
    except CausalgiaError:
        raise
    except Exception as error:
        msg = f"reduce= failed on the network's output, {describe_output(output)}: {first_line(error)}"
        raise PredictorError(msg) from error


def _pick_keys(
    output: Mapping[str, object], n_rows: int, tasks: Names | None, heads: Names | None
) -> tuple[torch.Tensor, Names]:
    if heads is not None:
        raise PredictorError(
            f"heads= names the columns of a tensor, but the network returns {describe_output(output)}; pick keys with "
            "tasks="
        )
    names = as_distinct_names(list(output), "key") if tasks is None else tasks
    missing = [name for name in names if name not in output]
    if missing:
        msg = f"the network's output has no key {quoted(missing[0])}; it returns {describe_output(output)}"
        raise PredictorError(msg)
    return torch.cat([_one_column(output[name], n_rows, name) for name in names], dim=1), names


def _one_column(value: object, n_rows: int, key: str) -> torch.Tensor:
    column = _as_table(value, n_rows, f"the network's output {quoted(key)}")
    if column.shape[1] != 1:
        msg = (
            f"the network's output {quoted(key)} has {column.shape[1]} columns and a key is one task; give reduce= to "
            f"make one number of them, for example reduce=lambda y: {{{quoted(key)}: y[{quoted(key)}].sum(-1)}}"
        )
        raise PredictorError(msg)
    return column


def _as_table(value: object, n_rows: int, what: str) -> torch.Tensor:
    if isinstance(value, torch.Tensor) and value.layout is not torch.strided:
        msg = f"{what} is a sparse tensor ({value.layout}); give reduce=, for example reduce=lambda y: y.to_dense()"
        raise PredictorError(msg)
    if isinstance(value, torch.Tensor) and value.ndim in (1, 2) and len(value) == n_rows and value.numel():
        return value.reshape(n_rows, -1)
    msg = (
        f"{what} for {n_rows} sequences is {describe_output(value)}, not a tensor ({n_rows},) or ({n_rows}, tasks); "
        "give reduce=, a function of what the network returns, for example reduce=lambda y: y[1] for the second of a "
        "tuple or reduce=lambda y: y.sum(-1) for total counts of a profile"
    )
    raise PredictorError(msg)


def describe_output(value: object) -> str:
    """Return a description of an output: its type, and the shape of every tensor in it.

    Examples
    --------
    >>> describe_output((torch.zeros(2, 3), {"counts": torch.zeros(2)}))
    "a tuple of (2, 3), a dict {'counts': (2,)}"
    """
    if isinstance(value, torch.Tensor):
        return str(tuple(value.shape))
    if isinstance(value, Mapping):
        return (
            f"a {type(value).__name__} {{{', '.join(f'{quoted(k)}: {describe_output(v)}' for k, v in value.items())}}}"
        )
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {', '.join(map(describe_output, value))}"
    return f"a {type(value).__name__}"
