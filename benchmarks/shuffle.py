"""Exact shuffles against their peers: time per base as ratios, all measured in one run.

Run `python benchmarks/shuffle.py` (`--quick` for a smaller one). The peers are tangermeme 1.6 and seqpro, which
are not dependencies of the library: `pip install tangermeme seqpro`; an absent peer is left out by name.

One draw per source. Against tangermeme, whose input and output is one-hot, both give the same int8 one-hot array, so
its making is paid by both; each starts from its own encoding. Against seqpro and the Fisher-Yates floor both take and
give one byte per base. The repeats of all contestants are interleaved,
each repeat has a fresh key (a branch predictor learns a repeated draw), and the smallest of the repeats counts.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING

import numpy as np

from causalgia.sequences.klet import klet_shuffle
from causalgia.sequences.samplers import sample_uniform, shuffle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Contestant = Callable[[int], object]

SHAPES = {(41, 8_000), (249, 4_000), (2_114, 500)}
_LETTERS = np.arange(4, dtype=np.uint8)[None, :, None]


def one_hot(tokens: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return int8 one-hot, (n, 4, length)."""
    return (tokens[:, None, :] == _LETTERS).view(np.int8)


def ours(tokens: NDArray[np.uint8]) -> dict[str, Contestant]:
    """Return our shuffles by name, on one thread."""
    units = np.arange(tokens.shape[0], dtype=np.uint64)
    return {
        "dinucleotide": lambda key: klet_shuffle(key, units, tokens, 2, threads=1),
        "dinucleotide, one-hot": lambda key: one_hot(klet_shuffle(key, units, tokens, 2, threads=1)),
        "3-let": lambda key: klet_shuffle(key, units, tokens, 3, threads=1),
        "mononucleotide (Fisher-Yates)": lambda key: shuffle(key, units, tokens, threads=1),
    }


def on_threads(tokens: NDArray[np.uint8], n_cores: int) -> dict[str, Contestant]:
    """Return our dinucleotide shuffle of sixteen times as many units, on one thread and on `n_cores`."""
    units = np.arange(16 * tokens.shape[0], dtype=np.uint64)
    parent = units.astype(np.int64) % tokens.shape[0]

    def contestant(threads: int) -> Contestant:
        return lambda key: klet_shuffle(key, units, tokens, 2, parent=parent, threads=threads)

    return {"16 x, 1 thread": contestant(1), f"16 x, {n_cores} threads": contestant(n_cores)}


def tangermeme(tokens: NDArray[np.uint8]) -> dict[str, Contestant]:
    """Return tangermeme's dinucleotide shuffle on one thread, int8 one-hot in and out."""
    try:
        import torch
        from tangermeme.ersatz import dinucleotide_shuffle
    except ImportError:
        print("tangermeme is not installed (pip install tangermeme): left out")
        return {}
    torch.set_num_threads(1)
    hot = torch.from_numpy(one_hot(tokens))
    return {"tangermeme, one-hot": lambda key: dinucleotide_shuffle(hot, n=1, random_state=key)}


def seqpro(tokens: NDArray[np.uint8]) -> dict[str, Contestant]:
    """Return seqpro's exact 2-let and 3-let shuffles, bytes in and out (RAYON_NUM_THREADS=1 is set on import)."""
    os.environ["RAYON_NUM_THREADS"] = "1"
    try:
        import seqpro as sp
    except ImportError:
        print("seqpro is not installed (pip install seqpro): left out")
        return {}
    text = np.frombuffer(b"ACGT", "S1")[tokens]

    def contestant(k: int) -> Contestant:
        return lambda key: sp.k_shuffle(text, k, alphabet=sp.DNA, length_axis=1, seed=key)

    return {"seqpro": contestant(2), "seqpro 3-let": contestant(3)}


def smallest_times(contestants: dict[str, Contestant], repeats: int) -> dict[str, float]:
    """Return each contestant's smallest wall time over interleaved repeats with fresh keys, after one warm-up."""
    best = dict.fromkeys(contestants, np.inf)
    for repeat in range(repeats + 1):
        for name, run in contestants.items():
            start = time.perf_counter()
            run(1_000_003 * repeat + 17)
            elapsed = time.perf_counter() - start
            if repeat:
                best[name] = min(best[name], elapsed)
    return best


def ratios(best: dict[str, float], n_cores: int) -> dict[str, float]:
    """Return the ratios of the targets, larger is faster but for the floor."""
    pairs = {
        "tangermeme / ours, same one-hot out (target >= 6)": ("tangermeme, one-hot", "dinucleotide, one-hot"),
        "seqpro / ours, tokens (target >= 3)": ("seqpro", "dinucleotide"),
        "seqpro / ours, 3-let": ("seqpro 3-let", "3-let"),
        "ours / Fisher-Yates floor (target <= 4)": ("dinucleotide", "mononucleotide (Fisher-Yates)"),
        f"1 thread / {n_cores} threads (target near {n_cores}, idle cores)": (
            "16 x, 1 thread",
            f"16 x, {n_cores} threads",
        ),
    }
    return {label: best[a] / best[b] for label, (a, b) in pairs.items() if a in best and b in best}


def main(argv: Sequence[str] | None = None) -> dict[int, dict[str, float]]:
    """Run the benchmark, print it and return the ratios by length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a quarter of the sequences, five repeats")
    parser.add_argument("--repeats", type=int, default=None, help="interleaved repeats (default 15; 5 when quick)")
    options = parser.parse_args(argv)
    repeats = options.repeats or (5 if options.quick else 15)
    n_cores = min(2, os.cpu_count() or 1)
    answer = {}
    if hasattr(os, "getloadavg"):
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for length, n in sorted(SHAPES):
        n_rows = n // 4 if options.quick else n
        tokens = sample_uniform(7, np.arange(n_rows), length)
        contestants = {**ours(tokens), **on_threads(tokens, n_cores), **tangermeme(tokens), **seqpro(tokens)}
        best = smallest_times(contestants, repeats)
        answer[length] = ratios(best, n_cores)
        print(f"\n{n_rows:,} random sequences of {length:,} letters; smallest of {repeats} interleaved repeats")
        for name, seconds in best.items():
            n_bases = tokens.size * (16 if name.startswith("16 x") else 1)
            print(f"  {name:<32}{seconds / n_bases * 1e9:8.2f} ns per base")
        for label, ratio in answer[length].items():
            print(f"  {label:<60}{ratio:6.2f} x")
    return answer


if __name__ == "__main__":
    main()
