"""Benchmarks in turn: `python benchmarks/run.py [--quick] [NAME ...]`. Ratios within
one run; nothing is judged.
"""

from __future__ import annotations

import sys
from importlib import import_module

from performed.parts import measurable


def main(argv: list[str]) -> None:
    """Run those that are named, or all."""
    options = [word for word in argv if word.startswith("--")]
    named = [word for word in argv if word not in options]
    for name in named or [
        *measurable(quick="--quick" in options),
        "engines",
        "posterior",
    ]:
        module = import_module(name)
        what = " ".join((module.__doc__ or "").split("\n\n")[0].split())
        print(f"\n== {name}: {what}", flush=True)
        module.main(options)


if __name__ == "__main__":
    main(sys.argv[1:])
