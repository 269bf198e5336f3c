"""Subsets of barcodes: filters with their counts, and A/A halves of oligos."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.checks import as_int, as_positive
from causalgia.errors import CountsError, quoted
from causalgia.inputs import parse_json
from causalgia.mpra.counts.log_ratios import cell_ratios, dna_observed, group_sums, oligo_means, robust_z
from causalgia.schema import annotate, validate
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Ints, Mask


def filter(
    counts: xr.Dataset,
    *,
    min_dna: float | None = None,
    outliers: float | None = None,
    min_barcodes: int | None = None,
    arm_names: Sequence[str] | None = None,
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
        Fewest barcodes with DNA above 0, in every replicate, of every oligo of an element in `arm_names`; other
        elements are dropped *under every arm*.
    arm_names
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
    >>> from causalgia.mpra.counts._noise_model import two_arms
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
        observed = dna_observed(counts)
        n = observed.sum(axis=1)
        mean = counts["dna"].to_numpy().reshape(len(n), -1).sum(axis=1) / np.maximum(n, 1)
        below, unknown = (n > 0) & (mean < min_dna), n == 0
        lost = {"barcodes": _barcodes_by_arm(counts, below), "unknown": _barcodes_by_arm(counts, unknown)}
        counts = _keep_barcodes(counts, ~(below | unknown), {"rule": "min_dna", "value": min_dna, **lost})
    if outliers is not None:
        outlying = np.abs(barcode_z(counts)) > outliers
        counts = _keep_barcodes(
            counts, ~outlying, {"rule": "outliers", "value": outliers, "barcodes": _barcodes_by_arm(counts, outlying)}
        )
    if min_barcodes is not None:
        counts = _filter_few_barcodes(counts, min_barcodes, arm_names)
    return counts


def barcode_z(counts: xr.Dataset) -> Any:
    """Return the robust z of each barcode within its oligo, 0 where it has no log ratio; shape ``(n_barcodes,)``."""
    ratios, used = cell_ratios(counts)
    of = counts["oligo_index"].to_numpy()
    means = oligo_means(ratios, used, of, counts.sizes["oligo"])
    return robust_z(means.barcode, means.observed, of)


def n_barcodes_observed(counts: xr.Dataset) -> Ints:
    """Return the barcodes with DNA above 0 of each oligo in each replicate; shape ``(n_oligos, 1 or R)``."""
    observed = dna_observed(counts) & (counts["dna"].to_numpy().reshape(counts.sizes["barcode"], -1) > 0)
    return group_sums(observed, counts["oligo_index"].to_numpy(), (counts.sizes["oligo"],)).astype(np.int64)


def _filter_few_barcodes(counts: xr.Dataset, least: int, arm_names: Sequence[str] | None) -> xr.Dataset:
    arm, element = counts["arm"].to_numpy(), counts["element"].to_numpy()
    unknown = [name for name in arm_names or () if name not in set(arm.tolist())]
    if unknown or isinstance(arm_names, str):
        what = "give a list of arms" if isinstance(arm_names, str) else f"no arm {quoted(unknown[0])}"
        raise CountsError(f"arm_names={quoted(arm_names)}: {what}, of {', '.join(dict.fromkeys(arm.tolist()))}")
    compared = np.ones(len(arm), dtype=bool) if arm_names is None else np.isin(arm, list(arm_names))
    few = compared & (n_barcodes_observed(counts).min(axis=1) < least)
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
    rule = {"rule": "min_barcodes", "value": least} | ({} if arm_names is None else {"arms": list(map(str, arm_names))})
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


ARMS = ("duplicate 1", "duplicate 2")


def split_duplicates(counts: xr.Dataset, *, n_oligos: int | None = None, min_barcodes: int = 2, rng: RNG) -> xr.Dataset:
    """Split the barcodes of oligos at random into two arms, between which there is no difference.

    A library with synthesized barcodes has A/A pairs, one insert under two names; with random barcodes an insert has
    one name. Its barcodes are then split at random into halves (the larger first if their number is odd): an element
    with the name of the oligo, under arms ``duplicate 1`` and ``duplicate 2``. The true effects of `fit` on these, with
    ``control="duplicate 1"``, are 0: about 5 % should have p below 0.05.

    The halves are one oligo, so noise that all its barcodes share in a replicate cancels between them. The comparison
    thus checks the noise of barcodes, but not the arm-by-replicate noise, which pairs ordered under two names have as
    well; a method that always allows for such noise is conservative here.

    Parameters
    ----------
    counts
        Of kind ``counts``; oligos of group ``test`` are split.
    n_oligos
        Number of oligos, sampled at random; None: all with enough barcodes.
    min_barcodes
        Fewest barcodes of a half; oligos with fewer than twice as many are left out.
    rng
        Seed, Generator or SeedSequence. The split does not depend on the order of rows.

    Returns
    -------
    Dataset
        Of kind ``counts``, with these elements only and ``split_from (oligo)``, the oligo that was split. Library
        totals are unchanged. ``attrs["split"]`` is a JSON object: ``oligos`` split, ``too_few`` with too
        few barcodes, ``not_chosen``.

    Raises
    ------
    CountsError
        If an option is not a whole number, or fewer than `n_oligos` oligos have enough barcodes.

    Examples
    --------
    >>> import pandas as pd
    >>> from causalgia.mpra import fit, simulate
    >>> table = pd.DataFrame({"element": [f"u{i}" for i in range(50)], "arm": "GATA1", "log2": 1.0})
    >>> halves = split_duplicates(simulate(table, n_barcodes=20, rng=0), rng=0)
    >>> halves["element"].values[:2].tolist(), halves["arm"].values[:2].tolist()
    (['u0:GATA1', 'u0:GATA1'], ['duplicate 1', 'duplicate 2'])
    >>> bool((fit(halves, control="duplicate 1")["p"] < 0.05).mean() < 0.15)
    True
    """
    validate(counts, "counts")
    as_int(min_barcodes, "min_barcodes", error=CountsError)
    tests = np.flatnonzero(counts["group"].to_numpy().astype(str) == "test")
    of = counts["oligo_index"].to_numpy()
    size = np.bincount(of, minlength=counts.sizes["oligo"])
    enough = tests[size[tests] >= 2 * min_barcodes]
    if n_oligos is not None:
        as_int(n_oligos, "n_oligos", error=CountsError)
    if not len(enough) or (n_oligos is not None and n_oligos > len(enough)):
        wanted = "" if n_oligos is None else f", and n_oligos={n_oligos} are asked for"
        raise CountsError(
            f"{len(enough)} of {len(tests)} test oligos have the {2 * min_barcodes} barcodes of two halves of "
            f"{min_barcodes}{wanted}; ask for fewer, or for smaller halves (min_barcodes=)"
        )
    key = root_key(rng)
    chosen = enough
    if n_oligos is not None:
        luck = _random_by_name(counts["oligo"].to_numpy().astype(str)[enough], derive(key, "split", "oligos"))
        chosen = np.sort(enough[np.argsort(luck)[:n_oligos]])
    numbers = {"oligos": len(chosen), "too_few": len(tests) - len(enough), "not_chosen": len(enough) - len(chosen)}
    return _split_halves(counts, chosen, derive(key, "split", "barcodes")).assign_attrs(split=json.dumps(numbers))


def _split_halves(counts: xr.Dataset, chosen: Ints, key: int) -> xr.Dataset:
    """Return the counts of these oligos (places), each split into two arms."""
    of = counts["oligo_index"].to_numpy()
    place = np.full(counts.sizes["oligo"], -1)
    place[chosen] = np.arange(len(chosen))
    rows = np.flatnonzero(place[of] >= 0)
    mine = place[of[rows]]
    order = np.lexsort((_random_by_name(counts["barcode"].to_numpy().astype(str)[rows], key), mine))
    begins = np.searchsorted(mine[order], np.arange(len(chosen)))
    half = np.empty(len(rows), np.int64)
    half[order] = (np.arange(len(rows)) - begins[mine[order]]) % 2
    both = np.repeat(chosen, 2)
    element = counts["oligo"].to_numpy()[both].astype(str)
    halves = counts.isel(barcode=rows, oligo=both).assign_coords(
        split_from=("oligo", element),
        oligo=np.array([f"{name}_{i % 2 + 1}" for i, name in enumerate(element.tolist())]),
        element=("oligo", element),
        arm=("oligo", np.tile(ARMS, len(chosen))),
        group=("oligo", np.full(len(both), "duplicate")),
    )
    halves["oligo_index"] = ("barcode", 2 * mine + half)
    return validate(annotate(halves), "counts")


def _random_by_name(names: NDArray[np.str_], key: int) -> NDArray[np.float64]:
    """Return a random number for each name, independent of their order."""
    luck = np.empty(len(names))
    luck[np.argsort(names, kind="stable")] = np.random.default_rng(key).random(len(names))
    return luck
