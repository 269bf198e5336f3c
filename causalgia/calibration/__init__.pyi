from ._calibrate import calibrate as calibrate
