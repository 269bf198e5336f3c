"""What is wrong with replicates: one stands apart or is a copy, none agrees with another, DNA and RNA are swapped."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from causalgia.mpra.counting._split_index import split_index
from causalgia.mpra.counting.layers import Array

Cells: TypeAlias = NDArray[np.int64]
READS, LEAST_CELLS, COPIED = 5, 20, 0.5
TOO_ALIKE, ALSO_DEEP = -4.0, -2.0
RELIABLE, REPEATS, ALIKE = 0.75, 0.3, 0.5
LEAST_OLIGOS, _NONE = 10, 1e-12


class Finding(NamedTuple):
    """A verdict on some replicates.

    Attributes
    ----------
    verdict
        ``outlier``, ``copied``, ``disagree`` or ``swapped``.
    replicates
        Their names.
    says
        The sentence, with the numbers that it rests on.
    """

    verdict: str
    replicates: tuple[str, ...]
    says: str


def findings(counts: xr.Dataset, sums: xr.Dataset) -> list[Finding]:
    """Judge the replicates of counts.

    ``copied``: two replicates hold the same number of reads in more than half of the cells in which either has 5 or
    more (counts of two libraries of one barcode agree in less than .15 of such cells); or the reads of barcodes split
    between the two more evenly than counting noise allows (`causalgia.mpra.counting._split_index.split_index`: below
    index 1 by four standard deviations, and in the deeper half of the barcodes by two), as they do where one is the
    other times a number, or a random part of it. Two technical splits of one library have an index of exactly 1, as
    independent Poisson counts do, and are not told from replicates.

    ``swapped``: sums of an oligo's DNA vary more between oligos than those of RNA, which is DNA times activity, so that
    the log ratio goes down with DNA and not up with RNA (judged of libraries of their own, and where log ratios repeat
    in other replicates, either way). A swapped replicate has neither of the next two.

    ``outlier``: of three or more replicates, one whose correlations with the others say that less than three quarters
    as much of it repeats as of them, ``(mean r with the others / mean r among the others)^2 < .75``, by more than three
    standard errors.

    ``disagree``: in no pair of replicates do activities of oligos repeat, nor reads of barcodes in RNA or in DNA: the
    95 % limits of their correlations lie below .5 and .3. Of two replicates nothing names the one that is wrong.
    Activities alone repeat as little where oligos do not differ, but reads do, for barcodes differ in abundance.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    sums
        From `causalgia.mpra.aggregate`.

    Examples
    --------
    >>> from causalgia.mpra.counting.aggregating import aggregate
    >>> from causalgia.mpra.counting.examples import simulated
    >>> counts = simulated()
    >>> findings(counts, aggregate(counts))
    []
    >>> copied = counts.assign(rna=counts["rna"].copy(data=counts["rna"].values[:, [0, 1, 0]]))
    >>> findings(copied, aggregate(copied))[0][:2]
    ('copied', ('1', '3'))
    """
    names = [str(name) for name in counts["replicate"].to_numpy()]
    found = [*_copied(counts, names)]
    swapped = list(_swapped(sums, names)) if counts["dna"].ndim == 2 else []
    gone = {name for finding in swapped for name in finding.replicates}
    sound = [name for name in names if name not in gone]
    return [*found, *swapped, *(_outliers(sums, sound) or _disagreement(counts, sums, sound))]


def _copied(counts: xr.Dataset, names: list[str]) -> Iterator[Finding]:
    for kind in ("rna", "dna"):
        cells, seen = counts[kind].to_numpy(), counts[f"{kind}_observed"].to_numpy()
        if cells.ndim == 1:
            continue
        for i, j in combinations(range(len(names)), 2):
            both = seen[:, i] & seen[:, j]
            if how := _how_copied(cells[both, i], cells[both, j], kind.upper()):
                cure = (
                    "leave one of the two out"
                    if kind == "rna"
                    else "if one plasmid pool serves all replicates, give one column of DNA; else leave one out"
                )
                yield Finding("copied", (names[i], names[j]), f"replicates {names[i]} and {names[j]} {how}; {cure}")


def _how_copied(a: Cells, b: Cells, kind: str) -> str:
    """Return what shows that one of two columns of reads was made of the other; empty where nothing does."""
    share = _share_equal(a, b)
    if share > COPIED:
        return f"have the same {kind} reads in {share:.0%} of their cells: one is a copy of the other"
    split = split_index(a, b)
    if not (split.z < TOO_ALIKE and split.z_deep < ALSO_DEEP):
        return ""
    return (
        f"agree better in {kind} reads than counting noise allows: in {split.n_cells:,} barcodes the split of reads "
        f"between the two varies {split.index:.2f} times as much as by chance, and independent libraries have 1 or "
        "more: one is a copy of the other, scaled or thinned, or these are no reads as they were counted"
    )


def _share_equal(a: Cells, b: Cells) -> float:
    judged = np.maximum(a, b) >= READS
    return float((a[judged] == b[judged]).mean()) if judged.sum() >= LEAST_CELLS else 0.0


def _swapped(sums: xr.Dataset, names: list[str]) -> Iterator[Finding]:
    logs = {kind: _logs(sums[f"{kind}_normalized"].to_numpy()) for kind in ("dna", "rna")}
    ratio, seen = sums["log2_ratio"].to_numpy(), sums["n_bc"].to_numpy() > 0
    # of replicates that do not repeat, noise of DNA alone looks so: it makes log ratios fall with DNA
    for r, name in enumerate(names):
        some = seen[:, r]
        if some.sum() < LEAST_OLIGOS:
            continue
        of_dna, of_rna = (_correlation(ratio[some, r], logs[kind][some, r]) for kind in ("dna", "rna"))
        others = [_over(ratio, seen, r, s) for s in range(len(names)) if s != r]
        repeats = not others or abs(float(np.mean(others))) > REPEATS
        if repeats and -of_dna > max(0.5, 2 * abs(of_rna)):
            with_others = f"; it correlates {np.mean(others):.2f} with the other replicates'" if others else ""
            yield Finding(
                "swapped",
                (name,),
                f"replicate {name}: DNA and RNA look swapped: log2(RNA/DNA) of oligos falls with DNA (r = {of_dna:.2f}"
                f") and does not rise with RNA ({of_rna:.2f}){with_others}; exchange its two columns",
            )


def _outliers(sums: xr.Dataset, names: list[str]) -> list[Finding]:
    if len(names) < 3:
        return []
    of = [sums["replicate"].to_numpy().astype(str).tolist().index(name) for name in names]
    ratio, seen = sums["log2_ratio"].to_numpy()[:, of], sums["n_bc"].to_numpy()[:, of] > 0
    R = len(names)
    r = np.array([[_over(ratio, seen, i, j) for j in range(R)] for i in range(R)])
    own = (r.sum(axis=1) - 1) / (R - 1)
    i = int(own.argmin())
    rest = np.delete(np.delete(r, i, 0), i, 1)
    others = float((rest.sum() - (R - 1)) / ((R - 1) * (R - 2)))
    error = np.sqrt(2 / max(int(seen.all(axis=1).sum()) - 3, 1))
    clear = np.arctanh(min(others, 1 - 1e-9)) - np.arctanh(min(own[i], 1 - 1e-9)) > 3 * error
    if not (others > 0 and clear and max(own[i], 0.0) ** 2 < RELIABLE * others**2):
        return []
    says = (
        f"replicate {names[i]} stands apart: its activities correlate {own[i]:.2f} with those of the others, which "
        f"correlate {others:.2f} among themselves; look at its library, or leave it out"
    )
    return [Finding("outlier", (names[i],), says)]


def _disagreement(counts: xr.Dataset, sums: xr.Dataset, names: list[str]) -> list[Finding]:
    """Say that no two replicates agree, where activities of oligos and reads of barcodes repeat in no pair."""
    found = []
    for one, other in combinations(names, 2):
        pair = {"replicate": [one, other]}
        both = (sums["n_bc"].sel(pair).to_numpy() > 0).all(axis=1)
        activities = _repeats(sums["log2_ratio"].sel(pair).to_numpy()[both], ALIKE)
        if activities is None:
            return []
        reads = [(kind, r) for kind in ("rna", "dna") if (r := _of_reads(counts, kind, pair)) is not None]
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


class _Limited(NamedTuple):
    """A correlation with 95 % limits."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.lower:.2f}, {self.upper:.2f}]"


def _of_reads(counts: xr.Dataset, kind: str, pair: dict[str, list[str]]) -> _Limited | None:
    """Return how reads of barcodes correlate on the log scale in two replicates; None where they do, or one has all."""
    if counts[kind].ndim == 1:
        return None
    seen = counts[f"{kind}_observed"].sel(pair).to_numpy().all(axis=1)
    return _repeats(np.log2(counts[kind].sel(pair).to_numpy()[seen] + 1.0), REPEATS)


def _repeats(columns: Array, most: float) -> _Limited | None:
    """Return the correlation of two columns, with Fisher's limits, where these are below `most`; None elsewhere.

    None as well where it is not known: of fewer than 10 rows, or of a column without differences.
    """
    if len(columns) < LEAST_OLIGOS or (np.ptp(columns, axis=0) == 0).any():
        return None
    r = _correlation(*columns.T)
    z, half = np.arctanh(np.clip(r, -1 + _NONE, 1 - _NONE)), special.ndtri(0.975) / np.sqrt(len(columns) - 3)
    found = _Limited(r, float(np.tanh(z - half)), float(np.tanh(z + half)))
    return found if found.upper < most else None


def _logs(normalized: Array) -> Array:
    return np.asarray(np.log2(normalized + 1))


def _over(ratio: Array, seen: NDArray[np.bool_], i: int, j: int) -> float:
    both = seen[:, i] & seen[:, j]
    return 1.0 if i == j else _correlation(ratio[both, i], ratio[both, j])


def _correlation(x: Array, y: Array) -> float:
    if len(x) < 3:
        return 0.0
    a, b = x - x.mean(), y - y.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0


def as_records(found: list[Finding]) -> list[dict[str, Any]]:
    """Return findings as plain values, for JSON.

    Examples
    --------
    >>> as_records([Finding("outlier", ("3",), "replicate 3 stands apart")])
    [{'verdict': 'outlier', 'replicates': ['3'], 'says': 'replicate 3 stands apart'}]
    """
    return [{**one._asdict(), "replicates": list(one.replicates)} for one in found]
