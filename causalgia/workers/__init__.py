"""Parallel work on a Dask cluster.

distributed is imported when a client is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.workers.clusters import connected, local_cluster, require_client
    from causalgia.workers.pieces import mapped
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["connected", "local_cluster", "mapped", "require_client"]
