# Imports from the inside: the thinning of a truncated table, which has a law of its own.
"""Tables that keep cells only where RNA was seen, sums whose errors are of these barcodes,
and what a fit says of itself.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_cli import call

import causalgia as cg
from causalgia.errors import DataError, EstimateError
from causalgia.mpra.counts.cutoffs import cutoff, thinned

COLUMNS = ("average", "average_lower", "average_upper", "sd_effects", "median_se")


def table(dna, rna, of, kept, **more):
    some, n = kept.any(axis=1), int(of.max()) + 1
    side = pd.DataFrame(
        {
            "oligo_name": [f"o{i}" for i in range(n)],
            "element": [f"e{i // 2}" for i in range(n)],
            "arm": ["ref", "alt"] * (n // 2),
        }
    )
    return cg.mpra.counts_of(
        np.where(kept, dna, 0)[some],
        np.where(kept, rna, 0)[some],
        barcodes=np.array([f"b{i}" for i in range(len(of))])[some],
        oligos=side["oligo_name"].to_numpy()[of][some],
        side_table=side,
        dna_observed=kept[some],
        rna_observed=kept[some],
        **more,
    )


def truncated(mean: float, *, n: int = 200, each: int = 15, seed: int = 0):
    """Return counts of which cells without DNA or RNA were dropped, and true effects: 0
    in two thirds of the elements, 1 or -1 in the others.
    """
    rng = np.random.default_rng(seed)
    effects = np.where(np.arange(n) % 3 == 0, np.where(np.arange(n) % 2, 1.0, -1.0), 0)
    of = np.repeat(np.arange(2 * n), each)
    log2 = np.repeat(rng.normal(0, 0.3, n), 2)
    log2[1::2] += effects
    amount = rng.gamma(3, mean / 3, len(of))[:, None] * np.ones(3)
    own = rng.normal(0, 0.3, len(of))
    dna = rng.poisson(amount)
    rna = rng.poisson(amount * 2.0 ** (log2[of] + own)[:, None])
    return table(dna, rna, of, (dna > 0) & (rna > 0)), effects


def test_a_thinned_table_is_that_of_a_lower_activity():
    counts, _ = truncated(4.0, each=60)
    other, change = thinned(counts, cutoff(counts), np.random.default_rng(1))
    assert set(change.round(6)) == {0.0, round(float(np.log2(0.9)), 6)}
    of = counts["oligo_index"].to_numpy()
    lower, same = (change != 0)[of], (change == 0)[of]
    np.testing.assert_array_equal(other["rna"][same], counts["rna"][same])
    reads = other["rna"].to_numpy()[lower]
    assert reads[other["rna_observed"].to_numpy()[lower]].min() == 1
    # of the same oligos at .9 of their activity
    rng = np.random.default_rng(2)
    amount = rng.gamma(3, 4 / 3, 400_000)
    fewer = [rng.poisson(amount * x) for x in (1.0, 0.9)]
    seen = rng.poisson(amount) > 0
    lost = np.mean(fewer[1][seen] > 0) / np.mean(fewer[0][seen] > 0)
    kept = (reads > 0).sum() / (counts["rna"].to_numpy()[lower] > 0).sum()
    assert kept == pytest.approx(lost, abs=0.01)


@pytest.mark.parametrize(("method", "mean"), [("hierarchical", 3.0), ("two_way", 5.0)])
def test_effects_are_corrected_by_their_factor(method, mean):
    counts, effects = truncated(mean, n=200 if method == "hierarchical" else 600)
    fit = cg.mpra.fit(counts, control="ref", method=method)
    here = fit.attrs
    assert here["truncation_reads"] == 1
    assert here["truncation_corrected"] == 1
    assert here["truncation_share"] == pytest.approx(cutoff(counts).share_at)
    assert 0.7 <= here["truncation_factor"] < 0.9
    ace, p = (fit[name].to_numpy().ravel() for name in ("ace", "p"))
    assert np.polyfit(effects, ace, 1)[0] == pytest.approx(1.0, abs=0.08)
    hit = (p < 0.05) & (effects != 0)
    assert 0.01 < (p[effects == 0] < 0.05).mean() < 0.1
    assert hit[effects != 0].mean() > 0.7
    assert (np.sign(ace[hit]) == effects[hit]).all()
    covered = (fit["lower"].values.ravel() <= effects) & (
        effects <= fit["upper"].values.ravel()
    )
    assert covered.mean() > 0.9
    assert f"{here['truncation_factor']:.2f}" in str(cg.report(fit))
    region = cg.decide(fit, rope=(-0.3, 0.3))
    assert region.attrs["truncation_factor"] == here["truncation_factor"]


def test_below_a_factor_of_07_there_are_directions_alone():
    counts, effects = truncated(1.5, each=30)
    fit = cg.mpra.fit(counts, control="ref")
    factor = fit.attrs["truncation_factor"]
    assert factor < 0.7
    assert fit.attrs["truncation_corrected"] == 0
    slope = np.polyfit(effects, fit["ace"].to_numpy().ravel(), 1)[0]
    assert slope == pytest.approx(factor, abs=0.1)
    decided = cg.decide(fit, rope=0)["verdict"].to_numpy().ravel()
    named = decided != "undecided"
    assert named[effects != 0].mean() > 0.3
    assert named[effects == 0].mean() < 0.05
    up = np.where(decided == "increases", 1, -1)
    right = (up == effects)[named & (effects != 0)]
    assert right.all()
    assert f"{factor:.2f}" in str(cg.report(fit)).replace("\n", " ").split(":")[1]
    for given in (fit, cg.mpra.average(fit)):
        with pytest.raises(EstimateError) as found:
            cg.decide(given, rope=(-0.3, 0.3))
        assert found.value.argument == "rope"


def test_activities_and_plans_say_it_too():
    counts, _ = truncated(2.0)
    means = cg.mpra.outcomes(counts)
    assert means.attrs["truncation_factor"] < cutoff(counts).slope
    pilot = cg.mpra.components(counts, control="ref")
    plan = cg.mpra.power(0.5, n_barcodes=10, n_replicates=3, pilot=pilot)
    for found in (pilot, plan):
        assert (
            found.attrs["truncation_factor"]
            == cg.mpra.components(counts, control="ref").attrs["truncation_factor"]
        )
    assert f"{plan.attrs['truncation_factor']:.2f}" in str(cg.report(plan))
    estimates = cg.estimate(cg.contrast(means, control="ref"))
    assert f"{means.attrs['truncation_factor']:.2f}" in str(cg.report(estimates))


def test_tables_with_zeros_say_nothing():
    rng = np.random.default_rng(0)
    of = np.repeat(np.arange(40), 10)
    dna, rna = rng.poisson(2.0, (2, 400, 3))
    counts = table(dna, rna, of, dna > 0)
    for found in (cg.mpra.fit(counts, control="ref"), cg.mpra.outcomes(counts)):
        assert "truncation_factor" not in found.attrs


# --- sums


def sums(effect: float, *, n: int = 300, seed: int = 0):
    """Return counts of sums of 3 to 30 barcodes that differ by .5, a tenth with an
    effect.
    """
    rng = np.random.default_rng(seed)
    each = rng.integers(3, 31, 2 * n)
    log2 = np.repeat(rng.normal(0, 1, n), 2) + rng.normal(0, 0.5 / np.sqrt(each))
    log2[1 : n // 5 : 2] += effect
    dna = rng.poisson(2000, (2 * n, 4))
    rna = rng.poisson(dna * 2 ** (log2[:, None] + rng.normal(0, 0.05, dna.shape)))
    return table(dna, rna, np.arange(2 * n), dna >= 0, n_bc=each)


def test_the_spread_of_sums_is_said_and_their_barcodes_are_in_the_error():
    counts = sums(1.0)
    these = cg.mpra.fit(counts, control="ref")
    z = (these["ace"] / these["se"]).to_numpy().ravel()
    assert these.attrs["sd_z"] == pytest.approx(stats.iqr(z) / 1.349)
    assert these.attrs["sd_z"] > 2.5
    assert f"{these.attrs['sd_z']:.2f}" in str(cg.report(these))
    others = cg.mpra.fit(counts, control="ref", sd_barcode=0.5)
    assert others.attrs["sd_z"] == pytest.approx(1.0, abs=0.2)
    assert others.attrs["sd_barcode"] == 0.5
    called = others["p"].to_numpy().ravel() < 0.05
    assert (these["p"].to_numpy()[30:] < 0.05).mean() > 0.3
    assert called[30:].mean() < 0.08
    assert called[:30].mean() > 0.8
    n = counts["n_bc"].to_numpy()
    own = these["se"].to_numpy()[:, 0] ** 2
    np.testing.assert_allclose(
        others["se"].to_numpy()[:, 0] ** 2, own + 0.25 / n[::2] + 0.25 / n[1::2]
    )


def test_sd_barcode_is_for_sums_with_their_numbers_of_barcodes():
    counts = sums(0.0, n=30)
    several, _ = truncated(40.0, n=20, each=5)
    for wrong, sd in ((counts.drop_vars("n_bc"), 0.5), (counts, -1.0), (several, 0.5)):
        with pytest.raises(EstimateError) as found:
            cg.mpra.fit(wrong, control="ref", sd_barcode=sd)
        assert found.value.argument == "sd_barcode"
    with pytest.raises(DataError):
        table(
            *np.ones((2, 4, 2), int), np.arange(4), np.ones((4, 2), bool), n_bc=[1] * 3
        )


def test_the_number_of_barcodes_is_read_from_sums(tmp_path):
    counts, _ = truncated(30.0, n=40, each=6)
    path = cg.mpra.to_igvf(counts, tmp_path / "sums.tsv", "reporter_experiment")
    side = counts[["element", "arm"]].to_dataframe().rename_axis("oligo_name")
    side = side.reset_index()[["oligo_name", "element", "arm"]]
    side.to_csv(tmp_path / "side.tsv", sep="\t", index=False)
    read = cg.mpra.read_counts(path, side_table=side)
    n = pd.read_csv(path, sep="\t").groupby("oligo_name")["n_bc"].mean()
    np.testing.assert_allclose(
        read["n_bc"], n.loc[read["oligo"].values[read["oligo_index"].values]]
    )
    given = ("mpra", "analyze", path, "--design", tmp_path / "side.tsv")
    call(*given, "--control", "ref", "--out", tmp_path / "A", "--sd-barcode", "0.5")
    fit = cg.store.read_netcdf(tmp_path / "A" / "fit.nc")
    expected = cg.mpra.fit(read, control="ref", sd_barcode=0.5)
    np.testing.assert_allclose(fit["se"], expected["se"])
    assert f"{fit.attrs['sd_z']:.2f}" in (tmp_path / "A" / "answer.txt").read_text()


# --- what a fit says is in its table


@pytest.mark.parametrize("ci_prob", [0.95, 0.8])
def test_what_is_printed_is_in_the_table_at_one_level(ci_prob):
    rng = np.random.default_rng(0)
    effects = np.where(np.arange(60) % 3 == 0, 0.8, 0.0)
    truth = pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(60)], 2),
            "arm": ["ref", "alt"] * 60,
            "group": np.repeat(["test"] * 45 + ["negative"] * 15, 2),
            "log2": np.repeat(rng.normal(0, 1, 60), 2)
            + np.column_stack([np.zeros(60), effects]).ravel(),
        }
    )
    counts = cg.mpra.simulate(truth, n_barcodes=8, n_replicates=3, rng=1)
    fit = cg.mpra.fit(counts, control="ref", method="two_way", ci_prob=ci_prob)
    p = fit["p"].to_numpy()[:45, 0]
    np.testing.assert_allclose(
        fit["q"].to_numpy()[:45, 0], stats.false_discovery_control(p)
    )
    assert np.isnan(fit["q"].to_numpy()[45:]).all()
    hit = fit["q"] <= 1 - ci_prob
    assert fit["n_up"].item() == (hit & (fit["ace"] > 0)).sum().item()
    assert fit["n_down"].item() == (hit & (fit["ace"] < 0)).sum().item()
    assert fit["n_elements"].item() == 45
    assert fit["n_controls"].item() == 15
    changed = (fit["p"].to_numpy()[45:] < 1 - ci_prob).sum()
    assert fit["n_controls_changed"].item() == changed
    mean = cg.mpra.average(fit, by=None, ci_prob=ci_prob)
    for name, of in zip(COLUMNS[:4], ("ace", "lower", "upper", "tau"), strict=True):
        assert fit[name].item() == pytest.approx(mean[of].item())
    text = re.sub(r"\s+", " ", str(cg.report(fit)))
    assert f"q <= {1 - ci_prob:.4g} " in text
    for name in COLUMNS:
        assert f"{fit[name].item():.2f}" in text
    # of a selection, q is that of the family
    some = cg.report(fit.isel(element=slice(10)))
    assert f"of {10:,} elements" in str(some)
