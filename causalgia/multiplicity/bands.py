"""Simultaneous confidence bands over a family of contrasts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import special

from causalgia.analysis import exploratory_attrs
from causalgia.attributes import about, attributes
from causalgia.checks import as_ci_prob, nearest
from causalgia.choices import BANDS, Band
from causalgia.effect_table import (
    blanked,
    folded,
    has_positions,
    rows_measured,
    unfolded,
)
from causalgia.errors import (
    EstimateError,
    quoted,
)
from causalgia.estimation.given_table import has_effects
from causalgia.estimation.ratios import WorkingScale, open_ends, with_stored_ends
from causalgia.estimation.request import (
    FEW_CLUSTERS,
    at_least_floor,
    check_cluster_name,
)
from causalgia.multiplicity.families import (
    JointEstimates,
    as_joint_estimates,
    band_families,
)
from causalgia.multiplicity.joint_methods import (
    Rarity,
    dunnett,
    rare_in_arms,
    rarity,
    sup_t,
)
from causalgia.multiplicity.maxima import largest_among
from causalgia.notes import with_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.schema import annotate
from causalgia.streams import RNG, Seed
from causalgia.types import Array, Codes, EstimateTable


@usual_errors
def simultaneous(
    estimates: EstimateTable,
    *,
    method: Band = "auto",
    ci_prob: float = 0.95,
    over: Literal["contrast", "position"] = "contrast",
    family: str | None = None,
    n_draws: int = 9_999,
    cluster: str = "auto",
    rng: RNG | None = None,
) -> xr.Dataset:
    """Return intervals that hold for all rows of a family together, with probability
    `ci_prob`.

    Also the band of curves: ``over="position"`` returns intervals that hold at all
    positions of profiles together. The interval is ``ace -+ critical * se`` with one
    critical value for a family, the quantile of the largest ``|t|`` of a multivariate t
    with the estimates' correlation, through a shared control and shared units; where
    the estimates do not say how tasks correlate, each takes an equal part of the error.
    It does not allow for skewed effects, as the verdicts of `causalgia.decide` do, of
    which ``error="fwer"`` holds for a family together.

    Parameters
    ----------
    estimates
        Effects from `contrast`, or any Dataset with ``ice (unit, contrast, task)``,
        estimated first; estimates; or a table with columns ``effect`` and ``se``
        (independent).
    method
        ``"dunnett"`` (``"auto"``) or ``"bonferroni"``; of curves ``"auto"`` is
        ``"sup_t"`` from 20 clusters on, else ``"bonferroni"``, and a note of the result
        says so.
    ci_prob
        Probability of the intervals. All of a family hold together with it.
    over
        ``"position"``: a band of curves, of effects (or estimates) with a dim
        ``position``.
    family
        The rows that hold together, as in `causalgia.decide`. None: all rows of the
        question (contrasts by tasks, without placebos), of curves at all positions;
        ``"task"``: those of one task; a coordinate on contrast (or ``"contrast"``):
        those that share its value. A helper row is one by itself.
    n_draws
        Draws of ``"sup_t"``. No other method uses it: ``"dunnett"`` integrates, or
        simulates 65,535 draws.
    cluster
        Units that vary together.
    rng
        Seed (0 is a seed), Generator or SeedSequence; without it a fixed one.

    Returns
    -------
    Dataset
        The estimates with ``lower``, ``upper`` and ``critical`` of the band, an end
        open where ``unbounded`` is true; of a curve also ``n_differing``, ``few_units`` and
        ``unseen`` (see Notes); attrs ``band`` (the method that ``"auto"`` chose),
        ``family``, ``ci_prob``, ``n_draws`` and ``seed``.

    Raises
    ------
    EstimateError
        If the method cannot make a band of these data, naming the cure; of
        ``target="units"``, where nothing is sampled.

    Notes
    -----
    ``"bonferroni"`` divides the error of a t interval by the number of contrasts. An
    exact contrast (its ICE do not vary) gets the point. The band of a ratio is that of
    its logarithm, ``exp(log ace -+ critical * se / ace)``, of both Fieller's at the
    critical value where a mean is not clear of 0.

    ``"sup_t"`` is the band of Montiel Olea & Plagborg-Moller: the quantile of the
    largest ``|t|`` of a Gaussian multiplier bootstrap of the clusters, `n_draws` times,
    over a common ``sqrt(chi2 / df)``. It needs the sums of clusters alone, which
    estimates of curves keep (`factor`), also those of ``keep="moments"``. Where eight
    or fewer clusters differ from the others at a position it has no t, and the rule of
    three bounds it, as below. The mean curve over predictors, too
    (``target="population x predictors"``), has Bonferroni's band with the fewest
    degrees of freedom at any of its positions, because a handful of predictors agree by
    chance at some of them; and so has the curve of a parallel trial of independent
    units, with the degrees of freedom of each position, and no less than the rule of
    three where the arms do not vary.

    **Rare effects on a curve.** ``few_units`` is true at positions at which few units
    carry the effect: ``n < 25 skewness^2``, or eight or fewer clusters differ
    (``n_differing``). Bands of populations whose samples show such positions cover less
    often than stated, also where a sample happens to show none: an effect that is in
    none of the units, where small effects vary, is in no interval. ``unseen`` is what
    effects in 3 / n of the population, as large as the largest ICE of the curve, could
    add: ``lower - unseen`` to ``upper + unseen`` holds unless rare effects are larger
    than all that were seen. It is several times wider, and shrinks with n.

    References
    ----------
    Dunnett (1955), doi:10.1080/01621459.1955.10501294. Hothorn, Bretz & Westfall (2008),
    doi:10.1002/bimj.200810425. Montiel Olea & Plagborg-Moller (2019),
    doi:10.1002/jae.2656.

    Examples
    --------
    >>> ice = np.random.default_rng(0).exponential(size=(50, 2, 1)) - [[1.0], [0.0]]
    >>> effects = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), ice)},
    ...     coords={"contrast": ["null", "GATA1"], "task": ["K562"]},
    ... )
    >>> band = simultaneous(effects)
    >>> (band["lower"] > 0).values.ravel(), band.attrs["band"], band.attrs["family"]
    (array([False,  True]), 'dunnett', 'these 2 rows')
    """
    curves = _as_curves(estimates, over)
    effects = estimates if curves is None else folded(curves)
    _check_band_method(method)
    ci_prob = as_ci_prob(ci_prob)
    check_cluster_name(cluster, of_units=has_effects(effects))
    joint = as_joint_estimates(effects, cluster)
    used, why = _choose_band(joint, method, curves=curves is not None)
    seed = replace(Seed.parse(0), words="none") if rng is None else Seed.parse(rng)
    table = joint.estimates
    n_positions = 1 if curves is None else curves.sizes["position"]
    sets, label = band_families(table, family, n_positions)
    column = np.arange(table["ace"].size) % (joint.n_columns // n_positions)
    # what has one scale: a task, and of curves each by itself
    own = column if curves is None else _curve_of(joint, column)
    working = joint.working_scale(ci_prob)
    se = working.error.ravel()
    measured = rows_measured(table).ravel()
    sets = [there for rows in sets if (there := rows[measured[rows]]).size]
    half, critical = np.full_like(se, np.nan), np.full_like(se, np.nan)
    for members in sets:
        half[members], critical[members] = _band_half_width(
            joint,
            members,
            own[members],
            used,
            se[members],
            ci_prob,
            n_draws,
            seed.key,
            curve=curves is not None,
        )
    rarity = {} if curves is None else _rarity_columns(joint, own)
    ace = table["ace"]
    lower, upper = band_limits(
        table, working, half.reshape(ace.shape), critical.reshape(ace.shape)
    )
    low, high = open_ends(working.scale, lower, upper)
    columns: dict[str, Any] = {
        "lower": lower,
        "upper": upper,
        "critical": critical.reshape(ace.shape),
    }
    columns |= ({"unbounded": low | high} if (low | high).any() else {}) | rarity
    out = blanked(
        table.assign({name: (ace.dims, values) for name, values in columns.items()})
    )
    out.attrs |= attributes(band=used, family=label, ci_prob=ci_prob, seed=str(seed))
    out.attrs |= attributes(n_draws=n_draws) if used == "sup_t" else {}
    out.attrs |= (
        exploratory_attrs(out.attrs, family=family)
        if curves is None
        else attributes(over="position")
    )
    out = annotate(out if curves is None else unfolded(out, curves))
    return with_notes(out, why) if why else out


def _curve_of(joint: JointEstimates, column: Codes) -> Codes:
    """Return the number of the curve, a contrast in one task, of each estimate."""
    contrast = np.arange(len(column)) // joint.n_columns
    return np.asarray(contrast * (int(column.max()) + 1) + column)


def _as_curves(estimates: Any, over: str) -> xr.Dataset | None:
    """Return the curves for a band over positions, else None; EstimateError where that
    and the dims do not fit.
    """
    if over not in ("contrast", "position"):
        raise EstimateError(
            f"over={quoted(over)} is neither 'contrast' nor 'position'",
            argument="over",
        )
    if has_positions(estimates) == (over == "position"):
        return estimates if over == "position" else None
    if over == "contrast":
        raise EstimateError("these are curves, with a dim 'position'")
    raise EstimateError(
        "over='position' needs effects with a dim 'position', of a predictor "
        "that answers a track: cg.TorchPredictor(..., track=cg.Track(...))",
        argument="over",
    )


def _choose_band(
    joint: JointEstimates, method: str, *, curves: bool
) -> tuple[str, str | None]:
    """Return the method of the band, and the reason where it depends on the number of
    clusters.
    """
    if method == "sup_t" and not curves:
        raise EstimateError(
            "method='sup_t' is the band of a curve, over='position'",
            argument="method",
        )
    if curves and _drawn_predictors(joint):
        if method not in ("auto", "bonferroni"):
            raise EstimateError(
                f"method={quoted(method)} is of units, and the error of this curve "
                "comes from the predictors as well",
                argument="method",
            )
        why = "band by Bonferroni's t with the fewest degrees of freedom of the curve"
        return (
            "bonferroni",
            f"{why}, because few predictors agree by chance at some positions",
        )
    if curves and _arms_alone(joint):
        if method not in ("auto", "bonferroni"):
            raise EstimateError(
                f"method={quoted(method)} needs the effects of units, and a parallel "
                "trial has none",
                argument="method",
            )
        return (
            "bonferroni",
            "parallel trial: band by Bonferroni's t, because no unit has an effect of "
            "its own",
        )
    if method == "auto" and curves:
        few = int(joint.numbers("n_clusters").min()) < FEW_CLUSTERS
        return (
            ("bonferroni", "few clusters: band by Bonferroni's t")
            if few
            else ("sup_t", None)
        )
    return "dunnett" if method == "auto" else method, None


def _drawn_predictors(joint: JointEstimates) -> bool:
    """Return whether the errors are over predictors, too."""
    return about(joint.estimates, None).target == "population x predictors"


def _arms_alone(joint: JointEstimates) -> bool:
    """Return whether the pieces of the errors are those of arms, which do not tell how
    positions correlate.
    """
    e = joint.estimates
    if about(e, "").assignment != "parallel":
        return False
    return "factor" not in e or e.sizes["cluster"] != int(
        joint.numbers("n_clusters").max()
    )


def _rarity_columns(joint: JointEstimates, curve: Codes) -> dict[str, npt.NDArray[Any]]:
    """Return what the units of each curve say about rare effects, in the shape of
    ``ace``; nothing if unknown.
    """
    ace = joint.estimates["ace"]
    sets = [np.flatnonzero(curve == one) for one in np.unique(curve)]
    found = [] if _arms_alone(joint) else [rarity(joint, members) for members in sets]
    if not found or any(one is None for one in found):
        return {}
    columns: dict[str, npt.NDArray[Any]] = {}
    for name in Rarity._fields:
        parts = [np.asarray(getattr(one, name)) for one in found]
        columns[name] = np.empty(ace.size, dtype=parts[0].dtype)
        for members, part in zip(sets, parts, strict=True):
            columns[name][members] = part
    return {name: values.reshape(ace.shape) for name, values in columns.items()}


def _band_half_width(
    joint: JointEstimates,
    members: Codes,
    scale: Codes,
    method: str,
    se: Array,
    ci_prob: float,
    n_draws: int,
    key: int,
    *,
    curve: bool,
) -> tuple[Array, Array]:
    """Return half-widths of a family's intervals, and the same in standard errors;
    `scale` numbers the task, or the curve, of each member.
    """
    if method == "bonferroni":
        df = joint.working_scale(ci_prob).df.ravel()[members]
        if curve and _drawn_predictors(
            joint
        ):  # by chance predictors agree at some positions
            df = -largest_among(-df, scale)
        critical = np.asarray(
            -special.stdtrit(df, (1 - ci_prob) / 2 / len(members)), dtype=float
        )
        if curve and _arms_alone(joint):
            return np.maximum(
                critical * se, rare_in_arms(joint, members, scale, ci_prob=ci_prob)
            ), critical
        return critical * se, critical
    if method == "sup_t":
        return sup_t(joint, members, scale, ci_prob=ci_prob, n_draws=n_draws, key=key)
    critical = dunnett(joint, members, ci_prob=ci_prob, key=key)
    return critical * se, critical


def band_limits(
    estimates: xr.Dataset, working: WorkingScale, half: Array, critical: Array
) -> tuple[Array, Array]:
    """Return the limits of a band of half widths on the working scales, which are so
    many standard errors.

    Examples
    --------
    >>> from causalgia.estimation.ratios import working_scale_of
    >>> one = xr.Dataset(
    ...     {"ace": ("contrast", [1.0]), "unbounded": ("contrast", [True])}
    ... )
    >>> working = working_scale_of(
    ...     one, np.array([1.0]), np.array([0.5]), np.array([np.inf]), 0.95
    ... )
    >>> band_limits(one, working, np.array([1.2]), np.array([2.4]))
    (array([-inf]), array([inf]))
    """
    limits = at_least_floor(estimates, *working.around(half, critical))
    return with_stored_ends(estimates, *limits)


def _check_band_method(method: str) -> None:
    if method not in BANDS:
        hint = nearest(str(method), BANDS)
        raise EstimateError(
            f"method {quoted(method)} is not one of "
            f"{', '.join(map(quoted, BANDS))}{hint}"
        )
