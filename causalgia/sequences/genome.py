"""Windows of a genome: random access to a plain FASTA by offset arithmetic, as with a
.fai index, or to .2bit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from causalgia.checks import is_whole
from causalgia.errors import SequenceError, quoted
from causalgia.inputs import BYTES_A_READ, CHANGED, open_regular_file, parse_int
from causalgia.sequences.skipped_inputs import (
    NoSummitError,
    Skipped,
    check_any_left,
    parsed_or_left_out,
)
from causalgia.sequences.text_files import (
    check_not_fasta,
    check_text,
    is_gzip,
    numbered_lines,
    read_text,
)
from causalgia.sequences.two_bit import TwoBitRecord, is_two_bit, two_bit_records

_FIRST_STEP = 1 << 10  # bytes that are searched first
_LARGEST_FILE = 1 << 38


class Genome:
    """The chromosomes of a FASTA or .2bit file, as a context manager.

    A plain file is read in parts: one scan finds the headers, and a chromosome whose
    lines have one width is read by arithmetic on offsets. A chromosome with uneven
    lines is read whole, as is a gzip-compressed file. The scan is made once in a
    process; an index beside the file (``samtools faidx genome.fa``), not older than the
    file and true to its headers, takes its place. Of .2bit the index and the parts that
    are asked for are read; its masked bases are lower-case letters, as in FASTA.

    Parameters
    ----------
    path
        A FASTA or .2bit file, which its first bytes tell.

    Raises
    ------
    SequenceError
        If the file cannot be read or has no records, or two of its records share a
        name.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        if not isinstance(path, str | PathLike):
            raise SequenceError(
                f"the genome is {quoted(path)}; give the path of a FASTA or .2bit file"
            )
        self.path = path
        self._close = ExitStack()
        self._data: bytes | _File
        self._records: Mapping[str, _Record | TwoBitRecord]
        with self._close:  # of a file that is refused
            if is_two_bit(path):
                self._data = packed = self._opened()
                self._records = two_bit_records(path, packed)
            else:
                self._data = (
                    read_text(path)
                    if is_gzip(path) or _has_other_line_ends(path)
                    else self._on_disk()
                )
                index = self._index()
                self._records = {
                    name: _Record(self._data, body, stop, name, index)
                    for name, (body, stop) in index.places.items()
                }
            self._close = self._close.pop_all()

    def _index(self) -> _Index:
        """Return where records are: as scanned before, as the .fai beside the file says,
        or by a scan.
        """
        if not isinstance(self._data, _File):
            return _Index(self._scan())
        state = os.fstat(self._data.file.fileno())
        key = (
            os.path.realpath(self.path),
            state.st_ino,
            state.st_size,
            state.st_mtime_ns,
        )
        if (known := _INDEX_OF_FILE.get(key)) is None:
            known = _from_fai(self._data, state.st_mtime_ns) or _Index(self._scan())
            if len(_INDEX_OF_FILE) >= _MOST_SCANNED:
                _INDEX_OF_FILE.pop(next(iter(_INDEX_OF_FILE)), None)
            _INDEX_OF_FILE[key] = known
        return known

    def _scan(self) -> dict[str, tuple[int, int]]:
        """Return where the letters of each record begin and end; letters are read only
        on request.
        """
        starts = list(self._headers())
        if not starts or self._data[: min(starts[0], BYTES_A_READ)].strip():
            begins = "does not begin with a record" if len(self._data) else "is empty"
            msg = (
                f"{self.path}: {begins}; a FASTA has records: a "
                "line '>name', then letters"
            )
            raise SequenceError(msg)
        records: dict[str, tuple[int, int]] = {}
        for start, stop in zip(starts, [*starts[1:], len(self._data)], strict=True):
            body = self._data.find(b"\n", start, stop) + 1 or stop
            words = (
                self._data[start + 1 : body]
                .decode("utf-8", "replace")
                .split(maxsplit=1)
            )
            if not words or words[0] in records:
                flaw = (
                    f"two records are named {quoted(words[0])}"
                    if words
                    else f"a record has no name (byte {start})"
                )
                msg = f"{self.path}: {flaw}; a genome's records have different names"
                raise SequenceError(msg)
            records[words[0]] = (body, stop)
        return records

    def __enter__(self) -> Genome:
        return self

    def __exit__(self, *_: object) -> None:
        self._close.close()

    def _on_disk(self) -> _File:
        data = self._opened()
        check_text(data[:BYTES_A_READ], self.path)
        return data

    def _opened(self) -> _File:
        file = self._close.enter_context(open_regular_file(self.path, SequenceError))
        size = os.fstat(file.fileno()).st_size
        if size > _LARGEST_FILE:
            raise SequenceError(
                f"{self.path}: has {size:,} bytes, more than any genome; give a FASTA "
                "file"
            )
        return _File(self.path, file, size)

    def _headers(self) -> Iterator[int]:
        for first in range(0, len(self._data), BYTES_A_READ):
            block = self._data[first : first + BYTES_A_READ + 1]
            if not first and block.startswith(b">"):
                yield 0
            found = block.find(b"\n>")
            while found >= 0:
                yield first + found + 1
                found = block.find(b"\n>", found + 1)

    def letters(self, chromosome: str, start: int, stop: int, *, place: str) -> bytes:
        """Return the letters of ``[start, stop)``; `place` names the request in errors.

        Raises
        ------
        SequenceError
            If the chromosome is unknown or the window leaves it.
        """
        record = self._record(chromosome, place)
        if start < 0 or stop > record.length:
            msg = (
                f"{place}: window {chromosome}:{start}-{stop} leaves the chromosome, "
                f"which has {record.length} bases; skip='edge' leaves it out"
            )
            raise SequenceError(msg)
        return record.letters(start, stop)

    def length(self, chromosome: str, *, place: str) -> int:
        """Return the number of bases of a chromosome; SequenceError if it is
        unknown.
        """
        return self._record(chromosome, place).length

    @property
    def lengths(self) -> dict[str, int]:
        """Number of bases of each chromosome, in the order of the file."""
        return {name: record.length for name, record in self._records.items()}

    def _record(self, chromosome: str, place: str) -> _Record | TwoBitRecord:
        record = self._records.get(chromosome)
        if record is None:
            shown = ", ".join(map(quoted, list(self._records)[:3])) + (
                ", ..." if len(self._records) > 3 else ""
            )
            msg = (
                f"{place}: chromosome {quoted(chromosome)} is not in {self.path}, whose "
                f"records are {shown}; skip='chromosome' leaves it out"
            )
            raise SequenceError(msg)
        return record


@dataclass(frozen=True)
class _Index:
    """Where the letters of records begin and end, and whether their lines have one
    width, as far as that is known.
    """

    places: dict[str, tuple[int, int]]
    even: dict[str, bool] = field(default_factory=dict)


_INDEX_OF_FILE: dict[tuple[str, int, int, int], _Index] = {}
"""Indices of files that were opened in this process, by path, inode, size and time."""
_MOST_SCANNED = 16
_MOST_HEADER = 2**16


def _has_other_line_ends(path: str | PathLike[str]) -> bool:
    """Return whether a file has a byte-order mark, or line ends of a carriage return
    alone, as old spreadsheets write them.
    """
    with open_regular_file(path, SequenceError) as file:
        head = file.read(_MOST_HEADER)
    return head.startswith(b"\xef\xbb\xbf") or (b"\r" in head and b"\n" not in head)


def _from_fai(data: _File, changed: int) -> _Index | None:
    """Return the index of the .fai beside a file; None if there is none, it is older
    than the file, or the file's headers are not where it says.
    """
    place = Path(f"{os.fsdecode(data.path)}.fai")
    try:
        if not place.is_file() or place.stat().st_mtime_ns < changed:
            return None
        rows = [line.split("\t") for line in place.read_text("utf-8").splitlines()]
        table = sorted(
            (
                (int(start), int(n), int(bases), int(width), name)
                for name, n, start, bases, width in (row[:5] for row in rows)
            )
        )
    except (OSError, ValueError):  # no index, or not of five columns and whole numbers
        return None
    places: dict[str, tuple[int, int]] = {}
    end, before = 0, ""
    for start, n, bases, width, name in table:
        if not (0 <= start - end <= _MOST_HEADER and 0 < bases < width and n >= 0):
            return None
        between = data[end:start].lstrip()
        words = between[1:].split(maxsplit=1)
        if (
            between[:1] != b">"
            or between.find(b"\n") != len(between) - 1
            or words[:1] != [name.encode()]
            or name in places
        ):
            return None
        if before:
            places[before] = (places[before][0], start - len(between))
        lines = -(-n // bases)
        end, before = start + n + max(lines - 1, 0) * (width - bases), name
        places[name] = (start, data.size)
        if end > data.size:
            return None
    if not places or data.size - end > _MOST_HEADER or data[end : data.size].strip():
        return None
    return _Index(places, dict.fromkeys(places, True))


@dataclass(frozen=True)
class _File:
    """The bytes of a file, read on request; not memory-mapped, since truncating a
    mapped file would kill Python.
    """

    path: str | PathLike[str]
    file: BinaryIO
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self.size)
        try:
            self.file.seek(start)
            data = self.file.read(max(stop - start, 0))
        except (OSError, ValueError) as error:
            raise SequenceError(
                f"{self.path}: cannot be read ({error}); check the disk, and read it "
                "again"
            ) from error
        if len(data) < stop - start:
            raise SequenceError(f"{self.path}: {CHANGED}")
        return data

    def find(self, letter: bytes, start: int, stop: int) -> int:
        """Return the first position of a letter from `start` on, -1 if there is none
        before `stop`.
        """
        step = _FIRST_STEP
        while start < stop:
            found = self[start : min(start + step, stop)].find(letter)
            if found >= 0:
                return start + found
            start, step = start + step, min(2 * step, BYTES_A_READ)
        return -1


@dataclass(frozen=True)
class _Record:
    """The bytes of one record's lines, ``data[start:stop]``."""

    data: bytes | _File
    start: int
    stop: int
    name: str
    index: _Index

    @cached_property
    def _line(self) -> tuple[int, int]:
        """Number of letters and of bytes of a line, from the first line."""
        end = self.data.find(b"\n", self.start, self.stop)
        if end < 0:
            return max(self.stop - self.start, 1), max(self.stop - self.start, 1) + 1
        carriage = int(self.data[end - 1 : end] == b"\r")
        return end - self.start - carriage, end + 1 - self.start

    @cached_property
    def _end(self) -> int:
        """Position after the last letter; trailing line ends are excluded."""
        end = self.stop
        while end > self.start and self.data[end - 1 : end] in (b"\n", b"\r", b" "):
            end -= 1
        return end

    @cached_property
    def _whole(self) -> bytes | None:
        """All letters, if the lines are uneven; None if offsets can be computed."""
        if self.name not in self.index.even:
            self.index.even[self.name] = self._is_even()
        if self.index.even[self.name]:
            return None
        return self.data[self.start : self._end].translate(None, b"\r\n\t ")

    def _is_even(self) -> bool:
        """Say whether each line but the last is as wide as the first."""
        letters, width = self._line
        size = self._end - self.start
        expected = (size - 1) // width * (width - letters) if size else 0
        if letters < 1 or (size and (size - 1) % width >= letters):
            return False
        found = right = 0
        step = max(BYTES_A_READ // width, 1) * width
        for first in range(self.start, self._end, step):
            block = np.frombuffer(
                self.data[first : min(first + step, self._end)], np.uint8
            )
            at = np.flatnonzero(block <= 32)
            found += at.size
            right += int(np.count_nonzero(at % width >= letters))
        return found == right == expected

    @cached_property
    def length(self) -> int:
        """Number of letters."""
        if self._whole is not None:
            return len(self._whole)
        letters, width = self._line
        full, rest = divmod(self._end - self.start, width)
        return full * letters + rest

    def letters(self, start: int, stop: int) -> bytes:
        """Return the letters of ``[start, stop)``."""
        if self._whole is not None:
            return self._whole[start:stop]
        per, width = self._line
        first = self.start + start // per * width + start % per
        last = self.start + (stop - 1) // per * width + (stop - 1) % per + 1
        return self.data[first:last].translate(None, b"\r\n")


@dataclass(frozen=True)
class Window:
    """A stretch of a chromosome, 0-based with the end excluded, and its line in the BED
    file.
    """

    chromosome: str
    start: int
    stop: int
    strand: Literal["+", "-", ""]
    line: int

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
    if rows and (why := _other_intervals(rows[0][1])):
        raise SequenceError(f"{path}: {why}")
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
                f"{window.name}; skip='repeated' leaves it out"
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


def _other_intervals(first: str) -> str:
    r"""Return what a table of intervals is that is no BED, by its first line, and the
    cure; empty for others.

    Examples
    --------
    >>> _other_intervals("chr1\tmacs\tpeak\t101\t200\t.\t+\t.\tID=a")[:42]
    'is GFF or GTF, which counts from 1; write '
    >>> _other_intervals("chr1,100,200")
    'separates its columns by commas, and BED by tabs; write tabs in their place'
    >>> _other_intervals("chr1\t100\t200")
    ''
    """
    columns = first.split("\t")
    if (
        len(columns) in (8, 9)
        and not columns[2].isdigit()
        and columns[3].isdigit()
        and columns[4].isdigit()
    ):
        return (
            "is GFF or GTF, which counts from 1; write BED: "
            "awk -F'\\t' -v OFS='\\t' '!/^#/ {print $1, $4 - 1, $5}'"
        )
    if "abs_summit" in columns:
        return (
            "is the table of MACS, which counts from 1; give the narrowPeak file that "
            "MACS wrote beside it"
        )
    if len(first.split(",")) > 2 and len(first.split()) == 1:
        return "separates its columns by commas, and BED by tabs; write tabs in their place"
    return ""


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
