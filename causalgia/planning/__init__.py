"""Planning of a trial: precision, power, sample size and cost.

Functions on labeled Datasets: `sample_size`, `power`, `minimal_detectable_effect`, `cheapest_split`. Functions of
arrays: `t_power`, `tost_power`, `verdict_probability`, `detectable`, `n_for_power`, `n_normal`, `half_width_of_mean`,
`n_for_half_width`, `design_effect`, `cheapest`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.planning._cheapest_split import Prices, Sources, cheapest, cheapest_split
    from causalgia.planning._sample_size import minimal_detectable_effect, power, sample_size
    from causalgia.planning.power_functions import (
        design_effect,
        detectable,
        half_width_of_mean,
        n_for_half_width,
        n_for_power,
        n_normal,
        t_power,
        tost_power,
        verdict_probability,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Prices",
    "Sources",
    "cheapest",
    "cheapest_split",
    "design_effect",
    "detectable",
    "half_width_of_mean",
    "minimal_detectable_effect",
    "n_for_half_width",
    "n_for_power",
    "n_normal",
    "power",
    "sample_size",
    "t_power",
    "tost_power",
    "verdict_probability",
]
