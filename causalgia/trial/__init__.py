"""Trials: draw units, apply arms, predict, and return the outcomes."""
