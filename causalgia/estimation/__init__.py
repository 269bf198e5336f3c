"""Design-based estimation of average causal effects, with standard errors, tests and
intervals.

Functions of arrays are in modules: `crossover` and `parallel` (means and their
variances), `standard_errors` (regression, small-sample tests, moderated variances),
`incomplete_estimates` (tables with gaps), `mixed_model` (variance components),
`joint_tests` and `lines`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.effects.contrast_weights import dose_contrasts
    from causalgia.estimation._estimate import covariance, estimate as estimate
    from causalgia.estimation._from_effects import (
        as_estimates as as_estimates,
        from_effects as from_effects,
    )
    from causalgia.estimation._helical_phase import helical_phase as helical_phase
    from causalgia.estimation._heterogeneity import modification as modification
    from causalgia.estimation._hypotheses import hypotheses
    from causalgia.estimation._random_effects import random_effects as random_effects
    from causalgia.estimation._shape_change import shape_change
    from causalgia.estimation._variance_components import variance_components
    from causalgia.estimation.crossover import (
        crossed_mean as crossed_mean,
        mean_ice as mean_ice,
        stratified_mean as stratified_mean,
    )
    from causalgia.estimation.incomplete import from_incomplete
    from causalgia.estimation.joint_tests import (
        interaction_across_scales,
        joint_test as joint_test,
        randomization_test,
        sign_flip_test,
    )
    from causalgia.estimation.lines import (
        Line as Line,
        errors_in_variables as errors_in_variables,
    )
    from causalgia.estimation.mixed_model import (
        fit_variances as fit_variances,
        mixed_layout as mixed_layout,
        respond as respond,
    )
    from causalgia.estimation.ratios import fieller as fieller
    from causalgia.estimation.standard_errors import (
        moderate_unequal as moderate_unequal,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "covariance",
    "dose_contrasts",
    "from_incomplete",
    "hypotheses",
    "interaction_across_scales",
    "randomization_test",
    "shape_change",
    "sign_flip_test",
    "variance_components",
]
