"""What one engine is asked: the effects of one task and one exchangeable family, their noise, and their prior."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.errors import InferenceError
from causalgia.posterior.error_covariance import Noise, noises_of
from causalgia.posterior.hyper import rescaled
from causalgia.posterior.patterns import shared_patterns
from causalgia.posterior.two_scales import median_se
from causalgia.prior import Prior
from causalgia.types import Array, Codes


@dataclass(frozen=True, eq=False)
class Question:
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
    """How `effect` varies about the effects."""
    covariates: Array | None
    """(K, q)."""
    patterns: Array | None
    """What effects may share as their errors do, (K, p); see `shared_patterns`."""
    prior: Prior
    """In the unit of the effects."""
    unit: float
    """What one unit of the user's prior is, on the contrast scale."""

    @property
    def centre(self) -> Array | None:
        """Covariates and patterns, (K, q + p); None without."""
        columns = [x for x in (self.covariates, self.patterns) if x is not None]
        return np.hstack(columns) if columns else None


def questions(
    estimates: xr.Dataset,
    rows: list[Codes],
    covariates: Array | None,
    prior: Prior,
    factors: Callable[[int], int | None] = lambda _: None,
    *,
    law: str = "",
) -> Iterator[Question]:
    """Split estimates into questions: each task and each group by itself.

    Parameters
    ----------
    estimates
        With ``ace, se (contrast, task[, model])``.
    rows
        Of each group.
    covariates
        Shape ``(K, q)``, over all contrasts.
    prior
        As the user gave it; scaled by the sd of the control arm where that is known and the prior is standardised.
    factors
        How many scores of shared noise the engine can integrate for a family of K effects, as in `noise_of`.
    law
        Two scales have priors in units of the median standard error and read none but that of the predictors' spread.

    Raises
    ------
    InferenceError
        If a standard error is missing, 0 or its square no float, a known covariance singular, or the sd of the
        control arm 0.
    """
    table = pooled(estimates)
    families = [table.isel(contrast=members) for members in rows]
    noises = [noises_of(part, factors=factors(len(members))) for part, members in zip(families, rows, strict=True)]
    for t in range(estimates.sizes["task"]):
        for g, members in enumerate(rows):
            part, noise = families[g], noises[g][t]
            x = None if covariates is None else covariates[members]
            by_predictor = _by_predictor(estimates, members, t)
            own = law == "two_scales" and by_predictor is None
            unit = median_se(noise) if own else _unit(part, t, prior)
            yield Question(
                task=t,
                group=g,
                rows=members,
                effect=part["ace"].to_numpy()[:, t],
                by_predictor=by_predictor,
                noise=noise,
                covariates=x,
                patterns=shared_patterns(noise, x),
                prior=rescaled(prior, 1 / unit),
                unit=unit,
            )


def sigma_of(noise: Noise) -> str:
    """Say which form of Sigma entered the likelihood.

    Examples
    --------
    >>> sigma_of(Noise(np.ones(3), loadings=np.ones((3, 2))))
    'low rank + diagonal (r=2)'
    """
    if noise.whole is not None:
        return "whole"
    return "diagonal" if noise.loadings is None else f"low rank + diagonal (r={noise.loadings.shape[1]})"


def is_standardised(estimates: xr.Dataset, prior: Prior) -> bool:
    """Whether the prior is in sd of the control arm: asked for, and known."""
    return prior.standardised and "control_sd" in estimates


def unit_in_words(estimates: xr.Dataset, prior: Prior, law: str = "") -> str:
    """Say in which unit the prior of a law is."""
    if law == "two_scales" and "model" not in estimates["ace"].dims:
        return "median standard error"
    return "sd of the control arm" if is_standardised(estimates, prior) else "contrast scale"


def _unit(part: xr.Dataset, task: int, prior: Prior) -> float:
    if not is_standardised(part, prior):
        return 1.0
    unit = float(np.sqrt((part["control_sd"].to_numpy()[:, task] ** 2).mean()))
    if not unit > 0:
        raise InferenceError(
            "control_sd is 0: the control arm does not vary, so the prior has no unit; give one on the scale of the "
            "effects, such as prior=cg.Prior(tau_scale=1, standardised=False)"
        )
    return unit


def pooled(estimates: xr.Dataset) -> xr.Dataset:
    """Average over predictors; an error is as large as that of one, since all predictors saw the same units.

    Numbers of units and degrees of freedom are the least of any predictor, and an effect is exact if all are.

    Parameters
    ----------
    estimates
        With or without the dim ``model``.

    Raises
    ------
    InferenceError
        If there is one predictor on the dim.

    Examples
    --------
    >>> ace = (("contrast", "task", "model"), [[[1.0, 2.0]]])
    >>> pooled(xr.Dataset({"ace": ace, "n_units": (ace[0], [[[50, 50]]])}))["ace"].item()
    1.5
    """
    if "model" not in estimates["ace"].dims:
        return estimates
    if estimates.sizes["model"] < 2:
        raise InferenceError(
            "the dim 'model' has one predictor, and how retrainings differ cannot be seen; take it by itself with "
            "estimates.isel(model=0)"
        )
    estimates = estimates.drop_vars("below_floor", errors="ignore")  # known of each predictor alone
    numeric = [name for name, v in estimates.data_vars.items() if "model" in v.dims]
    mean = estimates[numeric].mean("model")
    for name in ("se", "control_sd"):
        if name in mean:
            mean[name] = np.sqrt((estimates[name] ** 2).mean("model"))
    for name in ("df", "n_clusters", "n_units", "exact"):
        if name in mean:
            mean[name] = estimates[name].min("model")
    rest = estimates.drop_vars([*numeric, *(n for n, c in estimates.coords.items() if "model" in c.dims)])
    return mean.merge(rest, compat="override", join="exact").assign_attrs(estimates.attrs)


def _by_predictor(estimates: xr.Dataset, rows: Codes, task: int) -> Array | None:
    if "model" not in estimates["ace"].dims:
        return None
    values: npt.NDArray[Any] = estimates["ace"].isel(contrast=rows, task=task).transpose("contrast", "model").to_numpy()
    return np.asarray(values, dtype=np.float64)
