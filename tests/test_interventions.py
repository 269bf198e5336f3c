"""Imports admissible, carries_pattern and longest_run from the inside: which words placebos may be.

Interventions against what they say: the edited bases, the notation, the
streams.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, strategies as st

import causalgia as cg
from causalgia.design import Intervention
from causalgia.design.arms import intervention_from_dict
from causalgia.design.intervention import Sequential
from causalgia.design.pattern_interventions import (
    FixedPlacebo,
    admissible,
    carries_pattern,
    longest_run,
)
from causalgia.sequences import decode, encode
from causalgia.sequences.motifs import Motif

GATA = Motif(
    "GATA1",
    (
        (0.1, 0.0, 0.8, 0.1),
        (1.0, 0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0, 1.0),
        (0.7, 0.1, 0.1, 0.1),
    ),
)


def backgrounds(n: int, length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, (n, length), dtype=np.uint8)


def applied(
    intervention: Intervention, tokens: np.ndarray, key: int = 7, start: int = 0
) -> np.ndarray:
    units = np.arange(start, start + len(tokens), dtype=np.uint64)
    return intervention.apply(tokens, units=units, key=key)


@pytest.mark.parametrize(
    ("intervention", "notation"),
    [
        (cg.Untreated(), "do()"),
        (cg.Embed("AGATAAG", at=1000), "do(x[1000:1007] = AGATAAG)"),
        (cg.Embed("ugcaug", at=17), "do(x[17:23] = UGCAUG)"),
        (cg.Embed("AGATAAG", at=5, strand="-"), "do(x[5:12] = rc(AGATAAG))"),
        (cg.Embed("CANNTG", at=5), "do(x[5:11] ~ CANNTG)"),
        (cg.Embed(GATA, at=5), "do(x[5:9] ~ GATA1)"),
        (
            cg.Embed(GATA, at=5, instance="consensus"),
            "do(x[5:9] = GATA1 consensus GATA)",
        ),
        (cg.Placebo("AGATAAG", at=3), "do(x[3:10] ~ rearranged AGATAAG)"),
        (cg.Insert("AC", at=3), "do(insert AC at x[3])"),
        (cg.Delete((3, 9)), "do(delete x[3:9])"),
        (cg.Delete(np.array([3, 9])), "do(delete x[3:9])"),
        (cg.Delete(slice(3, 9)), "do(delete x[3:9])"),
        (cg.Scramble((3, 9)), "do(x[3:9] ~ scrambled)"),
        (cg.Scramble((3, 9), k=2), "do(x[3:9] ~ scrambled (k = 2))"),
        (cg.Ablate((3, 9), fill="uniform"), "do(x[3:9] ~ uniform)"),
        (cg.Ablate((3, 9), fill="A"), "do(x[3:9] = A)"),
        (cg.Mutate(at=17, bases="A"), "do(x[17] = A)"),
        (cg.Mutate(at=(17, 19), bases="AN"), "do(x[17] = A, x[19] ~ N)"),
        (
            cg.Embed("GATA", at=3) + cg.Embed("CACGTG", at=20),
            "do(x[3:7] = GATA, x[20:26] = CACGTG)",
        ),
    ],
)
def test_notation_and_round_trip(intervention, notation):
    assert str(intervention) == notation
    again = intervention_from_dict(intervention.to_dict())
    assert again == intervention
    assert hash(again) == hash(intervention)
    assert again.fingerprint == intervention.fingerprint
    assert (
        Intervention.from_toml(intervention.to_toml())
        == Intervention.from_json(intervention.to_json())
        == again
    )


@pytest.mark.parametrize(
    "intervention",
    [
        cg.Embed("AGATAAG", at=3, strand="-"),
        cg.Placebo("AGATAAG", at=3),
        cg.Ablate((3, 9), fill="shuffle"),
        cg.Mutate(at=(1, 2), bases="AC"),
        cg.Embed("GATA", at=3) + cg.Scramble((20, 30)),
        cg.Embed(GATA, at=2),
    ],
)
def test_repr_can_be_pasted_back(intervention):
    names = {
        name: getattr(cg, name)
        for name in ("Embed", "Placebo", "Ablate", "Mutate", "Scramble")
    }
    names["Motif"] = cg.sequences.Motif
    assert eval(repr(intervention), names) == intervention


def test_embed_writes_the_word_and_nothing_else():
    before = backgrounds(50, 40)
    kept = before.copy()
    after = applied(cg.Embed("ACGT", at=10), before)
    assert decode(after[:, 10:14]) == ["ACGT"] * 50
    np.testing.assert_array_equal(
        np.delete(after, range(10, 14), 1), np.delete(before, range(10, 14), 1)
    )
    np.testing.assert_array_equal(before, kept)


def test_strand_insert_delete_mutate():
    before = backgrounds(20, 30)
    assert (
        decode(applied(cg.Embed("AGATAAG", at=0, strand="-"), before)[:, :7])
        == ["CTTATCT"] * 20
    )
    grown = applied(cg.Insert("TTT", at=4), before)
    assert grown.shape == (20, 33)
    np.testing.assert_array_equal(grown[:, [0, 1, 2, 3, *range(7, 33)]], before)
    np.testing.assert_array_equal(applied(cg.Delete((4, 7)), grown), before)
    mutated = applied(cg.Mutate(at=(5, 9), bases="AC"), before)
    np.testing.assert_array_equal(mutated[:, [5, 9]], np.tile([0, 1], (20, 1)))


def test_iupac_letters_are_drawn_uniformly():
    drawn = applied(cg.Embed("RN", at=0), backgrounds(40_000, 2))
    assert set(np.unique(drawn[:, 0])) == {0, 2}
    counts = np.bincount(drawn[:, 1], minlength=4)
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 27.9  # chi-square, 3 df, p = 4e-6


def test_motif_instances_follow_the_matrix():
    drawn = applied(cg.Embed(GATA, at=0), backgrounds(20_000, 4))
    for column, expected in zip(drawn.T, GATA.probabilities, strict=True):
        observed = np.bincount(column, minlength=4) / 20_000
        assert np.abs(observed - expected).max() < 5 * 0.5 / np.sqrt(20_000)
        assert (observed[np.asarray(expected) == 0] == 0).all()


def test_placebo_is_uniform_over_rearrangements_that_are_not_the_pattern():
    n = 60_000
    words = decode(applied(cg.Placebo("AGATA", at=1), backgrounds(n, 8))[:, 1:6])
    seen, counts = np.unique(words, return_counts=True)
    assert set(seen) == {"".join(order) for order in permutations("AGATA")} - {"AGATA"}
    expected = n / 19
    # chi-square, 18 df, p = 3e-5
    assert ((counts - expected) ** 2 / expected).sum() < 53


def test_a_placebo_on_the_other_strand_has_the_composition_of_the_reverse_complement():
    words = decode(
        applied(cg.Placebo("AGATAAG", at=0, strand="-"), backgrounds(200, 7))
    )
    assert {"".join(sorted(word)) for word in words} == {"".join(sorted("CTTATCT"))}
    assert not {"AGATAAG", "CTTATCT"} & set(words)


def longest_common_run(a: str, b: str) -> int:
    pieces = {a[i:j] for i in range(len(a)) for j in range(i + 1, len(a) + 1)}
    return max((len(piece) for piece in pieces if piece in b), default=0)


@pytest.mark.parametrize(
    "word",
    [
        "AGATAAG",
        "CACGTG",
        "CATGGC",
        "AACGTG",
        "TGACTCA",
        "ACGA",
        "AGCT",
        "AT",
        "CAATTT",
    ],
)
def test_admissible_words_are_the_rearrangements_without_a_long_run_of_the_pattern(
    word,
):
    other = str.translate(word[::-1], str.maketrans("ACGT", "TGCA"))
    most = min(-(-2 * len(word) // 3), len(word) - 1)
    assert most == longest_run(len(word))
    orders = {"".join(order) for order in permutations(word)}
    free = {
        o
        for o in orders
        if max(longest_common_run(o, word), longest_common_run(o, other)) <= most
    }
    assert set(decode(admissible(word))) == free
    assert word not in free
    assert other not in free
    drawn = decode(applied(cg.Placebo(word, at=0), backgrounds(3_000, len(word))))
    assert set(drawn) <= free
    assert not carries_pattern(encode(drawn), encode(word)[0]).any()


def test_a_placebo_of_a_motif_carries_neither_its_instance_nor_its_consensus():
    words = applied(cg.Placebo(GATA, at=0), backgrounds(2_000, 4))
    assert not carries_pattern(words, encode("GATA")[0]).any()


def test_placebos_are_distinct_fixed_words():
    arms = cg.placebos("AGATAAG", at=10, n_placebos=40)
    assert len(arms) == 40
    assert arms == cg.placebos("AGATAAG", at=10, n_placebos=40)
    words = [arm.pattern.label for arm in arms.values()]
    assert all(isinstance(arm, FixedPlacebo) for arm in arms.values())
    assert all(
        sorted(word) == sorted("AGATAAG") and word != "AGATAAG" for word in words
    )
    assert list(arms)[:10] == list(cg.placebos("AGATAAG", at=10, n_placebos=10))
    # a palindrome: all but itself
    assert len(cg.placebos("ACGT", at=0, n_placebos=23)) == 23
    # too many orders to enumerate
    assert len(cg.placebos("GGTCACAGTTCAAAGG", at=0, n_placebos=40)) == 40


def test_scramble_keeps_composition_and_the_rest():
    before = backgrounds(300, 30)
    after = applied(cg.Scramble((5, 25)), before)
    np.testing.assert_array_equal(
        np.sort(after[:, 5:25], 1), np.sort(before[:, 5:25], 1)
    )
    np.testing.assert_array_equal(after[:, :5], before[:, :5])
    assert (after[:, 5:25] != before[:, 5:25]).any(axis=1).mean() > 0.99


@pytest.mark.parametrize(
    "fill", ["uniform", "shuffle", "dinucleotide_shuffle", "A", "ACGTACGTAC"]
)
def test_ablate_replaces_the_span_only(fill):
    before = backgrounds(100, 30)
    after = applied(cg.Ablate((10, 20), fill=fill), before)
    np.testing.assert_array_equal(
        np.delete(after, range(10, 20), 1), np.delete(before, range(10, 20), 1)
    )
    if len(fill) in (1, 10) and fill != "shuffle":
        assert set(decode(after[:, 10:20])) == {(fill * 10)[:10]}
    if "shuffle" in fill:
        np.testing.assert_array_equal(
            np.sort(after[:, 10:20], 1), np.sort(before[:, 10:20], 1)
        )


def test_draws_belong_to_the_unit_and_the_intervention():
    before = backgrounds(100, 40)
    for arm in (
        cg.Placebo("AGATAAG", at=3),
        cg.Scramble((0, 40)),
        cg.Embed(GATA, at=3),
        cg.Ablate((0, 9), fill="uniform"),
    ):
        whole = applied(arm, before)
        np.testing.assert_array_equal(whole[60:], applied(arm, before[60:], start=60))
        np.testing.assert_array_equal(whole, applied(arm + cg.Untreated(), before))
        assert (applied(arm, before, key=8) != whole).any()
    alone = applied(cg.Embed(GATA, at=3), before)[:, 3:7]
    together = applied(cg.Embed(GATA, at=3) + cg.Embed("ACGT", at=20), before)[:, 3:7]
    np.testing.assert_array_equal(alone, together)


def test_addition():
    a, b, c = cg.Embed("AC", at=0), cg.Embed("GG", at=5), cg.Scramble((10, 20))
    assert (a + b) + c == a + (b + c) == Sequential((a, b, c))
    assert a + cg.Untreated() == cg.Untreated() + a == a
    assert cg.Untreated() + cg.Untreated() == cg.Untreated()


def test_equal_random_steps_draw_anew_and_the_first_as_it_does_alone():
    before = backgrounds(500, 30)
    twice = applied(cg.Insert("NNNN", at=5) + cg.Insert("NNNN", at=5), before)
    assert (twice[:, 5:9] == twice[:, 9:13]).all(axis=1).mean() < 0.05
    np.testing.assert_array_equal(
        twice[:, 9:13], applied(cg.Insert("NNNN", at=5), before)[:, 5:9]
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (cg.Embed("AGAUAAG", at=3), cg.Embed("AGATAAG", at=3)),
        (cg.Embed("GATA", at=5, instance="consensus"), cg.Embed("GATA", at=5)),
        (cg.Placebo("UGCAUG", at=5), cg.Placebo("TGCATG", at=5)),
        (cg.Mutate(at=(3, 5), bases="AC"), cg.Mutate(at=(5, 3), bases="CA")),
        (cg.Mutate(at=(3, 5), bases="AC"), cg.Mutate(at=[3, 5], bases=["A", "C"])),
        (cg.Ablate((1, 5), fill="U"), cg.Ablate((1, 5), fill="TTTT")),
        (
            cg.Embed("U", at=1) + cg.Scramble((4, 9)),
            cg.Embed("T", at=1) + cg.Scramble((4, 9)),
        ),
    ],
)
def test_equal_is_what_is_done_and_not_how_it_is_spelt(one, other):
    assert one == other
    assert hash(one) == hash(other)
    assert one.fingerprint == other.fingerprint
    before = backgrounds(50, 30)
    np.testing.assert_array_equal(applied(one, before), applied(other, before))


def test_replace_makes_what_writing_makes():
    sampled = cg.Embed(GATA, at=5)
    assert replace(sampled, instance="consensus") == cg.Embed(
        GATA, at=5, instance="consensus"
    )
    assert not replace(sampled, instance="consensus").random


def test_placebo_words_do_not_depend_on_spelling():
    rna, dna = (
        cg.placebos("UGCAUG", at=5, n_placebos=10),
        cg.placebos("TGCATG", at=5, n_placebos=10),
    )
    assert list(rna.values()) == list(dna.values())


def test_a_fill_may_draw():
    drawn = applied(cg.Ablate((5, 15), fill="R"), backgrounds(400, 20))[:, 5:15]
    assert set(np.unique(drawn)) == {0, 2}


@given(
    st.text("ACGT", min_size=1, max_size=12),
    st.integers(0, 30),
    st.sampled_from("+-"),
    st.sampled_from([cg.Embed, cg.Insert, FixedPlacebo]),
)
def test_any_word_round_trips(word, at, strand, kind):
    arm = kind(word, at=at, strand=strand)
    assert intervention_from_dict(arm.to_dict()) == arm
    read = applied(arm, backgrounds(3, 45))[:, at : at + len(word)]
    expected = encode(word)[0] if strand == "+" else 3 - encode(word)[0][::-1]
    np.testing.assert_array_equal(read, np.tile(expected, (3, 1)))
