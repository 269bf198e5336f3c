"""Replicates: the index of their agreement, and outliers, copies, transformed and swapped counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import optimize, special

from causalgia.mpra.counts._activity import MAD_TO_SD
from causalgia.reporting import format_share
from causalgia.types import Array, Ints

STRATUM, MOST_STRATA = 50, 40
_TINY, _FARTHEST, _REACH = 1e-9, 1e-6, 12.0


@dataclass(frozen=True)
class SplitIndex:
    """Dispersion of the split of reads between two replicates.

    Attributes
    ----------
    index
        Mean squared deviation of the split relative to binomial counting noise: at least 1 for independent replicates.
    z
        ``(index - 1)`` over its standard deviation under a binomial split.
    z_deep
        The same for the deeper half of the barcodes.
    n_cells
        Barcodes used.
    """

    index: float
    z: float
    z_deep: float
    n_cells: int


def split_index(a: Ints, b: Ints) -> SplitIndex:
    r"""Return the index of dispersion of the split of reads between two replicates.

    Counts of independent libraries vary at least as Poisson counts. Given the sum ``n`` of the reads of a barcode in
    both, the reads in the first are then ``Binomial(n, pi)``, of variance ``n pi (1 - pi)``; other differences between
    barcodes or libraries (overdispersion, lost or silent barcodes, replicate effects) mix such laws and add variance.
    So the index ``mean (x - E x)^2 / Var x`` is 1 for independent Poisson counts and for two technical splits of one
    library, which it cannot tell apart, and above 1 for any other two libraries. If the second was made from the first
    the index is smaller, whatever the law of the first:

    - a copy times c: ``x = n / (1 + c)`` exactly, index 0; rounded, ``1 / (12 c (1 + c) x)``;
    - a copy thinned, ``Binomial(x, p)``: x misses ``n pi`` by ``(p x - b) / (1 + p)``, of variance
      ``x p (1 - p) / (1 + p)^2`` where a binomial's is ``x p / (1 + p)``: index ``(1 - p) / (1 + p)``.

    Where both counts were multiplied by c < 1 the index is c times as large, and is detected too; counts that saturate
    (short UMIs) may have an index below 1.

    Tables often omit cells without (or with few) reads, which truncates the split. So only barcodes with both cells
    above 0 are used, with the moments of a binomial truncated at the least counts of the two columns: exact also for
    small n. `pi` may depend on depth and is fitted by stratum of n, which takes one degree of freedom each.

    Parameters
    ----------
    a, b
        Reads of the same barcodes in two replicates, shape ``(n_barcodes,)``.

    Returns
    -------
    SplitIndex
        With fewer than 20 barcodes whose split is free: index 1, z 0.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rates = rng.gamma(2.0, 30.0, size=2_000)
    >>> one, other = rng.poisson(rates), rng.poisson(rates)
    >>> [round(split_index(one, x).index, 1) for x in (other, 3 * one, rng.binomial(one, 0.5))]
    [1.0, 0.0, 0.3]
    """
    less, more = (a, b) if a.sum() <= b.sum() else (b, a)
    both = (less > 0) & (more > 0)
    x, n = less[both].astype(np.float64), (less + more)[both].astype(np.float64)
    if len(x) < LEAST_CELLS:
        return SplitIndex(1.0, 0.0, 0.0, 0)
    low, high = float(x.min()), float((n - x).min())
    free = n - high - low >= 2  # with two values left, the fit of pi leaves nothing
    x, n = x[free], n[free]
    order = np.argsort(n, kind="stable")
    strata = np.array_split(order, int(np.clip(len(x) // STRATUM, 1, MOST_STRATA)))
    parts = [part for of in strata if len(of) > 1 and (part := _stratum_sums(x[of], n[of], low, high)) is not None]
    if sum(part.n for part in parts) < LEAST_CELLS:
        return SplitIndex(1.0, 0.0, 0.0, 0)
    middle = np.median(n)
    deep = [part for part in parts if part.depth >= middle] or parts[-1:]
    index, z = _index_and_z(parts)
    return SplitIndex(index, z, _index_and_z(deep)[1], sum(part.n for part in parts))


class _Stratum(NamedTuple):
    depth: float
    n: int
    sum: float
    variance: float


def _index_and_z(parts: list[_Stratum]) -> tuple[float, float]:
    """Return the index over all strata, and its z."""
    df = sum(part.n - 1 for part in parts)
    total, variance = sum(part.sum for part in parts), sum(part.variance for part in parts)
    return total / df, (total - df) / float(np.sqrt(max(variance, _TINY)))


def _stratum_sums(x: Array, n: Array, low: float, high: float) -> _Stratum | None:
    """Return the sum of ``(x - E x)^2 / Var x`` at the fitted pi, and its variance; None if no split is free."""
    sizes, place, count = np.unique(n, return_inverse=True, return_counts=True)
    pi = _fit_share(sizes, count, float(x.sum()), low, high)
    if pi is None:
        return None
    mean, variance, fourth = _truncated_moments(sizes, pi, low, high)
    free = variance > _TINY
    if not free.any():
        return None
    used = free[place]
    squares = (x - mean[place])[used] ** 2 / variance[place][used]
    spread = count[free] @ (fourth[free] / variance[free] ** 2 - 1)
    return _Stratum(float(n.min()), int(used.sum()), float(squares.sum()), float(spread))


def _fit_share(n: Array, count: Ints, total: float, low: float, high: float) -> float | None:
    """Return the pi at which the expected total is the observed one; None at an end of its range."""
    plain = total / float(count @ n)
    masses = _binomial_masses(n, low, high, 1)
    if (masses(plain)[0] > 1 - _TINY).all():
        return plain

    @cache
    def excess(logit: float) -> float:
        pi = float(special.expit(logit))
        return float(count @ _factorial_moments(n, pi, low, high, masses(pi))[0]) - total

    for reach in (1.0, _REACH):
        ends = special.logit(plain) - reach, special.logit(plain) + reach
        if excess(ends[0]) < 0 < excess(ends[1]):
            return float(special.expit(optimize.brentq(excess, *ends, xtol=1e-8)))
    return None


def _truncated_moments(n: Array, pi: float, low: float, high: float) -> tuple[Array, Array, Array]:
    """Return mean, variance and fourth central moment of a binomial between `low` and ``n - high``."""
    mean, variance = n * pi, n * pi * (1 - pi)
    fourth = variance * (1 + 3 * (n - 2) * pi * (1 - pi))
    masses = _binomial_masses(n, low, high, 4)(pi)
    cut = (masses[0] < 1 - _TINY) & (masses[0] > _FARTHEST)
    first, f2, f3, f4 = _factorial_moments(n[cut], pi, low, high, masses[:, cut])
    squares, cubes, fourths = f2 + first, f3 + 3 * f2 + first, f4 + 6 * f3 + 7 * f2 + first
    mean[cut], variance[cut] = first, squares - first**2
    fourth[cut] = fourths - 4 * first * cubes + 6 * first**2 * squares - 3 * first**4
    return mean, np.where(masses[0] > _FARTHEST, variance, 0.0), fourth


def _factorial_moments(n: Array, pi: float, low: float, high: float, masses: Array) -> list[Array]:
    """Return ``E x (x - 1) ... (x - k + 1)`` of a binomial between `low` and ``n - high``, k from 1 on.

    That is ``n (n - 1) ... (n - k + 1) pi^k`` times the probability that a binomial of n - k lies in the range shifted
    by k, over that of the range: row k over row 0 of `masses`. Where the latter is negligible, x is put at the nearest
    end of the range.
    """
    near, falling, found = masses[0] > _FARTHEST, np.ones_like(n), []
    whole = np.where(near, masses[0], 1.0)
    for k, mass in enumerate(masses[1:], start=1):
        falling = falling * (n - k + 1) * pi
        inside = falling * mass / whole
        found.append(inside if near.all() else np.where(near, inside, np.clip(n * pi, low, n - high) ** k))
    return found


def _binomial_masses(n: Array, low: float, high: float, order: int) -> Callable[[float], Array]:
    """Return the function of pi: probability of ``low - k <= Binomial(n - k, pi) <= n - high - k``, k from 0 to order.

    Its values have shape ``(order + 1, len(n))``. What does not depend on pi is computed once, and only distribution
    functions that are neither 0 nor 1 at every pi are evaluated.
    """
    shift = np.arange(order + 1.0)[:, None]
    size = np.stack([n - shift] * 2)
    ends = np.stack([n - high - shift, np.broadcast_to(low - 1.0 - shift, size.shape[1:])])
    free = (ends >= 0) & (ends < size)
    reads, sizes = ends[free], size[free].astype(np.int64)
    certain = (ends >= size).astype(np.float64)

    def masses(pi: float) -> Array:
        cdf = certain.copy()
        cdf[free] = special.bdtr(reads, sizes, pi)
        return np.asarray(cdf[0] - cdf[1])

    return masses


READS, LEAST_CELLS, COPIED, SAME = 5, 20, 0.5, 0.95
TOO_ALIKE, ALSO_DEEP, SUSPECT = -4.0, -2.0, -3.0
SATURATED, AT_MOST, FALLS = 0.9, 0.01, 0.3
RELIABLE, REPEATS, ALIKE = 0.75, 0.3, 0.5
LOWEST, LEAST_PAIRS, NEXT = 10, 400, 0.1
LEAST_OLIGOS, _NONE = 10, 1e-12


class Finding(NamedTuple):
    """A problem with some replicates.

    Attributes
    ----------
    verdict
        ``outlier``, ``copied``, ``transformed``, ``disagree`` or ``swapped``.
    replicates
        Their names.
    says
        The sentence, with its numbers.
    """

    verdict: str
    replicates: tuple[str, ...]
    says: str


def findings(counts: xr.Dataset, sums: xr.Dataset) -> list[Finding]:
    """Find problems with the replicates of counts.

    ``copied``: two replicates have equal reads in more than half of the cells in which either has 5 or more (two
    libraries of one barcode agree in less than .15 of such cells); or the reads of barcodes split between the two more
    evenly than counting noise allows (`causalgia.mpra.counts.replicate_faults.split_index`: below 1 by four standard
    deviations, and in the deeper half of the barcodes by two), as they do where one is the other times a constant, or a
    random part of it. Two technical splits of one library have an index of exactly 1, as independent Poisson counts,
    and cannot be distinguished from replicates. Cells at a ceiling (a maximum that more than 1 % of cells share; within
    a tenth of it if a tenth of all cells are) do not count as agreement.

    ``transformed``: more than half of the pairs are as alike, by three standard deviations at least and by four in one,
    as counts are that were normalized, scaled or transformed, or that saturate. Or the reads of a column, from 10 on,
    leave out the numbers between those that occur (cells with adjacent numbers are less than a tenth as many as cells
    with equal ones), as counts times 2 or more do. Then only pairs with more than 95 %
    equal cells are called copied, and no replicate is called swapped.

    ``swapped``: DNA sums vary more between oligos than RNA sums, though RNA is DNA times activity, so that the log
    ratio falls with DNA and does not rise with RNA, by more than three standard errors. Only libraries of their own are
    tested, where RNA does not saturate and log ratios correlate with those of other replicates, either way. A swapped
    replicate gets neither of the next two.

    ``outlier``: of three or more replicates of ten or more oligos, one whose rank correlations with the others show
    that less than three quarters as much of it repeats, ``(mean r with the others / mean r among the others)^2 < .75``,
    by more than three standard errors, and not because it has fewer reads: the mean r among the others is first lowered
    by its additional counting noise, ``1/dna + 1/rna`` of each oligo. Or one whose DNA reads of barcodes correlate with
    no other (rank correlations below .3) where theirs do (above .5), with five DNA reads a barcode or more: shuffled
    labels. With two replicates DNA alone is not judged, nor where barcodes do not differ in abundance.

    ``disagree``: four or more replicates are two groups of two or more, and rank correlations of activities are lower
    between the groups than within both, by as much as those of an ``outlier``. Or in no pair of replicates do
    activities of oligos, or RNA or DNA reads of barcodes, repeat: the 95 % limits of their correlations lie below .5
    and .3. With two replicates the wrong one cannot be named. Activities alone do not repeat where oligos do not
    differ; reads do, because barcodes differ in abundance.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    sums
        From `causalgia.mpra.aggregate`.

    Examples
    --------
    >>> from causalgia.mpra.counts._activity import aggregate
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> counts = simulated()
    >>> findings(counts, aggregate(counts))
    []
    >>> copied = counts.assign(rna=counts["rna"].copy(data=counts["rna"].values[:, [0, 1, 0]]))
    >>> findings(copied, aggregate(copied))[0][:2]
    ('copied', ('1', '3'))
    """
    names = [str(name) for name in counts["replicate"].to_numpy()]
    of_rna, of_dna = (list(_find_copies(counts, names, kind)) for kind in ("rna", "dna"))
    found = [*of_rna, *of_dna]
    found += _find_multiplied(counts, names, {name for finding in found for name in finding.replicates})
    raw = all(finding.verdict != "transformed" for finding in found)
    swapped = list(_find_swaps(counts, sums, names)) if raw and counts["dna"].ndim == 2 else []
    excluded = {name for finding in swapped for name in finding.replicates}
    # a copy agrees with its original, and any other replicate would stand apart from the two
    excluded |= {finding.replicates[1] for finding in of_rna if finding.verdict == "copied"}
    sound = [name for name in names if name not in excluded]
    return [
        *found,
        *swapped,
        *(
            _find_groups(sums, sound)
            or _find_outliers(sums, sound)
            or _find_shuffled_dna(counts, sound)
            or _find_disagreement(counts, sums, sound)
        ),
    ]


def _find_copies(counts: xr.Dataset, names: list[str], kind: str) -> Iterator[Finding]:
    cells, observed = counts[kind].to_numpy(), counts[f"{kind}_observed"].to_numpy()
    if cells.ndim == 1:
        return
    pairs = []
    for i, j in combinations(range(len(names)), 2):
        both = observed[:, i] & observed[:, j]
        a = cells[both, i]
        b = cells[both, j]
        tops = _ceiling(a), _ceiling(b)
        below = (a < tops[0]) & (b < tops[1])
        free = a + b < min(tops)  # below the ceiling the split is not cut off
        deep = below & (np.maximum(a, b) >= READS)
        equal = float((a[deep] == b[deep]).mean()) if deep.sum() >= LEAST_CELLS else 0.0
        pairs.append((names[i], names[j], _Likeness(equal, split_index(a[free], b[free]))))
    alike = [pair for pair in pairs if pair[2].alike]
    too_many = len(pairs) > 1 and 2 * sum(pair[2].suspect for pair in pairs) > len(pairs)
    if alike and too_many:
        yield _transformed_finding(kind.upper(), names, [pair[2] for pair in pairs if pair[2].suspect], len(pairs))
        alike = []
    alike += [pair for pair in pairs if pair[2].same]
    for one, other, likeness in alike:
        yield Finding("copied", (one, other), f"replicates {one} and {other} {likeness.says(kind)}")


class _Likeness(NamedTuple):
    """Likeness of the reads of two replicates: share of equal cells, and split of reads between the two."""

    equal: float
    split: SplitIndex

    @property
    def same(self) -> bool:
        """Whether nearly all cells are equal, which no transformation of two libraries gives."""
        return self.equal > SAME

    @property
    def alike(self) -> bool:
        """Whether one may be a copy of the other."""
        too_alike = self.split.z < TOO_ALIKE and self.split.z_deep < ALSO_DEEP
        return not self.same and (self.equal > COPIED or too_alike)

    @property
    def suspect(self) -> bool:
        return not self.same and (self.alike or self.split.z < SUSPECT)

    def says(self, kind: str) -> str:
        """Return the finding and its cure."""
        plasmid = "if one plasmid pool serves all replicates, give one column of DNA; else "
        leave = ("" if kind == "rna" else plasmid) + "leave one of the two out"
        if self.equal > COPIED:
            return (
                f"have the same {kind.upper()} reads in {format_share(self.equal)} of their cells: one is a copy of "
                f"the other; {leave}"
            )
        return (
            f"agree better in {kind.upper()} reads than counting noise allows: in {self.split.n_cells:,} barcodes the "
            f"split of reads between the two varies {self.split.index:.2f} times as much as by chance, and independent "
            "libraries have 1 or more: one is a copy of the other, scaled or thinned, or these are not reads as they "
            f"were counted: then give the raw counts, and else {leave}"
        )


def _ceiling(cells: Ints) -> float:
    """Return the reads at which counts are cut off or saturate; infinite where they do not."""
    reads = cells[cells > 0]
    if len(reads) < LEAST_CELLS:
        return np.inf
    if _saturated(reads):
        return float(SATURATED * np.quantile(reads, 0.99))
    most = reads.max()
    return float(most) if (reads == most).sum() > max(AT_MOST * len(reads), READS) else np.inf


def _saturated(reads: Ints) -> bool:
    """Return whether a tenth of the cells lie within a tenth of the maximum, as exhausted UMIs do."""
    return bool(np.quantile(reads, 0.9) >= SATURATED * np.quantile(reads, 0.99))


def _transformed_finding(kind: str, names: list[str], pairs: list[_Likeness], of: int) -> Finding:
    index = float(np.median([pair.split.index for pair in pairs]))
    says = (
        f"{kind} of replicates {', '.join(names[:-1])} and {names[-1]} does not look like raw read counts: in "
        f"{len(pairs)} of {of} pairs replicates agree better than counting noise allows (the split of reads between "
        f"two varies {index:.2f} times as much as by chance, and independent libraries have 1 or more), as counts do "
        "that were normalized, scaled, transformed, or that saturate; give the raw counts, and if these are the raw "
        "counts, check whether columns are copies of one library"
    )
    return Finding("transformed", tuple(names), says)


def _find_multiplied(counts: xr.Dataset, names: list[str], known: set[str]) -> Iterator[Finding]:
    """Find columns that leave out the numbers between those that occur."""
    for kind in ("rna", "dna"):
        cells = counts[kind].to_numpy().reshape(counts.sizes["barcode"], -1)
        left_out = [name for name, column in zip(names, cells.T, strict=False) if _leaves_gaps(column)]
        left_out = names if left_out and cells.shape[1] < len(names) else left_out  # one plasmid pool
        if gaps := tuple(name for name in left_out if name not in known):
            says = (
                f"{kind.upper()} of replicate {', '.join(gaps)} does not look like raw read counts: its "
                "values leave gaps, as counts do that were multiplied, or counted twice; give the raw counts"
            )
            yield Finding("transformed", gaps, says)


def _leaves_gaps(cells: Ints) -> bool:
    numbers, times = np.unique(cells[(cells >= LOWEST) & (cells < _ceiling(cells))], return_counts=True)
    equal = int((times * (times - 1)).sum())
    return equal >= LEAST_PAIRS and (times[:-1] * times[1:])[np.diff(numbers) == 1].sum() < NEXT * equal


def _find_swaps(counts: xr.Dataset, sums: xr.Dataset, names: list[str]) -> Iterator[Finding]:
    logs = {kind: np.log2(sums[f"{kind}_normalized"].to_numpy() + 1) for kind in ("dna", "rna")}
    ratio, observed = sums["log2_ratio"].to_numpy(), sums["n_bc"].to_numpy() > 0
    # without correlation between replicates DNA noise alone looks the same: log ratios fall with DNA
    for r, name in enumerate(names):
        some = observed[:, r]
        reads = counts["rna"].to_numpy()[:, r]
        # saturated RNA also varies less than DNA
        if some.sum() < LEAST_OLIGOS or _saturated(reads[reads > 0]):
            continue
        of_dna, of_rna = (_pearson_or_zero(ratio[some, r], logs[kind][some, r]) for kind in ("dna", "rna"))
        others = [_replicate_correlation(ratio, observed, r, s) for s in range(len(names)) if s != r]
        # a second swapped replicate correlates positively, the others negatively
        repeats = not others or abs(np.mean(others)) > REPEATS or np.mean(np.abs(others)) > 2 * REPEATS
        falls = float(np.tanh(np.arctanh(min(-of_dna, 1 - _NONE)) - 3 / np.sqrt(some.sum() - 3)))
        if repeats and falls > FALLS and -of_dna > max(0.5, 2 * abs(of_rna)):
            mixed = bool(others) and min(others) < 0 < max(others)
            figure = f"{min(others):.2f} to {max(others):.2f}" if mixed else f"{np.mean(others or 0):.2f}"
            with_others = f"; it correlates {figure} with the other replicates'" if others else ""
            yield Finding(
                "swapped",
                (name,),
                f"replicate {name}: DNA and RNA look swapped: log2(RNA/DNA) of oligos falls with DNA (r = {of_dna:.2f}"
                f") and does not rise with RNA ({of_rna:.2f}){with_others}; check which of its two columns is DNA, and "
                "exchange them if they are swapped",
            )


def _find_outliers(sums: xr.Dataset, names: list[str]) -> list[Finding]:
    if len(names) < 3:
        return []
    of = [sums["replicate"].to_numpy().astype(str).tolist().index(name) for name in names]
    ratio, observed = sums["log2_ratio"].to_numpy()[:, of], sums["n_bc"].to_numpy()[:, of] > 0
    if observed.all(axis=1).sum() < LEAST_OLIGOS:
        return []
    R = len(names)
    # ranks: with few reads, one oligo without RNA can decide a correlation
    r = np.array([[_replicate_correlation(ratio, observed, i, j, ranks=True) for j in range(R)] for i in range(R)])
    own = (r.sum(axis=1) - 1) / (R - 1)
    i = int(own.argmin())
    rest = np.delete(np.delete(r, i, 0), i, 1)
    others = float((rest.sum() - (R - 1)) / ((R - 1) * (R - 2)))
    repeatable = _repeatable_shares(sums, of)
    fewer_reads = min(float(np.sqrt(repeatable[i] / np.delete(repeatable, i).mean())), 1.0)
    expected = others * fewer_reads
    error = np.sqrt(2 / max(int(observed.all(axis=1).sum()) - 3, 1))
    clear = np.arctanh(min(expected, 1 - 1e-9)) - np.arctanh(min(own[i], 1 - 1e-9)) > 3 * error
    if not (others > 0 and clear and max(own[i], 0.0) ** 2 < RELIABLE * expected**2):
        return []
    given_reads = f" (with as few reads as it has, {expected:.2f} would be expected)" if fewer_reads < 0.9 else ""
    says = (
        f"replicate {names[i]} stands apart: its activities correlate (by rank) {own[i]:.2f} with those of the "
        f"others, which correlate {others:.2f} among themselves{given_reads}; look at its library, or leave it out"
    )
    return [Finding("outlier", (names[i],), says)]


def _find_groups(sums: xr.Dataset, names: list[str]) -> list[Finding]:
    """Find two groups of replicates, as of two cell types, whose activities repeat within each but not between them."""
    pair = {"replicate": names}
    ratio, observed = sums["log2_ratio"].sel(pair).to_numpy(), sums["n_bc"].sel(pair).to_numpy() > 0
    n, R = int(observed.all(axis=1).sum()), len(names)
    if R < 4 or n < LEAST_OLIGOS:
        return []
    r = np.array([[_replicate_correlation(ratio, observed, i, j, ranks=True) for j in range(R)] for i in range(R)])
    i, j = np.unravel_index(int(r.argmin()), r.shape)
    nearer = r[i] > r[j]
    if min(nearer.sum(), (~nearer).sum()) < 2:
        return []
    within, between = float(r[nearer[:, None] == nearer].min()), float(r[nearer[:, None] != nearer].max())
    clear = np.arctanh(min(within, 1 - _NONE)) - np.arctanh(min(between, 1 - _NONE)) > 3 * np.sqrt(2 / (n - 3))
    if not (within > 0 and clear and max(between, 0.0) ** 2 < RELIABLE * within**2):
        return []
    with_first = (nearer == nearer[0]).tolist()
    first, second = (
        ", ".join(name for name, found in zip(names, with_first, strict=True) if found is side)
        for side in (True, False)
    )
    says = (
        f"replicates {first} and replicates {second} are two groups: activities correlate (by rank) at least "
        f"{within:.2f} within each and at most {between:.2f} between them; if these are two cell types or conditions, "
        "read one at a time (replicates=), and else check which samples the columns are of"
    )
    return [Finding("disagree", tuple(names), says)]


def _repeatable_shares(sums: xr.Dataset, of: list[int]) -> Array:
    """Return the share of the variance of activities that is not counting noise, by replicate; at least 1 %.

    Variances are from the median absolute deviation, which oligos without reads in one library do not affect.
    """
    shares = []
    for r in of:
        one = sums.isel(replicate=r)
        observed = one["n_bc"].to_numpy() > 0
        if not observed.any():
            shares.append(0.01)
            continue
        reads = [np.maximum(one[f"{kind}_counts"].to_numpy()[observed], 1) for kind in ("dna", "rna")]
        noise = float(sum((1 / x).mean() for x in reads)) / np.log(2) ** 2
        ratio = one["log2_ratio"].to_numpy()[observed]
        variance = float(MAD_TO_SD * np.median(np.abs(ratio - np.median(ratio)))) ** 2
        shares.append(max(1 - noise / variance, 0.01) if variance > 0 else 0.01)
    return np.array(shares)


def _find_shuffled_dna(counts: xr.Dataset, names: list[str]) -> list[Finding]:
    """Find the replicate whose DNA correlates with no other while the others correlate among themselves."""
    if counts["dna"].ndim == 1 or len(names) < 3:
        return []
    pair = {"replicate": names}
    dna, observed = (counts[name].sel(pair).to_numpy() for name in ("dna", "dna_observed"))
    R, both = len(names), observed.all(axis=1)
    if both.sum() < LEAST_CELLS:
        return []
    r = np.array([[_replicate_correlation(dna, observed, i, j, ranks=True) for j in range(R)] for i in range(R)])
    i = int((r.sum(axis=1) - 1).argmin())
    own, rest = float(np.delete(r[i], i).max()), np.delete(np.delete(r, i, 0), i, 1)
    others = float(rest.min())
    error = 1 / np.sqrt(both.sum() - 3)
    few = dna[observed[:, i], i].mean() < READS
    if few or own + 3 * error > REPEATS or others - 3 * error < ALIKE:
        return []
    says = (
        f"replicate {names[i]} stands apart: its DNA reads of barcodes correlate (by rank) at most {own:.2f} with "
        f"those of the others, which correlate at least {others:.2f} among themselves; check which barcodes and sample "
        "its column of DNA is of, or leave the replicate out"
    )
    return [Finding("outlier", (names[i],), says)]


def _find_disagreement(counts: xr.Dataset, sums: xr.Dataset, names: list[str]) -> list[Finding]:
    """Find that no two replicates agree, in activities of oligos or in reads of barcodes."""
    found = []
    for one, other in combinations(names, 2):
        pair = {"replicate": [one, other]}
        both = (sums["n_bc"].sel(pair).to_numpy() > 0).all(axis=1)
        activities = _weak_correlation(sums["log2_ratio"].sel(pair).to_numpy()[both], ALIKE)
        if activities is None:
            return []
        reads = [(kind, r) for kind in ("rna", "dna") if (r := _read_correlation(counts, kind, pair)) is not None]
        if not reads:
            return []
        found.append((activities, *min(reads, key=lambda of: of[1].upper)))
    if not found:
        return []
    activities, kind, of_reads = max(found, key=lambda of: of[0].value)
    which = f"replicates {', '.join(names[:-1])} and {names[-1]}"
    best = "" if len(names) == 2 else ", at best,"
    wrong = "one of the two is mislabeled or failed, and two cannot say which" if len(names) == 2 else "most are wrong"
    says = (
        f"{which} do not agree: activities of oligos correlate{best} {activities}, {kind.upper()} reads of "
        f"barcodes {of_reads}; {wrong}: check which barcodes and samples their columns are of, and measure "
        "another replicate, or leave the one out that you find to be wrong"
    )
    return [Finding("disagree", tuple(names), says)]


class _Correlation(NamedTuple):
    """A correlation with 95 % limits."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.lower:.2f}, {self.upper:.2f}]"


def _read_correlation(counts: xr.Dataset, kind: str, pair: dict[str, list[str]]) -> _Correlation | None:
    """Return the correlation of log reads of barcodes in two replicates; None where they agree or share a pool."""
    if counts[kind].ndim == 1:
        return None
    observed = counts[f"{kind}_observed"].sel(pair).to_numpy().all(axis=1)
    return _weak_correlation(np.log2(counts[kind].sel(pair).to_numpy()[observed] + 1.0), REPEATS)


def _weak_correlation(columns: Array, most: float) -> _Correlation | None:
    """Return the correlation of two columns with Fisher's limits if these are below `most`, else None.

    Also None where it is not defined: with fewer than 10 rows, or a constant column.
    """
    if len(columns) < LEAST_OLIGOS or (np.ptp(columns, axis=0) == 0).any():
        return None
    r = _pearson_or_zero(*columns.T)
    z, half = np.arctanh(np.clip(r, -1 + _NONE, 1 - _NONE)), special.ndtri(0.975) / np.sqrt(len(columns) - 3)
    found = _Correlation(r, float(np.tanh(z - half)), float(np.tanh(z + half)))
    return found if found.upper < most else None


def _replicate_correlation(ratio: Array, observed: NDArray[np.bool_], i: int, j: int, *, ranks: bool = False) -> float:
    if i == j:
        return 1.0
    columns = ratio[observed[:, i] & observed[:, j]][:, [i, j]]
    if ranks:
        from scipy.stats import rankdata  # imported here: slow to load

        columns = rankdata(columns, axis=0)
    return _pearson_or_zero(*columns.T)


def _pearson_or_zero(x: Array, y: Array) -> float:
    if len(x) < 3:
        return 0.0
    a, b = x - x.mean(), y - y.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0
