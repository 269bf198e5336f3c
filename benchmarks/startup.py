"""What a command costs on a new user's first trial: processor time of fresh
processes, in turn.

Beside them stands what their libraries cost alone, below which no command can come:
xarray that reads one file, and matplotlib that draws one figure. The first runs find an
empty NUMBA_CACHE_DIR, as on a new machine. Python's own cache of compiled modules is
warm.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from timing import Figure, tell_ratios

PROGRAM = "from causalgia.cli import main; main()"
FLOORS = {
    "import numpy": "import numpy",
    "import causalgia": "import causalgia",
    "import numba, and one kernel": "import numba; numba.njit(lambda x: x + 1)(1)",
    "xarray holds one number": "import xarray; xarray.Dataset({'x': 1.0})",
    "xarray reads a file": "import xarray; xarray.load_dataset('results/outcomes.nc', engine='h5netcdf')",
    "matplotlib draws a figure": (
        "from matplotlib.figure import Figure; "
        "figure = Figure(); figure.subplots().plot([1, 2]); figure.savefig('x.png')"
    ),
}
COMMANDS = {
    "--help": ("--help",),
    "init": ("init", "--force"),
    "experiments": ("experiments",),
    "first run": ("run", "trial.toml", "--out", "results", "--force"),
    "first run, shuffles": ("run", "shuffled.toml", "--out", "first", "--force"),
    "analyze": ("analyze", "results"),
    "show": ("show", "results"),
}
SHUFFLED = {
    'kind = "uniform"': 'kind = "dinucleotide_shuffle"\nof = "peaks.fa"',
    "length = 200": "",
}


def cost(code: str, *words: str, folder: Path) -> float:
    """Return the processor time, user and system, of one interpreter with an empty
    cache of numba's.
    """
    cache = folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir()
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {
        "NUMBA_CACHE_DIR": str(cache)
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", code, *words],
        check=True,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        env=env,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def begin(folder: Path) -> None:
    """Write the starter's trial, and the same on dinucleotide shuffles."""
    cost(PROGRAM, "init", folder=folder)
    starter = (folder / "trial.toml").read_text()
    for old, new in SHUFFLED.items():
        starter = starter.replace(old, new, 1)
    (folder / "shuffled.toml").write_text(starter)
    (folder / "peaks.fa").write_text(
        "".join(f">{i}\n{'ACGTTGCAAC' * 20}\n" for i in range(20))
    )


def main(argv: list[str] | None = None) -> dict[str, Figure]:
    """Print and return the seconds of each command and of each floor."""
    repeats = 1 if "--quick" in (argv or []) else 5
    calls = {n: (PROGRAM, *words) for n, words in COMMANDS.items()} | {
        name: (code,) for name, code in FLOORS.items()
    }
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        begin(folder)
        times = [
            {name: cost(*call, folder=folder) for name, call in calls.items()}
            for _ in range(repeats)
        ]
    found: dict[str, Figure] = {name: [of[name] for of in times] for name in calls}
    name = "import causalgia / import numpy"
    ours, numpy = (np.array(found[code]) for code in name.split(" / "))
    found[name] = ours / numpy
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
