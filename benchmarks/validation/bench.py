"""The bench: what is printed from fits of counts, arms of unequal noise, and
predictions beside measurements.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

import causalgia as cg
from causalgia.errors import CausalgiaWarning
from causalgia.mpra.comparisons.prediction_powered_means import (
    PoweredMean,
    classical_reason,
    powered_mean,
    random_draw_test,
)
from validation.checks import Check
from validation.draws import Rng

Trials = Callable[[Rng, int], np.ndarray]
ROPE = 0.5
#: on the ends of the region, inside, far and near outside: where false verdicts are
#: likeliest, and where none are
TRUTHS = np.array([0.5, 0.0, 5.0, -0.5, 0.8, -0.2])
FEW, MANY = (1, 2, 6, 12, 29), (30, 100, 400)
MEASURES = (
    "coverage of intervals",
    "false share of negligible verdicts",
    "false share of directions",
)


# --- what is printed from counts


def simulated(truth: np.ndarray, rng: Rng, *, sd_barcode: float) -> xr.Dataset:
    """Simulate counts of elements under two arms whose effects are known."""
    n = len(truth)
    table = pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(n)], 2),
            "arm": np.tile(["mutant", "WT"], n),
        }
    )
    base = rng.normal(size=n)
    table["log2"] = np.column_stack([base, base + truth]).ravel()
    return cg.mpra.simulate(
        table,
        n_barcodes=20,
        n_replicates=4,
        p_missing=0.02,
        noise=cg.mpra.NoiseModel(sd_barcode=sd_barcode),
        rng=int(rng.integers(2**31)),
    )


@cache
def printed(method: str, K: int, sd_barcode: float, n_trials: int) -> np.ndarray:
    """Return `MEASURES` of each trial: `causalgia.decide` of a fit, as it comes, shape
    ``(n_trials, 3)``.
    """
    rng = np.random.default_rng(zlib.crc32(f"{method} {K} {sd_barcode}".encode()))
    found = []
    for _ in range(n_trials):
        truth = np.resize(TRUTHS, K) * (1 if rng.random() < 0.5 else -1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            fitted = cg.mpra.fit(
                simulated(truth, rng, sd_barcode=sd_barcode),
                control="mutant",
                method=method,
            )
            decided = cg.decide(fitted, rope=(-ROPE, ROPE), shrink=None).isel(task=0)
        verdict = decided["verdict"].to_numpy()
        covered = ((decided["lower"] <= truth) & (truth <= decided["upper"])).to_numpy()
        called, beyond = (
            verdict == "negligible",
            np.isin(verdict, ("increases", "decreases")),
        )
        wrong = np.where(verdict == "increases", truth <= ROPE, truth >= -ROPE) & beyond
        false = (called & (np.abs(truth) >= ROPE)).sum() / max(called.sum(), 1)
        found.append((covered.mean(), false, wrong.sum() / max(beyond.sum(), 1)))
    return np.array(found)


def what_is_printed(method: str, K: int, sd_barcode: float, measure: int) -> Trials:
    return lambda _, n: printed(method, K, sd_barcode, n)[:, measure]


# --- what `mpra analyze` prints by default: verdicts by Benjamini and Hochberg's tests, without a region


def half_of_them(n: int, effect: float) -> Callable[[Rng], np.ndarray]:
    """Half of n elements have an effect of this size, up or down; the others none."""
    return lambda rng: np.where(np.arange(n) % 2, effect * rng.choice([-1, 1], n), 0.0)


# true effects, and the skewed sd of barcodes
LIBRARIES: dict[str, tuple[Callable[[Rng], np.ndarray], float]] = {
    "80 elements, no effects": (half_of_them(80, 0.0), 0.0),
    "40 null, 40 effects of 0.5": (half_of_them(80, 0.5), 0.0),
    "60 negatives, 60 effects of 2": (half_of_them(120, 2.0), 0.0),
    "60 negatives, 60 effects of 2, barcodes skewed": (half_of_them(120, 2.0), 0.6),
}
OF_ANALYZE = ("false share of calls", "coverage of intervals")


@cache
def analyzed(library: str, n_trials: int) -> np.ndarray:
    """Return `OF_ANALYZE` of each library: what the table effects.tsv says, shape
    ``(n_trials, 2)``.
    """
    rng, (effects, skew), found = (
        np.random.default_rng(zlib.crc32(library.encode())),
        LIBRARIES[library],
        [],
    )
    for _ in range(n_trials):
        truth = effects(rng)
        counts = simulated(truth, rng, sd_barcode=0.3)
        if skew:  # a tail of weak barcodes, the same in every replicate
            weaker = np.exp2(
                skew * (1 - rng.exponential(size=(counts.sizes["barcode"], 1)))
            )
            counts = counts.assign(
                rna=(counts["rna"].dims, rng.poisson(counts["rna"].to_numpy() * weaker))
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            fitted = cg.mpra.fit(counts, control="mutant", method="hierarchical")
            decided = cg.decide(
                fitted, rope=0, error="fdr", ci_prob=0.95, shrink=None
            ).isel(task=0)
        verdict = decided["verdict"].to_numpy()
        false = ((verdict == "increases") & (truth <= 0)) | (
            (verdict == "decreases") & (truth >= 0)
        )
        called = np.isin(verdict, ("increases", "decreases")).sum()
        covered = ((decided["lower"] <= truth) & (truth <= decided["upper"])).to_numpy()
        found.append((false.sum() / max(called, 1), covered.mean()))
    return np.array(found)


def what_analyze_prints(library: str, measure: int) -> Trials:
    return lambda _, n: analyzed(library, n)[:, measure]


# --- one arm noisier


def noisier(
    dispersions: tuple[float, float],
    sd_barcode: float,
    replicates: int,
    *,
    method: str,
) -> Trials:
    """Whether p < .05 in counts without effects, reads of one arm more dispersed;
    barcodes of both arms alike.
    """

    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        happened: list[np.ndarray] = []
        while sum(map(len, happened)) < n_trials:
            counts = dispersed(rng, dispersions, sd_barcode, replicates)
            happened.append(
                cg.mpra.fit(counts, control="mutant", method=method)["p"]
                .to_numpy()
                .ravel()
                < 0.05
            )
        return np.concatenate(happened)[:n_trials]

    return trials


def dispersed(
    rng: Rng,
    dispersions: tuple[float, float],
    sd_barcode: float,
    replicates: int,
    n: int = 100,
) -> xr.Dataset:
    counts = simulated(np.zeros(n), rng, sd_barcode=sd_barcode).isel(
        replicate=[0] * replicates
    )
    counts = counts.assign_coords(replicate=[str(r + 1) for r in range(replicates)])
    place = counts["oligo_index"].to_numpy()
    abundance = np.exp2(rng.normal(size=len(place)))[:, None]
    shared = rng.normal(0, 0.15, (counts.sizes["oligo"], replicates))
    active = np.exp2(rng.normal(0, sd_barcode, len(place))[:, None] + shared[place])
    shape = (len(place), replicates)
    d = np.array(dispersions)[place % 2][:, None]
    dna = rng.poisson(60 * abundance * rng.gamma(1 / 0.03, 0.03, shape))
    rna = rng.poisson(90 * abundance * active * rng.gamma(1 / d, d, shape))
    on = ("barcode", "replicate")
    reads = {
        "dna": (on, dna),
        "rna": (on, rna),
        "dna_observed": (on, dna > 0),
        "rna_observed": (on, dna > 0),
    }
    totals = {
        "dna_total": ("replicate", dna.sum(axis=0)),
        "rna_total": ("replicate", rna.sum(axis=0)),
    }
    return counts.assign(reads | totals)


# --- predictions beside measurements

PREDICTED = 1_000
LAWS: dict[str, Callable[[Rng, int], np.ndarray]] = {
    "normal": lambda rng, m: rng.normal(size=m),
    "t3": lambda rng, m: rng.standard_t(3, size=m) / np.sqrt(3),
    "lognormal": lambda rng, m: (rng.lognormal(size=m) - np.exp(0.5)) / 2.161,
    "binary 5 %": lambda rng, m: (rng.random(m) < 0.05) * 1.0,
    "binary 50 %": lambda rng, m: (rng.random(m) < 0.5) * 1.0,
    "counts, mean 1": lambda rng, m: rng.poisson(1.0, m) * 1.0,
}


def refused(law: str, n: int) -> Trials:
    """Whether n units drawn at random are taken for a selection."""

    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        predictions = (LAWS[law](rng, n + PREDICTED) for _ in range(n_trials))
        return np.array([random_draw_test(f[:n], f[n:]).p < 0.001 for f in predictions])

    return trials


def refused_of_many(law: str, n: int, k: int) -> Trials:
    """Whether n units drawn at random are taken for a selection by one of k
    contrasts.
    """

    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        happened = []
        for _ in range(n_trials):
            f = np.stack([LAWS[law](rng, n + PREDICTED) for _ in range(k)], axis=1)
            happened.append(random_draw_test(f[:n], f[n:]).p < 0.001)
        return np.array(happened)

    return trials


def found_out(law: str, n: int) -> Trials:
    """Whether n units drawn from the upper quarter of predictions are refused."""

    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        happened = []
        for _ in range(n_trials):
            f = LAWS[law](rng, n + PREDICTED)
            chosen = np.isin(
                np.arange(len(f)),
                rng.choice(np.argsort(f)[-len(f) // 4 :], n, replace=False),
            )
            happened.append(random_draw_test(f[chosen], f[~chosen]).p < 0.001)
        return np.array(happened)

    return trials


def both_intervals(rng: Rng, law: str, r: float, n: int) -> tuple[bool, bool]:
    """Return whether the interval that is given, and the classical one, cover the
    mean.
    """
    y, truth = LAWS[law](rng, n + PREDICTED), 0.0
    if law.startswith("binary"):
        f, truth = r * y + rng.normal(0, 0.5, len(y)), 0.05
    else:
        f = LAWS[law](rng, n + PREDICTED)
        y = r * f + np.sqrt(1 - r**2) * y
    classical = powered_mean(y[:n], f[:n], f[n:], lam=0.0)
    usual = bool(classical_reason(y[:n], f[:n], f[n:]))
    return _covers(
        classical if usual else powered_mean(y[:n], f[:n], f[n:]), truth
    ), _covers(classical, truth)


def _covers(found: PoweredMean, truth: float) -> bool:
    return bool(abs(found.mean - truth) <= special.stdtrit(found.df, 0.975) * found.se)


def covered(law: str, r: float, n: int) -> Trials:
    return lambda rng, n_trials: np.array(
        [both_intervals(rng, law, r, n)[0] for _ in range(n_trials)]
    )


def beside_the_classical(law: str, r: float, n: int) -> Trials:
    """Coverage less that of the classical interval of the same trials."""

    def trials(rng: Rng, n_trials: int) -> np.ndarray:
        pairs = np.array(
            [both_intervals(rng, law, r, n) for _ in range(n_trials)], dtype=float
        )
        return pairs[:, 0] - pairs[:, 1]

    return trials


_PRINTED = (
    "Verdicts and intervals from fits of barcode counts, true effects on the bounds of "
    "the ROPE"
)
_ANALYZED = (
    "Default of `mpra analyze`: hierarchical fit, Benjamini-Hochberg at .05, no ROPE"
)
_NOISY_LOGS = (
    "Fits by mean log ratios of counts without effects, reads of one arm more "
    "dispersed: p below .05"
)
_DRAW = "Prediction-powered means: measured units that are not taken as a random sample"
_POWERED = "Prediction-powered means: coverage of 95 % intervals"
_BOUND = (0.94, 0.05, 0.05)
_SENSE = ("at least", "at most", "at most")
CHECKS = [
    *(
        Check(
            _PRINTED,
            f"{method}, {K} element{'s' * (K > 1)}: {measure}",
            what_is_printed(method, K, 0.3, m),
            _BOUND[m],
            _SENSE[m],
            full=200 if K < 100 else 50,
            quick=12 if K < 100 else 3,
        )
        for method in ("two_way", "hierarchical")
        for K in (*FEW, *MANY)
        for m, measure in enumerate(MEASURES)
    ),
    *(
        Check(
            _ANALYZED,
            f"{library}: {measure}",
            what_analyze_prints(library, m),
            (0.05, 0.95)[m],
            ("at most", "at least")[m],
            full=200,
            quick=10,
        )
        for library in LIBRARIES
        for m, measure in enumerate(OF_ANALYZE)
    ),
    *(
        Check(
            _NOISY_LOGS,
            f"{method}, dispersion 0.1 and 0.4, barcodes with sd 0.5, 4 replicates",
            noisier((0.1, 0.4), 0.5, 4, method=method),
            0.05,
            "fails",
            full=4_000,
            quick=800,
        )
        for method in ("two_way", "hierarchical")
    ),
    *(
        Check(
            _DRAW,
            f"random sample of {n} units, predictions {law}: rejected",
            refused(law, n),
            0.001,
            "at most",
            full=1_500,
            quick=60,
        )
        for law in LAWS
        for n in (8, 12, 20, 200)
    ),
    *(
        Check(
            _DRAW,
            f"random sample of 40 units, predictions {law} in 30 contrasts: rejected",
            refused_of_many(law, 40, 30),
            0.001,
            "at most",
            full=1_500,
            quick=30,
        )
        for law in ("lognormal", "binary 5 %")
    ),
    *(
        Check(
            _DRAW,
            f"{n} units from the upper quarter, predictions {law}: rejected",
            found_out(law, n),
            0.95,
            "at least",
            full=400,
            quick=15,
        )
        for law in ("normal", "t3", "lognormal")
        for n in (12, 20)
    ),
    # of the normal law few in CI, where tests/test_mpra_ppi.py counts 400 of the same
    # cells
    *(
        Check(
            _POWERED,
            f"{law}, r = {r:g}, n = {n}",
            covered(law, r, n),
            0.95,
            claim,
            full=5_000,
            quick=quick,
        )
        for law, claim, quick in (("normal", "exact", 60), ("t3", "at least", 300))
        for r in (0.0, 0.5, 0.9, -0.7)
        for n in (12, 20, 50, 200)
    ),
    *(
        Check(
            _POWERED,
            f"{law}, r = {r:g}, n = {n}: minus the coverage of the classical interval",
            beside_the_classical(law, r, n),
            -0.01,
            "at least",
            quick=400,
        )
        for law in ("lognormal", "binary 5 %")
        for r in (0.0, 0.9, -0.7)
        for n in (12, 20, 50, 200)
    ),
]
