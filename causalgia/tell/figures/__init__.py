"""Figures of results, drawn by matplotlib.pyplot from the rows of their tables."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
