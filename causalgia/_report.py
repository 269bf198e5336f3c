"""One report for every result: of a trial on a predictor, and of the bench."""

from __future__ import annotations

import xarray as xr

from causalgia.errors import OutcomesError, printable, quoted
from causalgia.reporting import Rows, trial_report

#: describing function of each kind of Dataset of the bench, and variables that no other kind has
_OF_BENCH = {
    "describe_concordance": {"noise_ceiling"},
    "describe_fit": {"ace", "n_barcodes", "weight"},
    "describe_quality": {"never_seen"},
    "describe_counts": {"oligo_index"},
    "describe_library": {"oligo", "insert"},
}


def report(dataset: xr.Dataset, *, rows: Rows = "summary") -> str:
    """Report a result as text: of a trial (outcomes, estimates, decisions), or of the bench (library to concordance).

    Outcomes are described by population, units, arms in do-notation, predictor and analysis. Estimates and decisions
    have the estimand, a table of effects, and sentences: one for each decision, with estimand, size, interval, verdict
    and number of units, and for an undecided effect the approximate number of units of a new trial that would decide
    it; for estimates if they are few. Fixed placebo words are summarized in one line.

    Parameters
    ----------
    dataset
        Of a trial: from `causalgia.run` or `causalgia.from_frame`; from `causalgia.estimate`, with or without
        `causalgia.adjust`; or decisions from `causalgia.decide`.

        Of the bench: from `causalgia.mpra.library` (oligos by arm, the oligo and its parts, the rules and the draws
        that broke them, the shift from the null model); from `read_counts` or `filter` (barcodes, and what filters
        left out); from `quality` (barcodes, dropouts and outliers by arm, agreement of replicates); from `fit` (noise,
        the average over test elements, and the number with an effect); or from `concordance` (correlations with the
        noise ceiling, the line, hits, and the elements off the line).
    rows
        ``"summary"``, or ``"all"``: of estimates and outcomes also a line for each placebo word, of a fit also the
        table of its elements.

    Returns
    -------
    str
        Text for a terminal or a notebook, no wider than the names need.

    Raises
    ------
    OutcomesError
        If it is another Dataset; a posterior goes through `causalgia.decide` first.

    Notes
    -----
    The first line names what was measured: ``attrs["effect_on"]``, or the predictor of a trial; it is "Effect" alone
    for tables from elsewhere. The line of placebo words has their number, the mean and range of their estimates, and
    from 40 words the central 95 %, which is wider than that of their true effects (`causalgia.placebo_region`).

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)}
    >>> design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=50)
    >>> print(report(cg.mpra.library(design, oligo_length=230, adapters="lentimpra", rng=7)))
    200 oligos of 230 nt: 50 untreated, 50 GATA1, 100 scramble (negative)
    ...
    """
    variables = set(dataset.variables) if isinstance(dataset, xr.Dataset) else set()
    name = next((name for name, own in _OF_BENCH.items() if own <= variables), None)
    if name is None:
        return trial_report(dataset, rows=rows)
    if rows != "summary" and name != "describe_fit":
        raise OutcomesError(f"rows={quoted(rows)} is for placebo words and elements, and this Dataset has none")
    from causalgia.mpra import text_reports

    text = printable(getattr(text_reports, name)(dataset))
    return text if rows == "summary" else f"{text}\n\n{trial_report(dataset, rows=rows)}"
