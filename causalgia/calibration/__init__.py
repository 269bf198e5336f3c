"""Calibration of an analysis: error rates and coverage over repeated trials of one
design.

`causalgia.calibrate` repeats whole trials on a predictor or a simulator;
`causalgia.calibration.binomial_bands` makes custom tables of observed rates with the
bands of chance.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
