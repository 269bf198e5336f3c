"""Tails of null effects beyond the largest of them: a generalized Pareto law over a high threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from causalgia.multiplicity.matched_ranks import Strata
from causalgia.types import Array

FEWEST_NULLS = 2_000
"""Fewest null effects whose tail is modeled."""
ENOUGH_BEYOND = 10
"""Null effects beyond an effect from which its rank is precise enough, so that no model is used."""
FARTHEST = 100
"""How far below 1 / (m + 1) a tail is extrapolated: by this factor."""
_FEWEST_EXCEEDANCES, _MOST_EXCEEDANCES = 100, 250
_SHAPES = np.linspace(0.0, 2.0, 41)[:, None]
_LOG_SCALES = np.linspace(-1.2, 1.0, 45)[None, :]  # of the median exceedance / log 2, the scale of an exponential law
#: Anderson and Darling's statistic at its .95 quantile with both parameters fitted on this grid, by shape
_CRITICAL = ((0.0, 0.25, 0.5, 1.0, 1.5), (1.073, 0.919, 0.85, 0.77, 0.729))


@dataclass(frozen=True)
class NullTail:
    """The tail of m null effects: the posterior of its generalized Pareto law.

    Attributes
    ----------
    threshold, share
        The absolute effect above which the law holds, and the share of null effects above it.
    scale
        Unit of the scales of the grid.
    weights
        Posterior probabilities on the grid of shapes and scales.
    least
        The least p that is given, ``1 / (100 (m + 1))``.
    """

    threshold: float
    share: float
    scale: float
    weights: Array
    least: float

    def p(self, sizes: npt.ArrayLike) -> Array:
        """Return the posterior predictive probability that a null effect is at least as large, at least `least`."""
        beyond = np.maximum(np.asarray(sizes, np.float64).ravel() - self.threshold, 0.0) / self.scale
        found = np.array([(self.weights * np.exp(-_log_rate(x))).sum() for x in beyond])
        return np.maximum(self.share * found, self.least)


class TailRanks(NamedTuple):
    """P-values of K effects, each of shape (K, ...).

    Attributes
    ----------
    p
        By the law of the tail, or by rank.
    by
        ``"rank"`` where 10 null effects or more are as large; ``"tail"`` where fewer are; ``"no fit"`` where fewer are
        and the tail was not fitted, so that p is by rank.
    """

    p: Array
    by: npt.NDArray[np.str_]


def extrapolate_ranks(
    effects: npt.ArrayLike, nulls: npt.ArrayLike, strata: Strata, *, floor: npt.ArrayLike = 0.0
) -> TailRanks:
    """Extend the p-values of `rank_among_matched` beyond the largest null effects of each stratum, by a model.

    Parameters
    ----------
    effects, nulls, strata, floor
        As in `rank_among_matched`.

    Examples
    --------
    >>> from causalgia.multiplicity.matched_ranks import match_strata
    >>> strata = match_strata(np.zeros((2, 1)), ["length"], np.zeros(10_000), least=39)
    >>> found = extrapolate_ranks([16.0, 2.0], np.random.default_rng(0).exponential(size=10_000), strata)
    >>> found.by, found.p < 1e-4
    (array(['tail', 'rank'], dtype='<U6'), array([ True, False]))
    """
    of, null = np.asarray(effects, np.float64), np.asarray(nulls, np.float64)
    flat, sizes = of.reshape(len(of), -1), np.abs(null.reshape(len(null), -1))
    least = np.abs(flat) - np.broadcast_to(np.asarray(floor, np.float64), of.shape[1:]).ravel()
    p, by = np.empty(flat.shape), np.full(flat.shape, "rank", "<U6")
    for number, members in enumerate(strata.nulls):
        mine = np.flatnonzero(strata.of_effect == number)
        for j in range(flat.shape[1]):
            own = np.sort(sizes[members, j])
            beyond = len(own) - np.searchsorted(own, least[mine, j], side="left")
            p[mine, j] = (1 + beyond) / (len(own) + 1)
            few = mine[beyond < ENOUGH_BEYOND]
            tail = fit_null_tail(own) if len(few) else None
            by[few, j] = "no fit" if tail is None else "tail"
            if tail is not None:
                p[few, j] = tail.p(least[few, j])
    return TailRanks(p.reshape(of.shape), by.reshape(of.shape))


def fit_null_tail(sizes: npt.ArrayLike) -> NullTail | None:
    r"""Fit the tail of absolute null effects; None where they are too few or no such law fits.

    Exceedances over a high threshold follow approximately a generalized Pareto law,
    ``P(z > x) = (1 + shape x / scale)^(-1 / shape)`` (Knijnenburg et al. 2009, who extend permutation p-values by it).
    The threshold leaves 1 % of the null effects beyond it, at least 100 of them and at most 250. The probability is
    averaged over the posterior of shape and scale (flat in shape from 0 to 2 and in log scale): the probability at the
    best fit is too small, as if shape and scale were known. Shapes below 0, of tails that end, are left out: their p is
    0 beyond the end.

    The fit is refused where Anderson and Darling's statistic is above its .95 quantile.

    Parameters
    ----------
    sizes
        (m,) absolute null effects.

    References
    ----------
    Knijnenburg, Wessels, Reinders & Shmulevich (2009), doi:10.1093/bioinformatics/btp211; the test of fit: Choulakian &
    Stephens (2001), doi:10.1198/00401700152672573.

    Examples
    --------
    >>> tail = fit_null_tail(np.random.default_rng(0).exponential(size=10_000))
    >>> tail.p([np.log(1e5)]) / 1e-5  # the least of 10,000 ranks is 1e-4
    array([3.8...])
    """
    ordered = np.sort(np.asarray(sizes, np.float64).ravel())
    m = len(ordered)
    if m < FEWEST_NULLS:
        return None
    n = min(max(m // 100, _FEWEST_EXCEEDANCES), _MOST_EXCEEDANCES)
    threshold = float(ordered[-n] + ordered[-n - 1]) / 2
    z = ordered[-n:] - threshold
    unit = float(np.median(z)) / np.log(2)
    if not unit > 1e-9 * ordered[-1]:
        return None  # the largest null effects are equal
    z = z / unit
    rates = np.sum([_log_rate(x) for x in z], axis=0)
    log_density = -n * np.broadcast_to(_LOG_SCALES, rates.shape) - rates - _SHAPES * rates
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    shape, scale = np.unravel_index(int(log_density.argmax()), log_density.shape)
    best = np.array([_log_rate(x)[shape, scale] for x in z])
    if anderson_darling(best) > np.interp(_SHAPES[shape, 0], *_CRITICAL):
        return None
    return NullTail(threshold, n / m, unit, weights, 1 / (FARTHEST * (m + 1)))


def _log_rate(x: float) -> Array:
    """Return minus the log of the probability to exceed x, ``log(1 + shape x / scale) / shape``, on the grid."""
    ratio = x / np.exp(_LOG_SCALES)
    inner = np.where(_SHAPES > 0, _SHAPES, 1.0)
    return np.where(_SHAPES > 0, np.log1p(inner * ratio) / inner, ratio)


def anderson_darling(rates: npt.ArrayLike) -> float:
    """Return Anderson and Darling's statistic of values in increasing order from minus their log survival.

    Examples
    --------
    >>> round(anderson_darling(-np.log(1 - (np.arange(100) + 0.5) / 100)), 3)  # as even as can be
    0.011
    """
    r = np.asarray(rates, np.float64)
    n = len(r)
    weight = 2 * np.arange(1, n + 1) - 1
    below = np.log(-np.expm1(-np.maximum(r, 1e-300)))
    return float(-n - (weight * (below - r[::-1])).sum() / n)
