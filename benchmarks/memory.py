"""The memory of ten million predictions against that of a hundred thousand, by what is
kept.

Run `python benchmarks/memory.py` (`--quick` for a twentieth of the predictions). Every
trial is a process of its own, stored, with ten arms on sequences of 41 bases, answered
by a formula; what counts is the most memory that the process ever had, libraries
included.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

KEEPS = ("outcomes", "effects", "moments")
FEW, MANY = 100_000, 10_000_000
PROGRAM = """
import resource, sys
import causalgia as cg

keep, store, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
words = ["GCATGC", "TGCATG", "AGATAA", "CACGTG", "TATAAA", "CCCGCC", "TGACTC", "GGAATG", "AACAAT"]
arms = {"control": cg.Untreated(), **{word: cg.Embed(word, at=17) for word in words}}
design = cg.Design(null=cg.Uniform(length=41), arms=arms, n_units=n // 10, contrasts="control")
predictor = cg.FunctionPredictor(lambda x: x[:, 1].sum(-1) + x[:, 2, 20], tasks=["y"], scale="s", fingerprint="1")
cg.run(design, predictor, rng=0, keep=keep, store=store, progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak(keep: str, n: int) -> int:
    """Return the most memory of a stored trial of n predictions, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-c",
            PROGRAM,
            keep,
            str(Path(folder) / "trial.zarr"),
            str(n),
        ]
        return int(
            subprocess.run(command, check=True, capture_output=True, text=True).stdout
        )


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratio for each that is kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="a twentieth of the predictions"
    )
    less = 20 if parser.parse_args(argv).quick else 1
    found = {}
    for keep in KEEPS:
        few, many = (peak(keep, n // less) for n in (FEW, MANY))
        found[keep] = many / few
        print(
            f"  {keep:<9}{few:6,} MiB of {FEW // less:,}, {many:6,} MiB of "
            f"{MANY // less:,}: {found[keep]:.2f} x"
        )
    return found


if __name__ == "__main__":
    main()
