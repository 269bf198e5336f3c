"""A trial as a file: `trial.toml` in, a frozen `TrialSpec` out, and back."""

from __future__ import annotations

from causalgia.spec.choices import PredictorSpec, check_device
from causalgia.spec.reading import TrialSpec, parse_spec, read_analysis, read_spec, starter

__all__ = ["PredictorSpec", "TrialSpec", "check_device", "parse_spec", "read_analysis", "read_spec", "starter"]
