"""A function whose fingerprint does not cover its state: a resumed trial compares."""

import io
import itertools

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import StoreError
from causalgia.trial import turn_plan as planning

WEIGHTS = np.random.default_rng(0).normal(size=(4, 30)).astype("f4")
DESIGN = cg.Design(
    null=cg.Uniform(length=30),
    arms={"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=9)},
    n_units=600,
    contrasts="none",
)


def predictor(factor: str, last: int = 10**9) -> cg.FunctionPredictor:
    """Return a predictor with the same source whatever `factor`, which it reads of a
    file in memory; it stops at its call number `last`.
    """
    calls, held = itertools.count(-last), io.StringIO(factor)

    def answer(x):
        if next(calls) >= 0:
            raise KeyboardInterrupt
        held.seek(0)
        return (x * WEIGHTS).sum((1, 2)) * np.float32(held.read())

    return cg.FunctionPredictor(answer, tasks=["y"], batch_size=64)


@pytest.mark.parametrize("keep", ["outcomes", "effects"])
def test_a_trial_goes_on_with_the_same_answers_alone(keep, tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "_ROWS_LEAST", 8)
    monkeypatch.setattr(planning, "_BATCHES", 1)
    monkeypatch.setattr(planning, "_CHUNK_BYTES", 400)
    place = tmp_path / "trial.zarr"
    assert predictor("1").fingerprint == predictor("2").fingerprint
    with pytest.raises(KeyboardInterrupt):
        cg.run(DESIGN, predictor("1", last=36), rng=0, store=place, keep=keep)
    with pytest.raises(StoreError):
        cg.run(DESIGN, predictor("2"), rng=0, store=place, keep=keep)
    found = cg.run(DESIGN, predictor("1"), rng=0, store=place, keep=keep)
    whole = cg.run(DESIGN, predictor("1"), rng=0, keep=keep)
    name = "outcome" if keep == "outcomes" else "ice"
    np.testing.assert_array_equal(found[name], whole[name])
