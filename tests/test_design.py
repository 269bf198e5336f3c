"""Designs: what they refuse, that they travel, and who is assigned to what."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, strategies as st

import causalgia as cg
from causalgia.design import Design, assign
from causalgia.errors import DegenerateWarning, DesignError

ARMS = {"control": cg.Untreated(), "GATA": cg.Embed("AGATAAG", at=20)}
NULL = cg.Uniform(length=60)


def design(**changes) -> Design:
    return Design(**{"null": NULL, "arms": ARMS, "n_units": 12, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arms": {"GATA": cg.Embed("AGATAAG", at=60)}}, "at least two arms"),
        (
            {"arms": {**ARMS, "late": cg.Embed("AGATAAG", at=54)}},
            "arm 'late': 'AGATAAG' at 54 ends at 61, past the 60-bp background; the "
            "last valid start is 53",
        ),
        (
            {"arms": {**ARMS, "wide": cg.Embed("A" * 61, at=0)}},
            "arm 'wide': .* has 61 bases",
        ),
        (
            {
                "arms": {
                    **ARMS,
                    "two": cg.Embed("AGATAAG", at=3) + cg.Embed("CACGTG", at=9),
                }
            },
            "arm 'two': 'CACGTG' at 9 overlaps 'AGATAAG' at 3",
        ),
        (
            {"arms": {**ARMS, "x": cg.Embed("AC", at=3) + cg.Scramble((0, 20))}},
            "arm 'x': scramble of x.0:20. overlaps",
        ),
        (
            {"arms": {**ARMS, "x": cg.Scramble((50, 61))}},
            "arm 'x': scramble of x.50:61. ends past",
        ),
        ({"arms": {**ARMS, "x": cg.Delete((0, 60))}}, "leaves no sequence"),
        (
            {"arms": {**ARMS, "x": cg.Embed("ACGT", at=3) + cg.Insert("A", at=5)}},
            "splits 'ACGT'",
        ),
        ({"arms": {**ARMS, "x": cg.Insert("A", at=61)}}, "past the end"),
        (
            {"arms": {**ARMS, "again": cg.Embed("agataag", at=20)}},
            "arms 'GATA' and 'again' are the same intervention",
        ),
        (
            {
                "arms": [
                    cg.Arm("a", cg.Untreated()),
                    cg.Arm("a", cg.Mutate(at=1, bases="A")),
                ]
            },
            "name is taken",
        ),
        ({"arms": {"": cg.Untreated(), **ARMS}}, "printable"),
        ({"arms": {"bad\n": cg.Untreated(), **ARMS}}, "printable"),
        ({"arms": {"c": "GATA", **ARMS}}, "arm 'c': 'GATA' is not an intervention"),
        ({"arms": [cg.Untreated(), cg.Untreated()]}, "sequence of cg.Arm"),
        ({"n_units": 0}, "n_units=0"),
        ({"n_units": 10.5}, "n_units=10.5"),
        ({"assignment": "paired"}, "assignment='paired'"),
        ({"blocks": "parent"}, "assignment='parallel'"),
        ({"assignment": "parallel", "n_units": 1}, "1 units cannot fill 2 arms"),
        ({"assignment": "parallel", "blocks": ["a", "b"]}, "one for each unit"),
        ({"assignment": "parallel", "blocks": "parent"}, "block 0 has 1 units"),
        (
            {"assignment": "parallel", "blocks": ["a"] * 11 + ["b"]},
            "block b has 1 units",
        ),
        ({"assignment": "parallel", "blocks": 5}, "a label for each unit"),
        ({"arms": None}, "mapping name -> intervention"),
        ({"n_units": 10**30}, "below 2\\^48"),
        ({"null": "peaks.fa"}, "not a null model"),
        (
            {"null": cg.Shuffle(of=["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])},
            "all 12 units would be one sequence",
        ),
        ({"null": cg.Genomic(of=["ACGT" * 15] * 3)}, "12 units from 3 sequences"),
    ],
)
def test_a_bad_design_is_refused_before_anything_is_drawn(changes, message):
    with pytest.raises(DesignError, match=message):
        design(**changes)


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
    with pytest.raises(DesignError, match="'TT' at 12 overlaps 'ACGT' at 12"):
        design(
            arms={
                "control": cg.Untreated(),
                "x": cg.Embed("ACGT", at=10)
                + cg.Insert("GG", at=0)
                + cg.Embed("TT", at=12),
            }
        )
    with pytest.raises(DesignError, match="overlaps 'ACGT' at 6"):
        design(
            arms={
                "control": cg.Untreated(),
                "x": cg.Embed("ACGT", at=10) + cg.Delete((0, 4)) + cg.Embed("TT", at=6),
            }
        )


def test_few_distinct_sequences_are_warned_about():
    arms = {"control": cg.Untreated(), "treated": cg.Mutate(at=0, bases="T")}
    with pytest.warns(
        DegenerateWarning, match="only about 4 distinct sequences for 12 units"
    ):
        design(null=cg.Shuffle(of=["AAAC"]), arms=arms)


def test_parents_that_are_shuffles_of_each_other_count_once():
    arms = {"control": cg.Untreated(), "treated": cg.Mutate(at=0, bases="T")}
    with pytest.warns(
        DegenerateWarning, match="only about 4 distinct sequences for 20 units"
    ):
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


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        (3, "a design is a table"),
        ({"null": "uniform", "arms": {}, "n_units": 3}, "null: a table such as"),
        (
            {"null": {"kind": "uniform", "length": 9}, "arms": [{}], "n_units": 3},
            "arms: a table",
        ),
        (
            {
                "null": {"kind": "uniform", "length": 9},
                "arms": {"a": {"levels": 3}, "b": {}},
                "n_units": 3,
            },
            "arm 'a': levels=3 must be a mapping",
        ),
        (
            {
                "null": {"kind": "uniform", "length": 9},
                "arms": {"a": {"steps": [], "foo": 1}, "b": {}},
                "n_units": 3,
            },
            "arm 'a': steps stand alone; foo",
        ),
        (
            {
                "null": {"kind": "uniform", "length": 9},
                "arms": {"a": {"steps": 3}, "b": {}},
                "n_units": 3,
            },
            "arm 'a': steps = a list of tables",
        ),
        (
            {
                "null": {"kind": "uniform", "length": 9},
                "arms": {"a": {"embed": {"motif": {}}, "at": 1}},
                "n_units": 3,
            },
            "arm 'a': ",
        ),
    ],
)
def test_bad_plain_data_is_a_design_error(plain, message):
    with pytest.raises(DesignError, match=message):
        Design.from_dict(plain)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n_units = 3", "needs 'null'"),
        ("x =", "not valid TOML"),
        (
            "n_units = 3\n[null]\nkind='unifrm'\n[arms.a]\n[arms.b]\nmutate='A'\nat=1",
            "one of uniform",
        ),
        (
            "n_units = 3\n"
            "[null]\n"
            "kind='uniform'\n"
            "lenth=5\n"
            "[arms.a]\n"
            "[arms.b]\n"
            "mutate='A'\n"
            "at=1",
            "lenth",
        ),
        (
            "n_units = 3\n"
            "units=1\n"
            "[null]\n"
            "kind='uniform'\n"
            "length=5\n"
            "[arms.a]\n"
            "[arms.b]\n"
            "mutate='A'\n"
            "at=1",
            "no 'units'",
        ),
        (
            "n_units = 3\n"
            "[null]\n"
            "kind='uniform'\n"
            "length=5\n"
            "[arms.a]\n"
            "[arms.b]\n"
            "mutat='A'\n"
            "at=1",
            "arm 'b': an arm says one of",
        ),
    ],
)
def test_bad_text_names_the_key(text, message):
    with pytest.raises(DesignError, match=message):
        Design.from_toml(text)


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
    assert str(arms[6].intervention) == "do(x[0:4] = GATA, x[9:15] = CACGTG)"
    with pytest.raises(DesignError, match="that name is taken"):
        cg.factorial({"unit": cg.Embed("GATA", at=0)})
    for taken in ("outcome", "weight", "ice", "covariance", "model", "contrast_"):
        with pytest.raises(DesignError, match="that name is taken"):
            cg.Arm("a", cg.Untreated(), {taken: 1})


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
