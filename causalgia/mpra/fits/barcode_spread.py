"""How much the activities of barcodes spread within arms, free of the noise of reads: products over replicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from causalgia.mpra.counts.log_ratios import group_sums
from causalgia.mpra.fits.negative_binomial_fit import Regression
from causalgia.types import Array, Ints

SURE, MATERIAL = 1e-3, 0.25
LEAST_ELEMENTS = 20
"""From which on unequal spreads are seen: sd .3 and .6 (.2 and .8) of log2 activities in .05, .30, .74, .98 (.03, .62,
.98, 1) of trials with 4, 8, 12, 20 elements of 20 barcodes in 4 replicates."""


def barcode_products(fit: Regression, used: NDArray[np.bool_], group: Ints, shape: tuple[int, int]) -> Array:
    """Return sums of products of relative residuals over pairs of replicates, and the number of pairs.

    ``(y_br / mu_br - 1) (y_bs / mu_bs - 1)`` of barcode b in replicates r < s: noise of reads is independent in
    replicates, so its expectation is the variance of the barcodes' activities in units of their squared mean. The
    fitted mean of n barcodes takes out one, so the pairs count (n - 1) / n each.

    Parameters
    ----------
    fit
        Of the reads.
    used
        Which cells count, shape ``(B, R)``.
    group
        ``element * A + arm`` of each row, shape ``(B,)``.
    shape
        (E, A).

    Returns
    -------
    array
        Shape ``(E, A, 2)``; 0 in elements without a fit.
    """
    known = used & (fit.weight > 0) & fit.converged[group // shape[1]][:, None]
    x = np.where(known, fit.score / np.where(known, fit.weight, 1.0), 0.0)
    m = known.sum(axis=1)
    found = group_sums(
        np.stack([(x.sum(axis=1) ** 2 - (x**2).sum(axis=1)) / 2, m * (m - 1) / 2], axis=-1), group, shape
    )
    n = group_sums((m > 0).astype(np.float64), group, shape)
    found[..., 1] *= (n - 1) / np.maximum(n, 1)
    return found


@dataclass(frozen=True)
class Gap:
    """What the log2 ratio of means is more than the difference of mean logs, in one contrast, over all elements.

    Attributes
    ----------
    gap, se, p
        Of lognormal activities of the barcodes; its standard error over elements, and p by t on E - 1.
    cv
        Standard deviation of the barcodes' activities in units of their mean, by arm, shape ``(A,)``.
    """

    gap: float
    se: float
    p: float
    cv: Array

    def matters(self, se: Array) -> bool:
        """Return whether the gap is sure, and more than a quarter of the typical standard error of the effects."""
        return self.p < SURE and abs(self.gap) > MATERIAL * float(np.median(se))


def barcode_spread(products: Array, weights: Array) -> Gap:
    """Return by how much the log2 ratio of mean activities exceeds the difference of mean logs.

    ``sum_a w_a log2(1 + c_a^2) / 2`` with c_a the coefficient of variation of arm a, over all elements.

    Parameters
    ----------
    products
        Of `barcode_products`, shape ``(E, A, 2)``.
    weights
        Of the contrast, shape ``(A,)``.

    Examples
    --------
    >>> products = np.array([[[0.3, 10.0], [4.0, 10.0]], [[0.5, 10.0], [6.0, 10.0]], [[0.4, 10.0], [5.0, 10.0]]])
    >>> found = barcode_spread(products, np.array([-1.0, 1.0]))
    >>> round(found.gap, 3), found.cv.round(2)
    (0.264, array([0.2 , 0.71]))
    """
    E, pairs = len(products), products[..., 1].sum(axis=0)
    if E < 2 or not (pairs[weights != 0] > 0).all():
        return Gap(0.0, 0.0, 1.0, np.zeros(len(weights)))
    square = np.where(pairs > 0, products[..., 0].sum(axis=0) / np.where(pairs > 0, pairs, 1.0), 0.0)
    inside = np.maximum(1 + square, 0.1)
    gap = float(weights @ np.log2(inside)) / 2
    slopes = weights / (2 * np.log(2.0) * inside * np.where(pairs > 0, pairs, 1.0))
    moved = (products[..., 0] - square * products[..., 1]) @ slopes
    se = float(np.sqrt(moved @ moved * E / (E - 1)))
    p = float(2 * special.stdtr(E - 1, -abs(gap) / se)) if se > 0 else 1.0
    return Gap(gap, se, p, np.sqrt(np.maximum(square, 0.0)))
