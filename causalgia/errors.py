"""What can go wrong, as one tree: catch `CausalgiaError` and you have caught all of ours.

::

    Exception
    └── CausalgiaError                 the root; every message names the culprit and says the cure
        ├── SequenceError              letters, FASTA, BED, motif files
        ├── DesignError                null models, interventions, arms, assignment, trial.toml
        ├── RandomnessError            an rng= that is no source of randomness; also a TypeError
        ├── PredictorError             shapes, tasks, answers that depend on batch mates
        │   └── NonFiniteError         an answer that is NaN or infinite, with its row and task; in `causalgia.predict`
        ├── OutcomesError              a Dataset or table that is not what the verb takes
        ├── ContrastError              unknown control, weights that do not sum to zero, impossible scale
        ├── EstimateError              a standard error, band or sample size that the data cannot give
        ├── InferenceError             effects, a covariance or a prior that give no posterior
        ├── ConvergenceError           draws that have not converged; also a RuntimeError
        ├── DecisionError              a verdict without a region of practical equivalence, or with an impossible one
        ├── LibraryError               an oligo library that cannot be made, written or ordered as asked
        ├── CountsError                barcode counts that cannot be read, or do not belong to the library
        ├── StoreError                 a trial on disk that is another's, damaged, of another version, or not writable
        ├── ClusterError               workers that are none, lost, or cannot be sent the predictor; also a RuntimeError
        ├── TrialInterruptedError      Ctrl-C in a stored trial; says how to go on; also a KeyboardInterrupt
        └── MissingExtraError          an optional package is not installed (names the extra)

    UserWarning
    └── CausalgiaWarning               the root of the warnings
        ├── DegenerateWarning          few distinct sequences, constant predictor, zero spread, one unit
        ├── FewClustersWarning         fewer than 20 clusters: intervals may cover less than they say
        ├── ClusterSizeWarning         effects depend on cluster size: the means over units and over clusters differ
        ├── SkewnessWarning            effects too skewed for a test that supposes symmetry
        ├── BarcodeNoiseWarning        barcodes of an arm differ, and the method counts only what replicates differ by
        ├── PriorConflictWarning       the effects lie where the prior said they would not
        ├── ConvergenceWarning         draws that have not converged, and were accepted
        ├── NullModelWarning           the order of the effects depends on the null model
        ├── FallbackWarning            a faster way was asked for and not taken: the slower, exact one goes on
        ├── DamageWarning              parts of a stored trial that were damaged and are made again
        └── ExploratoryWarning         asked after the outcomes were seen, beyond what the analysis fixed
"""

from __future__ import annotations

import re
from itertools import takewhile

__all__ = [
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
    "RandomnessError",
    "SequenceError",
    "SkewnessWarning",
    "StoreError",
    "TrialInterruptedError",
]

_QUOTED, _LONGEST, _BEFORE = 80, 2_000, 24
_LONG_WORD = re.compile(rf"[^\s/]{{{_QUOTED + 1},}}")


def printable(text: str) -> str:
    r"""Return a text that does nothing to a terminal: what cannot be printed is escaped, line ends and tabs stay.

    Examples
    --------
    >>> print(printable("\x1b[31mred\ud800"))
    \x1b[31mred\ud800
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def quoted(value: object) -> str:
    r"""Return the repr of a value as a message quotes it: escaped, cut to 80 characters; numpy scalars as Python.

    Examples
    --------
    >>> quoted("\x1b[31m"), len(quoted("A" * 5_000))
    ("'\\x1b[31m'", 80)
    """
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        value = value.item()  # type: ignore[attr-defined]
    try:
        return _cut(printable(repr(value)), _QUOTED)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return f"{type(value).__name__} with more digits than can be written"


def quoted_apart(one: object, other: object) -> tuple[str, str]:
    """Return two values that differ as messages quote them: long ones from just before where they differ.

    Examples
    --------
    >>> quoted_apart("p0", "p1")
    ("'p0'", "'p1'")
    >>> quoted_apart("conv 1; " * 40 + "relu", "conv 1; " * 40 + "gelu; linear")
    ("...onv 1; conv 1; conv 1; relu'", "...onv 1; conv 1; conv 1; gelu; linear'")
    """
    texts = [printable(repr(value)) for value in (one, other)]
    if all(len(text) <= _QUOTED for text in texts):
        return quoted(one), quoted(other)
    n_same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False)))
    start = max(n_same - _BEFORE, 0)
    before, room = ("...", _QUOTED - 3) if start else ("", _QUOTED)
    parts = [text[start:] for text in texts]
    first, second = (before + (part if len(part) <= room else f"{part[: room - 3]}...") for part in parts)
    return first, second


def one_line(error: BaseException) -> str:
    r"""Return an exception as one line of at most 500 characters: its type and all that it says.

    Examples
    --------
    >>> one_line(ValueError("missing keys:\n  a\n  b"))
    'ValueError: missing keys: a b'
    """
    text = " ".join(_text_of(error).split())
    return f"{type(error).__name__}: {text[:500]}" if text else type(error).__name__


def first_line(error: BaseException) -> str:
    """Return an exception as one short line: its type and the first line of what it says."""
    text = _text_of(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:300]}" if text else type(error).__name__


def _text_of(error: BaseException) -> str:
    """Return what an exception says; nothing where it cannot say it."""
    try:
        return str(error)
    except Exception:
        return ""


def as_message(text: object) -> str:
    r"""Return the text of a message: nothing that steers a terminal, words of at most 80 letters, at most 2,000 in all.

    A long message loses its middle, for the culprit stands at the beginning and the cure at the end. Slashes divide
    words, so that a path is whole.

    Examples
    --------
    >>> as_message("no arm " + "x" * 5_000 + "; \x1b[31mrename it")
    'no arm xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxx; \\x1b[31mrename it'
    """
    words = _LONG_WORD.sub(lambda found: _cut(found[0], _QUOTED), printable(str(text)))
    return _cut(words, _LONGEST)


def _cut(text: str, most: int) -> str:
    """Return a text without its middle where it is longer than `most`."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 3]}...{text[-end:]}"


class CausalgiaError(Exception):
    """Root of every error that this library raises on purpose; `as_message` escapes and shortens what it says."""

    def __init__(self, message: object = "", *more: object) -> None:
        super().__init__(as_message(message), *more)


class SequenceError(CausalgiaError, ValueError):
    """Letters, files of sequences or motifs that cannot be read as asked."""


class DesignError(CausalgiaError, ValueError):
    """A null model, intervention, arm or specification that cannot be carried out."""


class RandomnessError(CausalgiaError, TypeError):
    """An `rng=` that is no source of randomness: randomness is asked for, never hidden."""


class PredictorError(CausalgiaError, ValueError):
    """A predictor whose answers cannot be used as outcomes."""


class OutcomesError(CausalgiaError, ValueError):
    """A Dataset or a table that is not what the verb takes."""


class ContrastError(CausalgiaError, ValueError):
    """A contrast that the outcomes cannot answer."""


class EstimateError(CausalgiaError, ValueError):
    """A standard error, band or sample size that the data cannot give."""


class InferenceError(CausalgiaError, ValueError):
    """Effects, a covariance or a prior that give no posterior."""


class ConvergenceError(CausalgiaError, RuntimeError):
    """Draws that have not converged: divergences, R-hat above 1.01, or an effective sample size below 400."""


class DecisionError(CausalgiaError, ValueError):
    """A verdict that cannot be given: no region of practical equivalence, or an impossible one."""


class LibraryError(CausalgiaError, ValueError):
    """An oligo library that cannot be made, written or ordered as asked; the message names the rule, unit and cure."""


class CountsError(CausalgiaError, ValueError):
    """Barcode counts that cannot be read, or do not belong to the library; the message names file, oligo and cure."""


class StoreError(CausalgiaError, OSError):
    """A trial on disk that cannot be begun, continued or read; the message names the path and the cure."""


class ClusterError(CausalgiaError, RuntimeError):
    """Workers that are none, were lost, or cannot be sent what they need."""


class TrialInterruptedError(CausalgiaError, KeyboardInterrupt):
    """Ctrl-C in a stored trial: what was answered is kept, and the message says how to go on."""


class MissingExtraError(CausalgiaError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


class CausalgiaWarning(UserWarning):
    """Root of every warning that this library gives on purpose; `as_message` escapes and shortens what it says."""

    def __init__(self, message: object = "", *more: object) -> None:
        super().__init__(as_message(message), *more)


class DegenerateWarning(CausalgiaWarning):
    """The answer stands, but the input is degenerate: few distinct sequences, no spread, one unit."""


class FewClustersWarning(CausalgiaWarning):
    """Fewer than 20 clusters: intervals may cover less than their nominal level when clusters are skewed."""


class ClusterSizeWarning(CausalgiaWarning):
    """Effects depend on the size of their cluster: the mean over units and the mean over clusters are two estimands."""


class SkewnessWarning(CausalgiaWarning):
    """Effects too skewed, for their number of units, for a test that assumes joint symmetry."""


class BarcodeNoiseWarning(CausalgiaWarning):
    """Barcodes of an arm have activities of their own, and the method claims nothing beyond these barcodes."""


class PriorConflictWarning(CausalgiaWarning):
    """The effects lie where the prior said they would not."""


class ConvergenceWarning(CausalgiaWarning):
    """Draws that have not converged and were accepted by the caller."""


class NullModelWarning(CausalgiaWarning):
    """The same contrasts are in another order under another null model, or that cannot be excluded."""


class FallbackWarning(CausalgiaWarning):
    """A faster way was asked for and could not be taken; the answers come by the slower, exact one."""


class DamageWarning(CausalgiaWarning):
    """Parts of a stored trial do not have the bytes that were written; they are made again."""


class ExploratoryWarning(CausalgiaWarning):
    """Asked after the outcomes were seen, beyond what the analysis fixed: labelled exploratory."""
