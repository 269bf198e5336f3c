"""Null models: what they draw, from whom, and that a unit's draw is its own."""

from __future__ import annotations

import gzip
import json
import tomllib

import numpy as np
import pytest
import tomli_w
from hypothesis import given, strategies as st

import causalgia as cg
from causalgia.design import NullModel
from causalgia.design.arms import null_from_dict
from causalgia.sequences import decode

rng = np.random.default_rng(5)
PARENTS = ["".join(rng.choice(list("ACGT"), 60)) for _ in range(7)]
NULLS = [
    cg.Uniform(length=60),
    cg.Profile(of=PARENTS),
    cg.Markov(of=PARENTS, order=2),
    cg.Shuffle(of=PARENTS),
    cg.DinucleotideShuffle(of=PARENTS),
    cg.KletShuffle(of=PARENTS, k=3),
    cg.Genomic(of=PARENTS * 1),
    cg.Genomic(of=PARENTS, n_draws=3),
]


@pytest.mark.parametrize("null", NULLS, ids=repr)
def test_sample_is_a_dataset_of_tokens(null):
    sample = null.sample(6, rng=0)
    assert sample["sequence"].dims == ("unit", "position")
    assert sample["sequence"].dtype == np.uint8
    assert sample.sizes == {"unit": 6, "position": 60}
    assert sample["sequence"].values.max() <= 3
    assert sample["parent"].dims == ("unit",)
    gc = np.isin(sample["sequence"].values, (1, 2)).mean(axis=1)
    np.testing.assert_allclose(sample["gc"], gc)


@pytest.mark.parametrize(
    "null", [null for null in NULLS if null.kind != "genomic"], ids=repr
)
def test_the_first_units_are_the_smaller_trial(null):
    small, large = null.sample(30, rng=0), null.sample(300, rng=0)
    np.testing.assert_array_equal(small["sequence"], large["sequence"][:30])
    np.testing.assert_array_equal(small["parent"], large["parent"][:30])
    assert (null.sample(30, rng=1)["sequence"].values != small["sequence"].values).any()


@pytest.mark.parametrize("null", NULLS, ids=lambda null: null.fingerprint)
def test_toml_json_and_repr_read_back(null, tmp_path):
    kind = type(null)
    assert (
        kind.from_toml(null.to_toml())
        == kind.from_json(null.to_json())
        == NullModel.from_json(null.to_json())
        == null
    )
    path = tmp_path / "some.fa"
    path.write_text(">a\nACGTTT\n>b\nTTTTTT\n")
    short = (
        cg.Profile(of=["ACGT", "AGGT"]),
        cg.KletShuffle(of=str(path), k=3),
        cg.Genomic(of={"x": "ACGT"}, n_draws=2),
    )
    for made in short:
        names = {
            "KletShuffle": cg.KletShuffle,
            "Profile": cg.Profile,
            "Genomic": cg.Genomic,
        }
        assert eval(repr(made), names) == made


@pytest.mark.parametrize("null", NULLS, ids=repr)
def test_equal_by_value_and_fingerprint_and_round_trip(null):
    again = null_from_dict(null.to_dict())
    assert again == null
    assert hash(again) == hash(null)
    assert again.fingerprint == null.fingerprint
    assert len({other.fingerprint for other in NULLS}) == len(NULLS)


def kmers(word: str, k: int) -> list[str]:
    return sorted(word[i : i + k] for i in range(len(word) - k + 1))


@pytest.mark.parametrize(
    ("null", "k"),
    [
        (cg.Shuffle(of=PARENTS), 1),
        (cg.DinucleotideShuffle(of=PARENTS), 2),
        (cg.KletShuffle(of=PARENTS, k=3), 3),
    ],
)
def test_shuffles_cycle_through_their_parents_and_keep_klets(null, k):
    sample = null.sample(21, rng=3)
    rounds = sample["parent"].values.reshape(3, 7)
    assert sorted(rounds[0].tolist()) == list(range(7))
    np.testing.assert_array_equal(rounds, np.tile(rounds[0], (3, 1)))
    words = decode(sample["sequence"].values)
    for unit, word in enumerate(words):
        assert kmers(word, k) == kmers(PARENTS[rounds[0, unit % 7]], k)
    assert len(set(words)) > 15


def test_profile_follows_the_columns():
    sample = (
        cg.Profile(of=["AAC", "AGC", "AGT", "AGC"])
        .sample(40_000, rng=0)["sequence"]
        .values
    )
    assert (sample[:, 0] == 0).all()
    assert set(np.unique(sample[:, 1])) == {0, 2}
    assert abs((sample[:, 1] == 2).mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / 40_000)


def test_uniform_is_uniform_at_each_position():
    counts = np.bincount(
        cg.Uniform(length=5).sample(100_000, rng=0)["sequence"].values.ravel(),
        minlength=4,
    )
    assert ((counts - 125_000) ** 2 / 125_000).sum() < 27.9


def test_markov_follows_the_transitions():
    sample = (
        cg.Markov(of=["ACACACACACGT" * 4], order=1)
        .sample(4_000, rng=0)["sequence"]
        .values
    )
    after_a = sample[:, 1:][sample[:, :-1] == 0]
    assert (after_a == 1).all()


def test_genomic_in_given_order_or_a_subset_without_replacement():
    whole = cg.Genomic(of=PARENTS).sample(7, rng=0)
    assert decode(whole["sequence"].values) == PARENTS
    some = cg.Genomic(of=PARENTS).sample(5, rng=0)
    fewer = cg.Genomic(of=PARENTS).sample(3, rng=0)
    assert len(set(some["parent"].values.tolist())) == 5
    np.testing.assert_array_equal(fewer["parent"], some["parent"][:3])
    firsts = [
        int(cg.Genomic(of=PARENTS).sample(1, rng=seed)["parent"][0])
        for seed in range(700)
    ]
    counts = np.bincount(firsts, minlength=7)
    assert ((counts - 100) ** 2 / 100).sum() < 35.9  # chi-square, 6 df, p = 3e-6


def test_genomic_draws_repeat_each_sequence():
    sample = cg.Genomic(of=PARENTS, n_draws=3).sample(21, rng=0)
    assert np.bincount(sample["parent"].values).tolist() == [3] * 7


def test_names_of_a_fasta_are_the_parents(tmp_path):
    path = tmp_path / "peaks.fa.gz"
    with gzip.open(path, "wt") as out:
        out.write(">peak1 first\nacgtACGT\nAC\n>peak2\nTTTTTTTTTT\n")
    null = cg.Genomic(of=str(path))
    sample = null.sample(2, rng=0)
    assert sample["parent"].values.tolist() == ["peak1", "peak2"]
    assert null == cg.Genomic(of={"peak1": "ACGTACGTAC", "peak2": "T" * 10})
    assert null.to_dict()["of"] == str(path)
    tokens = null.sample(2, rng=0)["sequence"].values
    assert cg.Genomic(of=tokens).sample(2, rng=0)["parent"].values.tolist() == [0, 1]


NAMINGS = st.lists(
    st.integers(-3, 9)
    | st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3
    ),
    min_size=2,
    max_size=5,
    unique_by=str,
)


@given(
    NAMINGS | st.sampled_from([[0, 1], [1, 0], [5, 7], ["0", "1"], [0, "1"], [1, "b"]])
)
def test_every_naming_survives_toml_and_json(names):
    null = cg.Genomic(of=dict(zip(names, PARENTS, strict=False)))
    plain = null.to_dict()
    for again in (tomllib.loads(tomli_w.dumps(plain)), json.loads(json.dumps(plain))):
        read = null_from_dict(again)
        assert read == null
        assert read.fingerprint == null.fingerprint
        assert read.parents_given.names == null.parents_given.names
    assert len(set(null.sample(len(names), rng=0)["parent"].values.tolist())) == len(
        names
    )


def test_windows_of_a_genome_are_written_out(tmp_path):
    (tmp_path / "g.fa").write_text(">chr1\nAACCGGTTAACCGTGT\n>chr2\nACGTACGTACGTACGT\n")
    (tmp_path / "b.bed").write_text("chr1\t2\t8\nchr2\t1\t7\n")
    design = cg.Design(
        null=cg.Shuffle(
            of=cg.sequences.from_bed(tmp_path / "b.bed", tmp_path / "g.fa", length=6)
        ),
        arms={"none": cg.Untreated(), "A": cg.Embed("A", at=1)},
        n_units=4,
    )
    assert design.to_dict()["null"]["of"] == {
        "chr1:2-8": "CCGGTT",
        "chr2:1-7": "CGTACG",
    }
    (tmp_path / "g.fa").unlink()
    for again in (
        cg.Design.from_toml(design.to_toml()),
        cg.Design.from_json(design.to_json()),
    ):
        assert again == design
        assert again.fingerprint == design.fingerprint
        assert again.null.length == 6


@pytest.mark.parametrize("seed", [0, 7, np.random.SeedSequence(3)])
def test_seeds_are_repeatable_and_0_is_one_of_them(seed):
    a, b = (
        cg.Uniform(length=9).sample(5, rng=seed)["sequence"].values for _ in range(2)
    )
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(
        cg.Uniform(length=9).sample(5, rng=0)["sequence"],
        cg.Uniform(length=9).sample(5, rng=1)["sequence"],
    )


def test_a_generator_is_advanced():
    generator = np.random.default_rng(0)
    a, b = (
        cg.Uniform(length=9).sample(5, rng=generator)["sequence"].values
        for _ in range(2)
    )
    assert not np.array_equal(a, b)
