"""Two one-sided tests (TOST) against a region of practical equivalence."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.analysis import exploratory_attrs
from causalgia.attributes import attributes
from causalgia.checks import as_ci_prob
from causalgia.estimation.effect_intervals import effect_limits, one_sided_p
from causalgia.estimation.request import null_value
from causalgia.former_names import former_arguments
from causalgia.multiplicity.families import estimates_of
from causalgia.multiplicity.regions import in_words_of, rope_region
from causalgia.ropes import Rope, RopeLike
from causalgia.schema import annotate
from causalgia.types import Array, EstimateTable


@former_arguments
def equivalence(
    estimates: EstimateTable, *, rope: RopeLike, ci_prob: float = 0.95
) -> xr.Dataset:
    """Test each effect against a region of practical equivalence: negligible, beyond
    it, or undecided.

    Each effect by itself, as `causalgia.decide` with ``error="each"``: ``"negligible"``
    where its interval at `ci_prob` lies inside the region, ``"increases"`` or
    ``"decreases"`` where it lies above or below, else ``"undecided"``. Twice the p of
    two one-sided tests is at most ``1 - ci_prob`` where the interval lies inside.

    Parameters
    ----------
    estimates
        From `causalgia.estimate` or `causalgia.from_effects`, or a table with columns
        ``effect`` and ``se``; or the effects from `causalgia.contrast`, which are
        estimated first.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. Its numbers are on attrs["contrast_scale"].
    ci_prob
        Probability of the intervals. It is that of the wide interval, above 1/2.

    Returns
    -------
    Dataset
        On the dims of ``ace``: ``p_lower`` (of "at most the lower end"), ``p_upper``
        (of "at least the upper end"), ``p``, the larger; ``lower, upper`` at `ci_prob`;
        ``verdict``; ``differs``, whether the interval excludes no effect
        (attrs["null_value"]: 1 for ratios, else 0), which that of a negligible effect
        may.

    Raises
    ------
    DecisionError
        If `rope` is not a region, or one that these estimates cannot show.
    EstimateError
        If the estimates have no standard error (one unit), or `ci_prob` is not between
        1/2 and 1.

    References
    ----------
    Schuirmann (1987), doi:10.1007/BF01068419.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> found = equivalence(
    ...     from_effects([0.0, 3.0], [0.5, 0.5], names=["a", "b"]), rope=(-1, 1)
    ... )
    >>> found["verdict"].values.ravel().tolist(), found["p"].values.ravel().round(4)
    (['negligible', 'increases'], array([0.0228, 1.    ]))
    """
    parsed = Rope.parse(rope)
    ci_prob = as_ci_prob(ci_prob)
    table = estimates_of(estimates)
    region = rope_region(parsed, table, null_value(table))
    low, high = region.lower, region.upper
    p = one_sided_p(table, low, high, ci_prob=ci_prob)
    lower, upper = effect_limits(table, ci_prob)
    inside = (low < high) & (low <= lower) & (upper <= high)
    claims = [inside, lower > high, upper < low]
    verdict = in_words_of(
        region,
        np.select(claims, ["negligible", "increases", "decreases"], "undecided"),
    )
    columns: dict[str, Any] = {
        "p_lower": p.not_below,
        "p_upper": p.not_above,
        "p": np.where(low < high, p.inside, 1.0),
        "rope_lower": low,
        "rope_upper": high,
    }
    columns |= {"lower": lower, "upper": upper, "verdict": verdict}
    columns |= unbounded_column(table, lower)
    columns["differs"] = (lower > null_value(table)) | (upper < null_value(table))
    # other p-values of the estimates do not test equivalence
    out = table.drop_vars(
        ["p", "log_p", "p_adjusted", "p_step_down", "critical"], errors="ignore"
    )
    out = out.assign(
        {name: (table["ace"].dims, values) for name, values in columns.items()}
    )
    out["p"].attrs.update(
        attributes(
            meaning=("p of two one-sided tests that the effect lies outside the rope")
        )
    )
    out.attrs = {
        k: v
        for k, v in table.attrs.items()
        if k not in ("adjust", "family", "band", "n_draws", "seed")
    }
    return annotate(
        out.assign_attrs(
            rope=region.label,
            ci_prob=ci_prob,
            **exploratory_attrs(table.attrs, rope=parsed.value),
        )
    )


def unbounded_column(
    estimates: xr.Dataset, lower: Array
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return the column ``unbounded`` of new limits, where the estimates have that
    column.

    Examples
    --------
    >>> unbounded_column(xr.Dataset({"ace": ("contrast", [1.0])}), np.array([0.0]))
    {}
    """
    return {"unbounded": np.isinf(lower)} if "unbounded" in estimates else {}
