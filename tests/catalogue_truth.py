"""What every experiment of the catalogue must show on an oracle: its known effects, and
no wrong verdict.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import stats

import causalgia as cg

_CLEAR = 5.0  # standard errors from a bound at which a verdict may not be wrong


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
    bound of the rope.
    """
    decisions, estimates = answer.decisions, answer.estimates
    for contrast in decisions["contrast"].to_numpy():
        for task in decisions["task"].to_numpy():
            row, se = (
                decisions.sel(contrast=contrast, task=task),
                estimates["se"].sel(contrast=contrast, task=task).item(),
            )
            value, low, high = (
                truth.sel(contrast=contrast, task=task).item(),
                row["rope_lower"].item(),
                row["rope_upper"].item(),
            )
            if min(abs(value - low), abs(value - high)) <= _CLEAR * se:
                continue
            right = (
                "increases"
                if value > high
                else "decreases"
                if value < low
                else "negligible"
            )
            assert row["verdict"].item() in (right, "undecided"), (
                f"{contrast}, {task}: {row['verdict'].item()}, truth {value:.4f}"
            )
