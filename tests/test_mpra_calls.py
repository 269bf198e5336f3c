# Imports from the inside: counts added up, whose spread is compared.
"""Calls of active oligos against negative controls with long tails and noise of their
own.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from test_cli import call

import causalgia as cg
from causalgia.mpra.counts import aggregate


def library(
    seed: int, *, n: int = 160, n_active: int = 60, df: float = 2.0
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return activities of n inactive oligos, t distributed, and of active ones."""
    rng = np.random.default_rng(seed)
    log2 = np.concatenate([0.3 * rng.standard_t(df, n), np.full(n_active, 4.0)])
    names = [f"e{i}" for i in range(n + n_active)]
    table = pd.DataFrame({"element": names, "arm": "x", "log2": log2.clip(-8, 8)})
    return table, rng.integers(2, 20, n + n_active)


def half_as_negatives(counts, n: int, rng):
    """Return the counts with half of the first n oligos as negatives."""
    group = np.full(counts.sizes["oligo"], "test", dtype="<U8")
    group[rng.permutation(n)[: n // 2]] = "negative"
    return counts.assign_coords(group=("oligo", group))


@pytest.fixture(scope="module")
def counts():
    table, n_barcodes = library(0)
    return cg.mpra.simulate(table, n_barcodes=n_barcodes, n_replicates=3, rng=0)


class TestHeldOutNegatives:
    def test_none_is_called_in_halves_and_active_ones_are(self, counts):
        rng, false, power = np.random.default_rng(1), 0, []
        inactive = counts.isel(oligo=slice(0, 160))
        for _ in range(20):
            split = half_as_negatives(counts, 160, rng)
            found = cg.mpra.calls(split)
            power.append(float((found["q"][160:] < 0.05).mean()))
            held_out = (found["group"] == "test") & (np.arange(220) < 160)
            of_these = np.sort(found["p"].values[held_out.values])
            # Benjamini and Hochberg's over held-out negatives alone
            false += bool((of_these * 80 / np.arange(1, 81) < 0.05).any())
        assert inactive.sizes["oligo"] == 160
        assert false <= 2
        assert np.mean(power) > 0.5

    def test_p_of_held_out_negatives_is_uniform_or_larger(self, counts):
        rng, p = np.random.default_rng(2), []
        for _ in range(20):
            found = cg.mpra.calls(half_as_negatives(counts, 160, rng))
            p.append(found["p"].values[:160][(found["group"] == "test").values[:160]])
        share = (np.concatenate(p) <= 0.1).mean()
        assert 0.06 < share < 0.14

    def test_t_finds_few_active_ones_among_many(self):
        rng = np.random.default_rng(4)
        table, _ = library(4, n=400, n_active=4, df=30.0)
        counts = cg.mpra.simulate(table, n_barcodes=10, n_replicates=3, rng=4)
        counts = half_as_negatives(counts, 100, rng)
        by_rank, by_t = (cg.mpra.calls(counts, tail=tail) for tail in ("rank", "t"))
        assert not (by_rank["q"] < 0.05).any()
        assert (by_t["q"][400:] < 0.05).all()
        assert (by_t["q"] < 0.05).sum() <= 5


class TestOwnNoise:
    def test_an_oligo_of_few_barcodes_has_to_be_farther_away(self):
        table, _ = library(3, n=100, n_active=40, df=30.0)
        n_barcodes = np.r_[np.full(100, 20), np.tile([2, 40], 20)]
        counts = cg.mpra.simulate(
            table,
            n_barcodes=n_barcodes,
            noise=cg.mpra.NoiseModel(sd_barcode=1.0),
            rng=3,
        )
        counts = half_as_negatives(counts, 100, np.random.default_rng(0))
        found = cg.mpra.calls(counts, method="barcodes")
        few, many = found["se"][100::2].median(), found["se"][101::2].median()
        assert few / many == pytest.approx(np.sqrt(20), rel=0.3)
        assert found["z"][100::2].median() < 0.7 * found["z"][101::2].median()

    def test_sums_without_barcodes_take_the_spread_of_replicates(self):
        table, _ = library(5, n=60, n_active=20, df=30.0)
        counts = cg.mpra.simulate(
            table,
            n_barcodes=1,
            n_replicates=4,
            depth_dna=2e3,
            depth_rna=2e3,
            p_missing=0,
            rng=5,
        )
        counts = half_as_negatives(counts, 60, np.random.default_rng(0))
        found = cg.mpra.calls(counts)
        spread = aggregate(counts)["log2_ratio"].std("replicate", ddof=1) / 2
        assert float(found["se"].median()) == pytest.approx(
            float(spread.median()), rel=0.3
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("calls")
    rng = np.random.default_rng(4)
    log2 = rng.normal(0, 0.2, 130)
    log2[120:] += 3
    truth = pd.DataFrame(
        {
            "element": [f"e{i}" for i in range(130)],
            "arm": "x",
            "group": ["negative"] * 100 + ["test"] * 30,
            "log2": log2,
        }
    )
    counts = cg.mpra.simulate(truth, n_barcodes=8, n_replicates=3, rng=5)
    cg.mpra.to_igvf(counts, where / "counts.tsv", "reporter_experiment_barcode")
    side = counts[["element", "arm", "group"]].to_dataframe()
    side.rename_axis("oligo_name").to_csv(where / "side.tsv", sep="\t")
    return where


class TestFromTheShell:
    def test_it_writes_what_python_finds(self, folder):
        counts, side = folder / "counts.tsv", folder / "side.tsv"
        out = folder / "out"
        text = call("mpra", "calls", counts, "--design", side, "--out", out).stdout
        assert text.startswith("10 of 30 ")
        written = pd.read_csv(out / "calls.tsv", sep="\t").set_index("oligo")
        found = cg.mpra.calls(cg.mpra.read_counts(counts, side_table=side))
        table = found.to_dataframe().loc[written.index]
        for name in ("activity", "se", "p", "q"):
            np.testing.assert_allclose(written[name], table[name], rtol=1e-5)
        assert written["p"].is_monotonic_increasing
        assert (written["q"] <= 0.05).sum() == 10
        before = (out / "calls.tsv").read_bytes()
        call("mpra", "calls", counts, "--design", side, "--out", out, code=2)
        assert (out / "calls.tsv").read_bytes() == before

    def test_every_oligo_and_another_group(self, folder):
        counts, side = folder / "counts.tsv", folder / "side.tsv"
        rows = call("mpra", "calls", counts, "--design", side, "--all").stdout
        assert len(re.findall(r"^\S+ +e[0-9]+ +x ", rows, re.MULTILINE)) == 130

    def test_its_document_has_a_row_an_oligo(self, folder):
        counts, side = folder / "counts.tsv", folder / "side.tsv"
        text = call("mpra", "calls", counts, "--design", side, "--json").stdout
        rows = json.loads(text)["calls"]
        assert len(rows) == 130
        assert {"oligo", "activity", "p", "q"} <= set(rows[0])
