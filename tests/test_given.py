"""Imports equicoordinate and log_p from the inside: numbers that no verb shows alone.

Estimates obtained elsewhere: names, and selections with their covariance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.errors import (
    DegenerateWarning,
    EstimateError,
)
from causalgia.estimation import covariance, from_effects
from causalgia.estimation._from_effects import as_estimates
from causalgia.multiplicity import placebo_rank
from causalgia.multiplicity.multivariate_t import equicoordinate
from causalgia.numerics.moments import log_p

V = np.array([[1.0, 0.5, 0.1], [0.5, 4.0, 0.2], [0.1, 0.2, 9.0]])


DENSE = from_effects([1.0, 2.0, 3.0], covariance=V, df=20.0, names=list("abc"))


def series(*numbers: float, index: str = "ab") -> pd.Series:
    return pd.Series(numbers, index=list(index))


@pytest.mark.parametrize("chosen", [["c", "a"], ["c", "b", "a"], ["b"]])
def test_a_selection_takes_its_part_of_the_covariance(chosen: list[str]) -> None:
    at = ["abc".index(name) for name in chosen]
    mine, fresh = (
        DENSE.sel(contrast=chosen),
        from_effects(
            np.array([1.0, 2.0, 3.0])[at],
            covariance=V[np.ix_(at, at)],
            df=20.0,
            names=chosen,
        ),
    )
    xr.testing.assert_identical(as_estimates(mine)["covariance"], fresh["covariance"])
    np.testing.assert_array_equal(covariance(mine)[..., 0], V[np.ix_(at, at)])
    bands = [
        cg.multiplicity.simultaneous(e, method="dunnett")["critical"]
        for e in (mine, fresh)
    ]
    np.testing.assert_allclose(*bands, rtol=1e-12)


def test_a_selection_of_both_dims_needs_no_names() -> None:
    bare = DENSE.drop_vars(["contrast", "contrast_"])
    both = as_estimates(bare.isel(contrast=[0, 2], contrast_=[0, 2]))
    np.testing.assert_array_equal(both["covariance"][..., 0], V[np.ix_([0, 2], [0, 2])])


def test_a_table_with_a_covariance_may_be_selected_too() -> None:
    names = {"x": list("abc"), "y": list("abc")}
    table = xr.Dataset(
        {"effect": ("x", [1.0, 2.0, 3.0]), "covariance": (("x", "y"), V)}, coords=names
    )
    found = as_estimates(table.sel(x=["c", "a"]))
    np.testing.assert_array_equal(
        found["covariance"][..., 0], V[np.ix_([2, 0], [2, 0])]
    )


def test_columns_of_a_table_travel_as_coordinates() -> None:
    frame = pd.DataFrame(
        {
            "effect": [3.0, 0.1, 0.2, 2.5],
            "se": 1.0,
            "motif": list("xyyx"),
            "n_units": [5, 6, 7, 8],
        }
    )
    dataset = xr.Dataset(
        {"effect": ("w", frame["effect"]), "se": ("w", frame["se"])},
        {"motif": ("w", list("xyyx"))},
    )
    for table in (frame, dataset):
        found = cg.decide(table, rope=0, family="motif")
        for members in ([0, 3], [1, 2]):
            p, q = (found[x].values.ravel()[members] for x in ("p", "q"))
            np.testing.assert_allclose(q, stats.false_discovery_control(p))
        assert found["motif"].dims == ("contrast",)
        assert (
            len(
                np.unique(
                    cg.multiplicity.simultaneous(
                        table, method="dunnett", family="motif"
                    )["critical"]
                )
            )
            == 1
        )
    assert as_estimates(frame)["n_units"].values.ravel().tolist() == [5, 6, 7, 8]


def test_a_column_contrast_names_the_contrasts() -> None:
    found = as_estimates(
        pd.DataFrame(
            {"contrast": ["a", "b"], "effect": [1.0, 2.0], "se": 1.0, "p": [0.5, 0.5]}
        )
    )
    assert found["contrast"].values.tolist() == ["a", "b"]
    # of these numbers
    np.testing.assert_allclose(found["p"].values.ravel(), 2 * stats.norm.sf([1.0, 2.0]))


def test_names_come_from_labels() -> None:
    assert from_effects(series(1, 2), series(0.5, 0.5))["contrast"].values.tolist() == [
        "a",
        "b",
    ]
    assert from_effects([1, 2], series(0.5, 0.5))["contrast"].values.tolist() == [
        "a",
        "b",
    ]
    array = xr.DataArray([1.0, 2.0], coords={"word": ["a", "b"]}, dims="word")
    assert from_effects(array, 0.5)["contrast"].values.tolist() == ["a", "b"]
    frame = pd.DataFrame(np.eye(2), list("ab"), list("ab"))
    assert from_effects(series(1, 2), covariance=frame)["contrast"].values.tolist() == [
        "a",
        "b",
    ]
    names = pd.Series(["x", "y"], index=list("ab"))
    assert from_effects(series(1, 2), 0.5, names=names)["contrast"].values.tolist() == [
        "x",
        "y",
    ]


def test_a_tiny_covariance_is_one() -> None:
    found = from_effects(
        [1e-150, 0.0], covariance=np.array([[1.0, 0.5], [0.5, 1.0]]) * 1e-300
    )
    np.testing.assert_allclose(found["se"], 1e-150)


def test_any_real_number_is_a_probability() -> None:
    assert from_effects([1.0], 1.0, ci_prob=np.float32(0.5)).attrs["ci_prob"] == 0.5


@pytest.mark.parametrize("df", [3.0, 40.0, 1e5, np.inf])
def test_log_p_is_the_log_of_p_where_that_is_a_number(df: float) -> None:
    t = np.array([0.0, 1e-9, 0.3, 2.0, 6.0, 20.0])
    theirs = np.log(2) + (
        stats.norm.logsf(t) if np.isinf(df) else np.log(stats.t.sf(t, df))
    )
    np.testing.assert_allclose(
        log_p(-t, np.ones(6), np.full(6, df)), theirs, rtol=1e-10, atol=1e-12
    )


def test_log_p_goes_on_where_p_is_0() -> None:
    found = from_effects([1e3, 2e3, 1e200], 1.0)
    assert (found["p"] == 0).all()
    assert np.isfinite(found["log_p"]).all()
    np.testing.assert_allclose(
        found["log_p"][:2, 0], np.log(2) + stats.norm.logsf([1e3, 2e3]), rtol=1e-12
    )
    assert (np.diff(found["log_p"][:, 0]) < 0).all()
    # one degree of freedom: P(T > t) = arctan(1/t) / pi
    np.testing.assert_allclose(
        from_effects([1e100], 1.0, df=1.0)["log_p"].item(),
        np.log(2 / np.pi) - 100 * np.log(10),
        rtol=1e-12,
    )
    assert log_p(np.array([0.0, 1.0]), np.zeros(2), np.ones(2)).tolist() == [
        0.0,
        np.finfo(float).min,
    ]


ICE = np.random.default_rng(0).normal(size=(30, 2))


def test_the_size_of_a_factor_does_not_matter() -> None:
    factor = np.random.default_rng(1).normal(size=(10, 3))
    same = [equicoordinate(factor * size, 9.0) for size in (1.0, 1e-200)]
    np.testing.assert_allclose(*same, rtol=1e-6)


def effects_of(ice: Any, **coords: Any) -> xr.Dataset:
    names = {"contrast": [f"w{k}" for k in range(ice.shape[1])], "task": ["t"]}
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice[..., None])}, coords=names | coords
    )


def test_exactly_these_units_have_no_test() -> None:
    effects = effects_of(ICE + 3)
    known = cg.estimate(effects, target="units")
    assert not {"p", "log_p", "lower", "upper", "df"} & set(known.variables)
    np.testing.assert_allclose(known["ace"], effects["ice"].mean("unit"))


def test_estimates_keep_the_log_of_p() -> None:
    with pytest.warns(DegenerateWarning):
        far = cg.estimate(
            effects_of(np.array([[1e6, 1.0], [1e6 + 1, 1.0], [1e6, 1.0]] * 40))
        )
    assert far["p"].values.ravel()[0] == 0.0
    # one that does not vary at all
    assert far["log_p"].values.ravel()[1] == np.finfo(float).min
    t = float((far["ace"] / far["se"])[0, 0])
    # Mills' ratio of a power law, to relative order df / t^2
    theirs = stats.t.logpdf(t, 119) + np.log(2 * t / 119)
    np.testing.assert_allclose(far["log_p"].values.ravel()[0], theirs, rtol=1e-6)
    as_estimates(far)  # the schema takes it
    near = cg.estimate(effects_of(ICE))
    np.testing.assert_allclose(np.exp(near["log_p"]), near["p"], rtol=1e-12)


def test_tiny_effects_have_the_same_band() -> None:
    near, far = (
        cg.multiplicity.simultaneous(effects_of((ICE + 1) * size), method="dunnett")
        for size in (1.0, 1e-200)
    )
    np.testing.assert_allclose(far["critical"], near["critical"], rtol=1e-9)
    np.testing.assert_allclose(far["lower"] / 1e-200, near["lower"], rtol=1e-9)


def test_verbs_of_estimates_take_effects() -> None:
    effects = effects_of(ICE)
    cg.estimate(effects)
    wide = effects_of(
        np.random.default_rng(2).normal(size=(20, 4)),
        **{"is_placebo": ("contrast", [False] + [True] * 3)},
    )
    xr.testing.assert_allclose(placebo_rank(wide), placebo_rank(cg.estimate(wide)))


def test_probabilities_and_ropes_at_the_door() -> None:
    estimates = cg.estimate(effects_of(ICE))
    assert (
        cg.multiplicity.simultaneous(
            estimates, method="dunnett", ci_prob=np.float32(0.5)
        ).attrs["ci_prob"]
        == 0.5
    )
    with pytest.raises(EstimateError):
        cg.decide(estimates, rope=("-1", "1"))  # type: ignore[arg-type]
    with pytest.raises(EstimateError):
        cg.decide(estimates, rope=(-1, 1), ci_prob=0.4)


def test_a_singular_or_single_precision_covariance_is_one() -> None:
    ice = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.warns(DegenerateWarning):
        estimates = cg.estimate(
            effects_of(np.column_stack([ice, ice.sum(axis=1), np.zeros(40)]))
        )
    assert as_estimates(estimates).identical(estimates)
    as_estimates(
        estimates.assign(covariance=estimates["covariance"].astype(np.float32))
    )


def test_standard_errors_beside_their_covariance_are_its_own() -> None:
    v = np.array([[4.0, 1.0], [1.0, 9.0]])
    both = from_effects([1.0, 2.0], se=[2.0, 3.0], covariance=v, names=["a", "b"])
    xr.testing.assert_identical(
        both, from_effects([1.0, 2.0], covariance=v, names=["a", "b"])
    )


def long_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "contrast": list("abcbca"),
            "task": list("xxxyyy"),
            "effect": [1.0, 2.0, 3.0, 5.0, 6.0, 4.0],
            "se": [0.1, 0.2, 0.3, 0.5, 0.6, 0.4],
            "word": list("uvwvwu"),
            "n_units": [10, 20, 30, 50, 60, 40],
        }
    )


def test_tables_of_several_tasks() -> None:
    found = as_estimates(long_table())
    assert found["ace"].dims == ("contrast", "task")
    assert found["task"].values.tolist() == ["x", "y"]
    assert found["ace"].values.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert found["n_units"].values.tolist() == [[10, 40], [20, 50], [30, 60]]
    assert found["word"].dims == ("contrast",)
    y = as_estimates(long_table()[3:].drop(columns="task"))
    np.testing.assert_array_equal(
        found["p"].sel(task="y", contrast=y["contrast"]), y["p"][:, 0]
    )
    wide = xr.Dataset(
        {
            "effect": (("x", "task"), found["ace"].values),
            "se": (("x", "task"), found["se"].values),
        },
        coords={"x": list("abc"), "task": ["x", "y"], "word": ("x", list("uvw"))},
    )
    xr.testing.assert_identical(as_estimates(wide), found.drop_vars("n_units"))
    xr.testing.assert_identical(
        as_estimates(wide.transpose("task", "x")), as_estimates(wide)
    )


def test_a_covariance_of_each_task() -> None:
    v = np.array([[[4.0, 1.0], [1.0, 9.0]], [[1.0, 0.2], [0.2, 2.0]]])
    wide = xr.Dataset(
        {
            "effect": (("task", "x"), [[1.0, 2.0], [3.0, 4.0]]),
            "covariance": (("task", "x", "y"), v),
        },
        coords={"x": ["a", "b"], "y": ["a", "b"], "task": ["s", "t"]},
    )
    found = as_estimates(wide)
    assert found["covariance"].dims == ("contrast", "contrast_", "task")
    np.testing.assert_array_equal(found["covariance"].transpose("task", ...), v)
    np.testing.assert_allclose(found["se"].values ** 2, [[4.0, 1.0], [9.0, 2.0]])


def test_df_that_are_infinite_are_normal() -> None:
    xr.testing.assert_identical(
        as_estimates(long_table().assign(df=np.inf)), as_estimates(long_table())
    )


SCREEN = from_effects(
    np.random.default_rng(0).normal(size=40),
    se=0.3,
    names=[f"word {k}" for k in range(40)],
)


def _frame(decisions: xr.Dataset) -> pd.DataFrame:
    return decisions.to_dataframe()


def _long_frame(decisions: xr.Dataset) -> pd.DataFrame:
    return decisions.to_dataframe().reset_index()


@pytest.mark.parametrize("form", [xr.Dataset.copy, _frame, _long_frame])
def test_decisions_by_a_posterior_keep_what_was_measured(form: Any) -> None:
    decided = form(cg.decide(cg.infer(SCREEN, rng=1), rope=(-0.3, 0.3)))
    again, first = (cg.decide(x, rope=(-0.3, 0.3)) for x in (decided, SCREEN))
    for name in ("ace", "se", "lower", "upper", "q", "shrunken"):
        np.testing.assert_allclose(again[name], first[name], rtol=1e-12)
    np.testing.assert_array_equal(again["verdict"], first["verdict"])


@pytest.mark.parametrize("form", [_frame, _long_frame])
def test_a_table_of_decisions_by_tests_is_read_back_as_estimates(form: Any) -> None:
    table = form(cg.decide(SCREEN, rope=(-0.3, 0.3)))
    again = cg.decide(table, rope=(-0.3, 0.3))
    np.testing.assert_array_equal(
        again["verdict"], cg.decide(SCREEN, rope=(-0.3, 0.3))["verdict"]
    )
    assert "verdict" in again.data_vars
    assert "verdict" not in from_effects(table).variables
    np.testing.assert_allclose(
        cg.infer(table, rng=0)["moments"]["mean"],
        cg.infer(SCREEN, rng=0)["moments"]["mean"],
        rtol=1e-12,
    )


@pytest.mark.parametrize("name", ["lfsr", "mean", "tau", "raw", "prior_unit"])
def test_columns_of_a_table_may_have_the_names_of_results(name: str) -> None:
    table = pd.DataFrame({"effect": SCREEN["ace"].values.ravel(), "se": 0.3, name: 9.0})
    plain = cg.infer(table[["effect", "se"]], rng=0)
    found = cg.infer(table, rng=0)
    np.testing.assert_array_equal(found["moments"]["mean"], plain["moments"]["mean"])
    np.testing.assert_array_equal(
        found["constant_data"]["prior_unit"], plain["constant_data"]["prior_unit"]
    )
    for one, other in ((table, table[["effect", "se"]]), (found, plain)):
        verdicts = cg.decide(one, rope=(-0.3, 0.3))
        np.testing.assert_array_equal(
            verdicts["verdict"], cg.decide(other, rope=(-0.3, 0.3))["verdict"]
        )
        assert not (verdicts["lfsr"] == 9.0).any()


def test_a_table_without_names_takes_its_only_column_of_distinct_texts():
    """Contrasts were numbered from 0 in silence beside a column of genes."""
    table = pd.DataFrame({"gene": ["a", "b"], "effect": [1.0, 2.0], "se": [0.5, 0.5]})
    found = from_effects(table)
    assert found["contrast"].values.tolist() == ["a", "b"]
    # the same genes in each task
    both = pd.concat([table.assign(task="x"), table.assign(task="y")])
    found = from_effects(both.reset_index(drop=True))
    assert found["contrast"].values.tolist() == ["a", "b"]
    assert from_effects(both)["contrast"].values.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ({"gene": ["a", "a"]}, [0, 1]),
        ({"gene": ["a", "b"], "id": ["x", "y"]}, [0, 1]),
        ({"gene": ["a", "b"], "contrast": ["x", "y"]}, ["x", "y"]),
        ({"gene": ["a", "b"], "term": ["x", "y"]}, ["x", "y"]),
        ({"kind": [3, 4]}, [0, 1]),
    ],
)
def test_other_tables_keep_the_names_that_they_had(columns, names):
    table = pd.DataFrame(columns | {"effect": [1.0, 2.0], "se": [0.5, 0.5]})
    found = from_effects(table)
    assert found["contrast"].values.tolist() == names
    named = from_effects(
        table.set_axis(["p", "q"]).drop(columns="contrast", errors="ignore")
    )
    assert named["contrast"].values.tolist() == ["p", "q"]
