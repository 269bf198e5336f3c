"""Missed and false rates of the screens at their defaults, on a network with three planted
motifs (one that is read on the forward strand alone, one on both, one that lowers) and a
term of composition.

    python benchmarks/catalogued/screen_rates.py [--seeds 20] [--kmers 2]

A motif is missed if it was planted and is not read; a motif is false if it is read and
its true effect, exact for this network, lies inside of the range of random sequences.
The planted ones are spelled on either strand, as databases do.
"""

from __future__ import annotations

import argparse

import numpy as np

import causalgia as cg
from causalgia.choices import DIRECTIONS
from causalgia.sequences.alphabet import reverse_complement_iupac
from causalgia.zoo import EndGC, MotifCount, Oracle

PLANTED = {"AP-1": "TGAGTCA", "TEAD": "GGAATG", "ZEB": "CAGGTG"}
NETWORK = Oracle(
    MotifCount("TGAGTCA", 0.6),
    MotifCount("GGAATG", 0.4, "both"),
    MotifCount("CAGGTG", -0.5, "both"),
    EndGC(-0.3, last=60),
    scale="score",
)
NULL = cg.Uniform(length=60)


def listed(rng: np.random.Generator, n: int) -> dict[str, str]:
    """Return the planted motifs, each on a random strand, and n others of 6 to 10 bases
    that hold none of them.
    """
    found = {
        name: word if rng.random() < 0.5 else reverse_complement_iupac(word)
        for name, word in PLANTED.items()
    }
    taken = [*PLANTED.values(), *map(reverse_complement_iupac, PLANTED.values())]
    while len(found) < n + len(PLANTED):
        word = "".join(rng.choice(list("ACGT"), rng.integers(6, 11)))
        if not any(one in word for one in taken):
            found[f"other {len(found)}"] = word
    return found


def rates(
    experiment: cg.experiments.Experiment, planted: set[str], rng: int
) -> list[int]:
    """Return how many are planted, missed, read, and falsely read."""
    outcomes = cg.run(experiment, NETWORK, rng=rng, progress=False, keep="moments")
    answer = experiment.analyze(outcomes, rng=rng)
    table = answer.findings["motifs"].isel(task=0)
    read = np.isin(table["verdict"].to_numpy(), DIRECTIONS)
    rows = answer.decisions.isel(task=0)
    rows = rows.sel(contrast=~rows["is_placebo"])
    truth = NETWORK.true_ace(experiment).isel(task=0)
    truth = truth.sel(contrast=rows["contrast"].to_numpy()).to_numpy()
    inside = (truth >= rows["rope_lower"]) & (truth <= rows["rope_upper"])
    claimed = np.isin(rows["verdict"].to_numpy(), DIRECTIONS)
    there = np.isin(table["motif"].to_numpy().astype(str), list(planted))
    return [
        int(there.sum()),
        int((there & ~read).sum()),
        int(claimed.sum()),
        int((claimed & inside.to_numpy()).sum()),
    ]


def counts(seeds: int = 20, kmers: int = 2) -> dict[str, dict[str, int]]:
    """Return screen -> runs, how many motifs are planted and missed, and how many rows
    are read and falsely read.
    """
    found: dict[str, list[list[int]]] = {"motif_screen": [], "kmer_screen": []}
    for seed in range(seeds):
        motifs = listed(np.random.default_rng(seed), 60)
        experiment = cg.experiments.motif_screen(motifs, NULL)
        found["motif_screen"].append(rates(experiment, set(PLANTED), seed))
    six = [word for word in PLANTED.values() if len(word) == 6]
    planted = {*six, *map(reverse_complement_iupac, six)}
    found["kmer_screen"] = [
        rates(cg.experiments.kmer_screen(NULL), planted, seed) for seed in range(kmers)
    ]
    names = ("planted", "missed", "read", "false")
    return {
        name: {"runs": len(runs)}
        | dict(zip(names, np.sum(runs, axis=0).tolist(), strict=True))
        for name, runs in found.items()
        if runs
    }


def main() -> None:
    """Print a line for each screen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--kmers", type=int, default=2)
    options = parser.parse_args()
    for name, one in counts(options.seeds, options.kmers).items():
        print(f"{name}: {one}", flush=True)


if __name__ == "__main__":
    main()
