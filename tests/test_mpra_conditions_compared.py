"""Comparisons of conditions, paired by barcode."""

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia.errors import DataError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from validation.count_designs import conditions as library


@cache
def compared(shared, arms, n_replicates=3):
    """Return p and errors in standard errors of nulls and others over a few seeds."""
    nulls, hits, covered = [], [], []
    for seed in range(3):
        counts, true = library(seed, arms, shared=shared, n_replicates=n_replicates)
        settings = {} if len(arms) == 1 else {"arm_control": arms[0]}
        fit = cg.mpra.conditions(counts, control="rest", **settings)
        name = "stim" if len(arms) == 1 else f"{arms[-1]}: stim - rest"
        one = fit.sel(contrast=name)
        truth = pd.Series(true[:, -1], [f"e{i}" for i in range(len(true))])
        truth = truth.loc[one["element"].values].to_numpy()
        nulls.append(one["p"].values[truth == 0])
        hits.append(one["p"].values[truth != 0])
        covered.append((one["lower"] <= truth) & (truth <= one["upper"]))
    return np.concatenate(nulls), np.concatenate(hits), np.concatenate(covered)


@pytest.mark.parametrize("arms", [("tile",), ("WT", "mut")])
@pytest.mark.parametrize("shared", [True, False])
def test_nulls_hold_and_pairing_finds_more(shared, arms):
    nulls, hits, covered = compared(shared, arms)
    assert 0.03 <= (nulls < 0.05).mean() <= 0.07
    assert covered.mean() >= 0.93
    found = (hits < 0.05).mean()
    alone = (compared(False, arms)[1] < 0.05).mean()
    if shared:
        assert found > alone + 0.1


def test_the_library_shift_is_told_and_no_effect():
    counts, _ = library(0)
    fit = cg.mpra.conditions(counts, control="rest")
    assert fit.attrs["paired"] == "by barcode"
    assert fit["ace"].median().item() == pytest.approx(0, abs=1e-12)
    assert "relative to the median" in fit.attrs["estimand"]
    assert str(cg.report(fit)).startswith("Relative to the median oligo")


def test_what_is_shared_by_barcode_cancels():
    """Barcodes that differ by more leave the paired errors as they are."""
    counts, _ = library(1)
    fit = cg.mpra.conditions(counts, control="rest")
    wild = {
        name: one.assign(
            rna=one["rna"]
            * xr_of(np.random.default_rng(3).integers(1, 4, one.sizes["barcode"]))
        )
        for name, one in counts.items()
    }
    again = cg.mpra.conditions(wild, control="rest")
    assert again["se"].median() < 1.05 * fit["se"].median()


def xr_of(values):
    import xarray as xr

    return xr.DataArray(values, dims="barcode")


def test_arms_in_each_condition_and_their_difference():
    counts, _ = library(0, ("WT", "mut"), n=40)
    fit = cg.mpra.conditions(counts, control="rest", arm_control="WT")
    rest, stim, gap = ("mut in rest", "mut in stim", "mut: stim - rest")
    assert fit["contrast"].values.tolist() == [rest, stim, gap]
    ace = fit["ace"].sel
    np.testing.assert_allclose(
        ace(contrast=stim) - ace(contrast=rest), ace(contrast=gap), atol=1e-9
    )
    alone = cg.mpra.fit(counts["rest"], control="WT", method="two_way")
    np.testing.assert_allclose(ace(contrast=rest), alone["ace"][:, 0], atol=1e-12)
    np.testing.assert_allclose(
        fit["se"].sel(contrast=rest), alone["se"][:, 0], atol=1e-12
    )
    decisions = cg.decide(fit, rope=(-0.1, 0.1))
    assert decisions.sizes["task"] == 3
    assert np.isfinite(cg.mpra.average(fit)["se"]).all()


def test_an_average_holds_the_noise_that_replicates_share():
    """An effect of a condition on all elements of an arm differs by replicate."""
    z = []
    for seed in range(60):
        counts, _ = library(
            seed, ("WT", "mut"), n=12, n_barcodes=4, n_replicates=4, response=0.0
        )
        rng = np.random.default_rng(1_000 + seed)
        for name, one in counts.items():
            mutant = (one["arm"].values == "mut")[one["oligo_index"].values]
            factor = np.where(mutant[:, None], 2 ** rng.normal(0, 0.2, 4), 1.0)
            counts[name] = one.assign(
                rna=(("barcode", "replicate"), (one["rna"].values * factor).astype(int))
            )
        fit = cg.mpra.conditions(counts, control="rest", arm_control="WT")
        mean = cg.mpra.average(fit).sel(task="mut: stim - rest")
        z.append(mean["p"].item())
    assert (np.array(z) < 0.05).mean() <= 0.12


def test_barcodes_and_oligos_of_one_condition_are_told_apart():
    counts, _ = library(2, n=30)
    few = counts["stim"].isel(barcode=counts["stim"]["oligo_index"].values > 0)
    fit = cg.mpra.conditions(counts | {"stim": few}, control="rest")
    assert "e0" not in fit["element"].values
    assert fit.attrs["n_left_out"] == 1


def test_a_dataset_with_the_coordinate_is_the_mapping():
    from causalgia.mpra.fits._conditions import joined_conditions

    counts, _ = library(3, n=30)
    both = cg.mpra.conditions(joined_conditions(counts), control="rest")
    one = cg.mpra.conditions(counts, control="rest")
    np.testing.assert_array_equal(both["ace"], one["ace"])


@pytest.mark.parametrize(
    "settings", [{"control": "other"}, {"control": "rest", "arm_control": "x"}]
)
def test_wrong_settings(settings):
    with pytest.raises(cg.errors.CausalgiaError):
        cg.mpra.conditions(library(0, n=30)[0], **settings)


def test_a_condition_of_one_replicate():
    counts, _ = library(0, n=30)
    counts["stim"] = counts["stim"].isel(replicate=[0])
    with pytest.raises(DataError):
        cg.mpra.conditions(counts, control="rest")


def sums_of(counts):
    """Return counts of one row an oligo: the sums of its barcodes."""
    of = counts["oligo_index"].values
    dna, rna = (
        np.stack([np.bincount(of, x) for x in counts[name].values.T], axis=1)
        for name in ("dna", "rna")
    )
    side = counts[["element", "arm", "group"]].to_dataframe()
    names = counts["oligo"].values
    return cg.mpra.counts_of(
        dna,
        rna,
        barcodes=names,
        oligos=names,
        side_table=side.rename_axis("oligo_name").reset_index(),
    )


@pytest.mark.parametrize("arms", [("tile",), ("WT", "mut")])
def test_sums_are_compared_for_these_barcodes(arms):
    counts, _ = library(0, arms, n=60)
    settings = {} if len(arms) == 1 else {"arm_control": "WT"}
    sums = {name: sums_of(one) for name, one in counts.items()}
    fit = cg.mpra.conditions(sums, control="rest", **settings)
    assert fit.attrs["null"] == "these barcodes"
    assert np.isfinite(fit["se"]).all()


def test_a_condition_of_few_reads_is_said():
    counts, _ = library(0, n=60)
    deep = cg.mpra.conditions(counts, control="rest")
    assert (deep["median_reads"] > 10).all()
    assert "few" not in str(cg.report(deep)).split(".")[0]
    rng = np.random.default_rng(0)
    few = counts["stim"].assign(
        rna=(("barcode", "replicate"), rng.binomial(counts["stim"]["rna"].values, 0.02))
    )
    fit = cg.mpra.conditions(counts | {"stim": few}, control="rest")
    assert fit["median_reads"].sel(condition="stim") < 10
    assert str(cg.report(fit)).startswith("Reads of the median cell are few")


def test_names_of_conditions_are_the_users():
    counts, _ = library(0, ("WT", "mut"), n=40)
    named = {"day - 1": counts["rest"], "day, 2": counts["stim"]}
    fit = cg.mpra.conditions(named, control="day - 1", arm_control="WT")
    assert fit["contrast"].values.tolist() == [
        "mut in day - 1",
        "mut in day, 2",
        "mut: day, 2 - day - 1",
    ]
