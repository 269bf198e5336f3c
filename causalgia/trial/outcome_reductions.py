"""Reductions of the outcomes of a turn: all outcomes, or quantities computed where they were answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from numpy.typing import NDArray

NamedArrays: TypeAlias = dict[str, NDArray[Any]]


class TurnReduction(Protocol):
    """Reduction of a turn's outcomes; it is sent to workers, so it can be pickled."""

    @property
    def name(self) -> str:
        """The value of ``keep=``, which is part of the identity of a store."""

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """The dims of each array that `reduce` returns: "unit" first and "model", where there are models, last."""

    def reduce(self, outcome: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the reduced outcomes of some units, (units, arms, tasks[, models]), a row for each unit.

        Where the members of an ensemble are asked separately, `outcome` is that of one member, without the last axis.
        """


@dataclass(frozen=True)
class AllOutcomes:
    """Keeps the outcomes unchanged.

    Attributes
    ----------
    outcome
        Their dims.
    """

    outcome: tuple[str, ...]

    @property
    def name(self) -> str:
        """``"outcomes"``."""
        return "outcomes"

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """The dims of the outcome."""
        return {"outcome": self.outcome}

    def reduce(self, outcome: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the outcomes."""
        return {"outcome": outcome}


@runtime_checkable
class RunningSums(TurnReduction, Protocol):
    """Keeps running sums only; turns are taken in order, whoever answered them.

    The result of `reduce` is handed to `take` and dropped; sums over the first turns can be saved and restored.
    """

    def take(self, parts: dict[str, NDArray[Any]]) -> None:
        """Add the reduced outcomes of the next turn, with the units' own coordinates (parent, gc)."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the sums so far, as arrays."""

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Restore sums that `state` returned; StoreError if they are not such sums."""
