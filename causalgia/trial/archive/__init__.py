"""Archive of a trial: a zarr group on disk that grows by chunks, survives a kill, and
detects damage.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
