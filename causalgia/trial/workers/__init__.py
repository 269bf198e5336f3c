"""The turns of a trial over many machines: Dask distributed sends them out, counts losses and brings answers back.

distributed is imported when a client is used, and not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.exports import on_first_use

if TYPE_CHECKING:
    from causalgia.trial.workers.clusters import connected, local_cluster, require_client
    from causalgia.trial.workers.jobs import carry_out
    from causalgia.trial.workers.sending import require_sendable
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["carry_out", "connected", "local_cluster", "require_client", "require_sendable"]
