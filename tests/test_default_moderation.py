"""Necessity and motif name what moves the effects of single sites, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg

SITE = "AGATAA"


def counts(x):
    """Sites on the + strand."""
    pattern = np.array(["ACGT".index(letter) for letter in SITE])
    windows = np.lib.stride_tricks.sliding_window_view(x.argmax(1), len(SITE), axis=1)
    return (windows == pattern).all(2).sum(1)


def gc(x):
    return x[:, 1:3].mean((1, 2)) * 2


MOVED = cg.FunctionPredictor(lambda x: counts(x) * gc(x) * 10, tasks=["y"], scale="y")
ALIKE = cg.FunctionPredictor(
    lambda x: counts(x) * (2 + 0.5 * x[:, 0, 1]) + x[:, 2, 3], tasks=["y"], scale="y"
)


def sampled(seed):
    rng = np.random.default_rng(seed)
    rows = [rng.choice(list("ACGT"), 100, p=p) for p in _compositions(rng)]
    return ["".join((*row[:40], *SITE, *row[46:])) for row in rows]


def _compositions(rng):
    half = rng.uniform(0.15, 0.35, 150)
    return np.stack([0.5 - half, half, half, 0.5 - half], 1)


def named(experiment, predictor, seed):
    answer = experiment.analyze(
        cg.run(experiment, predictor, rng=seed, progress=False), rng=0
    )
    found = answer.findings["moderation"].isel(contrast=0).squeeze()
    assert bool(answer.details) or not found["named"].item()
    return found["name"].item() if found["named"].item() else ""


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
@pytest.mark.parametrize("kind", ["necessity", "motif"])
def test_the_moderator_of_single_effects_is_named_by_default(kind):
    moved, alike = [], []
    for seed in range(10):
        experiment = (
            cg.experiments.necessity(
                sampled(seed), motif=SITE, n_draws=2, rope=(-0.1, 0.1)
            )
            if kind == "necessity"
            else cg.experiments.motif(cg.Uniform(length=60), SITE, n_units=200)
        )
        moved.append(named(experiment, MOVED, seed))
        alike.append(named(experiment, ALIKE, seed))
    assert moved.count("gc") >= 9
    assert alike.count("") >= 8


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
def test_where_none_could_be_named_none_is_sought():
    experiment = cg.experiments.necessity(
        sampled(0)[:15], motif=SITE, n_draws=10, rope=(-0.1, 0.1)
    )
    outcomes = cg.run(experiment, MOVED, rng=0, progress=False)
    assert "moderation" not in experiment.analyze(outcomes, rng=0).findings
