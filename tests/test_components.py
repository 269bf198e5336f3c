"""Variance components by REML: against lme4, lmerTest and pbkrtest, against the
analysis of variance, and at the edges.

R 4.2.2, lme4 1.1.31, lmerTest 3.1.3, pbkrtest 0.5.2. Tolerance: estimate, se 1e-6;
variances 1e-5; Satterthwaite df 1e-3; Kenward-Roger se 1e-6, df 1e-4.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from causalgia.effects import contrast
from causalgia.effects._from_frame import from_frame
from causalgia.errors import ContrastError, EstimateError, OutcomesError
from causalgia.estimation import (
    estimate,
    fit_variances,
    mixed_layout,
    respond,
    variance_components,
)
from causalgia.estimation._variance_components import Cells, identify
from causalgia.estimation.mixed_model import (
    Point,
    _moment_matrices,
    _traces,
    _variance_slopes,
    reml,
)

CASE = Path(__file__).parent / "reference" / "mixed_model"
EXPECTED = json.loads((CASE / "expected.json").read_text())
THEIRS = {"unit": "background", "model": "predictor", "Residual": "residual"}


def codes(*columns: Any) -> np.ndarray:
    keys = columns[0] if len(columns) == 1 else pd.MultiIndex.from_arrays(columns)
    return pd.factorize(keys)[0].astype(np.intp)


def table(file: str) -> pd.DataFrame:
    return pd.read_csv(CASE / f"input_{file}.csv")


def problem(
    file: str, model: str
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    long = table(file)
    if model == "ice_crossed":
        wide = long.pivot_table(
            index=["unit", "model"], columns="arm", values="y"
        ).reset_index()
        groups = {"unit": codes(wide.unit), "model": codes(wide.model)}
        return (wide.treated - wide.control).to_numpy(), np.ones((len(wide), 1)), groups
    X = np.column_stack([np.ones(len(long)), long.arm == "treated"]).astype(float)
    groups = {"unit": codes(long.unit), "model": codes(long.model)}
    if model == "outcome_arm_specific":
        groups |= {
            "unit_by_arm": codes(long.unit, long.arm),
            "model_by_arm": codes(long.model, long.arm),
        }
    return long.y.to_numpy(), X, groups


@pytest.mark.parametrize("file", ["balanced", "unbalanced"])
@pytest.mark.parametrize(
    "model", ["ice_crossed", "outcome_arm_specific", "outcome_random_intercepts"]
)
@pytest.mark.parametrize(
    ("df", "se_tol", "df_tol"),
    [("satterthwaite", 1e-6, 1e-3), ("kenward_roger", 1e-6, 1e-4)],
)
def test_reml_is_lme4(
    file: str, model: str, df: Any, se_tol: float, df_tol: float
) -> None:
    fit, theirs = reml(*problem(file, model), ddf=df), EXPECTED[file][model]
    assert fit.beta[-1] == pytest.approx(theirs[df]["estimate"], rel=1e-6)
    assert fit.se[-1] == pytest.approx(theirs[df]["se"], rel=se_tol)
    assert fit.df[-1] == pytest.approx(theirs[df]["df"], abs=df_tol)
    assert fit.criterion == pytest.approx(theirs["reml_criterion"], rel=1e-9)
    assert fit.singular is theirs["singular"]
    mine = dict(zip(fit.names, fit.variance, strict=True))
    for name, value in theirs["variance"].items():
        assert mine[name.replace("Residual", "residual")] == pytest.approx(
            value, rel=1e-5
        )


def outcomes_of(long: pd.DataFrame) -> xr.Dataset:
    return from_frame(long, outcome="y", arm="arm", unit="unit", model="model")


def test_components_of_effects_are_those_of_ice_crossed() -> None:
    mine = variance_components(outcomes_of(table("balanced")), control="control")
    theirs = EXPECTED["balanced"]["ice_crossed"]
    for name, value in theirs["variance"].items():
        assert mine["variance"].sel(component=THEIRS[name]).item() == pytest.approx(
            value, rel=1e-5
        )
    n_levels = mine["n_levels"].sel(contrast="treated").values
    by_hand = mine["variance"].values.ravel() / n_levels
    assert by_hand.sum() == pytest.approx(theirs["kenward_roger"]["se"] ** 2, rel=1e-6)
    np.testing.assert_allclose(
        mine["in_ace"].values.ravel(), by_hand / by_hand.sum(), rtol=1e-9
    )
    assert mine["share"].sum().item() == pytest.approx(1)
    np.testing.assert_allclose(
        mine["sd"].values ** 2, mine["variance"].values, rtol=1e-12
    )


def test_components_of_outcomes_are_those_of_the_arm_specific_model() -> None:
    mine = variance_components(outcomes_of(table("balanced")))
    names = THEIRS | {
        "unit_by_arm": "background_by_arm",
        "model_by_arm": "predictor_by_arm",
    }
    for name, value in EXPECTED["balanced"]["outcome_arm_specific"]["variance"].items():
        assert mine["variance"].sel(component=names[name]).item() == pytest.approx(
            value, rel=1e-5
        )


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


def test_reml_keeps_the_score_at_zero_against_the_dense_likelihood() -> None:
    """Unbalanced and nested: no small move of any variance raises the likelihood
    computed the long way.
    """
    rng = np.random.default_rng(8)
    parent = np.repeat(np.arange(12), rng.integers(1, 6, 12))
    unit = np.repeat(np.arange(len(parent)), rng.integers(2, 4, len(parent)))
    groups = {"parent": parent[unit], "unit": unit}
    y = (
        rng.normal(size=12)[parent[unit]]
        + rng.normal(size=len(parent))[unit]
        + rng.normal(size=len(unit))
    )
    X = np.column_stack([np.ones(len(unit)), rng.normal(size=len(unit))])
    fit = reml(y, X, groups)

    def deviance(theta: np.ndarray) -> float:
        V = theta[-1] * np.eye(len(y))
        for s, g in zip(theta, groups.values(), strict=False):
            V += s * (g[:, None] == g[None, :])
        W = np.linalg.inv(V)
        A = X.T @ W @ X
        r = y - X @ np.linalg.solve(A, X.T @ W @ y)
        logs = (
            np.linalg.slogdet(V)[1]
            + np.linalg.slogdet(A)[1]
            + (len(y) - 2) * np.log(2 * np.pi)
        )
        return float(logs + r @ W @ r)

    assert deviance(fit.variance) == pytest.approx(fit.criterion, rel=1e-12)
    for j in range(3):
        for move in (0.999, 1.001):
            assert (
                deviance(np.where(np.arange(3) == j, move * fit.variance, fit.variance))
                > fit.criterion
            )


@pytest.mark.rotating(6)
@pytest.mark.long
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


@pytest.mark.rotating
@pytest.mark.long
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
    assert "add instances" in mine.attrs["buy_next"]


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
    assert "one predictor" not in alone.attrs["not_identified"]  # a table has none
    predicted = effects_of(ice).assign_attrs(null_kind="uniform")
    assert "one predictor" in variance_components(predicted).attrs["not_identified"]
    shared = variance_components(effects_of(ice, parent=("unit", np.arange(60) // 3)))
    assert list(shared["component"].values) == ["parent", "background + residual"]
    one = variance_components(effects_of(ice, parent=("unit", np.zeros(60, dtype=int))))
    assert "parent has one level" in one.attrs["not_identified"]


def test_no_spread_is_answered() -> None:
    flat = variance_components(effects_of(np.full((10, 1, 1, 3), 2.5)))
    assert (flat["variance"] == 0).all()
    assert (flat["share"] == 0).all()
    assert (
        flat.attrs["buy_next"]
        == "nothing varies: more units or predictors change nothing"
    )
    u = np.random.default_rng(0).normal(size=40)
    twins = variance_components(
        effects_of(np.repeat(u[:, None, None, None], 3, axis=3))
    )
    np.testing.assert_allclose(
        twins["variance"].values.ravel(), [u.var(ddof=1), 0, 0], rtol=1e-5, atol=1e-12
    )
    assert twins.attrs["buy_next"].startswith("background has the largest part")
    assert twins.attrs["at_zero"] == "predictor, residual"


def test_scale_and_offset_do_nothing() -> None:
    y = crossed(np.random.default_rng(7), 30, 4, (1.0, 0.5, 1.0))
    plain = variance_components(effects_of(y[:, None, None, :]))["variance"].values
    far = variance_components(effects_of(1e6 + 1e-3 * y[:, None, None, :]))[
        "variance"
    ].values
    np.testing.assert_allclose(far, 1e-6 * plain, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: variance_components(effects_of(np.zeros((1, 1, 1)))),
            EstimateError,
            "more units",
        ),
        (
            lambda: variance_components(effects_of(np.zeros((5, 0, 1)))),
            OutcomesError,
            "no contrast at all",
        ),
        (
            lambda: variance_components(effects_of(np.zeros((5, 1, 1))), control="0"),
            EstimateError,
            "effects already",
        ),
        (
            lambda: variance_components(effects_of(np.zeros((5, 1, 1))), instance="x"),
            EstimateError,
            "assign_coords",
        ),
        (lambda: variance_components(3), OutcomesError, "Dataset"),  # type: ignore[arg-type]
        (
            lambda: variance_components(outcomes_of(table("balanced")), control="x"),
            ContrastError,
            "'x'",
        ),
        (
            lambda: variance_components(outcomes_of(table("balanced")), instance="x"),
            EstimateError,
            "control=",
        ),
    ],
)
def test_bad_questions_name_the_cure(
    call: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        call()


def test_one_instance_is_refused_by_name() -> None:
    effects = effects_of(np.zeros((5, 3, 1)), motif=("contrast", ["A", "A", "B"]))
    with pytest.raises(EstimateError, match="B has one instance, contrast c2"):
        variance_components(effects, instance="motif")


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
    with pytest.raises(EstimateError, match="without control="):
        variance_components(outcomes, control="0")


Y, X, U = np.arange(6.0), np.ones((6, 1)), np.array([0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((Y[:5], X, {"u": U}), "y has shape"),
        ((np.where(Y == 3, np.nan, Y), X, {"u": U}), "finite"),
        ((Y, X, {}), "no groupings"),
        ((Y, np.ones((6, 2)), {"u": U}), "full rank"),
        ((Y, X, {"u": U[:5]}), "'u' has shape"),
        ((Y, X, {"u": U + 1}), "levels are not 0"),
        ((Y, X, {"u": 2 * U}), "levels are not 0"),
        ((Y, X, {"u": 0 * U}), "one level"),
        ((Y, X, {"u": np.arange(6)}), "is the residual"),
        ((Y, X, {"u": U, "v": 2 - U}), "are the same"),
        ((0 * Y + 2, X, {"u": U}), "fit y exactly"),
        ((Y[:3], np.column_stack([X[:3], Y[:3]]), {"u": U[:3]}), "leave no spread"),
        # three ways to pair four rows: their covariances add up to that of the residual
        # and the mean
        (
            (
                Y[:4],
                X[:4],
                {"u": U[:4], "v": np.array([0, 1, 0, 1]), "w": np.array([0, 1, 1, 0])},
            ),
            "cannot be separated",
        ),
        (
            (Y, np.column_stack([X[:, 0], U == 0, U == 1]), {"u": U}),
            "cannot be separated",
        ),
    ],
)
def test_reml_refuses_with_the_culprit(arguments: Any, words: str) -> None:
    with pytest.raises(EstimateError, match=words):
        reml(*arguments)


def test_kenward_roger_is_for_small_problems() -> None:
    u = np.repeat(np.arange(3_001), 2)
    y = np.random.default_rng(0).normal(size=len(u))
    with pytest.raises(EstimateError, match="satterthwaite"):
        reml(y, np.ones((len(u), 1)), {"u": u}, ddf="kenward_roger")
    with pytest.raises(EstimateError, match="neither"):
        reml(Y, X, {"u": U}, ddf="wald")  # type: ignore[arg-type]


def test_values_beyond_double_precision_are_refused() -> None:
    ice = np.random.default_rng(0).normal(size=(10, 1, 1, 3))
    for size in (1e200, 1e-200):
        with pytest.raises(EstimateError, match="rescale"):
            variance_components(effects_of(size * ice))


def test_estimates_have_no_components() -> None:
    effects = xr.Dataset(
        {
            "ice": (
                ("unit", "contrast", "task"),
                np.random.default_rng(0).normal(size=(20, 1, 1)),
            )
        }
    )
    with pytest.raises(EstimateError, match="these are estimates.*give the effects"):
        variance_components(estimate(effects))


def test_an_arm_of_two_motifs_is_an_instance_of_neither() -> None:
    y = np.random.default_rng(0).normal(size=(6, 3, 1))
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        coords={
            "unit": np.arange(6),
            "arm": ["0", "A", "B"],
            "task": ["t"],
            "motif": ("arm", ["0", "A", "B"]),
        },
    )
    effects = contrast(
        outcomes,
        contrasts={"both": {"A": 0.5, "B": 0.5, "0": -1}, "A": {"A": 1, "0": -1}},
    )
    with pytest.raises(
        EstimateError, match=r"contrast both: its arms have several 'motif' \(A, B\)"
    ):
        variance_components(effects, instance="motif")
    with pytest.raises(EstimateError, match="0 unit gives no variance"):
        variance_components(effects.isel(unit=[]))


@pytest.mark.parametrize("X", [np.ones(4), np.array([[1.0], [np.nan], [1.0], [1.0]])])
def test_fixed_effects_that_are_no_finite_matrix_are_refused(X: np.ndarray) -> None:
    with pytest.raises(EstimateError, match="give finite numbers of shape"):
        mixed_layout(X, {"unit": np.array([0, 0, 1, 1])})


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
    assert found.notes == ("plate is one with day",)


def test_fixed_effects_that_fit_within_rounding_leave_nothing_that_varies() -> None:
    X = np.column_stack([np.ones(12), np.arange(12.0) / 7])
    with pytest.raises(EstimateError, match="the fixed effects fit y exactly"):
        reml(X @ np.array([0.1, 0.3]), X, {"unit": np.arange(12) // 2})


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
    np.testing.assert_allclose(
        _traces(at),
        [[np.trace(W @ a @ W @ b) for b in parts] for a in parts],
        rtol=1e-9,
    )
    assert at.at_bound.tolist() == [t == 0 for t in theta]
    x = W @ table.layout.Q
    first, second = _moment_matrices(at)
    for i, a in enumerate(parts):
        np.testing.assert_allclose(first[i], x.T @ a @ x, rtol=1e-8, atol=1e-11)
        for j, b in enumerate(parts):
            np.testing.assert_allclose(
                second[i][j], x.T @ a @ W @ b @ x, rtol=1e-8, atol=1e-11
            )
    slopes, inverse = (
        _variance_slopes(at, np.linalg.inv(table.layout.R)),
        np.linalg.inv(table.layout.R),
    )
    for j in range(3):
        step = 1e-6 * np.eye(3)[j]
        up, down = (
            np.diagonal(
                inverse
                @ np.linalg.inv(
                    table.layout.Q.T @ dense(at.theta + s)[2] @ table.layout.Q
                )
                @ inverse.T
            )
            for s in (step, -step)
        )
        np.testing.assert_allclose(
            slopes[:, j], (up - down) / 2e-6, rtol=1e-5, atol=1e-8
        )


@pytest.mark.parametrize("unit", [1e-30, 1e30])
def test_a_response_in_another_unit_has_variances_in_that_unit(unit: float) -> None:
    rng = np.random.default_rng(5)
    code = np.arange(20) // 4
    X = np.column_stack([np.ones(20), rng.normal(size=20)])
    y = rng.normal(size=20) + rng.normal(0, 2, 5)[code]
    here, there = (reml(u * y, X, {"unit": code}) for u in (1.0, unit))
    np.testing.assert_allclose(there.variance, here.variance * unit**2, rtol=1e-7)
    np.testing.assert_allclose(there.variance_se, here.variance_se * unit**2, rtol=1e-5)
    np.testing.assert_allclose(there.se, here.se * unit, rtol=1e-7)
    np.testing.assert_allclose(there.df, here.df, rtol=1e-5)
    n = len(y) - 2
    assert there.criterion - here.criterion == pytest.approx(
        2 * n * np.log(unit), rel=1e-9
    )


def test_the_criterion_is_the_restricted_likelihood_with_its_constants() -> None:
    rng = np.random.default_rng(6)
    code = np.arange(15) // 3
    X = np.column_stack([np.ones(15), 3 * rng.normal(size=15)])
    y = rng.normal(size=15) + rng.normal(0, 1, 5)[code]
    found = reml(y, X, {"unit": code})
    Z = np.eye(5)[code]
    V = found.variance[0] * Z @ Z.T + found.variance[1] * np.eye(15)
    W = np.linalg.inv(V)
    left = y - X @ found.beta
    value = (
        np.linalg.slogdet(V)[1]
        + np.linalg.slogdet(X.T @ W @ X)[1]
        + left @ W @ left
        + 13 * np.log(2 * np.pi)
    )
    assert found.criterion == pytest.approx(value, rel=1e-9)


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
