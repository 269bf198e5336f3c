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

# ------------------------------------------------------------------ 1. doors: names that may change


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


@group
def decisions():
    """Verdicts, q and shrunken effects of the same tables, of experiments and of the bench. This rule changes on purpose once: record the group anew then, and review the difference."""
    decide = door("decide")
    for kind, law, n in itertools.product(KINDS, LAWS, SIZES[1:]):
        try:
            table = door("estimate")(against_control(outcomes_of(kind, law, n)))
        except Exception:
            continue  # refused in the group estimates
        keep(
            f"{kind}/{law}/{n}/bounds",
            lambda: columns(decide(table, rope=(-0.1, 0.1), rng=0), DECISION),
        )
        keep(
            f"{kind}/{law}/{n}/zero",
            lambda: columns(decide(table, rope=0, rng=0), DECISION),
        )
    for K, tau, df in itertools.product((3, 12, 30, 400), (0.1, 1.0, 8.0), (None, 9)):
        table = effects_table(K, tau, df)
        for error in ("fdr", "fwer", "each"):
            keep(
                f"effects {K}/{tau}/df {df}/{error}",
                lambda: thin(
                    columns(
                        decide(table, rope=(-0.2, 0.2), error=error, rng=0), DECISION
                    ),
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
            {"a": motif, "b": other, "d": "CACGTG"}, null, n_placebos=40, n_units=n
        ),
        "composition": lambda: X("composition")(null, motif, n_units=n),
        "hairpin": lambda: X("hairpin")(null, motif[:5], n_units=n),
        "flanks": lambda: X("flanks")(null, motif, at=at, n_flanks=6, n_units=n),
        "knock_in": lambda: X("knock_in")(
            sequences(30, 60), motif, at=20, rope=(-0.1, 0.1)
        ),
        "context_dependence": lambda: X("context_dependence")(
            source, element=(20, 40), n_draws=3
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


def rows_of(plan, predictor, names):
    """Return these columns of every row of an experiment, in an order that depends on no label.

    An arm is known by its mean outcome in every task; a row by its weights on such arms.
    """
    outcomes = door("run")(plan, predictor, rng=0, progress=False)
    decided = plan.analyze(outcomes, rng=0).decisions
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


def of_experiments(names):
    with tempfile.TemporaryDirectory() as folder:
        for zoo in SITES:
            predictor = oracle(zoo)
            for name, (make, has_control) in catalogue(zoo, Path(folder)).items():
                for control in CONTROLS if has_control else ("",):
                    keep(
                        f"{zoo}/{name}/{control}" if control else f"{zoo}/{name}",
                        lambda: rows_of(make(control), predictor, names),
                    )


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


@group
def bench():
    """Simulated counts as read (totals), effects, se and df of every method; activity, layers of variance, power."""
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


# ------------------------------------------------------------------ 9. record and compare


def run_groups(only):
    spent = {}
    for name in only:
        WANTED["group"] = name
        began = time.process_time() + sum(os.times()[2:4])
        try:
            GROUP[name]()
        except Gone as gone:
            print(f"{name}: the door {gone} is gone; name its successor in section 1")
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
        if TOLERANCE["amplified"] and is_amplified(name, column):
            size = max((abs(v) for v in before if v is not None), default=0.0)
            near = [
                a is not None
                and b is not None
                and abs(a - b) <= TOLERANCE["amplified"] * size
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
    for name in only:
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
