"""`causalgia refute`: the folder of a trial in, checks with their cures out, and every
refusal with its cure.
"""

from __future__ import annotations

import numpy as np
import pytest
from test_cli import call, refused

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
    printed = call(
        "refute", folder, "--check", "subset_of_units", "--check", "degenerate_draws"
    ).stdout
    assert "The effect of site passes all 2 checks." in printed
    found = store.load(folder / "refutation.nc", "refutations")
    assert found["check"].values.tolist() == ["subset of units", "degenerate draws"]


def test_a_fault_ends_with_status_1_and_its_cure(tmp_path):
    folder = folder_of(tmp_path, LEAK)
    found = call("refute", folder, "--check", "another_control", code=1)
    assert "there is no claim to refute: another control fails." in found.stdout
    assert "fail    another control" in found.stdout
    assert "Remedy: take " in found.stdout
    assert "0 predictions" not in found.stdout


def test_refusals_name_their_cure(tmp_path):
    folder = folder_of(tmp_path, SCRAMBLE)
    refused(
        "refute", folder, "--check", "is_placebo", said="did you mean 'beyond_placebos'"
    )
    refused(
        "refute",
        folder,
        "--predictor",
        tmp_path / "none.toml",
        said="--predictor net.toml",
    )
    refused("refute", tmp_path / "nowhere", said="causalgia run trial.toml --out")
    other = tmp_path / "other.toml"
    other.write_text('[predictor]\nzoo = "saturating"\n')
    refused(
        "refute", folder, "--predictor", other, said="is not the one of the outcomes"
    )


@pytest.mark.rotating
@pytest.mark.long
def test_the_default_set_reads_real_sequences(tmp_path):
    folder, real = folder_of(tmp_path, SCRAMBLE), tmp_path / "real.fa"
    letters = np.random.default_rng(0).choice(
        list("ACGT"), (60, 41), p=[0.48, 0.02, 0.02, 0.48]
    )
    real.write_text(
        "".join(f">r{k}\n{''.join(row)}\n" for k, row in enumerate(letters))
    )
    printed = call(
        "refute", folder, "--real", real, "--positive", "UGCAUG", code=1
    ).stdout
    assert "pass    positive control" in printed
    assert "fail    classifier" in printed
    more = call(
        *("refute", folder, "--real", real, "--positive", "UGCAUG"),
        *("--notes", "--sentences"),
        code=1,
    ).stdout
    assert "Not applicable: balance: in a crossover" in more
    assert "classifier (fail; area under the ROC curve" in more
    assert "--notes" not in more
