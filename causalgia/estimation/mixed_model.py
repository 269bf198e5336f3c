"""Restricted maximum likelihood for variance components: crossed and nested random intercepts on sparse arrays.

The model is ``y = X beta + sum_j Z_j u_j + e``, where every grouping j gives each of its levels a normal random
intercept of variance s_j and e is the residual of variance s_e. All matrices beyond the data are of the size of the
random effects, sparse, and factored once for each evaluation: ``V^-1 = (I - Z G (I + Z'Z G)^-1 Z') / s_e`` with G the
diagonal of the ratios s_j / s_e, regular where a variance is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from causalgia.errors import EstimateError
from causalgia.estimation.mixed_layout import Table, factored
from causalgia.types import Array

#: least residual variance, as a share of the variance of y: below it the residual counts as 0
FLOOR = 1e-10
STEP = 1e-20
MOST_STEPS = 200


@dataclass(frozen=True)
class Variances:
    """Variance components of one response at the maximum of the restricted likelihood.

    Attributes
    ----------
    names
        The groupings in the order given, then ``"residual"``: J + 1 names.
    variance
        Their variances on the squared scale of the data, shape ``(J + 1,)``; 0 is the bound.
    covariance
        Inverse of the average information about them, shape ``(J + 1, J + 1)``. For a grouping at the bound it is
        that of the unbounded estimate; 0 for a residual of 0.
    """

    names: tuple[str, ...]
    variance: Array
    covariance: Array

    @property
    def se(self) -> Array:
        """Standard errors of the variances, shape ``(J + 1,)``."""
        return np.asarray(np.sqrt(np.diagonal(self.covariance)))


def fit_variances(table: Table) -> Variances:
    """Return the variance components of a table, with the inverse of the average information; 0 if nothing varies.

    Examples
    --------
    >>> from causalgia.estimation.mixed_layout import lay_out, respond
    >>> layout = lay_out(np.ones((6, 1)), {"unit": np.array([0, 0, 1, 1, 2, 2])})
    >>> fit_variances(respond(layout, np.array([1.0, 2.0, 2.0, 4.0, 6.0, 8.0]))).variance.round(4)
    array([7.3333, 1.5   ])
    """
    names = (*table.layout.names, "residual")
    if table.scale == 0:
        return Variances(names, np.zeros(len(names)), np.zeros((len(names), len(names))))
    at = Point(table, maximise(table))
    units = table.scale**2
    covariance = inverse_information(at.average_information, at.not_exact) * units**2
    return Variances(names, np.where(at.at_bound, 0.0, at.theta) * units, covariance)


def inverse_information(information: Array, kept: npt.NDArray[np.bool_]) -> Array:
    """Invert what is known of the variances that are kept, each on its own scale; 0 for the others.

    Examples
    --------
    >>> inverse_information(np.diag([4.0, 1e-20]), np.array([True, True]))
    array([[2.5e-01, 0.0e+00],
           [0.0e+00, 1.0e+20]])
    """
    out, block = np.zeros_like(information), np.ix_(kept, kept)
    size = np.sqrt(np.diagonal(information)[kept])
    size = np.where(size > 0, size, 1.0)
    out[block] = np.linalg.pinv(information[block] / np.outer(size, size), hermitian=True) / np.outer(size, size)
    return out


class Point:
    """The restricted likelihood of a table at given variances (groupings, then residual)."""

    def __init__(self, table: Table, theta: npt.NDArray[Any]) -> None:
        self.table, self.layout, self.theta, self.residual = table, table.layout, theta, theta[-1]
        self.ratio = theta[self.layout.owner] / self.residual
        q = len(self.ratio)
        M = sparse.csc_array(sparse.eye_array(q, format="csc") + self.layout.cross * self.ratio[None, :])
        self.lu = factored(M)
        sides, projected = table.sides, table.projected
        solved = self.lu.solve(projected.astype(M.dtype))
        inner = (sides.T @ sides - projected.T @ (self.ratio[:, None] * solved)) / self.residual
        self.information, self.side, whole = inner[:-1, :-1], inner[:-1, -1], inner[-1, -1]
        self.shift = np.linalg.solve(self.information, self.side)
        self.squares = whole - self.side @ self.shift

    @cached_property
    def fixed(self) -> Array:
        """Covariance of the orthonormal fixed effects."""
        return np.asarray(np.linalg.inv(self.information))

    @property
    def at_bound(self) -> npt.NDArray[np.bool_]:
        """Which variances lie on their bounds."""
        return np.asarray(self.theta <= np.append(np.zeros(len(self.theta) - 1), FLOOR))

    @property
    def not_exact(self) -> npt.NDArray[np.bool_]:
        """All variances but that of a residual which is none but rounding."""
        return np.append(np.ones(len(self.theta) - 1, dtype=bool), self.residual > FLOOR)

    @property
    def criterion(self) -> Any:
        """Minus twice the restricted log likelihood, less what does not vary."""
        sign, size = np.linalg.slogdet(self.information)
        determinant = np.log(self.lu.U.diagonal()).sum() + len(self.table.y) * np.log(self.residual)
        return determinant + size + (1j * np.angle(sign) if np.iscomplexobj(sign) else 0.0) + self.squares

    @cached_property
    def score(self) -> Array:
        """Slope of the criterion in each variance, by complex steps; that of the residual by homogeneity."""
        n_groups = len(self.theta) - 1
        slopes = np.array([_slope(self.table, self.theta, j) for j in range(n_groups)])
        rows = len(self.table.y) - self.layout.Q.shape[1]
        residual = (rows - self.squares - slopes @ self.theta[:-1]) / self.residual
        return np.append(slopes, residual)

    def inverse_times(self, v: Array) -> Array:
        """``V^-1 v`` for columns v, shape ``(N, c)``."""
        solved = self.lu.solve(np.asarray(self.layout.Z.T @ v))
        return np.asarray((v - self.layout.Z @ (self.ratio[:, None] * solved)) / self.residual)

    @cached_property
    def average_information(self) -> Array:
        """``y'P V_i P V_j P y / 2``, shape ``(J + 1, J + 1)``."""
        Q = self.layout.Q
        py = self.inverse_times((self.table.y - Q @ self.shift)[:, None])
        columns = [Z @ (Z.T @ py) for Z in self.layout.blocks]
        parts = np.column_stack([*columns, py])
        solved = self.inverse_times(parts)
        lost = Q.T @ solved
        return np.asarray(parts.T @ solved - lost.T @ self.fixed @ lost) / 2


def _slope(table: Table, theta: Array, j: int) -> float:
    moved = theta.astype(np.complex128)
    moved[j] += 1j * STEP
    return float(Point(table, moved).criterion.imag / STEP)


def maximise(table: Table) -> Array:
    """Return the variances (groupings, then residual) on the scale of the table: projected average-information steps.

    Raises
    ------
    EstimateError
        If the groupings cannot be told apart, or no maximum is found.
    """
    least = np.append(np.zeros(len(table.layout.names)), FLOOR)
    at = Point(table, np.maximum(_minque(table), least))
    for _ in range(MOST_STEPS):
        free = ~((at.theta <= least) & (at.score > 0))
        step = -inverse_information(2 * at.average_information, free) @ at.score
        new = at if -at.score @ step < _least_gain(at) else _shortened(at, step, least)
        if np.array_equal(new.theta, at.theta):
            return np.asarray(at.theta)
        at = new
    raise EstimateError(
        f"no maximum of the restricted likelihood after {MOST_STEPS} steps; leave out a grouping with few levels"
    )


def _least_gain(at: Point) -> float:
    """Return the gain below which a step is rounding; a residual on its bound leaves more of it in the score."""
    return 1e-18 * len(at.table.y) if at.residual > FLOOR else 1e-10


def _shortened(at: Point, step: Array, least: Array) -> Point:
    """Halve a step until the criterion does not rise beyond its rounding."""
    slack = 1e-11 * max(1.0, abs(float(at.criterion)))
    for halvings in range(60):
        theta = np.maximum(at.theta + step * 0.5**halvings, least)
        new = Point(at.table, theta)
        if float(new.criterion) <= float(at.criterion) + slack:
            return new
    return at


def _minque(table: Table) -> Array:
    """Closed-form start: MINQUE with weights 0, which is the analysis of variance of a balanced table."""
    layout = table.layout
    squares = [(np.asarray(Z.T @ table.y) ** 2).sum() for Z in layout.blocks] + [table.y @ table.y]
    norm = np.sqrt(np.diagonal(layout.gram))
    return np.asarray(np.linalg.solve(layout.gram / np.outer(norm, norm), np.array(squares) / norm) / norm)
