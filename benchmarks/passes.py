"""Sequences that go through a network before a refusal and beside a trial's own,
counted in its forward pass.

    python benchmarks/passes.py [--quick]

A trial of 4 units in 2 arms on 196,608 bp, one convolution; copies of the network in
float64 are counted too.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import ClassVar

import torch

import causalgia as cg


class Counted(torch.nn.Module):
    """A convolution; `rows` has the sequences of each pass of every copy."""

    rows: ClassVar[list[int]] = []

    def __init__(self, *, profile: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.profile = torch.nn.Conv1d(4, 8, 15), profile

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Count, and answer a number for each sequence, or a profile."""
        self.rows.append(len(x))
        y = self.layer(x)
        return y if self.profile else y.mean((1, 2))


def rows(length: int, *, profile: bool) -> list[int]:
    """Return the sequences of each pass of a trial, which is refused if the network
    answers a profile.
    """
    arms = {"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=length // 2)}
    design = cg.Design(
        null=cg.Uniform(length=length), arms=arms, n_units=4, contrasts="none"
    )
    Counted.rows.clear()
    made = cg.TorchPredictor(
        Counted(profile=profile), tasks=["y"], device="cpu", fingerprint="counted"
    )
    try:
        cg.run(design, made, rng=0, progress=False)
    except cg.errors.PredictorError:
        assert profile
    return list(Counted.rows)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Print the counts and return them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="51,200 bp")
    length = 51_200 if parser.parse_args(argv).quick else 196_608
    torch.set_num_threads(1)
    refused, ran = rows(length, profile=True), rows(length, profile=False)
    print(
        f"{length:,} bp: {sum(refused)} before a refusal; {sum(ran) - 8} beside the 8 "
        f"of the trial; batches {set(ran)}"
    )
    return {
        "before a refusal": sum(refused),
        "beside the trial": sum(ran) - 8,
        "largest probe": max(ran),
    }


if __name__ == "__main__":
    main()
