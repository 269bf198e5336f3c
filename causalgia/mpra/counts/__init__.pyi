from ._activity import activity as activity, aggregate as aggregate
from ._noise_model import NoiseModel as NoiseModel, simulate as simulate
from ._quality import quality as quality
from ._read_counts import read_counts as read_counts
from .active_calls import calls as calls
from .barcodes import filter as filter, split_duplicates as split_duplicates
from .counts_table import counts_of as counts_of
