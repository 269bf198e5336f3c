"""The bench on the command line: a library out, the virtual trial, counts in, the two
compared; and what is refused.
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from assay import with_noise
from in_shell import invoke
from test_cli import call, refused

import causalgia as cg
from causalgia import store
from causalgia.errors import EstimateError

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


def test_a_library_is_ordered(folder, tmp_path):
    call("mpra", "design", folder / "trial.toml", "--out", tmp_path / "LIB")
    again = cg.mpra.read_library(tmp_path / "LIB")
    arms = again["arm"].to_series().value_counts().to_dict()
    assert arms == {"placebo": 40, "GATA1": 40, "scramble": 20}
    assert again.identical(cg.mpra.read_library(folder / "LIB"))
    assert again.attrs["name"] == "bench"


def test_a_library_is_ordered_over_pools(folder, tmp_path):
    trial, out = folder / "trial.toml", tmp_path / "LIB"
    call("mpra", "design", trial, "--out", out, "--pools", 2, "--bridge", 8)
    library = cg.mpra.read_library(out)
    rows = library.to_dataframe()
    test = rows[rows["group"] == "test"]
    assert (test.groupby("element")["pool"].nunique() == 2).sum() == 8
    one = cg.mpra.read_library(out / "pool_1")
    assert set(one["name"].values) == set(rows["name"][rows["pool"] == 1])
    refused("mpra", "design", trial, "--out", out)
    call("mpra", "design", trial, "--out", out, "--force")
    assert not [*out.glob("pool_*/*")]


def test_the_virtual_trial_is_of_the_oligos(folder):
    outcomes = store.load(folder / "virtual" / "outcomes.nc", "outcomes")
    library = cg.mpra.read_library(folder / "LIB")
    elements = library["element"].values[library["group"].values == "test"]
    assert set(outcomes["unit"].values) == set(elements)
    assert "GATA1" in call("analyze", folder / "virtual").stdout


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
    call(
        "mpra",
        "predict",
        tmp_path / "other.toml",
        "--design",
        folder / "LIB",
        "--out",
        tmp_path / "v",
    )
    found, asked = (
        store.load(x / "outcomes.nc", "outcomes")
        for x in (tmp_path / "v", folder / "virtual")
    )
    assert found.attrs["analysis"] == asked.attrs["analysis"]
    np.testing.assert_array_equal(found["outcome"], asked["outcome"])


def test_a_network_alone_predicts_a_library(folder, tmp_path):
    (tmp_path / "net.toml").write_text('[predictor]\nzoo = "gata1_like"\n')
    words = ["--design", folder / "LIB", "--out", tmp_path / "v"]
    call("mpra", "predict", tmp_path / "net.toml", *words)
    found, asked = (
        store.load(x / "outcomes.nc", "outcomes")
        for x in (tmp_path / "v", folder / "virtual")
    )
    assert found.attrs["name"] == asked.attrs["name"]
    assert found.attrs["analysis"] == asked.attrs["analysis"]
    np.testing.assert_array_equal(found["outcome"], asked["outcome"])
    assert "GATA1" in call("analyze", tmp_path / "v").stdout


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
    refused(*asked, "ACGT")
    call(*asked, "ACGT,")


def test_the_table_has_what_the_verbs_say(folder):
    counts = cg.mpra.read_counts(
        folder / "counts.tsv.gz", side_table=folder / "LIB" / "arms.tsv"
    )
    counts = cg.mpra.filter(counts, min_barcodes=1)
    fitted = cg.mpra.fit(counts, control="placebo")
    table = pd.read_csv(folder / "measured" / "effects.tsv", sep="\t").set_index("term")
    np.testing.assert_allclose(
        table.loc[fitted["element"].values, "estimate"],
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


@pytest.mark.simulation
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
    call(*asked, "--out", tmp_path / "out")
    call(*asked, "--notes", "--out", tmp_path / "noted")
    assert pd.read_csv(tmp_path / "out" / "comparison.csv")[
        "contrast"
    ].unique().tolist() == ["A"]
    refused(*asked, "--contrast", "B")


@pytest.mark.simulation
def test_what_was_analyzed_is_said(folder, tmp_path):
    out = tmp_path / "out"
    call(
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
    )
    assert {p.name for p in out.iterdir()} == {
        *("outcomes.nc", "fit.nc", "decisions.nc", "answer.txt", "report.html"),
        "effects.tsv",
    }
    assert "placebo" in call("analyze", out, "--rope=-0.1,0.1").stdout


@pytest.mark.simulation
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
        "mpra",
        "power",
        "--true-effect",
        "0.5",
        "--n-barcodes",
        "10,20",
        "--n-replicates",
        "4",
    ).stdout
    noise = cg.mpra.NoiseModel(sd_barcode=0.6, sd_replicate=0.15)
    for value in cg.mpra.power(
        0.5, n_barcodes=[10.0, 20.0], n_replicates=4, depth=100, noise=noise
    )["power"].values:
        assert f"{value:.3g}" in said
    said = call(
        "mpra",
        "power",
        "--n-backgrounds",
        "12,30",
        "--n-barcodes",
        "8",
        "--tau",
        "0.3",
        "--recovery",
        "0.8",
    ).stdout


def test_power_from_a_pilot(folder):
    pilot = (
        folder / "counts.tsv.gz",
        "--design",
        folder / "LIB",
        "--control",
        "placebo",
    )
    assert "power" in call("mpra", "power", *pilot, "--n-barcodes", "10").stdout


@pytest.mark.simulation
def test_cell_types_of_a_pilot_are_not_pooled(folder, tmp_path):
    verb = ("power", "--n-barcodes", "10")
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
        *("mpra", *verb, of_two, *options),
    )
    refused(
        "mpra",
        *verb,
        of_two,
        *options,
    )
    chosen = call(
        "mpra",
        *verb,
        of_two,
        *options,
        "--replicates",
        "K562_1, K562_2",
    ).stdout
    assert chosen == call("mpra", *verb, of_one, *options).stdout
    refused("mpra", *verb, "--replicates", "K562_1")


def test_what_is_said_beside_a_pilot_counts(folder):
    pilot = (
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
        "--n-barcodes",
        "10",
        "--n-replicates",
        "3",
        "--n-backgrounds",
        "20",
    )
    components = cg.mpra.components(
        cg.mpra.read_counts(pilot[0], side_table=folder / "LIB" / "arms.tsv"),
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


def test_the_power_of_random_barcodes_with_losses():
    said = call(
        "mpra",
        "power",
        "--n-barcodes",
        "20",
        "--n-replicates",
        "3",
        "--barcode-dispersion",
        "0.3",
        "--recovery",
        "0.5",
    )
    noise = cg.mpra.NoiseModel(
        sd_barcode=0.6, sd_replicate=0.15, barcode_dispersion=0.3, recovery=0.5
    )
    wanted = cg.mpra.power(0.5, n_barcodes=20, n_replicates=3, depth=100, noise=noise)
    assert f"{wanted['se'].item():.3g}" in said.stdout


def test_the_losses_and_errors_of_a_plan_are_options():
    said = call(
        *("mpra", "power", "--n-barcodes", "20", "--n-replicates", "3"),
        *("--missing", "0.1", "--p-silent", "0.02", "--outliers", "0.03"),
        *("--sd-shared", "0.1"),
    )
    noise = cg.mpra.NoiseModel(
        sd_barcode=0.6,
        sd_replicate=0.15,
        missing=0.1,
        p_silent=0.02,
        outliers=0.03,
        sd_shared=0.1,
    )
    wanted = cg.mpra.power(0.5, n_barcodes=20, n_replicates=3, depth=100, noise=noise)
    assert f"{wanted['power'].item():.3g}" in said.stdout


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
    )
    refused(
        "mpra",
        "design",
        trial,
        "--out",
        library,
    )
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "oligos.fa").write_text(">mine")
    refused(
        "mpra",
        "design",
        trial,
        "--out",
        tmp_path / "mine",
    )
    refused(
        "mpra",
        "predict",
        trial,
        "--design",
        library,
        "--out",
        folder / "virtual",
    )
    refused(
        "mpra",
        "analyze",
        counts,
        "--design",
        library,
        "--out",
        folder / "measured",
    )
    refused(
        "mpra",
        "analyze",
        counts,
        "--design",
        tmp_path / "no",
        "--out",
        tmp_path / "y",
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
    )
    refused(
        "mpra",
        "compare",
        folder / "virtual",
        tmp_path / "no.csv",
    )
    refused("mpra", "compare", folder / "virtual", folder / "LIB")
    refused(
        "mpra",
        "compare",
        folder / "virtual",
        folder / "measured",
    )
    assert not (tmp_path / "y").exists()


@pytest.mark.simulation
def test_one_replicate_is_analyzed_and_said(folder, tmp_path):
    one = cg.mpra.simulate(truth(folder), n_barcodes=6, n_replicates=1, rng=5)
    path = cg.mpra.to_igvf(one, tmp_path / "one.tsv", "reporter_experiment_barcode")
    call(
        "mpra",
        "analyze",
        path,
        "--design",
        folder / "LIB",
        "--out",
        tmp_path / "measured",
    )


@pytest.mark.simulation
def test_hits_by_benjamini_hochberg_unless_the_posterior_is_asked_for(folder, tmp_path):
    asked = (
        "mpra",
        "analyze",
        folder / "counts.tsv.gz",
        "--design",
        folder / "LIB",
        "--arm-names",
        "placebo, GATA1",
    )
    call(*asked, "--out", tmp_path / "measured")
    table = pd.read_csv(tmp_path / "measured" / "effects.tsv", sep="\t")
    assert (table["q"] < 0.05).any()
    assert (table["verdict"][table["q"] < 0.05] != "undecided").all()


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


@pytest.mark.simulation
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
        table = pd.read_csv(out / "effects.tsv", sep="\t").set_index("term")
        # the pairs are of other arms
        assert sorted(table.index) == sorted(f"e{i}" for i in range(80))
        verdict = table["verdict"].isin(["increases", "decreases"])
        effects += verdict[[f"e{i}" for i in range(40)]].sum()
        called += verdict[[f"e{i}" for i in range(40, 80)]].sum()
    assert effects == 160
    # of 8 expected at a false discovery rate of 5 %; .56 of them by the posterior's FDR
    assert called <= 20


@pytest.mark.simulation
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
        error: pd.read_csv(tmp_path / error / "effects.tsv", sep="\t")["verdict"]
        for error in found
    }
    assert set(verdicts["fwer"]) <= {"increases", "decreases", "undecided"}
    assert (verdicts["fwer"] != "undecided").sum() <= (
        verdicts["fdr"] != "undecided"
    ).sum()


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
    )


@pytest.mark.simulation
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
    assert "40 units" in said
    assert {f.name for f in (tmp_path / "measured").iterdir()} == {
        *("outcomes.nc", "estimates.nc", "answer.txt", "effects.tsv", "report.html"),
    }


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
        done = functools.wraps(getattr(cg.mpra, name))
        monkeypatch.setattr(
            cg.mpra, name, done(lambda *_, **__: pytest.fail("work was done"))
        )
    # of /dev/null: itself
    asked = (*(part.format(**places) for part in asked), "--out", str(tmp_path / out))
    refused("mpra", *asked)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.simulation
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
    call(*asked)
    call(*asked, "--contrast", "A")
    assert not {"concordance_2.png", "report.html"} & {
        path.name for path in (tmp_path / "out").iterdir()
    }


@pytest.mark.simulation
def test_what_former_outcomes_of_the_bench_left_is_removed_and_named(folder, tmp_path):
    design = ("--design", folder / "LIB")
    virtual, out = tmp_path / "virtual", tmp_path / "measured"
    predict = ("mpra", "predict", folder / "trial.toml", *design, "--out", virtual)
    call(*predict)
    call("analyze", virtual)
    call("report", virtual)
    call(*predict, "--force")
    for gone in ("estimates.nc", "forest.png", "report.html"):
        assert not (virtual / gone).exists()
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "report.html").write_text("of something else")
    refused(*predict[:-1], tmp_path / "page")
    analyze = ("mpra", "analyze", folder / "counts.tsv.gz", *design, "--out", out)
    call(*analyze)
    call("analyze", out)
    call(*analyze, "--replicates", "1", "--force")
    for gone in ("estimates.nc", "forest.png", "replicates.png"):
        assert not (out / gone).exists()


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
    assert "\n001 " in said
    other = pd.concat([table, table.assign(contrast="2")]).replace({"001": "1"})
    other.to_csv(tmp_path / "other.csv", index=False)
    refused(
        "mpra",
        "compare",
        tmp_path / "virtual.csv",
        tmp_path / "other.csv",
    )
    text = (tmp_path / "virtual.csv").read_text()
    for separator in "\t; ":
        (tmp_path / "split.csv").write_text(text.replace(",", separator))
        assert (
            call(
                "mpra", "compare", tmp_path / "split.csv", tmp_path / "measured.csv"
            ).stdout
            == said
        )
    wrong = {
        "twice": text.replace("se,contrast", "effect,contrast"),
        "longer": text.replace("0.5,001", "0.5,001,7"),
        "nameless": text.replace("007,", ","),
        "orphan": text.replace("contrast\n", "parent\n").replace("001\n", "\n"),
        "alone": "element\nNA\n",
    }
    for name, changed in wrong.items():
        (tmp_path / f"{name}.csv").write_text(changed)
        refused(
            "mpra",
            "compare",
            tmp_path / f"{name}.csv",
            tmp_path / "measured.csv",
        )


def test_conditions_are_compared_from_the_shell(tmp_path, monkeypatch):
    table = pd.DataFrame({"element": [f"e{i}" for i in range(30)], "arm": "tile"})
    for k, name in enumerate(("rest", "stim")):
        counts = cg.mpra.simulate(
            table.assign(log2=1.0 * k * (table.index < 5)), n_barcodes=8, rng=k
        )
        rows = {
            "barcode": counts["barcode"].values,
            "oligo_name": counts["oligo"].values[counts["oligo_index"].values],
        }
        for r in range(counts.sizes["replicate"]):
            rows[f"dna_count_{r + 1}"] = counts["dna"].values[:, r]
            rows[f"rna_count_{r + 1}"] = counts["rna"].values[:, r]
        pd.DataFrame(rows).to_csv(tmp_path / f"{name}.tsv", sep="\t", index=False)
    side = counts[["element", "arm", "group"]].to_dataframe()
    side.rename_axis("oligo_name").reset_index().to_csv(
        tmp_path / "side.tsv", sep="\t", index=False
    )
    monkeypatch.chdir(tmp_path)
    words = "mpra analyze rest=rest.tsv stim=stim.tsv"
    words = [*words.split(), "--design", "side.tsv", "--out"]
    assert call(*words, "o").stdout.startswith("Relative to the median oligo")
    assert len(pd.read_csv(tmp_path / "o" / "effects.tsv", sep="\t")) == 30
    refused(*words, "p", "--min-dna", 5)
    refused(*words, "p", "--min-barcodes", 5)


def test_counts_ask_what_their_library_was_ordered_for(folder):
    path, library = folder / "counts.tsv.gz", cg.mpra.read_library(folder / "LIB")
    counts = cg.mpra.read_counts(path, side_table=library)
    plain = cg.mpra.read_counts(path, side_table=folder / "LIB" / "arms.tsv")
    asked = cg.mpra.fit(counts, method="two_way")
    given = cg.mpra.fit(plain, control="placebo", method="two_way")
    np.testing.assert_array_equal(asked["ace"], given["ace"])
    assert cg.mpra.components(counts).equals(
        cg.mpra.components(plain, control="placebo")
    )
    with pytest.raises(EstimateError):
        cg.mpra.fit(plain)


def test_the_interaction_of_a_library_is_that_of_its_counts():
    arms = cg.factorial(
        {"A": cg.Embed("AGATAAG", at=60), "B": cg.Embed("TGACTCA", at=120)}
    )
    design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=12)
    plan = cg.Analysis(interaction=["A", "B"])
    library = cg.mpra.library(design, oligo_length=230, adapters="lentimpra", rng=7)
    library = library.assign_attrs(analysis=plan.to_json())
    table = library[["element", "arm", "group"]].to_dataframe()
    table = table.drop_duplicates(["element", "arm"]).assign(log2=0.0)
    counts = cg.mpra.simulate(table, n_barcodes=6, n_replicates=3, rng=1)
    names = library.to_dataframe().set_index(["element", "arm"])["oligo_name"]
    pairs = zip(counts["element"].values, counts["arm"].values, strict=True)
    oligos = names[~names.index.duplicated()].loc[list(pairs)].to_numpy()
    again = cg.mpra.counts_of(
        counts["dna"].values,
        counts["rna"].values,
        barcodes=counts["barcode"].values,
        oligos=oligos[counts["oligo_index"].values].tolist(),
        side_table=library,
    )
    fitted = cg.mpra.fit(again, method="two_way")
    assert fitted["contrast"].values.tolist() == ["A:B"]
    assert fitted["weight"].sum().item() == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--min-barcode", "3"),
        ("--methd", "two_way"),
        ("--method", "tow_way"),
        ("--control", "placebo", "--contrasts", "GATA1 - placebo"),
        ("--arm-names", "GATA1", "--contrasts", "GATA1 - placebo"),
        ("--arm-names", "GATTA1"),
        ("--min-barcodes", "2.5"),
        ("--min-barcodes", "0"),
        ("--ci-prob", "95"),
        ("--rope", "0.1", "-0.1"),
        ("--rope", "placebo"),
        ("--control", "placebo", "--control", "GATA1"),
        ("--replicates", "1,9"),
        ("rest={counts}",),
        ("--out", ""),
    ],
    ids=" ".join,
)
def test_wrong_options_are_one_line_and_leave_nothing(folder, tmp_path, words):
    counts = folder / "counts.tsv.gz"
    asked = ("mpra", "analyze", counts, "--design", folder / "LIB")
    out = () if "--out" in words else ("--out", tmp_path / "out")
    refused(*asked, *out, *(word.format(counts=counts) for word in words))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [("--rope=-0.1,0.1",), ("--error=fwer",)])
def test_verdicts_of_a_parallel_library_are_those_of_analyze(tmp_path, words):
    side = pd.DataFrame({"element": [f"e{i}" for i in range(24)]})
    side = side.assign(arm=["a", "b"] * 12, log2=0.0)
    counts = cg.mpra.simulate(side, n_barcodes=6, n_replicates=2, rng=2)
    path = cg.mpra.to_igvf(counts, tmp_path / "c.tsv", "reporter_experiment_barcode")
    table = counts[["element", "arm"]].to_dataframe().rename_axis("oligo_name")
    table.to_csv(tmp_path / "side.tsv", sep="\t")
    asked = ("mpra", "analyze", path, "--design", tmp_path / "side.tsv")
    asked += ("--control", "a", "--out", tmp_path / "out")
    refused(*asked, *words)
    call(*asked, "--arm-names", "a,b")
    call("analyze", tmp_path / "out", *words)


def test_options_of_a_pilot_take_its_counts(folder):
    for words in (
        ("--design", folder / "LIB"),
        ("--control", "placebo"),
        ("--drop-unknown",),
        ("--arm-names", "GATA1"),
    ):
        refused("mpra", "power", *words)
    refused("mpra", "power", folder / "counts.tsv.gz")
    refused("mpra", "power", "--n-barcodes", "five")
    refused("mpra", "power", "--alpha", "0.05", "--q", "0.1")


def test_a_command_that_fails_leaves_the_folder_as_it_was(
    folder, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    asked = ("mpra", "analyze", folder / "counts.tsv.gz", "--design", folder / "LIB")
    asked += ("--method", "two_way", "--out", out)
    call(*asked)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("causalgia.tell.html_page.write_page", stopped)
    call(*asked, "--rope=-0.1,0.1", "--force", code=130)
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.parametrize(
    "command",
    ["design", "predict", "power", "quality", "analyze", "activity", "compare"],
)
def test_help_is_two_screens_at_most(command):
    lines = invoke("mpra", command, "--help", env={"COLUMNS": "80"}).stdout.splitlines()
    assert 10 < len(lines) <= 100
    assert max(map(len, lines)) <= 80


def test_a_cell_that_is_no_number_is_named_with_its_line(tmp_path):
    rows = "".join(f"u{i},{i},0.5\n" for i in range(12))
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(f"element,effect,se\n{rows}")
    (tmp_path / "b.csv").write_text(f"element,effect,se\n{rows}u12,x,0.5\n")
    found = call("mpra", "compare", tmp_path / "a.csv", tmp_path / "b.csv", code=2)
    assert "line 14" in found.stderr


def test_elements_that_have_different_arms_are_analyzed_and_shown(tmp_path):
    """Outcomes, which none of these elements has, refused the whole analysis."""
    names = [f"e{i}" for i in range(24)]
    arms = [["wt", "m1"], ["wt", "m2"]] * 12
    rows = [(e, a) for e, of in zip(names, arms, strict=True) for a in of]
    table = pd.DataFrame(rows, columns=["element", "arm"]).assign(log2=0.0)
    counts = cg.mpra.simulate(table, n_barcodes=6, n_replicates=3, rng=2)
    path = cg.mpra.to_igvf(counts, tmp_path / "c.tsv", "reporter_experiment_barcode")
    side = counts[["element", "arm"]].to_dataframe().rename_axis("oligo_name")
    side.to_csv(tmp_path / "side.tsv", sep="\t")
    asked = ("mpra", "analyze", path, "--design", tmp_path / "side.tsv")
    out = tmp_path / "out"
    call(*asked, "--control", "wt", "--method", "two_way", "--out", out)
    assert not (out / "outcomes.nc").exists()
    shown = call("show", out, "--all").stdout
    assert all(f"\n{name} " in shown for name in names)
    rows = call("show", out, "--tsv").stdout
    assert rows == (out / "effects.tsv").read_text()


def test_every_arm_of_an_element_is_shown(tmp_path):
    """Rows of one arm stood alone, without its name; the other was called a task."""
    of = {"wt": 0.0, "m1": 3.0, "m2": -3.0}
    rows = [(f"e{i}", arm, log2) for i in range(8) for arm, log2 in of.items()]
    table = pd.DataFrame(rows, columns=["element", "arm", "log2"])
    counts = cg.mpra.simulate(table, n_barcodes=8, n_replicates=3, rng=2)
    path = cg.mpra.to_igvf(counts, tmp_path / "c.tsv", "reporter_experiment_barcode")
    side = counts[["element", "arm"]].to_dataframe().rename_axis("oligo_name")
    side.to_csv(tmp_path / "side.tsv", sep="\t")
    asked = ("mpra", "analyze", path, "--design", tmp_path / "side.tsv")
    options = ("--control", "wt", "--out", tmp_path / "out")
    text = invoke(*asked, *options, env={"COLUMNS": "70"}).stdout
    assert all(f"\ne{i} " in text for i in range(8))
    assert "task" not in text


def test_where_no_element_is_called_the_average_comes_first(tmp_path):
    """Every element rises, and six barcodes that vary by 1.7 call none of them."""
    truth = pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(30)], 2),
            "arm": ["ref", "GATA1"] * 30,
            "log2": [0.0, 0.5] * 30,
        }
    )
    noise = cg.mpra.NoiseModel(sd_barcode=1.7, sd_noisiness=0.0, p_silent=0.0)
    counts = cg.mpra.simulate(truth, n_barcodes=6, n_replicates=3, noise=noise, rng=4)
    fitted = cg.mpra.fit(counts, control="ref")
    decisions = cg.decide(fitted, rope=0)
    assert (decisions["verdict"] == "undecided").all()
    assert fitted["average_lower"].item() > 0
    side = counts[["element", "arm"]].to_dataframe().rename_axis("oligo_name")
    side.to_csv(tmp_path / "s.tsv", sep="\t")
    path = cg.mpra.to_igvf(counts, tmp_path / "c.tsv", "reporter_experiment_barcode")
    words = (
        "--design",
        tmp_path / "s.tsv",
        "--control",
        "ref",
        "--out",
        tmp_path / "o",
    )
    said = " ".join(invoke("mpra", "analyze", path, *map(str, words)).output.split())
    first = said.split(". ")[0]
    assert f"{fitted['average'].item():.2f}" in first
    assert "above 0" in first
    assert "none" not in first
    assert "0 of 30" not in str(cg.report(fitted))
