"""Errors of runs and confirmations, of expressions, of texts that are read, and of the
zoo: the cure that each names is taken from its text and applied to the same call, and the
answer is the right one.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
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
    WITH_NONE,
    design,
    network,
    outcomes,
    run,
    third,
)

import causalgia as cg
from causalgia import inputs
from causalgia.errors import DesignError
from causalgia.expressions import check_distinct, differences, read_hypothesis
from causalgia.zoo import arrangements, oracles, terms, trained

pytestmark = pytest.mark.rotating(6)

case = Cases()
CONTROL = cg.Analysis(control="none")


def profile(x: Any) -> Any:
    return x[:, :2].reshape(len(x), 2, -1)


def of_track(**given: Any) -> cg.FunctionPredictor:
    settings = {
        "tasks": ["A", "C"],
        "fingerprint": "track",
        "track": cg.Track(origin=20),
    }
    return cg.FunctionPredictor(profile, **settings | given)


def window(text: str) -> dict[str, Any]:
    """Return the read-out that a message names, of the first bases."""
    named = cure_in(text, r"(reduce=\[cg.Window\(\.\.\.\)\])")
    return arguments(named.replace("...", "'mid', -10, 10"))


# ---- runs


@case
def effects_of_a_parallel_trial(_folder: Path) -> Any:
    given = {"design": design(assignment="parallel"), "keep": "effects"}
    given |= {"predictor": ORACLE, "analysis": CONTROL}
    text = refusal(run, **given)
    del given[cure_in(text, r"leave (keep)= out")]
    return run(**given)["outcome"].dims == ("unit", "task")


@case
def effects_of_no_contrasts(_folder: Path) -> Any:
    text = refusal(run, design(n_units=20), keep="effects")
    first, second = (
        cure_in(text, r"Design\(\.\.\., (\w+)=\.\.\.\)"),
        cure_in(text, r"or say (\w+)="),
    )
    one = run(design(n_units=20, **{first: WITH_NONE}), keep="effects")
    other = run(design(n_units=20), keep="effects", **{second: CONTROL})
    return np.array_equal(one["ice"].sel(contrast="GATA"), other["ice"][:, 1])


@case
def tasks_of_a_curve_compared(_folder: Path) -> Any:
    tasks = cg.Analysis(control="none", tasks={"A - C": {"A": 1, "C": -1}})
    given = {"keep": "effects", "analysis": tasks}
    text = refusal(run, design(n_units=20), of_track(), **given)
    name = cure_in(text, r"leave (\w+)= out")
    whole = {k: given[k] for k in given if k != name}
    read = of_track(**window(text))
    return [
        run(design(n_units=20), of_track(), **whole)["outcome"].sizes["unit"] == 20,
        run(design(n_units=20), of_track(tasks=["A", "C"]), **whole) is not None,
        read is not None,
    ]


@case
def tasks_compared_that_have_no_names_yet(_folder: Path) -> Any:
    tasks = cg.Analysis(
        control="none", tasks={"K562 - HepG2": {"K562": 1, "HepG2": -1}}
    )
    given = {"keep": "effects", "analysis": tasks}
    fn = {"fn": lambda x: x[:, :2].sum(2), "fingerprint": "unnamed"}
    text = refusal(run, design(n_units=20), cg.FunctionPredictor(**fn), **given)
    named = cure_in(text, r"give it (tasks=\[\"K562\", \.\.\.\])")
    named = arguments(named.replace("...", "'HepG2'"))
    found = run(design(n_units=20), cg.FunctionPredictor(**fn, **named), **given)
    return found["ice"].sizes["task"] == 1


@case
def source_sequences_that_are_true(_folder: Path) -> Any:
    given = {"design": design(null=cg.Shuffle(of=STRINGS), n_units=20)}
    text = refusal(run, **given, real=True)
    kind = cure_in(text, r"give sequences, '(\w+)', or False for none")
    found = [run(**given, real=one) for one in (STRINGS, kind, False)]
    return [one.sizes["unit"] for one in found] == [20, 20, 20]


@case
def answers_of_no_store(folder: Path) -> Any:
    given = {"design": design(n_units=20), "same_answers": True}
    text = refusal(run, **given)
    name = cure_in(text, r"; give (store)=, or leave it out")
    kept = run(**given, **{name: folder / "trial.zarr"})
    return kept["outcome"].equals(run(design(n_units=20))["outcome"])


@case
def verdicts_of_a_curve(_folder: Path) -> Any:
    given = {"control": "none", "rope": (-0.1, 0.1)}
    small = design(n_units=20)
    text = refusal(run, small, of_track(), analysis=cg.Analysis(**given))
    name = cure_in(text, r"leave (rope)= out")
    whole = cg.Analysis(**{k: given[k] for k in given if k != name})
    curve = run(small, of_track(), analysis=whole)
    read = run(small, of_track(**window(text)), analysis=cg.Analysis(**given))
    return "position" in curve.dims and "position" not in read.dims


@case
def predictors_of_which_there_is_one(_folder: Path) -> Any:
    given = {"control": "none", "target": "population x predictors"}
    text = refusal(run, design(n_units=20), analysis=cg.Analysis(**given))
    made = cure_in(text, r"run the trial on (cg.Ensemble\(\[\.\.\.\]\))")
    made = made.replace("...", "network(0), network(1)")
    members = eval(made, {"cg": cg, "network": network})
    found = run(design(n_units=20), members, analysis=cg.Analysis(**given))
    del given[cure_in(text, r"or leave (target)= out")]
    alone = run(design(n_units=20), analysis=cg.Analysis(**given))
    return found.sizes["model"] == 2 and "model" not in alone.dims


@case
def tasks_averaged_over_several_predictors(_folder: Path) -> Any:
    members = cg.Ensemble([network(0), network(1), third()])
    given = {"control": "none", "across": "task"}
    arms = {f"at {k}": cg.Embed("AGATAAG", at=k) for k in range(20)}
    wide = design(arms={"none": cg.Untreated(), **arms}, n_units=20)
    text = refusal(run, wide, members, analysis=cg.Analysis(**given))
    named = arguments(cure_in(text, r"say (target='[^']*'), or run the trial on one"))
    found = run(wide, members, analysis=cg.Analysis(**given | named))
    one = run(wide, network(0), analysis=cg.Analysis(**given))
    return found.sizes["model"] == 3 and one.sizes["unit"] == 20


@case
def a_stop_of_a_parallel_trial(_folder: Path) -> Any:
    given = {"design": design(assignment="parallel", n_units=90)}
    given |= {"until": cg.Precision(half_width=0.1), "analysis": CONTROL}
    text = refusal(run, **given)
    assert text.startswith("until=")
    assert cure_in(text, r"(leave it out): a parallel")
    del given["until"]
    return run(**given).sizes["unit"] == 90


@case
def a_stop_of_a_curve(_folder: Path) -> Any:
    given = {"until": cg.Precision(half_width=0.5), "analysis": CONTROL}
    text = refusal(run, design(n_units=400), of_track(), **given)
    found = run(design(n_units=400), of_track(**window(text)), **given)
    return "position" not in found.dims


@case
def a_stop_beside_effects_alone(_folder: Path) -> Any:
    given = {"until": cg.Precision(half_width=2.0), "keep": "effects"}
    text = refusal(run, design(n_units=400), analysis=CONTROL, **given)
    assert cure_in(text, r"(leave one out)")
    made = [
        run(
            design(n_units=400),
            analysis=CONTROL,
            **{k: given[k] for k in given if k != name},
        )
        for name in given
    ]
    return "ice" in made[0] and "outcome" in made[1]


# ---- confirmations


@cache
def screen() -> xr.Dataset:
    return outcomes()


def confirm(**given: Any) -> Any:
    settings = {"screen": screen(), "select": ["GATA"], "predictor": ORACLE, "rng": 9}
    return cg.confirm(**settings | given)


def confirms(found: xr.Dataset) -> bool:
    return "GATA" in found["arm"].to_numpy()


@case
def another_predictor_than_that_of_the_screen(_folder: Path) -> Any:
    given = {"predictor": network(1)}
    text = refusal(confirm, **given)
    named = arguments(cure_in(text, r"or say (other_predictor=True)"))
    return confirms(confirm(**given | named)) and confirms(confirm())


@case
def another_design_than_that_of_the_screen(_folder: Path) -> Any:
    given = {"design": design(n_units=80)}
    text = refusal(confirm, **given)
    del given[cure_in(text, r"or leave (design)= out")]
    return confirms(confirm(**given)) and confirms(confirm(design=design()))


@case
def a_selection_that_is_a_number(_folder: Path) -> Any:
    names = cured(confirm, {"select": 3}, r"(select=\[.*\])")
    return names.sizes["arm"] >= 2


@case
def a_selection_of_nothing(_folder: Path) -> Any:
    text = refusal(confirm, select=[])
    assert cure_in(text, r"; give (names of arms or contrasts), or decisions")
    decided = cg.analyze(screen(), control="none", rope=(-0.01, 0.01), rng=0)
    return confirms(confirm(select=["GATA"])) and confirms(confirm(select=decided))


@case
def a_selection_of_estimates(_folder: Path) -> Any:
    estimates = cg.estimate(cg.contrast(screen(), control="none"))
    text = refusal(confirm, select=estimates)
    made = cure_in(text, r"or decisions from (cg.analyze)")
    decided = eval(made, {"cg": cg})(
        screen(), control="none", rope=(-0.01, 0.01), rng=0
    )
    return confirms(confirm(select=decided))


@case
def a_selection_of_controls(_folder: Path) -> Any:
    text = refusal(confirm, select=["none", "placebo"])
    name = cure_in(
        text, r"names only controls .*; name arms to confirm, such as '(\w+)'"
    )
    return confirms(confirm(select=[name]))


@case
def sequences_that_were_all_used(_folder: Path) -> Any:
    given = {"null": cg.Genomic(of=STRINGS), "n_units": 12}
    used = run(design(**given))
    text = refusal(confirm, screen=used)
    named = arguments(cure_in(text, r"run the screen with Design\((reserve=0.25)\)"))
    found = confirm(screen=run(design(**given, **named)))
    return confirms(found) and found.sizes["unit"] == 6


# ---- expressions


@case
def a_hypothesis_whose_names_cancel(_folder: Path) -> Any:
    text = refusal(read_hypothesis, "GATA - GATA", ["none", "GATA"])
    example = cure_in(text, r"; for example ['\"](.*)['\"]")
    return {*read_hypothesis(example, ["none", "GATA"]).terms} == {"none", "GATA"}


@case
def pairs_of_one_contrast(_folder: Path) -> Any:
    text = refusal(differences, "pairwise", ["GATA"])
    named = cure_in(text, r"; name a number: '(GATA = 0)'")
    return read_hypothesis(named, ["GATA"]).terms == {"GATA": 1}


@case
def a_hypothesis_and_its_double(_folder: Path) -> Any:
    names = ["none", "GATA"]
    rows = {t: read_hypothesis(t, names) for t in ("GATA = none", "2*GATA = 2*none")}
    text = refusal(check_distinct, rows)
    del rows[cure_in(text, r"and '(.*)' are one: .*; leave one out")]
    check_distinct(rows)
    return [*rows] == ["GATA = none"]


@case
def a_hypothesis_of_thousands_of_letters(_folder: Path) -> Any:
    names = [f"placebo number {k}" for k in range(800)]
    text = refusal(
        read_hypothesis, " + ".join(f"`{one}`" for one in names) + " = 0", names
    )
    assert cure_in(text, r"; give (weights by name) instead of text")
    arms = {"a": 1.0, "b": -1.0}
    two = {"a": cg.Untreated(), "b": cg.Embed("GATA", at=3)}
    return design(arms=two, contrasts={"all": arms}).named_contrasts is not None


@case
def a_weight_without_a_sign(_folder: Path) -> Any:
    text = refusal(read_hypothesis, "2 GATA - none", ["none", "GATA"])
    product = cure_in(text, r"'2 GATA' lacks a sign; write ([^\s;]+)")
    found = read_hypothesis(f"{product} - none", ["none", "GATA"])
    return found.terms == {"GATA": 2, "none": -1}


# ---- texts


@case
def a_file_that_is_too_large(folder: Path) -> Any:
    path = folder / "list.txt"
    path.write_text("GATA\nTTAC\n")

    def read(place: Path) -> bytes:
        return inputs.read_bytes(place, DesignError, most=6)

    assert cure_in(refusal(read, path), r"at most 6 are read at once; (split) the file")
    parts = []
    for k, line in enumerate(path.read_text().splitlines(keepends=True)):
        part = folder / f"{k}.txt"
        part.write_text(line)
        parts.append(read(part))
    return b"".join(parts) == path.read_bytes()


@case
def a_pipe(folder: Path) -> Any:
    path = folder / "pipe"
    os.mkfifo(path)
    text = refusal(inputs.read_text, path, DesignError)
    assert cure_in(text, r"; write its contents into a (file) first")
    (folder / "file").write_text("rng = 1")
    return inputs.read_text(folder / "file", DesignError) == "rng = 1"


class Frame:
    """A table of another library."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def to_pandas(self) -> Any:
        return self.found


@case
def a_table_whose_pandas_is_none(_folder: Path) -> Any:
    table = pd.DataFrame({"x": [1]})
    text = refusal(inputs.as_pandas, Frame([1]))
    assert cure_in(text, r"returned a list; give a (DataFrame) of pandas")
    return inputs.as_pandas(Frame(table)).equals(table)


@case
def the_class_of_a_table(_folder: Path) -> Any:
    text = refusal(inputs.as_pandas, Frame)
    assert cure_in(text, r"cannot be called .*; give a (table)$")
    table = pd.DataFrame({"x": [1]})
    return inputs.as_pandas(Frame(table)).equals(table)


def toml(text: str) -> Any:
    return inputs.parse_toml(text, DesignError, source="trial.toml")


@case
def a_key_of_a_hundred_parts(_folder: Path) -> Any:
    text = refusal(toml, ".".join("abcde" * 30) + " = 1")
    line = int(cure_in(text, r"trial.toml: line (\d+): a dotted key .*write it flat"))
    return line == 1 and toml("abcde = 1") == {"abcde": 1}


@case
def a_list_in_a_hundred_lists(_folder: Path) -> Any:
    n = 101
    text = refusal(toml, "at = " + "[" * n + "1" + "]" * n)
    name = cure_in(text, r"trial.toml: (\w+) is nested deeper than 100 .*write it flat")
    return toml(f"{name} = [1]") == {"at": [1]}


@case
def a_control_character(_folder: Path) -> Any:
    text = refusal(toml, 'name = "a\\u001bb"')
    letter = eval(cure_in(text, r"control character ('.*'); leave it out"))
    return toml(f'name = "{"a" + chr(27) + "b"}"'.replace(letter, "")) == {"name": "ab"}


@case
def a_control_character_in_a_key(_folder: Path) -> Any:
    text = refusal(toml, '"a\\u001bb" = 1')
    letter = eval(cure_in(text, r"control character ('.*'); leave it out"))
    return toml(f'"{"a" + chr(27) + "b"}" = 1'.replace(letter, "")) == {"ab": 1}


# ---- the zoo


def of_motifs(**given: Any) -> Any:
    return cg.zoo.Oracle(length=40, **given)


@case
def effects_of_no_oracle(_folder: Path) -> Any:
    from causalgia.zoo._true_ace import true_ace

    text = refusal(true_ace, design(), ORACLE, control="none")
    oracle = eval(cure_in(text, r"such as (cg.zoo.oracle\('gata1_like'\))"), {"cg": cg})
    small = design(null=cg.Uniform(length=oracle.length or 40))
    return true_ace(small, oracle, control="none").sizes["contrast"] == 2


@case
def a_loop_given_twice(_folder: Path) -> Any:
    given = {"motif": "GCATG", "bonus": 1.0, "stem": 4}
    text = refusal(arrangements.Hairpin, **given, loop=(6, 6))
    assert cure_in(text, r"must be one length or (several different) ones")
    made = [arrangements.Hairpin(**given, loop=one).loops for one in (6, (6, 7))]
    return [len(one) for one in made] == [1, 2]


@case
def an_imprint_without_heights(_folder: Path) -> Any:
    text = refusal(oracles.Imprint, "K562", "GATA", ())
    assert cure_in(text, r"has no heights; give one for (each position)")
    return oracles.Imprint("K562", "GATA", (1.0, 2.0, 2.0, 1.0)).heights == (1, 2, 2, 1)


@case
def a_gain_that_is_a_number(_folder: Path) -> Any:
    text = refusal(terms.MotifCount, "GATA", 1.0, gain=2.0)
    made = cure_in(text, r"give a zoo.(\w+), zoo.Peak or another, or leave it out")
    slope = getattr(terms, made)
    assert slope is not None
    return terms.MotifCount("GATA", 1.0).gain is None


@case
def an_end_longer_than_the_sequences(_folder: Path) -> Any:
    end = terms.EndGC(1.0, last=50)
    least = int(cure_in(refusal(end.check, 40), r"needs at least (\d+) positions"))
    end.check(least)
    return replace(end, last=40).check(40) is None


def answers_of(*terms_of: Any, **given: Any) -> Any:
    tokens = cg.sequences.encode(["AGATAAGCC", "CTTATCTCC"])
    return cg.zoo.Oracle(*terms_of, **given).predict(tokens).tolist()


@case
def a_site_on_an_unknown_strand(_folder: Path) -> Any:
    text = refusal(terms.MotifCount, "AGATAAG", 2.0, "minus")
    strands = re.findall(r"'([^']+)'", cure_in(text, r"must be (.*)$"))
    found = [answers_of(terms.MotifCount("AGATAAG", 2.0, one)) for one in strands]
    return found == [[[2.0], [0.0]], [[0.0], [2.0]], [[2.0], [2.0]]]


@case
def a_row_of_weights_for_two_tasks(_folder: Path) -> Any:
    given = {"tasks": ["one", "other"], "weights": [[3.0]]}
    site = terms.MotifCount("AGATAAG", 2.0, "-")
    text = refusal(cg.zoo.Oracle, site, **given)
    assert cure_in(text, r"; give (one row for each task)$")
    each = given | {"weights": given["weights"] * 2}
    return answers_of(site, **each) == [[0.0, 0.0], [6.0, 6.0]]


@case
def an_unknown_link(_folder: Path) -> Any:
    site = terms.MotifCount("AGATAAG", 2.0)
    text = refusal(cg.zoo.Oracle, site, link="log")
    links = re.findall(r"'([^']+)'", cure_in(text, r"must be (.*)$"))
    found = [answers_of(site, link=one) for one in links]
    return np.allclose(found, [[[2.0], [0.0]], [[np.exp(2.0)], [1.0]]])


@case
def a_profile_in_bins(_folder: Path) -> Any:
    dip = oracles.Imprint("counts", "GATA", (-1.0, -2.0, -1.0))
    text = refusal(oracles.ProfileOracle, dip, baseline=5.0, track=cg.Track(bin=2))
    name = cure_in(text, r"not bins of 2; leave (\w+)= out$")
    assert name == "bin"
    made = oracles.ProfileOracle(dip, baseline=5.0, track=cg.Track())
    found = made.predict(cg.sequences.encode(["AAGATAAA"]))[0, :, 0]
    return found.tolist() == [5, 5, 4, 3, 4, 5, 5, 5]


@case
def an_unknown_logic(_folder: Path) -> Any:
    given = {"motifs": ("GATA", "CACG"), "bonus": 1.0}
    text = refusal(terms.Gate, **given, logic="xor")
    names = cure_in(text, r"must be ('and' or 'or')").split(" or ", 1)
    made = [terms.Gate(**given, logic=one.strip("'")).logic for one in names]
    return made == ["and", "or"]


@case
def a_member_beyond_the_last(_folder: Path) -> Any:
    text = refusal(trained.load, "rbfox1_like", member=99)
    most = int(cure_in(text, r"a whole number from 0 to (\d+)"))
    return most >= 1 and trained.load("rbfox1_like", member=most) is not None


@case
def a_member_of_one_oracle(_folder: Path) -> Any:
    given = {"name": "gata1_like", "member": 1}
    text = refusal(trained.load, **given)
    name = cure_in(text, r"leave (\w+)= out, or load one of")
    other = cure_in(text, r"load one of '(\w+)'")
    del given[name]
    return (
        trained.load(**given).tasks == ("K562", "HepG2")
        and trained.load(other, member=1) is not None
    )


@case
def a_kept_part_that_there_is_not(_folder: Path) -> Any:
    text = refusal(run, design(), keep="all")
    names = re.findall(r"'(\w+)'", cure_in(text, r"is not one of ('.*')$"))
    trial, plan = design(contrasts=WITH_NONE), {"analysis": cg.Analysis(rope=0)}
    kept = [run(trial, keep=name) for name in names]
    ace = [
        cg.analyze(one, **plan, rng=0)["ace"].sel(contrast="GATA").to_numpy()
        for one in kept
    ]
    return len(ace) == 3 and np.allclose(ace[1:], ace[0])


@case
def contrasts_between_tasks_that_are_watched(_folder: Path) -> Any:
    tasks = {"K562 - HepG2": {"K562": 1, "HepG2": -1}}
    plan = cg.Analysis(control="none", rope=(-0.1, 0.1), tasks=tasks)
    until = cg.Precision(half_width=0.5)
    text = refusal(run, design(), analysis=plan, until=until)
    out = cure_in(text, r"leave (\w+)= out of the analysis until the trial has ended")
    watched = run(design(), analysis=replace(plan, **{out: None}), until=until)
    assert cg.contrast(watched, control="none", tasks=tasks)["task"].size == 1
    name = cure_in(text, r"or give (\w+)= instead of until=$")
    found = run(design(**{name: 30}), analysis=plan)
    return list(cg.analyze(found, rng=0)["task"].values) == ["K562 - HepG2"]


@case
def pairs_of_too_many_arms(_folder: Path) -> Any:
    names = [f"a{i}" for i in range(201)]
    y = np.random.default_rng(0).normal(size=603)
    rows = pd.DataFrame({"unit": np.repeat([0, 1, 2], 201), "arm": names * 3, "y": y})
    of = cg.from_frame(rows, outcome="y", arm="arm", unit="unit")
    text = refusal(cg.contrast, of, contrasts="pairwise")
    most = int(cure_in(text, r"; up to (\d+) arms are paired"))
    few = cg.contrast(of.isel(arm=slice(most)), contrasts="pairwise")
    assert few.sizes["contrast"] == most * (most - 1) // 2
    one = cure_in(text, r"name those that you compare, '(a0 - a1)', or say")
    keyword = cure_in(text, r"or say '(\w+)' \(each minus the first, 'a0'\)$")
    found = cg.contrast(of, contrasts=one)["ice"].squeeze("contrast")
    right = y.reshape(3, 201)
    every = cg.contrast(of, contrasts=keyword)["ice"]
    return [
        np.allclose(found.squeeze(), right[:, 0] - right[:, 1]),
        np.allclose(every.squeeze(), right[:, 1:] - right[:, :1]),
    ]


@case
def patterns_of_tasks_without_backticks(_folder: Path) -> Any:
    names = ["DNASE:K562", "RNA:K562"]
    trial = outcomes().assign_coords(task=names)
    given = {"outcomes": trial, "contrasts": WITH_NONE}
    text = refusal(cg.contrast, **given, tasks="D* - R*")
    tasks = cure_in(text, r"and patterns, must be in backticks: '(.*)'$")
    found = cg.contrast(**given, tasks=tasks)["ice"].squeeze("task")
    each = cg.contrast(**given)["ice"]
    return np.allclose(found, each.sel(task=names[0]) - each.sel(task=names[1]))


@case.each
def test_the_cure_of_a_run_is_applied_and_succeeds(case, tmp_path):
    assert np.all(case(tmp_path))
