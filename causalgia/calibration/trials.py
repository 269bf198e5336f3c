"""Repeated trials: the same design with fresh units, and A/A trials of two identical arms."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from causalgia._run import run
from causalgia.design import Arm, Design
from causalgia.errors import DesignError, OutcomesError, PredictorError, quoted
from causalgia.predict import Predictor
from causalgia.streams import derive

#: called as `run` is, without the predictor: ``simulator(design, rng=seed) -> outcomes``
Simulator: TypeAlias = Callable[..., xr.Dataset]
SAME, _AGAIN = "A", "A again"


def simulator_of(predictor_or_simulator: Any) -> Simulator:
    """Return the simulator of one trial: `run` with a predictor, or the given function.

    Raises
    ------
    PredictorError
        If it is neither a predictor nor callable.
    """
    if isinstance(predictor_or_simulator, Predictor):
        predictor: Predictor = predictor_or_simulator

        def trial(design: Design, *, rng: int) -> xr.Dataset:
            return run(design, predictor, rng=rng, progress=False)

        return trial
    if callable(predictor_or_simulator):
        simulator: Simulator = predictor_or_simulator
        _check_signature(simulator)
        return simulator
    raise PredictorError(
        f"calibrate(design, predictor_or_simulator): {type(predictor_or_simulator).__name__} is neither a predictor "
        "nor a function simulator(design, rng=) that returns outcomes as cg.run does"
    )


def _check_signature(simulator: Simulator) -> None:
    try:
        inspect.signature(simulator).bind(None, rng=0)
    except TypeError as error:
        raise PredictorError(
            f"the simulator is called as simulator(design, rng=seed) and cannot be ({error}); define it so"
        ) from error
    except ValueError:  # a callable without a signature is tried as it is
        return


def repeat_trial(design: Design, simulator: Simulator, *, key: int, trial: int, purpose: str) -> xr.Dataset:
    """Return the outcomes of one repetition, on units of its own.

    Raises
    ------
    OutcomesError
        If the simulator returns no Dataset.
    """
    outcomes = simulator(design, rng=derive(key, purpose, trial))
    if not isinstance(outcomes, xr.Dataset):
        raise OutcomesError(
            f"the simulator returned {type(outcomes).__name__}; it must return outcomes as cg.run or cg.from_frame do"
        )
    return outcomes


def aa_design(design: Design, control: str) -> Design:
    """Return the A/A trial of a design: its control arm twice, each unit randomized to one of them.

    There are twice as many units, so that each arm has as many as in the design.

    Raises
    ------
    DesignError
        If the design has no such arm, or is not a Design.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)}
    >>> design = cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=100)
    >>> twice = aa_design(design, "untreated")
    >>> [arm.name for arm in twice.named_arms], twice.n_units, twice.assignment
    (['A', 'A again'], 200, 'parallel')
    """
    arms = {arm.name: arm.intervention for arm in design.named_arms}
    if control not in arms:
        raise DesignError(f"control {quoted(control)} is not an arm of the design; the arms are {', '.join(arms)}")
    n_units = 2 * design.n_units if design.assignment == "crossover" else design.n_units
    most = _most_units(design, n_units)
    pair = [Arm(SAME, arms[control]), Arm(_AGAIN, arms[control])]
    return replace(design, arms=pair, n_units=most, assignment="parallel", blocks=None, contrasts=None)


def _most_units(design: Design, n_units: int) -> int:
    """Return `n_units`, or the number of units of the design if the null model cannot give as many."""
    try:
        design.null.check(n_units)
    except DesignError:
        return design.n_units
    return n_units


def truth_of(outcomes: xr.Dataset) -> xr.DataArray | None:
    """Return the truth of a trial, ``truth (contrast, task)``, if the simulator gives one."""
    return outcomes["truth"] if "truth" in outcomes.variables else None


def centered_truth(ace: np.ndarray) -> np.ndarray:
    """Return a substitute for unknown truths from the mean of all trials, in the shape of `ace`, (trials, ...).

    A trial's deviation from the mean of all n has variance ``sigma^2 (1 - 1/n)``; scaled by ``sqrt(n / (n - 1))`` it
    has that of a deviation from the truth.

    Examples
    --------
    >>> centered_truth(np.array([[1.0], [3.0]])).round(3)
    array([[2.414],
           [1.586]])
    """
    n = len(ace)
    return np.asarray(ace - (ace - ace.mean(axis=0)) * np.sqrt(n / (n - 1)))
