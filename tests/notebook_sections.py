"""Run a notebook cell by cell without a connection, and print what its sections show.

Its last line of output is JSON: for each section whose code is to show something, by its
heading, whether any of its cells prints or ends in a value, as a notebook displays it.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
import sys
from pathlib import Path
from typing import Any


def cells(text: str) -> list[tuple[bool, str]]:
    """Return whether each cell is text, and its source.

    Examples
    --------
    >>> cells("# %% [markdown]\\n# # A\\n\\n# %% mystnb={}\\nx = 1\\n")
    [(True, '# # A\\n\\n'), (False, 'x = 1\\n')]
    """
    parts = re.split(r"^# %%( \[markdown\])?.*\n", text, flags=re.MULTILINE)[1:]
    return [
        (bool(kind), source)
        for kind, source in zip(parts[::2], parts[1::2], strict=True)
    ]


def shown(source: str, scope: dict[str, Any]) -> bool:
    """Run a cell, and return whether it prints or ends in a value."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body else None
    if last is not None and not isinstance(last, ast.Expr):
        tree.body.append(last)
        last = None
    value, out = None, io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(tree, "cell", "exec"), scope)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), scope)
    return bool(out.getvalue().strip()) or value is not None


def sections(text: str) -> dict[str, bool]:
    """Run all cells, and return which sections show something."""
    found: dict[str, bool] = {}
    heading, scope = "", {"__name__": "__main__"}
    for is_text, source in cells(text):
        titles = re.findall(r"^# (#+ .*)$", source, flags=re.MULTILINE)
        if is_text:
            heading = titles[-1] if titles else heading
        else:
            shows = shown(source, scope)
            if shows or re.search(r"print\(|display\(|^figure", source, re.MULTILINE):
                found[heading] = shows or found.get(heading, False)
    return found


def refuse(event: str, details: tuple[Any, ...]) -> None:
    """Refuse a connection to another machine."""
    if event == "socket.connect" and isinstance(details[1], tuple):
        raise RuntimeError(f"the notebook connects to {details[1]}")


if __name__ == "__main__":
    sys.addaudithook(refuse)
    print(json.dumps(sections(Path(sys.argv[1]).read_text(encoding="utf-8"))))
