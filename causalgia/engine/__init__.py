"""The engine: trials checked, run, whatever is kept of them and wherever they are answered, and opened again."""

from __future__ import annotations

from causalgia.engine.checking import check
from causalgia.engine.running import run

__all__ = ["check", "run"]
