r"""Bounded reading of untrusted input (files, gzip, TOML, JSON, whole numbers),
escaping of its texts in tables, and files of a folder that are written all at once.

Each reader takes the type of error to raise and the source named in its messages.
Reading and recursion are bounded, and no other exception escapes.

Texts stand in tables as they are, but for unprintable characters (terminal escapes,
changes of writing direction, line ends), which are written as Python escapes, ``\x1b`` or
``\u202e``, and a backslash that would start such an escape, ``\x5c``. Reading a table with
this library restores the original text.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import tomllib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from gzip import GzipFile
from io import BytesIO
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO

from causalgia.errors import (
    CausalgiaError,
    DataError,
    printable,
    quoted,
    reason_of,
    type_in_words,
)

if TYPE_CHECKING:
    import pandas as pd

LEAST_P_SHOWN = 1e-4
"""Smaller p-values depend on assumptions that no trial can check."""


LARGEST = 2**33
"""Most bytes of a file read whole: 8 GiB, twice the human genome."""
LARGEST_TEXT = 2**26
"""Most bytes of TOML or JSON: 64 MiB."""
BYTES_A_READ = 2**24
"""Bytes read at a time from a file that may not fit in memory: 16 MiB."""
_FREE_BYTES = 2**27  # that packed data may unpack to, however few they are
_UNPACKED_RATIO = 20
_BYTES_UNPACKED_AT_ONCE = 2**22
_DEEPEST = 100
_GZIP = b"\x1f\x8b"
BGZIP_END = b"BC\2\0\x1b\0\3\0\0\0\0\0\0\0\0\0"
_NEW = ".causalgia-new"
_PART = r"""\.[ \t]*+(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_DOTTED = re.compile(rf"(?:{_PART}){{8,}}+")
_DIGITS = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_BRACKET_OR_STRING = re.compile(r'[][{}]|"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


@contextmanager
def open_regular_file(
    path: str | PathLike[str], error: type[CausalgiaError]
) -> Iterator[BinaryIO]:
    """Open a file for reading.

    Raises
    ------
    CausalgiaError
        Of type `error`, if the file is absent or cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            yield file
    except CausalgiaError:
        raise
    except FileNotFoundError as reason:
        raise error(f"{path}: no such file") from reason
    except (OSError, ValueError) as reason:
        raise error(f"{path}: cannot be read ({reason_of(reason)})") from reason


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
    causalgia.errors.SequenceError: path=5 is not the path of one file, such as 'peaks.fa'
    """
    if not isinstance(path, str | PathLike):
        raise error(
            f"path={quoted(path)} is not the path of one {what}, such as {quoted(example)}",
            argument="path",
        )


def not_written(
    path: str | PathLike[str], why: Exception, error: type[CausalgiaError]
) -> CausalgiaError:
    """Return the error of a file that cannot be written.

    Examples
    --------
    >>> full = OSError(28, "No space left on device")
    >>> print(not_written("trial.toml", full, CausalgiaError))
    trial.toml: cannot be written (No space left on device)
    """
    return error(f"{path}: cannot be written ({reason_of(why)})")


@contextmanager
def written_whole(folder: Path, replaced: Sequence[str] = ()) -> Iterator[Path]:
    """Give a new folder, whose files are moved to `folder` when the body of the context
    has ended, and take the place of its files of the same names and of `replaced`.

    After an error or an interrupt the folder is as it was.

    Examples
    --------
    >>> with TemporaryDirectory() as there:
    ...     folder = Path(there)
    ...     write_text(folder / "decisions.nc", "")
    ...     with written_whole(folder, ["decisions.nc"]) as new:
    ...         write_text(new / "estimates.nc", "")
    ...     [path.name for path in folder.iterdir()]
    ['estimates.nc']
    """
    new = folder / _NEW
    shutil.rmtree(new, ignore_errors=True)  # of a command that was killed
    with output_folder(folder):
        new.mkdir()
        try:
            yield new
            made = [path for path in new.rglob("*") if path.is_file()]
            names = [str(path.relative_to(new)) for path in made]
            for name in (*names, *replaced):
                if (folder / name).is_dir():
                    raise DataError(f"{folder / name} is a folder")
            for name in names:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (new / name).replace(folder / name)
            for name in set(replaced).difference(names):
                (folder / name).unlink(missing_ok=True)
        finally:
            shutil.rmtree(new, ignore_errors=True)


@contextmanager
def output_folder(folder: Path) -> Iterator[Path]:
    """Create a folder for the body of the context; on an error, remove created folders
    that are still empty.
    """
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        check_usable(folder)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except BaseException:
        with suppress(OSError):  # not empty
            for place in new:
                place.rmdir()
        raise


def check_usable(folder: Path) -> None:
    """Raise if a folder cannot be created or written to; leaves no trace.

    Raises
    ------
    DataError
        If a file is at the path, it has the name of a file, its name is too
        long, or it is not writable.

    Examples
    --------
    >>> check_usable(Path("/dev/null"))
    Traceback (most recent call last):
    ...
    causalgia.errors.DataError: /dev/null: no folder to write to (Not a directory)
    """
    try:
        there = next(
            place for place in (folder, *folder.absolute().parents) if place.exists()
        )
        with TemporaryDirectory(prefix=".causalgia-", dir=there):
            pass
    except OSError as error:
        raise DataError(
            f"{folder}: no folder to write to ({error.strerror})"
        ) from error


def write_text(path: Path, text: str | bytes) -> None:
    """Write a text file, from its text or the bytes that were read from it."""
    try:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    except OSError as error:
        raise not_written(path, error, DataError) from error


def separator_cure(names: Iterable[Any]) -> str:
    r"""Return how to read a file whose columns were not separated, as a clause to
    append; empty if no name of a column holds a tab or a semicolon.

    Examples
    --------
    >>> separator_cure(["effect;se"])
    "; its columns were not separated: read it with pandas.read_csv(path, sep=';')"
    >>> separator_cure(["effect", "se", None])
    ''
    """
    text = "".join(name for name in names if isinstance(name, str))
    for mark, shown in (("\t", "\\t"), (";", ";")):
        if mark in text:
            return (
                "; its columns were not separated: read it with "
                f"pandas.read_csv(path, sep='{shown}')"
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
            f"{path}: has {size:,} bytes, and at most {most:,} are read at once"
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
    """
    try:
        with open_regular_file(path, error) as file:
            size = check_size(file, path, error, most)
            data = file.read()
            if size and len(data) != size:
                raise error(f"{path}: was written to while it was read")
        return (
            _gunzip(data, path, error, most)
            if unpack and data.startswith(_GZIP)
            else data
        )
    except MemoryError as reason:
        raise error(f"{path}: does not fit into the memory that is free") from reason


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
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        raise error(
            f"{path}: not a text file in UTF-8 (byte {reason.start})"
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
                f"{place}line {line}: a dotted key is nested deeper than "
                f"{_DEEPEST} levels"
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
    causalgia.errors.DesignError: arms: not valid JSON: nested deeper than 100 levels
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
    causalgia.errors.SequenceError: peaks.bed: line 1: start ...
    """
    found = text.strip()
    if _DIGITS.fullmatch(found) and -(2**63) <= int(found) < 2**63:
        return int(found)
    what = (
        "beyond 64 bits"
        if re.fullmatch(r"[+-]?[0-9]+", found, re.ASCII)
        else "not a whole number"
    )
    raise error(f"{source} {quoted(text)} is {what}")


def inflate(data: bytes, error: type[CausalgiaError], *, source: str) -> bytes:
    """Decompress UTF-8 text compressed by zlib, within the bounds of `read_bytes`.

    Raises
    ------
    CausalgiaError
        Of type `error`, if the bytes are damaged, a bomb or not UTF-8; the message
        begins with `source`.

    Examples
    --------
    >>> from causalgia.errors import DataError
    >>> inflate(zlib.compress(b"ACGT"), DataError, source="design")
    b'ACGT'
    """
    packed, limit = zlib.decompressobj(), max(_FREE_BYTES, _UNPACKED_RATIO * len(data))
    try:
        text = packed.decompress(data, limit)
        text.decode()
    except (zlib.error, UnicodeDecodeError) as reason:
        raise error(f"{source} is damaged ({reason})") from reason
    if not packed.eof:
        raise error(f"{source} is cut short, or unpacks to more than {limit:,} bytes")
    return text


def _gunzip(
    data: bytes, path: str | PathLike[str], error: type[CausalgiaError], most: int
) -> bytes:
    limit, size, blocks = (
        min(most, max(_FREE_BYTES, _UNPACKED_RATIO * len(data))),
        0,
        [],
    )
    if data[3:4] + data[12:16] == b"\4BC\2\0" and not data.endswith(BGZIP_END):
        raise error(f"{path}: is cut short: a file of bgzip ends with an empty block")
    try:
        with GzipFile(fileobj=BytesIO(data)) as file:
            while block := file.read(_BYTES_UNPACKED_AT_ONCE):
                blocks.append(block)
                size += len(block)
                if size > limit:
                    raise error(
                        f"{path}: {len(data):,} bytes of gzip unpack to more than "
                        f"{limit:,}"
                    )
    except (OSError, EOFError, zlib.error) as reason:
        raise error(
            f"{path}: the gzip file is cut short or damaged ({reason})"
        ) from reason
    return b"".join(blocks)


def _parse_failure(reason: Exception) -> str:
    if isinstance(reason, RecursionError):
        return f"nested deeper than {_DEEPEST} levels"
    if type(reason) is ValueError:  # of int(), and not of the parser
        return "a whole number is beyond 64 bits"
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
                    f"{quoted(found[0])}"
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
                    "levels"
                )
            pairs = (
                value.items() if isinstance(value, dict) else (("", x) for x in value)
            )
            for key, x in pairs:
                if key and (found := _CONTROL.search(key)):
                    raise error(
                        f"{place}key {quoted(key)} holds the control character "
                        f"{quoted(found[0])}"
                    )
                left.append((x, f"{key} = " if key else name, depth + 1))


def as_cell(text: str) -> str:
    r"""Return a text as a table cell: escapes of unprintable characters, which
    `from_cell` restores.

    Examples
    --------
    >>> as_cell("=1+1"), as_cell("GATA1")
    ('=1+1', 'GATA1')
    >>> print(as_cell("\x1b[31mred\u202e"), as_cell(r"a\b"), as_cell(r"\x1b"))
    \x1b[31mred\u202e a\b \x5cx1b
    """
    plain = _ESCAPE.sub(lambda found: rf"\x5c{found[0][1:]}", text)
    if plain.isprintable():
        return plain
    return "".join(c if c.isprintable() else _escape(ord(c)) for c in plain)


def from_cell(text: str) -> str:
    r"""Return the text of a cell from `as_cell`.

    Examples
    --------
    >>> [from_cell(as_cell(text)) for text in ("GATA1", "'quoted'", r"\x1b")]
    ['GATA1', "'quoted'", '\\x1b']
    >>> from_cell(r"\u202e"), from_cell(r"C:\x41")
    ('\u202e', 'C:\\x41')
    """
    return _ESCAPE.sub(_unescaped_character, text)


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
    return letter if letter == "\\" or not letter.isprintable() else found[0]


def as_pandas(table: Any) -> Any:
    """Return a table of another library, such as polars, as a DataFrame of pandas;
    anything else as it is.

    A table of another library has ``to_pandas()``, as `causalgia.from_frame` takes it.

    Raises
    ------
    DataError
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
    except ImportError as error:  # polars without pyarrow
        if not hasattr(table, "to_dict"):
            raise DataError(
                f"to_pandas() of this {name} needs another library ({error})"
            ) from error
        found = pd.DataFrame(table.to_dict(as_series=False))
    except TypeError as error:  # the class, and not a table
        raise DataError(
            f"to_pandas() of this {name} cannot be called ({error})"
        ) from error
    if not isinstance(found, pd.DataFrame | pd.Series):
        raise DataError(
            f"to_pandas() of this {name} returned {type_in_words(found)}, not a "
            "DataFrame"
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
    r"""Return a table as CSV (or tab-separated) text, its texts as they are where they
    can be printed (`as_cell`).

    Examples
    --------
    >>> import pandas as pd
    >>> to_csv(
    ...     pd.DataFrame({"arm": ["-GATA", "none"], "ace": [-1.5, 0.0]}), index=False
    ... )
    'arm,ace\n-GATA,-1.5\nnone,0.0\n'
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


def format_share(share: float, digits: int = 0) -> str:
    """Return a share in per cent.

    Examples
    --------
    >>> format_share(0.5), format_share(0.1234, 1)
    ('50 %', '12.3 %')
    """
    return f"{100 * share:.{digits}f} %"


def format_p(p: float, *, exact: str = "", below: float | None = None) -> str:
    """Return a p-value for a reader: two significant digits, and ``<1e-4`` below that.

    Tails beyond 1e-4 depend on assumptions that no trial can check. Data files keep the
    number.

    Parameters
    ----------
    p
        The p-value, or another probability of error; "n/a" if it is NaN.
    exact
        What is printed for a 0 where nothing varies, so that it is no p-value.
    below
        The smallest probability other than 0 that the method can find (1 / draws),
        which a `p` of 0 is below.

    Examples
    --------
    >>> (
    ...     format_p(0.0312),
    ...     format_p(0.00027),
    ...     format_p(3.2e-41),
    ...     format_p(0.0, exact="exact"),
    ...     format_p(math.nan),
    ... )
    ('0.031', '0.00027', '<1e-4', 'exact', 'n/a')
    >>> format_p(0.0, below=1 / 4000)
    '<0.0003'
    """
    if math.isnan(p):
        return "n/a"
    if below and p == 0:
        return f"<{below:.1g}"
    if p < LEAST_P_SHOWN:
        return exact if exact and p == 0 else "<1e-4"
    return f"{p:#.2g}"


def p_clause(
    p: float, *, name: str = "p", exact: str = "", below: float | None = None
) -> str:
    """Return a p-value, or a probability of error of another `name`, as a clause of a
    sentence; see `format_p`.

    It is empty where nothing varies and there is no such probability.

    Examples
    --------
    >>> p_clause(0.0312), p_clause(3.2e-41), p_clause(0.012, name="q")
    ('p = 0.031', 'p < 1e-4', 'q = 0.012')
    """
    text = format_p(p, exact=exact, below=below)
    if text == exact:
        return ""
    return f"{name} < {text[1:]}" if text.startswith("<") else f"{name} = {text}"


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
