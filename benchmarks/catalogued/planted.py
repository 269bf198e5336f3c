"""Whether what was planted is what is answered: missed and false, over seeds, of every
entry of the catalogue at its defaults.

Run: python -m benchmarks.catalogued.planted [seeds] [names]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from .planted_cases import CASES, SEEDS, Found

NAMES = tuple(CASES)
_SIGNS = {1: "raises", -1: "lowers", 0: "negligible"}


def judged(one: Found) -> dict[str, int]:
    """Return how many planted effects there are, how many are missed, how many nothings
    there are, how many are told negligible, and how many statements are false.
    """
    acting = [key for key, sign in one.planted.items() if sign]
    nothing = [key for key, sign in one.planted.items() if not sign]
    right = [sign for key, sign in one.said.items() if sign == one.planted.get(key)]
    return {
        "planted": len(acting),
        "missed": sum(one.said.get(key) != one.planted[key] for key in acting),
        "nothing": len(nothing),
        "negligible": sum(one.said.get(key) == 0 for key in nothing),
        "false": len(wrong(one)),
        **{word: right.count(sign) for sign, word in _SIGNS.items() if sign},
    }


def wrong(one: Found) -> list[Any]:
    """Return the statements that are not true."""
    return [
        (key, sign)
        for key, sign in one.said.items()
        if sign is not None and sign != one.planted.get(key, 0)
    ]


def missing(one: Found) -> list[Any]:
    """Return the planted effects that are not stated."""
    return [
        (key, sign)
        for key, sign in one.planted.items()
        if sign and one.said.get(key) != sign
    ]


BY_RATE = ("variants, matched",)
"""Entries that promise a share of false directions, and no single sentence."""


def as_promised(name: str, one: dict[str, int]) -> bool:
    """Return whether nothing is missed, nothing stated is false (of `BY_RATE` 5 %), and
    "negligible" is reached where something does nothing.
    """
    directions = one["raises"] + one["lowers"] + one["false"]
    false = 0.05 * directions if name in BY_RATE else 0
    return (
        one["missed"] == 0
        and one["false"] <= false
        and (one["negligible"] > 0 or not one["nothing"])
    )


def counts(
    seeds: int | None = None, names: Sequence[str] = NAMES
) -> dict[str, dict[str, int]]:
    """Return entry -> counts over seeds, and the lines of the longest answer."""
    all_of: dict[str, dict[str, int]] = {}
    for name in names:
        total: dict[str, int] = {"seeds": 0, "lines": 0}
        n = SEEDS.get(name, 20) if seeds is None else seeds
        for seed in range(n):
            one = CASES[name](seed)
            total["seeds"] += 1
            total["lines"] = max(total["lines"], len(one.text.splitlines()))
            for key, count in judged(one).items():
                total[key] = total.get(key, 0) + count
            if wrong(one) or missing(one):
                print(name, seed, "false", wrong(one)[:3], "missed", missing(one)[:3])
        all_of[name] = total
    return all_of


if __name__ == "__main__":
    for name in sys.argv[2:] or NAMES:
        began = time.perf_counter()
        found = counts(int(sys.argv[1]) if len(sys.argv) > 1 else None, [name])
        print(f"{time.perf_counter() - began:6.1f} s", found, flush=True)
