"""The verb `heterogeneity`: how individual causal effects differ between contexts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.attributes import attributes
from causalgia.checks import as_ci_prob
from causalgia.errors import EstimateError, quoted
from causalgia.estimation import estimate
from causalgia.estimation._heterogeneity import (
    individual_effects,
    quantile_of,
    sd_of,
    share_of,
)
from causalgia.estimation.request import Request, check_clusters, clusters, null_value
from causalgia.multiplicity.regions import rope_region
from causalgia.numerics.float_errors import usual_errors
from causalgia.ropes import Rope, RopeLike
from causalgia.types import Array


@usual_errors
def heterogeneity(
    effects: xr.Dataset,
    *,
    rope: RopeLike | None = None,
    quantiles: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95),
    cluster: str = "auto",
    ci_prob: float = 0.95,
) -> xr.Dataset:
    """Describe how individual causal effects (ICE) differ between contexts: sd,
    quantiles, share beyond the ROPE.

    In a crossover each ICE is observed, so their distribution over the null model can
    be estimated, with standard errors by cluster; a parallel trial does not identify
    it.

    Parameters
    ----------
    effects
        From `contrast`, of a crossover.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. Its numbers are on attrs["contrast_scale"]. None: no shares.
    quantiles
        Probabilities of the quantiles.
    cluster
        Units that vary together. ``"auto"``, ``"none"`` or a coordinate, as in
        `estimate`.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        ``sd, sd_se, sd_lower, sd_upper (contrast, task[, model])`` of the ICE, by the
        jackknife of its logarithm; ``quantiles, quantile_lower, quantile_upper (prob,
        contrast, task[, model])`` by Woodruff's interval; ``quantile_open`` is true
        where a limit is the sample's extreme for lack of units; with a ROPE
        ``above, below`` and ``beyond`` (either; shares of contexts), each with ``_se``,
        ``_lower`` and ``_upper`` (Korn & Graubard: Clopper-Pearson at the effective
        number of units). All account for clusters.

    Raises
    ------
    EstimateError
        For a parallel trial or a function of means (no ICE), one unit or cluster, or an
        impossible option.

    Notes
    -----
    The interval of sd is approximate: where effects have heavy tails or are skewed and
    units are few (30 or 100), it covers less than its level. Quantiles and shares need
    no law of the effects.

    References
    ----------
    Miller (1974), doi:10.1093/biomet/61.1.1. Woodruff (1952),
    doi:10.1080/01621459.1952.10483443. Korn & Graubard (1998), Survey Methodology
    24(2), 193-201.

    Examples
    --------
    >>> ice = np.random.default_rng(0).normal(1.0, 2.0, size=(400, 1, 1))
    >>> effects = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), ice)},
    ...     coords={"contrast": ["GATA1"], "task": ["K562"]},
    ... )
    >>> found = heterogeneity(effects, rope=(-1, 1)).squeeze()
    >>> (
    ...     round(float(found["sd"]), 2),
    ...     round(float(found["above"]), 2),
    ...     found["quantiles"].values.round(1),
    ... )
    (1.99, 0.47, array([-1.9, -0.4,  0.9,  2.3,  4.2]))
    """
    ice, ends, probs = (
        individual_effects(effects, "heterogeneity"),
        None if rope is None else _ends(rope, effects),
        _as_probabilities(quantiles),
    )
    ci_prob = as_ci_prob(ci_prob)
    groups = clusters(effects, Request(cluster, None, (), "population", "units"))
    if groups is not None:
        check_clusters(groups, len(groups.labels))
    codes = None if groups is None else groups.codes
    dims = effects["ice"].dims[1:]
    columns: dict[str, Any] = dict(
        zip(
            ("sd", "sd_se", "sd_lower", "sd_upper"),
            sd_of(ice, codes, ci_prob),
            strict=True,
        )
    )
    events: dict[str, npt.NDArray[np.bool_]] = {}
    if ends is not None:
        above, below = ice > ends[1], ice < ends[0]
        events = {"above": above, "below": below, "beyond": above | below}
    for name, event in events.items():
        parts_of = (name, *(f"{name}_{x}" for x in ("se", "lower", "upper")))
        columns |= dict(zip(parts_of, share_of(event, codes, ci_prob), strict=True))
    out = xr.Dataset({name: (dims, values) for name, values in columns.items()})
    parts = zip(*(quantile_of(ice, p, codes, ci_prob) for p in probs), strict=True)
    for name, part in zip(
        ("quantiles", "quantile_lower", "quantile_upper", "quantile_open"),
        parts,
        strict=True,
    ):
        out[name] = (("prob", *dims), np.stack(part))
    coords = {
        str(name): c
        for name, c in effects.coords.items()
        if c.dims and set(c.dims) <= set(dims)
    }
    attrs = attributes(
        ci_prob=ci_prob,
        cluster="unit" if groups is None else groups.name,
        n_units=len(ice),
    )
    attrs |= attributes(n_clusters=len(ice) if groups is None else len(groups.labels))
    if ends is not None:
        out["rope_lower"], out["rope_upper"] = (dims, ends[0]), (dims, ends[1])
    return out.assign_coords(prob=probs, **coords).assign_attrs(
        dict(effects.attrs) | attrs
    )


def _ends(rope: RopeLike, effects: xr.Dataset) -> tuple[Array, Array]:
    """Return the ends of the region of each contrast and task; those of placebos come
    from the estimates of these effects.
    """
    parsed, null = Rope.parse(rope), null_value(effects)
    table = estimate(effects) if parsed.of_placebos else effects.drop_dims("unit")
    if "ace" not in table:
        table = table.assign(ace=effects["ice"].isel(unit=0, drop=True))
    found = rope_region(parsed, table, null)
    order = [str(dim) for dim in effects["ice"].dims[1:]]
    dims = table["ace"].dims
    lower, upper = (
        xr.DataArray(end, dims=dims).transpose(*order).to_numpy()
        for end in (found.lower, found.upper)
    )
    return lower, upper


def _as_probabilities(values: Any) -> Array:
    try:
        probs = np.asarray([float(p) for p in values])
    except (TypeError, ValueError, OverflowError):
        raise EstimateError(
            f"quantiles={quoted(values)} are not probabilities; for example "
            "quantiles=(0.05, 0.5, 0.95)"
        ) from None
    if (
        not len(probs)
        or not ((probs > 0) & (probs < 1)).all()
        or len(set(probs.tolist())) < len(probs)
    ):
        raise EstimateError(
            f"quantiles={quoted(values)}: give different numbers between 0 and 1; "
            "for example 0.95"
        )
    return probs
