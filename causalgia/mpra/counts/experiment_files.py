"""Experiment files (MPRAflow, MPRAsnakeflow): the condition and replicate of each file of
counts, which may be one of DNA and one of RNA.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causalgia.checks import in_list
from causalgia.errors import DataError, quoted
from causalgia.inputs import is_file, open_regular_file
from causalgia.mpra.counts.column_kinds import is_count_word, kind_of_column
from causalgia.mpra.counts.comment_lines import SEPARATORS, separator_of
from causalgia.mpra.counts.count_formats import (
    BARCODE_COLUMNS,
    EMPTY,
    NAMES,
    OLIGO_COLUMNS,
    Assignment,
    CountTable,
    Lines,
    as_numbers,
    clean_barcodes,
    is_barcode,
    is_no_count,
    named_oligos,
    read_cells,
    read_table_bytes,
)

_COUNTS = ("counts", "count", "count_file", "counts_file")
_KEYS = ("condition", "replicate")
_DNA, _RNA = "dna", "rna"


@dataclass(frozen=True)
class CountFiles:
    """Files of one replicate: one of DNA and RNA, or one of each.

    Attributes
    ----------
    both
        File of DNA and RNA; None if they are apart.
    dna, rna
        Files of DNA and of RNA.
    """

    both: Path | None = None
    dna: Path | None = None
    rna: Path | None = None


@dataclass(frozen=True)
class Experiment:
    """An experiment file.

    Attributes
    ----------
    path
        The file.
    columns
        Its columns that name files.
    rows
        Replicate -> its cells, and the place of its line.
    """

    path: Path
    columns: list[str]
    rows: dict[str, tuple[dict[str, str], str]]

    def files(self, replicate: str) -> CountFiles:
        """Return the files of a replicate.

        Raises
        ------
        DataError
            If a file is absent.
        """
        row, at = self.rows[replicate]
        return _files_of(row, self.columns, self.path, at)


def read_experiment(path: Path) -> Experiment | None:
    """Return the replicates of an experiment file; None if a table is another one.

    Its columns are condition, replicate, and counts, or dna and rna: names of files,
    from the folder of the table on. If dna and rna name no tables, but the reads that
    MPRAflow counted, its table of counts is looked for.

    Raises
    ------
    DataError
        If the file cannot be read, or two lines are of one condition and replicate.
    """
    with open_regular_file(path, DataError) as file:
        head = file.read(4096).lower()
    if not all(key.encode() in head for key in _KEYS):
        return None
    read = read_cells(read_table_bytes(path), path)
    names = [name.strip().lower() for name in read.rows[0]]
    cells = [dict(zip(names, row, strict=True)) for row in read.rows[1:]]
    columns = _file_columns(names)
    if (
        not {*_KEYS} <= {*names}
        or {*BARCODE_COLUMNS} & {*names}
        or not columns
        or any(row[column].strip().isdigit() for row in cells for column in columns)
    ):
        return None
    conditions = dict.fromkeys(row["condition"].strip() for row in cells)
    found: dict[str, tuple[dict[str, str], str]] = {}
    for row, number in zip(cells, read.numbers[1:], strict=True):
        at = f"{path}, line {number}"
        condition, replicate = (row[key].strip() for key in _KEYS)
        name = f"{condition}_{replicate}" if len(conditions) > 1 else replicate
        if name in found:
            raise DataError(
                f"{at}: replicate {quoted(replicate)} of condition {quoted(condition)} "
                "has a line already; number the replicates"
            )
        found[name] = row, at
    return Experiment(path, columns, found)


def _file_columns(names: list[str]) -> list[str]:
    """Return the columns that name files: that of counts, or those of DNA and RNA, or,
    of an experiment of FASTQ files, the first of each.
    """
    counts = [name for name in names if name in _COUNTS]
    if counts:
        return counts[:1]
    found = [
        next((name for name in names if name == kind), None)
        or next((name for name in names if name.startswith(f"{kind}_")), None)
        for kind in (_DNA, _RNA)
    ]
    return [name for name in found if name] if all(found) else []


def _files_of(
    row: Mapping[str, str], columns: list[str], path: Path, at: str
) -> CountFiles:
    files = [path.parent / row[column].strip() for column in columns]
    there = [is_file(one) for one in files]
    if all(there) and len(files) == 1:
        return CountFiles(both=files[0])
    if all(there) and not any(".f" in one.name.lower() for one in files):
        return CountFiles(dna=files[0], rna=files[1])
    if len(files) == 1:
        raise DataError(
            f"{at}: there is no file {files[0]}; put it there, or write its path from "
            f"the folder of {path.name} on"
        )
    condition, replicate = (row[key].strip() for key in _KEYS)
    name = f"{condition}_{replicate}_counts.tsv"
    places = [
        folder / f"{name}{end}"
        for folder in (path.parent, path.parent / condition / replicate)
        for end in ("", ".gz")
    ]
    known = next((one for one in places if is_file(one)), None)
    if known is not None:
        return CountFiles(both=known)
    cells = in_list([quoted(row[column].strip()) for column in columns])
    raise DataError(
        f"{at}: {cells} are no tables of counts in {path.parent}, and {name}.gz, the "
        f"counts of such reads, is neither there nor in {Path(condition) / replicate}; "
        "count the reads with MPRAflow, and put its tables beside this file, or give "
        "them to read_counts, a file for each replicate"
    )


def read_pair(files: CountFiles, assignment: Assignment | None) -> CountTable:
    """Return the table of one replicate whose DNA and RNA are in files of their own: a
    barcode of one file alone has 0 reads of the other.

    Raises
    ------
    DataError
        If a file has no barcodes, or not one column of counts.
    """
    assert files.dna is not None
    assert files.rna is not None
    dna, rna = (
        _read_one_kind(path, kind)
        for path, kind in ((files.dna, _DNA), (files.rna, _RNA))
    )
    keys = [name for name in NAMES if name in dna.cells and name in rna.cells]
    for one in (dna, rna):
        twice = one.cells["barcode"].duplicated().to_numpy()
        if twice.any():
            i = int(np.argmax(twice))
            raise DataError(
                f"{one.lines.line(i)}: barcode {one.cells['barcode'].iloc[i]} has a "
                "second row; write its reads in one"
            )
    cells = dna.cells.merge(rna.cells, on=keys, how="outer", sort=False)
    lone = cells[["dna_count", "rna_count"]].isna().to_numpy()
    cells = cells.fillna({"dna_count": 0.0, "rna_count": 0.0})
    n = int(dna.cells.index.size)
    place = np.where(
        cells["dna_row"].notna(), cells["dna_row"], cells["rna_row"] + n
    ).astype(np.int64)
    details = [*dict.fromkeys([*dna.details, *rna.details])]
    if lone.any():
        details.append(
            f"{int(lone.any(axis=1).sum()):,} barcodes that are in one of "
            f"{files.dna.name} and {files.rna.name} have 0 reads in the other"
        )
    table = CountTable(
        cells.drop(columns=["dna_row", "rna_row"]),
        Lines((files.dna, files.rna), (0, n), dna.lines.first, place),
        "barcodes of one replicate, DNA and RNA in files of their own",
        details,
    )
    return named_oligos(table, assignment)


def _read_one_kind(path: Path, kind: str) -> CountTable:
    """Return barcodes, oligos if there are any, and counts of DNA or of RNA."""
    data = read_table_bytes(path)
    first = data.partition(b"\n")[0].decode(errors="replace")
    if separator_of(first) is None:
        raise DataError(
            f"{path}: line 1 has one cell; give a barcode and its count a line, with "
            f"{in_list([*SEPARATORS.values()])} between them"
        )
    read = read_cells(data, path)
    rows, header = read.rows, [name.strip().lower() for name in read.rows[0]]
    if len(header) == 2 and sorted(map(is_barcode, rows[0])) == [False, True]:
        order = [0, 1] if is_barcode(rows[0][0]) else [1, 0]
        header = [("barcode", "count")[order.index(i)] for i in range(2)]
        rows, skipped = [header, *rows], 0
    else:
        skipped = 1
    columns: dict[str, list[str]] = dict(
        zip(header, map(list, zip(*rows[1:], strict=True)), strict=True)
    )
    places = {
        what: next((name for name in header if name in known), None)
        for what, known in (("barcode", BARCODE_COLUMNS), ("oligo_name", OLIGO_COLUMNS))
    }
    taken = {*places.values()}
    counts = [
        name
        for name in header
        if name not in taken
        and not is_no_count(name)
        and (is_count_word(name) or (kind_of_column(name) or ("", ""))[0] == kind)
    ]
    if places["barcode"] is None or len(counts) != 1:
        raise DataError(
            f"{path}, line {read.numbers[0]}: its columns are "
            f"{', '.join(read.rows[0])[:200]}; a file of {kind.upper()} alone has a "
            "column barcode and one of counts (or these two without a header)"
        )
    cells: dict[str, Any] = {
        what: np.array(columns[name], dtype=object)
        for what, name in places.items()
        if name is not None
    }
    lines = Lines(
        (path,),
        first=1 + skipped,
        rows=np.array(read.numbers[skipped:], dtype=np.int64) - 1 - skipped,
        header=read.numbers[0],
    )
    numbers: NDArray[np.float64] = as_numbers(
        columns[counts[0]], counts[0], cells, lines
    )
    table = CountTable(pd.DataFrame(cells), lines, "", list(read.details))
    if all(map(is_barcode, cells["barcode"])):
        table.cells["barcode"] = clean_barcodes(cells["barcode"], table)
    table.cells[f"{kind}_count"] = np.where(
        pd.Series(columns[counts[0]]).isin(EMPTY), np.nan, numbers
    )
    table.cells[f"{kind}_row"] = np.arange(len(table.cells), dtype=np.float64)
    return table
