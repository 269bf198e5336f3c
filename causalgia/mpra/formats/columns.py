"""The columns of every file, as a table of data: what stands in a cell, as text and as a value.

IGVF's reporter-assay formats as their JSON schemas (github.com/kircherlab/MPRAlib, commit cf37ee6) have them, the
label file of MPRAsnakeflow, and our side table, which says the arm of each oligo: the formats have no column for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from causalgia.errors import CausalgiaError, CountsError, LibraryError
from causalgia.spreadsheet import as_cell, of_cell

Format: TypeAlias = Literal[
    "reporter_sequence_design",
    "reporter_barcode_to_element_mapping",
    "reporter_experiment_barcode",
    "reporter_experiment",
    "reporter_element",
    "reporter_variant",
    "reporter_genomic_element",
    "reporter_genomic_variant",
    "labels",
    "side_table",
]


class Kind(NamedTuple):
    """What a cell may hold.

    Attributes
    ----------
    pattern
        Regular expression that the whole text of a cell matches.
    says
        The same in words, for errors.
    read, write
        From text to value, and back.
    """

    pattern: str
    says: str
    read: Callable[[str], Any] = str
    write: Callable[[Any], str] = str


def _text_of_array(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return str(value)
    return json.dumps(list(value), default=int) if value else "NA"


def _text_of_name(value: Any) -> str:
    """Return a name as a cell; one with tabs or ends of lines as it is, for the formats refuse it."""
    text = str(value)
    return text if set(text) & set("\t\r\n") else as_cell(text)


def _text_of_number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, int | float | np.number) else str(value)


def _whole_or_empty(text: str) -> int | None:
    return int(text) if text else None


def _text_of_count(value: Any) -> str:
    if value is None or value != value:  # NaN is what pandas makes of an empty cell
        return ""
    whole = isinstance(value, float | np.floating) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _choice(*words: str) -> Kind:
    return Kind("|".join(map(re.escape, words)), "one of " + ", ".join(words))


def _array(item: str, says: str) -> Kind:
    """Return a JSON array of at least one item, or NA for none: a tuple, empty where there is none."""
    return Kind(
        rf"NA|\[{item}(?:, ?{item})*\]",
        f"a JSON array of {says}, or NA",
        lambda text: () if text == "NA" else tuple(json.loads(text)),
        _text_of_array,
    )


_SPDI = r"[A-Za-z0-9_.]+:[0-9]{1,18}:[A-Za-z]*:[A-Za-z]*"
TEXT = Kind(r"[^\t\r\n]+", "text without tabs", of_cell, _text_of_name)
FREE = Kind(r"[^\t\r\n]*", "text without tabs", of_cell, _text_of_name)
LETTERS = Kind("[ACGT]+", "letters A, C, G and T")
ANY_CASE = Kind("[ACGTacgt]+", "letters A, C, G and T, in either case")
ALLELE = Kind("[ACGT]+|0", "letters A, C, G and T, or 0 for none")
COUNT = Kind("[0-9]{1,18}", "a whole number, at least 0, of at most 18 digits", int)
FROM_ONE = Kind("0{0,9}[1-9][0-9]{0,17}", "a whole number, at least 1, of at most 18 digits", int)
CELL = Kind(
    "[0-9]{0,18}", "a whole number, at least 0, of at most 18 digits, or nothing", _whole_or_empty, _text_of_count
)
PLACE = Kind("-1|[0-9]{1,18}", "a whole number, at least -1, of at most 18 digits", int)
NUMBER = Kind(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", "a finite number", float, _text_of_number)
SCORE = Kind(r"[0-9]{1,3}|1000", "a whole number from 0 to 1000", int)
STRAND = _choice("+", "-")
ANY_STRAND = _choice("+", "-", ".")
SPDI = Kind(_SPDI, "an SPDI, such as NC_000001.11:10449199:G:A")
CATEGORY = _choice("variant", "element", "synthetic", "scrambled")
CLASS = _choice(
    "test",
    "variant positive control",
    "variant negative control",
    "element active control",
    "element inactive control",
)


@dataclass(frozen=True)
class Layout:
    """A file's columns.

    Attributes
    ----------
    columns
        Name -> kind, in order.
    header
        Whether the first line names them.
    optional
        Those that a file may lack.
    repeated
        Prefix of columns of which there is one a replicate -> kind; they come last, in any order.
    unique
        The column that tells rows apart.
    error
        What is raised of a file that does not keep to it.
    """

    columns: dict[str, Kind]
    header: bool = True
    optional: frozenset[str] = frozenset()
    repeated: tuple[tuple[str, Kind], ...] = ()
    unique: str | None = None
    error: type[CausalgiaError] = LibraryError

    def kind_of(self, column: str) -> Kind | None:
        """Return what a column holds; None for one that the format does not have."""
        if column in self.columns:
            return self.columns[column]
        return next((kind for prefix, kind in self.repeated if column.startswith(prefix) and column != prefix), None)


_ELEMENT = {
    "log2FoldChange": NUMBER,
    "inputCount": NUMBER,
    "outputCount": NUMBER,
    "minusLog10PValue": NUMBER,
    "minusLog10QValue": NUMBER,
}
_VARIANT = {
    "log2FoldChange": NUMBER,
    "inputCountRef": NUMBER,
    "outputCountRef": NUMBER,
    "inputCountAlt": NUMBER,
    "outputCountAlt": NUMBER,
    "minusLog10PValue": NUMBER,
    "minusLog10QValue": NUMBER,
    "postProbEffect": NUMBER,
    "CI_lower_95": NUMBER,
    "CI_upper_95": NUMBER,
    "variantPos": PLACE,
    "refAllele": ALLELE,
    "altAllele": ALLELE,
}
_BED = {
    "chrom": TEXT,
    "chromStart": COUNT,
    "chromEnd": COUNT,
    "name": TEXT,
    "score": SCORE,
    "strand": ANY_STRAND,
}

LAYOUTS: dict[str, Layout] = {
    "reporter_sequence_design": Layout(
        {
            "name": TEXT,
            "sequence": ANY_CASE,
            "category": CATEGORY,
            "class": CLASS,
            "source": FREE,
            "ref": FREE,
            "chr": FREE,
            "start": COUNT,
            "end": FROM_ONE,
            "strand": STRAND,
            "variant_class": _array('"(?:SNV|indel)"', 'of "SNV" or "indel"'),
            "variant_pos": _array("[0-9]{1,18}", "whole numbers"),
            "SPDI": _array(f'"{_SPDI}"', "SPDIs"),
            "allele": _array('"(?:ref|alt)"', '"ref" or "alt"'),
            "info": FREE,
        },
        optional=frozenset({"source", "ref", "chr", "start", "end", "strand", "info"}),
        unique="name",
    ),
    "reporter_barcode_to_element_mapping": Layout(
        {"barcode": LETTERS, "oligoName": TEXT}, header=False, unique="barcode"
    ),
    "reporter_experiment_barcode": Layout(
        {"barcode": LETTERS, "oligo_name": TEXT},
        repeated=(("dna_count_", CELL), ("rna_count_", CELL)),
        unique="barcode",
        error=CountsError,
    ),
    "reporter_experiment": Layout(
        {
            "replicate": TEXT,
            "oligo_name": TEXT,
            "dna_counts": COUNT,
            "rna_counts": COUNT,
            "dna_normalized": NUMBER,
            "rna_normalized": NUMBER,
            "log2FoldChange": NUMBER,
            "n_bc": COUNT,
        },
        error=CountsError,
    ),
    "reporter_element": Layout({"oligo_name": TEXT, **_ELEMENT}, error=CountsError),
    "reporter_variant": Layout({"variant_id": SPDI, **_VARIANT}, error=CountsError),
    "reporter_genomic_element": Layout({**_BED, **_ELEMENT}, header=False, error=CountsError),
    "reporter_genomic_variant": Layout({**_BED, **_VARIANT}, header=False, error=CountsError),
    "labels": Layout({"oligo_name": TEXT, "label": TEXT}, header=False, unique="oligo_name"),
    "side_table": Layout(
        {"oligo_name": TEXT, "element": TEXT, "arm": TEXT, "group": TEXT},
        optional=frozenset({"group"}),
        unique="oligo_name",
    ),
}
