# Imports from the inside: the store, whose memory is used again between commits.
"""Memory of committed chunks that is used again: files have the bytes that fresh memory
would have given them.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from threading import Semaphore

import numpy as np
import pytest
from archive_trial import FRAME, IDENTITY, at_call, files

from causalgia.errors import StoreError
from causalgia.trial.archive import (
    Archive,
    Field,
    journal,
    open_archive,
    verify,
    writer as writing_of_a_store,
)

TURNS, CHUNKS, UNITS, MODELS = 3, 12, 5, 3
FIELDS = (
    Field("outcome", ("unit", "arm", "task", "model"), (2, 1, MODELS), "float32"),
    Field("gc", ("unit",), (), "float64"),
    Field("word", ("unit",), (), "<U7"),
)
ENDS = (*range(UNITS, UNITS * TURNS * CHUNKS, UNITS), UNITS * TURNS * CHUNKS - 2)
"""The last chunk is not full."""


def values(turn: int) -> dict[str, np.ndarray]:
    first, last = ENDS[turn - 1] if turn else 0, ENDS[turn]
    unit = np.arange(first, last)
    outcome = (
        1 + unit[:, None, None, None] * 10 + np.arange(2 * MODELS).reshape(2, 1, MODELS)
    )
    return {
        "outcome": outcome.astype(np.float32),
        "gc": 1 / (1.0 + unit),
        "word": np.array([f"é{u * 91}" for u in unit], "<U7"),
    }


def begun(path: Path, seconds: float) -> Archive:
    if Archive.exists(path):
        archive = Archive.resume(path, identity=IDENTITY)
    else:
        frame = FRAME.drop_vars("model").assign_coords(
            model=["first", "second", "third"]
        )
        archive = Archive.create(
            path,
            identity=IDENTITY,
            fields=FIELDS,
            turn_ends=ENDS,
            turns_a_chunk=TURNS,
            frame=frame,
        )
    archive.seconds = seconds
    return archive


def put(archive: Archive, turn: int, model: int | None) -> None:
    given = values(turn)
    archive.put(
        turn,
        given if model is None else given | {"outcome": given["outcome"][..., model]},
        model=model,
    )


def sittings(rng: np.random.Generator) -> list[list[tuple[int, int | None]]]:
    """Return what is put at each sitting: whole chunks, single turns and single models,
    some of them twice.
    """
    rank = np.repeat(rng.permutation(CHUNKS), TURNS) + rng.random(
        len(ENDS)
    ) * rng.choice([0.5, 2.0], len(ENDS))
    order = np.argsort(rank).tolist()
    puts = [
        (turn, model)
        for turn in order
        for model in (rng.permutation(MODELS) if rng.random() < 0.3 else (None,))
    ]
    puts += [puts[i] for i in rng.integers(len(puts), size=4)]
    cuts = sorted(rng.integers(len(puts), size=4).tolist())
    return [
        puts[start:stop]
        for start, stop in zip([0, *cuts], [*cuts, len(puts)], strict=True)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_after_every_sitting_the_files_are_those_of_a_store_that_was_written_in_fresh_memory(
    tmp_path, monkeypatch, seed
):
    rng, again = np.random.default_rng(seed), Archive._again
    seconds, n_recycled = float(rng.choice([0.0, 60.0])), 0

    def counted(archive: Archive, slab: object) -> object:
        nonlocal n_recycled
        found = again(archive, slab)
        n_recycled += found is not None
        return found

    for number, sitting in enumerate(sittings(rng)):
        for name, recycle in (
            ("recycled", counted),
            ("fresh", lambda archive, slab: None),
        ):
            monkeypatch.setattr(Archive, "_again", recycle)
            with begun(tmp_path / name, seconds) as archive:
                for turn, model in sitting:
                    put(archive, turn, None if model is None else int(model))
                    assert (
                        len(archive._spent) <= 1 + writing_of_a_store._COMMITS_AT_ONCE
                    )
            assert archive._spent == []
        now = {name: values_in(tmp_path / name) for name in ("recycled", "fresh")}
        assert now["recycled"] == now["fresh"], number
    assert n_recycled > 10
    assert files(tmp_path / "recycled") == files(tmp_path / "fresh")
    assert verify(tmp_path / "recycled") == ()
    read = open_archive(tmp_path / "recycled").load()
    for turn in range(len(ENDS)):
        rows = slice(ENDS[turn - 1] if turn else 0, ENDS[turn])
        for name, expected in values(turn).items():
            np.testing.assert_array_equal(read[name].to_numpy()[rows], expected)


def values_in(path: Path) -> dict[str, bytes]:
    """Return the bytes of the chunks of a store, whole or not; its log tells in which
    order they came.
    """
    return {name: data for name, data in files(path).items() if "/c/" in name}


def test_memory_is_not_put_over_while_its_commit_is_still_to_be_written(
    tmp_path, monkeypatch
):
    """Each commit writes only when four more chunks were put, from memory that must not
    have changed.
    """
    write, turn_to_write = journal.write_files, Semaphore(0)

    def late(given: object) -> None:
        turn_to_write.acquire()
        write(given)

    path = tmp_path / "a.zarr"
    archive = begun(path, 1e9)
    monkeypatch.setattr(journal, "write_files", late)
    slabs_a_chunk = 1 + MODELS
    for turn in range(len(ENDS)):
        if turn % TURNS == TURNS - 1 and turn >= TURNS:
            turn_to_write.release(slabs_a_chunk)
        put(archive, turn, None)
    turn_to_write.release(writing_of_a_store._COMMITS_AT_ONCE)
    archive.close()
    monkeypatch.undo()
    assert verify(path) == ()
    read = open_archive(path).load()
    for turn in range(len(ENDS)):
        rows = slice(ENDS[turn - 1] if turn else 0, ENDS[turn])
        np.testing.assert_array_equal(
            read["outcome"].to_numpy()[rows], values(turn)["outcome"]
        )


def test_a_commit_that_failed_keeps_its_memory_to_itself(tmp_path):
    """The disk refuses one call of each kind amid the store; the same process goes on,
    in memory that is used again.
    """

    def refuse(do: object, args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with begun(tmp_path / "undisturbed", 1e9) as archive:
        for turn in range(len(ENDS)):
            put(archive, turn, None)
    whole = files(tmp_path / "undisturbed")
    for stop in range(3, 60, 7):
        path = tmp_path / f"{stop}.zarr"
        archive, refused = begun(path, 1e9), 0
        with at_call(stop, refuse):
            for turn in range(len(ENDS)):
                try:
                    put(archive, turn, None)
                except StoreError:
                    refused += 1
        archive.close()
        assert refused == 1
        assert files(path) == whole
        shutil.rmtree(path)
