"""Ratios and other functions of the arms' means: delta method, logarithms and Fieller's
limits.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy
import xarray as xr

from causalgia.attributes import about
from causalgia.effect_table import of_effects
from causalgia.effects.scales import FUNCTION, OF_MEANS
from causalgia.errors import (
    EstimateError,
    quoted,
)
from causalgia.estimation.request import Answer, Request, grouping
from causalgia.numerics.moments import log_p, p_and_limits, untransformed
from causalgia.types import Array, Mask

Limits = tuple[Array, Array, Array, dict[str, Array | Mask]]
"""p, lower, upper, and further columns by name: the logarithm of p, and those of a
ratio.
"""


def limits_of_means(
    effects: xr.Dataset,
    answer: Answer,
    request: Request,
    ci_prob: float,
    estimator: Callable[[xr.Dataset, Request], Answer],
) -> tuple[Answer, Limits]:
    """Return the answer on the scale of the function, with p and limits, and for ratios
    whether they are unbounded.

    Limits of a ratio of means are computed on its logarithm. Where a divisor (or a
    dividend) has ``g = (t se / mean)^2 > 0.1`` the delta method is not reliable: a
    ratio of two means, and a function with a divisor, takes Fieller's limits. A ratio
    of more means is a sum of logarithms, each reliable if its own mean is ``t /
    sqrt(0.1)`` standard errors from 0 (6.2 with many units); the product may be less
    clear, as its relative variance is a sum over means.

    Parameters
    ----------
    effects
        From `contrast` on a scale of means.
    answer
        Its ACEs; for a parallel ratio, relative to ``ratio``.
    request
        Arguments of `estimate`.
    ci_prob
        Probability of the intervals.
    estimator
        The estimator of the answer.

    Raises
    ------
    EstimateError
        If a mean is not clear of 0, and the function has no Fieller limits. The message
        gives its distance from 0, and the distance needed.
    """
    scale = about(effects).transform
    what = {
        "ratio": "ratio of means",
        "log_of_means": "log of means",
        "sd": "effects in sd of the control",
        FUNCTION: "function of means",
    }[scale]
    spread = answer.method.removeprefix("mean ICE; ").removeprefix("s^2 / n, ")
    how = "jackknife over units" if scale == "sd" else "delta method"
    answer = replace(answer, method=f"{what}, {how}; {spread}")
    if "ratio" in effects:  # the answer of a parallel trial is relative
        e, ratio = answer.estimate, effects["ratio"].to_numpy()
        relative = replace(
            e, ace=ratio * (1 + e.ace), se=np.abs(ratio) * e.se, factor=ratio * e.factor
        )
        answer = replace(answer, estimate=relative)
    e, null = answer.estimate, OF_MEANS[scale]
    divides = "denominator" in effects or "ratio" in effects
    below = (
        _divisor_pieces(effects, request, estimator, len(e.factor))
        if divides
        else np.zeros_like(e.factor)
    )
    pieces = np.zeros_like(below)
    pieces[: len(e.factor)] = e.factor
    divisor = (pieces * below).sum(axis=0), (below**2).sum(axis=0)
    linear = np.broadcast_to(
        _is_linear(effects).reshape(-1, *[1] * (e.ace.ndim - 1)), e.ace.shape
    )
    if divides:
        _check_clear_of_zero(
            effects, np.where(linear | (e.se == 0), 0.0, divisor[1]), e.df, ci_prob
        )
    if (
        scale == "ratio"
    ):  # of more than two means the logarithm is taken from here on, whatever the product's error
        never = -(e.se**2) / np.where(linear, 1.0, 2 * e.ace)
        divisor = np.where(linear, divisor[0], never), np.where(linear, divisor[1], 0.0)
    found = working_scale(scale, e.ace, e.se, e.df, divisor, ci_prob)
    from_null, (lower, upper, unbounded) = found.against(null), found.limits(ci_prob)
    p, _, _ = p_and_limits(*from_null, e.df, ci_prob)
    others: dict[str, Array | Mask] = {"log_p": log_p(*from_null, e.df)}
    if found.unclear.any():
        answer = replace(
            answer,
            method=(
                f"{answer.method}; Fieller's limits where a mean is not clear of 0, or "
                "the ratio negative"
            ),
        )
    others |= dict(zip(COLUMNS, (unbounded, *divisor), strict=True)) if divides else {}
    return answer, (p, lower, upper, others)


def _divisor_pieces(
    effects: xr.Dataset,
    request: Request,
    estimator: Callable[[xr.Dataset, Request], Answer],
    n_pieces: int,
) -> Array:
    """Return independent pieces of the relative error of each contrast's divisor, shape
    (G, K, ...).

    For a ratio of more than two means the divisor is the mean nearest to 0 in its
    standard errors.
    """
    if "denominator" in effects:
        others = [
            effects.drop_vars(["constant", "zero"], errors="ignore").assign(
                ice=effects["denominator"]
            )
        ]
    else:
        others = [effects.assign(weight=weight) for weight in _single_arms(effects)]
    pieces = []
    with warnings.catch_warnings():
        # the ratio itself gave the warnings on clusters
        warnings.simplefilter("ignore")
        for other in others:
            factor = estimator(other, request).estimate.factor
            whole = np.zeros((max(n_pieces, len(factor)), *factor.shape[1:]))
            whole[: len(factor)] = factor
            pieces.append(whole)
    return max_by_square(pieces)


def _single_arms(effects: xr.Dataset) -> list[xr.DataArray]:
    """Return weights of 1 on the arm that a ratio divides by; of more than two means on
    each of them in turn.
    """
    weight, linear = effects["weight"], _is_linear(effects)
    w = weight.to_numpy()
    each = [
        np.flatnonzero(row < 0 if plain else row)
        for row, plain in zip(w, linear, strict=True)
    ]
    rounds = []
    for place in range(max(map(len, each))):
        one = np.zeros_like(w)
        for k, arms in enumerate(each):
            one[k, arms[min(place, len(arms) - 1)]] = 1
        rounds.append(weight.copy(data=one))
    return rounds


def max_by_square(pieces: list[Array]) -> Array:
    """Return, element by element, the error in pieces (G, ...) with the largest
    variance.

    Examples
    --------
    >>> max_by_square(
    ...     [np.array([[1.0, 0.0], [1.0, 3.0]]), np.array([[2.0, 1.0], [0.0, 0.0]])]
    ... )
    array([[2., 0.],
           [0., 3.]])
    """
    longest = max(map(len, pieces))
    whole = np.stack(
        [
            np.concatenate([one, np.zeros((longest - len(one), *one.shape[1:]))])
            for one in pieces
        ]
    )
    largest = (whole**2).sum(axis=1).argmax(axis=0)
    return np.asarray(np.take_along_axis(whole, largest[None, None], axis=0)[0])


def _is_linear(effects: xr.Dataset) -> Mask:
    """Return whether each contrast is a ratio of two linear functions of means, shape
    (K,).
    """
    if about(effects).transform != "ratio":
        return np.full(effects.sizes["contrast"], about(effects).transform == FUNCTION)
    w = effects["weight"].to_numpy()
    return np.asarray(
        (np.abs(w).sum(axis=1) == 2)
        & (np.abs(w).max(axis=1) == 1)
        & ((w != 0).sum(axis=1) == 2)
    )


def _check_clear_of_zero(
    effects: xr.Dataset, own: Array, df: Array, ci_prob: float
) -> None:
    """Raise EstimateError where a divisor of relative variance `own` is not clear of 0,
    without Fieller's limits.
    """
    need = clear_from(df, ci_prob)
    with np.errstate(divide="ignore"):
        away = 1 / np.sqrt(own)
    for k, t, *more in np.argwhere(away < need)[:1]:
        at, scale = (k, t, *more), about(effects).transform
        what = "a mean that enters the ratio"
        raise EstimateError(
            f"contrast {effects['contrast'].to_numpy()[k]}, task "
            f"{effects['task'].to_numpy()[t]}: {what} is {away[at]:.3g} standard "
            f"errors from 0, and limits at {ci_prob:.4g} with {df[at]:.3g} degrees of "
            f"freedom need {need[at]:.3g}, so scale={quoted(scale)} has no trustworthy "
            "limits"
        )


def check_means_are_units(effects: xr.Dataset, request: Request) -> None:
    """Check that the estimator averages over units, as the expansion of a function of
    means assumes.

    Raises
    ------
    EstimateError
        With covariates, unequal blocks, or clusters that count once each and have
        unequal sizes.

    Examples
    --------
    >>> effects = xr.Dataset(attrs={"transform": "ratio"})
    >>> check_means_are_units(
    ...     effects, Request("auto", None, ("gc",), "population", "units")
    ... )
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: covariates=('gc',) with scale='ratio': ...
    """
    scale = about(effects).transform
    if request.covariates:
        raise EstimateError(
            f"covariates={quoted(request.covariates)} with scale={quoted(scale)}: "
            "adjusted means are not the arms' means",
            argument="covariates",
        )
    if "outcome" in effects:
        _check_equal_blocks(effects, request)
    by = "parent" if request.cluster in ("none", "auto") else str(request.cluster)
    if request.weights == "clusters" and by in effects.coords:
        sizes = grouping(effects, by, "weights='clusters'").sizes
        if len(set(sizes.tolist())) > 1:
            raise EstimateError(
                f"weights='clusters' with scale={quoted(scale)}: {by}s have unequal "
                "numbers of units, and the function is of the units' means",
                argument="weights",
            )


def _check_equal_blocks(effects: xr.Dataset, request: Request) -> None:
    name = request.block or ("parent" if request.target == "parents" else "block")
    if name not in effects.coords or "weight" not in effects:
        return
    blocks, weight = (
        grouping(effects, name, f"block={quoted(name)}"),
        effects["weight"].transpose("contrast", "arm"),
    )
    expected = (
        blocks.sizes / blocks.sizes.sum()
        if request.target != "population"
        else 1 / len(blocks.labels)
    )
    assigned = effects["assigned"].to_numpy().astype(str)
    for arm in effects["arm"].to_numpy()[(weight.to_numpy() != 0).any(axis=0)]:
        counts = np.bincount(
            blocks.codes[assigned == str(arm)], minlength=len(blocks.labels)
        )
        if not np.allclose(counts / max(counts.sum(), 1), expected):
            raise EstimateError(
                f"scale={quoted(about(effects).transform)}: arm {arm} has "
                f"{counts.min()} to {counts.max()} units in a {name}, so means over "
                f"{name}s are not the arms' means",
                argument="scale",
            )


def fieller(
    numerator: Array,
    denominator: Array,
    variances: tuple[Array, Array, Array],
    df: Array,
    ci_prob: float | Array,
) -> tuple[Array, Array, Mask]:
    """Return Fieller's limits of a ratio of two means, exact for normal means.

    These are the ratios theta that the t test of ``numerator - theta denominator = 0``
    does not reject. Where the denominator is not significant,
    ``g = t^2 v_dd / d^2 >= 1``, the set is unbounded, and the interval is the whole
    line.

    Parameters
    ----------
    numerator, denominator
        Estimated means, shape ``(...)``.
    variances
        Variance of the numerator, covariance, variance of the denominator, shape
        ``(...)`` each.
    df
        Degrees of freedom, shape ``(...)``.
    ci_prob
        Probability of the intervals. It is broadcast against the means.

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
    ...     np.array([2.0, 2.0]),
    ...     np.array([1.0, 0.1]),
    ...     (np.full(2, 0.04), np.zeros(2), np.full(2, 0.01)),
    ...     20.0,
    ...     0.95,
    ... )
    >>> lower.round(4), upper.round(4), unbounded
    (array([1.4809,   -inf]), array([2.7011,    inf]), array([False,  True]))
    """
    v_nn, v_nd, v_dd = variances
    t2 = scipy.special.stdtrit(df, 0.5 + np.asarray(ci_prob) / 2) ** 2
    a, b, c = (
        denominator**2 - t2 * v_dd,
        numerator * denominator - t2 * v_nd,
        numerator**2 - t2 * v_nn,
    )
    unbounded = np.asarray(a <= 0)
    root, size = np.sqrt(np.maximum(b**2 - a * c, 0.0)), np.where(unbounded, 1.0, a)
    return (
        np.where(unbounded, -np.inf, (b - root) / size),
        np.where(unbounded, np.inf, (b + root) / size),
        unbounded,
    )


UNCLEAR = 0.1
"""Fieller's g = (t se / mean)^2 above which a mean is not clear of 0."""
COLUMNS = ("unbounded", "divisor_covariance", "divisor_variance")
"""Columns of estimates of a quotient: whether the limits are open, and the error of the
divisor (`WorkingScale`).
"""


def clear_from(df: Array | float, ci_prob: float | Array) -> Array:
    """Return the number of standard errors from 0 at which a mean is clear of it:
    ``t / sqrt(0.1)``.

    Examples
    --------
    >>> clear_from(np.array([np.inf, 19.0, 4.0]), 0.95).round(1)
    array([6.2, 6.6, 8.8])
    """
    return np.asarray(
        scipy.special.stdtrit(df, 0.5 + np.asarray(ci_prob) / 2) / np.sqrt(UNCLEAR)
    )


@dataclass(frozen=True)
class WorkingScale:
    """Estimates, with the scale on which each has a t distribution; every array has the
    shape of `ace`.

    Attributes
    ----------
    ace, se, df
        Estimates on the scale of the contrast.
    logs
        Whether the working scale is the logarithm: a ratio of two means that are both
        clear of 0.
    unclear
        Whether a mean of a quotient is not clear of 0 (`clear_from`), or a ratio is
        negative: Fieller's limits apply.
    divisor
        Covariance of the relative error of the divisor with the error of the quotient,
        and its variance; 0 unless unclear.
    """

    ace: Array
    se: Array
    df: Array
    logs: Mask
    unclear: Mask
    divisor: tuple[Array, Array]

    @property
    def center(self) -> Array:
        """The effects on their working scales."""
        return self.put(self.ace)

    @property
    def error(self) -> Array:
        """Standard errors on the working scales."""
        return np.asarray(self.se / np.where(self.logs, self.ace, 1.0))

    def put(self, value: Array | float) -> Array:
        """Transform effects to the working scales; a ratio of 0 or less is -inf."""
        value = np.broadcast_to(value, self.ace.shape)
        positive = self.logs & (value > 0)
        return np.where(
            positive,
            np.log(np.where(positive, value, 1.0)),
            np.where(self.logs, -np.inf, value),
        )

    def back(self, value: Array) -> Array:
        """Transform numbers from the working scales back to that of the contrast."""
        with np.errstate(over="ignore"):
            return np.where(self.logs, np.exp(np.where(self.logs, value, 0.0)), value)

    def around(self, half: Array) -> tuple[Array, Array]:
        """Return limits at half widths (on the working scales) from the effects, the
        point itself where one is 0.
        """
        return tuple(  # type: ignore[return-value]
            np.where(half == 0, self.ace, self.back(self.center + side * half))
            for side in (-1, 1)
        )

    def against(self, value: Array | float) -> tuple[Array, Array]:
        """Return the distance from a value to the effects and its standard error, for a
        t test of that value.
        """
        gap, (both, own) = self.ace - value, self.divisor
        spread = np.where(
            (both == 0) & (own == 0),
            self.se,  # its square may be below float64
            np.sqrt(np.maximum(self.se**2 + 2 * gap * both + gap**2 * own, 0.0)),
        )
        return np.where(self.logs, self.center - self.put(value), gap), np.where(
            self.logs, self.error, spread
        )

    def width(self, size: Array | float) -> Array:
        """Transform a small distance from the effects to the working scales."""
        return np.asarray(size / np.where(self.logs, self.ace, 1.0))

    def limits(
        self,
        ci_prob: float | Array,
        *,
        hall: Array | float = 0.0,
        share: Array | float = 1.0,
        unseen: Array | float = 0.0,
    ) -> tuple[Array, Array, Mask]:
        """Return limits of Hall's transformed t with coefficient `hall` and the row's
        own `share` of its variance, moved outwards by `unseen`, and if open.
        """
        critical, beyond = (
            scipy.special.stdtrit(self.df, 0.5 + np.asarray(ci_prob) / 2),
            self.width(unseen),
        )
        down, up = (
            np.where(
                self.error == 0,
                0.0,
                untransformed(side * critical, np.asarray(hall), share),
            )
            for side in (1, -1)
        )
        lower, upper = (
            np.where(
                t * self.error + side * beyond == 0,
                self.ace,
                self.back(self.center - t * self.error - side * beyond),
            )
            for t, side in ((down, 1), (up, -1))
        )
        both, own = self.divisor
        variances = (
            self.se**2 + 2 * self.ace * both + self.ace**2 * own,
            both + self.ace * own,
            own,
        )
        low, high, open_ended = fieller(
            self.ace, np.ones_like(self.ace), variances, self.df, ci_prob
        )
        mine = self.unclear
        return (
            np.where(mine, low, lower),
            np.where(mine, high, upper),
            open_ended & mine,
        )


def working_scale(
    scale: str | None,
    ace: Array,
    se: Array,
    df: Array,
    divisor: tuple[Array, Array],
    ci_prob: float | Array,
) -> WorkingScale:
    """Find the working scale of each estimate.

    Parameters
    ----------
    scale
        Scale of the effects; the working scale of ``"ratio"`` is the logarithm.
    ace, se, df
        Effects, their standard errors and degrees of freedom, of one shape.
    divisor
        As in `WorkingScale`, also for clear means; zeros without a divisor.
    ci_prob
        Probability of the intervals. It determines the distance from 0 that is clear.

    Examples
    --------
    >>> one = np.ones(1)
    >>> found = working_scale(
    ...     "ratio", 2 * one, 0.1 * one, np.inf * one, (0 * one, 0.001 * one), 0.95
    ... )
    >>> lower, upper, unbounded = found.limits(0.95)
    >>> lower.round(3), upper.round(3), unbounded
    (array([1.813]), array([2.206]), array([False]))
    """
    both, own = divisor
    t2, ratio = (
        scipy.special.stdtrit(df, 0.5 + np.asarray(ci_prob) / 2) ** 2,
        scale == "ratio",
    )
    unclear = t2 * own > UNCLEAR
    if ratio:
        of_dividend = se**2 + 2 * ace * both + ace**2 * own
        unclear |= (ace <= 0) | (t2 * of_dividend > UNCLEAR * ace**2)
    unclear &= se > 0
    logs = ratio & ~unclear & (ace > 0)
    return WorkingScale(
        ace,
        se,
        df,
        logs,
        unclear,
        (np.where(unclear, both, 0.0), np.where(unclear, own, 0.0)),
    )


def working_scale_of(
    estimates: xr.Dataset, ace: Array, se: Array, df: Array, ci_prob: float | Array
) -> WorkingScale:
    """Find the working scale of estimates, with arrays in the shape of ``ace``.

    Without columns on the error of the divisor, the divisor of a ratio is taken as
    known.

    Examples
    --------
    >>> one = xr.Dataset({"ace": ("contrast", [2.0])}, attrs={"transform": "ratio"})
    >>> working_scale_of(
    ...     one, np.array([2.0]), np.array([0.1]), np.array([np.inf]), 0.95
    ... ).center.round(3)
    array([0.693])
    """
    zero = np.zeros(ace.shape)
    both, own = (
        of_effects(estimates, name) if name in estimates else zero
        for name in COLUMNS[1:]
    )
    return working_scale(
        about(estimates, None).transform, ace, se, df, (both, own), ci_prob
    )


def open_ended(estimates: xr.Dataset, working: WorkingScale, ci_prob: float) -> Mask:
    """Return which intervals of ratios are unbounded at `ci_prob`, as stored where the
    error of divisors is not known.

    Examples
    --------
    >>> one = xr.Dataset({"ace": ("contrast", [2.0])}, attrs={"transform": "ratio"})
    >>> open_ended(
    ...     one,
    ...     working_scale_of(
    ...         one, np.array([2.0]), np.array([0.1]), np.array([np.inf]), 0.95
    ...     ),
    ...     0.95,
    ... )
    array([False])
    """
    return (
        working.limits(ci_prob)[2]
        if "divisor_variance" in estimates
        else unbounded(estimates)
    )


def unbounded(estimates: xr.Dataset) -> Mask:
    """Return which intervals are unbounded: those of ratios whose denominator may be 0,
    where no t is valid.

    Examples
    --------
    >>> unbounded(xr.Dataset({"ace": ("contrast", [1.0, 2.0])}))
    array([False, False])
    """
    if "unbounded" not in estimates:
        return np.zeros(estimates.variables["ace"].shape, dtype=bool)
    return np.asarray(of_effects(estimates, "unbounded"), bool)
