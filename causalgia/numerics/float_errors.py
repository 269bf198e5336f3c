"""The state of numpy's floating-point errors in which a verb computes, whatever a user
has set.
"""

from __future__ import annotations

import numpy as np

usual_errors = np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")
"""Decorator of public functions: numpy's own default, inside the call alone."""
