"""Dated tables that ship with the package: restriction sites, constructs and vendors."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from causalgia.checks import nearest
from causalgia.errors import LibraryError, quoted


@cache
def table(name: str) -> dict[str, Any]:
    """Return a table of `causalgia/mpra/data` by its name: ``sites``, ``constructs`` or ``vendors``."""
    return tomllib.loads((files("causalgia.mpra") / "data" / f"{name}.toml").read_text("utf-8"))


def row_of(rows: dict[str, Any], name: str, what: str, *, cure: str) -> tuple[str, Any]:
    """Return the name as the table writes it, whatever the capitals asked in, and its row.

    Raises
    ------
    LibraryError
        If there is none; the message has the nearest name and the cure.
    """
    if not isinstance(name, str):
        raise LibraryError(f"{quoted(name)} is no {what}; give the name of one ({', '.join(rows)}), or {cure}")
    found = {known.lower(): known for known in rows}.get(name.lower())
    if found is None:
        hint = nearest(name.lower(), [known.lower() for known in rows]) or f"; known are {', '.join(rows)}"
        raise LibraryError(f"there is no {what} {quoted(name)} in the table{hint}; or {cure}")
    return found, rows[found]
