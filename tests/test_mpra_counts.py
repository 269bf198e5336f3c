# Imports from the inside: sums over barcodes, against the shared reference; lines where
# a long table is taken apart.
"""Counts in: barcode tables read, filtered and looked at; activities with both layers
of noise.
"""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from assay import simulated_counts
from scipy import stats

import causalgia as cg
from causalgia.errors import (
    DataError,
)
from causalgia.mpra.counts import aggregate, counts_of

SIDE = pd.DataFrame(
    {
        "oligo_name": ["a", "b"],
        "element": ["u1", "u1"],
        "arm": ["control", "treated"],
        "group": ["test", "test"],
    }
)
HEADER = "barcode\toligo_name\tdna_count_1\trna_count_1\tdna_count_2\trna_count_2"
ROWS = (
    "AAA\ta\t10\t20\t12\t\n",
    "CCC\ta\t4\t0\t\t\n",
    "GGG\tb\t7\t9\t0\t3\n",
    "TTT\tb\t\t5\t6\t8\n",
)


def table(tmp_path: Path, text: str, name: str = "counts.tsv") -> Path:
    path = tmp_path / name
    path.write_bytes(
        gzip.compress(text.encode(), mtime=0) if name.endswith("gz") else text.encode()
    )
    return path


def read(
    tmp_path: Path, text: str, side: object = SIDE, name: str = "counts.tsv"
) -> xr.Dataset:
    return cg.mpra.read_counts(table(tmp_path, text, name), side_table=side)


def test_an_empty_cell_is_not_a_zero_and_tabs_at_the_end_are_cells(tmp_path):
    counts = read(tmp_path, HEADER + "\n" + "".join(ROWS))
    assert counts["dna"].values.tolist() == [[10, 12], [4, 0], [7, 0], [0, 6]]
    assert counts["dna_observed"].values.tolist() == [
        [True, True],
        [True, False],
        [True, True],
        [False, True],
    ]
    assert counts["rna"].values.tolist() == [[20, 0], [0, 0], [9, 3], [5, 8]]
    assert counts["rna_observed"].values.tolist() == [
        [True, False],
        [True, False],
        [True, True],
        [True, True],
    ]
    assert counts["dna_total"].values.tolist() == [21, 18]
    assert counts["rna_total"].values.tolist() == [34, 11]
    assert counts["oligo_index"].values.tolist() == [0, 0, 1, 1]
    assert counts.attrs["source"] == "counts.tsv"


def test_columns_in_any_order_gzip_and_either_spelling_are_one_table(tmp_path):
    plain = read(tmp_path, HEADER + "\n" + "".join(ROWS))
    mixed = (
        "rna_counts_1\toligo_name\tdna_counts_2\tbarcode\trna_counts_2\tdna_counts_1"
    )
    rows = ""
    for row in ROWS:
        barcode, oligo, d1, r1, d2, r2 = row[:-1].split("\t")
        rows += "\t".join([r1, oligo, d2, barcode, r2, d1]) + "\r\n"
    other = read(tmp_path, mixed + "\r\n" + rows, name="counts.tsv.gz")
    xr.testing.assert_equal(plain, other)


def test_a_long_table_is_the_wide_one_and_what_has_no_row_is_empty(tmp_path):
    wide = read(tmp_path, HEADER + "\n" + "".join(ROWS))
    lines = ["replicate\tbarcode\toligo_name\trna_counts\tdna_counts"]
    for row in ROWS:
        barcode, oligo, *cells = row[:-1].split("\t")
        for r in (0, 1):
            dna, rna = cells[2 * r : 2 * r + 2]
            if dna or rna:
                lines.append(f"{r + 1}\t{barcode}\t{oligo}\t{rna}\t{dna}")
    long = read(tmp_path, "\n".join(lines) + "\n")
    xr.testing.assert_equal(wide, long)


def test_one_dna_column_beside_several_of_rna_is_a_pool(tmp_path):
    header = "barcode\toligo_name\tdna_count_1\trna_count_1\trna_count_2"
    counts = read(tmp_path, header + "\nAAA\ta\t10\t1\t2\nCCC\tb\t5\t3\t4\n")
    assert counts["dna"].dims == ("barcode",)
    assert counts["dna_total"].item() == 15
    assert counts["rna_total"].values.tolist() == [4, 6]


def test_the_side_table_may_be_a_path_a_frame_without_groups_or_a_library(tmp_path):
    text = HEADER + "\n" + "".join(ROWS)
    whole = read(tmp_path, text)
    path = tmp_path / "arms.tsv"
    SIDE[["arm", "oligo_name", "element"]].to_csv(path, sep="\t", index=False)
    xr.testing.assert_equal(whole, read(tmp_path, text, path))
    rows = SIDE.iloc[[0, 0, 1]]
    library = xr.Dataset(
        {name: ("row", rows[name].to_numpy().astype(str)) for name in SIDE.columns}
    )
    library = library.assign(
        unit=("row", [0, 0, 0]),
        name=("row", ["a1", "a2", "b1"]),
        insert=("row", ["A", "A", "C"]),
        oligo=library["arm"],
    )
    xr.testing.assert_equal(whole, read(tmp_path, text, library))


def test_blank_lines_at_the_end_are_no_rows(tmp_path):
    text = HEADER + "\n" + "".join(ROWS)
    xr.testing.assert_identical(read(tmp_path, text + "\n\n"), read(tmp_path, text))


def test_counts_of_arrays_take_nan_for_empty():
    counts = counts_of(
        [[1.0], [np.nan]],
        [[3], [4]],
        barcodes=["AA", "CC"],
        oligos=["a", "b"],
        side_table=SIDE,
    )
    assert counts["dna_observed"].values.tolist() == [[True], [False]]
    assert counts["dna_total"].item() == 1


CASES = ("allelic_clean", "allelic_barcode", "factorial", "backgrounds")


def case(shared: Path, name: str) -> xr.Dataset:
    folder = shared / "reference" / "mpra" / name
    return cg.mpra.read_counts(folder / "counts.tsv.gz", side_table=folder / "arms.tsv")


def expected(shared: Path, name: str, table: str) -> pd.DataFrame:
    return pd.read_csv(
        shared / "reference" / "mpra" / name / "expected" / f"{table}.tsv", sep="\t"
    )


@pytest.mark.real
@pytest.mark.parametrize("name", CASES)
def test_sums_over_barcodes_are_those_of_the_reference(shared, name):
    found = aggregate(case(shared, name)).to_dataframe().reset_index()
    wanted = expected(shared, name, "aggregate").astype({"replicate": str})
    both = wanted.merge(
        found, left_on=["oligo_name", "replicate"], right_on=["oligo", "replicate"]
    )
    assert len(both) == len(wanted) == len(found)
    for column in ("dna_counts", "rna_counts", "n_bc"):
        assert (both[f"{column}_x"] == both[f"{column}_y"]).all()
    for column in ("dna_normalized", "rna_normalized", "log2_ratio"):
        np.testing.assert_allclose(both[f"{column}_y"], both[f"{column}_x"], rtol=1e-9)


@pytest.mark.real
@pytest.mark.parametrize("name", ["allelic_clean", "allelic_barcode"])
def test_activities_of_sums_are_those_of_the_reference(shared, name):
    counts = case(shared, name)
    wanted = expected(shared, name, "activity").set_index("oligo_name")
    found = cg.mpra.activity(counts)["activity"].to_series()[wanted.index]
    assert np.corrcoef(found, wanted["activity"])[0, 1] > 0.9
    sums = aggregate(counts)["log2_ratio"].mean("replicate").to_series()
    np.testing.assert_allclose(sums[wanted.index], wanted["activity"], rtol=1e-8)


@pytest.mark.real
def test_the_mean_over_backgrounds_is_that_of_the_reference(shared):
    outcomes = cg.mpra.outcomes(case(shared, "backgrounds"))
    wanted = (
        expected(shared, "backgrounds", "backgrounds")
        .query("method == 'mean_over_backgrounds'")
        .set_index("motif")
    )
    each = expected(shared, "backgrounds", "backgrounds_each").set_index("background")
    ice = cg.contrast(outcomes, control="control")["ice"].mean("model").squeeze()
    np.testing.assert_allclose(
        ice, each["effect"][ice["unit"].values], rtol=1e-8, atol=1e-12
    )
    for motif, row in wanted.iterrows():
        of = outcomes.sel(unit=outcomes["group"] == motif)
        effects = cg.contrast(of, control="control")
        alone = cg.estimate(
            cg.contrast(of.mean("model", keep_attrs=True), control="control"),
            target="population",
        )
        for name, value in (
            ("ace", row["effect"]),
            ("se", row["se"]),
            ("df", row["df"]),
        ):
            np.testing.assert_allclose(alone[name].item(), value, rtol=1e-8)
        t = abs(alone["ace"].item()) / alone["se"].item()
        by_t = 2 * stats.t.sf(t, alone["df"].item())
        np.testing.assert_allclose(by_t, row["p"], rtol=1e-8)
        # the larger of that of t and that of Hall's transformed t
        assert alone["p"].item() >= row["p"] * (1 - 1e-8)
        whole = cg.estimate(effects)
        assert whole.attrs["target"] == "population x replicates"
        np.testing.assert_allclose(whole["ace"].item(), row["effect"], rtol=1e-8)
        assert whole["se"].item() >= alone["se"].item() * (1 - 1e-12)


@pytest.mark.real
def test_the_example_of_the_format_sums_up_to_its_published_table(shared):
    folder = shared / "reference" / "mpra_formats"
    wanted = pd.read_csv(
        folder / "oligo_counts.IGVFDS2165KBMD.head20000.tsv.gz", sep="\t"
    ).set_index("ID")
    side = pd.DataFrame(
        {"oligo_name": wanted.index, "element": wanted.index, "arm": "insert"}
    )
    path = folder / "reporter_experiment_barcode_IGVFDS2165KBMD.input.head20000.tsv.gz"
    counts = cg.mpra.read_counts(path, side_table=side)
    assert counts.sizes == {"barcode": 19_999, "replicate": 3, "oligo": 89}
    sums = aggregate(counts)
    for r in ("1", "2", "3"):
        for kind in ("dna", "rna"):
            assert (
                sums[f"{kind}_counts"].sel(replicate=r).values
                == wanted[f"{kind}_count_{r}"]
            ).all()


@pytest.mark.real
def test_a_real_library_is_filtered_to_the_pairs_of_the_reference(shared):
    folder = shared / "reference" / "mpra_real" / "library1"
    counts = cg.mpra.read_counts(
        folder / "counts.tsv.gz", side_table=folder / "arms.tsv"
    )
    summary = json.loads((folder / "expected" / "summary.json").read_text())
    pair = ["MUT-allCrxSites", "WT"]
    kept = cg.mpra.filter(counts, min_dna=10, min_barcodes=2)
    assert kept["dna_total"].item() == summary["size_dna"]
    assert kept["rna_total"].values.tolist() == summary["size_rna"]
    floor, few = json.loads(kept.attrs["filters"])
    assert (
        counts.sizes["barcode"] - sum(floor["barcodes"].values())
        == summary["barcodes_kept"]
    )
    assert floor["unknown"] == {}
    assert sum(few["oligos"].values()) == counts.sizes["oligo"] - kept.sizes["oligo"]
    outcomes = cg.mpra.outcomes(kept, arm_names=pair)
    assert outcomes.sizes["unit"] == summary["n_pairs"] == 1963
    assert sum(json.loads(outcomes.attrs["left_out"]).values()) > 0
    effects = cg.contrast(outcomes, control="MUT-allCrxSites")
    wanted = pd.read_csv(
        folder / "expected" / "barcode_moderated.tsv.gz", sep="\t"
    ).set_index("element")
    ice = effects["ice"].mean("model").squeeze()
    np.testing.assert_allclose(
        ice, wanted["logFC"][ice["unit"].values], rtol=1e-8, atol=1e-10
    )
    mean = cg.contrast(
        outcomes.mean("model", keep_attrs=True), control="MUT-allCrxSites"
    )
    alone = cg.estimate(mean, target="population")
    assert alone["ace"].item() == pytest.approx(
        summary["average_effect"]["effect"], rel=1e-8
    )
    assert alone["se"].item() == pytest.approx(
        summary["average_effect"]["se"], rel=1e-8
    )
    assert cg.estimate(effects)["se"].item() > alone["se"].item()


def truth(
    n: int = 20, effect: float | np.ndarray = 1.0, **columns: object
) -> pd.DataFrame:
    """Activities of n elements under two arms, 0 and the effect."""
    log2 = np.column_stack([np.zeros(n), np.broadcast_to(effect, n)]).ravel()
    names = np.repeat([f"u{i:04d}" for i in range(n)], 2)
    return pd.DataFrame(
        {"element": names, "arm": ["control", "treated"] * n, "log2": log2} | columns
    )


def test_simulated_counts_have_the_layers_that_were_asked_for():
    counts = cg.mpra.simulate(
        truth(2_000),
        n_barcodes=10,
        sd_depth=0.0,
        noise=cg.mpra.NoiseModel(sd_noisiness=0.0, p_silent=0.02),
        rng=1,
    )
    mean, se = {}, {}
    for kind in ("dna", "rna"):
        seen = counts[f"{kind}_observed"].values
        mean[kind], n = counts[kind].values[seen].mean(), seen.sum()
        se[kind] = counts[kind].values[seen].std() / np.sqrt(n / 4)
        assert abs(1 - seen.mean() - 0.05) < 4 * np.sqrt(0.05 * 0.95 / seen.size)
    lifted = np.exp((np.log(2) ** 2) / 2)
    assert abs(mean["dna"] - 60 * lifted) < 4 * se["dna"]
    noise = np.exp((0.5**2 + 0.15**2) * np.log(2) ** 2 / 2)
    assert abs(mean["rna"] - 90 * lifted * noise * 1.5 * 0.98) < 4 * se["rna"]
    of_barcode, of_replicate = (
        counts["true_barcode_effect"].values,
        counts["true_replicate_effect"].values,
    )
    assert abs(of_barcode.std() / 0.5 - 1) < 4 / np.sqrt(2 * of_barcode.size)
    assert abs(of_replicate.std() / 0.15 - 1) < 4 / np.sqrt(2 * of_replicate.size)
    silent = (
        (counts["rna"].values == 0)
        & (counts["dna"].values > 20)
        & counts["rna_observed"].values
    )
    assert 0.015 < silent.mean() < 0.025


def test_counts_are_as_dispersed_as_asked():
    settings = {
        "n_barcodes": 4_000,
        "sd_barcode": 0.0,
        "sd_replicate": 0.0,
        "sd_abundance": 0.0,
        "sd_depth": 0.0,
    }
    for dispersion in (0.0, 0.2):
        counts = simulated_counts(
            truth(1), **settings, p_missing=0.0, disp_rna=dispersion, rng=3
        )
        x = counts["rna"].values[:4_000].ravel().astype(float)
        variance = 90 + dispersion * 90**2
        assert abs(x.var() / variance - 1) < 4 * np.sqrt(
            (2 + 6 * max(dispersion, 1 / 90)) / x.size
        )


def test_a_seed_gives_the_same_counts_and_another_setting_leaves_other_draws_alone():
    one, same = (cg.mpra.simulate(truth(), rng=5) for _ in range(2))
    xr.testing.assert_identical(one, same)
    more = cg.mpra.simulate(truth(effect=2.0), rng=5)
    xr.testing.assert_equal(one["dna"], more["dna"])
    assert (one["rna"].values != cg.mpra.simulate(truth(), rng=6)["rna"].values).any()


def test_a_missing_barcode_of_a_pool_is_missing_everywhere():
    counts = cg.mpra.simulate(
        truth(), p_missing=0.3, noise=cg.mpra.NoiseModel(plasmid=True), rng=0
    )
    assert counts["dna"].dims == ("barcode",)
    gone = ~counts["dna_observed"].values
    assert gone.any()
    assert not counts["rna_observed"].values[gone].any()
    assert counts["rna_observed"].values[~gone].all()


def test_barcodes_are_those_of_a_library_where_it_has_them():
    table = (
        truth(2).iloc[[0, 0, 1, 2, 3]].assign(barcode=["AA", "AC", "AG", "AT", "CA"])
    )
    counts = cg.mpra.simulate(table, rng=0)
    assert counts["barcode"].values.tolist() == ["AA", "AC", "AG", "AT", "CA"]
    assert counts["oligo_index"].values.tolist() == [0, 0, 1, 2, 3]
    assert cg.mpra.simulate(truth(2), n_barcodes=[1, 2, 3, 4], rng=0)[
        "oligo_index"
    ].values.tolist() == [*([0] + [1] * 2 + [2] * 3 + [3] * 4)]
    assert (
        np.bincount(
            cg.mpra.simulate(truth(), n_barcodes=2.5, min_barcodes=2, rng=0)[
                "oligo_index"
            ]
        ).min()
        == 2
    )


def test_filters_are_stated_and_counted_and_move_no_total():
    dna = [[20, 20], [9, 11], [9, 10], [np.nan, 10], [np.nan, np.nan], [30, 0]]
    letters, oligos = (
        ["AA", "AC", "AG", "AT", "CA", "CC"],
        ["a", "a", "a", "b", "b", "b"],
    )
    counts = counts_of(
        dna, np.ones((6, 2)), barcodes=letters, oligos=oligos, side_table=SIDE
    )
    kept = cg.mpra.filter(counts, min_dna=10)
    assert kept["barcode"].values.tolist() == ["AA", "AC", "AT", "CC"]
    assert json.loads(kept.attrs["filters"]) == [
        {
            "rule": "min_dna",
            "value": 10,
            "barcodes": {"control": 1},
            "unknown": {"treated": 1},
        }
    ]
    for name in ("dna_total", "rna_total"):
        xr.testing.assert_equal(kept[name], counts[name])
    ratios = aggregate(kept)["rna_normalized"].values
    assert ratios[0].tolist() == [2e6 / 6, 2e6 / 6]
    twice = cg.mpra.filter(kept, min_dna=20)
    assert [rule["value"] for rule in json.loads(twice.attrs["filters"])] == [10, 20]


def test_an_oligo_of_few_barcodes_goes_and_its_element_stays():
    counts = cg.mpra.simulate(
        truth(3), n_barcodes=[3, 1, 3, 3, 2, 3], p_missing=0.0, depth_dna=500.0, rng=0
    )
    kept = cg.mpra.filter(counts, min_barcodes=2)
    gone = set(counts["oligo"].values) - set(kept["oligo"].values)
    assert gone == {"u0000:treated"}
    names = kept["oligo"].values[kept["oligo_index"].values]
    before = counts["oligo"].values[counts["oligo_index"].values]
    assert (names == before[np.isin(counts["barcode"], kept["barcode"])]).all()
    (said,) = json.loads(kept.attrs["filters"])
    assert said == {
        "rule": "min_barcodes",
        "value": 2,
        "oligos": {"treated": 1},
        "barcodes": {"treated": 1},
    }


def test_an_oligo_needs_its_barcodes_in_every_replicate():
    dna = [[5, 5], [5, np.nan], [5, 0], [5, 5]]
    given = {
        "barcodes": ["AA", "AC", "AG", "AT"],
        "oligos": ["a", "a", "b", "b"],
        "side_table": SIDE,
    }
    counts = counts_of(dna, np.ones((4, 2)), **given)
    assert cg.mpra.filter(counts, min_barcodes=1).sizes["oligo"] == 2


def test_outliers_are_found_within_their_oligo():
    counts = cg.mpra.simulate(
        truth(40),
        n_barcodes=10,
        p_missing=0.0,
        depth_dna=300.0,
        noise=cg.mpra.NoiseModel(sd_barcode=0.2),
        rng=2,
    )
    spoilt = counts.copy(deep=True)
    spoilt["rna"][[7, 333]] *= 200
    kept = cg.mpra.filter(spoilt, outliers=12.0)
    assert set(counts["barcode"].values) - set(kept["barcode"].values) == set(
        counts["barcode"].values[[7, 333]]
    )
    assert json.loads(kept.attrs["filters"])[0]["barcodes"] == {
        "control": 1,
        "treated": 1,
    }


def test_correlations_are_those_of_numpy():
    counts = cg.mpra.simulate(truth(50), p_missing=0.2, rng=0)
    activity = aggregate(counts)["log2_ratio"].values
    np.testing.assert_allclose(
        cg.mpra.quality(counts)["correlation_activity"],
        np.corrcoef(activity.T),
        rtol=1e-12,
    )


def test_replicates_do_not_move_with_who_was_seen_in_them():
    whole = cg.mpra.simulate(
        truth(100),
        p_missing=0.0,
        noise=cg.mpra.NoiseModel(sd_barcode=2.0, sd_replicate=0.0, disp_rna=0.0),
        rng=0,
    )
    seen = np.random.default_rng(0).random(whole["dna"].shape) < 0.6
    some = whole.assign(
        {
            name: whole[name].where(seen, 0).astype(whole[name].dtype)
            for name in ("dna", "rna")
        }
    )
    some = some.assign(
        dna_observed=whole["dna_observed"] & seen,
        rna_observed=whole["rna_observed"] & seen,
    )
    outcomes = cg.mpra.outcomes(cg.mpra.filter(some, min_barcodes=1))["outcome"]
    assert outcomes.std("model").mean() < 0.35
    assert aggregate(some)["log2_ratio"].std("replicate").mean() > 0.6


def test_elements_that_lack_an_arm_a_replicate_or_barcodes_are_refused_or_counted():
    counts = cg.mpra.simulate(truth(4), n_barcodes=[3, 3, 3, 0, 3, 3, 3, 3], rng=0)
    assert cg.mpra.outcomes(cg.mpra.filter(counts, min_barcodes=1)).sizes["unit"] == 3
    one_arm = pd.DataFrame(
        {"element": ["neg"], "arm": ["negative"], "group": ["negative"], "log2": [0.0]}
    )
    table = pd.concat([truth(4).assign(group="test"), one_arm])
    outcomes = cg.mpra.outcomes(cg.mpra.simulate(table, rng=0))
    assert outcomes["arm"].values.tolist() == ["control", "treated"]
    assert outcomes.attrs["left_out"] == '{"negative": 1}'
    third = pd.DataFrame({"element": ["u0000"], "arm": ["third"], "log2": [0.0]})
    ragged = cg.mpra.simulate(pd.concat([truth(4), third]), rng=0)
    assert (
        cg.mpra.outcomes(ragged, arm_names=["control", "third"]).attrs["left_out"]
        == '{"test": 3}'
    )


def test_targets_of_measured_outcomes_are_elements_and_replicates():
    effects = cg.contrast(
        cg.mpra.outcomes(cg.mpra.simulate(truth(), rng=0)), control="control"
    )
    assert cg.estimate(effects, target="population").sizes["model"] == 4


@pytest.mark.real
def test_a_measured_average_goes_through_every_verb(shared):
    outcomes = cg.mpra.outcomes(case(shared, "backgrounds"))
    of = outcomes.sel(unit=outcomes["group"] == "M3")
    effects = cg.contrast(of, control="control")
    estimates = cg.estimate(effects)
    decisions = cg.decide(estimates, rope=(-0.2, 0.2))
    assert decisions["verdict"].item() == "increases"


@pytest.mark.parametrize(
    "settings", [{}, {"sd_barcode": 0.0, "sd_replicate": 0.3}, {"plasmid": True}]
)
def test_the_sampling_covariance_is_that_of_the_errors(settings):
    counts = simulated_counts(
        truth(1_500), n_barcodes=10, sd_noisiness=0.0, rng=4, **settings
    )
    outcomes = cg.mpra.outcomes(counts)
    found, covariance = (
        outcomes["outcome"].mean("model").squeeze().values,
        outcomes["sampling_covariance"].values,
    )
    error = found[:, 1] - found[:, 0] - 1.0
    variance = covariance[:, 0, 0] + covariance[:, 1, 1] - 2 * covariance[:, 0, 1]
    assert np.linalg.eigvalsh(covariance).min() > -1e-12
    difference = variance - (error - error.mean()) ** 2
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(difference))


@pytest.mark.simulation
@pytest.mark.parametrize(("replicates", "sd"), [(4, 0.2), (3, 0.2), (4, 0.0)])
def test_the_average_over_elements_and_replicates_is_covered(replicates, sd):
    """400 contrasts, ten pairs of arms a library; a draw of each arm and replicate that
    all elements share adds sd.
    """
    rng, n, n_pairs, n_libraries, covered, alone = (
        np.random.default_rng(replicates),
        24,
        10,
        40,
        0,
        0,
    )
    pairs = {f"t{i}": f"t{i} - c{i}" for i in range(n_pairs)}
    arms, names = (
        [f"{kind}{i}" for i in range(n_pairs) for kind in "ct"],
        [f"u{i:02d}" for i in range(n)],
    )
    for library in range(n_libraries):
        log2 = np.zeros((n, n_pairs, 2))
        log2[..., 1] = rng.normal(0.5, 0.4, (n, n_pairs))
        activities = {
            "element": np.repeat(names, len(arms)),
            "arm": arms * n,
            "log2": log2.ravel(),
        }
        counts = cg.mpra.simulate(
            pd.DataFrame(activities), n_barcodes=8, n_replicates=replicates, rng=library
        )
        outcomes = cg.mpra.outcomes(counts)
        moved = xr.DataArray(
            rng.normal(0, sd / np.sqrt(2), (len(arms), replicates)),
            dims=("arm", "model"),
        )
        outcomes = outcomes.assign(outcome=outcomes["outcome"] + moved)
        both = cg.estimate(cg.contrast(outcomes, contrasts=pairs))
        mean = cg.contrast(outcomes.mean("model", keep_attrs=True), contrasts=pairs)
        units = cg.estimate(mean, target="population")
        covered += ((both["lower"] < 0.5) & (both["upper"] > 0.5)).sum().item()
        alone += ((units["lower"] < 0.5) & (units["upper"] > 0.5)).sum().item()
    trials = n_libraries * n_pairs
    band = 4 * np.sqrt(0.95 * 0.05 / trials)
    assert 0.95 - band < covered / trials
    assert sd == 0 or alone / trials < 0.95 - band


def test_figures_show_barcodes_replicates_and_dna():
    counts = cg.mpra.simulate(truth(30), n_barcodes=8, min_barcodes=2, rng=0)
    found = cg.mpra.quality(counts)
    axes = cg.plot.distribution(found)
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names == list(dict.fromkeys(found["arm"].values.tolist()))
    clouds = [c for c in axes.collections if c.get_zorder() == 3]
    n = found["n_barcodes"].values[found["arm"].values == names[0]]
    assert clouds[0].get_offsets()[:, 0].tolist() == sorted(n.tolist())
    axes = cg.plot.scatter(found.sel(replicate=["2", "4"]))
    (points,) = axes.collections
    np.testing.assert_allclose(
        points.get_offsets(), found["activity"].sel(replicate=["2", "4"]).values
    )
    assert axes.get_xlabel() == "log2(RNA/DNA), replicate 2"
    between = found["correlation_activity"].sel(replicate="2", replicate_="4")
    assert f"correlation {between.item():.2f}" in axes.figure.get_suptitle()
    axes = cg.plot.distribution(counts)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [
        f"replicate {r}" for r in "1234"
    ]
    pool = cg.mpra.simulate(truth(30), noise=cg.mpra.NoiseModel(plasmid=True), rng=0)
    (tick,) = cg.plot.distribution(pool).get_yticklabels()
    assert tick.get_text() == "plasmid pool"


def test_a_short_line_is_found_in_a_long_table(tmp_path):
    rows = [f"{'ACGT'[i // 4]}{'ACGT'[i % 4]}\ta\t1\t2\t3\t4\n" for i in range(16)]
    assert read(tmp_path, HEADER + "\n" + "".join(rows)).sizes["barcode"] == 16
    for line in (2, 9, 17):
        text = [HEADER + "\n", *rows]
        text[line - 1] = text[line - 1].replace("\t4", "")
        with pytest.raises(DataError) as caught:
            read(tmp_path, "".join(text))
        assert f"line {line}" in str(caught.value)


def one_arm_each(n: int = 24, seed: int = 0) -> pd.DataFrame:
    """Return elements under one of two arms each, 1 apart, and two scrambles."""
    level = np.random.default_rng(seed).normal(size=n) + np.tile([0.0, 1.0], n // 2)
    test = pd.DataFrame(
        {
            "element": [f"e{i}" for i in range(n)],
            "arm": ["control", "GATA1"] * (n // 2),
            "log2": level,
        }
    )
    null = pd.DataFrame(
        {"element": ["s0", "s1"], "arm": "scramble", "log2": 0.0, "group": "negative"}
    )
    return pd.concat([test.assign(group="test"), null])


def test_a_parallel_library_gives_a_parallel_trial():
    counts = cg.mpra.simulate(one_arm_each(), n_barcodes=6, n_replicates=3, rng=1)
    outcomes = cg.mpra.outcomes(counts)
    assert outcomes["outcome"].dims == ("unit", "task")
    assert outcomes["assigned"].values[:2].tolist() == ["control", "GATA1"]
    assert outcomes.attrs["left_out"] == '{"negative": 2}'
    estimates = cg.estimate(cg.contrast(outcomes, control="control"))
    assert estimates.attrs["target"] == "population"
    both = cg.mpra.outcomes(counts, arm_names=["scramble", "GATA1"])
    assert both["arm"].values.tolist() == ["scramble", "GATA1"]
    assert both.sizes["unit"] == 14


@pytest.mark.simulation
def test_the_average_of_a_parallel_library_is_covered():
    hit = []
    for seed in range(80):
        outcomes = cg.mpra.outcomes(
            cg.mpra.simulate(
                one_arm_each(seed=seed), n_barcodes=4, n_replicates=3, rng=seed
            )
        )
        one = cg.estimate(cg.contrast(outcomes, control="control"))
        hit.append(one["lower"].item() <= 1 <= one["upper"].item())
    assert abs(np.mean(hit) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 80)


def test_names_that_counts_escape_are_read_back(tmp_path):
    names = ["=1+1", "-35 box", "'@", "\x1b[31mred", r"\x1b", "x\u202ey"]
    rows = {
        "element": np.repeat(names, 2),
        "arm": ["mut", "WT"] * len(names),
        "group": "test",
        "log2": 0.0,
    }
    counts = cg.mpra.simulate(pd.DataFrame(rows), n_barcodes=4, n_replicates=2, rng=0)
    side = (
        counts[["element", "arm", "group"]]
        .to_dataframe()
        .rename_axis("oligo_name")
        .reset_index()
    )
    path = cg.mpra.to_igvf(
        counts, tmp_path / "counts.tsv", "reporter_experiment_barcode"
    )
    again = cg.mpra.read_counts(path, side_table=side)
    assert sorted(again["oligo"].values) == sorted(counts["oligo"].values)
    assert set(again["element"].values) == set(names)


@pytest.mark.parametrize(
    ("names", "conditions"),
    [
        (("K562_1", "K562_2", "HepG2_1"), ["K562", "K562", "HepG2"]),
        (("1_K562", "2_K562", "1_HepG2"), ["K562", "K562", "HepG2"]),
        (("SW480", "SW620"), ["SW480", "SW620"]),
        (("CD4", "CD8"), ["CD4", "CD8"]),
        (("day0", "day7", "day14"), ["day0", "day7", "day14"]),
        (("rep1", "rep3"), None),
        (("S1", "S2", "S3"), None),
        (("K562r1", "K562r3"), None),
        (("K562_1", "K562_3"), None),
        (("1_rep1", "1_rep3"), None),
        (("A", "B"), None),
    ],
)
def test_columns_of_several_kinds_are_conditions(
    tmp_path: Path, names: tuple[str, ...], conditions: list[str] | None
) -> None:
    header = [
        "barcode",
        "oligo_name",
        *(f"{kind}_count_{name}" for name in names for kind in ("dna", "rna")),
    ]
    path = tmp_path / "counts.tsv"
    path.write_text(
        "\t".join(header)
        + "\n"
        + "\t".join(["ACGT", "a", *["5"] * (len(header) - 2)])
        + "\n"
    )
    side = pd.DataFrame({"oligo_name": ["a"], "element": ["u1"], "arm": ["GATA1"]})
    counts = cg.mpra.read_counts(path, side_table=side)
    assert counts["replicate"].values.tolist() == list(names)
    found = counts["condition"].values.tolist() if "condition" in counts else None
    assert found == conditions
    chosen = cg.mpra.read_counts(path, side_table=side, replicates=names)
    assert "condition" not in chosen  # said to be replicates
    one = cg.mpra.read_counts(path, side_table=side, replicates=names[:1])
    assert one["replicate"].values.tolist() == [names[0]]


class TestBatches:
    """Replicates of a batch share noise of each oligo: their sum is one measurement."""

    TABLE = pd.DataFrame(
        {"oligo_name": ["a", "b"], "element": "u", "arm": ["ref", "alt"]}
    )
    READS: ClassVar = {
        f"{kind}_{r}": [10 * r + i for i in range(6)]
        for kind in ("DNA", "RNA")
        for r in (1, 2, 3)
    }

    def read(self, folder, batch):
        table = pd.DataFrame(
            {"barcode": ["AACC", "AAGG", "AATT", "CCAA", "CCGG", "CCTT"]}
        )
        table["oligo_name"] = [*"aaabbb"]
        table = table.assign(**self.READS)
        table.to_csv(folder / "counts.tsv", sep="\t", index=False)
        return cg.mpra.read_counts(
            folder / "counts.tsv", side_table=self.TABLE, batch=batch
        )

    def test_of_a_table_and_of_a_mapping_are_those_of_replicates(self, tmp_path):
        of = {"1": "monday", "2": "friday", "3": "monday"}
        rows = pd.DataFrame(of.items(), columns=["Replicate", "Batch"])
        rows.to_csv(tmp_path / "batches.csv", index=False)
        for batch in (of, rows, tmp_path / "batches.csv"):
            counts = self.read(tmp_path, batch)
            assert counts["batch"].to_series().to_dict() == of

    def test_a_fit_is_that_of_their_sums(self):
        rng = np.random.default_rng(0)
        of = np.repeat(np.arange(80), 6)
        side = pd.DataFrame({"oligo_name": [f"o{i}" for i in range(80)]})
        side["element"] = np.repeat([f"e{i}" for i in range(40)], 2)
        side["arm"] = ["ref", "alt"] * 40
        dna, rna = rng.poisson(60, (2, len(of), 4))
        make = functools.partial(
            cg.mpra.counts_of,
            barcodes=[f"b{i}" for i in range(len(of))],
            oligos=side["oligo_name"].to_numpy()[of],
            side_table=side,
        )
        days = ["x", "x", "y", "y"]
        summed = [x[:, ::2] + x[:, 1::2] for x in (dna, rna)]
        for first in (dna, dna[:, 0]):  # and a pool, which is not summed
            told = cg.mpra.fit(make(first, rna, batch=days), control="ref")
            pool = first if first.ndim == 1 else summed[0]
            alone = cg.mpra.fit(make(pool, summed[1]), control="ref")
            for name in ("ace", "se", "df"):
                np.testing.assert_array_equal(told[name], alone[name])
        assert "4 replicates in 2 batches" in str(cg.report(make(dna, rna, batch=days)))
