"""Maximum statistics: single-step and step-down p-values from blocks of draws."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from causalgia.checks import MOST_DRAWS, converts_to_float, is_draws, why_no_numbers
from causalgia.compiled import njit
from causalgia.errors import EstimateError, quoted
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Array, Codes

Block = npt.NDArray[np.floating]

_BLOCK_BYTES = 2**23


FLOAT32_SLACK = 2e-6
"""Relative difference within which a draw ties with what was observed; ties count."""


@dataclass(frozen=True)
class MaxT:
    """Contrasts tested against the maximum over all of them, by draws from a reference
    distribution.

    Attributes
    ----------
    observed
        The statistic of each contrast (absolute where the test is two-sided), shape
        ``(K,)``.
    p_raw, p_single_step, p_step_down
        p of each contrast by itself; against the maximum over all; against the maximum
        over those no larger (Westfall & Young), made monotone. Shape ``(K,)``.
    critical
        The value that the maximum exceeds with probability ``1 - ci_prob``, on the
        scale of `observed`.
    maxima
        The maximum of each draw in ascending order, shape ``(B,)``.

    Notes
    -----
    p is ``(1 + #) / (1 + B)``.
    """

    observed: Array
    p_raw: Array
    p_single_step: Array
    p_step_down: Array
    critical: float
    maxima: Array


def rows_per_block(n_rows: int, n_columns: int, n_draws: int) -> int:
    """Return the number of draws in a block of 8 MB of float32, between 16 and 1,024.

    Examples
    --------
    >>> rows_per_block(1_000, 4_096, 10_000), rows_per_block(10, 2, 99)
    (512, 99)
    """
    fit = _BLOCK_BYTES // (4 * max(n_rows, n_columns, 1))
    return int(min(max(16, min(fit, 1024)), n_draws))


def against_maxima(
    observed: Array,
    blocks: Iterable[Block],
    *,
    ci_prob: float,
) -> MaxT:
    """Count the draws that reach each observed statistic, alone and through successive
    maxima.

    Parameters
    ----------
    observed
        Statistics, shape ``(K,)``.
    blocks
        Draws of the same statistics in the order of `descending_order`, shape
        ``(K, b)`` each.
    ci_prob
        Probability of the band. The critical value is read at it.

    Raises
    ------
    EstimateError
        If there are too few draws for `ci_prob`.

    References
    ----------
    Westfall & Young (1993), Resampling-Based Multiple Testing, Wiley. Ge, Dudoit &
    Speed (2003), doi:10.1007/BF02595811. Phipson & Smyth (2010),
    doi:10.2202/1544-6115.1585.

    Examples
    --------
    >>> draws = np.array([[2.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 2.0]])
    >>> answer = against_maxima(np.array([2.0, 1.0]), [draws], ci_prob=0.5)
    >>> answer.p_raw, answer.p_single_step, answer.p_step_down
    (array([0.4, 0.6]), array([0.6, 1. ]), array([0.6, 0.6]))
    """
    order = descending_order(observed)
    threshold = observed[order] - FLOAT32_SLACK * np.abs(observed[order])
    alone, down = (
        np.zeros(len(order), dtype=np.int64),
        np.zeros(len(order), dtype=np.int64),
    )
    tops = []
    for block in blocks:
        top = np.empty(block.shape[1], block.dtype)
        tally(
            np.ascontiguousarray(block), threshold.astype(block.dtype), alone, down, top
        )
        tops.append(top.astype(np.float64))
    maxima = np.sort(np.concatenate(tops))
    single = len(maxima) - np.searchsorted(
        maxima, threshold.astype(block.dtype), side="left"
    )
    shares = [(count + 1) / (len(maxima) + 1) for count in (alone, single, down)]
    shares[2] = np.maximum.accumulate(shares[2])
    back = np.argsort(order)
    p_raw, p_single_step, p_step_down = (share[back] for share in shares)
    n_draws = len(maxima)
    rank = int(np.ceil(ci_prob * (n_draws + 1) * (1 - 1e-12)))
    if rank > n_draws:
        raise EstimateError(
            f"{n_draws} draws are too few for ci_prob={ci_prob:g}; take "
            f"{int(np.ceil(ci_prob / (1 - ci_prob)))} or more"
        )
    critical = float(maxima[rank - 1])
    return MaxT(observed, p_raw, p_single_step, p_step_down, critical, maxima)


def descending_order(observed: Array) -> npt.NDArray[np.intp]:
    """Return the order of the statistics from the largest down, ties as they come.

    Examples
    --------
    >>> descending_order(np.array([1.0, 3.0, 1.0]))
    array([1, 0, 2])
    """
    return np.argsort(-observed, kind="stable")


_CHUNK_BYTES = 2**22


def column_chunks(ice: Array) -> Iterator[slice]:
    """Yield slices of the columns of an array ``(n, K)`` that hold 4 MB of doubles at
    most.

    Examples
    --------
    >>> [s.stop for s in column_chunks(np.zeros((1_000, 1_200)))]
    [524, 1048, 1572]
    """
    wide = max(1, _CHUNK_BYTES // (8 * max(len(ice), 1)))
    for start in range(0, ice.shape[1], wide):
        yield slice(start, start + wide)


def scale_columns(ice: Array) -> tuple[Array, Array]:
    """Divide each column by the power of 2 above its largest magnitude: squares do not
    overflow, no digit is lost.

    Returns
    -------
    columns, exponents
        Shapes ``(n, K)`` and ``(K,)``.

    Examples
    --------
    >>> scale_columns(np.array([[3e200], [-1e200]]))[0].round(2)
    array([[ 0.98],
           [-0.33]])
    """
    exponents = np.frexp(np.abs(ice).max(axis=0))[1]
    return np.ldexp(np.asarray(ice, dtype=np.float64), -exponents), exponents


def as_ice_array(
    ice: npt.ArrayLike, cluster: npt.ArrayLike | None
) -> tuple[Array, Codes | None]:
    """Return ICE ``(n, K)`` and the cluster of each unit as arrays.

    Raises
    ------
    EstimateError
        If ICE are not finite numbers of two dims, or clusters are not the integers 0 to
        G - 1, all of them present.

    Examples
    --------
    >>> as_ice_array([1.0, 2.0], None)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: ice has shape (2,); give (units, contrasts): ice[:, None] for one contrast
    """
    raw = np.asarray(ice)
    values: Array = raw if raw.dtype.kind == "f" else _as_floats(raw)
    if values.ndim != 2 or values.size == 0:
        raise EstimateError(
            f"ice has shape {values.shape}; give (units, contrasts): ice[:, None] for "
            "one contrast"
        )
    if not np.isfinite(values).all():
        unit, k = np.argwhere(~np.isfinite(values))[0]
        raise EstimateError(f"unit {unit}, contrast {k}: the ICE is {values[unit, k]}")
    if cluster is None:
        return values, None
    codes = np.asarray(cluster)
    if (
        codes.shape != (len(values),)
        or codes.dtype.kind not in "iu"
        or codes.min() < 0
        or not np.bincount(codes).all()
    ):
        raise EstimateError(
            f"cluster has shape {codes.shape} and dtype {codes.dtype}; give an integer "
            f"0 to G - 1 for each of {len(values)} units, none left out: "
            "pandas.factorize(names)[0]"
        )
    return values, codes.astype(np.intp, copy=False)


def _as_floats(values: npt.NDArray[np.generic]) -> Array:
    if values.dtype.kind not in "biuO":
        raise EstimateError(f"ice has dtype {values.dtype}; give floats")
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        for place, one in np.ndenumerate(values):
            if values.ndim == 2 and not converts_to_float(one):
                raise EstimateError(
                    f"unit {place[0]}, contrast {place[1]}: the ICE is {quoted(one)}"
                ) from error
        raise EstimateError(
            f"ice does not hold numbers alone ({why_no_numbers(values)}); give one row "
            "of floats for each unit"
        ) from error


def purpose_generator(rng: RNG | None, purpose: str) -> np.random.Generator:
    """Return the random generator of a named purpose under `rng`.

    Examples
    --------
    >>> purpose_generator(0, "bootstrap_t").integers(10) == purpose_generator(
    ...     0, "bootstrap_t"
    ... ).integers(10)
    np.True_
    """
    key = root_key(rng)  # type: ignore[arg-type]  # None is refused there, with the cure
    return np.random.Generator(np.random.Philox(key=derive(key, purpose)))


def check_count(n_draws: int, argument: str) -> None:
    """Raise unless the number of draws is a whole number from 1 to 10^8."""
    if not is_draws(n_draws):
        raise EstimateError(
            f"{argument}={quoted(n_draws)} is not a number of draws, 1 to "
            f"{MOST_DRAWS:,}"
        )


def check_enough_draws(n_draws: int, ci_prob: float, argument: str) -> None:
    """Raise unless the number of draws is a positive integer large enough for
    `ci_prob`.
    """
    check_count(n_draws, argument)
    needed = int(np.ceil(ci_prob / (1 - ci_prob) * (1 - 1e-12)))
    if n_draws < needed:
        raise EstimateError(
            f"{argument}={n_draws} is too few for ci_prob={ci_prob:g}; take "
            f"{needed} or more"
        )


@njit(nogil=True)
def tally(block: Any, bar: Any, alone: Any, down: Any, top: Any) -> None:
    """Count the draws that reach the bar of each row: each row `alone`, and the maximum
    over rows from it (`down`).

    Parameters
    ----------
    block
        Draws of statistics, (K, b), the largest observed one first.
    bar
        Threshold of each row, (K,), of the same type.
    alone, down
        Counts so far, (K,) int64.
    top
        Output: the maximum of each draw over all rows, (b,).
    """
    top[:] = -np.inf
    for i in range(block.shape[0] - 1, -1, -1):
        row, limit, by_itself, from_below = block[i], bar[i], 0, 0
        for j in range(row.size):
            value, most = row[j], top[j]
            most = value if value > most else most
            top[j] = most
            by_itself += value >= limit
            from_below += most >= limit
        alone[i] += by_itself
        down[i] += from_below
