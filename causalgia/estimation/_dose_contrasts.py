"""Dose-response contrasts: weights over arms that differ in dose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import pairwise
from math import gcd, lcm
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.checks import is_whole
from causalgia.errors import ContrastError, quoted
from causalgia.numerics.moments import centered
from causalgia.types import Array

_ORDERS = ("linear", "quadratic", "cubic", "quartic", "quintic")


def dose_contrasts(
    outcomes: xr.Dataset | Mapping[Any, float] | pd.Series[Any],
    *,
    along: str = "copies",
    kind: Literal["slope", "orthonormal", "consecutive", "equally_spaced"] = "slope",
    degree: int | None = None,
) -> dict[str, dict[str, float]]:
    """Return contrasts for the change of outcomes with a dose, for `contrast(outcomes, contrasts=...)`.

    Parameters
    ----------
    outcomes
        A Dataset whose arms have a numeric coordinate `along`; or the doses, arm name -> dose (a mapping, or a Series
        by arm). Arms without a dose (NaN or empty) are left out.
    along
        The coordinate on the arm dim, such as the number of copies of a motif.
    kind
        ``"slope"``: the least-squares slope per unit of dose, ``(x - mean x) / sum (x - mean x)^2``;
        ``"orthonormal"``: orthonormal polynomials in the dose (linear, quadratic, ...) with positive leading
        coefficients; ``"consecutive"``: each dose minus the one before; ``"equally_spaced"``: the integer polynomials
        of tables, which treat any doses as equally spaced.
    degree
        Highest degree of the polynomials; None: all, one less than the number of doses.

    Returns
    -------
    dict
        Contrast name -> arm name -> weight. Applied to each unit they give its own slope (or step), so standard errors
        come from the units and not from a pooled error.

    Raises
    ------
    ContrastError
        If no arm has such a coordinate, a dose is not a number, there are fewer than two doses, or two arms share one
        where each dose needs one arm.

    Examples
    --------
    >>> dose_contrasts({"0": 0, "1": 1, "2": 2}, kind="consecutive")
    {'1 minus 0': {'1': 1.0, '0': -1.0}, '2 minus 1': {'2': 1.0, '1': -1.0}}
    >>> dose_contrasts({"none": 0, "one": 1, "three": 3}, kind="equally_spaced")["quadratic"]
    {'none': 1.0, 'one': -2.0, 'three': 1.0}
    """
    doses = _doses(outcomes, along)
    arms, x = list(doses), np.array(list(doses.values()))
    if len(set(doses.values())) < 2:
        raise ContrastError(
            f"along={quoted(along)}: a response to a dose needs two or more doses, and there is {x[0]:g} alone"
        )
    if kind == "slope":
        if degree is not None:
            raise ContrastError("degree= is for kind='orthonormal' and 'equally_spaced'; leave it out")
        away = centered(x)[1]
        return {"slope": _weights_by_arm(arms, away / (away @ away))}
    if len(set(doses.values())) < len(doses):
        duplicate = next(a for a, d in doses.items() if list(doses.values()).count(d) > 1)
        raise ContrastError(
            f"kind={quoted(kind)}: arm {quoted(duplicate)} shares its dose {doses[duplicate]:g} with another; drop one "
            "arm"
        )
    if kind == "consecutive":
        if degree is not None:
            raise ContrastError("degree= is for kind='orthonormal' and 'equally_spaced'; leave it out")
        return {f"{b} minus {a}": {b: 1.0, a: -1.0} for a, b in pairwise(arms)}
    makers: dict[str, Callable[[], Array]] = {
        "orthonormal": lambda: orthonormal_polynomials(x, _as_degree(degree, len(x))),
        "equally_spaced": lambda: integer_polynomials(len(x), _as_degree(degree, len(x))),
    }
    if kind not in makers:
        raise ContrastError(f"kind={quoted(kind)} is none of 'slope', 'orthonormal', 'consecutive', 'equally_spaced'")
    rows = makers[kind]()
    names = (*_ORDERS, *(f"degree {j}" for j in range(len(_ORDERS) + 1, len(rows) + 1)))
    return {name: _weights_by_arm(arms, row) for name, row in zip(names, rows, strict=False)}


def _doses(outcomes: xr.Dataset | Mapping[Any, float] | pd.Series[Any], along: str) -> dict[str, float]:
    """Return arm -> dose, in the order of the doses."""
    if isinstance(outcomes, xr.Dataset):
        if along not in outcomes.coords or outcomes[along].dims != ("arm",):
            there = [str(c) for c in outcomes.coords if outcomes[c].dims == ("arm",) and c != "arm"]
            raise ContrastError(
                f"along={quoted(along)} is not a coordinate on the arms; there are {', '.join(there) or 'none'}"
            )
        names, values = outcomes["arm"].to_numpy().tolist(), outcomes[along].to_numpy().tolist()
    elif isinstance(outcomes, pd.Series):
        names, values = outcomes.index.tolist(), outcomes.tolist()
    elif isinstance(outcomes, Mapping):
        names, values = list(outcomes), list(outcomes.values())
    else:
        raise ContrastError(
            f"doses are in outcomes or in a mapping (or Series) of arm to dose, not in {type(outcomes).__name__}"
        )
    duplicates = [str(a) for i, a in enumerate(names) if str(a) in map(str, names[:i])]
    if duplicates:
        raise ContrastError(f"arm {quoted(duplicates[0])} has more than one dose; give one for each arm")
    found = {str(a): _as_dose(v, str(a)) for a, v in zip(names, values, strict=True) if not _missing(v)}
    if not found:
        raise ContrastError(f"along={quoted(along)}: no arm has a dose")
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or value == "" or value != value


def _as_dose(value: Any, arm: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise ContrastError(f"arm {quoted(arm)} has the dose {quoted(value)}, which is not a number")
    return number


def _as_degree(degree: int | None, n: int) -> int:
    if degree is None:
        return n - 1
    if not is_whole(degree) or not 1 <= degree < n:
        raise ContrastError(f"degree={quoted(degree)}: {n} doses have polynomials of degree 1 to {n - 1}")
    return int(degree)


def _weights_by_arm(arms: list[str], weights: Array) -> dict[str, float]:
    return {arm: float(w) for arm, w in zip(arms, weights, strict=True)}


def orthonormal_polynomials(x: Array, degree: int) -> Array:
    """Return polynomials of degree 1 to `degree` in x, orthonormal over the points, leading coefficients positive.

    Each is x times the one before, made orthogonal to all lower ones (twice, for rounding).

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
    """Return the orthogonal polynomials over 1, 2, ..., n in their smallest integers, leading coefficients positive.

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
    return np.array([_smallest(row) for row in rows[1:]], dtype=np.float64)


def _dot(a: list[Fraction], b: list[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def _smallest(row: list[Fraction]) -> list[int]:
    whole = [int(value * lcm(*(v.denominator for v in row))) for value in row]
    return [value // gcd(*whole) for value in whole]
