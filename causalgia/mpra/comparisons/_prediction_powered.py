"""Prediction-powered average effects: measurements of few units, made more precise by
predictions for many.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import as_result
from causalgia.attributes import OF_NULL, about, attributes, has
from causalgia.checks import as_ci_prob
from causalgia.errors import (
    DataError,
    EstimateError,
    quoted,
    type_in_words,
)
from causalgia.inputs import format_share, p_clause
from causalgia.mpra.comparisons.prediction_powered_means import (
    PoweredMean,
    SharedNoise,
    add_replicate_noise,
    classical_reason,
    cluster_deviations,
    fisher_skewness,
    powered_mean,
    random_draw_test,
    shared_noise,
)
from causalgia.mpra.comparisons.sides import (
    LARGEST,
    check_named,
    check_not_parallel,
    fit_replicate_noise,
    match_contrasts,
    one_sided_contrasts,
    parent_codes,
    select_task,
    with_contrast_dim,
)
from causalgia.mpra.counts.counts_table import CONTROLS, other_library
from causalgia.notes import with_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import log_p, p_and_limits
from causalgia.schema import validate
from causalgia.types import Array, Codes, Mask

TASK = "measured"


@usual_errors
def prediction_powered(
    virtual: xr.Dataset,
    measured: xr.Dataset,
    *,
    library: xr.Dataset | None = None,
    pairs: Mapping[str, str] | None = None,
    task: str | None = None,
    trained_on_measured: bool | None = None,
    ci_prob: float = 0.95,
) -> xr.Dataset:
    """Estimate average measured effects over the population of a virtual trial
    (prediction-powered inference, PPI++).

    The estimand is the population mean of the effect that *would be measured*, on log2.
    Few units are measured, and all are predicted: ``mean(y) + lam (mean(f of the
    others) - mean(f of the measured))``. The predictor need not be right, nor on that
    scale; a good one narrows the interval. Where predictions do not help (a correlation
    that may be chance), or effects are too rare, too skewed or measured on too few
    units to estimate the spread of prediction errors, the classical interval is
    returned: ``powered`` is False, and ``attrs["fallback"]`` and a note of the report
    give the reason (see Notes).

    The interval is valid if the measured units are a random draw of the virtual
    population (same null model, same constraints, not selected by prediction), no other
    unit shares a parent with a measured one, and the predictor was not trained on the
    measured units. These conditions are checked as far as the data allow; a failed one
    raises an error.

    Parameters
    ----------
    virtual
        Effects of the virtual trial, ``ice (unit, contrast, task[, model])``, on the
        measured units *and* other units of the population, with ``parent (unit)`` if
        units have parents. Models of an ensemble are averaged.
    measured
        Effects on some of these units, matched by name: a fit,
        ``ace (element, contrast)``, which allows for silent barcodes and has the noise
        shared by replicates; or ``ice (unit, contrast, task[, model])`` with replicates
        as models, whose shared noise is estimated and added.
    library
        The ordered library; its null model and rules must be those of the virtual
        trial.
    pairs
        Measured contrast -> virtual contrast; None pairs equal names, or the only
        contrast of each side.
    task
        The task of the predictor that was measured; needed if there are several.
    trained_on_measured
        Whether the predictor was trained on the measured units; True is refused, None
        is noted in the report.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        Estimates for `causalgia.decide`, `causalgia.infer` and `causalgia.report`, by
        ``contrast`` and one ``task``, ``"measured"``: ``ace, se, df, p, lower, upper``;
        ``lam``, the weight of predictions; ``r``, their correlation with the
        measurements; ``classical_ace`` and its ``_se, _lower, _upper``; ``width_ratio``
        of both intervals; ``powered``; ``skewness`` and ``leverage`` of the measured
        units' (parents') parts of the error; ``exact`` where no measured effect varies;
        ``n_units`` (measured), ``n_clusters``, ``n_predicted`` (others).
        ``attrs["conditions"]`` records the checks, ``attrs["fallback"]`` the reasons of
        classical intervals, as JSON.

    Raises
    ------
    EstimateError
        If a condition fails, or too few units are measured or predicted.
    DataError
        If a side has no effects by unit, or a measured unit was not predicted.
    EstimateError
        If contrasts or the task do not match.

    Notes
    -----
    The classical interval is returned with fewer than 20 measured units (parents);
    where the correlation is not significant at .05; where t intervals of n predictions,
    drawn from all, cover less than .93; and where n is below 25 times the squared
    skewness of the measured effects or of their distances from the predictions. In
    simulations the coverage was at most .03 below that of the classical intervals:
    .95 for effects with normal or symmetric long tails, less for rare and skewed
    effects of few units.

    References
    ----------
    Angelopoulos, Bates, Fannjiang, Jordan & Zrnic (2023), doi:10.1126/science.adi6000.
    Angelopoulos, Duchi & Zrnic (2023), arXiv:2311.01453.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> f = rng.normal(1, 1, size=(1_000, 1, 1))
    >>> names = {"contrast": ["GATA1"], "task": ["K562"]}
    >>> virtual = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), f)},
    ...     {"unit": np.arange(1_000), **names},
    ... )
    >>> measured = (2 * virtual + rng.normal(0, 0.5, size=f.shape)).isel(unit=slice(40))
    >>> found = prediction_powered(virtual, measured, trained_on_measured=False)
    >>> [round(found[name].item(), 2) for name in ("ace", "se", "width_ratio")]
    [1.89, 0.09, 0.33]
    """
    ci_prob = as_ci_prob(ci_prob)
    check_not_parallel(virtual, "virtual")
    check_not_parallel(measured, "measured")
    conditions = {"training": check_training(trained_on_measured)}
    conditions["population"] = check_population(virtual, library, measured)
    if not isinstance(virtual, xr.Dataset) or "ice" not in virtual:
        raise DataError(
            "virtual: no effects of units (ice); give cg.contrast(outcomes, "
            "control=...)"
        )
    ice = select_task(validate(virtual, "effects"), task)["ice"]
    f = ice.mean("model") if "model" in ice.dims else ice
    y, controls = _measured_effects(measured), 0
    if "group" in y.coords:
        control = np.isin(y["group"].to_numpy().astype(str), CONTROLS)
        y, controls = y.isel(unit=~control), int(control.sum())
    if "ice" in measured:
        noise = {
            name: shared_noise(
                y.sel(contrast=name).transpose("unit", "model").to_numpy()
            )
            for name in _contrast_names(y)
        }
    else:
        noise = dict(
            zip(_contrast_names(y), fit_replicate_noise(measured), strict=True)
        )
    names = match_contrasts(_contrast_names(f), _contrast_names(y), pairs)
    units = _match_units(f, y)
    conditions["parents"] = check_parents(units.parents, units.measured)
    predicted = (
        f.sel(contrast=list(names.values())).transpose("unit", "contrast").to_numpy()
    )
    for side, values in (("virtual", predicted), ("measured", y.to_numpy())):
        largest = float(np.abs(values).max(initial=0.0))
        if largest > LARGEST or 0 < largest < 1 / LARGEST:
            raise DataError(
                f"{side}: effects of up to {largest:g} have squares beyond float64; "
                "divide them all by a constant first"
            )
    few, many = predicted[units.places], predicted[~units.measured]
    conditions["draw"] = check_draw(
        few, many, units.cluster, units.cluster_rest, list(names)
    )
    answers = []
    for k, name in enumerate(names):
        labeled = y.sel(contrast=name).transpose("unit", "model").to_numpy()
        answers.append(
            _powered_estimate(labeled, few[:, k], many[:, k], units, noise[name])
        )
    out = _estimates_dataset(answers, list(names), units, ci_prob)
    out = out.assign_attrs(
        _powered_attrs(virtual, measured, conditions, units, ci_prob),
        **attributes(controls_left_out=controls),
    )
    fallback = {
        name: a.reason for name, a in zip(names, answers, strict=True) if a.reason
    }
    notes = [
        f"{name}: the classical interval, without predictions: {reason}"
        for name, reason in fallback.items()
    ]
    notes += (
        []
        if pairs is not None
        else one_sided_contrasts(_contrast_names(f), _contrast_names(y), names)
    )
    return with_notes(out.assign_attrs(fallback=json.dumps(fallback)), *notes)


@dataclass(frozen=True)
class _MeasuredUnits:
    """Which of the predicted units are measured, and the parents of both.

    Attributes
    ----------
    places
        Place of each measured unit among the predicted ones, shape ``(n,)``.
    measured
        Which predicted units are measured, shape ``(n + N,)``.
    parents
        Parent of each predicted unit, shape ``(n + N,)``, or None.
    cluster, cluster_rest
        Parent codes of the measured and of the other units; None where no parent has
        several.
    """

    places: Codes
    measured: NDArray[np.bool_]
    parents: NDArray[Any] | None
    cluster: Codes | None
    cluster_rest: Codes | None


def _measured_effects(measured: Any) -> xr.DataArray:
    """Return measured effects by unit, contrast and model (replicates; one model for a
    fit).
    """
    if isinstance(measured, xr.Dataset) and "ice" in measured:
        ice = validate(measured, "effects")["ice"]
        if ice.sizes["task"] != 1:
            raise EstimateError(
                "measured: there are several tasks; give one: measured.sel(task=[...])"
            )
        ice = ice.isel(task=0, drop=True)
        found = ice if "model" in ice.dims else ice.expand_dims("model")
    elif (
        isinstance(measured, xr.Dataset)
        and "ace" in measured
        and "element" in measured["ace"].dims
    ):
        found = (
            with_contrast_dim(measured)["ace"]
            .rename(element="unit")
            .expand_dims("model")
        )
    else:
        raise DataError(
            "measured: no effects of units; give cg.contrast of activities, or "
            "a fit (cg.mpra.fit)"
        )
    if not np.isfinite(found.to_numpy()).all():
        raise DataError(
            "measured: an effect is not finite; leave the unit out, or repair it "
            "where it arose"
        )
    return found


def _contrast_names(effects: xr.DataArray) -> list[str]:
    return [str(name) for name in effects["contrast"].to_numpy()]


def _match_units(f: xr.DataArray, y: xr.DataArray) -> _MeasuredUnits:
    check_named(y["unit"].to_numpy(), "measured: unit {} has no name")
    predicted, names = (
        pd.Index(side["unit"].to_numpy().astype(str)) for side in (f, y)
    )
    if (twice := names.duplicated()).any():
        raise DataError(
            f"measured: unit {quoted(names[twice][0])} appears twice; leave one of "
            "them out"
        )
    places = predicted.get_indexer(names)
    if (places < 0).any():
        other = other_library(str(names[places < 0][0]), predicted)
        raise DataError(
            f"{int((places < 0).sum()):,} of {len(names):,} measured units were not "
            f"predicted (such as {quoted(names[places < 0][0])}{other}); the virtual "
            "trial has to have them too, by the same names (its first unit is "
            f"{quoted(predicted[0])}): cg.mpra.virtual_trial"
        )
    if not len(names):
        raise EstimateError(
            "no measured unit is left, controls of the bench being left out; four are "
            "needed"
        )
    measured = np.zeros(len(predicted), dtype=bool)
    measured[places] = True
    if len(predicted) - len(names) < 2:
        raise EstimateError(
            "no predictions beyond the measured units; predict more units of the same "
            "population"
        )
    if "parent" not in f.coords:
        return _MeasuredUnits(places, measured, None, None, None)
    parents = f["parent"].to_numpy().astype(str)
    return _MeasuredUnits(
        places,
        measured,
        parents,
        parent_codes(parents[places]),
        parent_codes(parents[~measured]),
    )


@dataclass(frozen=True)
class _PoweredEstimate:
    """Estimate of one contrast: the one returned, the classical one, and the reason of
    a fallback ("" if none).

    `skewness` and `leverage` are those of the measured units' (clusters') pieces of the
    returned estimate's error.
    """

    best: PoweredMean
    classical: PoweredMean
    reason: str
    skewness: float
    leverage: float


def _powered_estimate(
    y: Array, f: Array, f_rest: Array, units: _MeasuredUnits, noise: SharedNoise
) -> _PoweredEstimate:
    """Estimate one contrast; y has shape ``(n, R)``."""
    groups, groups_rest = units.cluster, units.cluster_rest
    classical, tuned = (
        add_replicate_noise(
            powered_mean(
                y.mean(axis=1),
                f,
                f_rest,
                lam=lam,
                cluster=groups,
                cluster_rest=groups_rest,
            ),
            noise,
        )
        for lam in (0.0, None)
    )
    mean = y.mean(axis=1)
    reason = classical_reason(mean, f, f_rest, cluster=groups, cluster_rest=groups_rest)
    best = classical if reason else tuned
    own = best.pieces[: len(cluster_deviations(mean, groups))]
    total = float(own @ own)
    leverage = float((own**2).max() / total) if total > 0 else 0.0
    return _PoweredEstimate(best, classical, reason, fisher_skewness(own), leverage)


def _estimates_dataset(
    answers: list[_PoweredEstimate],
    names: list[str],
    units: _MeasuredUnits,
    ci_prob: float,
) -> xr.Dataset:
    best, classical = (
        [getattr(a, which) for a in answers] for which in ("best", "classical")
    )
    ace, se, df = (
        np.array([getattr(a, name) for a in best]) for name in ("mean", "se", "df")
    )
    p, lower, upper = p_and_limits(ace, se, df, ci_prob)
    usual, usual_se, usual_df = (
        np.array([getattr(a, name) for a in classical]) for name in ("mean", "se", "df")
    )
    _, usual_lower, usual_upper = p_and_limits(usual, usual_se, usual_df, ci_prob)
    width = usual_upper - usual_lower
    n, N = len(units.places), int((~units.measured).sum())
    columns = {
        "ace": ace,
        "se": se,
        "df": df,
        "p": p,
        "log_p": log_p(ace, se, df),
        "lower": lower,
        "upper": upper,
        "lam": np.array([a.lam for a in best]),
        "r": np.array([a.r for a in classical]),
        "classical_ace": usual,
        "classical_se": usual_se,
        "classical_lower": usual_lower,
        "classical_upper": usual_upper,
        "width_ratio": np.divide(
            upper - lower, width, out=np.ones_like(width), where=width > 0
        ),
        "powered": np.array([not a.reason for a in answers]),
        "exact": se == 0,
        "skewness": np.array([a.skewness for a in answers]),
        "leverage": np.array([a.leverage for a in answers]),
        "n_units": np.full(len(ace), n),
        "n_clusters": np.full(
            len(ace), n if units.cluster is None else int(units.cluster.max()) + 1
        ),
        "n_predicted": np.full(len(ace), N),
    }
    pieces = np.stack([a.pieces for a in best], axis=1)
    data: dict[str, Any] = {
        name: (("contrast", "task"), values[:, None])
        for name, values in columns.items()
    }
    data["covariance"] = (
        ("contrast", "contrast_", "task"),
        (pieces.T @ pieces)[:, :, None],
    )
    coords = {"contrast": names, "contrast_": names, "task": [TASK]}
    return as_result(xr.Dataset(data, coords=coords), "estimates")


def _powered_attrs(
    virtual: xr.Dataset,
    measured: xr.Dataset,
    conditions: dict[str, str],
    units: _MeasuredUnits,
    ci_prob: float,
) -> dict[str, Any]:
    inherited = (
        *OF_NULL,
        "design_fingerprint",
        "predictor_fingerprint",
    )
    known = "model" in measured.dims or "replicate_shift" in measured
    replicates = (
        "replicates' shared noise added"
        if known
        else "noise shared in replicates unknown"
    )
    return {
        name: virtual.attrs[name] for name in inherited if name in virtual.attrs
    } | {
        "scale": "log2",
        "contrast_scale": "log2",
        "virtual_scale": str(
            about(virtual, about(virtual, "the predictor's scale").scale).contrast_scale
        ),
        "effect_on": "measured activity",
        "estimand": (
            "mean over the population of the virtual trial of the effect that would be "
            "measured"
        ),
        "target": "population",
        "ci_prob": ci_prob,
        "cluster": "unit" if units.cluster is None else "parent",
        "method": f"prediction-powered mean (PPI++), tuned by regression; {replicates}",
        "errors": "estimated",
        "conditions": json.dumps(conditions),
    }


SELECTED = 1e-3


def check_training(trained: bool | None) -> str:
    """Raise EstimateError for a predictor trained on the measured units, which the data
    cannot show.

    Examples
    --------
    >>> check_training(None)
    'not stated: whether the predictor was trained on the measured units'
    """
    if trained:
        raise EstimateError(
            "condition 'predictor not trained on them': a predictor is too good on "
            "units that it was trained on, and the others are not corrected for that; "
            "measure units that it has not seen, or give the classical interval: "
            "cg.estimate"
        )
    if trained is None:
        return "not stated: whether the predictor was trained on the measured units"
    return "stated: the predictor was not trained on the measured units"


def check_population(
    virtual: xr.Dataset, library: xr.Dataset | None, measured: xr.Dataset
) -> str:
    """Raise EstimateError where the virtual trial has another null model or other
    constraints.

    Raises
    ------
    EstimateError
        If the null models or the rules differ, or `library` is not a library.

    Examples
    --------
    >>> check_population(xr.Dataset(), None, xr.Dataset())
    'by name: the measured units are units of the virtual trial'
    """
    if library is not None and not isinstance(library, xr.Dataset):
        raise EstimateError(
            f"library= is {type_in_words(library)}; give what was ordered, from "
            "cg.mpra.library"
        )
    null = about(virtual, None).null_fingerprint
    for name, other in (("library", library), ("measured effects", measured)):
        theirs = None if other is None else about(other, None).null_fingerprint
        if null and theirs and null != theirs:
            raise EstimateError(
                "condition 'same null model': the virtual trial drew units from "
                f"{about(virtual, null).null}, the {name} from "
                f"{None if other is None else about(other, theirs).null}; "
                "predict units of the null model that was measured"
            )
    _check_same_draw(virtual, library)
    if library is None:
        return "by name: the measured units are units of the virtual trial"
    rules, theirs = about(virtual, None).rules, about(library, None).rules
    redrawn = float(library["share_redrawn"]) if "share_redrawn" in library else 0.0
    if rules != theirs and (rules is not None or redrawn > 0):
        raise EstimateError(
            f"condition 'same constraints': {format_share(redrawn, 1)} of the "
            "library's units were redrawn to meet its rules, and the units of the "
            "virtual trial met other rules or none; make a larger library by the same "
            "rules, predict all of it (cg.mpra.virtual_trial), and order units of "
            "it at random"
        )
    if not null or not has(library).null_fingerprint:
        silent = "virtual trial" if not null else "library"
        return (
            f"held: one set of rules; unknown: the {silent} does not say its null model"
        )
    return "held: one null model, one set of rules"


def _check_same_draw(virtual: xr.Dataset, library: xr.Dataset | None) -> None:
    """Raise EstimateError for a virtual trial of a library with another seed: same
    names, other sequences.
    """
    if library is None:
        return
    ours, theirs = (
        (about(side, None).library_fingerprint, about(side, None).rng)
        for side in (virtual, library)
    )
    if ours[0] and theirs[0] and ours[0] != theirs[0] and ours[1] != theirs[1]:
        raise EstimateError(
            "condition 'the same units': the virtual trial is of a library drawn with "
            f"rng={ours[1]}, and what was ordered was drawn with "
            f"rng={theirs[1]}, so that units of one name are other sequences; "
            "predict the library that the ordered one is a part of: "
            "cg.mpra.virtual_trial"
        )


def check_parents(parents: NDArray[Any] | None, measured: Mask) -> str:
    """Raise EstimateError where other units share a parent with measured ones: their
    means are dependent.

    Parameters
    ----------
    parents
        Parent of each unit, shape ``(n,)``; None if unknown.
    measured
        Which units were measured, shape ``(n,)``.

    Examples
    --------
    >>> check_parents(np.array(["a", "b", "c"]), np.array([True, False, False]))
    'held: no other unit shares a parent with a measured one'
    """
    if parents is None:
        return (
            "unknown: the virtual trial does not say the parents of its units; each "
            "counts as its own"
        )
    shares = np.isin(parents[~measured], parents[measured])
    if shares.any():
        raise EstimateError(
            f"condition 'other parents': {int(shares.sum()):,} of {len(shares):,} "
            "units that were not measured share a parent with measured ones (such as "
            f"{quoted(parents[~measured][shares][0])}); shuffles of the measured "
            "units' own parents cover .72-.75 at .95, for they carry no information "
            "about other parents. Leave them out, and predict units of parents of "
            "their own: others = "
            "~virtual.parent.isin(virtual.parent.sel(unit=measured.unit)) | "
            "virtual.unit.isin(measured.unit); virtual.sel(unit=others)"
        )
    return "held: no other unit shares a parent with a measured one"


def check_draw(
    f: Array,
    f_rest: Array,
    cluster: Codes | None,
    cluster_rest: Codes | None,
    names: Sequence[str],
) -> str:
    """Raise EstimateError where predictions show that the measured units are no random
    draw.

    Uses the permutation test of `random_draw_test` over all contrasts, at p below .001:
    a random draw is refused at most once in a thousand times, for any number of
    contrasts and any distribution of predictions.

    Parameters
    ----------
    f, f_rest
        Predictions of measured units and of the others, shapes ``(n, contrast)`` and
        ``(N, contrast)``.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. None: each is its own.
    cluster_rest
        Those of the others, shape ``(N,)``.
    names
        Of the contrasts.

    Examples
    --------
    >>> f = np.arange(100.0)[:, None]
    >>> check_draw(f[::5], f[1::5], None, None, ["GATA1"])[:4]
    'held'
    """
    found = random_draw_test(f, f_rest, cluster=cluster, cluster_rest=cluster_rest)
    if found.p < SELECTED:
        what, a, b = "predictions", f[:, found.contrast], f_rest[:, found.contrast]
        if found.by_spread:
            median = np.median(np.concatenate([a, b]))
            what, a, b = (
                "distances of predictions from the median",
                abs(a - median),
                abs(b - median),
            )
        name = names[found.contrast]
        raise EstimateError(
            f"condition 'a random draw': contrast {quoted(name)}, the {what} of the "
            f"measured units have the mean {a.mean():.3g}, of the others "
            f"{b.mean():.3g} (permutation {p_clause(found.p)}); units that were "
            "selected by their prediction are not a random draw of the population. "
            "Measure a random draw, or predict only the population that it is one of"
        )
    return (
        "held: the predictions of the measured units are those of a random draw "
        f"(permutation {p_clause(found.p)})"
    )
