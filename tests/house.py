"""The rooms of the house, each said once: what stands on what, and who may import which
heavy library.

``python tests/house.py`` writes `.importlinter` from this list; `tests/test_house.py`
holds both equal to the tree.
"""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "causalgia"
FILES = sorted(PACKAGE.rglob("*.py"))
CONTRACTS = ROOT / ".importlinter"


class Room(NamedTuple):
    """A room or a file at the top of the package: its wing ("experiment", "inference"
    or "both"), what it may load.
    """

    name: str
    wing: str = "both"
    may_load: tuple[str, ...] = ()


BOTH = ("torch", "safetensors")
#: from the roof to the ground; rooms of one floor do not import each other
FLOORS: tuple[tuple[Room, ...], ...] = (
    (Room("cli"),),
    (Room("results_folder"),),
    (Room("trial_file"), Room("paper")),
    (Room("mpra", may_load=("numba",)),),
    (
        Room("_discover"),
        Room("protocol"),
        Room("refutation"),
    ),
    (Room("attribution", may_load=BOTH),),
    (Room("calibration"), Room("_confirm"), Room("experiments")),
    (Room("_check"),),
    (Room("_run"),),
    (Room("zoo", "experiment", BOTH), Room("networks", "experiment", BOTH)),
    (Room("trial", "experiment"),),
    (Room("design", "experiment"), Room("predict", "experiment", BOTH)),
    (Room("sequences", "experiment", ("numba",)),),
    (Room("plot", "inference", ("matplotlib",)),),
    (Room("_reporting", "inference"),),
    (Room("_analyze", "inference"),),
    (Room("stopping", "inference"), Room("planning", "inference")),
    (Room("verdicts", "inference"),),
    (Room("posterior", "inference", ("numba", "pymc", "arviz", "nutpie")),),
    (Room("multiplicity", "inference", ("numba",)),),
    (Room("estimation", "inference"),),
    (Room("effects", "inference"),),
    (Room("store"),),
    (Room("analysis"),),
    (Room("analysis_values"),),
    (Room("notes"),),
    (Room("arguments"),),
    (Room("ropes"),),
    (Room("schema"),),
    (Room("effect_table"), Room("expressions"), Room("streams"), Room("workers")),
    (
        Room("attributes"),
        Room("variables"),
        Room("numerics"),
        Room("inputs"),
        Room("choices"),
    ),
    (Room("lazy_names"),),
    (Room("declared_types"),),
    (Room("checks"),),
    (Room("former_names"),),
    (
        Room("errors"),
        Room("types"),
        Room("compiled", may_load=("numba",)),
    ),
    (Room("mentions"),),
)
#: the bench, from the roof to the ground
BENCH = (
    "formats | planning | text_reports",
    "fits",
    "comparisons | libraries",
    "counts",
)
HEAVY = {
    "torch and safetensors": ("torch", "safetensors"),
    "matplotlib": ("matplotlib",),
    "numba": ("numba",),
    "pymc, arviz and nutpie": ("pymc", "arviz", "nutpie"),
}


@contextmanager
def no_collections() -> Iterator[None]:
    """Put off garbage collections: a tree has no garbage, and each would look at all of
    it.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def parsed(path: Path) -> ast.Module:
    """Return what a file is parsed to."""
    with no_collections():
        return ast.parse(path.read_text(encoding="utf-8"))


@cache
def tree(path: Path) -> ast.Module:
    """Return what a file of the package is parsed to, once in each process."""
    return parsed(path)


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return the nodes of that tree, in the order of `ast.walk`, in half of its time:
    the package has a million.
    """
    with no_collections():
        found: list[ast.AST] = [tree(path)]
        for node in found:
            for field in node._fields:
                value = getattr(node, field, None)
                if isinstance(value, list):
                    found += [one for one in value if isinstance(one, ast.AST)]
                elif isinstance(value, ast.AST):
                    found.append(value)
    return tuple(found)


def contracts() -> str:
    """Return the contracts of import-linter for these rooms."""
    rooms = [room for floor in FLOORS for room in floor]
    wings = {
        wing: [room.name for room in rooms if room.wing == wing]
        for wing in ("experiment", "inference")
    }
    parts = [
        "# Written by `python tests/house.py` from the list of rooms there.",
        "[importlinter]\nroot_package = causalgia\ninclude_external_packages = True",
    ]
    for wing, other in (("experiment", "inference"), ("inference", "experiment")):
        floors = [
            " | ".join(room.name for room in floor if room.wing in (wing, "both"))
            for floor in FLOORS
        ]
        parts.append(
            f"[importlinter:contract:{wing}]\n"
            f"name = The {wing} wing is one staircase\n"
            "type = layers\n"
            "containers =\n"
            "    causalgia\n"
            "exhaustive = True\n"
            + _listed("exhaustive_ignores", ["__main__", *wings[other]])
            + _listed("layers", [floor for floor in floors if floor])
        )
        parts.append(
            f"[importlinter:contract:{wing}_alone]\n"
            f"name = The {wing} wing does not import the {other} wing\n"
            "type = forbidden\n"
            + _listed("source_modules", _modules(wings[wing]))
            + _listed("forbidden_modules", _modules(wings[other]))
        )
    parts.append(
        "[importlinter:contract:bench]\n"
        "name = The bench is one staircase\n"
        "type = layers\n"
        "containers =\n"
        "    causalgia.mpra\n"
        "exhaustive = True\n"
        f"{_listed('layers', list(BENCH))}"
    )
    for what, names in HEAVY.items():
        never = [room.name for room in rooms if not set(names) & set(room.may_load)]
        rest = ", ".join(room.name for room in rooms if room.name not in never)
        parts.append(
            f"[importlinter:contract:{names[0]}]\n"
            f"name = {what} only in {rest}\n"
            "type = forbidden\n"
            "allow_indirect_imports = True\n"
            f"{_listed('source_modules', _modules(never))}{_listed('forbidden_modules', list(names))}"
        )
    # the root names every room, for type checkers; a room imports it for the version
    # alone
    parts[2:] = [
        f"{part.rstrip()}\nignore_imports =\n    causalgia -> causalgia.**"
        for part in parts[2:]
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _modules(names: list[str]) -> list[str]:
    return [f"causalgia.{name}" for name in names]


def _listed(key: str, values: list[str]) -> str:
    return "\n    ".join([f"{key} =", *values]) + "\n"


if __name__ == "__main__":
    CONTRACTS.write_text(contracts())
