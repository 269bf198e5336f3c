# Imports from the inside: copies between host and device, of which none is lost.
"""On a GPU: the answers are those of the CPU, the same in every run, and none is lost
between host and device.

Collected only where there is one, and asked for by name (conftest.py):
``pytest tests/test_torch_cuda.py``.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import causalgia as cg
from causalgia.errors import CausalgiaWarning
from causalgia.predict.torch_device import HostDeviceCopier

pytestmark = pytest.mark.torch
LENGTH = 249


class Net(nn.Module):
    """Convolutions, pooling and two heads: enough that TF32 and other algorithms
    show.
    """

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        blocks = []
        for c_in, c_out, k in ((4, 128, 7), (128, 64, 3), (64, 64, 5)):
            blocks += [
                nn.Conv1d(c_in, c_out, k, padding=k // 2),
                nn.BatchNorm1d(c_out),
                nn.ReLU(),
                nn.MaxPool1d(2),
            ]
        self.body, self.head = (
            nn.Sequential(*blocks),
            nn.Sequential(nn.Flatten(), nn.Linear(64 * 31, 2)),
        )

    def forward(self, x):
        return self.head(self.body(x))


def design(n_units=300):
    arms = {
        "placebo": cg.Placebo("AGATAAG", at=100),
        "GATA1": cg.Embed("AGATAAG", at=100),
        "AP-1": cg.Embed("TGACTCA", at=140),
    }
    return cg.Design(null=cg.Uniform(length=LENGTH), arms=arms, n_units=n_units)


def answers(device, n_units=300, **asked):
    predictor = cg.TorchPredictor(Net().eval(), device=device, **asked)
    return cg.run(design(n_units), predictor, rng=7, progress=False)["outcome"].values


@pytest.fixture(scope="module")
def on_cpu():
    return answers("cpu")


def test_it_runs_where_it_is_told():
    predictor = cg.TorchPredictor(Net().eval())
    assert predictor.device.type == "cuda"


@pytest.mark.parametrize("asked", [{}, {"batch_size": 17}])
def test_answers_are_those_of_the_cpu(on_cpu, asked):
    found = answers("cuda", **asked)
    assert np.abs(found - on_cpu).max() < 2e-5 * on_cpu.std()


def test_tf32_is_off_unless_asked_for(on_cpu):
    torch.backends.cudnn.allow_tf32 = True  # what a process may have set
    exact, coarse = (
        np.abs(answers("cuda", tf32=tf32) - on_cpu).max() for tf32 in (False, True)
    )
    assert exact < coarse / 20


def test_a_run_repeats_to_the_bit():
    assert answers("cuda").tobytes() == answers("cuda").tobytes()


def test_nothing_is_lost_on_the_way():
    """Batches of random bytes go there and back, the device kept busy so that copies
    really are late.
    """
    device, rng = torch.device("cuda"), np.random.default_rng(3)
    ferry, waste = HostDeviceCopier(device), torch.randn(2_048, 2_048, device=device)
    sent = [
        rng.integers(0, 255, (rng.integers(1, 4_000), 249)).astype(np.uint8)
        for _ in range(200)
    ]
    back = []
    for values in sent:
        for _ in range(3):
            waste = (waste @ waste).clamp(-1, 1)
        back.append(ferry.fetch(ferry.send(values) + 0))
    for values, answer in zip(sent, back, strict=True):
        np.testing.assert_array_equal(answer.arrived().numpy(), values)


def test_memory_that_runs_out_halves_the_batch(on_cpu):
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(3e8 / total)
    try:
        with pytest.warns(CausalgiaWarning):
            found = answers("cuda", batch_size=900)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert np.abs(found - on_cpu).max() < 2e-5 * on_cpu.std()


def test_an_ensemble(on_cpu):
    members = [cg.TorchPredictor(Net(seed).eval(), device="cuda") for seed in range(3)]
    found = cg.run(design(), cg.Ensemble(members), rng=7, progress=False)["outcome"]
    assert found.sizes["model"] == 3
    assert np.abs(found.isel(model=0).values - on_cpu).max() < 2e-5 * on_cpu.std()


def test_float32_is_enough_for_contrasts_and_tf32_is_not():
    rng = np.random.default_rng(5)
    control = rng.integers(0, 4, (2_000, LENGTH), dtype=np.uint8)
    treated = control.copy()
    treated[:, 100:107] = [0, 2, 0, 3, 0, 0, 2]
    plain, coarse = (
        cg.TorchPredictor(Net().eval(), device="cuda", tf32=tf32)
        for tf32 in (False, True)
    )
    exact = plain.reference()

    def contrasts(predictor):
        one, other = predictor.predict(treated), predictor.predict(control)
        return one.astype(np.float64) - other.astype(np.float64)

    true = contrasts(exact)
    fine, rough = (
        np.sqrt((((contrasts(asked) - true) / true.std(0, ddof=1)) ** 2).mean(0)).max()
        for asked in (plain, coarse)
    )
    assert fine < 1e-4
    assert fine < rough / 20
