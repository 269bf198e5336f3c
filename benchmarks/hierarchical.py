"""The hierarchical model of barcode counts against the closed form, on the counts of a
large library.

Run `python benchmarks/hierarchical.py` (`--quick` for a smaller one) with
OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1. 10,000 elements x 2 arms x 50 barcodes x 4
replicates are 4 million cells. Memory is what a fit allocates at its peak, in arrays of
one float64 a cell.
"""

from __future__ import annotations

import argparse
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from timing import interleaved, ratios, tell, tell_ratios

import causalgia as cg

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

ARMS, BARCODES, REPLICATES = ("control", "treated"), 50, 4


def library(n_elements: int) -> xr.Dataset:
    """Return counts of elements under two arms, both layers of noise, one cell in fifty
    silent.
    """
    rng = np.random.default_rng(1)
    names = [f"E{i:05d}" for i in range(n_elements)]
    activity = pd.DataFrame(
        {
            "element": np.repeat(names, len(ARMS)),
            "arm": np.tile(ARMS, n_elements),
            "log2": rng.normal(size=n_elements * len(ARMS)),
        }
    )
    return cg.mpra.simulate(
        activity,
        n_barcodes=BARCODES,
        n_replicates=REPLICATES,
        noise=cg.mpra.NoiseModel(p_silent=0.02),
        rng=1,
    )


def peak_arrays(counts: xr.Dataset) -> float:
    """Return what the hierarchical fit allocates at its peak, in arrays of one float64
    a cell.
    """
    tracemalloc.start()
    cg.mpra.fit(counts, control=ARMS[0], method="hierarchical")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / (8 * counts.sizes["barcode"] * REPLICATES)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="50 elements instead of 10,000"
    )
    n_elements, repeats = (50, 1) if parser.parse_args(argv).quick else (10_000, 5)
    counts = library(n_elements)
    contestants = {
        method: lambda _, method=method: cg.mpra.fit(
            counts, control=ARMS[0], method=method
        )
        for method in ("hierarchical", "two_way")
    }
    times = interleaved(contestants, repeats)
    found = {
        "hierarchical / two_way": ratios(times, "hierarchical", "two_way"),
        "hierarchical, us a cell": float(
            np.median(times["hierarchical"]) * 1e6 / counts["rna"].size
        ),
        "arrays of one number a cell at the peak": peak_arrays(counts),
    }
    print(f"effects of {n_elements:,} elements, {counts['rna'].size:,} cells")
    tell(times)
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()
