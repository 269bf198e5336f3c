"""Keras networks in HDF5 files and .keras archives as PyTorch networks, without TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from causalgia.errors import PredictorError, quoted
from causalgia.predict.keras_h5 import KerasGraph, KerasLayer, read_keras_h5
from causalgia.predict.keras_layers import (
    MERGES,
    OWN_ACTIVATION,
    PLAIN,
    SAME,
    WEIGHTED,
    Layer,
    Tensor,
    UnreadSettingError,
    activation_of,
    as_keras,
    as_torch,
    concatenate,
)
from causalgia.predict.predictor import Scale
from causalgia.predict.torch_predictor import TorchPredictor
from causalgia.predict.track import Reduce, Track

_INNER = "is a network inside the network with several inputs or outputs, or a layer used twice: save one flat network"


def from_keras_h5(
    path: str | os.PathLike[str],
    *,
    config: str | os.PathLike[str] | None = None,
    tasks: Sequence[str] | None = None,
    scale: Scale = "outcome",
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

    Layers: Conv1D and Conv2D, Dense, LSTM and GRU (of the usual activations) and their Bidirectional,
    BatchNormalization, LayerNormalization, Max-, Average-, GlobalMax- and GlobalAveragePooling, ZeroPadding, Cropping
    and UpSampling (1D and 2D), Flatten, Reshape, Permute, Activation, ReLU, LeakyReLU, ELU, Softmax, Dropout (and other
    noise, which is off), Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, and networks of these as
    layers; sequential or functional, of one input. Answers equal those of Keras to the rounding of float32.

    The input is (length, 4) or (4, length), or an image of these with an axis of size 1 at any place, such as
    (length, 4, 1), (4, length, 1) or (1, length, 4): the shape in the file says where positions and bases lie.

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
        listed, an input whose shape does not say which axis is which, or a layer's weights are missing or have
        another shape.

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


def _input_order(config: dict[str, Any], source: Path) -> tuple[int, ...]:
    """Return the place of each axis of Keras' input among (n, 4, length) or (n, 1, 4, length), by the input's shape.

    A network of unknown shape takes (n, length, 4).
    """
    given = config.get("batch_shape") or config.get("batch_input_shape")
    shape = given[1:] if isinstance(given, list | tuple) else None
    if not shape or len(shape) == 1 or (len(shape) == 2 and (shape[1] == 4 or shape[0] != 4)):
        return (0, 2, 1)
    if len(shape) == 2:
        return (0, 1, 2)
    orders = [
        (0, *order)
        for order in permutations((1, 2, 3))
        if len(shape) == 3
        and all(size == {1: 1, 2: 4}.get(axis, size) for size, axis in zip(shape, order, strict=True))
    ]
    if len(orders) != 1:
        why = "its positions could be any of several axes" if orders else "that is no image of one-hot sequences"
        raise PredictorError(
            f"{source}: input {quoted(config.get('name'))} has shape {quoted(shape)}: {why}. An image of sequences has "
            "one axis of positions, one of the 4 bases and one of size 1, such as (null, 4, 1): say it in the graph, "
            "config=, or wrap Keras' own predict in cg.FunctionPredictor"
        )
    return orders[0]


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
        if (first := graph.layers.get(graph.inputs[0])) is None:
            raise PredictorError(
                f"{source}: its input, {quoted(graph.inputs[0])}, is not one of its layers: the graph is "
                "damaged; save it "
                "again"
            )
        self._input = _input_order(first.config, source)
        self._order = self._in_order()
        names = list(dict.fromkeys(name for name, _ in self._order))
        self._places = {name: place for place, name in enumerate(names)}
        self.steps = torch.nn.ModuleList(self._step(graph.layers[name], weights.get(name, {})) for name in names)
        self.one_number_each = all(graph.layers[name].config.get("units") == 1 for name, _, _ in graph.outputs)

    def _check_kinds(self) -> None:
        known = {*SAME, *MERGES, *PLAIN, *WEIGHTED, "InputLayer", "Concatenate"}
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
        except UnreadSettingError as error:
            raise PredictorError(
                f"{self._source}: layer {quoted(layer.name)} ({layer.kind}) cannot be read: {error}; rebuild it in "
                "PyTorch and load its arrays, or wrap Keras' own predict in cg.FunctionPredictor"
            ) from error
        except (LookupError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
            raise PredictorError(
                f"{self._source}: layer {quoted(layer.name)} ({layer.kind}) cannot be read "
                f"({type(error).__name__}: {str(error)[:200]}); is this the graph of these weights?"
            ) from error

    def forward(self, x: Tensor) -> Any:
        """Return the output for one-hot (n, 4, length); a tuple of several layers unless each is one number."""
        x = as_torch((x if len(self._input) == 3 else x.unsqueeze(1)).permute(self._input))
        found: dict[tuple[str, int], Tensor] = {}
        for name, call in self._order:
            calls = self._graph.layers[name].calls
            inputs = [found[source, number] for source, number, _ in calls[call]] if calls else [x]
            found[name, call] = self.steps[self._places[name]](inputs)
        ends = [as_keras(found[name, call]) for name, call, _ in self._graph.outputs]
        if len(ends) == 1:
            return ends[0]
        return torch.cat(ends, dim=1) if self.one_number_each else tuple(ends)


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
        axes = {"1D": 3, "2D": 4}.get(self.kind[-2:])
        if axes is not None and self.kind not in SAME and xs[0].ndim != axes:
            raise PredictorError(
                f"layer {quoted(self.config.get('name'))} ({self.kind}) is given {xs[0].ndim} axes, not {axes}: does "
                "the file say the shape of its input? Give config=, the JSON of model.to_json() of a built network"
            )
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
        if self.kind == "InputLayer" or self.kind in SAME:
            return lambda xs: xs[0]
        if self.kind in MERGES:
            return MERGES[self.kind]
        if self.kind == "Concatenate":
            return concatenate(self.config)
        if self.kind in PLAIN:
            plain = PLAIN[self.kind](self.config)
            return lambda xs: plain(xs[0])
        made = WEIGHTED[self.kind](self.config, self.weight)
        activation = activation_of(None if self.kind in OWN_ACTIVATION else self.config.get("activation"))
        return lambda xs: activation(made(xs[0]))
