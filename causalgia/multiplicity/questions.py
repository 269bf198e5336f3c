"""What a labelled verb was given: estimates of anybody's, or effects whose units can be resampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from causalgia.analysis import beyond
from causalgia.errors import EstimateError
from causalgia.estimation import as_estimates, estimate, mean_ice
from causalgia.estimation.crossover_targets import settled
from causalgia.estimation.moments import Array, Codes
from causalgia.estimation.request import Request, clusters
from causalgia.multiplicity.multivariate import correlation_factor


@dataclass(frozen=True)
class Units:
    """ICE that can be resampled.

    Attributes
    ----------
    ice
        ICE minus the value of no effect, shape ``(n, K R)``: contrasts by tasks (and models), read row by row.
    cluster
        Cluster of each unit, shape ``(n,)``, or None where each is its own.
    """

    ice: Array
    cluster: Codes | None

    @property
    def n_clusters(self) -> int:
        """Independent clusters."""
        return len(self.ice) if self.cluster is None else int(self.cluster.max()) + 1

    def of(self, members: Codes) -> Array:
        """ICE of some contrasts, shape ``(n, m)``."""
        return self.ice if len(members) == self.ice.shape[1] else self.ice[:, members]


@dataclass(frozen=True)
class Questions:
    """Estimates, and the units behind them where there are any.

    Attributes
    ----------
    estimates
        With ``ace`` and ``se``.
    units
        None for estimates without effects, and for parallel trials.
    """

    estimates: xr.Dataset
    units: Units | None

    @property
    def effect(self) -> Array:
        """ACE minus the value of no effect, shape ``(K R,)``: what a test asks about."""
        return self.numbers("ace") - null_value(self.estimates)

    def numbers(self, name: str) -> Array:
        """Return a variable of the estimates, shape ``(K R,)``; infinite df where there are none."""
        if name == "df" and "df" not in self.estimates:
            return np.full(self.estimates["ace"].size, np.inf)
        return np.asarray(self.estimates[name].to_numpy(), dtype=np.float64).ravel()

    def factor_of(self, members: Codes) -> Array | None:
        """Return a factor (G, m) of the correlation of some estimates, all with se > 0; None: independent errors."""
        e, n_columns = self.estimates, int(np.prod(self.estimates["ace"].shape[1:]))
        if "factor" in e:
            return np.asarray(e["factor"].to_numpy()).reshape(e.sizes["cluster"], -1)[:, members]
        if "covariance" not in e:
            return None
        row, column = np.divmod(members, n_columns)
        if (column == column[0]).all():
            v = e["covariance"].to_numpy().reshape(e.sizes["contrast"], e.sizes["contrast"], -1)[..., column[0]]
            v = v[np.ix_(row, row)]
            sd = np.sqrt(np.diagonal(v))
            return correlation_factor(np.clip(v / sd / sd[:, None], -1.0, 1.0))
        if self.units is None:
            raise EstimateError(
                "the estimates do not say how tasks (or models) correlate, which one family over them needs; give the "
                "effects from cg.contrast, or take each task as a family (family=None)"
            )
        return mean_ice(self.units.of(members), self.units.cluster).factor


def asked(given: Any, cluster: str | None) -> Questions:
    """Take effects, which are estimated first, or estimates, or a table with ``effect`` and ``se``."""
    if not has_effects(given):
        return Questions(with_errors(as_estimates(given)), None)
    estimates = with_errors(estimated(given, cluster))
    if "ice" not in given:
        return Questions(estimates, None)
    groups = clusters(given, Request(cluster, None, (), "population", "units"))
    ice = settled(given) - null_value(given)
    return Questions(estimates, Units(ice.reshape(len(ice), -1), None if groups is None else groups.codes))


def estimated(effects: xr.Dataset, cluster: str | None) -> xr.Dataset:
    """Estimate effects on the way to a verb of its own: of all that `estimate` may be asked, it was asked `cluster`."""
    found = estimate(effects, cluster=cluster)
    found.attrs = {name: value for name, value in found.attrs.items() if name != "exploratory"}
    return found.assign_attrs(beyond(effects.attrs, cluster=cluster))


def null_value(dataset: xr.Dataset) -> float:
    """Return what no effect is on the contrast's scale: 1 for ratios, by attrs["null_value"], and 0 elsewhere.

    Examples
    --------
    >>> null_value(xr.Dataset()), null_value(xr.Dataset(attrs={"null_value": 1}))
    (0.0, 1.0)
    """
    return float(dataset.attrs.get("null_value", 0.0))


def has_effects(given: Any) -> bool:
    """Return whether this is a Dataset of effects and not of estimates."""
    if not isinstance(given, xr.Dataset) or "ace" in given:
        return False
    return "ice" in given or {"outcome", "assigned"} <= set(given.variables)


def with_errors(estimates: xr.Dataset) -> xr.Dataset:
    """Refuse estimates without contrasts or without standard errors."""
    if estimates["ace"].size == 0:
        raise EstimateError("the estimates have no contrasts (or tasks); the selection before this left none")
    if "se" not in estimates:
        raise EstimateError(
            "the estimates have no standard errors, because one unit gives no standard error; use more units"
        )
    return estimates


def require_units(questions: Questions, method: str) -> Units:
    """Return the units, or say why there are none and what to do."""
    if questions.units is None:
        parallel = questions.estimates.attrs.get("assignment") == "parallel"
        why = "a parallel trial has no ICE" if parallel else "these estimates no longer have them"
        cure = (
            "" if parallel else "give the effects from cg.contrast, or any Dataset with ice (unit, contrast, task), or "
        )
        raise EstimateError(f"method={method!r} resamples the ICE of units, and {why}; {cure}use method='dunnett'")
    return questions.units
