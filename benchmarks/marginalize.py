"""A trial of 10 motifs x 1,000 units against the bare forwards it needs, and against
tangermeme's `marginalize`.

The floor is 11 forwards of all units (one control, ten motifs) over one-hot arrays made
beforehand, at the batch size that is fastest when tried by hand. `cg.run` is timed from
end to end: it finds its own batch size, draws the backgrounds, embeds, looks for
sequences it has met, makes one-hot, and returns a Dataset. tangermeme predicts the
control again for each motif, at the batch size that is fastest for it. One thread,
processor time, contestants in turn. Every part of a network is recomputed here;
`incremental.py` measures what is gained where it is not.

    python benchmarks/marginalize.py [--quick] [--network DeepSTARR]

tangermeme is a peer and no dependency of ours: `pip install tangermeme==1.6.0` beside
causalgia to include it.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from networks import SIZES, Sized
from timing import interleaved, ratio, tell, tell_ratios
from torch import nn

import causalgia as cg
from causalgia.sequences import one_hot

MOTIFS = [
    "ATGACTCAT",
    "AGATAAGA",
    "TATCGATA",
    "CACGTG",
    "GGAATG",
    "TGACGTCA",
    "CCGGAAGT",
    "GATTA",
    "AACAATGG",
    "CACCC",
]


def forwards(net: nn.Module, x: torch.Tensor, batch: int, times: int = 1) -> None:
    """Run every row of x through the network, so many times."""
    with torch.inference_mode():
        for _ in range(times):
            for start in range(0, len(x), batch):
                net(x[start : start + batch])


def marginalize(
    net: nn.Module, x: torch.Tensor, batch: int, motifs: Sequence[str] = MOTIFS
) -> None:
    """Do what a user of tangermeme does: a call for each motif, the control predicted
    again in each.
    """
    from tangermeme.marginalize import marginalize as peer

    for motif in motifs:
        peer(net, x, motif, batch_size=batch, device="cpu")


def fastest(run: Callable[[int], object], batches: Sequence[int], turns: int) -> int:
    """Return the batch size with the least processor time of some turns."""
    spent = dict.fromkeys(batches, np.inf)
    for _ in range(turns):
        for batch in batches:
            start = time.process_time()
            run(batch)
            spent[batch] = min(spent[batch], time.process_time() - start)
    return min(spent, key=lambda batch: spent[batch])


def trial(size: Sized, n_units: int) -> cg.Design:
    """Return the design: the motifs in the middle of uniform backgrounds, against
    backgrounds left alone.
    """
    at = size.length // 2 - 5
    arms = {
        "untreated": cg.Untreated(),
        **{word: cg.Embed(word, at=at) for word in MOTIFS},
    }
    return cg.Design(null=cg.Uniform(length=size.length), arms=arms, n_units=n_units)


def compared(name: str, *, quick: bool) -> dict[str, float]:
    """Time the contestants on one network, print them and return the ratios."""
    size = SIZES[name]
    n_units, repeats, turns = (2, 1, 1) if quick else (size.n_units, 5, 3)
    net, design = size.load(), trial(size, n_units)
    predictor = cg.TorchPredictor(net, device="cpu")
    x = torch.from_numpy(
        one_hot(design.null.sample(n_units, rng=0)["sequence"].values)
    ).float()
    some = x[: max(n_units // 4, size.batches[-1])]  # for batches to be compared on
    batch = fastest(lambda batch: forwards(net, some, batch), size.batches, turns)
    contestants = {
        f"11 bare forwards, batch {batch}": lambda _: forwards(
            net, x, batch, 1 + len(MOTIFS)
        ),
        "causalgia.run": lambda key: cg.run(design, predictor, rng=key, progress=False),
    }
    if importlib.util.find_spec("tangermeme"):
        its = fastest(
            lambda batch: marginalize(net, some, batch, MOTIFS[:2]), size.batches, turns
        )
        contestants[f"tangermeme marginalize, batch {its}"] = lambda _: marginalize(
            net, x, its
        )
    times = interleaved(contestants, repeats)
    own = predictor.resolve_batch_size(size.length)
    print(
        "\n"
        f"10 motifs x {n_units:,} units, {name} size, L = {size.length}; cg.run finds "
        f"batch {own}"
    )
    tell(times)
    floor, ours, *peers = times
    found = {f"run / bare forwards, {name}": ratio(times, ours, floor)}
    for peer in peers:
        found[f"tangermeme / run, {name}"] = ratio(times, peer, ours)
        found[f"tangermeme / bare forwards, {name}"] = ratio(times, peer, floor)
    tell_ratios(found)
    return found


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two units, once")
    parser.add_argument(
        "--network", choices=tuple(SIZES), action="append", help="only this one"
    )
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    return {
        k: v
        for name in options.network or SIZES
        for k, v in compared(name, quick=options.quick).items()
    }


if __name__ == "__main__":
    main()
