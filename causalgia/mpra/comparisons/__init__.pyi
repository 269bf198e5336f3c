from ._concordance import concordance as concordance
from ._prediction_powered import prediction_powered as prediction_powered
from ._virtual_trial import virtual_trial as virtual_trial
