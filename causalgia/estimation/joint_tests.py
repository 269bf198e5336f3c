"""Joint tests of several contrasts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import special

from causalgia.attributes import attributes, has
from causalgia.errors import EstimateError
from causalgia.estimation._estimate import covariance
from causalgia.estimation._from_effects import as_estimates
from causalgia.estimation.request import check_has_errors, contrast_labels, null_value
from causalgia.estimation.standard_errors import is_singular, wald_htz
from causalgia.numerics.float_errors import usual_errors
from causalgia.types import Array, EstimateTable


@usual_errors
def joint_test(
    estimates: EstimateTable, contrast: Sequence[str] | None = None
) -> xr.Dataset:
    """Test that all of several average causal effects are zero, by Hotelling's
    T-squared (HTZ with clusters).

    Parameters
    ----------
    estimates
        From `estimate` or `from_effects`, or a table that `from_effects` takes.
    contrast
        Their names; None: all.

    Returns
    -------
    Dataset
        ``F, df1, df2, p (task[, model])``; with known standard errors (no ``df``) F is
        chi-squared over df1, and there is no ``df2``. Where contrasts differ in degrees
        of freedom the smallest is used.

    Raises
    ------
    EstimateError
        If a contrast is unknown, none is named, the covariance is unknown or singular
        (linearly dependent contrasts), or there are too many contrasts for the units.

    References
    ----------
    Hotelling (1931), doi:10.1214/aoms/1177732979. Tipton & Pustejovsky (2015),
    doi:10.3102/1076998615606099.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> test = joint_test(
    ...     from_effects([1.0, 0.0], covariance=[[1.0, 0.0], [0.0, 1.0]], df=9.0)
    ... )
    >>> [round(test[name].item(), 4) for name in ("F", "df1", "df2", "p")]
    [0.4444, 2, 8.0, 0.6561]
    """
    table = as_estimates(estimates)
    check_has_errors(table)
    null = null_value(table)
    if contrast is not None and len(contrast) == 0:
        raise EstimateError("no contrast is named")
    V = _selected_covariance(table, contrast)
    names = list(V["contrast"].to_numpy())
    at = [list(contrast_labels(table)).index(name) for name in names]
    chosen = table.isel(contrast=at)
    ace = chosen["ace"].to_numpy() - null
    flat, dims = ace.reshape(len(at), -1), chosen["ace"].dims[1:]
    matrices = V.to_numpy().reshape(len(at), len(at), -1)
    dfs = (
        chosen["df"].to_numpy().reshape(len(at), -1).min(axis=0)
        if "df" in chosen
        else None
    )
    tests = [
        _wald_test(flat[:, r], matrices[..., r], None if dfs is None else float(dfs[r]))
        for r in range(flat.shape[1])
    ]
    shape = ace.shape[1:]
    columns = {
        name: np.array([t[name] for t in tests]).reshape(shape) for name in tests[0]
    }
    coords = {
        str(name): c
        for name, c in table.coords.items()
        if c.dims and set(c.dims) <= set(dims)
    }
    out = xr.Dataset(
        {name: (dims, values) for name, values in columns.items()} | {"df1": len(at)},
        coords=coords,
    )
    return out.assign_attrs(
        dict(table.attrs)
        | attributes(hypothesis=f"{', '.join(map(str, names))} all {null:g}")
    )


def _selected_covariance(
    table: xr.Dataset, contrast: Sequence[str] | None
) -> xr.DataArray:
    """Return the covariance of the selected contrasts; standard errors without one are
    taken as independent.
    """
    if "covariance" in table or "factor" in table or not has(table).errors:
        return covariance(table, contrast)
    whole = np.einsum(
        "k...,kl->kl...", table["se"].to_numpy() ** 2, np.eye(table.sizes["contrast"])
    )
    dims = ("contrast", "contrast_", *table["se"].dims[1:])
    names = contrast_labels(table)
    full = table.assign(covariance=(dims, whole)).assign_coords(
        contrast=names, contrast_=names
    )
    return covariance(full, contrast)


def _wald_test(ace: Array, V: Array, df: float | None) -> dict[str, float]:
    if df is not None:
        test = wald_htz(ace, V, df)
        return {"F": test.F, "df2": test.df2, "p": test.p}
    q, sd = len(ace), np.sqrt(np.diag(V))
    if is_singular(V, sd):
        raise EstimateError(f"the covariance of the {q} contrasts is singular")
    chi2 = float(ace / sd @ np.linalg.solve(V / np.outer(sd, sd), ace / sd))
    return {"F": chi2 / q, "p": float(special.chdtrc(q, chi2))}
