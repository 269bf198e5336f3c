"""Averages of measured effects over backgrounds, and noise that replicates share."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse import csr_array

from causalgia.analysis import as_result
from causalgia.attributes import about, attributes
from causalgia.checks import as_ci_prob
from causalgia.errors import NAMES_SHOWN, DataError, EstimateError, first_of, quoted
from causalgia.estimation._from_effects import with_contrast_dim
from causalgia.estimation._random_effects import random_effects
from causalgia.estimation.shared_error import df_with_shared_noise
from causalgia.mpra.comparisons.sides import fit_replicate_noise
from causalgia.mpra.counts.barcodes import group_sums
from causalgia.mpra.counts.counts_table import CONTROLS
from causalgia.mpra.fits.element_effects import FitRequest, ratio_cells
from causalgia.notes import notes_of
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import log_p, p_and_limits
from causalgia.types import Array, Ints, Mask

Method: TypeAlias = Literal["mean", "PM"]
_OWN_COORDINATES = ("element", "contrast", "arm")
# log2 of an activity is far below; squares of larger numbers leave the floats
_LARGEST_ACTIVITY = 1e100
_MUCH_WIDER = 1.5


@usual_errors
def average(
    fitted: xr.Dataset,
    *,
    by: str | None = "group",
    method: Method = "mean",
    ci_prob: float = 0.95,
) -> xr.Dataset:
    """Average measured effects over the elements of each group, as backgrounds of one
    motif.

    The estimand is the mean effect over the backgrounds from which a group's elements
    are a sample. Its error has two parts: differences of true effects between
    backgrounds, and measurement. Both show in the spread of the estimates, so
    ``"mean"`` is their plain mean with t on n - 1 degrees of freedom, without
    assumptions on either part. ``"PM"`` has the weights ``1 / (tau^2 + se^2)``, Paule
    and Mandel's tau, and Knapp and Hartung's error and t.

    Noise of replicates that the elements of an arm share does not average out over
    elements; it is added where the fit has it (two replicates or more), with
    Satterthwaite's degrees of freedom from four replicates on. Two or three show it by
    one difference or two, which may be small by chance: the limit has a quantile of t
    of its own for them, and intervals are wide unless the difference is far below what
    the elements' own noise explains. Where that widens an interval by half, the notes
    have the interval in these replicates alone, whatever they share.

    Parameters
    ----------
    fitted
        From `fit`: ``ace, se (element, contrast)``.
    by
        Coordinate on element that defines the groups; None: one group, ``"all"``.
        Control oligos are not backgrounds: they have groups of their own by
        ``"group"``, and are left out otherwise, with a note.
    method
        ``"mean"`` or ``"PM"``.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        Estimates: ``ace, se, df, p, log_p, lower, upper (contrast, task)``, groups as
        ``contrast`` and contrasts as ``task``; ``n_units``, the backgrounds of each, those
        with both arms;
        and ``tau``, the standard deviation of true effects between backgrounds, on log2
        (of ``"mean"`` by moments, 0 where measurement explains the spread).

    Raises
    ------
    DataError
        If `fitted` has no effects by element, or no such coordinate.
    EstimateError
        If a group has one element, an effect is not finite or its error not above 0,
        all are control oligos and `by` is not ``"group"``, or the method is unknown.

    References
    ----------
    Paule & Mandel (1982), doi:10.6028/jres.087.022. Knapp & Hartung (2003),
    doi:10.1002/sim.1482. Satterthwaite (1946), doi:10.2307/3002019.

    Examples
    --------
    >>> dims = ("element", "contrast")
    >>> fitted = xr.Dataset(
    ...     {"ace": (dims, [[0.4], [0.8], [0.6]]), "se": (dims, [[0.1], [0.1], [0.1]])}
    ... )
    >>> fitted = fitted.assign_coords(
    ...     contrast=["GATA1"], motif=("element", ["x", "x", "x"])
    ... )
    >>> found = average(fitted, by="motif")
    >>> (
    ...     round(found["ace"].item(), 4),
    ...     round(found["se"].item(), 4),
    ...     round(found["tau"].item(), 4),
    ... )
    (0.6, 0.1155, 0.1732)
    """
    if method not in get_args(Method):
        raise EstimateError(
            f"method={quoted(method)} is not one of "
            f"{', '.join(map(quoted, get_args(Method)))}",
            argument="method",
        )
    ci_prob = as_ci_prob(ci_prob)
    fitted, left_out = _without_controls(fitted, by)
    codes, names = _element_groups(fitted, by)
    fitted = with_contrast_dim(fitted)
    effect, se = (
        fitted[name].transpose("element", "contrast").to_numpy()
        for name in ("ace", "se")
    )
    if not effect.shape[1]:
        raise EstimateError(
            "average: no contrast is left; the selection before left none: select at "
            "least one"
        )
    known = ~np.isnan(effect) if "measured" in fitted else np.full(effect.shape, True)
    wrong = known & ~((np.abs(effect) <= _LARGEST_ACTIVITY) & (se > 0) & (se < np.inf))
    if wrong.any():
        i, k = np.argwhere(wrong)[0]
        raise EstimateError(
            f"average: element {_element_name(fitted, i)}, contrast "
            f"{quoted(fitted['contrast'].to_numpy()[k])} has the effect "
            f"{effect[i, k]:g} with the standard error {se[i, k]:g}; leave the element "
            "out, or take the fit as cg.mpra.fit returned it"
        )
    n = group_sums(known, codes, (len(names),))
    measured = n > 1
    if not measured.any(axis=1).all():
        name = names[int(measured.any(axis=1).argmin())]
        raise EstimateError(
            f"average: {by or 'all'} {quoted(name)} has fewer than two elements with "
            "both arms of a contrast, and a spread takes two"
        )
    ace, error, df, tau = (
        _plain_means(effect, se, codes, known)
        if method == "mean"
        else _random_effects_means(effect, se, codes, known)
    )
    noise = fit_replicate_noise(fitted)
    df = df.astype(np.float64)
    error = np.sqrt(error**2 + _level_variance(fitted, codes, n))
    _, *alone = p_and_limits(ace, error, df, ci_prob)
    for g, k in np.argwhere(measured):
        one, own = noise[k], error[g, k] ** 2
        if (R := len(one.pieces)) > 1 and one.between > 0:
            error[g, k] = np.sqrt(own + one.pieces @ one.pieces)
            df[g, k] = df_with_shared_noise(
                own, df[g, k], one.between, one.within, one.df, R
            )
    p, lower, upper = p_and_limits(ace, error, df, ci_prob)
    in_these = _in_these_replicates(
        [
            f"{task}" if len(names) < 2 else f"{task} in {name}"
            for name in names
            for task in fitted["contrast"].to_numpy()
        ],
        np.column_stack([x.ravel() for x in (ace, *alone)]),
        ((upper - lower) > _MUCH_WIDER * (alone[1] - alone[0])).ravel(),
        max(len(one.pieces) for one in noise),
    )
    columns = {
        "ace": ace,
        "se": error,
        "p": p,
        "log_p": np.where(measured, log_p(ace, error, df), np.nan),
        "lower": lower,
        "upper": upper,
        "df": df,
    }
    columns |= {} if measured.all() else {"measured": measured}
    found = xr.Dataset(
        {
            name: (("contrast", "task"), v)
            for name, v in {
                **columns,
                "n_units": n.astype(np.int64),
                "tau": tau,
            }.items()
        },
        coords={"contrast": names, "task": fitted["contrast"].to_numpy()},
        attrs=attributes(
            scale=about(fitted, "log2").scale,
            ci_prob=ci_prob,
            errors="estimated",
            estimand=f"mean over backgrounds of each contrast{f', by {by}' if by else ''}",
            effect_on=about(fitted, "measured activity").effect_on,
            null="the backgrounds that the elements are a sample of",
            method=f"{method} over backgrounds",
        )
        | {k: v for k, v in fitted.attrs.items() if str(k).startswith("truncation_")},
    )
    return as_result(found, "estimates", *notes_of(fitted), *in_these, *left_out)


def _in_these_replicates(
    names: list[str], rows: Array, wide: NDArray[np.bool_], n_replicates: int
) -> list[str]:
    """Return a note on averages whose intervals are wide because few replicates show what
    they share: the intervals in these replicates alone.
    """
    if not wide.any():
        return []
    some = np.flatnonzero(wide)
    each = [
        f"{names[i]} {rows[i, 0]:.3g} [{rows[i, 1]:.3g}, {rows[i, 2]:.3g}]"
        for i in some
    ]
    return [
        f"the interval of the average is for other replicates as well, and {n_replicates} "
        "replicates say little about the noise that all elements of a replicate share: "
        "more replicates would narrow it. In these replicates alone: "
        f"{first_of(each, NAMES_SHOWN, sep='; ')}"
    ]


def _without_controls(fitted: Any, by: str | None) -> tuple[Any, list[str]]:
    """Return a fit without control oligos unless groups are asked for, and a note on
    them.
    """
    if (
        by == "group"
        or not isinstance(fitted, xr.Dataset)
        or "group" not in fitted.coords
    ):
        return fitted, []
    groups = fitted["group"].to_numpy().astype(str)
    if groups.ndim == 0 or not (of_bench := np.isin(groups, CONTROLS)).any():
        return fitted, []
    if of_bench.all():
        raise EstimateError(
            "average: all elements are control oligos; by='group' averages each "
            "kind of them"
        )
    names, n = np.unique(groups[of_bench], return_counts=True)
    kinds = " and ".join(
        f"{k:,} {name}" for name, k in zip(names.tolist(), n.tolist(), strict=True)
    )
    note = (
        f"{kinds} control{'s' if n.sum() > 1 else ''} are not backgrounds and were "
        "left out; by='group' averages them"
    )
    return fitted.isel(element=~of_bench), [note]


def _element_groups(
    fitted: Any, by: str | None
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return group codes of the elements, 0 to G - 1, and group names."""
    if (
        not isinstance(fitted, xr.Dataset)
        or "se" not in fitted
        or "element" not in fitted["se"].dims
    ):
        raise DataError(
            "average: no effects of elements; take them from cg.mpra.fit(counts, "
            "control=...)"
        )
    known = sorted(
        str(n)
        for n, c in fitted.coords.items()
        if c.dims == ("element",) and n not in _OWN_COORDINATES
    )
    if by is not None and by not in known:
        raise DataError(
            f"average: by={quoted(by)} is not a coordinate on element; there are "
            f"{', '.join(known) or 'none'}; add one with "
            "fitted.assign_coords(motif=('element', names))"
        )
    if not fitted.sizes["element"]:
        raise EstimateError(
            "average: no element is left; the selection before left none: select at "
            "least two"
        )
    labels = (
        np.full(fitted.sizes["element"], "all") if by is None else fitted[by].to_numpy()
    )
    if (absent := pd.isna(labels)).any():
        raise DataError(
            f"average: element {_element_name(fitted, int(absent.argmax()))} has no "
            f"{by}, but {labels[absent.argmax()]}; give it one, or leave the element "
            "out"
        )
    codes, names = pd.factorize(labels)
    return codes.astype(np.int64), np.asarray(names)


def _element_name(fitted: xr.Dataset, i: int) -> str:
    return (
        quoted(fitted["element"].to_numpy()[i])
        if "element" in fitted.coords
        else str(i)
    )


def _plain_means(
    effect: Array, se: Array, codes: Ints, known: Mask
) -> tuple[Array, Array, Array, Array]:
    """Return plain means, their errors, degrees of freedom and tau, shape ``(G, K)``
    each.
    """
    groups = (int(codes.max()) + 1,)
    n = group_sums(known, codes, groups)
    n = np.where(n > 1, n, np.nan)
    mean = group_sums(np.where(known, effect, 0.0), codes, groups) / n
    squares = np.where(known, effect - mean[codes], 0.0) ** 2
    variance = group_sums(squares, codes, groups) / (n - 1)
    own = group_sums(np.where(known, se, 0.0) ** 2, codes, groups) / n
    tau = np.sqrt(np.maximum(variance - own, 0.0))
    return mean, np.sqrt(variance / n), n - 1, tau


def _level_variance(fitted: xr.Dataset, codes: Ints, n: Array) -> Array:
    """Return the variance of each average from the levels of replicates, ``(G, K)``:
    that of the mean of their loadings, since all elements share it.
    """
    if "level_error" not in fitted:
        return np.zeros(n.shape)
    loadings = with_contrast_dim(fitted)["level_error"].transpose(
        "element", "contrast", "level"
    )
    total = group_sums(np.nan_to_num(loadings.to_numpy()), codes, n.shape[:1])
    mean = total / n[..., None]
    return np.asarray((mean**2).sum(axis=2))


def _random_effects_means(
    effect: Array, se: Array, codes: Ints, known: Mask
) -> tuple[Array, Array, Array, Array]:
    shape = (int(codes.max()) + 1, effect.shape[1])
    found = np.full((4, *shape), np.nan)
    for g, k in np.ndindex(*shape):
        own = (codes == g) & known[:, k]
        if own.sum() < 2:
            continue
        fit = random_effects(effect[own, k], se[own, k] ** 2)
        found[:, g, k] = fit.mean, fit.se, fit.df, np.sqrt(fit.tau2)
    ace, error, df, tau = found
    return ace, error, df, tau


Columns: TypeAlias = dict[str, tuple[tuple[str, ...], NDArray[Any]]]


def replicate_shifts(counts: xr.Dataset, request: FitRequest) -> Columns:
    """Return the distance of each replicate's mean effect from the overall mean, and
    its variance from elements.

    The effect of an element in a replicate is the contrast of its arms' mean log
    ratios. Used are the elements with barcodes under every arm of the contrast in every
    replicate, without controls of the bench. By two-way analysis of variance, the mean
    square of elements by replicates gives the variance of the mean over elements and
    replicates due to elements' own noise.

    Returns
    -------
    dict
        ``replicate_shift (contrast, replicate)``, ``replicate_within (contrast)`` and
        its degrees of freedom, ``replicate_df (contrast)``; a contrast of fewer than two
        such elements has 0, 0 and 1. No variables where all have, or of one replicate.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> from causalgia.mpra.fits.element_effects import fit_request
    >>> counts = simulated()
    >>> columns = replicate_shifts(counts, fit_request(counts, control="control"))
    >>> columns["replicate_shift"][1].shape, columns["replicate_df"][1]
    ((1, 3), array([38.]))
    """
    cells = ratio_cells(counts, request)
    used = cells.sums(cells.used)
    if used.shape[2] < 2:
        return {}
    groups = counts["group"].to_numpy().astype(str)[request.first_oligos]
    mean = cells.sums(cells.ratio) / np.maximum(used, 1)
    mean[used == 0] = np.nan
    shift, within, df = shared_shifts(mean[~np.isin(groups, CONTROLS)], request.weights)
    if not within.any():
        return {}
    return {
        "replicate_shift": (("contrast", "replicate"), shift),
        "replicate_within": (("contrast",), within),
        "replicate_df": (("contrast",), df),
    }


def shared_shifts(mean: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Return the shift of each replicate's mean effect from the overall mean, (K, R),
    the variance of the overall mean from the elements' own noise, and its degrees of
    freedom, (K,) each.

    `mean` is the mean log ratio, shape ``(E, A, R)``, nan without barcodes.
    """
    R, K = mean.shape[2], len(weights)
    shift, within, df = np.zeros((K, R)), np.zeros(K), np.ones(K)
    read = np.asarray(np.isfinite(mean).all(axis=2))
    few = csr_array(weights)
    each = np.split(few.indices, few.indptr[1:-1])
    for k, (arms, row) in enumerate(zip(each, weights, strict=True)):
        whole = read[:, arms].all(axis=1)
        if (n := int(whole.sum())) < 2:
            continue
        effect = np.einsum("ear,a->er", mean[np.ix_(whole, arms)], row[arms])
        shift[k] = effect.mean(axis=0) - effect.mean()
        left = effect - effect.mean(axis=1, keepdims=True) - shift[k]
        df[k] = (n - 1.0) * (R - 1.0)
        within[k] = (left**2).sum() / (df[k] * n * R)
    return shift, within, df
