"""What sites do together: one vocabulary for pairs and copies, from the verdicts on
each site alone and on the interaction, and whether it is one of the scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from causalgia.attributes import about
from causalgia.errors import EstimateError
from causalgia.notes import Said

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.choices import Scale

ADDITIVE, UNDECIDED = "additive", "undecided"
SYNERGISTIC, SATURATING = "synergistic", "saturating"
WEAKENING, REVERSING = "weakening", "reversing"
MORE, LESS = "more than the sum", "less than the sum"
SINGLE = ("first", "second")
"""Values of the coordinate ``asks`` on the contrasts of one site alone."""
_SIGN = {
    "increases": 1,
    "decreases": -1,
    "negligible": 0,
    "within": 0,
}
_ADJECTIVE = {1: "positive", -1: "negative"}
_VERB = {1: "raises", -1: "lowers"}
_NUMBER_WORDS = {2: "two"}


class JointEffect(NamedTuple):
    """What sites do together: a word of the vocabulary, and what it means here."""

    word: str
    meaning: str = ""

    def __str__(self) -> str:
        return f"{self.word} ({self.meaning})" if self.meaning else self.word


def joint_effect(
    alone: Sequence[str], interaction: str, together: str = UNDECIDED
) -> JointEffect:
    """Return the word for what sites do together.

    The sign of an interaction, the joint effect minus the sum of the effects of each
    site alone, says nothing by itself: +3 is synergy of two sites that raise the
    outcome, and saturation of two that lower it.

    Parameters
    ----------
    alone
        The verdict on each site alone.
    interaction
        The verdict on the joint effect minus the sum of these.
    together
        The verdict on the joint effect.

    Returns
    -------
    JointEffect
        ``"additive"``: the interaction is negligible. ``"undecided"``: it is undecided.
        Else, ``"synergistic"``: it has the direction of every site that acts alone, or
        none does. ``"saturating"``: all act in one direction, and together less than
        their sum. ``"reversing"``: so much less, or beside a site that does not act
        alone, that together they act in the opposite direction. ``"weakening"``: sites
        act in opposite directions, or one does not act alone, and one weakens the
        other. ``"more than the sum"``, ``"less than the sum"``: a site alone is
        undecided.

    Examples
    --------
    >>> print(joint_effect(["decreases", "decreases"], "increases"))
    saturating (less than the sum of two negative effects)
    >>> print(joint_effect(["decreases", "decreases"], "decreases"))
    synergistic (more than the sum of two negative effects)
    >>> print(joint_effect(["increases", "decreases"], "decreases"))
    weakening (the second weakens the first)
    >>> print(joint_effect(["negligible", "decreases"], "increases", "increases"))
    reversing (the second alone lowers the outcome, together they raise the outcome)
    >>> print(joint_effect(["increases", "undecided"], "decreases"))
    less than the sum (one site alone is undecided)
    """
    beyond, signs = _SIGN.get(interaction), [_SIGN.get(one) for one in alone]
    if beyond is None:
        return JointEffect(UNDECIDED)
    if beyond == 0:
        return JointEffect(ADDITIVE)
    if None in signs:
        n_open = signs.count(None)
        which = "one site alone is" if n_open == 1 else f"{n_open} sites alone are"
        which = "both sites alone are" if n_open == len(signs) == 2 else which
        return JointEffect(MORE if beyond > 0 else LESS, f"{which} undecided")
    acting = {sign for sign in signs if sign}
    n = _NUMBER_WORDS.get(len(signs), str(len(signs)))
    none = "neither" if len(signs) == 2 else "none"
    if not acting:
        return JointEffect(
            SYNERGISTIC, f"together {_VERB_PLURAL[beyond]}, {none} does alone"
        )
    if acting == {beyond}:
        sums = f"more than the sum of {n} {_ADJECTIVE[beyond]} effects"
        if 0 in signs:
            sums = f"one strengthens the other, which {_VERB[beyond]} the outcome"
            if len(signs) > 2:
                sums = f"more than the sum of {_ADJECTIVE[beyond]} effects"
        return JointEffect(SYNERGISTIC, sums)
    if len(acting) == 1 and 0 not in signs:
        if _SIGN.get(together) == beyond:
            each = _VERB[-beyond]
            return JointEffect(
                REVERSING, f"each {each}, together {_VERB_PLURAL[beyond]}"
            )
        return JointEffect(
            SATURATING, f"less than the sum of {n} {_ADJECTIVE[-beyond]} effects"
        )
    if len(signs) == 2:
        weaker = signs.index(-beyond)
        order = ("first", "second")
        if signs[1 - weaker] == 0 and _SIGN.get(together) == beyond:
            return JointEffect(
                REVERSING,
                f"the {order[weaker]} alone {_VERB[-beyond]} the outcome, together "
                f"{_VERB_PLURAL[beyond]}",
            )
        return JointEffect(
            WEAKENING, f"the {order[1 - weaker]} weakens the {order[weaker]}"
        )
    return JointEffect(WEAKENING, "sites weaken each other")


_VERB_PLURAL = {1: "they raise the outcome", -1: "they lower it"}


def is_departure(found: JointEffect) -> bool:
    """Return whether sites depart from their sum."""
    return found.word not in (ADDITIVE, UNDECIDED)


_JOINT_SCALES: tuple[Scale, ...] = ("identity", "log_of_means", "logit")
_CURVES = {
    "identity": "as predicted",
    "log_of_means": "log of means",
    "logit": "logit",
    "cooperativity": "as 2^outcome",
}
"""Scales that are a curve of the outcome -> their names in a sentence."""


class ScalesTried(NamedTuple):
    """The scales that outcomes allow, and the departures from a sum that have one sign
    on all of them.
    """

    scales: tuple[str, ...]
    survives: xr.DataArray

    def text(self, names: Sequence[str], rows: xr.Dataset) -> str:
        """Return a clause on how many of the named contrasts keep their sign; empty
        where the outcomes allow one scale.
        """
        if len(self.scales) < 2 or not names:
            return ""
        chosen = self.survives
        for dim in ("task", "model"):
            if dim in chosen.dims:
                chosen = chosen.sel({dim: rows[dim].item()})
        n = int(chosen.sel(contrast=list(names)).sum())
        tried = (
            f"on every scale tried ({', '.join(_CURVES[one] for one in self.scales)})"
        )
        if len(names) == 1:
            return f", with{'' if n else 'out'} the same sign {tried}"
        if n == len(names):
            return f", each with the same sign {tried}"
        return f", {f'{n:,}' if n else 'none'} of them with the same sign {tried}"


def scales_tried(
    outcomes: xr.Dataset | None, rows: Mapping[str, Mapping[str, float]]
) -> ScalesTried | None:
    """Return on which scales departures from a sum keep their sign; None without
    outcomes or departures.

    Parameters
    ----------
    outcomes
        ``cg.run(...)``.
    rows
        Contrast -> weights of arms.

    Notes
    -----
    Effects that add up on one scale interact on another, a curve of it (Loftus 1978,
    doi:10.3758/BF03197461): the outcomes as they are, the log of arms' means, and the
    logit of each outcome where all lie between 0 and 1.
    """
    if outcomes is None or not rows:
        return None
    from causalgia.effects import contrast
    from causalgia.estimation import estimate

    tables = {}
    weights = {name: dict(row) for name, row in rows.items()}
    for scale in _JOINT_SCALES:
        try:
            tables[scale] = estimate(contrast(outcomes, contrasts=weights, scale=scale))
        except EstimateError:  # a scale that the outcomes do not allow
            continue
    if not tables:
        return None
    return ScalesTried(tuple(tables), same_side(list(tables.values())))


def same_side(tables: Sequence[xr.Dataset]) -> xr.DataArray:
    """Return whether the intervals of all tables lie on one side of no effect."""
    nulls = [float(about(table, 0.0).null_value) for table in tables]
    pairs = list(zip(tables, nulls, strict=True))
    above = np.all([(e["lower"] > null).to_numpy() for e, null in pairs], axis=0)
    below = np.all([(e["upper"] < null).to_numpy() for e, null in pairs], axis=0)
    return tables[0]["ace"].copy(data=above | below)


_BOUNDED = (
    "ll answers lie between 0 and 1, and effects shrink toward both ends of such "
    "a scale: sites that add up before a sigmoid or softmax do not add up after it, so "
    "that words for pairs are of this scale."
)


def bounded_sentences(outcomes: xr.Dataset | None) -> list[str]:
    """Return the sentence on outcomes that all lie in [0, 1], and what that does to
    pairs, of each task where some lie beyond.

    Examples
    --------
    >>> import xarray as xr
    >>> y = xr.Dataset({"outcome": (("unit", "task"), [[0.1, 3.0], [0.9, 0.5]])})
    >>> bounded_sentences(y.assign_coords(task=["bound", "counts"]))[0][:41]
    'Task bound: all answers lie between 0 and'
    """
    if outcomes is None or "outcome" not in outcomes:
        return []
    y = outcomes["outcome"]
    others = [dim for dim in y.dims if dim != "task"]
    low, high = (
        np.atleast_1d(end.to_numpy()) for end in (y.min(others), y.max(others))
    )
    within = (low >= 0) & (high <= 1) & (low < high)
    if within.all():
        return [f"A{_BOUNDED}"]
    if not within.any():
        return []
    return [Said(f"a{_BOUNDED}", str(name)) for name in y["task"].to_numpy()[within]]
