"""Gain of pairing: standard errors on shared backgrounds compared with those on independent ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from causalgia.design import Design
from causalgia.errors import DesignError
from causalgia.types import Array

if TYPE_CHECKING:
    import xarray as xr


def pairing_gain(outcomes: xr.Dataset, experiment: Design) -> xr.Dataset:
    """Return the ratio of unpaired to paired standard errors of each contrast of a crossover.

    Paired: ``se = sd(ICE) / sqrt(n)`` (CR2 where units share parents). Unpaired, with n fresh units in every arm:
    ``sqrt(sum_a w_a^2 se_a^2)`` with se_a that of the mean outcome of arm a. Their ratio is the gain; its square is the
    factor in the number of units. It is below 1 where arms covary negatively.

    Parameters
    ----------
    outcomes
        ``cg.run(experiment, ...)``.
    experiment
        The design that was run: a crossover that names its contrasts.

    Returns
    -------
    Dataset
        ``se, unpaired_se, gain (contrast, task[, model])``, the first two on the scale of the outcomes, with the
        experiment's coordinates. Contrasts that are constant up to rounding in some task are left out and named in
        ``attrs["exact"]``.

    Raises
    ------
    DesignError
        If the design names no contrasts or is parallel.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.copies(n_units=200)
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0)
    >>> gain = pairing_gain(outcomes, experiment)["gain"].sel(task="RBFOX1", contrast="1 copy")
    >>> bool(gain > 1)
    True
    """
    import xarray as xr

    from causalgia.effects import contrast
    from causalgia.estimation._estimate import estimate
    from causalgia.estimation.arithmetic_floor import floor_of_estimates

    if experiment.named_contrasts is None or experiment.assignment != "crossover":
        raise DesignError("pairing is of the named contrasts of a crossover; give its design, with contrasts=")
    rows = {name: dict(row) for name, row in experiment.named_contrasts.items()}
    estimates = estimate(contrast(outcomes, contrasts=rows))
    paired, alone = estimates["se"].to_numpy(), _unpaired_errors(outcomes, rows)
    rounding = floor_of_estimates(estimates) / np.sqrt(outcomes.sizes["unit"])  # standard error due to rounding alone
    exact = (paired <= rounding).reshape(len(rows), -1).any(axis=1)
    dims = estimates["ace"].dims
    gain = np.divide(alone, paired, out=np.ones_like(alone), where=paired > 0)
    columns = {"se": (dims, paired), "unpaired_se": (dims, alone), "gain": (dims, gain)}
    coords = {str(name): c.variable for name, c in estimates.coords.items() if c.dims and set(c.dims) <= set(dims)}
    table = xr.Dataset(columns, coords=coords, attrs={"contrast_scale": estimates.attrs["contrast_scale"]})
    label = getattr(experiment, "label", None)
    table = table if label is None else label(table)
    names = np.asarray(list(rows))
    return table.isel(contrast=~exact).assign_attrs(exact=", ".join(names[exact]), n_units=outcomes.sizes["unit"])


def _unpaired_errors(outcomes: xr.Dataset, rows: Mapping[str, Mapping[str, float]]) -> Array:
    """Return the standard error of each contrast with independent backgrounds for each arm, (K, tasks[, models])."""
    from causalgia.effects.contrast_weights import weight_matrix
    from causalgia.estimation.crossover import mean_ice
    from causalgia.estimation.request import Request, clusters

    y = outcomes["outcome"].transpose("unit", "arm", ...)
    W = weight_matrix({name: dict(row) for name, row in rows.items()}, [str(arm) for arm in y["arm"].to_numpy()])
    groups = clusters(outcomes, Request("auto", None, (), "population", "units"))
    se = mean_ice(y.to_numpy().astype(np.float64), None if groups is None else groups.codes).se
    squares = np.asarray((W * W) @ se.reshape(len(se), -1) ** 2)
    return np.asarray(np.sqrt(squares)).reshape(W.shape[0], *se.shape[1:])
