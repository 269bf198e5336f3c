"""Context swaps: variances against enumeration, planted grammars, calibration, refusals."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import DesignError
from causalgia.experiments import context_swap

ELEMENT = (4, 24)
Score = Callable[[Any], Any]


def share_of(base: int, start: int, stop: int) -> Score:
    """Return a score of a span with mean 0 and variance 1 in random sequences."""
    width = stop - start
    return lambda x: (
        (x[:, base, start:stop].sum(axis=1) - width / 4) / np.sqrt(width * 3 / 16)
    )


E, C = share_of(1, *ELEMENT), share_of(2, 24, 64)


def match(x: Any) -> Any:
    """Return whether a base of the element is that of the context."""
    return (x[:, :, 10] * x[:, :, 30]).sum(axis=1)


def network(score: Callable[[Any], Any]) -> cg.FunctionPredictor:
    return cg.FunctionPredictor(lambda x: score(np.asarray(x, float)), tasks=["K562"])


def peaks(n: int, rng: int = 0) -> np.ndarray[Any, Any]:
    return cg.Uniform(length=70).sample(n, rng=rng)["sequence"].to_numpy()


def swapped(score: Score, tokens: Any, **more: Any) -> xr.Dataset:
    found = context_swap(tokens, network(score), element=ELEMENT, rng=0, **more)
    return found.isel(task=0)


def test_variances_are_those_of_all_quadruples() -> None:
    tokens = peaks(6)
    tokens[:, 30] = tokens[:, 10]  # element and context of a sequence depend
    score = lambda x: E(x) + 0.5 * C(x) * x[:, 3, 10] + E(x) * x[:, 3, 30]  # noqa: E731
    found = swapped(score, tokens)
    n, y = len(tokens), np.full((len(tokens),) * 2, np.nan)
    for i, j in permutations(range(n), 2):
        one = tokens[j].copy()
        one[slice(*ELEMENT)] = tokens[i, slice(*ELEMENT)]
        y[i, j] = network(score).predict(one[None])[0, 0]
    sums = np.zeros(3)
    for i, k, j, m in permutations(range(n), 4):  # two elements in two contexts
        a, b, c, d = y[i, j], y[i, m], y[k, j], y[k, m]
        sums += (a - c) * (b - d) / 2, (a - b) * (c - d) / 2, (a - b - c + d) ** 2 / 4
    assert (sums > 0).all()
    assert np.allclose(found["share"], sums / sums.sum(), rtol=1e-9)
    total = sums.sum() / (n * (n - 1) * (n - 2) * (n - 3))
    assert np.isclose(found["sd"].item(), np.sqrt(total), rtol=1e-9)


def test_planted_grammars() -> None:
    tokens = peaks(30)
    additive = swapped(lambda x: E(x) + C(x), tokens)
    assert additive["upper"].sel(source="interaction").item() < 1e-9
    assert (additive["lower"].sel(source=["element", "context"]) > 0.15).all()
    product = swapped(lambda x: E(x) * C(x), tokens)
    assert product["lower"].sel(source="interaction").item() > 0.5
    alone = swapped(E, tokens)
    assert np.allclose(alone["share"], [1, 0, 0], atol=1e-9)
    nothing = swapped(lambda x: 0 * E(x) + 1, tokens)
    assert nothing["sd"].item() == 0
    assert nothing["share"].isnull().all()
    for found in (additive, product, nothing):
        assert "K562" in cg.report(found.expand_dims("task"))


@pytest.mark.parametrize("fit", [0.0, 0.9])
def test_intervals_hold_and_find(fit: float) -> None:
    """Also where element and context of a sequence fit each other."""
    draw = np.random.default_rng(0)
    held, found_both, means = [], [], []
    for seed in range(60):
        tokens = peaks(20, seed)
        same = draw.random(20) < fit
        tokens[same, 30] = tokens[same, 10]
        found = swapped(lambda x: E(x) + 0.7 * C(x) + 2 * match(x), tokens)
        # of a match of two bases: all of its variance, 3/16, is interaction
        truth = np.array([1, 0.49, 0.75]) / 2.24
        held.append((found["lower"] <= truth) & (truth <= found["upper"]))
        found_both.append(found["lower"].sel(source=["element", "interaction"]) > 0)
        means.append(found["share"] - truth)
    assert (np.mean(held, axis=0) >= 0.87).all()
    assert (np.mean(found_both, axis=0) >= 0.95).all()
    assert np.allclose(np.mean(means, axis=0), 0, atol=0.05)


def test_samples_and_parents() -> None:
    tokens = np.concatenate([peaks(30), peaks(30)[:5]])
    found = swapped(E, tokens, n_sequences=8)
    assert (found.attrs["n_sequences"], found.attrs["n_left_out"]) == (8, 27)
    assert "27" in cg.report(found.expand_dims("task"))
    assert swapped(E, tokens).attrs["n_sequences"] == 30  # copies count once


@pytest.mark.parametrize(
    ("given", "element"),
    [
        (["ACGTACGT" * 5, "ACGTACGA" * 4] * 3, ELEMENT),
        (peaks(10), (60, 90)),
        (peaks(10), (0, 70)),
        (peaks(4), ELEMENT),
    ],
)
def test_refusals(given: Any, element: tuple[int, int]) -> None:
    with pytest.raises((DesignError, cg.errors.SequenceError)):
        context_swap(given, network(E), element=element, rng=0)
