"""Individual effects of units: one population, or two that a mean hides."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from causalgia.choices import DIRECTIONS, NEGLIGIBLE, WITHIN
from causalgia.experiments.kit.variance import Place
from causalgia.tell.shapes import Shape
from causalgia.types import Array, Mask

if TYPE_CHECKING:
    import xarray as xr

_LEAST_SHARE, _LEAST = 0.05, 3
_UNITS = 30
"""Units from which one speaks of two populations."""
_APART = 5.0
"""Distance of two populations in sds within one. Of 1,000 samples of one normal law, ten
of 30 units and none of 150 come apart; a tenth that lies 6.5 sd away does in all."""


def cut_in_two(values: Array) -> tuple[Mask, float]:
    """Return which of the values are the upper of two groups, and how far apart these
    are, in sds within a group.

    The cut is the one of least variance within groups (Otsu 1979) that leaves a
    twentieth of the values, three at least, on either side; equal values stay together.

    References
    ----------
    Otsu (1979), doi:10.1109/TSMC.1979.4310076.

    Examples
    --------
    >>> upper, apart = cut_in_two(np.array([0.0, 0.1, 0.2, 5.0, 5.1, 5.2]))
    >>> upper.tolist(), round(apart)
    ([False, False, False, True, True, True], 50)
    >>> cut_in_two(np.full(6, 1.3))[0].any()
    np.False_
    """
    ordered, n = np.sort(values), len(values)
    least = max(_LEAST, math.ceil(_LEAST_SHARE * n))
    below = np.arange(least, n - least + 1)
    below = below[ordered[below - 1] < ordered[below]]  # equal values stay together
    if not len(below):
        return np.zeros(n, bool), 0.0
    total, square = np.cumsum(ordered), np.cumsum(ordered**2)
    low = total[below - 1] / below
    high = (total[-1] - total[below - 1]) / (n - below)
    within = square[-1] - below * low**2 - (n - below) * high**2
    floor = 1e-12 * max(square[-1], np.finfo(float).tiny)
    apart = (high - low) / np.sqrt(np.maximum(within, floor) / (n - 2))
    best = int(apart.argmax())
    return values >= ordered[below[best]], float(apart[best])


def populations(
    values: Array,
    rope: tuple[float, float],
    verdict: str,
    *,
    axis: str,
    group: str = "",
) -> list[Shape]:
    """Return the populations of individual effects: one, or two or three whose means
    are clearly apart, the largest effect first.

    Effects are cut by value and by size, and the clearer cut is taken. It counts where
    the groups are `_APART` sds apart, and farther than the region is wide and a tenth
    of the mean.

    Parameters
    ----------
    values
        The mean effect of each unit, (unit,).
    rope
        Ends of the region of practical equivalence.
    verdict
        That of the mean, which is the sign of a single population.
    axis, group
        What the units are, and which effect it is.

    Examples
    --------
    >>> effects = np.array([-1.3] * 4 + [0.01, -0.01] * 18)
    >>> [
    ...     (x.n, x.sign, round(x.size, 3), x.share)
    ...     for x in populations(effects, (-0.1, 0.1), "decreases", axis="site")
    ... ]
    [(4, -1, -1.3, 0.1), (36, 0, 0.0, 0.9)]
    """
    n, mean = len(values), float(values.mean())

    def shape(which: Mask, sign: int | None) -> Shape:
        own = values[which]
        by_size = own[np.argsort(abs(own))]
        return Shape(
            axis=axis,
            group=group,
            start=math.nan,
            stop=math.nan,
            n=len(own),
            sign=sign,
            size=float(own.mean()),
            weakest=float(by_size[0]),
            strongest=float(by_size[-1]),
            share=len(own) / n,
        )

    def sign_of(size: float) -> int:
        return 0 if rope[0] <= size <= rope[1] else int(np.sign(size))

    seen = max((values, abs(values)), key=lambda of: cut_in_two(of)[1])
    far, apart = cut_in_two(seen)
    wide = max(abs(mean) / 10, *(abs(end) for end in rope if math.isfinite(end)), 0.0)
    clear = n >= _UNITS and apart >= _APART
    if not clear or seen[far].mean() - seen[~far].mean() <= wide:
        sign = 0 if verdict in (NEGLIGIBLE, WITHIN) else None
        sign = int(np.sign(mean)) if verdict in DIRECTIONS else sign
        return [shape(np.ones(n, bool), sign)]
    groups, signs = [far, ~far], [far & (values > 0), far & (values < 0)]
    if seen is not values and min(s.sum() for s in signs) >= _LEAST_SHARE * n:
        groups = [*signs, ~far]
    found = [shape(own, sign_of(values[own].mean())) for own in groups]
    return sorted(found, key=lambda s: -abs(s.size))


def means_by(values: Array, of: Array) -> Array:
    """Return the mean of the values of each label, in the order of first appearance.

    Examples
    --------
    >>> means_by(np.array([1.0, 3.0, 5.0]), np.array(["b", "b", "a"])).tolist()
    [2.0, 5.0]
    """
    _, first, code = np.unique(of, return_index=True, return_inverse=True)
    mean = np.bincount(code, values) / np.bincount(code)
    return mean[np.argsort(first)]


def effects_at(table: xr.DataArray, row: str, place: Place) -> Array:
    """Return the effects of units in one row, of one task (and model; over all where
    the place names none).
    """
    task, model = place
    one = table.sel(contrast=row, task=task)
    if "model" in one.dims:
        one = one.mean("model") if model is None else one.sel(model=model)
    return one.to_numpy()
