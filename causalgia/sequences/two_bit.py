"""Genomes in UCSC's .2bit format: letters of a stretch of a chromosome by random access.

A file has a header, an index of names and offsets, and a record for each chromosome:
its number of bases, blocks of N, blocks of lower case (soft masks), and four bases a
byte. Numbers have 32 bits in either byte order. Only the header, the index and the
blocks of the chromosomes that are asked for are read.

References
----------
https://genome.ucsc.edu/FAQ/FAQformat.html#format7
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import SequenceError, quoted
from causalgia.inputs import open_regular_file

_TWO_BIT_SIGNATURE = 0x1A412743
_BYTES_OF_NUMBER = 4  # bytes of a number
_HEADER_WORDS = 4
_MOST_NAME = 255
_BASES_OF_BYTE = np.frombuffer(b"TCAG", np.uint8)[
    (np.arange(256)[:, None] >> np.array([6, 4, 2, 0])) & 3
]
_TO_LOWER_CASE = 32  # from an upper-case letter to its lower case
_MAKE_AGAIN = "make it again with faToTwoBit, or make FASTA of it with twoBitToFa"


class Bytes(Protocol):
    """Bytes of a file, read on request."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> bytes: ...


def is_two_bit(path: str | PathLike[str]) -> bool:
    """Say whether a file begins as .2bit does, in either byte order."""
    with open_regular_file(path, SequenceError) as file:
        head = file.read(_BYTES_OF_NUMBER)
    return _byte_order(head) != ""


def _byte_order(head: bytes) -> str:
    """Return the dtype of numbers in a file that begins so; empty if it is no .2bit.

    Examples
    --------
    >>> _byte_order(bytes.fromhex("4327411a")), _byte_order(b">chr")
    ('<u4', '')
    """
    for order in ("<u4", ">u4"):
        if (
            len(head) == _BYTES_OF_NUMBER
            and int(np.frombuffer(head, order)[0]) == _TWO_BIT_SIGNATURE
        ):
            return order
    return ""


@dataclass(frozen=True)
class TwoBitRecord:
    """The letters of one chromosome."""

    path: str | PathLike[str]
    data: Bytes
    start: int
    order: str
    name: str

    def _words(self, start: int, n: int) -> NDArray[np.int64]:
        """Return `n` numbers from a byte on."""
        if start + _BYTES_OF_NUMBER * n > len(self.data):
            raise damaged(
                self.path, f"the record of {quoted(self.name)} leaves the file"
            )
        found = np.frombuffer(
            self.data[start : start + _BYTES_OF_NUMBER * n], self.order
        )
        return found.astype(np.int64)

    def _blocks(self, start: int) -> tuple[NDArray[np.int64], int]:
        """Return starts and stops of blocks (2, n) whose number stands at a byte, and the
        first byte after them.
        """
        n = int(self._words(start, 1)[0])
        starts, sizes = self._words(start + _BYTES_OF_NUMBER, 2 * n).reshape(2, n)
        stops = starts + sizes
        ordered = (np.diff(starts) >= 0).all() and (np.diff(stops) >= 0).all()
        if not ordered or (n and stops[-1] > self.length):
            raise damaged(
                self.path,
                f"blocks of {quoted(self.name)} are out of order, or leave its "
                f"{self.length:,} bases",
            )
        return np.stack([starts, stops]), start + _BYTES_OF_NUMBER * (1 + 2 * n)

    @cached_property
    def length(self) -> int:
        """Number of letters."""
        return int(self._words(self.start, 1)[0])

    @cached_property
    def _parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Blocks of N, blocks of lower case, and where the bases begin."""
        unknown, after = self._blocks(self.start + _BYTES_OF_NUMBER)
        masked, after = self._blocks(after)
        bases = after + _BYTES_OF_NUMBER  # a reserved number
        if bases + -(-self.length // 4) > len(self.data):
            raise damaged(
                self.path,
                f"the {self.length:,} bases of {quoted(self.name)} leave the file",
            )
        return unknown, masked, bases

    def letters(self, start: int, stop: int) -> bytes:
        """Return the letters of ``[start, stop)``: N in blocks of N, lower case where
        masked.
        """
        if stop <= start:
            return b""
        unknown, masked, bases = self._parts
        first = start // 4
        packed = np.frombuffer(
            self.data[bases + first : bases + -(-stop // 4)], np.uint8
        )
        found = _BASES_OF_BYTE[packed].reshape(-1)[start - 4 * first :][: stop - start]
        for a, b in _within(unknown, start, stop):
            found[a:b] = ord("N")
        for a, b in _within(masked, start, stop):
            found[a:b] |= _TO_LOWER_CASE
        return bytes(found)


def _within(blocks: NDArray[np.int64], start: int, stop: int) -> list[tuple[int, int]]:
    """Return the parts of blocks (2, n) inside of a window, from the window's start.

    Both their starts and their stops ascend.
    """
    starts, stops = blocks
    first = int(np.searchsorted(stops, start, side="right"))
    last = int(np.searchsorted(starts, stop, side="left"))
    return [
        (max(int(a) - start, 0), min(int(b) - start, stop - start))
        for a, b in zip(starts[first:last], stops[first:last], strict=True)
    ]


def two_bit_records(path: str | PathLike[str], data: Bytes) -> dict[str, TwoBitRecord]:
    """Return the chromosomes of a .2bit file by name, in its order.

    Raises
    ------
    SequenceError
        If the file is damaged, has 64-bit offsets or no chromosome, or two have one
        name.
    """
    order = _byte_order(data[:_BYTES_OF_NUMBER])
    head = data[: _BYTES_OF_NUMBER * _HEADER_WORDS]
    if len(head) < _BYTES_OF_NUMBER * _HEADER_WORDS:
        raise damaged(path, "its header is cut short")
    _, version, n, _ = np.frombuffer(head, order).tolist()
    if version:
        raise SequenceError(
            f"{path}: is .2bit of version {version}, which has 64-bit offsets or is "
            "newer; make FASTA of it with twoBitToFa"
        )
    if not n:
        raise damaged(path, "it has no chromosome")
    index = data[len(head) : len(head) + n * (1 + _MOST_NAME + _BYTES_OF_NUMBER)]
    records: dict[str, TwoBitRecord] = {}
    at = 0
    for _ in range(n):
        size = index[at] if at < len(index) else 0
        name = index[at + 1 : at + 1 + size]
        offset = index[at + 1 + size : at + 1 + size + _BYTES_OF_NUMBER]
        at += 1 + size + _BYTES_OF_NUMBER
        if not name or len(offset) < _BYTES_OF_NUMBER:
            raise damaged(path, "its index is cut short, or a chromosome has no name")
        label = name.decode("utf-8", "replace")
        if label in records:
            raise damaged(path, f"two chromosomes are named {quoted(label)}")
        start = int(np.frombuffer(offset, order)[0])
        records[label] = TwoBitRecord(path, data, start, order, label)
    return records


def damaged(path: str | PathLike[str], flaw: str) -> SequenceError:
    """Return the error of a .2bit file that cannot be read."""
    return SequenceError(f"{path}: is a damaged .2bit file: {flaw}; {_MAKE_AGAIN}")
