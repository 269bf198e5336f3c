"""Imports turns and their setup from the inside: which sequences each turn asks for.

One sequence goes through a network before any other; probes of long sequences count
as answers.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import PredictorError
from causalgia.predict.predictor import LONG
from causalgia.streams import root_key
from causalgia.trial.setup import set_up_trial
from causalgia.trial.turns import draw_backgrounds

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
LONGER = 51_200


class Counted(torch.nn.Module):
    """A convolution; `rows` has the sequences of every pass, those of copies of the
    network too.
    """

    rows: ClassVar[list[int]] = []

    def __init__(self, read=lambda y: y.mean((1, 2)), seed=1):
        super().__init__()
        torch.manual_seed(seed)
        self.layer, self.read = torch.nn.Conv1d(4, 3, 9), read
        self.rows.clear()

    def forward(self, x):
        self.rows.append(len(x))
        return self.read(self.layer(x))


class Called:
    """A callable that counts its sequences."""

    def __init__(self, read=lambda x: x[:, 1].mean(-1) + x[:, 2, ::3].mean(-1)):
        self.rows, self.read = [], read

    def __call__(self, x):
        self.rows.append(len(x))
        return self.read(x)


def design(length=LONGER, n_units=4, **options):
    arms = {"none": cg.Untreated(), "GATA": cg.Embed("GATAGATA", at=length // 2)}
    return cg.Design(
        null=cg.Uniform(length=length),
        arms=arms,
        n_units=n_units,
        contrasts="none",
        **options,
    )


@pytest.mark.parametrize("length", [1_000, LONGER])
@pytest.mark.parametrize("batch_size", ["auto", 4])
def test_a_refusal_takes_one_sequence(length, batch_size):
    net = Counted(lambda y: y)
    with pytest.raises(PredictorError):
        cg.run(
            design(length),
            cg.TorchPredictor(net, batch_size=batch_size, fingerprint="1"),
            rng=0,
        )
    assert net.rows == [1]
    fn = Called(lambda x: x)
    with pytest.raises(PredictorError):
        cg.run(
            design(length),
            cg.FunctionPredictor(fn, batch_size=batch_size, fingerprint="1"),
            rng=0,
        )
    assert fn.rows == [1]


def test_long_sequences_cost_three_further_passes():
    """The first sequence again, in float64, and at the end: 43 and 8 in float64
    before.
    """
    net = Counted()
    cg.run(design(), cg.TorchPredictor(net, tasks=["y"], fingerprint="1"), rng=0)
    assert net.rows == [1] * (8 + 3)
    fn = Called()
    cg.run(design(), cg.FunctionPredictor(fn, tasks=["y"], fingerprint="1"), rng=0)
    assert fn.rows == [1] * (8 + 2)


def test_a_parallel_trial_and_an_ensemble_reuse_their_probes():
    net = Counted()
    cg.run(
        design(n_units=6, assignment="parallel"),
        cg.TorchPredictor(net, tasks=["y"], fingerprint="1"),
        rng=0,
    )
    assert net.rows == [1] * (6 + 3)
    nets = [cg.TorchPredictor(Counted(seed=i), tasks=["y"]) for i in range(2)]
    cg.run(design(), cg.Ensemble(nets), rng=0)
    assert Counted.rows == [1] * (2 * (8 + 3))


@pytest.mark.parametrize("keep", ["outcomes", "effects", "moments"])
def test_reused_answers_are_those_of_the_turns(keep):
    net = Counted()
    made = cg.TorchPredictor(net, tasks=["y"], fingerprint="1")
    found = cg.run(design(n_units=9), made, rng=3, keep=keep)
    if keep == "outcomes":
        trial = set_up_trial(design(n_units=9), made, rng=3, analysis=None).trial
        assert np.array_equal(
            trial.answer(trial.prepare(0, 9)), found["outcome"].values
        )
    stored = {"outcomes": "outcome", "effects": "ice", "moments": "ice_quantile"}[keep]
    assert np.isfinite(found[stored]).all()


def test_short_sequences_are_reused_where_they_go_alone():
    fn = Called()
    one = cg.run(
        design(300),
        cg.FunctionPredictor(fn, tasks=["y"], batch_size=1, fingerprint="1"),
        rng=0,
    )
    assert sum(fn.rows) == 8 + 2
    many = cg.run(
        design(300), cg.FunctionPredictor(Called(), tasks=["y"], fingerprint="1"), rng=0
    )
    assert np.array_equal(one["outcome"], many["outcome"])


class Killed(BaseException):
    pass


def test_a_store_keeps_every_long_unit_as_it_is_answered(tmp_path):
    """A turn of 30 units of 196 kb took an hour, and a kill lost it."""
    net = Counted()
    made = cg.TorchPredictor(net, tasks=["y"], fingerprint="1")
    whole = cg.run(design(n_units=6), made, rng=0, progress=False)
    calm = net.forward

    def dies(x):
        if len(net.rows) == 2 + 1 + 7:  # four units and a half
            raise Killed
        return calm(x)

    net.rows.clear()
    net.forward = dies
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("causalgia.trial.archive.Archive.seconds", 0.0)
        with pytest.raises(Killed):
            cg.run(
                design(n_units=6),
                made,
                rng=0,
                progress=False,
                store=tmp_path / "t.zarr",
            )
    net.forward = calm
    net.rows.clear()
    resumed = cg.run(
        design(n_units=6), made, rng=0, progress=False, store=tmp_path / "t.zarr"
    )
    assert len(net.rows) <= 2 * 3 + 3
    assert np.array_equal(resumed["outcome"], whole["outcome"])


@pytest.mark.parametrize(
    ("options", "units"), [({}, 1), ({"batch_size": 4}, 16), ({"batch_size": 100}, 20)]
)
def test_a_turn_of_long_sequences(options, units):
    made = cg.TorchPredictor(Counted(), tasks=["y"], fingerprint="1", **options)
    trial = set_up_trial(design(n_units=20), made, rng=0, analysis=None).trial
    trial.probe()
    assert trial.plan().turn == units


def test_a_random_answer_is_found_among_long_sequences():
    rng = np.random.default_rng(0)
    noisy = cg.FunctionPredictor(
        lambda x: x[:, 0].sum(-1) + 1e4 * rng.normal(size=len(x)), fingerprint="1"
    )
    with pytest.raises(PredictorError):
        cg.run(design(), noisy, rng=0)


def test_batch_mates_of_long_sequences_are_found_with_two():
    fn = Called(lambda x: x[:, 0].mean(-1) - x[:, 0].mean())
    with pytest.raises(PredictorError):
        cg.run(design(), cg.FunctionPredictor(fn, batch_size=4, fingerprint="1"), rng=0)
    assert max(fn.rows) == 2


def test_one_sequence_stands_for_eight_in_the_floor():
    """The floor of one long sequence covers the errors that the whole trial makes
    against float64.
    """
    net = Counted()
    made = cg.TorchPredictor(net, tasks=["y"], fingerprint="1")
    found = cg.run(design(n_units=8), made, rng=0)
    trial_tokens = draw_backgrounds(design(n_units=8), 0, 8, key=root_key(0)).tokens
    error = np.abs(
        made.predict(trial_tokens) - made.reference().predict(trial_tokens)
    ).mean()
    assert found["answer_floor"].sel(transform="identity").item() >= error


def test_check_asks_for_one_long_sequence_at_a_time():
    net = Counted()
    cg.check(design(), cg.TorchPredictor(net, tasks=["y"], fingerprint="1"))
    assert set(net.rows) == {1}


def test_lengths_around_the_limit():
    sizes = [
        cg.TorchPredictor(Counted(), device="cpu").resolve_batch_size(n)
        for n in (1_000, LONG, LONG + 1)
    ]
    assert sizes[-1] == 1
    assert all(a >= b for a, b in pairwise(sizes))


def check_of(net, **options):
    made = cg.TorchPredictor(net, tasks=["y"], fingerprint="1", **options)
    return made, lambda n_units=20, **rest: cg.check(
        design(n_units=n_units, **rest), made
    )


def test_a_check_of_a_slow_network_asks_for_twelve_sequences(monkeypatch):
    """Two units in two arms, the first once more, four in float64, two reverse
    complements, and one with all cores.
    """
    monkeypatch.setattr("causalgia._check.cost._seconds", lambda do: (do(), 70.0)[1])
    monkeypatch.setattr("causalgia._check.cost.available_cores", lambda: 64)
    net = Counted()
    _, check = check_of(net)
    found = check()
    assert net.rows == [1] * 12
    assert found.seconds == pytest.approx(70 * (40 + 1 + 3.5), rel=0.02)
    assert found.n_units == 2
    assert found.throughput == pytest.approx(1 / 70)


def test_a_check_of_a_function_counts_what_it_asks():
    fn = Called()
    cg.check(design(n_units=20), cg.FunctionPredictor(fn, tasks=["y"], fingerprint="1"))
    assert set(fn.rows) == {1}
    assert len(fn.rows) == 8 * 3 + 1


def test_a_check_of_a_long_window_has_the_floor_of_its_trial():
    """On its own units: both are the error of one sequence times 2.24, or four
    roundings of the largest answer.
    """
    made, check = check_of(Counted())
    trial = cg.run(design(), made, rng=0, progress=False)["answer_floor"].sel(
        transform="identity"
    )
    assert check().floor["size"].item() / 2 == pytest.approx(trial.item(), rel=0.5)


def test_a_check_of_a_long_window_finds_what_shorter_ones_do():
    rng = np.random.default_rng(0)
    noisy = cg.FunctionPredictor(
        lambda x: x[:, 0].sum(-1) + 1e4 * rng.normal(size=len(x)), fingerprint="1"
    )
    mates = cg.FunctionPredictor(
        lambda x: x[:, 0].mean(-1) - x[:, 0].mean(), batch_size=4, fingerprint="1"
    )
    both = {"determinism", "batch-mate independence"}
    for predictor, failed in ((noisy, both), (mates, {"batch-mate independence"})):
        found = cg.check(design(), predictor).findings
        assert {one.name for one in found if one.state == "FAIL"} == failed


@pytest.mark.parametrize("incremental", [False, True])
def test_edits_of_a_long_window_are_tried_on_one_sequence(incremental):
    torch.manual_seed(0)
    pooled = torch.nn.AvgPool1d(512), torch.nn.Flatten(), torch.nn.Linear(200, 1)
    _, check = check_of(
        torch.nn.Sequential(torch.nn.Conv1d(4, 2, 9, padding=4), *pooled),
        incremental=incremental,
    )
    found = check()
    assert found.incremental
    assert found.speedup is None


def test_a_check_of_an_ensemble_of_long_windows():
    nets = [cg.TorchPredictor(Counted(seed=i), tasks=["y"]) for i in range(2)]
    found = cg.check(design(n_units=20), cg.Ensemble(nets))
    assert found.ok
    assert found.floor["rms"].dims == ("contrast", "task", "model")
