"""Massively parallel reporter assays: oligo libraries, barcode counts, fits, and
virtual trials of libraries.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
