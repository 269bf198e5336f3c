"""The engine: trials checked, run, whatever is kept of them and wherever they are answered, and opened again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.exports import on_first_use

if TYPE_CHECKING:
    from causalgia.engine.checking import check
    from causalgia.engine.running import run
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["check", "run"]
