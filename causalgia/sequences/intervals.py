"""Intervals of a BED file as windows of one length."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Literal

import numpy as np

from causalgia.errors import SequenceError, quoted
from causalgia.inputs import as_whole
from causalgia.sequences.text_files import numbered_lines, read_text


@dataclass(frozen=True)
class Window:
    """A stretch of a chromosome, from 0 and with the end excluded, and the line of the BED file that asked for it."""

    chromosome: str
    start: int
    stop: int
    strand: Literal["+", "-", ""]
    line: int

    @property
    def name(self) -> str:
        """``chrom:start-end``, with the strand in brackets if there is one."""
        return f"{self.chromosome}:{self.start}-{self.stop}" + (f"({self.strand})" if self.strand else "")


def read_bed(
    path: str | PathLike[str], *, length: int, centre: Literal["middle", "summit"], stranded: bool
) -> list[Window]:
    """Read a BED file, plain or gzip-compressed, as windows of `length` around the intervals' centres.

    Comments, ``track`` and ``browser`` lines and blank lines are skipped; columns are separated by tabs, or by blanks
    on lines without tabs. The centre's rule is said in `from_bed`.

    Raises
    ------
    SequenceError
        If the file cannot be read, has no interval, a line is malformed, or two intervals give one window.
    """
    if isinstance(length, bool) or not isinstance(length, int | np.integer) or length < 1:
        msg = f"length={quoted(length)}: windows have a whole number of bases, at least 1"
        raise SequenceError(msg)
    if centre not in ("middle", "summit"):
        msg = f"centre={quoted(centre)} is not a choice; use 'middle' or 'summit'"
        raise SequenceError(msg)
    windows = [
        _window(line, number, place=f"{path}: line {number}", length=int(length), centre=centre, stranded=stranded)
        for number, line in numbered_lines(read_text(path))
        if not line.startswith("#") and line.split()[0] not in ("track", "browser")
    ]
    if not windows:
        msg = f"{path}: no intervals; a BED line has a chromosome, a start and an end"
        raise SequenceError(msg)
    _refuse_repeats(windows, path, centre)
    return windows


def _window(line: str, number: int, *, place: str, length: int, centre: str, stranded: bool) -> Window:
    columns = line.split("\t") if "\t" in line else line.split()
    if len(columns) < 3:
        msg = f"{place}: {len(columns)} columns; a BED line has a chromosome, a start and an end, separated by tabs"
        raise SequenceError(msg)
    start, end = _whole(columns[1], "start", place), _whole(columns[2], "end", place)
    if not 0 <= start < end:
        msg = f"{place}: start {start} and end {end}; a BED interval has 0 <= start < end (starts are counted from 0)"
        raise SequenceError(msg)
    middle = (start + end) // 2 if centre == "middle" else start + _summit(columns, end - start, place)
    first = middle - length // 2
    return Window(columns[0], first, first + length, _strand(columns, place) if stranded else "", number)


def _whole(text: str, what: str, place: str) -> int:
    return as_whole(text, SequenceError, source=f"{place}: {what}")


def _summit(columns: list[str], width: int, place: str) -> int:
    if len(columns) < 10:
        msg = f"{place}: {len(columns)} columns, so no summit (column 10 of narrowPeak); use centre='middle'"
        raise SequenceError(msg)
    summit = _whole(columns[9], "summit", place)
    if not 0 <= summit < width:
        msg = f"{place}: summit {summit} is outside the interval of {width} bases (-1: not called); use centre='middle'"
        raise SequenceError(msg)
    return summit


def _strand(columns: list[str], place: str) -> Literal["+", "-"]:
    strand = columns[5].strip() if len(columns) > 5 else "."
    if strand == "+":
        return "+"
    if strand == "-":
        return "-"
    msg = f"{place}: strand {quoted(strand)} is neither '+' nor '-' (column 6); use stranded=False"
    raise SequenceError(msg)


def _refuse_repeats(windows: list[Window], path: str | PathLike[str], centre: str) -> None:
    summits = ", or give centre='summit' if they are several summits of one peak" if centre == "middle" else ""
    seen: dict[str, int] = {}
    for window in windows:
        first = seen.setdefault(window.name, window.line)
        if first != window.line:
            msg = f"{path}: lines {first} and {window.line} give the same window {window.name}; drop one{summits}"
            raise SequenceError(msg)
