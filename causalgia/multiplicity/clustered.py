"""Cluster sums in pieces of columns, so that thousands of contrasts need no second array of doubles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from causalgia.errors import EstimateError
from causalgia.estimation.moments import Array, Codes, group_sums
from causalgia.streams import RNG, derive, root_key

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
        raise EstimateError(f"{argument}={n_draws!r} is not a number of draws; for example {argument}=9_999")


def refuse_few_draws(n_draws: int, ci_prob: float, argument: str) -> None:
    """Refuse a number of draws that is no count, or that cannot reach `ci_prob`."""
    require_count(n_draws, argument)
    needed = int(np.ceil(ci_prob / (1 - ci_prob) * (1 - 1e-12)))
    if n_draws < needed:
        raise EstimateError(f"{argument}={n_draws} is too few for ci_prob={ci_prob:g}; take {needed} or more")


def cluster_sums(x: Array, cluster: Codes | None) -> Array:
    """Sum rows by cluster, or leave them where each is its own."""
    return x if cluster is None else group_sums(x, cluster)
