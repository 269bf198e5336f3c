"""Individual causal effects: contrasts of arms on a named scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.effects._contrast import contrast as contrast
    from causalgia.effects._contrast_models import contrast_models as contrast_models
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__: list[str] = []
