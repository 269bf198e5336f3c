"""Text files of libraries: names that vendors accept, and tab-separated tables in the
formats of `LAYOUTS`.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.checks import nearest
from causalgia.choices import COMPLEMENT
from causalgia.errors import (
    NAMES_SHOWN,
    CausalgiaError,
    DataError,
    DesignError,
    SequenceError,
    first_of,
    quoted,
)
from causalgia.inputs import as_cell, from_cell, not_written
from causalgia.schema import validate
from causalgia.sequences.text_files import read_text

NAME = re.compile(r"[A-Za-z][A-Za-z0-9+=_.:-]*")


def check_names(names: Sequence[str], place: str) -> None:
    """Raise DesignError for names that vendors or mappers do not accept, or that
    appear twice.

    Raises
    ------
    DesignError
        If a name does not begin with a letter, has another character than letters,
        digits and ``+ = _ . : -``, or is shared.
    """
    odd = [name for name in dict.fromkeys(names) if NAME.fullmatch(name) is None]
    if odd:
        raise DesignError(
            f"{place}: {first_of(map(quoted, odd), NAMES_SHOWN)}: a name "
            "begins with a letter and has letters, digits and + = _ . : - only; rename "
            "(cg.mpra.vendor_name writes other characters as =HH)"
        )
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DesignError(
            f"{place}: {quoted(twice)} names two sequences; names are unique: rename "
            "one"
        )


def vendor_name(name: str) -> str:
    """Return a text as a name that vendors and mappers accept; `given_name` inverts it.

    Characters other than letters, digits and ``+ _ . : -`` become ``=HH``, two
    hexadecimal digits a byte of UTF-8, and names that do not start with a letter get
    the prefix ``n==``; distinct texts get distinct names.

    Examples
    --------
    >>> vendor_name("chr1:5-11(+)"), given_name("chr1:5-11=28+=29")
    ('chr1:5-11=28+=29', 'chr1:5-11(+)')
    >>> vendor_name("7 copies")
    'n==7=20copies'
    """
    text = "".join(
        c
        if NAME.fullmatch("n" + c) and c != "="
        else "".join(f"={byte:02X}" for byte in c.encode())
        for c in name
    )
    return text if NAME.fullmatch(text) else f"n=={text}"


def given_name(name: str) -> str:
    """Return the text from which `vendor_name` made a name.

    Raises
    ------
    DesignError
        If the name is not one of `vendor_name`.
    """
    body = name.removeprefix("n==")
    raw = re.sub(
        rb"=([0-9A-F]{2})",
        lambda found: bytes.fromhex(found[1].decode()),
        body.encode(),
    )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DesignError(
            f"{quoted(name)} is not a name that vendor_name() wrote ({error.reason}); "
            "it is as it was given"
        ) from error


def check_distinguishable(
    sequences: Sequence[str], names: Sequence[str], exempt: Sequence[bool], place: str
) -> None:
    """Raise DesignError for sequences that are equal or reverse complements of each
    other.

    Parameters
    ----------
    sequences, names
        Sequences as ordered, and their names.
    exempt
        Which are declared duplicates, and may repeat another sequence in its own
        orientation.
    place
        Name of the output, for errors.

    Raises
    ------
    DesignError
        With the names of the pairs.
    """
    seen: dict[str, str] = {}
    clashes: list[str] = []
    for sequence, name, declared in zip(sequences, names, exempt, strict=True):
        letters = sequence.upper()
        minus = letters.translate(COMPLEMENT)[::-1]
        if not declared and letters in seen:
            clashes.append(
                f"{quoted(seen[letters])} and {quoted(name)} are one sequence"
            )
        elif minus != letters and minus in seen:
            clashes.append(
                f"{quoted(name)} is the reverse complement of {quoted(seen[minus])}"
            )
        if not declared:
            seen.setdefault(letters, name)
    if clashes:
        shown = first_of(clashes, NAMES_SHOWN, sep="; ", thing="pair")
        raise DesignError(
            f"{place}: {shown}: their reads cannot be "
            "distinguished. Drop the unit in every arm, draw its background anew, or "
            "declare the copies duplicates (group 'duplicate')"
        )


_GZIP_LEVEL = 6


def write_text(
    path: str | PathLike[str], text: str, *, overwrite: bool = False
) -> Path:
    """Write a text file atomically; ``.gz`` is compressed, with no name or time in its
    header.

    Raises
    ------
    DesignError
        If the file exists (without `overwrite`), its folder is absent, or it cannot be
        written.
    """
    target = Path(path)
    check_writable(target, overwrite=overwrite)
    data = text.encode("utf-8")
    if target.suffix == ".gz":
        buffer = BytesIO()
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, buffer, mtime=0) as file:
            file.write(data)
        data = buffer.getvalue()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(target)
    except OSError as error:
        raise not_written(target, error, DesignError) from error
    finally:
        with suppress(OSError):  # nothing was written, such as for a name too long
            temporary.unlink(missing_ok=True)
    return target


def check_writable(path: Path, *, overwrite: bool) -> None:
    """Raise DesignError where a file exists already, or cannot be created."""
    if not isinstance(overwrite, bool | np.bool_):
        raise TypeError(f"overwrite={quoted(overwrite)} must be True or False")
    if path.is_dir():
        raise DesignError(f"{path} is a folder; give the path of a file")
    if path.exists() and not overwrite:
        raise DesignError(
            f"{path} exists already; choose another place, or overwrite=True to "
            "write over it"
        )
    if not path.parent.is_dir():
        raise DesignError(
            f"{path.parent} is not a folder; make it first, or choose another place"
        )


_OF_CONSTRUCT = ("unit", "element", "arm", "group", "insert")
_OF_OLIGO = ("name", "oligo", "barcode")


def construct_table(library: xr.Dataset, place: str) -> pd.DataFrame:
    """Return a row for each construct, in order of appearance, with every variable that
    is constant within it.

    Raises
    ------
    DesignError
        If a construct's oligos differ in more than their barcode, a name is invalid, or
        two inserts that are not declared duplicates cannot be distinguished.
    """
    validate(library, "library")
    of, names = pd.factorize(library["oligo_name"].to_numpy())
    first = np.unique(of, return_index=True)[1]
    _check_same_construct(library, of, first, place)
    rowwise = [name for name in library.variables if library[name].dims == ("row",)]
    rows = pd.DataFrame(
        {
            name: library[name].to_numpy()[first]
            for name in rowwise
            if name not in _OF_OLIGO
        }
    )
    check_names(names.tolist(), place)
    with_insert = rows[rows["insert"] != ""]
    declared = (with_insert["group"] == "duplicate").tolist()
    check_distinguishable(
        with_insert["insert"].tolist(),
        with_insert["oligo_name"].tolist(),
        declared,
        place,
    )
    return rows


def _check_same_construct(
    library: xr.Dataset, of: NDArray[np.intp], first: NDArray[np.intp], place: str
) -> None:
    if len(first) == len(of):
        return
    for column in _OF_CONSTRUCT:
        values = library[column].to_numpy()
        differs = values != values[first][of]
        if differs.any():
            name = library["oligo_name"].to_numpy()[int(differs.argmax())]
            raise DesignError(
                f"{place}: oligos of {quoted(name)} differ in their {column}; only the "
                "barcode may: give them constructs of their own"
            )


_DTYPES: dict[Any, type[Any]] = {int: np.int64, float: np.float64}


def layout_of(format: Format) -> Layout:
    """Return the layout of a format, or raise DesignError with the nearest name."""
    if not isinstance(format, str) or format not in LAYOUTS:
        hint = nearest(quoted(format), LAYOUTS) or f"; there are {', '.join(LAYOUTS)}"
        raise DesignError(f"no format {quoted(format)}{hint}")
    return LAYOUTS[format]


def write_table(
    table: pd.DataFrame,
    path: str | PathLike[str],
    format: Format,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a table with the columns of the format; all cells are checked before
    anything is written.

    Numbers have 4 decimals, arrays are JSON, and None is an empty cell.

    Raises
    ------
    DesignError, DataError
        If a column is missing or unknown, a cell does not match the format, or the file
        exists.
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

    Lines are not stripped: an empty cell at the end of a line is a cell. Arrays are
    tuples, () for NA; an unobserved count is None.

    Raises
    ------
    DesignError, DataError
        If the file cannot be read, or a line or cell does not match the format; the
        message names file, line, column and cure.
    """
    layout = layout_of(format)
    try:
        lines = read_text(path).decode("utf-8").split("\n")
    except SequenceError as reason:
        raise layout.error(str(reason)) from reason
    except UnicodeDecodeError as reason:
        raise layout.error(
            f"{path}: is not UTF-8 text (byte {reason.start}); save it as UTF-8"
        ) from reason
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise layout.error(
            f"{path}: the file is empty; it was cut short, or is another file"
        )
    names = lines[0].split("\t") if layout.header else list(layout.columns)
    _check_columns(names, layout, f"{path}: line 1: {format}")
    rows = lines[1:] if layout.header else lines
    for number, row in enumerate(rows, 2 if layout.header else 1):
        n = row.count("\t") + 1
        if n != len(names):
            raise layout.error(
                f"{path}: line {number}: {n} cells where there are {len(names)} "
                "columns; an empty cell keeps its tab, at the end of a line too: do "
                "not strip lines"
            )
    cells = (
        list(zip(*(row.split("\t") for row in rows), strict=True))
        if rows
        else [()] * len(names)
    )
    _check_unique(cells, names, layout, str(path))
    return pd.DataFrame(
        {
            name: _read_column(column, name, layout, str(path))
            for name, column in zip(names, cells, strict=True)
        }
    )


def _read_column(
    texts: tuple[str, ...], name: str, layout: Layout, place: str
) -> pd.Series:
    kind = layout.kind_of(name)
    assert kind is not None
    _check_cells(texts, name, kind, layout, place)
    if kind.read is str:
        return pd.Series(texts, dtype=object)
    known = {text: kind.read(text) for text in set(texts)}
    endless = {
        text
        for text, value in known.items()
        if kind.read is float and not np.isfinite(value)
    }
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
        hint = (
            nearest(unknown[0], layout.columns)
            or f"; it has {', '.join(layout.columns)}"
        )
        raise layout.error(f"{place} has no column {quoted(unknown[0])}{hint}")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise layout.error(
            f"{place}: column {quoted(twice[0])} appears {names.count(twice[0])} "
            "times; drop all but one"
        )
    fixed = [name for name in names if name in layout.columns]
    missing = [
        name
        for name in layout.columns
        if name not in names and name not in layout.optional
    ]
    if missing:
        raise layout.error(
            f"{place}: column {quoted(missing[0])} is missing; it has "
            f"{', '.join(layout.columns)}"
        )
    if (
        fixed != [name for name in layout.columns if name in names]
        or names[: len(fixed)] != fixed
    ):
        raise layout.error(
            f"{place}: columns {', '.join(names)} are not in order: "
            f"{', '.join(layout.columns)}"
        )
    for prefix, _ in layout.repeated:
        if not any(name.startswith(prefix) for name in names):
            raise layout.error(
                f"{place}: no column {prefix}<replicate>; there is one a replicate"
            )


def _check_cells(
    texts: Iterable[str], name: str, kind: CellKind, layout: Layout, place: str
) -> None:
    matches = re.compile(kind.pattern).fullmatch
    bad = {text for text in set(texts) if matches(text) is None}
    if bad:
        row, text = next((i, text) for i, text in enumerate(texts) if text in bad)
        _raise_bad_cell(row, text, name, kind, layout, place)


def _raise_bad_cell(
    row: int, text: str, name: str, kind: CellKind, layout: Layout, place: str
) -> NoReturn:
    line = row + (2 if layout.header else 1)
    raise layout.error(
        f"{place}: line {line}, column {quoted(name)}: {quoted(text[:40])} is not "
        f"{kind.says}; correct the cell"
    )


def _check_unique(
    columns: Iterable[Iterable[str]], names: list[str], layout: Layout, place: str
) -> None:
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
                f"{place}: lines {seen[text]} and {line}: {layout.unique} "
                f"{quoted(text)} appears twice; drop or rename one"
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
    """Return a name as a cell; tabs and line ends stay, so that the format check
    refuses them.
    """
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
    """Return the kind of a JSON array of at least one item, or NA for none, read as a
    tuple.
    """
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
FROM_ONE = CellKind(
    "0{0,9}[1-9][0-9]{0,17}", "a whole number, at least 1, of at most 18 digits", int
)
CELL = CellKind(
    "[0-9]{0,18}",
    "a whole number, at least 0, of at most 18 digits, or nothing",
    lambda text: int(text) if text else None,
    _text_of_count,
)
PLACE = CellKind(
    "-1|[0-9]{1,18}", "a whole number, at least -1, of at most 18 digits", int
)
NUMBER = CellKind(
    r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?",
    "a finite number",
    float,
    lambda value: (
        f"{value:.4f}" if isinstance(value, int | float | np.number) else str(value)
    ),
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
    error: type[CausalgiaError] = DesignError

    def kind_of(self, column: str) -> CellKind | None:
        """Return the kind of a column; None if the format does not have it."""
        if column in self.columns:
            return self.columns[column]
        return next(
            (
                kind
                for prefix, kind in self.repeated
                if column.startswith(prefix) and column != prefix
            ),
            None,
        )


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
        error=DataError,
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
        error=DataError,
    ),
    "reporter_element": Layout({"oligo_name": TEXT, **_ELEMENT}, error=DataError),
    "reporter_variant": Layout({"variant_id": SPDI, **_VARIANT}, error=DataError),
    "reporter_genomic_element": Layout(
        {**_BED, **_ELEMENT}, header=False, error=DataError
    ),
    "reporter_genomic_variant": Layout(
        {**_BED, **_VARIANT}, header=False, error=DataError
    ),
    "labels": Layout(
        {"oligo_name": TEXT, "label": TEXT}, header=False, unique="oligo_name"
    ),
    "side_table": Layout(
        {"oligo_name": TEXT, "element": TEXT, "arm": TEXT, "group": TEXT},
        optional=frozenset({"group"}),
        unique="oligo_name",
    ),
}
