"""A trial carried out in any order of steps: whatever was kept, killed, damaged and
resumed, the numbers are the same.

A machine draws a design (`trial_designs`) and a predictor of one to three tasks, runs
it in memory, and then takes steps of any order on stores of the same trial: run, stop
half-way, resume, damage, open, estimate, analyze and report. What a store says is what
memory says, bit for bit, and what one refuses the other refuses.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from archive_trial import files
from hypothesis import HealthCheck, Phase, event, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from trial_designs import TASKS, answers, designs

import causalgia as cg
from causalgia.errors import (
    CausalgiaError,
    CausalgiaWarning,
    FallbackWarning,
    StoreError,
)

KEEPS = ("outcomes", "effects", "moments")


def same(one: object, other: object) -> bool:
    """Return whether two answers are the same Dataset, or errors of one class."""
    return (
        one.identical(other)
        if isinstance(one, xr.Dataset) and isinstance(other, xr.Dataset)
        else one == other
    )


def answered(call: Callable[[], object]) -> object:
    """Return what is answered: a Dataset, or the class of an error of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        try:
            return call()
        except CausalgiaError as error:
            return type(error)


class TrialMachine(RuleBasedStateMachine):
    """One trial: its stores by what they keep, and what memory says."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.finished: set[str] = set()
        self.refused: dict[str, object] = {}

    @initialize(
        design=designs(),
        tasks=st.integers(1, 3),
        seed=st.integers(0, 9),
        models=st.booleans(),
    )
    def begin(self, design: cg.Design, tasks: int, seed: int, models: bool) -> None:
        """Run a trial in memory; what it cannot keep (moments of one parent, effects if
        parallel) is refused.
        """
        self.design, self.tasks, self.seed, self.models = design, tasks, seed, models
        found = {
            keep: answered(lambda keep=keep: self.carry_out(keep, None))
            for keep in KEEPS
        }
        self.expected = {
            keep: kept for keep, kept in found.items() if isinstance(kept, xr.Dataset)
        }
        self.refused = {
            keep: kept for keep, kept in found.items() if keep not in self.expected
        }
        self.keeps = list(self.expected)
        event(
            f"{type(design.null).__name__}, {design.assignment}, {len(self.keeps)} kept"
        )
        assert "outcomes" in self.expected, self.refused

    def predictor(self, rows: int | None = None) -> cg.FunctionPredictor | cg.Ensemble:
        """Return the predictor; after so many rows it is interrupted."""
        left, answer = [rows], answers(self.tasks)

        def interrupted(x: np.ndarray) -> np.ndarray:
            if left[0] is not None:
                left[0] -= len(x)
                if left[0] < 0:
                    raise KeyboardInterrupt
            return answer(x)

        options = {"tasks": TASKS[: self.tasks], "scale": "share"}
        one = cg.FunctionPredictor(interrupted, fingerprint="one", **options)
        if not self.models:
            return one
        other = cg.FunctionPredictor(
            answers(self.tasks, reverse=True), fingerprint="other", **options
        )
        return cg.Ensemble({"one": one, "other": other}, differ_by="seeds")

    def carry_out(
        self, keep: str, path: Path | None, rows: int | None = None
    ) -> xr.Dataset:
        """Run the trial, or what a store lacks of it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            return cg.run(
                self.design, self.predictor(rows), rng=self.seed, store=path, keep=keep
            ).load()

    def store(self, keep: str) -> Path:
        """Return where a store is."""
        return self.folder / f"{keep}.zarr"

    @rule(data=st.data())
    def run(self, data: st.DataObject) -> None:
        """Begin, go on with, or find finished."""
        keep = data.draw(st.sampled_from(self.keeps))
        assert self.carry_out(keep, self.store(keep)).identical(self.expected[keep])
        self.finished.add(keep)

    @rule(data=st.data(), rows=st.integers(0, 12_000))
    def stop_half_way(self, data: st.DataObject, rows: int) -> None:
        """Press Ctrl-C after some rows, or too late."""
        keep = data.draw(st.sampled_from(self.keeps))
        try:
            found = self.carry_out(keep, self.store(keep), rows)
        except KeyboardInterrupt:
            assert keep not in self.finished
        else:
            assert found.identical(self.expected[keep])
            self.finished.add(keep)

    @precondition(lambda self: self.finished)
    @rule(data=st.data())
    def open(self, data: st.DataObject) -> None:
        """Open what is finished."""
        keep = data.draw(st.sampled_from(sorted(self.finished)))
        assert cg.open(self.store(keep)).load().identical(self.expected[keep])

    @precondition(lambda self: any(self.folder.glob("*.zarr")))
    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        """Flip a bit of a file: a store is what it was, says what is made again, or is
        refused for good.
        """
        path = data.draw(st.sampled_from(sorted(self.folder.glob("*.zarr"))))
        keep = path.stem
        name = data.draw(
            st.sampled_from(
                sorted(name for name, content in files(path).items() if content)
            )
        )
        content = bytearray((path / name).read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(
            st.integers(0, 7)
        )
        (path / name).write_bytes(content)
        try:
            with warnings.catch_warnings(record=True):
                warnings.simplefilter("always", FallbackWarning)
                assert self.carry_out(keep, path).identical(self.expected[keep])
            self.finished.add(keep)
        except StoreError:
            assert not name.startswith(("outcome/c", "ice/c", "done/c"))
            shutil.rmtree(path)
            self.finished.discard(keep)

    @precondition(lambda self: self.refused)
    @rule(data=st.data())
    def refused_on_disk_as_in_memory(self, data: st.DataObject) -> None:
        """Ask a store for what memory refused."""
        keep = data.draw(st.sampled_from(sorted(self.refused)))
        place = self.folder / "refused"
        assert answered(lambda: self.carry_out(keep, place)) == self.refused[keep]
        shutil.rmtree(place, ignore_errors=True)

    @precondition(lambda self: len(self.finished) > 1)
    @rule()
    def estimates_agree(self) -> None:
        """Estimate from all that is finished; what one refuses, all refuse."""
        found = []
        for keep in sorted(self.finished):
            kept = cg.open(self.store(keep))
            effects = (
                cg.contrast(kept, control="control") if keep == "outcomes" else kept
            )
            found.append(answered(lambda effects=effects: cg.estimate(effects)))
        assert len({isinstance(one, xr.Dataset) for one in found}) == 1, found
        for other in found[1:] if isinstance(found[0], xr.Dataset) else []:
            for name in ("ace", "se"):
                np.testing.assert_allclose(
                    other[name], found[0][name], rtol=1e-6, atol=1e-9
                )

    @precondition(lambda self: "outcomes" in self.finished)
    @rule()
    def analyze_and_report(self) -> None:
        """Answer from the store what is answered from memory, and report it."""
        analysis = cg.Analysis(control="control", rope=(-0.1, 0.1))
        stored, held = (
            answered(lambda outcomes=outcomes: cg.analyze(outcomes, analysis))
            for outcomes in (cg.open(self.store("outcomes")), self.expected["outcomes"])
        )
        assert same(stored, held), (stored, held)
        if isinstance(stored, xr.Dataset):
            assert cg.report(stored) == cg.report(held)

    def teardown(self) -> None:
        """Take the stores away."""
        shutil.rmtree(self.folder, ignore_errors=True)


TestTrialMachine = TrialMachine.TestCase
TestTrialMachine.settings = settings(
    settings(),
    max_examples=max(1, int(os.environ.get("FUZZ_EXAMPLES", "600")) // 200),
    stateful_step_count=8,
    deadline=None,
    # a machine that failed is long to shrink, and short to read
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
