"""Errors of effects, of analyses and of verdicts: the cure that each names is taken from
its text and applied to the same call, and the answer is the right one.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cures import Cases, arguments, cure_in, cured, evaluated, refusal
from test_applied_cures import (
    ARMS,
    STRINGS,
    WITH_NONE,
    answer,
    design,
    effects,
    equal,
    estimates,
    four_arms,
    many,
    network,
    of_three,
    outcomes,
    positive,
    run,
)

import causalgia as cg
from causalgia._analyze import check_rope
from causalgia.analysis_values import Prior
from causalgia.effect_table import positions_of, selected_tasks
from causalgia.estimation import dose_contrasts
from causalgia.verdicts import _tipping_point, heterogeneity
from causalgia.verdicts._tipping_point import tilt

pytestmark = pytest.mark.rotating(6)

case = Cases()


TABLE = pd.DataFrame(
    {
        "unit": np.repeat(np.arange(6), 4),
        "arm": ["wt", "wt", "A", "A"] * 6,
        "task": ["x", "y"] * 12,
        "gc": np.repeat(np.linspace(0.4, 0.5, 6), 4),
    }
).assign(y=lambda x: np.random.default_rng(0).normal(size=len(x)) + 5)
ROLES = {"outcome": "y", "arm": "arm", "unit": "unit", "task": "task"}


def framed(**given: Any) -> Any:
    return cg.from_frame(**ROLES | {"frame": TABLE} | given)


def with_gaps() -> xr.Dataset:
    return framed(frame=TABLE.assign(y=TABLE["y"].where(TABLE.index != 9)))


# ---- tables


@case
def tasks_compared_where_cells_are_missing() -> Any:
    given = {"control": "wt", "tasks": {"x - y": {"x": 1, "y": -1}}}
    said = refusal(cg.contrast, with_gaps(), **given)
    made = cure_in(
        said, r"or take the units with every cell: (outcomes.dropna\('\w+'\))"
    )
    found = cg.contrast(eval(made, {"outcomes": with_gaps()}), **given)
    return found["ice"].sizes["unit"] == 5


@case
def tasks_one_by_one_where_cells_are_missing() -> Any:
    given = {"control": "wt", "tasks": {"x - y": {"x": 1, "y": -1}}}
    said = refusal(cg.contrast, with_gaps(), **given)
    cure_in(said, r"(contrast each task by itself), or")
    found = cg.estimate(cg.contrast(with_gaps(), control="wt"))
    return list(found["task"].values) == ["x", "y"]


@case
def a_ratio_where_cells_are_missing() -> Any:
    given = {"control": "wt", "scale": "ratio"}
    said = refusal(cg.contrast, with_gaps(), **given)
    scale = cure_in(said, r"use '\w+' or '(\w+)', or take")
    made = cure_in(
        said, r"or take the units with every cell: (outcomes.dropna\('\w+'\))"
    )
    whole = cg.contrast(eval(made, {"outcomes": with_gaps()}), **given)
    assert whole.sizes["unit"] == 5
    found = cg.estimate(cg.contrast(with_gaps(), **given | {"scale": scale}))
    return np.isfinite(found["ace"]).all()


@case
def a_list_of_rows() -> Any:
    rows = TABLE.to_dict("records")
    made = cure_in(refusal(framed, frame=rows), r"make it a pandas (DataFrame) first")
    return framed(frame=getattr(pd, made)(rows)).identical(framed())


@case
def a_column_of_dates() -> Any:
    dated = TABLE.assign(when=pd.date_range("2026-01-01", periods=24))
    said = refusal(framed, frame=dated, outcome="when")
    names = cure_in(said, r"name a column of numbers: (.*)$").split(" or ")
    assert "'y'" in names
    return framed(frame=dated, outcome="y").identical(framed())


@case
def a_column_with_a_word() -> Any:
    table = TABLE.astype({"y": object})
    table.loc[table["unit"] == 2, "y"] = "low"
    row = int(
        cure_in(
            refusal(framed, frame=table), r"row (\d+) has 'low'; .*leave the row out"
        )
    )
    assert table.loc[row, "y"] == "low"
    left = table[table["y"] != "low"].astype({"y": float})
    return framed(frame=left).identical(framed(frame=TABLE[TABLE["unit"] != 2]))


@case
def an_arm_without_an_outcome_in_a_task() -> Any:
    both = pd.concat([TABLE, TABLE[TABLE["arm"] == "A"].assign(arm="B")])
    gone = both.assign(
        y=both["y"].where((both["arm"] != "B") | (both["task"] != "y"))
    ).reset_index(drop=True)
    said = refusal(framed, frame=gone)
    arm, task = (
        cure_in(said, pattern)
        for pattern in (
            r"arm '(\w+)' has no",
            r"of task '(\w+)'; leave that arm or that",
        )
    )
    assert framed(frame=gone[gone["arm"] != arm]).sizes["arm"] == 2
    return framed(frame=gone[gone["task"] != task]).sizes["arm"] == 3


@case
def a_covariate_that_is_the_outcome() -> Any:
    said = refusal(framed, covariates=["y"])
    cure_in(said, r"(name what came before)$")
    return "gc" in framed(covariates=["gc"]).coords


# ---- weights and scales


@case
def an_interaction_without_factors() -> Any:
    made = evaluated(
        cg.contrast,
        {"outcomes": four_arms(), "interaction": ["motif", "site"]},
        r"or give their levels: (outcomes.assign_coords\(.*\))$",
        fill={"[0, 1, ...]": "[0, 1, 0, 1]"},
    )
    made = made.assign_coords(site=("arm", [0, 0, 1, 1]))
    found = cg.contrast(made, interaction=["motif", "site"])
    return found.sizes["contrast"] == 1


@case
def arms_of_one_dose() -> Any:
    given = {"none": 0, "one": 1, "again": 1, "three": 3}
    arm = cure_in(
        refusal(dose_contrasts, given, kind="consecutive"), r"arm '(\w+)' shares .*drop"
    )
    left = {name: dose for name, dose in given.items() if name != arm}
    return len(dose_contrasts(left, kind="consecutive")) == 2


@case
def an_unknown_kind_of_doses() -> Any:
    found = cured(
        dose_contrasts,
        {"outcomes": {"none": 0, "one": 1}, "kind": "linear"},
        r"is not one of ('slope')",
        fill={"'slope'": "kind='slope'"},
    )
    return found == {"slope": {"none": -1.0, "one": 1.0}}


@case
def an_arm_of_two_doses() -> Any:
    given = pd.Series([0, 1, 2, 3], ["none", "one", "one", "three"])
    arm = cure_in(
        refusal(dose_contrasts, given), r"arm '(\w+)' has more than one .*give one for"
    )
    once = given[~((given.index == arm) & given.index.duplicated())]
    return set(dose_contrasts(once)["slope"]) == {"none", "one", "three"}


@case
def bliss_without_a_ceiling() -> Any:
    trial = factorial()
    given = {"outcomes": trial, "interaction": ["a", "b"], "scale": "bliss"}
    named = cure_in(refusal(cg.contrast, **given), r"and (ceiling=) .* go together")
    top = float(trial["outcome"].max()) * 2
    found = cg.contrast(**given, **arguments(f"{named}{top}"))
    return np.isfinite(cg.estimate(found)["ace"]).all()


@case
def a_ceiling_in_words() -> Any:
    trial = factorial()
    given = {"outcomes": trial, "interaction": ["a", "b"], "scale": "bliss"}
    said = refusal(cg.contrast, **given, ceiling="max")
    cure_in(said, r"give the (largest outcome) there can be$")
    found = cg.contrast(**given, ceiling=float(trial["outcome"].max()) * 2)
    return np.isfinite(cg.estimate(found)["ace"]).all()


@cache
def factorial() -> xr.Dataset:
    y = np.array([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0], [5.0, 7.0]])
    y = y + np.array([-0.25, 0.25, 0.0])[:, None, None]
    levels = {"a": ("arm", [0, 0, 1, 1]), "b": ("arm", [0, 1, 0, 1])}
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        {"arm": ["0", "B", "A", "AB"], "task": ["x", "y"]} | levels,
    )


@case
def an_interaction_between_tasks() -> Any:
    given = {"outcomes": factorial(), "interaction": ["a", "b"], "scale": "bpnet"}
    given |= {"tasks": {"x - y": {"x": 1, "y": -1}}}
    found = cured(cg.contrast, given, r"leave (tasks)= out, or use scale=")
    return list(found["task"].values) == ["x", "y"]


@case
def an_interaction_between_tasks_on_another_scale() -> Any:
    given = {"outcomes": factorial(), "interaction": ["a", "b"], "scale": "bpnet"}
    given |= {"tasks": {"x - y": {"x": 1, "y": -1}}}
    found = cured(cg.contrast, given, r"out, or use (scale='\w+') or 'log_of_means'")
    return np.allclose(found["ice"], (5 - 3 - 2 + 1) - (7 - 4 - 3 + 2))


@case
def models_of_a_parallel_trial() -> Any:
    trio = cg.Ensemble({"m": network(0), "n": network(2)})
    plan = design(assignment="parallel")
    said = refusal(cg.contrast_models, run(plan, trio), models="pairwise")
    left = arguments(cure_in(said, r"leave (assignment='\w+') out of the design"))
    assert left == {"assignment": plan.assignment}
    found = cg.contrast_models(run(design(), trio), models="pairwise")
    return found.sizes["contrast"] >= 1


@case
def models_and_a_control() -> Any:
    given = {"outcomes": of_three(), "control": "none", "models": "pairwise"}
    named = cure_in(
        refusal(cg.contrast_models, **given), r"and (models)= are given; .*give one of"
    )
    other = {k: v for k, v in given.items() if k != "control"}
    assert cg.contrast_models(**other).sizes["contrast"] >= 3
    one = {k: v for k, v in given.items() if k != named} | {"control": "model 0"}
    return "ice" in cg.contrast_models(**one)


# ---- effect tables


@case
def no_task() -> Any:
    said = refusal(selected_tasks, ["DNASE:K562", "RNA:K562"], [])
    pattern = cure_in(said, r'a pattern such as "(.*?)"')
    return selected_tasks(["DNASE:K562", "RNA:K562"], pattern) == ["DNASE:K562"]


@case
def positions_without_a_coordinate() -> Any:
    curves = xr.Dataset({"ace": ("position", [0.1, 0.2, 0.1])})
    made = cure_in(
        refusal(positions_of, curves),
        r"the positions in bp: (\.assign_coords\(.*\))$",
        {"[...]": "[-1, 0, 1]"},
    )
    return positions_of(eval(f"curves{made}")).tolist() == [-1, 0, 1]


# ---- analyses


def analyzed(**given: Any) -> Any:
    return cg.analyze(**{"outcomes": outcomes(), "rng": 0} | given)


@case
def an_analysis_and_a_field() -> Any:
    plan = cg.Analysis(control="none", rope=(-0.1, 0.1))
    given = {"analysis": plan, "error": "each"}
    said = refusal(analyzed, **given)
    field = cure_in(
        said, r"give (\w+)= to cg.Analysis\(\.\.\.\), or leave analysis= out"
    )
    found = analyzed(analysis=replace(plan, **{field: given[field]}))
    alone = analyzed(control="none", rope=(-0.1, 0.1), error="each")
    return found["verdict"].equals(alone["verdict"]) and equal(found, alone)


@case
def a_posterior_of_two_contrasts() -> Any:
    given = {"control": "none", "rope": (-0.1, 0.1), "error": "posterior"}
    found = cured(analyzed, given, r"use (error='fdr')$")
    return "verdict" in found


@case
def a_rope_of_matched_variants() -> Any:
    plan = cg.Analysis(control="none", rope="matched")
    said = refusal(check_rope, plan)
    named = cure_in(said, r"or another (rope=)$")
    plan = replace(plan, **arguments(f"{named}(-0.1, 0.1)"))
    check_rope(plan)
    return "verdict" in analyzed(analysis=plan)


@case
def families_by_an_unknown_name() -> Any:
    trial = outcomes().assign_coords(sort=("arm", ["a", "a", "b"]))
    given = {"outcomes": trial, "control": "none", "rope": (-0.1, 0.1)}
    name = cure_in(
        refusal(analyzed, **given, family="class"), r"there are .*\b(sort)\b"
    )
    return "verdict" in analyzed(**given, family=name)


@case
def clusters_of_moments() -> Any:
    plan = cg.Analysis(control="none", rope=(-0.1, 0.1), weights="clusters")
    null = cg.DinucleotideShuffle(of=STRINGS)
    trial = design(contrasts="none", null=null)
    moments = run(trial, keep="moments")
    said = refusal(analyzed, outcomes=moments, analysis=plan)
    keep = arguments(cure_in(said, r"run the trial with (keep='\w+') or"))
    found = analyzed(outcomes=run(trial, **keep), analysis=plan)
    return np.isfinite(found["ace"]).all()


@case
def a_prediction_decided_by_a_posterior() -> Any:
    given = {"control": "none", "target": "next predictor", "error": "posterior"}
    said = refusal(cg.Analysis, **given)
    for named in (r"use (error='\w+')", r"or (target='[\w ]+') for their mean"):
        plan = cg.Analysis(**given | arguments(cure_in(said, named)))
        assert plan.control == "none"
    return True


@case
def tasks_that_share_nothing() -> Any:
    plan = cg.Analysis(control="none", across="task")
    said = refusal(run, design(), analysis=plan)
    name = cure_in(said, r"takes \d+ contrasts, .*; leave (across)= out$")
    plan = replace(plan, **{name: None})
    return run(design(), analysis=plan).sizes["unit"] == 60


@case
def a_rope_of_few_placebos() -> Any:
    plan = cg.Analysis(control="none", rope="placebo")
    said = refusal(run, design(n_units=20), analysis=plan)
    made = cure_in(
        said,
        r"add arms with (cg.placebos\(.*\))$",
        {"pattern": "'AGATAAG'", "at=": "at=10"},
    )
    arms = {**ARMS, **eval(made, {"cg": cg})}
    found = run(design(arms=arms, n_units=20), analysis=plan)
    return found.sizes["arm"] == len(ARMS) + 40


@case
def an_analysis_in_attrs_that_is_no_json() -> Any:
    broken = outcomes().assign_attrs(analysis="{")
    plan = cg.Analysis(control="none")
    said = refusal(cg.contrast, broken)
    made = cure_in(said, r"set it, (\.assign_attrs\(.*\)), or drop it$")
    found = eval(f"broken{made}", {"broken": broken, "plan": plan})
    return equal(cg.estimate(cg.contrast(found)), estimates())


@case
def an_unknown_prior_of_tau() -> Any:
    found = cured(
        Prior,
        {"tau": "normal"},
        r"is not one of (\w+)",
        fill={"half_t": "tau='half_t'"},
    )
    return found == Prior(tau="half_t")


@case
def a_prior_without_a_scale() -> Any:
    found = cured(Prior, {"tau_scale": np.inf, "tau": "half_t"}, r"(tau='uniform') can")
    return found.tau == "uniform" and np.isinf(found.tau_scale)


# ---- verdicts


@case
def a_posterior_of_few_contrasts() -> Any:
    table = many().isel(contrast=slice(0, 4))
    posterior = cg.infer(table, law="normal", rng=0, n_draws=400)
    said = refusal(cg.decide, posterior, rope=(-0.5, 0.5), error="posterior")
    verb = cure_in(said, r"decide by tests: (cg.decide\(estimates, \.\.\.\))$")
    verb = verb.replace("...", "rope=(-0.5, 0.5)")
    return "verdict" in eval(verb, {"cg": cg, "estimates": table})


@case
def equal_quantiles() -> Any:
    given = {"effects": effects(), "quantiles": (0.95, 0.95)}
    q = float(cure_in(refusal(heterogeneity, **given), r"for example (0.95)$"))
    return float(heterogeneity(effects(), quantiles=(q,))["prob"].item()) == q


@case
def quantiles_in_words() -> Any:
    found = cured(
        heterogeneity,
        {"effects": effects(), "quantiles": ("median",)},
        r"for example (quantiles=\(.*\))$",
    )
    return found["prob"].values.tolist() == [0.05, 0.5, 0.95]


Z = np.array([-1.2, -0.4, 0.1, 0.5, 1.0])


@case
def a_tilt_beyond_the_units() -> Any:
    most = float(
        cure_in(refusal(tilt, Z, 3.0), r"between \S+ and (\S+) sd; ask for less$")
    )
    found = tilt(Z, 0.9 * most)
    return np.isclose(found.weights @ Z, 0.9 * most)


@case
def a_tilt_that_is_not_found() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_tipping_point, "_MOST_BISECTIONS", 2)
        cure_in(refusal(tilt, Z, 0.9), r"was not found; (ask for less)$")
        return np.isclose(tilt(Z, 1e-9).weights @ Z, 1e-9)


@case
def a_tilt_of_measured_activities() -> Any:
    measured = of_three().assign_attrs(model_is="replicates")
    given = {"contrast": "GATA - none", "rope": (-0.1, 0.1)}
    said = refusal(cg.tipping_point, measured, **given)
    cure_in(said, r"(use their estimates)$")
    found = cg.estimate(cg.contrast(measured, contrasts=["GATA - none"]))
    return "verdict" in cg.decide(found, rope=given["rope"])


# ---- names and rows of a table


@case
def a_row_without_an_arm() -> Any:
    table = TABLE.assign(arm=TABLE["arm"].where(TABLE["unit"] != 2))
    row = int(cure_in(refusal(framed, frame=table), r"row (\d+): .* or drop the row"))
    assert pd.isna(table["arm"][row])
    found = framed(frame=table[table["arm"].notna()])
    return found.identical(framed(frame=TABLE[TABLE["unit"] != 2]))


@case
def an_outcome_that_is_infinite() -> Any:
    table = TABLE.assign(y=TABLE["y"].where(TABLE.index != 9, np.inf))
    unit = cure_in(
        refusal(framed, frame=table), r"\(unit (\w+), .*or drop every row of that unit"
    )
    found = framed(frame=table[table["unit"].astype(str) != unit])
    return found.identical(framed(frame=TABLE[TABLE["unit"] != 2]))


@case
def a_covariate_with_a_name_of_the_library() -> Any:
    table = TABLE.assign(random=TABLE["gc"])
    said = refusal(framed, frame=table, covariates=["random"])
    name = cure_in(said, r"covariate '(\w+)': .*; rename the column$")
    found = framed(frame=table.rename(columns={name: "content"}), covariates="content")
    return np.allclose(found["content"], TABLE["gc"][::4])


@case
def a_column_that_appears_twice() -> Any:
    twice = pd.concat([TABLE, TABLE[["y"]] + 1], axis=1)
    name = cure_in(refusal(framed, frame=twice), r"'(\w+)' appears twice; rename one$")
    names = list(twice.columns)
    names[len(names) - 1 - names[::-1].index(name)] = "other"
    return framed(frame=twice.set_axis(names, axis=1)).identical(framed())


@case
def an_arm_that_cannot_be_printed() -> Any:
    table = TABLE.replace({"arm": {"A": "A\a"}})
    name = cure_in(refusal(framed, frame=table), r"has ('.*'), which .*; rename it$")
    return framed(frame=table.replace({"arm": {eval(name): "A"}})).identical(framed())


@case
def a_contrast_named_as_a_task() -> Any:
    given = {"outcomes": framed(), "control": "wt"}
    weights = {"x": {"x": 1, "y": -1}}
    said = refusal(cg.contrast, **given, tasks=weights)
    name = cure_in(said, r"the contrast '(\w+)' has the name of .*; rename it$")
    found = cg.contrast(**given, tasks={f"{name} - y": weights[name]})
    return list(found["task"].values) == ["x - y"]


@case
def placebos_of_two_widths() -> Any:
    arms = {"none": cg.Untreated(), "seven": cg.Embed("AGATAAG", at=10)}
    arms["nine"] = cg.Embed("AGATAAGCA", at=10)
    arms |= cg.placebos("AGATAAG", at=10, n_placebos=80)
    table = cg.contrast(run(design(arms=arms, n_units=60)), control="none")
    names = table["contrast"].to_numpy().tolist()
    wide = [
        name == "nine" or (k % 2 == 1 and name != "seven")
        for k, name in enumerate(names)
    ]
    table = table.assign_coords(placebo_class=("contrast", np.where(wide, 9, 7)))
    given = {"rope": "placebo"}
    text = refusal(cg.tipping_point, table, contrast=["seven", "nine"], **given)
    assert cure_in(text, r"of other widths; (name contrasts of one width)$")
    return "tilted_ace" in cg.tipping_point(table, contrast=["seven"], **given)


@case
def two_labels_that_are_one_as_text() -> Any:
    mixed = TABLE["arm"].astype(object).where(TABLE["unit"] > 2, "1")
    mixed[(TABLE["unit"] > 3) & (TABLE["arm"] == "wt")] = 1
    mixed[(TABLE["unit"] <= 2) & (TABLE["arm"] == "A")] = "A"
    mixed[(TABLE["unit"] == 3) & (TABLE["arm"] == "wt")] = "1"
    said = refusal(framed, frame=TABLE.assign(arm=mixed))
    name = cure_in(said, r"values that are all '(\w+)' as text; write them one way$")
    found = framed(frame=TABLE.assign(arm=mixed.astype(str)))
    return set(map(str, found["arm"].to_numpy())) == {name, "A"}


@case
def a_covariate_that_changes_within_a_unit() -> Any:
    table = TABLE.copy()
    table.loc[9, "gc"] = 0.9
    said = refusal(framed, frame=table, covariates="gc")
    unit = cure_in(
        said, r"^unit (\w+): 'gc' is .* it must be the same in all its rows$"
    )
    rows = table["unit"].astype(str) == unit
    table.loc[rows, "gc"] = table.loc[rows, "gc"].iloc[0]
    return np.allclose(framed(frame=table, covariates="gc")["gc"], TABLE["gc"][::4])


@case
def all_pairs_of_a_plan() -> Any:
    said = refusal(cg.Analysis, contrasts="pairwise")
    call = cure_in(said, r"name the contrasts, or give (cg\.contrast\(outcomes, .*\))$")
    found = eval(call, {"cg": cg, "outcomes": outcomes()})
    named = [str(one) for one in found["contrast"].to_numpy()]
    return [len(named) == 3, cg.Analysis(contrasts=named).contrasts is not None]


@case
def few_units_of_a_tilt() -> Any:
    table = cg.contrast(run(design(n_units=20)), contrasts=["GATA - none"])
    given = {"rope": (-0.1, 0.1)}
    said = refusal(cg.tipping_point, table, **given)
    least = int(cure_in(said, r"takes (\d+) or more; draw more units$"))
    more = cg.contrast(run(design(n_units=least)), contrasts=["GATA - none"])
    return "tilted_ace" in cg.tipping_point(more, **given)


@case
def effects_in_sd_of_two_units() -> Any:
    def of(n: int, **given: Any) -> Any:
        return cg.contrast(outcomes().isel(unit=slice(n)), control="none", **given)

    said = refusal(of, 2, scale="sd")
    least = {"three": 3}[cure_in(said, r"needs (\w+) units, .*; draw more, or use")]
    named = arguments(cure_in(said, r"or use (scale='identity')$"))
    sd = (
        outcomes()["outcome"]
        .sel(arm="none")
        .isel(unit=slice(least))
        .std("unit", ddof=1)
    )
    in_sd = cg.estimate(of(least, scale="sd"))["ace"].sel(contrast="GATA")
    plain = cg.estimate(of(least))["ace"].sel(contrast="GATA")
    return [
        np.allclose(in_sd, plain / sd, rtol=0.5),
        bool(np.isfinite(in_sd).all()),
        of(2, **named)["ice"].equals(of(2)["ice"]),
    ]


@case
def an_analysis_that_is_no_table() -> Any:
    for read, wrong in ((cg.Analysis.from_json, "3"), (cg.Analysis.from_dict, [1])):
        table = cure_in(refusal(read, wrong), r"; give one such as (\{.*\})$")
        right = read(table if read == cg.Analysis.from_json else eval(table))
        assert right == cg.Analysis(control="untreated", rope=(-0.1, 0.1))
    return True


@case
def lone_units_of_their_parents() -> Any:
    """How two of each are drawn depends on the null model."""
    plan = cg.Analysis(control="none", rope=(-0.1, 0.1), target="parents")

    def of(null: Any, n_units: int, plan: Any = plan) -> Any:
        return run(design(null=null, n_units=n_units), analysis=plan)

    shuffles = cg.DinucleotideShuffle(of=STRINGS)
    said = refusal(of, shuffles, 30)
    n = arguments(cure_in(said, r"draw two of each \((n_units=\d+)\), or"))
    found = [of(shuffles, **n)]
    said = refusal(of, cg.Genomic(of=STRINGS), 24)
    given = arguments(cure_in(said, r"draw each sequence twice \((n_draws=.*)\), or"))
    found += [of(cg.Genomic(of=STRINGS, n_draws=given.pop("n_draws")), **given)]
    said = refusal(of, cg.Uniform(length=40), 30)
    null = cure_in(said, r"draw units from given sequences \(null=(.*\))\), or")
    found += [of(eval(null.replace("...", "STRINGS")), 48)]
    pairs = [np.unique(one["parent"], return_counts=True)[1].min() for one in found]
    name = cure_in(said, r"or leave (\w+)= out$")
    plain = of(cg.Uniform(length=40), 30, replace(plan, **{name: "population"}))
    return [*(n == 2 for n in pairs), plain.sizes["unit"] == 30]


@case
def an_outcome_that_is_the_column_of_units() -> Any:
    """It is refused, and never offered in place of a column of words."""
    for wrong in ("unit", "arm", "task"):
        said = refusal(framed, outcome=wrong)
        assert cure_in(said, r"is the column of (\w+)=; name the column of") == wrong
    said = refusal(framed, frame=TABLE.assign(label="high"), outcome="label")
    names = cure_in(said, r"name a column of numbers: (.*)$").split(" or ")
    assert names == ["'gc'", "'y'"]
    found = framed(frame=TABLE.assign(label="high"), outcome=eval(names[1]))
    return found.identical(framed())


@case
def an_analysis_of_outcomes_that_store_none() -> Any:
    given = {"outcomes": outcomes(), "rng": 0}
    said = refusal(cg.analyze, **given)
    fill = {"'...'": "'none'", "lower, upper": "-0.1, 0.1"}
    plan = cure_in(said, r"give one: (cg.Analysis\(.*\)), or these fields", fill)
    found = cg.analyze(**given, analysis=eval(plan))
    fields = plan.removeprefix("cg.Analysis(").removesuffix(")")
    return equal(found, cg.analyze(**given, **arguments(fields)))


@case
def an_analysis_that_is_a_dict() -> Any:
    given = {"outcomes": outcomes(), "analysis": {"control": "none"}, "rng": 0}
    found = cured(
        cg.analyze,
        given,
        r"; for example (cg.Analysis\(.*\))$",
        fill={"cg.Analysis": "analysis=cg.Analysis", "'...'": "'none'"},
    )
    return equal(found, analyzed(control="none", rope=0))


@case
def an_analysis_of_a_region_alone() -> Any:
    said = refusal(analyzed, analysis=cg.Analysis(rope=0))
    control = cure_in(said, r"say (control=) \(one of 'none'") + "'none'"
    contrasts = cure_in(said, r"'GATA'\), (contrasts=) or interaction=$")
    found = [
        analyzed(analysis=cg.Analysis(rope=0, **arguments(named)))
        for named in (control, f"{contrasts}{WITH_NONE}")
    ]
    return [
        equal(found[0], analyzed(control="none", rope=0)),
        equal(found[1], found[0].sel(contrast=["GATA"])),
    ]


@case
def effects_for_which_another_control_is_asked() -> Any:
    plan = cg.Analysis(control="none", rope=(-0.1, 0.1))
    other = replace(plan, control="placebo")
    kept = run(design(), analysis=plan, keep="effects")
    said = refusal(analyzed, outcomes=kept, analysis=other)
    name = cure_in(said, r"leave (\w+) as it was, or")
    as_it_was = replace(other, **{name: getattr(plan, name)})
    found = analyzed(outcomes=kept, analysis=as_it_was)
    keep = arguments(cure_in(said, r"cg.run\(..., (keep='\w+')\)"))
    again = analyzed(outcomes=run(design(), **keep), analysis=other)
    right = analyzed(control="placebo", rope=(-0.1, 0.1))
    return equal(found, analyzed(analysis=plan)) and equal(again, right)


@case
def an_arm_that_is_a_list() -> Any:
    arms = [(0, []), 1] * 2
    rows = pd.DataFrame({"unit": [0, 0, 1, 1], "y": [1.0, 2, 3, 4], "arm": arms})
    roles = {"outcome": "y", "arm": "arm", "unit": "unit"}
    make = {"text": str}[
        cure_in(refusal(cg.from_frame, rows, **roles), r"are not names .*; give (\w+)$")
    ]
    found = cg.from_frame(rows.assign(arm=[make(arm) for arm in arms]), **roles)
    return list(found["arm"].values) == ["(0, [])", "1"]


@case
def an_interaction_that_divides_by_a_negative_mean() -> Any:
    trial = factorial() - 100
    given = {"outcomes": trial, "interaction": ["a", "b"]}
    right = cg.contrast(factorial(), interaction=["a", "b"])
    for scale in ("bpnet", "excess_over_multiplicative"):
        found = cured(cg.contrast, given | {"scale": scale}, r"\((scale='identity')\)$")
        assert np.allclose(found["ice"], right["ice"])
    return True


@case
def a_control_that_does_not_vary() -> Any:
    fixed = (outcomes()["arm"] == "none") & (outcomes()["task"] == "K562")
    trial = outcomes().assign(outcome=outcomes()["outcome"].where(~fixed, 1.0))
    given = {"outcomes": trial, "contrasts": WITH_NONE, "scale": "sd"}
    said = refusal(cg.contrast, **given)
    task = cure_in(said, r"task '(\w+)' does not vary .*; leave the task out, or")
    left = cg.contrast(**given | {"outcomes": trial.drop_sel(task=task)})
    right = cg.contrast(outcomes(), contrasts=WITH_NONE, scale="sd")
    assert np.allclose(left["ice"], right["ice"].sel(task=["HepG2"]))
    plain = cured(cg.contrast, given, r"out, or use (scale='identity')$")
    return plain["ice"].equals(cg.contrast(trial, contrasts=WITH_NONE)["ice"])


@case
def a_ratio_of_means_of_0() -> Any:
    for less, scale in ((100, "log_of_means"), (outcomes()["outcome"], "ratio")):
        trial = outcomes().assign(outcome=outcomes()["outcome"] - less)
        given = {"outcomes": trial, "control": "none", "scale": scale}
        found = cured(cg.contrast, given, r"has the mean .*; use (scale='identity')$")
        assert found["ice"].equals(cg.contrast(trial, control="none")["ice"])
    return True


@case
def a_difference_of_ratios_between_tasks() -> Any:
    tasks = {"K562 - HepG2": {"K562": 1, "HepG2": -1}}
    given = {"outcomes": positive(), "control": "none"}
    found = cured(
        cg.contrast,
        given | {"scale": "ratio", "tasks": tasks},
        r"cannot be added; use (scale='log_of_means'), whose difference",
    )
    ratio = cg.estimate(cg.contrast(**given, scale="ratio"))["ace"]
    log = np.log(ratio.sel(task="K562") / ratio.sel(task="HepG2"))
    return np.allclose(cg.estimate(found)["ace"].squeeze("task"), log)


@case
def tasks_on_two_scales() -> Any:
    scales = ("task", ["probability", "count"])
    trial = positive().assign_coords(task_scale=scales)
    tasks = {"K562 - HepG2": {"K562": 1, "HepG2": -1}}
    given = {"outcomes": trial, "contrasts": WITH_NONE, "tasks": tasks}
    said = refusal(cg.contrast, **given)
    for named in (r"use (scale='sd') \(", r"or (scale='log') for positive outcomes$"):
        scale = arguments(cure_in(said, named))
        found = cg.contrast(**given, **scale)["ice"].squeeze("task")
        each = cg.contrast(trial, contrasts=WITH_NONE, **scale)["ice"]
        right = each.sel(task="K562") - each.sel(task="HepG2")
        assert np.allclose(found.mean("unit"), right.mean("unit"))
    return True


@case
def tasks_of_which_one_is_on_a_log() -> Any:
    """The log of a log is refused, so it is not offered."""
    oracle = cg.FunctionPredictor(
        lambda x: np.exp(answer(x) / 4),
        tasks=["K562", "HepG2"],
        scale=["log2 fold change", "count"],
        fingerprint="two scales",
    )
    given = {"outcomes": run(design(), oracle), "contrasts": WITH_NONE}
    given |= {"tasks": {"K562 - HepG2": {"K562": 1, "HepG2": -1}}}
    refusal(cg.contrast, **given, scale="log")
    found = cured(
        cg.contrast,
        given,
        r"use (scale='sd') \(effects in sd of the control arm of each task\)$",
    )
    return np.isfinite(cg.estimate(found)["ace"]).all()


@case
def models_compared_of_one_predictor() -> Any:
    both = cg.Ensemble({"intact": network(0), "without 3": network(2)})
    alone = run(design(), both).isel(model=[0])
    for trial in (outcomes(), alone):
        made = cure_in(
            refusal(cg.contrast_models, trial, control="intact"),
            r"on the same units: (cg.run\(.*\))$",
            {
                "'intact': ...": "'intact': network(0)",
                "'without 3': ...": "'without 3': network(2)",
                "design": "design()",
                "rng=": "rng=1",
            },
        )
        found = cg.contrast_models(eval(made), control="intact")
        assert found.equals(cg.contrast_models(run(design(), both), control="intact"))
    return True


@case
def models_without_a_control() -> Any:
    said = refusal(cg.contrast_models, of_three())
    name = cure_in(said, r"^(control)= is missing: it says which model is subtracted;")
    model = cure_in(said, r"the models are '([\w ]+)', ")
    found = cg.contrast_models(of_three(), **{name: model})
    return found.equals(cg.contrast_models(of_three(), control="model 0"))


@case
def a_factor_that_the_arms_lack() -> Any:
    table = four_arms().assign_coords(A=("arm", [0, 1, 0, 1]))
    named = cure_in(
        refusal(cg.contrast, table, interaction=["A", "B"]),
        r"or give the levels: (outcomes\.assign_coords\(.*\))$",
        {"[0, 1, ...]": "[0, 0, 1, 1]"},
    )
    made = eval(named, {"outcomes": table})
    y = table["outcome"].mean("unit")
    expected = y.isel(arm=3) - y.isel(arm=2) - y.isel(arm=1) + y.isel(arm=0)
    found = cg.contrast(made, interaction=["A", "B"])["ice"].mean("unit")
    return np.allclose(found, expected)


@case
def a_cooperativity_of_another_logarithm() -> Any:
    """log10 is no log2: the outcomes times log2(10) are."""
    levels = {"A": ("arm", [0, 1, 0, 1]), "B": ("arm", [0, 0, 1, 1])}
    table = four_arms().assign_coords(levels)
    table = table.assign(outcome=table["outcome"] / 20)
    asked = {"interaction": ["A", "B"], "scale": "cooperativity"}
    for other in ("log10 TPM", "logit", "ln counts"):
        refusal(cg.contrast, table.assign_attrs(scale=other), **asked)
    given = table.assign_attrs(scale="log10 TPM")
    base = cure_in(refusal(cg.contrast, given, **asked), r"needs (log2) outcomes")
    turned = given.assign(outcome=given["outcome"] * np.log2(10))
    found = cg.estimate(cg.contrast(turned.assign_attrs(scale=base), **asked))
    return np.isfinite(found["ace"]).all()


@case
def a_cooperativity_of_a_logarithm_without_its_base() -> Any:
    """ "log counts" was taken for log2, whatever it was."""
    levels = {"A": ("arm", [0, 1, 0, 1]), "B": ("arm", [0, 0, 1, 1])}
    table = four_arms().assign_coords(levels)
    table = table.assign(outcome=table["outcome"] / 20)
    asked = {"interaction": ["A", "B"], "scale": "cooperativity"}

    def found(outcomes: Any) -> Any:
        return cg.estimate(cg.contrast(outcomes, **asked))["ace"]

    right = found(table.assign_attrs(scale="log2 counts"))
    for words in ("log", "log counts", "logCPM", "logged", "log fold change"):
        text = refusal(cg.contrast, table.assign_attrs(scale=words), **asked)
        call = cure_in(text, r"if it is 2, say so: (outcomes\.assign_attrs\(.*\)); nat")
        assert np.allclose(found(eval(call, {"outcomes": table})), right)
        base = eval(cure_in(text, r"are first divided by (np\.log\(2\))$"), {"np": np})
        natural = table.assign(outcome=table["outcome"] * np.log(2))
        turned = natural.assign(outcome=natural["outcome"] / base)
        assert np.allclose(found(eval(call, {"outcomes": turned})), right)
    for words in ("log2FC", "log2 TPM", "log2(x + 1)"):
        found(table.assign_attrs(scale=words))
    return True


@case.each
def test_the_cure_of_an_effect_or_a_verdict_is_applied_and_succeeds(case):
    assert np.all(case())
