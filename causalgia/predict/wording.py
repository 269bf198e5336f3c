"""Names and exceptions in one line."""

from __future__ import annotations

from collections.abc import Sequence

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


def one_line(error: BaseException) -> str:
    r"""Return an exception as one line of at most 500 characters: its type and all that it says.

    Examples
    --------
    >>> one_line(ValueError("missing keys:\n  a\n  b"))
    'ValueError: missing keys: a b'
    """
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:500]}" if text else type(error).__name__


def first_line(error: BaseException) -> str:
    """Return an exception as one short line: its type and the first line of what it says."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:300]}" if text else type(error).__name__
