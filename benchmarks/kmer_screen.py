"""All 1,024 words of five letters on 1,000 backgrounds of 41 bases: what a run costs
beside the predictions of a small network.

The network is one convolution (`variant_scores.Small`). Its forward passes are timed
within the run, each alone; the rest of the run (backgrounds, arms, equal sequences,
one-hot, outcomes) is beside them. One thread, processor time; making the experiment and
analyzing it are not part of it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import torch
from timing import Figure, tell_ratios
from variant_scores import Small

import causalgia as cg


class Timed(Small):
    """The network, with the processor time of its passes."""

    spent = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Answer one-hot (n, 4, length) with (n, 1)."""
        start = time.process_time()
        answer = super().forward(x)
        self.spent += time.process_time() - start
        return answer


def main(argv: Sequence[str] | None = None) -> dict[str, Figure]:
    """Run the benchmark, print it and return the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="64 words, 20 backgrounds")
    quick = parser.parse_args(argv).quick
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = Timed().eval()
    predictor = cg.TorchPredictor(net, device="cpu")
    experiment = cg.experiments.kmer_screen(
        cg.Uniform(length=41), k=3 if quick else 5, n_units=20 if quick else 1_000
    )
    ratios = []
    for seed in range(2 if quick else 6):
        net.spent, start = 0.0, time.process_time()
        cg.run(experiment, predictor, rng=seed, progress=False)
        ratios.append((time.process_time() - start) / net.spent - 1)
    found = {"beside the predictions / predictions": ratios[1:]}  # the first one loads
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()
