"""One vocabulary for what sites do together: on networks with known single effects and
interaction, in every experiment that names a pair.
"""

import re

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import causalgia as cg
from causalgia._reporting.verdict_sentences import exact_in_words, verdict_in_words
from causalgia.experiments import joint_effect
from causalgia.experiments.kit.joint_effects import scales_tried

GATA, KLF = "AGATAAGA", "CCACACCC"


def has(x, word):
    letters = np.array(["ACGT".index(letter) for letter in word])
    windows = sliding_window_view(x.argmax(axis=1), len(word), axis=1)
    return (windows == letters).all(axis=2).sum(axis=1)


def network(first, second, interaction, *, link=None):
    """A network whose truth is known; the share of A differs between units."""

    def answers(x):
        a, b = (np.minimum(has(x, word), 1) for word in (GATA, KLF))
        y = first * a + second * b + interaction * a * b + x[:, 0].mean(axis=1)
        return (y if link is None else link(y))[:, None]

    return cg.FunctionPredictor(answers, tasks=["y"], scale="activity")


def pair(predictor, *, n_units=400, rope=(-0.5, 0.5), **settings):
    experiment = cg.experiments.motif_pair(
        cg.Uniform(length=80),
        GATA,
        KLF,
        distances=[12, 20],
        orientations=["++"],
        orders=["downstream"],
        n_units=n_units,
        rope=rope,
        **settings,
    )
    return experiment.analyze(cg.run(experiment, predictor, rng=0, progress=False))


TRUTHS = {
    (-4, -4, 3): "saturating (less than the sum of two negative effects)",
    (4, 4, -3): "saturating (less than the sum of two positive effects)",
    (2, 2, 3): "synergistic (more than the sum of two positive effects)",
    (-2, -2, -3): "synergistic (more than the sum of two negative effects)",
    (-2, -2, 6): "reversing (each lowers, together they raise the outcome)",
    (5, -2, -2): "weakening (the second weakens the first)",
    (5, -2, 2): "weakening (the first weakens the second)",
    (0, 3, 2): "synergistic (one strengthens the other, which raises the outcome)",
    (0, 3, -2): "weakening (the first weakens the second)",
    (0, 0, 4): "synergistic (together they raise the outcome, neither does alone)",
    (0, 0, -4): "synergistic (together they lower it, neither does alone)",
    (2, 3, 0): "additive",
}


@pytest.mark.rotating(6)
@pytest.mark.parametrize(("truth", "said"), TRUTHS.items(), ids=str)
def test_a_pair_is_named_by_the_signs_of_its_parts(truth, said):
    answer = pair(network(*truth))
    assert (
        f"Task y: of 2 interactions of {GATA} and {KLF}, 2 are {said}"
        in answer.sentences[0]
    )
    for site, effect in zip((GATA, KLF), truth, strict=False):
        does = (
            "is negligible"
            if effect == 0
            else f"{'increases' if effect > 0 else 'decreases'} the outcome"
        )
        assert f"; {site} alone {does}" in answer.details[0]


def test_the_strangers_network_saturates():
    """Two sites that each lower by 4, and together by 5."""
    answer = pair(network(-4, -4, 3), n_units=100)
    assert "2 are saturating (less than the sum of two negative" in answer.sentences[0]
    assert "synergistic" not in answer.sentences[0]
    asks = answer.decisions["asks"].to_numpy()
    assert (asks == "first").sum() == 1
    assert (asks == "second").sum() == 2
    alone = answer.decisions.isel(contrast=np.isin(asks, ["first", "second"]))
    assert alone["ace"].to_numpy().ravel() == pytest.approx(-4.0, abs=0.1)
    assert alone["site"].to_numpy().tolist() == [GATA, KLF, KLF]


@pytest.mark.parametrize(
    ("alone", "interaction", "together", "word"),
    [
        (["increases", "undecided"], "increases", "increases", "more than the sum"),
        (["undecided", "undecided"], "decreases", "decreases", "less than the sum"),
        (["higher", "higher"], "lower", "higher", "saturating"),
        (["increases"] * 4, "decreases", "increases", "saturating"),
        (["increases", "negligible", "increases"], "increases", "", "synergistic"),
        (["increases", "decreases", "increases"], "increases", "", "weakening"),
        (["increases", "increases"], "undecided", "increases", "undecided"),
        (["undecided", "increases"], "negligible", "increases", "additive"),
    ],
)
def test_words_of_verdicts(alone, interaction, together, word):
    assert joint_effect(alone, interaction, together).word == word


def test_words_turn_with_the_sign_of_the_outcome():
    """The vocabulary knows no direction: minus the outcome has the same word."""
    turn = {"increases": "decreases", "decreases": "increases"}
    kinds = ["increases", "decreases", "negligible"]
    for one in kinds:
        for other in kinds:
            for beyond in kinds:
                for both in kinds:
                    found = joint_effect([one, other], beyond, both)
                    turned = joint_effect(
                        [turn.get(x, x) for x in (one, other)],
                        turn.get(beyond, beyond),
                        turn.get(both, both),
                    )
                    assert found.word == turned.word


def sigmoid(y):
    return 1 / (1 + np.exp(-y))


def test_a_pair_that_adds_up_before_a_sigmoid_says_that_its_synergy_is_of_the_scale():
    answer = pair(network(2, 2, 0, link=lambda y: sigmoid(y - 4)), rope=(-0.01, 0.01))
    sentence = answer.sentences[0]
    assert (
        "2 are synergistic (more than the sum of two positive effects), none of them with "
        "the same sign on every scale tried (as predicted, log of means, logit)"
        in sentence
    )
    assert any("All answers lie between 0 and 1" in said for said in answer.sentences)
    logit = answer.findings["scales"].sel(scale="logit")
    assert (abs(logit["ace"]) < 1e-6).all()


def test_a_synergy_on_every_scale_says_so():
    answer = pair(network(1, 1, 3, link=lambda y: sigmoid(y - 4)), rope=(-0.01, 0.01))
    assert ", each with the same sign on every scale tried (" in answer.sentences[0]


def test_answers_beyond_one_have_no_note():
    answer = pair(network(2, 2, 0))
    assert not any("between 0 and 1" in said for said in answer.sentences)


def test_scales_are_tried_on_departures_alone():
    assert scales_tried(None, {"a": {"b": 1.0}}) is None


def test_all_pairs_of_motifs_have_the_same_words_and_rows_of_single_sites():
    experiment = cg.experiments.motif_pairs(
        cg.Uniform(length=80),
        {"GATA": GATA, "KLF": KLF},
        distances=[20],
        n_units=300,
        rope=(-0.5, 0.5),
    )
    answer = experiment.analyze(
        cg.run(experiment, network(-4, -4, 3), rng=0, progress=False)
    )
    # two of each motif with itself, of which the network counts one
    assert (
        "4 are saturating (less than the sum of two negative effects)"
        in (answer.sentences[0])
    )
    asks = answer.decisions["asks"].to_numpy()
    assert [(asks == one).sum() for one in ("interaction", "first", "second")] == [
        16,
        4,
        4,
    ]
    assert answer.findings["strongest"].sizes["upstream"] == 4


def test_spacing_has_the_same_words():
    experiment = cg.experiments.spacing(
        cg.Uniform(length=80),
        GATA,
        KLF,
        distances=[12, 20],
        n_units=400,
        rope=(-0.5, 0.5),
    )
    answer = experiment.analyze(
        cg.run(experiment, network(-4, -4, 3), rng=0, progress=False)
    )
    assert (
        f"{GATA} and {KLF} are saturating at distances 12 and 20 (interaction 2.99 and 2.99: less "
        "than the sum of two negative effects); together they lower the outcome at 12 "
        "and 20; " in answer.sentences[0]
    )
    assert f"{GATA} alone decreases the outcome at all 3 places" in answer.sentences[0]
    assert f"{KLF} alone decreases the outcome at both places" in answer.sentences[0]
    assert "at no distance" not in answer.sentences[0]


def bound(x):
    return sigmoid(-7 + 3 * has(x, GATA) + 3 * x[:, 0].mean(axis=1))[:, None]


def test_the_change_from_none_to_all_copies_is_the_measured_one():
    experiment = cg.experiments.copies(
        cg.Uniform(length=160), GATA, at=[20, 50, 80, 110], n_units=200
    )
    predictor = cg.FunctionPredictor(bound, tasks=["bound"], scale="probability")
    answer = experiment.analyze(cg.run(experiment, predictor, rng=0, progress=False))
    measured = answer.decisions["ace"].sel(contrast="4 copies").item()
    line = answer.decisions["ace"].sel(contrast="linear trend").item()
    assert measured < 1 < line
    said = re.search(
        r"from none to 4 the outcome changes by ([\d.]+) \[", answer.sentences[0]
    )
    fitted = re.search(
        r"the line fitted to 0 to 4 copies changes by ([\d.]+) ", answer.details[0]
    )
    assert said is not None
    assert fitted is not None
    assert float(said[1]) == pytest.approx(measured, abs=1e-3)
    assert float(fitted[1]) == pytest.approx(line, abs=5e-3)
    assert any("between 0 and 1" in said for said in answer.sentences)


@pytest.mark.rotating(6)
@pytest.mark.parametrize(
    ("n", "sign", "power", "word"),
    [
        (2, 1, 1.0, "additive"),
        (4, -1, 1.0, "additive"),
        (2, -1, 0.5, "saturating"),
        (4, 1, 0.5, "saturating"),
        (3, -1, 2.0, "synergistic"),
        (4, 1, 2.0, "synergistic"),
    ],
)
def test_copies_are_named_whatever_their_direction(n, power, word, sign):
    def answers(x):
        y = sign * 2.0 * has(x, GATA) ** power + 0.3 * x[:, 0].mean(axis=1)
        return y[:, None]

    places = [10, 40, 70, 100][:n]
    experiment = cg.experiments.copies(
        cg.Uniform(length=120), GATA, at=places, n_units=400, rope=(-0.3, 0.3)
    )
    predictor = cg.FunctionPredictor(answers, tasks=["y"], scale="activity")
    answer = experiment.analyze(cg.run(experiment, predictor, rng=0, progress=False))
    assert f"Task y: {n} copies of {GATA} are {word}" in answer.sentences[0]
    assert f"judged by number they are {word}" in answer.details[0]
    alone = [f"alone at {place}" for place in places[1:]]
    assert set(alone) <= set(answer.decisions["contrast"].to_numpy().tolist())


def row(**more):
    return {
        "verdict": "undecided",
        "rope_lower": -0.1,
        "rope_upper": 0.1,
        "lower": 0.05,
        "upper": 0.15,
        "n_units": 400,
        "more_units": 489_600,
    } | more


def test_sequences_that_exist_once_cannot_be_drawn_again():
    said = verdict_in_words(row(), {"error": "fdr", "null_kind": "genomic"})
    assert said.endswith(
        "; about 490,000 such sequences would be needed, and there are 400"
    )
    drawn = verdict_in_words(row(), {"error": "fdr", "null_kind": "uniform"})
    assert drawn.endswith("; about 490,000 backgrounds would be needed")


def test_units_that_are_all_there_are_need_no_more():
    said = verdict_in_words(row(), {"error": "fdr", "target": "units"})
    assert said == "undecided relative to the ROPE ±0.1"


def test_one_unit_is_said_to_be_one():
    assert exact_in_words({"n_units": 1}, {}) == " (of one unit)"
    assert "no unit differs" in exact_in_words({"n_units": 1}, {"target": "units"})


def test_a_q_that_alone_withholds_a_verdict_stands_beside_it():
    """An interval beyond the region, or beyond 0 of a region that is a direction."""
    beyond = row(lower=0.2, upper=0.4, q=1.0, p_verdict=0.01)
    assert verdict_in_words(beyond, {"error": "fdr"}).endswith(
        "; its interval lies above, but q is 1"
    )
    direction = beyond | {"rope_lower": 0.0, "rope_upper": 0.0}
    assert verdict_in_words(direction, {"error": "fdr"}) == (
        "undecided in direction; its interval lies above, but q is 1"
    )


def test_a_control_that_is_the_arm_is_refused_by_name():
    """An A/A contrast of a crossover: 0 by construction, and no finding."""
    arms = {"none": cg.Untreated(), "same": cg.Embed(GATA, at=9)}
    with pytest.raises(cg.errors.DesignError, match="'same' and 'GATA' are the same"):
        cg.Design(
            null=cg.Uniform(length=40),
            arms=arms | {"GATA": cg.Embed(GATA, at=9)},
            n_units=400,
        )
