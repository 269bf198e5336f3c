"""The turns of a trial over many machines: Dask distributed sends them out, counts losses and brings answers back.

distributed is imported when a client is used, and not before.
"""

from __future__ import annotations

from causalgia.trial.workers.clusters import connected, local_cluster, require_client
from causalgia.trial.workers.jobs import carry_out
from causalgia.trial.workers.sending import require_sendable

__all__ = ["carry_out", "connected", "local_cluster", "require_client", "require_sendable"]
