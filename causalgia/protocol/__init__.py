"""Pre-registration: a protocol is locked before the trial, and `verify` lists the
deviations of a result.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
