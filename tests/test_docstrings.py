"""What docstrings name is there: parameters, fields, and what stands between
backticks.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from house import nodes

import causalgia as cg

PACKAGE = Path(cg.__file__).parent
ELSEWHERE = {"numpy", "pandas", "xarray", "torch", "scipy", "distributed", "arviz"}
FILES = ("toml",)
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(cg.__path__, "causalgia.")
    if "__main__" not in found.name
)


@cache
def module(name: str) -> ModuleType:
    return importlib.import_module(name)


def section(doc: str, title: str) -> list[str]:
    """Return the names of the entries of a section of a numpydoc docstring."""
    found = re.search(
        rf"^{title}\n-+\n(.*?)(?=\n[A-Z][A-Za-z ]+\n-{{3,}}|\Z)",
        doc,
        re.DOTALL | re.MULTILINE,
    )
    lines = (
        [line for line in found[1].splitlines() if line and not line[0].isspace()]
        if found
        else []
    )
    return [
        name.strip().lstrip("*")
        for line in lines
        for name in line.partition(" :")[0].split(",")
    ]


def with_docstrings(name: str) -> Iterator[tuple[str, Any]]:
    for key, x in vars(module(name)).items():
        if getattr(x, "__module__", "") == name and (
            inspect.isclass(x) or inspect.isfunction(x)
        ):
            yield key, x
            members = vars(x).items() if inspect.isclass(x) else ()
            yield from (
                (f"{key}.{inner}", f) for inner, f in members if inspect.isfunction(f)
            )


def parameters(x: Any) -> list[str]:
    found = inspect.signature(x).parameters
    return [
        name
        for name in found
        if name not in ("self", "cls") and not name.startswith("_")
    ]


def told_beside(x: Any) -> set[str]:
    """Return the fields of a class that have a docstring of their own."""
    body = ast.parse(inspect.getsource(x)).body[0].body if inspect.isclass(x) else []
    pairs = pairwise(body)
    return {
        a.target.id
        for a, b in pairs
        if isinstance(a, ast.AnnAssign) and isinstance(b, ast.Expr)
    }


@pytest.mark.parametrize(
    "room", sorted({name.split(".")[1] for name in MODULES} - {"cli"})
)
def test_docstrings_name_the_parameters_that_there_are(room):
    wrong = []
    for name in MODULES:
        if name.split(".")[1] != room:
            continue
        for key, x in with_docstrings(name):
            named = section(inspect.cleandoc(x.__doc__ or ""), "Parameters")
            if not named:
                continue
            there = parameters(x)
            lacking = set(there) - set(named) - told_beside(x)
            if lacking or set(named) - set(there):
                wrong.append(
                    f"{name}.{key}: not told {sorted(lacking)}, not there "
                    f"{sorted(set(named) - set(there))}"
                )
    assert not wrong, "\n".join(wrong)


def definitions() -> dict[str, set[str]]:
    """Return what each file defines or imports, by the name of the file."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        names = found.setdefault(
            path.parent.name if path.stem == "__init__" else path.stem, set()
        )
        for node in nodes(path):
            match node:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    names.add(name)
                case (
                    ast.Assign(targets=[ast.Name(id=name)])
                    | ast.AnnAssign(target=ast.Name(id=name))
                ):
                    names.add(name)
                case ast.Import(names=imported) | ast.ImportFrom(names=imported):
                    names.update(alias.asname or alias.name for alias in imported)
    return found


def is_there(name: str) -> bool:
    first, *rest = name.split(".")
    place: Any = cg if first in ("causalgia", "cg") else None
    for i, part in enumerate(rest):
        if not hasattr(place, part):
            try:
                place = importlib.import_module(".".join(["causalgia", *rest[: i + 1]]))
            except ImportError:
                return False
        else:
            place = getattr(place, part)
    return place is not None


def test_what_stands_between_backticks_is_there():
    files, wrong = definitions(), []
    known = set().union(*files.values())
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in nodes(path):
            if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                continue
            for name in re.findall(
                r"(?<!`)`([A-Za-z_]\w*(?:\.\w+)+)`(?!`)", ast.get_docstring(node) or ""
            ):
                first, second = name.split(".")[:2]
                if first in ("causalgia", "cg"):
                    found = is_there(name)
                elif name.endswith(FILES):
                    found = True
                elif first in files:
                    found = second in files[first]
                else:
                    found = first in ELSEWHERE or (
                        first in known and second in known | {"shape", "dtype"}
                    )
                if not found:
                    wrong.append(
                        f"{path.relative_to(PACKAGE)}, "
                        f"{getattr(node, 'name', 'module')}: {name}"
                    )
    assert not wrong, "\n".join(wrong)
