from .axes import Axes as Axes
from .curves import curve as curve
from .distribution_plot import distribution as distribution
from .forest_plot import forest as forest
from .grids import heatmap as heatmap
from .logos import logo as logo, map as map
from .scatter_plot import scatter as scatter
