"""Linear models of log ratios, one an element: arms, with replicates as blocks that share noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from causalgia.errors import EstimateError
from causalgia.estimation import moderate_unequal
from causalgia.mpra.counts.summing import group_sums
from causalgia.mpra.fits.fitted import Fitted
from causalgia.types import Array, Ints


@dataclass(frozen=True)
class Linear:
    """Linear models of E elements under A arms.

    Attributes
    ----------
    mean
        Of each arm, shape ``(E, A)``; contrasts of them are what a model estimates.
    unscaled
        Covariance of these, a unit of variance, shape ``(E, A, A)``.
    s2, df
        Residual variance and its degrees of freedom, shape ``(E,)`` each.
    """

    mean: Array
    unscaled: Array
    s2: Array
    df: Array

    def contrasts(self, weights: Array) -> Fitted:
        """Return contrasts ``(K, A)`` of the arms, their variances moderated over elements (limma's eBayes)."""
        if not self.df.any():
            raise EstimateError("the linear model has no degrees of freedom left: one replicate; use more replicates")
        moderated = moderate_unequal(self.s2, self.df)
        unscaled = np.einsum("ka,eab,kb->ek", weights, self.unscaled, weights)
        df = np.broadcast_to(moderated.df[:, None], unscaled.shape)
        prior = {"prior_df": float(moderated.prior_df), "prior_variance": float(moderated.prior_variance)}
        if np.isinf(prior["prior_df"]):
            prior["prior_df"] = float(df.max())
        return Fitted(self.mean @ weights.T, np.sqrt(moderated.variance[:, None] * unscaled), df, {}, prior)

    def unmoderated(self, weights: Array) -> Fitted:
        """Return contrasts ``(K, A)`` of the arms, each element with its own variance.

        With few elements the spread of their variances is known too badly to moderate them; where one of them has no
        degrees of freedom or no spread, they are moderated all the same.
        """
        if not self.df.any():
            raise EstimateError("the linear model has no degrees of freedom left: one replicate; use more replicates")
        if not (self.df.all() and self.s2.all()):
            return self.contrasts(weights)
        unscaled = np.einsum("ka,eab,kb->ek", weights, self.unscaled, weights)
        df = np.broadcast_to(self.df[:, None], unscaled.shape)
        return Fitted(self.mean @ weights.T, np.sqrt(self.s2[:, None] * unscaled), df)

    def any_contrast(self, weights: Array) -> tuple[Array, Array]:
        """Return F and p, shape ``(E,)`` each, of the test that contrasts, of full rank, are all 0."""
        moderated = moderate_unequal(self.s2, self.df)
        effect = self.mean @ weights.T
        covariance = np.einsum("ka,eab,lb->ekl", weights, self.unscaled, weights)
        solved = np.linalg.solve(covariance, effect[..., None])[..., 0]
        F = (effect * solved).sum(axis=1) / (len(weights) * moderated.variance)
        return F, special.fdtrc(float(len(weights)), moderated.df, F)


def paired(y: Array, there: NDArray[np.bool_] | None = None) -> Linear:
    """Fit ``replicate + arm`` by least squares to the replicates of each element that have every arm.

    Parameters
    ----------
    y
        Numbers, shape ``(E, A, R)``.
    there
        Which there are, shape ``(E, A, R)``; None: all. Each element has one replicate with every arm, at least.

    References
    ----------
    Smyth (2004), doi:10.2202/1544-6115.1027.
    """
    E, A, R = y.shape
    whole: NDArray[np.bool_] = np.ones((E, R), bool) if there is None else np.equal(there.sum(axis=1), A)
    n = whole.sum(axis=1).astype(np.float64)
    y = np.where(whole[:, None], y, 0.0)
    mean = y.sum(axis=2) / n[:, None]
    left = y - mean[:, :, None] - y.mean(axis=1, keepdims=True) + mean.mean(axis=1)[:, None, None]
    squares = (np.where(whole[:, None], left, 0.0) ** 2).sum(axis=(1, 2))
    df = (A - 1) * (n - 1)
    return Linear(mean, np.eye(A) / n[:, None, None], squares / np.maximum(df, 1.0), df)


def blocked(y: Array, w: Array, group: Ints, shape: tuple[int, int], correlation: float) -> Linear:
    """Fit ``arm`` by generalised least squares, all numbers of a replicate correlated alike.

    Number i of an element has variance ``sigma^2 / w_i``, and two of one replicate correlate by `correlation` (limma's
    duplicateCorrelation model). The inverse covariance of a block is its diagonal less one product, so that sums over
    the block are all there is to compute.

    Parameters
    ----------
    y, w
        Numbers and their precision weights, shape ``(B, R)``; a weight of 0 is a missing number.
    group
        ``element * A + arm`` of each row, shape ``(B,)``.
    shape
        (E, A).
    correlation
        Of numbers within a replicate, above ``-1 / (size of a block - 1)`` and below 1.

    References
    ----------
    Smyth, Michaud & Scott (2005), doi:10.1093/bioinformatics/bti270.
    """
    A, root = shape[1], np.sqrt(w)

    def sums(values: Array) -> Array:
        return group_sums(values, group, shape)

    size = sums((w > 0).astype(np.float64))
    take = correlation / (1 - correlation + size.sum(axis=1) * correlation)
    s = sums(root)
    normal = -np.einsum("er,ear,ebr->eab", take, s, s)
    normal[:, np.arange(A), np.arange(A)] += sums(w.sum(axis=1))
    right = sums((w * y).sum(axis=1)) - np.einsum("er,ear,er->ea", take, s, sums(root * y).sum(axis=1))
    inverse = np.linalg.inv(normal)
    mean = np.einsum("eab,eb->ea", inverse, right)
    left = y - mean.reshape(-1)[group][:, None]
    squares = sums((w * left**2).sum(axis=1)).sum(axis=1) - (take * sums(root * left).sum(axis=1) ** 2).sum(axis=1)
    df = size.sum(axis=(1, 2)) - A
    s2 = np.maximum(squares, 0.0) / (1 - correlation) / np.maximum(df, 1)
    return Linear(mean, inverse * (1 - correlation), s2, df)
