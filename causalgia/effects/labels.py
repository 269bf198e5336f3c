"""Labels of contrasts: do-notation, scale and estimand in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from causalgia.effects.contrast_weights import Weights
from causalgia.effects.scales import OF_MEANS
from causalgia.effects.task_weights import TaskWeights, task_weights_in_words
from causalgia.errors import quoted

_MOST_TERMS = 8


def measured_on(outcomes: xr.Dataset) -> str:
    """Return the scale of outcomes in words."""
    scale = outcomes.attrs.get("scale", "outcome")
    return scale if isinstance(scale, str) else quoted(scale)


def do_coordinate(outcomes: xr.Dataset, weights: Weights, scale: str) -> dict[str, Any]:
    """Return the coordinate ``do (contrast)``, the signed sum (or quotient) of those of the arms, if any."""
    if "do" not in outcomes.variables:
        return {}
    text = dict(zip(map(str, outcomes["arm"].to_numpy()), map(str, outcomes["do"].to_numpy()), strict=True))
    return {"do": ("contrast", [_signed_sum(w, text, ratio=scale == "ratio") for w in weights.values()])}


def _signed_sum(w: dict[str, float], text: Mapping[str, str], *, ratio: bool) -> str:
    """Return '+' and '−' terms, of a ratio '×' and '/' factors; the positive ones first, eight at most."""
    terms = sorted(w.items(), key=lambda item: item[1] < 0)
    plus, minus, power = ("×", "/", "^{:.4g}") if ratio else ("+", "−", "{:.4g} ")
    pieces = []
    for arm, value in terms[: len(terms) if len(terms) <= _MOST_TERMS + 1 else _MOST_TERMS]:
        size = "" if abs(value) == 1 else power.format(abs(value))
        pieces.append(f"{minus if value < 0 else plus} {text[arm] + size if ratio else size + text[arm]}")
    more = len(terms) - len(pieces)
    rest = f"{'×/' if ratio else '±'} {more:,} more"
    return " ".join([*pieces, *([rest] if more else [])]).removeprefix(f"{plus} ")


def effect_attrs(
    on: str,
    weights: Weights,
    scale: str,
    assignment: str,
    control: Any,
    interaction: Sequence[str] | None,
    over: TaskWeights | None = None,
) -> dict[str, Any]:
    """Return the attrs of effects of outcomes measured `on` a scale: assignment, scale, control, estimand, tasks."""
    estimand = _estimand_text(weights, scale, control, interaction)
    if over is not None and not over.selects:
        estimand = f"{task_weights_in_words(over.weights)}, of the {estimand}"
    attrs: dict[str, Any] = {
        "assignment": assignment,
        "contrast_scale": _scale_in_words(scale, on),
        "transform": scale,
        "control": "" if control is None else str(control),
        "estimand": estimand,
        **({} if over is None else over.attrs),
    }
    if scale in OF_MEANS:
        attrs |= {"null_value": OF_MEANS[scale], "ice_is": "influence values, whose mean is the effect"}
    return attrs


def _scale_in_words(scale: str, on: str) -> str:
    if scale == "identity":
        return on
    if scale not in OF_MEANS:
        return f"{scale} of {on}"
    if scale == "sd":
        return f"{on}, in sd of the control arm"
    return f"log of mean {on}" if scale == "log_of_means" else f"{scale} of mean {on}"


def _estimand_text(weights: Weights, scale: str, control: Any, interaction: Sequence[str] | None) -> str:
    by_unit = scale not in OF_MEANS or scale == "sd"
    outcome = "outcome" if by_unit else "mean outcome over units"
    outcome = outcome if scale in ("identity", "ratio", "sd") else f"{scale.removesuffix('_of_means')}({outcome})"
    arm = quoted(next(iter(weights))) if len(weights) == 1 else "the arm"
    if control is not None:
        against = "divided by" if scale == "ratio" else "minus"
        what = f"{outcome} under {arm} {against} {outcome} under {quoted(str(control))}"
    elif interaction is not None:
        what = f"the interaction {' : '.join(interaction)} of {outcome}, over all 2^{len(interaction)} arms"
        what = what.replace(" of mean", " (ratio of ratios) of mean") if scale == "ratio" else what
    else:
        what = f"the weighted sum of {outcome} over arms"
        what = "the weighted product of mean outcomes over units" if scale == "ratio" else what
    what = f"mean over units of {what}" if by_unit else what
    return f"{what}, divided by the sd of the control over units" if scale == "sd" else what
