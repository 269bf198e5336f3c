"""Faults in the reads themselves: rows that are shifted, counts at a ceiling, replicates
of few reads, parts that were copied, and oligos without RNA.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import fft, special

from causalgia.checks import in_list
from causalgia.errors import NAMES_SHOWN, quoted
from causalgia.mpra.counts._activity import MAD_TO_SD
from causalgia.mpra.counts.barcodes import group_sums
from causalgia.mpra.counts.scaled_parts import ScaledPart, scaled_part
from causalgia.mpra.counts.split_index import LEAST_CELLS
from causalgia.tell.table_formats import format_share
from causalgia.types import Array, Ints, Mask

SATURATED, AT_MOST, READS = 0.9, 0.01, 5
_NEAR = 2  # rows off
_SHIFT_SCORE = 4.5  # normal score from which rows are shifted
_RISK = 1e-4  # of a false find, over all lags
_NEARER = 0.1
_MOSTLY = 0.5  # of the cells of a column
_CANDIDATES = 8  # lags tried exactly
_LEAST_CEILING, _PILED, _LOST = 10, 3.0, 0.05
_SKEWED, _FULL, _RISES = 1.0, 0.98, 1.5
_FEW_READS = 0.02  # of the median replicate's
_TOO_EQUAL, _LEAST_PART, _LEAST_BOTH = 5.0, 0.1, 20
_MISSING_SDS = 4.0  # below the median activity, of elements whose reads are missing
_LEAST_FAR = 3.0
_LEAST_READS = 10.0
_MUCH_LESS = 4.0
_LEAST_OLIGOS = 10
_GAP = 2.0
_APART = 0.2  # of the oligos


class Finding(NamedTuple):
    """A problem with some replicates, or with their oligos.

    Attributes
    ----------
    verdict
        ``outlier``, ``copied``, ``part_copied``, ``transformed``, ``disagree``,
        ``shallow``, ``few_reads``, ``swapped``, ``shifted``, ``apart``, ``ceiling``,
        ``no_rna`` or ``cut_off``.
    replicates
        Their names.
    says
        The sentence, with its numbers.
    """

    verdict: str
    replicates: tuple[str, ...]
    says: str


def ceiling(cells: Ints) -> float:
    """Return the reads at which counts are cut off or saturate; infinite where they do
    not.
    """
    reads = cells[cells > 0]
    if len(reads) < LEAST_CELLS:
        return np.inf
    if saturated(reads):
        return float(SATURATED * np.quantile(reads, 0.99))
    most = reads.max()
    return (
        float(most)
        if (reads == most).sum() > max(AT_MOST * len(reads), READS)
        else np.inf
    )


def saturated(reads: Ints) -> bool:
    """Return whether a tenth of the cells lie within a tenth of the maximum, as
    exhausted UMIs do.
    """
    return bool(np.quantile(reads, 0.9) >= SATURATED * np.quantile(reads, 0.99))


def find_shifts(counts: xr.Dataset, names: list[str]) -> list[Finding]:
    """Find replicates whose rows are some places off, by one or by any number.

    Barcodes differ in abundance, so that the log reads of a barcode in two replicates
    correlate, and more than those of a barcode and another. A pair is shifted by k
    rows where the correlation of row i in one with row i + k in the other is larger
    than that of the same rows by .1, and by 4.5 standard errors (Fisher's z of two
    correlations) for one or two rows, and as many as a risk of 1e-4 over all k needs
    for more. The cross-correlation at every k is found by Fourier transforms. A
    replicate is named where it is shifted against more than half of the others; of two
    replicates, both. Oligos without a read in a replicate that others have reads of
    were not in it, and their zeros are not compared: the order of such oligos would
    look like a shift.
    """
    shifted: dict[tuple[str, ...], tuple[int, float, float, list[str]]] = {}
    for kind in ("rna", "dna"):
        if counts[kind].ndim == 1 or len(names) < 2:
            continue
        logs = np.log2(counts[kind].to_numpy() + 1.0)
        seen = counts[f"{kind}_observed"].to_numpy().copy()
        seen &= ~absent_oligos(counts, kind)[counts["oligo_index"].to_numpy()]
        spectra = [_spectrum(logs[:, r], seen[:, r]) for r in range(len(names))]
        varies = [not _is_mostly_full(logs[seen[:, r], r]) for r in range(len(names))]
        lags = {
            (i, j): _lag(
                logs[:, [i, j]],
                seen[:, i],
                seen[:, j],
                _likely_lags(spectra[i], spectra[j], len(logs)),
            )
            for i, j in combinations(range(len(names)), 2)
            if varies[i] and varies[j]
        }
        for i, name in enumerate(names):
            of = [
                (lag[0] if pair[0] == i else -lag[0], *lag[1:])
                for pair, lag in lags.items()
                if i in pair and lag is not None
            ]
            if 2 * len(of) <= len(names) - 1:
                continue
            who = (name,) if len(names) > 2 else tuple(names)
            k, at_0, at_k = of[0]
            shifted.setdefault(who, (k, at_0, at_k, []))[3].append(kind.upper())
    return [
        Finding("shifted", who, _shift_in_words(who, k, at_0, at_k, kinds))
        for who, (k, at_0, at_k, kinds) in shifted.items()
    ]


def absent_oligos(counts: xr.Dataset, kind: str) -> Mask:
    """Return whether each oligo was not in each replicate, shape ``(n_oligos,
    n_replicates)``: it has no read there, where ten or more are to be expected by its
    reads in another replicate, and the median reads of the oligos in both.
    """
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    seen = counts[f"{kind}_observed"].to_numpy()
    total = group_sums(counts[kind].to_numpy() * seen, of, (n,))
    depth = np.array([np.median(x[x > 0]) if x.any() else 0.0 for x in total.T])
    per_depth = np.divide(total, depth, out=np.zeros_like(total), where=depth > 0)
    expected = per_depth.max(axis=1, keepdims=True) * depth
    return np.asarray((total == 0) & (expected >= _LEAST_READS))


def find_apart(counts: xr.Dataset, names: list[str]) -> list[Finding]:
    """Find replicates that a fifth of the oligos, ten or more, were not in, though
    others have them: arms that are in different replicates cannot be compared.
    """
    if len(names) < 2:
        return []
    absent = absent_oligos(counts, "rna")
    arms = counts["arm"].to_numpy().astype(str)
    found = []
    for name, lacks in zip(names, absent.T, strict=True):
        n = int(lacks.sum())
        if n < max(_LEAST_OLIGOS, _APART * len(lacks)):
            continue
        lone = np.unique(arms[lacks])
        of_arms = f" (all of arm {quoted(lone[0])})" if len(lone) == 1 else ""
        says = (
            f"replicate {name} has no RNA of {n:,} of {len(lacks):,} oligos{of_arms}, of "
            "which other replicates have reads; add the missing rows, for arms in different "
            "replicates cannot be compared"
        )
        found.append(Finding("apart", (name,), says))
    return found


def _is_mostly_full(column: Array) -> bool:
    """Return whether most cells of a column have its largest count, as at a ceiling: the
    few others then correlate with few others by chance.
    """
    return len(column) > 0 and float((column == column.max()).mean()) > _MOSTLY


def _shift_in_words(
    who: tuple[str, ...], k: int, at_0: float, at_k: float, kinds: list[str]
) -> str:
    rows = f"{abs(k)} row{'s' * (abs(k) != 1)}"
    of_one = len(who) == 1
    start = (
        f"the rows of replicate {who[0]} are shifted by {rows}"
        if of_one
        else f"the rows of replicates {in_list(who)} are {rows} apart"
    )
    reads = in_list(list(dict.fromkeys(kinds)))
    against = "those of the others" if of_one else "each other"
    return (
        f"{start}: {reads} reads of barcodes correlate {at_0:.2f} with {against} in "
        f"the same row and {at_k:.2f} {rows} away; join its columns to the others by "
        "barcode, and not by their order"
    )


def _spectrum(column: Array, seen: Mask) -> NDArray[np.complex128]:
    """Return the Fourier transform of a column about its mean, with as many zeros after
    it.
    """
    mean = column[seen].mean() if seen.any() else 0.0
    centered = np.where(seen, column - mean, 0.0)
    return np.asarray(fft.rfft(centered, fft.next_fast_len(2 * len(column), real=True)))


def _likely_lags(
    one: NDArray[np.complex128], other: NDArray[np.complex128], n: int
) -> list[int]:
    """Return lags k at which row i of one column and row i + k of the other agree best,
    among those with enough rows in common, and all near ones.
    """
    size = fft.next_fast_len(2 * n, real=True)
    cross = fft.irfft(np.conj(one) * other, size)
    most = n - LEAST_CELLS
    if most < 1:
        return []
    lags = np.concatenate([np.arange(1, most + 1), -np.arange(1, most + 1)])
    score = cross[lags] / np.sqrt(n - np.abs(lags))
    near = [k for k in range(-_NEAR, _NEAR + 1) if 0 < abs(k) <= most]
    best = np.argsort(-score, kind="stable")[:_CANDIDATES]
    return [*near, *(int(k) for k in lags[best] if abs(k) > _NEAR)]


def _lag(
    logs: Array, one: Mask, other: Mask, lags: list[int]
) -> tuple[int, float, float] | None:
    """Return the shift between two columns, and correlations without and with it; None
    where there is none.
    """

    def correlation(k: int) -> tuple[float, int]:
        n = len(logs)
        rows = np.arange(max(0, -k), min(n, n - k))
        rows = rows[one[rows] & other[rows + k]]
        a, b = logs[rows, 0], logs[rows + k, 1]
        if len(rows) < LEAST_CELLS or not np.ptp(a) or not np.ptp(b):
            return 0.0, len(rows)
        return float(np.corrcoef(a, b)[0, 1]), len(rows)

    plain, n_plain = correlation(0)
    if n_plain < LEAST_CELLS or plain >= 1 - _NEARER:
        return None
    of_chance = -special.ndtri(_RISK / (2 * len(logs)))
    found = []
    for k in lags:
        r, n = correlation(k)
        if n < LEAST_CELLS or r - plain < _NEARER:
            continue
        error = np.sqrt(1 / (n - 3) + 1 / (n_plain - 3))
        z = (np.arctanh(min(r, 1 - 1e-9)) - np.arctanh(plain)) / error
        if z > (_SHIFT_SCORE if abs(k) <= _NEAR else max(_SHIFT_SCORE, of_chance)):
            found.append((z, k, r))
    if not found:
        return None
    _, k, best = max(found)
    return k, plain, best


class _Ceiling(NamedTuple):
    """Where a column of counts ends.

    Attributes
    ----------
    reads
        The most reads of a cell.
    share
        Share of the cells with reads that are there.
    slope
        The factor by which small effects come out.
    is_cut
        Whether larger counts were cut off, and do not level off.
    """

    reads: int
    share: float
    slope: float
    is_cut: bool


def find_ceilings(counts: xr.Dataset, names: list[str]) -> list[Finding]:
    """Find counts that are cut off at a number of reads, or level off near one, where
    effects shrink by 5 % or more.

    Cells are cut off where those with the largest number of reads are more than three
    times as many as the mean of the numbers just below it, and not by chance. With
    reads R cut off at c, ``d log E min(R, c) / d log m`` is the share of the reads that
    lie in cells below c (for reads whose spread is a multiple of their mean m), by
    which small effects come out. Counts level off where a tenth of the cells lie within
    a tenth of the maximum (the 99th percentile), and the median is nearer to that than
    the 10th percentile to the median: of U molecular identifiers, ``U (1 - exp(-m /
    U))`` are seen, and the slope follows from that.
    """
    found = []
    for kind in ("rna", "dna"):
        cells = counts[kind].to_numpy().reshape(counts.sizes["barcode"], -1)
        tops = {
            r: one
            for r, column in enumerate(cells.T)
            if (one := _top(column[column > 0])) is not None and 1 - one.slope >= _LOST
        }
        if not tops:
            continue
        who = [names[r] for r in tops] if cells.shape[1] == len(names) else names
        where = f"replicate{'s' * (len(who) > 1)} {in_list(who)}"
        reads = sorted({one.reads for one in tops.values()})
        at = f"{reads[0]:,}" + (f" to {reads[-1]:,}" if len(reads) > 1 else "")
        share, slope = (
            float(np.mean([getattr(one, name) for one in tops.values()]))
            for name in ("share", "slope")
        )
        is_cut = all(one.is_cut for one in tops.values())
        effect = (
            f"effects come out at about {slope:.2f} of their size"
            if kind == "rna"
            else "activities of abundant barcodes come out too high"
        )
        says = (
            f"{kind.upper()} of {where} "
            + (
                f"is cut off at {at} reads: "
                if is_cut
                else f"levels off near {at} reads: "
            )
            + f"{format_share(share)} of the cells with reads "
            + (
                f"have just as many, and {effect}; "
                if is_cut
                else f"are there, and {effect}; "
            )
            + (
                "count again without this limit"
                if is_cut
                else "count reads in place of molecular identifiers that run out, or "
                "use longer ones"
            )
        )
        found.append(Finding("ceiling", tuple(who), says))
    return found


def _top(reads: Ints) -> _Ceiling | None:
    """Return where the reads above 0 of a column end, if cells pile up there."""
    if len(reads) < LEAST_CELLS:
        return None
    most = int(reads.max())
    at = int((reads == most).sum())
    if most < _LEAST_CEILING:
        return None
    width = max(most // 10, 1)
    near, farther = (
        int(((reads >= most - k * width) & (reads < most - (k - 1) * width)).sum())
        for k in (1, 2)
    )
    below = near / width
    levels = near > max(_RISES * farther, READS, at / 2)
    if not levels and at > max(READS, _PILED * below, below + 5 * np.sqrt(below + 1)):
        slope = 1 - at * most / float(reads.sum())
        return _Ceiling(most, at / len(reads), slope, True)
    low, middle, top = (float(x) for x in np.quantile(reads, [0.1, 0.5, 0.99]))
    if not saturated(reads) or top - middle >= _SKEWED * (middle - low):
        return None
    filled = np.minimum(reads / top, _FULL)
    slopes = -np.log1p(-filled) * (1 - filled) / filled
    share = float((reads >= SATURATED * top).mean())
    return _Ceiling(round(top), share, float(reads @ slopes / reads.sum()), False)


def find_few_reads(
    counts: xr.Dataset, names: list[str], known: set[str]
) -> list[Finding]:
    """Find replicates whose library has less than a fiftieth of the reads of the
    others (their median).
    """
    found = []
    for kind in ("rna", "dna"):
        total = np.atleast_1d(counts[f"{kind}_total"].to_numpy()).astype(np.float64)
        if len(total) < 2:
            continue
        for r, name in enumerate(names):
            others = float(np.median(np.delete(total, r)))
            if name in known or total[r] >= _FEW_READS * others:
                continue
            says = (
                f"replicate {name} has {total[r]:,.0f} {kind.upper()} reads, "
                f"{format_share(total[r] / others)} of those of the others "
                f"({others:,.0f}, median); see whether its file is whole, sequence it "
                "as deeply, or leave it out"
            )
            found.append(Finding("few_reads", (name,), says))
            known = {*known, name}
    return found


def copied_share(a: Ints, b: Ints) -> tuple[float, float] | None:
    """Return the share of equal cells of two replicates, and the largest share that
    independent libraries have; None where it is not clearly exceeded.

    Given the n reads of a barcode in both, those in the first are at most as
    concentrated as a binomial variable with probability 1/2 where the libraries are
    independent, however their reads are dispersed: both are equal with a probability of
    at most ``C(n, n/2) / 2^n``, and 0 for odd n. The number of equal cells is compared
    with the sum of these, by five standard deviations, and has to exceed it by a tenth
    of the cells. Used are cells of 20 reads in both, and more by twice the least of a
    cell: tables may leave out few reads.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> one, other = rng.poisson(40, (2, 500))
    >>> copied_share(one, other) is None
    True
    >>> other[:200] = one[:200]
    >>> [round(share, 2) for share in copied_share(one, other)]
    [0.43, 0.06]
    """
    both = (a > 0) & (b > 0)
    if not both.any():
        return None
    n = a + b
    least = _LEAST_BOTH + 2 * min(int(a[both].min()), int(b[both].min()))
    used = both & (n >= least)
    if used.sum() < LEAST_CELLS:
        return None
    a, b, sums = a[used], b[used], n[used].astype(np.float64)
    even = np.where(
        sums % 2 == 0,
        np.exp(
            special.gammaln(sums + 1)
            - 2 * special.gammaln(sums / 2 + 1)
            - sums * np.log(2.0)
        ),
        0.0,
    )
    expected, equal = float(even.mean()), float((a == b).mean())
    sd = float(np.sqrt((even * (1 - even)).mean() / len(a)))
    if equal - expected < max(_LEAST_PART, _TOO_EQUAL * sd):
        return None
    return equal, expected


def find_part_copies(
    counts: xr.Dataset, names: list[str], known: set[tuple[str, str]]
) -> Iterator[Finding]:
    """Find replicates of which a part is copied from another, cell by cell, as it is or
    after scaling.
    """
    for kind in ("rna", "dna"):
        cells, observed = counts[kind].to_numpy(), counts[f"{kind}_observed"].to_numpy()
        if cells.ndim == 1:
            continue
        for i, j in combinations(range(len(names)), 2):
            pair = (names[i], names[j])
            both = observed[:, i] & observed[:, j]
            a, b = cells[both, i], cells[both, j]
            below = (a < ceiling(a)) & (b < ceiling(b))
            if pair in known:
                continue
            share = copied_share(a[below], b[below])
            if share is None:
                if (scaled := _scaled_part(a[below], b[below], pair)) is not None:
                    yield _scaled_finding(*scaled, kind.upper())
                continue
            says = (
                f"replicates {pair[0]} and {pair[1]} have the same {kind.upper()} "
                f"reads in {format_share(share[0])} of their cells, where independent "
                f"libraries have them in {format_share(share[1])} at most: a part of "
                "one was copied from the other; find where its files were joined, or "
                "leave one of the two out"
            )
            yield Finding("part_copied", pair, says)


def _scaled_part(
    a: Ints, b: Ints, pair: tuple[str, str]
) -> tuple[ScaledPart, str, str] | None:
    """Return the part of one replicate that is another times a constant, with the
    names of the other and of the one.
    """
    for first, second, names in ((a, b, pair), (b, a, pair[::-1])):
        if (part := scaled_part(first, second)) is not None:
            return part, *names
    return None


def _scaled_finding(part: ScaledPart, source: str, copy: str, kind: str) -> Finding:
    says = (
        f"{kind} reads of replicate {copy} are {part.factor:.3g} times those of "
        f"replicate {source} in {format_share(part.share)} of their cells; in independent "
        f"libraries that happens in {format_share(part.at_most)} at most: a part of one "
        "was copied from the other and scaled; find where its files were joined, or "
        "leave one of the two out"
    )
    return Finding("part_copied", (source, copy), says)


def find_oligos_without_rna(counts: xr.Dataset, sums: xr.Dataset) -> list[Finding]:
    """Find oligos whose RNA is far below that of all others, though their DNA was read.

    Of the log2(RNA/DNA) of all oligos, the lowest plausible one is four robust standard
    deviations (and 3 on log2) below the median. An oligo is named where ten RNA reads or
    more would be expected even so, it has less than a quarter of them, and it lies
    below all oligos that are not named by 2 or more on log2: its effect decides an
    average over elements.
    """
    dna, rna = (
        sums[f"{kind}_counts"]
        .to_numpy()
        .astype(np.float64)
        .reshape(sums.sizes["oligo"], -1)
        for kind in ("dna", "rna")
    )
    if dna.shape[1] == 1 < rna.shape[1]:
        rna = rna.sum(axis=1, keepdims=True)
    seen = sums["n_bc"].to_numpy().reshape(len(rna), -1) > 0
    seen = seen[:, : dna.shape[1]] if dna.shape[1] < seen.shape[1] else seen
    totals = rna.sum(axis=0) / np.maximum(dna.sum(axis=0), 1.0)
    expected = np.where(seen, dna * totals, 0.0).sum(axis=1)
    reads = np.where(seen, rna, 0.0).sum(axis=1)
    some = expected > 0
    if some.sum() < _LEAST_OLIGOS:
        return []
    activity = np.log2((reads + 0.5) / np.maximum(expected, 0.5))
    middle = float(np.median(activity[some]))
    sd = float(np.median(np.abs(activity[some] - middle))) * MAD_TO_SD
    least = expected * 2.0 ** (middle - max(_MISSING_SDS * sd, _LEAST_FAR))
    low = some & (least >= _LEAST_READS) & (reads < least / _MUCH_LESS)
    low = _below_a_gap(activity, low, some)
    if not low.any():
        return []
    names = counts["oligo"].to_numpy().astype(str)[low]
    n = len(names)
    shown = in_list(list(map(quoted, names[:NAMES_SHOWN])), n=n)
    amount = ", ".join(f"{x:,.0f}" for x in reads[low][:NAMES_SHOWN])
    others = ", ".join(f"{x:,.0f}" for x in least[low][:NAMES_SHOWN])
    says = (
        f"oligo{'s' * (n > 1)} {shown} {'have' if n > 1 else 'has'} {amount} RNA reads, "
        f"where the least active of the others would have {others} at "
        f"{'their' if n > 1 else 'its'} DNA: effects with {'them' if n > 1 else 'it'} "
        "are far from all others and move an average; see whether "
        f"{'they were' if n > 1 else 'it was'} cloned whole, and leave "
        f"{'their elements' if n > 1 else 'its element'} out of the side table "
        "(drop_unknown=True) if not"
    )
    all_replicates = tuple(counts["replicate"].to_numpy().astype(str))
    return [Finding("no_rna", all_replicates, says)]


def _below_a_gap(activity: Array, low: Mask, some: Mask) -> Mask:
    """Return those of the low oligos that a gap separates from all others."""
    order = np.flatnonzero(some)[np.argsort(activity[some], kind="stable")]
    n_low = int(np.argmin(low[order])) if not low[order].all() else len(order) - 1
    gaps = np.flatnonzero(np.diff(activity[order[: n_low + 1]]) >= _GAP)
    found = np.zeros(len(activity), dtype=bool)
    if len(gaps):
        found[order[: gaps[-1] + 1]] = True
    return found
