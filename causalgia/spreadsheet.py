r"""Text in tables that spreadsheets and terminals open: formulas, and what steers a terminal, are escaped.

What a spreadsheet would take for a formula gets an apostrophe. What cannot be printed (escape sequences of terminals,
signs that turn the direction of writing, ends of lines) is written as Python writes it, ``\x1b`` or ``\u202e``. Both
are undone where this library reads a table, so that names are the same after it; a backslash that would be taken for
such a sign is written as ``\x5c``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = tuple("=+-@")
_ESCAPE = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def as_cell(text: str) -> str:
    r"""Return a text as a table holds it: an apostrophe before formulas, escapes for what cannot be printed.

    `from_cell` gives the text back, whatever it is.

    Examples
    --------
    >>> as_cell("=1+1"), as_cell("GATA1"), as_cell("'=1+1")
    ("'=1+1", 'GATA1', "''=1+1")
    >>> print(as_cell("\x1b[31mred\u202e"), as_cell(r"a\b"), as_cell(r"\x1b"))
    \x1b[31mred\u202e a\b \x5cx1b
    """
    plain = _ESCAPE.sub(lambda found: rf"\x5c{found[0][1:]}", text)
    if not plain.isprintable():
        plain = "".join(c if c.isprintable() else _escape(ord(c)) for c in plain)
    return f"'{plain}" if plain.lstrip("'").startswith(_FORMULA) else plain


def from_cell(text: str) -> str:
    r"""Return the text that `as_cell` wrote.

    Examples
    --------
    >>> [from_cell(as_cell(text)) for text in ("=1+1", "GATA1", "'=1+1", "'quoted'", r"\x1b")]
    ['=1+1', 'GATA1', "'=1+1", "'quoted'", '\\x1b']
    >>> from_cell(r"\u202e"), from_cell(r"C:\x41")
    ('\u202e', 'C:\\x41')
    """
    plain = text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text
    return _ESCAPE.sub(_unescaped_character, plain)


def from_column(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of a table with the texts that `as_cell` wrote; what is no text stays."""
    if column.dtype.kind in "biufc":
        return column
    return column.map({cell: from_cell(cell) if isinstance(cell, str) else cell for cell in column.unique()})


def _escape(code: int) -> str:
    return rf"\x{code:02x}" if code < 2**8 else rf"\u{code:04x}" if code < 2**16 else rf"\U{code:08x}"


def _unescaped_character(found: re.Match[str]) -> str:
    """Return the character of an escape, or the escape where `as_cell` would have left the character as it is."""
    code = int(found[0][2:], 16)
    letter = chr(code) if code < 0x110000 else " "
    return letter if letter == "\\" or not letter.isprintable() else found[0]


def to_csv(table: pd.DataFrame, *, index: bool = True) -> str:
    r"""Return a table as CSV text, with `as_cell` for every text in it: cells, index and header.

    Examples
    --------
    >>> import pandas as pd
    >>> to_csv(pd.DataFrame({"arm": ["-GATA", "none"], "ace": [-1.5, 0.0]}), index=False)
    "arm,ace\n'-GATA,-1.5\nnone,0.0\n"
    """
    flat = table.reset_index() if index else table
    return flat.map(_as_cell_if_text).rename(columns=_as_cell_if_text).to_csv(index=False)


def _as_cell_if_text(value: Any) -> Any:
    return as_cell(value) if isinstance(value, str) else value
