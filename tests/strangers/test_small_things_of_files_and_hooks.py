"""SAM for FASTA; names in one string; hooks on gradients. A user's report."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

import causalgia as cg
from causalgia.errors import (
    CausalgiaError,
    PredictorError,
)


@pytest.mark.parametrize("pre", [False, True])
def test_a_hook_on_gradients_is_refused(pre):
    torch = pytest.importorskip("torch")
    pytest.importorskip("tangermeme")
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv1d(4, 8, 7),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(8 * 24, 1),
    )
    relu: Any = network[1]
    handle = (
        relu.register_full_backward_pre_hook(lambda _, g: (2 * g[0],))
        if pre
        else relu.register_full_backward_hook(lambda _, g, __: (2 * g[0],))
    )
    sequences = ["GATAAGCA" * 3 + "TTACGT", "ACGTTGCA" * 3 + "CCATGA"]

    def maps() -> Any:
        predictor = cg.TorchPredictor(network, tasks=["a"], device="cpu", scale="z")
        return cg.attribute(sequences, predictor, method="deeplift", rng=0)

    with pytest.raises(PredictorError):
        maps()
    handle.remove()
    assert maps()["score"].notnull().all()


def test_a_packed_trial_is_refused_and_unpacked_is_the_trial(tmp_path):
    # "is a file, and in no folder of a trial", of what shutil.make_archive had packed
    arms = {"a": cg.Untreated(), "b": cg.Embed("GCATG", at=2)}
    design = cg.Design(null=cg.Uniform(length=9), arms=arms, n_units=2)
    kept = cg.run(
        design, cg.zoo.oracle("rbfox1_like"), rng=0, store=tmp_path / "x" / "trial.zarr"
    )
    packed = shutil.make_archive(
        str(tmp_path / "t"), "zip", tmp_path / "x" / "trial.zarr"
    )
    with pytest.raises(CausalgiaError):
        cg.open(packed)
    shutil.unpack_archive(packed, tmp_path / "again.zarr")
    assert cg.open(tmp_path / "again.zarr").identical(kept)
