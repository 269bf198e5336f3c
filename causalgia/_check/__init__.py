"""`check`: assess a predictor before a trial is run on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia._check._check import check
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["check"]
