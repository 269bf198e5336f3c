"""Datasets of effects, estimates and decisions whose ``to_dataframe`` has one row per effect."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from causalgia.checks import nearest
from causalgia.errors import ContrastError, quoted
from causalgia.types import Array

if TYPE_CHECKING:
    import pandas as pd


#: variables with one value per effect, in order of preference; the dims of the first one present define the rows
_EFFECT_VARIABLES = ("ace", "ice", "ice_mean", "verdict", "outcome")


class EffectTable(xr.Dataset):  # type: ignore[no-untyped-call]  # xarray's __init_subclass__ has no types
    """A Dataset of effects whose `to_dataframe` has one row per effect.

    It is an `xarray.Dataset` otherwise. `to_dataframe` omits variables with other dims (covariance, weights of arms),
    for which a plain Dataset would repeat each effect.

    Examples
    --------
    >>> weight = (("contrast", "arm"), [[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    >>> table = EffectTable(
    ...     {"ace": (("contrast", "task"), [[1.5], [0.2]]), "weight": weight},
    ...     coords={"contrast": ["GATA1", "TAL1"], "task": ["K562"]},
    ... )
    >>> table.to_dataframe().reset_index()
      contrast  task  ace
    0    GATA1  K562  1.5
    1     TAL1  K562  0.2
    """

    __slots__ = ()

    def to_dataframe(self, dim_order: Sequence[Hashable] | None = None) -> pd.DataFrame:
        """Return a DataFrame with one row per effect and a column for each variable on the dims of an effect.

        Parameters
        ----------
        dim_order
            Order of the levels of the index, by default that of the effect's dims: contrast, task[, model].

        Returns
        -------
        DataFrame
            One row per effect. Variables with other dims are read from the Dataset itself:
            ``covariance (contrast, contrast_, task)``, ``weight (contrast, arm)``, ``kind (arm)``.
        """
        effect = next((self[name] for name in _EFFECT_VARIABLES if name in self.variables), None)
        if effect is None:
            return super().to_dataframe(dim_order)
        table = xr.Dataset.drop_dims(self, [dim for dim in self.dims if dim not in effect.dims])
        return xr.Dataset.to_dataframe(table, list(effect.dims) if dim_order is None else dim_order)


def as_effect_table(dataset: xr.Dataset) -> EffectTable:
    """Return a Dataset as an `EffectTable` of the same variables.

    Examples
    --------
    >>> as_effect_table(xr.Dataset({"ace": ("contrast", [1.0])}, attrs={"scale": "log"})).attrs
    {'scale': 'log'}
    """
    if isinstance(dataset, EffectTable):
        return dataset
    data = {name: dataset.variables[name] for name in dataset.data_vars}
    table = EffectTable(data, dataset.coords, dataset.attrs)
    table.encoding = dataset.encoding
    return table


_MOST_NAMED = 12


def tasks_in_table(table: xr.Dataset) -> list[str]:
    """Return the names of the tasks of a table, numbers if they have none.

    Examples
    --------
    >>> tasks_in_table(xr.Dataset(coords={"task": ["K562"]}))
    ['K562']
    """
    if "task" not in table.coords:
        return list(map(str, range(table.sizes.get("task", 1))))
    return [str(name) for name in np.atleast_1d(table["task"].to_numpy())]


def selected_tasks(
    known: Sequence[str], task: str | Sequence[str], *, place: str = "", argument: str = "task"
) -> list[str]:
    """Return the tasks of a selection: a name, a pattern such as ``"DNASE:*"``, or several of them.

    In a pattern, ``*`` is any text, ``?`` a letter and ``[ab]`` one of these letters; a name that is there is taken as
    it stands.

    Parameters
    ----------
    known
        The tasks there are.
    task
        Names and patterns.
    place, argument
        What takes the selection, and by which argument, for errors.

    Raises
    ------
    ContrastError
        If a name or pattern is that of no task.

    Examples
    --------
    >>> selected_tasks(["DNASE:K562", "DNASE:HepG2", "RNA:K562"], ["RNA:K562", "DNASE:*"])
    ['RNA:K562', 'DNASE:K562', 'DNASE:HepG2']
    """
    patterns = [task] if isinstance(task, str) else task
    if not isinstance(patterns, Sequence) or not patterns or not all(isinstance(one, str) for one in patterns):
        raise ContrastError(
            f'{place}{argument}={quoted(task)} is not a task; give a name, a pattern such as "DNASE:*", or a list of '
            "them"
        )
    there, found = set(known), dict[str, None]()
    for pattern in patterns:
        names = [pattern] if pattern in there else [name for name in known if fnmatchcase(name, pattern)]
        if not names:
            raise ContrastError(
                f"{place}task {quoted(pattern)} is not there{nearest(pattern, known)}; say {argument}= one of "
                f"{tasks_for_errors(known)}"
            )
        found |= dict.fromkeys(names)
    return list(found)


def tasks_for_errors(known: Sequence[str]) -> str:
    """Return the names of tasks for a message; of many the first, with what else can be said.

    Examples
    --------
    >>> tasks_for_errors(["K562", "HepG2"]), tasks_for_errors([f"DNASE:{i}" for i in range(919)]).partition("(")[2]
    ("'K562', 'HepG2'", "919 tasks; a pattern such as 'DNASE:*' takes several)")
    """
    if len(known) <= _MOST_NAMED:
        return ", ".join(map(quoted, known))
    head = known[0].partition(":")[0] + ":*" if ":" in known[0] else known[0][:4] + "*"
    first = ", ".join(map(quoted, known[:4]))
    return f"{first}, ... ({len(known):,} tasks; a pattern such as {quoted(head)} takes several)"


def select_tasks(table: xr.Dataset, task: str | Sequence[str] | None, *, place: str = "") -> Any:
    """Return a table of the tasks of a selection, as `selected_tasks`; None: all.

    Examples
    --------
    >>> table = xr.Dataset({"ace": (("contrast", "task"), [[1.5, 0.2]])}, coords={"task": ["DNASE:K562", "RNA:K562"]})
    >>> select_tasks(table, "DNASE:*")["task"].values.tolist()
    ['DNASE:K562']
    """
    if task is None:
        return table
    known = tasks_in_table(table)
    at = {name: i for i, name in enumerate(known)}
    return table.isel(task=[at[name] for name in selected_tasks(known, task, place=place)])


_SAMPLED = ("population", "parents")
"""Targets whose error comes from the sampled units alone, so that the skewness of the estimates applies."""


def hall_coefficient(estimates: xr.Dataset) -> Array:
    """Return ``skewness / sqrt(n)`` of each estimate, in the shape of ``ace``; 0 where it is not known.

    n is the number of independent contributions (``n_clusters``, else ``n_units``). The coefficient is also 0 for
    targets with another source of variance (words, predictors, replicates), for which the skewness of units says
    little.

    Examples
    --------
    >>> one = {name: ("contrast", [x]) for name, x in {"ace": 1.0, "skewness": 2.0, "n_units": 100}.items()}
    >>> hall_coefficient(xr.Dataset(one)), hall_coefficient(xr.Dataset({"ace": ("contrast", [1.0])}))
    (array([0.2]), array([0.]))
    """
    ace = estimates["ace"]
    counts = [name for name in ("n_clusters", "n_units") if name in estimates]
    if "skewness" not in estimates or not counts or estimates.attrs.get("target", "population") not in _SAMPLED:
        return np.zeros(ace.shape)
    skewness, n = (estimates[name].broadcast_like(ace).transpose(*ace.dims) for name in ("skewness", counts[0]))
    return np.asarray(skewness.to_numpy() / np.sqrt(np.maximum(n.to_numpy(), 1)))
