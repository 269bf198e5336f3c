"""Barcode counts as a labelled Dataset: cells of DNA and RNA reads, and the oligo that each barcode belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from causalgia.errors import CountsError
from causalgia.schema import annotate, validate

Ints: TypeAlias = NDArray[np.int64]
SIDE_COLUMNS = ("oligo_name", "element", "arm", "group")


def counts_of(
    dna: ArrayLike,
    rna: ArrayLike,
    *,
    barcodes: Sequence[str] | NDArray[Any],
    oligos: Sequence[str] | NDArray[Any],
    arms: pd.DataFrame,
    replicates: Sequence[str] | None = None,
    dna_observed: ArrayLike | None = None,
    rna_observed: ArrayLike | None = None,
) -> xr.Dataset:
    """Return barcode counts as a Dataset of kind ``counts``.

    Parameters
    ----------
    dna
        DNA reads, shape ``(n_barcodes, n_replicates)``, or ``(n_barcodes,)`` where one plasmid pool serves every
        replicate; whole numbers, at least 0.
    rna
        RNA reads, shape ``(n_barcodes, n_replicates)``.
    barcodes, oligos
        Each barcode's letters, unique, and the name of the oligo that it belongs to, shape ``(n_barcodes,)``.
    arms
        The side table: columns ``oligo_name element arm`` and, if there is one, ``group`` (else all are ``test``), a
        row an oligo.
    replicates
        Names of the replicates; None: ``"1"``, ``"2"``, ...
    dna_observed, rna_observed
        Whether a cell held a count, shapes as `dna` and `rna`; None: all did.

    Returns
    -------
    Dataset
        ``dna, rna, dna_observed, rna_observed (barcode, replicate)``, ``oligo_index (barcode)``,
        ``dna_total, rna_total (replicate)``, and ``element, arm, group (oligo)``; as `causalgia.schema` says.

    Raises
    ------
    CountsError
        If a barcode is of an oligo that the side table lacks, or is given twice.

    Examples
    --------
    >>> side = pd.DataFrame({"oligo_name": ["a"], "element": ["u1"], "arm": ["GATA1"], "group": ["test"]})
    >>> counts_of([[9]], [[12]], barcodes=["ACGT"], oligos=["a"], arms=side)["rna_total"].values
    array([12])
    """
    dna_cells, rna_cells = np.asarray(dna), np.asarray(rna)
    names = arms["oligo_name"].to_numpy().astype(str)
    place = pd.Index(names).get_indexer(np.asarray(oligos).astype(str))
    if (place < 0).any():
        i = int(np.argmin(place))
        raise CountsError(f"barcode {barcodes[i]}: its oligo '{oligos[i]}' is not in the side table; add its row")
    side = arms if "group" in arms.columns else arms.assign(group="test")
    replicates = replicates or [str(r + 1) for r in range(rna_cells.shape[1])]
    of_dna = ("barcode", "replicate")[: dna_cells.ndim]
    seen_dna = np.ones(dna_cells.shape, bool) if dna_observed is None else np.asarray(dna_observed, bool)
    seen_rna = np.ones(rna_cells.shape, bool) if rna_observed is None else np.asarray(rna_observed, bool)
    counts = xr.Dataset(
        {
            "dna": (of_dna, np.where(seen_dna, dna_cells, 0).astype(np.int64)),
            "rna": (("barcode", "replicate"), np.where(seen_rna, rna_cells, 0).astype(np.int64)),
            "dna_observed": (of_dna, seen_dna),
            "rna_observed": (("barcode", "replicate"), seen_rna),
            "oligo_index": ("barcode", place.astype(np.int64)),
        },
        coords={
            "barcode": np.asarray(barcodes).astype(str),
            "replicate": np.asarray(replicates).astype(str),
            "oligo": names,
            **{name: ("oligo", side[name].to_numpy().astype(str)) for name in ("element", "arm", "group")},
        },
    )
    counts["dna_total"] = counts["dna"].sum("barcode")
    counts["rna_total"] = counts["rna"].sum("barcode")
    return validate(annotate(counts), "counts")
