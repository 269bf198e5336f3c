"""Predictors of published networks, made of their published files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from causalgia import predict
from causalgia.errors import MissingExtraError, PredictorError, install_command, quoted
from causalgia.networks.deposits import converted_files, deposit_of, files_of, part_of
from causalgia.predict.track import Reduce, Track

#: the first of the answers of OpenSpliceAI is that of base 40
_TRACKS = {"openspliceai": Track(origin=-40)}


def load(
    name: str,
    *,
    reduce: Reduce = None,
    device: Any = "auto",
    batch_size: int | Literal["auto"] = "auto",
) -> predict.Predictor:
    """Return the predictor of a published network, whose files `fetch` provides.

    Parameters
    ----------
    name
        A name of `causalgia.networks.list`; of several trainings ``"name/part"`` is one
        of them, and the name alone an `causalgia.Ensemble` of all.
    reduce
        As for `causalgia.TorchPredictor`: of a network that answers at every base,
        windows of that track, in which positions are those of the sequence.
    device, batch_size
        As for `causalgia.TorchPredictor`.

    Returns
    -------
    TorchPredictor or Ensemble
        With the tasks and the scale of the network, in evaluation mode.

    Raises
    ------
    PredictorError
        As `causalgia.networks.fetch`; if the files of a name are networks of different
        data, of which one must be chosen.
    MissingExtraError
        If torch is not installed, keras where the deposit is a Keras network, or pooch
        where a file must be downloaded.

    Examples
    --------
    >>> import causalgia as cg
    >>> predictor = cg.networks.load("deepstarr")  # doctest: +SKIP
    >>> predictor.tasks  # doctest: +SKIP
    ('dev', 'hk')
    >>> donor = cg.Window("donor", 90, 91)  # doctest: +SKIP
    >>> splicing = cg.networks.load(
    ...     "openspliceai_mane_80", reduce=donor
    ... )  # doctest: +SKIP
    """
    one = deposit_of(name.partition("/")[0])
    several = len(one.get("converted", [])) > 1 and "/" not in name
    if several and not one["retrainings"]:
        names = [f"{name}/{part_of(file)}" for file in one["converted"]]
        raise PredictorError(
            f"{quoted(name)} is {len(names)} networks: load one, {', '.join(names)}"
        )
    settings: dict[str, Any] = {
        "tasks": one["tasks"],
        "scale": one["scale"],
        "device": device,
        "batch_size": batch_size,
        "reduce": reduce,
        "track": _TRACKS.get(one.get("architecture", "")),
    }
    is_keras = any(file["file"].endswith(".json") for file in one.get("files", []))
    converted = converted_files(name)
    # an extra that is absent is named before anything is downloaded
    make: Any = predict.TorchPredictor
    if is_keras and not converted:
        make = predict.from_keras
    made: predict.TorchPredictor
    if converted:
        members = {
            path: _of_converted(one["architecture"], file, settings)
            for path, file in converted.items()
        }
        return predict.Ensemble(members) if several else next(iter(members.values()))
    files = files_of(name, "files")
    if is_keras:
        graph, weights = sorted(files.values(), key=lambda path: path.suffix != ".json")
        made = make(graph, weights=weights, **settings)
        return made
    import torch

    from causalgia.networks.torch_networks import explainn

    (weights,) = files.values()
    state = torch.load(weights, map_location="cpu", weights_only=True)
    made = make(explainn(state), **settings)
    return made


def _of_converted(
    architecture: str, path: Path, settings: dict[str, Any]
) -> predict.TorchPredictor:
    """Return the predictor of a converted file, which names its tasks where those of its
    kind differ.
    """
    make: Any = predict.TorchPredictor
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise MissingExtraError(
            f"weights in safetensors need safetensors ({error}): "
            f"{install_command('torch')}"
        ) from error
    from causalgia.networks.torch_networks import converted

    with safe_open(str(path), "pt") as file:
        says = file.metadata() or {}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tasks = settings["tasks"] or json.loads(says["tasks"])
    made: predict.TorchPredictor = make(
        converted(architecture, state, says), **settings | {"tasks": tasks}
    )
    return made
