from ._estimate import covariance as covariance, estimate as estimate
from ._from_effects import from_effects as from_effects
from ._helical_phase import helical_phase as helical_phase
from ._hypotheses import hypotheses as hypotheses
