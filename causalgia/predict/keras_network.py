"""Keras networks as PyTorch modules, through Keras 3 on torch; imported on demand."""

from __future__ import annotations

import inspect
import io
import json
import os
import re
import zipfile
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import h5py
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from causalgia.errors import PredictorError, comma_list, printable, quoted

if os.environ.setdefault("KERAS_BACKEND", "torch") != "torch":  # read by its import
    raise PredictorError(
        f"KERAS_BACKEND is {quoted(os.environ['KERAS_BACKEND'])}, and torch is needed: "
        "KERAS_BACKEND=torch"
    )
import keras

from causalgia.predict.predictor import Scale
from causalgia.predict.torch_predictor import TorchPredictor
from causalgia.predict.track import Reduce, Track


def from_keras(
    model: str | os.PathLike[str] | keras.Model,
    *,
    weights: str | os.PathLike[str] | None = None,
    tasks: Sequence[str] | None = None,
    scale: Scale = "outcome",
    alphabet: str = "ACGT",
    device: str | torch.device = "auto",
    batch_size: int | Literal["auto"] = "auto",
    reduce: Reduce = None,
    rc_average: bool = False,
    track: Track | None = None,
    opposite: Sequence[tuple[str, str]] = (),
    length: int | None = None,
    dtype: torch.dtype | str | None = None,
) -> TorchPredictor:
    """Return the predictor of a Keras network, which Keras 3 runs on PyTorch.

    Networks of Keras 2 and 3 are read, without TensorFlow. A `Lambda` layer in a file
    is code and is refused; so are layers that Keras 3 lacks. A network with layers of
    your own is given as a model in memory.

    Average pooling with ``padding="same"`` leaves the padding out of the mean, as on
    TensorFlow and JAX; Keras on torch does not, and a model in memory is changed so.

    The input is (length, 4) or (4, length), or an image of these with an axis of size 1
    at any place, such as (length, 4, 1) or (1, length, 4): the shape in the model says
    where positions and bases lie.

    Parameters
    ----------
    model
        A ``.keras`` file, a whole ``.h5`` or ``.hdf5`` file (``model.save``), a
        ``.json`` file (``model.to_json()``) whose ``weights=`` are given, or a
        `keras.Model` in memory, which is used, not copied.
    weights
        A file of ``model.save_weights`` whose layers are those of the network.
    tasks
        A name for each output. By default those of several output layers, else as for
        `TorchPredictor`.
    scale, alphabet, device, batch_size, reduce, rc_average, track, opposite, length, \
dtype
        As for `TorchPredictor`. Keras has positions before tasks:
        ``track=cg.Track(axis=1)``.

    Returns
    -------
    TorchPredictor
        Its ``module`` takes one-hot (n, 4, length) and returns what the model does in
        inference mode; a list of outputs of one number each is joined to columns, other
        lists are for ``reduce=``.

    Raises
    ------
    PredictorError
        If a file cannot be read whole, or its layers are not those of the model; if the
        network has several inputs, no weights yet, or an input whose shape does not say
        which axis is which; or if Keras has another backend.
    MissingExtraError
        If keras is not installed.

    Examples
    --------
    >>> import os, numpy as np
    >>> os.environ["KERAS_BACKEND"] = "torch"  # before keras is imported
    >>> import keras
    >>> net = keras.Sequential(
    ...     [
    ...         keras.Input((4, 4)),
    ...         keras.layers.Conv1D(1, 2, use_bias=False),
    ...         keras.layers.GlobalMaxPooling1D(),
    ...     ]
    ... )
    >>> net.set_weights([np.eye(4)[[2, 0]][:, :, None]])  # G, then A
    >>> from_keras(net, tasks=["GA"]).predict(
    ...     np.array([[0, 2, 0, 3], [2, 2, 3, 0]], np.uint8)
    ... )
    array([[2.],
           [1.]], dtype=float32)
    """
    if keras.backend.backend() != "torch":
        raise PredictorError(
            f"keras was imported with the backend {keras.backend.backend()}, and torch "
            "is needed (KERAS_BACKEND=torch before its import)"
        )
    paths = [
        Path(one) for one in (model, weights) if isinstance(one, str | os.PathLike)
    ]
    source = " with weights ".join(map(str, paths))
    try:
        for path in paths:
            if path.is_dir():
                raise PredictorError(
                    f"{path.name} is a folder, such as a SavedModel, and Keras 3 reads "
                    "files: .keras, .h5"
                )
            if not path.is_file():
                raise PredictorError("there is no such file")
        if isinstance(model, str | os.PathLike):
            model = _read(Path(model), whole=weights is None)
        elif not isinstance(model, keras.Model):
            raise PredictorError(
                f"model is {quoted(model)}; the path of a file or a keras.Model is taken"
            )
        if weights is not None:
            _load_weights(model, Path(weights))
    except PredictorError as error:
        raise PredictorError(f"{source}: {error}" if paths else str(error)) from error
    except Exception as error:  # of keras, h5py, zipfile, json: files of any content
        raise PredictorError(f"{source}: {_reason(error)}") from error
    network = KerasNetwork(model)
    return TorchPredictor(
        network,
        tasks=network.heads if tasks is None else tasks,
        scale=scale,
        alphabet=alphabet,
        device=device,
        batch_size=batch_size,
        reduce=reduce,
        rc_average=rc_average,
        track=track,
        opposite=opposite,
        length=length,
        dtype=dtype,
    )


def _reason(error: Exception) -> str:
    """Return the reason that Keras gives, without the configs that it writes around."""
    text = str(error).rsplit("Exception encountered: ", 1)[-1]
    text = re.split(r"(?:Full object )?config(?: ?=|:)", text, maxsplit=1)[0]
    return f"{type(error).__name__}: {printable(' '.join(text.split()))[:200]}"


def _read(path: Path, *, whole: bool) -> keras.Model:
    """Return the model of a file; of JSON, and of HDF5 that is not `whole`, without its
    weights.
    """
    if path.suffix == ".keras":
        try:
            with zipfile.ZipFile(path) as archive:
                graph = json.loads(archive.read("config.json"))
                version = json.loads(archive.read("metadata.json"))["keras_version"]
        except (zipfile.BadZipFile, KeyError) as error:
            raise PredictorError(
                f"it is cut short or no .keras archive ({_reason(error)})"
            ) from error
        if not _is_2(version):
            return keras.saving.load_model(path, compile=False)
    elif path.suffix == ".json":
        if whole:
            raise PredictorError("it has no weights: weights= takes their file")
        graph = json.loads(path.read_text("utf-8"))
        version = graph.get("keras_version", "3" if "module" in graph else "2")
    else:
        with h5py.File(path) as file:
            if "model_config" not in file.attrs:
                raise PredictorError("it has weights and no model (its JSON is needed)")
            graph = json.loads(file.attrs["model_config"])
            version = file.attrs.get("keras_version", "2")
    if path.suffix != ".json" or _is_2(version):
        graph = _as_keras_3(graph, is_2=_is_2(version))
    model = keras.models.model_from_json(json.dumps(graph))
    if not isinstance(model, keras.Model):
        raise PredictorError("it is not the config of a model")
    if path.suffix == ".keras":  # of Keras 2: its weights have no names, but an order
        given = [one["config"]["name"] for one in graph["config"]["layers"]]
        made = [layer.name for layer in model.layers]
        if [name for name in given if name in made] != made:
            raise PredictorError("its layers have another order in Keras 3")
    if _is_2(version):
        for layer in model._flatten_layers():
            for place in ("activation", "recurrent_activation"):
                if vars(layer).get(place) is keras.activations.hard_sigmoid:
                    setattr(layer, place, hard_sigmoid_of_keras_2)
    if whole:
        _load_weights(model, path)
    return model


def _is_2(version: str | bytes) -> bool:
    text = version.decode() if isinstance(version, bytes) else version
    return int(text.split(".")[0]) < 3


@keras.saving.register_keras_serializable("causalgia")  # type: ignore[untyped-decorator]
def hard_sigmoid_of_keras_2(x: Any) -> Any:
    """Return the `hard_sigmoid` of Keras 2; that of Keras 3 has a slope of 1/6."""
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


_NETWORKS = {
    "Model": ("keras.src.models.functional", "Functional"),
    "Functional": ("keras.src.models.functional", "Functional"),
    "Sequential": ("keras", "Sequential"),
}
"""Module and name, in files of Keras 3, of the classes of whole networks."""

_OF_TRAINING = ("_initializer", "_regularizer", "_constraint")
_WITHOUT_EFFECT = {
    "trainable",
    "implementation",
    "fused",
    "batch_input_shape",
    "query_shape",
    "key_shape",
    "value_shape",
}


def _as_keras_3(item: Any, *, is_2: bool) -> Any:
    """Return the config of a layer, and of those in it, as files of Keras 3 have it.

    What changes no number once weights are loaded is left out: how weights begin and
    are trained, and options that Keras 3 lacks, where they are off.
    """
    if isinstance(item, list):
        return [_as_keras_3(one, is_2=is_2) for one in item]
    if not isinstance(item, dict) or not {"class_name", "config"} <= item.keys():
        return item
    kind, config = item["class_name"], item["config"]
    if kind in _NETWORKS:
        module, kind = _NETWORKS[kind]
        if isinstance(config, list):  # a Sequential, until 2018
            config = {"layers": config}
        config = {"name": kind.lower(), **config}
        if kind == "Sequential":
            config["layers"] = _with_input(config["layers"])
        elif is_2:
            config = _calls_as_keras_3(config)
        config["layers"] = _as_keras_3(config["layers"], is_2=is_2)
        config.pop("build_input_shape", None)
    elif hasattr(keras.layers, kind) and kind != "Lambda":
        module, config = "keras.layers", _layer_config(kind, config, is_2=is_2)
    elif "inbound_nodes" in item or "name" in config:
        if kind == "Lambda":
            raise PredictorError(
                f"layer {quoted(config.get('name'))} is a Lambda, which is code"
            )
        if (
            keras.saving.get_registered_object(item.get("registered_name", kind))
            is None
        ):
            raise PredictorError(
                f"layer {quoted(config.get('name'))} is a {kind}, which Keras 3 lacks"
            )
        return item
    else:
        return item
    kept = {key: item[key] for key in ("name", "inbound_nodes") if key in item}
    known = {"module": module, "class_name": kind, "config": config}
    return {**kept, **known, "registered_name": None}


def _layer_config(kind: str, config: dict[str, Any], *, is_2: bool) -> dict[str, Any]:
    made = {
        key: value if key == "dtype" else _as_keras_3(value, is_2=is_2)
        for key, value in config.items()
        if not key.endswith(_OF_TRAINING) and key not in _WITHOUT_EFFECT
    }
    if kind == "InputLayer":
        if "batch_input_shape" in config:
            made["batch_shape"] = config["batch_input_shape"]
    elif kind == "LeakyReLU" and "alpha" in made:
        made["negative_slope"] = made.pop("alpha")
    elif kind == "GRU" and is_2:  # the option came with 2.1, and with this default
        made.setdefault("reset_after", False)
    if isinstance(made.get("dtype"), dict):
        made["dtype"] = made["dtype"]["config"]["name"]
    if kind == "BatchNormalization" and isinstance(made.get("axis"), list):
        (made["axis"],) = made["axis"]
    known: set[str] = set()
    for one in getattr(keras.layers, kind).__mro__:
        taken = inspect.signature(one.__init__).parameters
        known |= taken.keys()
        if not any(part.kind is part.VAR_KEYWORD for part in taken.values()):
            break
    for key in made.keys() - known:
        value = made.pop(key)
        if value is not None and value is not False and (key, value) != ("groups", 1):
            raise PredictorError(
                f"layer {quoted(config.get('name'))} ({kind}) has {key}="
                f"{quoted(value)}, which Keras 3 lacks"
            )
    return made


def _with_input(layers: list[Any]) -> list[Any]:
    """Return the layers of a Sequential after an InputLayer: until 2019 the first layer
    had the shape.
    """
    first = layers[0]
    if (
        first["class_name"] == "InputLayer"
        or "batch_input_shape" not in first["config"]
    ):
        return layers
    shape = first["config"]["batch_input_shape"]
    given = {"name": "input", "batch_input_shape": shape}
    return [{"class_name": "InputLayer", "config": given}, *layers]


def _calls_as_keras_3(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a functional network with the calls of its layers as Keras 3
    reads them: tensors marked as such among keywords too, and the calls of a network
    in it counted from 0 (Keras 2 had counted its making as well).
    """
    made = {one["name"]: len(one["inbound_nodes"]) for one in config["layers"]}
    kinds = {one["name"]: one["class_name"] for one in config["layers"]}
    last = dict.fromkeys(made, 0)

    def is_call(item: Any) -> bool:
        return (
            isinstance(item, list)
            and len(item) in (3, 4)
            and isinstance(item[0], str)
            and item[0] in made
            and isinstance(item[1], int)
        )

    def look(item: Any) -> None:
        if is_call(item):
            last[item[0]] = max(last[item[0]], item[1])
        for one in item.values() if isinstance(item, dict) else item:
            if isinstance(one, dict | list):
                look(one)

    def counted(call: list[Any]) -> list[Any]:
        name, number, end = call[:3]
        first = last[name] - made[name] + 1
        return [name, number - first * (kinds[name] in _NETWORKS), end]

    def tensors(item: Any) -> Any:
        if is_call(item):
            about = {"shape": [], "dtype": "float32", "keras_history": counted(item)}
            return {"class_name": "__keras_tensor__", "config": about}
        if isinstance(item, dict):
            return {key: tensors(value) for key, value in item.items()}
        return list(map(tensors, item)) if isinstance(item, list) else item

    def node(calls: list[Any]) -> dict[str, Any]:
        if is_call(calls):  # of a layer that takes no list
            calls = [calls]
        given = tensors([call[:3] for call in calls])
        keywords = calls[0][3] if len(calls[0]) == 4 else {}
        return {
            "args": [given[0] if len(given) == 1 else given],
            "kwargs": tensors(keywords),
        }

    def ends(item: Any) -> Any:
        if is_call(item):
            return counted(item)
        if isinstance(item, dict):
            return {key: ends(value) for key, value in item.items()}
        return list(map(ends, item))

    places = ("input_layers", "output_layers")
    look([one["inbound_nodes"] for one in config["layers"]])
    look([config[place] for place in places])
    config = {**config, **{place: ends(config[place]) for place in places}}
    config["layers"] = [
        {**one, "inbound_nodes": list(map(node, one["inbound_nodes"]))}
        for one in config["layers"]
    ]
    return config


def _load_weights(model: keras.Model, path: Path) -> None:
    """Load a file's weights into a model that has a place for each of them.

    Keras goes by the order of layers, and reads no more than it has places for.
    """
    of_file = _weights_of(path)
    legacy = path.suffix != ".keras" and not path.name.endswith(".weights.h5")
    if not legacy:
        with TemporaryDirectory() as folder:
            saved = Path(folder) / "own.weights.h5"
            model.save_weights(saved)
            of_model = _weights_of(saved)
        for some, others, lacks in (
            (of_file, of_model, "the model lacks"),
            (of_model, of_file, "the file lacks, of those of the model"),
        ):
            apart = [place for place in some if place not in others]
            if apart:
                raise PredictorError(f"weights that {lacks}: {comma_list(apart)}")
        pairs = [
            (place.rsplit("/", 1)[-1], of_file[place], name)
            for place, name in of_model.items()
        ]
    else:
        layers = [layer for layer in model.layers if layer.weights]
        if len(layers) != len(of_file):
            apart = sorted({layer.name for layer in layers} ^ {*of_file})
            raise PredictorError(
                f"it has weights of {len(of_file)} layers and the model {len(layers)}; "
                f"in one of them only: {comma_list(apart)}"
            )
        pairs = [
            (type(layer).__name__, name, layer.name)
            for name, layer in zip(of_file, layers, strict=True)
        ]
    pairs = [(kind, name, own) for kind, name, own in pairs if name and own]
    names, owns = [name for _, name, _ in pairs], [own for *_, own in pairs]
    reordered = names != owns and sorted(names) == sorted(owns)
    if legacy and reordered:
        model.load_weights(path, by_name=True)
        return
    for kind, name, own in pairs:
        by_hand = not _counted(name, kind) and not _counted(own, kind)
        if name != own and (by_hand or reordered):
            raise PredictorError(
                f"the weights of its layer {quoted(name)} would be those of the "
                f"model's layer {quoted(own)}: name layers alike, in one order"
            )
    model.load_weights(path)


def _counted(name: str, kind: str) -> bool:
    """Return whether a layer's name is what Keras calls those of its class."""
    name, kind = (re.sub(r"_\d+$", "", one) for one in (name, kind))
    return name.replace("_", "") == kind.replace("_", "").lower()


def _weights_of(path: Path) -> dict[str, str]:
    """Return the names, where there are any, of layers with weights by their place in
    a file.
    """
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            held: Any = io.BytesIO(archive.read("model.weights.h5"))
    else:
        held = path
    found: dict[str, str] = {}
    with h5py.File(held) as file:
        root = file.get("model_weights", file)
        if "layer_names" in root.attrs or "layer_names0" in root.attrs:
            for name in _listed(root, "layer_names"):
                if _listed(root[name], "weight_names"):
                    found[name] = name
            return found

        def note(place: str, item: Any) -> None:
            parts = place.split("/")
            if (
                isinstance(item, h5py.Dataset)
                and parts[0] == "layers"
                and "seed_generator" not in parts
            ):
                last = max(i for i, part in enumerate(parts) if part == "layers") + 2
                layer = "/".join(parts[:last])
                about = file[layer].get("vars")
                name = "" if about is None else about.attrs.get("name", "")
                found[layer] = name.decode() if isinstance(name, bytes) else name

        file.visititems(note)
    return found


def _listed(group: h5py.Group, key: str) -> list[str]:
    """Return a list among a group's attributes, which are cut in several if long."""
    keys = [key, *(f"{key}{i}" for i in range(len(group.attrs)))]
    names = [name for one in keys if one in group.attrs for name in group.attrs[one]]
    return [name.decode() if isinstance(name, bytes) else name for name in names]


def _input_order(shape: tuple[int | None, ...] | None) -> tuple[int, ...]:
    """Return the place of each axis of the model's input among (n, 4, length) or (n, 1,
    4, length).
    """
    if shape is None:
        return (0, 2, 1)
    if len(shape) == 2:
        if shape[1] == 4 or shape == (None, None):
            return (0, 2, 1)
        if shape[0] == 4:
            return (0, 1, 2)
    sizes = {1: 1, 2: 4}
    orders = [
        (0, *order)
        for order in permutations((1, 2, 3))
        if len(shape) == 3
        and all(
            sizes.get(axis, size) == size
            for size, axis in zip(shape, order, strict=True)
        )
    ]
    if len(orders) != 1:
        raise PredictorError(
            f"the model's input has shape {quoted(shape)}; (length, 4), (4, length), or "
            "these with one more axis of size 1 in one way are taken"
        )
    return orders[0]


class KerasNetwork(torch.nn.Module):
    """A Keras model as a module of torch: one-hot (n, 4, length) to what the model
    answers.

    The model's variables are parameters here by their number: the names that Keras
    gives count what the process made before. What draws random numbers in training is
    no part of the module.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        if not model.built:
            raise PredictorError(
                f"the model {quoted(model.name)} has no weights yet: it was never built"
            )
        inputs = getattr(model, "inputs", None)  # a class of the user's may have none
        if inputs is not None and len(inputs) != 1:
            raise PredictorError(
                f"the model {quoted(model.name)} has {len(inputs)} inputs; one, the "
                "sequence, is taken"
            )
        for part in [*model._flatten_layers(), *getattr(model, "operations", ())]:
            if "AveragePool" in type(part).__name__ and (
                getattr(part, "padding", None) == "same"
            ):
                part.call = partial(_average, part)
        self.order = _input_order(None if inputs is None else inputs[0].shape[1:])
        ends: Any = getattr(model, "output", None)  # a Sequential, of one end, has none
        if isinstance(ends, list | tuple) and not all(
            hasattr(e, "shape") for e in ends
        ):
            raise PredictorError(
                f"the model {quoted(model.name)} has outputs within outputs"
            )
        several = isinstance(ends, list | tuple) and len(ends) > 1
        one_number_each = several and all(end.shape[1:] == (1,) for end in ends)
        self.heads = list(model.output_names) if one_number_each else None
        self.config = json.dumps(_with_numbers(model.get_config()))
        self.layers = [type(layer) for layer in model._flatten_layers()]
        self._model = (model,)  # in a tuple, or torch would make it a part
        for i, variable in enumerate(model.weights):
            self.register_parameter(f"weight{i}", variable.value)

    def forward(self, x: torch.Tensor) -> Any:
        """Return the model's answer in inference mode; heads of one number each are
        joined.
        """
        x = (x if len(self.order) == 3 else x.unsqueeze(1)).permute(self.order)
        double = _Double() if x.dtype is torch.float64 else nullcontext()
        with keras.device(str(x.device)), double:
            made = self._model[0](x, training=False)
        if isinstance(made, list | tuple) and all(y.shape[1:] == (1,) for y in made):
            return torch.cat(list(made), dim=1)
        return made

    def __reduce__(self) -> Any:
        dtype = next((one.dtype for one in self.parameters()), torch.float32)
        return type(self), self._model, dtype

    def __setstate__(self, state: Any) -> None:
        self.to(state)


def _average(pooling: Any, x: torch.Tensor) -> torch.Tensor:
    """Return means over windows that leave out what pads the ends, as TensorFlow and
    JAX compute them; Keras on torch repeats the last value where one end has more.
    """
    last = pooling.data_format == "channels_last"
    x = x.movedim(-1, 1) if last else x
    pads: list[int] = []
    sizes = zip(x.shape[2:], pooling.pool_size, pooling.strides, strict=True)
    for size, width, stride in sizes:
        pad = max((-(-size // stride) - 1) * stride + width - size, 0)
        pads = [pad // 2, pad - pad // 2, *pads]
    pool = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)
    sums, shares = (
        pool[x.ndim - 3](functional.pad(one, pads), pooling.pool_size, pooling.strides)
        for one in (x, torch.ones_like(x[:1, :1]))
    )
    return (sums / shares).movedim(1, -1) if last else sums / shares


def _with_numbers(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a network with its layers named by their number."""
    numbers: dict[str, str] = {}

    def renamed(item: Any, *, anywhere: bool = False) -> Any:
        if isinstance(item, dict):
            return {
                key: numbers.setdefault(value, f"#{len(numbers)}")
                if key == "name" and isinstance(value, str)
                else renamed(value, anywhere=anywhere or key in _GRAPH)
                for key, value in item.items()
            }
        if isinstance(item, list | tuple):
            return [renamed(one, anywhere=anywhere) for one in item]
        return numbers.get(item, item) if anywhere and isinstance(item, str) else item

    made: dict[str, Any] = renamed(config)
    return made


_GRAPH = ("inbound_nodes", "input_layers", "output_layers")


class _Double(TorchFunctionMode):
    """Answers float64 where float32 is asked for: Keras promotes nothing to float64."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return func(
            *map(_doubled, args),
            **{name: _doubled(value) for name, value in (kwargs or {}).items()},
        )


def _doubled(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value
