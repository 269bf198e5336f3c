"""`causalgia refute`: the folder of a trial in, checks out, and the exit code."""

from __future__ import annotations

import numpy as np
import pytest
from test_cli import call

from causalgia import store

TRIAL = """
n_units = 200
rng = 7

[predictor]
zoo = "additive"

[null]
kind = "uniform"
length = 41

[arms.control]
CONTROL

[arms.site]
embed = "UGCAUG"
at = 17

[analysis]
control = "control"
"""
SCRAMBLE, LEAK = 'placebo = "UGCAUG"\nat = 17', 'embed = "UGCAUG"\nat = 3'


def folder_of(tmp_path, control):
    spec = tmp_path / "trial.toml"
    spec.write_text(TRIAL.replace("CONTROL", control))
    call("run", spec, "--out", tmp_path / "results")
    return tmp_path / "results"


def test_a_sound_trial_passes_and_is_kept(tmp_path):
    folder = folder_of(tmp_path, SCRAMBLE)
    call("refute", folder, "--check", "subset_of_units", "--check", "degenerate_draws")
    found = store.load(folder / "refutation.nc", "refutations")
    assert found["check"].values.tolist() == ["subset of units", "degenerate draws"]


def test_a_fault_ends_with_status_1(tmp_path):
    folder = folder_of(tmp_path, LEAK)
    call("refute", folder, "--check", "another_control", code=1)
    found = store.load(folder / "refutation.nc", "refutations")
    assert found["status"].values.tolist() == ["fail"]


@pytest.mark.simulation
def test_the_default_set_reads_real_sequences(tmp_path):
    folder, real = folder_of(tmp_path, SCRAMBLE), tmp_path / "real.fa"
    letters = np.random.default_rng(0).choice(
        list("ACGT"), (60, 41), p=[0.48, 0.02, 0.02, 0.48]
    )
    real.write_text(
        "".join(f">r{k}\n{''.join(row)}\n" for k, row in enumerate(letters))
    )
    call("refute", folder, "--real", real, "--positive", "UGCAUG", code=1)
    status = store.load(folder / "refutation.nc", "refutations")["status"]
    assert status.sel(check="positive control") == "pass"
    assert status.sel(check="classifier") == "fail"
