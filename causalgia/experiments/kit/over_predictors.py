"""What an experiment says over predictors, retrainings of them included, beside what it says of each."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from causalgia.errors import CausalgiaError, CausalgiaWarning
from causalgia.experiments.kit.answer import Finding
from causalgia.experiments.kit.wording import effect_in_words

if TYPE_CHECKING:
    import xarray as xr

NAME = "over predictors"
_MOST = 6


def over_predictors(effects: xr.Dataset | None) -> Finding:
    """Return the effect over predictors beside that on each, with the sd between them; nothing for one predictor.

    The estimand is ``E[ACE of a predictor]`` over retrainings as over backgrounds: predictors are drawn, as units are,
    so that its error counts both (``cg.estimate(target="population x predictors")``).

    Parameters
    ----------
    effects
        ``ice (unit, contrast, task, model)`` of a crossover; None where a trial was streamed.

    Returns
    -------
    Finding
        ``"over predictors"``: ``ace, se, lower, upper (contrast, task)``; ``between_sd (contrast, task)``, the sd of
        the predictors' ACEs; ``ace_of_each, se_of_each (contrast, task, model)``; and a sentence for each task.
    """
    if effects is None or "ice" not in effects or "model" not in effects["ice"].dims or effects.sizes["model"] < 2:
        return Finding()
    from causalgia.estimation import estimate

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)  # said of each predictor already
            each, over = estimate(effects), estimate(effects, target="population x predictors")
    except CausalgiaError as error:
        return Finding(sentences=(f"No effect over predictors: {error}",))
    found = over[["ace", "se", "lower", "upper"]].assign(
        between_sd=each["ace"].std("model", ddof=1), ace_of_each=each["ace"], se_of_each=each["se"]
    )
    return Finding({NAME: found}, tuple(_sentence(found.sel(task=task)) for task in found["task"].to_numpy()))


def _sentence(found: xr.Dataset) -> str:
    from causalgia.reporting import format_se

    largest = found["contrast"].to_numpy()[abs(found["ace"]).argsort().to_numpy()[::-1][:_MOST]]
    said = []
    for name in [name for name in found["contrast"].to_numpy() if name in largest]:
        row = found.sel(contrast=name)
        within = format_se(float(row["se_of_each"].median()))
        between = format_se(row["between_sd"].item())
        said.append(f"{name} {effect_in_words(row)} (sd between {between}, se in one {within})")
    n = found.sizes["model"]
    return f"Task {found['task'].item()}, over {n} predictors and retrainings of them: {'; '.join(said)}."
