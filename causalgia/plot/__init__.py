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
    from causalgia.plot.curves import (
        against as against,
        band,
        profile as profile,
        tipping_point,
    )
    from causalgia.plot.distribution_plots import (
        boxes as boxes,
        null_shift as null_shift,
        power_curve as power_curve,
        raincloud,
        ranks as ranks,
    )
    from causalgia.plot.forest_plot import forest, save_forest as save_forest
    from causalgia.plot.grids import heatmap as heatmap, interaction_map, sharing
    from causalgia.plot.logos import average_logo, logo, map_logo
    from causalgia.plot.motif_panels import motif_families as motif_families
    from causalgia.plot.style import save_figure as save_figure, use_style as use_style
    from causalgia.plot.verdict_plots import equivalence, ranked as ranked, volcano
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "average_logo",
    "band",
    "barcodes",
    "concordance",
    "dna_counts",
    "equivalence",
    "forest",
    "interaction_map",
    "logo",
    "map_logo",
    "raincloud",
    "replicates",
    "sharing",
    "tipping_point",
    "volcano",
]
