"""Planning an MPRA: power of a design from the noise of a pilot, and the cheapest
adequate library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.mpra.planning._cheapest import (
        PlannedLibrary,
        cheapest,
    )
    from causalgia.mpra.planning._components import components
    from causalgia.mpra.planning._power import PlannedContrast, power
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "PlannedContrast",
    "PlannedLibrary",
    "cheapest",
    "components",
    "power",
]
