"""Matrices of motifs that are tables of numbers alone, as spreadsheets, R and Python
write them.

Commas, semicolons, tabs or blanks separate cells; text may stand in quotation marks.
``write.table`` of R heads columns with V1, V2, ... or X1, X2, ... and begins rows with
their numbers, ``to_csv`` of pandas counts both from 0. Such names say nothing of the
motif. They are taken off, so that what is left is read as a matrix without letters:
its shape says what the rows are, or its sums.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from causalgia.choices import BASES
from causalgia.errors import SequenceError, quoted

Line = tuple[int, str]
_NUMBER_IN_CELL = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_DECIMAL_COMMA = re.compile(r"^(\s*[\"']?[-+]?\d+),(\d+[\"']?\s*)$")
_COUNTING_NAME = re.compile(r"(?i:v|x|\.|col|var|pos|position)?[._ ]?(\d+)")


def without_plain_names(lines: list[Line], path: str) -> list[Line]:
    """Return the lines of a table of numbers alone with blanks between cells, without
    the names of columns and rows that only count them; other lines as they are.

    Rows named A, C, G and T keep these.

    Raises
    ------
    SequenceError
        If the first line may be the numbers of columns as well as a position.

    Examples
    --------
    >>> text = ['"V1" "V2" "V3" "V4"', '"1" 0 9 1 0', '"2" 8 1 1 0']
    >>> without_plain_names(list(enumerate(text, 1)), "m.txt")
    [(2, '0 9 1 0'), (3, '8 1 1 0')]
    >>> without_plain_names([(1, "0.1,0.2,0.3,0.4"), (2, "1,0,0,0")], "m.csv")
    [(1, '0.1 0.2 0.3 0.4'), (2, '1 0 0 0')]
    """
    if any(text.startswith(">") for _, text in lines):
        return [
            (at, text if text[0] == ">" else _in_blanks(text)) for at, text in lines
        ]
    separator = _separator([text for _, text in lines])
    rows = [_cells(text, separator) for _, text in lines]
    if separator in (";", ","):  # rows of bases, under the names of the columns or none
        for first in (0, 1):
            letters = [row[0].upper().replace("U", "T") for row in rows[first:]]
            if sorted(letters) == list(BASES):
                return [
                    (at, " ".join([letter, *row[1:]]))
                    for (at, _), letter, row in zip(
                        lines[first:], letters, rows[first:], strict=True
                    )
                ]
    body = rows[1:]
    width = len(body[0]) if body else 0
    if width < 2 or any(len(row) != width for row in body):
        return lines
    head = rows[0][1:] if len(rows[0]) == width and not rows[0][0] else rows[0]
    of_rows = len(head) == width - 1  # the first of each row is its name
    numbers = [row[of_rows:] for row in body]
    if not all(_NUMBER_IN_CELL.fullmatch(cell) for row in numbers for cell in row):
        return lines
    if not _only_count(head):
        if not all(_NUMBER_IN_CELL.fullmatch(cell) for cell in rows[0]):
            return lines
        return [(at, " ".join(row)) for (at, _), row in zip(lines, rows, strict=True)]
    if len(rows[0]) == width and rows[0][0] and _are_numbers(head):
        fits = len(head) == len(BASES)
        if len(lines) == len(BASES) and not fits:
            return [
                (at, " ".join(row)) for (at, _), row in zip(lines, rows, strict=True)
            ]
        if fits:
            _check_is_head(numbers, head, lines[0], path)
    names = [row[0].upper().replace("U", "T") for row in body] if of_rows else []
    if sorted(names) == list(BASES):
        numbers = [[name, *row] for name, row in zip(names, numbers, strict=True)]
    elif of_rows and not _only_count(names):
        return lines
    return [
        (at, " ".join(row)) for (at, _), row in zip(lines[1:], numbers, strict=True)
    ]


def with_points(lines: list[Line]) -> list[Line]:
    """Return lines of cells between semicolons or tabs with a point in each number that
    has a decimal comma, as spreadsheets of many countries write it; others as they are.

    Examples
    --------
    >>> with_points([(1, "A;C;G;T"), (2, "0,1;0,2;0,3;0,4")])[1]
    (2, '0.1;0.2;0.3;0.4')
    >>> with_points([(1, "1,2,3")])
    [(1, '1,2,3')]
    """
    mark = _separator([text for _, text in lines if text[0] != ">"])
    if mark not in (";", "\t"):
        return lines
    return [
        (at, mark.join(_DECIMAL_COMMA.sub(r"\1.\2", x) for x in text.split(mark)))
        for at, text in lines
    ]


def _separator(texts: Sequence[str]) -> str:
    """Return what stands between cells in every line; empty for blanks."""
    if all("\t" in text for text in texts):
        return "\t"
    for mark in (";", ","):
        if all(mark in text for text in texts) and not any(
            "\t" in text or (mark == "," and re.search(r"\d \d", text))
            for text in texts
        ):
            return mark
    return ""


def _cells(text: str, separator: str) -> list[str]:
    cells = text.split(separator) if separator else text.split()
    return [cell.strip().strip("\"'").strip() for cell in cells]


def _in_blanks(text: str) -> str:
    """Return a line of numbers with blanks between them; another line as it is.

    Examples
    --------
    >>> _in_blanks("1, 3,2"), _in_blanks("A,1,3"), _in_blanks("A [ 1 3 ]")
    ('1 3 2', 'A,1,3', 'A [ 1 3 ]')
    """
    cells = _cells(text, _separator([text]))
    return " ".join(cells) if _are_numbers(cells) else text


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(_NUMBER_IN_CELL.fullmatch(cell) for cell in cells)


def _only_count(names: Sequence[str]) -> bool:
    """Return whether names are the numbers from 0 or 1 on, perhaps after a letter.

    Examples
    --------
    >>> _only_count(["V1", "V2"]), _only_count(["0", "1"]), _only_count(["1", "3"])
    (True, True, False)
    """
    found = [_COUNTING_NAME.fullmatch(name) for name in names]
    counts = [int(one[1]) for one in found if one is not None]
    return len(counts) == len(names) and counts in (
        list(range(len(names))),
        list(range(1, len(names) + 1)),
    )


def _check_is_head(
    numbers: Sequence[Sequence[str]], head: Sequence[str], line: Line, path: str
) -> None:
    """Raise SequenceError where a first line such as 0 1 2 3 may be a position: if it is
    none, the others have one sum, which it has not.
    """
    sums = [sum(map(float, row)) for row in numbers]
    alike = max(sums) - min(sums) <= 0.02 * max(1, max(map(abs, sums)))
    if (
        len(sums) > 1
        and alike
        and abs(sum(map(float, head)) - sums[0]) > 0.02 * max(1, abs(sums[0]))
    ):
        return
    raise SequenceError(
        f"{path}: line {line[0]}: {quoted(line[1][:30])} may be the numbers of columns "
        "or a position of the motif; drop it if it is the former, else name the columns "
        "above it ('A C G T')"
    )
