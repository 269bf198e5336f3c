"""Predictors from any callable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from causalgia.errors import CausalgiaError, PredictorError, quoted
from causalgia.predict.answer_checks import (
    as_answers,
    as_numbers,
    check_not_constant,
    first_line,
)
from causalgia.predict.fingerprint import digest, fingerprint_of, parts_of
from causalgia.predict.predictor import (
    LONG,
    Layout,
    Predictor,
    Scale,
    SinglePredictor,
    as_batch_size,
    as_version_name,
)
from causalgia.predict.track import Reduce, Track
from causalgia.sequences.alphabet import decode, one_hot, reverse_complement
from causalgia.types import Tokens

_AUTO = 1024


class FunctionPredictor(SinglePredictor):
    """A predictor made from any callable that maps one-hot (n, 4, length), or n strings,
    to (n,) or (n, tasks) numbers.

    For networks outside PyTorch (Keras, JAX, ONNX, a web service) and for formulas. The
    one-hot array is made a batch at a time, so memory does not grow with the number of
    sequences. Answers keep their dtype, float32 or float64; half precision becomes
    float32, everything else float64.

    Parameters
    ----------
    fn
        Takes a batch, one-hot (n, 4, length), or a list of n strings, and answers a row
        for each sequence, in order.
    tasks
        A name for each output. By default "outcome" for a single output, else "task 0",
        "task 1", ...
    scale
        The scale of the answers, in words: one text, or one for each task (a dict task
        -> text, or a list in the order of `tasks`). Outcomes then carry them as
        ``task_scale``, and `contrast` subtracts no tasks on different scales.
    batch_size
        Largest batch for `fn`; "auto" is 1024, above 50 kb one sequence.
    alphabet
        The letters of the one-hot channels, in the order that `fn` expects.
    layout
        "NCL" for (n, 4, length), "NLC" for (n, length, 4), "strings" for a list of n
        strings, as tokenizers and clients of services take them: in the letters of
        `alphabet`, so "ACGU" for RNA.
    dtype
        The dtype of the one-hot array.
    reduce
        What is read of the answer of `fn`, one step or a list of steps: a key of a
        dict, a place of a tuple, a function that gives (n,) or (n, tasks); then windows
        of a `track`, `causalgia.Window`.
    rc_average
        Whether to average the answers for a sequence and for its reverse complement; a
        track is turned around.
    track
        The axis of the output that runs along the sequence, a `causalgia.Track`:
        outcomes then have a dim position.
    opposite
        Pairs of tasks that change places on the reverse complement, such as ``[("plus",
        "minus")]``, for `rc_average`.
    length
        Bases of the sequences that the network was trained on, where it takes others
        without a word; others are then refused.
    rounded_to
        ``"float16"`` or ``"bfloat16"`` where `fn` computes in it and answers in a longer
        dtype, as under autocast: what the rounding of such answers makes of an effect is
        taken into account.
    fingerprint
        Name of this version of `fn`. By default its source text, defaults, closure and
        the globals that it names are hashed when the predictor is made. If some of it
        is unreadable (no source text, a C extension, an open session) the fingerprint
        ends in ``~``: name the version here, or a trial that is resumed predicts one of
        its stored turns again and compares.

    Raises
    ------
    PredictorError
        If a choice is impossible.

    Examples
    --------
    >>> import numpy as np
    >>> gc = FunctionPredictor(
    ...     lambda x: x[:, 1:3].mean(axis=(1, 2)) * 2, tasks=["gc"], scale="share"
    ... )
    >>> gc.predict(np.array([[0, 1, 2, 3], [1, 1, 2, 2]], np.uint8))
    array([[0.5],
           [1. ]], dtype=float32)
    >>> starts = FunctionPredictor(
    ...     lambda strings: [text.count("AUG") for text in strings],
    ...     layout="strings",
    ...     alphabet="ACGU",
    ... )
    >>> starts.predict(np.array([[0, 3, 2, 2], [1, 1, 2, 2]], np.uint8))
    array([[1.],
           [0.]])
    """

    def __init__(
        self,
        fn: Callable[[Any], Any],
        *,
        tasks: Sequence[str] | None = None,
        scale: Scale = "outcome",
        batch_size: int | Literal["auto"] = "auto",
        alphabet: str = "ACGT",
        layout: Layout | Literal["strings"] = "NCL",
        dtype: DTypeLike = "float32",
        reduce: Reduce = None,
        rc_average: bool = False,
        track: Track | None = None,
        opposite: Sequence[tuple[str, str]] = (),
        length: int | None = None,
        rounded_to: Literal["float16", "bfloat16"] | None = None,
        fingerprint: str | None = None,
    ) -> None:
        super().__init__(
            tasks=tasks,
            scale=scale,
            alphabet=alphabet,
            layout="NCL" if layout == "strings" else layout,
            rc_average=rc_average,
            reduce=reduce,
            track=track,
            opposite=opposite,
            length=length,
        )
        if not callable(fn):
            raise PredictorError(
                "FunctionPredictor takes a callable from one-hot (n, 4, length) to "
                f"numbers, not {quoted(fn)}"
            )
        self.fn, self._takes_strings = fn, layout == "strings"
        self.batch_size = as_batch_size(batch_size)
        try:
            chosen = np.dtype(dtype)
        except TypeError as error:
            raise PredictorError(f"dtype={quoted(dtype)} is not a dtype") from error
        if chosen.kind not in "fiub":
            raise PredictorError(
                f"dtype={quoted(dtype)} cannot hold a one-hot array, as 'float32' does"
            )
        self.dtype = chosen
        if rounded_to not in (None, "float16", "bfloat16"):
            raise PredictorError(
                f"rounded_to={quoted(rounded_to)} is neither 'float16' nor 'bfloat16'"
            )
        self._rounded_to = rounded_to or ""
        identity = (
            fingerprint_of(fn)
            if fingerprint is None
            else digest("given", as_version_name(fingerprint, "callable"))
        )
        self._version = fingerprint
        options = (
            self._given_tasks,
            self._given_scale,
            self._order,
            layout,
            self.dtype.str,
            rc_average,
            *([rounded_to] if rounded_to else []),
        )
        self._choices = (*options, *self._track_choices)
        self._fingerprint = digest(
            "function", identity, *self._choices, fingerprint_of(self._function)
        )

    _reduced_before = False

    @property
    def fingerprint(self) -> str:
        """Digest of the callable's code and state, and of all options."""
        return self._fingerprint

    @property
    def fingerprint_parts(self) -> dict[str, str]:
        """Digests of the callable's code and arrays (or the given version), the options
        and the read-out.
        """
        identity = (
            parts_of(self.fn) if self._version is None else {"version": self._version}
        )
        return {
            **identity,
            "options": digest(*self._choices),
            "read-out": fingerprint_of(self._function),
        }

    @property
    def precision(self) -> np.dtype[Any]:
        """Dtype of the one-hot input, or half if an answer was; the callable's own
        precision is unknown.
        """
        if self._half:
            return np.dtype(np.float16)
        return self.dtype if self.dtype.kind == "f" else super().precision

    def resolve_batch_size(self, length: int) -> int:
        """Return `batch_size`; with "auto" 1024, above 50 kb 1."""
        automatic = 1 if length > LONG else _AUTO
        return automatic if self.batch_size == "auto" else self.batch_size

    def _answers(self, tokens: Tokens) -> Iterator[tuple[int, object]]:
        size = self.resolve_batch_size(tokens.shape[1])
        for start in range(0, len(tokens), size):
            batch = tokens[start : start + size]
            yield len(batch), self._both_strands(batch)

    def _both_strands(self, batch: Tokens) -> object:
        if not self.rc_average:
            return self._one_strand(batch)
        answers = [
            self._one_strand(batch),
            self._one_strand(reverse_complement(batch), reverse=True),
        ]
        wanted = None if self._has_positions else self._tasks
        forward, backward = (
            as_answers(answer, n_rows=len(batch), tasks=wanted) for answer in answers
        )
        return forward / 2 + self._exchanged(backward) / 2

    def _one_strand(self, batch: Tokens, *, reverse: bool = False) -> NDArray[Any]:
        """Return the numbers of one call, copied: a callable may write every answer
        into the same array.
        """
        return np.array(
            as_numbers(self._of_output(self._call(batch), len(batch), reverse=reverse))
        )

    def _what(self) -> str:
        name = getattr(self.fn, "__qualname__", type(self.fn).__qualname__)
        return str(name).rpartition("<locals>.")[2]

    def _call(self, batch: Tokens) -> object:
        x: Any = (
            decode(batch, rna="U" in self.alphabet.upper())
            if self._takes_strings
            else one_hot(
                batch, dtype=self.dtype, alphabet=self.alphabet, layout=self.layout
            )
        )
        what = (
            f"{len(x)} strings of {batch.shape[1]} letters"
            if self._takes_strings
            else f"an input of shape {x.shape} ({self.layout}, {x.dtype})"
        )
        try:
            answer = self.fn(x)
            if str(getattr(answer, "dtype", "")) == "bfloat16":
                self._rounded_to = "bfloat16"
            if self._function is None:
                return answer
            if not self._reduced_before:
                check_not_constant(
                    self._function,
                    answer,
                    lambda other: other.astype(np.asarray(answer).dtype),
                )
                self._reduced_before = True
            return self._function(answer)
        except CausalgiaError:
            raise
        except MemoryError as error:
            raise PredictorError(f"the callable ran out of memory on {what}") from error
        except (Exception, SystemExit) as error:
            raise PredictorError(
                f"the callable failed on {what}: {first_line(error)}"
            ) from error


_MADE: dict[str, Predictor] = {}
_MAKING = threading.RLock()


def build_once(key: str, build: Callable[[], Predictor]) -> Predictor:
    """Return the result of `build`, called once in each process for each key."""
    with _MAKING:
        if key not in _MADE:
            _MADE[key] = build()
        return _MADE[key]
