"""The tables of a library: sequence design, barcodes of constructs, labels, and the side table of arms."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.errors import LibraryError
from causalgia.mpra.formats._variant_tiles import ANNOTATION
from causalgia.mpra.formats.constructs import constructs_of
from causalgia.mpra.formats.names import given_name
from causalgia.schema import validate

_SOURCE = "causalgia"
_LOCUS = re.compile(r"(?P<chromosome>[^\s:]+):(?P<start>[0-9]{1,12})-(?P<end>[0-9]{1,12})(?:\((?P<strand>[+-])\))?")
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
    `causalgia.mpra.VariantTiles.annotate`; without, they are NA, and the place is that of names which say one, as
    ``chr1:100-300`` of `causalgia.sequences.from_bed` or of bedtools, with ``(-)`` for the minus strand, if it is as
    long as the insert; else NA, from 0 to the length. ``info`` is a JSON object: fingerprints of the design and of the
    library, element, arm, group, and the name of the sequence or parent. A promoter without an insert has no row.
    """
    rows = constructs_of(library, "reporter_sequence_design")
    rows = rows[rows["insert"] != ""].reset_index(drop=True)
    rows = rows.assign(**{name: none for name, none in ANNOTATION.items() if name not in rows})
    sure = rows["SPDI"] != ""
    real = "element" if library.attrs.get("null_kind") == "genomic" else "synthetic"
    tested = "variant" if sure.any() else real
    names = _source_names(rows)
    places = [_place(name, len(insert)) for name, insert in zip(names, rows["insert"], strict=True)]
    prints = {name: str(library.attrs.get(f"{name}_fingerprint", "")) for name in ("design", "library")}
    table = pd.DataFrame({"name": rows["oligo_name"], "sequence": rows["insert"]})
    pairs = zip(rows["group"], rows["arm"], strict=True)
    table["category"] = [_category(group, arm, tested) for group, arm in pairs]
    table["class"] = [_CLASSES.get(group, "test") for group in rows["group"]]
    table["source"] = _SOURCE
    table["ref"] = rows["assembly"].where(rows["assembly"] != "", "NA")
    table["chr"] = rows["chromosome"].where(sure, [place.chromosome for place in places])
    table["start"] = rows["start"].where(sure, [place.start for place in places])
    table["end"] = rows["end"].where(sure, [place.end for place in places])
    table["strand"] = np.where(sure, "+", [place.strand for place in places])
    for name in ("variant_class", "variant_pos", "SPDI", "allele"):
        table[name] = [(value,) if known else () for value, known in zip(rows[name], sure, strict=True)]
    told = rows[["element", "arm", "group"]].assign(source_name=names)
    table["info"] = [_info(prints, row) for row in told.itertuples(index=False)]
    return table


class _Place(NamedTuple):
    """Where a sequence lies on the genome, from 0, the end excluded."""

    chromosome: str
    start: int
    end: int
    strand: str


def _source_names(rows: pd.DataFrame) -> pd.Series[str]:
    """Return the name of the given sequence that each construct's background is; of controls, their own name."""
    own = rows["element"].where(rows["group"].isin(("positive", "negative")), "").map(_as_given)
    return own if "source_name" not in rows else rows["source_name"].where(rows["source_name"] != "", own)


def _as_given(name: str) -> str:
    try:
        return given_name(name)
    except LibraryError:  # no name that vendor_name wrote: it is as it was given
        return name


def _place(name: str, length: int) -> _Place:
    """Return the place that a name says, if it is as long as the insert; else none, from 0 to the length.

    Examples
    --------
    >>> _place("chr1:100-300(-)", 200), _place("chr1:100-300", 60)
    (_Place(chromosome='chr1', start=100, end=300, strand='-'), _Place(chromosome='NA', start=0, end=60, strand='+'))
    """
    found = _LOCUS.fullmatch(name)
    if found is None or int(found["end"]) - int(found["start"]) != length:
        return _Place("NA", 0, length, "+")
    return _Place(found["chromosome"], int(found["start"]), int(found["end"]), found["strand"] or "+")


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


def _info(prints: dict[str, str], row: Any) -> str:
    known = {name: value for name, value in prints.items() if value}
    named = {"source_name": row.source_name} if row.source_name and row.source_name != row.element else {}
    told = {**known, "element": row.element, "arm": row.arm, "group": row.group, **named}
    return json.dumps(told, ensure_ascii=False)
