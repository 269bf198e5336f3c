# Imports from the inside: weights of tasks as they are parsed and stored, and the
# picture of many.
"""Contrasts between tasks: weighted sums over tasks of individual effects, wherever
effects are asked for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.effects.scales import requested_task_weights, stored_task_weights
from causalgia.errors import (
    ExploratoryWarning,
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


def test_a_region_by_task_names_the_contrasts():
    plan = replace(PLAN, rope={"K562 - HepG2": (-0.1, 0.1)})
    assert (
        cg.analyze(cg.run(DESIGN, PREDICTOR, rng=0, analysis=plan))[
            "rope_upper"
        ].values.max()
        == 0.1
    )


def test_other_tasks_than_planned_are_exploratory():
    outcomes = cg.run(DESIGN, PREDICTOR, rng=0, analysis=PLAN)
    assert "exploratory" not in cg.contrast(outcomes).attrs
    assert cg.contrast(outcomes, tasks="HepG2 - K562").attrs["exploratory"] == "tasks"
    assert cg.contrast(outcomes, control="untreated").attrs["exploratory"] == "tasks"
    with pytest.warns(ExploratoryWarning):
        found = cg.analyze(outcomes, replace(PLAN, tasks=None))
    assert found.attrs["exploratory"] == "tasks"


def test_an_experiment_is_asked_of_the_difference():
    experiment = cg.experiments.copies(
        cg.Uniform(length=60), motif="GCGC", at=(10, 30), n_units=100
    )
    asked = replace(
        experiment, analysis=replace(experiment.analysis, tasks="K562 - HepG2")
    )
    answer = asked.analyze(cg.run(asked, PREDICTOR, rng=0), rng=0)
    assert answer.tasks == ["K562 - HepG2"]
    by_hand = cg.contrast(cg.run(experiment, PREDICTOR, rng=0), tasks="K562 - HepG2")
    np.testing.assert_allclose(
        answer.estimates["ace"], cg.estimate(by_hand)["ace"], rtol=1e-12
    )


def test_tasks_on_one_scale_or_in_sd_are_subtracted():
    outcomes = crossover().assign_coords(
        task_scale=("task", ["counts", "log counts", "counts"])
    )
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


def test_a_control_that_does_not_vary_in_a_task_that_is_not_asked_is_no_matter():
    outcomes = crossover()
    outcomes["outcome"][:, 0, 1] = 0.25
    assert (
        cg.contrast(outcomes, control="placebo", tasks="K562 - GM12878", scale="sd")[
            "ice"
        ]
        .notnull()
        .all()
    )


@pytest.mark.simulation
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
    return cg.analyze(outcomes, cg.Analysis(control="placebo", rope=(-0.1, 0.1)))


def test_a_report_shows_the_largest_of_many_tasks():
    decisions = many()
    text = cg.report(decisions)
    rows = [line for line in text.splitlines() if line.startswith("motif 0  ")]
    shown = [line.split("cell ")[1].split()[0] for line in rows]
    largest = abs(decisions["ace"].squeeze("contrast")).sortby(
        abs(decisions["ace"].squeeze("contrast")), ascending=False
    )
    assert shown == [str(name).split()[-1] for name in largest["task"].values[:20]]
    whole = cg.report(decisions, rows="all")
    assert sum(line.startswith("motif 0  ") for line in whole.splitlines()) == 40


def test_a_selection_is_a_name_a_pattern_or_several():
    decisions = many()
    text = cg.report(decisions, task="DNASE:*")
    assert "RNA:" not in text
    assert text.count("\nmotif 0  ") == 20
    two = cg.report(decisions, task=["RNA:cell 0", "DNASE:cell 1"]).splitlines()
    at = next(i for i, line in enumerate(two) if line.startswith("motif 0  "))
    assert two[at - 2].split() == ["RNA:cell", "0", "DNASE:cell", "1"]
    assert two[at].count("[") == 2


@pytest.mark.simulation
def test_a_picture_takes_several_tasks():
    decisions = many(n_contrasts=2)
    axes = cg.plot.forest(decisions, task="DNASE:cell ?")  # five of them
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert sorted(labels) == sorted(
        f"motif {k}, DNASE:cell {t}" for k in range(2) for t in (1, 3, 5, 7, 9)
    )
    axes = cg.plot.forest(
        decisions.sel(contrast=["motif 0"]), task=["RNA:cell 0", "DNASE:cell 1"]
    )
    assert [panel.get_title() for panel in axes.figure.axes] == [
        "RNA:cell 0",
        "DNASE:cell 1",
    ]


@pytest.mark.simulation
def test_the_saved_picture_of_many_tasks_has_the_largest(tmp_path):
    from causalgia.tell.figures.style import save_figure

    drawn = cg.plot.forest(many(100, n_contrasts=12))
    assert len(drawn.get_yticklabels()) == 20
    path = save_figure(drawn, tmp_path / "forest.png")
    assert 1_000 < path.stat().st_size < 2_000_000


def test_every_contrast_with_a_reference_of_hundreds_is_asked():
    names = [f"ATAC:{i}" for i in range(201)]
    assert len(requested_task_weights("reference", names).weights) == 200
    arms = {"arm": names, "task": ["K562"]}
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), np.zeros((3, 201, 1)))}, arms
    )
    assert cg.contrast(outcomes, contrasts="reference").sizes["contrast"] == 200
    assert list(requested_task_weights("ATAC:1 - ATAC:2", names).weights) == [
        "ATAC:1 - ATAC:2"
    ]
    assert list(requested_task_weights(["ATAC:1"], names).weights) == ["ATAC:1"]


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


def test_names_with_signs_stand_in_backticks_in_a_sum():
    names = ["K-x*", "HepG2", "K x"]
    for text, first in (("`K-x*` - HepG2", "K-x*"), ("`K x` - HepG2", "K x")):
        assert list(requested_task_weights(text, names).weights.values()) == [
            {first: 1.0, "HepG2": -1.0}
        ]


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
    found = cg.analyze(outcomes)
    assert "exploratory" not in found.attrs
    kept = cg.analyze(cg.run(DESIGN, PREDICTOR, rng=0, analysis=plan, keep="effects"))
    assert np.array_equal(kept["ace"], found["ace"])
    assert cg.contrast(outcomes, tasks="HepG2").attrs["exploratory"] == "tasks"


def test_every_task_by_a_pattern_is_the_analysis_of_each_task():
    """So ``--tasks '*'`` takes a plan with a contrast of tasks back to single tasks."""
    outcomes = cg.run(DESIGN, PREDICTOR, rng=0, analysis=PLAN)
    with pytest.warns(ExploratoryWarning):
        one, other = (
            cg.analyze(outcomes, replace(PLAN, tasks=tasks)) for tasks in ("*", None)
        )
    for name in ("ace", "lower", "upper", "q", "rope_upper"):
        assert np.array_equal(one[name], other[name]), name
    assert cg.report(one) == cg.report(other)


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
            "rope_lower": (("contrast", "task"), np.full((2, 2), -0.1)),
            "rope_upper": (("contrast", "task"), np.full((2, 2), 0.1)),
        },
        {"contrast": ["A", "B"], "task": ["K562", "HepG2"]},
        attrs={"ci_prob": 0.95},
    )
    axes = cg.plot.forest(table, task=task)
    (legend,) = axes.figure.legends
    shown = [text.get_text() for text in legend.get_texts()]
    assert set(shown) == {"ROPE", "undecided", "increases"} | (
        {"negligible"} if isinstance(task, list) else set()
    )
    axes = cg.plot.forest(
        table.isel(contrast=[1]).drop_vars(["lower", "upper", "unbounded"]), task="K562"
    )
    (legend,) = axes.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["ROPE", "increases"]


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


def test_stored_weights_are_read_back():
    assert stored_task_weights(xr.Dataset()) == {}
    assert stored_task_weights(
        xr.Dataset(attrs={"task_weights": '{"a": {"x": 1, "y": -0.5}}'})
    ) == {"a": {"x": 1.0, "y": -0.5}}
