"""Oligo libraries for an order: constructs, rules, redrawn units, controls and
barcodes.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
