"""Variants beside matched null variants, from VCF and genome to q-values, against the
bare forwards that this takes.

Every allele is one forward: 3,000 variants and 300 null variants are 6,600 sequences of
249 bases. The floor is these forwards over one-hot arrays made beforehand. What is
timed against it reads the VCF, cuts windows out of the genome, draws null variants at
random loci, runs the trial, and ranks and decides. One thread, processor time.

Then 100,000 variants and 10,000 null variants of a small network (one convolution of 32
filters), against the time that its forwards take by the mean of 20,000 sequences; and
the memory of each variant.

    python benchmarks/variant_scores.py [--quick]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from marginalize import forwards
from networks import SIZES
from timing import interleaved, ratios, tell, tell_ratios

import causalgia as cg
from causalgia.sequences import one_hot

BASES = 4_000_000


def write(folder: Path, n: int) -> tuple[Path, Path]:
    """Write a random genome and a VCF of n variants in it; return both paths."""
    rng = np.random.default_rng(0)
    letters = rng.choice(np.frombuffer(b"ACGT", np.uint8), BASES).tobytes().decode()
    lines = (letters[i : i + 80] for i in range(0, BASES, 80))
    (folder / "genome.fa").write_text(">chr1\n" + "\n".join(lines) + "\n")
    places = np.sort(
        rng.choice(np.arange(1_000, BASES - 1_000), n, replace=False)
    ).tolist()
    other = {base: [x for x in "ACGT" if x != base] for base in "ACGT"}
    rows = (
        f"chr1\t{at + 1}\trs{i}\t{letters[at]}\t{other[letters[at]][i % 3]}\n"
        for i, at in enumerate(places)
    )
    (folder / "calls.vcf").write_text("".join(rows))
    return folder / "calls.vcf", folder / "genome.fa"


class Small(torch.nn.Module):
    """One convolution, its maxima, one output."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = torch.nn.Conv1d(4, 32, 11, padding=5)
        self.head = torch.nn.Linear(32, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Answer one-hot (n, 4, length) with (n, 1)."""
        return self.head(torch.relu(self.filters(x)).amax(2))


def many(
    n: int, n_null: int, length: int = 249, n_timed: int = 20_000
) -> dict[str, float]:
    """Return the ratio to bare forwards, and the memory for each variant in kB, of many
    variants of a small network.
    """
    net = Small().eval()
    predictor = cg.TorchPredictor(net, device="cpu")
    sequences = cg.Uniform(length=length).sample(n_timed, rng=0)["sequence"].values
    x = torch.from_numpy(one_hot(sequences)).float()
    batch = predictor.resolve_batch_size(length)
    forwards(net, x, batch)
    start = time.process_time()
    forwards(net, x, batch)
    bare = (time.process_time() - start) * 2 * (n + n_null) / n_timed
    with tempfile.TemporaryDirectory() as folder:
        files = write(Path(folder), n)
        before, start = (
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            time.process_time(),
        )
        null = cg.MatchedVariants(of="genome", min_nulls=50)
        experiment = cg.experiments.variants(
            *files, length=length, null=null, n_null=n_null
        )
        experiment.analyze(
            cg.run(experiment, predictor, rng=0, progress=False, keep="effects")
        )
        spent = time.process_time() - start
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        "\n"
        f"{n:,} variants and {n_null:,} null variants, a small network: {spent:.1f} s, "
        f"bare forwards {bare:.1f} s"
    )
    return {
        "many variants / bare forwards": spent / bare,
        "many variants, kB each": more / n,
    }


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="sixty variants, once")
    quick = parser.parse_args(argv).quick
    torch.set_num_threads(1)
    n, n_null, repeats = (60, 60, 1) if quick else (3_000, 300, 5)
    size = SIZES["DeepSTARR"]
    net = size.load()
    predictor = cg.TorchPredictor(net, device="cpu")
    x = torch.from_numpy(
        one_hot(
            cg.Uniform(length=size.length).sample(n + n_null, rng=0)["sequence"].values
        )
    ).float()
    batch = predictor.resolve_batch_size(size.length)

    def scored(key: int) -> None:
        null = cg.MatchedVariants(of="genome", min_nulls=50, seed=key)
        experiment = cg.experiments.variants(
            *files, length=size.length, null=null, n_null=n_null
        )
        experiment.analyze(
            cg.run(experiment, predictor, rng=0, progress=False, keep="effects")
        )

    with tempfile.TemporaryDirectory() as folder:
        files = write(Path(folder), n)
        contestants = {
            "bare forwards": lambda _: forwards(net, x, batch, 2),
            "variants, to q-values": scored,
        }
        times = interleaved(contestants, repeats)
    print(f"\n{n:,} variants and {n_null:,} null variants, DeepSTARR size")
    tell(times)
    found = {
        "variants / bare forwards": ratios(
            times, "variants, to q-values", "bare forwards"
        )
    }
    found |= many(200, 60, n_timed=200) if quick else many(100_000, 10_000)
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()
