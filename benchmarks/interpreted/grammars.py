"""Networks that others trained on simulated grammars (DragoNN): maps of sequences with
sites drawn from the motifs.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import causalgia as cg
from interpreted.cases import Case, Site
from interpreted.interpretation import interpretation
from interpreted.methods import mapped
from interpreted.zoo import as_results

N = 40
_INFORMATIVE = 1.0  # bits of a column whose bases count as read
_PSEUDO = 0.001
LARGEST = "n12000"
ON_ONE = ("ISM", "integrated gradients")
METHODS: dict[str, Callable[..., Any]] = {
    "ISM": partial(mapped, method="ism"),
    "gradient": partial(mapped, method="gradient"),
    "integrated gradients": partial(
        mapped, method="integrated_gradients", n_baselines=8
    ),
    "DeepLIFT": partial(mapped, method="deeplift", n_baselines=8),
}


def measured(method: str, folder: Path, *, quick: bool = False) -> dict[str, Any]:
    """Return the scores of a method on the networks of one folder; of the slow ones,
    one of a grammar.
    """
    made = cases(folder, largest=method in ON_ONE)
    return as_results(
        interpretation(METHODS[method], cases=made[:1] if quick else made)
    )


def cases(folder: Path, *, largest: bool = False) -> list[Case]:
    """Return a case for each grammar and task, with its networks that learned, and one
    of those that did not.
    """
    if not (folder / "truth.json").is_file():
        raise SystemExit(
            f"{folder} has no truth.json; give the folder of the networks of simulated "
            "grammars"
        )
    truth = json.loads((folder / "truth.json").read_text())
    spec = importlib.util.spec_from_file_location("arch", folder / "arch.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{folder} has no arch.py")
    arch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(arch)
    backgrounds, made = np.load(folder / "backgrounds.npz"), []
    for grammar, rule in truth["grammars"].items():
        of = {
            name: one
            for name, one in truth["networks"].items()
            if one["grammar"] == grammar
        }
        for task in rule["tasks"]:
            bare, tokens, sites, read, ignored = planted(
                grammar, task, rule, truth["motifs"], backgrounds
            )
            for learned in (True, False):
                names = [
                    name
                    for name, one in of.items()
                    if one["auroc"] and one["learned"][task] == learned
                ]
                names = (
                    [name for name in names if name.endswith(LARGEST)]
                    if largest
                    else names
                )
                if not names:
                    continue
                networks = {
                    name.removeprefix(f"{grammar}_"): cg.TorchPredictor(
                        arch.load(folder / f"{name}.safetensors"), heads=rule["tasks"], tasks=[task], scale="logit",
                        device="cpu",
                    )
                    for name in names
                }  # fmt: skip
                made.append(
                    Case(
                        name=f"{grammar}: {task}" + ("" if learned else ", not learned"), predictors=networks,
                        backgrounds=bare, sequences=tokens, sites=sites,
                        read=read if learned else np.zeros_like(read), ignored=ignored,
                    )
                )  # fmt: skip
    return made


def planted(
    grammar: str,
    task: str,
    rule: dict[str, Any],
    motifs: dict[str, Any],
    backgrounds: Any,
) -> Any:
    """Return backgrounds, sequences with sites drawn from the motifs, the sites, and
    the bases read and not judged.

    Read are the bases of columns of one bit or more; the other columns of a site are
    not judged. Of several motifs, a task reads its own; the others belong to its
    backgrounds.
    """
    generator = np.random.default_rng(0)
    bare = backgrounds[f"tokens_{rule['length']}"][:N].copy()
    tokens, sites = bare.copy(), []
    read, ignored = (
        np.zeros(tokens.shape, dtype=bool),
        np.zeros(tokens.shape, dtype=bool),
    )
    for unit, row in enumerate(tokens):
        for name, start, both in _places(grammar, rule, motifs, generator):
            p = np.array(motifs[name]["probabilities_ACGT"]) + _PSEUDO
            p /= p.sum(1, keepdims=True)
            word = np.array(
                [generator.choice(4, p=column) for column in p], dtype=np.uint8
            )
            informative = 2 + (p * np.log2(p)).sum(1) >= _INFORMATIVE
            if both and generator.random() < 0.5:
                word, informative = 3 - word[::-1], informative[::-1]
            stop = start + len(word)
            row[start:stop] = word
            if grammar == "multi" and not name.startswith(task):
                bare[unit, start:stop] = word
                continue
            read[unit, start:stop], ignored[unit, start:stop] = (
                informative,
                ~informative,
            )
            sites.append(Site(unit, start, stop, name))
    return bare, tokens, tuple(sites), read, ignored


def _places(
    grammar: str, rule: dict[str, Any], motifs: dict[str, Any], generator: Any
) -> list[tuple[str, int, bool]]:
    """Return motif, start and whether on either strand, of the sites of one
    sequence.
    """
    names = rule["motifs"]
    if grammar == "heterodimer":
        start = int(generator.integers(50, 400))
        return [
            (names[0], start, False),
            (names[1], start + motifs[names[0]]["width"] + 3, False),
        ]
    if grammar == "localization":  # one in the center, one beside it
        return [
            (names[0], int(generator.integers(430, 560)), True),
            (names[0], int(generator.integers(50, 380)), True),
        ]
    if grammar == "counting":
        return [
            (names[0], int(start), True)
            for start in generator.permutation(18)[:3] * 50 + 40
        ]
    if grammar == "multi":
        starts = generator.permutation(4)[:3] * 100 + 40
        return [
            (name, int(start), True) for name, start in zip(names, starts, strict=True)
        ]
    return [(names[0], int(generator.integers(40, 420)), True)]
