# Imports from the inside: the store, of which turns are left out, and the program.
"""Kept answers of a predictor that was mended: taken over by one that gives them too,
refused from any other.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from in_shell import invoke

import causalgia as cg
from causalgia.errors import (
    CausalgiaError,
    StoreError,
)
from causalgia.trial.archive import Archive

DESIGN = cg.Design(
    null=cg.Uniform(length=30),
    arms={
        "control": cg.Untreated(),
        "GC": cg.Embed("GCGCGC", at=12),
        "AT": cg.Embed("ATATAT", at=12),
    },
    n_units=6_000,
    contrasts="control",
)
WEIGHTS = np.linspace(1, 2, 30)


def share(x: np.ndarray) -> np.ndarray:
    return (x[:, 1:3].sum(1) * WEIGHTS).sum(1)


def mended(x: np.ndarray) -> np.ndarray:
    """The same answers by other code."""
    return x[:, [1, 2]].sum(axis=1) @ WEIGHTS


def predictor(fn: object, **options: object) -> cg.FunctionPredictor:
    return cg.FunctionPredictor(fn, **({"tasks": ["GC"], "scale": "share"} | options))


def until_ctrl_c(
    answers: Callable[[np.ndarray], np.ndarray],
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that answers 9,000 sequences, and is interrupted at the
    next.
    """
    asked = 0

    def second(x: np.ndarray) -> np.ndarray:
        nonlocal asked
        asked += len(x)
        if asked > 9_000:
            raise KeyboardInterrupt
        return answers(x)

    return second


def interrupted(path: Path, **options: object) -> None:
    """Carry out a trial until Ctrl-C comes with some of its turns answered."""
    with pytest.raises(KeyboardInterrupt):
        cg.run(
            DESIGN,
            predictor(until_ctrl_c(share), fingerprint="faulty"),
            rng=3,
            store=path,
            **options,
        )


@pytest.mark.parametrize("keep", ["outcomes", "effects"])
def test_answers_that_are_the_same_are_taken_over(tmp_path, keep):
    path = tmp_path / "trial.zarr"
    interrupted(path, keep=keep)
    with pytest.raises(StoreError):
        cg.run(DESIGN, predictor(mended), rng=3, store=path, keep=keep)
    found = cg.run(
        DESIGN, predictor(mended), rng=3, store=path, keep=keep, same_answers=True
    )
    whole = cg.run(DESIGN, predictor(mended), rng=3, keep=keep)
    name = "outcome" if keep == "outcomes" else "ice"
    np.testing.assert_allclose(found[name], whole[name], rtol=1e-5, atol=1e-4)
    assert found.attrs["predictor_fingerprint"] == predictor(mended).fingerprint
    note = found.attrs["notes"].splitlines()[-1]
    assert predictor(share, fingerprint="faulty").fingerprint in note
    assert cg.open(path).attrs == found.attrs
    assert cg.run(DESIGN, predictor(mended), rng=3, store=path, keep=keep).identical(
        found
    )
    effects = found if keep == "effects" else cg.contrast(found, control="control")
    decisions = cg.decide(cg.estimate(effects), rope=(-0.1, 0.1), ci_prob=0.95)
    assert note.split(" (")[0] in " ".join(cg.report(decisions, notes=True).split())


@pytest.mark.parametrize(
    ("keep", "change"),
    [
        ("outcomes", lambda y: y + 1e-3),
        ("outcomes", lambda y: y * 1.0001),
        ("outcomes", lambda y: np.where(y > 28, 0, y)),
        ("effects", lambda y: y * 1.001),
        ("effects", lambda y: np.where(y > 28, 0, y)),
    ],
)
def test_answers_that_differ_are_refused(tmp_path, keep, change):
    path = tmp_path / "trial.zarr"
    interrupted(path, keep=keep)
    with pytest.raises(StoreError):
        cg.run(
            DESIGN,
            predictor(lambda x: change(share(x))),
            rng=3,
            store=path,
            keep=keep,
            same_answers=True,
        )
    found = cg.run(
        DESIGN, predictor(share, fingerprint="faulty"), rng=3, store=path, keep=keep
    )
    assert "notes" not in found.attrs


def test_answers_of_a_wider_dtype_than_is_kept_are_refused_before_anything_is_taken_over(
    tmp_path,
):
    """Otherwise the store would be the new predictor's, and would take none of its
    answers.
    """
    path = tmp_path / "trial.zarr"

    def in_float32(x: np.ndarray) -> np.ndarray:
        return share(x).round().astype(np.float32)

    narrow, wide = (
        predictor(in_float32, fingerprint="faulty"),
        predictor(lambda x: mended(x).round()),
    )
    stopped = predictor(until_ctrl_c(in_float32), fingerprint="faulty")
    with pytest.raises(KeyboardInterrupt):
        cg.run(DESIGN, stopped, rng=3, store=path)
    with pytest.raises(StoreError):
        cg.run(DESIGN, wide, rng=3, store=path, same_answers=True)
    assert "notes" not in cg.run(DESIGN, narrow, rng=3, store=path).attrs
    # nothing is missing any more
    whole = cg.run(DESIGN, wide, rng=3, store=path, same_answers=True)
    assert "6,000 of 6,000 " in whole.attrs["notes"]


@pytest.mark.parametrize("said", ["yes", 1, None])
def test_what_is_neither_true_nor_false_takes_over_nothing(tmp_path, said):
    with pytest.raises((TypeError, CausalgiaError)):
        cg.run(
            DESIGN,
            predictor(share),
            rng=3,
            store=tmp_path / "trial.zarr",
            same_answers=said,
        )
    assert not (tmp_path / "trial.zarr").exists()


def test_a_store_of_the_same_predictor_is_gone_on_with(tmp_path):
    interrupted(tmp_path / "trial.zarr")
    one = predictor(share, fingerprint="faulty")
    found = cg.run(DESIGN, one, rng=3, store=tmp_path / "trial.zarr", same_answers=True)
    assert "notes" not in found.attrs
    assert found.load().identical(cg.run(DESIGN, one, rng=3))


def _line(slope: float):
    weights = np.full(30, slope)
    return lambda x: x[:, 1:3].sum(1) @ weights


def test_an_ensemble_names_the_member_that_moved(tmp_path):
    def ensemble(fn: object) -> cg.Ensemble:
        return cg.Ensemble(
            {"one": predictor(_line(1.0)), "two": predictor(fn)}, differ_by="seeds"
        )

    path = tmp_path / "trial.zarr"
    cg.run(DESIGN, ensemble(share), rng=3, store=path)
    with pytest.raises(StoreError):
        cg.run(DESIGN, ensemble(_line(2.0)), rng=3, store=path)
    found = cg.run(DESIGN, ensemble(mended), rng=3, store=path, same_answers=True)
    assert "6,000 of 6,000 " in found.attrs["notes"]


def test_turns_that_some_members_answered_are_counted(tmp_path):
    """Workers are asked member by member; a kill leaves turns that some of them
    answered.
    """
    path = tmp_path / "trial.zarr"

    def ensemble(fn: object) -> cg.Ensemble:
        return cg.Ensemble(
            {"one": predictor(share), "two": predictor(fn, fingerprint=fn.__name__)},
            differ_by="seeds",
        )

    with pytest.raises(KeyboardInterrupt):
        cg.run(DESIGN, ensemble(until_ctrl_c(mended)), rng=3, store=path)
    with Archive(path) as archive:
        turn, plan = archive.missing[0], archive.plan
        first, last = plan.bounds(turn)
        archive.put(
            turn,
            {
                f.name: np.zeros(
                    (last - first, *(f.shape[:-1] if f.by_model else f.shape)), f.dtype
                )
                for f in archive.fields
            },
            model=0,
        )
        whole = plan.n_units - sum(b - a for a, b in map(plan.bounds, archive.missing))
    found = cg.run(DESIGN, ensemble(mended), rng=3, store=path, same_answers=True)
    assert f"{whole + last - first:,} of 6,000 " in found.attrs["notes"]


TRIAL = """
n_units = 50
rng = 1
[null]
kind = "uniform"
length = 20
[predictor]
factory = "network.py:load"
scale = "share"
[arms.control]
[arms.GC]
embed = "GCGC"
at = 8
[analysis]
control = "control"
"""


def test_from_the_command_line(tmp_path, monkeypatch):
    def call(*arguments: str, code: int = 0) -> str:
        found = invoke("run", "trial.toml", *arguments)
        assert found.exit_code == code, found.output
        return " ".join(found.output.split())

    monkeypatch.chdir(tmp_path)
    network = 'TASKS = ["GC"]\ndef load():\n    return lambda x: {}\n'
    (tmp_path / "trial.toml").write_text(TRIAL)
    (tmp_path / "network.py").write_text(network.format("x[:, 1:3].sum((1, 2)) / 20"))
    call("--out", "results", "--store")
    (tmp_path / "network.py").write_text(
        network.format("x[:, [1, 2]].sum(2).sum(1) / 20")
    )
    call("--out", "results", "--store", code=2)
    call("--out", "results", "--store", "--same-answers")
    assert "50 of 50 " in cg.open("results").outcomes.attrs["notes"]
    call("--out", "other", "--same-answers", code=2)
