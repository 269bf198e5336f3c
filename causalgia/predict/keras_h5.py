"""Files of Keras networks: the graph of layers and their weights, read as data under guard; nothing is executed."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import OutcomesError, PredictorError, quoted
from causalgia.inputs import parse_json, read_bytes

_MOST_LAYERS = 10_000
_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_ARCHIVED = ("config.json", "model.weights.h5")
_MOST_CONFIG = 2**26
_NESTED = ("Sequential", "Model", "Functional")
_LINEAR = {"activation": "linear"}
_SAVE_AGAIN = "in Keras: model.save('net.h5'), or model.to_json() for config= and model.save_weights('net.h5')"


@dataclass(frozen=True)
class KerasLayer:
    """A layer: its class, its settings, and for each of its calls the places (layer, call, output) of its inputs."""

    name: str
    kind: str
    config: dict[str, Any]
    calls: tuple[tuple[tuple[str, int, int], ...], ...]

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and isinstance(self.kind, str) and isinstance(self.config, dict)):
            raise TypeError(f"layer {quoted(self.name)} is a {quoted(self.kind)}")


@dataclass(frozen=True)
class KerasGraph:
    """Layers by name, the names of the inputs, and the places (layer, call, output) of the outputs."""

    layers: dict[str, KerasLayer]
    inputs: tuple[str, ...]
    outputs: tuple[tuple[str, int, int], ...]


def read_keras_h5(
    path: str | os.PathLike[str], config: str | os.PathLike[str] | None
) -> tuple[KerasGraph, dict[str, dict[str, NDArray[Any]]]]:
    """Return the graph of a Keras file, and for each layer its weights by name ("kernel", "bias", "gamma", ...).

    Raises
    ------
    PredictorError
        If the file is absent, neither HDF5 nor a .keras archive, unsafe to read, has no graph and none is given, or a
        graph without layers.
    """
    place = Path(path)
    start = read_start(place)
    if start.startswith(_ZIP):
        return _read_archive(place, config)
    if not start.startswith(_HDF5):
        raise PredictorError(f"{place}: is not an HDF5 file; save the network as one, {_SAVE_AGAIN}")
    import h5py

    from causalgia.store import check_hdf5

    try:
        check_hdf5(place)
    except OutcomesError as error:
        raise PredictorError(str(error)) from error
    with h5py.File(place, "r") as file:
        given = _own_config(file, place) if config is None else _text_of(config)
        root = file.get("model_weights", file)
        arrays = {name: dict(_arrays_of(root[name])) for name in root if isinstance(root[name], h5py.Group)}
    graph = graph_of(given, place if config is None else Path(config))
    return graph, {layer.name: _named_in_h5(layer, arrays) for layer in graph.layers.values()}


def _read_archive(
    place: Path, config: str | os.PathLike[str] | None
) -> tuple[KerasGraph, dict[str, dict[str, NDArray[Any]]]]:
    """Return the graph and the weights of a .keras archive: a zip of JSON and HDF5; nothing else in it is opened."""
    if config is not None:
        raise PredictorError(f"{place}: a .keras archive has its own graph; leave config= out")
    from causalgia.store import check_hdf5

    try:
        with zipfile.ZipFile(place) as archive, tempfile.TemporaryDirectory() as folder:
            members = {one.filename: one for one in archive.infolist()}
            missing = [name for name in _ARCHIVED if name not in members]
            if missing:
                raise PredictorError(f"{place}: is not a .keras archive (it lacks {missing[0]}); {_SAVE_AGAIN}")
            graph, weights = (members[name] for name in _ARCHIVED)
            if weights.compress_type != zipfile.ZIP_STORED or weights.file_size > place.stat().st_size:
                raise PredictorError(
                    f"{place}: its weights are compressed, as Keras does not write them; {_SAVE_AGAIN}"
                )
            if graph.file_size > _MOST_CONFIG:
                raise PredictorError(f"{place}: {graph.filename} has more than {_MOST_CONFIG:,} bytes; {_SAVE_AGAIN}")
            text = archive.read(graph).decode("utf-8", "replace")
            copy = Path(folder) / "weights.h5"
            with archive.open(weights) as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target)
            check_hdf5(copy)
            return _of_archive(graph_of(text, place), copy)
    except OutcomesError as error:
        raise PredictorError(f"{place}: {error}") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise PredictorError(f"{place}: is a damaged archive ({error}); {_SAVE_AGAIN}") from error


def _of_archive(graph: KerasGraph, copy: Path) -> tuple[KerasGraph, dict[str, dict[str, NDArray[Any]]]]:
    """Return the graph, and the weights by the names of layers that Keras 3 keeps beside its numbered arrays."""
    import h5py

    found: dict[str, dict[str, NDArray[Any]]] = {}

    def collect(group: Any, before: str) -> None:
        for entry in group.get("layers", {}).values():
            named = entry.get("vars")
            name = None if named is None else named.attrs.get("name")
            if isinstance(name, str):
                arrays = {path: array for path, array in _arrays_of(entry) if not path.startswith("layers/")}
                found[before + name] = arrays
                collect(entry, f"{before}{name}/")

    with h5py.File(copy, "r") as file:
        collect(file, "")
    return graph, {layer.name: _named_in_archive(layer, found.get(layer.name, {})) for layer in graph.layers.values()}


def _named_in_archive(layer: KerasLayer, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the numbered arrays of a layer by name: the order is that in which Keras makes them."""
    names: tuple[str, ...] = ("kernel", "bias")
    if layer.kind in ("BatchNormalization", "LayerNormalization"):
        names = tuple(
            name for name, switch in (("gamma", "scale"), ("beta", "center")) if layer.config.get(switch, True)
        )
        names += ("moving_mean", "moving_variance") if layer.kind == "BatchNormalization" else ()
    elif any(path.split("/")[-3:-2] == ["cell"] for path in arrays):
        names = ("kernel", "recurrent_kernel", "bias")
    found = {}
    for path, array in arrays.items():
        number = path.split("/")[-1]
        if number.isdecimal() and int(number) < len(names):
            found[_side(path) + names[int(number)]] = array
    return found


def _named_in_h5(layer: KerasLayer, arrays: dict[str, dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a layer by the last part of their paths, without Keras' ``:0``."""
    outer, *inner = layer.name.split("/") if layer.name not in arrays else [layer.name]
    own = arrays.get(outer, {})
    if inner:  # of a network in the network: the layer is one of the parts of the path
        own = {path: array for path, array in own.items() if inner[-1] in path.split("/")[:-1]}
    two = layer.kind == "Bidirectional"
    return {(_side(path) if two else "") + path.split("/")[-1].split(":")[0]: array for path, array in own.items()}


def _side(path: str) -> str:
    """Return the direction of a recurrent layer in the path of an array, as the start of a name."""
    found = re.search(r"(?:^|/)(forward|backward)_", path)
    return f"{found[1]}_" if found else ""


def read_start(path: Path) -> bytes:
    """Return the first bytes of a regular file; PredictorError if there is none."""
    from causalgia.inputs import open_regular_file

    with open_regular_file(path, PredictorError) as file:
        return file.read(len(_HDF5))


def _own_config(file: Any, path: Path) -> str:
    found = file.attrs.get("model_config")
    if found is None:
        newer = "layers" in file or "_layer_checkpoint_dependencies" in file
        what = "the weights of Keras 3 alone (.weights.h5)" if newer else "weights alone"
        cure = "save the whole network" if newer else "give config=, the JSON file of the network's graph"
        raise PredictorError(f"{path}: holds {what}, without the graph of layers; {cure}, {_SAVE_AGAIN}")
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)


def _text_of(config: str | os.PathLike[str]) -> str:
    if isinstance(config, str) and config.lstrip().startswith("{"):
        return config
    if not isinstance(config, str | os.PathLike):
        raise PredictorError(f"config={quoted(config)} is neither JSON text nor a path; give json.dumps(config)")
    return read_bytes(config, PredictorError, most=_MOST_CONFIG).decode("utf-8", "replace")


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
            elif isinstance(found, h5py.Dataset) and found.dtype.kind in "fiu" and math.prod(found.shape or (1,)):
                yield f"{before}{name}", np.asarray(found[()])


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
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        why = f"{type(error).__name__} {error}"
        raise PredictorError(f"{source}: is not the graph of a Keras network ({why[:80]}); {_SAVE_AGAIN}") from error


def _graph(kind: Any, config: Any, source: Path) -> KerasGraph:
    rows = config["layers"] if isinstance(config, dict) else config
    if not isinstance(rows, list) or not 0 < len(rows) <= _MOST_LAYERS:
        raise PredictorError(f"{source}: has no layers, or more than {_MOST_LAYERS:,}; {_SAVE_AGAIN}")
    if kind == "Sequential":
        built = config.get("build_input_shape") if isinstance(config, dict) else None
        return _inlined(_chain(rows, built), source)
    if kind not in _NESTED:
        raise PredictorError(
            f"{source}: is a {quoted(kind)}, a class of its own whose code is not read; only Sequential and "
            "functional networks can be: rebuild it from layers in Keras, or wrap its predict in "
            "cg.FunctionPredictor"
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
    inputs, outputs = _ends(config["input_layers"]), _ends(config["output_layers"])
    return _inlined(KerasGraph(layers, tuple(name for name, _, _ in inputs), outputs), source)


def _inlined(graph: KerasGraph, source: Path) -> KerasGraph:
    """Return a graph whose inner networks are replaced by their layers, called ``"network/layer"``.

    Those of several inputs or outputs, and those that use a layer twice, stay as they are.
    """
    layers: dict[str, KerasLayer] = {}
    ends: dict[str, str] = {}
    for name, layer in graph.layers.items():
        inner = _graph(layer.kind, layer.config, source) if layer.kind in _NESTED else None
        plain = inner is not None and len(inner.inputs) == len(inner.outputs) == 1
        once = plain and inner is not None and all(len(one.calls) <= 1 for one in inner.layers.values())
        if inner is None or not once or any(len(call) != 1 for call in layer.calls):
            layers[name] = layer
            continue
        ends[name] = f"{name}/{inner.outputs[0][0]}"
        for part in inner.layers.values():
            if part.name == inner.inputs[0]:
                layers[f"{name}/{part.name}"] = KerasLayer(f"{name}/{part.name}", "Activation", _LINEAR, layer.calls)
                continue
            calls = tuple(
                tuple((f"{name}/{before}", number, output) for before, _, output in part.calls[0])
                for number in range(len(layer.calls))
            )
            layers[f"{name}/{part.name}"] = KerasLayer(f"{name}/{part.name}", part.kind, part.config, calls)
    if not ends:
        return graph

    def moved(place: tuple[str, int, int]) -> tuple[str, int, int]:
        return (ends.get(place[0], place[0]), *place[1:])

    for name, layer in layers.items():
        calls = tuple(tuple(map(moved, call)) for call in layer.calls)
        layers[name] = KerasLayer(layer.name, layer.kind, layer.config, calls)
    return KerasGraph(layers, graph.inputs, tuple(map(moved, graph.outputs)))


def _input_shape(config: dict[str, Any]) -> Any:
    """Return the shape (n, ...) that a layer takes, or a network as a layer by its own first one; None if unsaid."""
    found = config.get("batch_shape") or config.get("batch_input_shape")
    rows = config.get("layers")
    return _input_shape(rows[0]["config"]) if found is None and isinstance(rows, list) and rows else found


def _chain(rows: list[Any], built: Any) -> KerasGraph:
    """Return the graph of a sequential network; its input layer may be left out in the file.

    `built` is the shape with which Keras made its weights, used where no layer names one.
    """
    layers: dict[str, KerasLayer] = {}
    before = None
    if rows[0]["class_name"] != "InputLayer":
        shape = _input_shape(rows[0]["config"]) or built
        layers["input"] = KerasLayer("input", "InputLayer", {"batch_input_shape": shape}, ())
        before = "input"
    for row in rows:
        name = row["config"]["name"]
        calls = () if before is None else (((before, 0, 0),),)
        layers[name] = KerasLayer(name, row["class_name"], row["config"], calls)
        before = name
    assert before is not None
    return KerasGraph(layers, (next(iter(layers)),), ((before, 0, 0),))


def _places(call: Any) -> tuple[tuple[str, int, int], ...]:
    """Return the inputs of one call, as Keras 2 writes them (lists) or Keras 3 (tensors in ``args``)."""
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


def _ends(value: Any) -> tuple[tuple[str, int, int], ...]:
    rows = [value] if isinstance(value[0], str) else value
    return tuple((str(one[0]), int(one[1]), int(one[2])) for one in rows)


def as_json(value: object) -> str:
    """Return settings as text of at most 80 characters, for messages."""
    return quoted(json.dumps(value))
