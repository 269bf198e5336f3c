"""Results of an experiment: verdicts on its contrasts, findings beyond single contrasts, and the answer as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.plot import Axes


@dataclass(frozen=True, eq=False)
class Finding:
    """Results beyond single contrasts: derived Datasets, and sentences that answer the question.

    Attributes
    ----------
    datasets
        Name -> Dataset, such as a fitted line, a logo or the posterior of a period.
    sentences
        The answer as text, each estimate with its interval.
    """

    datasets: Mapping[str, xr.Dataset] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Answer:
    """The answer to an experiment's question; printed, it is the question, the table of contrasts and the sentences.

    Attributes
    ----------
    question
        The question, in a sentence.
    estimates, decisions
        Every named contrast: ``ace, se, df, p, p_adjusted``, and ``ace, lower, upper, verdict, ...``
        (contrast, task), with the experiment's coordinates.
    findings
        Datasets of the results beyond single contrasts, by name.
    sentences
        The answer as text.
    name
        The experiment's name in the catalogue, which pictures have in their headings.
    """

    question: str
    estimates: xr.Dataset
    decisions: xr.Dataset
    findings: Mapping[str, xr.Dataset]
    sentences: tuple[str, ...]
    figure: Callable[[Answer], Axes] | None = None
    name: str = ""

    def __str__(self) -> str:
        from causalgia.reporting import trial_report

        shown = largest_contrasts(self.decisions)
        more = self.decisions.sizes["contrast"] - shown.sizes["contrast"]
        note = [f"These are the largest; {more:,} more contrasts are in decisions.", ""] if more else []
        return "\n".join([self.question, "", trial_report(shown), "", *note, *self.shown_sentences]).rstrip()

    def _repr_html_(self) -> str:
        """Return the question, the table of contrasts and the sentences, for notebooks."""
        from causalgia.reporting._trial_report import table_parts
        from causalgia.reporting.table_formats import html_table
        from causalgia.spreadsheet import as_html

        shown = largest_contrasts(self.decisions)
        more = self.decisions.sizes["contrast"] - shown.sizes["contrast"]
        note = [f"These are the largest; {more:,} more contrasts are in decisions."] if more else []
        sentences = "\n".join(f"<p>{as_html(text)}</p>" for text in [*note, *self.shown_sentences])
        return f"<p><b>{as_html(self.question)}</b></p>\n{html_table(*table_parts(shown))}{sentences}"

    def __repr__(self) -> str:
        return f"<Answer to {self.question!r}: {self.decisions.sizes['contrast']:,} contrasts>"

    @property
    def tasks(self) -> list[str]:
        """The names of the tasks."""
        return [str(task) for task in self.decisions["task"].to_numpy()]

    @property
    def shown_sentences(self) -> tuple[str, ...]:
        """The sentences that are printed: of more than 30 tasks, those on the tasks with the largest effects."""
        from causalgia.reporting.effect_rows import largest_tasks

        shown = {str(task) for task in largest_tasks(self.decisions)["task"].to_numpy()}
        others = tuple(
            start for task in self.tasks if task not in shown for start in (f"Task {task}:", f"Task {task},")
        )
        kept = [text for text in self.sentences if not others or not text.startswith(others)]
        left = len(self.sentences) - len(kept)
        return (*kept, *([f"{left:,} sentences on other tasks are in answer.sentences."] if left else []))

    @property
    def clearest_task(self) -> str:
        """The task with the largest effect; its figure is drawn by default."""
        size = _effect_size(self.decisions)
        return self.tasks[int(size.max([dim for dim in size.dims if dim != "task"]).to_numpy().argmax())]

    def draw(self, *, task: str | Sequence[str] | None = None) -> Axes:
        """Draw the figure of the experiment for one task; by default a forest plot of its contrasts.

        Parameters
        ----------
        task
            Task to draw, by its name or a pattern such as ``"DNASE:*"``; None: the one with the largest effect. Several
            tasks are drawn as a forest plot.

        Raises
        ------
        ContrastError
            If there is no such task.
        """
        from causalgia.effect_table import selected_tasks
        from causalgia.plot import forest

        chosen = selected_tasks(self.tasks, self.clearest_task if task is None else task)
        of_all = {"name": str(self.decisions.attrs.get("name") or self.name)}
        if len(chosen) > 1:
            return forest(self.decisions.assign_attrs(of_all), task=chosen)
        if len(self.tasks) > 1:
            of_all["task_of"] = f"task {self.tasks.index(chosen[0]) + 1} of {len(self.tasks):,}"
            of_all |= {"task_chosen": "with the largest effect"} if task is None else {}
        task = chosen[0]
        if self.figure is not None:
            findings = {name: _select_task(dataset, task) for name, dataset in self.findings.items()}
            estimates, decisions = (_select_task(table, task) for table in (self.estimates, self.decisions))
            decisions = decisions.assign_attrs(of_all)
            return self.figure(replace(self, findings=findings, estimates=estimates, decisions=decisions))
        return forest(self.decisions.assign_attrs(of_all), task=task)

    def save(self, path: str | Path, *, task: str | Sequence[str] | None = None) -> Path:
        """Save the figure of one task as PNG, PDF or SVG (by the file name).

        Parameters
        ----------
        path
            File to write.
        task
            As in `draw`.

        Raises
        ------
        ContrastError
            If there is no such task.
        OutcomesError
            If the file cannot be written.
        """
        from causalgia.plot import save_figure

        return save_figure(self.draw(task=task), path)


def largest_contrasts(table: xr.Dataset, *, most: int = 30, n: int = 20) -> xr.Dataset:
    """Return the contrasts with the largest effects, the largest first; a short table is returned unchanged.

    Of what is left out ``attrs["shown"]`` says how much there is; `causalgia.plot.forest` puts it into the title.

    Parameters
    ----------
    table
        Estimates or decisions. The size of an effect is its largest distance from no effect (0, or 1 for ratios) in
        any task or model.
    most
        Tables of up to this many contrasts are returned unchanged.
    n
        Contrasts returned of longer tables; fewer, but at least three, where tasks and models would give 60 rows.

    Examples
    --------
    >>> import xarray as xr
    >>> names = {"contrast": ["a", "b", "c"], "task": ["K562"]}
    >>> table = xr.Dataset({"ace": (("contrast", "task"), [[0.1], [-2.0], [1.0]])}, coords=names)
    >>> largest_contrasts(table, most=2, n=2)["contrast"].values.tolist()
    ['b', 'c']
    """
    if table.sizes["contrast"] <= most:
        return table
    size = _effect_size(table)
    largest = size.max([dim for dim in size.dims if dim != "contrast"]).to_numpy()
    n = min(n, max(3, 60 * size.sizes["contrast"] // size.size)) if n < size.sizes["contrast"] else n
    pairs = [name for name, variable in table.variables.items() if "contrast_" in variable.dims]
    cut = table.drop_vars(pairs).isel(contrast=np.argsort(-largest, kind="stable")[:n])
    return cut.assign_attrs(shown=f"the {n} largest of {table.sizes['contrast']:,}") if n < len(largest) else cut


def _effect_size(table: xr.Dataset) -> xr.DataArray:
    """Return the distance of each effect from no effect."""
    return abs(table["ace"] - float(table.attrs.get("null_value", 0.0)))


def _select_task(dataset: xr.Dataset, task: str) -> xr.Dataset:
    """Return one task of a Dataset, kept as a dim; a Dataset without tasks is returned unchanged."""
    import xarray as xr

    if not isinstance(dataset, xr.Dataset) or "task" not in dataset.dims or "task" not in dataset.coords:
        return dataset
    return dataset.isel(task=[[str(name) for name in dataset["task"].to_numpy()].index(task)])


def profile_along(along: str, *, by: str | None = None) -> Callable[[Answer], Axes]:
    """Return a function that draws the contrasts of one task along a coordinate, by `causalgia.plot.profile`.

    Examples
    --------
    >>> profile_along("copies").keywords
    {'along': 'copies', 'by': None}
    """
    return partial(_draw_profile, along=along, by=by)


def _draw_profile(answer: Answer, *, along: str, by: str | None) -> Axes:
    from causalgia.plot import profile

    return profile(answer.decisions, along=along, by=by)


def mean_over_models(table: xr.Dataset) -> xr.Dataset:
    """Return the mean over the models of an ensemble, with task names that say so.

    Parameters
    ----------
    table
        ``ace (..., task[, model])``; variables that are not floats are dropped. A table without models is unchanged.

    Examples
    --------
    >>> import xarray as xr
    >>> table = xr.Dataset({"ace": (("contrast", "task", "model"), [[[1.0, 2.0]]])}, coords={"task": ["K562"]})
    >>> mean_over_models(table)["ace"].values.ravel(), mean_over_models(table)["task"].values
    (array([1.5]), array(['K562, mean over 2 models'], dtype='<U24'))
    """
    if "model" not in table.dims:
        return table
    names = [f"{task}, mean over {table.sizes['model']} models" for task in table["task"].to_numpy()]
    floats = [name for name, values in table.data_vars.items() if values.dtype.kind == "f"]
    return table[floats].mean("model", keep_attrs=True).assign_coords(task=("task", names))
