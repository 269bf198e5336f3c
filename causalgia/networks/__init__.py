"""Published networks: where they are deposited, under what license, and a predictor of
each. Files are downloaded once, checked against the sums that their deposits publish,
and cached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.networks.deposits import fetch, list
    from causalgia.networks.published import load
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["fetch", "list", "load"]
