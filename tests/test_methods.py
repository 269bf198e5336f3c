"""`cg.methods`: each fact of the trial stands in the paragraph, for every estimator and target, and nothing else."""

import re
import warnings

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import OutcomesError
from causalgia.paper.citations import WORKS, works

ARMS = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96), "mutant": cg.Embed("AGCGAAG", at=96)}
ORACLE = cg.zoo.oracle("gata1_like")


def trial(**options):
    settings = {"null": cg.Uniform(length=200), "arms": ARMS, "n_units": 90} | options
    return cg.run(cg.Design(**settings), ORACLE, rng=3)


@pytest.fixture(scope="module")
def crossover():
    return trial()


@pytest.fixture(scope="module")
def parallel():
    return trial(assignment="parallel")


def estimates(outcomes, **options):
    scale = options.pop("scale", "identity")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        return cg.estimate(cg.contrast(outcomes, control="untreated", scale=scale), **options)


def test_a_crossover_is_described_by_its_own_attributes(crossover):
    found = cg.methods(cg.decide(cg.adjust(estimates(crossover)), rope=(-0.1, 0.1)))
    for fact in (
        "uniform random sequences of 200 bp (90 units)",
        "under every arm (crossover)",
        "GATA1, do(x[96:103] = AGATAAG) − do()",
        "ACE) on log2 activity, over uniform random sequences of 200 bp",
        "standard error s/√n and t intervals on n − 1 degrees of freedom",
        "-0.1 to 0.1",
        "Benjamini-Hochberg",
        f"causalgia {cg.__version__}",
        "seed 3",
        crossover.attrs["predictor_fingerprint"],
    ):
        assert fact in found.methods
    assert found.results.startswith("Of 4 effects, 2 increase, ")
    assert "GATA1 minus untreated in K562: ACE 1." in found.results


def test_a_parallel_trial_is_not_called_a_crossover(parallel):
    found = cg.methods(estimates(parallel)).methods
    assert "Each background was randomized to one arm" in found
    assert "difference between the means of the arms, with Neyman's variance and Welch's degrees of freedom" in found
    assert "crossover" not in found
    adjusted = cg.methods(estimates(parallel, covariates=["gc"]))
    assert "Lin's interacted regression on gc" in adjusted.methods
    assert "lin2013agnostic" in adjusted.bibtex


@pytest.mark.parametrize("target", ["parents", "units", "population"])
def test_every_target_is_the_population_of_the_estimand(target):
    genomes = ["".join(np.random.default_rng(i).choice(list("ACGT"), 200)) for i in range(25)]
    outcomes = trial(null=cg.DinucleotideShuffle(of=genomes), n_units=100)
    found = cg.methods(estimates(outcomes, target=target))
    words = {
        "parents": "over new draws from these parents",
        "units": "for exactly these units",
        "population": "over dinucleotide shuffles",
    }
    assert words[target] in found.methods
    assert "altschul1985significance" in found.bibtex
    assert ("cluster-robust (CR2) standard errors by parent" in found.methods) == (target == "population")
    assert ("nothing is sampled" in found.methods) == (target == "units")


def test_what_was_asked_after_the_outcomes_is_exploratory():
    plan = cg.Analysis(control="untreated", rope=(-0.1, 0.1))
    outcomes = cg.run(cg.Design(null=cg.Uniform(length=200), arms=ARMS, n_units=90), ORACLE, rng=3, analysis=plan)
    decided = cg.decide(estimates(outcomes), rope=(-0.2, 0.2))
    assert "Exploratory, asked after the outcomes were seen: rope" in cg.methods(decided).methods
    assert "Exploratory" not in cg.methods(cg.decide(estimates(outcomes), rope=(-0.1, 0.1))).methods


def test_a_ratio_is_tested_against_1(crossover):
    shifted = crossover.assign(outcome=crossover["outcome"] + 5.0).assign_attrs(scale="counts")
    found = cg.methods(estimates(shifted, scale="ratio"))
    assert "of an effect of 1" in found.methods
    assert "divided by untreated" in found.results


def test_a_posterior_is_named_and_cited():
    given = cg.from_effects(np.linspace(-1, 1, 40), se=np.full(40, 0.1), names=[f"w{i}" for i in range(40)])
    found = cg.methods(cg.decide(cg.infer(given, rng=0), rope=(-0.1, 0.1)))
    assert "posterior mean of a hierarchical model" in found.methods
    assert "stephens2017false" in found.bibtex
    assert "schuirmann1987comparison" not in found.bibtex
    assert "The largest:" in found.results


def test_given_effects_have_no_design():
    found = cg.methods(cg.from_effects([1.0], se=[0.1], names=["a"]))
    assert found.methods.startswith("Effects and their standard errors were given")
    assert "predictor" not in found.methods
    assert [work.key for work in found.works] == ["causalgia"]


def test_a_trial_of_an_ensemble_says_over_which_predictors(crossover):
    by_model = np.stack([crossover["outcome"] * (1 + 0.1 * k) for k in range(3)], axis=-1)
    outcomes = crossover.drop_vars(["outcome", "answer_floor"]).assign(
        outcome=((*crossover["outcome"].dims, "model"), by_model)
    )
    outcomes = outcomes.assign_coords(model=["a", "b", "c"]).assign_attrs(model_is="seeds")
    found = cg.methods(estimates(outcomes, target="population x predictors"))
    assert "both drawn from a population" in found.methods
    assert "retrainings of the predictor" in found.methods


def test_a_posterior_and_outcomes_are_refused_with_their_cure(crossover):
    with pytest.raises(OutcomesError):
        cg.methods(crossover)
    given = cg.from_effects(np.linspace(-1, 1, 40), se=np.full(40, 0.1))
    with pytest.raises(OutcomesError, match="decide first"):
        cg.methods(cg.infer(given, rng=0))


@pytest.mark.parametrize(("method", "key"), [("bh", "benjamini1995controlling"), ("holm", "holm1979simple")])
def test_the_adjustment_is_named_and_cited(method, key, crossover):
    found = cg.methods(cg.adjust(estimates(crossover), method=method))
    assert key in found.bibtex
    assert {"bh": "Benjamini-Hochberg", "holm": "Holm"}[method] in found.methods


def test_bibtex_has_balanced_braces_and_the_dois_that_docstrings_cite(crossover):
    decided = cg.decide(cg.adjust(estimates(crossover)), rope=(-0.1, 0.1))
    for work in (*WORKS.values(), *works(decided)):
        text = work.bibtex()
        assert text.count("{") == text.count("}")
        assert re.fullmatch(r"@(article|software)\{\w+,\n(  \w+ = \{.*\},?\n)+\}", text)
    assert len({work.fields.get("doi", work.key) for work in WORKS.values()}) == len(WORKS)
