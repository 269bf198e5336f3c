"""Adjusted p-values of arrays: Benjamini-Hochberg, Holm, and trees of hypotheses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from causalgia.checks import nearest
from causalgia.choices import STEPWISE, Stepwise
from causalgia.errors import EstimateError, quoted
from causalgia.types import Array, Codes


def stepwise(p: Array, method: Stepwise) -> Array:
    """Return adjusted p-values: each is the smallest level at which the method rejects
    its hypothesis.

    Equal to ``statsmodels.stats.multitest.multipletests`` to the bit. That one collects
    garbage in each call of Holm's, .1 s for 20 us here, once a family of a table; and
    `causalgia analyze`, which loads no statistics package, would take two fifths longer.

    Parameters
    ----------
    p
        P-values, shape ``(K,)``. NaN is not counted, and stays NaN.
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
    adjusted = np.full(p.shape, np.nan)
    present = np.flatnonzero(~np.isnan(p))
    count = len(present)
    order = present[np.argsort(p[present])]
    if method == "holm":
        stepped = np.maximum.accumulate(p[order] * np.arange(count, 0, -1))
    else:
        share = np.arange(1, count + 1) / float(count)
        stepped = np.minimum.accumulate((p[order] / share)[::-1])[::-1]
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


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
