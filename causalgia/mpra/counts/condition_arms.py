"""Arms that are conditions of the same oligos, each read from libraries of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.errors import CountsError, quoted
from causalgia.types import Array, Ints

_BARCODE_IN_NAME = re.compile(r"[ACGTNacgtn]{6,}")
_SHARED_PART = 0.5
_LEAST_BARCODES = 10
_LEAST_ELEMENTS = 5


def check_arms_of_one_library(
    counts: xr.Dataset,
    arms: NDArray[np.str_],
    compared: Sequence[Ints],
    oligos: Ints,
) -> None:
    """Raise CountsError where the two arms of a contrast have the same barcodes.

    A barcode names one oligo of a pool, so that two oligos in one library never have
    the same barcodes. Where they do, the arms are conditions (cells, treatments) of
    the same oligos, stacked in one table: the columns of each arm are libraries of
    their own, whose difference in depth and composition would be added to every
    effect. Arms have the same barcodes where half of the letters of one are among
    those of the other in the same element, or (one plasmid pool) all its counts of DNA
    are.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    arms
        Names of the arms, (A,).
    compared
        Places of the arms of each contrast; only contrasts of two are checked, because
        those of four may compare within each condition.
    oligos
        Place of each element's oligo under each arm, shape ``(E, A)``.

    Raises
    ------
    CountsError
        If two arms of a contrast have the same barcodes.
    """
    pairs = {(int(c[0]), int(c[1])) for c in compared if len(c) == 2}
    if not pairs:
        return
    letters, dna = _barcode_letters(counts), _dna_of_oligos(counts, oligos)
    for first, second in sorted(pairs):
        what = ""
        share, n = _shared_letters(counts, letters, oligos[:, first], oligos[:, second])
        if n >= _LEAST_BARCODES and share >= _SHARED_PART:
            what = f"{100 * share:.0f} % of their barcodes"
        elif _equal_dna(dna[first], dna[second]):
            what = "the same DNA counts in every element"
        if what:
            names = f"{quoted(arms[first])} and {quoted(arms[second])}"
            raise CountsError(
                f"arms {names} share {what}, as two conditions of the same oligos do; "
                "each is a library of its own, and the difference between the libraries "
                "would be added to every effect. Fit each condition alone (its own "
                "counts, arms by allele or motif), and compare the fits: "
                "cg.mpra.concordance(fit, fit), or causalgia mpra compare DIR DIR. A "
                "contrast of four arms, (b in B - a in B) - (b in A - a in A), is free of "
                "it"
            )


def _barcode_letters(counts: xr.Dataset) -> NDArray[np.str_]:
    """Return the letters in the name of each barcode, "" where there are none."""
    names = counts["barcode"].to_numpy().astype(str).tolist()
    found = (_BARCODE_IN_NAME.search(name) for name in names)
    return np.array([x.group().upper() if x else "" for x in found])


def _shared_letters(
    counts: xr.Dataset, letters: NDArray[np.str_], first: Ints, second: Ints
) -> tuple[float, int]:
    """Return the share of the barcodes of the smaller arm that are in the other arm of
    their element, and their number.
    """
    element = np.full(counts.sizes["oligo"], -1)
    element[first] = np.arange(len(first))
    arm = np.full(counts.sizes["oligo"], -1)
    arm[first], arm[second] = 0, 1
    element[second] = np.arange(len(second))
    of = counts["oligo_index"].to_numpy()
    named = letters != ""
    sets = [
        {
            (int(e), x)
            for e, x in zip(element[of[here]], letters[here].tolist(), strict=True)
        }
        for here in ((arm[of] == a) & named for a in (0, 1))
    ]
    n = min(map(len, sets))
    return (len(sets[0] & sets[1]) / n, n) if n else (0.0, 0)


def _dna_of_oligos(counts: xr.Dataset, oligos: Ints) -> list[list[Array]]:
    """Return the sorted DNA counts of the barcodes of each oligo, by arm and
    element.
    """
    dna = counts["dna"].to_numpy().reshape(counts.sizes["barcode"], -1).sum(axis=1)
    of = counts["oligo_index"].to_numpy()
    order = np.lexsort((dna, of))
    bounds = np.searchsorted(of[order], np.arange(counts.sizes["oligo"] + 1))
    ordered = dna[order]
    rows = [ordered[a:b] for a, b in pairwise(bounds.tolist())]
    return [[rows[o] for o in column] for column in oligos.T]


def _equal_dna(first: list[Array], second: list[Array]) -> bool:
    """Return whether the DNA counts of all elements are equal, and many enough for that
    to be no chance.
    """
    many = [x for x in first if len(x)]
    return (
        len(many) >= _LEAST_ELEMENTS
        and len(set(np.concatenate(many).tolist())) >= _LEAST_BARCODES
        and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    )
