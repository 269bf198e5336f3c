"""The printed answer of every experiment has sixteen lines at most, whatever the tasks."""

from __future__ import annotations

import numpy as np
import pytest
from sentences import EXPERIMENTS

import causalgia as cg

ORACLES = [cg.zoo.oracle(name) for name in ("rbfox1_like", "vts1_like")]


def several(n: int) -> cg.FunctionPredictor:
    def outputs(x):
        tokens = x.argmax(1).astype(np.uint8)
        known = [oracle.predict(tokens)[:, 0] for oracle in ORACLES]
        return np.stack([known[i % 2] * (1 + i // 2) for i in range(n)], 1)

    return cg.FunctionPredictor(
        outputs, tasks=[f"task {i}" for i in range(n)], scale="score"
    )


@pytest.mark.parametrize("n_tasks", [1, 2, 4])
@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
def test_an_answer_fits_sixteen_lines_and_says_what_it_leaves_out(name, n_tasks):
    experiment = EXPERIMENTS[name]()
    outcomes = cg.run(experiment, several(n_tasks), rng=0, progress=False)
    answer = experiment.analyze(outcomes, rng=0)
    text = str(cg.report(answer))
    assert len(text.splitlines()) <= 16
    if n_tasks == 4:
        assert 'rows="all"' in text
    whole = str(cg.report(answer, rows="all"))
    assert all(f"task {i}" in whole for i in range(n_tasks) if n_tasks > 1)
