from ._infer import infer as infer
from ._to_pymc import to_pymc as to_pymc
from .model_checks import (
    posterior_predictive as posterior_predictive,
)
from .posterior_tree import as_arviz as as_arviz
