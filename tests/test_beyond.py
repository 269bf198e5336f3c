"""What is asked beyond the analysis that was kept with the outcomes is named, and
nothing else is.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia._analyze import steps
from causalgia.analysis import exploratory_attrs
from causalgia.analysis_values import Shrinkage
from causalgia.errors import ExploratoryWarning

KEPT = cg.Analysis(control="placebo", rope=(-0.1, 0.1))


ROWS = {"a - p": {"GATA1": 1, "placebo": -1}, "b - p": {"TAL1": 1, "placebo": -1}}


def outcomes(
    kept: cg.Analysis | None = KEPT, *, n: int = 120, exact: bool = False
) -> xr.Dataset:
    y = np.random.default_rng(0).normal(
        [0.0, 0.0, 1.0, 0.2], 0.0 if exact else 1.0, size=(n, 4)
    )[..., None]
    found = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        coords={
            "unit": np.arange(n),
            "arm": ["untreated", "placebo", "GATA1", "TAL1"],
            "task": ["K562"],
            "A": ("arm", [0, 0, 1, 1]),
            "B": ("arm", [0, 1, 0, 1]),
            "parent": ("unit", np.arange(n) // 2),
            "gc": ("unit", np.linspace(0.3, 0.7, n)),
        },
    )
    return found if kept is None else found.assign_attrs(analysis=kept.to_json())


def marked(dataset: xr.Dataset) -> str | None:
    return dataset.attrs.get("exploratory")


def test_another_control_is_named_carried_on_and_printed():
    effects = cg.contrast(outcomes(), control="untreated")
    assert marked(effects) == "control"
    estimates = cg.estimate(effects)
    decisions = cg.decide(estimates, rope=(-0.1, 0.1))
    assert marked(estimates) == marked(decisions) == "control"


@pytest.mark.parametrize("kept", [None, cg.Analysis()], ids=["none", "empty"])
def test_where_nothing_was_kept_nothing_is_marked(kept):
    effects = cg.contrast(outcomes(kept), control="untreated")
    decisions = cg.decide(cg.estimate(effects, ci_prob=0.9), rope=0)
    assert marked(decisions) is None
    assert (
        marked(cg.decide(pd.DataFrame({"effect": [1.0], "se": [0.1]}), rope=0)) is None
    )


def test_a_word_that_is_no_analysis_of_ours_fixes_nothing():
    assert exploratory_attrs({"analysis": "RNA-seq, second batch"}, control="a") == {}


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        ({"control": "placebo"}, {"control": "placebo"}),
        ({"contrasts": ROWS}, {"contrasts": ROWS}),
        ({"contrasts": ROWS}, {"contrasts": dict(reversed(ROWS.items()))}),
        (
            {"contrasts": ROWS},
            {"contrasts": {k: {"untreated": 0, **row} for k, row in ROWS.items()}},
        ),
        ({"interaction": ["A", "B"]}, {"interaction": ("B", "A")}),
        (
            {"control": "placebo", "scale": "logit"},
            {"control": "placebo", "scale": "logit"},
        ),
    ],
)
def test_the_same_contrast_is_not_marked(kept, asked):
    data = outcomes(cg.Analysis(**kept))
    data["outcome"] = 1 / (1 + np.exp(-data["outcome"]))
    assert marked(cg.contrast(data, **asked)) is None


@pytest.mark.parametrize(
    ("kept", "asked", "named"),
    [
        ({"control": "placebo"}, {"contrasts": ROWS}, "control, contrasts"),
        (
            {"contrasts": ROWS},
            {"contrasts": {**ROWS, "a - p": {"GATA1": 1, "untreated": -1}}},
            "contrasts",
        ),
        ({"contrasts": ROWS}, {"contrasts": {"a - p": ROWS["a - p"]}}, "contrasts"),
        ({"interaction": ["A", "B"]}, {"control": "placebo"}, "control, interaction"),
        ({"control": "placebo", "scale": "logit"}, {"control": "placebo"}, "scale"),
        ({"rope": 0}, {"control": "placebo"}, "control"),
    ],
)
def test_another_contrast_is_marked(kept, asked, named):
    assert marked(cg.contrast(outcomes(cg.Analysis(**kept)), **asked)) == named


@pytest.mark.parametrize(
    ("kept", "asked", "named"),
    [
        ({}, {}, None),
        (
            {},
            {
                "ci_prob": 0.95,
                "target": "population",
                "weights": "units",
                "cluster": "auto",
            },
            None,
        ),
        ({"cluster": "none"}, {"cluster": "none"}, None),
        ({}, {"ci_prob": 0.9}, "ci_prob"),
        ({"ci_prob": 0.9}, {}, "ci_prob"),
        ({"target": "parents", "cluster": "none"}, {}, "cluster, target"),
        ({}, {"cluster": "parent", "weights": "clusters"}, "cluster, weights"),
    ],
)
def test_estimates_are_marked_by_what_differs_from_the_kept_analysis_and_not_from_the_defaults(
    kept, asked, named
):
    data = outcomes(cg.Analysis(control="placebo", **kept))
    assert marked(cg.estimate(cg.contrast(data, control="placebo"), **asked)) == named


def test_covariates_and_blocks_of_a_parallel_trial():
    y = np.random.default_rng(0).normal(size=(80, 1))
    data = xr.Dataset(
        {"outcome": (("unit", "task"), y)},
        coords={
            "unit": np.arange(80),
            "arm": ["c", "t"],
            "task": ["y"],
            "assigned": ("unit", np.array(["c", "t"])[np.arange(80) % 2]),
            "gc": ("unit", np.linspace(0, 1, 80) ** 2),
        },
        attrs={"analysis": cg.Analysis(control="c", covariates=["gc"]).to_json()},
    )
    effects = cg.contrast(data, control="c")
    assert marked(cg.estimate(effects, covariates="gc")) is None
    assert marked(cg.estimate(effects)) == "covariates"


def decided(kept: dict, **asked) -> str | None:
    estimates = cg.estimate(
        cg.contrast(outcomes(cg.Analysis(control="placebo", **kept)), control="placebo")
    )
    return marked(cg.decide(estimates, **asked))


@pytest.mark.simulation
def test_verdicts_are_marked_by_what_they_were_asked():
    rope = {"rope": (-0.1, 0.1)}
    assert decided(rope, **rope) is None
    assert decided(rope, rope=[np.float64(-0.1), 0.1]) is None
    assert decided({"rope": {"K562": (-1, 1)}}, rope={"K562": (-1, 1)}) is None
    assert decided({"rope": "0.2 sd"}, rope="0.2 sd") is None
    assert decided(rope, rope=(-0.2, 0.2)) == "rope"
    assert decided({}, **rope) == "rope"
    assert decided(rope, rope=0, ci_prob=0.9) == "rope, ci_prob"
    assert decided({**rope, "family": "task"}, **rope, family="task") is None
    assert decided({**rope, "family": "task"}, **rope) == "family"
    own = {**rope, "error": "each"}
    assert decided(own, **own) is None
    assert decided({**rope, "error": "posterior"}, **rope) == "error"
    assert decided(rope, **rope, error="fdr") is None
    assert decided(rope, **rope, error="fwer") == "error"
    assert decided(rope, **rope, largest=50.0) == "largest"
    assert decided({**rope, "largest": 50.0}, **rope, largest=50.0) is None


def test_a_verb_on_effects_is_not_marked_by_the_estimates_on_its_way():
    """The estimates that a band or a test makes first have the defaults of `estimate`,
    which nobody asked.
    """
    ask = cg.Analysis(
        control="placebo",
        target="parents",
        ci_prob=0.9,
        error="fwer",
        rope=0,
        family="task",
    )
    effects = cg.contrast(outcomes(ask), control="placebo")
    band = cg.simultaneous(effects, family="task", n_draws=199, rng=0)
    assert marked(band) is None
    assert (
        marked(
            cg.multiplicity.simultaneous(effects, cluster="none", n_draws=199, rng=0)
        )
        == "cluster, family"
    )
    how = {"rope": 0, "error": "fwer", "family": "task"}
    assert marked(cg.decide(effects, ci_prob=0.9, **how)) is None
    assert marked(cg.decide(effects, cluster="none", **how)) == "cluster, ci_prob"


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    "ask",
    [
        {"control": "placebo", "rope": (-0.1, 0.1)},
        {
            "contrasts": ROWS,
            "rope": "0.2 sd",
            "error": "each",
            "family": "task",
        },
        {
            "interaction": ["A", "B"],
            "rope": 0,
            "largest": 50.0,
            "shrink": Shrinkage(prior=cg.Prior()),
            "cluster": "none",
        },
        {
            "control": "placebo",
            "rope": {"K562": (-1, 1)},
            "target": "parents",
        },
        {
            "control": "placebo",
            "rope": 0,
            "error": "fwer",
            "ci_prob": 0.8,
        },
    ],
)
def test_an_analysis_carried_out_as_it_was_fixed_is_never_marked(ask, exact):
    # without spread there is no sd
    ask = {**ask, "rope": 0} if exact and ask["rope"] == "0.2 sd" else ask
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = steps(outcomes(cg.Analysis(**ask), n=40, exact=exact))
    assert [
        marked(part) for part in (found.effects, found.estimates, found.decisions)
    ] == [None] * 3


def test_the_verbs_mark_in_silence_what_analyze_warns_of():
    data, other = (
        outcomes(),
        cg.Analysis(
            control="untreated", rope=(-0.1, 0.1), shrink=Shrinkage(prior=cg.Prior())
        ),
    )
    with pytest.warns(ExploratoryWarning):
        found = steps(data, other)
    assert marked(found.effects) == "control"
    assert marked(found.estimates) == marked(found.decisions) == "control, shrink"


def test_another_prior_of_the_posterior_is_named():
    estimates = cg.estimate(
        cg.contrast(
            outcomes(
                cg.Analysis(control="placebo", shrink=Shrinkage(prior=cg.Prior()))
            ),
            control="placebo",
        )
    )
    as_said = cg.infer(estimates, prior=cg.Prior(), rng=0)
    assert marked(as_said["posterior"]) is None
    narrow = cg.infer(estimates, prior=cg.Prior(tau_scale=3.0), rng=0)
    assert marked(narrow["posterior"]) == "shrink"
