"""Incremental prediction: recompute only positions that an edit reaches, and take the
rest from the control pass.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
