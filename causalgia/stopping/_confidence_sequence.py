"""Asymptotic confidence sequences: intervals that hold at all looks simultaneously;
functions of arrays.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.attributes import about, attributes
from causalgia.choices import DECREASES, INCREASES, NEGLIGIBLE, UNDECIDED
from causalgia.errors import EstimateError, quoted
from causalgia.numerics.finite_arrays import as_finite_array
from causalgia.numerics.rounding import RELATIVE_ROUNDING
from causalgia.schema import annotate
from causalgia.types import Array

START = 100
"""Clusters before the first look that may stop a trial; with skewed effects earlier
looks have .24-.41 false alarms.
"""


def sequence_critical(
    n_clusters: npt.ArrayLike, *, alpha: float, min_clusters: float = START
) -> Array:
    """Return the critical value, in standard errors, of a confidence sequence at each
    size.

    ``sqrt(2 (r + 1) / r log(sqrt(r + 1) / alpha))`` with ``r = n rho^2``, and rho such
    that the interval is shortest at `min_clusters`: ``min_clusters rho^2 = -2
    log(alpha) + log(1 - 2 log(alpha))``.

    Parameters
    ----------
    n_clusters
        Independent clusters so far, any shape.
    alpha
        Error over all looks together.
    min_clusters
        Clusters at the first look.

    Returns
    -------
    array
        Of the shape of `n_clusters`.

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), doi:10.1214/24-AOS2408,
    theorem 2.2 and section 2.3.

    Examples
    --------
    >>> sequence_critical([100, 1_000], alpha=0.05).round(3)  # 1.96 for one look
    array([3.035, 3.242])
    """
    size = _as_finite(n_clusters, "n_clusters")
    if not 0 < alpha < 1:
        raise EstimateError(f"alpha={quoted(alpha)} must lie between 0 and 1")
    if not min_clusters >= 1:
        raise EstimateError(f"min_clusters={quoted(min_clusters)} must be 1 or more")
    if not (size >= 1).all():
        raise EstimateError(
            f"n_clusters={quoted(n_clusters)}: each look must have 1 cluster or more"
        )
    spread = -2 * np.log(alpha) + np.log1p(-2 * np.log(alpha))
    r = size / min_clusters * spread
    return np.asarray(np.sqrt(2 * (r + 1) / r * (0.5 * np.log1p(r) - np.log(alpha))))


def _as_finite(values: npt.ArrayLike, name: str) -> Array:
    return as_finite_array(
        values, name, "leave what is not known out", error=EstimateError
    )


def least_clusters(skewness: npt.ArrayLike, *, min_clusters: float = START) -> Array:
    """Return the number of clusters from which a look may stop a trial:
    ``max(min_clusters, 25 skewness^2)``.

    Examples
    --------
    >>> least_clusters([0.0, 2.0, -4.0])
    array([100., 100., 400.])
    """
    return np.asarray(
        np.maximum(min_clusters, 25 * np.asarray(skewness, dtype=np.float64) ** 2)
    )


def unseen_share(n_clusters: npt.ArrayLike, *, alpha: float) -> Array:
    """Return the share of backgrounds that n clusters may all have missed at error
    alpha: ``-log(alpha) / n``.

    It is the rule of three: 3 / n for alpha = .05, and ``(3 + log K) / n`` where K
    effects share it.

    Parameters
    ----------
    n_clusters
        Independent clusters so far, any shape.
    alpha
        Error for one effect.

    References
    ----------
    Hanley & Lippman-Hand (1983), doi:10.1001/jama.1983.03330370053031.

    Examples
    --------
    >>> unseen_share([100, 1_000], alpha=0.05).round(4)
    array([0.03 , 0.003])
    """
    return np.asarray(
        np.minimum(-np.log(alpha) / np.asarray(n_clusters, dtype=np.float64), 1.0)
    )


_OF_ONE_LOOK = ("p", "p_verdict", "q")


def is_monitored(outcomes: xr.Dataset, estimates: xr.Dataset) -> bool:
    """Return whether a confidence sequence (`Decided`) monitored these effects: the
    same contrasts and tasks.

    The middle of its last interval is then the estimate, which distinguishes another
    control or scale.

    Examples
    --------
    >>> is_monitored(xr.Dataset(), xr.Dataset())
    False
    """
    if "look_counts" not in outcomes or "ace" not in estimates:
        return False
    last, ace = outcomes.isel(look=-1), estimates["ace"]
    dims = last["look_lower"].dims
    if set(dims) != set(ace.dims) or any(
        last[d].to_numpy().tolist() != ace[d].to_numpy().tolist() for d in dims
    ):
        return False
    middle = (last["look_lower"] + last["look_upper"]).transpose(
        *ace.dims
    ).to_numpy() / 2
    width = (last["look_upper"] - last["look_lower"]).transpose(*ace.dims).to_numpy()
    return bool(
        np.all(
            np.abs(middle - ace.to_numpy())
            <= RELATIVE_ROUNDING * (np.abs(middle) + width)
        )
    )


def by_sequence(decisions: xr.Dataset, outcomes: xr.Dataset) -> xr.Dataset:
    """Return decisions with the intervals and verdicts of the confidence sequence that
    monitored the trial.

    A test at the end of a trial whose length depended on its outcomes does not have its
    nominal error rate. The intervals of the sequence hold at every look, and so at the
    last one, with probability ``attrs["ci_prob"]`` for all effects together, which is
    that of the rule. A verdict is where the interval lies; the verdicts have this error
    jointly, and no p or q of their own.

    Parameters
    ----------
    decisions
        Of the same effects (`is_monitored`), with their regions.
    outcomes
        Of a trial with ``until=Decided(...)``.
    """
    last, dims = outcomes.isel(look=-1), decisions["ace"].dims
    lower, upper = (
        last[f"look_{name}"].transpose(*dims).to_numpy() for name in ("lower", "upper")
    )
    low, high = (
        decisions[f"rope_{end}"].transpose(*dims).to_numpy()
        for end in ("lower", "upper")
    )
    claims = [
        upper < low,
        (low < high) & (low <= lower) & (upper <= high),
        lower > high,
    ]
    counts = bool(last["look_counts"].item())
    verdict = np.select(
        [c & counts for c in claims],
        [DECREASES, NEGLIGIBLE, INCREASES],
        UNDECIDED,
    )
    columns = {
        "verdict": verdict,
        "lower": lower,
        "upper": upper,
        "more_units": np.where(
            verdict != UNDECIDED, -1, decisions["more_units"].to_numpy()
        ),
    }
    out = decisions.drop_vars([name for name in _OF_ONE_LOOK if name in decisions])
    attrs = attributes(
        error="sequence",
        ci_prob=float(about(outcomes).until_ci_prob),
    )
    return annotate(
        out.assign(
            {name: (dims, values) for name, values in columns.items()}
        ).assign_attrs(attrs)
    )
