"""What a search for motifs has done so far: its maps, limits and patterns as Datasets,
which a folder keeps for a call that goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from causalgia.attribution.distinct_patterns import Pattern

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

Keep: TypeAlias = "Callable[[str, Callable[[], xr.Dataset]], xr.Dataset]"
"""Returns the Dataset of a name that a folder has, else makes and keeps it."""
_LEFT_OUT = "left_out"
_SEPARATOR = ", "


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


def patterns_dataset(patterns: Sequence[Pattern], left_out: str = "") -> xr.Dataset:
    """Return patterns as a Dataset, or why a method was left out.

    Examples
    --------
    >>> one = Pattern(
    ...     "ACG", np.eye(4)[:3], 1, np.array([[0, 2, 5]]), 1.5, frozenset(["kmer"])
    ... )
    >>> (again,) = patterns_of(patterns_dataset([one]))
    >>> again.consensus, again.task, again.effect, again.windows.tolist(), again.methods
    ('ACG', 1, 1.5, [[0, 2, 5]], frozenset({'kmer'}))
    """
    import xarray as xr

    def strings(values: list[str]) -> tuple[str, np.ndarray]:
        return "pattern", np.array(values, dtype=np.str_)

    motif = [np.zeros((0, 4)), *(one.motif for one in patterns)]
    windows = [np.zeros((0, 3), np.int64), *(one.windows for one in patterns)]
    return xr.Dataset(
        {
            "consensus": strings([one.consensus for one in patterns]),
            "methods": strings(
                [_SEPARATOR.join(sorted(one.methods)) for one in patterns]
            ),
            "task": ("pattern", np.array([one.task for one in patterns], np.int64)),
            "effect": ("pattern", np.array([one.effect for one in patterns], float)),
            "width": ("pattern", np.array([len(x) for x in motif[1:]], np.int64)),
            "n_windows": ("pattern", np.array([len(x) for x in windows[1:]], np.int64)),
            "motif": (("row", "base"), np.concatenate(motif)),
            "window": (("seqlet", "place"), np.concatenate(windows)),
        },
        attrs={_LEFT_OUT: left_out},
    )


def patterns_of(stored: xr.Dataset) -> list[Pattern]:
    """Return the patterns of a Dataset of `patterns_dataset`."""
    widths, n_windows = stored["width"].to_numpy(), stored["n_windows"].to_numpy()
    motif = np.split(stored["motif"].to_numpy(), np.cumsum(widths)[:-1])
    windows = np.split(stored["window"].to_numpy(), np.cumsum(n_windows)[:-1])
    return [
        Pattern(
            str(consensus),
            motif[k],
            int(task),
            windows[k],
            float(effect),
            frozenset(str(methods).split(_SEPARATOR)),
        )
        for k, (consensus, task, effect, methods) in enumerate(
            zip(
                stored["consensus"].to_numpy(),
                stored["task"].to_numpy(),
                stored["effect"].to_numpy(),
                stored["methods"].to_numpy(),
                strict=True,
            )
        )
    ]


def reason_left_out(stored: xr.Dataset) -> str:
    """Return why the method of a Dataset was left out; empty if it was not."""
    return str(stored.attrs[_LEFT_OUT])
