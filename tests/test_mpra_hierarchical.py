# Imports from the inside: densities and mixtures of the model, against dense linear
# algebra.
"""The hierarchical model of counts: its parts against arithmetic, its answers against
the truth and the references.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from assay import simulated_counts
from scipy import optimize, stats

import causalgia as cg
from causalgia.mpra.counts import counts_of
from causalgia.mpra.fits import _hierarchical, count_responses
from causalgia.mpra.fits._hierarchical import remove_shared_noise
from causalgia.mpra.fits.count_responses import library_levels, model_cells
from causalgia.mpra.fits.element_effects import fit_request

TWO_LAYERS = {"sd_barcode": 0.6, "p_silent": 0.02}
ONE_LAYER = {"sd_barcode": 0.0, "p_silent": 0.0}


# ---- the layers, against dense linear algebra ----------------------------------------


def drawn_oligos(seed: int = 0, missing: bool = True):
    """Working activities of 2 elements x 2 arms, 3 to 5 barcodes, 3 replicates, some
    cells empty.
    """
    rng = np.random.default_rng(seed)
    n = np.array([3, 4, 5, 3])
    start = np.append(0, np.cumsum(n))
    z, precision = rng.normal(size=(start[-1], 3)), rng.uniform(1, 9, (start[-1], 3))
    if missing:
        precision[rng.random(precision.shape) < 0.2] = 0.0
        precision[:3, 2] = 0.0  # an oligo without any cell in a replicate
    return z, precision, rng.uniform(0, 0.3, start[-1]), start


def dense(z, precision, k, tb, tr):
    """Return restricted log density (up to a constant), mean and variance of one oligo,
    by its whole covariance.
    """
    b, r = np.nonzero(precision)
    V = (
        np.diag(1 / precision[b, r])
        + (tb + k[b])[:, None] * (b[:, None] == b)
        + tr * (r[:, None] == r)
    )
    y, one = z[b, r], np.ones(len(b))
    information = one @ np.linalg.solve(V, one)
    mean = one @ np.linalg.solve(V, y) / information
    left = y - mean
    log_density = -0.5 * (
        np.linalg.slogdet(V)[1] + np.log(information) + left @ np.linalg.solve(V, left)
    )
    return log_density, mean, 1 / information


PAIRS = (np.array([0.01, 0.3, 4.0]), np.array([0.0, 0.05, 2.0]))


def test_log_densities_are_those_of_the_whole_covariance():
    z, precision, k, start = drawn_oligos()
    found = count_responses.element_densities(
        z, precision, k, start, np.array([0, 2, 4]), *PAIRS
    )
    expected = np.zeros_like(found)
    for e, i, j in np.ndindex(found.shape):
        for o in (2 * e, 2 * e + 1):
            rows = slice(start[o], start[o + 1])
            expected[e, i, j] += dense(
                z[rows], precision[rows], k[rows], PAIRS[0][i], PAIRS[1][j]
            )[0]
    np.testing.assert_allclose(
        found - found[:, :1, :1], expected - expected[:, :1, :1], rtol=1e-8, atol=1e-8
    )


def test_effects_at_known_variances_are_generalized_least_squares():
    z, precision, k, start = drawn_oligos(1)
    weights = np.array([[-1.0, 1.0], [0.5, -0.5]])
    for i, j in np.ndindex(3, 3):
        sure = np.zeros((2, 3, 3))
        sure[:, i, j] = 1.0
        mean, beyond = count_responses.contrast_mixtures(
            z,
            precision,
            k,
            start,
            np.array([0, 2, 4]),
            np.array([0, 1, 0, 1]),
            np.ones((2, len(weights)), dtype=bool),
            weights,
            *PAIRS,
            sure,
            np.array([0.05]),
        )
        for e in range(2):
            rows = [slice(start[o], start[o + 1]) for o in (2 * e, 2 * e + 1)]
            _, mu, v = np.array(
                [
                    dense(z[s], precision[s], k[s], PAIRS[0][i], PAIRS[1][j])
                    for s in rows
                ]
            ).T
            np.testing.assert_allclose(mean[e], weights @ mu, rtol=1e-8, atol=1e-10)
            np.testing.assert_allclose(
                beyond[e, :, 0],
                stats.norm.ppf(0.975) * np.sqrt(weights**2 @ v),
                rtol=1e-7,
            )


def test_the_density_of_residuals_within_barcodes_and_replicates_is_the_restricted_one():
    z, precision, _, start = drawn_oligos(2)
    found, expected = [], []
    for power in (1.0, 0.5):
        found.append(count_responses.residual_density(z, precision**power, start))
        expected.append(
            sum(
                dense_within(z, precision**power, start[o], start[o + 1])
                for o in range(4)
            )
        )
    assert found[1] - found[0] == pytest.approx(expected[1] - expected[0], rel=1e-6)


def dense_within(z, precision, lo, hi):
    """Return the restricted log density of an oligo whose barcodes and replicates have
    levels of their own.
    """
    P, y = precision[lo:hi], z[lo:hi]
    b, r = np.nonzero(P)
    X = np.column_stack(
        [b[:, None] == np.arange(len(P)), r[:, None] == np.arange(3)]
    ).astype(float)
    root = np.sqrt(P[b, r])
    fit, _, _, singular = np.linalg.lstsq(root[:, None] * X, root * y[b, r], rcond=None)
    left = (root**2 * (y[b, r] - X @ fit) ** 2).sum()
    return -0.5 * (
        left - np.log(root**2).sum() + 2 * np.log(singular[singular > 1e-9]).sum()
    )


def test_the_tails_of_a_mixture_begin_where_its_distribution_says():
    rng = np.random.default_rng(3)
    w, d, v = (
        rng.dirichlet(np.ones(6)),
        rng.normal(0, 0.1, 6),
        rng.gamma(1.0, 1.0, 6) ** 2 + 1e-3,
    )
    for tail in (0.05, 0.01):

        def excess(q: float, tail: float = tail) -> float:
            return (
                float(
                    (
                        w
                        * (
                            stats.norm.sf((q - d) / v**0.5)
                            + stats.norm.cdf((-q - d) / v**0.5)
                        )
                    ).sum()
                )
                - tail
            )

        assert count_responses._mixture_quantile(w, d, v, tail) == pytest.approx(
            optimize.brentq(excess, 0, 100), rel=1e-7
        )


@pytest.mark.parametrize("df", [2.5, 7.0, 60.0])
def test_a_student_t_is_found_again_from_its_quantiles(df):
    outer, far = (2.0 * stats.t.ppf(1 - tail / 2, df) for tail in _hierarchical.TAILS)
    scale, found = _hierarchical.student_from_half_widths(
        np.array([outer]), np.array([far])
    )
    np.testing.assert_allclose([scale[0], found[0]], [2.0, df], rtol=1e-3)


# ---- the prior of noise --------------------------------------------------------------


@pytest.mark.parametrize("spread", [0.02, 0.1, 0.6])
def test_a_prior_on_the_grid_keeps_its_mean_and_its_spread(spread):
    grid = _hierarchical.Grid(np.linspace(-5, 3, 60), np.linspace(-6, 2, 40))
    P = _hierarchical.grid_prior(
        np.array([-1.03, np.log(spread), -2.11, np.log(0.5), np.arctanh(0.6)]), grid
    )
    b, r = P.sum(1), P.sum(0)
    step = grid.barcode[1] - grid.barcode[0]
    assert P.sum() == pytest.approx(1.0, abs=1e-9)
    assert b @ grid.barcode == pytest.approx(-1.03, abs=1e-6)
    assert r @ grid.replicate == pytest.approx(-2.11, abs=1e-2)
    extra = b @ (grid.barcode + 1.03) ** 2 - spread**2
    assert 0 <= extra <= step**2 / 4 + 1e-9


def test_the_level_of_a_library_moves_its_own_coefficient_alone():
    rng = np.random.default_rng(5)
    x, used = rng.normal(size=(40, 4)), rng.random((40, 4)) < 0.8
    shift = np.array([0.3, -1.0, 2.0, 0.0])
    np.testing.assert_allclose(
        library_levels(x + shift, used) - library_levels(x, used),
        shift - shift.mean(),
        atol=1e-12,
    )


# ---- simulations ---------------------------------------------------------------------


def truth_of(
    seed: int, n: int = 200, null: float = 0.6
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return activities as those of the reference, and the effects."""
    rng = np.random.default_rng(seed)
    base = rng.normal(0, 1, n)
    sizes = rng.choice([0.25, 0.5, 1.0, 2.0], n) * rng.choice([-1, 1], n)
    effect = np.where(rng.random(n) < null, 0.0, sizes)
    names = np.repeat([f"E{i:04d}" for i in range(n)], 2)
    log2 = np.column_stack([base, base + effect]).ravel()
    return pd.DataFrame(
        {"element": names, "arm": ["control", "treated"] * n, "log2": log2}
    ), effect


def drawn(
    seed: int, n: int = 200, null: float = 0.6, **settings
) -> tuple[xr.Dataset, np.ndarray]:
    activity, effect = truth_of(seed, n, null)
    return simulated_counts(
        activity, **{"min_barcodes": 4, **settings}, rng=seed
    ), effect


def fitted(counts: xr.Dataset, **settings) -> xr.Dataset:
    return cg.mpra.fit(
        counts, method="hierarchical", **(settings or {"control": "control"})
    )


def covered(fit: xr.Dataset, effect: np.ndarray) -> float:
    return float(
        np.mean(
            (fit["lower"].values[:, 0] <= effect)
            & (effect <= fit["upper"].values[:, 0])
        )
    )


def scored(fit: xr.Dataset, effect: np.ndarray) -> dict[str, float]:
    ace, p = fit["ace"].values[:, 0], fit["p"].values[:, 0]
    q = stats.false_discovery_control(p)
    return {
        "se2": np.mean((ace - effect) ** 2),
        "coverage": covered(fit, effect),
        "hits": np.sum(q < 0.05),
        "false": np.sum((q < 0.05) & (effect == 0)),
        "power": np.mean(q[np.abs(effect) == 0.5] < 0.05),
        "power1": np.mean(q[np.abs(effect) == 1.0] < 0.05),
    }


@cache
def over_seeds(two_layers: bool) -> dict[str, dict[str, float]]:
    """Return how both methods do, over 12 data sets with the parameters of a
    reference.
    """
    rows: dict[str, list[dict[str, float]]] = {"hierarchical": [], "two_way": []}
    for seed in range(12):
        counts, effect = drawn(seed, **(TWO_LAYERS if two_layers else ONE_LAYER))
        for method, found in rows.items():
            found.append(
                scored(cg.mpra.fit(counts, control="control", method=method), effect)
            )
    means = {method: pd.DataFrame(found).mean() for method, found in rows.items()}
    return {
        m: {**v, "rmse": v["se2"] ** 0.5, "fdp": v["false"] / v["hits"]}
        for m, v in means.items()
    }


@pytest.mark.simulation
@pytest.mark.parametrize("two_layers", [False, True])
def test_intervals_cover_and_discoveries_are_true_under_both_layers_of_noise(
    two_layers,
):
    found = over_seeds(two_layers)["hierarchical"]
    assert 0.93 <= found["coverage"] <= 0.97
    assert abs(found["coverage"] - 0.95) < 4 * np.sqrt(0.05 * 0.95 / 2_400)
    assert found["fdp"] <= 0.07


@pytest.mark.simulation
def test_it_beats_the_closed_form():
    for two_layers, column in ((False, "power"), (True, "power1")):
        found = over_seeds(two_layers)
        assert found["hierarchical"]["rmse"] < found["two_way"]["rmse"]
        assert found["hierarchical"][column] > found["two_way"][column]
    assert over_seeds(False)["hierarchical"]["power"] >= 0.55
    assert over_seeds(True)["hierarchical"]["rmse"] <= 0.43


MISSPECIFIED = {
    "replicates 2": {"n_replicates": 2},
    "3 barcodes, one plasmid pool": {
        "n_barcodes": 3,
        "min_barcodes": None,
        "plasmid": True,
        "n_replicates": 3,
    },
    "all elements alike": {"sd_noisiness": 0.0},
    "elements very unlike": {"sd_noisiness": 0.8},
    "few reads": {"depth_dna": 15.0, "depth_rna": 8.0},
    "a tenth silent": {"p_silent": 0.1},
    "much noise between replicates": {"sd_replicate": 0.5},
    "no noise but counts": {
        "sd_barcode": 0.0,
        "sd_replicate": 0.0,
        "p_silent": 0.0,
        "disp_dna": 0.0,
    },
}


@pytest.mark.simulation
@pytest.mark.parametrize("settings", MISSPECIFIED.values(), ids=MISSPECIFIED)
def test_intervals_cover_where_the_prior_is_not_the_truth(settings):
    rows = []
    for seed in range(3):
        counts, effect = drawn(100 + seed, **{**TWO_LAYERS, **settings})
        rows.append(covered(fitted(counts), effect))
    assert 0.95 - 4 * np.sqrt(0.05 * 0.95 / 600) <= np.mean(rows) <= 0.985


@pytest.mark.simulation
def test_intervals_cover_with_ten_elements():
    rows = []
    for seed in range(40):
        counts, effect = drawn(300 + seed, n=10, **TWO_LAYERS)
        rows.append(covered(fitted(counts), effect))
    assert abs(np.mean(rows) - 0.95) < 4 * np.std(rows) / np.sqrt(len(rows))


@pytest.mark.simulation
def test_what_was_simulated_is_learned():
    counts, _ = drawn(7, n=300, **TWO_LAYERS)
    fit = fitted(counts)
    assert fit.attrs["sd_barcode"] == pytest.approx(0.6, abs=0.06)
    assert fit.attrs["sd_replicate"] == pytest.approx(0.15, abs=0.04)
    assert fit.attrs["spread_barcode"] == pytest.approx(0.4, abs=0.1)
    assert fit.attrs["silent_cell"] == pytest.approx(
        0.02, abs=4 * np.sqrt(0.02 / 24_000)
    )
    assert fit.attrs["share_paired"] < 0.05
    noisiness = counts["true_noisiness"].values[::2]
    assert stats.spearmanr(fit["sd_barcode"].values, noisiness).statistic > 0.6
    assert fit.attrs["layers"] == "barcode replicate"


def with_shared_noise(
    counts: xr.Dataset, sd: float, rng: np.random.Generator
) -> xr.Dataset:
    """Thin RNA in each element and replicate, in all arms alike, so that it varies by
    `sd` on log2.
    """
    of = pd.factorize(counts["element"].values)[0][counts["oligo_index"].values]
    log2 = rng.normal(0, sd, (of.max() + 1, counts.sizes["replicate"]))
    rna = rng.binomial(counts["rna"].values, np.exp2(log2 - log2.max())[of])
    return counts.assign(
        rna=(("barcode", "replicate"), rna), rna_total=("replicate", rna.sum(0))
    )


@pytest.mark.simulation
def test_noise_that_arms_share_in_a_replicate_moves_no_effect_and_widens_none():
    shared, plain, seen = [], [], []
    for seed in range(4):
        counts, effect = drawn(seed, n=100, depth_rna=900.0)
        other = fitted(with_shared_noise(counts, 0.4, np.random.default_rng(seed)))
        plain.append(fitted(counts)["se"].median().item())
        shared.append(other["se"].median().item())
        seen.append((covered(other, effect), other.attrs["sd_shared"]))
    assert np.mean(shared) < 1.1 * np.mean(plain)
    coverage, sd = np.mean(seen, axis=0)
    assert abs(coverage - 0.95) < 4 * np.sqrt(0.05 * 0.95 / 400)
    assert abs(sd - 0.4) < 0.04


def test_where_arms_share_nothing_nothing_is_taken_out():
    cells = model_cells(
        counts := drawn(1, n=60)[0], fit_request(counts, control="control")
    )
    same, sd = remove_shared_noise(cells)
    assert same is cells
    assert sd == 0.0


@pytest.mark.simulation
def test_zeros_that_cannot_be_are_silent_and_zeros_that_can_be_are_counts():
    counts, effect = drawn(8, sd_barcode=0.3, p_silent=0.1)
    assert np.abs(scored(fitted(counts), effect)["se2"] ** 0.5) < 0.35
    few, effect = drawn(8, sd_barcode=0.3, depth_rna=2.0)
    assert (few["rna"].values == 0).mean() > 0.25
    fit = fitted(few)
    assert fit["silent"].values.mean() < 0.02
    slope = fit["ace"].values[:, 0] @ effect / (effect @ effect)
    assert slope == pytest.approx(1.0, abs=0.1)


@pytest.mark.simulation
def test_reads_that_come_in_families_count_as_families():
    rows = {"hierarchical": [], "two_way": []}
    for seed in range(3):
        molecules, effect = drawn(
            20 + seed, sd_barcode=0.5, depth_rna=10.0, disp_rna=0.0
        )
        families = np.random.default_rng(seed).gamma(
            2.0 * np.maximum(molecules["rna"].values, 1), 30.0
        )
        reads = np.where(molecules["rna"].values > 0, np.ceil(families), 0).astype(
            np.int64
        )
        counts = molecules.assign(rna=(molecules["rna"].dims, reads))
        counts["rna_total"] = counts["rna"].sum("barcode")
        for method, found in rows.items():
            fit = cg.mpra.fit(counts, control="control", method=method)
            ace = fit["ace"].values[:, 0]
            found.append(
                [
                    ace @ effect / (effect @ effect),
                    np.mean((ace - effect) ** 2),
                    covered(fit, effect),
                ]
            )
        assert 40 < fitted(counts).attrs["reads_each"] < 130
    (slope, error, coverage), (_, worse, _) = (
        np.mean(found, axis=0) for found in rows.values()
    )
    assert slope == pytest.approx(1.0, abs=0.05)
    assert error < 0.6 * worse
    assert abs(coverage - 0.95) < 4 * np.sqrt(0.05 * 0.95 / 600)


def test_dna_of_the_same_cells_is_paired_with_its_rna():
    counts, _ = drawn(9, **TWO_LAYERS)
    rng = np.random.default_rng(9)
    own = np.exp(rng.normal(0, 0.8, counts["dna"].shape))
    both = counts.assign(
        {name: (counts[name] * own).astype(np.int64) for name in ("dna", "rna")}
    )
    for name in ("dna", "rna"):
        both[f"{name}_total"] = both[name].sum("barcode")
    cells = model_cells(both, fit_request(both, control="control"))
    assert cells.share_paired > 0.85


# ---- the references ------------------------------------------------------------------


def reference(shared, case: str) -> tuple[xr.Dataset, pd.DataFrame]:
    folder = shared / "reference" / "mpra" / case
    counts = cg.mpra.read_counts(
        folder / "counts.tsv.gz", side_table=folder / "arms.tsv"
    )
    return counts, pd.read_csv(folder / "truth.tsv", sep="\t").set_index("element")


def expected(shared, case: str, name: str) -> pd.DataFrame:
    return pd.read_csv(
        shared / "reference" / "mpra" / case / "expected" / name, sep="\t"
    ).set_index("element")


@pytest.mark.simulation
@pytest.mark.real
@pytest.mark.parametrize("case", ["allelic_clean", "allelic_barcode"])
def test_the_bars_hold_on_the_given_data(shared, case):
    counts, truth = reference(shared, case)
    fit = fitted(counts)
    found = scored(fit, truth.loc[fit["element"].values, "effect"].to_numpy())
    assert 0.93 <= found["coverage"] <= 0.97
    assert found["false"] / found["hits"] <= 0.07
    if case == "allelic_clean":
        assert found["power"] >= 0.55
    else:
        assert found["se2"] ** 0.5 <= 0.43


@pytest.mark.real
def test_effects_are_those_of_the_mixed_model_where_nothing_is_silent(shared):
    counts, _ = reference(shared, "allelic_clean")
    fit = fitted(counts)
    mixed = expected(shared, "allelic_clean", "twoway_mixed.tsv").loc[
        fit["element"].values
    ]
    difference = fit["ace"].values[:, 0] - mixed["logFC"].to_numpy()
    assert np.std(difference) < 0.3 * mixed["se"].median()
    assert np.corrcoef(fit["ace"].values[:, 0], mixed["logFC"])[0, 1] > 0.99
    assert np.median(fit["se"].values) == pytest.approx(mixed["se"].median(), rel=0.1)


@pytest.mark.simulation
@pytest.mark.real
def test_interactions_cover(shared):
    counts, truth = reference(shared, "factorial")
    fit = fitted(
        counts, contrasts={"interaction": {"AB": 1, "A": -1, "B": -1, "none": 1}}
    )
    effect = truth.loc[fit["element"].values, "interaction"].to_numpy()
    found = scored(fit, effect)
    assert abs(found["coverage"] - 0.95) < 3 * np.sqrt(0.05 * 0.95 / len(effect))
    limma = expected(shared, "factorial", "factorial_barcode_moderated.tsv")
    limma = limma[limma["contrast"] == "interaction"].loc[fit["element"].values]
    assert found["se2"] < np.mean((limma["logFC"].to_numpy() - effect) ** 2)
    assert found["false"] / found["hits"] <= 0.07


def halves(shared, library: str, arm: str) -> xr.Dataset:
    """Return one barcode of each oligo of a real arm as one arm, its other two as
    another: no effect is there.
    """
    folder = shared / "reference" / "mpra_real" / library
    counts = cg.mpra.read_counts(
        folder / "counts.tsv.gz", side_table=folder / "arms.tsv"
    )
    oligo = counts["oligo_index"].values
    rows = np.flatnonzero(
        (counts["dna"].values >= 10) & (counts["arm"].values[oligo] == arm)
    )
    rows = np.random.default_rng(0).permutation(rows)
    kept = pd.DataFrame({"row": rows, "oligo": oligo[rows]})
    kept["first"] = kept.groupby("oligo").cumcount() == 0
    kept = kept[kept.groupby("oligo")["row"].transform("size") == 3]
    names = kept["oligo"].astype(str) + np.where(kept["first"], ":a", ":b")
    side = pd.DataFrame({"oligo_name": np.unique(names)})
    side["element"], side["arm"] = (
        side["oligo_name"].str[:-2],
        side["oligo_name"].str[-1],
    )
    cut = counts.isel(barcode=kept["row"].to_numpy())
    return counts_of(
        cut["dna"].values,
        cut["rna"].values,
        barcodes=cut["barcode"].values,
        oligos=names.to_numpy(),
        side_table=side,
    )


@pytest.mark.real
@pytest.mark.parametrize("library", ["library1", "library2"])
def test_the_barcodes_of_one_real_oligo_do_not_differ(shared, library):
    fit = fitted(halves(shared, library, "WT"), control="a")
    p = fit["p"].values[:, 0]
    assert np.mean(p < 0.05) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / len(p))
    assert np.mean(p < 0.01) < 0.01 + 4 * np.sqrt(0.01 * 0.99 / len(p))
    assert np.mean(p < 0.001) < 0.001 + 4 * np.sqrt(0.001 * 0.999 / len(p))


@pytest.mark.simulation
@pytest.mark.real
def test_the_real_library_has_the_noise_that_was_found_in_it(shared):
    folder = shared / "reference" / "mpra_real" / "library1"
    counts = cg.mpra.read_counts(
        folder / "counts.tsv.gz", side_table=folder / "arms.tsv"
    )
    moderated = pd.read_csv(
        folder / "expected" / "barcode_moderated.tsv.gz", sep="\t"
    ).set_index("element")
    keep = np.isin(counts["element"].values, moderated.index)[
        counts["oligo_index"].values
    ] & (counts["dna"].values >= 10)
    cut = counts.isel(barcode=np.flatnonzero(keep))
    used = np.flatnonzero(
        np.isin(cut["element"].values, moderated.index)
        & np.isin(cut["arm"].values, ARMS)
    )
    place = np.full(cut.sizes["oligo"], -1)
    place[used] = np.arange(len(used))
    rows = np.flatnonzero(place[cut["oligo_index"].values] >= 0)
    cut = cut.isel(barcode=rows, oligo=used).assign(
        oligo_index=("barcode", place[cut["oligo_index"].values[rows]])
    )
    fit = fitted(cut, control=ARMS[1])
    ace = fit["ace"].values[:, 0]
    sums = pd.read_csv(folder / "expected" / "limma_paired.tsv.gz", sep="\t").set_index(
        "element"
    )
    assert np.corrcoef(ace, sums.loc[fit["element"].values, "logFC"])[0, 1] > 0.97
    assert np.corrcoef(ace, moderated.loc[fit["element"].values, "logFC"])[0, 1] > 0.95
    assert 30 < fit.attrs["reads_each"] < 150
    assert abs(ace.mean()) < 4 * ace.std() / np.sqrt(len(ace))
    # .98 with the noise of few molecules in it
    assert 0.3 < np.sqrt(np.mean(fit["sd_barcode"].values ** 2)) < 1.0


ARMS = ("WT", "MUT-allCrxSites")


# ---- what must change nothing --------------------------------------------------------


@cache
def small() -> xr.Dataset:
    return drawn(11, n=40, **TWO_LAYERS)[0]


def arrays(fit: xr.Dataset) -> np.ndarray:
    return np.stack([fit[name].values for name in ("ace", "se", "df")])


def test_the_order_of_barcodes_changes_nothing():
    counts = small()
    other = counts.isel(
        barcode=np.random.default_rng(0).permutation(counts.sizes["barcode"])
    )
    np.testing.assert_allclose(arrays(fitted(other)), arrays(fitted(counts)), rtol=2e-3)
    np.testing.assert_allclose(fitted(other)["ace"], fitted(counts)["ace"], atol=1e-5)


def test_swapping_arms_flips_the_sign():
    there, back = fitted(small(), control="control"), fitted(small(), control="treated")
    np.testing.assert_allclose(back["ace"], -there["ace"], atol=1e-5)
    np.testing.assert_allclose(back["se"], there["se"], rtol=2e-3)


def test_library_totals_move_no_effect():
    counts = small()
    other = counts.assign(
        rna_total=counts["rna_total"] * 7, dna_total=counts["dna_total"] * [1, 2, 3, 4]
    )
    np.testing.assert_array_equal(arrays(fitted(other)), arrays(fitted(counts)))


def scaled(counts: xr.Dataset, by: list[int]) -> xr.Dataset:
    found = counts.assign({name: counts[name] * by for name in ("rna", "dna")})
    return found.assign(
        {f"{name}_total": found[name].sum("barcode") for name in ("rna", "dna")}
    )


def test_the_depth_of_a_library_moves_no_effect_where_reads_abound():
    there, here = (
        fitted(scaled(small(), by))
        for by in ([9_000, 1_000, 3_000, 6_000], [1_000] * 4)
    )
    assert np.abs(there["ace"] - here["ace"]).max() < 0.01 * float(here["se"].min())


def test_one_more_element_changes_little():
    counts = small()
    fewer = counts.isel(
        barcode=np.flatnonzero(counts["oligo_index"].values < counts.sizes["oligo"] - 2)
    )
    fewer = fewer.isel(oligo=slice(0, counts.sizes["oligo"] - 2))
    all_, most = fitted(counts).isel(element=slice(0, 39)), fitted(fewer)
    assert np.abs(all_["ace"] - most["ace"]).max() < 0.1 * float(most["se"].min())
    np.testing.assert_allclose(all_["se"], most["se"], rtol=0.1)


def test_contrasts_of_one_question_are_those_of_many():
    activity, _ = truth_of(12, n=30)
    third = activity[activity["arm"] == "treated"].assign(arm="third")
    counts = cg.mpra.simulate(
        pd.concat([activity, third]).sort_values("element"), n_barcodes=6, rng=12
    )
    together = fitted(
        counts,
        contrasts={
            "a": {"treated": 1, "control": -1},
            "b": {"third": 1, "control": -1},
        },
    )
    mean = fitted(
        counts, contrasts={"m": {"treated": 0.5, "third": 0.5, "control": -1}}
    )
    np.testing.assert_allclose(
        together["ace"].mean("contrast"), mean["ace"].isel(contrast=0), atol=1e-9
    )


# ---- little to learn from ------------------------------------------------------------

SPARSE = {
    "one replicate": ({"n_replicates": 1}, "barcode"),
    "one barcode": ({"n_barcodes": 1, "min_barcodes": None}, "replicate"),
    "two replicates, two barcodes": (
        {"n_replicates": 2, "n_barcodes": 2, "min_barcodes": None},
        "barcode replicate",
    ),
    "one plasmid pool": ({"plasmid": True}, "barcode replicate"),
}


@pytest.mark.parametrize(("settings", "measured"), SPARSE.values(), ids=SPARSE)
def test_little_data_give_finite_answers_and_say_what_they_are_of(settings, measured):
    fit = fitted(drawn(13, n=12, p_missing=0.0, **settings)[0])
    assert np.isfinite(arrays(fit)).all()
    assert (fit["se"] > 0).all()
    assert fit.attrs["layers"] == measured


def test_one_element_alone_is_answered_with_a_wider_interval():
    counts = small()
    alone = counts.isel(barcode=np.flatnonzero(counts["oligo_index"].values < 2)).isel(
        oligo=slice(0, 2)
    )
    assert np.isfinite(arrays(fitted(alone))).all()


def test_an_oligo_without_reads_has_an_effect_as_wide_as_half_a_read():
    counts = small().copy()
    counts["rna"] = counts["rna"].where(counts["oligo_index"] != 1, 0)
    fit = fitted(counts)
    assert np.isfinite(arrays(fit)).all()
    assert float(fit["se"][0, 0]) == pytest.approx(
        np.log2(np.e) / np.sqrt(0.5), rel=0.15
    )
    assert float(fit["ace"][0, 0]) < -5


def test_no_reads_at_all_are_answered_without_a_number_that_is_none():
    fit = fitted(small().assign(rna=small()["rna"] * 0))
    assert np.isfinite(arrays(fit)).all()
    assert (fit["p"] > 0.05).all()


@pytest.mark.parametrize("silenced", [0.0, 0.1])
def test_barcodes_that_disagree_are_said_in_the_first_line(silenced):
    """A tenth keeps a thirtieth of its RNA: all intervals are twice as wide as the other
    barcodes have it, and nothing else says so.
    """
    rng = np.random.default_rng(3)
    E, B = 60, 8
    of = np.repeat(np.arange(2 * E), B)
    dna = rng.poisson(60, (len(of), 3))
    active = np.repeat(rng.normal(0, 1, E), 2)[of] + rng.normal(0, 0.5, len(of))
    rna = rng.poisson(60 * 2 ** active[:, None], (len(of), 3))
    gone = rng.random(len(of)) < silenced
    rna[gone] = rng.binomial(rna[gone], 1 / 30)
    side = pd.DataFrame({"oligo_name": [f"o{i}" for i in range(2 * E)]})
    side["element"] = np.repeat([f"e{i}" for i in range(E)], 2)
    side["arm"] = ["ref", "alt"] * E
    counts = cg.mpra.counts_of(
        dna,
        rna,
        barcodes=[f"b{i}" for i in range(len(of))],
        oligos=side["oligo_name"].to_numpy()[of],
        side_table=side,
    )
    fitted = cg.mpra.fit(counts, control="ref")
    assert ("excess_error" in fitted.attrs) == (silenced > 0)
    said = str(cg.report(fitted)).startswith("Barcodes of an oligo disagree")
    assert said == (silenced > 0)
