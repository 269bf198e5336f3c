"""Pages of the reference: one for the root and one for each room, written from what
they export.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections import defaultdict
from pathlib import Path

import causalgia as cg
from causalgia.errors import MissingExtraError

FOLDER = Path(__file__).parent / "api"
ROOT = {name: getattr(cg, name) for name in cg.__all__}
ROOMS = [name for name, value in ROOT.items() if inspect.ismodule(value)]
_ROOT = """\
From the null model to the report, these names need no more than ``import causalgia as cg``. The verbs of a trial, in
order, are `check`, `run`, `contrast`, `estimate`, `infer`, `decide` and `report`; `analyze` is all of them at
once."""


def pages() -> dict[str, str]:
    """Return the text of each page by its name.

    Within a page, names are grouped by the file that defines them (on that of the root:
    the room), under the first line of its docstring. An object that the root exports is
    listed there alone, and named on the page of its room.

    Examples
    --------
    >>> pages()["zoo"].splitlines()[0]
    'zoo'
    """
    root = {name: value for name, value in ROOT.items() if name not in ROOMS}
    found = {"causalgia": _page("causalgia", _ROOT, root, "")}
    for room in ROOMS:
        module = importlib.import_module(f"causalgia.{room}")
        names = exports(room)
        above = [
            name
            for name, value in root.items()
            if str(getattr(value, "__module__", "")).startswith(f"causalgia.{room}.")
        ]
        also = ", ".join(f":obj:`~causalgia.{name}`" for name in above)
        text = inspect.getdoc(module) or ""
        found[room] = _page(
            room,
            f"{text}\n\nAt the root: {also}." if above else text,
            names,
            f"{room}.",
        )
    return found


def exports(room: str) -> dict[str, object]:
    """Return the classes and functions that a room exports and the root does not;
    aliases of types are left out.
    """
    module = importlib.import_module(f"causalgia.{room}")
    names = getattr(
        module, "__all__", [name for name in vars(module) if not name.startswith("_")]
    )
    home = "causalgia." if hasattr(module, "__all__") else module.__name__
    values = {}
    for name in names:
        try:
            value = getattr(module, name)
        except MissingExtraError:  # the pages are built where torch is
            continue
        ours = getattr(value, "__module__", "").startswith(home)
        if ours and value is not ROOT.get(name):
            values[name] = value
    return values


def _page(title: str, text: str, names: dict[str, object], prefix: str) -> str:
    homes = defaultdict(list)
    for name, value in names.items():
        home = str(getattr(value, "__module__", ""))
        homes[home if prefix else ".".join(home.split(".")[:2])].append(prefix + name)
    single = [listed[0] for listed in homes.values() if len(listed) == 1]
    parts = [f"{title}\n{'=' * len(title)}", ".. currentmodule:: causalgia", text]
    parts += [_summary(single)] if single else []
    for home, listed in sorted(homes.items()):
        if len(listed) > 1:
            line = " ".join(
                (inspect.getdoc(sys.modules[home]) or "").partition("\n\n")[0].split()
            ).rstrip(".:")
            parts += (
                [_summary(listed)]
                if home == f"causalgia.{title}"
                else [f".. rubric:: {line}", _summary(listed)]
            )
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(names: list[str]) -> str:
    return "\n   ".join([".. autosummary::\n   :toctree: ../generated\n", *names])


def write() -> None:
    """Write the pages beside this file."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / f"{name}.rst").write_text(text, encoding="utf-8")
