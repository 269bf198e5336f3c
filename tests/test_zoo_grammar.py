# Imports from the inside: closed forms of arms, proved against many draws.
"""What the zoo's motifs say together: published stories on named oracles, truths of
named contrasts, long sequences.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

import causalgia as cg
from causalgia.design import AblateEach, EmbedEach
from causalgia.sequences import encode
from causalgia.zoo import EndGC, MotifCount, Oracle, Pair, oracle
from causalgia.zoo._true_ace import exact_means, simulated_effects, true_ace
from causalgia.zoo.arrangements import Hairpin
from causalgia.zoo.automaton import NoClosedForm, Reading
from causalgia.zoo.oracles import names
from causalgia.zoo.terms import Gate

NANOG, OCT4_SOX2, SOX2, KLF4 = "AGCCATCA", "TTTGCATAACAA", "GAACAATGG", "CCACGCCC"
GATA, CACCC = "AGATAAGG", "CCACACCC"
PROMOTER, ENHANCER, WEAK, SILENCER = (
    "GGCTATAAAAGG",
    "ATGCTGAGTCAT",
    "CCAGATAAGGAC",
    "CAGCACCACGGA",
)
WORDS = [NANOG, OCT4_SOX2, SOX2, KLF4, GATA, CACCC, PROMOTER, ENHANCER, WEAK, SILENCER]
WORDS += [
    "UGCAUG",
    "AGAAUG",
    "GCUGG",
    "CCAGC",
    "AGATAAG",
    "CAGCTG",
    "CAAAGTCCA",
    "CCGGAAGT",
]


def rna(arms: dict[str, cg.Intervention], **more: object) -> cg.Design:
    return cg.Design(
        null=cg.Uniform(length=41),
        arms={"untreated": cg.Untreated(), **arms},
        n_units=10,
        **more,
    )


def truth(
    name: str,
    arms: dict[str, cg.Intervention],
    *,
    length: int = 41,
    task: str | None = None,
) -> dict:
    """The true effect of each arm against untreated backgrounds of independent uniform
    bases.
    """
    design = cg.Design(
        null=cg.Uniform(length=length),
        arms={"untreated": cg.Untreated(), **arms},
        n_units=10,
    )
    found = oracle(name).true_ace(design, control="untreated")
    assert (found.method == "closed form").all()
    found = found.isel(task=0) if task is None else found.sel(task=task)
    return dict(zip(found.contrast.values.tolist(), found.values.tolist(), strict=True))


def at(*places: int, word: str = "UGCAUG") -> cg.Intervention:
    arm = cg.Embed(word, at=places[0])
    for place in places[1:]:
        arm = arm + cg.Embed(word, at=place)
    return arm


def full_of_words(n: int, length: int, seed: int) -> np.ndarray:
    """Random sequences with a motif of some oracle, on some strand, about every 20
    bases.
    """
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 4, (n, length)).astype(np.uint8)
    for row in tokens:
        for start in range(0, length - 14, 20):
            word = encode(WORDS[rng.integers(len(WORDS))])[0]
            word = word if rng.random() < 0.5 else 3 - word[::-1]
            row[start + rng.integers(4) :][: len(word)] = word
    return tokens


@pytest.mark.parametrize("name", names())
def test_the_expectation_of_a_certain_sequence_is_its_answer(name: str) -> None:
    tokens, made = full_of_words(40, 150, 1), oracle(name)
    answers = made.predict(tokens)
    assert (answers.std(axis=0) > 0.05).all()
    for task, answer in zip(made.tasks, answers.T, strict=True):
        np.testing.assert_allclose(
            made.expected(np.eye(4)[tokens], task), answer, rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize("name", ["pairs_like", "gated", "long_range"])
def test_the_truth_of_an_oracle_for_dna_is_what_many_units_show(name: str) -> None:
    parents = np.where(
        np.random.default_rng(2).random((30, 150)) < 0.15, 0, full_of_words(1, 150, 5)
    )
    null = cg.Profile(of=parents.astype(np.uint8))
    arms = {
        "as it is": cg.Untreated(),
        "without": cg.Ablate((40, 80), fill="uniform"),
        "T": cg.Ablate((0, 60), fill="T"),
    }
    for word in (NANOG, CACCC, ENHANCER):
        arms[word] = cg.Embed(word, at=70)
    design = cg.Design(null=null, arms=arms, n_units=10)
    made, units = oracle(name), np.arange(20_000, dtype=np.uint64)
    tokens = null.draw(units, key=3, n_units=20_000)
    answers = [
        made.predict(arm.apply(tokens, units=units, key=4)) for arm in arms.values()
    ]
    ice = np.stack(answers[1:]) - answers[0]
    se = ice.std(axis=1, ddof=1) / np.sqrt(len(units))
    error = np.abs(ice.mean(axis=1) - made.true_ace(design, control="as it is").values)
    spread = se > 1e-9
    assert spread.any()
    assert (error[spread] / se[spread]).max() < norm.isf(1e-4 / (2 * spread.sum()))
    assert error[~spread].max(initial=0) < 1e-3


def test_rbfox1_words_come_out_in_the_order_of_their_affinity() -> None:
    words = ["".join(word) for word in product("ACGU", repeat=6)]
    found = truth("rbfox1_like", {word: cg.Embed(word, at=17) for word in words})
    assert len(found) == 4_096
    first = sorted(found, key=found.__getitem__, reverse=True)
    assert first[:3] == ["UGCAUG", "AGCAUG", "CGCAUG"]
    heptamers = [
        "UGCAUGU",
        "AGCAUGU",
        "CGCAUGU",
        "UGCACGU",
        "UGUAUGU",
        "UGCAUAU",
        "UACAUGU",
    ]
    ordered = list(
        truth(
            "rbfox1_like", {word: cg.Embed(word, at=17) for word in heptamers}
        ).values()
    )
    assert ordered == sorted(ordered, reverse=True)


@pytest.mark.parametrize("word", ["UGCAUG", "AGAAUG"])
def test_rbfox1_copies_are_monotone_and_nearly_additive(word: str) -> None:
    places = {"1": (4,), "2": (4, 12), "3": (4, 12, 20), "at 12": (12,), "at 20": (20,)}
    found = truth(
        "rbfox1_like", {name: at(*where, word=word) for name, where in places.items()}
    )
    assert 0 < found["1"] < found["2"] < found["3"]
    assert found["3"] == pytest.approx(
        found["1"] + found["at 12"] + found["at 20"], rel=0.02
    )


def test_rbfox1_sites_crowd_each_other_near_and_not_far() -> None:
    spacings = {4: (16, 20), 6: (15, 21), 9: (13, 22), 18: (8, 26)}
    arms = {
        f"{d}": at(*where) if d >= 6 else at(where[0], word="UGCAUGCAUG")
        for d, where in spacings.items()
    }
    arms |= {f"at {i}": at(i) for where in spacings.values() for i in where}
    found = truth("rbfox1_like", arms)
    penalty = {
        d: found[f"{d}"] - found[f"at {i}"] - found[f"at {j}"]
        for d, (i, j) in spacings.items()
    }
    assert max(penalty[4], penalty[6]) < -0.8
    assert abs(penalty[9]) < 0.1
    assert abs(penalty[18]) < 0.1


def test_rbfox1_feels_gc_at_the_3_prime_end_alone_and_beside_any_word() -> None:
    for core in ("CAAAUU", "UUAUUU", "UUGCAC"):
        arms = {"core": at(17, word=core)}
        arms |= {f"GC {i}": at(i, word="GCGCGC") for i in (2, 34)}
        arms |= {
            f"core, GC {i}": at(17, word=core) + at(i, word="GCGCGC") for i in (2, 34)
        }
        found = truth("rbfox1_like", arms)
        assert found["GC 34"] == pytest.approx(-0.3, abs=0.03)
        assert abs(found["GC 2"]) < 0.03
        assert abs(found["core, GC 34"] - found["core"] - found["GC 34"]) < 0.03


def test_vts1_prefers_its_word_in_a_loop_to_the_open_and_that_to_a_stem() -> None:
    left, right = "ACGAUCGCA", "UGCGAUCGU"
    hairpin = at(8, word=left) + at(24, word=right)
    arms = {
        "open": at(17, word="GCUGG"),
        "hairpin": hairpin,
        "loop": at(8, word=left) + at(18, word="GCUGG") + at(24, word=right),
        "left": at(8, word="ACGCUGGCA"),
        "left stem": at(8, word="ACGCUGGCA") + at(24, word="UGCCAGCGU"),
        "right": at(24, word="ACGCUGGCA"),
        "right stem": at(8, word="UGCCAGCGU") + at(24, word="ACGCUGGCA"),
    }
    found = truth("vts1_like", arms)
    assert abs(found["hairpin"]) < 0.2
    assert found["loop"] > found["open"] + 1.0
    assert found["open"] > max(found["left stem"], found["right stem"]) + 0.4
    for side in ("left", "right"):
        assert found[f"{side} stem"] - found[side] == pytest.approx(-0.5, abs=0.1)


def spaced(
    first: str, second: str, distance: int, strands: str = "++"
) -> cg.Intervention:
    places = ((first, 450, strands[0]), (second, 450 + distance, strands[1]))
    one, two = (
        cg.Embed(word, at=start, strand=strand) for word, start, strand in places
    )
    return one + two


def interactions(
    task: str, first: str, second: str, distances: range, strands: str = "++"
) -> np.ndarray:
    """E[Y(both) - Y(first) - Y(second) + Y(neither)] at each distance of the starts,
    1,000 bp.
    """
    arms = {"first": cg.Embed(first, at=450, strand=strands[0])}
    for d in distances:
        arms[f"second {d}"] = cg.Embed(second, at=450 + d, strand=strands[1])
        arms[f"both {d}"] = spaced(first, second, d, strands)
    found = truth("pairs_like", arms, length=1_000, task=task)
    return np.array(
        [found[f"both {d}"] - found["first"] - found[f"second {d}"] for d in distances]
    )


def test_nanog_pairs_have_a_helical_phase_that_fades_and_clash_when_adjacent() -> None:
    distances = range(10, 161)
    profile = interactions("Nanog", NANOG, NANOG, distances)
    d = np.array(distances)
    expected = 0.8 * np.exp(-d / 60) * (1 + 0.8 * np.cos(2 * np.pi * d / 10.5))
    np.testing.assert_allclose(profile, expected, atol=0.02)
    peaks = d[1:-1][(profile[1:-1] > profile[:-2]) & (profile[1:-1] > profile[2:])]
    assert np.diff(peaks[:8]).mean() == pytest.approx(10.5, abs=0.3)
    np.testing.assert_allclose(
        interactions("Nanog", NANOG, NANOG, range(8, 10)), -0.5, atol=0.02
    )
    np.testing.assert_allclose(
        interactions("Nanog", NANOG, NANOG, range(20, 22), "+-"),
        expected[10:12],
        atol=0.02,
    )


def test_sox2_helps_nanog_in_a_direction_and_not_the_other_way_round() -> None:
    distances = range(21, 23)
    for first, second, strands in ((SOX2, NANOG, "++"), (NANOG, SOX2, "--")):
        upstream = interactions("Nanog", first, second, distances, strands)
        downstream = interactions("Nanog", second, first, distances, strands)
        np.testing.assert_allclose(upstream, 3 * downstream, atol=0.03)
        assert (upstream > 0.5).all()
        assert (
            np.abs(interactions("Nanog", first, second, distances, "+-")).max() < 0.02
        )
        assert (
            np.abs(interactions("Sox2", first, second, distances, strands)).max() < 0.02
        )


def test_oct4_sox2_helps_its_neighbors_and_klf4_does_not_know_nanog() -> None:
    for task, partner, bonus in (("Nanog", NANOG, 0.7), ("Klf4", KLF4, 0.5)):
        for first, second in ((OCT4_SOX2, partner), (partner, OCT4_SOX2)):
            near, far = interactions(task, first, second, range(20, 200, 160))
            assert near == pytest.approx(bonus * np.exp(-20 / 80), abs=0.02)
            assert abs(far - bonus * np.exp(-180 / 80)) < 0.02
    for task in oracle("pairs_like").tasks:
        assert np.abs(interactions(task, KLF4, NANOG, range(15, 45, 7))).max() < 0.02


def test_gates_are_necessity_and_sufficiency() -> None:
    arms = cg.factorial(
        {"GATA": cg.Embed(GATA, at=40), "CACCC": cg.Embed(CACCC, at=90)}
    )
    design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=10)
    both = "GATA + CACCC"
    asked = {
        "sufficiency": {"GATA": 1.0, "untreated": -1.0},
        "necessity": {both: 1.0, "CACCC": -1.0},
        "interaction": {both: 1.0, "GATA": -1.0, "CACCC": -1.0, "untreated": 1.0},
    }
    found = oracle("gated").true_ace(design, contrasts=asked)
    said = {"AND": (0, 2, 2), "OR": (2, 0, -2), "sum": (1, 1, 0)}
    for task, effects in said.items():
        np.testing.assert_allclose(found.sel(task=task), effects, atol=0.06)
    twice = cg.Embed(GATA, at=40) + cg.Embed(GATA, at=60)
    copies = truth(
        "gated", {"1": cg.Embed(GATA, at=40), "2": twice}, length=200, task="OR"
    )
    assert copies["2"] == pytest.approx(copies["1"], abs=1e-9)


def test_a_gate_of_three_words_is_an_interaction_of_third_order() -> None:
    made = Oracle(Gate(("GATTACAG", "CCACACCC", "TGAGTCAT"), bonus=1.5, logic="and"))
    words = {
        word[:3]: cg.Embed(word, at=i * 20)
        for i, word in enumerate(made.terms[0].motifs)
    }
    arms = cg.factorial(words)
    mobius = {arm.name: float((-1) ** (3 - sum(arm.factors.values()))) for arm in arms}
    design = cg.Design(
        null=cg.Uniform(length=80),
        arms=arms,
        n_units=10,
        contrasts={"third order": mobius},
    )
    assert made.true_ace(design).item() == pytest.approx(1.5, abs=0.01)


def test_a_gate_too_large_for_the_automaton_is_simulated() -> None:
    made = Oracle(
        Gate(
            ("N" * 9 + "A" + "N" * 9 + "C", "G" + "N" * 12 + "T"), bonus=1.0, logic="or"
        )
    )
    with pytest.raises(NoClosedForm):
        made.expected(np.full((1, 60, 4), 0.25), "outcome")
    arms = {"control": cg.Untreated(), "A": cg.Ablate((10, 50), fill="A")}
    found = made.true_ace(
        cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=10), n_units=2_000
    )
    assert (found.method.item(), found.mcse.item() > 0) == ("large n", True)


def test_enhancers_act_on_a_promoter_from_afar_and_fade() -> None:
    length, start = 20_000, 15_000
    arms = {"promoter": cg.Embed(PROMOTER, at=start)}
    distances = (-2_000, 500, 5_000, 12_000)
    for d in distances:
        arms[f"alone {d}"] = cg.Embed(ENHANCER, at=start - d)
        arms[f"{d}"] = cg.Embed(PROMOTER, at=start) + cg.Embed(
            ENHANCER, at=start - d, strand="-" if d < 0 else "+"
        )
    two = cg.Embed(PROMOTER, at=start) + cg.Embed(ENHANCER, at=start - 500)
    arms["copies"] = two + cg.Embed(ENHANCER, at=start - 5_000)
    arms["silenced"] = cg.Embed(PROMOTER, at=start) + cg.Embed(SILENCER, at=start - 500)
    found = truth("long_range", arms, length=length)
    assert found["promoter"] == pytest.approx(0.2, abs=0.03)
    for d in distances:
        assert abs(found[f"alone {d}"]) < 0.03
        assert found[f"{d}"] - found["promoter"] == pytest.approx(
            5 * np.exp(-abs(d) / 5_000), abs=0.03
        )
    both = found["500"] + found["5000"] - 2 * found["promoter"]
    assert found["copies"] - found["promoter"] == pytest.approx(both, abs=0.03)
    assert found["silenced"] < found["promoter"] - 0.1


def test_pairs_over_long_sequences_are_the_plain_sum_over_distances() -> None:
    rng = np.random.default_rng(6)
    columns = rng.dirichlet(np.ones(4), size=(2, 1_500))
    columns[0, 200:300] = np.eye(4)[encode("GATTC" * 20)[0]]
    pair = Pair(
        "GAN", "TC", bonus=1.3, clash=-0.7, min_distance=12, decay=400.0, phase=0.5
    )
    h = pair.by_distance(1_500)
    ga = columns[:, :-2, 2] * columns[:, 1:-1, 0]
    tc = columns[:, :-1, 3] * columns[:, 1:, 1]
    plain = np.zeros(2)
    for d in range(1, 1_499):
        if d > 2:  # GAN before TC, reading other bases
            plain += h[d] * (ga[:, : 1_499 - d] * tc[:, d:][:, :1_498]).sum(axis=1)
        elif d == 2:  # N and T are one base
            plain += h[d] * (
                columns[:, :-3, 2]
                * columns[:, 1:-2, 0]
                * columns[:, 2:-1, 3]
                * columns[:, 3:, 1]
            ).sum(axis=1)
        if d > 1:  # TC before GAN; at distance 1 C and G contradict
            plain += h[d] * (tc[:, : 1_498 - d] * ga[:, d:]).sum(axis=1)
    np.testing.assert_allclose(pair.expected(columns), plain, rtol=1e-11)


def test_hairpins_are_counted_up_to_both_ends() -> None:
    hairpin = Hairpin("GC", bonus=1.0, stem=2, loop=3)
    sequences = ["ACGCAGT", "AACGCAGT", "ACGCAGTA", "GCACGCA", "CAGTGCA"]
    assert hairpin.score(
        Reading(encode([s for s in sequences if len(s) == 7]))
    ).tolist() == [1.0, 0.0, 0.0]
    assert hairpin.score(
        Reading(encode([s for s in sequences if len(s) == 8]))
    ).tolist() == [1.0, 1.0]
    assert hairpin.score(Reading(encode(["ACGCAG"]))).tolist() == [0.0]


SPACED = {
    "1": at(9),
    "2": at(9, 20),
    "weak": at(9, word="AGAAUG"),
    "scrambled": cg.Scramble((4, 9)),
    "shorter": cg.Delete((0, 5)),
}
ASKED = {
    "copies": {"2": 1.0, "1": -1.0},
    "strong or weak": {"1": 0.5, "2": 0.5, "weak": -1.0},
    "excess over n times the first": {"2": 1.0, "1": -2.0, "untreated": 1.0},
    "scrambled": {"scrambled": 1.0, "untreated": -1.0},
}


def test_named_contrasts_are_weighted_sums_of_the_arms_truths() -> None:
    made = oracle("rbfox1_like")
    against = made.true_ace(rna(SPACED), control="untreated")
    found = made.true_ace(rna(SPACED), contrasts=ASKED)
    assert found.dims == ("contrast", "task")
    assert found.contrast.values.tolist() == list(ASKED)
    assert (found.method == "closed form").all()
    assert "control" not in found.attrs
    for name, weights in ASKED.items():
        plain = sum(
            w * against.sel(contrast=arm)
            for arm, w in weights.items()
            if arm != "untreated"
        )
        np.testing.assert_allclose(found.sel(contrast=name), plain, atol=1e-13)
    xr.testing.assert_equal(made.true_ace(rna(SPACED, contrasts=ASKED)), found)
    xr.testing.assert_equal(true_ace(rna(SPACED), made, contrasts=ASKED), found)


def test_a_design_whose_contrasts_have_a_control_says_it_and_control_overrules_contrasts() -> (
    None
):
    made = oracle("rbfox1_like")
    found = made.true_ace(rna(SPACED, contrasts="weak"))
    assert (found.attrs["control"], found.attrs["control_is"]) == (
        "weak",
        "the design's",
    )
    xr.testing.assert_equal(found, made.true_ace(rna(SPACED), control="weak"))
    xr.testing.assert_equal(
        made.true_ace(rna(SPACED, contrasts=ASKED), control="weak"),
        made.true_ace(rna(SPACED), control="weak"),
    )


def test_arms_that_no_contrast_weighs_are_not_asked() -> None:
    made = Oracle(MotifCount("UGCAUG", 2.0), EndGC(1.0, last=3), length=41)
    found = made.true_ace(rna(SPACED), contrasts={"copies": ASKED["copies"]})
    assert found.item() == pytest.approx(2.0, abs=0.02)


PARENTS = ["ACGTACATGCATGGCATTACA", "GGCTAACTGCATGCCATATCA", "TTGTACCTTGCAGAACATAGG"]


def test_contrasts_on_real_sequences_are_enumerated_or_drawn() -> None:
    arms = {
        "as it is": cg.Untreated(),
        "TGCATG": cg.Embed("TGCATG", at=3),
        "GC": cg.Embed("GCGCGC", at=3),
    }
    arms["placebo"] = cg.Placebo("TGCATG", at=3)
    asked = {
        "site": {"TGCATG": 1.0, "GC": -0.5, "as it is": -0.5},
        "specific": {"TGCATG": 1.0, "placebo": -1.0},
    }
    design = cg.Design(
        null=cg.Genomic(of=PARENTS), arms=arms, n_units=3, contrasts=asked
    )
    made = oracle("saturating")
    found = made.true_ace(design, n_units=6_000)
    assert found.method.values.ravel().tolist() == ["enumeration", "large n"]
    tokens, units = encode(PARENTS), np.arange(3, dtype=np.uint64)
    y = {
        name: made.predict(arm.apply(tokens, units=units, key=0)).mean()
        for name, arm in arms.items()
    }
    assert found.values[0, 0] == pytest.approx(
        y["TGCATG"] - (y["GC"] + y["as it is"]) / 2, abs=1e-12
    )
    assert found.mcse.values[0, 0] == 0 < found.mcse.values[1, 0]
    again = made.true_ace(design, n_units=6_000, rng=1)
    apart = (
        abs(found - again).values[1, 0] / np.hypot(found.mcse, again.mcse).values[1, 0]
    )
    assert 0 < apart < norm.isf(5e-5)


def test_mcse_on_real_sequences_is_the_spread_of_the_draws_alone() -> None:
    arms = {"control": cg.Untreated(), "drawn": cg.Embed("NGCATG", at=3)}
    design = cg.Design(null=cg.Genomic(of=PARENTS), arms=arms, n_units=3)
    truths = [
        oracle("rbfox1_like").true_ace(design, n_units=300, rng=seed)
        for seed in range(40)
    ]
    spread = np.std([t.item() for t in truths], ddof=1)
    claimed = np.mean([t.mcse.item() for t in truths])
    assert abs(np.log(spread / claimed)) < 4 / np.sqrt(2 * 39)


@pytest.mark.parametrize("n_draws", [1, 4])
def test_sites_of_their_own_stay_with_their_sequences(n_draws: int) -> None:
    spans, alleles = [(6, 12), (9, 15), (9, 15)], ["A", "CC", "T"]
    arms = {
        "wild type": cg.Untreated(),
        "allele": EmbedEach(alleles, at=[8, 10, 11], n_draws=n_draws),
        "letter": AblateEach(spans, fill="A", n_draws=n_draws),
        "drawn": AblateEach(spans, fill="uniform", n_draws=n_draws),
    }
    design = cg.Design(
        null=cg.Genomic(of=PARENTS, n_draws=n_draws), arms=arms, n_units=3 * n_draws
    )
    made = oracle("rbfox1_like")
    found = made.true_ace(design, n_units=30_000).squeeze("task")
    assert found.method.values.tolist() == ["enumeration", "enumeration", "large n"]
    written, lettered = (list(PARENTS), list(PARENTS))
    for row, ((start, stop), allele, place) in enumerate(
        zip(spans, alleles, (8, 10, 11), strict=True)
    ):
        written[row] = (
            PARENTS[row][:place] + allele + PARENTS[row][place + len(allele) :]
        )
        lettered[row] = (
            PARENTS[row][:start] + "A" * (stop - start) + PARENTS[row][stop:]
        )
    plain = made.predict(encode(PARENTS)).mean()
    for name, sequences in (("allele", written), ("letter", lettered)):
        assert found.sel(contrast=name).item() == pytest.approx(
            made.predict(encode(sequences)).mean() - plain, abs=1e-12
        )
    exact = (
        np.mean(
            [
                expected_when_drawn(made, row, span)
                for row, span in zip(PARENTS, spans, strict=True)
            ]
        )
        - plain
    )
    assert (
        abs(found.sel(contrast="drawn").item() - exact)
        < 4.5 * found.mcse.sel(contrast="drawn").item()
    )


def expected_when_drawn(made: Oracle, sequence: str, span: tuple[int, int]) -> float:
    columns = np.eye(4)[encode(sequence)]
    columns[:, slice(*span)] = 0.25
    return float(made.expected(columns, made.tasks[0])[0])


def test_effects_of_drawn_units_are_those_of_one_long_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import scipy.sparse as sp

    made, null = oracle("gata1_like"), cg.DinucleotideShuffle(of=PARENTS)
    arms = [
        cg.Untreated(),
        cg.Embed("AGATAAG", at=3),
        cg.Placebo("AGATAAG", at=3),
        cg.Embed("CAGCTG", at=12),
    ]
    weights = np.array([[-1, 1, 0, 0], [0, 1, -0.5, -0.5]])
    whole = simulated_effects(
        made, null, arms, sp.csr_array(weights), n_units=300, rng=0
    )
    monkeypatch.setattr("causalgia.zoo._true_ace._NUMBERS_AT_ONCE", 300)
    parts = simulated_effects(
        made, null, arms, sp.csr_array(weights), n_units=300, rng=0
    )
    assert whole.n == parts.n == 300
    np.testing.assert_allclose(parts.mean, whole.mean, atol=1e-12)
    np.testing.assert_allclose(parts.mcse, whole.mcse, rtol=1e-6)
    alone = simulated_effects(
        made, null, arms[:2], sp.csr_array(weights[:1, :2]), n_units=300, rng=0
    )
    np.testing.assert_allclose(alone.mean, whole.mean[:1], atol=1e-12)


def test_many_arms_at_once_are_each_arm_alone() -> None:
    made, null = oracle("vts1_like"), cg.Profile(of=PARENTS)
    arms = [cg.Embed(word, at=3) for word in ("GCUGG", "CAGGA", "CCAGC")]
    arms += [
        cg.Placebo("GCUGGAU", at=9),
        cg.Delete((3, 9)),
        cg.Untreated(),
        cg.Scramble((0, 9)),
        cg.Insert("GCUGG", at=2),
    ]
    together = exact_means(made, null, arms)
    alone = np.concatenate([exact_means(made, null, [arm]) for arm in arms])
    assert np.isnan(together[:, 0]).tolist() == [
        arm == cg.Scramble((0, 9)) for arm in arms
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-13)
