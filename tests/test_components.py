"""Variance components by REML: against the analysis of variance, and at the edges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from causalgia.effects import contrast
from causalgia.effects._from_frame import from_frame
from causalgia.estimation import variance_components
from causalgia.estimation._variance_components import Cells, identify
from causalgia.estimation.mixed_model import (
    Point,
    fit_variances,
    mixed_layout,
    respond,
)

CASE = Path(__file__).parent / "reference" / "mixed_model"


def table(file: str) -> pd.DataFrame:
    return pd.read_csv(CASE / f"input_{file}.csv")


def outcomes_of(long: pd.DataFrame) -> xr.Dataset:
    return from_frame(long, outcome="y", arm="arm", unit="unit", model="model")


def crossed(
    rng: np.random.Generator, n: int, m: int, sds: tuple[float, float, float]
) -> np.ndarray:
    u, p, e = sds
    return (
        u * rng.normal(size=(n, 1))
        + p * rng.normal(size=(1, m))
        + e * rng.normal(size=(n, m))
    )


def effects_of(ice: np.ndarray, **coords: Any) -> xr.Dataset:
    dims = ("unit", "contrast", "task", "model")[: ice.ndim]
    names = {
        "contrast": [f"c{i}" for i in range(ice.shape[1])],
        "task": [f"t{i}" for i in range(ice.shape[2])],
    }
    return xr.Dataset({"ice": (dims, ice)}, coords=names | coords)


def test_a_balanced_table_is_its_analysis_of_variance() -> None:
    y = crossed(np.random.default_rng(3), 50, 6, (1.0, 0.7, 0.5))
    n, m = y.shape
    rows, columns = y.mean(axis=1, keepdims=True), y.mean(axis=0, keepdims=True)
    error = ((y - rows - columns + y.mean()) ** 2).sum() / ((n - 1) * (m - 1))
    unit, predictor = rows.var(ddof=1) - error / m, columns.var(ddof=1) - error / n
    mine = variance_components(effects_of(y[:, None, None, :]))[
        "variance"
    ].values.ravel()
    np.testing.assert_allclose(mine, [unit, predictor, error], rtol=1e-8)


def test_ten_arms_and_five_predictors_on_a_thousand_units() -> None:
    rng = np.random.default_rng(0)
    u, a, p = (x.ravel() for x in np.indices((1_000, 10, 5)))
    y = (
        rng.normal(size=1_000)[u]
        + 0.3 * rng.normal(size=(1_000, 10))[u, a]
        + 0.5 * rng.normal(size=5)[p]
    )
    y = y + 0.2 * rng.normal(size=(10, 5))[a, p] + 0.4 * rng.normal(size=len(u))
    groups = {
        "unit": u,
        "predictor": p,
        "unit_by_arm": u * 10 + a,
        "predictor_by_arm": p * 10 + a,
    }
    fit = fit_variances(respond(mixed_layout(np.eye(10)[a], groups), y))
    truth = np.array([1.0, 0.25, 0.09, 0.04, 0.16])
    assert (np.abs(fit.variance - truth) < 4 * fit.se).all()


@pytest.mark.simulation
def test_standard_errors_are_those_of_repeated_tables() -> None:
    rng = np.random.default_rng(5)
    tables = np.stack(
        [crossed(rng, 40, 8, (1.0, 1.0, 1.0)) for _ in range(400)], axis=1
    )
    mine = variance_components(effects_of(tables[:, :, None, :]))
    variance, se = mine["variance"].values[:, :, 0], mine["se"].values[:, :, 0]
    mcse = variance.std(axis=1) / np.sqrt(400)
    assert (np.abs(variance.mean(axis=1) - 1) < 4 * mcse).all()
    root_mean_square = np.sqrt((se**2).mean(axis=1))
    np.testing.assert_allclose(root_mean_square, variance.std(axis=1), rtol=0.25)


def test_parents_predictors_and_backgrounds_come_back() -> None:
    rng = np.random.default_rng(1)
    parent = np.repeat(np.arange(150), 4)
    ice = 2 * rng.normal(size=150)[parent][:, None] + crossed(
        rng, 600, 5, (1.0, 1.5, 0.5)
    )
    effects = effects_of(ice[:, None, None, :], parent=("unit", parent))
    mine = variance_components(effects)
    assert list(mine["component"].values) == [
        "parent",
        "parent_by_predictor",
        "background",
        "predictor",
        "residual",
    ]
    error = np.abs(mine["variance"].values.ravel() - [4, 0, 1, 2.25, 0.25])
    assert (error < 4 * mine["se"].values.ravel()).all()


def test_instances_of_a_motif_are_a_component() -> None:
    rng = np.random.default_rng(2)
    ice = (
        rng.normal(size=(80, 1, 1))
        + 2 * rng.normal(size=(1, 40, 1))
        + 0.5 * rng.normal(size=(80, 40, 1))
    )
    effects = effects_of(ice, motif=("contrast", ["GATA"] * 20 + ["TAL"] * 20))
    mine = variance_components(effects, instance="motif")
    assert list(mine["component"].values) == ["background", "instance", "residual"]
    assert list(mine["contrast"].values) == ["GATA", "TAL"]
    error = np.abs(mine["variance"].values[:, :, 0] - np.array([[1], [4], [0.25]]))
    assert (error < 4 * mine["se"].values[:, :, 0]).all()


def test_instances_may_be_named_on_the_arms() -> None:
    rng = np.random.default_rng(4)
    data = {"outcome": (("unit", "arm", "task"), rng.normal(size=(30, 4, 1)))}
    outcomes = xr.Dataset(
        data,
        coords={
            "arm": ["0", "a", "b", "c"],
            "task": ["K"],
            "motif": ("arm", ["", "A", "A", "A"]),
        },
    )
    by_arm = variance_components(outcomes, control="0", instance="motif")
    effects = contrast(outcomes, control="0").assign_coords(
        word=("contrast", ["A"] * 3)
    )
    xr.testing.assert_allclose(
        by_arm["variance"], variance_components(effects, instance="word")["variance"]
    )


def test_what_is_confounded_is_said() -> None:
    ice = np.random.default_rng(0).normal(size=(60, 2, 1))
    alone = variance_components(effects_of(ice))
    assert list(alone["component"].values) == ["background + residual"]
    np.testing.assert_allclose(
        alone["variance"][0, :, 0], ice[:, :, 0].var(axis=0, ddof=1)
    )
    shared = variance_components(effects_of(ice, parent=("unit", np.arange(60) // 3)))
    assert list(shared["component"].values) == ["parent", "background + residual"]


def test_no_spread_is_answered() -> None:
    flat = variance_components(effects_of(np.full((10, 1, 1, 3), 2.5)))
    assert (flat["variance"] == 0).all()
    assert (flat["share"] == 0).all()
    u = np.random.default_rng(0).normal(size=40)
    twins = variance_components(
        effects_of(np.repeat(u[:, None, None, None], 3, axis=3))
    )
    np.testing.assert_allclose(
        twins["variance"].values.ravel(), [u.var(ddof=1), 0, 0], rtol=1e-5, atol=1e-12
    )
    assert twins.attrs["at_zero"] == "predictor, residual"


def test_scale_and_offset_do_nothing() -> None:
    y = crossed(np.random.default_rng(7), 30, 4, (1.0, 0.5, 1.0))
    plain = variance_components(effects_of(y[:, None, None, :]))["variance"].values
    far = variance_components(effects_of(1e6 + 1e-3 * y[:, None, None, :]))[
        "variance"
    ].values
    np.testing.assert_allclose(far, 1e-6 * plain, rtol=1e-5)


def test_a_parallel_trial_has_components_of_outcomes_alone() -> None:
    y = np.random.default_rng(0).normal(size=(40, 1))
    arms = np.array(["0", "A"] * 20)
    outcomes = xr.Dataset(
        {"outcome": (("unit", "task"), y)},
        coords={"arm": ["0", "A"], "assigned": ("unit", arms)},
    )
    mine = variance_components(outcomes)
    pooled = np.mean([y[arms == a, 0].var(ddof=1) for a in ("0", "A")])
    assert mine["variance"].item() == pytest.approx(pooled)


Y, X, U = np.arange(6.0), np.ones((6, 1)), np.array([0, 0, 1, 1, 2, 2])


def test_two_units_are_enough_to_vary() -> None:
    y = np.random.default_rng(0).normal(size=(2, 3, 1))
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        {"arm": ["c", "A", "B"], "task": ["K562"]},
    )
    assert np.isfinite(variance_components(outcomes)["variance"]).any()


def test_groupings_of_the_same_units_are_one() -> None:
    day, plate = np.array([0, 0, 1, 1, 2, 2]), np.array([2, 2, 0, 0, 1, 1])
    found = identify(
        Cells(
            np.zeros((6, 1)),
            np.ones((6, 1)),
            np.full(6, 1 / 6),
            {"day": day, "plate": plate},
        )
    )
    assert list(found.groups) == ["day"]


@pytest.mark.parametrize("theta", [[0.7, 0.3, 1.2], [0.0, 0.5, 0.4]])
def test_a_point_of_the_restricted_likelihood_is_that_of_dense_matrices(
    theta: list[float],
) -> None:
    """Criterion, score, average information and the traces, each by the N x N matrices
    of the textbook.
    """
    rng = np.random.default_rng(4)
    n = 24
    codes = {
        "unit": rng.permutation(np.arange(n) % 6),
        "plate": rng.permutation(np.arange(n) % 5),
    }
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    effects = {
        name: rng.normal(0, 1.5, code.max() + 1)[code] for name, code in codes.items()
    }
    y = X @ [1.0, 2.0] + sum(effects.values()) + rng.normal(size=n)
    table = respond(mixed_layout(X, codes), y)
    blocks = [np.eye(code.max() + 1)[code] for code in codes.values()]
    parts = [*(Z @ Z.T for Z in blocks), np.eye(n)]
    away = np.eye(n) - X @ np.linalg.inv(X.T @ X) @ X.T
    np.testing.assert_allclose(
        table.layout.gram,
        [[np.trace(away @ a @ away @ b) for b in parts] for a in parts],
        rtol=1e-9,
    )
    scaled = away @ y / table.scale
    assert scaled @ scaled / (n - 2) == pytest.approx(1)
    np.testing.assert_allclose(table.start, np.linalg.lstsq(X, y, rcond=None)[0])

    def dense(theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        V = sum(t * part for t, part in zip(theta, parts, strict=True))
        W = np.linalg.inv(V)
        Q = table.layout.Q
        P = W - W @ Q @ np.linalg.inv(Q.T @ W @ Q) @ Q.T @ W
        size = np.linalg.slogdet(V)[1] + np.linalg.slogdet(Q.T @ W @ Q)[1]
        return float(size + scaled @ P @ scaled), P, W

    at = Point(table, np.array(theta))
    value, P, W = dense(at.theta)
    assert float(at.criterion) == pytest.approx(value, rel=1e-10)
    score = [np.trace(P @ part) - scaled @ P @ part @ P @ scaled for part in parts]
    np.testing.assert_allclose(at.score, score, rtol=1e-8, atol=1e-9)
    information = [
        [scaled @ P @ a @ P @ b @ P @ scaled / 2 for b in parts] for a in parts
    ]
    np.testing.assert_allclose(at.average_information, information, rtol=1e-8)
    np.testing.assert_allclose(
        at.fixed,
        np.linalg.inv(table.layout.Q.T @ W @ table.layout.Q),
        rtol=1e-9,
        atol=1e-12,
    )
    np.testing.assert_allclose(at.inverse_times(X), W @ X, rtol=1e-9, atol=1e-12)
    assert at.at_bound.tolist() == [t == 0 for t in theta]


@pytest.mark.parametrize("assigned", [False, True])
@pytest.mark.parametrize("n_arms", [1, 2, 3])
def test_the_parts_of_a_squared_error_are_those_of_the_first_arm_less_the_second(
    assigned: bool, n_arms: int
) -> None:
    rng = np.random.default_rng(5)
    n, m, names = 21, 4, ["0", "A", "B"][:n_arms]
    unit, model = rng.normal(size=(n, 1)), rng.normal(size=(1, m))
    if assigned:
        arm = np.repeat(
            names, [n] if n_arms == 1 else [5, 16] if n_arms == 2 else [5, 9, 7]
        )
        shift = {a: rng.normal(size=(1, m)) for a in names}
        y = np.array(
            [(unit + model)[u] + shift[a][0] for u, a in enumerate(arm)]
        ) + rng.normal(size=(n, m))
        dims, coords = (
            ("unit", "task", "model"),
            {"arm": names, "assigned": ("unit", arm)},
        )
        long = pd.DataFrame(
            {
                "u": np.repeat(np.arange(n), m),
                "a": np.repeat(arm, m),
                "p": np.tile(np.arange(m), n),
            }
        )
        y = y[:, None]
    else:
        own = rng.normal(size=(n, n_arms, 1)) + rng.normal(size=(1, n_arms, m))
        y = ((unit + model)[:, None] + own + rng.normal(size=(n, n_arms, m)))[
            :, :, None
        ]
        dims, coords = ("unit", "arm", "task", "model"), {"arm": names}
        index = pd.MultiIndex.from_product(
            [range(n), names, range(m)], names=["u", "a", "p"]
        )
        long = index.to_frame(index=False)
    found = variance_components(xr.Dataset({"outcome": (dims, y)}, coords=coords)).isel(
        contrast=0, task=0
    )
    size = long["a"].value_counts()
    sign = {"0": 1.0, "A": -1.0, "B": 0.0}
    long["weight"] = [sign[a] / size[a] for a in long["a"]]
    keys = {
        "background": ["u"],
        "predictor": ["p"],
        "background_by_arm": ["u", "a"],
        "predictor_by_arm": ["p", "a"],
    }
    parts = [
        variance
        * (
            long.groupby(keys[name])["weight"].sum() ** 2
            if name in keys
            else long["weight"] ** 2
        ).sum()
        for name, variance in zip(
            found["component"].values, found["variance"].values, strict=True
        )
    ]
    np.testing.assert_allclose(
        found["in_ace"], np.array(parts) / sum(parts), rtol=1e-9, atol=1e-12
    )
