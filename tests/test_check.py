# Imports from the inside: measures of rounding and cost, against what was put in.
"""What `cg.check` and `causalgia check` find out, against what is known."""

from __future__ import annotations

import time

import numpy as np
import pytest
import xarray as xr
from in_shell import invoke

import causalgia as cg
from causalgia._check import _check, cost, findings
from causalgia._check.probe import (
    contrasts_to_check,
    reference_arm,
    rounding_across_batches,
    rounding_against_float64,
)
from causalgia.predict import Predictor
from causalgia.predict.ensemble import reference_of

ARMS = {"untreated": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)}
NAMES = (
    "answers",
    "determinism",
    "batch-mate independence",
    "numerical floor",
    "strand symmetry",
    "throughput",
    "memory",
    "best batch size",
    "incremental path",
    "expected time",
    "disk",
)
CONTRAST = np.array([[1.0, -1.0]])


def design(n_units=1_000, arms=ARMS, length=50, **rest):
    return cg.Design(null=cg.Uniform(length=length), arms=arms, n_units=n_units, **rest)


def function(fn, **rest):
    return cg.FunctionPredictor(fn, fingerprint="test", **rest)


def adenines(x):
    return x[:, 0].mean(1)


def line(found, name):
    return next(finding for finding in found.findings if finding.name == name)


@pytest.fixture(scope="module", autouse=True)
def briefly():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost, "_MEASURED_SECONDS", 0.8)
        patch.setattr(findings, "_MEASURE_SECONDS", 0.8)
        yield


@pytest.fixture(scope="module")
def plain():
    return cg.check(design(), function(adenines, tasks=["A"]))


# what is printed


def test_fields_are_the_numbers_that_are_printed(plain):
    assert plain.deterministic is True
    assert plain.batch_mates == 0.0
    assert plain.n_units == 256
    assert plain.floor["rms"].dims == ("contrast", "task")
    assert plain.strand_asymmetry.dims == ("task",)
    assert plain.throughput > 0
    assert plain.batch_size == 1024
    assert plain.best_batch_size in plain.by_batch
    assert {256, 1024, 4096} <= plain.by_batch.keys()
    assert plain.incremental is False
    assert plain.memory >= 1024 * 4 * 50 * 4  # the one-hot array
    assert plain.n_sequences == pytest.approx(2_000, rel=0.01)


def test_looks_at_the_same_units_each_time(plain):
    again = cg.check(design(), function(adenines, tasks=["A"]))
    assert again.floor.identical(plain.floor)
    assert again.strand_asymmetry.identical(plain.strand_asymmetry)


# what would be refused


def test_finds_randomness():
    rng = np.random.default_rng(0)
    found = cg.check(
        design(), function(lambda x: adenines(x) + rng.normal(size=len(x)))
    )
    assert not found.ok
    assert found.deterministic is False
    assert line(found, "determinism").state == "FAIL"
    assert found.floor is None


@pytest.mark.parametrize("n_units", [3, 1_000])
def test_finds_batch_mates(n_units):
    found = cg.check(
        design(n_units), function(lambda x: adenines(x) - adenines(x).mean())
    )
    assert found.deterministic
    assert line(found, "batch-mate independence").state == "FAIL"
    assert found.batch_mates > 0.1


def test_finds_batch_mates_at_the_length_of_another_arm():
    def mixed(x):
        return adenines(x) - (adenines(x).mean() if x.shape[2] == 54 else 0)

    found = cg.check(
        design(arms={**ARMS, "longer": cg.Insert("ACGT", at=9)}), function(mixed)
    )
    assert not found.ok


def test_names_arm_unit_and_task_of_an_answer_that_is_none():
    def fails(x):
        gata = x[:, 2, 20] * x[:, 0, 21] * x[:, 3, 22] * x[:, 0, 23] > 0
        return np.stack(
            [adenines(x), np.where(gata & (x[:, 0, 0] > 0), np.nan, 0.5)], 1
        )

    found = cg.check(design(), function(fails, tasks=["a", "b"]))
    assert line(found, "answers").state == "FAIL"
    assert not found.ok


def test_describes_a_predictor_that_cannot_answer():
    def refuses(x):
        raise ValueError("31 bp only")

    found = cg.check(design(), function(refuses))
    assert [finding.state for finding in found.findings] == ["FAIL"]
    assert found.throughput is None


def test_warns_of_one_answer_for_all():
    found = cg.check(design(), function(lambda x: np.ones(len(x)), tasks=["one"]))
    assert line(found, "answers").state == "warn"
    assert found.ok


# rounding


def test_rounding_is_what_was_put_in():
    rng = np.random.default_rng(1)
    m, n, bias, noise = 4_000, 900, 0.02, 0.1
    exact = rng.normal(size=(2, m, 1))  # the contrast has sd sqrt(2)
    wrong = (
        exact
        + np.array([bias, 0.0]).reshape(2, 1, 1)
        + noise * rng.normal(size=exact.shape)
    )
    found = rounding_against_float64(wrong, exact, CONTRAST, n_units=n)
    truth = bias / np.sqrt(2) * np.sqrt(n)
    assert abs(found.bias.item() - truth) < 4 * found.mcse.item()
    assert found.mcse.item() == pytest.approx(noise * np.sqrt(n / m), rel=0.1)
    assert found.rms.item() == pytest.approx(
        np.sqrt(bias**2 + 2 * noise**2) / np.sqrt(2), rel=0.1
    )


def test_rounding_is_that_of_the_deviation_of_contrasts():
    exact = function(lambda x: adenines(x.astype(float)) * 7.3, dtype="float64")
    coarse = function(
        lambda x: np.round(adenines(x.astype(float)) * 7.3, 1), dtype="float64"
    )
    tokens = np.random.default_rng(0).integers(0, 4, (300, 40), dtype=np.uint8)
    arms = {"control": tokens, "A": np.where(np.arange(40) < 8, np.uint8(0), tokens)}
    y, e = (
        np.stack([p.predict(arms["A"]), p.predict(tokens)]) for p in (coarse, exact)
    )
    found = rounding_against_float64(y, e, CONTRAST, n_units=700)
    true = e[0] - e[1]
    off = (y[0] - y[1] - true) / true.std(axis=0, ddof=1)
    np.testing.assert_allclose(found.rms[:, 0], np.sqrt((off**2).mean(axis=0)))
    bias = np.abs(off.mean(axis=0)) * np.sqrt(700)
    np.testing.assert_allclose(np.abs(found.bias[:, 0]), bias)


def test_a_parallel_trial_has_larger_standard_errors():
    rng = np.random.default_rng(2)
    unit = rng.normal(size=(1, 500, 1)) * 10
    # a paired contrast cancels the unit, an unpaired one does not
    exact = unit + rng.normal(size=(2, 500, 1)) * 0.1
    crossover, parallel = (
        rounding_against_float64(exact + 0.01, exact, CONTRAST, n_units=500, dealt=k)
        for k in (1, 2)
    )
    assert crossover.sd.item() == pytest.approx(0.1 * np.sqrt(2), rel=0.15)
    assert parallel.sd.item() == pytest.approx(np.sqrt(2 * 2 * 100), rel=0.15)


def test_other_batches_show_a_shift_and_the_digits():
    y = np.random.default_rng(3).normal(size=(2, 100, 1))
    shifted = y + np.array([0.5, 0.0]).reshape(2, 1, 1)
    found = rounding_across_batches(
        np.stack([y, y, shifted]), CONTRAST, eps=0.0, n_units=100
    )
    sd = (y[0] - y[1]).std(ddof=1)
    assert found.bias.item() == pytest.approx(0.5 / sd * 10)
    digits = rounding_across_batches(np.stack([y, y]), CONTRAST, eps=1e-3, n_units=100)
    assert digits.bias.item() == 0
    assert digits.rms.item() == pytest.approx(
        1e-3 * np.sqrt((y**2).sum(0).mean() / 12) / sd
    )


def test_effects_that_do_not_vary_have_no_standard_error():
    y = (
        np.random.default_rng(4)
        .normal(size=(1, 50, 1))
        .astype(np.float32)
        .astype(float)
    )
    found = rounding_across_batches(
        np.stack([np.concatenate([y + 1, y])] * 2),
        CONTRAST,
        eps=float(np.finfo(np.float32).eps),
        n_units=10,
    )
    assert found.constant.all()
    assert found.bias.item() == found.mcse.item() == 0


def test_warns_of_half_precision():
    found = cg.check(
        design(100_000), function(lambda x: adenines(x).astype(np.float16))
    )
    assert line(found, "numerical floor").state == "warn"


# strands


def test_strands_of_a_share_of_adenine(plain):
    # f = A / L: f(x) - f(rc) = (A - T) / L has variance 1 / (2 L), f has 3 / (16 L)
    truth, n = np.sqrt((1 / 2) / (3 / 16)), plain.n_units
    assert abs(plain.strand_asymmetry.item() / truth - 1) < 4 / np.sqrt(n)


def test_strands_averaged_are_alike():
    found = cg.check(design(), function(adenines, rc_average=True))
    assert (found.strand_asymmetry == 0).all()
    assert line(found, "strand symmetry").state == "ok"


def stranded(x):
    """Two strands of one signal, and a task that has none."""
    plus = x[:, 0, :-1] * x[:, 2, 1:] + 0.3 * x[:, 1, :-1] * x[:, 1, 1:]
    minus = x[:, 3, 1:] * x[:, 1, :-1] + 0.3 * x[:, 2, :-1] * x[:, 2, 1:]
    return np.stack([plus.sum(1), x[:, 1:3].sum((1, 2)), minus.sum(1)], axis=1)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_stranded_tasks_are_paired_and_equal_ones_are_no_symmetry(noise):
    tasks = ["plus", "gc", "minus"]

    def fn(x):  # a trained network is near to it
        return stranded(x) + noise * x[:, 0, ::3].sum(1)[:, None] * [1, 0, 0]

    plain = line(cg.check(design(), function(fn, tasks=tasks)), "strand symmetry")
    assert plain.state == "note"
    assert "opposite=[('plus', 'minus')]" in plain.text
    pairs = [("plus", "minus")]
    given = function(fn, tasks=tasks, rc_average=True, opposite=pairs)
    assert line(cg.check(design(), given), "strand symmetry").state == "ok"
    if not noise:
        averaged = function(fn, tasks=tasks, rc_average=True)
        found = line(cg.check(design(), averaged), "strand symmetry")
        assert found.state == "warn"
        assert "opposite=[('plus', 'minus')]" in found.text


def test_tasks_without_a_partner_are_not_paired():
    def fn(x):
        one = x[:, 0, :-1] * x[:, 2, 1:]
        return np.stack([one.sum(1), x[:, 0].sum(1), x[:, 1].sum(1)], axis=1)

    for averages in (False, True):
        made = function(fn, tasks=["a", "b", "c"], rc_average=averages)
        found = line(cg.check(design(), made), "strand symmetry")
        assert "opposite" not in found.text


# costs


def test_counts_each_sequence_once():
    asked = []

    def counting(x):
        asked.append(len(x))
        return adenines(x)

    # one sequence for every unit
    arms = {"untreated": cg.Untreated(), "all": cg.Embed("ACGTACGT", at=0)}
    trial = design(10_000, arms, length=8)
    found = cg.check(trial, function(counting))
    asked.clear()
    cg.run(trial, function(counting), rng=0)
    assert found.n_sequences == pytest.approx(sum(asked) - 27, rel=0.02)
    assert found.n_sequences < 10_000


class Clock:
    """Seconds that pass while a predictor answers, and a little with each look: no
    machine's noise is in them.
    """

    def __init__(self, monkeypatch):
        self.now = 0.0
        for name in ("perf_counter", "process_time"):
            monkeypatch.setattr(time, name, self.look)

    def look(self):
        self.now += 1e-7
        return self.now

    def slow(self, seconds):
        def answer(x):
            self.now += len(x) * seconds
            return adenines(x)

        return function(answer)

    def late(self, seconds, seconds_first):
        """Return a predictor that takes as long for many sequences as for one, and
        longer for the first.
        """
        sizes = []

        def answer(x):
            self.now += seconds if sizes else seconds_first
            sizes.append(len(x))
            return adenines(x)

        return function(answer, batch_size=4_096), sizes


def test_a_device_that_answers_many_in_the_time_of_a_few_is_timed_on_whole_batches(
    monkeypatch,
):
    clock = Clock(monkeypatch)
    predictor, sizes = clock.late(0.02, 2.0)
    found = cg.check(design(10_000), predictor)
    assert 4_096 in sizes
    assert found.throughput == pytest.approx(4_096 / 0.02, rel=0.01)


def test_expects_the_time_that_a_trial_takes(monkeypatch):
    clock, trial = Clock(monkeypatch), design(1_500)
    found = cg.check(trial, clock.slow(5e-4))
    started = clock.now
    cg.run(trial, clock.slow(5e-4), rng=0, progress=False)
    assert found.seconds == pytest.approx(clock.now - started, rel=0.05)
    assert found.throughput == pytest.approx(2_000, rel=0.01)


def test_looks_at_few_units_of_a_slow_predictor(monkeypatch):
    for module, name, seconds in (
        (_check, "_PROBE_SECONDS", 1.0),
        (cost, "_MEASURED_SECONDS", 0.4),
        (cost, "_PACE_SECONDS", 0.5),
    ):
        monkeypatch.setattr(module, name, seconds)
    clock = Clock(monkeypatch)
    found = cg.check(design(10_000), clock.slow(0.01))
    assert clock.now < 6
    assert 8 <= found.n_units < 20
    assert found.seconds == pytest.approx(20_000 * 0.01, rel=0.5)


@pytest.mark.parametrize("keep", ["outcomes", "effects", "moments"])
def test_knows_the_size_of_a_store(tmp_path, keep):
    arms = {
        "untreated": cg.Untreated(),
        **{word: cg.Embed(word, at=20) for word in ("GATA", "TATA", "CACC")},
    }
    trial = design(20_000, arms, contrasts="untreated")
    predictor = function(
        lambda x: np.stack([adenines(x), x[:, 1].mean(1)], 1), tasks=["a", "c"]
    )
    found = cg.check(trial, predictor)
    cg.run(trial, predictor, rng=0, store=tmp_path / "t.zarr", keep=keep)
    size = sum(
        path.stat().st_size
        for path in (tmp_path / "t.zarr").rglob("*")
        if path.is_file()
    )
    assert 0.7 < found.disk[keep] / size < 1.4


def test_says_where_memory_does_not_hold_a_trial():
    predictor = function(
        lambda x: np.repeat(x[:, 0].mean(1)[:, None], 64, 1),
        tasks=[f"t{k}" for k in range(64)],
    )
    found = cg.check(design(5 * 10**10), predictor)  # 24 TB
    assert line(found, "memory").state == "warn"
    assert found.ok


# kinds of trials and predictors


@pytest.mark.simulation
@pytest.mark.parametrize(
    "trial",
    [
        design(1),
        design(2),
        design(
            50, assignment="parallel", arms={**ARMS, "longer": cg.Insert("ACGT", at=9)}
        ),
        design(300, arms={**ARMS, "longer": cg.Insert("ACGT", at=9)}),
        design(300, contrasts={"half": {"GATA": 0.5, "untreated": -0.5}}),
    ],
    ids=["one unit", "two units", "parallel", "longer", "contrasts"],
)
def test_looks_at_every_kind_of_trial(trial):
    found = cg.check(trial, function(adenines))
    assert found.ok
    assert len(found.findings) == len(NAMES)
    assert np.isfinite(found.floor["most"]).all()
    assert ("moments" in found.disk) == (
        trial.assignment == "crossover" and trial.n_units > 1
    )


def test_names_the_worst_member_of_an_ensemble():
    pair = cg.Ensemble(
        {
            "even": cg.FunctionPredictor(lambda x: x[:, [0, 3]].mean((1, 2))),
            "odd": function(adenines),
        }
    )
    found = cg.check(design(), pair)
    assert found.floor["rms"].dims == ("contrast", "task", "model")
    assert found.strand_asymmetry.sel(model="even").item() == 0


def test_an_oracle_needs_no_torch():
    found = cg.check(design(200, length=200), cg.zoo.oracle("gata1_like"))
    assert found.ok
    assert found.by_threads == {} or found.by_threads
    assert (found.floor["rms"] < 1e-12).all()


class Custom(Predictor):
    """The least that a predictor is."""

    scale, tasks, fingerprint = "share", ("A",), "ab"

    def resolve_batch_size(self, length):
        return 64

    def predict(self, tokens, *, progress=None):
        return (tokens == 0).mean(1, keepdims=True)


def test_looks_at_a_predictor_of_the_users_own():
    found = cg.check(design(), Custom())
    assert found.ok
    assert found.batch_size == 64
    assert max(found.by_batch) == 64  # it cannot be told to take more
    assert reference_of(Custom()) is None


def test_contrasts_are_spread_over_all_and_weigh_few_arms():
    many = design(
        10,
        {
            "untreated": cg.Untreated(),
            **{f"at {i}": cg.Embed("GATA", at=i) for i in range(40)},
        },
    )
    assert list(contrasts_to_check(many, most=3, most_arms=9)) == [
        "at 0",
        "at 20",
        "at 39",
    ]
    wide = dict.fromkeys(many.arm_names[1:], -1 / 40) | {"untreated": 1}
    meaned = design(10, many.named_arms, contrasts={"mean": wide})
    assert contrasts_to_check(meaned, most=3, most_arms=9) == {
        "at 0 - untreated": {"at 0": 1.0, "untreated": -1.0}
    }


def test_the_control_is_the_one_that_the_design_names():
    assert reference_arm(design(contrasts="GATA")) == "GATA"
    assert (
        reference_arm(
            design(
                arms={"TATA": cg.Embed("TATA", at=3), "Control": cg.Embed("CCCC", at=3)}
            )
        )
        == "Control"
    )
    assert (
        reference_arm(
            design(arms={"TATA": cg.Embed("TATA", at=3), "b": cg.Embed("CCCC", at=3)})
        )
        == "TATA"
    )


# the command

FILE = """
n_units = 300
rng = 3
[null]
kind = "uniform"
length = 60
[predictor]
{predictor}
[arms.untreated]
[arms.GATA1]
embed = "AGATAAG"
at = 20
[analysis]
control = "untreated"
"""
NET = """
def load():
    return lambda x: x[:, 0].mean(1) - {minus}
"""


def checked(tmp_path, predictor):
    (tmp_path / "trial.toml").write_text(FILE.format(predictor=predictor))
    return invoke("check", tmp_path / "trial.toml")


def test_command_prints_the_check(tmp_path):
    found = checked(tmp_path, 'zoo = "gata1_like"')
    assert found.exit_code == 0
    assert not any(tmp_path.glob("*.nc"))


def test_command_fails_where_the_trial_would_be_refused(tmp_path):
    (tmp_path / "net.py").write_text(NET.format(minus="x[:, 0].mean()"))
    found = checked(
        tmp_path, f'factory = "{tmp_path / "net.py"}:load"\nscale = "share"'
    )
    assert found.exit_code == 1


def test_command_refuses_what_is_no_trial(tmp_path):
    found = invoke("check", tmp_path / "absent.toml")
    assert found.exit_code == 2


# networks


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def network(torch, seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Conv1d(4, 16, 7, padding=3),
        torch.nn.ReLU(),
        torch.nn.MaxPool1d(2),
        torch.nn.Conv1d(16, 16, 5, padding=2),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(16 * 100, 2),
    )


LONG = {
    "length": 200,
    "arms": {"untreated": cg.Untreated(), "GATA": cg.Embed("AGATAAG", at=90)},
}


@pytest.fixture(scope="module")
def looked_at(torch):
    predictor = cg.TorchPredictor(network(torch), tasks=["a", "b"], device="cpu")
    before = (
        torch.get_num_threads(),
        predictor.fingerprint,
        predictor.resolve_batch_size(200),
    )
    found = cg.check(design(**LONG), predictor)
    return (
        found,
        before,
        (
            torch.get_num_threads(),
            predictor.fingerprint,
            predictor.resolve_batch_size(200),
        ),
    )


@pytest.mark.torch
def test_a_network_is_compared_with_float64(looked_at):
    found = looked_at[0]
    assert found.ok
    assert found.floor.attrs["method"] == "against float64"
    assert (found.floor["rms"] < 1e-4).all()
    assert (found.floor["rms"] > 0).all()


@pytest.mark.torch
def test_a_network_is_left_as_it_was(looked_at):
    found, before, after = looked_at
    assert before == after
    assert {1, before[0]} <= found.by_threads.keys()
    assert found.memory >= found.batch_size * (16 * 200 + 4 * 200) * 4
    # never past the size where memory is mapped afresh
    assert max(found.by_batch) * 16 * 200 * 4 < 2**25


@pytest.mark.torch
def test_half_precision_does_not_cancel(torch):
    predictor = cg.TorchPredictor(
        network(torch).bfloat16(), dtype="bfloat16", device="cpu"
    )
    found = cg.check(design(100_000, **LONG), predictor)
    assert line(found, "numerical floor").state == "warn"
    assert (found.floor["rms"] > 1e-3).any()
    # and says of the recomputed control pass that it rounds otherwise


@pytest.mark.simulation
@pytest.mark.torch
def test_the_incremental_path_is_tried_whether_it_is_in_use_or_not(torch, looked_at):
    used = cg.check(
        design(300, **LONG),
        cg.TorchPredictor(network(torch), device="cpu", incremental=True),
    )
    for found in (looked_at[0], used):
        assert found.speedup is not None


@pytest.mark.simulation
@pytest.mark.torch
def test_says_which_layer_is_not_local(torch):
    class Recurrent(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = torch.nn.GRU(4, 4, batch_first=True)

        def forward(self, x):
            return self.gru(x.transpose(1, 2))[0].mean((1, 2))

    torch.manual_seed(0)
    found = cg.check(
        design(200), cg.TorchPredictor(Recurrent(), device="cpu", incremental=True)
    )
    assert found.ok
    assert found.incremental is False


@pytest.mark.simulation
@pytest.mark.torch
def test_members_of_an_ensemble_of_networks(torch):
    pair = cg.Ensemble(
        [cg.TorchPredictor(network(torch, seed), device="cpu") for seed in (0, 1)]
    )
    found = cg.check(design(100, **LONG), pair)
    assert found.ok
    assert found.floor.attrs["method"] == "against float64"
    assert found.floor.sizes["model"] == 2


def test_the_worst_shift_may_be_downwards():
    y = np.random.default_rng(3).normal(size=(2, 100, 1))
    up, down = (y + np.array([shift, 0.0]).reshape(2, 1, 1) for shift in (0.2, -0.5))
    sd = (y[0] - y[1]).std(ddof=1)
    found = rounding_across_batches(
        np.stack([y, up, down]), CONTRAST, eps=0.0, n_units=100
    )
    assert found.bias.item() == pytest.approx(-0.5 / sd * 10)


def test_a_parallel_trial_is_measured_by_the_variances_of_its_arms():
    exact = np.random.default_rng(2).normal(size=(2, 8, 1))
    found = rounding_against_float64(
        exact + 0.01, exact, CONTRAST, n_units=500, dealt=2
    )
    assert found.sd.item() == pytest.approx(
        np.sqrt(2 * exact.var(axis=1, ddof=1).sum()), rel=1e-9
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_a_bias_in_either_direction_is_found_and_called_the_same(sign):
    """One contrast of two has it; it is a fifth of a standard error, twice what is
    allowed.
    """
    rng = np.random.default_rng(4)
    exact = rng.normal(size=(2, 2_000, 2))
    shift = sign * 0.2 * np.sqrt(2 / 400) * np.array([[[0.0, 1.0]], [[0.0, 0.0]]])
    found = rounding_against_float64(exact + shift, exact, CONTRAST, n_units=400)
    np.testing.assert_allclose(found.most, np.abs(found.bias) + 2 * found.mcse)
    assert found.bias[0, 1] * sign == pytest.approx(0.2, rel=0.05)
    dims = ("contrast", "task")
    names = ("rms", "bias", "mcse", "most", "constant")
    table = xr.Dataset(
        {name: (dims, getattr(found, name)) for name in names},
        {"contrast": ["A"], "task": ["x", "y"]},
    )
    said = findings.floor(table.assign_attrs(method="against float64"), 400)
    assert said.state == "warn"
