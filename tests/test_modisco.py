"""Imports _groups_of from the inside: strands and places of what TF-MoDISco found.

Patterns of TF-MoDISco as proposals; collected where modisco-lite is installed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import causalgia as cg
from causalgia.attribution.seqlets import _groups_of
from causalgia.errors import PredictorError
from causalgia.sequences import decode, encode
from causalgia.sequences.alphabet import reverse_complement_iupac

WORDS = ("AGATAAG", "CAGCTG", "TGACTCA", "CCGGAAGT", "CAAAGTCCA", "CAGGTG")


def planted(pairs, n, *, seed=1, length=200):
    """Random sequences with a pair of motifs, 21 or 50 apart, on either strand."""
    generator = np.random.default_rng(seed)
    tokens = generator.integers(0, 4, (n, length)).astype(np.uint8)
    for row, letters in enumerate(tokens):
        start, flip = generator.integers(70, 100), generator.random() < 0.5
        for word, distance in zip(
            pairs[row % len(pairs)], (0, 21 if row % 2 else 50), strict=True
        ):
            coded = encode([reverse_complement_iupac(word) if flip else word])[0]
            letters[start + distance : start + distance + len(coded)] = coded
    return tokens


def spelled(word):
    return min(word, reverse_complement_iupac(word))


@pytest.mark.simulation
def test_the_six_words_of_gata1_like_are_patterns_merged_by_reverse_complement():
    gata1, ebox, ap1, ets, hnf4, repressor = WORDS
    pairs = [
        (ap1, repressor),
        (gata1, ebox),
        (ets, repressor),
        (ebox, gata1),
        (hnf4, repressor),
        (gata1, ebox),
    ]
    oracle = cg.zoo.oracle("gata1_like")
    found = cg.propose(
        cg.attribute(planted(pairs, 600), oracle),
        predictor=oracle,
        method="modisco",
        rng=0,
    )
    assert found.attrs["both_strands"]
    assert "threshold" not in found
    words = [spelled(word) for word in found["consensus"].values.tolist()]
    for word in WORDS:
        # TGACTCA and TGAGTCA, reverse complements of each other, are one
        assert words.count(spelled(word)) == 1, word
    assert (found["n_units"] == found["proposed"].sum("unit")).all()
    assert np.allclose(found["motif"].sum("base").isel(motif_position=slice(0, 4)), 1)
    strongest = {
        spelled(w): s
        for w, s in zip(
            found["consensus"].values, found["strength"].values, strict=True
        )
    }
    # HNF4 acts in HepG2 alone
    assert strongest[spelled(hnf4)][1] > 1 > strongest[spelled(hnf4)][0]
    assert strongest[spelled(repressor)][1] < 0


@pytest.mark.parametrize("both", [True, False])
def test_instances_on_either_strand_are_one_group_or_two(both):
    rows = np.random.default_rng(0).integers(0, 4, (4, 60)).astype(np.uint8)
    scores = np.zeros((4, 60, 1))
    # row, first base of the motif, strand
    places = [(0, 20, False), (1, 5, True), (2, 30, False), (3, 9, True)]
    for row, at, flip in places:
        rows[row, at : at + 7] = encode(
            [reverse_complement_iupac("AGATAAG") if flip else "AGATAAG"]
        )[0]
        scores[row, at : at + 7, 0] = 1.0 + row
    # the pattern is 12 positions, in which the motif is at 3 (at 2 from the other side)
    seqlets = [
        SimpleNamespace(
            example_idx=row,
            start=at - (2 if flip else 3),
            end=at + (10 if flip else 9),
            is_revcomp=flip,
        )
        for row, at, flip in places
    ]
    contributions = np.zeros((12, 4))
    contributions[3:10, 0] = 1.0
    pattern = SimpleNamespace(seqlets=seqlets, contrib_scores=contributions)
    found = _groups_of(pattern, rows, scores, 0, both_strands=both)
    words = [
        decode(group.consensus[of.flank : of.flank + of.width])[0]
        for of, group in found
    ]
    assert words == (["AGATAAG"] if both else ["AGATAAG", "CTTATCT"])
    windows = {
        (int(u), int(s))
        for of, _ in found
        for u, s in zip(of.unit, of.start, strict=True)
    }
    assert windows == {(row, at) for row, at, _ in places}
    assert all((of.total == 7 * (1 + of.unit)).all() for of, _ in found)


def test_where_modisco_stops_another_method_goes_on(monkeypatch):
    """As it does where no cluster is left: `max() arg is an empty sequence`."""

    def stops(*_, **__):
        raise ValueError("max() arg is an empty sequence")

    monkeypatch.setattr("modiscolite.tfmodisco.TFMoDISco", stops)
    word = "CAAAGTCCA"
    one = cg.zoo.Oracle(cg.zoo.MotifCount(word, 2.0, "both"))
    rows = planted([(word, "AAAAAA")], 40)
    with pytest.raises(PredictorError):
        cg.propose(cg.attribute(rows, one), predictor=one, method="modisco", rng=0)
    assert (
        word
        in cg.propose(cg.attribute(rows, one), predictor=one, method="seqlets", rng=0)[
            "consensus"
        ].values
    )


def test_a_map_of_zeros_and_short_sequences():
    nothing = cg.FunctionPredictor(
        lambda x: np.zeros(len(x)), tasks=["a"], scale="none"
    )
    rows = planted([("AAAAAA", "AAAAAA")], 20)
    assert (
        cg.propose(
            cg.attribute(rows, nothing), predictor=nothing, method="modisco", rng=0
        ).sizes["pattern"]
        == 0
    )
    with pytest.raises(PredictorError):
        cg.propose(
            cg.attribute(rows[:, :41], nothing),
            predictor=nothing,
            method="modisco",
            rng=0,
        )
    maps = cg.attribute(rows, nothing, method="shapley", rng=0)
    with pytest.raises(PredictorError):
        cg.propose(maps, predictor=nothing, method="modisco", rng=0)


@pytest.mark.simulation
def test_a_file_that_modisco_lite_wrote_is_read(tmp_path):
    from modiscolite.io import save_hdf5
    from modiscolite.tfmodisco import TFMoDISco

    rows = planted([("TGACTCA", "CAGGTG")], 400)
    scores = cg.attribute(rows, cg.zoo.oracle("gata1_like"))["score"].isel(task=0)
    scores = scores.transpose("unit", "position", "base").to_numpy()
    hypothetical = (scores - scores.mean(axis=2, keepdims=True)).astype(np.float32)
    positive, negative = TFMoDISco(
        np.eye(4, dtype=np.float32)[rows], hypothetical, n_leiden_runs=2
    )
    save_hdf5(tmp_path / "modisco_results.h5", positive, negative, window_size=20)
    found = cg.read_patterns(tmp_path / "modisco_results.h5")
    words = {name: spelled(motif.consensus) for name, motif in found.items()}
    assert words["pos_patterns.pattern_0"] in {spelled("TGACTCA"), "TGAVTCA", "TGASTCA"}
    assert words["neg_patterns.pattern_0"] == spelled("CAGGTG")
