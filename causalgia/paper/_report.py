"""The verb `report`, for results of trials on predictors and of the bench."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import xarray as xr

from causalgia.effect_table import has_positions, select_tasks
from causalgia.errors import OutcomesError, printable, quoted
from causalgia.reporting import Rows, curve_report, trial_report
from causalgia.reporting.effect_rows import check_not_draws
from causalgia.reporting.refutation_table import refutation_report
from causalgia.reporting.verdict_sentences import tipping_report
from causalgia.schema import keeps_effects

if TYPE_CHECKING:
    from causalgia.experiments import Answer

#: describing function of each kind of Dataset of the bench, and variables that no other kind has
_OF_BENCH = {
    "describe_concordance": {"noise_ceiling"},
    "describe_fit": {"ace", "n_barcodes", "weight"},
    "describe_quality": {"never_seen"},
    "describe_counts": {"oligo_index"},
    "describe_library": {"oligo", "insert"},
}

_TAKES = (
    "report takes outcomes (cg.run, cg.from_frame), effects (cg.contrast), estimates (cg.estimate, cg.from_effects), "
    "decisions (cg.decide) and results of cg.mpra (library, read_counts, filter, quality, fit, concordance)"
)
_INSTEAD = {
    "Answer": "it reports itself: print(answer)",
    "Check": "it reports itself: print(check)",
    "Design": "run it first: outcomes = cg.run(design, predictor, rng=0)",
    "Experiment": "run it first: print(experiment.analyze(cg.run(experiment, predictor, rng=0)))",
    "Analysis": "it is a plan: give it to cg.run(..., analysis=), and report the outcomes",
    "DataFrame": "make a Dataset of it first: cg.from_frame for outcomes, cg.from_effects for effects with se",
    "str": "read the file first: cg.open(path), or cg.store.load(path, 'outcomes')",
    "Discovery": "it reports itself: print(found); its words are effects: cg.report(found.decisions)",
    "Results": "report one of its parts: cg.report(results.outcomes)",
}
"""Class of what is no result of a trial -> what to do instead."""


@overload
def report(
    dataset: xr.Dataset, *, rows: Rows = "summary", task: str | Sequence[str] | None = None, path: None = None
) -> str: ...


@overload
def report(
    dataset: xr.Dataset | Answer,
    *,
    rows: Rows = "summary",
    task: str | Sequence[str] | None = None,
    path: str | PathLike[str],
    outcomes: xr.Dataset | None = None,
    refutations: xr.Dataset | None = None,
    diagnostics: xr.Dataset | xr.DataTree | None = None,
) -> Path: ...


def report(
    dataset: xr.Dataset | Answer,
    *,
    rows: Rows = "summary",
    task: str | Sequence[str] | None = None,
    path: str | PathLike[str] | None = None,
    outcomes: xr.Dataset | None = None,
    refutations: xr.Dataset | None = None,
    diagnostics: xr.Dataset | xr.DataTree | None = None,
) -> str | Path:
    """Report a result as text or as a page: of a trial (outcomes, estimates, decisions), or of the bench.

    Outcomes are described by population, units, arms in do-notation, predictor and analysis. Estimates and decisions
    have the estimand, a table of effects, and sentences: one for each decision, with estimand, size, interval, verdict
    and number of units, and for an undecided effect the approximate number of units of a new trial that would decide
    it; for estimates if they are few. Fixed placebo words are summarized in one line. A profile has a line for each
    curve: where its band excludes no effect, the largest change, the total.

    Parameters
    ----------
    dataset
        Of a trial: from `causalgia.run` or `causalgia.from_frame`; from `causalgia.estimate`, with or without
        `causalgia.adjust`; decisions from `causalgia.decide`; from `causalgia.tipping_point`; or from
        `causalgia.refute`: a line for each check, with its reason and cure.

        Of the bench: from `causalgia.mpra.library` (oligos by arm, the oligo and its parts, the rules and the draws
        that broke them, the shift from the null model); from `read_counts` or `filter` (barcodes, and what filters
        left out); from `quality` (barcodes, dropouts and outliers by arm, agreement of replicates); from `fit` (noise,
        the average over test elements, and the number with an effect); or from `concordance` (correlations with the
        noise ceiling, the line, hits, and the elements off the line).
    rows
        ``"summary"``, or ``"all"``: of estimates and outcomes also a line for each placebo word, of more than 30 tasks
        a line for each (else the 20 with the largest effects), of a fit also the table of its elements.
    task
        The tasks to report, for a trial: a name, a pattern such as ``"DNASE:*"``, or a list of them. None: all.
    path
        A file ending in ``.html``: one self-contained page with the finding, pictures, a table to sort and filter, the
        checks, the provenance and what to cite. A page also takes the `~causalgia.experiments.Answer` of an experiment.
    outcomes
        For a page of effects: the outcomes of the trial, whose distributions are drawn.
    refutations
        For a page: the checks of the claim, ``value, threshold, status, reason (check)``.
    diagnostics
        For a page: the convergence of chains, ``posterior["diagnostics"]`` of `causalgia.infer`; exact posteriors have
        none.

    Returns
    -------
    str or Path
        Text for a terminal or a notebook, no wider than the names need; with `path` that of the page.

    Raises
    ------
    OutcomesError
        If it is anything else (a posterior goes through `causalgia.decide` first), `path` has another ending or cannot
        be written, a part of a page is given without `path`, or `rows` with it.
    ContrastError
        If there is no such task.

    Notes
    -----
    The first line names what was measured: ``attrs["effect_on"]``, or the predictor of a trial; it is "Effect" alone
    for tables from elsewhere. The line of placebo words has their number, the mean and range of their estimates, and
    from 40 words the central 95 %, which is wider than that of their true effects
    (`causalgia.multiplicity.placebo_region`).

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)}
    >>> design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=50)
    >>> print(report(cg.mpra.library(design, oligo_length=230, adapters="lentimpra", rng=7)))
    200 oligos of 230 nt: 50 untreated, 50 GATA1, 100 scramble (negative)
    ...

    A page:

    >>> import tempfile
    >>> estimates = cg.from_effects([1.4, 0.02], se=[0.1, 0.02], names=["GATA1", "mutant"])
    >>> decided = cg.decide(estimates, rope=(-0.1, 0.1))
    >>> report(decided, path=tempfile.mkdtemp() + "/report.html").name
    'report.html'
    """
    if path is not None:
        if rows != "summary":
            raise OutcomesError(f"rows={quoted(rows)} is for text; a page has the summary, and cg.tidy every row")
        return _page(dataset, path, task, outcomes=outcomes, refutations=refutations, diagnostics=diagnostics)
    for name, part in (("outcomes", outcomes), ("refutations", refutations), ("diagnostics", diagnostics)):
        if part is not None:
            raise OutcomesError(f"{name}= is a part of a page; say where to write it: path='report.html'")
    return _text(dataset, rows, task)


def _text(dataset: Any, rows: Rows, task: str | Sequence[str] | None) -> str:
    """Return a result as text."""
    variables = set(dataset.variables) if isinstance(dataset, xr.Dataset) else set()
    name = next((name for name, own in _OF_BENCH.items() if own <= variables), None)
    if name is None and "tipping_shift" in variables:
        return tipping_report(select_tasks(dataset, task, place="report: "))
    if name is None and {"figure", "status", "cure"} <= variables:
        if task is not None:
            raise OutcomesError(f"task={quoted(task)} is for effects, and these are checks of a claim; leave it out")
        return refutation_report(dataset)
    if name is None:
        _check_reportable(dataset)
        if has_positions(dataset) and "ace" in dataset:
            return curve_report(select_tasks(dataset, task, place="report: "))
        return trial_report(dataset, rows=rows, task=task)
    if task is not None:
        raise OutcomesError(
            f"task={quoted(task)} is for results of a trial, and this is one of the bench; leave it out"
        )
    if rows != "summary" and name != "describe_fit":
        raise OutcomesError(f"rows={quoted(rows)} is for placebo words and elements, and this Dataset has none")
    from causalgia.mpra import text_reports

    text = printable(getattr(text_reports, name)(dataset))
    return text if rows == "summary" else f"{text}\n\n{trial_report(dataset, rows=rows)}"


def _page(
    given: Any, path: str | PathLike[str], task: str | Sequence[str] | None, **parts: xr.Dataset | xr.DataTree | None
) -> Path:
    """Write a page of a result, and return its path."""
    from causalgia.paper.html_page import PageParts, write_page

    if not isinstance(path, str | PathLike):
        raise OutcomesError(f"path={quoted(path)} is not a path; give one that ends in .html: path='report.html'")
    page = Path(path)
    if page.suffix.lower() not in (".html", ".htm"):
        raise OutcomesError(f"path={quoted(str(path))}: a page ends in .html; cg.table writes Markdown, LaTeX and CSV")
    about: dict[str, Any] = {
        name: part.to_dataset() if isinstance(part, xr.DataTree) else part for name, part in parts.items()
    }
    outcomes, diagnostics = about["outcomes"], about["diagnostics"]
    of_trial = isinstance(outcomes, xr.Dataset) and (keeps_effects(outcomes) or "outcome" in outcomes)
    if outcomes is not None and not of_trial:
        raise OutcomesError(
            "outcomes= has no outcomes; give those of cg.run(design, predictor) that the effects are of"
        )
    if not isinstance(diagnostics, xr.Dataset | None):
        raise OutcomesError(
            f"diagnostics={quoted(diagnostics)} is not a Dataset; give posterior['diagnostics'] of cg.infer"
        )
    if not isinstance(given, xr.Dataset) and hasattr(given, "shown_sentences"):
        about |= {"answer": given, "question": given.question, "sentences": given.shown_sentences}
        given = given.decisions
    if isinstance(given, xr.Dataset) and "ace" in given and not has_positions(given):
        _check_reportable(given)
    else:
        about["text"] = _text(given, "summary", task)
    return write_page(page, PageParts(result=given, **about), task=task)


def _check_reportable(given: Any) -> None:
    """Raise unless it is a result of a trial; the error of a posterior has a cure of its own."""
    check_not_draws(given)
    if not isinstance(given, xr.Dataset):
        kind = type(given).__name__
        article = "an" if kind[0] in "AEIOUaeiou" else "a"
        instead = _INSTEAD["str"] if isinstance(given, PathLike) else _INSTEAD.get(kind, "print it")
        raise OutcomesError(f"{_TAKES}, and this is {article} {kind}; {instead}")
    effects = "ace" in given and {"contrast", "element"} & set(given["ace"].dims)
    if not (effects or keeps_effects(given) or "outcome" in given):
        names = ", ".join(quoted(str(name)) for name in list(given.data_vars)[:4]) or "nothing"
        raise OutcomesError(f"{_TAKES}, and this is another Dataset, of {names}; print it, which shows its variables")
