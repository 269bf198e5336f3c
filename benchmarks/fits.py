"""Closed forms of barcode counts: against one pass over the cells; and their memory.

Run `python benchmarks/fits.py` (`--quick` for a smaller one) with OMP_NUM_THREADS=1 and
OPENBLAS_NUM_THREADS=1. 10,000 elements x 2 arms x 50 barcodes x 4 replicates are 4
million cells. The pass is their log ratios and a sum of them over barcodes, which every
estimator of them must make. Memory is what a fit allocates at its peak, in arrays of
one float64 a cell.
"""

from __future__ import annotations

import argparse
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
from hierarchical import ARMS, library
from timing import interleaved, ratios, tell, tell_ratios

import causalgia as cg

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import xarray as xr

METHODS = ("two_way",)


def one_pass(counts: xr.Dataset) -> Callable[[int], object]:
    """Return log ratios of every cell and their sums over the barcodes of an oligo."""
    dna, rna, oligo = (
        counts[name].to_numpy() for name in ("dna", "rna", "oligo_index")
    )

    def run(_: int) -> object:
        ratios = np.log2(rna + 0.5) - np.log2(dna + 0.5)
        return [np.bincount(oligo, column) for column in ratios.T]

    return run


def peak_arrays(counts: xr.Dataset, method: str) -> float:
    """Return what a fit allocates at its peak, in arrays of one float64 a cell."""
    tracemalloc.start()
    cg.mpra.fit(counts, control=ARMS[0], method=method)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / (8 * counts["rna"].size)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="200 elements instead of 10,000"
    )
    n_elements, repeats = (200, 1) if parser.parse_args(argv).quick else (10_000, 5)
    counts = library(n_elements)
    contestants = {
        method: lambda _, method=method: cg.mpra.fit(
            counts, control=ARMS[0], method=method
        )
        for method in METHODS
    }
    times = interleaved({"one pass": one_pass(counts)} | contestants, repeats)
    found = {
        f"{method} / one pass": ratios(times, method, "one pass") for method in METHODS
    }
    found["arrays of one number a cell at the peak"] = max(
        peak_arrays(counts, method) for method in METHODS
    )
    print(f"effects of {n_elements:,} elements, {counts['rna'].size:,} cells")
    tell(times)
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()
