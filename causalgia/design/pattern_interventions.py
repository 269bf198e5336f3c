"""Interventions that write a pattern: embed, insert, placebo; and placebos as
arms.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from math import ceil, factorial, prod
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from causalgia.checks import as_count, as_position
from causalgia.choices import BASES
from causalgia.design.intervention import Intervention, Layout, Untreated
from causalgia.design.patterns import Pattern, as_pattern
from causalgia.errors import DesignError, quoted
from causalgia.notes import Edit
from causalgia.sequences.alphabet import (
    IUPAC,
    decode,
    encode,
    insert,
    overwrite,
    reverse_complement,
    reverse_complement_iupac,
)
from causalgia.sequences.motif_names import MotifLike
from causalgia.sequences.motifs import Motif
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Tokens, Units


@dataclass(frozen=True)
class Patterned(Intervention):
    """Base of interventions that write a pattern at a position."""

    pattern: MotifLike | Pattern
    at: int = field(kw_only=True)
    strand: Literal["+", "-"] = field(default="+", kw_only=True)
    instance: Literal["sample", "consensus"] = field(default="sample", kw_only=True)
    main_field: ClassVar[str] = "pattern"
    _does: ClassVar[str] = "motif"

    def __post_init__(self) -> None:
        if not isinstance(self.strand, str) or self.strand not in ("+", "-"):
            raise DesignError(f"strand={quoted(self.strand)} must be '+' or '-'")
        if self.instance not in ("sample", "consensus"):
            raise DesignError(
                f"instance={quoted(self.instance)} must be 'sample' or 'consensus'"
            )
        object.__setattr__(self, "at", as_position(self.at, "at"))
        object.__setattr__(
            self, "pattern", as_pattern(self.pattern, instance=self.instance)
        )
        object.__setattr__(self, "instance", self.written.instance)

    @classmethod
    def _from_main(cls, main: Any, options: dict[str, Any]) -> Intervention:
        """Return the intervention of a pattern, or of a list of patterns with a
        position for each.
        """
        at = options.pop("at")
        if not isinstance(main, list):
            return cls(main, at=at, **options)
        if not isinstance(at, list) or len(at) != len(main):
            raise DesignError(
                f"{cls.kind} = {quoted(main)} needs at = a list of {len(main)} "
                f"positions, not {quoted(at)}"
            )
        steps: Intervention = Untreated()
        for pattern, position in zip(main, at, strict=True):
            steps = steps + cls(pattern, at=position, **options)
        return steps

    def edit(self) -> Edit:
        source = self.written
        motif = (
            source.consensus
            if self.strand == "+"
            else reverse_complement_iupac(source.consensus)
        )
        if isinstance(source.reads, Motif):
            content = json.dumps(source.reads.to_dict()).encode()
            pattern = (
                f"{source.instance} of "
                f"{hashlib.blake2b(content, digest_size=8).hexdigest()}"
            )
            letters = "" if source.random else motif.replace("U", "T")
        else:
            pattern, letters = source.reads, motif.replace("U", "T")
        admitted = [IUPAC[letter] for letter in motif]
        return Edit(
            self._does,
            sites=((self.at, self.width),),
            pattern=pattern,
            label=source.label,
            letters=letters,
            bases=tuple(
                sum((base in bases) / len(bases) for bases in admitted)
                for base in BASES
            ),
            one_strand="U" in source.consensus,
        )

    @property
    def written(self) -> Pattern:
        """The pattern as a `Pattern`."""
        return as_pattern(self.pattern)

    @property
    def random(self) -> bool:
        return self.written.random

    @property
    def width(self) -> int:
        """Number of bases of the pattern."""
        return len(self.written)

    @property
    def _notation(self) -> str:
        return self.written.label if self.strand == "+" else f"rc({self.written.label})"

    def _instances(self, units: Units, key: int) -> Tokens:
        if not self.random:
            return self._constant
        return self._oriented(self.written.instances(units, self._stream(key)))

    @cached_property
    def _constant(self) -> Tokens:
        """The tokens of a pattern that is not random, (w,), cached since arms are
        applied batch by batch.
        """
        return self._oriented(self.written.instances(np.empty(0, np.uint64), 0))

    def _oriented(self, piece: Tokens) -> Tokens:
        return piece if self.strand == "+" else reverse_complement(piece)

    def to_dict(self) -> dict[str, Any]:
        return self._plain(self.written.plain)

    def identity(self) -> dict[str, Any]:
        return self._plain(self.written.identity)

    def _plain(self, pattern: str | dict[str, Any]) -> dict[str, Any]:
        plain: dict[str, Any] = {self.kind: pattern, "at": self.at}
        if self.strand == "-":
            plain["strand"] = "-"
        if self.instance == "consensus":
            plain["instance"] = "consensus"
        return plain

    def __repr__(self) -> str:
        extras = "".join(
            f", {k}={v!r}"
            for k, v in self.to_dict().items()
            if k not in (self.kind, "at")
        )
        return f"{type(self).__name__}({self.written.source!r}, at={self.at}{extras})"


@dataclass(frozen=True, repr=False)
class Embed(Patterned):
    """Write a pattern over the bases at a position; the length is kept:
    ``do(x[at:at+w] = pattern)``.

    Parameters
    ----------
    pattern
        A string (``"AGATAAG"``; IUPAC letters such as N or R draw a base for each
        unit), or anything else that `causalgia.motif` takes, such as a name of JASPAR, a
        matrix or a motif of Biopython: then an instance is sampled for each unit.
    at
        0-based start.
    strand
        ``"-"`` writes the reverse complement.
    instance
        ``"consensus"`` writes a motif's consensus instead of a sampled instance.

    Raises
    ------
    DesignError
        If the pattern is empty or has other letters, or `at` is negative; when a
        `Design` is made, if it leaves the sequence or overlaps another embed of the
        same arm.

    Examples
    --------
    >>> import causalgia as cg
    >>> print(cg.Embed("AGATAAG", at=1000))
    do(x[1000:1007] = AGATAAG)
    """

    kind: ClassVar[str] = "embed"

    @property
    def terms(self) -> tuple[str, ...]:
        return (
            f"x[{self.at}:{self.at + self.width}] {'~' if self.random else '='} "
            f"{self._notation}",
        )

    def lay(self, layout: Layout) -> Layout:
        return layout.write(self.at, self.width, self.written.label)

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        return overwrite(tokens, self._instances(units, key), at=self.at)


@dataclass(frozen=True, repr=False)
class Insert(Patterned):
    """Insert a pattern before the base at a position; the length grows. The estimand
    differs from that of `Embed`.

    Parameters
    ----------
    pattern, at, strand, instance
        As for `Embed`.

    Examples
    --------
    >>> import causalgia as cg
    >>> print(cg.Insert("AGATAAG", at=1000))
    do(insert AGATAAG at x[1000])
    """

    kind: ClassVar[str] = "insert"

    def edit(self) -> Edit:
        return replace(super().edit(), grows=self.width)

    @property
    def terms(self) -> tuple[str, ...]:
        return (f"insert {self._notation} at x[{self.at}]",)

    def lay(self, layout: Layout) -> Layout:
        return layout.insert(self.at, self.width, self.written.label)

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        return insert(tokens, self._instances(units, key), at=self.at)


@dataclass(frozen=True, repr=False)
class FixedPlacebo(Embed):
    """A fixed placebo: a rearrangement of a pattern, embedded. Made by `placebos`.

    Examples
    --------
    >>> from causalgia.design.pattern_interventions import FixedPlacebo
    >>> print(FixedPlacebo("GATAAGA", at=5))
    do(x[5:12] = GATAAGA)
    """

    kind: ClassVar[str] = "fixed_placebo"
    _does: ClassVar[str] = "placebo, fixed"


@dataclass(frozen=True, repr=False)
class Placebo(Patterned):
    """Write a fresh rearrangement of a pattern for each unit, never one that carries
    the pattern on either strand.

    The draw is uniform over all distinct rearrangements without a run of the pattern,
    or of its reverse complement, longer than two thirds of it (rounded up: five of
    seven bases). Since each unit gets another motif, the arm's mean is over motifs as
    well as backgrounds: the control does not depend on a single scramble. For a
    `Motif`, or IUPAC letters, an instance is sampled and rearranged; neither the
    consensus nor a site (of a matrix: p <= 1e-4), on either strand, is drawn.

    Parameters
    ----------
    pattern, at, strand, instance
        As for `Embed`.

    Raises
    ------
    DesignError
        If every rearrangement carries the pattern (``"AAAA"``).

    Examples
    --------
    >>> import causalgia as cg
    >>> print(cg.Placebo("AGATAAG", at=1000))
    do(x[1000:1007] ~ rearranged AGATAAG)
    """

    kind: ClassVar[str] = "placebo"
    _does: ClassVar[str] = "placebo"
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rearrangeable(self.written)

    @property
    def terms(self) -> tuple[str, ...]:
        return (f"x[{self.at}:{self.at + self.width}] ~ rearranged {self._notation}",)

    def lay(self, layout: Layout) -> Layout:
        return layout.write(self.at, self.width, f"a rearranged {self.written.label}")

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        motifs = rearrangements(self.written, units, self._stream(key))
        return overwrite(tokens, self._oriented(motifs), at=self.at)


def placebos(
    pattern: MotifLike,
    *,
    at: int,
    n_placebos: int,
    strand: Literal["+", "-"] = "+",
    rng: RNG = 0,
) -> dict[str, Intervention]:
    """Return `n_placebos` fixed placebos as arms: the reference distribution for
    effects of real motifs.

    The motifs are distinct rearrangements of the pattern (for a motif: of sampled
    instances), drawn uniformly from those that do not carry it, as for `Placebo`. 40 or
    more define a region ("beyond 97.5 % of placebos"); fewer give a rank p-value but no
    quantile.

    Parameters
    ----------
    pattern
        A string of IUPAC letters, or anything else that `causalgia.motif` takes.
    at
        0-based start, the same as that of the effect to be judged.
    n_placebos
        Number of placebos.
    strand
        Strand on which they are written.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For the placebos: a fixed choice
        of the design and not part of a trial's randomness, hence its default.

    Returns
    -------
    dict
        Name (``"placebo GATAAGA"``) -> intervention, to be put among a design's arms.

    Raises
    ------
    DesignError
        If the pattern has fewer than `n_placebos` distinct rearrangements; the message
        says how many.

    Examples
    --------
    >>> import causalgia as cg
    >>> for name, arm in cg.placebos("AGATAAG", at=1000, n_placebos=2).items():
    ...     print(name, arm.kind)
    placebo ... fixed_placebo
    placebo ... fixed_placebo
    """
    source = as_pattern(pattern)
    n_placebos = as_count(n_placebos, "n_placebos")
    check_rearrangeable(source, n=n_placebos)
    key = derive(root_key(rng), "placebos", str(source.identity))
    batch = np.arange(4 * n_placebos, dtype=np.uint64)
    motifs: dict[str, None] = {}
    for attempt in range(_MOST_ATTEMPTS):
        motifs.update(
            dict.fromkeys(decode(rearrangements(source, batch, derive(key, attempt))))
        )
        if len(motifs) >= n_placebos:
            return {
                f"placebo {motif}": FixedPlacebo(motif, at=at, strand=strand)
                for motif in list(motifs)[:n_placebos]
            }
    raise DesignError(
        f"placebos of {quoted(source.label)}: n_placebos={n_placebos}, and "
        f"{len(motifs):,} distinct rearrangements were found"
    )


_MOST_ATTEMPTS = 1_000
MOST_ENUMERATED = 20_000


def longest_run(width: int) -> int:
    """Return how many consecutive letters a placebo may share with the pattern: two
    thirds rounded up, but not all.

    Examples
    --------
    >>> [longest_run(width) for width in (2, 4, 6, 7, 9)]
    [1, 3, 4, 5, 6]
    """
    return min(ceil(2 * width / 3), width - 1)


def carries_pattern(motifs: Tokens, pattern: Tokens) -> NDArray[np.bool_]:
    """Return which motifs (n, w) have too long a run of the pattern, on either strand.

    The pattern is (w,), or a row for each motif.

    Examples
    --------
    >>> carries_pattern(encode(["GAGATAA", "TAGAGAA"]), encode("AGATAAG")[0])
    array([ True, False])
    """
    width = motifs.shape[1]
    run = longest_run(width) + 1
    found = np.zeros(len(motifs), bool)
    read = sliding_window_view(motifs, run, axis=1)
    for strand in (pattern, reverse_complement(pattern)):
        for start in range(width - run + 1):
            piece = np.atleast_2d(strand)[:, None, start : start + run]
            found |= (read == piece).all(axis=2).any(axis=1)
    return found


def count_orders(motif: str) -> int:
    """Return the number of distinct rearrangements of a motif, itself included.

    Examples
    --------
    >>> count_orders("AGATAAG")
    105
    """
    counts = Counter(encode(motif)[0].tolist())
    return factorial(len(motif)) // prod(map(factorial, counts.values()))


@lru_cache(maxsize=64)
def admissible(motif: str) -> Tokens:
    """Return all rearrangements of a motif that do not carry it, (m, w) tokens; for
    motifs with few of them.

    Examples
    --------
    >>> len(admissible("AGATAAG"))
    102
    """
    tokens = encode(motif)[0]
    orders = np.array(list(_n_orders(Counter(tokens.tolist()), len(tokens))), np.uint8)
    free = orders[~carries_pattern(orders, tokens)]
    free.setflags(write=False)
    return free


def _n_orders(left: Counter[int], n: int) -> Iterator[tuple[int, ...]]:
    if n == 0:
        yield ()
    for token in [token for token, count in left.items() if count]:
        left[token] -= 1
        yield from ((token, *rest) for rest in _n_orders(left, n - 1))
        left[token] += 1


def check_rearrangeable(pattern: Pattern, *, n: int = 1) -> None:
    """Raise DesignError if fewer than `n` distinct placebos can be made of the
    pattern.
    """
    if pattern.random:
        return
    motif = pattern.consensus
    if count_orders(motif) > MOST_ENUMERATED:
        return
    most = len(admissible(motif))
    if most == 0:
        raise DesignError(
            f"placebo of {quoted(motif)}: every rearrangement reads as the "
            "pattern (on one strand or the other)"
        )
    if n > most:
        raise DesignError(
            f"placebos of {quoted(motif)}: only {most:,} distinct rearrangements "
            f"do not carry it, {n:,} were asked for"
        )


def rearrangements(pattern: Pattern, units: Units, key: int) -> Tokens:
    """Return a rearrangement of the pattern for each unit, (n, w), uniform over those
    that do not carry it.

    Uniform shuffles are drawn, and those that carry the pattern (for a motif: the
    instance, the consensus or a site) are redrawn, each unit from its own stream, so a
    unit's motif depends on that unit alone.
    """
    from causalgia.sequences.motif_scores import holds_site
    from causalgia.sequences.samplers import shuffle

    motifs = np.empty((len(units), len(pattern)), np.uint8)
    pending = np.arange(len(units))
    for attempt in range(_MOST_ATTEMPTS):
        mine, stream = units[pending], derive(key, "attempt", attempt)
        instances = pattern.instances(mine, derive(stream, "instance"))
        piece = np.ascontiguousarray(
            np.broadcast_to(instances, (len(mine), len(pattern)))
        )
        drawn = shuffle(derive(stream, "arrangement"), mine, piece)
        motifs[pending] = drawn
        held = carries_pattern(drawn, piece) | holds_site(drawn, pattern.reads)
        if isinstance(pattern.reads, Motif):
            held |= carries_pattern(drawn, encode(pattern.consensus)[0])
        pending = pending[held]
        if not len(pending):
            return motifs
    raise DesignError(
        f"placebo of {quoted(pattern.label)}: hardly any rearrangement is free of it"
    )
