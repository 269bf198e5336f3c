"""Figures of results, with matplotlib: each takes a result, draws it into a new figure
of pyplot (``plt.savefig`` saves it) or into given axes, and returns the axes.
"""

from causalgia.tell.figures import (
    curve as curve,
    distribution as distribution,
    forest as forest,
    heatmap as heatmap,
    logo as logo,
    map as map,
    scatter as scatter,
)

__all__ = ["curve", "distribution", "forest", "heatmap", "logo", "map", "scatter"]
