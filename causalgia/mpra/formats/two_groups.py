"""The probability that an effect is not 0, for the one format that asks for it."""

from __future__ import annotations

import numpy as np

from causalgia.types import Array

_STEPS, _TOLERANCE, _FLOOR = 500, 1e-8, 1e-12


def probability_of_an_effect(effect: Array, se: Array) -> Array:
    """Return P(effect is not 0) of each element, (E,), by empirical Bayes.

    ``effect ~ share N(0, se^2 + tau^2) + (1 - share) N(0, se^2)``: the share of elements with an effect and the spread
    tau of theirs are estimated over the elements by expectation-maximisation (tau by its generalised step).

    References
    ----------
    Efron, Tibshirani, Storey & Tusher (2001), doi:10.1198/016214501753382129.

    Examples
    --------
    >>> effect, se = np.r_[np.zeros(50), 3.0], np.full(51, 0.5)
    >>> bool(probability_of_an_effect(effect, se)[-1] > 0.95)
    True
    """
    variance = np.maximum(se**2, _FLOOR)
    share, tau2 = 0.5, max(float(np.mean(effect**2 - variance)), float(np.mean(variance)))
    chance = np.full(len(effect), share)
    for _ in range(_STEPS):
        wide = variance + tau2
        odds = np.log(share / (1 - share)) - 0.5 * np.log(wide / variance) + 0.5 * effect**2 * (1 / variance - 1 / wide)
        updated = 1 / (1 + np.exp(-np.clip(odds, -700, 700)))
        moment = (tau2 * effect / wide) ** 2 + tau2 * variance / wide  # of the effect itself, where there is one
        share = float(np.clip(updated.mean(), _FLOOR, 1 - _FLOOR))
        tau2 = max(float((updated * moment).sum() / max(updated.sum(), _FLOOR)), _FLOOR)
        change, chance = float(np.abs(updated - chance).max()), updated
        if change < _TOLERANCE:
            break
    return chance
