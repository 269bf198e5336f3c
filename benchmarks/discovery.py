"""`cg.discover` on 500 sequences and a network of DeepSTARR's size: processor time,
beside that of four cores.

``python benchmarks/discovery.py [--quick]``
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from networks import SIZES
from torch import nn

import causalgia as cg

_TARGET = 600 * 4


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the share of the target."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="a small network and 60 sequences"
    )
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if options.quick:
        net, length, n = (
            nn.Sequential(
                nn.Conv1d(4, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 37, 1)
            ).eval(),
            41,
            60,
        )
    else:
        net, length, n = SIZES["DeepSTARR"].load(), SIZES["DeepSTARR"].length, 500
    sequences = np.random.default_rng(0).integers(0, 4, (n, length)).astype(np.uint8)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        found = cg.discover(cg.TorchPredictor(net, device="cpu"), sequences, rng=0)
    seconds = time.process_time() - start
    print(
        f"{n:,} sequences of {length:,} bp: {seconds:.1f} s of processor time; "
        f"{found!r}"
    )
    return {
        "processor time / 2,400 s": seconds / _TARGET,
        "discoveries": float(found.confirmed["consensus"].nunique()),
    }


if __name__ == "__main__":
    main()
