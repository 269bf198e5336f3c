"""Parts of a replicate that were copied from another after scaling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from causalgia.mpra.counts.split_index import LEAST_CELLS
from causalgia.types import Array, Ints, Mask

_LEAST_READS, _LEAST_PART, _LOG_RISK, _MOST_CELLS = 20, 0.1, 18.0, 50_000


class ScaledPart(NamedTuple):
    """Cells of one replicate that are those of another times a constant.

    Attributes
    ----------
    factor
        The constant.
    share
        The share of the cells that are so.
    at_most
        The largest share that independent libraries have.
    """

    factor: float
    share: float
    at_most: float


def scaled_part(a: Ints, b: Ints) -> ScaledPart | None:
    r"""Return the part of b that is a times a constant, rounded or cut to a whole number;
    None where independent libraries may have as much.

    Given a, the reads b of an independent library are a mixture of Poisson variables,
    however dispersed, and a mixture has the value x with a probability of at most
    :math:`\pi(x) = e^{-x} x^x / x!`. For a constant c, the number of cells with
    ``b = round(c a)`` has therefore a mean of at most the sum of :math:`\pi(c a)`. The
    c with the most such cells is found by a sweep over the intervals of c that each
    cell allows, and their number has to exceed the sum by a tenth of the cells, and by
    Bernstein's bound at a risk of ``e^-18`` over all c. Used are cells in which a and
    c a are 20 or more, which does not select by b.

    Parameters
    ----------
    a, b
        Reads of the same cells, shape ``(n,)``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.poisson(60, (2, 500))
    >>> scaled_part(a, b) is None
    True
    >>> b[:200] = np.round(0.7 * a[:200])
    >>> [round(x, 2) for x in scaled_part(a, b)]
    [0.7, 0.39, 0.06]
    """
    deep = (a >= _LEAST_READS) & (b > 0)
    if len(a) > _MOST_CELLS:
        deep &= np.arange(len(a)) % (len(a) // _MOST_CELLS + 1) == 0
    if deep.sum() < LEAST_CELLS:
        return None
    a, b = a[deep].astype(np.float64), b[deep].astype(np.float64)
    for below, above in ((0.5, 0.5), (0.0, 1.0)):
        factor = _most_common(np.maximum(b - below, 0.0) / a, (b + above) / a)
        scaled = np.floor(factor * a + below)
        used = scaled >= _LEAST_READS
        n = int(used.sum())
        if n < LEAST_CELLS:
            continue
        most = _largest_probability(scaled[used])
        equal: Mask = scaled[used] == b[used]
        # Bernstein: e^-risk bounds the tail of a sum of n independent indicators
        risk = _LOG_RISK + np.log(n)
        variance = float((most * (1 - most)).sum())
        margin = risk / 3 + np.sqrt((risk / 3) ** 2 + 2 * risk * variance)
        excess = float(equal.sum() - most.sum())
        if excess > max(_LEAST_PART * n, margin):
            return ScaledPart(float(factor), float(equal.mean()), float(most.mean()))
    return None


def _largest_probability(x: Array) -> Array:
    """Return the probability of x under the Poisson law that gives it the largest."""
    return np.asarray(np.exp(special.xlogy(x, x) - x - special.gammaln(x + 1)))


def _most_common(lower: Array, upper: Array) -> float:
    """Return a number that the most half-open intervals have in common: the middle of
    the first stretch that has them all.

    Examples
    --------
    >>> _most_common(np.array([0.0, 1.0, 1.5, 5.0]), np.array([2.0, 3.0, 1.75, 6.0]))
    1.625
    """
    ends = np.concatenate([lower, upper])
    steps = np.repeat([1, -1], len(lower))
    order = np.lexsort((steps, ends))  # an interval ends before another begins
    depth = np.cumsum(steps[order])
    i = int(np.argmax(depth))
    return float((ends[order[i]] + ends[order[min(i + 1, len(order) - 1)]]) / 2)
