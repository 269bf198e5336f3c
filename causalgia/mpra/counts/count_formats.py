"""Count tables as laboratories and pipelines write them, brought to one layout: a row a
barcode, ``barcode oligo_name`` and a column of DNA and RNA for each replicate.
"""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causalgia.checks import in_list
from causalgia.errors import DataError, quoted, type_in_words
from causalgia.inputs import read_bytes
from causalgia.mpra.counts.column_kinds import (
    is_count_word,
    is_matrix_of_barcodes,
    is_of_pool,
    kind_of_column,
    paired_replicates,
)
from causalgia.mpra.counts.comment_lines import (
    SEPARATORS,
    separator_of,
    without_comments,
)
from causalgia.mpra.counts.side_formats import plain_column
from causalgia.mpra.counts.variant_haplotypes import is_variant_file, read_carried
from causalgia.types import Ints, Mask

NAMES = ("barcode", "oligo_name")
EMPTY = ("", "NA")
BARCODE_COLUMNS = ("barcode", "barcodes", "bc", "tag", "tags")
OLIGO_COLUMNS = (
    *("oligo_name", "oligo", "oligoname", "oligo_id", "name", "label", "id"),
    "seq_id",
)
_REPLICATE_COLUMNS = ("replicate", "rep")
HEADER_NAMES = (*BARCODE_COLUMNS, *OLIGO_COLUMNS, *_REPLICATE_COLUMNS)
#: columns of pipelines that hold no counts: of MPRAcount's alignments, of MPRAnalyze
_NO_COUNTS = ("error", "cigar", "md", "aln_start:stop", "sequence")
_DERIVED = re.compile(
    r"(dna|rna)_?norm.*|log2_?(fold_?change)?|ratio|n_bc|n_obs_bc|log2fc", re.IGNORECASE
)
_BARCODE_NAME = re.compile(r"[ACGTN]{4,}", re.IGNORECASE)
_WELL = re.compile(r"[ACGTNacgtn]+(-[0-9]+)")
_THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+")
_WHOLE = re.compile(r"[0-9]+(,[0-9]{3})*")


@dataclass(frozen=True)
class Lines:
    """The files that rows come from, for errors.

    Attributes
    ----------
    paths
        Files, in the order of their rows.
    starts
        The first row of each.
    first
        The line of a file in which its first row is: 2 below a header.
    rows
        The rows that are left, by their place; None: all.
    header
        The line of the header.
    """

    paths: tuple[Path, ...]
    starts: tuple[int, ...] = (0,)
    first: int = 2
    rows: Ints | None = None
    header: int = 1

    def __str__(self) -> str:
        return ", ".join(map(str, self.paths))

    def line(self, row: int) -> str:
        """Return the file and line of a row."""
        row = row if self.rows is None else int(self.rows[row])
        i = int(np.searchsorted(self.starts, row, side="right")) - 1
        return f"{self.paths[i]}, line {row - self.starts[i] + self.first}"

    def select(self, rows: Mask) -> Lines:
        """Return the lines of the rows that are left."""
        left = np.flatnonzero(rows)
        return replace(self, rows=left if self.rows is None else self.rows[left])


@dataclass
class CountTable:
    """A table of counts in one layout.

    Attributes
    ----------
    cells
        Text in ``barcode``, categories in ``oligo_name`` and ``replicate``, and floats
        in the columns of counts, NaN where empty.
    lines
        Where its rows come from.
    format
        What the table was read as.
    details
        What was understood by its columns, and what was left out.
    is_sums
        Whether there is one sum an oligo, without barcodes.
    """

    cells: pd.DataFrame
    lines: Lines
    format: str
    details: list[str] = field(default_factory=list)
    is_sums: bool = False

    @property
    def sentence(self) -> str:
        """What the table was read as, in a sentence without its point."""
        return "; ".join([f"read as {self.format}", *self.details])


@dataclass
class _Roles:
    """What each column of a header is."""

    barcode: str | None = None
    oligo: str | None = None
    replicate: str | None = None
    counts: dict[str, tuple[str, str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    one_pool: bool = False


_APART = (
    "if DNA and RNA are in files of their own, write which they are into an experiment "
    "file (condition,replicate,dna,rna; a line for each replicate), and read that"
)
#: writes MPRAflow's dictionary of oligos and barcodes, and esMPRA's, as text
_UNPICKLED = (
    'python -c "import pickle, sys; [print(barcode, oligo, sep=chr(9)) for oligo, some '
    "in pickle.load(open(sys.argv[1], 'rb')).items() for barcode in some]\" {path} > "
    "barcodes.tsv"
)


def read_table_bytes(path: Path) -> bytes:
    """Return the bytes of a file, decompressed if it is gzip, without blank lines at
    its end.
    """
    text = read_bytes(path, DataError, unpack=True)
    if text.startswith(b"\x80"):
        raise DataError(
            f"{path}: is a pickle of Python, as MPRAflow and esMPRA keep the barcodes "
            "of oligos, and is not read, because it may run code. If you trust it, "
            "write it as text, and give that as assignment=: "
            f"{_UNPICKLED.format(path=shlex.quote(str(path)))}"
        )
    try:
        _ = text if text.isascii() else text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: letters that are not UTF-8; save the table as UTF-8 "
            "text"
        ) from error
    return text.rstrip(b"\r\n") + b"\n" if text.endswith((b"\n\n", b"\n\r\n")) else text


@dataclass(frozen=True)
class Cells:
    """The cells of a table.

    Attributes
    ----------
    rows
        Cells of each line, the header first if there is one.
    separator
        What stands between them.
    numbers
        The number of each line in the file, from 1.
    details
        What was left out.
    """

    rows: list[list[str]]
    separator: str
    numbers: list[int]
    details: list[str]


def read_cells(text: bytes, path: Path) -> Cells:
    """Return the cells of a table with tabs, commas or semicolons between them, as its
    first line has; lines of comments (``#``) are left out.

    Raises
    ------
    DataError
        If the first line has none of them, or lines differ in their cells.
    """
    # each end of a line is one, as for the reader of cells: rows have the number of theirs
    lines = io.StringIO(text.decode().removeprefix("\ufeff"), newline=None).read()
    read = without_comments(lines, HEADER_NAMES)
    numbers = read.numbers or list(range(1, read.text.count("\n") + 2))
    first = read.text.partition("\n")[0]
    separator = separator_of(first)
    if separator is None:
        what = "is empty" if not first.strip() else "has one cell"
        raise DataError(
            f"{path}: line {numbers[0]} {what}; the table is tab-separated (or has "
            "commas or semicolons between cells), with a header barcode oligo_name "
            "dna_count_1 rna_count_1 ..."
        )
    try:
        rows = list(csv.reader(io.StringIO(read.text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise DataError(
            f"{path}: it cannot be read as a table with {SEPARATORS[separator]} "
            f"between cells ({error}); look for a quotation mark that is not closed"
        ) from error
    n = len(rows[0])
    # write.table of R gives names to rows, and none to their column
    if len(rows) > 1 and all(len(row) == n + 1 and row[-1] for row in rows[1:]):
        rows[0], n = ["", *rows[0]], n + 1
    for i, row in enumerate(rows):
        if len(row) == n:
            continue
        if not row or (len(row) == 1 and not row[0].strip()):
            raise DataError(f"{path}, line {numbers[i]} is blank; leave it out")
        cure = (
            "names of rows stand before it: write the table without them "
            "(write.table(..., row.names = FALSE))"
            if i == 1 and len(row) == n + 1
            else f"write each line with as many {SEPARATORS[separator]} as the header"
        )
        raise DataError(
            f"{path}, line {numbers[i]}: {len(row)} cells under a header of {n}; {cure}"
        )
    details = [
        f"{read.n_comments} line{'s' * (read.n_comments > 1)} of comments left out"
    ] * bool(read.n_comments)
    return Cells(rows, separator, numbers[: len(rows)], details)


@dataclass(frozen=True)
class Assignment:
    """Barcodes and their oligos.

    Attributes
    ----------
    oligos
        The name of the oligo of each barcode, by barcode.
    taken_for
        Barcode -> the one that it was taken for, whose reads its own are added to: of
        MPRAflow's barcodes with commas between them.
    variants
        Barcode -> the variants that it carries, of MPRAflow's ``variants.txt``.
    """

    oligos: pd.Series[Any]
    taken_for: Mapping[str, str]
    variants: Mapping[str, Sequence[str]] | None = None


def read_assignment(table: str | Path | pd.DataFrame) -> Assignment:
    """Return the oligo of each barcode.

    Parameters
    ----------
    table
        IGVF's ``reporter_barcode_to_element_mapping`` (two columns without a header),
        or a table with columns of barcodes and oligos; a path or a DataFrame. Or
        MPRAflow's ``variants.txt``: barcodes and the variants that each carries
        (`causalgia.mpra.counts.variant_haplotypes`).

    Raises
    ------
    DataError
        If it has no such columns, or a barcode is assigned to two oligos.
    """
    carried = None
    if isinstance(table, pd.DataFrame):
        where, names = "assignment=", [str(name) for name in table.columns]
        rows = table.astype(str).to_numpy().tolist()
    elif isinstance(table, str | Path):
        where = str(table)
        data = read_table_bytes(Path(table))
        if is_variant_file(text := data.decode()):
            names = ["barcode", "oligo"]
            carried = read_carried(text, where)
            rows = [list(row) for row in carried.oligos.items()]
        else:
            cells = read_cells(data, Path(table)).rows
            names, rows = cells[0], cells[1:]
            first = names[0].removesuffix(f"-{names[0].rpartition('-')[2]}")
            if _BARCODE_NAME.fullmatch(first) and len(names) > 1:
                names, rows = ["barcode", "oligo"], [row[:2] for row in cells]
    else:
        raise DataError(
            f"assignment= is {type_in_words(table)}; give a path or a DataFrame "
            "with the columns barcode and oligo_name"
        )
    places = [
        [i for i, name in enumerate(names) if plain_column(name) in known]
        for known in (BARCODE_COLUMNS, OLIGO_COLUMNS)
    ]
    if [len(one) for one in places] != [1, 1]:
        raise DataError(
            f"{where}: its columns are {', '.join(names)[:200]}; an assignment has one "
            "of barcodes and one of oligos: barcode oligo_name (or two columns without "
            "a header)"
        )
    (barcode,), (oligo,) = places
    names = [row[barcode].upper() for row in rows]
    wells = {found[1] if (found := _WELL.fullmatch(name)) else "" for name in names}
    if len(wells) == 1:
        names = [name.removesuffix(*wells) for name in names]
    taken_for = {
        one: name.partition(",")[0]
        for name in names
        if "," in name
        for one in name.split(",")[1:]
    }
    pairs = pd.DataFrame(
        {
            "barcode": [name.partition(",")[0] for name in names],
            "oligo": [row[oligo] for row in rows],
        }
    ).drop_duplicates()
    twice = pairs["barcode"].duplicated(keep=False).to_numpy()
    if twice.any():
        some = pairs[twice].sort_values("barcode")
        raise DataError(
            f"{where}: barcode {some['barcode'].iloc[0]} is of oligos "
            f"{quoted(some['oligo'].iloc[0])} and {quoted(some['oligo'].iloc[1])}, and "
            f"{some['barcode'].nunique() - 1:,} more barcodes are of several; drop the "
            "barcodes that are assigned twice"
        )
    if both := sorted(set(taken_for) & set(pairs["barcode"])):
        raise DataError(
            f"{where}: barcode {both[0]} has a line of its own, and in another is "
            f"taken for {taken_for[both[0]]}; drop one of these lines"
        )
    variants = carried and {
        barcode.partition(",")[0]: one for barcode, one in carried.variants.items()
    }
    return Assignment(pairs.set_index("barcode")["oligo"], taken_for, variants)


def read_conditions(
    conditions: str | Path | pd.DataFrame | Mapping[str, str],
) -> dict[str, str]:
    """Return column -> ``"DNA"`` or the cell type that its RNA is of.

    Parameters
    ----------
    conditions
        MPRAmodel's condition table (two columns without a header), a DataFrame of two
        columns, or a mapping.

    Examples
    --------
    >>> read_conditions({"plasmid_r1": "DNA", "K562_r1": "K562"})
    {'plasmid_r1': 'DNA', 'K562_r1': 'K562'}
    """
    if isinstance(conditions, Mapping):
        known = {str(name): str(what) for name, what in conditions.items()}
    else:
        if isinstance(conditions, pd.DataFrame):
            rows = conditions.astype(str).to_numpy().tolist()
        elif not isinstance(conditions, str | Path):
            raise DataError(
                f"conditions= is {type_in_words(conditions)}; give a path, a "
                "DataFrame of two columns, or a mapping of columns to DNA or their "
                "cell type"
            )
        else:
            path = Path(conditions)
            rows = read_cells(read_table_bytes(path), path).rows
        if rows and rows[0][0] == "":
            del rows[0]  # names of the columns, as R writes them
        if any(len(row) != 2 for row in rows):
            raise DataError(
                f"conditions= has {len(rows[0])} columns; it has two: a column of "
                "the counts, and DNA or the cell type of its RNA"
            )
        known = {str(name): str(what) for name, what in rows}
    known = {
        name: "DNA" if what.strip().upper() == "DNA" else what.strip()
        for name, what in known.items()
    }
    if "DNA" not in known.values() or set(known.values()) == {"DNA"}:
        lone = "DNA" if "DNA" in known.values() else in_list(sorted({*known.values()}))
        raise DataError(
            f"conditions=: all columns are of {lone}; mark those of the plasmids "
            "with DNA, and the others with their cell type"
        )
    return known


def read_any_table(
    text: bytes,
    path: Path,
    *,
    assignment: Assignment | None = None,
    conditions: Mapping[str, str] | None = None,
) -> CountTable:
    """Return a table of counts of any layout known here.

    Raises
    ------
    DataError
        If a column is of no known kind, or two may be the same; if there are neither
        barcodes nor oligos, or barcodes without an assignment to oligos.
    """
    read = read_cells(text, path)
    rows, at = read.rows, f"{path}, line {read.numbers[0]}"
    has_header = not (
        is_barcode(rows[0][0])
        and len(rows[0]) > 1
        and all(_WHOLE.fullmatch(cell) or cell in EMPTY for cell in rows[0][1:])
    )
    if not has_header:
        return _without_header(read, path, assignment)
    if is_barcode(rows[0][0]) and any(map(_WHOLE.fullmatch, rows[0])):
        raise DataError(
            f"{at}: {', '.join(rows[0])[:100]} is a row of counts, not a header; write "
            "a line with the names of the columns above it, such as barcode oligo_name "
            "dna_count_1 rna_count_1"
        )
    header, body = [name.strip() for name in rows[0]], rows[1:]
    if not body:
        raise DataError(
            f"{path}: no row below the header; give the table of barcode counts"
        )
    row_names = header[0] == "" and "" not in header[1:]
    of_oligos = False
    if row_names:
        n = len(header)
        header, body = _without_row_names(header, body)
        of_oligos = len(header) == n
    roles = _roles_of(header, at, conditions)
    lines = _lines_of(path, read, first=2)
    columns = dict(zip(header, map(list, zip(*body, strict=True)), strict=True))
    details = read.details + _column_details(header, roles, read.separator)
    if row_names:
        details.append(
            "row names read as names of oligos" if of_oligos else "row names not used"
        )
    if roles.barcode is None and roles.oligo is None:
        raise DataError(
            f"{at}: no column {quoted('barcode')} and {quoted('oligo_name')} "
            f"among {', '.join(header)[:200]}; the table is tab-separated, with a "
            "header barcode oligo_name dna_count_1 rna_count_1 ..., or, of sums, "
            "oligo_name dna_count_1 rna_count_1 ..."
        )
    cells: dict[str, Any] = {}
    if roles.barcode is not None:
        cells["barcode"] = np.array(columns[roles.barcode], dtype=object)
    if roles.oligo is not None:
        cells["oligo_name"] = np.array(columns[roles.oligo], dtype=object)
    elif assignment is None:
        raise DataError(
            f"{at}: no column of oligos among {', '.join(header)[:200]}; "
            "name it oligo_name, or give the table of barcodes and their oligos, "
            "assignment="
        )
    if roles.replicate is not None:
        cells["replicate"] = np.array(columns[roles.replicate], dtype=object)
    numbers = {
        name: as_numbers(columns[name], name, cells, lines) for name in roles.counts
    }
    counts, more = _canonical_counts(numbers, roles)
    table = pd.DataFrame(cells | counts)
    is_sums = roles.barcode is None
    if is_sums:
        _check_one_row(table, lines)
        table.insert(0, "barcode", table["oligo_name"])
        for name in roles.left_out:
            if name.lower() == "n_bc":
                table["n_bc"] = as_numbers(columns[name], name, cells, lines)
    found = CountTable(
        table,
        lines,
        _format_name(roles, is_sums, conditions is not None),
        [*details, *more],
        is_sums,
    )
    return named_oligos(found, assignment)


def _lines_of(path: Path, read: Cells, first: int) -> Lines:
    """Return where the rows of a table are, of which the first is in line `first`
    unless comments stand above it.
    """
    if not read.details:
        return Lines((path,), first=first)
    rows = np.array(read.numbers[first - 1 :], dtype=np.int64) - first
    return Lines((path,), first=first, rows=rows, header=read.numbers[0])


def _without_header(
    read: Cells, path: Path, assignment: Assignment | None
) -> CountTable:
    """Return a table of barcode, DNA and RNA without a header: one replicate of
    MPRAflow or MPRAsnakeflow.
    """
    rows = read.rows
    if len(rows[0]) == 2:
        raise DataError(f"{path}: barcodes and one count, without a header; {_APART}")
    if len(rows[0]) != 3:
        raise DataError(
            f"{path}: no header, and {len(rows[0])} columns; without one a table has "
            "three, barcode DNA RNA, of one replicate: write a line with the names of "
            "the columns"
        )
    if assignment is None:
        raise DataError(
            f"{path}: barcode, DNA and RNA without a header, as MPRAflow writes them, "
            "say nothing of oligos; give the table of barcodes and their oligos, "
            "assignment="
        )
    lines = _lines_of(path, read, first=1)
    barcode, dna, rna = map(list, zip(*rows, strict=True))
    cells: dict[str, Any] = {"barcode": np.array(barcode, dtype=object)}
    for name, column in (("dna_count", dna), ("rna_count", rna)):
        cells[name] = as_numbers(column, name, cells, lines)
    table = CountTable(
        pd.DataFrame(cells),
        lines,
        "barcode, DNA and RNA without a header (MPRAflow)",
        list(read.details),
    )
    return named_oligos(table, assignment)


def is_barcode(cell: str) -> bool:
    """Return whether a cell may be a barcode: four letters ACGTN or more."""
    return _BARCODE_NAME.fullmatch(cell.partition("-")[0]) is not None


def named_oligos(table: CountTable, assignment: Assignment | None) -> CountTable:
    """Return a table with the oligo of each barcode, by the assignment if it names none.

    Raises
    ------
    DataError
        If there is no assignment, or none of the barcodes is in it.
    """
    if "oligo_name" in table.cells:
        return _typed(table)
    if assignment is None:
        raise DataError(
            f"{table.lines}: there are barcodes and no names of oligos; give the table "
            "of barcodes and their oligos, assignment="
        )
    return _typed(_assigned(table, assignment))


def _assigned(table: CountTable, assignment: Assignment) -> CountTable:
    """Name the oligo of each barcode; barcodes without one are left out, as the
    pipelines leave them out.
    """
    cells = table.cells
    cells["barcode"] = clean_barcodes(cells["barcode"].to_numpy(), table)
    taken = cells["barcode"].isin(assignment.taken_for).to_numpy()
    if taken.any():
        cells = _added_up(table, taken, assignment.taken_for)
    oligo = cells["barcode"].map(assignment.oligos)
    lone = oligo.isna().to_numpy()
    if lone.all():
        raise DataError(
            f"{table.lines}: none of its {len(cells):,} barcodes, such as "
            f"{quoted(cells['barcode'].iloc[0])}, is in the assignment, whose barcodes "
            f"are like {quoted(assignment.oligos.index[0])}: give the assignment of this "
            "library, or reverse complements of its barcodes"
        )
    cells["oligo_name"] = oligo.where(~lone, NO_OLIGO)
    return table


def _added_up(
    table: CountTable, taken: Mask, taken_for: Mapping[str, str]
) -> pd.DataFrame:
    """Add the counts of barcodes that were taken for another one to the counts of that
    one; an empty cell adds nothing.
    """
    cells = table.cells
    table.details.append(
        f"{int(taken.sum()):,} barcodes were added to those that the assignment takes "
        "them for"
    )
    renamed = cells["barcode"].where(~taken, cells["barcode"].map(taken_for))
    keys = ["barcode"] + ["replicate"] * ("replicate" in cells)
    cells = cells.assign(barcode=renamed)
    groups = cells.groupby(keys, sort=False).ngroup().to_numpy()
    first = np.flatnonzero(~pd.Series(groups).duplicated().to_numpy())
    several = np.isin(groups, groups[taken])
    for name in cells.columns.difference(keys):
        counts = cells[name].to_numpy(dtype=np.float64).copy()
        total = pd.Series(counts[several]).groupby(groups[several]).sum(min_count=1)
        here = first[several[first]]
        counts[here] = total.reindex(groups[here]).to_numpy()
        cells[name] = counts
    left = np.zeros(len(cells), dtype=bool)
    left[first] = True
    left |= ~several  # a barcode with two rows of its own is refused later
    table.lines = table.lines.select(left)
    table.cells = cells[left].reset_index(drop=True)
    return table.cells


NO_OLIGO = "no_BC"
"""What MPRAsnakeflow calls the oligo of a barcode that was assigned to none."""


def _without_row_names(
    header: list[str], body: list[list[str]]
) -> tuple[list[str], list[list[str]]]:
    """Return a table whose first column has no name, as R and pandas write the names of
    rows: these are the oligos, where no other column is and they are no numbers.

    Examples
    --------
    >>> _without_row_names(["", "dna_1"], [["o1", "3"]])
    (['oligo_name', 'dna_1'], [['o1', '3']])
    >>> _without_row_names(["", "oligo", "dna_1"], [["1", "o1", "3"]])
    (['oligo', 'dna_1'], [['o1', '3']])
    """
    known = {*BARCODE_COLUMNS, *OLIGO_COLUMNS}
    others = any(plain_column(name) in known for name in header)
    if others or all(row[0].isdigit() for row in body):
        return header[1:], [row[1:] for row in body]
    return ["oligo_name", *header[1:]], body


def _roles_of(
    header: Sequence[str], at: str, conditions: Mapping[str, str] | None
) -> _Roles:
    roles = _Roles()
    _set_names(header, at, roles)
    taken = {roles.barcode, roles.oligo, roles.replicate, *roles.left_out}
    others = [name for name in header if name not in taken]
    if roles.barcode is None and is_matrix_of_barcodes(others):
        raise DataError(
            f"{at}: columns such as {quoted(others[0])} are the barcodes of a matrix of "
            "MPRAnalyze, which fills oligos of few barcodes up with zeros, so that it "
            "does not say which barcodes there are; give the table that it was made "
            "from, with a row for each barcode (of esMPRA, see "
            "docs/howto/mpra_counts.md)"
        )
    for name in others:
        if conditions is not None:
            if name in conditions:
                kind = "dna" if conditions[name] == "DNA" else "rna"
                roles.counts[name] = (kind, name)
            elif is_no_count(name):
                roles.left_out.append(name)
            else:
                raise DataError(
                    f"{at}: column {quoted(name)} is not in conditions=, which has "
                    f"{', '.join(conditions)[:200]}; add it there, or leave it out of "
                    "the table"
                )
        elif is_no_count(name):
            roles.left_out.append(name)
        else:
            roles.counts[name] = _kind_and_replicate(
                name, others, at, oligos_known=roles.oligo is not None
            )
    absent = [name for name in conditions or () if name not in header]
    if absent:
        raise DataError(
            f"{at}: conditions= has {quoted(absent[0])}, which is no column; there "
            f"are {', '.join(header)[:200]}"
        )
    if conditions is None:
        roles.counts = paired_replicates(roles.counts)
    _check_counts_known(roles, at)
    dna, rna = (
        {name: of for name, (kind, of) in roles.counts.items() if kind == one}
        for one in ("dna", "rna")
    )
    roles.one_pool = conditions is not None or (
        len(dna) > 1
        and {*dna.values()} != {*rna.values()}
        and all(map(is_of_pool, dna))
    )
    return roles


def is_no_count(name: str) -> bool:
    """Return whether a column is one of those of pipelines that hold no counts."""
    return name.lower() in _NO_COUNTS or _DERIVED.fullmatch(name) is not None


def _set_names(header: Sequence[str], at: str, roles: _Roles) -> None:
    """Set the columns of barcodes, oligos and replicates; raise DataError where two
    may be one of these.
    """
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        cure = (
            f"name their replicates, {twice}_1 and {twice}_2"
            if kind_of_column(twice)
            else "leave one of them out"
        )
        raise DataError(f"{at}: column {quoted(twice)} appears twice; {cure}")
    for role, known, exact in (
        ("barcode", BARCODE_COLUMNS, "barcode"),
        ("oligo", OLIGO_COLUMNS, "oligo_name"),
        ("replicate", _REPLICATE_COLUMNS, "replicate"),
    ):
        some = [name for name in header if plain_column(name) in known]
        named = [name for name in some if plain_column(name) == exact]
        if len(some) > 1 and len(named) != 1:
            raise DataError(
                f"{at}: columns {in_list([quoted(one) for one in some])} may each be "
                f"that of {role}s; rename the one that is to {exact}, and leave the "
                "other out"
            )
        if some:
            setattr(roles, role, (named or some)[0])
            roles.left_out += [name for name in some if name != (named or some)[0]]


def _kind_and_replicate(
    name: str, columns: Sequence[str], at: str, *, oligos_known: bool
) -> tuple[str, str]:
    """Return dna or rna, and the replicate that a column is of."""
    place = kind_of_column(name)
    if place is not None:
        return place
    kinds = {one[0] for other in columns if (one := kind_of_column(other))}
    if is_count_word(name) and not kinds:
        raise DataError(
            f"{at}: column {quoted(name)} does not say whether it is DNA or RNA; {_APART}"
        )
    if "rna" not in kinds:
        what = "RNA" if kinds else "DNA or RNA"
        raise DataError(
            f"{at}: no column says {what} (one is {quoted(name)}); give "
            "conditions=, a table that says of each column whether it is DNA, or "
            "its cell type (MPRAmodel's condition table), or rename columns "
            "dna_count_<replicate> and rna_count_<replicate>"
        )
    if not oligos_known:
        raise DataError(
            f"{at}: column {quoted(name)} is not a count of DNA or RNA, and no column is "
            "called oligo_name; if it names the oligo of each row, rename it oligo_name, "
            "if its barcode, barcode; otherwise leave it out"
        )
    raise DataError(
        f"{at}: column {quoted(name)} is not a count of DNA or RNA; leave it out or "
        "rename it, or say in conditions= which columns are DNA"
    )


def _check_counts_known(roles: _Roles, at: str) -> None:
    places: dict[tuple[str, str], str] = {}
    for name, place in roles.counts.items():
        if place in places:
            of = f" of replicate {place[1]}" if place[1] else ""
            raise DataError(
                f"{at}: columns {quoted(places[place])} and {quoted(name)} "
                f"are both {place[0].upper()}{of}; leave one of them out"
            )
        places[place] = name
    for kind, other in (("dna", "rna"), ("rna", "dna")):
        if not any(place[0] == kind for place in places):
            derived = [name for name in roles.left_out if name.lower().startswith(kind)]
            instead = (
                f" ({', '.join(derived)} is normalized, and counts are needed)"
                if derived
                else ""
            )
            raise DataError(
                f"{at}: no column {kind}_count_<replicate> beside those of "
                f"{other}{instead}; add them"
            )


def as_numbers(
    column: Sequence[str], name: str, cells: Mapping[str, Any], lines: Lines
) -> NDArray[np.float64]:
    """Return counts as numbers, NaN where empty; thousands may have commas between
    them.
    """
    text = pd.Series(column, dtype=object).str.strip()
    empty = text.isin(EMPTY).to_numpy()
    numbers = pd.to_numeric(
        text.where(~empty, None).map(without_commas, na_action="ignore"),
        errors="coerce",
    ).to_numpy(dtype=np.float64)
    wrong = np.isnan(numbers) & ~empty
    if wrong.any():
        i = int(np.argmax(wrong))
        of = cells.get("oligo_name", cells.get("barcode"))
        raise DataError(
            f"{lines.line(i)}: {name} of {quoted(of[i]) if of is not None else 'a row'} "
            f"is {quoted(column[i])}; a count is a whole number, and a cell without "
            "one is empty"
        )
    return numbers


def without_commas(cell: str) -> str:
    """Return a number without the commas between its thousands.

    Examples
    --------
    >>> without_commas("1,024"), without_commas("1,5")
    ('1024', '1,5')
    """
    return cell.replace(",", "") if _THOUSANDS.fullmatch(cell) else cell


def _canonical_counts(
    numbers: Mapping[str, NDArray[np.float64]], roles: _Roles
) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Return columns ``dna_count_<replicate>`` and ``rna_count_<replicate>``; if the DNA
    is one pool, its columns are summed.
    """
    dna = [name for name, place in roles.counts.items() if place[0] == "dna"]
    if not roles.one_pool:
        return {
            f"{kind}_count" + (f"_{replicate}" if replicate else ""): numbers[name]
            for name, (kind, replicate) in roles.counts.items()
        }, []
    counts = {
        f"rna_count_{place[1]}": numbers[name]
        for name, place in roles.counts.items()
        if place[0] == "rna"
    }
    pool = np.column_stack([numbers[name] for name in dna])
    unseen = np.isnan(pool).all(axis=1)
    total = np.where(unseen, np.nan, np.nansum(pool, axis=1))
    note = (
        [f"{in_list(dna)} were summed: one plasmid pool for all replicates"]
        if len(dna) > 1
        else []
    )
    return {"dna_count": total} | counts, note


def _check_one_row(table: pd.DataFrame, lines: Lines) -> None:
    keys = ["oligo_name"] + ["replicate"] * ("replicate" in table)
    twice = table.duplicated(keys).to_numpy()
    if twice.any():
        i = int(np.argmax(twice))
        row = table.iloc[i]
        of = f" in replicate {row['replicate']}" if "replicate" in table else ""
        first = int(np.argmax((table[keys] == row[keys]).all(axis=1).to_numpy()))
        raise DataError(
            f"{lines.line(i)}: oligo {quoted(row['oligo_name'])} has a second row{of} "
            f"(the first in line {first + lines.first}), and there is no column of "
            "barcodes; give the sum of each oligo, or name the column barcode"
        )


def _format_name(roles: _Roles, is_sums: bool, by_condition: bool) -> str:
    if is_sums:
        rows = " and replicate" if roles.replicate is not None else ""
        igvf = " (IGVF reporter_experiment)" if roles.replicate is not None else ""
        return f"one sum an oligo{rows}{igvf}"
    if by_condition:
        return "barcodes with a table of conditions (MPRAmodel)"
    if roles.replicate is not None:
        return "a row a barcode and replicate"
    if all(not place[1] for place in roles.counts.values()):
        return "barcodes of one replicate (MPRAsnakeflow)"
    return "a row a barcode"


def _column_details(header: Sequence[str], roles: _Roles, separator: str) -> list[str]:
    found = []
    if separator != "\t":
        found.append(f"{SEPARATORS[separator]} between cells")
    renamed = [
        f"{what} in {quoted(name)}"
        for what, name, plain in (
            ("barcodes", roles.barcode, "barcode"),
            ("oligos", roles.oligo, "oligo_name"),
        )
        if name is not None and name != plain
    ]
    found += [in_list(renamed)] * bool(renamed)
    unused = [
        quoted(name)
        for name in header
        if name in roles.left_out and (roles.barcode or name.lower() != "n_bc")
    ]
    found += [f"{in_list(unused)} not used"] * bool(unused)
    return found


def _typed(table: CountTable) -> CountTable:
    for name in ("oligo_name", "replicate"):
        if name in table.cells:
            table.cells[name] = table.cells[name].astype("category")
    return table


def clean_barcodes(
    barcodes: NDArray[np.object_], table: CountTable
) -> NDArray[np.object_]:
    """Return barcodes in upper case and without the suffix that 10x Genomics writes
    (``-1``), which is noted.

    Raises
    ------
    DataError
        If there are several such suffixes: barcodes of several samples.
    """
    text = pd.Series(barcodes, dtype=object).astype(str)
    upper = text.str.upper()
    if (upper != text).any():
        table.details.append("barcodes in lower case were read as upper case")
    wells = upper.str.extract(_WELL, expand=False)
    if wells.notna().any() and wells.isna().any():
        first = int(wells.notna().to_numpy().argmax())
        raise DataError(
            f"{table.lines}: {int(wells.notna().sum()):,} of {len(wells):,} barcodes, such "
            f"as {quoted(str(text.iloc[first]))}, end in the number of a sample (10x "
            "Genomics) and the others do not; write all with it, or all without"
        )
    if wells.notna().all() and len(wells):
        several = sorted(wells.unique().tolist())
        if len(several) > 1:
            raise DataError(
                f"{table.lines}: barcodes end in {in_list(several)}, which number "
                "samples (10x Genomics); give a table for each sample, or one column "
                "of counts for each"
            )
        upper = upper.str.removesuffix(several[0])
        table.details.append(f"the suffix {several[0]} of barcodes was left out")
    return upper.to_numpy(dtype=object)


def joined(tables: Mapping[str, CountTable]) -> CountTable:
    """Return tables of one replicate each as one, a row a barcode and replicate.

    Raises
    ------
    DataError
        If a table has several replicates.
    """
    parts, starts, rows, n = [], [], [], 0
    for replicate, table in tables.items():
        counts = [str(name) for name in table.cells if name not in (*NAMES, "n_bc")]
        if [name[:9] for name in sorted(counts)] != ["dna_count", "rna_count"]:
            raise DataError(
                f"{table.lines}: a file for each replicate has one column of DNA and "
                f"one of RNA, and this has {', '.join(counts)[:200]}; give a "
                "table of several replicates by itself"
            )
        cells = table.cells.rename(columns={name: name[:9] for name in counts})
        parts.append(cells.astype({"oligo_name": object}).assign(replicate=replicate))
        lines = table.lines.rows
        lines = np.arange(len(table.cells)) if lines is None else lines
        starts += [n + start for start in table.lines.starts]
        rows.append(lines + n)
        n += int(lines.max(initial=-1)) + 1
    first = next(iter(tables.values()))
    details: Iterable[str] = dict.fromkeys(
        one for table in tables.values() for one in table.details
    )
    found = CountTable(
        pd.concat(parts, ignore_index=True),
        Lines(
            tuple(path for table in tables.values() for path in table.lines.paths),
            tuple(starts),
            first.lines.first,
            np.concatenate(rows),
        ),
        f"{len(tables)} files, one a replicate: {first.format}",
        list(details),
        any(table.is_sums for table in tables.values()),
    )
    return _typed(found)
