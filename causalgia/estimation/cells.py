"""What the rule of intervals reads beside effect and error, from the residuals of the
fit that was made: skewness, and the error by the pooled variance of independent cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalgia.numerics.moments import centered, group_sums, satterthwaite, skewness
from causalgia.types import Array, Codes


@dataclass(frozen=True)
class Cells:
    r"""Residuals of a fit whose K estimates are sums over C independent cells (arms,
    arms of a block, or all units of a regression).

    :math:`\hat\theta_k = \sum_c w_{kc} \sum_{i \in c} h_i y_i` over independent units i.

    Attributes
    ----------
    weight
        w, shape ``(K, C)``; 0 of cells that a contrast does not use.
    loading, residual, cell
        h, residuals and cell of each unit, shapes ``(n,)``, ``(n, R)``, ``(n,)``; every
        cell has a unit.
    df
        Residual degrees of freedom of each cell, shape ``(C,)``.

    Examples
    --------
    >>> cells = Cells(
    ...     weight=np.array([[-1.0, 1.0]]),
    ...     loading=np.full(4, 0.5),
    ...     residual=np.array([[-1.0], [1.0], [0.0], [0.0]]),
    ...     cell=np.array([0, 0, 1, 1]),
    ...     df=np.array([1.0, 1.0]),
    ... )
    >>> cells.pooled_error
    (array([[1.]]), array([[2.]]))
    """

    weight: Array
    loading: Array
    residual: Array
    cell: Codes
    df: Array | Codes

    @property
    def pooled_error(self) -> tuple[Array, Array]:
        r"""Standard errors by the pooled variance of the own cells and their df, shapes
        ``(K, R)`` and ``(K, 1)``: :math:`se^2 = s^2 \sum_c w_c^2 \sum_{i \in c} h_i^2`, with s^2 the
        sum of squares over the df of the cells that have a weight. Where a small arm
        shows no spread by chance, its own error takes this for certainty, and this one
        does not. 0 on 1 df where no cell has any.
        """
        small, exponent = self._scaled
        own = (self.weight != 0).astype(np.float64)
        df = (own @ self.df)[:, None]
        size = (self.weight**2 @ np.bincount(self.cell, self.loading**2))[:, None]
        squares = own @ group_sums(small**2, self.cell)
        variance = np.where(df > 0, squares * size, 0.0) / np.maximum(df, 1)
        return np.ldexp(np.sqrt(variance), exponent), np.maximum(df, 1.0)

    @property
    def root_n_skewness(self) -> Array:
        r"""Skewness of the estimates' error, :math:`\sum \psi^3 / (\sum \psi^2)^{1.5}` of
        the contributions :math:`\psi_i = w h_i e_i`, shape ``(K, R)``; 0 where nothing
        varies.
        """
        psi = self.loading[:, None] * self._scaled[0]
        third, second = (
            self.weight**power @ group_sums(psi**power, self.cell) for power in (3, 2)
        )
        return np.divide(third, second**1.5, out=np.zeros_like(third), where=second > 0)

    @property
    def sd(self) -> Array:
        """Standard deviation of each cell, ``(C, R)``; 0 without df."""
        small, exponent = self._scaled
        df = np.maximum(self.df, 1)[:, None]
        return np.ldexp(np.sqrt(group_sums(small**2, self.cell) / df), exponent)

    @property
    def _scaled(self) -> tuple[Array, Codes]:
        return _scaled(self.residual)


def root_n_skewness_of(psi: Array) -> Array:
    r"""Return :math:`\sum \psi^3 / (\sum \psi^2)^{1.5}` of the contributions of groups,
    ``(G, ...)``: zeros, of groups that a contrast does not have, change nothing.

    Examples
    --------
    >>> root_n_skewness_of(np.array([-1.0, -1.0, 2.0, 0.0])).round(4)
    np.float64(0.4082)
    """
    return np.asarray(skewness(psi) / np.sqrt(len(psi)))[()]


def _scaled(residual: Array) -> tuple[Array, Codes]:
    """Return residuals over a power of two, whose squares and cubes are floats."""
    exponent = np.frexp(np.abs(residual).max(axis=0, initial=0.0))[1]
    return np.ldexp(residual, -exponent), exponent


def pooled_error_of_clusters(
    weight: Array, residual: Array, arm: Codes, cluster: Codes, fitted: int
) -> tuple[Array, Array]:
    r"""Return the error of one contrast of arms whose units share clusters, by variances
    that the arms have in common, and its Satterthwaite df, shape ``(R,)`` each.

    :math:`se^2 = s_b^2 \sum_g d_g^2 + s_w^2 \sum_i c_i^2`, with c the weights of units, d
    their sums by cluster, :math:`s_b^2` the variance of clusters' means, and
    :math:`s_w^2` that inside the clusters that have two arms or more, which the second
    sum runs over. Where each cluster lies in one arm it is the pooled variance of the
    clusters' means. 0 on 1 df without any df.

    Parameters
    ----------
    weight, residual
        Of units in the contrast and of its fit, shapes ``(n,)`` and ``(n, R)``.
    arm, cluster
        Of each unit, shape ``(n,)``.
    fitted
        Number of coefficients of the fit.

    Examples
    --------
    >>> arm, y = np.array([0, 0, 1, 1]), np.array([[-1.0], [1.0], [0.0], [0.0]])
    >>> w, each = np.array([-0.5, -0.5, 0.5, 0.5]), np.arange(4)
    >>> pooled_error_of_clusters(w, y, arm, each, fitted=2)
    (array([1.]), array([2.]))
    """
    small, exponent = _scaled(residual)
    clusters, g = np.unique(cluster, return_inverse=True)
    means, inside = centered(small, g)
    n_arms = np.bincount(np.unique(np.column_stack([g, arm]), axis=0)[:, 0])
    both = n_arms[g] > 1
    pieces = [
        (
            (means**2).sum(axis=0) * (np.bincount(g, weight) ** 2).sum(),
            len(clusters) - fitted,
        ),
        (
            (inside[both] ** 2).sum(axis=0) * (weight[both] ** 2).sum(),
            int(both.sum()) - int((n_arms > 1).sum()) - fitted + 1,
        ),
    ]
    dfs = np.array([[max(df, 1)] for _, df in pieces])
    variances = np.stack([x if df > 0 else np.zeros_like(x) for x, df in pieces]) / dfs
    return (
        np.ldexp(np.sqrt(variances.sum(axis=0)), exponent),
        np.asarray(satterthwaite(variances, dfs)),
    )
