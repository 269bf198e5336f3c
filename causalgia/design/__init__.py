"""Design of a trial as frozen values: null models, interventions, arms, assignment.

A value is compared by its content, prints as it was written, has a fingerprint, and
converts to TOML or JSON and back.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
