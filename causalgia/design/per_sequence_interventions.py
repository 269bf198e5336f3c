"""Interventions at a different site in each given sequence: occlusion of instances,
alleles in their contexts.

Units of ``Genomic(of=..., n_draws=d)`` that take every sequence come in the given
order, d in a row: unit u is row ``u // d``. So an intervention can hold a span or a
motif for each row (or spans that its draws take in turn), and says which null model it
was written for.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from causalgia.checks import Span, as_count, as_position, as_span
from causalgia.choices import BASES
from causalgia.design.intervention import Intervention, Layout
from causalgia.design.null_distributions import Genomic
from causalgia.design.null_model import NullModel
from causalgia.design.patterns import as_pattern
from causalgia.design.span_interventions import FILLS, drawn_fill
from causalgia.errors import DesignError, quoted
from causalgia.sequences.alphabet import encode
from causalgia.sequences.motif_names import MotifLike
from causalgia.sequences.motifs import Motif
from causalgia.streams import derive
from causalgia.types import Ints, Mask, Tokens, Units

_MOST_ATTEMPTS, _SURE_ATTEMPTS = 5_000, 20


@dataclass(frozen=True)
class Sited(Intervention):
    """Base of interventions that change one span in each of the given sequences, a span
    of its own.
    """

    n_draws: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_draws", as_count(self.n_draws, "n_draws"))

    @property
    @abstractmethod
    def sites(self) -> tuple[Span, ...]:
        """The (start, stop) of the edit in each row."""

    @property
    def n_rows(self) -> int:
        """The number of given sequences."""
        return len(self.sites)

    @abstractmethod
    def _pieces(self, own: Tokens, rows: Ints, units: Units, key: int) -> Tokens:
        """Return the letters that replace the bases `own`, (n, w), of units from the
        given rows.
        """

    @cached_property
    def _bounds(self) -> Ints:
        """Start and stop of each site, (rows, 2)."""
        return np.array(self.sites, np.int64)

    def check_units(self, null: NullModel, n_units: int) -> None:
        """Raise DesignError unless the units are the given sequences, in their
        order.
        """
        rows = self.n_rows
        if not isinstance(null, Genomic):
            raise DesignError(
                f"{self.kind} has a site for each of {rows:,} sequences, and "
                f"{null.describe()} are others than null=cg.Genomic(of=those "
                "sequences)"
            )
        given = len(null.parents_given)
        if given != rows:
            raise DesignError(
                f"{self.kind} has {rows:,} sites and the null model {given:,} "
                "sequences to draw from (reserve= takes some away)"
            )
        if null.n_draws != self.n_draws:
            raise DesignError(
                f"{self.kind} has n_draws={self.n_draws} and the null model "
                f"n_draws={null.n_draws}"
            )
        if n_units != rows * self.n_draws:
            raise DesignError(
                f"{self.kind} is for every sequence in the given order: {rows:,} x "
                f"{self.n_draws} draws = {rows * self.n_draws:,} units, not "
                f"n_units={n_units:,}"
            )

    def for_draws(self, n_draws: int) -> Intervention:
        """Return the same sites for units that come `n_draws` in a row from each
        sequence.
        """
        return replace(self, n_draws=n_draws)

    def spans_of(self, units: Units) -> Ints:
        rows = (units // np.uint64(self.n_draws)).astype(np.int64)
        if rows.size and rows.max() >= self.n_rows:
            raise DesignError(
                f"{self.kind} has {self.n_rows:,} sites x {self.n_draws} draws, "
                f"and unit {int(units.max()):,} is beyond them"
            )
        bounds: Ints = self._bounds[rows]
        return bounds

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        rows = (units // np.uint64(self.n_draws)).astype(np.int64)
        starts, stops = self.spans_of(units).T
        widths, stream, edited = stops - starts, self._stream(key), tokens.copy()
        for width in np.unique(widths).tolist():
            (mine,) = np.nonzero(widths == width)
            places = (mine[:, None], starts[mine, None] + np.arange(width))
            edited[places] = self._pieces(
                tokens[places], rows[mine], units[mine], stream
            )
        return edited

    def identity(self) -> dict[str, Any]:
        """Return the content that keys the random stream; `n_draws` has the name in it
        that it had at first.
        """
        return {
            "draws" if key == "n_draws" else key: value
            for key, value in self.to_dict().items()
        }

    def _plain(self, plain: dict[str, Any]) -> dict[str, Any]:
        return {**plain, "n_draws": self.n_draws} if self.n_draws > 1 else plain


@dataclass(frozen=True)
class AblateEach(Sited):
    """Replace a different span in each given sequence by bases without signal:
    occlusion of instances.

    Row u // draws of the null model stands for unit u. The individual effect of a unit
    is the necessity of that one instance; with ``n_draws=2`` or more each instance has
    several fills. A sequence with several instances is given once for each, and
    ``Genomic(parent=...)`` says that these rows are one sequence.

    Parameters
    ----------
    spans
        (start, stop) for each sequence, in the order of the null model; 0-based, stop
        excluded.
    fill
        ``"uniform"`` draws random bases for each unit, ``"shuffle"`` and
        ``"dinucleotide_shuffle"`` rearrange the span's own; one base (``"A"``), or a
        motif of the width of all spans, is written as it is. No default: what stands in
        for "nothing" is part of the question.
    without
        A motif that no fill holds, and no drawn fill leaves or makes with the bases
        beside it: where one overlaps the span, on either strand, the fill is drawn
        again. None: fills are as they come.
    threshold
        p-value of a motif's lowest score, as in `causalgia.sequences.find_instances`.
    n_draws
        Units made from each sequence, as in the null model.

    Raises
    ------
    DesignError
        If a span or the fill is invalid, or no fill is free of the motif
        (``"dinucleotide_shuffle"`` of GATA is GATA); when a `Design` is made, if a span
        leaves the sequence, or the null model is not `Genomic` with as many sequences
        and draws, all of them used.

    References
    ----------
    Avsec et al. (2021), doi:10.1038/s41588-021-00782-6.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.design import AblateEach
    >>> design = cg.Design(
    ...     null=cg.Genomic(
    ...         of={"first": "TTGATATT", "second": "TTGATATT"},
    ...         parent=["peak", "peak"],
    ...         n_draws=5,
    ...     ),
    ...     arms={
    ...         "wild type": cg.Untreated(),
    ...         "occluded": AblateEach([(2, 6), (5, 8)], fill="uniform", n_draws=5),
    ...     },
    ...     n_units=10,
    ... )
    >>> print(design.named_arms[1].intervention)
    do(x[the span of each of 2 rows] ~ uniform)
    """

    spans: Sequence[Span]
    fill: str = field(kw_only=True)
    without: MotifLike | None = field(default=None, kw_only=True)
    threshold: float | None = field(default=None, kw_only=True)
    kind: ClassVar[str] = "ablate_each"
    main_field: ClassVar[str] = "spans"

    def __post_init__(self) -> None:
        super().__post_init__()
        listed = _as_list_per_sequence(self.spans, "spans", "(start, stop)")
        object.__setattr__(self, "spans", tuple(map(as_span, listed)))
        object.__setattr__(self, "fill", _fill(self.fill, self.sites))
        if self.without is not None:
            source = as_pattern(self.without).reads
            object.__setattr__(self, "without", source)
            self._check_fill(source)

    def _check_fill(self, motif: str | Motif) -> None:
        """Raise DesignError if the letters that are written hold the motif."""
        from causalgia.sequences.motif_scores import find_instances

        widest = max(stop - start for start, stop in self.sites)
        letters = "" if self.random else self.fill * (widest // len(self.fill))
        if len(letters) < len(motif):
            return
        found = find_instances(encode([letters]), motif, threshold=self.threshold)
        if len(found.start):
            raise DesignError(
                f"fill={quoted(self.fill)} holds the motif", argument="fill"
            )

    @property
    def sites(self) -> tuple[Span, ...]:
        return tuple(self.spans)

    @property
    def random(self) -> bool:
        return self.fill in FILLS

    @property
    def terms(self) -> tuple[str, ...]:
        return (
            f"x[the span of each of {len(self.spans):,} rows] "
            f"{'~' if self.random else '='} {self.fill}",
        )

    def lay(self, layout: Layout) -> Layout:
        for row, span in enumerate(self.sites):
            layout.disturb(span, f"{self.kind}: row {row}: ablation")
        return layout

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        edited, held = self._drawn(tokens, units, key, _MOST_ATTEMPTS)
        if len(held):
            raise DesignError(
                f"fill={quoted(self.fill)}: {_MOST_ATTEMPTS} draws for row "
                f"{int(units[held[0]]) // self.n_draws:,} all hold the motif",
                argument="fill",
            )
        return edited

    def can_be_free(self, tokens: Tokens, *, units: Units, key: int) -> Mask:
        """Return which units have a fill free of the motif within a few of the draws
        that `apply` makes, so that it does not fail on them with another key.
        """
        free = np.ones(len(units), bool)
        free[self._drawn(tokens, units, key, _SURE_ATTEMPTS)[1]] = False
        return free

    def _drawn(
        self, tokens: Tokens, units: Units, key: int, attempts: int
    ) -> tuple[Tokens, Ints]:
        """Return the sequences with their fills, and which of these hold the motif in
        all attempts.
        """
        edited = super().apply(tokens, units=units, key=key)
        pending = np.arange(len(units) if self.without and self.random else 0)
        for attempt in range(attempts):
            pending = pending[self._holds_motif(edited[pending], units[pending])]
            if not len(pending):
                break
            again = derive(key, "without", attempt)
            edited[pending] = super().apply(
                tokens[pending], units=units[pending], key=again
            )
        return edited, pending

    def _holds_motif(self, edited: Tokens, units: Units) -> Mask:
        """Return which sequences hold the motif where it overlaps the span."""
        from causalgia.sequences.motif_scores import find_instances

        held = np.zeros(len(units), bool)
        if self.without is None or not len(units):
            return held
        starts, stops = self.spans_of(units).T
        found = find_instances(
            edited, self.without, threshold=self.threshold, overlapping=True
        )
        over = (found.start < stops[found.row]) & (
            found.start + found.width > starts[found.row]
        )
        held[found.row[over]] = True
        return held

    def _pieces(self, own: Tokens, rows: Ints, units: Units, key: int) -> Tokens:  # noqa: ARG002
        if self.random:
            return drawn_fill(self.fill, own, units, key)
        return np.broadcast_to(encode([self.fill])[0], own.shape)

    def to_dict(self) -> dict[str, Any]:
        table: dict[str, Any] = {
            self.kind: [list(span) for span in self.sites],
            "fill": self.fill,
        }
        if self.without is not None:
            table["without"] = as_pattern(self.without).plain
        if self.threshold is not None:
            table["threshold"] = self.threshold
        return self._plain(table)

    def _stream(self, key: int) -> int:
        """Return the stream of the fills, which is the same with `without` as without it:
        only those that hold the motif are drawn again.
        """
        if self.without is None:
            return super()._stream(key)
        return replace(self, without=None, threshold=None)._stream(key)


@dataclass(frozen=True)
class EmbedEach(Sited):
    """Write a different motif into each given sequence: alleles of variants in their
    contexts.

    Row u // draws of the null model stands for unit u; the length is kept.

    Parameters
    ----------
    motifs
        A string of A C G T (U) for each sequence, in the order of the null model; their
        widths may differ.
    at
        0-based start: one for all, or one for each sequence.
    n_draws
        Units made from each sequence, as in the null model.

    Raises
    ------
    DesignError
        If a motif or a position is invalid, or there is not one for each; when a
        `Design` is made, as for `AblateEach`.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.design import EmbedEach
    >>> design = cg.Design(
    ...     null=cg.Genomic(of={"rs1": "TTGATATT", "rs2": "CCGATACC"}),
    ...     arms={
    ...         "reference": EmbedEach(["A", "T"], at=[3, 4]),
    ...         "alternate": EmbedEach(["C", "G"], at=[3, 4]),
    ...     },
    ...     n_units=2,
    ... )
    >>> print(design.named_arms[0].intervention)
    do(x[the place of each of 2 rows] = its motif)
    """

    motifs: Sequence[str]
    at: int | Sequence[int] = field(kw_only=True)
    kind: ClassVar[str] = "embed_each"
    main_field: ClassVar[str] = "motifs"

    def __post_init__(self) -> None:
        super().__post_init__()
        motifs = []
        for row, motif in enumerate(
            _as_list_per_sequence(self.motifs, "motifs", "motif")
        ):
            letters = motif.upper().replace("U", "T") if isinstance(motif, str) else ""
            if not letters or not set(letters) <= set(BASES):
                raise DesignError(
                    f"embed_each: row {row}: {quoted(motif)} is not a string of A, C, "
                    "G, T or U"
                )
            motifs.append(letters)
        object.__setattr__(self, "motifs", tuple(motifs))
        if isinstance(self.at, int | np.integer):
            object.__setattr__(self, "at", as_position(self.at, "at"))
            return
        places = tuple(
            as_position(at, "at")
            for at in _as_list_per_sequence(self.at, "at", "position")
        )
        if len(places) != len(motifs):
            raise DesignError(
                f"{self.kind}: {len(motifs):,} motifs and {len(places):,} "
                "positions in at="
            )
        object.__setattr__(self, "at", places)

    @property
    def sites(self) -> tuple[Span, ...]:
        places = (self.at,) * len(self.motifs) if isinstance(self.at, int) else self.at
        return tuple(
            (at, at + len(motif)) for at, motif in zip(places, self.motifs, strict=True)
        )

    @property
    def terms(self) -> tuple[str, ...]:
        return (f"x[the place of each of {len(self.motifs):,} rows] = its motif",)

    def lay(self, layout: Layout) -> Layout:
        # motifs of different rows may overlap each other, but not what an earlier step
        # wrote
        spans = dict.fromkeys(self.sites)
        laid = [
            layout.write(start, stop - start, "the motif of a row").written[-1]
            for start, stop in spans
        ]
        return replace(layout, written=(*layout.written, *laid))

    @cached_property
    def _letters(self) -> Tokens:
        """The tokens of each motif, (rows, width of the longest), 0 beyond its end."""
        longest = max(map(len, self.motifs))
        padded = "".join(motif.ljust(longest, BASES[0]) for motif in self.motifs)
        letters = np.frombuffer(padded.encode(), np.uint8).reshape(
            len(self.motifs), longest
        )
        return np.searchsorted(np.frombuffer(BASES.encode(), np.uint8), letters).astype(
            np.uint8
        )

    def _pieces(self, own: Tokens, rows: Ints, units: Units, key: int) -> Tokens:  # noqa: ARG002
        return self._letters[rows, : own.shape[1]]

    def to_dict(self) -> dict[str, Any]:
        at = self.at if isinstance(self.at, int) else list(self.at)
        return self._plain({self.kind: list(self.motifs), "at": at})


def _as_list_per_sequence(values: object, name: str, one: str) -> list[Any]:
    if (
        isinstance(values, str)
        or not isinstance(values, Sequence | np.ndarray)
        or not len(values)
    ):
        raise DesignError(
            f"{name}={quoted(values)} must be a list with a {one} for each sequence"
        )
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def _fill(fill: object, sites: tuple[Span, ...]) -> str:
    if isinstance(fill, str) and fill in FILLS:
        return fill
    motif = fill.upper().replace("U", "T") if isinstance(fill, str) else ""
    if not motif or not set(motif) <= set(BASES):
        raise DesignError(
            f"ablate_each: fill={quoted(fill)} must be one of {', '.join(FILLS)}, a "
            "base, or a motif of the spans' width"
        )
    other = next(
        (f"({start}, {stop})" for start, stop in sites if stop - start != len(motif)),
        None,
    )
    if len(motif) > 1 and other:
        raise DesignError(
            f"ablate_each: fill={quoted(fill)} has {len(motif)} bases and span "
            f"{other} another width"
        )
    return motif
