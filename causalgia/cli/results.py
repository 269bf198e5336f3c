"""The results of an analysis in the folder of its trial."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalgia.cli.folder import of_analysis, write_effects, write_text, written_whole
from causalgia.cli.report_command import of_trial
from causalgia.cli.tables import with_sentences
from causalgia.inputs import to_csv
from causalgia.results_folder import DECISIONS, ESTIMATES, EXPERIMENT, FIT, FOREST, PAGE

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.experiments import Answer

_MOST_FIGURES = 12


def write_results(
    folder: Path,
    estimates: xr.Dataset,
    decisions: xr.Dataset | None,
    *,
    answer: Answer | None = None,
    outcomes: xr.Dataset | None = None,
    truth: xr.DataArray | None = None,
    task: Sequence[str] = (),
    all_columns: bool = False,
) -> list[str]:
    """Write all results of an analysis whole: estimates, verdicts, their figures, the
    answer, tables, and the page if there is one; return the names of the files.

    An experiment is drawn for each task, first that of the largest effect; of more than
    12 tasks only that one is. Estimates without verdicts beside a fit leave its answer
    and page as they are.
    """
    from causalgia import store
    from causalgia.effect_table import select_tasks
    from causalgia.tell.figures import forest
    from causalgia.tell.figures.style import save_figure
    from causalgia.tell.html_page import write_page

    beside_fit = decisions is None and (folder / FIT).is_file()
    effects, written = estimates if decisions is None else decisions, [ESTIMATES]
    with written_whole(folder, () if beside_fit else of_analysis(folder)) as new:
        store.save(estimates, new / ESTIMATES)
        if decisions is not None:
            store.save(decisions, new / DECISIONS)
            written.append(DECISIONS)
        if answer is None:
            drawn = select_tasks(effects, task or None, place="--")
            save_figure(forest(drawn, truth=truth), new / FOREST)
            written.append(FOREST)
        else:
            for name, of in _task_by_figure(answer).items():
                answer.save(new / name, task=of)
                written.append(name)
        if not beside_fit:
            written += write_effects(new, effects, all_columns=all_columns)
        for finding, table in (answer.findings if answer else {}).items():
            written.append(f"finding_{finding.replace(' ', '_')}.csv")
            write_text(new / written[-1], to_csv(table.to_dataframe()))
        if (folder / PAGE).is_file() and not beside_fit:
            page = of_trial(folder, effects, outcomes=outcomes, drawn=new)
            write_page(new / PAGE, page)
            written.append(PAGE)
    return written


def write_answer(answer: Answer, folder: Path, **settings: Any) -> list[str]:
    """Write the answer of an experiment, as `write_results`."""
    decisions = with_sentences(answer.decisions, answer)
    return write_results(folder, answer.estimates, decisions, answer=answer, **settings)


def _task_by_figure(answer: Answer) -> dict[str, str | None]:
    """Return the tasks by figure: file name -> task; None is that of the largest
    effect.
    """
    if len(answer.tasks) > _MOST_FIGURES:
        return {EXPERIMENT: None}
    tasks = dict.fromkeys([answer.clearest_task, *answer.tasks])
    stem = Path(EXPERIMENT).stem
    return {
        f"{stem}_{number}.png" if number > 1 else EXPERIMENT: task
        for number, task in enumerate(tasks, start=1)
    }
