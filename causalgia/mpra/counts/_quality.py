"""Quality of barcode counts: barcodes an oligo, agreement of replicates, DNA depth,
dropouts, outliers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from causalgia.attributes import about, attributes, has
from causalgia.checks import as_number
from causalgia.choices import requested_parts
from causalgia.errors import DataError
from causalgia.inputs import parse_json
from causalgia.mpra.counts._activity import aggregate
from causalgia.mpra.counts.barcodes import (
    barcode_z,
    cell_ratios,
    dna_observed,
    n_barcodes_observed,
    oligo_means,
    read_filters,
)
from causalgia.mpra.counts.counts_table import check_one_condition
from causalgia.mpra.counts.replicate_faults import findings, repeatable_shares
from causalgia.numerics.float_errors import usual_errors
from causalgia.schema import validate
from causalgia.tell.answers import AnswerParts, ReportText, every_row, short_answer
from causalgia.tell.table_formats import format_share
from causalgia.types import Array, Ints, Mask

OUTLIER = 5.0
CAUTIONS = ("shallow", "few_reads", "no_rna")
_SHOWN_WRONG = 2
#: the least correlation of activities that is called agreement without its ceiling
AGREE = 0.7
#: the share of its ceiling from which a correlation is all that noise allows
NEAR_CEILING = 0.8


@usual_errors
def quality(
    counts: xr.Dataset, *, min_dna: float = 10.0, outlier: float = OUTLIER
) -> xr.Dataset:
    """Check barcode counts: barcodes an oligo, agreement of replicates, DNA depth,
    dropouts and outliers.

    Replicates share barcodes, so their agreement does not show how barcodes of an oligo
    differ: `robust_z`, `effective_barcodes` and `loo_range` do. RNA that levels off in
    all replicates alike is seen by barcodes of an oligo that differ in DNA; with one
    barcode (or sum) an oligo, or the same DNA in all, it is not.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    min_dna
        DNA floor of `filter` for which ``below_floor`` is counted.
    outlier
        Robust z beyond which a barcode counts in ``outliers``.

    Returns
    -------
    Dataset
        By oligo: ``n_barcodes`` (with DNA above 0 in some replicate),
        ``effective_barcodes``, the ``(sum w)^2 / sum w^2`` of their DNA, 0 where there
        are none; ``activity (oligo, replicate)``, log2(RNA/DNA) of the sums;
        ``loo_range``, the range of that (over all replicates) when single barcodes are
        left out, 0 below two barcodes. By barcode: ``robust_z`` within the oligo
        (median and MAD of barcode means). By replicate: ``dna_total, rna_total``;
        ``empty``, the share of empty DNA cells; ``below_floor``, the share of observed
        ones under `min_dna`; ``dropouts``, the share of all oligos without a barcode in
        it. By pair of replicates: correlation over oligos of ``activity``, of ``dna``
        and of ``rna`` (log2 of sums per million, plus 1), and over barcodes of the log
        ratio (``correlation_barcode``); 0 where it is not defined. And the most that
        counting noise allows of the first, ``correlation_ceiling``. By arm: ``oligos``,
        ``never_seen``, ``barcodes`` (the median an oligo) and ``outliers``. By
        ``floor`` of DNA, the effect of `filter` with it as ``min_dna``:
        ``floor_left_out``, the share of barcodes with DNA that are dropped,
        ``floor_oligos``, the share of oligos that lose all, and ``floor_error``, the
        squared error of an oligo's mean relative to its least value;
        ``attrs["advised_floor"]`` is the lowest floor within 2 % of that. And
        ``attrs["verdicts"]``, a JSON list of problems with replicates: ``verdict``
        (``outlier``, ``copied``, ``part_copied``, ``transformed``, ``disagree``,
        ``shallow``, ``few_reads``, ``swapped``, ``shifted``, ``apart``, ``ceiling``,
        ``no_rna``, ``cut_off``), ``replicates``, ``says``.

    Raises
    ------
    DataError
        If the Dataset is not of kind ``counts``.
    DataError
        If an option is not a number of at least 0.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> found = quality(simulated())
    >>> found["barcodes"].to_series().to_dict(), found["never_seen"].values
    ({'control': 8.0, 'GATA1': 8.0}, array([0, 0]))
    >>> found["correlation_activity"].sel(replicate="1", replicate_="2").round(2).item()
    0.83
    """
    validate(counts, "counts")
    check_one_condition(counts)
    as_number(min_dna, "min_dna", least=0, error=DataError)
    as_number(outlier, "outlier", least=0, error=DataError)
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    sums, z = aggregate(counts), barcode_z(counts)
    ratios, used = cell_ratios(counts)
    counted = oligo_means(ratios, used, of, n).observed
    of_oligo = _oligo_columns(counts, counted)
    of_replicate = ("replicate",) if counts["dna"].ndim == 2 else ()
    found: dict[str, Any] = {name: ("oligo", x) for name, x in of_oligo.items()}
    found |= {
        "activity": (("oligo", "replicate"), sums["log2_ratio"].to_numpy()),
        "robust_z": ("barcode", z),
    }
    found |= {
        name: (of_replicate, x) for name, x in _dna_columns(counts, min_dna).items()
    }
    both = (sums["n_bc"].to_numpy() > 0).all(axis=1)
    logs = {
        name: np.log2(sums[f"{name}_normalized"].to_numpy() + 1)[both]
        for name in ("dna", "rna")
    }
    over = {"activity": sums["log2_ratio"].to_numpy()[both], **logs}
    correlations = {
        name: _correlation_matrix(x, np.ones_like(x, dtype=bool))
        for name, x in over.items()
    }
    correlations["barcode"] = _correlation_matrix(ratios, used)
    correlations["ceiling"] = _ceilings(sums)
    found |= {
        f"correlation_{name}": (("replicate", "replicate_"), x)
        for name, x in correlations.items()
    }
    found |= {
        name: ("arm_", x)
        for name, x in _arm_columns(
            counts, of_oligo["n_barcodes"], np.abs(z) > outlier
        ).items()
    }
    names = list(dict.fromkeys(counts["arm"].to_numpy().tolist()))
    coords: dict[str, Any] = {
        name: counts[name]
        for name in ("oligo", "replicate", "barcode", "element", "arm", "group")
    }
    coords |= {"arm_": names, "replicate_": counts["replicate"].to_numpy()}
    found |= {name: counts[name] for name in ("dna_total", "rna_total")}
    floors = dna_floors(counts, float(min_dna))
    found |= {
        f"floor_{name}": ("floor", getattr(floors, name))
        for name in ("left_out", "oligos", "error")
    }
    coords["floor"] = floors.floor
    attrs: dict[str, Any] = attributes(
        min_dna=min_dna, outlier=outlier, advised_floor=floors.advised
    )
    attrs.update(
        attributes(
            verdicts=json.dumps([one._asdict() for one in findings(counts, sums)])
        )
    )
    return xr.Dataset(found, coords, dict(counts.attrs) | attrs)


def _oligo_columns(counts: xr.Dataset, counted: Mask) -> dict[str, Any]:
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    dna, rna = (
        counts[k].to_numpy().reshape(len(of), -1).sum(axis=1).astype(np.float64)
        for k in ("dna", "rna")
    )
    total, squares = (np.bincount(of, weights=w, minlength=n) for w in (dna, dna**2))
    count = np.bincount(of, weights=counted, minlength=n).astype(np.int64)
    effective = np.divide(total**2, squares, out=np.zeros(n), where=squares > 0)
    without = np.log2(
        np.bincount(of, weights=rna, minlength=n)[of] - rna + 1
    ) - np.log2(total[of] - dna + 1)
    high, low = np.full(n, -np.inf), np.full(n, np.inf)
    np.maximum.at(high, of[counted], without[counted])
    np.minimum.at(low, of[counted], without[counted])
    moved = np.zeros(n)
    moved[count > 1] = high[count > 1] - low[count > 1]
    return {"n_barcodes": count, "effective_barcodes": effective, "loo_range": moved}


def _dna_columns(counts: xr.Dataset, floor: float) -> dict[str, Array]:
    """Return shares by replicate, or single numbers for one plasmid pool."""
    observed = dna_observed(counts)
    dna = counts["dna"].to_numpy().reshape(observed.shape)
    n = observed.sum(axis=0)
    found = {
        "empty": 1 - n / len(observed),
        "below_floor": (observed & (dna < floor)).sum(axis=0) / np.maximum(n, 1),
        "dropouts": (n_barcodes_observed(counts) == 0).mean(axis=0),
    }
    return (
        found if counts["dna"].ndim == 2 else {name: x[0] for name, x in found.items()}
    )


def _correlation_matrix(x: Array, used: Mask) -> Array:
    """Return correlations of pairs of columns over the rows that both have; 0 where not
    defined.
    """
    R = x.shape[1]
    found = np.eye(R)
    for r in range(R):
        for s in range(r):
            a, b = x[used[:, r] & used[:, s]][:, [r, s]].T
            a, b = a - a.mean() if len(a) else a, b - b.mean() if len(b) else b
            size = np.sqrt((a @ a) * (b @ b))
            found[r, s] = found[s, r] = a @ b / size if size > 0 else 0.0
    return found


def _ceilings(sums: xr.Dataset) -> Array:
    """Return the largest correlation of activities that counting noise allows each pair
    of replicates, 1 on the diagonal.
    """
    root = np.sqrt(repeatable_shares(sums, list(range(sums.sizes["replicate"]))))
    ceilings = np.outer(root, root)
    np.fill_diagonal(ceilings, 1.0)
    return ceilings


def _arm_columns(counts: xr.Dataset, n: Ints, odd: Mask) -> dict[str, Any]:
    arm = counts["arm"].to_numpy()
    names = list(dict.fromkeys(arm.tolist()))
    of = arm[counts["oligo_index"].to_numpy()[odd]]
    return {
        "oligos": np.array([(arm == name).sum() for name in names]),
        "never_seen": np.array([(n[arm == name] == 0).sum() for name in names]),
        "barcodes": np.array([np.median(n[arm == name]) for name in names]),
        "outliers": np.array([(of == name).sum() for name in names]),
    }


def describe_counts(counts: xr.Dataset) -> str:
    """Return a text summary of counts: barcodes, and what each filter dropped.

    Parameters
    ----------
    counts
        Of kind ``counts``.

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
    lines += [f"  {one}" for one in _format_in_words(counts)]
    return "\n".join([*lines, *map(_filter_line, read_filters(counts))])


def _format_in_words(counts: xr.Dataset) -> list[str]:
    """Return what the table of counts was read as, if it was one."""
    return [about(counts).table_format] if has(counts).table_format else []


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


def describe_quality(
    quality: xr.Dataset,
    *,
    rows: str = "summary",
    arms: bool = False,
    sentences: bool = False,
    notes: bool = False,
    noted: str = "notes=True",
) -> ReportText:
    """Return a text report of `quality`: what is wrong with replicates, or how well
    they agree; a line for each replicate.

    Parameters
    ----------
    quality
        From `causalgia.mpra.quality`.
    rows
        ``"all"``: a line for each of more than 20 replicates.
    arms, sentences, notes
        Whether to print also the oligos of each arm, all that is wrong, and the notes
        on floors and correlations.
    noted
        How notes are asked for.

    Examples
    --------
    >>> from causalgia.mpra.counts import quality
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> print(describe_quality(quality(simulated())))
    No fault was found in the 3 replicates: activities of oligos correlate by 0.79 or more. No oligo of 60 is without a
    barcode, and there are 8 barcodes an oligo (median).
    ...
    """
    requested = requested_parts(arms=arms, sentences=sentences, notes=notes)
    parts = quality_parts(
        quality, requested=requested, every=every_row(rows), noted=noted
    )
    return ReportText(parts.text(), parts.html())


def quality_parts(
    quality: xr.Dataset,
    *,
    requested: Sequence[str] = (),
    every: bool = False,
    noted: str = "notes=True",
) -> AnswerParts:
    """Return the parts of the report of `quality`."""
    verdicts = parse_json(
        about(quality).verdicts,
        DataError,
        source="attrs['verdicts'] of a look at counts",
    )
    any_wrong = any(found["verdict"] not in CAUTIONS for found in verdicts)
    wrong = [_verdict_in_words(found, any_wrong) for found in verdicts]
    answer = wrong[:_SHOWN_WRONG] or [_agreement(quality), _oligos_in_words(quality)]
    left = [*wrong[_SHOWN_WRONG:], *([_oligos_in_words(quality)] if wrong else [])]
    header, lines = _replicate_table(quality)
    floor = f"under {float(about(quality).min_dna):g}"
    return short_answer(
        answer,
        header,
        lines,
        words=["replicate"],
        foot=[
            f"DNA empty, {floor}: share of cells; without barcode: share of oligos. "
            f"{_floor_in_words(quality)}"
        ],
        arms=_arms_in_words(quality),
        each=[*wrong, *_arms_in_words(quality)],
        notes=[
            *left,
            *(f"The table was {one}." for one in _format_in_words(quality)),
            *_effective_in_words(quality),
            *_correlations(quality),
        ],
        requested=requested,
        every_row=every,
        pointers={"noted": noted},
    )


def _verdict_in_words(found: Mapping[str, Any], any_wrong: bool) -> str:
    """Return what was found in counts as a sentence; that replicates are too shallow
    to tell, or an oligo has no RNA, is not a fault of theirs.
    """
    says = str(found["says"]).rstrip(".")
    if found["verdict"] in CAUTIONS:
        return f"{'Besides,' if any_wrong else 'No fault was found, but'} {says}."
    return f"WRONG: {says}."


def counts_in_words(quality: xr.Dataset, counts: xr.Dataset | None = None) -> str:
    """Return in a sentence or two whether counts can be trusted: what is wrong with
    replicates, or how well they agree, and what filters left out.

    Parameters
    ----------
    quality
        From `quality`.
    counts
        The counts that filters left; None: none was used.

    Examples
    --------
    >>> from causalgia.mpra.counts import filter, quality
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> found = simulated()
    >>> counts_in_words(quality(found), filter(found, min_dna=30))
    'Counts: 3 replicates agree (activities correlate by 0.79 or more); ...'
    """
    verdicts = parse_json(
        about(quality).verdicts,
        DataError,
        source="attrs['verdicts'] of a look at counts",
    )
    n = quality.sizes["replicate"]
    unseen = int(quality["never_seen"].sum())
    parts = [] if verdicts or n < 2 else [_repeatability(quality)]
    barcodes = _barcodes_an_oligo(quality)
    parts += [
        "one barcode (or sum) an oligo"
        if barcodes == "1"
        else f"{barcodes} barcodes an oligo (median)"
    ]
    if unseen:
        parts.append(f"{unseen:,} of {int(quality['oligos'].sum()):,} oligos have none")
    parts += _format_in_words(quality)
    for rule in read_filters(counts) if counts is not None else ():
        lost = sum(rule["barcodes"].values())
        if lost:
            name = f"{rule['rule']} {rule['value']:g}"
            parts.append(f"{name} left out {_plural(lost, 'barcode')}")
    sentence = f"Counts: {'; '.join(parts)}."
    if not verdicts:
        return sentence
    more = f" ({len(verdicts) - 1:,} more in the notes)" if len(verdicts) > 1 else ""
    return f"Caution: {verdicts[0]['says'].rstrip('.')}{more}. {sentence}"


def _plural_of(n: float) -> str:
    return f"{n:g} barcode{'s' * (n != 1)}"


def _repeatability(quality: xr.Dataset) -> str:
    """Return how well replicates agree, and the least correlation of two."""
    n, (least, most) = quality.sizes["replicate"], _least_agreement(quality)
    how = "agree"
    if least < AGREE:
        how = (
            "agree as far as counting noise allows"
            if least >= NEAR_CEILING * most
            else "agree weakly"
        )
    return f"{n:,} replicates {how} (activities correlate by {_at_least(least, most)})"


def _least_agreement(quality: xr.Dataset) -> tuple[float, float]:
    """Return the least correlation of activities of two replicates, and the most that
    counting noise allows these two.
    """
    pairs = np.triu_indices(quality.sizes["replicate"], 1)
    found = quality["correlation_activity"].to_numpy()[pairs]
    i = int(found.argmin())
    return float(found[i]), float(quality["correlation_ceiling"].to_numpy()[pairs][i])


def _at_least(least: float, most: float) -> str:
    """Return a least correlation, with its ceiling where it is low.

    The ceiling is an estimate, of few reads a rough one, and can lie below what was
    seen.
    """
    text = f"{least:.2f} or more"
    if least >= AGREE:
        return text
    allowed = f"about {most:.2f}" if most > least else "no more"
    return f"{text}, where counting noise allows {allowed}"


def _barcodes_an_oligo(quality: xr.Dataset) -> str:
    found = np.unique(quality["barcodes"].to_numpy())
    if len(found) > 1 and (quality["oligos"] == 1).all():
        # arms of one oligo each: their medians are these oligos' own numbers
        return f"{np.median(quality['n_barcodes'].to_numpy()):g}"
    return f"{found[0]:g}" if len(found) == 1 else f"{found[0]:g} to {found[-1]:g}"


def _one_each(quality: xr.Dataset) -> bool:
    """Return whether oligos have one barcode, or sum, each."""
    return bool(quality["n_barcodes"].max() <= 1)


def _agreement(quality: xr.Dataset) -> str:
    """Return how well replicates agree where nothing is wrong with them."""
    n = quality.sizes["replicate"]
    if n < 2:
        return "There is one replicate, so that repeatability is not known."
    return (
        f"No fault was found in the {n:,} replicates: activities of oligos correlate by "
        f"{_at_least(*_least_agreement(quality))}."
    )


def _oligos_in_words(quality: xr.Dataset) -> str:
    """Return how many oligos have no barcode, and how many barcodes others have."""
    n, unseen = int(quality["oligos"].sum()), int(quality["never_seen"].sum())
    barcodes = _barcodes_an_oligo(quality)
    without = f"{unseen:,}" if unseen else "No"
    which = f"oligo{'s' * (unseen > 1)} of {n:,} {'are' if unseen > 1 else 'is'}"
    there = (
        "each has one barcode (or sum)"
        if barcodes == "1"
        else f"there are {barcodes} barcodes an oligo (median)"
    )
    return f"{without} {which} without a barcode, and {there}."


def _arms_in_words(quality: xr.Dataset) -> list[str]:
    lines = []
    for arm in quality["arm_"].to_numpy().tolist():
        one = quality.sel(arm_=arm)
        # one barcode or sum has no others of its oligo to be far from
        barcodes = (
            "one barcode (or sum) each"
            if _one_each(quality)
            else f"{_plural_of(one['barcodes'].item())} an oligo (median), "
            f"{int(one['outliers']):,} more than {about(one).outlier:g} robust sd off "
            "the others of their oligo"
        )
        lines.append(
            f"{arm}: {_plural(int(one['oligos']), 'oligo')}, "
            f"{int(one['never_seen']):,} never seen; {barcodes}."
        )
    return lines


def _effective_in_words(quality: xr.Dataset) -> list[str]:
    effective, n = (
        quality["effective_barcodes"].to_numpy(),
        quality["n_barcodes"].to_numpy(),
    )
    if n.max(initial=0) <= 1:
        return []
    share = np.median(effective[n > 0] / n[n > 0])
    return [
        f"Summing reads over barcodes is as precise as {format_share(share)} of the "
        "barcodes would be (median)."
    ]


def _floor_in_words(quality: xr.Dataset) -> str:
    """Return the best DNA floor, and the cost of the one asked about."""
    best, min_dna = (
        float(about(quality).advised_floor),
        float(about(quality).min_dna),
    )
    left_out, error = quality["floor_left_out"], quality["floor_error"]
    lost = format_share(_at_floor(left_out, best), 1)
    line = (
        f"min_dna: means of oligos are most precise with {best:g}, which leaves out "
        f"{lost} of the barcodes"
    )
    if min_dna > 0 and _at_floor(error, min_dna) > WORTH:
        lost = format_share(_at_floor(left_out, min_dna), 1)
        line += (
            f"; {min_dna:g} would leave out {lost}, for "
            f"{_at_floor(error, min_dna):.2f} times the squared error"
        )
    return f"{line}."


def _at_floor(values: xr.DataArray, floor: float) -> float:
    return float(values.sel(floor=floor))


def _replicate_table(quality: xr.Dataset) -> tuple[list[str], list[list[str]]]:
    """Return the table of replicates; a plasmid pool that they share is a line."""
    plasmid = quality["empty"].ndim == 0
    header = ["replicate", "DNA reads", "RNA reads", "DNA empty"]
    header += [f"under {float(about(quality).min_dna):g}", "without barcode"]

    def of_dna(one: xr.Dataset) -> tuple[str, str, str]:
        shares = (
            format_share(one[name].item(), 1) for name in ("empty", "below_floor")
        )
        return (f"{int(one['dna_total']):,}", *shares)  # type: ignore[return-value]

    lines = []
    if plasmid:
        reads, empty, below = of_dna(quality)
        lines.append(["one plasmid pool", reads, "", empty, below, ""])
    for name in quality["replicate"].to_numpy().tolist():
        one = quality.sel(replicate=name)
        reads, empty, below = ("", "", "") if plasmid else of_dna(one)
        rna = f"{int(one['rna_total']):,}"
        absent = format_share(one["dropouts"].item(), 1)
        lines.append([str(name), reads, rna, empty, below, absent])
    return header, lines


def _correlations(quality: xr.Dataset) -> list[str]:
    n = quality.sizes["replicate"]
    if n < 2:
        return []
    pairs, kinds = np.triu_indices(n, 1), ("activity", "barcode", "rna", "dna")
    least = {
        kind: quality[f"correlation_{kind}"].to_numpy()[pairs].min() for kind in kinds
    }
    of_barcodes = (
        "" if _one_each(quality) else f"{least['barcode']:.2f} in those of barcodes, "
    )
    return [
        f"Replicates correlate, at least: {least['activity']:.2f} in log ratios of "
        f"oligos, {of_barcodes}{least['rna']:.2f} in RNA and {least['dna']:.2f} in DNA; "
        "replicates share barcodes, so these correlations do not include the noise "
        "between barcodes."
    ]


def _plural(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


FLOORS = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
WORTH = 1.02


@dataclass(frozen=True)
class Floors:
    """Effects of DNA floors, shape ``(F,)`` each.

    Attributes
    ----------
    floor
        Least DNA of a barcode, the mean over replicates in which it was observed.
    left_out
        Share of the barcodes with DNA that are below it.
    oligos
        Share of the oligos with barcodes that lose them all.
    error
        Mean squared error of an oligo's mean log ratio, relative to its least value
        among the floors.
    """

    floor: Array
    left_out: Array
    oligos: Array
    error: Array

    @property
    def advised(self) -> float:
        """The lowest floor whose error is within 2 % of the least."""
        return float(self.floor[int(np.argmax(self.error <= WORTH))])


def dna_floors(counts: xr.Dataset, *more: float) -> Floors:
    """Compare DNA floors by the squared error of an oligo's mean log ratio.

    Barcodes with little DNA have noisy log ratios, but more barcodes average out. The
    squared error of an oligo's mean is the variance of barcodes within oligos over
    their number, both for the remaining barcodes; where none remains, or the mean is
    worse than the average of all oligos, it is the variance between oligos.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    *more
        Floors besides 1, 2, 3, 5, 10, 20 and 50 reads.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> found = dna_floors(simulated())
    >>> found.advised, found.left_out.round(2)
    (1.0, array([0.  , 0.  , 0.  , 0.  , 0.  , 0.03, 0.29]))
    """
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    ratios, used = cell_ratios(counts)
    means = oligo_means(ratios, used, of, n)
    observed = dna_observed(counts)
    dna = counts["dna"].to_numpy().reshape(len(of), -1).sum(axis=1) / np.maximum(
        observed.sum(axis=1), 1
    )
    counted = means.observed
    x, of, dna = means.barcode[counted], of[counted], dna[counted]
    floor = np.unique([*FLOORS, *(value for value in more if value > 0)])
    there = np.bincount(of, minlength=n) > 0
    mean = (np.bincount(of, x, n) / np.maximum(np.bincount(of, minlength=n), 1))[there]
    between = float(mean.var(ddof=1)) if len(mean) > 1 else 0.0
    left_out, oligos, error = np.zeros((3, len(floor)))
    for i, least in enumerate(floor):
        above = dna >= least
        size = np.bincount(of[above], minlength=n)[there]
        # variance of barcodes within oligos; inf where no oligo has two
        ratio, oligo = x[above], of[above]
        per_oligo = np.bincount(oligo, minlength=n)
        level = np.bincount(oligo, ratio, n) / np.maximum(per_oligo, 1)
        df = int((per_oligo[per_oligo > 0] - 1).sum())
        within = float(((ratio - level[oligo]) ** 2).sum() / df) if df else float("inf")
        left_out[i], oligos[i] = (
            1 - above.mean() if len(above) else 0.0,
            (size == 0).mean() if len(size) else 0.0,
        )
        own = np.divide(within, size, out=np.full(len(size), between), where=size > 0)
        error[i] = np.minimum(own, between).mean() if len(size) else 0.0
    least_error = error.min()
    relative = error / least_error if least_error > 0 else np.ones_like(error)
    return Floors(floor, left_out, oligos, relative)
