"""The largest of many statistics: blocks of draws counted against what was observed, by single step and step-down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalgia.errors import EstimateError
from causalgia.types import Array

Block = npt.NDArray[np.floating]

_BLOCK_BYTES = 2**23
SLACK = 1e-9
FLOAT32_SLACK = 2e-6


@dataclass(frozen=True)
class MaxT:
    """Contrasts held against the largest of them, over the draws of a reference distribution.

    Attributes
    ----------
    observed
        The statistic of each contrast (absolute where the test is two-sided), shape ``(K,)``.
    p_raw, p_single_step, p_step_down
        p of each contrast by itself; against the maximum over all; against the maximum over those no larger (Westfall &
        Young), made monotone. Shape ``(K,)``.
    critical
        The value that the maximum exceeds with probability ``1 - ci_prob``, on the scale of `observed`.
    maxima
        The maximum of each draw in ascending order, shape ``(B,)``; the observed one is among them when `exact`.
    exact
        Whether the draws are all there are; otherwise p is ``(1 + #) / (1 + B)``.
    """

    observed: Array
    p_raw: Array
    p_single_step: Array
    p_step_down: Array
    critical: float
    maxima: Array
    exact: bool


def rows_per_block(n_rows: int, n_columns: int, n_draws: int) -> int:
    """Return how many draws fit a block of 8 MB of float32, between 16 and 1,024.

    Examples
    --------
    >>> rows_per_block(1_000, 4_096, 10_000), rows_per_block(10, 2, 99)
    (512, 99)
    """
    fit = _BLOCK_BYTES // (4 * max(n_rows, n_columns, 1))
    return int(min(max(16, min(fit, 1024)), n_draws))


def against_maxima(observed: Array, blocks: Iterable[Block], *, ci_prob: float, exact: bool, slack: float) -> MaxT:
    """Count the draws that reach each observed statistic, alone and through successive maxima.

    Parameters
    ----------
    observed
        Statistics, shape ``(K,)``.
    blocks
        Draws of the same statistics in the order of `descending`, shape ``(K, b)`` each.
    ci_prob
        Probability at which the critical value is read.
    exact
        Whether the draws enumerate the reference distribution, the observed one included.
    slack
        Relative difference within which a draw ties with what was observed; ties count.

    Raises
    ------
    EstimateError
        If there are too few draws for `ci_prob`.

    References
    ----------
    Westfall & Young (1993), Resampling-Based Multiple Testing, Wiley. Ge, Dudoit & Speed (2003),
    doi:10.1007/BF02595811. Phipson & Smyth (2010), doi:10.2202/1544-6115.1585.

    Examples
    --------
    >>> draws = np.array([[2.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 2.0]])
    >>> answer = against_maxima(np.array([2.0, 1.0]), [draws], ci_prob=0.5, exact=True, slack=1e-9)
    >>> answer.p_raw, answer.p_single_step, answer.p_step_down
    (array([0.25, 0.5 ]), array([0.5, 1. ]), array([0.5, 0.5]))
    """
    from causalgia.multiplicity.tally import tally

    order = descending(observed)
    reached = observed[order] - slack * np.abs(observed[order])
    alone, down = np.zeros(len(order), dtype=np.int64), np.zeros(len(order), dtype=np.int64)
    tops = []
    for block in blocks:
        top = np.empty(block.shape[1], block.dtype)
        tally(np.ascontiguousarray(block), reached.astype(block.dtype), alone, down, top)
        tops.append(top.astype(np.float64))
    maxima = np.sort(np.concatenate(tops))
    single = len(maxima) - np.searchsorted(maxima, reached.astype(block.dtype), side="left")
    shares = [(count + (not exact)) / (len(maxima) + (not exact)) for count in (alone, single, down)]
    shares[2] = np.maximum.accumulate(shares[2])
    p_raw, p_single_step, p_step_down = (_in_place_of(order, share) for share in shares)
    critical = _critical(maxima, ci_prob, exact)
    return MaxT(observed, p_raw, p_single_step, p_step_down, critical, maxima, exact)


def descending(observed: Array) -> npt.NDArray[np.intp]:
    """Return the order of the statistics from the largest down, ties as they come.

    Examples
    --------
    >>> descending(np.array([1.0, 3.0, 1.0]))
    array([1, 0, 2])
    """
    return np.argsort(-observed, kind="stable")


def _in_place_of(order: npt.NDArray[np.intp], values: Array) -> Array:
    out = np.empty_like(values)
    out[order] = values
    return out


def _critical(maxima: Array, ci_prob: float, exact: bool) -> float:
    """Return the value with p <= 1 - ci_prob beyond it, by the same counting as p."""
    n_draws = len(maxima)
    rank = int(np.ceil(ci_prob * (n_draws + (not exact)) * (1 - 1e-12)))
    if rank > n_draws:
        raise EstimateError(
            f"{n_draws} draws are too few for ci_prob={ci_prob:g}; take {int(np.ceil(ci_prob / (1 - ci_prob)))} or more"
        )
    return float(maxima[rank - 1])
