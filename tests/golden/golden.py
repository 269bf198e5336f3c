"""Golden tables: the numbers of the library before it is rebuilt, and what differs from them after it.

    python tests/golden/golden.py record [--only estimates,bench] [--case parents]
    python tests/golden/golden.py compare [--only ...] [--case TEXT] [--show 10]

Only public verbs are called, only numbers are kept. A row is known by its weights, settings or place in
the input, never by a label of the library. Everything is seeded. See README.md beside this file.

When a door gets another name, change section 1 (doors and columns) and nothing else.
"""

# The groups are a record: their text stays as it was when the tables were recorded.
# ruff: noqa: B023, B905, C408, C416, E501, E731, N818

import argparse
import gzip
import hashlib
import importlib.util
import inspect
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from functools import reduce
from pathlib import Path

os.environ |= {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}  # two threads move the last bits of the bench

import numpy as np
import pandas as pd

warnings.simplefilter("ignore")
import causalgia as cg  # noqa: E402
from causalgia.multiplicity.adjusted_p import stepwise  # noqa: E402

HERE = Path(__file__).resolve().parent
# tables of others, for the group `public`
SHARED = Path(os.environ.get("CAUSALGIA_SHARED") or "CAUSALGIA_SHARED names no folder")
TOLERANCE = {"relative": 1e-12, "amplified": 0.0, "floor": 1e-9}
BIT_EQUAL = {"outcomes"}  # groups in which numbers are digests: equal or not
# groups of matrix products and of networks in float32, whose last bits differ between processors: of the largest of a column
LEAST_TOLERANCE = {"across": 1e-9, "refute": 1e-9, "torch": 2e-6}

# ------------------------------------------------------------------ 1. doors: names that may change


class Absent(Exception):
    """What a group needs is not installed here."""


class Gone(Exception):
    """A door that was there when the tables were recorded is not there now."""


def door(*paths):
    """Return the first of these names that the library has: door("decide", "old_name")."""
    for path in paths:
        try:
            return reduce(getattr, path.split("."), cg)
        except AttributeError:
            continue
    raise Gone(paths[0])


def call(function, *args, may_go=(), **settings):
    """Call, leaving out the settings in `may_go` that the function no longer has (their value is then its default)."""
    known = inspect.signature(function).parameters
    return function(
        *args, **{k: v for k, v in settings.items() if k in known or k not in may_go}
    )


def experiment(name):
    renamed = {
        "motif_pair": "pair",
        "motif_pairs": "pairs",
        "motif_mutagenesis": "mutagenesis",
    }
    return door(f"experiments.{name}", f"experiments.{renamed.get(name, name)}")


def oracle(name):
    return door("zoo.oracle", "zoo.load")(name)


# A kept column: the names it may have in a table of results.
COLUMNS = {
    "ace": ("ace", "effect", "estimate"), "se": ("se", "std_error"), "df": ("df",), "p": ("p", "p_value"),
    "lower": ("lower", "conf_low"), "upper": ("upper", "conf_high"),
    "p_verdict": ("p_verdict",), "q": ("q",), "verdict": ("verdict",), "rope_lower": ("rope_lower",), "rope_upper": ("rope_upper",),
    "shrunken": ("shrunken",), "shrunken_lower": ("shrunken_lower",), "shrunken_upper": ("shrunken_upper",), "lfsr": ("lfsr",),
}  # fmt: skip
ESTIMATE = ("ace", "se", "df", "p", "lower", "upper")
DECISION = (
    "p_verdict",
    "q",
    "verdict",
    "rope_lower",
    "rope_upper",
    "shrunken",
    "shrunken_lower",
    "shrunken_upper",
    "lfsr",
)
VERDICTS = {"decreases": -1.0, "negligible": 0.0, "increases": 1.0, "undecided": 2.0}


def columns(table, names):
    """Return these columns of a result (a Dataset or a frame) as flat lists of numbers, with None for NaN."""
    kept = {}
    for name in names:
        found = next((k for k in COLUMNS.get(name, (name,)) if k in table), None)
        if found is not None:
            values = np.ravel(np.asarray(table[found]))
            if values.dtype.kind not in "fiub":
                values = [VERDICTS.get(str(v), math.nan) for v in values]
            kept[name] = numbers(values)
    return kept


def numbers(values):
    return [
        float(v) if np.isfinite(v) else None
        for v in np.ravel(np.asarray(values, float))
    ]


# ------------------------------------------------------------------ 2. the book of cases

BOOK, GROUP, WANTED = {}, {}, {"case": ""}


def keep(name, make):
    """Keep what `make` returns (a dict of lists of numbers, or of texts) as the case `name` of the group that is running."""
    name = f"{WANTED['group']}/{name}"
    if WANTED["case"] not in name:
        return
    try:
        BOOK[name] = make()
    except Gone as gone:
        BOOK[name] = {"gone": str(gone)}
    except Exception as error:
        if os.environ.get("GOLDEN_TRACEBACK"):
            traceback.print_exc()
        BOOK[name] = {"refused": type(error).__name__, "why": str(error)[:160]}


def refuse(error):
    raise error


def group(function):
    GROUP[function.__name__] = function
    return function


def seed(*parts):
    return int(hashlib.sha1("/".join(map(str, parts)).encode()).hexdigest()[:8], 16)


def thin(table, most):
    """Return the columns of a long table cut to every k-th row, with the mean and the sd of the whole."""
    n = max((len(v) for v in table.values()), default=0)
    if n <= most:
        return table
    step = -(-n // most)
    whole = {
        f"{k} mean": numbers([np.nanmean(np.array(v, float))]) for k, v in table.items()
    }
    whole |= {
        f"{k} sd": numbers([np.nanstd(np.array(v, float))]) for k, v in table.items()
    }
    return {k: v[::step] for k, v in table.items()} | whole


# ------------------------------------------------------------------ 3. estimates and decisions

KINDS = (
    "crossed",
    "parents_equal",
    "parents_unequal",
    "parents_few",
    "parallel",
    "parallel_unequal",
    "parallel_blocks",
    "parallel_parents",
    "gaps",
    "gaps_parents",
)
LAWS = ("normal", "exponential", "binary", "counts")
SIZES = (2, 12, 60, 240)
SCALES = ("log_of_means", "ratio", "sd")
ARMS = ("c", "w", "v", "wv")
FACTORIAL = {"i": {"wv": 1, "w": -1, "v": -1, "c": 1}}


def outcomes_of(kind, law, n):
    """Return a simulated trial of four arms as outcomes, read by `from_frame`."""
    rng = np.random.default_rng(seed(kind, law, n))
    shift = 0 if law in ("binary", "counts") else np.arange(4) * 0.2
    draw = {
        "normal": lambda s: rng.normal(1, 1, s),
        "exponential": lambda s: rng.exponential(1, s),
        "binary": lambda s: (rng.random(s) < 0.3) * 1.0,
        "counts": lambda s: rng.poisson(2.0, s) * 1.0,
    }
    y = draw[law]((n, 4)) + shift
    frame = pd.DataFrame(
        {
            "u": np.repeat(np.arange(n), 4),
            "arm": np.tile(ARMS, n),
            "y": y.ravel(),
            "x": np.repeat(rng.normal(size=n), 4),
        }
    )
    settings = dict(outcome="y", arm="arm", unit="u", covariates=["x"])
    if "parents" in kind:
        settings["parent"] = "p"
        parents = {
            "parents_few": np.arange(n) % 5,
            "parents_unequal": np.floor(np.sqrt(2 * np.arange(n))).astype(int),
        }
        p = parents.get(kind, np.arange(n) // 4)
        frame["p"] = np.repeat(p, 4)
        if law != "binary":
            frame["y"] += np.repeat(rng.normal(size=p.max() + 1)[p], 4)
    if kind.startswith("parallel"):
        part = np.arange(n) / n
        arm = (
            np.select([part < 0.1, part < 0.2, part < 0.25], [1, 2, 3], 0)
            if kind == "parallel_unequal"
            else np.arange(n) % 4
        )
        frame = frame[frame.arm == np.repeat(np.array(ARMS)[arm], 4)].copy()
        if kind == "parallel_blocks":
            frame["b"] = frame.u % 3
            settings["block"] = "b"
    if kind.startswith("gaps"):
        frame = frame[rng.random(len(frame)) > 0.07]
    return call(door("from_frame"), frame, **settings)


def against_control(outcomes, **settings):
    return door("contrast")(outcomes, control="c", **settings)


@group
def estimates():
    """240 simulated tables by design, law, size; scale, contrast, target, weights, covariate."""
    estimate = door("estimate")
    for kind, law, n in itertools.product(KINDS, LAWS, SIZES):
        name = f"{kind}/{law}/{n}"
        try:
            y = outcomes_of(kind, law, n)
        except Exception as error:
            keep(name, lambda error=error: refuse(error))
            continue
        keep(
            f"{name}/identity", lambda: columns(estimate(against_control(y)), ESTIMATE)
        )
        if n == 2:
            continue
        for scale in SCALES[
            : 2 if kind.startswith("parallel") else 0 if kind.startswith("gaps") else 3
        ]:
            keep(
                f"{name}/{scale}",
                lambda: columns(estimate(against_control(y, scale=scale)), ESTIMATE),
            )
        keep(
            f"{name}/interaction",
            lambda: columns(
                estimate(door("contrast")(y, contrasts=FACTORIAL)), ESTIMATE
            ),
        )
        keep(
            f"{name}/level .8",
            lambda: columns(estimate(against_control(y), ci_prob=0.8), ESTIMATE),
        )
        for target in ("units", "parents") if "parents" in kind else ("units",):
            keep(
                f"{name}/target {target}",
                lambda: columns(estimate(against_control(y), target=target), ESTIMATE),
            )
        if "parents" in kind:
            if kind.startswith("parents"):
                keep(
                    f"{name}/weights clusters",
                    lambda: columns(
                        estimate(against_control(y), weights="clusters"), ESTIMATE
                    ),
                )
            keep(
                f"{name}/cluster none",
                lambda: columns(estimate(against_control(y), cluster="none"), ESTIMATE),
            )
        if kind in ("parallel", "parallel_unequal", "parallel_parents"):
            keep(
                f"{name}/covariate",
                lambda: columns(
                    estimate(against_control(y), covariates=["x"]), ESTIMATE
                ),
            )
    for J, n, target in itertools.product(
        (2, 5), (12, 60), ("population", "population x predictors", "next predictor")
    ):
        rng = np.random.default_rng(seed("predictors", J, n))
        y = (
            rng.normal(size=(n, 1, 1))
            + rng.normal(0.3, 0.2, (1, 2, J)) * np.array([0, 1])[:, None]
            + rng.normal(size=(n, 2, J)) * 0.3
        )
        frame = pd.DataFrame(
            [
                (u, "cw"[a], m, y[u, a, m])
                for u in range(n)
                for a in range(2)
                for m in range(J)
            ],
            columns=["u", "arm", "m", "y"],
        )
        outcomes = door("from_frame")(
            frame, outcome="y", arm="arm", unit="u", model="m"
        )
        keep(
            f"predictors {J}/{n}/{target}",
            lambda: columns(
                estimate(against_control(outcomes), target=target), ESTIMATE
            ),
        )
    y = outcomes_of("parents_equal", "normal", 60)
    keep(
        "hypothesis/a - b = 0.1",
        lambda: columns(
            estimate(
                door("estimation.hypotheses")(against_control(y), ["w - v = 0.1"])
            ),
            ESTIMATE,
        ),
    )
    keep(
        "written contrast",
        lambda: columns(
            estimate(door("contrast")(y, contrasts="(wv - w) - (v - c)")), ESTIMATE
        ),
    )
    keep(
        "covariance of three",
        lambda: {"covariance": numbers(estimate(against_control(y))["covariance"])},
    )
    p = np.r_[np.linspace(1e-6, 1e-3, 20), np.linspace(0.01, 1, 80)]
    for method in ("bh", "holm"):
        keep(
            f"adjusted/{method}",
            lambda: {"q": numbers(stepwise(p, method))},
        )
    keep(
        "band of four",
        lambda: columns(
            door("simultaneous", "estimation.simultaneous")(against_control(y), rng=0),
            ("lower", "upper"),
        ),
    )
    keep(
        "units for a half width",
        lambda: {"n": numbers(door("sample_size")(sd=1.3, half_width=0.2)["n_units"])},
    )
    keep(
        "units for an effect",
        lambda: {
            "n": numbers(
                door("sample_size")(sd=1.3, true_effect=0.4, assurance=0.9)["n_units"]
            )
        },
    )


def effects_table(K, tau, df=None):
    """Return K effects of which 30 % come from N(0, tau^2), with errors of .2 to .5."""
    rng = np.random.default_rng(seed("effects", K, tau))
    se = rng.uniform(0.2, 0.5, K)
    effect = (
        rng.normal(size=K) * np.where(rng.random(K) < 0.3, tau, 0)
        + rng.normal(size=K) * se
    )
    return call(
        door("from_effects"),
        effect,
        se=se,
        df=None if df is None else np.full(K, float(df)),
    )


def every_table():
    """Yield the name of each simulated table with its estimates, without those that the group `estimates` has as refused."""
    for kind, law, n in itertools.product(KINDS, LAWS, SIZES[1:]):
        name = f"{kind}/{law}/{n}"
        make = lambda: door("estimate")(against_control(outcomes_of(kind, law, n)))
        try:
            table = once(f"table {name}", make)
        except Exception:
            continue
        yield name, table


@group
def decisions():
    """Verdicts, q and shrunken effects of the same tables, of experiments and of the bench. This rule changes on purpose once: record the group anew then, and review the difference."""
    decide = door("decide")
    for name, table in every_table():
        keep(
            f"{name}/bounds",
            lambda: columns(decide(table, rope=(-0.1, 0.1)), DECISION),
        )
        keep(
            f"{name}/zero",
            lambda: columns(decide(table, rope=0), DECISION),
        )
    for K, tau, df in itertools.product((3, 12, 30, 400), (0.1, 1.0, 8.0), (None, 9)):
        table = effects_table(K, tau, df)
        for error in ("fdr", "fwer", "each"):
            keep(
                f"effects {K}/{tau}/df {df}/{error}",
                lambda: thin(
                    columns(decide(table, rope=(-0.2, 0.2), error=error), DECISION),
                    60,
                ),
            )
    of_experiments(DECISION)
    keep("bench/simulated", lambda: decided(simulated(), "wt"))


def decided(counts, control):
    """Return what is decided of barcode counts."""
    fitted = door("mpra.fit")(counts, control=control)
    return columns(door("decide")(fitted, rope=0, rng=0), DECISION)


# ------------------------------------------------------------------ 4. posterior


def two_scales(table, **settings):
    return call(
        door("infer"),
        table,
        rng=0,
        **settings,
        may_go=("n_draws",),
    )


def moments(table):
    """Return mean, sd, lfsr and 95 % limits of every effect under the law of two scales."""
    found = two_scales(table)
    draws = np.asarray(found["posterior"]["ace"]).reshape(
        -1, found["moments"]["mean"].size
    )
    lower, upper = np.quantile(draws, [0.025, 0.975], axis=0)
    kept = {k: numbers(found["moments"][k]) for k in ("mean", "sd", "lfsr")}
    return kept | {"lower": numbers(lower), "upper": numbers(upper)}


@group
def posterior():
    """Two scales at K = 12 to 10,000. At K = 12 the library is also compared with a quadrature by brute force (printed at the end)."""
    for K, tau in itertools.product((12, 30, 400), (0.1, 1.0, 8.0)):
        keep(f"two scales {K}/{tau}", lambda: thin(moments(effects_table(K, tau)), 100))
    keep(
        "two scales 10000/1.0/moments",
        lambda: thin(
            {
                k: numbers(
                    two_scales(effects_table(10_000, 1.0), n_draws=8)["moments"][k]
                )
                for k in ("mean", "sd", "lfsr")
            },
            200,
        ),
    )
    keep(
        "two scales 10000/1.0/limits",
        lambda: thin(
            columns(
                door("decide")(
                    effects_table(10_000, 1.0),
                    rope=(-0.2, 0.2),
                    shrink=door("Shrinkage")(all_rows=True),
                    rng=0,
                ),
                DECISION[-4:],
            ),
            200,
        ),
    )
    for case in quadrature():
        keep(
            f"quadrature/{case['name']}",
            lambda: moments(
                door("from_effects")(np.array(case["effect"]), se=np.array(case["se"]))
            ),
        )
    giant = np.r_[15.0, np.random.default_rng(4).normal(size=29) * 0.3]
    keep(
        "two scales 30/one giant",
        lambda: moments(door("from_effects")(giant, se=np.full(30, 0.3))),
    )


def quadrature():
    """Return the cases of quadrature.json, whose means, sds and lfsr are truth and not old code."""
    file = HERE / "quadrature.json"
    return json.loads(file.read_text())["cases"] if file.exists() else ()


def against_truth():
    """Print how far the library is from the quadrature: largest |difference of means| / sd, of sd / sd, of lfsr. It was .008 when recorded."""
    for case in quadrature():
        try:
            found = two_scales(
                door("from_effects")(np.array(case["effect"]), se=np.array(case["se"]))
            )["moments"]
        except Exception as error:
            print(
                f"  quadrature, {case['name']}: {type(error).__name__}: {str(error)[:100]}"
            )
            continue
        mean, sd, lfsr = (
            np.ravel(found[k]) - np.array(case[k]) for k in ("mean", "sd", "lfsr")
        )
        worst = max(
            np.abs(mean / case["sd"]).max(),
            np.abs(sd / case["sd"]).max(),
            np.abs(lfsr).max(),
        )
        gaps = f"mean {np.abs(mean / case['sd']).max():.4f} sd, sd {np.abs(sd / case['sd']).max():.4f}, lfsr {np.abs(lfsr).max():.4f}"
        print(
            f"  quadrature, {case['name']}: {gaps} ({'within' if worst < 0.01 else 'MORE THAN'} .01)"
        )


# ------------------------------------------------------------------ 5. experiments of the catalogue

SITES = {"rbfox1_like": ("UGCAUG", "GCACGA"), "gata1_like": ("AGATAAG", "TGACTCA")}
CONTROLS = ("untreated", "placebo")


def sequences(n, length, name="source"):
    rng = np.random.default_rng(seed(name, n, length))
    return ["".join(rng.choice(list("ACGT"), length)) for _ in range(n)]


def catalogue(zoo, folder):
    """Return {entry: (function of a control, has a control)} with small settings for one oracle."""
    motif, other = SITES[zoo]
    dna = zoo == "gata1_like"
    null = door("Uniform")(length=100 if dna else 41)
    at, n = (45, 60) if dna else (18, 60)
    bare, dna_motif = sequences(10, 80), motif.replace("U", "T")
    source = [
        s[:6] + dna_motif + s[6 + len(motif) :]
        if i % 3
        else s[:45] + dna_motif + s[45 + len(motif) :]
        for i, s in enumerate(bare)
    ]
    spans = [(0, 20), (20, 40), (60, 80)]
    letters = "ACGT" if dna else "ACGU"
    one_off = [
        motif[:i] + ("C" if motif[i] != "C" else "G") + motif[i + 1 :]
        for i in (0, 2, 4)
    ]
    X = experiment
    with_control = {
        "position": lambda c: X("position")(
            null, motif, at=[4, 14, 24], n_units=n, control=c
        ),
        "copies": lambda c: X("copies")(
            null, motif, at=[3, 14, 30], n_units=n, control=c
        ),
        "spacing": lambda c: X("spacing")(
            null,
            motif,
            other,
            gaps=[d - len(motif) for d in (9, 10, 12)],
            n_units=n,
            control=c,
        ),
        "motif_mutagenesis": lambda c: X("motif_mutagenesis")(
            null, motif, at=at, n_units=n, control=c
        ),
        "affinity": lambda c: X("affinity")(
            null,
            dict(zip([motif, *one_off], (1.0, 8.0, 30.0, 100.0), strict=True)),
            at=at,
            n_units=n,
            control=c,
        ),
        "motif_pair": lambda c: X("motif_pair")(
            null,
            motif,
            other,
            gaps=[d - len(motif) for d in (9, 12)],
            n_units=n,
            control=c,
        ),
        "motif_pairs": lambda c: X("motif_pairs")(
            null,
            {"a": motif, "b": other},
            gaps=[d - len(motif) for d in (9, 12)],
            with_self=True,
            n_units=n,
            control=c,
        ),
    }
    without = {
        "kmer_screen": lambda: X("kmer_screen")(
            null,
            motifs=[motif[:6], other[:6], "ACGACG", "GGGCCC"],
            letters=letters,
            n_placebos=40,
            n_units=n,
        ),
        "motif_screen": lambda: X("motif_screen")(
            null, {"a": motif, "b": other, "d": "CACGTG"}, n_placebos=40, n_units=n
        ),
        "composition": lambda: X("composition")(null, motif, n_units=n),
        "hairpin": lambda: X("hairpin")(null, motif[:5], n_units=n),
        "flanks": lambda: X("flanks")(null, motif, at=at, n_flanks=6, n_units=n),
        "knock_in": lambda: X("knock_in")(
            sequences(30, 60), motif, at=20, rope=(-0.1, 0.1)
        ),
        "necessity": lambda: X("necessity")(source, tile_width=20, n_draws=3),
        "sufficiency": lambda: X("sufficiency")(source, tile_width=20, n_draws=3),
        "necessity of sites": lambda: X("necessity")(
            source, motif=motif, n_draws=5, rope=(-0.1, 0.1)
        ),
        "tiles, copied": lambda: X("tiles")(
            source, tiles=[(0, 20)], at=[20, 60], tss=(40, 60), n_draws=3
        ),
        "tiles": lambda: X("tiles")(source, tiles=spans, n_draws=3),
    }
    genome = sequences(1, 4000, "genome")[0]
    (folder / "genome.fa").write_text(">chr1\n" + genome + "\n")
    turn = {"A": "G", "G": "A", "C": "T", "T": "C"}
    lines = [
        f"chr1\t{p}\tv{i}\t{genome[p - 1]}\t{turn[genome[p - 1]]}\t.\tPASS\t."
        for i, p in enumerate(range(300, 3600, 300))
    ]
    lines.append(f"chr1\t3700\tdel\t{genome[3699:3702]}\t{genome[3699]}\t.\tPASS\t.")
    (folder / "v.vcf").write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        + "\n".join(lines)
        + "\n"
    )
    where = (folder / "v.vcf", folder / "genome.fa")
    without["variant_effects"] = lambda: X("variants")(*where, length=61)
    without["variant_screen"] = lambda: X("variants")(
        *where,
        length=61,
        null=door("MatchedVariants")(of="genome", min_nulls=50),
        n_null=200,
    )
    without["variants_across_contexts"] = lambda: X("variants")(
        *where, null=null, n_null=20
    )
    return {k: (v, True) for k, v in with_control.items()} | {
        k: (lambda c, v=v: v(), False) for k, v in without.items()
    }


def rows_of(analyzed, names):
    """Return these columns of every row of an experiment, in an order that depends on no label.

    An arm is known by its mean outcome in every task; a row by its weights on such arms.
    """
    outcomes, decided = analyzed
    y = outcomes["outcome"].transpose("unit", "arm", ...).values
    mean = np.nanmean(y.reshape(*y.shape[:2], -1), axis=0)
    arm = ["|".join(f"{round(v, 9) + 0.0:.5g}" for v in row) for row in mean]
    table = columns(decided.transpose("contrast", "task", ...), ("ace", *names))
    if "weight" in decided:
        weight = decided["weight"].transpose("contrast", "arm").values
        keys = [
            " ".join(sorted(f"{w:+.6g}({a})" for w, a in zip(row, arm) if w))
            for row in weight
        ]
    else:  # rows that are no contrasts of arms: by their effect
        keys = [""] * decided.sizes["contrast"]
    tasks = decided.sizes["task"]
    order = sorted(
        range(len(keys) * tasks),
        key=lambda i: (
            keys[i // tasks],
            i % tasks,
            table["ace"][i] is None,
            table["ace"][i] or 0,
        ),
    )
    return {
        "row": [hashlib.sha1(keys[i // tasks].encode()).hexdigest()[:8] for i in order]
    } | {k: [v[i] for i in order] for k, v in table.items() if k in names}


def every_experiment():
    """Yield the name of each experiment with what makes its outcomes and decisions, once for all groups."""
    with tempfile.TemporaryDirectory() as folder:
        for zoo in SITES:
            predictor = oracle(zoo)
            for entry, (make, has_control) in catalogue(zoo, Path(folder)).items():
                for control in CONTROLS if has_control else ("",):

                    def analyzed():
                        plan = make(control)
                        y = door("run")(plan, predictor, rng=0, progress=False)
                        return y, plan.analyze(y, rng=0).decisions

                    name = f"{zoo}/{entry}{'/' * has_control}{control}"
                    yield name, lambda: once(f"experiment {name}", analyzed)


def of_experiments(names):
    for name, make in every_experiment():
        keep(name, lambda: rows_of(make(), names))


@group
def experiments():
    """Every entry of the catalogue, with both controls where it has them, on two oracles: estimates. Their decisions are in that group."""
    of_experiments((*ESTIMATE, "rope_lower", "rope_upper"))


# ------------------------------------------------------------------ 6. the bench

PUBLIC = SHARED / "data" / "mpra_public"
METHODS = ("hierarchical", "two_way")


def totals(counts):
    kept = {
        k: numbers(counts[k].sum([d for d in counts[k].dims if d != "replicate"]))
        for k in ("dna", "rna")
    }
    return kept | {
        "sizes": numbers(
            [
                counts.sizes[d]
                for d in ("barcode", "oligo", "replicate")
                if d in counts.sizes
            ]
        )
    }


def crx(folder):
    """Return files of 150 elements of the CRX library, wild type and mutant."""
    raw = pd.read_csv(
        SHARED / "data/mpra/crx_rho_library1/barcode_counts.tsv.gz", sep="\t"
    )
    raw[["element", "arm"]] = raw.label.str.rsplit("_", n=1, expand=True)
    raw = raw[raw.arm.isin(["WT", "MUT-allCrxSites"])]
    both = raw.groupby("element").arm.nunique()
    raw = raw[raw.element.isin(sorted(both[both == 2].index)[:150])]
    side = (
        raw.drop_duplicates("label")
        .rename(columns={"label": "oligo_name"})[["oligo_name", "element", "arm"]]
        .assign(group="test")
    )
    side.to_csv(folder / "crx_side.tsv", sep="\t", index=False)
    raw.drop(columns=["element", "arm"]).to_csv(
        folder / "crx.tsv", sep="\t", index=False
    )
    return folder / "crx.tsv", folder / "crx_side.tsv"


def layouts(folder):
    """Return the BCalm excerpt written in other layouts; every one of them holds the same counts."""
    wide = pd.read_csv(PUBLIC / "bcalm12_counts.tsv", sep="\t")
    long = pd.concat(
        [
            wide[["barcode", "oligo_name", f"dna_count_{r}", f"rna_count_{r}"]]
            .set_axis(["barcode", "oligo_name", "dna_count", "rna_count"], axis=1)
            .assign(replicate=r)
            for r in (1, 2, 3)
        ]
    )
    written = {
        "comma": (wide, dict(sep=",")), "gzip": (wide, dict(sep="\t")), "shuffled rows": (wide.sample(frac=1, random_state=1), dict(sep="\t")),
        "shuffled columns": (wide[wide.columns[::-1]], dict(sep="\t")), "long": (long, dict(sep="\t")),
        "capitals": (wide.rename(columns=lambda c: c.replace("dna_count", "DNA").replace("rna_count", "RNA")), dict(sep="\t")),
        "named Barcode": (wide.rename(columns={"barcode": "Barcode"}), dict(sep="\t")),
    }  # fmt: skip
    for name, (table, how) in written.items():
        path = folder / (
            f"{name.replace(' ', '_')}.tsv" + (".gz" if name == "gzip" else "")
        )
        table.to_csv(path, index=False, **how)
        yield name, path


def simulated():
    rng = np.random.default_rng(5)
    log2 = rng.normal(size=(40, 1)) + np.array([0, 0.8, 0.0]) * (
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
    return door("mpra.simulate")(table, n_barcodes=8, n_replicates=4, rng=1)


BCALM = PUBLIC / "bcalm12_side.tsv"


def public_tables(folder):
    """Return {name: (function that reads the counts of others, control arm)}."""
    read = door("mpra.read_counts")
    counts, side = crx(folder)
    zheng = lambda **which: read(
        PUBLIC / "zheng120_rhom.tsv", side_table=PUBLIC / "zheng120_side.tsv", **which
    )
    return {
        "bcalm12": (
            lambda: read(PUBLIC / "bcalm12_counts.tsv", side_table=BCALM),
            "ref",
        ),
        "tewhey60 sums": (
            lambda: read(
                PUBLIC / "tewhey60_sums.tsv", side_table=PUBLIC / "tewhey60_side.tsv"
            ),
            "A",
        ),
        "zheng120": (zheng, "WT"),
        "zheng120 without the empty replicate": (
            lambda: zheng(replicates=["1", "2", "3"]),
            "WT",
        ),
        "crx150": (
            lambda: door("mpra.filter")(
                read(counts, side_table=side), min_dna=10, min_barcodes=1
            ),
            "WT",
        ),
    }


def of_counts(name, make, control):
    """Keep what the bench says of a table of counts."""
    fit = door("mpra.fit")
    keep(f"{name}/totals", lambda: totals(make()))
    try:
        table = make()
    except Exception:
        return
    for method in METHODS:
        keep(
            f"{name}/{method}",
            lambda: columns(fit(table, control=control, method=method), ESTIMATE),
        )
    keep(
        f"{name}/average",
        lambda: columns(door("mpra.average")(fit(table, control=control)), ESTIMATE),
    )
    keep(
        f"{name}/activity",
        lambda: thin(
            columns(door("mpra.outcomes")(table), ("outcome", "n_barcodes")),
            150,
        ),
    )
    keep(
        f"{name}/components",
        lambda: {
            k: numbers(v)
            for k, v in door("mpra.components")(
                table, control=control
            ).data_vars.items()
            if v.dtype.kind in "fi"
        },
    )


# what the verbs of the bench keep, by name: what is left out may go
CONCORDANCE = ("n", "pearson", "spearman", "noise_ceiling", "pearson_disattenuated", "reliability", "tau", "scatter", "n_hits", "sign_agreement", "auroc", "intercept", "slope", "intercept_se", "slope_se", "slope_lower", "slope_upper", "line_p", "z", "p_off", "q_off")  # fmt: skip
ACTIVITY = ("activity", "se", "df", "p", "q", "lower", "upper", "p_rank", "quantile", "active", "n_barcodes")  # fmt: skip
POWERED = ("classical_ace", "classical_se", "classical_lower", "classical_upper", "ace", "se", "df", "lower", "upper", "p", "r", "width_ratio")  # fmt: skip


def truth_of(n, arms=("wt", "mut"), effect=0.8, name="truth"):
    """Return elements under arms, of which every second has an effect."""
    rng = np.random.default_rng(seed(name, n, *arms))
    log2 = rng.normal(size=(n, 1)) + effect * np.arange(len(arms)) * (np.arange(n) % 2)[:, None]  # fmt: skip
    return pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(n)], len(arms)),
            "arm": list(arms) * n,
            "group": np.repeat(np.where(np.arange(n) < 0.7 * n, "test", "negative"), len(arms)),
            "log2": log2.ravel(),
        }
    )  # fmt: skip


def made_counts(
    n=40, arms=("wt", "mut"), effect=0.8, rng=1, n_barcodes=8, n_replicates=3, **noise
):
    return door("mpra.simulate")(
        truth_of(n, arms, effect),
        n_barcodes=n_barcodes,
        n_replicates=n_replicates,
        noise=door("mpra.NoiseModel")(**noise) if noise else None,
        rng=rng,
    )


def as_numbers(table, names=None):
    """Return the numeric variables of a result, of these names where it has them."""
    return thin(
        {
            k: numbers(v)
            for k, v in table.data_vars.items()
            if v.dtype.kind in "fiub" and (names is None or k in names)
        },
        120,
    )


OLIGOS = ["ref", "alt", "ref", "alt"]
READS = {"d1": [10, 12, 8, 4], "r1": [20, 0, 9, 5], "d2": [11, 9, 7, 6], "r2": [15, 3, 30, 8]}  # fmt: skip
TAGS = ["AACCGGTT", "CCGGTTAA", "GGTTAACC", "TTAACCGG"]


def small_tables(folder):
    """Return {layout: (function that reads it)}; all hold the same four barcodes in two replicates, or their sums."""
    read = door("mpra.read_counts")
    side = pd.DataFrame({"oligo_name": ["ref", "alt"], "element": "e", "arm": ["ref", "alt"], "group": "test"})  # fmt: skip
    rows = list(zip(TAGS, OLIGOS, *(READS[k] for k in ("d1", "r1", "d2", "r2"))))

    def written(name, text):
        path = folder / name
        path.write_text(text)
        return path

    def wide(name, header, separator="\t", body=rows):
        lines = [separator.join(map(str, row)) for row in body]
        return written(name, "\n".join([header, *lines]) + "\n")

    plain = "barcode\toligo_name\tdna_count_1\trna_count_1\tdna_count_2\trna_count_2"
    one = lambda path, **which: lambda: read(path, side_table=side, **which)
    tables = {
        "IGVF": one(wide("igvf.tsv", plain)),
        "capitals": one(wide("capitals.tsv", plain.upper())),
        "commas": one(wide("commas.csv", plain.replace("\t", ","), ",")),
        "semicolons": one(wide("semicolons.csv", plain.replace("\t", ";"), ";")),
        "short": one(wide("short.tsv", "BC\tOligo\tDNA1\tRNA1\tDNA2\tRNA2")),
        "prefix": one(wide("prefix.tsv", "bc\toligo\trep1_DNA\trep1_RNA\trep2_DNA\trep2_RNA")),
        "BCalm": one(wide("bcalm.tsv", plain.replace("barcode\toligo_name", "Barcode\tname"))),
        "a row an oligo": one(wide("sums.csv", "Oligo,DNA_1,RNA_1,DNA_2,RNA_2", ",", [("ref", 100, 200, 110, 190), ("alt", 300, 200, 310, 290)])),
        "reporter_experiment": one(wide("re.tsv", "replicate\toligo_name\tdna_counts\trna_counts\tlog2FoldChange\tn_bc", body=[(r, o, 100 + r, 200 + len(o) * r, 1.04, 12) for o in ("ref", "alt") for r in (1, 2)])),
        "one pool of DNA": one(wide("pool.tsv", "barcode\toligo_name\tplasmid\trna_count_1\trna_count_2", body=[(b, o, d, r, s) for b, o, d, r, _, s in rows])),
    }  # fmt: skip
    header = "barcode\toligo_name\tdna_count\trna_count"
    files = {
        str(r): wide(
            f"rep{r}.tsv", header, body=[(t, o, *x[2 * r - 2 : 2 * r]) for t, o, *x in rows]
        )
        for r in (1, 2)
    }  # fmt: skip
    tables["a file a replicate"] = one(files)
    bare = {
        str(r): written(
            f"bare{r}.tsv",
            "".join(f"{t}\t{x[2 * r - 2]}\t{x[2 * r - 1]}\n" for t, _, *x in rows),
        )
        for r in (1, 2)
    }
    assigned = pd.DataFrame({"barcode": TAGS, "oligo": OLIGOS})
    tables["MPRAflow"] = one(bare, assignment=assigned)
    return tables


def saturated(folder):
    """Return counts of barcodes that carry several of twelve variants, as MPRAflow writes them."""
    rng = np.random.default_rng(seed("saturated"))
    n, k = 240, 12
    carried = rng.random((n, k)) < 2 / k
    letters = np.array([*"ACGT"])
    tags = ["".join(row) for row in letters[np.arange(n)[:, None] >> 2 * np.arange(8) & 3]]  # fmt: skip
    amount = 60 * rng.lognormal(0, 0.8, (n, 1)) * np.ones(3)
    log2 = carried @ np.where(np.arange(k) % 2, 0.5, 0.0) + rng.normal(0, 0.4, n)
    dna, rna = rng.poisson(amount), rng.poisson(amount * 2 ** log2[:, None])
    variants = folder / "variants.txt"
    variants.write_text(
        "".join(
            f"{tag} {' '.join(f'T:{v + 1}:A>C' for v in np.flatnonzero(row))}\n"
            for tag, row in zip(tags, carried)
        )
    )
    files = {}
    for r in range(3):
        files[str(r + 1)] = folder / f"saturated{r}.tsv"
        lines = [f"{t}\t{d}\t{x}\n" for t, d, x in zip(tags, dna[:, r], rna[:, r])]
        files[str(r + 1)].write_text("".join(lines))
    return door("mpra.read_counts")(files, assignment=variants, side_table=variants)


def libraries():
    """Return {name: function that makes a library}."""
    embed, placebo = door("Embed")("AGATAAG", at=30), door("Placebo")("AGATAAG", at=30)
    arms = {"untreated": door("Untreated")(), "placebo": placebo, "GATA1": embed}
    adapters = ("ACTGGCCGCTTCACTG", "AGATCGGAAGAGCGTCG")
    make = lambda null, n, length=103, adapters=adapters, **settings: door("mpra.library")(
        door("Design")(null=null, arms=arms, n_units=n),
        oligo_length=length,
        adapters=adapters,
        rng=7,
        **settings,
    )  # fmt: skip
    controls, uniform = door("mpra.Controls"), door("Uniform")(length=70)
    rules = door("mpra.BarcodeRules")(length=10)
    return {
        "random": lambda: make(uniform, 20, controls=controls(n_scrambles=10)),
        "given": lambda: make(door("Genomic")(of=sequences(15, 70, "ordered")), 15, controls=controls(n_scrambles=5, positives=sequences(3, 70, "positive"))),
        "barcodes": lambda: make(uniform, 8, 119, (adapters[0], "TCTAGA", adapters[1]), controls=controls(n_scrambles=4), barcodes_per_oligo=3, barcode_rules=rules),
    }  # fmt: skip


def ordered(library, folder):
    """Return the digest of the oligos that are ordered, and how many."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "oligos.fa"
    door("mpra.to_fasta")(library, path)
    oligos = [x for x in path.read_text().split("\n") if not x.startswith(">")]
    return {
        "sha": [hashlib.sha1("\n".join(oligos).encode()).hexdigest()],
        "n": [float(len(oligos))],
    }


def of_verbs(folder):
    """Keep what each verb of the bench says of simulated counts."""
    fit, power = door("mpra.fit"), door("mpra.power")
    components, average = door("mpra.components"), door("mpra.average")
    counts = lambda **which: once(f"counts {which}", lambda: made_counts(**which))
    fitted = lambda **which: once(
        f"fit {which}", lambda: fit(counts(**which), control="wt")
    )
    keep("verbs/activity", lambda: as_numbers(door("mpra.activity")(simulated()), ACTIVITY))  # fmt: skip
    keep("verbs/activity above .9", lambda: as_numbers(door("mpra.activity")(simulated(), above=0.9), ACTIVITY))  # fmt: skip
    two = lambda arms, **stim: {"rest": counts(arms=arms), "stim": counts(arms=arms, **stim)}  # fmt: skip
    conditions = door("mpra.conditions")
    keep("verbs/conditions", lambda: thin(columns(conditions(two(("wt", "mut"), rng=2), control="rest", arm_control="wt"), ESTIMATE), 120))  # fmt: skip
    keep("verbs/conditions, the same barcodes", lambda: thin(columns(conditions(two(("wt", "mut"), effect=1.2), control="rest", arm_control="wt"), ESTIMATE), 120))  # fmt: skip
    keep("verbs/conditions, one arm", lambda: columns(conditions(two(("wt",), rng=2), control="rest"), ESTIMATE))  # fmt: skip
    keep("verbs/additive", lambda: columns(fit(saturated(folder), control="reference"), ESTIMATE))  # fmt: skip
    keep("verbs/average by nothing", lambda: columns(average(fitted(), by=None), ESTIMATE))  # fmt: skip
    keep("verbs/average of two_way", lambda: columns(average(fit(counts(), control="wt", method="two_way")), ESTIMATE))  # fmt: skip
    keep("verbs/contrasts", lambda: columns(fit(simulated(), contrasts={"both": {"mut": 0.5, "same": 0.5, "wt": -1}}), ESTIMATE))  # fmt: skip
    silent = {"p_silent": 0.05, "sd_barcode": 0.7}
    keep("verbs/silent barcodes", lambda: columns(fitted(**silent), ESTIMATE))
    keep("verbs/two replicates", lambda: columns(fitted(n_replicates=2), ESTIMATE))
    keep("verbs/few elements", lambda: columns(fit(counts(n=8), control="wt", method="two_way"), ESTIMATE))  # fmt: skip
    virtual = pd.DataFrame({"element": [f"e{i}" for i in range(40)]})
    virtual["effect"] = 0.5 * (np.arange(40) % 2) + np.random.default_rng(3).normal(0, 0.2, 40)  # fmt: skip
    measured = virtual.assign(effect=1.4 * virtual.effect + np.random.default_rng(4).normal(0, 0.3, 40), se=0.3)  # fmt: skip
    concordance = door("mpra.concordance")
    keep("verbs/concordance of tables", lambda: as_numbers(concordance(virtual, measured), CONCORDANCE))  # fmt: skip
    keep("verbs/concordance with a fit", lambda: as_numbers(concordance(virtual, fitted()), CONCORDANCE))  # fmt: skip
    keep("verbs/components, silent", lambda: as_numbers(components(counts(**silent), control="wt")))  # fmt: skip
    noise = door("mpra.NoiseModel")(sd_barcode=1.0, sd_replicate=0.15, sd_count=0.5, tau=0.5)  # fmt: skip
    keep("verbs/power of an element", lambda: {"power": numbers(power(0.5, n_barcodes=[10, 20, 50], n_replicates=[3, 6], noise=noise)["power"])})  # fmt: skip
    keep("verbs/power of an average", lambda: {"power": numbers(power(0.3, n_backgrounds=[30, 60], n_barcodes=[10, 20], n_replicates=3, noise=noise)["power"])})  # fmt: skip
    quality = door("mpra.quality")
    keep("verbs/quality, sound", lambda: of_quality(quality(counts())))

    def faulty():
        one = counts().copy(deep=True)
        one["rna"][:, 1] = one["rna"][:, 0]
        one["dna"][:, 2], one["rna"][:, 2] = one["rna"][:, 2].values, one["dna"][:, 2].values  # fmt: skip
        return of_quality(quality(one))

    keep("verbs/quality, a copy and a swap", faulty)

    def powered():
        rng = np.random.default_rng(seed("powered"))
        f = rng.normal(0.8, 0.4, 400)
        some = np.sort(rng.choice(400, 60, replace=False))

        def effects(y, units, scale):
            frame = pd.DataFrame({"u": np.repeat(units, 2), "arm": ["c", "w"] * len(units), "y": np.column_stack([0 * y, y]).ravel()})  # fmt: skip
            return against_control(door("from_frame")(frame, outcome="y", arm="arm", unit="u", scale=scale))  # fmt: skip

        y = 1.3 * f[some] - 0.1 + rng.normal(0, 0.35, 60)
        found = door("mpra.prediction_powered")(
            effects(f, np.arange(400), "log counts"),
            effects(y, some, "log2 RNA/DNA"),
            trained_on_measured=False,
        )
        return as_numbers(found, POWERED)

    keep("verbs/prediction powered", powered)
    for name, read in small_tables(folder).items():
        keep(f"read/{name}", lambda: totals(read()))
    for name, make in libraries().items():
        keep(f"ordered/{name}", lambda: ordered(make(), folder))


def of_quality(found):
    """Return the rows of the checks that stay, by check and columns compared."""
    stay = ("depth", "copies", "swaps", "truncation", "jackpots", "misassigned")
    check, where = (np.asarray(found[k].values, str) for k in ("check", "where"))
    rows = [i for i, k in enumerate(check) if k in stay]
    kept = {k: [numbers(found[k])[i] for i in rows] for k in ("value", "threshold", "found")}  # fmt: skip
    return {"row": [f"{check[i]} {where[i]}" for i in rows]} | kept


@group
def bench():
    """Simulated counts as read (totals), effects, se and df of every method; activity, layers of variance, power; every verb of the bench; twelve layouts read; digests of three ordered libraries."""
    fit = door("mpra.fit")
    of_counts("simulated", simulated, "wt")
    keep(
        "simulated/filtered",
        lambda: columns(
            fit(
                door("mpra.filter")(simulated(), min_dna=10, min_barcodes=3),
                control="wt",
            ),
            ESTIMATE,
        ),
    )
    keep(
        "simulated/level .8",
        lambda: columns(fit(simulated(), control="wt", ci_prob=0.8), ESTIMATE),
    )
    keep(
        "power",
        lambda: {
            "power": numbers(
                door("mpra.power")(
                    1.0,
                    n_barcodes=(5, 10),
                    n_replicates=(3, 4),
                    pilot=door("mpra.components")(simulated(), control="wt"),
                )["power"]
            )
        },
    )
    with tempfile.TemporaryDirectory() as folder:
        of_verbs(Path(folder))


@group
def public():
    """The same of tables of others, in seven layouts, from the command line; and what is decided of them."""
    read, fit = door("mpra.read_counts"), door("mpra.fit")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, (make, control) in public_tables(folder).items():
            of_counts(name, make, control)
            keep(f"decisions/{name}", lambda: decided(make(), control))
        even = pd.read_csv(PUBLIC / "mattioli24_even_dna.tsv", sep="\t")
        even_side = (
            even[["oligo_name"]]
            .drop_duplicates()
            .assign(element=lambda t: t.oligo_name, arm="tile", group="test")
        )
        keep(
            "mattioli24/totals",
            lambda: totals(
                read(PUBLIC / "mattioli24_even_dna.tsv", side_table=even_side)
            ),
        )
        for name, path in layouts(folder):
            keep(
                f"layout {name}",
                lambda: (
                    totals(read(path, side_table=BCALM))
                    | columns(
                        fit(read(path, side_table=BCALM), control="ref"), ESTIMATE[:3]
                    )
                ),
            )
        words = ("mpra", "analyze", PUBLIC / "tewhey60_sums.tsv")
        words += ("--design", PUBLIC / "tewhey60_side.tsv", "--control", "A")
        keep("code mpra analyze", lambda: code(folder, *words, "--out", "measured"))
        keep("table mpra", lambda: effects_tsv(folder / "measured" / "effects.tsv"))


# ------------------------------------------------------------------ 7. outcomes by digest

READER = '''
import os
import numpy as np
import causalgia as cg
from causalgia.multiplicity.adjusted_p import stepwise

CALLS = [0]
TABLE = np.round(np.random.default_rng(11).integers(0, 1000, (4, 400)).astype(float))


def read(x):
    """An exact reader: integers in, integers out, so that no rounding depends on a machine."""
    CALLS[0] += 1
    if CALLS[0] == int(os.environ.get("GOLDEN_KILL_AT", 0)):
        os._exit(9)
    return np.asarray(x, float)[:, :, :].reshape(len(x), 4, -1).__mul__(TABLE[:, : x.shape[-1]]).sum((1, 2))


PREDICTOR = cg.FunctionPredictor(read, tasks=["sum"], scale="sum", batch_size=32)


def trial():
    arms = {"a": cg.Untreated(), "b": cg.Embed("AGATAAG", at=20), "c": cg.Placebo("AGATAAG", at=20), "d": cg.Scramble((5, 40))}
    return cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=3000, contrasts="a")


if __name__ == "__main__":
    import sys
    cg.run(trial(), PREDICTOR, rng=7, store=sys.argv[1], progress=False)
'''


def digest(outcomes, name="outcome"):
    y = outcomes[name].transpose("unit", ...).values
    return {
        "sha": [hashlib.sha1(np.ascontiguousarray(y, float).tobytes()).hexdigest()],
        "shape": list(map(float, y.shape)),
    }


def nulls():
    source = sequences(6, 90, "null")
    return {
        "uniform": door("Uniform")(length=90), "shuffle": door("Shuffle")(of=source), "triplets kept": door("KletShuffle")(of=source, k=3),
        "dinucleotides kept": door("DinucleotideShuffle")(of=source), "second order": door("Markov")(of=source, order=2), "real": door("Genomic")(of=source, n_draws=5),
    }  # fmt: skip


def interventions():
    matrix = [
        [0.7, 0.1, 0.1, 0.1],
        [0.1, 0.1, 0.7, 0.1],
        [0.25, 0.25, 0.25, 0.25],
        [0.0, 0.0, 0.0, 1.0],
    ]
    motif = door("sequences.Motif", "Motif")("m", matrix)
    E, P = door("Embed"), door("Placebo")
    return {
        "embed": E("AGATAAG", at=20), "embed reverse": E("AGATAAG", at=20, strand="-"), "embed a matrix": E(motif, at=20), "consensus": E(motif, at=20, instance="consensus"),
        "placebo": P("AGATAAG", at=20), "insert": door("Insert")("AGATAAG", at=20), "delete": door("Delete")((10, 25)), "copy": door("Copy")((10, 25), at=40),
        "mutate": door("Mutate")(at=(3, 9), bases="AC"), "scramble": door("Scramble")((10, 40)), "scramble pairs": door("Scramble")((10, 40), k=2),
        "ablate uniform": door("Ablate")((10, 30), fill="uniform"), "ablate shuffle": door("Ablate")((10, 30), fill="shuffle"), "ablate dinucleotides": door("Ablate")((10, 30), fill="dinucleotide_shuffle"),
        "two steps": E("AGATAAG", at=20) + P("TGACTCA", at=50), "placebo matrix": P(motif, at=50),
    }  # fmt: skip


@group
def outcomes():
    """Digests of the answers to every null model and intervention; streams, stores, killed and resumed, parallel arms."""
    run, Design = door("run"), door("Design")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "golden_reader.py").write_text(READER)
        sys.path.insert(0, str(folder))
        import golden_reader as reader

        def by(null, arms, n=25, rng=3, predictor=reader.PREDICTOR, **settings):
            design = Design(
                null=null,
                arms=arms,
                n_units=n,
                **{
                    k: v
                    for k, v in settings.items()
                    if k in ("assignment", "blocks", "contrasts")
                },
            )
            return run(
                design,
                predictor,
                rng=rng,
                progress=False,
                **{k: v for k, v in settings.items() if k in ("keep", "store")},
            )

        untreated = door("Untreated")()
        for name, null in nulls().items():
            keep(
                f"null {name}",
                lambda: digest(
                    by(
                        null,
                        {
                            "a": untreated,
                            "b": door("Embed")("AGATAAG", at=20),
                            "c": door("Placebo")("AGATAAG", at=20),
                        },
                    )
                ),
            )
        for name, make in interventions().items():
            keep(
                f"do {name}",
                lambda: digest(
                    by(door("Uniform")(length=90), {"a": untreated, "b": make})
                ),
            )
        two = door("Genomic")(of=sequences(2, 90, "each"), n_draws=6)
        keep(
            "do ablate each",
            lambda: digest(
                by(
                    two,
                    {
                        "a": untreated,
                        "b": door("AblateEach")(
                            [(10, 20), (30, 40)], n_draws=6, fill="uniform"
                        ),
                    },
                    n=12,
                )
            ),
        )
        keep(
            "do embed each",
            lambda: digest(
                by(
                    two,
                    {
                        "a": untreated,
                        "b": door("EmbedEach")(
                            ["AGATAAG", "TGACTCA"], n_draws=6, at=20
                        ),
                    },
                    n=12,
                )
            ),
        )
        pair = {"a": untreated, "b": door("Placebo")("AGATAAG", at=20)}
        for rng in (0, 1, 12345):
            keep(
                f"seed {rng}",
                lambda: digest(by(door("Uniform")(length=90), pair, rng=rng)),
            )
        keep(
            "another name and order of arms",
            lambda: digest(
                by(door("Uniform")(length=90), dict(zip("xy", reversed(pair.values()))))
            ),
        )
        keep(
            "fewer units are the first ones",
            lambda: digest(by(door("Uniform")(length=90), pair, n=7)),
        )
        keep(
            "parallel",
            lambda: digest(
                by(door("Uniform")(length=90), pair, n=60, assignment="parallel")
            ),
        )
        for zoo in (
            "gata1_like",
            "rbfox1_like",
        ):  # answers of an oracle are floats: rounded to nine digits
            y = by(door("Uniform")(length=60), pair, predictor=oracle(zoo))[
                "outcome"
            ].values
            keep(
                f"oracle {zoo}",
                lambda: {
                    "sha": [
                        hashlib.sha1(
                            " ".join(f"{v:.9g}" for v in y.ravel()).encode()
                        ).hexdigest()
                    ]
                },
            )
        keep(
            "effects kept",
            lambda: columns(
                door("estimate")(
                    run(
                        reader.trial(),
                        reader.PREDICTOR,
                        rng=7,
                        keep="effects",
                        progress=False,
                    )
                ),
                ESTIMATE,
            ),
        )
        keep(
            "moments kept",
            lambda: columns(
                door("estimate")(
                    run(
                        reader.trial(),
                        reader.PREDICTOR,
                        rng=7,
                        keep="moments",
                        progress=False,
                    )
                ),
                ESTIMATE,
            ),
        )
        memory = None

        def in_memory():
            nonlocal memory
            memory = digest(
                run(reader.trial(), reader.PREDICTOR, rng=7, progress=False)
            )
            return memory

        def killed(at):
            path = str(folder / f"killed{at}.zarr")
            child = [sys.executable, str(folder / "golden_reader.py"), path]
            codes = [
                subprocess.run(
                    child,
                    env=os.environ | {"GOLDEN_KILL_AT": str(k)},
                    capture_output=True,
                ).returncode
                for k in at
            ]
            resumed = run(
                reader.trial(), reader.PREDICTOR, rng=7, store=path, progress=False
            )
            return digest(resumed) | {
                "codes": list(map(float, codes)),
                "as in memory": [float(digest(resumed) == memory)],
            }

        keep("in memory", in_memory)
        keep("killed and resumed", lambda: killed((150,)))
        keep("killed twice and resumed", lambda: killed((60, 90)))
        sys.path.remove(str(folder))


# ------------------------------------------------------------------ 8. commands


def shell(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "causalgia", *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def code(folder, *words):
    return {"code": [float(shell(folder, *words).returncode)]}


def effects_tsv(path):
    """Return the numbers of an effects.tsv, in the order of its effects and not of its labels."""
    table = pd.read_csv(path, sep="\t", comment="#")
    kept = {k: v for k, v in columns(table, (*ESTIMATE, *DECISION)).items()}
    order = sorted(
        range(len(table)),
        key=lambda i: tuple(
            -math.inf if kept[k][i] is None else kept[k][i]
            for k in ("ace", "se")
            if k in kept
        ),
    )
    return {k: [v[i] for i in order] for k, v in kept.items()}


@group
def commands():
    """Exit codes, and the numbers in effects.tsv of the demo, the starter trial and one experiment."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)

        def ends(name, *words):
            keep(f"code {name}", lambda: code(folder, *words))

        def table(name, place):
            keep(f"table {name}", lambda: effects_tsv(folder / place / "effects.tsv"))

        ends("version", "--version")
        ends("unknown command", "nonsense")
        ends("missing file", "run", "nothing.toml", "--out", "nothing")
        ends("demo", "demo", "--out", "demo", "--n-units", "300")
        table("demo", "demo")
        ends("init", "init", "trial.toml")
        ends("init again", "init", "trial.toml")
        ends("run", "run", "trial.toml", "--out", "results")
        ends("run again", "run", "trial.toml", "--out", "results")
        ends("analyze", "analyze", "results", "--rope=-0.1,0.1")
        table("starter", "results")
        ends("analyze, bad option", "analyze", "results", "--error", "nonsense")
        ends("lock", "lock", "trial.toml", "--out", "lock.toml")
        ends("run locked", "run", "--protocol", "lock.toml", "--out", "locked")
        ends("verify", "verify", "locked", "--protocol", "lock.toml")
        ends("init experiment", "init", "--experiment", "spacing", "spacing.toml")
        ends("run experiment", "run", "spacing.toml", "--out", "spacing")
        ends("analyze experiment", "analyze", "spacing")
        table("experiment", "spacing")


# ------------------------------------------------------------------ 9. two groups of one result

# What a rule of intervals changes is recorded apart from the estimates: GROUP and GROUP_limits.
LIMITS = ("p", "lower", "upper", "named", "p_verdict", "q", "verdict")
RESULTS = {}


def once(name, make):
    """Make a result once for the two groups that keep columns of it."""
    if name not in RESULTS:
        try:
            RESULTS[name] = make()
        except Exception as error:
            RESULTS[name] = error
    if isinstance(RESULTS[name], Exception):
        raise RESULTS[name]
    return RESULTS[name]


def halves(function):
    """Register `function`, which calls `part(name, make, names)`, as a group of estimates and one of limits."""
    kind = function.__name__
    for name, limits in ((kind, False), (f"{kind}_limits", True)):

        def part(case, make, names, limits=limits):
            def kept():
                table = once(f"{kind}/{case}", lambda: columns(make(), names))
                return {k: v for k, v in table.items() if (k in LIMITS) == limits}

            if any((k in LIMITS) == limits for k in names):
                keep(case, kept)

        def run(part=part):
            function(part)

        run.__doc__ = function.__doc__
        GROUP[name] = run
    return function


# ------------------------------------------------------------------ 10. strong blocks, covariates and parents


def drawn(law, rng, level):
    """Return outcomes of a law about `level`, which has sd 1 and whose residual sd is about a fifth of that."""
    if law == "normal":
        return 5 * level + rng.normal(size=level.shape)
    if law == "exponential":
        return np.exp(1.5 * level) * rng.exponential(1, level.shape)
    if law == "binary":
        return (rng.random(level.shape) < 1 / (1 + np.exp(-3 * level))) * 1.0
    return rng.poisson(2 * np.exp(level)) * 1.0


STRONG_ARMS = "cwv"
SHARES = {"equal": (4, 4, 4), "unequal": (8, 2, 2), "tenth": (16, 2, 2)}


def strong_blocks(law, share, n_blocks, vary=0.0, parents=False):
    """Return arms in shares within blocks that differ by far more than units do; the effect of "v" varies by block."""
    rng = np.random.default_rng(seed("blocks", law, share, n_blocks, vary, parents))
    arm = np.tile(np.repeat(np.arange(3), SHARES[share]), n_blocks)
    block = np.repeat(np.arange(n_blocks), sum(SHARES[share]))
    shift = np.array([0, 0.1, 0.2])[arm] + vary * (arm == 2) * rng.normal(size=n_blocks)[block]  # fmt: skip
    level = rng.permutation(np.linspace(-1.6, 1.6, n_blocks))[block] + shift
    table = {"b": block, "arm": np.array(list(STRONG_ARMS))[arm]}
    if parents:
        table["p"] = np.arange(len(arm)) // 2
        level = level + 0.5 * rng.normal(size=len(arm))[table["p"]]
    frame = pd.DataFrame(table | {"y": drawn(law, rng, level)})
    return door("from_frame")(
        frame, outcome="y", arm="arm", block="b", parent="p" if parents else None
    )


def strong_covariate(law, sizes):
    """Return parallel arms whose outcomes a covariate explains to .8."""
    rng = np.random.default_rng(seed("covariate", law, *sizes))
    arm = rng.permutation(np.repeat(np.arange(3), sizes))
    x = rng.normal(size=len(arm))
    of_x = {
        "normal": lambda: 2 * x + rng.normal(size=len(arm)) + 0.3 * arm,
    }.get(law, lambda: drawn(law, rng, x + 0.1 * arm))
    table = {"arm": np.array(list(STRONG_ARMS))[arm], "y": of_x(), "x": x}
    return door("from_frame")(
        pd.DataFrame(table), outcome="y", arm="arm", covariates=["x"]
    )


def strong_parents(law, mixed, size, share):
    """Return parallel arms of units whose parents differ by far more than units of one do."""
    rng = np.random.default_rng(seed("parents", law, mixed, size, share))
    n_parents, whole = (16, 12) if mixed else (48, 4)
    sizes = np.full(n_parents, whole)
    if size == "unequal":
        sizes *= rng.integers(1, 4, n_parents)
    parent = np.repeat(np.arange(n_parents), sizes)
    cycle = np.repeat(np.arange(3), SHARES[share])
    arm = (
        cycle[np.arange(len(parent)) % 12]
        if mixed
        else cycle[(5 * np.arange(n_parents)) % 12][parent]
    )
    level = rng.normal(size=n_parents)[parent] + np.array([0, 0.1, 0.2])[arm]
    frame = pd.DataFrame(
        {
            "p": parent,
            "arm": np.array(list(STRONG_ARMS))[arm],
            "y": drawn(law, rng, level),
        }
    )
    return door("from_frame")(frame, outcome="y", arm="arm", parent="p")


@halves
def strong(part):
    """Parallel arms in strong blocks, with a strong covariate, of strong parents: shares of arms, targets, four laws. Intervals here must stay as narrow as they are."""
    estimate = door("estimate")

    def each(name, make, settings, scales=()):
        outcomes = lambda: once(f"outcomes of {name}", make)
        for label, given in settings.items():
            part(
                f"{name}/{label}",
                lambda: estimate(against_control(outcomes()), **given),
                ESTIMATE,
            )
        for scale in scales:
            part(
                f"{name}/{scale}",
                lambda: estimate(against_control(outcomes(), scale=scale)),
                ESTIMATE,
            )

    two = {t: {"target": t} for t in ("population", "units")}
    three = two | {"parents": {"target": "parents"}}
    for law, share, n_blocks in itertools.product(LAWS, SHARES, (3, 10)):
        scales = SCALES[:2] if law in ("exponential", "counts") else ()
        each(
            f"blocks {n_blocks}/{law}/{share}",
            lambda: strong_blocks(law, share, n_blocks),
            two,
            scales,
        )
    for law, share in itertools.product(LAWS, SHARES):
        each(
            f"blocks 10/{law}/{share}/effects vary",
            lambda: strong_blocks(law, share, 10, vary=0.5),
            two,
        )
        each(
            f"blocks 10/{law}/{share}/with parents",
            lambda: strong_blocks(law, share, 10, parents=True),
            two,
        )
        each(
            f"blocks 10/{law}/{share}/ignored",
            lambda: strong_blocks(law, share, 10).drop_vars("block"),
            two,
        )
    for law, sizes in itertools.product(LAWS, ((40, 40, 40), (80, 8, 20))):
        each(
            f"covariate/{law}/{'-'.join(map(str, sizes))}",
            lambda: strong_covariate(law, sizes),
            {f"{k}, x": v | {"covariates": ["x"]} for k, v in two.items()} | two,
        )
    for law, mixed, size, share in itertools.product(
        LAWS, (True, False), ("equal", "unequal"), ("equal", "unequal")
    ):
        name = f"parents {'mixed' if mixed else 'whole'}/{law}/sizes {size}/{share}"
        each(name, lambda: strong_parents(law, mixed, size, share), three)


# ------------------------------------------------------------------ 11. moderation

MODERATION = ("slope", "se", "df", "p", "lower", "upper", "named", "inside", "outside", "share", "n_inside", "n_outside", "mean", "sd_of", "gap_from", "gap_to", "n_candidates")  # fmt: skip
SPREAD = ("sd", "sd_se", "sd_lower", "sd_upper", "quantiles", *(k + e for k in ("above", "below", "beyond") for e in ("", "_se", "_lower", "_upper")))  # fmt: skip
SITE, PARTNER, SITE_AT = "AGATAAG", "TGACTCA", 30


def individual(law, parents, n=240):
    """Return effects of two arms on units with a number, categories (one of ten units) and backgrounds; "w" depends on none, "v" on all."""
    rng = np.random.default_rng(seed("moderation", law, parents, n))
    p = np.arange(n) // 4
    x, own = rng.normal(size=n), rng.integers(0, 3, n)
    few, of_parent = np.arange(n) % 24 == 5, p % 3 == 0
    texts = rng.integers(0, 4, (n, 80))
    beside = rng.random(n) < 0.35
    for row in np.flatnonzero(beside):
        at = SITE_AT + len(SITE) + rng.integers(2, 6)
        texts[row, at : at + len(PARTNER)] = ["ACGT".index(c) for c in PARTNER]
    moves = 0.3 * x + 0.4 * (own == 1) + 0.5 * few + 0.8 * beside
    level = np.stack([np.zeros(n), np.full(n, 0.2), 0.2 + moves], axis=1)
    if parents:
        level = level + 0.4 * rng.normal(size=(p.max() + 1, 3))[p]
    y = {
        "normal": lambda: rng.normal(level, 1),
        "exponential": lambda: rng.exponential(np.exp(level)),
        "binary": lambda: (
            (rng.random(level.shape) < 1 / (1 + np.exp(1.5 - level))) * 1.0
        ),
        "counts": lambda: rng.poisson(np.exp(level)) * 1.0,
    }[law]()
    frame = pd.DataFrame(
        {
            "u": np.repeat(np.arange(n), 3),
            "arm": np.tile(list(STRONG_ARMS), n),
            "y": y.ravel(),
            "p": np.repeat(p, 3),
            "x": np.repeat(x, 3),
        }
    )
    effects = against_control(
        door("from_frame")(
            frame,
            outcome="y",
            arm="arm",
            unit="u",
            parent="p" if parents else None,
            covariates=["x"],
        )
    )
    of_units = {
        "three": np.array(["skin", "lung", "gut"])[own],
        "few": np.where(few, "yes", "no"),
        "of_parent": np.where(of_parent, "yes", "no"),
    }
    sites = {
        "site_start": np.full(n, SITE_AT),
        "site_stop": np.full(n, SITE_AT + len(SITE)),
        "site_strand": np.full(n, "+"),
    }
    backgrounds = ["".join("ACGT"[k] for k in row) for row in texts]
    return effects.assign_coords(
        {k: ("unit", v) for k, v in (of_units | sites).items()}
    ), backgrounds


@halves
def moderation(part):
    """Slopes of individual effects on a number, categories of many, few and of parents, formulas, a choice among these, and motifs: four laws with and without parents; and the spread."""
    find = door("moderation")
    asked = {
        "number": {"by": "x"},
        "category": {"by": "three"},
        "few": {"by": "few"},
        "of parents": {"by": "of_parent"},
        "formula": {"by": "x * three"},
        "chosen": {"rng": 0},
        "level .8": {"by": "few", "ci_prob": 0.8},
    }
    for law, parents in itertools.product(LAWS, (False, True)):
        name = f"{law}{'/parents' * parents}"
        effects, backgrounds = individual(law, parents)
        for label, settings in asked.items():
            part(f"{name}/{label}", lambda: find(effects, **settings), MODERATION)
        part(f"{name}/spread", lambda: find(effects, (), rope=(-0.5, 0.5)), SPREAD)
        if parents:
            part(
                f"{name}/number, no clusters",
                lambda: find(effects, "x", cluster="none"),
                MODERATION,
            )
        for label, by in (("motifs", ()), ("motifs or coordinates", None)):
            part(
                f"{name}/{label}",
                lambda: find(
                    effects,
                    by,
                    motifs={"partner": PARTNER, "other": "CACGTG"},
                    sequences=backgrounds,
                    max_gap=12,
                    rng=0,
                ),
                MODERATION,
            )


# ------------------------------------------------------------------ 12. tables given back, rows of NaN or without error


TIDIED = ("p", "lower", "upper", "p_verdict", "q", "verdict", *DECISION[-4:])


@group
def tidied():
    """Intervals and verdicts of `decide(tidy(x))` for every table of the group `decisions`: today others where the rule needs columns that do not travel, refused where a row has no error."""
    tidy = door("tidy")
    given_back = lambda table, **settings: thin(
        columns(door("decide")(table, **settings), TIDIED), 30
    )
    for name, table in every_table():
        frame = lambda: once(f"frame of {name}", lambda: tidy(table))
        for label, rope in (("bounds", (-0.1, 0.1)), ("zero", 0)):
            keep(f"{name}/{label}", lambda: given_back(frame(), rope=rope))
    for K, tau, df in itertools.product((3, 12, 30, 400), (0.1, 1.0, 8.0), (None, 9)):
        keep(
            f"effects {K}/{tau}/df {df}",
            lambda: given_back(tidy(effects_table(K, tau, df)), rope=(-0.2, 0.2)),
        )
    for name, make in every_experiment():
        keep(name, lambda: given_back(tidy(make()[1]), rope=(-0.1, 0.1), shrink=None))
    keep(
        "bench/simulated",
        lambda: given_back(
            tidy(door("mpra.fit")(simulated(), control="wt")), rope=0, shrink=None
        ),
    )


def with_rows(rows, columns=("effect", "se"), n=14):
    """Return a table of 14 effects in which these rows have other numbers."""
    rng = np.random.default_rng(seed("rows", n))
    table = pd.DataFrame(
        {"effect": rng.normal(size=n), "se": rng.uniform(0.2, 0.5, n), "df": 20.0},
        index=[f"r{i:02d}" for i in range(n)],
    )
    for at, values in rows.items():
        for column, value in zip(columns, values):
            table.iloc[at, table.columns.get_loc(column)] = value
    return table


def still(law, parallel):
    """Return outcomes in five tasks: as drawn, of one value in an arm, of one value by arm, of one value in all, and all pairs 0.5 apart."""
    rng = np.random.default_rng(seed("still", law, parallel))
    y = {
        "normal": lambda: rng.normal(size=(40, 2, 5)),
        "binary": lambda: (rng.random((40, 2, 5)) < 0.3) * 1.0,
    }[law]()
    y[:, 0, 1] = 0
    y[:, :, 2] = (0, 0.5)
    y[:, :, 3] = 1
    y[:, 1, 4] = y[:, 0, 4] + 0.5
    rows = [
        (u, "cw"[a], f"t{t}", y[u, a, t])
        for u, a, t in itertools.product(range(40), range(2), range(5))
        if not parallel or a == u % 2
    ]
    frame = pd.DataFrame(rows, columns=["u", "arm", "t", "y"])
    return door("from_frame")(frame, outcome="y", arm="arm", unit="u", task="t")


def samples_by_rows(gaps, n_rows=40):
    """Return a table of eight samples, each in one arm, by rows, with gaps in cells, in a whole row or in a whole sample."""
    rng = np.random.default_rng(seed("samples", n_rows))
    y = rng.normal(size=(8, n_rows)) * np.sqrt(2 / rng.chisquare(4, n_rows))
    y[4:, :8] += 2
    cells = {
        "none": [],
        "one": [(0, 3)],
        "some": list(zip(rng.integers(0, 8, 12), rng.integers(0, n_rows, 12))),
        "a row": [(u, 5) for u in range(8)],
        "a row of an arm": [(u, 5) for u in range(4)],
        "all but one of an arm": [(u, 5) for u in range(3)],
        "a sample": [(2, t) for t in range(n_rows)],
    }[gaps]
    for u, t in cells:
        y[u, t] = np.nan
    rows = [
        (u, "cw"[u // 4], f"t{t:03d}", y[u, t])
        for u, t in itertools.product(range(8), range(n_rows))
    ]
    return pd.DataFrame(rows, columns=["u", "arm", "t", "y"])


@halves
def tables(part):
    """Rows of NaN, of infinity and without error among sound ones, by every door of tables; tasks that do not vary; samples by rows with gaps."""
    estimate, decide, from_effects = door("estimate"), door("decide"), door("from_effects")  # fmt: skip
    names = (*ESTIMATE, *DECISION)
    rows = {
        "sound": {},
        "effect NaN": {3: (np.nan,)},
        "se NaN": {3: (0.5, np.nan)},
        "both NaN": {3: (np.nan, np.nan)},
        "se 0": {3: (0.5, 0.0)},
        "effect and se 0": {3: (0.0, 0.0)},
        "three se 0": {1: (0.5, 0.0), 3: (0.0, 0.0), 7: (-0.5, 0.0)},
        "all se 0": {i: (0.1 * i, 0.0) for i in range(14)},
        "se tiny": {3: (0.5, 1e-200)},
        "effect infinite": {3: (np.inf, 0.2)},
        "se infinite": {3: (0.5, np.inf)},
        "se negative": {3: (0.5, -0.1)},
        "df NaN": {3: (0.5, 0.2, np.nan)},
        "df 0": {3: (0.5, 0.2, 0.0)},
        "df infinite": {3: (0.5, 0.2, np.inf)},
    }
    for name, given in rows.items():
        table = with_rows(given, ("effect", "se", "df"))
        part(f"{name}/from_effects", lambda: from_effects(table), ESTIMATE)
        part(f"{name}/decide", lambda: decide(table, rope=(-0.1, 0.1)), names)
        part(f"{name}/direction", lambda: decide(table, rope=0, shrink=None), names)
        part(f"{name}/infer", lambda: infer_moments(table), ("mean", "sd", "lfsr"))
    for law, parallel in itertools.product(("normal", "binary"), (False, True)):
        name = f"still/{law}{'/parallel' * parallel}"
        try:
            table = estimate(against_control(still(law, parallel)))
        except Exception as error:
            part(name, lambda error=error: refuse(error), ESTIMATE)
            continue
        part(name, lambda: table, ESTIMATE)
        part(f"{name}/decide", lambda: decide(table, rope=(-0.1, 0.1)), names)
        part(f"{name}/tidied", lambda: decide(door("tidy")(table), rope=0), names)
        part(f"{name}/without zeros", lambda: decide(door("tidy")(table.sel(task=["t0", "t1"])), rope=0), names)  # fmt: skip
        for scale in SCALES[:2]:
            part(
                f"{name}/{scale}",
                lambda: estimate(against_control(still(law, parallel), scale=scale)),
                ESTIMATE,
            )
    for gaps in ("none", "one", "some", "a row", "a row of an arm", "all but one of an arm", "a sample"):  # fmt: skip
        for how in ("NaN", "rows left out"):
            frame = samples_by_rows(gaps)
            frame = frame if how == "NaN" else frame.dropna()
            read = lambda: door("from_frame")(frame, outcome="y", arm="arm", unit="u", task="t")  # fmt: skip
            name = f"samples/gaps {gaps}/{how}"
            part(name, lambda: estimate(against_control(read())), ESTIMATE)
            part(
                f"{name}/moderated",
                lambda: estimate(against_control(read()), variances=True),
                ESTIMATE,
            )


def infer_moments(table):
    return door("infer")(table, rng=0)["moments"]


# ------------------------------------------------------------------ 13. networks beside each other


def five_networks(law, n=60):
    """Return outcomes of five networks, two tasks and three arms."""
    rng = np.random.default_rng(seed("networks", law, n))
    level = rng.normal(size=(n, 1, 1, 1)) + 0.2 * rng.normal(size=(3, 2, 5))
    y = {
        "normal": lambda: level + 0.3 * rng.normal(size=level.shape),
        "exponential": lambda: np.exp(level) + 0.1 * rng.exponential(1, level.shape),
        "binary": lambda: (rng.random(level.shape) < 1 / (1 + np.exp(-level))) * 1.0,
        "counts": lambda: rng.poisson(2 * np.exp(level)) * 1.0,
    }[law]()
    rows = [
        (u, "cwv"[a], f"t{t}", f"m{m}", u // 3, y[u, a, t, m])
        for u, a, t, m in itertools.product(*map(range, y.shape))
    ]
    return pd.DataFrame(rows, columns=["u", "arm", "t", "m", "p", "y"])


@halves
def models(part):
    """`contrast_models` of five networks: against one, contrasts of networks, of arms, interactions, tasks, scales; and networks as replicates."""
    estimate, compare_models = door("estimate"), door("contrast_models")
    asked = {
        "by arm": {"control": "m0"},
        "effects": {"control": "m0", "contrasts": "w - c"},
        "of four": {"models": {"both": "m3 - m1 - m2 + m0"}, "contrasts": "w - c"},
        "written": {"models": {"last": {"m4": 1, "m0": -0.5, "m1": -0.5}}},
        "tasks": {"control": "m0", "contrasts": "v - c", "tasks": {"t": "t1 - t0"}},
        "log_of_means": {"control": "m0", "contrasts": "w - c", "scale": "log_of_means"},
        "ratio": {"control": "m0", "scale": "ratio"},
    }  # fmt: skip
    for law, parents in itertools.product(LAWS, (False, True)):
        outcomes = door("from_frame")(
            five_networks(law),
            outcome="y",
            arm="arm",
            unit="u",
            task="t",
            model="m",
            parent="p" if parents else None,
        )
        name = f"{law}{'/parents' * parents}"
        for label, settings in asked.items():
            part(
                f"{name}/{label}",
                lambda: estimate(compare_models(outcomes, **settings)),
                ESTIMATE,
            )
        part(
            f"{name}/decided",
            lambda: door("decide")(
                estimate(compare_models(outcomes, control="m0", contrasts="w - c")),
                rope=(-0.1, 0.1),
            ),
            (*ESTIMATE, *DECISION),
        )


@group
def across():
    """Effects that tasks share, `infer(across="task")`: moments with and without sharing, weights, risks. They go through matrix products, whose last bits differ between machines: twelve digits are asked of no one."""
    infer, from_effects = door("infer"), door("from_effects")
    kinds = ("equal", "one task", "two groups", "weak", "null")
    for kind, (size, r) in itertools.product(kinds, ((3, 0.0), (6, 0.6))):
        rng = np.random.default_rng(seed("across", kind, size, r))
        n = 40
        truth = {
            "equal": lambda: 2 * rng.normal(size=(n, 1)) * np.ones(size),
            "one task": lambda: 3 * rng.normal(size=(n, 1)) * (np.arange(size) == 0),
            "two groups": lambda: 3 * rng.normal(size=(n, 1)) * ((np.arange(size) < 2) == (rng.random((n, 1)) < 0.5)),
            "weak": lambda: 0.3 * rng.normal(size=(n, size)),
            "null": lambda: np.zeros((n, size)),
        }[kind]()  # fmt: skip
        se = rng.uniform(0.7, 1.3, (n, size))
        correlation = np.full((size, size), r) + (1 - r) * np.eye(size)
        noise = rng.normal(size=(n, size)) @ np.linalg.cholesky(correlation).T
        table = from_effects(truth + se * noise, se=se, task_correlation=correlation)

        def shared(table=table):
            found = infer(table, across="task", rng=0, n_draws=8)
            moments, sharing = (
                {
                    f"{k} of {part}": numbers(found[part][k])
                    for k in found[part].data_vars
                    if found[part][k].dtype.kind in "fi"
                    and found[part][k].size <= n * size
                }
                for part in ("moments", "sharing")
            )
            return thin(moments, 40) | thin(sharing, 40)

        keep(f"{kind}/{size} tasks/r {r}", shared)


# ------------------------------------------------------------------ 14. refutations and audits

STATUS = {"pass": 0.0, "note": 0.5, "warn": 1.0, "fail": 2.0}


def claims(zoo):
    """Return {name: (trial, settings of refute)}: a motif for a placebo, for nothing, on shuffles of real sequences, and two motifs beside none."""
    motif, other = SITES.get(zoo, SITES["rbfox1_like"])
    length, at = (100, 45) if zoo == "gata1_like" else (41, 18)
    real = sequences(60, length, "real")
    null, Design = door("Uniform")(length=length), door("Design")
    embed, placebo = door("Embed")(motif, at=at), door("Placebo")(motif, at=at)
    none = door("Untreated")()
    two = {"none": none, "a": embed, "b": door("Embed")(other, at=at + 10)}
    two["ab"] = two["a"] + two["b"]
    one = lambda null, control: Design(
        null=null, arms={"control": control, "motif": embed}, n_units=120, contrasts="control"
    )  # fmt: skip
    return {
        "placebo": (one(null, placebo), {}),
        "untreated": (one(null, none), {"real": real}),
        "shuffles": (
            one(door("DinucleotideShuffle")(of=real[:30]), placebo),
            {"positive": motif},
        ),
        "interaction": (
            Design(
                null=null,
                arms=two,
                n_units=120,
                contrasts={"ab": {"ab": 1, "a": -1, "b": -1, "none": 1}},
            ),
            {},
        ),
    }


@group
def refute():
    """Value, threshold and status of every check, of four claims on three oracles of the zoo."""
    for zoo in ("additive", "rbfox1_like", "gata1_like"):
        predictor = oracle(zoo)
        for name, (trial, settings) in claims(zoo).items():

            def found():
                table = door("refute")(trial, predictor, rng=1, **settings)
                kept = columns(table, ("value", "threshold", "n_predictions"))
                row = [str(x) for x in table["check"].values]
                status = [STATUS[str(x)] for x in table["status"].values]
                return {"row": row, "status": status} | kept

            keep(f"{zoo}/{name}", found)


FIRST, SECOND = "TGAGTCA", "CATTCCA"


def audited_sequences(n=120, length=70):
    """Return random sequences with two words, and one after the other at gaps of 3 to 8."""
    rng = np.random.default_rng(seed("audited", n, length))
    tokens = rng.integers(0, 4, (n, length))

    def write(row, at, word):
        tokens[row, at : at + len(word)] = ["ACGT".index(c) for c in word]

    for row in range(n):
        for word in (FIRST, SECOND):
            if rng.random() < 0.5:
                write(row, rng.integers(2, 28), word)
        if rng.random() < 0.4:
            at = rng.integers(36, 45)
            write(row, at, FIRST)
            write(row, at + 7 + rng.integers(3, 9), SECOND)
    return ["".join("ACGT"[k] for k in row) for row in tokens]


def formula(first, second, both, gc=0.4):
    """Return a network that adds up two words, one after the other at gaps of 3 to 8, and GC."""

    def present(x, word):
        n = x.shape[2] - len(word) + 1
        return np.all([x[:, "ACGT".index(c), k : k + n] > 0 for k, c in enumerate(word)], axis=0)  # fmt: skip

    def answer(x):
        a, b = present(x, FIRST), present(x, SECOND)
        pair = np.zeros(len(a), bool)
        for gap in range(3, 9):
            pair |= (a[:, : -7 - gap] & b[:, 7 + gap :]).any(axis=1)
        share = (x[:, 1:3] > 0).sum(axis=(1, 2)) / x.shape[2]
        return first * a.any(axis=1) + second * b.any(axis=1) + both * pair + gc * share

    return door("FunctionPredictor")(answer, tasks=["y"], scale="log counts")


def three_audits():
    networks = {
        "all": formula(0.6, 0.9, 1.5),
        "half": formula(0.6, 0.0, 0.75),
        "none": formula(0.6, 0.9, 0.0, gc=2.0),
    }
    return door("audit")(
        networks, audited_sequences(), minutes=10_000, progress=False, rng=0
    )


def frame_columns(table, limits):
    """Return the numbers of a frame, either those of intervals, tests and verdicts or the others."""
    kept = {}
    for place, name in enumerate(table.columns):
        end = str(name).replace(",", "_").split("_")[-1]
        test = end in ("p", "q", "lower", "upper", "verdict", "reads", "holds", "acts", "hold")  # fmt: skip
        test |= str(name).startswith(("reads", "holds"))
        values = table[name]
        if end == "verdict":
            told = VERDICTS | {"differs": 3.0}
            values = pd.Series([told.get(str(v), math.nan) for v in values])
        if values.dtype.kind in "fiub" and test == limits:
            kept[f"{place} {name}"] = numbers(values)
    return thin(kept, 60)


@group
def audit(limits=False):
    """Three formula networks of 120 sequences, audited and compared: the tables of each stage, a digest of the candidates, the differences."""
    for k, name in enumerate(("all", "half", "none")):
        one = lambda: once("audits", three_audits).audits[name]
        tables = (
            "motifs",
            "composition",
            "rules",
            "pairs",
            "explained",
            "account",
            "along",
        )
        for stage in tables + (() if limits else ("network", "sites")):

            def table(stage=stage):
                whole = getattr(one(), stage)
                if stage == "network":  # a time is no number of ours
                    whole = whole[~whole["check"].str.contains("per second")]
                return frame_columns(whole, limits)

            keep(f"{k}/{stage}", table)
        if limits:
            continue
        keep(
            f"{k}/candidates",
            lambda: {
                "words": [f"{x.word} {x.motif.name}" for x in one().candidates],
                "sites": numbers([x.n_sites for x in one().candidates]),
                "total": numbers([x.total for x in one().candidates]),
                "sha": [
                    hashlib.sha1(
                        np.concatenate(
                            [np.ravel(x.motif.probabilities) for x in one().candidates]
                        )
                        .round(6)
                        .tobytes()
                    ).hexdigest()
                ],
            },
        )
        keep(f"{k}/counts", lambda: {x: [float(n)] for x, n in one().counts.items()})
    for table in ("motifs", "rules"):
        keep(
            f"compared/{table}",
            lambda: frame_columns(getattr(once("audits", three_audits), table), limits),
        )


@group
def audit_limits():
    """The intervals, tests and verdicts of the group `audit`."""
    audit(limits=True)


# ------------------------------------------------------------------ 15. a network in torch


def of_deepstarr_s_size():
    """Return a network with the layers of DeepSTARR (de Almeida et al. 2022) and weights drawn by numpy."""
    import torch
    from torch import nn

    layers = []
    for c_in, c_out, k in ((4, 256, 7), (256, 60, 3), (60, 60, 5), (60, 120, 3)):
        layers += [nn.Conv1d(c_in, c_out, k, padding=k // 2), nn.BatchNorm1d(c_out), nn.ReLU(), nn.MaxPool1d(2)]  # fmt: skip
    layers += [nn.Flatten(), nn.Linear(120 * (249 // 16), 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 2)]  # fmt: skip
    net, rng = nn.Sequential(*layers).eval(), np.random.default_rng(249)
    with torch.no_grad():
        for name, values in net.state_dict().items():
            shape = tuple(values.shape)
            if values.ndim > 1:
                drawn = rng.normal(size=shape) * math.sqrt(2 / np.prod(shape[1:]))
            elif values.ndim == 1:  # biases and what a batch norm has
                positive = name.endswith("running_var")
                drawn = rng.uniform(0.5, 1.5, shape) if positive else 0.1 * rng.normal(size=shape)  # fmt: skip
                if name.endswith("weight"):
                    drawn += 1
            else:
                continue
            values.copy_(torch.from_numpy(np.asarray(drawn)))
    return net


@group
def torch():
    """A network of DeepSTARR's size: predictions, and outcomes of full passes and of edits recomputed in part. Compared to 2e-6 of the largest: answers differ between processors."""
    if importlib.util.find_spec("torch") is None:
        raise Absent("torch is not installed")
    net = of_deepstarr_s_size()
    predictor = lambda **settings: door("TorchPredictor")(
        net, tasks=["dev", "hk"], device="cpu", **settings
    )
    tokens = np.random.default_rng(seed("torch")).integers(0, 4, (24, 249))
    keep("predict", lambda: {"y": numbers(predictor().predict(tokens.astype(np.uint8)))})  # fmt: skip
    words = ("ATGACTCAT", "AGATAAGA", "TATCGATA", "CACGTG", "GGAATG", "CCGGAAGT", "GATTA", "CACCC")  # fmt: skip
    embed = door("Embed")
    arms = {"none": door("Untreated")(), "span": door("Scramble")((60, 110))}
    arms |= {f"{w} {at}": embed(w, at=at) for w in words for at in (20, 90, 125, 160, 200)}  # fmt: skip
    arms["two"] = embed("AGATAAG", at=40) + embed("CACGTG", at=200)
    trial = door("Design")(null=door("Uniform")(length=249), arms=arms, n_units=12)

    def outcomes(**settings):
        y = door("run")(trial, predictor(**settings), rng=3, progress=False)["outcome"]
        return numbers(y.transpose("unit", "arm", "task"))

    full = lambda: once("torch full", outcomes)
    keep("run/full", lambda: thin({"y": full()}, 300))

    def in_part():
        """Return the outcomes, and whether any was recomputed in part: its last bits differ."""
        y = outcomes(incremental=True)
        return thin({"y": y}, 300) | {"in part": [float(y != full())]}

    keep("run/incremental", in_part)


# ------------------------------------------------------------------ 16. record and compare


def run_groups(only):
    """Return {group: seconds of processor}, without groups whose needs are not installed."""
    spent = {}
    for name in only:
        WANTED["group"] = name
        began = time.process_time() + sum(os.times()[2:4])
        try:
            GROUP[name]()
        except Gone as gone:
            print(f"{name}: the door {gone} is gone; name its successor in section 1")
        except Absent as absent:
            print(f"{name}: left out, {absent}")
            continue
        spent[name] = time.process_time() + sum(os.times()[2:4]) - began
    return spent


SHRUNKEN = ("shrunken", "shrunken_lower", "shrunken_upper", "lfsr")


def is_amplified(name, column):
    """Return whether a mesh or a search makes more of the last bits in which processors differ."""
    of = column.removesuffix(" mean").removesuffix(" sd")
    return of in SHRUNKEN or name.startswith(("posterior/", "public/"))


def differences(name, old, new):
    """Return the largest relative difference of a case, sentences on what differs, and the number of rows added."""
    if "refused" in old or "gone" in old:
        return (
            0.0,
            []
            if "refused" in new or "gone" in new
            else ["was refused, is answered now"],
            0,
        )
    if "refused" in new or "gone" in new:
        return (
            math.inf,
            [
                f"was answered; now {'the door is gone: ' + new['gone'] if 'gone' in new else new['refused'] + ': ' + new['why']}"
            ],
            0,
        )
    largest, told, added = 0.0, [], 0
    if "row" in old and old["row"] != new.get("row"):
        names = [k for k in old if k != "row" and k in new]
        before, after = by_row(old, names), by_row(new, names)
        lost, added = (
            len(before.keys() - after.keys()),
            len(after.keys() - before.keys()),
        )
        if lost:
            told.append(f"{lost} of {len(before)} rows have gone ({added} are new)")
        told += [f"{k}: no such column now" for k in old if k not in new]
        pairs = {
            f"row {k}": (before[k], after[k]) for k in before.keys() & after.keys()
        }
    else:
        pairs = {k: (v, new.get(k)) for k, v in old.items() if k != "row"}
    for column, (before, after) in pairs.items():
        if after is None:
            told.append(f"{column}: no such column now")
            continue
        if len(before) != len(after):
            told.append(f"{column}: {len(before)} numbers, now {len(after)}")
            largest = math.inf
            continue
        gap = [relative(a, b) for a, b in zip(before, after)]
        share = LEAST_TOLERANCE.get(name.split("/")[0], 0.0)
        if is_amplified(name, column):
            share = max(share, TOLERANCE["amplified"])
        if share and not any(isinstance(v, str) for v in before):
            size = max((abs(v) for v in before if v is not None), default=0.0)
            near = [
                a is not None and b is not None and abs(a - b) <= share * size
                for a, b in zip(before, after)
            ]
            gap = [0.0 if ok else g for ok, g in zip(near, gap)]
        worst = max(range(len(gap)), key=gap.__getitem__, default=None)
        if worst is not None and gap[worst] > TOLERANCE["relative"]:
            told.append(
                f"{column}[{worst}]: {before[worst]} -> {after[worst]} ({sum(g > TOLERANCE['relative'] for g in gap)} of {len(gap)})"
            )
        largest = max([largest, *gap])
    return largest, told, added


def by_row(table, names):
    """Return {digest of a row: its numbers}; rows with equal weights (tasks) are numbered."""
    seen, out = {}, {}
    for i, row in enumerate(table.get("row", ())):
        seen[row] = seen.get(row, 0) + 1
        out[f"{row}.{seen[row]}"] = [table[k][i] for k in names]
    return out


def relative(a, b):
    if isinstance(a, str) or isinstance(b, str):
        return 0.0 if a == b else math.inf
    if a is None or b is None:
        return 0.0 if a is b else math.inf
    # below the floor differences are absolute
    return abs(a - b) / max(abs(a), abs(b), TOLERANCE["floor"])


def record(file, only):
    book = (
        json.loads(gzip.decompress(file.read_bytes()))
        if file.exists()
        else {"cases": {}, "made with": {}}
    )
    spent = run_groups(only)
    only = list(spent)
    book["cases"] = {
        k: v
        for k, v in book["cases"].items()
        if k.split("/")[0] not in only or WANTED["case"] not in k
    } | BOOK
    versions = {
        "causalgia": cg.__dict__.get("__version__", ""),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "pandas": pd.__version__,
    }
    book["made with"] |= dict.fromkeys(only, versions)
    file.write_bytes(
        gzip.compress(json.dumps(book, separators=(",", ":")).encode(), 9, mtime=0)
    )
    for name, seconds in spent.items():
        cases = {k: v for k, v in BOOK.items() if k.startswith(name + "/")}
        print(
            f"{name}: {len(cases)} cases, {sum('refused' in v for v in cases.values())} refused, {seconds:.0f} s of processor"
        )
    if "posterior" in only and not WANTED["case"]:
        against_truth()


def compare(file, only, show):
    old = json.loads(gzip.decompress(file.read_bytes()))["cases"]
    spent, failed = run_groups(only), False
    for name in spent:
        cases = {
            k: v
            for k, v in old.items()
            if k.startswith(name + "/") and WANTED["case"] in k
        }
        found = {
            k: differences(k, v, BOOK.get(k, {"gone": "no such case now"}))
            for k, v in cases.items()
        }
        largest = max((g for g, *_ in found.values()), default=0.0)
        differ = {
            k: told
            for k, (gap, told, _) in found.items()
            if told or gap > TOLERANCE["relative"]
        }
        failed |= bool(differ)
        kind = (
            "digests equal"
            if name in BIT_EQUAL
            else f"largest relative difference {largest:.1e}"
        )
        print(
            f"{name}: {len(cases)} cases ({sum('refused' in v for v in cases.values())} refused), {kind if not differ or name not in BIT_EQUAL else 'DIGESTS DIFFER'}, {len(differ)} differ; {spent[name]:.0f} s"
        )
        for k, told in list(differ.items())[:show]:
            print(f"  {k}: {'; '.join(told[:3])}")
        added = {k: n for k, (*_, n) in found.items() if n}
        if added:
            print(
                f"  rows added (no difference): {sum(added.values())} in {len(added)} cases, such as {next(iter(added))}"
            )
        more = [k for k in BOOK if k.startswith(name + "/") and k not in old]
        if more:
            print(f"  not recorded yet: {len(more)} cases, such as {more[0]}")
    if "posterior" in only and not WANTED["case"]:
        against_truth()
    return failed


def main():
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("what", choices=["record", "compare"])
    ask.add_argument("file", type=Path, nargs="?", default=HERE / "golden.json.gz")
    ask.add_argument(
        "--only",
        default=",".join(name for name in GROUP if name != "public"),
        help="groups, by comma: " + ", ".join(GROUP),
    )
    ask.add_argument("--case", default="", help="only cases whose name holds this text")
    ask.add_argument(
        "--show", type=int, default=10, help="differing cases printed for each group"
    )
    ask.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE["relative"],
        help="largest relative difference that is none",
    )
    ask.add_argument(
        "--across-processors",
        action="store_true",
        help="1e-9, and 1e-15 for zeros, which are rounding; shrunken effects and fits by search within .02 of the largest of their column",
    )
    given = ask.parse_args()
    TOLERANCE["relative"] = given.tolerance
    if given.across_processors:
        TOLERANCE.update(relative=1e-9, amplified=0.02, floor=1e-6)
    only = given.only.split(",")
    unknown = [g for g in only if g not in GROUP]
    if unknown:
        ask.error(f"no group {unknown[0]}; the groups are {', '.join(GROUP)}")
    WANTED["case"] = given.case
    if given.what == "record":
        record(given.file, only)
        return 0
    return int(compare(given.file, only, given.show))


if __name__ == "__main__":
    sys.exit(main())
