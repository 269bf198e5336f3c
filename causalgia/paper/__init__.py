"""For the paper: results as a report, a tidy table, a table to print, and sentences of
methods and results.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
