"""What a command costs before it computes: CPU seconds of fresh processes, in units of `python -c "import numpy"`.

The first `run` is taken twice: with the machine code of an earlier run, and with an empty NUMBA_CACHE_DIR, as on a new
machine. A kernel that is called costs what numba takes to load, which is printed beside them.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = "from causalgia.cli import main; main()"
KERNEL = "import numba; numba.njit(lambda x: x + 1)(1)"
SHUFFLED = {'kind = "uniform"': 'kind = "dinucleotide_shuffle"\nof = "peaks.fa"', "length = 200": ""}


def cost(*words: str, folder: str | None = None, cold: bool = False) -> float:
    """Return the CPU seconds, user and system, of one interpreter."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as empty:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, *words],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            env=env | {"NUMBA_CACHE_DIR": empty} if cold else env,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def least(repeats: int, *words: str, folder: str | None = None, cold: bool = False) -> float:
    """Return the least cost of a few interpreters: the others were disturbed."""
    return min(cost(*words, folder=folder, cold=cold) for _ in range(repeats))


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Print the cost of each command, and return it in units of the cost of importing numpy."""
    repeats = 1 if "--quick" in (argv or []) else 7
    with tempfile.TemporaryDirectory() as folder:
        cost("-c", PROGRAM, "init", folder=folder)
        starter = Path(folder, "trial.toml").read_text()
        for old, new in SHUFFLED.items():
            starter = starter.replace(old, new, 1)
        Path(folder, "shuffled.toml").write_text(starter)
        Path(folder, "peaks.fa").write_text("".join(f">{i}\n{'ACGTTGCAAC' * 20}\n" for i in range(20)))
        run = ("run", "trial.toml", "--out", "results", "--force")
        cost("-c", PROGRAM, *run, folder=folder)
        unit = least(repeats, "-c", "import numpy")
        found = {code: least(repeats, "-c", code) for code in ("pass", "import xarray", KERNEL)}
        for words in (
            ("--help",),
            ("init", "--force"),
            ("experiments",),
            run,
            ("analyze", "results"),
            ("show", "results"),
        ):
            found[" ".join(words)] = least(repeats, "-c", PROGRAM, *words, folder=folder)
        for name in ("trial.toml", "shuffled.toml"):
            words = ("run", name, "--out", "cold", "--force")
            found[f"first {' '.join(words)}"] = least(min(repeats, 3), "-c", PROGRAM, *words, folder=folder, cold=True)
    print(f"import numpy: {unit:.3f} s of CPU; the others in units of it")
    for name, seconds in found.items():
        print(f"  {seconds / unit:6.2f}  ({seconds:.2f} s)  {name}")
    return {name: seconds / unit for name, seconds in found.items()}


if __name__ == "__main__":
    main(sys.argv[1:])
