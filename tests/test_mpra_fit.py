"""Fits of barcode counts: what is asked, what is counted, what the verbs of trials make
of them, and their coverage.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from assay import simulated_counts
from scipy import stats

import causalgia as cg
from causalgia.estimation._from_effects import as_estimates
from causalgia.estimation.moderated_variances import moderate_variances
from causalgia.mpra import average, fit, simulate
from causalgia.mpra.fits.element_effects import (
    RatioCells,
    residual_squares,
)

CLOSED = ("two_way",)


def activities(n, arms=("control", "treated"), effect=1.0, seed=0):
    base = np.random.default_rng(seed).normal(0, 1, n)
    log2 = base[:, None] + effect * np.arange(len(arms))
    names = np.repeat([f"E{i:04d}" for i in range(n)], len(arms))
    return pd.DataFrame({"element": names, "arm": list(arms) * n, "log2": log2.ravel()})


def simulated(n=12, arms=("control", "treated"), rng=1, **settings):
    return simulated_counts(
        activities(n, arms), rng=rng, **{"n_barcodes": 8, "sd_barcode": 0.0} | settings
    )


def test_arms_that_never_meet_the_control_are_no_reason_to_refuse():
    both, alone = (
        activities(6),
        pd.DataFrame({"element": ["P"], "arm": ["basal"], "log2": [0.0]}),
    )
    counts = simulate(pd.concat([both, alone]), rng=1)
    fitted = fit(counts, control="control", method="two_way")
    assert fitted["contrast"].values.tolist() == ["treated"]
    assert fitted.attrs["arms_left_out"] == "basal"
    assert fitted.attrs["n_left_out"] == 1


def test_an_element_is_estimated_in_the_contrasts_of_which_it_has_both_arms():
    table = activities(5, ("control", "a", "b"))
    counts = simulate(
        table[~((table["element"] == "E0002") & (table["arm"] == "b"))], rng=1
    )
    assert (
        fit(counts, control="control", arm_names=["a"], method="two_way").sizes[
            "element"
        ]
        == 5
    )
    fitted = fit(counts, control="control", method="two_way")
    lacking = (fitted["element"] == "E0002") & (fitted["contrast"] == "b")
    assert (np.isnan(fitted["ace"]) == lacking).all()
    assert (fitted["measured"] == ~lacking).all()


@pytest.mark.parametrize("control", [0, 0.0, np.int64(0), np.float32(0)])
def test_a_dose_is_a_control_as_it_is_in_trials(control):
    counts = simulated(4, arms=("0", "1", "2"))
    fitted = fit(counts, control=control, method="two_way")
    xr.testing.assert_identical(fitted, fit(counts, control="0", method="two_way"))
    assert fitted["contrast"].values.tolist() == ["1", "2"]


@pytest.mark.parametrize("method", CLOSED)
def test_what_a_fit_holds(method):
    counts = simulated(15, ("control", "a", "b"))
    fitted = fit(counts, control="control", method=method, ci_prob=0.9)
    assert fitted["ace"].dims == ("element", "contrast")
    assert fitted["contrast"].values.tolist() == ["a", "b"]
    z = fitted["ace"] / fitted["se"]
    np.testing.assert_allclose(
        fitted["p"], 2 * stats.t.sf(np.abs(z), fitted["df"]), rtol=1e-9
    )
    np.testing.assert_allclose(np.exp(fitted["log_p"]), fitted["p"], rtol=1e-6)
    half = stats.t.ppf(0.95, fitted["df"]) * fitted["se"]
    np.testing.assert_allclose(fitted["upper"] - fitted["ace"], half, rtol=1e-9)
    assert (fitted["n_barcodes"] == 8).all()
    assert {
        "method": method,
        "control": "control",
        "scale": "log2",
        "ci_prob": 0.9,
    }.items() <= fitted.attrs.items()
    error = np.sqrt((fitted["se"] ** 2).mean())
    assert abs(float(fitted["ace"].sel(contrast="b").mean()) - 2) < 5 * error / np.sqrt(
        15
    )
    json.dumps(fitted.attrs)


@pytest.mark.parametrize("method", CLOSED)
def test_swapping_the_arms_flips_the_signs_and_nothing_else(method):
    counts = simulated(12, p_silent=0.02)
    one, other = (fit(counts, control=c, method=method) for c in ("control", "treated"))
    np.testing.assert_allclose(one["ace"].values, -other["ace"].values, atol=1e-8)
    np.testing.assert_allclose(one["se"].values, other["se"].values, rtol=1e-7)


@pytest.mark.parametrize("method", CLOSED)
def test_the_order_of_barcodes_changes_nothing(method):
    counts = simulated(12)
    shuffled = counts.isel(
        barcode=np.random.default_rng(0).permutation(counts.sizes["barcode"])
    )
    one, other = (fit(c, control="control", method=method) for c in (counts, shuffled))
    for name in ("ace", "se", "df"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("method", CLOSED)
def test_a_contrast_of_three_arms_is_the_difference_of_two(method):
    counts = simulated(12, ("control", "a", "b"))
    contrasts = {
        "a": {"a": 1, "control": -1},
        "b": {"b": 1, "control": -1},
        "b - a": {"b": 1, "a": -1},
    }
    ace = fit(counts, contrasts=contrasts, method=method)["ace"]
    np.testing.assert_allclose(
        ace.sel(contrast="b - a"),
        ace.sel(contrast="b") - ace.sel(contrast="a"),
        atol=1e-8,
    )


@pytest.mark.parametrize("method", CLOSED)
def test_one_plasmid_pool_serves_all_replicates(method):
    counts = simulated(30, plasmid=True)
    assert counts["dna"].dims == ("barcode",)
    fitted = fit(counts, control="control", method=method)
    off = (fitted["ace"] - 1) / fitted["se"]
    assert abs(float(off.mean())) < 4 / np.sqrt(30)


@pytest.mark.parametrize("n_replicates", [2, 3])
def test_one_plasmid_pool_in_every_column_is_fitted_as_one_pool(n_replicates):
    counts = simulated(n_replicates=n_replicates)
    pool = counts["dna"].isel(replicate=0, drop=True)
    written = counts.assign(
        dna=pool.broadcast_like(counts["rna"]).transpose("barcode", "replicate")
    )
    one = fit(counts.assign(dna=pool), control="control")
    several = fit(written, control="control")
    for name in ("ace", "se", "df"):
        np.testing.assert_array_equal(several[name].values, one[name].values)
    copied = written.isel(replicate=[0, 0]).assign_coords(replicate=["1", "2"])
    assert np.isfinite(fit(copied, control="control")["ace"].values).all()


def test_sizes_of_libraries_shift_no_effect():
    counts = simulated(10)
    deeper = counts.assign(rna=counts["rna"] * np.array([1, 7, 1, 3]))
    deeper["rna_total"] = deeper["rna"].sum("barcode")
    for method in CLOSED:
        one, other = (
            fit(c, control="control", method=method)["ace"] for c in (counts, deeper)
        )
        assert abs(one - other).max() < 0.1


def test_a_lone_barcode_borrows_the_noise_of_others():
    counts = simulated(20, p_missing=0.0)
    lone = (counts["oligo_index"] == 0) & (np.arange(counts.sizes["barcode"]) > 0)
    fitted = {
        m: fit(counts.isel(barcode=~lone.values), control="control", method=m)
        for m in CLOSED
    }
    for found in fitted.values():
        assert found["n_barcodes"][0, 0] == 1
        assert found["v_barcode"][0, 0] > 2 * found["v_barcode"][1:].median()


@pytest.mark.parametrize("method", CLOSED)
def test_counts_without_any_spread_give_finite_answers(method):
    counts = simulated(12, p_missing=0.0)
    same = counts.assign(dna=counts["dna"] * 0 + 7, rna=counts["rna"] * 0 + 5)
    fitted = fit(same, control="control", method=method)
    np.testing.assert_allclose(fitted["ace"], 0, atol=1e-9)
    assert (fitted["se"] > 0).all()


def test_the_layers_of_noise_are_told_apart():
    found = {}
    for name, settings in {
        "barcode": {"sd_barcode": 0.8},
        "replicate": {"sd_replicate": 0.6},
    }.items():
        counts = simulated(
            150, rng=3, **{"sd_noisiness": 0.0, "sd_replicate": 0.0} | settings
        )
        found[name] = fit(counts, control="control", method="two_way").attrs
    assert found["barcode"]["sd_barcode"] == pytest.approx(0.8, rel=0.1)
    assert found["barcode"]["sd_replicate"] < 0.1
    assert found["replicate"]["sd_replicate"] == pytest.approx(0.6, rel=0.1)
    assert found["replicate"]["sd_barcode"] < 0.15


def ragged(seed, E=7, R=4):
    rng = np.random.default_rng(seed)
    group = np.sort(np.concatenate([np.arange(2 * E), rng.integers(0, 2 * E, 40)]))
    used = rng.random((len(group), R)) < 0.7
    used[:, 0] |= ~used.any(axis=1)
    return (
        np.where(used, rng.normal(0, 1, used.shape) + rng.normal(0, 1, R), 0.0),
        used,
        group,
        (E, 2),
    )


@pytest.mark.parametrize("seed", range(3))
def test_residuals_of_barcodes_and_replicates_are_least_squares(seed):
    y, used, group, shape = ragged(seed)
    squares, df = residual_squares(RatioCells(y, used, group, shape))
    for g in range(14):
        b, r = np.nonzero(used[group == g])
        X = np.hstack([np.eye(b.max() + 1)[b], np.eye(y.shape[1])[r]])
        _, _, rank, _ = np.linalg.lstsq(X, y[group == g][b, r])
        left = y[group == g][b, r] - X @ (np.linalg.pinv(X) @ y[group == g][b, r])
        assert df.ravel()[g] == len(b) - rank
        assert squares.ravel()[g] == pytest.approx(left @ left, abs=1e-9)


def unequal(
    rng, *, dispersions=(0.1, 0.1), sds=(0.0, 0.0), barcodes=10, replicates=4, n=60
):
    """Return counts without effects: mean RNA/DNA is 1 in both arms; dispersion of
    reads, sd of barcodes by arm.
    """
    place = np.repeat(np.arange(2 * n), barcodes)
    arm, R = place % 2, replicates
    v = rng.normal(size=len(place)) * np.array(sds)[arm]
    v -= np.log(2) * np.array(sds)[arm] ** 2 / 2
    w = rng.normal(0, 0.15, (2 * n, R))
    d = np.array(dispersions)[arm][:, None]
    abundance = np.exp2(rng.normal(size=len(place)))[:, None]
    dna = rng.poisson(60 * abundance * rng.gamma(1 / 0.03, 0.03, (len(place), R)))
    rna = rng.poisson(
        90 * abundance * np.exp2(v[:, None] + w[place]) * rng.gamma(1 / d, d, dna.shape)
    )
    side = simulate(
        activities(n, effect=0.0),
        n_barcodes=barcodes,
        n_replicates=R,
        p_missing=0.0,
        rng=1,
    )
    values = {
        "dna": (("barcode", "replicate"), dna),
        "rna": (("barcode", "replicate"), rna),
    }
    totals = {
        "dna_total": ("replicate", dna.sum(axis=0)),
        "rna_total": ("replicate", rna.sum(axis=0)),
    }
    seen = {
        "dna_observed": (("barcode", "replicate"), dna > 0),
        "rna_observed": (("barcode", "replicate"), dna > 0),
    }
    return side.assign(values | totals | seen)


def test_a_variance_on_no_df_is_the_priors_and_a_lone_one_is_its_own():
    s2, df = np.array([1.0, 2.0, 4.0, 9.0, 123.0]), np.array([5.0, 7, 4, 6, 0])
    found = moderate_variances(s2, df)
    assert found.variance[4] == pytest.approx(found.prior_variance[4])
    assert found.df[4] == pytest.approx(found.prior_df)
    alone = moderate_variances(np.array([3.0, 5.0]), np.array([4.0, 0.0]))
    np.testing.assert_allclose(alone.variance, 3.0)
    np.testing.assert_allclose(alone.df, [4.0, 0.0])


@pytest.fixture(scope="module")
def fitted():
    table = activities(60, ("control", "a", "b"), effect=0.0, seed=2)
    table.loc[(table["arm"] == "b") & (table["element"] < "E0015"), "log2"] += 2.0
    table["group"] = np.where(table["element"] < "E0030", "motif", "negative")
    return fit(
        simulate(table, n_barcodes=12, noise=cg.mpra.NoiseModel(sd_barcode=0.3), rng=5),
        control="control",
        method="two_way",
    )


def test_elements_become_contrasts_and_contrasts_tasks(fitted):
    estimates = as_estimates(fitted)
    assert estimates["ace"].dims == ("contrast", "task")
    assert estimates["task"].values.tolist() == ["a", "b"]
    np.testing.assert_array_equal(estimates["ace"], fitted["ace"])
    assert estimates["group"].dims == ("contrast",)


def test_one_contrast_that_was_selected_is_read_as_well(fitted):
    one = fitted.sel(contrast="b")
    assert as_estimates(one)["task"].values.tolist() == ["b"]
    ask = {"rope": 0, "shrink": None}
    np.testing.assert_array_equal(
        cg.decide(one, **ask)["q"][:, 0],
        cg.decide(fitted, family="task", **ask)["q"].sel(task="b"),
    )
    np.testing.assert_array_equal(
        average(one)["ace"][:, 0], average(fitted)["ace"].sel(task="b")
    )
    assert cg.report(one) == cg.report(fitted.sel(contrast=["b"]))


def test_q_of_a_fit_counts_elements_and_contrasts_and_no_controls(fitted):
    tested = fitted["group"].values == "motif"
    p = fitted["p"].values[tested]
    whole = cg.decide(fitted, rope=0, shrink=None)["q"].values[tested]
    np.testing.assert_allclose(whole.ravel(), stats.false_discovery_control(p.ravel()))
    found = cg.decide(fitted, rope=0, family="task", shrink=None)
    for k in range(2):
        np.testing.assert_allclose(
            found["q"][tested, k], stats.false_discovery_control(p[:, k])
        )
    assert ((found["q"].sel(task="b") < 0.05).values[:15]).mean() > 0.9


def test_deciding_and_inferring_from_a_fit(fitted):
    by_tests = cg.decide(fitted, rope=(-0.3, 0.3), error="fdr")
    by_draws = cg.decide(cg.infer(fitted.sel(contrast=["b"]), rng=1), rope=(-0.3, 0.3))
    for found in (by_tests, by_draws):
        verdicts = found["verdict"].sel(task="b").values
        assert (verdicts[:15] == "increases").mean() > 0.9
        assert (verdicts[15:] == "increases").mean() < 0.05


def test_the_mean_over_backgrounds_is_a_t_test(fitted):
    found = average(fitted)
    motif = fitted["ace"].sel(contrast="b").values[:30]
    test = stats.ttest_1samp(motif, 0)
    row = found.sel(contrast="motif", task="b")
    assert row["p"].item() == pytest.approx(test.pvalue)
    assert row["n_units"].item() == 30
    assert row["tau"].item() > 0.7
    assert found.sel(contrast="negative", task="a")["tau"].item() < 0.2
    assert average(fitted, by=None)["contrast"].values.tolist() == ["all"]


def trial(seed, n=200, **settings):
    """A data set as in the references' simulation: 60 % of the elements without
    effect.
    """
    rng = np.random.default_rng([seed, 7])
    effect = np.where(
        rng.random(n) < 0.6,
        0.0,
        rng.choice([0.25, 0.5, 1, 2], n) * rng.choice([-1, 1], n),
    )
    table = activities(n, effect=0.0, seed=seed)
    table.loc[table["arm"] == "treated", "log2"] += effect
    return simulated_counts(
        table, n_barcodes=10, min_barcodes=4, rng=seed, **settings
    ), effect


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("method", "settings", "rmse"),
    [
        ("two_way", {"sd_barcode": 0.0}, 0.21),
        ("two_way", {"sd_barcode": 0.6, "p_silent": 0.02}, 0.49),
    ],
)
def test_intervals_cover_and_discoveries_are_true(method, settings, rmse):
    covered, hits, false, squares = [], 0, 0, []
    for seed in range(30):
        counts, effect = trial(seed, **settings)
        found = fit(counts, control="control", method=method).isel(contrast=0)
        covered.append(
            ((found["lower"] <= effect) & (effect <= found["upper"])).mean().item()
        )
        hit = stats.false_discovery_control(found["p"]) < 0.05
        hits, false = hits + hit.sum(), false + (hit & (effect == 0)).sum()
        squares.append(((found["ace"] - effect) ** 2).mean().item())
    mcse = np.std(covered, ddof=1) / np.sqrt(30)
    assert 0.93 - 2 * mcse < np.mean(covered) < 0.97 + 2 * mcse
    assert false / hits < 0.07
    assert np.sqrt(np.mean(squares)) < rmse
