"""Errors, motifs, null models, pictures, plans, predictors, proposals and protocols
that would give another number than was asked for.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import xarray as xr

import causalgia as cg
from causalgia import plot
from causalgia.errors import (
    DataError,
    DesignError,
    EstimateError,
    PredictorError,
    SequenceError,
)
from causalgia.multiplicity import placebo_rank
from causalgia.multiplicity.placebo import placebo_region
from causalgia.planning import minimal_detectable_effect, power, sample_size
from causalgia.sequences import decode, encode

from . import Row

FOLDER = tempfile.TemporaryDirectory(prefix="causalgia-rows-")
EFFECT = ("contrast", "task")


def place(name: str) -> Path:
    """Return a path in a folder of its own, which ends with the tests."""
    return Path(tempfile.mkdtemp(dir=FOLDER.name)) / name


# ---- predictors, several of them, and the next ---------------------------------------

TOKENS = np.random.default_rng(0).integers(0, 4, (37, 11)).astype(np.uint8)


def share_of(row: int, **settings: Any) -> cg.FunctionPredictor:
    settings = {"tasks": ["n"], **settings}
    return cg.FunctionPredictor(lambda x: x[:, row].mean(-1), **settings)


def answers(fn: Any, **settings: Any) -> Any:
    return cg.FunctionPredictor(fn, **settings).predict(TOKENS)


def several(n_models: int) -> xr.Dataset:
    """Effects of two contrasts in one task, of so many predictors."""
    ice = np.random.default_rng(0).normal(size=(9, 2, 1, n_models))
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task", "model"), ice)},
        coords={
            "contrast": ["w0", "w1"],
            "task": ["y"],
            "model": [f"m{j}" for j in range(n_models)],
        },
    )


def ratio_of_the_next() -> Any:
    y = np.random.default_rng(1).gamma(9, 1 / 9, size=(20, 2, 1, 3))
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task", "model"), y)},
        {
            "unit": np.arange(20),
            "arm": ["0", "A"],
            "task": ["K"],
            "model": list("abc"),
        },
    )
    effects = cg.contrast(outcomes, control="0", scale="ratio")
    return cg.estimate(effects, target="next predictor")


PREDICTORS = [
    Row(
        "an answer for a row that was not asked",
        lambda: answers(lambda x: x[:1, 0, 0]),
        PredictorError,
    ),
    Row("an answer of three dimensions", lambda: answers(lambda x: x), PredictorError),
    Row(
        "two outputs of one task",
        lambda: answers(lambda x: x[:, :2, 0], tasks=["only"]),
        PredictorError,
        "tasks",
    ),
    Row(
        "answers that are no real numbers",
        lambda: answers(lambda x: x[:, 0, 0] + 1j),
        PredictorError,
    ),
    Row("a task twice", lambda: share_of(0, tasks=["a", "a"]), PredictorError, "'a'"),
    Row(
        "rows of another alphabet",
        lambda: share_of(0, alphabet="ACGN"),
        PredictorError,
        "alphabet",
    ),
    Row("a dtype of texts", lambda: share_of(0, dtype="U3"), PredictorError, "dtype"),
    Row(
        "tokens beyond 3",
        lambda: share_of(0).predict(TOKENS + np.uint8(1)),
        PredictorError,
    ),
    Row(
        "tokens that are fractions",
        lambda: share_of(0).predict(TOKENS.astype(float)),
        PredictorError,
    ),
    Row(
        "members of other tasks",
        lambda: cg.Ensemble([share_of(0), share_of(1, tasks=["m"])]),
        PredictorError,
        "tasks",
    ),
    Row(
        "members on other scales",
        lambda: cg.Ensemble([share_of(0), share_of(1, scale="log")]),
        PredictorError,
        "scale",
    ),
    Row(
        "members of one name",
        lambda: cg.Ensemble([share_of(0), share_of(1)], names=["x", "x"]),
        PredictorError,
        "'x'",
    ),
    Row(
        "one network twice",
        lambda: cg.Ensemble({"x": share_of(0), "y": share_of(1), "z": share_of(0)}),
        PredictorError,
        "fingerprint",
    ),
    *(
        Row(
            f"one predictor, of {target}",
            lambda target=target: cg.estimate(several(1), target=target),
            EstimateError,
        )
        for target in ("next predictor", "population x predictors")
    ),
    Row(
        "variances of few rows, moderated",
        lambda: cg.estimate(several(3), target="next predictor", variances=True),
        EstimateError,
        "variances",
    ),
    Row(
        "variances that are moderated or not",
        lambda: cg.estimate(several(3), target="population", variances=1),
        EstimateError,
        "variances",
    ),
    Row("a ratio in the next predictor", ratio_of_the_next, EstimateError, "ratio"),
    Row(
        "a posterior of a prediction",
        lambda: cg.infer(cg.estimate(several(3), target="next predictor"), rng=0),
        EstimateError,
        "target",
    ),
]

# ---- errors, posteriors --------------------------------------------------------------


def known_sums() -> xr.Dataset:
    """Estimates of two words and of both together, which are the sum."""
    ice = np.random.default_rng(1).normal(size=(200, 2))
    ice = np.column_stack([ice, ice.sum(axis=1)])
    table = cg.estimate(
        xr.Dataset(
            {"ice": (("unit", "contrast", "task"), ice[:, :, None])},
            {"contrast": ["a", "b", "ab"], "task": ["x"]},
        )
    )
    return table.assign_attrs(errors="known")


def inferred(effect: list[float], se: list[float]) -> Any:
    """Of a table that did not come by from_effects, which looks at it first."""
    table = xr.Dataset(
        {
            "ace": (EFFECT, np.array(effect)[:, None]),
            "se": (EFFECT, np.array(se)[:, None]),
        },
        {"contrast": [f"c{k}" for k in range(len(se))], "task": ["t"]},
    )
    return cg.infer(table, n_draws=4, rng=0)


POSTERIORS = [
    Row(
        "an effect without an error",
        lambda: inferred([1.0, 2.0, 0.5, 1.0], [0.1, np.nan, 0.2, 0.1]),
        DataError,
        "c1",
    ),
    Row(
        "an effect whose square no float holds",
        lambda: inferred([1.0, 1e155, 0.5, 1.0], [0.1, 1e10, 0.2, 0.1]),
        EstimateError,
        "c1",
    ),
    Row(
        "known errors of effects and of their sum",
        lambda: cg.infer(known_sums(), n_draws=4, rng=0),
        EstimateError,
        "ab",
    ),
]

# ---- null models and what a trial is told of the data --------------------------------

TWO = {"control": cg.Placebo("AGATAAG", at=40), "GATA": cg.Embed("AGATAAG", at=40)}


def ran(**settings: Any) -> xr.Dataset:
    design = cg.Design(
        null=cg.Uniform(length=100), arms=TWO, n_units=20, contrasts="control"
    )
    return cg.run(design, share_of(0), rng=0, progress=False, **settings)


def edits_of(text: str) -> Any:
    outcomes = ran().assign_attrs(edits=text)
    return cg.contrast(outcomes, contrasts={"x": {"GATA": -1.0, "control": 1.0}})


NULL_MODELS = [
    Row(
        "a number and its digits as parents",
        lambda: cg.Shuffle(of={1: "ACGT", "1": "TTTT"}),
        DesignError,
        "'1'",
    ),
    Row(
        "parents of two lengths",
        lambda: cg.Shuffle(of=["ACGT", "ACG"]),
        DesignError,
        "of",
    ),
    Row("parents with N", lambda: cg.Shuffle(of=["ACGN"]), DesignError, "'N'"),
    Row(
        "words longer than the parents",
        lambda: cg.KletShuffle(of=["ACGT"], k=5),
        DesignError,
        "k",
    ),
    Row(
        "an order that no parent has",
        lambda: cg.Markov(of=["ACGT"], order=4),
        DesignError,
        "order",
    ),
    Row(
        "more units than sequences",
        lambda: cg.Genomic(of=["ACGT", "AAAA"]).sample(3, rng=0),
        DesignError,
        "2",
    ),
    Row(
        "a part of the draws of a parent",
        lambda: cg.Genomic(of=["ACGT"], n_draws=2).sample(1, rng=0),
        DesignError,
        "2",
    ),
    Row(
        "real sequences of another length",
        lambda: ran(real=["A" * 60, "C" * 60]),
        DesignError,
        "60 bp",
    ),
    Row(
        "real sequences that a null model does not have",
        lambda: ran(real="parents"),
        DesignError,
        "parents",
    ),
    Row("edits that are cut", lambda: edits_of("["), DataError, "edits"),
]

# ---- files of patterns ---------------------------------------------------------------

FLANKED = "TCGATAAGCA"
HITS = (
    "chr\tstart\tend\tstart_untrimmed\tend_untrimmed\tmotif_name\thit_coefficient\t"
    "hit_coefficient_global\thit_correlation\thit_importance\tstrand\tpeak_name\tpeak_id\n"
)
MEME = "MEME version 5\nMOTIF a\nletter-probability matrix: w= 1\n1 0 0 0\n"
ONE = ("chr1", 12, 0, 4)


def modisco(**tables: Any) -> Path:
    """A file as tfmodisco-lite 2 writes it, with other tables."""
    path = place("modisco.h5")
    letters = np.eye(4)[encode([FLANKED])[0]]
    with h5py.File(path, "w") as file:
        group = file.create_group("pos_patterns").create_group("pattern_0")
        group["sequence"] = tables.get("sequence", letters * 0.94 + 0.015)
        group["contrib_scores"] = tables.get("contrib_scores", letters)
        group["hypothetical_contribs"] = letters
        seqlets = group.create_group("seqlets")
        seqlets["n_seqlets"] = np.array([90])
        for key in ("start", "end", "example_idx", "is_revcomp"):
            seqlets[key] = np.zeros(90, dtype=int)
    return path


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:3_000])
    return path


def written(text: str, name: str) -> Path:
    path = place(name)
    path.write_text(text)
    return path


def genome() -> Path:
    letters = list("C" * 80)
    letters[12:16], letters[45:49] = "GATA", "GATT"
    return written(f">chr1\n{''.join(letters)}\n", "genome.fa")


def hits(*lines: tuple[Any, ...]) -> Path:
    """Hits (chromosome, start, peak, width) of GATA as FiNeMo writes them."""
    text = HITS
    for chromosome, start, peak, width in lines:
        stop = start + width
        columns = (chromosome, start, stop, start - 2, stop + 2, "GATA", 1.0, 2.0)
        text += "\t".join(map(str, (*columns, 0.91, 0.4, "+", f"p{peak}", peak))) + "\n"
    return written(text, "hits.tsv")


PATTERNS = [
    *(
        Row(
            f"a pattern whose {name} are {what}",
            lambda name=name, table=table: cg.read_patterns(modisco(**{name: table})),
            SequenceError,
        )
        for name, what, table in (
            ("sequence", "five letters", np.ones((10, 5))),
            ("sequence", "turned", np.ones((4, 10))),
            ("sequence", "shorter", np.ones((9, 4))),
            ("sequence", "no frequencies", np.zeros((10, 4))),
            ("contrib_scores", "no numbers", np.full((10, 4), np.nan)),
        )
    ),
    Row("a file cut", lambda: cg.read_patterns(cut(modisco())), SequenceError, ".h5"),
    Row(
        "a genome for patterns",
        lambda: cg.read_patterns(modisco(), genome=genome()),
        SequenceError,
        "genome",
    ),
    Row(
        "hits without a genome",
        lambda: cg.read_patterns(hits(ONE)),
        SequenceError,
        "genome",
    ),
    Row(
        "a hit on no chromosome",
        lambda: cg.read_patterns(hits(("NA", 2, 0, 4)), genome=genome()),
        SequenceError,
        "chromosome",
    ),
    Row(
        "hits of two widths",
        lambda: cg.read_patterns(hits(ONE, ("chr1", 12, 0, 5)), genome=genome()),
        SequenceError,
        "[4, 5]",
    ),
    Row(
        "a hit of no strand",
        lambda: cg.read_patterns(
            written("chr1\t12\t16\tGATA\t9\t.\n", "either.bed"), genome=genome()
        ),
        SequenceError,
        "strand",
    ),
    Row(
        "a line cut",
        lambda: cg.read_patterns(
            written(f"{HITS}chr1\t12\tx\n", "hits.tsv"), genome=genome()
        ),
        SequenceError,
        "line 2",
    ),
]

# ---- placebos ------------------------------------------------------------------------


def screen(ace: Any, n_placebos: int, se: float = 0.1) -> xr.Dataset:
    """Contrasts of which the last `n_placebos` are placebos."""
    ace = np.asarray(ace, dtype=float)[:, None]
    table = xr.Dataset({"ace": (EFFECT, ace), "se": (EFFECT, np.full(ace.shape, se))})
    return table.assign_coords(
        contrast=[f"c{i}" for i in range(len(ace))],
        task=["t"],
        is_placebo=("contrast", np.arange(len(ace)) >= len(ace) - n_placebos),
    )


PLACEBOS = [
    Row(
        "39 words for a share of 0.95",
        lambda: placebo_region(screen(np.arange(40.0), 39)),
        EstimateError,
        "39",
    ),
    Row(
        "100 words for a share of 0.99",
        lambda: placebo_region(screen(np.arange(100.0), 100), share=0.99),
        EstimateError,
        "199",
    ),
    Row(
        "words that differ by their errors alone",
        lambda: placebo_region(
            screen(np.random.default_rng(0).normal(0, 0.05, 50), 50)
        ),
        EstimateError,
        "task t",
    ),
    Row(
        "words that do not differ",
        lambda: placebo_region(screen(np.ones(50), 50, se=0.0)),
        EstimateError,
        "task t",
    ),
    Row(
        "ranks among no word",
        lambda: placebo_rank(cg.from_effects([1.0], [1.0])),
        EstimateError,
    ),
]

# ---- plans ---------------------------------------------------------------------------


@cache
def pilot(n_models: int = 0) -> xr.Dataset:
    rng = np.random.default_rng(0)
    if not n_models:
        ice = rng.normal(size=(30, 1, 1))
        coords = {"contrast": ["c0"], "task": ["K"]}
        return xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}, coords)
    ice = rng.normal(size=(30, 1, 1, n_models)) + rng.normal(size=n_models)
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task", "model"), ice)},
        {
            "contrast": ["c0"],
            "task": ["K"],
            "model": [f"m{j}" for j in range(n_models)],
        },
    )


def ratio(y: np.ndarray) -> xr.Dataset:
    coords = {"unit": np.arange(len(y)), "arm": ["0", "A"], "task": ["K"]}
    outcomes = xr.Dataset({"outcome": (("unit", "arm", "task"), y[:, :, None])}, coords)
    return cg.contrast(outcomes, control="0", scale="ratio")


@cache
def clear_ratio() -> xr.Dataset:
    gamma = np.random.default_rng(1).gamma(9, 1 / 9, size=(40, 2))
    return ratio(np.array([10.0, 30.0]) * gamma)


@cache
def unclear_ratio() -> xr.Dataset:
    y = np.random.default_rng(6).normal(1.6, 2, size=(30, 1))
    return ratio(np.hstack([y, 3 + y]))


def holed_ratio() -> xr.Dataset:
    found = cg.estimate(clear_ratio())
    return found.assign(measured=xr.zeros_like(found["ace"], bool))


PLANS = [
    Row(
        "two goals",
        lambda: sample_size(pilot(), half_width=0.1, rope=0),
        EstimateError,
        "half_width",
    ),
    Row(
        "a pilot and a spread",
        lambda: sample_size(pilot(), sd=1.0, half_width=0.1),
        EstimateError,
        "sd",
    ),
    Row(
        "percent as a probability",
        lambda: sample_size(pilot(), half_width=0.1, ci_prob=95),
        EstimateError,
        "ci_prob",
    ),
    Row(
        "an error rate as a probability",
        lambda: sample_size(sd=1, true_effect=0.2, ci_prob=0.05),
        EstimateError,
        "ci_prob",
    ),
    Row(
        "an effect at the end of the region",
        lambda: sample_size(sd=1.0, true_effect=0.5, rope=(-0.5, 0.5)),
        EstimateError,
        "region",
    ),
    Row(
        "no effect to be found",
        lambda: sample_size(sd=1.0, true_effect=0.0),
        EstimateError,
        "effect",
    ),
    Row(
        "a width that no number of units has",
        lambda: sample_size(sd=1.0, half_width=1e-7),
        EstimateError,
        "1e-07",
    ),
    Row(
        "a width that these predictors do not have",
        lambda: sample_size(pilot(3), half_width=0.01),
        EstimateError,
        "predictors",
    ),
    Row(
        "a chance that no effect has",
        lambda: minimal_detectable_effect(pilot(), n_units=20, power=0.04),
        EstimateError,
        "0.04",
    ),
    Row(
        "errors of the units that were drawn",
        lambda: sample_size(cg.estimate(pilot(), target="units"), half_width=0.1),
        EstimateError,
        "units",
    ),
    Row(
        "an interval of several rows",
        lambda: sample_size(pilot(), half_width=0.1, n_contrasts=3),
        EstimateError,
        "n_contrasts",
    ),
    Row(
        "a region turned",
        lambda: sample_size(pilot(), rope=(0.1, -0.1)),
        EstimateError,
        "rope",
    ),
    Row(
        "a region of placebos that are not there",
        lambda: power(pilot(), n_units=20, rope="placebo"),
        EstimateError,
        "placebo",
    ),
    Row(
        "a region of another task",
        lambda: power(pilot(), n_units=20, rope={"L": (-1, 1)}),
        EstimateError,
        "'L'",
    ),
    Row(
        "a ratio of 0",
        lambda: power(clear_ratio(), n_units=20, true_effect=0.0),
        EstimateError,
        "ratio",
    ),
    Row(
        "a region below a ratio",
        lambda: power(clear_ratio(), n_units=20, true_effect=1.0, rope=(-0.1, 1.1)),
        EstimateError,
        "ratio",
    ),
    Row(
        "a pilot with a row that has no effect",
        lambda: sample_size(holed_ratio(), half_width=0.1),
        EstimateError,
        "A",
    ),
    Row(
        "a ratio over a mean that may be 0",
        lambda: sample_size(unclear_ratio(), half_width=0.1),
        EstimateError,
        "ratio",
    ),
]

# ---- pictures ------------------------------------------------------------------------


def drawn(**coords: Any) -> xr.Dataset:
    ace = np.array([1.0, 2.0, -3.0, 7.0])[:, None]
    limits = {"lower": (EFFECT, ace - 0.1), "upper": (EFFECT, ace + 0.1)}
    return xr.Dataset(
        {"ace": (EFFECT, ace), **limits},
        coords={"contrast": list("abcd"), "task": ["K"]}
        | {key: ("contrast", values) for key, values in coords.items()},
    )


def letters_of(values: Any, bases: str = "ACGT") -> xr.Dataset:
    return xr.Dataset(
        {"ace": (("position", "base"), values)},
        coords={"base": list(bases), "position": np.arange(len(values))},
    )


PICTURES = [
    Row(
        "two contrasts in one cell",
        lambda: plot.heatmap(
            drawn(first=["B", "A", "A", ""], step=[5, 5, 5, 5]),
            rows="first",
            columns="step",
        ),
        EstimateError,
        "first",
    ),
    Row(
        "letters without an end",
        lambda: plot.logo(letters_of([[np.inf, 0, 0, 0]])),
        DataError,
    ),
    Row(
        "a letter that is none",
        lambda: plot.logo(letters_of([[1.0, 0, 0, 0]], "ACGN")),
        EstimateError,
        "'N'",
    ),
    Row(
        "a curve along names",
        lambda: plot.curve(drawn(site=list("wxyz"), step=[1, 2, 3, 4]), x="site"),
        EstimateError,
        "'step'",
    ),
]

# ---- proposals -----------------------------------------------------------------------

rbfox1 = cg.zoo.oracle("rbfox1_like")


@cache
def planted() -> np.ndarray:
    tokens = np.random.default_rng(1).integers(0, 4, (12, 41)).astype(np.uint8)
    tokens[:, 17:23] = encode(["TGCATG"])[0]
    return tokens


def proposed(change: Any) -> Any:
    """Of seqlets that another called, changed."""
    rows = planted()
    start = [row.find("TGCATG") for row in decode(rows)]
    table = pd.DataFrame({"example_idx": np.arange(12), "start": start})
    table = table.assign(end=table["start"] + 6, attribution=1.0)
    return cg.propose(
        cg.attribute(rows, rbfox1), predictor=rbfox1, seqlets=change(table), rng=0
    )


PROPOSALS = [
    Row(
        "seqlets of other sequences",
        lambda: proposed(lambda t: t.assign(example_idx=t["example_idx"] + 99)),
        PredictorError,
        "example_idx",
    ),
    Row(
        "seqlets beyond the end",
        lambda: proposed(lambda t: t.assign(end=t["end"] + 30)),
        PredictorError,
        "end",
    ),
    Row(
        "seqlets between two bases",
        lambda: proposed(lambda t: t.assign(start=t["start"] + 0.5)),
        PredictorError,
        "start",
    ),
    Row(
        "maps of another predictor",
        lambda: cg.propose(
            cg.attribute(planted(), cg.zoo.oracle("additive")),
            predictor=rbfox1,
            rng=0,
        ),
        PredictorError,
        "predictor",
    ),
]

# ---- protocols -----------------------------------------------------------------------


def protocol(**settings: Any) -> cg.Protocol:
    design = cg.Design(null=cg.Uniform(length=100), arms=TWO, n_units=20)
    given = {"analysis": cg.Analysis(control="control"), "predictor": "0f"}
    return cg.Protocol(design, **(given | settings))


PROTOCOLS = [
    *(
        Row(
            f"a seed {what}",
            lambda seed=seed: protocol(rng=seed),
            TypeError,
            "rng",
        )
        for what, seed in (("below 0", -1), ("that a file does not hold", 2**63))
    ),
    Row(
        "a text that is no fingerprint",
        lambda: protocol(predictor="no such"),
        PredictorError,
        "fingerprint",
    ),
    Row(
        "an analysis of nothing",
        lambda: protocol(analysis=cg.Analysis(rope=0)),
        DesignError,
        "contrasts",
    ),
    Row(
        "a control that is no arm",
        lambda: protocol(analysis=cg.Analysis(control="GATA2")),
        DesignError,
        "GATA2",
    ),
]

ROWS = [
    *PREDICTORS,
    *POSTERIORS,
    *NULL_MODELS,
    *PATTERNS,
    *PLACEBOS,
    *PLANS,
    *PICTURES,
    *PROPOSALS,
    *PROTOCOLS,
]
