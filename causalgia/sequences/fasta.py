"""Sequences of one length, the value of every `of=`, and readers of FASTA and BED
files.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import AnyStr, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import as_int, is_whole
from causalgia.choices import INTERVAL_SKIPS, RECORD_SKIPS
from causalgia.errors import SequenceError, first_of, quoted, type_in_words
from causalgia.inputs import check_path
from causalgia.sequences.alphabet import (
    CODES,
    COMPLEMENT_CODES,
    IUPAC,
    AmbiguousLetterError,
    ReadAmbiguous,
    as_token_array,
    check_not_one_hot,
    decode,
    encode,
    letter_tokens,
    reverse_complement,
    stack_letters,
)
from causalgia.sequences.fasta_records import parse_fasta
from causalgia.sequences.genome import Genome
from causalgia.sequences.intervals import Intervals, Window, of_file, read_bed
from causalgia.sequences.parents import Places, parent_rows, places_of
from causalgia.sequences.skipped_inputs import (
    Skip,
    Skipped,
    as_skip,
    check_any_left,
)
from causalgia.sequences.text_files import read_text
from causalgia.streams import RNG
from causalgia.types import Mask, Tokens

Name: TypeAlias = str | int
FilePath: TypeAlias = str | PathLike[str]


@dataclass(frozen=True, eq=False, repr=False)
class Sequences:
    """Named sequences of one length, compared by their tokens and names, not by their
    source.

    Names are the integers 0 to n - 1 in order, or else strings: other integers become
    strings, so that a design keeps its names in TOML and JSON.

    Parameters
    ----------
    tokens
        (n, length) uint8, 0, 1, 2, 3 = A, C, G, T; kept as a read-only array.
    names
        n different names, strings or integers. ``chr1:100-300(+)`` and its like, as
        bedtools and samtools write them, say where a sequence lies.
    source
        The path of the FASTA file, as it was given, that holds these sequences and no
        others.
    skipped
        Records or windows that ``skip=`` left out of the file.
    ambiguous
        (n, length) bytes: the letter where one is not a base, such as N, and 0
        elsewhere. `tokens` has one base there that the letter admits. None: all letters
        are bases.

    Raises
    ------
    SequenceError
        If there is no sequence or no position, a token is not 0-3, or a name is
        repeated (1 and "1" are one name).

    Examples
    --------
    >>> Sequences(encode(["ACGT", "TTTT"]), ("a", "b"))
    <Sequences: 2 of 4 bp, 'a' ... 'b'>
    """

    tokens: Tokens
    names: tuple[Name, ...]
    source: str | None = None
    skipped: tuple[Skipped, ...] = ()
    ambiguous: Tokens | None = None

    def __post_init__(self) -> None:
        # the tokens as an array that no other code can write to
        array = as_token_array(self.tokens)
        if array.ndim != 2 or array.size == 0:
            msg = (
                f"sequences of shape {array.shape}; give (n, length) tokens with at "
                "least one sequence and one position"
            )
            raise SequenceError(msg)
        if array.flags.writeable or array.base is not None:
            array = array.copy()
            array.flags.writeable = False
        object.__setattr__(self, "tokens", array)
        object.__setattr__(
            self, "names", _as_record_names(self.names, len(self.tokens))
        )

    @cached_property
    def digest(self) -> str:
        """Fingerprint of the tokens and names, 32 hexadecimal digits, the same in every
        process.
        """
        content = hashlib.blake2b(
            json.dumps([self.tokens.shape, self.names]).encode(), digest_size=16
        )
        content.update(self.tokens.tobytes())
        if self.ambiguous is not None:
            content.update(self.ambiguous.tobytes())
        return content.hexdigest()

    @property
    def length(self) -> int:
        """Number of positions of each sequence."""
        return int(self.tokens.shape[1])

    @cached_property
    def places(self) -> Places:
        """Chromosome, start, stop and strand of each sequence where its name says them
        (`causalgia.sequences.parents.places_of`).

        Examples
        --------
        >>> as_sequences({"chr1:6-10(-)": "ACGT", "promoter": "TATA"}).places.start
        array([ 6, -1])
        """
        return places_of(self.names, self.length)

    @cached_property
    def parents(self) -> tuple[Name, ...]:
        """The parent of each sequence: the name of the first one that is a window of
        the same stretch, a copy or a shuffle of it (`causalgia.sequences.parents`).

        Examples
        --------
        >>> as_sequences({"chr1:6-10": "ACGT", "chr1:9-13": "TATA"}).parents
        ('chr1:6-10', 'chr1:6-10')
        """
        return tuple(
            self.names[row] for row in parent_rows(self.tokens, self.names).tolist()
        )

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def strings(self) -> list[str]:
        """The sequences as they are spelled, with their ambiguous letters."""
        found = decode(self.tokens)
        if self.ambiguous is None:
            return found
        return [
            "".join(chr(x) if x else base for x, base in zip(odd, text, strict=True))
            for odd, text in zip(self.ambiguous.tolist(), found, strict=True)
        ]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequences):
            return NotImplemented
        if self.ambiguous is None or other.ambiguous is None:
            same = self.ambiguous is other.ambiguous
        else:
            same = np.array_equal(self.ambiguous, other.ambiguous)
        return (
            same
            and self.names == other.names
            and np.array_equal(self.tokens, other.tokens)
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(
        self,
    ) -> tuple[
        type[Sequences],
        tuple[Tokens, tuple[Name, ...], str | None, tuple[Skipped, ...], Tokens | None],
    ]:
        return Sequences, (
            *(self.tokens, self.names, self.source, self.skipped),
            self.ambiguous,
        )

    def __repr__(self) -> str:
        shown = " ... ".join(map(repr, dict.fromkeys((self.names[0], self.names[-1]))))
        origin = "" if self.source is None else f" from {self.source}"
        return f"<Sequences: {len(self)} of {self.length} bp, {shown}{origin}>"


Source: TypeAlias = (
    Sequences | FilePath | Mapping[Name, str] | Iterable[str] | NDArray[np.integer]
)


def sequence_fingerprints(tokens: Tokens) -> NDArray[np.str_]:
    """Return a fingerprint of each sequence (n, length), equal for a sequence and its
    reverse complement: (n,).

    Examples
    --------
    >>> one, other, same = sequence_fingerprints(encode(["ACCG", "ACCT", "CGGT"]))
    >>> one == other, one == same
    (False, True)
    """
    strands = zip(tokens, reverse_complement(tokens), strict=True)
    read = [min(one.tobytes(), other.tobytes()) for one, other in strands]
    return np.array(
        [hashlib.blake2b(one, digest_size=16).hexdigest() for one in read],
        dtype=np.str_,
    )


def _as_record_names(names: Iterable[object], n: int) -> tuple[Name, ...]:
    """Return the names as integers if they are 0, ..., n - 1, else as strings."""
    given = tuple(map(_plain_name, names))
    if len(given) != n:
        msg = f"{len(given)} names for {n} sequences; give each sequence one name"
        raise SequenceError(msg)
    if given == tuple(range(n)):
        return given
    _check_unique_names(given)
    return tuple(map(str, given))


def _plain_name(name: object) -> Name:
    """Return a name as Python's own str or int."""
    if isinstance(name, str) and "\0" not in name:
        return str(name)
    if is_whole(name):
        return int(name)
    flaw = (
        "has a NUL character" if isinstance(name, str) else f"is {type_in_words(name)}"
    )
    msg = f"name {quoted(name)} {flaw}; names are integers or strings without NUL"
    raise SequenceError(msg)


def _check_unique_names(
    names: tuple[Name, ...], text: bytes = b"", *, place: str = ""
) -> None:
    """Raise SequenceError if two names have the same spelling, as 1 and "1" do, or in a
    FASTA text are the same up to the first space.
    """
    counts = Counter(map(str, names))
    twice = (
        [name for name in dict.fromkeys(names) if counts[str(name)] > 1]
        if len(counts) < len(names)
        else []
    )
    if twice:
        shown = first_of(map(quoted, twice), 3)
        alike = (
            " (a number and its digits are one name)"
            if len(set(map(type, twice))) > 1
            else ""
        )
        heads = {
            tuple(line[1:].split(maxsplit=1))
            for line in text.split(b"\n")
            if line.startswith(b">")
        }
        differing = Counter(head[0] for head in heads if head)
        if any(differing[str(name).encode()] > 1 for name in twice):
            alike = " (a name ends at the first space of its line)"
        cure = "skip='repeated' leaves it out" if place else "rename or drop"
        msg = (
            f"{place}names are given to more than one sequence: {shown}{alike}; "
            f"each needs a name of its own: {cure}"
        )
        raise SequenceError(msg)


def _set_read_only(tokens: Tokens) -> Tokens:
    """Make a new array read-only, so that `Sequences` need not copy it."""
    tokens.flags.writeable = False
    return tokens


def as_sequences(of: Source) -> Sequences:
    """Return the value of ``of=`` as `Sequences`.

    Accepted are `Sequences`; the path of a FASTA file; one string; several strings (a
    list, an array, a pandas Series), named 0 to n - 1; a mapping from names to strings;
    an integer array of tokens, (n, length) or (length,). A string is one sequence if it
    is made of IUPAC letters only and no file has that name; otherwise it is a path.

    Raises
    ------
    SequenceError
        If it is not one of these, is empty, or cannot be read; one-hot arrays are
        refused.

    Examples
    --------
    >>> as_sequences(["ACGT", "TTTT"])
    <Sequences: 2 of 4 bp, 0 ... 1>
    >>> as_sequences({"promoter": "TATAAA"}).names
    ('promoter',)
    """
    if isinstance(of, Sequences):
        if of.ambiguous is not None:
            at = int((of.ambiguous > 0).any(axis=1).argmax())
            raise SequenceError(
                f"sequence {quoted(of.names[at])} has letters that are not bases, "
                "which only shuffles accept, with keep_n=True"
            )
        return of
    if isinstance(of, str):
        if is_path(of):
            return _read_records(of)
        try:
            return _from_strings([of])
        except SequenceError as error:
            msg = (
                f"{error} (no file is called {quoted(of[:30])}, so it was read as one "
                "sequence)"
            )
            raise SequenceError(msg) from error
    if isinstance(of, PathLike):
        return _read_records(of)
    if isinstance(of, Mapping):
        return _from_strings(list(of.values()), tuple(of))
    if hasattr(of, "__array__"):
        array = np.asarray(of)
        if array.ndim == 1 and array.dtype.kind in "UO":
            return _from_strings(array.tolist())
        if array.ndim == 2 and array.dtype.kind in "UO":
            raise SequenceError(
                f"of= is a table of shape {array.shape}; give its column of "
                "sequences alone"
            )
        check_not_one_hot(array)
        tokens = np.atleast_2d(as_token_array(array))
        return Sequences(tokens, tuple(range(len(tokens))))
    if isinstance(of, Iterable) and not isinstance(
        of, bytes | bytearray | set | frozenset
    ):
        return _from_strings(list(of))
    msg = (
        f"of= cannot be {type_in_words(of)}; give strings, the path of a FASTA "
        "file, or an array of tokens (n, length)"
    )
    raise SequenceError(msg)


def with_ambiguous_letters(of: Source) -> Sequences:
    """Return sequences whose letters may be ambiguous, such as N: strings, a mapping
    from names to strings, or the path of a FASTA file.

    Raises
    ------
    SequenceError
        If a letter is not of the IUPAC code, or as `as_sequences`.

    Examples
    --------
    >>> found = with_ambiguous_letters(["ACNNT"])
    >>> [chr(x) if x else "." for x in found.ambiguous[0]]
    ['.', '.', 'N', 'N', '.']
    """
    if isinstance(of, Sequences) or hasattr(of, "__array__"):
        return of if isinstance(of, Sequences) else as_sequences(of)
    source: str | None = None
    names: tuple[Name, ...]
    if isinstance(of, PathLike) or (isinstance(of, str) and is_path(of)):
        source = str(of)
        text = read_text(of)
        names, bodies = parse_fasta(text, source=source)
        _check_unique_names(names, text, place=f"{source}: ")
    else:
        strings = [of] if isinstance(of, str) else of
        texts = list(strings.values() if isinstance(strings, Mapping) else strings)
        if not all(isinstance(x, str) for x in texts):
            return as_sequences(of)  # whose error names what is none
        names = tuple(range(len(texts)))
        if isinstance(of, Mapping):
            names = _as_record_names(tuple(of), len(texts))
        bodies = [x.encode() for x in texts]
    letters = stack_letters(bodies, names, source=source)
    tokens, spelled = read_letters(letters, names, ambiguous="keep", source=source)
    return Sequences(tokens, names, source, (), spelled)


def as_shuffled(of: Source, *, keep_n: bool) -> Sequences:
    """Return sequences that are shuffled, whose ambiguous letters keep their places if
    `keep_n`.

    Raises
    ------
    SequenceError
        As `as_sequences`, and with `keep_n` as `with_ambiguous_letters`.

    Examples
    --------
    >>> as_shuffled(["ACNNT"], keep_n=True).strings
    ['ACNNT']
    """
    if keep_n:
        return with_ambiguous_letters(of)
    try:
        return as_sequences(of)
    except AmbiguousLetterError as error:
        raise SequenceError(f"{error}; keep_n=True keeps its place") from error


def read_letters(
    letters: Tokens,
    names: Sequence[Name],
    *,
    ambiguous: ReadAmbiguous,
    rng: RNG | None = None,
    source: str | None = None,
    minus: Mask | None = None,
) -> tuple[Tokens, Tokens | None]:
    """Return letters as tokens, and with ``ambiguous="keep"`` where an ambiguous letter
    is (its ASCII code, else 0); None where there is none.

    Parameters
    ----------
    letters, names
        Bytes (n, length), and the names of the records.
    ambiguous
        As in `read_fasta`.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    source
        The file, for errors.
    minus
        Which records are reverse-complemented; None: none.
    """
    if ambiguous not in get_args(ReadAmbiguous):
        raise SequenceError(
            f"ambiguous={quoted(ambiguous)} is not a choice; use 'refuse', 'draw' "
            "or 'keep'"
        )
    keep = ambiguous == "keep"
    tokens = letter_tokens(
        letters,
        names,
        ambiguous="draw" if ambiguous == "keep" else ambiguous,
        rng=_AMBIGUOUS if keep else rng,
        source=source,
    )
    odd = CODES[letters] > 3
    spelled = None
    if keep and odd.any():  # in upper case
        spelled = np.where(odd, letters & ~np.uint8(32), 0).astype(np.uint8)
    if minus is not None and minus.any():
        tokens[minus] = reverse_complement(tokens[minus])
        if spelled is not None:
            spelled[minus] = COMPLEMENT_CODES[spelled[minus, ::-1]]
    return _set_read_only(tokens), None if spelled is None else _set_read_only(spelled)


_AMBIGUOUS = 44
"""Seed of the bases that stand for ambiguous letters in the parents themselves."""


def is_path(of: str) -> bool:
    """Say whether a string is a path: a file has that name, or it is no sequence."""
    return _exists(of) or not (of.isascii() and set(of.upper()) <= set(IUPAC))


def _exists(path: str) -> bool:
    """Say whether a path exists; an empty string or one too long for a path does
    not.
    """
    try:
        return bool(path) and Path(path).exists()
    except (OSError, ValueError):
        return False


def _from_strings(
    strings: list[str], names: tuple[Name, ...] | None = None
) -> Sequences:
    labels = (
        tuple(range(len(strings)))
        if names is None
        else _as_record_names(names, len(strings))
    )
    return Sequences(_set_read_only(encode(strings, names=labels)), labels)


def read_fasta(
    path: FilePath,
    *,
    length: int | None = None,
    ambiguous: ReadAmbiguous = "refuse",
    rng: RNG | None = None,
    skip: Skip = (),
) -> Sequences:
    r"""Read a FASTA file of records of one length, plain or gzip-compressed; of other
    records, their middle.

    A record's name is the first word of its header. Records may span lines; lower case
    (soft masking) is upper case, U is T. `encode` describes ambiguous letters.

    Parameters
    ----------
    path
        The file.
    length
        Bases to take from the middle of each record, which has at least as many; a
        record of n bases gives those from ``n // 2 - length // 2`` on, the rule of
        `from_bed`. None: records must have one length.
    ambiguous
        As in `encode`; ``"keep"`` is for the ``of=`` of shuffles with ``keep_n=True``,
        in which such letters keep their places.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    skip
        Reasons for which records are left out, and listed in ``skipped`` of what is
        returned, instead of refused: ``"N"`` (a letter that is no base), ``"length"``
        (another length than that of most records, or fewer bases than `length`),
        ``"empty"``, ``"repeated"`` (a name
        that a record had before), or ``"all"`` of these.

    Raises
    ------
    SequenceError
        If `path` is no path, or the file cannot be read, is not FASTA, has an empty,
        unnamed or repeated record, unequal lengths, or letters that are not bases, and
        `skip` does not leave it out; or nothing is left. The message names the file,
        and the record or line.
    TypeError
        If letters are to be drawn and `rng` is missing.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "two.fa"
    >>> _ = path.write_text(">a first\nACG\nT\n>b\nTTTT\n")
    >>> read_fasta(path).names
    ('a', 'b')
    >>> read_fasta(path, length=2).tokens.tolist()
    [[1, 2], [3, 3]]
    """
    check_path(path, "peaks.fa", SequenceError, what="FASTA file")
    return _read_records(path, length, ambiguous, rng, skip)


def _read_records(
    path: FilePath,
    length: int | None = None,
    ambiguous: ReadAmbiguous = "refuse",
    rng: RNG | None = None,
    skip: Skip = (),
) -> Sequences:
    source = str(path)
    reasons = as_skip(skip, RECORD_SKIPS, what="records")
    length = None if length is None else as_int(length, "length", error=SequenceError)
    text = read_text(path)
    if reasons:
        return _without_flawed_records(text, source, length, reasons, ambiguous, rng)
    names, bodies = parse_fasta(text, source=source)
    _check_unique_names(names, text, place=f"{source}: ")
    whole = bodies
    if length is not None:
        bodies = _middles(bodies, names, length, f"{source}: ")
    letters = stack_letters(bodies, names, source=source)
    tokens, spelled = read_letters(
        letters, names, ambiguous=ambiguous, rng=rng, source=source
    )
    # drawn letters and middles are not in the file: a saved design contains such
    # sequences in full
    where = source if ambiguous == "refuse" and bodies == whole else None
    return Sequences(tokens, names, where, (), spelled)


def middle_windows(of: Source, length: int) -> Sequences:
    """Return the middle of sequences of any lengths, for the ``of=`` of a null model.

    A sequence of n bases gives those from ``n // 2 - length // 2`` on, which is the rule
    of `read_fasta` and `from_bed`.

    Parameters
    ----------
    of
        Strings, a mapping from names to strings, or the path of a FASTA file.
    length
        Bases of each window.

    Raises
    ------
    SequenceError
        If a sequence is shorter, or as `as_sequences`.

    Examples
    --------
    >>> windows = middle_windows({"a": "ACGTA", "b": "TTTT"}, 3)
    >>> windows.tokens.tolist()
    [[1, 2, 3], [3, 3, 3]]
    """
    length = as_int(length, "length", error=SequenceError)
    if isinstance(of, PathLike) or (isinstance(of, str) and is_path(of)):
        return _read_records(of, length)
    if isinstance(of, str):
        of = [of]
    if isinstance(of, Sequences):
        of = dict(zip(of.names, decode(of.tokens), strict=True))
    names: tuple[Name, ...] | None = tuple(of) if isinstance(of, Mapping) else None
    strings = list(of.values() if isinstance(of, Mapping) else of)
    odd = next((x for x in strings if not isinstance(x, str)), None)
    if odd is not None:
        raise SequenceError(
            f"of= has {quoted(odd)}, which is not a string; give strings, a "
            "mapping from names to strings, or the path of a FASTA file"
        )
    labels = range(len(strings)) if names is None else names
    return _from_strings(_middles(strings, list(labels), length, ""), names)


def _middles(
    records: Sequence[AnyStr],
    names: Sequence[Name],
    length: int,
    place: str,
) -> list[AnyStr]:
    """Return the middle of each record."""
    short = next((i for i, x in enumerate(records) if len(x) < length), None)
    if short is not None:
        raise SequenceError(
            f"{place}record {quoted(names[short])} has {len(records[short]):,} "
            f"letters, and length= is {length:,}; skip='length' leaves it out"
        )
    return [x[(at := len(x) // 2 - length // 2) : at + length] for x in records]


def _without_flawed_records(
    text: bytes,
    source: str,
    length: int | None,
    reasons: frozenset[str],
    ambiguous: ReadAmbiguous,
    rng: RNG | None,
) -> Sequences:
    """Return the records of a FASTA text without those that `reasons` leave out."""
    names, bodies = parse_fasta(text, source=source, empty="empty" in reasons)
    lines = [
        number
        for number, line in enumerate(text.split(b"\n"), start=1)
        if line.startswith(b">")
    ]
    usual = Counter(map(len, filter(None, bodies))).most_common(1)
    most = usual[0][0] if usual else 0
    whole = bodies
    if length is not None:
        bodies = [
            x if len(x) < length else _middles([x], [name], length, "")[0]
            for name, x in zip(names, bodies, strict=True)
        ]
    usable, seen, skipped = list[int](), set[str](), list[Skipped]()
    for i, (name, body) in enumerate(zip(names, bodies, strict=True)):
        flaws = {
            "empty": (not name and "no name") or (not body and "no letters"),
            "repeated": name in seen and "a record before has this name",
            "length": _wrong_length(len(body), most, length),
            "N": "N" in reasons and flaw_of_letters(body, ambiguous),
        }
        why = next((x for x, detail in flaws.items() if detail and x in reasons), "")
        if why:
            skipped.append(Skipped(name, why, str(flaws[why]), lines[i]))
        else:
            usable.append(i)
            seen.add(name)
    check_any_left(len(usable), skipped, source, "records")
    chosen = tuple(names[i] for i in usable)
    _check_unique_names(chosen, text, place=f"{source}: ")
    if length is not None:
        _middles([bodies[i] for i in usable], chosen, length, f"{source}: ")
    letters = stack_letters([bodies[i] for i in usable], chosen, source=source)
    tokens, spelled = read_letters(
        letters, chosen, ambiguous=ambiguous, rng=rng, source=source
    )
    # the file holds others too: a saved design contains these sequences in full
    in_full = skipped or bodies != whole or ambiguous != "refuse"
    where = None if in_full else source
    return Sequences(tokens, chosen, where, tuple(skipped), spelled)


def _wrong_length(n: int, most: int, length: int | None) -> str:
    """Return what is wrong with the length of a record; empty if nothing is."""
    if length is not None:
        return f"{n:,} letters, and length= is {length:,}" if n < length else ""
    return f"{n:,} letters, and most records have {most:,}" if n != most else ""


def flaw_of_letters(letters: bytes, ambiguous: ReadAmbiguous) -> str:
    """Return the first letter that is neither a base nor to be drawn or kept, with its
    place;
    empty if there is none.

    Examples
    --------
    >>> flaw_of_letters(b"ACNT", "refuse"), flaw_of_letters(b"ACNT", "draw")
    ("letter 'N' at position 2 (counted from 0)", '')
    """
    codes = CODES[np.frombuffer(letters, np.uint8)]
    unusable = codes > 3 if ambiguous == "refuse" else codes == CODES[0]
    if not unusable.any():
        return ""
    at = int(np.argmax(unusable))
    return f"letter {quoted(chr(letters[at]))} at position {at} (counted from 0)"


def from_bed(
    bed: Intervals,
    fasta: FilePath,
    *,
    length: int,
    center: Literal["middle", "summit"] = "middle",
    stranded: bool = False,
    ambiguous: ReadAmbiguous = "refuse",
    rng: RNG | None = None,
    skip: Skip = (),
) -> Sequences:
    r"""Cut windows of exactly `length` out of a genome, one centered on each interval
    of a BED file, or of a table or a list of places.

    A table has the columns ``chrom, start, end``, perhaps ``strand`` and ``peak``, and
    counts from 0 as BED does. Places of `length` bases, ``["chr1:100-300"]``, count
    from 0, the end excluded (bedtools), or from 1 (samtools): their length tells which,
    and of another length they are refused.

    The center c is ``(start + end) // 2``, or ``start + peak`` with ``center="summit"``
    (column 10 of narrowPeak), and the window is
    ``[c - length // 2, c - length // 2 + length)``: an interval of `length` bases is
    its own window. With ``stranded=True`` windows of minus-strand intervals are
    reverse-complemented (after the cut). Names are ``chrom:start-end`` of the window,
    from 0, the end excluded, followed by ``(+)`` or ``(-)`` if `stranded`.

    Ambiguous letters are refused, drawn or kept, as in `read_fasta`.

    The genome may be a .2bit file, of which the windows alone are read. So they are of
    FASTA where pysam is installed (the extra ``genome``), by the index beside it, if it
    is true; else FASTA is read whole. No file is written.

    Intervals are left out, and listed in ``skipped`` of what is returned, instead of
    refused for the reasons in `skip`: ``"edge"`` (the window leaves its chromosome),
    ``"N"`` (it has a letter that is no base), ``"chromosome"`` (unknown to the genome),
    ``"repeated"`` (the window of an interval before), ``"summit"`` (none was called),
    ``"malformed"`` (a line that cannot be parsed), or ``"all"`` of these.

    Raises
    ------
    SequenceError
        If a file cannot be read, a line is malformed, a chromosome is unknown, two
        intervals give one window, a window leaves its chromosome, or a window holds
        letters that are not bases, and `skip` does not leave it out; or nothing is
        left.
    TypeError
        If letters are to be drawn and `rng` is missing.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "genome.fa").write_text(">chr1\nAACCGGTT\nACGTACGT\n")
    >>> _ = (folder / "peaks.bed").write_text("chr1\t6\t10\n")
    >>> from_bed(folder / "peaks.bed", folder / "genome.fa", length=6)
    <Sequences: 1 of 6 bp, 'chr1:5-11'>
    """
    reasons, skipped = as_skip(skip, INTERVAL_SKIPS, what="intervals"), list[Skipped]()
    given = read_bed(
        bed,
        length=length,
        center=center,
        stranded=stranded,
        skip=reasons,
        skipped=skipped,
    )
    windows, records = list[Window](), list[bytes]()
    source = str(bed) if of_file(bed) else "intervals"
    with Genome(fasta) as genome:
        lengths = genome.lengths

        def letters_in(w: Window) -> bytes:
            place = f"{source}: line {w.line}"
            return genome.letters(w.chromosome, w.start, w.stop, place=place)

        for w in given:
            size = lengths.get(w.chromosome)
            flaw, detail = "", ""
            if size is None:
                flaw, detail = "chromosome", f"no chromosome {quoted(w.chromosome)}"
            elif w.start < 0 or w.stop > size:
                flaw, detail = "edge", f"the chromosome has {size:,} bases"
            if flaw in reasons:
                skipped.append(Skipped(w.name, flaw, detail, w.line))
                continue
            letters_of = letters_in(w)
            if "N" in reasons and (flaw := flaw_of_letters(letters_of, ambiguous)):
                skipped.append(Skipped(w.name, "N", flaw, w.line))
                continue
            windows.append(w)
            records.append(letters_of)
    skipped.sort(key=lambda x: x.line)
    check_any_left(len(windows), skipped, source, "intervals")
    names = tuple(w.name for w in windows)
    letters = stack_letters(records, names, source=str(fasta))
    tokens, spelled = read_letters(
        letters,
        names,
        ambiguous=ambiguous,
        rng=rng,
        source=str(fasta),
        minus=np.array([w.strand == "-" for w in windows]),
    )
    # the genome holds more than these windows: a saved design contains them in full
    return Sequences(tokens, names, None, tuple(skipped), spelled)
