"""Planning of a trial: precision, power and sample size.

Functions on labeled Datasets: `causalgia.sample_size`, `power`,
`minimal_detectable_effect`. Functions of arrays are in
`causalgia.planning.power_functions`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
