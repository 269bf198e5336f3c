"""Command line: thin wrappers of the public verbs; each reads its arguments, calls one
verb and prints.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
