"""Sentences on barcode counts: what is there, what filters dropped, and what checks of
their quality found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from causalgia.attributes import about, has
from causalgia.errors import DataError
from causalgia.inputs import parse_json
from causalgia.tell.answers import AnswerParts, answer_parts, short_answer
from causalgia.types import Array

_LETTERS = 72
#: what each check measures, and what it says of a fault
_SAYS = {
    "depth": ("reads of the median oligo", "so few reads of the median oligo"),
    "copies": (
        "cells that are a constant times the other's",
        "cells that are {at:.3g} times the other's: a copy",
    ),
    "swaps": ("agreement as labelled", "these columns look exchanged"),
    "truncation": (
        "cells expected below the least RNA count",
        "cells under {at:.0f} RNA reads expected: left out",
    ),
    "jackpots": (
        "cells with 8 times the reads expected",
        "cells with 8 times the reads expected: jackpots",
    ),
    "misassigned": (
        "barcodes with another oligo's activity",
        "barcodes with another oligo's activity",
    ),
}
_UNKNOWN = "this table cannot tell"


def quality_parts(
    quality: xr.Dataset, *, requested: Sequence[str] = (), every: bool = False
) -> AnswerParts:
    """Return the page of `causalgia.mpra.quality`: a line for each check, of the column
    that is farthest beyond its threshold; or for each column.

    Examples
    --------
    >>> from causalgia.mpra.counts import quality
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> print(quality_parts(quality(simulated())).text())
    None of 6 checks found a fault in 480 barcodes of 60 oligos, 3 replicates.
    ...
    """
    check, value, threshold, found = (
        quality[name].to_numpy() for name in ("check", "value", "threshold", "found")
    )
    names = list(dict.fromkeys(check.tolist()))
    beyond = _beyond(value, threshold, quality["below"].to_numpy())
    wrong = [name for name in names if found[check == name].any()]
    lines = []
    for name in names:
        rows = np.flatnonzero(check == name)
        rows = rows[np.argsort(-beyond[rows], kind="stable")]
        more = int(found[rows].sum()) - 1
        for i in rows if every else rows[:1]:
            cells = _cells(quality.isel(row=int(i)))
            if more > 0 and not every:
                cells[1] += f", {more:,} more"
            lines.append(cells)
    n = f"{len(wrong):,}" if wrong else "None"
    which = f": {', '.join(wrong)}" if wrong else ""
    barcodes, oligos, replicates = (
        _plural(int(size), what)
        for size, what in (
            (quality["n_barcodes"].sum(), "barcode"),
            (quality.sizes["oligo"], "oligo"),
            (quality.sizes["replicate"], "replicate"),
        )
    )
    return short_answer(
        [
            f"{n} of {len(names)} checks found a fault in {barcodes} of {oligos}, "
            f"{replicates}{which}."
        ],
        ["check", "where", "value", "threshold", "fault", "the value is of"],
        lines,
        words=["check", "where", "fault", "the value is of"],
        letters=_LETTERS,
        foot=[f"Counts: {one}." for one in table_format(quality)],
        requested=requested,
        every_row=every or len(lines) <= len(names),
        pointers={"noted": ""},
    )


def _beyond(value: Array, threshold: Array, below: Array) -> Array:
    """Return how far values lie beyond their thresholds, in thresholds; the least where a
    table cannot tell.
    """
    far = np.where(below, threshold - value, value - threshold)
    scale = np.maximum(np.abs(threshold), 1e-9)
    return np.asarray(np.where(np.isnan(far), -np.inf, far / scale))


def _cells(row: xr.Dataset) -> list[str]:
    name, value, at = str(row["check"].item()), row["value"].item(), row["at"].item()
    is_known = not np.isnan(value)
    what, fault = _SAYS[name]
    says = fault.format(at=at) if row["found"].item() else what
    return [
        name,
        str(row["where"].item()),
        f"{value:.3g}" if is_known else "",
        f"{'<' if row['below'].item() else '>'} {row['threshold'].item():.3g}"
        if is_known
        else "",
        "yes" if row["found"].item() else "no" if is_known else "",
        says if is_known else _UNKNOWN,
    ]


def describe_counts(counts: xr.Dataset) -> str:
    """Return a text summary of counts: barcodes, and what each filter dropped.

    Examples
    --------
    >>> from causalgia.mpra.counts import filter
    >>> from causalgia.mpra.counts._noise_model import two_arms
    >>> print(describe_counts(filter(two_arms(), min_dna=11)))
    3 barcodes of 2 oligos in 2 replicates
      min_dna 11: left out 1 barcode (GATA1 1)
    """
    sizes = counts.sizes
    n_oligos = len(np.unique(counts["oligo_index"].to_numpy()))
    n_barcodes, n_replicates = (
        _plural(sizes[name], name) for name in ("barcode", "replicate")
    )
    is_sums = np.array_equal(
        counts["barcode"], counts["oligo"][counts["oligo_index"].to_numpy()]
    )
    what = "sums" if is_sums else n_barcodes
    lines = [f"{what} of {_plural(n_oligos, 'oligo')} in {n_replicates}"]
    if n_oligos < sizes["oligo"]:
        lines[0] += f"; {_plural(sizes['oligo'] - n_oligos, 'oligo')} more without any"
    lines += [f"  {one}" for one in (*table_format(counts), *_batches_in_words(counts))]
    return "\n".join([*lines, *map(_filter_line, _filters(counts))])


def counts_in_words(counts: xr.Dataset) -> str:
    """Return in a sentence what counts a fit is of: barcodes an oligo, oligos without
    any, and what filters left out.

    Examples
    --------
    >>> from causalgia.mpra.counts import filter
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> counts_in_words(filter(simulated(), min_dna=30))
    'Counts: 7 barcodes an oligo (median); min_dna 30 left out 44 barcodes.'
    """
    size = np.bincount(
        counts["oligo_index"].to_numpy(), minlength=counts.sizes["oligo"]
    )
    median = float(np.median(size[size > 0])) if size.any() else 0.0
    parts = [
        "one barcode (or sum) an oligo"
        if size.max(initial=0) == 1
        else f"{median:g} barcode{'s' * (median != 1)} an oligo (median)"
    ]
    parts += _batches_in_words(counts)
    if unseen := int((size == 0).sum()):
        parts.append(f"{unseen:,} of {len(size):,} oligos have none")
    parts += table_format(counts)
    for rule in _filters(counts):
        if lost := sum(rule["barcodes"].values()):
            name = f"{rule['rule']} {rule['value']:g}"
            parts.append(f"{name} left out {_plural(lost, 'barcode')}")
    return f"Counts: {'; '.join(parts)}."


def parallel_parts(
    estimates: xr.Dataset, counts: xr.Dataset, **shown: Any
) -> AnswerParts:
    """Return the answer of a parallel library: averages over elements, which have no
    effects of their own; `shown` as in `causalgia.tell.answers.answer_parts`.
    """
    foot = [
        "Each element has one arm (a parallel library), so none has an effect of its own.",
        counts_in_words(counts),
    ]
    return answer_parts(estimates, foot=foot, **shown)


def _filters(counts: xr.Dataset) -> list[dict[str, Any]]:
    source = "attrs['filters'] of the counts"
    return list(parse_json(about(counts, "[]").filters, DataError, source=source))


def table_format(found: xr.Dataset) -> list[str]:
    """Return what the table of counts was read as, if it was one."""
    return [about(found).table_format] if has(found).table_format else []


def _batches_in_words(counts: xr.Dataset) -> list[str]:
    """Return in how many batches the replicates are, if they are in any."""
    if "batch" not in counts.coords:
        return []
    n = len(np.unique(counts["batch"]))
    return [
        f"{counts.sizes['replicate']} replicates in {n} batches, each one measurement"
    ]


def _filter_line(rule: dict[str, Any]) -> str:
    dropped = f"  {rule['rule']} {rule['value']:g}: left out "
    barcodes = {arm: n for arm, n in rule["barcodes"].items() if n}
    by_arm = (
        f" ({', '.join(f'{arm} {n:,}' for arm, n in barcodes.items())})"
        if barcodes
        else ""
    )
    parts = (
        [_plural(rule["elements"], "element") + " in every arm"]
        if rule.get("elements")
        else []
    )
    parts.append(_plural(sum(barcodes.values()), "barcode") + by_arm)
    unknown = sum(rule.get("unknown", {}).values())
    return (
        dropped
        + ", ".join(parts)
        + (f"; {unknown:,} whose DNA is not known" if unknown else "")
    )


def _plural(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
