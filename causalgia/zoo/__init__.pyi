from .arrangements import Pair as Pair
from .grammar import Oracle as Oracle, read_by as read_by
from .oracles import footprint as footprint, oracle as oracle, promoter as promoter
from .terms import EndGC as EndGC, MotifCount as MotifCount, Saturating as Saturating
from .trained import card as card, ensemble as ensemble, load as load
