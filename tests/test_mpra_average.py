"""Averages over backgrounds: the test alone, whatever falls silent, with the noise that
replicates share.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from assay import simulated_counts
from scipy import special, stats
from test_cli import call

import causalgia as cg
from causalgia.estimation.shared_error import df_with_shared_noise
from causalgia.mpra.comparisons.prediction_powered_means import shared_noise
from causalgia.mpra.comparisons.sides import fit_replicate_noise
from causalgia.notes import notes_of


def truth(effects: np.ndarray, n_negatives: int = 0, seed: int = 0) -> pd.DataFrame:
    """Return elements of the test with these effects of ``t`` over ``c``, and negative
    controls without effect.
    """
    n = len(effects) + n_negatives
    base = np.random.default_rng(seed).normal(0, 0.8, n)
    treated = base + np.concatenate([effects, np.zeros(n_negatives)])
    groups = ["test"] * len(effects) + ["negative"] * n_negatives
    return pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(n)], 2),
            "arm": np.tile(["c", "t"], n),
            "group": np.repeat(groups, 2),
            "log2": np.column_stack([base, treated]).ravel(),
        }
    )


def counted(
    effects: np.ndarray, n_negatives: int = 0, **settings: object
) -> xr.Dataset:
    return simulated_counts(
        truth(effects, n_negatives),
        **{"n_barcodes": 12, "n_replicates": 3, "rng": 1} | settings,
    )


def analyzed(counts: xr.Dataset, folder, *options: str) -> tuple[str, float, float]:
    """Return what ``mpra analyze`` prints of counts, and the limits of the average in
    it.
    """
    side = (
        counts[["element", "arm", "group"]]
        .to_dataframe()
        .rename_axis("oligo_name")
        .reset_index()
    )
    side.to_csv(folder / "arms.tsv", sep="\t", index=False)
    cg.mpra.to_igvf(counts, folder / "counts.tsv", "reporter_experiment_barcode")
    asked = (
        "mpra",
        "analyze",
        folder / "counts.tsv",
        "--design",
        folder / "arms.tsv",
        "--out",
        folder / "out",
    )
    said = call(*asked, "--method", "two_way", *(options or ("--control", "c"))).stdout
    average = said[said.index("average effect") :]
    lower, upper = average[average.index("[") + 1 : average.index("]")].split(",")
    return said, float(lower), float(upper)


@pytest.mark.simulation
def test_negative_controls_are_no_backgrounds(tmp_path):
    """Half of the elements are negatives: their zeros had halved the average, .52 where
    it is 1.05.
    """
    counts = counted(np.full(60, 1.05), 60)
    outcomes = cg.mpra.outcomes(counts)
    assert outcomes.attrs["left_out"] == '{"negative": 60}'
    assert set(outcomes["group"].values) == {"test"}
    found = cg.estimate(cg.contrast(outcomes, control="c"))
    assert abs(found["ace"].item() - 1.05) < 4 * found["se"].item()
    _, lower, upper = analyzed(counts, tmp_path)
    assert lower < 1.05 < upper < 1.3


def test_controls_alone_are_compared_where_no_other_element_has_the_arms():
    counts = counted(np.full(5, 1.0), 5)
    pairs = counts.assign_coords(
        group=("oligo", np.full(counts.sizes["oligo"], "duplicate"))
    )
    assert cg.mpra.outcomes(pairs).sizes["unit"] == 10


@pytest.mark.parametrize("p_silent", [0.0, 0.1, 0.2])
def test_silent_barcodes_do_not_shrink_the_average_of_the_fit(p_silent):
    """Of activities it was 2.02, 1.78 and 1.60: those say so now, and the fit's is
    right.
    """
    counts = counted(np.full(100, 2.0), p_silent=p_silent)
    found = cg.mpra.average(cg.mpra.fit(counts, control="c"))
    assert abs(found["ace"].item() - 2.0) < 4 * found["se"].item() < 0.15
    outcomes = cg.mpra.outcomes(counts)
    shrunk = cg.estimate(cg.contrast(outcomes, control="c"))
    if p_silent:
        assert shrunk["ace"].item() < 1.85
    else:
        assert not notes_of(outcomes)


def test_a_method_whose_effects_shrink_with_silence_says_so():
    counts = counted(np.full(100, 2.0), p_silent=0.2)
    for method in ("two_way", "hierarchical"):
        fitted = cg.mpra.fit(counts, control="c", method=method)
        found = cg.mpra.average(fitted)["ace"].item()
        if method == "two_way":
            assert found < 1.85
        else:
            assert abs(found - 2.0) < 0.15
            assert not notes_of(fitted)
    heard = counted(np.full(20, 2.0))
    assert not notes_of(cg.mpra.fit(heard, control="c", method="two_way"))


def test_sums_do_not_shrink_in_a_parallel_library_and_have_no_note(tmp_path):
    counts = counted(np.full(200, 2.0), p_silent=0.2)
    places = np.arange(counts.sizes["oligo"])
    assert (
        counts["arm"].values[places[::2]] != counts["arm"].values[places[1::2]]
    ).all()
    mine = places[(places // 2) % 2 == places % 2]  # one arm of each element, in turn
    kept = np.isin(counts["oligo_index"].values, mine)
    alone = counts.isel(oligo=mine, barcode=np.flatnonzero(kept))
    alone["oligo_index"] = (
        "barcode",
        np.searchsorted(mine, counts["oligo_index"].values[kept]),
    )
    path = cg.mpra.to_igvf(alone, tmp_path / "sums.tsv", "reporter_experiment")
    side = alone[["element", "arm", "group"]].to_dataframe()
    summed = cg.mpra.read_counts(
        path, side_table=side.rename_axis("oligo_name").reset_index()
    )
    shrunk, whole = cg.mpra.outcomes(alone), cg.mpra.outcomes(summed)
    assert len(notes_of(shrunk)) == 1
    assert not notes_of(whole)
    assert cg.estimate(cg.contrast(shrunk, control="c"))["ace"].item() < 1.85
    found = cg.estimate(cg.contrast(whole, control="c"))
    assert abs(found["ace"].item() - 2.0) < 0.15
    assert found["se"].item() < 0.15


@pytest.mark.simulation
def test_the_command_line_averages_the_fit(tmp_path):
    """A fifth of the cells is silent: the printed average was 1.60 where it is 2.00."""
    counts = counted(np.full(80, 2.0), p_silent=0.2)
    side = (
        counts[["element", "arm", "group"]]
        .to_dataframe()
        .rename_axis("oligo_name")
        .reset_index()
    )
    side.to_csv(tmp_path / "arms.tsv", sep="\t", index=False)
    cg.mpra.to_igvf(counts, tmp_path / "counts.tsv", "reporter_experiment_barcode")
    asked = (
        "--design",
        tmp_path / "arms.tsv",
        "--control",
        "c",
        "--out",
        tmp_path / "out",
    )
    said = call("mpra", "analyze", tmp_path / "counts.tsv", *asked).stdout
    found = cg.mpra.average(cg.mpra.fit(counts, control="c"))
    average = said[said.index("average effect") :]
    limits = average[average.index("[") + 1 : average.index("]")].split(",")
    np.testing.assert_allclose(
        [float(x) for x in limits],
        [found["lower"].item(), found["upper"].item()],
        atol=0.006,
    )
    assert abs(found["ace"].item() - 2.0) < 4 * found["se"].item()


@pytest.mark.simulation
def test_controls_are_counted_apart_and_named_in_the_table(tmp_path):
    counts = counted(np.full(30, 3.0), 20)
    side = (
        counts[["element", "arm", "group"]]
        .to_dataframe()
        .rename_axis("oligo_name")
        .reset_index()
    )
    side.to_csv(tmp_path / "arms.tsv", sep="\t", index=False)
    cg.mpra.to_igvf(counts, tmp_path / "counts.tsv", "reporter_experiment_barcode")
    out = tmp_path / "out"
    asked = (
        "--design",
        tmp_path / "arms.tsv",
        "--control",
        "c",
        "--out",
        out,
        "--method",
        "two_way",
    )
    said = call("mpra", "analyze", tmp_path / "counts.tsv", *asked).stdout
    table = pd.read_csv(out / "effects.tsv", sep="\t").rename(
        columns={
            "term": "element",
            "task": "contrast",
            "estimate": "effect",
            "std_error": "se",
        }
    )
    table.to_csv(tmp_path / "measured.csv", index=False)
    assert table.groupby("group").size().to_dict() == {"negative": 20, "test": 30}
    found = {
        group: rows["verdict"].isin(["increases", "decreases"]).sum()
        for group, rows in table.groupby("group")
    }
    assert f"{found['test']} of 30 elements" in said
    assert f"{found['negative']} of 20 negative" in said
    assert not set(table["element"][table["group"] == "negative"]) & set(said.split())
    virtual = table.assign(effect=np.arange(50.0))[["element", "effect"]]
    virtual.to_csv(tmp_path / "virtual.csv", index=False)
    compared = [
        call("mpra", "compare", tmp_path / "virtual.csv", of).stdout
        for of in (out, tmp_path / "measured.csv")
    ]
    assert compared[0] == compared[1]


@pytest.mark.parametrize("method", ["hierarchical", "two_way"])
def test_oligos_without_any_rna_are_noted_where_barcodes_fall_silent(method):
    """With 3 barcodes, and 20 % of them silent in one arm, the average was 1.87 where
    it is 2.00, without a word.
    """
    counts = counted(np.full(40, 2.0), n_barcodes=3, p_silent=0.05)
    of_arm = counts["arm"].values[counts["oligo_index"].values] == "t"
    unheard = of_arm & np.isin(
        counts["oligo_index"].values,
        np.unique(counts["oligo_index"].values[of_arm])[:2],
    )
    less = counts.assign(rna=counts["rna"] * ~unheard[:, None])
    some, whole = (cg.mpra.fit(x, control="c", method=method) for x in (less, counts))
    assert len(notes_of(some)) > len(notes_of(whole))
    assert len(notes_of(cg.mpra.average(some))) > len(notes_of(cg.mpra.average(whole)))


@pytest.mark.parametrize("by", [None, "motif"])
def test_controls_are_in_no_average_but_their_own(by):
    fitted = cg.mpra.fit(counted(np.full(20, 2.0), 15), control="c", method="two_way")
    fitted = fitted.assign_coords(motif=("element", np.tile("GATA1", 35)))
    found, own = cg.mpra.average(fitted, by=by), cg.mpra.average(fitted)
    for name in ("ace", "se", "lower", "n_units"):
        assert found[name].item() == own[name].sel(contrast="test").item()
    controls = fitted.isel(element=fitted["group"].values == "negative")
    assert (
        cg.mpra.average(controls)["ace"].item()
        == own["ace"].sel(contrast="negative").item()
    )


def test_the_fit_knows_what_replicates_share():
    """The shift of each replicate's mean is that of its log ratios, and the noise that
    of a two-way layout.
    """
    counts = counted(np.random.default_rng(2).normal(1, 0.3, 40), 10, p_missing=0.0)
    fitted = cg.mpra.fit(counts, control="c", method="two_way")
    y = (
        cg.contrast(cg.mpra.outcomes(counts), control="c")["ice"]
        .squeeze()
        .transpose("unit", "model")
        .values
    )
    np.testing.assert_allclose(
        fitted["replicate_shift"].values[0], y.mean(axis=0) - y.mean(), atol=1e-12
    )
    ours, theirs = fit_replicate_noise(fitted)[0], shared_noise(y)
    np.testing.assert_allclose(
        [ours.between, ours.within, ours.df], [theirs.between, theirs.within, theirs.df]
    )
    alone = cg.mpra.fit(counts.isel(replicate=[0]), control="c")
    assert "replicate_shift" not in alone
    assert not fit_replicate_noise(alone)[0].pieces.any()


@pytest.mark.simulation
@pytest.mark.parametrize("R", [2, 3, 4])
def test_the_error_of_an_average_holds_however_much_replicates_share(R):
    rng, n, N = np.random.default_rng(R), 20, 20_000
    for within in (0.05, 0.3, 0.8):
        for common in (0.0, 1.0, 5.0, 25.0):
            S, between, left = (
                scale * rng.chisquare(k, N) / k
                for scale, k in (
                    (1.0, n - 1),
                    (within + common, R - 1),
                    (within, (n - 1) * (R - 1)),
                )
            )
            df = df_with_shared_noise(S, n - 1, between, left, (n - 1) * (R - 1), R)
            error = np.sqrt(S + np.maximum(between - left, 0))
            mean = rng.normal(0, np.sqrt(1 + common), N)
            rejected = np.abs(mean) > special.stdtrit(df, 0.975) * error
            assert rejected.mean() < (0.055 if R < 4 else 0.068)


def test_two_replicates_say_what_holds_in_them_alone():
    effects = pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(12)], 2),
            "arm": ["x", "t"] * 12,
            "log2": [0.0, 1.0] * 12,
        }
    )
    counts = cg.mpra.simulate(effects, n_barcodes=6, n_replicates=2, rng=0)
    shifted = counts.assign(
        rna=counts["rna"]
        * xr.where(
            (counts["arm"].values[counts["oligo_index"].values] == "t")[:, None]
            & (np.arange(2) == 1),
            2,
            1,
        )
    )
    found = cg.mpra.average(cg.mpra.fit(shifted, control="x", method="two_way"))
    (note,) = [one for one in notes_of(found) if "[" in one]
    low, high = map(float, re.findall(r"\[([\d.]+), ([\d.]+)\]", note)[0])
    assert low < found["ace"].item() < high
    assert found["df"].item() < 2
    assert found["upper"].item() - found["lower"].item() > 3 * (high - low)


@pytest.mark.simulation
def test_averages_are_covered_where_replicates_share_noise():
    """An effect that varies by .2 between replicates: without their noise 95 %
    intervals cover about a half.
    """
    rng, trials, hits, alone = np.random.default_rng(4), 80, 0, 0
    for trial in range(trials):
        table = truth(rng.normal(0.5, 0.3, 40), seed=trial)
        counts = cg.mpra.simulate(
            table, n_barcodes=6, n_replicates=4, depth_rna=400.0, rng=trial
        )
        factor = 2 ** rng.normal(0, 0.2, 4)
        treated = (counts["arm"].values == "t")[counts["oligo_index"].values]
        rna = np.where(
            treated[:, None],
            np.rint(counts["rna"].values * factor).astype(np.int64),
            counts["rna"].values,
        )
        fitted = cg.mpra.fit(
            counts.assign(rna=(counts["rna"].dims, rna)), control="c", method="two_way"
        )
        found = cg.mpra.average(fitted)
        without = cg.mpra.average(
            fitted.drop_vars(["replicate_shift", "replicate_within"])
        )
        hits += found["lower"].item() < 0.5 < found["upper"].item()
        alone += without["lower"].item() < 0.5 < without["upper"].item()
    band = 4 * np.sqrt(0.95 * 0.05 / trials)
    assert hits / trials > 0.95 - band
    assert alone / trials < 0.95 - band


def factorial() -> cg.Design:
    arms = cg.factorial(
        {"A": cg.Embed("AGATAAG", at=40), "B": cg.Embed("TGACTCA", at=80)},
        untreated="none",
    )
    return cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=20)


def counts_of_factorial(library: xr.Dataset) -> xr.Dataset:
    side = (
        library[["oligo_name", "element", "arm", "group"]]
        .to_dataframe()
        .drop_duplicates("oligo_name")
    )
    level = side["arm"].map({"none": 0.0, "A": 0.5, "B": 0.3, "A + B": 1.6}).fillna(0.0)
    return cg.mpra.simulate(
        side.assign(log2=level),
        n_barcodes=8,
        n_replicates=3,
        noise=cg.mpra.NoiseModel(sd_barcode=0.2),
        rng=3,
    )


@pytest.mark.simulation
def test_the_interaction_of_a_factorial_from_the_command_line(tmp_path):
    analysis = cg.Analysis(interaction=["A", "B"]).to_json()
    library = cg.mpra.library(
        factorial(),
        oligo_length=230,
        adapters="lentimpra",
        rng=7,
        controls=cg.mpra.Controls(n_scrambles=10),
    )
    cg.mpra.write_library(library.assign_attrs(analysis=analysis), tmp_path / "LIB")
    cg.mpra.to_igvf(
        counts_of_factorial(library),
        tmp_path / "counts.tsv",
        "reporter_experiment_barcode",
    )
    asked = (
        "mpra",
        "analyze",
        tmp_path / "counts.tsv",
        "--method",
        "two_way",
        "--design",
    )
    call(*asked, tmp_path / "LIB", "--out", tmp_path / "kept")
    text = "(`A + B` - A) - (B - none)"
    side = tmp_path / "LIB" / "arms.tsv"
    call(
        *asked,
        side,
        "--out",
        tmp_path / "said",
        "--contrasts",
        text,
        "--contrasts",
        "A - none",
    )
    ours, theirs = (
        xr.load_dataset(tmp_path / x / "fit.nc", engine="h5netcdf")
        for x in ("kept", "said")
    )
    np.testing.assert_allclose(
        ours["ace"].sel(contrast="A:B"), theirs["ace"].sel(contrast=text)
    )
    found = cg.mpra.average(ours, by=None)
    assert abs(found["ace"].item() - 0.8) < 4 * found["se"].item()


def test_text_is_a_contrast_of_the_fit_too():
    library = cg.mpra.library(
        factorial(),
        oligo_length=230,
        adapters="lentimpra",
        rng=7,
        controls=cg.mpra.Controls(n_scrambles=0),
    )
    counts = counts_of_factorial(library)
    written = cg.mpra.fit(
        counts, contrasts="(`A + B` - A) - (B - none)", method="two_way"
    )
    weights = {"I": {"A + B": 1, "A": -1, "B": -1, "none": 1}}
    np.testing.assert_allclose(
        written["ace"], cg.mpra.fit(counts, contrasts=weights, method="two_way")["ace"]
    )


def test_what_is_told_of_a_fit_is_what_was_found():
    counts = counted(np.full(20, 1.0), 10, sd_barcode=0.3)
    for method in ("hierarchical", "two_way"):
        fitted = cg.mpra.fit(counts, control="c", method=method)
        said = cg.report(fitted)
        mean = cg.mpra.average(fitted.isel(element=fitted["group"].values == "test"))
        q = stats.false_discovery_control(fitted["p"].values.ravel())
        hits = (q < 0.05) & (fitted["group"].values == "test")
        flat = " ".join(said.split())
        assert f"{hits.sum()} of 20 elements" in flat
        assert f"{mean['ace'].item():.2f} [{mean['lower'].item():.2f}, " in flat
        of_controls = fitted["p"].values[:, 0][fitted["group"].values != "test"]
        assert f"{(of_controls < 0.05).sum()} of 10" in flat
