"""Text reports of libraries, counts, fits and concordances."""

from __future__ import annotations

import xarray as xr

from causalgia.errors import printable
from causalgia.mpra import comparisons, libraries
from causalgia.mpra.counts._quality import describe_counts, describe_quality
from causalgia.mpra.fits.fit_text import describe_fit


def report(dataset: xr.Dataset) -> str:
    """Return a text report of a library, of counts and their quality, of a fit, or of a concordance.

    Estimates and decisions, as from `causalgia.mpra.prediction_powered` or `causalgia.decide`, are reported by
    `causalgia.report`.

    Parameters
    ----------
    dataset
        From `causalgia.mpra.read_counts` or `filter`: barcodes, and what filters left out. From
        `causalgia.mpra.quality`: barcodes, dropouts and outliers by arm, and how replicates agree. From
        `causalgia.mpra.library`: oligos by arm, the oligo and its parts, the rules and by arm the draws that broke
        them, the share of units that were drawn anew, and the shift of GC content and k-mers. From
        `causalgia.mpra.fit`: what was fitted and left out, the noise of barcodes and replicates, and for each contrast
        the average over elements of the test and how many of them have an effect. From
        `causalgia.mpra.concordance`: for each contrast the correlations with the noise ceiling, the line, the signs of
        hits, and the elements off the line.

    Raises
    ------
    OutcomesError
        If it is none of these.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)}
    >>> design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=50)
    >>> print(cg.mpra.report(cg.mpra.library(design, oligo_length=230, adapters="lentimpra", rng=7)))
    200 oligos of 230 nt: 50 untreated, 50 GATA1, 100 scramble (negative)
    ...
    """
    if isinstance(dataset, xr.Dataset) and "noise_ceiling" in dataset:
        return printable(comparisons.describe_concordance(dataset))
    if isinstance(dataset, xr.Dataset) and {"ace", "n_barcodes", "weight"} <= set(dataset.variables):
        return printable(describe_fit(dataset))
    if isinstance(dataset, xr.Dataset) and "never_seen" in dataset:
        return printable(describe_quality(dataset))
    if isinstance(dataset, xr.Dataset) and "oligo_index" in dataset:
        return printable(describe_counts(dataset))
    return printable(libraries.describe_library(dataset))
