"""Hundreds of tasks: taken together, with the numbers that each has by itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia import schema
from causalgia.posterior.error_covariance import noises_of

_TESTED = ("ace", "se", "p", "log_p", "lower", "upper", "df")


def table(n_tasks: int, n_contrasts: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        (f"t{i}", f"c{k}") for i in range(n_tasks) for k in rng.permutation(n_contrasts)
    ]
    frame = pd.DataFrame(rows, columns=["task", "contrast"])
    frame["motif"] = frame["contrast"] + " motif"
    frame["depth"] = rng.integers(1, 100, len(frame))
    frame["n_units"] = rng.integers(10, 99, len(frame))
    frame["df"] = frame["n_units"] - 1.0
    return frame.assign(
        effect=rng.normal(size=len(frame)), se=rng.uniform(0.1, 1, len(frame))
    )


def test_a_long_table_is_read_as_its_tasks_are(monkeypatch):
    frame, validated = table(40), []
    monkeypatch.setattr(
        schema,
        "validate",
        lambda found, kind, **_: validated.append(kind) or found,
    )
    found = cg.from_effects(frame)
    assert validated == ["estimates"]  # once, whatever the number of tasks
    assert found["task"].values.tolist() == [f"t{i}" for i in range(40)]
    for task, rows in frame.groupby("task"):
        one, part = cg.from_effects(rows.drop(columns="task")), found.sel(task=task)
        part = part.sel(contrast=one["contrast"])
        for name in (*_TESTED, "n_units", "depth", "motif"):
            assert np.array_equal(part[name].values, one[name].values.reshape(3)), name
    assert found["motif"].dims == ("contrast",)
    assert found["depth"].dims == found["n_units"].dims == ("contrast", "task")


def test_tasks_come_in_the_order_of_the_table():
    frame = table(12)
    backwards = pd.concat(
        [frame[frame["task"] == f"t{i}"] for i in reversed(range(12))]
    )
    assert cg.from_effects(backwards)["task"].values.tolist() == [
        f"t{i}" for i in reversed(range(12))
    ]


@pytest.mark.parametrize("with_covariance", [False, True])
def test_noise_of_all_tasks_is_the_noise_of_each(with_covariance):
    rng = np.random.default_rng(1)
    ice = rng.normal(size=(60, 4, 5)) + rng.normal(size=(60, 1, 5))
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)},
        coords={"contrast": list("abcd"), "task": list("vwxyz")},
    )
    estimates = cg.estimate(effects)
    if not with_covariance:
        estimates = estimates.drop_vars(["covariance", "factor"], errors="ignore")
    for task, noise in zip("vwxyz", noises_of(estimates, factors=4), strict=True):
        alone = noises_of(estimates.sel(task=[task]), factors=4)[0]
        np.testing.assert_allclose(noise.marginal, alone.marginal, rtol=1e-12)
        assert (
            (noise.loadings is None)
            == (alone.loadings is None)
            == (not with_covariance)
        )


def test_a_warning_counts_the_constant_tasks_and_names_few():
    n = 300
    constant = np.arange(1.0, n)
    network = cg.FunctionPredictor(
        lambda x: np.column_stack(
            [x[:, 0].sum(axis=1), np.tile(constant, (len(x), 1))]
        ),
        tasks=[f"track {k}" for k in range(n)],
    )
    design = cg.Design(
        null=cg.Uniform(length=40),
        arms={"p": cg.Placebo("AGATAAG", at=20), "w": cg.Embed("AAAAAAA", at=20)},
        n_units=30,
    )
    with pytest.warns(cg.errors.CausalgiaWarning):
        outcomes = cg.run(design, network, rng=0, progress=False)
    with pytest.warns(cg.errors.CausalgiaWarning) as said:
        cg.analyze(outcomes, control="p", rope="0.2 sd")
    texts = [str(one.message) for one in said]
    assert max(map(len, texts)) < 400
    assert any("299" in text for text in texts)
