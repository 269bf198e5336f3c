"""How far numbers of float64 may be apart that are equal."""

from __future__ import annotations

RELATIVE_ROUNDING = 1e-9
"""Relative difference of two results of a long computation, or of a probability and its
level: 1 - 0.95 is a little more than 0.05, so that verdicts, stopping and their
sentences all compare with ``(1 - ci_prob) * (1 + RELATIVE_ROUNDING)``.
"""
DIFFERENCE_ROUNDING = 1e-12
"""Rounding of a difference, relative to the largest of the numbers that it is of."""
LEAST_SD = 1e-153
"""Least standard deviation whose square has all its digits."""
