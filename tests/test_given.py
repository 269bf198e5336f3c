"""Estimates obtained elsewhere: names, selections with their covariance, and values
that are not estimates.
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
    DecisionError,
    DegenerateWarning,
    EstimateError,
    OutcomesError,
)
from causalgia.estimation import as_estimates, covariance, from_effects, joint_test
from causalgia.multiplicity import hierarchical_q, placebo_rank, selected_intervals
from causalgia.multiplicity.bootstrap_t import bootstrap_t_max
from causalgia.multiplicity.joint_methods import sign_flip_max_t
from causalgia.multiplicity.multivariate_t import multivariate_t_max
from causalgia.multiplicity.tost import equivalence
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
    np.testing.assert_allclose(
        joint_test(mine)["F"], joint_test(fresh)["F"], rtol=1e-12
    )
    bands = [
        cg.multiplicity.simultaneous(e, method="dunnett")["critical"]
        for e in (mine, fresh)
    ]
    np.testing.assert_allclose(*bands, rtol=1e-12)


def test_a_selection_without_names_on_both_dims_is_refused() -> None:
    bare = DENSE.drop_vars(["contrast", "contrast_"])
    for verb in (as_estimates, covariance, joint_test):
        with pytest.raises(
            EstimateError,
            match=r"2 by 3 contrasts, and no names.*isel\(contrast=\.\.\., contrast_=",
        ):
            verb(bare.isel(contrast=[0, 2]))
    both = as_estimates(bare.isel(contrast=[0, 2], contrast_=[0, 2]))
    np.testing.assert_array_equal(both["covariance"][..., 0], V[np.ix_([0, 2], [0, 2])])
    with pytest.raises(
        EstimateError, match="contrast c has a row in the covariance and no column"
    ):
        as_estimates(DENSE.isel(contrast=[0, 2], contrast_=[0, 1]))


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
        found = cg.adjust(table, method="bonferroni", family="motif")
        np.testing.assert_allclose(found["p_adjusted"], np.minimum(2 * found["p"], 1))
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
    with pytest.raises(EstimateError, match="contrast 1 has no 'motif'"):
        cg.adjust(frame.assign(motif=["x", None, "y", "x"]), family="motif")


def test_a_column_contrast_names_the_contrasts() -> None:
    found = as_estimates(
        pd.DataFrame(
            {"contrast": ["a", "b"], "effect": [1.0, 2.0], "se": 1.0, "p": [0.5, 0.5]}
        )
    )
    assert found["contrast"].values.tolist() == ["a", "b"]
    # of these numbers
    np.testing.assert_allclose(found["p"].values.ravel(), 2 * stats.norm.sf([1.0, 2.0]))
    twice = pd.DataFrame([[1.0, 1.0, 2.0]], columns=["effect", "se", "se"])
    with pytest.raises(OutcomesError, match="two columns"):
        as_estimates(twice)


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


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"estimates": series(1, 2), "se": series(1, 2, index="ba")},
            "effect and se name entry 0 differently, a and b",
        ),
        (
            {"estimates": series(1, 2), "se": 1.0, "df": series(5, 5, index="ac")},
            "effect and df name entry 1",
        ),
        (
            {
                "estimates": [1, 2],
                "covariance": pd.DataFrame(np.eye(2), list("ab"), list("ba")),
            },
            "name entry 0 differently",
        ),
        (
            {"estimates": series(1, 2), "se": 1.0, "names": pd.Series(["x", "y"])},
            "names and effect name entry 0",
        ),
        (
            {"estimates": np.ma.masked_array([1.0, 9.0], [False, True]), "se": 1.0},
            "effect has masked numbers",
        ),
        (
            {"estimates": [1, 2], "se": np.ma.masked_array([1.0, 9.0], [False, True])},
            "se has masked numbers",
        ),
        ({"estimates": ["1", "2"], "se": 1.0}, "effect does not hold numbers alone"),
        ({"estimates": {"a": 1.0}, "se": 1.0}, "give a pandas Series of it"),
        ({"estimates": [1, 2], "se": 1.0, "names": [np.nan, 1]}, "name 0 is missing"),
        ({"estimates": [1, 2], "se": 1.0, "names": ["a", None]}, "name 1 is missing"),
        (
            {
                "estimates": [1, 2],
                "se": 1.0,
                "names": pd.MultiIndex.from_tuples([("a", "1"), ("b", "2")]),
            },
            r"map\(' '",
        ),
        ({"estimates": [1, 2], "se": 1.0, "names": 3}, r"names has shape \(\)"),
        ({"estimates": [1, 2], "se": 1.0, "names": "ab"}, r"names has shape \(\)"),
    ],
)
def test_names_that_are_none(given: dict[str, Any], message: str) -> None:
    with pytest.raises(EstimateError, match=message):
        from_effects(**given)


def test_an_index_of_several_levels_is_told_its_cure() -> None:
    index = pd.MultiIndex.from_tuples([("a", "1"), ("b", "2")])
    with pytest.raises(EstimateError, match=r"join the levels"):
        as_estimates(pd.DataFrame({"effect": [1.0, 2.0], "se": 1.0}, index=index))


@pytest.mark.parametrize(("name", "value"), [("se", -1.0), ("df", 0.0), ("df", -3.0)])
@pytest.mark.parametrize(
    "verb",
    [
        as_estimates,
        joint_test,
        lambda e: cg.multiplicity.simultaneous(e, method="dunnett"),
    ],
)
def test_errors_that_are_none(verb: Any, name: str, value: float) -> None:
    bad = DENSE.drop_dims("contrast_").assign(
        {name: DENSE[name].where(DENSE["contrast"] != "b", value)}
    )
    with pytest.raises(EstimateError, match=f"contrast b: {name} {value:g}"):
        verb(bad)


def test_a_tiny_covariance_is_one() -> None:
    found = from_effects(
        [1e-150, 0.0], covariance=np.array([[1.0, 0.5], [0.5, 1.0]]) * 1e-300
    )
    np.testing.assert_allclose(found["se"], 1e-150)
    with pytest.raises(EstimateError, match="singular"):
        from_effects([1e-150, 0.0], covariance=np.ones((2, 2)) * 1e-300)


def test_any_real_number_is_a_probability() -> None:
    assert from_effects([1.0], 1.0, ci_prob=np.float32(0.5)).attrs["ci_prob"] == 0.5
    for bad in (True, "0.9", 95, np.nan, None):
        with pytest.raises(EstimateError, match="ci_prob="):
            from_effects([1.0], 1.0, ci_prob=bad)  # type: ignore[arg-type]


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


def test_no_contrast_is_no_hypothesis() -> None:
    with pytest.raises(EstimateError, match="no contrast is named"):
        joint_test(DENSE, [])


ICE = np.random.default_rng(0).normal(size=(30, 2))


@pytest.mark.parametrize(
    ("ice", "cluster", "message"),
    [
        (
            np.where(np.arange(60).reshape(30, 2) == 5, np.nan, ICE),
            None,
            "unit 2, contrast 1: the ICE is nan",
        ),
        (ICE[:, 0], None, r"shape \(30,\).*ice\[:, None\]"),
        (ICE[:0], None, r"shape \(0, 2\)"),
        ([["a"]] * 30, None, "give floats"),
        ([["a", 1]] * 30, None, "give floats"),
        ([[{}]] * 30, None, "the ICE is .*leave the unit out"),
        (ICE, np.array(list("ab") * 15), "pandas.factorize"),
        (ICE, np.arange(30) % 5 * 2, "none left out"),
        (ICE, np.arange(29), r"shape \(29,\)"),
        (ICE, np.arange(30) - 1, "0 to G - 1"),
    ],
)
def test_what_resampling_cannot_take(ice: Any, cluster: Any, message: str) -> None:
    for function in (bootstrap_t_max, sign_flip_max_t):
        with pytest.raises(EstimateError, match=message):
            function(ice, cluster, rng=0)


def test_resampling_takes_lists() -> None:
    for function in (bootstrap_t_max, sign_flip_max_t):
        mine = function(ICE.tolist(), [0, 1, 2, 3, 4] * 6, rng=0)  # type: ignore[arg-type]
        np.testing.assert_array_equal(
            mine.p_raw, function(ICE, np.arange(30) % 5, rng=0).p_raw
        )


def test_families_are_codes() -> None:
    with pytest.raises(EstimateError, match="factorize"):
        hierarchical_q([0.1, 0.2], ["a", "b"])  # type: ignore[arg-type]
    with pytest.raises(EstimateError, match="factorize"):
        hierarchical_q([0.1, 0.2], np.array([-1, 0]))


def test_degrees_of_freedom_below_a_tenth_have_no_integral_and_say_so() -> None:
    short = from_effects([2.0, 2.0, 2.0], covariance=0.5 * np.eye(3) + 0.5, df=0.05)
    with pytest.raises(EstimateError, match=r"df=0\.05"):
        cg.multiplicity.simultaneous(short, method="dunnett")


def test_the_size_of_a_factor_does_not_matter() -> None:
    factor = np.random.default_rng(1).normal(size=(10, 3))
    same = [
        multivariate_t_max(np.array([2.0, 1.0, 0.5]), factor * size, 9.0).p_single_step
        for size in (1.0, 1e-200)
    ]
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
    for verb in (
        cg.adjust,
        joint_test,
        lambda e: cg.adjust(e, method="dunnett"),
        lambda e: cg.multiplicity.simultaneous(e, method="dunnett"),
        lambda e: cg.decide(e, rope=(-1, 1)),
        lambda e: equivalence(e, rope=(-1, 1)),
        lambda e: selected_intervals(e, select=["w0"]),
    ):
        with pytest.raises(
            EstimateError,
            match=r"target='units'.*nothing is sampled.*target='population'",
        ):
            verb(known)
    assert ", known exactly." in cg.report(known, sentences=True)


def test_estimates_keep_the_log_of_p() -> None:
    with pytest.warns(DegenerateWarning):
        far = cg.estimate(
            effects_of(np.array([[1e6, 1.0], [1e6 + 1, 1.0], [1e6, 1.0]] * 40))
        )
    assert far["p"].values.ravel()[0] == 0.0
    # one that does not vary at all, beside effects of a million in its task
    still = 120 * np.log1p(-1 / (1e6 + 2))
    np.testing.assert_allclose(far["log_p"].values.ravel()[1], still, rtol=1e-9)
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
    with pytest.raises(EstimateError, match="too near the least float"):
        cg.multiplicity.simultaneous(
            cg.estimate(effects_of((ICE + 1) * 1e-200)), method="dunnett"
        )


def test_verbs_of_estimates_take_effects() -> None:
    words = {"is_placebo": ("contrast", [False, True])}
    effects = effects_of(ICE)
    estimates = cg.estimate(effects)
    xr.testing.assert_allclose(
        equivalence(effects, rope=(-1, 1)), equivalence(estimates, rope=(-1, 1))
    )
    xr.testing.assert_allclose(
        selected_intervals(effects, select=["w1"]),
        selected_intervals(estimates, select=["w1"]),
    )
    wide = effects_of(
        np.random.default_rng(2).normal(size=(20, 4)),
        **{"is_placebo": ("contrast", [False] + [True] * 3)},
    )
    xr.testing.assert_allclose(placebo_rank(wide), placebo_rank(cg.estimate(wide)))
    with pytest.raises(EstimateError, match="two or more, and there are 1"):
        placebo_rank(effects.assign_coords(words))


def test_selection_over_all_tasks_counts_all_of_them() -> None:
    ace = xr.DataArray(
        [[5.0, 0.1], [0.2, 6.0], [0.1, 0.0]],
        coords={"contrast": list("abc")},
        dims=("contrast", "task"),
    )
    table = xr.Dataset(
        {
            "ace": ace,
            "se": xr.ones_like(ace),
            "p": 2 * xr.apply_ufunc(stats.norm.sf, abs(ace)),
        }
    )
    by_task = selected_intervals(cg.adjust(table), select=0.05)
    assert by_task["fcr_ci_prob"].values.tolist() == pytest.approx([1 - 0.05 / 3] * 2)
    table.loc[{"contrast": "a"}]["p"][1] = 1e-9
    table["ace"].loc[{"contrast": "a"}] = [5.0, 6.5]
    together = selected_intervals(cg.adjust(table, family="all"), select=0.05)
    assert together["fcr_ci_prob"].values.tolist() == pytest.approx(
        [1 - 3 * 0.05 / 6] * 2
    )


def test_a_mask_is_read_by_its_names() -> None:
    screen = from_effects([5.0, 0.1, 4.0], 1.0, names=list("abc"))
    mask = xr.DataArray(
        [True, False, False], coords={"contrast": list("cab")}, dims="contrast"
    )
    assert selected_intervals(screen, select=mask)["contrast"].values.tolist() == ["c"]
    with pytest.raises(EstimateError, match="give one for each"):
        selected_intervals(screen, select=mask.isel(contrast=[0, 1]))
    for wrong in (None, True, {"a"}):
        with pytest.raises(EstimateError, match="mask"):
            selected_intervals(screen, select=wrong)  # type: ignore[arg-type]


def test_nothing_stale_is_kept() -> None:
    effects = effects_of(ICE)
    first = cg.adjust(effects, method="bootstrap_t", n_draws=199, rng=0)
    again = cg.adjust(first, method="bh")
    assert "p_step_down" not in again
    assert not {"n_draws", "seed"} & set(again.attrs)
    band = cg.adjust(
        cg.multiplicity.simultaneous(effects, n_draws=199, rng=0), method="bh"
    )
    assert band.attrs["n_draws"] == 199  # of its limits
    apart = equivalence(band, rope=(-1, 1))
    assert not {"band", "n_draws", "seed", "adjust", "family"} & set(apart.attrs)
    assert not {"critical", "p_adjusted", "log_p"} & set(apart.variables)


def test_probabilities_and_ropes_at_the_door() -> None:
    estimates = cg.estimate(effects_of(ICE))
    assert (
        equivalence(estimates, rope=(-1, 1), ci_prob=np.float32(0.75)).attrs["ci_prob"]
        == 0.75
    )
    assert (
        cg.multiplicity.simultaneous(
            estimates, method="dunnett", ci_prob=np.float32(0.5)
        ).attrs["ci_prob"]
        == 0.5
    )
    with pytest.raises(DecisionError, match="not two numbers"):
        equivalence(estimates, rope=("-1", "1"))  # type: ignore[arg-type]
    with pytest.raises(EstimateError, match="0.4 is below 0.5"):
        equivalence(estimates, rope=(-1, 1), ci_prob=0.4)


def _with_covariance(*replaced: tuple[tuple[int, int], float]) -> xr.Dataset:
    estimates = cg.estimate(effects_of(ICE)).copy(deep=True)
    for (i, j), value in replaced:
        estimates["covariance"].values[i, j] = value
    return estimates


@pytest.mark.parametrize(
    ("replaced", "match"),
    [
        ([((0, 1), 1e3)], "not symmetric"),
        ([((0, 1), 1e3), ((1, 0), 1e3)], "negative eigenvalues"),
        ([((1, 1), 1e3)], "contrast w1: se .* is not the root of its variance"),
        ([((1, 1), -1.0)], "contrast w1: variance -1 is negative"),
    ],
)
@pytest.mark.parametrize(
    "verb", [as_estimates, lambda e: cg.infer(e, law="normal", rng=0, n_draws=8)]
)
def test_ready_made_estimates_that_cannot_vary_like_that(
    replaced: Any, match: str, verb: Any
) -> None:
    assert as_estimates(_with_covariance())["ace"].size == 2
    with pytest.raises(EstimateError, match=match):
        verb(_with_covariance(*replaced))


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (
            [[1.0, 2.0], [2.0, 1.0]],
            r"the matrix is not a covariance \(least eig.* -1\)",
        ),
        (np.ones((2, 2)), "is singular"),
    ],
)
def test_a_matrix_that_is_no_covariance_is_not_called_singular(
    matrix: Any, words: str
) -> None:
    with pytest.raises(EstimateError, match=words):
        from_effects([1.0, 2.0], covariance=matrix)
    with pytest.raises(EstimateError, match=words):
        cg.estimation.random_effects([1.0, 2.0], covariance=matrix)


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


def test_standard_errors_beside_their_covariance_have_to_agree() -> None:
    v = np.array([[4.0, 1.0], [1.0, 9.0]])
    both = from_effects([1.0, 2.0], se=[2.0, 3.0], covariance=v, names=["a", "b"])
    xr.testing.assert_identical(
        both, from_effects([1.0, 2.0], covariance=v, names=["a", "b"])
    )
    with pytest.raises(EstimateError, match="contrast b: se 4 is not the root"):
        from_effects([1.0, 2.0], se=[2.0, 4.0], covariance=v, names=["a", "b"])
    table = xr.Dataset(
        {
            "effect": ("x", [1.0, 2.0]),
            "se": ("x", [2.0, 4.0]),
            "covariance": (("x", "y"), v),
        }
    )
    with pytest.raises(EstimateError, match="contrast 1: se 4 is not the root"):
        as_estimates(table)


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
    assert cg.infer(long_table(), family="word", law="normal", rng=0, n_draws=8)[
        "posterior"
    ]["ace"].shape[2:] == (
        3,
        2,
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


@pytest.mark.parametrize(
    ("table", "error", "match"),
    [
        (
            long_table()[:-1],
            EstimateError,
            "contrast a has an effect in some tasks .* task y",
        ),
        (
            long_table().replace({"task": {"y": None}}),
            OutcomesError,
            "row 3 has no task",
        ),
        (long_table()[:0], OutcomesError, "no rows"),
        (
            long_table().assign(df=[9.0] * 3 + [np.inf] * 3),
            EstimateError,
            "task y: df is infinite",
        ),
        (
            pd.concat([long_table(), long_table()]),
            EstimateError,
            "the name a appears 2 times",
        ),
    ],
)
def test_tables_of_tasks_that_are_not_whole(
    table: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        as_estimates(table)


OUTCOMES = xr.Dataset(
    {"outcome": (("unit", "arm", "task"), np.zeros((4, 2, 1)))},
    coords={"arm": ["0", "a"]},
)
PARALLEL = xr.Dataset(
    {
        "outcome": (("unit", "task"), np.zeros((4, 1))),
        "assigned": ("unit", [0, 1, 0, 1]),
    }
)


@pytest.mark.parametrize("outcomes", [OUTCOMES, PARALLEL])
@pytest.mark.parametrize(
    "verb",
    [
        lambda o: cg.infer(o, rng=0),
        lambda o: cg.decide(o, rope=0),
        cg.adjust,
        lambda o: cg.multiplicity.simultaneous(o, rng=0),
        lambda o: equivalence(o, rope=(-1, 1)),
    ],
)
def test_outcomes_are_told_the_way_to_estimates(
    outcomes: xr.Dataset, verb: Any
) -> None:
    with pytest.raises(
        OutcomesError,
        match=r"these are outcomes; .* cg\.contrast\(.* cg\.estimate\(effects\)",
    ):
        verb(outcomes)
    with pytest.raises(
        OutcomesError,
        match=r"these are effects; give estimates = cg\.estimate\(effects\)",
    ):
        cg.infer(effects_of(ICE), rng=0)


@pytest.mark.parametrize(
    ("arguments", "options", "match"),
    [
        (([], []), {}, r"effect has shape \(0,\)"),
        (([[1.0]], [1.0]), {}, r"effect has shape \(1, 1\)"),
        (([1.0],), {}, "give se= .* or covariance="),
        (
            ([1.0, 2.0], [1.0, 1.0]),
            {"df": [3, np.inf]},
            "df is infinite for some contrasts",
        ),
        (([object()], [1.0]), {}, "effect does not hold numbers alone"),
        (
            ([1.0, 2.0], [1.0, 1.0, 1.0]),
            {},
            r"se has shape \(3,\), and there are 2 effects",
        ),
        (
            ([1.0, 2.0],),
            {"covariance": np.eye(3)},
            r"covariance has shape \(3, 3\), and there are 2 effects",
        ),
    ],
)
def test_numbers_that_are_no_estimates(
    arguments: Any, options: Any, match: str
) -> None:
    with pytest.raises(EstimateError, match=match):
        from_effects(*arguments, **options)


def test_tables_that_are_no_estimates() -> None:
    two = {name: (("a", "b"), np.ones((2, 2))) for name in ("effect", "se")}
    with pytest.raises(OutcomesError, match="give one dim that names the contrasts"):
        as_estimates(xr.Dataset(two))
    for table, described in (
        (xr.Dataset({"y": 1}), "a Dataset with y"),
        (xr.Dataset(), "a Dataset with nothing"),
    ):
        with pytest.raises(OutcomesError, match=described):
            as_estimates(table)
    twice = {name: (("contrast", "task"), np.ones((2, 2))) for name in ("effect", "se")}
    with pytest.raises(OutcomesError, match="a task appears more than once"):
        as_estimates(xr.Dataset(twice, coords={"task": ["y", "y"]}))


def test_a_joint_test_of_effects_that_determine_each_other_is_refused() -> None:
    table = from_effects([1.0, 2.0], covariance=np.eye(2))
    with pytest.raises(
        EstimateError, match="the covariance of the 2 contrasts is singular"
    ):
        joint_test(
            table.assign(
                covariance=(("contrast", "contrast_", "task"), np.ones((2, 2, 1)))
            )
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


@pytest.mark.rotating(6)
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
    np.testing.assert_allclose(
        cg.adjust(table, method="bh")["p_adjusted"],
        cg.adjust(SCREEN)["p_adjusted"],
        rtol=1e-9,
    )


@pytest.mark.rotating(6)
@pytest.mark.parametrize("name", ["lfsr", "mean", "tau", "raw", "prior_unit", "p_zero"])
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
    assert found.attrs["notes"] == "contrasts are named after the column 'gene'"
    # the same genes in each task
    both = pd.concat([table.assign(task="x"), table.assign(task="y")])
    found = from_effects(both.reset_index(drop=True))
    assert found["contrast"].values.tolist() == ["a", "b"]
    assert from_effects(both)["contrast"].values.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "names", "noted"),
    [
        ({"gene": ["a", "a"]}, [0, 1], False),
        ({"gene": ["a", "b"], "id": ["x", "y"]}, [0, 1], True),
        ({"gene": ["a", "b"], "contrast": ["x", "y"]}, ["x", "y"], False),
        ({"gene": ["a", "b"], "term": ["x", "y"]}, ["x", "y"], False),
        ({"kind": [3, 4]}, [0, 1], False),
    ],
)
def test_other_tables_keep_the_names_that_they_had(columns, names, noted):
    table = pd.DataFrame(columns | {"effect": [1.0, 2.0], "se": [0.5, 0.5]})
    found = from_effects(table)
    assert found["contrast"].values.tolist() == names
    assert ("rename the column" in found.attrs.get("notes", "")) == noted
    named = from_effects(
        table.set_axis(["p", "q"]).drop(columns="contrast", errors="ignore")
    )
    assert named["contrast"].values.tolist() == ["p", "q"]
