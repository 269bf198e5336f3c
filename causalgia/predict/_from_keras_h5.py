"""Keras networks in HDF5 files and .keras archives as PyTorch networks, without TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from causalgia.errors import PredictorError, quoted
from causalgia.predict.keras_h5 import KerasGraph, KerasLayer, read_keras_h5
from causalgia.predict.torch_predictor import TorchPredictor
from causalgia.predict.track import Reduce, Track

Tensor = torch.Tensor
Layer = Callable[[list[Tensor]], Tensor]
_SAME = {"Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization"}
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "relu": functional.relu,
    "relu6": functional.relu6,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "exponential": torch.exp,
    "softplus": functional.softplus,
    "softsign": functional.softsign,
    "elu": functional.elu,
    "selu": functional.selu,
    "swish": functional.silu,
    "silu": functional.silu,
    "gelu": functional.gelu,
    "softmax": lambda x: functional.softmax(x, dim=1),
}
_MERGES: dict[str, Callable[[list[Tensor]], Tensor]] = {
    "Add": lambda xs: torch.stack(xs).sum(0) if len(xs) > 2 else xs[0] + xs[-1],
    "Multiply": lambda xs: torch.stack(xs).prod(0),
    "Average": lambda xs: torch.stack(xs).mean(0),
    "Maximum": lambda xs: torch.stack(xs).amax(0),
    "Minimum": lambda xs: torch.stack(xs).amin(0),
    "Subtract": lambda xs: xs[0] - xs[1],
}
_INNER = "is a network inside the network with several inputs or outputs, or a layer used twice: save one flat network"


def from_keras_h5(
    path: str | os.PathLike[str],
    *,
    config: str | os.PathLike[str] | None = None,
    tasks: Sequence[str] | None = None,
    scale: str = "outcome",
    alphabet: str = "ACGT",
    device: str | torch.device = "auto",
    batch_size: int | Literal["auto"] = "auto",
    reduce: Reduce = None,
    rc_average: bool = False,
    track: Track | None = None,
) -> TorchPredictor:
    """Read a Keras network from an HDF5 file or a .keras archive as a PyTorch one, without TensorFlow.

    For networks saved by ``model.save("net.h5")`` (Keras 2 or 3), by ``model.save("net.keras")`` (Keras 3), or as
    weights (``model.save_weights``) with the JSON of ``model.to_json()``.
    Weights are read as arrays, and the graph as JSON. No code in a file is run: a `Lambda` and every other layer whose
    meaning is not in the file is refused by name.

    Layers: Conv1D, Dense, LSTM and GRU (of the usual activations) and their Bidirectional, BatchNormalization,
    LayerNormalization, Max-, Average-, GlobalMax- and GlobalAveragePooling1D, Flatten, Reshape, Permute, ZeroPadding1D,
    Cropping1D, UpSampling1D, Activation, ReLU, LeakyReLU, ELU, Softmax, Dropout (and other noise, which is off), Add,
    Subtract, Multiply, Average, Maximum, Minimum, Concatenate, and networks of these as layers; sequential or
    functional, of one input (n, length, 4). Answers equal those of Keras to the rounding of float32.

    Parameters
    ----------
    path
        The HDF5 file, or the .keras archive.
    config
        Its graph, if the file has weights alone: the JSON text of ``model.to_json()``, or the path of that.
    tasks
        A name for each output. By default those of several output layers, else as for `TorchPredictor`.
    scale, alphabet, device, batch_size, reduce, rc_average, track
        As for `TorchPredictor`. Keras has positions before tasks: ``track=cg.Track(axis=1)``. The predictor's layout is
        (n, 4, length), as in PyTorch.

    Returns
    -------
    TorchPredictor
        Its ``module`` is the network, (n, 4, length) to what the output layer answers; several output layers of one
        number each are joined to columns, other ones are a tuple for ``reduce=``.

    Raises
    ------
    PredictorError
        If the file cannot be read safely (neither HDF5 nor a .keras archive, links to other files, arrays larger than
        any compression explains), has no graph or another than `config` says, several inputs, a layer that is not
        listed, or a layer's weights are missing or have another shape.

    Examples
    --------
    >>> import h5py, json, tempfile
    >>> layers = [
    ...     {"class_name": "Conv1D", "config": {"name": "scan", "filters": 1, "kernel_size": [2]}},
    ...     {"class_name": "GlobalMaxPooling1D", "config": {"name": "best"}},
    ... ]
    >>> place = tempfile.mkdtemp() + "/net.h5"
    >>> with h5py.File(place, "w") as file:
    ...     file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})
    ...     file["model_weights/scan/scan/kernel:0"] = np.eye(4, dtype="f4")[[2, 0]][:, :, None]  # G, then A
    ...     file["model_weights/scan/scan/bias:0"] = np.zeros(1, "f4")
    >>> from_keras_h5(place, tasks=["GA"]).predict(np.array([[0, 2, 0, 3], [2, 2, 3, 0]], np.uint8))
    array([[2.],
           [1.]], dtype=float32)
    """
    graph, weights = read_keras_h5(path, config)
    module = KerasNetwork(graph, weights, Path(path))
    names = [name for name, _, _ in graph.outputs]
    several = len(names) > 1 and module.one_number_each
    return TorchPredictor(
        module,
        tasks=names if tasks is None and several else tasks,
        scale=scale,
        alphabet=alphabet,
        device=device,
        batch_size=batch_size,
        reduce=reduce,
        rc_average=rc_average,
        track=track,
    )


class _UnreadSettingError(Exception):
    """A setting of a layer whose meaning is known to Keras alone."""


class KerasNetwork(torch.nn.Module):
    """A graph of Keras layers; tensors of positions are held as (n, channels, positions)."""

    def __init__(self, graph: KerasGraph, weights: dict[str, dict[str, NDArray[Any]]], source: Path) -> None:
        super().__init__()
        if len(graph.inputs) != 1:
            raise PredictorError(
                f"{source}: has {len(graph.inputs)} inputs, {', '.join(map(quoted, graph.inputs[:4]))}; a network of "
                "one sequence is read: fix the others in Keras, or wrap its predict in cg.FunctionPredictor"
            )
        self._source, self._graph = source, graph
        self._check_kinds()
        self._order = self._in_order()
        names = list(dict.fromkeys(name for name, _ in self._order))
        self._places = {name: place for place, name in enumerate(names)}
        self.steps = torch.nn.ModuleList(self._step(graph.layers[name], weights.get(name, {})) for name in names)
        self.one_number_each = all(graph.layers[name].config.get("units") == 1 for name, _, _ in graph.outputs)

    def _check_kinds(self) -> None:
        known = {*_SAME, *_MERGES, *_PLAIN, *_WEIGHTED, "InputLayer", "Concatenate"}
        odd = [layer for layer in self._graph.layers.values() if layer.kind not in known]
        if not odd:
            return
        layer = odd[0]
        why = {
            "Lambda": "holds code, which is never opened: replace it in Keras by layers that do the same",
            **dict.fromkeys(("Model", "Functional", "Sequential"), _INNER),
        }.get(layer.kind, "is not among the layers that can be read: rebuild it in PyTorch and load its arrays")
        raise PredictorError(
            f"{self._source}: layer {quoted(layer.name)} ({quoted(layer.kind)}) {why}, or wrap Keras' own predict in "
            "cg.FunctionPredictor"
        )

    def _in_order(self) -> list[tuple[str, int]]:
        """Return the calls (layer, number) that the outputs need, inputs before what uses them."""
        order: list[tuple[str, int]] = []
        done: set[tuple[str, int]] = set()
        left = [((name, call), False) for name, call, _ in reversed(self._graph.outputs)]
        open_: set[tuple[str, int]] = set()
        while left:
            (name, call), ready = left.pop()
            if ready:
                open_.discard((name, call))
                if (name, call) not in done:
                    done.add((name, call))
                    order.append((name, call))
                continue
            if (name, call) in done:
                continue
            layer = self._graph.layers.get(name)
            calls = () if layer is None else layer.calls
            if layer is None or (name, call) in open_ or (layer.kind != "InputLayer" and call >= len(calls)):
                raise PredictorError(f"{self._source}: the graph around layer {quoted(name)} is damaged; save it again")
            open_.add((name, call))
            left.append(((name, call), True))
            if layer.kind != "InputLayer":
                left += [((source, number), False) for source, number, _ in reversed(calls[call])]
        return order

    def _step(self, layer: KerasLayer, arrays: dict[str, NDArray[Any]]) -> KerasStep:
        try:
            return KerasStep(layer, arrays)
        except _UnreadSettingError as error:
            raise PredictorError(
                f"{self._source}: layer {quoted(layer.name)} ({layer.kind}) cannot be read: {error}; rebuild it in "
                "PyTorch and load its arrays, or wrap Keras' own predict in cg.FunctionPredictor"
            ) from error
        except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
            raise PredictorError(
                f"{self._source}: layer {quoted(layer.name)} ({layer.kind}) cannot be read "
                f"({type(error).__name__}: {str(error)[:200]}); is this the graph of these weights?"
            ) from error

    def forward(self, x: Tensor) -> Any:
        """Return the output for one-hot (n, 4, length); a tuple of several layers unless each is one number."""
        found: dict[tuple[str, int], Tensor] = {}
        for name, call in self._order:
            calls = self._graph.layers[name].calls
            inputs = [found[source, number] for source, number, _ in calls[call]] if calls else [x]
            found[name, call] = self.steps[self._places[name]](inputs)
        ends = [_as_keras(found[name, call]) for name, call, _ in self._graph.outputs]
        if len(ends) == 1:
            return ends[0]
        return torch.cat(ends, dim=1) if self.one_number_each else tuple(ends)


def _as_keras(x: Tensor) -> Tensor:
    """Return a tensor with positions before channels, as Keras has them."""
    return x.transpose(1, 2) if x.ndim == 3 else x


class KerasStep(torch.nn.Module):
    """A layer with its weights as buffers; their names and shapes are checked when it is made."""

    def __init__(self, layer: KerasLayer, arrays: dict[str, NDArray[Any]]) -> None:
        super().__init__()
        self.kind, self.config = layer.kind, layer.config
        self._arrays: dict[str, NDArray[Any]] | None = arrays
        self._layer()
        self._arrays = None

    def forward(self, xs: list[Tensor]) -> Tensor:
        """Return the layer's output for the tensors of its inputs."""
        return self._layer()(xs)

    def weight(self, name: str, *shape: int | None) -> Tensor:
        """Return a weight of this shape (None: any)."""
        if self._arrays is not None:
            array = self._arrays.get(name)
            if array is None:
                raise ValueError(f"no weight {quoted(name)} among {sorted(self._arrays)[:6]}")
            pairs = zip(array.shape, shape, strict=False)
            if array.ndim != len(shape) or any(size is not None and n != size for n, size in pairs):
                raise ValueError(f"{name} has shape {array.shape}, not {shape}")
            self.register_buffer(name, torch.from_numpy(np.array(array, dtype=np.float32)))
        return self.get_buffer(name)

    def _layer(self) -> Layer:
        if self.kind == "InputLayer" or self.kind in _SAME:
            return lambda xs: xs[0]
        if self.kind in _MERGES:
            return _MERGES[self.kind]
        if self.kind == "Concatenate":
            axis = self.config.get("axis", -1)
            return lambda xs: torch.cat(xs, dim=1 if axis in (-1, xs[0].ndim - 1) else 2)
        if self.kind in _PLAIN:
            plain = _PLAIN[self.kind](self.config)
            return lambda xs: plain(xs[0])
        made = _WEIGHTED[self.kind](self.config, self)
        activation = _activation(None if self.kind in _OWN_ACTIVATION else self.config.get("activation"))
        return lambda xs: activation(made(xs[0]))


def _activation(name: Any) -> Callable[[Tensor], Tensor]:
    given = name.get("config", name) if isinstance(name, dict) else name
    given = given.get("name", given) if isinstance(given, dict) else given
    if given is None:
        return _ACTIVATIONS["linear"]
    if not isinstance(given, str) or given not in _ACTIVATIONS:
        raise _UnreadSettingError(f"activation {quoted(given)} is none of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[given]


def _width(value: Any) -> int:
    return int(value[0] if isinstance(value, list | tuple) else value)


def _pads(length: int, width: int, stride: int, padding: str) -> tuple[int, int]:
    """Return the positions that TensorFlow adds on both sides."""
    if padding == "causal":
        return width - 1, 0
    if padding == "same":
        total = max((-(-length // stride) - 1) * stride + width - length, 0)
        return total // 2, total - total // 2
    if padding != "valid":
        raise _UnreadSettingError(f"padding {quoted(padding)} is none of valid, same, causal")
    return 0, 0


def _check_channels_last(config: dict[str, Any]) -> None:
    if config.get("data_format", "channels_last") not in ("channels_last", None):
        raise _UnreadSettingError("data_format is channels_first; save the network as channels_last")


def _conv(config: dict[str, Any], step: KerasStep) -> Callable[[Tensor], Tensor]:
    _check_channels_last(config)
    width, stride, gap = (_width(config.get(k, 1)) for k in ("kernel_size", "strides", "dilation_rate"))
    padding, groups, filters = config.get("padding", "valid"), int(config.get("groups", 1)), int(config["filters"])
    kernel = step.weight("kernel", width, None, filters)
    bias = step.weight("bias", filters) if config.get("use_bias", True) else None
    _pads(1, 1, 1, padding)

    def layer(x: Tensor) -> Tensor:
        x = functional.pad(x, _pads(x.shape[2], (width - 1) * gap + 1, stride, padding))
        turned = kernel.permute(2, 1, 0).contiguous()
        return functional.conv1d(x, turned, bias, stride, 0, gap, groups)

    return layer


def _dense(config: dict[str, Any], step: KerasStep) -> Callable[[Tensor], Tensor]:
    units = int(config["units"])
    kernel = step.weight("kernel", None, units)
    bias = step.weight("bias", units) if config.get("use_bias", True) else None

    def layer(x: Tensor) -> Tensor:
        made = functional.linear(_as_keras(x), kernel.T, bias)
        return _as_keras(made)

    return layer


def _recurrent(config: dict[str, Any], step: KerasStep, kind: str, side: str = "") -> Callable[[Tensor], Tensor]:
    """Return an LSTM or GRU; its gates are put into the order of torch."""
    if kind not in ("LSTM", "GRU"):
        raise ValueError(f"{kind} is neither an LSTM nor a GRU")
    if config.get("activation", "tanh") != "tanh" or config.get("recurrent_activation", "sigmoid") != "sigmoid":
        raise ValueError("activations other than tanh and sigmoid are not read")
    if kind == "GRU" and not config.get("reset_after", True):
        raise ValueError("a GRU with reset_after=False is not read")
    if config.get("return_state"):
        raise ValueError("return_state=True is not read")
    units, biased = int(config["units"]), bool(config.get("use_bias", True))
    gates = {"LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2)}[kind]  # input, forget, cell, output; Keras' update, reset, new
    width = len(gates) * units
    kernel, recurrent = step.weight(f"{side}kernel", None, width), step.weight(f"{side}recurrent_kernel", units, width)
    bias = None
    if biased:
        bias = step.weight(f"{side}bias", width) if kind == "LSTM" else step.weight(f"{side}bias", 2, width)
    backwards, sequences = bool(config.get("go_backwards")), bool(config.get("return_sequences"))

    def in_order(rows: Tensor) -> Tensor:
        return torch.cat([rows[gate * units : (gate + 1) * units] for gate in gates])

    def layer(x: Tensor) -> Tensor:
        steps = x.flip(2).transpose(1, 2) if backwards else x.transpose(1, 2)
        none = kernel.new_zeros(width)
        biases = [none, none] if bias is None else [bias, none] if kind == "LSTM" else [bias[0], bias[1]]
        weights = [in_order(rows) for rows in (kernel.T, recurrent.T, *biases)]
        start = x.new_zeros(1, len(x), units)
        options = (weights, True, 1, 0.0, False, False, True)
        made = torch.lstm(steps, (start, start), *options) if kind == "LSTM" else torch.gru(steps, start, *options)
        return made[0].transpose(1, 2) if sequences else made[0][:, -1]

    return layer


_SIDES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "concat": lambda one, other: torch.cat([one, other], dim=1),
    "sum": torch.add,
    "mul": torch.mul,
    "ave": lambda one, other: (one + other) / 2,
}


def _bidirectional(config: dict[str, Any], step: KerasStep) -> Callable[[Tensor], Tensor]:
    given, mode = config["layer"], config.get("merge_mode", "concat")
    if mode not in _SIDES:
        raise ValueError(f"merge_mode {quoted(mode)} is none of {', '.join(_SIDES)}")
    own = given["config"]
    sequences = bool(own.get("return_sequences"))
    other = config.get("backward_layer") or {**given, "config": own | {"go_backwards": not own.get("go_backwards")}}
    forward = _recurrent(own, step, given["class_name"], "forward_")
    backward = _recurrent(other["config"], step, other["class_name"], "backward_")

    def layer(x: Tensor) -> Tensor:
        last = backward(x)
        return _SIDES[mode](forward(x), last.flip(2) if sequences else last)

    return layer


def _channel_norm(config: dict[str, Any], step: KerasStep) -> Callable[[Tensor], Tensor]:
    axis = config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) else axis
    mean, variance = step.weight("moving_mean", None), step.weight("moving_variance", None)
    gamma = step.weight("gamma", None) if config.get("scale", True) else None
    beta = step.weight("beta", None) if config.get("center", True) else None
    eps = float(config.get("epsilon", 1e-3))

    def layer(x: Tensor) -> Tensor:
        if axis not in (-1, x.ndim - 1):
            raise PredictorError(f"batch normalization over axis {axis} is not read; rebuild it over the channels")
        return functional.batch_norm(x, mean, variance, gamma, beta, False, 0.0, eps)

    return layer


def _layer_norm(config: dict[str, Any], step: KerasStep) -> Callable[[Tensor], Tensor]:
    axis = config.get("axis", -1)
    if axis not in (-1, [-1], 2, [2]):
        raise _UnreadSettingError(f"axis {axis} is not the channels")
    gamma = step.weight("gamma", None) if config.get("scale", True) else None
    beta = step.weight("beta", None) if config.get("center", True) else None
    eps = float(config.get("epsilon", 1e-3))

    def layer(x: Tensor) -> Tensor:
        last = _as_keras(x)
        return _as_keras(functional.layer_norm(last, last.shape[-1:], gamma, beta, eps))

    return layer


def _pool(config: dict[str, Any], *, largest: bool) -> Callable[[Tensor], Tensor]:
    _check_channels_last(config)
    width, padding = _width(config.get("pool_size", 2)), config.get("padding", "valid")
    stride = width if config.get("strides") is None else _width(config["strides"])

    def layer(x: Tensor) -> Tensor:
        pads = _pads(x.shape[2], width, stride, padding)
        if largest:
            return functional.max_pool1d(functional.pad(x, pads, value=-torch.inf), width, stride)
        made = functional.avg_pool1d(functional.pad(x, pads), width, stride)
        if any(pads):  # positions that were added do not count
            ones = functional.pad(torch.ones_like(x[:1, :1]), pads)
            made = made / functional.avg_pool1d(ones, width, stride)
        return made

    return layer


def _reshape(config: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    shape = [int(n) for n in config["target_shape"]]
    if len(shape) > 2:
        raise ValueError(f"target_shape {shape} has more than positions and channels")
    return lambda x: _as_keras(_as_keras(x).reshape(len(x), *shape))


def _permute(config: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    dims = [int(n) for n in config["dims"]]
    if sorted(dims) != [1, 2]:
        raise ValueError(f"dims {dims} are not positions and channels")
    return (lambda x: x.transpose(1, 2)) if dims == [2, 1] else (lambda x: x)


def _crop(config: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    left, right = (int(n) for n in config["cropping"])
    return lambda x: x[:, :, left : x.shape[2] - right]


def _softmax(config: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    axis = config.get("axis", -1)
    return lambda x: functional.softmax(x, dim=1 if axis in (-1, x.ndim - 1) else 2)


def _relu(config: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    slope, most, least = config.get("negative_slope"), config.get("max_value"), config.get("threshold")
    if slope or least:
        raise _UnreadSettingError("a ReLU with a slope or a threshold is not read; use LeakyReLU")
    return functional.relu if most is None else (lambda x: x.clamp(0, float(most)))


def _leaky(config: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    slope = float(config.get("alpha", config.get("negative_slope", 0.3)))
    return lambda x: functional.leaky_relu(x, slope)


_PLAIN: dict[str, Callable[[dict[str, Any]], Callable[[Tensor], Tensor]]] = {
    "MaxPooling1D": lambda config: _pool(config, largest=True),
    "AveragePooling1D": lambda config: _pool(config, largest=False),
    "GlobalMaxPooling1D": lambda config: lambda x: x.amax(2, keepdim=bool(config.get("keepdims"))),
    "GlobalAveragePooling1D": lambda config: lambda x: x.mean(2, keepdim=bool(config.get("keepdims"))),
    "Flatten": lambda _config: lambda x: _as_keras(x).flatten(1),
    "Reshape": _reshape,
    "Permute": _permute,
    "ZeroPadding1D": lambda config: lambda x: functional.pad(x, tuple(config["padding"])),
    "Cropping1D": _crop,
    "UpSampling1D": lambda config: lambda x: x.repeat_interleave(_width(config.get("size", 2)), dim=2),
    "Activation": lambda config: _activation(config["activation"]),
    "ReLU": _relu,
    "LeakyReLU": _leaky,
    "ELU": lambda config: lambda x: functional.elu(x, float(config.get("alpha", 1.0))),
    "Softmax": _softmax,
}
_WEIGHTED: dict[str, Callable[[dict[str, Any], KerasStep], Callable[[Tensor], Tensor]]] = {
    "Conv1D": _conv,
    "Dense": _dense,
    "BatchNormalization": _channel_norm,
    "LayerNormalization": _layer_norm,
    "LSTM": lambda config, step: _recurrent(config, step, "LSTM"),
    "GRU": lambda config, step: _recurrent(config, step, "GRU"),
    "Bidirectional": _bidirectional,
}
_OWN_ACTIVATION = {"LSTM", "GRU", "Bidirectional"}
