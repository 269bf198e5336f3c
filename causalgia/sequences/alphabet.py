"""Letters and tokens: DNA and RNA strings as uint8 arrays, one-hot arrays, their
reverse complement and edits.

A token is 0, 1, 2 or 3 for A, C, G or T. U is read as T and lower case as upper case,
so RNA and soft-masked DNA need no preparation. Ambiguous letters (N, R, Y, ...) raise
an error unless a caller chooses to draw them. An edit takes (n, L) uint8 tokens and
returns a new array; a `piece` is either one row of tokens, shape (w,), written into
every sequence, or a row for each, shape (n, w).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from causalgia.choices import BASES
from causalgia.errors import (
    SequenceError,
    quoted,
    quoted_path,
    type_in_words,
)
from causalgia.streams import RNG, check_seed, derive, root_key
from causalgia.types import Tokens

Ambiguous: TypeAlias = Literal["refuse", "draw"]
ReadAmbiguous: TypeAlias = Literal["refuse", "draw", "keep"]
Layout: TypeAlias = Literal["NCL", "NLC"]

BASE_LETTERS = frozenset(BASES)
IUPAC: dict[str, str] = {
    **{"A": "A", "C": "C", "G": "G", "T": "T", "U": "T"},
    **{"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"},
    **{"B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT"},
}
"""Each letter of the IUPAC code and the bases that it admits."""

_AMBIGUOUS = "".join(letter for letter, bases in IUPAC.items() if len(bases) > 1)
_IS_PATH = re.compile(r"[/\\]|\.\w+$")  # data/peaks.fa
_UNKNOWN = 255
_IUPAC_COMPLEMENT = str.maketrans("ACGTURYSWKMBDHVN", "TGCAAYRSWMKVHDBN")
COMPLEMENT_CODES: Tokens = np.array(
    [ord(chr(byte).translate(_IUPAC_COMPLEMENT)) for byte in range(256)], np.uint8
)
"""ASCII code of the complement of each letter in upper case; others are unchanged."""


_CODE_OF = {
    x: BASES.index(bases) if len(bases) == 1 else 4 + _AMBIGUOUS.index(x)
    for x, bases in IUPAC.items()
}
CODES: Tokens = np.array(
    [_CODE_OF.get(chr(byte).upper(), _UNKNOWN) for byte in range(256)], np.uint8
)
"""Code of each byte: 0 to 3 a base, 4 and up an ambiguous letter, 255 anything else."""
# Twelve is divisible by 2, 3 and 4: a fair twelve-sided die draws every ambiguous
# letter exactly uniformly.
DIE = np.array(
    [
        [BASES.index(base) for base in IUPAC[x] * (12 // len(IUPAC[x]))]
        for x in _AMBIGUOUS
    ],
    np.uint8,
)


def encode(
    strings: str | Sequence[str],
    *,
    ambiguous: Ambiguous = "refuse",
    rng: RNG | None = None,
    names: Sequence[str | int] | None = None,
) -> Tokens:
    """Turn strings of equal length into tokens, (n, length) uint8, with 0, 1, 2, 3 = A,
    C, G, T.

    U is T and lower case is upper case. With ``ambiguous="draw"`` an ambiguous letter
    is drawn uniformly from the bases that it admits (N from all four); the draw of a
    record depends on `rng` and the record's name alone.

    Parameters
    ----------
    strings
        One string, or several of one length.
    ambiguous
        Whether a letter such as N is an error or a draw.
    rng
        Seed (0 is a seed), Generator or SeedSequence. Needed for ``ambiguous="draw"``
        only.
    names
        What error messages call the records; by default their indices.

    Raises
    ------
    SequenceError
        If there is no letter at all, lengths differ, or a letter is not one of ACGTU
        (or IUPAC, when drawing).
    TypeError
        If letters are to be drawn and `rng` is missing.

    Examples
    --------
    >>> encode(["ACGT", "ugca"])
    array([[0, 1, 2, 3],
           [3, 2, 1, 0]], dtype=uint8)
    """
    given: object = strings
    if not isinstance(given, Iterable) or isinstance(given, bytes | bytearray):
        raise SequenceError(
            f"strings={quoted(strings)} is not a sequence; give one string such as "
            "'ACGT', or a list of such"
        )
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        column = "one column of it" if hasattr(given, "columns") else "list(x.values())"
        raise SequenceError(
            f"strings= takes a list of strings, not {type_in_words(given)}; give "
            f"{column}"
        )
    if isinstance(strings, str) and _IS_PATH.search(strings):
        raise SequenceError(
            f"strings={quoted(strings)} is a path and no sequence; read the file: "
            f"cg.read_sequences({quoted_path(strings)}), which has .tokens"
        )
    records = [strings] if isinstance(strings, str) else list(strings)
    labels: Sequence[str | int] = range(len(records)) if names is None else names
    if len(labels) != len(records):
        msg = (
            f"{len(labels)} names for {len(records)} strings; give each string one name"
        )
        raise SequenceError(msg)
    letters = stack_letters(
        [_as_bytes(x, name) for x, name in zip(records, labels, strict=True)], labels
    )
    return letter_tokens(letters, labels, ambiguous=ambiguous, rng=rng)


def _as_bytes(record: object, name: str | int) -> bytes:
    if not isinstance(record, str):
        msg = (
            f"record {quoted(name)} is {type_in_words(record)}, not a string; give "
            "strings such as 'ACGT'"
        )
        raise SequenceError(msg)
    if not record.isascii():
        position = next(i for i, letter in enumerate(record) if not letter.isascii())
        _raise_letter_error(record[position], position, f"record {quoted(name)}")
    return record.encode("ascii")


def stack_letters(
    records: Sequence[bytes], names: Sequence[str | int], *, source: str | None = None
) -> Tokens:
    """Stack records of one length as their raw letters, (n, length) uint8.

    Raises
    ------
    SequenceError
        If there is no record, a record is empty, or two lengths differ.
    """
    if not records:
        msg = f"{_source_prefix(source)}no sequences; give at least one"
        raise SequenceError(msg)
    lengths = np.fromiter(map(len, records), np.int64, len(records))
    odd, first = int(np.argmax(lengths != lengths[0])), int(lengths[0])
    if not lengths.all():
        cure = "drop it" if lengths.any() else "give it letters"
        msg = (
            f"{_source_prefix(source)}record {quoted(names[int(np.argmin(lengths))])} "
            f"is empty; {cure}"
        )
        raise SequenceError(msg)
    if odd:
        raise SequenceError(
            f"{_source_prefix(source)}record {quoted(names[odd])} has {lengths[odd]} "
            f"letters and record {quoted(names[0])} has {first}",
        )
    return np.frombuffer(b"".join(records), np.uint8).reshape(len(records), first)


def letter_tokens(
    letters: Tokens,
    names: Sequence[str | int],
    *,
    ambiguous: Ambiguous = "refuse",
    rng: RNG | None = None,
    source: str | None = None,
) -> Tokens:
    """Turn raw letters, (n, length) bytes, into tokens of the same shape; see `encode`.

    Raises
    ------
    SequenceError
        If a letter is not a base and is not to be drawn.
    TypeError
        If letters are to be drawn and `rng` is missing.
    """
    if ambiguous not in ("refuse", "draw"):
        msg = f"ambiguous={quoted(ambiguous)} is not a choice; use 'refuse' or 'draw'"
        raise SequenceError(msg)
    check_seed(rng)
    key = root_key(rng) if ambiguous == "draw" else None  # type: ignore[arg-type]  # None is root_key's to refuse
    codes = CODES[letters]
    last = 3 if key is None else 3 + len(_AMBIGUOUS)
    if codes.max() > last:
        row, position = map(int, np.argwhere(codes > last)[0])
        unknown = np.flatnonzero(codes[row] == _UNKNOWN)
        if unknown.size:  # which no choice draws, unlike the ambiguous ones before it
            position = int(unknown[0])
        _raise_letter_error(
            chr(letters[row, position]),
            position,
            f"{_source_prefix(source)}record {quoted(names[row])}",
        )
    if key is not None:
        # replace ambiguous codes in place, each record from a stream of its own
        for row in np.flatnonzero((codes > 3).any(axis=1)).tolist():
            (at,) = np.nonzero(codes[row] > 3)
            stream = np.random.default_rng(derive(key, "ambiguous", names[row]))
            codes[row, at] = DIE[codes[row, at] - 4, stream.integers(12, size=at.size)]
    return codes


def _source_prefix(source: str | None) -> str:
    return "" if source is None else f"{source}: "


def _is_iupac(letter: str) -> bool:
    """Say whether a letter is ASCII and in the IUPAC code, in either case."""
    return letter.isascii() and letter.upper() in IUPAC


class AmbiguousLetterError(SequenceError):
    """A letter of the IUPAC code that stands for several bases."""


def _raise_letter_error(letter: str, position: int, record: str) -> None:
    ambiguous = letter.isascii() and letter.upper() in IUPAC
    kind = AmbiguousLetterError if ambiguous else SequenceError
    ways = (
        "; read_sequences draws one (ambiguous='draw') or drops the record (skip='N')"
    )
    raise kind(
        f"{record}: letter {quoted(letter)} at position {position} (counted "
        f"from 0) is not a base{ways * ambiguous}",
    )


def decode(tokens: NDArray[np.integer], *, rna: bool = False) -> list[str]:
    """Turn tokens, (n, length), into n strings; a 1-D array is one sequence and gives a
    list of one string.

    Raises
    ------
    SequenceError
        If the array has another number of axes, or holds anything but 0, 1, 2, 3.

    Examples
    --------
    >>> decode(encode(["ACGT", "TTTT"]), rna=True)
    ['ACGU', 'UUUU']
    """
    rows = np.atleast_2d(as_token_array(tokens))
    if rows.ndim != 2:
        msg = f"tokens of shape {rows.shape}; decode takes (n, length) or (length,)"
        raise SequenceError(msg)
    letters = np.frombuffer(b"ACGU" if rna else b"ACGT", np.uint8)[rows]
    return [row.tobytes().decode("ascii") for row in letters]


def as_token_array(tokens: NDArray[np.integer]) -> Tokens:
    """Return an integer array as uint8 tokens, without a copy if it is that already.

    Raises
    ------
    SequenceError
        If it is not an integer array, or holds anything but 0, 1, 2, 3.
    """
    array = np.asarray(tokens)
    if array.dtype.kind not in "iu" or array.ndim == 3:
        check_not_one_hot(array)
    if array.dtype.kind not in "iu":
        msg = (
            f"tokens are integers 0, 1, 2, 3 = A, C, G, T, not {array.dtype}; "
            "cg.sequences.encode() turns strings into tokens, astype(int) whole numbers"
        )
        raise SequenceError(msg)
    signed = array.dtype.kind == "i"
    if array.size and (array.max() > 3 or (signed and array.min() < 0)):
        at = tuple(map(int, np.argwhere((array > 3) | (array < 0))[0]))
        msg = (
            f"token {array[at]} at {at}; tokens are 0, 1, 2, 3 = A, C, G, T (encode() "
            "turns letters into them)"
        )
        raise SequenceError(msg)
    return array.astype(np.uint8, copy=False)


def check_not_one_hot(array: NDArray[np.generic]) -> None:
    """Raise SequenceError with the call that makes tokens of it if an array looks one-hot.

    It then has only 0 and 1 and an axis of four, and three axes, not integers, or one 1
    in each row or column of four.
    """
    if (
        array.dtype.kind not in "biuf"
        or array.ndim not in (2, 3)
        or 4 not in array.shape[-2:]
        or not array.size
        or not bool(((array == 0) | (array == 1)).all())
    ):
        return
    last = array.shape[-2] != 4
    if array.ndim == 2 and array.dtype.kind in "iu":
        one_each = bool((np.sum(array == 1, axis=-1 if last else 0) == 1).all())
        if max(array.shape) < 16 or not one_each:
            return
    given = "x" if array.ndim == 3 else "x[None]"
    layout = f", layout={quoted('NLC')}" if last else ""
    raise SequenceError(
        f"an array of shape {array.shape} and type {array.dtype} looks one-hot; give "
        f"tokens (n, length): cg.sequences.tokens({given}{layout}) makes them"
    )


def or_other_layout(array: NDArray[np.generic], layout: object) -> str:
    """Return the cure of a one-hot array whose channels lie on the other axis."""
    other, axis = ("NLC", -1) if layout == "NCL" else ("NCL", -2)
    there = array.ndim in (2, 3) and array.shape[axis] == 4
    return f"; give layout={quoted(other)}" if there else ""


def channel_order(alphabet: str) -> tuple[int, int, int, int]:
    """Return the token that each of the four one-hot channels stands for.

    Raises
    ------
    SequenceError
        If `alphabet` is not an arrangement of A, C, G and T (or U).

    Examples
    --------
    >>> channel_order("ACTG")
    (0, 1, 3, 2)
    """
    letters = alphabet.upper().replace("U", "T")
    if sorted(letters) != sorted(BASES):
        msg = (
            f"alphabet={quoted(alphabet)} is not an arrangement of the four "
            "letters A, C, G, T (or U)"
        )
        raise SequenceError(msg)
    a, b, c, d = (BASES.index(letter) for letter in letters)
    return a, b, c, d


def one_hot(
    tokens: NDArray[np.integer],
    *,
    dtype: DTypeLike = np.float32,
    alphabet: str = BASES,
    layout: Layout = "NCL",
) -> NDArray[Any]:
    """Turn tokens, (n, length), into one-hot, (n, 4, length), or (n, length, 4) with
    ``layout="NLC"``.

    Channel c is 1 where the base is ``alphabet[c]``, so a network trained on rows A C T
    G takes ``alphabet="ACTG"``. A 1-D array of tokens gives an array without the first
    axis.

    Raises
    ------
    SequenceError
        If the tokens, the alphabet or the layout are not what they should be.

    Examples
    --------
    >>> one_hot(encode("GATC"), dtype=int)[0]
    array([[0, 1, 0, 0],
           [0, 0, 0, 1],
           [1, 0, 0, 0],
           [0, 0, 1, 0]])
    """
    array, axis = as_token_array(tokens), _channel_axis(layout)
    if array.ndim not in (1, 2):
        msg = f"tokens of shape {array.shape}; one_hot takes (n, length)"
        raise SequenceError(msg)
    order = np.array(channel_order(alphabet), np.uint8)
    channels = np.expand_dims(order, 1) if axis == -2 else order
    try:
        kind = np.dtype(dtype)
    except (TypeError, ValueError) as error:
        raise SequenceError(
            f"dtype={quoted(dtype)} is no type of numbers; for example dtype='float32'",
            argument="dtype",
        ) from error
    return np.equal(np.expand_dims(array, axis), channels).astype(kind)


def tokens(
    one_hot: NDArray[Any], *, alphabet: str = BASES, layout: Layout = "NCL"
) -> Tokens:
    """Turn one-hot, (n, 4, length), back into tokens, (n, length): the inverse of
    `one_hot`.

    Raises
    ------
    SequenceError
        If there are not four channels where `layout` says, or a position is not one 1
        and three 0.

    Examples
    --------
    >>> decode(tokens(one_hot(encode("GATTACA"), alphabet="ACTG"), alphabet="ACTG"))
    ['GATTACA']
    """
    array, axis = np.asarray(one_hot), _channel_axis(layout)
    if array.dtype.kind in "UOT":
        msg = (
            f"one-hot has numbers, not {array.dtype}; cg.sequences.encode() turns strings "
            "into tokens"
        )
        raise SequenceError(msg)
    if array.ndim not in (2, 3) or array.shape[axis] != 4:
        msg = (
            f"one-hot of shape {array.shape} has no 4 channels where "
            f"layout={quoted(layout)} puts them{or_other_layout(array, layout)}"
        )
        raise SequenceError(msg)
    hot = array == 1
    bad = (hot.sum(axis) != 1) | ((array != 0) & ~hot).any(axis)
    if bad.any():
        at = tuple(map(int, np.argwhere(bad)[0]))
        msg = (
            f"position {at} is not one-hot (one 1 and three 0); padding and ambiguous "
            "letters have no token"
        )
        raise SequenceError(msg)
    order: Tokens = np.array(channel_order(alphabet), np.uint8)
    found: Tokens = order[hot.argmax(axis)]
    return found


def _channel_axis(layout: str) -> int:
    if layout not in ("NCL", "NLC"):
        msg = (
            f"layout={quoted(layout)} is not a choice; use 'NCL' for (n, 4, "
            "length) or 'NLC' for (n, length, 4)"
        )
        raise SequenceError(msg)
    return -2 if layout == "NCL" else -1


def reverse_complement(tokens: NDArray[np.integer]) -> Tokens:
    """Return the opposite strand, read 5' to 3': tokens of any shape whose last axis is
    the position.

    Raises
    ------
    SequenceError
        If the array holds anything but tokens.

    Examples
    --------
    >>> decode(reverse_complement(encode("AGATAAG")))
    ['CTTATCT']
    """
    return np.ascontiguousarray(3 - as_token_array(tokens)[..., ::-1])


def reverse_complement_iupac(text: str) -> str:
    """Return the reverse complement of a string in upper case, IUPAC letters included;
    U stays U if the string has it.

    Raises
    ------
    SequenceError
        If the string is empty or has a letter outside the IUPAC code.

    Examples
    --------
    >>> reverse_complement_iupac("WGATAR"), reverse_complement_iupac("UGUA")
    ('YTATCW', 'UACA')
    """
    letters, _ = parse_iupac(text)
    opposite = letters.translate(_IUPAC_COMPLEMENT)[::-1]
    return opposite.replace("T", "U") if "U" in letters else opposite


def parse_iupac(text: str) -> tuple[str, tuple[tuple[int, ...], ...]]:
    """Return a string in upper case and the tokens that each of its positions admits
    (IUPAC code).

    Raises
    ------
    SequenceError
        If the string is empty or has a letter outside the IUPAC code.

    Examples
    --------
    >>> parse_iupac("gaty")
    ('GATY', ((2,), (0,), (3,), (1, 3)))
    """
    if not isinstance(text, str) or not text:
        msg = (
            "a string is a string of at least one letter such as 'AGATAAG', not "
            f"{quoted(text)}"
        )
        raise SequenceError(msg)
    for position, letter in enumerate(text):
        if not _is_iupac(letter):
            msg = (
                f"string {quoted(text)}: letter {quoted(letter)} at position "
                f"{position} is not an IUPAC letter ({''.join(IUPAC)})"
            )
            raise SequenceError(msg)
    letters = text.upper()
    return letters, tuple(
        tuple(BASES.index(base) for base in IUPAC[letter]) for letter in letters
    )


def overwrite(tokens: Tokens, piece: Tokens, *, at: int) -> Tokens:
    """Return the sequences with `piece` in place of the bases at `at`; the length is
    kept.

    Parameters
    ----------
    tokens
        Sequences, (n, L) tokens 0-3.
    piece
        Tokens (w,) for all, or (n, w), one row for each sequence.
    at
        0-based start; ``at + w <= L``.

    Returns
    -------
    ndarray
        (n, L) tokens.

    Examples
    --------
    >>> overwrite(np.zeros((1, 4), np.uint8), np.array([3, 3], np.uint8), at=1)
    array([[0, 3, 3, 0]], dtype=uint8)
    """
    edited = tokens.copy()
    edited[:, at : at + piece.shape[-1]] = piece
    return edited


def insert(tokens: Tokens, piece: Tokens, *, at: int) -> Tokens:
    """Return the sequences with `piece` between the bases at - 1 and at; the length
    grows by w.

    Examples
    --------
    >>> insert(np.zeros((1, 2), np.uint8), np.array([3], np.uint8), at=1)
    array([[0, 3, 0]], dtype=uint8)
    """
    wide = np.broadcast_to(piece, (len(tokens), piece.shape[-1]))
    return np.concatenate([tokens[:, :at], wide, tokens[:, at:]], axis=1)


def delete(tokens: Tokens, *, span: tuple[int, int]) -> Tokens:
    """Return the sequences without the bases of `span` (start, stop); the length
    shrinks by stop - start.

    Examples
    --------
    >>> delete(np.array([[0, 1, 2, 3]], np.uint8), span=(1, 3))
    array([[0, 3]], dtype=uint8)
    """
    return np.concatenate([tokens[:, : span[0]], tokens[:, span[1] :]], axis=1)


def substitute(tokens: Tokens, piece: Tokens, *, at: tuple[int, ...]) -> Tokens:
    """Return the sequences with the bases at the positions `at` replaced, one column of
    `piece` for each.

    Examples
    --------
    >>> substitute(np.zeros((1, 4), np.uint8), np.array([3, 2], np.uint8), at=(0, 3))
    array([[3, 0, 0, 2]], dtype=uint8)
    """
    edited = tokens.copy()
    edited[:, list(at)] = piece
    return edited
