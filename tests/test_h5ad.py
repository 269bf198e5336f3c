"""Estimates as AnnData files: the layout on disk that anndata 0.12.19 opened, wrote
again and selected from.

anndata itself takes pandas below 3 (0.12.19), and the tests run with the newest pandas;
so h5py reads the file here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import OutcomesError


@pytest.fixture(scope="module")
def estimates() -> xr.Dataset:
    arms = {
        "placebo": cg.Placebo("AGATAAG", at=96),
        "GATA1": cg.Embed("AGATAAG", at=96),
        "a/b": cg.Embed("TG", at=9),
    }
    design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=60)
    outcomes = cg.run(design, cg.zoo.oracle("gata1_like"), rng=7)
    found = cg.estimate(cg.contrast(outcomes, control="placebo"))
    return found.assign_coords(
        distance=("contrast", [4.0, np.nan]), cell=("task", ["blood", "liver"])
    )


def decoded(item: Any) -> Any:
    """Return what anndata's readers make of an element, by its declared encoding."""
    kind = item.attrs["encoding-type"]
    if kind == "dict":
        return {name: decoded(item[name]) for name in item}
    if kind == "dataframe":
        names = [item.attrs["_index"], *item.attrs["column-order"]]
        return {name: decoded(item[name]) for name in names}
    values = item[()]
    if kind == "string":
        return values.decode()
    if kind == "string-array":
        return [text.decode() for text in values]
    assert kind in ("array", "numeric-scalar"), kind
    return values


def test_every_number_has_its_place(estimates: xr.Dataset, tmp_path: Path) -> None:
    path = cg.store.save_h5ad(estimates, tmp_path / "x.h5ad")
    with h5py.File(path) as file:
        assert dict(file.attrs) == {
            "encoding-type": "anndata",
            "encoding-version": "0.1.0",
        }
        assert set(file) == {
            "X",
            "obs",
            "var",
            "layers",
            "obsm",
            "varm",
            "obsp",
            "varp",
            "uns",
        }
        np.testing.assert_array_equal(decoded(file["X"]), estimates["ace"])
        layers, obs, var = (decoded(file[name]) for name in ("layers", "obs", "var"))
        for name in ("se", "df", "p", "lower", "upper", "n_units", "exact"):
            np.testing.assert_array_equal(layers[name], estimates[name])
            assert layers[name].dtype == estimates[name].dtype
        assert obs["contrast"] == ["GATA1", "a/b"]
        assert obs["do"] == estimates["do"].values.tolist()
        np.testing.assert_array_equal(obs["distance"], [4.0, np.nan])
        assert var == {"task": ["K562", "HepG2"], "cell": ["blood", "liver"]}
        np.testing.assert_array_equal(
            decoded(file["obsm"])["weight"], estimates["weight"]
        )
        uns = decoded(file["uns"])
        assert uns["arms"] == ["placebo", "GATA1", "a/b"]
        assert uns["contrast_scale"] == estimates.attrs["contrast_scale"]
        assert uns["ci_prob"] == 0.95
        for name in ("obs", "var"):
            assert file[name].attrs["encoding-version"] == "0.2.0"


def test_verdicts_are_numbers_by_a_table(estimates: xr.Dataset, tmp_path: Path) -> None:
    decisions = cg.decide(estimates, rope=(-0.2, 0.2))
    with h5py.File(cg.store.save_h5ad(decisions, tmp_path / "x.h5ad")) as file:
        codes = decoded(file["uns"])["verdict_codes"]
        names = {int(code): name for name, code in codes.items()}
        found = [
            [names[code] for code in row]
            for row in decoded(file["layers"])["verdict"].tolist()
        ]
    assert found == decisions["verdict"].values.tolist()


def test_a_table_from_elsewhere_without_tasks_or_coordinates(tmp_path: Path) -> None:
    table = cg.from_effects([1.0, 2.0], se=[0.1, 0.2], names=["a", "b"])
    with h5py.File(cg.store.save_h5ad(table, tmp_path / "x.h5ad")) as file:
        assert decoded(file["X"]).shape == (2, 1)
        assert len(file["var"].attrs["column-order"]) == 0


def test_what_is_no_table_of_contrasts_and_tasks(
    estimates: xr.Dataset, tmp_path: Path
) -> None:
    both = xr.concat(
        [estimates, estimates],
        dim=xr.Variable("model", ["a", "b"]),
        data_vars=["ace", "se"],
    )
    both = both[["ace"]].transpose("contrast", "task", "model")
    with pytest.raises(OutcomesError, match=r"several predictors.* select one"):
        cg.store.save_h5ad(both, tmp_path / "x.h5ad")
    with pytest.raises(OutcomesError, match="estimates"):
        cg.store.save_h5ad(xr.Dataset({"x": 1.0}), tmp_path / "x.h5ad")
    with pytest.raises(OutcomesError, match="cannot be written"):
        cg.store.save_h5ad(estimates, tmp_path / "none" / "x.h5ad")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.assign_attrs(n=10**30), "attrs\\['n'\\] = 10+ is beyond 64 bits"),
        (lambda x: x.assign_attrs(n="\ud800"), "HDF5 cannot store a name or a value"),
        (lambda x: x.assign_attrs(n=[1]), "attrs\\['n'\\] is a list"),
        (
            lambda x: x.assign(verdict=x["verdict"].where(x["ace"] > 9, "enhances")),
            "verdict 'enhances' is not one of dec",
        ),
    ],
)
def test_what_hdf5_does_not_hold(
    estimates: xr.Dataset, tmp_path: Path, change: Any, message: str
) -> None:
    with pytest.raises(OutcomesError, match=rf"x\.h5ad: {message}"):
        cg.store.save_h5ad(
            change(cg.decide(estimates, rope=(-0.2, 0.2))), tmp_path / "x.h5ad"
        )
    assert list(tmp_path.iterdir()) == []
