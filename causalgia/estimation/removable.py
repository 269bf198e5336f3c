"""Whether an interaction is one on every scale, or vanishes on another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from causalgia.effects import contrast
from causalgia.effects.scales import Scale
from causalgia.errors import EstimateError, quoted
from causalgia.estimation._estimate import estimate

_KEPT = ["ace", "se", "df", "p", "lower", "upper"]


def interaction_across_scales(
    outcomes: xr.Dataset,
    *,
    interaction: Sequence[str],
    scales: Sequence[Scale] = ("identity", "log_of_means"),
    cluster: str | None = "auto",
    ci_prob: float = 0.95,
) -> xr.Dataset:
    """Estimate one interaction on several scales, and say whether its sign survives on all of them.

    Effects that add on one scale interact on another: an interaction that keeps its sign on the additive and on the
    log scale is not an artefact of that choice, and one that does not may be *removed* by it.

    Parameters
    ----------
    outcomes
        Of a crossover or a parallel trial, from `causalgia.run` or `from_frame`.
    interaction
        Names of two or more two-level factors, as in `contrast`.
    scales
        Two or more scales of `contrast`.
    cluster, ci_prob
        As in `estimate`.

    Returns
    -------
    Dataset
        ``ace, se, df, p, lower, upper (scale, contrast, task[, model])``, each on its own scale, and ``survives
        (contrast, task[, model])``: the intervals of all scales lie on the same side of no effect.

    Raises
    ------
    EstimateError
        With fewer than two scales.
    ContrastError
        If a factor is unknown, or a scale is impossible for the outcomes.

    References
    ----------
    Loftus (1978), doi:10.3758/BF03197461.

    Examples
    --------
    >>> y = np.array([[1.0, 2.0, 3.0, 6.0], [2.0, 4.1, 6.1, 12.0], [1.5, 3.1, 4.4, 9.0], [1.0, 1.9, 3.0, 6.1]])
    >>> outcomes = xr.Dataset(
    ...     {"outcome": (("unit", "arm", "task"), y[:, :, None])},
    ...     coords={"arm": ["0", "A", "B", "AB"], "a": ("arm", [0, 1, 0, 1]), "b": ("arm", [0, 0, 1, 1])},
    ... )
    >>> found = interaction_across_scales(outcomes.assign_coords(task=["K562"]), interaction=["a", "b"]).squeeze()
    >>> found["ace"].values.round(2), bool(found["survives"])  # effects multiply
    (array([ 2.75, -0.01]), False)
    """
    if isinstance(scales, str) or len(set(scales)) < 2:
        raise EstimateError(
            f"scales={quoted(scales)}: give two or more different scales, such as 'identity', 'log_of_means'"
        )
    found = [
        estimate(contrast(outcomes, interaction=interaction, scale=scale), cluster=cluster, ci_prob=ci_prob)
        for scale in scales
    ]
    if "se" not in found[0]:
        raise EstimateError("one unit gives no interval, so nothing is known of other scales; draw more units")
    nulls = [e.attrs.get("null_value", 0.0) for e in found]
    above = np.all([(e["lower"] > null).to_numpy() for e, null in zip(found, nulls, strict=True)], axis=0)
    below = np.all([(e["upper"] < null).to_numpy() for e, null in zip(found, nulls, strict=True)], axis=0)
    out = xr.concat([e[_KEPT].drop_attrs() for e in found], dim="scale").assign_coords(scale=list(scales))
    out["survives"] = (found[0]["ace"].dims, above | below)
    said = {"ci_prob": found[0].attrs["ci_prob"], "interaction": ":".join(interaction)}
    return out.assign_attrs(said | {"contrast_scales": [e.attrs["contrast_scale"] for e in found]})
