"""Trials: draw units, apply arms, ask the predictor, and lay the answers out as outcomes."""

from __future__ import annotations

from causalgia.trial.running import run

__all__ = ["run"]
