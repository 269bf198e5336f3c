"""What every experiment of the catalogue must show on an oracle: its known effects, no
wrong verdict, and none missed.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.choices import DIRECTIONS, INSIDE

_CLEAR = 5.0  # standard errors from a bound at which a verdict may not be wrong
_FAR = 8.0  # standard errors beyond a bound at which a verdict may not be missed


def assert_recovers(
    experiment: cg.experiments.Experiment,
    predictor: cg.zoo.Oracle,
    *,
    rng: int = 0,
    error: float = 1e-4,
    unseen: float = 1e-8,
) -> cg.experiments.Answer:
    """Run, analyze and compare every contrast with its truth, in standard errors;
    return the answer.

    `unseen` is how far the truth may be from an effect that was the same in every unit:
    what is rarer was not seen.
    """
    outcomes = cg.run(experiment, predictor, rng=rng, progress=False)
    answer = experiment.analyze(outcomes, rng=rng)
    truth = predictor.true_ace(experiment)
    assert_estimates(answer.estimates, truth, error=error, unseen=unseen)
    assert_verdicts(answer, truth)
    return answer


def assert_estimates(
    estimates: xr.Dataset,
    truth: xr.DataArray,
    *,
    error: float = 1e-4,
    unseen: float = 1e-8,
) -> None:
    """The largest |estimate - truth| / se stays under the quantile of the largest of K
    at `error`.
    """
    truth = truth.sel(contrast=estimates["contrast"], task=estimates["task"])
    ace, se = (
        estimates["ace"].transpose("contrast", "task"),
        estimates["se"].transpose("contrast", "task"),
    )
    off = np.abs(ace.to_numpy() - truth.transpose("contrast", "task").to_numpy())
    mcse = (
        truth["mcse"].transpose("contrast", "task").to_numpy()
        if "mcse" in truth.coords
        else 0.0
    )
    noise = np.hypot(se.to_numpy(), mcse)
    exact = noise <= 1e-12
    assert off[exact].max(initial=0.0) < unseen, estimates["contrast"].to_numpy()[
        np.argmax(np.where(exact, off, -1).max(1))
    ]
    df = (
        estimates["df"].transpose("contrast", "task").to_numpy()
        if "df" in estimates
        else np.inf
    )
    z = np.where(exact, 0.0, off / np.where(exact, 1.0, noise))
    limit = stats.t.ppf(
        1 - error / (2 * z.size), np.where(np.isfinite(df), np.maximum(df, 1), 1e9)
    )
    worst = np.unravel_index(np.argmax(z - limit), z.shape)
    name = estimates["contrast"].to_numpy()[worst[0]]
    assert (z < limit).all(), (
        f"{name}: {ace.to_numpy()[worst]:.4f}, {z[worst]:.2f} standard errors from the "
        "truth"
    )


def assert_verdicts(answer: cg.experiments.Answer, truth: xr.DataArray) -> None:
    """No verdict is wrong where the truth is more than five standard errors from a
    bound of the rope, and none is missed where `due`.
    """
    decisions, estimates = answer.decisions, answer.estimates
    for contrast in decisions["contrast"].to_numpy():
        for task in decisions["task"].to_numpy():
            row, estimate = (
                decisions.sel(contrast=contrast, task=task),
                estimates.sel(contrast=contrast, task=task),
            )
            value, low, high, ace, se = (
                truth.sel(contrast=contrast, task=task).item(),
                row["rope_lower"].item(),
                row["rope_upper"].item(),
                estimate["ace"].item(),
                estimate["se"].item(),
            )
            said = f"{contrast}, {task}: {row['verdict'].item()}, truth {value:.4f}"
            placebo = "is_placebo" in row.coords and bool(row["is_placebo"])
            if not placebo and due(value, low, high, ace, se):
                assert row["verdict"].item() != "undecided", said
            if min(abs(value - low), abs(value - high)) <= _CLEAR * se:
                continue
            right = DIRECTIONS[:1] if value > high else DIRECTIONS[1:]
            right = right if value > high or value < low else INSIDE
            assert row["verdict"].item() in (*right, "undecided"), said


def due(value: float, low: float, high: float, ace: float, se: float) -> bool:
    """Return whether an effect must have a verdict.

    Its truth lies two half widths of the region from the middle of it or more, and its
    estimate eight standard errors or more beyond the end on that side.
    """
    far = abs(value - (low + high) / 2) >= high - low and value != (low + high) / 2
    beyond = ace - high if value > high else low - ace
    return bool(far and se > 0 and beyond >= _FAR * se)
