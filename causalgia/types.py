"""Type aliases of arrays, and the letters that tokens stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

if TYPE_CHECKING:
    from distributed import Client as Client

    Series: TypeAlias = pd.Series[Any]
    Index: TypeAlias = pd.Index[Any]
else:  # distributed is loaded where a client is used; pandas' classes take no parameters
    Series, Index = pd.Series, pd.Index

    class Client(Protocol):
        """A `distributed.Client`."""

        def submit(self, function: Any, *args: Any) -> Any:
            """Run a function on a worker."""


#: numbers
Array: TypeAlias = NDArray[np.float64]
#: counts, positions and other whole numbers
Ints: TypeAlias = NDArray[np.int64]
#: indices into another array
Codes: TypeAlias = NDArray[np.intp]
#: selected elements
Mask: TypeAlias = NDArray[np.bool_]
#: letters of sequences: 0 to 3 are A, C, G and T
Tokens: TypeAlias = NDArray[np.uint8]
#: identities of units
Units: TypeAlias = NDArray[np.uint64]
#: (start, stop, shift) each: base i of ``[start, stop)`` stands at ``i + shift``
Stretches: TypeAlias = tuple[tuple[int, int, int], ...]
#: estimates or effects, or a table with columns ``effect`` and ``se``
EstimateTable: TypeAlias = xr.Dataset | pd.DataFrame


class HasGroups(Protocol):
    """A posterior in groups of any kind, such as the InferenceData of ArviZ before
    1.0.
    """

    def groups(self) -> Any:
        """Return the names of the groups."""

    def __getitem__(self, name: str, /) -> Any: ...


#: a posterior in groups: that of `causalgia.infer`, or of another sampler
PosteriorGroups: TypeAlias = xr.DataTree | HasGroups | Mapping[str, xr.Dataset]


class HasCoefficients(Protocol):
    """A fitted model with coefficients, such as one of statsmodels."""

    params: Any

    def cov_params(self) -> Any:
        """Return the covariance of the coefficients."""


class HasTests(Protocol):
    """Linear tests of coefficients, as of ``fit.t_test(...)`` in statsmodels."""

    effect: Any
    sd: Any
    dist_args: Any


class HasPooledEffect(Protocol):
    """A meta-analysis, as of ``combine_effects(...)`` in statsmodels."""

    mean_effect_re: Any
    sd_eff_w_re: Any


class HasToPandas(Protocol):
    """A table of another library, such as polars."""

    def to_pandas(self) -> Any:
        """Return the table as a DataFrame of pandas."""


#: estimates, or effects with errors from another program: a table, a mapping of columns
#: or matrices, or a result of statsmodels
GivenTable: TypeAlias = (
    EstimateTable
    | HasToPandas
    | HasCoefficients
    | HasTests
    | HasPooledEffect
    | Mapping[str, Any]
)
