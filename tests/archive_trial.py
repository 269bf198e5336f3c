"""A trial that answers by arithmetic, for the tests of its store; run as a program, it
is killed again and again.

It has 11 units in three turns and two chunks, two arms, one task, two models, text and
numbers for each unit.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from causalgia.schema import annotate
from causalgia.trial.archive import Archive, Field, open_archive
from causalgia.trial.turn_plan import TurnPlan

N, N_MODELS = 11, 2
PLAN = TurnPlan(N, turn=4, chunk=2)
IDENTITY = {"design": "d0", "predictor": "p0", "seed": "7"}
FIELDS = (
    Field("outcome", ("unit", "arm", "task", "model"), (2, 1, N_MODELS), "float32"),
    Field("gc", ("unit",), (), "float64"),
    Field("parent", ("unit",), (), "<U7"),
)


def in_memory() -> xr.Dataset:
    """Return the outcomes as a run in memory would."""
    unit = np.arange(N)
    outcome = (
        np.sin(1 + np.arange(N * 2 * N_MODELS))
        .astype(np.float32)
        .reshape(N, 2, 1, N_MODELS)
    )
    made = xr.Dataset(
        {
            "outcome": (("unit", "arm", "task", "model"), outcome),
            "design": ("byte", np.arange(5, dtype=np.uint8)),
        },
        coords={
            "unit": unit,
            "gc": ("unit", 1 / (1 + unit)),
            "parent": ("unit", np.array([f"chré{u % 7 * 91}" for u in unit], "<U7")),
            "arm": ["contrôl", "GATA"],
            "task": ["K562"],
            "model": ["first", "second"],
            "random": ("arm", [False, True]),
            "spacing of / motifs": ("arm", [np.nan, 12.0]),
        },
        attrs={"scale": "log counts", "rng": "7", "n": 11, "share": 0.1},
    )
    return annotate(made)


WHOLE = in_memory()
"""Made once: what a process does until it is killed is the store's work, not this."""
FRAME = WHOLE.drop_dims("unit")
CALL = {
    "identity": IDENTITY,
    "fields": FIELDS,
    "plan": PLAN,
    "frame": FRAME,
}


def values(turn: int, model: int | None = None) -> dict[str, np.ndarray]:
    """Return what a turn gives, of one model or of all."""
    rows = slice(*PLAN.bounds(turn))
    parts = {field.name: WHOLE[field.name].to_numpy()[rows].copy() for field in FIELDS}
    return (
        parts if model is None else {**parts, "outcome": parts["outcome"][..., model]}
    )


def begun(path: Path, *, seconds: float = 0.0) -> Archive:
    """Return the store at a path, new or resumed."""
    archive = (
        Archive.resume(path, identity=IDENTITY)
        if Archive.exists(path)
        else Archive.create(path, **CALL)
    )
    archive.seconds = seconds
    return archive


def tell(pipe: int, line: str) -> None:
    """Write a line to a pipe."""
    os.write(pipe, f"{line}\n".encode())


def carry_out(
    path: Path,
    *,
    seconds: float = 0.0,
    told: Callable[[str], object] = lambda line: None,
) -> None:
    """Carry out what a store lacks; even turns model by model."""
    with begun(path, seconds=seconds) as archive:
        told(f"missing {' '.join(map(str, archive.missing))}")
        for turn in archive.missing:
            for model in (None,) if turn % 2 else range(N_MODELS):
                archive.put(turn, values(turn, model), model=model)
            told(f"put {turn}")


@contextmanager
def quick_folder(otherwise: Path) -> Iterator[Path]:
    """Give a folder in memory where the system has one: a process that ends leaves
    there what it leaves on a disk.
    """
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        dir=memory if os.access(memory, os.W_OK) else otherwise
    ) as name:
        yield Path(name)


def files(path: Path) -> dict[str, bytes]:
    """Return the bytes of every file of a store."""
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def child(work: Callable[[int], None]) -> tuple[int, int]:
    """Fork; the child works, and tells lines into a pipe. Returns its number and the
    end to read.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    try:
        warnings.simplefilter("error")
        work(write)
    except BaseException as error:
        os.write(write, f"error {error!r}\n".encode())
        os._exit(1)
    os._exit(0)


def ended(pid: int, read: int) -> tuple[int, list[str]]:
    """Wait for a child; its exit status (negative: the signal) and what it told."""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with os.fdopen(read) as pipe:
        lines = pipe.read().splitlines()
    if status == 1:
        raise SystemExit("\n".join(lines))
    return status, lines


@contextmanager
def killed_at_step(stop: int) -> Iterator[list[int]]:
    """Die as with `kill -9` at a step of this thread: the call or return of a function;
    yields how many were taken.
    """
    taken = [0]

    def step(frame: object, event: str, argument: object) -> None:
        taken[0] += 1
        if taken[0] == stop:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(step)
    try:
        yield taken
    finally:
        sys.setprofile(None)


def undisturbed(folder: Path) -> int:
    """Carry out two trials, which loads what a child needs; return the steps that the
    second takes.
    """
    carry_out(folder / "first.zarr")
    with killed_at_step(0) as taken:
        carry_out(folder / "second.zarr")
    return taken[0]


def kill_at_random(folder: Path, n_kills: int, seed: int) -> None:
    """Kill a run at random steps, and go on with it, store after store; what was
    committed is never missing again.
    """
    rng, kills, number, committed = np.random.default_rng(seed), 0, 0, set[str]()
    usual = undisturbed(folder)
    while kills < n_kills:
        path = folder / f"{number}.zarr"
        seconds = 0.0 if number % 2 else 60.0

        stop = int(rng.integers(1, 1.5 * usual))

        def work(
            pipe: int, path: Path = path, seconds: float = seconds, stop: int = stop
        ) -> None:
            with killed_at_step(stop):
                carry_out(path, seconds=seconds, told=partial(tell, pipe))

        status, lines = ended(*child(work))
        for line in lines:
            what, *turns = line.split(" ")
            lost = committed & set(turns) if what == "missing" else set()
            if lost:
                raise SystemExit(
                    f"{path}: turns {lost} were committed, and are missing"
                )
            committed |= set(turns) if what == "put" and seconds == 0.0 else set()
        kills += status == -signal.SIGKILL
        if status == 0:
            number, committed = number + 1, set()
    carry_out(folder / f"{number}.zarr")
    for path in folder.glob("*.zarr"):
        if not open_archive(path).load().identical(WHOLE):
            raise SystemExit(f"{path} holds other answers")
    print(f"{kills} kills, {number + 1} stores")


if __name__ == "__main__":
    kill_at_random(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
