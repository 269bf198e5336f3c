"""Barcode counts: read, simulate, check, filter, aggregate and turn into activities."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
