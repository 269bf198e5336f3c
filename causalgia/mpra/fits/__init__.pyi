from ._activity import activity as activity
from ._average import average as average
from ._conditions import conditions as conditions
from ._fit import fit as fit
