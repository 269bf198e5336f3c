"""What a command prints: lines for a reader, or with ``--json`` one document for a
program.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import causalgia
from causalgia.errors import printable


@dataclass
class Output:
    """What the running command printed so far, and how it prints."""

    as_json: bool = False
    quiet: bool = False
    lines: list[str] = field(default_factory=list)
    parts: dict[str, Any] = field(default_factory=dict)


_output: ContextVar[Output] = ContextVar("output", default=Output())  # noqa: B039


def start_output(now: Output) -> None:
    """Begin the output of a command."""
    _output.set(now)


def output() -> Output:
    """Return the output of the running command."""
    return _output.get()


def finish_output(command: str) -> None:
    """Print the document of a command that was asked for JSON."""
    now = output()
    if not now.as_json:
        return
    document = {"command": command, "version": causalgia.__version__}
    document |= {"text": "\n".join(now.lines).strip("\n")} | now.parts
    print(json.dumps(document, allow_nan=False), flush=True)


def echo(text: str = "") -> None:
    """Print a line with terminal control characters escaped."""
    now = output()
    if now.as_json:
        now.lines.append(printable(text))
    elif not now.quiet:
        print(printable(text), flush=True)


def emit(text: str) -> None:
    """Print what was asked for by an option, with ``--quiet`` as well."""
    now = output()
    if now.as_json:
        now.lines.append(text)
    else:
        print(text, flush=True)


def record(**parts: Callable[[], Any]) -> None:
    """Add parts to the document of a command, each made only if there is one.

    Examples
    --------
    >>> start_output(Output(as_json=True))
    >>> record(ok=lambda: True)
    >>> output().parts
    {'ok': True}
    >>> start_output(Output())
    """
    now = output()
    if now.as_json:
        now.parts |= {name: make() for name, make in parts.items()}


def record_files(*paths: object) -> None:
    """Add files that were written to the document of a command."""
    now = output()
    files = now.parts.setdefault("files", [])
    files += [str(path) for path in paths if str(path) not in files]


def records(table: Any) -> list[dict[str, Any]]:
    """Return the rows of a DataFrame or Dataset for JSON, in which a missing number is
    null.

    Examples
    --------
    >>> import pandas as pd
    >>> records(pd.DataFrame({"term": ["GATA1"], "q": [float("nan")], "n": [3]}))
    [{'term': 'GATA1', 'q': None, 'n': 3}]
    """
    if hasattr(table, "data_vars"):
        if not table.sizes:
            return [{str(name): _plain(v.item()) for name, v in table.items()}]
        table = table.to_dataframe()
    if any(name is not None for name in table.index.names):
        table = table.reset_index()
    names = [str(name) for name in table.columns]
    return [
        dict(zip(names, map(_plain, row), strict=True))
        for row in table.itertuples(index=False, name=None)
    ]


def _plain(value: Any) -> Any:
    """Return a value for JSON: a missing number as None, an infinite one as text."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    return value if isinstance(value, bool | int | float | str | None) else str(value)
