"""Power of MPRA designs: against the reference table, simulated libraries, brute force,
and a real pilot.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from assay import simulated_counts, with_noise

import causalgia as cg
from causalgia.mpra.planning.assumptions import (
    LN2,
    counting_variance,
    mean_inverse_barcodes,
    silent_variance,
)


def power(effect: Any = None, **settings: Any) -> xr.Dataset:
    return cg.mpra.power(effect, **with_noise(settings))


POWER = {"sd_replicate": 0.15, "sd_count": 0.5}


def activities(
    n: int, effect: float = 0.0, tau: float = 0.0, seed: int = 1, base: float = 0.0
) -> pd.DataFrame:
    """n elements under two arms: effects N(effect, tau^2), base activities N(0,
    base^2).
    """
    rng = np.random.default_rng(seed)
    low = base * rng.normal(size=n)
    high = low + effect + tau * rng.normal(size=n)
    names = np.repeat([f"e{i}" for i in range(n)], 2)
    both = np.column_stack([low, high]).ravel()
    return pd.DataFrame(
        {"element": names, "arm": ["control", "treated"] * n, "log2": both}
    )


@pytest.mark.real
def test_formula_is_the_table_of_the_reference(shared: Path) -> None:
    table = pd.read_csv(
        shared / "reference" / "mpra" / "expected" / "power.tsv", sep="\t"
    )
    for row in table.itertuples():
        found = power(
            row.effect,
            n_barcodes=row.barcodes,
            n_replicates=row.replicates,
            sd_barcode=row.sd_barcode,
            sd_replicate=row.sd_replicate,
            sd_count=row.sd_count,
        )
        assert abs(found["se"].item() - row.se) < 1e-6
        assert abs(found["power"].item() - row.power_formula) < 1e-6
        spread = np.sqrt(row.power_formula * (1 - row.power_formula) / 20_000)
        # four decimals
        assert abs(found["power"].item() - row.power_simulated) < 4.5 * spread + 5e-5


@pytest.mark.parametrize(
    ("sd_barcode", "alpha", "needed"),
    [
        (0.3, 0.05, [21, 15, 11]),
        (0.6, 0.05, [53, 42, 33]),
        (1.0, 0.05, [129, 104, 86]),
        (0.3, 0.005, [92, 41, 24]),
        (0.6, 0.005, [235, 113, 72]),
        (1.0, 0.005, [574, 283, 185]),
    ],
)
def test_barcodes_needed_are_those_of_the_requirement(
    sd_barcode: float, alpha: float, needed: list[int]
) -> None:
    tried = np.arange(2, 600)
    found = power(
        0.5,
        n_barcodes=tried,
        n_replicates=[3, 4, 6],
        sd_barcode=sd_barcode,
        alpha=alpha,
        **POWER,
    )
    enough = found["power"].transpose("n_replicates", "n_barcodes").to_numpy() >= 0.8
    assert tried[enough.argmax(axis=1)].tolist() == needed


def test_an_effect_of_one_needs_few_barcodes_and_a_quarter_is_out_of_reach() -> None:
    tried = np.arange(2, 3000)
    found = power(
        [0.25, 1.0], n_barcodes=tried, n_replicates=[3, 4, 6], sd_barcode=0.6, **POWER
    )["power"]
    large = (
        found.sel(true_effect=1.0).transpose("n_replicates", "n_barcodes").to_numpy()
        >= 0.8
    )
    assert tried[large.argmax(axis=1)].tolist() == [8, 8, 7]
    assert (found.sel(true_effect=0.25, n_replicates=[3, 4]) < 0.8).all()


def test_mean_over_backgrounds_is_that_of_the_requirement() -> None:
    noise = {"sd_barcode": 0.5, "sd_replicate": 0.15, "sd_count": 0.5, "tau": 0.5}
    found = power(
        [0.31, 0.5], n_backgrounds=[12, 30], n_barcodes=8, n_replicates=4, **noise
    )
    assert found["power"].dims == ("true_effect", "n_backgrounds")
    assert abs(found["se"].sel(n_backgrounds=30).item() - 0.11) < 0.005
    assert (
        abs(found["power"].sel(true_effect=0.31, n_backgrounds=30).item() - 0.80) < 0.05
    )
    assert (
        abs(found["power"].sel(true_effect=0.5, n_backgrounds=12).item() - 0.80) < 0.05
    )


def test_alpha_of_q_is_about_the_requirements_and_solves_its_equation() -> None:
    found = power(
        0.5,
        n_barcodes=113,
        n_replicates=4,
        sd_barcode=0.6,
        q=0.05,
        share_true=0.1,
        **POWER,
    )
    a, chance = found["alpha"].item(), found["power"].item()
    assert abs(a / (0.9 * a + 0.1 * chance) - 0.05) < 1e-6
    assert 0.003 < a < 0.006
    same = power(0.5, n_barcodes=113, n_replicates=4, sd_barcode=0.6, alpha=a, **POWER)
    assert abs(same["power"].item() - chance) < 1e-6


def test_depth_buys_off_the_poisson_part_alone() -> None:
    noise = {"sd_barcode": 0.0, "sd_replicate": 0.0, "sd_abundance": 0.0}
    found = power(
        0.5, n_barcodes=10, n_replicates=4, depth=[10, 1e9], depth_dna=1e9, **noise
    )
    squared = found["se"].to_numpy() ** 2 * 40 / 2 * LN2**2
    np.testing.assert_allclose(squared, [0.1 + 0.03 + 0.1, 0.13], rtol=1e-6)


def test_one_plasmid_library_keeps_its_noise_however_many_replicates() -> None:
    noise = {
        "sd_barcode": 0.0,
        "sd_replicate": 0.0,
        "depth": 100,
        "depth_dna": 20.0,
        "sd_abundance": 0.0,
    }
    pools = [
        power(0.5, n_barcodes=10, n_replicates=[2, 10**6], plasmid=p, **noise)["se"]
        for p in (False, True)
    ]
    assert pools[0].isel(n_replicates=1) < 1e-3
    np.testing.assert_allclose(
        pools[1].isel(n_replicates=1) ** 2, 2 * (0.03 + 1 / 20) / LN2**2 / 10, rtol=1e-3
    )


@pytest.mark.parametrize("dispersion", [0.0, 0.4])
def test_mean_of_one_over_b_is_that_of_drawn_numbers(dispersion: float) -> None:
    rng = np.random.default_rng(3)
    rate = (
        12
        * 0.5
        * (
            rng.gamma(1 / dispersion, dispersion, 400_000)
            if dispersion
            else np.ones(400_000)
        )
    )
    n = rng.poisson(rate)
    inverse, lost = mean_inverse_barcodes(12.0, 0.5, dispersion)
    drawn = 1 / n[n >= 2]
    assert abs(inverse - drawn.mean()) < 4 * drawn.std() / np.sqrt(len(drawn))
    assert abs(lost - (n < 2).mean()) < 4 * np.sqrt(lost / len(n))


@pytest.mark.simulation
@pytest.mark.parametrize(("planned", "recovery"), [(3.0, 0.7), (5.0, 0.4), (7.5, 0.9)])
def test_lost_synthesized_barcodes_leave_some_oligos_with_too_few(
    planned: float, recovery: float
) -> None:
    rng = np.random.default_rng(5)
    n = rng.binomial(int(planned) + (rng.random(400_000) < planned % 1), recovery)
    inverse, lost = mean_inverse_barcodes(planned, recovery, None)
    drawn = 1 / n[n >= 2]
    assert abs(inverse - drawn.mean()) < 4 * drawn.std() / np.sqrt(len(drawn))
    assert abs(lost - (n < 2).mean()) < 4 * np.sqrt(lost / len(n)) + 1e-12
    found = power(
        0.5,
        n_backgrounds=50,
        n_barcodes=planned,
        n_replicates=3,
        recovery=recovery,
        sd_barcode=0.5,
        tau=0.5,
        **POWER,
    )
    assert found["lost"].item() == lost


def test_counting_and_silence_are_what_counts_do() -> None:
    rng = np.random.default_rng(4)
    reads = 80 * 2 ** rng.normal(size=200_000) / np.exp(LN2**2 / 2)
    counts = rng.poisson(reads * rng.gamma(10, 0.1, len(reads)))
    ratio = np.log2(counts + 0.5) - np.log2(reads)
    said = counting_variance(80.0, 0.1, 1.0)
    assert abs(ratio.var() / said - 1) < 0.08  # the delta method, at 80 reads
    silent = rng.random(len(reads)) < 0.02
    added = np.log2(np.where(silent, 0, counts) + 0.5) - np.log2(reads)
    assert (
        abs((added.var() - ratio.var()) / silent_variance(80.0, 0.02, 1.0) - 1) < 0.06
    )


def test_uneven_and_silent_cells_explain_the_error_of_the_barcode_case() -> None:
    """Formula 0.31; in simulation the fit, which leaves silent cells out, has a root mean
    square error of 0.38 (its docstring; averages of log ratios have 0.467).
    """
    shape = {
        "n_barcodes": 10,
        "n_replicates": 4,
        "sd_barcode": 0.6,
        "sd_replicate": 0.15,
    }
    spread = np.exp(LN2**2 / 2)  # a median barcode's depth -> the mean of all
    found = power(
        0.5,
        depth=90 * spread,
        depth_dna=60 * spread,
        sd_noisiness=0.4,
        p_silent=0.02,
        barcode_dispersion=0.0,
        **shape,
    )
    assert abs(found["se"].item() / 0.38 - 1) < 0.04
    plain = power(0.5, sd_count=0.5, **shape)
    assert found["se"] > 1.2 * plain["se"]


def simulated(n: int, seed: int, **settings: float) -> xr.Dataset:
    plain = {
        "n_barcodes": 10,
        "n_replicates": 4,
        "depth_dna": 200,
        "depth_rna": 300,
        "sd_barcode": 0.6,
        "sd_replicate": 0.2,
    }
    return simulated_counts(
        activities(n, 0.3, 0.5, seed), **(plain | settings), rng=seed
    )


@pytest.mark.simulation
def test_components_are_unbiased() -> None:
    """Over data sets, each mean is within 4 of its Monte-Carlo errors of the truth."""
    sets = [
        cg.mpra.components(simulated(150, s, sd_noisiness=0.0), control="control")
        for s in range(24)
    ]
    truth = {"sd_barcode": 0.6**2, "sd_replicate": 0.2**2, "tau": 0.5**2}
    for name, variance in truth.items():
        scale = [
            np.exp(4 * s["sd_noisiness"].item() ** 2) if name != "tau" else 1.0
            for s in sets
        ]
        draws = np.array([s[name].item() ** 2 for s in sets])
        draws = draws * np.sqrt(scale)  # root mean squares, whatever noisiness was seen
        assert abs(draws.mean() - variance) < 4 * draws.std(ddof=1) / np.sqrt(
            len(sets)
        ), name


def test_components_of_counting_split_into_rna_and_dna() -> None:
    found = cg.mpra.components(
        simulated(400, 5, sd_noisiness=0.0, sd_abundance=0.3), control="control"
    )
    thin = np.exp((0.3 * LN2) ** 2)
    dna = (0.03 + thin / found["reads_dna"].item()) / LN2**2
    assert abs(found["sd_dna"].item() ** 2 / dna - 1) < 0.1
    assert found["bought_rna"] < found["sd_rna"] ** 2
    assert found.attrs["plasmid"] == 0
    pool = cg.mpra.components(simulated(50, 5, plasmid=True), control="control")
    assert pool.attrs["plasmid"] == 1


@pytest.mark.simulation
def test_noisiness_and_silence_are_seen() -> None:
    found = cg.mpra.components(
        simulated(4000, 6, sd_noisiness=0.4, p_silent=0.02), control="control"
    )
    assert abs(found["sd_noisiness"].item() - 0.4) < 0.06
    assert abs(found["p_silent"].item() - 0.02) < 0.002
    assert abs(found["sd_barcode"].item() - 0.6) < 0.04


@pytest.mark.real
@pytest.mark.parametrize(
    ("library", "between", "within"), [(1, 1.00, 0.953), (2, 0.967, 0.848)]
)
def test_components_of_a_real_library(
    shared: Path, library: int, between: float, within: float
) -> None:
    folder = shared / "reference" / "mpra_real" / f"library{library}"
    counts = cg.mpra.read_counts(
        folder / "counts.tsv.gz",
        side_table=pd.read_csv(folder / "arms.tsv", sep="\t", dtype=str),
    )
    counts = counts.isel(barcode=(counts["dna"] >= 10).to_numpy())
    n = pd.Series(np.bincount(counts["oligo_index"], minlength=counts.sizes["oligo"]))
    arm, element = (
        counts["arm"].to_series().reset_index(drop=True),
        counts["element"].to_series().reset_index(drop=True),
    )
    pair = arm.isin(["WT", "MUT-allCrxSites"]) & (n >= 2)
    both = pair & (pair.groupby(element).transform("sum") == 2)
    rows = both.to_numpy()[counts["oligo_index"]]
    kept = counts.isel(barcode=rows, oligo=both.to_numpy())
    kept["oligo_index"] = (
        "barcode",
        (both.cumsum() - 1).to_numpy()[counts["oligo_index"]][rows],
    )
    found = cg.mpra.components(kept, control="MUT-allCrxSites", arm_names=["WT"])
    rms = np.exp(found["sd_noisiness"].item() ** 2)
    of_barcode, of_replicate = (
        rms * found["sd_barcode"].item(),
        rms * found["sd_replicate"].item(),
    )
    counted = found["sd_rna"].item() ** 2
    # of barcode means, as the reference gives it
    assert abs(np.sqrt(of_barcode**2 + counted / 3) - between) < 0.005
    assert abs(np.sqrt(of_replicate**2 + counted) - within) < 0.005
    assert 1.85 < found["tau"].item() < 2.0
    plan = power(1.0, n_barcodes=3, n_replicates=3, pilot=found)
    assert abs(plan["se"].item() / found["se"].item() - 1) < 0.1


def test_a_pilots_plan_for_its_own_design_is_its_own_standard_error() -> None:
    pilot = cg.mpra.components(simulated(300, 7, p_missing=0.0), control="control")
    plan = power(0.5, n_barcodes=10, n_replicates=4, pilot=pilot)
    assert abs(plan["se"].item() / pilot["se"].item() - 1) < 1e-6
    deeper = power(0.5, n_barcodes=10, n_replicates=4, pilot=pilot, depth=1e6)
    assert deeper["se"] < plan["se"]
    many = power(
        0.3, n_barcodes=10, n_replicates=4, n_backgrounds=[20, 80], pilot=pilot
    )
    assert many["power"].dims == ("contrast", "n_backgrounds")
    assert many["power"].to_numpy()[0, 1] > many["power"].to_numpy()[0, 0]


def test_a_virtual_trial_says_effect_and_spread() -> None:
    ice = np.random.default_rng(8).normal(0.8, 0.6, (400, 1, 1))
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)},
        coords={"contrast": ["GATA1"], "task": ["K562"]},
    )
    noise = {"sd_barcode": 0.5, "sd_replicate": 0.15, "sd_count": 0.5}
    shape = {"n_barcodes": 8, "n_replicates": 3, "n_backgrounds": [6, 24]}
    found = power(virtual=effects, slope=0.5, **shape, **noise)
    mean, sd = 0.5 * ice.mean(), 0.5 * ice.std(ddof=1)
    by_hand = power(mean, tau=sd, **shape, **noise)
    np.testing.assert_allclose(
        found["power"].to_numpy().ravel(), by_hand["power"].to_numpy()
    )
    assert found["power"].dims == ("contrast", "task", "n_backgrounds")


NOISE = {"sd_barcode": 0.5, "sd_replicate": 0.15, "tau": 0.5, "sd_shared": 0.05}


def pilot_of(*contrasts: str) -> xr.Dataset:
    noise = {
        "sd_barcode": 0.6,
        "sd_replicate": 0.1,
        "sd_noisiness": 0.0,
        "sd_rna": 0.5,
        "sd_dna": 0.3,
        "sd_silent": 0.0,
        "p_silent": 0.0,
        "missing": 0.0,
        "recovery": 1.0,
    }
    of_each = ("contrast", 0.1 * np.arange(1, len(contrasts) + 1))
    return xr.Dataset(
        noise | {"tau": of_each, "sd_shared": of_each},
        {"contrast": list(contrasts)},
        {"plasmid": 0},
    )


def trial_of(*contrasts: str) -> xr.Dataset:
    ice = np.random.default_rng(1).normal(0.5, 0.4, size=(60, len(contrasts), 1))
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)},
        {"unit": np.arange(60), "contrast": list(contrasts), "task": ["K562"]},
    )


def test_a_virtual_trial_and_a_pilot_are_matched_by_contrast() -> None:
    grid = {"slope": 1.0, "n_backgrounds": 50, "n_barcodes": 8, "n_replicates": 4}
    both = power(virtual=trial_of("A", "B"), pilot=pilot_of("A", "B"), **grid)
    turned = power(
        virtual=trial_of("A", "B"),
        pilot=pilot_of("A", "B").sel(contrast=["B", "A"]),
        **grid,
    )
    xr.testing.assert_identical(both, turned)
    alone = power(
        virtual=trial_of("A", "B").sel(contrast=["B"]), pilot=pilot_of("A", "B"), **grid
    )
    xr.testing.assert_allclose(alone, both.sel(contrast=["B"]))


def test_a_pilot_of_one_contrast_speaks_for_any_and_one_of_several_has_to_be_picked() -> (
    None
):
    grid = {"slope": 1.0, "n_backgrounds": 50, "n_barcodes": 8, "n_replicates": 4}
    wanted = power(
        virtual=trial_of("two"),
        pilot=pilot_of("GATA1").isel(contrast=0, drop=True),
        **grid,
    )
    xr.testing.assert_identical(
        power(virtual=trial_of("two"), pilot=pilot_of("GATA1"), **grid), wanted
    )


@pytest.mark.parametrize("name", ["sd_abundance", "disp_rna", "disp_dna", "p_silent"])
def test_counting_is_not_described_twice(name: str) -> None:
    pilot = cg.mpra.components(simulated(30, 7), control="control")
    design = {
        "n_barcodes": 8,
        "n_replicates": 3,
        "n_backgrounds": 20,
        "depth": 50,
        "pilot": pilot,
    }
    default = getattr(cg.mpra.NoiseModel(), name)
    xr.testing.assert_identical(
        power(0.3, **design, **{name: default}), power(0.3, **design)
    )


def test_power_of_one_element_is_what_the_analysis_reaches() -> None:
    """2,000 elements with the same effect, two layers of noise, DNA and RNA counted,
    analyzed as measured data are.
    """
    shape = {"sd_barcode": 0.4, "sd_replicate": 0.15}
    counts = simulated_counts(
        activities(2000, 0.5, seed=11),
        n_barcodes=10,
        n_replicates=4,
        sd_noisiness=0.0,
        p_missing=0.0,
        sd_abundance=0.5,
        **shape,
        rng=11,
    )
    fitted = cg.mpra.fit(counts, control="control", method="two_way")
    means = [
        counts[f"{kind}_total"].to_numpy().mean() / counts.sizes["barcode"]
        for kind in ("rna", "dna")
    ]
    plan = power(
        0.5,
        n_barcodes=10,
        n_replicates=4,
        depth=means[0],
        depth_dna=means[1],
        sd_abundance=0.6,
        **shape,
    )
    error = fitted["ace"].to_numpy().ravel() - 0.5
    assert abs(error.std() / plan["se"].item() - 1) < 4 / np.sqrt(2 * len(error))
    z = np.abs(fitted["ace"] / fitted["se"]).to_numpy().ravel()
    reached = float((z > 1.959964).mean())
    expected = plan["power"].item()
    # se estimated, not known
    assert (
        abs(reached - expected) < 4 * np.sqrt(expected * (1 - expected) / len(z)) + 0.01
    )


@pytest.mark.simulation
def test_power_of_a_mean_over_backgrounds_is_what_the_analysis_reaches() -> None:
    """1,500 motifs in 12 backgrounds each: the t test of each motif's mean effect. With
    four replicates, for at two and three an average is tested with fewer df.
    """
    n, motifs = 12, 1500
    shape = {"sd_barcode": 0.5, "sd_replicate": 0.15}
    counts = simulated_counts(
        activities(n * motifs, 0.45, 0.5, seed=12),
        n_barcodes=4,
        n_replicates=4,
        sd_noisiness=0.4,
        **shape,
        rng=12,
    )
    fitted = cg.mpra.fit(counts, control="control", method="two_way")
    each = fitted["ace"].to_numpy().reshape(motifs, n)
    t = each.mean(axis=1) / (each.std(axis=1, ddof=1) / np.sqrt(n))
    reached = float((np.abs(t) > 2.200985).mean())  # t of 11 df
    pilot = cg.mpra.components(counts, control="control")
    plan = power(
        0.45, n_backgrounds=n, n_barcodes=4, n_replicates=4, pilot=pilot, sd_shared=0.0
    )
    expected = plan["power"].item()
    assert abs(reached - expected) < 4 * np.sqrt(expected * (1 - expected) / motifs)


def test_a_plan_says_each_assumption_and_where_it_is_from() -> None:
    pilot = pilot_of("A")
    found = power(
        0.3,
        n_barcodes=8,
        n_replicates=3,
        n_backgrounds=20,
        pilot=pilot,
        sd_barcode=0.7,
        outliers=0.02,
        recovery=0.9,
    )
    assumed = {
        "sd_barcode": (0.7, "noise"),
        "sd_replicate": (0.1, "pilot"),
        "sd_count": (np.hypot(0.5, 0.3), "pilot"),
        "tau": (0.1, "pilot"),
        "sd_shared": (0.1, "pilot"),
        "missing": (0.0, "pilot"),
        "p_silent": (0.0, "pilot"),
        "recovery": (0.9, "noise"),
        "outliers": (0.02, "noise"),
        "sd_outlier": (2.0, "noise"),
    }
    for name, (value, source) in assumed.items():
        assert float(found[name].squeeze()) == pytest.approx(value), name
        assert found[name].attrs["source"] == source, name


@pytest.mark.parametrize("n", [None, 30])
def test_the_power_under_a_shared_error_is_that_of_a_plan_that_assumes_it(
    n: int | None,
) -> None:
    shape = {"n_barcodes": [5, 20], "n_replicates": [2, 4], "n_backgrounds": n}
    noise = {"sd_barcode": 0.5, "sd_count": 0.4, "sd_replicate": 0.15, "tau": 0.2}
    alone = power(0.4, **shape, **noise)
    shared = power(0.4, **shape, **noise, sd_shared=0.05)
    np.testing.assert_allclose(alone["power_shared"], shared["power"])
    np.testing.assert_allclose(shared["power_shared"], shared["power"])
    assert (alone["power_shared"] < alone["power"]).all()


def test_outliers_add_their_variance_and_cost_less_power_than_it() -> None:
    shape = {"n_barcodes": 10, "n_replicates": 4, "sd_replicate": 0.15, "sd_count": 0.5}
    few = power(0.8, **shape, sd_barcode=0.5, outliers=0.03)
    wide = power(0.8, **shape, sd_barcode=np.sqrt(0.5**2 + 0.03 * 2**2))
    assert few["se"].item() == pytest.approx(wide["se"].item())
    assert wide["power"] < few["power"] - 0.01


def test_barcodes_without_rna_are_lost_and_not_noise() -> None:
    counts = simulated(100, 3, p_missing=0.0)
    dead = np.random.default_rng(0).random(counts.sizes["barcode"]) < 0.1
    silenced = counts.assign(rna=counts["rna"].where(~dead[:, None], 0))
    alone = counts.isel(barcode=~dead)
    found, wanted = (
        cg.mpra.components(x, control="control") for x in (silenced, alone)
    )
    assert found["recovery"].item() == pytest.approx(1 - dead.mean(), abs=0.01)
    for name in ("sd_barcode", "sd_replicate", "sd_rna", "tau"):
        np.testing.assert_allclose(found[name], wanted[name], rtol=0.02)
    plan = power(0.5, n_barcodes=10, n_replicates=4, pilot=found)
    assert plan["recovery"].item() == found["recovery"].item()


def test_silent_cells_of_a_pilot_are_lost_to_the_fit_and_blur_its_averages() -> None:
    pilot = cg.mpra.components(simulated(300, 3, p_silent=0.05), control="control")
    assert pilot["sd_silent"] > 0.5
    shape = {"n_barcodes": 10, "n_replicates": 4}
    kept = pilot.assign(sd_silent=0.0 * pilot["sd_silent"])
    assert (
        power(0.5, **shape, pilot=pilot)["se"].item()
        < 0.9 * power(0.5, **shape, pilot=kept)["se"].item()
    )
