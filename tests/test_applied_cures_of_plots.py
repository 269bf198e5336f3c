"""Errors of figures: the cure that each names is taken from its text, applied to the same
call, and the figure shows what it is of.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from cures import Cases, cure_in, refusal
from test_applied_cures import (
    ORACLE,
    STRINGS,
    design,
    estimates,
    many,
    of_three,
    outcomes,
)

import causalgia as cg
from causalgia.plot import curves, distribution_plots, grids, logos, style
from causalgia.plot.verdict_plots import volcano

pytestmark = pytest.mark.rotating(6)

case = Cases()


@pytest.fixture(autouse=True)
def close():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    plt.close("all")


@cache
def of_models() -> xr.Dataset:
    return cg.contrast(of_three(), control="none")


@cache
def models() -> xr.Dataset:
    return cg.estimate(of_models())


def taken(text: str, what: str, table: xr.Dataset, pattern: str = "") -> Any:
    """Return the expression of a message, with the first predictor for its dots."""
    made = cure_in(text, pattern or rf"select (?:one: |one, )({what}\.i?sel\(.*\))")
    first = repr(table["model"].to_numpy().tolist()[0])
    return eval(made.replace("...", first), {what: table})


def shown(axes: Any) -> bool:
    return bool(axes.lines or axes.collections or axes.images or axes.patches)


@case
def a_line_of_one_number() -> Any:
    table = estimates().assign_coords(dose=("contrast", [1.0, 2.0]))
    table = table.isel(contrast=[0, 1])
    text = refusal(curves.against, table, x="dose", task="K562", line=(1.0, np.inf))
    assert cure_in(text, r"must be (an intercept and a slope), two finite numbers")
    axes = curves.against(table, x="dose", task="K562", line=(1.0, 0.5))
    return any(line.get_ydata()[0] == 1.5 for line in axes.lines)


@case
def a_tipping_point_of_several_predictors() -> Any:
    with_gc = of_three()
    found = cg.tipping_point(with_gc, contrast="GATA - none", rope=(-0.1, 0.1))
    text = refusal(curves.tipping_point, found)
    one = taken(text, "found", found, r"select one, (found.isel\(model=0\))")
    return shown(curves.tipping_point(one, contrast="GATA - none", task="K562"))


@case
def a_raincloud_of_several_predictors() -> Any:
    text = refusal(distribution_plots.raincloud, of_models(), task="K562")
    one = taken(text, "effects", of_models())
    return shown(distribution_plots.raincloud(one, task="K562"))


@case
def boxes_of_several_predictors() -> Any:
    text = refusal(distribution_plots.boxes, of_three(), task="K562")
    one = taken(text, "outcomes", of_three())
    return shown(distribution_plots.boxes(one, task="K562"))


@case
def an_arm_that_is_not_there() -> Any:
    given = {"outcomes": outcomes(), "task": "K562"}
    text = refusal(distribution_plots.boxes, **given, arm="GATA1")
    arm = cure_in(text, r"say arm= some of .*'(GATA)'")
    return shown(distribution_plots.boxes(**given, arm=arm))


def plans(**given: Any) -> list[xr.Dataset]:
    return [cg.planning.power(estimates(), n_units=n, **given) for n in (50, 100)]


@case
def plans_of_two_questions() -> Any:
    verdicts, tests = plans(rope=(-0.1, 0.1)), plans(true_effect=0.1)
    text = refusal(distribution_plots.power_curve, [*verdicts, *tests])
    assert cure_in(text, r"; draw (one question at a time)")
    return shown(distribution_plots.power_curve(verdicts))


@case
def too_many_lines() -> Any:
    table = many().assign(n_units=("task", [50]))

    def of(pilot: Any) -> Any:
        return [
            cg.planning.power(pilot, n_units=n, rope=(-0.1, 0.1)) for n in (50, 100)
        ]

    text = refusal(distribution_plots.power_curve, of(table))
    made = cure_in(text, r"select some: (pilot.sel\(contrast=\[...\]\))")
    names = repr(table["contrast"].to_numpy().tolist()[:3])
    few = eval(made.replace("[...]", names), {"pilot": table})
    return len(distribution_plots.power_curve(of(few)).lines) >= 3


def random_strings(n: int) -> list[str]:
    letters = np.random.default_rng(5).choice(
        list("ACGT"), (n, 40), p=(0.2, 0.3, 0.3, 0.2)
    )
    return ["".join(row) for row in letters]


@case
def a_shift_of_no_samples() -> Any:
    made = cure_in(
        refusal(distribution_plots.null_shift, outcomes()),
        r"; give (cg.refutation.null_and_real\(claim\))",
    )
    null, real = cg.Uniform(length=40), random_strings(60)
    trial = cg.run(design(null=null), ORACLE, rng=1, progress=False)
    claim = cg.refutation.Claim(trial, ORACLE, real=real, rng=0, control="none")
    samples = eval(made, {"cg": cg, "claim": claim})
    return shown(distribution_plots.null_shift(samples, task="K562"))


# ---- grids


@cache
def pairs() -> xr.Dataset:
    found = cg.attribution.interactions(STRINGS[:6], ORACLE, positions=[3, 4, 9])
    return cg.estimate(found)


@case
def a_map_of_contrasts_that_are_no_pairs() -> Any:
    text = refusal(grids.interaction_map, estimates(), task="K562")
    made = cure_in(text, r"give (cg.estimate\(.*\))$")
    made = made.replace("predictor)", "predictor, positions=[3, 4, 9])")
    names = {"cg": cg, "sequences": STRINGS[:6], "predictor": ORACLE}
    return shown(grids.interaction_map(eval(made, names), task="K562"))


def stacked(table: xr.Dataset) -> xr.Dataset:
    return xr.concat([table, table], "model").assign_coords(model=["a", "b"])


@cache
def pairs_of_models() -> xr.Dataset:
    members = cg.Ensemble(of_three_networks())
    found = cg.attribution.interactions(STRINGS[:6], members, positions=[3, 4, 9])
    return cg.estimate(found)


def of_three_networks() -> list[Any]:
    from test_applied_cures import network, third

    return [network(0), network(1), third()]


@case
def a_map_of_several_predictors() -> Any:
    text = refusal(grids.interaction_map, pairs_of_models(), task="K562")
    model = eval(cure_in(text, r"say model= one of ([^,]*),"))
    return shown(grids.interaction_map(pairs_of_models(), task="K562", model=model))


@case
def a_model_of_one_predictor() -> Any:
    given = {"table": pairs(), "task": "K562", "model": "a"}
    text = refusal(grids.interaction_map, **given)
    del given[cure_in(text, r"; leave (model)='a' out")]
    return shown(grids.interaction_map(**given))


@cache
def grid() -> xr.Dataset:
    table = cg.from_effects(np.arange(4.0), se=np.full(4, 0.3))
    axes = {"left": [1, 1, 2, 2], "right": [1, 2, 1, 2], "same": [1, 1, 1, 1]}
    return table.assign_coords({k: ("contrast", v) for k, v in axes.items()})


GRID = {"rows": "left", "columns": "right"}


@case
def a_heatmap_of_several_predictors() -> Any:
    names = {"left": ("contrast", [1, 2]), "right": ("contrast", [1, 2])}
    table = models().isel(contrast=slice(0, 2)).assign_coords(names)
    text = refusal(grids.heatmap, table, **GRID, task="K562")
    one = taken(text, "table", table)
    return shown(grids.heatmap(one, **GRID, task="K562"))


@case
def two_contrasts_in_one_cell() -> Any:
    text = refusal(grids.heatmap, grid(), rows="left", columns="same")
    assert cure_in(text, r"; choose (other coordinates), or some of the contrasts")
    made = cure_in(text, r"some of the contrasts: (table.sel\(contrast=\[...\]\))")
    names = repr(grid()["contrast"].to_numpy().tolist()[::2])
    some = eval(made.replace("[...]", names), {"table": grid()})
    of_some = grids.heatmap(some, rows="left", columns="same")
    return shown(of_some) and shown(grids.heatmap(grid(), **GRID))


@case
def a_variable_without_numbers() -> Any:
    table = grid().assign(note=grid()["ace"] * np.nan)
    text = refusal(grids.heatmap, table, **GRID, value="note")
    assert cure_in(text, r"; choose another (variable)")
    return shown(grids.heatmap(table, **GRID, value="se"))


@case
def coordinates_that_no_contrast_has_both() -> Any:
    half = {"right": ("contrast", [1.0, 2.0, np.nan, np.nan])}
    other = {"left": ("contrast", [np.nan, np.nan, 1.0, 2.0])}
    table = grid().assign_coords(half | other)
    text = refusal(grids.heatmap, table, **GRID)
    assert cure_in(text, r"both 'left' and 'right'; choose (other coordinates)")
    table = table.assign_coords(row=("contrast", [1.0, 2.0, 1.0, 2.0]))
    return shown(grids.heatmap(table, rows="row", columns="right"))


@case
def a_coordinate_without_a_value() -> Any:
    table = grid().assign_coords(empty=("contrast", [np.nan] * 4))
    text = refusal(grids.heatmap, table, rows="empty", columns="right")
    assert cure_in(text, r"no contrast has a value of 'empty'; choose another (coord)")
    return shown(grids.heatmap(table, rows="left", columns="right"))


@case
def a_coordinate_of_names() -> Any:
    table = grid().assign_coords(site=("contrast", list("abcd")))
    text = refusal(style.numbers_on_contrasts, table, "site", "profile")
    assert cure_in(text, r"not a coordinate of (finite numbers); choose one that is")
    return [*style.numbers_on_contrasts(table, "left", "profile").values()] == [
        1,
        1,
        2,
        2,
    ]


@case
def a_figure_that_is_closed() -> Any:
    figure, axes = plt.subplots()
    axes.remove()
    text = refusal(style.save_figure, axes, "figure.png")
    assert cure_in(text, r"no longer belong to a figure; (draw) them again")
    axes = figure.add_subplot()
    return axes.get_figure(root=True) is figure


@case
def verdicts_of_several_predictors() -> Any:
    table = cg.decide(models(), rope=(-0.1, 0.1))
    one = taken(refusal(volcano, table, task="K562"), "table", table)
    return shown(volcano(one, task="K562"))


# ---- logos


def heights() -> xr.Dataset:
    values = np.random.default_rng(0).normal(size=(5, 4))
    ace = (("position", "base"), values)
    return xr.Dataset({"ace": ace}, {"position": range(5), "base": list("ACGT")})


@case
def a_logo_of_an_array() -> Any:
    text = refusal(logos.logo, heights()["ace"].to_numpy())
    name, dims = cure_in(text, r"give a Dataset with ('ace' \(.*\)), such").split(
        " ", 1
    )
    values = heights()["ace"].to_numpy()
    table = xr.Dataset(
        {name.strip("'"): (dims.strip("()").split(", "), values)},
        {"base": list("ACGT")},
    )
    return shown(logos.logo(table))


@case
def a_logo_of_another_dim() -> Any:
    table = stacked(heights())
    text = refusal(logos.logo, table)
    dim = cure_in(text, r"has the dims (\w+) too; select one of each")
    return shown(logos.logo(table.isel({dim: 0})))


@case
def a_logo_of_an_infinite_height() -> Any:
    table = heights()
    table["ace"][2, 1] = np.inf
    name = cure_in(refusal(logos.logo, table), r"leave it out as (NaN)")
    table["ace"][2, 1] = float(name)
    return shown(logos.logo(table))


@case
def maps_by_two_methods() -> Any:
    def mapped(method: str) -> xr.Dataset:
        return cg.attribute(
            STRINGS[:1], ORACLE, tasks="K562", method=method, progress=False, **drawn
        )

    drawn = {"rng": 0}
    given = {"attributions": mapped("ism"), "unit": 0}
    text = refusal(logos.map_logo, **given, minus=mapped("shapley"))
    assert cure_in(text, r"are different things; take (one method) for both maps$")
    return shown(logos.map_logo(**given, minus=mapped("ism")))


@case
def an_average_that_is_none() -> Any:
    maps = cg.attribute(STRINGS[:6], ORACLE, tasks="K562", progress=False)
    text = refusal(logos.average_logo, maps)
    call = cure_in(text, r"give one from (cg\.attribution\.average), by a method")
    average = eval(call, {"cg": cg})(maps, STRINGS[0][5:9])
    return shown(logos.average_logo(average))


@case
def ranks_of_few_trials() -> Any:
    drawn = np.random.default_rng(0).integers(0, 10, 200)
    text = refusal(distribution_plots.ranks, drawn[:3], 9)
    n = int(cure_in(text, r"give the ranks of (\d+) trials or more as whole numbers"))
    return shown(distribution_plots.ranks(drawn[:n], 9))


@case.each
def test_the_figure_is_drawn_as_the_message_says(case):
    assert np.all(case())
