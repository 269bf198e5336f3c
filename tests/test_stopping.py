# Imports from the inside: bounds of a confidence sequence of arrays, against simulation.
"""Rules that end a trial: the bounds against simulation, the looks against the whole
trial.
"""

from __future__ import annotations

import copy
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia import store
from causalgia.errors import (
    DegenerateWarning,
    EstimateError,
)
from causalgia.stopping._confidence_sequence import (
    is_monitored,
    sequence_critical,
    unseen_share,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from validation import sequential

VALIDATION = Path(__file__).resolve().parents[1] / "docs" / "validation_rows.tsv"
ARMS = {
    "untreated": cg.Untreated(),
    "placebo": cg.Placebo("AGATAAG", at=20),
    "GATA1": cg.Embed("AGATAAG", at=20),
}


def oracle():
    """How many G are where: effects that are hardly skewed."""
    places = np.linspace(0.5, 1.5, 60)
    return cg.FunctionPredictor(
        lambda x: (x[:, 2] * places).sum(1), tasks=["G"], scale="sum of places"
    )


def trial(**changes) -> cg.Design:
    return cg.Design(
        **{"null": cg.Uniform(length=60), "arms": ARMS, "n_units": 1_500, **changes}
    )


def outcomes_of(ice: np.ndarray, **coords) -> xr.Dataset:
    """Outcomes of two arms whose difference is the given effect of each unit."""
    y = np.stack([np.zeros_like(ice), ice], axis=1)[..., None]
    units = {"unit": np.arange(len(ice)), "arm": ["control", "treated"], "task": ["y"]}
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)}, coords={**units, **coords}
    )


# the bounds


def test_the_sequence_is_as_much_wider_as_is_said():
    one_look = stats.norm.ppf(0.975)
    assert sequence_critical(100, alpha=0.05) / one_look == pytest.approx(
        1.549, abs=5e-4
    )
    assert sequence_critical(1_000, alpha=0.05) / one_look == pytest.approx(
        1.654, abs=5e-4
    )


def test_the_sequence_is_shortest_where_it_starts():
    """Its width at `min_clusters`, among all mixtures: the derivative in rho is 0
    there.
    """

    def critical(r):
        return np.sqrt(2 * (r + 1) / r * np.log(np.sqrt(r + 1) / 0.05))

    grid = np.linspace(1, 40, 20_001)
    assert sequence_critical(100, alpha=0.05) == pytest.approx(
        critical(grid).min(), rel=5e-4
    )


def test_brownian_motion_leaves_the_sequence_at_most_as_often_as_nominal():
    """Ville's inequality, on 4,000 paths of 100 to 20,000 clusters, at every 5 %."""
    rng = np.random.default_rng(1)
    n = np.unique(np.geomspace(100, 20_000, 110).astype(int))
    steps = rng.standard_normal((4_000, len(n))) * np.sqrt(np.diff(n, prepend=0))
    z = np.abs(np.cumsum(steps, axis=1)) / np.sqrt(n)
    crossed = (z > sequence_critical(n, alpha=0.1)).any(axis=1).mean()
    assert crossed <= 0.1 + 4 * np.sqrt(0.1 * 0.9 / 4_000)
    assert crossed > 0.01  # no bound that could never fail
    # what looking costs without it
    assert (z > stats.norm.ppf(0.95)).any(axis=1).mean() > 0.3


def draws(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if kind == "exponential":
        return rng.exponential(size=shape) - 1
    if kind == "lognormal":
        return np.exp(rng.standard_normal(shape)) - np.exp(0.5)
    if kind == "rare":
        return (rng.random(shape) < 0.03) - 0.03
    return rng.standard_normal(shape)


@pytest.mark.simulation
@pytest.mark.parametrize("kind", ["normal", "exponential", "lognormal", "rare"])
def test_decided_raises_no_more_false_alarms_than_nominal(kind):
    """An effect of 0, of which the direction alone is asked, up to 4,000 clusters;
    one-sided binomial band.
    """
    setting = sequential.at_zero(lambda rng, shape: draws(kind, shape, rng))
    trials = sequential.false_verdicts(
        setting, sequential.by_rule(sequential.RULE), sequential.LOOKS
    )
    alarmed = trials(np.random.default_rng(7), 1_500)
    assert alarmed.sum() <= stats.binom.ppf(1 - 1e-4, 1_500, 0.05)


# the rules


@pytest.mark.simulation
def test_looks_on_units_of_shared_parents_count_the_parents():
    """120 parents that differ, 20 units of each: who counts units is sure of the mean
    of these parents.
    """
    rng, alarms, naive, n_trials = np.random.default_rng(5), 0, 0, 60
    for _ in range(n_trials):
        parents = np.arange(2_400) % 120
        ice = rng.standard_normal(120)[parents] + 0.3 * rng.standard_normal(2_400)
        rule = cg.Decided(rope=0, ci_prob=0.9)
        for n in (120, 600, 2_400):
            clustered = outcomes_of(ice[:n], parent=("unit", parents[:n]))
            look = rule.look(clustered)
            assert look.record["n_clusters"] == 120
            if look.stop:
                alarms += 1
                break
        naive += rule.look(outcomes_of(ice)).stop
    assert alarms <= stats.binom.ppf(1 - 1e-4, n_trials, 0.1)
    assert naive > n_trials / 3


def test_a_look_reports_the_intervals_of_its_rule():
    ice = np.random.default_rng(0).standard_normal(400)
    assert_sequence(cg.Decided(rope=0), ice, np.abs(ice).max())
    assert_sequence(cg.Decided(rope=0, largest=9), ice, 9.0)
    assert_sequence(cg.Decided(rope=0, largest=0.1), ice, np.abs(ice).max())


def assert_sequence(rule: cg.Decided, ice: np.ndarray, largest: float) -> None:
    unseen = -np.log(0.05) / 400 * largest
    lower, upper = sequential.confidence_sequence(
        ice.mean(), ice.std(ddof=1), 400, ci_prob=0.95, min_clusters=300, unseen=unseen
    )
    look = rule.look(outcomes_of(ice))
    np.testing.assert_allclose(
        [look.record["lower"].item(), look.record["upper"].item()], [lower, upper]
    )


def test_the_error_is_shared_over_contrasts_and_tasks_but_not_over_placebo_words():
    rng = np.random.default_rng(0)
    y = rng.standard_normal((200, 4, 2))
    kinds = ["untreated", "embed", "embed", "fixed_placebo"]
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        coords={"arm": list("abcd"), "task": ["x", "y"], "kind": ("arm", kinds)},
    )
    record = cg.Decided(rope=0, min_clusters=100).look(outcomes).record
    effects = cg.contrast(outcomes, control="a")
    unseen = unseen_share(200, alpha=0.05 / 4) * np.abs(effects["ice"]).max(
        ["unit", "contrast"]
    )
    critical = ((record["upper"] - record["lower"]) / 2 - unseen) / cg.estimate(
        effects
    )["se"]
    np.testing.assert_allclose(
        critical, sequence_critical(200, alpha=0.05 / 4, min_clusters=100)
    )
    far = outcomes.assign(
        outcome=outcomes["outcome"] + [0, 9, -9, 0] * xr.ones_like(outcomes["arm"], int)
    )
    # the word is nowhere near decided
    assert cg.Decided(rope=0, min_clusters=100).look(far).stop


@pytest.mark.parametrize(("shift", "rope", "stops"), [
    (3.0, (-0.5, 0.5), True), (-3.0, (-0.5, 0.5), True), (0.0, (-0.5, 0.5), True), (0.5, (-0.5, 0.5), False),
    (0.0, 0, False), (3.0, 0, True),
])  # fmt: skip
def test_decided_asks_for_above_below_or_inside(shift, rope, stops):
    z = stats.norm.ppf((np.arange(1_000) + 0.5) / 1_000)
    assert cg.Decided(rope=rope).look(outcomes_of(z + shift)).stop is stops


def test_skewed_effects_wait():
    ice = np.random.default_rng(2).exponential(size=1_000) ** 2 + 5
    early = cg.Decided(rope=0).look(outcomes_of(ice[:100]))
    needed = int(np.ceil(25 * stats.skew(ice[:100]) ** 2))
    assert not early.stop
    assert early.words == (
        f"undecided: 100 clusters of the {needed:,} needed because of the skewness "
        "of 'treated'"
    )


# effects on few backgrounds


def test_no_verdict_before_300_clusters():
    """From these an effect on 1 % of backgrounds is absent with probability .05."""
    assert 0.99**300 <= 0.05
    nothing = outcomes_of(np.zeros(299))
    assert not cg.Decided(rope=(-0.1, 0.1)).look(nothing).stop
    assert cg.Decided(rope=(-0.1, 0.1)).look(outcomes_of(np.zeros(300))).stop
    # a direction waits as well
    assert not cg.Decided(rope=0).look(outcomes_of(np.ones(299))).stop
    assert cg.Decided(rope=0).look(outcomes_of(np.ones(300))).stop


def test_the_share_that_is_named_is_the_one_that_the_first_look_rules_out():
    for rule, n, share in [
        (cg.Decided(rope=(-1, 1)), 300, "0.99 %"),
        (cg.Decided(rope=(-1, 1), min_clusters=100), 100, "3 %"),
        (cg.Decided(rope=(-1, 1), min_clusters=1_000), 1_000, "0.3 %"),
    ]:
        assert rule.schedule(9_999)[0] == n
        assert f" {share} " in rule.look(outcomes_of(np.zeros(n))).words


def test_what_was_met_in_one_arm_widens_the_interval_of_another():
    """An arm with nothing at all beside one whose effect is 5 somewhere: 3 / n of 5
    could be missed.
    """
    y = np.zeros((400, 3, 1))
    y[:, 2, 0] = np.random.default_rng(0).normal(size=400).clip(-5, 5)
    y[7, 2, 0] = -5
    names = {"unit": np.arange(400), "arm": ["none", "nothing", "much"], "task": ["y"]}
    outcomes = xr.Dataset({"outcome": (("unit", "arm", "task"), y)}, coords=names)
    record = cg.Decided(rope=(-1, 1)).look(outcomes).record.sel(contrast="nothing")
    assert record["upper"].item() == pytest.approx(-np.log(0.025) / 400 * 5)
    assert record["lower"].item() == -record["upper"].item()
    alone = cg.Decided(rope=(-1, 1), contrasts={"nothing": {"nothing": 1, "none": -1}})
    assert alone.look(outcomes).record["upper"].item() == 0
    stated = cg.Decided(
        rope=(-1, 1), contrasts={"nothing": {"nothing": 1, "none": -1}}, largest=2
    )
    assert stated.look(outcomes).record["upper"].item() == pytest.approx(
        -np.log(0.05) / 400 * 2
    )


@pytest.mark.filterwarnings("ignore:effects depend on the size of their parent")
def test_a_large_cluster_counts_as_much_as_it_adds_to_the_mean():
    """One of 400 parents has 41 of the 440 units: another like it would add 41 / 1.1
    times as much as one of 1.1.
    """
    parents = np.concatenate([np.arange(399), np.full(41, 399)])
    ice = np.where(parents == 399, 1.0, 0.0)
    outcomes = outcomes_of(ice, parent=("unit", parents))
    record = cg.Decided(rope=(-1, 1)).look(outcomes).record
    half = (record["upper"] - record["lower"]).item() / 2
    se = cg.estimate(cg.contrast(outcomes, control="control"))["se"].item()
    unseen = -np.log(0.05) / 400 * 41 / 1.1
    assert half == pytest.approx(
        sequence_critical(440, alpha=0.05, min_clusters=300) * se + unseen
    )  # 300 met by 300 units


@pytest.mark.parametrize("share", [0.01, 0.02])
def test_a_look_and_the_functions_of_arrays_agree(share):
    """What the validation counts by cumulative sums is what the rule says of the same
    outcomes.
    """
    rng = np.random.default_rng(3)
    ice = np.where(
        rng.random((12, 1_000)) < share, 1.0, 0.0
    ) + 0.05 * rng.standard_normal((12, 1_000))
    rule = cg.Decided(rope=(-share, share))
    looks = rule.schedule(1_000)
    found = sequential.verdicts(
        ice.T[:, :, None], rule.rope, sequential.by_rule(rule), looks
    )
    for i, trial in enumerate(ice):
        each = [rule.look(outcomes_of(trial[:n])) for n in looks]
        stops = [look.stop for look in each]
        assert bool(found.stopped[i]) == any(stops)
        assert found.look[i] == (stops.index(True) if any(stops) else len(looks) - 1)
        last = each[found.look[i]].record
        np.testing.assert_allclose(
            [found.lower[i, 0], found.upper[i, 0]],
            [last["lower"].item(), last["upper"].item()],
        )


def test_a_look_at_units_of_parents_and_the_functions_of_arrays_agree():
    rng = np.random.default_rng(3)
    parents = np.arange(1_000) % 400
    ice = rng.exponential(size=400)[parents] + rng.standard_normal(1_000)
    rule = cg.Decided(rope=0)
    for n in (390, 500, 1_000):
        last = rule.look(outcomes_of(ice[:n], parent=("unit", parents[:n])))
        lower, upper, counts = sequential.clustered_limits(ice[:n, None], 400, rule)
        np.testing.assert_allclose(
            [lower[0], upper[0]],
            [last.record["lower"].item(), last.record["upper"].item()],
        )
        assert bool(counts[0]) == last.stop


def one_in_64() -> tuple[cg.Design, cg.Predictor]:
    """A word whose effect is 1 on the backgrounds that begin with ACG, 1 of 64 of them,
    and 0 on the others.
    """

    def answer(x: np.ndarray) -> np.ndarray:
        acg = x[:, 0, 0] * x[:, 1, 1] * x[:, 2, 2]
        return acg * x[:, 3, 10:14].prod(1) * x[:, 0, 14:18].prod(1)

    arms = {"none": cg.Untreated(), "word": cg.Embed("TTTTAAAA", at=10)}
    design = cg.Design(null=cg.Uniform(length=20), arms=arms, n_units=1_000)
    return design, cg.FunctionPredictor(answer, tasks=["y"], scale="outcome")


@pytest.mark.simulation
@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_trials_of_a_predictor_seldom_call_a_rare_effect_negligible():
    """Whole trials: by 100 units the effect on 1 of 64 backgrounds is unseen in .21 of
    them, by 300 in .009.
    """
    design, predictor = one_in_64()
    bound, n_trials = 1 / 64, 60
    unseen = wrong = 0
    for seed in range(n_trials):
        until = cg.Decided(rope=(-bound, bound))
        outcomes = cg.run(design, predictor, rng=seed, until=until, progress=False)
        ice = (
            outcomes["outcome"].sel(arm="word", task="y").values
            - outcomes["outcome"].sel(arm="none", task="y").values
        )
        unseen += not ice[:100].any()
        wrong += outcomes.attrs["stopped"].startswith("stopped")
    assert unseen > stats.binom.ppf(1e-3, n_trials, 0.2)
    assert wrong <= stats.binom.ppf(1 - 1e-4, n_trials, 0.05)


@pytest.mark.simulation
@pytest.mark.parametrize("law", sequential.ON_THE_BOUND)
def test_verdicts_on_an_effect_at_the_bound_are_seldom_false(law):
    """The rows of the how-to, from draws of their own; on fewer than 1 % of backgrounds
    nothing is promised, and too many are false.
    """
    n_trials, setting = 4_000, sequential.ON_THE_BOUND[law]
    trials = sequential.false_verdicts(
        setting, sequential.by_rule(sequential.RULE), sequential.LOOKS
    )
    false = trials(np.random.default_rng(11), n_trials).sum()
    if law == "on 0.5 % of backgrounds":
        # it was in none of the 300
        assert false == pytest.approx(n_trials * 0.995**300, rel=0.15)
    else:
        assert false <= stats.binom.ppf(1 - 1e-4, n_trials, 0.05)


@pytest.mark.parametrize("share", [0.005, 0.01, 0.02])
def test_the_skewness_of_units_at_hand_is_no_guard(share):
    """A trial that may end at 100 units does so wherever none of them has the
    effect.
    """
    setting = sequential.on_few(share)
    limits = sequential.by_rule(sequential.FROM_100, unseen=False)
    false = sequential.false_verdicts(setting, limits, sequential.EARLY)(
        np.random.default_rng(12), 1_000
    )
    assert false.mean() == pytest.approx(
        (1 - share) ** 100, abs=4 * np.sqrt(0.25 / 1_000)
    )


# what is reported


def stopped_trial(**changes) -> xr.Dataset:
    ask = cg.Analysis(control="placebo", rope=(-1, 1), **changes)
    return cg.run(
        trial(),
        oracle(),
        rng=3,
        until=cg.Decided(rope=(-1, 1)),
        analysis=ask,
        progress=False,
    )


def test_the_interval_and_the_verdict_that_are_reported_are_the_sequences(tmp_path):
    outcomes = stopped_trial()
    decisions = cg.analyze(
        store.load(store.save(outcomes, tmp_path / "o.nc"), "outcomes")
    )
    for side in ("lower", "upper"):
        np.testing.assert_array_equal(
            decisions[side], outcomes[f"look_{side}"].isel(look=-1)
        )
    assert (decisions.attrs["error"], decisions.attrs["ci_prob"]) == ("sequence", 0.95)
    assert not {"q", "p", "p_verdict"} & set(decisions.data_vars)
    lower, upper, verdict = (
        decisions[name].values for name in ("lower", "upper", "verdict")
    )
    inside = (lower >= -1) & (upper <= 1)
    assert (
        verdict
        == np.select(
            [lower > 1, upper < -1, inside],
            ["increases", "decreases", "negligible"],
            "?",
        )
    ).all()


def test_all_intervals_have_the_probability_of_the_rule():
    until = cg.Decided(rope=(-1, 1), ci_prob=0.9)
    ask = cg.Analysis(control="placebo", rope=(-1, 1))
    outcomes = cg.run(
        trial(), oracle(), rng=3, until=until, analysis=ask, progress=False
    )
    assert outcomes.attrs["until_ci_prob"] == 0.9
    assert cg.analyze(outcomes).attrs["ci_prob"] == 0.9


def test_rules_are_copied():
    assert copy.copy(cg.Decided(rope=0, min_clusters=200)) == cg.Decided(
        rope=0, min_clusters=200
    )
    assert pickle.loads(pickle.dumps(cg.Decided(rope=0))) == cg.Decided(rope=0)


def test_a_trial_with_too_few_clusters_has_no_verdicts():
    ask = cg.Analysis(control="placebo", rope=(-1, 1))
    parents = [
        "".join(np.random.default_rng(i).choice(list("ACGT"), 60)) for i in range(60)
    ]
    short = trial(n_units=400, null=cg.DinucleotideShuffle(of=parents))
    outcomes = cg.run(
        short,
        oracle(),
        rng=3,
        until=cg.Decided(rope=(-1, 1)),
        analysis=ask,
        progress=False,
    )
    assert not outcomes["look_counts"].any()
    assert (cg.analyze(outcomes)["verdict"] == "undecided").all()


def test_tests_decide_where_they_are_asked_for_and_of_other_effects():
    assert cg.analyze(stopped_trial(error="each")).attrs["error"] == "each"
    outcomes = stopped_trial()
    assert is_monitored(outcomes, cg.estimate(cg.contrast(outcomes, control="placebo")))
    for other in (
        cg.contrast(outcomes, control="GATA1"),
        cg.contrast(outcomes.isel(unit=slice(9)), control="placebo"),
    ):
        assert not is_monitored(outcomes, cg.estimate(other))


# the how-to


def test_the_how_to_has_the_figures_of_the_validation_page():
    """Both are written from one run: each figure of the how-to's tables is a row of the
    validation, rounded.
    """
    rows = pd.read_csv(VALIDATION, sep="\t", index_col="row")
    found = rows["observed"].to_dict()
    page = sequential.HOWTO.read_text(encoding="utf-8")
    assert page.count(sequential.BEGIN) == page.count(sequential.END) == 1
    assert sequential.block(found) in page


# the trial


@pytest.mark.parametrize(
    "until",
    [
        cg.Decided(rope=(-9, 9), min_clusters=100),
        cg.Decided(rope=(-0.1, 0.1), control="placebo", every=200),
    ],
)
def test_a_stopped_trial_is_the_beginning_of_the_whole_one(until, tmp_path):
    whole = cg.run(trial(), oracle(), rng=3, progress=False)
    stopped = cg.run(trial(), oracle(), rng=3, until=until, progress=False)
    n = stopped.sizes["unit"]
    assert 100 <= n < 1_500
    np.testing.assert_array_equal(stopped["outcome"], whole["outcome"][:n])
    np.testing.assert_array_equal(stopped["parent"], whole["parent"][:n])
    assert stopped.attrs["until"] == until.stored_text()
    assert (
        stopped["look_n_units"].values.tolist()
        == until.schedule(1_500)[: stopped.sizes["look"]]
    )
    assert stopped["look_n_units"][-1] == n
    half = (stopped["look_upper"] - stopped["look_lower"]) / 2
    assert half.dims == ("look", "contrast", "task")
    assert (
        bool((half.isel(look=-1) < half.isel(look=0)).all())
        or stopped.sizes["look"] == 1
    )
    again = store.load(store.save(stopped, tmp_path / "outcomes.nc"), "outcomes")
    assert again.identical(stopped)
    assert (
        cg.estimate(cg.contrast(again, control="placebo")).attrs["stopped"]
        == stopped.attrs["stopped"]
    )


def test_a_trial_that_ends_undecided_says_so():
    outcomes = cg.run(
        trial(n_units=150),
        oracle(),
        rng=0,
        until=cg.Decided(
            rope=0, min_clusters=100, contrasts={"p": {"placebo": 1, "untreated": -1}}
        ),
        progress=False,
    )
    assert outcomes.sizes["unit"] == 150


def test_what_keeps_a_trial_from_ending_is_named():
    """One rare effect among two contrasts and two tasks: the one that asks for 25
    skew^2 clusters.
    """
    rare = np.zeros(400)
    rare[:4] = 1
    y = np.random.default_rng(0).normal(size=(400, 3, 2))
    y[:, 2, 1] = y[:, 0, 1] + rare
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        coords={
            "unit": np.arange(400),
            "arm": ["none", "GATA1", "rare"],
            "task": ["K562", "HepG2"],
        },
    )
    look = cg.Decided(rope=(-1, 1)).look(outcomes)
    needed = int(np.ceil(25 * stats.skew(rare) ** 2))
    assert not look.stop
    assert f" {needed:,} " in look.words
    assert "'rare' in HepG2" in look.words
    few = outcomes.isel(unit=slice(4, 60))
    assert " 300 " in f"{cg.Decided(rope=0).look(few).words} "
    assert " 100 " in f"{cg.Decided(rope=0, min_clusters=100).look(few).words} "


def test_the_direction_of_a_ratio_is_about_1():
    """Means 10 and 12: their ratio is 1.2, above 1; a ratio of 1 is not a direction,
    however sure it is.
    """
    y = 10 + np.random.default_rng(0).normal(size=(400, 2, 1)) + [[0.0], [2.0]]
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        coords={"unit": np.arange(400), "arm": ["control", "treated"], "task": ["y"]},
        attrs={"analysis": cg.Analysis(control="control", scale="ratio").to_json()},
    )
    look = cg.Decided(rope=0).look(outcomes)
    assert look.stop
    assert look.record["lower"].item() > 1.1
    same = outcomes.copy(deep=True)
    same["outcome"] = same["outcome"] - np.array([0.0, 2.0])[:, None]
    assert not cg.Decided(rope=0).look(same).stop


def test_a_constant_predictor_is_warned_of_at_the_end_too():
    constant = cg.FunctionPredictor(
        lambda x: np.ones(len(x)), tasks=["y"], scale="counts"
    )
    with pytest.warns(DegenerateWarning):
        outcomes = cg.run(
            trial(),
            constant,
            rng=0,
            until=cg.Decided(rope=(-9, 9), min_clusters=100),
            progress=False,
        )
    assert outcomes.sizes["unit"] == 100


def test_few_parents_never_stop_a_trial():
    parents = [
        "".join(np.random.default_rng(i).choice(list("ACGT"), 60)) for i in range(30)
    ]
    few = trial(null=cg.DinucleotideShuffle(of=parents), n_units=300)
    outcomes = cg.run(
        few,
        oracle(),
        rng=0,
        until=cg.Decided(rope=(-9, 9), min_clusters=100),
        progress=False,
    )
    assert outcomes.sizes["unit"] == 300
    one = trial(null=cg.DinucleotideShuffle(of=parents[:1]), n_units=300)
    with pytest.raises(EstimateError):
        cg.run(
            one,
            oracle(),
            rng=0,
            until=cg.Decided(rope=(-9, 9), min_clusters=100),
            progress=False,
        )


def test_what_is_watched_is_said_kept_or_the_first_arm():
    def control(**how):
        outcomes = cg.run(trial(n_units=150), oracle(), rng=0, progress=False, **how)
        return outcomes["contrast"].values.tolist()

    wide = cg.Decided(rope=(-9, 9), min_clusters=100)
    assert control(until=wide) == ["placebo", "GATA1"]
    assert control(until=wide, analysis=cg.Analysis(control="placebo")) == [
        "untreated",
        "GATA1",
    ]
    assert control(
        until=cg.Decided(rope=(-9, 9), min_clusters=100, control="GATA1")
    ) == [
        "untreated",
        "placebo",
    ]
    only = {"mine": {"GATA1": 1, "placebo": -1}}
    assert control(
        until=cg.Decided(rope=(-9, 9), min_clusters=100, contrasts=only)
    ) == ["mine"]
    assert control(until=wide, analysis=cg.Analysis(contrasts=only)) == ["mine"]


def test_rules_are_values():
    assert cg.Decided(rope=(-1, 1)) == cg.Decided(rope=[-1.0, 1.0])
    assert hash(cg.Decided(rope=0, contrasts={"b": {"a": 1, "c": -1}}))
    rule = cg.Decided(rope=(-0.1, 0.1), contrasts={"b": {"a": 1, "c": -1}}, every=50)
    assert eval(repr(rule), {"Decided": cg.Decided}) == rule
    rule = cg.Decided(rope=0, ci_prob=np.float64(0.9), largest=np.float32(2))
    assert repr(rule) == "Decided(rope=0, ci_prob=0.9, largest=2.0)"
    assert cg.Decided(rope=0, min_clusters=100, every=400).schedule(1_000) == [
        100,
        500,
        900,
        1_000,
    ]
