"""Keras HDF5 files: the graph of layers and their weights, read as data under guard; nothing in a file is executed."""

from __future__ import annotations

import json
import math
import os
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
        If the file is absent, no HDF5 file, unsafe to read, has no graph and none is given, or a graph without layers.
    """
    place = Path(path)
    start = read_start(place)
    if start.startswith(_ZIP):
        raise PredictorError(f"{place}: is a .keras archive, not HDF5; save the network as HDF5, {_SAVE_AGAIN}")
    if not start.startswith(_HDF5):
        raise PredictorError(f"{place}: is no HDF5 file; save the network as one, {_SAVE_AGAIN}")
    import h5py

    from causalgia.store import check_hdf5

    try:
        check_hdf5(place)
    except OutcomesError as error:
        raise PredictorError(str(error)) from error
    with h5py.File(place, "r") as file:
        given = _own_config(file, place) if config is None else _text_of(config)
        root = file.get("model_weights", file)
        weights = {name: dict(_arrays_of(root[name])) for name in root if isinstance(root[name], h5py.Group)}
    return graph_of(given, place if config is None else Path(config)), weights


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
    return read_bytes(config, PredictorError, most=2**26).decode("utf-8", "replace")


def _arrays_of(group: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the arrays below a group, by the last part of their names, without Keras' ``:0``."""
    import h5py

    left = [group]
    while left:
        here = left.pop()
        for name in here:
            found = here[name]
            if isinstance(found, h5py.Group):
                left.append(found)
            elif isinstance(found, h5py.Dataset) and found.dtype.kind in "fiu" and math.prod(found.shape or (1,)):
                yield name.split("/")[-1].split(":")[0], np.asarray(found[()])


def graph_of(text: str, source: Path) -> KerasGraph:
    """Return the graph in the JSON of a Keras model, sequential or functional.

    Raises
    ------
    PredictorError
        If it is no such JSON, or a layer calls itself (a nested network is a layer of that class: refused later).
    """
    found = parse_json(text, PredictorError, source=str(source))
    try:
        kind, config = found["class_name"], found["config"]
        rows = config["layers"] if isinstance(config, dict) else config
        if not isinstance(rows, list) or not 0 < len(rows) <= _MOST_LAYERS:
            raise PredictorError(f"{source}: has no layers, or more than {_MOST_LAYERS:,}; {_SAVE_AGAIN}")
        if kind == "Sequential":
            return _chain(rows)
        if kind not in ("Model", "Functional"):
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
        return KerasGraph(layers, tuple(name for name, _, _ in inputs), outputs)
    except PredictorError:
        raise
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        why = f"{type(error).__name__} {error}"
        raise PredictorError(f"{source}: is no graph of a Keras network ({why[:80]}); {_SAVE_AGAIN}") from error


def _chain(rows: list[Any]) -> KerasGraph:
    """Return the graph of a sequential network; its input layer may be left out in the file."""
    layers: dict[str, KerasLayer] = {}
    before = None
    if rows[0]["class_name"] != "InputLayer":
        shape = rows[0]["config"].get("batch_input_shape")
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
