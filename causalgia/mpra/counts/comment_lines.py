"""Lines of comments in tables: those that begin with ``#``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons"}
_SIGN = "#"


@dataclass(frozen=True)
class Uncommented:
    """A table without its lines of comments.

    Attributes
    ----------
    text
        What is left.
    numbers
        The number of each of its lines in the file, from 1; None if all are left.
    n_comments
        Lines that were left out.
    """

    text: str
    numbers: list[int] | None = None
    n_comments: int = 0


def without_comments(text: str, names: Collection[str] = ()) -> Uncommented:
    r"""Return a table without lines that begin with ``#``, above its header or, of
    another number of cells, below it.

    Parameters
    ----------
    text
        The table.
    names
        Columns, in lower case, of which a header has at least one: a header that begins
        with ``#`` itself is known by them.

    Examples
    --------
    >>> without_comments("# made today\nbarcode\tn\nACGT\t3\n")
    Uncommented(text='barcode\tn\nACGT\t3\n', numbers=[2, 3, 4], n_comments=1)
    >>> without_comments("#barcode\tn\nACGT\t3\n", ["barcode"]).text
    'barcode\tn\nACGT\t3\n'
    """
    lines = text.split("\n")
    if not any(line.startswith(_SIGN) for line in lines):
        return Uncommented(text)
    top = next(
        (i for i, line in enumerate(lines) if line and not line.startswith(_SIGN)),
        len(lines),
    )
    above = lines[top - 1].lstrip(f"{_SIGN} ") if top else ""
    separator = separator_of(above)
    if separator and {cell.strip().lower() for cell in above.split(separator)} & {
        *names
    }:
        top -= 1
        lines[top] = above
    if top >= len(lines):
        return Uncommented(text)
    separator = separator_of(lines[top]) or "\t"
    n = lines[top].count(separator)
    left = [
        i
        for i, line in enumerate(lines)
        if i >= top and (not line.startswith(_SIGN) or line.count(separator) == n)
    ]
    if len(left) == len(lines):
        return Uncommented("\n".join(lines))
    return Uncommented(
        "\n".join(lines[i] for i in left), [i + 1 for i in left], len(lines) - len(left)
    )


def separator_of(line: str) -> str | None:
    """Return the sign between the cells of a line; None if it has one cell."""
    return next((one for one in SEPARATORS if one in line), None)
