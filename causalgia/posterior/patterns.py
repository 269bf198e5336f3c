"""What effects may share along the loadings of their errors, so that the scores of the errors are not read from it."""

from __future__ import annotations

import numpy as np

from causalgia.posterior.error_covariance import Noise
from causalgia.types import Array

_EFFECTS_EACH = 10  # a coefficient of the centre takes ten effects, as a covariance of K contrasts takes 10 K units
_NOTHING = 1e-8


def shared_patterns(noise: Noise, covariates: Array | None = None) -> Array | None:
    """Return the patterns of the loadings as covariates of the effects, (K, p); None where there are none.

    Words that resemble each other err together, for they make and destroy the same things in the same units, and have
    effects alike for the same reason: effects are not exchangeable along the loadings L of ``Sigma = L L' + D``. Were
    they taken for that, the pattern of the effects would be read as a large score f of their errors, and taken out of
    all of them. With ``delta = mu + x' beta + p' b + ...`` and b as free as mu, a pattern in the estimates belongs to
    the effects, f keeps its law N(0, I), and the error it stands for stays in every interval.

    Parameters
    ----------
    noise
        Of K effects.
    covariates
        Of each effect, (K, q): what loadings have in common with them, or with mu, is theirs already.

    Returns
    -------
    ndarray or None
        Orthonormal columns about mu and the covariates, that of the largest errors first; at most one in ten effects.

    Examples
    --------
    >>> control = Noise(np.ones(20), loadings=np.ones((20, 1)))
    >>> shared_patterns(control) is None
    True
    >>> half = Noise(np.ones(20), loadings=np.repeat([[0.0], [2.0]], 10, axis=0))
    >>> shared_patterns(half).round(3)[[0, -1]]
    array([[-0.224],
           [ 0.224]])
    """
    if noise.loadings is None:
        return None
    size = len(noise.loadings)
    known = np.ones((size, 1)) if covariates is None else np.column_stack([np.ones(size), covariates])
    rest = noise.loadings - known @ np.linalg.lstsq(known, noise.loadings)[0]
    columns, length, turn = np.linalg.svd(rest, full_matrices=False)
    kept = length > _NOTHING * np.linalg.norm(noise.loadings)
    kept[size // _EFFECTS_EACH :] = False
    signs = np.where(turn.sum(axis=1) < 0, -1.0, 1.0)  # an SVD leaves them open
    return np.asarray((columns * signs)[:, kept]) if kept.any() else None
