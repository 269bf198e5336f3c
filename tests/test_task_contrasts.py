"""Contrasts between tasks: weighted sums over tasks of individual effects, wherever
effects are asked for.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.effects.scales import requested_task_weights, stored_task_weights
from causalgia.errors import (
    ContrastError,
    DesignError,
    ExploratoryWarning,
    OutcomesError,
)

TASKS = ["K562", "HepG2", "GM12878"]
SPECIFIC = {"K562 minus HepG2": {"K562": 1, "HepG2": -1}}
POINTWISE = {
    "identity": lambda y: y,
    "log": np.log,
    "log2": np.log2,
    "logit": lambda y: np.log(y / (1 - y)),
}


def crossover(n=60, *, seed=0, parents=None) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 1, 1)) + (
        0
        if parents is None
        else rng.normal(size=parents)[np.arange(n) % parents, None, None]
    )
    y = 1 / (
        1
        + np.exp(
            -shared
            - rng.normal(size=(n, 3, 3)) / 2
            - np.arange(3)[None, :, None] * [0.9, 0.5, 0.1]
        )
    )
    coords = {"unit": np.arange(n), "arm": ["placebo", "GATA1", "TAL1"], "task": TASKS}
    coords |= (
        {}
        if parents is None
        else {"parent": ("unit", [f"p{i % parents}" for i in range(n)])}
    )
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)}, coords, {"scale": "share"}
    )


def parallel(n=300) -> xr.Dataset:
    whole = crossover(n, seed=1)
    arm = np.random.default_rng(2).integers(0, 3, n)
    y = whole["outcome"].to_numpy()[np.arange(n), arm]
    coords = {"unit": np.arange(n), "arm": whole["arm"], "task": TASKS}
    coords["assigned"] = ("unit", whole["arm"].to_numpy()[arm])
    return xr.Dataset({"outcome": (("unit", "task"), y)}, coords, {"scale": "share"})


@pytest.mark.parametrize("scale", POINTWISE)
def test_the_effect_is_the_weighted_sum_of_those_of_each_unit(scale):
    outcomes = crossover()
    found = cg.contrast(outcomes, control="placebo", tasks=SPECIFIC, scale=scale)
    g = POINTWISE[scale](outcomes["outcome"].to_numpy())
    ice = (g[:, 1:] - g[:, :1]) @ [1, -1, 0]
    assert found["task"].values.tolist() == ["K562 minus HepG2"]
    np.testing.assert_allclose(
        found["ice"].squeeze("task"), ice, rtol=1e-12, atol=1e-14
    )
    estimates = cg.estimate(found)
    np.testing.assert_allclose(
        estimates["ace"].squeeze("task"), ice.mean(0), rtol=1e-12
    )
    np.testing.assert_allclose(
        estimates["se"].squeeze("task"),
        ice.std(0, ddof=1) / np.sqrt(len(ice)),
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        found["control_sd"], (g[:, 0] @ [1, -1, 0]).std(ddof=1), rtol=1e-12
    )


def test_the_standard_error_counts_that_tasks_saw_the_same_units():
    outcomes = crossover(200)
    each = cg.estimate(cg.contrast(outcomes, control="placebo"))["se"].sel(
        task=["K562", "HepG2"]
    )
    between = cg.estimate(
        cg.contrast(outcomes, control="placebo", tasks="K562 - HepG2")
    )["se"].squeeze("task")
    ice = cg.contrast(outcomes, control="placebo")["ice"].sel(contrast="GATA1")
    r = np.corrcoef(ice.sel(task="K562"), ice.sel(task="HepG2"))[0, 1]
    a, b = each.sel(contrast="GATA1").values
    np.testing.assert_allclose(
        between.sel(contrast="GATA1"), np.sqrt(a**2 + b**2 - 2 * r * a * b), rtol=1e-12
    )


@pytest.mark.parametrize("how", [{}, {"target": "parents"}, {"weights": "clusters"}])
def test_with_clusters_it_is_the_estimate_of_the_combined_outcome(how):
    outcomes = crossover(120, parents=30)
    combined = outcomes["outcome"] @ xr.DataArray([1.0, -1.0, 0.0], dims="task")
    by_hand = outcomes.drop_vars(["outcome", "task"]).assign(
        outcome=combined.expand_dims(task=["d"], axis=2)
    )
    one = cg.estimate(
        cg.contrast(outcomes, control="placebo", tasks={"d": {"K562": 1, "HepG2": -1}}),
        **how,
    )
    other = cg.estimate(cg.contrast(by_hand, control="placebo"), **how)
    for name in ("ace", "se", "df", "p"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-9)


@pytest.mark.parametrize("scale", ["identity", "log", "log_of_means"])
def test_a_parallel_trial_takes_the_same_difference(scale):
    outcomes = parallel()
    found = cg.estimate(
        cg.contrast(outcomes, control="placebo", tasks=SPECIFIC, scale=scale)
    )
    y, arm = outcomes["outcome"].to_numpy(), outcomes["assigned"].to_numpy()
    groups = [y[arm == name] for name in ("GATA1", "placebo")]
    if scale == "log_of_means":
        z = [np.log(x.mean(0)) + x / x.mean(0) - 1 for x in groups]
    else:
        z = [POINTWISE[scale](x) for x in groups]
    a, b = (x @ [1, -1, 0] for x in z)
    se = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    row = found.sel(contrast="GATA1", task="K562 minus HepG2")
    np.testing.assert_allclose(
        [row["ace"], row["se"]], [a.mean() - b.mean(), se], rtol=1e-10
    )


def test_the_log_of_means_is_the_difference_of_both():
    outcomes = crossover()
    each = cg.contrast(outcomes, control="placebo", scale="log_of_means")["ice"]
    found = cg.contrast(
        outcomes, control="placebo", tasks="K562 - HepG2", scale="log_of_means"
    )
    np.testing.assert_allclose(
        found["ice"].squeeze("task"),
        each.sel(task="K562") - each.sel(task="HepG2"),
        atol=1e-13,
    )


@pytest.mark.parametrize("scale", ["identity", "log", "log_of_means", "sd"])
def test_one_task_alone_is_that_task(scale):
    outcomes = crossover()
    one = cg.contrast(outcomes, control="placebo", tasks=["HepG2"], scale=scale)
    each = cg.contrast(outcomes, control="placebo", scale=scale).sel(task=["HepG2"])
    if scale in POINTWISE:
        assert np.array_equal(one["ice"], each["ice"])
    np.testing.assert_allclose(one["ice"], each["ice"], atol=1e-13)
    assert one["task"].values.tolist() == ["HepG2"]


def test_only_the_tasks_with_a_weight_are_read():
    outcomes = crossover()
    outcomes["outcome"][0, 0, 2] = -1.0  # GM12878 has no logarithm
    found = cg.contrast(outcomes, control="placebo", tasks="K562 - HepG2", scale="log")
    assert np.isfinite(found["ice"]).all()


def test_text_weights_and_keywords_say_the_same():
    outcomes = crossover()
    weights = {"K562": 1, "HepG2": -0.5, "GM12878": -0.5}
    one = cg.contrast(outcomes, control="placebo", tasks={"specific": weights})
    other = cg.contrast(
        outcomes, control="placebo", tasks={"specific": "K562 - (HepG2 + GM12878)/2"}
    )
    assert np.array_equal(one["ice"], other["ice"])
    pairs = cg.contrast(outcomes, control="placebo", tasks="pairwise")[
        "task"
    ].values.tolist()
    assert pairs == ["HepG2 - K562", "GM12878 - K562", "GM12878 - HepG2"]


def test_equal_tasks_differ_by_nothing():
    outcomes = crossover()
    outcomes["outcome"] = outcomes["outcome"].astype("f4")
    outcomes["outcome"][:, :, 1] = outcomes["outcome"][:, :, 0]
    found = cg.contrast(outcomes, control="placebo", tasks="K562 - HepG2")
    assert found["zero"].all()
    assert found["constant"].all()
    assert (found["control_sd"] == 0).all()


def test_a_difference_within_rounding_is_nothing():
    """Answers of two heads that are equal but for their last bit."""
    outcomes = crossover()
    y = outcomes["outcome"].astype("f4")
    y[:, :, 1] = np.nextafter(y[:, :, 0].to_numpy(), np.float32(2))
    found = cg.contrast(
        outcomes.assign(outcome=y), control="placebo", tasks="K562 - HepG2"
    )
    assert found["zero"].all()


def two_heads(x):
    c, g = x[:, 1].sum(1), x[:, 2].sum(1)
    return np.stack(
        [
            (c + g) / 30 + 0.1,
            (c + 0.4 * g * x[:, 1, 12] + 3) / 30,
            x[:, 0].sum(1) / 30 + 0.1,
        ],
        1,
    ).astype("f4")


PREDICTOR = cg.FunctionPredictor(two_heads, tasks=TASKS, scale="share")
DESIGN = cg.Design(
    null=cg.Uniform(length=30),
    arms={
        "untreated": cg.Untreated(),
        "GC": cg.Embed("GCGCGC", at=12),
        "AT": cg.Embed("ATTATA", at=12),
    },
    n_units=300,
)
PLAN = cg.Analysis(control="untreated", tasks="K562 - HepG2", rope="0.2 sd")


@pytest.mark.parametrize("scale", ["identity", "log"])
@pytest.mark.parametrize("stored", [False, True])
def test_kept_effects_are_those_of_the_outcomes(tmp_path, scale, stored):
    plan = replace(PLAN, scale=scale)
    where = {"store": tmp_path / "trial"} if stored else {}
    from_outcomes = cg.contrast(
        cg.run(DESIGN, PREDICTOR, rng=0, analysis=plan), scale=scale
    )
    kept = cg.run(
        DESIGN, PREDICTOR, rng=0, analysis=plan, keep="effects", **where
    ).load()
    assert kept["task"].values.tolist() == ["K562 - HepG2"]
    for name in ("ice", "constant", "zero", "control_sd", "floor", "weight"):
        assert np.array_equal(kept[name], from_outcomes[name]), name
    assert kept.attrs["estimand"] == from_outcomes.attrs["estimand"]
    assert kept.attrs["task_weights"] == from_outcomes.attrs["task_weights"]
    if stored:
        again = cg.run(
            DESIGN, PREDICTOR, rng=0, analysis=plan, keep="effects", **where
        ).load()
        assert again.identical(kept)


@pytest.mark.parametrize("stored", [False, True])
def test_kept_moments_give_the_same_estimates(tmp_path, stored):
    where = {"store": tmp_path / "trial"} if stored else {}
    one = cg.estimate(cg.contrast(cg.run(DESIGN, PREDICTOR, rng=0, analysis=PLAN)))
    moments = cg.run(DESIGN, PREDICTOR, rng=0, analysis=PLAN, keep="moments", **where)
    other = cg.estimate(moments)
    for name in ("ace", "se", "control_sd", "lower"):
        np.testing.assert_allclose(other[name], one[name], rtol=1e-9)


def test_a_lazy_store_is_contrasted_as_outcomes_in_memory(tmp_path):
    lazy = cg.run(DESIGN, PREDICTOR, rng=0, analysis=PLAN, store=tmp_path / "trial")
    held = cg.run(DESIGN, PREDICTOR, rng=0, analysis=PLAN)
    assert np.array_equal(cg.contrast(lazy)["ice"], cg.contrast(held)["ice"])


def test_curves_have_a_difference_at_each_position():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(40, 2, 5, 3))
    coords = {
        "unit": np.arange(40),
        "arm": ["placebo", "GATA1"],
        "position": [-20, -10, 0, 10, 20],
        "task": TASKS,
    }
    attrs = {
        "scale": "log counts",
        "analysis": cg.Analysis(control="placebo", tasks=SPECIFIC, rope=0).to_json(),
    }
    curves = xr.Dataset(
        {"outcome": (("unit", "arm", "position", "task"), y)}, coords, attrs
    )
    found = cg.contrast(curves)
    assert found["ice"].dims == ("unit", "contrast", "position", "task")
    assert found["task"].values.tolist() == ["K562 minus HepG2"]
    np.testing.assert_allclose(
        found["ice"].squeeze(), (y[:, 1] - y[:, 0]) @ [1, -1, 0], atol=1e-13
    )
    assert "exploratory" not in found.attrs
    assert found.attrs["estimand"].startswith("K562 - HepG2, of the mean over units")
    assert cg.contrast(curves, tasks="HepG2 - K562").attrs["exploratory"] == "tasks"
    assert cg.estimate(found)["ace"].dims == ("contrast", "position", "task")


def test_members_of_an_ensemble_each_have_theirs():
    other = cg.FunctionPredictor(
        lambda x: two_heads(x) * np.float32(1.5), tasks=TASKS, scale="share"
    )
    both = cg.Ensemble({"one": PREDICTOR, "other": other})
    outcomes = cg.run(DESIGN, both, rng=0, analysis=PLAN)
    found = cg.contrast(outcomes)["ice"]
    assert found.dims == ("unit", "contrast", "task", "model")
    alone = cg.contrast(cg.run(DESIGN, PREDICTOR, rng=0, analysis=PLAN))["ice"]
    assert np.array_equal(found.sel(model="one"), alone)
    kept = cg.run(DESIGN, both, rng=0, analysis=PLAN, keep="effects")
    assert np.array_equal(kept["ice"], found)


def test_an_analysis_is_frozen_and_written():
    for tasks in (
        "K562 - HepG2",
        SPECIFIC,
        {"a": "K562 - HepG2", "b": "K562 - (HepG2 + GM12878)/2"},
    ):
        plan = cg.Analysis(control="untreated", tasks=tasks, rope=0)
        assert cg.Analysis.from_json(plan.to_json()) == plan
        assert cg.Analysis.from_toml(plan.to_toml()) == plan
        assert hash(plan) == hash(cg.Analysis.from_toml(plan.to_toml()))
    assert cg.Analysis(control="x").fingerprint == "".join(
        cg.Analysis(control="x", tasks=None).fingerprint
    )
    assert (
        cg.Analysis.from_toml('control = "x"\ntasks = "K562 - HepG2"').tasks
        == PLAN.tasks
    )


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ({"K562": 1, "HepG2": -1}, "contrast 'K562' is 1, not weights by task"),
        (
            "K562 - HepG2 = 1",
            "tasks are compared with each other, and the right side must be 0",
        ),
        ({"none": {"K562": 0}}, "no weight other than 0"),
        ("K562 * HepG2", "a product of two tasks is not linear"),
    ],
)
def test_an_analysis_of_no_contrast_is_refused(tasks, message):
    with pytest.raises(DesignError, match=message):
        cg.Analysis(control="untreated", tasks=tasks)


def test_an_unknown_task_is_refused_before_anything_is_predicted():
    with pytest.raises(
        DesignError,
        match=r"Analysis: tasks: 'K562 - Hepg2' names 'Hepg2', .* did you mean 'HepG2'",
    ):
        cg.run(DESIGN, PREDICTOR, rng=0, analysis=replace(PLAN, tasks="K562 - Hepg2"))


def test_a_region_by_task_names_the_contrasts():
    plan = replace(PLAN, rope={"K562 - HepG2": (-0.1, 0.1)})
    assert (
        cg.analyze(cg.run(DESIGN, PREDICTOR, rng=0, analysis=plan), rng=0)[
            "rope_upper"
        ].values.max()
        == 0.1
    )
    with pytest.raises(
        DesignError, match=r"Analysis: rope names 'K562', which is not a task"
    ):
        cg.run(
            DESIGN, PREDICTOR, rng=0, analysis=replace(PLAN, rope={"K562": (-0.1, 0.1)})
        )


def test_other_tasks_than_planned_are_exploratory():
    outcomes = cg.run(DESIGN, PREDICTOR, rng=0, analysis=PLAN)
    assert "exploratory" not in cg.contrast(outcomes).attrs
    assert cg.contrast(outcomes, tasks="HepG2 - K562").attrs["exploratory"] == "tasks"
    assert cg.contrast(outcomes, control="untreated").attrs["exploratory"] == "tasks"
    with pytest.warns(ExploratoryWarning, match="in tasks"):
        found = cg.analyze(outcomes, replace(PLAN, tasks=None), rng=0)
    assert found.attrs["exploratory"] == "tasks"


def test_kept_effects_answer_no_other_contrast_of_tasks():
    kept = cg.run(DESIGN, PREDICTOR, rng=0, analysis=PLAN, keep="effects")
    with pytest.raises(ContrastError, match="another tasks"):
        cg.analyze(kept, replace(PLAN, tasks="HepG2 - GM12878"), rng=0)


def test_reports_name_the_contrast_and_the_unit_of_its_region():
    outcomes = cg.run(DESIGN, PREDICTOR, rng=0, analysis=PLAN)
    text = " ".join(cg.report(cg.analyze(outcomes, rng=0), sentences=True).split())
    assert "GC raises share in K562 - HepG2 by 0.0789 [" in text
    assert "Each minus untreated, K562 - HepG2, on 300 uniform random" in text
    assert re.search(
        r"against ±\S+ \(0\.2 sd of the contrast of tasks in the control arm\)",
        text,
    )
    assert "ACE on share, K562 - HepG2, GC minus untreated" in text
    named = replace(
        PLAN, tasks={"specific": {"K562": 1, "HepG2": -1}, "mean": "(K562 + HepG2)/2"}
    )
    text = cg.report(
        cg.analyze(cg.run(DESIGN, PREDICTOR, rng=0, analysis=named), rng=0),
        sentences=True,
        notes=True,
    )
    assert "each of 2 contrasts between tasks" in text
    assert "specific: K562 - HepG2\nmean: 0.5 K562 + 0.5 HepG2" in text
    assert "ACE on share in specific" in text


def test_an_experiment_is_asked_of_the_difference():
    experiment = cg.experiments.copies(
        cg.Uniform(length=60), motif="GCGC", at=(10, 30), n_units=100
    )
    asked = replace(
        experiment, analysis=replace(experiment.analysis, tasks="K562 - HepG2")
    )
    answer = asked.analyze(cg.run(asked, PREDICTOR, rng=0), rng=0)
    assert answer.tasks == ["K562 - HepG2"]
    assert answer.sentences[0].startswith("Task K562 - HepG2: ")
    assert "K562 - HepG2" in str(answer)
    by_hand = cg.contrast(cg.run(experiment, PREDICTOR, rng=0), tasks="K562 - HepG2")
    np.testing.assert_allclose(
        answer.estimates["ace"], cg.estimate(by_hand)["ace"], rtol=1e-12
    )


def test_a_trial_that_watches_every_task_takes_none():
    with pytest.raises(DesignError, match="until= monitors the effect in each task"):
        cg.run(
            DESIGN, PREDICTOR, rng=0, analysis=PLAN, until=cg.Precision(half_width=0.1)
        )


@pytest.mark.parametrize(
    ("tasks", "options", "message"),
    [
        ("K562 - HepG", {}, "'HepG' is not a task.* did you mean 'HepG2'"),
        ({"K562": 1, "HepG2": -1}, {}, "contrast 'K562' is 1, not weights by task"),
        ({}, {}, "tasks= is empty"),
        ({"a": {"K562": float("nan")}}, {}, "not finite"),
        (
            "K562 - HepG2",
            {"scale": "ratio"},
            "ratios cannot be added; use scale='log_of_means'",
        ),
    ],
)
def test_impossible_contrasts_are_named(tasks, options, message):
    with pytest.raises(ContrastError, match=message):
        cg.contrast(crossover(), control="placebo", tasks=tasks, **options)


def test_tasks_on_different_scales_are_not_subtracted():
    outcomes = crossover().assign_coords(
        task_scale=("task", ["counts", "log counts", "counts"])
    )
    with pytest.raises(
        ContrastError,
        match=r"'K562' is on 'counts' and task 'HepG2' on 'log counts'.* scale='sd'",
    ):
        cg.contrast(outcomes, control="placebo", tasks="K562 - HepG2")
    assert (
        cg.contrast(outcomes, control="placebo", tasks="K562 - GM12878").sizes["task"]
        == 1
    )
    assert (
        cg.contrast(
            outcomes, control="placebo", tasks="K562 - HepG2", scale="sd"
        ).sizes["task"]
        == 1
    )


def sd_units(y: np.ndarray, v=(1.0, -1.0)) -> float:
    """Return the difference between two tasks of the mean effect in sd of the control,
    of outcomes (n, 2, 2).
    """
    return float(((y[:, 1] - y[:, 0]).mean(0) / y[:, 0].std(0, ddof=1)) @ v)


def test_effects_in_sd_are_glass_delta_with_the_error_of_the_sd():
    """Against the closed form, and the jackknife with each unit left out in turn."""
    outcomes = crossover(50).isel(arm=[0, 1], task=[0, 1])
    y = outcomes["outcome"].to_numpy()
    found = cg.estimate(
        cg.contrast(outcomes, control="placebo", tasks="K562 - HepG2", scale="sd")
    )
    np.testing.assert_allclose(found["ace"].item(), sd_units(y), rtol=1e-12)
    n = len(y)
    left = np.array([sd_units(np.delete(y, i, axis=0)) for i in range(n)])
    np.testing.assert_allclose(
        found["se"].item(), np.sqrt((n - 1) ** 2 / n * left.var(ddof=1)), rtol=1e-12
    )
    assert found.attrs["method"].startswith(
        "effects in sd of the control, jackknife over units"
    )


def test_effects_in_the_sd_of_several_controls_have_the_jackknife_error():
    outcomes = crossover(40)
    y = outcomes["outcome"].to_numpy()[:, :, 0]

    def effect(y):
        return (y[:, 1] - (y[:, 0] + y[:, 2]) / 2).mean() / np.sqrt(
            y[:, [0, 2]].var(axis=0, ddof=1).mean()
        )

    weights = {"GATA1": {"GATA1": 1, "placebo": -0.5, "TAL1": -0.5}}
    found = cg.estimate(cg.contrast(outcomes, contrasts=weights, scale="sd")).isel(
        task=0
    )
    left = np.array([effect(np.delete(y, i, axis=0)) for i in range(40)])
    np.testing.assert_allclose(found["ace"].item(), effect(y), rtol=1e-12)
    np.testing.assert_allclose(
        found["se"].item(), np.sqrt(39**2 / 40 * left.var(ddof=1)), rtol=1e-12
    )


def test_a_skewed_control_is_said_in_the_report():
    rng = np.random.default_rng(0)

    def report(draw, n):
        control = draw((n, 1, 2))
        y = np.concatenate(
            [control, control + 3 + rng.normal(size=(n, 1, 2)) / 10], axis=1
        )
        arms = {"arm": ["placebo", "GATA1"], "task": ["K562", "HepG2"]}
        outcomes = xr.Dataset(
            {"outcome": (("unit", "arm", "task"), y)}, arms, {"scale": "counts"}
        )
        effects = cg.contrast(
            outcomes, control="placebo", tasks="K562 - HepG2", scale="sd"
        )
        decisions = cg.decide(cg.estimate(effects), rope=(-0.2, 0.2))
        return cg.report(decisions, notes=True)

    line = (
        r"The control 'placebo' is skewed in task '(K562|HepG2)' and 1 more \(skewness "
        r"[12].\d\), .* there are 200"
    )
    assert re.search(line, report(rng.standard_exponential, 200))
    assert "is skewed" not in report(rng.standard_normal, 200)
    assert "is skewed" not in report(rng.standard_exponential, 4_000)


def test_effects_in_sd_do_not_depend_on_the_units_of_a_task():
    outcomes = crossover()
    wider = outcomes.copy()
    wider["outcome"] = (
        outcomes["outcome"] * xr.DataArray([1.0, 1000.0, 1.0], dims="task") + 7.0
    )
    for name in ("ace", "se", "control_sd"):
        one, other = (
            cg.estimate(
                cg.contrast(o, control="placebo", tasks="K562 - HepG2", scale="sd")
            )
            for o in (outcomes, wider)
        )
        np.testing.assert_allclose(one[name], other[name], rtol=1e-9)


def test_a_control_that_does_not_vary_has_no_sd():
    outcomes = crossover()
    outcomes["outcome"][:, 0, 1] = 0.25
    with pytest.raises(
        ContrastError, match="task 'HepG2' does not vary over units in the control"
    ):
        cg.contrast(outcomes, control="placebo", tasks="K562 - HepG2", scale="sd")
    outcomes["outcome"][3, 0, 1] = 0.5
    with pytest.raises(
        ContrastError,
        match="task 'HepG2' does not vary over units but for one of them in the control",
    ):
        cg.contrast(outcomes, control="placebo", tasks="K562 - HepG2", scale="sd")
    assert (
        cg.contrast(outcomes, control="placebo", tasks="K562 - GM12878", scale="sd")[
            "ice"
        ]
        .notnull()
        .all()
    )
    with pytest.raises(ContrastError, match="needs three units, and there are 2"):
        cg.contrast(crossover(2), control="placebo", scale="sd")
    with pytest.raises(ContrastError, match="scale='sd' needs a crossover"):
        cg.contrast(parallel(), control="placebo", tasks="K562 - HepG2", scale="sd")


@pytest.mark.rotating
@pytest.mark.long
@pytest.mark.parametrize(
    ("tail", "n", "least"),
    [("normal", 200, 0.935), ("exponential", 200, 0.92), ("exponential", 1_000, 0.93)],
)
def test_intervals_in_sd_cover(tail, n, least):
    """Large effects, whose error is mostly that of the sd, in 2,000 pairs of tasks: 95
    % intervals cover about .95.

    Of exponential controls they cover .94 with 200 units. With the sd taken as known,
    fewer than .3 are covered.
    """
    rng, repeats = np.random.default_rng(0), 2_000
    draw = (
        rng.standard_normal
        if tail == "normal"
        else (lambda size: rng.standard_exponential(size) - 1)
    )
    control = draw((n, 2, repeats)) * np.array([1.0, 2.0])[:, None]
    ice = np.array([3.0, 2.0])[:, None] + 0.1 * rng.standard_normal((n, 2, repeats))
    y = np.stack([control, control + ice], axis=1).reshape(n, 2, -1)
    names = [f"{side}{i}" for side in "ab" for i in range(repeats)]
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        {"arm": ["placebo", "GATA1"], "task": names},
        {"scale": "counts"},
    )
    pairs = {f"pair {i}": {f"a{i}": 1, f"b{i}": -1} for i in range(repeats)}
    found = cg.estimate(
        cg.contrast(outcomes, control="placebo", tasks=pairs, scale="sd")
    )
    truth = 3.0 / 1.0 - 2.0 / 2.0
    covered = ((found["lower"] <= truth) & (truth <= found["upper"])).mean().item()
    assert least <= covered <= 0.965
    z = (ice / control.std(0, ddof=1) * np.array([1.0, -1.0])[:, None]).sum(1)
    naive = np.abs(z.mean(0) - truth) <= 1.96 * z.std(0, ddof=1) / np.sqrt(n)
    assert naive.mean() < 0.3


def many(n_tasks=40, n_contrasts=1) -> xr.Dataset:
    rng = np.random.default_rng(0)
    names = [f"{'DNASE' if t % 2 else 'RNA'}:cell {t}" for t in range(n_tasks)]
    y = (
        rng.normal(size=(30, n_contrasts + 1, n_tasks))
        + rng.normal(size=n_tasks) * np.arange(n_contrasts + 1)[:, None]
    )
    coords = {
        "arm": ["placebo", *(f"motif {k}" for k in range(n_contrasts))],
        "task": names,
    }
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)}, coords, {"scale": "log counts"}
    )
    return cg.analyze(outcomes, cg.Analysis(control="placebo", rope=(-0.1, 0.1)), rng=0)


def test_a_report_shows_the_largest_of_many_tasks_and_says_how_to_see_the_rest():
    decisions = many()
    text = cg.report(decisions)
    rows = [line for line in text.splitlines() if line.startswith("motif 0  ")]
    shown = [line.split("cell ")[1].split()[0] for line in rows]
    largest = abs(decisions["ace"].squeeze("contrast")).sortby(
        abs(decisions["ace"].squeeze("contrast")), ascending=False
    )
    assert shown == [str(name).split()[-1] for name in largest["task"].values[:20]]
    assert 'the 20 tasks with the largest effects, of 40; rows="all" shows all' in text
    counts = {
        word: int((decisions["verdict"] == word).sum())
        for word in ("increases", "undecided")
    }
    flat = " ".join(text.split())
    assert (
        f"Of 40 effects (1 contrast in 40 tasks), {counts['increases']} raise" in flat
    )
    assert "if q <= .05 over these 40 rows" in text
    whole = cg.report(decisions, rows="all")
    assert sum(line.startswith("motif 0  ") for line in whole.splitlines()) == 40
    assert "largest effects" not in whole
    assert "largest effects" not in cg.report(many(30))


def test_a_selection_is_a_name_a_pattern_or_several():
    decisions = many()
    text = cg.report(decisions, task="DNASE:*")
    assert "RNA:" not in text
    assert text.count("\nmotif 0  ") == 20
    two = cg.report(decisions, task=["RNA:cell 0", "DNASE:cell 1"]).splitlines()
    at = next(i for i, line in enumerate(two) if line.startswith("motif 0  "))
    assert two[at - 2].split() == ["RNA:cell", "0", "DNASE:cell", "1"]
    assert two[at].count("[") == 2
    with pytest.raises(
        ContrastError,
        match=r"report: task 'ATAC:\*' is not there.*40 tasks; a pattern such as 'RNA:\*'",
    ):
        cg.report(decisions, task="ATAC:*")
    with pytest.raises(OutcomesError, match="is for results of a trial"):
        cg.report(
            cg.mpra.library(DESIGN, oligo_length=60, adapters="lentimpra", rng=7),
            task="K562",
        )


def test_a_picture_takes_several_tasks():
    decisions = many(n_contrasts=2)
    axes = cg.plot.forest(decisions, task="DNASE:cell ?")
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert sorted(labels) == sorted(
        f"motif {k}, DNASE:cell {t}" for k in range(2) for t in (1, 3, 5, 7, 9)
    )
    axes = cg.plot.forest(
        decisions.sel(contrast=["motif 0"]), task=["RNA:cell 0", "DNASE:cell 1"]
    )
    assert sorted(label.get_text() for label in axes.get_yticklabels()) == [
        "DNASE:cell 1",
        "RNA:cell 0",
    ]
    assert axes.get_title("left").startswith("motif 0, 2 tasks")


def test_a_picture_of_thousands_of_tasks_names_the_cure():
    decisions = many(1_000)
    with pytest.raises(
        ContrastError, match=r"forest: several tasks.*1,000 tasks; a pattern such as"
    ) as error:
        cg.plot.forest(decisions)
    assert len(str(error.value)) < 300
    with pytest.raises(
        ContrastError,
        match="500 rows, and a picture shows 200; give a narrower pattern",
    ):
        cg.plot.forest(decisions, task="DNASE:*")
    with pytest.raises(
        ContrastError, match="is 500 tasks, .* and this figure is of one"
    ):
        cg.plot.profile(
            decisions.assign_coords(at=("contrast", [1.0])), along="at", task="DNASE:*"
        )


@pytest.mark.rotating
def test_the_saved_picture_of_many_tasks_has_the_largest(tmp_path):
    from causalgia.plot.forest_plot import save_forest

    path = save_forest(many(100, n_contrasts=12), tmp_path / "forest.png")
    assert 1_000 < path.stat().st_size < 2_000_000


def test_what_has_too_many_pairs_or_the_name_of_a_task_is_refused():
    names = [f"ATAC:{i}" for i in range(201)]
    with pytest.raises(
        ContrastError,
        match="of 201 tasks is 20,100 differences; up to 200 tasks are paired",
    ):
        requested_task_weights("pairwise", names)
    assert len(requested_task_weights("reference", names).weights) == 200
    arms = {"arm": names, "task": ["K562"]}
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), np.zeros((3, 201, 1)))}, arms
    )
    for ask in ("pairwise", ["pairwise"]):
        with pytest.raises(
            ContrastError, match="'pairwise' of 201 arms .* or say 'reference'"
        ):
            cg.contrast(outcomes, contrasts=ask)
    assert cg.contrast(outcomes, contrasts="reference").sizes["contrast"] == 200
    assert list(requested_task_weights("ATAC:1 - ATAC:2", names).weights) == [
        "ATAC:1 - ATAC:2"
    ]
    assert list(requested_task_weights(["ATAC:1"], names).weights) == ["ATAC:1"]
    with pytest.raises(
        ContrastError, match="'ATAC:1' has the name of a task, and is another sum"
    ):
        requested_task_weights({"ATAC:1": {"ATAC:1": 1.0, "ATAC:2": -1.0}}, names)
    with pytest.raises(DesignError, match="no keyword such as 'pairwise'"):
        cg.Analysis(control="c", tasks="pairwise")


ASSAYS = ["DNASE:K562", "DNASE:HepG2", "RNA:K562", "RNA:HepG2"]
MEANS = {"DNASE:K562": 0.5, "DNASE:HepG2": 0.5, "RNA:K562": -0.5, "RNA:HepG2": -0.5}


@pytest.mark.parametrize(
    ("asked", "weights"),
    [
        ("DNASE:*", {name: {name: 1.0} for name in ASSAYS[:2]}),
        ("`DNASE:*`", {name: {name: 1.0} for name in ASSAYS[:2]}),
        ("*", {name: {name: 1.0} for name in ASSAYS}),
        (
            ["RNA:K562", "*:K562"],
            {name: {name: 1.0} for name in (ASSAYS[2], ASSAYS[0])},
        ),
        ("`DNASE:*` - `RNA:*`", {"`DNASE:*` - `RNA:*`": MEANS}),
        ({"open": {"DNASE:*": 1, "RNA:*": -1}}, {"open": MEANS}),
        ({"open": "DNASE:*"}, {"open": dict.fromkeys(ASSAYS[:2], 0.5)}),
        ("2*DNASE:K562", {"2*DNASE:K562": {"DNASE:K562": 2.0}}),
        (
            {"one": {"DNASE:K562": 1, "DNASE:*": -1}},
            {"one": {"DNASE:K562": 1.0, "DNASE:HepG2": -1.0}},
        ),
        (
            "`*` - RNA:K562",
            {
                "`*` - RNA:K562": {
                    name: 1 / 3 if name != ASSAYS[2] else -1.0 for name in ASSAYS
                }
            },
        ),
        ("`RNA:K562`", {"RNA:K562": {"RNA:K562": 1.0}}),
        (
            np.array(["RNA:K562", "RNA:HepG2"]),
            {name: {name: 1.0} for name in ASSAYS[2:]},
        ),
    ],
)
def test_patterns_are_the_tasks_that_they_match_and_in_sums_their_mean(asked, weights):
    assert requested_task_weights(asked, ASSAYS).weights == weights
    plan = cg.Analysis(control="c", tasks=asked)
    assert (
        requested_task_weights(plan.weights_by_task_contrast, ASSAYS).weights == weights
    )
    assert cg.Analysis.from_toml(plan.to_toml()) == plan


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            "DNASE:* - RNA:*",
            "in a sum a pattern must be in backticks, '`DNASE:[*]` - `RNA:[*]`'",
        ),
        ("2*DNASE:*", "in backticks, '2[*]`DNASE:[*]`'"),
        ("ATAC:*", "'ATAC:[*]' is not a task"),
        ({"open": {"ATAC:*": 1}}, "'ATAC:[*]' is not a task"),
        ({"none": {"DNASE:*": 1, "D*": -1}}, "match the same tasks, and all cancel"),
        (
            {"none": {"DNASE:K562": 1, "DNASE:K*": -1}},
            "'DNASE:K[*]' matches no other task than those that the sum",
        ),
        ("D* - R*", "must be in backticks: '`D[*]` - `R[*]`'"),
    ],
)
def test_patterns_of_no_task_and_in_no_sum_are_refused(asked, message):
    outcomes = crossover().isel(task=[0, 1, 2, 0]).assign_coords(task=ASSAYS)
    with pytest.raises(ContrastError, match=message):
        cg.contrast(outcomes, control="placebo", tasks=asked)


def test_names_with_signs_in_a_sum_are_shown_in_backticks():
    names = ["K-x*", "HepG2", "K x"]
    for text, cure in (
        ("K-x* - HepG2", "`K-x*` - HepG2"),
        ("K x - HepG2", "`K x` - HepG2"),
    ):
        with pytest.raises(ContrastError, match=re.escape(repr(cure)) + "$"):
            requested_task_weights(text, names)
        assert list(requested_task_weights(cure, names).weights.values()) == [
            {names[text == "K x - HepG2" and 2]: 1.0} | {"HepG2": -1.0}
        ]


@pytest.mark.parametrize(
    ("asked", "clause"),
    [("K562 - HepG2", "K562 - HepG2"), (["K562", "K562 - HepG2"], "each of 2")],
)
@pytest.mark.parametrize("over", [None, "model"])
def test_a_report_names_the_contrasts_of_tasks_once(asked, clause, over):
    both = xr.concat(
        [crossover(seed=0), crossover(seed=1)],
        xr.Variable("model", ["m0", "m1"]),
        join="outer",
    )
    both = both.transpose(..., "model")
    one = {"contrasts": "(GATA1 + TAL1)/2 - placebo"}
    effects = (
        cg.contrast_models(both, control="m0", tasks=asked)
        if over
        else cg.contrast(crossover(), tasks=asked, **one)
    )
    text = cg.report(cg.decide(cg.estimate(effects), rope=(-0.1, 0.1)))
    said = text.split("\n\n")[2].splitlines()[0]
    assert said.lower().count(clause.lower()) == 1
    assert ", of ," not in said


def test_kept_effects_say_where_other_contrasts_come_from():
    effects = cg.contrast(crossover(), control="placebo")
    with pytest.raises(
        OutcomesError,
        match="need the outcomes: run the trial without keep=, or with an analysis that",
    ):
        cg.contrast(effects, tasks="K562 - HepG2")


def test_a_name_that_is_there_is_no_pattern():
    assert requested_task_weights("K[5]62", ["K[5]62", "K562"]).weights == {
        "K[5]62": {"K[5]62": 1.0}
    }


@pytest.mark.parametrize("tasks", ["*", "K*", "`*` - K562"])
def test_a_plan_with_patterns_is_carried_out_as_planned(tmp_path, tasks):
    plan = replace(PLAN, tasks=tasks)
    outcomes = cg.run(DESIGN, PREDICTOR, rng=0, analysis=plan)
    assert "exploratory" not in cg.contrast(outcomes).attrs
    assert "exploratory" not in cg.contrast(outcomes, tasks=tasks).attrs
    found = cg.analyze(outcomes, rng=0)
    assert "exploratory" not in found.attrs
    kept = cg.analyze(
        cg.run(DESIGN, PREDICTOR, rng=0, analysis=plan, keep="effects"), rng=0
    )
    assert np.array_equal(kept["ace"], found["ace"])
    assert cg.contrast(outcomes, tasks="HepG2").attrs["exploratory"] == "tasks"


def test_every_task_by_a_pattern_is_the_analysis_of_each_task():
    """So ``--tasks '*'`` takes a plan with a contrast of tasks back to single tasks."""
    outcomes = cg.run(DESIGN, PREDICTOR, rng=0, analysis=PLAN)
    with pytest.warns(ExploratoryWarning, match="in tasks"):
        one, other = (
            cg.analyze(outcomes, replace(PLAN, tasks=tasks), rng=0)
            for tasks in ("*", None)
        )
    for name in ("ace", "lower", "upper", "q", "rope_upper"):
        assert np.array_equal(one[name], other[name]), name
    assert cg.report(one) == cg.report(other)


def test_a_plan_names_a_pattern_of_no_task_before_anything_is_predicted():
    with pytest.raises(
        DesignError,
        match=r"Analysis: tasks: 'RNA:\*' names 'RNA:\*', which is not a task",
    ):
        cg.run(DESIGN, PREDICTOR, rng=0, analysis=replace(PLAN, tasks="RNA:*"))
    with pytest.raises(DesignError, match="no region for the task 'HepG2'"):
        cg.run(
            DESIGN,
            PREDICTOR,
            rng=0,
            analysis=replace(PLAN, tasks="[KH]*", rope={"K562": (-0.1, 0.1)}),
        )


@pytest.mark.parametrize("task", ["K562", ["K562", "HepG2"]])
def test_the_legend_of_a_picture_explains_every_mark_and_no_other(task):
    ace = np.array([[1.0, 0.0], [0.5, 0.0]])
    table = xr.Dataset(
        {
            "ace": (("contrast", "task"), ace),
            "lower": (("contrast", "task"), ace - [[np.inf, 0.1], [0.1, 0.1]]),
            "upper": (("contrast", "task"), ace + 0.1),
            "unbounded": (
                ("contrast", "task"),
                np.array([[True, False], [False, False]]),
            ),
            "verdict": (
                ("contrast", "task"),
                np.array([["undecided", "negligible"], ["increases", "negligible"]]),
            ),
        },
        {"contrast": ["A", "B"], "task": ["K562", "HepG2"]},
        attrs={"ci_prob": 0.95},
    )
    axes = cg.plot.forest(table, task=task)
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert set(shown) == {"undecided", "increases", "unbounded"} | (
        {"negligible"} if isinstance(task, list) else set()
    )
    axes = cg.plot.forest(
        table.isel(contrast=[1]).drop_vars(["lower", "upper", "unbounded"]), task="K562"
    )
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["increases"]


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("keep", ["outcomes", "effects", "moments"])
def test_the_error_of_an_exact_effect_is_0_and_not_minus_0(keep):
    arms = {"none": cg.Embed("C", at=9), "A": cg.Embed("A", at=9)}
    design = cg.Design(null=cg.Uniform(length=20), arms=arms, n_units=10)
    exact = cg.FunctionPredictor(lambda x: x[:, 0, 9], tasks=["a"], scale="x")
    trial = cg.run(
        design, exact, rng=0, analysis=cg.Analysis(control="none"), keep=keep
    )
    estimates = cg.estimate(cg.contrast(trial) if keep == "outcomes" else trial)
    assert estimates["se"].item() == 0
    assert not np.signbit(estimates["se"].item())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "holds no weights of tasks for ''; estimate again"),
        ('{"a": 1}', "holds no weights of tasks for 'a'"),
        ('{"a": {"K562": "1"}}', "holds no weights of tasks for 'a'"),
        ('{"a": {"K562": true}}', "holds no weights of tasks for 'a'"),
        ('{"a"', r"attrs.'task_weights'.: not valid JSON"),
        ("[" * 2_000, "nested deeper than 100 levels"),
    ],
)
def test_stored_weights_that_were_changed_by_hand_are_refused(text, said):
    with pytest.raises(ContrastError, match=said):
        stored_task_weights(xr.Dataset(attrs={"task_weights": text}))
    assert stored_task_weights(xr.Dataset()) == {}
    assert stored_task_weights(
        xr.Dataset(attrs={"task_weights": '{"a": {"x": 1, "y": -0.5}}'})
    ) == {"a": {"x": 1.0, "y": -0.5}}
