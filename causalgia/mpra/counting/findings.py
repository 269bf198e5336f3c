"""What is wrong with replicates: one that stands apart, one that is a copy, DNA and RNA in each other's place."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.mpra.counting.layers import Array

Cells: TypeAlias = NDArray[np.int64]
READS, LEAST_CELLS, COPIED = 5, 20, 0.5
RELIABLE, REPEATS = 0.75, 0.3
LEAST_OLIGOS = 10


class Finding(NamedTuple):
    """A verdict on some replicates.

    Attributes
    ----------
    verdict
        ``outlier``, ``copied`` or ``swapped``.
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
    more; counts of two libraries of one barcode agree in less than .15 of such cells. ``swapped``: sums of an oligo's
    DNA vary more between oligos than those of RNA, which is DNA times activity, so that the log ratio goes down with
    DNA and not up with RNA (judged of libraries of their own, and where log ratios repeat in other replicates, either
    way). ``outlier``: of three or more replicates, one whose correlations with the others say that less than three
    quarters as much of it repeats as of them, ``(mean r with the others / mean r among the others)^2 < .75``, by more
    than three standard errors; a swapped one is no outlier.

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
    return [*found, *swapped, *_outliers(sums, [name for name in names if name not in gone])]


def _copied(counts: xr.Dataset, names: list[str]) -> Iterator[Finding]:
    for kind in ("rna", "dna"):
        cells, seen = counts[kind].to_numpy(), counts[f"{kind}_observed"].to_numpy()
        if cells.ndim == 1:
            continue
        for i, j in combinations(range(len(names)), 2):
            both = seen[:, i] & seen[:, j]
            share = _share_equal(cells[both, i], cells[both, j])
            if share > COPIED:
                cure = (
                    "leave one of the two out"
                    if kind == "rna"
                    else "if one plasmid pool serves all replicates, give one column of DNA; else leave one out"
                )
                yield Finding(
                    "copied",
                    (names[i], names[j]),
                    f"replicates {names[i]} and {names[j]} have the same {kind.upper()} reads in {share:.0%} of their "
                    f"cells: one is a copy of the other; {cure}",
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


def _outliers(sums: xr.Dataset, names: list[str]) -> Iterator[Finding]:
    if len(names) < 3:
        return
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
    if others > 0 and clear and max(own[i], 0.0) ** 2 < RELIABLE * others**2:
        yield Finding(
            "outlier",
            (names[i],),
            f"replicate {names[i]} stands apart: its activities correlate {own[i]:.2f} with those of the others, which "
            f"correlate {others:.2f} among themselves; look at its library, or leave it out",
        )


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
