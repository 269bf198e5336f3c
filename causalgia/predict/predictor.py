"""The predictor interface: tokens in, outcomes with named tasks out; and the checks of
every answer.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import as_names, is_whole
from causalgia.errors import (
    PredictorError,
    SequenceError,
    first_of,
    quoted,
    type_in_words,
)
from causalgia.predict.answer_checks import (
    abridged,
    as_answers,
    as_numbers,
    as_storable,
    first_line as first_line,
    name_tasks,
    one_line as one_line,
)
from causalgia.predict.track import Reduce, Track, TrackAnswers, split_reduce
from causalgia.sequences.alphabet import as_token_array, channel_order
from causalgia.types import Tokens

Layout: TypeAlias = Literal["NCL", "NLC"]
Scale: TypeAlias = str | Mapping[str, str] | Sequence[str]
Progress: TypeAlias = Callable[[int], None]
_HALF_PAIR = re.compile("[\ud800-\udfff]")
LONG = 50_000
"""Bases above which sequences go through a network one at a time, unless a batch size
is given.
"""


class NonFiniteError(PredictorError):
    """An answer that is NaN or infinite.

    `row` is the row of the tokens (counted from 0 in this call of `predict`), `task`
    the task and `value` the answer. `detail` is the message without the row, for a
    caller who knows its arm and unit; `position` that of a track.
    """

    value: float

    def __init__(
        self,
        message: str,
        *,
        row: int = 0,
        task: str = "",
        value: float = np.nan,
        detail: str | None = None,
        position: int | None = None,
    ) -> None:
        super().__init__(message)
        self.position = position
        self.detail = message if detail is None else detail
        self.row = row
        self.task = task
        self.value = value


class EditSession(Protocol):
    """Backgrounds held by a predictor, so that their edited versions are predicted
    faster than new sequences.
    """

    def answers(self, edited: Tokens, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return answers for edited tokens (m, length), row i made from background
        ``rows[i]``: (m, tasks).

        Raises
        ------
        PredictorError
            As `Predictor.predict`; `NonFiniteError.row` is a row of `edited`.
        """


class Predictor(ABC):
    """A network as a function: sequences in, one number per task (and per model of an
    ensemble) out.

    Effects are effects *on the predictor*, so it must be fixed: `fingerprint`
    identifies it, equally in every process, and its answers may depend on nothing but
    the sequence (see `check_batch_mates`).

    Examples
    --------
    >>> import causalgia as cg
    >>> predictor = cg.zoo.oracle("gata1_like")
    >>> isinstance(predictor, cg.predict.Predictor), predictor.tasks, predictor.scale
    (True, ('K562', 'HepG2'), 'log2 activity')
    """

    scale: str
    """The scale of the answers, in words; effects are reported with it."""
    task_scales: tuple[str, ...] | None = None
    """The scale of each task, where they differ; outcomes carry it as the coordinate
    ``task_scale``.
    """
    models: tuple[str, ...] | None = None
    """Names of an ensemble's members; None without the model dim."""
    differ_by: Literal["seeds", "folds", "architectures"] | None = None
    """The population of which an ensemble's members are a sample; None without the
    model dim.
    """
    incremental: bool = False
    """Whether edits may be recomputed in part, so that an answer's last bits depend on
    the path taken.
    """
    _loads_again: Callable[[str, dict[int, int]], Predictor] | None = None
    """Loads the predictor in another process if it cannot be pickled; called with its
    fingerprint and batch sizes.
    """

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle the way to load the predictor, if there is one."""
        if self._loads_again is None:
            return super().__reduce_ex__(protocol)
        return self._loads_again, (self.fingerprint, self.batches())

    @property
    @abstractmethod
    def tasks(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""

    @property
    def dims(self) -> tuple[str, ...]:
        """Dims of an answer: ``("task",)``, or ``("position", "task")`` of a track;
        then ``"model"`` of an ensemble.
        """
        return ("task",) if self.models is None else ("task", "model")

    @property
    def positions(self) -> NDArray[np.int64] | None:
        """Positions of a track, in bp, known from the first answer on; None where the
        answers have none.
        """
        return None

    @property
    def bin(self) -> int | None:
        """Bases in a bin of a track; None where the answers have no positions."""
        return None

    @property
    def coordinates(self) -> dict[str, Any]:
        """Labels of the dims of an answer."""
        labels: dict[str, Any] = {
            "position": self.positions,
            "task": list(self.tasks),
            "model": self.models,
        }
        return {
            dim: labels[dim] if dim == "position" else list(labels[dim])
            for dim in self.dims
        }

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A hexadecimal digest of everything that the answers depend on, the same in
        every process.
        """

    @property
    def fingerprint_parts(self) -> dict[str, str]:
        """Digests of the parts of the fingerprint, by name, so that an error can say
        which changed; may be empty.
        """
        return {}

    @property
    def precision(self) -> np.dtype[Any]:
        """Coarsest floating dtype of the computation; float32 unless a subclass knows
        better.
        """
        return np.dtype(np.float32)

    @property
    def rounded_to(self) -> str:
        """The half precision in which the network computes, where its user said so and
        the dtype of its answers does not; else "".
        """
        found = (part.rounded_to for part in self.parts if part is not self)
        return next(filter(None, found), "")

    @property
    def is_quantized_dynamically(self) -> bool:
        """Whether its activations are rounded to integers by a scale of each batch, so
        that answers depend on batch mates.
        """
        return False

    @abstractmethod
    def resolve_batch_size(self, length: int) -> int:
        """Return the batch size for sequences of `length` letters."""

    @abstractmethod
    def predict(
        self, tokens: Tokens, *, progress: Progress | None = None
    ) -> NDArray[Any]:
        """Answer for each row of tokens (n, length): (n, tasks), or (n, tasks, models),
        float32 or float64.

        Of a track, (n, positions, tasks[, models]): see `dims`.

        `progress` is called with the number of rows done since its last call.

        Raises
        ------
        PredictorError
            If the network refuses the input, or an answer is not a finite number for
            each row and task.
        """

    def batches(self) -> dict[int, int]:
        """Return the batch sizes that are fixed so far, by length; empty if none are.

        A stored trial records them, since the last bits of an answer may depend on the
        batch size.
        """
        return {}

    def fix_batches(self, sizes: Mapping[int, int]) -> None:  # noqa: B027
        """Use the batch sizes of an earlier run, by length; ignored by predictors
        without fixed ones.
        """

    def choices(self) -> dict[str, bool]:
        """Return which edits are recomputed in part, as far as that was tried; empty if
        none can be.

        A stored trial records them, since the last bits of an answer depend on them.
        """
        return {}

    def choose(self, choices: Mapping[str, bool]) -> None:  # noqa: B027
        """Use the choices of an earlier run; ignored by predictors that make none."""

    @property
    def parts(self) -> tuple[Predictor, ...]:
        """The members of an ensemble, else the predictor itself; they are asked one by
        one.
        """
        return (self,)

    def backgrounds_at_once(self, length: int) -> int:  # noqa: ARG002
        """Return the number of backgrounds in a session of `edits`; 0 if `predict` is
        faster.
        """
        return 0

    def settle(  # noqa: B027
        self, base: Tokens, edited: Tokens, rows: NDArray[np.int64], times: int
    ) -> None:
        """Decide which edits are recomputed in part, on some that are not answered, of
        which a trial has so many times as many; see `EditSession.answers`.
        """

    def with_incremental_edits(self, length: int) -> Predictor:  # noqa: ARG002
        """Return the predictor with edits of sequences of a length recomputed in part,
        itself where that is no gain.
        """
        return self

    def edits(self, base: Tokens) -> EditSession:
        """Return a session for edited versions of the backgrounds (n, length), n at
        most `backgrounds_at_once`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no sessions: "
            f"backgrounds_at_once({base.shape[1]}) is 0"
        )


class SinglePredictor(Predictor):
    """A single network that is asked batch by batch: the base of `FunctionPredictor`
    and `TorchPredictor`.
    """

    def __init__(
        self,
        *,
        tasks: Sequence[str] | None,
        scale: Scale,
        alphabet: str,
        layout: Layout,
        rc_average: bool,
        heads: Sequence[str] | None = None,
        reduce: Reduce = None,
        track: Track | None = None,
        opposite: Sequence[tuple[str, str]] = (),
        length: int | None = None,
    ) -> None:
        if is_whole(heads):
            raise PredictorError(
                f"heads={quoted(heads)} is a number, and heads are the names of all "
                "columns of the network's output, in order",
                argument="heads",
            )
        self.heads = None if heads is None else as_distinct_names(heads, "head")
        self._given_tasks = (
            self.heads if tasks is None else as_distinct_names(tasks, "task")
        )
        self._given_scale = as_scale(scale, self._given_tasks)
        self.reduce, self.track = reduce, track
        self.opposite = _as_pairs(opposite)
        if self._given_tasks is not None:
            self._other_strand(self._given_tasks)
        if length is not None and (not is_whole(length) or length < 1):
            raise PredictorError(
                f"length={quoted(length)} is no number of bases", argument="length"
            )
        self.length = length
        self._function, windows = split_reduce(reduce, track)
        self._on_track = (
            None
            if track is None
            else TrackAnswers(
                track, windows, self._given_tasks, self.heads, self._other_strand
            )
        )
        self._tasks = (
            self._given_tasks if self._on_track is None else self._on_track.names
        )
        reduced = f"{windows[0].reduce} of " if windows else ""
        if isinstance(self._given_scale, str):
            self.scale = reduced + self._given_scale
        else:  # answers are window by window, the tasks of a window together
            self.task_scales = tuple(
                reduced + scale for _ in windows or ("",) for scale in self._given_scale
            )
            self.scale = _scales_in_words(self._tasks or (), self.task_scales)
        self.alphabet = alphabet
        self.layout: Layout = layout
        self.rc_average = rc_average
        if layout not in ("NCL", "NLC"):
            raise PredictorError(
                f"layout={quoted(layout)} must be 'NCL' for (n, 4, length) or "
                "'NLC' for (n, length, 4)"
            )
        try:
            self._order = channel_order(alphabet)
        except (SequenceError, AttributeError) as error:
            raise PredictorError(
                f"alphabet={quoted(alphabet)} must be the four letters in the "
                "order of the network's input rows, such as 'ACGT'"
            ) from error
        # whether answers have half precision; known after the first
        self._half: bool | None = None
        self._rounded_to = ""

    def __repr__(self) -> str:
        tasks = "" if self._tasks is None else f", tasks={abridged(self._tasks)}"
        return f"{type(self).__name__}({self._what()}{tasks}, scale={self.scale!r})"

    @abstractmethod
    def _what(self) -> str:
        """Return the name of the wrapped object."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the outputs; default names are known from the first answer on.

        Raises
        ------
        PredictorError
            If no names were given and nothing has been predicted yet.
        """
        if self._tasks is None:
            raise PredictorError(
                "the outputs have no names before the first answer (tasks= names them)"
            )
        return self._tasks

    @property
    def dims(self) -> tuple[str, ...]:
        """Dims of an answer: ``("task",)``, or ``("position", "task")`` of a track that
        is not read out by windows.
        """
        return ("position", "task") if self._has_positions else ("task",)

    @property
    def positions(self) -> NDArray[np.int64] | None:
        """Positions of a track, in bp; None where the answers have none.

        Raises
        ------
        PredictorError
            If nothing has been predicted yet.
        """
        return (
            self._on_track.positions
            if self._on_track is not None and self._has_positions
            else None
        )

    @property
    def bin(self) -> int | None:
        """Bases in a bin of a track; None where the answers have no positions."""
        return (
            self.track.bin if self.track is not None and self._has_positions else None
        )

    @property
    def _has_positions(self) -> bool:
        return self._on_track is not None and not self._on_track.windows

    @property
    def _track_choices(self) -> tuple[str, ...]:
        """The track, its windows and the pairs of strands, as parts of a fingerprint;
        empty without them.
        """
        on = self._on_track
        pairs = (str(self.opposite),) if self.opposite else ()
        return (() if on is None else (str(on.track), str(on.windows))) + pairs

    def _other_strand(self, tasks: Sequence[str]) -> list[int]:
        """Return the place of each task on the reverse complement: that of its opposite,
        or its own.
        """
        other = dict([*self.opposite, *((b, a) for a, b in self.opposite)])
        absent = [name for name in other if name not in tasks]
        if absent:
            raise PredictorError(
                f"opposite= names task {quoted(absent[0])}, which is not among "
                f"{quoted(list(tasks))}; both tasks of a pair must be asked for"
            )
        return [list(tasks).index(other.get(task, task)) for task in tasks]

    def _exchanged(self, answers: Any) -> Any:
        """Return answers (n, tasks) to reverse complements with opposite tasks
        exchanged; those of a track are by then.
        """
        if not self.opposite or self._on_track is not None:
            return answers
        names = self._tasks or name_tasks(answers.shape[1])
        return answers[:, self._other_strand(names)]

    def predict(
        self, tokens: Tokens, *, progress: Progress | None = None
    ) -> NDArray[Any]:
        """Answer for each row of tokens (n, length): (n, tasks), in the dtype of the
        network's own output.

        Of a track, (n, positions, tasks).

        Integer, boolean and extended-precision answers become float64, half-precision
        ones float32, the two dtypes of stored outcomes. `progress` is called with the
        number of rows since its last call.

        Raises
        ------
        PredictorError
            If tokens are not (n, length) of 0 1 2 3, the network refuses them, or an
            answer is not a finite number for each row and task (`NonFiniteError` names
            the first such row and task).
        """
        rows = as_token_rows(tokens)
        if self.length not in (None, rows.shape[1]):
            raise PredictorError(
                f"sequences of {rows.shape[1]:,} letters, and the network was trained "
                f"on length={self.length:,}"
            )
        answers = self._collected(self._answers(rows), progress)
        if self._on_track is not None:
            self._on_track.check_length(rows.shape[1])
        return answers

    def _collected(
        self, answers: Iterator[tuple[int, object]], progress: Progress | None = None
    ) -> NDArray[Any]:
        """Return the network's answers, batch by batch, as one checked array (n,
        tasks).
        """
        parts: list[NDArray[Any]] = []
        done = 0
        for n_rows, raw in answers:
            answer = as_answers(
                raw, n_rows=n_rows, tasks=None if self._has_positions else self._tasks
            )
            half = answer.dtype.itemsize == 2
            if half and self._half is False:
                check_same_dtype(answer.dtype, np.dtype(np.float32))
            self._half = self._half or half
            answer = as_storable(answer)
            check_same_dtype(answer.dtype, parts[0].dtype if parts else answer.dtype)
            self._tasks = self._tasks or name_tasks(answer.shape[1])
            answer = self._by_position(answer)
            check_finite(
                answer, tasks=self._tasks, start=done, positions=self.positions
            )
            parts.append(answer)
            done += n_rows
            if progress is not None:
                progress(n_rows)
        return np.concatenate(parts)

    @property
    def rounded_to(self) -> str:
        """The half precision that was given, or that answers had; "" for none."""
        return self._rounded_to

    def _by_position(self, answers: NDArray[Any]) -> NDArray[Any]:
        """Return a table of answers with the axes of `dims`."""
        return (
            answers.reshape(len(answers), -1, len(self._tasks or ()))
            if self._has_positions
            else answers
        )

    def _of_output(
        self, value: object, n_rows: int, *, reverse: bool = False
    ) -> object:
        """Return a numpy output as answers, a table of them where it is a track;
        `reverse`: of the other strand.
        """
        if self._on_track is None:
            return value
        table = self._on_track.table(as_numbers(value), n_rows)
        self._tasks = self._on_track.names
        return self._on_track.answers(table, reverse=reverse)

    @abstractmethod
    def _answers(self, tokens: Tokens) -> Iterator[tuple[int, object]]:
        """Yield, batch by batch in order, the number of rows and the network's
        output.
        """


def _as_pairs(opposite: Any) -> tuple[tuple[str, str], ...]:
    try:
        pairs = tuple((str(one), str(other)) for one, other in opposite)
    except (TypeError, ValueError) as error:
        raise PredictorError(
            f"opposite={quoted(opposite)}: give pairs of tasks, such as "
            "[('plus', 'minus')]",
            argument="opposite",
        ) from error
    names = [name for pair in pairs for name in pair]
    if len(set(names)) < len(names):
        raise PredictorError(
            f"opposite={quoted(opposite)}: a task is in two pairs, or twice in one",
            argument="opposite",
        )
    return pairs


def check_same_dtype(
    dtype: np.dtype[Any], before: np.dtype[Any], who: str = "the predictor"
) -> None:
    """Raise PredictorError if answers have another precision than those before.

    Raises
    ------
    PredictorError
        If the two differ.

    Examples
    --------
    >>> check_same_dtype(np.dtype("f4"), np.dtype("f8"))
    Traceback (most recent call last):
    causalgia.errors.PredictorError: the predictor answers in float32 after float64; ...
    """
    if dtype != before:
        raise PredictorError(
            f"{who} answers in {dtype} after {before}; a trial has one precision"
        )


def as_distinct_names(names: object, what: str) -> tuple[str, ...]:
    """Return names as a tuple of distinct, non-empty strings.

    Raises
    ------
    PredictorError
        If they are empty, not strings, not printable, or not distinct.
    """
    given = as_names(names)
    if not given or not all(map(str.strip, given)):
        raise PredictorError(
            f"{what}s are one or more names, none of them empty, in the order of "
            f"the answers, such as ['K562', 'HepG2'], not {quoted(names)}"
        )
    half = next((name for name in given if _HALF_PAIR.search(name)), None)
    if half is not None:
        raise PredictorError(
            f"{what} {quoted(half)} holds half a surrogate pair, which cannot be stored"
        )
    unprintable = next((name for name in given if not name.isprintable()), None)
    if unprintable is not None:
        raise PredictorError(
            f"{what} {quoted(unprintable)} holds a line end or another character "
            "that cannot be printed"
        )
    twice = next((name for name, n in Counter(given).items() if n > 1), None)
    if twice is not None:
        raise PredictorError(
            f"{what} {quoted(twice)} is named twice in {quoted(list(given))}"
        )
    return given


def as_nonempty_text(value: object, name: str, meaning: str) -> str:
    """Return an option that must be non-empty text.

    Raises
    ------
    PredictorError
        If it is not text, or blank.
    """
    if not isinstance(value, str) or not value.strip():
        raise PredictorError(
            f"{name}={quoted(value)} must be a text that is not empty: {meaning}"
        )
    return value


def as_scale_in_words(value: object, name: str, meaning: str) -> str:
    """Return a scale that must be non-empty text on one line, as it stands within
    sentences of reports.

    Raises
    ------
    PredictorError
        If it is not text, blank, or not printable.
    """
    text = as_nonempty_text(value, name, meaning)
    if not text.isprintable():
        raise PredictorError(
            f"{name}={quoted(text)} holds a line end or another character that "
            "cannot be printed"
        )
    return text


def as_scale(scale: object, tasks: tuple[str, ...] | None) -> str | tuple[str, ...]:
    """Return the scale of all tasks, or one for each where they differ.

    Parameters
    ----------
    scale
        A text, a dict task -> text, or a text for each task.
    tasks
        The names of the tasks; None where they are not given.

    Raises
    ------
    PredictorError
        If a scale is not text, blank or not printable, a task unknown or missing, the
        number of scales not that of the tasks, or there are several and the tasks have
        no names.

    Examples
    --------
    >>> (
    ...     as_scale({"b": "log counts", "a": "share"}, ("a", "b")),
    ...     as_scale(["share", "share"], ("a", "b")),
    ... )
    (('share', 'log counts'), 'share')
    """
    meaning = "what the answers are measured on, such as 'log counts'"
    if isinstance(scale, str) or not isinstance(scale, Mapping | Sequence):
        return as_scale_in_words(scale, "scale", meaning)
    if tasks is None:
        raise PredictorError(
            f"scale={quoted(scale)} differs between tasks, whose names (tasks=) "
            "are not given",
            argument="scale",
        )
    if isinstance(scale, Mapping):
        unknown = [
            task for task in scale if not isinstance(task, str) or task not in tasks
        ]
        if unknown:
            raise PredictorError(
                f"scale: {quoted(unknown[0])} is not a task; the tasks are "
                f"{quoted(list(tasks))}"
            )
        missing = [task for task in tasks if task not in scale]
        if missing:
            raise PredictorError(f"scale: task {quoted(missing[0])} has none")
        scale = [scale[task] for task in tasks]
    if len(scale) != len(tasks):
        raise PredictorError(
            f"scale={quoted(scale)}: {len(scale)} for {len(tasks)} tasks; one for "
            "each, or one text for all, is taken",
            argument="scale",
        )
    texts = tuple(
        as_scale_in_words(one, f"scale of task {quoted(task)}", meaning)
        for task, one in zip(tasks, scale, strict=True)
    )
    return texts[0] if len(set(texts)) == 1 else texts


def _scales_in_words(tasks: Sequence[str], scales: Sequence[str]) -> str:
    """Return scales with the tasks that have them.

    Examples
    --------
    >>> _scales_in_words(
    ...     ["K562", "HepG2", "DNase"], ["log counts", "log counts", "share"]
    ... )
    'log counts (K562, HepG2), share (DNase)'
    """
    pairs = list(zip(tasks, scales, strict=True))
    parts = []
    for scale in dict.fromkeys(scales):
        of = [task for task, own in pairs if own == scale]
        parts.append(f"{scale} ({first_of(of, 4 if len(of) < 5 else 2)})")
    return first_of(parts, 5)


def as_version_name(fingerprint: object, what: str) -> str:
    """Return the user's name for this version of a callable or network; PredictorError
    if it is not text.
    """
    return as_nonempty_text(
        fingerprint, "fingerprint", f"it names this version of the {what}, such as 'v1'"
    )


def as_batch_size(value: object) -> int | Literal["auto"]:
    """Return a batch size as an int, or "auto".

    Raises
    ------
    PredictorError
        If it is neither "auto" nor a whole number of at least 1.
    """
    if isinstance(value, str) and value == "auto":
        return "auto"
    if not is_whole(value) or value < 1:
        raise PredictorError(
            f"batch_size={quoted(value)} must be a whole number of at least 1, or "
            "'auto'"
        )
    return int(value)


def check_predictor(value: object, call: str) -> None:
    """Raise PredictorError unless a value is a predictor; `call` names the call that it
    was given to.

    Examples
    --------
    >>> check_predictor(print, "run(design, predictor)")
    Traceback (most recent call last):
    ...
    causalgia.errors.PredictorError: run(design, predictor): a function is not a predictor
    """
    if not isinstance(value, Predictor):
        raise PredictorError(f"{call}: {type_in_words(value)} is not a predictor")


def as_token_rows(tokens: NDArray[Any]) -> Tokens:
    """Return tokens (n, length) as uint8 with at least one row and one position.

    Raises
    ------
    PredictorError
        If the shape or a token is invalid.
    """
    try:
        rows = as_token_array(tokens)
    except SequenceError as error:
        raise PredictorError(str(error)) from error
    if rows.ndim != 2 or not rows.size:
        raise PredictorError(
            "a predictor takes tokens (n, length) with at least one row and one "
            f"position, not {rows.shape}"
        )
    return rows


def check_finite(
    answers: NDArray[Any],
    *,
    tasks: tuple[str, ...],
    start: int = 0,
    positions: NDArray[np.int64] | None = None,
) -> None:
    """Raise NonFiniteError for NaN and infinite answers (n[, positions], tasks);
    `start` is the row of the first.

    Raises
    ------
    NonFiniteError
        Names the first such row, position and task.
    """
    finite = np.isfinite(answers)
    if finite.all():
        return
    row, *at, column = map(int, np.argwhere(~finite)[0])
    position = None if positions is None else int(positions[at[0]])
    raise non_finite(
        float(answers[row, *at, column]),
        row=start + row,
        task=tasks[column],
        position=position,
    )


def non_finite(
    value: float,
    *,
    row: int,
    task: str,
    model: str | None = None,
    position: int | None = None,
) -> NonFiniteError:
    """Return the error for a non-finite answer."""
    who = "the predictor" if model is None else f"model {quoted(model)}"
    where = "" if position is None else f", position {position}"
    detail = (
        f"task {quoted(task)}{where}: {who} answered {value}, from which no effect can "
        "be computed"
    )
    return NonFiniteError(
        f"sequence {row}, {detail}",
        row=row,
        task=task,
        value=value,
        detail=detail,
        position=position,
    )
