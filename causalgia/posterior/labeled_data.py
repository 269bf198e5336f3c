"""Labeled data of the engines: families of estimates in, and the groups of the tree of
a posterior out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.analysis_values import Prior
from causalgia.attributes import attributes
from causalgia.checks import as_names, nearest
from causalgia.errors import EstimateError, quoted
from causalgia.estimation._from_effects import as_estimates
from causalgia.estimation.arm_columns import OF_OWN_ARMS
from causalgia.estimation.crossover_estimates import placebo_contrasts
from causalgia.posterior.error_covariance import Noise, noises_of
from causalgia.posterior.exact import rescale_prior
from causalgia.posterior.mixture import LEAST_FOR_DEPENDENCE
from causalgia.posterior.two_scales import median_se
from causalgia.types import Array, Codes

if TYPE_CHECKING:
    from causalgia.posterior.engines import FamilyPosterior

_OF_RESULT = (
    *("chain", "draw", "group", "covariate", "family"),
    *(
        "ace",
        "ace_slab",
        "ace_model",
        "mu",
        "beta",
        "tau",
        "tau_gamma",
        "tau_narrow",
        "tau_wide",
        "share_narrow",
    ),
    *(
        "mean",
        "sd",
        "lfsr",
        "lfdr",
        "shrinkage",
        "lower_unshrunken",
        "upper_unshrunken",
    ),
    *("effect", "effect_model", "se", "se_model", "se_estimated", "prior_unit"),
)
_EFFECTS_EACH = 10  # effects for each coefficient of the center
_LOADING_ROUNDING = 1e-8
_DIMS_OF_VARIABLE = {
    "ace": ("contrast", "task"),
    "ace_slab": ("contrast", "task"),
    "mu": ("group", "task"),
    "tau": ("group", "task"),
    "tau_gamma": ("group", "task"),
    "tau_narrow": ("group", "task"),
    "tau_wide": ("group", "task"),
    "share_narrow": ("group", "task"),
    "beta": ("covariate", "group", "task"),
    "ace_model": ("contrast", "task", "model"),
}
_OBSERVED_VARIABLES = (
    *(
        "control_sd",
        "n_units",
        "n_clusters",
        "df",
        "exact",
        "skewness",
        "largest_ice",
        "leverage",
        "floor",
    ),
    *OF_OWN_ARMS,
)
_MOST_WITH_COVARIANCE = 512
_CLEAR_GAIN = 3.0
# of 95 % intervals: standard errors are normal scores of their p
_HALF_WIDTHS = 1.959963984540054


@dataclass(frozen=True, eq=False)
class FamilyData:
    """K effects of one task that are exchangeable beforehand."""

    task: int
    """Place of the task among the tasks."""
    group: int
    """Place of the group among the groups; 0 without."""
    rows: Codes
    """Places of the effects among the contrasts, (K,)."""
    effect: Array
    """Estimates, (K,) on the contrast scale; with several predictors their mean."""
    by_predictor: Array | None
    """Estimates of each predictor, (K, M); None for one."""
    noise: Noise
    """Sampling covariance of `effect`."""
    covariates: Array | None
    """(K, q)."""
    patterns: Array | None
    """Patterns of shared errors as covariates of the effects, (K, p); see
    `shared_patterns`.
    """
    prior: Prior
    """In the unit of the effects."""
    unit: float
    """Unit of the user's prior, on the contrast scale."""

    @property
    def center(self) -> Array | None:
        """Covariates and patterns, (K, q + p); None without."""
        columns = [x for x in (self.covariates, self.patterns) if x is not None]
        return np.hstack(columns) if columns else None


def family_data(
    estimates: xr.Dataset,
    rows: list[Codes],
    covariates: Array | None,
    prior: Prior,
    factors: Callable[[int], int | None] = lambda _: None,
    *,
    law: str = "",
) -> Iterator[FamilyData]:
    """Yield the data of each family: each task and each group.

    Parameters
    ----------
    estimates
        With ``ace, se (contrast, task[, model])``.
    rows
        Rows of each group.
    covariates
        Shape ``(K, q)``, over all contrasts.
    prior
        As given by the user; scaled by the sd of the control arm where that is known
        and the prior is standardized.
    factors
        Number of factor scores that the engine can integrate for a family of K effects,
        as in `noises_of`.
    law
        Two scales have priors in units of the median standard error and use only the
        prior of the spread of predictors.

    Raises
    ------
    EstimateError
        If a standard error is missing, 0 or its square no float, a known covariance
        singular, or the sd of the control arm 0.
    """
    table = average_over_predictors(estimates)
    families = [table.isel(contrast=members) for members in rows]
    noises = [
        noises_of(part, factors=factors(len(members)))
        for part, members in zip(families, rows, strict=True)
    ]
    for t in range(estimates.sizes["task"]):
        for g, members in enumerate(rows):
            part, noise = families[g], noises[g][t]
            x = None if covariates is None else covariates[members]
            if "model" not in estimates["ace"].dims:
                by_predictor = None
            else:
                values: npt.NDArray[Any] = (
                    estimates["ace"]
                    .isel(contrast=members, task=t)
                    .transpose("contrast", "model")
                    .to_numpy()
                )
                by_predictor = np.asarray(values, dtype=np.float64)
            own = law == "two_scales" and by_predictor is None
            unit = median_se(noise) if own else _prior_unit(part, t, prior)
            yield FamilyData(
                task=t,
                group=g,
                rows=members,
                effect=part["ace"].to_numpy()[:, t],
                by_predictor=by_predictor,
                noise=noise,
                covariates=x,
                patterns=shared_patterns(noise, x),
                prior=rescale_prior(prior, 1 / unit),
                unit=unit,
            )


def sigma_label(noise: Noise) -> str:
    """Return the form in which Sigma enters the likelihood.

    Examples
    --------
    >>> sigma_label(Noise(np.ones(3), loadings=np.ones((3, 2))))
    'low rank + diagonal (r=2)'
    """
    if noise.whole is not None:
        return "whole"
    return (
        "diagonal"
        if noise.loadings is None
        else f"low rank + diagonal (r={noise.loadings.shape[1]})"
    )


def is_standardized(estimates: xr.Dataset, prior: Prior) -> bool:
    """Return whether the prior is in sd of the control arm: standardized, with a known
    sd.
    """
    return prior.standardized and "control_sd" in estimates


def prior_unit_label(estimates: xr.Dataset, prior: Prior, law: str = "") -> str:
    """Return the name of the unit of a law's prior."""
    if law == "two_scales" and "model" not in estimates["ace"].dims:
        return "median standard error"
    return (
        "sd of the control arm"
        if is_standardized(estimates, prior)
        else "contrast scale"
    )


def _prior_unit(part: xr.Dataset, task: int, prior: Prior) -> float:
    if not is_standardized(part, prior):
        return 1.0
    unit = float(np.sqrt((part["control_sd"].to_numpy()[:, task] ** 2).mean()))
    if not unit > 0:
        raise EstimateError(
            "control_sd is 0: the control arm does not vary, so the prior has no unit"
        )
    return unit


def average_over_predictors(estimates: xr.Dataset) -> xr.Dataset:
    """Average over predictors; errors remain as large as those of one, since all
    predictors have the same units.

    Numbers of units and degrees of freedom are the smallest of any predictor, and an
    effect is exact if all are.

    Parameters
    ----------
    estimates
        With or without the dim ``model``.

    Raises
    ------
    EstimateError
        If the dim has a single predictor.

    Examples
    --------
    >>> ace = (("contrast", "task", "model"), [[[1.0, 2.0]]])
    >>> average_over_predictors(
    ...     xr.Dataset({"ace": ace, "n_units": (ace[0], [[[50, 50]]])})
    ... )["ace"].item()
    1.5
    """
    if "model" not in estimates["ace"].dims:
        return estimates
    if estimates.sizes["model"] < 2:
        raise EstimateError(
            "the dim 'model' has one predictor, and how retrainings differ cannot be "
            "seen"
        )
    # differs between predictors
    estimates = estimates.drop_vars("below_floor", errors="ignore")
    numeric = [name for name, v in estimates.data_vars.items() if "model" in v.dims]
    mean = estimates[numeric].mean("model")
    for name in ("se", "control_sd"):
        if name in mean:
            mean[name] = np.sqrt((estimates[name] ** 2).mean("model"))
    for name in ("df", "n_clusters", "n_units", "exact"):
        if name in mean:
            mean[name] = estimates[name].min("model")
    rest = estimates.drop_vars(
        [*numeric, *(n for n, c in estimates.coords.items() if "model" in c.dims)]
    )
    return mean.merge(rest, compat="override", join="exact").assign_attrs(
        estimates.attrs
    )


def as_labeled_estimates(table: Any, names: Sequence[str]) -> xr.Dataset:
    """Return estimates, from estimates or a table with effect and se, with the named
    columns as coordinates.

    Parameters
    ----------
    table
        As in `causalgia.estimation._from_effects.as_estimates`.
    names
        Columns of the table that become coordinates on contrast.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"effect": [1.0, 2.0], "se": [0.5, 0.5], "motif": ["a", "b"]}
    ... )
    >>> as_labeled_estimates(table, ["motif"])["motif"].values
    array(['a', 'b'], dtype='<U1')
    """
    estimates = as_estimates(table)
    source = table if isinstance(table, pd.DataFrame | xr.Dataset) else estimates
    for name in names:
        if name in source and name not in estimates.variables:
            column = np.asarray(source[name])
            if column.shape == (estimates.sizes["contrast"],):
                column = column.astype(str) if column.dtype == object else column
                estimates = estimates.assign_coords({name: ("contrast", column)})
    for name in ("contrast", "task", "model"):
        if name in estimates.dims and name not in estimates.coords:
            estimates = estimates.assign_coords(
                {name: np.arange(estimates.sizes[name])}
            )
    return estimates


def contrast_coordinate(estimates: xr.Dataset, name: object, what: str) -> xr.DataArray:
    """Return a coordinate on contrast by its name; the error lists those that exist.

    Raises
    ------
    EstimateError
        If there is none of that name, or it is not on contrast alone.
    """
    known = [str(n) for n, c in estimates.coords.items() if c.dims == ("contrast",)]
    if not isinstance(name, str) or name not in known:
        hint = nearest(quoted(name), known) or "; add one with estimates.assign_coords"
        raise EstimateError(
            f"{what}={quoted(name)} is not a coordinate on contrast; there are "
            f"{', '.join(sorted(known))}{hint}"
        )
    return estimates[name]


def group_rows(
    estimates: xr.Dataset, family: str | None
) -> tuple[npt.NDArray[Any] | None, list[Codes]]:
    """Return the labels of the groups (None without) and the rows of each, in the order
    of their labels.

    Examples
    --------
    >>> estimates = xr.Dataset(
    ...     coords={"contrast": ["x", "y", "z"], "motif": ("contrast", ["b", "a", "b"])}
    ... )
    >>> labels, rows = group_rows(estimates, "motif")
    >>> labels.tolist(), [r.tolist() for r in rows]
    (['a', 'b'], [[1], [0, 2]])
    """
    if family == "all":
        raise EstimateError(
            "family='all': the effects of each task have a law of their own",
            argument="family",
        )
    if family is None:
        return None, [np.arange(estimates.sizes["contrast"])]
    values = contrast_coordinate(estimates, family, "family").to_numpy()
    values = values.astype(str) if values.dtype == object else values
    labels, codes = np.unique(values, return_inverse=True)
    return labels, [np.flatnonzero(codes == g) for g in range(len(labels))]


def covariate_values(
    estimates: xr.Dataset, covariates: str | Sequence[str] | None
) -> tuple[tuple[str, ...], Array | None]:
    """Return the names of the covariates and their values, (K, q); None without.

    Raises
    ------
    EstimateError
        If one is absent, not numeric or not finite; the message names the contrast.

    Examples
    --------
    >>> estimates = xr.Dataset(
    ...     coords={"contrast": ["x", "y"], "position": ("contrast", [10, 20])}
    ... )
    >>> covariate_values(estimates, "position")
    (('position',), array([[10.], [20.]]))
    """
    if covariates is None:
        return (), None
    names = as_names(covariates)
    if not names or len(set(names)) < len(names):
        raise EstimateError(
            f"covariates={quoted(covariates)}: name each coordinate on contrast "
            "once, or give None",
            argument="covariates",
        )
    return names, np.column_stack([_as_covariate(estimates, name) for name in names])


def _as_covariate(estimates: xr.Dataset, name: str) -> Array:
    values = contrast_coordinate(estimates, name, "covariates").to_numpy()
    if values.dtype.kind not in "fiub":
        raise EstimateError(
            f"covariates: {quoted(name)} holds {values.dtype} and no numbers"
        )
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        k = int(np.argmax(~np.isfinite(numbers)))
        contrast = estimates["contrast"].to_numpy()[k]
        raise EstimateError(
            f"contrast {contrast}: covariate {quoted(name)} is {numbers[k]:g}"
        )
    if len(numbers) > 1 and np.ptp(numbers) <= 1e-12 * np.abs(numbers).max():
        raise EstimateError(
            f"covariate {quoted(name)} is constant and carries no information"
        )
    return numbers


def result_coordinates(
    estimates: xr.Dataset, labels: npt.NDArray[Any] | None, covariates: tuple[str, ...]
) -> dict[str, Any]:
    """Return the coordinates of a result: those of the estimates on contrast, task and
    model, groups, covariates.
    """
    coords = {
        str(name): c
        for name, c in estimates.drop_vars(_OF_RESULT, errors="ignore").coords.items()
        if c.dims and set(c.dims) <= {"contrast", "task", "model"}
    }
    coords |= {} if labels is None else {"group": labels}
    return coords | ({"covariate": list(covariates)} if covariates else {})


def shared_patterns(noise: Noise, covariates: Array | None = None) -> Array | None:
    """Return the patterns of the loadings as covariates of the effects, (K, p); None
    where there are none.

    Similar motifs have correlated errors, since they create and destroy the same sites
    in the same units, and similar effects for the same reason: effects are not
    exchangeable along the loadings L of ``Sigma = L L' + D``. If they were treated so,
    a pattern of the effects would be explained by a large factor score f and removed
    from all of them. With ``delta = mu + x' beta + p' b + ...`` and b as free as mu,
    the pattern is attributed to the effects, f keeps its law N(0, I), and every
    interval includes its error.

    Parameters
    ----------
    noise
        Of K effects.
    covariates
        Of each effect, (K, q); patterns are orthogonal to them and to mu.

    Returns
    -------
    ndarray or None
        Orthonormal columns, orthogonal to mu and the covariates, by decreasing error;
        at most one for ten effects.

    Examples
    --------
    >>> control = Noise(np.ones(20), loadings=np.ones((20, 1)))
    >>> shared_patterns(control) is None
    True
    >>> half = Noise(np.ones(20), loadings=np.repeat([[0.0], [2.0]], 10, axis=0))
    >>> shared_patterns(half).round(3)[[0, -1]]
    array([[-0.224],
           [ 0.224]])
    """
    if noise.loadings is None:
        return None
    size = len(noise.loadings)
    known = (
        np.ones((size, 1))
        if covariates is None
        else np.column_stack([np.ones(size), covariates])
    )
    rest = noise.loadings - known @ np.linalg.lstsq(known, noise.loadings)[0]
    columns, length, turn = np.linalg.svd(rest, full_matrices=False)
    used = length > _LOADING_ROUNDING * np.linalg.norm(noise.loadings)
    used[size // _EFFECTS_EACH :] = False
    signs = np.where(turn.sum(axis=1) < 0, -1.0, 1.0)  # arbitrary in an SVD
    return np.asarray((columns * signs)[:, used]) if used.any() else None


class MergedDraws:
    """Draws of all families in one array for each variable, filled family by family; a
    single family's are not copied.

    Parameters
    ----------
    families
        All families.
    coords
        Coordinates of the result, from `result_coordinates`.
    """

    def __init__(self, families: list[FamilyData], coords: dict[str, Any]) -> None:
        self._families, self._coords = families, coords
        self._alone = len(families) == 1 and "group" not in coords
        self._arrays: dict[str, Array] = {}

    def take(self, i: int, found: FamilyPosterior) -> FamilyPosterior:
        """Take the draws of family i, and return its posterior without them."""
        if self._alone:
            self._arrays = {
                name: np.expand_dims(draws, 2 + self._dims(name).index("task"))
                for name, draws in found.draws.items()
            }
            return replace(found, draws={})
        if not self._arrays:
            self._arrays = {
                name: self._room(name, *draws.shape[:2])
                for name, draws in found.draws.items()
            }
        family = self._families[i]
        at: dict[str, Any] = {
            "contrast": family.rows,
            "task": family.task,
            "group": family.group,
        }
        for name, array in self._arrays.items():
            array[:, :, *(at.get(dim, slice(None)) for dim in self._dims(name))] = (
                found.draws[name]
            )
        return replace(found, draws={})

    def variables(self) -> dict[str, tuple[tuple[str, ...], Array]]:
        """Return dims and draws of each variable: chain and draw first."""
        return {
            name: (("chain", "draw", *self._dims(name)), array)
            for name, array in self._arrays.items()
        }

    def _room(self, name: str, n_chains: int, n_draws: int) -> Array:
        """Return room for the draws of a variable in all families: in memory, those of
        an effect lie side by side.
        """
        places = np.empty(
            (*(len(self._coords[dim]) for dim in self._dims(name)), n_chains, n_draws)
        )
        return np.moveaxis(places, (-2, -1), (0, 1))

    def _dims(self, name: str) -> tuple[str, ...]:
        return tuple(
            d
            for d in _DIMS_OF_VARIABLE[name]
            if d != "group" or "group" in self._coords
        )


def posterior_groups(
    table: xr.Dataset,
    families: list[FamilyData],
    posteriors: list[FamilyPosterior],
    draws: MergedDraws,
    coords: dict[str, Any],
    *,
    with_log_likelihood: bool = False,
) -> dict[str, xr.Dataset]:
    """Return the groups of the tree: posterior, moments, observed_data, constant_data,
    and from NUTS sample_stats.

    Parameters
    ----------
    table
        The estimates.
    families, posteriors
        Each family and its posterior, in the same order.
    draws
        The draws of all families.
    coords
        Coordinates of the result, from `result_coordinates`.
    with_log_likelihood
        Add that group: each posterior must have one.
    """
    observed = {
        "effect": average_over_predictors(table)["ace"].transpose("contrast", "task")
    }
    observed |= {"effect_model": table["ace"]} if "model" in table["ace"].dims else {}
    variables = draws.variables()
    n_chains, n_draws = variables["mu"][1].shape[:2]
    used = {dim for dims, _ in variables.values() for dim in dims}
    numbered = {"chain": np.arange(n_chains), "draw": np.arange(n_draws)}
    groups = {
        "posterior": xr.Dataset(variables, coords_on(coords, used) | numbered),
        "moments": _moments_group(families, posteriors, coords),
        "observed_data": on_contrasts(observed, coords),
        "constant_data": constant_group(table, families, coords),
    }
    if with_log_likelihood:
        # `effect (chain, draw, contrast, task)`, under the name of what was observed
        out = np.empty(
            (n_chains, n_draws, len(coords["contrast"]), len(coords["task"]))
        )
        for family, found in zip(families, posteriors, strict=True):
            assert found.log_likelihood is not None  # for mypy: `infer` has checked
            out[:, :, family.rows, family.task] = found.log_likelihood().reshape(
                n_chains, n_draws, -1
            )
        names = coords_on(coords, {"contrast", "task"}) | numbered
        groups["log_likelihood"] = xr.Dataset(
            {"effect": (("chain", "draw", "contrast", "task"), out)}, names
        )
    stats = [(q, a.stats) for q, a in zip(families, posteriors, strict=True) if a.stats]
    return groups | ({"sample_stats": _sample_stats(stats, coords)} if stats else {})


def _moments_group(
    families: list[FamilyData],
    posteriors: list[FamilyPosterior],
    coords: dict[str, Any],
) -> xr.Dataset:
    columns = {
        name: _by_contrast_and_task(
            [(q, a.moments[name]) for q, a in zip(families, posteriors, strict=True)],
            coords,
        )
        for name in posteriors[0].moments
    }
    half = [(q, _HALF_WIDTHS * np.sqrt(q.noise.marginal)) for q in families]
    columns |= {
        f"{side}_unshrunken": _by_contrast_and_task(
            [(q, q.effect + sign * w) for q, w in half], coords
        )
        for side, sign in (("lower", -1), ("upper", 1))
    }
    out = xr.Dataset(columns, coords_on(coords, {"contrast", "task"}))
    # attrs on whether effects grow with their se: the gain, in nats, of exchangeable
    # effect / se instead
    gains = [
        (coords["task"].to_numpy()[q.task], a.dependence_gain)
        for q, a in zip(families, posteriors, strict=True)
        if a.dependence_gain is not None
    ]
    if not gains:
        out.attrs = attributes(
            effect_se_dependence=f"not tested: fewer than {LEAST_FOR_DEPENDENCE} effects"
        )
    else:
        names = ", ".join(str(task) for task, gain in gains if gain > _CLEAR_GAIN)
        dependence = (
            f"effects grow with their standard errors (task {names})"
            if names
            else "none seen"
        )
        out.attrs = attributes(
            effect_se_dependence=dependence,
            effect_se_gain=float(max(gain for _, gain in gains)),
        )
    return out


def _by_contrast_and_task(
    parts: list[tuple[FamilyData, Any]], coords: dict[str, Any]
) -> tuple[tuple[str, str], Array]:
    out = np.empty((len(coords["contrast"]), len(coords["task"])))
    for family, values in parts:
        out[family.rows, family.task] = values
    return ("contrast", "task"), out


def constant_group(
    table: xr.Dataset, families: list[FamilyData], coords: dict[str, Any]
) -> xr.Dataset:
    """Return the data of the estimates, averaged over predictors; ``se_model`` is that
    of each predictor.

    ``se`` is that of the hierarchical model, a normal score for few degrees of freedom;
    ``se_estimated`` is that of the estimates, by which their own intervals are.
    """
    table, each = average_over_predictors(table), table
    known = {name: table[name] for name in _OBSERVED_VARIABLES if name in table}
    several = "model" in each["se"].dims
    known |= {"se_model" if several else "se_estimated": each["se"]}
    out = on_contrasts(known, coords)
    out["se"] = _by_contrast_and_task(
        [(q, np.sqrt(q.noise.marginal)) for q in families], coords
    )
    out["prior_unit"] = _by_contrast_and_task([(q, q.unit) for q in families], coords)
    out["is_placebo"] = ("contrast", placebo_contrasts(table))
    return out.assign_coords(coords_on(coords, {"contrast", "task"})).merge(
        _error_covariance(table, coords["contrast"].to_numpy())
    )


def _error_covariance(table: xr.Dataset, names: npt.NDArray[Any]) -> xr.Dataset:
    """Return `covariance (contrast, contrast_, task)` of the errors; nothing for many
    contrasts.
    """
    if (
        "covariance" not in table
        or "model" in table["covariance"].dims
        or len(names) > _MOST_WITH_COVARIANCE
    ):
        return xr.Dataset()
    matrix = table["covariance"]
    if "contrast_" in matrix.coords:
        matrix = matrix.sel(contrast_=names)
    values = matrix.transpose("contrast", "contrast_", "task").to_numpy()
    return xr.Dataset(
        {"covariance": (("contrast", "contrast_", "task"), values)},
        {"contrast_": names},
    )


def on_contrasts(
    columns: dict[str, xr.DataArray], coords: dict[str, Any]
) -> xr.Dataset:
    """Return columns of estimates as a Dataset with the coordinates of the result.

    Examples
    --------
    >>> effect = xr.DataArray([1.0], dims="contrast")
    >>> on_contrasts({"effect": effect}, {"contrast": ["GATA1"]})["contrast"].item()
    'GATA1'
    """
    used = {dim for column in columns.values() for dim in map(str, column.dims)}
    return xr.Dataset(
        {n: (c.dims, c.to_numpy()) for n, c in columns.items()}, coords_on(coords, used)
    )


def coords_on(coords: dict[str, Any], dims: set[str]) -> dict[str, Any]:
    """Return the coordinates on these dims.

    Examples
    --------
    >>> coords_on({"contrast": ["GATA1"], "task": ["K562"]}, {"task"})
    {'task': ['K562']}
    """
    return {
        n: c
        for n, c in coords.items()
        if (set(c.dims) if isinstance(c, xr.DataArray) else {n}) <= dims
    }


def _sample_stats(
    parts: list[tuple[FamilyData, dict[str, Array]]], coords: dict[str, Any]
) -> xr.Dataset:
    """Return sampler statistics: (chain, draw) of one family, as ArviZ plots it; of
    several with the dim family.
    """
    if len(parts) == 1:
        out = xr.Dataset(
            {name: (("chain", "draw"), values) for name, values in parts[0][1].items()}
        )
    else:
        stacked = {
            n: np.stack([stats[n] for _, stats in parts], axis=2) for n in parts[0][1]
        }
        out = xr.Dataset(
            {name: (("chain", "draw", "family"), v) for name, v in stacked.items()}
        )
        tasks, groups = coords["task"].to_numpy(), coords.get("group")
        names = [
            str(tasks[q.task]) + ("" if groups is None else f", {groups[q.group]!s}")
            for q, _ in parts
        ]
        out = out.assign_coords(family=names)
    return out.assign_coords(
        chain=np.arange(out.sizes["chain"]), draw=np.arange(out.sizes["draw"])
    )
