"""Coordinates and attributes of outcomes: the arms, the design, the predictor, seed and versions."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
from numpy.typing import NDArray

import causalgia
from causalgia.analysis import Analysis
from causalgia.design import Arm, Design
from causalgia.errors import DesignError, PredictorError, SequenceError
from causalgia.long_text import LONGEST_ATTRIBUTE
from causalgia.predict import Predictor
from causalgia.streams import RNG


def apply_arm(arm: Arm, tokens: NDArray[np.uint8], ids: NDArray[np.uint64], key: int) -> NDArray[np.uint8]:
    """Return the units (n, length) under an arm; errors of the intervention name the arm."""
    try:
        return arm.intervention.apply(tokens, units=ids, key=key)
    except (DesignError, SequenceError) as error:
        named = f"arm '{arm.name}'"
        if str(error).startswith(named):
            raise
        raise type(error)(f"{named}: {error}") from error


def known_tasks(predictor: Predictor) -> tuple[str, ...] | None:
    """Return the tasks of a predictor; None if they are not known before the first answer."""
    try:
        return predictor.tasks
    except PredictorError:
        return None


def n_known_answers(predictor: Predictor) -> int:
    """Return the number of answers per sequence, as far as it is known before the first answer."""
    return len(known_tasks(predictor) or ("",)) * len(predictor.models or ("",))


def analysis_json(analysis: Analysis, design: Design) -> str:
    """Return the analysis as JSON, completed by the design's own contrasts if that is not too long."""
    whole = analysis.asking(design.asked).to_json()
    return whole if len(whole) <= LONGEST_ATTRIBUTE else analysis.to_json()


def arm_coordinates(arms: tuple[Arm, ...]) -> dict[str, Any]:
    """Return coordinates of the arms: name, do, kind, random and the level of each factor."""
    coords: dict[str, Any] = {
        "arm": np.asarray([arm.name for arm in arms]),
        "do": ("arm", np.asarray([str(arm.intervention) for arm in arms])),
        "kind": ("arm", np.asarray([arm.intervention.kind for arm in arms])),
        "random": ("arm", np.asarray([arm.intervention.random for arm in arms])),
    }
    for factor in dict.fromkeys(name for arm in arms for name in arm.factors):
        coords[factor] = ("arm", _factor_levels(arms, factor))
    return coords


def _factor_levels(arms: tuple[Arm, ...], factor: str) -> NDArray[Any]:
    levels = [arm.factors.get(factor) for arm in arms]
    if any(isinstance(level, str) for level in levels):
        return np.asarray(["" if level is None else str(level) for level in levels])
    if any(level is None for level in levels):
        return np.asarray([np.nan if level is None else float(level) for level in levels])
    return np.asarray(levels)


def trial_attributes(design: Design, predictor: Predictor, fingerprint: str, rng: RNG) -> dict[str, Any]:
    """Return the attributes that identify a trial: design, null model, predictor, seed and versions."""
    seed = str(int(rng)) if isinstance(rng, int | np.integer) else type(rng).__name__
    optional = {"reserved": f"{design.reserved.describe()}, never used by this trial"} if design.reserved else {}
    if predictor.models is not None and predictor.of is not None:
        optional["model_is"] = predictor.of
    return {
        **optional,
        "assignment": design.assignment,
        "scale": predictor.scale,
        "null": design.drawn.describe(),
        "null_kind": design.null.kind,
        "null_fingerprint": design.null.fingerprint,
        "design_fingerprint": design.fingerprint,
        "predictor_fingerprint": fingerprint,
        "rng": seed,
        "causalgia": causalgia.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
