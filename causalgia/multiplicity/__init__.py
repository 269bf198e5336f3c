"""Multiple testing: adjusted p-values and simultaneous bands within declared families."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
