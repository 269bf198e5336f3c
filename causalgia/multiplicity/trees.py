"""A tree of questions, the whole before its parts: p-values that bound the family-wise error over all of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from causalgia.errors import EstimateError
from causalgia.types import Array, Codes


def hierarchical_p(p: npt.ArrayLike, parents: Codes, sizes: npt.ArrayLike) -> Array:
    """Return p-values that hold together over a tree: of a node and of everything above it.

    ``max over the node and its ancestors of min(1, p m / size)``, with m the size of the roots together: a node is
    rejected only where all above it are, so a search goes down from what was rejected and stops elsewhere. Whatever
    the dependence, P(any true null hypothesis is rejected) <= level: each rejected one has a topmost true one at or
    above it that was rejected too, and those are disjoint, so their levels ``level size / m`` add up to no more than
    `level`. That asks neither that a whole without an effect has parts without one nor the reverse. But a whole whose
    parts cancel hides them.

    Parameters
    ----------
    p
        P-values of N nodes, shape ``(N, ...)``: one family for each entry of the rest. NaN: the node was not asked,
        and nothing below it is answered.
    parents
        The number of the node above each, -1 for a root; a parent comes before its children; shape ``(N,)``.
    sizes
        How much of the whole each node is (bases, leaves), fixed before p was seen; positive, and children together
        no more than their parent; shape ``(N,)``.

    Returns
    -------
    array
        Adjusted p, shape ``(N, ...)``; NaN where the node or one above it was not asked.

    Raises
    ------
    EstimateError
        If a p-value is not between 0 and 1, the parents make no tree, or the sizes are not those of parts.

    References
    ----------
    Meinshausen (2008), Hierarchical testing of variable importance, doi:10.1093/biomet/asn007. Goeman & Solari (2010),
    The sequential rejection principle of familywise error control, doi:10.1214/10-AOS829.

    Examples
    --------
    >>> hierarchical_p([0.001, 0.002, 0.4, 0.03], np.array([-1, 0, 0, 1]), [4, 2, 2, 1])
    array([0.001, 0.004, 0.8  , 0.12 ])
    """
    values, above, size = _numbers(p), _tree(parents), np.asarray(sizes, dtype=np.float64)
    if above.shape != values.shape[:1] or size.shape != above.shape:
        raise EstimateError(f"{len(values)} p-values, {above.size} parents and {size.size} sizes; give one of each")
    _check_sizes(above, size)
    whole = size[above < 0].sum()
    adjusted = np.minimum(1.0, values * (whole / size).reshape(-1, *[1] * (values.ndim - 1)))
    for node in np.flatnonzero(above >= 0):
        adjusted[node] = np.maximum(adjusted[node], adjusted[above[node]])
    return np.asarray(adjusted)


def _numbers(p: npt.ArrayLike) -> Array:
    values = np.asarray(p, dtype=np.float64)
    wrong = (values < 0) | (values > 1)
    if values.ndim < 1 or wrong.any():
        raise EstimateError(f"p has shape {values.shape} and {int(wrong.sum())} numbers that are not between 0 and 1")
    return values


def _tree(parents: Codes) -> npt.NDArray[np.int64]:
    above = np.asarray(parents)
    if above.ndim != 1 or above.dtype.kind not in "iu" or not ((above < np.arange(above.size)) & (above >= -1)).all():
        raise EstimateError("parents: give for each node the number of an earlier one, or -1 for a root")
    return above.astype(np.int64)


def _check_sizes(above: npt.NDArray[np.int64], size: Array) -> None:
    if not ((size > 0) & np.isfinite(size)).all():
        raise EstimateError("sizes: each node is a positive, finite part of the whole")
    inside = np.flatnonzero(above >= 0)
    parts = np.bincount(above[inside], weights=size[inside], minlength=size.size)
    too_large = parts > size * (1 + 1e-9)
    if too_large.any():
        node = int(np.argmax(too_large))
        raise EstimateError(f"sizes: node {node} has {size[node]:g}, and its children {parts[node]:g} together")
