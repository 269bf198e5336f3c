"""Speed and accuracy of recomputing only what an edit reaches."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from causalgia._check.probe_units import ProbeUnits
from causalgia.errors import FallbackWarning
from causalgia.predict import Predictor

if TYPE_CHECKING:
    from causalgia.predict.incremental.incremental_session import Incremental, WidthResult
    from causalgia.predict.torch_predictor import TorchPredictor

_SECONDS, _PASSES = 1.0, 12
"""Seconds of a measurement, and about how many passes over its units it takes."""
_MOST_UNITS, _MOST_ARMS = 64, 4


@dataclass(frozen=True)
class IncrementalGain:
    """Whether edits can be recomputed in part, and what that gains.

    Attributes
    ----------
    reason
        Why they cannot be, or why it is not worth it; "" if it works and is faster.
    in_use
        Whether the predictor does so.
    speed
        Time of a full pass over that of a recomputation, the smallest over arms; None if none was timed.
    share
        Share of the multiplications of a full pass that is repeated, the largest over arms.
    deviation
        Largest difference from the full pass, in sd of the answers.
    """

    reason: str
    in_use: bool = False
    speed: float | None = None
    share: float = 1.0
    deviation: float = 0.0


def measure_incremental_gain(sample: ProbeUnits) -> IncrementalGain:
    """Measure the recomputation of edits on some units and arms; the predictor is left as it was."""
    part = sample.trial.predictor.parts[0]
    network = _network(part)
    if network is None:
        return IncrementalGain(f"it recomputes layers of a TorchPredictor; {type(part).__name__} has none")
    if network.compile and not network.incremental:
        return IncrementalGain("it is not tried beside compile=True, which answers whole batches of one size")
    from causalgia.predict.incremental.incremental_session import Incremental

    base = sample.units.tokens
    trying = Incremental(network)
    reason = trying.reason(base.shape[1])
    if reason is not None:
        return IncrementalGain(reason, in_use=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)  # its content is measured here
        _answer_arms(trying, sample)
    return _summarize_tried(
        trying.tried(), in_use=all(getattr(p, "incremental", False) for p in sample.trial.predictor.parts)
    )


def _network(part: Predictor) -> TorchPredictor | None:
    if "torch" not in sys.modules:
        return None
    from causalgia.predict import TorchPredictor

    return part if isinstance(part, TorchPredictor) else None


def _answer_arms(trying: Incremental, sample: ProbeUnits) -> None:
    n = int(np.clip(_SECONDS / _PASSES / max(sample.seconds_a_row, 1e-9), 2, _MOST_UNITS))
    base = sample.units.tokens[:n]
    session = trying.on(base)
    for arm in sample.arms[:_MOST_ARMS]:
        edited = sample.tokens(arm, n)
        if edited.shape == base.shape and (edited != base).any():
            session.answers(edited, np.arange(len(base)))


def _summarize_tried(tried: list[WidthResult], *, in_use: bool) -> IncrementalGain:
    if not tried:
        return IncrementalGain("no arm edits a background without changing its length")
    speeds = [each.speed for each in tried if each.speed is not None]
    speed, share = min(speeds, default=None), max(each.share for each in tried)
    deviation = max(each.deviation for each in tried)
    if not all(each.exact for each in tried):
        reason = f"its answers deviate by {deviation:.1g} sd from those of a full pass"
    elif not all(each.chosen for each in tried):
        reason = "it is not faster for these edits"
    else:
        reason = ""
    return IncrementalGain(reason, in_use, speed, share, deviation)
