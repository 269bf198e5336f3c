"""Arms that are conditions of the same oligos, each read from libraries of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from causalgia.errors import DataError, quoted
from causalgia.types import Array, Ints

_BARCODE_IN_NAME = re.compile(r"[ACGTNacgtn]{6,}")
_SHARED_PART = 0.5
_LEAST_SHARED = 10
_LEAST_ELEMENTS = 5
_LEAST_BARCODES = 30  # of an arm whose depth is compared
_RISK = 1e-4  # of a false refusal, over all contrasts and pairs of replicates
_LEAST_CHANGE = 0.3  # on log2: arms of one library differ by sd .05 in a replicate
_COMMON = 0.5  # of the change, in the median barcode
_TIMES_LEAST = 4.0  # the least reads of a cell that tables leave in


def check_arms_of_one_library(
    counts: xr.Dataset,
    arms: NDArray[np.str_],
    compared: Sequence[Ints],
    oligos: Ints,
) -> None:
    """Raise DataError where the two arms of a contrast have the same barcodes.

    A barcode names one oligo of a pool, so that two oligos in one library never have
    the same barcodes. Where they do, the arms are conditions (cells, treatments) of
    the same oligos, stacked in one table: the columns of each arm are libraries of
    their own, whose difference in depth and composition would be added to every
    effect. Arms have the same barcodes where half of the letters of one are among
    those of the other in the same element, or (one plasmid pool) all its counts of DNA
    are.

    Libraries of their own whose barcodes have unrelated names are found by their depth:
    in one library, the DNA of two arms has the same proportion in every replicate, up to
    the noise of its barcodes. Arms are refused where it differs between two replicates
    by .3 or more on log2, half of which the median barcode shows as well, and by more
    standard errors (from the barcodes) than a risk of 1e-4 over all contrasts and pairs
    of replicates needs. Libraries of the same
    relative depths in every replicate are not found, nor those of one plasmid pool,
    whose DNA is one column.

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
    DataError
        If two arms of a contrast have the same barcodes.
    """
    pairs = {(int(c[0]), int(c[1])) for c in compared if len(c) == 2}
    if not pairs:
        return
    dna = _dna_of_oligos(counts)
    rows = _rows_of_oligos(counts)
    names_in = _barcode_letters(counts)
    letters = [{*names_in[of].tolist()} - {""} for of in rows]
    for first, second in sorted(pairs):
        what = ""
        both = (oligos[:, [first, second]] >= 0).all(axis=1)
        if not both.any():
            continue
        one, other = oligos[both, first], oligos[both, second]
        share, n = _shared_letters(letters, one, other)
        if n >= _LEAST_SHARED and share >= _SHARED_PART:
            what = f"{100 * share:.0f} % of their barcodes"
        elif _equal_dna([dna[o] for o in one], [dna[o] for o in other]):
            what = "the same DNA counts in every element"
        names = f"{quoted(arms[first])} and {quoted(arms[second])}"
        if what:
            raise DataError(
                f"arms {names} share {what}: they are two conditions of the same oligos, "
                "each a library of its own; cg.mpra.conditions compares conditions"
            )
        barcodes = [np.sort(np.concatenate([rows[o] for o in x])) for x in (one, other)]
        if apart := _depths_apart(counts, barcodes, len(pairs)):
            here, there, change, error = apart
            raise DataError(
                f"arms {names} are libraries of their own: from replicate {here} to "
                f"{there} the ratio of their DNA changes by a factor of {2**change:.2f} "
                f"(log2 {change:.2f}, standard error {error:.2f}), and in one library it "
                "would not; cg.mpra.conditions compares conditions"
            )


def _depths_apart(
    counts: xr.Dataset, rows: Sequence[Ints], n_contrasts: int
) -> tuple[str, str, float, float] | None:
    """Return two replicates between which the DNA of two arms, in these rows, changes
    apart, the larger change over the smaller on log2, and its standard error; None where
    there are none.
    """
    few = min(map(len, rows)) < _LEAST_BARCODES
    if few or counts["dna"].ndim == 1 or counts.sizes["replicate"] < 2:
        return None
    dna, observed = (counts[x].to_numpy() for x in ("dna", "dna_observed"))
    dna = dna.astype(np.float64)
    names = counts["replicate"].to_numpy().astype(str)
    compared = list(combinations(range(dna.shape[1]), 2))
    clear = -special.ndtri(_RISK / (2 * len(compared) * n_contrasts))
    found = []
    for i, j in compared:
        both = observed[:, i] & observed[:, j]
        pair = [_without_cut_cells(dna[of[both[of]]][:, [i, j]]) for of in rows]
        totals = [x.sum(axis=0) for x in pair]
        if min(map(len, pair)) < _LEAST_BARCODES or min(map(min, totals)) <= 0:
            continue
        change = [np.log2(t[0] / t[1]) for t in totals]
        error = np.sqrt(
            sum(
                ((x[:, 0] / t[0] - x[:, 1] / t[1]) ** 2).sum()
                for x, t in zip(pair, totals, strict=True)
            )
        )
        error /= np.log(2)
        apart = abs(float(change[0] - change[1]))
        # a few barcodes with many times their reads move a total, and no median
        middle = [
            np.median(np.log2(x[:, 0] + 0.5) - np.log2(x[:, 1] + 0.5)) for x in pair
        ]
        common = abs(float(middle[0] - middle[1])) >= _COMMON * apart
        if apart >= _LEAST_CHANGE and apart > clear * error and common:
            found.append((apart, float(error), names[i], names[j]))
    if not found:
        return None
    apart, error, one, other = max(found)
    return one, other, apart, error


def _without_cut_cells(pair: Array) -> Array:
    """Return two columns of DNA without barcodes that may have lost a cell because the
    table leaves out few reads: a weak arm loses more of them in a shallow replicate.
    """
    seen = pair[pair > 0]
    least = seen.min() if len(seen) else 0.0
    if least <= 1:
        return pair
    total = pair.sum(axis=0)
    used = pair.sum(axis=1) * total.min() / total.sum() >= _TIMES_LEAST * least
    return np.asarray(pair[used])


def _barcode_letters(counts: xr.Dataset) -> NDArray[np.str_]:
    """Return the letters in the name of each barcode, "" where there are none."""
    names = counts["barcode"].to_numpy().astype(str).tolist()
    found = (_BARCODE_IN_NAME.search(name) for name in names)
    return np.array([x.group().upper() if x else "" for x in found])


def _shared_letters(
    letters: Sequence[set[str]], first: Ints, second: Ints
) -> tuple[float, int]:
    """Return the share of the barcodes of the smaller arm that are in the other arm of
    their element, and their number.
    """
    pairs = [(letters[a], letters[b]) for a, b in zip(first, second, strict=True)]
    n = min(sum(len(a) for a, _ in pairs), sum(len(b) for _, b in pairs))
    return (sum(len(a & b) for a, b in pairs) / n, n) if n else (0.0, 0)


def _rows_of_oligos(counts: xr.Dataset) -> list[Ints]:
    """Return the places of the barcodes of each oligo."""
    of = counts["oligo_index"].to_numpy()
    order = np.argsort(of, kind="stable")
    return np.split(
        order, np.searchsorted(of[order], np.arange(1, counts.sizes["oligo"]))
    )


def _dna_of_oligos(counts: xr.Dataset) -> list[Array]:
    """Return the sorted DNA counts of the barcodes of each oligo."""
    dna = counts["dna"].to_numpy().reshape(counts.sizes["barcode"], -1).sum(axis=1)
    of = counts["oligo_index"].to_numpy()
    order = np.lexsort((dna, of))
    bounds = np.searchsorted(of[order], np.arange(counts.sizes["oligo"] + 1))
    ordered = dna[order]
    return [ordered[a:b] for a, b in pairwise(bounds.tolist())]


def _equal_dna(first: list[Array], second: list[Array]) -> bool:
    """Return whether the DNA counts of all elements are equal, and many enough for that
    to be no chance.
    """
    many = [x for x in first if len(x)]
    return (
        len(many) >= _LEAST_ELEMENTS
        and len(set(np.concatenate(many).tolist())) >= _LEAST_SHARED
        and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    )
