"""Error of contrasts of independent arms by their pooled variance."""

from __future__ import annotations

import numpy as np

from causalgia.numerics.moments import centered
from causalgia.types import Array, Codes


def pooled_error(Y: Array, arm: Codes, W: Array) -> tuple[Array, Array]:
    r"""Return the standard error and df of contrasts by the pooled variance of their
    own arms.

    ``se^2 = s^2 sum_a w_a^2 / n_a`` with ``s^2`` the sum of squares within the arms
    that have a weight over its ``sum_a (n_a - 1)`` df. Where a small arm shows no
    spread by chance, Welch's error takes this for certainty, and this one does not.

    Parameters
    ----------
    Y
        Outcomes, one arm a unit, shape ``(n, R)``.
    arm
        Arm of each unit, shape ``(n,)``.
    W
        Weights of K contrasts over all arms, shape ``(K, A)``.

    Returns
    -------
    se, df
        Shape ``(K, R)`` each.

    Examples
    --------
    >>> y, arm = np.array([[1.0], [3.0], [5.0], [5.0]]), np.array([0, 0, 1, 1])
    >>> se, df = pooled_error(y, arm, np.array([[-1.0, 1.0]]))
    >>> se, df
    (array([[1.]]), array([[2.]]))
    """
    counts = np.bincount(arm, minlength=W.shape[1])
    used = np.flatnonzero((W != 0).any(axis=0))
    squares = np.zeros((W.shape[1], Y.shape[1]))
    # squares of 1e-200 are no floats; powers of two cost no digit
    exponent = np.frexp(np.abs(Y).max(axis=0, initial=0.0))[1]
    for a in used:
        rest = np.ldexp(centered(Y[arm == a])[1], -exponent)
        squares[a] = (rest**2).sum(axis=0)
    own = (W != 0).astype(np.float64)
    df = own @ np.maximum(counts - 1, 0)
    share = (W[:, used] ** 2 / np.maximum(counts[used], 1)).sum(axis=1)
    variance = (own @ squares) / np.maximum(df, 1)[:, None]
    return np.ldexp(np.sqrt(variance * share[:, None]), exponent), np.broadcast_to(
        np.maximum(df, 1)[:, None], variance.shape
    ).astype(np.float64)
