"""What must be nothing is nothing: random sequences, A/A trials, additive predictors."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

import causalgia as cg
from causalgia.experiments import Experiment

from .settings import (
    ALONG_GC,
    APART,
    CENTER,
    EXCESS,
    GAPS,
    LENGTH,
    PUBLISHED,
    RBFOX1,
    VTS1,
    WEAK,
    interaction_at,
)

Results = dict[str, Any]


def random_sequences(n_units: int, n_placebos: int = 200) -> Results:
    """Judge fresh random sequences against random sequences, on each network: how many
    lie inside, and are claimed, wrongly.

    A claim is wrong where the true effect of the motif, on the oracle, lies inside the
    region of the random sequences.
    """
    chosen = _words(n_placebos)
    experiment = cg.experiments.kmer_screen(
        cg.Uniform(length=41), motifs=chosen, n_units=n_units
    )
    truth = (
        cg.zoo.oracle("rbfox1_like")
        .true_ace(experiment)
        .sel(contrast=chosen)
        .isel(task=0)
        .to_numpy()
    )
    members = [_judged(experiment, chosen, truth, member) for member in range(5)]
    return {"n_placebos": n_placebos, "n_units": n_units, "members": members}


def _words(n: int) -> list[str]:
    numbers = np.random.default_rng(7).choice(4**6, size=n, replace=False)
    return [
        "".join("ACGU"[number // 4**place % 4] for place in range(6))
        for number in numbers
    ]


def _judged(
    experiment: Experiment, words: list[str], truth: np.ndarray, member: int
) -> dict[str, int]:
    network = cg.zoo.load("rbfox1_like", member=member)
    decisions = experiment.analyze(
        cg.run(experiment, network, rng=0, progress=False), rng=0
    ).decisions
    rows = decisions.sel(contrast=words).isel(task=0)
    low, high, ace = (
        rows[name].to_numpy() for name in ("rope_lower", "rope_upper", "ace")
    )
    claimed = np.isin(rows["verdict"].to_numpy(), ("increases", "decreases"))
    inside = (low <= truth) & (truth <= high)
    return {
        "inside": int(((low <= ace) & (ace <= high)).sum()),
        "claimed": int(claimed.sum()),
        "wrong": int((claimed & inside).sum()),
    }


def same_arms(n_trials: int, n_units: int = 100) -> Results:
    """Compare two arms that are the same, on a trained network, over and over: p must
    be uniform.
    """
    network = cg.zoo.load("rbfox1_like", member=0)
    written = cg.Embed("UGCAUG", at=17)
    trial = cg.Design(
        null=cg.Uniform(length=41),
        arms={"A": written, "A again": written},
        n_units=n_units,
        assignment="parallel",
    )
    p = np.array([_p_of(trial, network, seed) for seed in range(n_trials)])
    rejected = int((p < 0.05).sum())
    low, high = stats.binom.ppf([5e-4, 1 - 5e-4], n_trials, 0.05)
    return {
        "n_trials": n_trials,
        "n_units": n_units,
        "rejected": rejected,
        "band": [int(low), int(high)],
        "uniform_p": float(stats.kstest(p, "uniform").pvalue),
    }


def _p_of(trial: cg.Design, network: Any, seed: int) -> float:
    outcomes = cg.run(trial, network, rng=seed, progress=False)
    return float(cg.estimate(cg.contrast(outcomes, control="A"))["p"].item())


def no_interaction(n_units: int) -> list[Results]:
    """Ask for interactions of a predictor that has none, and last for one that its
    backgrounds make.
    """
    additive, e = cg.zoo.oracle("additive"), cg.experiments
    null, own = cg.Uniform(length=LENGTH), {"rope": "0.2 sd"}
    asked: list[tuple[Experiment, list[str]]] = [
        (
            e.spacing(null, RBFOX1, gaps=GAPS, center=CENTER, **own),
            [interaction_at(gap) for gap in GAPS],
        ),
        (e.copies(null, RBFOX1, at=[4, 14, 24], **own), [EXCESS]),
        (e.copies(null, WEAK, at=APART, **own), [EXCESS]),
        (e.composition(null, RBFOX1, **own), [f"{RBFOX1}, {ALONG_GC}"]),
        (e.hairpin(null, VTS1, **own), ["motif x loop", "motif x stem"]),
        (e.copies(null, RBFOX1, at=PUBLISHED, **own), [EXCESS]),
    ]
    return [
        row
        for experiment, names in asked
        for row in _interactions(experiment, names, additive, n_units)
    ]


def _interactions(
    experiment: Experiment, names: list[str], additive: Any, n_units: int
) -> list[Results]:
    asked = replace(experiment, n_units=n_units)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        answer = asked.analyze(cg.run(asked, additive, rng=0, progress=False), rng=0)
    found = []
    for name in names:
        row = answer.decisions.sel(contrast=name).isel(task=0)
        numbers = {
            key: float(row[key])
            for key in ("ace", "lower", "upper", "rope_lower", "rope_upper")
        }
        found.append(
            {
                "experiment": asked.entry.name,
                "contrast": name,
                "verdict": row["verdict"].item(),
            }
            | numbers
        )
    return found
