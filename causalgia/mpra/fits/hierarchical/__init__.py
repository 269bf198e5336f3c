"""Hierarchical model of barcode counts, with noise levels shared over elements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.mpra.fits.hierarchical.model import hierarchical
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["hierarchical"]
