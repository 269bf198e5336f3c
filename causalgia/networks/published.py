"""Predictors of published networks, made of their published files."""

from __future__ import annotations

from typing import Any, Literal

from causalgia import predict
from causalgia.errors import MissingExtraError, install_command
from causalgia.networks.deposits import deposit_of, fetch


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
        If torch is not installed, or pooch where a file must be downloaded.

    Examples
    --------
    >>> import causalgia as cg
    >>> predictor = cg.networks.load("deepstarr")  # doctest: +SKIP
    >>> predictor.tasks  # doctest: +SKIP
    ('dev', 'hk')
    """
    one = deposit_of(name)
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(
            f"the network {name} needs PyTorch: {install_command('torch')}"
        ) from error
    from causalgia.predict import TorchPredictor, from_keras_h5

    files = fetch(name)
    settings: dict[str, Any] = {
        "tasks": one["tasks"],
        "scale": one["scale"],
        "device": device,
        "batch_size": batch_size,
    }
    graphs = [path for path in files.values() if path.suffix == ".json"]
    if graphs:
        (weights,) = (path for path in files.values() if path not in graphs)
        return from_keras_h5(weights, config=graphs[0], **settings)
    from causalgia.networks.torch_networks import explainn

    (weights,) = files.values()
    state = torch.load(weights, map_location="cpu", weights_only=True)
    return TorchPredictor(explainn(state), **settings)
