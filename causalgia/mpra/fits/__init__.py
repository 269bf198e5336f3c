"""Fits of barcode counts: effects of arms in every element, and their averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.mpra.fits._average import average
    from causalgia.mpra.fits._fit import fit
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["average", "fit"]
