"""All substitutions of sequences, and many words on many backgrounds, recomputed in
part: beside full passes.

A session of ``TorchPredictor(..., incremental=True)`` is asked for every single-base
substitution of one sequence or of a few, control passes included; `cg.run` for the same
as arms of a trial, and for 100 words on each background; and
`cg.attribution.interactions` for the 3 x 3 exchanges of all pairs of 60 positions. Few
and short sequences, on five networks, are asked of the same predictor with and without
``incremental=True``: there full passes are less work, and are to be chosen. Full
passes are timed on some sequences, in batches of the size that is fastest by hand. One
thread, processor time, contestants in turn; every repeat has sequences of its own.

    python benchmarks/mutagenesis.py [--quick] [--only DeepSTARR]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from incremental import incremental
from marginalize import fastest, forwards
from networks import SIZES, BPNetSize, DeepSTARRSize, ResidualBindSize
from timing import interleaved, ratio, tell, tell_ratios
from torch import nn

import causalgia as cg
from causalgia.sequences import one_hot

LETTERS = "ACGT"


def network(name: str) -> tuple[nn.Module, int, tuple[int, ...]]:
    """Return a network in eval mode, the length that it reads, and batch sizes to
    try.
    """
    if name == "ResidualBind, 200 bp":
        torch.manual_seed(0)
        return ResidualBindSize(200).eval(), 200, (16, 32, 64)
    return SIZES[name].load(), SIZES[name].length, SIZES[name].batches


def random_tokens(n: int, length: int, key: int) -> np.ndarray:
    """Return random sequences (n, length)."""
    return np.random.default_rng(key).integers(0, 4, (n, length)).astype(np.uint8)


def substitutions(base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every substitution of sequences (n, length), (n * 3 * length, length), and
    the row of each.
    """
    rows, places, steps = (index.reshape(-1) for index in np.indices((*base.shape, 3)))
    edited = base[rows]
    edited[np.arange(len(rows)), places] = (base[rows, places] + 1 + steps) % 4
    return edited, rows


def in_session(net: nn.Module, length: int, n: int) -> Callable[[int], object]:
    """Return a contestant: every substitution of n sequences, by a predictor that has
    read the network.
    """
    predictor = incremental(net)

    def run(key: int) -> object:
        base = random_tokens(n, length, key)
        return predictor.edits(base).answers(*substitutions(base))

    return run


def in_part(
    predictor: cg.TorchPredictor,
    base: np.ndarray,
    edited: np.ndarray,
    rows: np.ndarray,
) -> object:
    """Ask a session for edits."""
    return predictor.edits(base).answers(edited, rows)


def repeated(do: Callable[[], object], times: int, _: int) -> None:
    """Do something so many times."""
    for _ in range(times):
        do()


def of_pairs(net: nn.Module, length: int, n_positions: int) -> Callable[[int], object]:
    """Return a contestant: the interactions of all pairs of positions in the middle of
    a sequence.
    """
    predictor, first = incremental(net), (length - n_positions) // 2
    positions = range(first, first + n_positions)
    return lambda key: cg.attribution.interactions(
        random_tokens(1, length, key), predictor, positions=positions, progress=False
    )


def mutated(n: int, length: int) -> cg.Design:
    """Return a trial of every letter at every position of n sequences."""
    of = ["".join(LETTERS[t] for t in row) for row in random_tokens(n, length, 1)]
    arms = {"untreated": cg.Untreated()}
    arms |= {
        f"{letter}{at}": cg.Embed(letter, at=at)
        for at in range(length)
        for letter in LETTERS
    }
    return cg.Design(null=cg.Genomic(of=of), arms=arms, n_units=n)


def screened(n_words: int, n: int, length: int) -> cg.Design:
    """Return a trial of motifs of ten letters in the middle of n backgrounds."""
    drawn = random_tokens(n_words, 10, 2)
    words = dict.fromkeys("".join(LETTERS[t] for t in row) for row in drawn)
    arms = {"untreated": cg.Untreated()} | {
        word: cg.Embed(word, at=length // 2 - 5) for word in words
    }
    return cg.Design(null=cg.Uniform(length=length), arms=arms, n_units=n)


def compared(name: str, *, quick: bool) -> dict[str, float]:
    """Time the contestants on one network, print them and return the ratios."""
    net, length, batches = network(name)
    if quick:
        torch.manual_seed(0)
        net, length = (
            nn.Sequential(
                nn.Conv1d(4, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 1)
            ).eval(),
            40,
        )
    repeats, turns = (1, 1) if quick else (7, 3)
    x = torch.from_numpy(one_hot(random_tokens(4 * max(batches), length, 0))).float()
    batch = fastest(lambda size: forwards(net, x, size), batches, turns)

    def trial(design: cg.Design) -> Callable[[int], object]:
        return lambda key: cg.run(design, incremental(net), rng=key, progress=False)

    full = f"full passes of {len(x)} sequences, batch {batch}"
    jobs: dict[str, tuple[int, Callable[[int], object]]] = {}
    for n in (1,) if name == "BPNet" else (1, 4, 16):
        jobs[f"substitutions of {n}, session"] = (
            3 * length * n,
            in_session(net, length, n),
        )
    if name == "DeepSTARR":
        n, n_units, n_words = (2, 4, 3) if quick else (16, 200, 100)
        jobs["substitutions of 16, run"] = (
            (3 * length + 1) * n,
            trial(mutated(n, length)),
        )
        jobs["100 words x 200, run"] = (
            (n_words + 1) * n_units,
            trial(screened(n_words, n_units, length)),
        )
        m = 10 if quick else 60
        jobs["pairs of 60 positions, interactions"] = (
            9 * m * (m - 1) // 2 + 3 * m + 1,
            of_pairs(net, length, m),
        )
    times = interleaved(
        {full: lambda _: forwards(net, x, batch)}
        | {job: run for job, (_, run) in jobs.items()},
        repeats,
    )
    print(f"\n{name}, L = {length}")
    tell(times)
    found = {
        f"{job} / full passes, {name}": ratio(times, job, full) * len(x) / n
        for job, (n, _) in jobs.items()
    }
    tell_ratios(found)
    return found


def short(*, quick: bool) -> dict[str, float]:
    """Time substitutions of few and short sequences with and without
    ``incremental=True``, print the ratios and return the largest.
    """
    makers: dict[str, Callable[[int], nn.Module]] = {
        "DeepSTARR": DeepSTARRSize,
        "ResidualBind": ResidualBindSize,
        "BPNet": lambda _: BPNetSize(),
        "one convolution": lambda _: nn.Sequential(
            nn.Conv1d(4, 64, 15, padding=7),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(64, 1),
        ),
        "dense": lambda length: nn.Sequential(
            nn.Flatten(), nn.Linear(4 * length, 256), nn.ReLU(), nn.Linear(256, 1)
        ),
    }
    lengths, numbers = ((20,), (1,)) if quick else ((20, 41, 80, 120), (1, 4, 16))
    largest = 0.0
    for name, make in makers.items():
        for length in lengths[:2] if name == "BPNet" else lengths:
            torch.manual_seed(0)
            net = make(length).eval()
            plain, part = cg.TorchPredictor(net, device="cpu"), incremental(net)
            told = []
            for n in numbers:
                base = random_tokens(n, length, 0)
                edited, rows = substitutions(base)
                asked = partial(plain.predict, edited)
                asked()
                start = time.process_time()
                asked()
                # calls of a time that a clock measures
                calls = 1 + int(0.03 / (time.process_time() - start))
                times = interleaved(
                    {
                        "full": partial(repeated, asked, calls),
                        "part": partial(
                            repeated, partial(in_part, part, base, edited, rows), calls
                        ),
                    },
                    1 if quick else 5,
                )
                told.append(ratio(times, "part", "full"))
            largest = max(largest, *told)
            cells = "  ".join(
                f"{n}: {x:.3f}" for n, x in zip(numbers, told, strict=True)
            )
            print(f"{name}, L = {length}, substitutions of  {cells}")
    return {"few and short, the slowest / full passes": largest}


NAMES = ("DeepSTARR", "ResidualBind, 200 bp", "BPNet")


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small network, once")
    parser.add_argument("--only", choices=NAMES, nargs="*", help="only these networks")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    found: dict[str, float] = {}
    for name in options.only or NAMES:
        found |= compared(name, quick=options.quick)
    return found if options.only else found | short(quick=options.quick)


if __name__ == "__main__":
    main()
