"""Standard errors that are robust to clusters (least squares with CR2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from causalgia.errors import EstimateError
from causalgia.numerics.moments import group_sums
from causalgia.types import Array, Codes

_NOTHING = 1e-10


@dataclass(frozen=True)
class Regression:
    """One coefficient contrast ``c' beta`` of a least-squares fit, with the parts of
    its variance.

    Attributes
    ----------
    estimate
        ``c' beta`` for each response, shape ``(R,)``.
    beta
        Coefficients, shape ``(q, R)``.
    weight, residual
        The estimate is ``weight' Y``; shapes ``(n,)`` and ``(n, R)``.
    influence
        Share of each cluster in the error of the estimate, shape ``(G, R)``; the
        variance is its sum of squares.
    delta, loading
        Shapes ``(G,)`` and ``(G, q)``: under the working model the covariance of two
        clusters' influences is proportional to
        ``1[g = h] delta_g - loading_g' loading_h``.
    df
        Satterthwaite (Bell-McCaffrey) degrees of freedom, the same for all responses.
    df_residual
        n - q.
    lone
        Whether c' beta is not identified without some cluster (the only one of a
        category), whose spread is unknown.
    """

    estimate: Array
    beta: Array
    weight: Array
    residual: Array
    influence: Array
    delta: Array
    loading: Array
    df: float
    df_residual: int
    lone: bool

    @property
    def se(self) -> Array:
        """Cluster-robust standard error, shape ``(R,)``."""
        return np.asarray(np.sqrt((self.influence**2).sum(axis=0)))


def regress(X: Array, Y: Array, c: Array, cluster: Codes | None = None) -> Regression:
    """Fit Y on X by least squares and take the cluster-robust variance of ``c' beta``.

    CR2 multiplies the residuals of cluster g by ``(I - H_gg)^(-1/2)``, the symmetric
    pseudo-inverse root. With every unit its own cluster, CR2 is HC2.

    Parameters
    ----------
    X
        Design, shape ``(n, q)``, full rank, its first column all ones.
    Y
        Responses, shape ``(n, R)``.
    c
        Weights of the coefficients, shape ``(q,)``.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. Without it each unit is one.

    Raises
    ------
    EstimateError
        If the first column of X is not ones, X has not full column rank, or one cluster
        alone determines the coefficient.

    References
    ----------
    Bell & McCaffrey (2002), Survey Methodology 28(2), 169-181. Pustejovsky & Tipton
    (2018), doi:10.1080/07350015.2016.1247004.

    Examples
    --------
    >>> y = np.array([[1.0], [2.0], [4.0], [9.0]])
    >>> fit = regress(np.ones((4, 1)), y, np.ones(1))
    >>> fit.estimate, fit.se.round(4), round(fit.df, 6)
    (array([4.]), array([1.7795]), 3.0)
    """
    n, q = X.shape
    Q, R = _orthonormal(X)
    shifted = np.asarray(Y, dtype=np.float64) - Y[0]
    coordinates = Q.T @ shifted
    residuals = shifted - Q @ coordinates
    beta = np.linalg.solve(R, coordinates)
    beta[0] += Y[0]
    direction: Array = np.asarray(np.linalg.solve(R.T, c), dtype=np.float64)
    weight = Q @ direction
    if cluster is None:
        root = _leverage_root(1 - (Q**2).sum(axis=1))
        score, small = weight * root, _NOTHING * np.sqrt(direction @ direction)
        lone = bool((np.abs(weight[root == 0]) > small).any())
        delta, loading = score**2, Q * score[:, None]
        influence = score[:, None] * residuals
    else:
        score, delta, loading, lone = _cluster_scores(Q, direction, cluster)
        influence = group_sums(score[:, None] * residuals, cluster)
    return Regression(
        estimate=c @ beta,
        beta=beta,
        weight=weight,
        residual=residuals,
        influence=influence,
        delta=delta,
        loading=loading,
        df=bell_mccaffrey_df(delta, loading),
        df_residual=n - q,
        lone=lone,
    )


def _orthonormal(X: Array) -> tuple[Array, Array]:
    if not (X[:, 0] == 1).all():
        raise EstimateError("the first column of the design X is not all ones")
    scale = np.abs(X).max(axis=0)
    Q, R = np.linalg.qr(X / np.where(scale > 0, scale, 1.0))
    left = np.abs(np.diag(R)) < 1e-10 * np.sqrt(len(X))
    if len(X) < X.shape[1] or left.any():
        raise EstimateError("the design X has not full column rank")
    return Q, R * scale


def _cluster_scores(
    Q: Array, direction: Array, codes: Codes
) -> tuple[Array, Array, Array, bool]:
    """Return the weight of each unit's residual, delta and loading of each cluster, and
    whether one cluster alone determines the coefficient.
    """
    gram = group_sums(Q[:, :, None] * Q[:, None, :], codes)
    share, vectors = np.linalg.eigh(gram)  # of (I - Q_g' Q_g)^(-1/2) for each cluster
    root, turned = _leverage_root(1 - share), np.swapaxes(vectors, 1, 2)
    small = _NOTHING * np.sqrt(direction @ direction)
    lone = bool((np.abs((turned @ direction)[root == 0]) > small).any())
    scaled: Array = (vectors * root[:, None, :]) @ turned
    v = scaled @ direction
    loading = np.einsum("gqr,gr->gq", gram, v)
    return (
        np.einsum("iq,iq->i", Q, v[codes]),
        np.einsum("gq,gq->g", v, loading),
        loading,
        lone,
    )


def _leverage_root(rest: Array) -> Array:
    """Return ``rest^(-1/2)``; 0 where a cluster alone determines a coefficient."""
    return np.where(rest > _NOTHING, np.maximum(rest, _NOTHING) ** -0.5, 0.0)


def bell_mccaffrey_df(delta: Array, loading: Array) -> float:
    """Return Satterthwaite degrees of freedom of a sum of squared cluster influences.

    ``(tr P)^2 / tr P^2`` with ``P_gh = 1[g = h] delta_g - loading_g' loading_h``, the
    covariance of the influences under independent errors of one variance, in O(G q^2)
    and never as a G by G matrix.

    Parameters
    ----------
    delta
        Shape ``(G,)``.
    loading
        Shape ``(G, q)``.

    Raises
    ------
    EstimateError
        If one cluster alone determines the coefficient.

    References
    ----------
    Bell & McCaffrey (2002), Survey Methodology 28(2), 169-181.

    Examples
    --------
    >>> round(bell_mccaffrey_df(np.full(5, 1.0), np.full((5, 1), 0.2**0.5)), 6)
    4.0
    """
    scale = max(delta.max(), np.finfo(float).tiny)
    delta, square = delta / scale, (loading**2).sum(axis=1) / scale
    cross = loading.T @ loading / scale
    trace = delta.sum() - square.sum()
    if trace <= 1e-12:
        raise EstimateError(
            "one cluster alone determines the coefficient, so its spread is unknown"
        )
    return float(
        trace**2 / ((delta**2).sum() - 2 * (delta * square).sum() + (cross**2).sum())
    )


@dataclass(frozen=True)
class WaldTest:
    """A joint test: statistic `F` on `df1` and `df2` degrees of freedom, and its
    p-value.
    """

    F: float
    df1: int
    df2: float
    p: float


def wald_htz(ace: Array, covariance: Array, eta: float) -> WaldTest:
    """Test that all ACEs are zero, by approximate Hotelling's T-squared (HTZ).

    ``Q = ace' V^-1 ace``, ``F = Q (eta - q + 1) / (eta q)`` on q and eta - q + 1
    degrees of freedom.

    Parameters
    ----------
    ace
        Average causal effects of q contrasts, shape ``(q,)``.
    covariance
        Their CR2 covariance V, shape ``(q, q)``.
    eta
        Satterthwaite degrees of freedom of one contrast.

    Raises
    ------
    EstimateError
        If q contrasts are too many for the clusters, or V is singular.

    References
    ----------
    Tipton & Pustejovsky (2015), doi:10.3102/1076998615606099.

    Examples
    --------
    >>> test = wald_htz(np.array([1.0, 0.0]), np.eye(2), eta=9.0)
    >>> round(test.F, 4), test.df1, test.df2, round(test.p, 4)
    (0.4444, 2, 8.0, 0.6561)
    """
    q = len(ace)
    if eta - q + 1 <= 0:
        raise EstimateError(
            f"a joint test of {q} contrasts needs more than {q - 1} df, and there are "
            f"{eta:.1f}"
        )
    sd = np.sqrt(np.diag(covariance))
    if is_singular(covariance, sd):
        raise EstimateError(f"the covariance of the {q} contrasts is singular")
    F = (
        float(ace / sd @ np.linalg.solve(covariance / np.outer(sd, sd), ace / sd))
        * (eta - q + 1)
        / (eta * q)
    )
    return WaldTest(
        F=F, df1=q, df2=eta - q + 1, p=float(scipy.special.fdtrc(q, eta - q + 1, F))
    )


def is_singular(covariance: Array, sd: Array) -> bool:
    """Return whether a covariance has less than full rank for its size.

    Examples
    --------
    >>> covariance = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 2.0]])
    >>> is_singular(covariance, np.sqrt(np.diag(covariance)))
    True
    >>> is_singular(np.eye(2), np.ones(2))
    False
    """
    if (sd == 0).any():
        return True
    R = covariance / np.outer(sd, sd)
    return bool(np.linalg.matrix_rank(R, hermitian=True) < len(R))
