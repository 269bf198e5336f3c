"""Simultaneous confidence bands over a family of contrasts."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy import special

from causalgia.analysis import exploratory_attrs
from causalgia.choices import BANDS, Band
from causalgia.errors import EstimateError, quoted
from causalgia.estimation.arithmetic_floor import at_least_floor
from causalgia.estimation.request import as_ci_prob, check_cluster_name
from causalgia.multiplicity.families import (
    JointEstimates,
    as_joint_estimates,
    families,
    family_label,
    units_to_resample,
)
from causalgia.multiplicity.joint_methods import bootstrap_or_bound, by_bootstrap, by_multivariate_t
from causalgia.notes import with_notes
from causalgia.schema import annotate, keeps_effects
from causalgia.streams import RNG, root_key
from causalgia.types import Array, Codes


def simultaneous(
    estimates: Any,
    *,
    method: Band = "auto",
    ci_prob: float = 0.95,
    family: str | None = None,
    n_draws: int = 9_999,
    cluster: str = "auto",
    rng: RNG | None = None,
) -> xr.Dataset:
    """Return intervals that hold for all contrasts of a family together, with probability `ci_prob`.

    The interval is ``ace -+ critical * se`` with one critical value for a family, the quantile of the largest ``|t|``.
    ``"bootstrap_t"`` finds it by resampling clusters and holds for skewed effects; ``"dunnett"`` uses the multivariate
    t of the estimates' covariance, for near-normal effects, parallel trials and estimates from elsewhere. Both account
    for the correlation through a shared control and shared units.

    Parameters
    ----------
    estimates
        Effects from `contrast`, or any Dataset with ``ice (unit, contrast, task)``, estimated first; for ``"dunnett"``
        and ``"bonferroni"`` also estimates, or a table with columns ``effect`` and ``se`` (for ``"dunnett"`` then
        independent).
    method
        ``"bootstrap_t"``, ``"dunnett"``, ``"bonferroni"``, or ``"auto"``: ``"bootstrap_t"`` of 20 clusters or more,
        else ``"bonferroni"``, and a note of the result says so.
    ci_prob
        Probability that all intervals of a family hold.
    family
        None: all contrasts of one task (and model); the name of a coordinate on contrast, whose values are the families
        inside one task; ``"all"``: every estimate of the Dataset.
    n_draws
        Resamples of ``"bootstrap_t"``.
    cluster
        For effects, as in `estimate`: the units that are resampled together.
    rng
        Seed, Generator or SeedSequence; needed by ``"bootstrap_t"``, and so by ``"auto"`` from 20 clusters on.
        ``"dunnett"`` integrates with a fixed seed without it.

    Returns
    -------
    Dataset
        The estimates with ``lower``, ``upper`` and ``critical`` of the band, infinite where ``unbounded`` is true;
        attrs ``band`` (the method that ``"auto"`` chose), ``family``, ``ci_prob``, ``n_draws`` and ``seed``.

    Raises
    ------
    EstimateError
        If the method cannot make a band of these data (sign flips never do), naming the cure; of a ratio, where a mean
        is within about six standard errors of 0; of ``target="units"``, where nothing is sampled.
    RandomnessError
        If ``"bootstrap_t"`` has no `rng`.

    Notes
    -----
    ``"bonferroni"`` divides the error of a t interval by the number of contrasts. ``"auto"`` uses it below 20 clusters,
    where resamples are too alike for the bootstrap-t (with 200 normal contrasts of 5 clusters its critical value is
    about 200, Bonferroni's 12). The band of a ratio is that of its logarithm, ``exp(log ace -+ critical * se / ace)``.

    An exact contrast (its ICE do not vary) gets the point from ``"dunnett"`` and ``"bonferroni"``, and from
    ``"bootstrap_t"`` the rule-of-three band: about ``log(K / (1 - ci_prob)) / G`` (3 / G for one contrast of G
    clusters) times the largest deviation of an ICE in its family, which is the point only where nothing in the family
    varies. Where too few clusters differ from a common ICE for a t, their number gives the band (`bootstrap_t_max`). An
    effect that was not drawn is assumed to be at most the family's largest deviation: a contrast with a rare effect
    many times larger than all others belongs in a family of its own, else its band may be too narrow.

    References
    ----------
    Romano & Wolf (2005), doi:10.1198/016214504000000539. Dunnett (1955), doi:10.1080/01621459.1955.10501294. Hothorn,
    Bretz & Westfall (2008), doi:10.1002/bimj.200810425.

    Examples
    --------
    >>> ice = np.random.default_rng(0).exponential(size=(50, 2, 1)) - [[1.0], [0.0]]
    >>> effects = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), ice)}, coords={"contrast": ["null", "GATA1"], "task": ["K562"]}
    ... )
    >>> band = simultaneous(effects, rng=0)
    >>> (band["lower"] > 0).values.ravel(), band.attrs["band"], band.attrs["family"]
    (array([False,  True]), 'bootstrap_t', 'the contrasts of one task')
    """
    _check_band_method(method)
    ci_prob = as_ci_prob(ci_prob)
    check_cluster_name(cluster, of_units=keeps_effects(estimates))
    joint = as_joint_estimates(estimates, cluster, ci_prob)
    used, why = _choose_band(joint, method)
    needs_rng = used == "bootstrap_t"
    key = root_key(0 if rng is None and not needs_rng else rng)  # type: ignore[arg-type]  # None is refused there
    table = joint.estimates
    sets, label = families(table, family, table["ace"].shape), family_label(family, table["ace"])
    working = joint.working_scale(ci_prob)
    se = working.error.ravel()
    half, critical = np.empty_like(se), np.empty_like(se)
    for members in sets:
        half[members], critical[members] = _band_half_width(joint, members, used, se[members], ci_prob, n_draws, key)
    ace = table["ace"]
    open_ended, ends = joint.open_ended(ci_prob), working.around(half.reshape(ace.shape))
    lower, upper = at_least_floor(table, *ends)
    limits = {"lower": np.where(open_ended, -np.inf, lower), "upper": np.where(open_ended, np.inf, upper)}
    limits |= {"critical": critical.reshape(ace.shape)} | ({"unbounded": open_ended} if open_ended.any() else {})
    out = table.assign({name: (ace.dims, values) for name, values in limits.items()})
    out.attrs |= {
        "band": used,
        "family": label,
        "ci_prob": ci_prob,
        "seed": seed_label(rng),
    }
    out.attrs |= {"n_draws": n_draws} if used == "bootstrap_t" else {}
    out.attrs |= exploratory_attrs(out.attrs, family=family)
    return annotate(with_notes(out, *([why] if why else [])))


def _choose_band(joint: JointEstimates, method: str) -> tuple[str, str | None]:
    """Return the method of the band, and the reason where it depends on the number of clusters."""
    if method == "auto":
        n_clusters = units_to_resample(joint, "bootstrap_t").n_clusters
        return bootstrap_or_bound(n_clusters, bounds="bonferroni", takes="band by Bonferroni's t")
    if method == "bootstrap_t":
        units_to_resample(joint, method)
    return method, None


def _band_half_width(
    joint: JointEstimates, members: Codes, method: str, se: Array, ci_prob: float, n_draws: int, key: int
) -> tuple[Array, Array]:
    """Return half-widths of a family's intervals, and the same in standard errors."""
    if method == "bonferroni":
        df = joint.working_scale(ci_prob).df.ravel()[members]
        critical = np.asarray(-special.stdtrit(df, (1 - ci_prob) / 2 / len(members)), dtype=float)
        return critical * se, critical
    if method == "bootstrap_t":
        units = units_to_resample(joint, method)
        result = by_bootstrap(units, members, se=se, ci_prob=ci_prob, n_draws=n_draws, key=key)
    else:
        result = by_multivariate_t(joint, members, ci_prob=ci_prob, key=key)
    return result.half_width, result.critical


def seed_label(rng: RNG | None) -> str:
    """Return the name of a source of randomness in attrs: the seed, a type, or "none"."""
    if rng is None:
        return "none"
    return str(int(rng)) if isinstance(rng, int | np.integer) else type(rng).__name__


def _check_band_method(method: str) -> None:
    if method == "sign_flip":
        raise EstimateError(
            "method='sign_flip' makes no band: flips test whether all ICE are symmetric about 0, and hold at no other "
            "value of skewed effects; use method='bootstrap_t' (or adjust(method='sign_flip') for the test)"
        )
    if method not in BANDS:
        raise EstimateError(f"method {quoted(method)} is none of {', '.join(map(quoted, BANDS))}")
