"""A library of 12,000 inserts x 20 barcodes, designed, checked and written: processor
time and memory.

Run `python benchmarks/library.py` (`--quick` for a 200th). Each is a process of its
own, libraries and compiled kernels included: 240,520 oligos of 230 nt with sites, runs,
GC and repeats checked on every assembled oligo, and barcodes at Levenshtein distance 3.
The bars are 60 s and 1 GiB; with 15 nt the barcodes are dense, which takes longer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

N_UNITS, BARCODES, SECONDS, GIB = 3_960, 20, 60, 1.0
PROGRAM = """
import json, re, sys, time
import causalgia as cg

folder, n, letters = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
arms = {"untreated": cg.Untreated(), "placebo": cg.Placebo("AGATAAG", at=60), "GATA1": cg.Embed("AGATAAG", at=60)}
design = cg.Design(null=cg.Uniform(length=230 - 45 - letters), arms=arms, n_units=n)
library = cg.mpra.library(
    design, oligo_length=230, adapters="melnikov", barcodes_per_oligo=20,
    barcode_rules=cg.mpra.BarcodeRules(length=letters), rng=7
)
made = time.process_time()
cg.mpra.write_library(library, folder)
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 2**20  # what a parent held not in it
print(json.dumps([library.sizes["row"], made, time.process_time(), peak]))
"""


def measured(n_units: int, letters: int) -> tuple[int, float, float, float]:
    """Return the oligos, the seconds until they are made and until they are written,
    and the most memory in GiB.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-c",
            PROGRAM,
            str(Path(folder) / "LIB"),
            str(n_units),
            str(letters),
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows, made, written, peak = json.loads(done.stdout.splitlines()[-1])
    return rows, made, written, peak


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return seconds and GiB by the barcodes' length,
    as shares of their bars.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a 200th of the units")
    n_units = N_UNITS // (200 if parser.parse_args(argv).quick else 1)
    found = {}
    for letters in (20, 15):
        rows, made, written, peak = measured(n_units, letters)
        found |= {
            f"seconds / {SECONDS}, {letters} nt": written / SECONDS,
            f"GiB, {letters} nt": peak / GIB,
        }
        print(
            f"  {rows:,} oligos, barcodes of {letters} nt: made {made:.1f} s, written "
            f"{written:.1f} s, {peak:.2f} GiB"
        )
    return found


if __name__ == "__main__":
    main()
