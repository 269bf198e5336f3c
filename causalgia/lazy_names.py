"""Lazy imports of a package's names, so that a call loads only the modules it needs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

_OTHER_WORDS = {"describe": "report"}


def unknown_name(
    module: str, name: str, known: Iterable[str], rooms: Iterable[str] = ()
) -> AttributeError:
    """Return the error of a module without a name: with the room that has it, or else
    the nearest name of its own.

    Examples
    --------
    >>> raise unknown_name("causalgia.store", "loa", ["load", "save"])
    Traceback (most recent call last):
    ...
    AttributeError: module 'causalgia.store' has no attribute 'loa'; did you mean 'load'?
    """
    from causalgia.checks import nearest

    hint = ""
    if not name.startswith("_"):
        known = list(known)
        packages = [importlib.import_module(f"{module}.{room}") for room in rooms]
        homes = [
            package.__name__
            for package in packages
            if name in getattr(package, "__all__", ())
        ]
        other = _OTHER_WORDS.get(name, "")
        hint = nearest(name, known, cutoff=0.6)
        if homes and name.casefold() not in map(str.casefold, known):
            hint = f"; did you mean {', '.join(f'{home}.{name}' for home in homes)}?"
        hint = f"; did you mean {other!r}?" if other in known else hint
    # with the name given to the error, Python 3.12 would suggest it again
    return AttributeError(
        f"module {module!r} has no attribute {name!r}{hint}", obj=sys.modules[module]
    )


def of_module(module: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a module: an error with the nearest name,
    and the names of ``__all__``.
    """

    def names() -> list[str]:
        return sorted(sys.modules[module].__all__)

    def get(name: str) -> Any:
        raise unknown_name(module, name, names())

    return get, names


def on_first_use(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package that imports its names on first
    use.

    The imports are written once, under ``if TYPE_CHECKING:`` in the package's
    `__init__`. They are read from its source and executed one by one, when a name is
    first used.

    Parameters
    ----------
    package
        ``__name__`` of the package.

    Returns
    -------
    tuple of callable
        ``__getattr__`` (raises AttributeError for an unknown name, suggesting the
        nearest known one) and ``__dir__`` (the names of ``__all__``, and the
        subpackages of the root).

    Examples
    --------
    >>> import causalgia.experiments
    >>> causalgia.experiments.copies.__module__
    'causalgia.experiments._copies'
    >>> causalgia.experiments.copys
    Traceback (most recent call last):
    ...
    AttributeError: module 'causalgia.experiments' has no attribute 'copys'; did you mean 'copies'?
    """

    @cache
    def homes() -> dict[str, str]:
        import ast

        loader = sys.modules[package].__loader__
        source = (
            loader.get_source(package)
            if loader is not None and hasattr(loader, "get_source")
            else None
        )
        if source is None:
            raise ImportError(
                f"{package} is installed without its source; install causalgia with "
                "its .py files"
            )
        return {
            alias.asname or alias.name: node.module
            for block in ast.parse(source).body
            if isinstance(block, ast.If)
            for node in block.body
            if isinstance(node, ast.ImportFrom)
            and node.module is not None
            and node.module.startswith("causalgia")
            for alias in node.names
        }

    def get(name: str) -> Any:
        if name.startswith("__") or name not in homes():
            raise unknown_name(
                package,
                name,
                names(),
                [room for room, home in homes().items() if home == package],
            )
        home = homes()[name]
        if home == package:
            return importlib.import_module(f"{package}.{name}")
        value = getattr(importlib.import_module(home), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        rooms = {name for name, home in homes().items() if home == package}
        return sorted({*getattr(sys.modules[package], "__all__", ()), *rooms})

    return get, names
