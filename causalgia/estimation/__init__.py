"""Design-based estimation: what the average causal effect is, and how sure one may be.

The labelled verb `estimate`, `covariance` of what it returns, and `from_effects` for anybody's numbers, over functions
of arrays that can be held against R by anyone: `mean_ice`, `mean_of_cluster_means`, `stratified_mean`, `crossed_mean`,
`between_levels`, `moderate`, `icc_anova` (crossover), `fit_arms`, `fit_arms_by_stratum`, `welch`, `residual_df`,
`clustered`, `block_effects` (parallel), `regress` and `wald_htz`.
"""

from __future__ import annotations

from causalgia.estimation.blocks import block_effects, settled_block_effects
from causalgia.estimation.crossed import between_levels, crossed_mean
from causalgia.estimation.crossover import Estimate, icc_anova, mean_ice, mean_of_cluster_means, stratified_mean
from causalgia.estimation.given import as_estimates, from_effects
from causalgia.estimation.labelled import covariance, estimate
from causalgia.estimation.moderation import Moderated, moderate
from causalgia.estimation.parallel import (
    ArmFit,
    add_covariate_sampling,
    clustered,
    fit_arms,
    fit_arms_by_stratum,
    residual_df,
    welch,
)
from causalgia.estimation.ratios import delta_method, fieller, p_of_ratio
from causalgia.estimation.regression import Regression, WaldTest, regress, wald_htz

__all__ = [
    "ArmFit",
    "Estimate",
    "Moderated",
    "Regression",
    "WaldTest",
    "add_covariate_sampling",
    "as_estimates",
    "between_levels",
    "block_effects",
    "clustered",
    "covariance",
    "crossed_mean",
    "delta_method",
    "estimate",
    "fieller",
    "fit_arms",
    "fit_arms_by_stratum",
    "from_effects",
    "icc_anova",
    "mean_ice",
    "mean_of_cluster_means",
    "moderate",
    "p_of_ratio",
    "regress",
    "residual_df",
    "settled_block_effects",
    "stratified_mean",
    "wald_htz",
    "welch",
]
