# Imports from the inside: printed numbers, against the numbers.
"""Printed numbers of estimates and outcomes."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, strategies as st

import causalgia as cg
from causalgia import report
from causalgia.inputs import format_p, p_clause
from causalgia.tell.answers import answer_parts
from causalgia.tell.effect_rows import placebo_summary, posterior_effects, rows_of
from causalgia.tell.table_formats import (
    format_effect,
    format_number,
    format_se,
    is_large,
)

EFFECT = ("contrast", "task")


def estimates(n_placebos=0, tasks=("K562",), **attrs):
    """GATA1 (1.38), a mutant (-0.02, exact in no task), and placebos spread evenly
    from -0.1 to 0.1.
    """
    names = ["GATA1", "core broken", *(f"placebo {i}" for i in range(n_placebos))]
    ace = np.array([1.3812, -0.0213, *np.linspace(-0.1, 0.1, n_placebos)])[
        :, None
    ] * np.ones(len(tasks))
    half = np.full(ace.shape, 0.0091)
    arms = ["placebo", *names]
    weight = np.hstack([-np.ones((len(names), 1)), np.eye(len(names))])
    do = [
        f"do(x[10:17] = {name}) − do(x[10:17] ~ rearranged AGATAAG)" for name in names
    ]
    return xr.Dataset(
        {
            "ace": (EFFECT, ace),
            "se": (EFFECT, half / 1.96),
            "lower": (EFFECT, ace - half),
            "upper": (EFFECT, ace + half),
            "p": (EFFECT, np.where(ace > 1, 1e-320, 0.0312)),
            "exact": (EFFECT, np.zeros(ace.shape, bool)),
            "n_units": (EFFECT, np.full(ace.shape, 5000)),
            "n_clusters": (EFFECT, np.full(ace.shape, 500)),
            "weight": (("contrast", "arm"), weight),
        },
        coords={
            "contrast": names,
            "task": list(tasks),
            "do": ("contrast", do),
            "arm": arms,
            "kind": (
                "arm",
                ["placebo", "embed", "embed", *["fixed_placebo"] * n_placebos],
            ),
        },
        attrs={
            "scale": "log counts",
            "contrast_scale": "log counts",
            "null": "shuffles of 500 sequences",
            "control": "placebo",
            "assignment": "crossover",
            "target": "population",
            "cluster": "parent",
            "method": "mean ICE; CR2 by parent, Satterthwaite (Bell-McCaffrey) df",
            "ci_prob": 0.95,
            **attrs,
        },
    )


def cells(found, **asked):
    """The headings and cells of an answer, in the order of the Dataset."""
    parts = answer_parts(found, order="file", **asked)
    return parts.header, parts.lines


def flat(text):
    """A text in one line."""
    return " ".join(text.split())


def test_few_placebo_words_set_no_scale():
    assert placebo_summary(rows_of(estimates(39))[2:])["central"] is None
    assert placebo_summary(rows_of(estimates(40))[2:])["central"] == pytest.approx(
        (-0.095, 0.095)
    )


def test_every_placebo_word_on_demand():
    _, lines = cells(estimates(40), rows="all")
    assert len(lines) == 42
    assert "placebo 39" in report(estimates(40), rows="all")


def test_without_kinds_no_contrast_is_a_placebo_word():
    _, lines = cells(estimates(40).drop_vars("kind"), rows="all")
    assert len(lines) == 42


def test_tasks_and_models_get_columns_and_summaries_of_their_own():
    two = estimates(5, tasks=("K562", "HepG2"))
    header, lines = cells(two)
    assert header[:2] == ["contrast", "task"]
    assert [line[:2] for line in lines[-2:]] == [
        ["5 placebos", "K562"],
        ["5 placebos", "HepG2"],
    ]
    models = two.drop_vars(["n_units", "n_clusters"]).expand_dims(
        model=["a", "b", "c"], axis=-1
    )
    models["do"], models["weight"] = two["do"], two["weight"]
    header, lines = cells(models.assign_coords(kind=two["kind"]))
    assert header[:3] == ["contrast", "task", "model"]
    assert len(lines) == 2 * 2 * 3


def test_rows_hold_plain_numbers():
    row = rows_of(estimates(2))[0]
    assert {type(value) for value in row.values()} == {str, bool, float, int}
    assert row["ace"] == 1.3812
    assert row["is_placebo"] is False
    assert rows_of(estimates(2))[2]["is_placebo"] is True


def test_truth_and_z():
    truth = xr.DataArray(
        [[1.3812 - 0.01]], dims=EFFECT, coords={"contrast": ["GATA1"], "task": ["K562"]}
    )
    se = 0.0091 / 1.96
    first, second = rows_of(estimates(), truth=truth)
    assert first["z"] == pytest.approx(0.01 / se)
    assert second.truth is None
    assert second.z is None
    noisy = truth.assign_coords(mcse=(EFFECT, [[se]]))
    assert rows_of(estimates(), truth=noisy)[0]["z"] == pytest.approx(
        0.01 / se / math.sqrt(2)
    )
    header, lines = cells(estimates(), truth=truth)
    assert header == ["contrast", "ACE", "SE", "95 % interval", "truth", "p"]
    assert [line[4] for line in lines] == ["1.3712", ""]


def test_exact_effects_say_so():
    exact = estimates()
    exact["exact"][0, 0] = True
    for name in ("lower", "upper"):
        exact[name][0, 0] = exact["ace"][0, 0]
    exact["p"][0, 0], exact["se"][0, 0] = 0.0, 0.0
    header, lines = cells(exact)
    assert header == ["contrast", "ACE", "SE", "95 % interval", "p"]
    assert lines[0] == ["GATA1", "1.381", "0", "[1.381, 1.381]", "alike"]
    truth = exact["ace"].copy()
    assert rows_of(exact, truth=truth)[0].z is None


def test_one_unit_has_no_interval():
    one = xr.Dataset(
        {"ace": (EFFECT, [[1.25]])}, coords={"contrast": ["GATA1"], "task": ["K562"]}
    )
    assert cells(one) == (["contrast", "ACE"], [["GATA1", "1.250"]])


@given(st.floats(-1e6, 1e6), st.floats(1e-12, 1e3))
def test_a_printed_number_is_within_its_uncertainty(value, unit):
    printed = format_number(value, unit)
    assert abs(float(printed) - value) <= 0.15 * unit + 1e-9 * abs(value)
    assert len(printed) <= 24
    assert not re.fullmatch(r"-0(\.0*)?", printed)


@given(st.floats(0, 1))
def test_a_printed_p_is_right_to_its_digits(p):
    printed = format_p(p)
    if printed == "<1e-4":
        assert p < 1e-4
    else:
        assert float(printed) == pytest.approx(p, rel=0.051)


def test_tiny_p_values_are_bounds_for_readers_and_numbers_in_data():
    assert [format_p(p) for p in (1e-4, 9.9e-5, 4e-141, 0.0)] == [
        "0.00010",
        "<1e-4",
        "<1e-4",
        "<1e-4",
    ]
    assert format_p(0.0, exact="exact") == "exact"
    assert [p_clause(p) for p in (0.0312, 1e-9)] == ["p = 0.031", "p < 1e-4"]
    table = estimates()
    assert rows_of(table)[0]["p"] == table["p"].values.flat[0] < 1e-4
    assert not re.search(r"\de-\d{2}", report(table))


@given(st.floats(-1e3, 1e3), st.floats(1e-6, 1e2))
def test_an_effect_has_the_decimals_of_its_standard_error(ace, se):
    effect, _ = format_effect(
        {"ace": ace, "se": se, "lower": ace - 2 * se, "upper": ace + 2 * se}
    )
    decimals = len(format_se(se).partition(".")[2])
    assert len(effect.partition(".")[2]) == decimals
    assert abs(float(effect) - ace) <= 0.0501 * se + 1e-9 * abs(ace)


def test_large_and_small_effects_stay_readable():
    assert format_effect({"ace": 123456.0, "lower": 122456.0, "upper": 124456.0}) == (
        "123460",
        "[122460, 124460]",
    )
    assert format_effect({"ace": 0.0, "lower": 0.0, "upper": 0.0}) == ("0", "[0, 0]")
    assert (
        format_effect({"ace": 2e-11, "lower": 1e-11, "upper": 3e-11})[0] == "2.00e-11"
    )


def test_a_limit_beside_zero_is_not_rounded_to_it():
    assert format_effect({"ace": -0.07, "lower": -0.1396, "upper": -0.0031}) == (
        "-0.070",
        "[-0.140, -0.003]",
    )
    assert format_effect({"ace": 0.07, "lower": 0.00031, "upper": 0.1396}) == (
        "0.070",
        "[0.0003, 0.140]",
    )
    assert (
        format_effect({"ace": -0.07, "lower": -0.14, "upper": 0.0})[1]
        == "[-0.140, 0.000]"
    )
    assert (
        format_effect({"ace": 1.0, "lower": 1e-16, "upper": 2.0})[1] == "[0.00, 2.00]"
    )


@given(st.floats(-1e3, 1e3), st.floats(1e-6, 1e3))
def test_printed_limits_lie_on_their_side_of_zero(ace, half):
    _, interval = format_effect({"ace": ace, "lower": ace - half, "upper": ace + half})
    printed = np.array([float(limit) for limit in interval.strip("[]").split(", ")])
    limits = np.array([ace - half, ace + half])
    far = np.abs(limits) > 1e-6 * half
    assert np.array_equal(np.sign(printed)[far], np.sign(limits)[far])


@given(st.floats(1e-12, 1e6))
def test_a_printed_standard_error_has_two_digits(se):
    assert float(format_se(se)) == pytest.approx(se, rel=0.051)
    assert len(format_se(se)) <= 10


def test_sequences_that_no_unit_came_from_are_not_claimed():
    peaks = cg.Uniform(length=60).sample(50, rng=1)["sequence"]
    arms = {"none": cg.Untreated(), "GATA": cg.Embed("AGATAAG", at=9)}
    share = cg.FunctionPredictor(
        lambda x: x[:, 1:3].mean((1, 2)), tasks=["GC"], scale="share"
    )

    def said(null, n_units, **choice):
        trial = cg.run(cg.Design(null=null, arms=arms, n_units=n_units), share, rng=0)
        found = cg.estimate(cg.contrast(trial, control="none"), **choice)
        return report(found, sentences=True)

    shuffles = cg.DinucleotideShuffle(of=peaks)
    assert "(20 used)" in said(shuffles, 20)
    assert "20 of 50 real sequences" in said(cg.Genomic(of=peaks), 20)
    assert "used)" not in said(shuffles, 50)


def test_outcomes_are_described():
    arms = {
        "none": cg.Untreated(),
        "GATA": cg.Embed("GATA", at=9),
        **cg.placebos("AGATAAG", at=20, n_placebos=3),
    }
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=30)
    outcomes = cg.run(design, cg.zoo.oracle("gata1_like"), rng=5)
    text = report(outcomes)
    assert "do(x[9:13] = GATA)" in text
    assert outcomes.attrs["predictor_fingerprint"] in text
    assert report(outcomes, rows="all").count("do(x[20:27] = ") == 3


@pytest.mark.parametrize("keep", ["outcomes", "effects", "moments"])
def test_whatever_a_trial_keeps_is_reported(keep):
    arms = {
        "none": cg.Untreated(),
        "GATA": cg.Embed("GATA", at=9),
        "AC": cg.Embed("ACAC", at=9),
    }
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=30)
    asked = cg.Analysis(control="none")
    text = report(
        cg.run(
            design,
            cg.zoo.oracle("gata1_like"),
            rng=5,
            keep=keep,
            analysis=asked,
            progress=False,
        )
    )
    assert "do(x[9:13] = GATA)" in text


def test_effects_that_no_trial_kept_are_reported():
    arms = {"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=9)}
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=30)
    outcomes = cg.run(design, cg.zoo.oracle("gata1_like"), rng=5, progress=False)
    assert "GATA" in report(cg.contrast(outcomes, control="none"))


def test_outcomes_say_what_they_reserve_confirm_and_why_they_ended():
    told = {
        "reserved": "5 sequences, never used",
        "confirms": "fresh units: GATA",
        "stopped": "stopped at 30 of 90",
    }
    found = xr.Dataset({"outcome": (("unit", "task"), [[1.0]])}, attrs=told)
    for name, said in told.items():
        assert f"{name:<12}{said}" in report(found).splitlines()
        assert name not in report(found.drop_attrs())


def decided(**choice):
    n_placebos = 79 if choice.get("rope") == "placebo" else 40
    few = estimates(n_placebos).drop_vars("p")
    few["ace"][1] = 0.098
    few["lower"][1], few["upper"][1] = 0.089, 0.107
    return cg.decide(few, **{"rope": (-0.1, 0.1), **choice})


def test_a_report_of_decisions_has_their_numbers():
    _, rows_, *_ = report(decided()).split("\n\n")
    table = [re.split(r"\s{2,}", line) for line in rows_.splitlines()]
    assert table[1:3] == [
        ["GATA1", "1.3812", "[1.3721, 1.3903]", "increases", "<1e-4", "500"],
        ["core broken", "0.0980", "[0.0889, 0.1071]", "undecided", "–", "500"],
    ]
    assert max(map(len, report(decided(), sentences=True).splitlines()[:3])) <= 100


def test_an_open_interval_is_unbounded():
    table = estimates()
    shape = table["ace"].shape
    table["lower"], table["upper"] = (
        (EFFECT, np.full(shape, -np.inf)),
        (EFFECT, np.full(shape, np.inf)),
    )
    table = table.assign(unbounded=(EFFECT, np.full(shape, True)))
    header, lines = cells(table)
    assert [line[header.index("95 % interval")] for line in lines] == [
        "unbounded",
        "unbounded",
    ]
    text = report(table, sentences=True)
    assert "inf" not in text.replace("infer", "")
    assert "unbounded" in report(cg.decide(table, rope=(-1, 1)))


def test_a_rope_in_sd_is_shown_as_a_number():
    sd = np.array([[0.246, 1.0], [0.246, 1.0]])
    two = estimates(tasks=("K562", "HepG2")).assign(control_sd=(EFFECT, sd))
    both = flat(report(cg.decide(two, rope="0.5 sd"), sentences=True))
    assert "±0.123" in both
    assert "±0.5" in both


def test_every_decision_has_a_sentence():
    many = cg.decide(
        cg.from_effects(
            np.linspace(-1, 1, 30), 0.1, names=[f"m{i}" for i in range(30)]
        ),
        rope=(-0.2, 0.2),
    )
    text = report(many, sentences=True)
    assert all(f"m{i}: " in text for i in range(30))


@pytest.mark.parametrize(
    ("choice", "heading"),
    [
        ({}, "q"),
        ({"ci_prob": 0.9}, "q"),
        ({"error": "each"}, "p"),
        ({"error": "fwer"}, "q"),
        ({"rope": 0}, "q"),
        ({"rope": "placebo"}, "q"),
    ],
)
def test_columns_of_decisions(choice, heading):
    found = decided(**choice)
    level = f"{100 * choice.get('ci_prob', 0.95):g} % interval"
    assert cells(found)[0] == ["contrast", "ACE", level, "verdict", heading, "n"]


def trial(n_units=100, n_arms=2, odd=50.0):
    """Individual effects of about 1, one of them `odd`, on as many backgrounds."""
    ice = np.random.default_rng(0).normal(1.0, 0.1, (n_units, n_arms, 1))
    ice[0, 0] = odd
    return xr.Dataset(
        {"ice": (("unit", *EFFECT), ice)},
        coords={"contrast": [f"m{i}" for i in range(n_arms)], "task": ["K562"]},
        attrs={"scale": "log counts", "predictor_fingerprint": "85e98db9"},
    )


def test_a_band_says_that_its_intervals_are_simultaneous():
    band = cg.multiplicity.simultaneous(trial(odd=1.0), rng=0)
    assert "95 % simultaneous interval" in cells(band)[0]
    # of verdicts the intervals are of each effect
    assert (
        cells(cg.decide(band, rope=(-0.1, 0.1), error="fwer"))[0][2] == "95 % interval"
    )


def test_what_would_undo_the_weakest_verdict_is_said_beside_the_largest_effect():
    found = cg.decide(trial(), rope=(-0.1, 0.1))
    seen = np.array([[0.4], [1.2]])
    columns = {"reversal": np.array([[-8.23], [9.0]]), "largest_ice": seen}
    text = flat(
        report(
            found.assign({name: (EFFECT, x) for name, x in columns.items()}), notes=True
        )
    )
    assert (
        "To undo the weakest (m1), effects on 3 % of sequences would have to reach "
        "9; the largest seen is 1.2."
    ) in text
    undecided = found.assign(reversal=(EFFECT, np.full((2, 1), np.nan)))
    assert "To undo" not in report(undecided, notes=True)
    unknown = found.drop_vars("reversal", errors="ignore")
    assert "To undo" not in report(unknown, notes=True)


@pytest.mark.parametrize(
    ("ends", "ace", "words", "foot"),
    [
        ((-np.inf, 0.5), [1.0, 0.0], ["above 0.5", "not above 0.5"], "above 0.5"),
        ((-0.5, np.inf), [-1.0, 0.0], ["below -0.5", "not below -0.5"], "below -0.5"),
    ],
)
def test_a_region_with_one_end_is_said_with_this_end(ends, ace, words, foot):
    found = cg.decide(
        cg.from_effects(ace, 0.1, names=["worse", "same"]), rope=(-0.5, 0.5)
    )
    for name, end in zip(("rope_lower", "rope_upper"), ends, strict=True):
        found[name] = found[name] * 0 + end
    found = found.assign_attrs(rope=f"{ends[0]:g} to {ends[1]:g}")
    text = flat(report(found, sentences=True))
    assert all(word in text for word in words)
    assert f"not {foot} (non-inferiority)" in text
    assert "inf " not in text
    for draw in (cg.plot.forest, cg.plot.scatter):
        axes = draw(found)
        assert np.isfinite([*axes.get_xlim(), *axes.get_ylim()]).all()


def test_a_row_that_lies_in_a_region_and_has_a_larger_q_says_so():
    ace = np.r_[0.3, np.linspace(-0.15, 0.15, 19)]
    found = cg.decide(
        cg.from_effects(ace, 0.0955, names=[f"m{i}" for i in range(20)]),
        rope=(-0.1, 0.1),
        shrink=None,
    )
    first = rows_of(found)[0]
    assert first["lower"] > 0.1
    assert first["verdict"] == "undecided"
    _, lines = cells(found)
    assert lines[0][3:] == ["undecided", f"{first['q']:.2g}"]
    assert lines[9][3] == "undecided"


def test_hierarchical_sizes_stand_beside_and_a_row_without_has_a_dash():
    ace = np.r_[np.linspace(-1, 1, 12), 3.0]
    table = cg.from_effects(ace, 0.1, names=[f"m{i}" for i in range(13)])
    table = table.assign_coords(exchangeable=("contrast", ["k"] * 12 + [""]))
    found = cg.decide(table, rope=(-0.2, 0.2))
    header, lines = cells(found)
    assert header[3:] == ["verdict", "q", "shrunken"]
    assert lines[-1][-1] == "–"
    assert abs(float(lines[0][-1])) < 1


def test_verdicts_of_a_posterior_say_that_they_are():
    estimates = cg.from_effects(np.random.default_rng(0).normal(size=12), se=0.1)
    found = cg.decide(cg.infer(estimates, rng=0), rope=(-0.5, 0.5))
    assert cells(found)[0] == [
        "contrast", "effect", "95 % interval", "verdict", "q", "shrunken"
    ]  # fmt: skip
    assert rows_of(found)[0]["ace"] == float(estimates["ace"][0, 0])


def test_a_draw_of_exactly_0_has_the_wrong_sign_whichever_is_claimed():
    draws = np.zeros((1, 100, 2))
    draws[0, :30, 0] = draws[0, :80, 1] = 1.0
    draws[0, 30:40, 0] = -1.0
    found = posterior_effects(
        xr.Dataset({"ace": (("chain", "draw", "contrast"), draws)})
    )
    # Stephens (2017): min(P(effect >= 0), P(effect <= 0))
    assert found["lfsr"].to_numpy().ravel() == pytest.approx([0.7, 0.2])


def test_rows_of_decisions_are_plain():
    row = rows_of(decided())[0]
    assert row["verdict"] == "increases"
    assert {type(value) for value in row.values()} <= {str, bool, float, int}
    assert row["rope_upper"] == 0.1


def test_the_mean_of_a_spike_is_rounded_by_its_standard_error():
    assert format_effect({"ace": 2e-6, "lower": 0.0, "upper": 0.0, "se": 0.01}) == (
        "0.000",
        "[0.000, 0.000]",
    )


def test_a_half_open_interval_has_one_limit():
    for lower, upper, interval in (
        (-np.inf, 1.0, "(-inf, 1.00]"),
        (-1.0, np.inf, "[-1.00, inf)"),
    ):
        row = {"ace": 0.5, "se": 0.2, "lower": lower, "upper": upper}
        assert format_effect(row) == ("0.50", interval)


def test_one_table_has_one_notation():
    table = cg.from_effects([1.234e9, 5.1e6], [3.3e6, 1.2e6], names=["large", "small"])
    _, lines = cells(table)
    assert [line[1:4] for line in lines] == [
        ["1.2340e+09", "3.3e+06", "[1.2275e+09, 1.2405e+09]"],
        ["5.1e+06", "1.2e+06", "[2.7e+06, 7.5e+06]"],
    ]
    assert format_effect(
        {"ace": 9.9e6, "se": 1e5, "lower": 9.7e6, "upper": 1.01e7}
    ) == (
        "9.90e+06",
        "[9.70e+06, 1.010e+07]",
    )


def test_numbers_at_the_edge_of_their_standard_error():
    assert format_number(0.0, 1e-9) == "0"
    assert format_number(3e-12, 1e-9) == "0"
    assert [format_number(x, 2000.0) for x in (5.0, -49.0, 0.3, 1951.0)] == [
        "5",
        "-49",
        "0",
        "2000",
    ]
    assert format_number(math.nan, 0.1) == format_number(math.nan, 1e-9) == "n/a"
    assert format_number(math.inf, 1e-9) == "inf"
    assert format_p(math.nan) == "n/a"
    assert p_clause(math.nan) == "p = n/a"


def test_a_limit_on_an_end_of_the_rope_is_printed_as_that_end():
    row = {
        "ace": 0.5,
        "se": 0.1,
        "upper": 0.7,
        "rope_lower": -0.3,
        "rope_upper": 0.1 + 0.2,
    }
    assert format_effect(row | {"lower": 0.3})[1] == "[0.30, 0.70]"
    assert format_effect(row | {"lower": 0.3 + 2e-16})[1] == "[0.30, 0.70]"
    assert (
        format_effect(row | {"lower": 1 / 3, "rope_upper": np.nextafter(1 / 3, 1)})[1]
        == "[0.3333, 0.70]"
    )


def test_large_numbers_of_both_signs_are_short():
    assert format_number(1e8, 3e6) == "1.000e+08"
    assert format_number(-1e8, 3e6) == "-1.000e+08"


@pytest.mark.parametrize("name", ["ace", "lower", "upper"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_large_effect_or_limit_of_either_sign_is_written_with_an_exponent(name, sign):
    row = {"ace": 0.0, "se": 1e5, "lower": -1.0, "upper": 1.0}
    assert is_large(row | {name: sign * 1e7})
    assert not is_large(row | {name: sign * 9.9e6})
    assert not is_large(row | {name: sign * math.inf})
