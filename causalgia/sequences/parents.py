"""Which sequences are one parent: windows of one stretch of a genome, copies, and
shuffles of one another.

A peak list names a peak once for each summit, tiles overlap, and a list may hold both
strands. Answers to such sequences vary together, so that they are one independent unit.
Two sequences are one parent if

- the intervals that their names say overlap, on either strand, or
- they overlap by their letters: the end of one is the beginning of the other, on either
  strand, over a quarter of their length or more, and 24 bases at least, with the same
  letters in nine of ten places; or
- they have equal dinucleotide counts, on either strand: copies, and shuffles of one
  another.

Parents are the connected groups. A repeat inside two windows does not make the one the
beginning of the other; and where two sequences that do not overlap have a word in
common, the word says nothing of others: so Alus at ends of windows do not count, unless
there are only two. Nor do simple repeats such as poly-A, nor adapters: positions at both
ends that have one letter in all sequences are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalgia.sequences.composition import (
    first_of_equal_dinucleotides,
    number_distinct,
    simple_repeats,
)
from causalgia.types import Ints, Tokens

# "chr1:100-300", with bedtools' "name::" before it and "(+)" after it, or samtools'
# "/rc"
PLACE = re.compile(r"(?:.*::)?(.+):(\d{1,15})-(\d{1,15})(?:\(([+.-])\)|(/rc))?")
_SEED = 16
"""Letters that two windows must have in common somewhere to be compared."""
LEAST_OVERLAP = 24
"""Bases; random sequences of any number do not overlap so far."""
_SAME, _ALIKE = 0.9, 0.8
PLACES_READ = 64  # at most, to see that two windows differ
_SEEDS_AN_OVERLAP = 16
_LETTERS_AT_ONCE = 1 << 22
_MULTIPLIER = np.uint32(0x9E3779B1)
_LONGEST_PERIOD = 6


class Places(NamedTuple):
    """Where sequences lie: chromosome, 0-based start, stop (excluded) and strand, (n,)
    each; "", -1, -1 and "" where it is not known.
    """

    chromosome: NDArray[np.str_]
    start: Ints
    stop: Ints
    strand: NDArray[np.str_]


def places_of(names: Sequence[object], length: int) -> Places:
    """Return the places that names say of sequences of one length.

    An interval of `length` bases is the sequence's, from 0 with the stop excluded
    (bedtools) or from 1 with it (samtools): the length tells which. Of a longer one the
    sequence is the middle, as `read_fasta` takes it. A shorter one is not its place.

    Examples
    --------
    >>> places_of(["chr1:100-300(-)", "peak::chr1:101-300", "promoter"], 200).start
    array([100, 100,  -1])
    """
    rows = [_place(str(name), length) for name in names]
    chromosome, start, stop, strand = zip(*rows, strict=True)
    return Places(
        np.array(chromosome), np.array(start), np.array(stop), np.array(strand)
    )


def _place(name: str, length: int) -> tuple[str, int, int, str]:
    found = PLACE.fullmatch(name)
    if found is None:
        return "", -1, -1, ""
    chromosome, first, last, sign, rc = found.groups()
    strand = "-" if rc else (sign or "").replace(".", "")
    start, stop = int(first), int(last)
    if stop - start + 1 == length:
        start -= 1
    left = (stop - start) // 2 - length // 2
    if start < 0 or stop - start < length:
        return "", -1, -1, ""
    start = stop - left - length if strand == "-" else start + left
    return chromosome, start, start + length, strand


def parent_rows(tokens: Tokens, names: Sequence[object]) -> Ints:
    """Return the first row of the parent of each sequence, (n,).

    Parameters
    ----------
    tokens
        (n, length) tokens, 0, 1, 2, 3 = A, C, G, T.
    names
        Names of the sequences, which may say their places.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> letters = "ACGTTGCATTGACCATAGGCTAACGGATCCTTAGCA"
    >>> tokens = encode([letters[:30], letters[6:], "T" * 30])
    >>> parent_rows(tokens, (0, 1, 2)).tolist()
    [0, 0, 2]
    >>> parent_rows(tokens, ("chr1:0-30", "peak", "chr1:29-59(-)")).tolist()
    [0, 0, 0]
    """
    n = len(tokens)
    if n == 1:
        return np.zeros(1, np.int64)
    places = places_of(names, tokens.shape[1])
    known = np.flatnonzero(places.start >= 0)
    links = [np.stack([np.arange(n), first_of_equal_dinucleotides(tokens)])]
    if len(known):
        # "1" is the chromosome that others call "chr1"
        chromosome = [name.removeprefix("chr") for name in places.chromosome[known]]
        group = overlapping(chromosome, places.start[known], places.stop[known])
        links.append(np.stack([known, known[_first_rows(group)]]))
    return _linked_by_letters(_without_constant_ends(tokens), links)


def overlapping_rows(tokens: Tokens) -> Ints:
    """Return the first row of each group of sequences that are copies or overlap by
    their letters, (n,), whatever their dinucleotide counts.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> letters = "ACGTTGCATTGACCATAGGCTAACGGATCCTTAGCA"
    >>> overlapping_rows(encode([letters[:30], letters[6:], "AC" * 15])).tolist()
    [0, 0, 2]
    """
    number, first = number_distinct(tokens)
    copies = np.stack([np.arange(len(tokens)), first[number]])
    return _linked_by_letters(_without_constant_ends(tokens), [copies])


def overlapping(chromosome: Sequence[str], start: Ints, stop: Ints) -> Ints:
    """Return the number of the connected group of overlapping intervals that each is
    in, (n,).

    Examples
    --------
    >>> overlapping(
    ...     ["1", "1", "1", "2"], np.array([8, 0, 5, 0]), np.array([9, 6, 8, 6])
    ... )
    array([1, 0, 0, 2])
    """
    _, code = np.unique(chromosome, return_inverse=True)
    order = np.lexsort((start, code))
    code, first = code[order], start[order]
    # chromosomes one behind the other, so that one running maximum serves all
    offset = code * (int(stop.max()) + 1)
    reached = np.maximum.accumulate(stop[order] + offset)
    apart = (code[1:] != code[:-1]) | ((first + offset)[1:] >= reached[:-1])
    group = np.empty(len(order), np.int64)
    group[order] = np.concatenate([[0], np.cumsum(apart)])
    return group


def _first_rows(group: Ints) -> Ints:
    """Return the first row of the group of each row, (n,)."""
    _, first, which = np.unique(group, return_index=True, return_inverse=True)
    return np.asarray(first[which], np.int64)


def _without_constant_ends(tokens: Tokens) -> Tokens:
    """Return sequences without the positions at both ends that have one letter in all
    of them, which adapters and a constant context have.
    """
    varies = np.flatnonzero((tokens != tokens[0]).any(axis=0))
    return tokens[:, varies[0] : varies[-1] + 1] if len(varies) else tokens[:, :0]


def _linked_by_letters(tokens: Tokens, links: list[Ints]) -> Ints:
    """Return the first row of each parent, from pairs of rows that are linked and those
    that overlap by their letters.
    """
    n, length = tokens.shape
    least = max(-(-length // 4), LEAST_OVERLAP)
    if length < least:
        return _first_rows(_connected(links, n))
    row, at, minus, seed = _seeds(tokens, least)
    # neighbors with one seed: of windows of one stretch, those that overlap most
    one = np.flatnonzero(seed[1:] == seed[:-1])
    other = one + 1
    # where the second starts in the first, on the strand on which both read the seed
    flip = minus[one] != minus[other]
    place = np.where(flip, length - _SEED - at[other], at[other])
    shift = at[one] - place
    kept = np.abs(shift) <= length - least
    pairs = np.stack([row[one], row[other], flip, shift])[:, kept]
    _, first, which = np.unique(
        ((pairs[0] * n + pairs[1]) * 2 + pairs[2]) * 2 * length + pairs[3] + length,
        return_index=True,
        return_inverse=True,
    )
    distinct = pairs[:, first]
    alike = _same_letters(tokens, distinct, _ALIKE, PLACES_READ)
    # a seed around which two sequences differ is of a repeat, and says nothing; others
    # must reach beyond it by more letters than are alike by chance
    word, begin = seed[one[kept]], at[one[kept]]
    telling = ~np.isin(word, word[~alike[which]])
    lowest, highest = np.full(len(first), length), np.zeros(len(first), np.int64)
    np.minimum.at(lowest, which[telling], begin[telling])
    np.maximum.at(highest, which[telling], begin[telling])
    beyond = highest - lowest >= LEAST_OVERLAP - _SEED
    group = _connected(links, n)
    pairs = distinct[:, beyond & (group[distinct[0]] != group[distinct[1]])]
    links = [*links, pairs[:2, _same_letters(tokens, pairs, _SAME, length)]]
    return _first_rows(_connected(links, n))


def _connected(links: list[Ints], n: int) -> Ints:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    one, other = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _seeds(
    tokens: Tokens, least: int
) -> tuple[Ints, Ints, NDArray[np.bool_], NDArray[np.uint32]]:
    """Return the row, the start, the strand and the letters of seeds, sorted by letters
    and place: words of 16, drawn by their letters alone, about 16 in any overlap.
    """
    n, length = tokens.shape
    share = np.uint32((2**32 - 1) // max(1, (least - _SEED + 1) // _SEEDS_AN_OVERLAP))
    found = []
    step = max(1, _LETTERS_AT_ONCE // length)
    for begin in range(0, n, step):
        forward = tokens[begin : begin + step].astype(np.uint32)
        backward = 3 - forward
        for width in (1, 2, 4, 8):  # words of twice the width
            bits = np.uint32(2 * width)
            backward = backward[:, :-width] | (backward[:, width:] << bits)
            forward = (forward[:, :-width] << bits) | forward[:, width:]
        word = np.minimum(forward, backward) * _MULTIPLIER
        row, at = np.nonzero(word <= share)
        simple = np.zeros(len(row), bool)  # repeats of a few bases are in any sequence
        for period in range(1, _LONGEST_PERIOD + 1):
            there = at + period < forward.shape[1]
            later = np.minimum(at + period, forward.shape[1] - 1)
            simple |= there & (forward[row, later] == forward[row, at])
        row, at = row[~simple], at[~simple]
        minus = backward[row, at] < forward[row, at]
        found.append((row + begin, at, minus, word[row, at]))
    row, at, minus, seed = (np.concatenate(part) for part in zip(*found, strict=True))
    place = np.where(minus, length - _SEED - at, at)
    order = np.lexsort((place, seed))
    return row[order], at[order], minus[order], seed[order]


def _same_letters(
    tokens: Tokens, pairs: Ints, share: float, n_places: int
) -> NDArray[np.bool_]:
    """Return whether pairs of rows have the same letters in this share of the places
    where they overlap, outside simple repeats, (m,); of `n_places` at most, spread
    evenly.

    Pairs (4, m) have two rows, whether the second is read on the other strand, and
    where it starts in the first.
    """
    length, found = tokens.shape[1], np.zeros(pairs.shape[1], np.bool_)
    if not len(found):
        return found
    used, numbers = np.unique(pairs[:2], return_inverse=True)
    rows, repeats = tokens[used], simple_repeats(tokens[used])
    first, second = numbers.reshape(2, -1, 1)
    flips, shifts = pairs[2:, :, None]
    size = max(1, _LETTERS_AT_ONCE // n_places)
    for begin in range(0, len(found), size):
        part = slice(begin, begin + size)
        one, other, flip, shift = first[part], second[part], flips[part], shifts[part]
        overlap = length - np.abs(shift)
        step = -(-overlap // n_places)
        at = np.maximum(shift, 0) + step * np.arange(n_places)
        inside = at < np.maximum(shift, 0) + overlap
        at = np.where(inside, at, 0)
        place = np.where(inside, at - shift, 0)
        place = np.where(flip, length - 1 - place, place)
        letters = rows[other, place]
        letters = np.where(flip, 3 - letters, letters)
        # where both have a simple repeat, they are alike by chance
        inside &= ~(repeats[one, at] & repeats[other, place])
        counted = inside.sum(axis=1)
        same = (inside & (rows[one, at] == letters)).sum(axis=1)
        found[part] = (counted * step[:, 0] >= LEAST_OVERLAP) & (
            same >= share * counted
        )
    return found
