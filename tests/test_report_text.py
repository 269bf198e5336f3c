# Imports from the inside: cells of tables, which reports print.
"""What reports say of trials: each line agrees with the others, and with what was
computed.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.inputs import format_p
from causalgia.tell import answers, table_formats

UNTIL = [
    cg.Decided(rope=(-9, 9), control="pl", min_clusters=100),
    cg.Decided(rope=(-0.1, 0.1), control="pl", min_clusters=100),
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
    assert sum(line.startswith("  ") for line in lines) == n_arms


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
        design,
        cg.zoo.oracle("gata1_like"),
        rng=1,
        until=cg.Decided(rope=(-0.1, 0.1), min_clusters=100),
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


def headings_and_lines(found):
    """The headings and lines of an answer's table."""
    table = answers.answer_parts(found).table
    return list(table.header), [list(line) for line in table.lines]


def test_a_size_is_reported():
    effects = cg.contrast(trial(), control="pl")
    needed = cg.sample_size(effects, half_width=0.01)
    assert f"{needed['n_units'].max().item():,} units" in cg.report(needed)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        (["GATA1 on K562"], "The effect of GATA1 on K562 passes all 2 checks."),
        (["G on a", "G on b", "H on a"], "The 3 claimed effects pass all 2 checks."),
        (["G; mut; a; b"], "The effect of G; mut; a; b passes all 2 checks."),
        (
            ["GATA1 on K562", "TAL1 on K562"],
            "The effects of GATA1 on K562 and TAL1 on K562 pass all 2 checks.",
        ),
    ],
)
def test_a_claim_that_passes_all_checks_is_said_to(claims, said):
    columns = {"value": 0.3, "threshold": 0.1, "status": "pass", "reason": ""}
    columns |= {"cure": "", "figure": "ratio", "n_predictions": 10}
    found = xr.Dataset(
        {name: ("check", [x, x]) for name, x in columns.items()},
        {"check": ["strand", "null shift"]},
        {"claims": json.dumps(claims)},
    )
    assert str(cg.report(found)).splitlines()[0] == said


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
    header, (line,) = headings_and_lines(found)
    assert dict(zip(header, line, strict=True))["p"] == "alike"
    assert "exact" not in header
    header, (line,) = headings_and_lines(found.assign(p=found["p"] + 1))
    assert (header[-2:], line[-2:]) == (["units", "p"], ["same effect", "1.0"])
    of_units = found.assign_attrs(target="units")
    certain = cg.decide(of_units, rope=(-0.1, 0.1))
    header, (line,) = headings_and_lines(certain)
    assert (header[-1], line[-1]) == ("q", "exact")


def test_units_that_all_answer_alike_have_their_value_as_the_interval():
    found = one_effect(
        ace=1.0, se=0.0, largest_ice=1.0, exact=True, n_units=1_000, n_clusters=1_000
    )
    decided = cg.decide(found, rope=(-0.1, 0.1))
    header, (line,) = headings_and_lines(decided)
    assert dict(zip(header, line, strict=True))["q"] == "alike"
    assert "1.000 [1.000, 1.000]" in cg.report(decided, sentences=True)


def test_p_values_have_two_digits():
    assert [format_p(p) for p in (0.0003, 0.00071, 0.0049, 0.05, 0.317, 1.0)] == [
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
    assert "1.00 [0.80, 1.20]" in text
    assert "±0.03737" in text
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
    assert table_formats.format_effect(row) == ("0", "[-1.20e-14, 1.20e-14]")


def test_a_ratio_is_described_as_a_quotient():
    counts = cg.FunctionPredictor(
        lambda x: 9 + x[:, 0].sum(1), tasks=["A"], scale="counts"
    )
    effects = cg.contrast(trial(counts), control="a", scale="ratio")
    assert effects["do"].values.tolist() == [
        "do(x[9:16] ~ rearranged AGATAAG) / do()",
        "do(x[9:16] = AGATAAG) / do()",
    ]
    half = cg.contrast(
        trial(counts), contrasts={"x": {"G": 1.0, "a": -0.5, "pl": -0.5}}, scale="ratio"
    )
    assert (
        half["do"]
        .item()
        .endswith("= AGATAAG) / do()^0.5 / do(x[9:16] ~ rearranged AGATAAG)^0.5")
    )


def test_outcomes_name_the_predictor_and_the_analysis():
    asked = cg.Analysis(control="pl", rope=(-0.1, 0.1))
    outcomes = trial(analysis=asked)
    assert outcomes.attrs["predictor_fingerprint"] in cg.report(outcomes)
    named = cg.report(outcomes.assign_attrs(predictor="the oracle"))
    assert "the oracle" in named


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
    estimates = cg.estimate(cg.contrast(outcomes, control="a"))
    effects = cg.from_effects([1.0, 2.0], se=1.0).assign_attrs(scale="log\ncounts")
    for text in (
        cg.report(outcomes),
        cg.report(estimates, sentences=True),
        cg.report(effects),
    ):
        assert "log\\ncounts" in text
        assert "log\ncounts" not in text
    assert "x\\ty" in cg.report(outcomes)
