"""The text of a barcode table as columns: names, and counts that are NaN where a cell is empty."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from causalgia.errors import CountsError, quoted
from causalgia.inputs import read_bytes

NAMES = ("barcode", "oligo_name")
EMPTY = ("", "NA")
_TAB, _LINE = 9, 10
_LINES = 50_000


def text_of(path: Path) -> bytes:
    """Return the bytes of a file, unpacked where it is gzip, without blank lines at its end."""
    text = read_bytes(path, CountsError, unpack=True)
    try:
        _ = text if text.isascii() else text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise CountsError(f"{path}, line {line}: letters that are not UTF-8; save the table as UTF-8 text") from error
    return text.rstrip(b"\r\n") + b"\n" if text.endswith((b"\n\n", b"\n\r\n")) else text


def header_of(text: bytes, path: Path) -> list[str]:
    """Return the names of the columns; refuse a header without names of barcodes and oligos, or with one name twice."""
    names = text.partition(b"\n")[0].decode(errors="replace").rstrip("\r").removeprefix("\ufeff").split("\t")
    absent = [name for name in NAMES if name not in names]
    if absent:
        raise CountsError(
            f"{path}, line 1: no column {' and '.join(map(quoted, absent))} among {', '.join(names)[:200] or 'none'}; "
            "the table is tab-separated, with a header barcode oligo_name dna_count_1 rna_count_1 ..."
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise CountsError(f"{path}, line 1: column {quoted(twice[0])} is there twice; leave one of them out")
    return names


def table_of(text: bytes, header: Sequence[str], path: Path) -> pd.DataFrame:
    """Return the table: text for barcodes, categories for other names, float for counts, NaN where empty."""
    _check_cells(text, len(header), path)
    counts = [name for name in header if name not in (*NAMES, "replicate")]
    types: dict[str, Any] = dict.fromkeys(counts, "float64") | {"barcode": object}
    options: dict[str, Any] = {
        "sep": "\t", "quoting": csv.QUOTE_NONE, "keep_default_na": False, "na_values": dict.fromkeys(counts, EMPTY),
        "skip_blank_lines": False, "names": list(header), "header": None, "skiprows": 1,
    }  # fmt: skip
    if not text.partition(b"\n")[2].strip(b"\r\n"):
        raise CountsError(f"{path}: no row below the header; give the table of barcode counts")
    named = dict.fromkeys(("oligo_name", "replicate"), "category")
    try:
        table: pd.DataFrame = pd.read_csv(io.BytesIO(text), dtype=types | named, engine="c", **options)
        return table
    except ValueError:
        cells = pd.read_csv(io.BytesIO(text), dtype=object, engine="c", **options)
    raise _of_text(cells, counts, path)


def _of_text(cells: pd.DataFrame, counts: Sequence[str], path: Path) -> CountsError:
    for name in counts:
        wrong = (pd.to_numeric(cells[name], errors="coerce").isna() & cells[name].notna()).to_numpy()
        if wrong.any():
            i = int(np.argmax(wrong))
            return CountsError(
                f"{at(path, i)}: {name} of oligo {quoted(cells['oligo_name'].iloc[i])} is "
                f"{quoted(cells[name].iloc[i])}; a count is a whole number, and a cell without one is empty"
            )
    return CountsError(f"{path}: some cell is neither a count nor empty")


def _check_cells(text: bytes, n: int, path: Path) -> None:
    """Refuse a line with fewer or more cells than the header: tabs at its end may have been stripped."""
    letters = np.frombuffer(text, dtype=np.uint8)
    starts = np.concatenate([[0], np.flatnonzero(letters == _LINE) + 1])
    starts = starts[starts < len(letters)]
    for first in range(0, len(starts), _LINES):
        ends = starts[first : first + _LINES + 1]
        block = letters[ends[0] : ends[-1] if len(ends) > _LINES else None]
        wrong = np.add.reduceat(block == _TAB, ends[:_LINES] - ends[0], dtype=np.int32) != n - 1
        if not wrong.any():
            continue
        i = first + int(np.argmax(wrong))
        found = text[starts[i] :].partition(b"\n")[0].count(b"\t") + 1
        if not text[starts[i] :].partition(b"\n")[0].strip():
            raise CountsError(f"{at(path, i - 1)} is blank; leave it out")
        raise CountsError(
            f"{at(path, i - 1)}: {found} cells under a header of {n}; tabs at the end of a line are empty "
            "cells, so write the table again without stripping its lines"
        )


def at(path: Path, row: int) -> str:
    """Return where a row of the table stands in its file."""
    return f"{path}, line {row + 2}"
