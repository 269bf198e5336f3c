# Imports from the inside: the design that is kept with outcomes.
"""Datasets on disk come back as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings, strategies as st

import causalgia as cg
from causalgia import store
from causalgia.errors import DataError
from causalgia.schema import validate
from causalgia.trial.attributes import load_design

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Cs",)),
    max_size=8,
)


def outcomes(**attrs):
    return xr.Dataset(
        {
            "outcome": (
                ("unit", "arm", "task"),
                np.arange(12.0).reshape(2, 3, 2).astype(np.float32),
            )
        },
        coords={
            "unit": [0, 1],
            "arm": ["untreated", "α / β", "GATA1 x2"],
            "task": ["K562", "HepG2"],
            "parent": ("unit", ["chr1:5-9", "chr2:7-11"]),
            "random": ("arm", [False, True, False]),
            "spacing (bp)": ("arm", [np.nan, 10.0, 20.0]),
            "side/strand": ("arm", ["", "+", "-"]),
        },
        attrs=attrs,
    )


def assert_same(read, wrote):
    xr.testing.assert_identical(read, wrote)
    for name in wrote.variables:
        assert read[name].dtype == wrote[name].dtype, name
    assert {k: type(v) for k, v in read.attrs.items()} == {
        k: type(v) for k, v in wrote.attrs.items()
    }


def test_round_trip_is_exact(tmp_path):
    wrote = outcomes(scale="log counts", null="−", n=3, ci_prob=0.95, empty="")
    assert_same(store.load(store.save(wrote, tmp_path / "o.nc"), "outcomes"), wrote)
    assert [path.name for path in tmp_path.iterdir()] == ["o.nc"]


def test_a_trial_and_its_estimates_round_trip(tmp_path):
    design = cg.Design(
        null=cg.Uniform(length=60),
        arms=[
            cg.Arm("a", cg.Untreated(), {"dose": 0, "on": False}),
            cg.Arm("b", cg.Placebo("GATA", at=9), {"dose": 2}),
        ],
        n_units=12,
        assignment="parallel",
    )
    trial = cg.run(design, cg.zoo.oracle("gata1_like"), rng=0)
    estimates = cg.estimate(cg.contrast(trial, control="a"))
    assert_same(store.load(store.save(trial, tmp_path / "o.nc"), "outcomes"), trial)
    assert_same(
        store.load(store.save(estimates, tmp_path / "e.nc"), "estimates"), estimates
    )


def test_a_stopped_trial_with_a_long_design_round_trips(tmp_path):
    arms = {"none": cg.Untreated()} | {
        f"word {i}": cg.Embed("GATAAG" * 10, at=i) for i in range(600)
    }
    design = cg.Design(null=cg.Uniform(length=700), arms=arms, n_units=100)
    share = cg.FunctionPredictor(
        lambda x: x[:, 1:3].sum((1, 2)) / 700, tasks=["GC"], scale="share"
    )
    until = cg.Decided(rope=(-1, 1), min_clusters=100, control="none")
    trial = cg.run(design, share, rng=0, until=until, progress=False)
    assert trial["design"].dims == ("byte",)
    assert "design" not in trial.attrs
    for name in (
        "design",
        "look_n_units",
        "look_n_clusters",
        "look_lower",
        "look_upper",
    ):
        assert trial[name].attrs["meaning"]
    read = store.load(store.save(trial, tmp_path / "o.nc"), "outcomes")
    assert_same(read, trial)
    assert load_design(read) == design
    worse = trial.assign(look_lower=trial["look_lower"] * np.nan)
    with pytest.raises(DataError):
        store.save(worse, tmp_path / "w.nc") and store.load(
            tmp_path / "w.nc", "outcomes"
        )
    with pytest.raises(DataError):
        validate(
            trial.drop_vars("design").assign(design=("unit", np.zeros(100, np.uint8))),
            "outcomes",
        )


@settings(max_examples=settings.default.max_examples // 3)
@given(
    names=st.lists(
        TEXT.filter(lambda s: not s.endswith("\0")), min_size=2, max_size=4, unique=True
    ),
    values=st.lists(
        st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2
    ),
    text=TEXT,
)
def test_any_names_and_numbers_round_trip(tmp_path_factory, names, values, text):
    table = np.array([values] * len(names)).T
    wrote = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), table[..., None])},
        coords={"unit": [0, 1], "arm": names, "task": ["t"]},
        attrs={"scale": text},
    )
    path = tmp_path_factory.mktemp("any") / "o.nc"
    assert_same(store.load(store.save(wrote, path), "outcomes"), wrote)


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = store.save(outcomes(), tmp_path / "o.nc")

    def broken(self, target):  # which was begun when the file was opened
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "dump_to_store", broken)
    with pytest.raises(DataError):
        store.save(outcomes(), path)
    monkeypatch.undo()
    assert_same(store.load(path, "outcomes"), outcomes())
    assert [found.name for found in tmp_path.iterdir()] == ["o.nc"]


@pytest.mark.parametrize("value", [True, None, [1, 2], {"a": 1}])
def test_an_attribute_that_would_not_come_back_is_refused(tmp_path, value):
    with pytest.raises(DataError):
        store.save(outcomes(odd=value), tmp_path / "o.nc")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("lazy", [False, True])
def test_a_file_holds_what_xarray_writes_in_the_same_bytes_each_time(tmp_path, lazy):
    # names that xarray does not write
    plain = outcomes(scale="log counts").drop_vars(["spacing (bp)", "side/strand"])
    one = plain["outcome"].variable  # dask writes several in any order
    dataset = plain.assign(outcome=one.chunk({"unit": 1})) if lazy else plain
    for name in ("o.nc", "again.nc"):
        store.save(dataset, tmp_path / name)
    dataset.to_netcdf(tmp_path / "x.nc", engine="h5netcdf", format="NETCDF4")
    kept = [xr.load_dataset(tmp_path / n, engine="h5netcdf") for n in ("o.nc", "x.nc")]
    assert kept[0].identical(kept[1])
    assert (tmp_path / "o.nc").read_bytes() == (tmp_path / "again.nc").read_bytes()


@pytest.mark.parametrize(
    "odd",
    [
        xr.Dataset({"": ("x", [1.0])}),
        xr.Dataset({"a": ("x", [1.0])}, attrs={"": "nameless"}),
        xr.Dataset({"a": ("x", [1.0], {"k": object()})}),
        xr.Dataset({"a": ("x", [1.0], {"k": True})}),
        xr.Dataset({"a": ("x", [1.0], {3: "k"})}),
        xr.Dataset({"a": ("x", np.array([object()]))}),
        xr.Dataset({"a": ("x", [1.0], {"k": True})}).chunk(),
    ],
)
def test_what_netcdf_cannot_hold_is_refused_by_the_name_of_the_file(tmp_path, odd):
    with pytest.raises(DataError):
        store.save(odd, tmp_path / "o.nc")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["file/x.nc", "x" * 300 + ".nc", "a\0b.nc", ".", ""])
def test_a_path_where_no_file_can_be_is_a_typed_error(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError):
        store.write_netcdf(Path(name), lambda file: file.write(b""))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
