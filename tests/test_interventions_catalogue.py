"""What the catalogue's experiments do to units: bases copied, a place of its own in
each sequence, very many arms.
"""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia.design import AblateEach, Copy, EmbedEach, Intervention
from causalgia.design.arms import intervention_from_dict
from causalgia.design.null_model import NullModel
from causalgia.design.patterns import merged_motif
from causalgia.errors import DegenerateWarning
from causalgia.sequences import decode

LENGTH = 30


ROWS = 12


SPANS = tuple((3 + row, 3 + row + (4, 7, 9)[row % 3]) for row in range(ROWS))


WORDS = ("A", "CG", "UUU", "GATA") * 3


PLACES = tuple(range(2, 2 + ROWS))


def backgrounds(n: int, length: int = LENGTH, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, (n, length), dtype=np.uint8)


def applied(
    intervention: Intervention,
    tokens: np.ndarray,
    key: int = 7,
    units: np.ndarray | None = None,
) -> np.ndarray:
    ids = np.arange(len(tokens), dtype=np.uint64) if units is None else units
    return intervention.apply(tokens, units=ids, key=key)


def instances(n_draws: int = 1) -> cg.Genomic:
    """Twelve rows that are two sequences, each given six times."""
    two = decode(backgrounds(2))
    return cg.Genomic(
        of={f"site{row}": two[row // 6] for row in range(ROWS)},
        parent=[f"peak{row // 6}" for row in range(ROWS)],
        n_draws=n_draws,
    )


@pytest.mark.parametrize(
    ("intervention", "notation"),
    [
        (Copy((8, 17), at=20), "do(x[20:29] = x[8:17])"),
        (Copy((8, 17), at=20, strand="-"), "do(x[20:29] = rc(x[8:17]))"),
        (
            cg.Embed("GCUGG", at=10) + Copy((8, 17), at=20, strand="-"),
            "do(x[10:15] = GCUGG, x[20:29] = rc(x[8:17]))",
        ),
        (
            AblateEach(SPANS, fill="shuffle", n_draws=3),
            "do(x[the span of each of 12 rows] ~ shuffle)",
        ),
        (AblateEach(SPANS, fill="u"), "do(x[the span of each of 12 rows] = T)"),
        (
            AblateEach([(3, 5)] * ROWS, fill="cu"),
            "do(x[the span of each of 12 rows] = CT)",
        ),
        (
            EmbedEach(WORDS, at=PLACES),
            "do(x[the place of each of 12 rows] = its motif)",
        ),
        (
            EmbedEach(["A"], at=4, n_draws=2),
            "do(x[the place of each of 1 rows] = its motif)",
        ),
    ],
)
def test_notation_round_trip_and_keys_of_a_trial_file(intervention, notation):
    assert str(intervention) == notation
    assert intervention.random == ("~" in notation)
    again = intervention_from_dict(intervention.to_dict())
    assert again == intervention
    assert hash(again) == hash(intervention)
    assert again.fingerprint == intervention.fingerprint
    assert (
        Intervention.from_toml(intervention.to_toml())
        == Intervention.from_json(intervention.to_json())
        == again
    )
    names = {
        "Copy": Copy,
        "AblateEach": AblateEach,
        "EmbedEach": EmbedEach,
        "Embed": cg.Embed,
    }
    assert eval(repr(intervention), names) == intervention
    assert cg.Arm.from_dict("x", intervention.to_dict()).intervention == intervention


def test_a_copy_is_the_units_own_bases():
    before = backgrounds(40)
    after = applied(Copy((8, 17), at=20), before)
    np.testing.assert_array_equal(after[:, 20:29], before[:, 8:17])
    np.testing.assert_array_equal(
        np.delete(after, range(20, 29), 1), np.delete(before, range(20, 29), 1)
    )


def test_a_copy_of_the_reverse_complement_pairs_every_base_of_the_stem():
    before = backgrounds(40)
    hairpin = applied(
        cg.Embed("GCUGG", at=10) + Copy((8, 17), at=20, strand="-"), before
    )
    for k in range(9):
        # A-T, C-G
        np.testing.assert_array_equal(
            hairpin[:, 8 + k] + hairpin[:, 28 - k], np.full(40, 3)
        )
    # the motif that was embedded is paired too
    assert decode(hairpin[:, 22:27]) == ["CCAGC"] * 40
    np.testing.assert_array_equal(hairpin[:, 17:20], before[:, 17:20])


def test_a_copy_may_touch_its_source():
    before = backgrounds(10)
    np.testing.assert_array_equal(
        applied(Copy((5, 10), at=10), before)[:, 10:15], before[:, 5:10]
    )
    np.testing.assert_array_equal(
        applied(Copy((5, 10), at=0), before)[:, :5], before[:, 5:10]
    )


def test_a_tile_moves_where_its_first_place_is_scrambled_afterwards():
    before = backgrounds(30)
    after = applied(Copy((2, 10), at=15) + cg.Scramble((0, 12)), before)
    np.testing.assert_array_equal(after[:, 15:23], before[:, 2:10])
    np.testing.assert_array_equal(np.sort(after[:, :12]), np.sort(before[:, :12]))
    assert (after[:, :12] != before[:, :12]).any(axis=1).mean() > 0.9


def test_each_row_is_ablated_in_its_own_span_alone():
    tokens = np.repeat(backgrounds(ROWS), 5, axis=0)
    done = applied(AblateEach(SPANS, fill="T", n_draws=5), tokens)
    for unit, row in enumerate(np.repeat(np.arange(ROWS), 5)):
        expected = applied(cg.Ablate(SPANS[row], fill="T"), tokens[[unit]])
        np.testing.assert_array_equal(done[[unit]], expected)


def test_a_word_is_written_into_every_span():
    spans = [(row, row + 3) for row in range(ROWS)]
    done = applied(AblateEach(spans, fill="GAU"), backgrounds(ROWS))
    assert [
        decode(row[None, slice(*span)])[0]
        for row, span in zip(done, spans, strict=True)
    ] == ["GAT"] * ROWS


@pytest.mark.parametrize(("fill", "k"), [("shuffle", 1), ("dinucleotide_shuffle", 2)])
def test_shuffled_fills_keep_the_klets_of_each_span(fill, k):
    n_draws = 40
    tokens = np.repeat(backgrounds(ROWS), n_draws, axis=0)
    done = applied(AblateEach(SPANS, fill=fill, n_draws=n_draws), tokens)
    for row, (start, stop) in enumerate(SPANS):
        mine = slice(row * n_draws, (row + 1) * n_draws)
        outside = np.delete(done[mine], range(start, stop), 1)
        np.testing.assert_array_equal(
            outside, np.delete(tokens[mine], range(start, stop), 1)
        )
        before, after = (decode(x[mine, start:stop]) for x in (tokens, done))
        assert {klets(word, k) for word in after} == {klets(before[0], k)}
        if stop - start > 4:
            assert len(set(after)) > 1  # several fills for one instance


def klets(word: str, k: int) -> tuple[str, ...]:
    return tuple(sorted(word[i : i + k] for i in range(len(word) - k + 1)))


def test_uniform_fills_are_uniform_and_belong_to_the_unit():
    n_draws = 2_000
    ablate = AblateEach(SPANS, fill="uniform", n_draws=n_draws)
    tokens = np.repeat(backgrounds(ROWS), n_draws, axis=0)
    done = applied(ablate, tokens)
    counts = np.bincount(done[n_draws : 2 * n_draws, 4:11].ravel(), minlength=4)
    assert ((counts - 3_500) ** 2 / 3_500).sum() < 27.9  # chi-square, 3 df, p = 4e-6
    some = np.array([24_000 - 1, 3, 7_777, 12_000], np.uint64)
    np.testing.assert_array_equal(applied(ablate, tokens[some], units=some), done[some])
    again = applied(cg.Embed("ACG", at=0) + ablate, tokens)
    # the same draw in another arm
    np.testing.assert_array_equal(again[:, 3:], done[:, 3:])
    assert (applied(ablate, tokens, key=8) != done).any()


def test_each_row_gets_its_own_word_at_its_own_place():
    tokens = backgrounds(ROWS)
    done = applied(EmbedEach(WORDS, at=PLACES), tokens)
    same = applied(EmbedEach(WORDS, at=5), tokens)
    for row, (word, at) in enumerate(zip(WORDS, PLACES, strict=True)):
        np.testing.assert_array_equal(
            done[[row]], applied(cg.Embed(word, at=at), tokens[[row]])
        )
        np.testing.assert_array_equal(
            same[[row]], applied(cg.Embed(word, at=5), tokens[[row]])
        )
    assert EmbedEach(["u"], at=2) == EmbedEach(["T"], at=2)


def test_sites_go_with_another_number_of_draws():
    arm = cg.Embed("A", at=0) + EmbedEach(WORDS, at=PLACES, n_draws=2)
    again = arm.for_draws(5)
    tokens = backgrounds(ROWS)
    five = applied(again, np.repeat(tokens, 5, axis=0))
    np.testing.assert_array_equal(
        five, np.repeat(applied(arm.for_draws(1), tokens), 5, axis=0)
    )
    assert cg.Embed("A", at=0).for_draws(5) == cg.Embed("A", at=0)
    assert again.for_draws(2) == arm


def test_rows_say_their_parent():
    null = instances(n_draws=2)
    sample = null.sample(24, rng=0)
    assert sample["parent"].values.tolist() == ["peak0"] * 12 + ["peak1"] * 12
    assert null == instances(n_draws=2) != instances()
    assert null != cg.Genomic(of=null.of, n_draws=2)
    assert (
        NullModel.from_toml(null.to_toml())
        == NullModel.from_json(null.to_json())
        == null
    )
    assert eval(
        repr(cg.Genomic(of={"a": "ACGT", "b": "ACGG"}, parent=("p", "p"))),
        {"Genomic": cg.Genomic},
    ).parent == (
        "p",
        "p",
    )
    assert "parent" not in cg.Genomic(of=["ACGT", "TTTT"]).to_dict()
    part = null.sample(6, rng=3)  # a random subset keeps the parent of each of its rows
    two = decode(backgrounds(2))
    assert [
        f"peak{two.index(word)}" for word in decode(part["sequence"].values)
    ] == part["parent"].values.tolist()


def test_rows_of_a_parent_are_reserved_together():
    names = [str(row % 20) for row in range(80)]
    null = cg.Genomic(of=backgrounds(80), parent=names)
    kept, reserved = null.split(0.25)
    assert len(kept.parents_given) == 60
    assert len(set(reserved.parent_names)) == 5
    assert not set(kept.parent_names) & set(reserved.parent_names)
    assert sorted(kept.parent_names + reserved.parent_names) == sorted(names)


def test_the_same_sequence_several_times_is_degenerate_only_where_it_was_not_said():
    arms = {"control": cg.Untreated(), "it": AblateEach(SPANS, fill="A")}
    # a warning would be an error here
    cg.Design(null=instances(), arms=arms, n_units=ROWS)
    with pytest.warns(DegenerateWarning):
        cg.Design(null=cg.Genomic(of=instances().of), arms=arms, n_units=ROWS)


def test_occlusion_recovers_what_the_spans_held_with_parents_as_clusters():
    sequences, sites, n_draws = 60, 3, 4
    tokens = np.repeat(backgrounds(sequences, seed=5), sites, axis=0)
    spans = [
        (2 + 9 * (row % sites), 8 + 9 * (row % sites)) for row in range(len(tokens))
    ]
    null = cg.Genomic(
        of={f"s{row}": word for row, word in enumerate(decode(tokens))},
        parent=[row // sites for row in range(len(tokens))],
        n_draws=n_draws,
    )
    arms = {
        "wild type": cg.Untreated(),
        "occluded": AblateEach(spans, fill="uniform", n_draws=n_draws),
    }
    design = cg.Design(null=null, arms=arms, n_units=len(tokens) * n_draws)
    count = cg.FunctionPredictor(
        lambda x: x[:, 1:3].sum((1, 2)), tasks=["GC"], scale="bases"
    )
    effects = cg.contrast(cg.run(design, count, rng=1), control="wild type")
    own = np.array(
        [
            np.isin(row[slice(*span)], (1, 2)).sum()
            for row, span in zip(tokens, spans, strict=True)
        ]
    )
    ice = effects["ice"].values[:, 0, 0]
    # six uniform bases hold three of G and C
    error = (ice - np.repeat(3.0 - own, n_draws)).mean()
    assert abs(error) < 4 * np.sqrt(6 / 4 / len(ice))
    assert cg.estimate(effects)["n_clusters"].max() == sequences


@pytest.mark.parametrize("at", [0, 3, 5, 6])
def test_merged_words_read_both_sites(at):
    first, second = "AUAUAU", {0: "AUAU", 3: "UAUC", 5: "UCCC", 6: "CCCC"}[at]
    word = merged_motif(first, second, at)
    assert word[:6] == first
    assert word[at : at + 4] == second
    assert len(word) == max(6, at + 4)


def test_published_spacing_is_one_word():
    assert merged_motif("UGCAUG", "UGCAUG", 4) == "UGCAUGCAUG"
    assert merged_motif("tgcatg", "UGCAUG", 4) == "TGCATGCATG"


def test_an_equal_step_draws_the_same_in_every_arm_and_a_complement_is_two_steps():
    tokens = backgrounds(8, 20_000)
    tile = (8_000, 13_000)
    alone = applied(cg.Scramble(tile, k=2), tokens)
    beside = applied(cg.Scramble((0, 5_000), k=2) + cg.Scramble(tile, k=2), tokens)
    np.testing.assert_array_equal(alone[:, slice(*tile)], beside[:, slice(*tile)])
    rest = applied(
        cg.Scramble((0, tile[0]), k=2) + cg.Scramble((tile[1], 20_000), k=2), tokens
    )
    np.testing.assert_array_equal(rest[:, slice(*tile)], tokens[:, slice(*tile)])
    for part in ((0, tile[0]), (tile[1], 20_000)):
        after, before = rest[:, slice(*part)], tokens[:, slice(*part)]
        assert (after != before).mean() > 0.7
        for a, b in zip(after, before, strict=True):
            np.testing.assert_array_equal(pairs(a), pairs(b))


def pairs(row: np.ndarray) -> np.ndarray:
    return np.bincount(row[:-1].astype(int) * 4 + row[1:], minlength=16)


class Counted(str):
    """A name that counts how often names are compared."""

    __slots__ = ()
    comparisons = 0

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_names_of_many_arms_are_checked_in_linear_time():
    n = 3_000
    arms = [
        cg.Arm(Counted(f"arm {i}"), cg.Mutate(at=i % 41, bases="ACGT"[i // 41 % 4]))
        for i in range(n)
    ]
    Counted.comparisons = 0
    cg.Design(
        null=cg.Uniform(length=41), arms=arms, n_units=2 * n, assignment="parallel"
    )
    assert Counted.comparisons < 20 * n


def test_what_is_written_is_worked_out_once_and_cannot_be_changed():
    embed = cg.Embed("GATA", at=3)
    first, second = (applied(embed, backgrounds(4, seed=seed)) for seed in (0, 1))
    first[:] = 0
    assert (
        decode(second[:, 3:7])
        == decode(applied(embed, backgrounds(4))[:, 3:7])
        == ["GATA"] * 4
    )
    assert not embed.written.instances(np.arange(2, dtype=np.uint64), 0).flags.writeable
