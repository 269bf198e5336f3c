"""Concordance of virtual and measured effects, corrected for the noise of both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from scipy import special

from causalgia.checks import as_int
from causalgia.errors import EstimateError, printable, quoted
from causalgia.estimation.lines import FittedLine, errors_in_both, weighted_line
from causalgia.estimation.request import as_ci_prob
from causalgia.mpra.comparisons.agreement import (
    auroc,
    calibration_bins,
    disattenuated,
    pearson,
    ranks,
    reliability,
    residuals,
    sign_agreement,
    true_spread,
)
from causalgia.mpra.comparisons.sides import MatchedEffects, effects_by_element, match_contrasts, match_elements
from causalgia.planning.power_functions import as_probability

Columns: TypeAlias = dict[str, tuple[tuple[str, ...], Any]]
LINES = ("ols", "weighted", "errors_in_both", "errors_and_scatter")


def concordance(
    virtual: Any,
    measured: Any,
    *,
    contrasts: Mapping[str, str] | None = None,
    task: str | None = None,
    n_bins: int = 10,
    alpha: float = 0.05,
    ci_prob: float = 0.95,
) -> xr.Dataset:
    r"""Compare predicted with measured effects of the same elements, corrected for the noise of both.

    A plain correlation depends on how noisy the two sides are. Reported beside it are the correlation of the *true*
    effects, the slope of measured on virtual effects with both errors removed, and the noise ceiling, the largest
    correlation that these errors allow. Virtual effects stay on the scale of the predictor, measured ones on log2; the
    slope has the unit of the second over the first.

    Parameters
    ----------
    virtual
        Effects of a trial on the measured elements (``ice``, units named as the elements): exact, or over an ensemble
        the mean of its models with its standard error. Or a DataFrame ``element effect se``.
    measured
        A fit (`causalgia.mpra.fit`): ``ace, se (element, contrast)``. Or a DataFrame ``element effect se`` with
        optional ``contrast df p q parent group``.
    contrasts
        Measured contrast -> virtual contrast; None pairs equal names, or the only contrast of each side.
    task
        The task of the predictor that was measured; needed if there are several.
    n_bins
        Bins of virtual effects for the calibration, five elements or more each.
    alpha
        False discovery rate at which a measured effect is a hit.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        By ``contrast``: ``n``; ``pearson, spearman, noise_ceiling`` and ``pearson_disattenuated``, the correlation of
        the true effects over the population of elements, 1 or -1 where the observed one exceeds the ceiling;
        ``reliability, tau, mean (side)`` with tau the sd of true effects; by ``line`` ``intercept, slope`` with ``_se,
        _lower, _upper``: least squares (``"ols"``), weighted by measured errors, York's (``"errors_in_both"``), and
        York's with scatter of the true effects about the line, which is the one to report (``line_p`` tests whether
        errors alone explain the points); ``scatter``; ``n_hits, sign_agreement, auroc`` of measured hits (the last by
        the size of virtual effects); ``bin_*`` (ties share a bin; missing bins have ``bin_n`` 0); and by ``element``
        both effects, the prediction of the line, and ``z, p_off, q_off`` of a distance from the line beyond the errors.
        ``_lower`` and ``_upper`` are limits; ``coverage`` is the share of elements inside their predictive intervals.
        Where parents have several elements, errors are clustered by parent. Controls of the bench (negative, positive,
        promoter, duplicate) are left out; ``attrs["lost"]`` counts them, and elements of one side only, by contrast.

    Raises
    ------
    OutcomesError
        If a side is not a table of effects, or fewer than ten elements are on both.
    ContrastError
        If contrasts or the task do not match.
    EstimateError
        If measured effects have no standard errors, effects do not vary (beyond their errors), or an option is not a
        valid number.

    References
    ----------
    Spearman (1904), doi:10.2307/1412159. York et al. (2004), doi:10.1119/1.1632486. DeLong et al. (1988),
    doi:10.2307/2531595.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> true, names = rng.normal(size=200), [f"e{i}" for i in range(200)]
    >>> virtual = pd.DataFrame({"element": names, "effect": 0.5 * true + rng.normal(0, 0.2, size=200)})
    >>> measured = pd.DataFrame({"element": names, "effect": true + rng.normal(0, 0.7, size=200), "se": 0.7})
    >>> found = concordance(virtual, measured)
    >>> [round(found[name].item(), 2) for name in ("pearson", "noise_ceiling", "pearson_disattenuated")]
    [0.72, 0.82, 0.88]
    >>> found["slope"].sel(line="errors_and_scatter").item().__round__(1)
    1.7
    """
    ci_prob, alpha = as_ci_prob(ci_prob), as_probability(alpha, "alpha")
    n_bins = as_int(n_bins, "n_bins", error=EstimateError)
    sides = effects_by_element(virtual, "virtual", task=task), effects_by_element(measured, "measured")
    names = match_contrasts(sides[0]["contrast"], sides[1]["contrast"], contrasts)
    parts, lost = [], {}
    for name, of_virtual in names.items():
        predicted = sides[0][sides[0]["contrast"] == of_virtual]
        observed = sides[1][sides[1]["contrast"] == name]
        pair, lost[printable(name)] = match_elements(predicted, observed, name, others=len(names) > 1)
        parts.append(_compare_effects(pair, n_bins, alpha, ci_prob))
    combined = _concat_contrasts(parts, list(names)).assign_coords(virtual_contrast=("contrast", list(names.values())))
    return combined.assign_attrs(_concordance_attrs(virtual, measured, lost, alpha, ci_prob))


def _compare_effects(pair: MatchedEffects, n_bins: int, alpha: float, ci_prob: float) -> xr.Dataset:
    """Return all statistics of one contrast."""
    lines = _fit_lines(pair)
    found = residuals(pair.x, pair.y, pair.sx**2, pair.sy**2, pair.df, lines[-1], ci_prob=ci_prob)
    binned = calibration_bins(pair.x, pair.y, found, n_bins)
    columns = _agreement_columns(pair, alpha, ci_prob) | _line_columns(pair, lines, ci_prob)
    columns |= {f"bin_{name}": (("bin",), getattr(binned, name)) for name in binned.__dataclass_fields__}
    columns |= {
        "coverage": ((), found.within.mean()),
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
    coords = {"element": pair.elements, "line": list(LINES), "side": ["virtual", "measured"]}
    return xr.Dataset(columns, coords=coords)


def _fit_lines(pair: MatchedEffects) -> list[FittedLine]:
    x, y, vx, vy, cluster = pair.x, pair.y, pair.sx**2, pair.sy**2, pair.cluster
    if (vy <= 0).any():
        where = pair.elements[int(np.argmax(vy <= 0))]
        raise EstimateError(
            f"measured: the se of element {quoted(where)} is 0; leave it out, or say how well it is known"
        )
    return [
        weighted_line(x, y, cluster=cluster),
        weighted_line(x, y, 1 / vy, cluster),
        errors_in_both(x, y, vx, vy, cluster=cluster),
        errors_in_both(x, y, vx, vy, scatter=True, cluster=cluster),
    ]


def _line_columns(pair: MatchedEffects, lines: list[FittedLine], ci_prob: float) -> Columns:
    columns: Columns = {}
    df = np.array([line.df for line in lines])
    for place, name in enumerate(("intercept", "slope")):
        value = np.array([getattr(line, name) for line in lines])
        se = np.sqrt([line.covariance[place, place] for line in lines])
        half = special.stdtrit(df, 0.5 + ci_prob / 2) * se
        for suffix, values in (("", value), ("_se", se), ("_lower", value - half), ("_upper", value + half)):
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
        "pearson_disattenuated": disattenuated(x, y, sx, sy, pair.cluster, ci_prob=ci_prob),
        "sign_agreement": sign_agreement(x, y, hit, ci_prob=ci_prob),
        "auroc": auroc(np.abs(x), hit, ci_prob=ci_prob),
    }
    columns: Columns = {
        "n": ((), len(x)),
        "n_clusters": ((), len(x) if pair.cluster is None else int(pair.cluster.max()) + 1),
        "spearman": ((), pearson(ranks(x), ranks(y)).value),
        "reliability": (("side",), reliable),
        "noise_ceiling": ((), float(np.sqrt(np.prod(np.clip(reliable, 0.0, 1.0))))),
        "tau": (("side",), [true_spread(x, sx), true_spread(y, sy)]),
        "mean": (("side",), [x.mean(), y.mean()]),
        "n_hits": ((), int(hit.sum())),
    }
    for name, found in intervals.items():
        columns |= {name: ((), found.value), f"{name}_lower": ((), found.lower), f"{name}_upper": ((), found.upper)}
    return columns


def _concat_contrasts(parts: list[xr.Dataset], names: list[str]) -> xr.Dataset:
    """Concatenate the contrasts, which must have the same elements."""
    shared = set.intersection(*(set(part["element"].to_numpy().tolist()) for part in parts))
    common = [e for e in parts[0]["element"].to_numpy().tolist() if e in shared]
    for part, name in zip(parts, names, strict=True):
        if part.sizes["element"] != len(common):
            raise EstimateError(
                f"the contrasts are of different elements ({quoted(name)} has {part.sizes['element']:,}, "
                f"{len(common):,} are in every contrast); compare one at a time: contrasts={{{quoted(name)}: '...'}}"
            )
    most = max(part.sizes["bin"] for part in parts)
    whole = [part.pad(bin=(0, most - part.sizes["bin"]), constant_values=0) for part in parts]
    aligned = [part.sel(element=common).expand_dims(contrast=[name]) for part, name in zip(whole, names, strict=True)]
    return xr.concat(aligned, dim="contrast", data_vars="all", coords="minimal", compat="override", join="override")


def _concordance_attrs(
    virtual: Any, measured: Any, lost: dict[str, Any], alpha: float, ci_prob: float
) -> dict[str, Any]:
    on_virtual, on_measured = (getattr(side, "attrs", {}) for side in (virtual, measured))
    attrs = {
        "virtual_scale": str(on_virtual.get("contrast_scale", on_virtual.get("scale", "the predictor's scale"))),
        "measured_scale": str(on_measured.get("scale", "log2")),
        "ci_prob": ci_prob,
        "alpha": alpha,
        "lost": json.dumps(lost),
    }
    attrs |= {
        k: on_virtual[k] for k in ("predictor_fingerprint", "design_fingerprint", "null_fingerprint") if k in on_virtual
    }
    return attrs
