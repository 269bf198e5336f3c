"""Design-based estimation of average causal effects, with standard errors, tests and
intervals.

Functions on labeled Datasets: `estimate`, `covariance`, and `from_effects` for
estimates obtained elsewhere. Functions of arrays: `mean_ice`, `mean_of_cluster_means`,
`stratified_mean`, `crossed_mean`, `between_levels`, `moderate` (crossover), `fit_arms`,
`fit_arms_by_stratum`, `welch`, `residual_df`, `clustered` (parallel),
`contrasts_of_arms` (tables with gaps), `randomization_test` and `sign_flip_test`
(exact), `regress` and `wald_htz`, `reml` for variance components, `random_effects` for
meta-analysis, and `errors_in_variables` for a line through points with errors in both
coordinates. `Sketch` estimates quantiles of a stream of values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.effects.contrast_weights import (
        dose_contrasts,
        orthonormal_polynomials,
    )
    from causalgia.estimation._estimate import covariance, estimate
    from causalgia.estimation._from_effects import as_estimates, from_effects
    from causalgia.estimation._helical_phase import (
        Wave,
        helical_phase,
        mean_curve_wave,
        trend_basis,
    )
    from causalgia.estimation._heterogeneity import (
        modification,
        sd_of,
        slopes,
    )
    from causalgia.estimation._hypotheses import hypotheses
    from causalgia.estimation._random_effects import RandomEffects, random_effects
    from causalgia.estimation._shape_change import shape_change
    from causalgia.estimation._variance_components import variance_components
    from causalgia.estimation.crossover import (
        Estimate,
        between_levels,
        crossed_mean,
        mean_ice,
        mean_of_cluster_means,
        stratified_mean,
    )
    from causalgia.estimation.incomplete import from_incomplete
    from causalgia.estimation.incomplete_estimates import (
        ArmContrasts,
        contrasts_of_arms,
    )
    from causalgia.estimation.joint_tests import (
        RandomizationTest,
        interaction_across_scales,
        joint_test,
        randomization_test,
        sign_flip_test,
    )
    from causalgia.estimation.lines import Line, errors_in_variables
    from causalgia.estimation.mixed_model import (
        MixedFit,
        Variances,
        fit_variances,
        mixed_layout,
        reml,
        respond,
    )
    from causalgia.estimation.parallel import (
        ArmFit,
        add_covariate_sampling,
        clustered,
        fit_arms,
        fit_arms_by_stratum,
        residual_df,
        welch,
    )
    from causalgia.estimation.ratios import fieller
    from causalgia.estimation.standard_errors import (
        Moderated,
        Regression,
        WaldTest,
        moderate,
        moderate_unequal,
        regress,
        wald_htz,
    )
    from causalgia.numerics.running_sums import Sketch
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "ArmContrasts",
    "ArmFit",
    "Estimate",
    "Line",
    "MixedFit",
    "Moderated",
    "RandomEffects",
    "RandomizationTest",
    "Regression",
    "Sketch",
    "Variances",
    "WaldTest",
    "Wave",
    "add_covariate_sampling",
    "as_estimates",
    "between_levels",
    "clustered",
    "contrasts_of_arms",
    "covariance",
    "crossed_mean",
    "dose_contrasts",
    "errors_in_variables",
    "estimate",
    "fieller",
    "fit_arms",
    "fit_arms_by_stratum",
    "fit_variances",
    "from_effects",
    "from_incomplete",
    "helical_phase",
    "hypotheses",
    "interaction_across_scales",
    "joint_test",
    "mean_curve_wave",
    "mean_ice",
    "mean_of_cluster_means",
    "mixed_layout",
    "moderate",
    "moderate_unequal",
    "modification",
    "orthonormal_polynomials",
    "random_effects",
    "randomization_test",
    "regress",
    "reml",
    "residual_df",
    "respond",
    "sd_of",
    "shape_change",
    "sign_flip_test",
    "slopes",
    "stratified_mean",
    "trend_basis",
    "variance_components",
    "wald_htz",
    "welch",
]
