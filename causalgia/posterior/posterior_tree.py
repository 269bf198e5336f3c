"""The container of a posterior: `xarray.DataTree` with ArviZ 1, `InferenceData` with ArviZ 0.x.

Both contain named Datasets, which all other modules work with.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias
from unittest.mock import patch

import xarray as xr

from causalgia.errors import InferenceError, quoted

Tree: TypeAlias = Any
"""`xarray.DataTree` with ArviZ 1 and later, `arviz.InferenceData` with ArviZ 0.x."""


def as_tree(groups: Mapping[str, xr.Dataset]) -> Tree:
    """Put Datasets into the container of the installed ArviZ, under their names.

    Examples
    --------
    >>> tree = as_tree({"posterior": xr.Dataset({"mu": (("chain", "draw"), [[1.0, 2.0]])})})
    >>> tree["posterior"]["mu"].sizes["draw"]
    2
    """
    if int(version("arviz").split(".")[0]) >= 1:
        return xr.DataTree.from_dict(dict(groups))
    return import_quietly("arviz").InferenceData(**groups)


def import_quietly(name: str) -> Any:
    """Import an untyped library on demand, without warnings at import.

    ArviZ 0.23 writes to the user's cache folder at import; where that is not writable (a container, a full disk) it
    gets a temporary one.

    Examples
    --------
    >>> import_quietly("arviz").__name__
    'arviz'
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return import_module(name)
        except OSError:
            with TemporaryDirectory() as folder, patch("platformdirs.user_cache_dir", lambda *_, **__: folder):
                return import_module(name)


def tree_datasets(tree: Tree) -> dict[str, xr.Dataset]:
    """Return the Datasets of a container by name.

    Parameters
    ----------
    tree
        `xarray.DataTree`, `arviz.InferenceData`, or a mapping of names to Datasets.

    Raises
    ------
    InferenceError
        If it is none of these.

    Examples
    --------
    >>> sorted(tree_datasets({"posterior": xr.Dataset(), "prior": xr.Dataset()}))
    ['posterior', 'prior']
    >>> tree_datasets([1.0])
    Traceback (most recent call last):
    ...
    causalgia.errors.InferenceError: a posterior is an xarray DataTree or an arviz InferenceData, not list; ...
    """
    if isinstance(tree, xr.DataTree):
        return {str(name): child.to_dataset() for name, child in tree.children.items()}
    if isinstance(tree, Mapping) and all(isinstance(group, xr.Dataset) for group in tree.values()):
        return {str(name): group for name, group in tree.items()}
    if hasattr(tree, "groups") and hasattr(tree, "add_groups"):
        return {name: tree[name] for name in tree.groups()}
    raise InferenceError(
        f"a posterior is an xarray DataTree or an arviz InferenceData, not {type(tree).__name__}; "
        "take one from cg.infer"
    )


def tree_group(tree: Tree, group: str, *names: str) -> xr.Dataset:
    """Return one Dataset of a container; the error names a missing group or variable.

    Raises
    ------
    InferenceError
        If the group or one of the variables is absent.

    Examples
    --------
    >>> tree_group({"prior": xr.Dataset()}, "posterior", "ace")
    Traceback (most recent call last):
    ...
    causalgia.errors.InferenceError: the tree has no group 'posterior', only prior; take one from cg.infer
    """
    found = tree_datasets(tree)
    if group not in found:
        raise InferenceError(
            f"the tree has no group {quoted(group)}, only {', '.join(sorted(found)) or 'nothing'}; take one from "
            "cg.infer"
        )
    for name in names:
        if name not in found[group]:
            raise InferenceError(
                f"the group {quoted(group)} has no variable {quoted(name)}, only "
                f"{', '.join(map(str, found[group].data_vars))}; take one from cg.infer, or rename yours to "
                f"{quoted(name)}"
            )
    return found[group]
