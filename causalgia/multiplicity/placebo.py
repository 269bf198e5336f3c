"""Placebo words as the null distribution of a screen: ranks, regions, and errors of
directions beyond the words.

On a real network most random words have an effect, so that a point null of 0 is false
for all of them. A screen asks whether a word has a larger effect than random words.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.special import gammaln, ndtri, stdtr

from causalgia.checks import is_real
from causalgia.errors import EstimateError, quoted
from causalgia.estimation._from_effects import check_has_errors
from causalgia.estimation.crossover_estimates import is_placebo_word
from causalgia.multiplicity.families import estimates_of
from causalgia.types import Array, EstimateTable, Mask

LEAST_WORDS = 40
_FENCES = 5.0
_SHARE = 0.95
_AT_90 = float(ndtri(0.9))
# of the effect of the outermost word; rounding of float32 outcomes is less
_ONE_EFFECT = 1e-4
_CURE = (
    "add arms with cg.placebos(pattern, at=, n_words=40), or mark contrasts by a bool "
    "coordinate placebo_word"
)
_WIDER = "use more units, or give a rope in numbers"
TAIL_NOTE = (
    "beyond the outermost placebo word, directions rest on a model, a Student t tail "
    "fitted to the placebo words: their error rate holds if the true tail is no "
    "heavier than the t that the words support"
)
LEAST_EXCESSES = 10
_INVERSE_DF = np.linspace(1 / 200, 1 / 1.5, 24)
_LOG_SCALE = np.linspace(-2.5, 2.5, 101)  # about the median excess


def placebo_rank(estimates: EstimateTable) -> xr.Dataset:
    """Rank each effect among the placebo words: a p-value against "no larger than a
    placebo word".

    One side is ``(1 + #{words at least as extreme}) / (M + 1)``, exact if the contrast
    is exchangeable with the M words (as precise as they are, and of their class). The
    two-sided p is twice the smaller side, at most 1: no symmetry of the words' effects
    is assumed. A placebo word is ranked among the others.

    Parameters
    ----------
    estimates
        From `causalgia.estimate`, with contrasts of placebo words; a table with a bool
        column ``placebo_word``; or the effects from `causalgia.contrast`, which are
        estimated first. With a coordinate ``placebo_class`` a contrast is ranked among
        the placebo words of its class.

    Returns
    -------
    Dataset
        The same with ``p_placebo`` (two-sided), ``p_placebo_above`` (small where the
        effect lies above the words') and ``p_placebo_below``, on the dims of ``ace``;
        and attrs ``n_placebos``, of the class that has the fewest.

    Raises
    ------
    EstimateError
        If there are fewer than two placebo words.

    References
    ----------
    Phipson & Smyth (2010), doi:10.2202/1544-6115.1585.

    Examples
    --------
    >>> effect, word = [5.0, 0.3, -0.1, 0.2, 0.4], [False, True, True, True, True]
    >>> table = xr.Dataset({"ace": (("contrast", "task"), np.array(effect)[:, None])})
    >>> placebo_rank(table.assign_coords(placebo_word=("contrast", word)))[
    ...     "p_placebo"
    ... ].values.ravel()
    array([0.4, 1. , 0.5, 1. , 0.5])
    """
    table = estimates_of(estimates)
    ace, words = table["ace"].to_numpy(), is_placebo_word(table)
    above, below, fewest = np.empty(ace.shape), np.empty(ace.shape), len(words)
    for rows in placebo_classes(table):
        fewest = min(fewest, int(words[rows].sum()))
        if fewest < 2:
            raise EstimateError(
                "a rank among placebo words needs two or more, and there are "
                f"{fewest}; {_CURE}"
            )
        above[rows], below[rows] = (
            _rank_p_values(sign * ace[rows], words[rows]) for sign in (1, -1)
        )
    columns = {"p_placebo": np.minimum(1.0, 2 * np.minimum(above, below))}
    columns |= {"p_placebo_above": above, "p_placebo_below": below}
    out = table.assign({name: (table["ace"].dims, p) for name, p in columns.items()})
    return out.assign_attrs(n_placebos=fewest)


def placebo_classes(estimates: xr.Dataset) -> list[npt.NDArray[np.int64]]:
    """Return the rows of contrasts that are compared with placebo words of their own
    class, class by class.

    Words of different widths are of different classes, for wider ones change more
    bases. The class is the coordinate or variable ``placebo_class (contrast)``; without
    it all contrasts are of one.

    Examples
    --------
    >>> table = xr.Dataset({"ace": ("contrast", [1.0, 0.2, 0.3])})
    >>> [
    ...     rows.tolist()
    ...     for rows in placebo_classes(
    ...         table.assign_coords(placebo_class=("contrast", [6, 8, 6]))
    ...     )
    ... ]
    [[0, 2], [1]]
    """
    n = estimates.sizes["contrast"]
    if "placebo_class" not in estimates.variables:
        return [np.arange(n)]
    _, of = np.unique(estimates["placebo_class"].to_numpy(), return_inverse=True)
    return [np.flatnonzero(of == k) for k in range(int(of.max(initial=-1)) + 1)]


def placebo_region(estimates: EstimateTable, *, share: float = _SHARE) -> xr.Dataset:
    """Estimate the region of the central share of the placebo words' true effects.

    Estimates vary more than true effects, so each word is shrunk towards their mean by
    the share of its own error; the limits are quantiles of the shrunken effects. Use it
    as a region of practical equivalence where no effect is exactly 0:
    ``cg.decide(..., rope="placebo")``.

    Parameters
    ----------
    estimates
        From `causalgia.estimate`: ``ace``, ``se`` and the covariance; a table with a
        bool column ``placebo_word``; or the effects from `causalgia.contrast`, which
        are estimated first.
    share
        Share of placebo words inside.

    Returns
    -------
    Dataset
        ``lower, upper, mean, sd (task[, model])`` of the words' true effects, on
        attrs["contrast_scale"], and ``n_placebos``.

    Raises
    ------
    EstimateError
        If there are fewer than 40 placebo words, or fewer than the share needs; if they
        have no standard error or are of several classes; if they spread no more than
        their errors do; or if the central share of them are one value.

    Notes
    -----
    ``E[S^2] = Var(true) + mean v_j``, where ``v_j`` is the variance of word j's own
    error: its variance minus its mean covariance with the other words. The covariance
    is the error that words share through their control; it moves all contrasts against
    that control together, and is no part of their spread. The factor of shrinkage is
    ``sqrt(Var(true) / (Var(true) + v_j))``, and the limits are quantiles at rank
    ``(M + 1) (1 -+ share) / 2``, one for each side: no shape and no symmetry about 0 is
    assumed, and the expected share of new words beyond each limit is right in finite
    samples. Where only rare words have an effect, most words have one value in few
    units, and that value is in the region. The region is exact for normal true effects;
    for skewed ones the limit on the long side stays right, and the one on the short
    side is generous (5 % outside becomes 4 to 5 %; 3 % for exponential effects).

    References
    ----------
    Louis (1984), doi:10.1080/01621459.1984.10478062: shrinkage to the spread of the
    true effects.

    Examples
    --------
    >>> effect = np.random.default_rng(0).normal(size=100)
    >>> table = xr.Dataset(
    ...     {"effect": ("contrast", effect), "se": ("contrast", np.full(100, 0.3))}
    ... )
    >>> region = placebo_region(
    ...     table.assign_coords(placebo_word=("contrast", np.full(100, True)))
    ... )
    >>> region["lower"].values.round(2), region["upper"].values.round(2)
    (array([-1.69]), array([1.8]))
    """
    table = estimates_of(estimates)
    found = _region_limits(table, _words_of_one_class(table, share), share)
    _check_spread(found.true, found.spread, table)
    _check_width(found.lower, found.upper, table)
    return _region_dataset(table, found)


def placebo_fences(estimates: EstimateTable) -> xr.Dataset:
    """Estimate the range of effects of random words: five sd of a normal law fitted to
    their central 80 %.

    Words selected by a search are extreme among random words for any network, and 5 %
    of all words lie outside `placebo_region`. Under the normal law, .04 of the 65,536
    words of eight letters are expected beyond the fences. The standard deviation of
    each side is that of the quantile at 10 or 90 %, so that neither skewed effects nor
    a few placebo words that the network reads widen the fences as they widen the
    variance. Use it for words that were chosen:
    ``cg.decide(..., rope="placebo outliers")``.

    Parameters
    ----------
    estimates
        As for `placebo_region`.

    Returns
    -------
    Dataset
        As of `placebo_region`, which the fences never lie within.

    Raises
    ------
    EstimateError
        If there are fewer than 40 placebo words, or if they have no standard error or
        are of several classes.

    Notes
    -----
    Where words spread no more than their errors, as where one of them completes a word
    that the network reads in a unit or two, they are not shrunken: the fences are then
    too wide by those errors, and never too narrow for want of them. On a side where
    most words have one effect (to a ten-thousandth of the outermost word's, for answers
    are rounded), as those of a network that reads whole words alone, there is no law to
    fit, and the fence is the outermost word: a new random word lies beyond it with
    probability 1 / (M + 1). That words beyond the fences are more than the extremes of
    a search rests on a model: effects of random words whose tails are no heavier than a
    normal law's.

    References
    ----------
    Efron (2004), doi:10.1198/016214504000000089: a null distribution from the center of
    many statistics.

    Examples
    --------
    >>> effect = np.concatenate(
    ...     [np.random.default_rng(0).normal(size=100), [9.0, 12.0]]
    ... )
    >>> table = xr.Dataset(
    ...     {"effect": ("contrast", effect), "se": ("contrast", np.full(102, 0.1))}
    ... )
    >>> fences = placebo_fences(
    ...     table.assign_coords(placebo_word=("contrast", np.full(102, True)))
    ... )
    >>> fences["lower"].values.round(1), fences["upper"].values.round(1)
    (array([-5.]), array([5.6]))
    """
    table = estimates_of(estimates)
    words = _words_of_one_class(table, _SHARE)
    found = _region_limits(table, words, _SHARE)
    ace, narrow = table["ace"].to_numpy()[words], _is_narrow(found.true, found.spread)
    near = np.where(narrow, ace, found.near)
    low, middle, high = np.quantile(near, [0.1, 0.5, 0.9], axis=0)
    center = np.where(narrow, middle, found.center)
    true = np.where(narrow, ((high - low) / (2 * _AT_90)) ** 2, found.true)
    lower, upper = _central_limits(near, _SHARE)
    reach = _FENCES / _AT_90
    least, most = ace.min(axis=0), ace.max(axis=0)
    same = _ONE_EFFECT * np.maximum(middle - least, most - middle)
    lower = np.minimum(
        lower, np.where(middle - low > same, middle - reach * (middle - low), least)
    )
    upper = np.maximum(
        upper, np.where(high - middle > same, middle + reach * (high - middle), most)
    )
    return _region_dataset(
        table, found._replace(lower=lower, upper=upper, center=center, true=true)
    )


def _words_of_one_class(table: xr.Dataset, share: float) -> Mask:
    """Return the placebo words, enough for a region and of one class."""
    check_has_errors(table)
    words = is_placebo_word(table)
    if len(classes := placebo_classes(table)) > 1:
        raise EstimateError(
            f"the contrasts are of {len(classes)} classes of placebo words, and each "
            "has a region of its own; select those of one, "
            "estimates.sel(contrast=estimates['placebo_class'] == ...)"
        )
    _check_n_words(int(words.sum()), share)
    return words


def tasks_without_scale(estimates: xr.Dataset, share: float = _SHARE) -> Mask:
    """Return the tasks in which the placebo words set no scale, shape ``(task,)``:
    `placebo_region` refuses those.

    There the words vary no more than their errors explain, or nearly all have one
    effect. Too few words in all raise an error whatever the task.

    Examples
    --------
    >>> effect = np.column_stack(
    ...     [np.random.default_rng(0).normal(size=40), np.zeros(40)]
    ... )
    >>> table = xr.Dataset(
    ...     {
    ...         "ace": (("contrast", "task"), effect),
    ...         "se": (("contrast", "task"), effect * 0 + 0.1),
    ...     }
    ... )
    >>> tasks_without_scale(
    ...     table.assign_coords(placebo_word=("contrast", np.full(40, True)))
    ... )
    array([False,  True])
    """
    check_has_errors(estimates)
    none = np.zeros(estimates["ace"].shape[1:], dtype=bool)
    for rows in placebo_classes(estimates):
        own = estimates.isel(contrast=rows)
        words = is_placebo_word(own)
        _check_n_words(int(words.sum()), share)
        found = _region_limits(own, words, share)
        none |= _is_narrow(found.true, found.spread) | ~(found.lower < found.upper)
    of_task = np.moveaxis(none, estimates["ace"].dims[1:].index("task"), 0)
    return np.asarray(of_task.reshape(len(of_task), -1).any(axis=1))


class _RegionLimits(NamedTuple):
    """Limits of the region, mean of the words, variances of true and estimated effects,
    and shrunken effects.
    """

    lower: Array
    upper: Array
    center: Array
    true: Array
    spread: Array
    near: Array


def _region_limits(estimates: xr.Dataset, words: Mask, share: float) -> _RegionLimits:
    ace = estimates["ace"].to_numpy()[words]
    center, spread = ace.mean(axis=0), ace.var(axis=0, ddof=1)
    own = _own_variances(estimates, words)
    true = spread - own.mean(axis=0)
    # shrunken towards the center by their own errors; exact ones are unchanged to the
    # bit
    positive = np.maximum(true, 0.0)
    total = positive + np.maximum(own, 0.0)
    keep = np.sqrt(np.divide(positive, total, out=np.ones_like(total), where=total > 0))
    near = np.asarray(ace + (center - ace) * (1 - keep))
    return _RegionLimits(*_central_limits(near, share), center, true, spread, near)


def _central_limits(near: Array, share: float) -> tuple[Array, Array]:
    lower, upper = np.quantile(
        near, [(1 - share) / 2, (1 + share) / 2], axis=0, method="weibull"
    )
    return lower, upper


def _region_dataset(table: xr.Dataset, found: _RegionLimits) -> xr.Dataset:
    dims = table["ace"].dims[1:]
    columns = {
        "lower": found.lower,
        "upper": found.upper,
        "mean": found.center,
        "sd": np.sqrt(found.true),
    }
    coords = {dim: table[dim] for dim in dims if dim in table.coords}
    region = xr.Dataset(
        {name: (dims, values) for name, values in columns.items()}, coords=coords
    )
    return region.assign(n_placebos=len(found.near)).assign_attrs(table.attrs)


def _rank_p_values(values: Array, words: Mask) -> Array:
    """Return (1 + #{words >= value}) / (M + 1) for each column; a word is not counted
    among its own M.
    """
    flat = values.reshape(len(values), -1)
    ranks = np.empty(flat.shape)
    for column, out in zip(flat.T, ranks.T, strict=True):
        ordered = np.sort(column[words])
        out[:] = len(ordered) - np.searchsorted(ordered, column, side="left")
    others = words.sum() - words[:, None]
    return np.asarray(
        ((1 + ranks - words[:, None]) / (others + 1)).reshape(values.shape)
    )


def _check_n_words(n: int, share: Any) -> None:
    if not is_real(share) or not 0 < float(share) < 1:
        raise EstimateError(
            f"share={quoted(share)} is not between 0 and 1; for example share=0.95"
        )
    needed = max(LEAST_WORDS, math.ceil(round(2 / (1 - float(share)), 9)) - 1)
    if n < needed:
        raise EstimateError(
            f"a region of placebo words needs {needed} of them for "
            f"share={float(share):g}, and there are {n}; {_CURE}, or rank each effect "
            "among them with causalgia.multiplicity.placebo_rank"
        )


def _own_variances(estimates: xr.Dataset, words: Mask) -> Array:
    """Return each word's variance minus its mean covariance with the others, (W, task[,
    model]).
    """
    variance, n = estimates["se"].to_numpy()[words] ** 2, int(words.sum())
    if "covariance" in estimates:
        with_all = _words_covariance(estimates, words).sum(axis=1)
    elif "factor" in estimates:
        factor = np.ascontiguousarray(estimates["factor"].to_numpy())[:, words]
        with_all = (factor * factor.sum(axis=1, keepdims=True)).sum(axis=0)
    else:
        return np.asarray(variance)
    return np.asarray(variance - (with_all - variance) / (n - 1))


def _words_covariance(estimates: xr.Dataset, words: Mask) -> Array:
    """Return the covariance of the words, (W, W, task[, model]), also after contrasts
    were selected.
    """
    rows = estimates["covariance"].isel(contrast=np.flatnonzero(words))
    if "contrast_" not in estimates.coords:
        return np.asarray(rows.isel(contrast_=np.flatnonzero(words)).to_numpy())
    return np.asarray(rows.sel(contrast_=rows["contrast"].to_numpy()).to_numpy())


def _is_narrow(true: Array, spread: Array) -> Mask:
    return np.asarray(~(true > 1e-9 * spread))


def _check_spread(true: Array, spread: Array, estimates: xr.Dataset) -> None:
    narrow = _is_narrow(true, spread)
    if narrow.any():
        where = tuple(np.argwhere(narrow)[0])
        raise EstimateError(
            f"{_task_label(estimates, where)}: the placebo words spread (variance "
            f"{spread[where]:.3g}) no more than their errors explain, so that they set "
            f"no scale; {_WIDER}"
        )


def _check_width(lower: Array, upper: Array, estimates: xr.Dataset) -> None:
    tied = ~(lower < upper)
    if tied.any():
        where = tuple(np.argwhere(tied)[0])
        raise EstimateError(
            f"{_task_label(estimates, where)}: nearly all placebo words have one "
            f"effect in these units ({lower[where]:.3g}), so that they set no scale; "
            f"{_WIDER}"
        )


def _task_label(estimates: xr.Dataset, where: tuple[Any, ...]) -> str:
    """Return the task (and model) at these positions, by their labels where they have
    some.
    """
    places = zip(map(str, estimates["ace"].dims[1:]), where, strict=True)
    return ", ".join(
        f"{dim} {estimates[dim].to_numpy()[i] if dim in estimates.coords else i}"
        for dim, i in places
    )


def rank_errors(estimates: xr.Dataset) -> tuple[Array, Array]:
    """Return twice the conformal p of "above the words" and of "below them", each of
    the shape of ``ace``.

    ``p = (1 + #{words at least as far}) / (M + 1)`` is super-uniform for a word
    exchangeable with the placebos, so that Benjamini-Hochberg over many of them bounds
    the false discoveries. A region alone does not: by construction 5 % of the words lie
    outside it.

    References
    ----------
    Bates, Candes, Lei, Romano & Sesia (2023), doi:10.1214/22-AOS2244.

    Examples
    --------
    >>> effect, word = [5.0, 0.3, -0.1, 0.2, 0.4], [False, True, True, True, True]
    >>> table = xr.Dataset({"ace": (("contrast", "task"), np.array(effect)[:, None])})
    >>> above, below = rank_errors(table.assign_coords(placebo_word=("contrast", word)))
    >>> above.ravel()[0], below.ravel()[0]
    (np.float64(0.4), np.float64(1.0))
    """
    ranked = placebo_rank(estimates)
    above, below = (
        ranked[f"p_placebo_{side}"].transpose(*ranked["ace"].dims).to_numpy()
        for side in ("above", "below")
    )
    return np.minimum(2 * above, 1.0), np.minimum(2 * below, 1.0)


def tail_errors(estimates: xr.Dataset) -> tuple[Array, Array]:
    """Return the errors of `rank_errors`, or of a fitted tail where an effect lies
    beyond every word.

    Beyond all words the error is the smaller of the least error that ranks resolve,
    ``2 / (M + 1)``, and of twice the predictive tail probability
    (`causalgia.multiplicity.placebo`).

    Examples
    --------
    >>> effect = np.concatenate(
    ...     [[40.0, 0.3], np.random.default_rng(0).normal(size=100)]
    ... )
    >>> table = xr.Dataset({"ace": (("contrast", "task"), effect[:, None])})
    >>> above, below = tail_errors(
    ...     table.assign_coords(placebo_word=("contrast", np.arange(102) >= 2))
    ... )
    >>> above[0] < 1e-3, above[1] > 0.5
    (array([ True]), array([ True]))
    """
    word = is_placebo_word(estimates)
    errors = np.stack(rank_errors(estimates)).reshape(2, len(word), -1)
    effects = estimates["ace"].to_numpy().reshape(len(word), -1)
    for rows, j in product(placebo_classes(estimates), range(effects.shape[1])):
        for side, sign in enumerate((1.0, -1.0)):
            of_words, beyond = (
                sign * effects[rows[word[rows]], j],
                sign * effects[rows, j],
            )
            is_far = ~word[rows] & (beyond > of_words.max())
            far = rows[is_far]
            errors[side, far, j] = np.minimum(
                errors[side, far, j], 2 * upper_tail(of_words, beyond[is_far])
            )
    above, below = errors.reshape(2, *estimates["ace"].shape)
    return above, below


def words_needed(n_effects: int, n_beyond: int, alpha: float) -> int:
    """Return the number of placebo words needed to distinguish R of K effects that lie
    beyond every word.

    The least doubled p among M words is ``2 / (M + 1)``, and R of K effects have to be
    at ``alpha R / K``.

    Examples
    --------
    >>> words_needed(1, 1, 0.05), words_needed(10, 1, 0.05), words_needed(10, 5, 0.05)
    (39, 399, 79)
    """
    return math.ceil(round(2 * n_effects / (alpha * n_beyond), 6)) - 1


def resolution_note(
    estimates: xr.Dataset, could_be: npt.NDArray[np.bool_], alpha: float
) -> str | None:
    """Return a note where effects lie beyond the region but the words are too few to
    distinguish them.

    Parameters
    ----------
    estimates
        Estimates with placebo words.
    could_be
        Which effects lie beyond the region by tests and have no verdict, of the shape
        of ``ace``.
    alpha
        Error rate of the directions.
    """
    classes, word = placebo_classes(estimates), is_placebo_word(estimates)
    m = min(int(word[rows].sum()) for rows in classes)
    k, beyond = int((~word).sum()), int(could_be[~word].sum(axis=0).max(initial=0))
    needed = words_needed(k, beyond, alpha) if beyond else 0
    if m >= needed:
        return None
    return (
        f"{beyond} of {k:,} effects lie beyond the region of placebo words and are "
        f"undecided: with {m} words no p-value of a direction is below "
        f"{2 / (m + 1):.2g}; {needed:,} words are needed to find {beyond} of {k:,} "
        "effects"
    )


def upper_tail(words: Array, at: Array) -> Array:
    """Return the predictive probability that a new word's estimate is at `at` or above.

    Parameters
    ----------
    words
        Estimates of M placebo words, shape ``(M,)``.
    at
        Where, above every word; shape ``(K,)``.

    Returns
    -------
    array
        Shape ``(K,)``; 1 where fewer than `LEAST_EXCESSES` words lie above the median,
        and no tail is fitted.

    References
    ----------
    Knijnenburg, Wessels, Reinders & Shmulevich (2009),
    doi:10.1093/bioinformatics/btp211: tails beyond the resolution of ranks, by a
    generalized Pareto law.

    Examples
    --------
    >>> words = np.random.default_rng(0).normal(size=100)
    >>> upper_tail(words, np.array([4.0, 40.0])) < [1e-2, 1e-5]
    array([ True,  True])
    """
    center = float(np.median(words))
    excess = words[words > center] - center
    if len(excess) < LEAST_EXCESSES or not len(at):
        return np.ones(len(at))
    unit = float(np.median(excess))
    df, scale = (1 / _INVERSE_DF)[:, None], unit * np.exp(_LOG_SCALE)[None, :]
    # the prior 1/scale is flat on the grid of its logarithm
    n = len(excess)
    log = n * (gammaln((df + 1) / 2) - gammaln(df / 2) - np.log(df) / 2 - np.log(scale))
    for e in excess:
        log = log - (df + 1) / 2 * np.log1p((e / scale) ** 2 / df)
    weight = np.asarray(np.exp(log - log.max()), dtype=np.float64)
    likely = weight > 1e-12 * weight.max()
    df, scale = (np.broadcast_to(value, weight.shape)[likely] for value in (df, scale))
    tails = 2 * stdtr(df, -(np.asarray(at, dtype=np.float64) - center)[:, None] / scale)
    share = (len(excess) + 1) / (len(words) + 1)
    return np.asarray(
        share * (tails @ weight[likely]) / weight[likely].sum(), dtype=np.float64
    )
