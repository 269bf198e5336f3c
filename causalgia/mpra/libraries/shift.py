"""What rules do to a null model: how far the backgrounds that are ordered are from those that were drawn first."""

from __future__ import annotations

import numpy as np

from causalgia.types import Array, Tokens

_AT_ONCE = 1 << 13


def word_shares(tokens: Tokens, k: int) -> tuple[Array, int]:
    """Return the share of each word of k letters among all places of sequences (n, length), (4^k,), and the places."""
    counts = np.zeros(4**k, np.int64)
    for start in range(0, len(tokens), _AT_ONCE):
        rows = tokens[start : start + _AT_ONCE].astype(np.int64)
        width = rows.shape[1] - k + 1
        codes = sum(rows[:, i : i + width] << (2 * (k - 1 - i)) for i in range(k))
        counts += np.bincount(np.ravel(codes), minlength=4**k)
    total = int(counts.sum())
    return counts / max(total, 1), total


def jensen_shannon(p: Array, q: Array) -> float:
    """Return the Jensen-Shannon divergence of two distributions in bits: 0 where they are equal, at most 1.

    References
    ----------
    Lin (1991) Divergence measures based on the Shannon entropy, doi:10.1109/18.61115.

    Examples
    --------
    >>> jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    middle = (p + q) / 2
    return float((_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2)


def _relative_entropy(p: Array, q: Array) -> float:
    some = p > 0
    return float(np.sum(p[some] * np.log2(p[some] / q[some])))


def composition_shift(before: Tokens, after: Tokens, *, k: int) -> tuple[float, float]:
    """Return the divergence of the words of k letters in two samples, and what chance alone would make of it.

    Two independent samples of m words each from one population diverge by about ``(4^k - 1) / (4 m ln 2)`` bits.

    Parameters
    ----------
    before, after
        Sequences, (n, length) and (m, length).
    k
        Letters of a word, at most the length.

    Returns
    -------
    tuple of float
        Jensen-Shannon divergence in bits, and that of two independent samples this large.
    """
    (p, n), (q, m) = word_shares(before, k), word_shares(after, k)
    return max(jensen_shannon(p, q), 0.0), (4**k - 1) / (4 * max(min(n, m), 1) * np.log(2))
