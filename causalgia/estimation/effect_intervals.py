"""The interval and the one-sided p-values of each effect, by one rule, from the columns
of its estimate.

For a mean of independent contributions (of units, clusters or both arms) the interval
is the union of Student's t interval and Hall's, and a p-value is the larger of the two.
0/1 outcomes add Tango's score interval for paired differences, and rows in which all
units answer alike have an interval for what the units that were not drawn could do.
Interval and p-values always agree: a value is outside the interval at ``ci_prob`` where
its one-sided p is less than ``(1 - ci_prob) / 2``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import special

from causalgia.attributes import about
from causalgia.choices import TARGET_MEANINGS
from causalgia.effect_table import hall_coefficient, of_effects
from causalgia.effects.scales import OF_MEANS
from causalgia.errors import EstimateError
from causalgia.estimation.ratios import WorkingScale, unbounded, working_scale_of
from causalgia.estimation.request import (
    at_least_floor,
    check_has_errors,
    floor_of_estimates,
)
from causalgia.numerics.moments import transformed
from causalgia.types import Array, Mask

_LARGEST_T = 1e100
"""Bound on a t, so that what is computed of it is a float."""
_BISECTIONS = 64


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
    (`causalgia.numerics.moments.transformed`); of paired 0/1 outcomes Tango's score
    test, with the exact conditional test of b = 0. Where all of n independent units
    answer alike, :math:`(1 - d / (L + |ace|))^n / 2` for a distance d of the end on the
    tested side: the probability not to have drawn any of the units that would have to
    differ, by L at most. Within rounding of an end (`causalgia.estimation.request`) it
    is 1, as of an unbounded interval. An effect without error is where it is, and the
    ends belong to the region. A ratio is tested on its logarithm or, where a mean is unclear, by the
    difference that Fieller's limits invert.

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
    Hall (1992), doi:10.1111/j.2517-6161.1992.tb01872.x. Tango (1998),
    doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B. Schuirmann
    (1987), doi:10.1007/BF01068419.

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
    largest = np.maximum(
        np.maximum(np.abs(ace - lower), np.abs(ace - upper)),
        np.maximum(np.abs(ace), se),
    )
    beyond = ~(largest < np.sqrt(np.finfo(float).max))
    if beyond.any():
        k = int(np.argwhere(beyond)[0][0])
        name = (
            estimates["contrast"].to_numpy()[k] if "contrast" in estimates.coords else k
        )
        raise EstimateError(
            f"contrast {name}: the effect, its error or its distance from the rope has "
            "a square beyond float64"
        )
    working = working_scale_of(estimates, ace, se, df, ci_prob)
    hall = np.where(working.unclear, 0.0, _hall_of_means(estimates))
    still, pairs = StillRows.of(estimates), Pairs.of(estimates)

    # no t is valid, and no limit exists
    open_ended = "divisor_variance" not in estimates and unbounded(estimates)

    def p_of(end: Array | float, sign: int, closed: bool) -> Array:
        p = _t_and_hall_p(working, end, sign, hall, df, closed)
        p = np.where(still.rows, still.one_sided_p(ace, end, sign), p)
        if pairs is not None:
            p = np.where(pairs.known, np.maximum(p, pairs.one_sided_p(end, sign)), p)
        # 1 within the floor: the test that belongs to intervals of half width
        # ``max(h, floor)`` at every level
        within = (floor > 0) & (np.abs(ace - end) <= floor)
        return np.where(open_ended | within, 1.0, p)

    inside = p_of(lower, 1, closed=True), p_of(upper, -1, closed=True)
    return OneSidedP(
        *inside, p_of(upper, 1, closed=False), p_of(lower, -1, closed=False)
    )


def _t_and_hall_p(
    working: WorkingScale,
    end: Array | float,
    sign: int,
    hall: Array,
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
    least = np.minimum(sign * t, sign * transformed(t, hall))
    there = (sign * distance > 0) | (closed & (distance == 0))
    return np.where(error == 0, np.where(there, 0.0, 1.0), special.stdtr(df, -least))


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
    ``1 - ci_prob``: the union of Student's interval with Hall's and, of paired 0/1
    outcomes, with Tango's, which reaches to 0 where the exact conditional test does not
    reject 0. Where all of n independent units answer
    alike, :math:`ace \pm s_0 (L + |ace|)` with :math:`s_0 = 1 - (1 - ci\_prob)^{1/n}`,
    the largest share of the population that n draws can miss; half of the units of a
    parallel trial are such draws. Limits of a ratio are
    those of its logarithm, or Fieller's.

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
    lower, upper, open_ended = working.limits(ci_prob)
    hall = _hall_of_means(estimates)
    if hall.any():
        low, high, _ = working.limits(ci_prob, hall=hall)
        lower, upper = np.minimum(lower, low), np.maximum(upper, high)
    if "divisor_variance" not in estimates:
        open_ended = open_ended | unbounded(estimates)
    still, pairs = StillRows.of(estimates), Pairs.of(estimates)
    reach = still.reach(ace, ci_prob)
    lower, upper = (
        np.where(still.rows, ace - reach, lower),
        np.where(still.rows, ace + reach, upper),
    )
    if pairs is not None:
        low, high = pairs.limits(ci_prob)
        lower = np.where(pairs.known, np.minimum(lower, low), lower)
        upper = np.where(pairs.known, np.maximum(upper, high), upper)
    lower, upper = at_least_floor(estimates, lower, upper)
    return np.where(open_ended, -np.inf, lower), np.where(open_ended, np.inf, upper)


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
    log = np.where(
        p > 0, by_p, estimates["log_p"].transpose(*estimates["ace"].dims).to_numpy()
    )
    columns: dict[str, Array | Mask] = {
        "p": p,
        "log_p": log,
        "lower": lower,
        "upper": upper,
    }
    unbounded = np.isinf(lower)
    return columns | ({"unbounded": unbounded} if unbounded.any() else {})


@dataclass(frozen=True)
class StillRows:
    """Effects without any spread among n independent units of a population.

    n draws miss a share s of the population with probability ``(1 - s)^n``. Units that
    were missed may have any individual effect of at most `largest`, so that they move
    the mean by at most ``s (L + |ace|)``.

    Attributes
    ----------
    rows
        Which effects are meant, of the shape of ``ace``: those whose standard error is
        0 and whose n is known, unless they are of exactly these units, or of `Pairs`,
        whose score interval has a width.
    n
        Independent units under each treatment.
    largest
        L: the largest individual effect that is known of the task, in any arm; else the
        range of its outcomes; 0 where neither is known, and such effects have no
        verdict.
    """

    rows: Mask
    n: Array
    largest: Array

    @classmethod
    def of(cls, estimates: xr.Dataset) -> StillRows:
        """Return those of estimates.

        Examples
        --------
        >>> columns = {"ace": 1.0, "se": 0.0, "n_units": 60, "largest_ice": 1.0}
        >>> StillRows.of(
        ...     xr.Dataset({name: ("contrast", [x]) for name, x in columns.items()})
        ... ).rows
        array([ True])
        """
        ace = estimates["ace"]
        n = independent_draws(estimates)
        meaning = TARGET_MEANINGS.get(about(estimates, "population").target)
        sampled = about(estimates, None).target != "units" and meaning is not None
        rows = (
            (estimates["se"].transpose(*ace.dims).to_numpy() == 0) & (n > 0) & sampled
        )
        if (pairs := Pairs.of(estimates)) is not None:
            rows &= ~pairs.known
        largest = np.zeros(ace.shape)
        for name in ("outcome_range", "largest_ice"):
            if name in estimates:
                known = estimates.variables[name]
                if "contrast" in known.dims:
                    known = known.max("contrast")
                wide = of_effects(estimates, known)
                largest = np.where(wide > 0, wide, largest)
        return cls(rows, n, largest)

    def reach(self, ace: Array, ci_prob: float | Array) -> Array:
        """Half the width of intervals, of the shape of ``ace``; infinite where no size
        of effects is known.
        """
        missed = missed_share_of(np.maximum(self.n, 1.0), ci_prob)
        return np.where(self.largest > 0, missed * (self.largest + np.abs(ace)), np.inf)

    def one_sided_p(self, ace: Array, end: Array | float, sign: int) -> Array:
        """P of "the effect is at most the end" (sign 1) or "at least" (-1)."""
        span = np.where(self.largest > 0, self.largest + np.abs(ace), 1.0)
        share = np.clip(np.abs(ace - end) / span, 0.0, 1.0)
        tail = (1 - share) ** np.maximum(self.n, 1.0) / 2
        return np.where(
            self.largest > 0, np.where(sign * (ace - end) > 0, tail, 1 - tail), 1.0
        )


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
    return np.zeros(estimates["ace"].shape)


def independent_draws(estimates: xr.Dataset) -> Array:
    """Return the number of independent backgrounds under each treatment, of the shape
    of ``ace``; 0 where unknown.

    Units of one parent are one draw; in a parallel trial half of the units have the
    treatment.

    Examples
    --------
    >>> one = {"ace": ("contrast", [1.0]), "n_units": ("contrast", [600])}
    >>> independent_draws(xr.Dataset(one, attrs={"assignment": "parallel"}))
    array([300.])
    """
    n = independent_units(estimates)
    return n / 2 if about(estimates, "").assignment.startswith("parallel") else n


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


@dataclass(frozen=True)
class Pairs:
    """Pairs of 0/1 outcomes: in `up` of n units the treated arm alone answers 1, in
    `down` the control alone.

    Attributes
    ----------
    known
        Which effects are differences of paired 0/1 outcomes of independent units, of
        the shape of ``ace``.
    up, down, n
        Counts, of the shape of ``ace``.
    """

    known: Mask
    up: Array
    down: Array
    n: Array

    @classmethod
    def of(cls, estimates: xr.Dataset) -> Pairs | None:
        """Return those of estimates, None where there are none.

        Examples
        --------
        >>> columns = {"ace": 0.03, "n_up": 3, "n_down": 0, "n_units": 100}
        >>> pairs = Pairs.of(
        ...     xr.Dataset({name: ("contrast", [x]) for name, x in columns.items()})
        ... )
        >>> pairs.one_sided_p(0.0, 1), pairs.limits(0.95)[0].round(4)
        (array([0.125]), array([-0.0081]))
        """
        if "n_up" not in estimates or "n_down" not in estimates:
            return None
        up, down, n = (
            of_effects(estimates, name).astype(np.float64)
            for name in ("n_up", "n_down", "n_units")
        )
        sampled = about(estimates, "population").target == "population"
        known = (up >= 0) & (down >= 0) & (independent_units(estimates) == n) & sampled
        return (
            cls(known, np.maximum(up, 0.0), np.maximum(down, 0.0), n)
            if known.any()
            else None
        )

    def one_sided_p(self, end: Array | float, sign: int) -> Array:
        """P of "the difference is at most the end" (sign 1) or "at least" (-1); exact
        at 0, and no smaller beyond.
        """
        up, down = (self.up, self.down) if sign > 0 else (self.down, self.up)
        end = sign * np.broadcast_to(np.asarray(end, dtype=np.float64), self.up.shape)
        by_score = special.ndtr(-_tango_z(up, down, self.n, end))
        return np.where(
            end >= 0, np.maximum(by_score, _conditional_p(up, down)), by_score
        )

    def limits(self, ci_prob: float | Array) -> tuple[Array, Array]:
        """Limits of the differences that `one_sided_p` does not reject at
        ``(1 - ci_prob) / 2``.
        """
        alpha = (1 - np.asarray(ci_prob)) / 2
        critical = -special.ndtri(alpha)

        def limit(up: Array, down: Array) -> Array:
            low = _bisect(
                lambda end: _tango_z(up, down, self.n, end) > critical, self.n
            )
            return np.where(
                _conditional_p(up, down) >= alpha, np.minimum(low, 0.0), low
            )

        return limit(self.up, self.down), -limit(self.down, self.up)


def _conditional_p(up: Array, down: Array) -> Array:
    """P(X >= up) of X ~ Binomial(up + down, 1/2): McNemar's exact test, one-sided; 1
    without a discordant pair.
    """
    return np.where(up > 0, special.betainc(np.maximum(up, 1.0), down + 1, 0.5), 1.0)


def _tango_z(up: Array, down: Array, n: Array, difference: Array) -> Array:
    """Return Tango's score statistic of a difference, large where the pairs show a
    larger one.
    """
    d = np.clip(difference, -1.0, 1.0)
    b = -up - down + (2 * n - up + down) * d
    root = np.sqrt(np.maximum(b**2 + 8 * n * down * d * (1 - d), 0.0))
    # of "the control alone", at the difference
    q = np.maximum((root - b) / (4 * n), np.maximum(-d, 0.0))
    variance = np.maximum(n * (2 * q + d * (1 - d)), 0.0)
    gap = up - down - n * d
    with np.errstate(divide="ignore", invalid="ignore"):
        sure = np.sign(gap) * np.inf
        z = np.where(
            variance > 0, gap / np.sqrt(np.where(variance > 0, variance, 1.0)), sure
        )
    return np.where(gap == 0, 0.0, z)


def _bisect(rejected: Callable[[Array], Mask], shape_of: Array) -> Array:
    """Return the largest difference in [-1, 1] that is still rejected from above, by
    halving.
    """
    low, high = np.full(shape_of.shape, -1.0), np.full(shape_of.shape, 1.0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        out = rejected(middle)
        low, high = np.where(out, middle, low), np.where(out, high, middle)
    return low


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
    dims = estimates["ace"].dims
    ace, se = (
        estimates[name].transpose(*dims).to_numpy().astype(np.float64)
        for name in ("ace", "se")
    )
    df = (
        estimates["df"].transpose(*dims).to_numpy().astype(np.float64)
        if "df" in estimates
        else np.full(se.shape, np.inf)
    )
    wrong = ~((se >= 0) & (df > 0))
    if wrong.any():
        k = int(np.argwhere(wrong)[0][0])
        name = (
            estimates["contrast"].to_numpy()[k] if "contrast" in estimates.coords else k
        )
        raise EstimateError(
            f"contrast {name}: se {se[wrong][0]:g} on {df[wrong][0]:g} df; se must be "
            "at least 0 and df above 0"
        )
    return ace, se, df
