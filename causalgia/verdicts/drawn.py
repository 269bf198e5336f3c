"""What draws say of regions: probabilities, intervals and sign rates of many effects, block by block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalgia.types import Array

_BLOCK = 2**22
"""Numbers of a block: 32 MiB."""


@dataclass(frozen=True)
class Summary:
    """Draws of K effects in a few numbers each; every array has shape ``(K,)``.

    Attributes
    ----------
    mean, sd, lower, upper
        Posterior mean and sd, and the equal-tailed interval.
    above, below
        Share of draws above and below the region; the rest is inside, ends included.
    lfsr
        ``P(0) + min(P(< 0), P(> 0))`` about no effect: the local false sign rate; draws that are exactly no effect
        count as P(0).
    """

    mean: Array
    sd: Array
    lower: Array
    upper: Array
    above: Array
    below: Array
    lfsr: Array


def summarise(
    draws: npt.NDArray[np.floating], rope_lower: Array, rope_upper: Array, *, ci_prob: float, null: float = 0.0
) -> Summary:
    """Return what draws of many effects say of each, without a copy of them.

    Parameters
    ----------
    draws
        S draws of K effects, shape ``(S, K)``.
    rope_lower, rope_upper
        Ends of each effect's region of practical equivalence, on the scale of the draws, shape ``(K,)``.
    ci_prob
        Probability of the equal-tailed interval.
    null
        The value of no effect, about which the sign is asked: 1 for ratios.

    References
    ----------
    Stephens (2017), doi:10.1093/biostatistics/kxw041: the local false sign rate.

    Examples
    --------
    >>> draws = np.array([[-1.0], [0.0], [1.0], [2.0]])
    >>> found = summarise(draws, np.array([0.0]), np.array([1.0]), ci_prob=0.5)
    >>> found.above, found.below, found.lfsr, found.lower
    (array([0.25]), array([0.25]), array([0.5]), array([-0.25]))
    """
    n_draws, n = draws.shape
    wide = max(1, _BLOCK // max(n_draws, 1))
    blocks = [slice(start, start + wide) for start in range(0, n, wide)]
    parts = [_block(draws[:, b], rope_lower[b], rope_upper[b], ci_prob, null) for b in blocks]
    return Summary(*np.concatenate(parts, axis=1))


def _block(draws: npt.NDArray[np.floating], low: Array, high: Array, ci_prob: float, null: float) -> Array:
    x = np.array(draws.T, order="C")  # a copy: the quantiles sort it in place
    above, below = (x > high[:, None]).mean(axis=1), (x < low[:, None]).mean(axis=1)
    lfsr = 1 - np.maximum((x > null).mean(axis=1), (x < null).mean(axis=1))
    mean, sd = x.mean(axis=1, dtype=np.float64), x.std(axis=1, dtype=np.float64)
    tail = (1 - ci_prob) / 2
    lower, upper = np.quantile(x, [tail, 1 - tail], axis=1, overwrite_input=True)
    return np.stack([mean, sd, lower, upper, above, below, lfsr])
