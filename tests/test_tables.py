"""Tables out, one row an effect; tables in, as others write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg

ARMS = {"placebo": cg.Placebo("AGATAAG", at=46)} | {
    f"at {i}": cg.Embed("AGATAAG", at=i) for i in (10, 30, 50, 70)
}
ORACLE = cg.zoo.oracle("gata1_like")
ASK = cg.Analysis(control="placebo", rope=(-0.1, 0.1))


def outcomes(**options: Any) -> xr.Dataset:
    design = cg.Design(null=cg.Uniform(length=200), arms=ARMS, n_units=60, **options)
    return cg.run(design, ORACLE, rng=7, analysis=ASK)


@pytest.fixture(scope="module")
def crossover() -> xr.Dataset:
    return outcomes()


@pytest.fixture(scope="module")
def effects(crossover: xr.Dataset) -> xr.Dataset:
    return cg.contrast(crossover, control="placebo")


def one_row_an_effect(table: xr.Dataset, of: str = "ace") -> pd.DataFrame:
    frame = table.to_dataframe()
    assert list(frame.index.names) == list(table[of].dims)
    assert len(frame) == table[of].size
    assert frame.index.is_unique
    np.testing.assert_array_equal(frame[of].to_numpy(), table[of].to_numpy().ravel())
    on_effects = {
        str(n) for n, v in table.variables.items() if set(v.dims) <= set(table[of].dims)
    }
    assert set(map(str, frame.columns)) == on_effects - set(table[of].dims)
    return frame


# ---- out


def test_estimates_have_a_row_for_each_contrast_in_each_task(
    effects: xr.Dataset,
) -> None:
    estimates = cg.estimate(effects)
    assert {"covariance", "weight"} <= set(estimates.data_vars)
    assert {"kind", "random"} <= set(estimates.coords)
    frame = one_row_an_effect(estimates)
    assert len(frame) == 4 * 2
    assert {"ace", "se", "p", "do"} <= set(frame.columns)
    assert (
        frame.loc[("at 50", "HepG2"), "se"]
        == estimates["se"].sel(contrast="at 50", task="HepG2").item()
    )


@pytest.mark.parametrize(
    "verb",
    [
        lambda e: cg.multiplicity.simultaneous(e, n_draws=99, rng=1),
        lambda e: cg.decide(cg.estimate(e), rope=(-0.1, 0.1)),
        lambda e: cg.decide(e, rope=(-0.1, 0.1), error="fwer"),
        lambda e: cg.decide(cg.estimate(e), rope=(-0.1, 0.1), error="each"),
        lambda e: cg.estimate(e).sel(contrast=["at 70", "at 10"]),
        lambda e: cg.estimate(e).isel(task=0),
        lambda e: xr.concat(
            [
                cg.estimate(e).assign_coords(task=names)
                for names in (["a", "b"], ["c", "d"])
            ],
            "task",
            data_vars="minimal",
            coords="minimal",
            compat="override",
        ),
    ],
)
def test_what_a_verb_returns_has_one_row_an_effect(
    verb: Any, effects: xr.Dataset
) -> None:
    one_row_an_effect(verb(effects))


def test_decisions_have_one_row_an_effect(crossover: xr.Dataset) -> None:
    decisions = cg.analyze(crossover)
    assert decisions.sizes["arm"] == 5
    assert set(one_row_an_effect(decisions)["verdict"]) <= {
        "increases",
        "decreases",
        "negligible",
        "undecided",
    }


def test_parallel_trials_and_effects_have_one_row_an_effect(
    effects: xr.Dataset,
) -> None:
    one_row_an_effect(
        cg.estimate(cg.contrast(outcomes(assignment="parallel"), control="placebo"))
    )
    one_row_an_effect(effects, of="ice")


def test_many_contrasts_whose_covariance_is_a_factor_have_one_row_each() -> None:
    ice = np.random.default_rng(0).normal(size=(20, 600, 1))
    estimates = cg.estimate(
        xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}, {"task": ["K562"]})
    )
    assert "factor" in estimates
    one_row_an_effect(estimates)


def test_rows_are_the_same_after_a_file(effects: xr.Dataset, tmp_path: Any) -> None:
    estimates = cg.estimate(effects)
    read = cg.store.load(
        cg.store.save(estimates, tmp_path / "estimates.nc"), "estimates"
    )
    xr.testing.assert_identical(read, estimates)
    pd.testing.assert_frame_equal(
        read.to_dataframe()[["ace", "se"]], estimates.to_dataframe()[["ace", "se"]]
    )
    plain = xr.load_dataset(
        estimates.to_netcdf(tmp_path / "plain.nc", engine="h5netcdf")
        or tmp_path / "plain.nc"
    )
    one_row_an_effect(cg.decide(plain, rope=0))
    np.testing.assert_array_equal(
        cg.estimation.covariance(plain), cg.estimation.covariance(estimates)
    )


@pytest.mark.parametrize("keep", ["effects", "moments"])
def test_what_a_trial_on_disk_keeps_has_one_row_an_effect(
    keep: str, tmp_path: Any
) -> None:
    design = cg.Design(null=cg.Uniform(length=200), arms=ARMS, n_units=40)
    cg.run(design, ORACLE, rng=7, analysis=ASK, store=tmp_path / "t.zarr", keep=keep)
    opened = cg.open(tmp_path / "t.zarr")
    one_row_an_effect(opened, of="ice" if keep == "effects" else "ice_mean")
    one_row_an_effect(cg.estimate(opened))


def test_the_order_of_levels_is_free(effects: xr.Dataset) -> None:
    frame = cg.estimate(effects).to_dataframe(dim_order=["task", "contrast"])
    assert list(frame.index.names) == ["task", "contrast"]
    assert len(frame) == 8


# ---- in


OURS = pd.DataFrame(
    {"effect": [1.0, 0.2, -0.6], "se": [0.2, 0.1, 0.2], "motif": list("xyx")},
    index=list("abc"),
)
THEIRS = OURS.rename(columns={"effect": "estimate", "se": "std_error"})


@pytest.mark.parametrize(
    "table",
    [
        THEIRS,
        THEIRS.rename(columns={"std_error": "std.error"}),
        THEIRS.assign(effect=OURS["effect"]),
    ],
)
@pytest.mark.parametrize("as_dataset", [False, True])
def test_tables_of_others_are_read_as_ours(
    table: pd.DataFrame, as_dataset: bool
) -> None:
    given = table.rename_axis("contrast").to_xarray() if as_dataset else table
    for verb in (
        cg.from_effects,
        lambda t: cg.decide(t, rope=(-0.5, 0.5)),
        lambda t: cg.infer(t, n_draws=400, rng=1)["moments"],
    ):
        xr.testing.assert_identical(verb(given), verb(OURS))


def test_tables_of_several_tasks_are_read() -> None:
    table = pd.DataFrame(
        {
            "contrast": ["a", "b"] * 2,
            "task": list("xxyy"),
            "estimate": range(4),
            "std_error": 1.0,
        }
    )
    found = cg.from_effects(table, ci_prob=0.9)
    assert found["ace"].sel(contrast="b", task="y").item() == 3
    assert found.attrs["ci_prob"] == 0.9
    np.testing.assert_allclose(
        (found["upper"] - found["ace"]).values, 1.6448536269514722
    )


def test_a_column_of_names_names_the_contrasts() -> None:
    named = cg.from_effects(OURS.assign(contrast=[f"motif {i}" for i in OURS.index]))
    assert named["contrast"].values.tolist() == [f"motif {i}" for i in OURS.index]
