"""Figures of the founding paper: printed in its authors' notebooks, or read from their
plots.

Source: github.com/p-koo/residualbind, commit bf5cd08: `Figure2_RBFOX1_analysis.ipynb`,
`Figure3_VTS1_analysis.ipynb`, `Figure4_GC-bias_analysis.ipynb`,
`Figure1_performance_analysis.ipynb`. Triangles (means) and red lines (medians) were
located in the stored images and scaled by the tick marks; a pixel is 0.05 to 0.08.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

COPIES = (4.35, 7.85, 11.1)
WEAK_COPIES = (1.5, 3.6, 5.35)
ONE_STRONG_SITE_LINE = 5.19  # the dashed line over the copies of the weak site
SPACING = {"one site": 4.35, "at 4": 6.6, "at 6": 6.95, "at 9": 7.8}
HAIRPIN = {"center": 1.55, "left": 1.15, "loop": 2.6, "stem": 1.15}
MOTIFS = ("UGCAUGU", "AGCAUGU", "CGCAUGU", "UGUAUGU", "UACAUGU", "UGCACGU", "UGCAUAU")
IMPORTANCE = (4.0, 3.57, 3.1, 0.43, -0.13, 2.3, 0.4)
KD = (0.83, 4.8, 6.1, 280.0, 350.0, 4.9, 1830.0)
GC_ALONE, MOTIF, GC_3, GC_5 = "GC at 3'", "motif", "motif, GC at 3'", "motif, GC at 5'"
GC_BIAS = {  # one protein by means, two by medians, as their notebook draws them
    "UUGCAC": {GC_ALONE: -0.17, MOTIF: 2.7, GC_3: 2.8, GC_5: 3.1},
    "CAAAUU": {GC_ALONE: 0.27, MOTIF: 0.7, GC_3: 2.4, GC_5: 0.95},
    "UUAUUU": {GC_ALONE: 0.6, MOTIF: 0.73, GC_3: 4.4, GC_5: 0.45},
}

# printed by the notebooks
PRINTED_SLOPE, PRINTED_SLOPE_SE = -1.5994982872080745, 0.2559084660508973
PRINTED_R2, PRINTED_P = 0.887, 0.0015
PRINTED_R2_COPIES, PRINTED_R2_WEAK = 0.999, 0.997
CORRELATIONS = {"sequence": 0.689, "+ paired or not": 0.690, "+ five contexts": 0.689}


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A straight line with the t interval of its slope."""

    slope: float
    lower: float
    upper: float
    r2: float
    p: float


def line(x: object, y: object) -> Fit:
    """Return the least-squares line of y on x, as in the authors' notebook.

    Examples
    --------
    >>> found = line(IMPORTANCE, np.log(KD))
    >>> round(found.slope, 2), round(found.r2, 2)
    (-1.6, 0.88)
    """
    fitted = stats.linregress(np.asarray(x, float), np.asarray(y, float))
    reach = stats.t.ppf(0.975, np.size(x) - 2) * fitted.stderr
    return Fit(
        slope=float(fitted.slope),
        lower=float(fitted.slope - reach),
        upper=float(fitted.slope + reach),
        r2=float(fitted.rvalue**2),
        p=float(fitted.pvalue),
    )
