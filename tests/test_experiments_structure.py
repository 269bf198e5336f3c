"""Structure, composition, many predictors and many null models: known effects come out,
and nulls stay null.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from catalogue_truth import assert_estimates, assert_recovers

import causalgia as cg
from causalgia.errors import (
    DataError,
    EstimateError,
)
from causalgia.experiments import (
    across_predictors,
    agreement,
    copies,
    hairpin,
    null_models,
    position,
    share_of_predictors,
)
from causalgia.sequences import decode
from causalgia.zoo import EndGC, MotifCount, Oracle
from causalgia.zoo.terms import Gate

RNA = cg.Uniform(length=41)


def fold_of(
    null: cg.design.NullModel | None = None, motif: str = "GCUGG", **settings: Any
) -> cg.experiments.Experiment:
    return hairpin(null or cg.Uniform(length=41), motif, **settings)


def at_the_ends(letters: str = "GCGCGC", **settings: Any) -> cg.experiments.Experiment:
    return position(cg.Uniform(length=41), letters, at=(2, 34), **settings)


RC = str.maketrans("ACGT", "TGCA")
VTS1 = cg.zoo.oracle("vts1_like")


def rc(word: str) -> str:
    return word.translate(RC)[::-1]


def arm_sequences(
    experiment: cg.experiments.Experiment, n: int = 20
) -> dict[str, list[str]]:
    """Return what every arm makes of the first units, as an oracle that reads every
    base tells.
    """
    tokens = experiment.null.sample(n, rng=0)["sequence"].to_numpy()
    units = np.arange(n, dtype=np.uint64)
    return {
        arm.name: decode(arm.intervention.apply(tokens.copy(), units=units, key=5))
        for arm in experiment.named_arms
    }


# ---------------------------------------------------------------- hairpin: the arms


@pytest.mark.parametrize(("stem", "loop"), [(9, 6), (5, 5), (6, 8), (12, 7)])
def test_stem_and_loop_lengths_are_honored(stem: int, loop: int) -> None:
    made = arm_sequences(fold_of(cg.Uniform(length=60), at=25, stem=stem, loop=loop))
    left, right = slice(25 - stem, 25), slice(25 + loop, 25 + loop + stem)
    place = left.start + min(1, stem - 5)
    there = right.stop - (place - left.start) - 5
    for row, own in enumerate(made["untreated"]):
        whole, looped, inside = (
            made[name][row] for name in ("hairpin", "loop", "stem")
        )
        for sequence in (whole, looped, inside):
            assert sequence[right] == rc(sequence[left])
        assert whole[: right.start] == own[: right.start]
        assert whole[right.stop :] == own[right.stop :]
        assert looped == whole[:25] + "GCTGG" + whole[30:]
        assert (
            inside[: right.start]
            == own[:place] + "GCTGG" + own[place + 5 : right.start]
        )
        assert made["open"][row] == own[:25] + "GCTGG" + own[30:]
        assert (
            made["open, where the stem was"][row]
            == own[:place] + "GCTGG" + own[place + 5 :]
        )
        assert (
            made["complement in the open"][row]
            == own[:there] + "CCAGC" + own[there + 5 :]
        )
        assert inside[there : there + 5] == "CCAGC"


def test_the_published_places_are_the_defaults() -> None:
    arms = {arm.name: str(arm.intervention) for arm in fold_of().named_arms}
    # stem 8, loop 24 by 9; the motif at 17
    assert arms["loop"] == "do(x[17:22] = GCUGG, x[24:33] = rc(x[8:17]))"
    assert arms["stem"] == "do(x[9:14] = GCUGG, x[24:33] = rc(x[8:17]))"  # and at 9
    assert fold_of(loop=7, stem=9, at=17) == fold_of()


def test_a_motif_is_paired_as_it_was_drawn() -> None:
    made = arm_sequences(fold_of(motif="GCNGG"))
    assert len({sequence[11] for sequence in made["stem"]}) > 1
    for sequence, alone in zip(
        made["stem"], made["complement in the open"], strict=True
    ):
        assert sequence[9:14] in {"GCAGG", "GCCGG", "GCGGG", "GCTGG"}
        assert sequence[24:33] == rc(sequence[8:17])
        assert alone[27:32] in {"CCTGC", "CCGGC", "CCCGC", "CCAGC"}


def test_a_stem_shorter_than_the_word_has_no_word_inside() -> None:
    experiment = fold_of(stem=4, n_units=100)
    assert "stem" not in experiment.arm_names
    assert "motif x loop" in (experiment.named_contrasts or {})


def test_the_ends_that_the_message_names_fit() -> None:
    for at in (9, 25):
        assert arm_sequences(fold_of(at=at), 3)["loop"][0][at : at + 5] == "GCTGG"


# ---------------------------------------------------------------- hairpin: the effects


@pytest.mark.simulation
def test_vts1_is_best_in_the_loop_and_least_in_the_stem() -> None:
    answer = assert_recovers(fold_of(n_units=1_000), VTS1)
    verdict = answer.decisions["verdict"].squeeze("task").to_series()
    assert verdict["motif x loop"] == "increases"
    assert verdict["motif x stem"] == "decreases"
    assert verdict["hairpin"] == "negligible"


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_a_predictor_that_knows_no_structure_has_no_interaction() -> None:
    answer = assert_recovers(fold_of(n_units=500), cg.zoo.oracle("additive"))
    verdict = answer.decisions["verdict"].squeeze("task").to_series()
    assert set(verdict[["motif x loop", "motif x stem", "hairpin"]]) == {"negligible"}
    assert set(
        verdict[["motif in the open", "motif in the loop", "motif in the stem"]]
    ) == {"decreases"}


@pytest.mark.simulation
def test_structure_is_not_a_motif_that_the_complement_makes() -> None:
    """CAUGCA, opposite UGCAUG in a stem, makes one more UGCAUG after UG: motifs that
    add have no structure.
    """
    oracle = cg.zoo.oracle("additive")
    experiment = fold_of(motif="UGCAUG", n_units=4_000, rope=(-0.1, 0.1))
    assert_recovers(experiment, oracle, unseen=1e-3)
    truth = oracle.true_ace(experiment).squeeze("task").to_series()
    assert truth["complement in the open"] == pytest.approx(0.375, abs=0.01)
    # what it had looked like
    assert (
        truth["motif in the stem"] - truth["motif in the open, where the stem was"]
        > 0.35
    )
    assert abs(truth["motif x stem"]) < 0.01
    made = arm_sequences(experiment)
    assert all(
        "CATGCA" in sequence
        for name in ("stem", "complement in the open")
        for sequence in made[name]
    )


@pytest.mark.simulation
def test_a_scrambled_word_works_nowhere() -> None:
    answer = assert_recovers(fold_of(motif="GUGCG", rope="0.2 sd"), VTS1)
    verdict = answer.decisions["verdict"].squeeze("task").to_series()
    assert set(verdict) == {"negligible"}


def test_a_reversed_effect_turns_the_order() -> None:
    """Teeth: with the sign of every effect changed, loop < open < stem."""
    mirrored = Oracle(
        *VTS1.terms,
        tasks=["VTS1"],
        scale="log intensity",
        weights=[[-1] * len(VTS1.terms)],
    )
    experiment = fold_of(n_units=300)
    answer = experiment.analyze(cg.run(experiment, mirrored, rng=0), rng=0)
    verdict = answer.decisions["verdict"].squeeze("task").to_series()
    assert verdict["motif x loop"] == "decreases"
    assert verdict["motif x stem"] == "increases"


def test_pairing_makes_the_interaction_sharper() -> None:
    experiment = fold_of(n_units=500)
    outcomes = cg.run(experiment, VTS1, rng=0)
    paired = (
        cg.estimate(cg.contrast(outcomes))["se"].sel(contrast="motif x loop").item()
    )
    y = (
        outcomes["outcome"]
        .sel(arm=["loop", "hairpin", "open", "untreated"])
        .squeeze("task")
    )
    unpaired = np.sqrt((y.var("unit", ddof=1) / y.sizes["unit"]).sum()).item()
    assert paired < 0.7 * unpaired


# ---------------------------------------------------------------- many predictors


def predictors(n: int, share: float) -> dict[str, Oracle]:
    """Return so many oracles, each with a motif of its own, of which a known share has
    a 3' GC bias.
    """
    rng = np.random.default_rng(7)
    weight = np.where(np.arange(n) < share * n, -rng.uniform(0.5, 1.2, n), 0.0)
    words = ["".join(rng.choice(list("ACGU"), 3)) for _ in range(n)]
    return {
        f"RBP{k}": Oracle(
            MotifCount(words[k], 0.1),
            *([EndGC(weight[k], last=8)] if weight[k] else []),
            scale="z",
        )
        for k in range(n)
    }


def outcomes_of(
    made: dict[str, Oracle], experiment: cg.experiments.Experiment, own: bool
) -> dict[str, xr.Dataset]:
    return {
        name: cg.run(experiment, oracle, rng=k if own else 0)
        for k, (name, oracle) in enumerate(made.items())
    }


@pytest.mark.simulation
@pytest.mark.parametrize("own", [False, True])
def test_the_share_of_biased_predictors_is_found(own: bool) -> None:
    made = predictors(60, share=0.4)
    experiment = at_the_ends(n_units=100)
    estimates = across_predictors(outcomes_of(made, experiment, own), contrast="at 34")
    assert ("covariance" in estimates) is not own
    truth = np.array(
        [
            oracle.true_ace(experiment).sel(contrast="at 34").item()
            for oracle in made.values()
        ]
    )
    table = xr.DataArray(
        truth[:, None], dims=("contrast", "task"), coords=estimates["ace"].coords
    )
    assert_estimates(estimates, table)
    share = share_of_predictors(cg.infer(estimates, rng=0), rope=(-0.1, 0.1)).squeeze(
        "task"
    )
    true = (truth < -0.1).mean()
    assert true == 0.4
    below = share.sel(side="below")
    assert below["lower"] <= true <= below["upper"]
    above = (truth > 0.1).mean()  # a motif of G and C that the letters spell
    assert share["share"].sel(side="above").item() == pytest.approx(above, abs=0.01)
    assert share["claimed"].sel(side="either").item() == pytest.approx(
        true + above, abs=0.05
    )


def test_tasks_of_one_predictor_are_its_predictors_with_their_covariance() -> None:
    oracle = Oracle(
        MotifCount("UGCAUG"),
        EndGC(-0.8, last=8),
        tasks=["a", "b", "c"],
        weights=[[1, 1], [1, 0.5], [0.1, -1.0]],
        scale="z",
    )
    experiment = at_the_ends(n_units=100)
    outcomes = cg.run(experiment, oracle, rng=0)
    estimates = across_predictors(outcomes, contrast="at 34")
    assert estimates["contrast"].to_numpy().tolist() == ["a", "b", "c"]
    plain = cg.contrast(outcomes).sel(contrast="at 34")["ice"].to_numpy()
    np.testing.assert_allclose(estimates["ace"].to_numpy()[:, 0], plain.mean(axis=0))
    np.testing.assert_allclose(
        estimates["covariance"].to_numpy()[:, :, 0], np.cov(plain.T) / 100, atol=1e-12
    )
    other = cg.run(experiment, oracle, rng=1)
    two = across_predictors({"x": outcomes, "y": other}, contrast="at 34")
    matrix = two["covariance"].to_numpy()[:, :, 0]
    assert two["contrast"].to_numpy().tolist()[:2] == ["x: a", "x: b"]
    assert not matrix[:3, 3:].any()
    np.testing.assert_allclose(
        matrix[:3, :3], estimates["covariance"].to_numpy()[:, :, 0]
    )


def test_what_does_not_go_across_is_refused() -> None:
    experiment = at_the_ends(n_units=50)
    oracle = Oracle(MotifCount("UGCAUG"), EndGC(-0.8, last=8), scale="z")
    one, same, own = (cg.run(experiment, oracle, rng=seed) for seed in (0, 0, 1))
    other = cg.run(
        experiment,
        Oracle(MotifCount("UGCAUG"), EndGC(-0.8, last=8), scale="log"),
        rng=0,
    )
    with pytest.raises(DataError):
        across_predictors({"x": one, "y": other}, contrast="at 34")
    with pytest.raises(DataError):
        across_predictors({"x": one, "y": same, "z": own}, contrast="at 34")
    with pytest.raises(EstimateError):
        share_of_predictors(
            cg.infer(across_predictors({"x": one, "y": own}, contrast="at 34"), rng=0),
            rope=0,
        )


# ---------------------------------------------------------------- many null models


def given_nulls(n: int = 400) -> dict[str, cg.design.NullModel]:
    """Return the published null models, made from AU-rich sequences of which some have
    the motif's neighbors.
    """
    rng = np.random.default_rng(3)
    parents = [
        "".join(row)
        for row in rng.choice(list("ACGU"), (n, 41), p=[0.3, 0.2, 0.15, 0.35])
    ]
    return {
        "profile": cg.Profile(of=parents),
        "mononucleotide shuffle": cg.Shuffle(of=parents),
        "dinucleotide shuffle": cg.DinucleotideShuffle(of=parents),
        "Markov": cg.Markov(of=parents, order=1),
        "knock-in": cg.Genomic(of=parents),
    }


@pytest.mark.simulation
def test_copies_come_out_alike_under_every_null_model() -> None:
    experiment, oracle = (
        copies(RNA, "UGCAUG", n_units=400),
        cg.zoo.oracle("rbfox1_like"),
    )
    nulls = given_nulls()
    table = null_models(experiment, oracle, nulls=nulls, rng=0)
    assert table["tau"].min() >= 0.8
    assert (table["tau_lower"] <= table["tau"] + 1e-9).all()
    np.testing.assert_array_equal(np.diagonal(table["tau"].to_numpy()[..., 0]), 1)
    for name, null in nulls.items():
        each = replace(experiment, null=null)
        answer = each.analyze(cg.run(each, oracle, rng=0), rng=0)
        np.testing.assert_array_equal(
            table["ace"].sel(null=name), answer.estimates["ace"]
        )


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_sequences_are_a_null_model_of_as_many_units_as_there_are() -> None:
    """A design is run as an experiment is; the given sequences are backgrounds."""
    arms = {"control": cg.Untreated()} | {
        word: cg.Embed(word, at=17) for word in ("UGCAUG", "AGCAUG", "GCAUGU")
    }
    design = cg.Design(
        null=cg.Uniform(length=41), arms=arms, n_units=60, contrasts="control"
    )
    real = given_nulls(50)["knock-in"]
    oracle = cg.zoo.oracle("rbfox1_like")
    nulls = {"uniform": design.null, "real": real.of.strings}
    table = null_models(design, oracle, nulls=nulls, rng=5)
    own = cg.run(replace(design, null=real, n_units=50), oracle, rng=5)
    alone = cg.estimate(cg.contrast(own))
    np.testing.assert_array_equal(table["ace"].sel(null="real"), alone["ace"])
    np.testing.assert_array_equal(table["se"].sel(null="real"), alone["se"])


@pytest.mark.simulation
@pytest.mark.torch
def test_a_trained_network_has_the_bias_at_the_end_alone_and_one_order_under_every_null_model() -> (
    None
):
    network = cg.zoo.load("rbfox1_like", member=0)
    experiment = at_the_ends(n_units=1_000, rope="0.2 sd")
    answer = experiment.analyze(cg.run(experiment, network, rng=0), rng=0)
    verdict = answer.decisions["verdict"].squeeze("task").to_series()
    assert (verdict["at 34"], verdict["at 2"]) == ("decreases", "negligible")
    table = null_models(
        copies(RNA, "UGCAUG", n_units=100), network, nulls=given_nulls(), rng=0
    )
    assert table["tau"].min() >= 0.8


def gated_by_context() -> Oracle:
    """Return an oracle in which AAGAAG works alone, and GGAUCC only beside UUUUCCCC."""
    return Oracle(
        MotifCount("GGAUCC", 0.5),
        MotifCount("AAGAAG", 1.0),
        Gate(("GGAUCC", "UUUUCCCC"), bonus=2.0, logic="and"),
    )


def motif_experiment(n_units: int) -> cg.experiments.Experiment:
    arms = {"untreated": cg.Untreated()} | {
        w: cg.Embed(w, at=17) for w in ("GGAUCC", "AAGAAG", "CGCGCG")
    }
    base = copies(RNA, "UGCAUG", n_units=n_units)
    return replace(base, arms=arms, contrasts="untreated", labels={}, asked=())


def test_an_order_that_depends_on_the_null_model_is_found() -> None:
    beside = [
        "".join(row) for row in np.random.default_rng(0).choice(list("ACGU"), (300, 41))
    ]
    with_box = [row[:2] + "UUUUCCCC" + row[10:] for row in beside]
    nulls = {"plain": beside, "with box": with_box}
    table = null_models(motif_experiment(300), gated_by_context(), nulls=nulls, rng=0)
    pair = table.sel(null="plain", null_="with box").squeeze("task")
    assert pair["tau"].item() == pytest.approx(1 / 3)
    assert pair["tau_upper"].item() == pytest.approx(1 / 3)
    assert "different orders" in cg.report(table)
    between = table["between_sd"].squeeze("task").to_series()
    assert between["GGAUCC"] == pytest.approx(2 / np.sqrt(2), rel=0.05)
    assert between["CGCGCG"] < 0.05
    assert (
        table["p"].sel(contrast="GGAUCC").item()
        < 1e-6
        < table["p"].sel(contrast="CGCGCG").item()
    )


def test_effects_that_are_tied_have_no_order_to_differ() -> None:
    """Of 200 pairs of trials with equal effects tau is anywhere; no reversal is stated."""
    rng, found = np.random.default_rng(0), []
    for _ in range(200):
        own = {
            name: cg.from_effects(rng.normal(size=5), se=1.0, names=list("abcde"))
            for name in ("one", "other")
        }
        found.append(agreement(own))
    assert np.mean([table["tau"].min() < 0.8 for table in found]) > 0.5
    assert np.mean([table["tau_upper"].min() < 1 for table in found]) <= 0.05
    told = next(cg.report(t) for t in found if t["tau"].min() < 0)
    assert "different orders" not in told


def test_one_null_model_twice_is_one_answer() -> None:
    """A/A: other units of one null model differ by error alone."""
    experiment = copies(RNA, "UGCAUG", n_units=300)
    oracle = cg.zoo.oracle("rbfox1_like")
    tables = {
        f"seed {s}": cg.estimate(cg.contrast(cg.run(experiment, oracle, rng=s)))
        for s in range(4)
    }
    table = agreement(tables)
    assert table["p"].min() > 1e-4
    assert (table["between_sd_lower"] == 0).all()


def test_noise_is_said_to_be_noise() -> None:
    rng = np.random.default_rng(0)
    tables = {
        name: cg.from_effects(rng.standard_normal(8) * 0.1, se=0.1) for name in "ab"
    }
    table = agreement(tables)
    assert table["tau_upper"].max().item() == 1
    assert table["clear"].sel(null="a", null_="b").item() < 0.2


@pytest.mark.simulation
def test_limits_of_tau_hold_the_true_tau() -> None:
    """The interval is simultaneous over pairs: it misses at most 5 % of the time (here,
    next to never).
    """
    rng = np.random.default_rng(11)
    missed = exact = 0
    for _ in range(60):
        a = rng.standard_normal(5)
        b = a + 0.7 * rng.standard_normal(5)
        pairs = list(itertools.combinations(range(5), 2))
        true = np.mean([np.sign(a[i] - a[j]) * np.sign(b[i] - b[j]) for i, j in pairs])
        root = 0.1 * np.tril(rng.standard_normal((5, 5))) + 0.05 * np.eye(5)
        covariance = root @ root.T
        found = {
            name: cg.from_effects(
                mean + root @ rng.standard_normal(5), covariance=covariance
            )
            for name, mean in (("a", a), ("b", b))
        }
        cell = agreement(found).sel(null="a", null_="b").squeeze("task")
        missed += not cell["tau_lower"] - 1e-9 <= true <= cell["tau_upper"] + 1e-9
        exact += bool(cell["tau_lower"] == cell["tau_upper"])
    assert missed <= 8  # binomial(60, .05): P(> 8) < 1e-3
    assert exact < 60


def test_a_factor_and_a_covariance_say_the_same() -> None:
    effects = cg.contrast(
        cg.run(copies(RNA, "UGCAUG", n_units=100), cg.zoo.oracle("rbfox1_like"), rng=0)
    )
    whole = cg.estimate(effects)
    ice = effects["ice"].to_numpy() - effects["ice"].mean("unit").to_numpy()
    factor = whole.drop_vars(["covariance", "contrast_"]).assign(
        factor=(("cluster", "contrast", "task"), ice / np.sqrt(100 * 99))
    )
    a, b = agreement({"a": whole, "b": whole}), agreement({"a": factor, "b": factor})
    np.testing.assert_allclose(a["clear"], b["clear"])
