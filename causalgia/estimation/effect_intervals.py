"""The interval and the one-sided p-values of each effect, by one rule, from the columns
of its estimate.

For a mean of independent contributions (of units, clusters or both arms) the interval
is the union of Student's t interval and Hall's, and a p-value is the larger of the two;
of independent arms, and of slopes, also of the t with the pooled variance of the fit's
residuals. Outcomes of two values have, in place of Hall's, limits by arm combined. What
moderated variances change is in `causalgia.estimation.moderated_variances`. Interval and
p-values always agree: a value is outside the interval at ``ci_prob`` where its one-sided p is less than
``(1 - ci_prob) / 2``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
import xarray as xr

from causalgia.attributes import about
from causalgia.effect_table import first_row, hall_coefficient, of_effects
from causalgia.effects.scales import OF_MEANS
from causalgia.errors import EstimateError
from causalgia.estimation.proportions import Proportions
from causalgia.estimation.ratios import (
    COLUMNS,
    WorkingScale,
    unbounded,
    with_stored_ends,
    working_scale_of,
)
from causalgia.estimation.request import (
    at_least_floor,
    check_has_errors,
    floor_of_estimates,
)
from causalgia.numerics.moments import transformed
from causalgia.types import Array, Mask

_LARGEST_T = 1e100
"""Bound on a t, so that what is computed of it is a float."""


@dataclass(frozen=True)
class OneSidedP:
    """P-values of four one-sided tests against the ends of a region; every array has
    the shape of the effects.

    Attributes
    ----------
    not_below
        Of "the effect is at most the lower end", small where it lies above that end.
    not_above
        Of "the effect is at least the upper end", small where it lies below that end.
    above
        Of "the effect is at most the upper end", small where it lies above the region.
    below
        Of "the effect is at least the lower end", small where it lies below the region.
    """

    not_below: Array
    not_above: Array
    above: Array
    below: Array

    @property
    def inside(self) -> Array:
        """The p of two one-sided tests (TOST): the larger one."""
        return np.maximum(self.not_below, self.not_above)

    @property
    def beyond(self) -> Array:
        """The p of the direction in which the effect lies: the smaller one, for one
        side.
        """
        return np.minimum(self.above, self.below)


def one_sided_p(
    estimates: xr.Dataset,
    lower: Array | float,
    upper: Array | float,
    *,
    ci_prob: float | Array = 0.95,
) -> OneSidedP:
    r"""Return the four one-sided p-values against the ends of a region.

    The p of "the effect is at most b" is the largest of those that apply: Student's
    t, :math:`1 - F_{df}(t)` with :math:`t = (ace - b) / se`;
    Hall's, :math:`1 - F_{df}(g(t))`, for means of skewed contributions
    (`causalgia.numerics.moments.transformed`); Student's t with the pooled variance of
    independent arms; and, in place of Hall's, that of limits by arm combined where
    outcomes take two values (`causalgia.estimation.proportions.Proportions`). Within
    rounding of an end (`causalgia.estimation.request`) it is 1, as of an unbounded
    interval. An effect without error is where it is, and the ends belong to the region.
    A ratio of means is tested as their logarithm is, and both, where a mean is unclear,
    by the difference that Fieller's limits invert.

    Parameters
    ----------
    estimates
        With ``ace``, ``se`` and ``df`` (none is normal), and what `estimate` says
        beside them.
    lower, upper
        Ends of the region, on the scale of ``ace``, broadcast against it.
    ci_prob
        Probability of the intervals. It determines which mean of a ratio is unclear.

    Returns
    -------
    OneSidedP
        Of the shape of ``ace``.

    Raises
    ------
    EstimateError
        If there is no standard error, or a square of a distance is beyond float64.

    References
    ----------
    Hall (1992), doi:10.1111/j.2517-6161.1992.tb01872.x. Schuirmann (1987),
    doi:10.1007/BF01068419.

    Examples
    --------
    >>> found = one_sided_p(
    ...     xr.Dataset({"ace": ("contrast", [0.0]), "se": ("contrast", [0.5])}),
    ...     -1.0,
    ...     1.0,
    ... )
    >>> found.inside.round(4), found.above.round(4)
    (array([0.0228]), array([0.9772]))
    """
    (ace, se, df), floor = ace_se_df(estimates), floor_of_estimates(estimates)
    ends = [
        np.broadcast_to(np.asarray(end, float), ace.shape) for end in (lower, upper)
    ]
    finite = [np.where(np.isfinite(end), end, ace) for end in ends]
    largest = np.max(
        [*(np.abs(ace - end) for end in finite), np.abs(ace), se], axis=0, initial=0.0
    )
    beyond = ~(largest < np.sqrt(np.finfo(float).max))
    if beyond.any():
        raise EstimateError(
            f"contrast {first_row(estimates, beyond)}: the effect, its error or its "
            "distance from the rope has a square beyond float64"
        )
    working = working_scale_of(estimates, ace, se, df, ci_prob)
    hall, share = _hall_of_means(estimates), own_share(estimates)
    second, proportions = _second_t(estimates), Proportions.of(estimates)
    if proportions is not None:
        hall = np.where(proportions.known, 0.0, hall)

    # no t is known
    open_ended = COLUMNS[-1] not in estimates and unbounded(estimates)

    def p_of(end: Array, sign: int, closed: bool) -> Array:
        here = np.where(np.isfinite(end), end, ace)
        p = _t_and_hall_p(working, here, sign, hall, share, df, closed)
        if second is not None:
            t = sign * (ace - here) / np.where(second[0] > 0, second[0], 1.0)
            by_second = scipy.special.stdtr(second[1], -t)
            p = np.where(second[0] > 0, np.maximum(p, by_second), p)
        if proportions is not None:
            p = np.maximum(p, proportions.one_sided_p(ace, here, sign))
        # 1 within the floor: the test that belongs to intervals of half width
        # ``max(h, floor)`` at every level
        within = (floor > 0) & (np.abs(ace - here) <= floor)
        p = np.where(open_ended | within, 1.0, p)
        # every effect lies on one side of an end that is infinite
        return np.where(np.isfinite(end), p, np.where(sign * end < 0, 0.0, 1.0))

    lower, upper = ends
    inside = p_of(lower, 1, closed=True), p_of(upper, -1, closed=True)
    return OneSidedP(
        *inside, p_of(upper, 1, closed=False), p_of(lower, -1, closed=False)
    )


def _t_and_hall_p(
    working: WorkingScale,
    end: Array | float,
    sign: int,
    hall: Array,
    share: Array | float,
    df: Array,
    closed: bool,
) -> Array:
    """Return the larger p of t and of Hall's t; of an effect without error 0 beyond the
    end (`closed`: or on it) and 1 elsewhere.
    """
    distance, error = working.against(end)
    with np.errstate(over="ignore"):
        t = np.clip(
            distance / np.where(error == 0, 1.0, error), -_LARGEST_T, _LARGEST_T
        )
    least = np.minimum(sign * t, sign * transformed(t, hall, share))
    there = (sign * distance > 0) | (closed & (distance == 0))
    return np.where(
        error == 0, np.where(there, 0.0, 1.0), scipy.special.stdtr(df, -least)
    )


def _second_t(estimates: xr.Dataset) -> tuple[Array, Array] | None:
    """Return se and df of the second t of independent arms, None where there are none:
    by their pooled variance, or Welch's where this is moderated. se is 0 of effects that
    are not of such arms.
    """
    for by in ("pooled", "welch"):
        if f"se_{by}" in estimates:
            se, df = (of_effects(estimates, f"{name}_{by}") for name in ("se", "df"))
            return np.asarray(se, dtype=np.float64), np.asarray(df, dtype=np.float64)
    return None


def own_share(estimates: xr.Dataset) -> Array | float:
    """Return the share of the row's own variance in that of each effect: 1 where
    variances are not moderated.

    Examples
    --------
    >>> own_share(xr.Dataset({"ace": ("contrast", [1.0])}))
    1.0
    """
    if "variance_share" not in estimates:
        return 1.0
    return np.asarray(of_effects(estimates, "variance_share"), dtype=np.float64)


def _hall_of_means(estimates: xr.Dataset) -> Array:
    """Return Hall's coefficient of effects that are means; 0 for functions of means,
    whose t is not a sum of contributions.
    """
    hall = hall_coefficient(estimates)
    of_means = about(estimates, "").transform in OF_MEANS
    return np.zeros(hall.shape) if of_means else hall


def effect_limits(estimates: xr.Dataset, ci_prob: float | Array) -> tuple[Array, Array]:
    r"""Return the limits of the interval of each effect, of the shape of ``ace``;
    infinite where unbounded.

    The values whose two-sided p (twice that of `one_sided_p`) is at least
    ``1 - ci_prob``: the union of the intervals that apply. Limits of a ratio of means
    are those of their logarithm, both by Fieller where a mean is unclear; an end is open
    (0 or infinite) where a mean may be 0.

    Parameters
    ----------
    estimates
        As in `one_sided_p`.
    ci_prob
        Probability of the intervals. It is broadcast against the effects.

    Returns
    -------
    lower, upper
        On the scale of ``ace``.

    References
    ----------
    As in `one_sided_p`.

    Examples
    --------
    >>> columns = {"ace": 1.0, "se": 0.5, "df": 20.0, "skewness": 2.0, "n_units": 21}
    >>> lower, upper = effect_limits(
    ...     xr.Dataset({name: ("contrast", [x]) for name, x in columns.items()}), 0.95
    ... )
    >>> lower.round(3), upper.round(3)
    (array([-0.043]), array([3.017]))
    """
    ace, se, df = ace_se_df(estimates)
    working = working_scale_of(estimates, ace, se, df, ci_prob)
    lower, upper = working.limits(ci_prob)
    hall, proportions = _hall_of_means(estimates), Proportions.of(estimates)
    if proportions is not None:
        hall = np.where(proportions.known, 0.0, hall)
        low, high = proportions.limits(ace, ci_prob)
        lower, upper = np.minimum(lower, low), np.maximum(upper, high)
    if hall.any():
        low, high = working.limits(ci_prob, hall=hall, share=own_share(estimates))
        lower, upper = np.minimum(lower, low), np.maximum(upper, high)
    if (second := _second_t(estimates)) is not None:
        half = (
            scipy.special.stdtrit(second[1], 0.5 + np.asarray(ci_prob) / 2) * second[0]
        )
        lower, upper = np.minimum(lower, ace - half), np.maximum(upper, ace + half)
    return with_stored_ends(estimates, *at_least_floor(estimates, lower, upper))


def two_sided_p(
    estimates: xr.Dataset, value: float, ci_prob: float | Array = 0.95
) -> Array:
    """Return the two-sided p of one value: twice the smaller one-sided p, at most 1.

    Examples
    --------
    >>> one = xr.Dataset({"ace": ("contrast", [1.0]), "se": ("contrast", [0.5])})
    >>> two_sided_p(one, 0.0).round(4)
    array([0.0455])
    """
    return np.minimum(
        2 * one_sided_p(estimates, value, value, ci_prob=ci_prob).beyond, 1.0
    )


def by_the_rule(estimates: xr.Dataset, ci_prob: float) -> dict[str, Array | Mask]:
    """Return the columns p, log_p, lower and upper of estimates, of the shape of
    ``ace``, and ``unbounded`` where any interval is.

    ``log_p`` is that of the estimates where p underflows.

    Examples
    --------
    >>> columns = {"ace": 1.0, "se": 0.5, "df": 20.0, "log_p": -2.89}
    >>> one = xr.Dataset({name: ("contrast", [x]) for name, x in columns.items()})
    >>> {name: x.round(3).item() for name, x in by_the_rule(one, 0.95).items()}
    {'p': 0.059, 'log_p': -2.826, 'lower': -0.043, 'upper': 2.043}
    """
    p = two_sided_p(estimates, 0.0, ci_prob)
    lower, upper = effect_limits(estimates, ci_prob)
    with np.errstate(divide="ignore"):
        by_p = np.maximum(np.log(p), np.finfo(float).min)
    log = np.where(p > 0, by_p, of_effects(estimates, "log_p"))
    columns: dict[str, Array | Mask] = {
        "p": p,
        "log_p": log,
        "lower": lower,
        "upper": upper,
    }
    unbounded = np.isinf(lower)
    return columns | ({"unbounded": unbounded} if unbounded.any() else {})


def independent_units(estimates: xr.Dataset) -> Array:
    """Return the number of independent units (clusters, where units have them) of each
    effect; 0 where unknown.

    Examples
    --------
    >>> one = {
    ...     "ace": ("contrast", [1.0]),
    ...     "n_units": ("contrast", [600]),
    ...     "n_clusters": ("contrast", [60]),
    ... }
    >>> independent_units(xr.Dataset(one))
    array([60.])
    """
    for name in ("n_clusters", "n_units"):
        if name in estimates:
            return np.asarray(of_effects(estimates, name), dtype=np.float64)
    return np.zeros(estimates.variables["ace"].shape)


def independent_draws(estimates: xr.Dataset) -> Array:
    """Return the number of independent units of the smallest arm of each effect, of the
    shape of ``ace``; 0 where unknown. Units of one parent are one draw.

    Examples
    --------
    >>> one = {"ace": ("contrast", [1.0]), "n_units": ("contrast", [600])}
    >>> independent_draws(xr.Dataset(one))
    array([600.])
    >>> independent_draws(xr.Dataset(one | {"n_smallest_arm": ("contrast", [200])}))
    array([200.])
    """
    if "n_smallest_arm" in estimates:
        return np.asarray(of_effects(estimates, "n_smallest_arm"), dtype=np.float64)
    return independent_units(estimates)


def missed_share_of(n: Array | float, ci_prob: float | Array) -> Array:
    """Return the largest share of a population that n independent draws miss with
    probability ``1 - ci_prob``.

    ``s0 = 1 - (1 - ci_prob)^(1/n)``, which the rule of three approximates by 3/n.

    References
    ----------
    Hanley & Lippman-Hand (1983), doi:10.1001/jama.1983.03330370053031.

    Examples
    --------
    >>> missed_share_of(np.array([20, 100, 300]), 0.95).round(4)
    array([0.1391, 0.0295, 0.0099])
    """
    return np.asarray(-np.expm1(np.log1p(-np.asarray(ci_prob)) / n))


def ace_se_df(estimates: xr.Dataset) -> tuple[Array, Array, Array]:
    """Return ace, se and df of estimates, of the shape of ``ace``; without df, inf
    (normal).

    Raises
    ------
    EstimateError
        If there is no se (one unit, or exactly these units), or one is negative, or df
        is not positive.

    Examples
    --------
    >>> ace = xr.Dataset(
    ...     {
    ...         "ace": (("contrast", "task"), [[1.0]]),
    ...         "se": (("contrast", "task"), [[0.5]]),
    ...     }
    ... )
    >>> ace_se_df(ace)
    (array([[1.]]), array([[0.5]]), array([[inf]]))
    """
    check_has_errors(estimates)
    ace, se = (of_effects(estimates, name).astype(np.float64) for name in ("ace", "se"))
    df = (
        of_effects(estimates, "df").astype(np.float64)
        if "df" in estimates
        else np.full(se.shape, np.inf)
    )
    wrong = ~((se >= 0) & (df > 0))
    if wrong.any():
        raise EstimateError(
            f"contrast {first_row(estimates, wrong)}: se {se[wrong][0]:g} on "
            f"{df[wrong][0]:g} df; se must be at least 0 and df above 0"
        )
    return ace, se, df
