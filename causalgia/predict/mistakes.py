"""Natural mistakes with a network, recognized from what it is or answers, each with its cure in one sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import PredictorError, quoted

_MOST_VALUES = 10_000_000
_LOAD = "net.load_state_dict(torch.load(path, weights_only=True))"
_GENERAL = (
    "give reduce=, a function of what the network returns, for example reduce=lambda y: y[1] for the second of a "
    "tuple, reduce=lambda y: y.sum(-1) for total counts of a profile, or track=cg.Track(axis=-1) to keep its positions"
)


def what_instead_of_network(value: object) -> str:
    """Return what was given instead of a PyTorch network, and the cure.

    Examples
    --------
    >>> what_instead_of_network({"epoch": 3, "state_dict": {"conv.weight": np.zeros((2, 4, 5))}})
    "a checkpoint; build the network, then net.load_state_dict(checkpoint['state_dict'])"
    """
    if isinstance(value, Mapping):
        inner = next((key for key in ("state_dict", "model_state_dict", "model") if key in value), None)
        if inner is not None and isinstance(value[inner], Mapping):
            return f"a checkpoint; build the network, then net.load_state_dict(checkpoint[{quoted(inner)}])"
        if value and all(hasattr(one, "shape") for one in value.values()):
            some = f"{len(value):,} arrays, {quoted(next(iter(value)))} first"
            return f"its weights ({some}); build the network, then net.load_state_dict(weights)"
    if isinstance(value, str | PathLike):
        return f"the path {quoted(str(value))}; build the network, then load its weights: {_LOAD}"
    if isinstance(value, type):
        return f"the class {value.__name__}; make one: {value.__name__}(...), then load its weights"
    cure = "FunctionPredictor takes any callable"
    if isinstance(value, list | tuple):
        cure = "several networks are an ensemble: cg.Ensemble([cg.TorchPredictor(net), ...])"
    return f"{' '.join(quoted(value).split())}; {cure}"


def cure_of_shape(shape: tuple[int, ...] | None, parts: list[tuple[int, ...]], n_rows: int) -> str:
    """Return the cure of an output that is no (n,) or (n, tasks): of a tensor, or of several of the shapes `parts`.

    Examples
    --------
    >>> cure_of_shape((), [], 1)
    'squeeze() drops the axis of the sequences where one is asked; write squeeze(-1), for the last axis alone'
    >>> cure_of_shape((1, 12, 1), [], 1)
    'give reduce=lambda y: y.squeeze(-1), which drops the last axis'
    """
    if shape is not None and len(shape) == 2 and shape[0] != n_rows and shape[1] == n_rows:
        return "sequences are the first axis, tasks the second; return np.stack(heads, axis=1), or the transpose"
    if shape is not None and n_rows == 1 and shape[:1] != (1,):
        return (
            "squeeze() drops the axis of the sequences where one is asked; write squeeze(-1), for the last axis alone"
        )
    if shape is not None and len(shape) == 3 and 1 in shape[1:]:
        axis, which = (-1, "last") if shape[2] == 1 else (1, "middle")
        return f"give reduce=lambda y: y.squeeze({axis}), which drops the {which} axis"
    if shape is not None and len(shape) > 3 and shape[0] == n_rows and sum(size > 1 for size in shape[1:]) < 2:
        return "give reduce=lambda y: y.reshape(len(y), -1), which drops the axes of 1"
    if len(parts) > 1 and all(one[:1] == (n_rows,) and len(one) < 3 for one in parts):
        return (
            "give reduce=lambda y: torch.cat([head.reshape(len(head), -1) for head in y], 1), which makes columns of "
            "the heads, and their names in tasks="
        )
    return _GENERAL


def cure_of_track(value: object, n_rows: int) -> str:
    """Return the cure of an output that is not one track: the part of it that looks like one, if there is one.

    Examples
    --------
    >>> cure_of_track({"counts": np.zeros((1, 2)), "profile": np.zeros((1, 2, 40))}, 1)
    "give reduce=lambda y: y['profile'], which is (1, 2, 40)"
    """
    named = value.items() if isinstance(value, Mapping) else enumerate(value if isinstance(value, tuple | list) else ())
    shapes = {key: tuple(getattr(part, "shape", ())) for key, part in named}
    tracks = [key for key, shape in shapes.items() if len(shape) == 3 and shape[0] == n_rows]
    if tracks:
        return f"give reduce=lambda y: y[{quoted(tracks[0])}], which is {shapes[tracks[0]]}"
    return "give reduce=, a function of what the network returns, that makes one tensor of it"


def cure_of_failure(error: BaseException, layers: Iterable[object] = ()) -> str:
    """Return the cure of a call that failed, of a network with these layers, or "" if it is not known.

    Examples
    --------
    >>> cure_of_failure(TypeError("Net.forward() missing 1 required positional argument: 'signal'"))
    "It takes 'signal' as well: give a module whose forward(x) returns net(x, signal), with a signal of your choice"
    """
    text = str(error)
    if isinstance(error, TypeError) and "forward() missing" in text:
        words = re.findall(r"'(\w+)'", text.rpartition(": ")[2])[:5] or ["other"]
        given = ", ".join(f"{word}={word}" if "keyword-only" in text else word for word in words)
        named = " and ".join(f"a {word}" for word in words)
        return (
            f"It takes {', '.join(map(quoted, words))} as well: give a module whose forward(x) returns "
            f"net(x, {given}), with {named} of your choice"
        )
    if "invalid data type 'str'" in text:
        return "It takes a dict: give a module whose forward(x) returns net({'x': x}), with the key that it reads"
    lacks = re.search(r"'numpy.ndarray' object has no attribute '(\w+)'", text)
    if lacks is not None and hasattr(str, lacks[1]):
        return (
            "It takes text: give lambda x: f(cg.sequences.decode(x.argmax(1))), whose argument is a list of sequences"
        )
    kinds = {type(layer).__name__: layer for layer in reversed([*layers])}  # the first of each kind
    if "Embedding" in kinds and "indices" in text:
        return (
            "It takes tokens: give a module whose forward(x) returns net(ids[x.argmax(1)]), with ids = "
            "torch.tensor([...]), the numbers of A, C, G, T in its vocabulary"
        )
    if "Conv2d" in kinds:
        axis = 2 if getattr(kinds["Conv2d"], "in_channels", 1) == 4 else 1
        shape = "(n, 4, 1, length)" if axis == 2 else "(n, 1, 4, length)"
        return f"It is two-dimensional: give a module whose forward(x) returns net(x.unsqueeze({axis})), {shape}"
    wanted = re.search(r"to have (\d+) channels, but got 4 channels", text)
    if wanted is not None and int(wanted[1]) > 4:
        more = int(wanted[1]) - 4
        return (
            f"It takes {more} more channel{'s' * (more > 1)}: give a module whose forward(x) returns net(torch.cat([x, "
            f"extra], 1)), such as extra = torch.zeros_like(x[:, :{more}])"
        )
    if "numpy.ndarray" in text and any(word in text for word in ("conv", "linear", "invalid combination", "Tensor")):
        return "It is a PyTorch network, and got a numpy array: use cg.TorchPredictor(net)"
    return ""


def check_not_constant(reduce: Callable[[Any], Any], output: object, like: Callable[[NDArray[Any]], object]) -> None:
    """Raise PredictorError if probabilities that add up to 1 are reduced to a number that no sequence can change.

    The reduction is tried on other probabilities of that shape; `like` makes of an array what the network returns.

    Examples
    --------
    >>> check_not_constant(lambda y: y.sum(1), np.array([[0.1, 0.6, 0.3]]), lambda other: other)
    Traceback (most recent call last):
    causalgia.errors.PredictorError: reduce= gives 1 for every sequence: the output (1, 3) is a softmax over axis 1, ...
    """
    try:
        values = _as_float64(output)
    except (TypeError, ValueError, RuntimeError):
        return
    if values.ndim < 2 or not 1 < values.size <= _MOST_VALUES or not (np.isfinite(values).all() and values.min() >= 0):
        return
    for axis in range(1, values.ndim):
        if values.shape[axis] < 2 or not np.allclose(values.sum(axis), 1, atol=1e-3):
            continue
        other = np.exp(np.sin(1.7 * np.arange(values.size)).reshape(values.shape))
        other /= other.sum(axis, keepdims=True)
        try:
            first, second = (_as_float64(reduce(like(one))) for one in (values, other))
        except Exception:  # the reduction fails on the network's own output, too, and is refused there
            return
        if first.size and first.shape == second.shape and np.allclose(first, second, rtol=1e-4, atol=1e-7):
            one = f"reduce=lambda y: y[{':, ' * axis}0]"
            raise PredictorError(
                f"reduce= gives {first.flat[0]:.4g} for every sequence: the output {values.shape} is a softmax over "
                f"axis {axis}, which adds up to 1; take some of it, such as {one}, or return the logits"
            )


def _as_float64(value: Any) -> NDArray[np.float64]:
    """Return an array or a tensor, of any device, as numpy numbers."""
    return np.asarray(value.cpu() if hasattr(value, "cpu") else value, dtype=np.float64)
