# Imports from the inside: the tilt, proved against a root finder and brute force.
"""The ACE as a function of the null model: against trials on the tilted null, brute
force and simulation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import optimize, stats

import causalgia as cg
from causalgia.errors import (
    EstimateError,
)
from causalgia.estimation.crossover import mean_ice
from causalgia.numerics.moments import skewness, untransformed
from causalgia.verdicts._tipping_point import (
    _cube_over_square,
    _first_changes,
    standardized,
    tilt,
    tilted_mean,
)


def outcomes_of(
    ice: np.ndarray, tasks: tuple[str, ...] = ("K562",), **on_unit: Any
) -> xr.Dataset:
    """Return outcomes of a crossover whose ICE of "word" minus "control" are given,
    (n,) or (n, tasks).
    """
    ice = ice.reshape(len(ice), -1)
    control = np.random.default_rng(99).normal(size=ice.shape)
    y = np.stack([control, control + ice], axis=1)
    coords = {
        "unit": np.arange(len(ice)),
        "arm": ["control", "word"],
        "task": list(tasks),
    }
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        coords=coords | {k: ("unit", v) for k, v in on_unit.items()},
    )


def drawn(n: int = 800, seed: int = 0, slope: float = 0.5) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    gc = rng.normal(0.45, 0.04, n)
    return outcomes_of(1 + slope * (gc - 0.45) / 0.04 + rng.normal(0, 0.3, n), gc=gc)


# --- the tilt


@pytest.mark.parametrize("shift", [-1.3, -0.2, 0.0, 0.7, 1.9])
def test_the_tilt_is_the_one_that_a_root_finder_finds(shift: float) -> None:
    z, _, _ = standardized(np.random.default_rng(1).gamma(2.0, size=300))
    shift = max(shift, z.min() + 0.05)

    def mean(exponent: float) -> float:
        w = np.exp(exponent * (z - z.max() * (exponent > 0)))
        return float(w @ z / w.sum() - shift)

    found = tilt(z, shift)
    assert found.exponent == pytest.approx(
        optimize.brentq(mean, -60, 60, xtol=1e-13), abs=1e-8
    )
    assert found.weights.sum() == pytest.approx(1)
    assert found.weights @ z == pytest.approx(shift, abs=1e-10)
    assert found.effective() == pytest.approx(
        found.weights.sum() ** 2 / (found.weights**2).sum()
    )


def test_a_covariate_of_few_values_is_tilted_up_to_its_ends() -> None:
    z, _, _ = standardized(np.r_[np.zeros(990), np.ones(10)])
    for shift in (z.min() + 1e-4, 0.05, 2.0, z.max() - 1e-3):
        assert tilt(z, shift).weights @ z == pytest.approx(shift, abs=1e-9)
    with pytest.raises(EstimateError):
        tilt(z, z.max())


def test_without_a_shift_it_is_the_mean_to_the_last_digit() -> None:
    rng = np.random.default_rng(2)
    ice, x, parent = (
        rng.gamma(1.0, size=(60, 3)),
        rng.normal(size=60),
        np.arange(60) % 17,
    )
    for cluster in (None, parent):
        found, plain = (
            tilted_mean(ice, (z := standardized(x)[0]), tilt(z, 0.0), cluster),
            mean_ice(ice, cluster),
        )
        for name in ("ace", "se", "df", "factor", "leverage"):
            np.testing.assert_allclose(
                getattr(found, name), getattr(plain, name), rtol=1e-10, atol=1e-15
            )


def by_brute_force(
    y: np.ndarray, x: np.ndarray, shift: float, weight: np.ndarray
) -> float:
    """Return the tilted mean of a sample in which unit u stands `weight[u]` times."""
    share = weight / weight.sum()
    mean = share @ x
    z = (x - mean) / np.sqrt(share @ (x - mean) ** 2)

    def moved(exponent: float) -> float:
        w = share * np.exp(exponent * z - (exponent * z).max())
        return float(w @ z / w.sum() - shift)

    w = share * np.exp(optimize.brentq(moved, -40, 40, xtol=1e-14, rtol=1e-14) * z)
    return float(w @ y / w.sum())


@pytest.mark.parametrize("shift", [-0.8, 0.4, 1.1])
@pytest.mark.parametrize("clustered", [False, True])
def test_the_error_is_the_derivative_by_the_weight_of_each_unit(
    shift: float, clustered: bool
) -> None:
    """The infinitesimal jackknife, by central differences of the whole procedure, with
    the same CR2 scale.
    """
    rng = np.random.default_rng(3)
    n = 40
    x, parent = rng.gamma(3.0, size=n), np.arange(n) % 13
    y = np.exp(0.3 * x) + rng.normal(size=n)
    z, _, _ = standardized(x)
    tilted, step, codes = tilt(z, shift), 1e-5, parent if clustered else np.arange(n)
    influence = []
    for g in range(codes.max() + 1):
        up, down = np.ones(n), np.ones(n)
        up[codes == g] += step
        down[codes == g] -= step
        influence.append(
            (by_brute_force(y, x, shift, up) - by_brute_force(y, x, shift, down))
            / (2 * step)
        )
    w = tilted.weights
    W, q = np.bincount(codes, w), np.bincount(codes, w**2)
    scaled = np.array(influence) / np.sqrt(1 - 2 * W + W**2 * (w @ w) / q)
    found = tilted_mean(y, z, tilted, parent if clustered else None)
    assert found.ace == pytest.approx(by_brute_force(y, x, shift, np.ones(n)), rel=1e-9)
    np.testing.assert_allclose(found.factor, scaled, rtol=1e-4, atol=1e-7)
    assert found.se == pytest.approx(np.sqrt((scaled**2).sum()), rel=1e-5)
    # df of the scaled residual maker of a weighted mean, as a matrix
    maker = np.zeros((len(W), n))
    for g in range(len(W)):
        maker[g] = w * (codes == g) - W[g] * w
        maker[g] /= np.sqrt(1 - 2 * W[g] + W[g] ** 2 * (w @ w) / q[g])
    P = maker @ maker.T
    assert found.df == pytest.approx(np.trace(P) ** 2 / np.trace(P @ P), rel=1e-9)


# --- against a trial on the tilted null model


def composed(gc: float, length: int = 40) -> cg.Profile:
    """Return the null model of independent bases of a GC content in steps of .01, the
    tilt of the uniform one.
    """
    n = round(gc * 100)
    column = (
        "G" * (n // 2)
        + "C" * (n - n // 2)
        + "A" * ((100 - n) // 2)
        + "T" * (100 - n - (100 - n) // 2)
    )
    return cg.Profile(of=[base * length for base in column])


def test_the_curve_is_the_ace_of_trials_on_tilted_null_models() -> None:
    """Uniform sequences tilted by GC are independent bases of another composition: the
    ACE has a closed form.
    """
    oracle = cg.zoo.Oracle(
        cg.zoo.MotifCount("GC", 1.0),
        cg.zoo.MotifCount("GAT", 1.5),
        tasks=["K562"],
        scale="log counts",
    )
    arms = {"untreated": cg.Untreated(), "word": cg.Embed("GATGATGAT", at=15)}
    outcomes = cg.run(
        cg.Design(null=cg.Uniform(length=40), arms=arms, n_units=6_000), oracle, rng=5
    )
    found = cg.tipping_point(
        outcomes, contrast="word - untreated", rope=(-1, 1)
    ).squeeze()
    sd = np.sqrt(0.25 / 40)  # of the null model, not of the sample
    checked = 0
    for gc in (0.36, 0.42, 0.46, 0.5, 0.54, 0.58, 0.64):
        truth = oracle.true_ace(
            cg.Design(null=composed(gc), arms=arms, n_units=10), control="untreated"
        ).item()
        at = (
            found.interp(shift=(gc - 0.5) / sd)[["tilted_ace", "tilted_se"]]
            if gc != 0.5
            else found.sel(shift=0)
        )
        assert abs(at["tilted_ace"].item() - truth) < 4 * at["tilted_se"].item(), gc
        assert at["tilted_se"].item() < 0.1
        checked += (
            abs(truth - found.sel(shift=0)["tilted_ace"].item())
            > 4 * at["tilted_se"].item()
        )
    assert checked >= 4  # the ACE does depend on GC


@pytest.mark.simulation
@pytest.mark.parametrize("noise", ["normal", "exponential"])
def test_intervals_cover(noise: str) -> None:
    rng, trials, hits = np.random.default_rng(11), 2_000, 0
    for _ in range(trials):
        x = rng.normal(size=400)
        e = rng.normal(size=400) if noise == "normal" else rng.exponential(size=400) - 1
        z, _, _ = standardized(x)
        found = tilted_mean(x + e, z, tilt(z, 1.0))
        a = skewness(found.factor) / np.sqrt(400)
        quantile = stats.t.ppf([0.025, 0.975], found.df)
        low, high = untransformed(quantile, np.array(a))
        hits += low <= (found.ace - 1.0) / found.se <= high
    low, high = stats.binom.ppf([5e-5, 1 - 5e-5], trials, 0.95) / trials
    # heavy weights: at least the level, a little above
    assert low <= hits / trials <= high + 0.012


# --- the verb


def test_where_the_verdict_turns_and_why() -> None:
    found = cg.tipping_point(
        drawn(), contrast="word - control", rope=(-0.5, 0.5)
    ).squeeze()
    down, up = found.sel(side="down"), found.sel(side="up")
    # ACE(s) = 1 + .5 s reaches .5 at s = -1; the verdict turns a little before
    assert down["turns"].item()
    assert -1.0 <= down["tipping_shift"].item() <= -0.8
    assert down["turns_to"].item() == "undecided"
    assert down["leaves"].item()
    assert -1.1 <= down["leaving_shift"].item() <= -0.9
    assert down["tipping_covariate"].item() == pytest.approx(
        0.45 + 0.04 * down["tipping_shift"].item(), abs=0.004
    )
    assert not up["turns"].item()
    assert up["turns_to"].item() == ""
    assert not up["leaves"].item()
    assert up["tipping_shift"].item() == found["shift"].to_numpy().max()
    assert (found["ess"] >= 50).all()
    assert found["ess"].sel(shift=0).item() == pytest.approx(800)
    np.testing.assert_allclose(
        found["odds"], np.exp(found["tilt"] * found.attrs["covariate_sd"]), rtol=1e-12
    )


def test_without_a_shift_it_is_what_decide_says() -> None:
    rng = np.random.default_rng(4)
    parent = np.repeat(np.arange(90), 4)
    ice = (
        rng.normal([1.0, 0.02], [0.5, 0.4], (360, 2))
        + rng.normal(0, 0.2, 90)[parent][:, None]
    )
    outcomes = outcomes_of(
        ice, tasks=("K562", "HepG2"), gc=rng.normal(0.5, 0.1, 360), parent=parent
    )
    found = cg.tipping_point(outcomes, contrast="word - control", rope=(-0.3, 0.3)).sel(
        shift=0
    )
    estimates = cg.estimate(cg.contrast(outcomes, contrasts="word - control"))
    decisions = cg.decide(estimates, rope=(-0.3, 0.3))
    for name in ("ace", "se", "df"):
        np.testing.assert_allclose(found[f"tilted_{name}"], estimates[name], rtol=1e-9)
    np.testing.assert_array_equal(found["tilted_verdict"], decisions["verdict"])
    assert found.attrs["cluster"] == "parent"
    assert found.attrs["n_clusters"] == 90


def test_turning_for_want_of_units() -> None:
    """An effect that does not depend on the covariate, barely beyond the ROPE: only
    precision is lost.
    """
    rng = np.random.default_rng(5)
    outcomes = outcomes_of(0.5 + rng.normal(0, 0.8, 300), gc=rng.normal(0.5, 0.1, 300))
    found = cg.tipping_point(outcomes, contrast="word - control", rope=(-0.36, 0.36))
    assert found["tilted_verdict"].sel(shift=0).item() == "increases"
    turn = found.isel(side=np.flatnonzero(found["turns"].to_numpy().ravel())[:1])
    assert turn["turns_to"].item() == "undecided"
    assert not turn["leaves"].item() or abs(turn["leaving_shift"].item()) > abs(
        turn["tipping_shift"].item()
    )


def test_what_the_analysis_stored_is_used() -> None:
    sites = cg.FunctionPredictor(
        lambda x: 2 * x[:, 1:3].mean((1, 2)) * (x[:, 0, 9] - x[:, 3, 9]), tasks=["K562"]
    )
    arms = {
        "T": cg.Embed("T", at=9),
        "A": cg.Embed("A", at=9),
        "C": cg.Embed("C", at=9),
    }
    analysis = cg.Analysis(control="T", rope=(-0.8, 0.8), ci_prob=0.9)
    outcomes = cg.run(
        cg.Design(null=cg.Uniform(length=20), arms=arms, n_units=400),
        sites,
        analysis=analysis,
        rng=0,
    )
    found = cg.tipping_point(outcomes)
    assert found["contrast"].to_numpy().tolist() == ["A", "C"]
    assert (found.attrs["ci_prob"], found["rope_upper"].values.max()) == (0.9, 0.8)
    one = cg.tipping_point(outcomes, contrast="A")
    np.testing.assert_allclose(
        one["tilted_ace"].squeeze(),
        found["tilted_ace"].sel(contrast="A").squeeze(),
        rtol=1e-12,
    )


def test_any_covariate() -> None:
    outcomes = drawn()
    values = outcomes["gc"].to_numpy()
    by_name = cg.tipping_point(outcomes, contrast="word - control", rope=(-0.5, 0.5))
    for by in (values, list(values), outcomes["gc"], lambda y: y["gc"]):
        found = cg.tipping_point(
            outcomes, contrast="word - control", rope=(-0.5, 0.5), by=by
        )
        np.testing.assert_array_equal(found["tilted_ace"], by_name["tilted_ace"])
    doubled = cg.tipping_point(
        outcomes, contrast="word - control", rope=(-0.5, 0.5), by=2 * values + 7
    )
    np.testing.assert_allclose(doubled["tilted_ace"], by_name["tilted_ace"], rtol=1e-8)
    np.testing.assert_allclose(
        doubled["tilt"] * 2, by_name["tilt"], rtol=1e-6, atol=1e-12
    )
    control = cg.tipping_point(
        outcomes,
        contrast="word - control",
        rope=(-0.5, 0.5),
        by=lambda y: y["outcome"].sel(arm="control", task="K562"),
    )
    assert control.attrs["covariate"] == "the covariate"


def test_units_of_one_effect_have_no_error_anywhere() -> None:
    outcomes = outcomes_of(
        np.full(900, 2.0), gc=np.random.default_rng(6).normal(size=900)
    )
    outcomes["outcome"][:] = np.array([0.0, 2.0])[None, :, None]
    with pytest.warns(cg.errors.DegenerateWarning):
        found = cg.tipping_point(outcomes, contrast="word - control", rope=(-1, 1.9))
    assert (found["tilted_se"] == 0).all()
    assert (found["tilted_ace"] == 2).all()
    assert (found["tilted_verdict"] == "increases").all()


def test_a_series_is_matched_by_its_units() -> None:
    outcomes = drawn()
    asked: dict[str, Any] = {"contrast": "word - control", "rope": (-0.5, 0.5)}
    gc = outcomes["gc"].to_series()
    found = cg.tipping_point(
        outcomes, by=gc.sort_values().reindex(outcomes["unit"].values), **asked
    )
    np.testing.assert_array_equal(
        found["tilted_ace"], cg.tipping_point(outcomes, **asked)["tilted_ace"]
    )
    # a table's own row numbers name no unit
    rows = outcomes.assign_coords(unit=[f"well {i}" for i in range(800)])
    np.testing.assert_array_equal(
        cg.tipping_point(rows, by=gc, **asked)["tilted_ace"], found["tilted_ace"]
    )


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_the_unit_of_the_covariate_is_of_no_matter(unit: float) -> None:
    outcomes = drawn()
    asked: dict[str, Any] = {"contrast": "word - control", "rope": (-0.5, 0.5)}
    plain, scaled = (
        cg.tipping_point(outcomes, by=outcomes["gc"].to_numpy() * factor, **asked)
        for factor in (1.0, unit)
    )
    np.testing.assert_allclose(scaled["tilted_ace"], plain["tilted_ace"], rtol=1e-9)


def test_a_region_in_sd_and_one_by_task_stay_where_they_are() -> None:
    outcomes = drawn()
    found = cg.tipping_point(outcomes, contrast="word - control", rope="0.5 sd")
    sd = outcomes["outcome"].sel(arm="control").std(ddof=1).item()
    assert found["rope_upper"].item() == pytest.approx(0.5 * sd)
    by_task = cg.tipping_point(
        outcomes, contrast="word - control", rope={"K562": (-0.5, 0.5)}
    )
    plain = cg.tipping_point(outcomes, contrast="word - control", rope=(-0.5, 0.5))
    np.testing.assert_array_equal(by_task["tilted_verdict"], plain["tilted_verdict"])


def test_effects_do_as_well_as_outcomes() -> None:
    outcomes = drawn()
    effects = cg.contrast(outcomes, contrasts="word - control")
    found = cg.tipping_point(effects, rope=(-0.5, 0.5))
    xr.testing.assert_allclose(
        found, cg.tipping_point(outcomes, contrast="word - control", rope=(-0.5, 0.5))
    )
    xr.testing.assert_identical(
        found, cg.tipping_point(effects, contrast="word - control", rope=(-0.5, 0.5))
    )


def test_a_contrast_alone_is_decided_as_in_a_family_of_one() -> None:
    """By the shorter way, which adjusts nothing."""
    outcomes = outcomes_of(
        np.random.default_rng(12).normal(0.3, 0.5, (300, 3)), tasks=("a", "b", "c")
    )
    outcomes = outcomes.assign_coords(
        gc=("unit", np.random.default_rng(13).normal(size=300))
    )
    found = cg.tipping_point(outcomes, contrast="word - control", rope=(-0.25, 0.25))
    doubled = xr.concat(
        [
            outcomes["outcome"],
            outcomes["outcome"].sel(arm=["word"]).assign_coords(arm=["again"]),
        ],
        "arm",
    )
    both = outcomes.drop_dims("arm").assign(outcome=doubled)
    contrasts = {
        "word": {"word": 1.0, "control": -1.0},
        "again": {"again": 1.0, "control": -1.0},
    }
    pair = cg.tipping_point(both, contrast=contrasts, rope=(-0.25, 0.25)).sel(
        contrast=["word"]
    )
    # two equal p-values are adjusted to themselves
    np.testing.assert_array_equal(found["tilted_verdict"], pair["tilted_verdict"])


def test_placebo_words_give_a_region_that_stays() -> None:
    arms = {
        "none": cg.Untreated(),
        "GATA1": cg.Embed("AGATAAG", at=90),
        **cg.placebos("AGATAAG", at=90, n_placebos=40),
    }
    design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=200)
    outcomes = cg.run(design, cg.zoo.oracle("gata1_like"), rng=1).sel(task=["K562"])
    effects = cg.contrast(outcomes, control="none")
    found = cg.tipping_point(effects, contrast="GATA1", rope="placebo")
    decisions = cg.decide(cg.estimate(effects), rope="placebo").sel(contrast="GATA1")
    assert found["rope_lower"].item() == pytest.approx(decisions["rope_lower"].item())
    named = cg.tipping_point(outcomes, control="none", contrast="GATA1", rope="placebo")
    assert named["rope_lower"].item() == pytest.approx(decisions["rope_lower"].item())
    assert (
        found["tilted_verdict"].sel(shift=0).item()
        == decisions["verdict"].item()
        == "increases"
    )


def test_members_of_an_ensemble_have_a_curve_each() -> None:
    outcomes = drawn()
    both = xr.concat(
        [outcomes["outcome"], outcomes["outcome"] * 2], dim="model"
    ).transpose("unit", "arm", "task", "model")
    ensemble = (
        outcomes.drop_vars("outcome")
        .assign(outcome=both)
        .assign_coords(model=["a", "b"])
    )
    found = cg.tipping_point(ensemble, contrast="word - control", rope=(-0.5, 0.5))
    assert found["tipping_shift"].dims == ("side", "contrast", "task", "model")
    first = cg.tipping_point(outcomes, contrast="word - control", rope=(-0.5, 0.5))
    np.testing.assert_allclose(
        found["tilted_ace"].sel(model="a"), first["tilted_ace"], rtol=1e-12
    )


# --- names and the picture


def test_a_control_is_named_as_in_contrast() -> None:
    outcomes = drawn()
    by_text = cg.tipping_point(outcomes, contrast="word - control", rope=(-0.5, 0.5))
    for named in ("word", ["word"], None):
        found = cg.tipping_point(
            outcomes, contrast=named, control="control", rope=(-0.5, 0.5)
        )
        assert found["contrast"].item() == "word"
        assert np.array_equal(found["tilted_ace"], by_text["tilted_ace"])


def test_q_withholds_a_verdict_beyond_the_interval() -> None:
    """Beside five contrasts on 0 the interval of a sixth lies beyond before its q."""
    rng = np.random.default_rng(6)
    y = rng.normal(size=(400, 7, 1)) + np.r_[0.0, 0.3, np.zeros(5)][:, None]
    outcomes = outcomes_of(np.zeros(400), gc=rng.normal(size=400))
    coords = {"arm": list("cabdefg"), "task": ["K562"], "gc": outcomes["gc"]}
    several = xr.Dataset({"outcome": (("unit", "arm", "task"), y)}, coords)
    found = cg.tipping_point(several, control="c", rope=0)
    beyond = found["tilted_lower"] > 0
    assert (beyond & (found["tilted_verdict"] == "undecided")).any()


def test_at_a_shift_of_0_everything_is_that_of_decide() -> None:
    """Also of 0/1 outcomes, whose interval is of the proportions of each arm."""
    rng = np.random.default_rng(11)
    y = (rng.random((300, 3, 2)) < np.array([0.1, 0.2, 0.11])[:, None]).astype(float)
    coords = {
        "arm": list("cab"),
        "task": ["K562", "HepG2"],
        "gc": ("unit", rng.normal(size=300)),
    }
    outcomes = xr.Dataset({"outcome": (("unit", "arm", "task"), y)}, coords)
    for family in (None, "task"):
        ask = cg.Analysis(control="c", rope=(-0.08, 0.08), family=family)
        planned = outcomes.assign_attrs(analysis=ask.to_json())
        found = cg.tipping_point(planned).sel(shift=0)
        estimates = cg.estimate(cg.contrast(planned))
        decided = cg.decide(estimates, rope=(-0.08, 0.08), family=family, shrink=None)
        assert "two_valued_counts" in estimates
        for name in ("ace", "lower", "upper"):
            np.testing.assert_allclose(
                found[f"tilted_{name}"], decided[name], rtol=1e-9, atol=1e-12
            )
        np.testing.assert_array_equal(found["tilted_verdict"], decided["verdict"])


def test_a_report_says_as_far_as_where_each_verdict_holds() -> None:
    rng = np.random.default_rng(3)
    gc = rng.normal(size=900)
    ice = np.stack([1 + gc, np.full(900, 2.0)], axis=1) + rng.normal(size=(900, 2)) / 9
    outcomes = outcomes_of(ice, ("HeLa", "K562"), gc=gc)
    found = cg.tipping_point(outcomes, contrast="word - control", rope=(-0.5, 0.5))
    first, *lines = str(cg.report(found, as_="md")).splitlines()
    assert first.startswith("1 of 2 verdicts holds over the whole range of gc that")
    at = found["tipping_covariate"].sel(task="HeLa", side="down").item()
    assert f"HeLa at {at:.4g}." in first
    cells = [
        [cell.strip() for cell in line.replace("−", "-").strip("|").split("|")]
        for line in lines
        if line.startswith("| ")
    ]
    table = {row[1]: dict(zip(cells[0], row, strict=True)) for row in cells[2:]}
    assert table["HeLa"]["turns to"] == "undecided below"
    assert table["K562"]["turns to"] == ""
    mean = found["covariate_mean"].to_numpy()
    for task, row in table.items():
        one = found["tilted_verdict"].sel(task=task).to_numpy().ravel()
        same = [
            f"{x:.4g}"
            for x, verdict in zip(mean, one, strict=True)
            if verdict == row["verdict"]
        ]
        assert (row["holds from"], row["to"]) == (same[0], same[-1])
    few = outcomes.isel(unit=slice(50))
    still = cg.tipping_point(few, contrast="word - control", rope=(-0.5, 0.5))
    assert still.sizes["shift"] == 1
    assert str(cg.report(still)).startswith("These units support no other mean of gc")


def test_the_picture_has_the_curve_and_the_tipping_points() -> None:
    found = cg.tipping_point(drawn(), contrast="word - control", rope=(-0.5, 0.5))
    axes = cg.plot.curve(found)
    joined = next(line for line in axes.lines if len(line.get_xdata()) > 2)
    np.testing.assert_array_equal(
        joined.get_ydata(), found["tilted_ace"].values.ravel()
    )
    dotted = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in dotted] == [
        found["tipping_shift"].sel(side="down").item()
    ]


def test_a_region_of_placebo_words_takes_one_predictor() -> None:
    rng = np.random.default_rng(0)
    names = ["word", *(f"p{i}" for i in range(40))]
    ice = rng.normal(size=(120, 41, 1, 2)) + np.linspace(0, 1, 41)[:, None, None]
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task", "model"), ice)},
        coords={
            "contrast": names,
            "task": ["K562"],
            "model": ["a", "b"],
            "gc": ("unit", rng.normal(size=120)),
        },
    ).assign_coords(is_placebo=("contrast", np.arange(41) > 0))
    with pytest.raises(EstimateError):
        cg.tipping_point(effects, contrast="word", by="gc", rope="placebo")
    cg.tipping_point(
        effects.isel(model=0, drop=True), contrast="word", by="gc", rope="placebo"
    )


def test_where_a_verdict_first_changes_on_either_side() -> None:
    values = np.array(
        [
            list("aabb"),
            list("abbb"),
            list("bbbb"),
            list("bbbb"),
            list("bbcb"),
            list("bacb"),
        ]
    )
    changes, at, new = _first_changes(values, 3)
    assert changes.tolist() == [[True, True, False, False], [False, True, True, False]]
    assert at.tolist() == [[1, 0, 0, 0], [5, 5, 4, 5]]
    assert new.tolist() == [["a", "a", "b", "b"], ["b", "a", "c", "b"]]


def test_the_cube_over_the_square_is_the_skewness_over_the_root_of_their_number() -> (
    None
):
    factor = np.random.default_rng(0).exponential(size=(30, 2)) * [1.0, -1e-170]
    expected = (factor[:, 0] ** 3).sum() / (factor[:, 0] ** 2).sum() ** 1.5
    other = factor[:, 1] * 1e170
    both = [expected, (other**3).sum() / (other**2).sum() ** 1.5]
    np.testing.assert_allclose(_cube_over_square(factor), both, rtol=1e-12)
    assert both[1] < 0
    assert _cube_over_square(np.zeros((4, 1))).tolist() == [0.0]


def test_the_curve_ends_at_three_sd_the_last_unit_or_fifty_effective_ones() -> None:
    heavy = np.repeat([-1.0, 0.0, 1.0], [100, 1_800, 100])
    outcomes = outcomes_of(np.random.default_rng(0).normal(size=2_000), gc=heavy)
    wide = cg.tipping_point(outcomes, contrast="word - control", rope=(-0.5, 0.5))[
        "shift"
    ].to_numpy()
    assert (wide[0], wide[-1]) == (-3.0, 3.0)
    np.testing.assert_allclose(np.diff(wide), wide[1] - wide[0])
    few = outcomes_of(
        np.random.default_rng(0).normal(size=400), gc=np.tile([-1.0, 1.0], 200)
    )
    ends = cg.tipping_point(few, contrast="word - control", by="gc", rope=(-0.5, 0.5))
    assert np.abs(ends["shift"]).max() < 1
    assert (ends["ess"] >= 50).all()
    z = standardized(np.random.default_rng(1).normal(size=80))[0]
    found = cg.tipping_point(
        outcomes_of(np.random.default_rng(2).normal(size=80), gc=z),
        contrast="word - control",
        rope=(-0.5, 0.5),
    )
    shifts, step = found["shift"].to_numpy(), float(np.diff(found["shift"])[0])
    assert (
        tilt(z, shifts[-1]).effective() >= 50 > tilt(z, shifts[-1] + step).effective()
    )
    assert tilt(z, shifts[0]).effective() >= 50 > tilt(z, shifts[0] - step).effective()


def test_values_by_unit_are_matched_by_their_units() -> None:
    outcomes = drawn(200)
    x = xr.DataArray(
        np.arange(200.0), dims="unit", coords={"unit": outcomes["unit"].to_numpy()}
    )
    plain = cg.tipping_point(
        outcomes, contrast="word - control", by=np.arange(200.0), rope=(-0.5, 0.5)
    )
    found = cg.tipping_point(
        outcomes, contrast="word - control", by=x, rope=(-0.5, 0.5)
    )
    np.testing.assert_array_equal(found["tilted_ace"], plain["tilted_ace"])
    cg.tipping_point(
        outcomes, contrast="word - control", by=x.drop_vars("unit"), rope=(-0.5, 0.5)
    )


@pytest.mark.parametrize("start", [-3.0, 0.0, 5.0])
def test_the_tilt_does_not_depend_on_where_its_search_begins(start: float) -> None:
    z = standardized(np.random.default_rng(1).gamma(0.3, size=300))[0]
    for shift in (0.99 * z.min(), -0.1, 0.5, 3.0):
        assert tilt(z, shift, start=start).exponent == pytest.approx(
            tilt(z, shift).exponent, rel=1e-6, abs=1e-9
        )


def test_a_function_without_a_name_has_a_label() -> None:
    outcomes = drawn(200)
    x = np.arange(200.0)

    def by_hand(y: xr.Dataset) -> np.ndarray:
        return x

    for by, label in (
        (by_hand, "by_hand"),
        (lambda y: x, "the covariate"),
        (x, "the covariate"),
    ):
        found = cg.tipping_point(
            outcomes, contrast="word - control", by=by, rope=(-0.5, 0.5)
        )
        assert found.attrs["covariate"] == label
    named = xr.DataArray(x, dims="unit", name="depth")
    found = cg.tipping_point(
        outcomes, contrast="word - control", by=named, rope=(-0.5, 0.5)
    )
    assert found.attrs["covariate"] == "depth"


@pytest.mark.simulation
@pytest.mark.parametrize("dpi", [60, 80, 200])
def test_the_picture_has_its_labels_whole(dpi, tmp_path):
    found = cg.tipping_point(
        drawn(), contrast="word - control", by="gc", rope=(-0.5, 0.5)
    )
    figure = cg.plot.curve(found).figure
    figure.savefig(tmp_path / "it.png", dpi=dpi)
    low, high = figure.get_tightbbox().y0, figure.get_tightbbox().y1
    assert 0 <= low < high <= figure.get_size_inches()[1]
