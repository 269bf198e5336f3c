"""Checks of a network's output, and common mistakes that it reveals, each with its
cure.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import (
    PredictorError,
    first_line as first_line,
    message_line,
    one_line as one_line,
    quoted,
    type_in_words,
)

_GENERAL = (
    "give ``reduce=`` to turn the network's output into one number per sequence and "
    "task, for example reduce=lambda y: y.sum(-1)"
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
        what = "heads" if heads else "tasks"
        all_of_them = "" if heads else "name each output in ``tasks=``, or "
        s = "s" * (n_columns != 1)
        msg = (
            f"the network has {n_columns} output{s} and ``{what}=`` names "
            f"{len(names)}: {quoted(list(names))}; {all_of_them}name each output in "
            "``heads=`` and pick some of them in ``tasks=``"
        )
        raise PredictorError(msg)
    wanted = tasks or names
    absent = [task for task in wanted if task not in names]
    if absent:
        raise PredictorError(
            f"task {quoted(absent[0])} is not among ``heads={quoted(list(names))}``; "
            "``tasks=`` picks heads by name"
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
    answers = as_numbers(values)
    if answers.ndim not in (1, 2) or answers.shape[0] != n_rows or not answers.size:
        columns = int(np.prod(answers.shape[1:]))
        without_axes_of_1 = 1 in answers.shape[1:] and (
            tasks is None or columns == len(tasks)
        )
        cure = (
            cure_of_shape(
                answers.shape,
                [],
                n_rows,
                n_tasks=None if tasks is None else len(tasks),
                transpose="np.stack(y, 1)",
            )
            if answers.ndim < 3 or without_axes_of_1
            else _GENERAL
        )
        sequences = "one sequence was" if n_rows == 1 else f"{n_rows} sequences were"
        raise PredictorError(
            f"{sequences} answered with shape {answers.shape}; a predictor answers "
            f"(n,) or (n, tasks): {cure}"
        )
    table = answers.reshape(n_rows, -1)
    if tasks is not None and table.shape[1] != len(tasks):
        n = table.shape[1]
        msg = (
            f"the network has {n} output{'s' * (n != 1)} and ``tasks=`` names "
            f"{len(tasks)}: {quoted(list(tasks))}; name each output"
        )
        raise PredictorError(msg)
    return table


def as_numbers(values: object) -> NDArray[Any]:
    """Return answers as an array of floating numbers; PredictorError if they are not
    real numbers.
    """
    if values is None:
        raise PredictorError(
            "the callable answered None; end it with a return of (n,) or (n, tasks) "
            "numbers"
        )
    try:
        answers = np.asarray(values)
    except Exception as error:
        # numpy has no bfloat16
        whole = ".float()" * ("bfloat16" in str(getattr(values, "dtype", "")))
        cure = (
            f"return net(x).detach(){whole}.cpu().numpy(), or use "
            "``cg.TorchPredictor(net)``"
            if hasattr(values, "detach")
            else "return numpy"
        )
        msg = (
            f"the answer, {type_in_words(values)}, cannot be read as an array "
            f"({first_line(error)}); {cure}"
        )
        raise PredictorError(msg) from error
    if np.ma.is_masked(values):
        raise PredictorError(
            "the answer is a masked array, and some of its values are masked; return "
            "numbers for all"
        )
    if answers.dtype.kind in "iub":
        return answers.astype(np.float64)
    if answers.dtype.kind != "f":
        msg = (
            f"the answer, {type_in_words(values)}, holds {answers.dtype}, not real "
            "numbers; give ``reduce=`` to turn the output into (n,) or (n, tasks) "
            "numbers"
        )
        raise PredictorError(msg)
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
_LOAD = "net.load_state_dict(torch.load(path, weights_only=True))"
_CURE_OF_OUTPUT = (
    "give ``reduce=``, a function of what the network returns, for example "
    "reduce=lambda y: y[1] for the second of a tuple, reduce=lambda y: y.sum(-1) for "
    "total counts of a profile, or ``track=cg.Track(axis=-1)`` to keep its positions"
)


def what_instead_of_network(value: object) -> str:
    """Return what was given instead of a PyTorch network, and the cure.

    Examples
    --------
    >>> what_instead_of_network(
    ...     {"epoch": 3, "state_dict": {"conv.weight": np.zeros((2, 4, 5))}}
    ... )
    "a checkpoint; build the network, then net.load_state_dict(checkpoint['state_dict'])"
    """
    if type(value).__name__ == "ExportedProgram":
        return "an ExportedProgram of torch.export; give program.module()"
    if isinstance(value, Mapping):
        inner = next(
            (key for key in _INNER if key in value),
            None,
        )
        if inner is not None and isinstance(value[inner], Mapping):
            return (
                "a checkpoint; build the network, then "
                f"net.load_state_dict(checkpoint[{quoted(inner)}])"
            )
        if value and all(hasattr(one, "shape") for one in value.values()):
            some = f"{len(value):,} arrays, {quoted(next(iter(value)))} first"
            return (
                f"its weights ({some}); build the network, then "
                "net.load_state_dict(weights)"
            )
    if isinstance(value, str | PathLike):
        return (
            f"the path {quoted(str(value))}; build the network, then load its weights: "
            f"{_LOAD}"
        )
    if isinstance(value, type):
        return (
            f"the class {value.__name__}; make one: {value.__name__}(...), then load "
            "its weights"
        )
    cure = "FunctionPredictor takes any callable"
    if isinstance(value, list | tuple):
        cure = (
            "several networks are an ensemble: ``cg.Ensemble([cg.TorchPredictor(net), "
            "...])``"
        )
    return f"{' '.join(quoted(value).split())}; {cure}"


_INNER = ("state_dict", "model_state_dict", "model")
"""Keys under which a checkpoint holds the weights of a network."""


def cure_of_names(missing: Iterable[str], unexpected: Iterable[str]) -> str:
    """Return the cure of weights whose names are not those of the network: they are one
    level down in a checkpoint, or have a prefix; "" if it is another.

    Examples
    --------
    >>> cure_of_names(["conv.bias"], ["epoch", "state_dict"])
    "its weights are under 'state_dict': torch.load(path, weights_only=True)['state_dict']"
    >>> cure_of_names(["conv.bias"], ["module.conv.bias"])
    "take off 'module.': {name.removeprefix('module.'): x for name, x in weights.items()}"
    """
    lacking, extra = sorted(missing), sorted(unexpected)
    inner = next((key for key in _INNER if key in extra), None)
    if inner is not None:
        key = quoted(inner)
        return (
            f"its weights are under {key}: torch.load(path, weights_only=True)[{key}]"
        )
    first = next((one for one in extra for name in lacking if one.endswith(name)), "")
    for name in lacking:
        prefix = quoted(first.removesuffix(name))
        if first.endswith(f".{name}") and {
            one.removeprefix(first.removesuffix(name)) for one in extra
        } >= {*lacking}:
            return (
                f"take off {prefix}: {{name.removeprefix({prefix}): x for name, x in "
                "weights.items()}"
            )
    return ""


def cure_of_shape(
    shape: tuple[int, ...] | None,
    parts: list[tuple[int, ...]],
    n_rows: int,
    *,
    n_tasks: int | None = None,
    transpose: str = "y.T",
) -> str:
    """Return the cure of an output that is no (n,) or (n, tasks): of a tensor, or of
    several of the shapes `parts`; of `n_tasks`, if that is known.

    `transpose` is what makes columns of the rows of an output y.

    Examples
    --------
    >>> cure_of_shape((), [], 1)
    'name the axes of a sum or mean, such as .mean((1, 2)), and for squeeze() write squeeze(-1)'
    >>> cure_of_shape((1, 12, 1), [], 1)
    'give reduce=lambda y: y.squeeze(-1), which drops the last axis'
    """
    if (
        shape is not None
        and len(shape) == 2
        and shape[0] != n_rows
        and shape[1] == n_rows
        and n_tasks in (None, shape[0])
    ):
        return (
            "sequences are the first axis, tasks the second; give reduce=lambda y: "
            f"{transpose}"
        )
    if shape is not None and n_rows > 1 and len(shape) in (1, 2) and all(shape):
        return (
            "answer each sequence by itself: one row for each of them, in their order"
        )
    if shape is not None and (n_rows == 1 or not shape) and shape[:1] != (1,):
        return (
            "squeeze() drops the axis of the sequences where one is asked; write "
            "squeeze(-1), for the last axis alone"
            if shape
            else "name the axes of a sum or mean, such as .mean((1, 2)), and for "
            "squeeze() write squeeze(-1)"
        )
    if shape is not None and len(shape) == 3 and 1 in shape[1:]:
        axis, which = (-1, "last") if shape[2] == 1 else (1, "middle")
        return f"give reduce=lambda y: y.squeeze({axis}), which drops the {which} axis"
    if (
        shape is not None
        and len(shape) > 3
        and shape[0] == n_rows
        and sum(size > 1 for size in shape[1:]) < 2
    ):
        return "give reduce=lambda y: y.reshape(len(y), -1), which drops the axes of 1"
    if len(parts) > 1 and all(one[:1] == (n_rows,) and len(one) < 3 for one in parts):
        return (
            "give reduce=lambda y: torch.cat([head.reshape(len(head), -1) for head in "
            "y], 1), which makes columns of the heads, and their names in ``tasks=``"
        )
    return _CURE_OF_OUTPUT


def cure_of_track(value: object, n_rows: int) -> str:
    """Return the cure of an output that is not one track: the part of it that looks
    like one, if there is one.

    Examples
    --------
    >>> cure_of_track({"counts": np.zeros((1, 2)), "profile": np.zeros((1, 2, 40))}, 1)
    "give reduce=lambda y: y['profile'], which is (1, 2, 40)"
    """
    named = (
        value.items()
        if isinstance(value, Mapping)
        else enumerate(value if isinstance(value, tuple | list) else ())
    )
    shapes = {key: tuple(getattr(part, "shape", ())) for key, part in named}
    tracks = [
        key for key, shape in shapes.items() if len(shape) == 3 and shape[0] == n_rows
    ]
    if tracks:
        return (
            f"give reduce=lambda y: y[{quoted(tracks[0])}], which is "
            f"{shapes[tracks[0]]}"
        )
    return (
        "give ``reduce=``, a function of what the network returns, that makes one "
        "tensor of it"
    )


def code_of_failure(error: BaseException) -> str:
    """Return the code of a call of PyTorch that failed: ``"memory"`` if a device has
    none left; ``"batch norm"`` if a network normalizes over its batch, and one sequence
    alone has no spread.

    Examples
    --------
    >>> code_of_failure(
    ...     ValueError("Expected more than 1 value per channel when training")
    ... )
    'batch norm'
    """
    causes = causes_of_failure(error)
    return next((code for code in ("memory", "batch norm") if code in causes), "")


_CAUSES = {  # what PyTorch, NumPy and Python say of a call of a network
    "memory": r"out of memory|can't allocate memory",
    "batch norm": "more than 1 value per channel",
    "arguments": r"[\w>]\(\) missing \d+ required (positional|keyword-only)(.*)",
    "no input": r"takes [01] positional arguments? but [12] (was|were|positional)",
    "dtype": "should be the same|same dtype|scalar type",
    "no value": "NoneType|missing value for argument",
    "dict": "invalid data type 'str'",
    "exported size": r"size\(\)\[(\d)\] == (\d+)|shape\[(\d)\] to be equal to (\d+)",
    "method of array": r"'numpy.ndarray' object has no attribute '(\w+)'",
    "indices": "indices",
    "channels": r"to have (\d+) channels, but got 4 channels",
    "array": r"(?s)\A(?=.*numpy\.ndarray).*(conv|linear|invalid combination|Tensor)",
}


def causes_of_failure(error: BaseException) -> dict[str, re.Match[str]]:
    """Return the known causes of a call of a network that failed, each with what its
    message says of it: the one place where messages of PyTorch are read, which has
    types for few of its errors.

    Examples
    --------
    >>> causes = causes_of_failure(
    ...     RuntimeError("expected input to have 6 channels, but got 4 channels")
    ... )
    >>> {cause: found[1] for cause, found in causes.items()}
    {'channels': '6'}
    """
    text = message_line(error)  # the error of a network may have no text
    return {
        cause: found
        for cause, pattern in _CAUSES.items()
        if (found := re.search(pattern, text))
    }


def cure_of_failure(
    error: BaseException, layers: Iterable[object] = (), *, of_function: bool = False
) -> str:
    """Return the cure of a call that failed, of a network with these layers or of a
    function, or "" if it is not known.

    Examples
    --------
    >>> cure_of_failure(
    ...     TypeError("Net.forward() missing 1 required positional argument: 'signal'")
    ... )
    "It takes 'signal' as well: give a module whose forward(x) returns net(x, signal), with a signal of your choice"
    """
    causes, layers = causes_of_failure(error), list(layers)
    if isinstance(error, TypeError) and (lacks := causes.get("arguments")):
        words = re.findall(r"'(\w+)'", lacks[2])[:5] or ["other"]
        given = ", ".join(
            f"``{word}={word}``" if lacks[1] == "keyword-only" else word
            for word in words
        )
        named = " and ".join(f"a {word}" for word in words)
        wrapped = (
            f"lambda x: f(x, {given})"
            if of_function
            else f"a module whose forward(x) returns net(x, {given})"
        )
        return (
            f"It takes {', '.join(map(quoted, words))} as well: give {wrapped}, with "
            f"{named} of your choice"
        )
    if isinstance(error, TypeError) and "no input" in causes:
        if of_function:
            return (
                "It has no input by position: give lambda x: f(name=x), with its name "
                "of the input"
            )
        return (
            "Its forward has no input by position: write forward(self, x), or give a "
            "module whose forward(x) returns net(name=x), with its name of the input"
        )
    others = _other_inputs(layers)
    if others and "no value" in causes:
        listed = ", ".join(map(quoted, others))
        given = ", ".join(f"``{word}={word}``" for word in others)
        return (
            f"It takes {listed} as well: give a module whose forward(x) returns net(x, "
            f"{given}), with values of your choice"
        )
    if "dict" in causes:
        return (
            "It takes a dict: give a module whose forward(x) returns net({'x': x}), "
            "with the key that it reads"
        )
    if at := causes.get("exported size"):
        axis, size = at[1] or at[3], at[2] or at[4]
        if axis == "0":
            return (
                f"It was exported for {size} sequences at a time: export it for any "
                "number, torch.export.export(net, (x,), dynamic_shapes=({0: "
                "torch.export.Dim('n', min=1)},)), with x of two rows"
            )
        return (
            f"It was exported for {size} places of axis {axis} alone: give sequences "
            "of the length for which it was exported, or name that axis in "
            "``dynamic_shapes=`` of torch.export.export"
        )
    method = causes.get("method of array")
    if method is not None and hasattr(str, method[1]):
        return (
            "It takes text: give lambda x: f(cg.sequences.decode(x.argmax(1))), whose "
            "argument is a list of sequences"
        )
    # the first of each kind
    kinds = {type(layer).__name__: layer for layer in reversed([*layers])}
    if "Embedding" in kinds and "indices" in causes:
        return (
            "It takes tokens: give a module whose forward(x) returns "
            "net(ids[x.argmax(1)]), with ids = torch.tensor([...]), the numbers of A, "
            "C, G, T in its vocabulary"
        )
    if "Conv2d" in kinds:
        axis = 2 if getattr(kinds["Conv2d"], "in_channels", 1) == 4 else 1
        shape = "(n, 4, 1, length)" if axis == 2 else "(n, 1, 4, length)"
        return (
            "It is two-dimensional: give a module whose forward(x) returns "
            f"net(x.unsqueeze({axis})), {shape}"
        )
    wanted = causes.get("channels")
    if wanted is not None and int(wanted[1]) > 4:
        more = int(wanted[1]) - 4
        return (
            f"It takes {more} more channel{'s' * (more > 1)}: give a module whose "
            "forward(x) returns net(torch.cat([x, extra], 1)), such as extra = "
            f"torch.zeros_like(x[:, :{more}])"
        )
    torch = sys.modules.get("torch")
    if "array" in causes or (
        method is not None and torch and hasattr(torch.Tensor, method[1])
    ):
        return (
            "It takes a tensor, and got a numpy array: give the network itself to "
            "``cg.TorchPredictor(net)``, or give lambda x: f(torch.as_tensor(x))"
        )
    return ""


def _other_inputs(layers: Iterable[object]) -> list[str]:
    """Return the names of a network's inputs beside the first; the network is the first
    of its layers.
    """
    forward = getattr(next(iter(layers), None), "forward", None)
    try:
        schema = getattr(forward, "schema", None)  # of TorchScript
        if schema is not None:
            return [one.name for one in schema.arguments[2:]]
        parameters = inspect.signature(forward).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return []
    return [
        one.name
        for one in list(parameters)[1:]
        if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    ]


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
            one = f"reduce=lambda y: y[{':, ' * axis}0]"
            raise PredictorError(
                f"``reduce=`` gives {first.flat[0]:.4g} for every sequence: the output "
                f"{values.shape} is a softmax over axis {axis}, which adds up to 1; "
                f"take some of it, such as {one}, or return the logits"
            )


def _as_float64(value: Any) -> NDArray[np.float64]:
    """Return an array or a tensor, of any device, as numpy numbers."""
    return np.asarray(value.cpu() if hasattr(value, "cpu") else value, dtype=np.float64)
