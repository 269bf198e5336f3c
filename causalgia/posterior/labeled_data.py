"""Labeled data of the hierarchical model: exchangeable effects of each task in, and the
groups of the tree of a posterior out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.analysis_values import Prior
from causalgia.checks import as_names, nearest
from causalgia.choices import LEAST_TO_SHRINK
from causalgia.errors import EstimateError, quoted
from causalgia.estimation._from_effects import estimates_of_given
from causalgia.estimation.arm_columns import OF_OWN_ARMS
from causalgia.estimation.crossover_estimates import placebo_contrasts
from causalgia.estimation.exchangeable import exchangeable_contrasts
from causalgia.estimation.given_table import read_given
from causalgia.posterior.error_covariance import Noise, as_usable_se, noises_of
from causalgia.posterior.exact import rescale_prior
from causalgia.posterior.two_scales import median_se
from causalgia.posterior.when_read import when_read
from causalgia.types import Array, Codes, Mask

if TYPE_CHECKING:
    from causalgia.posterior.family_posterior import FamilyPosterior

_OF_RESULT = (
    *("chain", "draw", "covariate"),
    *(
        "ace",
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
_LEARNED = Prior(mu_sd=np.inf, standardized=False)
"""Of one scale where none is given, in units of the median standard error."""
_EFFECTS_EACH = 10  # effects for each coefficient of the center
_LOADING_ROUNDING = 1e-8
_DIMS_OF_VARIABLE = {
    "ace": ("contrast", "task"),
    "mu": ("task",),
    "tau": ("task",),
    "tau_gamma": ("task",),
    "tau_narrow": ("task",),
    "tau_wide": ("task",),
    "share_narrow": ("task",),
    "beta": ("covariate", "task"),
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
# of 95 % intervals: standard errors are normal scores of their p
_HALF_WIDTHS = 1.959963984540054


@dataclass(frozen=True, eq=False)
class FamilyData:
    """K effects of one task that are exchangeable beforehand."""

    task: int
    """Place of the task among the tasks."""
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
    """Unit of the prior, on the contrast scale."""
    law: str
    """``"two_scales"`` or ``"normal"``."""

    @property
    def center(self) -> Array | None:
        """Covariates and patterns, (K, q + p); None without."""
        columns = [x for x in (self.covariates, self.patterns) if x is not None]
        return np.hstack(columns) if columns else None


def usable_rows(table: xr.Dataset) -> Mask:
    """Return which effects have an estimate and a standard error above 0 and are
    exchangeable, (contrast, task); where all are placebos, these.

    Raises
    ------
    EstimateError
        If none has.
    """
    if "se" not in table:
        return np.asarray(as_usable_se(table) > 0)  # raises
    effect, se = (
        table[name].transpose("contrast", "task").to_numpy() for name in ("ace", "se")
    )
    usable: Mask = np.isfinite(effect) & np.isfinite(se) & (se > 0)
    if not usable.any():
        as_usable_se(table)
    kept = usable & exchangeable_contrasts(table)[:, None]
    return kept if kept.any() else usable


def family_data(
    estimates: xr.Dataset, covariates: Array | None, prior: Prior | None
) -> list[FamilyData]:
    """Return the exchangeable effects of each task that has any, and the law of them.

    Two scales where a task has ten effects or more; one normal scale where it has
    fewer, a prior is given, or a known covariance has more than one factor.

    Parameters
    ----------
    estimates
        With ``ace, se (contrast, task[, model])``.
    covariates
        Shape ``(K, q)``, over all contrasts.
    prior
        As given by the user; scaled by the sd of the control arm where that is known
        and the prior is standardized. None: in units of the median standard error, one
        scale is half-normal with scale 5 about a flat center.

    Raises
    ------
    EstimateError
        If no effect has a standard error, one is no float squared, a known covariance
        is singular, or the sd of the control arm 0.
    """
    table = average_over_predictors(estimates)
    usable, families = usable_rows(table), []
    masks, which = np.unique(usable, axis=1, return_inverse=True)
    for m in range(masks.shape[1]):
        rows, tasks = np.flatnonzero(masks[:, m]), np.flatnonzero(which == m)
        if not len(rows):
            continue
        part = table.isel(contrast=rows, task=tasks)
        learned = prior is None and len(rows) >= LEAST_TO_SHRINK
        noises = noises_of(part, factors=len(rows)) if learned else noises_of(part)
        if learned and any(noise.whole is not None for noise in noises):
            learned, noises = False, noises_of(part)
        x = None if covariates is None else covariates[rows]
        for j, (t, noise) in enumerate(zip(tasks.tolist(), noises, strict=True)):
            by_predictor = None
            if "model" in estimates["ace"].dims:
                each = estimates["ace"].isel(contrast=rows, task=t)
                by_predictor = each.transpose("contrast", "model").to_numpy()
            given = _LEARNED if prior is None else prior
            unit = median_se(noise) if prior is None else _prior_unit(part, j, prior)
            families.append(
                FamilyData(
                    task=t,
                    rows=rows,
                    effect=part["ace"].transpose("contrast", "task").to_numpy()[:, j],
                    by_predictor=by_predictor,
                    noise=noise,
                    covariates=x,
                    patterns=shared_patterns(noise, x),
                    prior=rescale_prior(given, 1 / unit),
                    unit=unit,
                    law="two_scales" if learned else "normal",
                )
            )
    return sorted(families, key=lambda family: family.task)


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


def prior_unit_label(estimates: xr.Dataset, prior: Prior | None) -> str:
    """Return the name of the unit of a prior."""
    if prior is None:
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
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {"effect": [1.0, 2.0], "se": [0.5, 0.5], "motif": ["a", "b"]}
    ... )
    >>> as_labeled_estimates(table, ["motif"])["motif"].values
    array(['a', 'b'], dtype='<U1')
    """
    given = read_given(table)
    estimates = estimates_of_given(given)
    source = estimates if given.kind == "result" else given.data
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
    estimates: xr.Dataset, covariates: tuple[str, ...]
) -> dict[str, Any]:
    """Return the coordinates of a result: those of the estimates on contrast, task and
    model, and the covariates.
    """
    coords = {
        str(name): c
        for name, c in estimates.drop_vars(_OF_RESULT, errors="ignore").coords.items()
        if c.dims and set(c.dims) <= {"contrast", "task", "model"}
    }
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
    """Draws of all tasks in one array for each variable, filled task by task; NaN where
    an effect was left out.

    Parameters
    ----------
    families
        All families.
    coords
        Coordinates of the result, from `result_coordinates`.
    """

    def __init__(self, families: list[FamilyData], coords: dict[str, Any]) -> None:
        self._families, self._coords = families, coords
        self._arrays: dict[str, Array] = {}

    def take(self, i: int, found: FamilyPosterior) -> FamilyPosterior:
        """Take the draws of family i, and return its posterior without them."""
        family = self._families[i]
        at: dict[str, Any] = {"contrast": family.rows, "task": family.task}
        for name, draws in found.draws.items():
            dims = _DIMS_OF_VARIABLE[name]
            if name not in self._arrays:
                self._arrays[name] = self._room(dims, *draws.shape[:2])
            where = (at.get(dim, slice(None)) for dim in dims)
            self._arrays[name][:, :, *where] = draws
        return replace(found, draws={})

    def variables(self) -> dict[str, tuple[tuple[str, ...], Any]]:
        """Return dims and draws of each variable: chain and draw first."""
        return {
            name: (("chain", "draw", *_DIMS_OF_VARIABLE[name]), array)
            for name, array in self._arrays.items()
        }

    def _room(self, dims: tuple[str, ...], n_chains: int, n_draws: int) -> Array:
        """Return room for the draws of a variable in all tasks: in memory, those of an
        effect lie side by side.
        """
        sizes = (len(self._coords[dim]) for dim in dims)
        places = np.full((*sizes, n_chains, n_draws), np.nan)
        return np.moveaxis(places, (-2, -1), (0, 1))


def posterior_groups(
    table: xr.Dataset,
    families: list[FamilyData],
    posteriors: list[FamilyPosterior],
    draws: MergedDraws,
    coords: dict[str, Any],
) -> dict[str, xr.Dataset]:
    """Return the groups of the tree: posterior, moments, observed_data, constant_data,
    log_likelihood.

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
    """
    observed = {
        "effect": average_over_predictors(table)["ace"].transpose("contrast", "task")
    }
    observed |= {"effect_model": table["ace"]} if "model" in table["ace"].dims else {}
    variables = draws.variables()
    n_chains, n_draws = variables["mu"][1].shape[:2]
    where = [(family.rows, family.task) for family in families]
    shape: tuple[int, ...] = (
        n_chains,
        n_draws,
        len(coords["contrast"]),
        len(coords["task"]),
    )
    dims: tuple[str, ...] = ("chain", "draw", "contrast", "task")
    effects = [found.effects for found in posteriors if found.effects is not None]
    if effects:
        made = partial(_of_all_tasks, effects, where, shape)
        variables = {"ace": (dims, when_read(shape, made))} | variables
    used = {dim for dims, _ in variables.values() for dim in dims}
    numbered = {"chain": np.arange(n_chains), "draw": np.arange(n_draws)}
    groups = {
        "posterior": xr.Dataset(variables, coords_on(coords, used) | numbered),
        "moments": _moments_group(families, posteriors, coords),
        "observed_data": on_contrasts(observed, coords),
        "constant_data": constant_group(table, families, coords),
    }
    known = [
        found.log_likelihood for found in posteriors if found.log_likelihood is not None
    ]
    if not known:
        return groups
    # `effect (chain, draw, contrast, task)`, under the name of what was observed
    made = partial(_of_all_tasks, known, where, shape)
    names = xr.Dataset(coords=coords_on(coords, {"contrast", "task"}))
    is_used = np.zeros(shape[2:], dtype=np.bool_)
    for at in where:
        is_used[at] = True
    if not is_used.all():  # observations are the effects that were used
        (places,) = np.nonzero(is_used.ravel())
        names = names.stack(observation=("contrast", "task"))
        names = names.isel(observation=places).reset_index("observation")
        made = partial(_at_observations, made, places)
        dims, shape = ("chain", "draw", "observation"), (*shape[:2], len(places))
    effect = (dims, when_read(shape, made))
    likelihood = xr.Dataset({"effect": effect}, {**names.coords, **numbered})
    return groups | {"log_likelihood": likelihood}


def _of_all_tasks(
    parts: list[Callable[[], Array]],
    where: list[tuple[Codes, int]],
    shape: tuple[int, ...],
) -> Array:
    """Return the draws of all tasks, made task by task; NaN where an effect was left
    out. In memory, those of an effect lie side by side.
    """
    places = np.full((*shape[2:], *shape[:2]), np.nan)
    for make, (rows, task) in zip(parts, where, strict=True):
        places[rows, task] = np.moveaxis(make().reshape(*shape[:2], -1), -1, 0)
    return np.moveaxis(places, (-2, -1), (0, 1))


def _at_observations(make: Callable[[], Array], places: Codes) -> Array:
    whole = make()
    return whole.reshape(*whole.shape[:2], -1)[:, :, places]


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
    return xr.Dataset(columns, coords_on(coords, {"contrast", "task"}))


def _by_contrast_and_task(
    parts: list[tuple[FamilyData, Any]], coords: dict[str, Any]
) -> tuple[tuple[str, str], Array]:
    out = np.full((len(coords["contrast"]), len(coords["task"])), np.nan)
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
