"""The bench on tables as others have them: sums, many arms of one element, negatives with
long tails, plans, tables of what was seen, shallow replicates, and replicates linked by
few oligos. Error and power of each.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special
from scipy.stats import mstats

import causalgia as cg
from causalgia.errors import CausalgiaWarning, DataError, EstimateError
from causalgia.mpra.counts import counts_of
from causalgia.mpra.counts.variant_haplotypes import with_variants
from causalgia.mpra.fits.element_effects import fit_request
from validation.checks import Check
from validation.draws import Rng

Trials = Callable[[Rng, int], np.ndarray]


def _rng(name: str) -> Rng:
    return np.random.default_rng(zlib.crc32(name.encode()))


def two_arms(effects: np.ndarray) -> pd.DataFrame:
    n = len(effects)
    return pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(n)], 2),
            "arm": ["ref", "alt"] * n,
            "log2": np.column_stack([np.zeros(n), effects]).ravel(),
        }
    )


def counted(
    dna: np.ndarray, rna: np.ndarray, of: np.ndarray, there: np.ndarray | None = None
) -> xr.Dataset:
    """Return counts of barcodes on oligos `of`, two oligos an element."""
    there = np.ones(dna.shape, dtype=bool) if there is None else there
    some = there.any(axis=1)
    n = int(of.max()) + 1
    side = pd.DataFrame(
        {
            "oligo_name": [f"o{i}" for i in range(n)],
            "element": [f"e{i // 2}" for i in range(n)],
            "arm": ["ref", "alt"] * (n // 2),
        }
    )
    names = np.array([f"b{i}" for i in range(len(of))])
    return counts_of(
        np.where(there, dna, 0)[some],
        np.where(there, rna, 0)[some],
        barcodes=names[some],
        oligos=side["oligo_name"].to_numpy()[of][some],
        side_table=side,
        dna_observed=there[some],
        rna_observed=there[some],
    )


def barcodes(
    rng: Rng, effects: np.ndarray, each: int, mean: float, R: int = 3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Poisson counts of DNA and RNA of barcodes with gamma abundances, and their
    oligos.
    """
    n = len(effects)
    of = np.repeat(np.arange(2 * n), each)
    log2 = np.repeat(rng.normal(0, 0.5, n), 2)
    log2[1::2] += effects
    abundance = rng.gamma(2.0, 0.5, len(of)) * mean
    dna, rna = (
        rng.poisson(x[:, None] * np.ones(R))
        for x in (abundance, abundance * 2 ** log2[of])
    )
    return dna, rna, of


# --- one sum an oligo


@cache
def of_sums(method: str, n_trials: int) -> np.ndarray:
    """Return of each library of 400 elements, 40 with an effect of .4: the share of
    nulls with p < .05, the coverage of intervals, and the share of effects called.
    """
    rng, found = _rng(f"sums {method}"), []
    for _ in range(n_trials):
        effects = np.where(np.arange(400) < 40, 0.4, 0.0)
        log2 = np.repeat(rng.normal(0, 1, 400), 2)
        log2[1::2] += effects
        noisy = log2[:, None] + rng.normal(0, 0.1, (800, 4))
        dna = rng.poisson(2000, (800, 4))
        counts = counted(dna, rng.poisson(dna * 2**noisy), np.arange(800))
        fitted = cg.mpra.fit(counts, control="ref", method=method).isel(contrast=0)
        q = cg.decide(fitted, rope=0)["verdict"].to_numpy().ravel() != "undecided"
        covered = (fitted["lower"] <= effects) & (effects <= fitted["upper"])
        null = (fitted["p"] < 0.05).to_numpy()[40:]
        found.append((null.mean(), covered.mean(), q[:40].mean()))
    return np.array(found)


@cache
def of_unlike_sums(n_trials: int) -> np.ndarray:
    """Return of each library of 200 elements, 60 with an effect of .5, whose sums are of
    1 to some 40 barcodes with noise of .8 (log2) in each cell: the share of nulls with
    p < .05, that of the fifth of elements with the fewest barcodes, and that of
    effects.
    """
    rng, found = _rng("unlike sums"), []
    for _ in range(n_trials):
        each = 1 + rng.negative_binomial(2, 2 / 11, 400)
        of = np.repeat(np.arange(400), each)
        log2 = np.repeat(rng.normal(0, 1, 200), 2)
        log2[1::2] += np.where(np.arange(200) < 60, 0.5, 0.0)
        cells = (log2[:, None] + rng.normal(0, 0.1, (400, 4)))[of]
        cells = cells + rng.normal(0, 0.8, cells.shape)
        abundance = rng.gamma(2.0, 0.5, (len(of), 1)) * 150
        dna = rng.poisson(abundance * np.ones(4))
        rna = rng.poisson(abundance * 2**cells)
        sums = [
            np.column_stack([np.bincount(of, x, 400) for x in one.T]).astype(np.int64)
            for one in (dna, rna)
        ]
        fitted = cg.mpra.fit(counted(*sums, np.arange(400)), control="ref")
        below = fitted["p"].to_numpy().ravel() < 0.05
        noise = (1 / each).reshape(200, 2).sum(axis=1)
        few = noise > np.quantile(noise, 0.8)
        found.append(
            (below[60:].mean(), below[60:][few[60:]].mean(), below[:60].mean())
        )
    return np.array(found)


@cache
def of_known_barcodes(n_trials: int) -> np.ndarray:
    """Return of each library of 300 sums an arm, of 3 to 30 barcodes that differ by .5, 30
    with an effect of 1: the share of nulls with p < .05 for these barcodes and, with
    sd_barcode=.5, for others; the robust sd of z of both; and the share of effects.
    """
    rng, rows = _rng("known barcodes"), []
    effects = np.where(np.arange(300) < 30, 1.0, 0.0)
    for _ in range(n_trials):
        each = rng.integers(3, 31, 600)
        log2 = np.repeat(rng.normal(0, 1, 300), 2) + rng.normal(0, 0.5 / np.sqrt(each))
        log2[1::2] += effects
        dna = rng.poisson(2000, (600, 4))
        rna = rng.poisson(dna * 2 ** (log2[:, None] + rng.normal(0, 0.05, dna.shape)))
        counts = counted(dna, rna, np.arange(600)).assign(n_bc=("barcode", each * 1.0))
        fits = [cg.mpra.fit(counts, control="ref", sd_barcode=x) for x in (None, 0.5)]
        below = [fit["p"].to_numpy().ravel() < 0.05 for fit in fits]
        rows.append(
            (
                *(x[30:].mean() for x in below),
                *(fit.attrs["sd_z"] for fit in fits),
                below[1][:30].mean(),
            )
        )
    return np.array(rows)


# --- one element under many arms


@cache
def of_arms(n_trials: int) -> np.ndarray:
    """Return of each library of 30 null arms, whether one is called, and of one with 28
    null arms the share of two effects of -1 that are.
    """
    rng, found = _rng("arms"), []
    for _ in range(n_trials):
        called = []
        for effect in (0.0, -1.0):
            table = pd.DataFrame(
                {
                    "element": "enh",
                    "arm": ["WT"] + [f"m{i}" for i in range(30)],
                    "log2": [0.0] * 29 + [effect] * 2,
                }
            )
            counts = cg.mpra.simulate(
                table, n_barcodes=15, n_replicates=3, rng=int(rng.integers(2**31))
            )
            fitted = cg.mpra.fit(counts, control="WT", method="two_way")
            verdict = cg.decide(fitted, rope=0)["verdict"].to_numpy().ravel()
            called.append(verdict != "undecided")
        found.append((called[0].any(), called[1][-2:].mean()))
    return np.array(found, dtype=float)


ARMS = {
    "100 arms of 5 to 20 barcodes, reference of 200, 100 reads": (200, 100.0),
    "100 arms of 5 to 20 barcodes, reference of 1,000, 15 reads": (1000, 15.0),
}


@cache
def of_many_arms(name: str, method: str, n_trials: int) -> np.ndarray:
    """Return of each library of one element, 30 of whose 100 arms have an effect of .7
    or -.7: the share of nulls with p < .05 and with p < .01, the coverage of intervals,
    and the share of effects with p < .05.
    """
    rng, found = _rng(f"many arms {name}"), []
    reference, reads = ARMS[name]
    effects = np.zeros(101)
    effects[1:31] = 0.7 * (-1.0) ** np.arange(30)
    side = pd.DataFrame(
        {
            "oligo_name": [f"o{i}" for i in range(101)],
            "element": "enh",
            "arm": ["WT"] + [f"m{i}" for i in range(100)],
        }
    )
    for _ in range(n_trials):
        of = np.repeat(np.arange(101), np.append(reference, rng.integers(5, 21, 100)))
        log2 = effects[of][:, None] + rng.normal(0, 0.5, (len(of), 1))
        log2 = log2 + rng.normal(0, 0.1, (101, 3))[of] + rng.normal(0, 0.2, (1, 3))
        abundance = rng.gamma(2.0, 0.5, (len(of), 1)) * reads
        dna, rna = rng.poisson(abundance * np.ones(3)), rng.poisson(abundance * 2**log2)
        counts = counts_of(
            dna,
            rna,
            barcodes=[f"b{i}" for i in range(len(of))],
            oligos=side["oligo_name"].to_numpy()[of],
            side_table=side,
        )
        fitted = cg.mpra.fit(counts, control="WT", method=method).isel(element=0)
        p, true = fitted["p"].to_numpy(), effects[1:]
        covered = (fitted["lower"] <= true) & (true <= fitted["upper"])
        null = p[30:]
        found.append(
            (
                (null < 0.05).mean(),
                (null < 0.01).mean(),
                covered.mean(),
                (p[:30] < 0.05).mean(),
            )
        )
    return np.array(found)


# --- activities against a quantile of negatives

NEGATIVES = {"normal": 1e6, "t of 3 df": 3.0}


@cache
def of_activities(law: str, n: int, n_trials: int) -> np.ndarray:
    """Return of each library of n negatives, 100 oligos like them, 50 at the .975
    quantile of these negatives and 50 at 2 above their median: the share of intervals that hold the
    activity, the share of the oligos at the quantile with p < .05, that of false ones
    among the called, and the share of the active ones that are called.
    """
    rng, found = _rng(f"activities {law} {n}"), []
    group = ["negative"] * n + ["test"] * 200
    for _ in range(n_trials):
        drawn = 0.3 * rng.standard_t(NEGATIVES[law], n + 100)
        quantile = float(mstats.hdquantiles(drawn[:n], [0.975])[0])
        log2 = np.r_[drawn, np.full(50, quantile), np.full(50, 2.0)].clip(-10, 10)
        table = pd.DataFrame({"arm": "x", "group": group, "log2": log2})
        counts = cg.mpra.simulate(
            table.assign(element=[f"e{i}" for i in range(n + 200)]),
            n_barcodes=rng.integers(5, 20, n + 200),
            n_replicates=3,
            p_missing=0,
            rng=int(rng.integers(2**31)),
        )
        of = cg.mpra.activity(counts)
        value, lower, upper, p, q = (
            of[name].to_numpy() for name in ("activity", "lower", "upper", "p", "q")
        )
        true = log2 + np.median(value - log2)
        called = q <= 0.05
        found.append(
            (
                ((lower <= true) & (true <= upper)).mean(),
                (p[n + 100 : n + 150] < 0.05).mean(),
                (called & (log2 <= quantile)).sum() / max(called.sum(), 1),
                called[n + 150 :].mean(),
            )
        )
    return np.array(found, dtype=float)


# --- plans of averages


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A library of n backgrounds, B barcodes an oligo and R replicates, and its noise."""

    n: int
    B: int
    R: int
    effect: float
    tau: float = 0.3
    missing: float = 0.0
    common: float = 0.0
    noisiness: float = 0.0
    reads: tuple[float, float] = (100.0, 150.0)  # DNA and RNA of the median barcode
    of_pilot: bool = False

    def noise(self, **more: float) -> cg.mpra.NoiseModel:
        layers = {"sd_barcode": 0.5, "sd_replicate": 0.15}
        return cg.mpra.NoiseModel(**layers, sd_noisiness=self.noisiness, **more)

    def counts(self, rng: Rng, n: int) -> xr.Dataset:
        effects = self.effect + self.tau * rng.normal(size=n)
        counts = cg.mpra.simulate(
            two_arms(effects),
            n_barcodes=self.B,
            n_replicates=self.R,
            depth_dna=self.reads[0],
            depth_rna=self.reads[1],
            sd_depth=0,
            p_missing=self.missing,
            noise=self.noise(),
            rng=int(rng.integers(2**31)),
        )
        if not self.common:
            return counts
        alternate = counts["arm"].to_numpy()[counts["oligo_index"].to_numpy()] == "alt"
        shift = rng.normal(0, self.common, self.R)
        factor = np.where(alternate[:, None], 2**shift, 1.0)
        rna = rng.poisson(counts["rna"].to_numpy() * factor)
        return counts.assign(rna=(counts["rna"].dims, rna))

    def power(self, rng: Rng) -> float:
        """Return the power that is promised."""
        design = {"n_backgrounds": self.n, "n_barcodes": self.B, "n_replicates": self.R}
        if self.of_pilot:
            pilot = cg.mpra.components(self.counts(rng, 300), control="ref")
            plan = cg.mpra.power(self.effect, **design, pilot=pilot)
        else:
            of_mean = np.exp(np.log(2) ** 2 / 2)  # over the depth of median barcodes
            plan = cg.mpra.power(
                self.effect,
                **design,
                depth_dna=self.reads[0] * of_mean,
                depth=self.reads[1] * of_mean,
                noise=self.noise(
                    tau=self.tau,
                    missing=self.missing,
                    sd_shared=self.common / np.sqrt(2),  # of each of two arms
                ),
            )
        return float(plan["power"].to_numpy().squeeze())


PLANS = {
    "12 backgrounds, 8 barcodes, 2 replicates": Planned(n=12, B=8, R=2, effect=0.45),
    "20 backgrounds, 5 barcodes, 3 replicates": Planned(n=20, B=5, R=3, effect=0.35),
    "15 backgrounds, 10 barcodes, 4 replicates, 40 % of cells missing": Planned(
        n=15, B=10, R=4, effect=0.3, tau=0.1, missing=0.4
    ),
    "20 backgrounds, 8 barcodes, 6 replicates": Planned(n=20, B=8, R=6, effect=0.3),
    "30 backgrounds, 8 barcodes, 2 replicates, 40 % of cells missing": Planned(
        n=30, B=8, R=2, effect=0.4, missing=0.4
    ),
    "20 backgrounds, 8 barcodes, 3 replicates, 60 % of cells missing, by a pilot": (
        Planned(n=20, B=8, R=3, effect=0.5, missing=0.6, of_pilot=True)
    ),
    "20 backgrounds, 8 barcodes, 4 replicates that share noise": Planned(
        n=20, B=8, R=4, effect=0.5, common=0.25
    ),
    "20 backgrounds, 8 barcodes, 3 replicates that share noise": Planned(
        n=20, B=8, R=3, effect=0.8, common=0.25
    ),
    "20 backgrounds, 8 barcodes, 6 replicates that share noise": Planned(
        n=20, B=8, R=6, effect=0.4, common=0.25
    ),
    "20 backgrounds, 8 barcodes, 4 replicates, 10 reads a cell": Planned(
        n=20, B=8, R=4, effect=0.4, reads=(10.0, 10.0)
    ),
    "40 backgrounds, one sum an oligo, 4 replicates": Planned(
        n=40, B=1, R=4, effect=0.45, reads=(2000.0, 2000.0)
    ),
    "15 backgrounds of unlike noise, 30 barcodes, 3 replicates": Planned(
        n=15, B=30, R=3, effect=0.4, noisiness=0.4
    ),
}


@cache
def of_plan(name: str, n_trials: int) -> np.ndarray:
    """Return of each library whether the average has p < .05, less the power that was
    planned; the reverse; and the former alone.
    """
    plan, rng, found = PLANS[name], _rng(f"plan {name}"), []
    planned = plan.power(rng)
    method = "hierarchical" if plan.B == 1 else "two_way"
    for _ in range(n_trials):
        fitted = cg.mpra.fit(plan.counts(rng, plan.n), control="ref", method=method)
        hit = cg.mpra.average(fitted)["p"].item() < 0.05
        found.append((hit - planned, planned - hit, hit))
    return np.array(found, dtype=float)


# --- plans and libraries with dropout, outliers and shared error


@dataclass(frozen=True, kw_only=True)
class Assay:
    """A design and its assay, drawn without `cg.mpra.simulate`: of an element's effect,
    or (with backgrounds) of an average.

    A tenth of the barcodes drop out, half of them lost and half without RNA; cells are
    missing or silent; some barcodes are outliers; and each arm has an error in each
    replicate that all its elements share.
    """

    B: int
    R: int
    effect: float
    backgrounds: int | None = None
    tau: float = 0.3
    dropout: float = 0.1
    missing: float = 0.05
    silent: float = 0.02
    outliers: float = 0.03
    shared: float = 0.05
    depth: float = 100.0
    of_pilot: bool = False

    def counts(self, rng: Rng, n: int) -> xr.Dataset:
        effects = self.effect + self.tau * rng.normal(size=n)
        if self.backgrounds is None:
            effects[:] = self.effect
        level = np.column_stack([np.zeros(n), effects]) + rng.normal(0, 0.5, (n, 1))
        of = np.repeat(np.arange(2 * n), self.B)
        of = of[rng.random(len(of)) > self.dropout / 2]
        N, shape = len(of), (len(of), self.R)
        own = rng.normal(0, 0.5, N)
        own += rng.normal(0, 2.0, N) * (rng.random(N) < self.outliers)
        moved = rng.normal(0, 0.15, (2 * n, self.R))
        moved += np.tile(rng.normal(0, self.shared, (2, self.R)), (n, 1))
        pool = self.depth * 2 ** rng.normal(size=(N, 1))
        dna = rng.poisson(pool * rng.gamma(1 / 0.03, 0.03, shape))
        rna = pool * 2 ** (level.ravel()[of] + own)[:, None] * 2 ** moved[of]
        rna = rng.poisson(rna * rng.gamma(1 / 0.1, 0.1, shape))
        silent = rng.random((N, 1)) < self.dropout / (2 - self.dropout)
        rna[silent | (rng.random(shape) < self.silent)] = 0
        return counted(dna, rna, of, rng.random(shape) >= self.missing)

    def power(self, rng: Rng) -> float:
        """Return the power that is promised, of pilots the mean of six."""
        return float(
            np.mean([self._power(rng) for _ in range(6 if self.of_pilot else 1)])
        )

    def _power(self, rng: Rng) -> float:
        design = {"n_barcodes": self.B, "n_replicates": self.R}
        if self.backgrounds is not None:
            design["n_backgrounds"] = self.backgrounds
        if self.of_pilot:
            pilot = cg.mpra.components(self.counts(rng, 400), control="ref")
            plan = cg.mpra.power(self.effect, **design, pilot=pilot)
        else:
            plan = cg.mpra.power(
                self.effect,
                **design,
                depth=self.depth * np.exp(np.log(2) ** 2 / 2),
                noise=cg.mpra.NoiseModel(
                    sd_barcode=0.5,
                    sd_replicate=0.15,
                    tau=self.tau,
                    recovery=1 - self.dropout,
                    missing=self.missing,
                    p_silent=self.silent,
                    outliers=self.outliers,
                ),
            )
        return float(plan["power_shared" if self.shared else "power"].squeeze())

    def found(self, rng: Rng, n: int = 60) -> float:
        """Return the share of n elements, or whether the average, of one library that is
        found.
        """
        counts = self.counts(rng, self.backgrounds or n)
        fitted = cg.mpra.fit(counts, control="ref")
        if self.backgrounds is None:
            decided = cg.decide(fitted, error="each", rope=0, shrink=None)
            return float((decided["verdict"] == "increases").mean())
        return float(cg.mpra.average(fitted)["p"].item() < 0.05)


ASSAYS = {
    "an element, 5 barcodes, 3 replicates": Assay(B=5, R=3, effect=1.0),
    "an element, 10 barcodes, 4 replicates": Assay(B=10, R=4, effect=0.8),
    "an element, 30 barcodes, 6 replicates": Assay(B=30, R=6, effect=0.5),
    "an element, 10 barcodes, 4 replicates, no outlier": Assay(
        B=10, R=4, effect=0.8, outliers=0.0
    ),
    "an element, 10 barcodes, 4 replicates, by a pilot": Assay(
        B=10, R=4, effect=0.8, of_pilot=True
    ),
    "12 backgrounds, 5 barcodes, 6 replicates": Assay(
        B=5, R=6, effect=0.5, backgrounds=12
    ),
    "20 backgrounds, 8 barcodes, 4 replicates": Assay(
        B=8, R=4, effect=0.4, backgrounds=20
    ),
    "60 backgrounds, 10 barcodes, 3 replicates": Assay(
        B=10, R=3, effect=0.3, backgrounds=60, tau=0.2
    ),
    "20 backgrounds, 8 barcodes, 4 replicates, nothing shared": Assay(
        B=8, R=4, effect=0.35, backgrounds=20, shared=0.0
    ),
}


@cache
def of_assay(name: str, n_trials: int) -> np.ndarray:
    """Return of each library the share that is found, less the power that was promised;
    the reverse; and the former alone.
    """
    assay, rng = ASSAYS[name], _rng(f"assay {name}")
    planned = assay.power(rng)
    found = np.array([assay.found(rng) for _ in range(n_trials)])
    return np.column_stack([found - planned, planned - found, found])


# --- averages whose replicates share noise

SHARED = {"share nothing": 0.0, "share five times the rest": 5.0}


@cache
def of_shared_noise(R: int, share: str, n_trials: int) -> np.ndarray:
    """Return of each library of 20 backgrounds without an average effect whether the
    average has p < .05, and whether it would with one of three standard errors.
    """
    rng, found = _rng(f"shared {R} {share}"), []
    n, each, tau, sd = 20, 6, 0.3, 0.5
    rest = (tau**2 + 2 * sd**2 / each) / n
    of = np.repeat(np.arange(2 * n), each)
    for _ in range(n_trials):
        shared = rng.normal(0, np.sqrt(R * SHARED[share] * rest), R)
        log2 = np.zeros((2 * n, R))
        log2[1::2] += tau * rng.normal(size=(n, 1)) + shared
        log2 = (log2 + rng.normal(0, 0.15, log2.shape))[of]
        log2 = log2 + rng.normal(0, sd, (len(of), 1))
        abundance = rng.gamma(2.0, 0.5, (len(of), 1)) * 100
        counts = counted(
            rng.poisson(abundance * np.ones(R)), rng.poisson(abundance * 2**log2), of
        )
        average = cg.mpra.average(cg.mpra.fit(counts, control="ref", method="two_way"))
        ace, se, df = (average[name].item() for name in ("ace", "se", "df"))
        at = 3 * np.sqrt(rest * (1 + SHARED[share]))
        p = 2 * special.stdtr(df, -abs(ace + at) / se)
        found.append((average["p"].item() < 0.05, p < 0.05))
    return np.array(found, dtype=float)


@cache
def of_crossed_means(method: str, R: int, share: str, n_trials: int) -> np.ndarray:
    """Return, as `of_shared_noise`, of the mean of measured activities, and of a
    prediction-powered mean of 20 measured backgrounds of 400.
    """
    rng, found = _rng(f"crossed {method} {R} {share}"), []
    n, N, within = 20, 400, 0.25
    rest = 0.09 + 0.08
    names = {"contrast": ["alt"], "task": ["assay"]}
    for _ in range(n_trials):
        own = rng.normal(0, np.sqrt(rest), N)
        shared = rng.normal(0, np.sqrt(R * SHARED[share] * rest / n), R)
        y = own[:n, None] + shared + rng.normal(0, within, (n, R))
        effects = xr.Dataset(
            {"ice": (("unit", "contrast", "task", "model"), y[:, None, None])},
            {"unit": np.arange(n), "model": [f"{r}" for r in range(R)], **names},
            {"model_is": "replicates"},
        )
        if method == "cg.estimate":
            answer = cg.estimate(effects)
        else:
            f = own + rng.normal(0, 0.3, N)
            virtual = xr.Dataset(
                {"ice": (("unit", "contrast", "task"), f[:, None, None])},
                {"unit": np.arange(N), **names},
            )
            try:
                answer = cg.mpra.prediction_powered(
                    virtual, effects, trained_on_measured=False
                )
            except EstimateError:  # one random draw in a thousand is refused as none
                continue
        ace, se, df = (answer[name].item() for name in ("ace", "se", "df"))
        at = 3 * np.sqrt(rest / n * (1 + SHARED[share]))
        p = 2 * special.stdtr(df, -abs(ace + at) / se)
        found.append((answer["p"].item() < 0.05, p < 0.05))
    return np.array(found, dtype=float)


# --- tables that keep a cell only where RNA was seen, or a barcode where some cell has it

SEEN: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "cells with RNA only": lambda dna, rna: (dna > 0) & (rna > 0),
    "barcodes with RNA in some replicate": lambda dna, rna: (
        ((dna > 0) & (rna > 0)).any(axis=1)[:, None] & np.ones_like(dna, bool)
    ),
}
# name, mean reads of a cell, method, whether effects are corrected
TRUNCATED = (
    ("cells with RNA only", 1.0, "hierarchical", False),
    ("cells with RNA only", 3.0, "hierarchical", True),
    ("cells with RNA only", 6.0, "two_way", True),
    ("barcodes with RNA in some replicate", 2.0, "hierarchical", True),
)


@cache
def of_truncated(name: str, mean: float, method: str, n_trials: int) -> np.ndarray:
    """Return of each table of 120 elements, half of them with effects of 1 or -1: the
    share of nulls with p < .05, that of effects, of these those of the wrong sign; the
    slope of the estimates on the truth; the factor; and whether the table with all
    barcodes is said to be truncated.
    """
    rng, rows = _rng(f"truncated {name} {mean} {method}"), []
    effects = np.repeat([0.0, 1.0, -1.0], (60, 30, 30))
    for _ in range(n_trials):
        dna, rna, of = barcodes(rng, effects, 15, mean)
        kept = SEEN[name](dna, rna)
        fit, every = (
            cg.mpra.fit(counted(dna, rna, of, there), control="ref", method=method)
            for there in (kept, (dna > 0).any(axis=1)[:, None] & np.ones_like(kept))
        )
        places = [int(element[1:]) for element in fit["element"].to_numpy()]
        truth, ace = effects[places], fit["ace"].to_numpy().ravel()
        below = fit["p"].to_numpy().ravel() < 0.05
        some = below & (truth != 0)
        rows.append(
            (
                below[truth == 0].mean(),
                below[truth != 0].mean(),
                (np.sign(ace) != truth)[some].sum() / max(some.sum(), 1),
                np.polyfit(truth, ace, 1)[0],
                fit.attrs.get("truncation_factor", 1.0),
                "truncation_factor" in every.attrs,
            )
        )
    return np.array(rows, dtype=float)


# --- a replicate of a hundredth of the reads


@cache
def of_shallow(method: str, n_trials: int) -> np.ndarray:
    """Return of each library the share of effects of .3 with p < .05 with the shallow
    replicate less that without it, and the share of nulls with p < .05 with it.
    """
    rng, found = _rng(f"shallow {method}"), []
    effects = np.where(np.arange(60) < 30, 0.3, 0.0)
    for _ in range(n_trials):
        dna, rna, of = barcodes(rng, effects, 10, 60.0)
        wide = [np.hstack([x, rng.binomial(x[:, :1], 0.01)]) for x in (dna, rna)]
        p = [
            cg.mpra.fit(counts, control="ref", method=method)["p"].to_numpy().ravel()
            for counts in (counted(*wide, of), counted(dna, rna, of))
        ]
        called = [(one[:30] < 0.05).mean() for one in p]
        found.append((called[0] - called[1], (p[0][30:] < 0.05).mean(), called[0]))
    return np.array(found)


# --- replicates of a hundredth of the RNA: their depths, and how many are left without


def layered(
    rng: Rng, effects: np.ndarray, each: int, depths: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Poisson counts, 40 a cell of DNA and of RNA times the depth of each
    replicate, of oligos whose sds (log2) are .2 between barcodes, .1 between replicates
    and .2 between cells; and the oligos of barcodes.
    """
    n, R = len(effects), len(depths)
    of = np.repeat(np.arange(2 * n), each)
    log2 = np.repeat(rng.normal(size=n), 2)
    log2[1::2] += effects
    cells = (log2[:, None] + rng.normal(0, 0.1, (2 * n, R)))[of]
    cells = cells + rng.normal(0, 0.2, (len(of), 1)) + rng.normal(0, 0.2, cells.shape)
    abundance = rng.gamma(2.0, 0.5, (len(of), 1)) * 40
    dna = rng.poisson(abundance * np.ones(R))
    return dna, rng.poisson(abundance * np.asarray(depths) * 2**cells), of


FEW_RNA: dict[str, tuple[tuple[float, ...], int]] = {
    "3 replicates of like depths": ((1.0, 1.0, 1.0), 3),
    "3 replicates and a fourth of 1 % of the RNA": ((1.0, 1.0, 1.0, 0.01), 3),
    "3 replicates, one of 1 % of the RNA": ((1.0, 1.0, 0.01), 2),
    "2 replicates, one of 1 % of the RNA": ((1.0, 0.01), 1),
}


@cache
def of_few_rna(name: str, n_trials: int) -> np.ndarray:
    """Return of each library of 60 elements, 30 with an effect of .5: the share of
    nulls with p < .05; that of effects; the latter less that of a fit without the
    replicate of few reads; the same where the p of the second fit has to be so low that
    as many of all its nulls have it; the share of its nulls with p < .05; and the power
    of its estimates if their error, noise of the replicate included, were known.
    """
    depths, n_left = FEW_RNA[name]
    rng = _rng(f"few RNA {name}")
    effects = np.where(np.arange(60) < 30, 0.5, 0.0)
    p, ace = np.empty((n_trials, 2, 60)), np.empty((n_trials, 60))
    for i in range(n_trials):
        dna, rna, of = layered(rng, effects, 10, depths)
        for j, R in enumerate((len(depths), n_left)):
            fitted = cg.mpra.fit(counted(dna[:, :R], rna[:, :R], of), control="ref")
            p[i, j] = fitted["p"].to_numpy().ravel()
        ace[i] = fitted["ace"].to_numpy().ravel()
    share = (p < 0.05).reshape(n_trials, 2, 2, 30).mean(axis=3)
    with_it = share[:, 0, 0]
    at = np.quantile(p[:, 1, 30:], share[:, 0, 1].mean())
    matched = (p[:, 1, :30] < at).mean(axis=1)
    return np.column_stack(
        (
            *(share[:, 0, 1], with_it, with_it - share[:, 1, 0], with_it - matched),
            share[:, 1, 1],
            (np.abs(ace[:, :30]) > special.ndtri(0.975) * (ace - effects).std()).mean(
                1
            ),
        )
    )


# --- replicates linked by few oligos: which oligos were read in every replicate

LINKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "one element in every replicate": lambda of: of < 2,
    "one oligo in every replicate": lambda of: of == 0,
    "every oligo in every replicate": lambda of: of >= 0,
}


@cache
def of_links(name: str, n_trials: int) -> np.ndarray:
    """Return of each library of 30 effects of 1, read with the reference in the first
    replicate and the alternate in the second and third, but for the oligos that link
    them: the coverage of effects and of the average, whether the average has p < .05,
    and the half width of its interval.
    """
    rng, rows = _rng(f"links {name}"), []
    for _ in range(n_trials):
        dna, rna, of = layered(rng, np.ones(30), 12, (1.0, 4.0, 4.0))
        first = np.arange(3) == 0
        there = ((of[:, None] % 2 == 0) == first) | LINKS[name](of)[:, None]
        fitted = cg.mpra.fit(counted(dna, rna, of, there), control="ref")
        mean = cg.mpra.average(fitted).squeeze()
        low, high = mean["lower"].item(), mean["upper"].item()
        covered = (fitted["lower"] <= 1) & (fitted["upper"] >= 1)
        rows.append(
            (
                covered.mean().item(),
                float(low <= 1 <= high),
                float(mean["p"].item() < 0.05),
                (high - low) / 2,
            )
        )
    return np.array(rows)


# --- arms in different replicates


@cache
def of_arms_apart(n_trials: int) -> np.ndarray:
    """Return of each table whether its fit is refused: with the reference in the first
    replicate alone and the alternate in the others; and with both in all.
    """
    rng, found = _rng("arms apart"), []
    for _ in range(n_trials):
        dna, rna, of = barcodes(rng, np.ones(30), 8, 40.0)
        first = np.arange(3) == 0
        apart = (of[:, None] % 2 == 0) == first
        refused = []
        for there in (apart, np.ones_like(apart)):
            try:
                cg.mpra.fit(counted(dna, rna, of, there), control="ref")
            except DataError:
                refused.append(1.0)
            else:
                refused.append(0.0)
        found.append(refused)
    return np.array(found)


# --- arms of one library, and of libraries of their own


@cache
def of_own_libraries(R: int, n_trials: int) -> np.ndarray:
    """Return of each table of 400 barcodes an arm whether it is refused where each arm is
    a library of its own, and where both are of one; depths vary by .4 on log2.
    """
    rng, found = _rng(f"own libraries {R}"), []
    for _ in range(n_trials):
        refused = []
        for own in (True, False):
            of = np.repeat(np.arange(80), 10)
            abundance = rng.gamma(2.0, 0.5, (len(of), 1)) * 40
            arm = of % 2 if own else 0 * of
            dna, rna = (
                rng.poisson(
                    abundance
                    * 2 ** rng.normal(0, 0.4, (2, R))[arm]
                    * rng.gamma(10, 0.1, (len(of), R))
                )
                for _ in range(2)
            )
            try:
                fit_request(counted(dna, rna, of), control="ref")
                refused.append(0.0)
            except DataError:
                refused.append(1.0)
        found.append(refused)
    return np.array(found)


# --- two measured sides


@cache
def of_two_sides(n_trials: int) -> np.ndarray:
    """Return of each pair of libraries of the same effects: whether the interval of the
    slope holds 1, the slope, and that of least squares.
    """
    rng, found = _rng("two sides"), []
    for _ in range(n_trials):
        effects = rng.normal(0, 0.5, 120)
        sides = []
        for _side in range(2):
            dna, rna, of = barcodes(rng, effects, 8, 6.0)
            sides.append(cg.mpra.fit(counted(dna, rna, of), control="ref"))
        line = cg.mpra.concordance(*sides).sel(line="errors_and_scatter").squeeze()
        plain = np.polyfit(*(x["ace"].to_numpy().ravel() for x in sides), 1)[0]
        holds = line["slope_lower"].item() <= 1 <= line["slope_upper"].item()
        found.append((float(holds), line["slope"].item(), plain))
    return np.array(found)


# --- barcodes with several variants


@cache
def of_variants(shared: float, n_trials: int) -> np.ndarray:
    """Return of each element of 60 variants, half of them with effects of .4, and 800
    barcodes with two variants on average, which `shared` noise moves in a replicate:
    the shares of nulls with p < .05, of intervals with the truth, and of effects with
    p < .05; and of effects by barcodes with one variant at most.
    """
    rng, found = _rng(f"several variants {shared}"), []
    names = [f"{v + 1}:A>C" for v in range(60)]
    for _ in range(n_trials):
        truth = np.where(np.arange(60) % 2, rng.choice([-0.4, 0.4], 60), 0.0)
        carried = rng.random((800, 60)) < 2 / 60 * rng.lognormal(0, 0.6, 60)
        amount = 60 * rng.lognormal(0, 0.8, (800, 1)) * np.ones(3)
        log2 = (carried @ truth + rng.normal(0, 0.4, 800))[:, None]
        log2 = log2 + carried @ rng.normal(0, shared, (60, 3))
        log2 = log2 + rng.normal(0, 0.2, (800, 3))
        dna, rna = rng.poisson(amount), rng.poisson(amount * 2**log2)
        row = []
        for some in (np.ones(800, dtype=bool), carried.sum(axis=1) < 2):
            fitted = cg.mpra.fit(
                _of_variants(carried[some], dna[some], rna[some], names),
                control="reference",
            ).isel(element=0)
            one = fitted.reindex(contrast=names)
            low = (one["p"] < 0.05).to_numpy()
            inside = (one["lower"] <= truth) & (truth <= one["upper"])
            row += [low[truth == 0].mean(), inside.mean(), low[truth != 0].mean()]
        found.append([row[i] for i in (0, 1, 2, 5)])
    return np.array(found)


def _of_variants(
    carried: np.ndarray, dna: np.ndarray, rna: np.ndarray, names: list[str]
) -> xr.Dataset:
    lists = [tuple(np.array(names)[row]) for row in carried]
    of = ["several" if len(x) > 1 else x[0] if x else "reference" for x in lists]
    arms = [arm for arm in ("reference", "several", *names) if arm in of]
    labels = [f"b{i}" for i in range(len(of))]
    counts = counts_of(
        dna,
        rna,
        barcodes=labels,
        oligos=of,
        side_table=pd.DataFrame({"oligo_name": arms, "element": "T", "arm": arms}),
    )
    return with_variants(counts, dict(zip(labels, lists, strict=True)))


def column(of: Callable[..., np.ndarray], *key: object, at: int, whether: bool = False):
    """Return the trials of one column."""

    def trials(_: Rng, n: int) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            found = of(*key, n)[:, at]
        return found > 0.5 if whether else found

    return trials


_LESS = "effects of .5 found less those without it"
_SECTION = "Tables of counts as laboratories have them: errors, and power beside them"
CHECKS = [
    *(
        Check(
            _SECTION,
            f"one sum an oligo, {method}: {what}",
            column(of_sums, method, at=at),
            nominal,
            claim,
            full=20,
            quick=2,
        )
        for method in ("hierarchical",)
        for at, (what, nominal, claim) in enumerate(
            (
                ("nulls with p < .05", 0.06, "at most"),
                ("coverage of intervals", 0.94, "at least"),
                ("effects of .4 called", 0.0, "reported"),
            )
        )
    ),
    *(
        Check(
            _SECTION,
            f"sums of 1 to some 40 barcodes: {what}",
            column(of_unlike_sums, at=at),
            nominal,
            claim,
            full=40,
            quick=2,
        )
        for at, (what, nominal, claim) in enumerate(
            (
                ("nulls with p < .05", 0.06, "at most"),
                ("nulls of the fewest barcodes with p < .05", 0.0, "reported"),
                ("effects of .5 with p < .05", 0.0, "reported"),
            )
        )
    ),
    *(
        Check(
            _SECTION,
            f"sums of 3 to 30 barcodes that differ by .5: {what}",
            column(of_known_barcodes, at=at),
            nominal,
            claim,
            full=40,
            quick=2,
        )
        for at, what, nominal, claim in (
            (0, "nulls with p < .05, for these barcodes", 0.0, "reported"),
            (1, "nulls with p < .05, sd_barcode=.5", 0.06, "at most"),
            (2, "robust sd of z, for these barcodes", 0.0, "reported"),
            (3, "robust sd of z, sd_barcode=.5", 0.0, "reported"),
            (4, "effects of 1 with p < .05, sd_barcode=.5", 0.0, "reported"),
        )
    ),
    Check(
        _SECTION,
        "one element, 30 null arms: libraries with a call",
        column(of_arms, at=0, whether=True),
        0.05,
        "at most",
        full=200,
        quick=20,
    ),
    Check(
        _SECTION,
        "one element, 30 null arms: of two effects of -1 among 28 nulls called",
        column(of_arms, at=1),
        0.0,
        "reported",
        full=200,
        quick=20,
    ),
    *(
        Check(
            _SECTION,
            f"one element, {name}, {method}: {what}",
            column(of_many_arms, name, method, at=at),
            nominal,
            claim,
            full=40,
            quick=2,
        )
        for name in ARMS
        for method in ("hierarchical", "two_way")
        for at, (what, nominal, claim) in enumerate(
            (
                ("nulls with p < .05", 0.06, "at most"),
                ("nulls with p < .01", 0.015, "at most"),
                ("coverage of intervals", 0.94, "at least"),
                ("effects of .7 with p < .05", 0.0, "reported"),
            )
        )
    ),
    *(
        Check(
            _SECTION,
            f"barcodes with two variants, replicates differ by {shared:g}: {what}",
            column(of_variants, shared, at=at),
            nominal,
            claim,
            full=100,
            quick=3,
        )
        for shared in (0.0, 0.1)
        for at, (what, nominal, claim) in enumerate(
            (
                ("nulls with p < .05", 0.06, "at most"),
                ("coverage of intervals", 0.94, "at least"),
                ("effects of .4 with p < .05", 0.0, "reported"),
                ("effects of .4 by barcodes with one variant", 0.0, "reported"),
            )
        )
    ),
    *(
        Check(
            _SECTION,
            f"activities, {n} negatives, {law}: {what}",
            column(of_activities, law, n, at=at),
            nominal,
            claim,
            full=100,
            quick=2,
        )
        for law in NEGATIVES
        for n in (100, 200)
        for at, (what, nominal, claim) in enumerate(
            (
                ("coverage of intervals", 0.94, "at least"),
                ("oligos at the .975 quantile with p < .05", 0.06, "at most"),
                ("share of false ones among the called", 0.05, "at most"),
                ("active oligos called", 0.0, "reported"),
            )
        )
    ),
    *(
        Check(
            _SECTION,
            f"plan of {name}: {what}",
            column(of_plan, name, at=at),
            nominal,
            claim,
            full=400,
            quick=20,
        )
        for name in PLANS
        for at, (what, nominal, claim) in enumerate(
            (
                ("power reached less power promised", -0.03, "at least"),
                ("power promised less power reached", -0.03, "at least"),
                ("power reached", 0.0, "reported"),
            )
        )
    ),
    *(
        Check(
            _SECTION,
            f"plan with dropout, outliers and shared error, {name}: {what}",
            column(of_assay, name, at=at),
            nominal,
            claim,
            full=40 if assay.backgrounds is None else 300,
            quick=4 if assay.backgrounds is None else 20,
        )
        for name, assay in ASSAYS.items()
        for at, (what, nominal, claim) in enumerate(
            (
                ("power reached less power promised", -0.03, "at least"),
                ("power promised less power reached", -0.03, "at least"),
                ("power reached", 0.0, "reported"),
            )
        )
    ),
    *(
        Check(
            _SECTION,
            f"average of 20 backgrounds, {R} replicates that {share}: {what}",
            column(of_shared_noise, R, share, at=at, whether=True),
            nominal,
            claim,
            full=300,
            quick=20,
        )
        for R in (2, 3, 4)
        for share in SHARED
        for at, (what, nominal, claim) in enumerate(
            (
                ("nulls with p < .05", 0.05, "at most"),
                (
                    "averages of three true standard errors with p < .05",
                    0.0,
                    "reported",
                ),
            )
        )
    ),
    *(
        Check(
            _SECTION,
            f"{method} of 20 backgrounds, {R} replicates that {share}: {what}",
            column(of_crossed_means, method, R, share, at=at, whether=True),
            nominal,
            claim,
            full=300,
            quick=20,
        )
        for method in ("cg.estimate", "prediction_powered")
        for R in (2, 3)
        for share in SHARED
        for at, (what, nominal, claim) in enumerate(
            (
                ("nulls with p < .05", 0.05, "at most"),
                ("means of three true standard errors with p < .05", 0.0, "reported"),
            )
        )
    ),
    *(
        Check(
            _SECTION,
            f"{name}, {mean:g} reads a cell, {method}: {what}",
            column(of_truncated, name, mean, method, at=at, whether=at == 5),
            nominal,
            claim,
            full=20,
            quick=2,
        )
        for name, mean, method, corrected in TRUNCATED
        for at, what, nominal, claim in (
            (0, "nulls with p < .05", 0.06, "at most"),
            (1, "effects of 1 with p < .05", 0.0, "reported"),
            (2, "of these, of the wrong sign", 0.01, "at most"),
            *(
                (
                    (3, "slope on the truth, corrected", 0.95, "at least"),
                    (3, "slope on the truth, corrected, from above", 1.05, "at most"),
                )
                if corrected
                else ((3, "slope on the truth", 0.0, "reported"),)
            ),
            (4, "factor", 0.0, "reported"),
            (5, "said of the table with every barcode", 0.05, "at most"),
        )
    ),
    *(
        Check(
            _SECTION,
            f"a replicate of 1 % of the reads, {method}: {what}",
            column(of_shallow, method, at=at),
            nominal,
            claim,
            full=30,
            quick=3,
        )
        for method in ("hierarchical", "two_way")
        for at, (what, nominal, claim) in enumerate(
            (
                ("power with it less power without", -0.02, "at least"),
                ("nulls with p < .05", 0.06, "at most"),
                ("effects of .3 with p < .05", 0.0, "reported"),
            )
        )
    ),
    *(
        Check(
            _SECTION,
            f"{name}: {what}",
            column(of_few_rna, name, at=at),
            nominal,
            claim,
            full=40,
            quick=3,
        )
        for name, (depths, n_left) in FEW_RNA.items()
        for at, what, nominal, claim in (
            (0, "nulls with p < .05", 0.06, "at most"),
            (1, "effects of .5 with p < .05", 0.0, "reported"),
            *(
                ()
                if len(depths) == n_left
                else ((2, f"{_LESS}, at p < .05", 0.0, "at least"),)
                if n_left > 1
                else (
                    # one replicate alone has no noise between replicates in its error
                    (4, "nulls with p < .05 without it", 0.0, "reported"),
                    (2, f"{_LESS}, at p < .05", 0.0, "reported"),
                    (3, f"{_LESS}, at the same share of nulls", 0.0, "at least"),
                    (
                        5,
                        "effects of .5 found without it if the noise were known",
                        0.0,
                        "reported",
                    ),
                )
            ),
        )
    ),
    *(
        Check(
            _SECTION,
            f"reference in one replicate, alternate in two others, {name}: {what}"
            if "every oligo" not in name
            else f"{name}: {what}",
            column(of_links, name, at=at, whether=at in (1, 2)),
            nominal,
            claim,
            full=100,
            quick=5,
        )
        for name in LINKS
        for at, (what, nominal, claim) in enumerate(
            (
                ("coverage of effects of 1", 0.94, "at least"),
                ("coverage of their average", 0.94, "at least"),
                ("averages with p < .05", 0.0, "reported"),
                ("half width of averages", 0.0, "reported"),
            )
        )
    ),
    *(
        Check(
            _SECTION,
            f"reference and alternate {where}: refused",
            column(of_arms_apart, at=at, whether=True),
            nominal,
            claim,
            full=40,
            quick=5,
        )
        for at, where, nominal, claim in (
            (0, "in different replicates", 0.95, "at least"),
            (1, "in every replicate", 0.05, "at most"),
        )
    ),
    *(
        Check(
            _SECTION,
            f"reference and alternate, {R} replicates, {where}: refused",
            column(of_own_libraries, R, at=at, whether=True),
            nominal,
            claim,
            full=200,
            quick=5,
        )
        for R in (2, 3)
        for at, where, nominal, claim in (
            (0, "libraries of their own", 0.0, "reported"),
            (1, "one library", 0.05, "at most"),
        )
    ),
    *(
        Check(
            _SECTION,
            f"two measured libraries of the same effects: {what}",
            column(of_two_sides, at=at, whether=at == 0),
            nominal,
            claim,
            full=100,
            quick=10,
        )
        for at, (what, nominal, claim) in enumerate(
            (
                ("interval of the slope holds 1", 0.94, "at least"),
                ("slope, corrected for noise", 1.0, "reported"),
                ("slope of least squares", 0.0, "reported"),
            )
        )
    ),
]
