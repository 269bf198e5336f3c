"""Evidence of tests about each effect, and verdicts at an error rate from the error of
each claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.effect_table import hall_coefficient
from causalgia.estimation.request import null_value
from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.multiplicity.placebo import rank_errors
from causalgia.multiplicity.tost import (
    ace_se_df,
    one_sided_p,
    t_limits,
    units_lacking_for_exact,
)
from causalgia.types import Array
from causalgia.verdicts.rare_effects import missed_share, too_few_backgrounds, unseen
from causalgia.verdicts.rope import Region, rope_region

_CARRIED = (
    *("se", "n_units", "n_clusters", "control_sd", "exact", "weight", "unbounded"),
    *("df", "skewness", "leverage", "floor", "below_floor"),
)
_OF_DECISIONS = ("raw", "missed_share", "p_zero", "lower_slab", "upper_slab")
"""Columns that decisions write themselves, so that none of that name is carried
over.
"""
NEVER = 2.0
Rule = Literal["local", "bayes_fdr", "bh", "holm"]
CLAIMS = np.array(["decreases", "negligible", "increases"])
UNDECIDED = "undecided"
_NEGLIGIBLE = 1
_ROUNDING = 1e-9
"""1 - 0.95 is a little more than 0.05."""
_BEYOND_ANY_TRIAL = 1e15


@dataclass(frozen=True)
class Evidence:
    """Effects, and the error of each claim about them.

    Attributes
    ----------
    effects
        ``ace`` on (contrast, task[, model]) with the coordinates and attrs that
        decisions carry on.
    region
        Region of practical equivalence.
    errors
        Error of "decreases", "negligible", "increases"; shape
        ``(3, contrast, task[, model])``.
    columns
        Further columns of decisions, each of the shape of ``ace``.
    sd
        Uncertainty of the effect, of the shape of ``ace``.
    rare
        Share of the backgrounds on which an effect must not be missed, None where no
        rare effects are assumed.
    too_few
        Which effects would be negligible, were there enough backgrounds for that share;
        of the shape of ``ace``.
    lacking
        Units that an effect without spread lacks for a verdict, 0 where none; of the
        shape of ``ace``.
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
    lacking: Array | float = 0.0
    hall: Array | float = 0.0
    unseen: Array | float = 0.0


def from_estimates(
    estimates: xr.Dataset, rope: Any, *, ci_prob: float, rare: float | None = None
) -> Evidence:
    """Return the evidence of one-sided tests against the ends of the region.

    Both tests are by Hall's transformed t where the estimates know their skewness. The
    error of a direction is twice its one-sided p (so that .05 is .025 a side), that of
    "negligible" the larger p of two one-sided tests, including what backgrounds that
    were not drawn could add (`causalgia.verdicts.evidence`); "negligible" cannot be
    claimed where effects on a share `rare` of the backgrounds could have been missed.
    Against the central 95 % of placebos a direction also has to hold by rank among the
    placebos (`causalgia.multiplicity.placebo`). Probabilities of regions are those of
    the confidence distribution: the posterior under a flat prior.

    Examples
    --------
    >>> estimates = xr.Dataset(
    ...     {
    ...         "ace": (("contrast", "task"), [[1.0]]),
    ...         "se": (("contrast", "task"), [[0.5]]),
    ...     }
    ... )
    >>> from_estimates(estimates, (-0.1, 0.1), ci_prob=0.95).errors.ravel().round(3)
    array([1.   , 0.964, 0.072])
    """
    missed, too_few = (
        missed_share(estimates),
        too_few_backgrounds(estimates, rare, ci_prob),
    )
    carried = carry_effects(estimates, estimates["ace"])
    (_, se, _), null, hall = (
        ace_se_df(estimates),
        null_value(estimates),
        hall_coefficient(estimates),
    )
    could_add, found = unseen(estimates, hall), rope_region(rope, estimates, null)
    lacking = units_lacking_for_exact(estimates, ci_prob)
    tests = one_sided_p(
        estimates,
        found.lower,
        found.upper,
        ci_prob=ci_prob,
        hall=hall,
        unseen=could_add,
    )
    signs = one_sided_p(estimates, null, null, ci_prob=ci_prob, hall=hall)
    unbounded = np.isinf(t_limits(estimates, ci_prob)[0])
    inside = np.where(found.direction_only, NEVER, tests.inside)
    would_be = too_few & (inside <= 1 - ci_prob)
    inside = np.where(too_few, NEVER, inside)
    below, above = np.minimum(2 * tests.below, 1.0), np.minimum(2 * tests.above, 1.0)
    if found.by_rank:
        above, below = (
            np.maximum(p, q)
            for p, q in zip((above, below), rank_errors(estimates), strict=True)
        )
    errors = np.stack([below, inside, above])
    errors[:, unbounded] = 1.0
    if (
        lacking.any()
    ):  # of an effect without spread up to 3/n of the population may still differ
        n = estimates[
            "n_clusters" if "n_clusters" in estimates else "n_units"
        ].transpose(*estimates["ace"].dims)
        errors = np.maximum(
            errors,
            np.where(
                lacking > 0, np.minimum(3 / np.maximum(n.to_numpy(), 1), 1.0), 0.0
            ),
        )
    p_above, p_below = 1 - tests.above, 1 - tests.below
    columns = {
        "lfsr": np.minimum(signs.above, signs.below),
        "p_above": p_above,
        "p_below": p_below,
    }
    columns |= {"p_rope": np.clip(1 - p_above - p_below, 0.0, 1.0)}
    columns |= {"missed_share": missed} if rare is not None else {}
    return Evidence(
        carried, found, errors, columns, se, rare, would_be, lacking, hall, could_add
    )


def union_interval(
    estimates: xr.Dataset,
    directional: Array,
    negligible: Array,
    *,
    hall: Array | float = 0.0,
    unseen: Array | float = 0.0,
) -> tuple[Array, Array]:
    """Return the union of the intervals at two levels of probability, of the shape of
    ``ace``.

    One interval is at the level of directions, the other at the level of "negligible",
    widened by what was not drawn; a level of 0 is left out.

    Examples
    --------
    >>> one = xr.Dataset(
    ...     {
    ...         "ace": (("contrast", "task"), [[1.0]]),
    ...         "se": (("contrast", "task"), [[0.5]]),
    ...     }
    ... )
    >>> lower, upper = union_interval(one, np.array([[0.95]]), np.array([[0.0]]))
    >>> lower.round(2), upper.round(2)
    (array([[0.02]]), array([[1.98]]))
    """
    one = t_limits(estimates, np.where(directional > 0, directional, 0.5), hall=hall)
    other = t_limits(
        estimates, np.where(negligible > 0, negligible, 0.5), hall=hall, unseen=unseen
    )
    both = (directional > 0) & (negligible > 0)
    lower = np.where(
        both, np.minimum(one[0], other[0]), np.where(directional > 0, one[0], other[0])
    )
    upper = np.where(
        both, np.maximum(one[1], other[1]), np.where(directional > 0, one[1], other[1])
    )
    return lower, upper


def carry_effects(source: xr.Dataset, ace: xr.DataArray) -> xr.Dataset:
    """Return the effects with the coordinates, columns and attrs of `source` that
    decisions keep.
    """
    source = source.drop_vars(_OF_DECISIONS, errors="ignore")
    ace = ace.drop_vars(_OF_DECISIONS, errors="ignore")
    carried = [name for name in _CARRIED if name in source.variables]
    coords = {
        n: c
        for n, c in source.coords.items()
        if set(c.dims) <= {*ace.dims, "arm"} and n not in ("contrast_",)
    }
    # drop_attrs of a single column would also clear its coordinates
    columns = source[carried].drop_attrs()
    out = xr.Dataset({"ace": ace.drop_attrs(), **columns.data_vars}).assign_coords(
        coords
    )
    if "is_placebo" in source.data_vars:
        out = out.assign_coords(is_placebo=source["is_placebo"])
    stale = {"adjust", "family", "rope"}
    return out.assign_attrs({k: v for k, v in source.attrs.items() if k not in stale})


@dataclass(frozen=True)
class Verdicts:
    """Verdicts on K effects.

    Attributes
    ----------
    verdict
        ``"increases"``, ``"decreases"``, ``"negligible"`` or ``"undecided"``, shape
        ``(K,)``.
    best
        The claim of least error, decided or not, shape ``(K,)``.
    local_error
        The error of that claim, shape ``(K,)``.
    q
        Error rate of the set of claims of its class (directional, negligible) that ends
        with this one, shape ``(K,)``.
    share_directional, share_negligible
        The share of `alpha` at which one claim of that class was decided (tests): R / K
        for R claims by ``"bh"``, at least one; 1 / (K - R + 1) by ``"holm"``; else 1.
        An interval at ``1 - share alpha`` agrees with the verdict.
    """

    verdict: npt.NDArray[np.str_]
    best: npt.NDArray[np.str_]
    local_error: Array
    q: Array
    share_directional: float = 1.0
    share_negligible: float = 1.0


def rule(errors: Array, *, alpha: float, error: Rule) -> Verdicts:
    """Return the claim of least error for each effect where the error rate is at most
    `alpha`, else "undecided".

    ``"local"`` bounds each verdict's own error; ``"bayes_fdr"`` calls the largest set
    whose mean error is at most `alpha`, ``"bh"`` what Benjamini-Hochberg rejects when
    the errors are p-values, ``"holm"`` what Holm does. The last three treat directional
    and negligible claims as two sets, so that many negligible effects do not dilute the
    error rate of directions.

    Parameters
    ----------
    errors
        Error of the claims "decreases", "negligible" and "increases": 1 minus the
        posterior probability of the region, or the p of its test; above 1 where a claim
        is not to be made. Shape ``(3, K)``.
    alpha
        Bound on the error rate.
    error
        The error rate.

    References
    ----------
    Holm (1979), Scand. J. Statist. 6:65. Benjamini & Yekutieli (2005),
    doi:10.1198/016214504000001907: intervals of what was selected. Mueller, Parmigiani,
    Robert & Rousseau (2004), doi:10.1198/016214504000001646: the largest set of bounded
    mean error. Stephens (2017), doi:10.1093/biostatistics/kxw041: its error rate as a
    q-value.

    Examples
    --------
    >>> errors = np.array([[0.99, 1.0, 1.0], [0.9, 0.02, 0.5], [0.03, 1.0, 0.5]])
    >>> ruled = rule(errors, alpha=0.05, error="local")
    >>> ruled.verdict.tolist(), ruled.local_error
    (['increases', 'negligible', 'undecided'], array([0.03, 0.02, 0.5 ]))
    """
    best = errors.argmin(axis=0)
    least = np.minimum(errors.min(axis=0), 1.0)
    negligible = best == _NEGLIGIBLE
    if error in ("bh", "holm"):
        sides = (
            np.minimum(errors[_NEGLIGIBLE], 1.0),
            np.minimum(errors[[0, 2]].min(axis=0), 1.0),
        )
        q = np.where(negligible, *(stepwise(side, error) for side in sides))
    else:
        q = running_mean(least, negligible)
    called = (least if error == "local" else q) <= alpha * (1 + _ROUNDING)
    shares = (
        _error_share(int((called & which).sum()), len(best), error)
        for which in (~negligible, negligible)
    )
    return Verdicts(
        np.where(called, CLAIMS[best], UNDECIDED), CLAIMS[best], least, q, *shares
    )


def _error_share(claims: int, n: int, error: Rule) -> float:
    """Return the share of alpha at which each of `claims` among n was decided."""
    if error == "bh":
        return max(claims, 1) / n
    return 1 / (n - max(claims, 1) + 1) if error == "holm" else 1.0


def running_mean(errors: Array, group: npt.NDArray[np.generic] | None = None) -> Array:
    """Return the mean of all errors no larger than each: the error rate of the set that
    ends with it.

    Ties share the value of the last one.

    Parameters
    ----------
    errors
        Local errors (of verdicts; or lfsr, giving s-values; or lfdr, giving q-values),
        shape ``(K,)``.
    group
        Sets ranked separately, shape ``(K,)``; None: one set.

    Examples
    --------
    >>> running_mean(np.array([0.3, 0.0, 0.06]))
    array([0.12, 0.  , 0.03])
    """
    labels = np.zeros(len(errors), dtype=int) if group is None else group
    out = np.empty(len(errors))
    for label in np.unique(labels):
        mine = labels == label
        ordered = np.sort(errors[mine])
        means = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
        out[mine] = means[np.searchsorted(ordered, errors[mine], side="right") - 1]
    return out


def more_units(
    distance: Array,
    sd: Array,
    se: Array,
    n_units: npt.NDArray[np.int64],
    *,
    z: Array | float,
) -> npt.NDArray[np.int64]:
    """Return about how many units more than this trial's a new trial would need to
    decide an effect.

    A verdict needs ``distance >= z sd``. The standard error falls as ``1 / sqrt(n)``;
    information from the prior, ``1/sd^2 - 1/se^2``, is constant:
    ``n' = n se^2 (z^2 / distance^2 - (1/sd^2 - 1/se^2))``. So is an uncertainty that
    units do not reduce, such as between predictors (sd above se):
    ``n' = n se^2 / (distance^2 / z^2 - (sd^2 - se^2))``. If the true effect equals the
    estimate, a new trial of n' units decides with even odds. Units that share parents
    are taken to come with as many more parents.

    Parameters
    ----------
    distance
        From the effect to the nearest end of the region of practical equivalence, shape
        ``(K,)``.
    sd
        Its uncertainty in this trial: standard error, or posterior sd, shape ``(K,)``.
    se
        Standard error, shape ``(K,)``.
    n_units
        Units of this trial, shape ``(K,)``; 0 where they are not known.
    z
        Distance in sd that the verdict needs; 0 where the band has no width, which more
        units do not change.

    Returns
    -------
    array
        At least 1; -1 where it is unknown: units are not known or do not help, nothing
        varies, or the effect is on an end.

    Examples
    --------
    >>> one = np.array([1.0, 0.0])
    >>> more_units(
    ...     one, np.array([1.0, 1.0]), np.array([1.0, 1.0]), np.array([100, 100]), z=2.0
    ... )
    array([300,  -1])
    """
    known = (n_units > 0) & (se > 0) & (sd > 0) & (distance > 0) & (np.asarray(z) > 0)
    gap, s, spread, z = (np.where(known, x, 1.0) for x in (distance, sd, se, z))
    with np.errstate(over="ignore"):
        beyond = np.maximum((spread / s) ** 2 - 1, 0.0)
        stays = np.maximum(s**2 - spread**2, 0.0)
        room = (gap / z) ** 2 - stays
        known &= room > 0
        needed = n_units * (spread**2 / np.where(known, room, 1.0) - beyond)
    known &= needed < _BEYOND_ANY_TRIAL
    more = np.maximum(np.ceil(np.where(known, needed - n_units, 0.0)), 1.0)
    return np.where(known, more, -1).astype(np.int64)
