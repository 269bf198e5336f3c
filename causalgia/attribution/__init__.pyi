from ._attribute import attribute as attribute
from ._interactions import dfim as dfim, interactions as interactions
from ._propose import propose as propose
from .altered_networks import Nullified as Nullified, randomized as randomized
from .attribution_maps import (
    against_trial as against_trial,
    average as average,
    contributions as contributions,
    read_attributions as read_attributions,
)
from .layer_responses import attention as attention, filters as filters, match as match
