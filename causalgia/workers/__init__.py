"""Parallel work on a Dask cluster.

distributed is imported when a client is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.workers.clusters import (
        check_client as check_client,
        connected as connected,
        local_cluster as local_cluster,
    )
    from causalgia.workers.pieces import mapped as mapped
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__: list[str] = []
