# Imports from the inside: the cutoff of a table, against the part of effects that it
# takes.
"""The bench on tables as others have them: sums, one element under many arms, tables
that keep what was seen, arms apart, and replicates that are shallow.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import causalgia as cg
from causalgia.errors import DataError
from causalgia.mpra.counts import counts_of
from causalgia.mpra.counts.cutoffs import cutoff


def codes(n: int) -> list[str]:
    return ["".join("ACGT"[(i >> 2 * k) & 3] for k in range(8)) for i in range(n)]


def pairs(n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "oligo_name": [f"o{i}" for i in range(n)],
            "element": [f"e{i // 2}" for i in range(n)],
            "arm": ["ref", "alt"] * (n // 2),
        }
    )


def sums(
    *, effect: float = 0.0, mean: float = 2000.0, n: int = 400, seed: int = 0
) -> dict:
    rng = np.random.default_rng(seed)
    act = np.repeat(rng.normal(0, 1, n), 2)[:, None] + rng.normal(0, 0.1, (2 * n, 4))
    act[1::2] += effect
    dna = rng.poisson(mean, (2 * n, 4))
    return {
        "dna": dna,
        "rna": rng.poisson(dna * 2**act),
        "oligos": [f"o{i}" for i in range(2 * n)],
        "side_table": pairs(2 * n),
    }


def barcodes(
    n: int,
    each: int,
    mean: float,
    *,
    sd: float,
    effect: float = 0.0,
    shape: float = 2.0,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return DNA and RNA of n oligos in three replicates, and the oligo of each."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(n), each)
    act = np.repeat(rng.normal(0, sd, n // 2), 2)
    act[1::2] += effect
    abundance = rng.gamma(shape, 1 / shape, n * each) * mean
    dna, rna = (
        rng.poisson(x[:, None] * np.ones(3))
        for x in (abundance, abundance * 2.0 ** act[of])
    )
    return dna, rna, of


def table(dna: np.ndarray, rna: np.ndarray, of: np.ndarray, kept: np.ndarray):
    some = kept.any(axis=1)
    side = pairs(int(of.max()) + 1)
    return counts_of(
        np.where(kept, dna, 0)[some],
        np.where(kept, rna, 0)[some],
        barcodes=np.array(codes(len(of)))[some],
        oligos=side["oligo_name"].to_numpy()[of][some],
        side_table=side,
        dna_observed=kept[some],
        rna_observed=kept[some],
    )


@pytest.fixture(scope="module")
def counts():
    return counts_of(**sums(), barcodes=codes(800))


@pytest.fixture(scope="module")
def fitted(counts):
    return cg.mpra.fit(counts, control="ref")


@pytest.fixture(scope="module")
def fits():
    """Fits of one element under 30 arms, of which two have an effect."""
    arms = pd.DataFrame(
        {
            "element": "enh",
            "arm": ["WT"] + [f"m{i}" for i in range(30)],
            "group": "test",
            "log2": [0.0] * 29 + [-2.0] * 2,
        }
    )
    return [
        cg.mpra.fit(
            cg.mpra.simulate(arms, n_barcodes=15, n_replicates=3, rng=seed),
            control="WT",
            method="two_way",
        )
        for seed in range(30)
    ]


class TestOneSumAnOligo:
    def test_the_errors_are_those_of_the_sums(self, fitted):
        # .1 in each of 4 replicates and 2 arms, and Poisson noise
        assert 0.07 < fitted["se"].median() < 0.09
        assert 0.03 <= (fitted["p"] < 0.05).mean() <= 0.07
        assert float(fitted["ace"].std()) == pytest.approx(
            float(fitted["se"].median()), rel=0.1
        )

    @pytest.mark.simulation
    def test_no_effect_of_half_a_unit_is_missed(self):
        found = cg.mpra.fit(
            counts_of(**sums(effect=0.5, n=60), barcodes=codes(120)),
            control="ref",
        )
        assert (cg.decide(found, rope=0)["verdict"] == "increases").mean() > 0.95

    def test_no_layer_is_printed_that_was_not_measured(self, fitted):
        assert "sd_barcode" not in fitted.attrs
        assert "sd_cell" not in fitted.attrs

    def test_hardly_any_second_barcode_is_no_layer_either(self):
        given = sums(n=60)
        again = {k: np.concatenate([given[k], given[k][:3]]) for k in ("dna", "rna")}
        oligos = [*given["oligos"], *given["oligos"][:3]]
        found = cg.mpra.fit(
            counts_of(
                **again,
                oligos=oligos,
                barcodes=codes(123),
                side_table=given["side_table"],
            ),
            control="ref",
        )
        assert "sd_barcode" not in found.attrs
        assert found["se"].median() < 0.1


@pytest.mark.real
class TestPublishedSums:
    """Tewhey et al. 2016 (github.com/hansenlab/mpra), beside mpralm."""

    def test_effects_and_p_are_those_of_mpralm(self, shared):
        folder = shared / "data" / "mpra_public"
        counts = cg.mpra.read_counts(
            folder / "tewhey60_sums.tsv", side_table=folder / "tewhey60_side.tsv"
        )
        fitted = cg.mpra.fit(counts, control="A").isel(contrast=0)
        published = pd.read_csv(
            folder / "tewhey60_mpralm_full_library.tsv", sep="\t"
        ).set_index("id")
        both = fitted[["ace", "se", "p"]].to_dataframe().join(published)
        assert np.corrcoef(both["ace"], both["logFC"])[0, 1] > 0.999
        assert both["se"].median() < 0.08
        hits = both["P.Value"] < 1e-3
        assert ((both["p"] < 1e-3) == hits).all()
        assert hits.sum() == 20


class TestOneElementUnderManyArms:
    def test_arms_are_the_family_in_every_verb(self, fits):
        one = fits[0]
        decided = cg.decide(one, rope=0)
        np.testing.assert_allclose(
            decided["q"].values.ravel(),
            stats.false_discovery_control(decided["p"].values.ravel()),
            rtol=1e-9,
        )
        assert (decided["q"] > decided["p"]).sum() > 20
        alone = cg.decide(one, rope=0, family="task")
        np.testing.assert_array_equal(alone["q"], alone["p"])

    @pytest.mark.simulation
    def test_few_null_arms_are_called_and_no_real_one_missed(self, fits):
        called = np.array(
            [
                (cg.decide(one, rope=0)["verdict"] != "undecided").values.ravel()
                for one in fits
            ]
        )
        assert called[:, -2:].mean() > 0.95
        wrong = called[:, :-2].sum(1) / np.maximum(called.sum(1), 1)
        assert wrong.mean() < 0.1


class TestTablesOfWhatWasSeen:
    @pytest.mark.parametrize(("mean", "slope"), [(1.0, 0.69), (3.0, 0.91)])
    def test_shallow_ones_are_found_with_the_factor(self, mean, slope):
        dna, rna, of = barcodes(200, 20, mean, sd=0.5, effect=1.0)
        counts = table(dna, rna, of, (dna > 0) & (rna > 0))
        assert cutoff(counts).slope == pytest.approx(slope, abs=0.03)
        average = cg.mpra.average(cg.mpra.fit(counts, control="ref"))
        known = average.attrs["truncation_corrected"]
        factor = average.attrs["truncation_factor"]
        shrunk = average["ace"].item() * (factor if known else 1.0)
        assert shrunk == pytest.approx(factor, abs=0.1)
        quality = cg.mpra.quality(counts)
        assert quality["found"].values[quality["check"].values == "truncation"].all()

    @pytest.mark.parametrize(("mean", "n_replicates"), [(0.5, 3), (1.0, 2)])
    def test_barcodes_with_rna_anywhere_are_found_if_their_dna_was_missed(
        self, mean, n_replicates
    ):
        dna, rna, of = barcodes(200, 20, mean, sd=0.5, effect=1.0)
        dna, rna = dna[:, :n_replicates], rna[:, :n_replicates]
        seen = (rna > 0).any(axis=1)
        # some of them have no DNA where their only RNA is
        assert (((rna > 0) & (dna > 0)).any(axis=1) < seen).any()
        every = np.ones_like(dna, dtype=bool)
        assert cutoff(table(dna, rna, of, every)) is None
        found = cutoff(table(dna, rna, of, every & seen[:, None]))
        assert found.of_barcodes

        def effects(rows: np.ndarray) -> np.ndarray:
            reads, input_reads = (
                np.bincount(of[rows], x[rows].sum(axis=1), 200) for x in (rna, dna)
            )
            activity = np.log2(reads / input_reads)
            return activity[1::2] - activity[::2]

        lost = effects(seen).mean() / effects(every[:, 0]).mean()
        assert found.slope == pytest.approx(lost, abs=0.06)

    def test_deep_ones_are_fitted(self):
        dna, rna, of = barcodes(60, 15, 40.0, sd=0.5, effect=1.0, shape=10.0)
        counts = table(dna, rna, of, (dna > 0) & (rna > 0))
        average = cg.mpra.average(cg.mpra.fit(counts, control="ref"))
        assert average["lower"].item() < 1.0 < average["upper"].item()

    def test_tables_with_zeros_are_fitted_at_any_depth(self):
        dna, rna, of = barcodes(200, 20, 1.0, sd=0.5, effect=1.0)
        counts = table(dna, rna, of, dna >= 0)
        assert cutoff(counts) is None
        average = cg.mpra.average(cg.mpra.fit(counts, control="ref"))
        assert average["lower"].item() < 1.0 < average["upper"].item()


class TestArmsInDifferentReplicates:
    def kept(self, of: np.ndarray) -> np.ndarray:
        alt = (of % 2 == 1)[:, None]
        return np.where(alt, [False, True, True], [True, False, False])

    @pytest.mark.parametrize("method", ["hierarchical", "two_way"])
    def test_they_are_refused_by_every_method(self, method):
        dna, rna, of = barcodes(40, 10, 50.0, sd=0.5, effect=1.0)
        counts = table(dna, rna * np.array([1, 4, 4]), of, self.kept(of))
        with pytest.raises(DataError):
            cg.mpra.fit(counts, control="ref", method=method)

    def test_an_oligo_in_all_replicates_links_them(self):
        dna, rna, of = barcodes(40, 10, 50.0, sd=0.5, effect=1.0)
        kept = self.kept(of)
        kept[of < 20] = True
        counts = table(dna, rna * np.array([1, 4, 4]), of, kept)
        average = cg.mpra.average(cg.mpra.fit(counts, control="ref"))
        assert average["ace"].item() == pytest.approx(1.0, abs=0.15)


class TestShallowReplicates:
    def found(self, counts):
        quality = cg.mpra.quality(counts)
        return set(quality["check"].values[quality["found"].values].tolist())

    @pytest.mark.parametrize("seed", range(3))
    def test_sound_ones_are_not_called_wrong(self, seed):
        dna, rna, of = barcodes(300, 40, 0.5, sd=0.25, shape=10.0, seed=seed)
        assert self.found(table(dna, rna, of, dna >= 0)) == set()

    def test_one_of_a_hundredth_of_the_reads_is_left_out_and_named(self):
        dna, rna, of = barcodes(60, 10, 60.0, sd=0.5, effect=0.6)
        rng = np.random.default_rng(3)
        few = [rng.binomial(x[:, :1], 0.01) for x in (dna, rna)]
        wide = [np.hstack([x, y]) for x, y in zip((dna, rna), few, strict=True)]
        kept = np.ones((len(of), 4), dtype=bool)
        with_few, without = (
            cg.mpra.fit(counts, control="ref", method="two_way")
            for counts in (
                table(*wide, of, kept),
                table(dna, rna, of, kept[:, :3]),
            )
        )
        np.testing.assert_array_equal(with_few["se"], without["se"])
        assert with_few.attrs["n_replicates"] == 3
        assert with_few.attrs["replicates_left_out"] == "4"
        assert "depth" in self.found(table(*wide, of, kept))

    def test_weighted_reads_keep_it_and_lose_nothing(self):
        dna, rna, of = barcodes(60, 10, 60.0, sd=0.5, effect=0.6)
        rng = np.random.default_rng(3)
        few = [rng.binomial(x[:, :1], 0.01) for x in (dna, rna)]
        wide = [np.hstack([x, y]) for x, y in zip((dna, rna), few, strict=True)]
        kept = np.ones((len(of), 4), dtype=bool)
        with_few = cg.mpra.fit(table(*wide, of, kept), control="ref")
        without = cg.mpra.fit(table(dna, rna, of, kept[:, :3]), control="ref")
        assert with_few.attrs["n_replicates"] == 4
        assert with_few["se"].median() < 1.05 * without["se"].median()
