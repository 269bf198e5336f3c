"""The catalogue: every classic in-silico experiment as a function that returns a design
with its named contrasts.

Each is run by `causalgia.run` and analyzed by the ordinary verbs;
``experiment.analyze(outcomes, rng=)`` is the pipe of verbs that answers its question.
`entries` lists them.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
