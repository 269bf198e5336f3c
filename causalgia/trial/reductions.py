"""What is kept of the outcomes of a turn: all of them, or what becomes of them where they were answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from numpy.typing import NDArray

NamedArrays: TypeAlias = dict[str, NDArray[Any]]


class TurnReduction(Protocol):
    """What is kept of a trial's outcomes; it is sent to where a turn is answered, so it can be pickled."""

    @property
    def name(self) -> str:
        """The word for it: what ``keep=`` says, and what a store is told apart by."""

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """The dims of each array that `reduce` returns, "unit" first and "model", where there are models, last."""

    def reduce(self, outcome: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return what is kept of the outcomes of some units, (units, arms, tasks[, models]), a row for each unit.

        Where the members of an ensemble are asked apart, `outcome` has those of one of them, without the last axis.
        """


@dataclass(frozen=True)
class AllOutcomes:
    """Keeps the outcomes as they are.

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
        """Those of the outcome."""
        return {"outcome": self.outcome}

    def reduce(self, outcome: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the outcomes."""
        return {"outcome": outcome}


@runtime_checkable
class RunningSums(TurnReduction, Protocol):
    """Keeps running sums alone: turns are taken in their order, whoever answered them and whenever.

    What `reduce` returns is handed to `take` and forgotten; sums over the first turns can be read and put back.
    """

    def take(self, parts: dict[str, NDArray[Any]]) -> None:
        """Take in what `reduce` returned for the next turn, with the units' own parts (parent, gc)."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the sums so far, as arrays."""

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Put back sums that `state` returned; StoreError where they are none that it returns."""
