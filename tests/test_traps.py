# Imports from the inside: a term of an oracle that has a position.
"""Traps of earlier implementations, one test or more for each: every one fails where
the library falls into its trap.

False alarms: six chi-square tests at 1e-6 and some 15 comparisons at four standard
errors or more, on fixed seeds.
"""

from __future__ import annotations

import gzip
import itertools
import re
from collections import Counter

import numpy as np
import pytest
from scipy import stats

import causalgia as cg
from causalgia.errors import EstimateError, SequenceError
from causalgia.experiments import (
    hairpin,
    kmer_screen,
    knock_in,
    pair,
    spacing,
)
from causalgia.sequences import decode, encode, find_instances
from causalgia.zoo import MotifCount, Oracle
from causalgia.zoo.terms import Slope

BASES = "ACGT"


def row_scores(length: int, seed: int = 0):
    """A predictor that adds up a number for every base at every place: nearly every
    motif does something to it.
    """
    table = np.random.default_rng(seed).normal(size=(4, length))
    return cg.FunctionPredictor(
        lambda x: (x * table).sum((1, 2)), tasks=["score"], scale="score"
    )


def carries(tokens, word: str):
    """Whether each sequence reads a motif on either strand."""
    found = np.zeros(len(tokens), bool)
    found[find_instances(tokens, word).row] = True
    return found


def arm_tokens(design: cg.Design, n: int = 40) -> dict[str, np.ndarray]:
    """What every arm makes of the first units."""
    units = np.arange(n, dtype=np.uint64)
    drawn = design.null.draw(units, key=3, n_units=n)
    return {
        arm.name: arm.intervention.apply(drawn, units=units, key=5)
        for arm in design.named_arms
    }


# --- shuffles -------------------------------------------------------------------------


def rearrangements(word: str, k: int) -> set[str]:
    """Every sequence with the k-let counts and the ends of a motif, by plain search."""
    left, found = Counter(word[i : i + k] for i in range(len(word) - k + 1)), set()

    def extend(text: str) -> None:
        if len(text) == len(word):
            found.add(text)
        for klet in (
            [text[len(text) - k + 1 :] + base for base in BASES]
            if len(text) < len(word)
            else []
        ):
            if left[klet]:
                left[klet] -= 1
                extend(text + klet[-1])
                left[klet] += 1

    extend(word[: k - 1])
    return found


@pytest.mark.parametrize(
    ("word", "k"),
    [
        ("AACCGT", 1),
        ("AACCGATCGTA", 2),
        ("ACAGATCTGCA", 2),
        ("GATTACACAT", 2),
        ("ACAACACACAAACC", 3),
        ("TTATTATATTA", 3),
    ],
)
def test_a_shuffle_that_reaches_only_some_sequences_or_some_more_often(word, k):
    valid, n = sorted(rearrangements(word, k)), 30_000
    null = cg.KletShuffle(of=[word], k=k)
    counts = Counter(decode(null.draw(np.arange(n, dtype=np.uint64), key=8, n_units=n)))
    assert set(counts) == set(valid)
    if k < 3:
        # the second-to-last base is free to change
        assert len({one[-2] for one in valid}) > 1
    assert stats.chisquare([counts[one] for one in valid]).pvalue > 1e-6


def test_one_permutation_shared_by_a_batch():
    distinct = encode(["ACGTTGCAAGCTTACGGATCCATGCAATCGATTGCCAGTA"])
    for null in (cg.Shuffle(of=distinct), cg.DinucleotideShuffle(of=distinct)):
        drawn = null.sample(300, rng=0)["sequence"].to_numpy()
        assert len(np.unique(drawn, axis=0)) == 300
    # a batch of many copies of one sequence and another: under a shared permutation
    # both would move alike
    given = np.concatenate([np.tile(distinct, (50, 1)), 3 - np.tile(distinct, (50, 1))])
    drawn = cg.Shuffle(of=given).sample(100, rng=0)["sequence"].to_numpy()
    assert not np.array_equal(drawn[:50], 3 - drawn[50:])
    fills = cg.Scramble((5, 35)).apply(
        np.tile(distinct, (200, 1)), units=np.arange(200, dtype=np.uint64), key=1
    )
    assert len(np.unique(fills, axis=0)) == 200


# --- seeds, pairing, the control ------------------------------------------------------


def test_a_seed_of_0_read_as_no_seed():
    null = cg.Uniform(length=30)
    first, again, other = (
        null.sample(20, rng=seed)["sequence"].to_numpy() for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    design = cg.Design(
        null=null,
        arms={"control": cg.Untreated(), "N": cg.Embed("NNNN", at=3)},
        n_units=20,
    )
    runs = [
        cg.run(design, row_scores(30), rng=0, progress=False)["outcome"].to_numpy()
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*runs)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_arms_unpaired_under_batches(batch_size):
    """A predictor of the bases around the site answers every arm alike, if every arm
    has the same backgrounds.
    """
    table = np.random.default_rng(1).normal(size=(4, 40))
    table[:, 10:30] = 0
    around = cg.FunctionPredictor(
        lambda x: (x * table).sum((1, 2)), scale="score", batch_size=batch_size
    )
    arms = {
        "untreated": cg.Untreated(),
        "motif": cg.Embed("AGATAAG", at=12),
        "placebo": cg.Placebo("AGATAAG", at=12),
        "scramble": cg.Scramble((10, 30)),
        "random": cg.Embed("NNNNNNN", at=20),
    }
    design = cg.Design(null=cg.Uniform(length=40), arms=arms, n_units=60)
    y = cg.run(design, around, rng=3, progress=False)["outcome"].squeeze()
    assert float(y.std("unit").min()) > 1
    np.testing.assert_allclose(y - y.sel(arm="untreated"), 0, atol=1e-9)


def test_a_random_step_draws_the_same_alone_and_in_company():
    """A and A + B share the draw of A, or their difference is not the effect of B."""
    a, b = cg.Embed("NNNN", at=3), cg.Embed("CC", at=20)
    design = cg.Design(
        null=cg.Uniform(length=30), arms={"A": a, "A + B": a + b, "B": b}, n_units=40
    )
    made = arm_tokens(design)
    np.testing.assert_array_equal(made["A"][:, :20], made["A + B"][:, :20])


def test_the_control_recomputed_for_every_motif():
    asked = []

    def fn(x):
        asked.append(len(x))
        return x[:, 0].sum(-1)

    words = ["".join(word) for word in itertools.product(BASES, repeat=3)]
    arms = {
        "untreated": cg.Untreated(),
        **{word: cg.Embed(word, at=4) for word in words},
    }
    design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=100)
    cg.run(
        design,
        cg.FunctionPredictor(fn, fingerprint="counts its rows"),
        rng=0,
        progress=False,
    )
    # each background is one of the 64 motifs already: the untreated arm costs nothing
    # at all, the checks some 120 rows
    assert sum(asked) < 100 * 64 + 160


def test_the_control_of_the_first_task_subtracted_from_another():
    pair = cg.FunctionPredictor(
        lambda x: np.stack([x[:, 0].sum(-1), 1_000 + x[:, 3].sum(-1)], 1),
        tasks=["A", "T"],
    )
    design = cg.Design(
        null=cg.Uniform(length=30),
        arms={"untreated": cg.Untreated(), "TTT": cg.Embed("TTT", at=4)},
        n_units=50,
    )
    outcomes = cg.run(design, pair, rng=0, progress=False)
    ice = cg.contrast(outcomes, control="untreated")["ice"].squeeze("contrast")
    made = (
        outcomes["outcome"].sel(arm="TTT") - outcomes["outcome"].sel(arm="untreated")
    ).transpose(*ice.dims)
    np.testing.assert_array_equal(ice, made)
    assert float(abs(ice).max()) <= 3


def test_the_null_array_overwritten_in_place():
    own = np.random.default_rng(2).integers(0, 4, (50, 30), dtype=np.uint8)
    kept = own.copy()
    last_base = cg.FunctionPredictor(
        lambda x: x[:, :, 4:9].argmax(1) @ 4.0 ** np.arange(5), scale="its letters"
    )
    arms = {
        "TTTTT": cg.Embed("TTTTT", at=4),
        "scramble": cg.Scramble((0, 30)),
        "untreated": cg.Untreated(),
    }
    outcomes = cg.run(
        cg.Design(null=cg.Genomic(of=own), arms=arms, n_units=50),
        last_base,
        rng=0,
        progress=False,
    )
    np.testing.assert_array_equal(own, kept)
    for arm in [
        *arms.values(),
        cg.Placebo("AGATAAG", at=3),
        cg.Mutate(at=5, bases="A"),
        cg.Ablate((2, 9), fill="A"),
    ]:
        arm.apply(own, units=np.arange(50, dtype=np.uint64), key=1)
        np.testing.assert_array_equal(own, kept)
    untreated = outcomes["outcome"].sel(arm="untreated").to_numpy().ravel()
    np.testing.assert_array_equal(untreated, kept[:, 4:9] @ 4.0 ** np.arange(5))


def test_unpaired_welch_on_paired_data():
    """Backgrounds vary far more than effects: without the pairs an effect, and more so
    an interaction, is lost.
    """
    table = np.random.default_rng(0).normal(size=(4, 60))

    def fn(x):
        score = (x * table).sum((1, 2))
        # the least of an interaction, so that it has a spread
        return score + 0.05 * np.sin(score)

    both = cg.FunctionPredictor(fn, tasks=["score"], scale="score")
    arms = cg.factorial(
        {"GATA": cg.Embed("AGATAAG", at=10), "E-box": cg.Embed("CACGTG", at=40)}
    )
    contrasts = {
        "GATA": {"GATA": 1, "untreated": -1},
        "x": {"GATA + E-box": 1, "GATA": -1, "E-box": -1, "untreated": 1},
    }
    design = cg.Design(
        null=cg.Uniform(length=60), arms=arms, n_units=400, contrasts=contrasts
    )
    outcomes = cg.run(design, both, rng=0, progress=False)
    y = outcomes["outcome"].squeeze()
    estimates = cg.estimate(cg.contrast(outcomes)).squeeze()
    paired = (y.sel(arm="GATA") - y.sel(arm="untreated")).std("unit", ddof=1) / 20
    welch = np.sqrt(
        (
            y.sel(arm="GATA").var("unit", ddof=1)
            + y.sel(arm="untreated").var("unit", ddof=1)
        )
        / 400
    )
    np.testing.assert_allclose(estimates["se"].sel(contrast="GATA"), paired, rtol=1e-9)
    assert 3 < float(welch / paired) < 6  # about four-fold
    of_arms = np.sqrt((y.var("unit", ddof=1) / 400).sum())
    assert float(of_arms / estimates["se"].sel(contrast="x")) > 30  # far more


# --- confounding and significance -----------------------------------------------------


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_spacing_confounded_with_position():
    """Sites lose strength along the sequence and do not know of each other."""
    oracle = Oracle(
        MotifCount("UGCAUG", 3.0, gain=Slope(-0.03)),
        MotifCount("GGG", 0.3),
        scale="score",
    )
    near, far = (
        cg.Embed("UGCAUG", at=10) + cg.Embed("UGCAUG", at=10 + distance)
        for distance in (6, 16)
    )
    naive = cg.Design(
        null=cg.Uniform(length=41),
        arms={"near": near, "far": far},
        n_units=200,
        contrasts="near",
    )
    moved = cg.estimate(cg.contrast(cg.run(naive, oracle, rng=0, progress=False)))
    # one site stays and the other moves: ten bases of slope, called a spacing
    assert moved["upper"].item() < -0.5

    experiment = spacing(cg.Uniform(length=41), "UGCAUG", gaps=[0, 10], n_units=200)
    estimates = cg.estimate(
        cg.contrast(cg.run(experiment, oracle, rng=0, progress=False))
    ).squeeze()
    truth = oracle.true_ace(experiment).squeeze().sel(contrast=estimates["contrast"])
    for gap in (0, 10):
        name = f"interaction, UGCAUG+ then UGCAUG+, gap {gap}"
        assert abs(float(truth.sel(contrast=name))) < 0.05
        off = abs(float((estimates["ace"] - truth).sel(contrast=name)))
        assert off <= 4 * float(estimates["se"].sel(contrast=name)) + 1e-9
    # the two sites stand about one center at every distance, and each place has an arm
    # of its own
    starts = [
        tuple(map(int, re.findall(r"at (\d+)", name)))
        for name in experiment.arm_names
        if "," in name
    ]
    assert starts == [(15, 21), (10, 26)]
    assert {f"UGCAUG at {start}" for both in starts for start in both} <= set(
        experiment.arm_names
    )


def test_a_thousand_units_make_everything_significant():
    """No motif stands out of a sum over single bases: most differ from 0, hardly any
    from what any motif does.
    """
    experiment = kmer_screen(cg.Uniform(length=41), k=3, n_units=1_000, n_placebos=40)
    outcomes = cg.run(experiment, row_scores(41), rng=0, progress=False)
    answer = experiment.analyze(outcomes, rng=0)
    placebo = answer.decisions["is_placebo"].to_numpy()
    p = answer.estimates["p"].to_numpy()
    assert (p[placebo] < 0.05).mean() > 0.8
    assert (p[~placebo] < 0.05).mean() > 0.8
    said = answer.decisions["verdict"].to_numpy()[~placebo]
    assert set(said.ravel()) <= {"increases", "decreases", "within", "undecided"}
    assert np.isin(said, ["increases", "decreases"]).mean() <= 0.1


def test_no_multiplicity():
    """Effects of 0 exactly: 5 % of raw p-values are small, and no adjusted one."""
    ice = np.random.default_rng(3).normal(size=(200, 1_000))
    effects = cg.from_effects(ice.mean(0), se=ice.std(0, ddof=1) / 200**0.5, df=199)
    decided = cg.decide(effects, rope=0, shrink=None)
    assert 20 < int((effects["p"] < 0.05).sum()) < 90
    assert int((decided["q"] < 0.05).sum()) == 0


# --- placebos, mutants, junctions -----------------------------------------------------


def e_boxes(n: int = 4_000) -> np.ndarray:
    """Random sequences with an E-box at 20 and no other."""
    drawn = cg.Embed("CACGTG", at=20).apply(
        cg.Uniform(length=50).sample(n, rng=4)["sequence"].to_numpy(),
        units=np.arange(n, dtype=np.uint64),
        key=0,
    )
    return drawn[[len(starts) == 1 for starts in by_row(drawn, "CACGTG")]]


def by_row(tokens: np.ndarray, word: str) -> list[list[int]]:
    found = find_instances(tokens, word)
    return [found.start[found.row == row].tolist() for row in range(len(tokens))]


def test_a_scramble_that_contains_the_motif():
    design = cg.Design(
        null=cg.Genomic(of=e_boxes()),
        arms={
            "untreated": cg.Untreated(),
            "scrambled": cg.Scramble((20, 26)),
            "placebo": cg.Placebo("CACGTG", at=20),
        },
        n_units=3_000,
    )
    assert not carries(arm_tokens(design, 3_000)["placebo"][:, 20:26], "CACGTG").any()
    words = [
        name.removeprefix("placebo ")
        for name in cg.placebos("CACGTG", at=20, n_placebos=60)
    ]
    assert not carries(encode(words), "CACGTG").any()


def test_motif_minus_placebo_is_paired():
    sequences = cg.Uniform(length=60).sample(300, rng=5)["sequence"].to_numpy()
    experiment = knock_in(sequences, motif="AGATAAG", at=26)
    outcomes = cg.run(experiment, row_scores(60), rng=0, progress=False)
    y = outcomes["outcome"].squeeze()
    net = (
        cg.estimate(cg.contrast(outcomes)).squeeze().sel(contrast="motif minus placebo")
    )
    difference = y.sel(arm="motif") - y.sel(arm="placebo")
    np.testing.assert_allclose(net["ace"], difference.mean(), rtol=1e-9)
    np.testing.assert_allclose(
        net["se"], difference.std("unit", ddof=1) / 300**0.5, rtol=1e-9
    )
    assert float(net["se"]) < 0.6 * float(
        np.hypot(y.sel(arm="motif").std(), y.sel(arm="placebo").std()) / 300**0.5
    )


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_placebos_on_real_sequences_are_not_zero():
    """Real sequences carry something in their middle: whatever is written there costs
    it, the motif's placebo too.
    """
    sequences = cg.Embed("GGAAGT", at=28).apply(
        cg.Uniform(length=60).sample(200, rng=6)["sequence"].to_numpy(),
        units=np.arange(200, dtype=np.uint64),
        key=0,
    )
    oracle = Oracle(
        MotifCount("GGAAGT", 0.5), MotifCount("AGATAAG", 1.0), scale="score"
    )
    experiment = knock_in(sequences, motif="AGATAAG", at=27)
    estimates = cg.estimate(
        cg.contrast(cg.run(experiment, oracle, rng=0, progress=False))
    ).squeeze()
    assert abs(float(estimates["ace"].sel(contrast="placebo")) + 0.5) < 0.05
    # against untreated half of it is hidden
    assert abs(float(estimates["ace"].sel(contrast="motif")) - 0.5) < 0.05
    assert abs(float(estimates["ace"].sel(contrast="motif minus placebo")) - 1.0) < 0.05


def test_shuffles_of_few_parents_treated_as_independent():
    """An effect that depends on the parent is one number for each of ten parents,
    however many shuffles they have.
    """
    rng = np.random.default_rng(7)
    parents = [
        rng.choice(4, 200, p=[(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2])
        for gc in np.linspace(0.3, 0.7, 10)
    ]
    per_gc = cg.FunctionPredictor(
        lambda x: (
            x[:, 1:3].mean((1, 2)) * (x[:, 0, 96:103].sum(-1) == 7)
            + 1e-3 * x[:, 0].sum(-1)
        ),
        scale="score",
    )
    design = cg.Design(
        null=cg.DinucleotideShuffle(of=np.array(parents, np.uint8)),
        arms={"untreated": cg.Untreated(), "A": cg.Embed("AAAAAAA", at=96)},
        n_units=500,
    )
    outcomes = cg.run(design, per_gc, rng=0, progress=False)
    effects = cg.contrast(outcomes, control="untreated")
    with pytest.warns(cg.errors.DegenerateWarning):
        honest = cg.estimate(effects).squeeze()
    naive = cg.estimate(effects, cluster="none").squeeze()
    assert int(honest["n_clusters"]) == 10
    assert float(honest["df"]) <= 9
    means = effects["ice"].squeeze().groupby("parent").mean()
    assert float(honest["se"]) == pytest.approx(
        float(means.std(ddof=1)) / 10**0.5, rel=1e-6
    )
    assert float(honest["se"] / naive["se"]) > 2.7


# --- predictors, covariates, arguments ------------------------------------------------


@pytest.mark.parametrize("order", ["ACTG", "TGCA", "CATG"])
def test_channel_order_assumed(order):
    weights = np.random.default_rng(8).normal(size=(4, 7))
    rows = encode(["AGATAAG"])[0]
    network = np.zeros((4, 7))
    network[[order.index(BASES[token]) for token in rows], range(7)] = 1.0
    network += 0.01 * weights
    said = cg.FunctionPredictor(
        lambda x: (x[:, :, 10:17] * network).sum((1, 2)), scale="score", alphabet=order
    )
    assumed = cg.FunctionPredictor(
        lambda x: (x[:, :, 10:17] * network).sum((1, 2)), scale="score"
    )
    design = cg.Design(
        null=cg.Uniform(length=30), arms={"placebo": cg.Placebo("AGATAAG", at=10), "motif": cg.Embed("AGATAAG", at=10)},
        n_units=300, contrasts="placebo",
    )  # fmt: skip
    effects = [
        cg.estimate(cg.contrast(cg.run(design, one, rng=0, progress=False)))[
            "ace"
        ].item()
        for one in (said, assumed)
    ]
    assert effects[0] > 4
    assert effects[1] < effects[0] - 2


def test_regression_to_the_mean_by_grouping_on_the_outcome():
    """Y(a) - Y(c) falls with Y(c) even where effects do not differ: no slope on an
    outcome is given.
    """
    rng = np.random.default_rng(9)
    sequences = cg.Uniform(length=41).sample(300, rng=10)["sequence"].to_numpy()
    table = rng.normal(size=(4, 41))
    oracle = cg.FunctionPredictor(
        lambda x: (x * table).sum((1, 2)), tasks=["score"], scale="score"
    )
    design = cg.Design(
        null=cg.Genomic(of=sequences),
        arms={"untreated": cg.Untreated(), "motif": cg.Embed("AGATAAG", at=15)},
        n_units=300,
        contrasts="untreated",
    )
    outcomes = cg.run(design, oracle, rng=0, progress=False)
    effects = cg.contrast(outcomes)
    y = outcomes["outcome"].squeeze().sel(arm="untreated").to_numpy()
    coupled = stats.linregress(y, effects["ice"].squeeze().to_numpy())
    # though every motif does the same to every background but its own bases
    assert coupled.slope < -5 * coupled.stderr
    for name in ("Y(untreated)", "untreated", "outcome of the control"):
        with pytest.raises(EstimateError):
            cg.moderation(effects.assign_coords({name: ("unit", y)}), by=name)
    assert cg.moderation(effects, by="gc")["slope"].notnull().all()


def test_the_chosen_are_asked_again_on_other_units():
    experiment = kmer_screen(cg.Uniform(length=41), k=3, n_units=60, n_placebos=40)
    screened = cg.run(experiment, row_scores(41), rng=0, progress=False)
    fresh = cg.confirm(screened, select=["AAA", "CCC"], predictor=row_scores(41), rng=0)
    first, second = (
        x["outcome"].sel(arm="untreated").to_numpy().ravel() for x in (screened, fresh)
    )
    assert not np.intersect1d(first, second).size


def test_hairpin_arguments_accepted_and_ignored():
    complement = str.maketrans("ACGT", "TGCA")
    made = {
        (stem, loop): decode(
            arm_tokens(
                hairpin(cg.Uniform(length=70), "GCUGG", at=30, stem=stem, loop=loop)
            )["loop"]
        )
        for stem, loop in ((8, 9), (8, 11), (10, 9), (5, 5))
    }
    for (stem, loop), texts in made.items():
        left = 30 - stem
        right = left + stem + loop
        for text in texts:
            assert (
                text[right : right + stem]
                == text[left : left + stem].translate(complement)[::-1]
            )
            assert text[30:35] == "GCTGG"
    assert len({tuple(texts) for texts in made.values()}) == 4


def test_gaps_accepted_and_ignored():
    null = cg.Uniform(length=120)
    made = arm_tokens(
        pair(
            null,
            "AGATAAG",
            "CACGTCA",
            gaps=[3, 10, 23],
            orientations=["++"],
            at=55,
        )
    )
    for distance in (10, 17, 30):
        for name, at in (
            (f"AGATAAG at 55, CACGTCA at {55 + distance}", 55 + distance),
            (f"CACGTCA at {55 - distance}, AGATAAG at 55", 55 - distance),
        ):
            assert {(t[55:62], t[at : at + 7]) for t in decode(made[name])} == {
                ("AGATAAG", "CACGTCA")
            }
    pairs = spacing(null, "UGCAUG", gaps=[0, 7], center=60)
    for name in (name for name in pairs.arm_names if "," in name):
        first, second = map(int, re.findall(r"at (\d+)", name))
        assert second - first in (6, 13)
        assert {
            (t[first : first + 6], t[second : second + 6])
            for t in decode(arm_tokens(pairs)[name])
        } == {("TGCATG", "TGCATG")}


def test_the_best_word_left_out_of_its_own_logo():
    oracle = cg.zoo.oracle("vts1_like")
    experiment = cg.experiments.motif_mutagenesis(
        cg.Uniform(length=41), "GCUGG", at=18, n_units=100
    )
    answer = experiment.analyze(
        cg.run(experiment, oracle, rng=0, progress=False), rng=0
    )
    logo = answer.findings["logo"]["ace"].squeeze("task")
    assert logo.notnull().all()
    assert logo.shape == (5, 4)
    whole = answer.estimates["ace"].sel(contrast="GCUGG").item()
    own = [float(logo.sel(position=i, base=base)) for i, base in enumerate("GCUGG")]
    np.testing.assert_allclose(own, whole)
    assert (logo.argmax("base").to_numpy() == [2, 1, 3, 2, 2]).all()


# --- letters --------------------------------------------------------------------------


def test_letters_in_any_spelling(tmp_path):
    path = tmp_path / "masked.fa.gz"
    with gzip.open(path, "wt") as file:
        file.write(
            ">soft\nACGTacgt\nagataag\n>rna\nACGUACGUAGAUAAG\n>upper\nACGTACGTAGATAAG\n"
        )
    read = cg.read_sequences(path)
    assert decode(read.tokens) == ["ACGTACGTAGATAAG"] * 3
    assert [
        len(find_instances(read.tokens, word))
        for word in ("AGATAAG", "agataag", "AGAUAAG")
    ] == [3, 3, 3]
    assert cg.Embed("UGCAUG", at=3) == cg.Embed("tgcatg", at=3)


def test_n_is_refused_or_drawn_and_never_a_base_in_silence(tmp_path):
    path = tmp_path / "gaps.fa"
    path.write_text(">a\n" + "N" * 4_000 + "\n")
    with pytest.raises(SequenceError):
        cg.read_sequences(path)
    drawn = cg.read_sequences(path, ambiguous="draw", rng=0).tokens
    assert stats.chisquare(np.bincount(drawn.ravel(), minlength=4)).pvalue > 1e-6


def test_palindromes_counted_twice():
    """CACGTG is its own reverse complement: one site, and one instance to occlude."""
    boxes = e_boxes(200)[:20]
    found = find_instances(boxes, "CACGTG")
    assert len(found) == 20
    assert found.start.tolist() == [20] * 20
    experiment = cg.experiments.necessity(boxes, motif="CACGTG", n_draws=1)
    assert experiment.n_units == 20
    design = cg.Design(
        null=cg.Uniform(length=50),
        arms={"0": cg.Untreated(), "+": cg.Embed("CACGTG", at=9)},
        n_units=50,
        contrasts="0",
    )
    both = Oracle(MotifCount("CACGTG", 1.0, "both"), scale="score")
    outcomes = cg.run(design, both, rng=0, progress=False)["outcome"].squeeze()
    assert float((outcomes.sel(arm="+") - outcomes.sel(arm="0")).median()) == 1.0
