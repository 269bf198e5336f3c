"""Errors of calibration, planning, reports, stores, trial files and checks: the cure that
each names is taken from its text and applied to the same call, and the answer is the
right one.
"""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cures import Cases, arguments, cure_in, cured, refusal
from test_applied_cures import (
    ORACLE,
    STRINGS,
    design,
    effects,
    estimates,
    of_three,
    outcomes,
    run,
)
from test_applied_cures_of_estimates import gaps
from typer.testing import CliRunner

import causalgia as cg
from causalgia import checks, cli, notes, schema, store
from causalgia._reporting import effect_rows
from causalgia.analysis import check_renamed
from causalgia.attributes import about
from causalgia.calibration import _calibrate
from causalgia.calibration._calibrate import _check_truth
from causalgia.checks import as_probability
from causalgia.errors import EstimateError
from causalgia.multiplicity.matched_ranks import local_fdr
from causalgia.numerics.finite_arrays import as_finite_array
from causalgia.paper.effect_tables import table as paper_table
from causalgia.planning import cheapest_split, power
from causalgia.planning._sample_size import read_pilot
from causalgia.stopping._confidence_sequence import sequence_critical
from causalgia.trial_file import trial_spec, trial_tables

pytestmark = pytest.mark.rotating(6)

case = Cases()


# ---- calibration


@case
def an_analysis_that_is_a_dict(_folder: Path) -> Any:
    given = {"design": design(n_units=10), "predictor_or_simulator": ORACLE}
    given |= {"rng": 0, "n_trials": 20}
    text = refusal(cg.calibrate, **given, analysis={"control": "none"})
    made = cure_in(text, r"for example (cg.Analysis\(.*\))$").replace("...", "none")
    made = eval(made, {"cg": cg})
    return cg.calibrate(**given, analysis=made) is not None


@case
def a_truth_that_is_a_number(_folder: Path) -> Any:
    text = refusal(_check_truth, 0.5)
    dims = cure_in(
        text, r"DataArray of numbers with dims and coordinates (\w+ and \w+)"
    )
    contrast, task = dims.split(" and ")
    truth = xr.DataArray([[0.5]], {contrast: ["GATA"], task: ["K562"]})
    return _check_truth(truth) is None


@case
def a_truth_that_is_not_finite(_folder: Path) -> Any:
    truth = xr.DataArray([[0.5], [np.nan]], {"contrast": ["a", "b"], "task": ["K562"]})
    text = refusal(_check_truth, truth)
    assert cure_in(text, r"leave (truth)= out where it is not known")
    return _check_truth(truth[:1]) is None


@case
def a_level_of_no_probability(_folder: Path) -> Any:
    named = cure_in(
        refusal(as_probability, 5, "alpha", example=0.001), r"(alpha=[\d.]+)$"
    )
    return as_probability(arguments(named)["alpha"], "alpha") == 0.001


# ---- planning


@case
def a_target_of_no_split(_folder: Path) -> Any:
    given = {"pilot": effects(), "half_width": 0.2}
    text = refusal(cheapest_split, **given, target="units")
    assert cure_in(text, r"takes '[^']*', or (None) for what the pilot has")
    return cheapest_split(**given | {"pilot": with_parents()}, target=None) is not None


def with_parents() -> xr.Dataset:
    from test_applied_cures import with_parents as made

    return made()


@case
def a_limit_of_0(_folder: Path) -> Any:
    given = {"pilot": with_parents(), "half_width": 0.5}
    text = refusal(cheapest_split, **given, max_parents=0)
    least = int(cure_in(text, r"give an integer of at least (\d+), or None"))
    assert least >= 1
    return cheapest_split(**given, max_parents=None) is not None


@case
def more_predictions_than_can_be_counted(_folder: Path) -> Any:
    given = {"pilot": with_parents(), "target": None}
    text = refusal(cheapest_split, **given, half_width=1e-12)
    assert cure_in(text, r"; ask for a (wider) one")
    return cheapest_split(**given, half_width=0.5) is not None


@case
def a_pilot_and_an_sd(_folder: Path) -> Any:
    given = {"pilot": effects(), "sd": 1.0}
    text = refusal(read_pilot, **given)
    assert cure_in(text, r"; leave (one of them) out")
    return [
        read_pilot(effects(), None).per_cluster is not None,
        read_pilot(None, 1.0).per_cluster == 1,
    ]


@case
def two_goals(_folder: Path) -> Any:
    given = {"half_width": 0.1, "rope": (-0.3, 0.3)}
    text = refusal(cg.sample_size, effects(), **given)
    assert cure_in(text, r"are two goals; give (one of them)")
    return [cg.sample_size(effects(), **{k: given[k]}) is not None for k in given]


@case
def a_region_in_sd_without_a_pilot(_folder: Path) -> Any:
    given = {"sd": 1.0, "n_units": 50, "true_effect": 0.05}
    found = cured(
        power, given | {"rope": "0.2 sd"}, r"two numbers, (rope=\(-0.1, 0.1\))"
    )
    return found.equals(power(**given, rope=(-0.1, 0.1)))


# ---- reports


@case
def a_task_of_checks(_folder: Path) -> Any:
    given = {"rng": 0, "control": "none", "checks": ["identical_arms"]}
    checked = cg.refute(outcomes(), ORACLE, **given)
    text = refusal(cg.report, checked, task="K562")
    assert cure_in(text, r"task='K562' .*(leave it out)")
    return len(cg.report(checked)) > 0


@case
def a_task_of_a_plan(_folder: Path) -> Any:
    plan = cg.sample_size(effects(), half_width=0.1)
    text = refusal(cg.report, plan, task="K562")
    assert cure_in(text, r"task='K562' .*(leave it out)")
    return "units" in cg.report(plan)


@case
def arms_of_a_page(folder: Path) -> Any:
    given = {"path": folder / "report.html", "arms": True}
    text = refusal(cg.report, decided(), **given)
    del given[cure_in(text, r"^(\w+)=True is for text; a page has all of it: leave it")]
    cg.report(decided(), **given)
    return "GATA" in (folder / "report.html").read_text()


@cache
def decided() -> xr.Dataset:
    return cg.decide(estimates(), rope=(-0.1, 0.1))


@case
def a_part_of_no_page(folder: Path) -> Any:
    text = refusal(cg.report, decided(), outcomes=outcomes())
    named = arguments(cure_in(text, r"say where to write it: (path='report.html')"))
    cg.report(decided(), outcomes=outcomes(), path=folder / named["path"])
    return "GATA" in (folder / named["path"]).read_text()


@case
def an_unknown_format_of_a_table(_folder: Path) -> Any:
    text = refusal(paper_table, decided(), format="word")
    name = cure_in(text, r"is not one of '(\w+)'")
    return "GATA" in paper_table(decided(), format=name)


# ---- stores


@case
def a_path_without_a_name(folder: Path) -> Any:
    text = refusal(store.save, decided(), "")
    name = cure_in(text, r"give a path such as (\S+)$")
    return (
        store.load(store.save(decided(), folder / name), "decisions").sizes["contrast"]
        == 2
    )


@case
def a_frame_that_is_saved(folder: Path) -> Any:
    frame = pd.DataFrame({"effect": [0.1, 0.2], "se": [0.1, 0.1]})
    text = refusal(store.save, frame, folder / "x.nc")
    make = eval(cure_in(text, r"or (cg.from_effects) \(effects with"), {"cg": cg})
    return (
        store.load(store.save(make(frame), folder / "x.nc"), "estimates").sizes[
            "contrast"
        ]
        == 2
    )


@case
def an_attribute_beyond_64_bits(folder: Path) -> Any:
    table = decided().assign_attrs(barcode=2**70)
    text = refusal(store.save, table, folder / "x.nc")
    name = cure_in(text, r"attrs\['(\w+)'\] = .* is beyond 64 bits.*; drop it")
    del table.attrs[name]
    return (
        store.load(store.save(table, folder / "x.nc"), "decisions").sizes["contrast"]
        == 2
    )


# ---- tables


@case
def effects_without_numbers_of_units(_folder: Path) -> Any:
    table = effects().drop_vars("ice")
    text = refusal(schema.validate, table, "effects")
    make = eval(cure_in(text, r"; use (cg.contrast)"), {"cg": cg})
    return schema.validate(make(outcomes(), control="none"), "effects") is not None


@case
def a_task_without_a_name(_folder: Path) -> Any:
    names = np.array(["K562", None], dtype=object)
    table = outcomes().assign_coords(task=names)
    text = refusal(schema.validate, table, "outcomes")
    k = int(cure_in(text, r"task (\d+) has no name, but .*; give it one"))
    names[k] = "HepG2"
    return schema.validate(outcomes().assign_coords(task=names), "outcomes") is not None


@case
def edits_that_cannot_be_read(_folder: Path) -> Any:
    text = refusal(notes.edits_from_json, '{"a": 3}')
    assert cure_in(
        text, r"attrs\['(edits)'\] of the outcomes cannot be read .*; drop it"
    )
    return notes.edits_from_json("{}") == {}


@case
def a_design_that_cannot_be_read(_folder: Path) -> Any:
    table = xr.Dataset(attrs={"design": "[1, 2]"})
    name = cure_in(refusal(notes.design_question, table), r"; drop attrs\['(\w+)'\]")
    del table.attrs[name]
    return notes.design_question(table) == {}


@case
def an_attribute_that_is_missing(_folder: Path) -> Any:
    table = xr.Dataset()
    text = refusal(lambda: about(table).scale)
    made = cure_in(text, r"or set it: (\.assign_attrs\(scale=\.\.\.\))")
    made = f"table{made}".replace("...", "'log counts'")
    return about(eval(made, {"table": table})).scale == "log counts"


@case
def an_attribute_of_another_type(_folder: Path) -> Any:
    table = xr.Dataset(attrs={"scale": 3})
    text = refusal(lambda: about(table).scale)
    made = cure_in(text, r"; set it, (\.assign_attrs\(scale=\.\.\.\))")
    made = f"table{made}".replace("...", "'log counts'")
    return about(eval(made, {"table": table})).scale == "log counts"


# ---- numbers


@case
def a_position_beyond_any_sequence(_folder: Path) -> Any:
    text = refusal(checks.as_position, 2**50, "at")
    power = int(cure_in(text, r"positions are below 2\^(\d+)"))
    return checks.as_position(2**power - 1, "at") == 2**48 - 1


@case
def a_share_in_percent(_folder: Path) -> Any:
    text = refusal(checks.as_share, 25, "reserve")
    assert cure_in(text, r"a number of (0 or more and below 1)")
    return checks.as_share(25 / 100, "reserve") == 0.25


@case
def numbers_that_are_words(_folder: Path) -> Any:
    given = {"name": "mean", "cure": "leave it out", "error": EstimateError}
    text = refusal(finite, ["0.1", "n.s."])
    assert cure_in(text, r"does not hold numbers alone .*; give (floats)")
    assert given
    return finite([0.1]).tolist() == [0.1]


def finite(values: Any) -> Any:
    return as_finite_array(values, "mean", "leave it out", error=EstimateError)


@case
def looks_before_the_first_cluster(_folder: Path) -> Any:
    text = refusal(sequence_critical, [100], alpha=0.05, min_clusters=0)
    least = int(cure_in(text, r"must be (\d+) or more"))
    return sequence_critical([100], alpha=0.05, min_clusters=least)[0] > 1.96


@case
def looks_that_are_too_early(_folder: Path) -> Any:
    text = refusal(cg.Precision, half_width=0.1, min_clusters=5)
    least = int(cure_in(text, r"must be (\d+) clusters or more"))
    return cg.Precision(half_width=0.1, min_clusters=least).min_clusters == least


@case
def units_that_are_too_few_for_a_verdict(_folder: Path) -> Any:
    decided = cg.Decided(rope=(-0.1, 0.1), rare=1e-9)
    text = refusal(decided.schedule, 101)
    n = int(cure_in(text, r"plan ([\d,]+) units or more").replace(",", ""))
    return decided.schedule(n)[-1] == n


# ---- trial files


@case
def the_folder_of_a_trial_file(folder: Path) -> Any:
    (folder / "trial.toml").write_text("rng = 1\n")
    text = refusal(trial_spec._read_file, folder)
    return (
        trial_spec._read_file(cure_in(text, r"trial file in it, (\S+)$")) == "rng = 1\n"
    )


@case
def a_key_at_the_top(_folder: Path) -> Any:
    text = refusal(trial_tables.check_top, {"zoo": "gata1_like"})
    table = cure_in(text, r"a key of \[(\w+)\]: write it below that line")
    return trial_tables.check_top({table: {"zoo": "gata1_like"}}) is None


# ---- curves for a genome browser


@cache
def curve() -> xr.Dataset:
    from test_curves import curves, smooth

    made = curves(smooth(40, np.random.default_rng(0)))
    return cg.simultaneous(made, over="position", rng=0)


PLACE = {"chromosome": "chr1", "origin": 100, "chrom_sizes": {"chr1": 1_000}}


@case
def a_column_of_no_curve(folder: Path) -> Any:
    given = {"curves": curve(), "path": folder / "a.bw", "column": "p"} | PLACE
    text = refusal(cg.paper.write_bigwig, **given)
    column = cure_in(text, r"is not one of the curves' columns: '(\w+)'")
    named = given | {"column": column} | first_of(curve())
    return cg.paper.write_bigwig(**named).is_file()


def first_of(table: xr.Dataset) -> dict[str, str]:
    return {dim: str(table[dim].to_numpy()[0]) for dim in ("contrast", "task")}


@case
def a_curve_for_each_predictor(folder: Path) -> Any:
    both = xr.concat([curve(), curve()], "model", data_vars="all")
    both = both.assign_coords(model=["one", "other"])
    given = {"path": folder / "a.bw"} | first_of(curve()) | PLACE
    text = refusal(cg.paper.write_bigwig, both, **given)
    selected = cure_in(text, r"select it: \.(sel\(model=\.\.\.\))$", {"...": "'other'"})
    one = eval(f"both.{selected}", {"both": both})
    return cg.paper.write_bigwig(one, **given).is_file()


@case
def a_curve_of_no_contrast(folder: Path) -> Any:
    given = {"curves": curve(), "path": folder / "a.bw"} | first_of(curve()) | PLACE
    text = refusal(cg.paper.write_bigwig, **given | {"contrast": "GATTA"})
    there = cure_in(text, r"say contrast= one of '(\w+)'")
    return cg.paper.write_bigwig(**given | {"contrast": there}).is_file()


@case
def a_truth_without_names(_folder: Path) -> Any:
    truth = xr.DataArray(np.zeros((2, 2)), dims=("contrast", "task"))
    text = refusal(effect_rows._table_rows, estimates(), truth)
    assert cure_in(text, r"(name its rows as the estimates do)")
    named = truth.assign_coords({dim: estimates()[dim] for dim in truth.dims})
    rows = effect_rows._table_rows(estimates(), named)
    return len(rows) == truth.size


# ---- plans of analyses


@case
def a_family_that_is_the_default(_folder: Path) -> Any:
    table = {"control": "none", "family": "all"}
    text = refusal(check_renamed, table, "[analysis]")
    assert cure_in(text, r"the default, all rows of the table; (leave it out)")
    check_renamed({"control": "none"}, "[analysis]")
    return cg.Analysis(control="none").family is None


@case
def a_region_of_few_placebos(_folder: Path) -> Any:
    few = {"none": cg.Untreated(), "GATA": cg.Embed("AGATAAG", at=10)}
    few |= cg.placebos("AGATAAG", at=10, n_placebos=2)
    analysis = cg.Analysis(control="none", rope="placebo")
    text = refusal(run, design(arms=few, n_units=8), analysis=analysis)
    n = int(cure_in(text, r"add arms with .*n_placebos=(\d+)"))
    arms = few | cg.placebos("AGATAAG", at=10, n_placebos=n)
    found = run(design(arms=arms, n_units=8), analysis=analysis)
    return len(found["arm"]) == 2 + n


@case
def a_region_of_ratios_without_1(_folder: Path) -> Any:
    given = {"control": "none", "scale": "ratio", "rope": (-0.1, 0.1)}
    named = cure_in(refusal(cg.Analysis, **given), r"(rope=\(0\.9, 1\.1\))")
    made = cg.Analysis(**given | arguments(named))
    return made.region.stated_ends == ((0.9, 1.1),)


@case
def a_region_of_one_task_alone(_folder: Path) -> Any:
    def planned(**rope: Any) -> Any:
        return run(design(n_units=8), analysis=cg.Analysis(control="none", rope=rope))

    text = refusal(planned, K562=(-0.1, 0.1))
    task = cure_in(text, r"no region for the task '(\w+)'; give one for each task$")
    return "outcome" in planned(**{"K562": (-0.1, 0.1), task: (-1, 1)})


# ---- calibration, checks and planning


@case
def a_truth_of_some_contrasts(_folder: Path) -> Any:
    truth = estimates()["ace"].isel(contrast=[0])
    text = refusal(_calibrate._truth_of_estimates, truth, estimates())
    assert cure_in(
        text, r"the truth lacks contrast \w+; give truth (.*) for all of them"
    )
    whole = _calibrate._truth_of_estimates(estimates()["ace"], estimates())
    return whole.shape == estimates()["ace"].shape


@case
def a_simulator_without_a_signature(_folder: Path) -> Any:
    compiled = dict  # a function whose arguments cannot be read, as of an extension
    given = {"design": design(n_units=10), "analysis": cg.Analysis(control="none")}
    given |= {"rng": 0, "n_trials": 20}
    text = refusal(cg.calibrate, predictor_or_simulator=compiled, **given)
    called = cure_in(text, r"is called as simulator\((.*)=seed\): define a function")
    assert called == "design, rng"

    def simulator(design: Any, *, rng: int) -> xr.Dataset:
        return run(**compiled(design=design, rng=rng))

    return cg.calibrate(predictor_or_simulator=simulator, **given) is not None


@case
def a_word_that_is_none_of_the_keys(_folder: Path) -> Any:
    given = {"keys": {"adjust": checks.one_of("bh", "holm")}, "key": "adjust"}
    text = refusal(checks.check_value, value="holmes", **given)
    right = cure_in(text, r"did you mean '(\w+)'\?")
    return checks.check_value(value=right, **given) is None


@case
def a_plan_without_a_region(_folder: Path) -> Any:
    given = {"sd": 1.0, "true_effect": 0.5, "n_units": 50}
    text = refusal(power, **given, rope="placebo tail")
    named = cure_in(text, r"(rope=\(-?[\d.]+, [\d.]+\))")
    return power(**given, **arguments(named)) is not None


# ---- regions


@case
def a_region_of_a_former_name(_folder: Path) -> Any:
    text = refusal(cg.Rope.parse, "placebo tail")
    named = cure_in(text, r"(rope='placebo outliers') finds motifs")
    return cg.Rope.parse(**arguments(named)).kind == "placebo outliers"


@case
def no_region(_folder: Path) -> Any:
    named = cure_in(refusal(cg.Rope.parse, None), r"(rope=\(-?[\d.]+, [\d.]+\))")
    return cg.Rope.parse(**arguments(named)).kind == "numbers"


@case
def a_region_of_one_task_twice(_folder: Path) -> Any:
    twice = "K562=-0.1,0.1;K562=-1,1"
    text = refusal(cg.Rope.parse, twice)
    task = cure_in(text, r"names the task '(\w+)' twice; give one region for each task")
    once = dict(one.split("=") for one in twice.split(";"))
    rope = ";".join(f"{name}={ends}" for name, ends in once.items())
    return cg.Rope.parse(rope).value == ((task, (-1.0, 1.0)),)


@case
def a_region_made_by_hand(_folder: Path) -> Any:
    rope = cg.Rope("direction", (-0.1, 0.1))
    made = cure_in(refusal(cg.Rope.parse, rope), r"make it by `{0,2}(cg\.Rope.*\))")
    given = {"cg": cg, "rope": rope.value}
    return cg.Rope.parse(eval(made, given)).kind == "numbers"


# ---- tables and files


@case
def units_without_some_arms(_folder: Path) -> Any:
    gap = gaps()
    text = refusal(schema.validate, gap, "outcomes")
    dropped = cure_in(
        text, r"use the units with every arm: outcomes\.(dropna\('unit'\))"
    )
    whole = eval(f"outcomes.{dropped}", {"outcomes": gap})
    return (
        len(whole["unit"]) < len(gap["unit"])
        and schema.validate(whole, "outcomes")["outcome"].notnull().all()
    )


@case
def several_predictors_for_anndata(folder: Path) -> Any:
    table = cg.estimate(cg.contrast(of_three(), control="none"))
    text = refusal(store.save_h5ad, table, folder / "a.h5ad")
    selected = cure_in(text, r"select one, \.(sel\(model=\.\.\.\))$")
    model = table["model"].to_numpy()[0]
    one = eval(
        f"table.{selected}".replace("...", "model"), {"table": table, "model": model}
    )
    return store.save_h5ad(one, folder / "a.h5ad").is_file()


@case
def a_folder_without_a_posterior(folder: Path) -> Any:
    store.save(outcomes(), folder / "outcomes.nc")
    text = refusal(lambda: cg.open(folder).estimates)
    command = cure_in(text, r"holds no \S+; make it with: (causalgia .*)$")
    found = CliRunner().invoke(
        cli.app, [*shlex.split(command)[1:], "--control", "none"]
    )
    assert found.exit_code == 0, found.output
    return "ace" in cg.open(folder).estimates


@case
def a_time_limit_that_is_no_time(_folder: Path) -> Any:
    from dask import config

    from causalgia.workers import jobs

    with config.set({jobs.TIME_LIMIT: "soon"}):
        limit = cure_in(refusal(jobs._time_limit), r"for example '(.*)'$")
    with config.set({jobs.TIME_LIMIT: limit}):
        return jobs._time_limit() == 600


# ---- the zoo


@case
def a_curve_of_an_arm_that_changes_backgrounds(_folder: Path) -> Any:
    from causalgia.zoo import footprint

    oracle = footprint(length=40)
    arms = {"none": cg.Untreated(), "GATA": cg.Embed("AGATAAG", at=10)}
    null = cg.Markov(of=STRINGS, order=1)
    text = refusal(oracle.true_curve, design(arms=arms, null=null), control="none")
    length = {"...": "40"}
    null = eval(cure_in(text, r"(cg\.Uniform\(length=\.\.\.\))", length), {"cg": cg})
    return oracle.true_curve(design(arms=arms, null=null), control="none") is not None


@case
def a_term_of_ones_own(_folder: Path) -> Any:
    import torch

    from causalgia import zoo
    from causalgia.zoo.torch_networks import _term_score

    class Own:
        """A term that was written by the user."""

    x = torch.zeros(2, 4, 12)
    text = refusal(_term_score, Own(), x)
    room = cure_in(text, r"use a term of (causalgia\.zoo)")
    assert room == zoo.__name__
    return _term_score(zoo.MotifCount("GATA", 2.0), x).shape == (2,)


@case
def a_response_of_ones_own(_folder: Path) -> Any:
    import torch

    from causalgia import zoo
    from causalgia.zoo import terms
    from causalgia.zoo.torch_networks import _apply_response

    score = torch.ones(2)
    room = cure_in(refusal(_apply_response, np.log1p, score), r"a response of (\S+)$")
    assert room == zoo.__name__
    response = terms.Hill(top=1.0, half=1.0)
    return bool((_apply_response(response, score) == 0.5).all())


# ---- what needs more, and what was changed by hand


@case
def a_density_of_few_p_values(_folder: Path) -> Any:
    text = refusal(local_fdr, [0.01, 0.2, 0.5])
    n = int(cure_in(text, r"needs (\d+) p-values to estimate their density"))
    return np.isfinite(local_fdr(np.linspace(0.001, 1, n))).all()


@case
def a_pilot_of_one_unit(_folder: Path) -> Any:
    bare = estimates().drop_vars("se")
    text = refusal(cg.sample_size, bare, half_width=0.5)
    n = cure_in(text, r"because it has one unit; draw (two) or more$")
    two = effects().isel(unit=slice(0, {"two": 2}[n]))
    return "n_units" in cg.sample_size(cg.estimate(two), half_width=0.5)


@case
def a_pilot_of_one_cluster(_folder: Path) -> Any:
    counts = {"n_units", "n_clusters"} & set(estimates().variables)
    lone = estimates().assign({x: estimates()[x] * 0 + 1 for x in counts})
    text = refusal(cg.sample_size, lone, half_width=0.5)
    assert cure_in(text, r"fewer than two units for some contrast; draw (two) or more$")
    return "n_units" in cg.sample_size(estimates(), half_width=0.5)


@case
def a_precision_beyond_any_number_of_units(_folder: Path) -> Any:
    given = {"pilot": effects()}
    text = refusal(cg.sample_size, **given, half_width=1e-12)
    assert cure_in(text, r"ask for a (wider) one, on the scale of the effect$")
    return "n_units" in cg.sample_size(**given, half_width=0.1)


@case
def a_level_that_no_estimate_has(_folder: Path) -> Any:
    changed = estimates().assign_attrs(ci_prob=95)
    text = refusal(cg.report, changed)
    call = cure_in(
        text, r"take the Dataset as (cg\.estimate) or cg\.decide returned it$"
    )
    return len(str(cg.report(eval(call, {"cg": cg})(effects())))) > 100


@case
def no_plan_of_a_size(_folder: Path) -> Any:
    from causalgia._reporting.size_answers import size_report

    text = refusal(size_report, estimates())
    made = cure_in(text, r"give the result of (cg\.sample_size\(\.\.\.\))$")
    found = eval(made.replace("...", "sd=1.0, half_width=0.25"), {"cg": cg})
    return "64 units" in str(size_report(found))


@case
def a_verdict_of_ones_own(folder: Path) -> Any:
    table = cg.decide(estimates(), rope=(-0.1, 0.1))
    odd = table.assign(verdict=table["verdict"].astype("U20"))
    odd["verdict"][0, 0] = "maybe"
    text = refusal(store.save_h5ad, odd, folder / "a.h5ad")
    call = eval(cure_in(text, r"give what (cg\.decide) returns$"), {"cg": cg})
    made = call(estimates(), rope=(-0.1, 0.1))
    return store.save_h5ad(made, folder / "a.h5ad").is_file()


@case
def a_region_of_no_task(_folder: Path) -> Any:
    text = refusal(cg.Rope.parse, {"K562": (-0.1, 0.1), " ": (-1, 1)})
    assert cure_in(text, r"of a task without a name; (name the task of each)$")
    named = cg.Rope.parse({"K562": (-0.1, 0.1), "HepG2": (-1, 1)})
    return dict(named.value)["HepG2"] == (-1, 1)


@case
def a_truth_without_tasks(_folder: Path) -> Any:
    truth = xr.DataArray([[0.5]], {"contrast": ["GATA"]}, ("contrast", "task"))
    dim = cure_in(refusal(_check_truth, truth), r"has no coordinate (\w+); name each")
    return _check_truth(truth.assign_coords({dim: ["K562"]})) is None


@case
def no_workers(_folder: Path) -> Any:
    from causalgia.workers import local_cluster

    def started(n: int) -> int:
        with local_cluster(n) as client:
            return len(client.scheduler_info()["workers"])

    least = int(cure_in(refusal(started, 0), r"ask for at least (\d+)$"))
    return started(least) == least


@case
def workers_of_a_cluster(_folder: Path) -> Any:
    from causalgia.cli.options import dask_client

    given = {"dask": "tcp://localhost:8786", "workers": 2}
    text = refusal(dask_client, **given)
    assert cure_in(text, r"(--dask) names a cluster .*; give one$")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("causalgia.workers.connected", lambda address: address)
        patch.setattr("causalgia.workers.local_cluster", lambda n: n)
        one = dask_client(**given | {"workers": None})
        return [one == given["dask"], dask_client(**given | {"dask": None}) == 2]


@case
def a_table_whose_variables_have_one_name(folder: Path) -> Any:
    path = store.save(estimates(), folder / "a.nc")
    with xr.open_dataset(path) as read:
        twice = read.load().assign({"a/b": read["ace"] * 1, "a%2Fb": read["ace"] * 1})
    twice = twice.rename({"a/b": "a%2Fb", "a%2Fb": "a%2fb"})
    twice.to_netcdf(folder / "b.nc")
    text = refusal(store.load, folder / "b.nc", "estimates")
    name = cure_in(text, r"both named '(a/b)'; rename one$")
    twice.rename({"a%2fb": "other"}).to_netcdf(folder / "c.nc")
    return name in store.load(folder / "c.nc", "estimates")


@case
def a_gate_of_one_motif(_folder: Path) -> Any:
    from causalgia.zoo.terms import Gate

    text = refusal(Gate, ("GATA", "GATA"), bonus=1.0, logic="and")
    motifs = eval(cure_in(text, r"different motifs, such as (\(.*\))$"))
    return Gate(motifs, bonus=1.0, logic="and").motifs == motifs


@case
def effects_of_a_control_and_of_contrasts(_folder: Path) -> Any:
    oracle = cg.zoo.oracle("additive")
    given = {"design": design(), "control": "none"}
    weights = {"GATA": {"GATA": 1.0, "none": -1.0}}
    text = refusal(oracle.true_ace, **given, contrasts=weights)
    first, other = (
        cure_in(text, rf"give {one}, not both")
        for one in (r"(control)= or contrasts=", r"control= or (contrasts)=")
    )
    there = {first: "none"}, {other: weights}
    one, two = (oracle.true_ace(design(), **given) for given in there)
    return np.allclose(one.sel(contrast="GATA"), two.sel(contrast="GATA"))


@case
def an_effect_of_two_units(_folder: Path) -> Any:
    given = {"by": "gc"}
    few = effects().isel(unit=slice(0, 2))
    text = refusal(cg.estimation.modification, few, **given)
    assert cure_in(
        text, r"needs (three) or more units, and there are 2; draw more units$"
    )
    return cg.estimation.modification(effects(), **given) is not None


@case
def names_that_are_no_names(_folder: Path) -> Any:
    names = np.empty(2, object)
    names[:] = [("GATA", "none"), "placebo"]
    table = estimates().assign_coords(contrast=names)
    text = refusal(schema.validate, table, "estimates")
    k = int(cure_in(text, r"contrast (\d+) is .*, and names are text .*; rename it$"))
    names[k] = "GATA - none"
    table = estimates().assign_coords(contrast=names.astype(str))
    return schema.validate(table, "estimates") is not None


@case
def a_window_that_ends_before_it_begins(_folder: Path) -> Any:
    text = refusal(cg.Window, "TSS", 50, -50)
    assert cure_in(
        text, r"two whole numbers of bp, (the first position) and the one after"
    )
    window = cg.Window("TSS", -50, 50)
    return (window.start, window.stop) == (-50, 50)


@case
def an_origin_between_bases(_folder: Path) -> Any:
    text = refusal(cg.Track, origin=20.5)
    assert cure_in(text, r"that is position 0, (a whole number)$")
    return cg.Track(origin=20).origin == 20


@case
def mutations_of_one_position_twice(_folder: Path) -> Any:
    at, bases = [10, 12, 10], "ACA"
    text = refusal(cg.Mutate, at=at, bases=bases)
    assert cure_in(text, r"a position is named twice .*; (name each once)$")
    once = dict(zip(at, bases, strict=True))
    return cg.Mutate(at=[*once], bases="".join(once.values())).at == (10, 12)


@case
def a_factor_that_cannot_be_printed(_folder: Path) -> Any:
    arm = cg.Embed("AGATAAG", at=10)
    text = refusal(cg.Arm, "a", arm, {"dose\a": 1})
    name = eval(cure_in(text, r"a factor is called ('.*'); give it a printable name$"))
    return cg.Arm("a", arm, {name.strip("\a"): 1}).factors == {"dose": 1}


@case
def more_placebos_than_a_short_motif_has(_folder: Path) -> Any:
    text = refusal(cg.placebos, "GATA", at=10, n_placebos=40)
    most = int(cure_in(text, r"only (\d+) distinct rearrangements .*; ask for fewer"))
    found = cg.placebos("GATA", at=10, n_placebos=most)
    assert cure_in(text, r"or take a (longer pattern)$")
    return [len(found) == most, len(cg.placebos("AGATAAG", at=10, n_placebos=40)) == 40]


@case
def a_screen_confirmed_by_a_function(_folder: Path) -> Any:
    screen = run(design(contrasts="none"))
    given = {"screen": screen, "select": ["GATA"], "rng": 5}
    text = refusal(cg.confirm, **given, predictor=len)
    assert cure_in(text, r"not a predictor; give (the one of the screen)$")
    text = refusal(cg.confirm, **given, predictor=ORACLE, design="trial.toml")
    assert cure_in(text, r"is not a cg\.Design; give (the one that) the screen was run")
    found = cg.confirm(**given, predictor=ORACLE, design=design(contrasts="none"))
    return "GATA" in found["arm"]


@case
def a_design_without_matched_variants(_folder: Path) -> Any:
    text = refusal(
        run, design(n_units=8), analysis=cg.Analysis(control="none", rope="matched")
    )
    cure = cure_in(text, r"give two numbers, '0\.2 sd' or (0)$")
    for rope in (int(cure), cure_in(text, r"two numbers, '(0\.2 sd)'"), (-0.1, 0.1)):
        run(design(n_units=8), analysis=cg.Analysis(control="none", rope=rope))
    return True


@case
def moments_of_one_unit(_folder: Path) -> Any:
    one = design(n_units=1, contrasts="none")
    text = refusal(run, one, keep="moments")
    name = cure_in(text, r"draw more units, or leave (\w+)= out$")
    assert name == "keep"
    more = run(design(n_units=2, contrasts="none"), keep="moments")
    return [run(one).sizes["unit"] == 1, "ice_mean" in more]


@case
def a_trial_that_stops_and_is_stored(folder: Path) -> Any:
    given = {"until": cg.Precision(half_width=1.0), "store": folder / "a.zarr"}
    text = refusal(run, design(contrasts="none"), **given)
    name = cure_in(text, r"cannot be combined with (\w+)=; leave one out$")
    del given[name]
    return run(design(contrasts="none"), **given).sizes["unit"] > 1


@case
def a_hypothesis_of_nothing(_folder: Path) -> Any:
    text = refusal(cg.estimation.hypotheses, estimates(), {"a": {"GATA": 0.0}})
    assert cure_in(
        text, r"no weight other than 0; (name the contrasts) that it combines$"
    )
    found = cg.estimation.hypotheses(estimates(), {"a": {"GATA": 1.0}})
    return np.allclose(found["ace"], estimates()["ace"].sel(contrast=["GATA"]))


@case
def an_attribute_that_is_a_list(folder: Path) -> Any:
    table = estimates().assign_attrs(lab=["a", "b"])
    text = refusal(store.save, table, folder / "a.nc")
    name = cure_in(text, r"attrs\['(\w+)'\] is a list; .* text or numbers: convert it$")
    table.attrs[name] = ", ".join(table.attrs[name])
    path = store.save(table, folder / "a.nc")
    return store.load(path, "estimates").attrs[name] == "a, b"


@case
def a_trial_file_in_another_encoding(folder: Path) -> Any:
    path = folder / "trial.toml"
    path.write_bytes("rng = 1  # \u00e9\n".encode("latin-1"))
    text = refusal(trial_spec._read_file, path)
    encoding = cure_in(text, r"not a text file in UTF-8 .*; save it as (UTF-8)$")
    path.write_bytes(path.read_bytes().decode("latin-1").encode(encoding))
    return trial_spec._read_file(path).startswith("rng = 1")


@case
def a_page_at_a_place_that_cannot_be_written(folder: Path) -> Any:
    from causalgia.cli.folder import write_text

    (folder / "file").write_text("")
    text = refusal(write_text, folder / "file" / "a.txt", "a")
    assert cure_in(text, r"cannot be written .*; choose (another place)$")
    write_text(folder / "a.txt", "a")
    return (folder / "a.txt").read_text() == "a"


@case
def marks_at_a_place_that_cannot_be_written(folder: Path) -> Any:
    from causalgia._run._run import write_protocol_marks

    (folder / "file").write_text("")
    text = refusal(write_protocol_marks, folder / "file" / "a.nc", {"lock": "1"})
    assert cure_in(text, r"cannot be written .*; choose (another place)$")
    write_protocol_marks(folder / "a.nc", {"lock": "1"})
    return (folder / "a.nc.protocol.json").is_file()


@case
def curves_of_one_unit(_folder: Path) -> Any:
    from causalgia._reporting._curve_report import curve_report

    bare = curve().drop_vars(["lower", "upper"])
    text = refusal(curve_report, bare)
    assert cure_in(text, r"because they are of one unit; draw (more units)$")
    return "positions" in curve_report(curve())


@case
def a_task_without_its_column(_folder: Path) -> Any:
    from causalgia.estimation.given_effects import task_columns_of

    table = cg.estimate(effects(), task_correlation=True)
    dropped = table.isel(task_=[0])
    text = refusal(task_columns_of, dropped)
    selected = cure_in(text, r"gave them, estimates\.(sel\(task=\[\.\.\.\]\))$")
    task = cure_in(text, r"^task (\w+) has a row")
    right = eval(
        "table." + selected.replace("...", "task"), {"table": table, "task": task}
    )
    return task_columns_of(right) is not None


@case
def checks_of_ones_own(_folder: Path) -> Any:
    from causalgia.paper.html_page import _checks

    given = {"rng": 1, "checks": ["subset_of_units"], "control": "none"}
    found = cg.refute(outcomes(), ORACLE, **given)
    odd = found.assign(status=("check", ["maybe"]))
    text = refusal(_checks, odd, estimates(), [], [])
    call = cure_in(text, r"give the checks of (cg\.refute)$")
    made = eval(call, {"cg": cg})(outcomes(), ORACLE, **given)
    return bool(_checks(made, estimates(), [], []))


@case
def onnx_of_no_letters(folder: Path) -> Any:
    pytest.importorskip("onnx")
    nn = pytest.importorskip("torch").nn
    network = nn.Sequential(nn.Flatten(), nn.Linear(160, 1))
    text = refusal(cg.predict.export_onnx, network, folder / "a.onnx", length=0)
    least = int(cure_in(text, r"a whole number of at least (\d+)$"))
    made = cg.predict.export_onnx(network, folder / "a.onnx", length=40 * least)
    return made.predict(cg.sequences.encode(STRINGS[:2])).shape[0] == 2


@case.each
def test_the_cure_is_applied_and_succeeds(case, tmp_path):
    assert np.all(case(tmp_path))
