from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from causalgia.effects._from_frame import from_frame
from causalgia.errors import OutcomesError


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


def refused(table: object, message: str, **columns: object) -> None:
    arguments: dict[str, object] = {
        "outcome": "y",
        "arm": "arm",
        "unit": "seq",
    } | columns
    with pytest.raises(OutcomesError, match=message):
        from_frame(table, **arguments)  # type: ignore[arg-type]


def test_a_missing_column_lists_those_there() -> None:
    refused(
        crossover(),
        "no column 'Y'; the columns are 'seq', 'arm', 'peak', 'y', 'gc'",
        outcome="Y",
    )


def test_a_column_that_is_there_twice() -> None:
    table = crossover()
    refused(pd.concat([table, table[["arm"]]], axis=1), "column 'arm' appears twice")


def test_a_missing_arm_is_a_gap() -> None:
    outcomes = from_frame(crossover().drop(index=3), outcome="y", arm="arm", unit="seq")
    assert outcomes.attrs["assignment"] == "incomplete"
    assert outcomes["outcome"].isnull().sum() == 1
    assert outcomes["outcome"].sel(unit="s1", arm="1").isnull().all()
    assert outcomes.attrs["notes"].startswith(
        "1 of 6 cells is missing; 2 of 3 units have every cell"
    )


def test_a_duplicate_names_unit_and_arm() -> None:
    refused(
        pd.concat([crossover(), crossover().iloc[[2]]]),
        "unit 's1', arm '0', task 'y' is measured more than once",
    )


def test_a_unit_twice_in_a_parallel_table_is_a_duplicate() -> None:
    refused(
        pd.concat([parallel(), parallel().iloc[[1]]]),
        "unit '1', task 'y' is measured more than once",
    )


def test_a_missing_task_is_a_gap_of_that_task() -> None:
    long = pd.concat(
        [crossover().assign(cell=c) for c in ("K562", "HepG2")], ignore_index=True
    )
    outcomes = from_frame(
        long.drop(index=7), outcome="y", arm="arm", unit="seq", task="cell"
    )
    assert outcomes["outcome"].isnull().sum("unit").sum("arm").values.tolist() == [0, 1]


def test_an_infinite_outcome_names_row_unit_and_arm() -> None:
    table = crossover().astype({"y": float})
    table.loc[3, "y"] = np.inf
    refused(table, r"row 3 \(unit s1, arm '1', task 'y'\): 'y' is inf")


def test_a_row_without_an_outcome_is_a_gap_that_is_said() -> None:
    table = crossover().astype({"y": float})
    table.loc[3, "y"] = np.nan
    outcomes = from_frame(table, outcome="y", arm="arm", unit="seq")
    assert (
        "1 of 6 cells is missing, 1 of them with a row in which 'y' has no value"
        in outcomes.attrs["notes"]
    )


def test_text_outcomes_are_refused() -> None:
    refused(
        crossover().astype({"y": str}).replace({"y": {"0": "low"}}),
        "column 'y' is not numeric",
    )


def test_decimals_that_are_no_numbers_are_refused() -> None:
    refused(
        crossover().assign(y=pd.Series([Decimal("sNaN")] * 6, dtype=object)),
        "column 'y' is not numeric",
    )


@pytest.mark.parametrize(
    ("name", "column"), [("parent", "peak"), ("block", "peak"), ("covariates", "gc")]
)
def test_what_belongs_to_a_unit_is_constant_in_it(name: str, column: str) -> None:
    table = crossover().astype({"peak": object})
    table.loc[2, column] = "p9" if column == "peak" else 0.9
    refused(table, f"unit s1: '{column}' is", **{name: column})


@pytest.mark.parametrize("column", ["arm", "seq"])
def test_a_gap_in_a_name_is_refused(column: str) -> None:
    table = crossover().astype({column: object})
    table.loc[4, column] = None
    refused(table, f"row 4: column '{column}' has no value")


def test_a_gap_in_a_parent_names_the_unit() -> None:
    table = crossover()
    table.loc[[4, 5], "peak"] = None
    refused(table, "unit s2: 'peak' has no value", parent="peak")


def test_empty_tables_and_other_things() -> None:
    refused(crossover().iloc[:0], "no rows")
    refused([1, 2], "not a list")


@pytest.mark.parametrize(
    "name",
    [
        "arm",
        "unit",
        "task",
        "parent",
        "block",
        "ice",
        "weight",
        "random",
        "assigned",
        "do",
    ],
)
def test_covariates_with_names_that_mean_something_else(name: str) -> None:
    table = parallel().rename(columns={"arm": "group"}).assign(**{name: 1.0})
    refused(
        table, f"covariate '{name}'.*rename the column", arm="group", covariates=name
    )


def test_a_covariate_is_neither_outcome_nor_arm() -> None:
    refused(parallel(), "'y' is the column of the outcome or the arm", covariates=["y"])


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
    refused(crossover(), "covariates= takes names of columns, not an int", covariates=3)


@pytest.mark.parametrize(
    "name", ["outcome", "arm", "unit", "parent", "block", "task", "model"]
)
def test_columns_are_named_by_text(name: str) -> None:
    refused(
        crossover(),
        f"{name}= takes the name of a column as text, not a Series",
        **{name: crossover()["y"]},
    )


@pytest.mark.parametrize("name", ["outcome", "arm"])
def test_a_column_that_is_needed_is_not_none(name: str) -> None:
    refused(
        crossover(),
        f"{name}= takes the name of a column as text, not None",
        **{name: None},
    )


@pytest.mark.parametrize("dtype", [object, "category"])
@pytest.mark.parametrize("value", [10**5_000, "\ud800"], ids=["long", "surrogate"])
def test_names_that_have_no_text_are_refused(value: object, dtype: object) -> None:
    table = crossover(arms=(0, value)).astype({"arm": dtype})
    refused(table, "row 1: column 'arm' holds .*; a cell holds one number or one text")


def test_a_pair_of_values_is_a_parent_by_its_text() -> None:
    table = crossover()
    table["peak"] = pd.Series([("chr1", 5)] * 2 + [("chr1", 9)] * 4, dtype=object)
    outcomes = from_frame(table, outcome="y", arm="arm", unit="seq", parent="peak")
    assert outcomes["parent"].values.tolist() == [
        "('chr1', 5)",
        "('chr1', 9)",
        "('chr1', 9)",
    ]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.arange(6) * 1j, "complex128"),
        (pd.date_range("2026-01-01", periods=6), "datetime64"),
    ],
)
def test_outcomes_are_real_numbers(values: object, said: str) -> None:
    refused(crossover().assign(y=values), f"column 'y' is {said}.*, not real numbers")


@pytest.mark.parametrize(
    ("column", "name"),
    [("arm", "arm"), ("peak", "parent"), ("seq", "unit"), ("peak", "block")],
)
def test_values_that_are_one_as_text(column: str, name: str) -> None:
    table = parallel().assign(peak="p").astype(object)
    table[column] = pd.Series([1, "1"] * 3, dtype=object)
    refused(
        table,
        f"column '{column}' has 2 values that are all '1' as text",
        **{"unit": None, name: column},
    )


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
