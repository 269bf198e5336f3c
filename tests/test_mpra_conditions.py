"""Two measured libraries: fits compared by their effects, and conditions that stand in
one table as arms.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from test_cli import refused

import causalgia as cg
from causalgia.cli.mpra_tables import virtual_effects
from causalgia.errors import ArgumentError, ContrastError, CountsError, EstimateError
from causalgia.mpra.counts import counts_of
from causalgia.mpra.fits.element_effects import fit_request
from causalgia.notes import notes_of


def library(effects: np.ndarray, seed: int, **settings) -> pd.DataFrame:
    n = len(effects)
    table = pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(n)], 2),
            "arm": ["ref", "alt"] * n,
            "log2": np.column_stack([np.zeros(n), effects]).ravel(),
        }
    )
    return cg.mpra.simulate(
        table,
        n_barcodes=6,
        n_replicates=3,
        p_missing=0,
        noise=cg.mpra.NoiseModel(sd_barcode=0.8),
        rng=seed,
    )


@pytest.fixture(scope="module")
def effects():
    return np.random.default_rng(0).normal(0, 0.7, 150)


@pytest.fixture(scope="module")
def fits(effects):
    return [
        cg.mpra.fit(library(effects, seed), control="ref", method="two_way")
        for seed in (1, 2)
    ]


class TestTwoFits:
    def test_the_slope_is_free_of_the_noise_of_both(self, fits):
        found = cg.mpra.concordance(*fits)
        plain = found["slope"].sel(line="ols").item()
        line = found.sel(line="errors_and_scatter")
        assert plain < 0.8
        assert line["slope_lower"].item() < 1.0 < line["slope_upper"].item()
        assert abs(line["slope"].item() - 1) < 0.2
        assert any("same barcodes" in note for note in notes_of(found))

    @pytest.mark.rotating
    def test_a_measured_folder_is_read_by_its_fit(self, fits, tmp_path):
        fits[0].to_netcdf(tmp_path / "fit.nc")
        found = virtual_effects(tmp_path, None, fits[1])
        np.testing.assert_array_equal(found["ace"], fits[0]["ace"])
        np.testing.assert_array_equal(found["se"], fits[0]["se"])
        virtual_effects(tmp_path, "ref", fits[1])
        with pytest.raises(ContrastError, match="with the control 'ref'; leave --con"):
            virtual_effects(tmp_path, "alt", fits[1])


def stacked(*, letters: bool, plasmid: bool) -> xr.Dataset:
    """Return one library in two conditions, of which the second has other size factors."""
    rng = np.random.default_rng(3)
    n, each = 40, 8
    abundance = rng.gamma(2, 30, n * each)
    names = ["".join(rng.choice(list("ACGT"), 12)) for _ in range(n * each)]
    pool = rng.poisson(abundance)
    dna, rna, barcodes = [], [], []
    for condition, depth in (("A", 1.0), ("B", 3.0)):
        dna.append(
            pool if plasmid else rng.poisson(abundance[:, None] * depth * np.ones(3))
        )
        rna.append(rng.poisson(abundance[:, None] * depth * np.ones(3)))
        barcodes += [
            f"{name}_{condition}" if letters else f"{condition}{i}"
            for i, name in enumerate(names)
        ]
    elements = np.repeat([f"e{i}" for i in range(n)], each)
    side = pd.DataFrame(
        {
            "oligo_name": [f"e{i}{c}" for c in "AB" for i in range(n)],
            "element": [f"e{i}" for _ in "AB" for i in range(n)],
            "arm": ["A"] * n + ["B"] * n,
        }
    )
    return counts_of(
        np.concatenate(dna),
        np.concatenate(rna),
        barcodes=barcodes,
        oligos=[f"{e}{c}" for c in "AB" for e in elements],
        side_table=side,
    )


class TestConditionsAsArms:
    @pytest.mark.parametrize("plasmid", [False, True])
    @pytest.mark.parametrize("method", ["hierarchical", "two_way"])
    def test_arms_with_the_same_barcodes_are_refused(self, plasmid, method):
        counts = stacked(letters=True, plasmid=plasmid)
        with pytest.raises(
            CountsError, match="arms 'A' and 'B' share 100 % of their barcodes"
        ):
            cg.mpra.fit(counts, control="A", method=method)

    def test_one_pool_under_two_names_is_recognized_by_its_dna(self):
        with pytest.raises(CountsError, match="share the same DNA counts in every"):
            cg.mpra.fit(stacked(letters=False, plasmid=True), control="A")

    def test_arms_of_one_library_are_fitted(self, effects):
        assert cg.mpra.fit(library(effects[:10], 5), control="ref", method="two_way")


def of_own_libraries(seed: int, *, own: bool, keep: int = 0) -> xr.Dataset:
    """Return two arms with unrelated barcodes, of libraries of their own or of one."""
    rng = np.random.default_rng(seed)
    n, each, R = 40, 10, 3
    of = np.repeat(np.arange(2 * n), each)
    arm = of % 2
    abundance = rng.gamma(2, 20, len(of)) * np.where(arm, 0.5, 1.0)
    dna, rna = (
        rng.poisson(
            abundance[:, None]
            * 2 ** rng.normal(0, 0.8, (2, R))[arm if own else 0 * arm]
            * rng.gamma(10, 0.1, (len(of), R))
        )
        for _ in range(2)
    )
    side = pd.DataFrame(
        {
            "oligo_name": [f"o{i}" for i in range(2 * n)],
            "element": [f"e{i // 2}" for i in range(2 * n)],
            "arm": ["A", "B"] * n,
        }
    )
    return counts_of(
        np.where(dna >= keep, dna, 0),
        rna,
        barcodes=[f"b{i}" for i in range(len(of))],
        oligos=[f"o{i}" for i in of],
        side_table=side,
    )


class TestArmsOfTheirOwnLibraries:
    @pytest.mark.parametrize("method", ["hierarchical", "two_way", "nb"])
    def test_are_refused_by_the_depth_of_their_dna(self, method):
        with pytest.raises(
            CountsError,
            match=r"arms 'A' and 'B' are separate libraries: from replicate",
        ):
            cg.mpra.fit(of_own_libraries(0, own=True), control="A", method=method)

    @pytest.mark.rotating
    def test_most_are_found_and_no_arms_of_one_library(self):
        found = []
        for seed in range(20):
            for own, keep in ((True, 0), (False, 0), (False, 3)):
                try:
                    fit_request(of_own_libraries(seed, own=own, keep=keep), control="A")
                    found.append((own, False))
                except CountsError:
                    found.append((own, True))
        assert sum(refused for own, refused in found if own) >= 17
        assert not any(refused for own, refused in found if not own)

    def test_are_refused_in_the_shell(self, tmp_path):
        counts = of_own_libraries(0, own=True)
        letters = [
            "".join("ACGT"[i >> 2 * k & 3] for k in range(6)) for i in range(800)
        ]
        path = cg.mpra.to_igvf(
            counts.assign_coords(barcode=letters),
            tmp_path / "counts.tsv",
            "reporter_experiment_barcode",
        )
        side = counts[["element", "arm", "group"]].to_dataframe()
        side.rename_axis("oligo_name").to_csv(tmp_path / "side.tsv", sep="\t")
        refused(
            *("mpra", "analyze", path, "--design", tmp_path / "side.tsv"),
            *("--control", "A", "--out", tmp_path / "out"),
            said=["are separate libraries", "compare the fits: causalgia mpra compare"],
        )


class TestRequestsThatComeLater:
    @pytest.mark.parametrize("name", ["condition", "conditions", "factor", "formula"])
    def test_conditions_as_a_factor(self, name):
        with pytest.raises(ArgumentError, match="come later; today, fit .*concordance"):
            cg.mpra.fit(of_own_libraries(0, own=False), control="A", **{name: "cell"})

    def test_an_additive_model_of_variants(self):
        with pytest.raises(
            ArgumentError, match="comes later; today, drop_unknown=True"
        ):
            cg.mpra.fit(of_own_libraries(0, own=False), control="A", additive=True)

    @pytest.mark.parametrize(
        ("request_", "said"),
        [
            ({"control": "A", "arm_names": ["A"]}, r"Today, cg\.mpra\.calls\(counts\)"),
            ({"contrasts": {"B": {"B": 1.0}}}, "compared with, such as 'B - A'"),
        ],
    )
    def test_the_activity_of_one_arm(self, request_, said):
        with pytest.raises(ContrastError, match=said):
            cg.mpra.fit(of_own_libraries(0, own=False), **request_)

    def test_counts_of_one_arm(self):
        counts = of_own_libraries(0, own=False)
        one = counts.assign_coords(
            element=("oligo", [f"o{i}" for i in range(80)]), arm=("oligo", ["x"] * 80)
        )
        with pytest.raises(
            ContrastError, match="the counts have one arm, 'x'; an effect"
        ):
            cg.mpra.fit(one, control="x")

    @pytest.mark.parametrize(
        ("option", "says"),
        [
            ("--condition", "compare the two: causalgia mpra compare measured_A"),
            ("--additive", "--drop-unknown leaves out barcodes with several"),
        ],
    )
    def test_in_the_shell(self, option, says):
        words = ("mpra", "analyze", "counts.tsv", "--design", "x", option, "cell")
        refused(*words, said=[f"there is no {option} yet: ", says])

    def test_columns_of_several_cell_types_by_their_table(self, tmp_path):
        path = tmp_path / "counts.tsv"
        path.write_text("Barcode\tOligo\tp\tr1\tr2\nACGTAC\ta\t9\t5\t6\n")
        side = pd.DataFrame({"oligo_name": ["a"], "element": ["u"], "arm": ["x"]})
        types = {"p": "DNA", "r1": "K562", "r2": "HepG2"}
        with pytest.raises(CountsError, match="2 cell types .K562: r1; HepG2: r2"):
            cg.mpra.read_counts(path, side_table=side, conditions=types)
        with pytest.raises(CountsError, match="2 cell types"):
            cg.mpra.read_counts(
                path, side_table=side, conditions=types, replicates=["r1", "r2"]
            )
        counts = cg.mpra.read_counts(
            path, side_table=side, conditions=types, replicates=["r2"]
        )
        assert counts["rna"].values.tolist() == [[6]]


class TestOtherTables:
    def test_sums_repeated_for_each_barcode_are_refused(self, effects):
        counts = library(effects[:20], 6)
        first = counts["oligo_index"].to_numpy()
        repeated = np.searchsorted(first, first)
        same = counts.isel(barcode=repeated).assign_coords(barcode=counts["barcode"])
        for method in ("hierarchical", "two_way", "nb"):
            with pytest.raises(
                CountsError, match="6 barcodes of oligo .* the same counts in every"
            ):
                cg.mpra.fit(same, control="ref", method=method)

    def test_one_replicate_is_refused_or_said_to_be_alone(self, effects):
        one = library(effects[:12], 7).isel(replicate=[0])
        fitted = cg.mpra.fit(one, control="ref")
        assert str(cg.report(fitted)).startswith(
            "In this replicate alone, compared with ref, alt changes"
        )
        for method in ("two_way", "nb"):
            with pytest.raises(EstimateError, match="use more replicates"):
                cg.mpra.fit(one, control="ref", method=method)

    @pytest.mark.rotating(6)
    def test_two_cell_types_in_the_columns_are_found(self):
        rng = np.random.default_rng(0)
        n, each = 120, 10
        of = np.repeat(np.arange(n), each)
        reads = rng.gamma(2, 30, n * each)[:, None] * np.ones(6)
        log2 = rng.normal(0, 0.7, (n, 2))[of][:, [0, 0, 0, 1, 1, 1]]
        side = pd.DataFrame(
            {
                "oligo_name": [f"o{i}" for i in range(n)],
                "element": [f"e{i // 2}" for i in range(n)],
                "arm": ["ref", "alt"] * (n // 2),
            }
        )
        counts = counts_of(
            rng.poisson(reads),
            rng.poisson(reads * 2**log2),
            barcodes=[f"b{i}" for i in range(n * each)],
            oligos=[f"o{i}" for i in of],
            side_table=side,
            replicates=["K1", "K2", "K3", "H1", "H2", "H3"],
        )
        text = str(cg.report(cg.mpra.quality(counts))).replace("\n", " ")
        assert "replicates K1, K2, K3 and replicates H1, H2, H3 are two groups" in text
        assert "read one at a time" in text
        fitted = cg.mpra.fit(counts, control="ref")
        assert str(cg.report(fitted)).startswith(
            "Averaged over two groups of replicates that disagree, compared with ref, "
        )
        assert any(
            "are two groups" in note for note in fitted.attrs["notes"].split("\n")
        )
        alone = cg.mpra.fit(counts.sel(replicate=["K1", "K2", "K3"]), control="ref")
        assert str(cg.report(alone)).startswith("Compared with ref")
