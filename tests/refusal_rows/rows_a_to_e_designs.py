"""Designs and experiments that would compare something else than they say."""

from __future__ import annotations

import pathlib
import tempfile
from typing import Any

import numpy as np

import causalgia as cg
from causalgia.errors import (
    DataError,
    DesignError,
    EstimateError,
    SequenceError,
)
from causalgia.sequences import decode

from . import Row

ARMS = {"control": cg.Untreated(), "GATA": cg.Embed("AGATAAG", at=20)}
PARENTS = {
    f"peak{i}": "".join(np.random.default_rng(i).choice(list("ACGT"), 60))
    for i in range(40)
}
RANDOM = decode(cg.Uniform(length=100).sample(20, rng=0)["sequence"].values)
NULL, AT_41 = cg.Uniform(length=200), cg.Uniform(length=41)
FOX = "UGCAUG"
e = cg.experiments
GENOME = pathlib.Path(tempfile.mkdtemp()) / "genome.fa"
GENOME.write_text(f">chr1\n{'AT' * 50}{'CG' * 4}{'AT' * 50}\n")
PLACED = {"chr1:100-108": "CGCGCGCG"}


def drawn(fn: Any) -> Any:
    return cg.design.Drawn(fn, length=9, words="what a function draws")


def sometimes_named() -> Any:
    """A function that names parents in its first two calls alone."""
    calls = iter(range(9))

    def fn(rng: Any, n: int) -> Any:
        tokens = rng.choice(4, (n, 9))
        return (tokens, range(n)) if next(calls) < 2 else tokens

    return fn


def design(**changes: Any) -> cg.Design:
    return cg.Design(
        **{
            "null": cg.Uniform(length=60),
            "arms": ARMS,
            "n_units": 12,
            "assignment": "parallel" if "blocks" in changes else "crossover",
            **changes,
        }
    )


def with_arm(intervention: Any) -> cg.Design:
    return design(arms={**ARMS, "x": intervention})


def from_text(more: str) -> cg.Design:
    return cg.Design.from_toml(
        "n_units = 3\n[null]\nkind = 'uniform'\nlength = 9\n[arms.a]\n"
        f"[arms.b]\nmutate = 'A'\nat = 1\n{more}"
    )


def pair(**settings: Any) -> Any:
    chosen = {"motif": "AGATAAG", "other": "CACGTCA", "orientations": ["++"]}
    return e.pair(NULL, **chosen | settings)


THREE = cg.from_effects([1.0, 2.0, 3.0], se=0.1, names=["a", "b", "c"])
OTHERS = cg.from_effects([1.0, 2.0, 3.0], se=0.1, names=["a", "b", "d"])
SHARED = {"c": RANDOM[2][5:80]}

ROWS = [
    Row(
        "an arm past the background",
        lambda: with_arm(cg.Embed("AGATAAG", at=54)),
        DesignError,
        "x",
    ),
    Row(
        "two patterns that overlap",
        lambda: with_arm(cg.Embed("AGATAAG", at=3) + cg.Embed("CACGTG", at=9)),
        DesignError,
        "CACGTG",
    ),
    Row(
        "a pattern over one that an insertion moved",
        lambda: with_arm(
            cg.Embed("ACGT", at=10) + cg.Insert("GG", at=0) + cg.Embed("TT", at=12)
        ),
        DesignError,
        "TT",
    ),
    Row(
        "an insertion that splits a pattern",
        lambda: with_arm(cg.Embed("ACGT", at=3) + cg.Insert("A", at=5)),
        DesignError,
        "ACGT",
    ),
    Row(
        "a deletion of the whole background",
        lambda: with_arm(cg.Delete((0, 60))),
        DesignError,
        "x",
    ),
    Row(
        "two arms that are one",
        lambda: with_arm(cg.Embed("agataag", at=20)),
        DesignError,
        "GATA",
    ),
    Row("no units", lambda: design(n_units=0), DesignError, "n_units"),
    Row("more units than counters hold", lambda: design(n_units=10**30), DesignError),
    Row(
        "one background for all units",
        lambda: design(null=cg.Shuffle(of=["A" * 30])),
        DesignError,
    ),
    Row(
        "more units than real sequences",
        lambda: design(null=cg.Genomic(of=["ACGT" * 15] * 3)),
        DesignError,
        "3",
    ),
    Row(
        "a block of one unit",
        lambda: design(blocks=["a"] * 11 + ["b"]),
        DesignError,
        "b",
    ),
    Row(
        "labels of blocks for other units",
        lambda: design(blocks=["a", "b"]),
        DesignError,
        "blocks",
    ),
    Row(
        "a reserve of no sequences",
        lambda: design(null=cg.DinucleotideShuffle(of=PARENTS), reserve=0.001),
        DesignError,
        "reserve",
    ),
    Row(
        "a reserve that leaves too few sequences",
        lambda: design(null=cg.Genomic(of=PARENTS), n_units=31, reserve=0.25),
        DesignError,
        "30",
    ),
    Row(
        "a factor called as a coordinate",
        lambda: cg.factorial({"unit": cg.Embed("GATA", at=0)}),
        DesignError,
        "unit",
    ),
    Row(
        "an unknown key of a design in a file",
        lambda: from_text("[extra]\nkey = 1"),
        DesignError,
        "extra",
    ),
    Row(
        "an unknown key of a null model in a file",
        lambda: cg.Design.from_toml(
            "n_units = 3\n[null]\nkind = 'uniform'\nlenth = 5\n[arms.a]\n"
            "[arms.b]\nmutate = 'A'\nat = 1"
        ),
        DesignError,
        "lenth",
    ),
    Row(
        "a screen of a string given twice",
        lambda: e.kmer_screen(cg.Uniform(length=41), motifs=["UGCAUG", "TGCATG"]),
        DesignError,
        "motifs",
    ),
    Row(
        "a screen of strings of two lengths",
        lambda: e.kmer_screen(cg.Uniform(length=41), motifs=["UGCAUG", "UGCA"]),
        DesignError,
        "motifs",
    ),
    Row(
        "a screen beside 39 random sequences",
        lambda: e.kmer_screen(cg.Uniform(length=41), k=4, n_placebos=39),
        DesignError,
        "n_placebos",
    ),
    Row(
        "a place past the background",
        lambda: e.kmer_screen(cg.Uniform(length=41), at=38),
        DesignError,
        "at",
    ),
    Row("one place alone", lambda: e.position(AT_41, FOX, at=[3]), DesignError, "at"),
    Row("a place twice", lambda: e.position(AT_41, FOX, at=[3, 3]), DesignError, "at"),
    Row(
        "an affinity of 0",
        lambda: e.affinity(NULL, {"TGCATG": 1.0, "AGCATG": 2.0, "TGTATG": 0}),
        DesignError,
        "kd",
    ),
    Row(
        "a motif without an affinity",
        lambda: e.affinity(NULL, {"UGCAUGU": 1.0, "AGCAUGU": 2.0}),
        DesignError,
        "kd",
    ),
    Row(
        "a motif with two affinities",
        lambda: e.affinity(NULL, {"UGCAUG": 1, "TGCATG": 2, "AGCATG": 3}),
        DesignError,
        "kd",
    ),
    Row(
        "one affinity of all",
        lambda: e.affinity(NULL, dict.fromkeys(("TGCATG", "AGCATG", "TGTATG"), 1.0)),
        DesignError,
        "kd",
    ),
    Row("copies that overlap", lambda: e.copies(AT_41, FOX, at=[4, 7]), DesignError),
    Row(
        "copies past the background",
        lambda: e.copies(AT_41, FOX, at=[4, 38]),
        DesignError,
    ),
    Row(
        "a spacing at which sites collide",
        lambda: e.spacing(AT_41, FOX, gaps=[-4]),
        DesignError,
    ),
    Row(
        "a spacing that leaves the background",
        lambda: e.spacing(AT_41, FOX, gaps=[40]),
        DesignError,
    ),
    Row("no gap", lambda: pair(gaps=[]), DesignError, "gaps"),
    Row("a gap twice", lambda: e.spacing(AT_41, FOX, gaps=[1, 1]), DesignError, "gaps"),
    Row(
        "part of a gap",
        lambda: e.pairs(AT_41, [FOX, "A" * 6], gaps=[1.5]),
        DesignError,
        "gaps",
    ),
    Row("a gap within a motif", lambda: pair(gaps=[-7]), DesignError),
    Row("a gap past the background", lambda: pair(gaps=[120]), DesignError),
    Row(
        "an orientation that is none",
        lambda: pair(orientations=["+*"]),
        DesignError,
        "orientations",
    ),
    Row("pairs of one", lambda: e.pairs(NULL, ["GATAAG"]), DesignError, "motifs"),
    Row(
        "a hairpin past the background",
        lambda: e.hairpin(AT_41, "GCUGG", at=30),
        DesignError,
        "at",
    ),
    Row(
        "a loop that cannot hold the motif",
        lambda: e.hairpin(AT_41, "GCUGG", loop=4),
        DesignError,
        "loop",
    ),
    Row(
        "two shares of GC",
        lambda: e.composition(AT_41, gc=(0.3, 0.7)),
        DesignError,
        "gc",
    ),
    Row(
        "a share of GC that is none",
        lambda: e.composition(AT_41, gc=(0.3, 0.5, 1.7)),
        DesignError,
        "fill",
    ),
    Row(
        "flanks past the background",
        lambda: e.flanks(AT_41, "UGCAUG", at=33),
        DesignError,
        "at",
    ),
    Row(
        "more flanks than there are",
        lambda: e.flanks(AT_41, "UGCAUG", width=1, n_flanks=20),
        DesignError,
    ),
    Row(
        "one sequence for an average",
        lambda: e.knock_in([RANDOM[0]], motif="AGATAAG"),
        DesignError,
        "knock_in",
    ),
    Row(
        "one unit for an average",
        lambda: e.copies(AT_41, FOX, n_units=1),
        DesignError,
        "copies",
    ),
    Row(
        "a placebo that is the motif",
        lambda: e.knock_in(RANDOM, motif="AGATAAG", placebo="CTTATCT"),
        DesignError,
        "AGATAAG",
    ),
    Row(
        "negatives that are in the positives",
        lambda: e.knock_in(RANDOM, motif="AGATAAG", positives=SHARED),
        DesignError,
        "positives",
    ),
    Row(
        "the necessity of what is not there",
        lambda: e.necessity(["CCAGATAACC", "CCCCCCCCCC"], motif="AGATAAG"),
        DesignError,
        "AGATAAG",
    ),
    Row(
        "sites whose letters have no other order",
        lambda: e.necessity(["CCAAAAAACC", "GGAAAAAAGG"], motif="AAAAAA"),
        DesignError,
        "fills",
    ),
    Row(
        "a fill that is the motif",
        lambda: e.necessity(
            ["CC" + "AGATAA" + "C" * 30, "GG" + "AGATAA" + "G" * 30],
            motif="AGATAA",
            fills=["AGATAA"],
        ),
        DesignError,
        "fill",
    ),
    Row(
        "a fill that is the motif on the other strand",
        lambda: e.necessity(
            ["CC" + "AGATAA" + "C" * 30, "GG" + "AGATAA" + "G" * 30],
            motif="WGATAA",
            fills=["TTATCT"],
        ),
        DesignError,
        "fill",
    ),
    Row(
        "a threshold of a string, which is found exactly",
        lambda: e.necessity(RANDOM, motif="AGATAA", threshold=1e-3),
        SequenceError,
        "AGATAA",
    ),
    Row(
        "sites and tiles in one question",
        lambda: e.necessity(RANDOM, motif="AGATAA", tile_width=20),
        DesignError,
        "motif",
    ),
    Row(
        "a threshold of no motif",
        lambda: e.necessity(RANDOM, threshold=1e-3),
        DesignError,
        "threshold",
    ),
    Row(
        "a tile past the sequence",
        lambda: e.sufficiency(RANDOM, tiles=[(90, 120)]),
        DesignError,
        "tiles",
    ),
    Row(
        "a tile that is the sequence",
        lambda: e.sufficiency(RANDOM, tiles=[(0, 100)]),
        DesignError,
        "tiles",
    ),
    Row(
        "tiles that overlap",
        lambda: e.necessity(RANDOM, tiles=[(0, 10), (5, 15)]),
        DesignError,
        "5-15",
    ),
    Row(
        "a tile over what is protected",
        lambda: e.necessity(RANDOM, tiles=[(0, 10)], tss=(8, 20)),
        DesignError,
        "tss",
    ),
    Row(
        "a tile that a shuffle leaves as it is",
        lambda: e.necessity(RANDOM, tiles=[(0, 3)]),
        DesignError,
        "tiles",
    ),
    Row(
        "one draw of one sequence",
        lambda: e.necessity([RANDOM[0]], tile_width=10, n_draws=1, rope=(-1, 1)),
        DesignError,
        "n_draws",
    ),
    Row(
        "a tile placed over itself",
        lambda: e.tiles(RANDOM, tiles=[(0, 20)], at=[10, 60], tss=(40, 50)),
        DesignError,
        "0-20",
    ),
    Row(
        "a copy past the sequence",
        lambda: e.tiles(RANDOM, tiles=[(0, 20)], at=[60, 90], tss=(40, 50)),
        DesignError,
        "at",
    ),
    Row(
        "interactions of seven tiles",
        lambda: e.tiles(RANDOM, tiles=[(i, i + 5) for i in range(0, 35, 5)]),
        DesignError,
        "tiles",
    ),
    Row(
        "a statistic without a name",
        lambda: cg.Genomic.matched(PLACED, GENOME, by="at", rng=0),
        DesignError,
        "at",
    ),
    Row(
        "bins without a width",
        lambda: cg.Genomic.matched(PLACED, GENOME, tolerance=0, rng=0),
        DesignError,
        "0",
    ),
    Row(
        "peaks without a place",
        lambda: cg.Genomic.matched(["ACGT"], GENOME, rng=0),
        DesignError,
    ),
    Row(
        "intervals of no length",
        lambda: cg.Genomic.matched("peaks.bed", GENOME, rng=0),
        DesignError,
        "peaks.bed",
    ),
    Row(
        "a statistic that is no number for each sequence",
        lambda: cg.Genomic.matched(PLACED, GENOME, by=lambda x: x, rng=0),
        DesignError,
    ),
    Row(
        "a GC that no window has",
        lambda: cg.Genomic.matched(PLACED, GENOME, rng=0),
        DesignError,
    ),
    Row(
        "a function that draws too few",
        lambda: drawn(lambda rng, n: rng.choice(4, (n - 1, 9))),
        DesignError,
        "63",
    ),
    Row(
        "a function that draws other lengths",
        lambda: drawn(lambda rng, n: rng.choice(4, (n, 8))),
        DesignError,
        "8",
    ),
    Row(
        "a function that draws other letters",
        lambda: drawn(lambda rng, n: ["ACGTNACGT"] * n),
        DesignError,
        "N",
    ),
    Row(
        "parents of fewer sequences than are drawn",
        lambda: drawn(lambda rng, n: (rng.choice(4, (n, 9)), range(n - 1))),
        DesignError,
        "63",
    ),
    Row(
        "a parent that is no name",
        lambda: drawn(lambda rng, n: (rng.choice(4, (n, 9)), [np.nan] * n)),
        DesignError,
        "nan",
    ),
    Row(
        "a parent with a name that a store has no room for",
        lambda: drawn(lambda rng, n: (rng.choice(4, (n, 9)), ["peak" * 17] * n)),
        DesignError,
        "68",
    ),
    Row(
        "parents of some sequences and none of others",
        lambda: drawn(sometimes_named()).sample(2, rng=0),
        DesignError,
    ),
    Row(
        "a function that draws from a generator of its own",
        lambda: drawn(lambda rng, n: np.random.default_rng().choice(4, (n, 9))),
        DesignError,
    ),
    Row(
        "an order of two contrasts",
        lambda: e.agreement({n: THREE.isel(contrast=[0, 1]) for n in "xy"}),
        EstimateError,
        "2",
    ),
    Row(
        "an order of other contrasts",
        lambda: e.agreement({"x": THREE, "y": OTHERS}),
        EstimateError,
        "c",
    ),
    Row(
        "an agreement of one null model",
        lambda: e.agreement({"one": THREE}),
        DataError,
    ),
    Row(
        "a null model of another length",
        lambda: e.null_models(
            e.copies(AT_41, FOX, n_units=100),
            cg.zoo.oracle("additive"),
            rng=0,
            nulls={"b": cg.Uniform(length=50), "a": cg.Uniform(length=41)},
        ),
        DesignError,
        "b",
    ),
]
