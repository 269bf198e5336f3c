"""Designs: what they refuse, that they travel, and who is assigned to what."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, strategies as st

import causalgia as cg
from causalgia.design import Design
from causalgia.design.arms import assign
from causalgia.errors import DegenerateWarning

ARMS = {"control": cg.Untreated(), "GATA": cg.Embed("AGATAAG", at=20)}


NULL = cg.Uniform(length=60)


def design(**changes) -> Design:
    return Design(**{"null": NULL, "arms": ARMS, "n_units": 12, **changes})


def test_background_may_be_cleared_before_a_pattern_is_written_but_not_after():
    cleared = cg.Ablate((10, 40), fill="uniform") + cg.Embed("AGATAAG", at=20)
    assert (
        design(arms={"control": cg.Untreated(), "clear": cleared})
        .named_arms[1]
        .intervention
        == cleared
    )


def test_insertions_and_deletions_move_what_was_written():
    moved = cg.Embed("ACGT", at=10) + cg.Insert("GG", at=0) + cg.Embed("TT", at=10)
    assert len(design(arms={"control": cg.Untreated(), "x": moved}).named_arms) == 2


def test_few_distinct_sequences_are_warned_about():
    arms = {"control": cg.Untreated(), "treated": cg.Mutate(at=0, bases="T")}
    with pytest.warns(DegenerateWarning):
        design(null=cg.Shuffle(of=["AAAC"]), arms=arms)


def test_parents_that_are_shuffles_of_each_other_count_once():
    arms = {"control": cg.Untreated(), "treated": cg.Mutate(at=0, bases="T")}
    with pytest.warns(DegenerateWarning):
        design(
            null=cg.Shuffle(of=["AAAC", "AACA", "ACAA", "CAAA"]), arms=arms, n_units=20
        )


def test_one_unit_is_a_design():
    assert design(n_units=1, null=cg.Genomic(of=["A" * 60])).n_units == 1


WORDS = st.text("ACGTN", min_size=1, max_size=8)


LETTERS = st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))


NAMES = st.text(LETTERS, min_size=1, max_size=8).filter(
    lambda name: name.strip() and name.isprintable()
)


LEVELS = st.one_of(st.integers(0, 9), st.floats(0, 1), st.text("ab", max_size=3))


INTERVENTIONS = st.one_of(
    st.builds(cg.Embed, WORDS, at=st.integers(0, 50), strand=st.sampled_from("+-")),
    st.builds(
        lambda start, width: cg.Scramble((start, start + width)),
        st.integers(0, 40),
        st.integers(1, 15),
    ),
    st.builds(cg.Mutate, at=st.integers(0, 59), bases=st.sampled_from("ACGT")),
    st.builds(
        lambda at: cg.Ablate((at, at + 5), fill="uniform") + cg.Embed("ACG", at=at),
        st.integers(0, 50),
    ),
)


NULLS = [
    NULL,
    cg.DinucleotideShuffle(of=["ACGTTGCA" * 8]),
    cg.Profile(of={"p": "ACGT" * 16, "q": "TTGA" * 16}),
]


ROUND = st.builds(
    Design,
    null=st.sampled_from(NULLS),
    arms=st.lists(
        st.builds(
            cg.Arm,
            NAMES,
            INTERVENTIONS,
            st.dictionaries(st.sampled_from(["dose", "site"]), LEVELS),
        ),
        min_size=2,
        max_size=5,
        unique_by=(lambda arm: arm.name, lambda arm: arm.intervention),
    ),
    n_units=st.integers(1, 12),
)


@given(ROUND)
def test_designs_round_trip_and_keep_their_fingerprint(made):
    for again in (
        Design.from_toml(made.to_toml()),
        Design.from_json(made.to_json()),
        Design.from_dict(made.to_dict()),
    ):
        assert again == made
        assert again.fingerprint == made.fingerprint


def test_equal_designs_share_a_fingerprint_whatever_the_spelling():
    rna = design(arms={"control": cg.Untreated(), "site": cg.Embed("UGCAUG", at=20)})
    dna = design(arms={"control": cg.Untreated(), "site": cg.Embed("TGCATG", at=20)})
    assert rna == dna
    assert rna.fingerprint == dna.fingerprint


def test_fingerprints_follow_what_is_done():
    assert design().fingerprint == design().fingerprint
    others = [
        design(n_units=13), design(null=cg.Uniform(length=61)), design(arms=dict(reversed(ARMS.items()))),
        design(arms={**ARMS, "GATA": cg.Embed("AGATAAG", at=21)}), design(assignment="parallel"),
    ]  # fmt: skip
    assert len({other.fingerprint for other in [design(), *others]}) == 6


def test_factorial_has_every_combination():
    arms = cg.factorial(
        {
            "A": cg.Embed("GATA", at=0),
            "B": cg.Embed("CACGTG", at=9),
            "C": cg.Mutate(at=30, bases="A"),
        }
    )
    assert [arm.name for arm in arms] == [
        "untreated",
        "C",
        "B",
        "B + C",
        "A",
        "A + C",
        "A + B",
        "A + B + C",
    ]
    assert arms[-1].factors == {"A": 1, "B": 1, "C": 1}


@given(st.integers(2, 6), st.integers(1, 60), st.integers(1, 4), st.integers(0, 2**60))
def test_assignment_is_balanced_inside_blocks_and_extends(n_arms, n, n_blocks, key):
    blocks = np.sort(np.arange(n * n_blocks) % n_blocks)
    arms = assign(blocks, n_arms=n_arms, key=key)
    for block in range(n_blocks):
        counts = np.bincount(arms[blocks == block], minlength=n_arms)
        assert counts.max() - counts.min() <= 1
    one = np.zeros(n, np.int64)
    np.testing.assert_array_equal(
        assign(one, n_arms=n_arms, key=key),
        assign(np.zeros(2 * n, np.int64), n_arms=n_arms, key=key)[:n],
    )


def test_every_order_of_a_group_is_equally_likely():
    orders = assign(np.zeros(3 * 12_000, np.int64), n_arms=3, key=11).reshape(-1, 3)
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    assert ((counts - 2_000) ** 2 / 2_000).sum() < 32  # chi-square, 5 df, p = 6e-6


def test_no_warning_where_nothing_is_degenerate():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        design(null=cg.Genomic(of=["ACGT" * 15, "AACC" * 15], n_draws=6))
