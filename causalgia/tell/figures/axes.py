"""What figures are drawn on, for rooms that name the type and do not import matplotlib."""

from matplotlib.axes import Axes as Axes
