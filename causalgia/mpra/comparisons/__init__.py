"""Virtual against measured effects: concordance, virtual trials of libraries,
prediction-powered averages.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
