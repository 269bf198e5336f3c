"""What reports say of trials: each line agrees with the others, and with what was
computed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia import _reporting
from causalgia.errors import DegenerateWarning, OutcomesError
from causalgia.mpra.text_reports import describe_concordance

UNTIL = [
    cg.Precision(half_width=0.02, control="pl"),
    cg.Decided(rope=(-0.1, 0.1), control="pl", rare=0.05),
]


@pytest.mark.parametrize("until", UNTIL)
@pytest.mark.parametrize("n_arms", [2, 4])
def test_outcomes_of_a_sequential_trial_are_reported_by_arm(until, n_arms):
    found = {
        "pl": cg.Placebo("AGATAAG", at=9),
        "G": cg.Embed("AGATAAG", at=9),
        "a": cg.Untreated(),
    }
    arms = dict(list({**found, "C": cg.Embed("CACGTG", at=30)}.items())[:n_arms])
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=200)
    outcomes = cg.run(design, cg.zoo.oracle("gata1_like"), rng=1, until=until)
    assert outcomes.sizes["contrast"] == n_arms - 1
    lines = cg.report(outcomes).splitlines()
    assert f"{n_arms} arms:" in lines
    assert "  G   do(x[9:16] = AGATAAG)" in lines
    assert sum(line.startswith("  ") for line in lines) == n_arms


@pytest.mark.rotating(6)
def test_outcomes_of_a_sequential_trial_with_named_contrasts_are_reported_by_arm():
    design = cg.Design(
        null=cg.Uniform(length=60),
        arms={
            "a": cg.Untreated(),
            "pl": cg.Placebo("AGATAAG", at=9),
            "G": cg.Embed("AGATAAG", at=9),
        },
        contrasts={"specific": {"G": 1.0, "pl": -1.0}},
        n_units=200,
    )
    outcomes = cg.run(
        design, cg.zoo.oracle("gata1_like"), rng=1, until=cg.Precision(half_width=0.02)
    )
    assert cg.report(outcomes).splitlines()[-3:] == [
        "  a   do()",
        "  pl  do(x[9:16] ~ rearranged AGATAAG)",
        "  G   do(x[9:16] = AGATAAG)",
    ]


def one_effect(**columns) -> xr.Dataset:
    table = {
        name: (("contrast", "task"), np.array([[value]]))
        for name, value in columns.items()
    }
    return xr.Dataset(table, coords={"contrast": ["G"], "task": ["K562"]})


def trial(predictor=None, n_units=100, **choice) -> xr.Dataset:
    arms = {
        "a": cg.Untreated(),
        "pl": cg.Placebo("AGATAAG", at=9),
        "G": cg.Embed("AGATAAG", at=9),
    }
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=n_units)
    return cg.run(design, predictor or cg.zoo.oracle("gata1_like"), rng=1, **choice)


@pytest.mark.parametrize(
    ("method", "named"),
    [
        ("bootstrap_t", "bootstrap-t"),
        ("bonferroni", "bonferroni"),
        ("dunnett", "dunnett"),
    ],
)
def test_a_simultaneous_interval_says_that_it_is_one(method, named):
    band = cg.multiplicity.simultaneous(
        cg.contrast(trial(), control="pl"), method=method, rng=1
    )
    text = cg.report(band, notes=True)
    line = (
        f"95 % simultaneous interval ({named}, the contrasts of one task); p is of "
        "each contrast alone."
    )
    assert line in " ".join(text.split())
    assert "95 % simultaneous interval" in _reporting.cells(band)[0]
    assert "t with n - 1 df (SE and p)." in text
    assert ("may cover less than" in " ".join(text.split())) == (
        method != "bootstrap_t"
    )
    alone = cg.report(cg.estimate(cg.contrast(trial(), control="pl")))
    assert "simultaneous" not in alone
    assert "simultaneous" not in cg.report(cg.decide(band, rope=(-0.1, 0.1)))


DESIGN = cg.Design(
    null=cg.Uniform(length=60),
    arms={"a": cg.Untreated(), "G": cg.Embed("GATA", at=9)},
    n_units=9,
)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (DESIGN, "a Design; run it first: outcomes = cg.run"),
        (cg.Analysis(control="a"), "an Analysis; it is a plan"),
        (cg.experiments.copies(), "an Experiment; run it first"),
        (
            pd.DataFrame({"effect": [1.0]}),
            "a DataFrame; make a Dataset of it first: cg.from_frame",
        ),
        ([1.0], "a list; print it"),
        ("outcomes.nc", "a str; read the file first"),
        (xr.Dataset({"sd": 1.0}), "another Dataset, of 'sd'; print it"),
    ],
)
def test_what_is_no_result_is_named_with_the_cure(given, said):
    with pytest.raises(
        OutcomesError, match=r"report takes outcomes \(cg.run, cg.from_frame\)"
    ) as error:
        cg.report(given)
    assert f"and this is {said}" in str(error.value)


def test_a_size_is_reported():
    effects = cg.contrast(trial(), control="pl")
    needed = cg.sample_size(effects, half_width=0.01)
    assert f"{needed['n_units'].max().item():,} units" in cg.report(needed)


def test_an_exact_effect_has_no_p_value():
    """Two units that agree: p is 0 because nothing varies, which is no p-value."""
    found = one_effect(
        ace=1.0,
        se=0.0,
        lower=1.0,
        upper=1.0,
        p=0.0,
        exact=True,
        n_units=2,
        n_clusters=2,
    )
    header, (line,) = _reporting.cells(found)
    assert dict(zip(header, line, strict=True))["p"] == "exact"
    assert "exact" not in header
    header, (line,) = _reporting.cells(found.assign(p=found["p"] + 1))
    assert (header[-2:], line[-2:]) == (["units", "p"], ["same effect", "1.0"])
    of_units = found.assign_attrs(target="units")
    certain = cg.decide(of_units, rope=(-0.1, 0.1))
    text = " ".join(cg.report(certain, sentences=True).split())
    assert "1.000 [1.000, 1.000] (exact: no unit differs); increases, above" in text
    assert "q = 0" not in text
    header, (line,) = _reporting.cells(certain)
    assert (header[-2:], line[-2:]) == (["q", "n"], ["exact", "2"])


def test_units_that_all_answer_alike_have_an_interval_of_the_share_that_was_missed():
    found = one_effect(
        ace=1.0, se=0.0, largest_ice=1.0, exact=True, n_units=1_000, n_clusters=1_000
    )
    decided = cg.decide(found, rope=(-0.1, 0.1))
    header, (line,) = _reporting.cells(decided)
    assert dict(zip(header, line, strict=True))["units"] == "same effect"
    text = cg.report(decided, sentences=True)
    assert "(the same in all 1,000 units); increases, above the ROPE" in text
    assert "1.0000 [0.9940, 1.0060]" in text


def test_p_values_have_two_digits():
    assert [
        _reporting.format_p(p) for p in (0.0003, 0.00071, 0.0049, 0.05, 0.317, 1.0)
    ] == [
        "0.00030",
        "0.00071",
        "0.0049",
        "0.050",
        "0.32",
        "1.0",
    ]


def test_a_region_in_sd_has_the_digits_of_its_sentences():
    found = one_effect(
        ace=1.0, se=0.1, lower=0.8, upper=1.2, p=0.01, control_sd=0.186849
    )
    text = cg.report(cg.decide(found, rope="0.2 sd"), sentences=True)
    assert "G: 1.00 [0.80, 1.20], beyond ±0.03737." in text
    assert "against ±0.03737 (0.2 sd of the control arm), if q" in text
    assert "above the ROPE ±0.03737" in text
    wide = cg.report(cg.decide(found, rope=(-123456.0, 123456.0)), sentences=True)
    assert wide.count("±123500") == 3


def test_a_table_and_its_sentences_have_one_notation():
    text = cg.report(
        cg.from_effects([1.234e9, 123456.0], [3.3e6, 1234.0], names=["large", "small"]),
        sentences=True,
    )
    assert text.count("1.235e+05") == 3
    assert "123500" not in text


def test_an_interval_of_rounding_has_two_digits():
    row = {
        "ace": -1.3e-18,
        "se": 2.1e-33,
        "lower": -1.201270971279325e-14,
        "upper": 1.201270971279325e-14,
    }
    assert _reporting.format_effect(row) == ("0", "[-1.20e-14, 1.20e-14]")


def test_a_ratio_is_described_as_a_quotient():
    counts = cg.FunctionPredictor(
        lambda x: 9 + x[:, 0].sum(1), tasks=["A"], scale="counts"
    )
    effects = cg.contrast(trial(counts), control="a", scale="ratio")
    assert effects["do"].values.tolist() == [
        "do(x[9:16] ~ rearranged AGATAAG) / do()",
        "do(x[9:16] = AGATAAG) / do()",
    ]
    text = cg.report(cg.estimate(effects), arms=True, notes=True)
    assert "G: do(x[9:16] = AGATAAG) / do()\n" in text
    assert "ratio of means, delta method; t with n - 1 df." in text
    assert "−" not in text
    half = cg.contrast(
        trial(counts), contrasts={"x": {"G": 1.0, "a": -0.5, "pl": -0.5}}, scale="ratio"
    )
    assert (
        half["do"]
        .item()
        .endswith("= AGATAAG) / do()^0.5 / do(x[9:16] ~ rearranged AGATAAG)^0.5")
    )


def test_a_sequential_report_says_one_share_that_could_be_missed():
    stopped = "all clear; effects on fewer than 1 % of backgrounds could be missed"
    found = one_effect(
        ace=0.0,
        se=0.001,
        lower=-0.01,
        upper=0.01,
        p=0.9,
        n_units=5_000,
        n_clusters=5_000,
    )
    found = found.assign_attrs(
        stopped=stopped, target="population", predictor_fingerprint="85e98db9"
    )
    assert "fewer than 1 %" in cg.report(found)
    text = " ".join(cg.report(cg.decide(found, rope=(-0.1, 0.1))).split())
    assert "Effects present in fewer than 0.06 % of backgrounds could be missed" in text
    assert "Sequential trial: all clear." in text
    assert "fewer than 1 %" not in text


def test_a_caution_and_a_note_say_a_thing_once():
    few = cg.from_effects(np.linspace(-1, 1, 12), 0.1)
    text = cg.report(cg.decide(cg.infer(few, rng=0), rope=(-0.1, 0.1)), notes=True)
    said = "12 effects are too few to estimate their distribution"
    assert text.count(said) == 1


def test_two_units_leave_part_of_the_population_unseen():
    wrote = cg.FunctionPredictor(
        lambda x: 1.0 * (x[:, 0, 9:12].sum(1) == 3), tasks=["A"], scale="s"
    )
    arms = {"a": cg.Embed("CCC", at=9), "A": cg.Embed("AAA", at=9)}
    two = cg.run(
        cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=2), wrote, rng=1
    )
    with pytest.warns(DegenerateWarning, match="do(es)? not vary at all over 2"):
        found = cg.estimate(cg.contrast(two, control="a"))
    text = cg.report(cg.decide(found, rope=(-1.1, 1.1)), sentences=True)
    said = "Effects present in fewer than 78 % of backgrounds could be missed."
    assert text.count(said) == 1
    assert "(the same in all 2 backgrounds)" in text
    assert "negligible, inside" not in text


def test_given_effects_are_reported_as_given():
    assert cg.report(cg.from_effects([0.2, 1.0], 0.1)).endswith(
        "\n\nEffects and standard errors as given."
    )


def test_outcomes_name_the_predictor_and_the_analysis():
    asked = cg.Analysis(control="pl", rope=(-0.1, 0.1))
    outcomes = trial(analysis=asked)
    lines = cg.report(outcomes).splitlines()
    assert f"predictor   {outcomes.attrs['predictor_fingerprint']}" in lines
    assert "planned     control='pl', rope=[-0.1, 0.1]" in lines
    named = cg.report(outcomes.assign_attrs(predictor="the oracle")).splitlines()
    assert (
        f"predictor   the oracle ({outcomes.attrs['predictor_fingerprint']})" in named
    )


def test_a_concordance_counts_and_names_what_it_measures():
    rng = np.random.default_rng(1)
    true = np.linspace(-0.1, 0.1, 40)
    true[0] = 9.0
    virtual = pd.DataFrame({"element": np.arange(40), "effect": true})
    measured = pd.DataFrame(
        {"element": np.arange(40), "effect": true + rng.normal(0, 0.5, 40), "se": 0.5}
    )
    text = describe_concordance(cg.mpra.concordance(virtual, measured), notes=True)
    assert text.startswith(
        "Virtual and measured effects of 40 elements correlate at r = "
    )
    assert "  ceiling  " in text
    assert "\n1 measured hit: sign" in text
    assert "scatter about the line by 0;" not in text


def test_scales_and_tasks_stay_on_their_line():
    """A line end in the scale of a table of others broke the first sentence of its
    report.
    """
    frame = pd.DataFrame(
        {
            "u": np.repeat(range(8), 2),
            "arm": ["a", "b"] * 8,
            "y": np.arange(16.0) ** 1.5,
        }
    )
    outcomes = cg.from_frame(
        frame, outcome="y", arm="arm", unit="u", scale="log\ncounts"
    ).assign_coords(task=["x\ty"])
    assert "outcome     task x\\ty, on log\\ncounts" in cg.report(outcomes).splitlines()
    estimates = cg.estimate(cg.contrast(outcomes, control="a"))
    found = cg.report(estimates, sentences=True).splitlines()
    assert found[0].startswith("Effect on log\\ncounts of b: 3.83")
    assert any(line.startswith("ACE on log\\ncounts, b minus a") for line in found)
    effects = cg.from_effects([1.0, 2.0], se=1.0, names=["a", "b"])
    assert cg.report(effects.assign_attrs(scale="log\ncounts")).startswith(
        "Effect on log\\ncounts of b: 2.0"
    )
