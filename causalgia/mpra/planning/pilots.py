"""Variance components of a pilot, layer by layer, by moments of pairs of replicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.errors import CountsError
from causalgia.mpra.counts.log_ratios import cell_ratios, dna_observed
from causalgia.mpra.fits.fit_contrasts import Asked, asked_of
from causalgia.mpra.planning.layers import LN2
from causalgia.schema import validate
from causalgia.types import Array

_EXPECTED = 10.0
_LEAST_FOR_NOISINESS = 3


@dataclass(frozen=True, eq=False)
class Pair:
    """What the barcodes that two replicates both have say of their groups, all of shape ``(E, A)``."""

    n: Array
    """Barcodes in both."""
    shift: Array
    """Mean over them of the difference between the replicates."""
    mean: Array
    """Mean over them of the mean of the two."""
    within: Array
    """Sum of squares of that difference about its mean."""
    shared: Array
    """Sum of products of the two about their means."""


def components(
    counts: xr.Dataset,
    *,
    control: str | None = None,
    arms: Sequence[str] | None = None,
    contrasts: Mapping[str, Mapping[str, float]] | None = None,
) -> xr.Dataset:
    """Estimate a pilot's variance components, for the design of the next library.

    With ``y_br`` the log2 ratio of barcode b in replicate r, every pair of replicates (r, s) is read on the barcodes of
    an (element, arm) that both have. The covariance of ``y_br`` and ``y_bs`` over barcodes is ``sd_barcode^2``; half
    the variance of ``y_br - y_bs`` is what counting adds to one cell, ``sd_rna^2 + sd_dna^2``; the spread of the mean
    of that difference is left to the replicates. Each is unbiased whatever the numbers of barcodes, also where cells
    are missing.

    Parameters
    ----------
    counts
        Of kind ``counts``, filtered as the next library's will be.
    control, arms, contrasts
        The question, as in `causalgia.mpra.fit`.

    Returns
    -------
    Dataset
        All standard deviations of log2. ``sd_barcode`` and ``sd_replicate`` of an element of median noisiness: times
        ``exp(sd_noisiness^2)`` they are root mean squares over elements. ``sd_rna, sd_dna`` of one barcode in one
        replicate at the pilot's depth, and ``reads_rna, reads_dna`` (mean reads of a barcode there) with ``bought_rna,
        bought_dna``, the variance that more reads reduce; ``sd_noisiness``, of the natural logarithm of an element's
        noise; ``p_silent``, the share of cells without RNA where the other replicates say ten reads or more (their
        variance is in ``sd_rna``). ``tau (contrast)``, the spread of true effects over the elements of group test;
        ``sd_common (contrast)``, of the contrast between replicates, shared by all elements; ``se (contrast)``, the
        typical standard error of an element's effect. attrs ``plasmid``: one DNA library serves all replicates; its
        noise cannot be told from the barcodes' but for the part that reads reduce.

    Raises
    ------
    CountsError
        If there is one replicate, or no group has two barcodes in two of them.
    ContrastError
        If the question is none; as `causalgia.mpra.fit`.

    Notes
    -----
    A variance that comes out below 0 is given as 0. Noisiness is the covariance, over elements, of the noise that
    two arms show, as a share of its mean; it takes hundreds of elements to be known.

    References
    ----------
    Searle, Casella & McCulloch (1992), Variance Components, doi:10.1002/9780470316856, chapter 5.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> import pandas as pd
    >>> side = pd.DataFrame({"element": np.repeat(np.arange(40), 2).astype(str), "arm": ["a", "b"] * 40})
    >>> side["oligo_name"] = side["element"] + side["arm"]
    >>> rate = 100 * 2 ** (0.6 * rng.normal(size=(80, 8, 1)) + 0.2 * rng.normal(size=(80, 1, 3)))
    >>> from causalgia.mpra import counts_of
    >>> rna, dna = rng.poisson(rate).reshape(640, 3), rng.poisson(100, (640, 3))
    >>> names = [f"b{i}" for i in range(640)]
    >>> counts = counts_of(dna, rna, barcodes=names, oligos=np.repeat(side["oligo_name"], 8).to_list(), arms=side)
    >>> found = components(counts, control="a")
    >>> bool(0.5 < found["sd_barcode"] * np.exp(found["sd_noisiness"] ** 2) < 0.7)
    True
    """
    validate(counts, "counts")
    if counts.sizes["replicate"] < 2:
        raise CountsError("one replicate cannot tell its noise from the barcodes'; components needs two or more")
    asked = asked_of(counts, control=control, arms=arms, contrasts=contrasts)
    ratios, used = cell_ratios(counts)
    pairs = [_pair(ratios, used, asked, r, s) for r, s in combinations(range(counts.sizes["replicate"]), 2)]
    df = sum(float(np.maximum(p.n - 1, 0).sum()) for p in pairs)
    if df < 1:
        raise CountsError("no oligo has two barcodes that two replicates share; a pilot needs several")
    cell = sum(float(p.within.sum()) for p in pairs) / (2 * df)
    barcode = max(sum(float(p.shared.sum()) for p in pairs) / df, 0.0)
    replicate, common = _between_replicates(pairs, asked, cell)
    uneven = _noisiness(pairs, cell, counts.sizes["replicate"])
    counted, said = _counting(counts, asked, used, cell)
    known = {"sd_barcode": _root(barcode) / np.exp(uneven**2), "sd_replicate": _root(replicate) / np.exp(uneven**2)}
    out = xr.Dataset(known | counted | {"sd_noisiness": uneven, "p_silent": _silent(counts, asked, used)})
    effects = _effects(ratios, used, asked, (barcode, replicate, cell), counts)
    out = out.assign(effects | {"sd_common": ("contrast", np.sqrt(common))})
    return out.assign_coords(contrast=list(asked.contrasts)).assign_attrs(said | {"n_elements": len(asked.elements)})


def _root(variance: float) -> float:
    return float(np.sqrt(max(variance, 0.0)))


def _pair(ratios: Array, used: NDArray[np.bool_], asked: Asked, r: int, s: int) -> Pair:
    shape = (len(asked.elements), len(asked.arms))
    rows = np.flatnonzero((asked.element >= 0) & used[:, r] & used[:, s])
    group = asked.element[rows] * shape[1] + asked.arm[rows]
    x, y = ratios[rows, r], ratios[rows, s]
    n = np.bincount(group, minlength=shape[0] * shape[1])
    mean_x, mean_y = (np.bincount(group, v, len(n)) / np.maximum(n, 1) for v in (x, y))
    dx, dy = x - mean_x[group], y - mean_y[group]
    sums = [np.bincount(group, v, len(n)).reshape(shape) for v in ((dx - dy) ** 2, dx * dy)]
    within, shared = (np.asarray(x, dtype=np.float64) for x in sums)
    shift, mean = (mean_x - mean_y).reshape(shape), ((mean_x + mean_y) / 2).reshape(shape)
    return Pair(n.reshape(shape).astype(np.float64), shift, mean, within, shared)


def _between_replicates(pairs: list[Pair], asked: Asked, cell: float) -> tuple[float, Array]:
    """Variance of an (element, arm) between replicates, and of each contrast of all elements together."""
    top, bottom, common = 0.0, 0.0, []
    square = (asked.weights**2).sum(axis=1)
    for pair in pairs:
        for k, w in enumerate(asked.weights):
            here = (pair.n[:, w != 0] > 0).all(axis=1)
            if here.sum() < 2:
                continue
            moved = pair.shift[here] @ w
            counted = 2 * cell * (w[w != 0] ** 2 / pair.n[here][:, w != 0]).sum(axis=1).mean()
            spread = moved.var(ddof=1)
            top += float(spread - counted)
            bottom += 2 * square[k]
            common.append((k, (moved.mean() ** 2 - spread / len(moved)) / 2))
    found = np.array([np.mean([v for j, v in common if j == k] or [0.0]) for k in range(len(square))])
    return max(top / bottom, 0.0) if bottom else 0.0, np.maximum(found, 0.0)


def _noisiness(pairs: list[Pair], cell: float, replicates: int) -> float:
    """Return the sd of log h: what two arms of an element share of the noise that barcodes and replicates make."""
    enough = np.all([p.n >= _LEAST_FOR_NOISINESS for p in pairs], axis=0)
    df, n = (np.mean([p.n - k for p in pairs], axis=0) for k in (1, 0))
    barcode = np.mean([p.shared for p in pairs], axis=0) / np.maximum(df, 1)
    shifts = [p.shift - p.shift[enough].mean() if enough.any() else p.shift for p in pairs]
    between = np.mean([d**2 / 2 - cell / np.maximum(p.n, 1) for d, p in zip(shifts, pairs, strict=True)], axis=0)
    noise = barcode / np.maximum(n, 1) + between / replicates
    both = enough[:, 0] & enough[:, 1]
    if both.sum() <= _LEAST_FOR_NOISINESS:
        return 0.0
    share = float(np.cov(noise[both, 0], noise[both, 1])[0, 1])
    mean = float(noise[both][:, :2].mean())
    return float(np.sqrt(np.log1p(max(share, 0.0) / mean**2)) / 2) if mean > 0 else 0.0


def _counting(
    counts: xr.Dataset, asked: Asked, used: NDArray[np.bool_], cell: float
) -> tuple[dict[str, float], dict[str, int]]:
    """Split what counting adds between RNA and DNA, and say how much of each more reads would take away."""
    rows = asked.element >= 0
    rna, plasmid = counts["rna"].to_numpy(), "replicate" not in counts["dna"].dims
    dna = counts["dna"].to_numpy().reshape(len(rna), -1)
    seen = dna_observed(counts) & (dna > 0)
    inverse_rna, reads_rna = _inverse(rna[rows], used[rows])
    inverse_dna, reads_dna = _inverse(dna[rows], seen[rows])
    of_dna = inverse_dna if plasmid else min(max(_dna_cells(dna[rows], seen[rows]), inverse_dna), cell)
    of_rna = cell if plasmid else cell - of_dna
    found = {"sd_rna": _root(of_rna), "sd_dna": _root(of_dna), "reads_rna": reads_rna, "reads_dna": reads_dna}
    found |= {"bought_rna": min(inverse_rna, of_rna), "bought_dna": min(inverse_dna, of_dna)}
    return found, {"plasmid": int(plasmid), "n_replicates": counts.sizes["replicate"]}


def _inverse(reads: NDArray[np.int64], used: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the mean over cells of ``1 / (m log(2)^2)``, m a barcode's mean over replicates, and the mean reads."""
    mean = np.where(used, reads, 0).sum(axis=1) / np.maximum(used.sum(axis=1), 1)
    mean = np.broadcast_to(np.maximum(mean, 0.5)[:, None], reads.shape)[used]
    return float((1 / mean).mean() / LN2**2), float(reads[used].mean())


def _dna_cells(dna: NDArray[np.int64], seen: NDArray[np.bool_]) -> float:
    """Half the variance of differences of log2 DNA between replicates, over barcodes that both have."""
    logs = np.log2(dna + 0.5)
    top = bottom = 0.0
    for r, s in combinations(range(dna.shape[1]), 2):
        both = seen[:, r] & seen[:, s]
        if both.sum() > 1:
            top += float(np.var(logs[both, r] - logs[both, s], ddof=1)) / 2 * int(both.sum())
            bottom += int(both.sum())
    return top / bottom if bottom else 0.0


def _silent(counts: xr.Dataset, asked: Asked, used: NDArray[np.bool_]) -> float:
    """Return the share of cells without RNA among those where the barcode's other replicates say ten reads or more."""
    rows = asked.element >= 0
    rna, cells = counts["rna"].to_numpy()[rows], used[rows]
    scaled = np.where(cells, rna / counts["rna_total"].to_numpy(), 0.0)
    others = (scaled.sum(axis=1, keepdims=True) - scaled) / np.maximum(cells.sum(axis=1, keepdims=True) - cells, 1)
    expected = cells & (others * counts["rna_total"].to_numpy() >= _EXPECTED)
    return float((rna[expected] == 0).mean()) if expected.any() else 0.0


def _effects(
    ratios: Array, used: NDArray[np.bool_], asked: Asked, variances: tuple[float, float, float], counts: xr.Dataset
) -> dict[str, tuple[str, Array]]:
    """Spread of true effects: the variance of differences of barcode means less their mean sampling variance."""
    rows = np.flatnonzero((asked.element >= 0) & used.any(axis=1))
    shape = (len(asked.elements), len(asked.arms))
    group = asked.element[rows] * shape[1] + asked.arm[rows]
    cells = used[rows].sum(axis=1)
    y = np.where(used[rows], ratios[rows], 0.0).sum(axis=1) / cells
    n = np.bincount(group, minlength=shape[0] * shape[1]).reshape(shape)
    mean, thin = (np.bincount(group, v, n.size).reshape(shape) / np.maximum(n, 1) for v in (y, 1 / cells))
    barcode, replicate, cell = variances
    error = barcode / np.maximum(n, 1) + replicate / used.shape[1] + cell * thin / np.maximum(n, 1)
    test = (counts["group"].to_numpy()[asked.oligos] == "test").all(axis=1)
    tau, se = np.zeros(len(asked.weights)), np.zeros(len(asked.weights))
    for k, w in enumerate(asked.weights):
        here = test & (n[:, w != 0] > 0).all(axis=1)
        here = here if here.sum() > 1 else (n[:, w != 0] > 0).all(axis=1)
        squared = (error[here] @ w**2).mean() if here.any() else 0.0
        se[k] = np.sqrt(squared)
        tau[k] = _root(float((mean[here] @ w).var(ddof=1)) - squared) if here.sum() > 1 else 0.0
    return {"tau": ("contrast", tau), "se": ("contrast", se)}
