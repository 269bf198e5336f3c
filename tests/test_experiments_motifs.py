"""Motifs, letters, places, affinities, copies and spacing: each recovers what the
oracle was made of.
"""

from __future__ import annotations

import numpy as np
import pytest
from catalogue_truth import assert_estimates, assert_recovers
from scipy import stats

import causalgia as cg
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
    experiment = cg.experiments.kmer_screen(
        cg.Uniform(length=41), k=4, letters="ACGU", n_units=400, at=17
    )
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
        cg.experiments.kmer_screen(cg.Uniform(length=41), motifs=words, n_units=400),
        oracle,
    )
    assert _verdict(answer, "UGCAUG") == "increases"
    assert answer.findings["motifs"].sizes["motif"] == len(words)


@pytest.mark.simulation
def test_screen_of_all_words_puts_the_known_one_first(screen):
    experiment, outcomes = screen
    assert len(experiment.named_arms) == 256 + 100 + 1
    answer = experiment.analyze(outcomes, rng=0)
    oracle = Oracle(MotifCount("UGCA", 1.0), MotifCount("GGG", 0.3), scale="score")
    truth = oracle.true_ace(experiment)
    assert_estimates(answer.estimates, truth)
    table = answer.findings["motifs"].squeeze()
    assert table["motif"].to_numpy()[table["effect"].to_numpy().argmax()] == "UGCA"
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
        cg.Uniform(length=41), k=4, at=17, n_placebos=40, n_units=60, rope=(-0.1, 0.1)
    )
    answer = experiment.analyze(cg.run(experiment, whim, rng=0, progress=False), rng=0)
    found = answer.decisions.sel(contrast=~answer.decisions["is_placebo"]).squeeze()
    top = np.argsort(-found["ace"].to_numpy())[:10]
    # winners are inflated: the truth is 0
    raw, shrunken = (found[name].to_numpy()[top].mean() for name in ("ace", "shrunken"))
    assert raw > 0.15
    assert abs(shrunken) < raw / 2
    # what is left is the error of the control, which all rows share
    assert abs(shrunken - found["shrunken"].mean()) < 0.03
    assert (found["lfsr"].to_numpy()[top] > 0.05).all()


def test_against_zero_random_words_differ_where_beyond_placebos_they_do_not():
    # every motif does something to a sum over single bases, and none stands out
    table = np.random.default_rng(0).normal(size=(4, 41))
    predictor = cg.FunctionPredictor(
        lambda x: (x * table).sum((1, 2)), tasks=["score"], scale="score"
    )
    experiment = cg.experiments.kmer_screen(
        cg.Uniform(length=41), k=3, n_units=400, n_placebos=40
    )
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
    experiment = cg.experiments.kmer_screen(
        cg.Uniform(length=41), letters="ACGU", n_units=n_units
    )
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
    assert cg.analyze(fresh)["verdict"].sel(contrast="UGCAUG").item() == "increases"


def test_directions_are_relative_to_random_sequences():
    """Every string costs the site that it overwrites."""
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
    table = answer.findings["motifs"].sel(motif="AAAAAA").squeeze()
    assert table["effect"] == pytest.approx(-2.0, abs=1e-6)
    # the effects of random sequences are known: each A counts for a sixth
    words = [
        str(name).removeprefix("placebo ")
        for name in answer.decisions["contrast"].values
        if str(name).startswith("placebo ")
    ]
    effects = [word.count("A") / 6 - 3 for word in words]
    low, middle, high = np.quantile(effects, [0.1, 0.5, 0.9])
    reach = 5 / stats.norm.ppf(0.9)
    assert table["range_lower"] == pytest.approx(middle - reach * (middle - low))
    assert table["range_upper"] == pytest.approx(middle + reach * (high - middle))
    assert table["range_upper"] < table["lower"]
    assert table["verdict"] == "increases"


@pytest.mark.parametrize("control", ["untreated", "placebo"])
@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_all_verdicts_on_the_excess_of_copies_can_be_reached_at_the_default(control):
    """Copies of what is not read are additive, on a network that saturates, too; those of
    its own site are less than their sum.
    """
    found = {"ACGACG": [], "UGCAUG": []}
    for site, verdicts in found.items():
        experiment = cg.experiments.copies(cg.Uniform(length=41), site, control=control)
        for seed in range(5):
            outcomes = cg.run(experiment, SATURATING, rng=seed, progress=False)
            rows = experiment.analyze(outcomes, rng=0).decisions.squeeze()
            verdicts.append(
                rows["verdict"].sel(contrast="excess over single sites").item()
            )
    assert found == {"ACGACG": ["negligible"] * 5, "UGCAUG": ["decreases"] * 5}


def test_two_units_decide_nothing_about_two_values_and_say_what_undoes_others():
    """Arms of 0 and of 2.67 in both units are two values; a trend over four is none."""
    experiment = cg.experiments.copies(
        cg.Uniform(length=41), "UGCAUG", n_units=2, rope=(-0.1, 0.1)
    )
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
    table = experiment.analyze(outcomes, rng=0).findings["motifs"].squeeze()
    words = table["motif"].to_numpy()[np.argsort(-table["effect"].to_numpy())[:20]]
    words = words.tolist()
    oracle = Oracle(MotifCount("UGCA", 1.0), MotifCount("GGG", 0.3), scale="score")
    fresh = cg.confirm(outcomes, select=words, predictor=oracle, rng=0)
    again = cg.analyze(fresh)
    assert again["verdict"].sel(contrast="UGCA").item() == "increases"
    assert fresh.sizes["arm"] < 200
    assert not np.array_equal(fresh["gc"], outcomes["gc"])
    moments = cg.run(experiment, oracle, rng=1, progress=False, keep="moments")
    chosen = experiment.analyze(moments, rng=0).decisions
    kept = cg.confirm(
        chosen, select="UGCA", design=experiment, predictor=oracle, rng=0, n_units=100
    )
    assert cg.analyze(kept)["verdict"].sel(contrast="UGCA").item() == "increases"


def test_placebo_words_are_a_choice_of_the_design():
    one, other = (
        cg.experiments.kmer_screen(
            cg.Uniform(length=41), motifs=["UGCAUG", "CACACA"], n_units=n
        )
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
        cg.experiments.kmer_screen(cg.Uniform(length=41), motifs=words, n_units=50)
        for words in (["UGCAUG", "AGAAUG"], ["TGCATG", "AGAATG"])
    )
    once = [
        arm.intervention.identity() for arm in dna.named_arms if arm.name[-1] != "-"
    ]
    assert [arm.intervention.identity() for arm in rna.named_arms] == once
    assert len(dna.named_arms) == len(once) + 2  # both strands, where there is no U
    assert (
        cg.experiments.kmer_screen(
            cg.Uniform(length=41), k=3, letters="ACGT", n_placebos=40, n_units=50
        ).arm_names[64]
        == "TTT"
    )


def test_large_screens_are_designed():
    experiment = cg.experiments.kmer_screen(cg.Uniform(length=41), k=7, n_units=50)
    assert len(experiment.named_arms) == 4**7 + 401


@pytest.mark.parametrize("oracle", [RBFOX1, ADDITIVE], ids=["rbfox1", "additive"])
def test_letters_recover_and_the_word_is_in_its_own_logo(oracle):
    experiment = cg.experiments.motif_mutagenesis(NULL, "UGCAUG", n_units=400)
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
        cg.Uniform(length=41),
        word,
        at=[4, 13, 22],
        n_units=2_000,
        rope=(-0.15, 0.15),
    )
    assert_recovers(experiment, oracle)


def test_copies_at_unequal_places_add_up_beside_single_sites():
    oracle = Oracle(
        MotifCount("UGCAUG", 3.0, gain=Slope(-0.05)),
        MotifCount("GGG", 0.3),
        scale="score",
    )
    # the excess is exactly 0, and 1,000 backgrounds leave no room for a rare one
    experiment = cg.experiments.copies(
        cg.Uniform(length=41), "UGCAUG", at=[4, 20, 34], n_units=1_000
    )
    assert_recovers(experiment, oracle)


@pytest.mark.parametrize(
    "oracle", [RBFOX1, ADDITIVE, SATURATING], ids=["rbfox1", "additive", "saturating"]
)
def test_spacing_recovers(oracle):
    experiment = cg.experiments.spacing(
        cg.Uniform(length=41), "UGCAUG", gaps=[-2, 0, 3], n_units=3_000, rope="0.2 sd"
    )
    answer = assert_recovers(experiment, oracle)
    near, far = (
        _verdict(answer, f"interaction, UGCAUG+ then UGCAUG+, gap {gap}")
        for gap in (-2, 3)
    )
    expected = {
        RBFOX1: ("decreases", "negligible"),
        ADDITIVE: ("negligible",) * 2,
        SATURATING: ("decreases",) * 2,
    }
    assert (near, far) == expected[oracle]


def test_two_different_sites_at_a_distance():
    oracle = Oracle(
        MotifCount("UGCAUG", 2.0),
        MotifCount("ACUAAC", 1.0),
        Pair("UGCAUG", "ACUAAC", bonus=1.5, decay=5.0),
        scale="score",
    )
    experiment = cg.experiments.spacing(
        cg.Uniform(length=41), "UGCAUG", "ACUAAC", gaps=[0, 10], n_units=400
    )
    answer = assert_recovers(experiment, oracle)
    rows = [f"interaction, UGCAUG+ then ACUAAC+, gap {gap}" for gap in (0, 10)]
    assert _verdict(answer, rows[0]) == "increases"
    near, far = answer.decisions["ace"].sel(contrast=rows).values.ravel()
    assert near > 2 * far


ALL = {
    "kmer_screen": {"motifs": ["UGCAUG", "AGAAUG"]},
    "motif_mutagenesis": {"motif": "UGCA"},
    "position": {"motif": "UGCAUG", "at": [3, 20]},
    "affinity": {"kd": KD},
    "copies": {"motif": "UGCAUG"},
    "spacing": {"motif": "UGCAUG"},
    "motif": {"motif": "UGCAUG"},
    "pair": {"motif": "UGCAUG", "other": "GCACGA", "gaps": [2]},
}


@pytest.mark.simulation
@pytest.mark.parametrize("name", ALL)
def test_moments_give_an_answer_and_figures_are_drawn(name, tmp_path):
    asked = getattr(cg.experiments, name)(NULL, **ALL[name], n_units=120)
    held = asked.analyze(cg.run(asked, ADDITIVE, rng=3, progress=False), rng=0)
    of_moments = asked.analyze(
        cg.run(asked, ADDITIVE, rng=3, progress=False, keep="moments"), rng=0
    )
    assert of_moments.estimates["ace"].values == pytest.approx(
        held.estimates["ace"].values, abs=1e-9
    )
    assert held.save(tmp_path / "figure.png").stat().st_size > 5_000


def test_a_motif_with_itself_is_asked_in_one_order():
    null = cg.Uniform(length=60)
    of = cg.experiments.pair(null, "TGAGTCA", "TGAGTCA", gaps=[3, 8])
    arrangements = set(of.labels["arrangement"].values())
    assert arrangements == {
        f"TGAGTCA{one} then TGAGTCA{other}" for one in "+-" for other in "+-"
    }
    assert len(of.asked) == 2 * len(arrangements)
