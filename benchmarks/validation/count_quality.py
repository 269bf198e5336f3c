"""`causalgia.mpra.quality`: faults planted in simulated tables, and sound tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

import causalgia as cg
from validation.checks import Check, Rng

Reads = tuple[np.ndarray, np.ndarray, np.ndarray]
Fault = Callable[[np.ndarray, np.ndarray, np.ndarray, Rng], Reads]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A table: oligos in pairs, barcodes an oligo (mean), replicates, one plasmid pool or
    DNA of each replicate, reads a cell, and noise (sd on log2, and of gamma factors).
    """

    n: int = 100
    each: float = 8.0
    replicates: int = 4
    pool: bool = False
    reads: float = 60.0
    amount: float = 0.8  # sd on log2 of the DNA of a barcode
    sd: float = 1.0
    barcode: float = 0.5
    cell: float = 0.15
    dispersion: float = 0.1
    silent: float = 0.0
    saturation: float = 1.0  # of RNA, which goes with DNA to this power
    paired: float = 0.0  # of a cell, shared by its DNA and RNA


def drawn(kind: Kind, rng: Rng) -> Reads:
    """Return DNA, RNA and the oligo of each barcode."""
    n, R = kind.n, kind.replicates
    size = (
        np.maximum(rng.poisson(kind.each, n), 1) if kind.each > 1 else np.ones(n, int)
    )
    of = np.repeat(np.arange(n), size)
    level = np.repeat(rng.normal(0, kind.sd, n // 2), 2)
    level[1::2] += rng.normal(0, 0.5 * kind.sd, n // 2)
    activity = (level[of] + rng.normal(0, kind.barcode, len(of)))[:, None]
    activity = activity + rng.normal(0, kind.cell, (n, R))[of]
    there = kind.reads * 2 ** rng.normal(0, kind.amount, (len(of), 1))
    there = there * 2 ** rng.normal(0, kind.paired, (len(of), R))
    depth = 2 ** rng.normal(0, 0.3, (2, R))
    shape = (2, len(of), R)
    noise = (
        rng.gamma(1 / kind.dispersion, kind.dispersion, shape)
        if kind.dispersion
        else np.ones(shape)
    )
    dna = (
        rng.poisson(there[:, 0] * noise[0, :, 0])
        if kind.pool
        else rng.poisson(there * depth[0] * noise[0])
    )
    rna = rng.poisson(
        kind.reads
        * (there / kind.reads) ** kind.saturation
        * 2**activity
        * depth[1]
        * noise[1]
    )
    return dna, np.where(rng.random(rna.shape) < kind.silent, 0, rna), of


def counted(dna: np.ndarray, rna: np.ndarray, of: np.ndarray) -> xr.Dataset:
    """Return counts of these reads, a barcode each."""
    n = int(of.max()) + 1
    oligos = [f"o{i}" for i in range(n)]
    side = pd.DataFrame(
        {
            "oligo_name": oligos,
            "element": [f"e{i // 2}" for i in range(n)],
            "arm": ["ref", "alt"] * (n // 2) + ["ref"] * (n % 2),
        }
    )
    return cg.mpra.counts_of(
        dna.astype(float),
        rna.astype(float),
        barcodes=[
            "".join("ACGT"[(i >> 2 * k) & 3] for k in range(9)) for i in range(len(of))
        ],
        oligos=[oligos[i] for i in of],
        side_table=side,
    )


def found(reads: Reads) -> set[str]:
    """Return the checks that find a fault."""
    quality = cg.mpra.quality(counted(*reads))
    return set(quality["check"].to_numpy()[quality["found"].to_numpy()].tolist())


def _column(x: np.ndarray, r: int, column: np.ndarray) -> np.ndarray:
    x = x.copy()
    x[:, r] = column
    return x


def _second(how: Callable[[np.ndarray, Rng], np.ndarray]) -> Fault:
    """Put what is made of all RNA in the place of that of the second replicate."""
    return lambda dna, rna, of, rng: (dna, _column(rna, 1, how(rna, rng)), of)


def _every(how: Callable[[np.ndarray, Rng], np.ndarray]) -> Fault:
    return lambda dna, rna, of, rng: (dna, how(rna, rng), of)


def _swapped(dna: np.ndarray, rna: np.ndarray, of: np.ndarray, _: Rng) -> Reads:
    if dna.ndim == 1:
        return rna[:, 1].copy(), _column(rna, 1, dna), of
    return _column(dna, 1, rna[:, 1]), _column(rna, 1, dna[:, 1]), of


def _exchanged(dna: np.ndarray, rna: np.ndarray, of: np.ndarray, _: Rng) -> Reads:
    return dna[:, [1, 0, *range(2, dna.shape[1])]], rna, of


def _without_zeros(dna: np.ndarray, rna: np.ndarray, of: np.ndarray, _: Rng) -> Reads:
    kept = (rna > 0).all(axis=1) & (dna.reshape(len(of), -1) > 0).all(axis=1)
    return dna[kept], rna[kept], of[kept]


def _misassigned(dna: np.ndarray, rna: np.ndarray, of: np.ndarray, rng: Rng) -> Reads:
    wrong = rng.random(len(of)) < 0.2
    return dna, rna, np.where(wrong, rng.integers(0, of.max() + 1, len(of)), of)


USUAL = Kind()
KINDS = {
    "100 oligos, 8 barcodes, 4 replicates": USUAL,
    "one plasmid pool": Kind(pool=True),
    "200 oligos, one plasmid pool": Kind(n=200, pool=True),
    "3 replicates": Kind(replicates=3),
    "6 replicates": Kind(replicates=6),
    "200 oligos, 3 barcodes": Kind(n=200, each=3),
    "40 barcodes": Kind(n=60, each=40),
    "a sum an oligo": Kind(n=300, each=1, reads=1_500.0, barcode=0.2),
    "4 reads a cell": Kind(each=20, reads=4.0),
    "gamma factors of variance .5": Kind(dispersion=0.5),
    "no overdispersion": Kind(dispersion=0.0, cell=0.0),
    "a tenth of cells silent": Kind(silent=0.1),
    "oligos alike": Kind(sd=0.05),
    "RNA as DNA^.7, a fragment an oligo": Kind(
        n=1_000, each=1, replicates=3, amount=2.3, sd=0.5, saturation=0.7
    ),
    "RNA as DNA^.5, one plasmid pool": Kind(pool=True, amount=1.5, saturation=0.5),
    "20 oligos, 5 barcodes": Kind(n=20, each=5),
    "1,000 oligos, 10 barcodes": Kind(n=1_000, each=10, replicates=3),
}
#: the check, the fault, and the kinds of table in which it shows besides the usual one
FAULTS: dict[str, tuple[str, Fault, tuple[str, ...]]] = {
    "RNA of 1 % of the reads": (
        "depth",
        _second(lambda x, rng: rng.binomial(x[:, 1], 0.01)),
        ("one plasmid pool", "4 reads a cell"),
    ),
    "RNA copied": (
        "copies",
        _second(lambda x, _: x[:, 0]),
        ("one plasmid pool", "4 reads a cell", "20 oligos, 5 barcodes"),
    ),
    "RNA copied, times .7": (
        "copies",
        _second(lambda x, _: np.round(0.7 * x[:, 0]).astype(int)),
        ("gamma factors of variance .5",),
    ),
    "two fifths of RNA copied": (
        "copies",
        _second(lambda x, rng: np.where(rng.random(len(x)) < 0.4, x[:, 0], x[:, 1])),
        ("one plasmid pool", "a sum an oligo"),
    ),
    "DNA for RNA": (
        "swaps",
        _swapped,
        ("one plasmid pool", "3 replicates", "200 oligos, 3 barcodes"),
    ),
    "cells without RNA left out": ("truncation", _without_zeros, ()),
    "5 % of RNA cells times 30": (
        "jackpots",
        _every(lambda x, rng: np.where(rng.random(x.shape) < 0.05, 30 * x, x)),
        ("one plasmid pool", "200 oligos, 3 barcodes", "40 barcodes"),
    ),
    "a fifth of the barcodes assigned to other oligos": (
        "misassigned",
        _misassigned,
        (
            "200 oligos, one plasmid pool",
            "40 barcodes",
            "1,000 oligos, 10 barcodes",
        ),
    ),
}
#: faults that show in another kind than the usual one
OTHERWISE = {
    "cells without RNA left out": Kind(each=20, reads=4.0),
    "DNA of two replicates exchanged": Kind(paired=0.5),
}


def planted(check: str, fault: Fault, kind: Kind, rng: Rng, n: int) -> np.ndarray:
    """Whether the check finds the fault, in each of n tables."""
    return np.array([check in found(fault(*drawn(kind, rng), rng)) for _ in range(n)])


def _rows(name: str) -> list[tuple[str, Kind]]:
    if name in OTHERWISE:
        return [("", OTHERWISE[name])]
    return [("", USUAL), *((f", {kind}", KINDS[kind]) for kind in FAULTS[name][2])]


def disagree(kind: Kind, silenced: float, rng: Rng, n: int) -> np.ndarray:
    """Whether a fit says that barcodes disagree, a share of them silenced to a thirtieth
    of their RNA, in each of n tables.
    """

    def one() -> bool:
        dna, rna, of = drawn(kind, rng)
        gone = rng.random(len(of)) < silenced
        rna[gone] = rng.binomial(rna[gone], 1 / 30)
        return "excess_error" in cg.mpra.fit(counted(dna, rna, of), control="ref").attrs

    return np.array([one() for _ in range(n)])


FAULTS["DNA of two replicates exchanged"] = ("swaps", _exchanged, ())
_SECTION = "Faults of counts, planted in simulated tables, and sound tables"
_DISAGREE = "Barcodes that disagree, as a fit says them in its first line"
_FITTED = (
    "100 oligos, 8 barcodes, 4 replicates",
    "4 reads a cell",
    "gamma factors of variance .5",
    "20 oligos, 5 barcodes",
)
CHECKS = [
    *(
        Check(
            _DISAGREE,
            f"sound, {name}: barcodes said to disagree",
            lambda rng, n, kind=KINDS[name]: disagree(kind, 0.0, rng, n),
            0.02,
            "at most",
            full=40,
            quick=2,
        )
        for name in _FITTED
    ),
    *(
        Check(
            _DISAGREE,
            f"{share:.0%} of barcodes silenced: said to disagree".replace("%", " %"),
            lambda rng, n, share=share: disagree(USUAL, share, rng, n),
            0.0,
            "reported",
            full=40,
            quick=2,
        )
        for share in (0.05, 0.1, 0.2)
    ),
    *(
        Check(
            _SECTION,
            f"sound, {name}: any fault found",
            lambda rng, n, kind=kind: np.array(
                [bool(found(drawn(kind, rng))) for _ in range(n)]
            ),
            0.02,
            "at most",
            full=100,
            quick=5,
        )
        for name, kind in KINDS.items()
    ),
    *(
        Check(
            _SECTION,
            f"{name}{where}: found",
            lambda rng, n, of=(check, fault, kind): planted(*of, rng, n),
            0.95,
            "at least",
            full=60,
            quick=5,
        )
        for name, (check, fault, _) in FAULTS.items()
        for where, kind in _rows(name)
    ),
]
