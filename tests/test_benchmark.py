# Imports from the inside: the area under a curve, against all pairs.
"""The benchmark of maps: the truth against enumeration, the scores against closed
forms, methods of known quality.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia.errors import PredictorError
from causalgia.sequences import encode
from causalgia.trial.design_notes import auroc
from causalgia.zoo import EndGC, MotifCount, Oracle, Pair, Saturating
from causalgia.zoo.arrangements import Hairpin
from causalgia.zoo.terms import Exponential, Gate, Hill, Slope

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from interpreted import interpretation as _interpretation
from interpreted.cases import Case, Site, cases as cases_of_the_zoo
from interpreted.interpretation import Interpretation, interpretation

# A, which none of these motifs has, so that an edit to A destroys and creates nothing
BLANK = 0
TERMS = {
    "motif": MotifCount("CGC", 2.0),
    "both strands": MotifCount("CCG", -1.0, "both"),
    "any base": MotifCount("CNG", 1.0),
    "palindrome": MotifCount("CG", 1.5, "both"),
    "gain with a zero": MotifCount("GC", 1.0, gain=Slope(0.25, center=4)),
    "and": Gate(("CCG", "GCC"), bonus=2.0, logic="and"),
    "or": Gate(("CCG", "GC"), bonus=2.0, logic="or"),
    "pair": Pair("CC", "GG", bonus=1.0, clash=-0.3, min_distance=3, decay=7.0, reach=6),
    "directed pair": Pair("CG", "GC", bonus=1.0, decay=5.0, direction="forward"),
    "pair of equals": Pair("CG", "CG", bonus=1.0, decay=5.0, reach=5, strand="both"),
    "hairpin": Hairpin("CC", bonus=1.0, stem=2, loop=(3, 4)),
    "hill": Saturating(
        (MotifCount("CG", 1.0), MotifCount("GG", -0.7)), Hill(top=4.0, half=1.0)
    ),
    "hill without activators": Saturating(
        (MotifCount("CG", -1.0),), Hill(top=4.0, half=1.0)
    ),
    "exponential": Saturating(
        (MotifCount("CG", 1.0), MotifCount("GG", -0.7)), Exponential(top=4.0, scale=1.0)
    ),
    "no weight": MotifCount("CG", 0.0),
}


def read_in_some_edit(oracle: Oracle, tokens: np.ndarray) -> np.ndarray:
    """Whether blanking a base changes the answer, alone or after blanking any other
    bases: all 2^length blocks.
    """
    length = len(tokens)
    blocks = np.array(list(product([False, True], repeat=length)))
    answers = oracle.predict(np.where(blocks, BLANK, tokens).astype(np.uint8))[
        :, 0
    ].reshape((2,) * length)
    return np.array([np.ptp(answers, axis=i).max() > 1e-9 for i in range(length)])


@pytest.mark.parametrize("name", TERMS)
def test_bases_that_terms_read_are_those_that_some_edit_shows(name):
    oracle, rng = Oracle(TERMS[name]), np.random.default_rng(0)
    tokens = rng.choice([0, 1, 2], p=[0.1, 0.45, 0.45], size=(60, 9)).astype(np.uint8)
    found = cg.zoo.read_by(oracle, tokens)
    assert found.dims == ("unit", "position", "task")
    expected = np.array([read_in_some_edit(oracle, row) for row in tokens])
    np.testing.assert_array_equal(found.to_numpy()[:, :, 0], expected)
    assert expected.any() == (name not in ("no weight", "hill without activators"))


def test_single_edits_see_what_is_read_but_where_sites_stand_in_for_each_other():
    both = encode(["TCTCTTTCAGATAAGGTCTCTTTCTCTCCCACACCCTCTTTCTC"])
    gate = cg.zoo.oracle("gated")
    read = cg.zoo.read_by(gate, both).isel(unit=0)
    sites = np.flatnonzero(read.sel(task="sum"))
    assert sites.tolist() == [*range(8, 16), *range(28, 36)]
    edited = np.repeat(both, 3 * both.shape[1], axis=0).reshape(both.shape[1], 3, -1)
    for i in range(both.shape[1]):
        edited[i, :, i] = (both[0, i] + np.arange(1, 4)) % 4
    changes = (
        np.abs(gate.predict(edited.reshape(-1, both.shape[1])) - gate.predict(both))
        .reshape(-1, 3, 3)
        .max(1)
    )
    np.testing.assert_array_equal(
        changes > 0, np.stack([read[:, 0], np.zeros(44, bool), read[:, 2]], axis=1)
    )
    # which a block of two sites shows
    assert read.sel(task="OR").equals(read.sel(task="sum").assign_coords(task="OR"))


def test_composition_is_read_at_every_letter_of_the_end():
    read = cg.zoo.read_by(
        Oracle(EndGC(1.0, last=3), MotifCount("GC", 1.0)),
        encode(["GCAAAAA", "TTTTTTT"]),
    )
    assert read.values[:, :, 0].astype(int).tolist() == [
        [1, 1, 0, 0, 1, 1, 1],
        [0, 0, 0, 0, 1, 1, 1],
    ]


def test_tasks_read_what_they_weigh():
    gata = encode(["A" * 60 + "CAAAGTCCA" + "A" * 60])
    read = cg.zoo.read_by(cg.zoo.oracle("gata1_like"), gata)
    assert read.sum("position").isel(unit=0).to_series().to_dict() == {
        "K562": 0,
        "HepG2": 9,
    }


# --- scores of maps ---


@pytest.mark.simulation
def test_ranks_are_those_of_all_pairs_and_all_orders_of_ties():
    rng = np.random.default_rng(1)
    for _ in range(30):
        scores, read = rng.integers(0, 4, 7).astype(float), np.zeros(7, dtype=bool)
        read[rng.permutation(7)[:3]] = True
        pairs = [
            (a > b) + (a == b) / 2 for a, b in product(scores[read], scores[~read])
        ]
        assert auroc(scores[~read], scores[read]) == pytest.approx(np.mean(pairs))
        shares = []
        for _ in range(4_000):
            order = np.lexsort((rng.random(7), -scores))
            shares.append(read[order[:3]].mean())
        assert _interpretation.precision_at_k(scores, read) == pytest.approx(
            np.mean(shares), abs=5 * 0.33 / 4_000**0.5
        )
        entered = [read[scores >= score].mean() for score in scores[read]]
        assert _interpretation.average_precision(scores, read) == pytest.approx(
            np.mean(entered)
        )


def test_calls_of_pure_noise_keep_the_nominal_rate():
    """Without signal any call is false: exchangeable scores make one in at most a tenth
    of maps.
    """
    rng, n = np.random.default_rng(2), 2_000
    any_called = [
        _interpretation.called(rng.random(40), rng.random(400), 0.1).any()
        for _ in range(n)
    ]
    assert np.mean(any_called) < 0.1 + 4 * (0.09 / n) ** 0.5
    assert np.mean(any_called) > 0.05  # and the rate is used


def test_rounding_does_not_decide_what_is_called() -> None:
    """Scores of few values, as of Shapley's permutations: those of some bases equal
    those of shuffles within 1e-9.
    """
    rng = np.random.default_rng(1)
    scores, null = (
        rng.integers(0, 5, 200) / 4 * (rng.random(200) < 0.4),
        rng.integers(0, 3, 400) / 4,
    )
    exact = _interpretation.called(scores, null, 0.1)
    assert exact.any()
    assert not exact.all()
    for _ in range(20):
        moved = scores + rng.normal(0, 1e-9, 200)
        assert (
            _interpretation.called(moved, null + rng.normal(0, 1e-9, 400), 0.1) == exact
        ).all()


def test_ratios_have_the_standard_error_of_repeated_samples():
    rng, found = np.random.default_rng(3), []
    for _ in range(2_000):
        below = rng.integers(1, 9, 50).astype(float)
        found.append(
            _interpretation.ratio_with_se(
                rng.binomial(below.astype(int), 0.3).astype(float), below
            )
        )
    ratios, ses = np.array(found).T
    assert ratios.std() == pytest.approx(ses.mean(), rel=0.08)
    assert _interpretation.ratio_with_se(np.zeros(3), np.zeros(3)) == (0.0, 0.0)


# --- methods of known quality ---


@pytest.fixture(scope="module")
def zoo():
    names = (
        "sum",
        "AND",
        "OR",
        "OR, one site",
        "saturating",
        "rbfox1_like, exponential",
    )
    return {
        case.name: case
        for case in cases_of_the_zoo(n_sequences=40)
        if case.name in names
    }


def values(found: Interpretation, case: str) -> dict[str, float]:
    return (
        found.table[found.table["case"] == case].set_index("score")["value"].to_dict()
    )


def ism(predictor, tokens):
    return cg.attribute(tokens, predictor, method="ism", progress=False)


@pytest.mark.torch
def test_the_truth_itself_has_the_best_scores(zoo):
    """Scores of the truth: the bonus of an open gate at every base that it reads."""
    gate = cg.zoo.oracle("gated")

    def truth(predictor, tokens):
        read = cg.zoo.read_by(gate, tokens).to_numpy()
        return (
            np.zeros(tokens.shape)
            if tokens.shape[1] != 60
            else read[:, :, gate.tasks.index(predictor.tasks[0])] * 1.0
        )

    found = interpretation(truth, cases=[zoo["sum"], zoo["AND"], zoo["OR"]])
    for name in ("sum", "AND", "OR"):
        got = values(found, name)
        assert [
            got[k] for k in ("auroc", "average_precision", "precision_at_k", "sign")
        ] == [1.0] * 4
        assert (got["fdp"], got["recall"], got["forwards"]) == (0.0, 1.0, 0.0)


@pytest.mark.torch
def test_scores_at_random_find_nothing(zoo):
    rng = np.random.default_rng(0)
    found = interpretation(
        lambda _, tokens: rng.normal(size=tokens.shape), cases=[zoo["sum"]]
    )
    got = found.table.set_index("score")
    for score, expected in {
        "auroc": 0.5,
        "precision_at_k": 16 / 60,
        "sign": 0.5,
        "attenuation": 0.0,
    }.items():
        assert abs(got.loc[score, "value"] - expected) < 4 * got.loc[score, "se"], score
    assert got.loc["recall", "value"] < 0.05


@pytest.mark.torch
def test_mutagenesis_has_its_closed_form_on_gates(zoo):
    found = interpretation(
        ism, cases=[zoo[name] for name in ("sum", "AND", "OR", "OR, one site")]
    )
    assert not found.refused
    for name in ("sum", "AND", "OR, one site"):
        assert values(found, name)["auroc"] == pytest.approx(1.0, abs=0.002)
        assert values(found, name)["attenuation"] == pytest.approx(1.0, abs=0.01)
    assert values(found, "OR")["auroc"] == pytest.approx(0.5)
    assert (values(found, "OR")["attenuation"], values(found, "OR")["sign"]) == (
        0.0,
        0.0,
    )
    assert values(found, "OR")["forwards"] == pytest.approx(181, abs=0.5)  # 3 x 60 + 1


@pytest.mark.torch
def test_an_array_by_substitution_is_read_as_the_dataset_is(zoo):
    def as_array(predictor, tokens):
        return ism(predictor, tokens)["score"].isel(task=0).to_numpy()

    one, other = (
        interpretation(m, cases=[zoo["saturating"]]).table for m in (ism, as_array)
    )
    pd.testing.assert_frame_equal(one, other)
    got = one.set_index("score")["value"]
    # Hill with top 8 and half 2: one of c copies changes 8 c / (2 + c) - 8 (c - 1) /
    # (1 + c), alone 8 / 3
    parts = [(8 * c / (2 + c) - 8 * (c - 1) / (1 + c)) / (8 / 3) for c in (1, 2, 3)]
    expected = np.average(parts, weights=[14 * 1, 13 * 2, 13 * 3])
    assert got["attenuation"] == pytest.approx(expected, abs=0.03)


@pytest.mark.simulation
@pytest.mark.torch
def test_retrainings_agree_as_their_maps_correlate(zoo):
    case = zoo["rbfox1_like, exponential"]
    found = interpretation(ism, cases=[case]).table
    rows = found[found["score"] == "agreement"]
    assert len(rows) == 10
    assert rows["value"].between(0.98, 1).all()
    first = found[(found["network"] == "member 0")].set_index("score")["value"]
    assert first["forwards"] == pytest.approx(124, abs=0.5)


@pytest.mark.torch
def test_interactions_of_words_are_compared_with_four_arms(zoo):
    def with_pairs(_, tokens):
        return np.zeros(tokens.shape), {
            ("GATAAGG", "GGGTGTGG"): (1.8, 0.1),
            ("CCCCCC", "GATAAGG"): (9.0, 1.0),
        }

    names = ("AND", "OR", "sum")
    found = interpretation(with_pairs, cases=[zoo[name] for name in names]).table
    errors = found[found["score"] == "interaction_error"].set_index("case")
    # true interactions 2, -2 and 0, relative to the largest effects 2, 2 and 1
    assert errors["value"].to_dict() == pytest.approx(
        {"AND": -0.1, "OR": 1.9, "sum": 1.8}
    )
    assert errors["se"].to_dict() == pytest.approx(
        {"AND": 0.05, "OR": 0.05, "sum": 0.1}
    )


@pytest.mark.torch
def test_a_method_that_refuses_says_so_and_others_are_judged(zoo):
    def some(predictor, tokens):
        if predictor.tasks == ("AND",):
            raise PredictorError("no rule for AND")
        return ism(predictor, tokens)

    found = interpretation(some, cases=[zoo["AND"], zoo["OR"]])
    assert found.refused == {("AND", "oracle"): "no rule for AND"}
    assert set(found.table["case"]) == {"OR"}


@pytest.mark.torch
def test_a_method_that_refuses_single_sites_has_no_attenuation(zoo):
    def on_gates(predictor, tokens):
        if predictor.tasks == ("outcome",):
            raise PredictorError("too few motifs")
        return ism(predictor, tokens)

    found = interpretation(on_gates, cases=[zoo["sum"]])
    assert found.refused == {("single sites", "oracle"): "too few motifs"}
    assert "attenuation" not in set(found.table["score"])


@pytest.mark.torch
def test_what_a_method_must_return(zoo):
    cases = [zoo["OR"]]
    with pytest.raises(PredictorError):
        interpretation(lambda p, x: np.zeros(3), cases=cases)
    with pytest.raises(PredictorError):
        interpretation(lambda p, x: np.full(x.shape, np.nan), cases=cases)
    for pair in (
        {("AGATAAGG", "CCACACCC"): (np.nan, 0.1)},
        {("AGATAAGG", "CCACACCC"): (2.0, -0.1)},
        {("GATA1", "CCACACCC"): (2.0, 0.1)},
    ):
        with pytest.raises(PredictorError):
            interpretation(
                lambda p, x, pair=pair: (np.zeros(x.shape), pair), cases=cases
            )


# --- cases of one's own ---


def own_case(**changed: object) -> Case:
    rng = np.random.default_rng(0)
    # no G, so that the motif is never there
    backgrounds = rng.choice([0, 1], size=(40, 30)).astype(np.uint8)
    sequences = backgrounds.copy()
    sequences[:, 10:17] = encode("GATGATT")
    net = Oracle(MotifCount("GATGATT", 2.0)).module()
    read = np.zeros(sequences.shape, dtype=bool)
    read[:, 10:17] = True
    options = {
        "backgrounds": backgrounds,
        "sequences": sequences,
        "read": read,
        "name": "own",
    }
    options["predictors"] = {"network": cg.TorchPredictor(net, device="cpu")}
    options["sites"] = tuple(Site(u, 10, 17, "GATGATT") for u in range(40))
    return Case(**options | changed)


@pytest.mark.torch
def test_a_case_of_ones_own_is_judged():
    got = values(interpretation(ism, cases=[own_case()]), "own")
    assert (got["auroc"], got["sign"]) == (1.0, 1.0)
    assert got["attenuation"] == pytest.approx(1.0, abs=0.01)


@pytest.mark.torch
def test_of_a_network_that_reads_nothing_only_false_discoveries_are_judged():
    empty = np.zeros((40, 30), dtype=bool)
    got = values(interpretation(ism, cases=[own_case(read=empty)]), "own")
    assert set(got) == {"fdp", "forwards"}
    assert got["fdp"] == 1.0


@pytest.mark.torch
@pytest.mark.parametrize(
    "changed",
    [
        {"read": np.zeros((40, 29), dtype=bool)},
        {"sites": (Site(0, 10, 17, "GATGATT"),)},
        {"sites": (Site(0, 28, 32, "GATA"),)},
    ],
)
def test_a_case_that_does_not_fit_together_is_refused(changed):
    with pytest.raises(PredictorError):
        own_case(**changed)
