"""Barcodes of counts: log ratios and sums by oligo, and filters with their counts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.attributes import about
from causalgia.checks import as_names, as_positive, check_arm, listed
from causalgia.errors import CausalgiaError, DataError, quoted
from causalgia.estimation.moderated_variances import moderate_variances
from causalgia.inputs import format_share, parse_json
from causalgia.mpra.counts.counts_table import check_one_condition
from causalgia.schema import validate
from causalgia.types import Array, Ints, Mask

LEAST_EXPECTED = 10.0
NOTED_SILENCE = 0.01
_LEAST_MODERATED = 3


def cell_ratios(counts: xr.Dataset, *, pseudo: float = 0.5) -> tuple[Array, Mask]:
    """Return log2(RNA/DNA) of each barcode in each replicate, and which cells have one.

    ``log2(rna + pseudo) - log2(rna_total + 1) - log2(dna + pseudo) + log2(dna_total +
    1)``: size factors are by library (type, replicate), for all arms. A cell is used
    where its DNA was read (observed and above 0); missing RNA counts as 0.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    pseudo
        Added to every count.

    Returns
    -------
    tuple
        Ratios, shape ``(n_barcodes, n_replicates)``, 0 in cells that are not used; and
        the mask of those that are.
    """
    rna = counts["rna"].to_numpy()
    dna = counts["dna"].to_numpy().reshape(len(rna), -1)
    used = np.broadcast_to(dna_observed(counts) & (dna > 0), rna.shape)
    top = np.log2(rna + pseudo) - np.log2(counts["rna_total"].to_numpy() + 1.0)
    bottom = np.log2(dna + pseudo) - np.log2(counts["dna_total"].to_numpy() + 1.0)
    return np.where(used, top - bottom, 0.0), used


def silent_share(counts: xr.Dataset) -> float:
    """Return the share of cells without RNA among those in which 10 reads or more are
    expected.

    The expectation is the barcode's DNA times RNA over DNA of the oligo's other
    barcodes in the replicate; at a dispersion of .1, 10 expected reads are 0 by chance
    in one of a thousand cells. 0 where no cell expects as many.
    """
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    rna = counts["rna"].to_numpy().astype(np.float64)
    dna = np.broadcast_to(
        counts["dna"].to_numpy().reshape(len(rna), -1), rna.shape
    ).astype(np.float64)
    both = [group_sums(x, of, (n,))[of] - x for x in (rna, dna)]
    expected = np.divide(
        dna * both[0], both[1], out=np.zeros_like(dna), where=both[1] > 0
    )
    deep = (expected >= LEAST_EXPECTED) & counts["rna_observed"].to_numpy()
    return float((rna[deep] == 0).mean()) if deep.any() else 0.0


def silence_notes(counts: xr.Dataset, consequence: str) -> list[str]:
    """Return a note where 1 % or more of the cells are silent, with what follows from
    it; else nothing.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> counts = simulated()
    >>> heard = np.arange(480) % 5 > 0
    >>> silence_notes(
    ...     counts.assign(rna=counts["rna"] * heard[:, None]), "log ratios shrink"
    ... )
    ['20 % of the cells that should have RNA have none; log ratios shrink']
    """
    share = silent_share(counts)
    if share < NOTED_SILENCE:
        return []
    return [
        f"{format_share(share)} of the cells that should have RNA have none; "
        f"{consequence}"
    ]


def dna_observed(counts: xr.Dataset) -> Mask:
    """Return the mask of observed DNA cells, shape
    ``(n_barcodes, 1 or n_replicates)``.
    """
    return counts["dna_observed"].to_numpy().reshape(counts.sizes["barcode"], -1)


def group_sums(values: NDArray[Any], group: Ints, shape: tuple[int, ...]) -> Array:
    """Sum values, shape ``(B, ...)``, within groups 0 to G - 1 of their rows, to
    ``(*shape, ...)`` with G entries.

    Examples
    --------
    >>> group_sums(np.array([1.0, 2.0, 4.0]), np.array([1, 1, 0]), (2, 1)).ravel()
    array([4., 3.])
    """
    columns = values.reshape(len(values), -1)
    size = int(np.prod(shape))
    found = [np.bincount(group, column, size) for column in columns.T]
    return (
        np.stack(found, axis=-1)
        .reshape(*shape, *values.shape[1:])
        .astype(np.float64, copy=False)
    )


@dataclass(frozen=True)
class OligoMeans:
    """Means of log ratios of n oligos in R replicates, in which each barcode counts
    once.

    Attributes
    ----------
    activity
        Shape ``(n, R)``. Its mean over replicates is the mean of the barcodes' means;
        differences between replicates are the least-squares fit within barcodes, so
        missing cells bias neither. 0 where `n` is 0.
    n
        Barcodes of each, shape ``(n, R)``.
    barcode
        Mean of each barcode over the replicates that have it, shape ``(n_barcodes,)``;
        0 without any.
    observed
        Whether a barcode is in any replicate.
    spread
        Contribution of counting noise of variance 1 in every cell to the variance over
        replicates, over R; shape ``(n,)``.
    """

    activity: Array
    n: Ints
    barcode: Array
    observed: Mask
    spread: Array


def oligo_means(ratios: Array, used: Mask, of: Ints, n: int) -> OligoMeans:
    """Return the means of log ratios by oligo and replicate.

    Parameters
    ----------
    ratios, used
        From `causalgia.mpra.counts.barcodes.cell_ratios`, shape ``(n_barcodes, R)``.
    of
        Oligo of each barcode.
    n
        Oligos.

    Examples
    --------
    >>> ratios, used = (
    ...     np.array([[1.0, 2.0], [4.0, 0.0]]),
    ...     np.array([[True, True], [True, False]]),
    ... )
    >>> oligo_means(ratios, used, np.array([0, 0]), 1).activity
    array([[2.25, 3.25]])
    """
    cells = used.sum(axis=1)
    observed = cells > 0
    barcode = np.where(used, ratios, 0.0).sum(axis=1) / np.maximum(cells, 1)
    within = np.where(used, ratios - barcode[:, None], 0.0)
    count = group_sums(used, of, (n,))
    shift, spread = _fit_replicates(within, used, of, count)
    n_observed = np.bincount(of, weights=observed, minlength=n)
    level = np.bincount(of, weights=barcode * observed, minlength=n) / np.maximum(
        n_observed, 1
    )
    activity = np.where(count > 0, level[:, None] + shift, 0.0)
    return OligoMeans(activity, count.astype(np.int64), barcode, observed, spread)


def _fit_replicates(
    within: Array, used: Mask, of: Ints, count: Array
) -> tuple[Array, Array]:
    """Fit replicates, with a level for each barcode, by least squares; centered,
    ``(n, R)``, and `OligoMeans.spread`.

    Where no barcode connects two replicates of an oligo, their difference is attributed
    to barcodes.
    """
    n, R = count.shape
    share = used / np.maximum(used.sum(axis=1, keepdims=True), 1)
    joint = np.stack(
        [group_sums(share * used[:, [r]], of, (n,)) for r in range(R)], axis=1
    )
    normal = count[:, :, None] * np.eye(R) - joint
    inverse = np.linalg.pinv(normal, rcond=1e-9, hermitian=True)
    moved = np.einsum("ors,os->or", inverse, group_sums(within, of, (n,)))
    spread = np.einsum("orr->o", inverse) / (max(R - 1, 1) * R)
    return moved - moved.mean(axis=1, keepdims=True), spread


@dataclass(frozen=True)
class OligoVariances:
    """Variances of an oligo's mean over replicates, shape ``(n,)`` each.

    Attributes
    ----------
    between
        Of its barcodes' means, over their number, counting noise included: the variance
        with new barcodes.
    residual
        Contribution of counting noise to the variance over replicates, over R; already
        part of `between`.
    """

    between: Array
    residual: Array


def oligo_variances(
    ratios: Array, used: Mask, of: Ints, means: OligoMeans
) -> OligoVariances | None:
    """Return the variances by oligo, moderated over oligos; None where all have one
    barcode.

    Examples
    --------
    >>> ratios, of = np.array([[1.0, 1.0], [4.0, 4.0], [2.0, 2.0]]), np.array([0, 0, 1])
    >>> used = np.ones_like(ratios, dtype=bool)
    >>> oligo_variances(ratios, used, of, oligo_means(ratios, used, of, 2)).between
    array([2.25, 4.5 ])
    """
    n, R = means.activity.shape
    size = np.bincount(of, weights=means.observed, minlength=n)
    level = means.activity.mean(axis=1)
    squares = np.bincount(
        of,
        weights=np.where(means.observed, means.barcode - level[of], 0.0) ** 2,
        minlength=n,
    )
    if not (size > 1).any():
        return None
    between = _moderated_mean_squares(squares, size - 1) / np.maximum(size, 1)
    moved = (means.activity - level[:, None])[of]
    cells = np.maximum(used.sum(axis=1, keepdims=True), 1)
    left = ratios - moved
    left = np.where(used, left - (left * used).sum(axis=1, keepdims=True) / cells, 0.0)
    df = np.bincount(of, weights=used.sum(axis=1), minlength=n) - size - (R - 1)
    residual = np.zeros(n)
    if (df > 0).any():
        noise = _moderated_mean_squares(
            np.bincount(of, weights=(left**2).sum(axis=1), minlength=n), df
        )
        residual = noise * means.spread
    return OligoVariances(between, residual)


def _moderated_mean_squares(squares: NDArray[Any], df: NDArray[Any]) -> Array:
    """Return moderated mean squares (squeezeVar); with few oligos, pooled ones where an
    oligo has no df.
    """
    known = df > 0
    if known.sum() >= _LEAST_MODERATED:
        return moderate_variances(
            squares / np.maximum(df, 1), np.maximum(df, 0.0)
        ).variance
    whole = squares[known].sum() / df[known].sum()
    return np.asarray(np.where(known, squares / np.maximum(df, 1), whole))


def sampling_covariance(activity: Array, between: Array, residual: Array) -> Array:
    """Return the covariance of the arms of a unit: barcodes of each arm, and replicates
    shared by arms.

    ``C = S / R + diag(max(between - residual, 0))`` with S the covariance over
    replicates, on R - 1 degrees of freedom: about unbiased on average over units, and
    noisy for each. It is that of the mean over replicates, for new barcodes and new
    replicates.

    Parameters
    ----------
    activity
        Shape ``(n_units, n_arms, R)``.
    between, residual
        Of each oligo, shape ``(n_units, n_arms)``.

    Returns
    -------
    ndarray
        Shape ``(n_units, n_arms, n_arms)``, positive semi-definite.

    Examples
    --------
    >>> activity = np.array([[[0.0, 1.0], [3.0, 4.0]]])
    >>> sampling_covariance(activity, np.array([[0.5, 0.1]]), np.array([[0.1, 0.1]]))
    array([[[0.65, 0.25],
            [0.25, 0.25]]])
    """
    R = activity.shape[-1]
    moved = activity - activity.mean(axis=-1, keepdims=True)
    shared = np.einsum("uar,ubr->uab", moved, moved) / (max(R - 1, 1) * R)
    alone = np.maximum(between - residual, 0.0)
    return np.asarray(shared + alone[..., None] * np.eye(alone.shape[1]))


def group_medians(x: Array, of: Ints, n: int) -> Array:
    """Return the median of each group, 0 where it is empty, shape ``(n,)``.

    Examples
    --------
    >>> group_medians(np.array([5.0, 1.0, 3.0, 8.0]), np.array([0, 0, 0, 2]), 3)
    array([3., 0., 8.])
    """
    order = np.lexsort((x, of))
    size = np.bincount(of, minlength=n)
    start = np.cumsum(size) - size
    ranked = np.append(x[order], 0.0)
    low, high = (
        np.where(size > 0, start + (size - 1 + k) // 2, len(x)) for k in (0, 1)
    )
    return np.asarray(np.where(size > 0, (ranked[low] + ranked[high]) / 2, 0.0))


def robust_z(x: Array, observed: Mask, of: Ints) -> Array:
    """Return robust z within groups: distance from the median in 1.4826 median absolute
    deviations; 0 if not seen.

    The deviation is the larger of that of the group and that of all groups of three or
    more, because that of a few values may be 0 by chance. Groups of fewer than three
    have z 0.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 2.0, 30.0, 1.0, 2.0, 3.0])
    >>> robust_z(x, np.ones(7, dtype=bool), np.array([0, 0, 0, 0, 1, 1, 1])).round(1)
    array([-1. , -0.3,  0.3, 19.2, -0.7,  0. ,  0.7])
    """
    z, n = np.zeros(len(x)), int(of.max(initial=-1)) + 1
    size = np.bincount(of[observed], minlength=n)
    use = observed & (size[of] > 2)
    if not use.any():
        return z
    group = of[use]
    distance = x[use] - group_medians(x[use], group, n)[group]
    spread = (
        1.4826
        * np.maximum(
            group_medians(np.abs(distance), group, n), np.median(np.abs(distance))
        )[group]
    )
    z[use] = np.divide(distance, spread, out=np.zeros_like(distance), where=spread > 0)
    return z


def filter(
    counts: xr.Dataset,
    *,
    min_dna: float | None = None,
    outliers: float | None = None,
    min_barcodes: int | None = None,
) -> xr.Dataset:
    """Drop barcodes with little DNA, outliers, and oligos with few barcodes; record
    what was dropped.

    The rules apply in this order. Library totals stay as they were read, so filters do
    not change size factors.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    min_dna
        Least DNA of a barcode, the mean over the replicates in which it was observed (a
        0 that was read is observed). Barcodes whose DNA was observed in no replicate
        have no activity; they are dropped too and counted separately.
    outliers
        Largest robust z of a barcode within its oligo, either way, as in `quality`; for
        example 5. This rule uses the outcome: fix it before the effects are seen, for
        it shortens tails.
    min_barcodes
        Fewest barcodes with DNA above 0, in every replicate, of an oligo; oligos with
        fewer are dropped. `fit` estimates an element in each contrast of which every
        arm is left.
        Where barcodes carry several variants, fewest of those that carry a variant:
        `fit` does not compare a rarer one (``compared (variant)``).

    Returns
    -------
    Dataset
        The remaining counts; ``attrs["filters"]`` is a JSON list with an object for
        each rule: ``rule``, ``value``, and what it dropped by arm (``barcodes``,
        ``oligos``, ``unknown``).

    Raises
    ------
    DataError
        If no rule is given, a value is not a positive number, or nothing is left.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import two_arms
    >>> filtered = filter(two_arms(), min_dna=11)
    >>> filtered.sizes["barcode"], filtered.attrs["filters"]
    (3, '[{"rule": "min_dna", "value": 11, "barcodes": {"GATA1": 1}, "unknown": {}}]')
    >>> filtered["dna_total"].values
    array([55, 39])
    """
    validate(counts, "counts")
    check_one_condition(counts)
    if min_dna is None and outliers is None and min_barcodes is None:
        raise DataError(
            "no rule; give min_dna=, outliers= or min_barcodes=, for example min_dna=10"
        )
    rules: dict[str, Any] = {
        "min_dna": min_dna,
        "outliers": outliers,
        "min_barcodes": min_barcodes,
    }
    for name, value in rules.items():
        if value is not None:
            as_positive(value, name, error=DataError)
    if min_dna is not None:
        observed = dna_observed(counts)
        n = observed.sum(axis=1)
        mean = counts["dna"].to_numpy().reshape(len(n), -1).sum(axis=1) / np.maximum(
            n, 1
        )
        below, unknown = (n > 0) & (mean < min_dna), n == 0
        lost = {
            "barcodes": _barcodes_by_arm(counts, below),
            "unknown": _barcodes_by_arm(counts, unknown),
        }
        counts = _keep_barcodes(
            counts,
            ~(below | unknown),
            {"rule": "min_dna", "value": min_dna, **lost},
            cure=f"give min_dna={int(mean[n > 0].max(initial=0))} or less",
        )
    if outliers is not None:
        outlying = np.abs(barcode_z(counts)) > outliers
        counts = _keep_barcodes(
            counts,
            ~outlying,
            {
                "rule": "outliers",
                "value": outliers,
                "barcodes": _barcodes_by_arm(counts, outlying),
            },
        )
    if min_barcodes is not None and "variant_index" in counts:
        counts = _filter_rare_variants(counts, min_barcodes)
    elif min_barcodes is not None:
        counts = _filter_few_barcodes(counts, min_barcodes)
    return counts


def barcode_z(counts: xr.Dataset) -> Any:
    """Return the robust z of each barcode within its oligo, 0 where it has no log
    ratio; shape ``(n_barcodes,)``.
    """
    ratios, used = cell_ratios(counts)
    of = counts["oligo_index"].to_numpy()
    means = oligo_means(ratios, used, of, counts.sizes["oligo"])
    return robust_z(means.barcode, means.observed, of)


def n_barcodes_observed(counts: xr.Dataset) -> Ints:
    """Return the barcodes with DNA above 0 of each oligo in each replicate; shape
    ``(n_oligos, 1 or R)``.
    """
    observed = dna_observed(counts) & (
        counts["dna"].to_numpy().reshape(counts.sizes["barcode"], -1) > 0
    )
    return group_sums(
        observed, counts["oligo_index"].to_numpy(), (counts.sizes["oligo"],)
    ).astype(np.int64)


def as_arms(
    arm_names: Any, known: list[str], *, error: type[CausalgiaError] = DataError
) -> list[str]:
    """Return the arms that are compared, or raise `error` if one is no arm or is named
    twice.

    Examples
    --------
    >>> as_arms("GATA1", ["control", "GATA1"])
    ['GATA1']
    >>> as_arms(["GATA"], ["control", "GATA1"])
    Traceback (most recent call last):
    ...
    causalgia.errors.DataError: arm_names= 'GATA' is not an arm; did you mean 'GATA1'? The arms are 'control', 'GATA1'
    """
    names = as_names(arm_names)
    if not names or len(set(names)) < len(names):
        raise error(
            f"arm_names={quoted(arm_names)} is no list of different arms; the arms "
            f"are {listed(known)}",
            argument="arm_names",
        )
    for name in names:
        check_arm(name, known, "arm_names=", error=error)
    return list(names)


def _filter_few_barcodes(counts: xr.Dataset, least: int) -> xr.Dataset:
    arm = counts["arm"].to_numpy()
    n = n_barcodes_observed(counts).min(axis=1)
    few = n < least
    if few.all():
        raise DataError(
            f"min_barcodes={least} leaves no oligo: the one with the most has "
            f"{int(n.max(initial=0)):,} barcodes with DNA in every replicate"
        )
    barcodes = few[counts["oligo_index"].to_numpy()]
    rule = {
        "rule": "min_barcodes",
        "value": least,
        "oligos": _count_names(arm[few]),
        "barcodes": _barcodes_by_arm(counts, barcodes),
    }
    return _keep_barcodes(counts, ~barcodes, rule, ~few)


def _filter_rare_variants(counts: xr.Dataset, least: int) -> xr.Dataset:
    """Mark the variants that enough barcodes carry as compared; the others stay in the
    model, as their barcodes carry others, too.
    """
    index, V = counts["variant_index"].to_numpy(), counts.sizes["variant"]
    read = dna_observed(counts) & (counts["dna"].to_numpy().reshape(len(index), -1) > 0)
    carries = index >= 0
    n = np.min(
        [np.bincount(index[carries & one[:, None]], minlength=V) for one in read.T],
        axis=0,
    )
    if n.max() < least:
        raise DataError(
            f"min_barcodes={least} leaves no variant: the one with the most has {n.max()}"
        )
    rule = {
        "rule": "min_barcodes",
        "value": least,
        "barcodes": {},
        "variants": int((n < least).sum()),
    }
    return counts.assign_coords(compared=("variant", n >= least)).assign_attrs(
        filters=json.dumps([*read_filters(counts), rule])
    )


def read_filters(counts: xr.Dataset) -> list[dict[str, Any]]:
    """Return the filters recorded in the attrs of counts.

    Raises
    ------
    DataError
        If attrs["filters"] is not JSON.

    Examples
    --------
    >>> read_filters(xr.Dataset())
    []
    """
    source = "attrs['filters'] of the counts"
    return list(parse_json(about(counts, "[]").filters, DataError, source=source))


def _keep_barcodes(
    counts: xr.Dataset,
    barcodes: Mask,
    rule: dict[str, Any],
    oligos: Mask | None = None,
    *,
    cure: str = "",
) -> xr.Dataset:
    """Return the counts of these barcodes (and oligos), with the filter recorded in
    attrs.
    """
    if not barcodes.any():
        raise DataError(
            f"{rule['rule']}={rule['value']} leaves no barcode at all; "
            f"{cure or 'give a larger ' + rule['rule']}, or check by "
            "causalgia.mpra.quality that the columns are counts of these barcodes"
        )
    filters = [*read_filters(counts), rule]
    selected = counts.isel(barcode=np.flatnonzero(barcodes))
    if oligos is not None:
        place = np.cumsum(oligos) - 1
        index = place[selected["oligo_index"].to_numpy()].astype(np.int64)
        selected = selected.isel(oligo=np.flatnonzero(oligos))
        selected["oligo_index"] = ("barcode", index, counts["oligo_index"].attrs)
    return selected.assign_attrs(filters=json.dumps(filters))


def _barcodes_by_arm(counts: xr.Dataset, barcodes: Mask) -> dict[str, int]:
    return _count_names(
        counts["arm"].to_numpy()[counts["oligo_index"].to_numpy()[barcodes]]
    )


def _count_names(names: Any) -> dict[str, int]:
    found, n = np.unique(names, return_counts=True)
    return {str(name): int(k) for name, k in zip(found, n, strict=True)}
