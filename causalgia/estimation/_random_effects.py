"""Random-effects meta-analysis: heterogeneity between effects, and shrunken effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy import optimize, special

from causalgia.checks import as_ci_prob
from causalgia.errors import EstimateError, quoted, type_in_words
from causalgia.numerics.finite_arrays import as_finite_array
from causalgia.types import Array

Method = Literal["REML", "ML", "DL", "PM", "FE"]


@dataclass(frozen=True)
class RandomEffects:
    """Random-effects model of K estimates with known errors.

    Attributes
    ----------
    method
        How tau2 was estimated.
    beta, se, statistic, p, lower, upper
        Fixed effects (without covariates the mean alone), shape ``(p,)``, with their
        standard errors, z (t under Knapp and Hartung), two-sided p and limits.
    df
        Degrees of freedom of the t, ``K - p``; infinite for z.
    tau2, tau2_se
        Variance of the true effects about their mean, and its standard error (both 0
        for ``"FE"``).
    tau2_lower, tau2_upper
        Q-profile interval of tau2; negative limits are 0, and both are 0 if the set is
        empty.
    I2, H2
        Percentage of the variance that is not error, and the ratio of total to error
        variance, at a typical error variance.
    Q, Q_df, Q_p
        Cochran's test that all true effects are equal (given the covariates).
    fitted, prediction_lower, prediction_upper
        Mean of the true effects at each contrast's covariates, and the prediction
        interval of a new one, ``(K,)``.
    blup, blup_se, blup_lower, blup_upper
        Best linear unbiased predictions of the K true effects, shape ``(K,)``; the
        standard error includes the uncertainty of beta, not that of tau2.
    """

    method: str
    beta: Array
    se: Array
    statistic: Array
    p: Array
    lower: Array
    upper: Array
    df: float
    tau2: float
    tau2_se: float
    tau2_lower: float
    tau2_upper: float
    I2: float
    H2: float
    Q: float
    Q_df: int
    Q_p: float
    fitted: Array
    prediction_lower: Array
    prediction_upper: Array
    blup: Array
    blup_se: Array
    blup_lower: Array
    blup_upper: Array


@dataclass(frozen=True)
class _Decorrelated:
    """Effects rotated so that their errors are independent, with variances v, shape
    ``(K,)``; U rotates back.
    """

    y: Array
    X: Array
    v: Array
    U: Array | None


@dataclass(frozen=True)
class _WeightedFit:
    """Weighted least squares of decorrelated effects at a given tau2."""

    w: Array
    covariance: Array
    beta: Array
    residual: Array
    leverage: Array
    """Diagonal of ``W X (X'WX)^-1 X'``, over w."""

    @property
    def squares(self) -> float:
        """Weighted residual sum of squares, ``y'Py``."""
        return float((self.w * self.residual**2).sum())

    @property
    def trace(self) -> float:
        """``tr(P)``."""
        # w^2 overflows where variances are tiny
        return float((self.w * (1 - self.w * self.leverage)).sum())


def random_effects(
    effect: npt.ArrayLike,
    variance: npt.ArrayLike | None = None,
    *,
    covariates: npt.ArrayLike | None = None,
    method: Method = "REML",
    knapp_hartung: bool = False,
    covariance: npt.ArrayLike | None = None,
    ci_prob: float = 0.95,
) -> RandomEffects:
    """Fit the classical random-effects model (meta-analysis, meta-regression) to K
    estimates.

    ``effect ~ N(theta, V)`` with V known and ``theta_k ~ N(x_k' beta, tau2)``. A full V
    is diagonalized first, so that every method works with it too.

    Parameters
    ----------
    effect
        K estimates, shape ``(K,)``.
    variance
        Their squared standard errors, shape ``(K,)``, taken as known.
    covariates
        Covariates of the contrasts, shape ``(K,)`` or ``(K, c)``, for a
        meta-regression; the intercept is added.
    method
        ``"REML"``, ``"ML"``, ``"DL"`` (DerSimonian and Laird), ``"PM"`` (Paule and
        Mandel), or ``"FE"`` for tau2 = 0.
    knapp_hartung
        Whether the standard errors of beta are scaled by the residuals, with t on K - p
        degrees of freedom. The scale is not truncated at 1.
    covariance
        V, shape ``(K, K)``, instead of `variance`.
    ci_prob
        Probability of the intervals.

    Raises
    ------
    EstimateError
        If shapes disagree, a value is not finite, a variance is not positive, V is not
        symmetric and positive definite, there are not more effects than coefficients,
        or the covariates are not of full rank.

    References
    ----------
    DerSimonian & Laird (1986), doi:10.1016/0197-2456(86)90046-2. Paule & Mandel (1982),
    doi:10.6028/jres.087.022. Viechtbauer (2005), doi:10.3102/10769986030003261. Knapp &
    Hartung (2003), doi:10.1002/sim.1482. Viechtbauer (2007), doi:10.1002/sim.2514.
    Higgins & Thompson (2002), doi:10.1002/sim.1186.

    Examples
    --------
    >>> effect, se = (
    ...     [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0],
    ...     np.array([15, 10, 16, 11, 9, 11, 10, 18.0]),
    ... )
    >>> answer = random_effects(effect, se**2)
    >>> round(answer.tau2, 4), answer.beta.round(4), answer.blup.round(1)
    (0.0, array([7.6856]), array([7.7, 7.7, 7.7, 7.7, 7.7, 7.7, 7.7, 7.7]))
    """
    if method not in get_args(Method):
        raise EstimateError(
            f"method={quoted(method)} is not one of "
            f"{', '.join(map(quoted, get_args(Method)))}",
            argument="method",
        )
    ci_prob = as_ci_prob(ci_prob)
    y, X = _design_matrix(effect, covariates)
    table = _decorrelate(y, X, variance, covariance)
    fixed = _fit_at(table, 0.0)
    df = len(table.y) - table.X.shape[1]
    if method == "FE":
        tau2 = 0.0
    elif method == "DL":
        tau2 = float(max(0.0, (fixed.squares - df) / fixed.trace))
    else:
        tau2 = (
            _tau2_at_q(table, df, fixed)
            if method == "PM"
            else _maximize_likelihood(table, method == "REML")
        )
    return _results(table, X, fixed, tau2, method, knapp_hartung, ci_prob)


def _results(
    table: _Decorrelated,
    X: Array,
    fixed: _WeightedFit,
    tau2: float,
    method: str,
    knapp_hartung: bool,
    ci_prob: float,
) -> RandomEffects:
    k, p = X.shape
    fit = _fit_at(table, tau2)
    cov = fit.covariance * (fit.squares / (k - p) if knapp_hartung else 1.0)
    df = float(k - p) if knapp_hartung else np.inf
    quantile = (
        float(special.stdtrit(df, 0.5 + ci_prob / 2))
        if knapp_hartung
        else float(special.ndtri(0.5 + ci_prob / 2))
    )
    se = np.sqrt(np.diagonal(cov))
    statistic = np.divide(fit.beta, se, out=np.zeros_like(se), where=se > 0)
    tail = (
        special.stdtr(df, -np.abs(statistic))
        if knapp_hartung
        else special.ndtr(-np.abs(statistic))
    )
    fitted = X @ fit.beta
    spread = quantile * np.sqrt(np.einsum("kp,pq,kq->k", X, cov, X) + tau2)
    blup, blup_se = _blups(table, fit, cov, tau2)
    low, high = (
        float(special.chdtri(k - p, q)) for q in (0.5 - ci_prob / 2, 0.5 + ci_prob / 2)
    )
    # the Q profile
    lower, upper = _tau2_at_q(table, low, fixed), _tau2_at_q(table, high, fixed)
    H2 = tau2 * fixed.trace / (k - p) + 1 if method != "FE" else fixed.squares / (k - p)
    return RandomEffects(
        method=method,
        beta=fit.beta,
        se=se,
        statistic=statistic,
        p=2 * tail,
        lower=fit.beta - quantile * se,
        upper=fit.beta + quantile * se,
        df=df,
        tau2=tau2,
        tau2_se=_tau2_se(table, fixed, fit, tau2, method),
        tau2_lower=lower,
        tau2_upper=upper,
        I2=max(0.0, 100 * (1 - 1 / H2)) if H2 > 0 else 0.0,
        H2=H2,
        Q=fixed.squares,
        Q_df=k - p,
        Q_p=float(special.chdtrc(k - p, fixed.squares)),
        fitted=fitted,
        prediction_lower=fitted - spread,
        prediction_upper=fitted + spread,
        blup=blup,
        blup_se=blup_se,
        blup_lower=blup - quantile * blup_se,
        blup_upper=blup + quantile * blup_se,
    )


def _design_matrix(
    effect: npt.ArrayLike, covariates: npt.ArrayLike | None
) -> tuple[Array, Array]:
    if isinstance(effect, xr.Dataset | pd.DataFrame):
        raise EstimateError(f"effect is {type_in_words(effect)}")
    y = as_finite_array(effect, "effect", "leave the contrast out", error=EstimateError)
    if y.ndim != 1:
        raise EstimateError(
            f"effect has shape {y.shape}; give one number for each contrast"
        )
    columns = (
        np.empty((len(y), 0))
        if covariates is None
        else as_finite_array(
            covariates, "covariates", "leave the contrast out", error=EstimateError
        )
    )
    columns = columns[:, None] if columns.ndim == 1 else columns
    if columns.ndim != 2 or len(columns) != len(y):
        raise EstimateError(
            f"covariates has shape {columns.shape}, and there are {len(y)} effects; "
            "give one row for each"
        )
    X = np.column_stack([np.ones(len(y)), columns])
    if len(y) <= X.shape[1]:
        raise EstimateError(
            f"{len(y)} effects for {X.shape[1]} coefficients leave no spread"
        )
    size = np.linalg.norm(X, axis=0)
    for j in range(1, X.shape[1]):
        if size[j] == 0 or np.linalg.matrix_rank(X[:, : j + 1] / size[: j + 1]) <= j:
            raise EstimateError(
                "the covariates are constant or sums of each other, beginning with "
                f"column {j - 1}"
            )
    return y, X


def _decorrelate(
    y: Array, X: Array, variance: npt.ArrayLike | None, covariance: npt.ArrayLike | None
) -> _Decorrelated:
    if (variance is None) == (covariance is None):
        raise EstimateError(
            "give either variance= (independent errors) or covariance=, and not both"
        )
    if variance is not None:
        v = as_finite_array(
            variance, "variance", "leave the contrast out", error=EstimateError
        )
        v = np.broadcast_to(v, y.shape) if v.ndim == 0 else v
        if v.shape != y.shape:
            raise EstimateError(
                f"variance has shape {v.shape}, and there are {len(y)} effects"
            )
        if (v <= 0).any():
            raise EstimateError(
                f"effect {int(np.argmin(v))}: variance {v.min():g} is not positive"
            )
        return _Decorrelated(y, X, v, None)
    V = as_finite_array(
        covariance, "covariance", "leave the contrast out", error=EstimateError
    )
    if V.shape != (len(y), len(y)):
        raise EstimateError(
            f"covariance has shape {V.shape}, and there are {len(y)} effects; give "
            f"({len(y)}, {len(y)})"
        )
    if not np.allclose(V, V.T, rtol=1e-8, atol=0):
        raise EstimateError("covariance is not symmetric")
    v, U = np.linalg.eigh((V + V.T) / 2)
    if v[0] <= 1e-12 * len(y) * v[-1]:
        what = f"least eigenvalue {v[0]:.2g}"
        raise EstimateError(
            f"the matrix is not a covariance ({what}); give variance= alone"
            if v[0] < -1e-9 * len(y) * v[-1]
            else (
                f"the covariance is singular ({what}): some effect is a sum of others; "
                "leave it out, or give variance= alone"
            )
        )
    return _Decorrelated(U.T @ y, U.T @ X, v, U)


def _fit_at(table: _Decorrelated, tau2: float) -> _WeightedFit:
    w = 1 / (table.v + tau2)
    root = np.sqrt(w)
    Q, R = np.linalg.qr(table.X * root[:, None])
    inverse = np.linalg.inv(R)
    beta = inverse @ (Q.T @ (table.y * root))
    return _WeightedFit(
        w, inverse @ inverse.T, beta, table.y - table.X @ beta, (Q**2).sum(axis=1) / w
    )


def _tau2_se(
    table: _Decorrelated,
    fixed: _WeightedFit,
    fit: _WeightedFit,
    tau2: float,
    method: str,
) -> float:
    k, p = table.X.shape
    if method == "REML":
        return float(np.sqrt(2 / _trace_of_squared_p(table, fit)))
    if method == "ML":
        return float(np.sqrt(2 / (fit.w**2).sum()))
    if method == "DL":
        spread = (
            2 * (k - p)
            + 4 * tau2 * fixed.trace
            + 2 * tau2**2 * _trace_of_squared_p(table, fixed)
        )
        return float(np.sqrt(spread) / fixed.trace)
    return float(np.sqrt(2 * k**2 / (k - p)) / fit.w.sum()) if method == "PM" else 0.0


def _tau2_at_q(table: _Decorrelated, target: float, fixed: _WeightedFit) -> float:
    """Return the tau2 at which Q equals `target`; 0 if Q is below it at tau2 = 0."""
    excess = fixed.squares - target
    if excess <= 0:
        return 0.0
    top = float(table.v.max())
    while excess > 0:
        top *= 4
        excess = _fit_at(table, top).squares - target
    return _find_root(lambda tau2: _fit_at(table, tau2).squares - target, 0.0, top)


def _find_root(f: Callable[[float], float], low: float, high: float) -> float:
    return float(
        optimize.brentq(
            f, low, high, xtol=1e-300, rtol=4 * np.finfo(float).eps, maxiter=1_000
        )
    )


def _maximize_likelihood(table: _Decorrelated, restricted: bool) -> float:
    """Maximize over 0 and a grid in log tau2, then find the root of the score next to
    the best node.
    """
    fixed = _fit_at(table, 0.0)
    start = max(float((fixed.residual**2).mean()), float(table.v.min()))
    nodes = np.concatenate([[0.0], np.geomspace(1e-6 * start, 1e3 * start, 181)])
    best = int(
        np.argmin([_deviance(_fit_at(table, tau2), restricted) for tau2 in nodes])
    )
    if best == 0 and _score(table, 0.0, restricted) <= 0:
        return 0.0
    low, high = (
        float(nodes[max(best - 1, 0)]),
        float(nodes[min(best + 1, len(nodes) - 1)]),
    )
    if _score(table, low, restricted) > 0 > _score(table, high, restricted):
        return _find_root(lambda tau2: _score(table, tau2, restricted), low, high)
    found = optimize.minimize_scalar(
        lambda tau2: _deviance(_fit_at(table, tau2), restricted),
        bounds=(low, high),
        method="bounded",
    )
    return float(found.x)


def _deviance(fit: _WeightedFit, restricted: bool) -> float:
    return float(
        fit.squares
        - np.log(fit.w).sum()
        - (np.linalg.slogdet(fit.covariance)[1] if restricted else 0.0)
    )


def _score(table: _Decorrelated, tau2: float, restricted: bool) -> float:
    fit = _fit_at(table, tau2)
    return float(
        np.sum((fit.w * fit.residual) ** 2)
        - (fit.trace if restricted else np.sum(fit.w))
    )


def _trace_of_squared_p(table: _Decorrelated, fit: _WeightedFit) -> float:
    """``tr(P P)`` at a fit."""
    weighted = table.X * fit.w[:, None]
    inner = weighted.T @ (table.X * (fit.w**2)[:, None]) @ fit.covariance
    both = (weighted.T @ weighted) @ fit.covariance
    return float((fit.w**2).sum() - 2 * np.trace(inner) + np.trace(both @ both))


def _blups(
    table: _Decorrelated, fit: _WeightedFit, cov: Array, tau2: float
) -> tuple[Array, Array]:
    """Return best linear unbiased predictions of the true effects, and their standard
    errors.
    """
    shrunk = tau2 * fit.w
    blup = table.X @ fit.beta + shrunk * fit.residual
    D = table.X * (1 - shrunk)[:, None]
    own = shrunk * table.v
    if table.U is None:
        return blup, np.sqrt(own + np.einsum("kp,pq,kq->k", D, cov, D))
    D = table.U @ D
    return table.U @ blup, np.sqrt(
        table.U**2 @ own + np.einsum("kp,pq,kq->k", D, cov, D)
    )
