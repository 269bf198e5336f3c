"""Datasets of effects, estimates and decisions whose ``to_dataframe`` has one row per effect."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import xarray as xr

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
