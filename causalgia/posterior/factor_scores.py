"""Coefficients of the center and factor scores of the noise, shared by all effects, by Laplace's method.

With noise ``Sigma = L L' + D`` an estimate is ``x_k' b + L_k f + delta'_k + noise_k``, ``f ~ N(0, I)`` and the noise
independent: given c = (b, f) the rows are independent, and the posterior of c is nearly normal about
its mode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.linalg import LinAlgError
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtri

from causalgia.errors import InferenceError
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import Design
from causalgia.posterior.scale_mixture import Components, Node, ResidualRows, residual_rows
from causalgia.types import Array

__all__ = ["LinearPart", "SharedMode", "linear_part", "normal_strata", "row_nodes", "shared_mode"]

_STEPS = 500
_HALVINGS = 40
_STILL = 1e-9
_STRATA = 11


@dataclass(frozen=True, eq=False)
class LinearPart:
    """The linear part of the estimates: ``columns @ (b, f)``, and the normal prior of (b, f) about 0."""

    columns: Array
    """``[X | L]``, (K, m)."""
    precision: Array
    """Prior precision of each coefficient, (m,); 0 is flat, 1 a factor score."""
    n_center: int
    """Number of columns of the center of the effects; the others are factors of the noise."""

    def split(self, coefficients: Array) -> tuple[Array, Array]:
        """Return the center of the effects and the whole linear part, (..., K) each, at coefficients (..., m)."""
        center = coefficients[..., : self.n_center] @ self.columns[:, : self.n_center].T
        return center, center + coefficients[..., self.n_center :] @ self.columns[:, self.n_center :].T


@dataclass(frozen=True, eq=False)
class SharedMode:
    """The posterior of the m coefficients given the components: normal about its mode."""

    value: Array
    """Mode, (m,)."""
    root: Array
    """Lower triangular R with covariance R R', (m, m)."""
    log_integral: float
    """Laplace's log of the integral over the coefficients; up to the constants of flat priors."""
    peaked: bool
    """Whether the density is concave here in all directions; if not, the covariance is a lower bound."""

    def at(self, normal: Array) -> Array:
        """Return coefficients at standard normal positions (n, m)."""
        return np.asarray(self.value + normal @ self.root.T)


def linear_part(design: Design | None, noise: Noise) -> LinearPart:
    """Return the linear part of a center (None: the center is 0) and the noise's factors.

    Raises
    ------
    InferenceError
        If the noise is a whole covariance, which has no factors.
    """
    if noise.whole is not None:
        raise InferenceError(
            "a whole covariance is exact under law='normal' alone; take engine='nuts' for this law, or law='normal'"
        )
    size = len(noise.variances)
    center = np.empty((size, 0)) if design is None else design.columns
    loadings = np.empty((size, 0)) if noise.loadings is None else noise.loadings
    precision = np.empty(0) if design is None else 1 / design.sd**2
    return LinearPart(np.hstack([center, loadings]), np.append(precision, np.ones(loadings.shape[1])), center.shape[1])


def shared_mode(effect: Array, noise: Array, components: Components, shared: LinearPart, start: Array) -> SharedMode:
    """Return the mode of the coefficients given the components, and Laplace's approximation about it.

    Newton's method where the density is log-concave and increases, else steps of the EM algorithm, which always do.

    Parameters
    ----------
    effect, noise
        Estimates and their independent noise variances, (K,).
    components
        Prior of the effects about their center.
    shared
        Linear part of the estimates.
    start
        Coefficients to start from, (m,).

    Raises
    ------
    InferenceError
        If the coefficients have no mode, or rows leave one of them undetermined.

    References
    ----------
    Tierney & Kadane (1986), doi:10.1080/01621459.1986.10478240.
    """
    value, rows = start, _rows_at(effect, noise, components, shared, start)
    for _ in range(_STEPS):
        step = _ascent_step(effect, rows, shared, value)
        reached = _line_search(effect, noise, components, shared, value, rows, step)
        moved = np.abs(shared.columns @ (reached[0] - value)) / np.sqrt(noise)
        value, rows = reached
        if not moved.size or moved.max() < _STILL:
            size = len(value)
            factor, peaked = _curvature_factor(rows, shared)
            known = shared.precision[shared.precision > 0]
            normalizer = 0.5 * np.log(known).sum() - 0.5 * len(known) * np.log(2 * np.pi)
            spread = 0.5 * size * np.log(2 * np.pi) - np.log(np.diag(factor)).sum()
            root = np.linalg.cholesky(np.linalg.inv(factor @ factor.T)) if size else factor
            return SharedMode(value, root, _log_joint(rows, shared, value) + float(normalizer + spread), peaked)
    raise InferenceError("factor scores or covariates found no mode in 500 steps; take engine='nuts'")


def row_nodes(
    weight: float, effect: Array, components: Components, shared: LinearPart, value: Array, root: Array
) -> list[Node]:
    """Return nodes of each row's linear part, where the coefficients are normal.

    A row depends on the coefficients through its linear part and its center only, which are jointly normal. The linear
    part is divided into eleven equally likely strata; within each, effects are normal given their component.

    Parameters
    ----------
    weight
        Probability of all the nodes together.
    effect
        Estimates, (K,).
    components
        Prior of the effects about their center.
    shared
        Linear part of the estimates.
    value, root
        Mean of the coefficients, (m,), and a root of their covariance, (m, m).
    """
    center, linear = shared.split(value)
    if not len(value):
        return [Node(weight, effect - linear, center, components)]
    n = shared.n_center
    a, b = shared.columns[:, :n] @ root[:n], shared.columns @ root
    sd = np.sqrt((b**2).sum(axis=1))
    slope = (a * b).sum(axis=1) / np.where(sd > 0, sd, 1.0)
    rest = np.sqrt(np.maximum((a**2).sum(axis=1) - slope**2, 0.0)) if 0 < n < len(value) else 0.0
    return [
        Node(weight / _STRATA, effect - linear - sd * x, center + slope * x, components, sd * h, slope * h, rest)
        for x, h in zip(*normal_strata(_STRATA), strict=True)
    ]


def normal_strata(n: int) -> tuple[Array, Array]:
    """Return mean and sd of the standard normal within n equally likely intervals, (n,) each.

    Examples
    --------
    >>> mean, sd = normal_strata(1)
    >>> mean.item(), sd.item()
    (-0.0, 1.0)
    """
    edges = ndtri(np.arange(1, n) / n)
    height = np.concatenate([[0.0], np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi), [0.0]])
    product = np.concatenate([[0.0], edges, [0.0]]) * height
    mean = -n * np.diff(height)
    return mean, np.sqrt(1 - n * np.diff(product) - mean**2)


def _rows_at(effect: Array, noise: Array, components: Components, shared: LinearPart, value: Array) -> ResidualRows:
    return residual_rows(effect - shared.columns @ value, noise, components)


def _log_joint(rows: ResidualRows, shared: LinearPart, value: Array) -> float:
    return float(rows.log_density.sum() - 0.5 * (shared.precision * value**2).sum())


def _ascent_step(effect: Array, rows: ResidualRows, shared: LinearPart, value: Array) -> Array:
    """Return the Newton step if the density is log-concave here, else the EM step."""
    residual = effect - shared.columns @ value
    gradient = shared.columns.T @ (rows.precision * residual) - shared.precision * value
    for weight in (rows.curvature, rows.precision):
        try:
            return np.asarray(cho_solve(cho_factor(_information_matrix(weight, shared)), gradient))
        except LinAlgError:
            continue
    raise InferenceError("effects leave a coefficient undetermined: covariates are collinear, or too many")


def _line_search(
    effect: Array,
    noise: Array,
    components: Components,
    shared: LinearPart,
    value: Array,
    rows: ResidualRows,
    step: Array,
) -> tuple[Array, ResidualRows]:
    """Halve the step until the density does not decrease."""
    floor = _log_joint(rows, shared, value)
    for _ in range(_HALVINGS):
        ahead = value + step
        reached = _rows_at(effect, noise, components, shared, ahead)
        if _log_joint(reached, shared, ahead) >= floor - 1e-12 * abs(floor):
            return ahead, reached
        step = step / 2
    return value, rows


def _curvature_factor(rows: ResidualRows, shared: LinearPart) -> tuple[Array, bool]:
    """Return the Cholesky factor of the curvature, or of the EM information where the density is not concave."""
    if not len(shared.precision):
        return np.empty((0, 0)), True
    try:
        return np.asarray(np.linalg.cholesky(_information_matrix(rows.curvature, shared)), dtype=np.float64), True
    except LinAlgError:
        return np.asarray(np.linalg.cholesky(_information_matrix(rows.precision, shared)), dtype=np.float64), False


def _information_matrix(weight: Array, shared: LinearPart) -> Array:
    information = shared.columns.T @ (weight[:, None] * shared.columns)
    information[np.diag_indices_from(information)] += shared.precision
    return np.asarray(information)
