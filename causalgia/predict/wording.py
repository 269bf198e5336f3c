"""Names and exceptions in one line."""

from __future__ import annotations

from collections.abc import Sequence

from causalgia.errors import first_line as first_line
from causalgia.errors import one_line as one_line
from causalgia.errors import quoted


def abridged(names: Sequence[str]) -> str:
    """Return names as a list in which at most four are spelled out.

    Examples
    --------
    >>> abridged("ab"), abridged("abcdef")
    ("['a', 'b']", "['a', 'b', 'c', 'd', ... 6 in all]")
    """
    shown = ", ".join(map(quoted, names[:4]))
    return f"[{shown}]" if len(names) <= 4 else f"[{shown}, ... {len(names):,} in all]"
