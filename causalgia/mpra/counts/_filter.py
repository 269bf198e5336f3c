"""Filters of barcodes and elements, recorded and counted; an element is dropped under all arms or none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from causalgia.checks import as_positive
from causalgia.errors import CountsError, quoted
from causalgia.inputs import parse_json
from causalgia.mpra.counts.log_ratios import cell_ratios, dna_observed, group_sums
from causalgia.mpra.counts.noise_layers import oligo_means, robust_z
from causalgia.schema import validate
from causalgia.types import Ints, Mask


def filter(
    counts: xr.Dataset,
    *,
    min_dna: float | None = None,
    outliers: float | None = None,
    min_barcodes: int | None = None,
    arms: Sequence[str] | None = None,
) -> xr.Dataset:
    """Drop barcodes with little DNA, outliers, and elements with few barcodes; record what was dropped.

    The rules apply in this order. Library totals stay as they were read, so filters do not change size factors.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    min_dna
        Least DNA of a barcode, the mean over the replicates in which it was observed (a 0 that was read is observed).
        Barcodes whose DNA was observed in no replicate have no activity; they are dropped too and counted separately.
    outliers
        Largest robust z of a barcode within its oligo, either way, as in `quality`; for example 5. This rule uses the
        outcome: fix it before the effects are seen, for it shortens tails.
    min_barcodes
        Fewest barcodes with DNA above 0, in every replicate, of every oligo of an element in `arms`; other elements are
        dropped *under every arm*.
    arms
        Arms whose oligos `min_barcodes` checks; None: all.

    Returns
    -------
    Dataset
        The remaining counts; ``attrs["filters"]`` is a JSON list with an object for each rule: ``rule``, ``value``, and
        what it dropped by arm (``barcodes``; ``elements``, ``oligos``, ``unknown``).

    Raises
    ------
    CountsError
        If no rule is given, a value is not a positive number, an arm is unknown, or nothing is left.

    Examples
    --------
    >>> from causalgia.mpra.counts.example_counts import two_arms
    >>> filtered = filter(two_arms(), min_dna=11)
    >>> filtered.sizes["barcode"], filtered.attrs["filters"]
    (3, '[{"rule": "min_dna", "value": 11, "barcodes": {"GATA1": 1}, "unknown": {}}]')
    >>> filtered["dna_total"].values
    array([55, 39])
    """
    validate(counts, "counts")
    if min_dna is None and outliers is None and min_barcodes is None:
        raise CountsError("no rule; give min_dna=, outliers= or min_barcodes=, for example min_dna=10")
    rules: dict[str, Any] = {"min_dna": min_dna, "outliers": outliers, "min_barcodes": min_barcodes}
    for name, value in rules.items():
        if value is not None:
            as_positive(value, name, error=CountsError)
    if min_dna is not None:
        counts = _filter_low_dna(counts, min_dna)
    if outliers is not None:
        outlying = np.abs(barcode_z(counts)) > outliers
        counts = _keep_barcodes(
            counts, ~outlying, {"rule": "outliers", "value": outliers, "barcodes": _barcodes_by_arm(counts, outlying)}
        )
    if min_barcodes is not None:
        counts = _filter_few_barcodes(counts, min_barcodes, arms)
    return counts


def barcode_z(counts: xr.Dataset) -> Any:
    """Return the robust z of each barcode within its oligo, 0 where it has no log ratio; shape ``(n_barcodes,)``."""
    ratios, used = cell_ratios(counts)
    of = counts["oligo_index"].to_numpy()
    means = oligo_means(ratios, used, of, counts.sizes["oligo"])
    return robust_z(means.barcode, means.seen, of)


def n_barcodes_seen(counts: xr.Dataset) -> Ints:
    """Return the barcodes with DNA above 0 of each oligo in each replicate; shape ``(n_oligos, 1 or R)``."""
    seen = dna_observed(counts) & (counts["dna"].to_numpy().reshape(counts.sizes["barcode"], -1) > 0)
    return group_sums(seen, counts["oligo_index"].to_numpy(), (counts.sizes["oligo"],)).astype(np.int64)


def _filter_low_dna(counts: xr.Dataset, least: float) -> xr.Dataset:
    observed = dna_observed(counts)
    n = observed.sum(axis=1)
    mean = counts["dna"].to_numpy().reshape(len(n), -1).sum(axis=1) / np.maximum(n, 1)
    below, unknown = (n > 0) & (mean < least), n == 0
    lost = {"barcodes": _barcodes_by_arm(counts, below), "unknown": _barcodes_by_arm(counts, unknown)}
    return _keep_barcodes(counts, ~(below | unknown), {"rule": "min_dna", "value": least, **lost})


def _filter_few_barcodes(counts: xr.Dataset, least: int, arms: Sequence[str] | None) -> xr.Dataset:
    arm, element = counts["arm"].to_numpy(), counts["element"].to_numpy()
    unknown = [name for name in arms or () if name not in set(arm.tolist())]
    if unknown or isinstance(arms, str):
        what = "give a list of arms" if isinstance(arms, str) else f"no arm {quoted(unknown[0])}"
        raise CountsError(f"arms={quoted(arms)}: {what}, of {', '.join(dict.fromkeys(arm.tolist()))}")
    compared = np.ones(len(arm), dtype=bool) if arms is None else np.isin(arm, list(arms))
    few = compared & (n_barcodes_seen(counts).min(axis=1) < least)
    dropped = np.isin(element, element[few])
    if dropped[compared].all():
        raise CountsError(f"min_barcodes={least} leaves no element; ask for less")
    barcodes = dropped[counts["oligo_index"].to_numpy()]
    lost = {
        "elements": len(set(element[few].tolist())),
        "oligos": _count_names(arm[dropped]),
        "oligos_below": _count_names(arm[few]),
        "barcodes": _barcodes_by_arm(counts, barcodes),
    }
    rule = {"rule": "min_barcodes", "value": least} | ({} if arms is None else {"arms": list(map(str, arms))})
    return _keep_barcodes(counts, ~barcodes, rule | lost, ~dropped)


def read_filters(counts: xr.Dataset) -> list[dict[str, Any]]:
    """Return the filters recorded in the attrs of counts.

    Raises
    ------
    CountsError
        If attrs["filters"] is not JSON.

    Examples
    --------
    >>> read_filters(xr.Dataset())
    []
    """
    source = "attrs['filters'] of the counts"
    return list(parse_json(str(counts.attrs.get("filters", "[]")), CountsError, source=source))


def _keep_barcodes(counts: xr.Dataset, barcodes: Mask, rule: dict[str, Any], oligos: Mask | None = None) -> xr.Dataset:
    """Return the counts of these barcodes (and oligos), with the filter recorded in attrs."""
    if not barcodes.any():
        raise CountsError(f"{rule['rule']}={rule['value']} leaves no barcode at all; ask for less")
    filters = [*read_filters(counts), rule]
    selected = counts.isel(barcode=np.flatnonzero(barcodes))
    if oligos is not None:
        place = np.cumsum(oligos) - 1
        index = place[selected["oligo_index"].to_numpy()].astype(np.int64)
        selected = selected.isel(oligo=np.flatnonzero(oligos))
        selected["oligo_index"] = ("barcode", index, counts["oligo_index"].attrs)
    return selected.assign_attrs(filters=json.dumps(filters))


def _barcodes_by_arm(counts: xr.Dataset, barcodes: Mask) -> dict[str, int]:
    return _count_names(counts["arm"].to_numpy()[counts["oligo_index"].to_numpy()[barcodes]])


def _count_names(names: Any) -> dict[str, int]:
    found, n = np.unique(names, return_counts=True)
    return {str(name): int(k) for name, k in zip(found, n, strict=True)}
