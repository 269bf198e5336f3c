"""The bench on the command line: a library out, the virtual trial, counts in, the two
compared; and what is refused.
"""

from __future__ import annotations

import os
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from assay import with_noise
from test_cli import call, refused

import causalgia as cg
from causalgia import store

TRIAL = """
name = "bench"
n_units = 40
rng = 7
null = {kind = "uniform", length = 200}
predictor = {zoo = "gata1_like"}
arms = {placebo = {placebo = "AGATAAG", at = 96}, GATA1 = {embed = "AGATAAG", at = 96}}
analysis = {control = "placebo"}
mpra = {oligo_length = 230, adapters = "lentimpra", n_scrambles = 20}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which a library was ordered, predicted, and its counts came back."""
    where = tmp_path_factory.mktemp("bench")
    (where / "trial.toml").write_text(TRIAL)
    call("mpra", "design", where / "trial.toml", "--out", where / "LIB")
    call(
        "mpra",
        "predict",
        where / "trial.toml",
        "--design",
        where / "LIB",
        "--out",
        where / "virtual",
    )
    cg.mpra.to_igvf(
        measured(where), where / "counts.tsv.gz", "reporter_experiment_barcode"
    )
    call(
        "mpra",
        "analyze",
        where / "counts.tsv.gz",
        "--design",
        where / "LIB",
        "--out",
        where / "measured",
    )
    return where


def truth(where):
    """Return the true log2 activity of each oligo: the virtual one, times 0.8, and
    noise of its own.
    """
    library = cg.mpra.read_library(where / "LIB")
    y = store.load(where / "virtual" / "outcomes.nc", "outcomes")["outcome"].sel(
        task="K562"
    )
    frame = (
        library[["oligo_name", "element", "arm", "group"]]
        .to_dataframe()
        .drop_duplicates("oligo_name")
    )
    noise = np.random.default_rng(3).normal(0, 0.2, len(frame))
    of_test = [
        0.8 * float(y.sel(unit=e, arm=a)) if g == "test" else -1.0
        for _, e, a, g in frame.to_numpy()
    ]
    return frame.assign(log2=np.array(of_test) + noise)


def measured(where):
    return cg.mpra.simulate(
        truth(where),
        n_barcodes=12,
        n_replicates=3,
        noise=cg.mpra.NoiseModel(sd_barcode=0.4),
        rng=5,
    )


@pytest.mark.rotating(6)
def test_a_library_is_ordered(folder, tmp_path):
    said = call(
        "mpra", "design", folder / "trial.toml", "--out", tmp_path / "LIB"
    ).stdout
    assert said.startswith(
        "100 oligos of 230 nt: 40 placebo, 40 GATA1, 20 scramble (negative)"
    )
    again = cg.mpra.read_library(tmp_path / "LIB")
    assert again.identical(cg.mpra.read_library(folder / "LIB"))
    assert again.attrs["name"] == "bench"


@pytest.mark.rotating(6)
def test_the_virtual_trial_is_of_the_oligos(folder):
    outcomes = store.load(folder / "virtual" / "outcomes.nc", "outcomes")
    library = cg.mpra.read_library(folder / "LIB")
    elements = library["element"].values[library["group"].values == "test"]
    assert set(outcomes["unit"].values) == set(elements)
    assert "GATA1" in call("estimate", folder / "virtual").stdout


def test_a_library_of_another_design_keeps_its_own_analysis(folder, tmp_path):
    arms = '{plain = {}, GATA1 = {embed = "AGATAAG", at = 50}}'
    other = TRIAL.replace(
        '{placebo = {placebo = "AGATAAG", at = 96}, GATA1 = {embed = "AGATAAG", at = '
        "96}}",
        arms,
    )
    (tmp_path / "other.toml").write_text(
        other.replace('control = "placebo"', 'control = "plain"')
    )
    said = call(
        "mpra",
        "predict",
        tmp_path / "other.toml",
        "--design",
        folder / "LIB",
        "--out",
        tmp_path / "v",
    ).stdout
    assert said.startswith("The library is of another design than bench")
    found, asked = (
        store.load(x / "outcomes.nc", "outcomes")
        for x in (tmp_path / "v", folder / "virtual")
    )
    assert found.attrs["analysis"] == asked.attrs["analysis"]
    np.testing.assert_array_equal(found["outcome"], asked["outcome"])


def test_flanks_have_two_sides(folder, tmp_path):
    asked = (
        "mpra",
        "predict",
        folder / "trial.toml",
        "--design",
        folder / "LIB",
        "--out",
        tmp_path / "v",
        "--flanks",
    )
    refused(*asked, "ACGT", said="give both sides, LEFT,RIGHT")
    call(*asked, "ACGT,")


def test_the_table_has_what_the_verbs_say(folder):
    counts = cg.mpra.read_counts(
        folder / "counts.tsv.gz", side_table=folder / "LIB" / "arms.tsv"
    )
    counts = cg.mpra.filter(counts, min_barcodes=1)
    fitted = cg.mpra.fit(counts, control="placebo")
    table = pd.read_csv(folder / "measured" / "effects.csv").set_index("element")
    np.testing.assert_allclose(
        table.loc[fitted["element"].values, "ace"],
        fitted["ace"].values[:, 0],
        rtol=1e-12,
    )
    decided = cg.decide(fitted, rope=0, error="fdr")
    assert (
        table.loc[decided["contrast"].values, "verdict"].tolist()
        == decided["verdict"].values[:, 0].tolist()
    )


def test_the_average_is_near_its_truth(folder):
    found = cg.estimate(
        cg.contrast(
            store.load(folder / "measured" / "outcomes.nc", "outcomes"),
            control="placebo",
        )
    )
    true = (
        truth(folder)
        .query("group == 'test'")
        .pivot(index="element", columns="arm", values="log2")
    )
    mean = (true["GATA1"] - true["placebo"]).mean()
    assert abs(found["ace"].item() - mean) < 4 * found["se"].item()


@pytest.mark.rotating(6)
def test_a_contrast_without_spread_does_not_stop_the_others(tmp_path):
    effects = pd.DataFrame(
        {"element": [f"e{i}" for i in range(12)], "effect": np.arange(12.0), "se": 0.5}
    )
    table = pd.concat([effects.assign(contrast=one) for one in "AB"])
    table.to_csv(tmp_path / "measured.csv", index=False)
    table.assign(effect=table["effect"].where(table["contrast"] == "A", 0.9)).to_csv(
        tmp_path / "v.csv", index=False
    )
    asked = ("mpra", "compare", tmp_path / "v.csv", tmp_path / "measured.csv")
    found = call(*asked, "--out", tmp_path / "out")
    left_out = (
        "not compared, because elements that do not differ cannot agree: 'B' (all "
        "virtual effects are 0.9)"
    )
    assert f"warning: {left_out}\n" in found.stderr
    assert "Virtual and measured effects of 12 elements correlate" in found.stdout
    noted = call(*asked, "--notes", "--out", tmp_path / "noted").stdout
    assert f"Note: {left_out}." in noted
    assert pd.read_csv(tmp_path / "out" / "comparison.csv")[
        "contrast"
    ].unique().tolist() == ["A"]
    refused(*asked, "--contrast", "B", said="contrast 'B': all virtual effects are 0.9")


@pytest.mark.rotating
def test_what_was_analyzed_is_said(folder, tmp_path):
    out = tmp_path / "out"
    said = call(
        *(
            "mpra",
            "analyze",
            folder / "counts.tsv.gz",
            "--design",
            folder / "LIB",
            "--out",
            out,
        ),
        *(
            "--min-dna",
            "20",
            "--min-barcodes",
            "4",
            "--rope",
            "-0.1",
            "0.1",
            "--method",
            "two_way",
        ),
    ).stdout
    assert said.startswith("Compared with placebo, GATA1 raises log2 activity beyond ")
    assert said.index("\nelement") < said.index("Counts: 3 replicates agree")
    assert said.index("against ±0.1") < said.index("min_dna 20 left out")
    assert {p.name for p in out.iterdir()} == {
        *("outcomes.nc", "fit.nc", "decisions.nc", "answer.txt", "report.html"),
        *("effects.csv", "effects.tsv", "quality.txt"),
        *("barcodes.png", "replicates.png"),
    }
    assert "min_dna 20: left out" in (out / "quality.txt").read_text()
    assert "placebo" in call("analyze", out, "--rope=-0.1,0.1").stdout


@pytest.mark.rotating(6)
def test_virtual_and_measured_are_compared(folder, tmp_path):
    said = call(
        *(
            "mpra",
            "compare",
            folder / "virtual",
            folder / "measured",
            "--task",
            "K562",
            "--out",
            tmp_path,
        )
    ).stdout
    assert "effects of 40 elements correlate" in said
    table = pd.read_csv(tmp_path / "comparison.csv")
    assert len(table) == 40
    assert (tmp_path / "concordance.png").stat().st_size > 1_000
    tables = [tmp_path / name for name in ("virtual.csv", "measured.csv")]
    virtual = table[["element", "virtual"]].rename(columns={"virtual": "effect"})
    bench = table[["element", "measured", "measured_se"]].set_axis(
        ["element", "effect", "se"], axis=1
    )
    for path, frame in zip(tables, (virtual, bench), strict=True):
        frame.to_csv(path, index=False)
    again = call("mpra", "compare", *tables).stdout
    line = "correlation"
    assert [x for x in again.splitlines() if line in x] == [
        x for x in said.splitlines() if line in x
    ]


def test_power_is_the_grid_of_the_verb():
    said = call(
        "mpra", "power", "--effect", "0.5", "--barcodes", "10,20", "--replicates", "4"
    ).stdout
    noise = cg.mpra.NoiseModel(sd_barcode=0.6, sd_replicate=0.15)
    for value in cg.mpra.power(
        0.5, n_barcodes=[10.0, 20.0], n_replicates=4, depth=100, noise=noise
    )["power"].values:
        assert f"{value:.3g}" in said
    assert said.startswith(
        "None of 2 designs finds a log2 effect of 0.5 in one element with a power of "
        "0.8: the best has 20 barcodes of each oligo (0.56).\n"
    )
    assert "Two-sided test at 0.05; 4 replicates and 100 reads of a barcode." in said
    assert "Assumed: sd on log2 0.6 (barcodes), 0.15 (replicates)." in said
    said = call(
        "mpra",
        "power",
        "--backgrounds",
        "12,30",
        "--barcodes",
        "8",
        "--tau",
        "0.3",
        "--recovery",
        "0.8",
    ).stdout
    assert "on average over backgrounds with a power of 0.8" in said
    assert (
        "0.3 (effect between backgrounds), 80 % of the planned barcodes counted" in said
    )


@pytest.mark.rotating(6)
def test_power_from_a_pilot(folder):
    pilot = (
        "--pilot",
        folder / "counts.tsv.gz",
        "--design",
        folder / "LIB",
        "--control",
        "placebo",
    )
    assert "power" in call("mpra", "power", *pilot, "--barcodes", "10").stdout
    assert (
        "backgrounds" in call("mpra", "cheapest", "--half-width", "0.2", *pilot).stdout
    )


@pytest.mark.rotating
@pytest.mark.parametrize(
    "verb",
    [("power", "--barcodes", "10"), ("cheapest", "--half-width", "0.2")],
    ids=lambda v: v[0],
)
def test_cell_types_of_a_pilot_are_not_pooled(folder, tmp_path, verb):
    table = pd.read_csv(folder / "counts.tsv.gz", sep="\t")
    of_two, of_one = tmp_path / "two.tsv", tmp_path / "one.tsv"
    counted = [f"{kind}_count_{i}" for i in (1, 2) for kind in ("dna", "rna")]
    table[["barcode", "oligo_name", *counted]].to_csv(of_one, sep="\t", index=False)
    kinds = {
        f"_{i}": f"_{name}" for i, name in enumerate(("K562_1", "K562_2", "HepG2_1"), 1)
    }
    names = {
        f"{kind}_count{i}": f"{kind}_count{name}"
        for i, name in kinds.items()
        for kind in ("dna", "rna")
    }
    table.rename(columns=names).to_csv(of_two, sep="\t", index=False)
    options = ("--design", folder / "LIB", "--control", "placebo")
    refused(
        *("mpra", *verb, "--pilot", of_two, *options),
        said="cell types or conditions are not replicates of one another",
    )
    refused(
        "mpra",
        *verb,
        "--pilot",
        of_two,
        *options,
        said="one at a time, --pilot-replicates=K562_1,K562_2",
    )
    chosen = call(
        "mpra",
        *verb,
        "--pilot",
        of_two,
        *options,
        "--pilot-replicates",
        "K562_1, K562_2",
    ).stdout
    assert chosen == call("mpra", *verb, "--pilot", of_one, *options).stdout
    refused(
        "mpra", *verb, "--pilot-replicates", "K562_1", said="give its counts, --pilot"
    )


def test_what_is_said_beside_a_pilot_counts(folder):
    pilot = (
        "--pilot",
        folder / "counts.tsv.gz",
        "--design",
        folder / "LIB",
        "--control",
        "placebo",
    )
    asked = (
        "mpra",
        "power",
        *pilot,
        "--barcodes",
        "10",
        "--replicates",
        "3",
        "--backgrounds",
        "20",
    )
    components = cg.mpra.components(
        cg.mpra.read_counts(pilot[1], side_table=folder / "LIB" / "arms.tsv"),
        control="placebo",
    )
    grid = {
        "n_barcodes": 10,
        "n_replicates": 3,
        "n_backgrounds": 20,
        "pilot": components,
    }
    for said in ({}, {"tau": 2.0}, {"sd_barcode": 1.5}, {"depth": 20}):
        options = [
            part
            for name, value in said.items()
            for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        wanted = cg.mpra.power(0.5, **with_noise(grid | said))
        assert f"{wanted['se'].values.ravel()[0]:.3g}" in call(*asked, *options).stdout


@pytest.mark.rotating(6)
def test_the_cheapest_split():
    said = call("mpra", "cheapest", "--oligos", "2000").stdout
    assert said.startswith("With at most 2,000 oligos, the average effect is known ")
    assert int(re.search(r"([\d,]+) oligos, about", said)[1].replace(",", "")) <= 2_000
    assert "placeholders" in said


def test_more_barcodes_than_memory_holds_are_refused():
    refused(
        "mpra",
        "cheapest",
        "--half-width",
        "0.1",
        "--max-barcodes",
        "99999999",
        said="10000",
    )


@pytest.mark.rotating(6)
def test_the_cheapest_split_of_random_barcodes_with_losses_and_controls():
    said = call(
        *(
            "mpra",
            "cheapest",
            "--half-width",
            "0.15",
            "--random-barcodes",
            "0.3",
            "--recovery",
            "0.7",
        ),
        *("--controls", "150", "--oligo-length", "230"),
    ).stdout
    wanted = cg.mpra.cheapest(
        half_width=0.15, library=cg.mpra.PlannedLibrary(n_controls=150, oligo_length=230),
        noise=cg.mpra.NoiseModel(sd_barcode=0.6, sd_replicate=0.15, tau=0.5, barcode_dispersion=0.3, recovery=0.7),
    )  # fmt: skip
    head, line = said.split("\n\n")[1].splitlines()
    told = dict(
        zip(re.split(" {2,}", head), re.split(" {2,}", line.strip()), strict=True)
    )
    assert int(told["backgrounds"].replace(",", "")) == wanted["n_backgrounds"].item()
    assert (
        int(told["oligos"].replace(",", "")) == 2 * wanted["n_backgrounds"].item() + 150
    )
    assert float(told["price, USD"].replace(",", "")) == pytest.approx(
        wanted["price"].item(), rel=1e-3
    )
    for option, value in (
        ("recovery", "1.5"),
        ("recovery", "0"),
        ("random-barcodes", "-1"),
    ):
        words = f"--{option} {value}"
        refused(
            "mpra", "cheapest", "--half-width", "0.15", f"--{option}", value, said=words
        )


def test_the_power_of_random_barcodes_with_losses():
    said = call(
        "mpra",
        "power",
        "--barcodes",
        "20",
        "--replicates",
        "3",
        "--random-barcodes",
        "0.3",
        "--recovery",
        "0.5",
    )
    noise = cg.mpra.NoiseModel(
        sd_barcode=0.6, sd_replicate=0.15, barcode_dispersion=0.3, recovery=0.5
    )
    wanted = cg.mpra.power(0.5, n_barcodes=20, n_replicates=3, depth=100, noise=noise)
    assert f"{wanted['se'].item():.3g}" in said.stdout


def test_what_is_refused(folder, tmp_path):
    trial, counts, library = (
        folder / "trial.toml",
        folder / "counts.tsv.gz",
        folder / "LIB",
    )
    (tmp_path / "none.toml").write_text(TRIAL.replace("mpra = ", "# mpra = "))
    refused(
        "mpra",
        "design",
        tmp_path / "none.toml",
        "--out",
        tmp_path / "x",
        said="there is no [mpra] table; add one",
    )
    refused(
        "mpra",
        "design",
        trial,
        "--out",
        library,
        said="holds library.nc already; choose another --out, or --force",
    )
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "oligos.fa").write_text(">mine")
    refused(
        "mpra",
        "design",
        trial,
        "--out",
        tmp_path / "mine",
        said="holds oligos.fa already; choose another --out",
    )
    refused(
        "mpra",
        "predict",
        trial,
        "--design",
        library,
        "--out",
        folder / "virtual",
        said="holds outcomes.nc already",
    )
    refused(
        "mpra",
        "analyze",
        counts,
        "--design",
        library,
        "--out",
        folder / "measured",
        said="holds outcomes.nc already",
    )
    refused(
        "mpra",
        "analyze",
        counts,
        "--design",
        tmp_path / "no",
        "--out",
        tmp_path / "y",
        said="no such folder or file",
    )
    refused(
        *(
            "mpra",
            "analyze",
            counts,
            "--design",
            library / "arms.tsv",
            "--out",
            tmp_path / "y",
        ),
        said="which arm is the control? give --control, one of",
    )
    refused(
        *(
            "mpra",
            "analyze",
            counts,
            "--design",
            library,
            "--control",
            "none",
            "--out",
            tmp_path / "y",
        ),
        said="control 'none' is not an arm",
    )
    refused("mpra", "power", "--effect", "big", said="--effect 'big' must be a number")
    refused("mpra", "power", "--pilot", counts, said="--pilot needs --design")
    refused("mpra", "cheapest", said="give a goal")
    refused(
        "mpra",
        "compare",
        folder / "virtual",
        tmp_path / "no.csv",
        said="no such file or folder",
    )
    refused(
        "mpra", "compare", folder / "virtual", folder / "LIB", said="holds no fit.nc"
    )
    refused(
        "mpra",
        "compare",
        folder / "virtual",
        folder / "measured",
        said="say which one was measured",
    )
    assert not (tmp_path / "y").exists()


@pytest.mark.rotating
def test_one_replicate_is_analyzed_and_said(folder, tmp_path):
    one = cg.mpra.simulate(truth(folder), n_barcodes=6, n_replicates=1, rng=5)
    path = cg.mpra.to_igvf(one, tmp_path / "one.tsv", "reporter_experiment_barcode")
    said = call(
        "mpra",
        "analyze",
        path,
        "--design",
        folder / "LIB",
        "--out",
        tmp_path / "measured",
    ).stdout
    assert "One replicate was measured" in said
    assert "Exploratory" not in said
    assert "in this replicate alone" in str(
        xr.load_dataset(tmp_path / "measured" / "fit.nc").attrs["null"]
    )


@pytest.mark.rotating
@pytest.mark.once
def test_hits_by_benjamini_hochberg_unless_the_posterior_is_asked_for(folder, tmp_path):
    asked = (
        "mpra",
        "analyze",
        folder / "counts.tsv.gz",
        "--design",
        folder / "LIB",
        "--arms",
        "placebo, GATA1",
    )
    said = call(*asked, "--out", tmp_path / "measured")
    assert "Verdict: the side of 0 on which the interval lies, if q" in said.stdout
    table = pd.read_csv(tmp_path / "measured" / "effects.csv")
    assert (table["q"] < 0.05).any()
    assert (table["verdict"][table["q"] < 0.05] != "undecided").all()
    assert (
        "posterior"
        in call(*asked, "--error", "posterior", "--out", tmp_path / "local").stdout
    )


def _counted(rng, effects):
    """Counts of elements under two arms, and of pairs of one sequence, which stand
    under arms of their own.
    """
    rows = []
    arms = [
        (f"e{i}", arm, effect * (arm == "on"))
        for i, effect in enumerate(effects)
        for arm in ("off", "on")
    ]
    arms += [
        (f"aa{i}", arm, 0.0) for i in range(8) for arm in ("duplicate 1", "duplicate 2")
    ]
    side = pd.DataFrame(
        [(f"{e}_{a.replace(' ', '')}", e, a) for e, a, _ in arms],
        columns=["oligo_name", "element", "arm"],
    )
    for name, (_, _, log2) in zip(side["oligo_name"], arms, strict=True):
        for _ in range(10):
            row = {
                "barcode": "".join("ACGT"[len(rows) // 4**k % 4] for k in range(8)),
                "oligo_name": name,
            }
            for replicate in (1, 2, 3):
                dna = rng.poisson(60)
                row[f"dna_count_{replicate}"] = dna
                row[f"rna_count_{replicate}"] = rng.poisson(
                    rng.gamma(10, dna * 2 * 2**log2 / 10)
                )
            rows.append(row)
    return side, pd.DataFrame(rows)


@pytest.mark.rotating
@pytest.mark.once
def test_negatives_beside_as_many_large_effects_are_not_called(tmp_path):
    called = effects = 0
    for seed in range(4):
        side, counts = _counted(np.random.default_rng(seed), [2.0] * 40 + [0.0] * 40)
        side.to_csv(tmp_path / "arms.tsv", sep="\t", index=False)
        counts.to_csv(tmp_path / "counts.tsv", sep="\t", index=False)
        out = tmp_path / f"out{seed}"
        call(
            "mpra",
            "analyze",
            tmp_path / "counts.tsv",
            "--design",
            tmp_path / "arms.tsv",
            "--control",
            "off",
            "--out",
            out,
        )
        table = pd.read_csv(out / "effects.csv").set_index("element")
        # the pairs are of other arms
        assert sorted(table.index) == sorted(f"e{i}" for i in range(80))
        verdict = table["verdict"].isin(["increases", "decreases"])
        effects += verdict[[f"e{i}" for i in range(40)]].sum()
        called += verdict[[f"e{i}" for i in range(40, 80)]].sum()
    assert effects == 160
    # of 8 expected at a false discovery rate of 5 %; .56 of them by the posterior's FDR
    assert called <= 20


@pytest.mark.rotating
@pytest.mark.once
def test_verdicts_without_one_false_are_fewer(folder, tmp_path):
    asked = (
        "mpra",
        "analyze",
        folder / "counts.tsv.gz",
        "--design",
        folder / "LIB",
        "--method",
        "two_way",
    )
    found = {
        error: call(*asked, "--error", error, "--out", tmp_path / error).stdout
        for error in ("fdr", "fwer")
    }
    verdicts = {
        error: pd.read_csv(tmp_path / error / "effects.csv")["verdict"]
        for error in found
    }
    assert set(verdicts["fwer"]) <= {"increases", "decreases", "undecided"}
    assert (verdicts["fwer"] != "undecided").sum() <= (
        verdicts["fdr"] != "undecided"
    ).sum()
    assert "posterior" not in found["fwer"]


def test_a_control_that_is_no_arm_is_named(folder, tmp_path):
    asked = (
        "mpra",
        "analyze",
        folder / "counts.tsv.gz",
        "--design",
        folder / "LIB",
        "--out",
        tmp_path / "x",
    )
    refused(
        *asked,
        "--control",
        "placbo",
        said=["control 'placbo' is not an arm", "did you mean 'placebo'?"],
    )


@pytest.mark.rotating(6)
def test_a_parallel_library_has_an_average_and_no_effects_of_elements(tmp_path):
    (tmp_path / "trial.toml").write_text(
        TRIAL.replace("rng = 7", 'rng = 7\nassignment = "parallel"')
    )
    call("mpra", "design", tmp_path / "trial.toml", "--out", tmp_path / "LIB")
    side = cg.mpra.read_library(tmp_path / "LIB")[
        ["oligo_name", "element", "arm", "group"]
    ].to_dataframe()
    level = np.random.default_rng(1).normal(0, 0.3, len(side)) + (
        side["arm"] == "GATA1"
    )
    counts = cg.mpra.simulate(
        side.assign(log2=level), n_barcodes=6, n_replicates=2, rng=2
    )
    path = cg.mpra.to_igvf(
        counts, tmp_path / "counts.tsv", "reporter_experiment_barcode"
    )
    said = call(
        "mpra",
        "analyze",
        path,
        "--design",
        tmp_path / "LIB",
        "--out",
        tmp_path / "measured",
    ).stdout
    assert said.startswith("Effect on log2(RNA/DNA) of GATA1: ")
    assert "40 units" in said
    assert "Each element has one arm" in said
    assert {f.name for f in (tmp_path / "measured").iterdir()} == {
        *("outcomes.nc", "estimates.nc", "answer.txt", "effects.tsv", "quality.txt"),
        *("barcodes.png", "replicates.png", "report.html"),
    }


PILOT = ("--pilot", "{counts}", "--design", "{LIB}", "--control", "placebo")
NOISY = ("mpra", "analyze", "{counts}", "--design", "{LIB}", "--out", "{out}")
CURES = {  # what is asked, and what the cure says in the words of the command line
    (*NOISY, "--arms", "nosuch"): "--arms 'nosuch' is not an arm",
    (*NOISY, "--min-dna", "nan"): "--min-dna nan must be a number of at least 0",
    (*NOISY, "--min-dna", "1e9"): "--min-dna",
    (*NOISY, "--min-barcodes", "100"): "--min-barcodes 100",
    (*NOISY, "--ci-prob", "2"): "--ci-prob 2 is not a number from 0.5 to below 1",
    (*NOISY, "--level", "2"): "No such option: --level; --level is --ci-prob now",
    (*NOISY, "--error", "foo"): "'fdr', 'fwer', 'each', 'posterior'",
    (*NOISY, "--error", "bh"): "'bh' has another name: 'fdr'",
    (
        *NOISY,
        "--control",
        "scramble",
    ): "no element has 'scramble' and another arm beside it",
    (*NOISY, "--arms", "GATA1,GATA2"): "--arms 'GATA2' is not an arm",
    (*NOISY, "--replicates", "7"): "--replicates=7: no replicate '7'",
    (*NOISY, "--contrasts", "GATA1 - foo"): "foo",
    (
        "mpra",
        "analyze",
        "{counts}",
        "--design",
        "{few}",
        "--control",
        "a",
        "--out",
        "{out}",
    ): "give the side table of the library that was measured",
    (
        "mpra",
        "power",
        *PILOT,
        "--pilot-replicates",
        "7",
    ): "--pilot-replicates=7: no replicate",
    (
        "mpra",
        "power",
        *PILOT,
        "--pilot-arms",
        "nosuch",
    ): "--pilot-arms 'nosuch' is not an arm",
    ("mpra", "power", "--pilot-arms", "GATA1"): "give its counts, --pilot",
    (
        "mpra",
        "power",
        "--control",
        "placebo",
    ): "--control is about a pilot; give its counts, --pilot",
    (
        "mpra",
        "cheapest",
        "--half-width",
        "0.2",
        "--design",
        "{LIB}",
    ): "--design is about a pilot",
    (
        "mpra",
        "power",
        "--random-barcodes",
        "nan",
    ): "--random-barcodes nan must be a number of at least 0",
    ("mpra", "power", "--effect", "nan"): "--effect",
    ("mpra", "power", "--barcodes", "0"): "--barcodes",
    ("mpra", "power", "--replicates", "1.5"): "--replicates 1.5",
    ("mpra", "power", "--backgrounds", "1"): "--backgrounds",
    ("mpra", "power", "--depth", "inf"): "--depth",
    ("mpra", "power", "--recovery", "2"): "--recovery",
    ("mpra", "power", "--alpha", "2"): "--alpha",
    ("mpra", "power", "--alpha", "0"): "for example --alpha 0.05",
    (
        "mpra",
        "power",
        "--alpha",
        ".1",
        "--q",
        ".05",
    ): "--alpha 0.1 and --q 0.05 are two error rates of one test",
    ("mpra", "power", "--q", "2"): "--q",
    ("mpra", "power", "--sd-barcode", "-1"): "--sd-barcode",
    ("mpra", "power", "--tau", "nan"): "--tau nan",
    (
        "mpra",
        "cheapest",
    ): "give a goal (--half-width or --effect) or a limit (--budget or --oligos)",
    (
        "mpra",
        "cheapest",
        "--half-width",
        ".1",
        "--effect",
        "1",
    ): "give --half-width (an interval) or --effect (a test)",
    ("mpra", "cheapest", "--half-width", "nan"): "--half-width",
    (
        "mpra",
        "cheapest",
        "--half-width",
        "1e-9",
    ): "--max-barcodes, --max-replicates or --depth",
    (
        "mpra",
        "cheapest",
        "--half-width",
        ".1",
        "--price",
        "{trial}",
    ): "it has no 'pool'; copy the packaged one",
    ("mpra", "cheapest", "--oligos", "3"): "raise --oligos, ask for less",
    ("mpra", "cheapest", "--budget", "1"): "raise --budget",
    ("mpra", "cheapest", "--half-width", ".1", "--oligo-length", "5000"): "5000 nt",
    (
        "mpra",
        "cheapest",
        "--half-width",
        ".1",
        "--random-barcodes",
        "inf",
    ): "--random-barcodes inf",
    (
        "mpra",
        "design",
        "{tags}",
        "--out",
        "{out}",
    ): "min_distance and seeds in [mpra] are of synthesized",
    (
        "mpra",
        "predict",
        "{trial}",
        "--design",
        "{few}",
        "--out",
        "{out}",
    ): "is a table, and a library is read from its folder",
    (
        "mpra",
        "compare",
        "{virtual}",
        "{measured}",
    ): "say which one was measured: --task",
    ("mpra", "compare", "{virtual}", "{measured}", "--task", "nosuch"): "nosuch",
    (
        "mpra",
        "compare",
        "{virtual}",
        "{measured}",
        "--task",
        "K562",
        "--contrast",
        "nosuch",
    ): "no contrast 'nosuch'",
    ("mpra", "compare", "{AB}", "{CD}"): "name them alike",
    (
        "mpra",
        "compare",
        "{A}",
        "{AB}",
        "--task",
        "K562",
    ): "are of one task already; leave --task K562 out",
    (
        "mpra",
        "compare",
        "{A}",
        "{AB}",
        "--control",
        "placebo",
    ): "is chosen already; leave --control placebo out",
    (
        *("mpra", "compare", "{flat}", "{AB}"),
        *("--contrast", "A", "--contrast", "B"),
    ): "name the others: --contrast",
    ("mpra", "compare", "{ragged}", "{too}"): "compare one at a time: --contrast",
    (
        "mpra",
        "compare",
        "{tied}",
        "{A}",
    ): "cannot agree; compare elements that do differ",
    (
        "mpra",
        "compare",
        "{AB}",
        "{virtual}",
    ): "causalgia mpra analyze counts.tsv --design LIB --out measured",
    ("mpra", "compare", "{measured}", "{measured}"): "is given for both trials",
}


@pytest.mark.rotating(6)
@pytest.mark.parametrize("asked", CURES, ids=lambda asked: " ".join(asked[1:])[:80])
def test_cures_are_in_the_words_of_the_command_line(folder, tmp_path, asked):
    places = {name: folder / name for name in ("LIB", "virtual", "measured")} | {
        "counts": folder / "counts.tsv.gz"
    }
    places["trial"] = folder / "trial.toml"
    places |= {"out": tmp_path / "out", "few": tmp_path / "few.tsv"}
    places["few"].write_text("oligo_name\telement\tarm\nfoo\te\ta\n")
    places["tags"] = tmp_path / "tags.toml"
    places["tags"].write_text(
        places["trial"].read_text().replace("n_scrambles = 20", "min_distance = 2")
    )
    effects = pd.DataFrame(
        {"element": [f"e{i}" for i in range(12)], "effect": np.arange(12.0), "se": 0.5}
    )
    for name, contrasts in {
        "AB": "AB",
        "A": "A",
        "CD": "CD",
        "flat": "AB",
        "ragged": "AB",
        "too": "AB",
        "tied": "A",
    }.items():
        table = pd.concat([effects.assign(contrast=one) for one in contrasts])
        if name in ("flat", "tied"):
            table["effect"] = np.where(table["contrast"] == "A", 1.0, table["effect"])
        places[name] = tmp_path / f"{name}.csv"
        (table.iloc[:-1] if name in ("ragged", "too") else table).to_csv(
            places[name], index=False
        )
    found = call(*(str(part).format(**places) for part in asked), code=2).stderr
    said = found
    for place in places.values():
        said = said.replace(str(place), "")
    assert CURES[asked] in said, found
    assert not re.search(r"(?<![-\w])[a-z][a-z_]*=|\bcg\.|in Python|\.sel\(", said), (
        found
    )
    assert not places["out"].exists()


@pytest.mark.parametrize(
    "asked",
    [
        ("mpra", "compare", "{bad}", "{measured}"),
        ("mpra", "compare", "{virtual}", "{bad}"),
        ("mpra", "analyze", "{bad}", "--design", "{LIB}", "--out", "{out}"),
        ("mpra", "analyze", "{counts}", "--design", "{bad}", "--out", "{out}"),
        ("mpra", "predict", "{trial}", "--design", "{bad}", "--out", "{out}"),
        ("mpra", "design", "{bad}", "--out", "{out}"),
        (
            "mpra",
            "power",
            "--pilot",
            "{bad}",
            "--design",
            "{LIB}",
            "--control",
            "placebo",
        ),
        ("mpra", "cheapest", "--half-width", ".1", "--price", "{bad}"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("bad", ["/dev/zero", "pipe"])
def test_a_device_is_no_file(folder, tmp_path, asked, bad):
    if bad == "pipe":
        os.mkfifo(tmp_path / "pipe")
        bad = str(tmp_path / "pipe")
    places = {name: folder / name for name in ("LIB", "virtual", "measured")} | {
        "counts": folder / "counts.tsv.gz"
    }
    places["trial"] = folder / "trial.toml"
    places |= {"out": tmp_path / "out", "trial": folder / "trial.toml", "bad": bad}
    refused(
        *(part.format(**places) for part in asked),
        said=f"{bad}: is a pipe or a device, not a file",
    )


@pytest.mark.parametrize("out", ["/dev/null", "file", "file/below"])
@pytest.mark.parametrize(
    "asked",
    [
        ("design", "{trial}"),
        ("predict", "{trial}", "--design", "{LIB}"),
        ("analyze", "{counts}", "--design", "{LIB}"),
        ("compare", "{virtual}", "{measured}", "--task", "K562"),
    ],
    ids=lambda asked: asked[0],
)
def test_a_place_where_nothing_can_be_written_is_refused_first(
    folder, tmp_path, asked, out, monkeypatch
):
    """`refused` holds that nothing was printed; nor is anything read or made."""
    (tmp_path / "file").write_text("mine")
    places = {name: folder / name for name in ("LIB", "virtual", "measured")}
    places |= {"counts": folder / "counts.tsv.gz", "trial": folder / "trial.toml"}
    for name in ("library", "virtual_trial", "read_counts", "concordance"):
        monkeypatch.setattr(
            cg.mpra, name, lambda *_, **__: pytest.fail("work was done")
        )
    # of /dev/null: itself
    asked = (*(part.format(**places) for part in asked), "--out", str(tmp_path / out))
    refused("mpra", *asked, said="cannot be made a folder")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.rotating
def test_the_noise_of_one_arm_of_a_pilot_and_limits_of_what_is_tried(folder):
    pilot = (
        "--pilot",
        folder / "counts.tsv.gz",
        "--design",
        folder / "LIB",
        "--control",
        "placebo",
    )
    one = call(
        "mpra", "cheapest", "--half-width", "0.2", *pilot, "--pilot-arms", "GATA1"
    )
    assert one.stdout == call("mpra", "cheapest", "--half-width", "0.2", *pilot).stdout
    tried = ("--max-barcodes", "7", "--max-replicates", "3", "--depth", "40")
    said = call("mpra", "cheapest", "--half-width", "0.2", *tried).stdout
    wanted = cg.mpra.cheapest(
        half_width=0.2,
        n_barcodes=range(3, 8),
        n_replicates=[2, 3],
        depth=40,
        noise=cg.mpra.NoiseModel(sd_barcode=0.6, sd_replicate=0.15, tau=0.5),
    )
    assert f"{wanted['price'].item():,.4g}" in said
    assert wanted["depth"].item() == 40


@pytest.mark.rotating(6)
def test_a_split_is_for_the_noise_of_one_treatment(tmp_path):
    names = [f"e{i}" for i in range(20)]
    table = pd.DataFrame(
        {"element": np.repeat(names, 3), "arm": ["c", "a", "b"] * 20, "log2": 0.0}
    )
    counts = cg.mpra.simulate(table, n_barcodes=6, n_replicates=2, rng=1)
    cg.mpra.to_igvf(counts, tmp_path / "counts.tsv", "reporter_experiment_barcode")
    side = (
        counts[["element", "arm"]]
        .to_dataframe()[["element", "arm"]]
        .rename_axis("oligo_name")
        .reset_index()
    )
    side.to_csv(tmp_path / "arms.tsv", sep="\t", index=False)
    pilot = (
        "--pilot",
        tmp_path / "counts.tsv",
        "--design",
        tmp_path / "arms.tsv",
        "--control",
        "c",
    )
    asked = ("mpra", "cheapest", "--half-width", "0.3", *pilot)
    refused(
        *asked,
        said="the pilot has several treatments ('a', 'b'); choose one, --pilot-arms a",
    )
    assert "backgrounds" in call(*asked, "--pilot-arms", "b").stdout


@pytest.mark.rotating
def test_what_a_former_comparison_left_is_removed_and_named(tmp_path):
    effects = np.arange(30.0)
    table = pd.DataFrame(
        {
            "element": [f"u{i}" for i in range(30)],
            "effect": effects,
            "se": 0.5,
            "contrast": "A",
        }
    )
    both = pd.concat([table, table.assign(contrast="B")])
    both.to_csv(tmp_path / "virtual.csv", index=False)
    both.assign(effect=both["effect"] + np.sin(both["effect"])).to_csv(
        tmp_path / "measured.csv", index=False
    )
    asked = (
        "mpra",
        "compare",
        tmp_path / "virtual.csv",
        tmp_path / "measured.csv",
        "--out",
        tmp_path / "out",
    )
    call(*asked)
    call("report", tmp_path / "out")
    assert "Removed" not in call(*asked).stdout  # the same again
    said = call(*asked, "--contrast", "A").stdout
    assert "Removed concordance_2.png: not of these results." in said
    assert "Moved report.html to report.1.html: it is of other results." in said
    assert not {"concordance_2.png", "report.html"} & {
        path.name for path in (tmp_path / "out").iterdir()
    }


@pytest.mark.rotating
def test_what_former_outcomes_of_the_bench_left_is_removed_and_named(folder, tmp_path):
    design = ("--design", folder / "LIB")
    virtual, out = tmp_path / "virtual", tmp_path / "measured"
    predict = ("mpra", "predict", folder / "trial.toml", *design, "--out", virtual)
    call(*predict)
    call("estimate", virtual)
    call("report", virtual)
    assert (
        "Moved report.html to report.1.html: it is of other results.\n"
        "Removed estimates.nc, forest.png, answer.txt, effects.tsv: "
        in call(*predict, "--force").stdout
    )
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "report.html").write_text("of something else")
    refused(
        *predict[:-1],
        tmp_path / "page",
        said="holds report.html already; choose another --out, or --force",
    )
    analyze = ("mpra", "analyze", folder / "counts.tsv.gz", *design, "--out", out)
    call(*analyze)
    call("estimate", out)
    found = call(*analyze, "--replicates", "1", "--force")
    removed = "estimates.nc, forest.png, replicates.png: "
    assert f"Removed {removed}" in found.stdout


def test_names_in_tables_of_effects_are_text(tmp_path):
    """Names like NA were missing values, 001 and 1 one contrast, and of two columns one
    was taken without a word.
    """
    names = ["NA", "null", "007", *(f"u{i}" for i in range(27))]
    effects = np.arange(30.0)
    table = pd.DataFrame(
        {"element": names, "effect": effects, "se": 0.5, "contrast": "001"}
    )
    table.to_csv(tmp_path / "virtual.csv", index=False)
    table.assign(effect=effects + np.sin(effects)).to_csv(tmp_path / "measured.csv")
    said = call(
        "mpra", "compare", tmp_path / "virtual.csv", tmp_path / "measured.csv"
    ).stdout
    assert said.startswith("Virtual and measured effects of 30 elements correlate")
    assert "\n001 " in said
    other = pd.concat([table, table.assign(contrast="2")]).replace({"001": "1"})
    other.to_csv(tmp_path / "other.csv", index=False)
    refused(
        "mpra",
        "compare",
        tmp_path / "virtual.csv",
        tmp_path / "other.csv",
        said="share no name",
    )
    text = (tmp_path / "virtual.csv").read_text()
    for (
        separator
    ) in "\t; |":  # a table of one column, or with bars, was split at the letter e
        (tmp_path / "split.csv").write_text("\n" + text.replace(",", separator))
        assert (
            call(
                "mpra", "compare", tmp_path / "split.csv", tmp_path / "measured.csv"
            ).stdout
            == said
        )
    wrong = {
        "twice": (
            text.replace("se,contrast", "effect,contrast"),
            "has the column 'effect' twice",
        ),
        "longer": (
            text.replace("0.5,001", "0.5,001,7"),
            "Expected 4 fields in line 2, saw 5",
        ),
        "nameless": (text.replace("007,", ","), "row 3 of the table has no element"),
        "orphan": (
            text.replace("contrast\n", "parent\n").replace("001\n", "\n"),
            "the parent of element 'NA' is empty",
        ),
        "alone": (
            "element\nNA\n",
            "has columns element; a table of effects has element, effect and se",
        ),
    }
    for name, (changed, words) in wrong.items():
        (tmp_path / f"{name}.csv").write_text(changed)
        refused(
            "mpra",
            "compare",
            tmp_path / f"{name}.csv",
            tmp_path / "measured.csv",
            said=words,
        )
