"""Letters of a genome: FASTA, read in parts by pysam where the extra ``genome`` is
installed and else whole, and .2bit, read in parts by Biopython.
"""

from __future__ import annotations

import gzip
import struct
import tempfile
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from os import SEEK_END, PathLike
from pathlib import Path
from typing import BinaryIO, Literal

from causalgia.errors import SequenceError, first_words, quoted
from causalgia.inputs import BGZIP_END, open_regular_file
from causalgia.sequences.fasta_records import parse_fasta
from causalgia.sequences.text_files import is_gzip, read_text

_ORDERS: dict[bytes, Literal["little", "big"]] = {
    b"\x43\x27\x41\x1a": "little",
    b"\x1a\x41\x27\x43": "big",
}

_BLOCK = 1 << 16
"""Most bytes of text in a block of bgzip."""

Cut = Callable[[str, int, int], bytes]


class Genome:
    """The chromosomes of a FASTA or .2bit file, as a context manager.

    Of .2bit the parts that are asked for are read. So is FASTA where pysam is installed
    (the extra ``genome``): by the .fai beside it, if it is true and not older; else by
    an index that is made once in a process and not kept; one compressed by bgzip by its
    .fai and .gzi, if these are. Any other FASTA (lines of unequal widths, gzip) is read
    whole.

    Parameters
    ----------
    path
        A FASTA or .2bit file, which its first bytes tell.

    Attributes
    ----------
    lengths
        Number of bases of each chromosome, in the order of the file.

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
        self.lengths: dict[str, int]
        self._cut: Cut
        with ExitStack() as files:
            with open_regular_file(path, SequenceError) as file:
                head = file.read(12)
            if head[:4] in _ORDERS:
                n = int.from_bytes(head[8:], _ORDERS[head[:4]])
                self._open_two_bit(files, n)
            elif not self._open_in_parts(files):
                self._read_whole()
            self._files = files.pop_all()

    def _open_two_bit(self, files: ExitStack, n: int) -> None:
        from Bio import SeqIO

        file = files.enter_context(open_regular_file(self.path, SequenceError))
        try:
            records = SeqIO.parse(file, "twobit")  # type: ignore[no-untyped-call]
            found = {x.id: x.seq for x in records}
        except (ValueError, RuntimeError, MemoryError) as error:
            raise self._damaged(error) from error
        if not n or len(found) != n:
            raise SequenceError(
                f"{self.path}: {len(found)} different names for {n} chromosomes"
            )
        self.lengths = {name: len(letters) for name, letters in found.items()}
        self._cut = lambda name, start, stop: bytes(found[name][start:stop])

    def _open_in_parts(self, files: ExitStack) -> bool:
        """Open a FASTA file by its index; False if it is to be read whole."""
        path = Path(self.path)
        try:
            import pysam
        except ImportError:
            return False
        index = _true_indexes(path, *map(_state, (path, *_beside(path))))
        if index is None:
            return False
        with tempfile.TemporaryDirectory() as folder, htslib_is_silent():
            fai, gzi = Path(folder, "fai"), Path(folder, "gzi")
            fai.write_bytes(index[0])
            gzi.write_bytes(index[1])
            try:
                found = pysam.FastaFile(
                    str(path),
                    filepath_index=str(fai),
                    filepath_index_compressed=str(gzi) if index[1] else None,
                )
            except (OSError, ValueError) as error:
                raise self._damaged(error) from error
        files.callback(found.close)
        files.enter_context(htslib_is_silent())
        self.lengths = dict(zip(found.references, found.lengths, strict=True))
        self._cut = lambda name, start, stop: found.fetch(name, start, stop).encode()
        return True

    def _read_whole(self) -> None:
        source = str(self.path)
        names, bodies = parse_fasta(read_text(self.path), source=source, empty=True)
        name, n = Counter(names).most_common(1)[0]
        if n > 1 or "" in names:
            raise SequenceError(
                f"{source}: {n} records are named {quoted(name)}"
                if n > 1
                else f"{source}: a record has no name"
            )
        found = dict(zip(names, bodies, strict=True))
        self.lengths = {name: len(letters) for name, letters in found.items()}
        self._cut = lambda name, start, stop: found[name][start:stop]

    def __enter__(self) -> Genome:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def letters(self, chromosome: str, start: int, stop: int, *, place: str) -> bytes:
        """Return the letters of ``[start, stop)``; `place` names the request in errors.

        Raises
        ------
        SequenceError
            If the chromosome is unknown, the window leaves it, or the file is damaged.
        """
        size = self.length(chromosome, place=place)
        if start < 0 or stop > size:
            raise SequenceError(
                f"{place}: window {chromosome}:{start}-{stop} leaves the chromosome, "
                f"which has {size} bases; skip='edge' leaves it out"
            )
        try:
            found = self._cut(chromosome, start, stop)
        except (OSError, ValueError, RuntimeError) as error:
            raise self._damaged(error) from error
        if len(found) != stop - start:
            raise SequenceError(f"{self.path}: {chromosome} is cut short")
        return found

    def _damaged(self, error: Exception) -> SequenceError:
        return SequenceError(
            f"{self.path}: cannot be read, or is cut short ({first_words(error)})"
        )

    def length(self, chromosome: str, *, place: str) -> int:
        """Return the number of bases of a chromosome; SequenceError if it is
        unknown.
        """
        if chromosome not in self.lengths:
            shown = ", ".join(map(quoted, list(self.lengths)[:3])) + (
                ", ..." if len(self.lengths) > 3 else ""
            )
            raise SequenceError(
                f"{place}: chromosome {quoted(chromosome)} is not in {self.path}, whose "
                f"records are {shown}; skip='chromosome' leaves it out"
            )
        return self.lengths[chromosome]


@contextmanager
def htslib_is_silent() -> Iterator[None]:
    """Keep what htslib prints about a file, which is raised, from standard error."""
    import pysam

    said = pysam.set_verbosity(0)
    try:
        yield
    finally:
        pysam.set_verbosity(said)


def _beside(path: Path) -> tuple[Path, Path]:
    """Return the places of the indexes of a FASTA file."""
    return Path(f"{path}.fai"), Path(f"{path}.gzi")


def _state(path: Path) -> tuple[int, ...]:
    """Return what tells whether a file has changed; empty if there is none."""
    if not path.is_file():
        return ()
    state = path.stat()
    return state.st_mtime_ns, state.st_ino, state.st_size


@lru_cache(maxsize=16)
def _true_indexes(
    path: Path, state: tuple[int, ...], fai: tuple[int, ...], gzi: tuple[int, ...]
) -> tuple[bytes, bytes] | None:
    """Return a true .fai and .gzi of a FASTA file, for their states: those beside it,
    or, of a plain file, which has no .gzi, a new one. None if it has none, as where
    lines are of unequal widths.
    """
    beside, blocks = _beside(path)
    with path.open("rb") as file:
        if is_gzip(path):
            if min(fai, gzi) < state[:1]:
                return None
            indexes = beside.read_bytes(), blocks.read_bytes()
            try:
                cut, size = _cut_of_bgzip(file, indexes[1])
                return indexes if _is_true(indexes[0], cut, size) else None
            except (OSError, EOFError, ValueError, zlib.error, struct.error):
                return None  # the .gzi of another file

        def cut(start: int, stop: int) -> bytes:
            file.seek(start)
            return file.read(stop - start)

        size = state[2]
        if fai >= state[:1] and _is_true(found := beside.read_bytes(), cut, size):
            return found, b""
        made = _made_index(path)
        return (made, b"") if _is_true(made, cut, size) else None


def _made_index(path: Path) -> bytes:
    """Return the .fai that samtools makes; empty if it makes none."""
    import pysam
    from pysam.utils import SamtoolsError

    with tempfile.TemporaryDirectory() as folder, htslib_is_silent():
        made = Path(folder, "fai")
        try:
            pysam.faidx(str(path), "--fai-idx", str(made))
        except SamtoolsError:
            return b""
        return made.read_bytes()


def _cut_of_bgzip(
    file: BinaryIO, gzi: bytes
) -> tuple[Callable[[int, int], bytes], int]:
    """Return what cuts a part out of the text of a bgzip file, by the .gzi: where each
    block begins, packed and as text; and the size of the text.

    Raises
    ------
    OSError, EOFError, ValueError, zlib.error, struct.error
        If a block that is read does not lie where the .gzi says, or the last one is
        not empty, as of a file that is cut short.
    """
    (n,) = struct.unpack_from("<Q", gzi)
    numbers = struct.unpack(f"<{2 * n}Q", gzi[8:])
    packed, starts = [0, *numbers[::2]], [0, *numbers[1::2]]
    end = file.seek(-len(BGZIP_END), SEEK_END) + len(BGZIP_END)
    if file.read() != BGZIP_END:
        raise ValueError("no empty block at the end")
    packed.append(end)

    @lru_cache(maxsize=2)
    def block(i: int) -> bytes:
        file.seek(packed[i])
        found = gzip.decompress(file.read(max(packed[i + 1] - packed[i], 0)))
        if len(found) > _BLOCK or (i < n and len(found) != starts[i + 1] - starts[i]):
            raise ValueError(f"block {i} is not where the index says")
        return found

    def cut(start: int, stop: int) -> bytes:
        first, last = (bisect_right(starts, x) - 1 for x in (start, stop))
        text = b"".join(block(i) for i in range(first, last + 1))
        return text[start - starts[first] : stop - starts[first]]

    return cut, starts[-1] + len(block(n))


def _is_true(index: bytes, cut: Callable[[int, int], bytes], size: int) -> bool:
    """Say whether the records of a .fai are those of a text of this size, of which
    `cut` returns a part, and nothing is between them: the index of another file, a
    blank within a line and two records of one name would give other letters.
    """
    at = end = 0
    names = set()
    for row in index.splitlines():
        name, *numbers = row.split(b"\t")
        if len(numbers) != 4 or not name.isascii() or name in names:
            return False
        names.add(name)
        try:
            n, start, bases, width = map(int, numbers)
        except ValueError:
            return False
        end = width - bases
        if min(n, bases, end, start - at) < 1 or end > 2 or start + n > size:
            return False
        header, _, line = cut(at, start + width).partition(b"\n")
        words = header.split(maxsplit=1)
        if not name or words[:1] != [b">" + name] or at + len(header) + 1 != start:
            return False
        letters = line.rstrip(b"\r\n")
        if len(letters) != bases or len(line) not in (width, bases):
            return False
        at = start + n + -(-n // bases) * end
    return at > 0 and size in (at, at - end)
