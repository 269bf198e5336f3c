"""Interventions on given bases: delete, scramble, ablate, mutate, copy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np

from causalgia.checks import Span, as_position, as_span, is_real, is_whole
from causalgia.design.intervention import Intervention, Layout
from causalgia.design.patterns import as_letters
from causalgia.errors import DesignError, quoted
from causalgia.notes import Edit
from causalgia.sequences.alphabet import (
    delete,
    overwrite,
    reverse_complement,
    substitute,
)
from causalgia.streams import derive
from causalgia.types import Tokens, Units


@dataclass(frozen=True)
class _Spanned(Intervention):
    """Base of interventions on the bases from start to stop."""

    span: Span

    def __post_init__(self) -> None:
        object.__setattr__(self, "span", as_span(self.span))

    @property
    def _place(self) -> str:
        return f"x[{self.span[0]}:{self.span[1]}]"

    def lay(self, layout: Layout) -> Layout:
        return layout.disturb(self.span, self.kind)

    def edit(self) -> Edit:
        return Edit(self._does, sites=((self.span[0], self.span[1] - self.span[0]),))

    @property
    def _does(self) -> str:
        return self.kind


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
        return delete(tokens, span=self.span)

    def edit(self) -> Edit:
        return replace(super().edit(), grows=self.span[0] - self.span[1])

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
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        width = self.span[1] - self.span[0]
        if not is_whole(self.k) or not 1 <= self.k <= min(width, 10):
            raise DesignError(
                f"scramble of {self._place}: k={quoted(self.k)} must be a whole "
                f"number from 1 to {min(width, 10)}"
            )

    @property
    def terms(self) -> tuple[str, ...]:
        return (
            f"{self._place} ~ scrambled" + (f" (k = {self.k})" if self.k > 1 else ""),
        )

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        own = tokens[:, slice(*self.span)]
        return overwrite(
            tokens,
            shuffled_span(own, self.k, units, self._stream(key)),
            at=self.span[0],
        )

    @property
    def _does(self) -> str:
        return f"{self.kind} {self.k}"

    def to_dict(self) -> dict[str, Any]:
        return {self.kind: list(self.span), **({"k": self.k} if self.k > 1 else {})}


@dataclass(frozen=True)
class Ablate(_Spanned):
    """Replace the bases of a span by bases without signal.

    Parameters
    ----------
    span
        (start, stop), 0-based, stop excluded.
    fill
        ``"uniform"`` draws random bases for each unit, ``"shuffle"`` and
        ``"dinucleotide_shuffle"`` rearrange the unit's own; one base (``"A"``) or a
        string of the span's width writes that, IUPAC letters draw. No default: what
        stands in for "nothing" is part of the question. A number from 0 to 1 draws
        random bases with that share of G and C, to the nearest base.

    Examples
    --------
    >>> import causalgia as cg
    >>> print(cg.Ablate((10, 20), fill="uniform"))
    do(x[10:20] ~ uniform)
    >>> print(cg.Ablate((10, 20), fill=0.3))
    do(x[10:20] ~ GC 0.3)
    """

    fill: str | float = field(kw_only=True)
    kind: ClassVar[str] = "ablate"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.fill, str) and self.fill in FILLS:
            return
        width = self.span[1] - self.span[0]
        choices = (
            f"fill={quoted(self.fill)} must be one of {', '.join(FILLS)}, one "
            f"base, a string of {width} bases, or a share of G and C from 0 to 1"
        )
        if is_real(self.fill):
            if not 0 <= self.fill <= 1:
                raise DesignError(
                    f"ablation of {self._place}: {choices}", argument="fill"
                )
            object.__setattr__(self, "fill", float(self.fill))
            return
        try:
            reads = str(as_letters(self.fill).reads)
        except DesignError as error:
            raise DesignError(f"ablation of {self._place}: {choices}") from error
        if len(reads) not in (1, width):
            raise DesignError(f"ablation of {self._place}: {choices}")
        object.__setattr__(self, "fill", reads[0] if len(set(reads)) == 1 else reads)

    @property
    def random(self) -> bool:
        return not isinstance(self.fill, str) or (
            self.fill in FILLS or as_letters(self.fill).random
        )

    @property
    def terms(self) -> tuple[str, ...]:
        written = self.fill if isinstance(self.fill, str) else f"GC {self.fill:g}"
        return (f"{self._place} {'~' if self.random else '='} {written}",)

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        stream, (start, stop) = self._stream(key), self.span
        if not isinstance(self.fill, str):
            drawn = random_of_gc(self.fill, stop - start, units, stream)
            return overwrite(tokens, drawn, at=start)
        if self.fill in FILLS:
            return overwrite(
                tokens,
                drawn_fill(self.fill, tokens[:, start:stop], units, stream),
                at=start,
            )
        letters = self.fill * (stop - start) if len(self.fill) == 1 else self.fill
        return overwrite(tokens, as_letters(letters).instances(units, stream), at=start)

    @property
    def _does(self) -> str:
        return f"{self.kind} {self.fill}"

    def to_dict(self) -> dict[str, Any]:
        return {self.kind: list(self.span), "fill": self.fill}


@dataclass(frozen=True, kw_only=True)
class Mutate(Intervention):
    """Substitute single bases.

    Parameters
    ----------
    at
        A position, or several.
    bases
        The new base at each position, one letter for each; an IUPAC letter draws a base
        for each unit.

    Examples
    --------
    >>> import causalgia as cg
    >>> print(cg.Mutate(at=(17, 19), bases="AC"))
    do(x[17] = A, x[19] = C)
    """

    at: int | tuple[int, ...]
    bases: str
    kind: ClassVar[str] = "mutate"
    main_field: ClassVar[str] = "bases"

    @classmethod
    def _from_main(cls, main: Any, options: dict[str, Any]) -> Intervention:
        return cls(bases=main, **options)

    def edit(self) -> Edit:
        return Edit(self.kind, sites=tuple((at, 1) for at in self.positions))

    def __post_init__(self) -> None:
        positions = np.atleast_1d(np.asarray(self.at, object)).tolist()
        at = tuple(as_position(p, "at") for p in positions)
        bases: object = self.bases
        pattern = as_letters(
            "".join(map(str, bases)) if isinstance(bases, list | tuple) else bases
        )
        if len(pattern) != len(at):
            raise DesignError(
                f"mutation: {len(at)} position(s) but {len(pattern)} base(s), "
                f"bases={quoted(self.bases)}"
            )
        if len(set(at)) < len(at):
            raise DesignError(f"mutation: a position is named twice in at={at}")
        pairs = sorted(zip(at, str(pattern.reads), strict=True))
        object.__setattr__(
            self, "at", at[0] if len(at) == 1 else tuple(place for place, _ in pairs)
        )
        object.__setattr__(self, "bases", "".join(base for _, base in pairs))

    @property
    def positions(self) -> tuple[int, ...]:
        """The positions, always as a tuple."""
        return self.at if isinstance(self.at, tuple) else (self.at,)

    @property
    def random(self) -> bool:
        return as_letters(self.bases).random

    @property
    def terms(self) -> tuple[str, ...]:
        pairs = zip(self.positions, self.bases, strict=True)
        return tuple(
            f"x[{p}] {'=' if base in 'ACGTU' else '~'} {base}" for p, base in pairs
        )

    def lay(self, layout: Layout) -> Layout:
        for at, base in zip(self.positions, self.bases, strict=True):
            layout = layout.write(at, 1, base)
        return layout

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        return substitute(
            tokens,
            as_letters(self.bases).instances(units, self._stream(key)),
            at=self.positions,
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            self.kind: self.bases,
            "at": list(self.positions) if isinstance(self.at, tuple) else self.at,
        }


@dataclass(frozen=True)
class Copy(Intervention):
    """Copy the bases of a span over those at another place:
    ``do(x[at:at+w] = x[start:stop])``.

    Each unit's own bases are copied, as the steps before left them: with ``strand="-"``
    two arms of a hairpin stem are made of every background, and a string that an
    earlier step embedded in the span is paired as well (the hairpin of Koo et al.
    2021). With ``strand="+"`` a tile moves, if its first place is scrambled by a later
    step (Toneyan & Koo 2024).

    Parameters
    ----------
    span
        (start, stop), 0-based, stop excluded: what is copied.
    at
        0-based start of where it is written.
    strand
        ``"-"`` writes the reverse complement.

    Raises
    ------
    DesignError
        If the two places overlap; when a `Design` is made, if one leaves the sequence,
        or an earlier step wrote where the copy goes.

    References
    ----------
    Koo, Majdandzic, Ploenzke, Anand, Paul (2021), doi:10.1371/journal.pcbi.1008925;
    Toneyan & Koo (2024), doi:10.1038/s41588-024-01923-3.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.design import Copy
    >>> print(cg.Embed("GCUGG", at=10) + Copy((8, 17), at=23, strand="-"))
    do(x[10:15] = GCUGG, x[23:32] = rc(x[8:17]))
    """

    span: Span
    at: int = field(kw_only=True)
    strand: Literal["+", "-"] = field(default="+", kw_only=True)
    kind: ClassVar[str] = "copy"

    def __post_init__(self) -> None:
        object.__setattr__(self, "span", as_span(self.span))
        object.__setattr__(self, "at", as_position(self.at, "at"))
        if self.strand not in ("+", "-"):
            raise DesignError(f"strand={quoted(self.strand)} must be '+' or '-'")
        start, stop = self.span
        if self.at < stop and start < self.at + self.width:
            raise DesignError(
                f"copy of {self._source} to {self._place} overlaps itself"
            )

    @property
    def width(self) -> int:
        """Bases that are copied."""
        return self.span[1] - self.span[0]

    @property
    def _source(self) -> str:
        return f"x[{self.span[0]}:{self.span[1]}]"

    @property
    def _place(self) -> str:
        return f"x[{self.at}:{self.at + self.width}]"

    @property
    def terms(self) -> tuple[str, ...]:
        return (
            f"{self._place} = "
            f"{self._source if self.strand == '+' else f'rc({self._source})'}",
        )

    def lay(self, layout: Layout) -> Layout:
        return layout.read(self.span, self.kind).write(
            self.at, self.width, f"copy of {self._source}"
        )

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:  # noqa: ARG002
        own = tokens[:, slice(*self.span)]
        return overwrite(
            tokens, own if self.strand == "+" else reverse_complement(own), at=self.at
        )

    def edit(self) -> Edit:
        return Edit(f"{self.kind} {self.strand}", sites=((self.at, self.width),))

    def to_dict(self) -> dict[str, Any]:
        plain: dict[str, Any] = {self.kind: list(self.span), "at": self.at}
        return {**plain, "strand": "-"} if self.strand == "-" else plain


FILLS = {"uniform": 0, "shuffle": 1, "dinucleotide_shuffle": 2}
"""Each fill that is drawn, and the k of the k-lets of its own that a span keeps."""


def drawn_fill(fill: str, own: Tokens, units: Units, key: int) -> Tokens:
    """Return what stands in for the bases `own`, (n, w) tokens, each row from the
    stream of its unit.

    Examples
    --------
    >>> own = np.array([[0, 0, 1, 3]], np.uint8)
    >>> np.sort(drawn_fill("shuffle", own, np.arange(1, dtype=np.uint64), 7))
    array([[0, 0, 1, 3]], dtype=uint8)
    """
    if fill == "uniform":
        from causalgia.sequences.samplers import sample_uniform

        return sample_uniform(key, units, own.shape[1])
    return shuffled_span(own, FILLS[fill], units, key)


def random_of_gc(gc: float, width: int, units: Units, key: int) -> Tokens:
    """Return random bases with a share of G and C, to the nearest base.

    Examples
    --------
    >>> drawn = random_of_gc(0.3, 200, np.arange(5, dtype=np.uint64), 7)
    >>> np.isin(drawn, (1, 2)).sum(axis=1)
    array([60, 60, 60, 60, 60])
    """
    from causalgia.sequences.samplers import sample_uniform

    strong = np.zeros((len(units), width), np.uint8)
    strong[:, : round(gc * width)] = 1
    strong = shuffled_span(strong, 1, units, derive(key, "places"))
    second = sample_uniform(derive(key, "letters"), units, width) & 1
    return np.where(strong == 1, 1 + second, 3 * second).astype(np.uint8)


def shuffled_span(own: Tokens, k: int, units: Units, key: int) -> Tokens:
    """Return an arrangement of each row of `own`, (n, w), that keeps its k-lets."""
    from causalgia.sequences.shuffles import klet_shuffle

    return klet_shuffle(key, units, np.ascontiguousarray(own), k)
