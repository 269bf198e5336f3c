"""The sentences of some forty small answers: what a reader of a result reads.

``python tests/sentences.py > tests/sentences.txt`` writes them; the file is reviewed as
a diff. `test_sentences.py` compares it with what the verbs say now.
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import causalgia as cg

FILE = Path(__file__).with_suffix(".txt")
X = cg.experiments
WORD, OTHER, N = "UGCAUG", "GCAUGU", 60
NULL = cg.Uniform(length=41)
SPANS = [(0, 20), (20, 40), (60, 80)]


def letters(n: int, length: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("ACGT"), length)) for _ in range(n)]


@cache
def sites() -> list[str]:
    """Ten sequences of 80 bp that hold the word at one of two places."""
    return [
        row[:at] + "TGCATG" + row[at + 6 :]
        for row, at in zip(letters(10, 80), [45, 6, 6] * 4, strict=False)
    ]


@cache
def folder() -> Path:
    """A genome of 4,000 bp and thirteen variants of it, in files."""
    at = Path(tempfile.mkdtemp())
    (genome,) = letters(1, 4_000, seed=1)
    (at / "genome.fa").write_text(f">chr1\n{genome}\n")
    turn = str.maketrans("ACGT", "GTAC")
    rows = [
        f"chr1\t{p}\tv{i}\t{genome[p - 1]}\t{genome[p - 1].translate(turn)}\n"
        for i, p in enumerate(range(300, 3_600, 300))
    ]
    rows.append(f"chr1\t3700\tdel\t{genome[3_699:3_702]}\t{genome[3_699]}\n")
    (at / "v.vcf").write_text("".join(rows))
    return at


EXPERIMENTS: dict[str, Callable[[], X.Experiment]] = {
    "position": lambda: X.position(NULL, WORD, at=[4, 14, 24], n_units=N),
    "copies": lambda: X.copies(NULL, WORD, at=[3, 14, 30], n_units=N),
    "spacing": lambda: X.spacing(NULL, WORD, OTHER, gaps=(3, 4, 6), n_units=N),
    "motif_mutagenesis": lambda: X.motif_mutagenesis(NULL, WORD, at=18, n_units=N),
    "saturation": lambda: X.saturation(sites()[0], deletions=True),
    "saturation of several": lambda: X.saturation(sites(), span=(40, 56)),
    "affinity": lambda: X.affinity(
        NULL,
        {"UGCAUG": 0.83, "AGCAUG": 4.8, "UGCACG": 4.9, "UGUAUG": 280.0},
        n_units=N,
    ),
    "pair": lambda: X.pair(NULL, WORD, OTHER, gaps=(3, 6), n_units=N),
    "pairs": lambda: X.pairs(NULL, {"a": WORD, "b": OTHER}, gaps=(3, 6), n_units=N),
    "kmer_screen": lambda: X.kmer_screen(
        NULL, motifs=[WORD, OTHER, "ACGACG", "GGGCCC"], n_placebos=40, n_units=N
    ),
    "motif_screen": lambda: X.motif_screen(
        NULL, {"a": WORD, "b": OTHER, "d": "CACGTG"}, n_placebos=40, n_units=N
    ),
    "composition": lambda: X.composition(NULL, WORD, n_units=N),
    "hairpin": lambda: X.hairpin(NULL, WORD[:5], n_units=N),
    "flanks": lambda: X.flanks(NULL, WORD, at=18, n_flanks=6, n_units=N),
    "knock_in": lambda: X.knock_in(letters(30, 60), WORD, at=20, rope=(-0.1, 0.1)),
    "necessity": lambda: X.necessity(sites(), tile_width=20, n_draws=3),
    "necessity of sites": lambda: X.necessity(sites(), motif=WORD, rope=(-0.1, 0.1)),
    "sufficiency": lambda: X.sufficiency(sites(), tile_width=20, n_draws=3),
    "tiles": lambda: X.tiles(sites(), tiles=SPANS, n_draws=3),
    "tiles, copied": lambda: X.tiles(
        sites(), tiles=[(0, 20)], at=[20, 60], tss=(40, 60), n_draws=3
    ),
    "variants": lambda: X.variants(
        folder() / "v.vcf", folder() / "genome.fa", length=61
    ),
    "variants among matched variants": lambda: X.variants(
        folder() / "v.vcf",
        folder() / "genome.fa",
        length=61,
        null=cg.MatchedVariants(of="genome", min_nulls=50),
        n_null=200,
    ),
    "variants over contexts": lambda: X.variants(
        folder() / "v.vcf", folder() / "genome.fa", null=NULL, n_null=20
    ),
}
ORACLE = cg.zoo.oracle("rbfox1_like")
GC = cg.FunctionPredictor(
    lambda x: x[:, 1:3].sum(1), track=cg.Track(origin=30), tasks=["GC"], scale="share"
)


def answered(name: str, oracle: Any = ORACLE) -> str:
    experiment = EXPERIMENTS[name]()
    answer = experiment.analyze(
        cg.run(experiment, oracle, rng=0, progress=False), rng=0
    )
    return "\n".join([*answer.sentences, *answer.details])


@cache
def outcomes() -> xr.Dataset:
    arms = {
        "placebo": cg.Placebo(WORD, at=17),
        WORD: cg.Embed(WORD, at=17),
        "AGAAUG": cg.Embed("AGAAUG", at=17),
    }
    design = cg.Design(null=NULL, arms=arms, n_units=200, contrasts="placebo")
    return cg.run(design, ORACLE, rng=7, progress=False)


@cache
def estimates() -> xr.Dataset:
    return cg.estimate(cg.contrast(outcomes()))


@cache
def exact() -> xr.Dataset:
    arms = {"none": cg.Untreated(), WORD: cg.Embed(WORD, at=17)}
    design = cg.Design(null=NULL, arms=arms, n_units=50, contrasts="none")
    return cg.contrast(cg.run(design, ORACLE, rng=7, progress=False))


@cache
def parallel() -> xr.Dataset:
    arms = {"none": cg.Untreated(), WORD: cg.Embed(WORD, at=17)}
    design = cg.Design(null=NULL, arms=arms, n_units=60, assignment="parallel")
    return cg.contrast(cg.run(design, ORACLE, rng=3, progress=False), control="none")


@cache
def many() -> xr.Dataset:
    """Forty given effects, of which ten are of size 1."""
    rng = np.random.default_rng(0)
    effect = rng.normal(0, 0.1, 40) + (np.arange(40) < 10)
    return cg.from_effects(effect, se=0.1, names=[f"w{i}" for i in range(40)])


@cache
def gated() -> xr.Dataset:
    """An effect that other backgrounds change."""
    network = cg.FunctionPredictor(
        lambda x: x[:, 0, 20] * (1 + x[:, 2, :].mean(1) * 4), tasks=["y"], scale="y"
    )
    arms = {"T": cg.Embed("T", at=20), "A": cg.Embed("A", at=20)}
    design = cg.Design(null=cg.Uniform(length=100), arms=arms, n_units=200)
    analysis = cg.Analysis(control="T", rope=(-1.8, 1.8))
    return cg.run(design, network, rng=7, analysis=analysis, progress=False)


@cache
def counts() -> xr.Dataset:
    """A simulated assay: a mutant changes some of forty elements."""
    rng = np.random.default_rng(5)
    log2 = rng.normal(size=(40, 1)) + np.array([0, 0.8, 0]) * (
        rng.random((40, 1)) < 0.4
    )
    table = pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(40)], 3),
            "arm": ["wt", "mut", "same"] * 40,
            "group": np.where(np.arange(120) // 3 < 30, "test", "negative"),
            "log2": log2.ravel(),
        }
    )
    return cg.mpra.simulate(table, n_barcodes=8, n_replicates=4, rng=1)


def predicted() -> xr.Dataset:
    """Effects that a network predicts for the elements of the assay."""
    rng = np.random.default_rng(2)
    y = np.column_stack([np.zeros(40), rng.normal(0.3, 0.3, 40), np.zeros(40)])
    arms = {"element": np.repeat([f"e{i}" for i in range(40)], 3)}
    table = pd.DataFrame(arms | {"arm": ["wt", "mut", "same"] * 40, "y": y.ravel()})
    found = cg.from_frame(
        table, outcome="y", arm="arm", unit="element", scale="log counts"
    )
    return cg.contrast(found, control="wt")


def verified() -> str:
    network = cg.FunctionPredictor(
        lambda x: x[:, 0].sum(-1), tasks=["y"], scale="y", fingerprint="A"
    )
    arms = {"T": cg.Embed("T", at=20), "A": cg.Embed("A", at=20)}
    design = cg.Design(null=cg.Uniform(length=100), arms=arms, n_units=50)
    analysis = cg.Analysis(control="T", rope=(-1.8, 1.8))
    path = folder() / "lock.toml"
    protocol = cg.Protocol(design, analysis, predictor=network, rng=7).lock(path)
    outcomes = protocol.run(design, network, progress=False)
    found = [
        cg.verify(path, cg.analyze(one))
        for one in (outcomes, outcomes.isel(unit=slice(40)))
    ]
    return "\n".join(str(one).partition(" (protocol")[0] for one in found)


def reported(table: object) -> str:
    return str(cg.report(table, notes=True))


def methods_of(table: xr.Dataset) -> str:
    """The paragraph without the versions, seeds and fingerprints at its end."""
    return cg.methods(table).partition("Computed with")[0].rstrip()


def few() -> xr.Dataset:
    """Effects of eight units."""
    ice = np.random.default_rng(0).normal(0.5, 1, (8, 3, 1))
    coords = {"contrast": list("abc"), "task": ["t"]}
    return xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}, coords)


OTHERS: dict[str, Callable[[], str]] = {
    "estimate": lambda: reported(estimates()),
    "estimate, in sentences": lambda: str(cg.report(estimates(), sentences=True)),
    "estimate, exactly these units": lambda: reported(
        cg.estimate(exact(), target="units")
    ),
    "estimate, parallel": lambda: reported(cg.estimate(parallel())),
    "simultaneous": lambda: reported(cg.simultaneous(cg.contrast(outcomes()), rng=0)),
    "decide": lambda: reported(cg.decide(estimates(), rope=(-0.2, 0.2))),
    "decide, one by one": lambda: reported(
        cg.decide(estimates(), rope=(-0.2, 0.2), error="each")
    ),
    "decide, none wrong": lambda: reported(
        cg.decide(estimates(), rope=(-0.2, 0.2), error="fwer")
    ),
    "decide, a posterior": lambda: reported(
        cg.decide(
            cg.infer(many().isel(contrast=slice(4, 16)), rng=0),
            rope=(-0.2, 0.2),
        )
    ),
    "hypotheses": lambda: reported(
        cg.estimate(
            cg.estimation.hypotheses(cg.contrast(outcomes()), f"{WORD} - AGAAUG = 0")
        )
    ),
    "methods": lambda: methods_of(cg.decide(estimates(), rope=(-0.2, 0.2))),
    "methods, parallel": lambda: methods_of(cg.estimate(parallel())),
    "methods, a posterior": lambda: methods_of(
        cg.decide(cg.infer(many(), rng=0), rope=(-0.2, 0.2))
    ),
    "refute": lambda: str(
        cg.report(
            cg.refute(outcomes(), ORACLE, rng=8, positive=WORD).sel(
                check=["positive control", "beyond placebos", "strand", "tipping shift"]
            )
        )
    ),
    "tipping_point": lambda: reported(cg.tipping_point(gated())),
    "verify": verified,
    "sample_size": lambda: reported(cg.sample_size(sd=1.3, true_effect=0.4)),
    "simultaneous, few clusters": lambda: reported(cg.simultaneous(few())),
    "mpra.fit": lambda: reported(cg.mpra.fit(counts(), control="wt", method="two_way")),
    "mpra.average": lambda: reported(
        cg.mpra.average(cg.mpra.fit(counts(), control="wt", method="two_way"))
    ),
    "mpra.quality": lambda: reported(cg.mpra.quality(counts())),
    "mpra.concordance": lambda: reported(
        cg.mpra.concordance(
            predicted(), cg.mpra.fit(counts(), control="wt", method="two_way")
        )
    ),
}


def written() -> Iterator[str]:
    for name in EXPERIMENTS:
        yield said(f"experiments.{name}", lambda name=name: answered(name))
    yield said("experiments.variants along a track", lambda: answered("variants", GC))
    for name, call in OTHERS.items():
        yield said(name, call)


def said(name: str, call: Callable[[], str]) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = call()
    lines = [
        part
        for line in text.splitlines()
        for part in (textwrap.wrap(line, 88) if len(line) > 100 else [line.rstrip()])
    ]
    return "\n".join([f"## {name}", *lines, "", ""])


if __name__ == "__main__":
    sys.stdout.writelines(written())
