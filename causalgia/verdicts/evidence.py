"""Evidence of tests about each effect: the error of each claim, and the columns of decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.estimation.ratios import null_value
from causalgia.multiplicity.tost import ace_se_df, one_sided_p, t_limits
from causalgia.numerics.moments import hall_coefficient
from causalgia.types import Array
from causalgia.verdicts.placebo_words import rank_errors, tail_errors
from causalgia.verdicts.rare_effects import missed_share, too_few_backgrounds, unseen
from causalgia.verdicts.rope import Region, rope_region

_CARRIED = (
    *("se", "n_units", "n_clusters", "control_sd", "exact", "weight", "unbounded"),
    *("df", "skewness", "leverage", "floor", "below_floor"),
)
_OF_DECISIONS = ("raw", "missed_share", "p_zero", "lower_slab", "upper_slab")
"""Columns that decisions write themselves, so that none of that name is carried over."""
NEVER = 2.0


@dataclass(frozen=True)
class Evidence:
    """Effects, and the error of each claim about them.

    Attributes
    ----------
    effects
        ``ace`` on (contrast, task[, model]) with the coordinates and attrs that decisions carry on.
    region
        Region of practical equivalence.
    errors
        Error of "decreases", "negligible", "increases"; shape ``(3, contrast, task[, model])``.
    columns
        Further columns of decisions, each of the shape of ``ace``.
    sd
        Uncertainty of the effect, of the shape of ``ace``.
    rare
        Share of the backgrounds on which an effect must not be missed, None where no rare effects are assumed.
    too_few
        Which effects would be negligible, were there enough backgrounds for that share; of the shape of ``ace``.
    hall, unseen
        Of tests: the arguments of `causalgia.multiplicity.tost.one_sided_p`.
    """

    effects: xr.Dataset
    region: Region
    errors: Array
    columns: dict[str, Array]
    sd: Array
    rare: float | None = None
    too_few: npt.NDArray[np.bool_] | bool = False
    hall: Array | float = 0.0
    unseen: Array | float = 0.0


def from_estimates(estimates: xr.Dataset, rope: Any, *, ci_prob: float, rare: float | None = None) -> Evidence:
    """Return the evidence of one-sided tests against the ends of the region.

    Both tests are by Hall's transformed t where the estimates know their skewness. The error of a direction is twice
    its one-sided p (so that .05 is .025 a side), that of "negligible" the larger p of two one-sided tests, including
    what backgrounds that were not drawn could add (`causalgia.verdicts.rare_effects`); "negligible" cannot be claimed
    where effects on a share `rare` of the backgrounds could have been missed. Against the central 95 % of
    placebo words a direction also has to hold by rank among the words (`causalgia.verdicts.placebo_words`).
    Probabilities of regions are those of the confidence distribution: the posterior under a flat prior.

    Examples
    --------
    >>> estimates = xr.Dataset({"ace": (("contrast", "task"), [[1.0]]), "se": (("contrast", "task"), [[0.5]])})
    >>> from_estimates(estimates, (-0.1, 0.1), ci_prob=0.95).errors.ravel().round(3)
    array([1.   , 0.964, 0.072])
    """
    ace, se, _ = ace_se_df(estimates)
    hall, null = hall_coefficient(estimates), null_value(estimates)
    missed, too_few = missed_share(estimates), too_few_backgrounds(estimates, rare, ci_prob)
    carried = carry_effects(estimates, estimates["ace"])
    could_add, found = unseen(estimates, hall), rope_region(rope, estimates, null)
    tests = one_sided_p(estimates, found.lower, found.upper, ci_prob=ci_prob, hall=hall, unseen=could_add)
    signs = one_sided_p(estimates, null, null, ci_prob=ci_prob, hall=hall)
    unbounded = np.isinf(t_limits(estimates, ci_prob)[0])
    inside = np.full(ace.shape, NEVER) if found.direction_only else tests.inside
    would_be = too_few & (inside <= 1 - ci_prob)
    inside = np.where(too_few, NEVER, inside)
    below, above = np.minimum(2 * tests.below, 1.0), np.minimum(2 * tests.above, 1.0)
    if found.by_rank:
        of_words = tail_errors if found.tail else rank_errors
        above, below = (np.maximum(p, q) for p, q in zip((above, below), of_words(estimates), strict=True))
    errors = np.stack([below, inside, above])
    errors[:, unbounded] = 1.0
    p_above, p_below = 1 - tests.above, 1 - tests.below
    columns = {"lfsr": np.minimum(signs.above, signs.below), "p_above": p_above, "p_below": p_below}
    columns |= {"p_rope": np.clip(1 - p_above - p_below, 0.0, 1.0)}
    columns |= {"missed_share": missed} if rare is not None else {}
    return Evidence(carried, found, errors, columns, se, rare, would_be, hall, could_add)


def union_interval(
    estimates: xr.Dataset,
    directional: Array,
    negligible: Array,
    *,
    hall: Array | float = 0.0,
    unseen: Array | float = 0.0,
) -> tuple[Array, Array]:
    """Return the union of the intervals at two levels of probability, of the shape of ``ace``.

    One interval is at the level of directions, the other at the level of "negligible", widened by what was not drawn; a
    level of 0 is left out.

    Examples
    --------
    >>> one = xr.Dataset({"ace": (("contrast", "task"), [[1.0]]), "se": (("contrast", "task"), [[0.5]])})
    >>> lower, upper = union_interval(one, np.array([[0.95]]), np.array([[0.0]]))
    >>> lower.round(2), upper.round(2)
    (array([[0.02]]), array([[1.98]]))
    """
    one = t_limits(estimates, np.where(directional > 0, directional, 0.5), hall=hall)
    other = t_limits(estimates, np.where(negligible > 0, negligible, 0.5), hall=hall, unseen=unseen)
    both = (directional > 0) & (negligible > 0)
    lower = np.where(both, np.minimum(one[0], other[0]), np.where(directional > 0, one[0], other[0]))
    upper = np.where(both, np.maximum(one[1], other[1]), np.where(directional > 0, one[1], other[1]))
    return lower, upper


def distance_to_rope(evidence: Evidence) -> Array:
    """Return the distance of each effect from the nearest end of its region."""
    ace, found = evidence.effects["ace"].to_numpy(), evidence.region
    return np.asarray(np.minimum(np.abs(ace - found.lower), np.abs(ace - found.upper)))


def carry_effects(source: xr.Dataset, ace: xr.DataArray) -> xr.Dataset:
    """Return the effects with the coordinates, columns and attrs of `source` that decisions keep."""
    source = source.drop_vars(_OF_DECISIONS, errors="ignore")
    ace = ace.drop_vars(_OF_DECISIONS, errors="ignore")
    carried = [name for name in _CARRIED if name in source.variables]
    coords = {n: c for n, c in source.coords.items() if set(c.dims) <= {*ace.dims, "arm"} and n not in ("contrast_",)}
    columns = source[carried].drop_attrs()  # drop_attrs of a single column would also clear its coordinates
    out = xr.Dataset({"ace": ace.drop_attrs(), **columns.data_vars}).assign_coords(coords)
    if "placebo_word" in source.data_vars:
        out = out.assign_coords(placebo_word=source["placebo_word"])
    stale = {"adjust", "family", "rope"}
    return out.assign_attrs({k: v for k, v in source.attrs.items() if k not in stale})
