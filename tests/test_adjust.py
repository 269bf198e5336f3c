from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, strategies as st
from scipy import stats

import causalgia as cg
from causalgia.errors import (
    DegenerateWarning,
    EstimateError,
)
from causalgia.estimation import estimate
from causalgia.multiplicity import adjust
from causalgia.multiplicity.adjusted_p import hierarchical_q


def estimates(p: np.ndarray, **coords: object) -> xr.Dataset:
    return xr.Dataset(
        {
            "ace": (("contrast", "task"), np.ones_like(p)),
            "p": (("contrast", "task"), p),
        },
        coords={
            "contrast": [f"c{i}" for i in range(len(p))],
            "task": [f"t{i}" for i in range(p.shape[1])],
            **coords,
        },
    )


P = np.random.default_rng(0).uniform(size=(12, 2)) ** 3


def test_tasks_are_families_of_their_own() -> None:
    out = adjust(estimates(P), method="bh")
    for t in range(2):
        np.testing.assert_allclose(
            out["p_adjusted"][:, t], stats.false_discovery_control(P[:, t])
        )
    assert out.attrs["adjust"] == "bh"
    assert out.attrs["family"] == "the contrasts of one task"


def test_one_family_over_all_tasks() -> None:
    out = adjust(estimates(P), family="all")
    np.testing.assert_allclose(
        out["p_adjusted"].values.ravel(), stats.false_discovery_control(P.ravel())
    )


def test_families_by_a_coordinate() -> None:
    motif = np.array(["GATA", "TAL"] * 6)
    out = adjust(estimates(P, motif=("contrast", motif)), family="motif", method="holm")
    for name in ("GATA", "TAL"):
        alone = adjust(estimates(P[motif == name]), method="holm")["p_adjusted"]
        np.testing.assert_array_equal(out["p_adjusted"][motif == name], alone)


def test_models_are_families_of_their_own() -> None:
    both = xr.concat([estimates(P), estimates(P**2)], dim="model").transpose(
        "contrast", "task", "model"
    )
    out = adjust(both)
    np.testing.assert_array_equal(
        out["p_adjusted"].isel(model=1), adjust(estimates(P**2))["p_adjusted"]
    )


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
    st.sampled_from(["bh", "holm"]),
)
def test_adjusted_p_are_p_values_no_smaller_and_in_order(
    p: list[float], method: str
) -> None:
    values = np.array(p)
    out = adjust(estimates(values[:, None]), method=method)["p_adjusted"].values.ravel()  # type: ignore[arg-type]
    assert ((out >= values * (1 - 1e-15)) & (out <= 1)).all()
    assert (np.diff(out[np.argsort(values, kind="stable")]) >= -1e-15).all()


def test_deep_p_values_survive() -> None:
    p = np.array([[1e-290], [1e-280], [0.0], [1.0]])
    out = adjust(estimates(p))["p_adjusted"].values.ravel()
    np.testing.assert_allclose(out, [2e-290, 4e-280 / 3, 0, 1])


def test_the_one_task_of_effects_keeps_its_name() -> None:
    ice = np.random.default_rng(0).normal(1, 1, (50, 2))
    coords = {"contrast": ["a", "b"], "task": "K562"}
    named = xr.Dataset({"ice": (("unit", "contrast"), ice)}, coords=coords)
    assert adjust(named, rng=0)["task"].values.tolist() == ["K562"]
    assert adjust(named.drop_vars("task"), rng=0).sizes["task"] == 1


def test_one_unit_has_nothing_to_adjust() -> None:
    effects = xr.Dataset({"ice": (("unit", "contrast", "task"), np.ones((1, 2, 1)))})
    with pytest.warns(DegenerateWarning):
        single = estimate(effects)
    with pytest.raises(EstimateError):
        adjust(single)


@pytest.mark.parametrize("method", ["bh", "holm"])
def test_a_nan_is_no_question(method: str) -> None:
    there = np.arange(12) % 5 != 0
    gaps = np.where(there[:, None], P, np.nan)
    out = adjust(estimates(gaps), method=method)["p_adjusted"].to_numpy()  # type: ignore[arg-type]
    alone = adjust(estimates(P[there]), method=method)["p_adjusted"].to_numpy()  # type: ignore[arg-type]
    np.testing.assert_array_equal(out[there], alone)
    assert np.isnan(out[~there]).all()
    assert np.isnan(adjust(estimates(P * np.nan))["p_adjusted"]).all()


def test_p_alone_is_enough() -> None:
    bare = xr.Dataset(
        {"p": ("contrast", P[:, 0])}, coords={"contrast": [f"c{i}" for i in range(12)]}
    )
    out = adjust(bare)
    np.testing.assert_array_equal(
        out["p_adjusted"], adjust(estimates(P))["p_adjusted"][:, 0]
    )
    assert out["p_adjusted"].dims == ("contrast",)
    turned = estimates(P)[["p"]].transpose("task", "contrast")
    assert adjust(turned)["p_adjusted"].dims == ("task", "contrast")
    np.testing.assert_array_equal(
        adjust(turned)["p_adjusted"].T, adjust(estimates(P))["p_adjusted"]
    )


def effects_of(ice: np.ndarray, **coords: object) -> xr.Dataset:
    names = {"contrast": [f"c{i}" for i in range(ice.shape[1])], "task": ["t0"]}
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice[:, :, None])}, coords=names | coords
    )


NORMAL = np.random.default_rng(1).normal(size=(60, 8)) + np.linspace(0, 0.8, 8)


@pytest.mark.parametrize("method", ["bh", "holm", "dunnett", "bootstrap_t"])
def test_effects_are_estimated_first(method: str) -> None:
    out = adjust(effects_of(NORMAL), method=method, n_draws=999, rng=0)  # type: ignore[arg-type]
    assert out["p_adjusted"].dims == ("contrast", "task")
    assert (out["p_adjusted"] >= out["p"] * 0.98 - 0.01).all()
    assert out["p_adjusted"][-1, 0] < 0.01
    assert out.attrs["adjust"] == method
    assert out.attrs["family"] == "the contrasts of one task"
    if method in ("bh", "holm"):
        given_estimates = adjust(estimate(effects_of(NORMAL)), method=method)  # type: ignore[arg-type]
        xr.testing.assert_allclose(out["p_adjusted"], given_estimates["p_adjusted"])


@pytest.mark.parametrize("method", ["dunnett", "bootstrap_t"])
def test_joint_methods_agree_on_normal_effects(method: str) -> None:
    p = adjust(effects_of(NORMAL), method=method, rng=0)["p_adjusted"].to_numpy()  # type: ignore[arg-type]
    holm = adjust(effects_of(NORMAL), method="holm")["p_adjusted"].to_numpy()
    assert (p < holm * 1.3 + 0.15).all()
    assert ((p < 0.05) == (holm < 0.05)).mean() > 0.8


@pytest.mark.parametrize("method", ["bootstrap_t", "dunnett", "hierarchical"])
def test_a_family_with_one_member_needs_no_adjustment(method: str) -> None:
    alone = effects_of(NORMAL, one=("contrast", [f"f{i}" for i in range(8)]))
    out = adjust(alone, method=method, family="one", n_draws=4_999, rng=0)  # type: ignore[arg-type]
    if method == "hierarchical":
        np.testing.assert_allclose(
            out["p_adjusted"],
            hierarchical_q(out["p"].values.ravel(), np.arange(8)).q[:, None],
        )
    elif method == "dunnett":  # of the t statistic alone
        t = (out["ace"] / out["se"]).to_numpy()
        alone_p = 2 * stats.t.sf(np.abs(t), out["df"].to_numpy())
        np.testing.assert_allclose(out["p_adjusted"], alone_p, atol=0.001)
    else:
        np.testing.assert_allclose(out["p_adjusted"], out["p"], atol=0.03)


def test_clusters_are_kept_whole() -> None:
    rng = np.random.default_rng(3)
    parent = np.repeat(np.arange(12), 5)
    ice = rng.normal(size=(12, 4))[parent]
    with pytest.warns(DegenerateWarning):
        clustered = adjust(
            effects_of(ice, parent=("unit", parent)),
            method="bootstrap_t",
            n_draws=999,
            rng=0,
        )
    naive = adjust(
        effects_of(ice, parent=("unit", parent)),
        method="bootstrap_t",
        cluster="none",
        n_draws=999,
        rng=0,
    )
    assert (clustered["p_adjusted"] >= naive["p_adjusted"]).all()


def test_hierarchical_families() -> None:
    motif = np.array(["a", "b", "c"] * 4)
    out = adjust(
        estimates(P, motif=("contrast", motif)), method="hierarchical", family="motif"
    )
    np.testing.assert_allclose(
        out["p_adjusted"][:, 0], hierarchical_q(P[:, 0], np.array([0, 1, 2] * 4)).q
    )
    assert out.attrs["adjust_alpha"] == 0.05
    assert "adjust_alpha" not in adjust(out, method="bh").attrs
    for family in (None, "all"):
        with pytest.raises(EstimateError):
            adjust(estimates(P), method="hierarchical", family=family)


def test_tables_of_anybody() -> None:
    table = pd.DataFrame(
        {"effect": [1.0, 2.0, 0.5], "se": [0.5, 0.5, 1.0]}, index=["a", "b", "c"]
    )
    p = 2 * stats.norm.sf([2, 4, 0.5])
    np.testing.assert_allclose(
        adjust(table, method="holm")["p_adjusted"][:, 0], [2 * p[0], 3 * p[1], p[2]]
    )
    sidak = adjust(table, method="dunnett")
    np.testing.assert_allclose(sidak["p_adjusted"][:, 0], 1 - (1 - p) ** 3)
    assert (sidak["p_step_down"] <= sidak["p_adjusted"]).all()


def test_exact_contrasts_among_others() -> None:
    ice = np.column_stack([np.full(60, 3.0), np.zeros(60), NORMAL])
    for method in ("dunnett", "bootstrap_t"):
        with pytest.warns(DegenerateWarning):
            out = adjust(effects_of(ice), method=method, n_draws=999, rng=0)  # type: ignore[arg-type]
        np.testing.assert_allclose(out["p_adjusted"][:2, 0], [0.0, 1.0], atol=1e-9)
        assert np.isfinite(out["p_adjusted"]).all()
    with pytest.warns(DegenerateWarning):
        zeros = adjust(
            effects_of(np.zeros((30, 10_000))), method="bootstrap_t", n_draws=39, rng=0
        )
    assert (zeros["p_adjusted"] == 1).all()


def test_a_second_adjustment_leaves_nothing_of_the_first() -> None:
    once = adjust(
        effects_of(np.random.default_rng(0).normal(size=(40, 3))),
        method="bootstrap_t",
        n_draws=199,
        rng=0,
    )
    twice = adjust(once, method="bh")
    assert "p_step_down" not in twice
    assert not {"n_draws", "seed"} & set(twice.attrs)
    assert twice.attrs["adjust"] == "bh"


@pytest.mark.parametrize("method", ["bh", "bootstrap_t", "dunnett"])
def test_ice_of_anybody_may_come_in_any_order_and_without_a_task(method: str) -> None:
    ice = np.random.default_rng(0).normal(0.3, 1.0, size=(40, 3, 2))
    given = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)},
        coords={"contrast": list("abc"), "task": ["x", "y"]},
    )

    def adjusted(effects: xr.Dataset) -> xr.Dataset:
        return adjust(effects, method=method, n_draws=199, rng=0)

    xr.testing.assert_identical(
        adjusted(given.transpose("task", "contrast", "unit")), adjusted(given)
    )
    one = adjusted(given.isel(task=[0]))
    xr.testing.assert_identical(adjusted(given.isel(task=0)), one)
    bare = adjusted(given.isel(task=0, drop=True))
    assert bare["task"].values.tolist() == ["effect"]
    np.testing.assert_array_equal(bare["p_adjusted"], one["p_adjusted"])


def test_zero_and_one_are_probabilities() -> None:
    np.testing.assert_allclose(adjust([0.0, 1.0, 0.2], method="holm"), [0.0, 1.0, 0.4])


def test_numbers_of_draws_are_those_of_their_method() -> None:
    ice = np.random.default_rng(0).normal(size=(30, 2, 1))
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)},
        {"contrast": ["a", "b"], "task": ["t"]},
    )
    kept = {
        method: "n_draws" in adjust(effects, method=method, n_draws=199, rng=0).attrs  # type: ignore[call-overload]
        for method in ("bootstrap_t", "dunnett")
    }
    assert kept == {"bootstrap_t": True, "dunnett": False}


def test_a_contrast_that_was_selected_is_adjusted_by_itself():
    table = cg.from_effects([1.0, 0.2], se=[0.3, 0.3], names=["a", "b"])
    one = cg.adjust(table.sel(contrast="a"), method="holm")
    assert one["p_adjusted"].dims == ("contrast", "task")
    assert one["p_adjusted"].item() == table["p"].sel(contrast="a").item()
