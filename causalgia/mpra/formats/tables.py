"""Read and write the tables of `LAYOUTS`: tab-separated, checked cell by cell, the same bytes for the same table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from causalgia.checks import nearest
from causalgia.errors import LibraryError, quoted
from causalgia.mpra.formats.columns import LAYOUTS, Format, Kind, Layout
from causalgia.mpra.formats.files import read_lines, write_text

_DTYPES: dict[Any, type[Any]] = {int: np.int64, float: np.float64}


def layout_of(format: Format) -> Layout:
    """Return the columns of a format, or raise LibraryError with the name that is near."""
    if not isinstance(format, str) or format not in LAYOUTS:
        hint = nearest(quoted(format), LAYOUTS) or f"; there are {', '.join(LAYOUTS)}"
        raise LibraryError(f"no format {quoted(format)}{hint}")
    return LAYOUTS[format]


def write_table(table: pd.DataFrame, path: str | PathLike[str], format: Format, *, overwrite: bool = False) -> Path:
    """Write a table whose columns are those of the format; every cell is checked before anything is written.

    Numbers have 4 decimals, arrays are JSON, and None is an empty cell.

    Raises
    ------
    LibraryError, CountsError
        If a column is missing or unknown, a cell does not hold what the format says, or the file is there already.
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
    """Read a table of a format, plain or gzip-compressed; every cell is checked.

    An empty cell that ends a line is a cell: lines are not stripped. Arrays are tuples, () for NA; a count that was
    not observed is None.

    Raises
    ------
    LibraryError, CountsError
        If the file cannot be read, or a line or cell is not as the format says; the message names file, line, column
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
        {name: _read(column, name, layout, str(path)) for name, column in zip(names, cells, strict=True)}
    )


def _read(texts: tuple[str, ...], name: str, layout: Layout, place: str) -> pd.Series:
    kind = layout.kind_of(name)
    assert kind is not None
    _check_cells(texts, name, kind, layout, place)
    if kind.read is str:
        return pd.Series(texts, dtype=object)
    known = {text: kind.read(text) for text in set(texts)}
    endless = {text for text, value in known.items() if kind.read is float and not np.isfinite(value)}
    if endless:
        row, text = next((i, text) for i, text in enumerate(texts) if text in endless)
        _refuse_cell(row, text, name, kind, layout, place)
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


def _check_cells(texts: Iterable[str], name: str, kind: Kind, layout: Layout, place: str) -> None:
    matches = re.compile(kind.pattern).fullmatch
    bad = {text for text in set(texts) if matches(text) is None}
    if bad:
        row, text = next((i, text) for i, text in enumerate(texts) if text in bad)
        _refuse_cell(row, text, name, kind, layout, place)


def _refuse_cell(row: int, text: str, name: str, kind: Kind, layout: Layout, place: str) -> NoReturn:
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
