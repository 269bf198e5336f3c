from ._rank import rank as rank
from .bands import (
    simultaneous as simultaneous,
)
from .placebo import placebo_rank as placebo_rank
from .rank_sets import rank_intervals as rank_intervals
