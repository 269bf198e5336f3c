"""File formats of MPRAs: order files, IGVF tables, library folders, variant tiles."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
