"""Keras networks as PyTorch modules, through Keras 3 on torch; imported on demand."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import permutations
from pathlib import Path
from typing import Any, Literal

import h5py
import torch
from torch.overrides import TorchFunctionMode

os.environ.setdefault("KERAS_BACKEND", "torch")  # which keras reads at its import
import keras

from causalgia.errors import PredictorError, one_line, quoted
from causalgia.predict.predictor import Scale
from causalgia.predict.torch_predictor import TorchPredictor
from causalgia.predict.track import Reduce, Track

_KERAS_2 = {
    "Model": keras.Model,
    "Functional": keras.Model,
    "Sequential": keras.Sequential,
}
"""The classes of whole networks, which files of Keras 2 name without their module."""


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
) -> TorchPredictor:
    """Return the predictor of a Keras network, which Keras 3 runs on PyTorch.

    Networks of Keras 2 and 3 are read, without TensorFlow. A `Lambda` layer in a file
    is code and is refused, as Keras does by default; a network with layers of your own
    is given as a model in memory.

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
        An HDF5 file of ``model.save_weights``, loaded into the network.
    tasks
        A name for each output. By default those of several output layers, else as for
        `TorchPredictor`.
    scale, alphabet, device, batch_size, reduce, rc_average, track, opposite, length
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
        If Keras cannot read a file, the network has several inputs, no weights yet, or
        an input whose shape does not say which axis is which, or Keras was imported
        with another backend.
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
    files = (one for one in (model, weights) if isinstance(one, str | os.PathLike))
    source = " with weights ".join(str(Path(one)) for one in files)
    try:
        if isinstance(model, str | os.PathLike):
            model = _read(Path(model), whole=weights is None)
        if weights is not None:
            model.load_weights(Path(weights))
    except Exception as error:  # of keras, h5py, zipfile, json: files of any content
        raise PredictorError(f"{source}: {one_line(error)}") from error
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
    )


def _read(path: Path, *, whole: bool) -> keras.Model:
    """Return the model of a file; of JSON, and of HDF5 that is not `whole`, without its
    weights.
    """
    if path.suffix == ".keras":
        return keras.saving.load_model(path, compile=False)
    if path.suffix == ".json":
        graph = json.loads(path.read_text("utf-8"))
    else:
        with h5py.File(path) as file:
            graph = json.loads(file.attrs["model_config"])
    config = graph["config"]
    if graph["class_name"] == "Sequential":  # until 2019 it had no name and no input
        config.setdefault("name", "sequential")
        first = config["layers"][0]
        if (
            first["class_name"] != "InputLayer"
            and "batch_input_shape" in first["config"]
        ):
            shape = first["config"].pop("batch_input_shape")
            given = {"name": "input", "batch_input_shape": shape}
            config["layers"].insert(0, {"class_name": "InputLayer", "config": given})
    model = keras.models.model_from_json(json.dumps(graph), custom_objects=_KERAS_2)
    if whole:
        model.load_weights(path)
    return model


def _input_order(shape: tuple[int | None, ...] | None) -> tuple[int, ...]:
    """Return the place of each axis of the model's input among (n, 4, length) or (n, 1,
    4, length).
    """
    if shape is None:
        return (0, 2, 1)
    if len(shape) == 2:
        return (0, 1, 2) if shape[0] == 4 != shape[1] else (0, 2, 1)
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
        self.order = _input_order(None if inputs is None else inputs[0].shape[1:])
        ends: Any = getattr(model, "output", None)  # a Sequential, of one end, has none
        several = isinstance(ends, list | tuple) and len(ends) > 1
        one_number_each = several and all(end.shape[1:] == (1,) for end in ends)
        self.heads = list(model.output_names) if one_number_each else None
        self.config = json.dumps(model.get_config())
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
