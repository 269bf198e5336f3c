"""Train the networks of the zoo: ``python -m benchmarks.zoo_training``, about two
minutes a network on one core.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from causalgia.zoo.trained import ARCHITECTURES, STORIES, WEIGHTS

from .ensembles import train_ensemble


def main() -> None:
    """Train the ensembles that the command line names and write them into a folder."""
    arguments = _parse_arguments()
    arguments.into.mkdir(parents=True, exist_ok=True)
    for story in arguments.story or STORIES:
        for network in arguments.network or ARCHITECTURES:
            train_ensemble(story, network, arguments.into, _print_line)


def _parse_arguments() -> Namespace:
    parser = ArgumentParser(
        prog="python -m benchmarks.zoo_training",
        description="Train the zoo's networks.",
    )
    parser.add_argument(
        "story", nargs="*", choices=[*STORIES, []], help="all by default"
    )
    parser.add_argument(
        "--network", action="append", choices=ARCHITECTURES, help="all by default"
    )
    parser.add_argument(
        "--into",
        type=Path,
        default=WEIGHTS,
        help="folder for weights and cards; the package's own",
    )
    return parser.parse_args()


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
