"""Maxima over thousands of contrasts: time in bare float32 products and extra memory,
all measured in one run.

Run `python benchmarks/maxt.py` (`--quick` for a smaller one) with OMP_NUM_THREADS=1 and
OPENBLAS_NUM_THREADS=1 for one thread. 4,096 contrasts of 1,000 units: sign flips
against the matrix product of the same signs and effects, bootstrap-t against its two
products, both in blocks of the same shape and layout. The repeats are interleaved and
ratios are medians over them. `scipy.stats.permutation_test` runs a few flips of a slice
and is scaled to the whole.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from timing import interleaved, ratio, tell, tell_ratios

from causalgia.multiplicity.bootstrap_t import bootstrap_t_max
from causalgia.multiplicity.joint_methods import _random_signs, sign_flip_max_t
from causalgia.multiplicity.maxima import rows_per_block

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from timing import Contestant

N_UNITS, N_CONTRASTS = 1_000, 4_096


def bare_products(n_products: int, n_draws: int, size: int) -> Contestant:
    """Return the float32 products of `n_draws` rows of multipliers with the effects, in
    blocks of `size`.
    """
    rng = np.random.default_rng(0)
    effects = [
        rng.standard_normal((N_CONTRASTS, N_UNITS), dtype=np.float32)
        for _ in range(n_products)
    ]
    multipliers = rng.standard_normal((size, N_UNITS), dtype=np.float32)

    def run(_: int) -> None:
        for start in range(0, n_draws, size):
            for matrix in effects:
                matrix @ multipliers[: min(size, n_draws - start)].T

    return run


def contestants(ice: NDArray[np.float64], n_draws: int) -> dict[str, Contestant]:
    """Return the two tests and the products that each must make."""
    flips, resamples = (
        rows_per_block(N_UNITS, width, n_draws)
        for width in (N_CONTRASTS, 2 * N_CONTRASTS)
    )
    return {
        "flips, bare product": bare_products(1, n_draws, flips),
        "sign_flip_max_t": lambda key: sign_flip_max_t(ice, n_flips=n_draws, rng=key),
        "bootstrap-t, two bare products": bare_products(2, n_draws, resamples),
        "bootstrap_t_max": lambda key: bootstrap_t_max(ice, n_draws=n_draws, rng=key),
    }


def peak_megabytes(run: Callable[[], object]) -> float:
    """Return what a run allocates at its peak, beyond what there was."""
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def scipy_seconds(ice: NDArray[np.float64], n_draws: int) -> float:
    """Return what scipy's permutation test of all contrasts would take, from ten flips
    of 256 of them.
    """
    part = ice[:, :256]

    def t(x: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return x.mean(axis=axis) / (x.std(axis=axis, ddof=1) / np.sqrt(x.shape[axis]))

    start = time.process_time()
    stats.permutation_test(
        (part,),
        t,
        permutation_type="samples",
        vectorized=True,
        n_resamples=10,
        batch=10,
        axis=0,
    )
    return (time.process_time() - start) * n_draws / 10 * ice.shape[1] / 256


def deviation(ice: NDArray[np.float64], n_draws: int) -> float:
    """Return the largest relative difference between the maxima of t and the same
    maxima in float64.
    """
    signs = next(_random_signs(len(ice), n_draws, n_draws, 0)).astype(np.float64)
    means, squares = signs @ ice / len(ice), (ice**2).mean(axis=0)
    t = means / np.sqrt((squares - means**2) / (len(ice) - 1))
    expected = np.sort(np.abs(t).max(axis=1))
    return float(
        np.abs(sign_flip_max_t(ice, n_flips=n_draws, rng=0).maxima / expected - 1).max()
    )


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="256 draws instead of 10,000, one repeat"
    )
    options = parser.parse_args(argv)
    n_draws, repeats = (256, 1) if options.quick else (10_000, 7)
    ice = np.random.default_rng(1).exponential(size=(N_UNITS, N_CONTRASTS)) - 1
    runs = contestants(ice, n_draws)
    times = interleaved(runs, repeats)
    found = {
        "sign flips / bare product": ratio(
            times, "sign_flip_max_t", "flips, bare product"
        ),
        "bootstrap-t / its two products": ratio(
            times, "bootstrap_t_max", "bootstrap-t, two bare products"
        ),
        "scipy / sign flips": scipy_seconds(ice, n_draws)
        / float(np.median(times["sign_flip_max_t"])),
        "sign flips, extra MB": peak_megabytes(lambda: runs["sign_flip_max_t"](0)),
        "bootstrap-t, extra MB": peak_megabytes(lambda: runs["bootstrap_t_max"](0)),
        "largest relative difference from float64": deviation(ice, min(n_draws, 500)),
    }
    print(f"{N_CONTRASTS:,} contrasts of {N_UNITS:,} units, {n_draws:,} draws")
    tell(times)
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()
