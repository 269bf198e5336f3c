"""Interventions: maps from unit to unit, as frozen values that print in do-notation.

An intervention may be random. Its randomness is keyed by its fingerprint and the unit's id: an arm's draws do not
change when another arm is added, and an intervention in two arms (A, and A + B) makes the same draws in both.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from causalgia.design.frozen_choice import Choice
from causalgia.design.layout import Layout
from causalgia.design.null_model import NullModel
from causalgia.streams import derive
from causalgia.types import Tokens, Units

Span = tuple[int, int]


class Intervention(Choice):
    """A map unit -> unit. `a + b` does a, then b; ``str(a)`` is its do-notation."""

    kind: ClassVar[str]

    @property
    def random(self) -> bool:
        """Whether the intervention draws anything of its own."""
        return False

    @property
    @abstractmethod
    def terms(self) -> tuple[str, ...]:
        """The assignments inside do(...)."""

    @abstractmethod
    def lay(self, layout: Layout) -> Layout:
        """Return the layout after the intervention, or raise DesignError if it does not fit."""

    def check_units(self, null: NullModel, n_units: int) -> None:
        """Raise DesignError if the intervention cannot be applied to `n_units` units of a null model."""

    @property
    def turns(self) -> int:
        """Number of sites that the draws of a given sequence use in turn."""
        return 1

    def for_draws(self, n_draws: int) -> Intervention:  # noqa: ARG002
        """Return the same intervention for units that come `n_draws` in a row from each given sequence."""
        return self

    @abstractmethod
    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        """Return the edited sequences.

        Parameters
        ----------
        tokens
            Backgrounds, (n, L) uint8.
        units
            Unit id of each row, (n,).
        key
            Root key of the trial; draws depend on (key, fingerprint, unit) alone.
        """

    def __str__(self) -> str:
        return f"do({', '.join(self.terms)})"

    def __add__(self, other: object) -> Intervention:
        if not isinstance(other, Intervention):
            return NotImplemented
        steps = (*steps_of(self), *steps_of(other))
        return steps[0] if len(steps) == 1 else Sequential(steps) if steps else Untreated()

    def identity(self) -> dict[str, Any]:
        return self.to_dict()

    def _stream(self, key: int) -> int:
        return derive(key, "intervention", self.fingerprint)


def steps_of(intervention: Intervention) -> tuple[Intervention, ...]:
    """Return the steps of an intervention, in order; none if it leaves the background untreated."""
    if isinstance(intervention, Sequential):
        return intervention.steps
    return () if isinstance(intervention, Untreated) else (intervention,)


@dataclass(frozen=True)
class Untreated(Intervention):
    """No edit: the background as it was drawn.

    Examples
    --------
    >>> import causalgia as cg
    >>> print(cg.Untreated())
    do()
    """

    kind: ClassVar[str] = "untreated"

    @property
    def terms(self) -> tuple[str, ...]:
        return ()

    def lay(self, layout: Layout) -> Layout:
        return layout

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:  # noqa: ARG002
        return tokens

    def to_dict(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Sequential(Intervention):
    """Several interventions, one after the other; written ``a + b``.

    Positions in each step refer to the sequence after the step before. A step that would change bases written by an
    earlier step raises DesignError.
    """

    steps: tuple[Intervention, ...]
    kind: ClassVar[str] = "sequential"

    @property
    def random(self) -> bool:
        return any(step.random for step in self.steps)

    @property
    def terms(self) -> tuple[str, ...]:
        return tuple(term for step in self.steps for term in step.terms)

    def lay(self, layout: Layout) -> Layout:
        for step in self.steps:
            layout = step.lay(layout)
        return layout

    def check_units(self, null: NullModel, n_units: int) -> None:
        for step in self.steps:
            step.check_units(null, n_units)

    @property
    def turns(self) -> int:
        return math.lcm(*(step.turns for step in self.steps))

    def for_draws(self, n_draws: int) -> Intervention:
        return Sequential(tuple(step.for_draws(n_draws) for step in self.steps))

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        for i, step in enumerate(self.steps):
            again = self.steps[:i].count(step)  # a repeated step draws anew; the first one draws as it does alone
            tokens = step.apply(tokens, units=units, key=derive(key, "again", again) if again else key)
        return tokens

    def identity(self) -> dict[str, Any]:
        return {"steps": [step.identity() for step in self.steps]}

    def to_dict(self) -> dict[str, Any]:
        return {"steps": [step.to_dict() for step in self.steps]}

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.steps))
