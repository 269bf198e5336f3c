"""Windows of a genome as BED and narrowPeak files list them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from typing import Any, Literal, TypeAlias

import pandas as pd
from pandas.api.types import is_list_like

from causalgia.checks import is_whole
from causalgia.errors import SequenceError, quoted
from causalgia.inputs import as_pandas, parse_int
from causalgia.sequences.parents import PLACE
from causalgia.sequences.skipped_inputs import (
    NoSummitError,
    Skipped,
    check_any_left,
    parsed_or_left_out,
)
from causalgia.sequences.text_files import check_not_fasta, numbered_lines, read_text


@dataclass(frozen=True)
class Window:
    """A stretch of a chromosome, 0-based with the end excluded, the line in the BED
    file, and the interval that the line lists.
    """

    chromosome: str
    start: int
    stop: int
    strand: Literal["+", "-", ""]
    line: int
    interval: tuple[int, int]

    @property
    def name(self) -> str:
        """``chrom:start-end``, with the strand in brackets if there is one."""
        return f"{self.chromosome}:{self.start}-{self.stop}" + (
            f"({self.strand})" if self.strand else ""
        )


Intervals: TypeAlias = (
    str | PathLike[str] | pd.DataFrame | Sequence[str] | Sequence[Mapping[str, Any]]
)
"""A BED file, a table with its columns, or places such as ``chr1:100-300``."""
_COLUMNS = ("chrom", "start", "end", "name", "score", "strand")
_NAMES = {"chromosome": "chrom", "chromstart": "start", "chromend": "end"}


def of_file(source: Any) -> bool:
    """Say whether intervals are a file, and not a place."""
    return isinstance(source, PathLike) or (
        isinstance(source, str) and PLACE.fullmatch(source) is None
    )


def bed_text(source: Any, length: int) -> tuple[bytes, str]:
    """Return intervals in any form as the text of BED, and where they are from.

    Raises
    ------
    SequenceError
        If a table has no columns chrom, start and end, or a place does not say from
        where it counts: it has `length` bases from 0, the end excluded, or from 1.
    """
    if of_file(source):
        return read_text(source), str(source)
    items: Any = [source] if isinstance(source, str) else as_pandas(source)
    rows = isinstance(items, pd.DataFrame | Mapping) or all(
        isinstance(x, Mapping) for x in items
    )
    if not rows:
        return "".join(_bed_line(x, length) for x in items).encode(), "intervals"
    many = not isinstance(items, Mapping) or any(map(is_list_like, items.values()))
    table = pd.DataFrame(items if many else [items]).convert_dtypes().astype(object)
    names = [str(x).lower().removeprefix("#") for x in table.columns]
    table.columns = pd.Index([_NAMES.get(x, x) for x in names])
    if absent := [x for x in _COLUMNS[:3] if x not in table]:
        raise SequenceError(
            f"intervals: no column {absent[0]} among {quoted(names)}; a table has chrom, "
            "start, end (from 0, the end excluded), and maybe strand and peak"
        )
    lines = table.reindex(columns=[*_COLUMNS, "a", "b", "c", "peak"])
    lines = lines.where(lines.notna(), ".").replace({"peak": {".": -1}})
    if "peak" not in table:
        lines = lines[[*_COLUMNS]]
    text: str = lines.to_csv(sep="\t", header=False, index=False)
    return text.encode(), "intervals"


def _bed_line(place: object, length: int) -> str:
    found = PLACE.fullmatch(place) if isinstance(place, str) else None
    if found is None:
        raise SequenceError(
            f"intervals: {quoted(place)} is no place such as 'chr1:100-300'"
        )
    chromosome, first, stop, sign, rc = found.groups()
    from_1 = int(stop) - int(first) + 1 == length
    if not from_1 and int(stop) - int(first) != length:
        raise SequenceError(
            f"intervals: {quoted(place)} does not say whether it counts from 0 or from "
            f"1, which its length tells where it is length={length:,}; a table with "
            "chrom, start, end counts from 0"
        )
    strand = "-" if rc else sign or "."
    return f"{chromosome}\t{int(first) - from_1}\t{stop}\t.\t.\t{strand}\n"


def read_bed(
    path: Intervals,
    *,
    length: int,
    center: Literal["middle", "summit"],
    stranded: bool,
    skip: frozenset[str] = frozenset(),
    skipped: list[Skipped] | None = None,
) -> list[Window]:
    """Read intervals (a BED file, plain or gzip-compressed, a table, or places) as
    windows of `length` around their centers.

    Comments, ``track`` and ``browser`` lines and blank lines are skipped; columns are
    separated by tabs, or by blanks on lines without tabs. `from_bed` defines the
    center. Intervals without a summit and repeated windows go to `skipped` where `skip`
    says so.

    Raises
    ------
    SequenceError
        If the file cannot be read, has no interval, a line is malformed, or two
        intervals give one window.
    """
    if not is_whole(length) or not 1 <= length < 2**62:
        msg = (
            f"length={quoted(length)}: windows have a whole number of bases, at "
            "least 1 and at most a chromosome's"
        )
        raise SequenceError(msg)
    if center not in ("middle", "summit"):
        msg = f"center={quoted(center)} is not a choice; use 'middle' or 'summit'"
        raise SequenceError(msg)
    text, path = bed_text(path, int(length))
    check_not_fasta(text, path, "the BED file comes first: from_bed(bed, fasta)")
    left_out = list[Skipped]() if skipped is None else skipped
    windows, summits = list[Window](), dict[int, str]()
    rows = [
        row
        for row in numbered_lines(text)
        if not row[1].startswith("#") and row[1].split()[0] not in ("track", "browser")
    ]
    cut = partial(_window, length=int(length), center=center, stranded=stranded)
    for number, line in rows:
        columns = line.split("\t") if "\t" in line else line.split()
        summits[number] = columns[9].strip() if len(columns) >= 10 else "-1"
        uncalled = len(columns) >= 10 and summits[number] == "-1"
        if center == "summit" and uncalled and "summit" in skip:
            name = ":".join((columns[0], "-".join(columns[1:3])))
            left_out.append(Skipped(name, "summit", "peak is -1: not called", number))
            continue
        place = f"{path}: line {number}"
        window = parsed_or_left_out(
            partial(cut, line, number), place, number, skip, left_out
        )
        if window is not None:
            windows.append(window)
    check_any_left(len(windows), left_out, str(path), "intervals")
    if not windows:
        msg = f"{path}: no intervals; a BED line has a chromosome, a start and an end"
        raise SequenceError(msg)
    seen: dict[str, int] = {}
    once = list[Window]()
    for window in windows:
        first = seen.setdefault(window.name, window.line)
        if first == window.line:
            once.append(window)
        elif "repeated" in skip:
            detail = f"the window of line {first}"
            left_out.append(Skipped(window.name, "repeated", detail, window.line))
        else:
            msg = (
                f"{path}: lines {first} and {window.line} give the same window "
                f"{window.name}, which counts once: skip='repeated' leaves it out"
            )
            raise SequenceError(msg)
    return once


def is_bed_header(columns: Sequence[str]) -> bool:
    """Say whether columns are names: two of them, in place of a start and an end.

    Examples
    --------
    >>> (
    ...     is_bed_header(["chrom", "chromStart", "chromEnd"]),
    ...     is_bed_header(["chr1", "9", "40"]),
    ... )
    (True, False)
    """
    return (
        len(columns) >= 3
        and "start" in columns[1].lower()
        and columns[2].lower().endswith(("end", "stop"))
    )


def _window(
    line: str, number: int, *, length: int, center: str, stranded: bool
) -> Window:
    columns = line.split("\t") if "\t" in line else line.split()
    if len(columns) < 3:
        msg = (
            f"{len(columns)} columns; give a BED line a chromosome, a start "
            "and an end, separated by tabs"
        )
        raise SequenceError(msg)
    if is_bed_header(columns):
        names = ", ".join(map(quoted, columns[:3]))
        raise SequenceError(
            f"{names} is a header, which BED does not have; begin the line "
            "with '#', or drop it"
        )
    start = parse_int(columns[1], SequenceError, source="start")
    end = parse_int(columns[2], SequenceError, source="end")
    if not 0 <= start < end:
        msg = (
            f"start {start} and end {end}; correct the line to 0 <= start < end (starts "
            "are counted from 0)"
        )
        raise SequenceError(msg)
    middle = (
        (start + end) // 2
        if center == "middle"
        else start + _summit(columns, end - start)
    )
    first = middle - length // 2
    return Window(
        columns[0],
        first,
        first + length,
        _strand(columns) if stranded else "",
        number,
        (start, end),
    )


def _summit(columns: list[str], width: int) -> int:
    if len(columns) < 10:
        msg = (
            f"{len(columns)} columns, so no summit (column 10 of narrowPeak); "
            "use center='middle'"
        )
        raise SequenceError(msg)
    summit = parse_int(columns[9], SequenceError, source="summit")
    if not 0 <= summit < width:
        raise NoSummitError(
            f"summit {summit} is outside the interval of {width} bases (-1: not "
            "called)",
        )
    return summit


def _strand(columns: list[str]) -> Literal["+", "-"]:
    strand = columns[5].strip() if len(columns) > 5 else "."
    if strand == "+":
        return "+"
    if strand == "-":
        return "-"
    msg = (
        f"strand {quoted(strand)} is neither '+' nor '-' (column 6); use stranded=False"
    )
    raise SequenceError(msg)
