# Imports from the inside: the store, turn by turn, with turns of four units.
"""The store of a trial: what is read back, what is refused, what is found damaged, what
a full disk and a kill leave.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
import zarr
from archive_trial import (
    CALL,
    FIELDS,
    FRAME,
    IDENTITY,
    N,
    begun,
    carry_out,
    files,
    in_memory,
    quick_folder,
    values,
)

from causalgia.errors import FallbackWarning, StoreError
from causalgia.schema import annotate
from causalgia.trial.archive import Archive, Field, OtherTrialError, open_archive
from causalgia.trial.turn_plan import TurnPlan


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


def is_whole(path: Path) -> bool:
    return open_archive(path).load().identical(in_memory())


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
    plain = xr.open_zarr(finished, consolidated=False).load()
    for name in ("outcome", "gc", "parent", "arm", "model", "random"):
        assert (plain[name].values == whole[name].values).all()
    assert plain["done"].all()
    assert whole.attrs.items() <= plain.attrs.items()
    assert set(plain.coords) >= {"gc", "parent", "arm", "task", "model", "random"}


def test_any_order_and_any_number_of_sittings_give_the_same_values(tmp_path):
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
    assert is_whole(path)


def test_without_models_and_with_numbers_of_every_kind(tmp_path):
    path, n = tmp_path / "deep" / "trial.zarr", 5
    made = annotate(
        xr.Dataset(
            {"outcome": (("unit", "task"), np.zeros((n, 2)))},
            coords={
                "unit": np.arange(n),
                "flag": ("unit", np.zeros(n, bool)),
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
    plan = TurnPlan(n, turn=2, chunk=1)
    call = {"fields": fields, "plan": plan, "frame": made.drop_dims("unit")}
    with Archive.create(path, **CALL | call) as archive:
        for turn in range(3):
            rows = slice(*plan.bounds(turn))
            archive.put(turn, {f.name: made[f.name].to_numpy()[rows] for f in fields})
    with Archive.resume(path, identity=IDENTITY) as archive:
        assert archive.missing == ()
    found = open_archive(path).load()
    xr.testing.assert_identical(found, made)
    assert all(found[name].dtype == made[name].dtype for name in made.variables)


def test_nothing_grows_with_the_number_of_chunks_that_are_done(tmp_path):
    plan = TurnPlan(800, turn=2, chunk=2)
    with Archive.create(tmp_path / "a.zarr", **CALL | {"plan": plan}) as archive:
        for turn in range(len(plan)):
            part = {f.name: np.zeros((2, *f.shape), f.dtype) for f in FIELDS}
            archive.put(turn, part)
            assert len(archive._open) <= 3
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


GROWING = ("outcome/c", "gc/c", "parent/c", "done/c")


@pytest.mark.parametrize("how", [*DAMAGES, "gone"])
def test_every_damaged_file_is_made_again_or_refused_and_never_believed(store, how):
    whole = files(store)
    for name in [name for name, data in whole.items() if data]:
        damage(store / name, how)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                carry_out(store)
            except StoreError:
                assert not name.startswith(GROWING), name
                (store / name).write_bytes(whole[name])
            else:
                assert told or not name.startswith(GROWING), name
        assert is_whole(store), name


def test_damage_costs_the_units_of_its_chunk_and_no_more(store):
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
        xr.open_zarr(store, consolidated=False).load()


def test_opening_refuses_a_store_that_lacks_a_chunk(store):
    damage(store / "gc/c/1", "gone")
    with pytest.raises(StoreError):
        open_archive(store)


# what is refused


@pytest.mark.parametrize("name", ["design", "predictor", "seed"])
def test_another_trial_is_refused_by_name_and_left_alone(store, name):
    before = files(store)
    with pytest.raises(OtherTrialError, match=name):
        Archive.resume(store, identity=IDENTITY | {name: "new"})
    with pytest.raises(OtherTrialError, match="keep"):
        Archive.resume(store, identity=IDENTITY | {"keep": "effects"})
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
    with begun(tmp_path / "a.zarr"), pytest.raises(StoreError):
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
    "frame",
    [
        FRAME.assign_attrs(run={"a": 1}),
        FRAME.assign_attrs(share=float("nan")),
        FRAME.assign_coords(when=np.datetime64("2026-01-01")),
        FRAME.assign_coords({"zarr.json": 1}),
        FRAME.assign_coords({"done": 1}),
    ],
)
def test_what_cannot_be_stored_is_refused_before_anything_is_written(tmp_path, frame):
    with pytest.raises(StoreError):
        Archive.create(tmp_path / "a.zarr", **CALL | {"frame": frame})
    assert not list(tmp_path.iterdir())


# kills, full and closed disks


@pytest.mark.simulation
def test_killed_at_60_random_moments_the_store_ends_as_if_undisturbed(quick):
    program = Path(__file__).with_name("archive_trial.py")
    done = subprocess.run(
        [sys.executable, program, quick, "60", "20"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("60 kills")


FULL = """
import resource, sys
sys.path.insert(0, {tests!r})
import archive_trial
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
archive_trial.carry_out(__import__("pathlib").Path({path!r}))
"""


def test_a_file_that_may_not_grow_is_an_error_and_the_store_goes_on(tmp_path):
    path = tmp_path / "a.zarr"
    with begun(path) as archive:
        archive.put(0, values(0))
    limit = (path / "outcome" / "c" / "0" / "0" / "0" / "0").stat().st_size - 10
    code = FULL.format(tests=str(Path(__file__).parent), limit=limit, path=str(path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "StoreError" in done.stderr
    with begun(path) as archive:
        assert 0 not in archive.missing
    carry_out(path)
    assert is_whole(path)


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
    assert is_whole(quick / "done.zarr")
    for folder in (quick, *(folder for folder in quick.rglob("*") if folder.is_dir())):
        folder.chmod(0o555)
    request.getfixturevalue("anybody")
    for call in (Archive.exists, lambda path: Archive.create(path, **CALL)):
        with pytest.raises(StoreError):
            call(quick / "new.zarr")
    assert is_whole(quick / "done.zarr")


# running sums


def sums(turns: int) -> dict[str, np.ndarray]:
    return {"mean": np.arange(3.0) * turns, "name": np.array(["a", "bé"])}


def test_the_last_sums_are_kept_and_damaged_ones_are_none(tmp_path):
    path = tmp_path / "a.zarr"
    with Archive.create(path, **CALL | {"fields": ()}) as archive:
        assert archive.state() is None
        for turns in (1, 2):
            archive.put_state(sums(turns), turns=turns)
    with Archive.resume(path, identity=IDENTITY) as archive:
        turns, found = archive.state()
        assert turns == 2
        assert {k: v.tolist() for k, v in found.items()} == {
            k: v.tolist() for k, v in sums(2).items()
        }
        for how in DAMAGES:
            archive.put_state(sums(2), turns=2)
            damage(path / "causalgia-store" / "sums.npz", how)
            if how != "longer":  # a zip has its content, whatever follows it
                with pytest.warns(FallbackWarning):
                    assert archive.state() is None
        damage(path / "causalgia-store" / "sums.npz", "gone")
        assert archive.state() is None


def test_units_are_counted(tmp_path):
    carry_out(tmp_path / "a.zarr")
    assert open_archive(tmp_path / "a.zarr")["unit"].to_numpy().tolist() == [*range(N)]


def test_a_chunk_that_goes_after_opening_is_no_number(store):
    opened = open_archive(store)
    damage(store / "parent/c/1", "gone")
    damage(store / "outcome/c/0/0/0/1", "gone")
    assert opened["parent"][:4].load().size == 4
    for lazy in (opened["parent"], opened["outcome"], opened["parent"][-1]):
        with pytest.raises(StoreError):
            lazy.load()


def test_a_store_is_begun_in_a_folder_that_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    carry_out(Path())
    assert is_whole(tmp_path)


def test_what_a_kill_left_before_the_store_was_one_is_begun_anew(tmp_path):
    path = tmp_path / "a.zarr"
    (path / "causalgia-store").mkdir(parents=True)
    (path / "causalgia-store" / "lock").touch()
    zarr.open_group(path, mode="a").create_array("arm", shape=(3,), dtype="f8")
    carry_out(path)
    assert is_whole(path)


def test_of_those_that_begin_at_once_one_has_the_store(tmp_path):
    with begun(tmp_path / "a.zarr") as archive:
        archive.put(0, values(0))
        with pytest.raises(StoreError):
            Archive.create(tmp_path / "a.zarr", **CALL)
    carry_out(tmp_path / "a.zarr")
    assert is_whole(tmp_path / "a.zarr")
