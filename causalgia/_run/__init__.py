"""`run`: run a trial and keep its outcomes, its individual effects, or their
moments.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
