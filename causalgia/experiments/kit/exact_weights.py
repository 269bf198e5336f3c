"""Contrast weights in exact fractions, so that weights that cancel are 0 and not 2e-16."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction


def rise_weights(doses: Mapping[str, float]) -> dict[str, Fraction]:
    """Return the weights of the rise of the least-squares line from the lowest dose to the highest.

    Examples
    --------
    >>> {arm: float(weight) for arm, weight in rise_weights({"none": 0, "one": 1, "two": 2, "three": 3}).items()}
    {'none': -0.9, 'one': -0.3, 'two': 0.3, 'three': 0.9}
    """
    exact = {arm: Fraction(dose) for arm, dose in doses.items()}
    mean = sum(exact.values(), Fraction()) / len(exact)
    away = {arm: dose - mean for arm, dose in exact.items()}
    scale = (max(exact.values()) - min(exact.values())) / sum(a * a for a in away.values())
    return {arm: a * scale for arm, a in away.items()}


def weighted_sum(parts: Iterable[tuple[Fraction | float, Mapping[str, Fraction | float]]]) -> dict[str, float]:
    """Return a weighted sum of contrasts, rounded once at the end; arms whose weights cancel are left out.

    Examples
    --------
    >>> thirds = [(Fraction(1, 3), {"a": 1.0, "none": -1.0}), (Fraction(-1, 3), {"b": 1.0, "none": -1.0})]
    >>> weighted_sum(thirds)
    {'a': 0.3333333333333333, 'b': -0.3333333333333333}
    """
    total: dict[str, Fraction] = {}
    for share, row in parts:
        for arm, weight in row.items():
            total[arm] = total.get(arm, Fraction()) + Fraction(share) * Fraction(weight)
    return {arm: float(weight) for arm, weight in total.items() if weight}
