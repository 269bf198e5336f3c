"""Which arms a contrast weighs: against a control, as given, or the interaction of factors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import sparse

from causalgia.errors import ContrastError, quoted
from causalgia.expressions import (
    KEYWORDS,
    Linear,
    check_distinct,
    differences,
    hypothesis_name,
    nearest,
    read_hypothesis,
)
from causalgia.schema import RESERVED

Weights: TypeAlias = dict[str, dict[str, float]]
Contrasts: TypeAlias = Mapping[str, Mapping[Any, float] | str] | Sequence[str] | str
"""What ``contrasts=`` takes: weights of arms by name, or text over the names of arms."""


def unique(names: list[str], what: str) -> list[str]:
    """Refuse names that differ as values and are the same as text."""
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise ContrastError(f"{count} {what} are called {quoted(name)} once they are text; rename them")
    return names


def chosen(
    outcomes: xr.Dataset,
    arms: list[str],
    control: str | float | None,
    contrasts: Contrasts | None,
    interaction: Sequence[str] | None,
) -> Weights:
    """Return the weights that were asked for in exactly one of the three ways."""
    given = [
        name
        for name, x in (("control", control), ("contrasts", contrasts), ("interaction", interaction))
        if x is not None
    ]
    if len(given) != 1:
        said = " and ".join(given) or "none"
        raise ContrastError(
            f"give exactly one of control=, contrasts= and interaction=, not {said}; one of the arms is "
            f"{quoted(arms[0])}"
        )
    if control is not None:
        return _against(str(control), arms)
    if contrasts is not None:
        return _custom(contrasts, arms)
    return _factorial(outcomes, arms, interaction or ())


def _against(control: str, arms: list[str]) -> Weights:
    _known(control, arms, "control")
    if len(arms) < 2:
        raise ContrastError(f"the only arm is the control {quoted(control)}; a contrast needs another arm")
    return {arm: {arm: 1.0, control: -1.0} for arm in arms if arm != control}


def arm_name(name: Any, arms: list[str]) -> str:
    """Name an arm as text: the number 0.0 means "0" where there is no "0.0"."""
    if not _is_number(name):
        return str(name)
    if not -(2**63) <= name < 2**63:  # no level of a dose, and perhaps too long to write
        return quoted(name)
    whole = [str(int(name))] if float(name).is_integer() else []
    return next((text for text in (str(name), *whole) if text in arms), str(name))


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real)


def _known(arm: str, arms: list[str], role: str) -> None:
    if arm in arms:
        return
    raise ContrastError(f"{role} {quoted(arm)} is not an arm{nearest(arm, arms) or '.'} The arms are {listed(arms)}")


def listed(names: Iterable[str], most: int = 20) -> str:
    """Return names as messages show them, the first 20."""
    names = list(names)
    return ", ".join(map(quoted, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def _custom(contrasts: Contrasts, arms: list[str]) -> Weights:
    texts = [contrasts] if isinstance(contrasts, str) else contrasts
    if isinstance(texts, list | tuple) and texts and all(isinstance(text, str) for text in texts):
        contrasts = _from_text(texts, arms)
    if not isinstance(contrasts, Mapping) or not contrasts:
        is_empty = isinstance(contrasts, Mapping | list | tuple) and not contrasts
        what = "is empty" if is_empty else f"is {type(contrasts).__name__}, not a mapping or text"
        raise ContrastError(f'contrasts= {what}; for example contrasts={{"A minus B": {{"A": 1, "B": -1}}}} or "A - B"')
    names = unique([str(name) for name in contrasts], "contrasts")
    rows = dict(zip(names, contrasts.values(), strict=True))
    written = {name: _terms(row, arms) if isinstance(row, str) else row for name, row in rows.items()}
    if not all(map(str.strip, names)):
        raise ContrastError("a contrast has an empty name; give each a name, by which it is printed")
    found = {name: _zero_sum(name, row, arms) for name, row in written.items()}
    if any(isinstance(row, str) for row in rows.values()):
        check_distinct({name: Linear(row, 0.0) for name, row in found.items()})
    return found


def notes_of_twice(weights: Weights) -> list[str]:
    """Return a note on each contrast that has the weights of an earlier one.

    Examples
    --------
    >>> notes_of_twice({"one": {"a": 1.0, "b": -1.0}, "other": {"b": -1.0, "a": 1.0}})
    ["contrasts 'one' and 'other' have the same weights: one question counts twice in its family; drop one"]
    """
    known: dict[frozenset[tuple[str, float]], str] = {}
    pairs = [(known.setdefault(frozenset(row.items()), name), name) for name, row in weights.items()]
    return [
        f"contrasts {quoted(first)} and {quoted(name)} have the same weights: one question counts twice in its "
        f"family; drop one"
        for first, name in pairs
        if first != name
    ]


def _from_text(texts: Sequence[str], arms: list[str]) -> dict[str, dict[str, float] | str]:
    """Return contrasts by name: what a keyword stands for, and else each text called by itself."""
    rows: dict[str, dict[str, float] | str] = {}
    for text in texts:
        more = (
            differences(text, arms, of="arm")
            if text in KEYWORDS and text not in arms
            else {hypothesis_name(text): text}
        )
        twice = sorted(rows.keys() & more.keys())
        if twice:
            raise ContrastError(f"contrasts= asks {quoted(twice[0])} twice; leave one out")
        rows |= more
    return rows


def _terms(text: str, arms: list[str]) -> dict[str, float]:
    found = read_hypothesis(text, arms, of="arm")
    if found.constant:
        raise ContrastError(
            f"contrast {quoted(text)}: arms are compared with each other, and the right side is to be 0; a contrast is "
            "compared with a number by cg.estimation.hypotheses(estimates, ...)"
        )
    return found.terms


def _zero_sum(name: str, weights: Mapping[Any, float], arms: list[str]) -> dict[str, float]:
    if not isinstance(weights, Mapping):
        raise ContrastError(
            f'contrast {quoted(name)} is {quoted(weights)}, not weights by arm; for example {{"A": 1, "B": -1}}'
        )
    for arm, value in weights.items():
        _known(arm_name(arm, arms), arms, f"contrast {quoted(name)}:")
        if not _is_number(value) or (isinstance(value, int) and value.bit_length() > 1_000):
            raise ContrastError(
                f"contrast {quoted(name)}: the weight of arm {quoted(arm)} is {quoted(value)}, not a number"
            )
    w = {arm_name(arm, arms): float(value) for arm, value in weights.items()}
    if len(w) < len(weights):
        raise ContrastError(f"contrast {quoted(name)} names an arm twice: {quoted(list(weights))}")
    size, total = sum(map(abs, w.values())), sum(w.values())
    if not np.isfinite(size):
        raise ContrastError(f"contrast {quoted(name)} has a weight that is not finite: {w}")
    if any(not 1e-100 < abs(value) < 1e100 for value in w.values() if value):
        raise ContrastError(
            f"contrast {quoted(name)} has weights beyond 1e-100 to 1e100: {w}; weights of size 1 say the same"
        )
    if size == 0:
        raise ContrastError(f"contrast {quoted(name)} has no weight other than 0; name the arms it compares")
    if abs(total) > 1e-9 * size:
        raise ContrastError(
            f"contrast {quoted(name)}: the weights {w} sum to {total:g}; an effect needs weights that sum to 0"
        )
    return {arm: value for arm, value in w.items() if value != 0}


def _factorial(outcomes: xr.Dataset, arms: list[str], factors: Sequence[str]) -> Weights:
    factors = [factors] if isinstance(factors, str) or not isinstance(factors, Iterable) else list(factors)
    if len(factors) < 2 or len(set(factors)) < len(factors):
        raise ContrastError(
            f'interaction={quoted(factors)}: name two or more different factors, for example ["A", "B"]'
        )
    high = [_at_high_level(outcomes, factor) for factor in factors]
    members: dict[tuple[int, ...], str] = {}
    for i, arm in enumerate(arms):
        cell = tuple(int(level[i]) for level in high)
        if -1 in cell:
            continue
        if cell in members:
            raise ContrastError(
                f"interaction: arms {quoted(members[cell])} and {quoted(arm)} are both the cell "
                f"{_cell(factors, cell)}; drop one of them, or name every factor that tells them apart"
            )
        members[cell] = arm
    return {":".join(factors): {_member(members, factors, c): _sign(c) for c in product((0, 1), repeat=len(factors))}}


def _at_high_level(outcomes: xr.Dataset, factor: str) -> npt.NDArray[np.intp]:
    """1 at the high level of a factor, 0 at its reference, -1 where an arm has no level."""
    on_arm = [str(c) for c in outcomes.coords if outcomes[c].dims == ("arm",) and c not in RESERVED]
    if not on_arm:
        raise ContrastError(
            f"interaction: no factor {quoted(factor)}, because the arms have no factors; make the arms with "
            "cg.factorial, or "
            f'give their levels: outcomes.assign_coords({factor}=("arm", [0, 1, ...]))'
        )
    if factor not in on_arm:
        raise ContrastError(
            f"interaction: no factor {quoted(factor)} on the arms; the coordinates there are {listed(on_arm)}"
        )
    values = outcomes[factor].to_numpy().tolist()
    absent = [v is None or v == "" or v != v for v in values]
    levels = sorted({v for v, gone in zip(values, absent, strict=True) if not gone}, key=lambda v: (str(type(v)), v))
    if len(levels) != 2:
        raise ContrastError(
            f"interaction: factor {quoted(factor)} has the levels {levels}; two are needed, use contrasts= for more"
        )
    return np.array([-1 if gone else levels.index(v) for v, gone in zip(values, absent, strict=True)], dtype=np.intp)


def _cell(factors: Sequence[str], cell: tuple[int, ...]) -> str:
    return ", ".join(
        f"{factor} {'high' if level else 'reference'}" for factor, level in zip(factors, cell, strict=True)
    )


def _member(members: dict[tuple[int, ...], str], factors: Sequence[str], cell: tuple[int, ...]) -> str:
    if cell not in members:
        raise ContrastError(
            f"interaction: no arm has the cell {_cell(factors, cell)}; a factorial needs all 2^{len(factors)} arms"
        )
    return members[cell]


def _sign(cell: tuple[int, ...]) -> float:
    return float((-1) ** (len(cell) - sum(cell)))


def weight_matrix(weights: Weights, arms: list[str]) -> sparse.csr_array:
    """Return weights as a sparse matrix of contrasts by arms."""
    column = {arm: j for j, arm in enumerate(arms)}
    entries = [(k, column[arm], value) for k, w in enumerate(weights.values()) for arm, value in w.items()]
    rows, columns, values = zip(*entries, strict=True)
    return sparse.csr_array((np.array(values), (rows, columns)), shape=(len(weights), len(arms)))
