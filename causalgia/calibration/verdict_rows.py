"""Calibration rows on verdicts and printed intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.calibration.bands import Claim, Row, mean_row, share_row
from causalgia.types import Array, Mask

_DIRECTIONS = ("increases", "decreases")


def verdict_rows(decisions: Sequence[xr.Dataset | None], truth: Array, *, random: bool) -> tuple[list[Row], list[str]]:
    """Return rows on the verdicts and printed intervals of repeated trials, or why there are none.

    Parameters
    ----------
    decisions
        Decisions of each trial from `causalgia.analyze`; None without a region or a truth.
    truth
        True effects of each trial, shape ``(trials, contrasts, tasks)``.
    random
        Whether truths were drawn anew for each trial, as error rates of a posterior assume.
    """
    decided = [found for found in decisions if found is not None]
    if len(decided) < len(decisions) or not decided:
        return [], ["verdicts: the analysis has no rope, or no true effect is known"]
    alpha = 1 - float(decided[0].attrs["level"])
    by_tests = decided[0].attrs["evidence"] != "posterior"
    each: Claim = "at most" if by_tests else "reported"
    family: Claim = "at most" if by_tests or random else "reported"
    verdict = _stack_trials(decided, "verdict")
    rope_lower, rope_upper = (_stack_trials(decided, end) for end in ("rope_lower", "rope_upper"))
    false_direction, false_negligible = false_claims(verdict, truth, rope_lower, rope_upper)
    wrong, level = false_direction | false_negligible, _interval_levels(decided)
    covered = (_stack_trials(decided, "lower") <= truth) & (truth <= _stack_trials(decided, "upper"))
    # the data choose between the interval levels of a direction and of "negligible", which costs half an alpha
    chosen = (rope_lower < rope_upper).any(axis=0)
    rows: list[Row] = []
    for k, t, name in _effect_labels(decided[0]):
        rows.append(share_row(f"false verdict: {name}", wrong[:, k, t], alpha, each))
        share = float(level[:, k, t].mean()) - chosen[k, t] * alpha / 2
        rows.append(
            share_row(f"printed interval: {name}", covered[:, k, t], share, "at least" if by_tests else "reported")
        )
    shares = {
        "false directions of all given": (false_direction, np.isin(verdict, _DIRECTIONS)),
        "false negligibles of all given": (false_negligible, verdict == "negligible"),
    }
    for name, (false, claimed) in shares.items():
        proportion = false.sum(axis=(1, 2)) / np.maximum(claimed.sum(axis=(1, 2)), 1)
        rows.append(mean_row(name, proportion, alpha, family))
    return rows, []


def false_claims(verdict: npt.NDArray[np.str_], truth: Array, lower: Array, upper: Array) -> tuple[Mask, Mask]:
    """Return which directions, and which verdicts of negligible, are false: the truth is outside the claimed region.

    Examples
    --------
    >>> verdict = np.array(["increases", "negligible", "undecided", "decreases"])
    >>> false_claims(verdict, np.array([0.05, 0.2, 0.2, -0.2]), np.full(4, -0.1), np.full(4, 0.1))
    (array([ True, False, False, False]), array([False,  True, False, False]))
    """
    direction = ((verdict == "increases") & (truth <= upper)) | ((verdict == "decreases") & (truth >= lower))
    return direction, (verdict == "negligible") & ((truth >= upper) | (truth <= lower)) & (lower < upper)


def _interval_levels(decided: Sequence[xr.Dataset]) -> Array:
    if all("interval_level" in found for found in decided):
        return np.asarray(_stack_trials(decided, "interval_level"))
    return np.full(_stack_trials(decided, "ace").shape, float(decided[0].attrs["ci_prob"]))


def _stack_trials(decided: Sequence[xr.Dataset], name: str) -> Any:
    return np.stack([found[name].transpose("contrast", "task").to_numpy() for found in decided])


def _effect_labels(found: xr.Dataset) -> list[tuple[int, int, str]]:
    contrasts, tasks = found["contrast"].to_numpy(), found["task"].to_numpy()
    return [(k, t, f"{contrasts[k]!s}, {tasks[t]!s}") for k in range(len(contrasts)) for t in range(len(tasks))]
