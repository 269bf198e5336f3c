"""Few clusters: where resamples are too alike to say how large the largest t gets, and Holm or Bonferroni is taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from causalgia.estimation.request import FEW_CLUSTERS, Request, clusters
from causalgia.multiplicity.questions import has_effects, in_order


def n_resampled(given: Any, cluster: str | None) -> int | None:
    """Return how many independent clusters can be resampled, or None where there are no effects of single units.

    Examples
    --------
    >>> ice = xr.Dataset({"ice": (("unit", "contrast"), [[1.0], [2.0], [6.0]])})
    >>> n_resampled(ice, "auto"), n_resampled(xr.Dataset({"p": ("contrast", [0.01])}), "auto")
    (3, None)
    """
    if not has_effects(given) or "ice" not in given:
        return None
    groups = clusters(in_order(given), Request(cluster, None, (), "population", "units"))
    return int(given.sizes["unit"]) if groups is None else len(groups.labels)


def automatic(n_clusters: int | None, *, bounds: str, takes: str) -> tuple[str, str | None]:
    """Return ``"bootstrap_t"`` where there are 20 clusters or more to resample, else what is taken, and the reason.

    A resample of few clusters often consists of two or three of them, whose t has no bound: the critical value for 12
    normal contrasts is 18.5 of 5 clusters, where Bonferroni's t has 5.9, 4.5 and 3.8 of 10, 3.3 and 3.3 of 20.

    Parameters
    ----------
    n_clusters
        Clusters to resample; None where there are estimates only.
    bounds, takes
        What is taken in its place (``"holm"``), and how a reader knows it ("adjusted by Holm").

    Examples
    --------
    >>> automatic(20, bounds="holm", takes="adjusted by Holm")
    ('bootstrap_t', None)
    >>> automatic(11, bounds="holm", takes="adjusted by Holm")[1]
    'adjusted by Holm, which assumes that each t-test is valid: 11 clusters are too few to resample (20 or more)'
    """
    if n_clusters is None:
        return bounds, f"{takes}, which assumes that each t-test is valid: estimates have no units to resample"
    if n_clusters >= FEW_CLUSTERS:
        return "bootstrap_t", None
    return bounds, (
        f"{takes}, which assumes that each t-test is valid: {n_clusters} clusters are too few to resample "
        f"({FEW_CLUSTERS} or more)"
    )


def fewest_clusters(estimates: xr.Dataset) -> int | None:
    """Return the least number of clusters of any estimate, where the table has them and they are few, else None.

    Examples
    --------
    >>> fewest_clusters(xr.Dataset({"n_clusters": ("contrast", [8, 9])})), fewest_clusters(xr.Dataset())
    (8, None)
    """
    if "n_clusters" not in estimates or estimates["n_clusters"].size == 0:
        return None
    least = int(np.min(estimates["n_clusters"].to_numpy()))
    return least if least < FEW_CLUSTERS else None
