"""Synthesised barcodes: dealt at random in sets of like GC, exchanged where they break a rule in their oligo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalgia.errors import LibraryError
from causalgia.mpra.libraries.judging import Judge
from causalgia.mpra.libraries.oligos import Listed
from causalgia.sequences.random import random_words
from causalgia.streams import derive
from causalgia.types import Ints, Mask, Tokens

_AT_ONCE = 1 << 14
_SPARE_SHARE, _SPARE_LEAST = 0.05, 50


def with_spares(n: int) -> int:
    """Return how many barcodes are made for n oligos: some have to be exchanged where they meet their oligo."""
    return n + max(_SPARE_LEAST, int(_SPARE_SHARE * n))


def dealt(cells: Ints, gc: Ints, *, key: int) -> tuple[Ints, Ints]:
    """Deal a pool of barcodes to oligos.

    Barcodes have an effect of their own, in part by their composition. The pool is cut, in the order of GC content,
    into sets that go to the cells in random order, and within a cell to the oligos in random order: arms of a unit get
    barcodes that are alike, and which arm gets which is random.

    Parameters
    ----------
    cells
        Cell of each oligo, (n,): the k-th barcodes of the arms of a unit are a cell.
    gc
        Number of G and C in each barcode of the pool, (m,), m at least n.
    key
        Root key of the library.

    Returns
    -------
    mine, left
        Place in the pool of each oligo's barcode, (n,), and of the barcodes that no oligo has, (m - n,), in random
        order.
    """
    n, m = len(cells), len(gc)
    dice = random_words(derive(key, "barcodes"), np.arange(m, dtype=np.uint64), 2)
    shuffled = np.argsort(dice[:, 0], kind="stable")
    used, left = shuffled[:n], shuffled[n:]
    by_gc = used[np.argsort(gc[used], kind="stable")]
    of_cell = random_words(derive(key, "cells"), cells.astype(np.uint64), 1)[:, 0]
    mine = np.empty(n, np.int64)
    mine[np.lexsort((dice[:n, 1], cells, of_cell))] = by_gc
    return mine, left


def exchanged(
    mine: Ints, left: Ints, inserts: Tokens, row: Ints, pool: Tokens, judge: Judge
) -> tuple[Ints, Ints, dict[str, int]]:
    """Exchange the barcodes that break a rule in their oligo for ones that are left.

    Parameters
    ----------
    mine, left
        Place in the pool of each oligo's barcode, (n,), and of those that no oligo has.
    inserts
        Distinct inserts, (d, length).
    row
        Which of them each oligo carries, (n,).
    pool
        Barcodes, (m, length).
    judge
        Judges whole oligos.

    Returns
    -------
    mine, left
        As before, after the exchange.
    broken
        Rule -> barcodes that broke it where they stood.

    Raises
    ------
    LibraryError
        If there are not enough barcodes that keep the rules.
    """
    mine, used = mine.copy(), 0
    bad, counts = np.arange(len(row)), np.zeros(len(judge.rules), np.int64)
    while bad.size:
        broken = _broken(inserts, row[bad], pool, mine[bad], judge)
        counts += broken.sum(axis=1)
        bad = bad[broken.any(axis=0)]
        if used + bad.size > left.size:
            rule = judge.rules[int(counts.argmax())]
            raise LibraryError(
                f"{used + bad.size:,} of {len(row) + used:,} barcodes break a rule in their oligo, most often: "
                f"{rule.name}. {rule.cure.capitalize()}; or put other letters between insert and barcode: "
                "adapters=(left, junction, right)"
            )
        mine[bad] = left[used : used + bad.size]
        used += bad.size
    return mine, left[used:], {name: n for name, n in zip(judge.names, counts.tolist(), strict=True) if n}


def _broken(inserts: Tokens, row: Ints, pool: Tokens, mine: Ints, judge: Judge) -> Mask:
    found = np.zeros((len(judge.rules), len(row)), bool)
    for start in range(0, len(row), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        found[:, some] = judge.broken(inserts[row[some]], pool[mine[some]])
    return found


@dataclass(frozen=True)
class Tags:
    """The oligos of a library with their barcodes.

    Attributes
    ----------
    row
        Which of the listed inserts each oligo carries, (n,).
    copy
        Which barcode of its insert it is, from 0, (n,).
    barcodes
        Barcodes of these, (n, length).
    promoter
        Barcodes of the promoter alone, (p, length).
    broken
        Rule -> barcodes that broke it in their oligo, and were exchanged.
    """

    row: Ints
    copy: Ints
    barcodes: Tokens
    promoter: Tokens
    broken: dict[str, int]


def tagged(
    listed: Listed, pool: Tokens, judge: Judge, alone: Judge | None, *, per_oligo: int, promoter: int, key: int
) -> Tags:
    """Assign barcodes to the oligos of a library, and to the promoter alone.

    Parameters
    ----------
    listed
        The inserts.
    pool
        Barcodes in random order, (m, length), as many as `with_spares` says.
    judge, alone
        Judge whole oligos, and those of the promoter alone; None where none is ordered.
    per_oligo, promoter
        Barcodes of an insert, and of the promoter alone.
    key
        Root key of the library.

    Raises
    ------
    LibraryError
        If there are not enough barcodes that keep the rules in their oligos.
    """
    n = len(listed) * per_oligo
    row, copy = np.repeat(np.arange(len(listed)), per_oligo), np.tile(np.arange(per_oligo), len(listed))
    cells = listed.block[row] * per_oligo + copy
    cells = np.concatenate([cells, cells.max(initial=-1) + 1 + np.arange(promoter)])
    mine, left = dealt(cells, ((pool == 1) | (pool == 2)).sum(axis=1), key=key)
    of_oligos, left, broken = exchanged(mine[:n], left, listed.inserts, row, pool, judge)
    of_promoter, more = mine[n:], dict[str, int]()
    if alone is not None:
        none = np.empty((1, 0), np.uint8)
        of_promoter, _, more = exchanged(of_promoter, left, none, np.zeros(promoter, np.int64), pool, alone)
    counts = {rule: broken.get(rule, 0) + more.get(rule, 0) for rule in {**broken, **more}}
    return Tags(row, copy, pool[of_oligos], pool[of_promoter], counts)
