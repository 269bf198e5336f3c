"""Counts of libraries whose truth is known: amplified reads, elements that lack arms,
and conditions.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

import causalgia as cg

CONDITIONS = ("rest", "stim")
READS_OF_A_MOLECULE = 30
ARMS = ("WT", "mutA", "mutB", "mutAB")


def amplified(
    seed: int,
    *,
    share: float = 1.0,
    n: int = 60,
    n_barcodes: int = 4,
    n_replicates: int = 4,
) -> tuple[xr.Dataset, np.ndarray]:
    """Return counts whose reads come some 30 from a molecule, of which the last
    replicate keeps a share; and the true effects.
    """
    rng = np.random.default_rng(seed)
    effect = rng.choice([0.0, 0.0, 1.0], n)
    level = rng.normal(0, 1.2, n)[:, None] + effect[:, None] * [0, 1]
    of = np.repeat(np.arange(2 * n), n_barcodes)
    amount = 1_200 * rng.lognormal(0, 1.0, len(of))
    noise = rng.normal(0, 0.22, len(of))[:, None]
    noise = noise + rng.normal(0, 0.24, (len(of), n_replicates))
    mean = (0.7 * amount * 2 ** level.ravel()[of])[:, None] * 2**noise
    molecules = rng.poisson(mean / READS_OF_A_MOLECULE)
    rna = rng.poisson(READS_OF_A_MOLECULE * molecules)
    rna[:, -1] = rng.binomial(rna[:, -1], share)
    names = [f"u{i}_{arm}" for i in range(n) for arm in ("WT", "mut")]
    side = pd.DataFrame(
        {
            "oligo_name": names,
            "element": [name.split("_")[0] for name in names],
            "arm": ["WT", "mut"] * n,
            "group": "test",
        }
    )
    counts = cg.mpra.counts_of(
        rng.poisson(amount),
        rna,
        barcodes=[letters(k) for k in range(len(of))],
        oligos=np.array(names)[of],
        side_table=side,
    )
    return counts, effect


def ragged(seed: int = 0, n: int = 60) -> tuple[xr.Dataset, pd.DataFrame]:
    """Return counts of four arms, two of which most elements lack, and activities."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        [(f"e{i}", arm) for i in range(n) for arm in ARMS], columns=["element", "arm"]
    )
    table["log2"] = rng.normal(0, 0.5, len(table)) + (table["arm"] == "mutA")
    i = table["element"].str[1:].astype(int)
    lacking = (table["arm"] == "mutB") & (i % 3 > 0)
    lacking |= (table["arm"] == "mutAB") & (i % 4 == 0)
    table = table[~lacking]
    return cg.mpra.simulate(table, n_barcodes=6, rng=seed), table


def conditions(
    seed: int,
    arms: tuple[str, ...] = ("tile",),
    *,
    n: int = 250,
    n_barcodes: int = 8,
    n_replicates: int = 3,
    shared: bool = True,
    sd_replicate: float = 0.15,
    response: float = 0.4,
) -> tuple[dict[str, xr.Dataset], np.ndarray]:
    """Return counts of two conditions and the true response of each oligo beyond that
    of the library, (n, arms): a fifth of the last arm respond.
    """
    rng = np.random.default_rng(seed)
    A = len(arms)
    of = np.repeat(np.arange(n * A), n_barcodes)
    base = rng.normal(0, 1, n * A)
    true = np.zeros((n, A))
    true[: n // 5, -1] = rng.choice([-1, 1], n // 5) * response
    names = np.array([f"e{i}_{arm}" for i in range(n) for arm in arms])
    side = pd.DataFrame(
        {
            "oligo_name": names,
            "element": np.repeat([f"e{i}" for i in range(n)], A),
            "arm": np.tile(arms, n),
            "group": "test",
        }
    )
    barcode = rng.normal(0, 0.6, len(of))
    amount = 200 * rng.lognormal(0, 0.5, (len(of), 1))
    counts = {}
    for k, condition in enumerate(CONDITIONS):
        if not shared:
            barcode = rng.normal(0, 0.6, len(of))
        level = (base + k * (0.3 + true.ravel()))[of] + barcode
        noise = rng.normal(0, sd_replicate, (n * A, n_replicates))[of]
        noise = noise + rng.normal(0, 0.2, (len(of), n_replicates))
        shift = 0 if shared else 10**6 * k
        counts[condition] = cg.mpra.counts_of(
            rng.poisson(amount * np.ones(n_replicates)),
            rng.poisson(amount * 2 ** (level[:, None] + noise)),
            barcodes=[letters(i + shift) for i in range(len(of))],
            oligos=names[of],
            side_table=side,
        )
    return counts, true


def letters(number: int) -> str:
    """Return the number as letters of a barcode."""
    return "".join("ACGT"[number >> 2 * j & 3] for j in range(12))
