"""The command `causalgia report`: a folder of results as a page, or for a paper as
Markdown or LaTeX.
"""

from __future__ import annotations

from dataclasses import replace
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

_Kind = Literal["html", "markdown", "latex", "checklist"]
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
    html: Annotated[
        bool,
        typer.Option(
            "--html", help=f"Write a page, {PAGE}, into the folder (the default)."
        ),
    ] = False,
    markdown: Annotated[
        bool,
        typer.Option(
            "--markdown",
            help="Print the results, their table and the methods as Markdown.",
        ),
    ] = False,
    latex: Annotated[
        bool, typer.Option("--latex", help="Print them as LaTeX.")
    ] = False,
    checklist: Annotated[
        bool,
        typer.Option(
            "--checklist",
            help="Print what a paper must report, filled in, as Markdown.",
        ),
    ] = False,
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

    Example:   causalgia report results --html

    Example:   causalgia report results --latex --out table.tex

    Example:   causalgia report results --checklist --out checklist.md
    """
    from causalgia.tell.html_page import has_no_estimate, write_page

    kinds: list[tuple[bool, _Kind]] = [
        (html, "html"),
        (markdown, "markdown"),
        (latex, "latex"),
        (checklist, "checklist"),
    ]
    chosen = [kind for given, kind in kinds if given]
    if len(chosen) > 1:
        raise DataError(f"--{chosen[0]} and --{chosen[1]} are both given")
    kind: _Kind = chosen[0] if chosen else "html"
    parts = page_parts(folder, task)
    if kind == "html":
        path = folder / PAGE if out is None else out
        if path.suffix.lower() not in (".html", ".htm"):
            raise DataError(f"--out {out}: a page ends in .html")
        record_files(path)
        echo(f"Wrote {write_page(path, parts, task=task)}")
        if has_no_estimate(parts):
            echo(f"No effects yet. Next: causalgia analyze {quote(str(folder))}")
        return
    text = (
        _filled_in(parts, folder, task)
        if kind == "checklist"
        else _for_paper(parts, folder, kind, task)
    )
    if out is None:
        echo(text.rstrip("\n"))
    else:
        write_text(out, text)
        record_files(out)
        echo(f"Wrote {out}")


def _filled_in(parts: PageParts, folder: Path, task: list[str] | None) -> str:
    """Return the checklist of a paper, filled in from the effects and the checks in a
    folder.
    """
    from causalgia.effect_table import select_tasks
    from causalgia.tell import checklist
    from causalgia.tell.effect_rows import as_reportable

    if "noise_ceiling" in parts.result:
        raise DataError(f"{folder} holds a comparison, and the checklist is of effects")
    _check_has_effects(parts, folder)
    return checklist(
        select_tasks(as_reportable(parts.result), task, place="report: "),
        refutation=parts.refutations,
    )


def _check_has_effects(parts: PageParts, folder: Path) -> None:
    if "ace" not in parts.result or parts.text:
        raise DataError(f"{folder} holds no effects to tabulate")


def _for_paper(
    parts: PageParts,
    folder: Path,
    kind: Literal["markdown", "latex"],
    task: list[str] | None,
) -> str:
    """Return the results paragraph, the table and the methods paragraph."""
    from causalgia.tell import methods, table
    from causalgia.tell.table_formats import escaped

    if "noise_ceiling" in parts.result:
        from causalgia.mpra.text_reports import concordance_parts
        from causalgia.tell.citations import software

        compared = concordance_parts(parts.result, requested=["notes"])
        answer = (*compared.sentences, *compared.foot, *compared.notes)
        lines = [escaped(line.strip(), kind) for line in answer]
        cited = escaped(
            f"Computed with causalgia {software().fields['version']}.", kind
        )
        if kind == "markdown":
            return "\n".join(f"- {line}" for line in lines) + f"\n\n{cited}\n"
        items = "\n".join(rf"\item {line}" for line in lines)
        return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}\n\n{cited}\n"
    _check_has_effects(parts, folder)
    found = methods(parts.result, task=task)
    works = [escaped(str(work), kind) for work in found.works]
    paragraphs = [
        escaped(found.results, kind),
        table(parts.result, format=kind, task=task).rstrip("\n"),
    ]
    paragraphs += [escaped(found.methods, kind)]
    paragraphs += [
        "\n".join(f"- {work}" for work in works)
        if kind == "markdown"
        else "; ".join(works) + "."
    ]
    return "\n\n".join(paragraphs) + "\n"


def page_parts(folder: Path, task: list[str] | None = None) -> PageParts:
    """Return what a folder holds for a page, and its report in text of these tasks.

    Raises
    ------
    DataError
        If there is nothing to report in it.
    """
    from causalgia import mpra, report, store
    from causalgia.mpra.text_reports import concordance_parts, fit_parts
    from causalgia.tell._trial_report import check_same_trial
    from causalgia.tell.html_page import ELEMENTS, PageParts

    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder")
    there = {
        name
        for name in (OUTCOMES, STORE, DECISIONS, ESTIMATES, FIT, LIBRARY)
        if (folder / name).exists()
    }
    if (folder / CONCORDANCE).is_file():
        found = store.read_netcdf(folder / CONCORDANCE)
        report(found, task=task)  # refuses what is of a trial
        text = concordance_parts(found, requested=["notes"]).text(fold=False)
        return PageParts(result=found, text=text)
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
        report(fitted, task=task)  # a fit has no tasks to choose
        return PageParts(result=fitted, saved=saved, about=verdicts)
    if LIBRARY in there and not {OUTCOMES, STORE} & there:
        library = mpra.read_library(folder)
        return PageParts(result=library, text=report(library, task=task))
    if not there:
        raise DataError(f"{folder} holds no results")
    if (folder / LOGOS).is_file():
        from causalgia.cli.sequence_commands import read_discovery
        from causalgia.tell.discovery_page import discovery_page

        page = discovery_page(read_discovery(folder), task)
        return replace(page, refutations=_refutations(folder))
    outcomes = load_marked_outcomes(folder) if {OUTCOMES, STORE} & there else None
    refutations = _refutations(folder)
    of_elements = False
    of_fit: tuple[str, ...] = ()
    if DECISIONS in there or ESTIMATES in there:
        kind: Literal["decisions", "estimates"] = (
            "decisions" if DECISIONS in there else "estimates"
        )
        result, text = store.load(folder / f"{kind}.nc", kind), ""
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
        result, text = outcomes, report(outcomes, task=task)
    experiment = folder_experiment(folder)
    # a figure does not say of which task it is
    of_all = task is None or result.sizes.get("task", 1) == 1
    names = numbered_figures(folder) if experiment is not None and of_all else ()
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
        text=text,
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
