"""Tab-separated tables in the formats of `LAYOUTS`, read and written with a check of every cell."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn, TypeAlias

import numpy as np
import pandas as pd

from causalgia.checks import nearest
from causalgia.errors import CausalgiaError, CountsError, LibraryError, quoted
from causalgia.inputs import as_cell, from_cell
from causalgia.mpra.formats.text_files import read_lines, write_text

_DTYPES: dict[Any, type[Any]] = {int: np.int64, float: np.float64}


def layout_of(format: Format) -> Layout:
    """Return the layout of a format, or raise LibraryError with the nearest name."""
    if not isinstance(format, str) or format not in LAYOUTS:
        hint = nearest(quoted(format), LAYOUTS) or f"; there are {', '.join(LAYOUTS)}"
        raise LibraryError(f"no format {quoted(format)}{hint}")
    return LAYOUTS[format]


def write_table(table: pd.DataFrame, path: str | PathLike[str], format: Format, *, overwrite: bool = False) -> Path:
    """Write a table with the columns of the format; all cells are checked before anything is written.

    Numbers have 4 decimals, arrays are JSON, and None is an empty cell.

    Raises
    ------
    LibraryError, CountsError
        If a column is missing or unknown, a cell does not match the format, or the file exists.
    """
    layout = layout_of(format)
    names = [str(name) for name in table.columns]
    _check_columns(names, layout, f"{path}: {format}")
    columns = []
    for name in names:
        kind = layout.kind_of(name)
        assert kind is not None
        texts = [kind.write(value) for value in table[name].tolist()]
        _check_cells(texts, name, kind, layout, str(path))
        columns.append(texts)
    _check_unique(columns, names, layout, str(path))
    lines = ["\t".join(names)] if layout.header else []
    lines += ["\t".join(row) for row in zip(*columns, strict=True)]
    return write_text(path, "\n".join(lines) + "\n", overwrite=overwrite)


def read_table(path: str | PathLike[str], format: Format) -> pd.DataFrame:
    """Read a table of a format, plain or gzip-compressed, and check every cell.

    Lines are not stripped: an empty cell at the end of a line is a cell. Arrays are tuples, () for NA; an unobserved
    count is None.

    Raises
    ------
    LibraryError, CountsError
        If the file cannot be read, or a line or cell does not match the format; the message names file, line, column
        and cure.
    """
    layout = layout_of(format)
    lines = read_lines(path, layout.error)
    names = lines[0].split("\t") if layout.header else list(layout.columns)
    _check_columns(names, layout, f"{path}: line 1: {format}")
    rows = lines[1:] if layout.header else lines
    _check_widths(rows, len(names), layout, str(path))
    cells = list(zip(*(row.split("\t") for row in rows), strict=True)) if rows else [()] * len(names)
    _check_unique(cells, names, layout, str(path))
    return pd.DataFrame(
        {name: _read_column(column, name, layout, str(path)) for name, column in zip(names, cells, strict=True)}
    )


def _read_column(texts: tuple[str, ...], name: str, layout: Layout, place: str) -> pd.Series:
    kind = layout.kind_of(name)
    assert kind is not None
    _check_cells(texts, name, kind, layout, place)
    if kind.read is str:
        return pd.Series(texts, dtype=object)
    known = {text: kind.read(text) for text in set(texts)}
    endless = {text for text, value in known.items() if kind.read is float and not np.isfinite(value)}
    if endless:
        row, text = next((i, text) for i, text in enumerate(texts) if text in endless)
        _raise_bad_cell(row, text, name, kind, layout, place)
    values = [known[text] for text in texts]
    if kind.read in _DTYPES:
        return pd.Series(np.array(values, _DTYPES[kind.read]))
    return pd.Series(values, dtype=object)


def _check_columns(names: list[str], layout: Layout, place: str) -> None:
    unknown = [name for name in names if layout.kind_of(name) is None]
    if unknown:
        hint = nearest(unknown[0], layout.columns) or f"; it has {', '.join(layout.columns)}"
        raise layout.error(f"{place} has no column {quoted(unknown[0])}{hint}")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise layout.error(
            f"{place}: column {quoted(twice[0])} appears {names.count(twice[0])} times; drop all but one"
        )
    fixed = [name for name in names if name in layout.columns]
    missing = [name for name in layout.columns if name not in names and name not in layout.optional]
    if missing:
        raise layout.error(f"{place}: column {quoted(missing[0])} is missing; it has {', '.join(layout.columns)}")
    if fixed != [name for name in layout.columns if name in names] or names[: len(fixed)] != fixed:
        raise layout.error(f"{place}: columns {', '.join(names)} are not in order: {', '.join(layout.columns)}")
    for prefix, _ in layout.repeated:
        if not any(name.startswith(prefix) for name in names):
            raise layout.error(f"{place}: no column {prefix}<replicate>; there is one a replicate")


def _check_widths(rows: list[str], width: int, layout: Layout, place: str) -> None:
    first = 2 if layout.header else 1
    for number, row in enumerate(rows, first):
        if row.count("\t") != width - 1:
            n = row.count("\t") + 1
            raise layout.error(
                f"{place}: line {number}: {n} cells where there are {width} columns; an empty cell keeps its tab, at "
                "the end of a line too: do not strip lines"
            )


def _check_cells(texts: Iterable[str], name: str, kind: CellKind, layout: Layout, place: str) -> None:
    matches = re.compile(kind.pattern).fullmatch
    bad = {text for text in set(texts) if matches(text) is None}
    if bad:
        row, text = next((i, text) for i, text in enumerate(texts) if text in bad)
        _raise_bad_cell(row, text, name, kind, layout, place)


def _raise_bad_cell(row: int, text: str, name: str, kind: CellKind, layout: Layout, place: str) -> NoReturn:
    line = row + (2 if layout.header else 1)
    raise layout.error(
        f"{place}: line {line}, column {quoted(name)}: {quoted(text[:40])} is not {kind.says}; correct the cell"
    )


def _check_unique(columns: Iterable[Iterable[str]], names: list[str], layout: Layout, place: str) -> None:
    if layout.unique is None:
        return
    texts = list(list(columns)[names.index(layout.unique)])
    if len(set(texts)) == len(texts):
        return
    seen: dict[str, int] = {}
    first = 2 if layout.header else 1
    for line, text in enumerate(texts, first):
        if text in seen:
            raise layout.error(
                f"{place}: lines {seen[text]} and {line}: {layout.unique} {quoted(text)} appears twice; drop or "
                "rename one"
            )
        seen[text] = line


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


class CellKind(NamedTuple):
    """Allowed contents of a cell.

    Attributes
    ----------
    pattern
        Regular expression for the whole text of a cell.
    says
        The same in words, for errors.
    read, write
        Convert text to value, and back.
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
    """Return a name as a cell; tabs and line ends stay, so that the format check refuses them."""
    text = str(value)
    return text if set(text) & set("\t\r\n") else as_cell(text)


def _text_of_count(value: Any) -> str:
    if value is None or value != value:  # NaN: an empty cell in pandas
        return ""
    whole = isinstance(value, float | np.floating) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _choice_kind(*words: str) -> CellKind:
    return CellKind("|".join(map(re.escape, words)), "one of " + ", ".join(words))


def _json_array_kind(item: str, says: str) -> CellKind:
    """Return the kind of a JSON array of at least one item, or NA for none, read as a tuple."""
    return CellKind(
        rf"NA|\[{item}(?:, ?{item})*\]",
        f"a JSON array of {says}, or NA",
        lambda text: () if text == "NA" else tuple(json.loads(text)),
        _text_of_array,
    )


_SPDI = r"[A-Za-z0-9_.]+:[0-9]{1,18}:[A-Za-z]*:[A-Za-z]*"
TEXT = CellKind(r"[^\t\r\n]+", "text without tabs", from_cell, _text_of_name)
FREE = CellKind(r"[^\t\r\n]*", "text without tabs", from_cell, _text_of_name)
LETTERS = CellKind("[ACGT]+", "letters A, C, G and T")
ANY_CASE = CellKind("[ACGTacgt]+", "letters A, C, G and T, in either case")
ALLELE = CellKind("[ACGT]+|0", "letters A, C, G and T, or 0 for none")
COUNT = CellKind("[0-9]{1,18}", "a whole number, at least 0, of at most 18 digits", int)
FROM_ONE = CellKind("0{0,9}[1-9][0-9]{0,17}", "a whole number, at least 1, of at most 18 digits", int)
CELL = CellKind(
    "[0-9]{0,18}",
    "a whole number, at least 0, of at most 18 digits, or nothing",
    lambda text: int(text) if text else None,
    _text_of_count,
)
PLACE = CellKind("-1|[0-9]{1,18}", "a whole number, at least -1, of at most 18 digits", int)
NUMBER = CellKind(
    r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?",
    "a finite number",
    float,
    lambda value: f"{value:.4f}" if isinstance(value, int | float | np.number) else str(value),
)
SCORE = CellKind(r"[0-9]{1,3}|1000", "a whole number from 0 to 1000", int)
STRAND = _choice_kind("+", "-")
ANY_STRAND = _choice_kind("+", "-", ".")
SPDI = CellKind(_SPDI, "an SPDI, such as NC_000001.11:10449199:G:A")
CATEGORY = _choice_kind("variant", "element", "synthetic", "scrambled")
CLASS = _choice_kind(
    "test",
    "variant positive control",
    "variant negative control",
    "element active control",
    "element inactive control",
)


@dataclass(frozen=True)
class Layout:
    """Columns of a file format.

    Attributes
    ----------
    columns
        Name -> kind, in order.
    header
        Whether the first line holds the column names.
    optional
        Columns that a file may lack.
    repeated
        Prefix of columns repeated by replicate -> kind; they come last, in any order.
    unique
        Column that identifies rows.
    error
        Error class for files that do not match.
    """

    columns: dict[str, CellKind]
    header: bool = True
    optional: frozenset[str] = frozenset()
    repeated: tuple[tuple[str, CellKind], ...] = ()
    unique: str | None = None
    error: type[CausalgiaError] = LibraryError

    def kind_of(self, column: str) -> CellKind | None:
        """Return the kind of a column; None if the format does not have it."""
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
            "variant_class": _json_array_kind('"(?:SNV|indel)"', 'of "SNV" or "indel"'),
            "variant_pos": _json_array_kind("[0-9]{1,18}", "whole numbers"),
            "SPDI": _json_array_kind(f'"{_SPDI}"', "SPDIs"),
            "allele": _json_array_kind('"(?:ref|alt)"', '"ref" or "alt"'),
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
