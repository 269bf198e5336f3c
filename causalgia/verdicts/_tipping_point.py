"""The verb `tipping_point`: how far the null model must be tilted before a verdict
changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.analysis import Analysis, analysis_in_attrs, as_result
from causalgia.attributes import about, attributes
from causalgia.checks import as_names
from causalgia.choices import Scale
from causalgia.effects._contrast import contrast as contrasted
from causalgia.effects.two_values import COUNTS, WEIGHT
from causalgia.errors import (
    DataError,
    EstimateError,
    quoted,
)
from causalgia.estimation._estimate import estimate
from causalgia.estimation.crossover import Estimate, from_factor
from causalgia.estimation.effect_intervals import effect_limits
from causalgia.estimation.moderation import individual_effects, unit_covariate
from causalgia.estimation.request import (
    Request,
    clusters,
    is_below_floor,
    null_value,
    unit_name,
)
from causalgia.multiplicity.regions import Region, in_words_of, rope_region
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import group_sums
from causalgia.ropes import Rope, RopeLike
from causalgia.schema import keeps_effects
from causalgia.types import Array, Codes
from causalgia.verdicts._decide import decide

By: TypeAlias = str | Callable[[xr.Dataset], npt.ArrayLike] | npt.ArrayLike

LEAST_EFFECTIVE = 50
"""Effective number of independent units below which nothing is said about a tilted null
model.
"""
STEP, FURTHEST = 0.05, 3.0
"""Grid of shifts, in sd of the covariate."""
_SHIFT_SIDES = ("down", "up")
_TILT = "tilt_step"
_CARRIED = ("largest_ice", "exact", "control_sd", "floor", WEIGHT, COUNTS)
_SHIFT_TOLERANCE = 1e-11
_MOST_BISECTIONS = 1_000


@usual_errors
def tipping_point(
    outcomes: xr.Dataset,
    *,
    contrast: str | list[str] | Mapping[str, Mapping[str, float]] | None = None,
    control: str | None = None,
    by: By = "gc",
    rope: RopeLike | None = None,
    ci_prob: float | None = None,
    cluster: str | None = None,
    scale: Scale | None = None,
) -> xr.Dataset:
    r"""Find how far the null model must shift before a verdict changes, without further
    predictions.

    The ACE is an average over the backgrounds of one null model. The units that were
    predicted are weighted by :math:`w_u \propto e^{\lambda x_u}`, which tilts that null
    model along a covariate x (GC content, the content of a k-mer, a classifier's log
    odds of being real). The result is the ACE as a function of the mean of x, and the
    *tipping point*: the shift, in sd of x, at which the verdict changes.

    Parameters
    ----------
    outcomes
        From `causalgia.run` or `causalgia.from_frame`, of a crossover; or effects, from
        `causalgia.contrast` or ``run(keep="effects")``.
    contrast
        Names of contrasts of the stored analysis or design; or what
        `causalgia.contrast` takes as `contrasts`, such as ``"GATA1 - placebo"``. None:
        all that are stored, or those with the `control`.
    control
        The arm subtracted from every other arm, as in `causalgia.contrast`; `contrast`
        then names some of these.
    by
        A numeric coordinate on the units, such as ``"gc"``; one number for each unit,
        in their order; or a function that makes these of the outcomes:
        ``lambda y: y["outcome"].sel(arm="placebo", task="K562")`` is the activity of
        the control arm.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. None: that of the stored analysis. In sd of the control arm, or of
        placebos, it is that of the null model that was run, all along the curve.
    ci_prob
        Probability of the intervals. None: that of the stored analysis.
    cluster
        Units that vary together. None: those of the stored analysis.
    scale
        As in `causalgia.contrast`; None: that of the stored analysis.

    Returns
    -------
    Dataset
        Along ``found["shift"]``, in sd of the covariate (``found.shift`` is a method of
        xarray): ``covariate_mean, tilt, odds, ess (shift)``; ``tilted_ace, tilted_se,
        tilted_df, tilted_lower, tilted_upper, tilted_verdict (shift, contrast, task[,
        model])``. On either ``side``: ``turns, turns_to, tipping_shift,
        tipping_covariate, tipping_odds, leaves, leaving_shift (side, contrast, task[,
        model])``. The curve ends where fewer than 50 effective units are left, at the
        most extreme unit, or at 3 sd: where ``turns`` is false, the tipping point lies
        beyond the range of these units. `causalgia.report` says where each verdict holds.

    Raises
    ------
    EstimateError
        If `by` is not one finite number for each unit that varies, there are fewer than
        50 (effective) independent units, the trial is parallel, or the contrast is a
        function of means, which has no effects of single units.
    EstimateError
        If no ROPE is given or stored, or it is that of placebos and differs
        between members of an ensemble.
    EstimateError
        If there is no such contrast.
    DataError
        If estimates are given, which have no units.

    Notes
    -----
    *Estimand*: :math:`\theta(s) = E[Y e^{\lambda x}] / E[e^{\lambda x}]`
    with :math:`\lambda` such that the tilted mean of x lies s sd from its mean, mean
    and sd being those of the null model that was run. Among all null models with that
    mean of x it is the nearest in relative entropy; it changes along x alone, and
    applies to the sequences that were drawn: words that none of them has stay absent.
    For a classifier's log odds of real against drawn sequences, tilt 1 is the
    distribution of the real ones.

    *Error*: the influence of each unit on the ratio, on :math:`\lambda`, and on the
    mean and sd of x, summed by cluster (CR2), with Satterthwaite degrees of freedom and
    Hall's correction for skewness; at s = 0 it is that of `causalgia.estimate` for the
    population of units, each counting once. Each shift is a table of the contrasts that
    were asked for, and its verdicts are those of `causalgia.decide` on estimates. 95 %
    intervals cover .94 to .96 where the effect is linear in x or does not depend on it,
    and .92 where it grows exponentially, down to 50 effective units (the page
    "Validation").

    Each verdict and interval along the curve holds by itself, not for the whole curve
    at once.

    A verdict also turns to undecided as effective units become few; ``leaving_shift``
    is where the ACE itself first lies in another region (above, inside or below the
    ROPE), if ``leaves``.

    References
    ----------
    Kish (1965), Survey Sampling, section 11.7: the effective size. Hainmueller (2012),
    doi:10.1093/pan/mpr025: weights of least divergence for a given mean.

    Examples
    --------
    >>> import causalgia as cg
    >>> sites = cg.FunctionPredictor(
    ...     lambda x: 2 * x[:, 1:3].mean((1, 2)) * (x[:, 0, 9] - x[:, 3, 9]),
    ...     tasks=["K562"],
    ... )
    >>> arms = {"T": cg.Embed("T", at=9), "A": cg.Embed("A", at=9)}
    >>> design = cg.Design(null=cg.Uniform(length=20), arms=arms, n_units=600)
    >>> outcomes = cg.run(design, sites, rng=0)
    >>> found = tipping_point(outcomes, contrast="A - T", rope=(-0.8, 0.8))
    >>> found["tipping_shift"].values.ravel(), found["turns_to"].values.ravel().tolist()
    (array([-0.7,  1.7]), ['undecided', ''])
    """
    stored = (
        analysis_in_attrs(outcomes.attrs)
        if isinstance(outcomes, xr.Dataset)
        else Analysis()
    )
    scale = stored.scale if scale is None else scale
    effects = _requested_effects(outcomes, contrast, scale, control)
    if about(effects, None).model_is == "replicates":
        raise EstimateError(
            "tipping_point weights predictions, and these activities were measured; "
            "use their estimates"
        )
    ice = individual_effects(effects, "tipping_point")
    x, label = _unit_values(outcomes, by)
    cluster = stored.cluster if cluster is None else cluster
    groups = clusters(effects, Request(cluster, None, (), "population", "units"))
    codes, kind = (None, "unit") if groups is None else (groups.codes, groups.name)
    base = estimate(effects, cluster=cluster, target="population")
    request = Rope.parse(stored.region if rope is None else rope)
    region = None
    if request.of_placebos:
        whole = estimate(_requested_effects(outcomes, None, scale, control))
        region, ends = _region_in_numbers(request, whole, base)
        request = Rope.parse(ends)
    z, mean, sd = standardized(x)
    tilts = _tilts(z, codes, kind)
    curve = _curve(base, ice, z, tilts, codes)
    decisions = _decide_along(
        curve,
        stored.family,
        rope=request,
        ci_prob=stored.ci_prob if ci_prob is None else ci_prob,
        error=stored.error,
        largest=stored.largest,
    )
    if region is not None:
        decisions = decisions.assign(
            verdict=decisions["verdict"].copy(
                data=in_words_of(region, decisions["verdict"].to_numpy())
            )
        ).assign_attrs(rope=region.label, rope_kind=region.kind)
    return _tipping_dataset(
        base,
        curve,
        decisions.assign_attrs(error=stored.error),
        tilts,
        codes,
        (label, mean, sd),
    )


def _decide_along(curve: xr.Dataset, family: str | None, **how: Any) -> xr.Dataset:
    """Return decisions on a curve, of which each tilt is a table of its own, with the
    families of the analysis.
    """
    if family not in (None, "task") and family in curve.coords:
        tilts, groups = (curve[name].to_numpy().astype(str) for name in (_TILT, family))
        joint = [f"{tilt}, {group}" for tilt, group in zip(tilts, groups, strict=True)]
        curve = curve.assign_coords({_TILT: ("contrast", joint)})
    if family != "task":
        return decide(curve, family=_TILT, shrink=None, **how)
    rope, parts = how.pop("rope"), []
    for i, task in enumerate(curve["task"].to_numpy()):
        own = rope
        if rope.kind == "by task":
            own = Rope(rope.kind, tuple(x for x in rope.value if x[0] == str(task)))
        part = curve.isel(task=[i])
        parts.append(decide(part, family=_TILT, shrink=None, rope=own, **how))
    attrs = parts[0].attrs | (
        attributes(rope="; ".join(dict.fromkeys(about(x).rope for x in parts)))
    )
    return xr.concat(parts, "task", combine_attrs="override").assign_attrs(attrs)


def _requested_effects(
    outcomes: xr.Dataset, requested: Any, scale: Scale, control: str | None = None
) -> xr.Dataset:
    """Return the effects of contrasts given by the names of stored ones, or as
    `causalgia.contrast` takes them.
    """
    if (
        isinstance(outcomes, xr.Dataset)
        and "ace" in outcomes
        and "unit" not in outcomes.dims
    ):
        raise DataError(
            "tipping_point weights the units again, and these are estimates, which "
            "have none: give the outcomes of cg.run (or the effects of "
            "cg.contrast) that they were made from"
        )
    if (
        isinstance(outcomes, xr.Dataset)
        and keeps_effects(outcomes)
        and "outcome" not in outcomes
    ):
        if control is not None:
            raise EstimateError(
                f"control={quoted(control)}: these are effects, whose contrasts are "
                "fixed; leave control= out, or give the outcomes",
                argument="control",
            )
        return _selected(outcomes, requested)
    if control is not None:
        return _selected(contrasted(outcomes, control=control, scale=scale), requested)
    if requested is None:
        return contrasted(outcomes, scale=scale)
    if names := as_names(requested):
        try:
            stored = contrasted(outcomes, scale=scale)
        except EstimateError:  # none is stored
            return contrasted(outcomes, contrasts=requested, scale=scale)
        if set(names) <= set(map(str, stored["contrast"].to_numpy())):
            return stored.sel(contrast=list(names))
    return contrasted(outcomes, contrasts=requested, scale=scale)


def _selected(effects: xr.Dataset, requested: Any) -> xr.Dataset:
    """Return the effects of contrasts by their names."""
    there = (
        [str(name) for name in effects["contrast"].to_numpy()]
        if "contrast" in effects.coords
        else []
    )
    if requested is None:
        return effects
    names = as_names(requested)
    if names is None or not set(names) <= set(there):
        raise EstimateError(
            f"contrast={quoted(requested)} is not one of these effects, of the "
            f"contrasts {quoted(there[:20])}; name those",
            argument="contrast",
        )
    return effects.isel(contrast=[there.index(str(name)) for name in names])


def _region_in_numbers(
    rope: Rope, whole: xr.Dataset, base: xr.Dataset
) -> tuple[Region, dict[str, tuple[float, float]]]:
    """Return the region of placebos of all contrasts, and its ends by task, which
    stay along the curve.
    """
    if "model" in whole["ace"].dims:
        raise EstimateError(
            f"rope={quoted(rope.value)} differs between the members of an ensemble; "
            "give rope=(-0.1, 0.1), or the outcomes of one member",
            argument="rope",
        )
    found = rope_region(rope, whole, null_value(whole))
    names = whole["contrast"].to_numpy().astype(str).tolist()
    rows = [
        names.index(name)
        for name in base["contrast"].to_numpy().astype(str).tolist()
        if name in names
    ] or [0]
    lower, upper = found.lower[rows], found.upper[rows]
    if not ((lower == lower[0]).all() and (upper == upper[0]).all()):
        raise EstimateError(
            f"rope={quoted(rope.value)} differs between contrasts of motifs of "
            "other widths; name contrasts of one width",
            argument="rope",
        )
    tasks = map(str, whole["task"].to_numpy())
    ends = zip(lower[0].tolist(), upper[0].tolist(), strict=True)
    return found, dict(zip(tasks, ends, strict=True))


def _unit_values(outcomes: xr.Dataset, by: Any) -> tuple[Array, str]:
    """Return the covariate, shape ``(n,)``, and what it is called."""
    if isinstance(by, str):
        return unit_covariate(outcomes, by, f"by={quoted(by)}"), by
    try:
        called = by(outcomes) if callable(by) else by
    except KeyError as error:
        raise EstimateError(
            f"by asks for {error}, which these outcomes do not have",
            argument="by",
        ) from error
    label = str(
        getattr(by, "__name__", "") if callable(by) else getattr(by, "name", None) or ""
    )
    label = (
        label if label and label.isprintable() and "<" not in label else "the covariate"
    )
    if _has_other_units(called, outcomes):
        raise EstimateError(
            "by has other units than the outcomes, or another order; select or "
            "reindex them alike",
            argument="by",
        )
    try:
        values = np.asarray(called, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise EstimateError(
            f"by is not one number for each unit ({error})",
            argument="by",
        ) from error
    n = outcomes.sizes["unit"]
    if values.shape != (n,):
        raise EstimateError(
            f"by has shape {values.shape}, and there are {n} units",
            argument="by",
        )
    if not np.isfinite(values).all():
        i = int(np.argmax(~np.isfinite(values)))
        raise EstimateError(
            f"unit {unit_name(outcomes, i)}: by= is {values[i]}; repair it"
        )
    if (values == values[0]).all():
        raise EstimateError(
            "by is the same in all units, so that no weights move it; choose what "
            "varies between them",
            argument="by",
        )
    return values, label


def _has_other_units(values: Any, outcomes: xr.Dataset) -> bool:
    if "unit" not in outcomes.coords:
        return False
    if isinstance(
        values, pd.Series
    ):  # of other labels, such as the rows of a table, it is taken by place
        units = outcomes["unit"].to_index()
        return set(values.index) == set(units) and list(values.index) != list(units)
    labeled = (
        isinstance(values, xr.DataArray)
        and values.dims == ("unit",)
        and "unit" in values.coords
    )
    return labeled and not np.array_equal(values["unit"], outcomes["unit"])


def _tilts(z: Array, cluster: Codes | None, kind: str) -> list[Tilt]:
    """Return the tilts from the lowest shift to the highest, as far as units
    suffice.
    """
    still = tilt(z, 0.0)
    n = round(still.effective(cluster), 6)  # of 50 equal weights 49.99999999999999
    if n < LEAST_EFFECTIVE:
        raise EstimateError(
            f"{int(n)} effective {kind}s: a tilted null model takes {LEAST_EFFECTIVE} "
            f"or more; draw more {kind}s"
        )
    sides: list[list[Tilt]] = []
    for sign in (-1.0, 1.0):
        side = [still]
        for k in range(1, round(FURTHEST / STEP) + 1):
            shift = round(sign * k * STEP, 10)
            if not z.min() < shift < z.max():
                break
            side.append(tilt(z, shift, start=side[-1].exponent))
            if side[-1].effective(cluster) < LEAST_EFFECTIVE:
                side.pop()
                break
        sides.append(side[1:])
    return [*sides[0][::-1], still, *sides[1]]


def _curve(
    base: xr.Dataset, ice: Array, z: Array, tilts: list[Tilt], cluster: Codes | None
) -> xr.Dataset:
    """Return estimates with a contrast for each tilt and contrast, in this order, and
    the coordinate of the tilt.
    """
    found = [tilted_mean(ice, z, tilted, cluster) for tilted in tilts]
    drawn = base["n_clusters"].to_numpy()
    still = next(tilted for tilted in tilts if tilted.shift == 0).effective(cluster)
    counts = [
        np.maximum(np.rint(drawn * tilted.effective(cluster) / still), 1)
        for tilted in tilts
    ]
    # Hall's coefficient is skewness / sqrt(clusters), and n_clusters will be the
    # effective number
    skew = [
        _cube_over_square(x.factor) * np.sqrt(n)
        for x, n in zip(found, counts, strict=True)
    ]
    dims, K = base["ace"].dims, base.sizes["contrast"]
    columns = {name: [getattr(x, name) for x in found] for name in ("ace", "se", "df")}
    columns |= {"skewness": skew, "n_clusters": counts}
    data = {name: (dims, np.concatenate(parts)) for name, parts in columns.items()}
    data |= {
        name: (dims, data["n_clusters"][1].astype(np.int64))
        for name in ("n_clusters", "n_units")
    }
    for name in _CARRIED:
        if name in base:
            column = base[name].transpose(*dims, ...)
            values = np.concatenate([column.to_numpy()] * len(tilts))
            data[name] = (tuple(map(str, column.dims)), values)
    steps = np.repeat(np.arange(len(tilts)), K)
    names = [
        f"{step}|{name}"
        for step, name in zip(
            steps, np.tile(base["contrast"].to_numpy(), len(tilts)), strict=True
        )
    ]
    others = {str(name): base[name] for name in dims[1:] if name in base.coords}
    labels: dict[str, Any] = {  # by which a family may be named
        str(name): ("contrast", np.tile(values.to_numpy(), len(tilts)))
        for name, values in base.coords.items()
        if values.dims == ("contrast",) and name != "contrast"
    }
    coords: dict[str, Any] = {
        "contrast": names,
        _TILT: ("contrast", [f"tilt {step}" for step in steps]),
        **others,
        **labels,
    }
    attrs = {k: v for k, v in base.attrs.items() if k != "analysis"}
    curve = xr.Dataset(data, coords=coords, attrs=attrs)
    return (
        curve.assign(below_floor=(dims, is_below_floor(curve)))
        if "floor" in curve
        else curve
    )


def _cube_over_square(factor: Array) -> Array:
    """Return ``sum f^3 / (sum f^2)^1.5`` over rows: the skewness over the root of their
    number; 0 where all are 0.
    """
    peak = np.abs(factor).max(axis=0)
    scaled = factor / np.where(peak > 0, peak, 1.0)
    squares = scaled * scaled
    spread = squares.sum(axis=0) ** 1.5
    return np.asarray(
        np.divide(
            (squares * scaled).sum(axis=0),
            spread,
            out=np.zeros_like(spread),
            where=spread > 0,
        )
    )


def _tipping_dataset(
    base: xr.Dataset,
    curve: xr.Dataset,
    decisions: xr.Dataset,
    tilts: list[Tilt],
    cluster: Codes | None,
    covariate: tuple[str, float, float],
) -> xr.Dataset:
    """Return the curve by shift, and on either side where its verdict turns."""
    label, mean, sd = covariate
    dims, shape = base["ace"].dims, (len(tilts), *base["ace"].shape)
    lower, upper = effect_limits(curve, about(decisions).ci_prob)
    of_curve = {name: curve[name].to_numpy() for name in ("ace", "se", "df")} | {
        "lower": lower,
        "upper": upper,
    }
    of_curve["verdict"] = decisions["verdict"].transpose(*dims).to_numpy()
    data: dict[str, Any] = {
        f"tilted_{k}": (("shift", *dims), v.reshape(shape)) for k, v in of_curve.items()
    }
    shifts, exponents = (
        np.array([getattr(x, name) for x in tilts]) for name in ("shift", "exponent")
    )
    odds = np.exp(exponents)
    data |= {
        name: ("shift", v)
        for name, v in (
            ("covariate_mean", mean + sd * shifts),
            ("tilt", exponents / sd),
            ("odds", odds),
        )
    }
    data["ess"] = ("shift", np.array([x.effective(cluster) for x in tilts]))
    region = {
        end: decisions[f"rope_{end}"].transpose(*dims).to_numpy().reshape(shape)[0]
        for end in ("lower", "upper")
    }
    data |= {f"rope_{end}": (dims, values) for end, values in region.items()}
    ace, start = data["tilted_ace"][1], int(np.argmax(shifts == 0))
    place = (ace > region["upper"]).astype(int) - (ace < region["lower"])
    turns, at, turned = _first_changes(data["tilted_verdict"][1], start)
    leaves, left, _ = _first_changes(place, start)
    turning = {
        "turns": turns,
        "turns_to": np.where(turns, turned, ""),
        "leaves": leaves,
        "leaving_shift": shifts[left],
    }
    turning |= {
        f"tipping_{k}": v[at]
        for k, v in (
            ("shift", shifts),
            ("covariate", mean + sd * shifts),
            ("odds", odds),
        )
    }
    data |= {name: (("side", *dims), values) for name, values in turning.items()}
    own = {*data, "shift", "side"}
    coords = {
        k: c
        for k, c in base.coords.items()
        if k not in own and c.dims and set(c.dims) <= {*dims}
    }
    out = xr.Dataset(
        data,
        coords={**coords, "shift": shifts, "side": list(_SHIFT_SIDES)},
        attrs=base.attrs,
    )
    settings = {name: decisions.attrs[name] for name in ("error", "rope", "rope_kind")}
    of_tilts = {
        "covariate": label,
        "covariate_at_0": mean,
        "covariate_sd": sd,
        "least_ess": LEAST_EFFECTIVE,
    }
    n = {
        "n_units": int(base["n_units"].max()),
        "n_clusters": int(base["n_clusters"].max()),
    }
    return as_result(
        out.assign_attrs(settings | of_tilts | n, ci_prob=about(decisions).ci_prob),
        "tipping",
    )


def _first_changes(
    values: npt.NDArray[Any], start: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp], npt.NDArray[Any]]:
    """Return on either side of `start` whether the values change, at which row first
    (else the last), and to what.
    """
    sides = []
    for rows in (np.arange(start, -1, -1), np.arange(start, len(values))):
        other = values[rows] != values[start]
        at = rows[np.where(other.any(axis=0), other.argmax(axis=0), len(rows) - 1)]
        sides.append(
            (other.any(axis=0), at, np.take_along_axis(values, at[None], axis=0)[0])
        )
    changes, at, new = (np.stack(parts) for parts in zip(*sides, strict=True))
    return changes, at, new


@dataclass(frozen=True)
class Tilt:
    """Weights of n units that move the mean of a standardized covariate.

    Attributes
    ----------
    shift
        Weighted mean of the covariate, in its standard deviations from its mean.
    exponent
        The lambda of ``w_u proportional to exp(lambda z_u)``.
    weights
        Shape ``(n,)``, of sum 1.
    """

    shift: float
    exponent: float
    weights: Array

    def effective(self, cluster: Codes | None = None) -> float:
        """Return Kish's effective number of units, or of clusters:
        ``(sum W)^2 / sum W^2``.

        References
        ----------
        Kish (1965), Survey Sampling, section 11.7.
        """
        parts = self.weights if cluster is None else np.bincount(cluster, self.weights)
        return float(1 / (parts**2).sum())


def standardized(covariate: Array) -> tuple[Array, float, float]:
    """Return the covariate in standard deviations (of n, not n - 1) from its mean, with
    that mean and that sd.

    Examples
    --------
    >>> standardized(np.array([1.0, 3.0]))
    (array([-1.,  1.]), 2.0, 1.0)
    """
    mean = float(covariate.mean())
    away = covariate - mean
    # squares of huge or tiny numbers are no floats
    size = 2.0 ** (np.frexp(np.abs(away).max())[1] - 1)
    sd = float(np.sqrt(((away / size) ** 2).mean()) * size)
    return away / sd, mean, sd


def tilt(z: Array, shift: float, *, start: float = 0.0) -> Tilt:
    """Return the exponential tilt under which the mean of z is `shift`.

    Of all weights with that mean those of ``exp(lambda z)`` are nearest to equal ones
    in relative entropy; lambda is found by Newton's method, bracketed, on the convex
    ``log sum exp(lambda z) - lambda shift``.

    Parameters
    ----------
    z
        Standardized covariate, shape ``(n,)``.
    shift
        Strictly between the least and the largest z.
    start
        Where the search for lambda begins, such as that of a neighboring shift.

    Raises
    ------
    EstimateError
        If no weights reach that mean.

    References
    ----------
    Hainmueller (2012), doi:10.1093/pan/mpr025: entropy balancing of a mean.

    Examples
    --------
    >>> tilted = tilt(np.array([-1.0, 1.0]), 0.5)
    >>> tilted.weights.round(6), round(tilted.exponent, 6)
    (array([0.25, 0.75]), 0.549306)
    """
    if not z.min() < shift < z.max():
        raise EstimateError(
            f"no weights of these units move the covariate by {shift:.3g} sd: it lies "
            f"between {z.min():.3g} and {z.max():.3g} sd; ask for less"
        )
    exponent, least, most = start, -np.inf, np.inf
    for _ in range(_MOST_BISECTIONS):
        weights = np.exp(exponent * z - (exponent * z).max())
        weights /= weights.sum()
        mean = float(weights @ z)
        if abs(shift - mean) <= _SHIFT_TOLERANCE * max(1.0, abs(shift)):
            return Tilt(shift, exponent, weights)
        least, most = (exponent, most) if mean < shift else (least, exponent)
        spread = float(weights @ (z - mean) ** 2)
        further = exponent + float(
            np.clip((shift - mean) / max(spread, np.finfo(float).tiny), -1.0, 1.0)
        )
        exponent = further if least < further < most else (least + most) / 2
    raise EstimateError(
        f"the tilt that moves the covariate by {shift:.3g} sd was not found; ask for "
        "less"
    )


def tilted_mean(
    ice: Array, z: Array, tilted: Tilt, cluster: Codes | None = None
) -> Estimate:
    r"""Estimate the average effect under a null model whose covariate is moved by a
    number of standard deviations.

    The estimand is :math:`\theta(s) = E[Y e^{\lambda z}] / E[e^{\lambda z}]`
    with :math:`\lambda` such that the mean of z is s under the tilt; mean and sd of the
    covariate, :math:`\lambda` and the ratio are all estimated. The influence of unit u
    is :math:`w_u (Y_u - \hat\theta - \beta (z_u - s)) + \beta (z_u + s (z_u^2 - 1) / 2)
    / n`, with :math:`\beta` the weighted slope of Y on z. Influences are summed by
    cluster and scaled as CR2 does for a weighted mean, with Satterthwaite degrees of
    freedom: at s = 0 this is `causalgia.estimation.crossover.mean_ice`.

    Parameters
    ----------
    ice
        Individual effects Y, shape ``(n, ...)``.
    z
        Standardized covariate, shape ``(n,)``.
    tilted
        Its `tilt`.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. All are present; without it
        each unit is one.

    Raises
    ------
    EstimateError
        With fewer than two clusters.

    References
    ----------
    Hajek (1971), in Foundations of Statistical Inference, 236: the ratio. Bell &
    McCaffrey (2002), Survey Methodology 28(2), 169-181: the scale and the degrees of
    freedom.

    Examples
    --------
    >>> y, z = np.array([1.0, 2.0, 4.0, 9.0]), np.array([-1.0, 1.0, -1.0, 1.0])
    >>> flat, moved = (tilted_mean(y, z, tilt(z, s)) for s in (0.0, 0.5))
    >>> flat.ace, flat.se.round(4), flat.df.round(6), moved.ace.round(6)
    (np.float64(4.0), np.float64(1.7795), np.float64(3.0), np.float64(4.75))
    """
    w, s, n = tilted.weights, tilted.shift, len(z)
    share: Array = w if cluster is None else np.bincount(cluster, w).astype(np.float64)
    if len(share) < 2:
        raise EstimateError(
            f"{len(share)} cluster gives no spread between clusters; two or more are "
            "needed"
        )
    shifted = ice - ice[0]
    mean = np.tensordot(w, shifted, axes=1)
    residuals = shifted - mean
    aside = z - s
    slope = np.tensordot(w * aside, residuals, axes=1) / float(w @ aside**2)
    of_mean, of_moments = (
        x.reshape(-1, *[1] * (ice.ndim - 1)) for x in (w, (z + s * (z**2 - 1) / 2) / n)
    )
    along = aside.reshape(-1, *[1] * (ice.ndim - 1))
    influence = of_mean * residuals + (of_moments - of_mean * along) * slope
    squares: Array = (
        w**2 if cluster is None else np.bincount(cluster, w**2).astype(np.float64)
    )
    whole = float((w**2).sum())
    scale: Array = (1 - 2 * share + share**2 * whole / squares) ** -0.5
    sums = influence if cluster is None else group_sums(influence, cluster)
    factor = sums * scale.reshape(-1, *[1] * (ice.ndim - 1))
    return from_factor(
        (mean + ice[0])[()], factor, _weighted_mean_df(share, squares, scale)
    )


def _weighted_mean_df(share: Array, squares: Array, scale: Array) -> float:
    """Return Satterthwaite df of the scaled influences of a weighted mean under
    independent errors of one variance.

    Their covariance is ``D - u v' - v u' + Q u u'`` with ``D = diag(scale^2 squares)``,
    ``u = scale share``, ``v = scale squares`` and ``Q = sum squares``:
    ``tr^2 / tr(.^2)`` of it, in O(G).
    """
    diagonal, Q = scale**2 * squares, squares.sum()
    U = np.stack([scale * share, scale * squares], axis=1)
    middle = np.array([[-Q, 1.0], [1.0, 0.0]])
    turned = U @ middle
    gram = U.T @ U @ middle
    trace = diagonal.sum() - (turned * U).sum()
    of_square = (
        (diagonal**2).sum()
        - 2 * (diagonal[:, None] * turned * U).sum()
        + np.trace(gram @ gram)
    )
    return float(trace**2 / of_square)
