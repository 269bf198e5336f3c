"""Imports merged_motif from the inside: a guard of two experiments.

Designs, motifs, sequences and maps: arms and places that are not what was meant."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

import causalgia as cg
from causalgia import errors
from causalgia.attribution import average, dfim, interactions
from causalgia.design import AblateEach, Copy, EmbedEach
from causalgia.design.arms import intervention_from_dict
from causalgia.design.patterns import merged_motif
from causalgia.errors import DesignError, PredictorError, SequenceError
from causalgia.sequences import Motif, decode, encode
from refusal_rows import Row

ROWS_OF_SITES = 12
SPANS = tuple((3 + row, 7 + row) for row in range(ROWS_OF_SITES))


def letters(n: int, length: int = 30) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, (n, length), dtype=np.uint8)


def design(arm: cg.Untreated, null: object = None, n_units: int = 12, **more: object):
    null = cg.Genomic(of=letters(12)) if null is None else null
    arms = {"control": cg.Untreated(), "it": arm}
    return cg.Design(null=null, arms=arms, n_units=n_units, **more)


def network() -> cg.FunctionPredictor:
    weights = np.random.default_rng(9).normal(size=(4, 9))
    return cg.FunctionPredictor(
        lambda x: np.tanh((x * weights).sum((1, 2))), tasks=["y"], scale="y"
    )


def nine(n: int = 3) -> list[str]:
    return decode(letters(n, 9))


def maps(words: list[str], method: str = "gradient") -> xr.Dataset:
    tokens = encode(words)
    score = np.random.default_rng(1).normal(size=(*tokens.shape, 4, 1))
    found = cg.attribute(
        words, cg.FunctionPredictor(lambda x: x[:, 0].sum(1), tasks=["t"], scale="y")
    )
    return found.assign(score=(found["score"].dims, score)).assign_attrs(method=method)


SITES = ["AAGATAAA", "GATAGATA", "TTTATCTT", "CCCCCCCC", "CGATACCC"]

ROWS = [
    Row(
        "a place before the sequence", lambda: cg.Embed("ACG", at=-1), DesignError, "at"
    ),
    Row("a place between bases", lambda: cg.Embed("ACG", at=1.5), DesignError, "at"),
    Row(
        "a strand that is none",
        lambda: cg.Embed("ACG", at=1, strand="x"),
        DesignError,
        "strand",
    ),
    Row("letters that are no bases", lambda: cg.Embed("AXA", at=0), DesignError, "X"),
    Row("an empty span", lambda: cg.Scramble((5, 3)), DesignError, ""),
    Row(
        "k-mers longer than their span",
        lambda: cg.Scramble((0, 5), k=6),
        DesignError,
        "k",
    ),
    Row(
        "a fill of another width",
        lambda: cg.Ablate((0, 5), fill="ACG"),
        DesignError,
        "fill",
    ),
    Row(
        "a position twice",
        lambda: cg.Mutate(at=(1, 1), bases="AC"),
        DesignError,
    ),
    Row(
        "bases for other positions",
        lambda: cg.Mutate(at=(1, 2), bases="A"),
        DesignError,
    ),
    Row("a placebo of one letter", lambda: cg.Placebo("AAAA", at=0), DesignError),
    Row(
        "more placebos than rearrangements",
        lambda: cg.placebos("AAAC", at=0, n_placebos=4),
        DesignError,
    ),
    Row(
        "a key that an arm has not",
        lambda: intervention_from_dict({"embed": "ACG", "at": 1, "strnd": "-"}),
        DesignError,
        "strnd",
    ),
    Row(
        "an arm of two kinds",
        lambda: intervention_from_dict({"embed": "ACG", "placebo": "A", "at": 1}),
        DesignError,
        "placebo",
    ),
    Row(
        "an arm of another kind",
        lambda: cg.Embed.from_toml("placebo = 'AC'\nat = 1"),
        DesignError,
    ),
    Row(
        "a key that matched variants have not",
        lambda: cg.MatchedVariants.from_dict({"of": "genome", "odd": 1}),
        DesignError,
    ),
    Row(
        "a key that a motif has not",
        lambda: Motif.from_dict(
            {"name": "m", "probabilities": [[1, 0, 0, 0]], "weight": 1}
        ),
        SequenceError,
        "weight",
    ),
    Row(
        "a source that is the whole sequence",
        lambda: dfim(nine(), network(), (0, 9)),
        PredictorError,
    ),
    Row("a copy onto itself", lambda: Copy((8, 17), at=16), DesignError),
    Row(
        "a copy of bases beyond the end",
        lambda: design(Copy((25, 31), at=2)),
        DesignError,
    ),
    Row(
        "a copy to bases beyond the end",
        lambda: design(Copy((8, 17), at=25)),
        DesignError,
    ),
    Row(
        "steps that overlap",
        lambda: design(cg.Embed("ACG", at=20) + Copy((8, 17), at=20)),
        DesignError,
    ),
    Row(
        "a fill of another width than one row's",
        lambda: AblateEach([(5, 7), (1, 4)], fill="AC"),
        DesignError,
        "fill",
    ),
    Row(
        "several spans for a row",
        lambda: AblateEach([[(5, 6), (8, 9)]], fill="A", n_draws=2),
        DesignError,
    ),
    Row("motifs for other rows", lambda: EmbedEach(["A", "C"], at=[3]), DesignError),
    Row(
        "a row's span beyond the end",
        lambda: design(AblateEach(((2, 4),) * 11 + ((20, 31),), fill="A")),
        DesignError,
        "row 11",
    ),
    Row(
        "a unit beyond the rows",
        lambda: AblateEach(SPANS, fill="A", n_draws=2).apply(
            letters(25), units=np.arange(25, dtype=np.uint64), key=7
        ),
        DesignError,
    ),
    Row(
        "sites for other sequences",
        lambda: design(AblateEach(SPANS, fill="A"), cg.Genomic(of=letters(13)), 13),
        DesignError,
    ),
    Row(
        "sites for another number of draws",
        lambda: design(
            AblateEach(SPANS, fill="A", n_draws=2),
            cg.Genomic(of=letters(12), n_draws=3),
            36,
        ),
        DesignError,
        "n_draws",
    ),
    Row(
        "sites beside a reserve",
        lambda: design(AblateEach(SPANS, fill="A"), None, 6, reserve=0.5),
        DesignError,
        "reserve",
    ),
    Row(
        "parents of other sequences",
        lambda: cg.Genomic(of=["ACGT", "TTTT"], parent=["a"]),
        DesignError,
        "parent",
    ),
    Row(
        "blocks that are larger than the design",
        lambda: cg.Design(
            null=cg.Genomic(of=["ACGTACGT", "CCGTACGT"]),
            arms={"a": cg.Untreated(), "b": cg.Embed("G", at=1)},
            n_units=4,
            assignment="parallel",
            blocks="parent",
        ),
        DesignError,
    ),
    Row(
        "a terabyte of letters",
        lambda: cg.Uniform(length=10**12),
        DesignError,
        "length",
    ),
    Row(
        "an arm's name twice",
        lambda: cg.Design(
            null=cg.Uniform(length=9),
            arms=[cg.Arm("a", cg.Untreated()), cg.Arm("a", cg.Embed("G", at=1))],
            n_units=4,
        ),
        DesignError,
        "a",
    ),
    Row(
        "one arm under two names",
        lambda: cg.Design(
            null=cg.Uniform(length=9),
            arms={"same": cg.Embed("G", at=1), "too": cg.Embed("G", at=1)},
            n_units=4,
        ),
        DesignError,
        "too",
    ),
    Row(
        "sites that collide",
        lambda: merged_motif("UGCAUG", "UGCAUG", 3),
        DesignError,
        "distance",
    ),
    Row(
        "merged sites that do not touch",
        lambda: merged_motif("UGCAUG", "UGCAUG", 7),
        DesignError,
        "distance",
    ),
    Row(
        "too few matched variants for a p of .05",
        lambda: cg.MatchedVariants(of="genome", min_nulls=18),
        DesignError,
        "min_nulls",
    ),
    Row(
        "matched variants by an unknown key",
        lambda: cg.MatchedVariants(of="genome", match=("length", "gc")),
        DesignError,
        "match",
    ),
    Row(
        "a pair beyond the sequence",
        lambda: interactions(nine(), network(), pairs=[(0, 9)]),
        PredictorError,
        "9",
    ),
    Row(
        "a pair twice",
        lambda: interactions(nine(), network(), pairs=[(1, 2), (2, 1)]),
        PredictorError,
    ),
    Row(
        "more pairs than an hour answers",
        lambda: interactions(decode(letters(1, 300)), network()),
        PredictorError,
    ),
    Row(
        "a source beyond the sequence",
        lambda: dfim(nine(), network(), (7, 10)),
        PredictorError,
    ),
    Row(
        "a source at several places",
        lambda: dfim(nine(), network(), np.array([[3, 5], [4, 6], [5, 7]])),
        PredictorError,
    ),
    Row(
        "an average over one instance",
        lambda: average(maps(SITES), "CCCCCC"),
        PredictorError,
    ),
    Row(
        "an average over one parent",
        lambda: average(
            maps(SITES[:2]).assign_coords(parent=("unit", ["a", "a"])), "GATA"
        ),
        PredictorError,
    ),
    Row(
        "gradients against a trial",
        lambda: cg.attribution.against_trial(
            maps(SITES), cg.from_effects([1.0], se=0.1, names=["a"]), "GATA"
        ),
        PredictorError,
        "ism",
    ),
    Row(
        "estimate of a map",
        lambda: cg.estimate(maps(SITES, "ism")),
        errors.DataError,
    ),
    Row(
        "counts where shares are taken",
        lambda: Motif("m", ((0.5, 0.5, 0, 0), (1, 2, 3, 4))),
        SequenceError,
        "position 1",
    ),
    Row(
        "a share that is no number",
        lambda: Motif("m", ((0.5, 0.5, 0, math.nan),)),
        SequenceError,
        "position 0",
    ),
    Row(
        "negative counts",
        lambda: Motif.from_counts("m", [[1, -1, 0, 0]]),
        SequenceError,
        "counts",
    ),
    Row(
        "log-odds of no probabilities",
        lambda: Motif.from_pwm("m", [[1, 1, 1, 1]]),
        SequenceError,
        "position 0",
    ),
    Row(
        "log-odds against a base that there is not",
        lambda: Motif.from_pwm("m", [[0, 0, 0, 0]], background=(1, 0, 0, 0)),
        SequenceError,
    ),
    Row(
        "log-odds of a probability of 0",
        lambda: Motif.from_iupac("GATA").log_odds(),
        SequenceError,
        "pseudocount",
    ),
    Row(
        "a letter of no alphabet",
        lambda: Motif.from_iupac("GAXA"),
        SequenceError,
        "X",
    ),
    Row(
        "shares that do not sum to 1",
        lambda: cg.motif([[0.2, 0.2, 0.2, 0.2]]),
        SequenceError,
    ),
    Row(
        "half a surrogate pair in a task",
        lambda: cg.FunctionPredictor(lambda x: x[:, 0, 0], tasks=["a\ud800"]),
        errors.PredictorError,
        "task",
    ),
]
