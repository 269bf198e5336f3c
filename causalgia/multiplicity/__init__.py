"""Multiple testing: adjusted p-values, simultaneous bands and selective intervals
within declared families.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.multiplicity._adjust import adjust
    from causalgia.multiplicity.adjusted_p import (
        Hierarchical,
        fcr_ci_prob,
        hierarchical_p,
        hierarchical_q,
        storey_q,
        weighted_bh,
    )
    from causalgia.multiplicity.bands import selected_intervals, simultaneous
    from causalgia.multiplicity.bootstrap_t import BootstrapT, bootstrap_t_max
    from causalgia.multiplicity.joint_methods import sign_flip_max_t
    from causalgia.multiplicity.maxima import MaxT
    from causalgia.multiplicity.multivariate_t import (
        MultivariateT,
        correlation_factor,
        equicoordinate,
        multivariate_t_max,
    )
    from causalgia.multiplicity.placebo import (
        placebo_fences,
        placebo_rank,
        placebo_region,
    )
    from causalgia.multiplicity.tost import equivalence
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "BootstrapT",
    "Hierarchical",
    "MaxT",
    "MultivariateT",
    "adjust",
    "bootstrap_t_max",
    "correlation_factor",
    "equicoordinate",
    "equivalence",
    "fcr_ci_prob",
    "hierarchical_p",
    "hierarchical_q",
    "multivariate_t_max",
    "placebo_fences",
    "placebo_rank",
    "placebo_region",
    "selected_intervals",
    "sign_flip_max_t",
    "simultaneous",
    "storey_q",
    "weighted_bh",
]
