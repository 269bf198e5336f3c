"""Level 1 of the hierarchy: how the estimates vary about the effects, ``d_hat | delta ~ N(delta, Sigma)``."""

from __future__ import annotations

from dataclasses import dataclass

from causalgia.posterior.exact import Array


@dataclass(frozen=True, eq=False)
class Noise:
    """Sigma, the covariance of K estimates about their effects, in one of three forms.

    Independent (``loadings`` and ``whole`` None), low rank + diagonal (``loadings``), or ``whole``.
    """

    variances: Array
    """Diagonal D of ``Sigma = L L' + D``, (K,), all positive; with ``whole``, the diagonal of Sigma itself."""
    loadings: Array | None = None
    """L, (K, r)."""
    whole: Array | None = None
    """Sigma itself, (K, K), symmetric and positive definite."""

    @property
    def marginal(self) -> Array:
        """Diagonal of Sigma, (K,): the squared standard errors."""
        return self.variances if self.loadings is None else self.variances + (self.loadings**2).sum(axis=1)
