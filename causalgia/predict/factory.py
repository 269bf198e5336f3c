"""Predictors that each process builds for itself from a function."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import CausalgiaError, PredictorError, quoted
from causalgia.predict.answer_checks import one_line
from causalgia.predict.fingerprint import UNREAD, fingerprint_of
from causalgia.predict.predictor import EditSession, Predictor, Progress
from causalgia.types import Tokens

_MADE: dict[str, Predictor] = {}
_MAKING = threading.RLock()


def build_once(key: str, build: Callable[[], Predictor]) -> Predictor:
    """Return the result of `build`, called once in each process for each key."""
    with _MAKING:
        if key not in _MADE:
            _MADE[key] = build()
        return _MADE[key]


class PredictorFactory(Predictor):
    """A predictor that each process builds for itself, by calling a function, when it is first asked.

    Use it for a predictor that cannot be pickled (an open session, a handle of another library): only the function is
    sent to workers, and each builds the predictor once; again if the one built before has another fingerprint.

    Parameters
    ----------
    build
        Takes nothing and returns a predictor, the same in every process.

    Raises
    ------
    PredictorError
        If `build` is not callable; at the first question, if it fails or does not return the predictor that it returned
        in the sending process.

    Examples
    --------
    >>> from causalgia.predict import FunctionPredictor
    >>> def build():
    ...     session = np.ones(4)  # stands for an object that cannot be pickled
    ...     return FunctionPredictor(lambda x: session @ x.sum(-1).T, tasks=["length"])
    >>> PredictorFactory(build).predict(np.zeros((1, 7), np.uint8))
    array([[7.]])
    """

    def __init__(self, build: Callable[[], Predictor]) -> None:
        if not callable(build):
            msg = f"PredictorFactory takes a function that returns a predictor, not {quoted(build)}"
            raise PredictorError(msg)
        self._build = build
        identity = fingerprint_of(build)
        self._key = identity if not identity.endswith(UNREAD) else uuid.uuid4().hex
        self._sizes: dict[int, int] = {}
        self._chosen: dict[str, bool] | None = None
        self._own: Predictor | None = None
        self._expected = ""

    def __getstate__(self) -> dict[str, Any]:
        """Return the function, the fingerprint of the predictor, and the fixed batch sizes and choices."""
        chosen = self._chosen if self._own is None else self.choices()
        return {**vars(self), "_sizes": self.batches(), "_chosen": chosen, "_own": None}

    def __repr__(self) -> str:
        return f"PredictorFactory({getattr(self._build, '__qualname__', type(self._build).__name__)})"

    @property
    def made(self) -> Predictor:
        """The predictor, built at the first access.

        Raises
        ------
        PredictorError
            If the function fails, or returns no predictor.
        """
        with _MAKING:
            if self._own is None:
                self._own = build_once(f"{self._key} {self._expected}", self._make) if self._expected else self._make()
        if self._sizes:
            self._own.fix_batches(self._sizes)
            self._sizes = {}
        if self._chosen is not None:
            self._own.choose(self._chosen)
            self._chosen = None
        return self._own

    def _make(self) -> Predictor:
        try:
            made = self._build()
        except CausalgiaError:
            raise
        except Exception as error:
            msg = f"{quoted(self)}: the function raised {one_line(error)}; it must return a predictor on every machine"
            raise PredictorError(msg) from error
        _check_is_predictor(made, quoted(self))
        fingerprint = made.fingerprint  # before any prediction: a network may count its calls
        if self._expected and fingerprint != self._expected:
            msg = (
                f"{quoted(self)}: the function makes another predictor here ({fingerprint}) than where it was sent "
                f"from ({self._expected}); give every machine the same files, and the same code"
            )
            raise PredictorError(msg)
        self._expected = fingerprint
        for earlier in [key for key in _MADE if key.startswith(f"{self._key} ")]:
            del _MADE[earlier]
        _MADE[f"{self._key} {fingerprint}"] = made
        return made

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return self.made.tasks

    @property
    def dims(self) -> tuple[str, ...]:
        """Dims of an answer."""
        return self.made.dims

    @property
    def positions(self) -> NDArray[np.int64] | None:
        """Positions of a track."""
        return self.made.positions

    @property
    def bin(self) -> int | None:
        """Bases in a bin of a track."""
        return self.made.bin

    @property
    def scale(self) -> str:  # type: ignore[override]
        """What the answers are measured on."""
        return self.made.scale

    @property
    def task_scales(self) -> tuple[str, ...] | None:  # type: ignore[override]
        """The scale of each task, where they differ."""
        return self.made.task_scales

    @property
    def models(self) -> tuple[str, ...] | None:  # type: ignore[override]
        """Names of an ensemble's members."""
        return self.made.models

    @property
    def of(self) -> Literal["seeds", "folds", "architectures"] | None:  # type: ignore[override]
        """What population an ensemble's members are drawn from."""
        return self.made.of

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the built predictor: a trial does not depend on where it was built."""
        return self.made.fingerprint

    @property
    def fingerprint_parts(self) -> dict[str, str]:
        """Fingerprint parts of the built predictor."""
        return self.made.fingerprint_parts

    @property
    def precision(self) -> np.dtype[Any]:
        """Coarsest floating dtype that the answers are computed in."""
        return self.made.precision

    @property
    def parts(self) -> tuple[Predictor, ...]:
        """The members of an ensemble, else this."""
        return (self,) if self.made.models is None else self.made.parts

    def resolve_batch_size(self, length: int) -> int:
        """Return how many sequences go through the network at once."""
        return self.made.resolve_batch_size(length)

    def batches(self) -> dict[int, int]:
        """Return the batch sizes that are fixed so far, by length."""
        return self._sizes if self._own is None else self._own.batches() | self._sizes

    def fix_batches(self, sizes: Mapping[int, int]) -> None:
        """Use the batch sizes of an earlier run, by length."""
        self._sizes = {**self._sizes, **sizes}

    def choices(self) -> dict[str, bool]:
        """Return which edits are recomputed in part, as far as that was tried."""
        chosen = self._chosen or {}
        return chosen if self._own is None else self._own.choices() | chosen

    def choose(self, choices: Mapping[str, bool]) -> None:
        """Use the choices of an earlier run."""
        self._chosen = {**(self._chosen or {}), **choices}

    @property
    def incremental(self) -> bool:  # type: ignore[override]
        """Whether edits may be recomputed in part."""
        return self.made.incremental

    def backgrounds_at_once(self, length: int) -> int:
        """Return how many backgrounds a session of `edits` holds."""
        return self.made.backgrounds_at_once(length)

    def settle(self, base: Tokens, edited: Tokens, rows: NDArray[np.int64]) -> None:
        """Decide which edits are recomputed in part."""
        self.made.settle(base, edited, rows)

    def with_incremental_edits(self, length: int) -> Predictor:
        """Return the built predictor with edits recomputed in part, this where that is no gain."""
        made = self.made.with_incremental_edits(length)
        return self if made is self.made else made

    def edits(self, base: Tokens) -> EditSession:
        """Return a session for edited versions of backgrounds."""
        return self.made.edits(base)

    def predict(self, tokens: Tokens, *, progress: Progress | None = None) -> NDArray[Any]:
        """Answer for each row of tokens (n, length)."""
        return self.made.predict(tokens, progress=progress)


def _check_is_predictor(made: object, call: str) -> None:
    if not isinstance(made, Predictor):
        msg = f"{call}: the function returned a {type(made).__name__}; return cg.TorchPredictor(...) or the like"
        raise PredictorError(msg)
