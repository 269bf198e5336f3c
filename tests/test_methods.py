"""`cg.methods`: each fact of the trial stands in the paragraph, for every estimator and
target, and nothing else.
"""

import re
import warnings

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import OutcomesError
from causalgia.paper.citations import WORKS, works

ARMS = {
    "untreated": cg.Untreated(),
    "GATA1": cg.Embed("AGATAAG", at=96),
    "mutant": cg.Embed("AGCGAAG", at=96),
}
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
        return cg.estimate(
            cg.contrast(outcomes, control="untreated", scale=scale), **options
        )


def test_a_crossover_is_described_by_its_own_attributes(crossover):
    found = cg.methods(cg.decide(cg.adjust(estimates(crossover)), rope=(-0.1, 0.1)))
    for fact in (
        "uniform random sequences of 200 bp (90 units)",
        "under every arm (crossover)",
        "GATA1, do(x[96:103] = AGATAAG) − do()",
        "ACE) on log2 activity, over uniform random sequences of 200 bp",
        "standard error s/√n; t has n − 1 degrees of freedom",
        "±0.1",
        "Benjamini-Hochberg",
        f"causalgia {cg.__version__}",
        "seed 3",
        crossover.attrs["predictor_fingerprint"],
    ):
        assert fact in found.methods
    assert found.results.startswith("Of 4 effects, 2 are increases, ")
    assert "GATA1 minus untreated in K562: ACE 1." in found.results


def test_a_parallel_trial_is_not_called_a_crossover(parallel):
    found = cg.methods(estimates(parallel)).methods
    assert "Each background was randomized to one arm" in found
    assert (
        "difference between the means of the arms, with Neyman's variance; t has "
        "Welch's degrees" in found
    )
    assert "crossover" not in found
    adjusted = cg.methods(estimates(parallel, covariates=["gc"]))
    assert "Lin's interacted regression on gc" in adjusted.methods
    assert "lin2013agnostic" in adjusted.bibtex


@pytest.mark.parametrize("target", ["parents", "units", "population"])
def test_every_target_is_the_population_of_the_estimand(target):
    genomes = [
        "".join(np.random.default_rng(i).choice(list("ACGT"), 200)) for i in range(25)
    ]
    outcomes = trial(null=cg.DinucleotideShuffle(of=genomes), n_units=100)
    found = cg.methods(estimates(outcomes, target=target))
    words = {
        "parents": "over new draws from these parents",
        "units": "for exactly these units",
        "population": "over dinucleotide shuffles",
    }
    assert words[target] in found.methods
    assert "altschul1985significance" in found.bibtex
    assert ("cluster-robust (CR2) standard errors by parent" in found.methods) == (
        target == "population"
    )
    assert ("nothing is sampled" in found.methods) == (target == "units")


def test_what_was_asked_after_the_outcomes_is_exploratory():
    plan = cg.Analysis(control="untreated", rope=(-0.1, 0.1))
    outcomes = cg.run(
        cg.Design(null=cg.Uniform(length=200), arms=ARMS, n_units=90),
        ORACLE,
        rng=3,
        analysis=plan,
    )
    decided = cg.decide(estimates(outcomes), rope=(-0.2, 0.2))
    assert (
        "Exploratory, chosen after the outcomes were seen: rope"
        in cg.methods(decided).methods
    )
    assert (
        "Exploratory"
        not in cg.methods(cg.decide(estimates(outcomes), rope=(-0.1, 0.1))).methods
    )


def test_a_ratio_is_tested_against_1(crossover):
    shifted = crossover.assign(outcome=crossover["outcome"] + 5.0).assign_attrs(
        scale="counts"
    )
    found = cg.methods(estimates(shifted, scale="ratio"))
    assert "of an effect of 1" in found.methods
    assert "divided by untreated" in found.results


def test_a_posterior_is_named_and_cited():
    given = cg.from_effects(
        np.linspace(-1, 1, 40), se=np.full(40, 0.1), names=[f"w{i}" for i in range(40)]
    )
    found = cg.methods(cg.decide(cg.infer(given, rng=0), rope=(-0.1, 0.1)))
    assert (
        "Shrunken effects are the posterior mean of a hierarchical model with a "
        "mixture of two normal laws of true effects" in found.methods
    )
    assert "the posterior probability that the effect lies elsewhere" in found.methods
    assert "w0: ACE -1.00 (95 % interval [-1.20, -0.80]), shrunken " in found.results
    assert "cg." not in found.methods
    assert "stephens2017false" in found.bibtex
    assert "The largest:" in found.results


def test_the_errors_of_verdicts_are_named_and_cited():
    given = cg.from_effects([1.0, 0.0], se=[0.1, 0.01], names=["a", "b"])
    cited = {
        "fdr": ("q is Benjamini-Hochberg's, over directions and", "benjamini1995"),
        "fwer": ("is at most 0.05, by Holm's method", "holm1979"),
        "each": ("each row by itself (p <= .05)", "schuirmann1987"),
    }
    for error, (said, key) in cited.items():
        found = cg.methods(cg.decide(given, rope=(-0.1, 0.1), error=error))
        assert said in found.methods
        assert key in found.bibtex


def test_given_effects_have_no_design():
    found = cg.methods(cg.from_effects([1.0], se=[0.1], names=["a"]))
    assert found.methods.startswith(
        "Effects (ACE) and their standard errors were given. Intervals are at 95 %"
    )
    assert "population" not in found.methods
    assert "predictor" not in found.methods
    assert [work.key for work in found.works] == ["causalgia"]


def test_a_trial_of_an_ensemble_says_over_which_predictors(crossover):
    by_model = np.stack(
        [crossover["outcome"] * (1 + 0.1 * k) for k in range(3)], axis=-1
    )
    outcomes = crossover.drop_vars(["outcome", "answer_floor"]).assign(
        outcome=((*crossover["outcome"].dims, "model"), by_model)
    )
    outcomes = outcomes.assign_coords(model=["a", "b", "c"]).assign_attrs(
        model_is="seeds"
    )
    found = cg.methods(estimates(outcomes, target="population x predictors"))
    assert "both as random draws" in found.methods
    assert "run on 3 predictors" in found.methods
    next_one = cg.methods(estimates(outcomes, target="next predictor"))
    assert "run on 3 predictors" in next_one.methods
    assert "95 % prediction interval" in next_one.results
    assert "each of 3 predictors by itself" in cg.methods(estimates(outcomes)).methods
    assert "retrainings of the predictor" in found.methods


def test_a_posterior_and_outcomes_are_refused_with_their_cure(crossover):
    with pytest.raises(OutcomesError):
        cg.methods(crossover)
    given = cg.from_effects(np.linspace(-1, 1, 40), se=np.full(40, 0.1))
    with pytest.raises(OutcomesError, match="decide first"):
        cg.methods(cg.infer(given, rng=0))


@pytest.mark.parametrize(
    ("method", "key"), [("bh", "benjamini1995controlling"), ("holm", "holm1979simple")]
)
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
    assert len({work.fields.get("doi", work.key) for work in WORKS.values()}) == len(
        WORKS
    )


def test_a_parallel_trial_counts_the_units_of_a_contrast_as_such(parallel):
    assert (
        "(60 units in the arms of each contrast)"
        in cg.methods(estimates(parallel)).methods
    )


def test_units_that_do_not_differ_are_no_exact_effect_of_a_population(crossover):
    found = cg.methods(estimates(crossover)).results
    assert "exactly" not in found
    assert "HepG2: ACE 0.1300, the same in every unit (95 % interval [0." in found
    assert ", exactly." in cg.methods(estimates(crossover, target="units")).results


def test_intervals_of_verdicts_are_described_as_they_are(crossover):
    of_t = cg.methods(cg.decide(cg.adjust(estimates(crossover)), rope=(-0.1, 0.1)))
    assert "the union of Student's with that of Hall's transformed t" in of_t.methods
    assert "; to overturn the direction of " in of_t.methods
    assert "hall1992removal" in of_t.bibtex
    given = cg.from_effects([1.0], se=[0.1], names=["a"])
    assert "Hall" not in cg.methods(cg.decide(given, rope=(-0.1, 0.1))).methods
    effects = cg.contrast(crossover, control="untreated")
    effects = effects.isel(contrast=[0], task=[0])
    band = cg.methods(cg.decide(effects, rope=(-0.1, 0.1), error="fwer", rng=0))
    assert "simultaneous interval" in band.results
    assert "t has" not in band.methods
    assert "Hall" not in band.methods


def test_a_band_is_called_simultaneous_and_its_p_are_not(crossover):
    found = cg.methods(cg.simultaneous(estimates(crossover), method="dunnett"))
    assert (
        "simultaneous at 95 % (Dunnett, the contrasts of one task); p-values are "
        "two-sided" in found.methods
    )
    assert "of each contrast alone" in found.methods
    assert "95 % simultaneous interval" in found.results


def test_clusters_of_equal_weight_are_in_the_estimand():
    genomes = [
        "".join(np.random.default_rng(i).choice(list("ACGT"), 200)) for i in range(25)
    ]
    outcomes = trial(null=cg.DinucleotideShuffle(of=genomes), n_units=101)
    assert (
        "mean over parents of the mean over their units"
        in cg.methods(estimates(outcomes, weights="clusters")).methods
    )
    assert "over parents of" not in cg.methods(estimates(outcomes)).methods


def test_a_function_of_four_means_is_written_out_and_no_sum_of_arms():
    site = {name: cg.Embed("AGATAAG", at=at) for name, at in (("A", 50), ("B", 120))}
    outcomes = trial(arms=cg.factorial(site))
    outcomes = outcomes.isel(task=[0])
    found = cg.methods(
        cg.estimate(
            cg.contrast(outcomes, interaction=["A", "B"], scale="cooperativity")
        )
    ).methods
    assert "2^AB / (2^A + 2^B − 2^0)" in found
    assert "cooperativity" not in found.partition("Interventions")[2].partition(".")[0]
    assert "do(), do(x[50:57] = AGATAAG, x[120:127] = AGATAAG), do(" in found
    assert (
        " + do("
        in cg.methods(
            cg.estimate(cg.contrast(outcomes, interaction=["A", "B"]))
        ).methods
    )


def test_many_interventions_are_counted_and_one_is_shown():
    words = {
        f"w{i}": cg.Embed(
            "".join(np.random.default_rng(i).choice(list("ACGT"), 7)), at=96
        )
        for i in range(9)
    }
    found = cg.methods(estimates(trial(arms={"untreated": cg.Untreated()} | words)))
    assert (
        "There are 9 contrasts between interventions, such as w0, do(x[96:103] = "
        in found.methods
    )


def test_a_table_of_others_has_its_units_and_no_backgrounds():
    import pandas as pd

    table = pd.DataFrame(
        {
            "well": [1, 1, 2, 2, 3, 3],
            "arm": ["wt", "del"] * 3,
            "y": [5.1, 3.9, 4.8, 4.1, 5.3, 3.8],
        }
    )
    outcomes = cg.from_frame(
        table, outcome="y", arm="arm", unit="well", scale="log2 RNA/DNA"
    )
    found = cg.methods(cg.estimate(cg.contrast(outcomes, control="wt"))).methods
    assert found.startswith("There are 3 units, each under every arm (crossover).")


@pytest.mark.parametrize(
    ("method", "says"),
    [
        ("two_way", "a two-way analysis of each element"),
        ("nb", "a negative-binomial regression"),
    ],
)
def test_the_fit_of_an_mpra_names_its_method_elements_and_replicates(method, says):
    from causalgia.mpra.counts._noise_model import simulated

    found = cg.methods(
        cg.mpra.fit(simulated(), control="control", method=method)
    ).methods
    assert (
        "Activities of 30 elements were measured by an MPRA in 3 replicates." in found
    )
    assert f"It was estimated by {says}" in found


@pytest.mark.rotating(6)
def test_levels_near_1_are_never_100_per_cent():
    given = cg.from_effects(np.r_[9.0, np.zeros(9_999)], se=np.full(10_000, 1.0))
    decided = cg.decide(given, rope=0, ci_prob=0.999995, shrink=None)
    found = cg.methods(decided).results
    assert "(100 % interval" not in found
    assert "(99.9995 % interval" in found
    assert "99.9995 %" in cg.table(decided)


def test_more_units_are_not_promised_where_placebo_words_are_lacking():
    arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)}
    outcomes = trial(
        arms=arms | cg.placebos("AGATAAG", at=96, n_placebos=40, rng=0), n_units=60
    )
    decided = cg.decide(estimates(outcomes), rope="placebo", ci_prob=0.99)
    found = decided.sel(contrast="GATA1", task="K562")
    assert found["verdict"] == "undecided"
    assert found["lower"] > found["rope_upper"]
    assert found["more_units"] == -1
    assert (
        "would be needed"
        not in cg.methods(decided.sel(contrast=["GATA1"], task=["K562"])).results
    )


def test_no_new_trial_is_promised_where_this_one_is_as_large(parallel):
    few = cg.run(
        cg.Design(
            null=cg.Uniform(length=200), arms=ARMS, n_units=12, assignment="parallel"
        ),
        ORACLE,
        rng=3,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        decided = cg.decide(
            cg.estimate(cg.contrast(few, control="untreated")),
            rope=(-0.1, 0.1),
            ci_prob=0.999,
        )
    open_ = decided["verdict"] == "undecided"
    assert bool(open_.any())
    assert not bool((decided["more_units"] == 1).any())
    assert (
        "backgrounds in these arms would be needed"
        in cg.methods(cg.decide(estimates(parallel), rope=(-0.1, 0.1))).results
    )
