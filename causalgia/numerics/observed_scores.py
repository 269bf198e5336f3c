"""Scores of the observed bases of maps, as arrays."""

from __future__ import annotations

import numpy as np

from causalgia.types import Array, Tokens


def observed_scores(score: Array, observed: Tokens, *, by_substitution: bool = False) -> Array:
    """Return the score of the observed base at each position, (n, length, ...), from (n, length, 4, ...).

    Parameters
    ----------
    score
        Scores by base.
    observed
        Tokens (n, length).
    by_substitution
        Whether scores are changes by substitutions, 0 for the observed base: its own is then minus the mean of the
        three others.

    Examples
    --------
    >>> observed_scores(np.array([[[0.5, 0.0, -0.5, 0.0]]]), np.array([[2]], np.uint8)).tolist()
    [[-0.5]]
    >>> observed_scores(np.array([[[-3.0, -2.0, 0.0, -1.0]]]), np.array([[2]], np.uint8), by_substitution=True).tolist()
    [[2.0]]
    """
    if by_substitution:
        lost: Array = -score.sum(axis=2) / 3
        return lost
    at = observed.astype(np.intp).reshape(*observed.shape, *[1] * (score.ndim - 2))
    taken: Array = np.take_along_axis(score, at, axis=2)[:, :, 0]
    return taken
