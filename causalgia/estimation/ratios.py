"""Functions of the arms' means: what `estimate` says of them, and which estimators it refuses for them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from causalgia.errors import EstimateError
from causalgia.estimation.crossover import Estimate
from causalgia.estimation.moments import Array, p_and_limits
from causalgia.estimation.quotients import Flags
from causalgia.estimation.request import Answer, Request, grouping
from causalgia.estimation.tails import log_p
from causalgia.estimation.working import COLUMNS, working
from causalgia.scales import OF_MEANS

Limits = tuple[Array, Array, Array, dict[str, Array | Flags]]
"""p, lower, upper, and what else estimates keep, by name: the logarithm of p, and what is of a ratio."""


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
    divides = "denominator" in effects or "ratio" in effects
    below = _divisor(effects, request, estimator, len(e.factor)) if divides else np.zeros_like(e.factor)
    divisor = _divisor_error(e, below)
    found = working(scale, e.ace, e.se, e.df, divisor, ci_prob)
    linear = _is_linear(effects)
    _refuse_unclear(effects, found.unclear & ~linear.reshape(-1, *[1] * (e.ace.ndim - 1)))
    p, _, _ = p_and_limits(*found.against(null), e.df, ci_prob)
    others: dict[str, Array | Flags] = {"log_p": log_p(*found.against(null), e.df)}
    lower, upper, unbounded = found.limits(ci_prob)
    if found.unclear.any():
        answer = replace(answer, method=f"{answer.method}; Fieller's limits where a mean is within 6 se of 0")
    others |= dict(zip(COLUMNS, (unbounded, *divisor), strict=True)) if divides else {}
    return answer, (p, lower, upper, others)


def _scaled(answer: Answer, effects: xr.Dataset) -> Answer:
    """Multiply the relative answer of a parallel ratio by the ratio."""
    if "ratio" not in effects:
        return answer
    e, ratio = answer.estimate, effects["ratio"].to_numpy()
    size = np.abs(ratio)
    return replace(answer, estimate=replace(e, ace=ratio * (1 + e.ace), se=size * e.se, factor=ratio * e.factor))


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


def _divisor_error(e: Estimate, below: Array) -> tuple[Array, Array]:
    """Covariance of the relative error of the divisor with the error of the ratio, and its variance."""
    pieces = np.zeros_like(below)
    pieces[: len(e.factor)] = e.factor
    return (pieces * below).sum(axis=0), (below**2).sum(axis=0)


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
