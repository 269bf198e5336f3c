"""Maximum of a multivariate t: critical values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import scipy

from causalgia.errors import EstimateError, quoted
from causalgia.multiplicity.maxima import (
    Block,
    purpose_generator,
    quantile_of_maxima,
    rows_per_block,
)
from causalgia.numerics.moments import root_sum_squares
from causalgia.streams import RNG
from causalgia.types import Array

N_SIMULATED = 2**16 - 1
_LARGEST_MATRIX = 1_000
_MANY_LOADINGS, _FEW_LOADINGS = 64, 8
_LEAST_DF = 0.1  # below, s = sqrt(chi2 / df) has quantiles that no float holds
_WIDEST_PANEL = 1.5  # of log s


def equicoordinate(
    factor: Array, df: float = np.inf, *, ci_prob: float = 0.95, rng: RNG = 0
) -> float:
    """Return the c that the largest ``|t|`` of K correlated t statistics stays below
    with probability `ci_prob`.

    T is correlated normals over one common ``sqrt(chi2_df / df)``, the usual
    approximation where each t has its own variance. With one control and independent
    arms c is Dunnett's, and exact.

    Parameters
    ----------
    factor
        Factor of their correlation, shape ``(G, K)``: ``R = factor' factor`` after its
        columns are scaled to length 1. `correlation_factor` factors a matrix.
    df
        Degrees of freedom of the common scale; infinite: normal.
    ci_prob
        Probability of the intervals.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For quasi-random points and
        simulation.

    Returns
    -------
    float
        By quadrature, to about 1e-9, where R is a product ``l_i l_j`` of at most 64
        contrasts (1,000 where they have 8 different l or fewer); to about 2e-5 by
        Genz's transformation for other positive definite R of at most 24 contrasts;
        else by 65,535 simulated maxima.

    Raises
    ------
    EstimateError
        If the factor is not one of K numbers with a variance each, df or ci_prob is out
        of range, or df is so small that the value cannot be integrated: below about .1
        for 2 contrasts, .2 for 4, .5 for 30.

    References
    ----------
    Dunnett (1955), doi:10.1080/01621459.1955.10501294. Hothorn, Bretz & Westfall
    (2008), doi:10.1002/bimj.200810425. Genz & Bretz (2002), doi:10.1198/106186002394.

    Examples
    --------
    >>> round(equicoordinate(np.eye(2)), 4), round(equicoordinate(np.eye(1), 10.0), 4)
    (2.2365, 2.2281)
    """
    unit = _unit_columns(factor, df, ci_prob)
    inside = _max_distribution(unit, df, rng)
    if inside is None:
        columns = np.ascontiguousarray(unit.T, dtype=np.float32)
        draw = purpose_generator(rng, "multivariate_t")
        return quantile_of_maxima(_draw_statistics(columns, df, draw), ci_prob)[0]
    return _solve_critical(inside, unit.shape[1], df, ci_prob)


def correlation_factor(correlation: Array) -> Array:
    """Return F with ``F' F = R``, shape ``(r, K)``, r the rank of R.

    Raises
    ------
    EstimateError
        If R is not symmetric, has no unit diagonal or has a negative eigenvalue.

    Examples
    --------
    >>> factor = correlation_factor(np.array([[1.0, 1.0], [1.0, 1.0]]))
    >>> factor.shape, (factor.T @ factor).round(9)
    ((1, 2), array([[1., 1.],
           [1., 1.]]))
    """
    r = np.asarray(correlation, dtype=float)
    if r.ndim != 2 or r.shape[0] != r.shape[1] or not np.isfinite(r).all():
        raise EstimateError(
            f"the correlation has shape {r.shape} or is not finite; give a square "
            "matrix of numbers"
        )
    if not np.allclose(r, r.T, atol=1e-8) or not np.allclose(
        np.diagonal(r), 1, atol=1e-8
    ):
        raise EstimateError("the correlation is not symmetric with 1 on its diagonal")
    values, vectors = np.linalg.eigh((r + r.T) / 2)
    if values[0] < -1e-8 * len(r):
        raise EstimateError(
            f"the correlation has a negative eigenvalue ({values[0]:.2g}); it is not a "
            "correlation matrix"
        )
    positive = values > 1e-12 * len(r)
    return np.asarray((vectors[:, positive] * np.sqrt(values[positive])).T)


def _max_distribution(
    unit: Array, df: float, rng: RNG
) -> Callable[[float], float] | None:
    """Return P(maximum <= c) as a function of c; None where it is simulated."""
    n = unit.shape[1]
    if n > _LARGEST_MATRIX:
        return None
    correlation = unit.T @ unit
    np.fill_diagonal(correlation, 1.0)
    loadings = product_loadings(correlation)
    if loadings is not None and (
        n <= _MANY_LOADINGS or len(np.unique(loadings)) <= _FEW_LOADINGS
    ):
        return lambda c: product_probability(c, loadings, df)
    if n > MAX_GENZ or np.linalg.eigvalsh(correlation)[0] < 1e-6:
        return None
    points = cube_points(n, purpose_generator(rng, "genz"))
    return lambda c: genz_probability(c, correlation, df, points)


def _draw_statistics(
    columns: Block, df: float, draw: np.random.Generator
) -> Iterator[Block]:
    n, size = (
        columns.shape[1],
        rows_per_block(columns.shape[1], len(columns), N_SIMULATED),
    )
    for start in range(0, N_SIMULATED, size):
        rows = min(size, N_SIMULATED - start)
        normals = draw.standard_normal((rows, n), dtype=np.float32)
        if np.isfinite(df):
            normals /= np.sqrt(draw.chisquare(df, rows) / df).astype(np.float32)[
                :, None
            ]
        drawn = columns @ normals.T
        yield np.abs(drawn, out=drawn)


def _tail_quantile(tail: float, df: float) -> float:
    return float(
        -scipy.special.ndtri(tail) if np.isinf(df) else -scipy.special.stdtrit(df, tail)
    )


def _solve_critical(
    inside: Callable[[float], float],
    n: int,
    df: float,
    ci_prob: float,
) -> float:
    """Find the critical value between that of one contrast and Bonferroni's."""
    tail = (1 - ci_prob) / 2
    low, high = _tail_quantile(tail, df), _tail_quantile(tail / n, df)
    if n == 1:
        return low
    gap = 1e-3 * (high - low) + 1e-6
    from scipy.optimize import brentq

    if df >= _LEAST_DF and inside(low - gap) < ci_prob < inside(high + gap):
        ends = low - gap, high + gap
        critical, found = brentq(
            lambda c: inside(c) - ci_prob,
            *ends,
            xtol=1e-10,
            rtol=1e-12,
            full_output=True,
            disp=False,
        )
        if found.converged:
            return float(critical)
    raise EstimateError(
        f"df={df:g}: the tails of a t of so few degrees of freedom are too long for "
        f"its maximum over {n} contrasts to be integrated"
    )


def _unit_columns(factor: Array, df: float, ci_prob: float) -> Array:
    f = np.asarray(factor, dtype=float)
    if f.ndim != 2 or f.shape[1] == 0 or not np.isfinite(f).all():
        raise EstimateError(
            f"the factor has shape {f.shape} or is not finite; give numbers (G, K)"
        )
    if not df > 0:
        raise EstimateError(
            f"df={quoted(df)} is not positive",
            argument="df",
        )
    if not 0 < ci_prob < 1:
        raise EstimateError(
            f"ci_prob={quoted(ci_prob)} is not between 0 and 1",
            argument="ci_prob",
        )
    length = root_sum_squares(f)[0]
    if not (length > 0).all():
        raise EstimateError(
            f"contrast {int(np.argmin(length))} has no variance, so it has no t"
        )
    return np.asarray(f / length)


_LARGEST_LOADING = 0.998
#: most contrasts for `genz_probability`
MAX_GENZ = 24
_LOG2_POINTS = 14


def product_loadings(correlation: Array) -> Array | None:
    """Return l with ``R_ij = l_i l_j`` off the diagonal, or None where R has no such
    form (or an l beyond .998).

    Independent statistics have l = 0; with one control and independent arms of n_i
    against n_0 units, ``l_i = sqrt(n_i / (n_i + n_0))``. Any two statistics have the
    form.

    Examples
    --------
    >>> product_loadings(
    ...     np.array([[1.0, 0.32, 0.2], [0.32, 1.0, 0.4], [0.2, 0.4, 1.0]])
    ... ).round(4)
    array([0.4, 0.8, 0.5])
    """
    r = np.asarray(correlation - np.diag(np.diagonal(correlation)))
    i, j = np.unravel_index(np.argmax(np.abs(r)), r.shape)
    loadings = np.zeros(len(r))
    if r[i, j] != 0:
        third = int(np.argmax(np.abs(r[i] * r[j])))
        square = (
            abs(r[i, j])
            if r[i, third] * r[j, third] == 0
            else r[i, j] * r[i, third] / r[j, third]
        )
        loadings = np.sqrt(max(square, 0.0)) * np.where(
            np.arange(len(r)) == i, 1.0, r[i] / square if square > 0 else 0
        )
    fits = (
        np.abs(np.outer(loadings, loadings) - r)[~np.eye(len(r), dtype=bool)].max(
            initial=0.0
        )
        < 1e-9
    )
    return (
        loadings.round(12) if fits and (loadings**2).max() <= _LARGEST_LOADING else None
    )


def product_probability(c: float, loadings: Array, df: float) -> float:
    """Return ``P(max_k |T_k| <= c)`` for T multivariate t with correlation
    ``l_i l_j``.

    ``T_k = (sqrt(1 - l_k^2) e_k - l_k z) / s`` with one normal z and one s in common:
    given both, the T are independent, and Gauss-Legendre panels integrate over the two.

    References
    ----------
    Dunnett (1955), doi:10.1080/01621459.1955.10501294.

    Examples
    --------
    >>> (
    ...     round(product_probability(2.0, np.zeros(2), np.inf), 6),
    ...     round(0.9544997361**2, 6),
    ... )
    (0.91107, 0.91107)
    """
    narrow = np.sqrt(1 - loadings**2).min() < 0.3
    z, weight = _gauss_legendre_panels(-9.0, 9.0, 48 if narrow else 8)
    scale, density = _scale_nodes(df)
    inside = np.ones((len(z), len(scale)))
    for loading, times in zip(*np.unique(loadings, return_counts=True), strict=True):
        spread = np.sqrt(1 - loading**2)
        upper = (loading * z[:, None] + c * scale) / spread
        one = scipy.special.ndtr(upper)
        one -= scipy.special.ndtr((loading * z[:, None] - c * scale) / spread)
        inside *= one**times
    normal = weight * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return float(normal @ inside @ density)


def _scale_nodes(df: float) -> tuple[Array, Array]:
    """Return nodes of ``s = sqrt(chi2_df / df)`` and their probabilities; in log s,
    since for few df the density of s is steepest at 0, where the tail of t is.
    """
    if np.isinf(df):
        return np.ones(1), np.ones(1)
    tails = np.array([1 - 1e-15, 1e-15])
    start, stop = np.log(scipy.special.chdtri(df, tails) / df) / 2
    n_panels = max(4, math.ceil((stop - start) / _WIDEST_PANEL))
    log_s, weight = _gauss_legendre_panels(float(start), float(stop), n_panels)
    s = np.exp(log_s)
    log_density = df * log_s - df * s**2 / 2
    mass = weight * np.exp(log_density - log_density.max())
    return s, mass / mass.sum()


def _gauss_legendre_panels(
    start: float, stop: float, n_panels: int
) -> tuple[Array, Array]:
    node, weight = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(start, stop, n_panels + 1)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + node)).ravel(), (half * weight).ravel()


def cube_points(n_dims: int, generator: np.random.Generator) -> Array:
    """Return 16,384 scrambled Sobol points of the unit cube, shape ``(16384, n_dims)``.

    References
    ----------
    Owen (1998), doi:10.1006/jcom.1998.0487.

    Examples
    --------
    >>> cube_points(3, np.random.default_rng(0)).mean(axis=0).round(3)
    array([0.5, 0.5, 0.5])
    """
    from scipy.stats import qmc

    return np.asarray(
        qmc.Sobol(n_dims, seed=int(generator.integers(2**63))).random_base2(
            _LOG2_POINTS
        )
    )


def genz_probability(c: float, correlation: Array, df: float, points: Array) -> float:
    """Return the probability of `product_probability` for any positive definite
    correlation.

    Genz's transformation to the unit cube: first the common scale, then each statistic
    given the previous ones.

    Parameters
    ----------
    c
        The bound.
    correlation
        Positive definite, shape ``(K, K)``.
    df
        Degrees of freedom of the common scale; infinite: normal.
    points
        Points of the unit cube, K columns or more.

    Returns
    -------
    float
        With 16,384 Sobol points to about 2e-5.

    References
    ----------
    Genz & Bretz (2002), doi:10.1198/106186002394.

    Examples
    --------
    >>> half = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    >>> exact = product_probability(2.0, np.full(3, np.sqrt(0.5)), 10.0)
    >>> abs(
    ...     genz_probability(2.0, half, 10.0, cube_points(3, np.random.default_rng(0)))
    ...     - exact
    ... ) < 1e-4
    True
    """
    n = len(correlation)
    root = scipy.linalg.cholesky(correlation, lower=True)
    limit = c * (
        1.0 if np.isinf(df) else np.sqrt(scipy.special.chdtri(df, points[:, 0]) / df)
    )
    before = np.zeros((n, len(points)))
    inside = np.ones(len(points))
    for k in range(n):
        middle = root[k, :k] @ before[:k]
        low = scipy.special.ndtr((-limit - middle) / root[k, k])
        width = scipy.special.ndtr((limit - middle) / root[k, k]) - low
        inside *= width
        if k + 1 < n:
            before[k] = scipy.special.ndtri(
                np.clip(low + points[:, k + 1] * width, 1e-300, 1 - 1e-16)
            )
    return float(inside.mean())
