# Imports from the inside: lines with errors on both sides and their correlation, against
# arithmetic and truth by simulation.
"""Virtual effects beside measured ones: against the R reference, arithmetic, and truth
by simulation.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import special, stats

import causalgia as cg
from causalgia.errors import (
    DegenerateWarning,
)
from causalgia.estimation.lines import (
    errors_in_both,
    errors_in_variables,
    weighted_line,
)
from causalgia.mpra.comparisons._concordance import (
    auroc,
    disattenuated,
    pearson,
    reliability as reliability_of,
    sign_agreement,
)
from causalgia.notes import notes_of

FIT = {"ace": "effect", "se": "se"}


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def case(shared, name):
    folder = shared / "reference" / "mpra" / name
    virtual = pd.read_csv(folder / "virtual.tsv", sep="\t")
    measured = pd.read_csv(
        folder / "expected" / "barcode_moderated.tsv", sep="\t"
    ).rename(columns={"logFC": "effect"})
    groups = pd.read_csv(folder / "arms.tsv", sep="\t")[
        ["element", "group"]
    ].drop_duplicates()
    return (
        virtual,
        measured.merge(groups, on="element"),
        json.loads((folder / "expected" / "compare.json").read_text()),
    )


def simulated(rng, n=60, sd=0.3, slope=2.0, sx=0.0):
    true = rng.normal(size=n)
    names = [f"u{i}" for i in range(n)]
    virtual = pd.DataFrame(
        {"element": names, "effect": true / slope + rng.normal(0, sx, n), "se": sx}
    )
    measured = pd.DataFrame(
        {"element": names, "effect": true + rng.normal(0, sd, n), "se": sd}
    )
    return virtual, measured


# --- against the reference


@pytest.mark.real
@pytest.mark.parametrize("name", ["allelic_clean", "allelic_barcode"])
def test_agrees_with_the_reference(shared, name):
    virtual, measured, wanted = case(shared, name)
    found = cg.mpra.concordance(virtual, measured).isel(contrast=0)
    assert found["n"].item() == wanted["n"]
    assert found["n_hits"].item() == wanted["n_hits"]
    lines = {"ols": "ols", "wls": "weighted", "eiv": "errors_in_both"}
    pairs = {
        key: found[key].item()
        for key in ("pearson", "spearman", "pearson_disattenuated")
    }
    pairs |= {
        "reliability_virtual": found["reliability"].sel(side="virtual").item(),
        "reliability_measured": found["reliability"].sel(side="measured").item(),
        "sign_concordance_hits": found["sign_agreement"].item(),
        "auroc_hits": found["auroc"].item(),
        "wls_slope_se": found["slope_se"].sel(line="weighted").item(),
        "eiv_objective": found["line_chi2"].item(),
    }
    for theirs, ours in lines.items():
        for what in ("intercept", "slope"):
            pairs[f"{theirs}_{what}"] = found[what].sel(line=ours).item()
    for key, value in pairs.items():
        assert value == pytest.approx(wanted[key], rel=1e-6), key
    limits = [found["pearson_lower"].item(), found["pearson_upper"].item()]
    assert limits == pytest.approx(wanted["pearson_ci"], rel=1e-6)
    assert json.loads(found.attrs["lost"])["effect"]["controls"] == {"negative": 20}


@pytest.mark.parametrize("scatter", [False, True])
def test_the_line_is_that_of_any_covariance(rng, scatter):
    x, y = rng.normal(size=40), rng.normal(size=40)
    y = y + 3 * x
    vx, vy = rng.uniform(0, 0.2, 40), rng.uniform(0.1, 0.5, 40)
    fast = errors_in_both(x, y, vx, vy, scatter=scatter)
    slow = errors_in_variables(x, y, x_covariance=vx, y_covariance=vy, scatter=scatter)
    assert [fast.slope, fast.intercept, fast.scatter] == pytest.approx(
        [slow.slope, slow.intercept, slow.scatter], rel=1e-9
    )


def test_without_errors_the_scattered_line_is_least_squares(rng):
    x, y, exact = rng.normal(size=30), rng.normal(size=30), np.zeros(30)
    fitted, plain = (
        errors_in_both(x, y, exact, exact, scatter=True),
        weighted_line(x, y),
    )
    assert [fitted.slope, fitted.intercept] == pytest.approx(
        [plain.slope, plain.intercept], rel=1e-9
    )
    assert fitted.covariance == pytest.approx(plain.covariance, rel=1e-6)


def test_auroc_is_that_of_mann_and_whitney(rng):
    score, hit = rng.integers(0, 9, size=80).astype(float), rng.random(80) < 0.3
    U = stats.mannwhitneyu(score[hit], score[~hit]).statistic
    assert auroc(score, hit).value == pytest.approx(
        U / (hit.sum() * (~hit).sum()), rel=1e-12
    )


def test_sign_limits_are_clopper_and_pearsons():
    x, y, hit = np.ones(20), np.r_[np.ones(17), -np.ones(3)], np.ones(20, bool)
    found, wanted = sign_agreement(x, y, hit), stats.binomtest(17, 20).proportion_ci()
    assert [found.lower, found.upper] == pytest.approx(
        [wanted.low, wanted.high], rel=1e-9
    )


# --- what it reads, and what it says


def test_reads_trials_fits_and_tables_alike(rng):
    virtual, measured = simulated(rng, sx=0.0)
    names = virtual["element"].to_numpy()
    trial = xr.Dataset(
        {
            "ice": (
                ("unit", "contrast", "task"),
                virtual["effect"].to_numpy()[:, None, None],
            )
        },
        coords={"unit": names, "contrast": ["GATA1"], "task": ["K562"]},
        attrs={"contrast_scale": "log counts"},
    )
    fit = xr.Dataset(
        {
            "ace": (("element", "contrast"), measured["effect"].to_numpy()[:, None]),
            "se": (("element", "contrast"), measured["se"].to_numpy()[:, None]),
        },
        coords={"element": names, "contrast": ["GATA1"]},
        attrs={"scale": "log2"},
    )
    of_sets, of_tables = (
        cg.mpra.concordance(trial, fit),
        cg.mpra.concordance(virtual, measured),
    )
    assert of_sets["contrast"].item() == "GATA1"
    assert of_sets.attrs["virtual_scale"] == "log counts"
    assert of_sets["slope"].values == pytest.approx(
        of_tables["slope"].values, rel=1e-12
    )
    shuffled = fit.isel(element=rng.permutation(fit.sizes["element"]))
    again = cg.mpra.concordance(trial, shuffled)
    assert again["pearson_disattenuated"].values == pytest.approx(
        of_sets["pearson_disattenuated"].values, rel=1e-12
    )


def test_an_ensemble_has_the_error_of_its_mean(rng):
    virtual, measured = simulated(rng)
    effect = virtual["effect"].to_numpy()[:, None, None, None] + rng.normal(
        0, 0.1, size=(60, 1, 1, 3)
    )
    trial = xr.Dataset(
        {"ice": (("unit", "contrast", "task", "model"), effect)},
        coords={
            "unit": virtual["element"].to_numpy(),
            "contrast": ["GATA1"],
            "task": ["K562"],
            "model": [0, 1, 2],
        },
    )
    found = cg.mpra.concordance(trial, measured)
    assert found["virtual"].values[0] == pytest.approx(effect.mean(axis=(1, 2, 3)))
    assert found["virtual_se"].values[0] == pytest.approx(
        effect[:, 0, 0].std(axis=1, ddof=1) / np.sqrt(3)
    )


def test_counts_what_is_on_one_side_only(rng):
    virtual, measured = simulated(rng)
    controls = pd.DataFrame(
        {"element": ["n1", "n2"], "effect": 0.0, "se": 0.1, "group": "negative"}
    )
    measured = pd.concat([measured.iloc[5:].assign(group="test"), controls])
    found = cg.mpra.concordance(virtual.iloc[:57], measured)
    assert json.loads(found.attrs["lost"]) == {
        "effect": {"only virtual": 5, "only measured": 3, "controls": {"negative": 2}}
    }
    assert found["n"].item() == 52


def test_contrasts_of_several_arms_are_compared_by_name(rng):
    tables = [simulated(rng) for _ in range(2)]
    virtual, measured = (
        pd.concat(
            [t[side].assign(contrast=c) for t, c in zip(tables, "AB", strict=True)]
        )
        for side in (0, 1)
    )
    found = cg.mpra.concordance(virtual, measured)
    assert found["contrast"].values.tolist() == ["A", "B"]
    one = cg.mpra.concordance(*tables[1])
    assert found["slope"].sel(contrast="B").values == pytest.approx(
        one["slope"].values[0], rel=1e-12
    )
    crossed = cg.mpra.concordance(virtual, measured, pairs={"A": "B"})
    assert crossed["virtual_contrast"].values.tolist() == ["B"]


def test_finds_the_element_that_is_off_the_line(rng):
    virtual, measured = simulated(rng, n=200)
    measured.loc[17, "effect"] -= 4.0
    found = cg.mpra.concordance(virtual, measured).isel(contrast=0)
    assert found["element"].values[found["q_off"].values < 0.05].tolist() == ["u17"]


def test_draws_elements_and_the_line(rng):
    virtual, measured = simulated(rng, n=200)
    measured.loc[17, "effect"] -= 4.0
    found = cg.mpra.concordance(virtual, measured)
    axes = cg.plot.scatter(found)
    assert [text.get_text() for text in axes.texts] == ["u17"]
    sizes = {
        c.get_label(): len(c.get_offsets())
        for c in axes.collections
        if hasattr(c, "get_offsets")
    }
    assert (sizes["element"], sizes["off the line"]) == (199, 1)
    (line,) = [one for one in axes.lines if str(one.get_label()).startswith("slope")]
    ends = found["intercept"].values[0, -1] + found["slope"].values[0, -1] * np.asarray(
        line.get_xdata()
    )
    assert np.asarray(line.get_ydata()) == pytest.approx(ends)


def test_parents_count_once(rng):
    """Copies of an element are no new evidence: errors are those of the elements
    themselves.
    """
    virtual, measured = simulated(rng, n=50)
    copies = [
        pd.concat(
            [
                table.assign(
                    element=table["element"] + f"_{k}", parent=table["element"]
                )
                for k in range(4)
            ]
        )
        for table in (virtual, measured)
    ]
    one, four = cg.mpra.concordance(virtual, measured), cg.mpra.concordance(*copies)
    assert four["n_clusters"].item() == 50
    ratio = (
        four["slope_se"].sel(line="ols").item() / one["slope_se"].sel(line="ols").item()
    )
    assert 0.7 < ratio < 1.4
    naive = cg.mpra.concordance(*(table.drop(columns="parent") for table in copies))
    assert naive["slope_se"].sel(line="ols").item() == pytest.approx(
        one["slope_se"].sel(line="ols").item() / 2, rel=0.05
    )
    width = [(t["pearson_upper"] - t["pearson_lower"]).item() for t in (one, four)]
    assert 0.5 < width[1] / width[0] < 2


def test_nothing_left_of_a_variance_is_said_and_not_divided_by(rng):
    virtual, measured = simulated(rng, n=40)
    found = cg.mpra.concordance(virtual, measured.assign(se=5.0)).isel(contrast=0)
    assert found["reliability"].sel(side="measured").item() < 0
    assert [
        found["pearson_disattenuated_lower"].item(),
        found["pearson_disattenuated_upper"].item(),
    ] == [-1.0, 1.0]
    assert found["noise_ceiling"].item() == 0
    assert all(
        np.isfinite(found[name]).all()
        for name in found.data_vars
        if found[name].dtype.kind == "f"
    )


def test_reads_one_selected_contrast_of_a_fit(rng):
    virtual, measured = simulated(rng)
    columns = {
        name: (("element", "contrast"), measured[[column]].to_numpy())
        for name, column in FIT.items()
    }
    fit = xr.Dataset(columns, {"element": measured["element"], "contrast": ["effect"]})
    found, wanted = (
        cg.mpra.concordance(virtual, fit.isel(contrast=0)),
        cg.mpra.concordance(virtual, fit),
    )
    xr.testing.assert_equal(found, wanted)


# --- truth by simulation


def trials(rng, n_trials, n, reliability, scatter):
    """Yield sparse true effects with errors on both sides: x, y, sx, sy of
    ``y = 0.3 + 1.5 x + scatter``.
    """
    for _ in range(n_trials):
        size = rng.choice([0.25, 0.5, 1, 2], n) * rng.choice([-1, 1], n)
        true = np.where(rng.random(n) < 0.6, 0.0, size)
        sx = np.sqrt(0.53 * (1 / reliability - 1)) * rng.uniform(0.6, 1.3, n)
        sy = 0.4 * rng.uniform(0.5, 2.0, n)
        x = true + rng.normal(0, sx)
        yield (
            x,
            0.3 + 1.5 * true + rng.normal(0, scatter, n) + rng.normal(0, sy),
            sx,
            sy,
        )


def band(level, n, rows):
    tail = 0.001 / rows / 2
    return stats.binom.ppf([tail, 1 - tail], n, level) / n


@pytest.mark.simulation
@pytest.mark.parametrize("reliability", [0.7, 0.95])
@pytest.mark.parametrize("scatter", [0.0, 0.3])
def test_slope_and_correlation_of_true_effects_are_found(reliability, scatter):
    """Unbiased to 4 Monte-Carlo errors and the bias of order 1/n of a ratio; intervals
    cover what they say.
    """
    rng, n, n_trials = (
        np.random.default_rng(int(100 * (reliability + scatter))),
        250,
        800,
    )
    spread = 0.4 * np.mean([0.25**2, 0.5**2, 1, 4])
    slope, r = 1.5, 1.5 * np.sqrt(spread / (1.5**2 * spread + scatter**2))
    rows = []
    for x, y, sx, sy in trials(rng, n_trials, n, reliability, scatter):
        line = errors_in_both(x, y, sx**2, sy**2, scatter=scatter > 0)
        half = special.stdtrit(line.df, 0.975) * np.sqrt(line.covariance[1, 1])
        found, uncut = (
            disattenuated(x, y, sx, sy),
            pearson(x, y).value
            / np.sqrt(reliability_of(x, sx) * reliability_of(y, sy)),
        )
        assert found.value == pytest.approx(min(uncut, 1.0), rel=1e-12)
        covers = abs(line.slope - slope) <= half, found.lower <= r <= found.upper
        rows.append(
            (line.slope, uncut, *covers, weighted_line(x, y).slope, pearson(x, y).value)
        )
    mean, mcse = np.mean(rows, axis=0), np.std(rows, axis=0) / np.sqrt(n_trials)
    assert abs(mean[0] - slope) < 4 * mcse[0] + 2 * slope / n
    assert abs(mean[1] - r) < 4 * mcse[1] + 2 / n
    low, high = band(0.95, n_trials, 8)
    assert low <= mean[2] <= high
    # at a correlation of 1 no limit is above the truth
    assert low <= mean[3] <= (high if scatter else 1.0)
    assert mean[4] < slope * (reliability + 0.03)
    assert mean[5] < r - 0.02


@pytest.mark.simulation
@pytest.mark.parametrize("reliable", [0.5, 0.9])
@pytest.mark.parametrize("r", [0.0, 0.6, 1.0, -1.0])
@pytest.mark.parametrize("n", [30, 100])
def test_the_correlation_of_true_effects_is_one_and_lies_within_its_limits(
    n, r, reliable
):
    """At 1 the ratio passes the bound in half of the trials; limits cover .95 less four
    Monte-Carlo errors.
    """
    rng, se, n_trials = (
        np.random.default_rng(n),
        np.full(n, np.sqrt(1 / reliable - 1)),
        300,
    )
    covered = beyond = 0
    for _ in range(n_trials):
        u, rest = rng.normal(size=(2, n))
        true = r * u + np.sqrt(1 - r**2) * rest
        x, y = u + rng.normal(0, se), true + rng.normal(0, se)
        found = disattenuated(x, y, se, se)
        assert -1 <= found.lower <= found.value <= found.upper <= 1
        assert found.lower < found.upper
        covered += found.lower <= r <= found.upper
        beyond += abs(found.value) == 1
    assert covered / n_trials > 0.95 - 4 * np.sqrt(0.95 * 0.05 / n_trials)
    if abs(r) == 1:
        assert 0.35 < beyond / n_trials < 0.75


def several(
    x: dict[str, np.ndarray], rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both sides of contrasts with these virtual effects; true ones are the
    same, measured to .3.
    """
    sides = []
    for noise in (0.0, 0.3):
        tables = [
            pd.DataFrame(
                {"element": [f"e{i}" for i in range(len(v))], "contrast": name}
            ).assign(
                effect=v + rng.normal(0, noise, len(v)),
                **({"se": noise} if noise else {}),
            )
            for name, v in x.items()
        ]
        sides.append(pd.concat(tables))
    return sides[0], sides[1]


@pytest.mark.parametrize("side", ["virtual", "measured"])
def test_contrasts_whose_elements_do_not_differ_are_left_out_by_name(rng, side):
    """One contrast of constant effects stopped the comparison of all."""
    sides = dict(
        zip(
            ("virtual", "measured"),
            several({k: rng.normal(size=40) for k in "abc"}, rng),
            strict=True,
        )
    )
    alone = cg.mpra.concordance(**sides, pairs={"a": "a", "c": "c"})
    sides[side] = sides[side].assign(
        effect=sides[side]["effect"].where(sides[side]["contrast"] != "b", 0.0)
    )
    with pytest.warns(DegenerateWarning) as caught:
        found = cg.mpra.concordance(**sides)
    assert caught[0].filename == __file__
    assert len(notes_of(found)) == 1
    xr.testing.assert_equal(found, alone)
    assert list(json.loads(found.attrs["lost"])) == ["a", "c"]
    assert not notes_of(cg.mpra.concordance(**sides, pairs={"a": "a"}))


def test_contrasts_whose_virtual_effects_vary_less_than_their_errors_are_left_out_by_name(
    rng,
):
    """One such contrast stopped the comparison of all, with an error that named
    none.
    """
    vertical, y = np.tile([-1.0, 1.0], 20), np.repeat([-1.0, 1.0], 20)
    virtual, measured = several({k: rng.normal(size=40) for k in "abc"}, rng)
    of_b = virtual["contrast"] == "b"
    virtual.loc[of_b, "effect"], virtual["se"] = vertical, np.where(of_b, 1.5, 0.1)
    measured.loc[of_b, "effect"] = y
    alone = cg.mpra.concordance(virtual, measured, pairs={"a": "a", "c": "c"})
    with pytest.warns(DegenerateWarning) as caught:
        found = cg.mpra.concordance(virtual, measured)
    assert caught[0].filename == __file__
    assert len(notes_of(found)) == 1
    xr.testing.assert_equal(found, alone)
    assert list(json.loads(found.attrs["lost"])) == ["a", "c"]


@pytest.mark.parametrize("scatter", [False, True])
def test_measured_effects_that_are_all_equal_lie_on_a_level_line(scatter):
    x = np.array([0.0, 1.0, 2.0, 5.0])
    line = errors_in_both(
        x, np.full(4, 3.0), np.full(4, 0.01), np.full(4, 0.04), scatter=scatter
    )
    assert (line.intercept, line.slope, line.scatter) == pytest.approx(
        (3.0, 0.0, 0.0), abs=1e-9
    )


@pytest.mark.parametrize("scatter", [False, True])
@pytest.mark.parametrize("clustered", [False, True])
def test_a_line_in_other_units_is_the_same_line(rng, scatter, clustered):
    x = rng.normal(size=40)
    y = 0.5 + 1.5 * x + rng.normal(0, 1.0 if scatter else 0.5, 40)
    vx, vy = rng.uniform(0.01, 0.1, 40), rng.uniform(0.05, 0.2, 40)
    cluster = np.arange(40) // 4 if clustered else None
    line = errors_in_both(x, y, vx, vy, scatter=scatter, cluster=cluster)
    a, b, c, d = 1e4, -3.0, 1e-5, 20.0
    moved = errors_in_both(
        a * x + b, c * y + d, a**2 * vx, c**2 * vy, scatter=scatter, cluster=cluster
    )
    slope = c / a * line.slope
    assert moved.slope == pytest.approx(slope, rel=1e-6)
    assert moved.intercept == pytest.approx(
        c * line.intercept + d - slope * b, rel=1e-9
    )
    assert (moved.objective, moved.df, moved.scatter) == pytest.approx(
        (line.objective, line.df, c * line.scatter), rel=1e-6
    )
    back = c * np.array([[1.0, -b / a], [0.0, 1.0 / a]])
    np.testing.assert_allclose(
        moved.covariance, back @ line.covariance @ back.T, rtol=1e-4
    )
    w = 1 / (vy + line.scatter**2 + line.slope**2 * vx)
    left = y - line.intercept - line.slope * x
    assert (w * left**2).sum() == pytest.approx(line.objective, rel=1e-8)
    if scatter:
        assert line.objective == pytest.approx(38, rel=1e-5)
    assert (w * left).sum() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("scatter", [False, True])
@pytest.mark.parametrize("clustered", [False, True])
def test_the_covariance_of_a_line_is_its_sandwich_by_hand(rng, scatter, clustered):
    """A^-1 B A^-1: sums of w z z' over adjusted points, less what errors of x add;
    scores of clusters, if there are.
    """
    n = 36
    x = rng.normal(size=n)
    y = 1.5 * x + rng.normal(0, 1.0 if scatter else 0.3, n)
    x, y = ((v - v.mean()) / v.std() for v in (x, y))
    vx, vy = rng.uniform(0.02, 0.1, n), rng.uniform(0.05, 0.2, n)
    cluster = np.arange(n) // 3 if clustered else None
    line = errors_in_both(x, y, vx, vy, scatter=scatter, cluster=cluster)
    b, extra = line.slope, line.scatter**2
    assert (extra > 0) == scatter
    w = 1 / (vy + extra + b**2 * vx)
    left = y - line.intercept - b * x
    place = x + b * vx * w * left
    A, B, sums = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((12, 2))
    by_scatter = b * (vx * w**2).sum() / w.sum() if scatter else 0.0
    for i in range(n):
        z = np.array([1.0, place[i]])
        B += w[i] * np.outer(z, z)
        A += w[i] * np.outer(z, z) - np.diag(
            [0.0, w[i] * vx[i] * (1 - b**2 * vx[i] * w[i])]
        )
        sums[i // 3] += w[i] * left[i] * z - [
            0.0,
            by_scatter * (w[i] * left[i] ** 2 - (n - 2) / n),
        ]
    B = (
        sums.T @ sums * 12 / 11
        if clustered
        else B + np.diag([0.0, 2 * n * by_scatter**2])
    )
    inverse = np.linalg.inv(A)
    np.testing.assert_allclose(line.covariance, inverse @ B @ inverse.T, rtol=1e-5)
    assert line.df == (11 if clustered else n - 2)


def test_contrasts_of_one_side_alone_are_named(rng):
    """Of A and B against A and C only A was compared, without a word on B and C."""
    virtual, measured = simulated(rng)
    sides = [
        pd.concat([side.assign(contrast=name) for name in names])
        for side, names in ((virtual, ["A", "B"]), (measured, ["A", "C"]))
    ]
    found = cg.mpra.concordance(*sides)
    assert found["contrast"].values.tolist() == ["A"]
    assert len(notes_of(found)) == 1
    # those that were asked for
    assert not notes_of(cg.mpra.concordance(*sides, pairs={"A": "A"}))
    assert not notes_of(cg.mpra.concordance(virtual, measured))
