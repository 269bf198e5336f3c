"""No damaged netCDF file, and none that reaches into other files, gets to HDF5 in our
process.
"""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from causalgia import store
from causalgia.errors import OutcomesError

ENDLESS = Path(__file__).parent / "reference" / "hdf5" / "endless.nc.gz"


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


@pytest.fixture
def no_hdf5(ours, monkeypatch):
    """Nothing of HDF5 may be called in this process."""

    def called(*_, **__):
        raise AssertionError("HDF5 was called")

    monkeypatch.setattr(h5py, "File", called)
    monkeypatch.setattr(xr, "load_dataset", called)
    monkeypatch.setattr(xr, "load_datatree", called)


def test_a_copy_is_still_ours_and_other_programs_read_it(ours, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_read_in_child", None)
    copy = Path(shutil.copy(ours, tmp_path / "copy.nc"))
    assert store.load(copy, "outcomes").identical(outcomes())
    assert xr.load_dataset(copy, engine="h5netcdf").identical(outcomes())
    with h5py.File(copy) as file:
        assert file["outcome"].shape == (2, 3, 2)


@pytest.mark.parametrize("place", [0, 0.01, 0.3, 0.6, 0.999])
@pytest.mark.usefixtures("no_hdf5")
def test_a_changed_byte_is_found_before_hdf5_sees_it(ours, place):
    data = bytearray(ours.read_bytes())
    data[int(place * (len(data) - store.SEAL))] ^= 1
    ours.write_bytes(data)
    with pytest.raises(
        OutcomesError,
        match=r"ours\.nc: damaged: its bytes are not those that were written",
    ):
        store.load(ours, "outcomes")


@pytest.mark.usefixtures("no_hdf5")
def test_a_checksum_that_was_changed_is_damage_too(ours):
    data = bytearray(ours.read_bytes())
    data[-1] ^= 1
    ours.write_bytes(data)
    with pytest.raises(OutcomesError, match="damaged"):
        store.load(ours, "outcomes")


@pytest.mark.parametrize("padding", [b"\n", b"\0" * 4_096, b"\r\n"])
def test_a_copy_that_is_padded_is_still_under_its_checksum(ours, monkeypatch, padding):
    monkeypatch.setattr(store, "_read_in_child", None)
    data = ours.read_bytes()
    ours.write_bytes(data + padding)
    assert store.load(ours, "outcomes").identical(outcomes())
    at = data.index(np.arange(5.0, 8.0).tobytes())
    ours.write_bytes(
        data[:at] + np.arange(6.0, 9.0).tobytes() + data[at + 24 :] + padding
    )
    with pytest.raises(OutcomesError, match="damaged: its bytes"):
        store.load(ours, "outcomes")


@pytest.mark.parametrize("lost", [1, 31, 32, 33, 42])
@pytest.mark.usefixtures("no_hdf5")
def test_a_file_whose_checksum_is_cut_is_damaged(ours, lost):
    ours.write_bytes(ours.read_bytes()[:-lost])
    with pytest.raises(OutcomesError, match="damaged: its bytes"):
        store.load(ours, "outcomes")


@pytest.mark.rotating(6)
def test_a_file_that_another_program_edits_is_foreign(ours):
    with h5py.File(ours, "r+") as file:
        file.attrs["scale"] = "other"
    assert store.load(ours, "outcomes").attrs["scale"] == "other"
    data = ours.read_bytes()
    assert b"causalgia blake2b" not in data[-store.SEAL :]


@pytest.mark.rotating
def test_a_foreign_file_is_read(foreign):
    assert store.load(foreign, "outcomes").identical(outcomes())


@pytest.mark.rotating
@pytest.mark.usefixtures("no_hdf5")
@pytest.mark.parametrize(
    "data",
    [b"", b"text", b"\x89HDF\r\n\x1a\n" + b"x" * 100, b"CDF\x01" + b"\xff" * 100],
)
def test_a_foreign_file_that_is_none_is_found_in_the_child(tmp_path, data):
    path = tmp_path / "x.nc"
    path.write_bytes(data)
    with pytest.raises(OutcomesError, match=r"x\.nc: (damaged or )?no netCDF file"):
        store.load(path, "outcomes")


@pytest.mark.rotating
@pytest.mark.once
@pytest.mark.usefixtures("no_hdf5")
def test_a_file_that_keeps_hdf5_busy_for_ever_is_given_up(tmp_path, monkeypatch):
    path = tmp_path / "endless.nc"
    path.write_bytes(gzip.decompress(ENDLESS.read_bytes()))
    with pytest.raises(
        OutcomesError,
        match=(
            r"endless\.nc: damaged, or on a disk|endless\.nc: damaged: it was not read "
            r"in 10 s"
        ),
    ):
        store.load(path, "outcomes")


def external_link(file, tmp_path):
    file["extra"] = h5py.ExternalLink(str(tmp_path / "secret.nc"), "/outcome")


def soft_link(file, tmp_path):
    file["extra"] = h5py.SoftLink("/outcome")


def external_storage(file, tmp_path):
    (tmp_path / "secret").write_bytes(b"12345678" * 4)
    file.create_dataset(
        "extra", (4,), "f8", external=[(str(tmp_path / "secret"), 0, 32)]
    )


def virtual(file, tmp_path):
    layout = h5py.VirtualLayout((2, 3, 2), "f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "secret.nc"), "outcome", (2, 3, 2))
    file.create_virtual_dataset("extra", layout)


def vast(file, tmp_path):
    file.create_dataset("extra", (10**12,), "f8", chunks=(1_000,))


def circle(file, tmp_path):
    file.create_group("group")["group"] = file["/"]


REACHING = {
    external_link: "'extra' is a link to another place",
    soft_link: "'extra' is a link to another place",
    external_storage: "the values of '/extra' are in other files",
    virtual: "the values of '/extra' are in other files",
    vast: "declares arrays of 8,000,000,000,... bytes",
    circle: "contains itself",
}


@pytest.mark.rotating(6)
@pytest.mark.parametrize("sealed", [False, True], ids=["foreign", "under a checksum"])
@pytest.mark.parametrize("change", REACHING)
def test_files_that_reach_into_others_are_refused(foreign, tmp_path, change, sealed):
    shutil.copy(foreign, tmp_path / "secret.nc")
    with h5py.File(foreign, "r+") as file:
        change(file, tmp_path)
    path = foreign
    if sealed:  # a checksum is no sign of good will
        path = store.write_netcdf(
            tmp_path / "sealed.nc", lambda place: shutil.copy(foreign, place)
        )
    with pytest.raises(OutcomesError, match=REACHING[change]):
        store.read_netcdf(path)
    with pytest.raises(OutcomesError, match=REACHING[change]):
        store.read_tree(path)


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
    with pytest.raises(
        OutcomesError,
        match=rf"x\.nc: two variables or dims are both named '{other}'; rename one",
    ):
        store.load(path, "outcomes")


def test_draws_are_written_under_a_checksum(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_read_in_child", None)
    tree = xr.DataTree.from_dict(
        {"posterior": xr.Dataset({"mu": ("draw", [1.0, 2.0])})}
    )
    path = store.write_netcdf(tmp_path / "posterior.nc", tree.to_netcdf)
    assert store.read_tree(path).identical(tree)
    path.write_bytes(path.read_bytes()[:-100])
    monkeypatch.undo()
    with pytest.raises(OutcomesError, match="damaged"):
        store.read_tree(path)


def test_a_pipe_is_refused_and_stays(tmp_path):
    os.mkfifo(tmp_path / "estimates.nc")
    with pytest.raises(OutcomesError, match="a pipe or a device"):
        store.save(xr.Dataset({"ace": ("contrast", [1.5])}), tmp_path / "estimates.nc")
    assert (tmp_path / "estimates.nc").is_fifo()
