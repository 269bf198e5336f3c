"""Kinds of contrasts by their weights; a law of effects assumes one kind."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["two_kinds"]


def two_kinds(contrasts: Iterable[tuple[str, Iterable[float]]]) -> tuple[str, str] | None:
    """Return the names of two contrasts of different kinds, by their weights; None if all are of one kind.

    A simple effect (``+1, -1``) differs in kind from an interaction (``+1, -1, -1, +1``) and from a mean of arms.

    Parameters
    ----------
    contrasts
        Name and weights of each contrast; the order of the arms is irrelevant.

    Examples
    --------
    >>> two_kinds([("GATA1", [1, -1, 0]), ("TAL1", [0, -1, 1])])
    >>> two_kinds([("GATA1", [1, -1, 0]), ("both", [0.5, -1, 0.5])])
    ('GATA1', 'both')
    """
    kinds: dict[tuple[float, ...], str] = {}
    for name, weights in contrasts:
        kinds.setdefault(tuple(sorted(round(float(weight), 9) for weight in weights if weight)), str(name))
        if len(kinds) > 1:
            first, second = kinds.values()
            return first, second
    return None
