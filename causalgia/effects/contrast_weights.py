"""Weights of contrasts over arms: against a control, as given, the interaction of
factors, or the trend over doses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise, product
from math import gcd, lcm
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy import sparse

from causalgia.checks import (
    as_names,
    check_another_arm,
    check_arm,
    is_real,
    is_whole,
    listed,
)
from causalgia.errors import EstimateError, quoted, type_in_words
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
from causalgia.types import Array, Series
from causalgia.variables import RESERVED

Weights: TypeAlias = dict[str, dict[str, float]]
Contrasts: TypeAlias = Mapping[str, Mapping[str, float] | str] | Sequence[str] | str
"""Type of ``contrasts=``: weights of arms by name, or text in the names of arms."""
_ORDERS = ("linear", "quadratic", "cubic", "quartic", "quintic")


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
            f"there are {', '.join(on_arm) or 'none'}"
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


def dose_contrasts(
    outcomes: xr.Dataset | Mapping[str, float] | Series,
    *,
    along: str = "copies",
    kind: Literal["slope", "orthonormal", "consecutive", "equally_spaced"] = "slope",
    degree: int | None = None,
) -> dict[str, dict[str, float]]:
    """Return contrasts for the change of outcomes with a dose, for
    `contrast(outcomes, contrasts=...)`.

    Parameters
    ----------
    outcomes
        A Dataset whose arms have a numeric coordinate `along`; or the doses, arm name
        -> dose (a mapping, or a Series by arm). Arms without a dose (NaN or empty) are
        left out.
    along
        The coordinate on the arm dim, such as the number of copies of a motif.
    kind
        ``"slope"``: the least-squares slope per unit of dose,
        ``(x - mean x) / sum (x - mean x)^2``; ``"orthonormal"``: orthonormal
        polynomials in the dose (linear, quadratic, ...) with positive leading
        coefficients; ``"consecutive"``: each dose minus the one before;
        ``"equally_spaced"``: the integer polynomials of tables, which treat any doses
        as equally spaced.
    degree
        Highest degree of the polynomials; None: all, one less than the number of doses.

    Returns
    -------
    dict
        Contrast name -> arm name -> weight. Applied to each unit they give its own
        slope (or step), so standard errors come from the units and not from a pooled
        error.

    Raises
    ------
    EstimateError
        If no arm has such a coordinate, a dose is not a number, there are fewer than
        two doses, or two arms share one where each dose needs one arm.

    Examples
    --------
    >>> dose_contrasts({"0": 0, "1": 1, "2": 2}, kind="consecutive")
    {'1 minus 0': {'1': 1.0, '0': -1.0}, '2 minus 1': {'2': 1.0, '1': -1.0}}
    >>> dose_contrasts({"none": 0, "one": 1, "three": 3}, kind="equally_spaced")[
    ...     "quadratic"
    ... ]
    {'none': 1.0, 'one': -2.0, 'three': 1.0}
    """
    doses = _doses(outcomes, along)
    arms, x = list(doses), np.array(list(doses.values()))
    if len(set(doses.values())) < 2:
        raise EstimateError(
            f"along={quoted(along)}: a response to a dose needs two or more doses, "
            f"and there is {x[0]:g} alone"
        )
    if kind == "slope":
        if degree is not None:
            raise EstimateError(
                "degree= is for kind='orthonormal' and 'equally_spaced'"
            )
        away = centered(x)[1]
        return {"slope": _weights_by_arm(arms, away / (away @ away))}
    if len(set(doses.values())) < len(doses):
        duplicate = next(
            a for a, d in doses.items() if list(doses.values()).count(d) > 1
        )
        raise EstimateError(
            f"kind={quoted(kind)}: arm {quoted(duplicate)} shares its dose "
            f"{doses[duplicate]:g} with another"
        )
    if kind == "consecutive":
        if degree is not None:
            raise EstimateError(
                "degree= is for kind='orthonormal' and 'equally_spaced'"
            )
        return {f"{b} minus {a}": {b: 1.0, a: -1.0} for a, b in pairwise(arms)}
    makers: dict[str, Callable[[], Array]] = {
        "orthonormal": lambda: orthonormal_polynomials(x, _as_degree(degree, len(x))),
        "equally_spaced": lambda: integer_polynomials(
            len(x), _as_degree(degree, len(x))
        ),
    }
    if kind not in makers:
        raise EstimateError(
            f"kind={quoted(kind)} is not one of 'slope', 'orthonormal', "
            "'consecutive', 'equally_spaced'"
        )
    rows = makers[kind]()
    names = (*_ORDERS, *(f"degree {j}" for j in range(len(_ORDERS) + 1, len(rows) + 1)))
    return {
        name: _weights_by_arm(arms, row) for name, row in zip(names, rows, strict=False)
    }


def _weights_by_arm(arms: list[str], weights: Array) -> dict[str, float]:
    return dict(zip(arms, weights.tolist(), strict=True))


def _doses(
    outcomes: xr.Dataset | Mapping[str, float] | Series, along: str
) -> dict[str, float]:
    """Return arm -> dose, in the order of the doses."""
    if isinstance(outcomes, xr.Dataset):
        if along not in outcomes.coords or outcomes[along].dims != ("arm",):
            there = [
                str(c)
                for c in outcomes.coords
                if outcomes[c].dims == ("arm",) and c != "arm"
            ]
            raise EstimateError(
                f"along={quoted(along)} is not a coordinate on the arms; there are "
                f"{', '.join(there) or 'none'}"
            )
        names, values = (
            outcomes["arm"].to_numpy().tolist(),
            outcomes[along].to_numpy().tolist(),
        )
    elif isinstance(outcomes, pd.Series):
        names, values = outcomes.index.tolist(), outcomes.tolist()
    elif isinstance(outcomes, Mapping):
        names, values = list(outcomes), list(outcomes.values())
    else:
        raise EstimateError(
            "doses are in outcomes or in a mapping (or Series) of arm to dose, not in "
            f"{type_in_words(outcomes)}"
        )
    duplicates = [str(a) for i, a in enumerate(names) if str(a) in map(str, names[:i])]
    if duplicates:
        raise EstimateError(f"arm {quoted(duplicates[0])} has more than one dose")
    found = {
        str(a): _as_dose(v, str(a))
        for a, v in zip(names, values, strict=True)
        if not (v is None or v is pd.NA or v == "" or v != v)
    }
    if not found:
        raise EstimateError(f"along={quoted(along)}: no arm has a dose")
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _as_dose(value: Any, arm: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if not np.isfinite(number):
        raise EstimateError(
            f"arm {quoted(arm)} has the dose {quoted(value)}, which is not a number"
        )
    return number


def _as_degree(degree: int | None, n: int) -> int:
    if degree is None:
        return n - 1
    if not is_whole(degree) or not 1 <= degree < n:
        raise EstimateError(
            f"degree={quoted(degree)}: {n} doses have polynomials of degree 1 to "
            f"{n - 1}"
        )
    return int(degree)


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


def integer_polynomials(n_levels: int, degree: int) -> Array:
    """Return the orthogonal polynomials over 1, 2, ..., n in their smallest integers,
    leading coefficients positive.

    Parameters
    ----------
    n_levels
        Number of equally spaced points.
    degree
        At most n - 1.

    Returns
    -------
    array
        Shape ``(degree, n)``.

    Examples
    --------
    >>> integer_polynomials(4, 3)
    array([[-3., -1.,  1.,  3.],
           [ 1., -1., -1.,  1.],
           [-1.,  3., -3.,  1.]])
    """
    rows = [[Fraction(1)] * n_levels]
    for _ in range(degree):
        new = [i * value for i, value in enumerate(rows[-1])]
        for row in rows:
            share = _dot(new, row) / _dot(row, row)
            new = [a - share * b for a, b in zip(new, row, strict=True)]
        rows.append(new)
    wholes = [
        [int(value * lcm(*(v.denominator for v in row))) for value in row]
        for row in rows[1:]
    ]
    return np.array(
        [[value // gcd(*whole) for value in whole] for whole in wholes],
        dtype=np.float64,
    )


def _dot(a: list[Fraction], b: list[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))
