"""Methods of interpretation as functions of a predictor and tokens: maps,
marginalization, propose-then-test.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr

import causalgia as cg
from causalgia.errors import CausalgiaWarning
from causalgia.sequences import decode
from causalgia.types import Array, Tokens

BASELINES = 16
_WINDOW, _BACKGROUNDS = 8, 16
_UNITS, _STRONGEST = 200, 4
Pairs = dict[tuple[str, str], tuple[float, float]]


def mapped(
    predictor: cg.Predictor,
    tokens: Tokens,
    *,
    method: str,
    n_baselines: int = BASELINES,
) -> Any:
    """Return the map of a method of `cg.attribute`."""
    more = (
        {} if method in ("ism", "gradient") else {"n_baselines": n_baselines, "rng": 0}
    )
    return cg.attribute(tokens, predictor, method=method, progress=False, **more)  # type: ignore[arg-type]


def marginalized(predictor: cg.Predictor, tokens: Tokens) -> Array:
    """Return for each base the mean over the 8-bp windows on it of their average effect
    in 16 shuffled sequences.
    """
    shuffled = (
        cg.DinucleotideShuffle(of=tokens)
        .sample(_BACKGROUNDS, rng=0)["sequence"]
        .to_numpy()
    )
    bare = predictor.predict(shuffled)[:, 0]
    starts = np.arange(tokens.shape[1] - _WINDOW + 1)
    scores = np.zeros(tokens.shape)
    for unit, row in enumerate(tokens):
        rows = np.repeat(shuffled[None], len(starts), axis=0)
        for start in starts:
            rows[start, :, start : start + _WINDOW] = row[start : start + _WINDOW]
        answers = predictor.predict(rows.reshape(-1, tokens.shape[1]))[:, 0].reshape(
            len(starts), -1
        )
        for start, effect in zip(starts, (answers - bare).mean(1), strict=True):
            scores[unit, start : start + _WINDOW] += effect / _WINDOW
    return scores


def tested(predictor: cg.Predictor, tokens: Tokens) -> tuple[Array, Pairs]:
    """Return motifs that integrated gradients propose on half of the sequences, with
    effects, and their interactions.

    Tested on shuffles of the other half: each motif against a tenth of the mean
    difference between sequences and shuffles, and the four strongest in pairs. A motif
    holds alone, or in a pair whose interaction is larger than that.
    """
    order = np.random.default_rng(0).permutation(len(tokens))
    one, other = tokens[order[::2]], tokens[order[1::2]]
    null = cg.DinucleotideShuffle(of=other)
    shuffled = null.sample(_UNITS, rng=3)["sequence"].to_numpy()
    rope = 0.1 * abs(
        float(predictor.predict(one).mean() - predictor.predict(shuffled).mean())
    )
    if rope == 0:
        return np.zeros(tokens.shape), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        maps = mapped(predictor, one, method="integrated_gradients", n_baselines=8)
        proposed = cg.propose(maps, predictor=predictor, rng=0)
        if not proposed.sizes["pattern"]:
            return np.zeros(tokens.shape), {}
        experiment = cg.experiments.proposals(
            proposed, null, n_units=_UNITS, rope=(-rope, rope)
        )
        outcomes = cg.run(experiment, predictor, rng=1, progress=False)
        decided = experiment.analyze(outcomes, rng=0).decisions.isel(task=0)
        by_strength = np.argsort(
            -np.abs(proposed["strength"].to_numpy()[:, 0]), kind="stable"
        )
        words = list(
            dict.fromkeys(map(str, proposed["consensus"].to_numpy()[by_strength]))
        )
        rows = {word: decided.sel(contrast=word) for word in words}
        held = {
            word: float(row["ace"]) for word, row in rows.items() if _holds(row, rope)
        }
        pairs = _four_arms(predictor, null, words[:_STRONGEST])
    for pair, (interaction, se) in pairs.items():
        if abs(interaction) - 3 * se > rope:
            for word in pair:
                held.setdefault(word, interaction)
    return _at_words(tokens, held), pairs


def _holds(row: xr.Dataset, rope: float) -> bool:
    """Whether a motif has a direction; one with the same effect in every unit needs no
    test.
    """
    exact = bool(row["exact"].item()) and abs(float(row["ace"])) > rope
    return exact or row["verdict"].item() in ("increases", "decreases")


def _four_arms(
    predictor: cg.Predictor, null: cg.DinucleotideShuffle, words: list[str]
) -> Pairs:
    """Return the interaction of each pair of motifs, in the thirds of the same
    sequences.
    """
    found = {}
    for first, second in combinations(words, 2):
        at = null.length // 3 - len(first) // 2, 2 * null.length // 3 - len(second) // 2
        arms = cg.factorial(
            {"first": cg.Embed(first, at=at[0]), "second": cg.Embed(second, at=at[1])}
        )
        design = cg.Design(null=null, arms=arms, n_units=_UNITS)
        outcomes = cg.run(design, predictor, rng=2, progress=False)
        row = cg.estimate(cg.contrast(outcomes, interaction=["first", "second"])).isel(
            contrast=0, task=0
        )
        found[first, second] = float(row["ace"]), float(row["se"])
    return found


def _at_words(tokens: Tokens, effects: dict[str, float]) -> Array:
    """Return the effects of the motifs at the bases where they occur, shared by their
    letters.
    """
    scores = np.zeros(tokens.shape)
    for unit, text in enumerate(decode(tokens)):
        for word, effect in effects.items():
            for start in range(len(text) - len(word) + 1):
                if text.startswith(word, start):
                    scores[unit, start : start + len(word)] += effect / len(word)
    return scores


METHODS: dict[str, Callable[..., Any]] = {
    "ISM": partial(mapped, method="ism"),
    "gradient": partial(mapped, method="gradient"),
    "integrated gradients": partial(mapped, method="integrated_gradients"),
    "DeepLIFT": partial(mapped, method="deeplift"),
    "Shapley": partial(mapped, method="shapley"),
    "occlusion": partial(mapped, method="occlusion"),
    "marginalize": marginalized,
    "propose (IG), test": tested,
}
