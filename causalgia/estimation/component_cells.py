"""Rows of responses and how they were drawn: what `variance_components` fits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.estimation.mixed_layout import same_partition
from causalgia.numerics.moments import group_sums
from causalgia.types import Array, Codes


@dataclass(frozen=True)
class Cells:
    """Rows of a table of responses, and groupings of the rows that may have a variance of their own.

    Attributes
    ----------
    rows
        Responses, shape ``(N, R)``.
    fixed
        Fixed effects, shape ``(N, p)``.
    weight
        Weight of each row in the effect whose standard error is divided up, shape ``(N,)``.
    drawn
        Component -> level of each row, shape ``(N,)``.
    """

    rows: Array
    fixed: Array
    weight: Array
    drawn: dict[str, Codes]


@dataclass(frozen=True)
class Identified:
    """Which groupings the rows can tell apart.

    Attributes
    ----------
    groups
        Component -> level of each row; no two of them alike, none with one level or one row for each level.
    residual
        What the residual is called: with the name of a main effect where that is confounded with it.
    notes
        What cannot be told apart, a clause each.
    """

    groups: dict[str, Codes]
    residual: str
    notes: tuple[str, ...]


def identified(cells: Cells) -> Identified:
    """Sort out the groupings that the rows cannot tell apart, and say which.

    Examples
    --------
    >>> drawn = {"background": np.arange(3), "predictor": np.zeros(3, dtype=int)}
    >>> identified(Cells(np.zeros((3, 1)), np.ones((3, 1)), np.ones(3) / 3, drawn)).notes
    ('background is one with the residual', 'predictor has one level')
    """
    groups: dict[str, Codes] = {}
    residual, notes = "residual", []
    for name, codes in cells.drawn.items():
        levels = int(codes.max()) + 1
        twin = next((other for other, theirs in groups.items() if same_partition(codes, theirs)), None)
        if levels == 1:
            notes.append(f"{name} has one level")
        elif levels == len(codes):
            residual = residual if "_by_" in name else f"{name} + {residual}"
            notes.append(f"{name} is one with the residual")
        elif twin is not None:
            notes.append(f"{name} is one with {twin}")
        else:
            groups[name] = codes
    return Identified(groups, residual, tuple(notes))


def shares_of_weight(cells: Cells, groups: dict[str, Codes]) -> Array:
    """Return what a unit of each component's variance adds to that of the effect, residual last, ``(J + 1,)``."""
    sums = [float((group_sums(cells.weight, codes) ** 2).sum()) for codes in groups.values()]
    return np.array([*sums, float((cells.weight**2).sum())])


def effect_cells(ice: Array, parent: Codes | None) -> Cells:
    """Lay out ICE of shape ``(n, K, T, M)``, every contrast and task a response of its own.

    Examples
    --------
    >>> effect_cells(np.zeros((4, 2, 1, 3)), None).rows.shape
    (12, 2)
    """
    n, k, t, m = ice.shape
    return Cells(np.moveaxis(ice, 3, 1).reshape(n * m, k * t), *_crossed(n, m, 1, parent))


def instance_cells(ice: Array, parent: Codes | None) -> Cells:
    """Lay out ICE of shape ``(n, K, T, M)``, the contrasts being instances of one motif and every task a response.

    Examples
    --------
    >>> list(instance_cells(np.zeros((4, 2, 1, 1)), None).drawn)
    ['background', 'background_by_instance', 'instance']
    """
    n, k, t, m = ice.shape
    return Cells(ice.transpose(0, 3, 1, 2).reshape(n * m * k, t), *_crossed(n, m, k, parent))


def _crossed(n: int, m: int, k: int, parent: Codes | None) -> tuple[Array, Array, dict[str, Codes]]:
    u, p, i = (index.ravel() for index in np.indices((n, m, k)))
    others = ({"predictor": p} if m > 1 else {}) | ({"instance": i} if k > 1 else {})
    drawn: dict[str, Codes] = {}
    for name, codes in _tops(u, parent).items():
        drawn |= {"_by_".join([name, *with_]): _joint(codes, *(others[x] for x in with_)) for with_ in _subsets(others)}
    drawn |= {"_by_".join(with_): _joint(*(others[x] for x in with_)) for with_ in _subsets(others) if with_}
    size = n * m * k
    return np.ones((size, 1)), np.full(size, 1 / size), drawn


def _tops(u: Codes, parent: Codes | None) -> dict[str, Codes]:
    return ({} if parent is None else {"parent": parent[u]}) | {"background": u}


def _subsets(names: dict[str, Codes]) -> list[tuple[str, ...]]:
    return [chosen for size in range(len(names) + 1) for chosen in combinations(names, size)]


def _joint(*codes: Codes) -> Codes:
    joint = codes[0]
    for other in codes[1:]:
        joint = joint * (other.max() + 1) + other
    return np.asarray(pd.factorize(joint)[0], dtype=np.intp)


def outcome_cells(outcomes: xr.Dataset, parent: Codes | None) -> Cells:
    """Lay out outcomes with a fixed effect of each arm, every task a response.

    Examples
    --------
    >>> outcomes = xr.Dataset({"outcome": (("unit", "arm", "task", "model"), np.zeros((4, 2, 1, 3)))})
    >>> list(outcome_cells(outcomes, None).drawn)
    ['background', 'predictor', 'background_by_arm', 'predictor_by_arm']
    """
    crossover = "arm" in outcomes["outcome"].dims
    dims = ("unit", "arm", "task") if crossover else ("unit", "task")
    y = np.asarray(outcomes["outcome"].transpose(*dims, ...).to_numpy(), dtype=np.float64)
    y = y if crossover else y[:, None]
    y = y[..., None] if y.ndim == 3 else y
    n, a, t, m = y.shape
    u, arm, p = (index.ravel() for index in np.indices((n, a, m)))
    if not crossover:
        arm = np.asarray(pd.factorize(outcomes["assigned"].to_numpy())[0], dtype=np.intp)[u]
    drawn = _tops(u, parent) | ({"predictor": p} if m > 1 else {})
    drawn |= {f"{name}_by_arm": _joint(codes, arm) for name, codes in drawn.items() if arm.max() > 0}
    fixed = np.eye(arm.max() + 1)[arm]
    size = fixed.sum(axis=0)
    weight = fixed[:, 0] / size[0] - (fixed[:, 1] / size[1] if len(size) > 1 else 0.0)
    return Cells(y.transpose(0, 1, 3, 2).reshape(-1, t), fixed, weight, drawn)
