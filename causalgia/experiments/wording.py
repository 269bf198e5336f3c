"""How the sentences of the catalogue write an effect."""

from __future__ import annotations

import xarray as xr


def effect_in_words(row: xr.Dataset) -> str:
    """Return one contrast's effect with its interval, "1.06 [1.05, 1.07]".

    Parameters
    ----------
    row
        ``ace``, ``lower`` and ``upper`` of one contrast and task, each a single number.

    Examples
    --------
    >>> effect_in_words(xr.Dataset({"ace": 1.0612, "lower": 1.0512, "upper": 1.0712}))
    '1.061 [1.051, 1.071]'
    """
    from causalgia.reporting import format_effect

    known = [name for name in ("ace", "se", "lower", "upper") if name in row]  # an interval may be one point, 0
    effect, interval = format_effect({name: row[name].item() for name in known})
    return f"{effect} {interval}"
