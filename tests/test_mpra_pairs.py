"""Fits of elements that lack arms, and of replicates with few reads."""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import causalgia as cg

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from validation.count_designs import amplified, ragged


def error_of(counts, effect, **settings):
    fit = cg.mpra.fit(counts, control="WT", **settings)
    return float(np.sqrt(((fit["ace"].values.ravel() - effect) ** 2).mean())), fit


@pytest.mark.parametrize("share", [0.1, 1e-2, 1e-3, 1e-4])
def test_no_replicate_of_few_reads_makes_effects_worse(share):
    errors = []
    for seed in range(3):
        counts, effect = amplified(seed, share=share)
        without = error_of(counts.isel(replicate=slice(3)), effect)
        errors.append((error_of(counts, effect), without))
    of_all, of_three = (
        np.mean([found[0] for found in part]) for part in zip(*errors, strict=True)
    )
    assert of_all <= 1.03 * of_three
    with_it, without = errors[0][0][1], errors[0][1][1]
    assert with_it["se"].median() <= 1.05 * without["se"].median()
    left_out = with_it.attrs.get("replicates_left_out", "")
    assert left_out == ("4" if share <= 1e-4 else "")


@pytest.mark.parametrize("method", ["hierarchical", "two_way"])
def test_a_replicate_without_reads_changes_nothing_but_is_named(method):
    counts, _ = amplified(1, share=1e-6)
    fit = cg.mpra.fit(counts, control="WT", method=method)
    alone = cg.mpra.fit(counts.isel(replicate=slice(3)), control="WT", method=method)
    np.testing.assert_array_equal(fit["ace"], alone["ace"])
    np.testing.assert_array_equal(fit["se"], alone["se"])
    assert fit.attrs["replicates_left_out"] in str(cg.report(fit)).split(".")[0]


@pytest.mark.parametrize("method", ["hierarchical", "two_way"])
def test_each_pair_of_arms_that_was_seen_is_estimated(method):
    counts, table = ragged()
    fit = cg.mpra.fit(counts, control="WT", method=method)
    wide = table.pivot(index="element", columns="arm", values="log2")
    truth = wide[fit["contrast"].values].sub(wide["WT"], axis=0)
    truth = truth.loc[fit["element"].values].to_numpy()
    assert (np.isfinite(truth) == fit["measured"].values).all()
    assert (np.isfinite(truth) == np.isfinite(fit["ace"].values)).all()
    covered = (fit["lower"] <= truth) & (truth <= fit["upper"])
    assert covered.values[np.isfinite(truth)].mean() > 0.88


@pytest.mark.parametrize("method", ["hierarchical", "two_way"])
def test_effects_of_one_contrast_do_not_depend_on_arms_that_others_lack(method):
    counts, _ = ragged()
    both = cg.mpra.fit(counts, control="WT", method=method)
    alone = cg.mpra.fit(counts, control="WT", arm_names="mutA", method=method)
    gap = both["ace"].sel(contrast="mutA") - alone["ace"].sel(contrast="mutA")
    assert float(abs(gap).max()) < (1e-9 if method == "two_way" else 0.1)


def test_verdicts_count_what_was_measured():
    counts, _ = ragged()
    fit = cg.mpra.fit(counts, control="WT")
    n = int(fit["measured"].sum())
    decisions = cg.decide(fit, rope=(-0.2, 0.2))
    named = decisions["verdict"].values != ""
    assert (named == fit["measured"].values).all()
    assert decisions.attrs["family_rows"] == n
    q = decisions["q"].values[named]
    columns = {name: fit[name].values[named] for name in ("ace", "se", "df")}
    columns["effect"] = columns.pop("ace")
    alone = cg.decide(columns, rope=(-0.2, 0.2))
    np.testing.assert_allclose(q, alone["q"].values.ravel(), rtol=1e-9)
    assert (alone["verdict"].values.ravel() == decisions["verdict"].values[named]).all()


def test_averages_are_over_the_elements_with_both_arms():
    fit = cg.mpra.fit(ragged()[0], control="WT", method="two_way")
    found = cg.mpra.average(fit, by=None)
    n = fit["measured"].sum("element").values
    assert found["n_units"].values.ravel().tolist() == n.tolist()
    for k, contrast in enumerate(fit["contrast"].values):
        own = fit.sel(contrast=[contrast]).isel(element=fit["measured"].values[:, k])
        alone = cg.mpra.average(own.drop_vars("measured"), by=None)
        for column in ("ace", "se", "df"):
            np.testing.assert_allclose(
                found[column].values[0, k], alone[column].values[0, 0], rtol=1e-12
            )


def test_a_variant_never_seen_takes_no_other_with_it():
    table = pd.DataFrame(
        {"element": "TERT", "arm": ["reference", *(f"{i}:A>C" for i in range(20))]}
    ).assign(log2=0.0)
    counts = cg.mpra.simulate(table, n_barcodes=10, rng=0)
    gone = counts["arm"].values[counts["oligo_index"].values] == "7:A>C"
    fit = cg.mpra.fit(counts.isel(barcode=np.flatnonzero(~gone)), control="reference")
    lacking = fit["contrast"].values[~fit["measured"].values[0]]
    assert lacking.tolist() == ["7:A>C"]


def test_a_posterior_of_pairs_has_verdicts_where_they_were_measured():
    fit = cg.mpra.fit(ragged()[0], control="WT")
    decisions = cg.decide(cg.infer(fit, rng=0), rope=(-0.2, 0.2))
    named = decisions["verdict"].values != ""
    assert (named == fit["measured"].values).all()
    alone = cg.decide(fit, rope=(-0.2, 0.2))
    assert (decisions["verdict"].values == alone["verdict"].values).all()


def test_rows_are_the_pairs_of_an_element_and_its_arms():
    """A thousand arms, each in one element, are fitted as the same arms under few names
    are, and do not take a thousand times as long.
    """
    rng = np.random.default_rng(0)
    n, each, B = 20, 50, 4
    level = rng.normal(size=(n, 1)) + np.r_[0.0, rng.normal(0, 0.3, each)]
    of = np.repeat(np.arange(n * (each + 1)), B)
    side = pd.DataFrame({"oligo_name": [f"o{i}" for i in range(n * (each + 1))]})
    side["element"] = np.repeat([f"e{i}" for i in range(n)], each + 1)
    few = ["WT", *(f"m{j}" for j in range(each))] * n
    many = [
        arm if arm == "WT" else f"{e}{arm}"
        for e, arm in zip(side["element"], few, strict=True)
    ]
    active = level.ravel()[of] + rng.normal(0, 0.3, len(of))
    reads = (
        rng.poisson(80, len(of)),
        rng.poisson(80 * 2 ** active[:, None], (len(of), 3)),
    )
    fits = []
    for arms in (few, many):
        counts = cg.mpra.counts_of(
            *reads,
            barcodes=[f"b{i}" for i in range(len(of))],
            oligos=side["oligo_name"].to_numpy()[of],
            side_table=side.assign(arm=arms),
        )
        start = time.process_time()
        fits.append(cg.mpra.fit(counts, control="WT"))
        took = time.process_time() - start
    assert took < 20
    own = fits[1][["ace", "se", "df"]].to_dataframe().dropna().reset_index()
    own["contrast"] = [
        c[len(e) :] for c, e in zip(own["contrast"], own["element"], strict=True)
    ]
    same = (
        fits[0][["ace", "se", "df"]]
        .to_dataframe()
        .loc[list(zip(own["element"], own["contrast"], strict=True))]
    )
    assert len(own) == n * each
    for name in ("ace", "se", "df"):
        np.testing.assert_allclose(own[name], same[name], rtol=1e-12)
