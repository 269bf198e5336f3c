"""Command lines that are changed at random: each runs in a folder that is put back
afterward.
"""

from __future__ import annotations

import io
import os
import pickle
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import xarray as xr

from causalgia import store

_VERBS = [
    ["show", "out"], ["estimate", "out"], ["estimate", "out", "--control", "none"], ["analyze", "out", "--rope", "0.1"],
    ["analyze", "out", "--rope", "-0.1", "0.1", "--error", "holm"], ["experiments"], ["experiments", "copies"],
    ["init", "new.toml", "--force"], ["init", "--experiment", "copies", "c.toml", "--force"],
    ["run", "t.toml", "--out", "r", "--force"], ["check", "none.toml"], ["--version"],
    ["mpra", "compare", "virtual.csv", "measured.csv"], ["mpra", "power", "--effect", "0.5"],
    ["mpra", "qc", "counts.tsv", "--design", "side.tsv"],
]  # fmt: skip
_WORDS = [
    "", "--", "-h", "--help", "--out", "--out=", "--force", "--rng", "--level", "--rope", "-1", "0", "0.9",
    "1e999", "nan", "9" * 25, "9" * 5_000, "x" * 5_000, "\x1b[31m", "\ud800", (
        "a\n"
        "b"
    ), "--control", "none",
    "--adjust", "bh", "/dev/null/x", "/dev/zero", "fifo", "out", "t.toml", "--target", "units", "--ci-prob",
    "2", "--family", "\x00", "é", "=1+1", "..", "--error", "bayes_fdr", "--law", "--cluster", "--store",
    "--workers", "--device", "--keep", "--experiment", "[bold]",
]  # fmt: skip


@contextmanager
def _cheap(whole: bool) -> Iterator[None]:
    """Leave the pixels of figures and HDF5 out, where most of the time of valid
    commands goes.

    A netCDF file is then a pickle of its Dataset under a checksum of ours; one that was
    there is read by HDF5 once.
    """
    from matplotlib.figure import Figure

    draw, read, fill = Figure.savefig, store.read_netcdf, xr.Dataset.to_netcdf

    def read_once(path: Path) -> xr.Dataset:
        content = Path(path).read_bytes()
        if content.startswith(_PICKLED):
            return pickle.loads(content[len(_PICKLED) :])
        if content not in _READ:
            _READ[content] = read(path)
        return _READ[content].copy(deep=True)

    if not whole:
        Figure.savefig = lambda _, path, **__: Path(path).write_bytes(b"")  # type: ignore[method-assign]
        store.read_netcdf = read_once
        xr.Dataset.to_netcdf = lambda dataset, path, **_: Path(path).write_bytes(
            _PICKLED + pickle.dumps(dataset)
        )  # type: ignore[assignment]
    try:
        yield
    finally:
        Figure.savefig, store.read_netcdf, xr.Dataset.to_netcdf = draw, read, fill  # type: ignore[method-assign]


_PICKLED = b"pickled by the fuzzer"
_READ: dict[bytes, xr.Dataset] = {}


class Folder:
    """A folder that is put back as it was: what one command writes, the next does not
    find.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folders = [place for place in sorted(path.rglob("*")) if place.is_dir()]
        self.files = {
            place: place.read_bytes() for place in path.rglob("*") if place.is_file()
        }
        self.pipes = [place for place in path.iterdir() if place.is_fifo()]
        self.state = self._state()

    def put_back(self) -> None:
        """Put everything back, where anything is another."""
        if self._state() == self.state:
            return
        for place in self.path.iterdir():
            shutil.rmtree(
                place
            ) if place.is_dir() and not place.is_symlink() else place.unlink()
        for place in self.folders:
            place.mkdir()
        for place, content in self.files.items():
            place.write_bytes(content)
        for place in self.pipes:
            os.mkfifo(place)
        self.state = self._state()

    def _state(self) -> set[tuple[str, int, int, int]]:
        found, left = set(), [os.fspath(self.path)]
        while left:
            for entry in os.scandir(left.pop()):
                at = entry.stat(follow_symlinks=False)
                found.add((entry.path, at.st_ino, at.st_mtime_ns, at.st_size))
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
        return found


_FOLDERS: dict[Path, Folder] = {}


@cache
def _command() -> Any:
    """Return all commands as typer makes them anew at each call of the app."""
    import typer

    from causalgia.cli.commands import app

    return typer.main.get_command(app)


def command_line(rng: Random, folder: Path) -> None:
    _FOLDERS[folder].put_back()
    args = list(rng.choice(_VERBS))
    for _ in range(rng.randint(1, 4)):
        kind = rng.randrange(3)
        i = rng.randrange(len(args) + 1)
        if kind == 0:
            args.insert(i, rng.choice(_WORDS))
        elif kind == 1 and args:
            args[min(i, len(args) - 1)] = rng.choice(_WORDS)
        elif args:
            del args[min(i, len(args) - 1)]
    if (
        "--workers" in args or "--store" in args
    ):  # a cluster of processes for each input is another test's
        args = [arg for arg in args if arg not in ("--workers", "--store")]
    out, error = (
        io.TextIOWrapper(io.BytesIO(), errors="replace"),
        io.TextIOWrapper(io.BytesIO(), errors="replace"),
    )
    try:
        with redirect_stdout(out), redirect_stderr(error), _cheap(rng.random() < 0.1):
            _command()(args)
        code: Any = 0
    except SystemExit as ended:
        code = ended.code
    error.flush()
    told = error.buffer.getvalue().decode(errors="replace")  # type: ignore[attr-defined]
    assert code in (None, 0, 1, 2), code
    assert code != 2 or told.startswith(("error: ", "warning: ")), told
    assert "\x1b" not in told, told
    assert len(told) < 20_000, told


def prepare(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make the files that commands read, and run each once."""
    os.mkfifo(folder / "fifo")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    for name in ("virtual.csv", "measured.csv"):
        rows = (f"u{i},0.{i},0.{len(name)}\n" for i in range(1, 9))
        (folder / name).write_text("element,effect,se\n" + "".join(rows))
    _run_quietly(["run", "t.toml", "--out", "out"])
    for args in _VERBS:
        _run_quietly(args)
    _FOLDERS[folder] = Folder(folder)


def _run_quietly(args: list[str]) -> Any:
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            _command()(args)
    except SystemExit as ended:
        return ended.code
