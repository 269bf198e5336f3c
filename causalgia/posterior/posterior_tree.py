"""The container of a posterior, an `xarray.DataTree` of named Datasets, and the
convergence of its draws.

A posterior of others may also be the `InferenceData` of ArviZ before 1.0.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import warnings
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, TypeAlias
from unittest.mock import patch

import numpy as np
import xarray as xr

from causalgia.attributes import about, attributes
from causalgia.checks import first_of
from causalgia.errors import (
    DegenerateWarning,
    EstimateError,
    quoted,
    type_in_words,
)
from causalgia.types import PosteriorGroups

Tree: TypeAlias = Any
"""`xarray.DataTree`, whichever ArviZ is installed."""


def as_tree(groups: Mapping[str, xr.Dataset]) -> Tree:
    """Put Datasets into a DataTree, under their names.

    Examples
    --------
    >>> tree = as_tree(
    ...     {"posterior": xr.Dataset({"mu": (("chain", "draw"), [[1.0, 2.0]])})}
    ... )
    >>> tree["/posterior"]["mu"].sizes["draw"]
    2
    """
    return xr.DataTree.from_dict(dict(groups))


def as_arviz(posterior: PosteriorGroups) -> Any:
    """Return a posterior as the functions of the installed ArviZ take it.

    ArviZ from 1.0 on reads the DataTree of `infer` itself. Earlier ones, which are what
    Python 3.11 has, read an `arviz.InferenceData`: use this for a line that runs with
    any of them.

    Parameters
    ----------
    posterior
        A posterior of `infer`, or another one in groups.

    Returns
    -------
    DataTree or InferenceData
        The groups of the posterior: a DataTree for ArviZ 1.0 and later, an
        InferenceData before.

    Raises
    ------
    EstimateError
        If it is not a posterior.

    Examples
    --------
    >>> given = as_arviz(
    ...     {"posterior": xr.Dataset({"mu": (("chain", "draw"), [[1.0, 2.0]])})}
    ... )
    >>> given["posterior"]["mu"].sizes["draw"]
    2
    """
    groups = tree_datasets(posterior)
    if int(version("arviz").split(".")[0]) >= 1:
        return as_tree(groups)
    return import_quietly("arviz").InferenceData(**groups)


def import_quietly(name: str) -> Any:
    """Import an untyped library on demand, without warnings at import.

    ArviZ 0.23 writes to the user's cache folder at import, and PyTensor makes a folder
    in the user's home; where these are not writable (a container, a full disk) they get
    temporary ones.

    Examples
    --------
    >>> import_quietly("arviz").__name__
    'arviz'
    """
    if name.startswith(("pymc", "pytensor")) and "pytensor" not in sys.modules:
        _choose_compile_folder()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return import_module(name)
        except OSError:
            with (
                TemporaryDirectory() as folder,
                patch("platformdirs.user_cache_dir", lambda *_, **__: folder),
            ):
                return import_module(name)


def _choose_compile_folder() -> None:
    """Let PyTensor, and the processes of chains, compile in a temporary folder where
    the home cannot be written.
    """
    given = os.environ.get("PYTENSOR_FLAGS", "")
    try:
        place = Path.home() / ".pytensor"
    except RuntimeError:  # a user without an entry and without HOME, as in some containers: PyTensor insists on one
        os.environ["HOME"] = _temporary_folder()
        return
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    is_usable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    if not is_usable and "compiledir" not in given:
        flags = filter(None, [given, f"base_compiledir={_temporary_folder()}"])
        os.environ["PYTENSOR_FLAGS"] = ",".join(flags)


def _temporary_folder() -> str:
    """Return a new folder that exists until this process ends."""
    folder = mkdtemp(prefix="causalgia-pytensor-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def tree_datasets(tree: Tree) -> dict[str, xr.Dataset]:
    """Return the Datasets of a container by name.

    Parameters
    ----------
    tree
        `xarray.DataTree`, `arviz.InferenceData`, or a mapping of names to Datasets.

    Raises
    ------
    EstimateError
        If it is not one of these.

    Examples
    --------
    >>> sorted(tree_datasets({"posterior": xr.Dataset(), "prior": xr.Dataset()}))
    ['posterior', 'prior']
    >>> tree_datasets([1.0])
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: a posterior is an xarray DataTree or an arviz InferenceData, not a list
    """
    if isinstance(tree, xr.DataTree):
        return {str(name): child.to_dataset() for name, child in tree.children.items()}
    if isinstance(tree, Mapping) and all(
        isinstance(group, xr.Dataset) for group in tree.values()
    ):
        return {str(name): group for name, group in tree.items()}
    if hasattr(tree, "groups") and hasattr(tree, "add_groups"):
        return {name: tree[name] for name in tree.groups()}
    raise EstimateError(
        "a posterior is an xarray DataTree or an arviz InferenceData, not "
        f"{type_in_words(tree)}"
    )


def tree_group(tree: Tree, group: str, *names: str) -> xr.Dataset:
    """Return one Dataset of a container; the error names a missing group or variable.

    Raises
    ------
    EstimateError
        If the group or one of the variables is absent.

    Examples
    --------
    >>> tree_group({"prior": xr.Dataset()}, "posterior", "ace")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: the tree has no group 'posterior', only prior
    """
    found = tree_datasets(tree)
    if group not in found:
        raise EstimateError(
            f"the tree has no group {quoted(group)}, only "
            f"{', '.join(sorted(found)) or 'nothing'}"
        )
    for name in names:
        if name not in found[group]:
            raise EstimateError(
                f"the group {quoted(group)} has no variable {quoted(name)}, only "
                f"{', '.join(map(str, found[group].data_vars))}"
            )
    return found[group]


MAX_RHAT = 1.01
MIN_ESS = 400
_LISTED = 5
_LIMITS = {"rhat": "above 1.01", "ess_bulk": "below 400", "ess_tail": "below 400"}


def diagnose(posterior: xr.Dataset, divergences: int) -> xr.Dataset:
    """Compute R-hat and bulk and tail effective sample size of every variable of a
    posterior.

    A row that is constant over all draws (an effect that is certainly 0) has converged:
    its R-hat is 1 and its effective sample size the number of draws. A row that is
    constant within chains but differs between them has not.

    Parameters
    ----------
    posterior
        Variables ``(chain, draw, ...)``.
    divergences
        Divergent transitions after warm-up, over all chains.

    Returns
    -------
    Dataset
        ``rhat_x, ess_bulk_x, ess_tail_x`` on the other dims of each variable x, and
        attrs ``divergences``, ``rhat_max``, ``ess_bulk_min``, ``ess_tail_min``.

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
        f"{kind}_{name}": _fill_constant_rows(
            values[name], posterior[name], 1.0 if kind == "rhat" else float(size)
        )
        for kind, values in found.items()
        for name in posterior.data_vars
    }
    out = xr.Dataset(columns)
    worst = {
        "rhat": ("rhat_max", np.max),
        "ess_bulk": ("ess_bulk_min", np.min),
        "ess_tail": ("ess_tail_min", np.min),
    }
    out.attrs = attributes(divergences=int(divergences)) | {
        attr: float(
            reduce(
                [
                    reduce(v.to_numpy())
                    for n, v in columns.items()
                    if str(n).startswith(kind)
                ]
            )
        )
        for kind, (attr, reduce) in worst.items()
    }
    return out


def _fill_constant_rows(
    value: xr.DataArray, draws: xr.DataArray, constant: float
) -> xr.DataArray:
    """Fill statistics that are not finite: a constant row has converged, one constant
    within chains only has not.
    """
    flat = draws.max(("chain", "draw")) == draws.min(("chain", "draw"))
    stuck = np.inf if constant == 1.0 else 1.0
    return value.where(np.isfinite(value), stuck).where(~flat, constant)


def convergence_failures(diagnostics: xr.Dataset) -> list[str]:
    """Return one line for each statistic and variable that fails: the worst rows by
    name, and how many more.

    Examples
    --------
    >>> convergence_failures(xr.Dataset({"rhat_mu": 1.2}, attrs={"divergences": 3}))
    ['3 divergent transitions', 'rhat of mu above 1.01: 1.2']
    """
    divergences = int(about(diagnostics).divergences)
    lines = (
        [f"{divergences} divergent transition{'s' if divergences > 1 else ''}"]
        if divergences
        else []
    )
    for column in diagnostics.data_vars:
        kind = next(k for k in _LIMITS if str(column).startswith(k + "_"))
        values = diagnostics[column]
        flat = values.to_numpy().ravel()
        bad = np.flatnonzero(flat > MAX_RHAT if kind == "rhat" else flat < MIN_ESS)
        if not len(bad):
            line = ""
        else:
            worst = bad[
                np.argsort(-flat[bad] if kind == "rhat" else flat[bad], kind="stable")
            ][:_LISTED]
            each = [_row_label(values, int(i)) + f"{flat[i]:.4g}" for i in worst]
            line = (
                f"{kind} of {str(column)[len(kind) + 1 :]} {_LIMITS[kind]}: "
                f"{first_of(each, _LISTED, n=len(bad))}"
            )
        lines += [line] if line else []
    return lines


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
    EstimateError
        If there are too few draws and unconverged ones are not accepted.
    """
    if n_draws < MIN_ESS and not accepted:
        raise EstimateError(
            f"n_draws={n_draws} cannot give an effective sample size of {MIN_ESS}"
        )


def check_convergence(
    diagnostics: xr.Dataset, accepted: bool, stacklevel: int = 2
) -> dict[str, Any]:
    """Raise for draws that have not converged, or warn if that is accepted; return
    attrs of convergence.

    Raises
    ------
    EstimateError
        If there are divergences, an R-hat above 1.01 or an effective sample size below
        400, and it was not accepted.

    Warns
    -----
    DegenerateWarning
        The same, accepted.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), doi:10.1214/20-BA1221: the
    two limits.

    Examples
    --------
    >>> check_convergence(
    ...     xr.Dataset({"rhat_mu": 1.2}, attrs={"divergences": 0, "rhat_max": 1.2}),
    ...     accepted=False,
    ... )
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: the draws have not converged: rhat of mu above 1.01: 1.2
    """
    failures = convergence_failures(diagnostics)
    if failures:
        text = "the draws have not converged: " + "; ".join(failures)
        if not accepted:
            raise EstimateError(text)
        warnings.warn(DegenerateWarning(text), stacklevel=stacklevel + 1)
    return dict(diagnostics.attrs) | {
        "converged": "no" if failures else "yes",
        "unconverged": "; ".join(failures),
    }
