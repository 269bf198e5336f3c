"""Streaming statistics of blocks of rows: moments, products, sums by group, and
quantile sketches.

Values are shifted by the first row, so that an offset costs no digits and a constant
column has central sums of 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.linalg.blas import dsyrk

from causalgia.types import Array, Codes, Ints

_TILE = 64


@dataclass
class Moments:
    """Running mean and central sums of squares and cubes of columns, by the pairwise
    update.

    Examples
    --------
    >>> found = Moments()
    >>> for block in (np.array([[1.0], [2.0]]), np.array([[6.0]])):
    ...     _ = found.add(block, np.zeros_like(block))
    >>> found.mean, found.squares, found.skewness.round(4), found.constant
    (array([3.]), array([14.]), array([0.5952]), array([False]))

    References
    ----------
    Chan, Golub & LeVeque (1983), doi:10.1080/00031305.1983.10483115. Pébay (2008),
    doi:10.2172/1028931.
    """

    n: int = 0
    origin: Array = field(default_factory=lambda: np.zeros(0))
    """First row, shape (...)."""
    shift: Array = field(default_factory=lambda: np.zeros(0))
    """Mean less the first row, shape (...)."""
    squares: Array = field(default_factory=lambda: np.zeros(0))
    """Sum of squared deviations from the mean, shape (...)."""
    cubes: Array = field(default_factory=lambda: np.zeros(0))
    """Sum of their cubes, shape (...)."""
    least: Array = field(default_factory=lambda: np.zeros(0))
    most: Array = field(default_factory=lambda: np.zeros(0))
    """Extremes less the first row, shape (...)."""
    low: Array = field(default_factory=lambda: np.zeros(0))
    high: Array = field(default_factory=lambda: np.zeros(0))
    """Intersection of the intervals value +- bound of all rows, empty where low > high;
    shape (...).
    """

    def add(self, values: Array, bound: Array) -> tuple[Array, Array]:
        """Add rows with the bounds on their rounding, shape ``(b, ...)`` each.

        Returns
        -------
        centered, step
            The rows minus their own mean, ``(b, ...)``, and that mean minus the running
            one before, ``(...)``, as needed to update sums of products.
        """
        return self.take(
            values, (values - bound).max(axis=0), (values + bound).min(axis=0)
        )

    def take(self, values: Array, low: Array, high: Array) -> tuple[Array, Array]:
        """Add rows, shape ``(b, ...)``, given the intersection low to high of their
        intervals; as `add`.
        """
        if self.n == 0:
            nothing = np.zeros(values.shape[1:])
            self.origin, self.low, self.high = values[0].copy(), low.copy(), high.copy()
            self.shift, self.squares, self.cubes, self.least, self.most = (
                nothing.copy() for _ in range(5)
            )
        away = values - self.origin
        np.maximum(self.low, low, out=self.low)
        np.minimum(self.high, high, out=self.high)
        np.minimum(self.least, away.min(axis=0), out=self.least)
        np.maximum(self.most, away.max(axis=0), out=self.most)
        mean = away.mean(axis=0)
        away -= mean
        step = mean - self.shift
        self._merge(away, step)
        return away, step

    def _merge(self, centered: Array, step: Array) -> None:
        a, b = self.n, len(centered)
        n = a + b
        power = centered * centered
        squares = power.sum(axis=0)
        power *= centered
        self.cubes += power.sum(axis=0) + step**3 * (a * b * (a - b) / n**2)
        self.cubes += 3 * step * (a * squares - b * self.squares) / n
        self.squares += squares + step**2 * (a * b / n)
        self.shift += step * (b / n)
        self.n = n

    @property
    def mean(self) -> Array:
        """Mean of each column."""
        return self.origin + self.shift

    @property
    def constant(self) -> npt.NDArray[np.bool_]:
        """Where the rows are equal within their rounding."""
        return np.asarray(self.low <= self.high)

    @property
    def zero(self) -> npt.NDArray[np.bool_]:
        """Where they are equal and may be 0."""
        return self.constant & (self.low <= 0) & (self.high >= 0)

    @property
    def sd(self) -> Array:
        """Standard deviation of each column, 0 where it is constant."""
        return np.where(self.constant, 0.0, np.sqrt(self.squares / (self.n - 1)))

    @property
    def skewness(self) -> Array:
        """``m3 / m2^1.5`` of each column, 0 where it is constant."""
        spread = np.where(self.constant, 0.0, self.squares / self.n) ** 1.5
        return np.asarray(
            np.divide(
                self.cubes / self.n, spread, out=np.zeros_like(spread), where=spread > 0
            )
        )

    @property
    def leverage(self) -> Array:
        """Largest share of one row in the sum of squares, 0 where the column is
        constant.
        """
        far = np.maximum(self.most - self.shift, self.shift - self.least)
        varies = ~self.constant & (self.squares > 0)
        return np.asarray(
            np.divide(far**2, self.squares, out=np.zeros_like(far), where=varies)
        )


class Products:
    """Running central sums of products of columns of shape ``(K, R)``, for each of R.

    Each block is added in place by one symmetric product, without a second ``K x K``
    array. With 250 or more rows a block, streaming is as fast as one product of all
    rows.

    Examples
    --------
    >>> moments, products = Moments(), Products()
    >>> for block in (np.array([[[1.0], [0.0]]]), np.array([[[3.0], [4.0]]])):
    ...     products.add(moments.n, *moments.add(block, np.zeros_like(block)))
    >>> products.sums
    array([[[2., 4.],
            [4., 8.]]])

    References
    ----------
    Chan, Golub & LeVeque (1983), doi:10.1080/00031305.1983.10483115.
    """

    def __init__(self) -> None:
        self._lower = np.zeros((0, 0, 0))

    def add(self, before: int, centered: Array, step: Array) -> None:
        """Add a block, given the result of `Moments.add` and the number of rows before
        it.
        """
        rows, n_columns, n_answers = centered.shape
        if not self._lower.size:
            self._lower = np.zeros((n_answers, n_columns, n_columns))
        stacked = np.empty((n_answers, rows + 1, n_columns))
        stacked[:, :rows] = np.moveaxis(centered, 2, 0)
        stacked[:, rows] = step.T * np.sqrt(before * rows / (before + rows))
        for of_rows, sums in zip(stacked, self._lower, strict=True):
            # the upper half of the transpose
            dsyrk(1.0, of_rows.T, beta=1.0, c=sums.T, overwrite_c=True)

    @property
    def sums(self) -> Array:
        """Sums of products, shape ``(R, K, K)``: the running array itself, with both
        halves filled.
        """
        for matrix in self._lower:
            _mirror(matrix)
        return self._lower

    @sums.setter
    def sums(self, values: Array) -> None:
        self._lower = np.array(values, dtype=np.float64, order="C")


def _mirror(matrix: Array) -> None:
    """Copy the lower triangle of a square matrix to the upper one, in tiles that fit
    the cache.
    """
    for start in range(0, len(matrix), _TILE):
        rows = slice(start, start + _TILE)
        for across in range(0, start, _TILE):
            columns = slice(across, across + _TILE)
            matrix[columns, rows] = matrix[rows, columns].T
        corner = matrix[rows, rows]
        corner[...] = np.tril(corner) + np.tril(corner, -1).T


class Sums:
    """Running sums of the rows of each of G groups, shape ``(G, ...)``.

    Examples
    --------
    >>> sums = Sums(2)
    >>> sums.add(np.array([[1.0], [2.0], [5.0]]), np.array([0, 1, 0]))
    >>> sums.about(np.array([2.0]))
    array([[2.],
           [0.]])
    """

    def __init__(self, n_groups: int) -> None:
        self.sizes = np.zeros(n_groups, dtype=np.intp)
        self._sums = np.zeros((n_groups, 1))

    def add(self, values: Array, codes: Codes) -> None:
        """Add rows ``(b, ...)`` with the group of each, 0 to G - 1."""
        groups, rows = len(self.sizes), len(codes)
        indicator = sparse.csr_array(
            (np.ones(rows), (codes, np.arange(rows))), shape=(groups, rows)
        )
        sums = np.asarray(indicator @ values.reshape(rows, -1)).reshape(
            groups, *values.shape[1:]
        )
        self._sums = (
            sums if not self.sizes.any() else np.add(self._sums, sums, out=self._sums)
        )
        self.sizes += np.bincount(codes, minlength=groups)

    def about(self, center: Array) -> Array:
        """Return the sum over the rows of each group of value minus `center`, shape
        ``(G, ...)``.
        """
        return self._sums - self.sizes.reshape(-1, *[1] * center.ndim) * center


_OCTAVES = 40
_BYTES_OF_BINS = 2**25
_LEAST_BINS = 128
_MOST_BINS = 2_048
_NEVER = -(2**40)


def bins_within(n_columns: int) -> int:
    """Return the number of bins on each side of the center that fit 32 MiB for all
    columns, 128 to 2,048.

    Examples
    --------
    >>> [bins_within(n) for n in (1, 1_024, 4_096, 10**6)]
    [2048, 2047, 511, 128]
    """
    return int(
        np.clip((_BYTES_OF_BINS // (8 * n_columns) - 1) // 2, _LEAST_BINS, _MOST_BINS)
    )


class Sketch:
    """Quantile sketch of columns: counts in bins whose width grows with the distance
    from a center.

    The center is the mean of the first block. A value x is counted in bin
    ``ceil(log_g |x - center|)`` on its side of the center, with
    ``g = 2^(40 / n_bins)``, so that distances have the relative error
    ``(g - 1) / (g + 1)``. Bins reach from the farthest value down to 2^-40 (1e-12) of
    its distance; nearer values count as the center. Counts do not depend on the order
    of the blocks after the first, and memory does not grow with the number of values.

    Parameters
    ----------
    n_bins
        Number of bins on each side of the center. The relative error is 0.7 % with
        2,048, 2.7 % with 511, 11 % with 128.

    References
    ----------
    Masson, Rim & Lee (2019), doi:10.14778/3352063.3352135.

    Examples
    --------
    >>> sketch, x = (
    ...     Sketch(2_048),
    ...     np.random.default_rng(0).normal(5.0, 1.0, size=(4_000, 1)),
    ... )
    >>> for block in np.split(x, 4):
    ...     sketch.add(block)
    >>> (
    ...     sketch.quantile(np.array([0.025, 0.5, 0.975]))[:, 0].round(2),
    ...     np.quantile(x, [0.025, 0.5, 0.975]).round(2),
    ... )
    (array([3.08, 4.97, 6.96]), array([3.06, 4.97, 6.96]))
    """

    def __init__(self, n_bins: int) -> None:
        self.bins = n_bins
        self.n = 0
        self.center = np.zeros(0)
        self.counts: Ints = np.zeros((0, 2 * n_bins + 1), np.int64)
        """By column, from the farthest bin below the center to the farthest above, the
        center in the middle.
        """
        self.top: Ints = np.zeros(0, np.int64)
        """Number of the farthest bin of each column."""

    @property
    def error(self) -> float:
        """Largest error of a value, as a share of its distance from the center."""
        g = 2 ** (_OCTAVES / self.bins)
        return (g - 1) / (g + 1)

    def add(self, values: Array) -> None:
        """Add rows, shape ``(b, ...)``."""
        if self.n == 0:
            self.center = values.mean(axis=0)
            columns = self.center.size
            self.counts, self.top = (
                np.zeros((columns, 2 * self.bins + 1), np.int64),
                np.full(columns, _NEVER),
            )
        away = (values - self.center).reshape(len(values), -1)
        number = self._numbers(np.abs(away))
        # columns that reach farther than before shift their bins; values below the
        # lowest bin join the center
        top = number.max(axis=0)
        moved = np.minimum(np.maximum(top - self.top, 0), self.bins)
        for shift in np.unique(moved[moved > 0]):
            farther = moved == shift
            self.counts[farther] = _shifted(self.counts[farther], int(shift))
        self.top = np.maximum(self.top, top)
        place = np.maximum(number - self.top + self.bins, 0)
        flat = (
            np.where(away < 0, -place, place)
            + self.bins
            + np.arange(away.shape[1]) * self.counts.shape[1]
        )
        np.add.at(self.counts.reshape(-1), flat.ravel(), 1)
        self.n += len(values)

    def _numbers(self, distance: Array) -> Ints:
        """Return the bin number of each distance, very low for a distance of 0."""
        log = np.full(distance.shape, float(_NEVER))
        np.log2(distance, out=log, where=distance > 0)
        return np.ceil(log * (self.bins / _OCTAVES)).astype(np.int64)

    def quantile(self, q: Array) -> Array:
        """Return quantiles, linear between order statistics as in `numpy.quantile`,
        shape ``(len(q), ...)``.

        Each of the two order statistics has the relative error `error` of its distance
        from the center.
        """
        rank = q * (self.n - 1)
        low, high = np.floor(rank).astype(np.int64), np.ceil(rank).astype(np.int64)
        share = rank - low
        found = np.empty((len(q), len(self.counts)))
        for column, counts in enumerate(self.counts):
            cumulated = counts.cumsum()
            below, above = (
                self._values(np.searchsorted(cumulated, r, side="right"), column)
                for r in (low, high)
            )
            found[:, column] = below + share * (above - below)
        return self.center + found.reshape(len(q), *self.center.shape)

    def _values(self, place: Ints, column: int) -> Array:
        """Return the signed distance from the center that represents each bin of a
        column.
        """
        side = place - self.bins
        number = np.abs(side) + self.top[column] - self.bins
        distance = np.exp2(number * (_OCTAVES / self.bins)) * (1 - self.error)
        return np.where(side == 0, 0.0, np.sign(side) * distance)


def _shifted(counts: Ints, shift: int) -> Ints:
    """Return the counts of columns after their bins moved `shift` places towards the
    center.
    """
    bins = counts.shape[1] // 2
    out = np.zeros_like(counts)
    out[:, shift:bins] = counts[:, : bins - shift]
    out[:, bins + 1 : counts.shape[1] - shift] = counts[:, bins + 1 + shift :]
    out[:, bins] = counts[:, bins - shift : bins + shift + 1].sum(axis=1)
    return out
