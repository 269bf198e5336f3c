"""Two measured libraries: fits compared by their effects, and conditions that stand in
one table as arms.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.cli.mpra_tables import virtual_effects
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
        found = virtual_effects(tmp_path, None, fits[1])
        np.testing.assert_array_equal(found["ace"], fits[0]["ace"])
        np.testing.assert_array_equal(found["se"], fits[0]["se"])
        virtual_effects(tmp_path, "ref", fits[1])


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


class TestSeveralCellTypes:
    def test_columns_of_several_cell_types_by_their_table(self, tmp_path):
        path = tmp_path / "counts.tsv"
        path.write_text("Barcode\tOligo\tp\tr1\tr2\nACGTAC\ta\t9\t5\t6\n")
        side = pd.DataFrame({"oligo_name": ["a"], "element": ["u"], "arm": ["x"]})
        types = {"p": "DNA", "r1": "K562", "r2": "HepG2"}
        with pytest.raises(DataError):
            cg.mpra.read_counts(path, side_table=side, conditions=types)
        counts = cg.mpra.read_counts(
            path, side_table=side, conditions=types, replicates=["r2"]
        )
        assert counts["rna"].values.tolist() == [[6]]


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
