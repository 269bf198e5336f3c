# Imports from the inside: all steps of `analyze`, of which it returns the last.
"""The whole analysis in one call: the same as the verbs one by one, and which settings
are exploratory.
"""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia._analyze import steps
from causalgia.errors import (
    DegenerateWarning,
    EstimateError,
    ExploratoryWarning,
)

ARMS = [
    cg.Arm("untreated", cg.Untreated(), {"class": "none"}),
    cg.Arm("placebo", cg.Placebo("AGATAAG", at=20), {"class": "none"}),
    cg.Arm("one G", cg.Embed("AGATAAA", at=2), {"class": "few"}),
    cg.Arm("two G", cg.Embed("GGATAAA", at=10), {"class": "few"}),
    cg.Arm("seven G", cg.Embed("GGGGGGG", at=30), {"class": "many"}),
    cg.Arm("six G", cg.Embed("GGGAGGG", at=45), {"class": "many"}),
]
MANY = [
    *ARMS,
    *(
        cg.Arm(f"three G, {at}", cg.Embed("GGAAAGA", at=at), {"class": "few"})
        for at in range(4, 52, 8)
    ),
]
NORMAL = cg.Shrinkage(prior=cg.Prior())
ASK = cg.Analysis(control="placebo", rope=(-0.5, 0.5), shrink=NORMAL)


def predictor():
    places = np.linspace(0.5, 1.5, 60)
    return cg.FunctionPredictor(
        lambda x: (x[:, 2] * places).sum(1), tasks=["G"], scale="weighted count"
    )


def trial(analysis=ASK, **changes):
    design = cg.Design(
        **{"null": cg.Uniform(length=60), "arms": ARMS, "n_units": 300, **changes}
    )
    return cg.run(design, predictor(), rng=0, analysis=analysis)


def verdicts(decisions):
    return dict(
        zip(
            decisions["contrast"].values.tolist(),
            decisions["verdict"].values[:, 0].tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize("error", ["fdr", "fwer", "each"])
def test_every_error_rate_finds_what_is_there(error):
    """Truth is known: a word adds its G less the 7/4 that were there, times the weight
    of the place.
    """
    ask = cg.Analysis(
        control="untreated",
        rope=(-0.5, 0.5),
        shrink=cg.Shrinkage(prior=cg.Prior()),
        error=error,
    )
    found = cg.analyze(trial(ask, arms=MANY))
    said = verdicts(found)
    assert said["seven G"] == said["six G"] == "increases"
    assert said["two G"] in ("negligible", "undecided")
    assert found.attrs["error"] == error
    assert found.attrs["analysis"] == ask.to_json()


def test_it_is_the_verbs_one_after_the_other():
    outcomes = trial(arms=MANY)
    found = steps(outcomes)
    effects = cg.contrast(outcomes, control="placebo")
    estimates = cg.estimate(effects)
    assert found.effects["ice"].equals(effects["ice"])
    for name in estimates.data_vars:
        np.testing.assert_array_equal(found.estimates[name], estimates[name])
    again = cg.decide(estimates, rope=(-0.5, 0.5), shrink=NORMAL)
    assert np.isfinite(again["shrunken"]).all()
    assert set(again.data_vars) == set(found.decisions.data_vars)
    for name in again.data_vars:
        np.testing.assert_array_equal(found.decisions[name], again[name])
    assert cg.analyze(outcomes).identical(found.decisions)
    assert steps(outcomes, ASK).decisions.identical(found.decisions)


def test_families_are_the_level_of_the_treatment_arm():
    for error in ("fwer", "fdr"):
        ask = cg.Analysis(control="placebo", rope=0, family="class", error=error)
        found = cg.analyze(trial(ask))
        assert found.attrs["family_by"] == "class"
        assert found["class"].values.tolist() == ["none", "few", "few", "many", "many"]
        one = found.sel(contrast="untreated")  # alone in its family
        assert error == "fwer" or one["q"].item() == one["p_verdict"].item()
    mixed = cg.Analysis(
        contrasts={"x": {"one G": 0.5, "six G": 0.5, "placebo": -1}},
        rope=0,
        family="class",
    )
    with pytest.raises(EstimateError):
        cg.analyze(trial(mixed))
    with pytest.raises(EstimateError):
        cg.analyze(trial(), cg.Analysis(control="placebo", rope=0, family="color"))


def test_what_was_not_fixed_is_marked():
    outcomes = trial()
    assert "exploratory" not in cg.analyze(outcomes).attrs
    asked = cg.Analysis(control="placebo", rope=(-1, 1), error="each")
    with pytest.warns(ExploratoryWarning):
        found = cg.analyze(outcomes, asked)
    assert found.attrs["exploratory"] == "rope, error, shrink"
    assert found.attrs["analysis_fingerprint"] == asked.fingerprint


def exact_trial(rope, n_placebos=0):
    """Two tasks: in the first, GATA1 and the words add a constant; in the second all
    arms vary.
    """
    arms = {
        "placebo": cg.Placebo("AGATAAG", at=20),
        "first": cg.Embed("CCCCCCC", at=40),
        "GATA1": cg.Embed("AGATAAG", at=20),
        "last": cg.Embed("GGGGGGG", at=5),
        **(cg.placebos("AGATAAG", at=33, n_placebos=n_placebos) if n_placebos else {}),
    }
    places = np.linspace(0.5, 1.5, 60)
    both = cg.FunctionPredictor(
        lambda x: np.stack([x[:, 2].sum(1), (x[:, 2] * places).sum(1)], 1),
        tasks=["count", "weighted"],
        scale="G",
    )
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=300)
    ask = cg.Analysis(
        control="placebo", rope=rope, shrink=cg.Shrinkage(prior=cg.Prior())
    )
    return cg.run(design, both, rng=0, analysis=ask)


@pytest.mark.parametrize("rope", [(-0.5, 0.5), "0.2 sd", 0])
def test_contrasts_without_spread_are_decided_as_they_stand(rope, tmp_path):
    with pytest.warns(DegenerateWarning):
        found = steps(exact_trial(rope))
    decisions = found.decisions
    assert decisions["contrast"].values.tolist() == ["first", "GATA1", "last"]
    word = decisions.sel(contrast="GATA1", task="count")
    assert word["ace"].item() == 0
    assert word["lower"].item() == word["upper"].item() == 0
    assert word["verdict"].item() == ("undecided" if rope == 0 else "negligible")
    np.testing.assert_array_equal(decisions["ace"], found.estimates["ace"])
    assert decisions["verdict"].sel(contrast="last").values.tolist() == [
        "increases",
        "increases",
    ]
    again = cg.store.load(
        cg.store.save(decisions, tmp_path / "decisions.nc"), "decisions"
    )
    assert again.identical(decisions)
    assert "GATA1" in cg.report(again)


def test_contrasts_without_spread_in_any_of_several_predictors():
    """A letter that each predictor rewards in every unit alike, and one whose effect
    depends on what it replaces.
    """

    def rewards(b, a):
        return cg.FunctionPredictor(
            lambda x: (
                x[:, 0, 0] + b * x[:, 2, 12] + a * x[:, 0, 14] * x[:, 1, 20:25].sum(1)
            ),
            tasks=["t"],
            scale="sum",
        )

    names = {"untreated": "CCC", "same": "GCC", "varies": "CCA", "too": "CTA"}
    arms = {name: cg.Embed(word, at=12) for name, word in names.items()}
    design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=500)
    ask = cg.Analysis(
        control="untreated",
        rope=(-0.1, 0.1),
        target="population x predictors",
    )
    for slopes, half in (
        ((1.0, 1.0, 1.0), 0.0),  # the value that all units and predictors share
        ((1.0, 1.2, 0.8), 4.303 * 0.2 / np.sqrt(3)),
    ):
        ensemble = cg.Ensemble(
            [rewards(b, a) for b, a in zip(slopes, (1.0, 1.1, 0.9), strict=True)]
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DegenerateWarning)
            found = steps(cg.run(design, ensemble, rng=0, analysis=ask))
        decisions = found.decisions
        assert decisions["ace"].dims == ("contrast", "task")
        word = decisions.sel(contrast="same", task="t")
        assert word["ace"].item() == pytest.approx(1.0)
        assert word["upper"].item() - 1 == pytest.approx(half, abs=1e-3)
        assert word["verdict"].item() == "increases"


def test_no_contrast_varies():
    arms = {
        "placebo": cg.Placebo("AGATAAG", at=20),
        "GATA1": cg.Embed("AGATAAG", at=20),
    }
    count = cg.FunctionPredictor(lambda x: x[:, 2].sum(1), tasks=["G"], scale="count")
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=100)
    outcomes = cg.run(
        design, count, rng=0, analysis=cg.Analysis(control="placebo", rope=(-1, 1))
    )
    with pytest.warns(DegenerateWarning):
        found = steps(outcomes)
    assert found.decisions["verdict"].item() == "negligible"
    # 3 % of backgrounds were missed by chance, and would need effects of 1 / .03
    size = 1 / (1 - 0.05 ** (1 / 100))
    assert abs(found.decisions["reversal"].item()) == pytest.approx(size)


@pytest.mark.parametrize("error", ["fwer", "fdr"])
def test_how_a_step_came_to_be_carried_out_is_not_marked(error):
    """All effects of one task are without spread."""
    arms = {
        "placebo": cg.Placebo("AGATAAG", at=20),
        "GATA1": cg.Embed("AGATAAG", at=20),
    }
    count = cg.FunctionPredictor(lambda x: x[:, 2].sum(1), tasks=["G"], scale="count")
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=50)
    ask = cg.Analysis(
        control="placebo",
        rope=(-1, 1),
        error=error,
        shrink=cg.Shrinkage(prior=cg.Prior()),
    )
    with pytest.warns(DegenerateWarning):
        found = steps(cg.run(design, count, rng=0, analysis=ask))
    assert "exploratory" not in found.estimates.attrs | found.decisions.attrs
    assert found.decisions.attrs["analysis"] == ask.to_json()
    plain = steps(trial(dataclasses.replace(ASK, error=error)))
    assert "exploratory" not in plain.estimates.attrs | plain.decisions.attrs


def test_decisions_can_be_written(tmp_path):
    found = cg.analyze(trial())
    again = cg.store.load(cg.store.save(found, tmp_path / "decisions.nc"), "decisions")
    assert again.identical(found)


def test_the_prior_is_that_of_the_analysis():
    outcomes = trial(ASK, arms=MANY)
    prior = cg.Prior(tau_scale=1e-3, mu_sd=1e-3)
    tight = dataclasses.replace(ASK, shrink=cg.Shrinkage(prior=prior))
    with pytest.warns(ExploratoryWarning):
        near = cg.analyze(outcomes, tight)
    far = cg.analyze(outcomes)
    np.testing.assert_array_equal(near["ace"], far["ace"])
    estimates = cg.estimate(cg.contrast(outcomes, control="placebo"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)
        by_hand = cg.infer(estimates, prior=prior, rng=0)["moments"]
    np.testing.assert_allclose(near["shrunken"], by_hand["mean"], rtol=1e-9)
    assert (abs(near["shrunken"] - far["shrunken"]) > 0.1).any()


def test_a_bench_table_is_analyzed_without_a_network():
    rng = np.random.default_rng(0)
    import pandas as pd

    table = pd.DataFrame({"unit": np.repeat(np.arange(80), 2), "arm": ["a", "b"] * 80})
    table["y"] = rng.standard_normal(160) + 2 * (table["arm"] == "b")
    outcomes = cg.from_frame(table, unit="unit", arm="arm", outcome="y")
    found = cg.analyze(
        outcomes,
        cg.Analysis(
            control="a", rope=(-0.5, 0.5), shrink=cg.Shrinkage(prior=cg.Prior())
        ),
    )
    assert found["verdict"].item() == "increases"


def outcomes_of(y, names, tasks=("y",), kinds=None):
    """Outcomes of shape (unit, arm, task), as a table's reader gives them."""
    dims = {"unit": np.arange(len(y)), "arm": list(names), "task": list(tasks)}
    frame = (
        xr.Dataset({"y": (tuple(dims), y)}, coords=dims).to_dataframe().reset_index()
    )
    read = cg.from_frame(frame, unit="unit", arm="arm", outcome="y", task="task")
    return read if kinds is None else read.assign_coords(kind=("arm", kinds))


@pytest.mark.parametrize("n", [100, 400])
def test_a_control_that_does_not_vary_is_no_end(n):
    names = ["control", *(f"a{i}" for i in range(30))]
    y = np.random.default_rng(0).normal(1, 1, (n, len(names), 1))
    y[:, 0] = 0.3
    ask = cg.Analysis(control="control", rope=(-0.1, 0.1))
    found = cg.analyze(outcomes_of(y, names), ask)
    assert (found["verdict"] == "increases").all()


@pytest.mark.filterwarnings(
    "ignore:.*not vary at all:causalgia.errors.DegenerateWarning"
)
@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("error", ["fdr", "fwer"])
def test_a_task_whose_placebo_words_do_nothing_is_left_out(error):
    outcomes, ask = placebo_words_that_do_nothing_in_a_task("placebo", error)
    with pytest.warns(DegenerateWarning):
        found = cg.analyze(outcomes, ask)
    assert found["task"].values.tolist() == ["live"]
    with (
        pytest.warns(DegenerateWarning),
        pytest.raises(EstimateError),
    ):
        cg.analyze(outcomes.sel(task=["dead"]), ask)


@pytest.mark.filterwarnings(
    "ignore:.*not vary at all:causalgia.errors.DegenerateWarning"
)
@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("error", ["fdr", "fwer"])
def test_no_task_is_without_fences(error):
    """Where all placebos do nothing, the fences are 0, and a word that does
    something lies beyond them.
    """
    outcomes, ask = placebo_words_that_do_nothing_in_a_task("placebo outliers", error)
    read = outcomes["outcome"].copy()
    read.loc[{"task": "dead", "arm": "a0"}] += 1 + 0.1 * np.random.default_rng(
        2
    ).normal(size=60)
    found = cg.analyze(outcomes.assign(outcome=read), ask)
    dead = found.sel(task="dead")
    assert dead["verdict"].sel(contrast="a0") == "increases"
    assert (dead["verdict"].drop_sel(contrast="a0") == "undecided").all()
    assert not np.isnan(found[["ace", "lower", "upper", "q"]].to_array()).any()
    live = cg.analyze(outcomes.sel(task=["live"]), ask)
    np.testing.assert_array_equal(
        found["rope_upper"].sel(task="live"), live["rope_upper"].sel(task="live")
    )


def placebo_words_that_do_nothing_in_a_task(rope, error):
    rng = np.random.default_rng(1)
    names = ["control", *(f"a{i}" for i in range(2)), *(f"p{i}" for i in range(79))]
    kinds = ["embed"] * 3 + ["fixed_placebo"] * 79
    y = rng.normal(size=(60, 82, 2)) + rng.normal(size=(82, 2))
    y[:, :, 1] = y[:, :1, 1]
    return outcomes_of(y, names, ["live", "dead"], kinds), cg.Analysis(
        control="control", rope=rope, error=error
    )


@pytest.mark.simulation
def test_words_that_rarely_do_much_are_not_negligible_beside_words_that_do_nothing():
    """Of 40 words 20 do 100 on 1 % of backgrounds: the 20 exact zeros would set a law
    that shrinks them to 0.
    """
    rng, n, false = np.random.default_rng(0), 800, 0
    names = ["control", *(f"a{i}" for i in range(40))]
    for _ in range(3):
        y = 0.1 * rng.normal(size=(n, 41, 1))
        y[:, 0] = 0
        y[:, 1:21, 0] += 100 * (rng.random((n, 20)) < 0.01)
        found = cg.analyze(
            outcomes_of(y, names),
            cg.Analysis(control="control", rope=(-0.9, 0.9)),
        )
        false += int((found["verdict"].isel(contrast=slice(20)) == "negligible").sum())
        assert (found["verdict"].isel(contrast=slice(20, 40)) == "negligible").all()
    assert false == 0


@pytest.mark.simulation
def test_new_placebo_words_are_not_discovered_by_the_default_of_many_words():
    rng, kinds = np.random.default_rng(2), ["embed"] * 11 + ["fixed_placebo"] * 400
    names = ["control", *(f"a{i}" for i in range(10)), *(f"p{i}" for i in range(400))]
    share = []
    for _ in range(8):
        word = rng.normal(0, 0.3, 410)
        word[:5] = 6
        y = np.concatenate(
            [np.zeros((100, 1)), word + 0.5 * rng.normal(size=(100, 410))], axis=1
        )[:, :, None]
        found = cg.analyze(
            outcomes_of(y, names, kinds=kinds),
            cg.Analysis(control="control", rope="placebo"),
        )
        called = (
            found["verdict"]
            .isel(contrast=slice(10), task=0)
            .isin(["increases", "decreases"])
            .values
        )
        assert called[:5].all()
        share.append(called[5:].sum() / called.sum())
    assert np.mean(share) <= 0.05


def test_another_error_rate_is_marked_beside_effects_that_do_not_vary():
    with pytest.warns(DegenerateWarning):
        estimates = cg.estimate(cg.contrast(exact_trial((-0.5, 0.5))))
    assert 0 < int((estimates["se"] == 0).sum()) < estimates["se"].size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = cg.decide(estimates, rope=(-0.5, 0.5), error="fwer")
    assert "error" in found.attrs["exploratory"]
