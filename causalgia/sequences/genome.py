"""Letters of a genome: FASTA, read in parts by pysam where the extra ``genome`` is
installed and else whole, and .2bit, read in parts by Biopython.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Literal

from causalgia.errors import SequenceError, first_words, quoted
from causalgia.inputs import open_regular_file
from causalgia.sequences.fasta_records import parse_fasta
from causalgia.sequences.text_files import is_gzip, read_text

_ORDERS: dict[bytes, Literal["little", "big"]] = {
    b"\x43\x27\x41\x1a": "little",
    b"\x1a\x41\x27\x43": "big",
}

Cut = Callable[[str, int, int], bytes]


class Genome:
    """The chromosomes of a FASTA or .2bit file, as a context manager.

    Of .2bit the parts that are asked for are read. So is FASTA where pysam is installed
    (the extra ``genome``): by the .fai beside it, if it is true and not older; else by
    an index that is made once in a process and not kept; one compressed by bgzip by its
    .fai and .gzi. Any other FASTA (lines of unequal widths, gzip) is read whole.

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
        state = path.stat()
        if is_gzip(path):
            beside = [Path(f"{path}{end}") for end in (".fai", ".gzi")]
            if not all(_is_newer(one, state.st_mtime_ns) for one in beside):
                return False
            try:
                found = pysam.FastaFile(str(path))
            except (OSError, ValueError) as error:  # of its indexes
                raise self._damaged(error) from error
        else:
            index = _index_text(path, state.st_ino, state.st_size, state.st_mtime_ns)
            if not index:
                return False
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder, "fai")
                copy.write_bytes(index)
                found = pysam.FastaFile(str(path), filepath_index=str(copy))
        files.callback(found.close)
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


def _is_newer(index: Path, changed: int) -> bool:
    """Say whether there is an index, and it is not older than its genome."""
    return index.is_file() and index.stat().st_mtime_ns >= changed


@lru_cache(maxsize=16)
def _index_text(path: Path, _inode: int, size: int, changed: int) -> bytes:
    """Return a true index of a plain FASTA file: the one beside it, or a new one; empty
    if it has none, as where lines are of unequal widths.
    """
    import pysam
    from pysam.utils import SamtoolsError

    beside = Path(f"{path}.fai")
    if _is_newer(beside, changed) and _is_true(beside.read_bytes(), path, size):
        return beside.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "fai")
        said = pysam.set_verbosity(0)
        try:
            pysam.faidx(str(path), "--fai-idx", str(made))
        except SamtoolsError:
            return b""
        finally:
            pysam.set_verbosity(said)
        index = made.read_bytes()
    return index if _is_true(index, path, size) else b""


def _is_true(index: bytes, path: Path, size: int) -> bool:
    """Say whether the records of a .fai are those of the file, and nothing is between
    them: the index of another file, a blank within a line and two records of one name
    would give other letters.
    """
    at = end = 0
    with path.open("rb") as file:
        for row in index.splitlines():
            name, *numbers = row.split(b"\t")
            if len(numbers) != 4 or not name.isascii():
                return False
            try:
                n, start, bases, width = map(int, numbers)
            except ValueError:
                return False
            end = width - bases
            if min(n, bases, end, start - at) < 1 or end > 2:
                return False
            file.seek(at)
            header, _, line = file.read(start + width - at).partition(b"\n")
            words = header.split(maxsplit=1)
            if not name or words[:1] != [b">" + name] or at + len(header) + 1 != start:
                return False
            letters = line.rstrip(b"\r\n")
            if len(letters) != bases or len(line) not in (width, bases):
                return False
            at = start + n + -(-n // bases) * end
    return at > 0 and size in (at, at - end)
