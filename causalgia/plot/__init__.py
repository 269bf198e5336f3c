"""Figures from Datasets, with matplotlib and without its global state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    # for modules that must not import matplotlib
    from matplotlib.axes import Axes as Axes

    from causalgia.plot.bench_figures import (
        barcodes,
        concordance,
        dna_counts,
        replicates,
    )
    from causalgia.plot.curves import against, band, profile, tipping_point
    from causalgia.plot.distribution_plots import (
        boxes,
        null_shift,
        power_curve,
        raincloud,
        ranks,
    )
    from causalgia.plot.forest_plot import forest, save_forest
    from causalgia.plot.grids import heatmap, interaction_map, sharing
    from causalgia.plot.logos import average_logo, logo, map_logo
    from causalgia.plot.motif_panels import motif_families
    from causalgia.plot.style import save_figure, use_style
    from causalgia.plot.verdict_plots import equivalence, ranked, volcano
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "against",
    "average_logo",
    "band",
    "barcodes",
    "boxes",
    "concordance",
    "dna_counts",
    "equivalence",
    "forest",
    "heatmap",
    "interaction_map",
    "logo",
    "map_logo",
    "motif_families",
    "null_shift",
    "power_curve",
    "profile",
    "raincloud",
    "ranked",
    "ranks",
    "replicates",
    "save_figure",
    "save_forest",
    "sharing",
    "tipping_point",
    "use_style",
    "volcano",
]
