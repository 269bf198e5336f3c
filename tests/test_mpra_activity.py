"""Activities of oligos, with one arm an element, against a quantile of negatives."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mstats
from test_cli import call

import causalgia as cg
from causalgia.mpra.counts import aggregate


def library(seed: int, *, n_negative: int = 100, **more) -> tuple:
    """Return counts, and true activities: negatives, 100 like them, 60 at the .975
    quantile of the negatives, and 60 at 2.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.normal(0, 0.4, n_negative + 100)
    quantile = mstats.hdquantiles(drawn[:n_negative], [0.975])[0]
    log2 = np.r_[drawn, np.full(60, quantile), rng.normal(2, 0.2, 60)]
    table = pd.DataFrame(
        {
            "element": [f"e{i}" for i in range(len(log2))],
            "arm": "tile",
            "group": ["negative"] * n_negative + ["test"] * 220,
            "log2": log2,
        }
    )
    options = {"n_barcodes": 12, "n_replicates": 3, "rng": seed} | more
    return cg.mpra.simulate(table, **options), log2


@pytest.fixture(scope="module")
def found():
    """Activities of four libraries, with their true ones."""
    made = []
    for seed in range(4):
        counts, log2 = library(seed)
        made.append((cg.mpra.activity(counts), log2))
    return made


class TestCalibration:
    def test_intervals_hold_the_activity_up_to_one_constant(self, found):
        held, r = [], []
        for of, log2 in found:
            true = log2 + np.median(of["activity"] - log2)
            held.append(((of["lower"] <= true) & (true <= of["upper"])).mean())
            r.append(np.corrcoef(of["activity"], log2)[0, 1])
        assert 0.9 < np.mean(held) < 0.985
        assert np.min(r) > 0.94

    def test_oligos_at_the_quantile_are_rejected_at_their_level(self, found):
        p = np.concatenate([of["p"].values[200:260] for of, _ in found])
        assert (p < 0.05).mean() <= 0.05
        p = np.concatenate([of["p"].values[100:200] for of, _ in found])
        assert (p < 0.05).mean() <= 0.02

    def test_active_ones_are_called_and_others_are_not(self, found):
        called = np.stack([of["q"].values <= 0.05 for of, _ in found])
        assert called[:, 260:].mean() > 0.9
        false = called[:, 100:260].sum() / called.sum()
        assert false <= 0.05

    def test_log_p_is_that_of_p_and_ranks_end_at_the_number_of_negatives(self, found):
        of, _ = found[0]
        np.testing.assert_allclose(np.exp(of["log_p"]), of["p"], rtol=1e-9)
        assert float(of["p_rank"][100:].min()) == pytest.approx(1 / 101)
        assert of["q"].isnull().values.tolist() == [True] * 100 + [False] * 220


class TestCounts:
    def test_levels_are_those_of_library_totals(self):
        # with little noise, log2 RNA/DNA of the sums of all replicates
        noise = cg.mpra.NoiseModel(
            sd_barcode=0.1, sd_replicate=0.05, disp_rna=0.0, disp_dna=0.0
        )
        counts, _ = library(1, noise=noise, depth_dna=500, depth_rna=500)
        sums = aggregate(counts)["log2_ratio"].mean("replicate")
        of = cg.mpra.activity(counts)["activity"]
        assert float(abs(of.values - sums.values).mean()) < 0.1
        assert float((of.values - sums.values).mean()) == pytest.approx(0, abs=0.02)

    def test_silent_barcodes_do_not_shrink_it(self):
        counts, _ = library(2)
        heard = np.random.default_rng(0).uniform(size=counts["rna"].shape) > 0.1
        silent = counts.assign(rna=counts["rna"] * heard)
        apart = []
        for one in (counts, silent):
            of = cg.mpra.activity(one)["activity"]
            apart.append(float(of[260:].mean() - of[100:200].mean()))
        assert apart[1] == pytest.approx(apart[0], abs=0.1)

    def test_a_replicate_without_reads_is_left_out(self):
        counts, _ = library(3, n_replicates=4)
        rna = counts["rna"].values.copy()
        rna[:, 3] = np.random.default_rng(0).binomial(rna[:, 3], 1e-4)
        of = cg.mpra.activity(counts.assign(rna=(counts["rna"].dims, rna)))
        alone = cg.mpra.activity(counts.isel(replicate=slice(3)))
        assert of.attrs["replicates_left_out"] == "4"
        np.testing.assert_allclose(of["se"], alone["se"], rtol=1e-9)

    def test_unseen_oligos_are_left_out_and_counted(self):
        counts, _ = library(0)
        gone = counts["oligo_index"].values == 150
        counts = counts.assign(
            dna=counts["dna"].where(xr_mask(counts, ~gone), 0),
            rna=counts["rna"].where(xr_mask(counts, ~gone), 0),
        )
        of = cg.mpra.activity(counts)
        assert of.sizes["oligo"] == 319
        assert of.attrs["n_unseen"] == 1

    def test_sums_have_the_noise_of_replicates(self):
        counts, _ = library(5, n_barcodes=1, n_replicates=4, depth_dna=2e3)
        of = cg.mpra.activity(counts)
        assert np.isfinite(of["se"]).all()
        assert of.attrs["null"] == "these barcodes"

    def test_without_negatives_there_are_activities_alone(self):
        counts, _ = library(0)
        every = cg.mpra.activity(counts)
        plain = counts.assign_coords(group=("oligo", np.full(320, "test")))
        for of in (cg.mpra.activity(plain), cg.mpra.activity(counts, negative=None)):
            assert not {"p", "q", "p_rank"} & set(of)
            np.testing.assert_array_equal(of["activity"], every["activity"])

    def test_the_quantile_grows_with_above(self):
        counts, _ = library(0)
        at = [cg.mpra.activity(counts, above=x).attrs["threshold"] for x in (0.5, 0.9)]
        assert at[0] < at[1]


def xr_mask(counts, kept):
    return counts["rna"].isel(replicate=0).copy(data=kept)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("activity")
    counts, _ = library(4)
    cg.mpra.to_igvf(counts, where / "counts.tsv", "reporter_experiment_barcode")
    side = counts[["element", "arm", "group"]].to_dataframe()
    side.rename_axis("oligo_name").to_csv(where / "side.tsv", sep="\t")
    return where


class TestFromTheShell:
    def test_it_writes_what_python_finds(self, folder):
        counts, side, out = (folder / x for x in ("counts.tsv", "side.tsv", "out"))
        text = call("mpra", "activity", counts, "--design", side, "--out", out).stdout
        of = cg.mpra.activity(cg.mpra.read_counts(counts, side_table=side))
        n = int((of["q"] <= 0.05).sum())
        assert text.startswith(f"{n} of 220 ")
        written = pd.read_csv(out / "activity.tsv", sep="\t").set_index("oligo")
        table = of.to_dataframe().loc[written.index]
        for name in ("activity", "se", "p", "q"):
            np.testing.assert_allclose(written[name], table[name], rtol=1e-5)
        call("mpra", "activity", counts, "--design", side, "--out", out, code=2)

    def test_its_document_has_a_row_an_oligo(self, folder):
        counts, side = folder / "counts.tsv", folder / "side.tsv"
        text = call("mpra", "activity", counts, "--design", side, "--json").stdout
        rows = json.loads(text)["activity"]
        assert len(rows) == 320
        assert {"oligo", "activity", "lower", "p", "q", "p_rank"} <= set(rows[0])


class TestTiling:
    def test_tiles_cover_each_region_and_are_ordered_with_negatives(self):
        rng = np.random.default_rng(0)
        letters = {
            n: "".join(rng.choice(list("ACGT"), n_))
            for n, n_ in (("a", 950), ("b", 200))
        }
        design = cg.experiments.tiling(letters, 200, 100)
        names = list(design.null.of.names)
        assert names[0] == "a:0-200"
        assert names[-2:] == ["a:750-950", "b:0-200"]
        assert design.n_units == 10
        made = cg.mpra.library(
            design,
            oligo_length=230,
            adapters="lentimpra",
            rng=0,
            rules=cg.mpra.OligoRules(avoid=()),
            controls=cg.mpra.Controls(n_scrambles=20),
        )
        groups = pd.Series(made["group"].values).value_counts()
        assert groups["negative"] == 20
        assert groups["test"] == 10

    def test_a_bed_file_and_a_fasta_give_the_letters_of_the_genome(self, tmp_path):
        rng = np.random.default_rng(1)
        genome = "".join(rng.choice(list("ACGT"), 500))
        (tmp_path / "g.fa").write_text(f">chr1\n{genome}\n")
        (tmp_path / "p.bed").write_text("chr1\t100\t160\nchr1\t130\t190\n")
        design = cg.experiments.tiling(
            tmp_path / "p.bed", 30, 30, fasta=tmp_path / "g.fa"
        )
        assert list(design.null.of.names) == [
            "chr1:100-130",
            "chr1:130-160",
            "chr1:160-190",
        ]
        drawn = design.null.sample(3, rng=0)["sequence"].values
        assert sorted(cg.sequences.decode(drawn)) == sorted(
            genome[x : x + 30] for x in (100, 130, 160)
        )
        whole = cg.experiments.tiling(tmp_path / "g.fa", 100, 100)
        assert whole.n_units == 5


def test_where_few_barcodes_call_none_the_largest_are_said():
    """Wide barcodes: estimates lie above the controls, and none can be called."""
    counts, _ = library(
        3, n_barcodes=3, noise=cg.mpra.NoiseModel(sd_barcode=2.0, sd_noisiness=0.6)
    )
    found = cg.mpra.activity(counts)
    table = found.to_dataframe().reset_index()
    test = table[table["group"] == "test"]
    own = table.loc[table["group"] == "negative", "activity"]
    assert not (test["q"] <= 0.05).any()
    said = str(cg.report(found))
    above = [(test["activity"] > x).sum() for x in (own.quantile(0.975), own.max())]
    for number in above:
        assert f" {number} " in " ".join(said.split())
    largest = test.sort_values("activity", ascending=False)["oligo"].iloc[:20]
    rows = [line.split()[0] for line in said.split("\n\n")[1].split("\n")[1:21]]
    assert rows == largest.tolist()
