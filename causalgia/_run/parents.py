"""Whether units share parents, known before anything is predicted and without holding the units."""

from __future__ import annotations

from typing import Any

import numpy as np

from causalgia.analysis import Analysis
from causalgia.design import Design
from causalgia.design.null_model import NullModel
from causalgia.estimation.request import Grouping, require_clusters
from causalgia.streams import derive

_AT_ONCE = 2**16


def shared_parents(design: Design, analysis: Analysis, *, key: int) -> tuple[Any, ...] | None:
    """Return the parents in order of appearance, where units share them and errors are to be clustered; else None.

    Raises
    ------
    EstimateError
        If all units share one parent.

    Warns
    -----
    FewClustersWarning
        Below 20 parents.
    """
    if analysis.cluster == "none" or type(design.drawn).parents is NullModel.parents:
        return None
    parents = _in_order(design, key)
    if len(parents) == design.n_units:
        return None
    names = tuple(map(str, parents))
    require_clusters(Grouping("parent", np.arange(len(parents)), names), len(parents))
    return parents


def _in_order(design: Design, key: int) -> tuple[Any, ...]:
    """Return the distinct parents of all units; units are looked at until every parent there is has been seen."""
    null, n, stream = design.drawn, design.n_units, derive(key, "null")
    most = len(set(getattr(null, "parent_names", range(n))))
    seen: dict[Any, None] = {}
    for start in range(0, n, _AT_ONCE):
        ids = np.arange(start, min(start + _AT_ONCE, n), dtype=np.uint64)
        seen |= dict.fromkeys(null.parents(ids, key=stream, n_units=n).tolist())
        if len(seen) == most:
            break
    return tuple(seen)
