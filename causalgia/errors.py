"""Errors and warnings of the library; all errors derive from `CausalgiaError`.

::

    Exception
    └── CausalgiaError                 the root; every message names the cause and the cure
        ├── SequenceError              letters, FASTA, BED, motif files
        ├── DesignError                null models, interventions, arms, assignment, trial.toml
        ├── ArgumentError              an argument that a function has not, or lacks; also a TypeError
        ├── RandomnessError            an rng= that is no source of randomness; also a TypeError
        ├── PredictorError             shapes, tasks, answers that depend on batch mates
        │   └── NonFiniteError         an answer that is NaN or infinite, with its row and task; in `causalgia.predict`
        ├── AttributionError           a map that cannot be made, or does not add up to the answers it explains
        ├── OutcomesError              a Dataset or table that is not what the verb takes
        ├── ContrastError              unknown control, weights that do not sum to zero, impossible scale
        ├── EstimateError              a standard error, band or sample size that the data cannot give
        │   └── NoSlopeError           x that do not vary beyond their errors; in `causalgia.estimation.lines`
        ├── InferenceError             effects, a covariance or a prior that give no posterior
        ├── ConvergenceError           draws that have not converged; also a RuntimeError
        ├── DecisionError              a verdict without a region of practical equivalence, or with an impossible one
        ├── LibraryError               an oligo library that cannot be made, written or ordered as asked
        ├── CountsError                barcode counts that cannot be read, or do not belong to the library
        ├── ProtocolError              a lock that is damaged, exists already or cannot be read
        ├── StoreError                 a trial on disk that is another's, damaged, of another version, or not writable
        ├── ClusterError               workers that are none, lost, or cannot be sent the predictor; also a RuntimeError
        ├── TrialInterruptedError      Ctrl-C in a stored trial; says how to go on; also a KeyboardInterrupt
        └── MissingExtraError          an optional package is not installed (names the extra)

    UserWarning
    └── CausalgiaWarning               the root of the warnings
        ├── DegenerateWarning          few distinct sequences, constant predictor, zero spread, one unit
        ├── FewClustersWarning         fewer than 20 clusters: intervals may cover less than they say
        ├── ClusterSizeWarning         effects depend on cluster size: the means over units and over clusters differ
        ├── SkewnessWarning            effects too skewed for a test that assumes symmetry
        ├── BarcodeNoiseWarning        barcodes of an arm differ, but the method counts only replicate noise
        ├── PriorConflictWarning       the effects are improbable under the prior
        ├── ConvergenceWarning         draws that have not converged, accepted by the caller
        ├── NullModelWarning           the order of the effects depends on the null model
        ├── FallbackWarning            a faster method is not available: the exact, slower one is used
        ├── DamageWarning              damaged parts of a stored trial, which are recomputed
        └── ExploratoryWarning         differs from the analysis fixed before the outcomes were seen
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeAlias

from causalgia.mentions import NOT_GIVEN, Mention, plain, with_mentions

__all__ = [
    "ArgumentError",
    "AttributionError",
    "BarcodeNoiseWarning",
    "CausalgiaError",
    "CausalgiaWarning",
    "ClusterError",
    "ClusterSizeWarning",
    "ContrastError",
    "ConvergenceError",
    "ConvergenceWarning",
    "CountsError",
    "DamageWarning",
    "DecisionError",
    "DegenerateWarning",
    "DesignError",
    "EstimateError",
    "ExploratoryWarning",
    "FallbackWarning",
    "FewClustersWarning",
    "InferenceError",
    "LibraryError",
    "MissingExtraError",
    "NullModelWarning",
    "OutcomesError",
    "PredictorError",
    "PriorConflictWarning",
    "ProtocolError",
    "RandomnessError",
    "SequenceError",
    "SkewnessWarning",
    "StoreError",
    "TrialInterruptedError",
]

NAMES_SHOWN = 3
"""Names (rows, places, findings) that a sentence lists before it counts the others."""
_QUOTED_LETTERS = 80
_MESSAGE_LETTERS = 2_000
_LETTERS_BEFORE_CHANGE = 24  # shown of two texts that begin alike
_AFTER_AN = re.compile(r"(?i)(?!uni|use)[aeioux]|ndarray")
_TYPES_IN_WORDS = {
    "NoneType": "None",
    "builtin_function_or_method": "a function",
    "bytes": "bytes",
}
_LONG_WORD = re.compile(rf"[^\s/]{{{_QUOTED_LETTERS + 1},}}")


def __dir__() -> list[str]:
    return sorted(__all__)


if not TYPE_CHECKING:  # which would take any name

    def __getattr__(name: str) -> object:
        import difflib
        import sys

        near = (
            []
            if name.startswith("_")
            else difflib.get_close_matches(name, __all__, n=1)
        )
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}{hint}",
            obj=sys.modules[__name__],
        )


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


def install_command(extra: str) -> str:
    """Return the command that installs an extra, and how it is written in a clone.

    Examples
    --------
    >>> install_command("torch")
    "pip install 'causalgia[torch]' (in a clone: pip install '.[torch]')"
    """
    return f"pip install 'causalgia[{extra}]' (in a clone: pip install '.[{extra}]')"


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


class ArgumentOf(str):
    """A place in a message: an argument of a class, ``Genomic(of=...)``.

    Examples
    --------
    >>> ArgumentOf("Genomic", "of"), ArgumentOf("Genomic", "of").argument
    ('Genomic(of=...)', 'of')
    """

    owner: str
    argument: str

    def __new__(cls, owner: str, argument: str) -> ArgumentOf:
        place = super().__new__(cls, f"{owner}({argument}=...)")
        place.owner, place.argument = owner, argument
        return place

    def __reduce__(self) -> tuple[type[ArgumentOf], tuple[str, str]]:
        return type(self), (self.owner, self.argument)


def shell_word(value: object) -> str:
    """Return a path or name as one word of a command that can be pasted into a shell.

    Examples
    --------
    >>> shell_word("results"), shell_word("my results")
    ('results', "'my results'")
    """
    import shlex

    return shlex.quote(str(value))


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


_LONGEST_PATH = 4_096  # of Linux


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


def comma_list(names: Iterable[object]) -> str:
    """Return names separated by commas, as `quoted_if_commas` writes them.

    Examples
    --------
    >>> print(
    ...     comma_list(["GATA1", "CTCF"]),
    ...     "|",
    ...     comma_list(["GATA1", "GATA1, core broken"]),
    ... )
    GATA1, CTCF | 'GATA1', 'GATA1, core broken'
    """
    return ", ".join(quoted_if_commas(names))


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


def as_message(text: object) -> str:
    r"""Return the text of a message, safe for terminals, with words of at most 80
    characters, 2,000 in all.

    A long message is cut in the middle, because the cause is at the beginning and the
    cure at the end. Slashes separate words, so that paths stay whole.

    Examples
    --------
    >>> as_message("no arm " + "x" * 5_000 + "; \x1b[31mrename it")
    'no arm xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxx; \\x1b[31mrename it'
    """
    words = _LONG_WORD.sub(
        lambda found: _cut(found[0], _QUOTED_LETTERS), printable(str(text))
    )
    return _cut(words, _MESSAGE_LETTERS)


def _cut(text: str, most: int) -> str:
    """Return a text of at most `most` characters, cut in the middle."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 3]}...{text[-end:]}"


class ShortNumber(float):
    """A number that messages write without the rounding of its last digit.

    Examples
    --------
    >>> ShortNumber(-1), ShortNumber(0.1 + 0.2)
    (-1, 0.3)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{float(self):.15g}"


class _Written(str):
    """The text that stands for a value which is not plain."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Setting:
    """An argument in a message, with a value or without one.

    The command line writes it as an option or as a key of the trial file.

    Examples
    --------
    >>> print(
    ...     Setting("rope", (-0.1, 0.1)),
    ...     Setting("store"),
    ...     Setting("rng", 0, in_toml=True),
    ...     Setting("store", in_toml=True),
    ... )
    rope=(-0.1, 0.1) store= rng = 0 store
    """

    name: str
    value: object = NOT_GIVEN
    in_toml: bool = False

    def __str__(self) -> str:
        if self.value is NOT_GIVEN:
            return self.name if self.in_toml else f"{self.name}="
        equals = " = " if self.in_toml else "="
        plain = self.value
        if self.in_toml and isinstance(plain, tuple):
            plain = list(plain)
        return f"{self.name}{equals}{quoted(plain)}"


Part: TypeAlias = "str | Setting | BaseException"
Parts: TypeAlias = "Part | tuple[Part, ...]"
_FIELDS = (
    *("argument", "value", "need", "cure", "example", "then", "places", "code"),
    "in_toml",
)
_MOST_VALUES = 100


def _parts(parts: Parts) -> tuple[Part, ...]:
    """Return parts without marks: each mention in a text is a part of its own."""
    given = parts if isinstance(parts, tuple) else (parts,)
    return tuple(
        one
        for part in given
        for one in (
            with_mentions(part)
            if isinstance(part, str) and not isinstance(part, Mention)
            else (part,)
        )
    )


def _flat(parts: tuple[Part, ...]) -> list[str | Setting]:
    """Return parts with those of an error in its place."""
    flat: list[str | Setting] = []
    for part in parts:
        if isinstance(part, CausalgiaError):
            flat += part.parts
        else:
            flat.append(part if isinstance(part, str | Setting) else str(part))
    return flat


def _message_parts(message: object) -> tuple[Part, ...]:
    text = str(message)
    if len(text) > 2 * _MESSAGE_LETTERS:  # an error holds no long text
        text = as_message(plain(text))
    return _parts(text)


def _plain(value: object) -> object:
    """Return a value of plain Python as it is, and any other as the text that messages
    have of it, so that an error holds no data and can be sent to another process.
    """
    value = _without_numpy(value)
    return value if _is_plain(value) else _Written(quoted(value))


def _without_numpy(value: object) -> object:
    """Return a scalar of NumPy as the number or text of Python, and any other value, as
    an array of one number, as it is.
    """
    kind = type(value)
    scalar = kind.__module__ == "numpy" and getattr(value, "shape", None) == ()
    return value.item() if scalar and kind.__name__ != "ndarray" else value  # type: ignore[attr-defined]


def _is_plain(value: Any, depth: int = 3) -> bool:
    """Return whether a value is a number, a text, or a short tuple, list or mapping of
    such.
    """
    kind = type(value)
    if value is None or kind in (bool, int, float, str, *(ShortNumber, _Written)):
        return True
    if kind not in (tuple, list, dict) or len(value) > _MOST_VALUES or not depth:
        return value is NOT_GIVEN
    inner = [*value, *value.values()] if kind is dict else value
    return all(_is_plain(one, depth - 1) for one in inner)


class CausalgiaError(Exception):
    """Base class of all errors of this library; `as_message` escapes and shortens their
    messages.

    The message is made from fields, in Python with the words of Python, and in the
    shell with those of the shell: ``argument=value need; cure; for example
    argument=example``, after the places where it happened.

    Attributes
    ----------
    argument
        The argument that is refused; empty if the error is not of one.
    value
        Its value; one that is not plain Python (an array, a Dataset) as text.
    need
        What is wrong, or what is needed.
    cure
        What to do about it, after a semicolon.
    then
        What an outer function adds to the end.
    example
        A value that is accepted.
    places
        Where it happened, the outermost first: a file, a table, an arm.
    code
        A short name of the cause, for callers that handle this one.
    in_toml
        Whether the argument is a key of a trial file.

    Examples
    --------
    >>> error = DecisionError(
    ...     argument="rope", value=95, need="is one number", example=(-0.1, 0.1)
    ... )
    >>> print(error)
    rope=95 is one number; for example rope=(-0.1, 0.1)
    >>> error.argument, error.value, error.example
    ('rope', 95, (-0.1, 0.1))
    """

    def __init__(
        self,
        message: object = "",
        *more: object,
        argument: str = "",
        value: object = NOT_GIVEN,
        need: Parts = "",
        cure: Parts = "",
        example: object = NOT_GIVEN,
        then: Parts = "",
        places: tuple[str, ...] = (),
        code: str = "",
        in_toml: bool = False,
    ) -> None:
        self.argument, self.value, self.example = argument, _plain(value), example
        self.need: tuple[Part, ...] = _parts(need) or _message_parts(message)
        self.cure: tuple[Part, ...] = _parts(cure)
        self.then: tuple[Part, ...] = _parts(then)
        self.places, self.code, self.in_toml = places, code, in_toml
        super().__init__(self.text(), *more)

    @property
    def parts(self) -> tuple[str | Setting, ...]:
        """The parts of the message in order: texts, mentions and settings.

        Examples
        --------
        >>> DesignError("give ``rope=``", places=("trial.toml",)).parts
        ('trial.toml', ': ', 'give ', 'rope=')
        """
        need = _flat(self.need)
        words: list[str | Setting] = []
        for place in self.places:
            words += [*with_mentions(place), ": "]
        if self.argument:
            words.append(Setting(self.argument, self.value, self.in_toml))
            begins = str(need[0])[:1] if need else ""
            words += [] if begins in (":", ";", ",", "") else [" "]
        words += need
        if self.cure:
            words += ["; ", *_flat(self.cure)]
        if self.example is not NOT_GIVEN:
            example = Setting(self.argument, self.example, self.in_toml)
            words += ["; for example ", example]
        return (*words, *_flat(self.then))

    def text(self) -> str:
        """Return the message as Python prints it.

        Examples
        --------
        >>> error = DecisionError(
        ...     argument="rope", value=95, need="is one number", example=(-0.1, 0.1)
        ... )
        >>> error.text()
        'rope=95 is one number; for example rope=(-0.1, 0.1)'
        """
        return as_message("".join(map(str, self.parts)))

    def at(
        self, *places: str, then: Parts = (), error: type[CausalgiaError] | None = None
    ) -> CausalgiaError:
        """Return this error with the file, table, arm or task where it happened before
        its message, and more of the cure after it; type and fields stay.

        Parameters
        ----------
        *places
            Where, the outermost first.
        then
            More of the cure, with the punctuation that joins it to the message.
        error
            Type of the new error; by default the same type.

        Examples
        --------
        >>> str(
        ...     DesignError("position 9 is beyond the sequence").at(
        ...         "trial.toml", "arm 'A'"
        ...     )
        ... )
        "trial.toml: arm 'A': position 9 is beyond the sequence"
        """
        if places and self.text().startswith(f"{plain(places[-1])}: "):
            places = places[:-1]  # a user's own arm may say its name
        return self.replace(
            places=(*places, *self.places),
            then=(*self.then, *_parts(then)),
            error=error,
        )

    def replace(
        self, *, error: type[CausalgiaError] | None = None, **fields: Any
    ) -> CausalgiaError:
        """Return this error with other fields, of the same type or of another.

        Examples
        --------
        >>> one = EstimateError(argument="arms", value=["A"], need="has one arm")
        >>> str(one.replace(argument="pilot_arms", error=LibraryError))
        "pilot_arms=['A'] has one arm"
        """
        kind = type(self) if error is None else error
        new = kind.__new__(kind)  # some types have arguments of their own
        new.__dict__.update(self.__dict__)
        CausalgiaError.__init__(new, "", *self.args[1:], **self._fields() | fields)
        return new

    def renamed(self, names: Mapping[str, str]) -> CausalgiaError:
        """Return this error with arguments under other names, wherever they stand.

        Examples
        --------
        >>> one = CountsError(need=("one at a time: ", Setting("arms", "A")))
        >>> str(one.renamed({"arms": "pilot_arms"}))
        "one at a time: pilot_arms='A'"
        """

        def rename(parts: tuple[Part, ...]) -> tuple[Part, ...]:
            return tuple(
                replace(part, name=names.get(part.name, part.name))
                if isinstance(part, Setting)
                else part.renamed(names)
                if isinstance(part, CausalgiaError | Mention)
                else part
                for part in parts
            )

        return self.replace(
            argument=names.get(self.argument, self.argument),
            need=rename(self.need),
            cure=rename(self.cure),
            then=rename(self.then),
        )

    def as_key(self) -> CausalgiaError:
        """Return this error with its arguments as keys of a trial file.

        Examples
        --------
        >>> cure = ("give ", Setting("rope", (-0.1, 0.1)))
        >>> one = DesignError(
        ...     argument="rope", value=95, need="is one number", cure=cure
        ... )
        >>> str(one.as_key())
        'rope = 95 is one number; give rope = [-0.1, 0.1]'
        """

        def keys(parts: tuple[Part, ...]) -> tuple[Part, ...]:
            return tuple(
                replace(part, in_toml=True) if isinstance(part, Setting) else part
                for part in parts
            )

        return self.replace(
            need=keys(self.need),
            cure=keys(self.cure),
            then=keys(self.then),
            in_toml=True,
        )

    def moved(
        self, place: str, to: str, *, error: type[CausalgiaError] | None = None
    ) -> CausalgiaError:
        """Return this error with one of its places under another name: a table of a
        trial file for the class that was made of it.

        Examples
        --------
        >>> str(
        ...     DesignError("two questions", places=("Analysis",)).moved(
        ...         "Analysis", "[analysis]"
        ...     )
        ... )
        '[analysis]: two questions'
        """
        places = tuple(to if one == place else one for one in self.places)
        return self.replace(places=places, error=error)

    def in_file(self) -> CausalgiaError:
        """Return this error of a `causalgia.Analysis` as one of the table ``[analysis]``
        of a trial file, with its arguments as keys.

        Examples
        --------
        >>> str(
        ...     DesignError(
        ...         argument="rope", value=95, need="is odd", places=("Analysis",)
        ...     ).in_file()
        ... )
        '[analysis]: rope = 95 is odd'
        """
        if "Analysis" not in self.places:
            return self.replace()  # another error, whose cause this one can be
        return self.moved("Analysis", "[analysis]").as_key()

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _FIELDS}


class SequenceError(CausalgiaError, ValueError):
    """Sequences, sequence files or motifs that cannot be read."""


class DesignError(CausalgiaError, ValueError):
    """A null model, intervention, arm or specification that cannot be carried out."""


class ArgumentError(CausalgiaError, TypeError):
    """An argument that a function has not, or one that it lacks; the message names the
    one that was meant.
    """


class RandomnessError(CausalgiaError, TypeError):
    """An `rng=` that is not a valid seed or generator; randomness is always
    explicit.
    """


class PredictorError(CausalgiaError, ValueError):
    """A predictor whose answers cannot be used as outcomes."""


class AttributionError(CausalgiaError):
    """A map that cannot be made, or does not add up to the answers that it explains."""


class OutcomesError(CausalgiaError, ValueError):
    """A Dataset or a table that is not what the verb takes."""


class ContrastError(CausalgiaError, ValueError):
    """A contrast that cannot be computed from the outcomes."""


class EstimateError(CausalgiaError, ValueError):
    """A standard error, band or sample size that the data cannot give."""


class InferenceError(CausalgiaError, ValueError):
    """Effects, a covariance or a prior that give no posterior."""


class ConvergenceError(CausalgiaError, RuntimeError):
    """Draws that have not converged: divergences, R-hat above 1.01, or an effective
    sample size below 400.
    """


class DecisionError(CausalgiaError, ValueError):
    """A verdict that cannot be given: no region of practical equivalence, or an
    impossible one.
    """


class LibraryError(CausalgiaError, ValueError):
    """An oligo library that cannot be made, written or ordered as asked; the message
    names the rule, unit and cure.
    """


class CountsError(CausalgiaError, ValueError):
    """Barcode counts that cannot be read, or do not belong to the library; the message
    names file, oligo and cure.
    """


class ProtocolError(CausalgiaError, ValueError):
    """A lock of a protocol that is damaged, exists already or cannot be read, or a
    protocol that is not locked.
    """


class StoreError(CausalgiaError, OSError):
    """A trial on disk that cannot be begun, continued or read; the message names the
    path and the cure.
    """


class ClusterError(CausalgiaError, RuntimeError):
    """Missing or lost workers, or data that cannot be sent to them."""


class TrialInterruptedError(CausalgiaError, KeyboardInterrupt):
    """Ctrl-C in a stored trial: finished outcomes are kept, and the message says how to
    resume.
    """


class MissingExtraError(CausalgiaError, ImportError):
    """An optional package is not installed; the message names the extra that brings
    it.
    """


class CausalgiaWarning(UserWarning):
    """Base class of all warnings of this library; `as_message` escapes and shortens
    their messages.
    """

    def __init__(self, message: object = "", *more: object) -> None:
        self.parts = _message_parts(message)
        super().__init__(self.text(), *more)

    def text(self) -> str:
        """Return the message as Python prints it.

        Examples
        --------
        >>> CausalgiaWarning("give ``rope=``").text()
        'give rope='
        """
        return as_message("".join(map(str, self.parts)))


class DegenerateWarning(CausalgiaWarning):
    """The answer stands, but the input is degenerate: few distinct sequences, no
    spread, one unit.
    """


class FewClustersWarning(CausalgiaWarning):
    """Fewer than 20 clusters: intervals may cover less than their nominal level when
    clusters are skewed.
    """


class ClusterSizeWarning(CausalgiaWarning):
    """Effects depend on the size of their cluster: the mean over units and the mean
    over clusters are two estimands.
    """


class SkewnessWarning(CausalgiaWarning):
    """Effects too skewed, for their number of units, for a test that assumes joint
    symmetry.
    """


class BarcodeNoiseWarning(CausalgiaWarning):
    """Barcodes of an arm differ in activity, and the method supports no claim beyond
    these barcodes.
    """


class PriorConflictWarning(CausalgiaWarning):
    """The effects are improbable under the prior."""


class ConvergenceWarning(CausalgiaWarning):
    """Draws that have not converged and were accepted by the caller."""


class NullModelWarning(CausalgiaWarning):
    """The order of the contrasts depends on the null model, or such a dependence cannot
    be excluded.
    """


class FallbackWarning(CausalgiaWarning):
    """A faster method was requested but is not available; the exact, slower one is
    used.
    """


class DamageWarning(CausalgiaWarning):
    """Parts of a stored trial are damaged and are recomputed."""


class ExploratoryWarning(CausalgiaWarning):
    """The analysis differs from the one fixed before the outcomes were seen: results
    are exploratory.
    """


def caller_stacklevel() -> int:
    """Return the stack level of the first caller outside this package, torch and
    xarray's pipe, for warnings.
    """
    level, frame = 2, sys._getframe(2)
    while frame.f_back is not None and str(
        frame.f_globals.get("__name__", "")
    ).startswith(("causalgia.", "xarray.", "torch.")):
        level, frame = level + 1, frame.f_back
    return level
