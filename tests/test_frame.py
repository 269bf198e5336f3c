from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from causalgia import from_frame


def crossover(n: int = 3, arms: tuple[object, ...] = (0, 1)) -> pd.DataFrame:
    rows = [
        (f"s{u}", a, f"p{u // 2}", 10 * u + i, u / 7)
        for u in range(n)
        for i, a in enumerate(arms)
    ]
    return pd.DataFrame(rows, columns=["seq", "arm", "peak", "y", "gc"])


def parallel(n: int = 6) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "seq": range(n),
            "arm": [["a", "b"][i % 2] for i in range(n)],
            "y": np.arange(n) * 1.0,
        }
    )


def test_every_arm_in_every_unit_is_a_crossover() -> None:
    outcomes = from_frame(
        crossover(),
        outcome="y",
        arm="arm",
        unit="seq",
        parent="peak",
        covariates="gc",
        scale="counts",
    )
    assert outcomes["outcome"].dims == ("unit", "arm", "task")
    assert outcomes["outcome"].values[:, :, 0].tolist() == [[0, 1], [10, 11], [20, 21]]
    assert outcomes["arm"].values.tolist() == ["0", "1"]
    assert outcomes["parent"].values.tolist() == ["p0", "p0", "p1"]
    assert outcomes["task"].values.tolist() == ["y"]
    np.testing.assert_array_equal(outcomes["gc"], [0, 1 / 7, 2 / 7])
    assert outcomes.attrs["scale"] == "counts"
    assert outcomes.attrs["assignment"] == "crossover"


@pytest.mark.parametrize("unit", ["seq", None])
def test_one_arm_a_unit_is_parallel(unit: str | None) -> None:
    outcomes = from_frame(parallel(), outcome="y", arm="arm", unit=unit)
    assert outcomes["outcome"].dims == ("unit", "task")
    assert outcomes["assigned"].values.tolist() == ["a", "b"] * 3
    assert outcomes["arm"].values.tolist() == ["a", "b"]
    assert outcomes.attrs["assignment"] == "parallel"
    assert outcomes["unit"].dtype.kind == "i"


def test_tasks_and_models_become_dims() -> None:
    long = pd.concat(
        [
            crossover().assign(cell=c, net=m)
            for c in ("K562", "HepG2")
            for m in (1.0, 2.0)
        ]
    )
    outcomes = from_frame(
        long, outcome="y", arm="arm", unit="seq", task="cell", model="net"
    )
    assert outcomes["outcome"].dims == ("unit", "arm", "task", "model")
    assert outcomes["task"].values.tolist() == ["K562", "HepG2"]
    assert outcomes["model"].values.tolist() == ["1", "2"]


def test_float32_stays_float32_and_float_arms_are_named_as_integers() -> None:
    table = crossover().astype({"y": np.float32, "arm": float})
    outcomes = from_frame(table, outcome="y", arm="arm", unit="seq")
    assert outcomes["outcome"].dtype == np.float32
    assert outcomes["arm"].values.tolist() == ["0", "1"]


@given(st.permutations(range(8)))
def test_the_order_of_rows_changes_no_value(order: list[int]) -> None:
    table = crossover(4)
    shuffled = from_frame(table.iloc[order], outcome="y", arm="arm", unit="seq")
    plain = from_frame(table, outcome="y", arm="arm", unit="seq")
    aligned = shuffled.sel(unit=plain["unit"], arm=plain["arm"])
    np.testing.assert_array_equal(aligned["outcome"], plain["outcome"])


class Polarsish:
    def to_pandas(self) -> pd.DataFrame:
        return crossover()


def test_anything_with_to_pandas() -> None:
    assert (
        from_frame(Polarsish(), outcome="y", arm="arm", unit="seq").sizes["unit"] == 3
    )


def test_a_missing_arm_is_a_gap() -> None:
    outcomes = from_frame(crossover().drop(index=3), outcome="y", arm="arm", unit="seq")
    assert outcomes.attrs["assignment"] == "incomplete"
    assert outcomes["outcome"].isnull().sum() == 1
    assert outcomes["outcome"].sel(unit="s1", arm="1").isnull().all()


def test_a_missing_task_is_a_gap_of_that_task() -> None:
    long = pd.concat(
        [crossover().assign(cell=c) for c in ("K562", "HepG2")], ignore_index=True
    )
    outcomes = from_frame(
        long.drop(index=7), outcome="y", arm="arm", unit="seq", task="cell"
    )
    assert outcomes["outcome"].isnull().sum("unit").sum("arm").values.tolist() == [0, 1]


def test_a_row_without_an_outcome_is_a_gap() -> None:
    table = crossover().astype({"y": float})
    table.loc[3, "y"] = np.nan
    outcomes = from_frame(table, outcome="y", arm="arm", unit="seq")
    assert outcomes.attrs["assignment"] == "incomplete"
    assert outcomes["outcome"].isnull().sum() == 1


@pytest.mark.parametrize(
    "covariates", [pd.Index(["gc"]), ["gc"], np.array(["gc"]), "gc"]
)
def test_covariates_in_any_list(covariates: object) -> None:
    outcomes = from_frame(
        crossover(), outcome="y", arm="arm", unit="seq", covariates=covariates
    )  # type: ignore[arg-type]
    assert "gc" in outcomes.coords


def test_no_covariates() -> None:
    assert (
        "gc"
        not in from_frame(
            crossover(), outcome="y", arm="arm", unit="seq", covariates=None
        ).coords
    )


def test_a_pair_of_values_is_a_parent_by_its_text() -> None:
    table = crossover()
    table["peak"] = pd.Series([("chr1", 5)] * 2 + [("chr1", 9)] * 4, dtype=object)
    outcomes = from_frame(table, outcome="y", arm="arm", unit="seq", parent="peak")
    assert outcomes["parent"].values.tolist() == [
        "('chr1', 5)",
        "('chr1', 9)",
        "('chr1', 9)",
    ]


@pytest.mark.parametrize("dtype", ["float32", "Float32", "float32[pyarrow]", "float16"])
def test_narrow_floats_stay_narrow(dtype: str) -> None:
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    outcomes = from_frame(
        crossover().astype({"y": float}).astype({"y": dtype}),
        outcome="y",
        arm="arm",
        unit="seq",
    )
    assert outcomes["outcome"].dtype == ("float16" if dtype == "float16" else "float32")


def test_a_missing_number_of_pandas_is_a_gap() -> None:
    table = crossover().assign(cell="K562").astype({"y": "Float64"})
    table.loc[3, "y"] = pd.NA
    outcomes = from_frame(table, outcome="y", arm="arm", unit="seq", task="cell")
    assert outcomes["outcome"].isnull().sum() == 1
