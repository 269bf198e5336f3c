"""The command `causalgia report`: a folder of results as a page, or for a paper as
Markdown or LaTeX.
"""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from causalgia.attributes import about, has
from causalgia.cli.folder import (
    load_marked_outcomes,
    marked_as,
    numbered_figures,
    write_text,
)
from causalgia.cli.options import folder_experiment
from causalgia.cli.output import echo, record_files
from causalgia.cli.tables import stored_sentences
from causalgia.errors import DataError
from causalgia.results_folder import (
    CONCORDANCE,
    DECISIONS,
    EFFECTS,
    ESTIMATES,
    FIT,
    LIBRARY,
    LOGOS,
    OUTCOMES,
    PAGE,
    REFUTATION,
    STORE,
)

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.html_page import PageParts

_As = Literal["page", "text", "md", "html", "latex", "methods"]
_BENCH_PICTURES = {
    "barcodes.png": "Barcodes with DNA of each oligo, by arm.",
    "replicates.png": "Activity of each oligo in two replicates.",
    "dna_counts.png": "DNA reads of each barcode, by replicate.",
}


def report_folder(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Folder of a trial, an experiment, motifs, variants, a fit or a comparison "
            "of an MPRA.",
        ),
    ],
    as_: Annotated[
        _As,
        typer.Option(
            "--as",
            help=f"A page, which is written to {PAGE} in the folder; or printed: text, "
            "a table for a paper, or its methods with the checklist of what to report.",
        ),
    ] = "page",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write to this file instead."),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task", metavar="NAME", help="Report this task alone; may be repeated."
        ),
    ] = None,
) -> None:
    """Report the results in a folder: as one self-contained page, or as text for a
    paper.

    The page has the question, the answer, its table and one figure; then what could be
    wrong, with the checks of causalgia refute if they lie in the folder; method,
    protocol, arms, further figures, provenance and what to cite are folded.

    Example:   causalgia report results

    Example:   causalgia report results --as latex --out table.tex

    Example:   causalgia report results --as methods --out methods.md
    """
    from causalgia.tell import report
    from causalgia.tell.answer_kinds import is_before_estimates
    from causalgia.tell.html_page import said_of, write_page

    parts = page_parts(folder)
    if as_ == "page":
        path = folder / PAGE if out is None else out
        record_files(path)
        echo(f"Wrote {write_page(path, parts, task=task)}")
        if is_before_estimates(parts.result):
            echo(f"No effects yet. Next: causalgia analyze {quote(str(folder))}")
        return
    if as_ == "methods":
        checks = parts.refutations
        text = str(report(parts.result, as_="methods", task=task, refutations=checks))
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
    from causalgia.mpra.text_reports import fit_parts
    from causalgia.tell._trial_report import check_same_trial
    from causalgia.tell.html_page import ELEMENTS, PageParts, parts_of

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
        verdicts = (
            (f"The verdict on each element is in {EFFECTS}.",)
            if (folder / EFFECTS).is_file()
            else ()
        )
        return PageParts(result=fitted, saved=saved, about=verdicts)
    if LIBRARY in there and not {OUTCOMES, STORE} & there:
        return PageParts(result=mpra.read_library(folder))
    if not there:
        raise DataError(f"{folder} holds no results")
    if (folder / LOGOS).is_file():
        from causalgia.cli.sequence_commands import read_discovery

        checks = _refutations(folder)
        return parts_of(read_discovery(folder), refutations=checks)
    outcomes = load_marked_outcomes(folder) if {OUTCOMES, STORE} & there else None
    refutations = _refutations(folder)
    of_elements = False
    of_fit: tuple[str, ...] = ()
    if DECISIONS in there or ESTIMATES in there:
        kind: Literal["decisions", "estimates"] = (
            "decisions" if DECISIONS in there else "estimates"
        )
        result = store.load(folder / f"{kind}.nc", kind)
        again = f"make these anew: causalgia analyze {quote(str(folder))}"
        check_same_trial(f"{folder}: outcomes", outcomes, result, cure=again)
        check_same_trial(
            f"{folder}: the checks in {REFUTATION}",
            refutations,
            result,
            cure="run them anew",
        )
        result = marked_as(outcomes, result)
        if has(result).n_left_out and FIT in there:  # verdicts of a fit
            fit = fit_parts(store.read_netcdf(folder / FIT), requested=["notes"])
            of_elements, of_fit = True, (*fit.foot[1:], *fit.notes)
        if of_elements and result.sizes["contrast"] == 1 and result.sizes["task"] > 1:
            # one element under many arms
            result = result.rename(contrast="task", task="contrast")
            result, of_elements = result.transpose("contrast", ...), False
    else:
        assert outcomes is not None
        result = outcomes
    experiment = folder_experiment(folder)
    names = numbered_figures(folder) if experiment is not None else ()
    drawn = [name for name in names if (folder / name).is_file()]
    called = experiment.entry.name if experiment else ""
    figures = {
        f"Picture of the experiment {called}{_of_task(number, len(drawn))}.": (
            folder / name
        ).read_bytes()
        for number, name in enumerate(drawn)
    }
    return PageParts(
        result=result,
        question=experiment.entry.question
        if experiment is not None
        else about(result, "").question,
        sentences=stored_sentences(result, "answer"),
        details=stored_sentences(result, "details"),
        outcomes=outcomes,
        refutations=refutations,
        figures=figures,
        about=of_fit,
        headings=ELEMENTS if of_elements else {},
        saved=saved,
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
