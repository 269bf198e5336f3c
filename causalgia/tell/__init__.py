"""What a result says: typed values in, every rendering out (text, tables, page, methods,
figures).
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
