"""What a trial chooses besides its design: the predictor that is asked, and what is asked of the outcomes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from causalgia.errors import DesignError
from causalgia.trial.tables import ANALYSIS, check_table


@dataclass(frozen=True, kw_only=True)
class PredictorSpec:
    """Which predictor a trial asks: one of the zoo by name, or the user's own factory.

    Parameters
    ----------
    zoo
        Name of a predictor of the zoo.
    factory
        Instead: ``"my_net.py:load"``, a file and a function in it.
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
        return _said(self)

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
        raise DesignError(f"{said} = {device!r} is no device; {cure}")
    if zoo and device not in ("auto", "cpu"):
        raise DesignError(f"{said} = {device!r}: a predictor of the zoo runs on the CPU; say cpu or auto")


@dataclass(frozen=True, kw_only=True)
class AnalysisSpec:
    """What will be asked of the outcomes, fixed before they are seen.

    `control`, `contrasts`, `interaction` and `scale` go to `causalgia.contrast`; `cluster`, `block`, `covariates`,
    `target`, `ci_prob` and `weights` to `causalgia.estimate`; `adjust` and `family` to `causalgia.adjust`. The rest
    (`rope`, `error`, `level`, `families`, `prior`) is kept with the outcomes for the verbs that give verdicts.

    Examples
    --------
    >>> AnalysisSpec(control="placebo", rope=(-0.1, 0.1)).for_verdicts
    ('rope',)
    """

    control: str | None = None
    contrasts: Mapping[str, Mapping[str, float]] | None = None
    interaction: tuple[str, ...] | None = None
    scale: str = "identity"
    cluster: str = "auto"
    block: str | None = None
    covariates: tuple[str, ...] | None = None
    target: str = "population"
    ci_prob: float = 0.95
    weights: str = "units"
    adjust: str | None = None
    family: str | None = None
    rope: tuple[float, float] | str | None = None
    error: str | None = None
    level: float | None = None
    families: Any = None
    prior: Any = None

    @property
    def for_verdicts(self) -> tuple[str, ...]:
        """The choices made here that `estimate` does not use."""
        return tuple(key for key in ("rope", "error", "level", "families", "prior") if getattr(self, key) is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return what was chosen as TOML-ready data."""
        return _said(self)

    def to_json(self) -> str:
        """Return what was chosen as one line of JSON, as it is kept with the outcomes."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, plain: object) -> AnalysisSpec:
        """Return the analysis that `to_dict` wrote or a user wrote in TOML.

        Raises
        ------
        DesignError
            If a key is unknown, or a value is not what the key takes.
        """
        table = check_table(plain, "[analysis]", ANALYSIS)
        asked = [key for key in ("control", "contrasts", "interaction") if key in table]
        if len(asked) > 1:
            raise DesignError(f"[analysis]: {' and '.join(asked)} are two questions; keep one of them")
        chosen: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}
        return cls(**chosen)


def _said(choices: PredictorSpec | AnalysisSpec) -> dict[str, Any]:
    """Return the fields that differ from their defaults, with lists for tuples."""
    pairs = ((field, getattr(choices, field.name)) for field in fields(choices))
    return {f.name: list(v) if isinstance(v, tuple) else v for f, v in pairs if v != f.default}
