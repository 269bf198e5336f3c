"""Verdicts at an error rate, from the error of each claim about an effect; functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from causalgia.multiplicity.stepwise import stepwise
from causalgia.types import Array

Rule = Literal["local", "bayes_fdr", "bh", "holm"]

CLAIMS = np.array(["decreases", "negligible", "increases"])
UNDECIDED = "undecided"
_NEGLIGIBLE = 1
_ROUNDING = 1e-9
"""1 - 0.95 is a little more than 0.05."""


@dataclass(frozen=True)
class Verdicts:
    """Verdicts on K effects.

    Attributes
    ----------
    verdict
        ``"increases"``, ``"decreases"``, ``"negligible"`` or ``"undecided"``, shape ``(K,)``.
    best
        The claim of least error, decided or not, shape ``(K,)``.
    local_error
        The error of that claim, shape ``(K,)``.
    q
        Error rate of the set of claims of its class (directional, negligible) that ends with this one, shape ``(K,)``.
    share_directional, share_negligible
        The share of `alpha` at which one claim of that class was decided (tests): R / K for R claims by ``"bh"``, at
        least one; 1 / (K - R + 1) by ``"holm"``; else 1. An interval at ``1 - share alpha`` agrees with the verdict.
    """

    verdict: npt.NDArray[np.str_]
    best: npt.NDArray[np.str_]
    local_error: Array
    q: Array
    share_directional: float = 1.0
    share_negligible: float = 1.0


def rule(errors: Array, *, alpha: float, error: Rule) -> Verdicts:
    """Return the claim of least error for each effect where the error rate is at most `alpha`, else "undecided".

    ``"local"`` bounds each verdict's own error; ``"bayes_fdr"`` calls the largest set whose mean error is at most
    `alpha`, ``"bh"`` what Benjamini-Hochberg rejects when the errors are p-values, ``"holm"`` what Holm does. The last
    three treat directional and negligible claims as two sets, so that many negligible effects do not dilute the error
    rate of directions.

    Parameters
    ----------
    errors
        Error of the claims "decreases", "negligible" and "increases": 1 minus the posterior probability of the region,
        or the p of its test; above 1 where a claim is not to be made. Shape ``(3, K)``.
    alpha
        Bound on the error rate.
    error
        The error rate.

    References
    ----------
    Holm (1979), Scand. J. Statist. 6:65. Benjamini & Yekutieli (2005), doi:10.1198/016214504000001907: intervals of
    what was selected. Mueller, Parmigiani, Robert & Rousseau (2004), doi:10.1198/016214504000001646: the largest set of
    bounded mean error. Stephens (2017), doi:10.1093/biostatistics/kxw041: its error rate as a q-value.

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
        sides = (np.minimum(errors[_NEGLIGIBLE], 1.0), np.minimum(errors[[0, 2]].min(axis=0), 1.0))
        q = np.where(negligible, *(stepwise(side, error) for side in sides))
    else:
        q = running_mean(least, negligible)
    called = (least if error == "local" else q) <= alpha * (1 + _ROUNDING)
    shares = (_error_share(int((called & which).sum()), len(best), error) for which in (~negligible, negligible))
    return Verdicts(np.where(called, CLAIMS[best], UNDECIDED), CLAIMS[best], least, q, *shares)


def _error_share(claims: int, n: int, error: Rule) -> float:
    """Return the share of alpha at which each of `claims` among n was decided."""
    if error == "bh":
        return max(claims, 1) / n
    return 1 / (n - max(claims, 1) + 1) if error == "holm" else 1.0


def running_mean(errors: Array, group: npt.NDArray[np.generic] | None = None) -> Array:
    """Return the mean of all errors no larger than each: the error rate of the set that ends with it.

    Ties share the value of the last one.

    Parameters
    ----------
    errors
        Local errors (of verdicts; or lfsr, giving s-values; or lfdr, giving q-values), shape ``(K,)``.
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


_BEYOND_ANY_TRIAL = 1e15


def more_units(
    distance: Array, sd: Array, se: Array, n_units: npt.NDArray[np.int64], *, z: Array | float
) -> npt.NDArray[np.int64]:
    """Return about how many units more than this trial's a new trial would need to decide an effect.

    A verdict needs ``distance >= z sd``. The standard error falls as ``1 / sqrt(n)``; information from the prior,
    ``1/sd^2 - 1/se^2``, is constant: ``n' = n se^2 (z^2 / distance^2 - (1/sd^2 - 1/se^2))``. So is an
    uncertainty that units do not reduce, such as between predictors (sd above se):
    ``n' = n se^2 / (distance^2 / z^2 - (sd^2 - se^2))``. If the true effect equals the estimate, a new trial of
    n' units decides with even odds. Units that share parents are taken to come with as many more parents.

    Parameters
    ----------
    distance
        From the effect to the nearest end of the region of practical equivalence, shape ``(K,)``.
    sd
        Its uncertainty in this trial: standard error, or posterior sd, shape ``(K,)``.
    se
        Standard error, shape ``(K,)``.
    n_units
        Units of this trial, shape ``(K,)``; 0 where they are not known.
    z
        Distance in sd that the verdict needs; 0 where the band has no width, which more units do not change.

    Returns
    -------
    array
        At least 1; -1 where it is unknown: units are not known or do not help, nothing varies, or the effect
        is on an end.

    Examples
    --------
    >>> one = np.array([1.0, 0.0])
    >>> more_units(one, np.array([1.0, 1.0]), np.array([1.0, 1.0]), np.array([100, 100]), z=2.0)
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
