"""Replicates that are outliers, copies, transformed or swapped, or that disagree."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from causalgia.checks import in_list
from causalgia.mpra.counts._activity import MAD_TO_SD
from causalgia.mpra.counts.cutoffs import cutoff
from causalgia.mpra.counts.depths import shallow_replicates
from causalgia.mpra.counts.read_faults import (
    READS,
    Finding,
    ceiling,
    find_apart,
    find_ceilings,
    find_few_reads,
    find_oligos_without_rna,
    find_part_copies,
    find_shifts,
    saturated,
)
from causalgia.mpra.counts.saturation import find_saturation
from causalgia.mpra.counts.split_index import LEAST_CELLS, SplitIndex, split_index
from causalgia.tell.table_formats import format_share
from causalgia.types import Array, Ints

COPIED, SAME = 0.5, 0.95
TOO_ALIKE, ALSO_DEEP, SUSPECT = -4.0, -2.0, -3.0
FALLS = 0.3
_MOST_LOST = 0.075
RELIABLE, REPEATS, ALIKE = 0.75, 0.3, 0.5
LOWEST, LEAST_PAIRS, NEXT, LEAST_MULTIPLES = 10, 400, 0.1, 30
LEAST_OLIGOS, _NONE = 10, 1e-12
TELLS, LEAST_AGREEMENT = 0.7, 0.05


def findings(counts: xr.Dataset, sums: xr.Dataset) -> list[Finding]:
    """Find problems with the replicates of counts.

    ``copied``: two replicates have equal reads in more than half of the cells in which
    either has 5 or more (two libraries of one barcode agree in less than .15 of such
    cells); or the reads of barcodes split between the two more evenly than counting
    noise allows (`causalgia.mpra.counts.replicate_faults.split_index`: below 1 by four
    standard deviations, and in the deeper half of the barcodes by two), as they do
    where one is the other times a constant, or a random part of it. Two technical
    splits of one library have an index of exactly 1, as independent Poisson counts, and
    cannot be distinguished from replicates. Cells at a ceiling (a maximum that more
    than 1 % of cells share; within a tenth of it if a tenth of all cells are) do not
    count as agreement.

    ``transformed``: more than half of the pairs are as alike, by three standard
    deviations at least and by four in one, as counts are that were normalized, scaled
    or transformed, or that saturate. Or the reads of a column, from 10 on, leave out
    the numbers between those that occur (cells with adjacent numbers are less than a
    tenth as many as cells with equal ones), as counts times 2 or more do; or 30 cells
    and more are all multiples of one number. Then only
    pairs with more than 95 % equal cells are called copied, and no replicate is called
    swapped.

    ``swapped``: DNA sums vary more between oligos than RNA sums, though RNA is DNA
    times activity, so that the log ratio falls with DNA and does not rise with RNA, by
    more than three standard errors. Only libraries of their own are tested, where RNA
    does not saturate and log ratios correlate with those of other replicates, either
    way. A swapped replicate gets neither of the next two.

    ``outlier``: of three or more replicates of ten or more oligos, one whose rank
    correlations with the others show that less than three quarters as much of it
    repeats, ``(mean r with the others / mean r among the others)^2 < .75``, by more
    than three standard errors, and not because it has fewer reads: the mean r among the
    others is first lowered by its additional counting noise, ``1/dna + 1/rna`` of each
    oligo. Or one whose DNA reads of barcodes correlate with no other (rank correlations
    below .3) where theirs do (above .5), with five DNA reads a barcode or more:
    shuffled labels. With two replicates DNA alone is not judged, nor where barcodes do
    not differ in abundance.

    ``disagree``: four or more replicates are two groups of two or more, and rank
    correlations of activities are lower between the groups than within both, by as much
    as those of an ``outlier``. Or in no pair of replicates do activities of oligos, or
    RNA or DNA reads of barcodes, repeat: the 95 % limits of their correlations lie
    below .5 and .3. With two replicates the wrong one cannot be named. Activities alone
    do not repeat where oligos do not differ; reads do, because barcodes differ in
    abundance. Both limits are times the correlation that counting noise allows.

    ``shallow``: a replicate with so few reads beside the others that it adds noise
    (`causalgia.mpra.counts.depths.shallow_replicates`). Or replicates would disagree
    but for counting noise, which allows no larger correlation. They may be sound; the
    sentence gives the reads that would tell.

    ``part_copied``: two replicates have equal reads in more cells than any two
    independent libraries (`causalgia.mpra.counts.read_faults.copied_share`), or cells
    that are a constant times the other's (`causalgia.mpra.counts.scaled_parts`).
    ``shifted``: the rows of a replicate are some places off. ``apart``: a fifth of the
    oligos has no read in a replicate, though others have them. ``ceiling``: reads are
    cut off or level off, and effects shrink; a smooth saturation is seen only where
    barcodes of an oligo differ in DNA (`causalgia.mpra.counts.saturation`).
    ``few_reads``: a library has less than
    a fiftieth of the others' reads. ``no_rna``: oligos whose RNA is far below that of
    all others. See `causalgia.mpra.counts.read_faults`.

    ``cut_off``: cells are kept only where RNA was seen, and effects shrink
    (`causalgia.mpra.counts.cutoffs.cutoff`).

    Parameters
    ----------
    counts
        Of kind ``counts``.
    sums
        From `causalgia.mpra.counts.aggregate`.

    Examples
    --------
    >>> from causalgia.mpra.counts._activity import aggregate
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> counts = simulated()
    >>> findings(counts, aggregate(counts))
    []
    >>> copied = counts.assign(
    ...     rna=counts["rna"].copy(data=counts["rna"].values[:, [0, 1, 0]])
    ... )
    >>> findings(copied, aggregate(copied))[0][:2]
    ('copied', ('1', '3'))
    """
    names = [str(name) for name in counts["replicate"].to_numpy()]
    of_rna, of_dna = (
        list(_find_copies(counts, names, kind)) for kind in ("rna", "dna")
    )
    found = [*of_rna, *of_dna]
    found += _find_multiplied(
        counts, names, {name for finding in found for name in finding.replicates}
    )
    raw = all(finding.verdict != "transformed" for finding in found)
    copies = {
        (one.replicates[0], one.replicates[-1])
        for one in found
        if one.verdict == "copied"
    }
    part = list(find_part_copies(counts, names, copies))
    shifts = [*find_shifts(counts, names), *find_apart(counts, names)]
    excluded = {name for finding in shifts for name in finding.replicates}
    swapped = (
        [
            finding
            for finding in _find_swaps(counts, sums, names)
            if not excluded & {*finding.replicates}
        ]
        if raw and counts["dna"].ndim == 2
        else []
    )
    excluded |= {name for finding in swapped for name in finding.replicates}
    # a copy agrees with its original, and any other replicate would stand apart from
    # the two
    excluded |= {
        finding.replicates[1] for finding in of_rna if finding.verdict == "copied"
    }
    sound = [name for name in names if name not in excluded]
    few = [one for one in shallow_replicates(counts, sums) if one.replicate in sound]
    faults = [
        *found,
        *(part if raw else []),
        *swapped,
        *shifts,
        *find_ceilings(counts, names),
        *(
            find_groups(sums, sound)
            or _find_outliers(sums, sound)
            or _find_shuffled_dna(counts, sound)
            or _find_disagreement(counts, sums, sound)
        ),
    ]
    return [
        *faults,
        # RNA that is not that of its DNA for another reason seems to level off, too
        *([] if faults else find_saturation(counts, names)),
        *(Finding("shallow", (one.replicate,), f"{one}") for one in few),
        *find_few_reads(counts, names, {one.replicate for one in few}),
        *find_oligos_without_rna(counts, sums),
        *_find_cutoff(counts, names),
    ]


def _find_cutoff(counts: xr.Dataset, names: list[str]) -> list[Finding]:
    found = cutoff(counts)
    if found is None or 1 - found.slope < _MOST_LOST:
        return []
    says = (
        f"no cell with DNA has fewer than {found.reads} RNA reads, and "
        f"{format_share(found.share_at)} have just {found.reads}, so effects come out at "
        f"about {found.slope:.2g} of their size"
    )
    return [Finding("cut_off", tuple(names), says)]


def _find_copies(counts: xr.Dataset, names: list[str], kind: str) -> Iterator[Finding]:
    cells, observed = counts[kind].to_numpy(), counts[f"{kind}_observed"].to_numpy()
    if cells.ndim == 1:
        return
    pairs = []
    for i, j in combinations(range(len(names)), 2):
        both = observed[:, i] & observed[:, j]
        a = cells[both, i]
        b = cells[both, j]
        tops = ceiling(a), ceiling(b)
        below = (a < tops[0]) & (b < tops[1])
        free = a + b < min(tops)  # below the ceiling the split is not cut off
        deep = below & (np.maximum(a, b) >= READS)
        equal = float((a[deep] == b[deep]).mean()) if deep.sum() >= LEAST_CELLS else 0.0
        pairs.append(
            (names[i], names[j], _Likeness(equal, split_index(a[free], b[free])))
        )
    alike = [pair for pair in pairs if pair[2].alike]
    too_many = len(pairs) > 1 and 2 * sum(pair[2].suspect for pair in pairs) > len(
        pairs
    )
    if alike and too_many:
        yield _transformed_finding(
            kind.upper(),
            names,
            [pair[2] for pair in pairs if pair[2].suspect],
            len(pairs),
        )
        alike = []
    alike += [pair for pair in pairs if pair[2].same]
    for one, other, likeness in alike:
        yield Finding(
            "copied",
            (one, other),
            f"replicates {one} and {other} {likeness.says(kind)}",
        )


class _Likeness(NamedTuple):
    """Likeness of the reads of two replicates: share of equal cells, and split of reads
    between the two.
    """

    equal: float
    split: SplitIndex

    @property
    def same(self) -> bool:
        """Whether nearly all cells are equal, which no transformation of two libraries
        gives.
        """
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
        plasmid = (
            "if one plasmid pool serves all replicates, give one column of DNA; else "
        )
        leave = ("" if kind == "rna" else plasmid) + "leave one of the two out"
        if self.equal > COPIED:
            return (
                f"have the same {kind.upper()} reads in {format_share(self.equal)} of "
                f"their cells: one is a copy of the other; {leave}"
            )
        return (
            f"agree better in {kind.upper()} reads than counting noise allows: in "
            f"{self.split.n_cells:,} barcodes the split of reads between the two "
            f"varies {self.split.index:.2f} times as much as by chance, and "
            "independent libraries have 1 or more: one is a copy of the other, scaled "
            "or thinned, or these are not reads as they were counted: then give the "
            f"raw counts, and else {leave}"
        )


def _transformed_finding(
    kind: str, names: list[str], pairs: list[_Likeness], of: int
) -> Finding:
    index = float(np.median([pair.split.index for pair in pairs]))
    says = (
        f"{kind} of replicates {in_list(names)} does not look "
        f"like raw read counts: in {len(pairs)} of {of} pairs replicates agree better "
        "than counting noise allows (the split of reads between two varies "
        f"{index:.2f} times as much as by chance, and independent libraries have 1 or "
        "more), as counts do that were normalized, scaled, transformed, or that "
        "saturate; give the raw counts, and if these are the raw counts, check whether "
        "columns are copies of one library"
    )
    return Finding("transformed", tuple(names), says)


def _find_multiplied(
    counts: xr.Dataset, names: list[str], known: set[str]
) -> Iterator[Finding]:
    """Find columns that leave out the numbers between those that occur."""
    for kind in ("rna", "dna"):
        cells = counts[kind].to_numpy().reshape(counts.sizes["barcode"], -1)
        left_out = [
            name
            for name, column in zip(names, cells.T, strict=False)
            if _leaves_gaps(column)
        ]
        # one plasmid pool
        left_out = names if left_out and cells.shape[1] < len(names) else left_out
        if gaps := tuple(name for name in left_out if name not in known):
            says = (
                f"{kind.upper()} of replicate {', '.join(gaps)} does not look like raw "
                "read counts: its values leave gaps, as counts do that were "
                "multiplied, or counted twice; give the raw counts"
            )
            yield Finding("transformed", gaps, says)


def _leaves_gaps(cells: Ints) -> bool:
    some = cells[(cells > 0) & (cells < ceiling(cells))]
    if len(some) >= LEAST_MULTIPLES:
        numbers = np.unique(some)
        # of counts, half are odd: none of 30 with a probability of 1e-9
        if len(numbers) >= LOWEST and np.gcd.reduce(numbers) > 1:
            return True
    numbers, times = np.unique(
        cells[(cells >= LOWEST) & (cells < ceiling(cells))], return_counts=True
    )
    equal = int((times * (times - 1)).sum())
    return (
        equal >= LEAST_PAIRS
        and (times[:-1] * times[1:])[np.diff(numbers) == 1].sum() < NEXT * equal
    )


def _find_swaps(
    counts: xr.Dataset, sums: xr.Dataset, names: list[str]
) -> Iterator[Finding]:
    logs = {
        kind: np.log2(sums[f"{kind}_normalized"].to_numpy() + 1)
        for kind in ("dna", "rna")
    }
    ratio, observed = sums["log2_ratio"].to_numpy(), sums["n_bc"].to_numpy() > 0
    # without correlation between replicates DNA noise alone looks the same: log ratios
    # fall with DNA
    for r, name in enumerate(names):
        some = observed[:, r]
        reads = counts["rna"].to_numpy()[:, r]
        # saturated RNA also varies less than DNA
        if some.sum() < LEAST_OLIGOS or saturated(reads[reads > 0]):
            continue
        of_dna, of_rna = (
            _pearson_or_zero(ratio[some, r], logs[kind][some, r])
            for kind in ("dna", "rna")
        )
        others = [
            _replicate_correlation(ratio, observed, r, s)
            for s in range(len(names))
            if s != r
        ]
        # a second swapped replicate correlates positively, the others negatively
        repeats = (
            not others
            or abs(np.mean(others)) > REPEATS
            or np.mean(np.abs(others)) > 2 * REPEATS
        )
        falls = float(
            np.tanh(np.arctanh(min(-of_dna, 1 - _NONE)) - 3 / np.sqrt(some.sum() - 3))
        )
        if repeats and falls > FALLS and -of_dna > max(0.5, 2 * abs(of_rna)):
            mixed = bool(others) and min(others) < 0 < max(others)
            figure = (
                f"{min(others):.2f} to {max(others):.2f}"
                if mixed
                else f"{np.mean(others or 0):.2f}"
            )
            with_others = (
                f"; it correlates {figure} with the other replicates'" if others else ""
            )
            yield Finding(
                "swapped",
                (name,),
                f"replicate {name}: DNA and RNA look swapped: log2(RNA/DNA) of oligos "
                f"falls with DNA (r = {of_dna:.2f}) and does not rise with RNA "
                f"({of_rna:.2f}){with_others}; check which of its two columns is DNA, "
                "and exchange them if they are swapped",
            )


def _find_outliers(sums: xr.Dataset, names: list[str]) -> list[Finding]:
    if len(names) < 3:
        return []
    of = [
        sums["replicate"].to_numpy().astype(str).tolist().index(name) for name in names
    ]
    ratio, observed = (
        sums["log2_ratio"].to_numpy()[:, of],
        sums["n_bc"].to_numpy()[:, of] > 0,
    )
    if observed.all(axis=1).sum() < LEAST_OLIGOS:
        return []
    R = len(names)
    # ranks: with few reads, one oligo without RNA can decide a correlation
    r = np.array(
        [
            [
                _replicate_correlation(ratio, observed, i, j, ranks=True)
                for j in range(R)
            ]
            for i in range(R)
        ]
    )
    own = (r.sum(axis=1) - 1) / (R - 1)
    i = int(own.argmin())
    rest = np.delete(np.delete(r, i, 0), i, 1)
    others = float((rest.sum() - (R - 1)) / ((R - 1) * (R - 2)))
    repeatable = repeatable_shares(sums, of)
    fewer_reads = min(
        float(np.sqrt(repeatable[i] / np.delete(repeatable, i).mean())), 1.0
    )
    expected = others * fewer_reads
    error = np.sqrt(2 / max(int(observed.all(axis=1).sum()) - 3, 1))
    clear = (
        np.arctanh(min(expected, 1 - 1e-9)) - np.arctanh(min(own[i], 1 - 1e-9))
        > 3 * error
    )
    if not (others > 0 and clear and max(own[i], 0.0) ** 2 < RELIABLE * expected**2):
        return []
    given_reads = (
        f" (with as few reads as it has, {expected:.2f} would be expected)"
        if fewer_reads < 0.9
        else ""
    )
    says = (
        f"replicate {names[i]} stands apart: its activities correlate (by rank) "
        f"{own[i]:.2f} with those of the others, which correlate {others:.2f} among "
        f"themselves{given_reads}; look at its library, or leave it out"
    )
    return [Finding("outlier", (names[i],), says)]


def find_groups(sums: xr.Dataset, names: list[str]) -> list[Finding]:
    """Find two groups of replicates, as of two cell types, whose activities repeat
    within each but not between them.
    """
    pair = {"replicate": names}
    ratio, observed = (
        sums["log2_ratio"].sel(pair).to_numpy(),
        sums["n_bc"].sel(pair).to_numpy() > 0,
    )
    n, R = int(observed.all(axis=1).sum()), len(names)
    if R < 4 or n < LEAST_OLIGOS:
        return []
    r = np.array(
        [
            [
                _replicate_correlation(ratio, observed, i, j, ranks=True)
                for j in range(R)
            ]
            for i in range(R)
        ]
    )
    i, j = np.unravel_index(int(r.argmin()), r.shape)
    nearer = r[i] > r[j]
    if min(nearer.sum(), (~nearer).sum()) < 2:
        return []
    within, between = (
        float(r[nearer[:, None] == nearer].min()),
        float(r[nearer[:, None] != nearer].max()),
    )
    clear = np.arctanh(min(within, 1 - _NONE)) - np.arctanh(
        min(between, 1 - _NONE)
    ) > 3 * np.sqrt(2 / (n - 3))
    if not (within > 0 and clear and max(between, 0.0) ** 2 < RELIABLE * within**2):
        return []
    with_first = (nearer == nearer[0]).tolist()
    first, second = (
        ", ".join(
            name for name, found in zip(names, with_first, strict=True) if found is side
        )
        for side in (True, False)
    )
    says = (
        f"replicates {first} and replicates {second} are two groups: activities "
        f"correlate (by rank) at least {within:.2f} within each and at most "
        f"{between:.2f} between them; if these are two cell types or conditions, read "
        "one at a time (replicates=), and else check which samples the columns are "
        "of"
    )
    return [Finding("disagree", tuple(names), says)]


def repeatable_shares(sums: xr.Dataset, of: list[int]) -> Array:
    """Return the share of the variance of activities that is not counting noise, by
    replicate; at least 1 %.

    Variances are from the median absolute deviation, which oligos without reads in one
    library do not affect.
    """
    shares = []
    for r in of:
        one = sums.isel(replicate=r)
        observed = one["n_bc"].to_numpy() > 0
        if not observed.any():
            shares.append(0.01)
            continue
        reads = [
            np.maximum(one[f"{kind}_counts"].to_numpy()[observed], 1)
            for kind in ("dna", "rna")
        ]
        noise = float(sum((1 / x).mean() for x in reads)) / np.log(2) ** 2
        ratio = one["log2_ratio"].to_numpy()[observed]
        variance = float(MAD_TO_SD * np.median(np.abs(ratio - np.median(ratio)))) ** 2
        shares.append(max(1 - noise / variance, 0.01) if variance > 0 else 0.01)
    return np.array(shares)


def _find_shuffled_dna(counts: xr.Dataset, names: list[str]) -> list[Finding]:
    """Find the replicate whose DNA correlates with no other while the others correlate
    among themselves.
    """
    if counts["dna"].ndim == 1 or len(names) < 3:
        return []
    pair = {"replicate": names}
    dna, observed = (
        counts[name].sel(pair).to_numpy() for name in ("dna", "dna_observed")
    )
    R, both = len(names), observed.all(axis=1)
    if both.sum() < LEAST_CELLS:
        return []
    r = np.array(
        [
            [_replicate_correlation(dna, observed, i, j, ranks=True) for j in range(R)]
            for i in range(R)
        ]
    )
    i = int((r.sum(axis=1) - 1).argmin())
    own, rest = float(np.delete(r[i], i).max()), np.delete(np.delete(r, i, 0), i, 1)
    others = float(rest.min())
    error = 1 / np.sqrt(both.sum() - 3)
    few = dna[observed[:, i], i].mean() < READS
    if few or own + 3 * error > REPEATS or others - 3 * error < ALIKE:
        return []
    says = (
        f"replicate {names[i]} stands apart: its DNA reads of barcodes correlate (by "
        f"rank) at most {own:.2f} with those of the others, which correlate at least "
        f"{others:.2f} among themselves; check which barcodes and sample its column of "
        "DNA is of, or leave the replicate out"
    )
    return [Finding("outlier", (names[i],), says)]


def _find_disagreement(
    counts: xr.Dataset, sums: xr.Dataset, names: list[str]
) -> list[Finding]:
    """Find that no two replicates agree, in activities of oligos or in reads of
    barcodes.
    """
    found = []
    for one, other in combinations(names, 2):
        pair = {"replicate": [one, other]}
        both = (sums["n_bc"].sel(pair).to_numpy() > 0).all(axis=1)
        activities = _weak_correlation(
            sums["log2_ratio"].sel(pair).to_numpy()[both], ALIKE
        )
        if activities is None:
            return []
        reads = [
            (kind, r)
            for kind in ("rna", "dna")
            if (r := _read_correlation(counts, kind, pair)) is not None
        ]
        if not reads:
            return []
        found.append((activities, *min(reads, key=lambda of: of[1].upper)))
    if not found:
        return []
    activities, kind, of_reads = max(found, key=lambda of: of[0].value)
    which = f"replicates {in_list(names)}"
    allowed = _most_agreement(counts, sums, names)
    # there are many more barcodes than oligos, so that their reads tell first
    if not all(
        reads.upper < REPEATS * allowed.reads[kind]
        and (one.lower <= 0 or one.upper < ALIKE * allowed.activity)
        for one, kind, reads in found
    ):
        return [Finding("shallow", tuple(names), _shallow(which, activities, allowed))]
    best = "" if len(names) == 2 else ", at best,"
    wrong = (
        "one of the two is mislabeled or failed, and two cannot say which"
        if len(names) == 2
        else "most are wrong"
    )
    says = (
        f"{which} do not agree: activities of oligos correlate{best} {activities}, "
        f"{kind.upper()} reads of barcodes {of_reads}; {wrong}: check which barcodes "
        "and samples their columns are of, and measure another replicate, or leave the "
        "one out that you find to be wrong"
    )
    return [Finding("disagree", tuple(names), says)]


class _Agreement(NamedTuple):
    """The largest correlations of two replicates that counting noise allows, and the
    reads behind them.

    Attributes
    ----------
    activity
        Of activities of oligos.
    reads
        Of reads of barcodes, by ``rna`` and ``dna``.
    n
        Reads of an oligo in a library, the harmonic mean.
    """

    activity: float
    reads: dict[str, float]
    n: float


def _most_agreement(
    counts: xr.Dataset, sums: xr.Dataset, names: list[str]
) -> _Agreement:
    """Return how much replicates can agree.

    Of two columns with independent noise that make up shares a and b of their
    variances, the correlation is at most ``sqrt((1 - a) (1 - b))`` (Spearman 1904,
    doi:10.2307/1412159). Poisson noise is the mean of a barcode's reads, and
    ``(1/dna + 1/rna) / log(2)^2`` of an oligo's activity.
    """
    places = [list(sums["replicate"].to_numpy()).index(name) for name in names]
    shares = repeatable_shares(sums, places)
    two = np.sort(shares)[-2:]
    reads = {}
    for kind in ("rna", "dna"):
        cells, observed = (
            counts[name].to_numpy().reshape(counts.sizes["barcode"], -1)
            for name in (kind, f"{kind}_observed")
        )
        of = [
            max(1 - one[seen].mean() / max(one[seen].var(), _NONE), 0.0)
            for one, seen in zip(cells.T, observed.T, strict=True)
            if seen.any()
        ]
        reads[kind] = float(np.sqrt(np.prod(np.sort(of)[-2:])))
    one = sums.sel(replicate=names)
    seen = one["n_bc"].to_numpy() > 0
    inverse = float(
        sum(
            (1 / np.maximum(one[f"{kind}_counts"].to_numpy()[seen], 1)).mean()
            for kind in ("dna", "rna")
        )
    )
    return _Agreement(float(np.sqrt(two.prod())), reads, 2 / inverse)


def _shallow(which: str, activities: _Correlation, allowed: _Agreement) -> str:
    # noise falls as reads grow: of a correlation r at n reads, r = 1 / (1 + c / n)
    most = max(allowed.activity, activities.value, LEAST_AGREEMENT)
    enough = allowed.n * (1 / most - 1) * TELLS / (1 - TELLS)
    return (
        f"{which} are too shallow to tell whether they agree: activities of oligos "
        f"correlate by {activities}, which counting noise explains at the "
        f"{allowed.n:,.0f} reads that an oligo has in a library; about "
        f"{_round_up(enough):,} reads would tell"
    )


def _round_up(x: float) -> int:
    """Return the next number with one digit that is not 0, or two from 10 to 20."""
    step = 10 ** max(int(np.floor(np.log10(max(x, 1.0)))), 0)
    return int(np.ceil(x / step) * step)


class _Correlation(NamedTuple):
    """A correlation with 95 % limits."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.lower:.2f}, {self.upper:.2f}]"


def _read_correlation(
    counts: xr.Dataset, kind: str, pair: dict[str, list[str]]
) -> _Correlation | None:
    """Return the correlation of log reads of barcodes in two replicates; None where
    they agree or share a pool.
    """
    if counts[kind].ndim == 1:
        return None
    observed = counts[f"{kind}_observed"].sel(pair).to_numpy().all(axis=1)
    return _weak_correlation(
        np.log2(counts[kind].sel(pair).to_numpy()[observed] + 1.0), REPEATS
    )


def _weak_correlation(columns: Array, most: float) -> _Correlation | None:
    """Return the correlation of two columns with Fisher's limits if these are below
    `most`, else None.

    Also None where it is not defined: with fewer than 10 rows, or a constant column.
    """
    if len(columns) < LEAST_OLIGOS or (np.ptp(columns, axis=0) == 0).any():
        return None
    r = _pearson_or_zero(*columns.T)
    z, half = (
        np.arctanh(np.clip(r, -1 + _NONE, 1 - _NONE)),
        special.ndtri(0.975) / np.sqrt(len(columns) - 3),
    )
    found = _Correlation(r, float(np.tanh(z - half)), float(np.tanh(z + half)))
    return found if found.upper < most else None


def _replicate_correlation(
    ratio: Array, observed: NDArray[np.bool_], i: int, j: int, *, ranks: bool = False
) -> float:
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
