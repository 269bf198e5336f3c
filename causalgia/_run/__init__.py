"""`run`: run a trial and keep its outcomes, its individual effects, or their
moments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia._run._run import run
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["run"]
