"""Adjusted p-values of arrays: stepwise methods, weighted and hierarchical BH.

In every function of false discovery rates a p-value that is NaN is not counted, and its
result is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from causalgia.checks import as_probability, nearest
from causalgia.choices import STEPWISE, Stepwise
from causalgia.errors import EstimateError, quoted
from causalgia.types import Array, Codes


def stepwise(p: Array, method: Stepwise) -> Array:
    """Return adjusted p-values: each is the smallest level at which the method rejects
    its hypothesis.

    Equal to ``statsmodels.stats.multitest.multipletests`` to the bit, without its
    import time of a second.

    Parameters
    ----------
    p
        P-values, shape ``(K,)``, without NaN.
    method
        ``"holm"`` bounds the family-wise error, ``"bh"`` the false discovery rate.

    Returns
    -------
    array
        Shape ``(K,)``, at most 1.

    Raises
    ------
    EstimateError
        If the method is none of these.

    References
    ----------
    Holm (1979), doi:10.2307/4615733. Benjamini & Hochberg (1995),
    doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> p = np.array([0.01, 0.04, 0.03])
    >>> stepwise(p, "bh").round(3).tolist(), stepwise(p, "holm").round(3).tolist()
    ([0.03, 0.04, 0.04], [0.03, 0.06, 0.06])
    """
    if method not in STEPWISE:
        hint = nearest(str(method), STEPWISE)
        raise EstimateError(
            f"method {quoted(method)} is not one of {', '.join(STEPWISE)}{hint}"
        )
    count = len(p)
    order = np.argsort(p)
    if method == "holm":
        stepped = np.maximum.accumulate(p[order] * np.arange(count, 0, -1))
    else:
        share = np.arange(1, count + 1) / float(count)
        stepped = np.minimum.accumulate((p[order] / share)[::-1])[::-1]
    adjusted = np.empty_like(stepped)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def weighted_bh(p: npt.ArrayLike, weights: npt.ArrayLike) -> Array:
    """Return Benjamini-Hochberg's adjusted p of ``p / w``, weights scaled to mean 1:
    unequal prior weights.

    Parameters
    ----------
    p
        P-values, shape ``(K,)``.
    weights
        Not negative, fixed before p was seen, shape ``(K,)``; a hypothesis of weight 0
        gets 1.

    Raises
    ------
    EstimateError
        If a p-value is not between 0 and 1, or the weights are negative, not finite, of
        another length or all 0.

    References
    ----------
    Genovese, Roeder & Wasserman (2006), doi:10.1093/biomet/93.3.509.

    Examples
    --------
    >>> weighted_bh([0.01, 0.04, 0.04], [1.0, 2.0, 0.0])
    array([0.03, 0.03, 1.  ])
    """
    values, w = _as_p_values(p), np.asarray(weights, dtype=np.float64)
    if w.shape != values.shape or not (np.isfinite(w) & (w >= 0)).all():
        raise EstimateError(f"weights of shape {w.shape} for {values.size} p-values")
    mean = w[~np.isnan(values)].mean()
    if not mean > 0:
        raise EstimateError("all weights are 0; at least one must be positive")
    with np.errstate(divide="ignore", invalid="ignore"):
        weighted = np.where(
            w == 0,
            np.where(np.isnan(values), np.nan, 1.0),
            np.minimum(1.0, values / (w / mean)),
        )
    return _adjust_present(weighted, "bh")


@dataclass(frozen=True)
class Hierarchical:
    """Hypotheses in families, tested family first.

    Attributes
    ----------
    q
        Adjusted p of each hypothesis, shape ``(K,)``: rejected where ``q <= alpha``; 1
        in families not selected.
    simes
        Simes' p of each of F families, shape ``(F,)``; NaN for a family without a
        p-value.
    simes_adjusted
        The same adjusted by Benjamini-Hochberg over families, shape ``(F,)``.
    selected
        Whether the family was selected, shape ``(F,)``.
    """

    q: Array
    simes: Array
    simes_adjusted: Array
    selected: npt.NDArray[np.bool_]


def hierarchical_q(
    p: npt.ArrayLike,
    family_codes: Codes,
    *,
    alpha: float = 0.05,
    within: Literal["bh", "holm"] = "bh",
) -> Hierarchical:
    """Select families by Benjamini-Hochberg on their Simes p, then adjust inside each
    selected family.

    With R of m families selected, a hypothesis is tested inside its family at
    ``alpha R / m``, which bounds the expected average, over the selected families, of
    the error rate inside them (FDR for ``"bh"``, FWER for ``"holm"``).

    Parameters
    ----------
    p
        P-values, shape ``(K,)``.
    family_codes
        Family of each hypothesis, 0 to F - 1, shape ``(K,)``.
    alpha
        Error rate of both steps. The selection depends on it, so q holds for this rate
        alone.
    within
        Adjustment inside a family.

    Raises
    ------
    EstimateError
        If a p-value or `alpha` is not between 0 and 1, there is not one code (an
        integer) for each, or `within` is unknown.

    References
    ----------
    Benjamini & Bogomolov (2014), doi:10.1111/rssb.12028. Simes (1986),
    doi:10.1093/biomet/73.3.751.

    Examples
    --------
    >>> found = hierarchical_q([0.001, 0.2, 0.6, 0.7], np.array([0, 0, 1, 1]))
    >>> found.selected, found.q
    (array([ True, False]), array([0.004, 0.4  , 1.   , 1.   ]))
    """
    values, codes = _as_p_values(p), np.asarray(family_codes)
    if within not in ("bh", "holm"):
        raise EstimateError(f"within={quoted(within)} is neither 'bh' nor 'holm'")
    alpha = as_probability(alpha, "alpha")
    if codes.shape != values.shape:
        raise EstimateError(f"{codes.size} family codes for {values.size} p-values")
    if codes.dtype.kind not in "iu" or codes.min(initial=0) < 0:
        raise EstimateError(
            f"family_codes have dtype {codes.dtype}; give an integer, 0 or more, for "
            "each: pandas.factorize(names)[0]"
        )
    families = [codes == family for family in range(codes.max(initial=-1) + 1)]
    simes = np.array([_simes(values[mine]) for mine in families])
    simes_adjusted = _adjust_present(simes, "bh")
    selected = simes_adjusted <= alpha
    n = int((~np.isnan(simes)).sum())
    q = np.where(np.isnan(values), np.nan, 1.0)
    for mine in (
        family
        for family, is_selected in zip(families, selected, strict=True)
        if is_selected
    ):
        q[mine] = np.minimum(
            1.0, _adjust_present(values[mine], within) * n / selected.sum()
        )
    return Hierarchical(
        q=q, simes=simes, simes_adjusted=simes_adjusted, selected=selected
    )


def _as_p_values(p: npt.ArrayLike) -> Array:
    values = np.asarray(p, dtype=np.float64)
    wrong = (values < 0) | (values > 1)
    if values.ndim != 1 or np.isnan(values).all():
        what = "no number" if np.isnan(values).all() else f"shape {values.shape}"
        raise EstimateError(f"p has {what}; give a list of p-values, p=[0.01, 0.2]")
    if wrong.any():
        raise EstimateError(
            f"p[{int(np.argmax(wrong))}] is {values[wrong][0]:g}, not between 0 and 1"
        )
    return values


def _adjust_present(p: Array, method: Stepwise) -> Array:
    """Adjust the p-values that are not NaN."""
    present = ~np.isnan(p)
    out = np.full_like(p, np.nan)
    if present.any():
        out[present] = stepwise(p[present], method)
    return out


def _simes(p: Array) -> float:
    ordered = np.sort(p[~np.isnan(p)])
    return (
        float((len(ordered) * ordered / np.arange(1, len(ordered) + 1)).min())
        if len(ordered)
        else np.nan
    )


def hierarchical_p(p: npt.ArrayLike, parents: Codes, sizes: npt.ArrayLike) -> Array:
    """Return p-values adjusted over a tree of hypotheses, each at least as large as
    that of the node above.

    ``max over the node and its ancestors of min(1, p m / size)``, with m the size of
    the roots together: a node is rejected only where all above it are, so that a search
    descends from rejected nodes only. Whatever the dependence, P(any true null
    hypothesis is rejected) <= alpha: above each false rejection is a topmost one, and
    these are disjoint, so that their shares ``alpha size / m`` sum to ``alpha`` at
    most. A node and its parts need not agree: a whole may have no effect though its
    parts do, and then hides them.

    Parameters
    ----------
    p
        P-values of N nodes, shape ``(N, ...)``: one family for each entry of the rest.
        NaN: the node was not tested, and everything below it is NaN.
    parents
        The number of the node above each, -1 for a root; a parent comes before its
        children; shape ``(N,)``.
    sizes
        How much of the whole each node is (bases, leaves), fixed before p was seen;
        positive, and children together no more than their parent; shape ``(N,)``.

    Returns
    -------
    array
        Adjusted p, shape ``(N, ...)``; NaN where the node or one above it was not
        tested.

    Raises
    ------
    EstimateError
        If a p-value is not between 0 and 1, the parents make no tree, or the sizes are
        not those of parts.

    References
    ----------
    Meinshausen (2008), Hierarchical testing of variable importance,
    doi:10.1093/biomet/asn007. Goeman & Solari (2010), The sequential rejection
    principle of familywise error control, doi:10.1214/10-AOS829.

    Examples
    --------
    >>> hierarchical_p([0.001, 0.002, 0.4, 0.03], np.array([-1, 0, 0, 1]), [4, 2, 2, 1])
    array([0.001, 0.004, 0.8  , 0.12 ])
    """
    values = np.asarray(p, dtype=np.float64)
    wrong = (values < 0) | (values > 1)
    if values.ndim < 1 or wrong.any():
        raise EstimateError(
            f"p has shape {values.shape} and {int(wrong.sum())} numbers that are not "
            "between 0 and 1; give an array of p-values, a row for each hypothesis"
        )
    above = np.asarray(parents)
    if (
        above.ndim != 1
        or above.dtype.kind not in "iu"
        or not ((above < np.arange(above.size)) & (above >= -1)).all()
    ):
        raise EstimateError(
            "parents: give for each node the number of an earlier one, or -1 for a root"
        )
    above, size = above.astype(np.int64), np.asarray(sizes, dtype=np.float64)
    if above.shape != values.shape[:1] or size.shape != above.shape:
        raise EstimateError(
            f"{len(values)} p-values, {above.size} parents and {size.size} sizes; give "
            "one of each"
        )
    _check_sizes(above, size)
    whole = size[above < 0].sum()
    adjusted = np.minimum(
        1.0, values * (whole / size).reshape(-1, *[1] * (values.ndim - 1))
    )
    for node in np.flatnonzero(above >= 0):
        adjusted[node] = np.maximum(adjusted[node], adjusted[above[node]])
    return np.asarray(adjusted)


def _check_sizes(above: npt.NDArray[np.int64], size: Array) -> None:
    if not ((size > 0) & np.isfinite(size)).all():
        raise EstimateError("sizes: each node is a positive, finite part of the whole")
    inside = np.flatnonzero(above >= 0)
    parts = np.bincount(above[inside], weights=size[inside], minlength=size.size)
    too_large = parts > size * (1 + 1e-9)
    if too_large.any():
        node = int(np.argmax(too_large))
        raise EstimateError(
            f"sizes: node {node} has {size[node]:g}, and its children {parts[node]:g} "
            "together"
        )
