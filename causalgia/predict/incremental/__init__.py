"""Incremental prediction: recompute only positions that an edit reaches, and take the
rest from the control pass.
"""

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.predict.incremental.incremental_session import (
        Incremental,
        WidthResult,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["Incremental", "WidthResult"]
