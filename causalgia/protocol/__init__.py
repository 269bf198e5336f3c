"""Pre-registration: a protocol is locked before the trial, and `verify` lists the deviations of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.protocol._protocol import Protocol
    from causalgia.protocol._verify import Verification, verify
    from causalgia.protocol.deviations import Deviation, Reproduction, compare_runs, machine_attrs
    from causalgia.protocol.lock_file import check_new
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Deviation",
    "Protocol",
    "Reproduction",
    "Verification",
    "check_new",
    "compare_runs",
    "machine_attrs",
    "verify",
]
