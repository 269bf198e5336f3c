"""Coordinates and attributes of outcomes: the arms, the design, the analysis, the
predictor, seed and versions.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import causalgia
from causalgia.analysis import Analysis
from causalgia.attributes import about
from causalgia.design import Arm, Design
from causalgia.errors import (
    CausalgiaError,
    DataError,
    DesignError,
    PredictorError,
    SequenceError,
    quoted,
)
from causalgia.notes import LONGEST_ATTRIBUTE, pack_text, unpack_text
from causalgia.predict import Predictor
from causalgia.sequences.alphabet import as_token_array
from causalgia.streams import Seed

if TYPE_CHECKING:
    import xarray as xr


def apply_arm(
    arm: Arm, tokens: NDArray[np.uint8], ids: NDArray[np.uint64], key: int
) -> NDArray[np.uint8]:
    """Return the units (n, length) under an arm; errors of the intervention name the
    arm.

    Raises
    ------
    DesignError, SequenceError
        As the intervention raises; or if it does not return tokens 0-3, a row for each
        unit.
    """
    try:
        edited = as_token_array(arm.intervention.apply(tokens, units=ids, key=key))
    except (DesignError, SequenceError) as error:
        raise type(error)(f"arm {quoted(arm.name)}: {error}") from error
    if edited.ndim != 2 or len(edited) != len(tokens):
        raise DesignError(
            f"arm {quoted(arm.name)}: {len(tokens)} sequences became {edited.shape}, and "
            "an intervention returns a row for each"
        )
    return edited


def known_tasks(predictor: Predictor) -> tuple[str, ...] | None:
    """Return the tasks of a predictor; None if they are not known before the first
    answer.
    """
    try:
        return predictor.tasks
    except PredictorError:
        return None


def task_scale_coordinate(predictor: Predictor) -> dict[str, Any]:
    """Return the coordinate of the scale of each task; nothing where all tasks have
    one.
    """
    scales = predictor.task_scales
    return {} if scales is None else {"task_scale": ("task", list(scales))}


def n_known_answers(predictor: Predictor) -> int:
    """Return the number of answers per sequence, as far as it is known before the first
    answer.
    """
    return len(known_tasks(predictor) or ("",)) * len(predictor.models or ("",))


def analysis_json(analysis: Analysis, design: Design) -> str:
    """Return the analysis as JSON, completed by the design's own contrasts if that is
    not too long.
    """
    whole = analysis.asking(design.analysis_fields)
    text = whole.to_json()
    if len(text) <= LONGEST_ATTRIBUTE:
        return text
    return replace(analysis, question=whole.question).to_json()


def arm_coordinates(arms: tuple[Arm, ...]) -> dict[str, Any]:
    """Return coordinates of the arms: name, do, kind, random and the level of each
    factor.
    """
    coords: dict[str, Any] = {
        "arm": np.asarray([arm.name for arm in arms]),
        "do": ("arm", np.asarray([str(arm.intervention) for arm in arms])),
        "kind": ("arm", np.asarray([arm.intervention.kind for arm in arms])),
        "random": ("arm", np.asarray([arm.intervention.random for arm in arms])),
    }
    for factor in dict.fromkeys(name for arm in arms for name in arm.factors):
        levels: list[Any] = [arm.factors.get(factor) for arm in arms]
        if any(isinstance(level, str) for level in levels):
            levels = ["" if level is None else str(level) for level in levels]
        elif any(level is None for level in levels):
            levels = [np.nan if level is None else float(level) for level in levels]
        coords[factor] = ("arm", np.asarray(levels))
    return coords


def trial_attributes(
    design: Design, predictor: Predictor, fingerprint: str, seed: Seed
) -> dict[str, Any]:
    """Return the attributes that identify a trial: design, null model, predictor, seed
    and versions.
    """
    optional: dict[str, Any] = (
        {"reserved": f"{design.reserved.describe()}, never used by this trial"}
        if design.reserved
        else {}
    )
    if predictor.models is not None and predictor.differ_by is not None:
        optional["model_is"] = predictor.differ_by
    if predictor.bin is not None:
        optional["bin"] = predictor.bin
    return {
        **optional,
        "assignment": design.assignment,
        "n_drawn": design.n_units,
        "scale": predictor.scale,
        **design.drawn.attributes(),
        "null_fingerprint": design.null.fingerprint,
        "design_fingerprint": design.fingerprint,
        "predictor_fingerprint": fingerprint,
        "rng": str(seed),
        "causalgia": causalgia.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def store_design(outcomes: xr.Dataset, design: Design) -> xr.Dataset:
    """Return outcomes with their design as JSON, packed where it is long.

    A design with an intervention that cannot be written as JSON is not stored.
    """
    try:
        return pack_text(outcomes, "design", json.dumps(design.to_dict()))
    except TypeError:
        return outcomes


def load_design(outcomes: xr.Dataset) -> Design:
    """Return the design that is stored with outcomes.

    Raises
    ------
    DataError
        If there is none, it cannot be read any more, or it is not the design that was
        run.
    """
    text = unpack_text(outcomes, "design")
    if text is None:
        raise DataError("these outcomes carry no design, and design= is not given")
    try:
        design = Design.from_json(text)
    except CausalgiaError as error:
        raise DataError(
            f"the design kept with the outcomes cannot be read ({error})"
        ) from error
    if design.fingerprint != about(outcomes, design.fingerprint).design_fingerprint:
        raise DataError(
            "the design kept with the outcomes is not the one that was run: a "
            "file of sequences that it names has changed"
        )
    return design


def _check_factorial(factors: Sequence[str], arms: Sequence[Arm]) -> None:
    """Raise DesignError unless the factors have two levels each, and every combination
    of levels has one arm.
    """
    crossed: list[list[Any]] = []
    for factor in factors:
        levels = list(
            dict.fromkeys(
                arm.factors[factor] for arm in arms if arm.factors.get(factor, "") != ""
            )
        )
        if len(levels) != 2:
            raise DesignError(
                f"Analysis: interaction: factor {quoted(factor)} has the levels "
                f"{quoted(levels)}, and two are needed",
            )
        crossed.append(levels)
    for cell in product(*crossed):
        there = [
            arm.name
            for arm in arms
            if all(arm.factors.get(f) == x for f, x in zip(factors, cell, strict=True))
        ]
        if len(there) != 1:
            raise DesignError(
                f"Analysis: interaction: the levels {dict(zip(factors, cell, strict=True))} "
                f"are those of the arms {there}, and a factorial has one arm for each "
                "combination of levels"
            )


def check_matched_region(analysis: Analysis, design: Design) -> None:
    """Refuse the range of matched null variants as the region of a design that has
    none of these, before anything is predicted.

    Raises
    ------
    DesignError
        If it is.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)}
    >>> design = cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=100)
    >>> check_matched_region(cg.Analysis(rope="matched"), design)
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: Analysis: rope='matched' is the range of matched null variants, ...
    """
    region = analysis.region
    if region is None or region.kind != "matched" or getattr(design, "matched", None):
        return
    raise DesignError(
        "Analysis: rope='matched' is the range of matched null variants, which "
        "this design has none of: it belongs to cg.experiments.variants",
        argument="rope",
    )


def check_analysis(
    analysis: Analysis, design: Design, tasks: Sequence[str] | None = None
) -> None:
    """Refuse an analysis that names what the outcomes of a design will not have.

    Parameters
    ----------
    analysis
        What will be asked.
    design
        What is done to which units.
    tasks
        Of the predictor; None where they are not known before the first answer.

    Raises
    ------
    DesignError
        If it names an arm, factor, task or coordinate of the units that there is not,
        asks for an interaction without one arm for each combination of two levels,
        groups units by their GC content, has a region of placebos with too few of
        them, or in a crossover asks for blocks or covariates.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)}
    >>> design = cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=100)
    >>> check_analysis(cg.Analysis(control="untreated", cluster="chromosome"), design)
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: Analysis: cluster: 'chromosome', which is not a coordinate of the units; the ...
    """
    blocks = () if design.blocks is None else ("block",)
    placebos = [
        arm.name
        for arm in design.named_arms
        if arm.intervention.kind == "fixed_placebo"
    ]
    analysis.check(
        design.arm_names,
        design.factors,
        units=("parent", "gc", *blocks),
        placebos=placebos,
        tasks=tasks,
    )
    if analysis.interaction is not None:
        _check_factorial(analysis.interaction, design.named_arms)
    for name in ("block", "covariates"):
        if design.assignment == "crossover" and getattr(analysis, name):
            raise DesignError(
                f"Analysis: {name} is for assignment='parallel'; in a crossover each "
                "unit is compared with itself: leave it out",
                argument=name,
            )
    for name in ("cluster", "block"):
        if getattr(analysis, name) == "gc":
            raise DesignError(
                f"Analysis: {name}='gc' is a share of each unit's letters, and a "
                f"{name} is a coordinate of names or whole numbers",
                argument=name,
            )
