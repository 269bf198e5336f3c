"""Pre-registration: a protocol is locked before the trial, and `verify` lists the
deviations of a result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.protocol._protocol import Protocol
    from causalgia.protocol._verify import (
        Reproduction,
        Verification,
        compare_runs,
        verify,
    )
    from causalgia.protocol.lock_file import Deviation, check_new, machine_attrs
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
