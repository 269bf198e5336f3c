"""Exact shuffles against their peers: time per base as ratios, all measured in one run.

Run `python benchmarks/shuffle.py` (`--quick` for a smaller one). The peers are
tangermeme 1.6 and seqpro, which are not dependencies of the library:
`pip install tangermeme seqpro`; an absent peer is left out by name.

One draw per source. Against tangermeme, whose input and output is one-hot, both give
the same int8 one-hot array, so its making is paid by both; each starts from its own
encoding. Against seqpro and a plain Fisher-Yates both take and give one byte per base.
Of two threads the processor time of the calling one counts: it checks, starts the
other, and has the first share of the rows, which is the largest. That is what a clock
on the wall shows where two cores are idle; the wall's is printed too.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING

# before numba: tangermeme's kernel shares rows out among its threads
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
from timing import Times, interleaved, ratio, tell, tell_ratios

from causalgia.compiled import NUMPY_ALLOWANCE
from causalgia.sequences.samplers import sample_uniform, shuffle
from causalgia.sequences.shuffles import klet_shuffle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from timing import Contestant

# peers slow down where their arrays pass 32 MB
SHAPES = {41: 2_000, 249: 1_000, 2_114: 200, 196_608: 4}
_LETTERS_ON_THREADS = 20_000_000
_LETTERS = np.arange(4, dtype=np.uint8)[None, :, None]


def one_hot(tokens: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return int8 one-hot, (n, 4, length)."""
    return (tokens[:, None, :] == _LETTERS).view(np.int8)


def ours(tokens: NDArray[np.uint8]) -> dict[str, Contestant]:
    """Return our shuffles by name, on one thread."""
    units = np.arange(tokens.shape[0], dtype=np.uint64)
    return {
        "dinucleotide": lambda key: klet_shuffle(key, units, tokens, 2, threads=1),
        "dinucleotide, one-hot": lambda key: one_hot(
            klet_shuffle(key, units, tokens, 2, threads=1)
        ),
        "3-let": lambda key: klet_shuffle(key, units, tokens, 3, threads=1),
        "Fisher-Yates": lambda key: shuffle(key, units, tokens, threads=1),
    }


def on_threads(tokens: NDArray[np.uint8], letters: int) -> dict[str, Contestant]:
    """Return our dinucleotide shuffle of so many letters, in many times as many units,
    on one thread and on two.
    """
    units = np.arange(-(-letters // tokens.size) * tokens.shape[0], dtype=np.uint64)
    parent = units.astype(np.int64) % tokens.shape[0]

    def contestant(threads: int) -> Contestant:
        return lambda key: klet_shuffle(
            key, units, tokens, 2, parent=parent, threads=threads
        )

    return {"1 thread": contestant(1), "2 threads": contestant(2)}


def tangermeme(tokens: NDArray[np.uint8]) -> dict[str, Contestant]:
    """Return tangermeme's dinucleotide shuffle on one thread, int8 one-hot in and
    out.
    """
    try:
        import torch
        from tangermeme.ersatz import dinucleotide_shuffle
    except ImportError:
        print("tangermeme is not installed (pip install tangermeme): left out")
        return {}
    torch.set_num_threads(1)
    hot = torch.from_numpy(one_hot(tokens))
    return {"tangermeme": lambda key: dinucleotide_shuffle(hot, n=1, random_state=key)}


def seqpro(tokens: NDArray[np.uint8]) -> dict[str, Contestant]:
    """Return seqpro's exact 2-let and 3-let shuffles, bytes in and out
    (RAYON_NUM_THREADS=1 is set on import).
    """
    os.environ["RAYON_NUM_THREADS"] = "1"
    try:
        import seqpro as sp
    except ImportError:
        print("seqpro is not installed (pip install seqpro): left out")
        return {}
    text = np.frombuffer(b"ACGT", "S1")[tokens]

    def contestant(k: int) -> Contestant:
        return lambda key: sp.k_shuffle(
            text, k, alphabet=sp.DNA, length_axis=1, seed=key
        )

    return {"seqpro": contestant(2), "seqpro 3-let": contestant(3)}


def ratios(times: Times) -> dict[str, float]:
    """Return the ratios of the targets on one thread."""
    pairs = {
        "tangermeme / ours": ("tangermeme", "dinucleotide, one-hot"),
        "seqpro / ours": ("seqpro", "dinucleotide"),
        "seqpro / ours, 3-let": ("seqpro 3-let", "3-let"),
        "ours / Fisher-Yates": ("dinucleotide", "Fisher-Yates"),
    }
    return {
        name: ratio(times, *pair)
        for name, pair in pairs.items()
        if set(pair) <= set(times)
    }


def of_threads(
    tokens: NDArray[np.uint8], repeats: int, letters: int
) -> dict[str, float]:
    """Return what a second thread gains: by the calling thread's processor time, and by
    the clock on the wall.
    """
    clocks = {
        "1 thread / 2": time.thread_time,
        "1 thread / 2 on the wall": time.perf_counter,
    }
    return {
        name: ratio(
            interleaved(on_threads(tokens, letters), repeats, clock=clock),
            "1 thread",
            "2 threads",
        )
        for name, clock in clocks.items()
    }


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratios, with the length in their
    names.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer sequences, one repeat"
    )
    options = parser.parse_args(argv)
    repeats, letters = (
        (1, _LETTERS_ON_THREADS // 40) if options.quick else (11, _LETTERS_ON_THREADS)
    )
    NUMPY_ALLOWANCE.covers(10**18)  # nothing more: the compiled shuffles are measured
    answer = {}
    for length, n in SHAPES.items():
        n_rows = max(1, n // 16) if options.quick else n
        tokens = sample_uniform(7, np.arange(n_rows), length)
        times = interleaved(
            {**ours(tokens), **tangermeme(tokens), **seqpro(tokens)}, repeats
        )
        found = ratios(times) | of_threads(tokens, repeats, letters)
        print(
            "\n"
            f"dinucleotide shuffles of {n_rows:,} random sequences of {length:,} "
            "letters"
        )
        tell(times)
        tell_ratios(found)
        answer |= {f"{name}, L = {length}": value for name, value in found.items()}
    return answer


if __name__ == "__main__":
    main()
