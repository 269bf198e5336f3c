"""Probability that the largest of correlated t statistics stays below c: by quadrature, or quasi-random points."""

from __future__ import annotations

import numpy as np
from scipy import linalg, special

from causalgia.types import Array

_LARGEST_LOADING = 0.998
#: contrasts that `genz` takes at most
MAX_GENZ = 24
_LOG2_POINTS = 14


def product_loadings(correlation: Array) -> Array | None:
    """Return l with ``R_ij = l_i l_j`` off the diagonal, or None where R has no such form (or an l beyond .998).

    Independent statistics have l = 0; with one control and independent arms of n_i against n_0 units,
    ``l_i = sqrt(n_i / (n_i + n_0))``. Any two statistics have the form.

    Examples
    --------
    >>> product_loadings(np.array([[1.0, 0.32, 0.2], [0.32, 1.0, 0.4], [0.2, 0.4, 1.0]])).round(4)
    array([0.4, 0.8, 0.5])
    """
    r = np.asarray(correlation - np.diag(np.diagonal(correlation)))
    i, j = np.unravel_index(np.argmax(np.abs(r)), r.shape)
    loadings = np.zeros(len(r))
    if r[i, j] != 0:
        third = int(np.argmax(np.abs(r[i] * r[j])))
        square = abs(r[i, j]) if r[i, third] * r[j, third] == 0 else r[i, j] * r[i, third] / r[j, third]
        loadings = np.sqrt(max(square, 0.0)) * np.where(np.arange(len(r)) == i, 1.0, r[i] / square if square > 0 else 0)
    fits = np.abs(np.outer(loadings, loadings) - r)[~np.eye(len(r), dtype=bool)].max(initial=0.0) < 1e-9
    return loadings.round(12) if fits and (loadings**2).max() <= _LARGEST_LOADING else None


def product_probability(c: float, loadings: Array, df: float, two_sided: bool) -> float:
    """Return ``P(max_k |T_k| <= c)``, or of ``max_k T_k``, for T multivariate t with correlation ``l_i l_j``.

    ``T_k = (sqrt(1 - l_k^2) e_k - l_k z) / s`` with one normal z and one s in common: given both, the T are
    independent, and Gauss-Legendre panels integrate over the two.

    References
    ----------
    Dunnett (1955), doi:10.1080/01621459.1955.10501294.

    Examples
    --------
    >>> round(product_probability(2.0, np.zeros(2), np.inf, True), 6), round(0.9544997361**2, 6)
    (0.91107, 0.91107)
    """
    narrow = np.sqrt(1 - loadings**2).min() < 0.3
    z, weight = _panels(-9.0, 9.0, 48 if narrow else 8)
    scale, density = _scale_rule(df)
    inside = np.ones((len(z), len(scale)))
    for loading, times in zip(*np.unique(loadings, return_counts=True), strict=True):
        spread = np.sqrt(1 - loading**2)
        upper = (loading * z[:, None] + c * scale) / spread
        one = special.ndtr(upper)
        if two_sided:
            one -= special.ndtr((loading * z[:, None] - c * scale) / spread)
        inside *= one**times
    normal = weight * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return float(normal @ inside @ density)


def _scale_rule(df: float) -> tuple[Array, Array]:
    """Nodes of ``s = sqrt(chi2_df / df)`` and their probabilities."""
    if np.isinf(df):
        return np.ones(1), np.ones(1)
    ends = np.sqrt(special.chdtri(df, np.array([1 - 1e-15, 1e-15])) / df)
    s, weight = _panels(float(ends[0]), float(ends[1]), 4)
    log_density = (df - 1) * np.log(s) - df * s**2 / 2
    mass = weight * np.exp(log_density - log_density.max())
    return s, mass / mass.sum()


def _panels(start: float, stop: float, n_panels: int) -> tuple[Array, Array]:
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

    return np.asarray(qmc.Sobol(n_dims, seed=int(generator.integers(2**63))).random_base2(_LOG2_POINTS))


def genz(c: float, correlation: Array, df: float, two_sided: bool, points: Array) -> float:
    """Return the probability of `product_probability` for any positive definite correlation.

    Genz's transformation to the unit cube: first the common scale, then one statistic given those before it.

    Parameters
    ----------
    c
        The bound.
    correlation
        Positive definite, shape ``(K, K)``.
    df
        Degrees of freedom of the common scale; infinite: normal.
    two_sided
        Whether ``|T|`` is bounded, or T.
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
    >>> exact = product_probability(2.0, np.full(3, np.sqrt(0.5)), 10.0, True)
    >>> abs(genz(2.0, half, 10.0, True, cube_points(3, np.random.default_rng(0))) - exact) < 1e-4
    True
    """
    n = len(correlation)
    root = linalg.cholesky(correlation, lower=True)
    limit = c * (1.0 if np.isinf(df) else np.sqrt(special.chdtri(df, points[:, 0]) / df))
    before = np.zeros((n, len(points)))
    inside = np.ones(len(points))
    for k in range(n):
        middle = root[k, :k] @ before[:k]
        low = special.ndtr((-limit - middle) / root[k, k]) if two_sided else 0.0
        width = special.ndtr((limit - middle) / root[k, k]) - low
        inside *= width
        if k + 1 < n:
            before[k] = special.ndtri(np.clip(low + points[:, k + 1] * width, 1e-300, 1 - 1e-16))
    return float(inside.mean())
