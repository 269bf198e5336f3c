"""Planning of a trial: precision, power, sample size and cost.

Functions on labeled Datasets: `sample_size`, `power`, `minimal_detectable_effect`,
`cheapest_split`. Functions of arrays: `t_power`, `verdict_probability`, `detectable`,
`cheapest`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.planning._cheapest_split import (
        Prices,
        Sources,
        cheapest,
        cheapest_split,
    )
    from causalgia.planning._sample_size import (
        minimal_detectable_effect,
        power,
        sample_size,
    )
    from causalgia.planning.power_functions import (
        detectable,
        t_power,
        verdict_probability,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Prices",
    "Sources",
    "cheapest",
    "cheapest_split",
    "detectable",
    "minimal_detectable_effect",
    "power",
    "sample_size",
    "t_power",
    "verdict_probability",
]
