"""Equivalence: is an effect too small to matter? Two one-sided tests against a region of practical equivalence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import special

from causalgia.analysis import exploratory_attrs
from causalgia.errors import DecisionError, EstimateError, quoted
from causalgia.estimation._from_effects import require_errors
from causalgia.estimation.arithmetic_floor import at_least_floor, floor_like, p_outside_floor
from causalgia.estimation.ratios import working_of
from causalgia.estimation.request import require_ci_prob
from causalgia.estimation.transformed_t import transformed
from causalgia.multiplicity.families import estimates_of, null_value, unbounded
from causalgia.schema import annotate
from causalgia.types import Array

_FARTHEST = 1e100
"""Bound on a t, whose cube is a float."""


@dataclass(frozen=True)
class Tails:
    """P-values of four one-sided tests against the ends of a region; every array has the shape of the effects.

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


def tails(
    estimates: xr.Dataset,
    lower: Array | float,
    upper: Array | float,
    *,
    ci_prob: float | Array = 0.95,
    hall: Array | float = 0.0,
    unseen: Array | float = 0.0,
) -> Tails:
    """Return the four one-sided p-values against the ends of a region.

    Where the standard error is 0 a p is 0 on the asked side of the end and 1 elsewhere, the end itself included; within
    the floor of the arithmetic from an end (`causalgia.estimation.arithmetic_floor`) both are 1. A ratio is tested on
    its logarithm, or where a mean is unclear by the difference that Fieller's limits invert.

    Parameters
    ----------
    estimates
        With ``ace``, ``se`` and ``df`` (none is normal).
    lower, upper
        Ends of the region, on the scale of ``ace``, broadcast against it.
    ci_prob
        Probability of the intervals beside these p: it sets which mean of a ratio is unclear.
    hall
        Coefficient of Hall's transformation (`causalgia.estimation.transformed_t`), broadcast against ``ace``; 0 is
        Student's t.
    unseen
        What units that were not drawn could add to the effect on either side, on the scale of ``ace``: the claim that
        it lies inside has to hold with it.

    Examples
    --------
    >>> found = tails(xr.Dataset({"ace": ("contrast", [0.0]), "se": ("contrast", [0.5])}), -1.0, 1.0)
    >>> found.inside.round(4), found.above.round(4)
    (array([0.0228]), array([0.9772]))
    """
    ace, se, df = numbers_of(estimates)
    found = working_of(estimates, ace, se, df, ci_prob)
    (over_lower, se_lower), (over_upper, se_upper) = found.against(lower), found.against(upper)
    a = np.where(found.unclear, 0.0, hall)
    further = np.where(found.unclear, unseen, found.width(unseen))
    floor = floor_like(estimates)
    return Tails(
        not_below=p_outside_floor(_p(over_lower - further, se_lower, df, a), ace - lower - unseen, floor),
        not_above=p_outside_floor(_p_below(over_upper + further, se_upper, df, a), ace - upper + unseen, floor),
        above=p_outside_floor(_p(over_upper, se_upper, df, a), ace - upper, floor),
        below=p_outside_floor(_p_below(over_lower, se_lower, df, a), ace - lower, floor),
    )


def equivalence(estimates: Any, *, rope: tuple[float, float], ci_prob: float = 0.95) -> xr.Dataset:
    """Test each effect against a region of practical equivalence: negligible, beyond it, or undecided.

    With ``alpha = 1 - ci_prob``: ``"negligible"`` where both one-sided tests reject at alpha (the interval at
    ``1 - 2 alpha`` lies inside the region); else ``"increases"`` or ``"decreases"`` where the interval at ``1 - alpha``
    lies above or below it; else ``"undecided"``, as is an effect without spread among fewer than ``3 / alpha``
    independent units. `causalgia.decide` puts all three at one one-sided level.

    Parameters
    ----------
    estimates
        From `causalgia.estimate` or `causalgia.from_effects`, or a table with columns ``effect`` and ``se``; or the
        effects from `causalgia.contrast`, which are estimated first.
    rope
        Lower and upper end of the region, on attrs["contrast_scale"].
    ci_prob
        Probability of the wide interval, above 1/2.

    Returns
    -------
    Dataset
        On the dims of ``ace``: ``p_lower`` (of "at most the lower end"), ``p_upper`` (of "at least the upper end"),
        ``p``, the larger; ``lower, upper`` at `ci_prob`, ``lower_tost, upper_tost`` at ``2 ci_prob - 1``; ``verdict``;
        ``differs``, whether the wide interval excludes no effect (attrs["null_value"]: 1 for ratios, else 0), which
        that of a negligible effect may.

    Raises
    ------
    DecisionError
        If `rope` is not two finite numbers, the lower one first.
    EstimateError
        If the estimates have no standard error (one unit), or `ci_prob` is not between 1/2 and 1.

    References
    ----------
    Schuirmann (1987), doi:10.1007/BF01068419.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> found = equivalence(from_effects([0.0, 3.0], [0.5, 0.5], names=["a", "b"]), rope=(-1, 1))
    >>> found["verdict"].values.ravel().tolist(), found["p"].values.ravel().round(4)
    (['negligible', 'increases'], array([0.0228, 1.    ]))
    """
    low, high = ends(rope)
    ci_prob = require_ci_prob(ci_prob, least=0.5)
    taken = estimates_of(estimates)
    found = tails(taken, low, high, ci_prob=ci_prob)
    lower, upper = limits(taken, ci_prob)
    open_ended = np.isinf(lower) | (few_for_exact(taken, ci_prob) > 0)
    lower_tost, upper_tost = limits(taken, 2 * ci_prob - 1)
    negligible = found.inside < 1 - ci_prob
    claims = [open_ended, negligible, lower > high, upper < low]
    verdict = np.select(claims, ["undecided", "negligible", "increases", "decreases"], "undecided")
    columns: dict[str, Any] = {
        "p_lower": found.not_below,
        "p_upper": found.not_above,
        "p": np.where(open_ended, 1.0, found.inside),
    }
    columns |= {"lower": lower, "upper": upper, "lower_tost": lower_tost, "upper_tost": upper_tost, "verdict": verdict}
    columns |= with_open(taken, lower)
    columns["differs"] = (lower > null_value(taken)) | (upper < null_value(taken))
    # what else the estimates say of p is about another question than equivalence
    out = taken.drop_vars(["p", "log_p", "p_adjusted", "p_step_down", "critical"], errors="ignore")
    out = out.assign({name: (taken["ace"].dims, values) for name, values in columns.items()})
    out["p"].attrs["meaning"] = "p of two one-sided tests that the effect lies outside the rope"
    out.attrs = {k: v for k, v in taken.attrs.items() if k not in ("adjust", "family", "band", "n_draws", "seed")}
    return annotate(
        out.assign_attrs(
            rope=f"{low:g} to {high:g}", ci_prob=ci_prob, **exploratory_attrs(taken.attrs, rope=(low, high))
        )
    )


def ends(rope: Any) -> tuple[float, float]:
    """Return the two ends of a rope in numbers.

    Raises
    ------
    DecisionError
        If it is not two finite numbers, the lower one first, with something between them.

    Examples
    --------
    >>> ends((-0.1, 0.2))
    (-0.1, 0.2)
    >>> ends((0.1, -0.1))
    Traceback (most recent call last):
    ...
    causalgia.errors.DecisionError: rope=(0.1, -0.1) is reversed; give the lower end first: rope=(-0.1, 0.1)
    """
    try:
        if any(isinstance(end, str | bytes) for end in rope):
            raise TypeError
        low, high = (float(end) for end in rope)
    except (TypeError, ValueError):
        raise DecisionError(f"rope={quoted(rope)} is not two numbers; for example rope=(-0.1, 0.1)") from None
    if not np.isfinite([low, high]).all():
        raise DecisionError(f"rope={quoted(rope)} has an end that is not a finite number; for example rope=(-0.1, 0.1)")
    if low > high:
        raise DecisionError(f"rope={quoted(rope)} is reversed; give the lower end first: rope=({high:g}, {low:g})")
    if low == high:
        raise DecisionError(
            f"rope={quoted(rope)} has no width, and no effect is surely a point; widen it, for example rope=(-0.1, "
            "0.1), or ask cg.decide(..., rope=0) for the direction alone"
        )
    return low, high


def limits(
    estimates: xr.Dataset, ci_prob: float | Array, *, hall: Array | float = 0.0, unseen: Array | float = 0.0
) -> tuple[Array, Array]:
    """Return the limits of t intervals, of the shape of ``ace``; infinite where they are open.

    Those of a ratio are of its logarithm, or Fieller's, as `causalgia.estimate` gives them.

    Parameters
    ----------
    estimates
        With ``ace`` and ``se``.
    ci_prob
        Their probability, broadcast against the effects.
    hall, unseen
        As `tails` takes them: the interval is then the one that those tests leave.

    Examples
    --------
    >>> one = xr.Dataset({"ace": ("contrast", [1.0]), "se": ("contrast", [0.5]), "unbounded": ("contrast", [True])})
    >>> limits(one, 0.95)
    (array([-inf]), array([inf]))
    """
    ace, se, df = numbers_of(estimates)
    lower, upper, open_ended = working_of(estimates, ace, se, df, ci_prob).limits(ci_prob, hall=hall, unseen=unseen)
    if "divisor_variance" not in estimates:
        open_ended = open_ended | unbounded(estimates)
    lower, upper = at_least_floor(estimates, lower, upper)
    return np.where(open_ended, -np.inf, lower), np.where(open_ended, np.inf, upper)


def with_open(estimates: xr.Dataset, lower: Array) -> dict[str, npt.NDArray[np.bool_]]:
    """Return the column ``unbounded`` that says which new limits are open, where the estimates have one.

    Examples
    --------
    >>> with_open(xr.Dataset({"ace": ("contrast", [1.0])}), np.array([0.0]))
    {}
    """
    return {"unbounded": np.isinf(lower)} if "unbounded" in estimates else {}


def numbers_of(estimates: xr.Dataset) -> tuple[Array, Array, Array]:
    """Return ace, se and df of estimates as arrays of the shape of ``ace``; without df they are inf: normal.

    Raises
    ------
    EstimateError
        If there is no se (one unit, or exactly these units), or one is negative, or df is not positive.

    Examples
    --------
    >>> ace = xr.Dataset({"ace": (("contrast", "task"), [[1.0]]), "se": (("contrast", "task"), [[0.5]])})
    >>> numbers_of(ace)
    (array([[1.]]), array([[0.5]]), array([[inf]]))
    """
    require_errors(estimates)
    dims = estimates["ace"].dims
    ace, se = (estimates[name].transpose(*dims).to_numpy().astype(np.float64) for name in ("ace", "se"))
    df = (
        estimates["df"].transpose(*dims).to_numpy().astype(np.float64)
        if "df" in estimates
        else np.full(se.shape, np.inf)
    )
    wrong = ~((se >= 0) & (df > 0))
    if wrong.any():
        k = int(np.argwhere(wrong)[0][0])
        name = estimates["contrast"].to_numpy()[k] if "contrast" in estimates.coords else k
        raise EstimateError(
            f"contrast {name!s}: se {se[wrong][0]:g} on {df[wrong][0]:g} df; se >= 0 and df > 0 make sense"
        )
    return ace, se, df


def few_for_exact(estimates: xr.Dataset, level: float) -> Array:
    """Return how many units each exact effect lacks for a verdict at a level, 0 where none; the shape of ``ace``.

    Where no unit differs from the others there is no standard error, and up to 3/n of the population may still differ
    (95 %, of n independent units). A point from so few that ``3/n > 1 - level`` is no evidence at that level: at .95 it
    takes 60. The target of exactly these units has nothing unseen.

    Parameters
    ----------
    estimates
        With ``ace`` and ``se``; none lacks any where neither ``n_units`` nor ``n_clusters`` is known.
    level
        1 minus the error of a verdict.

    References
    ----------
    Hanley & Lippman-Hand (1983), doi:10.1001/jama.1983.03330370053031: the rule of three.

    Examples
    --------
    >>> exact = xr.Dataset({name: ("contrast", [x, x]) for name, x in {"ace": 1.0, "se": 0.0}.items()})
    >>> few_for_exact(exact.assign(n_units=("contrast", [2, 60])), 0.95)
    array([58.,  0.])
    """
    ace = estimates["ace"]
    known = [name for name in ("n_clusters", "n_units") if name in estimates]
    if not known or estimates.attrs.get("target") == "units":
        return np.zeros(ace.shape)
    wide = [estimates[name].broadcast_like(ace).transpose(*ace.dims).to_numpy() for name in (*known, "se")]
    n, units, se = wide[0], wide[-2], wide[-1]
    lacks = np.ceil(round(3 / (1 - level), 9)) - n
    return np.where((se == 0) & (n > 0) & (lacks > 0), np.ceil(lacks * units / np.maximum(n, 1.0)), 0.0)


def _p(distance: Array, se: Array, df: Array, a: Array) -> Array:
    """Return the p of "the distance is at most 0"."""
    return np.where(se == 0, np.where(distance > 0, 0.0, 1.0), special.stdtr(df, -_t(distance, se, a)))


def _p_below(distance: Array, se: Array, df: Array, a: Array) -> Array:
    """Return the p of "the distance is at least 0"."""
    return np.where(se == 0, np.where(distance < 0, 0.0, 1.0), special.stdtr(df, _t(distance, se, a)))


def _t(distance: Array, se: Array, a: Array) -> Array:
    with np.errstate(over="ignore"):
        t = np.clip(distance / np.where(se == 0, 1.0, se), -_FARTHEST, _FARTHEST)
        return transformed(t, a)
