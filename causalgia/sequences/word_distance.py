"""Words of which every pair keeps a distance: passed in a random order, and kept if far enough from all kept before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from causalgia.compiled import njit
from causalgia.sequences.arguments import as_key
from causalgia.sequences.levenshtein import (
    Distance,
    check_distance,
    empty_index,
    enter,
    near_kept,
    write_codes,
    write_profile,
)
from causalgia.sequences.random import mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

_0, _1, _3 = np.uint64(0), np.uint64(1), np.uint64(3)
_ALL = np.uint64(2**64 - 1)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_ROUNDS = 4


class WordRules(NamedTuple):
    """What each word of a set must be by itself.

    Parameters
    ----------
    run
        Longest run of one base, also into the flanks.
    gc
        Fewest and most G and C in a word.
    all_four
        Whether each base must stand in it.
    left, right
        Letters before and after each word, tokens (n,).
    masks
        Words that must not touch it, each as `causalgia.sequences.composition.word_masks`.
    """

    run: int
    gc: tuple[int, int]
    all_four: bool
    left: NDArray[np.uint8]
    right: NDArray[np.uint8]
    masks: tuple[NDArray[np.uint8], ...]


@njit(nogil=True)
def _scrambled(turn: Any, key: Any, n_bits: Any) -> Any:
    """Return a keyed bijection of the integers below 2^n_bits: every word once, in an order that looks random."""
    mask = _ALL >> np.uint64(64 - n_bits)
    half = np.uint64((n_bits + 1) // 2)
    for i in range(_ROUNDS):
        turn = (turn + mix(key + np.uint64(2 * i + 1) * _STEP)) & mask
        turn = (turn * (mix(key + np.uint64(2 * i + 2) * _STEP) | _1)) & mask
        turn ^= turn >> half
    return turn


@njit(nogil=True)
def _broken(buffer: Any, length: Any, count: Any, checks: Any) -> Any:
    """Return which check a word between its flanks fails first: 0 runs, 1 GC, 2 bases missing, 3 + i word i; or -1."""
    first, run, low, high, all_four, masks, widths = checks
    last = first + length
    current = 1
    for i in range(1, buffer.size):
        current = current + 1 if buffer[i] == buffer[i - 1] else 1
        if current > run and i >= first and i - current + 1 < last:
            return 0
    gc = np.int64(count[1]) + np.int64(count[2])
    if gc < low or gc > high:
        return 1
    if all_four and min(count[0], count[1], count[2], count[3]) == 0:
        return 2
    for i in range(widths.size):
        width = widths[i]
        for start in range(max(first - width + 1, 0), min(last, buffer.size - width + 1)):
            at = 0
            while at < width and (masks[i, at] >> buffer[start + at]) & 1:
                at += 1
            if at == width:
                return 3 + i
    return -1


@njit(nogil=True)
def _spell(number: Any, word: Any, count: Any) -> None:
    """Write the letters of a word's number, and how often each base stands in it."""
    count[:] = 0
    for i in range(word.size):
        word[i] = np.uint8((number >> np.uint64(2 * i)) & _3)
        count[word[i]] += 1


@njit(nogil=True)
def _draw(key: Any, tries: Any, buffer: Any, checks: Any, store: Any, how: Any, failed: Any) -> Any:
    """Keep words, in the order of the bijection, that pass the checks and are near none kept; return (kept, tried)."""
    (most, length), n_starts = store[0].shape, store[3].shape[1]
    (compared, width, _, _, _), first = how, checks[0]
    word, n_kept, turn = buffer[first : first + length], 0, _0
    bits, count, codes = np.empty(4, np.uint64), np.empty(4, np.uint8), np.empty(n_starts, np.int64)
    while n_kept < most and turn < tries:
        _spell(_scrambled(turn, key, 2 * length), word, count)
        turn += _1
        check = _broken(buffer, length, count, checks)
        if check < 0:
            write_codes(word, width, codes)
            write_profile(word[:compared], bits)
            if near_kept(word, codes, bits, count, store, how) >= 0:
                check = len(failed) - 1
        if check >= 0:
            failed[check] += 1
            continue
        enter(word, codes, count, n_kept, store)
        n_kept += 1
    return n_kept, turn


def distant_words(
    n: int, length: int, min_distance: int, *, distance: Distance, rules: WordRules, key: int, tries: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64], int]:
    """Return words of which every pair keeps a distance, the first of a random order of all words that do.

    All ``4^length`` words are passed in an order that the key gives, none twice; one is kept if it keeps the rules and
    is not nearer than `min_distance` to one kept before. So the first n of a longer list are the list of n.

    Parameters
    ----------
    n
        Words wanted.
    length
        Their letters, at most 32.
    min_distance, distance
        As `nearer_than`.
    rules
        What each must be by itself.
    key
        64-bit key of the purpose, from `causalgia.streams`.
    tries
        Words to pass at most.

    Returns
    -------
    tuple
        Tokens, (found, length), found at most n; how many words failed first on runs, GC, missing bases, each of the
        masks, and distance, (4 + n_masks,); how many were passed.

    Raises
    ------
    SequenceError
        If words are too long, or the distance is not a choice or not between 1 and their length.

    Examples
    --------
    >>> no = np.empty(0, np.uint8)
    >>> rules = WordRules(run=3, gc=(2, 4), all_four=True, left=no, right=no, masks=())
    >>> words, _, _ = distant_words(5, 6, 3, distance="levenshtein", rules=rules, key=1, tries=4**6)
    >>> words.shape
    (5, 6)
    """
    check_distance(length, min_distance, distance)
    widths = np.array([len(mask) for mask in rules.masks], np.int64)
    masks = np.zeros((len(widths), int(widths.max(initial=1))), np.uint8)
    for row, mask in zip(masks, rules.masks, strict=True):
        row[: len(mask)] = mask
    buffer = np.concatenate([rules.left, np.zeros(length, np.uint8), rules.right]).astype(np.uint8)
    checks = (len(rules.left), rules.run, *rules.gc, rules.all_four, masks, widths)
    failed = np.zeros(4 + len(widths), np.int64)
    store, how = empty_index(n, length, min_distance, distance)
    most = np.uint64(min(tries, 4**length, 2**64 - 1))
    found, passed = _draw(as_key(key), most, buffer, checks, store, how, failed)
    return store[0][:found].copy(), failed, int(passed)
