"""Weights of contrasts over arms: against a control, as given, or the interaction of
factors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import sparse

from causalgia.checks import (
    as_names,
    check_another_arm,
    check_arm,
    is_real,
    listed,
)
from causalgia.errors import EstimateError, comma_list, quoted, type_in_words
from causalgia.expressions import (
    EMPTY_NAME,
    KEYWORDS,
    Linear,
    check_distinct,
    differences,
    fault_of_weights,
    hypothesis_name,
    matched,
    name_alone,
    named_twice,
    unpacked_contrasts,
    weights_of_text,
)
from causalgia.numerics.moments import centered
from causalgia.types import Array
from causalgia.variables import RESERVED

Weights: TypeAlias = dict[str, dict[str, float]]
Contrasts: TypeAlias = Mapping[str, Mapping[str, float] | str] | Sequence[str] | str
"""Type of ``contrasts=``: weights of arms by name, or text in the names of arms."""


def as_unique(names: list[str], what: str) -> list[str]:
    """Return names; raise EstimateError if two are the same as text."""
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise EstimateError(
            f"{count} {what} are called {quoted(name)} once they are text"
        )
    return names


def requested_weights(
    outcomes: xr.Dataset,
    arms: list[str],
    control: str | float | None,
    contrasts: Contrasts | None,
    interaction: Sequence[str] | None,
) -> Weights:
    """Return the requested weights; exactly one of control, contrasts and interaction
    must be given.
    """
    given = [
        name
        for name, x in (
            ("control", control),
            ("contrasts", contrasts),
            ("interaction", interaction),
        )
        if x is not None
    ]
    if len(given) != 1:
        raise EstimateError(
            "no contrast was given: say control=, contrasts= or "
            f"interaction=; the arms are {listed(arms)}"
            if not given
            else (
                f"{' and '.join(f'{name}=' for name in given)} are given; they ask "
                "different questions: give one of them"
            )
        )
    if control is not None:
        base = as_control(control, arms)
        check_another_arm(base, arms)
        return {arm: {arm: 1.0, base: -1.0} for arm in arms if arm != base}
    if contrasts is not None:
        return weights_as_given(contrasts, arms)
    return _interaction_weights(outcomes, arms, interaction)


def arm_name(name: Any, arms: list[str]) -> str:
    """Return the name of an arm as text; the number 0.0 means "0" unless there is an
    arm "0.0".
    """
    if isinstance(name, int) and not -(2**63) <= name < 2**63:
        return quoted(name)  # no level of a dose, and perhaps too long to write
    if not is_real(name):
        return str(name)
    whole = [str(int(name))] if float(name).is_integer() else []
    return next((text for text in (str(name), *whole) if text in arms), str(name))


def as_control(control: str | float, arms: list[str]) -> str:
    """Return the name of the control arm as text, or raise EstimateError if there is no
    such arm.
    """
    name = arm_name(control, arms)
    check_arm(name, arms, "control")
    return name


def weights_as_given(
    contrasts: Contrasts, known: list[str], *, of: str = "arm"
) -> Weights:
    """Return weights of arms, tasks or models by name, from weights or text; those of
    arms and models sum to zero.
    """
    argument = "contrasts" if of == "arm" else f"{of}s"
    contrasts = unpacked_contrasts(contrasts)
    texts = [contrasts] if isinstance(contrasts, str) else contrasts
    if (
        isinstance(texts, list | tuple)
        and texts
        and all(isinstance(text, str) for text in texts)
    ):
        contrasts = _texts_by_name(texts, known, of)
    if not isinstance(contrasts, Mapping) or not contrasts:
        is_empty = isinstance(contrasts, Mapping | list | tuple) and not contrasts
        what = (
            "is empty"
            if is_empty
            else f"is {type_in_words(contrasts)}, not a mapping or text"
        )
        raise EstimateError(f"{argument}= {what}")
    names = as_unique([str(name) for name in contrasts], "contrasts")
    rows = dict(zip(names, contrasts.values(), strict=True))
    written = {
        name: weights_of_text(row, known, of=of) if isinstance(row, str) else row
        for name, row in rows.items()
    }
    if not all(map(str.strip, names)):
        raise EstimateError(EMPTY_NAME)
    found = {
        name: _as_contrast_weights(name, row, known, of)
        for name, row in written.items()
    }
    if any(isinstance(row, str) for row in rows.values()):
        check_distinct({name: Linear(row, 0.0) for name, row in found.items()})
    return found


def duplicate_notes(weights: Weights) -> list[str]:
    """Return a note on each contrast that has the weights of an earlier one.

    Examples
    --------
    >>> duplicate_notes({"one": {"a": 1.0, "b": -1.0}, "other": {"b": -1.0, "a": 1.0}})
    ["contrasts 'one' and 'other' have the same weights: one question counts twice in its family; drop one"]
    """
    known: dict[frozenset[tuple[str, float]], str] = {}
    pairs = [
        (known.setdefault(frozenset(row.items()), name), name)
        for name, row in weights.items()
    ]
    return [
        f"contrasts {quoted(first)} and {quoted(name)} have the same weights: one "
        "question counts twice in its family; drop one"
        for first, name in pairs
        if first != name
    ]


def _texts_by_name(
    texts: Sequence[str], known: list[str], of: str
) -> dict[str, dict[str, float] | str]:
    """Return contrasts by name: those of a keyword, and texts under their own names."""
    rows: dict[str, dict[str, float] | str] = {}
    for text in texts:
        more = (
            differences(text, known, of=of)
            if text in KEYWORDS and text not in known
            else {
                hypothesis_name(text)
                if of == "arm"
                else text
                if text in known
                else name_alone(text): text
            }
        )
        duplicates = sorted(rows.keys() & more.keys())
        if duplicates:
            raise named_twice(duplicates[0], of)
        rows |= more
    return rows


def _as_contrast_weights(
    name: str,
    weights: Any,
    known: list[str],
    of: str,
) -> dict[str, float]:
    if not isinstance(weights, Mapping):
        fault = fault_of_weights(weights, of=of)
        raise EstimateError(f"contrast {quoted(name)}{fault}")
    for weighted in weights:
        if of != "task" or not matched(str(weighted), known):
            check_arm(arm_name(weighted, known), known, f"contrast {quoted(name)}:", of)
    w = {arm_name(weighted, known): value for weighted, value in weights.items()}
    if len(w) < len(weights):
        raise EstimateError(
            f"contrast {quoted(name)} names {'an' if of == 'arm' else 'a'} {of} twice: "
            f"{quoted(list(weights))}"
        )
    if fault := fault_of_weights(w, of=of):
        raise EstimateError(f"contrast {quoted(name)}{fault}")
    return {weighted: float(value) for weighted, value in w.items() if value != 0}


def _interaction_weights(
    outcomes: xr.Dataset, arms: list[str], factors: Sequence[str] | None
) -> Weights:
    names = as_names(factors) or ()
    if len(names) < 2 or len(set(names)) < len(names):
        raise EstimateError(
            f"interaction={quoted(factors)}: name two or more different factors"
        )
    factors = list(names)
    high = [_at_high_level(outcomes, factor) for factor in factors]
    members: dict[tuple[int, ...], str] = {}
    for i, arm in enumerate(arms):
        cell = tuple(int(level[i]) for level in high)
        if -1 in cell:
            continue
        if cell in members:
            raise EstimateError(
                f"interaction: arms {quoted(members[cell])} and {quoted(arm)} are both "
                f"the cell {_cell_label(factors, cell)}"
            )
        members[cell] = arm
    weights = {}
    for cell in product((0, 1), repeat=len(factors)):
        if cell not in members:
            raise EstimateError(
                f"interaction: no arm has the cell {_cell_label(factors, cell)}; a "
                f"factorial needs all 2^{len(factors)} arms"
            )
        weights[members[cell]] = float((-1) ** (len(cell) - sum(cell)))
    return {":".join(factors): weights}


def _on_arm(outcomes: xr.Dataset) -> list[str]:
    """Return the coordinates of arms that may be factors."""
    return [
        str(c)
        for c in outcomes.coords
        if outcomes[c].dims == ("arm",) and c not in RESERVED
    ]


def _at_high_level(outcomes: xr.Dataset, factor: str) -> npt.NDArray[np.intp]:
    """Return 1 for arms at the high level of a factor, 0 at its reference, -1 without a
    level.
    """
    on_arm = _on_arm(outcomes)
    if factor not in on_arm:
        raise EstimateError(
            f"interaction: no factor {quoted(factor)} on the arms; the coordinates "
            f"there are {comma_list(on_arm) or 'none'}"
        )
    values = outcomes[factor].to_numpy().tolist()
    absent = [v is None or v == "" or v != v for v in values]
    levels = sorted(
        {v for v, gone in zip(values, absent, strict=True) if not gone},
        key=lambda v: (str(type(v)), v),
    )
    if len(levels) != 2:
        raise EstimateError(
            f"interaction: factor {quoted(factor)} has the levels {levels}, not two"
        )
    return np.array(
        [
            -1 if gone else levels.index(v)
            for v, gone in zip(values, absent, strict=True)
        ],
        dtype=np.intp,
    )


def _cell_label(factors: Sequence[str], cell: tuple[int, ...]) -> str:
    return ", ".join(
        f"{factor} {'high' if level else 'reference'}"
        for factor, level in zip(factors, cell, strict=True)
    )


def weight_matrix(weights: Weights, arms: list[str]) -> sparse.csr_array:
    """Return weights as a sparse matrix of contrasts by arms (or tasks)."""
    column = {arm: j for j, arm in enumerate(arms)}
    entries = [
        (k, column[arm], value)
        for k, w in enumerate(weights.values())
        for arm, value in w.items()
    ]
    rows, columns, values = zip(*entries, strict=True)
    return sparse.csr_array(
        (np.array(values), (rows, columns)), shape=(len(weights), len(arms))
    )


def orthonormal_polynomials(x: Array, degree: int) -> Array:
    """Return polynomials of degree 1 to `degree` in x, orthonormal over the points,
    leading coefficients positive.

    Each is x times the one before, made orthogonal to all lower ones (twice, for
    rounding).

    Parameters
    ----------
    x
        Different points, shape ``(k,)``.
    degree
        At most k - 1.

    Returns
    -------
    array
        Shape ``(degree, k)``.

    References
    ----------
    Forsythe (1957), doi:10.1137/0105007.

    Examples
    --------
    >>> orthonormal_polynomials(np.array([0.0, 1.0, 2.0]), 2).round(4) + 0.0
    array([[-0.7071,  0.    ,  0.7071],
           [ 0.4082, -0.8165,  0.4082]])
    """
    z = centered(x)[1]
    z = z / np.abs(z).max()
    rows = [np.full(len(x), len(x) ** -0.5)]
    for _ in range(degree):
        new, basis = z * rows[-1], np.stack(rows)
        for _ in range(2):
            new = new - basis.T @ (basis @ new)
        rows.append(new / np.sqrt(new @ new))
    return np.stack(rows[1:])
