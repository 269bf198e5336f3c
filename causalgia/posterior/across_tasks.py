"""The posterior of effects that tasks share, as a tree that ArviZ reads; `infer` with ``across="task"``."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.analysis import exploratory_attrs
from causalgia.choices import LEAST_TO_SHARE
from causalgia.errors import InferenceError
from causalgia.notes import with_notes
from causalgia.posterior.engine_input import FamilyData, average_over_predictors, result_coordinates
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.nuts import CHAINS
from causalgia.posterior.posterior_groups import constant_group, coords_on, on_contrasts
from causalgia.posterior.posterior_tree import Tree, as_tree
from causalgia.posterior.shared_effects import NEAR, Sharing, share_across_tasks
from causalgia.posterior.task_errors import TaskErrors, task_errors
from causalgia.prior import Prior
from causalgia.types import Array

MOST_TASKS = 1_000
_MOST_DRAWN = 1 << 29  # numbers: 4 GiB
_CLEAR = 0.05  # lfsr of an effect that counts in the summaries
_HALF_WIDTHS = 1.959963984540054
_BOTH = ("contrast", "task")


def infer_across_tasks(estimates: xr.Dataset, n_draws: int, key: int) -> Tree:
    """Return the posterior of the effects of many contrasts in several tasks, which may share strength.

    Parameters
    ----------
    estimates
        With ``ace, se (contrast, task)`` and the correlation of the errors between tasks.
    n_draws
        In all, rounded up to a multiple of four.
    key
        Root key of the call.

    Raises
    ------
    InferenceError
        If there are fewer than 20 contrasts, or fewer than 2 or more than 1,000 tasks, several predictors, more draws
        than memory is for, or as `causalgia.posterior.task_errors.task_errors`.
    """
    n_draws = -(-n_draws // CHAINS) * CHAINS
    _check_sizes(estimates, n_draws)
    estimates = estimates.transpose(..., "contrast", "task")
    errors = task_errors(estimates)
    names = [str(name) for name in estimates["task"].to_numpy()]
    found = share_across_tasks(errors, names, key)
    coords = result_coordinates(estimates.drop_dims("task_", errors="ignore"), None, ())
    draws = found.draw(n_draws)
    draws *= errors.unit
    shape = (CHAINS, n_draws // CHAINS, *errors.effect.shape)
    labels = coords_on(coords, {"contrast", "task"})
    chains = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    posterior = xr.Dataset({"ace": (("chain", "draw", *_BOTH), draws.reshape(shape))}, labels | chains)
    groups = {
        "posterior": posterior,
        "moments": _moments(estimates, errors, found, labels),
        "sharing": _sharing_group(found, labels),
        "observed_data": on_contrasts({"effect": estimates["ace"]}, coords),
        "constant_data": constant_group(estimates.drop_dims("task_", errors="ignore"), _families(errors), coords),
    }
    attrs = dict(with_notes(estimates, *_notes(errors, found, groups["sharing"])).attrs) | _attrs(found)
    attrs |= exploratory_attrs(estimates.attrs, across="task")
    for name in ("posterior", "constant_data"):
        groups[name].attrs = attrs
    return as_tree(groups)


def _check_sizes(estimates: xr.Dataset, n_draws: int) -> None:
    if "model" in estimates["ace"].dims:
        raise InferenceError(
            "across='task': the estimates have the dim 'model'; take one predictor, estimates.isel(model=0), or "
            "estimate over predictors: cg.estimate(effects, target='population x predictors', task_correlation=True)"
        )
    n, size = estimates.sizes["contrast"], estimates.sizes["task"]
    if size < 2:
        raise InferenceError("across='task': there is one task and nothing to share; leave across= out")
    if n < LEAST_TO_SHARE:
        raise InferenceError(
            f"across='task': {n} contrast{'s' * (n != 1)} cannot show which effects tasks share; it takes "
            f"{LEAST_TO_SHARE} or more. "
            "cg.infer(estimates, ...) and cg.decide(estimates, ...) take each task by itself"
        )
    if size > MOST_TASKS:
        raise InferenceError(
            f"across='task': {size:,} tasks, and {MOST_TASKS:,} are possible: each contrast takes the eigenvectors of "
            "a matrix of tasks by tasks, whose time grows with their cube. Choose tasks, estimates.sel(task=[...]), or "
            "average groups of alike ones before cg.contrast; without across= each task by itself takes any number"
        )
    if n_draws * n * size > _MOST_DRAWN:
        fit = _MOST_DRAWN // (n * size) // CHAINS * CHAINS
        cure = f"n_draws={fit}" if fit >= CHAINS else "fewer contrasts at a time"
        raise InferenceError(
            f"n_draws={n_draws:,} of {n * size:,} effects take {8 * n_draws * n * size / 2**30:.0f} GiB; give {cure} "
            "(means, standard deviations and lfsr are exact and need no draws)"
        )


def _families(errors: TaskErrors) -> list[FamilyData]:
    """Return the effects of each task as the tree's groups take them."""
    return [
        FamilyData(
            task=t,
            group=0,
            rows=np.arange(len(errors.effect)),
            effect=errors.effect[:, t] * errors.unit,
            by_predictor=None,
            noise=Noise(errors.se[:, t] ** 2),
            covariates=None,
            patterns=None,
            prior=Prior(),
            unit=errors.unit,
        )
        for t in range(errors.effect.shape[1])
    ]


def _moments(estimates: xr.Dataset, errors: TaskErrors, found: Sharing, labels: dict[str, Any]) -> xr.Dataset:
    unit, one, other = errors.unit, found.moments, found.alone
    half = _HALF_WIDTHS * errors.se
    effect = average_over_predictors(estimates)["ace"].to_numpy()
    columns = {
        "mean": one.mean * unit,
        "sd": one.sd * unit,
        "lfsr": one.lfsr,
        "lfdr": one.lfdr,
        "mean_alone": other.mean * unit,
        "sd_alone": other.sd * unit,
        "lfsr_alone": other.lfsr,
        "lower_unshrunken": effect - half,
        "upper_unshrunken": effect + half,
    }
    return xr.Dataset({name: (_BOTH, values) for name, values in columns.items()}, labels)


def _sharing_group(found: Sharing, labels: dict[str, Any]) -> xr.Dataset:
    """Return how effects are shared: by contrast, by pair of tasks, and the patterns and risks behind it.

    An effect counts where its lfsr is at most .05. The strongest of a contrast is the one to compare with; two effects
    are alike in size if neither is more than twice the other and their signs agree.
    """
    mean, clear = found.moments.mean, found.moments.lfsr <= _CLEAR
    strongest = np.where(clear, np.abs(mean), -1.0).argmax(axis=1)
    top = mean[np.arange(len(mean)), strongest][:, None]
    some = clear.any(axis=1)
    n_tasks = mean.shape[1]
    counts, sign, size = np.zeros((n_tasks, n_tasks)), np.zeros((n_tasks, n_tasks)), np.zeros((n_tasks, n_tasks))
    for t in range(n_tasks):
        either, own = clear | clear[:, [t]], mean[:, [t]]
        counts[t] = either.sum(axis=0)
        sign[t] = np.logical_and(either, mean * own > 0).sum(axis=0)
        size[t] = np.logical_and(either, _alike(mean, own)).sum(axis=0)
    least = np.maximum(counts, 1)
    tasks = labels["task"].to_numpy() if isinstance(labels["task"], xr.DataArray) else labels["task"]
    of_contrasts = {
        "n_clear": clear.sum(axis=1),
        "n_same_sign": np.where(some, (mean * top > 0).sum(axis=1), 0),
        "n_same_size": np.where(some, _alike(mean, top).sum(axis=1), 0),
    }
    of_pairs = {"n_either": counts.astype(int), "same_sign": sign / least, "same_size": size / least}
    out = xr.Dataset(
        {name: ("contrast", values) for name, values in of_contrasts.items()}
        | {name: (("task", "task_"), values) for name, values in of_pairs.items()}
        | {"risk": ("task", found.risk.shared), "risk_alone": ("task", found.risk.alone)}
        | {"weight": ("pattern", np.array(list(found.patterns.values())))},
        coords_on(labels, {"contrast", "task"}) | {"task_": tasks, "pattern": list(found.patterns)},
    )
    out.attrs = _attrs(found) | {"clear": _CLEAR}
    return out


def _alike(one: Array, other: Array) -> npt.NDArray[np.bool_]:
    """Return whether two effects have one sign and differ in size by a factor of at most 2."""
    small, large = np.minimum(np.abs(one), np.abs(other)), np.maximum(np.abs(one), np.abs(other))
    return np.logical_and(one * other > 0, 2 * small >= large)


def _attrs(found: Sharing) -> dict[str, Any]:
    shared = found.risk.prefers_sharing
    return {
        "across": "task",
        "law": "mash" if shared else "mixture",
        "engine": "exact",
        "sharing": "used" if shared else "given up",
        "sharing_risk": found.risk.ratio,
        "sharing_gain": found.risk.gain,
        "sharing_gain_se": found.risk.gain_se,
        "sharing_near": int(shared and (found.risk.ratio > NEAR or found.cautious)),
        "lfsr_of": "the larger of both" if found.cautious else "sharing" if shared else "each task by itself",
    }


def _notes(errors: TaskErrors, found: Sharing, sharing: xr.Dataset) -> list[str]:
    ratio = found.risk.ratio
    gain = f"{100 * (1 - ratio):.0f} %" if ratio > 0.01 else "nearly all"
    if not found.risk.prefers_sharing:
        notes = [
            "sharing across tasks was given up: by Stein's estimate (cross-fitted) its squared error is "
            f"{ratio:.2f} times that of each task by itself, which is not clearly less; posterior and lfsr are those "
            "of each task by itself"
        ]
    else:
        notes = [
            f"tasks share strength: by Stein's estimate (cross-fitted) this lowers the squared error by {gain} of that "
            "of each task by itself"
        ]
    if found.risk.prefers_sharing and ratio > NEAR and not found.cautious:
        notes.append("both are near: lfsr_alone, that of each task by itself, stands beside lfsr")
    if found.cautious:
        notes.append(
            "the law of sharing finds effects in far more places than each task by itself does, as where effects are "
            "present or absent in each task independently: lfsr is the larger of both, and draws and intervals rest on "
            "the law of sharing alone"
        )
    counts = sharing["n_either"].to_numpy()
    off = ~np.eye(len(counts), dtype=bool) & (counts > 0)
    if found.risk.prefers_sharing and off.any():
        weight = counts[off] / counts[off].sum()
        sign, size = (float(weight @ sharing[name].to_numpy()[off]) for name in ("same_sign", "same_size"))
        notes.append(
            f"of the effects that are clear in one of two tasks (lfsr <= {_CLEAR:g}), {100 * sign:.0f} % have one sign "
            f"in both and {100 * size:.0f} % a size within a factor of 2"
        )
    if errors.shared.any():
        notes.append(
            "an error that all contrasts share, as that of their control arm, was estimated and removed before effects "
            "were compared between tasks"
        )
    return notes
