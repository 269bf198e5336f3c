"""Maximum statistics: critical values from blocks of draws."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from causalgia.checks import MOST_DRAWS, converts_to_float, is_draws, why_no_numbers
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
