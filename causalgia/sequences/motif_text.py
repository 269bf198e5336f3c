"""Matrices of motifs in MEME and JASPAR text, as they are written: probabilities or counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from causalgia.errors import SequenceError, quoted
from causalgia.sequences.alphabet import BASES
from causalgia.sequences.text_files import numbered_lines, read_text

Line: TypeAlias = tuple[int, str]
Rows: TypeAlias = "tuple[tuple[float, ...], ...]"

ROUNDED = 0.02
"""How far from 1 the sum of probabilities may be that a file rounds to two digits."""


@dataclass(frozen=True)
class Matrix:
    """A motif's name, identifier and rows (one for each position) as a file has them, and the line where they begin."""

    name: str
    identifier: str
    rows: Rows
    are_counts: bool
    line: int


def read_matrices(path: str | PathLike[str]) -> list[Matrix]:
    """Read the matrices of a MEME or JASPAR text file; see `read_motifs`.

    Raises
    ------
    SequenceError
        If the file cannot be read, or its text is not of one of the two formats.
    """
    lines = [line for line in numbered_lines(read_text(path)) if not line[1].startswith("#")]
    if not lines:
        msg = f"{path}: no motifs; the file is empty"
        raise SequenceError(msg)
    number, first = lines[0]
    meme = next((i for i, (_, text) in enumerate(lines) if text.upper().startswith("MEME VERSION")), None)
    if meme is not None:  # what MEME itself prints has a title above
        return list(_read_meme(lines[meme:], str(path)))
    if first.startswith(">") or _numbers(first) or re.match(r"A[\s\[|]", first):
        return list(_read_jaspar(lines, str(path)))
    msg = (
        f"{path}: line {number}: {quoted(first[:30])} begins neither MEME text ('MEME version 4') nor JASPAR text "
        "('>ID NAME'); convert the file to one of them"
    )
    raise SequenceError(msg)


def _numbers(line: str) -> tuple[float, ...]:
    """Return the numbers of a line, or none if it has anything else."""
    try:
        return tuple(map(float, line.split()))
    except ValueError:
        return ()


def _read_meme(lines: list[Line], path: str) -> Iterator[Matrix]:
    _check_meme_header(lines, path)
    starts = [i for i, (_, text) in enumerate(lines) if re.match(r"MOTIF(\s|$)", text)]
    if not starts:
        msg = f"{path}: no motifs; MEME text has a line 'MOTIF identifier name' for each"
        raise SequenceError(msg)
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield _meme_matrix(lines[start:stop], path)


def _check_meme_header(lines: list[Line], path: str) -> None:
    """Refuse a version or an alphabet whose columns we would misread."""
    number, first = lines[0]
    if re.match(r"MEME version\s+0*[45](?!\d)", first, re.IGNORECASE) is None:
        msg = f"{path}: line {number}: {quoted(first)}; versions 4 and 5 of MEME text are read (meme2meme converts)"
        raise SequenceError(msg)
    for number, text in lines:
        stated = re.match(r"ALPHABET\s*=\s*(.*)", text) or re.match(r"ALPHABET\s+\"([^\"]*)\"", text)
        if stated and stated[1].strip().upper() not in ("ACGT", "ACGU", "DNA", "RNA"):
            msg = f"{path}: line {number}: alphabet {quoted(stated[1])}; motifs are read over ACGT or ACGU"
            raise SequenceError(msg)


def _meme_matrix(lines: list[Line], path: str) -> Matrix:
    number, head = lines[0]
    identifier, *rest = head.split()[1:] or [""]
    at = next((i for i, (_, text) in enumerate(lines) if text.startswith("letter-probability matrix")), None)
    if at is None or not identifier:
        msg = (
            f"{path}: line {number}: {quoted(head)} lacks an identifier or a 'letter-probability matrix'; "
            "complete or drop it"
        )
        raise SequenceError(msg)
    rows = _meme_rows(lines[at:], path)
    named = bool(rest) and rest[:2] != ["width", "="]
    return Matrix(rest[0] if named else identifier, identifier, rows, False, lines[at][0])


def _meme_rows(lines: list[Line], path: str) -> Rows:
    """Return the rows under a line ``letter-probability matrix: alength= 4 w= 11 ...``."""
    (number, head), stated = lines[0], dict(re.findall(r"(alength|w)\s*=\s*(\d+)", lines[0][1]))
    rows: list[tuple[float, ...]] = []
    for line, text in lines[1:]:
        if not re.match(r"[-+.]?\d", text):
            break
        rows.append(_numbers(text))
        if len(rows[-1]) != 4:
            msg = f"{path}: line {line}: {quoted(text)} is not a row of four probabilities (A, C, G, T); correct it"
            raise SequenceError(msg)
    if not rows or stated.get("w", str(len(rows))).lstrip("0") != str(len(rows)) or stated.get("alength", "4") != "4":
        msg = f"{path}: line {number}: {quoted(head)} is followed by {len(rows)} rows of 4 numbers; correct the matrix"
        raise SequenceError(msg)
    return tuple(rows)


def _read_jaspar(lines: list[Line], path: str) -> Iterator[Matrix]:
    if not lines[0][1].startswith(">"):
        lines = [(lines[0][0], f">{Path(path).name.removesuffix('.gz').split('.')[0]}"), *lines]
    starts = [i for i, (_, text) in enumerate(lines) if text.startswith(">")]
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield _jaspar_matrix(lines[start:stop], path)


def _jaspar_matrix(lines: list[Line], path: str) -> Matrix:
    (number, head), rows = lines[0], lines[1:]
    identifier, *rest = head[1:].split() or [""]
    if not identifier or len(rows) != 4:
        msg = (
            f"{path}: line {number}: {quoted(head)} and {len(rows)} rows; JASPAR has '>ID NAME', then 4 rows: "
            "A, C, G, T"
        )
        raise SequenceError(msg)
    counts = [_jaspar_row(row, base, path) for row, base in zip(rows, BASES, strict=True)]
    if len(set(map(len, counts))) != 1:
        msg = (
            f"{path}: line {number}: the rows of {quoted(head)} have {list(map(len, counts))} counts; give them "
            "one length"
        )
        raise SequenceError(msg)
    if not rows[0][1][0].isalpha():
        _refuse_homer(counts, f"{path}: line {number}: {quoted(head)}")
    return Matrix(" ".join(rest) or identifier, identifier, tuple(zip(*counts, strict=True)), True, number)


def _refuse_homer(counts: list[tuple[float, ...]], place: str) -> None:
    """Refuse four unlabelled rows of four that are positions: each sums to 1, and a column does not."""
    columns = list(zip(*counts, strict=True))
    if len(columns) == 4 and all(map(_sums_to_one, counts)) and not all(map(_sums_to_one, columns)):
        msg = (
            f"{place}: each row sums to 1, so rows are positions, as HOMER writes them, and not A, C, G, T, as JASPAR "
            "does; transpose the matrix, or convert the file to MEME text"
        )
        raise SequenceError(msg)


def _sums_to_one(numbers: tuple[float, ...]) -> bool:
    return abs(sum(numbers) - 1) <= ROUNDED


def _jaspar_row(line: Line, base: str, path: str) -> tuple[float, ...]:
    """Return the counts of ``A [ 1 2 3 ]`` or ``1 2 3``."""
    number, text = line
    label = text[0].upper().replace("U", "T") if text[0].isalpha() else base
    numbers = _numbers(text[text[0].isalpha() :].strip(" \t[]|"))
    if not numbers or label != base:
        msg = f"{path}: line {number}: {quoted(text[:40])} is not the row of counts of {base}; the rows are A, C, G, T"
        raise SequenceError(msg)
    return numbers
