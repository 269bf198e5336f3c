"""How the sentences of the catalogue write an effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr


def effect_in_words(row: xr.Dataset) -> str:
    """Return one contrast's effect with its interval, "1.06 [1.05, 1.07]".

    Parameters
    ----------
    row
        ``ace``, ``lower`` and ``upper`` of one contrast and task, each a single number.

    Examples
    --------
    >>> import xarray as xr
    >>> effect_in_words(xr.Dataset({"ace": 1.0612, "lower": 1.0512, "upper": 1.0712}))
    '1.061 [1.051, 1.071]'
    """
    from causalgia.reporting import format_effect

    known = [name for name in ("ace", "se", "lower", "upper") if name in row]  # an interval may be one point, 0
    effect, interval = format_effect({name: row[name].item() for name in known})
    return f"{effect} {interval}"


def by_task(table: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    """Yield how a sentence begins, and what it is about: each task (and each model of an ensemble) of a table.

    Parameters
    ----------
    table
        Estimates or decisions, ``ace (contrast, task[, model])``.

    Examples
    --------
    >>> import xarray as xr
    >>> table = xr.Dataset({"ace": (("contrast", "task"), [[1.0, 2.0]])}, coords={"task": ["K562", "HepG2"]})
    >>> [said for said, _ in by_task(table)]
    ['Task K562', 'Task HepG2']
    """
    models = table["model"].to_numpy() if "model" in table["ace"].dims else [None]
    for task in table["task"].to_numpy():
        for model in models:
            of_model = {} if model is None else {"model": model}
            yield f"Task {task}" + (f", model {model}" if of_model else ""), table.sel({"task": task, **of_model})


def per_unit(row: xr.Dataset, reach: float, unit: str) -> str:
    """Return a rise over a range as what it is for one unit of it, "3.5 a copy": printed beside, never judged.

    Parameters
    ----------
    row
        ``ace`` of one contrast and task.
    reach
        The range in this unit.
    unit
        As it is written, such as "a copy".

    Examples
    --------
    >>> import xarray as xr
    >>> per_unit(xr.Dataset({"ace": 10.5}), 3, "a copy")
    '3.5 a copy'
    """
    return f"{row['ace'].item() / reach:.3g} {unit}"
