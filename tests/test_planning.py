"""Power and sample size: against simulated trials, against brute force, at the edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import strategies as st
from scipy import stats

import causalgia as cg
from causalgia.estimation import estimate, from_effects
from causalgia.planning import (
    minimal_detectable_effect,
    power,
    sample_size,
)
from causalgia.planning.power_functions import verdict_chances


def chance(
    center: float, spread: float, se: float, df: float, rope: Any, n_rows: int = 1
) -> float:
    ends = np.zeros(()), np.zeros(())
    if rope != 0:
        ends = np.asarray(rope[0]), np.asarray(rope[1])
    return float(
        verdict_chances(
            center, spread, se, df, ends, ci_prob=0.95, n_rows=n_rows, n=np.inf
        )
    )


@pytest.mark.parametrize(
    ("center", "spread", "se", "df"),
    [(0.1, 0.1, 0.1, 5), (0.3, 0.2, 0.05, 99), (0.0, 0.05, 0.1, 2)],
)
def test_verdict_probability_is_simulated(
    center: float, spread: float, se: float, df: float
) -> None:
    rng, n = np.random.default_rng(1), 200_000
    estimates = center + spread * rng.normal(size=n)
    own = se * np.sqrt(rng.chisquare(df, n) / df)
    side = own * stats.t.ppf(0.975, df)
    beyond = (estimates - side > 0.2) | (estimates + side < -0.2)
    inside = (estimates - side > -0.2) & (estimates + side < 0.2)
    truth = chance(center, spread, se, df, (-0.2, 0.2))
    assert abs((beyond | inside).mean() - truth) < 4 * np.sqrt(truth * (1 - truth) / n)


def effects_of(ice: np.ndarray, **coords: Any) -> xr.Dataset:
    ice = ice if ice.ndim > 1 else ice[:, None]
    ice = ice[:, :, None] if ice.ndim == 2 else ice
    dims = ("unit", "contrast", "task", "model")[: ice.ndim]
    names = {"contrast": [f"c{i}" for i in range(ice.shape[1])], "task": ["K"]}
    return xr.Dataset({"ice": (dims, ice)}, coords=names | coords)


def test_power_is_simulated_power() -> None:
    rng = np.random.default_rng(3)
    pilot = effects_of(0.3 + rng.normal(size=60))
    sd = float(pilot["ice"].std("unit", ddof=1).item())
    truth = power(pilot, n_units=40, true_effect=0.4)["power"].item()
    ice = 0.4 + sd * rng.normal(size=(20_000, 40))
    t = ice.mean(axis=1) / ice.std(axis=1, ddof=1) * np.sqrt(40)
    rejected = np.abs(t) > 2.0226909
    assert abs(rejected.mean() - truth) < 4 * np.sqrt(truth * (1 - truth) / 20_000)


PLANNED: dict[str, tuple[dict[str, Any], float]] = {
    "a direction from 0": ({"rope": 0}, 0.5),
    "a direction of ten units": ({"rope": (-0.2, 0.2)}, 1.2),
    "a direction beyond a region": ({"rope": (-0.2, 0.2)}, 0.6),
    "a direction at 90 %": ({"rope": (-0.2, 0.2), "ci_prob": 0.9}, 0.5),
    "negligible": ({"rope": (-0.5, 0.5)}, 0.0),
    "negligible off the middle": ({"rope": (-0.4, 0.4)}, 0.1),
}


@pytest.mark.parametrize("name", PLANNED)
def test_decide_gives_the_verdicts_that_were_promised(name: str) -> None:
    """Each contrast is a trial of one row: `decide` takes the error of each."""
    ask, effect = PLANNED[name]
    plan = sample_size(sd=1.0, true_effect=effect, **ask)
    n, n_trials = plan["n_units"].item(), 1_000
    ice = effect + np.random.default_rng(8).normal(size=(n, n_trials))
    found = cg.decide(estimate(effects_of(ice)), error="each", shrink=None, **ask)
    realized = float((found["verdict"] != "undecided").mean())
    error = np.sqrt(realized * (1 - realized) / n_trials)
    assert abs(realized - plan["assurance"].item()) < 0.03 + 2 * error


@pytest.mark.parametrize("rope", [(-0.2, 0.2), (-0.02, 0.02), 0])
@pytest.mark.parametrize("n_rows", [1, 8, 40])
def test_a_verdict_among_rows_is_simulated(n_rows: int, rope: Any) -> None:
    """No other of K rows is named: the interval is beyond or inside, and K times the p
    of the kind is at most .05: of a negligible the larger of two, of a direction the
    sum against both ends.
    """
    rng, n, df = np.random.default_rng(1), 200_000, 30
    low, high = (0.0, 0.0) if rope == 0 else rope
    for center, se in ((0.45, 0.07), (-0.1, 0.04), (0.02, 0.05)):
        effect = center + se * rng.normal(size=n)
        own = se * np.sqrt(rng.chisquare(df, n) / df)
        to_low, to_high = (stats.t.sf((effect - x) / own, df) for x in (low, high))
        above, below = to_low + to_high, 2 - to_low - to_high
        inside = np.maximum(to_low, 1 - to_high) if low < high else np.ones(n)
        named = (np.minimum(to_high, 1 - to_low) <= 0.025) & (
            np.minimum(above, below) <= 0.05 / n_rows
        )
        named |= (inside <= 0.025) & (inside <= 0.05 / n_rows)
        truth = chance(center, se, se, df, rope, n_rows)
        error = np.sqrt(truth * (1 - truth) / n)
        # the width of the region in standard errors is taken at the true error
        assert abs(named.mean() - truth) < 4 * error + 2e-3


@pytest.mark.simulation
@pytest.mark.parametrize("n_rows", [8, 40])
@pytest.mark.parametrize(("effect", "others"), [(0.6, 0.0), (0.6, 0.3), (0.0, 0.3)])
def test_the_assurance_holds_among_rows(
    n_rows: int, effect: float, others: float
) -> None:
    """One row has an effect; the others have none, or lie on the bound and are open to
    both kinds.
    """
    rng, center = np.random.default_rng(1), np.r_[effect, np.full(n_rows - 1, others)]
    pilot = effects_of(center + rng.normal(size=(300, n_rows)))
    ask: dict[str, Any] = {"rope": (-0.3, 0.3), "true_effect": effect}
    plan = sample_size(pilot, **ask)
    assert plan.attrs["n_contrasts"] == n_rows
    n, trials = int(plan["n_units"].max()), 400
    wanted, hits = "negligible" if effect == 0 else "increases", 0
    for _ in range(trials):
        trial = estimate(effects_of(center + rng.normal(size=(n, n_rows))))
        found = cg.decide(trial, rope=(-0.3, 0.3), shrink=None)
        hits += found["verdict"].values[0, 0] == wanted
    assert hits / trials > 0.8 - 3 * np.sqrt(0.8 * 0.2 / trials)


def test_a_pilot_plans_its_own_rows() -> None:
    """Placebos are not counted, a table of two tasks has twice the rows, and what is
    stated stands.
    """
    ice = np.random.default_rng(0).normal(size=(50, 4))
    word = ("contrast", [False, False, False, True])
    pilot = effects_of(ice, is_placebo=word)
    ask: dict[str, Any] = {"rope": (-0.3, 0.3), "true_effect": 0.0}
    found = sample_size(pilot, **ask)
    assert found.attrs["n_contrasts"] == 3
    alone = [
        sample_size(pilot, n_contrasts=k, **ask)["n_units"].values.ravel()
        for k in (3, 1)
    ]
    assert found["n_units"].values.ravel().tolist() == [*alone[0][:3], alone[1][3]]
    assert (alone[0] > alone[1]).all()
    two = xr.concat([pilot, pilot.assign_coords(task=["L"])], "task")
    assert power(two, n_units=90, **ask).attrs["n_contrasts"] == 6
    assert sample_size(pilot, true_effect=0.5).attrs["n_contrasts"] == 1


def test_placebos_of_a_pilot_are_no_rows_of_a_report() -> None:
    """One effect beside 40 placebos that need far more units is reported alone."""
    rng = np.random.default_rng(2)
    ice = rng.normal(size=(200, 41)) * np.r_[1.0, np.full(40, 3.0)] + 0.5
    word = ("contrast", [False, *[True] * 40])
    found = sample_size(estimate(effects_of(ice, is_placebo=word)), rope=(-0.1, 0.1))
    n = found["n_units"].values.ravel()
    assert n[0] < n[1:].min()
    (said, *rest) = str(cg.report(found)).splitlines()
    assert said.startswith(f"{n[0]:,} units ")
    assert "±0.1" in said
    assert len(rest) == 2  # no table


def test_a_plan_says_what_it_is_for_in_types() -> None:
    verdict = sample_size(sd=1.0, rope=(-0.5, 0.5), true_effect=0.0)
    assert (verdict.attrs["goal"], verdict.attrs["true_effect"]) == ("verdict", 0.0)
    assert [verdict[f"rope_{end}"].item() for end in ("lower", "upper")] == [-0.5, 0.5]
    goals = [
        sample_size(sd=1.0, half_width=0.25),
        power(sd=1.0, n_units=20, true_effect=0.5),
        minimal_detectable_effect(sd=1.0, n_units=20),
    ]
    assert [x.attrs["goal"] for x in goals] == [
        *("half width", "effect", "smallest effect")
    ]


@pytest.mark.parametrize("rope", [None, (-0.3, 0.3)])
def test_assurance_averages_over_effect_and_sd(rope: Any) -> None:
    """Draw sd and effect from the reference posterior, then trials from them; 400
    units, where the interval is hardly wider than the t interval.
    """
    rng, n = np.random.default_rng(4), 100_000
    pilot = effects_of(0.4 + rng.normal(size=12))
    table = estimate(pilot)
    ace, se = table["ace"].item(), table["se"].item()
    scale = np.sqrt(11 / rng.chisquare(11, n))
    delta, new = ace + se * scale * rng.normal(size=n), scale * se * np.sqrt(12 / 400)
    found, own = (
        delta + new * rng.normal(size=n),
        new * np.sqrt(rng.chisquare(399, n) / 399),
    )
    margin = stats.t.ppf(0.975, 399) * own
    half = 0.0 if rope is None else 0.3
    hit = (np.abs(found) - margin > half) | (np.abs(found) + margin < half)
    mine = power(pilot, n_units=400, rope=rope)["power"].item()
    assert abs(hit.mean() - mine) < 4 * np.sqrt(mine * (1 - mine) / n)


def test_a_trial_of_the_stated_size_has_the_stated_half_width() -> None:
    rng = np.random.default_rng(5)
    parent = np.repeat(np.arange(80), 5)
    pilot = effects_of(
        rng.normal(size=80)[parent] + rng.normal(size=400), parent=("unit", parent)
    )
    plan = sample_size(pilot, half_width=0.1)
    assert plan["n_units"].item() == 5 * plan["n_clusters"].item()
    assert plan["half_width"].item() <= 0.1
    widths = []
    for _ in range(20):
        g = plan["n_clusters"].item()
        of = np.repeat(np.arange(g), 5)
        trial = estimate(
            effects_of(
                rng.normal(size=g)[of] + rng.normal(size=5 * g), parent=("unit", of)
            )
        )
        widths.append((trial["upper"] - trial["lower"]).item() / 2)
    pilots_error = 1 / np.sqrt(2 * 79)
    assert abs(np.mean(widths) / 0.1 - 1) < 4 * pilots_error


def test_one_unit_fewer_does_not_reach_it() -> None:
    pilot = effects_of(np.random.default_rng(0).normal(size=(200, 3)))
    plan = sample_size(pilot, half_width=0.05)
    sd = pilot["ice"].std("unit", ddof=1).to_numpy()
    n = plan["n_units"].to_numpy()

    def half_width(n: Any) -> Any:
        return stats.t.ppf(0.975, n - 1) * sd / np.sqrt(n)

    assert (half_width(n) <= 0.05).all()
    assert (half_width(n - 1) > 0.05).all()
    np.testing.assert_allclose(plan["half_width"], half_width(n))


def test_the_assurance_is_reached_and_grows() -> None:
    pilot = effects_of(0.15 + np.random.default_rng(0).normal(size=(100, 2)))
    plan = sample_size(pilot, rope=(-0.1, 0.1), assurance=0.7)
    assert (plan["assurance"] >= 0.7).all()
    more = sample_size(pilot, rope=(-0.1, 0.1), assurance=0.9)
    assert (more["n_units"] > plan["n_units"]).all()
    again = power(pilot, n_units=int(plan["n_units"].max()), rope=(-0.1, 0.1))
    assert (again["power"] >= 0.7 - 1e-9).all()


def test_a_pilot_may_be_effects_estimates_or_a_table() -> None:
    pilot = effects_of(0.2 + np.random.default_rng(0).normal(size=(50, 2)))
    table = estimate(pilot)
    frame = pd.DataFrame(
        {
            "effect": table["ace"].values[:, 0],
            "se": table["se"].values[:, 0],
            "df": 49.0,
            "n_units": 50,
        },
        index=["c0", "c1"],
    )
    answers = [
        sample_size(given, half_width=0.2)["n_units"].values.ravel()
        for given in (pilot, table, frame)
    ]
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])


@pytest.mark.parametrize("assignment", ["crossover", "parallel"])
def test_a_pilot_may_be_outcomes_that_keep_an_analysis(assignment: Any) -> None:
    arms = {
        "untreated": cg.Untreated(),
        "G": cg.Embed("GGGGGGG", at=10),
        "C": cg.Embed("CCCCCCC", at=10),
    }
    design = cg.Design(
        null=cg.Uniform(length=40), arms=arms, n_units=60, assignment=assignment
    )
    count = cg.FunctionPredictor(lambda x: x[:, 2].sum(1), tasks=["G"], scale="count")
    pilot = cg.run(design, count, rng=0, analysis=cg.Analysis(control="untreated"))
    effects = cg.contrast(pilot, control="untreated")
    xr.testing.assert_identical(
        sample_size(pilot, half_width=0.2), sample_size(effects, half_width=0.2)
    )
    xr.testing.assert_identical(
        power(pilot, n_units=50, true_effect=0.3),
        power(effects, n_units=50, true_effect=0.3),
    )
    found = minimal_detectable_effect(pilot, n_units=50)
    xr.testing.assert_identical(found, minimal_detectable_effect(effects, n_units=50))


def test_known_errors_are_normal() -> None:
    pilot = from_effects([0.3], se=[0.1]).assign(
        n_units=(("contrast", "task"), [[100]])
    )
    assert sample_size(pilot, half_width=0.05)["n_units"].item() == np.ceil(
        (1.959963984540054 / 0.05) ** 2
    )


@pytest.mark.parametrize("shared", [False, True])
def test_predictors_are_a_floor(shared: bool) -> None:
    """A trial as large as its pilot, with as many parents, has the pilot's error."""
    rng = np.random.default_rng(7)
    ice = (
        rng.normal(size=(100, 1, 1, 1))
        + rng.normal(size=(1, 1, 1, 4))
        + 0.5 * rng.normal(size=(100, 1, 1, 4))
    )
    parent = np.arange(100) // 4 if shared else np.arange(100)
    ice += rng.normal(size=(100, 1, 1, 4))[parent] + rng.normal(size=100)[
        parent
    ].reshape(-1, 1, 1, 1)
    pilot = effects_of(ice, parent=("unit", parent))
    plan = sample_size(pilot, half_width=3.0)
    assert plan.attrs["target"] == "population x predictors"
    theirs = estimate(pilot, target="population x predictors")
    reached = power(pilot, n_units=100)["se"].item()
    assert reached == pytest.approx(theirs["se"].item())
    floor = power(pilot, n_units=10**8)["se"].item()
    between = ice[:, 0, 0].mean(axis=0).var(ddof=1) / 4
    assert 0.9 * between < floor**2 < between


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_a_pilot_whose_units_answer_alike_is_planned_to_do_so() -> None:
    pilot = effects_of(np.full(20, 0.5))
    assert sample_size(pilot, half_width=0.1)["n_units"].item() == 2
    for rope in ((-0.1, 0.1), 0, (-0.8, 0.7)):
        assert sample_size(pilot, rope=rope)["n_units"].item() == 2
        assert power(pilot, n_units=9, rope=rope)["power"].item() == 1
    least = minimal_detectable_effect(pilot, n_units=60)
    assert least["minimal_detectable_effect"].item() == 0


PILOT = effects_of(np.random.default_rng(0).normal(size=30))


def outcomes_of(tasks: int, n: int = 60) -> xr.Dataset:
    y = np.random.default_rng(2).normal([[0.0], [0.4]], size=(n, 2, tasks))
    y[..., 1:] *= 3
    coords = {"arm": ["0", "A"], "task": [f"t{i}" for i in range(tasks)]}
    return xr.Dataset({"outcome": (("unit", "arm", "task"), y)}, coords)


@pytest.mark.parametrize("kind", ["effects", "estimates"])
def test_every_form_of_region_is_planned(kind: str) -> None:
    effects = cg.contrast(outcomes_of(2), control="0")
    pilot = effects if kind == "effects" else estimate(effects)
    sd = effects["control_sd"].values.ravel()
    found = power(pilot, n_units=200, rope="0.2 sd")
    one = {"t0": (-0.2 * sd[0], 0.2 * sd[0]), "t1": (-0.2 * sd[1], 0.2 * sd[1])}
    by_task = power(pilot, n_units=200, rope=one)
    np.testing.assert_allclose(found["power"], by_task["power"])
    for i, task in enumerate(one):
        own = pilot.isel(task=[i])
        alone = power(own, n_units=200, rope=one[task], n_contrasts=2)
        np.testing.assert_allclose(alone["power"], found["power"][:, [i]])
    assert sample_size(pilot, rope="0.2 sd")["n_units"].shape == (1, 2)


def test_a_region_in_sd_is_planned_over_predictors() -> None:
    y = np.random.default_rng(3).normal(size=(40, 2, 1, 3))
    coords = {"arm": ["0", "A"], "task": ["K"]}
    outcomes = xr.Dataset({"outcome": (("unit", "arm", "task", "model"), y)}, coords)
    effects = cg.contrast(outcomes, control="0")
    found = power(effects, n_units=200, rope="0.5 sd", true_effect=0.0)
    sd = float(np.sqrt((effects["control_sd"] ** 2).mean()))
    plain = power(effects, n_units=200, rope=(-sd / 2, sd / 2), true_effect=0.0)
    np.testing.assert_allclose(found["power"], plain["power"], rtol=1e-9)


VARIANCES = st.sampled_from([0.0, 0.02, 0.3, 1.0, 4.0])


def shared(rng: np.random.Generator, *, models: int = 1) -> xr.Dataset:
    parent = np.repeat(np.arange(60), 4)
    ice = rng.normal(size=60)[parent] + rng.normal(size=240)
    ice = (
        ice[:, None, None, None]
        + rng.normal(size=(1, 1, 1, models))
        + 0.3 * rng.normal(size=(240, 1, 1, models))
    )
    return effects_of(ice if models > 1 else ice[..., 0], parent=("unit", parent))


def ratios(scale: Any, *, treated: float = 30.0) -> xr.Dataset:
    rng = np.random.default_rng(1)
    y = np.array([10.0, treated]) * rng.gamma(9, 1 / 9, size=(40, 2))
    coords = {"unit": np.arange(40), "arm": ["0", "A"], "task": ["K"]}
    return cg.contrast(
        xr.Dataset({"outcome": (("unit", "arm", "task"), y[:, :, None])}, coords),
        control="0",
        scale=scale,
    )


@pytest.mark.parametrize("kind", ["effects", "estimates"])
def test_a_ratio_is_planned_about_1_as_its_logarithm_is_about_0(kind: str) -> None:
    ratio, log = (
        ratios(s) if kind == "effects" else estimate(ratios(s))
        for s in ("ratio", "log_of_means")
    )
    assert power(ratio, n_units=50, true_effect=1.0)["power"].item() == pytest.approx(
        0.05, abs=1e-9
    )
    for asked, on_log in (
        ({"true_effect": 1.2}, {"true_effect": np.log(1.2)}),
        (
            {"true_effect": 1.0, "rope": (0.8, 1.25)},
            {"true_effect": 0.0, "rope": (np.log(0.8), np.log(1.25))},
        ),
        ({"rope": (0.8, 2.5)}, {"rope": (np.log(0.8), np.log(2.5))}),
        ({"rope": 0}, {"rope": 0}),
    ):
        mine, theirs = (
            power(ratio, n_units=90, **asked),
            power(log, n_units=90, **on_log),
        )
        np.testing.assert_allclose(mine["power"], theirs["power"], rtol=1e-6)
        mine, theirs = sample_size(ratio, **asked), sample_size(log, **on_log)
        assert mine["n_units"].item() == theirs["n_units"].item()
    mine, theirs = (minimal_detectable_effect(x, n_units=90) for x in (ratio, log))
    np.testing.assert_allclose(
        mine["minimal_detectable_effect"], np.expm1(theirs["minimal_detectable_effect"])
    )
    found = sample_size(ratio, half_width=0.5)
    whole = estimate(ratios("ratio"))
    np.testing.assert_allclose(
        found["half_width"], 2 * whole["se"] * np.sqrt(40 / found["n_units"]), rtol=0.05
    )


def test_a_difference_about_1_is_planned_about_1() -> None:
    pilot = (
        from_effects([1.4], [0.1], df=[29])
        .assign_attrs(null_value=1.0)
        .assign(n_units=30)
    )
    plain = from_effects([0.4], [0.1], df=[29]).assign(n_units=30)
    for asked, about_0 in (
        ({"true_effect": 1.2}, {"true_effect": 0.2}),
        ({"rope": (0.9, 1.1)}, {"rope": (-0.1, 0.1)}),
        ({}, {}),
    ):
        mine, theirs = (
            power(pilot, n_units=20, **asked),
            power(plain, n_units=20, **about_0),
        )
        np.testing.assert_allclose(mine["power"], theirs["power"], rtol=1e-9)
    mine, theirs = (minimal_detectable_effect(x, n_units=20) for x in (pilot, plain))
    np.testing.assert_allclose(
        mine["minimal_detectable_effect"], theirs["minimal_detectable_effect"]
    )


def test_a_number_of_units_serves_every_contrast() -> None:
    table = from_effects([0.3, 0.1], [0.1, 0.2], names=["a", "b"])
    found = sample_size(table.assign(n_units=500), half_width=0.05)
    each = sample_size(table.assign(n_units=("contrast", [500, 500])), half_width=0.05)
    assert found["n_units"].values.tolist() == each["n_units"].values.tolist()
    assert found["n_units"].values.ravel()[0] == pytest.approx(
        500 * (1.96 * 0.1 / 0.05) ** 2, rel=0.001
    )


def test_a_verdict_on_drawn_backgrounds_has_300_of_them() -> None:
    """.99^300 < .05; real sequences and measured activities are what they are."""
    pilot = effects_of(np.random.default_rng(0).normal(size=40))
    drawn = pilot.assign_attrs(predictor_fingerprint="0123", null_kind="uniform")
    ask: dict[str, Any] = {"true_effect": 0.0, "rope": (-0.9, 0.9)}
    found = sample_size(drawn, **ask)
    assert found["n_units"].item() == 300
    assert found.attrs["least_clusters"] == 300
    assert found["assurance"].item() > 0.99
    few = sample_size(pilot, **ask)
    assert few["n_units"].item() < 40
    assert "least_clusters" not in few.attrs
    for other in (
        pilot.assign_attrs(null_kind="uniform"),
        drawn.assign_attrs(null_kind="genomic"),
    ):
        xr.testing.assert_equal(sample_size(other, **ask), few)
    assert sample_size(drawn, half_width=0.9)["n_units"].item() < 40
    more = {**ask, "rope": (-0.1, 0.1)}
    xr.testing.assert_equal(sample_size(drawn, **more), sample_size(pilot, **more))


def test_intervals_and_verdicts_have_one_probability() -> None:
    settings = {"sd": 1.0, "n_units": 20, "true_effect": 0.5}
    usual, strict = power(**settings), power(ci_prob=0.99, **settings)  # type: ignore[arg-type]
    assert strict["power"].item() < usual["power"].item()
    # t at 0.995, df 19
    assert strict["half_width"].item() == pytest.approx(2.86093461 / np.sqrt(20))
    narrow = sample_size(sd=1.0, half_width=0.25, ci_prob=0.5)
    assert (
        narrow["n_units"].item()
        < sample_size(sd=1.0, half_width=0.25)["n_units"].item()
    )
    for found in (narrow, usual, minimal_detectable_effect(sd=1.0, n_units=20)):
        assert "ci_prob" in found.attrs
