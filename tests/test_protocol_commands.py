"""`causalgia plan`, `lock`, `run --protocol`, `verify`, `reproduce`; tampered trial
files, weights and folders.
"""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
from test_cli import QUICK, call

import causalgia as cg
from causalgia.cli.options import load_spec_predictor
from causalgia.experiments import entries
from causalgia.protocol._protocol import digest_of_values
from causalgia.results_folder import load_outcomes
from causalgia.trial_file import read_spec, starter_files

FACTORY = """
import numpy as np
def load(weights):
    slope = np.load(weights)
    return lambda x: slope * x[:, 0, 15:24].mean(1) * (1 + x[:, 1, 30:].mean(1))
"""


OWN = QUICK.replace(
    'zoo = "gata1_like"', 'factory = "net.py:load"\nweights = "w.npy"\ntasks = ["K562"]'
).replace("n_units = 300", "n_units = 60")


@pytest.fixture
def own(tmp_path):
    """A trial of a network of one's own, locked in a folder beside it."""
    (tmp_path / "net.py").write_text(FACTORY)
    np.save(tmp_path / "w.npy", np.array(2.0))
    (tmp_path / "trial.toml").write_text(OWN)
    (tmp_path / "locks").mkdir()
    call("lock", tmp_path / "trial.toml", "--out", tmp_path / "locks" / "lock.toml")
    return tmp_path


def test_a_plan_predicts_nothing(tmp_path, monkeypatch):
    (tmp_path / "trial.toml").write_text(QUICK)
    monkeypatch.setattr("causalgia.zoo.oracle", None)
    assert "1,800" in call("plan", tmp_path / "trial.toml").output


def test_from_a_plan_to_a_reproduction(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    assert str(own) not in lock.read_text()
    call("run", "--protocol", lock, "--out", out)
    call("analyze", out)
    call("verify", out, "--protocol", lock)
    call("reproduce", out)
    assert cg.open(out).outcomes.attrs["protocol"] == cg.Protocol.read(lock).sha256
    call("show", out)


@pytest.mark.simulation
@pytest.mark.parametrize("stored", [(), ("--store", "--keep", "effects")])
def test_outcomes_that_were_changed_after_a_locked_run_are_named_wherever_its_protocol_is(
    own, stored
):
    lock, out = own / "locks" / "lock.toml", own / "results"
    call("run", "--protocol", lock, "--out", out, *stored)
    call("analyze", out)
    commands = ("analyze", out), ("show", out), ("report", out, "--as", "methods")
    before = [call(*command).output for command in commands]
    if stored:
        marks = out / "trial.zarr.protocol.json"
        marks.write_text(
            marks.read_text().replace('"protocol_kept": "', '"protocol_kept": "0')
        )
    else:
        outcomes = cg.store.load(out / "outcomes.nc", "outcomes").load()
        outcomes["outcome"][0, 0, 0] += 1
        cg.store.save(outcomes, out / "outcomes.nc")
    for command, told in zip(commands, before, strict=True):
        assert call(*command).output != told
    call("verify", out, "--protocol", lock, code=1)


@pytest.mark.simulation
def test_outcomes_that_were_given_a_new_digest_are_found_by_their_network_alone(own):
    """As the pages on locks and for referees say: a lock binds the plan."""
    lock, out = own / "locks" / "lock.toml", own / "results"
    call("run", "--protocol", lock, "--out", out)
    outcomes = cg.store.load(out / "outcomes.nc", "outcomes").load()
    outcomes["outcome"][0, 0, 0] += 1
    outcomes.attrs["protocol_values"] = digest_of_values(outcomes)
    cg.store.save(outcomes, out / "outcomes.nc")
    call("analyze", out)
    call("verify", out, "--protocol", lock)
    call("reproduce", out, code=1)


def test_opening_a_locked_trial_reads_no_outcomes(own, monkeypatch):
    call(
        "run",
        "--protocol",
        own / "locks" / "lock.toml",
        "--out",
        own / "results",
        "--store",
    )
    monkeypatch.setattr(
        "causalgia.protocol._protocol.digest_of_values",
        lambda _: pytest.fail("all values are read"),
    )
    assert cg.open(own / "results").outcomes["outcome"].chunks


def test_a_sealed_lock_verifies_where_its_files_are_not(own, tmp_path):
    lock, out = own / "locks" / "lock.toml", own / "results"
    call("run", "--protocol", lock, "--out", out)
    for name in ("net.py", "w.npy", "trial.toml"):
        (own / name).unlink()
    call("verify", out, "--protocol", lock)
    call("run", "--protocol", lock, "--out", own / "b", code=2)


@pytest.mark.simulation
def test_a_trial_file_that_deviates_is_run_and_labeled(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    (own / "trial.toml").write_text(
        OWN.replace("n_units = 60", "n_units = 50").replace(
            "[-0.1, 0.1]", "[-0.4, 0.4]"
        )
    )
    call("run", own / "trial.toml", "--protocol", lock, "--out", out)
    call("analyze", out)
    found = call("verify", out, "--protocol", lock, code=1).output
    assert {one.what for one in cg.verify(lock, out).deviations} == {"n_units", "rope"}
    assert found.count("[-0.4, 0.4]") == 3


def _other_weights(own):
    np.save(own / "w.npy", np.array(3.0))


def _other_code(own):
    (own / "net.py").write_text(FACTORY.replace("0, 15:24", "0, 15:25"))


def test_other_weights_than_those_locked_are_named(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    _other_weights(own)
    call("run", "--protocol", lock, "--out", out)
    call("verify", out, "--protocol", lock, code=1)
    assert "predictor" in {one.what for one in cg.verify(lock, out).deviations}


@pytest.mark.parametrize("change", [_other_weights, _other_code])
def test_a_network_that_was_changed_after_the_run_is_found(own, change):
    out = own / "results"
    call("run", "--protocol", own / "locks" / "lock.toml", "--out", out)
    change(own)
    call("reproduce", out, code=1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("n_units = 60", "n_units = 61"),
        ("rng = 3", "rng = 4"),
        ('embed = "AGATAAG"', 'embed = "AGATTAG"'),
        ('control = "placebo"', 'control = "untreated"'),
    ],
)
def test_a_trial_file_that_was_changed_after_the_run_is_found(own, old, new):
    lock, out = own / "locks" / "lock.toml", own / "results"
    call("run", "--protocol", lock, "--out", out)
    text = (out / "trial.toml").read_text()
    assert old in text
    (out / "trial.toml").write_text(text.replace(old, new, 1))
    call("verify", out, "--protocol", lock, code=1)


def test_a_locked_trial_on_disk_is_resumed_and_verified(own, monkeypatch):
    lock, out, memory = own / "locks" / "lock.toml", own / "results", own / "memory"
    times = iter(
        ["2099-01-01T00:00:00Z", "2099-01-02T00:00:00Z", "2099-01-03T00:00:00Z"]
    )
    monkeypatch.setattr("causalgia.protocol._protocol.utc_now", lambda: next(times))
    for _ in range(2):
        call("run", "--protocol", lock, "--out", out, "--store")
    call("run", "--protocol", lock, "--out", memory)
    kept, whole = load_outcomes(out), load_outcomes(memory)
    # not when it was resumed
    assert kept.attrs["protocol_started"] == "2099-01-01T00:00:00Z"
    assert kept.attrs["protocol_values"] == whole.attrs["protocol_values"]
    np.testing.assert_array_equal(kept["outcome"], whole["outcome"])
    call("analyze", out)
    call("verify", out, "--protocol", lock)
    marks = out / "trial.zarr.protocol.json"
    for damaged in (
        '{"control": "placebo"}',
        "[" * 5_000,
        '{"protocol": NaN',
        "\x1b" * 2_000_000,
    ):
        marks.write_text(damaged)
        call("show", out, code=2)
    marks.unlink()
    call("verify", out, "--protocol", lock, code=1)


def test_deviations_of_a_trial_on_disk_are_named(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    (own / "more.toml").write_text(OWN.replace("n_units = 60", "n_units = 70"))
    call("run", own / "more.toml", "--protocol", lock, "--out", out, "--store")
    assert load_outcomes(out).attrs["protocol_deviations"] == "n_units"
    call("verify", out, "--protocol", lock, code=1)
    before = (out / "trial.zarr.protocol.json").read_bytes()
    call("run", "--protocol", lock, "--out", out, "--store", code=2)
    assert (out / "trial.zarr.protocol.json").read_bytes() == before


def test_a_trial_on_disk_that_was_begun_without_the_lock_is_refused(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    call("run", own / "trial.toml", "--out", out, "--store")
    call("run", "--protocol", lock, "--out", out, "--store", code=2)
    spec = read_spec(own / "trial.toml")
    design, predictor = spec.design, load_spec_predictor(spec, own / "trial.toml", None)
    effects = cg.Protocol.read(lock).run(
        design, predictor, store=own / "kept.zarr", keep="effects", progress=False
    )
    assert cg.verify(lock, effects).ok
    assert cg.open(own / "kept.zarr").attrs["protocol"] == cg.Protocol.read(lock).sha256


@pytest.mark.simulation
@pytest.mark.parametrize("name", [None, *entries()])
def test_every_file_to_begin_with_locks_and_reads_back_equal(name, tmp_path):
    path = tmp_path / "trial.toml"
    for place, text in starter_files(path, name).items():
        place.write_text(text)
    (tmp_path / "locks").mkdir()
    call("lock", path, "--out", tmp_path / "locks" / "lock.toml")
    found = cg.Protocol.read(tmp_path / "locks" / "lock.toml")
    spec = read_spec(path)
    again = cg.Protocol(
        spec.design,
        spec.analysis.asking(spec.design.analysis_fields),
        predictor=found.predictor_fingerprint,
        rng=spec.rng,
    )
    assert (
        dataclasses.replace(spec, name=spec.name).design.fingerprint
        == found.design_fingerprint
    )
    assert found.differences(again) == []
    shutil.rmtree(tmp_path / "locks")


@pytest.mark.simulation
@pytest.mark.parametrize("name", ["copies", "motif_mutagenesis", "knock_in"])
def test_an_experiment_verifies_after_its_run(name, tmp_path):
    path, lock, out = (
        tmp_path / "trial.toml",
        tmp_path / "lock.toml",
        tmp_path / "results",
    )
    for place, text in starter_files(path, name).items():
        place.write_text(text)
    call("lock", path, "--out", lock)
    call("run", "--protocol", lock, "--out", out)
    call("verify", out, "--protocol", lock)


@pytest.mark.simulation
def test_an_edited_table_beside_the_verdicts_is_found(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    call("run", "--protocol", lock, "--out", out)
    call("analyze", out)
    table = out / "effects.tsv"
    written = table.read_text()
    estimate = written.splitlines()[1].split("\t")[2]
    table.write_text(written.replace(estimate, str(float(estimate) + 0.5), 1))
    call("verify", out, "--protocol", lock, code=1)
    table.write_text("\n".join(written.splitlines()[:-1]) + "\n")
    call("verify", out, "--protocol", lock, code=1)
    table.write_text(written)
    call("verify", out, "--protocol", lock)


@pytest.mark.simulation
def test_a_table_is_not_compared_with_verdicts_that_deviate(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    call("run", "--protocol", lock, "--out", out)
    call("analyze", out)
    decisions = cg.open(out).decisions
    cg.store.save(decisions.assign(ace=2 * decisions["ace"]), out / "decisions.nc")
    call("verify", out, "--protocol", lock, code=1)
    assert {one.where for one in cg.verify(lock, out).deviations} == {"decisions"}


@pytest.mark.parametrize("store", [(), ("--store",)])
def test_a_trial_without_a_plan_is_that_of_the_call_and_comes_again(tmp_path, store):
    trial, out = tmp_path / "trial.toml", tmp_path / "results"
    trial.write_text(QUICK.split("[analysis]")[0])
    call("run", trial, "--out", out, *store)
    call("reproduce", out)
    outcomes = cg.open(out).outcomes
    if store:  # the same trial in Python goes on with the store of the command
        spec = read_spec(trial)
        predictor = load_spec_predictor(spec, trial, None)
        again = cg.run(spec.design, predictor, rng=3, store=out / "trial.zarr")
        assert again["outcome"].equals(outcomes["outcome"])
