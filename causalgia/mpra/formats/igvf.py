"""IGVF reporter-assay tables, made from a library or counts and written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.attributes import about
from causalgia.checks import nearest
from causalgia.errors import DesignError, quoted
from causalgia.inputs import as_cell
from causalgia.mpra.counts._activity import aggregate
from causalgia.mpra.formats._variant_tiles import ANNOTATION
from causalgia.mpra.formats.text_tables import construct_table, write_text
from causalgia.schema import validate

Format: TypeAlias = Literal[
    "reporter_sequence_design",
    "reporter_barcode_to_element_mapping",
    "labels",
    "side_table",
    "reporter_experiment_barcode",
    "reporter_experiment",
]


def igvf_table(data: xr.Dataset, format: Format) -> pd.DataFrame:
    """Return a library or counts as a table of an IGVF or related format.

    ==========================================  ============
    format                                      data
    ==========================================  ============
    ``reporter_sequence_design``                library
    ``reporter_barcode_to_element_mapping``     library
    ``labels`` (of MPRAsnakeflow)               library
    ``side_table`` (our own)                    library
    ``reporter_experiment_barcode``             counts
    ``reporter_experiment``                     counts
    ==========================================  ============

    Parameters
    ----------
    data
        A library, of variants annotated by
        `causalgia.mpra.formats.VariantTiles.annotate`; or counts.
    format
        Name of the format.

    Returns
    -------
    DataFrame
        Columns in the format's order. Arrays are tuples; None is an unobserved count.

    Raises
    ------
    DesignError, DataError
        If the format is unknown, or the data do not fit it.

    Examples
    --------
    >>> from causalgia.mpra.formats.orders import two_arms
    >>> igvf_table(two_arms(), "reporter_sequence_design")[
    ...     ["name", "category", "class"]
    ... ].head(2)
             name   category class
    0  u1:control  synthetic  test
    1    u1:GATA1  synthetic  test
    """
    if not isinstance(format, str) or format not in _TABLES:
        hint = nearest(quoted(format), _TABLES) or f"; there are {', '.join(_TABLES)}"
        raise DesignError(f"no format {quoted(format)}{hint}")
    return _TABLES[format](data)


def to_igvf(
    data: xr.Dataset,
    path: str | PathLike[str],
    format: Format,
    *,
    overwrite: bool = False,
) -> Path:
    r"""Write a table of a format, made by `igvf_table`.

    Tab-separated, numbers with 4 decimals, arrays as JSON; the same data give the same
    bytes, also compressed (``.gz``). All cells are checked before anything is written.

    Parameters
    ----------
    data, format
        As for `igvf_table`.
    path
        Output file.
    overwrite
        Whether to overwrite an existing file.

    Raises
    ------
    DesignError, DataError
        As `igvf_table`; or if a name is empty or has a tab or the end of a line, or the
        file exists.

    Examples
    --------
    >>> import tempfile
    >>> from causalgia.mpra.formats.orders import two_arms
    >>> path = to_igvf(two_arms(), Path(tempfile.mkdtemp()) / "labels.tsv", "labels")
    >>> path.read_text().splitlines()[1]
    'u1:GATA1\tGATA1'
    """
    table = igvf_table(data, format)
    columns = [
        [_cell(value, f"{path}: column {name!r}") for value in table[name].tolist()]
        for name in table.columns
    ]
    header = [] if format in _WITHOUT_HEADER else [table.columns.tolist()]
    rows = header + [list(row) for row in zip(*columns, strict=True)]
    return write_text(
        path, "".join("\t".join(row) + "\n" for row in rows), overwrite=overwrite
    )


def _cell(value: Any, place: str) -> str:
    """Return a value as a cell; a name that a line cannot hold is refused."""
    if isinstance(value, tuple):
        return json.dumps(value, default=int) if value else "NA"
    if isinstance(value, str):
        if not value or set(value) & set("\t\r\n"):
            raise DesignError(f"{place}: {quoted(value)} is not text without tabs")
        return as_cell(value)
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


_SOURCE = "causalgia"
_LOCUS = re.compile(
    r"(?P<chromosome>[^\s:]+):(?P<start>[0-9]{1,12})-(?P<end>[0-9]{1,12})(?:\((?P<strand>[+-])\))?"
)
#: group -> class; other groups are tests
_CLASSES = {
    "positive": "element active control",
    "negative": "element inactive control",
    "promoter": "element inactive control",
}


def sequence_design(library: xr.Dataset) -> pd.DataFrame:
    """Return the columns of ``reporter_sequence_design``, a row a construct.

    The sequence is the insert. Category: ``variant`` for units and duplicates of
    variant tiles, ``scrambled`` for negatives whose arm is a scramble or shuffle,
    ``element`` for other negatives, positives, and units of `Genomic` (real sequences,
    whatever the arm), else ``synthetic``. Class: by group; promoters are inactive
    controls. The variant columns are those of `causalgia.mpra.formats.VariantTiles.annotate`.
    Without them they are NA, and the place comes from the name, as in ``chr1:100-300``
    of `causalgia.sequences.from_bed` or bedtools, with ``(-)`` for the minus strand, if
    its length is that of the insert; else it is NA, from 0 to the length. ``info`` is a
    JSON object: fingerprints of design and library, element, arm, group, and the name
    of the sequence or parent. A promoter without an insert has no row.
    """
    rows = construct_table(library, "reporter_sequence_design")
    rows = rows[rows["insert"] != ""].reset_index(drop=True)
    rows = rows.assign(
        **{name: none for name, none in ANNOTATION.items() if name not in rows}
    )
    sure = rows["SPDI"] != ""
    real = "element" if about(library, None).null_kind == "genomic" else "synthetic"
    tested = "variant" if sure.any() else real
    names = _source_names(rows)
    places = [
        _locus_from_name(name, len(insert))
        for name, insert in zip(names, rows["insert"], strict=True)
    ]
    prints = {
        name: str(library.attrs.get(f"{name}_fingerprint", ""))
        for name in ("design", "library")
    }
    table = pd.DataFrame({"name": rows["oligo_name"], "sequence": rows["insert"]})
    pairs = zip(rows["group"], rows["arm"], strict=True)
    table["category"] = [_category(group, arm, tested) for group, arm in pairs]
    table["class"] = [_CLASSES.get(group, "test") for group in rows["group"]]
    table["source"] = _SOURCE
    table["ref"] = rows["assembly"].where(rows["assembly"] != "", "NA")
    table["chr"] = rows["chromosome"].where(
        sure, [place.chromosome for place in places]
    )
    table["start"] = rows["start"].where(sure, [place.start for place in places])
    table["end"] = rows["end"].where(sure, [place.end for place in places])
    table["strand"] = np.where(sure, "+", [place.strand for place in places])
    for name in ("variant_class", "variant_pos", "SPDI", "allele"):
        table[name] = [
            (value,) if known else ()
            for value, known in zip(rows[name], sure, strict=True)
        ]
    labels = rows[["element", "arm", "group"]].assign(source_name=names)
    table["info"] = [_info_json(prints, row) for row in labels.itertuples(index=False)]
    return table


class _Locus(NamedTuple):
    """A genomic interval, from 0, end excluded."""

    chromosome: str
    start: int
    end: int
    strand: str


def _source_names(rows: pd.DataFrame) -> pd.Series[str]:
    """Return the source sequence of the background of each construct; for controls,
    their own name.
    """
    own = rows["element"].where(rows["group"].isin(("positive", "negative")), "")
    return (
        own
        if "source_name" not in rows
        else rows["source_name"].where(rows["source_name"] != "", own)
    )


def _locus_from_name(name: str, length: int) -> _Locus:
    """Return the place in a name, if its length is that of the insert; else NA, from 0
    to the length.

    Examples
    --------
    >>> _locus_from_name("chr1:100-300(-)", 200), _locus_from_name("chr1:100-300", 60)
    (_Locus(chromosome='chr1', start=100, end=300, strand='-'), _Locus(chromosome='NA', start=0, end=60, strand='+'))
    """
    found = _LOCUS.fullmatch(name)
    if found is None or int(found["end"]) - int(found["start"]) != length:
        return _Locus("NA", 0, length, "+")
    return _Locus(
        found["chromosome"],
        int(found["start"]),
        int(found["end"]),
        found["strand"] or "+",
    )


def barcode_mapping(library: xr.Dataset) -> pd.DataFrame:
    """Return the columns of ``reporter_barcode_to_element_mapping``: the construct of
    each synthesized barcode.

    Raises
    ------
    DesignError
        If the oligos carry no barcodes; random ones need association sequencing.
    """
    validate(library, "library")
    if "barcode" not in library:
        raise DesignError(
            "the oligos carry no barcodes: random ones are known only from association "
            "sequencing. Write the inserts to map reads to: to_fasta(library, path, "
            "sequence='insert')"
        )
    return pd.DataFrame(
        {
            "barcode": library["barcode"].to_numpy(),
            "oligoName": library["oligo_name"].to_numpy(),
        }
    )


def labels(library: xr.Dataset) -> pd.DataFrame:
    """Return each construct's label for the plots of MPRAsnakeflow: the arm of a test,
    else the group.
    """
    rows = construct_table(library, "labels")
    label = rows["arm"].where(rows["group"] == "test", rows["group"])
    return pd.DataFrame({"oligo_name": rows["oligo_name"], "label": label})


def side_table(library: xr.Dataset) -> pd.DataFrame:
    """Return ``oligo_name element arm group``, a row a construct, which the field's
    formats have no columns for.
    """
    return construct_table(library, "side table")[
        ["oligo_name", "element", "arm", "group"]
    ]


def _category(group: str, arm: str, tested: str) -> str:
    if group == "negative" and ("scramble" in arm.lower() or "shuffle" in arm.lower()):
        return "scrambled"
    if group in ("negative", "positive"):
        return "element"
    return "synthetic" if group == "promoter" else tested


def _info_json(prints: dict[str, str], row: Any) -> str:
    known = {name: value for name, value in prints.items() if value}
    named = (
        {"source_name": row.source_name}
        if row.source_name and row.source_name != row.element
        else {}
    )
    info = {
        **known,
        "element": row.element,
        "arm": row.arm,
        "group": row.group,
        **named,
    }
    return json.dumps(info, ensure_ascii=False)


_OF_EXPERIMENT = (
    "dna_counts",
    "rna_counts",
    "dna_normalized",
    "rna_normalized",
    "log2_ratio",
    "n_bc",
)


def barcode_counts(counts: xr.Dataset) -> pd.DataFrame:
    """Return the columns of ``reporter_experiment_barcode``; unobserved counts are
    None, an empty cell.

    One DNA pool for all replicates is one column, ``dna_count_<first replicate>``, as
    in `causalgia.mpra.read_counts`.
    """
    validate(counts, "counts")
    names = counts["replicate"].to_numpy().tolist()
    pooled = "replicate" not in counts["dna"].dims
    oligos = counts["oligo"].to_numpy()[counts["oligo_index"].to_numpy()]
    columns: dict[str, object] = {
        "barcode": counts["barcode"].to_numpy(),
        "oligo_name": oligos,
    }
    for r, name in enumerate(names):
        for kind in ("dna", "rna"):
            if kind == "dna" and pooled and r:
                continue
            cells = (counts[kind], counts[f"{kind}_observed"])
            values, observed = (
                x.to_numpy() if x.ndim == 1 else x.to_numpy()[:, r] for x in cells
            )
            columns[f"{kind}_count_{name}"] = pd.Series(values, dtype=object).where(
                observed, None
            )
    return pd.DataFrame(columns)


def experiment(counts: xr.Dataset) -> pd.DataFrame:
    """Return the columns of ``reporter_experiment``: oligos in each replicate that has
    DNA of their barcodes.

    From `causalgia.mpra.counts.aggregate`, whose ``log2_ratio`` is the log2 fold change.
    """
    sums = aggregate(counts).transpose("replicate", "oligo")
    columns = {name: sums[name].to_numpy().ravel() for name in _OF_EXPERIMENT}
    replicates, oligos = counts["replicate"].to_numpy(), counts["oligo"].to_numpy()
    keys = {
        "replicate": np.repeat(replicates, len(oligos)),
        "oligo_name": np.tile(oligos, len(replicates)),
    }
    table = pd.DataFrame({**keys, **columns}).rename(
        columns={"log2_ratio": "log2FoldChange"}
    )
    return table[table["n_bc"] > 0].reset_index(drop=True)


_TABLES: dict[str, Callable[[xr.Dataset], pd.DataFrame]] = {
    "reporter_sequence_design": sequence_design,
    "reporter_barcode_to_element_mapping": barcode_mapping,
    "labels": labels,
    "side_table": side_table,
    "reporter_experiment_barcode": barcode_counts,
    "reporter_experiment": experiment,
}
_WITHOUT_HEADER = ("reporter_barcode_to_element_mapping", "labels")
