"""The predictor that a file asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from causalgia.errors import CausalgiaError, DesignError

if TYPE_CHECKING:
    from causalgia.predict import Predictor
    from causalgia.trial_file import TrialSpec
    from causalgia.trial_file.predictor_table import PredictorSpec


def predictor_of(spec: TrialSpec, spec_file: Path, device: str | None) -> Predictor:
    """Return the predictor of a file, on the device that the command line asks for where it asks for one."""
    asked = _on_device(spec.predictor, device)
    if asked.zoo is not None:
        from causalgia.zoo import oracle

        try:
            return oracle(asked.zoo)
        except CausalgiaError as error:
            raise DesignError(f"{spec_file}: [predictor]: {error}") from error
    from causalgia.predict import load_predictor

    return load_predictor(
        str(asked.factory),
        weights=asked.weights,
        tasks=asked.tasks,
        scale=asked.scale,
        alphabet=asked.alphabet,
        device=asked.device,
        batch_size=asked.batch_size,
        announce=lambda line: typer.echo(line, err=True),
    )


def _on_device(asked: PredictorSpec, device: str | None) -> PredictorSpec:
    """Return the predictor that the file asks for, on the device that the command line asks for."""
    from causalgia.trial_file.predictor_table import check_device

    if device is None:
        return asked
    check_device(device, zoo=asked.zoo is not None, said="--device")
    return replace(asked, device=device)
