"""The index of dispersion of the split of reads between two replicates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from causalgia.types import Array, Ints

STRATUM, MOST_STRATA, LEAST_CELLS = 50, 40, 20
_LEAST_VARIANCE = 1e-9
_LEAST_MASS = 1e-6
_REACH = 12.0


@dataclass(frozen=True)
class SplitIndex:
    """Dispersion of the split of reads between two replicates.

    Attributes
    ----------
    index
        Mean squared deviation of the split relative to binomial counting noise: at
        least 1 for independent replicates.
    z
        ``(index - 1)`` over its standard deviation under a binomial split.
    z_deep
        The same for the deeper half of the barcodes.
    n_cells
        Barcodes used.
    """

    index: float
    z: float
    z_deep: float
    n_cells: int


def split_index(a: Ints, b: Ints) -> SplitIndex:
    r"""Return the index of dispersion of the split of reads between two replicates.

    Counts of independent libraries vary at least as Poisson counts. Given the sum ``n``
    of the reads of a barcode in both, the reads in the first are then
    ``Binomial(n, pi)``, of variance ``n pi (1 - pi)``; other differences between
    barcodes or libraries (overdispersion, lost or silent barcodes, replicate effects)
    mix such laws and add variance. So the index ``mean (x - E x)^2 / Var x`` is 1 for
    independent Poisson counts and for two technical splits of one library, which it
    cannot tell apart, and above 1 for any other two libraries. If the second was made
    from the first the index is smaller, whatever the law of the first:

    - a copy times c: ``x = n / (1 + c)`` exactly, index 0; rounded,
      ``1 / (12 c (1 + c) x)``;
    - a copy thinned, ``Binomial(x, p)``: x misses ``n pi`` by ``(p x - b) / (1 + p)``,
      of variance ``x p (1 - p) / (1 + p)^2`` where a binomial's is ``x p / (1 + p)``:
      index ``(1 - p) / (1 + p)``.

    Where both counts were multiplied by c < 1 the index is c times as large, and is
    detected too; counts that saturate (short UMIs) may have an index below 1.

    Tables often omit cells without (or with few) reads, which truncates the split. So
    only barcodes with both cells above 0 are used, with the moments of a binomial
    truncated at the least counts of the two columns: exact also for small n. `pi` may
    depend on depth and is fitted by stratum of n, which takes one degree of freedom
    each.

    Parameters
    ----------
    a, b
        Reads of the same barcodes in two replicates, shape ``(n_barcodes,)``.

    Returns
    -------
    SplitIndex
        With fewer than 20 barcodes whose split is free: index 1, z 0.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rates = rng.gamma(2.0, 30.0, size=2_000)
    >>> one, other = rng.poisson(rates), rng.poisson(rates)
    >>> [
    ...     round(split_index(one, x).index, 1)
    ...     for x in (other, 3 * one, rng.binomial(one, 0.5))
    ... ]
    [1.0, 0.0, 0.3]
    """
    less, more = (a, b) if a.sum() <= b.sum() else (b, a)
    both = (less > 0) & (more > 0)
    x, n = less[both].astype(np.float64), (less + more)[both].astype(np.float64)
    if len(x) < LEAST_CELLS:
        return SplitIndex(1.0, 0.0, 0.0, 0)
    low, high = float(x.min()), float((n - x).min())
    free = n - high - low >= 2  # with two values left, the fit of pi leaves nothing
    x, n = x[free], n[free]
    order = np.argsort(n, kind="stable")
    strata = np.array_split(order, int(np.clip(len(x) // STRATUM, 1, MOST_STRATA)))
    parts = [
        part
        for of in strata
        if len(of) > 1 and (part := _stratum_sums(x[of], n[of], low, high)) is not None
    ]
    if sum(part.n for part in parts) < LEAST_CELLS:
        return SplitIndex(1.0, 0.0, 0.0, 0)
    middle = np.median(n)
    deep = [part for part in parts if part.depth >= middle] or parts[-1:]
    index, z = _index_and_z(parts)
    return SplitIndex(index, z, _index_and_z(deep)[1], sum(part.n for part in parts))


class _Stratum(NamedTuple):
    depth: float
    n: int
    sum: float
    variance: float


def _index_and_z(parts: list[_Stratum]) -> tuple[float, float]:
    """Return the index over all strata, and its z."""
    df = sum(part.n - 1 for part in parts)
    total, variance = (
        sum(part.sum for part in parts),
        sum(part.variance for part in parts),
    )
    return total / df, (total - df) / float(np.sqrt(max(variance, _LEAST_VARIANCE)))


def _stratum_sums(x: Array, n: Array, low: float, high: float) -> _Stratum | None:
    """Return the sum of ``(x - E x)^2 / Var x`` at the fitted pi, and its variance;
    None if no split is free.
    """
    sizes, place, count = np.unique(n, return_inverse=True, return_counts=True)
    pi = _fit_share(sizes, count, float(x.sum()), low, high)
    if pi is None:
        return None
    mean, variance, fourth = _truncated_moments(sizes, pi, low, high)
    free = variance > _LEAST_VARIANCE
    if not free.any():
        return None
    used = free[place]
    squares = (x - mean[place])[used] ** 2 / variance[place][used]
    spread = count[free] @ (fourth[free] / variance[free] ** 2 - 1)
    return _Stratum(
        float(n.min()), int(used.sum()), float(squares.sum()), float(spread)
    )


def _fit_share(
    n: Array, count: Ints, total: float, low: float, high: float
) -> float | None:
    """Return the pi at which the expected total is the observed one; None at an end of
    its range.
    """
    plain = total / float(count @ n)
    masses = _binomial_masses(n, low, high, 1)
    if (masses(plain)[0] > 1 - _LEAST_VARIANCE).all():
        return plain

    @cache
    def excess(logit: float) -> float:
        pi = float(special.expit(logit))
        return (
            float(count @ _factorial_moments(n, pi, low, high, masses(pi))[0]) - total
        )

    for reach in (1.0, _REACH):
        ends = special.logit(plain) - reach, special.logit(plain) + reach
        if excess(ends[0]) < 0 < excess(ends[1]):
            return float(special.expit(optimize.brentq(excess, *ends, xtol=1e-8)))
    return None


def _truncated_moments(
    n: Array, pi: float, low: float, high: float
) -> tuple[Array, Array, Array]:
    """Return mean, variance and fourth central moment of a binomial between `low` and
    ``n - high``.
    """
    mean, variance = n * pi, n * pi * (1 - pi)
    fourth = variance * (1 + 3 * (n - 2) * pi * (1 - pi))
    masses = _binomial_masses(n, low, high, 4)(pi)
    cut = (masses[0] < 1 - _LEAST_VARIANCE) & (masses[0] > _LEAST_MASS)
    first, f2, f3, f4 = _factorial_moments(n[cut], pi, low, high, masses[:, cut])
    squares, cubes, fourths = (
        f2 + first,
        f3 + 3 * f2 + first,
        f4 + 6 * f3 + 7 * f2 + first,
    )
    mean[cut], variance[cut] = first, squares - first**2
    fourth[cut] = fourths - 4 * first * cubes + 6 * first**2 * squares - 3 * first**4
    return mean, np.where(masses[0] > _LEAST_MASS, variance, 0.0), fourth


def _factorial_moments(
    n: Array, pi: float, low: float, high: float, masses: Array
) -> list[Array]:
    """Return ``E x (x - 1) ... (x - k + 1)`` of a binomial between `low` and
    ``n - high``, k from 1 on.

    That is ``n (n - 1) ... (n - k + 1) pi^k`` times the probability that a binomial of
    n - k lies in the range shifted by k, over that of the range: row k over row 0 of
    `masses`. Where the latter is negligible, x is put at the nearest end of the range.
    """
    near, falling, found = masses[0] > _LEAST_MASS, np.ones_like(n), []
    whole = np.where(near, masses[0], 1.0)
    for k, mass in enumerate(masses[1:], start=1):
        falling = falling * (n - k + 1) * pi
        inside = falling * mass / whole
        found.append(
            inside
            if near.all()
            else np.where(near, inside, np.clip(n * pi, low, n - high) ** k)
        )
    return found


def _binomial_masses(
    n: Array, low: float, high: float, order: int
) -> Callable[[float], Array]:
    """Return the function of pi: probability of
    ``low - k <= Binomial(n - k, pi) <= n - high - k``, k from 0 to order.

    Its values have shape ``(order + 1, len(n))``. What does not depend on pi is
    computed once, and only distribution functions that are neither 0 nor 1 at every pi
    are evaluated.
    """
    shift = np.arange(order + 1.0)[:, None]
    size = np.stack([n - shift] * 2)
    ends = np.stack(
        [n - high - shift, np.broadcast_to(low - 1.0 - shift, size.shape[1:])]
    )
    free = (ends >= 0) & (ends < size)
    reads, sizes = ends[free], size[free].astype(np.int64)
    certain = (ends >= size).astype(np.float64)

    def masses(pi: float) -> Array:
        cdf = certain.copy()
        cdf[free] = special.bdtr(reads, sizes, pi)
        return np.asarray(cdf[0] - cdf[1])

    return masses
