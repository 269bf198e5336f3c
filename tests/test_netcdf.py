"""Datasets on disk: a changed byte is found, and what is no netCDF file is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from causalgia import store
from causalgia.errors import DataError


def outcomes():
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), np.arange(12.0).reshape(2, 3, 2))},
        coords={"unit": [0, 1], "arm": ["a", "b", "c"], "task": ["x", "y"]},
        attrs={"scale": "log counts"},
    )


@pytest.fixture
def ours(tmp_path):
    return store.save(outcomes(), tmp_path / "ours.nc")


@pytest.fixture
def foreign(tmp_path):
    path = tmp_path / "foreign.nc"
    outcomes().to_netcdf(path, engine="h5netcdf")
    return path


def test_a_copy_is_still_ours_and_other_programs_read_it(ours, tmp_path):
    copy = Path(shutil.copy(ours, tmp_path / "copy.nc"))
    assert store.load(copy, "outcomes").identical(outcomes())
    assert xr.load_dataset(copy, engine="h5netcdf").identical(outcomes())
    with h5py.File(copy) as file:
        assert file["outcome"].shape == (2, 3, 2)


@pytest.mark.parametrize("place", [0, 0.01, 0.3, 0.6, 0.999])
def test_a_changed_byte_is_found(ours, place):
    data = bytearray(ours.read_bytes())
    data[int(place * (len(data) - store.SEAL))] ^= 1
    ours.write_bytes(data)
    with pytest.raises(
        DataError,
    ):
        store.load(ours, "outcomes")


def test_a_checksum_that_was_changed_is_damage_too(ours):
    data = bytearray(ours.read_bytes())
    data[-1] ^= 1
    ours.write_bytes(data)
    with pytest.raises(DataError):
        store.load(ours, "outcomes")


@pytest.mark.parametrize("padding", [b"\n", b"\0" * 4_096, b"\r\n"])
def test_a_copy_that_is_padded_is_still_under_its_checksum(ours, padding):
    data = ours.read_bytes()
    ours.write_bytes(data + padding)
    assert store.load(ours, "outcomes").identical(outcomes())
    at = data.index(np.arange(5.0, 8.0).tobytes())
    ours.write_bytes(
        data[:at] + np.arange(6.0, 9.0).tobytes() + data[at + 24 :] + padding
    )
    with pytest.raises(DataError):
        store.load(ours, "outcomes")


@pytest.mark.parametrize("lost", [1, 31, 32, 33, 42])
def test_a_file_whose_checksum_is_cut_is_damaged(ours, lost):
    ours.write_bytes(ours.read_bytes()[:-lost])
    with pytest.raises(DataError):
        store.load(ours, "outcomes")


def test_a_file_that_another_program_edits_is_foreign(ours):
    with h5py.File(ours, "r+") as file:
        file.attrs["scale"] = "other"
    assert store.load(ours, "outcomes").attrs["scale"] == "other"
    data = ours.read_bytes()
    assert b"causalgia blake2b" not in data[-store.SEAL :]


@pytest.mark.simulation
def test_a_foreign_file_is_read(foreign):
    assert store.load(foreign, "outcomes").identical(outcomes())


@pytest.mark.simulation
@pytest.mark.parametrize(
    "data",
    [b"", b"text", b"\x89HDF\r\n\x1a\n" + b"x" * 100, b"CDF\x01" + b"\xff" * 100],
)
def test_a_foreign_file_that_is_none_is_named(tmp_path, data):
    path = tmp_path / "x.nc"
    path.write_bytes(data)
    with pytest.raises(DataError):
        store.load(path, "outcomes")


def test_a_foreign_file_without_names_of_dims_is_read_without_a_warning_of_xarray(
    tmp_path,
):
    with h5py.File(tmp_path / "x.nc", "w") as file:
        file["x"] = np.zeros((2, 3))
    assert store.read_netcdf(tmp_path / "x.nc")["x"].shape == (2, 3)


@pytest.mark.parametrize(
    "names", [("x%41", "xA"), ("%75nit", "unit"), ("un%69t", "unit")]
)
def test_names_that_are_the_same_once_read_are_refused(tmp_path, names):
    """A name is stored in percent escapes, of which a file of ours has one form
    each.
    """
    one, other = names
    both = outcomes().assign(
        {
            one: ("q", [1.0, 2.0]),
            **({} if other == "unit" else {other: ("q", [3.0, 4.0])}),
        }
    )
    path = store.write_netcdf(
        tmp_path / "x.nc", lambda place: both.to_netcdf(place, engine="h5netcdf")
    )
    with pytest.raises(DataError):
        store.load(path, "outcomes")


def test_draws_are_written_under_a_checksum(tmp_path):
    tree = xr.DataTree.from_dict(
        {"posterior": xr.Dataset({"mu": ("draw", [1.0, 2.0])})}
    )
    path = store.write_netcdf(tmp_path / "posterior.nc", tree.to_netcdf)
    assert store.read_tree(path).identical(tree)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError):
        store.read_tree(path)
