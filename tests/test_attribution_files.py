"""Maps of other programs."""

from __future__ import annotations

import numpy as np
from test_map_averages import starting_at

import causalgia as cg

RNG = np.random.default_rng(0)
TOKENS = RNG.integers(0, 4, (3, 20)).astype(np.uint8)
ONE_HOT = np.eye(4)[TOKENS]  # (n, length, 4)
SCORES = RNG.normal(size=(3, 20, 4))


read = cg.attribution.read_attributions


def test_maps_of_either_layout_are_those_of_their_sequences():
    words = ["".join("ACGT"[token] for token in row) for row in TOKENS]
    maps = read(SCORES, sequences=TOKENS, task="counts")
    assert maps["task"].values.tolist() == ["counts"]
    for other in (
        read(SCORES.transpose(0, 2, 1), sequences=words),
        read(SCORES.astype("f8"), sequences=words),
    ):
        np.testing.assert_array_equal(other["score"], maps["score"])
        np.testing.assert_array_equal(other["observed"], TOKENS)
    own = np.take_along_axis(SCORES, TOKENS[..., None].astype(int), 2)[..., 0]
    np.testing.assert_allclose(cg.attribution.contributions(maps)[..., 0], own)
    starts = cg.attribution.average(maps, starting_at([0, 1, 2], 2))
    np.testing.assert_allclose(
        starts["ace"][0, 0], SCORES[[0, 1, 2], [0, 1, 2], 0].mean()
    )
    assert cg.plot.map(maps, unit=1).patches


def test_projected_maps_have_no_dim_of_bases():
    projected = read(SCORES * ONE_HOT, sequences=TOKENS)
    assert "base" not in projected["score"].dims
    np.testing.assert_allclose(projected["score"][..., 0], (SCORES * ONE_HOT).sum(2))
