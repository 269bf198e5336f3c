"""Fits of barcode counts: effects of arms in every element, and their averages."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
