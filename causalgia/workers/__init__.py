"""Parallel work on a Dask cluster.

distributed is imported when a client is used.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
