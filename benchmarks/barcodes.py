"""Barcodes that keep a Levenshtein distance: against words that keep none, and against
measuring every pair.

Run `python benchmarks/barcodes.py` (`--quick` for a smaller one). The peer is
rapidfuzz, whose Levenshtein distance is C++ with early stopping: the same greedy choice
among the same words, each measured against all that were kept before. It is not a
dependency of the library: `pip install rapidfuzz`; where it is absent it is left out by
name.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from timing import interleaved, ratios, tell, tell_ratios

from causalgia.mpra import BarcodeRules
from causalgia.mpra.libraries.barcode_sets import barcodes, draw_barcodes
from causalgia.sequences import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from timing import Contestant

LEAST = 3


def every_pair(words: list[str]) -> int:
    """Return how many words are kept when each is measured against all kept before."""
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import extractOne

    kept: list[str] = []
    for word in words:
        if (
            extractOne(word, kept, scorer=Levenshtein.distance, score_cutoff=LEAST - 1)
            is None
        ):
            kept.append(word)
    return len(kept)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="1,000 and 10,000 barcodes instead of 10,000 and 240,000",
    )
    quick = parser.parse_args(argv).quick
    few, many = (1_000, 10_000) if quick else (10_000, 240_000)
    rules, none = (BarcodeRules(length=15, min_distance=least) for least in (LEAST, 1))
    contestants: dict[str, Contestant] = {
        f"{few:,} of 15 nt": lambda key: draw_barcodes(few, rules, rng=key),
        f"{few:,} of 15 nt, all different": lambda key: draw_barcodes(
            few, none, rng=key
        ),
        f"{many:,} of 20 nt": lambda key: barcodes(
            many, length=20, min_distance=LEAST, rng=key
        ),
    }
    if find_spec("rapidfuzz"):
        words = decode(np.random.default_rng(0).integers(0, 4, (few, 15), np.uint8))
        contestants[f"{few:,} of 15 nt, every pair by rapidfuzz"] = lambda _: (
            every_pair(words)
        )
    else:
        print("  rapidfuzz is absent: pip install rapidfuzz")
    times = interleaved(contestants, 1 if quick else 5)
    tell(times)
    first, different, second, *peer = times
    found = {
        "distance 3 / all different": ratios(times, first, different),
        "many / few": ratios(times, second, first),
    }
    if peer:
        found["rapidfuzz / ours"] = ratios(times, peer[0], first)
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()
