"""Draws and log likelihoods of `infer` are made when they are read, and are the same
however they are read.
"""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.posterior import as_arviz, to_pymc


def table(n: int, se: float | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(n)
    each = rng.uniform(0.2, 0.5, n) if se is None else np.full(n, se)
    effect = np.where(rng.random(n) < 0.2, 2, 0.3) * rng.normal(size=n)
    return pd.DataFrame(
        {"effect": effect, "se": each}, index=[f"m{i}" for i in range(n)]
    )


def inferred(**how: Any) -> Any:
    return cg.infer(table(20), n_draws=400, rng=3, **how)


def numbers(tree: Any) -> list[np.ndarray]:
    return [tree["posterior"]["ace"].values, tree["log_likelihood"]["effect"].values]


@pytest.mark.parametrize("prior", [None, cg.Prior(mu_sd=2, tau_scale=1)])
def test_the_order_of_reading_changes_nothing(prior: Any, tmp_path: Path) -> None:
    whole = inferred(prior=prior)
    unread = [
        pickle.loads(pickle.dumps(whole)),
        copy.deepcopy(whole),
        whole.copy(deep=True),
    ]
    assert not whole["posterior"]["ace"].variable._in_memory
    known = numbers(whole)
    other = inferred(prior=prior)
    one = other["posterior"]["ace"].sel(contrast="m3")  # a part first, then the rest
    np.testing.assert_array_equal(one, known[0][:, :, 3])
    inferred(prior=prior).to_netcdf(tmp_path / "unread.nc")
    with xr.open_datatree(tmp_path / "unread.nc") as file:
        unread.append(file.load())
    for each in [*unread, whole, pickle.loads(pickle.dumps(whole)), other]:
        for a, b in zip(numbers(each), known, strict=True):
            np.testing.assert_array_equal(a, b)


def test_numbers_of_a_copy_are_its_own() -> None:
    whole = inferred()
    copied = copy.deepcopy(whole)
    known = copied["posterior"]["ace"].values.copy()
    whole["posterior"]["ace"][{"contrast": [1, 2]}] = 0.0
    whole["posterior"]["ace"].values[:] = 0.0
    np.testing.assert_array_equal(copied["posterior"]["ace"], known)


@pytest.mark.filterwarnings("ignore:no estimate")
def test_left_out_effects_are_no_observations() -> None:
    given = table(14)
    given.loc["m3", "se"] = 0.0
    found = cg.infer(given, n_draws=40, rng=1)
    likelihood = found["log_likelihood"]["effect"]
    assert likelihood.dims == ("chain", "draw", "observation")
    assert "m3" not in likelihood["contrast"]
    assert likelihood.notnull().all()
    assert np.isnan(found["posterior"]["ace"].sel(contrast="m3")).all()


def test_arviz_takes_the_result_as_the_page_says() -> None:
    az = pytest.importorskip("arviz")
    given = as_arviz(inferred())
    assert len(az.summary(given, var_names=["ace"])) == 20
    az.plot_forest(given, var_names=["ace"])
    found = az.loo(given)
    assert np.isfinite(getattr(found, "elpd_loo", None) or found.elpd)


@pytest.mark.filterwarnings("ignore:PyTensor could not link", "ignore:Only one chain")
def test_a_model_of_equal_errors_is_sampled_in_silence(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    import pymc as pm

    pm.sample(
        20,
        tune=20,
        chains=1,
        cores=1,
        model=to_pymc(table(14, se=0.5)),
        random_seed=1,
        progressbar=False,
        compute_convergence_checks=False,
    )
    said = caplog.text + capfd.readouterr().err
    assert not [
        word for word in ("Traceback", "BUG", "Rewrite failure") if word in said
    ]
