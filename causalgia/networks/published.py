"""Predictors of published networks, made of their published files."""

from __future__ import annotations

from typing import Any, Literal

from causalgia import predict
from causalgia.networks.deposits import deposit_of, files_of


def load(
    name: str,
    *,
    device: Any = "auto",
    batch_size: int | Literal["auto"] = "auto",
) -> predict.TorchPredictor:
    """Return the predictor of a published network, whose files `fetch` provides.

    Parameters
    ----------
    name
        A name of `causalgia.networks.list`.
    device, batch_size
        As for `causalgia.TorchPredictor`.

    Returns
    -------
    TorchPredictor
        With the tasks and the scale of the network, in evaluation mode.

    Raises
    ------
    PredictorError
        As `causalgia.networks.fetch`.
    MissingExtraError
        If torch is not installed, keras where the deposit is a Keras network, or pooch
        where a file must be downloaded.

    Examples
    --------
    >>> import causalgia as cg
    >>> predictor = cg.networks.load("deepstarr")  # doctest: +SKIP
    >>> predictor.tasks  # doctest: +SKIP
    ('dev', 'hk')
    """
    one = deposit_of(name)
    is_keras = any(file["file"].endswith(".json") for file in one["files"])
    # an extra that is absent is named before anything is downloaded
    make: Any = predict.from_keras if is_keras else predict.TorchPredictor
    files = files_of(name, "files")
    settings: dict[str, Any] = {
        "tasks": one["tasks"],
        "scale": one["scale"],
        "device": device,
        "batch_size": batch_size,
    }
    made: predict.TorchPredictor
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
