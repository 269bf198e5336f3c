"""Context swap: an element of each sequence in the context of every other."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.attributes import attributes
from causalgia.checks import as_ci_prob, as_count
from causalgia.design import Genomic
from causalgia.design.intervention import Span
from causalgia.design.null_model import random_order
from causalgia.errors import DesignError
from causalgia.experiments.kit.tile_contexts import as_span_inside, span_name
from causalgia.numerics.moments import t_quantile
from causalgia.numerics.rounding import DIFFERENCE_ROUNDING
from causalgia.predict import Predictor
from causalgia.predict.predictor import check_predictor
from causalgia.sequences.fasta import Source
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Array, Tokens

SOURCES = ("element", "context", "interaction")
_LEAST = 5  # symmetric sums take four sequences, and the jackknife leaves one out


def context_swap(
    sequences: Source | Genomic,
    predictor: Predictor,
    *,
    element: Span,
    rng: RNG,
    n_sequences: int = 40,
    ci_prob: float = 0.95,
) -> xr.Dataset:
    """Put an element of each sequence into the context of every other, and share the
    variance of the predictions between element, context and their interaction.

    With an element from one sequence and the context from another, both drawn at
    random, a prediction is ``mean + e_i + c_j + g_ij``, four uncorrelated parts. Their
    variances are estimated without bias by symmetric sums of products over distinct
    sequences; the sequences as they are, whose elements and contexts may fit each
    other, are no part of it. An element that acts alike everywhere has no interaction,
    and one that needs its context has nothing else. New words at the two ends of the
    element are part of the interaction.

    Intervals are by the delete-one jackknife: a sequence leaves with its element and
    its context, and the standard error is that of ``arcsin(sqrt(share))``. Simulated
    coverage of 95 % is .90 to .99 with 20 sequences or more, and less where few
    elements make most of the variance (.86 for exponential effects).

    Parameters
    ----------
    sequences
        Five or more sequences of equal length, as `causalgia.Genomic` takes them, a
        sample of a population. Of sequences of one parent (copies, overlapping
        windows) the first is taken.
    predictor
        The predictor; it predicts ``n (n - 1)`` sequences.
    element
        (start, stop) of the element, 0-based, stop excluded.
    rng
        Seed (0 is a seed), Generator or SeedSequence: which sequences are taken where
        there are more than `n_sequences`.
    n_sequences
        Largest number of sequences that are crossed.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        ``share, lower, upper, below_zero (source, task)``, source ``"element"``,
        ``"context"``, ``"interaction"``; ``sd (task)`` of the predictions. Shares add
        up to 1: a variance estimated below 0 is 0, and `below_zero` says so. NaN where
        predictions do not vary. attrs ``element``, ``n_sequences``, and ``n_left_out``
        of those given. `causalgia.report` tells it.

    Raises
    ------
    DesignError
        If the element leaves the sequence or is the whole sequence, sequences differ in
        length, or fewer than five are independent.

    References
    ----------
    Koch (1967), Technometrics 9:93-118: symmetric sums. Efron & Stein (1981),
    doi:10.1214/aos/1176345462: the jackknife.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.zoo import Oracle
    >>> from causalgia.zoo.terms import Gate
    >>> both = Oracle(Gate(("GATAAG", "TATAAA"), bonus=4.0, logic="and"))
    >>> random = cg.Uniform(length=60).sample(20, rng=0)["sequence"].values
    >>> peaks = [
    ...     s[:20]
    ...     + ("GATAAG", s[20:26])[i % 2]
    ...     + ("TATAAA", s[26:32])[i // 2 % 2]
    ...     + s[32:]
    ...     for i, s in enumerate(cg.sequences.decode(random))
    ... ]
    >>> found = cg.experiments.context_swap(peaks, both, element=(20, 26), rng=0)
    >>> found["share"].round(2).values.ravel()
    array([0.32, 0.32, 0.36])
    """
    check_predictor(predictor, "context_swap(sequences, predictor)")
    null = sequences if isinstance(sequences, Genomic) else Genomic(of=sequences)
    span = as_span_inside(element, "element", null.length)
    most = as_count(n_sequences, "n_sequences")
    level = as_ci_prob(ci_prob, error=DesignError)
    _, first = np.unique(np.asarray(null.parent_names), return_index=True)
    order = random_order(len(first), derive(root_key(rng), "context swap"))
    chosen = np.sort(first)[np.sort(order[:most])]
    if len(chosen) < _LEAST:
        raise DesignError(
            f"{len(chosen)} independent sequences: a context swap takes {_LEAST} or more",
            argument="sequences" if most >= _LEAST else "n_sequences",
        )
    y = _swapped(null.parents_given.tokens[chosen], predictor, span)
    variances = _variances(y)
    total = variances.sum(axis=0)
    rounding = np.finfo(y.dtype).eps * np.abs(y).max(axis=(0, 1))
    varies = total > (4 * rounding) ** 2
    kept = np.maximum(variances, 0.0)
    share = kept / np.where(varies, kept.sum(axis=0), np.nan)
    lower, upper = _jackknife_limits(y, variances, level)
    columns = {
        "share": share,
        "lower": np.where(varies, np.minimum(lower, share), np.nan),
        "upper": np.where(varies, np.maximum(upper, share), np.nan),
        "below_zero": variances < -(rounding**2),
    }
    return xr.Dataset(
        {name: (("source", *predictor.dims), v) for name, v in columns.items()}
        | {"sd": (predictor.dims, np.sqrt(np.where(varies, total, 0.0)))},
        coords={"source": list(SOURCES), **predictor.coordinates},
        attrs=attributes(
            element=span_name(span),
            n_sequences=len(chosen),
            n_left_out=len(null.parents_given) - len(chosen),
            ci_prob=level,
        ),
    )


def _swapped(tokens: Tokens, predictor: Predictor, element: Span) -> Array:
    """Return predictions for the element of sequence i in the context of j, (n, n,
    ...); 0 on the diagonal.
    """
    n, inside = len(tokens), slice(*element)
    rows = []
    for i in range(n):
        contexts = np.delete(tokens, i, axis=0)
        contexts[:, inside] = tokens[i, inside]
        rows.append(np.insert(predictor.predict(contexts), i, 0, axis=0))
    return np.stack(rows)


def _variances(y: Array) -> Array:
    """Return the variances of element, context and interaction, (3, ...).

    Products of two predictions average to the variances that they share: of the same
    element in two contexts, of two elements in the same context, and of four distinct
    sequences, whose mean is the square of the grand mean.
    """
    n = len(y)
    cells = n * (n - 1)
    y = y.astype(np.float64)
    y -= y.sum(axis=(0, 1)) / cells
    y[np.arange(n), np.arange(n)] = 0.0
    by_element, by_context = y.sum(axis=1), y.sum(axis=0)
    squares = (y**2).sum(axis=(0, 1))
    same_element = (by_element**2).sum(axis=0) - squares
    same_context = (by_context**2).sum(axis=0) - squares
    # a sequence gives the element to one and the context to the other, or both so
    across = 2 * (by_element * by_context).sum(axis=0)
    across -= (y * y.swapaxes(0, 1)).sum(axis=(0, 1))
    distinct = y.sum(axis=(0, 1)) ** 2 - squares - same_element - same_context - across
    mean_square = squares / cells
    one, other = same_element / (cells * (n - 2)), same_context / (cells * (n - 2))
    none = distinct / (cells * (n - 2) * (n - 3))
    found = np.stack([one - none, other - none, mean_square - one - other + none])
    found[np.abs(found) <= DIFFERENCE_ROUNDING * mean_square] = 0.0
    return found


def _jackknife_limits(
    y: Array, variances: Array, ci_prob: float
) -> tuple[Array, Array]:
    """Return limits of the shares, (3, ...) each, from 0 to 1 where a sequence alone
    makes the variance.
    """
    n = len(y)
    without = [
        _angle(_variances(np.delete(np.delete(y, i, axis=0), i, axis=1)))
        for i in range(n)
    ]
    angle, se = _angle(variances), np.sqrt(n - 1) * np.std(without, axis=0)
    half = t_quantile(n - 1.0, (1 + ci_prob) / 2) * np.where(np.isnan(se), np.inf, se)
    lower, upper = (
        np.sin(np.clip(end, 0.0, np.pi / 2)) ** 2
        for end in (angle - half, angle + half)
    )
    return lower, upper


def _angle(variances: Array) -> Array:
    """Return ``arcsin(sqrt(share))`` of each, continued below 0 and above 1."""
    total = variances.sum(axis=0)
    share = variances / np.where(total > 0, total, np.nan)
    whole = np.floor(share)
    return whole * np.pi / 2 + np.arcsin(np.sqrt(share - whole))
