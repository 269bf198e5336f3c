"""Hierarchical Bayesian effect sizes: what all the effects say about each, and how sure one may be.

The labelled verbs `infer` and `profile` (a smooth curve of effects), and `prior_predictive` and `posterior_predictive`
beside them, over functions of arrays that can be held against R by anyone: one module for each law
(`causalgia.posterior.normal`, `mixture`, `student`, `gaussian_process`), exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.posterior._infer import infer
    from causalgia.posterior._profile import profile
    from causalgia.posterior.predictive_checks import posterior_predictive, prior_predictive
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["infer", "posterior_predictive", "prior_predictive", "profile"]
