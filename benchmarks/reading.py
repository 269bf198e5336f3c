"""Reading a barcode table with every check, against pandas reading the same file as
numbers and text.

Run `python benchmarks/reading.py` (`--quick` for a smaller one). 1.2 million barcodes
of 20,000 oligos, 4 replicates, a twentieth of the cells empty, gzip. What `read_counts`
does beyond parsing: cells are counted in every line, barcodes are of letters and
unique, counts whole, oligos known, and the table becomes a labeled Dataset. The peak of
memory is that of a process of its own, less what imports took.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from timing import interleaved, ratios, tell, tell_ratios

from causalgia.mpra import read_counts, simulate

if TYPE_CHECKING:
    from collections.abc import Sequence

PEAK = """
import re, sys
import causalgia.mpra as mpra
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 2**20
before = peak()
mpra.read_counts(sys.argv[1], side_table=sys.argv[2])
print(peak() - before)
"""


def write(folder: Path, n_elements: int) -> tuple[Path, Path]:
    """Write simulated counts and their side table; return both paths."""
    names = np.repeat([f"element{i}" for i in range(n_elements)], 2)
    side = pd.DataFrame(
        {"element": names, "arm": ["control", "treated"] * n_elements, "log2": 0.0}
    )
    counts = simulate(side, n_barcodes=60, rng=0)
    table = {
        "barcode": counts["barcode"].values,
        "oligo_name": counts["oligo"].values[counts["oligo_index"].values],
    }
    for r, name in enumerate(counts["replicate"].values):
        for kind in ("dna", "rna"):
            cells = counts[kind].values[:, r].astype(str)
            table[f"{kind}_count_{name}"] = np.where(
                counts[f"{kind}_observed"].values[:, r], cells, ""
            )
    path, arms = folder / "counts.tsv.gz", folder / "arms.tsv"
    with gzip.open(path, "wt", compresslevel=1) as file:
        pd.DataFrame(table).to_csv(file, sep="\t", index=False)
    side.assign(oligo_name=counts["oligo"].values).to_csv(arms, sep="\t", index=False)
    return path, arms


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratio, the seconds and the peak in
    GiB.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="a twentieth of the barcodes, one repeat"
    )
    quick = parser.parse_args(argv).quick
    with tempfile.TemporaryDirectory() as folder:
        path, arms = write(Path(folder), 500 if quick else 10_000)
        contestants = {
            "read_counts": lambda _: read_counts(path, side_table=arms),
            "pandas.read_csv": lambda _: pd.read_csv(path, sep="\t"),
        }
        times = interleaved(contestants, 1 if quick else 5)
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(path), str(arms)],
            capture_output=True,
            text=True,
            check=True,
        )
    tell(times)
    found = {
        "read_counts / pandas.read_csv": ratios(
            times, "read_counts", "pandas.read_csv"
        ),
        "seconds": float(np.median(times["read_counts"])),
        "peak, GiB": float(done.stdout),
    }
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()
