"""Two measured libraries: fits compared by their effects, and conditions that stand in
one table as arms.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.cli.mpra_commands import read_effects
from causalgia.errors import DataError
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
        assert notes_of(found)

    @pytest.mark.simulation
    def test_a_measured_folder_is_read_by_its_fit(self, fits, tmp_path):
        fits[0].to_netcdf(tmp_path / "fit.nc")
        found = read_effects(tmp_path, fits[1])
        np.testing.assert_array_equal(found["ace"], fits[0]["ace"])
        np.testing.assert_array_equal(found["se"], fits[0]["se"])


class TestConditionsAsArms:
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
    @pytest.mark.simulation
    def test_most_are_found_and_no_arms_of_one_library(self):
        found = []
        for seed in range(20):
            for own, keep in ((True, 0), (False, 0), (False, 3)):
                try:
                    fit_request(of_own_libraries(seed, own=own, keep=keep), control="A")
                    found.append((own, False))
                except DataError:
                    found.append((own, True))
        assert sum(refused for own, refused in found if own) >= 17
        assert not any(refused for own, refused in found if not own)


def two_conditions(folder, n: int = 12):
    """Return files of two conditions, whose barcodes are in part the same, and their
    side table.
    """
    rng, files = np.random.default_rng(0), {}
    side = pd.DataFrame({"oligo_name": [f"o{i}" for i in range(n)]})
    side["element"], side["arm"] = (
        [f"e{i // 2}" for i in range(n)],
        ["ref", "alt"] * (n // 2),
    )
    letters = np.array(
        ["".join("ACGT"[(i >> 2 * k) & 3] for k in range(4)) for i in range(8 * n)]
    )
    for name, here in (("rest", slice(None)), ("stim", slice(4, None))):
        table = pd.DataFrame(
            {"barcode": letters, "oligo_name": np.repeat(side["oligo_name"], 8)}
        )
        for r in (1, 2, 3):
            table[f"dna_count_{r}"] = rng.poisson(50, 8 * n)
            table[f"rna_count_{r}"] = rng.poisson(80, 8 * n)
        files[name] = folder / f"{name}.tsv"
        table[here].sample(frac=1, random_state=0).to_csv(
            files[name], sep="\t", index=False
        )
    return files, side


class TestSeveralConditions:
    def test_columns_of_several_cell_types_by_their_names(self, tmp_path):
        path = tmp_path / "counts.tsv"
        columns = "Barcode\tOligo\tplasmid\tK562_RNA_1\tHepG2_RNA_1"
        path.write_text(f"{columns}\nACGTAC\ta\t9\t5\t6\n")
        side = pd.DataFrame({"oligo_name": ["a"], "element": ["u"], "arm": ["x"]})
        both = cg.mpra.read_counts(path, side_table=side)
        of = {"K562_1": "K562", "HepG2_1": "HepG2"}
        assert both["condition"].to_series().to_dict() == of
        assert both["dna"].values.tolist() == [9]
        counts = cg.mpra.read_counts(path, side_table=side, replicates=["HepG2_1"])
        assert counts["rna"].values.tolist() == [[6]]
        assert "condition" not in counts

    def test_a_file_each_is_joined_by_barcode(self, tmp_path):
        files, side = two_conditions(tmp_path)
        both = cg.mpra.read_counts(files, side_table=side)
        assert both["condition"].values.tolist() == ["rest"] * 3 + ["stim"] * 3
        assert both.sizes["barcode"] == 96
        for name, path in files.items():
            alone = cg.mpra.read_counts(path, side_table=side)
            of = both.sel(barcode=alone["barcode"], replicate=both["condition"] == name)
            for kind in ("dna", "rna"):
                np.testing.assert_array_equal(of[kind], alone[kind])
            left = both["dna_observed"].sel(replicate=both["condition"] == name)
            assert left.sum() == alone["dna_observed"].sum()
        both.to_netcdf(tmp_path / "counts.nc")
        assert "condition" in cg.store.read_netcdf(tmp_path / "counts.nc").coords

    def test_a_column_of_conditions_is_the_same(self, tmp_path):
        files, side = two_conditions(tmp_path)
        tables = [
            pd.wide_to_long(
                pd.read_csv(path, sep="\t"),
                ["dna_count", "rna_count"],
                i=["barcode", "oligo_name"],
                j="replicate",
                sep="_",
            ).assign(condition=name)
            for name, path in files.items()
        ]
        pd.concat(tables).reset_index().to_csv(tmp_path / "long.csv", index=False)
        long = cg.mpra.read_counts(tmp_path / "long.csv", side_table=side)
        wide = cg.mpra.read_counts(files, side_table=side).sel(barcode=long["barcode"])
        for name in ("replicate", "condition", "dna", "rna", "dna_observed"):
            np.testing.assert_array_equal(long[name], wide[name])

    def test_replicates_of_a_condition_in_files_of_their_own(self, tmp_path):
        files, side = two_conditions(tmp_path)
        given = {}
        for name, path in files.items():
            for r in (1, 2, 3):
                one = tmp_path / f"{name}_r{r}.tsv"
                columns = ["barcode", "oligo_name", f"dna_count_{r}", f"rna_count_{r}"]
                pd.read_csv(path, sep="\t")[columns].to_csv(one, sep="\t", index=False)
                given.setdefault(name, []).append(one)
        apart = cg.mpra.read_counts(given, side_table=side)
        whole = cg.mpra.read_counts(files, side_table=side)
        assert apart["condition"].values.tolist() == whole["condition"].values.tolist()
        for kind in ("dna", "rna"):
            np.testing.assert_array_equal(apart[kind], whole[kind])

    def test_are_no_replicates_for_any_verb(self, tmp_path):
        files, side = two_conditions(tmp_path)
        both = cg.mpra.read_counts(files, side_table=side)
        for verb in (
            cg.mpra.quality,
            cg.mpra.activity,
            cg.mpra.outcomes,
            lambda x: cg.mpra.filter(x, min_dna=1),
            lambda x: cg.mpra.fit(x, control="ref"),
            lambda x: cg.mpra.components(x, control="ref"),
        ):
            with pytest.raises(DataError):
                verb(both)
        assert cg.mpra.quality(both.sel(replicate=both["condition"] == "stim"))


class TestMatricesOfDnaAndRna:
    """As mpralm takes them: oligos in rows, samples in columns."""

    def test_are_the_sums_of_one_table(self, tmp_path):
        rng = np.random.default_rng(0)
        names = [f"o{i}" for i in range(6)]
        side = pd.DataFrame({"oligo_name": names, "element": names, "arm": "w"})
        files = {}
        for kind in ("dna", "rna"):
            frame = pd.DataFrame(rng.poisson(90, (6, 3)), names, ["s1", "s2", "s3"])
            files[kind] = tmp_path / f"{kind}.csv"
            frame.to_csv(files[kind])
        counts = cg.mpra.read_counts(files, side_table=side)
        for kind, path in files.items():
            np.testing.assert_array_equal(counts[kind], pd.read_csv(path, index_col=0))
        assert counts["replicate"].values.tolist() == ["s1", "s2", "s3"]


class TestOligosWithoutCounts:
    def test_are_left_out_and_counted(self, tmp_path):
        files, side = two_conditions(tmp_path)
        more = pd.DataFrame({"oligo_name": [f"x{i}" for i in range(900)]})
        more["element"], more["arm"] = more["oligo_name"], "ref"
        counts = cg.mpra.read_counts(files["rest"], side_table=pd.concat([side, more]))
        assert counts["oligo"].values.tolist() == side["oligo_name"].tolist()
        assert "900 of 912" in counts.attrs["table_format"]


class TestOtherTables:
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
        fitted = cg.mpra.fit(counts, control="ref")
        alone = cg.mpra.fit(counts.sel(replicate=["K1", "K2", "K3"]), control="ref")
        assert len(notes_of(fitted)) > len(notes_of(alone))


def test_conditions_that_were_read_are_compared(tmp_path):
    files, side = two_conditions(tmp_path)
    read = cg.mpra.read_counts(files, side_table=side)
    found = cg.mpra.conditions(read, control="rest")
    apart = {
        name: cg.mpra.read_counts(path, side_table=side) for name, path in files.items()
    }
    again = cg.mpra.conditions(apart, control="rest")
    np.testing.assert_allclose(
        found["ace"].sortby("element"), again["ace"].sortby("element"), rtol=1e-9
    )
