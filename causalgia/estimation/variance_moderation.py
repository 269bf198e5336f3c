"""Empirical-Bayes moderation of many sample variances (limma's squeezeVar)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from causalgia.types import Array

LEAST_VARIANCES = 3


@dataclass(frozen=True)
class Moderated:
    """Variances shrunk towards a common value.

    Attributes
    ----------
    variance
        Posterior variances, shape ``(K, ...)``.
    df
        Their degrees of freedom, shape ``(...)``; ``(K,)`` where each variance has its own.
    prior_variance, prior_df
        Prior variance and its degrees of freedom, shape ``(...)``; 0 df if nothing was moderated, infinite if the
        variances differ by no more than sampling error.
    """

    variance: Array
    df: Array
    prior_variance: Array
    prior_df: Array


def moderate(s2: Array, df: float, *, dependence: Array | float = 0.0) -> Moderated:
    """Moderate K sample variances, each on `df` degrees of freedom, by empirical Bayes (limma's squeezeVar).

    With ``sigma_k^2 ~ s0^2 d0 / chi^2_d0`` the sample variances are ``s0^2 F(df, d0)``; d0 and s0^2 match the mean and
    variance of their logs, and the posterior variance is ``(d0 s0^2 + df s_k^2) / (d0 + df)`` on ``d0 + df`` degrees
    of freedom, at most K df. A variance of 0 stays 0 and is left out of the fit.

    Correlated variances (contrasts with one control; a predictor with larger effects throughout) have less information.
    With mean correlation rho the logs have sampling variance ``trigamma(df / 2) (1 - rho)``, and the degrees of freedom
    are at most ``K df / (1 + (K - 1) rho)``; rho = 0 is limma.

    Parameters
    ----------
    s2
        Sample variances, shape ``(K, ...)``; each column is moderated by itself, if it has three or more positive
        variances.
    df
        Degrees of freedom of each.
    dependence
        Mean correlation rho of two of the variances, 0 to 1, broadcast to shape ``(...)``.

    References
    ----------
    Smyth (2004), doi:10.2202/1544-6115.1027.

    Examples
    --------
    >>> answer = moderate(np.array([0.1, 1.0, 1.5, 9.0, 2.0, 0.4]), df=4)
    >>> answer.prior_df.round(3), answer.prior_variance.round(3), answer.variance.round(3)
    (np.float64(1.973), np.float64(0.739), array([0.311, 0.914, 1.249, 6.271, 1.583, 0.512]))
    """
    columns = s2.reshape(len(s2), -1)
    rho = np.broadcast_to(dependence, s2.shape[1:]).ravel()
    fits = [_moderate_column(column, df, float(r)) for column, r in zip(columns.T, rho, strict=True)]
    variance = np.stack([fit.variance for fit in fits], axis=1).reshape(s2.shape)
    rest = (np.array([getattr(fit, name) for fit in fits]) for name in ("df", "prior_variance", "prior_df"))
    return Moderated(variance, *(x.reshape(s2.shape[1:]) for x in rest))


def moderate_unequal(s2: Array, df: Array) -> Moderated:
    """Moderate K sample variances on degrees of freedom of their own, as limma's squeezeVar does.

    ``(d0 s0^2 + df_k s_k^2) / (d0 + df_k)`` on ``d0 + df_k`` degrees of freedom, at most the sum of all. A variance
    with 0 degrees of freedom is replaced by that of the prior. A variance of 0 with more counts as 1e-5 of the median
    in the fit of the prior, and is shrunk like every other.

    Parameters
    ----------
    s2
        Sample variances, shape ``(K,)``; not read where df is 0.
    df
        Their degrees of freedom, shape ``(K,)``.

    Returns
    -------
    Moderated
        With ``df`` of shape ``(K,)``. If only one variance has degrees of freedom, nothing is moderated.

    References
    ----------
    Smyth (2004), doi:10.2202/1544-6115.1027.

    Examples
    --------
    >>> answer = moderate_unequal(np.array([0.1, 1.0, 1.5, 9.0, 2.0]), np.array([4.0, 6.0, 4.0, 3.0, 0.0]))
    >>> answer.prior_df.round(3), answer.variance.round(3), answer.df.round(3)
    (np.float64(1.374), array([0.224, 0.923, 1.266, 6.357, 0.585]), array([5.374, 7.374, 5.374, 4.374, 1.374]))
    """
    known = df > 0
    if known.sum() < 2:
        return Moderated(np.where(known, s2, s2[known].sum()), df, s2[known].sum(), np.array(0.0))
    s0, d0 = _fit_prior(s2[known], df[known], 0.0)
    own = np.where(known, s2, 0.0)
    posterior = np.full_like(own, s0) if np.isinf(d0) else (d0 * s0 + df * own) / (d0 + df)
    return Moderated(posterior, np.minimum(df + d0, df.sum()), np.array(s0), np.array(d0))


def _moderate_column(s2: Array, df: float, rho: float) -> Moderated:
    positive = s2 > 0
    n = int(positive.sum())
    if n < LEAST_VARIANCES:
        return Moderated(s2, np.array(df), np.array(0.0), np.array(0.0))
    s0, d0 = _fit_prior(s2[positive], df, rho)
    posterior = np.full_like(s2, s0) if np.isinf(d0) else (d0 * s0 + df * s2) / (d0 + df)
    total = min(d0 + df, n * df / (1 + (n - 1) * rho))
    return Moderated(np.where(positive, posterior, 0.0), np.array(total), np.array(s0), np.array(d0))


def _fit_prior(s2: Array, df: Array | float, rho: float) -> tuple[float, float]:
    """Return s0^2 and d0 by the moments of log s^2, with variances floored at 1e-5 of the median."""
    floored = np.maximum(s2, 1e-5 * (np.median(s2) or 1.0))
    df = np.asarray(df, dtype=np.float64)
    z = np.log(floored) - scipy.special.digamma(df / 2) + np.log(df / 2)
    excess = z.var(ddof=1) - float(scipy.special.polygamma(1, df / 2).mean()) * (1 - rho)
    if excess <= 0:
        return float(floored.mean()), np.inf
    d0 = 2 * inverse_trigamma(excess)
    return float(np.exp(z.mean() + scipy.special.digamma(d0 / 2) - np.log(d0 / 2))), d0


def inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = value, by Newton's method on 1 / trigamma, which is nearly linear.

    Examples
    --------
    >>> [round(float(scipy.special.polygamma(1, inverse_trigamma(v))), 9) for v in (1e-6, 0.3, 40.0)]
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
