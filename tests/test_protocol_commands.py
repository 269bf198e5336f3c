"""`causalgia plan`, `lock`, `run --protocol`, `verify`, `reproduce`; tampered trial
files, weights and folders.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
import shutil

import numpy as np
import pytest
from test_cli import QUICK, call, refused

import causalgia as cg
from causalgia.cli.options import load_spec_predictor
from causalgia.errors import CausalgiaError
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
    text = call("plan", tmp_path / "trial.toml").output
    for part in (
        "with placebo, all arms on each of 300 uniform random sequences",
        ": 1,800 predictions.",
        "0.162 sd",
        "Seed 3. Not locked.",
        "arm ",
        "notes: --notes.",
    ):
        assert part in text
    assert "minus outcome under 'placebo'" not in text
    text = call("plan", tmp_path / "trial.toml", "--notes").output
    assert "minus outcome under 'placebo'" in text


def test_a_plan_says_the_question_of_an_experiment(tmp_path):
    call("init", "--experiment", "copies", tmp_path / "copies.toml")
    assert (
        call("plan", tmp_path / "copies.toml").output.splitlines()[0]
        == entries()["copies"].question
    )


@pytest.mark.rotating(6)
def test_from_a_plan_to_a_reproduction(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    assert str(own) not in lock.read_text()
    call("run", "--protocol", lock, "--out", out)
    call("analyze", out)
    assert (
        "As locked: outcomes, estimates, decisions"
        in call("verify", out, "--protocol", lock).output
    )
    assert "all 360 outcomes have the same bits" in call("reproduce", out).output
    assert cg.open(out).outcomes.attrs["protocol"] == cg.Protocol.read(lock).sha256
    assert "exploratory" not in call("show", out).output.lower()


@pytest.mark.rotating
@pytest.mark.parametrize("stored", [(), ("--store", "--keep", "effects")])
def test_outcomes_that_were_changed_after_a_locked_run_are_named_wherever_its_protocol_is(
    own, stored
):
    lock, out = own / "locks" / "lock.toml", own / "results"
    call("run", "--protocol", lock, "--out", out, *stored)
    call("analyze", out)
    changed = "The outcomes are not those that this run recorded"
    for command in (("analyze", out), ("show", out), ("report", out, "--checklist")):
        assert "changed" not in call(*command).output
    if stored:
        marks = out / "trial.zarr.protocol.json"
        marks.write_text(
            marks.read_text().replace('"protocol_kept": "', '"protocol_kept": "0')
        )
    else:
        outcomes = cg.store.load(out / "outcomes.nc", "outcomes").load()
        outcomes["outcome"][0, 0, 0] += 1
        cg.store.save(outcomes, out / "outcomes.nc")
    text = call("show", out, "--notes").output
    assert text.index("Protocol ") < text.index(changed)
    assert changed in call("show", out).output
    assert changed in call("analyze", out).output
    call("report", out)
    assert changed in (out / "report.html").read_text()
    assert (
        "the outcomes were changed after the run"
        in call("report", out, "--checklist").output
    )
    assert "values: locked" in call("verify", out, "--protocol", lock, code=1).output


@pytest.mark.rotating(6)
def test_outcomes_that_were_given_a_new_digest_are_found_by_their_network_alone(own):
    """As the pages on locks and for referees say: a lock binds the plan."""
    lock, out = own / "locks" / "lock.toml", own / "results"
    call("run", "--protocol", lock, "--out", out)
    outcomes = cg.store.load(out / "outcomes.nc", "outcomes").load()
    outcomes["outcome"][0, 0, 0] += 1
    outcomes.attrs["protocol_values"] = digest_of_values(outcomes)
    cg.store.save(outcomes, out / "outcomes.nc")
    call("analyze", out)
    assert "As locked: outcomes, est" in call("verify", out, "--protocol", lock).output
    assert "values that were changed" in call("reproduce", out, code=1).output


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
    found = call("verify", out, "--protocol", lock).output
    assert "As locked" in found
    assert "cannot be read here and was not compared" in found
    refused(
        "run",
        "--protocol",
        lock,
        "--out",
        own / "b",
        said="files of the trial are looked for from the folder of the lock",
    )


@pytest.mark.rotating
def test_a_trial_file_that_deviates_is_run_and_labeled(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    (own / "trial.toml").write_text(
        OWN.replace("n_units = 60", "n_units = 50").replace(
            "[-0.1, 0.1]", "[-0.4, 0.4]"
        )
    )
    assert (
        "n_units: locked 60, here 50"
        in call("run", own / "trial.toml", "--protocol", lock, "--out", out).output
    )
    call("analyze", out)
    assert (
        "Exploratory, chosen after the outcomes were seen: n_units, rope"
        in call("show", out).output
    )
    found = call("verify", out, "--protocol", lock, code=1).output
    assert "- trial.toml: rope: locked [-0.1, 0.1], here [-0.4, 0.4]" in found
    assert "- decisions: rope: locked [-0.1, 0.1], here [-0.4, 0.4]" in found


def _other_weights(own):
    np.save(own / "w.npy", np.array(3.0))


def _other_code(own):
    (own / "net.py").write_text(FACTORY.replace("0, 15:24", "0, 15:25"))


def test_other_weights_than_those_locked_are_named(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    _other_weights(own)
    text = call("run", "--protocol", lock, "--out", out).output
    assert "predictor (weights): locked" in text
    assert (
        "- outcomes: predictor: locked"
        in call("verify", out, "--protocol", lock, code=1).output
    )


@pytest.mark.parametrize("change", [_other_weights, _other_code])
def test_a_network_that_was_changed_after_the_run_is_found(own, change):
    out = own / "results"
    call("run", "--protocol", own / "locks" / "lock.toml", "--out", out)
    change(own)
    assert "first difference: predictor" in call("reproduce", out, code=1).output


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("n_units = 60", "n_units = 61", "n_units: locked 60, here 61"),
        ("rng = 3", "rng = 4", "rng: locked 3, here 4"),
        (
            'embed = "AGATAAG"',
            'embed = "AGATTAG"',
            "arm 'GATA1': locked do(x[20:27] = AGATAAG)",
        ),
        (
            'control = "placebo"',
            'control = "untreated"',
            "control: locked placebo, here untreated",
        ),
    ],
)
def test_a_trial_file_that_was_changed_after_the_run_is_found(own, old, new, named):
    lock, out = own / "locks" / "lock.toml", own / "results"
    call("run", "--protocol", lock, "--out", out)
    text = (out / "trial.toml").read_text()
    assert old in text
    (out / "trial.toml").write_text(text.replace(old, new, 1))
    assert (
        f"trial.toml: {named}" in call("verify", out, "--protocol", lock, code=1).output
    )


@pytest.mark.rotating(6)
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
    assert "As locked: outcomes, " in call("verify", out, "--protocol", lock).output
    marks = out / "trial.zarr.protocol.json"
    for damaged in (
        '{"control": "placebo"}',
        "[" * 5_000,
        '{"protocol": NaN',
        "\x1b" * 2_000_000,
    ):
        marks.write_text(damaged)
        assert "trial.zarr.protocol.json" in call("show", out, code=2).stderr
    marks.unlink()
    assert (
        "not run under a lock" in call("verify", out, "--protocol", lock, code=1).output
    )


def test_deviations_of_a_trial_on_disk_are_named(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    (own / "more.toml").write_text(OWN.replace("n_units = 60", "n_units = 70"))
    text = call(
        "run", own / "more.toml", "--protocol", lock, "--out", out, "--store"
    ).output
    assert "n_units: locked 60, here 70" in text
    assert load_outcomes(out).attrs["protocol_deviations"] == "n_units"
    assert (
        "n_units: locked 60, here 70"
        in call("verify", out, "--protocol", lock, code=1).output
    )
    before = (out / "trial.zarr.protocol.json").read_bytes()
    text = call("run", "--protocol", lock, "--out", out, "--store", code=2).stderr
    assert "other settings (" in text
    assert "n_units 70 there, 60 now" in text
    assert (out / "trial.zarr.protocol.json").read_bytes() == before


def test_a_trial_on_disk_that_was_begun_without_the_lock_is_refused(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    call("run", own / "trial.toml", "--out", out, "--store")
    assert (
        "begun without a lock"
        in call("run", "--protocol", lock, "--out", out, "--store", code=2).stderr
    )
    spec = read_spec(own / "trial.toml")
    design, predictor = spec.design, load_spec_predictor(spec, own / "trial.toml", None)
    effects = cg.Protocol.read(lock).run(
        design, predictor, store=own / "kept.zarr", keep="effects", progress=False
    )
    assert cg.verify(lock, effects).ok
    assert cg.open(own / "kept.zarr").attrs["protocol"] == cg.Protocol.read(lock).sha256


def test_mistakes_have_a_cure(own, tmp_path):
    lock, out = own / "locks" / "lock.toml", own / "results"
    refused("run", "--protocol", lock, said="--out")
    refused("run", "--out", out, said="TRIAL.TOML")
    refused("lock", own / "trial.toml", "--out", lock, said="never overwritten")
    refused("verify", own, "--protocol", own / "trial.toml", said="is not a lock")
    refused("verify", out, "--protocol", lock, said="is not a folder")
    refused("verify", own, "--protocol", lock, said="holds no outcomes")
    refused("reproduce", out, said="is not a folder")
    python = tmp_path / "python.toml"
    spec = read_spec(own / "trial.toml")
    cg.Protocol(spec.design, spec.analysis, predictor="0f").lock(python)
    refused("run", "--protocol", python, "--out", out, said="locked in Python")


def test_refusals_of_locks_name_the_files_that_were_given(own, tmp_path):
    """trial.toml and lock.toml stood in their place."""
    mine, lock = tmp_path / "gata1.toml", tmp_path / "my lock.toml"
    text = (own / "trial.toml").read_text()
    mine.write_text(text)
    spec = read_spec(mine)
    cg.Protocol(spec.design, spec.analysis, predictor="0f").lock(lock)
    out = tmp_path / "out"
    said = call("run", "--protocol", lock, "--out", out, code=2).stderr
    assert said.endswith(f"causalgia run trial.toml --protocol '{lock}'\n")
    lock.unlink()
    call("lock", mine, "--out", lock)
    lock.write_text(lock.read_text().replace("n_units = ", "n_units = 1", 1))
    said = call("run", mine, "--protocol", lock, "--out", out, code=2).stderr
    new = tmp_path / "new_my lock.toml"
    again = re.search(r"new lock with causalgia (lock .*)$", said)[1]
    assert shlex.split(again) == ["lock", str(mine), "--out", str(new)]
    call(*shlex.split(again))
    call("run", mine, "--protocol", new, "--out", out)
    said = call("verify", out, "--protocol", lock, code=2).stderr
    assert f"causalgia lock {out / 'trial.toml'} --out " in said
    outcomes = cg.open(out).outcomes
    with pytest.raises(CausalgiaError, match="swapped") as swapped:
        cg.verify(outcomes, new)
    cure = re.search(r"swapped: (cg\.verify\(.*\))$", str(swapped.value))[1]
    assert eval(cure, {"cg": cg, "outcomes": outcomes}).ok
    with pytest.raises(CausalgiaError, match=rf"verify\('{new}', outcomes\)$"):
        cg.verify(new, 3)


@pytest.mark.rotating
@pytest.mark.long
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


@pytest.mark.rotating
@pytest.mark.long
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
    assert (
        "As locked: outcomes, estimates, decisions"
        in call("verify", out, "--protocol", lock).output
    )


@pytest.mark.rotating(6)
def test_an_edited_table_beside_the_verdicts_is_found(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    call("run", "--protocol", lock, "--out", out)
    call("analyze", out)
    table = out / "effects.tsv"
    written = table.read_text()
    name, task, estimate = written.splitlines()[1].split("\t")[:3]
    table.write_text(written.replace(estimate, str(float(estimate) + 0.5), 1))
    text = call("verify", out, "--protocol", lock, code=1).output
    assert (
        f"effects.tsv: estimate of {name}, {task}: in decisions.nc {estimate}" in text
    )
    table.write_text("\n".join(written.splitlines()[:-1]) + "\n")
    text = call("verify", out, "--protocol", lock, code=1).output
    assert "effects.tsv: rows" in text
    table.write_text(written)
    assert "As locked" in call("verify", out, "--protocol", lock).output


@pytest.mark.rotating(6)
def test_a_table_is_not_compared_with_verdicts_that_deviate(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    call("run", "--protocol", lock, "--out", out)
    call("analyze", out)
    decisions = cg.open(out).decisions
    cg.store.save(decisions.assign(ace=2 * decisions["ace"]), out / "decisions.nc")
    text = call("verify", out, "--protocol", lock, code=1).output
    assert text.startswith("1 deviation in")
    assert "effects.tsv was not compared, since decisions.nc, from which" in text


@pytest.mark.rotating(6)
def test_results_that_are_missing_are_named(own):
    lock, out = own / "locks" / "lock.toml", own / "results"
    call("run", "--protocol", lock, "--out", out)
    text = call("verify", out, "--protocol", lock).output
    assert "effects.tsv are missing and were not compared." in text
    call("analyze", out)
    assert "missing" not in call("verify", out, "--protocol", lock).output
    (out / "decisions.nc").unlink()
    text = call("verify", out, "--protocol", lock).output
    assert "locked nan" not in text
    assert "effects.tsv was not compared: it has verdicts, and decisions.nc is " in text
    for name in ("estimates.nc", "effects.tsv"):
        (out / name).unlink()
    text = " ".join(call("verify", out, "--protocol", lock).output.split())
    assert "estimates.nc, decisions.nc and effects.tsv are missing" in text
    assert "Nothing here confirms the numbers in answer.txt and forest.png" in text


@pytest.mark.parametrize("store", [(), ("--store",)])
def test_a_trial_without_a_plan_is_that_of_the_call_and_comes_again(tmp_path, store):
    trial, out = tmp_path / "trial.toml", tmp_path / "results"
    trial.write_text(QUICK.split("[analysis]")[0])
    call("run", trial, "--out", out, *store)
    assert "have the same bits" in call("reproduce", out).output
    outcomes = cg.open(out).outcomes
    if store:  # the same trial in Python goes on with the store of the command
        spec = read_spec(trial)
        predictor = load_spec_predictor(spec, trial, None)
        again = cg.run(spec.design, predictor, rng=3, store=out / "trial.zarr")
        assert again["outcome"].equals(outcomes["outcome"])


def test_of_many_deviations_the_first_are_printed():
    from causalgia.protocol import Deviation
    from causalgia.protocol._verify import Verification

    protocol = type("Lock", (), {"sha256": "0" * 64, "locked": "then"})()
    rows = tuple(
        Deviation(where="trial.toml", what=f"arm {i}", there="a", here="b")
        for i in range(43)
    )
    text = str(Verification(protocol=protocol, compared=("outcomes",), deviations=rows))
    assert text.startswith("43 deviations in outcomes")
    assert "arm 19" in text
    assert "arm 20:" not in text
    assert "and 23 more" in text
