# Imports from the inside: what marks an answer exploratory, compared with the whole
# plan.
"""What is asked of the outcomes: one frozen value, compared by content, refused at the
door, the same in every form.
"""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, strategies as st

import causalgia as cg
from causalgia.analysis import Analysis, AnalysisFields, exploratory_attrs
from causalgia.choices import (
    ERRORS,
    SCALES,
    TARGETS,
)
from causalgia.errors import (
    ExploratoryWarning,
)

NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8
)
NUMBERS = st.floats(0.01, 5)


@st.composite
def questions(draw):
    kind = draw(st.sampled_from(["control", "contrasts", "interaction", "none"]))
    names = draw(st.lists(NAMES, min_size=3, max_size=3, unique=True))
    if kind == "control":
        return {"control": names[0]}
    if kind == "contrasts":
        return {
            "contrasts": {names[2]: {names[0]: draw(NUMBERS), names[1]: 0.0}}
            | {"b": {names[0]: 1, names[1]: -1}}
        }
    return {"interaction": names} if kind == "interaction" else {}


ROPES = st.one_of(
    st.none(),
    st.just(0),
    st.dictionaries(
        NAMES, st.tuples(NUMBERS.map(lambda x: -x), NUMBERS), min_size=1, max_size=3
    ),
    st.just("placebo"),
    NUMBERS.map(lambda x: f"{x} sd"),
    st.tuples(NUMBERS.map(lambda x: -x), NUMBERS),
)
PRIORS = st.none() | st.builds(
    cg.Prior,
    mu_sd=NUMBERS | st.just(float("inf")),
    tau_scale=NUMBERS,
    standardized=st.booleans(),
)
SHRINKAGES = st.builds(
    cg.Shrinkage,
    all_rows=st.booleans(),
    prior=PRIORS,
    variances=st.booleans(),
)
REST = st.fixed_dictionaries(
    {
        "rope": ROPES,
        "shrink": SHRINKAGES,
        "scale": st.sampled_from(SCALES),
        "target": st.sampled_from(TARGETS),
        "family": st.none() | st.just("task") | NAMES.filter(lambda x: x != "all"),
        "error": st.sampled_from(ERRORS),
        "largest": st.none() | NUMBERS,
        "ci_prob": st.floats(0.5, 0.99),
        "cluster": st.sampled_from(["auto", "none"]) | NAMES,
        "covariates": st.none() | st.lists(NAMES, min_size=1, max_size=2),
    }
)


def zero_sum(asked):
    """Make every contrast sum to zero."""
    rows = asked.get("contrasts", {})
    for row in rows.values():
        first, second = row
        row[second] = -row[first]
    return asked


@given(questions().map(zero_sum), REST)
def test_every_form_is_the_same_analysis(asked, rest):
    # a region about 1
    assume(
        rest["scale"] != "ratio"
        or rest["rope"] in (None, 0)
        or isinstance(rest["rope"], str)
    )
    if rest["target"] == "next predictor":  # which refuses what resamples units
        assume(rest["error"] in ("fdr", "each"))
    if rest["error"] == "posterior":  # which refuses two contrasts
        assume("contrasts" not in asked)
    made = Analysis(**asked, **rest)
    forms = [
        Analysis.from_dict(made.to_dict()),
        Analysis.from_json(made.to_json()),
        Analysis.from_toml(made.to_toml()),
        eval(
            repr(made),
            {
                "Analysis": Analysis,
                "Prior": cg.Prior,
                "Shrinkage": cg.Shrinkage,
                "inf": float("inf"),
            },
        ),
        pickle.loads(pickle.dumps(made)),
        dataclasses.replace(made),
    ]
    for form in forms:
        assert form == made
        assert hash(form) == hash(made)
        assert form.fingerprint == made.fingerprint
        assert not form.differs(made)


def test_it_is_a_frozen_value():
    ask = Analysis(
        control="placebo", contrasts=None, rope=[-1, 1], covariates="gc", cluster="none"
    )
    assert ask == Analysis(
        control="placebo", rope=(-1.0, 1.0), covariates=("gc",), cluster="none"
    )
    assert Analysis(control="a").fingerprint != Analysis(control="b").fingerprint
    assert Analysis(control="a", ci_prob=0.9).differs(Analysis(control="b")) == (
        "control",
        "ci_prob",
    )
    assert {Analysis(rope=0), Analysis(rope=0.0)} == {Analysis(rope=0)}


def test_contrasts_are_weights_by_arm():
    ask = Analysis(contrasts={"x": {"a": 1, "b": -1}, 7: {"a": 0.5, "b": 0.5, 3: -1}})
    assert ask.weights_by_contrast == {
        "x": {"a": 1.0, "b": -1.0},
        "7": {"a": 0.5, "b": 0.5, "3": -1.0},
    }
    assert Analysis(contrasts=ask.contrasts) == ask
    assert Analysis().weights_by_contrast == {}


def test_as_many_placebo_words_as_the_verb_wants():
    words = [f"w{i}" for i in range(40)]
    Analysis(control="c", rope="placebo").check(["c", *words], [], placebos=words)
    rows = {w: {w: 1, "c": -1} for w in words}
    Analysis(contrasts=rows, rope="placebo").check(["c", *words], [], placebos=words)


def test_what_is_kept_with_the_outcomes_is_what_was_asked():
    design = cg.Design(
        null=cg.Uniform(length=30),
        arms={"placebo": cg.Untreated(), "GATA1": cg.Embed("GATA", at=3)},
        n_units=4,
    )
    share = cg.FunctionPredictor(
        lambda x: x[:, 1:3].sum((1, 2)), tasks=["GC"], scale="count"
    )
    shrink = cg.Shrinkage(prior=cg.Prior(tau_scale=1))
    ask = Analysis(control="placebo", rope="0.2 sd", shrink=shrink)
    assert (
        Analysis.from_json(cg.run(design, share, rng=0, analysis=ask).attrs["analysis"])
        == ask
    )
    assert "analysis" not in cg.run(design, share, rng=0).attrs


def test_a_rope_may_be_said_by_task():
    ask = Analysis(rope={"K562": (-1, 1), "HepG2": [-2, 2]})
    assert ask.rope == (("K562", (-1.0, 1.0)), ("HepG2", (-2.0, 2.0)))
    assert ask.region is not None
    assert ask.region.argument == {"K562": (-1.0, 1.0), "HepG2": (-2.0, 2.0)}
    assert Analysis(rope=(-1, 1)).region == cg.Rope("numbers", (-1.0, 1.0))
    assert Analysis(rope="placebo").region == cg.Rope.parse("placebo")


def test_what_is_asked_beyond_is_named():
    kept = {
        "analysis": Analysis(
            control="placebo", rope={"K562": (-1, 1)}, cluster="none"
        ).to_json()
    }
    assert exploratory_attrs({}, control="other") == {}
    assert (
        exploratory_attrs(
            kept,
            control="placebo",
            rope={"K562": [-1, 1]},
            cluster="none",
            contrasts=None,
        )
        == {}
    )
    assert exploratory_attrs(kept, control="other", cluster="auto") == {
        "exploratory": "control, cluster"
    }
    assert exploratory_attrs({**kept, "exploratory": "control"}, ci_prob=0.9) == {
        "exploratory": "control, ci_prob"
    }
    assert exploratory_attrs({**kept, "exploratory": "control"}, ci_prob=0.95) == {
        "exploratory": "control"
    }


def _two_arms(**attrs):
    """Outcomes of two arms, the effect of b on each unit 1 to 2."""
    values = np.linspace(0, 1, 40)
    return xr.Dataset(
        {
            "outcome": (
                ("unit", "arm", "task"),
                np.stack([values, 2 * values + 1], 1)[:, :, None],
            )
        },
        coords={"unit": np.arange(40), "arm": ["wt", "b"], "task": ["K562"]},
        attrs=attrs,
    )


def test_fields_beside_outcomes_are_the_analysis_of_them():
    outcomes = _two_arms()
    fields = {"control": "wt", "rope": (-1, 1), "ci_prob": 0.9}
    short = cg.analyze(outcomes, **fields)
    assert short.identical(cg.analyze(outcomes, Analysis(**fields)))
    assert short["verdict"].item() == "increases"
    assert short.identical(outcomes.pipe(cg.analyze, **fields))


def test_fields_take_the_place_of_those_of_the_plan_and_are_named_exploratory():
    planned = Analysis(contrasts="b - wt", rope=(-9, 9))
    outcomes = _two_arms(analysis=planned.to_json())
    with pytest.warns(ExploratoryWarning):
        found = cg.analyze(outcomes, rope=(-1, 1))
    assert found["contrast"].item() == "b - wt"
    assert found.attrs["exploratory"] == "rope"
    with pytest.warns(ExploratoryWarning):
        found = cg.analyze(outcomes, control="wt")
    assert found["contrast"].item() == "b"
    same = cg.analyze(outcomes, rope=(-9, 9))
    assert same.identical(cg.analyze(outcomes))


def test_the_fields_beside_outcomes_are_those_of_an_analysis():
    fields = {field.name: field.type for field in dataclasses.fields(Analysis)}
    there = {
        name: hint.__forward_arg__
        for name, hint in AnalysisFields.__annotations__.items()
    }
    assert there == fields
    assert not AnalysisFields.__required_keys__


def test_estimate_takes_outcomes_and_their_control():
    outcomes = _two_arms()
    short = cg.estimate(outcomes, control="wt", ci_prob=0.9)
    effects = cg.contrast(outcomes, control="wt")
    assert short.identical(cg.estimate(effects, ci_prob=0.9))
    parallel = outcomes["outcome"].isel(arm=0, drop=True).to_dataset()
    parallel["assigned"] = ("unit", ["wt", "b"] * 20)
    parallel = parallel.assign_coords(arm=["wt", "b"], assigned=parallel["assigned"])
    parallel = parallel.assign_attrs(assignment="parallel")
    assert cg.estimate(parallel, control="wt").identical(
        cg.estimate(cg.contrast(parallel, control="wt"))
    )
