"""Barcode counts as a labelled Dataset: DNA and RNA reads of barcodes, and their oligos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from causalgia.errors import CountsError, quoted
from causalgia.mpra.counts.side_table import SIDE_COLUMNS, library_attrs, other_library, side_table
from causalgia.schema import annotate, validate
from causalgia.types import Ints, Mask

MOST_READS = 2**53  # whole numbers below it are exact as floats


def counts_of(
    dna: ArrayLike,
    rna: ArrayLike,
    *,
    barcodes: Sequence[str] | NDArray[Any],
    oligos: Sequence[str] | NDArray[Any],
    arms: pd.DataFrame | xr.Dataset,
    replicates: Sequence[str] | None = None,
    dna_observed: ArrayLike | None = None,
    rna_observed: ArrayLike | None = None,
) -> xr.Dataset:
    """Return barcode counts as a Dataset of kind ``counts``.

    Parameters
    ----------
    dna
        DNA reads, shape ``(n_barcodes, n_replicates)``, or ``(n_barcodes,)`` for one plasmid pool; whole numbers, at
        least 0.
    rna
        RNA reads, shape ``(n_barcodes, n_replicates)``.
    barcodes, oligos
        Letters of each barcode, unique, and the name of its oligo, shape ``(n_barcodes,)``.
    arms
        The side table: columns ``oligo_name element arm`` and optionally ``group`` (else ``test``), a row an oligo; or
        the ordered library. Oligos without barcodes stay on the oligo dim.
    replicates
        Names of the replicates; None: ``"1"``, ``"2"``, ...
    dna_observed, rna_observed
        Whether a cell held a count, shapes as `dna` and `rna`; None: all that are not NaN.

    Returns
    -------
    Dataset
        ``dna, rna, dna_observed, rna_observed (barcode, replicate)``, ``oligo_index (barcode)``,
        ``dna_total, rna_total (replicate)``, and ``element, arm, group (oligo)``; see `causalgia.schema`.

    Raises
    ------
    CountsError
        If there is no barcode, a barcode has an unknown oligo or appears twice, a count is negative or fractional,
        shapes disagree, or a library (DNA or RNA of a replicate) has no reads.

    Examples
    --------
    >>> side = pd.DataFrame({"oligo_name": ["a"], "element": ["u1"], "arm": ["GATA1"], "group": ["test"]})
    >>> counts_of([[9]], [[12]], barcodes=["ACGT"], oligos=["a"], arms=side)["rna_total"].values
    array([12])
    """
    side, letters = side_table(arms), np.asarray(barcodes).astype(str)
    place = _oligo_places(letters, np.asarray(oligos), side)
    dna_cells, seen_dna = _as_count_cells(dna, dna_observed, "dna", letters)
    rna_cells, seen_rna = _as_count_cells(rna, rna_observed, "rna", letters)
    if rna_cells.ndim != 2 or dna_cells.shape not in (rna_cells.shape, rna_cells.shape[:1]):
        raise CountsError(
            f"dna has shape {dna_cells.shape} and rna {rna_cells.shape}; give both (n_barcodes, n_replicates), or dna "
            "(n_barcodes,) where one plasmid pool serves all replicates"
        )
    of_dna = ("barcode", "replicate")[: dna_cells.ndim]
    names = [str(r + 1) for r in range(rna_cells.shape[1])] if replicates is None else list(map(str, replicates))
    counts = xr.Dataset(
        {
            "dna": (of_dna, dna_cells),
            "rna": (("barcode", "replicate"), rna_cells),
            "dna_observed": (of_dna, seen_dna),
            "rna_observed": (("barcode", "replicate"), seen_rna),
            "oligo_index": ("barcode", place),
            "dna_total": (of_dna[1:], dna_cells.sum(axis=0)),
            "rna_total": ("replicate", rna_cells.sum(axis=0)),
        },
        coords={
            "barcode": letters,
            "replicate": np.array(names),
            "oligo": side["oligo_name"].to_numpy().astype(str),
            **{name: ("oligo", side[name].to_numpy().astype(str)) for name in SIDE_COLUMNS[1:]},
        },
    )
    _check_libraries_read(counts)
    return validate(annotate(counts.assign_attrs(library_attrs(arms))), "counts")


def _oligo_places(barcodes: NDArray[np.str_], oligos: NDArray[Any], side: pd.DataFrame) -> Ints:
    """Return the place of each barcode's oligo in the side table."""
    if len(barcodes) == 0 or len(oligos) != len(barcodes):
        raise CountsError(f"{len(barcodes)} barcodes and {len(oligos)} names of oligos; give one oligo to each barcode")
    of, names = pd.factorize(oligos)
    places = pd.Index(side["oligo_name"]).get_indexer(pd.Index(names).astype(str))
    if (places < 0).any():
        i = int(np.argmax(places[of] < 0))
        hint = other_library(str(oligos[i]), side["oligo_name"]) or "; add its row"
        raise CountsError(f"barcode {barcodes[i]}: its oligo {quoted(oligos[i])} is not in the side table{hint}")
    return np.asarray(places[of], dtype=np.int64)


def _as_count_cells(
    values: ArrayLike, observed: ArrayLike | None, name: str, barcodes: NDArray[np.str_]
) -> tuple[Ints, Mask]:
    """Return counts as integers, 0 where not observed, and the mask of observed cells."""
    cells = np.asarray(values)
    if cells.dtype.kind not in "iuf":
        raise CountsError(f"{name} is of dtype {cells.dtype}, and counts are numbers; cast it")
    if cells.ndim == 0 or len(cells) != len(barcodes):
        raise CountsError(f"{name} has shape {cells.shape} for {len(barcodes)} barcodes; give a row to each barcode")
    present = (cells == cells) if observed is None else np.asarray(observed, bool)
    if present.shape != cells.shape:
        raise CountsError(f"{name}_observed has shape {present.shape}, not {cells.shape} as {name} has")
    cells = np.where(present, cells, 0)
    wrong = (cells < 0) | (cells >= MOST_READS)
    if cells.dtype.kind == "f":
        wrong |= ~np.isfinite(cells) | (cells != np.floor(cells))
    if wrong.any():
        i = tuple(np.argwhere(wrong)[0])
        raise CountsError(
            f"barcode {barcodes[i[0]]}: {name} is {cells[i]:g}; give the reads as they were counted (whole, at least "
            "0, below 2^53), not normalised"
        )
    return cells.astype(np.int64), present


def _check_libraries_read(counts: xr.Dataset) -> None:
    for name in ("dna", "rna"):
        total = counts[f"{name}_total"]
        if not total.all():
            i = int(np.argmin(total.to_numpy()))
            of = f"replicate {counts['replicate'].to_numpy()[i]}" if total.ndim else "the plasmid pool"
            raise CountsError(f"{name.upper()} of {of} has no read at all; leave the replicate out, or mend its column")
