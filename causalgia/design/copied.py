"""The intervention that copies a unit's own bases to another place: hairpin stems, moved tiles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from causalgia.design.intervention import Intervention
from causalgia.design.layout import Layout
from causalgia.design.numbers import Span, position, span_of
from causalgia.errors import DesignError, quoted
from causalgia.sequences import edits
from causalgia.sequences.alphabet import reverse_complement
from causalgia.types import Tokens, Units


@dataclass(frozen=True)
class Copy(Intervention):
    """Copy the bases of a span over those at another place: ``do(x[at:at+w] = x[start:stop])``.

    Each unit's own bases are copied, as the steps before left them: with ``strand="-"`` two arms of a hairpin stem
    are made of every background, and a word that an earlier step embedded in the span is paired as well (the hairpin
    of Koo et al. 2021). With ``strand="+"`` a tile moves, if its first place is scrambled by a later step (Toneyan &
    Koo 2024).

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
        If the two places overlap; when a `Design` is made, if one leaves the sequence, or an earlier step wrote where
        the copy goes.

    References
    ----------
    Koo, Majdandzic, Ploenzke, Anand, Paul (2021), doi:10.1371/journal.pcbi.1008925; Toneyan & Koo (2024),
    doi:10.1038/s41588-024-01923-3.

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
        object.__setattr__(self, "span", span_of(self.span))
        object.__setattr__(self, "at", position(self.at, "at"))
        if self.strand not in ("+", "-"):
            raise DesignError(f"strand={quoted(self.strand)} must be '+' or '-'")
        start, stop = self.span
        if self.at < stop and start < self.at + self.width:
            raise DesignError(
                f"copy of {self._source} to {self._place} overlaps itself; write it at {stop} or later"
                + (f", or at {start - self.width} or earlier" if start >= self.width else "")
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
        return (f"{self._place} = {self._source if self.strand == '+' else f'rc({self._source})'}",)

    def lay(self, layout: Layout) -> Layout:
        return layout.read(self.span, self.kind).write(self.at, self.width, f"copy of {self._source}")

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:  # noqa: ARG002
        own = tokens[:, slice(*self.span)]
        return edits.overwrite(tokens, own if self.strand == "+" else reverse_complement(own), at=self.at)

    def to_dict(self) -> dict[str, Any]:
        plain: dict[str, Any] = {self.kind: list(self.span), "at": self.at}
        return {**plain, "strand": "-"} if self.strand == "-" else plain
