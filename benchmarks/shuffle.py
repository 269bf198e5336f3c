"""Exact dinucleotide shuffles against their peers: ratios of processor time, all measured
in one run.

Run `python benchmarks/shuffle.py` (`--quick` for a smaller one). The peers are
tangermeme 1.6 and seqpro, which are not dependencies of the library:
`pip install tangermeme seqpro`; an absent peer is left out by name.

Against tangermeme, whose input and output is one-hot, both give the same int8 one-hot
array, so its making is paid by both; each starts from its own encoding. Many shuffles
are one of each source. Few are both n of one source and one of n, by the draw of a
`cg.DinucleotideShuffle`, which also finds the source of each unit; of 1 to 100 of them,
of 41 to 2,114 bases, the worst ratio of a repeat counts. Against seqpro both take and
give one byte per base. Compiled code has been loaded on both sides.

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
from timing import Figure, interleaved, ratios, tell_ratios

import causalgia as cg
from causalgia.compiled import NUMPY_ALLOWANCE
from causalgia.sequences.samplers import sample_uniform
from causalgia.sequences.shuffles import klet_shuffle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from timing import Contestant

# peers slow down where their arrays pass 32 MB
SHAPES = {41: 2_000, 249: 1_000, 2_114: 200}
FEW, SHORT_AND_LONG = (1, 10, 100), (41, 100, 249, 1_000, 2_114)
_CALLS = 20  # of a few shuffles, in a repeat
_LETTERS_ON_THREADS = 20_000_000
_LETTERS = np.arange(4, dtype=np.uint8)[None, :, None]


def one_hot(tokens: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return int8 one-hot, (n, 4, length)."""
    return (tokens[:, None, :] == _LETTERS).view(np.int8)


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


def tangermeme(tokens: NDArray[np.uint8], n: int = 1) -> dict[str, Contestant]:
    """Return n shuffles of each sequence by tangermeme on one thread, int8 one-hot in
    and out.
    """
    try:
        import torch
        from tangermeme.ersatz import dinucleotide_shuffle
    except ImportError:
        print("tangermeme is not installed (pip install tangermeme): left out")
        return {}
    torch.set_num_threads(1)
    hot = torch.from_numpy(one_hot(tokens))
    return {"tangermeme": lambda key: dinucleotide_shuffle(hot, n=n, random_state=key)}


def seqpro(tokens: NDArray[np.uint8]) -> dict[str, Contestant]:
    """Return seqpro's exact shuffle, bytes in and out (RAYON_NUM_THREADS=1 is set on
    import).
    """
    os.environ["RAYON_NUM_THREADS"] = "1"
    try:
        import seqpro as sp
    except ImportError:
        print("seqpro is not installed (pip install seqpro): left out")
        return {}
    text = np.frombuffer(b"ACGT", "S1")[tokens]
    return {
        "seqpro": lambda key: sp.k_shuffle(
            text, 2, alphabet=sp.DNA, length_axis=1, seed=key
        )
    }


def of_many(length: int, n: int, repeats: int) -> dict[str, Figure]:
    """Return the ratios of one shuffle of each of n sequences."""
    tokens, units = sample_uniform(7, np.arange(n), length), np.arange(n)
    ours: dict[str, Contestant] = {
        "ours": lambda key: klet_shuffle(key, units, tokens, 2, threads=1),
        "ours, one-hot": lambda key: one_hot(
            klet_shuffle(key, units, tokens, 2, threads=1)
        ),
    }
    times = interleaved(ours | tangermeme(tokens) | seqpro(tokens), repeats)
    return {
        f"{peer} / ours, L = {length}": ratios(times, peer, own)
        for peer, own in (("tangermeme", "ours, one-hot"), ("seqpro", "ours"))
        if peer in times
    }


def of_few(lengths: Sequence[int], repeats: int) -> dict[str, Figure]:
    """Return the worst ratio to tangermeme of n shuffles of one sequence, and of one of
    each of n, over several n and lengths.
    """
    found: dict[str, list[NDArray[np.float64]]] = {}
    for length in lengths:
        for n in FEW:
            tokens = sample_uniform(7, np.arange(n), length)
            for name, sources, each in (
                ("n of one", tokens[:1], n),
                ("one of n", tokens, 1),
            ):
                if peer := tangermeme(sources, each):
                    null = cg.DinucleotideShuffle(of=sources)
                    found.setdefault(name, []).append(
                        _of_few(null, n, peer["tangermeme"], repeats)
                    )
    return {
        f"tangermeme / ours, few, {name}": np.min(each, axis=0)
        for name, each in found.items()
    }


def _of_few(
    null: cg.DinucleotideShuffle, n: int, peer: Contestant, repeats: int
) -> NDArray[np.float64]:
    units = np.arange(n, dtype=np.uint64)

    def ours(key: int) -> object:
        return one_hot(null.draw(units, key=key, n_units=n))

    def called(run: Contestant) -> Contestant:
        return lambda key: [run(key + i) for i in range(_CALLS)]

    times = interleaved({"peer": called(peer), "ours": called(ours)}, repeats)
    return ratios(times, "peer", "ours")


def of_threads(length: int, n: int, repeats: int, letters: int) -> dict[str, Figure]:
    """Return what a second thread gains: by the calling thread's processor time, and by
    the clock on the wall.
    """
    tokens = sample_uniform(7, np.arange(n), length)
    clocks = {
        "1 thread / 2": time.thread_time,
        "1 thread / 2 on the wall": time.perf_counter,
    }
    return {
        f"{name}, L = {length}": ratios(
            interleaved(on_threads(tokens, letters), repeats, clock=clock),
            "1 thread",
            "2 threads",
        )
        for name, clock in clocks.items()
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Figure]:
    """Run the benchmark, print it and return the ratios, with the length in their
    names.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer sequences, one repeat"
    )
    quick = parser.parse_args(argv).quick
    repeats, less = (1, 40) if quick else (5, 1)
    NUMPY_ALLOWANCE.covers(10**18)  # nothing more: the compiled shuffles are measured
    found: dict[str, Figure] = {}
    for length, n in SHAPES.items():
        found |= of_many(length, max(1, n // less), repeats)
    found |= of_few(SHORT_AND_LONG[:1] if quick else SHORT_AND_LONG, repeats)
    found |= of_threads(249, SHAPES[249], repeats, _LETTERS_ON_THREADS // less)
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()
