"""Moments of values that come block by block and are not kept: means, central sums, extremes, sums by group.

All are of values less the first row, so that an offset costs no digits and a constant column has sums that are 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.linalg.blas import dsyrk

from causalgia.types import Array, Codes

_TILE = 64


@dataclass
class Moments:
    """Running mean and central sums of squares and cubes of columns, by the pairwise update.

    Examples
    --------
    >>> found = Moments()
    >>> for block in (np.array([[1.0], [2.0]]), np.array([[6.0]])):
    ...     _ = found.add(block, np.zeros_like(block))
    >>> found.mean, found.squares, found.skewness.round(4), found.constant
    (array([3.]), array([14.]), array([0.5952]), array([False]))

    References
    ----------
    Chan, Golub & LeVeque (1983), doi:10.1080/00031305.1983.10483115. Pébay (2008), doi:10.2172/1028931.
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
    """The interval that the intervals value +- bound of all rows share, empty where low > high; shape (...)."""

    def add(self, values: Array, bound: Array) -> tuple[Array, Array]:
        """Take in rows with the bounds on their rounding, shape ``(b, ...)`` both.

        Returns
        -------
        centred, step
            The rows less their own mean, ``(b, ...)``, and that mean less the running one before, ``(...)``: what
            sums of products need for their own update.
        """
        return self.take(values, (values - bound).max(axis=0), (values + bound).min(axis=0))

    def take(self, values: Array, low: Array, high: Array) -> tuple[Array, Array]:
        """Take in rows, shape ``(b, ...)``, of which the intervals value +- bound share low to high; as `add`."""
        if self.n == 0:
            nothing = np.zeros(values.shape[1:])
            self.origin, self.low, self.high = values[0].copy(), low.copy(), high.copy()
            self.shift, self.squares, self.cubes, self.least, self.most = (nothing.copy() for _ in range(5))
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

    def _merge(self, centred: Array, step: Array) -> None:
        a, b = self.n, len(centred)
        n = a + b
        power = centred * centred
        squares = power.sum(axis=0)
        power *= centred
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
        """Where the rows are one number within their own rounding."""
        return np.asarray(self.low <= self.high)

    @property
    def zero(self) -> npt.NDArray[np.bool_]:
        """Where that number may be 0."""
        return self.constant & (self.low <= 0) & (self.high >= 0)

    @property
    def sd(self) -> Array:
        """Standard deviation of each column, 0 where it is constant."""
        return np.where(self.constant, 0.0, np.sqrt(self.squares / (self.n - 1)))

    @property
    def skewness(self) -> Array:
        """``m3 / m2^1.5`` of each column, 0 where it is constant."""
        spread = np.where(self.constant, 0.0, self.squares / self.n) ** 1.5
        return np.asarray(np.divide(self.cubes / self.n, spread, out=np.zeros_like(spread), where=spread > 0))

    @property
    def leverage(self) -> Array:
        """Largest share of one row in the sum of squares, 0 where the column is constant."""
        far = np.maximum(self.most - self.shift, self.shift - self.least)
        varies = ~self.constant & (self.squares > 0)
        return np.asarray(np.divide(far**2, self.squares, out=np.zeros_like(far), where=varies))


class Products:
    """Running central sums of products of columns of shape ``(K, R)``, for each of R.

    Each block is added in place by one symmetric product, so that no second array of ``K x K`` is made; from 250 rows a
    block on, streaming costs nothing beside one product of all rows.

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

    def add(self, before: int, centred: Array, step: Array) -> None:
        """Take in what `Moments.add` returned, and the number of rows before it."""
        rows, n_columns, n_answers = centred.shape
        if not self._lower.size:
            self._lower = np.zeros((n_answers, n_columns, n_columns))
        together = np.empty((n_answers, rows + 1, n_columns))
        together[:, :rows] = np.moveaxis(centred, 2, 0)
        together[:, rows] = step.T * np.sqrt(before * rows / (before + rows))
        for of_rows, sums in zip(together, self._lower, strict=True):
            dsyrk(1.0, of_rows.T, beta=1.0, c=sums.T, overwrite_c=True)  # the upper half of the transpose

    @property
    def sums(self) -> Array:
        """Sums of products, shape ``(R, K, K)``: the array that is added to, with both its halves filled."""
        for matrix in self._lower:
            _mirror(matrix)
        return self._lower

    @sums.setter
    def sums(self, values: Array) -> None:
        self._lower = np.array(values, dtype=np.float64, order="C")


def _mirror(matrix: Array) -> None:
    """Copy the lower half of a square matrix to its upper half, in tiles that fit the cache."""
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
        """Take in rows ``(b, ...)`` and the group of each, 0 to G - 1."""
        groups, rows = len(self.sizes), len(codes)
        indicator = sparse.csr_array((np.ones(rows), (codes, np.arange(rows))), shape=(groups, rows))
        sums = np.asarray(indicator @ values.reshape(rows, -1)).reshape(groups, *values.shape[1:])
        self._sums = sums if not self.sizes.any() else np.add(self._sums, sums, out=self._sums)
        self.sizes += np.bincount(codes, minlength=groups)

    def about(self, centre: Array) -> Array:
        """Return the sum over the rows of each group of value less `centre`, shape ``(G, ...)``."""
        return self._sums - self.sizes.reshape(-1, *[1] * centre.ndim) * centre
