"""Functions of the arms' means: what `estimate` says of them, and which estimators it refuses for them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import xarray as xr

from causalgia.effects.scales import OF_MEANS
from causalgia.errors import EstimateError, quoted
from causalgia.estimation.crossover import Estimate
from causalgia.estimation.request import Answer, Request, grouping
from causalgia.estimation.working import COLUMNS, clear_from, working
from causalgia.numerics.moments import p_and_limits
from causalgia.numerics.tails import log_p
from causalgia.types import Array, Mask

Limits = tuple[Array, Array, Array, dict[str, Array | Mask]]
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
    A ratio of more means is a sum of logarithms, each trusted where its own mean is ``t / sqrt(0.1)`` standard errors
    from 0 (6.2 with many units); their product may be far less clear, for its relative variance is a sum over means.

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
        If a mean is unclear and there are no limits for such a function. The message says how far from 0 it is, and
        how far it has to be.
    """
    scale = effects.attrs["transform"]
    answer = _scaled(replace(answer, method=f"function of means by the delta method, as {answer.method}"), effects)
    e, null = answer.estimate, OF_MEANS[scale]
    divides = "denominator" in effects or "ratio" in effects
    below = _divisor(effects, request, estimator, len(e.factor)) if divides else np.zeros_like(e.factor)
    divisor = _divisor_error(e, below)
    linear = np.broadcast_to(_is_linear(effects).reshape(-1, *[1] * (e.ace.ndim - 1)), e.ace.shape)
    if divides:
        _refuse_unclear(effects, np.where(linear | (e.se == 0), 0.0, divisor[1]), e.df, ci_prob)
    if scale == "ratio":  # of more than two means the logarithm is taken from here on, whatever the product's error
        never = -(e.se**2) / np.where(linear, 1.0, 2 * e.ace)
        divisor = np.where(linear, divisor[0], never), np.where(linear, divisor[1], 0.0)
    found = working(scale, e.ace, e.se, e.df, divisor, ci_prob)
    p, _, _ = p_and_limits(*found.against(null), e.df, ci_prob)
    others: dict[str, Array | Mask] = {"log_p": log_p(*found.against(null), e.df)}
    lower, upper, unbounded = found.limits(ci_prob)
    if found.unclear.any():
        answer = replace(
            answer, method=f"{answer.method}; Fieller's limits where a mean is not clear of 0, or the ratio negative"
        )
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
    """Independent pieces of the error of each contrast's divisor, relative to it, shape (G, K, ...).

    Of a ratio of more than two means they are those of the mean that is nearest to 0 in its standard errors.
    """
    if "denominator" in effects:
        others = [effects.drop_vars(["constant", "zero"], errors="ignore").assign(ice=effects["denominator"])]
    else:
        others = [effects.assign(weight=weight) for weight in _single_arms(effects)]
    pieces = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to say of clusters was said of the ratio itself
        for other in others:
            factor = estimator(other, request).estimate.factor
            whole = np.zeros((max(n_pieces, len(factor)), *factor.shape[1:]))
            whole[: len(factor)] = factor
            pieces.append(whole)
    return max_by_square(pieces)


def _single_arms(effects: xr.Dataset) -> list[xr.DataArray]:
    """Return weights of 1 on the arm that a ratio divides by; of more than two means on each of them in turn."""
    weight, linear = effects["weight"], _is_linear(effects)
    w = weight.to_numpy()
    each = [np.flatnonzero(row < 0 if plain else row) for row, plain in zip(w, linear, strict=True)]
    rounds = []
    for place in range(max(map(len, each))):
        one = np.zeros_like(w)
        for k, arms in enumerate(each):
            one[k, arms[min(place, len(arms) - 1)]] = 1
        rounds.append(weight.copy(data=one))
    return rounds


def max_by_square(pieces: list[Array]) -> Array:
    """Return of several errors in pieces (G, ...) the one with the largest variance, element by element.

    Examples
    --------
    >>> max_by_square([np.array([[1.0, 0.0], [1.0, 3.0]]), np.array([[2.0, 1.0], [0.0, 0.0]])])
    array([[2., 0.],
           [0., 3.]])
    """
    longest = max(map(len, pieces))
    whole = np.stack([np.concatenate([one, np.zeros((longest - len(one), *one.shape[1:]))]) for one in pieces])
    largest = (whole**2).sum(axis=1).argmax(axis=0)
    return np.asarray(np.take_along_axis(whole, largest[None, None], axis=0)[0])


def _divisor_error(e: Estimate, below: Array) -> tuple[Array, Array]:
    """Covariance of the relative error of the divisor with the error of the ratio, and its variance."""
    pieces = np.zeros_like(below)
    pieces[: len(e.factor)] = e.factor
    return (pieces * below).sum(axis=0), (below**2).sum(axis=0)


def _is_linear(effects: xr.Dataset) -> Mask:
    """Whether each contrast is one sum of means over another one, shape (K,)."""
    if effects.attrs["transform"] != "ratio":
        return np.full(effects.sizes["contrast"], effects.attrs["transform"] == "bpnet")
    w = effects["weight"].to_numpy()
    return np.asarray((np.abs(w).sum(axis=1) == 2) & (np.abs(w).max(axis=1) == 1) & ((w != 0).sum(axis=1) == 2))


def _refuse_unclear(effects: xr.Dataset, own: Array, df: Array, ci_prob: float) -> None:
    """Refuse what divides by a mean of relative variance `own` that is not clear of 0, and has no Fieller's limits."""
    need = clear_from(df, ci_prob)
    with np.errstate(divide="ignore"):
        away = 1 / np.sqrt(own)
    for k, t, *more in np.argwhere(away < need)[:1]:
        at, scale = (k, t, *more), effects.attrs["transform"]
        what = "a mean that enters the ratio" if scale == "ratio" else "what it divides by"
        raise EstimateError(
            f"contrast {effects['contrast'].to_numpy()[k]!s}, task {effects['task'].to_numpy()[t]!s}: {what} is "
            f"{away[at]:.3g} standard errors from 0, and limits at {ci_prob:.4g} with {df[at]:.3g} degrees of freedom "
            f"need {need[at]:.3g}, so scale={quoted(scale)} has no trustworthy limits; draw more units, or use "
            "scale='log_of_means' or the additive scale='identity'"
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
            f"covariates={quoted(request.covariates)} with scale={quoted(scale)}: adjusted means are not the arms' "
            "means; leave covariates= out, or use scale='identity'"
        )
    if "outcome" in effects:
        _refuse_unequal_blocks(effects, request)
    by = "parent" if request.cluster in (None, "auto") else str(request.cluster)
    if request.weights == "clusters" and by in effects.coords:
        sizes = grouping(effects, by, "weights='clusters'").sizes
        if len(set(sizes.tolist())) > 1:
            raise EstimateError(
                f"weights='clusters' with scale={quoted(scale)}: {by}s have unequal numbers of units, and the function "
                "is of the units' means; use weights='units'"
            )


def _refuse_unequal_blocks(effects: xr.Dataset, request: Request) -> None:
    name = request.block or ("parent" if request.target == "parents" else "block")
    if name not in effects.coords or "weight" not in effects:
        return
    blocks, weight = grouping(effects, name, f"block={quoted(name)}"), effects["weight"].transpose("contrast", "arm")
    expected = blocks.sizes / blocks.sizes.sum() if request.target != "population" else 1 / len(blocks.labels)
    assigned = effects["assigned"].to_numpy().astype(str)
    for arm in effects["arm"].to_numpy()[(weight.to_numpy() != 0).any(axis=0)]:
        counts = np.bincount(blocks.codes[assigned == str(arm)], minlength=len(blocks.labels))
        if not np.allclose(counts / max(counts.sum(), 1), expected):
            raise EstimateError(
                f"scale={quoted(effects.attrs['transform'])}: arm {arm!s} has {counts.min()} to {counts.max()} units "
                f"in a {name}, so means over {name}s are not the arms' means; drop_vars({quoted(name)}), or use "
                "scale='identity'"
            )
