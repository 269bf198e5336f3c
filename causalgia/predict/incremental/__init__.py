"""Incremental prediction: recompute only what an edit reaches, and take the rest from the control pass."""

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.predict.incremental.incremental_session import Incremental, IncrementalSession, WidthResult
    from causalgia.predict.incremental.network import Network, local_network
    from causalgia.predict.incremental.trace import NotLocalError
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["Incremental", "IncrementalSession", "Network", "NotLocalError", "WidthResult", "local_network"]
