"""A k-mer of an RNA network, given as on the other strand, has a small effect and nobody
said why (issue 44, 7: .84 against 3.64).
"""

import pytest

import causalgia as cg

RNA = cg.zoo.oracle("rbfox1_like")


def finding(arms, predictor):
    design = cg.Design(null=cg.Uniform(length=41), arms=arms, n_units=300)
    found = cg.check(design, predictor).findings
    return next((x for x in found if x.name == "other strand"), None)


@pytest.mark.parametrize("motif", ["CATGCA", "CAUGCA", "TCATGCAT"])
def test_a_motif_with_a_larger_effect_on_the_other_strand_is_found_by_check(motif):
    arms = {"untreated": cg.Untreated(), "motif": cg.Embed(motif, at=17)}
    assert finding(arms, RNA).state == "warn"


def test_motifs_among_other_edits_are_looked_at():
    arm = cg.Embed("CATGCA", at=17) + cg.Placebo("GGGTTA", at=30)
    arms = {"untreated": cg.Untreated(), "both": arm}
    assert finding(arms, RNA).state == "warn"


@pytest.mark.parametrize(
    ("motif", "predictor"),
    [
        ("TGCATG", RNA),  # as the network reads it
        ("GAATTC", RNA),  # a palindrome
        ("CATRCA", RNA),  # drawn letters
        ("AGATAAG", cg.zoo.oracle("gata1_like")),  # both strands alike
    ],
)
def test_nothing_is_found_where_nothing_is_the_matter(motif, predictor):
    arms = {"untreated": cg.Untreated(), "motif": cg.Embed(motif, at=17)}
    assert finding(arms, predictor) is None


def test_a_trial_predicts_only_its_arms():
    rows = []

    def count(x):
        rows.append(len(x))
        return x[:, 0].sum(-1)

    arms = {"untreated": cg.Untreated(), "motif": cg.Embed("CATGCA", at=17)}
    design = cg.Design(
        null=cg.Uniform(length=41), arms=arms, n_units=300, contrasts="untreated"
    )
    predictor = cg.FunctionPredictor(count, tasks=["A"], fingerprint="count")
    cg.run(design, predictor, rng=0, progress=False)
    assert sum(rows) <= 600 + 64  # the trial, and what a predictor is met with
