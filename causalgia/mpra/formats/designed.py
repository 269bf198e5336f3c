"""The tables of a library: sequence design, barcodes of constructs, labels, and the side table of arms."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import xarray as xr

from causalgia.errors import LibraryError
from causalgia.mpra.formats.constructs import constructs_of
from causalgia.mpra.formats.tiles import ANNOTATION
from causalgia.schema import validate

_SOURCE = "causalgia"
#: group -> class; what is no known group is a test
_CLASSES = {
    "positive": "element active control",
    "negative": "element inactive control",
    "promoter": "element inactive control",
}


def sequence_design(library: xr.Dataset) -> pd.DataFrame:
    """Return the columns of ``reporter_sequence_design``, a row a construct.

    The sequence is the insert. Category: ``variant`` for the units and duplicates of variant tiles, ``scrambled`` for
    negatives whose arm is a scramble or shuffle, ``element`` for other negatives, positives, and units of `Genomic`
    (real sequences, whatever an arm did to them), else ``synthetic``.
    Class: by the group, where promoters are inactive controls. The variant columns are those of
    `causalgia.mpra.VariantTiles.annotate`; without, they are NA, and the place is NA, from 0 to the length. ``info`` is
    a JSON object: fingerprint of the design, element, arm, group. A promoter without an insert has no row.
    """
    rows = constructs_of(library, "reporter_sequence_design")
    rows = rows[rows["insert"] != ""].reset_index(drop=True)
    rows = rows.assign(**{name: none for name, none in ANNOTATION.items() if name not in rows})
    sure = rows["SPDI"] != ""
    real = "element" if library.attrs.get("null_kind") == "genomic" else "synthetic"
    tested = "variant" if sure.any() else real
    design = str(library.attrs.get("design_fingerprint", ""))
    table = pd.DataFrame({"name": rows["oligo_name"], "sequence": rows["insert"]})
    pairs = zip(rows["group"], rows["arm"], strict=True)
    table["category"] = [_category(group, arm, tested) for group, arm in pairs]
    table["class"] = [_CLASSES.get(group, "test") for group in rows["group"]]
    table["source"] = _SOURCE
    table["ref"] = rows["assembly"].where(rows["assembly"] != "", "NA")
    table["chr"] = rows["chromosome"].where(rows["chromosome"] != "", "NA")
    table["start"] = rows["start"].where(sure, 0)
    table["end"] = rows["end"].where(sure, rows["insert"].str.len())
    table["strand"] = "+"
    for name in ("variant_class", "variant_pos", "SPDI", "allele"):
        table[name] = [(value,) if known else () for value, known in zip(rows[name], sure, strict=True)]
    table["info"] = [_info(design, row) for row in rows[["element", "arm", "group"]].itertuples(index=False)]
    return table


def barcode_mapping(library: xr.Dataset) -> pd.DataFrame:
    """Return the columns of ``reporter_barcode_to_element_mapping``: which construct each synthesised barcode is of.

    Raises
    ------
    LibraryError
        If the oligos carry no barcodes: association sequencing finds those that are added later.
    """
    validate(library, "library")
    if "barcode" not in library:
        raise LibraryError(
            "the oligos carry no barcodes: random ones are known only from association sequencing. Write the inserts "
            "to map reads to: to_fasta(library, path, of='insert')"
        )
    return pd.DataFrame({"barcode": library["barcode"].to_numpy(), "oligoName": library["oligo_name"].to_numpy()})


def labels(library: xr.Dataset) -> pd.DataFrame:
    """Return the label of each construct, for the plots of MPRAsnakeflow: its arm if it is a test, else its group."""
    rows = constructs_of(library, "labels")
    label = rows["arm"].where(rows["group"] == "test", rows["group"])
    return pd.DataFrame({"oligo_name": rows["oligo_name"], "label": label})


def side_table(library: xr.Dataset) -> pd.DataFrame:
    """Return ``oligo_name element arm group``, a row a construct: what the formats of the field have no column for."""
    return constructs_of(library, "side table")[["oligo_name", "element", "arm", "group"]]


def _category(group: str, arm: str, tested: str) -> str:
    if group == "negative" and ("scramble" in arm.lower() or "shuffle" in arm.lower()):
        return "scrambled"
    if group in ("negative", "positive"):
        return "element"
    return "synthetic" if group == "promoter" else tested


def _info(design: str, row: Any) -> str:
    known = {"design": design} if design else {}
    return json.dumps({**known, "element": row.element, "arm": row.arm, "group": row.group}, ensure_ascii=False)
