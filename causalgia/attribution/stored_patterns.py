"""What a long computation has done so far: Datasets, which a folder keeps for a call that
goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

Keep: TypeAlias = "Callable[[str, Callable[[], xr.Dataset]], xr.Dataset]"
"""Returns the Dataset of a name that a folder has, else makes and keeps it."""


def make_anew(_name: str, make: Callable[[], xr.Dataset]) -> xr.Dataset:
    """Return what is made, where there is no folder to keep it."""
    return make()


def stored_in(
    folder: Path,
    marked: Mapping[str, str | int],
    check: Callable[[xr.Dataset], None],
) -> Keep:
    """Return the function that keeps Datasets in a folder as soon as they are made.

    Parameters
    ----------
    folder
        The folder, made with its first file.
    marked
        Attributes of each file, by which `check` knows whether it is of these settings.
    check
        Raises where a file that is there is of others.
    """
    from causalgia.store import read_netcdf, save

    def keep(name: str, make: Callable[[], xr.Dataset]) -> xr.Dataset:
        path = folder / f"{name}.nc"
        if path.exists():
            held = read_netcdf(path)
            check(held)
            held = held.assign(
                {
                    name: array.astype(np.str_)
                    for name, array in held.variables.items()
                    if array.dtype.kind == "O"
                }
            )
            return held.drop_attrs(deep=False).assign_attrs(
                {
                    str(key): value.item() if isinstance(value, np.generic) else value
                    for key, value in held.attrs.items()
                    if key not in marked
                }
            )
        made = make()
        folder.mkdir(parents=True, exist_ok=True)
        save(made.assign_attrs(marked), path)
        return made

    return keep
