"""Trials: draw units, apply arms, ask the predictor, and return the outcomes."""
