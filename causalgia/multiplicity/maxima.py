"""Maximum statistics: critical values from blocks of draws."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from causalgia.checks import MOST_DRAWS, is_draws
from causalgia.errors import EstimateError, quoted
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Array, Codes

Block = npt.NDArray[np.floating]

_BLOCK_BYTES = 2**23


def rows_per_block(n_rows: int, n_columns: int, n_draws: int) -> int:
    """Return the number of draws in a block of 8 MB of float32, between 16 and 1,024.

    Examples
    --------
    >>> rows_per_block(1_000, 4_096, 10_000), rows_per_block(10, 2, 99)
    (512, 99)
    """
    fit = _BLOCK_BYTES // (4 * max(n_rows, n_columns, 1))
    return int(min(max(16, min(fit, 1024)), n_draws))


def quantile_of_maxima(blocks: Iterable[Block], ci_prob: float) -> tuple[float, Array]:
    """Return the value that the maximum over rows exceeds with probability
    ``1 - ci_prob``, and the maximum of each draw in ascending order.

    Parameters
    ----------
    blocks
        Draws of K statistics, shape ``(K, b)`` each.
    ci_prob
        The probability.

    Raises
    ------
    EstimateError
        If there are too few draws for `ci_prob`.

    Examples
    --------
    >>> draws = np.array([[2.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 2.0]])
    >>> quantile_of_maxima([draws], 0.5)
    (2.0, array([1., 1., 2., 2.]))
    """
    tops = [block.max(axis=0).astype(np.float64) for block in blocks]
    maxima = np.sort(np.concatenate(tops))
    rank = int(np.ceil(ci_prob * (len(maxima) + 1) * (1 - 1e-12)))
    if rank > len(maxima):
        raise EstimateError(
            f"{len(maxima)} draws are too few for ci_prob={ci_prob:g}; take "
            f"{int(np.ceil(ci_prob / (1 - ci_prob)))} or more"
        )
    return float(maxima[rank - 1]), maxima


def largest_among(values: Array, group: Codes) -> Array:
    """Return the largest value of the group of each.

    Examples
    --------
    >>> largest_among(np.array([1.0, 3.0, 2.0]), np.array([0, 0, 1]))
    array([3., 3., 2.])
    """
    largest = np.full(int(group.max()) + 1, -np.inf)
    np.maximum.at(largest, group, values)
    return largest[group]


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


def purpose_generator(rng: RNG | None, purpose: str) -> np.random.Generator:
    """Return the random generator of a named purpose under `rng`.

    Examples
    --------
    >>> purpose_generator(0, "sup_t").integers(10) == purpose_generator(
    ...     0, "sup_t"
    ... ).integers(10)
    np.True_
    """
    key = root_key(rng)  # type: ignore[arg-type]  # None is refused there, with the cure
    return np.random.Generator(np.random.Philox(key=derive(key, purpose)))


def check_enough_draws(n_draws: int, ci_prob: float, argument: str) -> None:
    """Raise unless the number of draws is a positive integer large enough for
    `ci_prob`.
    """
    if not is_draws(n_draws):
        raise EstimateError(
            f"{argument}={quoted(n_draws)} is not a number of draws, 1 to "
            f"{MOST_DRAWS:,}"
        )
    needed = int(np.ceil(ci_prob / (1 - ci_prob) * (1 - 1e-12)))
    if n_draws < needed:
        raise EstimateError(
            f"{argument}={n_draws} is too few for ci_prob={ci_prob:g}; take "
            f"{needed} or more"
        )
