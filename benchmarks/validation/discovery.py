"""Discoveries: words that networks of known truth read, and networks that read none."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Literal

import numpy as np

import causalgia as cg
from causalgia.errors import CausalgiaWarning
from causalgia.types import Tokens
from validation.checks import Check
from validation.draws import Rng
from validation.multiplicity import each

_LENGTH, _SEQUENCES, _UNITS = 41, 80, 100
_WORDS = ("TGCATG", "AGAATG", "TGCACG", "AGCATG")
_ACTIVE = 0.3
_ORACLE = cg.zoo.oracle("rbfox1_like")
Method = Literal["seqlets", "all"]


def corpus(rng: Rng, n: int = _SEQUENCES) -> Tokens:
    """Return random sequences with one of four words each."""
    tokens = rng.integers(0, 4, (n, _LENGTH)).astype(np.uint8)
    for row, letters in enumerate(tokens):
        at = rng.integers(0, _LENGTH - 6)
        letters[at : at + 6] = cg.sequences.encode([_WORDS[row % len(_WORDS)]])[0]
    return tokens


def false_share(method: Method) -> Callable[[Rng], float]:
    """Return the share of the words found whose average effect lies within .3 of the
    mean random word.
    """

    def one(rng: Rng) -> float:
        words = held(_ORACLE, corpus(rng), rng, method)
        backgrounds = rng.integers(0, 4, (2_000, _LENGTH)).astype(np.uint8)
        random = np.mean(
            [
                _effect(word, backgrounds)
                for word in rng.integers(0, 4, (100, 8)).astype(np.uint8)
            ]
        )
        effects = np.array(
            [_effect(cg.sequences.encode([word])[0], backgrounds) for word in words]
        )
        return float((np.abs(effects - random) < _ACTIVE).sum() / max(len(words), 1))

    return one


def _effect(word: Tokens, backgrounds: Tokens) -> float:
    """Return the mean change of the answer by a word in the middle of backgrounds."""
    rows, at = backgrounds.copy(), (_LENGTH - len(word)) // 2
    rows[:, at : at + len(word)] = word
    return float(np.mean(_ORACLE.predict(rows) - _ORACLE.predict(backgrounds)))


def held(
    predictor: cg.predict.Predictor, tokens: Tokens, rng: Rng, method: Method
) -> set[str]:
    """Return the words that a discovery confirms."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        found = cg.discover(
            predictor,
            tokens,
            n_units=_UNITS,
            method=method,
            rng=int(rng.integers(2**62)),
        )
    return set(found.confirmed["consensus"])


def more_than_one_word(epochs: int, method: Method) -> Callable[[Rng], bool]:
    """Whether two words or more are found in a network of random weights, or one
    trained on shuffled labels.
    """
    import torch

    def one(rng: Rng) -> bool:
        torch.manual_seed(int(rng.integers(2**31)))
        torch.set_num_threads(1)
        network = torch.nn.Sequential(
            torch.nn.Conv1d(4, 24, 7, padding=3), torch.nn.ReLU(), torch.nn.Conv1d(24, 24, 3, padding=1),
            torch.nn.ReLU(), torch.nn.MaxPool1d(4), torch.nn.Flatten(), torch.nn.Linear(240, 32), torch.nn.ReLU(),
            torch.nn.Linear(32, 1),
        )  # fmt: skip
        tokens = corpus(rng, 1_000)
        labels = torch.from_numpy(rng.permutation(_ORACLE.predict(tokens))).float()
        one_hot = (
            torch.nn.functional.one_hot(torch.from_numpy(tokens).long(), 4)
            .transpose(1, 2)
            .float()
        )
        steps = torch.optim.Adam(network.parameters(), lr=3e-3)
        for _ in range(epochs):
            for rows in torch.randperm(len(tokens)).split(100):
                steps.zero_grad()
                torch.nn.functional.mse_loss(
                    network(one_hot[rows]), labels[rows]
                ).backward()
                steps.step()
        predictor = cg.TorchPredictor(network.eval(), tasks=["a"], device="cpu")
        return len(held(predictor, corpus(rng), rng, method)) > 1

    return one


_SECTION = (
    "Words found by cg.discover, in networks with known words and in networks that "
    "respond to none"
)
CHECKS = [
    Check(
        _SECTION,
        f"{name}{words}",
        each(of),
        promised,
        "at most",
        full=full,
        quick=quick,
    )
    for method, words in (("seqlets", ""), ("all", ", by all methods"))
    for name, of, promised, full, quick in (
        (
            "rbfox1_like, 80 sequences: share of the words found that have no effect "
            "of their own",
            false_share(method),
            0.12,
            200,
            4,
        ),
        (
            "random weights: two words or more are found",
            more_than_one_word(0, method),
            0.05,
            100,
            3,
        ),
        (
            "weights trained on shuffled labels: two words or more are found",
            more_than_one_word(20, method),
            0.05,
            50,
            2,
        ),
    )
]
