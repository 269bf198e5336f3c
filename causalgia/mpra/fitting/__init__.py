"""Fits: barcode counts -> effects of arms in every element, with their standard errors."""

from __future__ import annotations

from causalgia.mpra.fitting.averaging import average
from causalgia.mpra.fitting.fits import fit

__all__ = ["average", "fit"]
