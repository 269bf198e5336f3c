"""The engine: trials run, whatever is kept of them and wherever they are answered, and opened again."""

from __future__ import annotations

from causalgia.engine.opening import open
from causalgia.engine.running import run

__all__ = ["open", "run"]
