"""Prediction-powered means: against arithmetic, and coverage by simulation."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import special, stats

import causalgia as cg
from causalgia.errors import EstimateError
from causalgia.estimation.crossover import mean_ice
from causalgia.mpra.comparisons.prediction_powered_means import (
    add_replicate_noise,
    cluster_deviations,
    powered_mean,
    random_draw_test,
    shared_noise,
)
from causalgia.notes import notes_of


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def effects(values, units, *, parents=None, model=False, **attrs):
    """Return effects of one contrast and task, of shape (n,) or (n, models)."""
    values = np.asarray(values, float)
    dims = (
        ("unit", "contrast", "task", "model") if model else ("unit", "contrast", "task")
    )
    array = values[:, None, None, :] if model else values[:, None, None]
    coords = {"unit": units, "contrast": ["GATA1"], "task": ["K562"]}
    if parents is not None:
        coords["parent"] = ("unit", parents)
    return xr.Dataset({"ice": (dims, array)}, coords=coords, attrs=attrs)


def trial(rng, n=40, N=600, noise=0.5):
    """Return virtual effects of n + N units and measured ones of the first n."""
    f = rng.normal(1, 1, n + N)
    return effects(f, np.arange(n + N)), effects(
        2 * f[:n] + rng.normal(0, noise, n), np.arange(n)
    )


def test_without_weight_it_is_the_classical_mean(rng):
    y, f, rest = rng.exponential(size=25), rng.normal(size=25), rng.normal(size=99)
    found, wanted = powered_mean(y, f, rest, lam=0.0), mean_ice(y)
    assert (found.mean, found.se, found.df) == pytest.approx(
        (float(wanted.ace), float(wanted.se), 24.0), rel=1e-12
    )


def test_tuned_it_is_the_regression_estimator(rng):
    """Least squares of y on f, read at the mean prediction of all: statsmodels-free
    arithmetic.
    """
    f = rng.normal(size=200)
    y = 3 - 2 * f[:30] + rng.normal(size=30)
    X = np.column_stack([np.ones(30), f[:30] - f.mean()])
    beta = np.linalg.solve(X.T @ X, X.T @ y)
    left = y - X @ beta
    se2 = (
        left @ left / 28 * np.linalg.inv(X.T @ X)[0, 0]
        + beta[1] ** 2 * f.var(ddof=1) / 200
    )
    found = powered_mean(y, f[:30], f[30:])
    assert [found.mean, found.se**2] == pytest.approx([beta[0], se2], rel=1e-10)
    assert found.lam == pytest.approx(beta[1] * 170 / 200, rel=1e-12)


def test_clusters_of_equal_size_are_their_means(rng):
    y, f, rest = (
        rng.normal(size=(12, 3)),
        rng.normal(size=(12, 3)),
        rng.normal(size=(50, 2)),
    )
    codes, codes_rest = np.repeat(np.arange(12), 3), np.repeat(np.arange(50), 2)
    for lam in (0.0, 0.7):
        whole = powered_mean(
            y.ravel(),
            f.ravel(),
            rest.ravel(),
            lam=lam,
            cluster=codes,
            cluster_rest=codes_rest,
        )
        means = powered_mean(y.mean(axis=1), f.mean(axis=1), rest.mean(axis=1), lam=lam)
        assert [whole.mean, whole.se, whole.df] == pytest.approx(
            [means.mean, means.se, means.df], rel=1e-10
        )
    assert cluster_deviations(y.ravel(), codes) == pytest.approx(
        y.mean(axis=1) - y.mean()
    )


def test_replicates_share_noise_by_two_way_analysis_of_variance(rng):
    y = (
        rng.normal(size=(40, 1))
        + rng.normal(0, 0.5, size=(1, 4))
        + rng.normal(0, 0.3, size=(40, 4))
    )
    pieces = shared_noise(y).pieces
    grand = y.mean()
    ms_replicate = 40 * ((y.mean(axis=0) - grand) ** 2).sum() / 3
    left = y - y.mean(axis=0) - y.mean(axis=1, keepdims=True) + grand
    ms_left = (left**2).sum() / (39 * 3)
    assert pieces @ pieces == pytest.approx((ms_replicate - ms_left) / 160, rel=1e-10)
    assert not shared_noise(np.ones((5, 3))).pieces.any()


def test_finds_measured_units_by_name_in_any_order(rng):
    virtual, measured = trial(rng)
    found = cg.mpra.prediction_powered(virtual, measured, trained_on_measured=False)
    mixed = cg.mpra.prediction_powered(
        virtual.isel(unit=rng.permutation(640)),
        measured.isel(unit=rng.permutation(40)),
        trained_on_measured=False,
    )
    f, y = virtual["ice"].values.ravel(), measured["ice"].values.ravel()
    wanted = powered_mean(y, f[:40], f[40:])
    for one in (found, mixed):
        assert [one["ace"].item(), one["se"].item()] == pytest.approx(
            [wanted.mean, wanted.se], rel=1e-12
        )
    assert found["classical_ace"].item() == pytest.approx(y.mean())
    assert found["classical_se"].item() == pytest.approx(y.std(ddof=1) / np.sqrt(40))
    assert found["powered"].item()
    assert found["width_ratio"].item() < 0.5
    assert (found["n_units"].item(), found["n_predicted"].item()) == (40, 600)
    assert found["covariance"].item() == pytest.approx(
        found["se"].item() ** 2, rel=1e-12
    )


def test_a_useless_predictor_gets_the_classical_interval(rng):
    virtual, measured = trial(rng, n=30)
    measured = measured.copy(data={"ice": rng.normal(size=(30, 1, 1))})
    f = virtual["ice"].values.ravel()[:30]
    y = measured["ice"].values.ravel()
    y = y - (y - y.mean()) @ (f - f.mean()) / ((f - f.mean()) @ (f - f.mean())) * (
        f - f.mean()
    )
    measured = measured.copy(data={"ice": y[:, None, None]})
    found = cg.mpra.prediction_powered(virtual, measured)
    assert not found["powered"].item()
    assert (found["lam"].item(), found["width_ratio"].item()) == (0.0, 1.0)
    assert (
        found["ace"].item() == found["classical_ace"].item() == pytest.approx(y.mean())
    )
    assert found["df"].item() == 29


def test_a_fit_and_activities_by_replicate_are_read(rng):
    virtual, measured = trial(rng)
    y = measured["ice"].values.ravel()
    fit = xr.Dataset(
        {"ace": (("element", "contrast"), np.append(y, 9.0)[:, None])},
        coords={
            "element": np.append(np.arange(40).astype(str), "n1"),
            "contrast": ["GATA1"],
            "group": ("element", ["test"] * 40 + ["negative"]),
        },
    )
    found = cg.mpra.prediction_powered(virtual, fit)
    plain = cg.mpra.prediction_powered(virtual, measured)
    assert found["se"].item() == pytest.approx(plain["se"].item(), rel=1e-12)
    assert found.attrs["controls_left_out"] == 1
    shifts = np.array([-0.5, 0.1, 0.4])
    replicates = effects(
        y[:, None] + shifts + rng.normal(0, 0.2, (40, 3)), np.arange(40), model=True
    )
    noisy = cg.mpra.prediction_powered(virtual, replicates)
    assert (
        noisy["se"].item() ** 2 > plain["se"].item() ** 2 + 0.8 * shifts.var(ddof=1) / 3
    )
    assert noisy["df"].item() < 4


def test_without_predictions_activities_are_estimated_as_the_verb_does(rng):
    virtual, _ = trial(rng)
    y = (
        rng.normal(size=(40, 1))
        + np.array([-0.5, 0.1, 0.4])
        + rng.normal(0, 0.2, (40, 3))
    )
    measured = effects(y, np.arange(40), model=True).assign_coords(
        model=["r1", "r2", "r3"]
    )
    measured.attrs |= {"assignment": "crossover", "model_is": "replicates"}
    found, wanted = cg.mpra.prediction_powered(virtual, measured), cg.estimate(measured)
    assert wanted.attrs["target"] == "population x replicates"
    for name in ("ace", "se", "lower", "upper"):
        assert found[f"classical_{name}"].item() == pytest.approx(
            wanted[name].item(), rel=1e-9
        ), name


def test_the_verbs_take_it(rng):
    virtual, measured = trial(rng)
    found = cg.mpra.prediction_powered(virtual, measured, trained_on_measured=False)
    decided = cg.decide(found, rope=(-0.1, 0.1))
    assert decided["verdict"].item() == "increases"


def test_several_contrasts_have_a_covariance(rng):
    virtual, measured = trial(rng)
    both = [
        xr.concat([one, 2 * one], dim=pd.Index(["A", "B"], name="contrast"))
        for one in (virtual, measured)
    ]
    both = [
        one.isel(contrast=0, drop=True)
        if one["ice"].dims.count("contrast") > 1
        else one
        for one in both
    ]
    found = cg.mpra.prediction_powered(
        *[one.transpose("unit", "contrast", "task") for one in both]
    )
    V = found["covariance"].isel(task=0).values
    assert V[0, 1] == pytest.approx(np.sqrt(V[0, 0] * V[1, 1]), rel=1e-10)
    assert np.diag(V) == pytest.approx(found["se"].values.ravel() ** 2, rel=1e-10)


@pytest.mark.parametrize(
    "choose", [lambda f: np.argsort(-f)[:40], lambda f: np.argsort(-abs(f - 1))[:40]]
)
def test_refuses_units_selected_by_their_prediction(rng, choose):
    virtual, _ = trial(rng)
    f = virtual["ice"].values.ravel()
    chosen = choose(f)
    measured = effects(2 * f[chosen] + rng.normal(size=40), chosen)
    with pytest.raises(EstimateError):
        cg.mpra.prediction_powered(virtual, measured)


@pytest.mark.simulation
def test_a_selection_by_one_of_several_contrasts_is_found_and_named():
    rng = np.random.default_rng(0)
    f = rng.normal(size=(500, 12))
    chosen = f[:, 7] >= np.sort(f[:, 7])[-40]
    found = random_draw_test(f[chosen], f[~chosen])
    assert (found.p < 0.001, found.contrast, found.by_spread) == (True, 7, False)
    one = random_draw_test(f[chosen][:, 7], f[~chosen][:, 7])
    assert one == random_draw_test(f[chosen][:, 7:8], f[~chosen][:, 7:8])


@pytest.mark.simulation
def test_draws_of_whole_parents_of_unequal_sizes_are_seldom_refused():
    """Measured parents have one to three units, others five: means of few units vary
    more, and that is no selection.
    """
    rng, refused, small = np.random.default_rng(8), 0, 0
    few, many = np.repeat(np.arange(20), [1, 2, 3, 1] * 5), np.repeat(np.arange(150), 5)
    for _ in range(300):
        f = rng.normal(size=20)[few] + rng.normal(size=len(few))
        rest = rng.normal(size=150)[many] + rng.normal(size=750)
        p = random_draw_test(f, rest, cluster=few, cluster_rest=many).p
        refused, small = refused + (p < 0.001), small + (p <= 0.05)
    assert refused <= 3
    assert small / 300 <= stats.binom.ppf(0.9999, 300, 0.05) / 300
    top = np.argsort(-rest.reshape(150, 5).mean(axis=1))[:20]
    chosen = np.isin(many, top)
    codes = [
        np.unique(many[side], return_inverse=True)[1] for side in (chosen, ~chosen)
    ]
    assert (
        random_draw_test(
            rest[chosen], rest[~chosen], cluster=codes[0], cluster_rest=codes[1]
        ).p
        < 0.001
    )


def test_typical_units_are_a_selection_too():
    f = np.random.default_rng(2).standard_t(3, size=600)
    typical = np.abs(f - np.median(f)) < np.quantile(np.abs(f - np.median(f)), 0.1)
    found = random_draw_test(f[typical], f[~typical])
    assert found.by_spread
    assert found.p < 0.001


def test_the_order_of_units_does_not_matter_to_the_test_of_the_draw(rng):
    f, rest = rng.normal(0.4, 1, 30), rng.normal(size=400)
    one, other = (
        random_draw_test(f, rest),
        random_draw_test(rng.permutation(f), rng.permutation(rest)),
    )
    assert one == other
    assert random_draw_test(np.ones(10), np.ones(50)).p == 1.0
    assert random_draw_test(f, rest[:5]).p <= 1.0


def check_classical(found):
    assert json.loads(found.attrs["fallback"])["GATA1"]
    assert not found["powered"].item()
    for name in ("ace", "se", "lower", "upper"):
        assert found[name].item() == found.get(f"classical_{name}", found[name]).item()


def test_rare_and_binary_outcomes_get_the_classical_interval(rng):
    f = rng.normal(size=600)
    y = (f[:40] > np.sort(f[:40])[-4]) * 1.0
    found = cg.mpra.prediction_powered(
        effects(f, np.arange(600)), effects(y, np.arange(40))
    )
    check_classical(found)


def test_skewed_predictions_and_skewed_errors_get_the_classical_interval(rng):
    f = rng.lognormal(size=900)
    y = f[:40] + rng.normal(0, 0.3, 40)
    found = cg.mpra.prediction_powered(
        effects(f, np.arange(900)), effects(y, np.arange(40))
    )
    check_classical(found)
    f = rng.normal(size=900)
    y = f[:40] + np.where(np.arange(40) == 7, 9.0, 0.0)
    found = cg.mpra.prediction_powered(
        effects(f, np.arange(900)), effects(y, np.arange(40))
    )
    check_classical(found)
    assert found["leverage"].item() > 0.5
    assert found["skewness"].item() > 2


def test_few_measured_units_get_the_classical_interval(rng):
    virtual, measured = trial(rng, n=19)
    check_classical(cg.mpra.prediction_powered(virtual, measured))
    parents = effects(rng.normal(size=600), np.arange(600), parents=np.arange(600) // 3)
    few = effects(
        2 * parents["ice"].values.ravel()[:48] + rng.normal(size=48), np.arange(48)
    )
    check_classical(cg.mpra.prediction_powered(parents, few))


def test_outcomes_without_any_spread_are_marked_exact(rng):
    found = cg.mpra.prediction_powered(
        effects(rng.normal(size=600), np.arange(600)),
        effects(np.ones(30), np.arange(30)),
    )
    assert found["exact"].item()
    check_classical(found)


def covers(found, truth):
    return abs(found.mean - truth) <= special.stdtrit(found.df, 0.975) * found.se


def band(n_trials, rows):
    tail = 0.001 / rows / 2
    return stats.binom.ppf([tail, 1 - tail], n_trials, 0.95) / n_trials


@pytest.mark.simulation
def test_covers_by_parent():
    """Fifteen measured parents with four units each: errors are by parent, of
    measurements and of predictions.
    """
    rng, n_trials, G, H = np.random.default_rng(4), 1_000, 15, 200
    few, many = np.repeat(np.arange(G), 4), np.repeat(np.arange(H), 3)
    by_parent, by_unit = [], []
    for _ in range(n_trials):
        f = rng.normal(size=G)[few] + rng.normal(size=4 * G)
        y = f + 0.5 * rng.normal(size=G)[few] + 0.5 * rng.normal(size=4 * G)
        rest = rng.normal(size=H)[many] + rng.normal(size=3 * H)
        by_parent.append(
            covers(powered_mean(y, f, rest, cluster=few, cluster_rest=many), 0.0)
        )
        by_unit.append(covers(powered_mean(y, f, rest), 0.0))
    low, high = band(n_trials, 1)
    assert low <= np.mean(by_parent) <= high
    assert np.mean(by_unit) < 0.9


@pytest.mark.parametrize("n_replicates", [3, 5])
def test_covers_with_noise_that_replicates_share(n_replicates):
    """At most 1 point above or below the band: degrees of freedom of few replicates are
    approximate.
    """
    rng, n_trials, n, N = np.random.default_rng(n_replicates), 1_000, 50, 500
    hits = []
    for _ in range(n_trials):
        f = rng.normal(size=n + N)
        shared = rng.normal(0, 0.15, n_replicates)
        y = (
            f[:n]
            + rng.normal(0, 0.4, n)
            + rng.normal(0, 0.3, (n_replicates, n))
            + shared[:, None]
        )
        hits.append(
            covers(
                add_replicate_noise(
                    powered_mean(y.mean(axis=0), f[:n], f[n:]), shared_noise(y.T)
                ),
                0.0,
            )
        )
    low, high = band(n_trials, 2)
    assert low - 0.01 <= np.mean(hits) <= high + 0.01


def test_shuffles_of_the_measured_parents_do_not_cover():
    """The refused case, on arrays: parents carry .7 of the variance, and the virtual
    units' are the measured ones.
    """
    rng, n_trials, n, each, r = np.random.default_rng(1), 700, 40, 25, 0.9
    bypassed, proper = [], []
    for _ in range(n_trials):
        parent = np.sqrt(0.7) * rng.normal(size=n)
        f = parent + np.sqrt(0.3) * rng.normal(size=n)
        y = r * f + np.sqrt(1 - r**2) * rng.normal(size=n)
        shuffles = np.repeat(parent, each) + np.sqrt(0.3) * rng.normal(size=n * each)
        bypassed.append(covers(powered_mean(y, f, shuffles), 0.0))
        proper.append(covers(powered_mean(y, f, rng.normal(size=n * each)), 0.0))
    low, high = band(n_trials, 1)
    assert low <= np.mean(proper) <= high
    assert 0.68 < np.mean(bypassed) < 0.78


def fit_of(measured: xr.Dataset) -> xr.Dataset:
    ice = measured["ice"].isel(task=0, drop=True).rename(unit="element")
    return xr.Dataset({"ace": ice, "se": xr.full_like(ice, 0.5)})


def test_measured_units_are_named_once_and_in_numbers_that_can_be_squared(rng):
    virtual, measured = trial(rng)
    fitted = fit_of(measured)
    found = cg.mpra.prediction_powered(virtual, fitted, trained_on_measured=False)
    assert found["n_units"].item() == 40


def test_contrasts_of_one_side_alone_are_noted(rng):
    virtual, measured = trial(rng)
    fitted = fit_of(measured)
    sides = [
        xr.concat([side, side.assign_coords(contrast=[name])], "contrast")
        for side, name in ((virtual, "H"), (fitted, "K"))
    ]
    found = cg.mpra.prediction_powered(*sides, trained_on_measured=False)
    assert found["contrast"].values.tolist() == ["GATA1"]
    assert len(notes_of(found)) == 1
