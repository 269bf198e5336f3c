"""Methods of interpretation as functions of a predictor and tokens: maps, and
marginalization.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import causalgia as cg
from causalgia.types import Array, Tokens

BASELINES = 16
_WINDOW, _BACKGROUNDS = 8, 16


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


METHODS: dict[str, Callable[..., Any]] = {
    "ISM": partial(mapped, method="ism"),
    "gradient": partial(mapped, method="gradient"),
    "integrated gradients": partial(mapped, method="integrated_gradients"),
    "DeepLIFT": partial(mapped, method="deeplift"),
    "Shapley": partial(mapped, method="shapley"),
    "occlusion": partial(mapped, method="occlusion"),
    "marginalize": marginalized,
}
