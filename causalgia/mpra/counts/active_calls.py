"""Calls of active oligos against the negative controls of a library."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import xarray as xr
from scipy import special

from causalgia.attributes import attributes
from causalgia.errors import DataError, quoted
from causalgia.estimation.moderated_variances import moderate_variances
from causalgia.mpra.counts._activity import (
    MAD_TO_SD,
    check_oligos_observed,
    oligo_activity,
)
from causalgia.mpra.counts.barcodes import (
    cell_ratios,
    dna_observed,
    group_sums,
    oligo_means,
    oligo_variances,
)
from causalgia.mpra.counts.counts_table import check_one_condition
from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.notes import with_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.schema import validate
from causalgia.types import Array, Mask

Tail: TypeAlias = Literal["rank", "t"]
LEAST_NEGATIVES = 3
_CALLED = 0.05
_SCALE_GRID = np.exp(np.linspace(np.log(0.05), np.log(2.5), 24))
_DFS = np.array([1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 30.0, 200.0])
_CENTERS = np.linspace(-4.0, 4.0, 17)
_LAWS_A_BLOCK = 500
_MASS = 0.999


@usual_errors
def calls(
    counts: xr.Dataset,
    *,
    negative: str = "negative",
    method: str = "sums",
    tail: Tail = "rank",
) -> xr.Dataset:
    """Call the oligos that are more active than the negative controls of the library.

    Negative controls have activities of their own: they differ by more than their
    errors, and some by much more. The question of an oligo is whether its activity is a
    draw from their distribution. The null of an oligo with standard error s is
    ``activity ~ mu + sqrt(tau^2 + s^2) e``, where mu and tau are the median and the
    spread of the negatives beyond their own errors, and e has the law of the negatives'
    own scores: an oligo of few or discordant barcodes has to be farther away.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    negative
        Group of the negative controls.
    method
        ``"sums"`` over barcodes, as in `aggregate`, or ``"barcodes"``, each counting
        once.
    tail
        Law of e. ``"rank"``: that of the negatives, by rank,
        ``p = (1 + #{negatives with a score as large}) / (1 + n)``, whatever its shape;
        of n negatives no p is below 1 / (1 + n), so that few active oligos among many
        are not found. ``"t"``: Student's t, whose scale and degrees of freedom are
        learned from the negatives and averaged over, which extends beyond the largest
        of them, and is wrong where the upper tail of the negatives is the longer one.

    Returns
    -------
    Dataset
        On oligo: ``activity`` (mean log2(RNA/DNA) over replicates), its standard error
        ``se``, ``z`` (its score), one-sided ``p``, and ``q`` (Benjamini-Hochberg over
        the oligos that are no negatives; NaN for these).

    Raises
    ------
    DataError
        If there are fewer than 3 negative elements, they do not differ, or an oligo has
        no barcode with DNA in some replicate.

    Notes
    -----
    ``se`` is that of other barcodes of the oligo: the variance between its barcodes,
    moderated over oligos, over their effective number ``(sum w)^2 / sum w^2``, with
    their DNA as w for sums. Where no oligo has two barcodes it is from the spread over
    replicates: that of these barcodes.

    By rank, q holds the false discovery rate for any law of the negatives, if the
    inactive oligos are drawn like these (Bates et al. 2023). How often a library has a
    false call, and how many active oligos are called, for negatives of normal and
    long-tailed laws, is in docs/validation.md.

    References
    ----------
    Bates, Candes, Lei, Romano & Sesia (2023), doi:10.1214/22-AOS2244 (p by rank).

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> found = calls(simulated())
    >>> (found["q"] < 0.05).groupby("group").mean().to_series()
    group
    negative    0.0
    test        0.0
    Name: q, dtype: float64
    """
    if tail not in get_args(Tail):
        raise DataError(
            f"tail={quoted(tail)} is neither 'rank' (the law of the negatives) nor 't'"
        )
    check_one_condition(validate(counts, "counts"))
    by_replicate, n = oligo_activity(counts, method)
    check_oligos_observed(counts, n, np.arange(len(n)))
    activity = by_replicate.mean(axis=1)
    se = _standard_errors(counts, method, by_replicate)
    null: Mask = counts["group"].to_numpy() == negative
    _check_negatives(counts, activity, null, negative)
    own, error = activity[null], se[null]
    center = float(np.median(own))
    scale = MAD_TO_SD * float(np.median(np.abs(own - center)))
    tau = np.sqrt(max(scale**2 - float(np.median(error**2)), 0.0))
    z = (activity - center) / np.sqrt(tau**2 + se**2).clip(min=1e-12)
    p = (
        _rank_p(z, null)
        if tail == "rank"
        else _student_p(activity, se, own, error, center, scale)
    )
    q = np.full(len(p), np.nan)
    q[~null] = stepwise(p[~null], "bh")
    columns = {"activity": activity, "se": se, "z": z, "p": p, "q": q}
    found = xr.Dataset(
        {name: ("oligo", x) for name, x in columns.items()},
        {name: counts[name] for name in ("oligo", "element", "arm", "group")},
        dict(counts.attrs)
        | attributes(
            negative=negative,
            n_negative=int(null.sum()),
            method=method,
            tail=tail,
            spread=float(tau),
        ),
    )
    return with_notes(found, *_few_negatives_notes(null, tail))


def _standard_errors(counts: xr.Dataset, method: str, by_replicate: Array) -> Array:
    """Return the standard error of each oligo's activity, of its own noise."""
    ratios, used = cell_ratios(counts)
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    found = oligo_variances(ratios, used, of, oligo_means(ratios, used, of, n))
    R = by_replicate.shape[1]
    if found is None:
        if R < 2:
            return np.zeros(n)
        left = by_replicate - by_replicate.mean(axis=0)
        s2 = left.var(axis=1, ddof=1)
        return np.asarray(
            np.sqrt(moderate_variances(s2, np.full(n, R - 1.0)).variance / R)
        )
    if method == "barcodes":
        return np.asarray(np.sqrt(found.between))
    reads = counts["dna"].to_numpy().reshape(len(of), -1) * dna_observed(counts)
    reads = reads.sum(axis=1).astype(np.float64)
    size = group_sums(np.asarray(used.any(axis=1)), of, (n,))
    total, squares = (group_sums(x, of, (n,)) for x in (reads, reads**2))
    return np.asarray(
        np.sqrt(found.between * size * squares / np.maximum(total, 1.0) ** 2)
    )


def _check_negatives(
    counts: xr.Dataset, activity: Array, null: Mask, negative: str
) -> None:
    n = int(null.sum())
    elements = len(set(counts["element"].to_numpy()[null].tolist()))
    if n < LEAST_NEGATIVES:
        sizes = Counter(map(str, counts["group"].to_numpy().tolist()))
        groups = ", ".join(f"{group} ({size:,})" for group, size in sizes.items())
        raise DataError(
            f"{n} oligos of group {quoted(negative)}, and {LEAST_NEGATIVES} are the "
            f"least; the groups are {groups}",
        )
    if elements < LEAST_NEGATIVES:
        raise DataError(
            f"the {n} oligos of group {quoted(negative)} are "
            f"{elements} element{'s' * (elements != 1)}, and how negatives differ shows "
            f"in {LEAST_NEGATIVES} or more; give each sequence a name of its own as "
            "its element, or measure more negatives (100 are usual)"
        )
    own = activity[null]
    if np.median(np.abs(own - np.median(own))) == 0:
        raise DataError(
            f"the {n} oligos of group {quoted(negative)} have one activity, so nothing "
            "measures others"
        )


def _rank_p(z: Array, null: Mask) -> Array:
    """Return p by rank among the negatives; a negative is ranked among the others."""
    n = int(null.sum())
    above = n - np.searchsorted(np.sort(z[null]), z, side="left")
    return np.where(null, above / n, (1 + above) / (1 + n))


def _student_p(
    activity: Array, se: Array, own: Array, error: Array, center: float, scale: float
) -> Array:
    """Return the predictive p of ``mu + sqrt(tau^2 + se^2) t``, over the posterior of
    mu, log tau and the degrees of freedom on a grid.
    """
    step = scale / np.sqrt(len(own))
    tau, df, mu = (
        x.ravel()
        for x in np.meshgrid(
            scale * _SCALE_GRID, _DFS, center + step * _CENTERS, indexing="ij"
        )
    )
    log = np.empty(len(tau))
    for first in range(0, len(tau), _LAWS_A_BLOCK):
        t, v, m = (x[first : first + _LAWS_A_BLOCK, None] for x in (tau, df, mu))
        sd = np.sqrt(t**2 + error**2)
        log[first : first + _LAWS_A_BLOCK] = (
            special.gammaln((v + 1) / 2)
            - special.gammaln(v / 2)
            - 0.5 * np.log(v * np.pi)
            - np.log(sd)
            - (v + 1) / 2 * np.log1p(((own - m) / sd) ** 2 / v)
        ).sum(axis=1)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    order = np.argsort(-weight)
    order = order[: int(np.searchsorted(np.cumsum(weight[order]), _MASS)) + 1]
    p = np.zeros(len(activity))
    for i in order:
        p += weight[i] * special.stdtr(
            df[i], (mu[i] - activity) / np.sqrt(tau[i] ** 2 + se**2)
        )
    return np.asarray(p / weight[order].sum())


def _few_negatives_notes(null: Mask, tail: Any) -> list[str]:
    """Return how many oligos have to exceed all negatives before one is called, where
    that is a tenth or more.
    """
    n, others = int(null.sum()), int((~null).sum())
    least = int(np.ceil(others / (1 + n) / _CALLED))
    if tail != "rank" or least <= max(0.1 * others, 1):
        return []
    return [
        f"with {n:,} negatives no p is below {1 / (1 + n):.2g}, so that an oligo has q "
        f"< {_CALLED:g} only where {least:,} of {others:,} exceed all negatives; "
        "measure more negatives, or give tail='t', which extends their law"
    ]
