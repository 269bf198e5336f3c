"""The benchmark of maps: the truth against enumeration, the scores against closed forms, methods of known quality."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import PredictorError
from causalgia.sequences import encode
from causalgia.zoo import EndGC, Exponential, Gate, Hairpin, Hill, Oracle, Pair, Saturating, Slope, Word

BLANK = 0  # A, which none of these words has, so that an edit to A destroys and creates nothing
TERMS = {
    "word": Word("CGC", 2.0),
    "both strands": Word("CCG", -1.0, "both"),
    "any base": Word("CNG", 1.0),
    "palindrome": Word("CG", 1.5, "both"),
    "gain with a zero": Word("GC", 1.0, gain=Slope(0.25, center=4)),
    "and": Gate(("CCG", "GCC"), bonus=2.0, logic="and"),
    "or": Gate(("CCG", "GC"), bonus=2.0, logic="or"),
    "pair": Pair("CC", "GG", bonus=1.0, clash=-0.3, min_distance=3, decay=7.0, reach=6),
    "directed pair": Pair("CG", "GC", bonus=1.0, decay=5.0, direction="forward"),
    "pair of equals": Pair("CG", "CG", bonus=1.0, decay=5.0, reach=5, strand="both"),
    "hairpin": Hairpin("CC", bonus=1.0, stem=2, loop=(3, 4)),
    "hill": Saturating((Word("CG", 1.0), Word("GG", -0.7)), Hill(top=4.0, half=1.0)),
    "hill without activators": Saturating((Word("CG", -1.0),), Hill(top=4.0, half=1.0)),
    "exponential": Saturating((Word("CG", 1.0), Word("GG", -0.7)), Exponential(top=4.0, scale=1.0)),
    "no weight": Word("CG", 0.0),
}


def read_in_some_edit(oracle: Oracle, tokens: np.ndarray) -> np.ndarray:
    """Whether blanking a base changes the answer, alone or after blanking any other bases: all 2^length blocks."""
    length = len(tokens)
    blocks = np.array(list(product([False, True], repeat=length)))
    answers = oracle.predict(np.where(blocks, BLANK, tokens).astype(np.uint8))[:, 0].reshape((2,) * length)
    return np.array([np.ptp(answers, axis=i).max() > 1e-9 for i in range(length)])


@pytest.mark.parametrize("name", TERMS)
def test_bases_that_terms_read_are_those_that_some_edit_shows(name):
    oracle, rng = Oracle(TERMS[name]), np.random.default_rng(0)
    tokens = rng.choice([0, 1, 2], p=[0.1, 0.45, 0.45], size=(60, 9)).astype(np.uint8)
    found = cg.zoo.read_by(oracle, tokens)
    assert found.dims == ("unit", "position", "task")
    expected = np.array([read_in_some_edit(oracle, row) for row in tokens])
    np.testing.assert_array_equal(found.to_numpy()[:, :, 0], expected)
    assert expected.any() == (name not in ("no weight", "hill without activators"))


def test_single_edits_see_what_is_read_but_where_sites_stand_in_for_each_other():
    both = encode(["TCTCTTTCAGATAAGGTCTCTTTCTCTCCCACACCCTCTTTCTC"])
    gate = cg.zoo.oracle("gated")
    read = cg.zoo.read_by(gate, both).isel(unit=0)
    sites = np.flatnonzero(read.sel(task="sum"))
    assert sites.tolist() == [*range(8, 16), *range(28, 36)]
    edited = np.repeat(both, 3 * both.shape[1], axis=0).reshape(both.shape[1], 3, -1)
    for i in range(both.shape[1]):
        edited[i, :, i] = (both[0, i] + np.arange(1, 4)) % 4
    changes = np.abs(gate.predict(edited.reshape(-1, both.shape[1])) - gate.predict(both)).reshape(-1, 3, 3).max(1)
    np.testing.assert_array_equal(changes > 0, np.stack([read[:, 0], np.zeros(44, bool), read[:, 2]], axis=1))
    assert read.sel(task="OR").equals(read.sel(task="sum").assign_coords(task="OR"))  # which a block of two sites shows


def test_composition_is_read_at_every_letter_of_the_end():
    read = cg.zoo.read_by(Oracle(EndGC(1.0, last=3), Word("GC", 1.0)), encode(["GCAAAAA", "TTTTTTT"]))
    assert read.values[:, :, 0].astype(int).tolist() == [[1, 1, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1]]


def test_tasks_read_what_they_weigh():
    gata = encode(["A" * 60 + "CAAAGTCCA" + "A" * 60])
    read = cg.zoo.read_by(cg.zoo.oracle("gata1_like"), gata)
    assert read.sum("position").isel(unit=0).to_series().to_dict() == {"K562": 0, "HepG2": 9}


def test_what_is_no_oracle_has_no_known_truth():
    with pytest.raises(PredictorError, match="takes a zoo.Oracle"):
        cg.zoo.read_by(cg.FunctionPredictor(lambda x: x.sum((1, 2))), encode(["ACGT"]))
    with pytest.raises(PredictorError):
        cg.zoo.read_by(cg.zoo.oracle("additive"), ["ACGT"])
    cg.zoo.read_by(cg.zoo.oracle("additive"), encode(["ACGTACGTACGT"]))
