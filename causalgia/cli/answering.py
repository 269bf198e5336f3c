"""What an experiment of the catalogue answers: printed, drawn and written into the folder of its trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from causalgia.cli.folder import DECISIONS, ESTIMATES, figure_of, table_of, write
from causalgia.cli.tables import echo, print_answers
from causalgia.spreadsheet import to_csv

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.experiments import Answer


def give_answer(answer: Answer, folder: Path, *, all_rows: bool = False) -> tuple[str, ...]:
    """Print an answer, draw it for each task, and write its tables and findings: a figure that fails hides no table.

    The first figure is of the task of the largest effect.

    Returns
    -------
    tuple of str
        The names of the files that were written.
    """
    from causalgia import store

    decisions = answer.decisions.assign_attrs(answer="\n".join(answer.sentences))
    store.save(answer.estimates, folder / ESTIMATES)
    store.save(decisions, folder / DECISIONS)
    for name, table in answer.findings.items():
        write(folder / table_of(name), to_csv(table.to_dataframe()))
    try:
        echo(f"{answer.question}\n")
        print_answers(answer.estimates, decisions, all_rows=all_rows)
        print_sentences(decisions)
    finally:
        for name, task in _figures_of(answer).items():
            answer.save(folder / name, task=task)
    return files_of(answer)


def files_of(answer: Answer) -> tuple[str, ...]:
    """Return the names of the files that `give_answer` writes."""
    return ESTIMATES, DECISIONS, *map(table_of, answer.findings), *_figures_of(answer)


def _figures_of(answer: Answer) -> dict[str, str]:
    """Return the task of each figure: file -> task, that of the largest effect first."""
    tasks = dict.fromkeys([answer.clearest_task, *answer.tasks])
    return {figure_of(number): task for number, task in enumerate(tasks)}


def print_sentences(decisions: xr.Dataset) -> None:
    """Print what the contrasts say together, where that is kept with their decisions."""
    if said := str(decisions.attrs.get("answer", "")):
        echo(f"{said}\n")
