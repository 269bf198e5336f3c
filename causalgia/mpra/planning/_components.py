"""Variance components of an assay, estimated from a pilot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.attributes import attributes
from causalgia.errors import DataError
from causalgia.mpra.counts._activity import truncation_of
from causalgia.mpra.counts.barcodes import cell_ratios, dna_observed
from causalgia.mpra.counts.counts_table import check_one_condition, of_batches
from causalgia.mpra.fits.element_effects import FitRequest, fit_request, sd_or_zero
from causalgia.mpra.planning.assumptions import LN2
from causalgia.numerics.float_errors import usual_errors
from causalgia.schema import validate
from causalgia.types import Array

_EXPECTED, _EXPECTED_OF_BARCODE = 10.0, 30.0
_LEAST_FOR_NOISINESS = 3


@dataclass(frozen=True, eq=False)
class ReplicatePair:
    """Moments of each group over the barcodes that two replicates share, all of shape
    ``(E, A)``.
    """

    n: Array
    """Barcodes in both."""
    shift: Array
    """Mean over them of the difference between the replicates."""
    within: Array
    """Sum of squares of that difference about its mean."""
    shared: Array
    """Sum of products of the two about their means."""


@usual_errors
def components(
    counts: xr.Dataset,
    *,
    control: str | float | None = None,
    arm_names: str | Sequence[str] | None = None,
    contrasts: Mapping[str, Mapping[str, float]] | None = None,
) -> xr.Dataset:
    """Estimate the variance components of a pilot, for planning the next library.

    With ``y_br`` the log2 ratio of barcode b in replicate r, each pair of replicates
    (r, s) is compared on the barcodes of an (element, arm) that both have. The
    covariance of ``y_br`` and ``y_bs`` over barcodes is ``sd_barcode^2``; half the
    variance of ``y_br - y_bs`` is the counting noise of one cell,
    ``sd_rna^2 + sd_dna^2``; the remaining spread of the mean difference is that of
    replicates. Each estimate is unbiased for any numbers of barcodes, also with missing
    cells.

    Parameters
    ----------
    counts
        Of kind ``counts``, filtered as those of the next library will be.
    control, arm_names, contrasts
        Contrasts, as in `causalgia.mpra.fit`.

    Returns
    -------
    Dataset
        Standard deviations of log2. ``sd_barcode`` and ``sd_replicate`` of an element
        of median noisiness; times ``exp(sd_noisiness^2)`` they are root mean squares
        over elements. ``sd_rna, sd_dna`` of one barcode in one replicate at the pilot's
        depth, ``reads_rna, reads_dna`` (mean reads of a barcode) and
        ``bought_rna, bought_dna``, the variance that more reads reduce;
        ``sd_noisiness``, of the natural logarithm of an element's noise; ``p_silent``,
        the share of cells without RNA where the other replicates predict ten reads or
        more, and ``sd_silent``, the part of ``sd_rna`` that they make; ``missing``, the
        probability that a barcode of the table is missing from a replicate, each by
        itself; ``recovery``, the share of its barcodes that is left without those that
        have no RNA in any replicate, though the others of their oligo predict thirty
        reads: they are left out of all else. ``tau (contrast)``, the spread of true effects over the elements of group
        test; ``sd_shared (contrast)``, of an arm between replicates, shared by all its
        elements; ``se (contrast)``, the typical standard error of an element's effect,
        which shares nothing. Notes say where a table has lost the cells without RNA, and
        how far effects shrink. attrs ``plasmid``: one DNA library serves all
        replicates; only the part of its noise that reads reduce can be separated from
        that of barcodes.

    Raises
    ------
    DataError
        If there is one replicate, no oligo has two barcodes that two replicates share,
        or effects shrink too much, as in `causalgia.mpra.fit`.
    EstimateError
        As `causalgia.mpra.fit`.

    Notes
    -----
    A negative variance estimate is set to 0. Noisiness is the covariance over elements
    of the noise of two arms, relative to its mean; hundreds of elements are needed to
    estimate it.

    References
    ----------
    Searle, Casella & McCulloch (1992), Variance Components, doi:10.1002/9780470316856,
    chapter 5.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> import pandas as pd
    >>> side = pd.DataFrame(
    ...     {"element": np.repeat(np.arange(40), 2).astype(str), "arm": ["a", "b"] * 40}
    ... )
    >>> side["oligo_name"] = side["element"] + side["arm"]
    >>> rate = 100 * 2 ** (
    ...     0.6 * rng.normal(size=(80, 8, 1)) + 0.2 * rng.normal(size=(80, 1, 3))
    ... )
    >>> from causalgia.mpra import counts_of
    >>> rna, dna = rng.poisson(rate).reshape(640, 3), rng.poisson(100, (640, 3))
    >>> names = [f"b{i}" for i in range(640)]
    >>> counts = counts_of(
    ...     dna,
    ...     rna,
    ...     barcodes=names,
    ...     oligos=np.repeat(side["oligo_name"], 8).to_list(),
    ...     side_table=side,
    ... )
    >>> found = components(counts, control="a")
    >>> bool(0.5 < found["sd_barcode"] * np.exp(found["sd_noisiness"] ** 2) < 0.7)
    True
    """
    validate(counts, "counts")
    check_one_condition(counts)
    counts = of_batches(counts)
    if counts.sizes["replicate"] < 2:
        raise DataError(
            "one replicate cannot separate its noise from that of barcodes; components "
            "needs two or more"
        )
    request = fit_request(
        counts, control=control, arm_names=arm_names, contrasts=contrasts
    )
    ratios, used = cell_ratios(counts)
    without_rna = _silent_barcodes(counts, used)
    of_request = request.element >= 0
    lost = float(without_rna[of_request & used.any(axis=1)].mean())
    used = used & ~without_rna[:, None]
    pairs = _replicate_pairs(ratios, used, request)
    cell = _cell_variance(pairs)
    if cell is None:
        raise DataError(
            "no oligo has two barcodes that two replicates share; a pilot needs several"
        )
    df = sum(float(np.maximum(p.n - 1, 0).sum()) for p in pairs)
    barcode = max(sum(float(p.shared.sum()) for p in pairs) / df, 0.0)
    replicate, shared = _replicate_variances(pairs, request, cell)
    uneven = _sd_noisiness(pairs, cell, counts.sizes["replicate"])
    counted, attrs = _counting_components(counts, request, used, cell)
    silent, expected = _silent_cells(counts, used)
    n_expected = int(expected[of_request].sum())
    seen = _cell_variance(_replicate_pairs(ratios, used & ~silent, request))
    return xr.Dataset(
        {
            "sd_barcode": sd_or_zero(barcode) / np.exp(uneven**2),
            "sd_replicate": sd_or_zero(replicate) / np.exp(uneven**2),
            **counted,
            "sd_silent": 0.0 if seen is None else sd_or_zero(cell - seen),
            "sd_noisiness": uneven,
            "p_silent": float(silent[of_request].sum()) / max(n_expected, 1),
            "missing": _missing_share(used[of_request]),
            "recovery": 1 - lost,
            "sd_shared": ("contrast", shared),
            **_effect_spread(ratios, used, request, (barcode, replicate, cell), counts),
        },
        {"contrast": list(request.contrasts)},
        attrs | attributes(n_elements=len(request.elements)) | truncation_of(counts),
    )


def _silent_barcodes(counts: xr.Dataset, used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the barcodes without RNA in any replicate where the others of their oligo
    predict thirty reads or more.
    """
    rna, total = counts["rna"].to_numpy(), counts["rna_total"].to_numpy()
    dna = (
        counts["dna"].to_numpy().reshape(len(rna), -1) / counts["dna_total"].to_numpy()
    )
    dna = np.where(used, dna, 0.0)
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    reads, expected = np.where(used, rna, 0).sum(axis=1), (dna * total).sum(axis=1)
    seen, predicted = (np.bincount(of, x, n)[of] for x in (reads, expected))
    level = np.divide(seen, predicted, out=np.zeros(len(of)), where=predicted > 0)
    found: NDArray[np.bool_] = (reads == 0) & (level * expected >= _EXPECTED_OF_BARCODE)
    return found


def _silent_cells(
    counts: xr.Dataset, used: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the cells without RNA where the other replicates predict ten reads or more,
    and all cells where they do.
    """
    rna, total = counts["rna"].to_numpy(), counts["rna_total"].to_numpy()
    scaled = np.where(used, rna / total, 0.0)
    others = (scaled.sum(axis=1, keepdims=True) - scaled) / np.maximum(
        used.sum(axis=1, keepdims=True) - used, 1
    )
    expected = used & (others * total >= _EXPECTED)
    return expected & (rna == 0), expected


def _replicate_pairs(
    ratios: Array, used: NDArray[np.bool_], request: FitRequest
) -> list[ReplicatePair]:
    return [
        _replicate_pair(ratios, used, request, r, s)
        for r, s in combinations(range(used.shape[1]), 2)
    ]


def _cell_variance(pairs: list[ReplicatePair]) -> float | None:
    """Return half the variance within oligos of the difference of two replicates; None
    where no oligo has two barcodes in both.
    """
    df = sum(float(np.maximum(p.n - 1, 0).sum()) for p in pairs)
    return sum(float(p.within.sum()) for p in pairs) / (2 * df) if df >= 1 else None


def _missing_share(used: NDArray[np.bool_]) -> float:
    """Return the probability that a barcode is missing from a replicate.

    Barcodes that miss all of them are not counted in the share of cells that are used,
    ``(1 - m) / (1 - m^R)``, which is solved for m.

    Examples
    --------
    >>> used = np.array([[True, False], [True, True], [False, True]])
    >>> round(_missing_share(used), 3)
    0.5
    """
    R = used.shape[1]
    cells = used.sum(axis=1)
    share = float(cells[cells > 0].mean()) / R if cells.any() else 1.0
    if share >= 1:
        return 0.0
    grid = np.linspace(0.0, 1.0, 1_000, endpoint=False)
    of_grid = (1 - grid) / (1 - grid**R)
    return float(np.interp(-share, -of_grid, grid))


def _replicate_pair(
    ratios: Array, used: NDArray[np.bool_], request: FitRequest, r: int, s: int
) -> ReplicatePair:
    shape = (len(request.elements), len(request.arms))
    rows = np.flatnonzero((request.element >= 0) & used[:, r] & used[:, s])
    group = request.element[rows] * shape[1] + request.arm[rows]
    x, y = ratios[rows, r], ratios[rows, s]
    n = np.bincount(group, minlength=shape[0] * shape[1])
    mean_x, mean_y = (np.bincount(group, v, len(n)) / np.maximum(n, 1) for v in (x, y))
    dx, dy = x - mean_x[group], y - mean_y[group]
    sums = [
        np.bincount(group, v, len(n)).reshape(shape) for v in ((dx - dy) ** 2, dx * dy)
    ]
    within, shared = (np.asarray(x, dtype=np.float64) for x in sums)
    shift = (mean_x - mean_y).reshape(shape)
    return ReplicatePair(n.reshape(shape).astype(np.float64), shift, within, shared)


def _replicate_variances(
    pairs: list[ReplicatePair], request: FitRequest, cell: float
) -> tuple[float, Array]:
    """Return the variance between replicates of an (element, arm), and the sd of an arm
    in a replicate that all elements share, as each contrast shows it.
    """
    top, bottom, common = 0.0, 0.0, []
    square = (request.weights**2).sum(axis=1)
    for pair in pairs:
        for k, w in enumerate(request.weights):
            here = (pair.n[:, w != 0] > 0).all(axis=1)
            if here.sum() < 2:
                continue
            moved = pair.shift[here] @ w
            counted = (
                2 * cell * (w[w != 0] ** 2 / pair.n[here][:, w != 0]).sum(axis=1).mean()
            )
            spread = moved.var(ddof=1)
            top += float(spread - counted)
            bottom += 2 * square[k]
            common.append((k, (moved.mean() ** 2 - spread / len(moved)) / 2))
    found = np.array(
        [np.mean([v for j, v in common if j == k] or [0.0]) for k in range(len(square))]
    )
    return max(top / bottom, 0.0) if bottom else 0.0, np.sqrt(
        np.maximum(found, 0.0) / square
    )


def _sd_noisiness(pairs: list[ReplicatePair], cell: float, replicates: int) -> float:
    """Return the sd of log h, from the covariance over elements of the noise of two
    arms.
    """
    enough = np.all([p.n >= _LEAST_FOR_NOISINESS for p in pairs], axis=0)
    df, n = (np.mean([p.n - k for p in pairs], axis=0) for k in (1, 0))
    barcode = np.mean([p.shared for p in pairs], axis=0) / np.maximum(df, 1)
    shifts = [
        p.shift - p.shift[enough].mean() if enough.any() else p.shift for p in pairs
    ]
    between = np.mean(
        [
            d**2 / 2 - cell / np.maximum(p.n, 1)
            for d, p in zip(shifts, pairs, strict=True)
        ],
        axis=0,
    )
    noise = barcode / np.maximum(n, 1) + between / replicates
    both = enough[:, 0] & enough[:, 1]
    if both.sum() <= _LEAST_FOR_NOISINESS:
        return 0.0
    share = float(np.cov(noise[both, 0], noise[both, 1])[0, 1])
    mean = float(noise[both][:, :2].mean())
    return float(np.sqrt(np.log1p(max(share, 0.0) / mean**2)) / 2) if mean > 0 else 0.0


def _counting_components(
    counts: xr.Dataset, request: FitRequest, used: NDArray[np.bool_], cell: float
) -> tuple[dict[str, float], dict[str, int]]:
    """Split the counting noise between RNA and DNA, and return the part of each that
    more reads reduce.
    """
    rows = request.element >= 0
    rna, plasmid = counts["rna"].to_numpy(), "replicate" not in counts["dna"].dims
    dna = counts["dna"].to_numpy().reshape(len(rna), -1)
    has_dna = dna_observed(counts) & (dna > 0)
    inverse_rna, reads_rna = _mean_inverse_reads(rna[rows], used[rows])
    inverse_dna, reads_dna = _mean_inverse_reads(dna[rows], has_dna[rows])
    of_dna = (
        inverse_dna
        if plasmid
        else min(max(_dna_cell_variance(dna[rows], has_dna[rows]), inverse_dna), cell)
    )
    of_rna = cell if plasmid else cell - of_dna
    found = {
        "sd_rna": sd_or_zero(of_rna),
        "sd_dna": sd_or_zero(of_dna),
        "reads_rna": reads_rna,
        "reads_dna": reads_dna,
    }
    found |= {
        "bought_rna": min(inverse_rna, of_rna),
        "bought_dna": min(inverse_dna, of_dna),
    }
    return found, {"plasmid": int(plasmid), "n_replicates": counts.sizes["replicate"]}


def _mean_inverse_reads(
    reads: NDArray[np.int64], used: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the mean over cells of ``1 / (m log(2)^2)``, m a barcode's mean over
    replicates, and the mean reads.
    """
    mean = np.where(used, reads, 0).sum(axis=1) / np.maximum(used.sum(axis=1), 1)
    mean = np.broadcast_to(np.maximum(mean, 0.5)[:, None], reads.shape)[used]
    return float((1 / mean).mean() / LN2**2), float(reads[used].mean())


def _dna_cell_variance(dna: NDArray[np.int64], has_dna: NDArray[np.bool_]) -> float:
    """Return half the variance of log2 DNA differences between replicates, over
    barcodes that both have.
    """
    logs = np.log2(dna + 0.5)
    top = bottom = 0.0
    for r, s in combinations(range(dna.shape[1]), 2):
        both = has_dna[:, r] & has_dna[:, s]
        if both.sum() > 1:
            top += (
                float(np.var(logs[both, r] - logs[both, s], ddof=1))
                / 2
                * int(both.sum())
            )
            bottom += int(both.sum())
    return top / bottom if bottom else 0.0


def _effect_spread(
    ratios: Array,
    used: NDArray[np.bool_],
    request: FitRequest,
    variances: tuple[float, float, float],
    counts: xr.Dataset,
) -> dict[str, tuple[str, Array]]:
    """Return the sd of true effects: variance of differences of barcode means less
    their sampling variance.
    """
    rows = np.flatnonzero((request.element >= 0) & used.any(axis=1))
    shape = (len(request.elements), len(request.arms))
    group = request.element[rows] * shape[1] + request.arm[rows]
    cells = used[rows].sum(axis=1)
    y = np.where(used[rows], ratios[rows], 0.0).sum(axis=1) / cells
    n = np.bincount(group, minlength=shape[0] * shape[1]).reshape(shape)
    mean, thin = (
        np.bincount(group, v, n.size).reshape(shape) / np.maximum(n, 1)
        for v in (y, 1 / cells)
    )
    barcode, replicate, cell = variances
    n_least, R = np.maximum(n, 1), used.shape[1]
    # replicates do not weigh alike where cells are missing
    error = (
        barcode / n_least
        + replicate * (1 / R + (thin - 1 / R) / n_least)
        + cell * thin / n_least
    )
    test = (counts["group"].to_numpy()[request.oligos] == "test").all(axis=1)
    tau, se = np.zeros(len(request.weights)), np.zeros(len(request.weights))
    for k, w in enumerate(request.weights):
        here = test & (n[:, w != 0] > 0).all(axis=1)
        here = here if here.sum() > 1 else (n[:, w != 0] > 0).all(axis=1)
        squared = (error[here] @ w**2).mean() if here.any() else 0.0
        se[k] = np.sqrt(squared)
        tau[k] = (
            sd_or_zero(float((mean[here] @ w).var(ddof=1)) - squared)
            if here.sum() > 1
            else 0.0
        )
    return {"tau": ("contrast", tau), "se": ("contrast", se)}
