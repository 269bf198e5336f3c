"""Sets of strings with a minimal pairwise distance, built greedily in random order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from causalgia.compiled import njit
from causalgia.errors import SequenceError, quoted
from causalgia.sequences.random import as_key, mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

_0, _1, _3 = np.uint64(0), np.uint64(1), np.uint64(3)
_ALL = np.uint64(2**64 - 1)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIXING_ROUNDS = 4


class StringRules(NamedTuple):
    """Rules for each string of a set by itself.

    Parameters
    ----------
    run
        Longest run of one base, also into the flanks.
    gc
        Least and largest number of G and C in a string.
    all_four
        Whether each base must occur in it.
    left, right
        Flanks before and after each string, tokens (n,).
    masks
        Strings that must not overlap it, each as
        `causalgia.sequences.composition.iupac_masks`.
    """

    run: int
    gc: tuple[int, int]
    all_four: bool
    left: NDArray[np.uint8]
    right: NDArray[np.uint8]
    masks: tuple[NDArray[np.uint8], ...]


@njit(nogil=True)
def _scrambled(turn: Any, key: Any, n_bits: Any) -> Any:
    """Return a keyed bijection of the integers below 2^n_bits: a pseudorandom order of
    all strings.
    """
    mask = _ALL >> np.uint64(64 - n_bits)
    half = np.uint64((n_bits + 1) // 2)
    for i in range(_MIXING_ROUNDS):
        turn = (turn + mix(key + np.uint64(2 * i + 1) * _STEP)) & mask
        turn = (turn * (mix(key + np.uint64(2 * i + 2) * _STEP) | _1)) & mask
        turn ^= turn >> half
    return turn


@njit(nogil=True)
def _first_failed_rule(buffer: Any, length: Any, count: Any, checks: Any) -> Any:
    """Return the first rule that a string breaks: 0 runs, 1 GC, 2 bases missing, 3 + i
    string i; or -1.
    """
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
        for start in range(
            max(first - width + 1, 0), min(last, buffer.size - width + 1)
        ):
            at = 0
            while at < width and (masks[i, at] >> buffer[start + at]) & 1:
                at += 1
            if at == width:
                return 3 + i
    return -1


@njit(nogil=True)
def _spell(number: Any, letters: Any, count: Any) -> None:
    """Write the letters of a string's number, and the count of each base."""
    count[:] = 0
    for i in range(letters.size):
        letters[i] = np.uint8((number >> np.uint64(2 * i)) & _3)
        count[letters[i]] += 1


@njit(nogil=True)
def _draw_strings(
    key: Any, tries: Any, buffer: Any, checks: Any, store: Any, how: Any, failed: Any
) -> Any:
    """Keep strings, in the order of the bijection, that obey the rules and are far from
    all kept.

    Return (kept, tried).
    """
    (most, length), n_starts = store[0].shape, store[3].shape[1]
    (compared, width, _, _, _), first = how, checks[0]
    letters, n_written, turn = buffer[first : first + length], 0, _0
    bits, count, codes = (
        np.empty(4, np.uint64),
        np.empty(4, np.uint8),
        np.empty(n_starts, np.int64),
    )
    while n_written < most and turn < tries:
        _spell(_scrambled(turn, key, 2 * length), letters, count)
        turn += _1
        check = _first_failed_rule(buffer, length, count, checks)
        if check < 0:
            write_codes(letters, width, codes)
            write_profile(letters[:compared], bits)
            if find_near(letters, codes, bits, count, store, how) >= 0:
                check = len(failed) - 1
        if check >= 0:
            failed[check] += 1
            continue
        add_to_index(letters, codes, count, n_written, store)
        n_written += 1
    return n_written, turn


def distant_strings(
    n: int,
    length: int,
    min_distance: int,
    *,
    distance: Distance,
    rules: StringRules,
    key: int,
    tries: int,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], int]:
    """Return strings with a minimal pairwise distance, the first of a random order of
    all strings.

    All ``4^length`` strings are tried in an order given by the key, each once; a string
    is kept if it obeys the rules and has at least `min_distance` to all kept before. So
    the first n of a longer list are the list of n.

    Parameters
    ----------
    n
        Number of strings.
    length
        Letters of a string, at most 32.
    min_distance
        Least accepted distance of a pair.
    distance
        ``"hamming"`` counts mismatches; ``"levenshtein"`` is the fewest substitutions,
        insertions and deletions that make one the other. ``"free"`` is for strings whose
        right end is unknown, as when a fixed number of letters is read: an insertion
        pushes the last letter out and a deletion lets any letter in. It is the least,
        over s, of ``max(2 s, S_s)``, S_s the fewest edits between the first ``length -
        s`` letters of one and any beginning of those of the other: a lower bound of the
        FREE divergence of Hawkins et al. S_0 alone, the Sequence-Levenshtein distance,
        lets two strings at distance 3 be one error from the same read.
    rules
        Rules for each string by itself.
    key
        64-bit key of the purpose, from `causalgia.streams`.
    tries
        Largest number of strings to try.

    Returns
    -------
    tuple
        Tokens, (found, length), found at most n; the number of strings that failed
        first on runs, GC, missing bases, each of the masks, and distance, (4 +
        n_masks,); the number of strings tried.

    Raises
    ------
    SequenceError
        If strings are too long, or the distance is not a choice or not between 1 and
        their length.

    References
    ----------
    Myers (1999), doi:10.1145/316542.316550. Hyyro (2003), A bit-vector algorithm for
    computing Levenshtein and Damerau edit distances, Nordic Journal of Computing 10:29.
    Buschmann & Bystrykh (2013), Levenshtein error-correcting barcodes for multiplexed
    DNA sequencing, doi:10.1186/1471-2105-14-272. Hawkins et al. (2018),
    Indel-correcting DNA barcodes for high-throughput sequencing,
    doi:10.1073/pnas.1802640115.

    Examples
    --------
    >>> no = np.empty(0, np.uint8)
    >>> rules = StringRules(
    ...     run=3, gc=(2, 4), all_four=True, left=no, right=no, masks=()
    ... )
    >>> strings, _, _ = distant_strings(
    ...     5, 6, 3, distance="levenshtein", rules=rules, key=1, tries=4**6
    ... )
    >>> strings.shape
    (5, 6)
    """
    check_distance(length, min_distance, distance)
    widths = np.array([len(mask) for mask in rules.masks], np.int64)
    masks = np.zeros((len(widths), int(widths.max(initial=1))), np.uint8)
    for row, mask in zip(masks, rules.masks, strict=True):
        row[: len(mask)] = mask
    buffer = np.concatenate(
        [rules.left, np.zeros(length, np.uint8), rules.right]
    ).astype(np.uint8)
    checks = (len(rules.left), rules.run, *rules.gc, rules.all_four, masks, widths)
    failed = np.zeros(4 + len(widths), np.int64)
    store, how = empty_index(n, length, min_distance, distance)
    most = np.uint64(min(tries, 4**length, 2**64 - 1))
    found, passed = _draw_strings(as_key(key), most, buffer, checks, store, how, failed)
    return store[0][:found].copy(), failed, int(passed)


Distance: TypeAlias = Literal["hamming", "levenshtein", "free"]
KINDS: tuple[Distance, ...] = ("hamming", "levenshtein", "free")
LONGEST = 32  # letters
_WIDEST_PIECE = 9


class Index(NamedTuple):
    """Kept strings, and the method of comparison.

    Kernels take its two fields as plain tuples: a class in a compiled signature would
    tie caches on disk to its name.

    Parameters
    ----------
    store
        Strings (most, length), counts of each base in them (most, 4), and chains: heads
        (n_starts, 4^width) have, for each start and each code,
        ``number * n_starts + start`` of the last string whose window there spells it,
        or -1, and onward (most, n_starts) the one before it.
    how
        Number of compared letters, width of a window, stride of pieces, kind of
        distance, largest number of edits.
    """

    store: tuple[
        NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int32], NDArray[np.int32]
    ]
    how: tuple[int, int, int, int, int]


@njit(nogil=True)
def write_profile(letters: Any, bits: Any) -> None:
    """Write, for each base, its positions in a string, as bits."""
    bits[:] = _0
    for i in range(letters.size):
        bits[letters[i]] |= _1 << np.uint64(i)


@njit(nogil=True)
def _edits(bits: Any, length: Any, text: Any, free_end: Any) -> Any:
    """Return the edit distance of a string, given by its profile, and a text; with free
    ends of the best end.
    """
    plus, minus, score = _ALL, _0, length
    top = _1 << np.uint64(length - 1)
    best = score
    for j in range(text.size):
        equal = bits[text[j]]
        vertical = equal | minus
        horizontal = (((equal & plus) + plus) ^ plus) | equal
        up, down = minus | ~(horizontal | plus), plus & horizontal
        if up & top:
            score += 1
        elif down & top:
            score -= 1
        best = min(best, score)
        up, down = (up << _1) | _1, down << _1
        plus, minus = down | ~(vertical | up), up & vertical
    if not free_end:
        return score
    column = text.size
    best = min(best, column)
    for i in range(length):
        column += np.int64((plus >> np.uint64(i)) & _1) - np.int64(
            (minus >> np.uint64(i)) & _1
        )
        best = min(best, column)
    return best


@njit(nogil=True)
def _mismatches(one: Any, other: Any, enough: Any) -> Any:
    count = np.int64(0)
    for i in range(one.size):
        count += one[i] != other[i]
        if count > enough:
            return count
    return count


@njit(nogil=True)
def write_codes(letters: Any, width: Any, codes: Any) -> None:
    """Write the number that each window of a string spells."""
    for start in range(codes.size):
        code = np.int64(0)
        for i in range(width):
            code = code << 2 | np.int64(letters[start + i])
        codes[start] = code


@njit(nogil=True)
def _near_in_chain(
    entry: Any, letters: Any, bits: Any, count: Any, store: Any, how: Any
) -> Any:
    """Return the first kept string in a chain of the index that is within k edits of
    the string, or -1.
    """
    strings, counts, _, onward = store
    compared, _, _, kind, k = how
    n_starts = onward.shape[1]
    while entry >= 0:
        other = entry // n_starts
        if kind == 0:
            if _mismatches(letters, strings[other], k) <= k:
                return other
        else:
            differ = np.int64(
                0
            )  # an edit changes the counts by at most two (a substitution); free ends may change more
            for base in range(4):
                differ += abs(np.int64(count[base]) - np.int64(counts[other, base]))
            text = strings[other, :compared]
            if (kind == 2 or differ <= 2 * k) and _edits(
                bits, text.size, text, kind == 2
            ) <= k:
                return other
        entry = np.int64(onward[other, entry - other * n_starts])
    return -1


@njit(nogil=True)
def find_near(
    letters: Any, codes: Any, bits: Any, count: Any, store: Any, how: Any
) -> Any:
    """Return a kept string within k edits of the string, or -1.

    Pieces of the string are looked up in kept strings; with free ends, pieces of kept
    strings also in the string. With k edits a piece is shifted by at most k

    2 positions, as the other end must match; with free ends, by k.
    """
    heads, (_, _, stride, kind, k) = store[2], how
    shift = 0 if kind == 0 else (k // 2 if kind == 1 else k)
    for piece in range(k + 1):
        start = piece * stride
        for moved in range(max(start - shift, 0), min(start + shift + 1, codes.size)):
            other = _near_in_chain(
                np.int64(heads[moved, codes[start]]), letters, bits, count, store, how
            )
            if other < 0 and kind == 2 and moved != start:
                other = _near_in_chain(
                    np.int64(heads[start, codes[moved]]),
                    letters,
                    bits,
                    count,
                    store,
                    how,
                )
            if other >= 0:
                return other
    return -1


@njit(nogil=True)
def add_to_index(letters: Any, codes: Any, count: Any, number: Any, store: Any) -> None:
    """Add a string to the index."""
    strings, counts, heads, onward = store
    strings[number], counts[number] = letters, count
    for start in range(codes.size):
        onward[number, start] = heads[start, codes[start]]
        heads[start, codes[start]] = number * codes.size + start


def empty_index(n: int, length: int, min_distance: int, distance: Distance) -> Index:
    """Return an empty index with room for n strings."""
    k = min_distance - 1
    compared = length - k // 2 if distance == "free" else length
    stride = compared // (k + 1)
    width = min(stride, _WIDEST_PIECE, max(math.ceil(math.log(max(n, 2), 4)), 1))
    n_starts = compared - width + 1
    store = (
        np.empty((n, length), np.uint8),
        np.empty((n, 4), np.uint8),
        np.full((n_starts, 4**width), -1, np.int32),
        np.empty((n, n_starts), np.int32),
    )
    return Index(store, (compared, width, stride, KINDS.index(distance), k))


def largest_distance(length: int, distance: str) -> int:
    """Return the largest possible minimal distance of strings of a length.

    Examples
    --------
    >>> largest_distance(10, "levenshtein"), largest_distance(10, "free")
    (10, 7)
    """
    return (2 * length + 2) // 3 if distance == "free" else length


def check_distance(length: int, min_distance: int, distance: str) -> None:
    """Raise SequenceError unless the distance is possible for strings of a length."""
    if distance not in KINDS:
        raise SequenceError(
            f"distance={quoted(distance)} is not a choice; use one of "
            f"{', '.join(map(quoted, KINDS))}"
        )
    most = largest_distance(length, distance)
    if not 1 <= min_distance <= most:
        raise SequenceError(
            f"min_distance={min_distance} is not between 1 and {most}, the most of "
            f"{length} letters"
        )
    if length > LONGEST:
        raise SequenceError(
            f"strings of {length} letters are too long; they have at most {LONGEST}"
        )
