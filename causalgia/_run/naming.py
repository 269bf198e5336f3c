"""The names that effects, and moments of them, carry: contrasts, arms, weights, words."""

from __future__ import annotations

from typing import Any

import xarray as xr

from causalgia._run.requested_contrasts import Question
from causalgia.analysis import beyond, of_one_word
from causalgia.arm_weights import written_out
from causalgia.effects.labels import done, in_words
from causalgia.predict import Predictor
from causalgia.trial.attributes import arm_coordinates

_MOST_WEIGHTS = 2**25


def names_of(question: Question, predictor: Predictor, attrs: dict[str, Any], *, sparing: bool = False) -> xr.Dataset:
    """Return effects without units and without numbers, as `causalgia.contrast` labels them.

    Parameters
    ----------
    question
        What is asked.
    predictor
        Who has the tasks and models.
    attrs
        Of the trial.
    sparing
        Leave out ``weight`` and the arms beyond 33 million weights, and say which contrasts are of one placebo word.
    """
    design, weights = question.design, question.weights
    attrs = {name: value for name, value in attrs.items() if name != "edits"}  # for contrasts named after the trial
    outcomes = xr.Dataset(coords=arm_coordinates(design.named_arms), attrs=attrs)
    words = in_words(outcomes, weights, question.scale, "crossover", question.control, question.interaction)
    coords = {"contrast": list(weights), "task": list(predictor.tasks), **done(outcomes, weights)}
    if predictor.models is not None:
        coords["model"] = list(predictor.models)
    names = xr.Dataset(coords=coords, attrs=attrs | words | beyond(attrs, scale=question.scale))
    if sparing and question.matrix.shape[0] * question.matrix.shape[1] > _MOST_WEIGHTS:
        return _with_words(names, question)
    on_arms = {str(name): c.variable for name, c in outcomes.coords.items() if name != "do"}
    return names.assign(weight=(("contrast", "arm"), written_out(question.matrix))).assign_coords(on_arms)


def _with_words(names: xr.Dataset, question: Question) -> xr.Dataset:
    words = {arm.name for arm in question.design.named_arms if arm.intervention.kind == "placebo_word"}
    single = set(of_one_word(question.weights, words))
    return names.assign_coords(placebo_word=("contrast", [k in single for k in question.weights])) if words else names
