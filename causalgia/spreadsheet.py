"""Text in tables that spreadsheets open: what one would take for a formula is written with an apostrophe before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = tuple("=+-@\t\r")


def as_cell(text: str) -> str:
    """Return a text as a table for spreadsheets holds it: formulas, and what looks escaped, get an apostrophe.

    Examples
    --------
    >>> as_cell("=1+1"), as_cell("GATA1"), as_cell("'=1+1")
    ("'=1+1", 'GATA1', "''=1+1")
    """
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def of_cell(text: str) -> str:
    """Return the text that `as_cell` wrote.

    Examples
    --------
    >>> [of_cell(as_cell(text)) for text in ("=1+1", "GATA1", "'=1+1", "'quoted'")]
    ['=1+1', 'GATA1', "'=1+1", "'quoted'"]
    """
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text


def to_csv(table: pd.DataFrame, *, index: bool = True) -> str:
    r"""Return a table as CSV text, with `as_cell` for every text in it: cells, index and header.

    Examples
    --------
    >>> import pandas as pd
    >>> to_csv(pd.DataFrame({"arm": ["-GATA", "none"], "ace": [-1.5, 0.0]}), index=False)
    "arm,ace\n'-GATA,-1.5\nnone,0.0\n"
    """
    flat = table.reset_index() if index else table
    return flat.map(_safe).rename(columns=_safe).to_csv(index=False)


def _safe(value: Any) -> Any:
    return as_cell(value) if isinstance(value, str) else value
