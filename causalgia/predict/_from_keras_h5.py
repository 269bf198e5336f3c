"""Keras networks in HDF5 files and .keras archives as PyTorch networks, without
TensorFlow.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from causalgia.errors import (
    PredictorError,
    one_line,
    quoted,
)
from causalgia.inputs import open_regular_file, read_bytes
from causalgia.predict.keras_layers import (
    MERGES,
    OWN_ACTIVATION,
    PLAIN,
    SAME,
    WEIGHTED,
    KerasGraph,
    KerasLayer,
    Layer,
    Tensor,
    UnreadSettingError,
    activation_of,
    as_keras,
    as_torch,
    concatenate,
    graph_of,
)
from causalgia.predict.predictor import Scale
from causalgia.predict.torch_predictor import TorchPredictor
from causalgia.predict.track import Reduce, Track

_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_ARCHIVED = ("config.json", "model.weights.h5")
_MOST_CONFIG = 2**26


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
    """Read a Keras network from an HDF5 file or a .keras archive as a PyTorch one,
    without TensorFlow.

    For networks saved by ``model.save("net.h5")`` (Keras 2 or 3), by
    ``model.save("net.keras")`` (Keras 3), or as weights (``model.save_weights``) with
    the JSON of ``model.to_json()``. Weights are read as arrays, and the graph as JSON.
    No code in a file is run: a `Lambda` and every other layer whose meaning is not in
    the file is refused by name.

    Layers: Conv1D and Conv2D, Dense, LSTM and GRU (of the usual activations) and their
    Bidirectional, BatchNormalization, LayerNormalization, Max-, Average-, GlobalMax-
    and GlobalAveragePooling, ZeroPadding, Cropping and UpSampling (1D and 2D), Flatten,
    Reshape, Permute, Activation, ReLU, LeakyReLU, ELU, Softmax, Dropout (and other
    noise, which is off), Add, Subtract, Multiply, Average, Maximum, Minimum,
    Concatenate, and networks of these as layers; sequential or functional, of one
    input. Answers equal those of Keras to the rounding of float32.

    The input is (length, 4) or (4, length), or an image of these with an axis of size 1
    at any place, such as (length, 4, 1), (4, length, 1) or (1, length, 4): the shape in
    the file says where positions and bases lie.

    Parameters
    ----------
    path
        The HDF5 file, or the .keras archive.
    config
        Its graph, if the file has weights alone: the JSON text of ``model.to_json()``,
        or the path of that.
    tasks
        A name for each output. By default those of several output layers, else as for
        `TorchPredictor`.
    scale, alphabet, device, batch_size, reduce, rc_average, track
        As for `TorchPredictor`. Keras has positions before tasks:
        ``track=cg.Track(axis=1)``. The predictor's layout is (n, 4, length), as in
        PyTorch.

    Returns
    -------
    TorchPredictor
        Its ``module`` is the network, (n, 4, length) to what the output layer answers;
        several output layers of one number each are joined to columns, other ones are a
        tuple for ``reduce=``.

    Raises
    ------
    PredictorError
        If the file cannot be read safely (neither HDF5 nor a .keras archive, links to
        other files, arrays larger than any compression explains), has no graph or
        another than `config` says, several inputs, a layer that is not listed, an input
        whose shape does not say which axis is which, or a layer's weights are missing
        or have another shape.

    Examples
    --------
    >>> import h5py, json, tempfile
    >>> layers = [
    ...     {
    ...         "class_name": "Conv1D",
    ...         "config": {"name": "scan", "filters": 1, "kernel_size": [2]},
    ...     },
    ...     {"class_name": "GlobalMaxPooling1D", "config": {"name": "best"}},
    ... ]
    >>> place = tempfile.mkdtemp() + "/net.h5"
    >>> with h5py.File(place, "w") as file:
    ...     file.attrs["model_config"] = json.dumps(
    ...         {"class_name": "Sequential", "config": {"layers": layers}}
    ...     )
    ...     file["model_weights/scan/scan/kernel:0"] = np.eye(4, dtype="f4")[[2, 0]][
    ...         :, :, None
    ...     ]  # G, then A
    ...     file["model_weights/scan/scan/bias:0"] = np.zeros(1, "f4")
    >>> from_keras_h5(place, tasks=["GA"]).predict(
    ...     np.array([[0, 2, 0, 3], [2, 2, 3, 0]], np.uint8)
    ... )
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


def read_keras_h5(
    path: str | os.PathLike[str], config: str | os.PathLike[str] | None
) -> tuple[KerasGraph, dict[str, dict[str, NDArray[Any]]]]:
    """Return the graph of a Keras file, and for each layer its weights by name
    ("kernel", "bias", "gamma", ...).

    Raises
    ------
    PredictorError
        If the file is absent, neither HDF5 nor a .keras archive, unsafe to read, has no
        graph and none is given, or a graph without layers.
    """
    place = Path(path)
    with open_regular_file(place, PredictorError) as file:
        start = file.read(512)
    if start.startswith(_ZIP):
        return _read_archive(place, config)
    if not start.startswith(_HDF5):
        raise PredictorError(f"{place}: is not an HDF5 file")
    from causalgia.store import as_damage_error, check_hdf5_installed

    check_hdf5_installed()
    import h5py

    with (
        as_damage_error(place, "HDF5", PredictorError),
        h5py.File(place, "r") as file,
    ):
        given = _text_of_graph(file, place, config)
        if config is not None and "layers" in file:  # as Keras 3 writes weights alone
            graph = graph_of(given, Path(config) if _is_path(config) else place)
            return _of_archive(graph, place)
        root = file.get("model_weights", file)
        arrays = {
            name: dict(_arrays_of(root[name]))
            for name in root
            if isinstance(root[name], h5py.Group)
        }
    graph = graph_of(given, place if config is None else Path(config))
    return graph, {
        layer.name: _named_in_h5(layer, arrays) for layer in graph.layers.values()
    }


def _read_archive(
    place: Path, config: str | os.PathLike[str] | None
) -> tuple[KerasGraph, dict[str, dict[str, NDArray[Any]]]]:
    """Return the graph and the weights of a .keras archive: a zip of JSON and HDF5;
    nothing else in it is opened.
    """
    if config is not None:
        raise PredictorError(f"{place}: a .keras archive has its own graph")
    from causalgia.store import as_damage_error

    try:
        with zipfile.ZipFile(place) as archive, tempfile.TemporaryDirectory() as folder:
            members = {one.filename: one for one in archive.infolist()}
            if any(name.endswith("data.pkl") for name in members):
                raise PredictorError(
                    f"{place}: was written by torch.save, not by Keras"
                )
            missing = [name for name in _ARCHIVED if name not in members]
            if missing:
                raise PredictorError(
                    f"{place}: is not a .keras archive (it lacks {missing[0]})"
                )
            graph, weights = (members[name] for name in _ARCHIVED)
            if (
                weights.compress_type != zipfile.ZIP_STORED
                or weights.file_size > place.stat().st_size
            ):
                raise PredictorError(
                    f"{place}: its weights are compressed, as Keras does not write them"
                )
            if graph.file_size > _MOST_CONFIG:
                raise PredictorError(
                    f"{place}: {graph.filename} has more than {_MOST_CONFIG:,} bytes"
                )
            text = archive.read(graph).decode("utf-8", "replace")
            copy = Path(folder) / "weights.h5"
            with archive.open(weights) as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target)
            with as_damage_error(place, "HDF5", PredictorError):
                return _of_archive(graph_of(text, place), copy)
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
    ) as error:
        raise PredictorError(f"{place}: is a damaged archive ({error})") from error


def _of_archive(
    graph: KerasGraph, copy: Path
) -> tuple[KerasGraph, dict[str, dict[str, NDArray[Any]]]]:
    """Return the graph, and the weights by the names of layers that Keras 3 keeps
    beside its numbered arrays.
    """
    import h5py

    found: dict[str, dict[str, NDArray[Any]]] = {}

    def collect(group: Any, before: str) -> None:
        for entry in group.get("layers", {}).values():
            named = entry.get("vars")
            name = None if named is None else named.attrs.get("name")
            if isinstance(name, str):
                arrays = {
                    path: array
                    for path, array in _arrays_of(entry)
                    if not path.startswith("layers/")
                }
                found[before + name] = arrays
                collect(entry, f"{before}{name}/")

    with h5py.File(copy, "r") as file:
        collect(file, "")
    return graph, {
        layer.name: _named_in_archive(layer, found.get(layer.name, {}))
        for layer in graph.layers.values()
    }


def _named_in_archive(
    layer: KerasLayer, arrays: dict[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Return the numbered arrays of a layer by name: the order is that in which Keras
    makes them.
    """
    names: tuple[str, ...] = ("kernel", "bias")
    if layer.kind in ("BatchNormalization", "LayerNormalization"):
        names = tuple(
            name
            for name, switch in (("gamma", "scale"), ("beta", "center"))
            if layer.config.get(switch, True)
        )
        names += (
            ("moving_mean", "moving_variance")
            if layer.kind == "BatchNormalization"
            else ()
        )
    elif any(path.split("/")[-3:-2] == ["cell"] for path in arrays):
        names = ("kernel", "recurrent_kernel", "bias")
    found = {}
    for path, array in arrays.items():
        number = path.split("/")[-1]
        if number.isdecimal() and int(number) < len(names):
            found[_side(path) + names[int(number)]] = array
    return found


def _named_in_h5(
    layer: KerasLayer, arrays: dict[str, dict[str, NDArray[Any]]]
) -> dict[str, NDArray[Any]]:
    """Return the arrays of a layer by the last part of their paths, without Keras'
    ``:0``.
    """
    outer, *inner = layer.name.split("/") if layer.name not in arrays else [layer.name]
    own = arrays.get(outer, {})
    if inner:  # of a network in the network: the layer is one of the parts of the path
        own = {
            path: array
            for path, array in own.items()
            if inner[-1] in path.split("/")[:-1]
        }
    two = layer.kind == "Bidirectional"
    return {
        (_side(path) if two else "") + path.split("/")[-1].split(":")[0]: array
        for path, array in own.items()
    }


def _is_path(config: str | os.PathLike[str]) -> bool:
    """Return whether a graph is given by the path of its file, not as text."""
    return not (isinstance(config, str) and config.lstrip().startswith("{"))


def _side(path: str) -> str:
    """Return the direction of a recurrent layer in the path of an array, as the start
    of a name.
    """
    found = re.search(r"(?:^|/)(forward|backward)_", path)
    return f"{found[1]}_" if found else ""


def _text_of_graph(file: Any, path: Path, config: str | os.PathLike[str] | None) -> str:
    """Return the JSON of the graph: as given, or the file's own."""
    if config is None:
        found = file.attrs.get("model_config")
        if found is None:
            raise PredictorError(
                f"{path}: holds weights without the graph of layers, and config= is "
                "not given"
            )
        return (
            found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)
        )
    if isinstance(config, str) and config.lstrip().startswith("{"):
        return config
    if not isinstance(config, str | os.PathLike):
        raise PredictorError(f"config={quoted(config)} is neither JSON text nor a path")
    content = read_bytes(config, PredictorError, most=_MOST_CONFIG)
    if not content.strip():
        raise PredictorError(f"{config}: is empty")
    return content.decode("utf-8", "replace")


def _arrays_of(group: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the arrays below a group, by their paths in it."""
    import h5py

    left = [("", group)]
    while left:
        before, here = left.pop()
        for name in here:
            found = here[name]
            if isinstance(found, h5py.Group):
                left.append((f"{before}{name}/", found))
            elif (
                isinstance(found, h5py.Dataset)
                and found.dtype.kind in "fiu"
                and math.prod(found.shape or (1,))
            ):
                yield f"{before}{name}", np.asarray(found[()])


def _input_order(config: dict[str, Any], source: Path) -> tuple[int, ...]:
    """Return the place of each axis of Keras' input among (n, 4, length) or (n, 1, 4,
    length), by the input's shape.

    A network of unknown shape takes (n, length, 4).
    """
    given = config.get("batch_shape") or config.get("batch_input_shape")
    shape = given[1:] if isinstance(given, list | tuple) else None
    if (
        not shape
        or len(shape) == 1
        or (len(shape) == 2 and (shape[1] == 4 or shape[0] != 4))
    ):
        return (0, 2, 1)
    if len(shape) == 2:
        return (0, 1, 2)
    orders = [
        (0, *order)
        for order in permutations((1, 2, 3))
        if len(shape) == 3
        and all(
            size == {1: 1, 2: 4}.get(axis, size)
            for size, axis in zip(shape, order, strict=True)
        )
    ]
    if len(orders) != 1:
        raise PredictorError(
            f"{source}: input {quoted(config.get('name'))} has shape {quoted(shape)}; an "
            "image of sequences has one axis of positions, one of the 4 bases and one of "
            "size 1, such as (null, 4, 1)"
        )
    return orders[0]


class KerasNetwork(torch.nn.Module):
    """A graph of Keras layers; tensors of positions are held as (n, channels,
    positions).
    """

    def __init__(
        self,
        graph: KerasGraph,
        weights: dict[str, dict[str, NDArray[Any]]],
        source: Path,
    ) -> None:
        super().__init__()
        if len(graph.inputs) != 1:
            raise PredictorError(
                f"{source}: has {len(graph.inputs)} inputs, "
                f"{', '.join(map(quoted, graph.inputs[:4]))}; a network of one "
                "sequence is read"
            )
        self._source, self._graph = source, graph
        known = {*SAME, *MERGES, *PLAIN, *WEIGHTED, "InputLayer", "Concatenate"}
        odd = next(
            (layer for layer in graph.layers.values() if layer.kind not in known), None
        )
        if odd is not None:
            raise PredictorError(
                f"{source}: layer {quoted(odd.name)} ({quoted(odd.kind)}) is not among the "
                "layers that can be read"
            )
        if (first := graph.layers.get(graph.inputs[0])) is None:
            raise PredictorError(
                f"{source}: its input, {quoted(graph.inputs[0])}, is not one of "
                "its layers: the graph is damaged"
            )
        self._input = _input_order(first.config, source)
        self._order = self._in_order()
        names = list(dict.fromkeys(name for name, _ in self._order))
        self._places = {name: place for place, name in enumerate(names)}
        self.steps = torch.nn.ModuleList(
            self._step(graph.layers[name], weights.get(name, {})) for name in names
        )
        self.one_number_each = all(
            graph.layers[name].config.get("units") == 1 for name, _, _ in graph.outputs
        )

    def _in_order(self) -> list[tuple[str, int]]:
        """Return the calls (layer, number) that the outputs need, inputs before what
        uses them.
        """
        order: list[tuple[str, int]] = []
        done: set[tuple[str, int]] = set()
        left = [
            ((name, call), False) for name, call, _ in reversed(self._graph.outputs)
        ]
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
            if (
                layer is None
                or (name, call) in open_
                or (layer.kind != "InputLayer" and call >= len(calls))
            ):
                raise PredictorError(
                    f"{self._source}: the graph around layer {quoted(name)} is damaged"
                )
            open_.add((name, call))
            left.append(((name, call), True))
            if layer.kind != "InputLayer":
                left += [
                    ((source, number), False)
                    for source, number, _ in reversed(calls[call])
                ]
        return order

    def _step(self, layer: KerasLayer, arrays: dict[str, NDArray[Any]]) -> KerasStep:
        try:
            return KerasStep(layer, arrays)
        except UnreadSettingError as error:
            raise PredictorError(
                f"{self._source}: layer {quoted(layer.name)} ({layer.kind}) "
                f"cannot be read: {error}"
            ) from error
        except (
            LookupError,
            TypeError,
            ValueError,
            ArithmeticError,
            RuntimeError,
        ) as error:
            raise PredictorError(
                f"{self._source}: layer {quoted(layer.name)} ({layer.kind}) cannot be "
                f"read ({one_line(error)})"
            ) from error

    def forward(self, x: Tensor) -> Any:
        """Return the output for one-hot (n, 4, length); a tuple of several layers
        unless each is one number.
        """
        x = as_torch(
            (x if len(self._input) == 3 else x.unsqueeze(1)).permute(self._input)
        )
        found: dict[tuple[str, int], Tensor] = {}
        for name, call in self._order:
            calls = self._graph.layers[name].calls
            inputs = (
                [found[source, number] for source, number, _ in calls[call]]
                if calls
                else [x]
            )
            found[name, call] = self.steps[self._places[name]](inputs)
        ends = [as_keras(found[name, call]) for name, call, _ in self._graph.outputs]
        if len(ends) == 1:
            return ends[0]
        return torch.cat(ends, dim=1) if self.one_number_each else tuple(ends)


class KerasStep(torch.nn.Module):
    """A layer with its weights as buffers; their names and shapes are checked when it
    is made.
    """

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
                f"layer {quoted(self.config.get('name'))} ({self.kind}) is given "
                f"{xs[0].ndim} axes, not {axes}"
            )
        return self._layer()(xs)

    def weight(self, name: str, *shape: int | None) -> Tensor:
        """Return a weight of this shape (None: any)."""
        if self._arrays is not None:
            array = self._arrays.get(name)
            if array is None:
                raise ValueError(
                    f"no weight {quoted(name)} among {sorted(self._arrays)[:6]}"
                )
            pairs = zip(array.shape, shape, strict=False)
            if array.ndim != len(shape) or any(
                size is not None and n != size for n, size in pairs
            ):
                raise ValueError(f"{name} has shape {array.shape}, not {shape}")
            self.register_buffer(
                name, torch.from_numpy(np.array(array, dtype=np.float32))
            )
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
        activation = activation_of(
            None if self.kind in OWN_ACTIVATION else self.config.get("activation")
        )
        return lambda xs: activation(made(xs[0]))
