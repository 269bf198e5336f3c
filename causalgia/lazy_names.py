"""Lazy imports of a package's names, so that a call loads only the modules it needs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import cache
from typing import Any


def on_first_use(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package that imports its names on first use.

    The imports are written once, under ``if TYPE_CHECKING:`` in the package's `__init__`. They are read from its source
    and executed one by one, when a name is first used.

    Parameters
    ----------
    package
        ``__name__`` of the package.

    Returns
    -------
    tuple of callable
        ``__getattr__`` (raises AttributeError for an unknown name, suggesting the nearest known one) and ``__dir__``
        (the names of ``__all__``, and the subpackages of the root).

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
        source = loader.get_source(package) if loader is not None and hasattr(loader, "get_source") else None
        if source is None:
            raise ImportError(f"{package} is installed without its source; install causalgia with its .py files")
        return {
            alias.asname or alias.name: node.module
            for block in ast.parse(source).body
            if isinstance(block, ast.If)
            for node in block.body
            if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("causalgia")
            for alias in node.names
        }

    def get(name: str) -> Any:
        if name.startswith("__") or name not in homes():
            from causalgia.checks import nearest

            hint = "" if name.startswith("_") else nearest(name, names())
            message = f"module {package!r} has no attribute {name!r}{hint}"
            raise AttributeError(message, obj=sys.modules[package])  # with the name, Python 3.12 would suggest it again
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
