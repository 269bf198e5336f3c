"""From a newcomer with the wheel and the site alone: notes, warnings and messages met
on the way.
"""

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia.errors import DesignError
from causalgia.trial_file import read_spec


def test_errors_of_few_df_are_widened():
    effect = np.linspace(-1.0, 2.0, 12)
    table = pd.DataFrame({"effect": effect, "se": 0.2, "df": 4.0})
    moments = cg.infer(table, rng=0)
    widened = moments["constant_data"]["se"].to_numpy().ravel()
    assert (widened > 0.2).all()
    assert widened.argmax() == 11  # the clearest


def test_files_of_another_machine_are_found_beside_the_trial_file(tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    (results / "trial.toml").write_text(
        """n_units = 2
rng = 7
[null]
kind = "genomic"
of = "/author/place/peaks.fa"
[predictor]
factory = "/author/place/published.py:load"
weights = "/author/place/net.pt"
[arms.untreated]
[arms.GATA1]
embed = "AGATAAG"
at = 3
"""
    )
    (results / "peaks.fa").write_text(">a\nACGTACGTACGTACGT\n>b\nGGGTACGTACGTACGT\n")
    with pytest.raises(DesignError):
        read_spec(results / "trial.toml")
    (results / "published.py").write_text("")
    with pytest.raises(DesignError):
        read_spec(results / "trial.toml")
    (results / "net.pt").write_text("")
    spec = read_spec(results / "trial.toml")
    assert spec.predictor.factory == f"{results / 'published.py'}:load"
    assert spec.predictor.weights == str(results / "net.pt")
    assert spec.design.named_arms


def test_the_report_of_power_has_the_degrees_of_freedom_of_its_t():
    noise = cg.mpra.NoiseModel(sd_barcode=1.0, sd_replicate=0.15, tau=0.5, sd_count=0.5)
    several = cg.mpra.power(
        0.3, n_backgrounds=[30, 60], n_barcodes=10, n_replicates=3, noise=noise
    )
    text = " ".join(str(cg.report(several)).split())
    df = several["df"]
    assert f"{df.min():.3g} to {df.max():.3g} " in text
    one = cg.mpra.power(0.5, n_barcodes=[10, 20], n_replicates=3, noise=noise)
    assert np.isinf(one["df"]).all()


def test_two_motifs_in_one_arm_are_joined():
    both = [cg.Embed("AGATAAG", at=3), cg.Embed("CAGCTG", at=20)]
    null = cg.Uniform(length=40)
    with pytest.raises(DesignError):
        cg.Design(null=null, arms={"none": cg.Untreated(), "a": both}, n_units=3)
    arms = {"none": cg.Untreated(), "a": both[0] + both[1]}
    design = cg.Design(null=null, arms=arms, n_units=3)
    assert [arm.name for arm in design.named_arms] == ["none", "a"]
