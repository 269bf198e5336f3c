"""Origin of a module: installed package (fingerprinted by name) or user code (fingerprinted by source)."""

from __future__ import annotations

import sys
import sysconfig
from functools import cache
from pathlib import Path

_INSTALLED = tuple(
    {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {Path(__file__).resolve().parent}
)


def is_installed(module: str | None) -> bool:
    """Return whether a module belongs to an installed package rather than to the user's code."""
    if module is None or module == "__main__":
        return False
    loaded = sys.modules.get(module) or sys.modules.get(module.partition(".")[0])
    if loaded is None:
        return False
    source = getattr(loaded, "__file__", None)
    if source is None:
        return module.partition(".")[0] in sys.stdlib_module_names or hasattr(loaded, "__path__")
    return _is_installed_file(source)


@cache
def _is_installed_file(source: str) -> bool:
    path = Path(source).resolve()
    return any(path.is_relative_to(root) for root in _INSTALLED)
