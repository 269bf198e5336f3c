from ._decide import decide as decide
from ._tipping_point import tipping_point as tipping_point
