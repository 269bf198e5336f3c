"""Functions of the arms' means: the delta method, and Fieller's limits where a denominator may be 0."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import special

from causalgia.errors import EstimateError
from causalgia.estimation.crossover import Estimate
from causalgia.estimation.moments import Array, p_and_limits
from causalgia.estimation.request import Answer, Request, grouping
from causalgia.scales import OF_MEANS

Flags = npt.NDArray[np.bool_]

UNCLEAR = 0.1
"""Fieller's g = (t se / mean)^2 beyond which a mean is not clearly away from 0: about 6 standard errors."""


def delta_method(gradient: Array, covariance: Array) -> Array:
    """Return the standard error of a smooth function of estimates, ``sqrt(g' V g)``.

    Parameters
    ----------
    gradient
        Derivatives of the function by each of A estimates, at the estimates, shape ``(A, ...)``.
    covariance
        Their covariance V, shape ``(A, A, ...)``.

    Returns
    -------
    array
        Shape ``(...)``, on the scale of the function.

    References
    ----------
    Oehlert (1992), doi:10.2307/2684406.

    Examples
    --------
    >>> delta_method(np.array([1 / 2.0, -1 / 4.0]), np.diag([0.04, 0.16])).round(6)  # log(2) - log(4)
    np.float64(0.141421)
    """
    variance = np.einsum("a...,ab...,b...->...", gradient, covariance, gradient)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))[()]


def fieller(
    numerator: Array, denominator: Array, variances: tuple[Array, Array, Array], df: Array, ci_prob: float
) -> tuple[Array, Array, Flags]:
    """Return Fieller's limits of a ratio of two means, exact for normal means whatever the denominator.

    The ratios theta that the t test of ``numerator - theta denominator = 0`` does not reject. Where the denominator
    itself is not significant, ``g = t^2 v_dd / d^2 >= 1``, they reach to infinity on one side or both, and the interval
    given is the whole line.

    Parameters
    ----------
    numerator, denominator
        Estimated means, shape ``(...)``.
    variances
        Variance of the numerator, covariance, variance of the denominator, shape ``(...)`` each.
    df
        Degrees of freedom, shape ``(...)``.
    ci_prob
        Probability of the set.

    Returns
    -------
    lower, upper, unbounded
        Shape ``(...)`` each.

    References
    ----------
    Fieller (1954), doi:10.1111/j.2517-6161.1954.tb00159.x.

    Examples
    --------
    >>> lower, upper, unbounded = fieller(
    ...     np.array([2.0, 2.0]), np.array([1.0, 0.1]), (np.full(2, 0.04), np.zeros(2), np.full(2, 0.01)), 20.0, 0.95
    ... )
    >>> lower.round(4), upper.round(4), unbounded
    (array([1.4809,   -inf]), array([2.7011,    inf]), array([False,  True]))
    """
    v_nn, v_nd, v_dd = variances
    t2 = special.stdtrit(df, 0.5 + ci_prob / 2) ** 2
    a, b, c = denominator**2 - t2 * v_dd, numerator * denominator - t2 * v_nd, numerator**2 - t2 * v_nn
    unbounded = np.asarray(a <= 0)
    root, size = np.sqrt(np.maximum(b**2 - a * c, 0.0)), np.where(unbounded, 1.0, a)
    return np.where(unbounded, -np.inf, (b - root) / size), np.where(unbounded, np.inf, (b + root) / size), unbounded


def p_of_ratio(
    numerator: Array, denominator: Array, variances: tuple[Array, Array, Array], df: Array, null: float = 1.0
) -> Array:
    """Return the two-sided p of ``numerator = null * denominator``, which belongs to `fieller`'s limits.

    Parameters
    ----------
    numerator, denominator, variances, df
        As in `fieller`.
    null
        The ratio that is tested.

    Examples
    --------
    >>> v = (np.array(0.04), np.array(0.0), np.array(0.01))
    >>> p_of_ratio(np.array(2.0), np.array(1.0), v, np.array(20.0)).round(5)
    np.float64(0.00023)
    """
    v_nn, v_nd, v_dd = variances
    gap, spread = numerator - null * denominator, v_nn - 2 * null * v_nd + null**2 * v_dd
    return p_and_limits(gap, np.sqrt(np.maximum(spread, 0.0)), df, 0.5)[0][()]


Limits = tuple[Array, Array, Array, Flags | None]


def limits_of_means(
    effects: xr.Dataset,
    answer: Answer,
    request: Request,
    ci_prob: float,
    estimator: Callable[[xr.Dataset, Request], Answer],
) -> tuple[Answer, Limits]:
    """Return the answer on the scale of the function, p, lower, upper, and for ratios what is unbounded.

    The logarithm of a ratio of means is the scale of its limits. Where a divisor (or a dividend) has ``g =
    (t se / mean)^2 > 0.1`` the delta method is not trusted: a ratio of two means, and bpnet's, takes Fieller's limits.

    Parameters
    ----------
    effects
        From `contrast` on a scale of means.
    answer
        Its ACEs: of a parallel ratio, relative to ``ratio``.
    request, ci_prob
        As asked.
    estimator
        The one that gave the answer.

    Raises
    ------
    EstimateError
        If a denominator is unclear and there are no limits for such a function.
    """
    scale = effects.attrs["transform"]
    answer = _scaled(replace(answer, method=f"function of means by the delta method, as {answer.method}"), effects)
    e, null = answer.estimate, OF_MEANS[scale]
    if "denominator" not in effects and "ratio" not in effects:
        return answer, (*_p_and_limits(e, null, ci_prob), None)
    below = _divisor(effects, request, estimator, len(e.factor))
    variances = _variances(e, below)
    t2 = special.stdtrit(e.df, 0.5 + ci_prob / 2) ** 2
    unclear = (t2 * variances[2] > UNCLEAR) & (e.se > 0)
    if scale == "ratio":
        unclear |= ((e.ace <= 0) | (t2 * variances[0] > UNCLEAR * e.ace**2)) & (e.se > 0)
    linear = _is_linear(effects)
    _refuse_unclear(effects, unclear & ~linear.reshape(-1, *[1] * (e.ace.ndim - 1)))
    clear = _log_limits(e, ci_prob) if scale == "ratio" else _p_and_limits(e, null, ci_prob)
    one = np.ones_like(e.ace)
    lower, upper, unbounded = fieller(e.ace, one, variances, e.df, ci_prob)
    exact = (p_of_ratio(e.ace, one, variances, e.df, null), lower, upper)
    p, lower, upper = (np.where(unclear, x, y) for x, y in zip(exact, clear, strict=True))
    if unclear.any():
        answer = replace(answer, method=f"{answer.method}; Fieller's limits where a mean is within 6 se of 0")
    return answer, (p, lower, upper, unbounded & unclear)


def _scaled(answer: Answer, effects: xr.Dataset) -> Answer:
    """Multiply the relative answer of a parallel ratio by the ratio."""
    if "ratio" not in effects:
        return answer
    e, ratio = answer.estimate, effects["ratio"].to_numpy()
    size = np.abs(ratio)
    return replace(answer, estimate=replace(e, ace=ratio * (1 + e.ace), se=size * e.se, factor=ratio * e.factor))


def _p_and_limits(e: Estimate, null: float, ci_prob: float) -> tuple[Array, Array, Array]:
    p, lower, upper = p_and_limits(e.ace - null, e.se, e.df, ci_prob)
    return p, lower + null, upper + null


def _log_limits(e: Estimate, ci_prob: float) -> tuple[Array, Array, Array]:
    positive = e.ace > 0
    ratio = np.where(positive, e.ace, 1.0)
    p, lower, upper = p_and_limits(np.log(ratio), e.se / ratio, e.df, ci_prob)
    with np.errstate(over="ignore"):
        limits = np.exp(lower), np.exp(upper)
    point = e.se == 0
    return (
        np.where(point, np.where(e.ace == 1, 1.0, 0.0), p),
        np.where(point, e.ace, limits[0]),
        np.where(point, e.ace, limits[1]),
    )


def _divisor(
    effects: xr.Dataset, request: Request, estimator: Callable[[xr.Dataset, Request], Answer], n_pieces: int
) -> Array:
    """Independent pieces of the error of each contrast's divisor, relative to it, shape (G, K, ...)."""
    if "denominator" in effects:
        other = effects.drop_vars(["constant", "zero"], errors="ignore").assign(ice=effects["denominator"])
    else:
        other = effects.assign(weight=(-effects["weight"]).clip(min=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to say of clusters was said of the ratio itself
        factor = estimator(other, request).estimate.factor
    whole = np.zeros((max(n_pieces, len(factor)), *factor.shape[1:]))
    whole[: len(factor)] = factor
    return whole


def _variances(e: Estimate, below: Array) -> tuple[Array, Array, Array]:
    """Variance of numerator, covariance, variance of denominator, where the denominator's mean is 1."""
    pieces = np.zeros_like(below)
    pieces[: len(e.factor)] = e.factor
    v_dd, v_ed = (below**2).sum(axis=0), (pieces * below).sum(axis=0)
    return e.se**2 + 2 * e.ace * v_ed + e.ace**2 * v_dd, v_ed + e.ace * v_dd, v_dd


def _is_linear(effects: xr.Dataset) -> Flags:
    """Whether each contrast is one sum of means over another one, shape (K,)."""
    if effects.attrs["transform"] != "ratio":
        return np.full(effects.sizes["contrast"], effects.attrs["transform"] == "bpnet")
    w = effects["weight"].to_numpy()
    return np.asarray((np.abs(w).sum(axis=1) == 2) & (np.abs(w).max(axis=1) == 1) & ((w != 0).sum(axis=1) == 2))


def _refuse_unclear(effects: xr.Dataset, unclear: Any) -> None:
    for k, t, *_ in np.argwhere(unclear)[:1]:
        raise EstimateError(
            f"contrast {effects['contrast'].to_numpy()[k]!s}, task {effects['task'].to_numpy()[t]!s}: a mean that "
            f"enters the ratio is within about 6 standard errors of 0, so scale={effects.attrs['transform']!r} has no "
            "trustworthy limits; draw more units, or use scale='log_of_means' or the additive scale='identity'"
        )


def check_means_are_units(effects: xr.Dataset, request: Request) -> None:
    """Refuse estimators whose means are not those of the units, about which a function of means was expanded.

    Raises
    ------
    EstimateError
        With covariates, unequal blocks, or clusters that count once each and have unequal sizes.

    Examples
    --------
    >>> effects = xr.Dataset(attrs={"transform": "ratio"})
    >>> check_means_are_units(effects, Request("auto", None, ("gc",), "population", "units"))
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: covariates=('gc',) with scale='ratio': ...
    """
    scale = effects.attrs["transform"]
    if request.covariates:
        raise EstimateError(
            f"covariates={request.covariates!r} with scale={scale!r}: adjusted means are not the arms' means; "
            "leave covariates= out, or use scale='identity'"
        )
    if "outcome" in effects:
        _refuse_unequal_blocks(effects, request)
    by = "parent" if request.cluster in (None, "auto") else str(request.cluster)
    if request.weights == "clusters" and by in effects.coords:
        sizes = grouping(effects, by, "weights='clusters'").sizes
        if len(set(sizes.tolist())) > 1:
            raise EstimateError(
                f"weights='clusters' with scale={scale!r}: {by}s have unequal numbers of units, and the function is of "
                "the units' means; use weights='units'"
            )


def _refuse_unequal_blocks(effects: xr.Dataset, request: Request) -> None:
    name = request.block or ("parent" if request.target == "parents" else "block")
    if name not in effects.coords or "weight" not in effects:
        return
    blocks, weight = grouping(effects, name, f"block={name!r}"), effects["weight"].transpose("contrast", "arm")
    expected = blocks.sizes / blocks.sizes.sum() if request.target != "population" else 1 / len(blocks.labels)
    assigned = effects["assigned"].to_numpy().astype(str)
    for arm in effects["arm"].to_numpy()[(weight.to_numpy() != 0).any(axis=0)]:
        counts = np.bincount(blocks.codes[assigned == str(arm)], minlength=len(blocks.labels))
        if not np.allclose(counts / max(counts.sum(), 1), expected):
            raise EstimateError(
                f"scale={effects.attrs['transform']!r}: arm {arm!s} has {counts.min()} to {counts.max()} units in a "
                f"{name}, so means over {name}s are not the arms' means; drop_vars({name!r}), or use scale='identity'"
            )
