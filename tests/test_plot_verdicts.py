"""Pictures of verdicts and of single units: the right marks, named and counted, inside
the axes.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import PathCollection

import causalgia as cg
from causalgia import plot
from causalgia.planning import power
from causalgia.tell.figures import distribution_plots

ABOUT = {"scale": "log counts", "control": "placebo", "predictor": "Basenji2"}


def decided(effects, se=0.1, rope=(-0.1, 0.1)):
    effects = np.asarray(effects, dtype=float)
    names = [f"motif {i}" for i in range(len(effects))]
    table = cg.from_effects(effects, se=np.full(len(effects), se), names=names)
    return cg.decide(table, rope=rope).assign_attrs(ABOUT)


def marks(axes, label):
    found = [
        c
        for c in axes.collections
        if isinstance(c, PathCollection) and c.get_label() == label
    ]
    return (
        np.concatenate([np.asarray(c.get_offsets()) for c in found])
        if found
        else np.empty((0, 2))
    )


def legend(axes):
    return [
        text.get_text() for found in axes.figure.legends for text in found.get_texts()
    ]


def texts_inside(axes):
    figure = axes.figure
    figure.draw_without_rendering()
    page = figure.bbox
    low, high = sorted(axes.get_ylim())
    ticks = [
        t
        for y, t in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
        if low <= y <= high
    ]
    found = [*axes.texts, axes.xaxis.label, axes.yaxis.label, axes._left_title, *ticks]
    boxes = [
        text.get_window_extent()
        for text in found
        if text.get_text() and text.get_visible()
    ]
    assert all(
        b.x0 >= page.x0 - 1
        and b.x1 <= page.x1 + 1
        and b.y0 >= -1
        and b.y1 <= page.y1 + 1
        for b in boxes
    )
    named = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(named) for b in named[:i])


def test_a_volcano_has_each_effect_at_its_size_and_p():
    table = decided([1.0, -0.6, 0.01], se=0.1)
    axes = plot.volcano(table)
    assert marks(axes, "increases")[0] == pytest.approx(
        [1.0, -np.log10(cg.tidy(table)["p_value"][0])], rel=1e-6
    )
    assert marks(axes, "decreases")[:, 0] == pytest.approx([-0.6])
    (rope,) = [patch for patch in axes.patches if patch.get_label() == "ROPE"]
    assert (rope.get_x(), rope.get_x() + rope.get_width()) == pytest.approx((-0.1, 0.1))
    assert legend(axes) == ["ROPE", "increases", "decreases", "undecided"]
    texts_inside(axes)


def test_effects_without_a_p_are_at_the_edge():
    axes = plot.volcano(decided([90.0, 0.5], se=0.1))
    top = axes.get_ylim()[1]
    assert marks(axes, "increases")[:, 1].max() < top


@pytest.mark.parametrize("draw", [plot.volcano, plot.equivalence])
def test_a_picture_of_one_contrast_and_of_long_names(draw):
    one = decided([0.4]).assign_coords(
        contrast=["a motif whose name is longer than forty characters by far"]
    )
    axes = draw(one)
    texts_inside(axes)
    texts_inside(draw(decided(np.linspace(-1, 1, 30))))


def test_a_volcano_of_many_says_what_it_draws():
    rng = np.random.default_rng(0)
    n = 100_000
    table = xr.Dataset(
        {
            "ace": (("contrast", "task"), rng.normal(size=(n, 1))),
            "p": (("contrast", "task"), rng.uniform(size=(n, 1))),
        },
        coords={"contrast": [str(i) for i in range(n)], "task": ["K562"]},
    )
    axes = plot.volcano(table)
    drawn = marks(axes, "effect")
    assert len(drawn) <= 20_000
    assert f"{len(drawn):,} of 100,000" in axes.get_xlabel()
    largest = np.sort(np.abs(table["ace"].to_numpy().ravel()))[-2_000:]
    assert np.sort(np.abs(drawn[:, 0]))[-2_000:] == pytest.approx(largest)


def test_an_equivalence_plot_has_intervals_in_rows():
    table = cg.decide(
        cg.from_effects([0.0, 3.0], [0.3, 0.3], names=["a", "b"]), rope=(-1, 1)
    )
    axes = plot.equivalence(table)
    (segments,) = (
        found.get_segments()
        for found in axes.collections
        if not isinstance(found, PathCollection)
    )
    limits = [table[name].to_numpy()[:, 0] for name in ("lower", "upper")]
    assert np.array([found[:, 0] for found in segments]) == pytest.approx(
        np.stack(limits, axis=1)
    )
    assert {"ROPE", "95 % intervals"} <= set(legend(axes))
    texts_inside(axes)


def test_an_equivalence_plot_of_many_says_so():
    axes = plot.equivalence(decided(np.linspace(-1, 1, 100)))
    assert axes.get_title("left").startswith("the first 60 of 100 ")


@pytest.fixture(scope="module")
def outcomes():
    arms = {
        "untreated": cg.Untreated(),
        "GCATG": cg.Embed("GCATG", at=12),
        "GCACG": cg.Embed("GCACG", at=12),
    }
    design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=500)
    return cg.run(design, cg.zoo.oracle("rbfox1_like"), rng=0)


def test_a_raincloud_has_every_unit_or_says_how_many(outcomes):
    effects = cg.contrast(outcomes, control="untreated")
    axes = plot.raincloud(effects)
    diamonds = [
        c
        for c in axes.collections
        if isinstance(c, PathCollection) and c.get_zorder() == 5
    ]
    means = [np.asarray(c.get_offsets())[0, 0] for c in diamonds]
    assert means == pytest.approx(effects["ice"].mean("unit").to_numpy().ravel())
    assert any("400 of 500" in text for text in legend(axes))
    assert axes.get_title("left") == "RBFOX1, n = 500"
    texts_inside(axes)
    few = plot.raincloud(effects.isel(unit=slice(50)), contrast="GCATG")
    clouds = [
        c
        for c in few.collections
        if isinstance(c, PathCollection) and c.get_zorder() == 3
    ]
    assert sorted(np.asarray(clouds[0].get_offsets())[:, 0]) == pytest.approx(
        sorted(
            effects["ice"].sel(contrast="GCATG").isel(unit=slice(50)).to_numpy().ravel()
        )
    )


def test_units_without_spread_have_no_density():
    table = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), np.ones((5, 1, 1)))},
        coords={"unit": range(5), "contrast": ["c"], "task": ["t"]},
    )
    assert len(plot.raincloud(table).collections) == len(
        plot.raincloud(table.isel(unit=[0])).collections
    )


def test_boxes_have_the_quantiles_of_each_arm(outcomes):
    axes = distribution_plots.boxes(outcomes)
    for patch, arm in zip(axes.patches, outcomes["arm"], strict=True):
        first, third = (
            outcomes["outcome"].sel(arm=arm).quantile([0.25, 0.75]).to_numpy()
        )
        assert (patch.get_x(), patch.get_x() + patch.get_width()) == pytest.approx(
            (first, third)
        )
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [
        "untreated",
        "GCATG",
        "GCACG",
    ]
    texts_inside(axes)


def test_a_power_curve_is_the_power_of_each_plan():
    plans = [power(sd=1.0, true_effect=0.5, n_units=n) for n in (50, 10, 20)]
    axes = distribution_plots.power_curve(plans)
    assert axes.lines[0].get_xdata().tolist() == [10, 20, 50]
    assert axes.lines[0].get_ydata() == pytest.approx(
        [p["power"].item() for p in (plans[1], plans[2], plans[0])]
    )
    assert "80 %" in legend(axes)
    texts_inside(axes)
    assert distribution_plots.power_curve(plans[:1]).lines


def test_rows_in_the_given_order():
    table = decided([0.1, 1.0, 0.5])
    assert [
        t.get_text() for t in plot.forest(table, sort="given").get_yticklabels()
    ] == [
        "motif 0",
        "motif 1",
        "motif 2",
    ]
    assert [t.get_text() for t in plot.forest(table).get_yticklabels()] == [
        "motif 1",
        "motif 2",
        "motif 0",
    ]


def test_the_picture_of_a_hairpin_goes_place_by_place():
    experiment = cg.experiments.hairpin(n_units=30)
    answer = experiment.analyze(cg.run(experiment, cg.zoo.oracle("vts1_like"), rng=0))
    rows = [tick.get_text() for tick in answer.draw().get_yticklabels()]
    assert rows[:4] == [
        "motif in the open",
        "motif in the loop",
        "loop - open",
        "motif x loop",
    ]
    assert sorted(rows) == sorted(answer.decisions["contrast"].to_numpy())
