# Imports from the inside: limits of variances.
"""Experiments in real sequences: necessity of sites, knock-in and flanks recover known effects,
and refuse what they must.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from catalogue_truth import assert_estimates, assert_recovers, assert_verdicts

import causalgia as cg
from causalgia.errors import (
    DegenerateWarning,
    DesignError,
    ExploratoryWarning,
)
from causalgia.estimation.crossover import mean_ice
from causalgia.experiments import flanks, knock_in, necessity
from causalgia.experiments.kit.variance import variance_limits
from causalgia.sequences import decode, encode
from causalgia.zoo import EndGC, MotifCount, Oracle

RNA = cg.Uniform(length=41)
GATA1 = cg.zoo.oracle("gata1_like")
OPPOSITE = str.maketrans("ACGT", "TGCA")


def rc(word: str) -> str:
    return word.translate(OPPOSITE)[::-1]


def places(sequence: str, word: str) -> list[int]:
    """Starts of a motif on either strand, by reading."""
    both = {word, rc(word)}
    return [
        i
        for i in range(len(sequence) - len(word) + 1)
        if sequence[i : i + len(word)] in both
    ]


@pytest.fixture(scope="module")
def sampled() -> list[str]:
    return decode(cg.Uniform(length=200).sample(400, rng=1)["sequence"].values)


@pytest.fixture(scope="module")
def crowded() -> dict[str, str]:
    """Sequences with one, two or three AGATAA, and some with none."""
    texts = decode(cg.Uniform(length=120).sample(60, rng=2)["sequence"].values)
    made = {}
    for i, text in enumerate(texts):
        text = text.replace("AGATAA", "AGCTAA").replace("TTATCT", "TTAGCT")
        for j in range(i % 4):
            text = (
                text[: 10 + 30 * j] + ("AGATAA", "TTATCT")[j % 2] + text[16 + 30 * j :]
            )
        made[f"peak{i}"] = text
    return made


# necessity of sites


@pytest.mark.simulation
@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_necessity_recovers_the_truth_of_every_fill(sampled):
    experiment = necessity(
        sampled, motif="AGATAA", fills=("uniform", "shuffle"), n_draws=3
    )
    outcomes = cg.run(experiment, GATA1, rng=0, progress=False)
    answer = experiment.analyze(outcomes, rng=0)
    truth = GATA1.true_ace(experiment, n_units=6_000)
    assert_estimates(answer.estimates, truth)
    assert_verdicts(answer, truth)
    rows = answer.decisions.sel(task="K562")
    assert (rows["verdict"].sel(contrast=["uniform", "shuffle"]) == "decreases").all()
    assert dict(zip(rows["contrast"].values, rows["asks"].values, strict=True)) == {
        "uniform": "lost",
        "shuffle": "lost",
        "alone in shuffles": "alone",
    }
    assert rows["fill"].sel(contrast="shuffle").item() == "shuffle"


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_each_instance_has_the_necessity_that_its_fill_has_on_paper(sampled):
    """The expectation over uniform fills of one span of one sequence is a sum over
    windows, exact in the oracle.
    """
    experiment = necessity(sampled, motif="AGATAA", fills=["uniform"], n_draws=40)
    outcomes = cg.run(experiment, GATA1, rng=3, progress=False)
    found = (
        experiment.analyze(outcomes, rng=0)
        .findings["instances"]
        .sel(contrast="uniform")
    )
    rows = experiment.null.parents_given.tokens
    columns = np.eye(4)[rows]
    for row, start in enumerate(found["start"].values):
        columns[row, start : start + 6] = 0.25
    for task in GATA1.tasks:
        own = GATA1.predict(rows)[:, GATA1.tasks.index(task)]
        exact = GATA1.expected(columns, task) - own
        effect, se = (
            found["effect"].sel(task=task).values,
            found["se"].sel(task=task).values,
        )
        assert (se > 0).any()
        assert abs((effect - exact).sum()) < 4 * np.sqrt((se**2).sum())
        varied = se > 0.01
        t = (effect - exact)[varied] / se[varied]
        assert 0.4 < t.std() < 2.5


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.filterwarnings("ignore:effects depend on the size of their parent")
def test_instances_are_nested_in_sequences_and_all_are_accounted_for(crowded):
    experiment = necessity(crowded, motif="AGATAA", fills=("uniform",), n_draws=3)
    outcomes = cg.run(experiment, GATA1, rng=0, progress=False)
    answer = experiment.analyze(outcomes, rng=0)
    instances = answer.findings["instances"]
    expected = [
        (name, at) for name, text in crowded.items() for at in places(text, "AGATAA")
    ]
    assert (
        list(zip(instances["sequence"].values, instances["start"].values, strict=True))
        == expected
    )
    strands = [
        "+" if crowded[name][at : at + 6] == "AGATAA" else "-" for name, at in expected
    ]
    assert instances["strand"].values.tolist() == strands
    assert (instances["score"] == 12).all()
    n = len({name for name, _ in expected})
    assert answer.estimates["n_clusters"].values.max() == n == 45
    ice = cg.contrast(outcomes)["ice"]
    by_sequence = mean_ice(
        ice.values, np.unique(ice["parent"].values, return_inverse=True)[1]
    )
    np.testing.assert_allclose(answer.estimates["se"], by_sequence.se, rtol=1e-9)
    np.testing.assert_allclose(
        instances["effect"].transpose("contrast", "task", ...).mean("instance"),
        answer.estimates["ace"],
        atol=1e-12,
    )
    np.testing.assert_allclose(
        answer.findings["quantiles"]["quantiles"].transpose("prob", "contrast", "task"),
        np.quantile(
            instances["effect"].transpose("instance", "contrast", "task"),
            [0.05, 0.25, 0.5, 0.75, 0.95],
            axis=0,
        ),
    )


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.filterwarnings("ignore:effects depend on the size of their parent")
def test_composition_is_no_loss(crowded):
    """The outcome is the share of G and C: another order of the same letters keeps it,
    random bases do not.
    """
    share = cg.FunctionPredictor(
        lambda x: x[:, 1:3].sum((1, 2)), tasks=["GC"], scale="G and C"
    )
    experiment = necessity(
        crowded, motif="AGATAA", fills=["shuffle", "uniform"], n_draws=4
    )
    experiment = replace(experiment, analysis=cg.Analysis(rope=(-0.1, 0.1)))
    answer = experiment.analyze(cg.run(experiment, share, rng=0, progress=False), rng=0)
    ace = answer.estimates["ace"].squeeze("task")
    assert ace.sel(contrast="shuffle").item() == 0
    assert ace.sel(contrast="uniform").item() == pytest.approx(2, abs=0.4)  # 1 of 6


def other_orders(text: str, at: int, word: str) -> list[str]:
    """The sequence with each other order of the letters of a site that leaves and makes
    none.
    """
    width = len(word)
    near = slice(max(at - width + 1, 0), at + 2 * width - 1)
    made = [
        text[:at] + "".join(letters) + text[at + width :]
        for letters in sorted(set(itertools.permutations(text[at : at + width])))
    ]
    return [one for one in made if not places(one[near], word)]


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.filterwarnings("ignore:effects depend on the size of their parent")
def test_a_decoy_loses_what_it_does_whatever_stands_beside_it():
    """Spans elsewhere in the sequence hold the strong motif that goes with it; they are
    no control.
    """
    strong, decoy = "TGAGTCA", "GATAAC"
    rng, rows = np.random.default_rng(5), []
    for text in decode(cg.Uniform(length=80).sample(120, rng=5)["sequence"].values):
        row = list(text)
        if rng.random() < 0.8:
            row[10:16] = decoy
        if rng.random() < (0.8 if row[10:16] == list(decoy) else 0.2):
            for at in (20, 35, 50, 65):
                row[at : at + 7] = strong
        rows.append("".join(row))

    def y(texts):
        return np.array([t.count(strong) + 0.05 * t.count(decoy) for t in texts])

    network = cg.FunctionPredictor(
        lambda x: y(decode(x.argmax(1).astype(np.uint8))), tasks=["y"], scale="log"
    )
    experiment = necessity(rows, motif=decoy, n_draws=20, rope=(-0.01, 0.01))
    answer = experiment.analyze(
        cg.run(experiment, network, rng=0, progress=False), rng=0
    )
    orders = [
        y(other_orders(text, at, decoy)) - y([text]).item()
        for text in rows
        for at in places(text, decoy)
    ]
    exact = np.mean([of.mean() for of in orders])
    error = np.sqrt(sum(of.var() / 20 for of in orders)) / len(orders)
    assert exact < -0.04
    row = answer.decisions.sel(contrast="shuffle").squeeze("task")
    assert len(orders) == answer.findings["instances"].sizes["instance"]
    assert abs(row["ace"].item() - exact) < 4 * error
    assert row["verdict"].item() == "decreases"


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.filterwarnings("ignore:effects depend on the size of their parent")
def test_sites_whose_letters_have_no_other_order_are_left_out_and_counted():
    texts = decode(cg.Uniform(length=60).sample(9, rng=3)["sequence"].values)
    words = ["AAAAAA", "AAAGAA", "AAAAAA"] * 3
    rows = [
        text[:20] + "C" + word + "C" + text[28:]
        for text, word in zip(texts, words, strict=True)
    ]
    experiment = necessity(rows, motif="AAARAA", n_draws=3, rope=(-0.1, 0.1))
    spans = [at for row in rows for at in places_of("AAARAA", row)]
    assert experiment.n_units == 3 * sum(letters != "AAAAAA" for letters in spans)
    answer = experiment.analyze(cg.run(experiment, GATA1, rng=0, progress=False), rng=0)
    left = len(spans) - experiment.n_units // 3
    assert left >= 6
    assert any(
        str(left) in line and "left out" in line and "AAARAA" in line
        for line in answer.details
    )
    with pytest.raises(DesignError) as raised:
        necessity(rows, motif="AAAAAA", rope=(-0.1, 0.1))
    assert raised.value.argument == "fills"
    whole = necessity(rows, motif="AAAAAA", fills=["uniform"], rope=(-0.1, 0.1))
    assert whole.n_units >= 60


def places_of(pattern: str, text: str) -> list[str]:
    """The letters of each instance of a string of IUPAC letters."""
    found = cg.sequences.find_instances(encode([text]), pattern)
    return [
        text[at : at + 6] if strand == "+" else rc(text[at : at + 6])
        for at, strand in zip(found.start, found.strand, strict=True)
    ]


def test_a_motif_that_does_nothing_is_negligible_and_one_in_its_place_is_not(sampled):
    other = Oracle(MotifCount("CACGTG", 1.0), EndGC(-1.0, last=150))
    experiment = necessity(sampled, motif="AGATAA", fills=["uniform"], n_draws=5)
    experiment = replace(
        experiment, analysis=cg.Analysis(rope=(-0.2, 0.2), error="fdr")
    )
    answer = experiment.analyze(cg.run(experiment, other, rng=0, progress=False), rng=0)
    assert answer.decisions["verdict"].sel(contrast="uniform").item() == "negligible"


def test_only_sites_are_overwritten_by_their_own_letters(crowded):
    first, again = (
        necessity(crowded, motif="AGATAA", fills=("shuffle", "C"), n_draws=5)
        for _ in range(2)
    )
    assert first == again
    assert first.fingerprint == again.fingerprint
    assert (
        necessity(crowded, motif="AGATAA", n_draws=2).fingerprint != first.fingerprint
    )
    rows = first.null.parents_given.tokens
    arms = {arm.name: arm.intervention for arm in first.named_arms}
    units = np.arange(5 * len(rows), dtype=np.uint64)
    done = arms["shuffle"].apply(np.repeat(rows, 5, axis=0), units=units, key=1)
    for text, new, (start, stop) in zip(
        np.repeat(decode(rows), 5),
        decode(done),
        np.repeat(arms["shuffle"].spans, 5, axis=0),
        strict=True,
    ):
        assert text[start:stop] in ("AGATAA", "TTATCT")
        assert sorted(new[start:stop]) == sorted(text[start:stop])
        assert (new[:start], new[stop:]) == (text[:start], text[stop:])
        assert all(abs(start - at) >= 6 for at in places(new, "AGATAA"))
    assert arms["C"].spans == arms["shuffle"].spans


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.filterwarnings("ignore:effects depend on the size of their parent")
def test_a_letter_as_fill_is_exact(crowded):
    experiment = necessity(
        crowded, motif="AGATAA", fills=["C"], n_draws=2, rope=(-0.1, 0.1)
    )
    oracle = Oracle(MotifCount("CACG", 1.0), EndGC(-1.0, last=80))
    outcomes = cg.run(experiment, oracle, rng=0, progress=False)
    effects = cg.estimate(cg.contrast(outcomes))["ace"]
    truth = oracle.true_ace(experiment).sel(contrast=["C"])
    np.testing.assert_allclose(
        effects.sel(contrast=truth["contrast"]), truth, atol=1e-9
    )
    assert (truth["mcse"] == 0).all()


@pytest.mark.simulation
def test_what_is_said_covers():
    oracle = Oracle(
        MotifCount("AGATAA", 3.5, "both"),
        MotifCount("GGCC", 0.8),
        EndGC(-1.0, last=150),
    )
    covered = []
    for seed in range(12):
        tokens = np.random.default_rng(seed).integers(0, 4, (60, 200), dtype=np.uint8)
        tokens[np.arange(60)[:, None], (3 * np.arange(60))[:, None] + np.arange(6)] = (
            encode("AGATAA")
        )
        experiment = necessity(
            tokens,
            motif="AGATAA",
            fills=["shuffle", "uniform"],
            n_draws=3,
            rope=(-0.2, 0.2),
        )
        decided = experiment.analyze(
            cg.run(experiment, oracle, rng=seed, progress=False), rng=0
        ).decisions
        assert (
            (decided["lower"] < decided["ace"]) & (decided["ace"] < decided["upper"])
        ).all()
        truth = oracle.true_ace(experiment, n_units=1_000)
        covered.append(
            ((decided["lower"] <= truth) & (truth <= decided["upper"])).values.ravel()
        )
    assert (np.sum(covered, axis=0) >= 8).all()  # of 12 at 95 %, P(fewer) = 2e-4


def test_necessity_by_a_motif_of_jaspar_and_by_what_a_trial_file_says(sampled):
    by_name = necessity(sampled, motif="GATA1", n_draws=5)
    tokens = encode(sampled)
    found = cg.sequences.find_instances(tokens, cg.motif("GATA1"))
    assert by_name.n_units == 5 * len(found)
    assert cg.Design.from_dict(by_name.to_dict()).fingerprint == by_name.fingerprint
    assert (
        necessity(sampled, motif="GATA1", fills=["uniform"], threshold=1e-3).n_units
        > by_name.n_units
    )
    built = necessity(sampled, motif="AGATAA", fills=["uniform", "A"], n_draws=2)
    assert [arm.name for arm in built.named_arms] == [
        "untreated",
        "uniform",
        "A",
        "alone in shuffles",
        "all shuffled",
    ]


@pytest.mark.filterwarnings(
    "ignore::causalgia.errors.DegenerateWarning",
    "ignore::causalgia.errors.DegenerateWarning",
)
def test_several_instances_of_one_sequence_stand_for_themselves():
    text = "CCC".join(
        ["AGATAA", "CACGTACGAC", "TTATCT", "GCGCACGTGT", "AGATAA", "CACACGACTT"]
    )
    experiment = necessity([text], motif="AGATAA", fills=["uniform"], rope=(-0.1, 0.1))
    answer = experiment.analyze(cg.run(experiment, GATA1, rng=0, progress=False), rng=0)
    assert (answer.estimates["n_clusters"] == 3).all()


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.filterwarnings("ignore:effects depend on the size of their parent")
def test_one_draw_has_no_error_over_draws_and_an_ensemble_has_its_predictors(crowded):
    experiment = necessity(crowded, motif="AGATAA", fills=["A"], n_draws=1)
    members = [
        Oracle(MotifCount("AGATAA", size, "both"), EndGC(-1.0, last=80))
        for size in (1.0, 2.0)
    ]
    both = cg.Ensemble(members, names=["first", "second"])
    outcomes = cg.run(experiment, both, rng=0, progress=False)
    answer = experiment.analyze(outcomes, rng=0)
    assert "se" not in answer.findings["instances"]
    assert answer.findings["instances"].sizes["model"] == 2
    over = replace(
        experiment,
        analysis=cg.Analysis(
            rope=(-0.1, 0.1), target="population x predictors", error="fdr"
        ),
    )
    with pytest.warns(ExploratoryWarning):
        answer = over.analyze(outcomes, rng=0)


L, PARTNER, SITE = 120, "TGAGTCA", "CATTCCA"
_WEIGHTS = np.random.default_rng(7).normal(size=(4, 12)) * 0.1


def words(x, word):
    letters, own = x.argmax(1), encode([word])[0]
    n = letters.shape[1] - len(word) + 1
    return np.all([letters[:, i : n + i] == c for i, c in enumerate(own)], 0)


def with_partner(size):
    """SITE is worth `size` where PARTNER ends 3 to 8 bases before it, else nothing."""

    def network(x):
        first, second = words(x, PARTNER), words(x, SITE)
        n = first.shape[1]
        pair = np.any(
            [(first[:, : n - 7 - g] & second[:, 7 + g :]).any(1) for g in range(3, 9)],
            0,
        )
        noise = np.tensordot(x[:, :, ::10], _WEIGHTS, ([1, 2], [0, 1]))
        return size * pair + noise

    return cg.FunctionPredictor(network, tasks=["y"], scale="log")


def planted(seed, n=150, share=0.1):
    g, rows = np.random.default_rng(seed), []
    for i in range(n):
        row = g.choice(list("ACGT"), L)
        at = int(g.integers(30, 100))
        row[at : at + 7] = list(SITE)
        if i < share * n:
            before = at - 7 - int(g.integers(3, 9))
            row[before : before + 7] = list(PARTNER)
        rows.append("".join(row))
    return rows


@pytest.mark.parametrize("size", [1.3, -1.3])
@pytest.mark.parametrize("seed", range(3))
def test_a_tenth_of_the_sites_that_acts_shows_in_a_quantile(seed, size):
    experiment = necessity(planted(seed), motif=SITE, n_draws=4, rope=(-0.2, 0.2))
    outcomes = cg.run(experiment, with_partner(size), rng=seed, progress=False)
    answer = experiment.analyze(outcomes, rng=0)
    lost = answer.findings["quantiles"]["quantiles"].sel(contrast="shuffle").squeeze()
    low, middle, high = lost.sel(prob=[0.05, 0.5, 0.95]).values
    far, near = (low, high) if size > 0 else (high, low)
    assert far == pytest.approx(-size, abs=0.3)
    assert (middle, near) == pytest.approx((0, 0), abs=0.3)
    said = next(line for line in answer.sentences if "overwriting" in line)
    assert f"{low:.2f}"[:4] in said
    assert "5 % and 95 % quantiles" in said


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.filterwarnings("ignore:effects depend on the size of their parent")
def test_a_site_that_works_alone_is_needed_where_its_partner_is_not():
    """Lost from its sequence and alone in shuffles are rows of their own."""
    rows = planted(0, n=60, share=0)
    either = cg.FunctionPredictor(
        lambda x: 2.0 * words(x, SITE).any(1) + 0.01 * x[:, 0].sum(1),
        tasks=["y"],
        scale="log",
    )
    both = [row[:10] + SITE + row[17:] for row in rows]
    for given, lost in ((rows, -2.0), (both, 0.0)):
        experiment = necessity(given, motif=SITE, n_draws=3, rope=(-0.3, 0.3))
        found = (
            experiment.analyze(cg.run(experiment, either, rng=0, progress=False), rng=0)
            .estimates["ace"]
            .squeeze("task")
        )
        assert found.sel(contrast="shuffle") == pytest.approx(lost, abs=0.1)
        assert found.sel(contrast="alone in shuffles") == pytest.approx(2.0, abs=0.1)


def test_a_knock_in_says_how_far_its_effect_differs_between_sequences():
    """The partner stands 5 bases before the place in a fifth of the sequences."""
    rng, rows = np.random.default_rng(3), []
    for i in range(100):
        row = "".join(rng.choice(list("ACGT"), L))
        rows.append(row[:48] + PARTNER + row[55:] if i % 5 == 0 else row)
    experiment = knock_in(rows, motif=SITE, at=60, rope=(-0.2, 0.2))
    answer = experiment.analyze(
        cg.run(experiment, with_partner(1.3), rng=0, progress=False), rng=0
    )
    found = answer.findings["quantiles"]["quantiles"].squeeze()
    assert found.sel(prob=[0.05, 0.5, 0.75]).values == pytest.approx(0, abs=0.3)
    assert found.sel(prob=0.95).item() == pytest.approx(1.3, abs=0.3)
    assert "5 % and 95 % quantiles" in answer.sentences[0]


# variances ---------------------------------------------------------------------------------------------------------


def test_limits_of_a_variance_that_may_be_zero_begin_at_zero():
    lower, upper = variance_limits(
        np.array([0.0, 1.0, 3.0]), np.array([1.0, 1.0, 0.0]), 0.95
    )
    assert lower[:2].tolist() == [0.0, 0.0]
    assert (upper[:2] > [1.9, 2.9]).all()
    assert lower[2] == upper[2] == 3.0


# knock-in -----------------------------------------------------------------------------------------------------------


def test_knock_in_recovers_the_truth_and_its_moderation_is_least_squares(sampled):
    experiment = knock_in(sampled, motif="AGATAAG", at=80)
    outcomes = cg.run(experiment, GATA1, rng=0, progress=False)
    answer = experiment.analyze(outcomes, rng=0)
    truth = GATA1.true_ace(experiment, n_units=8_000)
    assert_estimates(answer.estimates, truth)
    assert_verdicts(answer, truth)
    assert (
        answer.decisions["verdict"]
        .sel(contrast="motif minus placebo", task="K562")
        .item()
        == "increases"
    )
    ice = cg.contrast(outcomes)["ice"].sel(contrast="motif", task="K562").values
    counts = [
        sum(abs(at - 80) >= 7 for at in places(text, "AGATAAG")) for text in sampled
    ]
    gc = [(text.count("G") + text.count("C")) / 200 for text in sampled]
    slopes = np.linalg.lstsq(
        np.column_stack([np.ones(400), gc, counts]), ice, rcond=None
    )[0][1:]
    found = answer.findings["moderation"].sel(contrast="motif", task="K562")
    np.testing.assert_allclose(found["slope"], slopes, atol=1e-9)
    # partners help each other in this oracle
    assert found["lower"].sel(moderator="neighbors") > 0


def test_the_nearest_neighbor_matters_as_its_distance_says():
    """A partner's help decays: sequences that have one, at distances of their own."""
    rng = np.random.default_rng(4)
    texts = decode(rng.integers(0, 4, (120, 200), dtype=np.uint8))
    apart = rng.integers(12, 90, 120)
    texts = [
        t[: 100 + d] + "AGATAAG" + t[107 + d :]
        for t, d in zip(texts, apart, strict=True)
    ]
    experiment = knock_in(texts, motif="AGATAAG", at=100)
    answer = experiment.analyze(cg.run(experiment, GATA1, rng=0, progress=False), rng=0)
    found = answer.findings["distance"].sel(
        contrast="motif", task="K562", moderator="distance"
    )
    assert float(found["upper"]) < 0


def test_negatives_that_are_positives_are_refused_by_their_letters(sampled):
    negatives = dict(zip("abcd", sampled, strict=False))
    same_names = dict(zip("abcd", sampled[10:], strict=False))
    assert knock_in(negatives, motif="AGATAAG", positives=same_names).n_units == 4


def test_a_motif_that_the_junction_makes_is_counted():
    texts = ["C" * 18 + "GA" + "C" * 20, "C" * 40, "C" * 40, "C" * 24 + "GA" + "C" * 14]
    assert places("C" * 18 + "GA" + "GAGACC", "GAGACC") == [20]
    made = [text[:20] + "GAGA" + text[24:] for text in texts]
    assert [len(places(text, "GAGA")) for text in made] == [2, 1, 1, 2]


def test_knock_in_of_a_motif_by_name_with_draws_parents_and_a_part_of_the_sequences(
    sampled,
):
    parents = [f"p{i // 4}" for i in range(400)]
    null = cg.Genomic(of=sampled, parent=parents, n_draws=2)
    experiment = knock_in(null, motif="GATA1")
    assert experiment.n_units == 800
    answer = experiment.analyze(cg.run(experiment, GATA1, rng=0, progress=False), rng=0)
    assert (answer.estimates["n_clusters"] == 100).all()
    assert answer.findings["moderation"].attrs["cluster"] == "parent"
    part = knock_in(sampled, motif="AGATAAG", n_units=150)
    outcomes = cg.run(part, GATA1, rng=0, progress=False)
    found = (
        part.analyze(outcomes, rng=0)
        .findings["moderation"]
        .sel(contrast="motif", task="K562")
    )
    counts = [
        sum(abs(at - 96) >= 7 for at in places(sampled[i], "AGATAAG"))
        for i in outcomes["parent"].values
    ]
    assert float(found["mean"].sel(moderator="neighbors")) == pytest.approx(
        np.mean(counts)
    )
    shared = knock_in(
        cg.Genomic(of=sampled, parent=parents), motif="AGATAAG", n_units=150
    )
    again = shared.analyze(
        cg.run(shared, GATA1, rng=0, progress=False), rng=0
    ).findings["moderation"]
    again = again.sel(contrast="motif", task="K562")
    np.testing.assert_array_equal(again["mean"], found["mean"])
    drawn = cg.run(shared, GATA1, rng=np.random.default_rng(0), progress=False)
    unknown = shared.analyze(drawn, rng=0).findings["moderation"]
    assert unknown["moderator"].values.tolist() == ["gc"]


def test_knock_in_refuses_what_does_not_fit(sampled):
    assert [
        arm.intervention for arm in knock_in(sampled, motif="UGCAUG").named_arms
    ] == [
        arm.intervention for arm in knock_in(sampled, motif="tgcatg", at=97).named_arms
    ]


# flanks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rbfox1_like", "additive"])
def test_flanks_recover_the_truth_of_every_contrast(name):
    experiment = flanks(RNA, "UGCAUG", n_flanks=6, n_units=1_000)
    answer = assert_recovers(experiment, cg.zoo.oracle(name))
    assert answer.decisions["verdict"].sel(contrast="core").item() == "increases"
    assert len(answer.decisions["contrast"]) == 19
    own = answer.findings["components"].sel(part="core").squeeze("task")
    assert own["share"].sel(component="core") > 0.98
    assert own["upper"].sel(component="flank") < 0.1  # these motifs know no flanks


def test_flanks_that_matter_have_the_spread_of_their_true_effects():
    """A flanking base that adds 1 with probability 1/4: sd over flanks is that of the
    flanks that were drawn.
    """
    oracle = Oracle(
        MotifCount("UGCAUG", 2.0),
        MotifCount("UUGCAUG", 1.0),
        MotifCount("UGCAUGNNA", 0.8),
        EndGC(-0.5, last=6),
    )
    experiment = flanks(RNA, "UGCAUG", n_flanks=25, n_units=400)
    with pytest.warns(DegenerateWarning):
        answer = experiment.analyze(
            cg.run(experiment, oracle, rng=0, progress=False), rng=0
        )
    truth, estimates = (
        oracle.true_ace(experiment).squeeze("task"),
        answer.estimates.squeeze("task"),
    )
    off, se = abs(estimates["ace"] - truth).values, estimates["se"].values
    # up to 3/n of the backgrounds may hold what none of these does, such as the core
    assert (off < 4.5 * se + 3 * 3 / 400).all()
    own = [
        name
        for name in experiment.labels["part"]
        if experiment.labels["part"][name] == "core"
    ]
    components = answer.findings["components"].squeeze("task")
    core = components.sel(part="core")
    assert float(core["size"].sel(component="flank")) == pytest.approx(
        float(truth.sel(contrast=own).std(ddof=1)), rel=0.05
    )
    expected = 2 + 1 / 4 + 0.8 / 4
    assert (
        core["lower"].sel(component="core")
        < expected
        < core["upper"].sel(component="core")
    )
    sd = np.sqrt(3 / 16 * (1 + 0.64))
    assert (
        core["lower"].sel(component="flank") < sd < core["upper"].sel(component="flank")
    )
    whole = components.sel(part="core in flanks")
    np.testing.assert_allclose(whole["share"].sum("component"), 1)
    assert whole["share"].sel(component="flank") > 5 * whole["share"].sel(
        component="background"
    )
    assert {name.split(", ")[0] for name in answer.decisions["contrast"].values} == {
        "core in flanks",
        "core",
        "flanks alone",
    }


def test_flanks_are_fixed_different_and_make_no_second_core():
    first, again = (
        flanks(RNA, "AGATAAG", at=10, width=4, n_flanks=60),
        flanks(RNA, "AGATAAG", at=10, width=4, n_flanks=60),
    )
    assert first == again
    names = dict.fromkeys(first.labels["flank"].values())
    assert len(names) == 60
    for name in names:
        left, right = name.split("..")
        assert (len(left), len(right)) == (4, 4)
        assert places(left + "AGATAAG" + right, "AGATAAG") == [4]
    repeats = flanks(RNA, "UAUA", width=3, n_flanks=200).labels["flank"]
    assert all(
        places("TATA".join(name.split("..")), "TATA") == [3]
        for name in repeats.values()
    )
    letters = "".join("".join(name.split("..")) for name in names)
    assert min(letters.count(base) for base in "ACGT") > 480 / 4 - 5 * np.sqrt(
        480 * 3 / 16
    )


def test_flanks_refuse_what_does_not_fit():
    assert flanks(RNA, "UGCAUG", width=1, n_flanks=16, n_units=10).n_units == 10


# all of
# them --------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_moments_are_read_as_far_as_they_go(sampled):
    made = (
        (
            necessity(sampled, motif="AGATAA", fills=["uniform"], n_draws=2),
            "uniform",
        ),
        (knock_in(sampled, motif="AGATAAG"), "motif minus placebo"),
        (
            flanks(
                cg.Uniform(length=200), motif="AGATAAG", at=90, n_flanks=3, n_units=100
            ),
            "core",
        ),
    )
    for experiment, contrast in made:
        answer = experiment.analyze(
            cg.run(experiment, GATA1, rng=0, keep="moments"), rng=0
        )
        assert not answer.findings
        whole = experiment.analyze(
            cg.run(experiment, GATA1, rng=0, progress=False), rng=0
        )
        np.testing.assert_allclose(
            answer.estimates["ace"].sel(contrast=contrast),
            whole.estimates["ace"].sel(contrast=contrast),
            atol=1e-6,
        )


def test_palindromes_count_once_and_letters_are_read_in_any_spelling(sampled):
    texts = [
        text[:50] + "CACGTG" + text[56:]
        for text in (t.replace("CACGTG", "CACTTG") for t in sampled[:30])
    ]
    experiment = necessity(texts, motif="CACGTG", fills=["uniform"], n_draws=1)
    assert experiment.n_units == sum(len(places(text, "CACGTG")) for text in texts)
    assert (
        necessity(texts, motif="cacgug", fills=["uniform"], n_draws=1).fingerprint
        == experiment.fingerprint
    )
    lower = necessity(
        [text.lower().replace("t", "u") for text in texts],
        motif="CACGTG",
        fills=["uniform"],
        n_draws=1,
    )
    assert lower.fingerprint == experiment.fingerprint
