"""Effects from one number a barcode: its mean log ratio over the replicates that have it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalgia.estimation import moderate_unequal
from causalgia.mpra.fits.cells import Cells
from causalgia.mpra.fits.fitted import Fitted
from causalgia.types import Array


@dataclass(frozen=True)
class Means:
    """Means of barcodes of E elements under A arms.

    Attributes
    ----------
    mean
        Over the barcodes, each counting once, shape ``(E, A)``.
    n
        Barcodes, shape ``(E, A)``.
    squares
        Sum of squares about the mean, shape ``(E, A)``.
    """

    mean: Array
    n: Array
    squares: Array

    @property
    def df(self) -> Array:
        """Degrees of freedom of the pooled variance of each element, shape ``(E,)``."""
        return np.asarray(self.n.sum(axis=1) - self.n.shape[1])

    @property
    def pooled(self) -> Array:
        """Variance of barcodes within arms, pooled over the arms of each element, shape ``(E,)``; 0 on 0 df."""
        return np.asarray(self.squares.sum(axis=1) / np.maximum(self.df, 1))


def barcode_means(cells: Cells) -> Means:
    """Return the means over barcodes of their mean log ratio ``y_b``, for each element and arm.

    A barcode is the unit that was assigned to an arm, and its own activity repeats in every replicate; its mean over
    the replicates that have it is one observation.
    """
    y = cells.ratio.sum(axis=1) / cells.used.sum(axis=1)
    n = cells.sums(np.ones_like(y))
    mean = cells.sums(y) / n
    return Means(mean, n, cells.sums((y - cells.at(mean)) ** 2))


def barcode_welch(means: Means, weights: Array) -> Fitted:
    """Compare arms by their barcodes' means, with a variance of its own in each arm (Welch).

    Parameters
    ----------
    means
        Of E elements under A arms, two barcodes or more in each.
    weights
        Of each arm in each contrast, shape ``(K, A)``.

    References
    ----------
    Welch (1947), doi:10.1093/biomet/34.1-2.28.
    """
    part = (means.squares / (means.n - 1) / means.n)[:, None] * weights**2
    variance = part.sum(axis=2)
    df = variance**2 / (part**2 / (means.n - 1)[:, None]).sum(axis=2)
    return Fitted(means.mean @ weights.T, np.sqrt(variance), df)


def barcode_moderated(means: Means, weights: Array) -> Fitted:
    """Compare arms by their barcodes' means, with one variance an element, moderated over elements.

    Knows nothing of noise that the barcodes of an arm share in a replicate: where there is such noise, it is too sure.

    Parameters
    ----------
    means
        Of E elements under A arms.
    weights
        Of each arm in each contrast, shape ``(K, A)``.

    References
    ----------
    Smyth (2004), doi:10.2202/1544-6115.1027.
    """
    moderated = moderate_unequal(means.pooled, means.df)
    variance = moderated.variance[:, None] * ((1 / means.n) @ (weights**2).T)
    df = np.broadcast_to(moderated.df[:, None], variance.shape)
    return Fitted(means.mean @ weights.T, np.sqrt(variance), df)


def barcode_pooled(means: Means, weights: Array, family: NDArray[np.int64]) -> Fitted:
    """Compare arms by their barcodes' means, with one variance for all elements of a family (backgrounds of a motif).

    Parameters
    ----------
    means
        Of E elements under A arms.
    weights
        Of each arm in each contrast, shape ``(K, A)``.
    family
        Family of each element, 0 to F - 1, shape ``(E,)``.
    """
    df = np.bincount(family, means.df)
    pooled = np.bincount(family, means.squares.sum(axis=1)) / np.maximum(df, 1)
    variance = pooled[family][:, None] * ((1 / means.n) @ (weights**2).T)
    return Fitted(means.mean @ weights.T, np.sqrt(variance), np.broadcast_to(df[family][:, None], variance.shape))
