"""Cluster sums in pieces of columns, so that thousands of contrasts need no second array of doubles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from causalgia.errors import EstimateError, quoted
from causalgia.numerics.moments import group_sums
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Array, Codes

_CHUNK_BYTES = 2**22


def column_chunks(ice: Array) -> Iterator[slice]:
    """Yield slices of the columns of an array ``(n, K)`` that hold 4 MB of doubles at most.

    Examples
    --------
    >>> [s.stop for s in column_chunks(np.zeros((1_000, 1_200)))]
    [524, 1048, 1572]
    """
    wide = max(1, _CHUNK_BYTES // (8 * max(len(ice), 1)))
    for start in range(0, ice.shape[1], wide):
        yield slice(start, start + wide)


def sized_columns(ice: Array) -> tuple[Array, Array]:
    """Divide each column by the power of two next above its largest size: no square overflows, no digit is lost.

    Returns
    -------
    columns, exponents
        Shapes ``(n, K)`` and ``(K,)``.

    Examples
    --------
    >>> sized_columns(np.array([[3e200], [-1e200]]))[0].round(2)
    array([[ 0.98],
           [-0.33]])
    """
    exponents = np.frexp(np.abs(ice).max(axis=0))[1]
    return np.ldexp(np.asarray(ice, dtype=np.float64), -exponents), exponents


def individual(ice: npt.ArrayLike, cluster: npt.ArrayLike | None) -> tuple[Array, Codes | None]:
    """Return ICE ``(n, K)`` and the cluster of each unit as arrays, or say what they are instead.

    Raises
    ------
    EstimateError
        If ICE are not finite numbers of two dims, or clusters are not the integers 0 to G - 1, all of them present.

    Examples
    --------
    >>> individual([1.0, 2.0], None)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: ice has shape (2,); give (units, contrasts): ice[:, None] for one contrast
    """
    given = np.asarray(ice)
    values: Array = given if given.dtype.kind == "f" else _floats(given)
    if values.ndim != 2 or values.size == 0:
        raise EstimateError(f"ice has shape {values.shape}; give (units, contrasts): ice[:, None] for one contrast")
    if not np.isfinite(values).all():
        unit, k = np.argwhere(~np.isfinite(values))[0]
        raise EstimateError(f"unit {unit}, contrast {k}: the ICE is {values[unit, k]}; leave the unit out or repair it")
    if cluster is None:
        return values, None
    codes = np.asarray(cluster)
    if codes.shape != (len(values),) or codes.dtype.kind not in "iu" or codes.min() < 0 or not np.bincount(codes).all():
        raise EstimateError(
            f"cluster has shape {codes.shape} and dtype {codes.dtype}; give an integer 0 to G - 1 for each of "
            f"{len(values)} units, none left out: pandas.factorize(names)[0]"
        )
    return values, codes.astype(np.intp, copy=False)


def _floats(values: npt.NDArray[np.generic]) -> Array:
    if values.dtype.kind not in "biuO":
        raise EstimateError(f"ice has dtype {values.dtype}; give floats")
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise EstimateError(f"ice does not hold numbers alone ({error}); give floats") from error


def generator(rng: RNG | None, purpose: str) -> np.random.Generator:
    """Return the stream of a purpose under `rng`.

    Examples
    --------
    >>> generator(0, "bootstrap_t").integers(10) == generator(0, "bootstrap_t").integers(10)
    np.True_
    """
    key = root_key(rng)  # type: ignore[arg-type]  # None is refused there, with the cure
    return np.random.Generator(np.random.Philox(key=derive(key, purpose)))


def require_count(n_draws: int, argument: str) -> None:
    """Refuse a number of draws that is no count."""
    if isinstance(n_draws, bool) or not isinstance(n_draws, int | np.integer) or n_draws < 1:
        raise EstimateError(f"{argument}={quoted(n_draws)} is not a number of draws; for example {argument}=9_999")


def refuse_few_draws(n_draws: int, ci_prob: float, argument: str) -> None:
    """Refuse a number of draws that is no count, or that cannot reach `ci_prob`."""
    require_count(n_draws, argument)
    needed = int(np.ceil(ci_prob / (1 - ci_prob) * (1 - 1e-12)))
    if n_draws < needed:
        raise EstimateError(f"{argument}={n_draws} is too few for ci_prob={ci_prob:g}; take {needed} or more")


def cluster_sums(x: Array, cluster: Codes | None) -> Array:
    """Sum rows by cluster, or leave them where each is its own."""
    return x if cluster is None else group_sums(x, cluster)
