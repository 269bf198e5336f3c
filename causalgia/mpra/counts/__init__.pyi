from ._activity import aggregate as aggregate, outcomes as outcomes
from ._noise_model import simulate as simulate
from ._quality import quality as quality
from ._read_counts import read_counts as read_counts
from .barcodes import filter as filter
from .counts_table import counts_of as counts_of
from .noise import NoiseModel as NoiseModel
