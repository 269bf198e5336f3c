"""`audit`: what a network learned: motifs, rules, and how much of its predictions they
are.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
