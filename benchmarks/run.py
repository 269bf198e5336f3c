"""Every benchmark in turn: `python benchmarks/run.py [--quick]`. Ratios within one run; no test asserts a time."""

from __future__ import annotations

import sys

import catalogue
import imports
import maxt
import posterior
import shuffle
import trial


def main(argv: list[str]) -> None:
    """Run them all."""
    for part in (imports, shuffle, trial, catalogue, maxt, posterior):
        print(f"\n== {part.__doc__.splitlines()[0]}")
        part.main(argv)


if __name__ == "__main__":
    main(sys.argv[1:])
