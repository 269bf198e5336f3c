"""From a newcomer with the wheel and the site alone: notes, warnings and messages met
on the way.
"""

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia._reporting.refutation_answers import refutation_parts
from causalgia.errors import CausalgiaError, DesignError
from causalgia.trial_file import read_spec


def test_errors_of_few_df_are_widened_and_the_note_says_so():
    effect = np.linspace(-1.0, 2.0, 12)
    table = pd.DataFrame({"effect": effect, "se": 0.2, "df": 4.0})
    moments = cg.infer(table, rng=0)
    decisions = cg.decide(moments, rope=(-0.25, 0.25))
    text = " ".join(str(cg.report(decisions, notes=True)).split())
    assert "widened until the normal p-value of its effect is that of its t" in text
    assert (
        "intervals of the posterior are still too short, and large effects are shrunk more than they should be"
        in text
    )
    widened = moments["constant_data"]["se"].to_numpy().ravel()
    assert (widened > 0.2).all()
    assert widened.argmax() == 11  # the clearest


def test_a_store_needs_no_other_package_and_warns_of_none():
    code = """
import sys
sys.modules["google_crc32c"] = None
from causalgia.trial.archive import files
files._vlen()
assert "numcodecs.checksum32" in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


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
    cure = f"put published.py beside the trial file, in {results}, or correct the path"
    with pytest.raises(DesignError) as refused:
        read_spec(results / "trial.toml")
    assert cure in str(refused.value)
    (results / "published.py").write_text("")
    with pytest.raises(DesignError, match="net.pt': no such file in /author/place"):
        read_spec(results / "trial.toml")
    (results / "net.pt").write_text("")
    spec = read_spec(results / "trial.toml")
    assert spec.predictor.factory == f"{results / 'published.py'}:load"
    assert spec.predictor.weights == str(results / "net.pt")
    assert spec.design.named_arms


TABLE = "name\teffect\tse\na\t1.81\t0.2\nb\t1.2\t0.2\n"


def table_of(text: str, **options: object) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), **options)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("table", "cure"),
    [
        (table_of(TABLE.replace(".", ","), sep="\t", index_col=0), "decimal=','"),
        (table_of(TABLE), r"sep='\t'"),
        (table_of(TABLE, index_col=0), r"sep='\t'"),
        (table_of(TABLE.replace("\t", ";")), "sep=';'"),
        ("effects.tsv", "pandas.read_csv('effects.tsv', index_col=0)"),
    ],
)
def test_a_table_read_otherwise_than_it_was_written_has_its_cure(table, cure):
    with pytest.raises(CausalgiaError) as refused:
        cg.infer(table, rng=0)
    assert cure in str(refused.value)


def test_a_frame_read_otherwise_than_it_was_written_has_its_cure():
    text = "u;arm;y\na;x;1,5\na;z;2,5\nb;x;1,0\nb;z;2,0\n"
    with pytest.raises(CausalgiaError, match="sep=';'"):
        cg.from_frame(table_of(text), outcome="y", arm="arm", unit="u")
    with pytest.raises(CausalgiaError, match="decimal=','"):
        cg.from_frame(table_of(text, sep=";"), outcome="y", arm="arm", unit="u")


def test_the_report_of_power_names_the_degrees_of_freedom_of_its_t():
    noise = cg.mpra.NoiseModel(sd_barcode=1.0, sd_replicate=0.15, tau=0.5, sd_count=0.5)
    several = cg.mpra.power(
        0.3, n_backgrounds=[30, 60], n_barcodes=10, n_replicates=3, noise=noise
    )
    text = " ".join(str(cg.report(several)).split())
    df = several["df"]
    assert f"by a t with {df.min():.3g} to {df.max():.3g} degrees of freedom" in text
    one = cg.mpra.power(0.5, n_barcodes=[10, 20], n_replicates=3, noise=noise)
    assert np.isinf(one["df"]).all()
    assert "degrees of freedom" not in str(cg.report(one))


def test_a_rank_that_passes_at_its_limit_is_said_to_be_the_least():
    def of_rank(value: float) -> str:
        columns = {
            "value": value,
            "threshold": 0.05,
            "status": "pass" if value <= 0.05 else "warn",
            "figure": "rank p-value of the effect among 19 placebos",
            "n_predictions": 40,
            "reason": "",
            "cure": "",
        }
        row = xr.Dataset(
            {name: ("check", [x]) for name, x in columns.items()},
            {"check": ["beyond placebos"]},
        )
        return " ".join(refutation_parts(row).text().split())

    said = "A rank that equals its limit is the least that so few placebos"
    assert said in of_rank(0.05)
    assert said not in of_rank(0.1)


@pytest.mark.parametrize("vendor", ["twist", "Agilent"])
def test_a_vendor_given_for_adapters_is_told_from_the_construct(vendor):
    arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)}
    design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=2)
    with pytest.raises(CausalgiaError, match="a vendor has no adapters") as refused:
        cg.mpra.library(design, oligo_length=230, adapters=vendor, rng=7)
    assert f"vendor='{vendor.lower()}'" in str(refused.value)


def test_two_motifs_in_one_arm_are_joined():
    both = [cg.Embed("AGATAAG", at=3), cg.Embed("CAGCTG", at=20)]
    null = cg.Uniform(length=40)
    with pytest.raises(DesignError, match=r"join several in one arm by \+"):
        cg.Design(null=null, arms={"none": cg.Untreated(), "a": both}, n_units=3)
    arms = {"none": cg.Untreated(), "a": both[0] + both[1]}
    design = cg.Design(null=null, arms=arms, n_units=3)
    assert [arm.name for arm in design.named_arms] == ["none", "a"]
