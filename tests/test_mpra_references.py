"""Public verbs of the bench against R and other programs: one section for each folder
of tests/reference.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import special

import causalgia as cg

HERE = Path(__file__).parent / "reference"


def expected(case: str) -> Any:
    return json.loads((HERE / case / "expected.json").read_text())


# ---- ppi: ppi-python (weights that are given: test_reference_kernels.py)


@pytest.mark.parametrize("case", ["good", "poor", "skewed"])
def test_classical_means_are_those_of_ppi_python(case: str) -> None:
    d = pd.read_csv(HERE / "ppi" / "input.csv").query("case == @case")
    wanted, few = expected("ppi")["cases"][case]["classical"], d["y"].notna().to_numpy()
    names, dims = {"contrast": ["x"], "task": ["y"]}, ("unit", "contrast", "task")
    virtual, measured = (
        xr.Dataset(
            {"ice": (dims, values[:, None, None])}, {"unit": np.arange(len(d)), **names}
        )
        for values in (d["f"].to_numpy(), d["y"].to_numpy())
    )
    found = cg.mpra.prediction_powered(
        virtual, measured.isel(unit=few), trained_on_measured=False
    )
    n, half = few.sum(), (wanted["upper"] - wanted["lower"]) / 2
    assert found["classical_ace"].item() == pytest.approx(wanted["mean"], rel=1e-12)
    # theirs divides by n, not n - 1
    by_n = found["classical_se"].item() * np.sqrt((n - 1) / n)
    assert special.ndtri(0.975) * by_n == pytest.approx(half, rel=1e-12)


# ---- random_effects: metafor (what `average` does not say: test_reference_kernels.py)


@pytest.mark.parametrize(
    ("which", "file"),
    [("heterogeneous", "input"), ("homogeneous", "input_homogeneous")],
)
def test_averages_over_backgrounds(which: str, file: str) -> None:
    d = pd.read_csv(HERE / "random_effects" / f"{file}.csv")
    dims = ("element", "contrast")
    theirs = expected("random_effects")[which]["PM_knapp_hartung"]
    fitted = xr.Dataset(
        {
            "ace": (dims, d[["ace"]].to_numpy()),
            "se": (dims, np.sqrt(d[["variance"]].to_numpy())),
        },
        {"contrast": ["x"]},
    )
    found = cg.mpra.average(fitted, by=None, method="PM")
    for mine, other in (
        ("ace", "beta"),
        ("se", "se"),
        ("p", "p"),
        ("lower", "lower"),
        ("upper", "upper"),
    ):
        np.testing.assert_allclose(
            found[mine].item(),
            theirs[other],
            rtol=1e-6,
            atol=1e-12 if mine == "p" else 1e-9,
            err_msg=mine,
        )
    np.testing.assert_allclose(
        found["tau"].item() ** 2, theirs["tau2"], rtol=1e-6, atol=1e-9
    )
    assert found["df"].item() == theirs["df"]
