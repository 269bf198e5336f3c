"""Windows of a genome as BED and narrowPeak files list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from typing import Literal

from causalgia.checks import is_whole
from causalgia.errors import SequenceError, quoted
from causalgia.inputs import parse_int
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


def read_bed(
    path: str | PathLike[str],
    *,
    length: int,
    center: Literal["middle", "summit"],
    stranded: bool,
    skip: frozenset[str] = frozenset(),
    skipped: list[Skipped] | None = None,
) -> list[Window]:
    """Read a BED file, plain or gzip-compressed, as windows of `length` around the
    intervals' centers.

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
    text = read_text(path)
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
