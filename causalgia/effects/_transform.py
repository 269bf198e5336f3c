"""Outcomes on another scale, by a function of the user."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from causalgia.analysis import as_result
from causalgia.attributes import attributes
from causalgia.errors import DataError, quoted
from causalgia.outcome_values import with_first_unit
from causalgia.schema import validate


def transform(
    outcomes: xr.Dataset, fn: Callable[[xr.DataArray], xr.DataArray], *, scale: str
) -> xr.Dataset:
    """Return outcomes ``fn(outcome)`` on another scale, value by value.

    Arithmetic on outcomes leaves them on no known scale, which is seen at the first unit
    of the trial where it is among them; here the new scale is said. The
    rounding error of the answers is not carried over, so that effects of its size are
    not marked.

    Parameters
    ----------
    outcomes
        From `causalgia.run` or `from_frame`.
    fn
        From the outcomes to as many finite numbers: ``numpy.exp2``.
    scale
        The scale of the new outcomes, in words.

    Returns
    -------
    Dataset
        Outcomes with the same units, arms and tasks.

    Raises
    ------
    DataError
        If `fn` returns other dims, or a number that is not finite where the outcome is.

    Examples
    --------
    >>> import numpy as np
    >>> import causalgia as cg
    >>> arms = {
    ...     "placebo": cg.Placebo("AGATAAG", at=20),
    ...     "GATA1": cg.Embed("AGATAAG", at=20),
    ... }
    >>> design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=50)
    >>> outcomes = cg.run(design, cg.zoo.oracle("gata1_like"), rng=0)
    >>> activity = cg.transform(outcomes, np.exp2, scale="activity")
    >>> cg.contrast(activity, control="placebo").attrs["contrast_scale"]
    'activity'
    """
    validate(outcomes, "outcomes", positions=True, gaps=True)
    before = outcomes["outcome"]
    after = fn(before)
    if not isinstance(after, xr.DataArray) or not after.coords.equals(before.coords):
        raise DataError(
            f"fn={quoted(fn)} returns no number for each of the outcomes "
            f"{dict(before.sizes)}, in their order"
        )
    if not isinstance(scale, str) or not scale.strip():
        raise DataError(f"scale={quoted(scale)} is no text", argument="scale")
    bad = before.notnull() & ~(abs(after) < np.inf)  # in parts, where they lie on disk
    if bad.any():
        value = float(before.where(bad).min())
        raise DataError(f"fn={quoted(fn)} has no finite value at {value:g}")
    stale = ["answer_floor", "task_scale", "first_outcome"]
    made = outcomes.drop_vars(stale, errors="ignore").assign(
        outcome=(after.dims, after.data)
    )
    made = with_first_unit(made.assign_attrs(attributes(scale=scale)))
    return as_result(made, "outcomes", gaps=True)
