"""Errors and warnings of the library; all errors derive from `CausalgiaError`.

::

    CausalgiaError          the root
    ├── SequenceError       letters, FASTA, BED, motif files; also a ValueError
    ├── DesignError         null models, interventions, arms, oligo libraries, trial files; also a ValueError
    ├── PredictorError      a network's shapes, tasks and answers, and maps of it; also a ValueError
    ├── DataError           a Dataset or table that is not what the verb takes; also a ValueError
    ├── EstimateError       a contrast, estimate, posterior or verdict that the data cannot give; also a ValueError
    ├── StoreError          a trial or a lock on disk, and the workers that write it; also an OSError
    └── MissingExtraError   an optional package is not installed; also an ImportError

    CausalgiaWarning        the root of the warnings; also a UserWarning
    ├── DegenerateWarning   the answer stands, but the data or the draws are at a limit of the method
    ├── FallbackWarning     another way than the one asked for, with the same numbers
    └── ExploratoryWarning  differs from the analysis fixed before the outcomes were seen
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from itertools import takewhile

__all__ = [
    "CausalgiaError",
    "CausalgiaWarning",
    "DataError",
    "DegenerateWarning",
    "DesignError",
    "EstimateError",
    "ExploratoryWarning",
    "FallbackWarning",
    "MissingExtraError",
    "PredictorError",
    "SequenceError",
    "StoreError",
]

NAMES_LISTED = 12
"""Names that a warning or a refusal lists before it counts the others."""
NAMES_SHOWN = 3
"""Names (rows, places, findings) that a sentence lists before it counts the others."""
_QUOTED_LETTERS = 80
_LETTERS_BEFORE_CHANGE = 24  # shown of two texts that begin alike
_LONGEST_PATH = 4_096  # of Linux
_AFTER_AN = re.compile(r"(?i)(?!uni|use)[aeioux]|ndarray")
_TYPES_IN_WORDS = {
    "NoneType": "None",
    "builtin_function_or_method": "a function",
    "bytes": "bytes",
}


def printable(text: str) -> str:
    r"""Return a text safe for terminals: unprintable characters are escaped, except
    line ends and tabs.

    Examples
    --------
    >>> print(printable("\x1b[31mred\ud800"))
    \x1b[31mred\ud800
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode()
        for c in text
    )


def reason_of(error: BaseException) -> object:
    """Return why a file cannot be used: the system's words, without the number and the
    path, or the error itself.

    Examples
    --------
    >>> (
    ...     reason_of(OSError(28, "No space left on device", "x.nc")),
    ...     str(reason_of(ValueError("embedded null byte"))),
    ... )
    ('No space left on device', 'embedded null byte')
    """
    return getattr(error, "strerror", None) or error


_PACKAGES = {
    "torch": "torch safetensors",
    "keras": "keras torch",
    "nutpie": "nutpie",
    "onnx": "onnx onnxruntime onnxscript",
    "networks": "pooch",
    "jaspar": "pyjaspar",
    "attribution": "pyjaspar hdf5plugin memelite tangermeme",
    "modisco": "modisco-lite",
    "genome": "pysam",
    "bigwig": "pyBigWig",
    "dask": "cloudpickle distributed",
}
"""Extra -> the packages that it brings, by their own names."""


def install_command(extra: str) -> str:
    """Return the command that installs the packages of an extra.

    Examples
    --------
    >>> install_command("torch")
    'pip install torch safetensors'
    """
    return f"pip install {_PACKAGES[extra]}"


def message_line(error: BaseException) -> str:
    r"""Return the message of an exception as one line, or its type if it has none.

    Examples
    --------
    >>> message_line(ValueError("missing keys:\n  a\n  b")), message_line(KeyError())
    ('missing keys: a b', 'KeyError')
    """
    words = (word for line in _lines_of(error) for word in line.split())
    return " ".join(words) or type(error).__name__


def first_words(error: BaseException) -> str:
    r"""Return the first line of the message of an exception of another library, or its
    type if it has none.

    Examples
    --------
    >>> first_words(ValueError("cannot be read\n in detail")), first_words(KeyError())
    ('cannot be read', 'KeyError')
    """
    return (_lines_of(error) or [type(error).__name__])[0]


def quoted(value: object) -> str:
    r"""Return the repr of a value for a message: escaped, in one line of at most 80
    characters; numpy scalars as Python numbers.

    Examples
    --------
    >>> quoted("\x1b[31m"), len(quoted("A" * 5_000))
    ("'\\x1b[31m'", 80)
    >>> import numpy as np
    >>> quoted(np.float64(0.9)), quoted(np.array(0.9)), quoted(np.eye(2))
    ('0.9', 'array(0.9)', 'array([[1., 0.], [0., 1.]])')
    """
    value = _without_numpy(value)
    try:
        words = printable(repr(value))
        if "\n" in words:  # of an array, or of a table
            words = " ".join(words.split())
        return _cut(words, _QUOTED_LETTERS)
    except ValueError:  # Python converts no int of more than 4,300 digits
        return f"{type_in_words(value)} with more digits than can be written"
    except RecursionError:
        return f"{type_in_words(value)} nested too deeply to be written"


def quoted_path(path: object) -> str:
    """Return a path as Python writes it, whole, because it is copied from a message.

    Examples
    --------
    >>> len(quoted_path("a/" * 100 + "net.pt"))
    208
    """
    return _cut(printable(repr(str(path))), _LONGEST_PATH)


def with_article(noun: str) -> str:
    """Return a noun or the name of a class after its indefinite article, as it is
    spoken.

    Examples
    --------
    >>> ", ".join(map(with_article, ["arm", "unit", "Uniform", "int", "ndarray"]))
    'an arm, a unit, a Uniform, an int, an ndarray'
    """
    return f"{'an' if _AFTER_AN.match(noun) else 'a'} {noun}"


def type_in_words(value: object) -> str:
    """Return what a value is, for a message that refuses its type.

    Examples
    --------
    >>> ", ".join(map(type_in_words, [[0.1], 3, None, dict, len, type_in_words]))
    'a list, an int, None, the class dict, a function, a function'
    """
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    return _TYPES_IN_WORDS.get(name) or with_article(name)


def quoted_if_commas(names: Iterable[object]) -> list[str]:
    """Return names for a list separated by commas: each in quotes if one of them has a
    comma itself.
    """
    texts = [str(name) for name in names]
    return list(map(quoted, texts)) if any("," in text for text in texts) else texts


def first_of(
    texts: Iterable[str],
    most: int,
    *,
    sep: str = ", ",
    n: int | None = None,
    thing: str = "",
) -> str:
    """Return the first texts of a list, and how many more there are; `n` is the number of
    all where only the first are given.

    Examples
    --------
    >>> first_of(["GATA1", "CTCF", "TAL1"], 2)
    'GATA1, CTCF and 1 more'
    >>> first_of(["GATA1", "CTCF"], 2)
    'GATA1, CTCF'
    >>> first_of(["a is 1", "b is 2"], 2, sep="; ", n=1_002, thing="task")
    'a is 1; b is 2; and 1,000 more tasks'
    """
    listed = list(texts)
    shown = listed[:most]
    left = (len(listed) if n is None else n) - len(shown)
    if left <= 0:
        return sep.join(shown)
    things = thing and f" {thing}{'s' * (left > 1)}"
    return f"{sep.join(shown)}{';' * (sep == '; ')} and {left:,} more{things}"


def comma_list(names: Iterable[object]) -> str:
    """Return names separated by commas, as `quoted_if_commas` writes them; of many the
    first, and how many more there are.

    Examples
    --------
    >>> comma_list(f"track {k}" for k in range(3_000)).partition("track 11")[1:]
    ('track 11', ' and 2,988 more')
    >>> print(
    ...     comma_list(["GATA1", "CTCF"]),
    ...     "|",
    ...     comma_list(["GATA1", "GATA1, core broken"]),
    ... )
    GATA1, CTCF | 'GATA1', 'GATA1, core broken'
    """
    return first_of(quoted_if_commas(names), NAMES_LISTED)


def quoted_apart(one: object, other: object) -> tuple[str, str]:
    """Return the quoted reprs of two different values; long ones start just before the
    difference.

    Examples
    --------
    >>> quoted_apart("p0", "p1")
    ("'p0'", "'p1'")
    >>> quoted_apart("conv 1; " * 40 + "relu", "conv 1; " * 40 + "gelu; linear")
    ("...onv 1; conv 1; conv 1; relu'", "...onv 1; conv 1; conv 1; gelu; linear'")
    """
    texts = [printable(repr(value)) for value in (one, other)]
    if all(len(text) <= _QUOTED_LETTERS for text in texts):
        return quoted(one), quoted(other)
    n_same = sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False))
    )
    start = max(n_same - _LETTERS_BEFORE_CHANGE, 0)
    before, room = ("...", _QUOTED_LETTERS - 3) if start else ("", _QUOTED_LETTERS)
    parts = [text[start:] for text in texts]
    first, second = (
        before + (part if len(part) <= room else f"{part[: room - 3]}...")
        for part in parts
    )
    return first, second


def one_line(error: BaseException) -> str:
    r"""Return an exception as one line: its type and at most 500 characters of its
    message.

    Examples
    --------
    >>> one_line(ValueError("missing keys:\n  a\n  b"))
    'ValueError: missing keys: a b'
    """
    kind, text = type(error).__name__, message_line(error)
    return kind if text == kind else f"{kind}: {text[:500]}"


def first_line(error: BaseException) -> str:
    """Return an exception as one short line: its type and the first line of its
    message.
    """
    kind, text = type(error).__name__, first_words(error)
    return kind if text == kind else f"{kind}: {text[:300]}"


def _lines_of(error: BaseException) -> list[str]:
    """Return the lines of the message of an exception; none if its `__str__` fails."""
    try:
        text = str(error)
    except Exception:
        return []
    return text.strip().splitlines()


def _cut(text: str, most: int) -> str:
    """Return a text of at most `most` characters, cut in the middle."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 3]}...{text[-end:]}"


def _without_numpy(value: object) -> object:
    """Return a scalar of NumPy as the number or text of Python, and any other value, as
    an array of one number, as it is.
    """
    kind = type(value)
    scalar = kind.__module__ == "numpy" and getattr(value, "shape", None) == ()
    return value.item() if scalar and kind.__name__ != "ndarray" else value  # type: ignore[attr-defined]


class CausalgiaError(Exception):
    """Base class of all errors of this library.

    Attributes
    ----------
    argument
        The argument that is refused; empty if the error is not of one.

    Examples
    --------
    >>> error = DesignError(
    ...     "n_units=0 is not a whole number from 1", argument="n_units"
    ... )
    >>> print(error)
    n_units=0 is not a whole number from 1
    >>> error.argument
    'n_units'
    """

    def __init__(self, message: str = "", *, argument: str = "") -> None:
        super().__init__(message)
        self.argument = argument


class SequenceError(CausalgiaError, ValueError):
    """Sequences, sequence files or motifs that cannot be read."""


class DesignError(CausalgiaError, ValueError):
    """A null model, intervention, arm, oligo library or trial file that cannot be carried
    out.
    """


class PredictorError(CausalgiaError, ValueError):
    """A predictor whose answers cannot be used as outcomes, or a map that does not add
    up to the answers that it explains.
    """


class DataError(CausalgiaError, ValueError):
    """A Dataset, a table or counts that are not what the verb takes."""


class EstimateError(CausalgiaError, ValueError):
    """A contrast, standard error, posterior or verdict that the data cannot give."""


class StoreError(CausalgiaError, OSError):
    """A trial or a lock on disk that cannot be begun, continued or read, or workers that
    are missing or lost.
    """


class MissingExtraError(CausalgiaError, ImportError):
    """An optional package is not installed."""


class CausalgiaWarning(UserWarning):
    """Base class of all warnings of this library."""


class DegenerateWarning(CausalgiaWarning):
    """The answer stands, but the data or the draws are at a limit of the method: few
    distinct sequences or clusters, no spread, skewed effects, an improbable prior, an
    order of contrasts that depends on the null model.
    """


class FallbackWarning(CausalgiaWarning):
    """The answer was found in another way than asked: by the slower, exact method, or
    by computing damaged parts of a store again.
    """


class ExploratoryWarning(CausalgiaWarning):
    """The analysis differs from the one fixed before the outcomes were seen: results
    are exploratory.
    """


def caller_stacklevel() -> int:
    """Return the stack level of the first caller outside this package, torch, xarray's
    pipe and numpy's errstate, for warnings.
    """
    level, frame = 2, sys._getframe(2)
    while frame.f_back is not None and str(
        frame.f_globals.get("__name__", "")
    ).startswith(("causalgia.", "numpy.", "xarray.", "torch.")):
        level, frame = level + 1, frame.f_back
    return level
