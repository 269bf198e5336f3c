"""The container of a posterior: an `xarray.DataTree` of named Datasets.

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

import xarray as xr

from causalgia.errors import (
    EstimateError,
    quoted,
    type_in_words,
)
from causalgia.types import PosteriorGroups

Tree: TypeAlias = Any
"""`xarray.DataTree`, whichever ArviZ is installed."""
CHAINS = 4


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
