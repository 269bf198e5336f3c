"""Planning an MPRA: power of a design from the noise of a pilot, and the cheapest
adequate library.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
