# Imports from the inside: the sizes of turns, which are made small.
"""Trials on disk: the outcomes are those of a trial in memory, bit for bit, however
often it was stopped.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import (
    DegenerateWarning,
    DesignError,
    PredictorError,
    StoreError,
)
from causalgia.predict import Predictor
from causalgia.trial import turn_plan as planning

PARENTS = {
    f"peak {i}": "".join(np.random.default_rng(i).choice(list("ACGT"), 40))
    for i in range(24)
}
ARMS = {
    "untreated": cg.Untreated(),
    "placebo": cg.Placebo("AGATAAG", at=20),
    "GATA": cg.Embed("AGATAAG", at=20),
}


@pytest.fixture(autouse=True)
def small_turns(monkeypatch):
    for name, value in {
        "_ROWS_LEAST": 8,
        "_BATCHES": 1,
        "_MANY_ARMS": 4,
        "_CHUNK_BYTES": 400,
    }.items():
        monkeypatch.setattr(planning, name, value)


def design(**changes) -> cg.Design:
    null = cg.DinucleotideShuffle(of=PARENTS)
    return cg.Design(
        **{"null": null, "arms": ARMS, "n_units": 60, "contrasts": "placebo", **changes}
    )


class Sums(Predictor):
    """Answers in float32, whose last bits depend on how many sequences are asked at
    once; may stop after some.
    """

    scale = "counts"
    tasks = ("G", "A")

    def __init__(
        self,
        *,
        last: int = 10**9,
        stop: type[BaseException] = KeyboardInterrupt,
        name: str = "1",
    ):
        self.asked, self.last, self.stop, self.name = 0, last, stop, name
        self.weights = (
            np.random.default_rng(0).normal(size=(4, 40, 2)).astype(np.float32)
        )

    @property
    def fingerprint(self) -> str:
        return self.name * 16

    def resolve_batch_size(self, length: int) -> int:
        return 8

    def predict(self, tokens, *, progress=None):
        self.asked += len(tokens)
        if self.asked > self.last:
            raise self.stop("stopped")
        if progress:
            progress(len(tokens))
        return np.einsum(
            "nlt->nt", self.weights[tokens, np.arange(tokens.shape[1])]
        ) / np.float32(7)


def members() -> cg.Ensemble:
    makers = (
        lambda x: x[:, 2].sum(1) / 3,
        lambda x: (x[:, 1] * np.arange(x.shape[2])).sum(1) / 7,
    )
    return cg.Ensemble(
        {
            f"m{i}": cg.FunctionPredictor(f, tasks=["y"], scale="s")
            for i, f in enumerate(makers)
        }
    )


CASES = {
    "crossover": (design, Sums),
    "parallel in blocks": (
        lambda: design(
            assignment="parallel", blocks="parent", contrasts=None, n_units=96
        ),
        Sums,
    ),
    "ensemble": (design, members),
    "real sequences": (
        lambda: design(
            null=cg.Genomic(
                of=list(PARENTS.values()), n_draws=4, parent=[*"aabbccddeeff" * 2]
            ),
            n_units=96,
        ),
        Sums,
    ),
    "other lengths": (
        lambda: design(
            arms={**ARMS, "longer": cg.Insert("GG", at=5)}, null=cg.Uniform(length=38)
        ),
        lambda: cg.FunctionPredictor(
            lambda x: x[:, 2].mean(1), tasks=["G"], scale="share"
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_stored_trial_is_the_one_in_memory(case, tmp_path):
    made, predictor = CASES[case]
    held = cg.run(made(), predictor(), rng=3)
    stored = cg.run(made(), predictor(), rng=3, store=tmp_path / "t.zarr")
    assert stored["outcome"].chunks is not None
    xr.testing.assert_identical(stored.compute(), held)
    xr.testing.assert_identical(cg.open(tmp_path / "t.zarr").compute(), held)


def test_any_reader_of_zarr_opens_it(tmp_path):
    outcomes = cg.run(design(), Sums(), rng=3, store=tmp_path / "t.zarr")
    np.testing.assert_array_equal(
        xr.open_zarr(tmp_path / "t.zarr", consolidated=False)["outcome"].values,
        outcomes["outcome"].values,
    )


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError, MemoryError])
@pytest.mark.parametrize("last", [48, 98, 168])
def test_what_was_answered_is_kept_when_a_trial_stops(last, stop, tmp_path):
    place = tmp_path / "t.zarr"
    with pytest.raises(KeyboardInterrupt if stop is KeyboardInterrupt else Exception):
        cg.run(design(), Sums(last=last, stop=stop), rng=3, store=place)
    with pytest.raises(StoreError):
        cg.open(place)
    again = Sums()
    outcomes = cg.run(design(), again, rng=3, store=place)
    whole = Sums()
    xr.testing.assert_identical(outcomes.compute(), cg.run(design(), whole, rng=3))
    assert again.asked < whole.asked or last == 30


def test_tasks_without_names_are_known_from_the_store(tmp_path):
    def unnamed():
        return cg.FunctionPredictor(lambda x: x[:, 2].sum(1), fingerprint="v1")

    first = cg.run(design(), unnamed(), rng=3, store=tmp_path / "t.zarr")
    xr.testing.assert_identical(
        cg.run(design(), unnamed(), rng=3, store=tmp_path / "t.zarr"), first
    )


def test_a_finished_trial_is_not_asked_again(tmp_path):
    cg.run(design(), Sums(), rng=3, store=tmp_path / "t.zarr")
    again = Sums(last=0)
    cg.run(design(), again, rng=3, store=tmp_path / "t.zarr")
    assert again.asked == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"design": design(n_units=59)},
        {"predictor": Sums(name="2", last=0)},
        {"rng": 4},
        {"analysis": cg.Analysis(control="placebo", rope=(-1, 1))},
        {"keep": "effects"},
    ],
)
def test_another_trial_is_refused_and_the_store_is_as_it_was(changed, tmp_path):
    place = tmp_path / "t.zarr"
    same = {"design": design(), "predictor": Sums(last=0), "rng": 3, "store": place}
    cg.run(**{**same, "predictor": Sums()})
    before = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
    with pytest.raises(StoreError):
        cg.run(**{**same, **changed})
    assert {
        file: file.read_bytes() for file in place.rglob("*") if file.is_file()
    } == before


def test_a_network_that_changes_the_working_folder_does_not_lead_the_store_astray(
    tmp_path, monkeypatch
):
    for name in ("home", "away"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "home")

    def share(x: np.ndarray) -> np.ndarray:
        os.chdir(tmp_path / "away")
        return x[:, 1:3].sum((1, 2)) / 40

    predictor = cg.FunctionPredictor(share, tasks=["GC"])
    for keep in ("outcomes", "effects", "moments"):
        os.chdir(tmp_path / "home")
        found = cg.run(design(), predictor, rng=0, store=f"{keep}.zarr", keep=keep)
        assert not list((tmp_path / "away").iterdir())
        assert cg.open(tmp_path / "home" / f"{keep}.zarr").identical(found)


def test_a_home_that_is_nobodys_is_a_typed_error():
    with pytest.raises(StoreError):
        cg.open("~nobody-of-this-name/trial.zarr")


def test_a_store_at_home_is_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    xr.testing.assert_identical(
        cg.run(design(), Sums(), rng=3, store="~/t.zarr"), cg.open(tmp_path / "t.zarr")
    )


def test_damage_is_found_and_made_again(tmp_path):
    place = tmp_path / "t.zarr"
    outcomes = cg.run(design(), Sums(), rng=3, store=place).compute()
    file = next(f for f in sorted((place / "outcome" / "c").rglob("*")) if f.is_file())
    file.write_bytes(file.read_bytes()[:-1] + bytes([file.read_bytes()[-1] ^ 1]))
    again = Sums()
    with pytest.warns(cg.errors.FallbackWarning):
        mended = cg.run(design(), again, rng=3, store=place)
    xr.testing.assert_identical(mended.compute(), outcomes)
    assert again.asked < 3 * 60


class Settling(Sums):
    """Settles on a batch size by the weather, and on another in another process."""

    def __init__(self, size: int, **options):
        super().__init__(**options)
        self.size = size

    def resolve_batch_size(self, length):
        return self.size

    def batches(self):
        return {40: self.size}

    def fix_batches(self, sizes):
        self.size = sizes[40]

    def predict(self, tokens, *, progress=None):
        answers = [
            super(Settling, self).predict(tokens[i : i + self.size])
            for i in range(0, len(tokens), self.size)
        ]
        return np.concatenate(answers) + np.float32(self.size)


def test_batch_sizes_are_settled_once_for_all(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        cg.run(design(), Settling(8, last=159), rng=3, store=tmp_path / "t.zarr")
    outcomes = cg.run(design(), Settling(11), rng=3, store=tmp_path / "t.zarr")
    xr.testing.assert_identical(
        outcomes.compute(), cg.run(design(), Settling(8), rng=3)
    )


def test_a_constant_predictor_is_said_of_a_store_as_well(tmp_path):
    one = cg.FunctionPredictor(lambda x: np.ones(len(x)), tasks=["y"], scale="s")
    for _ in range(2):
        with pytest.warns(DegenerateWarning):
            cg.run(design(), one, rng=0, store=tmp_path / "t.zarr")


def test_an_answer_that_cannot_be_used_names_its_unit_and_what_came_before_is_kept(
    tmp_path,
):
    class Broken(Sums):
        def predict(self, tokens, *, progress=None):
            answers = super().predict(tokens, progress=progress)
            if self.asked > 167:
                answers[0, 1] = np.nan
                raise cg.predict.NonFiniteError("nan", row=0, task="A", value=np.nan)
            return answers

    with pytest.raises(PredictorError):
        cg.run(design(), Broken(), rng=3, store=tmp_path / "t.zarr")
    again = Sums()
    cg.run(design(), again, rng=3, store=tmp_path / "t.zarr")
    assert again.asked < 3 * 60


def test_refusals_before_anything_is_predicted(tmp_path):
    nobody = Sums(last=0)
    with pytest.raises(DesignError):
        cg.run(
            dataclasses.replace(design(), n_units=400),
            nobody,
            rng=0,
            until=cg.Decided(rope=(-1, 1)),
            store=tmp_path / "t.zarr",
        )
    for odd in ("", "s3://bucket/t.zarr"):
        with pytest.raises(StoreError):
            cg.run(design(), nobody, rng=0, store=odd)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError):
        cg.run(design(), nobody, rng=0, store=tmp_path / "file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    with pytest.raises(StoreError):
        cg.run(design(), nobody, rng=0, store=tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "file",
        "folder",
        "mine.txt",
    ]
    assert nobody.asked == 0


SCRIPT = """
import os, signal, sys
import numpy as np
import causalgia as cg

left = int(sys.argv[2]) if __name__ == "__main__" else -1

def answer(x):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return (x[:, 2] * np.arange(x.shape[2])).sum(1) / 7

arms = {"untreated": cg.Untreated(), "GATA": cg.Embed("AGATAAG", at=20)}
design = cg.Design(null=cg.Uniform(length=40), arms=arms, n_units=20_000)
predictor = cg.FunctionPredictor(answer, tasks=["y"], scale="s", batch_size=64, fingerprint="v1")
if __name__ == "__main__":
    cg.run(design, predictor, rng=5, store=sys.argv[1], progress=False)
"""


def test_a_process_that_is_killed_is_gone_on_with(tmp_path):
    (tmp_path / "killed.py").write_text(SCRIPT)
    place = tmp_path / "t.zarr"
    for answers in (40, 200):  # of some 625 in all
        command = [
            sys.executable,
            str(tmp_path / "killed.py"),
            str(place),
            str(answers),
        ]
        assert subprocess.run(command).returncode == -signal.SIGKILL
    namespace: dict = {"__name__": "trial"}
    exec(SCRIPT, namespace)
    quick = cg.FunctionPredictor(
        lambda x: (x[:, 2] * np.arange(x.shape[2])).sum(1) / 7,
        tasks=["y"],
        scale="s",
        batch_size=64,
        fingerprint="v1",
    )
    assert quick.fingerprint == namespace["predictor"].fingerprint
    outcomes = cg.run(namespace["design"], quick, rng=5, store=place)
    xr.testing.assert_identical(
        outcomes.compute(), cg.run(namespace["design"], quick, rng=5)
    )


def test_a_trial_that_is_read_back_answers_as_in_memory(tmp_path):
    ask = cg.Analysis(rope=(-0.1, 0.1), error="fdr")
    held = cg.analyze(cg.run(design(), Sums(), rng=3, analysis=ask))
    for keep in ("outcomes", "effects"):
        kept = cg.run(
            design(), Sums(), rng=3, analysis=ask, store=tmp_path / keep, keep=keep
        )
        xr.testing.assert_identical(cg.analyze(kept), held)
    moments = cg.run(
        design(),
        Sums(),
        rng=3,
        analysis=ask,
        store=tmp_path / "moments",
        keep="moments",
    )
    xr.testing.assert_allclose(
        cg.analyze(moments)[["ace", "verdict"]], held[["ace", "verdict"]]
    )


def test_effects_are_not_asked_for_other_contrasts():
    kept = cg.run(design(), Sums(), rng=3, keep="effects")
    for asked in ({"control": "untreated"}, {"scale": "log2"}):
        with pytest.raises(cg.errors.CausalgiaError):
            cg.analyze(kept, cg.Analysis(rope=0, **asked))
    moments = cg.run(design(), Sums(), rng=3, keep="moments")
    for asked in (
        {"target": "units"},
        {"weights": "clusters"},
        {"cluster": "gc"},
    ):
        with pytest.raises(cg.errors.CausalgiaError):
            cg.analyze(moments, cg.Analysis(control="placebo", rope=0, **asked))
    assert replace(design(), n_units=10) != design()
