"""Edits of token arrays: each takes (n, L) uint8 tokens and returns a new array.

A `piece` is either one row of tokens, shape (w,), written into every sequence, or a row for each, shape (n, w).
"""

from __future__ import annotations

import numpy as np

from causalgia.types import Tokens


def overwrite(tokens: Tokens, piece: Tokens, *, at: int) -> Tokens:
    """Return the sequences with `piece` in place of the bases at `at`; the length is kept.

    Parameters
    ----------
    tokens
        Sequences, (n, L) tokens 0-3.
    piece
        Tokens (w,) for all, or (n, w), one row for each sequence.
    at
        0-based start; ``at + w <= L``.

    Returns
    -------
    ndarray
        (n, L) tokens.

    Examples
    --------
    >>> overwrite(np.zeros((1, 4), np.uint8), np.array([3, 3], np.uint8), at=1)
    array([[0, 3, 3, 0]], dtype=uint8)
    """
    edited = tokens.copy()
    edited[:, at : at + piece.shape[-1]] = piece
    return edited


def insert(tokens: Tokens, piece: Tokens, *, at: int) -> Tokens:
    """Return the sequences with `piece` between the bases at - 1 and at; the length grows by w.

    Examples
    --------
    >>> insert(np.zeros((1, 2), np.uint8), np.array([3], np.uint8), at=1)
    array([[0, 3, 0]], dtype=uint8)
    """
    wide = np.broadcast_to(piece, (len(tokens), piece.shape[-1]))
    return np.concatenate([tokens[:, :at], wide, tokens[:, at:]], axis=1)


def delete(tokens: Tokens, *, span: tuple[int, int]) -> Tokens:
    """Return the sequences without the bases of `span` (start, stop); the length shrinks by stop - start.

    Examples
    --------
    >>> delete(np.array([[0, 1, 2, 3]], np.uint8), span=(1, 3))
    array([[0, 3]], dtype=uint8)
    """
    return np.concatenate([tokens[:, : span[0]], tokens[:, span[1] :]], axis=1)


def substitute(tokens: Tokens, piece: Tokens, *, at: tuple[int, ...]) -> Tokens:
    """Return the sequences with the bases at the positions `at` replaced, one column of `piece` for each.

    Examples
    --------
    >>> substitute(np.zeros((1, 4), np.uint8), np.array([3, 2], np.uint8), at=(0, 3))
    array([[3, 0, 0, 2]], dtype=uint8)
    """
    edited = tokens.copy()
    edited[:, list(at)] = piece
    return edited
