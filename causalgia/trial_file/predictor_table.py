"""What a trial chooses besides its design and its analysis: the predictor that is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, Literal

from causalgia.errors import DesignError, quoted


@dataclass(frozen=True, kw_only=True)
class PredictorSpec:
    """Which predictor a trial asks: one of the zoo by name, or the user's own factory.

    Parameters
    ----------
    zoo
        Name of a predictor of the zoo.
    factory
        Instead: ``"my_net.py:load"``, a file and a function in it, or ``"net.onnx"``, a network in an ONNX file.
    weights
        A safetensors file that the factory's network gets.
    alphabet
        The letters of the network's one-hot rows, in order.
    tasks
        A name for each output.
    scale
        What the outputs are measured on.
    device
        Where it runs, unless the command line says otherwise: auto, cpu, cuda (or cuda:1), mps; a predictor of the
        zoo runs on the CPU.
    batch_size
        Sequences per forward pass, or ``"auto"``.

    Raises
    ------
    DesignError
        If there is no such device, or the predictor does not run there.

    Examples
    --------
    >>> PredictorSpec(factory="my_net.py:load", weights="net.safetensors").describe()
    'my_net.py:load with net.safetensors'
    """

    zoo: str | None = None
    factory: str | None = None
    weights: str | None = None
    alphabet: str | None = None
    tasks: tuple[str, ...] | None = None
    scale: str | None = None
    device: str = "auto"
    batch_size: int | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        check_device(self.device, zoo=self.zoo is not None, said="[predictor]: device")

    def to_dict(self) -> dict[str, Any]:
        """Return what was chosen as TOML-ready data."""
        pairs = ((field, getattr(self, field.name)) for field in fields(self))
        return {f.name: list(v) if isinstance(v, tuple) else v for f, v in pairs if v != f.default}

    def describe(self) -> str:
        """Return the predictor in a few words."""
        if self.zoo is not None:
            return f"zoo: {self.zoo}"
        return str(self.factory) + ("" if self.weights is None else f" with {self.weights}")


def check_device(device: str, *, zoo: bool, said: str) -> None:
    """Raise DesignError where there is no such device or a predictor of the zoo is not on the CPU.

    Examples
    --------
    >>> check_device("mps", zoo=True, said="--device")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: --device = 'mps': a predictor of the zoo runs on the CPU; say cpu or auto
    """
    if re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device) is None:
        cure = "say one of auto, cpu, cuda (or cuda:0, cuda:1, ...), mps"
        raise DesignError(f"{said} = {quoted(device)} is no device; {cure}")
    if zoo and device not in ("auto", "cpu"):
        raise DesignError(f"{said} = {quoted(device)}: a predictor of the zoo runs on the CPU; say cpu or auto")
