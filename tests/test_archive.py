# Imports from the inside: the store, whose files are compared byte by byte.
"""The store of a trial: what is read back, what is refused, what is found damaged, and
what a full disk leaves.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
import zarr
from archive_trial import (
    CALL,
    ENDS,
    FIELDS,
    FRAME,
    IDENTITY,
    N,
    at_call,
    begun,
    carry_out,
    files,
    in_memory,
    quick_folder,
    values,
)

from causalgia.errors import FallbackWarning, StoreError
from causalgia.schema import annotate
from causalgia.trial.archive import Archive, Field, open_archive, verify
from causalgia.trial.archive.layout import CONTROL, Grid


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("finished") / "trial.zarr"
    carry_out(path)
    return path


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    """A finished store of one's own."""
    return Path(shutil.copytree(finished, tmp_path / "trial.zarr"))


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    with quick_folder(tmp_path) as folder:
        yield folder


# what is read back


def test_opened_is_identical_to_in_memory(finished):
    read = open_archive(finished)
    whole = in_memory()
    for field in FIELDS:
        assert dask.is_dask_collection(read[field.name].data)
    assert read["outcome"].chunksizes == {
        "unit": (8, 3),
        "arm": (2,),
        "task": (1,),
        "model": (1, 1),
    }
    loaded = read.load()
    xr.testing.assert_identical(loaded, whole)
    assert {n: v.dtype for n, v in loaded.variables.items()} == {
        n: v.dtype for n, v in whole.variables.items()
    }
    assert set(loaded.coords) == set(whole.coords)


def test_plain_zarr_and_xarray_read_it(finished):
    whole = in_memory()
    np.testing.assert_array_equal(zarr.open(finished)["outcome"][:], whole["outcome"])
    np.testing.assert_array_equal(zarr.open(finished)["unit"][:], np.arange(N))
    assert CONTROL in dict(zarr.open_group(finished, use_consolidated=False).members())
    plain = xr.open_zarr(finished).load()
    for name in ("outcome", "gc", "parent", "arm", "unit", "model", "random"):
        assert (
            plain[name].equals(whole[name].reset_coords(drop=True))
            or (plain[name].values == whole[name]).all()
        )
    assert plain.attrs == whole.attrs
    assert set(plain.coords) >= {
        "gc",
        "parent",
        "unit",
        "arm",
        "task",
        "model",
        "random",
    }


def test_any_order_and_any_number_of_sittings_give_the_same_files(finished, tmp_path):
    path = tmp_path / "trial.zarr"
    for turn in (2, 0, 1):
        with begun(path) as archive:
            assert turn in archive.missing
            archive.put(turn, values(turn, 1), model=1)
            assert archive.lacks(turn)
            assert archive.lacks(turn, model=0)
            assert not archive.lacks(turn, model=1)
        with begun(path, seconds=60.0) as archive:
            archive.put(turn, {"outcome": values(turn, 0)["outcome"]}, model=0)
            archive.put(turn, values(turn))
            assert turn not in archive.missing
    assert files(path) == files(finished)


def test_without_models_and_with_numbers_of_every_kind(tmp_path):
    path, n = tmp_path / "deep" / "trial.zarr", 5
    made = annotate(
        xr.Dataset(
            {"outcome": (("unit", "task"), np.arange(10.0).reshape(n, 2))},
            coords={
                "unit": np.arange(n),
                "flag": ("unit", np.arange(n) % 2 == 0),
                "block": ("unit", np.arange(n, dtype=np.int16)),
                "level": ("task", np.array([1, 2], np.uint32)),
                "zero": 3.5,
            },
        )
    )
    fields = [
        Field(str(name), tuple(map(str, v.dims)), v.shape[1:], v.dtype.str)
        for name, v in made.variables.items()
        if "unit" in v.dims and name != "unit"
    ]
    call = CALL | {
        "fields": fields,
        "turn_ends": [2, 4, 5],
        "turns_a_chunk": 1,
        "frame": made.drop_dims("unit"),
    }
    with Archive.create(path, **call) as archive:
        for turn, (start, stop) in enumerate([(0, 2), (2, 4), (4, 5)]):
            archive.put(
                turn, {f.name: made[f.name].to_numpy()[start:stop] for f in fields}
            )
    found = open_archive(path).load()
    xr.testing.assert_identical(found, made)
    assert all(found[name].dtype == made[name].dtype for name in made.variables)


def test_nothing_grows_with_the_number_of_chunks_that_are_done(tmp_path):
    ends = range(2, 802, 2)
    with Archive.create(tmp_path / "a.zarr", **CALL | {"turn_ends": ends}) as archive:
        for turn in range(len(ends)):
            part = {f.name: np.zeros((2, *f.shape), f.dtype) for f in FIELDS}
            archive.put(turn, part)
            assert len(archive._open) <= 3 * (4 + 1)
    assert open_archive(tmp_path / "a.zarr").sizes["unit"] == 800


# damage

DAMAGES = {
    "flipped": lambda data: bytes(
        [*data[: len(data) // 2], data[len(data) // 2] ^ 4, *data[len(data) // 2 + 1 :]]
    ),
    "cut": lambda data: data[:-3],
    "emptied": lambda data: b"",
    "longer": lambda data: data + b"\0",
}


def damage(file: Path, how: str) -> None:
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(DAMAGES[how](file.read_bytes()))


@pytest.mark.simulation
@pytest.mark.parametrize("how", [*DAMAGES, "gone"])
def test_every_file_that_is_damaged_is_found_named_and_made_again(store, finished, how):
    whole = files(finished)
    for name in [name for name, data in whole.items() if data]:
        damage(store / name, how)
        if name != f"{CONTROL}/log":
            assert any(name == hurt for hurt in verify(store)), name
            with pytest.warns(FallbackWarning):
                carry_out(store)
        elif how == "longer":
            carry_out(store)  # a torn line: nothing was lost
        else:
            with pytest.warns(FallbackWarning):
                carry_out(store)
        assert files(store) == whole, name
    assert verify(store) == ()


def test_damage_costs_the_units_of_its_files_and_no_more(store):
    damage(store / "outcome/c/0/0/0/1", "flipped")
    with pytest.warns(FallbackWarning):
        archive = begun(store)
    with archive:
        assert archive.missing == (0, 1)
        assert archive.lacks(0, model=1)
        assert not archive.lacks(0, model=0)


def test_a_flipped_bit_in_a_finished_store_is_no_number(store):
    damage(store / "outcome/c/0/0/0/1", "flipped")
    with pytest.raises(StoreError):
        open_archive(store).load()
    with pytest.raises(ValueError, match="checksum"):
        xr.open_zarr(store).load()


@pytest.mark.parametrize("how", ["cut", "gone", "longer"])
def test_opening_refuses_files_of_another_length(store, how):
    damage(store / "gc/c/1", how)
    with pytest.raises(StoreError):
        open_archive(store)


def test_a_manifest_that_is_damaged_twice_is_refused(store):
    for name in ("manifest.json", "copy"):
        damage(store / CONTROL / name, "cut")
    with pytest.raises(StoreError):
        begun(store)
    with pytest.raises(StoreError):
        open_archive(store)


def test_a_file_and_its_copy_damaged_are_refused(store):
    damage(store / "arm/zarr.json", "cut")
    damage(store / CONTROL / "copy", "cut")
    with pytest.raises(StoreError):
        begun(store)


def test_a_folder_in_the_place_of_a_file_is_refused_by_open_and_run_until_it_is_moved_away(
    store, finished
):
    whole = files(finished)
    for name, data in whole.items():
        (store / name).unlink()
        (store / name).mkdir()
        (store / name / "mine").write_text("mine")
        for call in (open_archive, begun):
            if call is begun or not name.endswith("/lock"):
                with pytest.raises(StoreError):
                    call(store)
        assert (store / name / "mine").read_text() == "mine"
        shutil.rmtree(store / name)
        if name.startswith(CONTROL) and name.endswith(("log", "lock")):
            (store / name).write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FallbackWarning)
            carry_out(store)
        assert files(store) == whole, name


def test_a_torn_line_of_the_log_is_no_damage(store, finished):
    log = store / CONTROL / "log"
    log.write_bytes(log.read_bytes() + b"\n114:77ab {torn")
    with begun(store) as archive:
        assert archive.missing == ()
    assert files(store) == files(finished)


# what is refused


@pytest.mark.parametrize("name", ["design", "predictor", "seed"])
def test_another_trial_is_refused_by_name_and_left_alone(store, finished, name):
    with pytest.raises(
        StoreError,
    ):
        Archive.resume(store, identity=IDENTITY | {name: "new"})
    with pytest.raises(StoreError):
        Archive.resume(store, identity=IDENTITY | {"keep": "effects"})
    assert files(store) == files(finished)


def test_another_version_is_refused_and_left_alone(store):
    manifest = store / CONTROL / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 99}))
    before = files(store)
    for call in (begun, open_archive, verify):
        with pytest.raises(StoreError):
            call(store)
    assert files(store) == before


def test_what_is_no_store_is_refused_and_left_alone(tmp_path):
    file, folder, other = (
        tmp_path / "file",
        tmp_path / "folder",
        tmp_path / "other.zarr",
    )
    file.write_text("mine")
    folder.mkdir()
    (folder / "thesis.tex").write_text("mine")
    zarr.create_group(other)
    before = files(tmp_path)
    for path in (file, folder, other):
        for call in (Archive.exists, lambda path: Archive.create(path, **CALL)):
            with pytest.raises(StoreError):
                call(path)
        with pytest.raises(StoreError):
            open_archive(path)
    with pytest.raises(StoreError):
        Archive.exists(file / "other.zarr")
    assert files(tmp_path) == before


def test_an_empty_folder_is_a_place(tmp_path):
    assert not Archive.exists(tmp_path)
    carry_out(tmp_path)
    assert Archive.exists(tmp_path)


def test_a_store_is_created_once(store):
    with pytest.raises(StoreError):
        Archive.create(store, **CALL)


def test_an_unfinished_store_is_not_opened(tmp_path):
    with begun(tmp_path / "a.zarr") as archive:
        archive.put(1, values(1))
        archive.put(2, values(2, 0), model=0)
    with pytest.raises(StoreError):
        open_archive(tmp_path / "a.zarr")


def test_one_writer_at_a_time(tmp_path):
    with (
        begun(tmp_path / "a.zarr"),
        pytest.raises(StoreError),
    ):
        begun(tmp_path / "a.zarr")
    begun(tmp_path / "a.zarr").close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcome": np.zeros((4, 2, 1, 2))},
        {"outcome": np.zeros((4, 1, 2, 2), np.float32)},
        {"outcome": np.zeros((3, 2, 1, 2), np.float32)},
        {"parent": np.array(["a" * 8] * 4)},
    ],
)
def test_values_that_do_not_fit_are_refused(tmp_path, wrong):
    archive = begun(tmp_path / "a.zarr")
    with pytest.raises(StoreError), archive:
        archive.put(0, values(0) | wrong)
    with begun(tmp_path / "a.zarr") as archive:
        assert 0 in archive.missing
        with pytest.raises(StoreError):
            archive.put(0, {"outcome": values(0)["outcome"], "gc": values(0)["gc"]})


@pytest.mark.parametrize(
    "changed",
    [
        {"turn_ends": [4, 8, 11, 15, 17, 30]},
        {"turn_ends": [4, 4]},
        {"turn_ends": []},
        {"turns_a_chunk": 0},
        {"frame": FRAME.assign_attrs(run={"a": 1})},
        {"frame": FRAME.assign_coords(when=np.datetime64("2026-01-01"))},
        {"frame": FRAME.assign_coords({"zarr.json": 1})},
    ],
)
def test_plans_and_frames_that_cannot_be_stored_are_refused_before_anything_is_written(
    tmp_path, changed
):
    path = tmp_path / "a.zarr"
    with pytest.raises(StoreError):
        Archive.create(path, **CALL | changed)
    assert not path.exists()


def test_fields_of_different_numbers_of_models_are_refused():
    with pytest.raises(StoreError):
        Grid((*FIELDS, replace(FIELDS[0], name="other", shape=(2, 1, 3))), ENDS, 2)


# full and closed disks


def interrupt(path: Path, committed: set[int]) -> None:
    """Carry out a trial until the disk refuses, and add the turns that were
    committed.
    """
    with suppress(StoreError), begun(path) as archive:
        for turn in archive.missing:
            archive.put(turn, values(turn))
            committed.add(turn)


@pytest.mark.simulation
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_whatever_call_the_disk_refuses_all_that_was_committed_stays(
    quick, finished, code
):
    def refuse(do: object, args: object) -> None:
        raise OSError(code, os.strerror(code))

    whole, stop, refused = files(finished), 0, True
    while refused:
        path, committed = quick / f"{stop}.zarr", set[int]()
        with at_call(stop, refuse) as seen:
            interrupt(path, committed)
        refused = len(seen) > stop
        with begun(path) as archive:
            assert not committed & set(archive.missing)
        carry_out(path)
        assert files(path) == whole, stop
        stop += 1 if code == errno.ENOSPC else 13
    assert stop > 90


def test_a_commit_that_failed_is_tried_again_by_the_same_process(tmp_path, finished):
    def refuse(do: object, args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    archive = begun(tmp_path / "a.zarr", seconds=60.0)
    archive.put(0, values(0))
    for stop in range(0, 12, 3):
        with at_call(stop, refuse), pytest.raises(StoreError):
            archive.flush()
    archive.put(1, values(1))
    archive.put(2, values(2))
    archive.close()
    assert files(tmp_path / "a.zarr") == files(finished)


FULL = """
import resource, sys
sys.path.insert(0, {tests!r})
import archive_trial
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
archive_trial.carry_out(__import__("pathlib").Path({path!r}))
"""


def test_a_file_that_may_not_grow_is_an_error_that_says_so_and_the_store_goes_on(
    tmp_path, finished
):
    path = tmp_path / "a.zarr"
    with begun(path) as archive:
        archive.put(0, values(0))
    limit = (path / CONTROL / "log").stat().st_size + 100
    code = FULL.format(tests=str(Path(__file__).parent), limit=limit, path=str(path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != limit
    with begun(path) as archive:
        assert 0 not in archive.missing
    carry_out(path)
    assert files(path) == files(finished)


@pytest.fixture
def anybody() -> Iterator[None]:
    """Be a user to whom things can be closed; root is nobody meanwhile."""
    root = os.geteuid() == 0
    if root:
        os.setresuid(65_534, 65_534, 0)
    yield
    if root:
        os.setresuid(0, 0, 0)


def test_what_is_closed_is_read_but_not_written(quick, finished, request):
    shutil.copytree(finished, quick / "done.zarr")
    # what is loaded on first use may lie where only root reads
    assert open_archive(quick / "done.zarr").load().identical(in_memory())
    assert verify(quick / "done.zarr") == ()
    for folder in (quick, *(folder for folder in quick.rglob("*") if folder.is_dir())):
        folder.chmod(0o555)
    request.getfixturevalue("anybody")
    for call in (Archive.exists, lambda path: Archive.create(path, **CALL)):
        with pytest.raises(
            StoreError,
        ):
            call(quick / "new.zarr")
    assert open_archive(quick / "done.zarr").load().identical(in_memory())
    assert verify(quick / "done.zarr") == ()


# running sums


def sums(turns: int) -> dict[str, np.ndarray]:
    return {"mean": np.arange(3.0) * turns, "name": np.array(["a", "bé"])}


def summed(path: Path) -> Archive:
    if Archive.exists(path):
        return Archive.resume(path, identity=IDENTITY)
    return Archive.create(path, **CALL | {"fields": ()})


def test_sums_are_kept_in_two_generations(tmp_path):
    path = tmp_path / "a.zarr"
    with summed(path) as archive:
        assert archive.state() is None
        archive.put_state(sums(1), turns=1)
        older = {file: file.read_bytes() for file in (path / CONTROL).glob("state-*")}
        archive.put_state(sums(2), turns=2)
        (newest,) = (
            file
            for file in (path / CONTROL).glob("state-*")
            if older.get(file) != file.read_bytes()
        )
    with summed(path) as archive:
        turns, found = archive.state()
    assert turns == 2
    assert {name: values.tolist() for name, values in found.items()} == {
        name: values.tolist() for name, values in sums(2).items()
    }
    damage(newest, "flipped")
    with summed(path) as archive:
        with pytest.warns(FallbackWarning):
            turns, found = archive.state()
        assert turns == 1
        archive.put_state(sums(2), turns=2)
        assert archive.state()[0] == 2
        archive.put_state(sums(3), turns=3)
    assert len({file.read_bytes() for file in (path / CONTROL).glob("state-*")}) == 1


@pytest.mark.parametrize("how", [*DAMAGES, "gone"])
def test_sums_that_are_damaged_twice_are_none(tmp_path, how):
    path = tmp_path / "a.zarr"
    with summed(path) as archive:
        archive.put_state(sums(1), turns=1)
        archive.put_state(sums(2), turns=2)
        for file in (path / CONTROL).glob("state-*"):
            damage(file, how)
        if how == "gone":
            assert archive.state() is None
        else:
            with pytest.warns(FallbackWarning):
                assert archive.state() is None
