from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from causalgia.errors import DegenerateWarning, EstimateError, OutcomesError
from causalgia.estimation import estimate
from causalgia.multiplicity import adjust


def estimates(p: np.ndarray, **coords: object) -> xr.Dataset:
    return xr.Dataset(
        {"ace": (("contrast", "task"), np.ones_like(p)), "p": (("contrast", "task"), p)},
        coords={"contrast": [f"c{i}" for i in range(len(p))], "task": [f"t{i}" for i in range(p.shape[1])], **coords},
    )


P = np.random.default_rng(0).uniform(size=(12, 2)) ** 3


@pytest.mark.parametrize("method", ["bh", "by"])
def test_tasks_are_families_of_their_own(method: str) -> None:
    out = adjust(estimates(P), method=method)  # type: ignore[arg-type]
    for t in range(2):
        np.testing.assert_allclose(out["p_adjusted"][:, t], stats.false_discovery_control(P[:, t], method=method))
    assert out.attrs["adjust"] == method
    assert out.attrs["family"] == "the contrasts of one task"


def test_one_family_over_all_tasks() -> None:
    out = adjust(estimates(P), family="all")
    np.testing.assert_allclose(out["p_adjusted"].values.ravel(), stats.false_discovery_control(P.ravel()))
    assert out.attrs["family"] == "all p-values of the table"


def test_families_by_a_coordinate() -> None:
    motif = np.array(["GATA", "TAL"] * 6)
    out = adjust(estimates(P, motif=("contrast", motif)), family="motif", method="holm")
    for name in ("GATA", "TAL"):
        alone = adjust(estimates(P[motif == name]), method="holm")["p_adjusted"]
        np.testing.assert_array_equal(out["p_adjusted"][motif == name], alone)


def test_models_are_families_of_their_own() -> None:
    both = xr.concat([estimates(P), estimates(P**2)], dim="model").transpose("contrast", "task", "model")
    out = adjust(both)
    np.testing.assert_array_equal(out["p_adjusted"].isel(model=1), adjust(estimates(P**2))["p_adjusted"])
    assert out.attrs["family"] == "the contrasts of one task and model"


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20), st.sampled_from(["bh", "by", "holm", "hochberg", "bonferroni"])
)
def test_adjusted_p_are_p_values_no_smaller_and_in_order(p: list[float], method: str) -> None:
    values = np.array(p)
    out = adjust(estimates(values[:, None]), method=method)["p_adjusted"].values.ravel()  # type: ignore[arg-type]
    assert ((out >= values * (1 - 1e-15)) & (out <= 1)).all()
    assert (np.diff(out[np.argsort(values, kind="stable")]) >= -1e-15).all()


def test_deep_p_values_survive() -> None:
    p = np.array([[1e-290], [1e-280], [0.0], [1.0]])
    out = adjust(estimates(p))["p_adjusted"].values.ravel()
    np.testing.assert_allclose(out, [2e-290, 4e-280 / 3, 0, 1])


def test_what_is_refused() -> None:
    with pytest.raises(EstimateError, match="'fdr' is none of bh, by, holm, hochberg, bonferroni"):
        adjust(estimates(P), method="fdr")  # type: ignore[arg-type]
    with pytest.raises(
        EstimateError, match=r"family 'motif' is neither 'all' nor a coordinate on contrast \(contrast\)"
    ):
        adjust(estimates(P), family="motif")
    gaps = np.array(["a", *[None] * 11], dtype=object)
    with pytest.raises(EstimateError, match="contrast c1 has no 'motif'"):
        adjust(estimates(P, motif=("contrast", gaps)), family="motif")
    with pytest.raises(OutcomesError, match="no dim 'contrast'"):
        adjust(xr.Dataset())


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
    bare = xr.Dataset({"p": ("contrast", P[:, 0])}, coords={"contrast": [f"c{i}" for i in range(12)]})
    out = adjust(bare)
    np.testing.assert_array_equal(out["p_adjusted"], adjust(estimates(P))["p_adjusted"][:, 0])
    assert out["p_adjusted"].dims == ("contrast",)
    assert out.attrs["family"] == "the contrasts of the table"
    turned = estimates(P)[["p"]].transpose("task", "contrast")
    assert adjust(turned)["p_adjusted"].dims == ("task", "contrast")
    np.testing.assert_array_equal(adjust(turned)["p_adjusted"].T, adjust(estimates(P))["p_adjusted"])


@pytest.mark.parametrize("bad", [-0.1, 1.2, np.inf])
def test_p_outside_its_range(bad: float) -> None:
    p = P.copy()
    p[3, 1] = bad
    with pytest.raises(EstimateError, match=f"contrast c3: p is {bad}, not between 0 and 1"):
        adjust(estimates(p))


def test_other_things_are_refused() -> None:
    for thing in (None, P, estimates(P)["p"]):
        with pytest.raises(OutcomesError, match="estimates: not an xarray Dataset"):
            adjust(thing)  # type: ignore[arg-type]
    with pytest.raises(EstimateError, match="no contrasts"):
        adjust(estimates(P).isel(contrast=[]))
    with pytest.raises(EstimateError, match=r"family=\['a'\]"):
        adjust(estimates(P), family=["a"])  # type: ignore[arg-type]
    with pytest.raises(OutcomesError, match="not floats on the dim contrast"):
        adjust(estimates(P).assign(p=("task", [0.1, 0.2])))
