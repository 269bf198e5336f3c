"""Published networks: where they are deposited, under what license, and a predictor of
each. Files are downloaded once, checked against the sums that their deposits publish,
and cached.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
