"""Quantiles of values that come block by block and are not kept: counts in logarithmic bins about a centre."""

from __future__ import annotations

import numpy as np

from causalgia.types import Array, Ints

_OCTAVES = 40
_BYTES, _FEWEST, _MOST = 2**25, 128, 2_048
_NEVER = -(2**40)


def bins_within(n_columns: int) -> int:
    """Return the bins to each side of the centre: what 32 MiB hold for all columns, 128 to 2,048.

    Examples
    --------
    >>> [bins_within(n) for n in (1, 1_024, 4_096, 10**6)]
    [2048, 2047, 511, 128]
    """
    return int(np.clip((_BYTES // (8 * n_columns) - 1) // 2, _FEWEST, _MOST))


class Sketch:
    """Counts of columns in bins whose width grows with the distance from a centre, the mean of the first block.

    A value x is counted at ``ceil(log_g |x - centre|)``, on its side of the centre, with ``g = 2^(40 / bins)``: every
    distance is known to a share ``error = (g - 1) / (g + 1)`` of itself. The bins reach from the farthest value down to
    2^-40 (1e-12) of its distance; what is nearer counts as the centre. Counts are whole numbers that do not depend on
    the order of the blocks after the first, and their memory not on how many values there are.

    Parameters
    ----------
    bins
        To each side of the centre. 2,048 know a distance to 0.7 %, 511 to 2.7 %, 128 to 11 %.

    References
    ----------
    Masson, Rim & Lee (2019), doi:10.14778/3352063.3352135.

    Examples
    --------
    >>> sketch, x = Sketch(2_048), np.random.default_rng(0).normal(5.0, 1.0, size=(4_000, 1))
    >>> for block in np.split(x, 4):
    ...     sketch.add(block)
    >>> sketch.quantile(np.array([0.025, 0.5, 0.975]))[:, 0].round(2), np.quantile(x, [0.025, 0.5, 0.975]).round(2)
    (array([3.08, 4.97, 6.96]), array([3.06, 4.97, 6.96]))
    """

    def __init__(self, bins: int) -> None:
        self.bins = bins
        self.n = 0
        self.centre = np.zeros(0)
        self.counts: Ints = np.zeros((0, 2 * bins + 1), np.int64)
        """By column, from the farthest bin below the centre over the centre itself to the farthest above."""
        self.top: Ints = np.zeros(0, np.int64)
        """Number of the farthest bin of each column."""

    @property
    def error(self) -> float:
        """Largest error of a value, as a share of its distance from the centre."""
        g = 2 ** (_OCTAVES / self.bins)
        return (g - 1) / (g + 1)

    def add(self, values: Array) -> None:
        """Take in rows, shape ``(b, ...)``."""
        if self.n == 0:
            self.centre = values.mean(axis=0)
            columns = self.centre.size
            self.counts, self.top = np.zeros((columns, 2 * self.bins + 1), np.int64), np.full(columns, _NEVER)
        away = (values - self.centre).reshape(len(values), -1)
        number = self._numbers(np.abs(away))
        self._raise(number.max(axis=0))
        place = np.maximum(number - self.top + self.bins, 0)
        flat = np.where(away < 0, -place, place) + self.bins + np.arange(away.shape[1]) * self.counts.shape[1]
        np.add.at(self.counts.reshape(-1), flat.ravel(), 1)
        self.n += len(values)

    def _numbers(self, distance: Array) -> Ints:
        """Return the number of the bin of each distance, very low for none."""
        log = np.full(distance.shape, float(_NEVER))
        np.log2(distance, out=log, where=distance > 0)
        return np.ceil(log * (self.bins / _OCTAVES)).astype(np.int64)

    def _raise(self, top: Ints) -> None:
        """Move the bins of columns that reach farther than before; what falls out counts as the centre."""
        moved = np.minimum(np.maximum(top - self.top, 0), self.bins)
        for shift in np.unique(moved[moved > 0]):
            columns = moved == shift
            self.counts[columns] = _shifted(self.counts[columns], int(shift))
        self.top = np.maximum(self.top, top)

    def quantile(self, q: Array) -> Array:
        """Return quantiles, linear between order statistics as in `numpy.quantile`, shape ``(len(q), ...)``.

        Each of the two order statistics is known to a share `error` of its distance from the centre.
        """
        rank = q * (self.n - 1)
        low, high = np.floor(rank).astype(np.int64), np.ceil(rank).astype(np.int64)
        share = rank - low
        found = np.empty((len(q), len(self.counts)))
        for column, counts in enumerate(self.counts):
            cumulated = counts.cumsum()
            below, above = (self._values(np.searchsorted(cumulated, r, side="right"), column) for r in (low, high))
            found[:, column] = below + share * (above - below)
        return self.centre + found.reshape(len(q), *self.centre.shape)

    def _values(self, place: Ints, column: int) -> Array:
        """Return the distance from the centre, with its sign, that stands for each bin of a column."""
        side = place - self.bins
        number = np.abs(side) + self.top[column] - self.bins
        distance = np.exp2(number * (_OCTAVES / self.bins)) * (1 - self.error)
        return np.where(side == 0, 0.0, np.sign(side) * distance)


def _shifted(counts: Ints, shift: int) -> Ints:
    """Return the counts of columns whose bins have moved `shift` places outwards, so that each is nearer the centre."""
    bins = counts.shape[1] // 2
    out = np.zeros_like(counts)
    out[:, shift:bins] = counts[:, : bins - shift]
    out[:, bins + 1 : counts.shape[1] - shift] = counts[:, bins + 1 + shift :]
    out[:, bins] = counts[:, bins - shift : bins + shift + 1].sum(axis=1)
    return out
