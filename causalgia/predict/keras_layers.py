"""Layers of Keras as functions of PyTorch tensors, and the graph of layers that a Keras
network is.

Keras has channels last: (n, positions, channels), or (n, rows, columns, channels) for
images. Tensors here have them second, as PyTorch: (n, channels, positions), (n,
channels, rows, columns).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from causalgia.errors import PredictorError, quoted
from causalgia.inputs import parse_json

Tensor = torch.Tensor
Layer = Callable[[list[Tensor]], Tensor]
Weight = Callable[..., Tensor]
SAME = {
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "ActivityRegularization",
}
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
MERGES: dict[str, Callable[[list[Tensor]], Tensor]] = {
    "Add": lambda xs: torch.stack(xs).sum(0) if len(xs) > 2 else xs[0] + xs[-1],
    "Multiply": lambda xs: torch.stack(xs).prod(0),
    "Average": lambda xs: torch.stack(xs).mean(0),
    "Maximum": lambda xs: torch.stack(xs).amax(0),
    "Minimum": lambda xs: torch.stack(xs).amin(0),
    "Subtract": lambda xs: xs[0] - xs[1],
}


class UnreadSettingError(Exception):
    """A setting of a layer whose meaning is known to Keras alone."""


def as_keras(x: Tensor) -> Tensor:
    """Return a tensor with channels last, as Keras has them."""
    return x.movedim(1, -1) if x.ndim > 2 else x


def as_torch(x: Tensor) -> Tensor:
    """Return a tensor of Keras' order with channels second, as PyTorch has them."""
    return x.movedim(-1, 1) if x.ndim > 2 else x


def axis_of(config: dict[str, Any]) -> Callable[[Tensor], int]:
    """Return what finds the axis of a tensor here that is the layer's ``axis`` in Keras
    (by default its channels).
    """
    given = config.get("axis", -1)
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if not isinstance(given, int):
        raise UnreadSettingError(f"axis {quoted(given)} is not one axis")

    def axis(x: Tensor) -> int:
        place = given + x.ndim if given < 0 else given
        if not 0 < place < x.ndim:
            raise PredictorError(
                f"axis {given} of {quoted(config.get('name'))} is not an axis of a "
                f"tensor with {x.ndim}"
            )
        return 1 if place == x.ndim - 1 else place + 1

    return axis


def activation_of(name: Any) -> Callable[[Tensor], Tensor]:
    """Return the activation of this name, which Keras 3 may wrap in settings; none is
    the identity.
    """
    given = name.get("config", name) if isinstance(name, dict) else name
    given = given.get("name", given) if isinstance(given, dict) else given
    if given is None:
        return _ACTIVATIONS["linear"]
    if not isinstance(given, str) or given not in _ACTIVATIONS:
        raise UnreadSettingError(
            f"activation {quoted(given)} is not one of {', '.join(_ACTIVATIONS)}"
        )
    return _ACTIVATIONS[given]


def _size_by_axis(value: Any, n_axes: int) -> tuple[int, ...]:
    """Return a size for each axis of positions; one number stands for all."""
    sizes = (
        tuple(int(size) for size in value)
        if isinstance(value, list | tuple)
        else (int(value),) * n_axes
    )
    if len(sizes) != n_axes:
        raise ValueError(f"{list(sizes)} has not {n_axes} numbers")
    return sizes


def _pads(
    lengths: Sequence[int], widths: Sequence[int], strides: Sequence[int], padding: str
) -> tuple[int, ...]:
    """Return the positions that TensorFlow adds before and after, of the last axis
    first, as PyTorch takes them.
    """
    axes = zip(lengths, widths, strides, strict=True)
    return tuple(
        n
        for axis in reversed([_two_pads(*axis, padding) for axis in axes])
        for n in axis
    )


def _two_pads(length: int, width: int, stride: int, padding: str) -> tuple[int, int]:
    if padding == "causal":
        return width - 1, 0
    if padding == "same":
        total = max((-(-length // stride) - 1) * stride + width - length, 0)
        return total // 2, total - total // 2
    if padding != "valid":
        raise UnreadSettingError(
            f"padding {quoted(padding)} is not one of valid, same, causal"
        )
    return 0, 0


def _check_channels_last(config: dict[str, Any]) -> None:
    if config.get("data_format", "channels_last") not in ("channels_last", None):
        raise UnreadSettingError("data_format is channels_first")


def _conv(
    config: dict[str, Any], weight: Weight, n_axes: int
) -> Callable[[Tensor], Tensor]:
    _check_channels_last(config)
    widths, strides, gaps = (
        _size_by_axis(config.get(k, 1), n_axes)
        for k in ("kernel_size", "strides", "dilation_rate")
    )
    padding, groups, filters = (
        config.get("padding", "valid"),
        int(config.get("groups", 1)),
        int(config["filters"]),
    )
    kernel = weight("kernel", *widths, None, filters)
    bias = weight("bias", filters) if config.get("use_bias", True) else None
    _two_pads(1, 1, 1, padding)
    convolve = functional.conv1d if n_axes == 1 else functional.conv2d
    reaches = [(width - 1) * gap + 1 for width, gap in zip(widths, gaps, strict=True)]

    def layer(x: Tensor) -> Tensor:
        x = functional.pad(x, _pads(x.shape[2:], reaches, strides, padding))
        turned = kernel.permute(-1, -2, *range(n_axes)).contiguous()
        return convolve(x, turned, bias, strides, 0, gaps, groups)

    return layer


def _dense(config: dict[str, Any], weight: Weight) -> Callable[[Tensor], Tensor]:
    units = int(config["units"])
    kernel = weight("kernel", None, units)
    bias = weight("bias", units) if config.get("use_bias", True) else None
    return lambda x: as_torch(functional.linear(as_keras(x), kernel.T, bias))


def _recurrent(
    config: dict[str, Any], weight: Weight, kind: str, side: str = ""
) -> Callable[[Tensor], Tensor]:
    """Return an LSTM or GRU; its gates are put into the order of torch."""
    if kind not in ("LSTM", "GRU"):
        raise ValueError(f"{kind} is neither an LSTM nor a GRU")
    if (
        config.get("activation", "tanh") != "tanh"
        or config.get("recurrent_activation", "sigmoid") != "sigmoid"
    ):
        raise ValueError("activations other than tanh and sigmoid are not read")
    if kind == "GRU" and not config.get("reset_after", True):
        raise ValueError("a GRU with reset_after=False is not read")
    if config.get("return_state"):
        raise ValueError("return_state=True is not read")
    units, biased = int(config["units"]), bool(config.get("use_bias", True))
    # input, forget, cell, output; Keras' update, reset, new
    gates = {"LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2)}[kind]
    width = len(gates) * units
    kernel, recurrent = (
        weight(f"{side}kernel", None, width),
        weight(f"{side}recurrent_kernel", units, width),
    )
    bias = None
    if biased:
        bias = (
            weight(f"{side}bias", width)
            if kind == "LSTM"
            else weight(f"{side}bias", 2, width)
        )
    backwards, sequences = (
        bool(config.get("go_backwards")),
        bool(config.get("return_sequences")),
    )

    def layer(x: Tensor) -> Tensor:
        steps = x.flip(2).transpose(1, 2) if backwards else x.transpose(1, 2)
        none = kernel.new_zeros(width)
        biases = (
            [none, none]
            if bias is None
            else [bias, none]
            if kind == "LSTM"
            else [bias[0], bias[1]]
        )
        weights = [
            torch.cat([rows[gate * units : (gate + 1) * units] for gate in gates])
            for rows in (kernel.T, recurrent.T, *biases)
        ]
        start = x.new_zeros(1, len(x), units)
        options = (weights, True, 1, 0.0, False, False, True)
        made = (
            torch.lstm(steps, (start, start), *options)
            if kind == "LSTM"
            else torch.gru(steps, start, *options)
        )
        return made[0].transpose(1, 2) if sequences else made[0][:, -1]

    return layer


_MERGE_MODES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "concat": lambda one, other: torch.cat([one, other], dim=1),
    "sum": torch.add,
    "mul": torch.mul,
    "ave": lambda one, other: (one + other) / 2,
}


def _bidirectional(
    config: dict[str, Any], weight: Weight
) -> Callable[[Tensor], Tensor]:
    given, mode = config["layer"], config.get("merge_mode", "concat")
    if mode not in _MERGE_MODES:
        raise ValueError(
            f"merge_mode {quoted(mode)} is not one of {', '.join(_MERGE_MODES)}"
        )
    own = given["config"]
    sequences = bool(own.get("return_sequences"))
    other = config.get("backward_layer") or {
        **given,
        "config": own | {"go_backwards": not own.get("go_backwards")},
    }
    forward = _recurrent(own, weight, given["class_name"], "forward_")
    backward = _recurrent(other["config"], weight, other["class_name"], "backward_")

    def layer(x: Tensor) -> Tensor:
        last = backward(x)
        return _MERGE_MODES[mode](forward(x), last.flip(2) if sequences else last)

    return layer


def _channel_norm(config: dict[str, Any], weight: Weight) -> Callable[[Tensor], Tensor]:
    axis = config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) else axis
    mean, variance = weight("moving_mean", None), weight("moving_variance", None)
    gamma = weight("gamma", None) if config.get("scale", True) else None
    beta = weight("beta", None) if config.get("center", True) else None
    eps = float(config.get("epsilon", 1e-3))

    def layer(x: Tensor) -> Tensor:
        if axis not in (-1, x.ndim - 1):
            raise PredictorError(f"batch normalization over axis {axis} is not read")
        return functional.batch_norm(x, mean, variance, gamma, beta, False, 0.0, eps)

    return layer


def _layer_norm(config: dict[str, Any], weight: Weight) -> Callable[[Tensor], Tensor]:
    axis = axis_of(config)
    gamma = weight("gamma", None) if config.get("scale", True) else None
    beta = weight("beta", None) if config.get("center", True) else None
    eps = float(config.get("epsilon", 1e-3))

    def layer(x: Tensor) -> Tensor:
        if axis(x) != 1:
            raise PredictorError(
                f"{quoted(config.get('name'))} normalizes over axis "
                f"{config['axis']}, which is not the channels"
            )
        last = as_keras(x)
        return as_torch(functional.layer_norm(last, last.shape[-1:], gamma, beta, eps))

    return layer


def _pool(
    config: dict[str, Any], n_axes: int, *, largest: bool
) -> Callable[[Tensor], Tensor]:
    _check_channels_last(config)
    widths, padding = (
        _size_by_axis(config.get("pool_size", 2), n_axes),
        config.get("padding", "valid"),
    )
    strides = (
        widths
        if config.get("strides") is None
        else _size_by_axis(config["strides"], n_axes)
    )
    maxima = functional.max_pool1d if n_axes == 1 else functional.max_pool2d
    means = functional.avg_pool1d if n_axes == 1 else functional.avg_pool2d

    def layer(x: Tensor) -> Tensor:
        pads = _pads(x.shape[2:], widths, strides, padding)
        if largest:
            return maxima(functional.pad(x, pads, value=-torch.inf), widths, strides)
        made = means(functional.pad(x, pads), widths, strides)
        if any(pads):  # positions that were added do not count
            ones = functional.pad(torch.ones_like(x[:1, :1]), pads)
            made = made / means(ones, widths, strides)
        return made

    return layer


def _global_pool(
    config: dict[str, Any], n_axes: int, *, largest: bool
) -> Callable[[Tensor], Tensor]:
    _check_channels_last(config)
    axes, keep = tuple(range(2, 2 + n_axes)), bool(config.get("keepdims"))
    return (
        (lambda x: x.amax(axes, keepdim=keep))
        if largest
        else (lambda x: x.mean(axes, keepdim=keep))
    )


def _flatten(config: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    _check_channels_last(config)
    return lambda x: as_keras(x).flatten(1)


def _reshape(config: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    shape = [int(n) for n in config["target_shape"]]
    if len(shape) > 3:
        raise ValueError(
            f"target_shape {shape} has more than rows, columns and channels"
        )
    return lambda x: as_torch(as_keras(x).reshape(len(x), *shape))


def _permute(config: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    dims = [int(n) for n in config["dims"]]
    if sorted(dims) not in ([1, 2], [1, 2, 3]):
        raise ValueError(f"dims {dims} are not positions and channels")
    return lambda x: as_torch(as_keras(x).permute(0, *dims))


def _sides(value: Any, n_axes: int) -> list[tuple[int, int]]:
    """Return the numbers before and after for each axis of positions: of one number, a
    number an axis, or two.
    """
    rows = value if isinstance(value, list | tuple) else [value] * n_axes
    if n_axes == 1 and len(rows) == 2:
        rows = [rows]
    if len(rows) != n_axes:
        raise ValueError(f"{rows} has not {n_axes} rows")
    before_and_after = [_size_by_axis(row, 2) for row in rows]
    return [(before, after) for before, after in before_and_after]


def _zero_pad(config: dict[str, Any], n_axes: int) -> Callable[[Tensor], Tensor]:
    _check_channels_last(config)
    pads = [n for sides in reversed(_sides(config["padding"], n_axes)) for n in sides]
    return lambda x: functional.pad(x, pads)


def _crop(config: dict[str, Any], n_axes: int) -> Callable[[Tensor], Tensor]:
    _check_channels_last(config)
    sides = _sides(config["cropping"], n_axes)

    def layer(x: Tensor) -> Tensor:
        for axis, (before, after) in enumerate(sides, start=2):
            x = x.narrow(axis, before, x.shape[axis] - before - after)
        return x

    return layer


def _repeat(config: dict[str, Any], n_axes: int) -> Callable[[Tensor], Tensor]:
    _check_channels_last(config)
    sizes = _size_by_axis(config.get("size", 2), n_axes)
    if config.get("interpolation", "nearest") != "nearest":
        raise UnreadSettingError(
            f"interpolation {quoted(config['interpolation'])} is not read, only nearest"
        )

    def layer(x: Tensor) -> Tensor:
        for axis, size in enumerate(sizes, start=2):
            x = x.repeat_interleave(size, dim=axis)
        return x

    return layer


def _softmax(config: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    axis = axis_of(config)
    return lambda x: functional.softmax(x, dim=axis(x))


def concatenate(config: dict[str, Any]) -> Layer:
    """Return a layer that joins tensors along its axis."""
    axis = axis_of(config)
    return lambda xs: torch.cat(xs, dim=axis(xs[0]))


def _relu(config: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    slope, most, least = (
        config.get("negative_slope"),
        config.get("max_value"),
        config.get("threshold"),
    )
    if slope or least:
        raise UnreadSettingError("a ReLU with a slope or a threshold is not read")
    return functional.relu if most is None else (lambda x: x.clamp(0, float(most)))


PLAIN: dict[str, Callable[[dict[str, Any]], Callable[[Tensor], Tensor]]] = {
    "MaxPooling1D": lambda config: _pool(config, 1, largest=True),
    "MaxPooling2D": lambda config: _pool(config, 2, largest=True),
    "AveragePooling1D": lambda config: _pool(config, 1, largest=False),
    "AveragePooling2D": lambda config: _pool(config, 2, largest=False),
    "GlobalMaxPooling1D": lambda config: _global_pool(config, 1, largest=True),
    "GlobalMaxPooling2D": lambda config: _global_pool(config, 2, largest=True),
    "GlobalAveragePooling1D": lambda config: _global_pool(config, 1, largest=False),
    "GlobalAveragePooling2D": lambda config: _global_pool(config, 2, largest=False),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "ZeroPadding1D": lambda config: _zero_pad(config, 1),
    "ZeroPadding2D": lambda config: _zero_pad(config, 2),
    "Cropping1D": lambda config: _crop(config, 1),
    "Cropping2D": lambda config: _crop(config, 2),
    "UpSampling1D": lambda config: _repeat(config, 1),
    "UpSampling2D": lambda config: _repeat(config, 2),
    "Activation": lambda config: activation_of(config["activation"]),
    "ReLU": _relu,
    "LeakyReLU": lambda config: partial(
        functional.leaky_relu,
        negative_slope=float(config.get("alpha", config.get("negative_slope", 0.3))),
    ),
    "ELU": lambda config: lambda x: functional.elu(x, float(config.get("alpha", 1.0))),
    "Softmax": _softmax,
}
WEIGHTED: dict[str, Callable[[dict[str, Any], Weight], Callable[[Tensor], Tensor]]] = {
    "Conv1D": lambda config, weight: _conv(config, weight, 1),
    "Conv2D": lambda config, weight: _conv(config, weight, 2),
    "Dense": _dense,
    "BatchNormalization": _channel_norm,
    "LayerNormalization": _layer_norm,
    "LSTM": lambda config, weight: _recurrent(config, weight, "LSTM"),
    "GRU": lambda config, weight: _recurrent(config, weight, "GRU"),
    "Bidirectional": _bidirectional,
}
OWN_ACTIVATION = {"LSTM", "GRU", "Bidirectional"}


_MOST_LAYERS = 10_000
_NESTED = ("Sequential", "Model", "Functional")
_LINEAR = {"activation": "linear"}


@dataclass(frozen=True)
class KerasLayer:
    """A layer: its class, its settings, and for each of its calls the places (layer,
    call, output) of its inputs.
    """

    name: str
    kind: str
    config: dict[str, Any]
    calls: tuple[tuple[tuple[str, int, int], ...], ...]

    def __post_init__(self) -> None:
        if not (
            isinstance(self.name, str)
            and isinstance(self.kind, str)
            and isinstance(self.config, dict)
        ):
            raise TypeError(f"layer {quoted(self.name)} is a {quoted(self.kind)}")


@dataclass(frozen=True)
class KerasGraph:
    """Layers by name, the names of the inputs, and the places (layer, call, output) of
    the outputs.
    """

    layers: dict[str, KerasLayer]
    inputs: tuple[str, ...]
    outputs: tuple[tuple[str, int, int], ...]


def graph_of(text: str, source: Path) -> KerasGraph:
    """Return the graph in the JSON of a Keras model, sequential or functional.

    Raises
    ------
    PredictorError
        If it is no such JSON.
    """
    found = parse_json(text, PredictorError, source=str(source))
    try:
        return _graph(found["class_name"], found["config"], source)
    except PredictorError:
        raise
    except (
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        ArithmeticError,
        RecursionError,
    ) as error:
        why = f"{type(error).__name__} {error}"
        raise PredictorError(
            f"{source}: is not the graph of a Keras network ({why[:80]})"
        ) from error


def _graph(kind: Any, config: Any, source: Path) -> KerasGraph:
    rows = config["layers"] if isinstance(config, dict) else config
    if not isinstance(rows, list) or not 0 < len(rows) <= _MOST_LAYERS:
        raise PredictorError(f"{source}: has no layers, or more than {_MOST_LAYERS:,}")
    if kind == "Sequential":
        built = config.get("build_input_shape") if isinstance(config, dict) else None
        return _inlined(_chain(rows, built), source)
    if kind not in _NESTED:
        raise PredictorError(
            f"{source}: is a {quoted(kind)}, a class of its own whose code is not "
            "read; only Sequential and functional networks can be"
        )
    layers = {
        row["config"].get("name", row.get("name")): KerasLayer(
            row["config"].get("name", row.get("name")),
            row["class_name"],
            row["config"],
            tuple(_places(call) for call in row["inbound_nodes"]),
        )
        for row in rows
    }
    ends = (config[key] for key in ("input_layers", "output_layers"))
    inputs, outputs = (
        _places([end] if isinstance(end[0], str) else end) for end in ends
    )
    return _inlined(
        KerasGraph(layers, tuple(name for name, _, _ in inputs), outputs), source
    )


def _inlined(graph: KerasGraph, source: Path) -> KerasGraph:
    """Return a graph whose inner networks are replaced by their layers, called
    ``"network/layer"``.

    Those of several inputs or outputs, and those that use a layer twice, stay as they
    are.
    """
    layers: dict[str, KerasLayer] = {}
    ends: dict[str, str] = {}
    for name, layer in graph.layers.items():
        inner = (
            _graph(layer.kind, layer.config, source) if layer.kind in _NESTED else None
        )
        plain = inner is not None and len(inner.inputs) == len(inner.outputs) == 1
        once = (
            plain
            and inner is not None
            and all(len(one.calls) <= 1 for one in inner.layers.values())
        )
        if inner is None or not once or any(len(call) != 1 for call in layer.calls):
            layers[name] = layer
            continue
        ends[name] = f"{name}/{inner.outputs[0][0]}"
        for part in inner.layers.values():
            if part.name == inner.inputs[0]:
                layers[f"{name}/{part.name}"] = KerasLayer(
                    f"{name}/{part.name}", "Activation", _LINEAR, layer.calls
                )
                continue
            calls = tuple(
                tuple(
                    (f"{name}/{before}", number, output)
                    for before, _, output in part.calls[0]
                )
                for number in range(len(layer.calls))
            )
            layers[f"{name}/{part.name}"] = KerasLayer(
                f"{name}/{part.name}", part.kind, part.config, calls
            )
    if not ends:
        return graph

    def moved(place: tuple[str, int, int]) -> tuple[str, int, int]:
        return (ends.get(place[0], place[0]), *place[1:])

    for name, layer in layers.items():
        calls = tuple(tuple(map(moved, call)) for call in layer.calls)
        layers[name] = KerasLayer(layer.name, layer.kind, layer.config, calls)
    return KerasGraph(layers, graph.inputs, tuple(map(moved, graph.outputs)))


def _input_shape(config: dict[str, Any]) -> Any:
    """Return the shape (n, ...) that a layer takes, or a network as a layer by its own
    first one; None if unsaid.
    """
    found = config.get("batch_shape") or config.get("batch_input_shape")
    rows = config.get("layers")
    return (
        _input_shape(rows[0]["config"])
        if found is None and isinstance(rows, list) and rows
        else found
    )


def _chain(rows: list[Any], built: Any) -> KerasGraph:
    """Return the graph of a sequential network; its input layer may be left out in the
    file.

    `built` is the shape with which Keras made its weights, used where no layer names
    one.
    """
    layers: dict[str, KerasLayer] = {}
    before = None
    if rows[0]["class_name"] != "InputLayer":
        shape = _input_shape(rows[0]["config"]) or built
        layers["input"] = KerasLayer(
            "input", "InputLayer", {"batch_input_shape": shape}, ()
        )
        before = "input"
    for row in rows:
        name = row["config"]["name"]
        calls = () if before is None else (((before, 0, 0),),)
        layers[name] = KerasLayer(name, row["class_name"], row["config"], calls)
        before = name
    assert before is not None
    return KerasGraph(layers, (next(iter(layers)),), ((before, 0, 0),))


def _places(call: Any) -> tuple[tuple[str, int, int], ...]:
    """Return places (layer, call, output), as Keras 2 writes them (lists) or Keras 3
    (tensors in ``args``).
    """
    if isinstance(call, dict):
        return tuple(_histories([call.get("args", ()), call.get("kwargs", {})]))
    return tuple((str(one[0]), int(one[1]), int(one[2])) for one in call)


def _histories(value: Any) -> Iterator[tuple[str, int, int]]:
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        name, call, output = value["config"]["keras_history"]
        yield str(name), int(call), int(output)
    elif isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _histories(one)
