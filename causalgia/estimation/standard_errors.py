"""Standard errors that are robust to clusters (least squares with CR2), or moderated by
empirical Bayes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from causalgia.errors import EstimateError
from causalgia.numerics.moments import group_sums
from causalgia.types import Array, Codes

LEAST_VARIANCES = 3


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
    """

    estimate: Array
    beta: Array
    influence: Array
    delta: Array
    loading: Array
    df: float
    df_residual: int

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
    if cluster is None:
        score = (Q @ direction) * _leverage_root(1 - (Q**2).sum(axis=1))
        delta, loading = score**2, Q * score[:, None]
        influence = score[:, None] * residuals
    else:
        score, delta, loading = _cluster_scores(Q, direction, cluster)
        influence = group_sums(score[:, None] * residuals, cluster)
    return Regression(
        estimate=c @ beta,
        beta=beta,
        influence=influence,
        delta=delta,
        loading=loading,
        df=bell_mccaffrey_df(delta, loading),
        df_residual=n - q,
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
) -> tuple[Array, Array, Array]:
    """Return the weight of each unit's residual, and delta and loading of each
    cluster.
    """
    gram = group_sums(Q[:, :, None] * Q[:, None, :], codes)
    share, vectors = np.linalg.eigh(gram)  # of (I - Q_g' Q_g)^(-1/2) for each cluster
    scaled: Array = (vectors * _leverage_root(1 - share)[:, None, :]) @ np.swapaxes(
        vectors, 1, 2
    )
    v = scaled @ direction
    loading = np.einsum("gqr,gr->gq", gram, v)
    return (
        np.einsum("iq,iq->i", Q, v[codes]),
        np.einsum("gq,gq->g", v, loading),
        loading,
    )


def _leverage_root(rest: Array) -> Array:
    """Return ``rest^(-1/2)``; 0 where a cluster alone determines a coefficient."""
    return np.where(rest > 1e-10, np.maximum(rest, 1e-10) ** -0.5, 0.0)


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


@dataclass(frozen=True)
class Moderated:
    """Variances shrunk towards a common value.

    Attributes
    ----------
    variance
        Posterior variances, shape ``(K, ...)``.
    df
        Their degrees of freedom, shape ``(...)``; ``(K,)`` where each variance has its
        own.
    prior_variance, prior_df
        Prior variance and its degrees of freedom, shape ``(...)``; 0 df if nothing was
        moderated, infinite if the variances differ by no more than sampling error.
    """

    variance: Array
    df: Array
    prior_variance: Array
    prior_df: Array


def moderate(s2: Array, df: float, *, dependence: Array | float = 0.0) -> Moderated:
    """Moderate K sample variances, each on `df` degrees of freedom, by empirical Bayes
    (limma's squeezeVar).

    With ``sigma_k^2 ~ s0^2 d0 / chi^2_d0`` the sample variances are ``s0^2 F(df, d0)``;
    d0 and s0^2 match the mean and variance of their logs, and the posterior variance is
    ``(d0 s0^2 + df s_k^2) / (d0 + df)`` on ``d0 + df`` degrees of freedom, at most K
    df. A variance of 0 stays 0 and is left out of the fit.

    Correlated variances (contrasts with one control; a predictor with larger effects
    throughout) have less information. With mean correlation rho the logs have sampling
    variance ``trigamma(df / 2) (1 - rho)``, and the degrees of freedom are at most
    ``K df / (1 + (K - 1) rho)``; rho = 0 is limma.

    Parameters
    ----------
    s2
        Sample variances, shape ``(K, ...)``; each column is moderated by itself, if it
        has three or more positive variances.
    df
        Degrees of freedom of each.
    dependence
        Mean correlation rho of two of the variances, 0 to 1, broadcast to shape
        ``(...)``.

    References
    ----------
    Smyth (2004), doi:10.2202/1544-6115.1027.

    Examples
    --------
    >>> answer = moderate(np.array([0.1, 1.0, 1.5, 9.0, 2.0, 0.4]), df=4)
    >>> (
    ...     answer.prior_df.round(3),
    ...     answer.prior_variance.round(3),
    ...     answer.variance.round(3),
    ... )
    (np.float64(1.973), np.float64(0.739), array([0.311, 0.914, 1.249, 6.271, 1.583, 0.512]))
    """
    columns = s2.reshape(len(s2), -1)
    rho = np.broadcast_to(dependence, s2.shape[1:]).ravel()
    fits = [
        _moderate_column(column, df, float(r))
        for column, r in zip(columns.T, rho, strict=True)
    ]
    variance = np.stack([fit.variance for fit in fits], axis=1).reshape(s2.shape)
    rest = (
        np.array([getattr(fit, name) for fit in fits])
        for name in ("df", "prior_variance", "prior_df")
    )
    return Moderated(variance, *(x.reshape(s2.shape[1:]) for x in rest))


def moderate_unequal(s2: Array, df: Array) -> Moderated:
    """Moderate K sample variances on degrees of freedom of their own, as limma's
    squeezeVar does.

    ``(d0 s0^2 + df_k s_k^2) / (d0 + df_k)`` on ``d0 + df_k`` degrees of freedom, at
    most the sum of all. A variance with 0 degrees of freedom is replaced by that of the
    prior. A variance of 0 with more counts as 1e-5 of the median in the fit of the
    prior, and is shrunk like every other.

    Parameters
    ----------
    s2
        Sample variances, shape ``(K,)``; not read where df is 0.
    df
        Their degrees of freedom, shape ``(K,)``.

    Returns
    -------
    Moderated
        With ``df`` of shape ``(K,)``. If only one variance has degrees of freedom,
        nothing is moderated.

    References
    ----------
    Smyth (2004), doi:10.2202/1544-6115.1027.

    Examples
    --------
    >>> answer = moderate_unequal(
    ...     np.array([0.1, 1.0, 1.5, 9.0, 2.0]), np.array([4.0, 6.0, 4.0, 3.0, 0.0])
    ... )
    >>> answer.prior_df.round(3), answer.variance.round(3), answer.df.round(3)
    (np.float64(1.374), array([0.224, 0.923, 1.266, 6.357, 0.585]), array([5.374, 7.374, 5.374, 4.374, 1.374]))
    """
    known = df > 0
    if known.sum() < 2:
        return Moderated(
            np.where(known, s2, s2[known].sum()), df, s2[known].sum(), np.array(0.0)
        )
    s0, d0 = _fit_prior(s2[known], df[known], 0.0)
    own = np.where(known, s2, 0.0)
    posterior = (
        np.full_like(own, s0) if np.isinf(d0) else (d0 * s0 + df * own) / (d0 + df)
    )
    return Moderated(
        posterior, np.minimum(df + d0, df.sum()), np.array(s0), np.array(d0)
    )


def _moderate_column(s2: Array, df: float, rho: float) -> Moderated:
    positive = s2 > 0
    n = int(positive.sum())
    if n < LEAST_VARIANCES:
        return Moderated(s2, np.array(df), np.array(0.0), np.array(0.0))
    s0, d0 = _fit_prior(s2[positive], df, rho)
    posterior = (
        np.full_like(s2, s0) if np.isinf(d0) else (d0 * s0 + df * s2) / (d0 + df)
    )
    total = min(d0 + df, n * df / (1 + (n - 1) * rho))
    return Moderated(
        np.where(positive, posterior, 0.0), np.array(total), np.array(s0), np.array(d0)
    )


def _fit_prior(s2: Array, df: Array | float, rho: float) -> tuple[float, float]:
    """Return s0^2 and d0 by the moments of log s^2, with variances floored at 1e-5 of
    the median.
    """
    floored = np.maximum(s2, 1e-5 * (np.median(s2) or 1.0))
    df = np.asarray(df, dtype=np.float64)
    z = np.log(floored) - scipy.special.digamma(df / 2) + np.log(df / 2)
    excess = z.var(ddof=1) - float(scipy.special.polygamma(1, df / 2).mean()) * (
        1 - rho
    )
    if excess <= 0:
        return float(floored.mean()), np.inf
    d0 = 2 * inverse_trigamma(excess)
    return float(np.exp(z.mean() + scipy.special.digamma(d0 / 2) - np.log(d0 / 2))), d0


def inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = value, by Newton's method on 1 / trigamma, which is
    nearly linear.

    Examples
    --------
    >>> [
    ...     round(float(scipy.special.polygamma(1, inverse_trigamma(v))), 9)
    ...     for v in (1e-6, 0.3, 40.0)
    ... ]
    [1e-06, 0.3, 40.0]
    """
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(scipy.special.polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(scipy.special.polygamma(2, x))
        x += step
        if -step < 1e-10 * x:
            break
    return x
