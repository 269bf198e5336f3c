"""Two one-sided tests (TOST) against a region of practical equivalence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import special

from causalgia.analysis import exploratory_attrs
from causalgia.errors import DecisionError, EstimateError, quoted
from causalgia.estimation._from_effects import check_has_errors
from causalgia.estimation.ratios import unbounded, working_scale_of
from causalgia.estimation.request import (
    as_ci_prob,
    at_least_floor,
    floor_of_estimates,
    null_value,
)
from causalgia.multiplicity.families import estimates_of
from causalgia.numerics.moments import transformed
from causalgia.schema import annotate
from causalgia.types import Array, EstimateTable

_FARTHEST = 1e100
"""Bound on a t, whose cube is a float."""


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


def one_sided_p(
    estimates: xr.Dataset,
    lower: Array | float,
    upper: Array | float,
    *,
    ci_prob: float | Array = 0.95,
    hall: Array | float = 0.0,
    unseen: Array | float = 0.0,
) -> OneSidedP:
    """Return the four one-sided p-values against the ends of a region.

    Where the standard error is 0 a p is 0 beyond the end on the tested side and 1
    elsewhere, the end itself included; within rounding of an end
    (`causalgia.estimation.request`) both are 1. A ratio is tested on its logarithm or,
    where a mean is unclear, by the difference that Fieller's limits invert.

    Parameters
    ----------
    estimates
        With ``ace``, ``se`` and ``df`` (none is normal).
    lower, upper
        Ends of the region, on the scale of ``ace``, broadcast against it.
    ci_prob
        Probability of the corresponding intervals: it determines which mean of a ratio
        is unclear.
    hall
        Coefficient of Hall's transformation (`causalgia.numerics.moments`), broadcast
        against ``ace``; 0 is Student's t.
    unseen
        What units that were not drawn could add to the effect on either side, on the
        scale of ``ace``; added in the test of the claim that the effect lies inside.

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
            f"contrast {name!s}: the effect, its error or its distance from the rope "
            "has a square beyond float64; divide them all by a constant first"
        )
    working = working_scale_of(estimates, ace, se, df, ci_prob)
    (over_lower, se_lower), (over_upper, se_upper) = (
        working.against(lower),
        working.against(upper),
    )
    further = np.where(working.unclear, unseen, working.width(unseen))
    tested = [
        (1.0, over_lower - further, se_lower, ace - lower - unseen),
        (-1.0, over_upper + further, se_upper, ace - upper + unseen),
        (1.0, over_upper, se_upper, ace - upper),
        (-1.0, over_lower, se_lower, ace - lower),
    ]
    sign, distance, error, away = (
        np.stack(np.broadcast_arrays(*column)) for column in zip(*tested, strict=True)
    )
    sign = sign.reshape(4, *[1] * (distance.ndim - 1))
    with np.errstate(over="ignore"):
        t = np.clip(distance / np.where(error == 0, 1.0, error), -_FARTHEST, _FARTHEST)
        t = transformed(t, np.where(working.unclear, 0.0, hall))
    p = np.where(
        error == 0,
        np.where(sign * distance > 0, 0.0, 1.0),
        special.stdtr(df, -sign * t),
    )
    # 1 within the floor: the test that belongs to intervals of half width
    # ``max(h, floor)`` at every level
    return OneSidedP(*np.where((floor > 0) & (np.abs(away) <= floor), 1.0, p))


def equivalence(
    estimates: EstimateTable, *, rope: tuple[float, float], ci_prob: float = 0.95
) -> xr.Dataset:
    """Test each effect against a region of practical equivalence: negligible, beyond
    it, or undecided.

    With ``alpha = 1 - ci_prob``: ``"negligible"`` where both one-sided tests reject at
    alpha (the interval at ``1 - 2 alpha`` lies inside the region); else ``"increases"``
    or ``"decreases"`` where the interval at ``1 - alpha`` lies above or below it; else
    ``"undecided"``, as is an effect without spread among fewer than ``3 / alpha``
    independent units. `causalgia.decide` puts all three at one one-sided level.

    Parameters
    ----------
    estimates
        From `causalgia.estimate` or `causalgia.from_effects`, or a table with columns
        ``effect`` and ``se``; or the effects from `causalgia.contrast`, which are
        estimated first.
    rope
        Lower and upper end of the region, on attrs["contrast_scale"].
    ci_prob
        Probability of the wide interval, above 1/2.

    Returns
    -------
    Dataset
        On the dims of ``ace``: ``p_lower`` (of "at most the lower end"), ``p_upper``
        (of "at least the upper end"), ``p``, the larger; ``lower, upper`` at `ci_prob`,
        ``lower_tost, upper_tost`` at ``2 ci_prob - 1``; ``verdict``; ``differs``,
        whether the wide interval excludes no effect (attrs["null_value"]: 1 for ratios,
        else 0), which that of a negligible effect may.

    Raises
    ------
    DecisionError
        If `rope` is not two finite numbers, the lower one first.
    EstimateError
        If the estimates have no standard error (one unit), or `ci_prob` is not between
        1/2 and 1.

    References
    ----------
    Schuirmann (1987), doi:10.1007/BF01068419.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> found = equivalence(
    ...     from_effects([0.0, 3.0], [0.5, 0.5], names=["a", "b"]), rope=(-1, 1)
    ... )
    >>> found["verdict"].values.ravel().tolist(), found["p"].values.ravel().round(4)
    (['negligible', 'increases'], array([0.0228, 1.    ]))
    """
    rope_ends(rope)
    ci_prob = as_ci_prob(ci_prob, least=0.5)
    table = estimates_of(estimates)
    low, high = rope_ends(rope, null_value(table))
    p = one_sided_p(table, low, high, ci_prob=ci_prob)
    lower, upper = t_limits(table, ci_prob)
    open_ended = np.isinf(lower) | (units_lacking_for_exact(table, ci_prob) > 0)
    lower_tost, upper_tost = t_limits(table, 2 * ci_prob - 1)
    negligible = p.inside < 1 - ci_prob
    claims = [open_ended, negligible, lower > high, upper < low]
    verdict = np.select(
        claims, ["undecided", "negligible", "increases", "decreases"], "undecided"
    )
    columns: dict[str, Any] = {
        "p_lower": p.not_below,
        "p_upper": p.not_above,
        "p": np.where(open_ended, 1.0, p.inside),
    }
    columns |= {
        "lower": lower,
        "upper": upper,
        "lower_tost": lower_tost,
        "upper_tost": upper_tost,
        "verdict": verdict,
    }
    columns |= unbounded_column(table, lower)
    columns["differs"] = (lower > null_value(table)) | (upper < null_value(table))
    # other p-values of the estimates do not test equivalence
    out = table.drop_vars(
        ["p", "log_p", "p_adjusted", "p_step_down", "critical"], errors="ignore"
    )
    out = out.assign(
        {name: (table["ace"].dims, values) for name, values in columns.items()}
    )
    out["p"].attrs["meaning"] = (
        "p of two one-sided tests that the effect lies outside the rope"
    )
    out.attrs = {
        k: v
        for k, v in table.attrs.items()
        if k not in ("adjust", "family", "band", "n_draws", "seed")
    }
    return annotate(
        out.assign_attrs(
            rope=f"{low:g} to {high:g}",
            ci_prob=ci_prob,
            **exploratory_attrs(table.attrs, rope=(low, high)),
        )
    )


def rope_ends(rope: Any, null: float = 0.0) -> tuple[float, float]:
    """Return the two ends of a rope as floats.

    Parameters
    ----------
    rope
        ``(lower, upper)``.
    null
        No effect: 1 for ratios, which the rope then has to contain; about 0 a rope may
        lie on one side.

    Raises
    ------
    DecisionError
        If it is not two finite numbers, the lower one first, with something between
        them; or does not contain 1 on a scale of ratios.

    Examples
    --------
    >>> rope_ends((-0.1, 0.2))
    (-0.1, 0.2)
    >>> rope_ends((0.1, -0.1))
    Traceback (most recent call last):
    ...
    causalgia.errors.DecisionError: rope=(0.1, -0.1) is reversed; give the lower end first: rope=(-0.1, 0.1)
    """
    try:
        if any(isinstance(end, str | bytes) for end in rope):
            raise TypeError
        low, high = (float(end) for end in rope)
    except (TypeError, ValueError):
        raise DecisionError(
            f"rope={quoted(rope)} is not two numbers; for example rope=(-0.1, 0.1)"
        ) from None
    if not np.isfinite([low, high]).all():
        raise DecisionError(
            f"rope={quoted(rope)} has an end that is not a finite number; for example "
            "rope=(-0.1, 0.1)"
        )
    if low > high:
        raise DecisionError(
            f"rope={quoted(rope)} is reversed; give the lower end first: "
            f"rope=({high:g}, {low:g})"
        )
    if low == high:
        raise DecisionError(
            f"rope={quoted(rope)} has no width, and no effect is certainly a point; "
            "widen it, for example rope=(-0.1, 0.1), or ask cg.decide(..., rope=0) for "
            "the direction alone"
        )
    if null and not low <= null <= high:
        raise DecisionError(
            f"rope={quoted(rope)} does not contain {null:g}, which is no effect on a "
            f"scale of ratios; for example rope=({null - 0.1:g}, {null + 0.1:g})"
        )
    return low, high


def t_limits(
    estimates: xr.Dataset,
    ci_prob: float | Array,
    *,
    hall: Array | float = 0.0,
    unseen: Array | float = 0.0,
) -> tuple[Array, Array]:
    """Return the limits of t intervals, of the shape of ``ace``; infinite where
    unbounded.

    Limits of a ratio are those of its logarithm, or Fieller's, as from
    `causalgia.estimate`.

    Parameters
    ----------
    estimates
        With ``ace`` and ``se``.
    ci_prob
        Their probability, broadcast against the effects.
    hall, unseen
        As in `one_sided_p`, whose tests the interval then inverts.

    Examples
    --------
    >>> one = xr.Dataset(
    ...     {
    ...         "ace": ("contrast", [1.0]),
    ...         "se": ("contrast", [0.5]),
    ...         "unbounded": ("contrast", [True]),
    ...     }
    ... )
    >>> t_limits(one, 0.95)
    (array([-inf]), array([inf]))
    """
    ace, se, df = ace_se_df(estimates)
    lower, upper, open_ended = working_scale_of(estimates, ace, se, df, ci_prob).limits(
        ci_prob, hall=hall, unseen=unseen
    )
    if "divisor_variance" not in estimates:
        open_ended = open_ended | unbounded(estimates)
    lower, upper = at_least_floor(estimates, lower, upper)
    return np.where(open_ended, -np.inf, lower), np.where(open_ended, np.inf, upper)


def unbounded_column(
    estimates: xr.Dataset, lower: Array
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return the column ``unbounded`` of new limits, where the estimates have that
    column.

    Examples
    --------
    >>> unbounded_column(xr.Dataset({"ace": ("contrast", [1.0])}), np.array([0.0]))
    {}
    """
    return {"unbounded": np.isinf(lower)} if "unbounded" in estimates else {}


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
            f"contrast {name!s}: se {se[wrong][0]:g} on {df[wrong][0]:g} df; se must "
            "be at least 0 and df above 0"
        )
    return ace, se, df


def units_lacking_for_exact(estimates: xr.Dataset, level: float) -> Array:
    """Return how many units each exact effect lacks for a verdict at a level, 0 where
    none; the shape of ``ace``.

    Where all units have the same effect there is no standard error, and up to 3/n of
    the population may still differ (95 %, n independent units). Where
    ``3/n > 1 - level`` such an effect is no evidence at that level: at .95 it takes 60
    units. For the target of exactly these units none is lacking.

    Parameters
    ----------
    estimates
        With ``ace`` and ``se``; 0 everywhere where neither ``n_units`` nor
        ``n_clusters`` is known.
    level
        1 minus the error of a verdict.

    References
    ----------
    Hanley & Lippman-Hand (1983), doi:10.1001/jama.1983.03330370053031: the rule of
    three.

    Examples
    --------
    >>> exact = xr.Dataset(
    ...     {name: ("contrast", [x, x]) for name, x in {"ace": 1.0, "se": 0.0}.items()}
    ... )
    >>> units_lacking_for_exact(exact.assign(n_units=("contrast", [2, 60])), 0.95)
    array([58.,  0.])
    """
    ace = estimates["ace"]
    known = [name for name in ("n_clusters", "n_units") if name in estimates]
    if not known or estimates.attrs.get("target") == "units":
        return np.zeros(ace.shape)
    wide = [
        estimates[name].broadcast_like(ace).transpose(*ace.dims).to_numpy()
        for name in (*known, "se")
    ]
    n, units, se = wide[0], wide[-2], wide[-1]
    lacks = np.ceil(round(3 / (1 - level), 9)) - n
    return np.where(
        (se == 0) & (lacks > 0), np.ceil(lacks * units / np.maximum(n, 1.0)), 0.0
    )
