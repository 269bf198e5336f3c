"""Composition: its slope, its share of the predictions, and the motif along it."""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia.sequences import decode

pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
LENGTH, SITE = 120, "TGAGTCA"
FIELDS = ("start", "stop", "sign", "size")
GC = np.arange(30, 71, 5) / 100
RNG = np.random.default_rng(5)
WEIGHTS = RNG.normal(0, 0.05, (4, LENGTH))
# of A and T, and of C and G, the mean is 0: GC does nothing
WEIGHTS[[2, 3]] = -WEIGHTS[[1, 0]]


def gc(x):
    return x[:, 1:3].sum(1).mean(1)


def letters(x):
    return np.tensordot(x, WEIGHTS, ([1, 2], [0, 1]))


def hits(x, word=SITE):
    codes = ["ACGT".index(letter) for letter in word]
    n = x.shape[2] - len(codes) + 1
    return sum(x[:, c, i : n + i] for i, c in enumerate(codes)) == len(codes)


def asked(f, null=None, seed=0, site=SITE, **settings):
    experiment = cg.experiments.composition(
        null or cg.Uniform(length=LENGTH), site, n_units=200, **settings
    )
    predictor = cg.FunctionPredictor(
        lambda x: f(np.asarray(x, float))[:, None], tasks=["y"], scale="log counts"
    )
    outcomes = cg.run(experiment, predictor, rng=seed, progress=False)
    return experiment.analyze(outcomes, rng=0)


def share(answer, component, column="share"):
    return answer.findings["shares"][column].sel(component=component, task="y").item()


def slopes(answer):
    table = answer.findings["shapes"]
    return [
        tuple(table[name].values[i] for name in ("kind", *FIELDS))
        for i in range(table.sizes["shape"])
    ]


def test_the_slope_of_a_network_that_reads_gc_and_the_motifs_effect_along_it():
    def f(x):
        return 2 * gc(x) + letters(x) + hits(x).any(1) * (1 + 5 * (gc(x) - 0.5))

    answer = asked(f, control="untreated")
    outcome, motif = slopes(answer)
    assert outcome[:4] == ("slope", 30, 70, 1)
    assert outcome[4] == pytest.approx(0.8, abs=0.2)
    # the site itself has 3 G and C, in place of 7 bases
    true = 0.4 * (5 * 113 / 120 - 2 * 7 / 120)
    assert motif[3:] == (1, pytest.approx(true, abs=0.06))


def test_shares_are_those_of_the_variances_that_were_planted():
    of_gc, of_letters = 16 * np.var(GC), (WEIGHTS[:2] ** 2).sum() / 2
    answer = asked(lambda x: 4 * gc(x) + letters(x))
    true = of_gc / (of_gc + of_letters)
    assert share(answer, "GC, a line", "lower") < true
    assert share(answer, "GC, a line", "upper") > true
    assert share(answer, "arrangement") == pytest.approx(1 - true, abs=0.06)
    ratio = answer.findings["shares"]["ratio"].item()
    assert ratio == pytest.approx(
        share(answer, "composition") / share(answer, "arrangement"), rel=1e-6
    )


def test_what_is_no_line_is_a_curve_and_cpg_is_told_from_gc():
    bent = asked(lambda x: (abs(gc(x) - 0.5) < 0.06) * 1.0, rope=(-0.1, 0.1))
    assert share(bent, "GC, a curve") > 0.99
    assert "along a curve" in bent.sentences[0]
    at_one_gc = asked(lambda x: (x[:, 1, :-1] * x[:, 2, 1:]).sum(1))
    assert share(at_one_gc, "CpG at one GC") > 0.1
    assert share(at_one_gc, "arrangement") < 0.02


def test_given_sequences_keep_what_their_dinucleotides_carry():
    given = cg.Uniform(length=LENGTH).sample(200, rng=3)["sequence"].to_numpy()
    null = cg.Genomic(of=decode(given))
    kept = {
        name: asked(f, null).findings["kept"]["share"].sel(component="dinucleotides")
        for name, f in {"gc": gc, "letters": letters}.items()
    }
    assert kept["gc"].item() == pytest.approx(1, abs=1e-9)
    assert kept["letters"].item() < 0.2


def test_a_network_that_reads_nothing_has_no_shares():
    answer = asked(lambda x: np.ones(len(x)), rope=(-0.1, 0.1))
    assert np.isnan(share(answer, "composition"))
    assert slopes(answer)[0][3] == 0


@pytest.mark.simulation
def test_of_networks_without_gc_few_have_a_slope_and_of_those_with_it_most():
    """Error and power: 40 seeds each."""
    found = {}
    for size in (0.0, 1.0):
        answers = [
            asked(lambda x, s=size: s * gc(x) + letters(x), seed=k, site=None, rope=0)
            for k in range(40)
        ]
        found[size] = np.mean([slopes(a)[0][3] == 1 for a in answers])
        true = size**2 * np.var(GC)
        true /= true + (WEIGHTS[:2] ** 2).sum() / 2
        held = [
            share(a, "composition", "lower")
            <= true
            <= share(a, "composition", "upper") + 1e-3
            for a in answers
        ]
        assert np.mean(held) >= 0.85
    assert found[0.0] <= 0.1
    assert found[1.0] >= 0.9


@pytest.mark.parametrize("gc", [(0.3, 0.7), (0.3, 0.5, 1.2)])
def test_what_is_no_grid_of_gc_is_refused(gc):
    with pytest.raises(cg.errors.DesignError):
        cg.experiments.composition(cg.Uniform(length=60), gc=gc)


def test_random_bases_have_the_share_of_gc_that_is_asked():
    tokens = cg.Uniform(length=60).sample(300, rng=1)["sequence"].to_numpy()
    units = np.arange(300, dtype=np.uint64)
    drawn = cg.Ablate((10, 50), fill=0.3).apply(tokens, units=units, key=1)
    strong = np.isin(drawn[:, 10:50], (1, 2))
    assert (strong.sum(1) == 12).all()
    assert abs(strong.mean(0) - 0.3).max() < 0.12
    assert np.bincount(drawn[:, 10:50].ravel()) / 12_000 == pytest.approx(
        [0.35, 0.15, 0.15, 0.35], abs=0.015
    )
    assert (drawn[:, :10] == tokens[:, :10]).all()
    again = cg.Ablate((10, 50), fill=0.3).apply(tokens[::-1], units=units[::-1], key=1)
    assert (again[::-1] == drawn).all()
    with pytest.raises(cg.errors.DesignError):
        cg.Ablate((10, 50), fill=1.5)
