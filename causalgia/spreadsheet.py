r"""Escaping of text in tables against spreadsheet formulas, terminal control sequences and HTML.

A text that a spreadsheet would read as a formula gets an apostrophe. A spreadsheet whose list separator is a semicolon
splits a comma-separated file there, so a semicolon before a formula is written as ``\x3b``. Unprintable characters
(terminal escapes, changes of writing direction, line ends) are written as Python escapes, ``\x1b`` or ``\u202e``, and a
backslash that would start such an escape as ``\x5c``. Reading a table with this library restores the original text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from causalgia.errors import printable

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # the latter at full width, which Japanese spreadsheets read alike
_BEFORE = "' "  # a spreadsheet may drop blanks before a formula
_INNER_FORMULA = re.compile(rf";(?=[\s'\"]*[{re.escape(''.join(_FORMULA))}])")
_ESCAPE = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def as_cell(text: str) -> str:
    r"""Return a text as a table cell: an apostrophe before formulas, escapes of unprintable characters and of ``;=``.

    `from_cell` restores any text.

    Examples
    --------
    >>> as_cell("=1+1"), as_cell("GATA1"), as_cell("'=1+1")
    ("'=1+1", 'GATA1', "''=1+1")
    >>> print(as_cell("\x1b[31mred\u202e"), as_cell(r"a\b"), as_cell(r"\x1b"))
    \x1b[31mred\u202e a\b \x5cx1b
    >>> print(as_cell("a;=1"), as_cell("a; -1"), as_cell("a;b"))
    a\x3b=1 a\x3b -1 a;b
    """
    plain = _ESCAPE.sub(lambda found: rf"\x5c{found[0][1:]}", text)
    if not plain.isprintable():
        plain = "".join(c if c.isprintable() else _escape(ord(c)) for c in plain)
    plain = _INNER_FORMULA.sub(r"\\x3b", plain)
    return f"'{plain}" if plain.lstrip(_BEFORE).startswith(_FORMULA) else plain


def from_cell(text: str) -> str:
    r"""Return the text of a cell from `as_cell`.

    Examples
    --------
    >>> [from_cell(as_cell(text)) for text in ("=1+1", "GATA1", "'=1+1", "'quoted'", r"\x1b")]
    ['=1+1', 'GATA1', "'=1+1", "'quoted'", '\\x1b']
    >>> from_cell(r"\u202e"), from_cell(r"C:\x41")
    ('\u202e', 'C:\\x41')
    """
    plain = text[1:] if text.startswith("'") and text.lstrip(_BEFORE).startswith(_FORMULA) else text
    return _ESCAPE.sub(_unescaped_character, plain)


def from_column(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of a table with `from_cell` applied to its texts."""
    if column.dtype.kind in "biufc":
        return column
    return column.map({cell: from_cell(cell) if isinstance(cell, str) else cell for cell in column.unique()})


def _escape(code: int) -> str:
    return rf"\x{code:02x}" if code < 2**8 else rf"\u{code:04x}" if code < 2**16 else rf"\U{code:08x}"


def _unescaped_character(found: re.Match[str]) -> str:
    """Return the character of an escape, or the escape itself if `as_cell` never escapes the character."""
    code = int(found[0][2:], 16)
    letter = chr(code) if code < 0x110000 else " "
    return letter if letter in "\\;" or not letter.isprintable() else found[0]


def as_html(text: object) -> str:
    r"""Return a text of a user for a page: printable, and without a mark of HTML.

    Examples
    --------
    >>> as_html("<b>\x1b & 'GATA'")
    '&lt;b&gt;\\x1b &amp; &#x27;GATA&#x27;'
    """
    import html

    return html.escape(printable(str(text)))


def to_csv(table: pd.DataFrame, *, index: bool = True, tabs: bool = False) -> str:
    r"""Return a table as CSV (or tab-separated) text, with `as_cell` applied to texts in cells, index and header.

    Examples
    --------
    >>> import pandas as pd
    >>> to_csv(pd.DataFrame({"arm": ["-GATA", "none"], "ace": [-1.5, 0.0]}), index=False)
    "arm,ace\n'-GATA,-1.5\nnone,0.0\n"
    """
    flat = table.reset_index() if index else table
    return flat.map(_as_cell_if_text).rename(columns=_as_cell_if_text).to_csv(index=False, sep="\t" if tabs else ",")


def _as_cell_if_text(value: Any) -> Any:
    return as_cell(value) if isinstance(value, str) else value
