"""Patterns of TF-MoDISco as proposals; collected where modisco-lite is installed."""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import AttributionError
from causalgia.sequences import encode
from causalgia.sequences.alphabet import reverse_complement_word

WORDS = ("AGATAAG", "CAGCTG", "TGACTCA", "CCGGAAGT", "CAAAGTCCA", "CAGGTG")


def planted(pairs, n, *, seed=1, length=200):
    """Random sequences with a pair of words, 21 or 50 apart, on either strand."""
    generator = np.random.default_rng(seed)
    tokens = generator.integers(0, 4, (n, length)).astype(np.uint8)
    for row, letters in enumerate(tokens):
        start, flip = generator.integers(70, 100), generator.random() < 0.5
        for word, distance in zip(pairs[row % len(pairs)], (0, 21 if row % 2 else 50), strict=True):
            coded = encode([reverse_complement_word(word) if flip else word])[0]
            letters[start + distance : start + distance + len(coded)] = coded
    return tokens


def spelled(word):
    return min(word, reverse_complement_word(word))


@pytest.mark.long
def test_the_six_words_of_gata1_like_are_patterns_merged_by_reverse_complement():
    gata1, ebox, ap1, ets, hnf4, repressor = WORDS
    pairs = [(ap1, repressor), (gata1, ebox), (ets, repressor), (ebox, gata1), (hnf4, repressor), (gata1, ebox)]
    oracle = cg.zoo.oracle("gata1_like")
    found = cg.propose(sequences=planted(pairs, 900), predictor=oracle, method="modisco", rng=0)
    assert found.attrs["both_strands"]
    assert "threshold" not in found
    words = [spelled(word) for word in found["consensus"].values.tolist()]
    for word in WORDS:
        assert words.count(spelled(word)) == 1, word  # TGACTCA and TGAGTCA, reverse complements of each other, are one
    assert (found["n_units"] == found["proposed"].sum("unit")).all()
    assert np.allclose(found["motif"].sum("base").isel(motif_position=slice(0, 4)), 1)
    trial = cg.experiments.proposals(found, cg.Uniform(length=200), n_units=100)
    decisions = trial.analyze(cg.run(trial, oracle, rng=3)).decisions.sel(task="HepG2")
    held = {spelled(word): str(decisions["verdict"].sel(contrast=word).item()) for word in found["consensus"].values}
    assert held[spelled(hnf4)] == "increases"
    assert held[spelled(repressor)] == "decreases"


@pytest.mark.long
def test_a_predictor_of_one_strand_has_patterns_of_one_strand():
    word = "CAAAGTCCA"
    one = cg.zoo.Oracle(cg.zoo.Word(word, 2.0))
    rows = planted([(word, "AAAAAA")], 400)  # half of them on the other strand, where it does nothing
    found = cg.propose(sequences=rows, predictor=one, method="modisco", rng=0)
    assert found["consensus"].values.tolist() == [word]
    assert not found.attrs["both_strands"]
    assert 150 < found["n_units"].item() <= 250


def test_a_map_of_zeros_and_short_sequences():
    nothing = cg.FunctionPredictor(lambda x: np.zeros(len(x)), tasks=["a"], scale="none")
    rows = planted([("AAAAAA", "AAAAAA")], 20)
    assert cg.propose(sequences=rows, predictor=nothing, method="modisco", rng=0).sizes["pattern"] == 0
    with pytest.raises(AttributionError, match="50 positions, and sequences 41"):
        cg.propose(sequences=rows[:, :41], predictor=nothing, method="modisco", rng=0)
    with pytest.raises(AttributionError, match="leave level= out"):
        cg.propose(sequences=rows, predictor=nothing, method="modisco", level=0.1, rng=0)
    maps = cg.attribute(rows, nothing, method="occlusion")
    with pytest.raises(AttributionError, match="the observed one alone"):
        cg.propose(maps, predictor=nothing, method="modisco", rng=0)
