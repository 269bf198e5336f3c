"""Why a figure misses its target, by benchmark and name of the figure: a miss without a reason fails the tests."""

from __future__ import annotations

_FORWARDS = (
    "tangermeme makes 20 forwards of the backgrounds where a trial needs 11, which is all there is to gain while both "
    "run the same eager network: the bare forwards, with nothing around them, are {} x faster than tangermeme"
)

REASONS: dict[str, str] = {
    "marginalize: tangermeme / run, ResidualBind": _FORWARDS.format(1.77),
    "marginalize: tangermeme / run, DeepSTARR": _FORWARDS.format(1.81),
    "marginalize: tangermeme / run, BPNet": _FORWARDS.format(1.73),
}
