from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from causalgia.errors import DegenerateWarning, EstimateError, OutcomesError
from causalgia.estimation import adjust, estimate


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
