"""Concordance of virtual and measured effects, corrected for the noise of both."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from causalgia.attributes import attributes
from causalgia.checks import as_ci_prob, as_probability
from causalgia.errors import (
    NAMES_LISTED,
    DegenerateWarning,
    EstimateError,
    caller_stacklevel,
    first_of,
    printable,
    quoted,
)
from causalgia.estimation.lines import (
    FittedLine,
    NoSlopeError,
    errors_in_both,
    weighted_line,
)
from causalgia.estimation.ratios import fieller
from causalgia.mpra.comparisons.sides import (
    MatchedEffects,
    effects_by_element,
    match_contrasts,
    match_elements,
    one_sided_contrasts,
    side_without_spread,
)
from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.notes import with_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import group_sums, satterthwaite
from causalgia.types import Array, Codes, EstimateTable, Mask

Columns: TypeAlias = dict[str, tuple[tuple[str, ...], Any]]
LINES = ("ols", "weighted", "errors_in_both", "errors_and_scatter")
_TWO_FITS = (
    "both sides are fits of counts, and the errors of the two are taken as independent; "
    "where both libraries have the same barcodes, these agree by themselves"
)


@usual_errors
def concordance(
    virtual: EstimateTable,
    measured: EstimateTable,
    *,
    pairs: Mapping[str, str] | None = None,
    task: str | None = None,
    alpha: float = 0.05,
    ci_prob: float = 0.95,
) -> xr.Dataset:
    r"""Compare predicted with measured effects of the same elements, corrected for the
    noise of both.

    A plain correlation depends on the noise of both sides. The result therefore also
    has the correlation of the *true* effects, the slope of measured on virtual effects
    corrected for both errors, and the noise ceiling, the largest correlation that these
    errors allow. Virtual effects stay on the scale of the predictor, measured ones on
    log2; the slope is in log2 per unit of the predictor.

    Parameters
    ----------
    virtual
        Effects of a trial on the measured elements (``ice``, units named as the
        elements): exact, or over an ensemble the mean of its models with its standard
        error. Or a DataFrame ``element effect se``.
    measured
        A fit (`causalgia.mpra.fit`): ``ace, se (element, contrast)``. Or a DataFrame
        ``element effect se`` with optional ``contrast df p q parent group``.
    pairs
        Measured contrast -> virtual contrast; None pairs equal names, or the only
        contrast of each side.
    task
        The task of the predictor that was measured; needed if there are several.

    alpha
        False discovery rate at which a measured effect is a hit.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        By ``contrast``: ``n``; ``pearson, spearman, noise_ceiling`` and
        ``pearson_disattenuated``, the correlation of the true effects over the
        population of elements, 1 or -1 where the observed one exceeds the ceiling;
        ``reliability, tau, mean (side)`` with tau the sd of true effects; by ``line``
        ``intercept, slope`` with ``_se, _lower, _upper``: least squares (``"ols"``),
        weighted by measured errors, York's (``"errors_in_both"``), and York's with
        scatter of the true effects about the line, which is the one to report
        (``line_p`` tests whether errors alone explain the points); ``scatter``;
        ``n_hits, sign_agreement, auroc`` of measured hits (the last by the size of
        virtual effects); and by ``element`` both effects, the prediction of the line,
        and ``z, p_off, q_off`` of a distance from the line beyond the errors.
        ``_lower`` and ``_upper`` are limits. Where parents have several elements,
        errors are clustered by parent. Controls of the bench (negative, positive, promoter, duplicate) are
        left out; ``attrs["lost"]`` counts them, and elements of one side only, by
        contrast.

    Raises
    ------
    DataError
        If a side is not a table of effects, or fewer than ten elements are on both.
    EstimateError
        If contrasts or the task do not match.
    EstimateError
        If measured effects have no standard errors, effects do not vary (beyond their
        errors), or an option is not a valid number.

    Warns
    -----
    DegenerateWarning
        If the elements of a contrast all have one effect, or virtual effects that do
        not vary beyond their errors: it is left out, with a note, unless `pairs` names
        it.

    References
    ----------
    Spearman (1904), doi:10.2307/1412159. York et al. (2004), doi:10.1119/1.1632486.
    DeLong et al. (1988), doi:10.2307/2531595.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> true, names = rng.normal(size=200), [f"e{i}" for i in range(200)]
    >>> virtual = pd.DataFrame(
    ...     {"element": names, "effect": 0.5 * true + rng.normal(0, 0.2, size=200)}
    ... )
    >>> measured = pd.DataFrame(
    ...     {"element": names, "effect": true + rng.normal(0, 0.7, size=200), "se": 0.7}
    ... )
    >>> found = concordance(virtual, measured)
    >>> [
    ...     round(found[name].item(), 2)
    ...     for name in ("pearson", "noise_ceiling", "pearson_disattenuated")
    ... ]
    [0.72, 0.82, 0.88]
    >>> found["slope"].sel(line="errors_and_scatter").item().__round__(1)
    1.7
    """
    ci_prob, alpha = as_ci_prob(ci_prob), as_probability(alpha, "alpha")
    if alpha >= 0.5:
        raise EstimateError(
            f"alpha={alpha:g} is an error rate of 0.5 or more; alpha=0.05 goes "
            "with a level of 0.95"
        )

    sides = (
        effects_by_element(virtual, "virtual", task=task),
        effects_by_element(measured, "measured"),
    )
    two_fits = _is_fit(virtual) and _is_fit(measured)
    called = ("first", "second") if two_fits else ("virtual", "measured")
    names = match_contrasts(sides[0]["contrast"], sides[1]["contrast"], pairs)
    parts: dict[str, xr.Dataset] = {}
    lost, still, imprecise = {}, {}, {}
    for name, of_virtual in names.items():
        predicted = sides[0][sides[0]["contrast"] == of_virtual]
        observed = sides[1][sides[1]["contrast"] == name]
        pair, unmatched = match_elements(predicted, observed)
        if found := side_without_spread(pair, called):
            still[name] = found
            continue
        try:
            parts[name] = _compare_effects(pair, alpha, ci_prob)
            lost[printable(name)] = unmatched
        except NoSlopeError as error:
            imprecise[name] = str(error)
        except EstimateError as error:
            raise type(error)(f"contrast {quoted(name)}: {error}") from error
    left_out = _contrasts_without_spread(
        still, imprecise, called[0], named=pairs is not None, others=bool(parts)
    )
    of_virtual_names = ("contrast", [names[name] for name in parts])
    combined = _concat_contrasts(parts).assign_coords(virtual_contrast=of_virtual_names)
    on_virtual, on_measured = (
        getattr(side, "attrs", {}) for side in (virtual, measured)
    )
    attrs = attributes(
        virtual_scale=str(
            on_virtual.get(
                "contrast_scale", on_virtual.get("scale", "the predictor's scale")
            )
        ),
        measured_scale=str(on_measured.get("scale", "log2")),
        ci_prob=ci_prob,
        alpha=alpha,
        lost=json.dumps(lost),
    )
    attrs |= {
        k: on_virtual[k]
        for k in ("predictor_fingerprint", "design_fingerprint", "null_fingerprint")
        if k in on_virtual
    }
    alone = (
        []
        if pairs is not None
        else one_sided_contrasts(
            sides[0]["contrast"], sides[1]["contrast"], names, called
        )
    )
    for sentence in left_out:
        warnings.warn(DegenerateWarning(sentence), stacklevel=caller_stacklevel())
    fits = [_TWO_FITS] if two_fits else []
    if fits:
        attrs = {**attrs, **attributes(of_two_fits=1)}
    return with_notes(combined.assign_attrs(attrs), *alone, *left_out, *fits)


def _is_fit(side: EstimateTable) -> bool:
    return (
        isinstance(side, xr.Dataset) and "se" in side and "element" in side["se"].dims
    )


def _contrasts_without_spread(
    still: Mapping[str, str],
    imprecise: Mapping[str, str],
    side: str,
    *,
    named: bool,
    others: bool,
) -> list[str]:
    """Return notes on contrasts that do not vary, or not beyond their errors, name ->
    why.

    Raises
    ------
    EstimateError
        If they were `named`, or there are no `others`.
    """
    if named or not others:
        cure = (
            "name the others: pairs={...}"
            if others
            else "compare elements that do differ"
        )
        for name, found in still.items():
            msg = (
                f"contrast {quoted(name)}: {found}, and elements that do not differ "
                f"cannot agree; {cure}"
            )
            raise EstimateError(msg)
        for name, found in imprecise.items():
            raise EstimateError(
                f"contrast {quoted(name)}: {found}{f', or {cure}' if others else ''}"
            )
    each = first_of(
        [f"{quoted(name)} ({found})" for name, found in still.items()], NAMES_LISTED
    )
    notes = (
        [f"not compared, because elements that do not differ cannot agree: {each}"]
        if still
        else []
    )
    if imprecise:
        each = first_of(map(quoted, imprecise), NAMES_LISTED)
        notes.append(
            f"not compared, because {side} effects do not vary beyond their own "
            f"standard errors: {each}"
        )
    return notes


def _compare_effects(pair: MatchedEffects, alpha: float, ci_prob: float) -> xr.Dataset:
    """Return all statistics of one contrast."""
    lines = _fit_lines(pair)
    found = residuals(pair.x, pair.y, pair.sx**2, pair.sy**2, pair.df, lines[-1])
    columns = _agreement_columns(pair, alpha, ci_prob) | _line_columns(
        pair, lines, ci_prob
    )
    columns |= {
        "virtual": (("element",), pair.x),
        "virtual_se": (("element",), pair.sx),
        "measured": (("element",), pair.y),
        "measured_se": (("element",), pair.sy),
        "q": (("element",), pair.q),
        "predicted": (("element",), found.predicted),
        "z": (("element",), found.z),
        "p_off": (("element",), found.p),
        "q_off": (("element",), found.q),
    }
    coords = {
        "element": pair.elements,
        "line": list(LINES),
        "side": ["virtual", "measured"],
    }
    return xr.Dataset(columns, coords=coords)


def _fit_lines(pair: MatchedEffects) -> list[FittedLine]:
    x, y, vx, vy, cluster = pair.x, pair.y, pair.sx**2, pair.sy**2, pair.cluster
    if (vy <= 0).any():
        where = pair.elements[int(np.argmax(vy <= 0))]
        raise EstimateError(
            f"measured: the se of element {quoted(where)} is 0; leave it out, or say "
            "how well it is known"
        )
    return [
        weighted_line(x, y, cluster=cluster),
        weighted_line(x, y, 1 / vy, cluster),
        errors_in_both(x, y, vx, vy, cluster=cluster),
        errors_in_both(x, y, vx, vy, scatter=True, cluster=cluster),
    ]


def _line_columns(
    pair: MatchedEffects, lines: list[FittedLine], ci_prob: float
) -> Columns:
    columns: Columns = {}
    df = np.array([line.df for line in lines])
    for place, name in enumerate(("intercept", "slope")):
        value = np.array([getattr(line, name) for line in lines])
        se = np.sqrt([line.covariance[place, place] for line in lines])
        half = special.stdtrit(df, 0.5 + ci_prob / 2) * se
        for suffix, values in (
            ("", value),
            ("_se", se),
            ("_lower", value - half),
            ("_upper", value + half),
        ):
            columns[f"{name}{suffix}"] = (("line",), values)
    chi2, freedom = lines[2].objective, len(pair.x) - 2
    return columns | {
        "line_df": (("line",), df),
        "line_chi2": ((), chi2),
        "line_p": ((), special.chdtrc(freedom, chi2)),
        "scatter": ((), lines[3].scatter),
    }


def _agreement_columns(pair: MatchedEffects, alpha: float, ci_prob: float) -> Columns:
    x, y, sx, sy, hit = pair.x, pair.y, pair.sx, pair.sy, pair.q < alpha
    reliable = [reliability(x, sx), reliability(y, sy)]
    intervals = {
        "pearson": pearson(x, y, pair.cluster, ci_prob=ci_prob),
        "pearson_disattenuated": disattenuated(
            x, y, sx, sy, pair.cluster, ci_prob=ci_prob
        ),
        "sign_agreement": sign_agreement(x, y, hit, ci_prob=ci_prob),
        "auroc": auroc(np.abs(x), hit, ci_prob=ci_prob),
    }
    columns: Columns = {
        "n": ((), len(x)),
        "n_clusters": (
            (),
            len(x) if pair.cluster is None else int(pair.cluster.max()) + 1,
        ),
        "spearman": ((), pearson(ranks(x), ranks(y)).value),
        "reliability": (("side",), reliable),
        "noise_ceiling": ((), float(np.sqrt(np.prod(np.clip(reliable, 0.0, 1.0))))),
        "tau": (("side",), [true_spread(x, sx), true_spread(y, sy)]),
        "mean": (("side",), [x.mean(), y.mean()]),
        "n_hits": ((), int(hit.sum())),
    }
    for name, found in intervals.items():
        columns |= {
            name: ((), found.value),
            f"{name}_lower": ((), found.lower),
            f"{name}_upper": ((), found.upper),
        }
    return columns


def _concat_contrasts(parts: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Concatenate the contrasts, which must have the same elements."""
    elements = [part["element"].to_numpy().tolist() for part in parts.values()]
    shared = set.intersection(*map(set, elements))
    common = [e for e in elements[0] if e in shared]
    for name, part in parts.items():
        if part.sizes["element"] != len(common):
            raise EstimateError(
                f"the contrasts are of different elements ({quoted(name)} has "
                f"{part.sizes['element']:,}, {len(common):,} are in every contrast); "
                f"compare one at a time: pairs={{{quoted(name)}: '...'}}"
            )
    aligned = [
        part.sel(element=common).expand_dims(contrast=[name])
        for name, part in parts.items()
    ]
    return xr.concat(
        aligned,
        dim="contrast",
        data_vars="all",
        coords="minimal",
        compat="override",
        join="override",
    )


class Interval(NamedTuple):
    """An estimate and its confidence limits."""

    value: float
    lower: float
    upper: float


def reliability(x: Array, se: Array) -> float:
    """Return the reliability of x, ``1 - mean(se^2) / var(x)``; negative where errors
    exceed the variance.

    Examples
    --------
    >>> round(reliability(np.array([0.0, 1.0, 2.0]), np.array([0.5, 0.5, 0.5])), 3)
    0.75
    """
    return float(1 - np.mean(se**2) / x.var(ddof=1))


def true_spread(x: Array, se: Array) -> float:
    """Return tau, the standard deviation of the true effects:
    ``sqrt(var(x) - mean(se^2))``, or 0.

    Examples
    --------
    >>> round(true_spread(np.array([0.0, 1.0, 2.0]), np.array([0.5, 0.5, 0.5])), 3)
    0.866
    """
    return float(np.sqrt(max(x.var(ddof=1) - np.mean(se**2), 0.0)))


def pearson(
    x: Array, y: Array, cluster: Codes | None = None, *, ci_prob: float = 0.95
) -> Interval:
    """Return Pearson's correlation with limits by Fisher's z; with clusters the error
    is a cluster jackknife.

    Parameters
    ----------
    x, y
        Shape ``(n,)``, four or more.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. A unit is a point.
    ci_prob
        Probability of the intervals.

    References
    ----------
    Fisher (1921), Metron 1, 3-32. Efron (1982), doi:10.1137/1.9781611970319.

    Examples
    --------
    >>> pearson(
    ...     np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([1.0, 3.0, 2.0, 5.0, 4.0])
    ... ).value.__round__(3)
    0.8
    """
    exact = np.zeros_like(x)
    sums = _moment_terms(x, y, exact, exact).sum(axis=0)
    c, d = _covariance_and_spread(sums[None], np.array([float(len(x))]))
    value = float(np.clip(c[0] / d[0], -1.0, 1.0))
    if 1 - abs(value) < 1e-12:
        return Interval(value, value, value)
    if cluster is None:
        half = special.ndtri(0.5 + ci_prob / 2) / np.sqrt(len(x) - 3)
    else:
        c, d, G = _leave_one_out(x, y, exact, exact, cluster)
        z = np.arctanh(np.clip(c / d, -1 + 1e-15, 1 - 1e-15))
        half = special.stdtrit(G - 1, 0.5 + ci_prob / 2) * np.sqrt(
            (G - 1) / G * np.sum((z - z.mean()) ** 2)
        )
    z = np.arctanh(value)
    return Interval(value, float(np.tanh(z - half)), float(np.tanh(z + half)))


def disattenuated(
    x: Array,
    y: Array,
    sx: Array,
    sy: Array,
    cluster: Codes | None = None,
    *,
    ci_prob: float = 0.95,
) -> Interval:
    """Return the correlation of the true effects: Pearson's, corrected for the errors
    of both sides.

    The estimand is the correlation over the population of elements, estimated by
    ``cov(x, y) / sqrt((var(x) - mean sx^2) (var(y) - mean sy^2))``, Spearman's
    correction, cut to -1 and 1. Near a true correlation of 1 the ratio exceeds 1 by
    chance (in half of the trials where it is 1), and more often where the standard
    errors are too large. Limits are Fieller's for the ratio, with covariances by the
    jackknife over points (or clusters), cut to -1 and 1, so that the estimate always
    lies within. Where the whole interval lies beyond a bound, the other limit is
    Pearson's, since errors only attenuate. Where a true variance is not clearly above 0
    the limits are -1 and 1; where none is left the estimate is the observed
    correlation. Limits of 95 % cover .94 to .97 at a true correlation of .6 from 30
    points on; at .93 they cover .90 to .92 with 30, .92 to .96 with 60 and .93 to .96
    with 400 points, missing on the side of too high a correlation; at 1 they cover .98
    and more.

    Parameters
    ----------
    x, y, sx, sy
        Effects and their standard errors, shape ``(n,)``.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. A unit is a point.
    ci_prob
        Probability of the intervals.

    References
    ----------
    Spearman (1904), doi:10.2307/1412159. Fieller (1954),
    doi:10.1111/j.2517-6161.1954.tb00159.x.

    Examples
    --------
    >>> x = np.linspace(-1.0, 1.0, 40)
    >>> y = x + 0.5 * np.tile([1.0, -1.0], 20)
    >>> found = disattenuated(x, y, np.zeros(40), np.full(40, 0.5))
    >>> round(found.value, 2), round(found.lower, 2), round(found.upper, 2)
    (0.99, 0.99, 1.0)
    """
    sums = _moment_terms(x, y, sx, sy).sum(axis=0)
    c, d = _covariance_and_spread(sums[None], np.array([float(len(x))]))
    if d[0] <= 0:
        return Interval(pearson(x, y).value, -1.0, 1.0)
    cj, dj, G = _leave_one_out(x, y, sx, sy, cluster)
    V = (G - 1) ** 2 / G * np.cov(cj, dj)
    lower, upper, _ = fieller(
        c[0], d[0], (V[0, 0], V[0, 1], V[1, 1]), np.array(G - 1.0), ci_prob
    )
    observed = pearson(x, y, cluster, ci_prob=ci_prob)
    low, high = float(lower), float(upper)
    limits = (observed.lower if low > 1 else low, observed.upper if high < -1 else high)
    return Interval(*(float(np.clip(part, -1, 1)) for part in (c[0] / d[0], *limits)))


def _moment_terms(x: Array, y: Array, sx: Array, sy: Array) -> Array:
    """Return x, y, x^2, y^2, xy and the error variances of each point, about the means
    of x and y.
    """
    u, v = x - x.mean(), y - y.mean()
    return np.column_stack([u, v, u * u, v * v, u * v, sx**2, sy**2])


def _covariance_and_spread(S: Array, n: Array) -> tuple[Array, Array]:
    """Return the covariance and the product of the true standard deviations for each
    row of sums.
    """
    u, v = S[:, 0] / n, S[:, 1] / n
    xx = (S[:, 2] - n * u * u) / (n - 1) - S[:, 5] / n
    yy = (S[:, 3] - n * v * v) / (n - 1) - S[:, 6] / n
    return (S[:, 4] - n * u * v) / (n - 1), np.sqrt(
        np.maximum(xx, 0.0) * np.maximum(yy, 0.0)
    )


def _leave_one_out(
    x: Array, y: Array, sx: Array, sy: Array, cluster: Codes | None
) -> tuple[Array, Array, int]:
    """Return leave-one-out covariances and products of true sds over points (clusters),
    and their number.
    """
    terms = _moment_terms(x, y, sx, sy)
    part = terms if cluster is None else group_sums(terms, cluster)
    size = np.ones(len(part)) if cluster is None else np.bincount(cluster).astype(float)
    c, d = _covariance_and_spread(terms.sum(axis=0) - part, len(x) - size)
    return c, d, len(part)


def ranks(x: Array) -> Array:
    """Return ranks from 1; ties have their mean rank.

    Examples
    --------
    >>> ranks(np.array([3.0, 1.0, 3.0]))
    array([2.5, 1. , 2.5])
    """
    return np.asarray(pd.Series(x).rank(), dtype=np.float64)


def sign_agreement(x: Array, y: Array, hit: Mask, *, ci_prob: float = 0.95) -> Interval:
    """Return the share of hits with the same sign on both sides, with Clopper-Pearson
    limits.

    Without hits: 1/2, from 0 to 1.

    References
    ----------
    Clopper & Pearson (1934), doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> sign_agreement(
    ...     np.array([1.0, -1.0, 2.0]),
    ...     np.array([1.0, 1.0, 1.0]),
    ...     np.array([True, False, True]),
    ... ).value
    1.0
    """
    n = int(hit.sum())
    if n == 0:
        return Interval(0.5, 0.0, 1.0)
    k, tail = int((np.sign(x[hit]) == np.sign(y[hit])).sum()), (1 - ci_prob) / 2
    lower = special.betaincinv(k, n - k + 1, tail) if k else 0.0
    upper = special.betaincinv(k + 1, n - k, 1 - tail) if k < n else 1.0
    return Interval(k / n, float(lower), float(upper))


def auroc(score: Array, hit: Mask, *, ci_prob: float = 0.95) -> Interval:
    """Return the area under the ROC curve of a score for the hits, with DeLong's
    limits.

    The probability that a hit has a larger score than another element, ties counting
    half. If all or none are hits: 1/2, from 0 to 1.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson (1988), doi:10.2307/2531595.

    Examples
    --------
    >>> auroc(
    ...     np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False])
    ... ).value
    0.75
    """
    m, n = int(hit.sum()), int((~hit).sum())
    if m == 0 or n == 0:
        return Interval(0.5, 0.0, 1.0)
    among_all = ranks(score)
    above = (among_all[hit] - ranks(score[hit])) / n
    below = 1 - (among_all[~hit] - ranks(score[~hit])) / m
    area = float(above.mean())
    variance = (above.var(ddof=1) / m if m > 1 else 0.25) + (
        below.var(ddof=1) / n if n > 1 else 0.25
    )
    half = special.ndtri(0.5 + ci_prob / 2) * np.sqrt(variance)
    return Interval(area, float(max(area - half, 0.0)), float(min(area + half, 1.0)))


@dataclass(frozen=True)
class Residuals:
    """Measured effects against the prediction of a line, shape ``(n,)`` each.

    Attributes
    ----------
    predicted
        Value of the line at the virtual effect.
    z
        Measured less predicted, over the standard deviation from the errors of both
        sides and of the line.
    p, q
        Two-sided p of no difference beyond these errors (t where the measured error has
        degrees of freedom), and Benjamini-Hochberg's q over the elements.
    """

    predicted: Array
    z: Array
    p: Array
    q: Array


def residuals(
    x: Array, y: Array, vx: Array, vy: Array, df: Array, line: FittedLine
) -> Residuals:
    """Compare measured effects y with the line at virtual effects x.

    Parameters
    ----------
    x, y, vx, vy
        Effects and the variances of their errors, shape ``(n,)``.
    df
        Degrees of freedom of `vy`, shape ``(n,)``; inf is normal.
    line
        With its scatter, as from `causalgia.estimation.lines.errors_in_both`.

    Examples
    --------
    >>> line = FittedLine(0.0, 1.0, np.zeros((2, 2)), 8.0, 0.5, 0.0)
    >>> off = residuals(
    ...     np.zeros(2),
    ...     np.array([0.1, 3.0]),
    ...     np.zeros(2),
    ...     np.ones(2),
    ...     np.full(2, np.inf),
    ...     line,
    ... )
    >>> off.z
    array([0.1, 3. ])
    """
    predicted = line.at(x)
    Z = np.column_stack([np.ones_like(x), x])
    error = line.slope**2 * vx + np.einsum("ni,ij,nj->n", Z, line.covariance, Z)
    size = np.sqrt(vy + error)
    gap = y - predicted
    z = np.divide(gap, size, out=np.zeros_like(gap), where=size > 0)
    finite = np.where(np.isfinite(df), df, 1e9)
    freedom = satterthwaite(
        np.stack([vy, error]), np.stack([finite, np.full_like(finite, 1e9)])
    )
    p = np.where(
        size > 0, 2 * special.stdtr(freedom, -np.abs(z)), np.where(gap == 0, 1.0, 0.0)
    )
    return Residuals(predicted, z, p, stepwise(p, "bh"))
