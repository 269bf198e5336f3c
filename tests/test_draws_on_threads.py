# Imports from the inside: samplers, whose bits are the same on any cores.
"""Every null model and every random intervention draws the same bits on one core, on
several, and in any batch.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import causalgia as cg
from causalgia.compiled import NUMPY_ALLOWANCE
from causalgia.design import AblateEach
from causalgia.sequences import random as random_words
from causalgia.sequences.samplers import sample_uniform

L, N, KEY = 249, 8_000, 11
PARENTS = sample_uniform(5, np.arange(700), L)
UNITS = np.arange(N, dtype=np.uint64)
NULLS = {
    "uniform": cg.Uniform(length=L),
    "profile": cg.Profile(of=PARENTS),
    "markov": cg.Markov(of=PARENTS, order=3),
    "shuffle": cg.Shuffle(of=PARENTS),
    "dinucleotide_shuffle": cg.DinucleotideShuffle(of=PARENTS),
    "klet_shuffle": cg.KletShuffle(of=PARENTS, k=3),
    "genomic": cg.Genomic(of=PARENTS, n_draws=12),
}
MOTIF = cg.sequences.Motif(
    "m",
    np.tile(
        [[0.7, 0.1, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4], [0.1, 0.1, 0.7, 0.1]], (12, 1)
    ),
)
RANDOM = {
    "embed IUPAC": cg.Embed("RNNYACGTNNNN" * 4, at=20),
    "embed a motif": cg.Embed(MOTIF, at=20),
    "placebo": cg.Placebo("AGATAAGCCGTA" * 4, at=20),
    "placebo of a motif": cg.Placebo(MOTIF, at=20),
    "scramble": cg.Scramble((10, 210), k=1),
    "scramble, k = 2": cg.Scramble((10, 210), k=2),
    "scramble, k = 3": cg.Scramble((10, 210), k=3),
    "ablate, uniform": cg.Ablate((10, 210), fill="uniform"),
    "ablate, shuffle": cg.Ablate((10, 210), fill="shuffle"),
    "ablate, dinucleotide": cg.Ablate((10, 210), fill="dinucleotide_shuffle"),
    "ablate each": AblateEach([(10, 210)] * N, fill="uniform"),
}


def on_cores(monkeypatch: pytest.MonkeyPatch, cores: int) -> list[int]:
    """Let the samplers see so many cores; return a list that fills with the number of
    slices of each call.
    """
    slices: list[int] = []
    pool = random_words.ThreadPoolExecutor

    def counted(workers: int) -> Any:
        slices.append(workers + 1)
        return pool(workers)

    # compiled code, as in a process that has drawn before
    monkeypatch.setattr(NUMPY_ALLOWANCE, "_left", 0)
    monkeypatch.setattr(random_words, "available_cores", lambda: cores)
    monkeypatch.setattr(random_words, "ThreadPoolExecutor", counted)
    return slices


@pytest.mark.parametrize("name", NULLS)
def test_a_background_does_not_depend_on_cores_or_batches(name, monkeypatch):
    null = NULLS[name]
    on_cores(monkeypatch, 1)
    alone = null.draw(UNITS, key=KEY, n_units=N)
    slices = on_cores(monkeypatch, 5)
    np.testing.assert_array_equal(alone, null.draw(UNITS, key=KEY, n_units=N))
    assert name == "genomic" or 5 in slices, "the rows were not shared out"
    some = UNITS[[3_999, 17, 1_234]]
    np.testing.assert_array_equal(
        alone[some.astype(int)], null.draw(some, key=KEY, n_units=N)
    )
    sent = pickle.loads(pickle.dumps(null))
    np.testing.assert_array_equal(alone, sent.draw(UNITS, key=KEY, n_units=N))
    np.testing.assert_array_equal(
        null.parents(UNITS, key=KEY, n_units=N)[17:900],
        sent.parents(UNITS[17:900], key=KEY, n_units=N),
    )


@pytest.mark.parametrize("name", RANDOM)
def test_what_an_intervention_draws_does_not_depend_on_cores_or_batches(
    name, monkeypatch
):
    arm, tokens = RANDOM[name], NULLS["uniform"].draw(UNITS, key=KEY, n_units=N)
    on_cores(monkeypatch, 1)
    alone = arm.apply(tokens, units=UNITS, key=KEY)
    slices = on_cores(monkeypatch, 5)
    np.testing.assert_array_equal(alone, arm.apply(tokens, units=UNITS, key=KEY))
    assert slices, "the rows were not shared out"
    some = np.array([3_999, 17, 1_234])
    np.testing.assert_array_equal(
        alone[some], arm.apply(tokens[some], units=UNITS[some], key=KEY)
    )


def test_what_units_share_is_worked_out_once_and_is_not_sent(monkeypatch):
    from causalgia.sequences import samplers

    calls = []
    for module, name in ((samplers, "fit_profile"), (samplers, "fit_markov")):
        fit = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *of, fit=fit, name=name: calls.append(name) or fit(*of)
        )
    given = sample_uniform(77, np.arange(50), 30)
    for null in (cg.Profile(of=given), cg.Markov(of=given, order=6)):
        size = len(pickle.dumps(null))
        for start in (0, 10, 20):
            null.draw(UNITS[start : start + 10], key=KEY, n_units=N)
        # a fingerprint, and no fit of 4^6 rows
        assert len(pickle.dumps(null)) <= size + 200
    assert calls == ["fit_profile", "fit_markov"]
