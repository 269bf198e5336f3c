"""The command `causalgia report`: a folder of results as a page, or for a paper as
Markdown or LaTeX.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from causalgia._audit.folder import is_audit
from causalgia.attributes import about, has
from causalgia.cli.audit_folder import report_audit
from causalgia.cli.folder import (
    figures_of_experiment,
    load_effects,
    load_marked_outcomes,
    write_text,
    written_whole,
)
from causalgia.cli.options import folder_experiment
from causalgia.cli.output import echo, record_files
from causalgia.cli.tables import stored_sentences
from causalgia.errors import DataError
from causalgia.results_folder import (
    CONCORDANCE,
    DECISIONS,
    ESTIMATES,
    FIT,
    LIBRARY,
    OUTCOMES,
    PAGE,
    REFUTATION,
    STORE,
)

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.html_page import PageParts

_BENCH_PICTURES = {
    "barcodes.png": "Barcodes with DNA of each oligo, by arm.",
    "replicates.png": "Activity of each oligo in two replicates.",
    "dna_counts.png": "DNA reads of each barcode, by replicate.",
}


def report(
    folder: Path,
    /,
    *,
    as_: Annotated[
        Literal["page", "text", "md", "html", "latex", "methods"],
        Parameter(name="--as"),
    ] = "page",
    out: Path | None = None,
    task: list[str] | None = None,
) -> None:
    """Report the results in a folder: as one self-contained page, or as text for a
    paper.

    The page has the question, the answer, its table and one figure; then what could be
    wrong, with the checks of causalgia refute if they lie in the folder; method,
    protocol, arms, further figures, provenance and what to cite are folded.

    Example:   causalgia report results

    Example:   causalgia report results --as latex --out table.tex

    Example:   causalgia report results --as methods --out methods.md

    Parameters
    ----------
    folder
        Folder of a trial, an experiment, an audit, variants, a fit or a comparison of an
        MPRA.
    as_
        A page, which is written to report.html in the folder; or printed: text, a table
        for a paper, or its methods with the checklist of what to report.
    out
        Write to this file instead.
    task
        Report this task alone; may be repeated.
    """
    if is_audit(folder):
        if task:
            raise DataError(
                "--task is of effects, and an audit has its own rows of tasks"
            )
        report_audit(folder, as_=as_, out=out)
        return
    from causalgia.tell import report as report_of
    from causalgia.tell.answer_kinds import is_before_estimates
    from causalgia.tell.html_page import said_of, write_page

    parts = page_parts(folder)
    if as_ == "page":
        path = folder / PAGE if out is None else out
        if not path.parent.is_dir():
            raise DataError(f"{path.parent} is not a folder")
        with written_whole(path.parent) as new:
            write_page(new / path.name, parts, task=task)
        record_files(path)
        echo(f"Wrote {path}")
        if is_before_estimates(parts.result):
            echo(f"No effects yet. Next: causalgia analyze {quote(str(folder))}")
        return
    if as_ == "methods":
        checks = parts.refutations
        text = str(
            report_of(parts.result, as_="methods", task=task, refutations=checks)
        )
    else:
        said, _ = said_of(parts, task, in_print=True)
        shown = {"md": said.markdown, "latex": said.latex, "html": said.html}
        text = shown.get(as_, said.text)()
    if out is None:
        echo(text.rstrip("\n"))
    else:
        write_text(out, text.rstrip("\n") + "\n")
        record_files(out)
        echo(f"Wrote {out}")


def page_parts(folder: Path) -> PageParts:
    """Return what a folder holds for a page.

    Raises
    ------
    DataError
        If there is nothing to report in it.
    """
    from causalgia import mpra, store
    from causalgia.tell.html_page import PageParts

    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder")
    there = {
        name
        for name in (OUTCOMES, STORE, DECISIONS, ESTIMATES, FIT, LIBRARY)
        if (folder / name).exists()
    }
    if (folder / CONCORDANCE).is_file():
        found = store.read_netcdf(folder / CONCORDANCE)
        return PageParts(result=found)
    saved = {
        caption: (folder / name).read_bytes()
        for name, caption in _BENCH_PICTURES.items()
        if (folder / name).is_file()
    }
    if FIT in there and not {DECISIONS, ESTIMATES} & there:
        fitted = store.read_netcdf(folder / FIT)
        return PageParts(result=fitted, saved=saved)
    if LIBRARY in there and not {OUTCOMES, STORE} & there:
        return PageParts(result=mpra.read_library(folder))
    if not there:
        raise DataError(f"{folder} holds no results")
    outcomes = load_marked_outcomes(folder) if {OUTCOMES, STORE} & there else None
    effects = load_effects(folder, outcomes)
    result = outcomes if effects is None else effects
    return replace(of_trial(folder, result, outcomes=outcomes), saved=saved)


def of_trial(
    folder: Path,
    result: Any,
    *,
    outcomes: xr.Dataset | None = None,
    drawn: Path | None = None,
) -> PageParts:
    """Return what a page says of a result and the rest of its folder; figures of an
    experiment are in `drawn`, if they are not there yet.
    """
    from causalgia import store
    from causalgia.tell._trial_report import check_same_trial
    from causalgia.tell.bench_answers import fit_parts
    from causalgia.tell.html_page import ELEMENTS, PageParts

    refutations = _refutations(folder)
    checks = f"{folder}: the checks in {REFUTATION}"
    check_same_trial(checks, refutations, result, cure="run them anew")
    of_elements = False
    of_fit: tuple[str, ...] = ()
    sentences = stored_sentences(result, "answer")
    details = stored_sentences(result, "details")
    if has(result).n_left_out and (folder / FIT).is_file():  # verdicts of a fit
        fit = fit_parts(store.read_netcdf(folder / FIT), requested=["notes"])
        of_elements, of_fit = True, (*fit.foot[1:], *fit.notes)
    if of_elements and result.sizes["contrast"] == 1 and result.sizes["task"] > 1:
        # one element under many arms
        result = result.rename(contrast="task", task="contrast")
        result, of_elements = result.transpose("contrast", ...), False
    experiment = folder_experiment(folder)
    figures = {}
    if experiment is not None:
        names = figures_of_experiment(drawn or folder)
        figures = {
            f"Picture of the experiment {experiment.entry.name}{_of_task(k, len(names))}.": (
                (drawn or folder) / name
            ).read_bytes()
            for k, name in enumerate(names)
        }
    return PageParts(
        result=result,
        question=about(result, "").question
        if experiment is None
        else experiment.entry.question,
        sentences=sentences,
        details=details,
        outcomes=outcomes,
        refutations=refutations,
        figures=figures,
        about=of_fit,
        headings=ELEMENTS if of_elements else {},
    )


def _refutations(folder: Path) -> xr.Dataset | None:
    from causalgia.store import read_netcdf

    path = folder / REFUTATION
    return read_netcdf(path) if path.is_file() else None


def _of_task(number: int, n: int) -> str:
    """Return of which task a numbered figure of an experiment is."""
    if n == 1:
        return ""
    return (
        f", of another task ({number + 1})"
        if number
        else ", of the task with the largest effect"
    )
