from .axes import Axes as Axes
from .bench_figures import (
    barcodes as barcodes,
    concordance as concordance,
    dna_counts as dna_counts,
    replicates as replicates,
)
from .curves import band as band, tipping_point as tipping_point
from .distribution_plots import raincloud as raincloud
from .forest_plot import forest as forest
from .grids import interaction_map as interaction_map, sharing as sharing
from .logos import average_logo as average_logo, logo as logo, map_logo as map_logo
from .style import save_figure as save_figure
from .verdict_plots import equivalence as equivalence, volcano as volcano
