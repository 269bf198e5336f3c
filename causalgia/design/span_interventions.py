"""Interventions on given bases: delete, scramble, ablate, mutate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from causalgia.design.fills import FILLS, drawn_fill, shuffled
from causalgia.design.intervention import Intervention
from causalgia.design.layout import Layout
from causalgia.design.numbers import Span, position, span_of
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError, quoted
from causalgia.sequences import edits
from causalgia.types import Tokens, Units


@dataclass(frozen=True)
class _Spanned(Intervention):
    """Interventions on the bases from start to stop."""

    span: Span

    def __post_init__(self) -> None:
        object.__setattr__(self, "span", span_of(self.span))

    @property
    def _place(self) -> str:
        return f"x[{self.span[0]}:{self.span[1]}]"

    def lay(self, layout: Layout) -> Layout:
        return layout.disturb(self.span, self.kind)


@dataclass(frozen=True)
class Delete(_Spanned):
    """Remove the bases of a span; the length shrinks.

    Parameters
    ----------
    span
        (start, stop), 0-based, stop excluded.

    Examples
    --------
    >>> import causalgia as cg
    >>> print(cg.Delete((10, 20)))
    do(delete x[10:20])
    """

    kind: ClassVar[str] = "delete"

    @property
    def terms(self) -> tuple[str, ...]:
        return (f"delete {self._place}",)

    def lay(self, layout: Layout) -> Layout:
        return layout.delete(self.span)

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:  # noqa: ARG002
        return edits.delete(tokens, span=self.span)

    def to_dict(self) -> dict[str, Any]:
        return {self.kind: list(self.span)}


@dataclass(frozen=True)
class Scramble(_Spanned):
    """Shuffle each unit's own bases inside a span: a new arrangement for every unit.

    Parameters
    ----------
    span
        (start, stop), 0-based, stop excluded.
    k
        k-let counts of the span that are kept: 1 composition, 2 dinucleotides.

    Examples
    --------
    >>> import causalgia as cg
    >>> print(cg.Scramble((10, 20)))
    do(x[10:20] ~ scrambled)
    """

    k: int = field(default=1, kw_only=True)
    kind: ClassVar[str] = "scramble"

    def __post_init__(self) -> None:
        super().__post_init__()
        width = self.span[1] - self.span[0]
        if isinstance(self.k, bool) or not isinstance(self.k, int) or not 1 <= self.k <= min(width, 10):
            raise DesignError(
                f"scramble of {self._place}: k={quoted(self.k)} must be a whole number from 1 to {min(width, 10)}"
            )

    @property
    def random(self) -> bool:
        return True

    @property
    def terms(self) -> tuple[str, ...]:
        return (f"{self._place} ~ scrambled" + (f" (k = {self.k})" if self.k > 1 else ""),)

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        own = tokens[:, slice(*self.span)]
        return edits.overwrite(tokens, shuffled(own, self.k, units, self._stream(key)), at=self.span[0])

    def to_dict(self) -> dict[str, Any]:
        return {self.kind: list(self.span), **({"k": self.k} if self.k > 1 else {})}


@dataclass(frozen=True)
class Ablate(_Spanned):
    """Replace the bases of a span by bases that carry no signal.

    Parameters
    ----------
    span
        (start, stop), 0-based, stop excluded.
    fill
        ``"uniform"`` draws random bases for each unit, ``"shuffle"`` and ``"dinucleotide_shuffle"`` rearrange the
        unit's own; one base (``"A"``) or a word of the span's width writes that, IUPAC letters draw. No default:
        what stands in for "nothing" is part of the question.

    Examples
    --------
    >>> import causalgia as cg
    >>> print(cg.Ablate((10, 20), fill="uniform"))
    do(x[10:20] ~ uniform)
    """

    fill: str = field(kw_only=True)
    kind: ClassVar[str] = "ablate"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.fill, str) or self.fill not in FILLS:
            object.__setattr__(self, "fill", self._literal(self.fill))

    def _literal(self, fill: object) -> str:
        width = self.span[1] - self.span[0]
        choices = f"fill={quoted(fill)} must be one of {', '.join(FILLS)}, one base, or a word of {width} bases"
        try:
            reads = as_pattern(fill).reads
        except DesignError as error:
            raise DesignError(f"ablation of {self._place}: {choices}") from error
        if not isinstance(reads, str) or len(reads) not in (1, width):
            raise DesignError(f"ablation of {self._place}: {choices}")
        return reads[0] if len(set(reads)) == 1 else reads

    @property
    def random(self) -> bool:
        return self.fill in FILLS or as_pattern(self.fill).random

    @property
    def terms(self) -> tuple[str, ...]:
        return (f"{self._place} {'~' if self.random else '='} {self.fill}",)

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        return edits.overwrite(tokens, self._piece(tokens, units, self._stream(key)), at=self.span[0])

    def _piece(self, tokens: Tokens, units: Units, key: int) -> Tokens:
        if self.fill in FILLS:
            return drawn_fill(self.fill, tokens[:, slice(*self.span)], units, key)
        width = self.span[1] - self.span[0]
        return as_pattern(self.fill * width if len(self.fill) == 1 else self.fill).instances(units, key)

    def to_dict(self) -> dict[str, Any]:
        return {self.kind: list(self.span), "fill": self.fill}


@dataclass(frozen=True, kw_only=True)
class Mutate(Intervention):
    """Substitute single bases.

    Parameters
    ----------
    at
        A position, or several.
    to
        The new base at each position, one letter for each; an IUPAC letter draws a base for each unit.

    Examples
    --------
    >>> import causalgia as cg
    >>> print(cg.Mutate(at=(17, 19), to="AC"))
    do(x[17] = A, x[19] = C)
    """

    at: int | tuple[int, ...]
    to: str
    kind: ClassVar[str] = "mutate"

    def __post_init__(self) -> None:
        positions = np.atleast_1d(np.asarray(self.at, object)).tolist()
        at = tuple(position(p, "at") for p in positions)
        to: object = self.to
        pattern = as_pattern("".join(map(str, to)) if isinstance(to, list | tuple) else to)
        if len(pattern) != len(at):
            raise DesignError(
                f"mutation: {len(at)} position(s) but {len(pattern)} base(s) in to={quoted(self.to)}; give one each"
            )
        if len(set(at)) < len(at):
            raise DesignError(f"mutation: a position is named twice in at={at}; name each once")
        pairs = sorted(zip(at, str(pattern.reads), strict=True))
        object.__setattr__(self, "at", at[0] if len(at) == 1 else tuple(place for place, _ in pairs))
        object.__setattr__(self, "to", "".join(base for _, base in pairs))

    @property
    def positions(self) -> tuple[int, ...]:
        """The positions, always as a tuple."""
        return self.at if isinstance(self.at, tuple) else (self.at,)

    @property
    def random(self) -> bool:
        return as_pattern(self.to).random

    @property
    def terms(self) -> tuple[str, ...]:
        pairs = zip(self.positions, self.to, strict=True)
        return tuple(f"x[{p}] {'=' if base in 'ACGTU' else '~'} {base}" for p, base in pairs)

    def lay(self, layout: Layout) -> Layout:
        for at, base in zip(self.positions, self.to, strict=True):
            layout = layout.write(at, 1, base)
        return layout

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        return edits.substitute(tokens, as_pattern(self.to).instances(units, self._stream(key)), at=self.positions)

    def to_dict(self) -> dict[str, Any]:
        return {self.kind: self.to, "at": list(self.positions) if isinstance(self.at, tuple) else self.at}
