# Imports from the inside: the store, killed at each of its calls.
"""A store that is killed, anywhere and often: what was committed stays, and the end is
the same, bit for bit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from archive_trial import carry_out, files, in_memory, quick_folder

from causalgia.trial.archive import open_archive, verify


def killed(*arguments: object) -> str:
    program = Path(__file__).with_name("archive_trial.py")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, program, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with quick_folder(tmp_path) as folder:
        yield folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("undisturbed") / "trial.zarr"
    carry_out(path, seconds=60.0)
    return files(path)


def check(folder: Path, undisturbed: dict[str, bytes]) -> int:
    stores = sorted(folder.glob("*.zarr"))
    for path in stores:
        assert files(path) == undisturbed, path
    assert verify(stores[-1]) == ()
    assert open_archive(stores[-1]).load().identical(in_memory())
    return len(stores)


@pytest.mark.simulation
def test_killed_at_60_random_moments_the_store_ends_as_if_undisturbed(
    folder, undisturbed
):
    told = killed("random", folder, 60, 20)
    assert told.startswith("60 kills")
    assert check(folder, undisturbed) > 3


@pytest.mark.simulation
def test_killed_in_every_call_that_changes_the_disk_the_store_ends_as_if_undisturbed(
    folder, undisturbed
):
    told = killed("every", folder)
    n_calls = int(told.split(" ")[0])
    assert n_calls > 80
    assert check(folder, undisturbed) == n_calls + 4


@pytest.mark.simulation
def test_without_power_in_every_call_that_changes_the_disk_the_store_ends_as_if_undisturbed(
    folder, undisturbed
):
    told = killed("power", folder)
    n_calls = int(told.split(" ")[0])
    assert n_calls > 50
    assert check(folder, undisturbed) == n_calls + 4
