# Imports from the inside: single checks, each against a fault whose answer is known.
"""Refutations: each check against cases whose answer is known, and planted faults."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.design.placebo_contrasts import other_orders
from causalgia.notes import Finding
from causalgia.refutation import Claim
from causalgia.refutation.claim import permutation_p, upper_tail
from causalgia.refutation.claim_limits import dose_reversal, other_null_models
from causalgia.refutation.null_shift import (
    auc_limits,
    classifier,
    kmer_composition,
    log_odds,
    mmd_test,
    prediction_range,
    reweighted_effect,
)
from causalgia.refutation.placebo_controls import (
    another_control,
    identical_arms,
    positive_control,
)
from causalgia.refutation.predictor_faults import (
    numerical_floor,
    predictor_disagreement,
    randomized_weights,
    strand,
)
from causalgia.refutation.unit_faults import (
    balance,
    degenerate_draws,
    junction_sites,
    subset_of_units,
)
from causalgia.schema import validate
from causalgia.sequences import encode
from causalgia.tell.checks import said
from causalgia.trial.design_notes import auroc
from causalgia.zoo import MotifCount, Oracle

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from validation.refutations import FAULTS, FINDS

WORD, AT = "UGCAUG", 17


def design(
    n_units: int = 300, null: cg.design.NullModel | None = None, control=None, **options
) -> cg.Design:
    arms = {"control": control or cg.Placebo(WORD, at=AT), WORD: cg.Embed(WORD, at=AT)}
    return cg.Design(
        null=null or cg.Uniform(length=41),
        arms=arms,
        n_units=n_units,
        contrasts="control",
        **options,
    )


def claim_of(trial: cg.Design, predictor, *, rng: int = 1, **choices) -> Claim:
    return Claim(
        cg.run(trial, predictor, rng=0, progress=False), predictor, rng=rng, **choices
    )


def status(found: xr.Dataset, check: str) -> str:
    return str(found["status"].sel(check=check).item())


# --- the whole


def test_a_sound_trial_is_not_refuted_and_its_predictions_are_counted():
    oracle = cg.zoo.oracle("additive")
    trial = design(400)
    found = cg.refute(cg.run(trial, oracle, rng=0), oracle, rng=1)
    assert validate(found, "refutations").sizes["check"] >= 10
    assert not (found["status"] == "fail").any()
    n, of_placebos = found["n_predictions"], 21 * 300
    assert n.sum() == found.attrs["n_predictions"] <= of_placebos + 800
    assert n.max() == of_placebos
    assert found.attrs["budget"] == 800
    listed = {line.split(":")[0] for line in found.attrs["not_applicable"].splitlines()}
    assert {"balance", "predictor disagreement"} <= listed
    names = {
        name.replace("_", " ").replace("kmer", "k-mer")
        for name in cg.refutation._refute.CHECKS
    }
    done = set(found["check"].values) | listed
    assert names <= done | {"numerical floor"}, names - done


def test_a_design_is_run_first_and_a_refutation_repeats_to_the_bit():
    oracle = cg.zoo.oracle("additive")
    one, other = (
        cg.refute(design(200), oracle, rng=3, checks="beyond_placebos")
        for _ in range(2)
    )
    xr.testing.assert_identical(one, other)


def test_each_check_alone_gives_the_rows_that_refute_gives():
    oracle = cg.zoo.oracle("additive")
    outcomes = cg.run(design(200), oracle, rng=0)
    both = cg.refute(
        outcomes, oracle, rng=1, checks=["subset_of_units", "degenerate_draws"]
    )
    assert both["check"].values.tolist() == ["subset of units", "degenerate draws"]
    alone = degenerate_draws(Claim(outcomes, oracle, rng=9))
    assert (
        alone["value"].item()
        == both["value"].sel(check="degenerate draws").item()
        == 1.0
    )


def test_rows_of_many_checks_are_in_the_order_of_their_status():
    status = ["pass"] * 20 + ["warn"] * 5 + ["fail"] * 4
    columns = {
        "value": 0.2,
        "threshold": 0.05,
        "figure": "転" * 70,
        "reason": "because",
    }
    columns |= {"cure": "", "n_predictions": 0}
    found = xr.Dataset(
        {name: ("check", [x] * len(status)) for name, x in columns.items()},
        {"check": [f"check {i}" for i in range(len(status))]},
        {"claims": json.dumps([f"{'G' * 200} on K562", "B on K562", "C on K562"])},
    ).assign(status=("check", status))
    text = cg.report(found)
    lines = text.split("\n\n")[1].splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == ["fail"] * 4 + ["warn"] * 5 + [
        "pass"
    ] * 20


# --- arithmetic of the parts


def test_the_permutation_test_agrees_with_all_permutations():
    from itertools import combinations

    rng = np.random.default_rng(0)
    x = rng.exponential(size=(9, 1)) + np.r_[np.zeros(4), np.full(5, 1.2)][:, None]
    gap = abs(x[:4].mean() - x[4:].mean())
    every = [
        abs(x[list(c)].mean() - np.delete(x, c).mean()) >= gap - 1e-12
        for c in combinations(range(9), 4)
    ]
    exact = float(np.mean(every))
    p, column = permutation_p(x[:4], x[4:], key=1, n_draws=20_000)
    assert column == 0
    assert abs(p - exact) < 4 * np.sqrt(exact * (1 - exact) / 20_000) + 1e-4


@pytest.mark.simulation
def test_permutation_p_are_uniform_where_rows_are_exchangeable():
    rng = np.random.default_rng(5)
    p = [
        permutation_p(
            *np.split(rng.exponential(size=(50, 2)) ** 2, [10]), key=k, n_draws=199
        )[0]
        for k in range(300)
    ]
    for level in (0.05, 0.2, 0.5):
        n = int(np.sum(np.array(p) <= level))
        assert stats.binom.cdf(n, 300, level) > 5e-4
        assert stats.binom.sf(n - 1, 300, level) > 5e-4


def test_tails_without_error_are_certain():
    assert upper_tail(1e-9, 0.0, 3.0) == 0.0
    assert upper_tail(-1.0, 0.0, 3.0) == 1.0
    assert upper_tail(2.0, 1.0, 10.0) == pytest.approx(stats.t.sf(2.0, 10.0))


def test_log_odds_are_those_of_the_penalized_likelihood():
    rng = np.random.default_rng(2)
    x, y = (
        rng.normal(size=(80, 3)) * [1, 5, 0.1] + [0, 2, 1],
        rng.integers(0, 2, 80).astype(float),
    )
    z = np.c_[np.ones(80), (x - x.mean(axis=0)) / x.std(axis=0)]
    beta = np.zeros(4)
    for _ in range(50):  # Newton's method
        p = 1 / (1 + np.exp(-z @ beta))
        hessian = z.T @ (z * (p * (1 - p))[:, None]) + np.diag([0, 1, 1, 1])
        beta -= np.linalg.solve(hessian, z.T @ (p - y) + np.r_[0, beta[1:]])
    np.testing.assert_allclose(log_odds(x, y, x), z @ beta, atol=2e-4)


def test_limits_of_an_area_cover_it():
    rng, theta = np.random.default_rng(3), stats.norm.cdf(1.5 / np.sqrt(2))
    hits = []
    for _ in range(400):
        area = auroc(rng.normal(size=40), rng.normal(1.5, 1, size=30))
        low, high = auc_limits(area, 40, 30, alpha=0.05)
        assert low < area <= high
        hits.append(low <= theta <= high)
    assert stats.binom.cdf(sum(hits), 400, 0.95) > 5e-4


@pytest.mark.simulation
def test_the_discrepancy_is_that_of_its_definition_and_its_p_is_uniform():
    rng = np.random.default_rng(4)
    x, second = rng.normal(size=(12, 2)), np.repeat([0.0, 1.0], [5, 7])
    squared = ((x[:, None] - x) ** 2).sum(axis=2)
    kernel = np.exp(-squared / np.median(squared[np.triu_indices(12, 1)]))
    expected = kernel[:5, :5].mean() + kernel[5:, 5:].mean() - 2 * kernel[:5, 5:].mean()
    assert mmd_test(x, second, key=0)[0] == pytest.approx(expected)
    p = np.array(
        [
            mmd_test(rng.normal(size=(30, 2)), np.repeat([0.0, 1.0], [10, 20]), key=k)[
                1
            ]
            for k in range(200)
        ]
    )
    for level in (0.05, 0.25, 0.5):
        n = int((p <= level).sum())
        assert stats.binom.cdf(n, 200, level) > 5e-4
        assert stats.binom.sf(n - 1, 200, level) > 5e-4


def test_real_sequences_of_the_null_model_are_not_told_from_its_units():
    real = cg.sequences.decode(
        cg.Uniform(length=41).sample(120, rng=8)["sequence"].values
    )
    oracle = cg.zoo.oracle("rbfox1_like")
    claim = claim_of(design(300), oracle, real=real)
    for check in (
        classifier,
        prediction_range,
        reweighted_effect,
    ):
        assert check(claim)["status"].item() == "pass"
    rich = [
        "".join(row)
        for row in np.random.default_rng(0).choice(
            list("ACGT"), (120, 41), p=[0.03, 0.47, 0.47, 0.03]
        )
    ]
    shifted = claim_of(design(300), oracle, real=rich)
    assert classifier(shifted)["status"].item() == "fail"
    assert kmer_composition(shifted)["status"].item() == "warn"
    # too few effective units to tell
    assert reweighted_effect(shifted)["status"].item() == "warn"


def test_an_effect_that_depends_on_the_null_model_is_found():
    """The motif acts beside CG alone, which backgrounds of A and T have not."""
    real = [
        "".join(row)
        for row in np.random.default_rng(1).choice(
            list("ACGT"), (80, 41), p=[0.49, 0.01, 0.01, 0.49]
        )
    ]

    def signed(one_hot: np.ndarray) -> np.ndarray:
        word = cg.zoo.Oracle(MotifCount("TGCATG", 1.0)).predict(
            one_hot.argmax(axis=1).astype(np.uint8)
        )[:, 0]
        return word * (2 * (one_hot[:, 1:3].mean(axis=(1, 2)) * 2 > 0.35) - 1)

    predictor = cg.FunctionPredictor(signed, tasks=["a"], fingerprint="signed")
    found = other_null_models(claim_of(design(300), predictor, real=real))
    assert status(found, "other null models") == "fail"


def test_a_dose_that_goes_back_is_found():
    sites = [
        cg.Arm(
            f"{k} sites",
            sum((cg.Embed(WORD, at=9 * i + 2) for i in range(k)), cg.Untreated()),
            {"sites": k},
        )
        for k in range(4)
    ]
    trial = cg.Design(
        null=cg.Uniform(length=50), arms=sites, n_units=200, contrasts="0 sites"
    )
    outcomes = cg.run(trial, cg.zoo.oracle("additive"), rng=0)
    assert status(dose_reversal(Claim(outcomes, rng=1)), "dose reversal") == "pass"
    back = outcomes.copy(deep=True)
    back["outcome"][:, 2] -= 7.0
    assert status(dose_reversal(Claim(back, rng=1)), "dose reversal") == "fail"


# --- single checks


def test_a_control_that_carries_the_word_is_found_although_it_hides_the_effect():
    found = another_control(
        claim_of(design(control=cg.Embed(WORD, at=5)), cg.zoo.oracle("additive"))
    )
    assert status(found, "another control") == "fail"
    assert found["value"].item() == pytest.approx(1.0, abs=0.1)


def test_a_word_that_the_predictor_must_know_is_found_or_missed():
    oracle = cg.zoo.oracle("additive")
    assert (
        status(
            positive_control(claim_of(design(), oracle, positive="AGAAUG")),
            "positive control",
        )
        == "pass"
    )
    deaf = positive_control(claim_of(design(), oracle, positive="CCAUUG"))
    assert status(deaf, "positive control") == "fail"


def test_units_of_another_null_model_are_not_those_of_the_control():
    oracle = Oracle(MotifCount("CG", 1.0))
    outcomes = cg.run(design(), oracle, rng=0)
    shifted = outcomes.assign(outcome=outcomes["outcome"] + 0.8)
    assert (
        status(
            identical_arms(Claim(outcomes, oracle, rng=1)),
            "identical arms",
        )
        == "pass"
    )
    assert (
        status(
            identical_arms(Claim(shifted, oracle, rng=1)),
            "identical arms",
        )
        == "fail"
    )


def test_a_predictor_that_changes_on_the_way_is_found_by_halves_of_the_units():
    oracle = cg.zoo.oracle("additive")
    outcomes = cg.run(design(), oracle, rng=0)
    drift = outcomes.copy(deep=True)
    drift["outcome"][150:, 1] += 1.5
    assert status(subset_of_units(Claim(outcomes, rng=1)), "subset of units") == "pass"
    assert status(subset_of_units(Claim(drift, rng=1)), "subset of units") == "fail"


def parallel_table(
    rng: np.random.Generator, n: int = 120, later: float = 0.0, arms: int = 3
) -> xr.Dataset:
    """A parallel trial of normal outcomes with effects 0, 1, 2, in whose second half
    all arms but the first differ.
    """
    assigned = rng.permuted(np.arange(n) % arms)
    y = (
        assigned
        + rng.normal(size=n)
        + later * (assigned > 0) * (np.arange(n) >= n // 2)
    )
    table = pd.DataFrame(
        {"unit": np.arange(n), "arm": [f"arm {a}" for a in assigned], "y": y}
    )
    return cg.from_frame(table, unit="unit", arm="arm", outcome="y")


@pytest.mark.simulation
def test_halves_of_a_parallel_trial_agree_within_error_and_differ_where_the_predictor_changed():
    rng = np.random.default_rng(8)
    sound = [Claim(parallel_table(rng), rng=1, control="arm 0") for _ in range(200)]
    p = np.array([subset_of_units(one)["value"].item() for one in sound])
    assert 1 <= (p <= 0.05).sum() <= 21  # of 200 at 5 %, 4 standard errors
    changed = [
        Claim(parallel_table(rng, later=2.0), rng=1, control="arm 0") for _ in range(5)
    ]
    assert {subset_of_units(one)["status"].item() for one in changed} == {"fail"}


def test_a_predictor_that_changes_on_the_way_is_found_where_each_parent_has_many_units():
    parents = cg.sequences.decode(
        cg.Uniform(length=41).sample(40, rng=9)["sequence"].values
    )
    outcomes = cg.run(
        design(400, cg.DinucleotideShuffle(of=parents)),
        cg.zoo.oracle("additive"),
        rng=0,
    )
    drift = outcomes.copy(deep=True)
    drift["outcome"][200:, 1] += 1.5
    assert status(subset_of_units(Claim(outcomes, rng=1)), "subset of units") == "pass"
    assert status(subset_of_units(Claim(drift, rng=1)), "subset of units") == "fail"


def test_half_of_a_parallel_trial_with_few_units_of_an_arm_is_not_compared():
    claim = Claim(
        parallel_table(np.random.default_rng(0), n=45), rng=1, control="arm 0"
    )
    found = subset_of_units(claim)
    assert found.sizes["check"] == 0


def test_an_effect_of_a_junction_is_found_in_a_parallel_trial():
    # a G before it makes GAUU
    arms = {"control": cg.Embed("CUUA", at=AT), "motif": cg.Embed("AUUA", at=AT)}
    trial = cg.Design(
        null=cg.Uniform(length=41),
        arms=arms,
        n_units=900,
        contrasts="control",
        assignment="parallel",
    )
    found = junction_sites(
        claim_of(trial, Oracle(MotifCount("GAUU", 1.0)), motifs=["GAUU"])
    )
    assert status(found, "junction sites") == "fail"
    assert found["value"].item() == pytest.approx(1.0, abs=0.25)


def test_placebo_words_are_no_sites_that_the_predictor_reads():
    arms = {"control": cg.Placebo(WORD, at=AT), WORD: cg.Embed(WORD, at=AT)}
    shares = [
        junction_sites(
            claim_of(
                cg.Design(
                    null=cg.Uniform(length=41),
                    arms=arms | more,
                    n_units=200,
                    contrasts="control",
                ),
                cg.zoo.oracle("additive"),
            )
        )["reason"].item()
        for more in ({}, cg.placebos("ACUC", at=AT, n_placebos=8))
    ]
    assert shares[0] == shares[1]


def test_copies_that_are_one_parent_are_not_counted_as_repeated_draws():
    sequences = cg.sequences.decode(
        cg.Uniform(length=41).sample(240, rng=9)["sequence"].values
    )
    copied = cg.Genomic(of=[*sequences, *sequences[:80]])
    found = degenerate_draws(claim_of(design(320, copied), cg.zoo.oracle("additive")))
    assert found["value"].item() == 1.0


def test_arms_of_unlike_backgrounds_are_out_of_balance():
    oracle = cg.zoo.oracle("additive")
    outcomes = cg.run(design(assignment="parallel"), oracle, rng=0)
    assert status(balance(Claim(outcomes, oracle, rng=1)), "balance") == "pass"
    moved = outcomes["gc"] + 0.2 * (outcomes["assigned"] == WORD)
    found = balance(Claim(outcomes.assign_coords(gc=moved), rng=1))
    assert status(found, "balance") == "fail"


def test_stored_outcomes_of_another_state_of_the_predictor_are_found():
    oracle = cg.zoo.oracle("additive")
    outcomes = cg.run(design(), oracle, rng=0)
    noise = np.random.default_rng(0).normal(0, 0.3, outcomes["outcome"].shape)
    found = numerical_floor(
        Claim(outcomes.assign(outcome=outcomes["outcome"] + noise), oracle, rng=1)
    )
    assert status(found, "same answers") == "fail"


def test_members_of_opposite_signs_disagree():
    up, down, other = (Oracle(MotifCount(WORD, effect)) for effect in (1.0, -3.0, -2.0))
    both = cg.Ensemble({"a": up, "b": down, "c": other}, differ_by="architectures")
    found = predictor_disagreement(claim_of(design(), both))
    assert status(found, "predictor disagreement") == "fail"
    assert found["value"].item() == pytest.approx(2 / 3)


def test_a_predictor_of_both_strands_passes_on_the_other_strand():
    arms = {"control": cg.Placebo("TGACTCA", at=90), "AP-1": cg.Embed("TGACTCA", at=90)}
    trial = cg.Design(
        null=cg.Uniform(length=200), arms=arms, n_units=200, contrasts="control"
    )
    assert (
        status(strand(claim_of(trial, cg.zoo.oracle("gata1_like"))), "strand") == "pass"
    )
    assert (
        status(
            strand(claim_of(design(), cg.zoo.oracle("additive"))),
            "strand",
        )
        == "warn"
    )


@pytest.mark.torch
def test_a_network_without_training_is_like_its_copies():
    torch = pytest.importorskip("torch")
    network = cg.zoo.load("rbfox1_like", member=0)
    assert (
        status(
            randomized_weights(claim_of(design(200), network)),
            "randomized weights",
        )
        == "pass"
    )
    torch.manual_seed(1)
    body = torch.nn.Sequential(
        torch.nn.Conv1d(4, 8, 7),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(8 * 35, 1),
    )
    arms = {"control": cg.Placebo(WORD, at=AT), WORD: cg.Embed(WORD, at=AT)}
    trial = cg.Design(
        null=cg.Uniform(length=41), arms=arms, n_units=600, contrasts="control"
    )
    fresh = [
        randomized_weights(
            claim_of(trial, cg.TorchPredictor(body.eval(), tasks=["a"]), rng=seed)
        )
        for seed in range(3)
    ]
    assert not all(status(found, "randomized weights") == "pass" for found in fresh)


# --- bad input


def test_a_table_without_predictor_has_the_checks_that_predict_nothing():
    frame = (
        cg.run(design(60), cg.zoo.oracle("additive"), rng=0)["outcome"]
        .to_dataframe()
        .reset_index()
    )
    outcomes = cg.from_frame(
        frame[["unit", "arm", "outcome"]], outcome="outcome", arm="arm", unit="unit"
    )
    found = cg.refute(outcomes, None, rng=0, control="control")
    assert found["check"].values.tolist() == ["degenerate draws", "subset of units"]
    # a predictor of few values, and no sequences to tell by
    assert status(found, "degenerate draws") == "warn"


# --- planted faults, and real networks


@pytest.mark.simulation
@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_found(fault):
    if fault == "half-trained weights":
        pytest.importorskip("torch")
    found = FAULTS[fault](np.random.default_rng(11))
    assert status(found, FINDS[fault]) == "fail"
    assert found["cure"].sel(check=FINDS[fault]).item()


def test_shuffles_that_predict_what_some_sequences_do_are_in_their_range():
    """Of the 100 sequences that are compared 3 lack the site, as shuffles do: the middle
    95 % has them.
    """
    rows = cg.Uniform(length=60).sample(1_000, rng=5)["sequence"].values
    for row in rows[40:]:
        row[20:28] = encode(["TGACTCAT"])[0]
    oracle = cg.zoo.Oracle(
        cg.zoo.MotifCount("TGACTCAT", 1.0), tasks=["y"], scale="log counts"
    )
    trial = cg.Design(
        null=cg.DinucleotideShuffle(of=rows),
        arms={"control": cg.Untreated(), "AP-1": cg.Embed("TGACTCAT", at=20)},
        n_units=1_000,
        contrasts="control",
    )
    assert (
        status(prediction_range(claim_of(trial, oracle)), "prediction range") == "pass"
    )


@pytest.mark.real
@pytest.mark.torch
def test_shuffles_and_real_enhancers_do_not_overlap_in_a_real_network(shared):
    """Untreated shuffles of ten fly enhancers have -.5 to .2, and the enhancers 5.0
    with an sd of 1.2.
    """
    folder = shared / "data/models/deepstarr"
    predictor = cg.load_predictor(
        f"{folder / 'arch.py'}:load",
        weights=folder / "model.safetensors",
        tasks=["dev", "hk"],
        scale="log2 enrichment",
        announce=None,
    )
    enhancers = str(shared / "data/sequences/fly_249/enhancers.fasta.gz")
    arms = {
        "control": cg.Placebo("ATGACTCAT", at=100),
        "AP-1": cg.Embed("ATGACTCAT", at=100),
    }
    trial = cg.Design(
        null=cg.DinucleotideShuffle(of=enhancers),
        arms=arms,
        n_units=100,
        contrasts="control",
    )
    found = prediction_range(claim_of(trial, predictor))
    assert status(found, "prediction range") == "fail"


def test_needed_predictions_are_those_of_few_units():
    oracle = cg.zoo.oracle("additive")
    few = claim_of(design(5), oracle)
    assert cg.refutation.predictions_needed(few)["strand"] == 20
    assert int(strand(few)["n_predictions"].sum()) == 20
    real = cg.sequences.decode(
        cg.Uniform(length=41).sample(5, rng=5)["sequence"].values
    )
    arms = {
        "control": cg.Placebo(WORD, at=AT),
        WORD: cg.Embed(WORD, at=AT),
        "AGAAUG": cg.Embed("AGAAUG", at=AT),
    }
    trial = cg.Design(
        null=cg.Genomic(of=real), arms=arms, n_units=5, contrasts="control"
    )
    genomic = claim_of(trial, oracle, positive=WORD)
    needed = cg.refutation.predictions_needed(genomic)
    assert needed["positive_control"] == 5 * 20
    for name in ("beyond_placebos", "positive_control", "strand"):
        assert (
            int(cg.refutation.CHECKS[name](genomic)["n_predictions"].sum())
            == needed[name]
        )


# --- placebos of a contrast


def both(x: np.ndarray, *words: str) -> np.ndarray:
    """How often the words stand in the sequences, on either strand."""
    tokens, found = np.asarray(x).argmax(1), 0
    for word in words:
        for read in {word, word[::-1].translate(str.maketrans("ACGT", "TGCA"))}:
            letters = cg.sequences.encode([read])[0]
            seen = np.lib.stride_tricks.sliding_window_view(tokens, len(read), axis=1)
            found = found + (seen == letters).all(axis=2).sum(axis=1)
    return np.asarray(found)


def noise(x: np.ndarray) -> np.ndarray:
    """A normal number for each sequence."""
    odd = np.random.default_rng(1).integers(1, 2**63, (4, x.shape[2]), dtype=np.uint64)
    bits = (np.asarray(x, np.uint64) * odd).sum(axis=(1, 2), dtype=np.uint64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    return stats.norm.ppf(((bits >> np.uint64(11)).astype(float) + 0.5) / 2**53)


def of_law(law, arms, *, contrasts="control", null=None, n_units=300) -> xr.Dataset:
    """What the checks against placebos say of a claim about a network that is `law`."""
    network = cg.FunctionPredictor(
        lambda x: np.asarray(law(np.asarray(x, float)), float)[:, None],
        tasks=["t"],
        scale="x",
    )
    trial = cg.Design(
        null=null or cg.Uniform(length=80),
        arms=arms,
        n_units=n_units,
        contrasts=contrasts,
    )
    outcomes = cg.run(trial, network, rng=1, progress=False)
    return cg.refute(outcomes, network, rng=2, checks="beyond_placebos")


GATA = {"control": cg.Untreated(), "GATA": cg.Embed("AGATAAG", at=38)}
TRUE = {
    "multiplicative": lambda x: np.exp(
        2 * both(x, "AGATAAG") + x[:, 1:3].mean((1, 2)) + 0.5 * noise(x)
    ),
    "noisy": lambda x: 1.5 * both(x, "AGATAAG") + noise(x),
    "saturating": lambda x: np.tanh(
        2 * both(x, "AGATAAG") + 2 * both(x, "CACGTG") + 0.3 * noise(x)
    ),
}
FALSE = {
    "G and C": lambda x: 20 * x[:, 1:3].mean((1, 2)) + 0.3 * noise(x),
    "A": lambda x: 80 * x[:, 0].mean(1) / 4 + 0.3 * noise(x),
    "two bases": lambda x: 5 * (x[:, 0, 40] + x[:, 2, 41]) + 0.3 * noise(x),
    "a word of two": lambda x: both(x, "AT") / 2 + 0.3 * noise(x),
}


@pytest.mark.parametrize("law", TRUE)
def test_a_motif_that_acts_is_beyond_its_placebos(law: str) -> None:
    found = of_law(TRUE[law], GATA)
    assert found["status"].values.tolist() == ["pass", "pass"]


@pytest.mark.parametrize("law", FALSE)
def test_letters_that_act_in_any_order_are_no_motif(law: str) -> None:
    assert "fail" in of_law(FALSE[law], GATA)["status"].values


def test_half_of_an_effect_that_is_of_its_letters_is_said() -> None:
    """2 A more than 7 random bases have do half, the order the other half."""

    def law(x: np.ndarray) -> np.ndarray:
        return both(x, "AGATAAG") + x[:, 0, 38:45].sum(1) * 4 / 9

    found = of_law(law, GATA)
    assert found["value"].sel(check="specific share").item() == pytest.approx(
        0.5, abs=0.03
    )


FIRST, SECOND = "CCGGAAGT", "TTAATTGC"
CROSSED = {
    "none": cg.Untreated(),
    "A": cg.Embed(FIRST, at=20),
    "B": cg.Embed(SECOND, at=32),
    "AB": cg.Embed(FIRST, at=20) + cg.Embed(SECOND, at=32),
}
INTERACTION = {"rule": {"AB": 1.0, "A": -1.0, "B": -1.0, "none": 1.0}}


def in_poor_flanks(x: np.ndarray) -> np.ndarray:
    """The second motif, as far as the bases around it are A and T."""
    gc = x[:, 1:3, 12:52].sum((1, 2)) - x[:, 1:3, 32:40].sum((1, 2))
    return both(x, SECOND) / (1 + np.exp((gc / 32 - 0.5) / 0.06)) + 0.05 * noise(x)


def test_letters_that_stand_for_several_bases_have_placebos_too() -> None:
    """Of two networks, one reads TGACTCA and TGAGTCA, the other their G and C alone."""
    arms = {"none": cg.Untreated(), "TGASTCA": cg.Embed("TGASTCA", at=20)}
    design = cg.Design(
        null=cg.Uniform(length=50), arms=arms, n_units=200, contrasts="none"
    )

    def sites(x: list[str]) -> np.ndarray:
        return np.array([[one.count("TGACTCA") + one.count("TGAGTCA")] for one in x])

    def strong(x: list[str]) -> np.ndarray:
        return -np.array([[one.count("G") + one.count("C")] for one in x])

    ends = []
    for read in (sites, strong):
        predictor = cg.FunctionPredictor(read, tasks=["y"], scale="a", layout="strings")
        found = cg.refute(
            cg.run(design, predictor, rng=0, progress=False),
            predictor,
            rng=1,
            checks="beyond_placebos",
        )
        ends.append(found["status"].values[0])
    assert ends == ["pass", "fail"]


def test_an_interaction_that_any_order_of_a_partner_has_is_no_rule() -> None:
    found = of_law(in_poor_flanks, CROSSED, contrasts=INTERACTION)
    assert found["status"].values[0] != "pass"
    assert found["status"].values[1] == "fail"
    assert FIRST in found["reason"].values[0]
    rule = of_law(
        lambda x: both(x, FIRST) * (both(x, SECOND) > 0) + 0.3 * noise(x),
        CROSSED,
        contrasts=INTERACTION,
    )
    assert rule["status"].values.tolist() == ["pass", "pass"]


def test_helpers_are_no_claims() -> None:
    trial = cg.experiments.motif(cg.Uniform(length=80), FIRST, n_units=60)
    network = cg.FunctionPredictor(lambda x: both(x, FIRST)[:, None] * 1.0, tasks=["t"])
    claim = Claim(cg.run(trial, network, rng=0, progress=False), None, rng=0)
    asked = claim.estimates["of_question"]
    assert not asked.all()
    claimed = [name for name, _ in claim.effects_claimed]
    assert claimed
    assert asked.sel(contrast=claimed).all()


@pytest.mark.parametrize(
    ("arm", "why"),
    [
        (cg.Embed("AAAAAAA", at=38), "other orders"),
        (cg.Delete((38, 45)), "no written motif"),
    ],
    ids=["poly-A", "a deletion"],
)
def test_what_has_no_placebo_is_said(arm: cg.design.Intervention, why: str) -> None:
    found = of_law(
        lambda x: x[:, 0].sum(1), {"control": cg.Untreated(), "arm": arm}, n_units=60
    )
    assert not found.sizes["check"]
    assert why in found.attrs["not_applicable"]


def test_orders_have_as_many_cg_and_hold_no_site_of_the_other_motif() -> None:
    motif, other = cg.Embed("CCGGAAGT", at=0).written, cg.Embed("GGAA", at=0).written
    words = other_orders(motif, 10_000, beside=[other])
    assert len(set(words)) == len(words) > 100
    for word in words:
        assert sorted(word) == sorted("CCGGAAGT")
        assert word.count("CG") == 1
        assert not any(held in word for held in ("GGAA", "TTCC", "CCGGAAG"))
    assert other_orders(motif, 19) == other_orders(motif, 25)[:19]


def test_a_share_just_below_none_prints_as_none():
    values = {"share": -0.003, "p": 0.5, "effect": "effect"}
    found = Finding("specific share", "fail", -0.003, 0.5, values)
    assert said(found).text.startswith("100 %")


def test_p_values_below_one_in_ten_thousand_are_printed_as_such():
    columns = {
        "value": 3.2e-41,
        "threshold": 0.0025,
        "status": "fail",
        "figure": "p-value of a difference",
        "n_predictions": 0,
    }
    columns |= {"reason": "", "cure": ""}
    found = xr.Dataset(
        {name: ("check", [x]) for name, x in columns.items()}, {"check": ["balance"]}
    )
    assert "<1e-4" in cg.report(found)
    sd = found.assign(figure=("check", ["difference between answers, in sd"]))
    assert "3.2e-41" in cg.report(sd)


def test_the_p_of_a_share_is_printed_as_such():
    oracle = cg.zoo.oracle("additive")
    found = cg.refute(
        design(200, control=cg.Embed(WORD, at=5)),
        oracle,
        rng=3,
        checks="another_control",
    )
    assert found["reason"].item().endswith("<1e-4)")


def test_a_claim_about_one_task_of_several_is_that_of_the_task_alone() -> None:
    network = cg.FunctionPredictor(
        lambda x: np.stack([x[:, 3].sum(1), 1.0 * both(x, "AGATAAG")], 1),
        tasks=["t", "gata"],
        scale="x",
    )
    trial = cg.Design(
        null=cg.Uniform(length=80), arms=GATA, n_units=60, contrasts="control"
    )
    outcomes = cg.run(trial, network, rng=1, progress=False).sel(task=["gata"])
    found = cg.refute(outcomes, network, rng=2)
    assert json.loads(found.attrs["claims"]) == ["GATA in gata"]
    assert not (found["status"] == "fail").any()
    assert found["value"].sel(check="strand").item() == pytest.approx(1)
