"""Oligo libraries for an order: constructs, rules, redrawn units, controls and
barcodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.mpra.libraries._library import library
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["library"]
