r"""Bounded reading of untrusted input (files, gzip, TOML, JSON, whole numbers), and
escaping of its texts in tables.

Each reader takes the type of error to raise and the source named in its messages.
Reading and recursion are bounded, and no other exception escapes.

A text that a spreadsheet would read as a formula gets an apostrophe. A spreadsheet
whose list separator is a semicolon splits a comma-separated file there, so a semicolon
before a formula is written as ``\x3b``. Unprintable characters (terminal escapes,
changes of writing direction, line ends) are written as Python escapes, ``\x1b`` or
``\u202e``, and a backslash that would start such an escape as ``\x5c``. Reading a table
with this library restores the original text.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from gzip import GzipFile
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from causalgia.errors import (
    CausalgiaError,
    OutcomesError,
    printable,
    quoted,
    reason_of,
    type_in_words,
)

if TYPE_CHECKING:
    import pandas as pd


LARGEST = 2**33
"""Most bytes of a file read whole: 8 GiB, twice the human genome."""
LARGEST_TEXT = 2**26
"""Most bytes of TOML or JSON: 64 MiB."""
BYTES_A_READ = 2**24
"""Bytes read at a time from a file that may not fit in memory: 16 MiB."""
CHANGED = "was written to while it was read; read it again when it is whole"
_FREE_BYTES = 2**27  # that packed data may unpack to, however few they are
_UNPACKED_RATIO = 20
_BYTES_UNPACKED_AT_ONCE = 2**22
_DEEPEST = 100
HEAD_BYTES = 512
"""First bytes of a file, which tell whether it is text."""
_ADDRESS = re.compile(r"(https?|ftp|s3|gs):/")
_BOM = b"\xef\xbb\xbf"
_LFS = b"version https://git-lfs.github.com/spec/"
_ANNEX = re.compile(rb"(\.\./)*(\.git|/annex)/(annex/)?objects/")
_HTML = re.compile(
    rb"(<\?xml[^>]*>\s*)?(<!--.{,200}?-->\s*)?"
    rb"<(!doctype\s+html|html|head|body|title|meta|script)\b",
    re.IGNORECASE | re.DOTALL,
)
_REFUSED = re.compile(
    rb"""(<\?xml[^>]*>\s*)?<Error>\s*<Code>  # S3 and its like
    |(40[0-9]|50[0-9]):?[ ]+[A-Z][A-Za-z ]+\s*\Z  # GitHub: 404: Not Found
    |\{\s*"(message|error|detail|errors)"\s*:\s*["\[]  # programming interfaces""",
    re.VERBOSE,
)
_UTF_16 = "is text in UTF-16; save it as UTF-8"
_PICKLE = "is a pickle of Python, which may run code; save what it holds as text"
_BINARY = "is a binary file, not text; give the text that it was made from"
_TAR = "is a tar archive; unpack it with tar -xf, and give the file in it"
_NO_TEXT: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xfe\0\0", "is text in UTF-32; save it as UTF-8"),
    (b"\xff\xfe", _UTF_16),
    (b"\xfe\xff", _UTF_16),
    (b"BCF\2", "is BCF; make it VCF with bcftools view -O v"),
    (b"BCF\4", "is BCF; make it VCF with bcftools view -O v"),
    (b"BAM\1", "is BAM, which holds reads; make FASTA of it with samtools fasta"),
    (b"CRAM", "is CRAM, which holds reads; make FASTA of it with samtools fasta"),
    (b"\x1a\x41\x27\x43", "is .2bit; make FASTA of it with twoBitToFa"),
    (b"\x43\x27\x41\x1a", "is .2bit; make FASTA of it with twoBitToFa"),
    (b"\xeb\xf2\x89\x87", "is bigBed; make BED of it with bigBedToBed"),
    (b"\x87\x89\xf2\xeb", "is bigBed; make BED of it with bigBedToBed"),
    (
        b"\x26\xfc\x8f\x88",
        "is bigWig, which holds signal; make text of it with bigWigToBedGraph",
    ),
    (
        b"\x88\x8f\xfc\x26",
        "is bigWig, which holds signal; make text of it with bigWigToBedGraph",
    ),
    (b"\x1f\x8b", "is compressed by gzip; unpack it with gunzip"),
    (b"\xfd7zXZ", "is compressed by xz; unpack it with xz -d"),
    (b"BZh", "is compressed by bzip2; unpack it with bunzip2"),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd; unpack it with zstd -d"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it and give the file in it"),
    (b"\x93NUMPY", "is a NumPy array, not text; cg.read_sequences reads NumPy arrays"),
    (
        b"PK\3\4",
        "is an archive (zip, .npz or a spreadsheet), not text; unpack "
        "it, or save the sheet as text (cg.read_sequences reads .npz)",
    ),
    (b"%PDF", "is PDF; save its table as text"),
    (b"{\\rtf", "is rich text; save it as plain text"),
    (b"\xd0\xcf\x11\xe0", "is an old spreadsheet or document; save it as text"),
    (b"\x89HDF", "is HDF5, not text"),
    (b"\x04\x22\x4d\x18", "is compressed by lz4; unpack it with lz4 -d"),
    (b"PAR1", "is a Parquet table; save it as text, such as by pandas.read_parquet"),
    (b"ARROW1", "is an Arrow table; save it as text, such as by pandas.read_feather"),
    (b"SQLite format 3", "is an SQLite database; save its table as text"),
    (b"X\n\0\0", "is an R object (.rds); write it as text by write.table in R"),
    (b"RDX", "is R data (.RData); write them as text by write.table in R"),
    (b"\x80\2}", _PICKLE),
    (b"\x80\3", _PICKLE),
    (b"\x80\4\x95", _PICKLE),
    (b"\x80\5\x95", _PICKLE),
)
"""How files that are no text begin, and the cure."""
_GZIP = b"\x1f\x8b"
_PART = r"""\.[ \t]*+(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_DOTTED = re.compile(rf"(?:{_PART}){{8,}}+")
_DIGITS = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_BRACKET_OR_STRING = re.compile(r'[][{}]|"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# the latter at full width, which Japanese spreadsheets read alike
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
_BLANKS = "' "  # a spreadsheet may drop blanks before a formula
_INNER_FORMULA = re.compile(rf";(?=[\s'\"]*[{re.escape(''.join(_FORMULA))}])")
_ESCAPE = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def _cure_of_absent(path: str | PathLike[str]) -> str:
    """Return what to do where no file is at a path: an address, a "~" that no shell
    replaced, or a wrong path.
    """
    text = str(path)
    if _ADDRESS.match(text):
        return "download it first, and give the path of the file"
    home = Path(text).expanduser() if text.startswith("~/") else None
    if home is not None and home.exists():
        return f"write out '~': {home}"
    return f"check the path (the working folder is {Path.cwd()})"


@contextmanager
def open_regular_file(
    path: str | PathLike[str], error: type[CausalgiaError]
) -> Iterator[BinaryIO]:
    """Open a regular file for reading; raise for a pipe, device, folder or file of
    /proc, without blocking, and for what stands in the place of a file that was never
    fetched (`stand_in`).

    Raises
    ------
    CausalgiaError
        Of type `error`, if the file is absent, not a regular file, unreadable, a pointer
        of Git LFS or git-annex, or the page of a failed download.
    """
    try:
        number = os.open(
            path,
            os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0),
        )
    except FileNotFoundError as reason:
        raise error(f"{path}: no such file; {_cure_of_absent(path)}") from reason
    except (OSError, ValueError) as reason:
        raise error(
            f"{path}: cannot be read ({reason_of(reason)}); check the path and its "
            "permissions"
        ) from reason
    mode = os.fstat(number).st_mode
    if stat.S_ISDIR(mode):
        os.close(number)
        raise error(f"{path}: is a folder; give the path of one file")
    with os.fdopen(number, "rb") as file:
        try:
            # a file of size 0 that has content is one of /proc, some of which never end
            if not stat.S_ISREG(mode) or (
                os.fstat(file.fileno()).st_size == 0 and file.read(1) != b""
            ):
                raise error(
                    f"{path}: is a pipe or a device, not a file; write its contents "
                    "into a file first"
                )
            file.seek(0)
            if why := stand_in(file.read(HEAD_BYTES)):
                raise error(f"{path}: {why}")
            file.seek(0)
            yield file
        except OSError as reason:
            raise error(
                f"{path}: cannot be read ({reason_of(reason)}); check the path and its "
                "permissions"
            ) from reason


def stand_in(head: bytes) -> str:
    r"""Return what stands in the place of a file, by its first bytes, and the cure;
    empty for any other content.

    Examples
    --------
    >>> stand_in(b"version https://git-lfs.github.com/spec/v1\noid sha256:")
    'is a Git LFS pointer, not the file itself; run git lfs pull in its repository'
    >>> stand_in(b"<!DOCTYPE html><html>")
    'is a web page, as a failed download leaves; fetch the file again, by its direct address'
    >>> stand_in(b"404: Not Found")
    "is a server's refusal, as a failed download leaves; fetch the file again, by its direct address"
    >>> stand_in(b">chr1")
    ''
    """
    text = head.removeprefix(_BOM).lstrip()
    if text.startswith(_LFS):
        return "is a Git LFS pointer, not the file itself; run git lfs pull in its repository"
    if _ANNEX.match(text):
        return (
            "is a git-annex pointer, not the file itself; run git annex get in its "
            "repository"
        )
    if _HTML.match(text):
        return (
            "is a web page, as a failed download leaves; fetch the file again, by its "
            "direct address"
        )
    if _REFUSED.match(text):
        return (
            "is a server's refusal, as a failed download leaves; fetch the file again, by "
            "its direct address"
        )
    return ""


def no_text(head: bytes) -> str:
    r"""Return what a file that should be text is, by its first bytes, and the cure;
    empty if it may be text.

    Examples
    --------
    >>> no_text("chr1".encode("utf-16")), no_text("chr1".encode("utf-16-le"))
    ('is text in UTF-16; save it as UTF-8', 'is text in UTF-16; save it as UTF-8')
    >>> no_text(b"BCF\x02\x02")
    'is BCF; make it VCF with bcftools view -O v'
    >>> no_text(b"chr1")
    ''
    """
    for start, what in _NO_TEXT:
        if head.startswith(start):
            inside = _of_archive(head) if start == b"PK\3\4" else ""
            return inside or what
    if head[257:262] == b"ustar":
        return _TAR
    if b"\0" not in head:
        return ""
    # UTF-16 without a byte-order mark: every other byte of Latin text is 0
    for odd in (0, 1):
        if len(head) > 3 and not any(head[odd::2]) and all(head[1 - odd :: 2]):
            return _UTF_16
    return _BINARY


def _of_archive(head: bytes) -> str:
    """Return what a zip archive is by the name of its first file; "" of any."""
    name = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if name.startswith((b"[Content_Types].xml", b"xl/", b"_rels/", b"docProps/")):
        return "is a spreadsheet (.xlsx) or a document; save its sheet as text (.csv)"
    if name in (b"mimetype",):
        return "is a spreadsheet (.ods) or a document; save its sheet as text (.csv)"
    return ""


def no_network(head: bytes) -> str:
    r"""Return what a file that should hold a network or its weights is instead, by its
    first bytes, and the cure; empty if it may hold them.

    Examples
    --------
    >>> no_network(b"\x1f\x8b\x08")
    'is compressed by gzip; unpack it with gunzip'
    >>> no_network(b"\x89HDF\r\n")
    'is HDF5, as Keras writes; read it with ``cg.predict.from_keras_h5``'
    """
    if head.startswith(b"\x89HDF"):
        return "is HDF5, as Keras writes; read it with ``cg.predict.from_keras_h5``"
    if head.startswith((b"PK\3\4", b"\x80")):  # torch's, Keras's and NumPy's
        inside = _of_archive(head) if head.startswith(b"PK") else ""
        return f"{inside}; give the file of weights" if inside else ""
    return what_instead(head, "give the file of weights")


def what_instead(head: bytes, cure: str) -> str:
    r"""Return what a file of another program's bytes is instead, by its first ones, with
    the cure; empty if they tell nothing.

    Examples
    --------
    >>> what_instead(b"chr1 5", "give results.nc")
    'is text; give results.nc'
    >>> what_instead(b"PAR1", "give results.nc"), what_instead(b"BZh9", "")
    ('is a Parquet table; give results.nc', 'is compressed by bzip2; unpack it with bunzip2')
    """
    if not head:
        return "is empty; fetch or save it again"
    why = no_text(head)
    if why in (_UTF_16, _NO_TEXT[0][1]):
        return f"is text; {cure}"
    if why and why != _BINARY:
        what, _, unpack = why.partition("; ")
        unpacked = unpack.startswith("unpack") and "archive (zip" not in what
        return f"{what.partition(', ')[0]}; {unpack if unpacked else cure}"
    is_text = head.strip() and not any(byte < 9 or byte > 126 for byte in head)
    return f"is text; {cure}" if is_text else ""


def check_no_pipe(path: str | PathLike[str], error: type[CausalgiaError]) -> None:
    """Raise if a path to be written is a pipe, which may block for ever, or a device.

    Raises
    ------
    CausalgiaError
        Of type `error`, if something other than a file or a folder is at the path.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):  # absent or impossible path: the writer reports it
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise error(
            f"{path}: is a pipe or a device, not a file; write into a file, and give "
            "that to what reads"
        )


def check_path(
    path: object, example: str, error: type[CausalgiaError], *, what: str = "file"
) -> None:
    """Raise an error of the given type unless a value is a path, as text or as one of
    pathlib.

    Examples
    --------
    >>> from causalgia.errors import SequenceError
    >>> check_path(5, "peaks.fa", SequenceError)
    Traceback (most recent call last):
    ...
    causalgia.errors.SequenceError: path=5 is not a path; give that of one file, such as 'peaks.fa'
    """
    if not isinstance(path, str | PathLike):
        raise error(
            argument="path",
            value=path,
            need="is not a path",
            cure=f"give that of one {what}, such as {quoted(example)}",
        )


def not_written(
    path: str | PathLike[str], why: Exception, error: type[CausalgiaError]
) -> CausalgiaError:
    """Return the error of a file that cannot be written.

    Examples
    --------
    >>> full = OSError(28, "No space left on device")
    >>> print(not_written("trial.toml", full, CausalgiaError))
    trial.toml: cannot be written (No space left on device); choose another place
    """
    return error(f"{path}: cannot be written ({reason_of(why)}); choose another place")


def decimal_comma_cure(values: Iterable[Any]) -> str:
    """Return how to read numbers that are texts with a decimal comma; empty if none of
    the values is.

    Examples
    --------
    >>> decimal_comma_cure(["1,81"]), decimal_comma_cure(["high", 1.0])
    ("read decimal commas with ``pandas.read_csv(path, decimal=',')``", '')
    """
    if any(
        isinstance(value, str)
        and re.fullmatch(r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*", value)
        for value in values
    ):
        return "read decimal commas with ``pandas.read_csv(path, decimal=',')``"
    return ""


def separator_cure(names: Iterable[Any]) -> str:
    r"""Return how to read a file whose columns were not separated, as a clause to
    append; empty if no name of a column holds a tab or a semicolon.

    Examples
    --------
    >>> separator_cure(["effect;se"])
    "; its columns were not separated: read it with ``pandas.read_csv(path, sep=';')``"
    >>> separator_cure(["effect", "se", None])
    ''
    """
    text = "".join(name for name in names if isinstance(name, str))
    for mark, shown in (("\t", "\\t"), (";", ";")):
        if mark in text:
            return (
                "; its columns were not separated: read it with "
                f"``pandas.read_csv(path, sep='{shown}')``"
            )
    return ""


def is_file(path: str | PathLike[str]) -> bool:
    """Return whether a text is the path of a file; one too long or too odd to be a path
    is not.
    """
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def check_size(
    file: BinaryIO,
    path: str | PathLike[str],
    error: type[CausalgiaError],
    most: int = LARGEST,
) -> int:
    """Return the size of an open file in bytes; raise `error` if it is larger than
    `most`.
    """
    size = os.fstat(file.fileno()).st_size
    if size > most:
        raise error(
            f"{path}: has {size:,} bytes, and at most {most:,} are read at once; split "
            "the file"
        )
    return size


def read_bytes(
    path: str | PathLike[str],
    error: type[CausalgiaError],
    *,
    most: int = LARGEST,
    unpack: bool = False,
) -> bytes:
    """Return the bytes of a file of at most `most` bytes; with `unpack`, decompress a
    gzip file.

    A gzip file is recognized by its first two bytes. One that unpacks to more than 128
    MiB and more than twenty times its size is refused as a decompression bomb.

    Raises
    ------
    CausalgiaError
        Of type `error`, as `open_regular_file`; or if the file is larger, changes while
        it is read, does not fit into memory, or is a damaged gzip file.

    Examples
    --------
    >>> from causalgia.errors import SequenceError
    >>> read_bytes("/dev/zero", SequenceError)
    Traceback (most recent call last):
    ...
    causalgia.errors.SequenceError: /dev/zero: is a pipe or a device, not a file; write its contents into a file first
    """
    try:
        with open_regular_file(path, error) as file:
            size = check_size(file, path, error, most)
            data = file.read(size)
            if len(data) != size or os.fstat(file.fileno()).st_size != size:
                raise error(f"{path}: {CHANGED}")
        return (
            _gunzip(data, path, error, most)
            if unpack and data.startswith(_GZIP)
            else data
        )
    except MemoryError as reason:
        raise error(
            f"{path}: does not fit into the memory that is free; split the file"
        ) from reason


def read_text(
    path: str | PathLike[str], error: type[CausalgiaError], *, most: int = LARGEST_TEXT
) -> str:
    """Return the text of a UTF-8 file, without a byte-order mark and with every line
    end as a newline.

    Raises
    ------
    CausalgiaError
        Of type `error`, as `read_bytes`, or if it is not UTF-8.
    """
    data = read_bytes(path, error, most=most)
    if why := no_text(data[:HEAD_BYTES]):
        raise error(f"{path}: {why}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        raise error(
            f"{path}: not a text file in UTF-8 (byte {reason.start}); save it as UTF-8"
        ) from reason
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_toml(
    text: str, error: type[CausalgiaError], *, source: str = ""
) -> dict[str, Any]:
    """Return the table in a TOML text.

    Raises
    ------
    CausalgiaError
        Of type `error`, if it is not TOML (with the line), is nested deeper than 100
        levels, or contains a whole number beyond 64 bits, a control character or half a
        surrogate pair. The message begins with `source`.

    Examples
    --------
    >>> from causalgia.errors import DesignError
    >>> parse_toml("rng = 10000000000000000000", DesignError, source="trial.toml")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: trial.toml: rng = 10000000000000000000 is beyond 64 bits; whole numbers are below 2^63
    """
    place = f"{source}: " if source else ""
    for found in _DOTTED.finditer(
        text
    ):  # tomllib's time is at least quadratic in a key's parts
        if len(re.findall(_PART, found[0])) >= _DEEPEST:
            line = text.count("\n", 0, found.start()) + 1
            raise error(
                f"{place}line {line}: a dotted key is nested deeper than {_DEEPEST} "
                "levels; write it flat"
            )
    try:
        plain = tomllib.loads(text)
    except (RecursionError, ValueError) as reason:
        raise error(f"{place}not valid TOML: {_parse_failure(reason)}") from reason
    _check_plain(plain, error, place)
    return plain


def parse_json(
    text: str | bytes, error: type[CausalgiaError], *, source: str = ""
) -> Any:
    """Return the value in a JSON text.

    Raises
    ------
    CausalgiaError
        Of type `error`, as `parse_toml`.

    Examples
    --------
    >>> from causalgia.errors import DesignError
    >>> parse_json("[" * 100_000, DesignError, source="arms")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: arms: not valid JSON: nested deeper than 100 levels; write it flat
    """
    place = f"{source}: " if source else ""
    try:
        check_depth(text)
        plain = json.loads(text)
    except json.JSONDecodeError as reason:
        raise error(f"{place}not valid JSON: {reason}") from reason
    except (RecursionError, ValueError) as reason:
        raise error(f"{place}not valid JSON: {_parse_failure(reason)}") from reason
    _check_plain(plain, error, place)
    return plain


def check_depth(text: str | bytes) -> None:
    """Raise RecursionError for JSON of more than 100 open brackets, which `json` parses
    by recursion in C.

    Its own bound is the interpreter's limit of recursion, which other packages raise,
    and then the process dies.

    Examples
    --------
    >>> check_depth('{"words": [["ACGT"], ["[[[["]]}')
    >>> check_depth("[" * 101)
    Traceback (most recent call last):
    ...
    RecursionError: more than 100 open brackets
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    if text.count("[") + text.count("{") <= _DEEPEST:
        return
    depth = 0
    for token in _BRACKET_OR_STRING.finditer(text):
        depth += _STEP.get(token[0], 0)
        if depth > _DEEPEST:
            raise RecursionError(f"more than {_DEEPEST} open brackets")


def parse_int(text: str, error: type[CausalgiaError], *, source: str) -> int:
    """Return the whole number in a text: ASCII digits with optional sign, below 2^63.

    Raises
    ------
    CausalgiaError
        Of type `error`, if the text is anything else; the message begins with `source`.

    Examples
    --------
    >>> from causalgia.errors import SequenceError
    >>> parse_int("42", SequenceError, source="peaks.bed: line 1: start")
    42
    >>> parse_int("9" * 5_000, SequenceError, source="peaks.bed: line 1: start")
    Traceback (most recent call last):
    ...
    causalgia.errors.SequenceError: peaks.bed: line 1: start '999...' is beyond 64 bits; correct the line
    """
    found = text.strip()
    if _DIGITS.fullmatch(found) and -(2**63) <= int(found) < 2**63:
        return int(found)
    what = (
        "beyond 64 bits"
        if re.fullmatch(r"[+-]?[0-9]+", found, re.ASCII)
        else "not a whole number"
    )
    raise error(f"{source} {quoted(text)} is {what}; correct the line")


def inflate(data: bytes, error: type[CausalgiaError], *, source: str) -> bytes:
    """Decompress UTF-8 text compressed by zlib, within the bounds of `read_bytes`.

    Raises
    ------
    CausalgiaError
        Of type `error`, if the bytes are damaged, a bomb or not UTF-8; the message
        begins with `source`.

    Examples
    --------
    >>> from causalgia.errors import OutcomesError
    >>> inflate(zlib.compress(b"ACGT"), OutcomesError, source="design")
    b'ACGT'
    """
    packed, limit = zlib.decompressobj(), max(_FREE_BYTES, _UNPACKED_RATIO * len(data))
    try:
        text = packed.decompress(data, limit)
        text.decode()
    except (zlib.error, UnicodeDecodeError) as reason:
        raise error(f"{source} is damaged ({reason}); make it anew") from reason
    if not packed.eof:
        raise error(
            f"{source} is cut short, or unpacks to more than {limit:,} bytes; make it "
            "anew"
        )
    return text


def _gunzip(
    data: bytes, path: str | PathLike[str], error: type[CausalgiaError], most: int
) -> bytes:
    limit, size, blocks = (
        min(most, max(_FREE_BYTES, _UNPACKED_RATIO * len(data))),
        0,
        [],
    )
    try:
        with GzipFile(fileobj=BytesIO(data)) as file:
            while block := file.read(_BYTES_UNPACKED_AT_ONCE):
                blocks.append(block)
                size += len(block)
                if size > limit:
                    raise error(
                        f"{path}: {len(data):,} bytes of gzip unpack to more than "
                        f"{limit:,}; if that is meant, unpack the file with gunzip and "
                        "give what comes out"
                    )
    except (OSError, EOFError, zlib.error) as reason:
        raise error(
            f"{path}: the gzip file is cut short or damaged ({reason}); fetch it again "
            "(gzip -t checks it)"
        ) from reason
    return b"".join(blocks)


def _parse_failure(reason: Exception) -> str:
    if isinstance(reason, RecursionError):
        return f"nested deeper than {_DEEPEST} levels; write it flat"
    if type(reason) is ValueError:  # of int(), and not of the parser
        return "a whole number is beyond 64 bits; whole numbers are below 2^63"
    return str(reason)


def _check_plain(plain: object, error: type[CausalgiaError], place: str) -> None:
    """Raise for deep nesting, whole numbers beyond 64 bits and control characters,
    without recursion.
    """
    left: list[tuple[object, str, int]] = [(plain, "", 0)]
    while left:
        value, name, depth = left.pop()
        if isinstance(value, str):
            if found := _CONTROL.search(value):
                raise error(
                    f"{place}{name}{quoted(value)} holds the control character "
                    f"{quoted(found[0])}; leave it out"
                )
        elif isinstance(value, int):
            if not -(2**63) <= value < 2**63:
                raise error(
                    f"{place}{name}{quoted(value)} is beyond 64 bits; whole numbers "
                    "are below 2^63"
                )
        elif isinstance(value, dict | list):
            if depth == _DEEPEST:
                raise error(
                    f"{place}{name.rstrip('= ')} is nested deeper than {_DEEPEST} "
                    "levels; write it flat"
                )
            pairs = (
                value.items() if isinstance(value, dict) else (("", x) for x in value)
            )
            for key, x in pairs:
                if key and (found := _CONTROL.search(key)):
                    raise error(
                        f"{place}key {quoted(key)} holds the control character "
                        f"{quoted(found[0])}; leave it out"
                    )
                left.append((x, f"{key} = " if key else name, depth + 1))


def as_cell(text: str) -> str:
    r"""Return a text as a table cell: an apostrophe before formulas, escapes of
    unprintable characters and of ``;=``.

    `from_cell` restores any text.

    Examples
    --------
    >>> as_cell("=1+1"), as_cell("GATA1"), as_cell("'=1+1")
    ("'=1+1", 'GATA1', "''=1+1")
    >>> print(as_cell("\x1b[31mred\u202e"), as_cell(r"a\b"), as_cell(r"\x1b"))
    \x1b[31mred\u202e a\b \x5cx1b
    >>> print(as_cell("a;=1"), as_cell("a; -1"), as_cell("a;b"))
    a\x3b=1 a\x3b -1 a;b
    """
    plain = _ESCAPE.sub(lambda found: rf"\x5c{found[0][1:]}", text)
    if not plain.isprintable():
        plain = "".join(c if c.isprintable() else _escape(ord(c)) for c in plain)
    plain = _INNER_FORMULA.sub(r"\\x3b", plain)
    return f"'{plain}" if plain.lstrip(_BLANKS).startswith(_FORMULA) else plain


def from_cell(text: str) -> str:
    r"""Return the text of a cell from `as_cell`.

    Examples
    --------
    >>> [
    ...     from_cell(as_cell(text))
    ...     for text in ("=1+1", "GATA1", "'=1+1", "'quoted'", r"\x1b")
    ... ]
    ['=1+1', 'GATA1', "'=1+1", "'quoted'", '\\x1b']
    >>> from_cell(r"\u202e"), from_cell(r"C:\x41")
    ('\u202e', 'C:\\x41')
    """
    plain = (
        text[1:]
        if text.startswith("'") and text.lstrip(_BLANKS).startswith(_FORMULA)
        else text
    )
    return _ESCAPE.sub(_unescaped_character, plain)


def from_column(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of a table with `from_cell` applied to its texts."""
    if column.dtype.kind in "biufc":
        return column
    return column.map(
        {
            cell: from_cell(cell) if isinstance(cell, str) else cell
            for cell in column.unique()
        }
    )


def _escape(code: int) -> str:
    return (
        rf"\x{code:02x}"
        if code < 2**8
        else rf"\u{code:04x}"
        if code < 2**16
        else rf"\U{code:08x}"
    )


def _unescaped_character(found: re.Match[str]) -> str:
    """Return the character of an escape, or the escape itself if `as_cell` never
    escapes the character.
    """
    code = int(found[0][2:], 16)
    letter = chr(code) if code < 0x110000 else " "
    return letter if letter in "\\;" or not letter.isprintable() else found[0]


def as_pandas(table: Any) -> Any:
    """Return a table of another library, such as polars, as a DataFrame of pandas;
    anything else as it is.

    A table of another library has ``to_pandas()``, as `causalgia.from_frame` takes it.

    Raises
    ------
    OutcomesError
        If its ``to_pandas()`` needs a library that is not installed, or does not return
        a table.

    Examples
    --------
    >>> import pandas as pd
    >>> class Frame:
    ...     def to_pandas(self):
    ...         return pd.DataFrame({"effect": [1.0]})
    >>> as_pandas(Frame())["effect"].item(), as_pandas([1.0])
    (1.0, [1.0])
    """
    # Datasets and arrays of xarray have it as well
    if not hasattr(table, "to_pandas") or hasattr(table, "dims"):
        return table
    import pandas as pd

    name = type(table).__name__
    try:
        found = table.to_pandas()
    except ImportError as error:
        raise OutcomesError(
            f"to_pandas() of this {name} needs another library ({error}); install it, "
            "or give a DataFrame of pandas"
        ) from error
    except TypeError as error:  # the class, and not a table
        raise OutcomesError(
            f"to_pandas() of this {name} cannot be called ({error}); give a table"
        ) from error
    if not isinstance(found, pd.DataFrame | pd.Series):
        raise OutcomesError(
            f"to_pandas() of this {name} returned {type_in_words(found)}; give a "
            "DataFrame of pandas"
        )
    return found


def as_html(text: object) -> str:
    r"""Return a text of a user for a page: printable, and without a mark of HTML.

    Examples
    --------
    >>> as_html("<b>\x1b & 'GATA'")
    '&lt;b&gt;\\x1b &amp; &#x27;GATA&#x27;'
    """
    import html

    return html.escape(printable(str(text)))


def to_csv(table: pd.DataFrame, *, index: bool = True, tabs: bool = False) -> str:
    r"""Return a table as CSV (or tab-separated) text, with `as_cell` applied to texts
    in cells, index and header.

    Examples
    --------
    >>> import pandas as pd
    >>> to_csv(
    ...     pd.DataFrame({"arm": ["-GATA", "none"], "ace": [-1.5, 0.0]}), index=False
    ... )
    "arm,ace\n'-GATA,-1.5\nnone,0.0\n"
    """
    flat = table.reset_index() if index else table
    return (
        flat.map(_as_cell_if_text)
        .rename(columns=_as_cell_if_text)
        .to_csv(index=False, sep="\t" if tabs else ",")
    )


def _as_cell_if_text(value: Any) -> Any:
    return as_cell(value) if isinstance(value, str) else value


def rough_percent(share: float) -> str:
    """Return a share in per cent to two digits.

    Examples
    --------
    >>> rough_percent(0.00154), rough_percent(0.376), rough_percent(0.997)
    ('0.15 %', '38 %', '100 %')
    """
    return f"{float(f'{100 * share:.2g}'):g} %"


def cut_middle(name: str, most: int = 60) -> str:
    """Return a name of at most this many letters, of a longer one the beginning and the
    end, by which names of a list differ.

    Examples
    --------
    >>> cut_middle("GATA1"), cut_middle("chr1:1000:A>C", 10)
    ('GATA1', 'chr1:1…A>C')
    """
    if len(name) <= most:
        return name
    end = most // 3
    return f"{name[: most - end - 1]}…{name[-end:]}"


def wide(text: str) -> int:
    """Return the columns of a terminal that a text takes: letters of East Asian scripts
    take two, combining marks none.

    Examples
    --------
    >>> wide("GATA1"), wide("転写因子")
    (5, 8)
    """
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text
    )
