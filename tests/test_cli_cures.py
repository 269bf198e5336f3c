"""The command line does as it says: counts are true, hints run as printed, and nothing is lost unsaid."""

from __future__ import annotations

import shlex

import numpy as np
import pytest
from test_cli import QUICK, call, refused

import causalgia as cg
from causalgia import store

TRIAL = """
name = "bench"
n_units = 40
rng = 7
null = {kind = "uniform", length = 200}
predictor = {zoo = "gata1_like"}
analysis = {control = "placebo"}
mpra = {oligo_length = 230, adapters = "lentimpra", scrambles = 20}
[arms]
placebo = {placebo = "AGATAAG", at = 96}
"GATA1, far" = {embed = "AGATAAG", at = 36}
"GATA1, near" = {embed = "AGATAAG", at = 66}
GATA1 = {embed = "AGATAAG", at = 96}
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A library of four arms, and its counts analyzed."""
    where = tmp_path_factory.mktemp("bench")
    (where / "trial.toml").write_text(TRIAL)
    call("mpra", "design", where / "trial.toml", "--out", where / "LIB")
    library = cg.mpra.read_library(where / "LIB")
    frame = library[["oligo_name", "element", "arm", "group"]].to_dataframe().drop_duplicates("oligo_name")
    frame = frame.assign(log2=np.where(frame["arm"] == "GATA1", 1.0, 0.0))
    counts = cg.mpra.simulate(
        frame, n_barcodes=12, n_replicates=3, noise=cg.mpra.NoiseModel(sd_barcode=0.4, sd_replicate=0.1), rng=5
    )
    cg.mpra.to_igvf(counts, where / "counts.tsv.gz", "reporter_experiment_barcode")
    return where


@pytest.fixture(scope="module")
def analyzed(bench):
    """The folder of the analyzed counts, and what was printed."""
    printed = call("mpra", "analyze", bench / "counts.tsv.gz", "--design", bench / "LIB", "--out", bench / "measured")
    return bench / "measured", printed.stdout


@pytest.fixture
def trial(tmp_path):
    path = tmp_path / "trial.toml"
    path.write_text(QUICK)
    return path


@pytest.fixture
def results(trial, tmp_path):
    call("run", trial, "--out", tmp_path / "results")
    return tmp_path / "results"


def test_the_number_of_elements_printed_is_the_number_named(analyzed):
    _, printed = analyzed
    before, _, table = printed.partition("The 20 elements of 40 with the largest effects, each in 3 contrasts;")
    assert before
    rows = [line for line in table.partition("\n\n")[0].splitlines()[2:] if line]
    assert len(rows) == 60
    assert len({row.split()[0] for row in rows}) == 20


def test_estimates_leave_the_verdicts_where_they_are(results):
    call("analyze", results, "--error", "local", "--keep-draws")
    kept = {name: (results / name).read_bytes() for name in ("decisions.nc", "posterior.nc")}
    printed = call("estimate", results).stdout
    assert "Removed" not in printed
    assert "Kept" not in printed
    other = call("estimate", results, "--control", "untreated").stdout
    assert (
        "Kept decisions.nc: its verdicts are of another analysis than these estimates: they differ in control." in other
    )
    assert kept == {name: (results / name).read_bytes() for name in kept}
    shown = call("show", results).stdout
    assert shown.index("minus untreated") < shown.index("The verdicts in decisions.nc are of another analysis")
    assert shown.index("The verdicts in decisions.nc") < shown.index("minus placebo", shown.index("minus untreated"))
    assert shown.count("Verdicts on the ROPE") == 1


def test_a_hint_at_more_contrasts_runs_as_printed(trial, tmp_path):
    out = tmp_path / "many words"
    trial.write_text(QUICK.replace("n = 3", "n = 100").replace("n_units = 300", "n_units = 20"))
    call("run", trial, "--out", out)
    printed = call("analyze", out).stdout
    hint = next(line for line in printed.splitlines() if line.startswith("These are the largest"))
    command = shlex.split(hint.partition(": ")[2])
    assert command[0] == "causalgia"
    assert call(*command[1:]).stdout.count("\nplacebo ") >= 100
