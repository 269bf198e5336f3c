"""Checks of barcode counts: six faults, each a value beside a threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy import special

from causalgia.mpra.counts._activity import aggregate
from causalgia.mpra.counts.barcodes import dna_observed, group_medians, group_sums
from causalgia.mpra.counts.counts_table import check_one_condition
from causalgia.numerics.float_errors import usual_errors
from causalgia.schema import validate
from causalgia.types import Array, Ints, Mask

_NAN = float("nan")


class Row(NamedTuple):
    """What a check says of one column, or of several.

    Attributes
    ----------
    where
        The columns: ``RNA 4``, ``DNA 1, RNA 2``.
    value, threshold
        What was measured, NaN where the table cannot tell, and from where it is a fault.
    at
        What else a reader needs: the factor of a copy, the fewest reads that are kept;
        NaN otherwise.
    """

    where: str
    value: float = _NAN
    threshold: float = _NAN
    at: float = _NAN


@dataclass(frozen=True)
class Columns:
    """Counts by column, DNA before RNA, shape ``(n_barcodes, n_columns)``.

    Attributes
    ----------
    names
        ``DNA 1``, ``RNA 1``, ...; one plasmid pool is ``DNA``.
    is_rna, replicate
        Of each column; a pool is in replicate -1.
    reads, seen
        Counts, and whether they were observed.
    of, n
        The oligo of each barcode, and the number of oligos.
    """

    names: list[str]
    is_rna: Mask
    replicate: Ints
    reads: Ints
    seen: Mask
    of: Ints
    n: int

    @classmethod
    def of_counts(cls, counts: xr.Dataset) -> Columns:
        """Return the columns of counts."""
        dna, rna, dna_seen, rna_seen = (
            counts[name].to_numpy().reshape(counts.sizes["barcode"], -1)
            for name in ("dna", "rna", "dna_observed", "rna_observed")
        )
        own = [str(name) for name in counts["replicate"].to_numpy()]
        pool = counts["dna"].ndim == 1
        return cls(
            [
                *(["DNA"] if pool else [f"DNA {x}" for x in own]),
                *(f"RNA {x}" for x in own),
            ],
            np.arange(dna.shape[1] + rna.shape[1]) >= dna.shape[1],
            np.r_[[-1] if pool else np.arange(len(own)), np.arange(len(own))],
            np.hstack([dna, rna]),
            np.hstack([dna_seen, rna_seen]),
            counts["oligo_index"].to_numpy(),
            counts.sizes["oligo"],
        )

    @property
    def pool(self) -> bool:
        """Whether one plasmid pool is the DNA of all replicates."""
        return bool((self.replicate < 0).any())

    @property
    def dna(self) -> Ints:
        """The places of DNA: of each replicate, or of their pool."""
        return np.resize(np.flatnonzero(~self.is_rna), len(self.rna))

    @property
    def rna(self) -> Ints:
        """The places of RNA, of each replicate."""
        return np.flatnonzero(self.is_rna)

    def with_reads(self) -> Columns:
        """Return the columns of the replicates that are deep enough to be compared."""
        few = np.median(self.sums[self.sums.any(axis=1)], axis=0) < _LEAST_READS
        keep = np.flatnonzero(~np.isin(self.replicate, self.replicate[few]))
        keep = (
            keep
            if self.is_rna[keep].any() and not self.is_rna[keep].all()
            else keep[:0]
        )
        return Columns(
            [self.names[j] for j in keep],
            self.is_rna[keep],
            self.replicate[keep],
            self.reads[:, keep],
            self.seen[:, keep],
            self.of,
            self.n,
        )

    @cached_property
    def sums(self) -> Array:
        """Reads of each oligo, shape ``(n_oligos, n_columns)``."""
        return group_sums(self.reads * self.seen, self.of, (self.n,))

    @cached_property
    def logs(self) -> Array:
        """log2(reads + 1), about the median of what each column saw."""
        logs = np.log2(self.reads + 1.0)
        middle = np.array(
            [
                np.median(x[s]) if s.any() else 0.0
                for x, s in zip(logs.T, self.seen.T, strict=True)
            ]
        )
        return np.asarray(logs - middle)

    @cached_property
    def sum_logs(self) -> Array:
        """log2(reads + 1) of oligos, about the mean of each column."""
        logs = np.log2(self.sums + 1.0)
        return np.asarray(logs - logs.mean(axis=0))


# --- depth

_LEAST_READS, _OF_OTHERS = 2.0, 0.1


def _depth(c: Columns) -> Iterator[Row]:
    """Median reads of an oligo in each column; under 2, or a tenth of the others'."""
    some = c.sums[:, c.is_rna].any(axis=1)
    reads = np.median(c.sums[some], axis=0) if some.any() else np.zeros(len(c.names))
    for j, name in enumerate(c.names):
        others = reads[(c.is_rna == c.is_rna[j]) & (np.arange(len(reads)) != j)]
        least = _OF_OTHERS * np.median(others) if len(others) else 0.0
        yield Row(name, float(reads[j]), max(_LEAST_READS, float(least)))


# --- copies

_LEAST_CELLS, _LEAST_OF_COPY, _LOG_RISK, _MOST_CELLS = 20, 5, 16.0, 20_000
_PART = 0.1


def _copies(c: Columns) -> Iterator[Row]:
    """Share of the cells in which one column is a constant times another.

    Given a, the reads b of an independent library are a mixture of Poisson variables,
    however dispersed, and one has the value x with a probability of at most
    ``e^-x x^x / x!``. For a constant k, the number of cells with ``b = round(k a)`` has a
    mean of at most the sum of these; it may exceed that by a tenth of the cells, and by
    Bernstein's bound at a risk of ``e^-16`` over all k.
    """
    free = [x < _ceiling(x) for x in c.reads.T]
    for i, j in combinations(range(len(c.names)), 2):
        both = c.seen[:, i] & c.seen[:, j] & free[i] & free[j]
        best = Row(f"{c.names[i]}, {c.names[j]}")
        for one, other in ((i, j), (j, i)):
            for row in _scaled(c.reads[both, one], c.reads[both, other]):
                named = row._replace(where=f"{c.names[other]}, {c.names[one]}")
                best = max(best, named, key=_excess)
        yield best


def _scaled(a: Ints, b: Ints) -> Iterator[Row]:
    """Return the share of the cells in which b is a times the likeliest constant, rounded
    or cut to a whole number.
    """
    if not (b > 0).any():
        return
    least = _LEAST_OF_COPY + 2 * (int(b[b > 0].min()) - 1)
    deep = np.flatnonzero((a >= _LEAST_OF_COPY) & (b > 0))
    deep = deep[:: len(deep) // _MOST_CELLS + 1]
    if len(deep) < _LEAST_CELLS:
        return
    a, b = a[deep].astype(np.float64), b[deep].astype(np.float64)
    for below, above in ((0.5, 0.5), (0.0, 1.0)):
        factor = _most_common(np.maximum(b - below, 0.0) / a, (b + above) / a)
        x = np.floor(factor * a + below)
        used = x >= least
        n = int(used.sum())
        if n < _LEAST_CELLS:
            continue
        x = x[used]
        most = np.exp(special.xlogy(x, x) - x - special.gammaln(x + 1))
        risk = _LOG_RISK + np.log(n)
        variance = float((most * (1 - most)).sum())
        margin = risk / 3 + np.sqrt((risk / 3) ** 2 + 2 * risk * variance)
        limit = float(most.mean()) + max(_PART, float(margin) / n)
        yield Row("", float((x == b[used]).mean()), limit, float(factor))


def _most_common(lower: Array, upper: Array) -> float:
    """Return a number that the most half-open intervals have in common: the middle of
    the first stretch that has them all.

    Examples
    --------
    >>> _most_common(np.array([0.0, 1.0, 1.5, 5.0]), np.array([2.0, 3.0, 1.75, 6.0]))
    1.625
    """
    ends = np.concatenate([lower, upper])
    steps = np.repeat([1, -1], len(lower))
    order = np.lexsort((steps, ends))  # an interval ends before another begins
    i = int(np.argmax(np.cumsum(steps[order])))
    return float((ends[order[i]] + ends[order[min(i + 1, len(order) - 1)]]) / 2)


# --- swaps

_LEAST_OLIGOS, _OPPOSITE, _SURE, _LEAST_APART = 10, 0.3, 4.0, 0.03


def _swaps(c: Columns) -> Iterator[Row]:
    """DNA for RNA in one replicate; and DNA of one replicate for that of another."""
    c = c.with_reads()
    deep = (c.sums[:, c.dna] > 0).all(axis=1) if len(c.names) else np.zeros(c.n, bool)
    if deep.sum() < _LEAST_OLIGOS:
        yield Row("DNA, RNA")
        return
    ratio = (c.sum_logs[:, c.rna] - c.sum_logs[:, c.dna])[deep]
    R, limit = (
        len(c.rna),
        -max(_OPPOSITE, float(np.tanh(_SURE / np.sqrt(deep.sum() - 3)))),
    )
    swapped = np.zeros(R, dtype=bool)
    for r in range(R if R > 1 else 0):
        others = np.delete(np.arange(R), r)
        mean = ratio[:, others].mean(axis=1)
        pair = (
            _nearer(c, np.asarray(deep), r)
            if c.pool
            else (_correlation(ratio[:, r], mean), limit)
        )
        swapped[r] = pair[0] < pair[1]
        yield Row(f"{c.names[c.dna[r]]}, {c.names[c.rna[r]]}", *pair)
    for r, s in combinations(range(0 if c.pool else R), 2):
        where = f"{c.names[c.dna[r]]}, {c.names[c.dna[s]]}"
        both = c.seen[:, [c.dna[r], c.dna[s], c.rna[r], c.rna[s]]].all(axis=1)
        if swapped[r] or swapped[s] or both.sum() < _LEAST_CELLS:
            yield Row(where)
            continue
        one, other = (c.logs[both, x[r]] - c.logs[both, x[s]] for x in (c.dna, c.rna))
        limit = max(0.1, _SURE / np.sqrt(both.sum()))
        yield Row(where, _correlation(one, other), -float(limit))


def _nearer(c: Columns, deep: Mask, r: int) -> tuple[float, float]:
    """Return by how much less the other RNA varies about the pool than about RNA r."""
    logs, noise = c.sum_logs[deep], 1 / np.maximum(c.sums[deep], 1) / np.log(2) ** 2

    def about(j: int) -> float:
        apart = [
            float(1.4826 * np.median(np.abs(x - np.median(x)))) ** 2
            - float(np.median(noise[:, j] + noise[:, s]))
            for s in np.delete(c.rna, r)
            for x in [logs[:, s] - logs[:, j]]
        ]
        return max(float(np.mean(apart)), _LEAST_APART)

    limit = np.exp(-max(np.log(3), 2 * _SURE / np.sqrt(deep.sum())))
    return about(0) / about(c.rna[r]), float(limit)


def _correlation(x: Array, y: Array) -> float:
    a, b = x - x.mean(), y - y.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0


_FEW, _FULL = 5, 0.9


def _ceiling(cells: Ints) -> float:
    """Return the reads from which cells are alike because counts end there."""
    reads = cells[cells > 0]
    if len(reads) < _LEAST_CELLS:
        return np.inf
    top = _FULL * np.quantile(reads, 0.99)
    if np.quantile(reads, 0.9) >= top:
        return float(top)
    piled = (reads == reads.max()).sum() > _FEW
    return float(reads.max()) if piled else np.inf


def _excess(row: Row) -> float:
    return float(np.nan_to_num(row.value - row.threshold, nan=-np.inf))


# --- truncation

_MISSED, _MOST_FLOOR = 10.0, 20


def _truncation(c: Columns) -> Iterator[Row]:
    """Cells with fewer RNA reads than any that is there, as many as the two lowest
    counts lead one to expect of Poisson counts; by cell, or by barcode.
    """
    rna, used = c.reads[:, c.rna], c.seen[:, c.dna] & (c.reads[:, c.dna] > 0)
    rows = used.any(axis=1)
    whole = (rna * used).sum(axis=1)[rows], (rna * c.seen[:, c.dna]).sum(axis=1)[rows]
    found = [_missing(rna[used]), *(_missing(x) for x in whole if rna.shape[1] > 1)]
    yield max(found, key=_excess)._replace(where="RNA")


def _missing(reads: Ints) -> Row:
    if len(reads) < 2 * _LEAST_CELLS:
        return Row("")
    t = int(reads.min())
    if t == 0 or t > _MOST_FLOOR:
        return Row("", 0.0, _MISSED, float(t))
    width = max(t // 4, 1)
    at, above = (
        float(((reads >= t + k * width) & (reads < t + (k + 1) * width)).sum())
        for k in (0, 1)
    )
    return Row("", at * min(at / (above + 1), 1.0), _MISSED, float(t))


# --- jackpots

_JACKPOT, _LEAST_JACKPOT, _MOST_JACKPOTS = 3.0, 10, 0.02


def _jackpots(c: Columns) -> Iterator[Row]:
    """Share of cells with 8 times the reads that the other replicates of the barcode lead
    one to expect, and that its DNA (or RNA) and its oligo do.
    """
    for j, name in enumerate(c.names):
        own = c.seen[:, j]
        same = np.flatnonzero(
            (c.is_rna == c.is_rna[j]) & (np.arange(len(c.names)) != j)
        )
        other = np.flatnonzero(c.is_rna != c.is_rna[j])
        if c.is_rna[j] or not c.pool:
            other = (
                other
                if len(other) == 1
                else other[c.replicate[other] == c.replicate[j]]
            )
        x = c.logs[:, j]
        beside = np.median(c.logs[:, other], axis=1)
        ratio = x - beside
        of_oligo = np.bincount(c.of, own, c.n)[c.of] > 2
        ratio -= np.where(
            of_oligo, group_medians(ratio[own], c.of[own], c.n)[c.of], np.median(ratio)
        )
        alone = x - np.median(c.logs[:, same], axis=1) if len(same) else x
        if own.sum() < _LEAST_CELLS:
            yield Row(name)
            continue
        odd = (np.minimum(ratio, alone) > _JACKPOT) & (c.reads[:, j] >= _LEAST_JACKPOT)
        n = int(own.sum())
        yield Row(
            name,
            float(odd[own].mean()),
            _MOST_JACKPOTS + 2 * np.sqrt(_MOST_JACKPOTS / n),
        )


# --- misassigned barcodes

_MISASSIGNED, _LEAST_OTHERS, _ROUNDS = 0.08, 2, 30


def _misassigned(c: Columns) -> Iterator[Row]:
    """Share of barcodes whose activity is that of another oligo, less the share of those
    that are as far off on the other side of their own.
    """
    cells = (c.reads[:, c.rna] > 0) & (c.reads[:, c.dna] > 0)
    by_cell = [np.where(cells, c.reads[:, x], 0).astype(float) for x in (c.dna, c.rna)]
    level = by_cell[1].sum(axis=0) / np.maximum(by_cell[0].sum(axis=0), 1)
    expected, rna = (by_cell[0] * level).sum(axis=1), by_cell[1].sum(axis=1)
    dna = by_cell[0].max(axis=1) if c.pool else by_cell[0].sum(axis=1)
    used = (dna >= _LEAST_JACKPOT) & (rna > 0)
    used &= c.of % (int(used.sum()) // _MOST_CELLS + 1) == 0  # whole oligos
    of = c.of[used]
    size = np.bincount(of, minlength=c.n)
    used[used] = size[of] > _LEAST_OTHERS
    of = c.of[used]
    if used.sum() < 2 * _LEAST_CELLS or len(np.unique(of)) < _LEAST_OLIGOS:
        yield Row("barcodes")
        return
    x = np.log2(rna[used] + 0.5) - np.log2(expected[used] + 0.5)
    noise = (1 / rna[used] + 1 / dna[used]) / np.log(2) ** 2
    yield _of_others(x, noise, of, c.n)._replace(where="barcodes")


def _of_others(x: Array, noise: Array, of: Ints, n: int) -> Row:
    """Fit shares of four laws to barcodes about the median of their oligo: its own, that
    of all oligos, the mirror image of that, and any.
    """
    size = np.bincount(of, minlength=n)[of]
    own = group_medians(x, of, n)[of]
    spread = max(
        float(1.4826 * np.median(np.abs(x - own))) ** 2 - float(np.median(noise)), 1e-3
    )
    grid = np.quantile(
        group_medians(x, of, n)[np.unique(of)], (np.arange(40) + 0.5) / 40
    )
    if grid.var() < spread:
        return Row("")
    low, high = x.min() - 1, x.max() + 1
    share = np.array([0.8, 0.1, 0.05, 0.05])
    for _ in range(_ROUNDS):
        v = spread + noise
        wide = np.sqrt(v * (1 + 1.57 / size))

        def law(y: Array, v: Array = v) -> Array:
            z = (y[:, None] - grid) / np.sqrt(v)[:, None]
            return np.asarray(
                np.exp(-0.5 * z * z).mean(axis=1) / np.sqrt(2 * np.pi * v)
            )

        z = (x - own) / wide
        laws = np.column_stack(
            [
                np.exp(-0.5 * z * z) / wide / np.sqrt(2 * np.pi),
                law(x),
                law(2 * own - x),
                np.full(len(x), 1 / (high - low)),
            ]
        )
        part = laws * share
        part /= part.sum(axis=1, keepdims=True)
        share = part.mean(axis=0)
        spread = max(
            float(
                (part[:, 0] * ((x - own) ** 2 / (1 + 1.57 / size) - noise)).sum()
                / part[:, 0].sum()
            ),
            1e-3,
        )
    total = laws @ share
    score = (laws[:, 1:] - laws[:, :1]) / total[:, None]
    error = np.linalg.pinv(score.T @ score)
    few = np.sqrt(1 + 1.57 / max(float(np.median(size)) - 1, 1))  # barcodes of a median
    se = float(np.sqrt(max(error[0, 0] + error[1, 1] - 2 * error[0, 1], 0.0)))
    return Row("", float(share[1] - share[2]), max(_MISASSIGNED, 2.5 * se * few))


class Check(NamedTuple):
    """A check: its name, its rows, and whether a fault lies below the threshold."""

    name: str
    of: Callable[[Columns], Iterator[Row]]
    below: bool = False


CHECKS = (
    Check("depth", _depth, below=True),
    Check("copies", _copies),
    Check("swaps", _swaps, below=True),
    Check("truncation", _truncation),
    Check("jackpots", _jackpots),
    Check("misassigned", _misassigned),
)


@usual_errors
def quality(counts: xr.Dataset) -> xr.Dataset:
    r"""Check barcode counts for six faults, each a value beside a threshold.

    ============ ================================================== ==================
    check        value                                              fault
    ============ ================================================== ==================
    depth        reads of the median oligo in a column              below 2, or a
                                                                    tenth of the others'
    copies       share of the cells in which one column is a        above what
                 constant times another, whole or in part           independent Poisson
                                                                    mixtures allow
    swaps        correlation of log ratios with those of the        below -.3, and -4
                 other replicates (DNA for RNA); of differences of  standard errors
                 DNA and of RNA between two replicates
    truncation   cells expected below the least RNA count           above 10
    jackpots     share of cells with 8 times the reads expected     above .02 and 2
                 from the other replicates, and from its oligo      standard errors
    misassigned  share of barcodes with the activity of another     above .08 and 2.5
                 oligo, less those as far off on the other side     standard errors
    ============ ================================================== ==================

    Of `copies`: given reads a of a cell, those of an independent library are a mixture
    of Poisson variables, which has the value x with a probability of at most
    :math:`e^{-x} x^x / x!`, however dispersed. The share may exceed the mean of these by
    .1 and by Bernstein's bound. A replicate whose reads agree with no other is not a
    fault of these; ``correlation_activity`` shows it.

    Parameters
    ----------
    counts
        Of kind ``counts``.

    Returns
    -------
    Dataset
        By row, a comparison: ``check``, ``where`` (the columns), ``value``,
        ``threshold``, ``found``, ``below`` (whether a fault lies below the threshold)
        and ``at`` (the factor of a copy, the least RNA reads). A value is NaN where the table
        cannot tell, as with one barcode an oligo for `misassigned`. By oligo and
        replicate ``activity``, log2(RNA/DNA) of the sums; by oligo ``n_barcodes`` (with
        DNA above 0 in some replicate); and ``correlation_activity (replicate,
        replicate_)``.

    Raises
    ------
    DataError
        If the Dataset is not of kind ``counts``.

    References
    ----------
    Bernstein's bound: Boucheron, Lugosi & Massart (2013),
    doi:10.1093/acprof:oso/9780199535255.001.0001, section 2.8.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> counts = simulated()
    >>> quality(counts)["found"].any().item()
    False
    >>> rna = counts["rna"].copy(data=counts["rna"].values[:, [0, 0, 2]])
    >>> copied = quality(counts.assign(rna=rna))
    >>> copied.isel(row=copied["found"].values)["where"].values.tolist()
    ['RNA 2, RNA 1']
    """
    validate(counts, "counts")
    check_one_condition(counts)
    columns, sums = Columns.of_counts(counts), aggregate(counts)
    rows = [(check, row) for check in CHECKS for row in check.of(columns)]
    value, threshold, at = (
        np.array([getattr(row, name) for _, row in rows], dtype=np.float64)
        for name in ("value", "threshold", "at")
    )
    below = np.array([check.below for check, _ in rows])
    activity = sums["log2_ratio"].to_numpy()
    both = (sums["n_bc"].to_numpy() > 0).all(axis=1)
    seen = dna_observed(counts) & (
        counts["dna"].to_numpy().reshape(len(columns.of), -1) > 0
    )
    of_rows = {
        "check": np.array([check.name for check, _ in rows]),
        "where": np.array([row.where for _, row in rows]),
        "value": value,
        "threshold": threshold,
        "found": np.where(below, value < threshold, value > threshold),
        "below": below,
        "at": at,
    }
    correlation = np.eye(activity.shape[1])
    for i, j in combinations(range(len(correlation)), 2):
        r = _correlation(activity[both, i], activity[both, j])
        correlation[i, j] = correlation[j, i] = r
    return xr.Dataset(
        {name: ("row", x) for name, x in of_rows.items()}
        | {
            "activity": (("oligo", "replicate"), activity),
            "n_barcodes": (
                "oligo",
                np.bincount(columns.of[seen.any(axis=1)], minlength=columns.n),
            ),
            "correlation_activity": (("replicate", "replicate_"), correlation),
        },
        {
            name: counts[name]
            for name in ("oligo", "replicate", "element", "arm", "group")
        }
        | {"replicate_": counts["replicate"].to_numpy()},
        dict(counts.attrs),
    )
