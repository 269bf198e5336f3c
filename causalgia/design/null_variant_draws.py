"""Draws of null variants: positions in sequences or loci of a genome that match a given
variant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalgia.choices import BASES, LEAST_MATCHED_NULLS, Align
from causalgia.errors import DesignError
from causalgia.sequences.alphabet import BASE_LETTERS, encode, reverse_complement
from causalgia.sequences.genome import Genome
from causalgia.sequences.windowed_variants import (
    Change,
    changed_windows,
    distance_class,
    distances_of,
    keeping_side,
    shared_stretches,
)
from causalgia.streams import derive
from causalgia.types import Mask, Stretches, Tokens

KEYS = ("context", "substitution", "distance", "length")
"""What may be matched, in the order in which keys are dropped; the length is never
dropped.
"""
_PROPOSALS_A_KEY = 1_024  # proposals of a null variant before a key is dropped
IDS_A_ROUND = 1 << 32  # ids of the sequences of each round
_WILD = "N"  # stands for every base in a pattern


class NullVariants(NamedTuple):
    """Null variants, M of them.

    Attributes
    ----------
    reference, alternate
        (M, length) tokens of the windows.
    matched
        (M,) the given variant that each was drawn for.
    source
        (M,) the sequence or the locus that each lies in.
    n_dropped
        (M,) how many of the matched keys the draw had to give up, in the order of
        `KEYS`.
    aligned
        Stretches of bases that both alleles have, (M,): see `shared_stretches`.
    """

    reference: Tokens
    alternate: Tokens
    matched: NDArray[np.int64]
    source: tuple[str, ...]
    n_dropped: NDArray[np.int64]
    aligned: tuple[Stretches, ...]


@dataclass(frozen=True)
class Wanted:
    """What is drawn: for each null variant, the change that it matches, and the keys in
    the order of dropping.

    Attributes
    ----------
    changes
        Changes of the given variants.
    matched
        (M,) the change that each null variant is drawn for.
    keys
        Keys that are matched, in the order in which they are dropped.
    length, align
        Windows, and the side of an indel that keeps its place.
    key
        Key of the random streams.
    given_up
        (M,) how many keys each null variant gives up before it is looked for; None: no
        key.
    """

    changes: Sequence[Change]
    matched: NDArray[np.int64]
    keys: tuple[str, ...]
    length: int
    align: Align
    key: int
    given_up: NDArray[np.int64] | None = None

    @property
    def beyond(self) -> int:
        """Bases that the longest deletion takes from beyond the window."""
        return max(0, *(len(x.removed) - len(x.added) for x in self.changes))

    def levels(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Yield the number of dropped keys and those that are left."""
        droppable = [key for key in self.keys if key != "length"]
        for n_dropped in range(len(droppable) + 1):
            yield n_dropped, self.keys[n_dropped:]

    def sought(self, missing: NDArray[np.int64], n_dropped: int) -> NDArray[np.int64]:
        """Return those of the missing null variants that are looked for with so many
        keys dropped.
        """
        if self.given_up is None:
            return missing
        return missing[self.given_up[missing] <= n_dropped]

    def in_windows(self, reference: Tokens, *, read_out: bool) -> Wanted:
        """Return the same, looked for in the variants' own windows, (V, length) tokens:
        context, then substitution are given up where fewer than 20 places match.

        A variant is one of the places of its window: among n of them its rank is 1 / n
        at best, so one real variant of K reaches q <= .05 only if there are 20. Without
        a read-out every place has the variant's distance, in a window around it.
        """
        own = replace(self, matched=np.arange(len(self.changes)))
        found = np.zeros(len(self.changes), np.int64)
        for n_dropped, key in enumerate(self.keys):
            keys = [x for x in self.keys[n_dropped:] if read_out or x != "distance"]
            if key not in ("context", "substitution"):
                break
            for change, rows in own.groups(np.flatnonzero(found == n_dropped)):
                fits, _ = _fitting(own, reference[rows], 0, change, tuple(keys))
                n = fits.any(axis=1).sum(axis=1)
                found[rows] += n <= LEAST_MATCHED_NULLS
        return replace(self, given_up=found[self.matched])

    def groups(
        self, of: NDArray[np.int64]
    ) -> Iterator[tuple[Change, NDArray[np.int64]]]:
        """Yield changes that look for the same places, each with those null
        variants.
        """
        members: dict[tuple[object, ...], list[int]] = defaultdict(list)
        first: dict[tuple[object, ...], Change] = {}
        for i in of.tolist():
            change = self.changes[self.matched[i]]
            cell = (
                change.removed,
                change.added,
                change.left,
                change.right,
                self._distance_class(change),
            )
            members[cell].append(i)
            first.setdefault(cell, change)
        for which, rows in members.items():
            yield first[which], np.array(rows)

    def _distance_class(self, change: Change) -> int:
        return distance_class(change.at - self.length // 2)

    def places(self, change: Change, keys: tuple[str, ...]) -> range:
        """Return the places in the window at which a null variant of this change may
        begin.
        """
        middle, last = self.length // 2, self.length - max(change.size)
        if "distance" not in keys:
            return range(last + 1)
        distances = distances_of(self._distance_class(change))
        return range(
            max(middle + distances.start, 0), min(middle + distances.stop, last + 1)
        )


@dataclass
class _Found:
    """Where null variants were found so far."""

    at: NDArray[np.int64]
    minus: Mask
    n_dropped: NDArray[np.int64]

    @property
    def missing(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.at < 0)


def _nothing(n: int) -> _Found:
    return _Found(np.full(n, -1), np.zeros(n, bool), np.zeros(n, np.int64))


def draw_in_finite(
    wanted: Wanted,
    wide: Tokens,
    names: Sequence[str],
    *,
    per_sequence: int,
) -> NullVariants:
    """Draw null variants in given sequences, at most `per_sequence` in each, and never
    two at one place.

    Parameters
    ----------
    wanted
        What is drawn.
    wide, names
        (n, width) tokens of the sequences, whose middle is the window, and their names.
    per_sequence
        Null variants of one sequence at most.
    """
    n, offset = len(wanted.matched), (wide.shape[1] - wanted.length) // 2
    found, row = _nothing(n), np.full(n, -1)
    room = np.full(len(wide), per_sequence)
    free = np.ones((len(wide), wanted.length), bool)
    for n_dropped, keys in wanted.levels():
        for number in range(per_sequence):  # a sequence once in each turn
            idle = np.flatnonzero(room == per_sequence - number)
            for change, mine in wanted.groups(found.missing):
                open_ = idle[room[idle] == per_sequence - number]
                fits, places = _fitting(wanted, wide[open_], offset, change, keys)
                fits &= free[np.ix_(open_, places)][:, None, :]
                able = np.flatnonzero(fits.any((1, 2)))
                cell = change.removed, change.added, change.left, change.right
                u = _uniforms(
                    derive(wanted.key, "order", n_dropped, number, *cell),
                    open_[able],
                    2,
                )
                chosen = np.argsort(u[:, 0], kind="stable")[: len(mine)]
                mine, rows = mine[: len(chosen)], open_[able[chosen]]
                minus, place = _one_of(fits[able[chosen]], u[chosen, 1])
                found.at[mine] = np.asarray(places)[place]
                found.minus[mine], found.n_dropped[mine], row[mine] = (
                    minus,
                    n_dropped,
                    rows,
                )
                free[rows, found.at[mine]] = False
                room[rows] -= 1
    return _with_windows(wanted, wide[row], offset, found, [names[i] for i in row])


def draw_by_proposals(
    wanted: Wanted,
    width: int,
    propose: Callable[[NDArray[np.uint64]], Tokens],
    names: Sequence[str],
) -> NullVariants:
    """Draw each null variant in a sequence of its own: sequences are proposed until one
    has a place that matches.

    Parameters
    ----------
    wanted
        What is drawn.
    width
        Bases of a proposed sequence, whose middle is the window.
    propose
        Function from ids to sequences, (n, width) tokens.
    names
        (M,) name of the source of each null variant.
    """
    n, offset = len(wanted.matched), (width - wanted.length) // 2
    found, wide = _nothing(n), np.zeros((n, width), np.uint8)
    for n_dropped, keys in wanted.levels():
        for number in range(_PROPOSALS_A_KEY):
            missing = wanted.sought(found.missing, n_dropped)
            if not len(missing):
                break
            ids = missing.astype(np.uint64) + np.uint64(
                (n_dropped * _PROPOSALS_A_KEY + number) * IDS_A_ROUND
            )
            proposed = propose(ids)
            u = _uniforms(derive(wanted.key, "place"), ids, 1)[:, 0]
            of_id = np.full(n, -1)
            of_id[missing] = np.arange(len(missing))
            for change, mine in wanted.groups(missing):
                rows = of_id[mine]
                fits, places = _fitting(wanted, proposed[rows], offset, change, keys)
                able = fits.any((1, 2))
                minus, place = _one_of(fits[able], u[rows[able]])
                some = mine[able]
                found.at[some] = np.asarray(places)[place]
                found.minus[some], found.n_dropped[some] = minus, n_dropped
                wide[some] = proposed[rows[able]]
    return _with_windows(wanted, wide, offset, found, names)


def draw_in_genome(
    wanted: Wanted,
    fasta: str | PathLike[str],
    *,
    near: Sequence[tuple[str, int]] | None = None,
) -> NullVariants:
    """Draw each null variant at a random locus of a genome, its window around it as
    that of its variant is.

    Parameters
    ----------
    wanted, fasta
        What is drawn, and the genome.
    near
        Chromosome and first position of each given variant's window, where its null
        variants lie: at any position, that of the variant too, and two may lie at one.
        So variant and null variants are draws from one population, however few places
        match. None: anywhere.
    """
    n, beyond = len(wanted.matched), wanted.beyond
    found = _nothing(n)
    wide = np.zeros((n, wanted.length + 2 * beyond), np.uint8)
    source, texts = [""] * n, [""] * n
    with Genome(fasta) as genome:
        lengths = genome.lengths
        ends = np.cumsum(list(lengths.values()))
        chromosomes = list(lengths)
        for n_dropped, keys in wanted.levels():
            patterns: dict[int, tuple[str, str]] = {}
            for number in range(_PROPOSALS_A_KEY):
                missing = wanted.sought(found.missing, n_dropped)
                if not len(missing):
                    break
                ids = missing.astype(np.uint64) + np.uint64(
                    (n_dropped * _PROPOSALS_A_KEY + number) * IDS_A_ROUND
                )
                u = _uniforms(derive(wanted.key, "locus"), ids, 1)[:, 0]
                span = ends[-1] if near is None else wanted.length
                places = (u * span).astype(np.int64)
                of = np.searchsorted(ends, places, side="right")
                for i, c, place in zip(
                    missing.tolist(), of.tolist(), places.tolist(), strict=True
                ):
                    change = wanted.changes[which := int(wanted.matched[i])]
                    if near is None:
                        chromosome = chromosomes[c]
                        position = place - (int(ends[c - 1]) if c else 0)
                    else:
                        chromosome, position = near[which]
                        position += place
                    first = position - change.at - beyond
                    if first < 0 or first + wide.shape[1] > lengths[chromosome]:
                        continue
                    if (both := patterns.get(which)) is None:
                        both = patterns[which] = (
                            _pattern(change, keys),
                            _pattern(change.on_other_strand, keys),
                        )
                    flank = (len(both[0]) - len(change.removed)) // 2
                    stop = position + len(change.removed) + flank
                    if position < flank or stop > lengths[chromosome]:
                        continue
                    there = genome.letters(
                        chromosome, position - flank, stop, place="a null variant"
                    )
                    minus = _strand_of(there.decode("latin-1").upper(), both)
                    if minus is None:
                        continue
                    letters = genome.letters(
                        chromosome,
                        first,
                        first + wide.shape[1],
                        place="a null variant",
                    )
                    text = letters.decode("latin-1").upper()
                    if BASE_LETTERS.issuperset(text):
                        texts[i] = text
                        found.at[i], found.minus[i], found.n_dropped[i] = (
                            change.at,
                            minus,
                            n_dropped,
                        )
                        source[i] = f"{chromosome}:{position + 1}"
    rows = np.flatnonzero(found.at >= 0)
    if len(rows):
        wide[rows] = encode([texts[i] for i in rows])
    return _with_windows(wanted, wide, beyond, found, source)


def _strand_of(text: str, patterns: tuple[str, str]) -> bool | None:
    """Return whether letters match the pattern of the minus strand; None where they
    match on neither.
    """
    for minus, pattern in enumerate(patterns):
        if text == pattern or (
            _WILD in pattern
            and all(
                x in (_WILD, letter) for x, letter in zip(pattern, text, strict=True)
            )
        ):
            return bool(minus)
    return None


def _pattern(change: Change, keys: tuple[str, ...]) -> str:
    """Return the letters that a place must have, N where any base will do."""
    own = change.removed if "substitution" in keys else _WILD * len(change.removed)
    return f"{change.left}{own}{change.right}" if "context" in keys else own


def _fitting(
    wanted: Wanted, wide: Tokens, offset: int, change: Change, keys: tuple[str, ...]
) -> tuple[Mask, NDArray[np.int64]]:
    """Return which places of each sequence match, (n, strands, places), and the
    places.
    """
    plus = _pattern(change, keys)
    before = len(change.left) if "context" in keys else 0
    places = np.array(
        [
            at
            for at in wanted.places(change, keys)
            if offset + at - before >= 0
            and offset + at - before + len(plus) <= wide.shape[1]
        ],
        np.int64,
    )
    fits = np.ones((len(wide), 2, len(places)), bool)
    other = change.on_other_strand
    for strand, (pattern, left) in enumerate(
        ((plus, before), (_pattern(other, keys), len(other.left) * (before > 0)))
    ):
        for j, letter in enumerate(pattern):
            if letter != _WILD:
                column = offset + places - left + j
                inside = (column >= 0) & (column < wide.shape[1])
                fits[:, strand] &= inside & (
                    wide[:, np.clip(column, 0, wide.shape[1] - 1)]
                    == BASES.index(letter)
                )
    return fits, places


def _one_of(fits: Mask, u: NDArray[np.float64]) -> tuple[Mask, NDArray[np.int64]]:
    """Return for each row one of its matches, uniformly: whether on the minus strand,
    and the index of its place.
    """
    flat = fits.reshape(len(fits), fits.shape[1] * fits.shape[2])
    nth = np.minimum((u * flat.sum(1)).astype(np.int64), flat.sum(1) - 1)
    column = (
        np.argmax(np.cumsum(flat, axis=1) == (nth + 1)[:, None], axis=1)
        if len(fits)
        else nth
    )
    return np.asarray(column >= fits.shape[2]), np.asarray(
        column % max(fits.shape[2], 1)
    )


def _uniforms(key: int, units: NDArray[np.integer], n: int) -> NDArray[np.float64]:
    from causalgia.sequences.random import random_words

    return np.asarray(
        (random_words(key, units, n) >> np.uint64(11)) * 2.0**-53, np.float64
    )


def _with_windows(
    wanted: Wanted, wide: Tokens, offset: int, found: _Found, source: Sequence[str]
) -> NullVariants:
    """Return null variants with their windows; letters added are those of their variant
    where these are matched.
    """
    n = len(found.at)
    if len(found.missing):
        change = wanted.changes[wanted.matched[found.missing[0]]]
        raise DesignError(
            f"{len(found.missing):,} of {n:,} null variants found no place: a window of "
            f"{wanted.length} bases for a change of {len(change.removed)} to "
            f"{len(change.added)} bases, without N and off the places taken",
        )
    reference, alternate = (np.zeros((n, wanted.length), np.uint8) for _ in range(2))
    aligned: list[Stretches] = [()] * n
    droppable = [key for key in wanted.keys if key != "length"]
    alike: dict[tuple[int, int, Align], list[int]] = defaultdict(list)
    for i, at in enumerate(found.at.tolist()):
        size = wanted.changes[wanted.matched[i]].size
        read_out = wanted.align == "read_out"
        alike[
            *size,
            keeping_side(at, size[0], wanted.length // 2) if read_out else wanted.align,
        ].append(i)
    for (removed, n_added, side), rows in alike.items():
        members = np.array(rows)
        strings = np.zeros((len(rows), n_added), np.uint8)
        drawn = (
            _uniforms(derive(wanted.key, "letters"), members, max(n_added, 1)) * 12
        ).astype(np.int64)
        own = wide[
            members[:, None], offset + found.at[members, None] + np.arange(removed)
        ]
        for k, i in enumerate(rows):
            change = wanted.changes[wanted.matched[i]]
            if "substitution" in droppable[found.n_dropped[i] :]:
                letters = encode([change.added])[0] if n_added else strings[k]
                strings[k] = (
                    reverse_complement(letters[None])[0] if found.minus[i] else letters
                )
            elif removed == n_added:  # another base than the sequence has
                strings[k] = (own[k] + 1 + drawn[k, :n_added] % 3) % 4
            else:
                strings[k] = drawn[k, :n_added] % 4
        reference[members], alternate[members] = changed_windows(
            wide[members],
            offset,
            wanted.length,
            found.at[members].tolist(),
            removed,
            strings,
            side,
        )
        for i in rows:
            change = int(found.at[i]), removed, n_added
            aligned[i] = shared_stretches(*change, wanted.length, right=side == "right")
    return NullVariants(
        reference,
        alternate,
        wanted.matched,
        tuple(source),
        found.n_dropped,
        tuple(aligned),
    )


def joined(drawn: Sequence[NullVariants]) -> NullVariants:
    """Return the null variants of several populations, one population after the
    other.
    """
    if len(drawn) == 1:
        return drawn[0]
    columns = zip(*drawn, strict=True)
    reference, alternate, matched, source, n_dropped, aligned = (
        list(x) for x in columns
    )
    return NullVariants(
        np.concatenate(reference),
        np.concatenate(alternate),
        np.concatenate(matched),
        tuple(name for names in source for name in names),
        np.concatenate(n_dropped),
        tuple(shared for each in aligned for shared in each),
    )
