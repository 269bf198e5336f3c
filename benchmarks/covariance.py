"""The covariance of 4,096 contrasts of 1,000 units, streamed, against np.cov of all
units at once.

Run `python benchmarks/covariance.py` (`--quick` for a smaller one) with
OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1. Blocks of 250 units are added to running
means, squares and cubes and to central sums of products, as a trial does that keeps no
effects; the repeats are interleaved. Memory is the peak of what is allocated, in arrays
of K x K float64.
"""

from __future__ import annotations

import argparse
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
from timing import interleaved, ratio, tell, tell_ratios

from causalgia.numerics.running_sums import Moments, Products

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

N_UNITS, BLOCK = 1_000, 250


def streamed(ice: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariance (K, K) of effects (n, K), from sums that blocks of units
    were added to.
    """
    moments, products = Moments(), Products()
    for start in range(0, len(ice), BLOCK):
        block = ice[start : start + BLOCK, :, None]
        products.add(
            moments.n, *moments.take(block, block.max(axis=0), block.min(axis=0))
        )
    sums = products.sums[0]
    sums /= moments.n - 1
    return sums


def peak_arrays(ice: NDArray[np.float64]) -> float:
    """Return what streaming allocates at its peak, in arrays of K x K."""
    tracemalloc.start()
    covariance = streamed(ice)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / covariance.nbytes


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="1,024 contrasts instead of 4,096, three repeats",
    )
    options = parser.parse_args(argv)
    n_contrasts, repeats = (1_024, 3) if options.quick else (4_096, 7)
    ice = np.random.default_rng(1).exponential(size=(N_UNITS, n_contrasts))
    contestants = {
        "np.cov": lambda _: np.cov(ice, rowvar=False),
        "streamed": lambda _: streamed(ice),
    }
    times = interleaved(contestants, repeats)
    found = {
        "streamed / np.cov": ratio(times, "streamed", "np.cov"),
        "arrays of K x K at the peak": peak_arrays(ice),
        "largest difference": float(
            np.abs(streamed(ice) - np.cov(ice, rowvar=False)).max()
        ),
    }
    print(f"covariance of {n_contrasts:,} contrasts of {N_UNITS:,} units")
    tell(times)
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()
