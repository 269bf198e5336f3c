"""Interventions: maps from unit to unit, as frozen values that print in do-notation,
and the layout of their edits.

An intervention may be random. Its randomness is keyed by its fingerprint and the unit's
id: an arm's draws do not change when another arm is added, and an intervention in two
arms (A, and A + B) makes the same draws in both.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import check_keys
from causalgia.design.null_model import Choice, NullModel
from causalgia.errors import DesignError, quoted
from causalgia.notes import Edit
from causalgia.streams import derive
from causalgia.types import Tokens, Units


@dataclass(frozen=True)
class WrittenSpan:
    """Bases that an earlier step wrote and a later one must not change."""

    start: int
    stop: int
    label: str


@dataclass(frozen=True)
class Layout:
    """The length of the sequence and the spans written so far, in current
    coordinates.
    """

    length: int
    written: tuple[WrittenSpan, ...] = ()

    def write(self, at: int, width: int, label: str) -> Layout:
        """Overwrite `width` bases at `at`.

        Raises
        ------
        DesignError
            If the pattern leaves the sequence or overlaps one written before.

        Examples
        --------
        >>> Layout(200).write(196, 7, "AGATAAG")
        Traceback (most recent call last):
        ...
        causalgia.errors.DesignError: 'AGATAAG' at 196 ends at 203, past the 200-bp background; ...
        """
        if width > self.length:
            raise DesignError(
                f"{quoted(label)} has {width} bases, more than the {self.length}-bp "
                "background"
            )
        if at + width > self.length:
            raise DesignError(
                f"{quoted(label)} at {at} ends at {at + width}, past the "
                f"{self.length}-bp background; the last valid start is "
                f"{self.length - width}"
            )
        self._check_overlap((at, at + width), f"'{label}' at {at}")
        return replace(
            self, written=(*self.written, WrittenSpan(at, at + width, label))
        )

    def read(self, span: tuple[int, int], verb: str) -> Layout:
        """Read the bases of a span, written or not."""
        if span[1] > self.length:
            raise DesignError(
                f"{verb} of x[{span[0]}:{span[1]}] ends past the {self.length}-bp "
                "background"
            )
        return self

    def disturb(self, span: tuple[int, int], verb: str) -> Layout:
        """Change the bases of a span that no earlier step wrote."""
        self.read(span, verb)
        self._check_overlap(span, f"{verb} of x[{span[0]}:{span[1]}]")
        return self

    def insert(self, at: int, width: int, label: str) -> Layout:
        """Insert `width` bases before the base at `at`; bases to the right are
        shifted.
        """
        if at > self.length:
            raise DesignError(
                f"insert of {quoted(label)} at {at} is past the end of the "
                f"{self.length}-bp background; the last valid place is {self.length}"
            )
        for w in self.written:
            if w.start < at < w.stop:
                raise DesignError(
                    f"insert of {quoted(label)} at {at} splits {quoted(w.label)} "
                    f"at {w.start}"
                )
        moved = tuple(
            replace(w, start=w.start + width, stop=w.stop + width)
            if w.start >= at
            else w
            for w in self.written
        )
        return Layout(self.length + width, (*moved, WrittenSpan(at, at + width, label)))

    def delete(self, span: tuple[int, int]) -> Layout:
        """Remove the bases of a span; bases to the right are shifted."""
        self.disturb(span, "deletion")
        width = span[1] - span[0]
        if width == self.length:
            raise DesignError(f"deletion of x[{span[0]}:{span[1]}] leaves no sequence")
        moved = tuple(
            replace(w, start=w.start - width, stop=w.stop - width)
            if w.start >= span[1]
            else w
            for w in self.written
        )
        return Layout(self.length - width, moved)

    def _check_overlap(self, span: tuple[int, int], what: str) -> None:
        for w in self.written:
            if w.start < span[1] and span[0] < w.stop:
                raise DesignError(
                    f"{what} overlaps {quoted(w.label)} at {w.start} (to {w.stop})"
                )


Span = tuple[int, int]


class Intervention(Choice):
    """A map unit -> unit. `a + b` does a, then b; ``str(a)`` is its do-notation.

    Examples
    --------
    >>> import causalgia as cg
    >>> site = cg.Embed("GATA", at=20) + cg.Scramble((40, 50))
    >>> isinstance(site, cg.design.Intervention), str(site)
    (True, 'do(x[20:24] = GATA, x[40:50] ~ scrambled)')
    """

    kind: ClassVar[str]
    #: the field whose value a trial file gives behind the kind: ``scramble = [10, 20]``
    main_field: ClassVar[str] = "span"

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Intervention:
        """Return the intervention of a table that has its kind as a key, as `to_dict`
        or a user wrote it.

        Raises
        ------
        DesignError
            If it needs a position and has none, or a value is invalid.
        """
        main, options = plain.pop(cls.kind), plain
        given = [field.name for field in fields(cls) if field.init]  # type: ignore[arg-type]
        names = [name for name in given if name != cls.main_field]
        check_keys(options, cls.kind, names)
        if "at" in names and options.get("at") is None:
            raise DesignError(f"{cls.kind} needs at = a 0-based position")
        if "fill" in names:
            options.setdefault("fill", None)  # is refused with the fills that there are
        return cls._from_main(main, options)

    @classmethod
    def _from_main(cls, main: Any, options: dict[str, Any]) -> Intervention:
        make: Any = cls
        made: Self = make(main, **options)
        return made

    def edit(self) -> Edit:
        """Return sites, width and letters of the edit; a site of its own in each
        sequence is not known.
        """
        return Edit(self.kind, sites=None)

    def spans_of(self, units: Units) -> NDArray[np.int64]:
        """Return start and stop of all that is edited in each unit, (n, 2); (n, 0)
        where nothing is.
        """
        ends = [(at, at + width) for at, width in self.edit().sites or ()]
        span = [min(at for at, _ in ends), max(at for _, at in ends)] if ends else []
        return np.tile(np.array(span, np.int64), (len(units), 1))

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
        """Return the layout after the intervention, or raise DesignError if it does not
        fit.
        """

    def check_units(self, null: NullModel, n_units: int) -> None:
        """Raise DesignError if the intervention cannot be applied to `n_units` units of
        a null model.
        """

    def for_draws(self, n_draws: int) -> Intervention:  # noqa: ARG002
        """Return the same intervention for units that come `n_draws` in a row from each
        given sequence.
        """
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
        return (
            steps[0] if len(steps) == 1 else Sequential(steps) if steps else Untreated()
        )

    def identity(self) -> dict[str, Any]:
        return self.to_dict()

    def _stream(self, key: int) -> int:
        return derive(key, "intervention", self.fingerprint)


def steps_of(intervention: Intervention) -> tuple[Intervention, ...]:
    """Return the steps of an intervention, in order; none if it leaves the background
    untreated.
    """
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
    terms: ClassVar[tuple[str, ...]] = ()

    def lay(self, layout: Layout) -> Layout:
        return layout

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:  # noqa: ARG002
        return tokens

    def to_dict(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Sequential(Intervention):
    """Several interventions, one after the other; written ``a + b``.

    Positions in each step refer to the sequence after the step before. A step that
    would change bases written by an earlier step raises DesignError.
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

    def spans_of(self, units: Units) -> NDArray[np.int64]:
        found = [step.spans_of(units) for step in self.steps]
        starts = np.concatenate([span[:, :1] for span in found], axis=1)
        stops = np.concatenate([span[:, 1:] for span in found], axis=1)
        ends = (starts.min(axis=1), stops.max(axis=1)) if starts.size else ()
        return np.stack(ends, axis=1) if ends else starts

    def check_units(self, null: NullModel, n_units: int) -> None:
        for step in self.steps:
            step.check_units(null, n_units)

    def for_draws(self, n_draws: int) -> Intervention:
        return Sequential(tuple(step.for_draws(n_draws) for step in self.steps))

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        for i, step in enumerate(self.steps):
            # a repeated step draws anew; the first one draws as it does alone
            again = self.steps[:i].count(step)
            tokens = step.apply(
                tokens, units=units, key=derive(key, "again", again) if again else key
            )
        return tokens

    def identity(self) -> dict[str, Any]:
        return {"steps": [step.identity() for step in self.steps]}

    def to_dict(self) -> dict[str, Any]:
        return {"steps": [step.to_dict() for step in self.steps]}

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.steps))
