"""Storage of long texts in a Dataset: as an attribute if short, else as compressed bytes in a variable."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.errors import OutcomesError, quoted
from causalgia.inputs import inflate, parse_json
from causalgia.schema import annotate

if TYPE_CHECKING:
    import xarray as xr

LONGEST_ATTRIBUTE = 30_000
"""Most characters of a text stored as an attribute; netCDF-4 allows 64 KB of attributes."""


def pack_text(dataset: xr.Dataset, name: str, text: str) -> xr.Dataset:
    """Return the Dataset with a text as ``attrs[name]``, or zlib-compressed as variable ``name (byte)`` if it is long.

    Examples
    --------
    >>> import xarray as xr
    >>> unpack_text(pack_text(xr.Dataset(), "design", "x" * 50_000), "design")[:3]
    'xxx'
    """
    if len(text) <= LONGEST_ATTRIBUTE:
        return dataset.assign_attrs({name: text})
    return annotate(dataset.assign({name: ("byte", np.frombuffer(zlib.compress(text.encode(), 1), np.uint8))}))


def unpack_text(dataset: xr.Dataset, name: str) -> str | None:
    """Return the text that `pack_text` stored under a name, or None.

    Raises
    ------
    OutcomesError
        If its bytes are damaged, or unpack to more than 128 MiB and twenty times their size.
    """
    if name in dataset.variables:
        return inflate(
            dataset[name].to_numpy().tobytes(), OutcomesError, source=f"the variable {quoted(name)}"
        ).decode()
    text = dataset.attrs.get(name)
    return None if text is None else str(text)


def design_question(outcomes: xr.Dataset) -> dict[str, Any]:
    """Return the contrasts of the design stored with outcomes: ``{"control": ...}``, ``{"contrasts": ...}`` or {}.

    Raises
    ------
    OutcomesError
        If the stored design is not a JSON table.

    Examples
    --------
    >>> import xarray as xr
    >>> design_question(xr.Dataset(attrs={"design": '{"contrasts": "untreated"}'}))
    {'control': 'untreated'}
    """
    try:
        text = unpack_text(outcomes, "design")
        contrasts = parse_json(text or "{}", OutcomesError).get("contrasts")
    except (OutcomesError, AttributeError) as error:
        raise OutcomesError(
            f"the design kept with the outcomes cannot be read ({error}); drop attrs['design']"
        ) from error
    if contrasts is None:
        return {}
    return {"control" if isinstance(contrasts, str) else "contrasts": contrasts}
