"""Planning of a trial: precision, power, sample size and cost.

Functions on labeled Datasets: `causalgia.sample_size`, `power`,
`minimal_detectable_effect`, `cheapest_split`. Functions of arrays are in
`causalgia.planning.power_functions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.planning._cheapest_split import cheapest_split
    from causalgia.planning._sample_size import (
        minimal_detectable_effect,
        power,
        sample_size as sample_size,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["cheapest_split", "minimal_detectable_effect", "power"]
