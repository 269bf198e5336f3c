# Imports from the inside: sequences of equal dinucleotides, by enumeration.
"""Sequences that are shuffles of one another are one parent; fewer units than parents
are a random sample of them.
"""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia.sequences import decode
from causalgia.sequences.composition import first_of_equal_dinucleotides


def random_sequences(n: int, length: int = 80, seed: int = 0) -> list[str]:
    return decode(
        np.random.default_rng(seed).integers(0, 4, (n, length)).astype(np.uint8)
    )


def shuffles(n_parents: int, n_each: int, seed: int = 0) -> list[str]:
    """Return dinucleotide shuffles of n_parents sequences, those of one parent in a
    row.
    """
    of = random_sequences(n_parents, seed=seed)
    drawn = [
        cg.DinucleotideShuffle(of=[one]).sample(n_each, rng=i)["sequence"].values
        for i, one in enumerate(of)
    ]
    return decode(np.concatenate(drawn))


def gc_by_parent(x: np.ndarray) -> np.ndarray:
    """Answer with GC, which all shuffles of a parent share, and a little of what the
    first bases are.
    """
    return x[:, 1:3].sum((1, 2)) / 8 * (1 + x[:, 0, :10].sum(1) / 20)


def trial(null: object, n_units: int, rng: int = 1) -> object:
    arms = {"control": cg.Untreated(), "word": cg.Embed("AAAAAAAAAA", at=0)}
    design = cg.Design(null=null, arms=arms, n_units=n_units, contrasts="control")
    predictor = cg.FunctionPredictor(
        gc_by_parent, tasks=["y"], scale="s", fingerprint="gc by parent"
    )
    return cg.run(design, predictor, rng=rng, progress=False)


def estimates(null: object, n_units: int) -> object:
    return cg.estimate(cg.contrast(trial(null, n_units)))


def test_shuffles_are_grouped_by_their_dinucleotides_whatever_their_order():
    given = shuffles(25, 4)
    order = np.random.default_rng(2).permutation(100)
    tokens = np.array([[("ACGT").index(c) for c in given[i]] for i in order], np.uint8)
    first = first_of_equal_dinucleotides(tokens)
    family = order // 4
    expected = [int(np.flatnonzero(family == one)[0]) for one in family]
    assert first.tolist() == expected


def test_mononucleotide_shuffles_are_not_taken_for_one_another():
    drawn = cg.Shuffle(of=random_sequences(1)).sample(50, rng=0)["sequence"].values
    assert first_of_equal_dinucleotides(drawn).tolist() == list(range(50))


def test_genomic_given_shuffles_counts_their_parents():
    null = cg.Genomic(of=shuffles(25, 20))
    found = estimates(null, 500)
    assert found["n_clusters"].item() == 25
    assert found["n_units"].item() == 500
    assert found.attrs["cluster"] == "parent"
    apart = estimates(cg.Genomic(of=shuffles(25, 20), parent=range(500)), 500)
    assert apart["n_clusters"].item() == 500
    assert found["se"].item() > 2 * apart["se"].item()
    assert " 25 parents" in found.attrs["notes"]
    assert "notes" not in apart.attrs


def test_equal_sequences_are_one_parent_under_the_first_name():
    one, other = random_sequences(2)
    null = cg.Genomic(of={"a": one, "b": other, "c": one})
    assert null.parent_names == ("a", "b", "a")
    sample = null.sample(3, rng=0)
    assert sample["parent"].values.tolist() == ["a", "b", "a"]
    assert sample.attrs["notes"].count(" 2 parents") == 1
    assert cg.Genomic(
        of={"a": one, "b": other, "c": one}, parent=["x", "y", "z"]
    ).parent_names == ("x", "y", "z")
    assert cg.Genomic(of={"a": one, "b": other}).notes(2) == []


def test_shuffles_of_one_sequence_are_reserved_together():
    null = cg.Genomic(of=shuffles(20, 5))
    kept, reserved = null.split(0.25)
    assert len(set(kept.parent_names)) == 15
    assert len(set(reserved.parent_names)) == 5
    assert len(reserved.parents_given) == 25
    assert not set(kept.parent_names) & set(reserved.parent_names)


@pytest.mark.simulation
def test_standard_errors_of_genomic_shuffles_hold_over_new_parents():
    """The 95 % interval of the mean over new parents, from 20 parents of 10
    shuffles.
    """
    rng = np.random.default_rng(3)
    words = np.eye(4)[rng.integers(0, 4, (40_000, 80))].transpose(0, 2, 1)
    treated = words.copy()
    treated[:, :, :10] = np.eye(4)[:, :1]
    truth = float((gc_by_parent(treated) - gc_by_parent(words)).mean())
    covered = []
    for seed in range(60):
        found = estimates(cg.Genomic(of=shuffles(20, 10, seed=100 + seed)), 200)
        covered.append(found["lower"].item() <= truth <= found["upper"].item())
    # below it by chance in 1 of 1,000 if .95 are covered
    assert np.mean(covered) >= 0.85


@pytest.mark.parametrize(
    "make",
    [cg.Shuffle, cg.DinucleotideShuffle, lambda of: cg.KletShuffle(of=of, k=3)],
    ids=["1", "2", "3"],
)
def test_fewer_units_than_parents_are_a_random_sample_of_them(make):
    null = make(of=random_sequences(200))
    few = null.sample(20, rng=5)
    parents = few["parent"].values
    assert len(set(parents.tolist())) == 20
    assert parents.max() > 100  # the first 20 of the file would not be
    assert "20 of 200 " in few.attrs["notes"]
    assert parents.tolist() != null.sample(20, rng=6)["parent"].values.tolist()
    many = null.sample(450, rng=5)
    # a draw belongs to a unit
    np.testing.assert_array_equal(many["sequence"][:20], few["sequence"])
    np.testing.assert_array_equal(many["parent"][:20], parents)
    counts = np.bincount(many["parent"].values, minlength=200)
    assert set(counts.tolist()) == {2, 3}
    assert "notes" not in many.attrs


def test_each_parent_is_as_likely_to_be_drawn():
    null = cg.DinucleotideShuffle(of=random_sequences(20, length=30))
    counts = np.zeros(20)
    for seed in range(2_000):
        key = seed * 7919 + 1
        counts[null.parents(np.arange(5, dtype=np.uint64), key=key, n_units=5)] += 1
    expected = 2_000 * 5 / 20
    # chi-squared, 19 df, .001
    assert ((counts - expected) ** 2 / (expected * 0.75)).sum() * 0.95 < 43.8


def test_the_mean_over_a_file_sorted_by_composition_is_unbiased():
    """The first n of a sorted file were once the sample: their mean is far from that of
    all.
    """
    given = sorted(random_sequences(400), key=lambda s: s.count("G") + s.count("C"))
    null = cg.DinucleotideShuffle(of=given)
    whole = np.mean([s.count("G") + s.count("C") for s in given]) / 80
    means = [null.sample(40, rng=seed)["gc"].values.mean() for seed in range(50)]
    first = np.mean([s.count("G") + s.count("C") for s in given[:40]]) / 80
    assert abs(np.mean(means) - whole) < 4 * np.std(means) / np.sqrt(50)
    assert whole - first > 0.05


def test_a_report_says_how_many_parents_are_used():
    outcomes = trial(cg.DinucleotideShuffle(of=random_sequences(60)), 40)
    assert "40 of 60 " in outcomes.attrs["notes"]


def test_arms_of_a_unit_share_its_parent():
    null = cg.DinucleotideShuffle(of=random_sequences(60))
    arms = {"control": cg.Untreated(), "same": cg.Embed("AAAA", at=2)}
    design = cg.Design(null=null, arms=arms, n_units=40, contrasts="control")
    predictor = cg.FunctionPredictor(
        lambda x: x[:, 2, 20:].sum(1), tasks=["y"], scale="s", fingerprint="G count"
    )
    ice = cg.contrast(cg.run(design, predictor, rng=0, progress=False))["ice"]
    assert (ice == 0).all()


def test_a_redrawn_unit_keeps_its_parent():
    of = random_sequences(20)
    units = np.arange(30, dtype=np.uint64)
    for null in (cg.DinucleotideShuffle(of=of), cg.KletShuffle(of=of, k=3)):
        first, parents = null.draw_with_parents(units, key=5, n_units=30)
        again, kept = null.redraw(units, key=5, again=6, n_units=30)
        np.testing.assert_array_equal(kept, parents)
        assert (first != again).any(axis=1).all()
        rows = first_of_equal_dinucleotides(np.concatenate([first, again])).reshape(
            2, 30
        )
        np.testing.assert_array_equal(*rows)
    given = cg.Genomic(of=of)
    same = given.draw(units[:10], key=5, n_units=10)
    np.testing.assert_array_equal(
        given.redraw(units[:10], key=5, again=6, n_units=10)[0], same
    )
