"""Bounded reading of untrusted input: files, gzip, TOML, JSON and whole numbers.

Each reader takes the type of error to raise and the source named in its messages. Reading and recursion are bounded,
and no other exception escapes.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import GzipFile
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

from causalgia.errors import CausalgiaError, quoted, reason_of

LARGEST = 2**33
"""Most bytes of a file read whole: 8 GiB, twice the human genome."""
LARGEST_TEXT = 2**26
"""Most bytes of TOML or JSON: 64 MiB."""
CHANGED = "was written to while it was read; read it again when it is whole"
_FREE, _RATIO = 2**27, 20
_BLOCK = 2**22
_DEEPEST = 100
_GZIP = b"\x1f\x8b"
_PART = r"""\.[ \t]*+(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_DOTTED = re.compile(rf"(?:{_PART}){{8,}}+")
_DIGITS = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_BRACKET_OR_STRING = re.compile(r'[][{}]|"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@contextmanager
def open_regular_file(path: str | PathLike[str], error: type[CausalgiaError]) -> Iterator[BinaryIO]:
    """Open a regular file for reading; raise for a pipe, device, folder or file of /proc, without blocking.

    Raises
    ------
    CausalgiaError
        Of type `error`, if the file is absent, not a regular file, or unreadable.
    """
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError as reason:
        raise error(f"{path}: no such file; check the path (the working folder is {Path.cwd()})") from reason
    except (OSError, ValueError) as reason:
        raise error(f"{path}: cannot be read ({reason_of(reason)}); check the path and its permissions") from reason
    mode = os.fstat(number).st_mode
    if stat.S_ISDIR(mode):
        os.close(number)
        raise error(f"{path}: is a folder; give the path of one file")
    with os.fdopen(number, "rb") as file:
        try:
            if not stat.S_ISREG(mode) or _is_system_file(file):
                raise error(f"{path}: is a pipe or a device, not a file; write its contents into a file first")
            yield file
        except OSError as reason:
            raise error(f"{path}: cannot be read ({reason_of(reason)}); check the path and its permissions") from reason


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
        raise error(f"{path}: is a pipe or a device, not a file; write into a file, and give that to what reads")


def _is_system_file(file: BinaryIO) -> bool:
    """Return whether a file of size 0 has content, like files in /proc, some of which never end."""
    return os.fstat(file.fileno()).st_size == 0 and file.read(1) != b""


def check_size(file: BinaryIO, path: str | PathLike[str], error: type[CausalgiaError], most: int = LARGEST) -> int:
    """Return the size of an open file in bytes; raise `error` if it is larger than `most`."""
    size = os.fstat(file.fileno()).st_size
    if size > most:
        raise error(f"{path}: has {size:,} bytes, and at most {most:,} are read at once; split the file")
    return size


def read_bytes(
    path: str | PathLike[str], error: type[CausalgiaError], *, most: int = LARGEST, unpack: bool = False
) -> bytes:
    """Return the bytes of a file of at most `most` bytes; with `unpack`, decompress a gzip file.

    A gzip file is recognized by its first two bytes. One that unpacks to more than 128 MiB and more than twenty times
    its size is refused as a decompression bomb.

    Raises
    ------
    CausalgiaError
        Of type `error`, as `open_regular_file`; or if the file is larger, changes while it is read, does not fit into
        memory, or is a damaged gzip file.

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
        return _gunzip(data, path, error, most) if unpack and data.startswith(_GZIP) else data
    except MemoryError as reason:
        raise error(f"{path}: does not fit into the memory that is free; split the file") from reason


def read_text(path: str | PathLike[str], error: type[CausalgiaError], *, most: int = LARGEST_TEXT) -> str:
    """Return the text of a UTF-8 file, without a byte-order mark and with every line end as a newline.

    Raises
    ------
    CausalgiaError
        Of type `error`, as `read_bytes`, or if it is not UTF-8.
    """
    data = read_bytes(path, error, most=most)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        raise error(f"{path}: not a text file in UTF-8 (byte {reason.start}); save it as UTF-8") from reason
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_toml(text: str, error: type[CausalgiaError], *, source: str = "") -> dict[str, Any]:
    """Return the table in a TOML text.

    Raises
    ------
    CausalgiaError
        Of type `error`, if it is not TOML (with the line), is nested deeper than 100 levels, or contains a whole number
        beyond 64 bits, a control character or half a surrogate pair. The message begins with `source`.

    Examples
    --------
    >>> from causalgia.errors import DesignError
    >>> parse_toml("rng = 10000000000000000000", DesignError, source="trial.toml")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: trial.toml: rng = 10000000000000000000 is beyond 64 bits; whole numbers are below 2^63
    """
    place = f"{source}: " if source else ""
    for found in _DOTTED.finditer(text):  # tomllib's time is at least quadratic in a key's parts
        if len(re.findall(_PART, found[0])) >= _DEEPEST:
            line = text.count("\n", 0, found.start()) + 1
            raise error(f"{place}line {line}: a dotted key is nested deeper than {_DEEPEST} levels; write it flat")
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError as reason:
        what, _, where = str(reason).rpartition(" (at ")
        at = f"{where.rstrip(')')}: " if what else ""
        raise error(f"{place}{at}not valid TOML: {what or reason}") from reason
    except (RecursionError, ValueError) as reason:
        raise error(f"{place}not valid TOML: {_parse_failure(reason)}") from reason
    _check_plain(plain, error, place)
    return plain


def parse_json(text: str | bytes, error: type[CausalgiaError], *, source: str = "") -> Any:
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
    """Raise RecursionError for JSON of more than 100 open brackets, which `json` parses by recursion in C.

    Its own bound is the interpreter's limit of recursion, which other packages raise, and then the process dies.

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
    what = "beyond 64 bits" if re.fullmatch(r"[+-]?[0-9]+", found, re.ASCII) else "not a whole number"
    raise error(f"{source} {quoted(text)} is {what}; correct the line")


def inflate(data: bytes, error: type[CausalgiaError], *, source: str) -> bytes:
    """Decompress UTF-8 text compressed by zlib, within the bounds of `read_bytes`.

    Raises
    ------
    CausalgiaError
        Of type `error`, if the bytes are damaged, a bomb or not UTF-8; the message begins with `source`.

    Examples
    --------
    >>> from causalgia.errors import OutcomesError
    >>> inflate(zlib.compress(b"ACGT"), OutcomesError, source="design")
    b'ACGT'
    """
    packed, limit = zlib.decompressobj(), max(_FREE, _RATIO * len(data))
    try:
        text = packed.decompress(data, limit)
        text.decode()
    except (zlib.error, UnicodeDecodeError) as reason:
        raise error(f"{source} is damaged ({reason}); make it anew") from reason
    if not packed.eof:
        raise error(f"{source} is cut short, or unpacks to more than {limit:,} bytes; make it anew")
    return text


def _gunzip(data: bytes, path: str | PathLike[str], error: type[CausalgiaError], most: int) -> bytes:
    limit, size, blocks = min(most, max(_FREE, _RATIO * len(data))), 0, []
    try:
        with GzipFile(fileobj=BytesIO(data)) as file:
            while block := file.read(_BLOCK):
                blocks.append(block)
                size += len(block)
                if size > limit:
                    raise error(
                        f"{path}: {len(data):,} bytes of gzip unpack to more than {limit:,}; if that is meant, unpack "
                        "the file with gunzip and give what comes out"
                    )
    except (OSError, EOFError, zlib.error) as reason:
        raise error(
            f"{path}: the gzip file is cut short or damaged ({reason}); fetch it again (gzip -t checks it)"
        ) from reason
    return b"".join(blocks)


def _parse_failure(reason: Exception) -> str:
    if isinstance(reason, RecursionError):
        return f"nested deeper than {_DEEPEST} levels; write it flat"
    if "digits" in str(reason):
        return "a whole number is beyond 64 bits; whole numbers are below 2^63"
    return str(reason)


def _check_plain(plain: object, error: type[CausalgiaError], place: str) -> None:
    """Raise for deep nesting, whole numbers beyond 64 bits and control characters, without recursion."""
    left: list[tuple[object, str, int]] = [(plain, "", 0)]
    while left:
        value, name, depth = left.pop()
        if isinstance(value, str):
            if found := _CONTROL.search(value):
                raise error(
                    f"{place}{name}{quoted(value)} holds the control character {quoted(found[0])}; leave it out"
                )
        elif isinstance(value, int):
            if not -(2**63) <= value < 2**63:
                raise error(f"{place}{name}{quoted(value)} is beyond 64 bits; whole numbers are below 2^63")
        elif isinstance(value, dict | list):
            if depth == _DEEPEST:
                raise error(f"{place}{name.rstrip('= ')} is nested deeper than {_DEEPEST} levels; write it flat")
            pairs = value.items() if isinstance(value, dict) else (("", x) for x in value)
            for key, x in pairs:
                if key and (found := _CONTROL.search(key)):
                    raise error(
                        f"{place}key {quoted(key)} holds the control character {quoted(found[0])}; leave it out"
                    )
                left.append((x, f"{key} = " if key else name, depth + 1))
