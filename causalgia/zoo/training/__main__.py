"""`python -m causalgia.zoo.training` trains the zoo's networks anew: about two minutes each on one core."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from causalgia.zoo.trained import ARCHITECTURES, STORIES, WEIGHTS


def main() -> None:
    """Train the ensembles that the command line names and write them into a folder."""
    from causalgia.zoo.training.torch_members import train_ensemble

    asked = _asked()
    asked.into.mkdir(parents=True, exist_ok=True)
    for story in asked.story or STORIES:
        for network in asked.network or ARCHITECTURES:
            train_ensemble(story, network, asked.into, _say)


def _asked() -> Namespace:
    parser = ArgumentParser(prog="python -m causalgia.zoo.training", description="Train the zoo's networks.")
    parser.add_argument("story", nargs="*", choices=[*STORIES, []], help="all by default")
    parser.add_argument("--network", action="append", choices=ARCHITECTURES, help="all by default")
    parser.add_argument("--into", type=Path, default=WEIGHTS, help="folder for weights and cards; the package's own")
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
