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
from causalgia.effect_table import first_row, of_effects
from causalgia.effects.scales import ATTRIBUTE, FUNCTION, OF_MEANS
from causalgia.errors import (
    EstimateError,
    quoted,
)
from causalgia.estimation.crossover import Estimate
from causalgia.estimation.request import Answer, Request, grouping, null_value
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

    A ratio, and the logarithm of means, is that of two products of means, and both
    have the p and the limits of the logarithm. Where a mean has
    ``g = (t se / mean)^2 > 0.1`` the delta method is not reliable, and they take
    Fieller's limits of the two products, as a function with a divisor does of its
    divisor. Several means of a product have the average g of one: that of the product
    over the sum of its squared weights.

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
    answer = _of_measured_rows(effects, answer)
    e = answer.estimate
    below, divisor = _divisor_pieces(effects, request, estimator, e.factor), None
    if below is not None:
        n = len(e.factor)
        both, own = (e.factor * below[:n]).sum(axis=0), (below**2).sum(axis=0)
        divisor = both, own, _of_least_clear(effects, e, both, own)
    found = working_scale(scale, e.ace, e.se, e.df, divisor, ci_prob)
    from_null, (lower, upper) = found.against(OF_MEANS[scale]), found.limits(ci_prob)
    p, _, _ = p_and_limits(*from_null, e.df, ci_prob)
    low, high = open_ends(scale, lower, upper)
    logs = np.where(low & high, 0.0, log_p(*from_null, e.df))
    others: dict[str, Array | Mask] = {"log_p": logs}
    if found.unclear.any():
        answer = replace(
            answer,
            method=f"{answer.method}; Fieller's limits where a mean is not clear of 0",
        )
    if divisor is not None:
        others |= dict(zip(COLUMNS, (low | high, *divisor), strict=True))
    return answer, (np.where(low & high, 1.0, p), lower, upper, others)


def _of_least_clear(effects: xr.Dataset, e: Estimate, both: Array, own: Array) -> Array:
    """Return the relative variance of the less clear of dividend and divisor, of a
    product as one of its means has it; of a function that of its divisor.
    """
    scale = about(effects).transform
    if scale not in LOGARITHMIC:
        return own
    size = e.ace if scale == "ratio" else 1.0
    above = (e.se / size) ** 2 + 2 * both / size + own
    weight = effects["weight"].transpose("contrast", "arm").to_numpy()
    up, down = (
        (np.maximum(side * weight, 0.0) ** 2)
        .sum(axis=1)
        .reshape(-1, *[1] * (own.ndim - 1))
        for side in (1, -1)
    )
    return np.asarray(np.maximum(above / up, own / down))


def _of_measured_rows(effects: xr.Dataset, answer: Answer) -> Answer:
    """Return the answer with no effect, and no error, in rows without means above 0."""
    if "measured" not in effects:
        return answer
    e, known = answer.estimate, effects["measured"].to_numpy()
    if known.ndim > e.ace.ndim:  # over predictors, which are last
        known = np.asarray(known.all(axis=-1))
    estimate = replace(
        e,
        ace=np.where(known, e.ace, null_value(effects)),
        se=np.where(known, e.se, 0.0),
        factor=np.where(known, e.factor, 0.0),
    )
    return replace(answer, estimate=estimate, measured=known)


def _divisor_pieces(
    effects: xr.Dataset,
    request: Request,
    estimator: Callable[[xr.Dataset, Request], Answer],
    factor: Array,
) -> Array | None:
    """Return independent pieces of the relative error of each contrast's divisor, shape
    (G, K, ...), in the places of those of the effects, `factor`; None without a
    divisor.
    """
    if request.target == "next predictor":  # of logarithms
        return None
    parallel = "outcome" in effects and about(effects).transform in LOGARITHMIC
    if "denominator" not in effects and (not parallel or ATTRIBUTE in effects.attrs):
        return None
    with warnings.catch_warnings():
        # the effects themselves gave the warnings on clusters
        warnings.simplefilter("ignore")
        if not parallel:
            divisor = effects.drop_vars(["constant", "zero"], errors="ignore").assign(
                ice=effects["denominator"]
            )
            found = estimator(divisor, request).estimate.factor
        else:  # after the effects, so that pieces of the same arms are in the same rows
            weight = effects["weight"].transpose("contrast", "arm").to_numpy()
            rows = np.concatenate([weight, np.maximum(-weight, 0.0)])
            both = effects.drop_dims("contrast").assign(
                weight=(("contrast", "arm"), rows)
            )
            found = estimator(both, request).estimate.factor[:, len(weight) :]
    pieces = np.zeros((max(len(factor), len(found)), *factor.shape[1:]))
    pieces[: len(found)] = found
    return pieces


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
    t = scipy.special.stdtrit(df, 0.5 + np.asarray(ci_prob) / 2)
    return _fieller(numerator, denominator, variances, t)


def _fieller(
    numerator: Array,
    denominator: Array,
    variances: tuple[Array, Array, Array],
    t: Array,
) -> tuple[Array, Array, Mask]:
    """Return `fieller` at a critical t."""
    a, b, c = _quadratic(numerator, denominator, variances, t)
    unbounded = np.asarray(a <= 0)
    root, size = np.sqrt(np.maximum(b**2 - a * c, 0.0)), np.where(unbounded, 1.0, a)
    return (
        np.where(unbounded, -np.inf, (b - root) / size),
        np.where(unbounded, np.inf, (b + root) / size),
        unbounded,
    )


def _quadratic(
    numerator: Array,
    denominator: Array,
    variances: tuple[Array, Array, Array],
    t: Array,
) -> tuple[Array, Array, Array]:
    """Return a, b and c of ``a theta^2 - 2 b theta + c <= 0``, which the ratios theta
    obey that a t test does not reject.
    """
    (v_nn, v_nd, v_dd), t2 = variances, t**2
    return (
        denominator**2 - t2 * v_dd,
        numerator * denominator - t2 * v_nd,
        numerator**2 - t2 * v_nn,
    )


UNCLEAR = 0.1
"""Fieller's g = (t se / mean)^2 above which a mean is not clear of 0."""
COLUMNS = ("unbounded", "divisor_covariance", "divisor_variance", "mean_variance")
"""Columns of estimates of a quotient: whether an end is open, the error of the divisor,
and that of the least clear mean (`working_scale`).
"""
LOGARITHMIC = ("ratio", "log_of_means")
"""Scales of which the working scale is the logarithm of means."""


@dataclass(frozen=True)
class WorkingScale:
    """Estimates, with the scale on which each has a t distribution; every array has the
    shape of `ace`.

    Attributes
    ----------
    scale
        Scale of the contrast. That of a ratio and of a logarithm of means works on the
        logarithm.
    ace, se, df
        Estimates on the scale of the contrast.
    unclear
        Whether a mean is not clear of 0: Fieller's limits apply, of logarithms those of
        the positive ratios.
    divisor
        Covariance of the relative error of the divisor with the error on the working
        scale, and its variance; 0 unless unclear.
    """

    scale: str | None
    ace: Array
    se: Array
    df: Array
    unclear: Mask
    divisor: tuple[Array, Array]

    @property
    def center(self) -> Array:
        """The effects on their working scales."""
        return self.put(self.ace)

    @property
    def error(self) -> Array:
        """Standard errors on the working scales."""
        return np.asarray(self.se / (self.ace if self.scale == "ratio" else 1.0))

    def put(self, value: Array | float) -> Array:
        """Transform effects to the working scales; a ratio of 0 or less is -inf."""
        value = np.broadcast_to(value, self.ace.shape)
        if self.scale != "ratio":
            return value
        positive = value > 0
        return np.where(positive, np.log(np.where(positive, value, 1.0)), -np.inf)

    def back(self, value: Array) -> Array:
        """Transform numbers from the working scales back to that of the contrast."""
        with np.errstate(over="ignore"):
            return np.exp(value) if self.scale == "ratio" else value

    def against(self, value: Array | float) -> tuple[Array, Array]:
        """Return the distance from a value to the effects and its standard error, for a
        t test of that value.
        """
        gap, error, (both, own) = (
            self.center - self.put(value),
            self.error,
            self.divisor,
        )
        distance, size = gap, np.ones_like(gap)
        if self.scale in LOGARITHMIC:  # dividend - value times divisor, in dividends
            with np.errstate(over="ignore", invalid="ignore"):
                size = np.where(gap < 0, np.exp(gap), 1.0)
                beyond = np.where(gap < 0, np.expm1(gap), -np.expm1(-gap))
            distance = np.where(self.unclear, beyond, gap)
        spread = np.where(
            self.unclear,
            np.sqrt(
                np.maximum(
                    (size * error) ** 2
                    + 2 * size * distance * both
                    + distance**2 * own,
                    0.0,
                )
            ),
            error,  # its square may be below float64
        )
        return distance, spread

    def limits(
        self,
        ci_prob: float | Array,
        *,
        hall: Array | float = 0.0,
        share: Array | float = 1.0,
    ) -> tuple[Array, Array]:
        """Return limits of Hall's transformed t with coefficient `hall` and the row's
        own `share` of its variance.
        """
        critical = scipy.special.stdtrit(self.df, 0.5 + np.asarray(ci_prob) / 2)
        down, up = (
            np.where(
                self.error == 0,
                0.0,
                side
                * untransformed(side * critical, np.asarray(hall), share)
                * self.error,
            )
            for side in (1, -1)
        )
        return self._between(critical, down, up)

    def around(self, half: Array, critical: Array) -> tuple[Array, Array]:
        """Return limits at half widths on the working scales, which are that many
        standard errors.
        """
        return self._between(critical, half, half)

    def _between(self, t: Array, down: Array, up: Array) -> tuple[Array, Array]:
        """Return limits at distances from the effects on the working scales, the point
        itself where these are 0; Fieller's of a t where a mean is unclear.
        """
        lower, upper = (
            np.where(away == 0, self.ace, self.back(self.center + away))
            for away in (-down, up)
        )
        if not self.unclear.any():
            return lower, upper
        both, own = self.divisor
        if self.scale in LOGARITHMIC:  # dividend and divisor relative to themselves
            variances = self.error**2 + 2 * both + own, both + own, own
            with np.errstate(divide="ignore"):
                low, high = (
                    self.back(self.center + np.log(end))
                    for end in _positive_ratios(variances, t)
                )
        else:
            variances = (
                self.se**2 + 2 * self.ace * both + self.ace**2 * own,
                both + self.ace * own,
                own,
            )
            low, high, _ = _fieller(self.ace, np.ones_like(self.ace), variances, t)
        return np.where(self.unclear, low, lower), np.where(self.unclear, high, upper)


def _positive_ratios(
    variances: tuple[Array, Array, Array], t: Array
) -> tuple[Array, Array]:
    """Return the ends of the ratios above 0 that a t test does not reject, of a
    dividend and a divisor of 1: 0 where the dividend may be 0, infinite where the
    divisor may.

    A gap between two parts of that set is inside.
    """
    a, b, c = _quadratic(
        np.ones_like(variances[0]), np.ones_like(variances[0]), variances, t
    )
    root = np.sqrt(np.maximum(b**2 - a * c, 0.0))
    far = b + root
    return (
        np.where(c > 0, c / np.where(c > 0, far, 1.0), 0.0),
        np.where(a > 0, far / np.where(a > 0, a, 1.0), np.inf),
    )


def working_scale(
    scale: str | None,
    ace: Array,
    se: Array,
    df: Array,
    divisor: tuple[Array, Array, Array] | None,
    ci_prob: float | Array,
) -> WorkingScale:
    """Find the working scale of each estimate.

    Parameters
    ----------
    scale
        Scale of the effects.
    ace, se, df
        Effects, their standard errors and degrees of freedom, of one shape.
    divisor
        Covariance of the relative error of the divisor with the error of the effect,
        its variance, and the relative variance of the least clear mean; None without a
        divisor, or where its error is not known.
    ci_prob
        Probability of the intervals. It determines the distance from 0 that is clear.

    Raises
    ------
    EstimateError
        If a ratio is not above 0.

    Examples
    --------
    >>> one = np.ones(1)
    >>> found = working_scale(
    ...     "ratio", 2 * one, 0.1 * one, np.inf * one, (0 * one, 1e-3 * one, 4e-3), 0.95
    ... )
    >>> lower, upper = found.limits(0.95)
    >>> lower.round(3), upper.round(3)
    (array([1.813]), array([2.206]))
    """
    if scale == "ratio" and (ace <= 0).any():
        raise EstimateError(f"a ratio of means is {np.min(ace):.4g}, and not above 0")
    zero = np.zeros(ace.shape)
    both, own, least = (zero, zero, zero) if divisor is None else divisor
    if scale == "ratio":
        both = both / ace
    t = scipy.special.stdtrit(df, 0.5 + np.asarray(ci_prob) / 2)
    unclear = (t**2 * least > UNCLEAR) & (se > 0)
    return WorkingScale(
        scale,
        ace,
        se,
        df,
        unclear,
        (np.where(unclear, both, 0.0), np.where(unclear, own, 0.0)),
    )


def working_scale_of(
    estimates: xr.Dataset, ace: Array, se: Array, df: Array, ci_prob: float | Array
) -> WorkingScale:
    """Find the working scale of estimates, with arrays in the shape of ``ace``.

    Without columns on the error of the divisor no mean is known to be unclear.

    Examples
    --------
    >>> one = xr.Dataset({"ace": ("contrast", [2.0])}, attrs={"transform": "ratio"})
    >>> working_scale_of(
    ...     one, np.array([2.0]), np.array([0.1]), np.array([np.inf]), 0.95
    ... ).center.round(3)
    array([0.693])
    """
    scale, divisor = about(estimates, None).transform, None
    if COLUMNS[-1] in estimates:
        if scale is None:
            raise EstimateError(
                f"contrast {first_row(estimates, ace == ace)}: a function of means, and "
                "a table does not say which; give the estimates it was made of"
            )
        both, own, least = (of_effects(estimates, name) for name in COLUMNS[1:])
        divisor = both, own, least
    return working_scale(scale, ace, se, df, divisor, ci_prob)


def open_ends(scale: str | None, lower: Array, upper: Array) -> tuple[Mask, Mask]:
    """Return which lower and which upper limits are none.

    Examples
    --------
    >>> open_ends("ratio", np.array([0.0, 0.5]), np.array([0.8, np.inf]))
    (array([ True, False]), array([False,  True]))
    """
    least = 0.0 if scale == "ratio" else -np.inf
    return np.asarray(lower <= least), np.isinf(upper)


def with_stored_ends(
    estimates: xr.Dataset, lower: Array, upper: Array
) -> tuple[Array, Array]:
    """Return limits that are open where they are stored so, and the error of the divisor
    is not known.
    """
    if COLUMNS[-1] in estimates:
        return lower, upper
    opened = unbounded(estimates)
    least = 0.0 if about(estimates, None).transform == "ratio" else -np.inf
    return np.where(opened, least, lower), np.where(opened, np.inf, upper)


def unbounded(estimates: xr.Dataset) -> Mask:
    """Return which intervals have an open end, as stored.

    Examples
    --------
    >>> unbounded(xr.Dataset({"ace": ("contrast", [1.0, 2.0])}))
    array([False, False])
    """
    if "unbounded" not in estimates:
        return np.zeros(estimates.variables["ace"].shape, dtype=bool)
    return np.asarray(of_effects(estimates, "unbounded"), bool)
