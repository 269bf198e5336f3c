"""Counts in words: what was read, what a look at it found, and what filters left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from causalgia.errors import CountsError
from causalgia.inputs import parse_json
from causalgia.mpra.counts._filter import filters_of
from causalgia.mpra.counts.floors import WORTH


def describe_counts(counts: xr.Dataset) -> str:
    """Say how many barcodes there are, and what each filter left out.

    Parameters
    ----------
    counts
        Of kind ``counts``.

    Examples
    --------
    >>> from causalgia.mpra.counts import filter
    >>> from causalgia.mpra.counts.example_counts import two_arms
    >>> print(describe_counts(filter(two_arms(), min_dna=11)))
    3 barcodes of 2 oligos in 2 replicates
      min_dna 11: left out 1 barcode (GATA1 1)
    """
    sizes = counts.sizes
    seen = len(np.unique(counts["oligo_index"].to_numpy()))
    lines = [f"{_n(sizes['barcode'], 'barcode')} of {_n(seen, 'oligo')} in {_n(sizes['replicate'], 'replicate')}"]
    if seen < sizes["oligo"]:
        lines[0] += f"; {_n(sizes['oligo'] - seen, 'oligo')} more without any"
    return "\n".join([*lines, *map(_filtered, filters_of(counts))])


def _filtered(rule: dict[str, Any]) -> str:
    said = f"  {rule['rule']} {rule['value']:g}: left out "
    barcodes = {arm: n for arm, n in rule["barcodes"].items() if n}
    by_arm = f" ({', '.join(f'{arm} {n:,}' for arm, n in barcodes.items())})" if barcodes else ""
    parts = [_n(rule["elements"], "element") + " in every arm"] if rule.get("elements") else []
    parts.append(_n(sum(barcodes.values()), "barcode") + by_arm)
    unknown = sum(rule.get("unknown", {}).values())
    return said + ", ".join(parts) + (f"; {unknown:,} whose DNA is not known" if unknown else "")


def describe_quality(quality: xr.Dataset) -> str:
    """Say what a look at counts found: what is wrong with replicates, then by arm and by replicate.

    Parameters
    ----------
    quality
        From `causalgia.mpra.quality`.

    Examples
    --------
    >>> from causalgia.mpra.counts import quality
    >>> from causalgia.mpra.counts.example_counts import simulated
    >>> print(describe_quality(quality(simulated())))
    control: 30 oligos, 0 never seen; 8 barcodes an oligo (median), 0 of them more than 5 robust sd off
    ...
    """
    lines = [f"WRONG: {found['says']}" for found in _verdicts(quality)]
    lines += [_of_arm(quality.sel(arm_=arm), arm) for arm in quality["arm_"].to_numpy().tolist()]
    effective, n = quality["effective_barcodes"].to_numpy(), quality["n_barcodes"].to_numpy()
    if n.any():
        share = np.median(effective[n > 0] / n[n > 0])
        lines.append(f"sums of an oligo weigh as {share:.0%} of its barcodes do (median of effective to seen)")
    return "\n".join([*lines, *_of_replicates(quality), *_of_floors(quality), *_of_pairs(quality)])


def _verdicts(quality: xr.Dataset) -> list[dict[str, Any]]:
    source = "attrs['verdicts'] of a look at counts"
    return list(parse_json(str(quality.attrs["verdicts"]), CountsError, source=source))


def _of_floors(quality: xr.Dataset) -> list[str]:
    """Return which floor of DNA leaves the least error, and what the one that was asked about would do."""
    best, asked = float(quality.attrs["advised_floor"]), float(quality.attrs["min_dna"])
    left_out, error = quality["floor_left_out"], quality["floor_error"]
    said = (
        f"min_dna: means of oligos are most precise with {best:g} (it leaves out {_at(left_out, best):.1%} of barcodes)"
    )
    if asked > 0 and _at(error, asked) > WORTH:
        said += (
            f"; {asked:g} would leave out {_at(left_out, asked):.1%}, and their squared error be "
            f"{_at(error, asked):.2f} times the least"
        )
    return [said]


def _at(values: xr.DataArray, floor: float) -> float:
    return float(values.sel(floor=floor))


def _of_arm(one: xr.Dataset, arm: str) -> str:
    return (
        f"{arm}: {_n(int(one['oligos']), 'oligo')}, {int(one['never_seen']):,} never seen; "
        f"{one['barcodes'].item():g} barcodes an oligo (median), {int(one['outliers']):,} of them more than "
        f"{one.attrs['outlier']:g} robust sd off"
    )


def _of_replicates(quality: xr.Dataset) -> list[str]:
    floor, found, plasmid = quality.attrs["min_dna"], [], quality["empty"].ndim == 0
    if plasmid:
        found.append(
            f"one plasmid pool of DNA: {int(quality['dna_total']):,} reads, {quality['empty'].item():.1%} of its cells "
            f"empty, {quality['below_floor'].item():.1%} under {floor:g}"
        )
    for name in quality["replicate"].to_numpy().tolist():
        one = quality.sel(replicate=name)
        dna, cells = "", ""
        if not plasmid:
            dna = f"{int(one['dna_total']):,} DNA and "
            cells = (
                f"DNA empty in {one['empty'].item():.1%} of cells, under {floor:g} in {one['below_floor'].item():.1%}; "
            )
        absent = f"{one['dropouts'].item():.1%} of the oligos have no barcode in it"
        found.append(f"replicate {name}: {dna}{int(one['rna_total']):,} RNA reads; {cells}{absent}")
    return found


def _of_pairs(quality: xr.Dataset) -> list[str]:
    n = quality.sizes["replicate"]
    if n < 2:
        return ["one replicate: how well it repeats is not known"]
    pairs, kinds = np.triu_indices(n, 1), ("activity", "barcode", "rna", "dna")
    least = {kind: quality[f"correlation_{kind}"].to_numpy()[pairs].min() for kind in kinds}
    return [
        f"replicates correlate, at least: {least['activity']:.2f} in activities of oligos, {least['barcode']:.2f} in "
        f"log ratios of barcodes, {least['rna']:.2f} in RNA and {least['dna']:.2f} in DNA; they share barcodes, so "
        "this says nothing of how barcodes differ"
    ]


def _n(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
