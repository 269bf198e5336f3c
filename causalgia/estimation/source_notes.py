"""A note of estimates on source sequences that backgrounds do not answer like."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from causalgia.checks import four_digits
from causalgia.errors import comma_list


def source_notes(effects: xr.Dataset) -> list[str]:
    """Return a sentence on the task in which source sequences answer most unlike the
    backgrounds made of them: half or more lie outside the central 95 % of these.

    Parameters
    ----------
    effects
        With ``source_answer`` and ``background_answer``; without them there is no note.
    """
    if not {"source_answer", "background_answer"} <= set(effects.variables):
        return []
    answer = effects["source_answer"]
    others = answer.dims[1:]
    y = answer.to_numpy()
    low, middle, high = (
        effects["background_answer"]
        .transpose("background_quantile", *others)
        .to_numpy()
    )
    outside = ((y < low) | (y > high)).sum(axis=0)
    unlike = 2 * outside >= len(y)
    if not unlike.any():
        return []
    median = np.median(y, axis=0)
    width = np.where(high > low, high - low, 1.0)
    far = np.where(unlike, np.abs(median - middle) / width, -1.0)
    at = np.unravel_index(int(far.argmax()), far.shape)
    label = _label(answer, at)
    more = int(unlike.sum()) - 1
    return [
        f"{outside[at]} of {len(y)} source sequences answer outside the central 95 % of "
        f"backgrounds{label and f' in {label}'} (median {four_digits(median[at])} "
        f"against {four_digits(middle[at])})"
        + (f", and as many in {more:,} more task{'s' * (more > 1)}" if more else "")
    ]


def _label(array: xr.DataArray, at: tuple[Any, ...]) -> str:
    """Return "K562" or "K562, model 2"; nothing for a dim of one."""
    dims = [dim for dim in array.dims if dim in ("task", "model")]
    named = []
    for dim, i in zip(dims, at, strict=True):
        if array.sizes[dim] > 1:
            named.append(str(array[dim].to_numpy()[i] if dim in array.coords else i))
    return comma_list(named)
