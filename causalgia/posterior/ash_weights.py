"""Weights of a mixture whose components are known: the penalised maximum, a convex problem solved to its optimum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalgia.errors import InferenceError
from causalgia.types import Array

_GAP, _FEASIBLE = 1e-14, 1e-12  # an observation: the log likelihood is then right to their sum, times n
_NEAR = 1e-11  # a gap below which a step that gains less than a tenth gains nothing but rounding
_STEPS = 300
_CENTRING = 0.1
_SHORTEST = 1e-12


@dataclass(frozen=True, eq=False)
class MixtureWeights:
    """The weights at the penalised maximum, and how far from it they can be."""

    weight: Array
    """Weights, (J,); they sum to 1."""
    log_likelihood: float
    """``sum_k log sum_j w_j f_kj``."""
    penalised: float
    """The log likelihood plus ``sum_j (a_j - 1) log w_j``: what was maximised."""
    kkt_excess: float
    """Largest component of the gradient over its bound, less 1: at most 0 at the maximum."""


def scale_grid(effect: Array, se: Array) -> Array:
    """Return the prior sd of the components, the spike (0) first: from a tenth of the smallest se to past all effects.

    The rule of Stephens (2017): upwards in steps of sqrt(2) to ``2 sqrt(max(effect^2 - se^2))``, or to 0.8 of the
    smallest se where no effect exceeds its se.

    Parameters
    ----------
    effect
        Effects about their mode, (K,).
    se
        Their standard errors, (K,), in the same unit.

    References
    ----------
    Stephens (2017), doi:10.1093/biostatistics/kxw041.

    Examples
    --------
    >>> scale_grid(np.array([0.0, 3.0]), np.array([1.0, 1.0])).round(2)
    array([0.  , 0.09, 0.13, 0.18, 0.25, 0.35, 0.5 , 0.71, 1.  , 1.41, 2.  , 2.83, 4.  , 5.66])
    """
    smallest = se.min() / 10
    excess = (np.abs(effect) - se).max()
    largest = 8 * smallest if excess <= 0 else 2 * np.sqrt(((np.abs(effect) - se) * (np.abs(effect) + se)).max())
    steps = max(int(np.ceil(2 * np.log2(largest / smallest))), 1)
    return np.concatenate([[0.0], largest * 2.0 ** (np.arange(-steps, 1) / 2)])


def mixture_weights(log_density: Array, prior_count: Array) -> MixtureWeights:
    """Return the weights that maximise ``sum_k log sum_j w_j f_kj + sum_j (a_j - 1) log w_j``.

    Interior point on the scaled problem ``min -sum_i c_i log (A x)_i + N sum x, x >= 0``, whose solution sums to 1:
    Newton steps on the conditions of optimality, the complementarity driven to a gap of 1e-14 an observation.

    Parameters
    ----------
    log_density
        ``log f_kj``, (K, J): log density of observation k under component j. Only differences within a row matter to
        the weights.
    prior_count
        ``a_j >= 1``, (J,): 10 for the spike and 1 elsewhere is the null-biased choice, 1 everywhere maximum likelihood.

    Raises
    ------
    InferenceError
        If a prior count is below 1: the problem is then not convex.

    References
    ----------
    Kim, Carbonetto, Stephens & Anitescu (2020), doi:10.1080/10618600.2019.1689985 (the problem and its scaling);
    Koenker & Mizera (2014), doi:10.1080/01621459.2013.869224 (interior point).

    Examples
    --------
    >>> fit = mixture_weights(np.log([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]), np.ones(2))
    >>> fit.weight.round(4), round(fit.kkt_excess, 9) <= 0
    (array([0.7083, 0.2917]), True)
    """
    if not (prior_count >= 1).all():
        raise InferenceError(f"prior_count={prior_count.tolist()} holds a count below 1; 1 leaves a weight alone")
    row_top = log_density.max(axis=1)
    penalised = np.flatnonzero(prior_count > 1)
    rows = np.vstack([np.exp(log_density - row_top[:, None]), np.eye(log_density.shape[1])[penalised]])
    counts = np.concatenate([np.ones(len(row_top)), prior_count[penalised] - 1])
    weight = _interior_point(rows, counts)
    log_mixture = np.log(rows @ weight)
    log_likelihood = float((log_mixture[: len(row_top)] + row_top).sum())
    penalty = float(counts[len(row_top) :] @ log_mixture[len(row_top) :])
    excess = float((rows.T @ (counts / (rows @ weight))).max() / counts.sum() - 1)
    return MixtureWeights(weight, log_likelihood, log_likelihood + penalty, excess)


def _interior_point(rows: Array, counts: Array) -> Array:
    """Minimise ``-sum_i counts_i log (rows x)_i + sum x sum counts`` over x >= 0; the minimiser sums to 1."""
    counts = counts / counts.sum()
    size = rows.shape[1]
    weight, slack, columns = np.full(size, 1 / size), np.ones(size), np.ascontiguousarray(rows.T)
    mixture, residual, reached = _conditions(columns, counts, weight, slack)
    before = np.inf
    for _ in range(_STEPS):
        gap = float(weight @ slack)
        if np.abs(residual).max() < _FEASIBLE and (gap < _GAP or (gap < _NEAR and reached > 0.9 * before)):
            break
        step = _newton(columns, counts, mixture, weight, slack, residual)
        before = reached
        weight, slack, mixture, residual, reached = _advance(columns, counts, weight, slack, *step, before)
    used = np.where(weight > 1e-6 * slack, weight, 0.0)  # to drop one costs weight times slack
    return np.asarray(used / used.sum())


def _conditions(columns: Array, counts: Array, weight: Array, slack: Array) -> tuple[Array, Array, float]:
    """Return the mixture, the residual of stationarity, and the norm of it and of complementarity together."""
    mixture = weight @ columns
    residual = 1 - columns @ (counts / mixture) - slack
    return mixture, residual, float(np.sqrt((residual**2).sum() + ((weight * slack) ** 2).sum()))


def _newton(
    columns: Array, counts: Array, mixture: Array, weight: Array, slack: Array, residual: Array
) -> tuple[Array, Array]:
    """Return the primal-dual step, solved in units of the weights so that tiny ones do no harm."""
    root = np.sqrt(weight)
    scaled = columns * (np.sqrt(counts) / mixture) * root[:, None]
    system = scaled @ scaled.T
    system[np.diag_indices_from(system)] += slack + 1e-15 * system.trace()
    target = _CENTRING * float(weight @ slack) / len(weight) / weight - slack
    step = root * np.linalg.solve(system, root * (target - residual))
    return step, target - slack / weight * step


def _advance(
    columns: Array, counts: Array, weight: Array, slack: Array, d_weight: Array, d_slack: Array, before: float
) -> tuple[Array, Array, Array, Array, float]:
    """Go as far as both stay positive, then halve until the residuals shrink; return what is there."""
    length = min(1.0, 0.99 * _to_boundary(weight, d_weight), 0.99 * _to_boundary(slack, d_slack))
    while True:
        ahead, left = weight + length * d_weight, slack + length * d_slack
        mixture, residual, reached = _conditions(columns, counts, ahead, left)
        if reached <= (1 - 0.01 * length) * before or length <= _SHORTEST:
            return ahead, left, mixture, residual, reached
        length /= 2


def _to_boundary(value: Array, step: Array) -> float:
    falling = step < 0
    return float((value[falling] / -step[falling]).min()) if falling.any() else np.inf
