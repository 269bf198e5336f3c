"""What is asked of the outcomes: one frozen value, compared by content, refused at the
door, the same in every form.
"""

from __future__ import annotations

import dataclasses
import pickle
import re

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, strategies as st

import causalgia as cg
from causalgia.analysis import Analysis, AnalysisFields, exploratory_attrs
from causalgia.checks import check_table, is_count, one_of
from causalgia.choices import (
    ERRORS,
    LAWS,
    LEAST_PLACEBOS,
    SCALES,
    TARGETS,
)
from causalgia.errors import (
    ContrastError,
    DesignError,
    EstimateError,
    ExploratoryWarning,
    OutcomesError,
    PredictorError,
)
from causalgia.multiplicity.placebo import LEAST_IN_A_REGION

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
    tau=st.sampled_from(["half_t", "half_normal", "half_cauchy", "uniform"]),
    tau_scale=NUMBERS,
    standardized=st.booleans(),
)
SHRINKAGES = st.builds(
    cg.Shrinkage,
    law=st.sampled_from(LAWS),
    prior=PRIORS,
    moderate=st.none() | st.booleans(),
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


@pytest.mark.rotating(6)
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
    with pytest.raises(dataclasses.FrozenInstanceError):
        ask.control = "other"
    with pytest.raises(TypeError):
        Analysis("placebo")
    assert repr(Analysis()) == "Analysis()"
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


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"control": ""}, "control='' must be text that is not empty"),
        ({"control": 3}, "control=3 must be text"),
        (
            {"control": "a", "interaction": ["A", "B"]},
            "control and interaction ask different questions; keep one",
        ),
        ({"contrasts": {"x": {"a": 1, "b": 1}}}, "weights that sum to 0"),
        ({"contrasts": {"x": {"a": 0, "b": 0}}}, "no weight other than 0"),
        (
            {"contrasts": {"x": {"a": float("nan"), "b": -1}}},
            "a weight that is not finite",
        ),
        ({"contrasts": 3}, "contrasts=3 must be tables"),
        (
            {"contrasts": {"1": {"a": 1, "b": -1}, 1: {"a": 1, "b": -1}}},
            "two contrasts have one name",
        ),
        ({"interaction": ["A"]}, "two or more different factors"),
        ({"interaction": ["A", "A"]}, "two or more different factors"),
        ({"scale": "ln"}, "scale='ln' must be one of"),
        ({"target": "people"}, "target='people' must be one of"),
        ({"ci_prob": 95}, "ci_prob=95 is not a number from 0.5"),
        ({"ci_prob": True}, "ci_prob=True is not a number"),
        ({"shrink": {"law": "ash"}}, "law='ash' is not one of"),
        ({"family": 3}, "family=3 must be"),
        ({"family": "all"}, "family='all' is the default, all rows of the table"),
        ({"error": "fdrr"}, "error='fdrr' must be one of"),
        ({"error": "holm"}, "error='holm' has another name: 'fwer'"),
        ({"error": "bayes_fdr"}, "has another name: 'posterior'"),
        ({"largest": 0}, "largest=0 must be a positive number"),
        (
            {"rope": (0.1, -0.1)},
            "rope=(0.1, -0.1) is reversed; give the lower end first: rope=(-0.1, 0.1)",
        ),
        ({"rope": (0.1, 0.1)}, "rope=(0.1, 0.1) has no width"),
        ({"rope": (0, float("inf"))}, "rope=(0, inf) has an end that"),
        ({"rope": (float("nan"), 1)}, "rope=(nan, 1) has an end that"),
        ({"rope": (1, 2, 3)}, "rope=(1, 2, 3) is not two numbers"),
        ({"rope": {}}, "rope={} names no task"),
        (
            {"rope": {"K562": (1, -1)}},
            "task K562: rope=(1, -1) is reversed; give the lower end first",
        ),
        ({"rope": {"K562": 0}}, "task K562: rope=0 is not two numbers"),
        ({"rope": 0.1}, "rope=0.1 is one number; a region has two ends"),
        ({"rope": True}, "rope=True is not two numbers"),
        ({"rope": False}, "rope=False is not two numbers"),
        ({"rope": "small"}, "rope='small' is not a region"),
        ({"rope": "0 sd"}, "rope='0 sd' is not a region"),
        ({"rope": "-1 sd"}, "rope='-1 sd' is not a region"),
        ({"shrink": "ash"}, "shrink='ash' must be a cg.Shrinkage, or a table"),
        (
            {"shrink": {"kind": "ash"}},
            "shrink: Shrinkage: there is no 'kind'; it takes law, prior, moderate",
        ),
        (
            {"shrink": {"prior": {"kind": "ash"}}},
            "shrink: Prior: there is no 'kind'; it takes mu_sd, tau",
        ),
        (
            {"shrink": {"prior": {"tau_scale": -1}}},
            "shrink: Prior: tau_scale=-1 must be a positive number",
        ),
    ],
)
def test_what_is_no_question_is_refused(wrong, said):
    with pytest.raises(DesignError) as caught:
        Analysis(**wrong)
    assert str(caught.value).startswith("Analysis: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tables_are_refused_by_their_own_name():
    with pytest.raises(
        DesignError, match=r"\[analysis\] has no key 'contorl'; did you mean 'control'"
    ):
        Analysis.from_dict({"contorl": "a"})
    with pytest.raises(
        DesignError, match=r"\[analysis\]: shrink: Prior: there is no 'kind'"
    ):
        Analysis.from_dict({"shrink": {"prior": {"kind": "ash"}}})
    with pytest.raises(DesignError, match="an analysis is a table, not 3; give one"):
        Analysis.from_dict(3)
    with pytest.raises(DesignError, match="not valid TOML"):
        Analysis.from_toml("control =")
    with pytest.raises(DesignError, match="not valid JSON"):
        Analysis.from_json("{")


@pytest.mark.parametrize(
    ("plain", "cure"),
    [
        ({"level": 0.9}, "'level'; it is ci_prob"),
        ({"adjust": "bh"}, "'adjust'; it is the error rate of verdicts"),
        ({"law": "normal"}, "'law'; it belongs to shrink: cg.Shrinkage"),
        ({"prior": {}}, "'prior'; it belongs to shrink: cg.Shrinkage"),
        ({"moderate": True}, "'moderate'; it belongs to shrink: cg.Shrinkage"),
        ({"exchangeable": True}, "'exchangeable'; label the contrasts by"),
    ],
)
def test_keys_of_before_are_refused_with_what_took_their_place(plain, cure):
    with pytest.raises(DesignError, match=rf"\[analysis\]: there is no {cure}"):
        Analysis.from_dict(plain)


def test_arms_that_a_design_lacks_are_refused():
    ask = Analysis(contrasts={"x": {"GATA": 1, "placebo": -1}})
    with pytest.raises(
        DesignError, match="'x' names 'GATA', which is not an arm; did you mean 'GATA1'"
    ):
        ask.check(["placebo", "GATA1"], [])
    with pytest.raises(
        DesignError,
        match="interaction names 'A', which is not a factor; there are no factors",
    ):
        Analysis(interaction=["A", "B"]).check(["placebo"], [])
    Analysis(control="placebo").check(["placebo", "GATA1"], [])
    design = cg.Design(
        null=cg.Uniform(length=30),
        arms={"placebo": cg.Untreated(), "GATA1": cg.Embed("GATA", at=3)},
        n_units=4,
    )
    share = cg.FunctionPredictor(
        lambda x: x[:, 1:3].sum((1, 2)), tasks=["GC"], scale="count"
    )
    with pytest.raises(
        DesignError,
        match="'plcebo', which is not an arm; did you mean 'placebo'\\? The arms are",
    ):
        cg.run(design, share, rng=0, analysis=Analysis(control="plcebo"))
    with pytest.raises(DesignError, match="analysis= takes a cg.Analysis, not a dict"):
        cg.run(design, share, rng=0, analysis={"control": "placebo"})


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            {"cluster": "zz"},
            "cluster='zz', which is not a coordinate of the units; the coordinates "
            "are 'parent'$",
        ),
        (
            {"cluster": "gc"},
            "cluster='gc' is a share of each unit's letters, and a cluster is a "
            "group of units",
        ),
        (
            {"family": "zz"},
            "family='zz', which is not a factor; the factors are 'class'",
        ),
        ({"covariates": ["gc"]}, "covariates= is for assignment='parallel'"),
        (
            {"covariates": ["zz"]},
            "covariates names 'zz', which is not a coordinate of the units",
        ),
        ({"block": "zz"}, "block='zz', which is not a coordinate of the units"),
        (
            {"rope": "placebo"},
            "rope='placebo' needs contrasts of 40 or more placebos, and there are 39",
        ),
        (
            {"rope": {"zz": (-1, 1)}},
            "names 'zz', which is not a task; the tasks are 'GC'",
        ),
    ],
)
def test_what_can_never_be_carried_out_is_refused_before_anything_is_predicted(
    ask, said
):
    def never(x):
        raise AssertionError("a sequence was predicted")

    arms = [
        cg.Arm("placebo", cg.Untreated(), {"class": "a"}),
        cg.Arm("GATA1", cg.Embed("GATA", at=3), {"class": "b"}),
    ]
    words = [
        cg.Arm(name, word)
        for name, word in cg.placebos("AGATAAG", at=3, n_placebos=39).items()
    ]
    design = cg.Design(null=cg.Uniform(length=30), arms=[*arms, *words], n_units=20)
    predictor = cg.FunctionPredictor(never, tasks=["GC"], scale="count")
    with pytest.raises(DesignError, match=said):
        cg.run(design, predictor, rng=0, analysis=Analysis(control="placebo", **ask))
    with pytest.raises(PredictorError, match="was predicted"):
        cg.run(
            design,
            predictor,
            rng=0,
            analysis=Analysis(
                control="placebo", cluster="parent", rope={"GC": (-1, 1)}
            ),
        )


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        (
            (None, (1, 0), (0, 1), (1, 1)),
            "no arm has the levels A = 0, B = 0; a factorial has one arm for each",
        ),
        (
            (None, (1, None), (None, 1), (1, 1)),
            r"factor 'A' has the levels \[1\], and two are needed; give levels to",
        ),
        (
            ((0, 0), (1, 0), (2, 1), (1, 1)),
            r"factor 'A' has the levels \[0, 1, 2\], and two are needed",
        ),
        (
            ((0, 0), (0, 0), (0, 1), (1, 1)),
            "arms 'none' and 'A' both have the levels A = 0, B = 0",
        ),
    ],
)
def test_a_factorial_that_is_none_is_refused_before_anything_is_predicted(levels, said):
    done = {
        "none": cg.Untreated(),
        "A": cg.Embed("GATA", at=3),
        "B": cg.Embed("CACC", at=20),
    }
    arms = [
        cg.Arm(
            name,
            do,
            {}
            if of is None
            else {f: x for f, x in zip("AB", of, strict=True) if x is not None},
        )
        for (name, do), of in zip(
            {**done, "both": done["A"] + done["B"]}.items(), levels, strict=True
        )
    ]
    design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=20)
    with pytest.raises(DesignError, match=rf"Analysis: interaction: {said}"):
        cg.run(
            design,
            cg.zoo.oracle("gata1_like"),
            rng=0,
            analysis=Analysis(interaction=["A", "B"]),
        )


def test_as_many_placebo_words_as_the_verb_wants():
    assert LEAST_PLACEBOS == LEAST_IN_A_REGION
    words = [f"w{i}" for i in range(40)]
    Analysis(control="c", rope="placebo").check(["c", *words], [], placebos=words)
    with pytest.raises(DesignError, match="and there are 39"):
        Analysis(control="w0", rope="placebo").check(["c", *words], [], placebos=words)
    rows = {w: {w: 1, "c": -1} for w in words}
    Analysis(contrasts=rows, rope="placebo").check(["c", *words], [], placebos=words)
    with pytest.raises(DesignError, match="no region for the task 'HepG2'"):
        Analysis(rope={"K562": (-1, 1)}).check([], [], tasks=["K562", "HepG2"])


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
    with pytest.raises(DesignError, match=re.escape("rope=(0.1, -0.1) is reversed")):
        Analysis(rope=(0.1, -0.1))


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


def test_tables_name_the_key_and_the_cure():
    keys = {"n": (is_count, "a whole number of at least 1"), "kind": one_of("a", "b")}
    assert check_table({"n": 2, "kind": "a"}, "[t]", keys) == {"n": 2, "kind": "a"}
    with pytest.raises(
        DesignError, match=r'\[t\]: kind = \'c\' must be one of "a", "b"'
    ):
        check_table({"kind": "c"}, "[t]", keys)
    with pytest.raises(DesignError, match=r"\[t\]: n = True must be a whole number"):
        check_table({"n": True}, "[t]", keys)


def test_a_posterior_of_contrasts_of_different_kinds_is_refused():
    words = {f"w{k}": {f"w{k}": 1, "none": -1} for k in range(10)}
    mixed = words | {"both": {"AB": 1, "w0": -1, "w1": -1, "none": 1}}
    with pytest.raises(
        DesignError,
        match="'w0' and 'both' are of different kinds: the weights of their arms differ; use",
    ):
        Analysis(contrasts=mixed, rope=(-1, 1), error="posterior")
    ask = Analysis(contrasts=words, rope=(-1, 1), error="posterior")
    assert ask.error == "posterior"
    assert Analysis(contrasts=mixed, rope=(-1, 1)).error == "fdr"


def test_a_posterior_of_fewer_than_ten_contrasts_is_refused():
    words = {f"w{k}": {f"w{k}": 1, "none": -1} for k in range(9)}
    with pytest.raises(DesignError, match="takes 10 or more .* and there are 9; use"):
        Analysis(contrasts=words, rope=(-1, 1), error="posterior")


@pytest.mark.parametrize(
    "name",
    [
        "scale",
        "cluster",
        "target",
        "ci_prob",
        "weights",
        "error",
        "shrink",
    ],
)
def test_no_field_with_a_default_is_none(name):
    with pytest.raises(
        DesignError, match=f"Analysis: {name}=None (must be|is not a number)"
    ):
        cg.Analysis(control="a", **{name: None})


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
    short = cg.analyze(outcomes, rng=1, **fields)
    assert short.identical(cg.analyze(outcomes, Analysis(**fields), rng=1))
    assert short["verdict"].item() == "increases"
    assert short.identical(outcomes.pipe(cg.analyze, rng=1, **fields))


def test_fields_take_the_place_of_those_of_the_plan_and_are_named_exploratory():
    planned = Analysis(contrasts="b - wt", rope=(-9, 9))
    outcomes = _two_arms(analysis=planned.to_json())
    with pytest.warns(ExploratoryWarning, match="rope"):
        found = cg.analyze(outcomes, rope=(-1, 1), rng=1)
    assert found["contrast"].item() == "b - wt"
    assert found.attrs["exploratory"] == "rope"
    with pytest.warns(ExploratoryWarning, match="contrasts"):
        found = cg.analyze(outcomes, control="wt", rng=1)
    assert found["contrast"].item() == "b"
    same = cg.analyze(outcomes, rope=(-9, 9), rng=1)
    assert same.identical(cg.analyze(outcomes, rng=1))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"analysis": Analysis(control="wt", rope=0), "ci_prob": 0.9},
            r"^analyze: analysis= and ci_prob= are two plans; give ci_prob= to "
            r"cg.Analysis\(...\), or leave analysis= out$",
        ),
        ({"contol": "wt"}, "^analyze: there is no argument 'contol'; did you mean"),
        ({"zzz": 1}, "^analyze: there is no argument 'zzz'$"),
        (
            {"level": 0.9},
            "^analyze: there is no 'level'; it is ci_prob, the probability of every",
        ),
        ({"law": "normal"}, "^analyze: there is no 'law'; it belongs to shrink"),
        (
            {"control": "wt", "rope": (1, -1)},
            r"^analyze: rope=\(1, -1\) is reversed; give the lower end first",
        ),
        (
            {"control": "wt", "contrasts": "b - wt"},
            "^analyze: control and contrasts ask different questions; keep one",
        ),
        ({"control": "wt", "error": "bh"}, "^analyze: error='bh' has another name"),
    ],
)
def test_fields_that_are_no_analysis_are_refused(given, message):
    with pytest.raises(DesignError, match=message):
        cg.analyze(_two_arms(), rng=1, **given)


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


@pytest.mark.parametrize(
    ("of", "error", "message"),
    [
        (
            lambda: cg.contrast(_two_arms(), control="wt"),
            EstimateError,
            "^control='wt' is of outcomes, and these are effects of contrasts already; "
            "leave control= out, or give the outcomes$",
        ),
        (lambda: _two_arms().rename(arm="arms"), OutcomesError, "arm"),
        (lambda: {"outcome": [1.0]}, OutcomesError, "not an xarray Dataset but a dict"),
    ],
)
def test_estimate_refuses_a_control_where_it_has_no_place(of, error, message):
    with pytest.raises(error, match=message):
        cg.estimate(of(), control="wt")


def test_estimate_names_the_arm_nearest_to_a_control_that_is_none():
    with pytest.raises(ContrastError, match="wt"):
        cg.estimate(_two_arms(), control="wtt")
