"""What no covariance can be: of estimates that came ready-made, or with effects of anybody's."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.errors import EstimateError
from causalgia.types import Array

_ROUNDING = 1e-6  # of correlations that travelled as single precision
_LEAST_SD = 1e-153  # its square has all its digits


def refuse_no_covariance(estimates: xr.Dataset) -> None:
    """Refuse a covariance that is not symmetric, has negative eigenvalues, or is not of the standard errors."""
    matrix = estimates["covariance"].transpose("contrast", "contrast_", ...).to_numpy()
    n = len(matrix)
    labels = estimates["contrast"].to_numpy() if "contrast" in estimates.coords else np.arange(n)
    stack = np.moveaxis(matrix.reshape(n, n, -1), -1, 0).astype(np.float64)
    for t, variances in enumerate(np.diagonal(stack, axis1=1, axis2=2)):
        refuse_where(variances < 0, labels, variances, "variance", "is negative; no covariance has that")
        if "se" in estimates:
            refuse_disagreement(estimates["se"].to_numpy().reshape(n, -1)[:, t], variances, labels)
        correlation = _correlation_of(stack[t])
        refuse_crooked(correlation, labels, variances)
        least = _least_eigenvalue(correlation)
        if least < -_ROUNDING:
            raise EstimateError(
                f"the covariance of the {n} effects has negative eigenvalues (least of the correlation {least:.2g}), "
                "and no estimates vary like that; take it as cg.estimate gave it, or repair it where it arose"
            )


def refuse_disagreement(se: Array, variances: Array, labels: npt.NDArray[Any]) -> None:
    """Refuse standard errors, (K,), that are not the roots of their variances within rounding."""
    sd = np.sqrt(variances)
    apart = np.abs(sd - se) > _ROUNDING * np.maximum(sd, se) + _LEAST_SD
    refuse_where(
        apart, labels, se, "se", "is not the root of its variance in the covariance; give one of the two alone"
    )


def refuse_crooked(correlation: Array, labels: npt.NDArray[Any], variances: Array) -> None:
    """Refuse a correlation, (K, K), that is not symmetric within rounding."""
    crooked = (np.abs(correlation - correlation.T) > _ROUNDING).any(axis=1)
    refuse_where(crooked, labels, variances, "covariance", "is not symmetric; give (V + V.T) / 2 if it should be")


def refuse_where(bad: Any, labels: npt.NDArray[Any], values: Array, name: str, why: str) -> None:
    """Refuse the first contrast that is bad, by its name and value."""
    if bad.any():
        k = int(np.argmax(bad))
        raise EstimateError(f"contrast {labels[k]!s}: {name} {values[k]:g} {why}")


def _correlation_of(matrix: Array) -> Array:
    """Return correlations; 0 where a variance is 0 and the covariance with it."""
    sd = np.sqrt(np.diagonal(matrix))
    scale = np.where(sd > _LEAST_SD, sd, 1.0)
    return np.asarray(matrix / scale / scale[:, None])


def _least_eigenvalue(correlation: Array) -> float:
    """Return 0 where it is not negative beyond rounding, as a factorisation says for a fraction of the time."""
    try:
        np.linalg.cholesky(correlation + _ROUNDING * np.eye(len(correlation)))
    except np.linalg.LinAlgError:
        return float(np.linalg.eigvalsh(correlation)[0])
    return 0.0
