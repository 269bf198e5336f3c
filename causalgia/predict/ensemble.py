"""Ensembles: several predictors of the same tasks, on the dim ``model``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from os import PathLike
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import PredictorError, quoted, type_in_words
from causalgia.predict.answer_checks import abridged
from causalgia.predict.fingerprint import UNREAD, digest
from causalgia.predict.predictor import (
    NonFiniteError,
    Predictor,
    Progress,
    as_distinct_names,
    as_token_rows,
    non_finite,
)
from causalgia.types import Tokens

Members: TypeAlias = Literal["seeds", "folds", "architectures"]


class Ensemble(Predictor):
    """Predictors trained for the same tasks, kept apart on the dim `model`.

    The spread between networks is uncertainty that no number of units removes, so the
    answers are not averaged here: outcomes keep one value per network, (n, tasks,
    models), and estimation decides.

    Parameters
    ----------
    predictors
        At least two, each with the same tasks on the same scale; or a dict, name ->
        predictor.
    names
        A name for each; by default the keys of the dict, else "model 0", "model 1", ...
    differ_by
        The population of which the members are a sample: ``"seeds"``, retrainings of
        one architecture on one data set; ``"folds"``, trainings on other parts of the
        data (they are not exchangeable with retrainings: each lacks other data);
        ``"architectures"``, other networks. Stored as attrs["model_is"] of the
        outcomes, and given in reports.

    Raises
    ------
    PredictorError
        If there are fewer than two, one is an Ensemble itself, a dict comes with
        `names`, a member's tasks or scale differ (the member is named), or two members
        are one network: of equal fingerprint, or (where a fingerprint cannot read the
        whole of a predictor) of equal answers. They would count as two retrainings that
        agree.

    Examples
    --------
    >>> import numpy as np
    >>> from causalgia.predict import FunctionPredictor
    >>> a, c = (
    ...     FunctionPredictor(lambda x, row=row: x[:, row].sum(-1), tasks=["count"])
    ...     for row in (0, 1)
    ... )
    >>> pair = Ensemble({"A": a, "C": c})
    >>> pair.predict(np.array([[0, 0, 1]], np.uint8))
    array([[[2., 1.]]], dtype=float32)
    """

    models: tuple[str, ...]

    def __init__(
        self,
        predictors: Sequence[Predictor] | Mapping[str, Predictor],
        *,
        names: Sequence[str] | None = None,
        differ_by: Members = "seeds",
    ) -> None:
        if differ_by not in get_args(Members):
            raise PredictorError(
                f"differ_by={quoted(differ_by)} is not one of "
                f"{', '.join(map(quoted, get_args(Members)))}: say what another "
                "member would be"
            )
        if isinstance(predictors, str | PathLike):
            raise PredictorError(
                f"an Ensemble takes predictors, and {quoted(str(predictors))} is a path"
            )
        self.differ_by: Members = differ_by
        self.members, names = _as_members(predictors, names)
        if len(self.members) < 2:
            raise PredictorError(
                f"an Ensemble has at least two predictors, not {len(self.members)}: "
                "one cannot show how networks differ"
            )
        given = (
            [f"model {i}" for i in range(len(self.members))] if names is None else names
        )
        self.models = as_distinct_names(given, "model")
        if len(self.models) != len(self.members):
            raise PredictorError(
                f"{len(self.models)} names for {len(self.members)} predictors"
            )
        for name, member in zip(self.models, self.members, strict=True):
            _check_member(name, member)
        self.scale, self.task_scales = (
            self.members[0].scale,
            self.members[0].task_scales,
        )
        self._check_agreement()
        # refuse two members of one fingerprint; return the pairs of which fingerprints
        # cannot tell
        prints = [member.fingerprint for member in self.members]
        alike = [
            (i, j)
            for i, j in combinations(range(len(prints)), 2)
            if prints[i] == prints[j]
        ]
        for i, j in alike:
            if self.members[i] is self.members[j] or not prints[i].endswith(UNREAD):
                raise self._one_twice(i, j, f"have the same fingerprint ({prints[i]})")
        self._unread = tuple(alike)

    def __repr__(self) -> str:
        differ_by = (
            "" if self.differ_by == "seeds" else f", differ_by={self.differ_by!r}"
        )
        return f"Ensemble({abridged(self.models)}, scale={self.scale!r}{differ_by})"

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the outputs, as given by every member that knows them."""
        known = [
            tasks
            for member in self.members
            if (tasks := _known(member, "tasks")) is not None
        ]
        return known[0] if known else self.members[0].tasks

    @property
    def dims(self) -> tuple[str, ...]:
        """Dims of an answer: those of a member, and model."""
        return (*self.members[0].dims, "model")

    @property
    def positions(self) -> NDArray[np.int64] | None:
        """Positions of the members' tracks."""
        return self.members[0].positions

    @property
    def bin(self) -> int | None:
        """Bases in a bin of the members' tracks."""
        return self.members[0].bin

    @property
    def fingerprint(self) -> str:
        """Digest of the members' fingerprints and names."""
        return digest(
            "ensemble", self.models, *(member.fingerprint for member in self.members)
        )

    @property
    def fingerprint_parts(self) -> dict[str, str]:
        """Fingerprint parts of every member."""
        members = zip(self.models, self.members, strict=True)
        return {
            f"{part} of {name!r}": known
            for name, member in members
            for part, known in (
                member.fingerprint_parts or {"fingerprint": member.fingerprint}
            ).items()
        }

    @property
    def precision(self) -> np.dtype[Any]:
        """The coarsest precision of the members."""
        return min(
            (member.precision for member in self.members),
            key=lambda dtype: dtype.itemsize,
        )

    @property
    def parts(self) -> tuple[Predictor, ...]:
        """The members."""
        return self.members

    def resolve_batch_size(self, length: int) -> int:
        """Return the largest batch size of the members; each member splits it to its
        own.
        """
        return max(member.resolve_batch_size(length) for member in self.members)

    def batches(self) -> dict[int, int]:
        """Return, for each length, the smallest batch size that a member has fixed."""
        found = [item for member in self.members for item in member.batches().items()]
        return {
            length: min(size for at, size in found if at == length)
            for length, _ in found
        }

    def fix_batches(self, sizes: Mapping[int, int]) -> None:
        """Give every member the same batch sizes."""
        for member in self.members:
            member.fix_batches(sizes)

    def with_incremental_edits(self, length: int) -> Predictor:
        """Return an ensemble of the members with edits recomputed in part, itself where
        that is no gain for any.
        """
        made = [member.with_incremental_edits(length) for member in self.members]
        same = all(one is other for one, other in zip(made, self.members, strict=True))
        return (
            self
            if same
            else Ensemble(made, names=self.models, differ_by=self.differ_by)
        )

    def predict(
        self, tokens: Tokens, *, progress: Progress | None = None
    ) -> NDArray[Any]:
        """Answer for each row of tokens (n, length): (n, tasks, models).

        `progress` counts rows that all members have answered.

        Raises
        ------
        PredictorError
            If a member cannot answer, or the members turn out to have different tasks;
            names the member.
        """
        rows = as_token_rows(tokens)
        size = self.resolve_batch_size(rows.shape[1])
        parts = []
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            named = zip(self.models, self.members, strict=True)
            answers = [self._ask(name, member, chunk, start) for name, member in named]
            self._check_agreement()
            for i, j in self._unread:
                if (answers[i] != answers[i][:1]).any() and np.array_equal(
                    answers[i], answers[j]
                ):
                    raise self._one_twice(
                        i, j, "gave the same answers to every sequence"
                    )
            parts.append(np.stack(answers, axis=-1))
            if progress is not None:
                progress(len(chunk))
        return np.concatenate(parts)

    def _ask(
        self, name: str, member: Predictor, chunk: Tokens, start: int
    ) -> NDArray[Any]:
        try:
            return member.predict(chunk)
        except NonFiniteError as error:
            at = start + error.row
            raise non_finite(
                error.value,
                row=at,
                task=error.task,
                model=name,
                position=error.position,
            ) from error
        except PredictorError as error:
            raise type(error)(f"model {quoted(name)}: {error}") from error

    def _one_twice(self, i: int, j: int, why: str) -> PredictorError:
        return PredictorError(
            f"models {quoted(self.models[i])} and {quoted(self.models[j])} {why}: they "
            "are one network, which would count as two that agree"
        )

    def _check_positions(self, name: str, member: Predictor) -> None:
        """Raise PredictorError if a member's track is not that of the first."""
        first = self.members[0]
        if (member.dims, member.bin) == (first.dims, first.bin):
            one, other = _known(first, "positions"), _known(member, "positions")
            if one is None or other is None or np.array_equal(one, other):
                return
        raise PredictorError(
            f"model {quoted(name)} answers {_track_in_words(member)}, "
            f"{quoted(self.models[0])} {_track_in_words(first)}"
        )

    def _check_agreement(self) -> None:
        tasks: tuple[str, ...] | None = None
        for name, member in zip(self.models, self.members, strict=True):
            if (member.scale, member.task_scales) != (self.scale, self.task_scales):
                raise PredictorError(
                    f"model {quoted(name)} answers on scale {quoted(member.scale)}, "
                    f"{quoted(self.models[0])} on {quoted(self.scale)}"
                )
            self._check_positions(name, member)
            own = _known(member, "tasks")
            tasks = own if tasks is None else tasks
            if own is not None and own != tasks:
                raise PredictorError(
                    f"model {quoted(name)} has tasks {quoted(list(own))}, the one "
                    f"before it {quoted(list(tasks or ()))}"
                )


def _as_members(
    predictors: object, names: Sequence[str] | None
) -> tuple[tuple[Predictor, ...], Sequence[str] | None]:
    """Return the predictors of a list or of a dict, and their names; None where there
    are none.
    """
    if isinstance(predictors, Mapping):
        if names is not None:
            raise PredictorError(
                f"names={quoted(list(names))} and the dict's own keys "
                f"{quoted(list(predictors))} both name the models"
            )
        return tuple(predictors.values()), list(predictors)
    if isinstance(predictors, Iterable):
        return tuple(predictors), names
    raise PredictorError(
        "an Ensemble takes a list of predictors, at least two, not "
        f"{type_in_words(predictors)}"
    )


def _check_member(name: str, member: object) -> None:
    if not isinstance(member, Predictor):
        raise PredictorError(
            f"model {quoted(name)} is {type_in_words(member)}, not a predictor"
        )
    if member.models is not None:
        raise PredictorError(f"model {quoted(name)} is an ensemble itself")


def _known(member: Predictor, name: str) -> Any:
    """Return the tasks or the positions of a member; None before its first answer."""
    try:
        return getattr(member, name)
    except PredictorError:
        return None


def _track_in_words(member: Predictor) -> str:
    if "position" not in member.dims:
        return "one number for each task"
    known = _known(member, "positions")
    extent = "" if known is None else f" {known[0]} to {known[-1]}"
    return f"positions{extent} in bins of {member.bin} bp"


def reference_of(predictor: Predictor) -> Predictor | None:
    """Return the same network, or ensemble, in float64; None if it is in float64
    already or cannot be converted.

    Examples
    --------
    >>> import causalgia as cg
    >>> reference_of(cg.FunctionPredictor(lambda x: x[:, 0].mean(1))) is None
    True
    """
    makers = [getattr(part, "reference", None) for part in predictor.parts]
    if any(make is None for make in makers) or predictor.precision.itemsize == 8:
        return None
    try:
        parts = [make() for make in makers if make is not None]
    except PredictorError:
        return None
    return (
        parts[0]
        if predictor.models is None
        else Ensemble(
            parts, names=predictor.models, differ_by=predictor.differ_by or "seeds"
        )
    )
