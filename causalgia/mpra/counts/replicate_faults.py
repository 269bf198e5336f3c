"""Two groups of replicates, as of two cell types."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.types import Array

RELIABLE, LEAST_OLIGOS, _NONE = 0.75, 10, 1e-12


def find_groups(sums: xr.Dataset, names: list[str]) -> list[str]:
    """Say which two groups of replicates there are, as of two cell types, whose
    activities repeat within each but not between them.
    """
    pair = {"replicate": names}
    ratio, observed = (
        sums["log2_ratio"].sel(pair).to_numpy(),
        sums["n_bc"].sel(pair).to_numpy() > 0,
    )
    n, R = int(observed.all(axis=1).sum()), len(names)
    if R < 4 or n < LEAST_OLIGOS:
        return []
    r = np.array(
        [
            [
                _replicate_correlation(ratio, observed, i, j, ranks=True)
                for j in range(R)
            ]
            for i in range(R)
        ]
    )
    i, j = np.unravel_index(int(r.argmin()), r.shape)
    nearer = r[i] > r[j]
    if min(nearer.sum(), (~nearer).sum()) < 2:
        return []
    within, between = (
        float(r[nearer[:, None] == nearer].min()),
        float(r[nearer[:, None] != nearer].max()),
    )
    clear = np.arctanh(min(within, 1 - _NONE)) - np.arctanh(
        min(between, 1 - _NONE)
    ) > 3 * np.sqrt(2 / (n - 3))
    if not (within > 0 and clear and max(between, 0.0) ** 2 < RELIABLE * within**2):
        return []
    with_first = (nearer == nearer[0]).tolist()
    first, second = (
        ", ".join(
            name for name, found in zip(names, with_first, strict=True) if found is side
        )
        for side in (True, False)
    )
    return [
        f"replicates {first} and replicates {second} are two groups: activities "
        f"correlate (by rank) at least {within:.2f} within each and at most "
        f"{between:.2f} between them; if these are two cell types or conditions, read "
        "one at a time (replicates=), and else check which samples the columns are "
        "of"
    ]


def _replicate_correlation(
    ratio: Array, observed: NDArray[np.bool_], i: int, j: int, *, ranks: bool = False
) -> float:
    if i == j:
        return 1.0
    columns = ratio[observed[:, i] & observed[:, j]][:, [i, j]]
    if ranks:
        from scipy.stats import rankdata  # imported here: slow to load

        columns = rankdata(columns, axis=0)
    return _pearson_or_zero(*columns.T)


def _pearson_or_zero(x: Array, y: Array) -> float:
    if len(x) < 3:
        return 0.0
    a, b = x - x.mean(), y - y.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0
