"""Convergence of NUTS: divergences, R-hat and effective sample sizes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr

from causalgia.errors import ConvergenceError, ConvergenceWarning
from causalgia.posterior.posterior_tree import import_quietly

MAX_RHAT = 1.01
MIN_ESS = 400
_LISTED = 5
_LIMITS = {"rhat": "above 1.01", "ess_bulk": "below 400", "ess_tail": "below 400"}
_CURES = (
    "ask for more n_draws=, a narrower prior (prior=cg.Prior(tau_scale=...)), engine='exact' where it exists, "
    "or accept_unconverged=True to see them as they are"
)


def diagnose(posterior: xr.Dataset, divergences: int) -> xr.Dataset:
    """Compute R-hat and bulk and tail effective sample size of every variable of a posterior.

    A row that is constant over all draws (an effect that is certainly 0) has converged: its R-hat is 1 and its
    effective sample size the number of draws. A row that is constant within chains but differs between them has not.

    Parameters
    ----------
    posterior
        Variables ``(chain, draw, ...)``.
    divergences
        Divergent transitions after warm-up, over all chains.

    Returns
    -------
    Dataset
        ``rhat_x, ess_bulk_x, ess_tail_x`` on the other dims of each variable x, and attrs ``divergences``,
        ``rhat_max``, ``ess_bulk_min``, ``ess_tail_min``.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), doi:10.1214/20-BA1221.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(size=(4, 500))
    >>> found = diagnose(xr.Dataset({"mu": (("chain", "draw"), draws)}), 0)
    >>> found.attrs["divergences"], found.attrs["rhat_max"] < 1.01
    (0, True)
    """
    arviz = import_quietly("arviz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of constant rows, which are filled below
        found = {
            "rhat": arviz.rhat(posterior),
            "ess_bulk": arviz.ess(posterior, method="bulk"),
            "ess_tail": arviz.ess(posterior, method="tail"),
        }
    size = posterior.sizes["chain"] * posterior.sizes["draw"]
    columns = {
        f"{kind}_{name}": _fill_constant_rows(values[name], posterior[name], 1.0 if kind == "rhat" else float(size))
        for kind, values in found.items()
        for name in posterior.data_vars
    }
    out = xr.Dataset(columns)
    worst = {"rhat": ("rhat_max", np.max), "ess_bulk": ("ess_bulk_min", np.min), "ess_tail": ("ess_tail_min", np.min)}
    out.attrs = {"divergences": int(divergences)} | {
        attr: float(reduce([reduce(v.to_numpy()) for n, v in columns.items() if str(n).startswith(kind)]))
        for kind, (attr, reduce) in worst.items()
    }
    return out


def _fill_constant_rows(value: xr.DataArray, draws: xr.DataArray, constant: float) -> xr.DataArray:
    """Fill statistics that are not finite: a constant row has converged, one constant within chains only has not."""
    flat = draws.max(("chain", "draw")) == draws.min(("chain", "draw"))
    stuck = np.inf if constant == 1.0 else 1.0
    return value.where(np.isfinite(value), stuck).where(~flat, constant)


def convergence_failures(diagnostics: xr.Dataset) -> list[str]:
    """Return one line for each statistic and variable that fails: the worst rows by name, and how many more.

    Examples
    --------
    >>> convergence_failures(xr.Dataset({"rhat_mu": 1.2}, attrs={"divergences": 3}))
    ['3 divergent transitions', 'rhat of mu above 1.01: 1.2']
    """
    divergences = int(diagnostics.attrs["divergences"])
    lines = [f"{divergences} divergent transition{'s' if divergences > 1 else ''}"] if divergences else []
    for column in diagnostics.data_vars:
        kind = next(k for k in _LIMITS if str(column).startswith(k + "_"))
        line = _failure_line(diagnostics[column], kind, str(column)[len(kind) + 1 :])
        lines += [line] if line else []
    return lines


def _failure_line(values: xr.DataArray, kind: str, name: str) -> str:
    flat = values.to_numpy().ravel()
    bad = np.flatnonzero(flat > MAX_RHAT if kind == "rhat" else flat < MIN_ESS)
    if not len(bad):
        return ""
    worst = bad[np.argsort(-flat[bad] if kind == "rhat" else flat[bad], kind="stable")][:_LISTED]
    shown = ", ".join(_row_label(values, int(i)) + f"{flat[i]:.4g}" for i in worst)
    more = f" and {len(bad) - _LISTED} more" if len(bad) > _LISTED else ""
    return f"{kind} of {name} {_LIMITS[kind]}: {shown}{more}"


def _row_label(values: xr.DataArray, i: int) -> str:
    where = np.unravel_index(i, values.shape)
    labels = [
        f"{dim} {values[dim].to_numpy()[j] if dim in values.coords else j!s}"
        for dim, j in zip(values.dims, where, strict=True)
    ]
    return ", ".join(labels) + " " if labels else ""


def check_n_draws(n_draws: int, accepted: bool) -> None:
    """Raise before sampling for fewer draws than the least effective sample size.

    Raises
    ------
    ConvergenceError
        If there are too few draws and unconverged ones are not accepted.
    """
    if n_draws < MIN_ESS and not accepted:
        raise ConvergenceError(
            f"n_draws={n_draws} cannot give an effective sample size of {MIN_ESS}; ask for n_draws=4000 (the default), "
            "or accept_unconverged=True"
        )


def check_convergence(diagnostics: xr.Dataset, accepted: bool, stacklevel: int = 2) -> dict[str, Any]:
    """Raise for draws that have not converged, or warn if that is accepted; return attrs of convergence.

    Raises
    ------
    ConvergenceError
        If there are divergences, an R-hat above 1.01 or an effective sample size below 400, and it was not accepted.

    Warns
    -----
    ConvergenceWarning
        The same, accepted.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), doi:10.1214/20-BA1221: the two limits.

    Examples
    --------
    >>> check_convergence(xr.Dataset({"rhat_mu": 1.2}, attrs={"divergences": 0, "rhat_max": 1.2}), accepted=False)
    Traceback (most recent call last):
    ...
    causalgia.errors.ConvergenceError: the draws have not converged: rhat of mu above 1.01: 1.2; ask for ...
    """
    failures = convergence_failures(diagnostics)
    if failures:
        text = "the draws have not converged: " + "; ".join(failures)
        if not accepted:
            raise ConvergenceError(f"{text}; {_CURES}")
        warnings.warn(text, ConvergenceWarning, stacklevel=stacklevel + 1)
    return dict(diagnostics.attrs) | {"converged": "no" if failures else "yes", "unconverged": "; ".join(failures)}
