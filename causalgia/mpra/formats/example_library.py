"""A small library for examples in docstrings."""

from __future__ import annotations

import numpy as np
import xarray as xr


def two_arms() -> xr.Dataset:
    """Return two units under two arms, a scramble and a declared duplicate, without barcodes.

    Examples
    --------
    >>> two_arms().sizes["row"]
    6
    """
    inserts = ["ACGTTGCA", "ACGATACA", "GGCATTAC", "GGGATAAC", "TTGACCAG", "ACGTTGCA"]
    elements = ["u1", "u1", "u2", "u2", "scramble0", "u1=again"]
    arms = ["control", "GATA1", "control", "GATA1", "scramble", "control"]
    names = [f"{element}:{arm}" for element, arm in zip(elements, arms, strict=True)]
    groups = ["test"] * 4 + ["negative", "duplicate"]
    columns = {"element": elements, "arm": arms, "group": groups, "name": names, "oligo_name": names, "insert": inserts}
    columns["oligo"] = [f"AGGA{insert}CATT" for insert in inserts]
    return xr.Dataset(
        {"unit": ("row", np.array([0, 0, 1, 1, -1, 0])), **{name: ("row", cells) for name, cells in columns.items()}},
        attrs={"design_fingerprint": "0123456789abcdef"},
    )
