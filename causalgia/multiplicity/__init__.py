"""Simultaneous bands, ranks and regions from placebos; the adjustments behind verdicts."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
