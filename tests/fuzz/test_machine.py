"""A trial carried out in any order of steps: whatever was kept, killed, damaged and resumed, the numbers are the same.

A machine draws a design, runs it in memory, and then takes steps of any order on stores of the same trial: run, stop
half-way, resume, damage, open, estimate, analyze and report. What a store says is what memory says, bit for bit.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np
import xarray as xr
from archive_trial import files
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

import causalgia as cg
from causalgia.errors import CausalgiaWarning, DamageWarning, EstimateError, StoreError, TrialInterruptedError
from causalgia.trial.archive.layout import CONTROL

PARENTS = ["ACGTTGCAACGTGGCATTACGGCA", "TTGACCATGCAAGGTACCATGGTA", "GGGATTTACACAGATTACAGGATA"] * 8
NULLS = st.sampled_from(
    [
        cg.Uniform(length=24),
        cg.Profile(of=PARENTS),
        cg.DinucleotideShuffle(
            of=["ACGTTGCAACGTGGCATTACGGCA", "TTGACCATGCAAGGTACCATGGTA", "GGGATTTACACAGATTACAGGATA"] * 8
        ),
    ]
)
ARMS = st.sampled_from(
    [
        {"control": cg.Untreated(), "GC": cg.Embed("GCGC", at=8)},
        {"control": cg.Placebo("GATA", at=9), "GATA": cg.Embed("GATA", at=9), "twice": cg.Embed("GATAGATA", at=7)},
        {"control": cg.Untreated(), "mild": cg.Scramble((4, 12)), "A": cg.Embed("A", at=0)},
    ]
)
WEIGHTS = np.sin(np.arange(4 * 24)).reshape(4, 24)


def answer(x: np.ndarray) -> np.ndarray:
    """Return two tasks of a sequence."""
    y = (x * WEIGHTS).sum((1, 2))
    return np.stack([y, np.exp(y / 8)], 1)


class TrialMachine(RuleBasedStateMachine):
    """One trial: its stores by what they keep, and what memory says."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.finished: set[str] = set()

    @initialize(
        null=NULLS,
        arms=ARMS,
        n_units=st.sampled_from([2, 3, 40, 2_500, 5_000]),
        seed=st.integers(0, 9),
        models=st.booleans(),
    )
    def begin(self, null: object, arms: dict[str, object], n_units: int, seed: int, models: bool) -> None:
        """Draw a trial, and run it in memory."""
        self.design = cg.Design(null=null, arms=arms, n_units=n_units, contrasts="control")
        self.seed, self.models = seed, models
        self.expected, self.keeps = {}, []
        for keep in ("outcomes", "effects", "moments"):
            try:
                self.expected[keep] = self.carry_out(keep, None)
            except EstimateError as error:
                assert keep == "moments" and "share the one parent" in str(error)  # noqa: PT017, PT018
            else:
                self.keeps.append(keep)

    def predictor(self, rows: int | None = None) -> cg.FunctionPredictor | cg.Ensemble:
        """Return the predictor; after so many rows it is interrupted."""
        left = [rows]

        def asked(x: np.ndarray) -> np.ndarray:
            if left[0] is not None:
                left[0] -= len(x)
                if left[0] < 0:
                    raise KeyboardInterrupt
            return answer(x)

        options = {"tasks": ["linear", "curved"], "scale": "share"}
        one = cg.FunctionPredictor(asked, fingerprint="one", **options)
        if not self.models:
            return one
        other = cg.FunctionPredictor(lambda x: answer(x[..., ::-1]), fingerprint="other", **options)
        return cg.Ensemble({"one": one, "other": other}, of="seeds")

    def carry_out(self, keep: str, path: Path | None, rows: int | None = None) -> xr.Dataset:
        """Run the trial, or what a store lacks of it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            return cg.run(self.design, self.predictor(rows), rng=self.seed, store=path, keep=keep).load()

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
        except (TrialInterruptedError, KeyboardInterrupt):
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

    @precondition(lambda self: any(self.folder.iterdir()))
    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        """Flip a bit of a file: a store is what it was, says what is made again, or is refused for good."""
        path = data.draw(st.sampled_from(sorted(self.folder.iterdir())))
        keep = path.stem
        name = data.draw(st.sampled_from(sorted(name for name, content in files(path).items() if content)))
        content = bytearray((path / name).read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        (path / name).write_bytes(content)
        try:
            with warnings.catch_warnings(record=True):
                warnings.simplefilter("always", DamageWarning)
                assert self.carry_out(keep, path).identical(self.expected[keep])
            self.finished.add(keep)
        except StoreError as error:
            assert name == f"{CONTROL}/manifest.json" and "written in version" in str(error)  # noqa: PT017, PT018
            shutil.rmtree(path)
            self.finished.discard(keep)

    @precondition(lambda self: len(self.finished) > 1 and self.design.n_units > 9)
    @rule()
    def estimates_agree(self) -> None:
        """Estimate from all that is finished."""
        found = []
        for keep in sorted(self.finished):
            kept = cg.open(self.store(keep))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", CausalgiaWarning)
                found.append(cg.estimate(cg.contrast(kept, control="control") if keep == "outcomes" else kept))
        for name in ("ace", "se"):
            for other in found[1:]:
                np.testing.assert_allclose(other[name], found[0][name], rtol=1e-6, atol=1e-9)

    @precondition(lambda self: "outcomes" in self.finished and self.design.n_units > 9)
    @rule()
    def analyze_and_report(self) -> None:
        """Answer from the store what is answered from memory."""
        analysis = cg.Analysis(control="control", rope=(-0.1, 0.1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            stored, held = (
                cg.analyze(outcomes, analysis, rng=0)
                for outcomes in (cg.open(self.store("outcomes")), self.expected["outcomes"])
            )
        assert stored.identical(held)
        text = cg.report(stored)
        assert text == cg.report(held)
        assert "nan" not in text.lower().split()

    def teardown(self) -> None:
        """Take the stores away."""
        shutil.rmtree(self.folder, ignore_errors=True)


TestTrialMachine = TrialMachine.TestCase
TestTrialMachine.settings = settings(
    settings(),
    max_examples=max(1, int(os.environ.get("FUZZ_EXAMPLES", "600")) // 100),
    stateful_step_count=8,
    deadline=None,
    phases=(Phase.generate,),  # a machine that failed is long to shrink, and short to read
    suppress_health_check=list(HealthCheck),
)
