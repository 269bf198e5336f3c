"""Motifs, letters, places, affinities, copies and spacing: each recovers what the
oracle was made of.
"""

from __future__ import annotations

import numpy as np
import pytest
from catalogue_truth import assert_estimates, assert_recovers

import causalgia as cg
from causalgia.experiments.kit import experiment
from causalgia.zoo import MotifCount, Oracle, Pair
from causalgia.zoo.terms import Slope

NULL = cg.Uniform(length=41)
KD = {
    "UGCAUGU": 0.83,
    "AGCAUGU": 4.8,
    "CGCAUGU": 6.1,
    "UGUAUGU": 280.0,
    "UACAUGU": 350.0,
    "UGCACGU": 4.9,
    "UGCAUAU": 1830.0,
}
pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")


ADDITIVE, SATURATING, RBFOX1 = (
    cg.zoo.oracle(name) for name in ("additive", "saturating", "rbfox1_like")
)


def _verdict(answer, contrast):
    return answer.decisions["verdict"].sel(contrast=contrast).item()


@pytest.fixture(scope="module")
def screen():
    experiment = cg.experiments.kmer_screen(k=4, n_units=400, at=17)
    outcomes = cg.run(
        experiment,
        Oracle(MotifCount("UGCA", 1.0), MotifCount("GGG", 0.3), scale="score"),
        rng=1,
        progress=False,
    )
    return experiment, outcomes


@pytest.mark.parametrize("oracle", [RBFOX1, ADDITIVE], ids=["rbfox1", "additive"])
def test_screen_recovers_known_words(oracle):
    words = [
        "UGCAUG",
        "AGCAUG",
        "AGAAUG",
        "ACUAAC",
        "GGCUGG",
        "CACACA",
        "GUGUGU",
        "AAAAAA",
    ]
    answer = assert_recovers(
        cg.experiments.kmer_screen(motifs=words, n_units=400), oracle
    )
    assert _verdict(answer, "UGCAUG") == "increases"
    assert answer.findings["shrunken"].sizes["contrast"] == len(words)


@pytest.mark.simulation
def test_screen_of_all_words_puts_the_known_one_first(screen):
    experiment, outcomes = screen
    assert len(experiment.named_arms) == 256 + 100 + 1
    answer = experiment.analyze(outcomes, rng=0)
    oracle = Oracle(MotifCount("UGCA", 1.0), MotifCount("GGG", 0.3), scale="score")
    truth = oracle.true_ace(experiment)
    assert_estimates(answer.estimates, truth)
    shrunken = answer.findings["shrunken"].squeeze()
    assert (
        shrunken["contrast"].to_numpy()[shrunken["ace"].to_numpy().argmax()] == "UGCA"
    )
    beyond = answer.decisions["verdict"].isin(["increases", "decreases"])
    above = truth.transpose(*beyond.dims) > answer.decisions["rope_upper"]
    assert bool((above | ~beyond).all())  # and so the truth is
    assert [_verdict(answer, word) for word in ("UGCA", "GGGG")] == [
        "increases",
        "increases",
    ]


def test_shrinkage_takes_back_what_selection_added():
    """On a predictor that answers each background by its own whim no motif has an
    effect, and the first ones seem to.
    """
    one, other = 3 * np.random.default_rng(0).normal(size=(2, 4, 41))
    answers = lambda x: np.sin((x * one).sum((1, 2)) * (x * other).sum((1, 2)))  # noqa: E731
    whim = cg.FunctionPredictor(answers, tasks=["score"], scale="score")
    experiment = cg.experiments.kmer_screen(
        k=4, at=17, n_placebos=40, n_units=60, rope=(-0.1, 0.1)
    )
    answer = experiment.analyze(cg.run(experiment, whim, rng=0, progress=False), rng=0)
    found = answer.findings["shrunken"].squeeze()
    top = np.argsort(-found["raw"].to_numpy())[:10]
    # winners are inflated: the truth is 0
    assert found["raw"].to_numpy()[top].mean() > 0.15
    assert abs(found["ace"].to_numpy()[top].mean()) < 0.03
    assert (found["lfsr"].to_numpy()[top] > 0.05).all()


def test_against_zero_random_words_differ_where_beyond_placebos_they_do_not():
    # every motif does something to a sum over single bases, and none stands out
    table = np.random.default_rng(0).normal(size=(4, 41))
    predictor = cg.FunctionPredictor(
        lambda x: (x * table).sum((1, 2)), tasks=["score"], scale="score"
    )
    experiment = cg.experiments.kmer_screen(k=3, n_units=400, n_placebos=40)
    answer = experiment.analyze(
        cg.run(experiment, predictor, rng=0, progress=False), rng=0
    )
    placebo = answer.decisions["is_placebo"].to_numpy()
    assert (answer.estimates["p"].to_numpy()[placebo] < 0.05).mean() > 0.8
    directed = np.isin(
        answer.decisions["verdict"].to_numpy()[~placebo], ["increases", "decreases"]
    )
    assert directed.mean() < 0.15


@pytest.mark.simulation
@pytest.mark.parametrize(("oracle", "n_units"), [(SATURATING, 200), (RBFOX1, 50)])
def test_words_that_rarely_do_anything_are_not_found(oracle, n_units):
    """In few units nearly all of the 4,096 k-mers do exactly nothing, random sequences
    too: none of that is a finding.

    Motifs that do something are among the random sequences as they are among all, and
    the verdicts allow for that; the first of all motifs is named all the same, and
    fresh backgrounds confirm it.
    """
    experiment = cg.experiments.kmer_screen(n_units=n_units)
    moments = cg.run(experiment, oracle, rng=0, progress=False, keep="moments")
    answer = experiment.analyze(moments, rng=0)
    decisions = answer.decisions.isel(task=0)
    truth = (
        oracle.true_ace(experiment)
        .sel(contrast=decisions["contrast"].to_numpy())
        .to_numpy()[:, 0]
    )
    placebo, verdict = (
        decisions["is_placebo"].to_numpy(),
        decisions["verdict"].to_numpy(),
    )
    low, high = np.quantile(truth[placebo], [0.025, 0.975])
    up, down = verdict == "increases", verdict == "decreases"
    false = ~placebo & ((up & (truth <= high)) | (down & (truth >= low)))
    assert false.sum() <= 0.05 * (up | down)[~placebo].sum()
    assert (up | down)[placebo].sum() <= 5
    fresh = cg.confirm(
        cg.estimate(moments),
        select="UGCAUG",
        design=experiment,
        predictor=oracle,
        rng=0,
        n_units=300,
    )
    assert (
        cg.analyze(fresh, rng=0)["verdict"].sel(contrast="UGCAUG").item() == "increases"
    )


def test_the_sentence_of_a_screen_is_on_one_scale():
    """Every motif costs the site that it overwrites; region and effects are both told
    from the mean random sequence.
    """
    site = cg.FunctionPredictor(
        lambda x: 3.0 * (x[:, 2, 17:23].sum(1) == 6) + x[:, 0, 17:23].sum(1) / 6,
        tasks=["score"],
        scale="score",
    )
    letters = np.random.default_rng(0).choice(list("ACGT"), size=(60, 41))
    letters[:, 17:23] = "G"
    null = cg.Genomic(of=["".join(row) for row in letters])
    experiment = cg.experiments.kmer_screen(
        null, motifs=["AAAAAA", "CCGCGC"], n_units=60
    )
    answer = experiment.analyze(cg.run(experiment, site, rng=0, progress=False), rng=0)
    assert (answer.estimates["ace"] < -1).all()
    said = answer.details[0]
    mean, low, high = (
        float(said.partition(a)[2].partition(b)[0])
        for a, b in (("random sequence (", ")"), ("range: ", " to"), (" to ", " from"))
    )
    assert -3 < mean < -2.5
    assert low < 0 < high < 1
    assert float(said.partition("AAAAAA ")[2].partition(" ")[0]) == pytest.approx(
        -2 - mean, abs=0.01
    )


def test_two_units_decide_nothing_about_two_values_and_say_what_undoes_others():
    """Arms of 0 and of 2.67 in both units are two values; a trend over four is none."""
    experiment = cg.experiments.copies(n_units=2, rope=(-0.1, 0.1))
    answer = experiment.analyze(
        cg.run(experiment, SATURATING, rng=0, progress=False), rng=0
    )
    exact = answer.estimates["se"].to_numpy() == 0
    assert exact.any()
    decided = answer.decisions
    alike = (decided["lower"] == decided["upper"]).to_numpy()
    named = decided["verdict"].to_numpy() != "undecided"
    assert exact.all()
    assert np.array_equal(named, alike)
    assert 0 < alike.sum() < alike.size
    assert np.isfinite(decided["reversal"].to_numpy()[named]).all()


@pytest.mark.simulation
def test_screen_is_confirmed_on_fresh_backgrounds(screen):
    experiment, outcomes = screen
    shrunken = experiment.analyze(outcomes, rng=0).findings["shrunken"].squeeze()
    words = (
        shrunken["contrast"]
        .to_numpy()[np.argsort(-shrunken["ace"].to_numpy())[:20]]
        .tolist()
    )
    oracle = Oracle(MotifCount("UGCA", 1.0), MotifCount("GGG", 0.3), scale="score")
    fresh = cg.confirm(outcomes, select=words, predictor=oracle, rng=0)
    again = cg.analyze(fresh, rng=0)
    assert again["verdict"].sel(contrast="UGCA").item() == "increases"
    assert fresh.sizes["arm"] < 200
    assert not np.array_equal(fresh["gc"], outcomes["gc"])
    moments = cg.run(experiment, oracle, rng=1, progress=False, keep="moments")
    chosen = experiment.analyze(moments, rng=0).decisions
    kept = cg.confirm(
        chosen, select="UGCA", design=experiment, predictor=oracle, rng=0, n_units=100
    )
    assert cg.analyze(kept, rng=0)["verdict"].sel(contrast="UGCA").item() == "increases"


def test_placebo_words_are_a_choice_of_the_design():
    one, other = (
        cg.experiments.kmer_screen(motifs=["UGCAUG", "CACACA"], n_units=n)
        for n in (50, 60)
    )
    assert one.arm_names == other.arm_names
    assert len(set(one.arm_names)) == 103
    spelled = {
        name.removeprefix("placebo ")
        for name in one.arm_names
        if name.startswith("placebo")
    }
    assert not spelled & {"UGCAUG", "CACACA"}
    letters = np.array([list(word) for word in spelled])
    assert [(letters == base).mean() for base in "ACGU"] == pytest.approx(
        [0.25] * 4, abs=4 * 0.43 / 600**0.5
    )


def test_spelling_of_u_and_t_is_one():
    rna, dna = (
        cg.experiments.kmer_screen(motifs=words, n_units=50)
        for words in (["UGCAUG", "AGAAUG"], ["TGCATG", "AGAATG"])
    )
    assert [arm.intervention.identity() for arm in rna.named_arms] == [
        arm.intervention.identity() for arm in dna.named_arms
    ]
    assert (
        cg.experiments.kmer_screen(
            k=3, letters="ACGT", n_placebos=40, n_units=50
        ).arm_names[64]
        == "TTT"
    )


def test_large_screens_are_designed():
    experiment = cg.experiments.kmer_screen(k=7, n_units=50)
    assert len(experiment.named_arms) == 4**7 + 401


@pytest.mark.parametrize("oracle", [RBFOX1, ADDITIVE], ids=["rbfox1", "additive"])
def test_letters_recover_and_the_word_is_in_its_own_logo(oracle):
    experiment = cg.experiments.motif_mutagenesis(
        NULL, "UGCAUG", n_units=400
    )
    assert len(experiment.named_arms) == 18 + 2
    answer = assert_recovers(experiment, oracle)
    logo = answer.findings["logo"].squeeze()
    assert dict(logo["ace"].sizes) == {"position": 6, "base": 4}
    whole = answer.estimates["ace"].sel(contrast="UGCAUG").item()
    for i, letter in enumerate("UGCAUG"):
        assert logo["ace"].sel(position=i, base=letter).item() == whole
    assert (
        logo["ace"].sel(position=0, base="A").item()
        == answer.estimates["ace"].sel(contrast="AGCAUG").item()
    )
    assert np.isfinite(logo["lower"].to_numpy()).all()
    assert _verdict(answer, "letter 2 (G) to A") == "decreases"


def test_letters_of_dna_and_bad_words():
    experiment = cg.experiments.motif_mutagenesis(NULL, "GATA")
    assert list(experiment.named_contrasts)[:3] == ["GATA", "AATA", "CATA"]


def test_a_flat_profile_is_flat():
    answer = assert_recovers(cg.experiments.position(n_units=2_000), ADDITIVE)
    assert _verdict(answer, "linear trend") == "negligible"
    band, estimates = (
        answer.findings["band"],
        answer.estimates.sel(contrast=answer.findings["band"]["contrast"]),
    )
    assert (
        band["upper"] - band["lower"] >= estimates["upper"] - estimates["lower"]
    ).all()
    assert answer.findings["equal"]["df1"].item() == 5


def test_a_slope_is_found_and_its_size_is_known():
    sloped = Oracle(
        MotifCount("UGCAUG", 3.0, gain=Slope(-0.02)),
        MotifCount("GGG", 0.3),
        scale="score",
    )
    experiment = cg.experiments.position(n_units=400)
    answer = assert_recovers(experiment, sloped)
    slope, truth = (
        answer.findings["slope"],
        sloped.true_ace(experiment).sel(contrast="linear trend").item() / 31,
    )
    assert abs(slope["ace"].item() - truth) < 4 * slope["se"].item()
    assert truth == pytest.approx(-0.06, abs=0.005)
    assert answer.findings["equal"]["p"].item() < 1e-6


def test_a_bump_has_no_slope_and_is_not_flat():
    from causalgia.zoo.terms import Bump

    bump = Oracle(
        MotifCount("UGCAUG", 3.0, gain=Bump(8.0, center=18.5)),
        MotifCount("GGG", 0.3),
        scale="score",
    )
    assert_recovers(
        cg.experiments.position(at=[3, 9, 15, 22, 28, 34], n_units=400), bump
    )


def test_affinity_recovers_effects_and_the_line_through_the_true_ones():
    from causalgia.estimation.lines import errors_in_variables

    experiment = cg.experiments.affinity(NULL, KD, n_units=400)
    answer = assert_recovers(experiment, RBFOX1)
    line = answer.findings["line"].squeeze()
    truth = RBFOX1.true_ace(experiment).squeeze()
    exact = errors_in_variables(
        [experiment.labels["log10_kd"][word] for word in truth["contrast"].values],
        truth.values,
        y_covariance=[0.0] * 7,
        scatter=True,
    )
    assert exact.slope < -0.8
    assert abs(line["slope"].item() - exact.slope) < 0.1
    assert line["slope_upper"].item() < 0
    reach = np.log10(1830 / 0.83)
    assert line["change"].item() == pytest.approx(reach * line["slope"].item())
    assert line["change_upper"].item() == pytest.approx(
        reach * line["slope_upper"].item()
    )
    assert answer.findings["shapes"]["sign"].item() == -1
    # motifs scatter by more than the errors of their effects
    assert line["p"].item() < 1e-6


def test_a_rise_over_all_affinities_is_judged_and_not_the_slope():
    """A slope of -0.02 for each tenfold is -0.07 over the range of K_D: inside this
    region, and outside a narrower.
    """
    weights = {"UGCAUGU": 0.10, "UGCACGU": 0.08, "UGUAUGU": 0.05, "UGCAUAU": 0.03}
    oracle = Oracle(
        *(MotifCount(word, weight) for word, weight in weights.items()),
        MotifCount("GGG", 0.02),
        scale="score",
    )
    found = {}
    for half in (0.02, 0.2):
        experiment = cg.experiments.affinity(
            NULL,
            dict(zip(weights, [1.0, 10.0, 100.0, 1000.0], strict=True)),
            n_units=400,
            rope=(-half, half),
        )
        answer = experiment.analyze(
            cg.run(experiment, oracle, rng=0, progress=False), rng=0
        )
        line = answer.findings["line"].squeeze()
        assert abs(line["slope"].item()) < 0.03
        found[half] = answer.findings["shapes"]["sign"].item()
    assert found == {0.02: -1, 0.2: 0}


def test_errors_of_the_affinities_count():
    outcomes = cg.run(
        cg.experiments.affinity(NULL, KD, n_units=100), RBFOX1, rng=0, progress=False
    )
    lines = [
        experiment.analyze(cg.run(experiment, RBFOX1, rng=0, progress=False), rng=0)
        .findings["line"]
        .squeeze()
        for experiment in (
            cg.experiments.affinity(NULL, KD, log10_kd_se=se, n_units=100)
            for se in (None, 0.05, dict.fromkeys(KD, 0.3))
        )
    ]
    assert outcomes.sizes["arm"] == 8
    assert lines[2]["scatter"] < lines[1]["scatter"] <= lines[0]["scatter"] + 1e-9
    assert lines[2]["slope"] < lines[0]["slope"]  # steeper, once it is not attenuated


def test_affinities_are_aligned_by_word():
    import pandas as pd

    kd = {"UGCAUG": 1.0, "AGCAUG": 5.0, "UGCAUU": 300.0}
    errors = {"TGCATG": 0.1, "AGCAUG": 0.2, "UGCAUU": 0.3}
    given = cg.experiments.affinity(NULL, kd, log10_kd_se=errors).labels
    assert given["log10_kd"] == pytest.approx({k: np.log10(v) for k, v in kd.items()})
    assert given["log10_kd_se"] == {"UGCAUG": 0.1, "AGCAUG": 0.2, "UGCAUU": 0.3}
    table = pd.Series(kd)
    assert cg.experiments.affinity(NULL, table, log10_kd_se=errors).labels == given


@pytest.mark.parametrize(
    ("oracle", "word"),
    [
        (ADDITIVE, "UGCAUG"),
        (ADDITIVE, "AGAAUG"),
        (ADDITIVE, "GCUGG"),
        (SATURATING, "UGCAUG"),
    ],
)
def test_copies_add_or_saturate(oracle, word):
    experiment = cg.experiments.copies(
        motif=word, at=[4, 13, 22], n_units=2_000, rope=(-0.15, 0.15)
    )
    assert_recovers(experiment, oracle)


def test_trends_over_copies_are_effects_over_their_whole_range():
    """What is judged is the rise from none to all; twice the copies of a weak site are
    twice the rise.
    """
    names = cg.experiments.copies(at=[2, 9, 16, 23, 30], n_units=10).named_contrasts
    y = {
        "untreated": 1.0,
        "1 copy": 1.1,
        "2 copies": 1.2,
        "3 copies": 1.3,
        "4 copies": 1.4,
        "5 copies": 1.5,
    }
    y |= {f"alone at {at}": 1.1 for at in (9, 16, 23, 30)}
    value = {
        name: sum(w * y[arm] for arm, w in row.items()) for name, row in names.items()
    }
    assert value["linear trend"] == pytest.approx(0.5)
    assert value["excess over n times the first"] == pytest.approx(0, abs=1e-12)
    assert value["excess over single sites"] == pytest.approx(0, abs=1e-12)
    saturated = y | {"4 copies": 1.3, "5 copies": 1.3}
    assert sum(
        w * saturated[arm] for arm, w in names["excess over n times the first"].items()
    ) == pytest.approx(-0.2)
    weak = Oracle(MotifCount("UGCAUG", 0.08), MotifCount("GGG", 0.1), scale="score")
    experiment = cg.experiments.copies(
        at=[2, 9, 16, 23, 30], n_units=400, rope=(-0.1, 0.1)
    )
    answer = assert_recovers(experiment, weak)
    assert _verdict(answer, "1 copy") == "negligible"
    # 0.08 for each copy would have been inside the region
    assert _verdict(answer, "linear trend") == "increases"


def test_default_places_do_not_make_a_further_site():
    experiment = cg.experiments.copies(n_units=400)
    assert experiment.named_arms[3].intervention == sum(
        (cg.Embed("UGCAUG", at=at) for at in (17, 27)), cg.Embed("UGCAUG", at=7)
    )
    assert (
        abs(
            ADDITIVE.true_ace(experiment)
            .sel(contrast="excess over single sites")
            .item()
        )
        < 3e-3
    )
    assert_recovers(experiment, ADDITIVE, unseen=0.01)


def test_published_places_make_a_fourth_site_in_some_backgrounds():
    experiment = cg.experiments.copies(at="published", n_units=400)
    answer = assert_recovers(experiment, ADDITIVE)
    assert _verdict(answer, "excess over n times the first") == "increases"
    excess = (
        ADDITIVE.true_ace(experiment).sel(contrast="excess over single sites").item()
    )
    assert excess == pytest.approx(2 * 3.0 / 16, abs=0.08)
    apart = cg.experiments.copies(at=[4, 13, 22], n_units=400)
    assert (
        abs(ADDITIVE.true_ace(apart).sel(contrast="excess over single sites").item())
        < 0.05
    )


def test_a_repressor_saturates_where_its_curvature_is_above_zero():
    from causalgia.zoo import Saturating
    from causalgia.zoo.terms import Hill

    oracle = Oracle(
        Saturating((MotifCount("UGCAUG", 1.0),), Hill(top=8.0, half=2.0)),
        MotifCount("GGG", 0.2),
        weights=[[-1, 1]],
    )
    answer = assert_recovers(cg.experiments.copies(n_units=400), oracle, unseen=0.05)
    assert _verdict(answer, "linear trend") == "decreases"
    assert _verdict(answer, "excess over n times the first") == "increases"


def test_copies_at_unequal_places_add_up_beside_single_sites():
    oracle = Oracle(
        MotifCount("UGCAUG", 3.0, gain=Slope(-0.05)),
        MotifCount("GGG", 0.3),
        scale="score",
    )
    # the excess is exactly 0, and 1,000 backgrounds leave no room for a rare one
    experiment = cg.experiments.copies(at=[4, 20, 34], n_units=1_000)
    assert_recovers(experiment, oracle)


def test_published_spacings_are_the_default():
    experiment = cg.experiments.spacing(n_units=50)
    assert {str(arm.intervention) for arm in experiment.named_arms} == {
        "do()",
        "do(x[17:23] = UGCAUG)",
        "do(x[16:26] = UGCAUGCAUG)",
        "do(x[15:21] = UGCAUG, x[21:27] = UGCAUG)",
        "do(x[13:19] = UGCAUG, x[22:28] = UGCAUG)",
        *(f"do(x[{start}:{start + 6}] = UGCAUG)" for start in (16, 20, 15, 21, 13, 22)),
    }


@pytest.mark.parametrize(
    "oracle", [RBFOX1, ADDITIVE, SATURATING], ids=["rbfox1", "additive", "saturating"]
)
def test_spacing_recovers(oracle):
    answer = assert_recovers(cg.experiments.spacing(n_units=3_000), oracle)
    near, far = (_verdict(answer, f"interaction at {d}") for d in (4, 9))
    expected = {
        RBFOX1: ("decreases", "negligible"),
        ADDITIVE: ("negligible",) * 2,
        SATURATING: ("decreases",) * 2,
    }
    assert (near, far) == expected[oracle]
    if oracle is RBFOX1:
        assert _verdict(answer, "linear trend") == "increases"


def test_moving_one_site_would_have_confounded_distance_with_place():
    """Sites lose strength along the sequence and do not know of each other: the naive
    design calls that spacing.
    """
    oracle = Oracle(
        MotifCount("UGCAUG", 3.0, gain=Slope(-0.03)),
        MotifCount("GGG", 0.3),
        scale="score",
    )
    experiment = cg.experiments.spacing(distances=[6, 10, 16], n_units=2_000)
    outcomes = cg.run(experiment, oracle, rng=0, progress=False)
    answer = experiment.analyze(outcomes, rng=0)
    truth = (
        oracle.true_ace(experiment).squeeze().sel(contrast=answer.decisions["contrast"])
    )
    assert np.abs(answer.decisions["ace"].squeeze() - truth).max() < 0.05
    assert [_verdict(answer, f"interaction at {d}") for d in (6, 10, 16)] == [
        "negligible"
    ] * 3
    assert _verdict(answer, "linear trend") == "negligible"

    fixed = {
        d: cg.Embed("UGCAUG", at=10) + cg.Embed("UGCAUG", at=10 + d) for d in (6, 16)
    }
    naive = cg.Design(
        null=cg.Uniform(length=41),
        arms={f"pair at {d}": arm for d, arm in fixed.items()},
        n_units=400,
    )
    outcomes = cg.run(naive, oracle, rng=0, progress=False)
    moved = cg.estimate(cg.contrast(outcomes, control="pair at 6"))
    # ten bases of slope, called an effect of distance
    assert moved["upper"].item() < -0.5


def test_two_different_sites_at_a_distance():
    oracle = Oracle(
        MotifCount("UGCAUG", 2.0),
        MotifCount("ACUAAC", 1.0),
        Pair("UGCAUG", "ACUAAC", bonus=1.5, decay=5.0),
        scale="score",
    )
    experiment = cg.experiments.spacing(other="ACUAAC", distances=[6, 16], n_units=400)
    answer = assert_recovers(experiment, oracle)
    assert _verdict(answer, "interaction at 6") == "increases"
    assert _verdict(answer, "linear trend") == "decreases"


ALL = {
    "kmer_screen": {"motifs": ["UGCAUG", "AGAAUG"]},
    "motif_mutagenesis": {"motif": "UGCA"},
    "position": {"at": [3, 20]},
    "affinity": {"kd": KD},
    "copies": {},
    "spacing": {},
}


@pytest.mark.simulation
@pytest.mark.parametrize("name", ALL)
def test_moments_give_an_answer_and_figures_are_drawn(name, tmp_path):
    asked = experiment.build(name, NULL, settings={**ALL[name], "n_units": 120})
    held = asked.analyze(cg.run(asked, ADDITIVE, rng=3, progress=False), rng=0)
    of_moments = asked.analyze(
        cg.run(asked, ADDITIVE, rng=3, progress=False, keep="moments"), rng=0
    )
    assert of_moments.estimates["ace"].values == pytest.approx(
        held.estimates["ace"].values, abs=1e-9
    )
    assert held.save(tmp_path / "figure.png").stat().st_size > 5_000
