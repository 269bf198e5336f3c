"""Power, sample size and the cheapest split: against R, against simulated trials,
against brute force, at the edges.

R 4.2.2, pwr 1.3.0; tolerance 1e-7, integers equal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, strategies as st
from scipy import optimize, stats

import causalgia as cg
from causalgia.errors import (
    DecisionError,
    EstimateError,
    OutcomesError,
)
from causalgia.estimation import estimate, from_effects, variance_components
from causalgia.planning import (
    cheapest_split,
    minimal_detectable_effect,
    power,
    sample_size,
)
from causalgia.planning._cheapest_split import Prices, Sources, cheapest
from causalgia.planning.power_functions import (
    _inside_probability,
    detectable,
    least_integer,
    t_power,
    verdict_probability,
)

CASE = Path(__file__).parent / "reference" / "power"
EXPECTED = json.loads((CASE / "expected.json").read_text())


def rows(file: str, key: str) -> list[Any]:
    table = pd.read_csv(CASE / f"{file}.csv")
    return [
        pytest.param(row, theirs, id=f"{key}-{row.scenario:g}")
        for (_, row), theirs in zip(table.iterrows(), EXPECTED[key], strict=True)
    ]


@pytest.mark.parametrize(("row", "theirs"), rows("input", "paired"))
def test_paired_is_pwr(row: Any, theirs: dict[str, float]) -> None:
    level, se = 1 - row.alpha, row.sd / np.sqrt(row.n)

    def chance(n: float) -> float:
        return float(t_power(row.effect, row.sd / np.sqrt(n), n - 1, ci_prob=level))

    mine = {
        "power": chance(row.n),
        "power_one_sided": t_power(row.effect, se, row.n - 1, ci_prob=level, sides=1),
        "n_real": optimize.brentq(lambda n: chance(n) - row.power, 2, 1e9, rtol=1e-14),
        "minimal_detectable_effect": detectable(
            se, row.n - 1, power=row.power, ci_prob=level
        ),
        "power_normal": t_power(row.effect, se, np.inf, ci_prob=level),
    }
    for name, value in mine.items():
        assert value == pytest.approx(theirs[name], rel=1e-7), name


@pytest.mark.parametrize(("row", "theirs"), rows("input", "paired"))
def test_the_verbs_give_the_same_numbers(row: Any, theirs: dict[str, float]) -> None:
    level, n = 1 - row.alpha, int(row.n)
    needed = sample_size(
        sd=row.sd, true_effect=row.effect, assurance=row.power, ci_prob=level
    )
    assert needed["n_units"].item() == theirs["n_required"]
    wide = sample_size(sd=row.sd, half_width=theirs["half_width_target"], ci_prob=level)
    assert wide["n_units"].item() == theirs["n_for_half_width"]
    assert wide["half_width"].item() <= theirs["half_width_target"]
    answer = power(sd=row.sd, n_units=n, true_effect=row.effect, ci_prob=level)
    assert answer["power"].item() == pytest.approx(theirs["power"], rel=1e-7)
    assert answer["half_width"].item() == pytest.approx(theirs["half_width"], rel=1e-7)
    least = minimal_detectable_effect(
        sd=row.sd, n_units=n, power=row.power, ci_prob=level
    )
    assert least["minimal_detectable_effect"].item() == pytest.approx(
        theirs["minimal_detectable_effect"], rel=1e-7
    )


@pytest.mark.parametrize(("row", "theirs"), rows("input_parallel", "parallel"))
def test_two_arms_are_pwr(row: Any, theirs: dict[str, float]) -> None:
    se = row.sd * np.sqrt(1 / row.n_control + 1 / row.n_treated)
    mine = t_power(
        row.effect, se, row.n_control + row.n_treated - 2, ci_prob=1 - row.alpha
    )
    assert mine == pytest.approx(theirs["power"], rel=1e-7)


@pytest.mark.parametrize(("row", "theirs"), rows("input_cluster", "cluster"))
def test_clusters_cost_their_design_effect(row: Any, theirs: dict[str, float]) -> None:
    se = row.sd * np.sqrt(
        theirs["design_effect_unequal"] / (row.n_clusters * row.mean_size)
    )
    assert se == pytest.approx(theirs["se"], rel=1e-12)
    mine = t_power(row.effect, se, theirs["df"], ci_prob=1 - row.alpha)
    assert mine == pytest.approx(theirs["power"], rel=1e-7)


@pytest.mark.parametrize(("row", "theirs"), rows("input_equivalence", "equivalence"))
def test_equivalence_is_exact(row: Any, theirs: dict[str, float]) -> None:
    def chance(n: Any) -> Any:
        """TOST at alpha a side: the t interval at 1 - 2 alpha lies inside."""
        arrays = np.broadcast_arrays(
            row.true_effect,
            row.sd / np.sqrt(n),
            n - 1.0,
            row.rope_lower,
            row.rope_upper,
        )
        effect, se, df, low, high = map(np.asarray, arrays)
        reach = np.asarray(stats.t.ppf(1 - row.alpha, df))
        return _inside_probability(effect, se, se, df, (low, high), (reach, reach))

    assert chance(row.n) == pytest.approx(theirs["power"], rel=1e-7)
    assert (
        least_integer(lambda n: chance(n) >= row.power, np.array([2.0]))[0]
        == theirs["n_required"]
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
    truth = float(verdict_probability(center, spread, se, df, rope=(-0.2, 0.2)))
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
    "negligible beside rare effects": ({"rope": (-0.15, 0.15), "rare": 0.01}, 0.0),
}


@pytest.mark.long
@pytest.mark.parametrize("name", PLANNED)
def test_decide_gives_the_verdicts_that_were_promised(name: str) -> None:
    """Each contrast is a trial of one row: `decide` takes the error of each."""
    ask, effect = PLANNED[name]
    plan = sample_size(sd=1.0, true_effect=effect, **ask)
    n, n_trials = plan["n_units"].item(), 1_000
    ice = effect + np.random.default_rng(8).normal(size=(n, n_trials))
    rare = ask.get("rare", "none")
    found = cg.decide(
        estimate(effects_of(ice)), error="each", shrink=None, **{**ask, "rare": rare}
    )
    realized = float((found["verdict"] != "undecided").mean())
    error = np.sqrt(realized * (1 - realized) / n_trials)
    assert abs(realized - plan["assurance"].item()) < 0.03 + 2 * error


@pytest.mark.rotating
@pytest.mark.long
def test_a_verdict_alone_among_others_is_promised_conservatively() -> None:
    """28 other rows lie on the bound and are undecided."""
    plan = sample_size(sd=1.0, true_effect=0.0, rope=(-0.3, 0.3), n_contrasts=29)
    rng, hits = np.random.default_rng(1), 0
    center = np.r_[0.0, np.full(28, 0.3)]
    for _ in range(150):
        ice = center + rng.normal(size=(plan["n_units"].item(), 29))
        found = cg.decide(estimate(effects_of(ice)), rope=(-0.3, 0.3), shrink=None)
        hits += found["verdict"].values[0, 0] == "negligible"
    promised = plan["assurance"].item()
    assert hits / 150 > promised - 0.03 - 2 * np.sqrt(promised * (1 - promised) / 150)
    one = sample_size(sd=1.0, true_effect=0.0, rope=(-0.3, 0.3))
    assert one["n_units"].item() < plan["n_units"].item()
    assert "as one of 29 rows" in plan.attrs["question"]


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
    with pytest.raises(EstimateError, match="n_units"):
        sample_size(from_effects([1.0], se=[0.1]), half_width=0.2)
    with pytest.raises(OutcomesError):
        sample_size(3, half_width=0.2)


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
    del pilot.attrs["analysis"]
    with pytest.raises(
        EstimateError,
        match=r"no analysis that says what is contrasted; give cg.contrast\(outcomes, co",
    ):
        sample_size(pilot, half_width=0.2)
    if assignment == "crossover":
        with pytest.raises(
            EstimateError,
            match="variance components are a pilot of cg.planning.cheapest_split",
        ):
            sample_size(variance_components(effects), half_width=0.2)
        kept = pilot.assign_attrs(analysis=cg.Analysis(control="untreated").to_json())
        xr.testing.assert_identical(
            cheapest_split(kept, half_width=0.2),
            cheapest_split(effects, half_width=0.2),
        )
        with pytest.raises(EstimateError, match="keeps no analysis"):
            cheapest_split(pilot, half_width=0.2)


def test_known_errors_are_normal() -> None:
    pilot = from_effects([0.3], se=[0.1]).assign(
        n_units=(("contrast", "task"), [[100]])
    )
    assert sample_size(pilot, half_width=0.05)["n_units"].item() == np.ceil(
        (1.959963984540054 / 0.05) ** 2
    )


def test_predictors_are_a_floor() -> None:
    rng = np.random.default_rng(7)
    ice = (
        rng.normal(size=(100, 1, 1, 1))
        + rng.normal(size=(1, 1, 1, 4))
        + 0.5 * rng.normal(size=(100, 1, 1, 4))
    )
    pilot = effects_of(ice)
    plan = sample_size(pilot, half_width=3.0)
    assert plan.attrs["target"] == "population x predictors"
    with pytest.raises(
        EstimateError, match="contrast c0, task K: no number of units.*more predictors"
    ):
        sample_size(pilot, half_width=0.01)
    own = variance_components(pilot)["variance"].values.ravel()
    reached = power(pilot, n_units=100)
    by_hand = np.sqrt(own[0] / 100 + own[1] / 4 + own[2] / 400)
    assert reached["se"].item() == pytest.approx(by_hand)
    with pytest.raises(EstimateError, match="give the effects"):
        sample_size(estimate(pilot, target="population x predictors"), half_width=1.0)


@pytest.mark.rotating(6)
@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_a_pilot_whose_units_answer_alike_is_planned_by_what_was_not_drawn() -> None:
    """Of n units that all answer c, those not drawn could move the mean by s0 (L + |c|)
    with 1 - s0 = .05^(1/n): here L = |c| = .5.
    """
    pilot = effects_of(np.full(20, 0.5))
    n = sample_size(pilot, half_width=0.1)["n_units"].item()
    assert 1 - 0.05 ** (1 / n) <= 0.1 < 1 - 0.05 ** (1 / (n - 1))
    for rope, distance in (((-0.1, 0.1), 0.4), (0, 0.5), ((-0.8, 0.7), 0.2)):
        n = sample_size(pilot, rope=rope)["n_units"].item()
        assert (1 - distance) ** n <= 0.05 < (1 - distance) ** (n - 1)
        # so does decide
        for k, decided in ((n, True), (n - 1, False)):
            found = cg.decide(estimate(effects_of(np.full(k, 0.5))), rope=rope)
            assert (found["verdict"].item() != "undecided") is decided
            assert power(pilot, n_units=k, rope=rope)["power"].item() == decided
    least = minimal_detectable_effect(pilot, n_units=60)
    share = 1 - 0.05 ** (1 / 60)
    assert least["minimal_detectable_effect"].item() == pytest.approx(
        share * 0.5 / (1 - share)
    )
    with pytest.raises(EstimateError, match="end of the region"):
        sample_size(pilot, rope=(-0.1, 0.5))
    unknown = effects_of(np.zeros(20))
    with pytest.raises(EstimateError, match="how large an individual effect can be"):
        sample_size(unknown, rope=(-0.1, 0.1))


PILOT = effects_of(np.random.default_rng(0).normal(size=30))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sample_size(PILOT), "no goal is given: say half_width="),
        (lambda: sample_size(), "no goal is given: say half_width="),
        (
            lambda: sample_size(PILOT, half_width=0.1, rope=0),
            r"half_width= .* and rope= .* are two goals",
        ),
        (
            lambda: sample_size(PILOT, half_width=0.1, true_effect=1),
            r"half_width= .* and true_effect= .* are two goals",
        ),
        (
            lambda: sample_size(PILOT, sd=1.0, half_width=0.1),
            "a pilot and sd= are given",
        ),
        (lambda: sample_size(half_width=0.1), "no pilot is given; give effects"),
        (lambda: sample_size(PILOT, half_width=0), "half_width=0"),
        (lambda: sample_size(PILOT, half_width=-1.0), "half_width=-1"),
        (lambda: sample_size(PILOT, half_width=np.nan), "half_width=nan"),
        (lambda: sample_size(PILOT, half_width=0.1, ci_prob=95), "ci_prob=95"),
        (
            lambda: sample_size(PILOT, half_width=0.1, assurance=0.9),
            "assurance=, rare= and n_contrasts= are of verdicts and tests",
        ),
        (
            lambda: sample_size(PILOT, half_width=0.1, rare=0.01),
            "assurance=, rare= and n_contrasts= are of verdicts and tests",
        ),
        (
            lambda: sample_size(PILOT, half_width=0.1, n_contrasts=3),
            "half_width= asks for none of them",
        ),
        (lambda: sample_size(PILOT, rope=0, n_contrasts=0), "n_contrasts=0 is not"),
        (lambda: power(PILOT, n_units=20, n_contrasts=3), "give rope= too"),
        (lambda: power(PILOT, n_units=20, ci_prob=95), "ci_prob=95"),
        (
            lambda: sample_size(sd=1, true_effect=0.2, ci_prob=0.05),
            "not its error: give ci_prob=0.95",
        ),
        (
            lambda: power(PILOT, n_units=20, ci_prob=0.4),
            "ci_prob=0.4 is below 0.5",
        ),
        (
            lambda: minimal_detectable_effect(PILOT, n_units=20, ci_prob=0.05),
            "ci_prob=0.05",
        ),
        (lambda: t_power(0.5, 0.1, 19, ci_prob=0.05), "ci_prob=0.05"),
        (
            lambda: verdict_probability(
                0.4, 0.1, 0.1, 99, rope=(-0.2, 0.2), ci_prob=0.1
            ),
            "ci_prob=0.1",
        ),
        (lambda: detectable(0.1, 19, power=0.97, ci_prob=0.05), "ci_prob=0.05"),
        (lambda: sample_size(PILOT, rope=(0, 1), assurance=1), "assurance=1"),
        (
            lambda: sample_size(sd=1.0, rope=(-1, 1)),
            r"sd= does not tell the size of the effect; give true_effect= .* beside "
            r"sd=",
        ),
        (lambda: power(sd=1.0, n_units=20), "sd= does not tell the size of the effect"),
        (
            lambda: sample_size(sd=1.0, true_effect=0.0),
            "the effect is 0 .or too near it., which is no effect",
        ),
        (
            lambda: sample_size(sd=1.0, true_effect=0.0, rope=0),
            "the effect is 0 .or too near it., which is no effect",
        ),
        (
            lambda: sample_size(sd=1.0, true_effect=0.5, rope=(-0.5, 0.5)),
            "end of the region",
        ),
        (lambda: sample_size(sd=-1.0, true_effect=0.5), "sd=-1"),
        (lambda: sample_size(PILOT, true_effect=np.inf), "not a finite"),
        (
            lambda: sample_size(estimate(PILOT, target="units"), half_width=0.1),
            "target='units'",
        ),
        (lambda: power(PILOT, n_units=1), "at least 2"),
        (lambda: power(PILOT, n_units=2.5), "integer"),  # type: ignore[arg-type]
        (
            lambda: minimal_detectable_effect(PILOT, n_units=20, power=0.04),
            "no effect has",
        ),
    ],
)
def test_what_cannot_be_asked_names_the_cure(call: Any, words: str) -> None:
    with pytest.raises(EstimateError, match=words):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sample_size(PILOT, rope=(0.1, -0.1)), "rope=.0.1, -0.1."),
        (lambda: sample_size(PILOT, rope=0.1), "is one number; a region has two ends"),
        (lambda: power(PILOT, n_units=20, rope="0.2 sd"), "sd of the control arm"),
        (lambda: power(PILOT, n_units=20, rope={"L": (-1, 1)}), "tasks .'L'."),
        (lambda: power(PILOT, n_units=20, rope="wide"), "is not a region"),
        (lambda: power(PILOT, n_units=20, rope="placebo"), "placebos"),
        (
            lambda: sample_size(sd=1.0, true_effect=1.0, rope="0.2 sd"),
            "rope='0.2 sd' needs a pilot, which sd= is not",
        ),
        (
            lambda: sample_size(sd=1.0, true_effect=1.0, rope={"K": (-1, 1)}),
            "needs a pilot, which sd= is not",
        ),
    ],
)
def test_what_is_no_region_is_refused_as_decide_does(call: Any, words: str) -> None:
    with pytest.raises(DecisionError, match=words):
        call()


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
        alone = power(pilot.isel(task=[i]), n_units=200, rope=one[task])
        np.testing.assert_allclose(alone["power"], found["power"][:, [i]])
    assert "0.2 sd of the control arm = ±" in found.attrs["question"]
    assert "(t0)" in by_task.attrs["question"]
    assert "verdict about (0, 0)" in power(pilot, n_units=200, rope=0).attrs["question"]
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


@pytest.mark.long
@given(
    st.tuples(VARIANCES, VARIANCES, VARIANCES, VARIANCES, VARIANCES),
    st.sampled_from([0.0, 5.0, 50.0]),
    st.sampled_from([0.0, 30.0]),
    st.sampled_from([np.inf, 60.0]),
    st.sampled_from([np.inf, 10.0]),
    st.sampled_from([1, 4, 12]),
    st.sampled_from([0.4, 0.8]),
)
def test_no_split_is_cheaper_by_brute_force(
    variances: Any,
    parent: float,
    level: float,
    max_parents: float,
    max_units: float,
    max_members: int,
    half_width: float,
) -> None:
    least = 1 if max_members == 1 else 2
    sources = (
        Sources(*variances) if least > 1 else Sources(*variances[:2], 0.0, 0.0, 0.0)
    )
    prices = Prices(
        1.0, parent, level, 2.0, 0.0, max_parents, max_units, float(max_members)
    )
    found = cheapest(sources, prices, half_width, min_members=least)
    most = 400.0
    if (
        found is not None and found[0] > most
    ):  # as many parents as could be cheaper, with one unit each
        most = np.ceil(
            float(prices.price(*(np.array(float(x)) for x in found[:2]), found[2]))
            / (2 * least + parent)
        )
    p, m = np.meshgrid(
        np.arange(2.0, min(max_parents, most) + 1),
        np.arange(1.0, min(max_units, 200) + 1),
    )
    best = np.inf
    for levels in range(least, max_members + 1):
        reached = sources.half_width(p, m, levels, 0.95) <= half_width
        best = min(
            best, float(np.where(reached, prices.price(p, m, levels), np.inf).min())
        )
    if found is None:
        assert np.isinf(best)
    else:
        parents, units, levels = found
        assert (
            prices.price(np.array(float(parents)), np.array(float(units)), levels)
            == best
        )
        reached = sources.half_width(
            np.array(float(parents)), np.array(float(units)), levels, 0.95
        )
        assert reached <= half_width


def test_cochran_s_optimum_is_found() -> None:
    prices = Prices(1.0, 200.0, 0.0, 2.0, 0.0, np.inf, np.inf, 1.0)
    found = cheapest(Sources(1.0, 9.0, 0.0, 0.0, 0.0), prices, 0.05)
    assert found is not None
    assert abs(found[1] - np.sqrt(9 * 200 / 2)) < 1.5


def shared(rng: np.random.Generator, *, models: int = 1) -> xr.Dataset:
    parent = np.repeat(np.arange(60), 4)
    ice = rng.normal(size=60)[parent] + rng.normal(size=240)
    ice = (
        ice[:, None, None, None]
        + rng.normal(size=(1, 1, 1, models))
        + 0.3 * rng.normal(size=(240, 1, 1, models))
    )
    return effects_of(ice if models > 1 else ice[..., 0], parent=("unit", parent))


def test_a_split_reaches_its_half_width() -> None:
    pilot = shared(np.random.default_rng(0))
    split = cheapest_split(pilot, half_width=0.1, price_per_parent=10)
    assert split["half_width"].item() <= 0.1
    assert split["units_per_parent"].item() > 1
    p, m = split["n_parents"].item(), split["units_per_parent"].item()
    assert split["price"].item() == 2 * p * m + 10 * p
    assert split["n_predictions"].item() == 2 * p * m
    free = cheapest_split(pilot, half_width=0.1)
    assert free["units_per_parent"].item() == 1
    few = cheapest_split(pilot, half_width=0.3, max_parents=60)
    assert few["n_parents"].item() <= 60
    assert few["units_per_parent"].item() > 1


def test_predictors_are_bought_too() -> None:
    pilot = shared(np.random.default_rng(1), models=5)
    split = cheapest_split(pilot, half_width=0.5, price_per_predictor=1_000)
    n, m = split["n_units"].item(), split["n_predictors"].item()
    assert split["price"].item() == 2 * n * m + 1_000 * m
    cheap = cheapest_split(pilot, half_width=0.5)
    assert cheap["n_predictors"].item() > m
    assert cheap["n_units"].item() < n
    again = cheapest_split(variance_components(pilot), half_width=0.5)
    assert again["price"].item() == cheap["price"].item()
    with pytest.raises(EstimateError, match="contrast c0, task K.*max_predictors"):
        cheapest_split(pilot, half_width=0.1, max_predictors=3)


def test_words_are_bought_with_one_control() -> None:
    rng = np.random.default_rng(2)
    ice = (
        rng.normal(size=(100, 1))
        + rng.normal(size=(1, 25))
        + rng.normal(size=(100, 25))
    )
    effects = effects_of(ice).assign_coords(
        kind=("arm", ["untreated"] + ["fixed_placebo"] * 25)
    )
    effects["weight"] = (
        ("contrast", "arm"),
        np.column_stack([-np.ones(25), np.eye(25)]),
    )
    split = cheapest_split(effects, half_width=0.4, target="population x placebos")
    assert split["n_placebos"].item() >= 20
    assert split["n_predictions"].item() == split["n_units"].item() * (
        split["n_placebos"].item() + 1
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cheapest_split(PILOT, half_width=0), "half_width=0"),
        (
            lambda: cheapest_split(PILOT, half_width=1e-3, max_parents=10),
            "raise max_parents",
        ),
        (lambda: cheapest_split(PILOT, half_width=0.1, max_parents=1), "at least 2"),
        (
            lambda: cheapest_split(PILOT, half_width=0.1, price_per_parent=-1),
            "price_per_parent=-1",
        ),
        (
            lambda: cheapest_split(PILOT, half_width=0.1, price_per_prediction=0),
            "price_per_prediction=0",
        ),
        (
            lambda: cheapest_split(PILOT, half_width=0.1, target="units"),
            "target='units'",
        ),
        (lambda: cheapest_split(estimate(PILOT), half_width=0.1), "individual effects"),
        (
            lambda: cheapest_split(
                PILOT, half_width=0.1, target="population x placebos"
            ),
            "20 or more",
        ),
    ],
)
def test_what_cannot_be_split_names_the_cure(call: Any, words: str) -> None:
    with pytest.raises(EstimateError, match=words):
        call()


def test_the_public_names_are_these() -> None:
    assert cg.sample_size is sample_size
    assert cg.planning.power is power
    assert cg.planning.minimal_detectable_effect is minimal_detectable_effect
    assert cg.planning.cheapest_split is cheapest_split


# what no effect is on the contrast's scale


def ratios(scale: Any, *, treated: float = 30.0) -> xr.Dataset:
    rng = np.random.default_rng(1)
    y = np.array([10.0, treated]) * rng.gamma(9, 1 / 9, size=(40, 2))
    coords = {"unit": np.arange(40), "arm": ["0", "A"], "task": ["K"]}
    return cg.contrast(
        xr.Dataset({"outcome": (("unit", "arm", "task"), y[:, :, None])}, coords),
        control="0",
        scale=scale,
    )


@pytest.mark.rotating(6)
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
        )  # type: ignore[arg-type]
        np.testing.assert_allclose(mine["power"], theirs["power"], rtol=1e-6)
        mine, theirs = sample_size(ratio, **asked), sample_size(log, **on_log)  # type: ignore[arg-type]
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
    assert "verdict about (1, 1)" in power(ratio, n_units=50, rope=0).attrs["question"]


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
        )  # type: ignore[arg-type]
        np.testing.assert_allclose(mine["power"], theirs["power"], rtol=1e-9)
    mine, theirs = (minimal_detectable_effect(x, n_units=20) for x in (pilot, plain))
    np.testing.assert_allclose(
        mine["minimal_detectable_effect"], theirs["minimal_detectable_effect"]
    )


def test_impossible_ratios_are_refused() -> None:
    with pytest.raises(
        EstimateError, match="is not a ratio of means, which is above 0"
    ):
        power(ratios("ratio"), n_units=20, true_effect=0.0)
    for region, words in (((-0.1, 0.1), "1"), ((-0.1, 1.1), "not a ratio of means")):
        with pytest.raises(DecisionError, match=words):
            power(ratios("ratio"), n_units=20, true_effect=1.0, rope=region)
    rng = np.random.default_rng(6)
    y = rng.normal(1.6, 2, size=(30, 1))
    coords = {"unit": np.arange(30), "arm": ["0", "A"], "task": ["K"]}
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), np.hstack([y, 3 + y])[:, :, None])},
        coords,
    )
    with pytest.raises(
        EstimateError,
        match="contrast A.*a mean that enters the ratio is not clear of 0",
    ):
        sample_size(cg.contrast(outcomes, control="0", scale="ratio"), half_width=0.1)


def test_a_number_of_units_serves_every_contrast() -> None:
    table = from_effects([0.3, 0.1], [0.1, 0.2], names=["a", "b"])
    found = sample_size(table.assign(n_units=500), half_width=0.05)
    each = sample_size(table.assign(n_units=("contrast", [500, 500])), half_width=0.05)
    assert found["n_units"].values.tolist() == each["n_units"].values.tolist()
    assert found["n_units"].values.ravel()[0] == pytest.approx(
        500 * (1.96 * 0.1 / 0.05) ** 2, rel=0.001
    )


def test_too_narrow_a_half_width_blames_no_predictors() -> None:
    with pytest.raises(
        EstimateError, match=r"half width of 1e-07 needs more than 1e\+12 clusters"
    ):
        sample_size(sd=1.0, half_width=1e-7)


@pytest.mark.rotating(6)
def test_narrow_half_widths_are_split_as_cheaply() -> None:
    """Five predictors, twelve parents; the least price at .05 is by trying every number
    of predictors.
    """
    sources = Sources(0.35894224, 0.10092552, 1.02574352, 0.554428, 1.11206182)
    prices = Prices(1.0, 0.0, 0.0, 2.0, 0.0, np.inf, np.inf, np.inf)
    found = cheapest(sources, prices, 0.05, min_members=2)
    assert found is not None
    assert 8_931_480 <= prices.price(*map(np.float64, found)) <= 8_931_480 * 1.0001  # type: ignore[arg-type]
    narrow = cheapest(sources, prices, 1e-3, min_members=2)
    assert narrow is not None
    # beyond small numbers the price grows as the half width ** -4: parents and
    # predictors as ** -2 each
    assert prices.price(*map(np.float64, narrow)) == pytest.approx(
        8_931_480 * 50**4, rel=0.01
    )  # type: ignore[arg-type]


def test_units_far_beyond_each_are_split_as_cheaply() -> None:
    prices = Prices(1.0, 1e7, 0.0, 2.0, 0.0, np.inf, np.inf, 1.0)
    sources = Sources(1.0, 9.0, 0.0, 0.0, 0.0)
    found = cheapest(sources, prices, 0.05)
    assert found is not None
    units = np.arange(1.0, 20_000)
    best = min(
        float(prices.price(np.array(p), units[fits], 1).min())
        for p in np.arange(1_535.0, 1_580)
        if (
            fits := sources.half_width(np.full_like(units, p), units, 1, 0.95) <= 0.05
        ).any()
    )
    assert best <= prices.price(*map(np.float64, found)) <= best * 1.0001  # type: ignore[arg-type]


def test_a_split_names_variances_at_0() -> None:
    variances = xr.Dataset(
        {
            "variance": (
                ("component", "contrast", "task"),
                np.array([0.0, 1.0, 0.5]).reshape(3, 1, 1),
            )
        },
        coords={
            "component": ["background", "predictor", "residual"],
            "contrast": ["a"],
            "task": ["K"],
        },
    )
    found = cheapest_split(variances, half_width=0.5)
    assert found.attrs["at_zero"] == "background"
    assert "variance of background at 0" in found.attrs["caution"]
    assert (
        "caution"
        not in cheapest_split(
            variances.assign(variance=variances["variance"] + 0.1), half_width=0.5
        ).attrs
    )


def test_a_plan_for_a_predictor_counts_the_backgrounds_that_rare_effects_need() -> None:
    """A negligible effect is decided by less than 40 units, and by 299 where 1 % of
    backgrounds may differ: .99^299 < .05; by 634 where it is alone among 29.
    """
    pilot = effects_of(np.random.default_rng(0).normal(size=40)).assign_attrs(
        predictor_fingerprint="0123"
    )
    ask = {"true_effect": 0.0, "rope": (-0.9, 0.9)}
    assert sample_size(pilot, **ask)["n_units"].item() == 299
    assert sample_size(pilot, n_contrasts=29, **ask)["n_units"].item() == 634
    assert sample_size(pilot, rare=0.05, **ask)["n_units"].item() == 59
    assert sample_size(pilot, rare="none", **ask)["n_units"].item() < 40
    assert (
        sample_size(sd=1.0, true_effect=0.0, rope=(-0.5, 0.5))["n_units"].item() == 45
    )
    few, enough = (power(pilot, n_units=n, **ask)["power"].item() for n in (298, 299))
    assert few < 0.01
    assert enough > 0.99
    with pytest.raises(DecisionError, match="rare=2 must be a share"):
        sample_size(pilot, rare=2, **ask)


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
        assert "level" not in found.attrs
