"""Two one-sided tests: R's verdicts and p, degenerate errors, and the size of the test
at the end of the region.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import binom, t, ttest_1samp

import causalgia as cg
from causalgia.errors import DecisionError, EstimateError
from causalgia.estimation.effect_intervals import ace_se_df, one_sided_p
from causalgia.multiplicity.tost import equivalence
from causalgia.ropes import rope_ends
from causalgia.schema import validate

HERE = Path(__file__).parent / "reference" / "equivalence"
EFFECT = ("contrast", "task")


def expected() -> Any:
    return json.loads((HERE / "expected.json").read_text())


def agrees(mine: xr.Dataset, theirs: dict[str, Any]) -> None:
    for name in ("ace", "se", "df", "lower", "upper"):
        np.testing.assert_allclose(
            mine[name].item(), theirs[name], rtol=1e-9, err_msg=name
        )
    for name, r in (("p_lower", "p_lower"), ("p_upper", "p_upper"), ("p", "p_tost")):
        np.testing.assert_allclose(
            mine[name].item(), theirs[r], rtol=1e-7, atol=1e-12, err_msg=name
        )
    assert mine["verdict"].item() == theirs["verdict"]
    assert bool(mine["differs"]) == theirs["differs"]


def test_the_verdicts_of_a_crossover_are_those_of_r() -> None:
    """By Student's t, R and estimates without a skewness agree; the skewness of these
    units widens an interval and changes no verdict.
    """
    r, d = expected(), pd.read_csv(HERE / "input.csv")
    names = [c for c in d if c != "unit"]
    ice = xr.Dataset(
        {"ice": (("unit", *EFFECT), d[names].to_numpy()[:, :, None])},
        coords={"contrast": names, "task": ["t"]},
    )
    estimates = cg.estimate(ice)
    by_t, found = (
        equivalence(table, rope=tuple(r["rope"]), ci_prob=1 - r["alpha"])
        for table in (estimates.drop_vars("skewness"), estimates)
    )
    assert len({r["crossover"][name]["verdict"] for name in names}) == 4
    for name in names:
        agrees(by_t.sel(contrast=name, task="t"), r["crossover"][name])
    np.testing.assert_array_equal(found["verdict"], by_t["verdict"])
    assert (found["lower"] <= by_t["lower"]).all()
    assert (found["upper"] >= by_t["upper"]).all()
    assert (found["upper"] - found["lower"] > by_t["upper"] - by_t["lower"]).all()
    assert (found["p"] >= by_t["p"]).all()


def test_the_verdict_of_a_parallel_trial_is_that_of_r() -> None:
    r, d = expected(), pd.read_csv(HERE / "input_parallel.csv")
    outcomes = cg.from_frame(d, outcome="y", arm="arm", unit="unit")
    estimates = cg.estimate(cg.contrast(outcomes, control=0))
    found = equivalence(
        estimates.drop_vars("skewness", errors="ignore"),
        rope=tuple(r["rope"]),
        ci_prob=1 - r["alpha"],
    )
    agrees(found.isel(contrast=0, task=0), r["parallel_welch"])


def test_a_table_of_anybodys_is_taken() -> None:
    table = pd.DataFrame(
        {"effect": [0.0, 2.0], "se": [0.3, 0.3], "df": [9.0, 9.0]}, index=["a", "b"]
    )
    found = equivalence(table, rope=(-1, 1))
    assert found["verdict"].sel(contrast="a").item() == "negligible"
    x = np.array([-1.0, 0.2, 0.5, 1.4, 0.1])
    one = cg.from_effects([x.mean()], [x.std(ddof=1) / np.sqrt(5)], df=[4])
    p = equivalence(one, rope=(-1, 0.5))
    assert p["p_lower"].item() == pytest.approx(
        ttest_1samp(x, -1, alternative="greater").pvalue
    )
    assert p["p_upper"].item() == pytest.approx(
        ttest_1samp(x, 0.5, alternative="less").pvalue
    )


def test_an_exact_effect_is_where_it_is() -> None:
    ace = np.array([[0.0], [0.5], [1.0], [-1.0], [1.5], [-2.0]])
    exact = xr.Dataset(
        {"ace": (EFFECT, ace), "se": (EFFECT, 0 * ace), "df": (EFFECT, 0 * ace + 9)}
    )
    found = equivalence(exact, rope=(-1, 1))
    said = [
        *["negligible"] * 4,  # the ends belong to the region
        "increases",
        "decreases",
    ]
    assert found["verdict"].values.ravel().tolist() == said
    assert found["p"].values.ravel().tolist() == [0, 0, 0, 0, 1, 1]
    decided = cg.decide(exact, rope=(-1, 1))
    np.testing.assert_array_equal(decided["verdict"], found["verdict"])
    assert decided["p_verdict"].values.ravel().tolist() == [0.0] * 6
    assert not found["differs"][0, 0]


def test_a_ratio_differs_from_1() -> None:
    ratios = cg.from_effects([1.05, 1.05], [0.03, 0.01]).assign_attrs(null_value=1.0)
    found = equivalence(ratios, rope=(0.8, 1.25))
    assert found["verdict"].values.ravel().tolist() == ["negligible", "negligible"]
    assert found["differs"].values.ravel().tolist() == [False, True]


def test_an_open_interval_decides_nothing() -> None:
    one = cg.from_effects([0.0, 5.0], [0.1, 0.1]).assign(
        unbounded=(EFFECT, [[True], [True]])
    )
    found = equivalence(one, rope=(-1, 1))
    assert found["verdict"].values.ravel().tolist() == ["undecided", "undecided"]
    assert found["p"].values.ravel().tolist() == [1.0, 1.0]
    assert np.isinf(found[["lower", "upper"]].to_array()).all()
    assert not found["differs"].any()
    validate(found, "estimates")


def test_models_have_verdicts_of_their_own() -> None:
    dims = (*EFFECT, "model")
    two = xr.Dataset(
        {"ace": (dims, [[[0.0, 3.0]]]), "se": (dims, [[[0.1, 0.1]]])},
        coords={"model": ["a", "b"]},
    )
    assert equivalence(two, rope=(-1, 1))["verdict"].values.ravel().tolist() == [
        "negligible",
        "increases",
    ]


def test_what_was_said_of_p_is_not_said_of_this_p() -> None:
    adjusted = cg.adjust(cg.from_effects([0.0, 1.0], [0.1, 0.1]), method="bh")
    found = equivalence(adjusted, rope=(-1, 1))
    assert "p_adjusted" not in found
    assert "adjust" not in found.attrs


def test_the_test_has_its_size_at_the_end_of_the_region() -> None:
    """The 95 % interval lies inside half as often as two tests at .05 reject."""
    rng, n = np.random.default_rng(1), 8000
    x = rng.normal(0.5, 1.0, size=(n, 40))
    est = cg.from_effects(x.mean(axis=1), x.std(axis=1, ddof=1) / np.sqrt(40), df=39)
    wrong = int((equivalence(est, rope=(-0.5, 0.5))["verdict"] == "negligible").sum())
    assert binom.ppf(0.0005, n, 0.025) <= wrong <= binom.ppf(0.9995, n, 0.025)


@pytest.mark.parametrize(
    ("rope", "said"),
    [
        ((0.1, -0.1), r"reversed; give the lower end first: rope=\(-0.1, 0.1\)"),
        ((0.1, 0.1), "has no width"),
        (0.1, "is one number"),
        ("placebo", "needs 40 of them"),
        ("0.2 sd", "needs the sd of the control arm's outcomes"),
        ((0, 1, 2), "not two numbers"),
        ((np.nan, 1), "not a finite number"),
        ((-1, np.inf), "not a finite number"),
    ],
)
def test_an_impossible_rope_is_refused(rope: Any, said: str) -> None:
    with pytest.raises(DecisionError, match=said):
        equivalence(cg.from_effects([0.0], [1.0]), rope=rope)


def test_bad_input_is_named() -> None:
    one = xr.Dataset({"ace": (EFFECT, [[1.0]])})
    with pytest.raises(EstimateError, match="one unit gives no standard error"):
        equivalence(one, rope=(-1, 1))
    negative = one.assign(se=(EFFECT, [[-1.0]])).assign_coords(contrast=["GATA1"])
    with pytest.raises(EstimateError, match="contrast GATA1: se -1"):
        equivalence(negative, rope=(-1, 1))
    for wrong in (0.4, 1, "0.95", True):
        with pytest.raises(EstimateError, match="ci_prob"):
            equivalence(cg.from_effects([0.0], [1.0]), rope=(-1, 1), ci_prob=wrong)  # type: ignore[arg-type]


def test_equivalence_of_a_band_says_nothing_of_the_band() -> None:
    band = cg.multiplicity.simultaneous(
        cg.from_effects([0.0, 1.0], [0.1, 0.1]), method="dunnett"
    )
    assert band.attrs["band"] == "dunnett"
    assert not {"band", "family", "seed"} & set(
        equivalence(band, rope=(-0.5, 0.5)).attrs
    )


@pytest.mark.parametrize("rope", [("-0.1", 0.1), (-0.1, "0.1"), (b"-0.1", 0.1), "12"])
def test_ends_of_a_rope_are_numbers_and_not_text(rope: Any) -> None:
    with pytest.raises(DecisionError, match="is not two numbers"):
        rope_ends(rope)


def test_one_standard_error_that_makes_no_sense_is_named() -> None:
    dims = ("contrast", "task")
    table = xr.Dataset(
        {"ace": (dims, [[0.0], [1.0]]), "se": (dims, [[1.0], [-1.0]])},
        {"contrast": ["a", "b"]},
    )
    with pytest.raises(EstimateError, match="contrast b: se -1 on inf df"):
        ace_se_df(table)


@pytest.mark.parametrize("shift", [-3.0, 0.0, 5.0])
def test_a_region_and_effects_that_move_together_have_the_same_verdicts(
    shift: float,
) -> None:
    """Regions to one side of 0, and their mirror images, ask the same: where does the
    effect lie in the region?
    """
    ace = np.array([-2.0, -0.9, -0.2, 0.0, 0.3, 1.1, 2.5])
    se = np.array([0.3, 0.2, 0.3, 0.2, 0.6, 0.3, 0.4])

    def ask(sign: float) -> xr.Dataset:
        table = cg.from_effects(sign * (ace + shift), se, df=np.full(7, 9.0))
        return equivalence(
            table, rope=tuple(sorted((sign * (shift - 1), sign * (shift + 1))))
        )

    plain = equivalence(cg.from_effects(ace, se, df=np.full(7, 9.0)), rope=(-1, 1))
    here, there = ask(1.0), ask(-1.0)
    for name in ("p", "p_lower", "p_upper"):
        np.testing.assert_allclose(here[name], plain[name], rtol=1e-9)
    np.testing.assert_allclose(there["p_lower"], here["p_upper"], rtol=1e-9)
    np.testing.assert_allclose(there["p_upper"], here["p_lower"], rtol=1e-9)
    for name in ("lower", "upper"):
        np.testing.assert_allclose(here[name] - shift, plain[name], rtol=1e-9)
    below = ttest_of(ace + 1, se)
    np.testing.assert_allclose(plain["p_lower"].values.ravel(), below, rtol=1e-9)
    np.testing.assert_allclose(
        plain["p_upper"].values.ravel(), ttest_of(1 - ace, se), rtol=1e-9
    )
    assert here["verdict"].values.tolist() == plain["verdict"].values.tolist()


def ttest_of(distance: np.ndarray, se: np.ndarray) -> np.ndarray:
    return np.asarray(t.sf(distance / se, 9))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_within_its_floor_of_an_end_no_effect_is_told_from_it(sign: float) -> None:
    """Effects just inside and outside both ends of a region to one side of 0, as exact
    as rounding allows.
    """
    low, high, off = 2.0, 5.0, 0.5e-3
    ace = sign * np.array([low - off, low + off, high - off, high + off, 3.0, 8.0])
    table = cg.from_effects(ace, np.full(6, 1e-6)).assign(
        floor=(EFFECT, np.full((6, 1), 1e-3))
    )
    ends = (low, high) if sign > 0 else (-high, -low)
    for given, at_end in ((table, True), (table.drop_vars("floor"), False)):
        found = one_sided_p(given, *ends)
        clear = {
            name: np.ravel(getattr(found, name))
            for name in ("not_below", "not_above", "above", "below")
        }
        mirrored = {
            "not_below": "not_above",
            "not_above": "not_below",
            "above": "below",
            "below": "above",
        }
        clear = (
            clear
            if sign > 0
            else {name: clear[other] for name, other in mirrored.items()}
        )
        close = 1.0 if at_end else 0.0
        np.testing.assert_allclose(
            clear["not_below"], [1, close, 0, 0, 0, 0], atol=1e-12
        )
        np.testing.assert_allclose(
            clear["not_above"], [0, 0, close, 1, 0, 1], atol=1e-12
        )
        np.testing.assert_allclose(clear["above"], [1, 1, 1, close, 1, 0], atol=1e-12)
        np.testing.assert_allclose(clear["below"], [close, 1, 1, 1, 1, 1], atol=1e-12)
