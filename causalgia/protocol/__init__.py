"""Pre-registration: a protocol is locked before the trial, and `verify` lists the
deviations of a result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.protocol._protocol import Protocol as Protocol
    from causalgia.protocol._verify import (
        compare_runs as compare_runs,
        verify as verify,
    )
    from causalgia.protocol.lock_file import (
        Deviation as Deviation,
        check_new as check_new,
        machine_attrs as machine_attrs,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__: list[str] = []
