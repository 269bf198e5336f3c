"""What an installed distribution does, alone: run by its own Python, outside a checkout.

Each line that is printed is something that a user does first; any failure ends it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import causalgia as cg


def command(folder: Path, *words: str) -> str:
    """Run a command of the shell in a folder, and return what it printed."""
    done = subprocess.run(
        [Path(sys.executable).with_name("causalgia"), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def main() -> None:
    place = Path(cg.__file__)
    assert Path(sys.prefix) in place.parents, f"{place} is not the installed package"
    assert (place.parent / "py.typed").is_file()
    folder = Path(tempfile.mkdtemp())
    assert cg.__version__ in command(folder, "--version")
    assert "truth" in command(folder, "demo", "--out", "demo")
    command(folder, "init", "trial.toml")
    trial = folder / "trial.toml"
    trial.write_text(trial.read_text().replace("n_units = 1000", "n_units = 60"))
    command(folder, "run", "trial.toml", "--out", "results")
    command(folder, "analyze", "results")
    command(folder, "report", "results")
    assert (folder / "results" / "report.html").stat().st_size > 10_000
    assert cg.open(folder / "results").decisions["verdict"].size
    assert "cg.experiments.spacing(" in command(folder, "skill")
    assert "deepstarr" in str(cg.networks.list())
    table = cg.from_effects([1.0, 2.0, *[0.1, -0.1] * 5], se=[0.1] * 12)
    decided = cg.decide(cg.infer(table, rng=0), rope=(-0.5, 0.5))
    assert decided["verdict"].values.ravel().tolist()[:2] == ["increases"] * 2
    for name in cg.__all__:
        try:
            getattr(cg, name)
        except cg.errors.MissingExtraError:
            assert name in ("OnnxPredictor", "TorchPredictor")
    print(f"causalgia {cg.__version__} at {place.parent}: demo, trial, page, verdicts")


if __name__ == "__main__":
    main()
