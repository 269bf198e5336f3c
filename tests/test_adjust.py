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
    FewClustersWarning,
    OutcomesError,
    RandomnessError,
    SkewnessWarning,
)
from causalgia.estimation import estimate, from_effects
from causalgia.multiplicity import adjust, hierarchical_q, selected_intervals
from causalgia.multiplicity._adjust import (
    largest_mean_correlation,
    mean_absolute_correlation,
)
from causalgia.multiplicity.adjusted_p import storey_q
from causalgia.multiplicity.joint_methods import sign_flip_max_t


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


@pytest.mark.parametrize("method", ["bh", "by"])
def test_tasks_are_families_of_their_own(method: str) -> None:
    out = adjust(estimates(P), method=method)  # type: ignore[arg-type]
    for t in range(2):
        np.testing.assert_allclose(
            out["p_adjusted"][:, t],
            stats.false_discovery_control(P[:, t], method=method),
        )
    assert out.attrs["adjust"] == method
    assert out.attrs["family"] == "the contrasts of one task"


def test_one_family_over_all_tasks() -> None:
    out = adjust(estimates(P), family="all")
    np.testing.assert_allclose(
        out["p_adjusted"].values.ravel(), stats.false_discovery_control(P.ravel())
    )
    assert out.attrs["family"] == "all p-values of the table"


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
    assert out.attrs["family"] == "the contrasts of one task and model"


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
    st.sampled_from(["bh", "by", "holm", "hochberg", "bonferroni"]),
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


def test_what_is_refused() -> None:
    with pytest.raises(
        EstimateError,
        match="'fdr' is not one of auto, bh, by, holm, hochberg, bonferroni",
    ):
        adjust(estimates(P), method="fdr")  # type: ignore[arg-type]
    with pytest.raises(
        EstimateError,
        match=r"family 'motif' is neither 'all' nor a coordinate on contrast \(contrast\)",
    ):
        adjust(estimates(P), family="motif")
    gaps = np.array(["a", *[None] * 11], dtype=object)
    with pytest.raises(EstimateError, match="contrast c1 has no 'motif'"):
        adjust(estimates(P, motif=("contrast", gaps)), family="motif")
    with pytest.raises(OutcomesError, match="no dim 'contrast'"):
        adjust(xr.Dataset())


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
    with pytest.raises(EstimateError, match="one unit gives no standard error"):
        adjust(single)


@pytest.mark.parametrize("method", ["bh", "by", "holm", "hochberg", "bonferroni"])
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
    assert out.attrs["family"] == "the contrasts of the table"
    turned = estimates(P)[["p"]].transpose("task", "contrast")
    assert adjust(turned)["p_adjusted"].dims == ("task", "contrast")
    np.testing.assert_array_equal(
        adjust(turned)["p_adjusted"].T, adjust(estimates(P))["p_adjusted"]
    )


@pytest.mark.parametrize("bad", [-0.1, 1.2, np.inf])
def test_p_outside_its_range(bad: float) -> None:
    p = P.copy()
    p[3, 1] = bad
    with pytest.raises(
        EstimateError, match=f"contrast c3: p is {bad}, not between 0 and 1"
    ):
        adjust(estimates(p))


def test_other_things_are_refused() -> None:
    with pytest.raises(OutcomesError, match="estimates: not an xarray Dataset"):
        adjust(None)  # type: ignore[call-overload]
    for thing in (P, estimates(P)["p"]):
        with pytest.raises(
            EstimateError,
            match=r"p has shape \(12, 2\); give a list of K p-values, K at least 1",
        ):
            adjust(thing)  # type: ignore[call-overload]
    with pytest.raises(EstimateError, match="no contrasts"):
        adjust(estimates(P).isel(contrast=[]))
    with pytest.raises(EstimateError, match=r"family=\['a'\]"):
        adjust(estimates(P), family=["a"])  # type: ignore[arg-type]
    with pytest.raises(OutcomesError, match="not floats on the dim contrast"):
        adjust(estimates(P).assign(p=("task", [0.1, 0.2])))


# ---- methods that need units, a covariance, or weak dependence


def effects_of(ice: np.ndarray, **coords: object) -> xr.Dataset:
    names = {"contrast": [f"c{i}" for i in range(ice.shape[1])], "task": ["t0"]}
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice[:, :, None])}, coords=names | coords
    )


NORMAL = np.random.default_rng(1).normal(size=(60, 8)) + np.linspace(0, 0.8, 8)


@pytest.mark.parametrize(
    "method", ["bh", "holm", "storey", "dunnett", "bootstrap_t", "sign_flip"]
)
def test_effects_are_estimated_first(method: str) -> None:
    out = adjust(effects_of(NORMAL), method=method, n_draws=999, n_flips=999, rng=0)  # type: ignore[arg-type]
    assert out["p_adjusted"].dims == ("contrast", "task")
    assert (
        out["p_adjusted"] >= out["p"] * (0.3 if method == "storey" else 0.98) - 0.01
    ).all()
    assert out["p_adjusted"][-1, 0] < 0.01
    assert out.attrs["adjust"] == method
    assert out.attrs["family"] == "the contrasts of one task"
    if method in ("bh", "holm"):
        given_estimates = adjust(estimate(effects_of(NORMAL)), method=method)  # type: ignore[arg-type]
        xr.testing.assert_allclose(out["p_adjusted"], given_estimates["p_adjusted"])


@pytest.mark.parametrize("method", ["dunnett", "bootstrap_t", "sign_flip"])
def test_joint_methods_agree_on_normal_effects(method: str) -> None:
    p = adjust(effects_of(NORMAL), method=method, rng=0)["p_adjusted"].to_numpy()  # type: ignore[arg-type]
    holm = adjust(effects_of(NORMAL), method="holm")["p_adjusted"].to_numpy()
    assert (p < holm * 1.3 + 0.15).all()
    assert ((p < 0.05) == (holm < 0.05)).mean() > 0.8


@pytest.mark.parametrize(
    "method", ["bootstrap_t", "sign_flip", "dunnett", "storey", "hierarchical"]
)
def test_a_family_with_one_member_needs_no_adjustment(method: str) -> None:
    alone = effects_of(NORMAL, one=("contrast", [f"f{i}" for i in range(8)]))
    out = adjust(
        alone, method=method, family="one", n_draws=4_999, n_flips=4_999, rng=0
    )  # type: ignore[arg-type]
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


def test_sign_flips_through_the_verb() -> None:
    few = np.random.default_rng(0).uniform(-1, 1.5, size=(13, 3))
    out = adjust(effects_of(few), method="sign_flip")
    np.testing.assert_array_equal(
        out["p_adjusted"][:, 0], sign_flip_max_t(few).p_step_down
    )
    assert "skewness" in out.attrs
    with pytest.raises(
        RandomnessError,
        match="method='sign_flip' draws at random and needs a seed; for example rng=0",
    ):
        adjust(effects_of(NORMAL), method="sign_flip")


def test_flips_of_skewed_effects_say_so() -> None:
    skewed = np.random.default_rng(2).exponential(size=(40, 8)) - 1
    with pytest.warns(
        SkewnessWarning, match=r"with 40 independent units, below 25 skew\^2"
    ):
        out = adjust(effects_of(skewed), method="sign_flip", n_flips=999, rng=0)
    z = skewed - skewed.mean(axis=0)
    largest = np.abs((z**3).mean(axis=0) / (z**2).mean(axis=0) ** 1.5).max()
    assert out.attrs["skewness"] == pytest.approx(largest)


def test_clusters_are_kept_whole() -> None:
    rng = np.random.default_rng(3)
    parent = np.repeat(np.arange(12), 5)
    ice = rng.normal(size=(12, 4))[parent]
    with pytest.warns(FewClustersWarning):
        out = adjust(effects_of(ice, parent=("unit", parent)), method="sign_flip")
    np.testing.assert_allclose(
        out["p_adjusted"][:, 0], sign_flip_max_t(ice[::5]).p_step_down
    )
    with pytest.warns(FewClustersWarning):
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


def test_storey_is_refused_where_estimates_correlate() -> None:
    rng = np.random.default_rng(4)
    own = rng.normal(size=(100, 40))
    shared = own - rng.normal(size=(100, 1))
    out = adjust(effects_of(own), method="storey")
    np.testing.assert_allclose(
        out["p_adjusted"][:, 0], storey_q(out["p"].to_numpy()[:, 0])[0]
    )
    for table in (effects_of(shared), estimate(effects_of(shared))):
        with pytest.raises(
            EstimateError, match=r"mean \|correlation\| of 0.47.*use method='bh'"
        ):
            adjust(table, method="storey")
    wide = np.repeat(own, 14, axis=1)
    assert "factor" in estimate(effects_of(wide))
    adjust(effects_of(wide), method="storey")
    known = from_effects(np.zeros(3), covariance=np.eye(3) + 0.2 * (1 - np.eye(3)))
    with pytest.raises(EstimateError, match="0.2"):
        adjust(known, method="storey")
    few = rng.normal(size=(15, 40))
    # independent: a mean |r| of .2 is the noise of 14 df
    adjust(effects_of(few), method="storey")


def test_storey_on_bare_p() -> None:
    np.testing.assert_allclose(
        adjust(estimates(P), method="storey")["p_adjusted"][:, 1], storey_q(P[:, 1])[0]
    )


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
        with pytest.raises(EstimateError, match="name the coordinate on contrast"):
            adjust(estimates(P), method="hierarchical", family=family)


def test_tables_of_anybody() -> None:
    table = pd.DataFrame(
        {"effect": [1.0, 2.0, 0.5], "se": [0.5, 0.5, 1.0]}, index=["a", "b", "c"]
    )
    p = 2 * stats.norm.sf([2, 4, 0.5])
    np.testing.assert_allclose(
        adjust(table, method="bonferroni")["p_adjusted"][:, 0], np.minimum(3 * p, 1)
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


def test_units_are_asked_for() -> None:
    for method in ("bootstrap_t", "sign_flip"):
        with pytest.raises(
            EstimateError,
            match=f"method='{method}' resamples the ICE of units.*give the effects",
        ):
            adjust(estimate(effects_of(NORMAL)), method=method, rng=0)  # type: ignore[arg-type]
    with pytest.raises(
        RandomnessError,
        match="method='bootstrap_t' draws at random and needs a seed; for example rng=0",
    ):
        adjust(effects_of(NORMAL), method="bootstrap_t")


@pytest.mark.parametrize("k", [2, 3, 5, 10])
def test_storey_takes_few_independent_estimates(k: int) -> None:
    """Refused by chance in at most 1 % of families, of whatever size (at K = 3 it was
    21 %).
    """
    rng = np.random.default_rng(k)
    refused = 0
    for _ in range(200):
        x = rng.normal(size=(30, k))
        refused += mean_absolute_correlation(
            x - x.mean(axis=0)
        ) >= largest_mean_correlation(29, k * (k - 1) // 2)
    assert refused <= 6  # P(more | 1 %) < .005


def test_storey_over_tasks_says_what_it_lacks() -> None:
    ice = np.random.default_rng(0).normal(size=(50, 6, 2))
    both = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)}, coords={"task": ["K562", "HepG2"]}
    )
    with pytest.raises(EstimateError, match="over several tasks .*family=None"):
        adjust(both, method="storey", family="all")
    adjust(both, method="storey")


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


@pytest.mark.parametrize("method", ["bh", "sign_flip", "bootstrap_t", "dunnett"])
def test_ice_of_anybody_may_come_in_any_order_and_without_a_task(method: str) -> None:
    ice = np.random.default_rng(0).normal(0.3, 1.0, size=(40, 3, 2))
    given = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)},
        coords={"contrast": list("abc"), "task": ["x", "y"]},
    )

    def adjusted(effects: xr.Dataset) -> xr.Dataset:
        return adjust(effects, method=method, n_draws=199, n_flips=99, rng=0)

    xr.testing.assert_identical(
        adjusted(given.transpose("task", "contrast", "unit")), adjusted(given)
    )
    one = adjusted(given.isel(task=[0]))
    xr.testing.assert_identical(adjusted(given.isel(task=0)), one)
    bare = adjusted(given.isel(task=0, drop=True))
    assert bare["task"].values.tolist() == ["effect"]
    np.testing.assert_array_equal(bare["p_adjusted"], one["p_adjusted"])


def test_what_has_no_p_to_adjust() -> None:
    table = from_effects([1.0, 2.0], [1.0, 1.0])
    with pytest.raises(EstimateError, match="method=3 is not a text"):
        adjust([0.1], method=3)  # type: ignore[call-overload]
    with pytest.raises(EstimateError, match="method 'tukey' is not one of auto"):
        adjust(table, method="tukey")
    with pytest.raises(EstimateError, match="the estimates have no p-values"):
        adjust(table.drop_vars(["p", "log_p"]), method="bh")
    with pytest.raises(EstimateError, match="the selection before adjust left none"):
        adjust(table.isel(contrast=[]), method="bh")
    for level in (1.0, 0.0):
        with pytest.raises(EstimateError, match="is not between 0 and 1"):
            selected_intervals(adjust(table, method="bh"), select=level)


@pytest.mark.parametrize(
    ("r", "refused"), [(0.45, False), (0.50, False), (0.53, True), (-0.53, True)]
)
def test_correlation_that_one_pair_may_have_by_chance_is_no_dependence(
    r: float, refused: bool
) -> None:
    """On 29 df |r| of one pair is about 0 with mean .15 and sd .11: with a true .1 that
    is .18, and three sd more.
    """
    covariance = np.array([[1.0, r], [r, 1.0]])
    table = from_effects([2.0, 1.0], covariance=covariance, df=[29.0, 29.0])
    if refused:
        with pytest.raises(EstimateError, match="assumes nearly independent estimates"):
            adjust(table, method="storey")
    else:
        assert adjust(table, method="storey")["p_adjusted"].shape == (2, 1)


def test_zero_and_one_are_probabilities() -> None:
    np.testing.assert_allclose(adjust([0.0, 1.0, 0.2], method="holm"), [0.0, 1.0, 0.4])
    for wrong in (-1e-9, 1 + 1e-9):
        with pytest.raises(EstimateError, match="not between 0 and 1"):
            adjust([0.5, wrong], method="holm")


def test_numbers_of_draws_and_flips_are_those_of_their_method() -> None:
    ice = np.random.default_rng(0).normal(size=(30, 2, 1))
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)},
        {"contrast": ["a", "b"], "task": ["t"]},
    )
    kept = {
        method: {*adjust(effects, method=method, n_draws=199, n_flips=299, rng=0).attrs}
        & {"n_draws", "n_flips"}  # type: ignore[call-overload]
        for method in ("bootstrap_t", "sign_flip", "dunnett")
    }
    assert kept == {
        "bootstrap_t": {"n_draws"},
        "sign_flip": {"n_flips"},
        "dunnett": set(),
    }


@pytest.mark.parametrize("cluster", [None, 3, "parent"])
def test_estimates_have_no_units_to_cluster(cluster):
    estimates = cg.from_effects([0.2, 0.5], [0.1, 0.1])
    for verb in (
        cg.adjust,
        cg.multiplicity.simultaneous,
        lambda x, cluster: cg.decide(x, rope=0, cluster=cluster),
    ):
        with pytest.raises(
            EstimateError,
            match=f'cluster={cluster!r} (must be "auto"|groups units, and these are)',
        ):
            verb(estimates, cluster=cluster)


def test_a_contrast_that_was_selected_is_adjusted_by_itself():
    table = cg.from_effects([1.0, 0.2], se=[0.3, 0.3], names=["a", "b"])
    one = cg.adjust(table.sel(contrast="a"), method="holm")
    assert one["p_adjusted"].dims == ("contrast", "task")
    assert one["p_adjusted"].item() == table["p"].sel(contrast="a").item()
