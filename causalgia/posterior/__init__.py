"""Hierarchical Bayesian models of effects: shrinkage, posteriors and predictive checks.

`causalgia.infer`, `prior_predictive` and `posterior_predictive` are for labeled data;
their DataTree is what ArviZ reads from 1.0 on, and `as_arviz` gives it to an earlier
one. Each law has a module with an exact engine on arrays: `normal`, `student_t`,
`mixture`, `spike_and_slab`, `two_scales`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.posterior._infer import infer as infer
    from causalgia.posterior._profile import profile as profile
    from causalgia.posterior.model_checks import posterior_predictive, prior_predictive
    from causalgia.posterior.posterior_tree import as_arviz
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["as_arviz", "posterior_predictive", "prior_predictive"]
