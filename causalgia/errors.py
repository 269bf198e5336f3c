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
from collections.abc import Iterable
from itertools import takewhile
from typing import TYPE_CHECKING

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
    r"""Return the repr of a value for a message: escaped, at most 80 characters; numpy
    scalars as Python numbers.

    Examples
    --------
    >>> quoted("\x1b[31m"), len(quoted("A" * 5_000))
    ("'\\x1b[31m'", 80)
    """
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        value = value.item()  # type: ignore[attr-defined]
    try:
        return _cut(printable(repr(value)), _QUOTED_LETTERS)
    except ValueError:  # Python converts no int of more than 4,300 digits
        return f"{type(value).__name__} with more digits than can be written"
    except RecursionError:
        return f"{type(value).__name__} nested too deeply to be written"


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
    text = " ".join(_text_of(error).split())
    return f"{type(error).__name__}: {text[:500]}" if text else type(error).__name__


def first_line(error: BaseException) -> str:
    """Return an exception as one short line: its type and the first line of its
    message.
    """
    text = _text_of(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:300]}" if text else type(error).__name__


def _text_of(error: BaseException) -> str:
    """Return the message of an exception; empty if its `__str__` fails."""
    try:
        return str(error)
    except Exception:
        return ""


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


class CausalgiaError(Exception):
    """Base class of all errors of this library; `as_message` escapes and shortens their
    messages.
    """

    def __init__(self, message: object = "", *more: object) -> None:
        super().__init__(as_message(message), *more)


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
        super().__init__(as_message(message), *more)


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
