"""What an experiment found: verdicts on its contrasts, what they say together, and the words for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from causalgia.errors import ContrastError, quoted

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.plot import Axes


@dataclass(frozen=True, eq=False)
class Finding:
    """What the contrasts of an experiment say together.

    Attributes
    ----------
    datasets
        By name: a fitted line, a logo, a posterior of a period.
    sentences
        The answer in words, each with its interval.
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
        What the contrasts say together, Datasets by name.
    sentences
        The answer in words.
    """

    question: str
    estimates: xr.Dataset
    decisions: xr.Dataset
    findings: Mapping[str, xr.Dataset]
    sentences: tuple[str, ...]
    figure: Callable[[Answer], Axes] | None = None

    def __str__(self) -> str:
        from causalgia.reporting import report

        shown = largest(self.decisions)
        more = self.decisions.sizes["contrast"] - shown.sizes["contrast"]
        left = [f"These are the largest; {more:,} more contrasts are in decisions.", ""] if more else []
        return "\n".join([self.question, "", report(shown), "", *left, *self.sentences]).rstrip()

    def __repr__(self) -> str:
        return f"<Answer to {self.question!r}: {self.decisions.sizes['contrast']:,} contrasts>"

    @property
    def tasks(self) -> list[str]:
        """The names of the tasks."""
        return [str(task) for task in self.decisions["task"].to_numpy()]

    @property
    def clearest_task(self) -> str:
        """The task of the largest effect, whose figure is drawn where no task is said."""
        away = abs(self.decisions["ace"] - float(self.decisions.attrs.get("null_value", 0.0)))
        size = away.max([dim for dim in away.dims if dim != "task"]).to_numpy()
        return self.tasks[int(size.argmax())]

    def draw(self, *, task: str | None = None) -> Axes:
        """Draw the answer about one task: the figure of the experiment, by default a forest plot of its contrasts.

        Parameters
        ----------
        task
            Which task; the one of the largest effect where it is not said.

        Raises
        ------
        ContrastError
            If there is no such task.
        """
        from causalgia.plot import forest

        task = self.clearest_task if task is None else task
        if task not in self.tasks:
            raise ContrastError(
                f"task {quoted(task)} is not there; say task= one of {', '.join(map(quoted, self.tasks))}"
            )
        if self.figure is not None:
            return self.figure(self._about(task))
        return forest(self.decisions, task=task)

    def save(self, path: str | Path, *, task: str | None = None) -> Path:
        """Write the figure of one task to a file (PNG, PDF or SVG by its name).

        Parameters
        ----------
        path
            Where to.
        task
            Which task; the one of the largest effect where it is not said.

        Raises
        ------
        ContrastError
            If there is no such task.
        OutcomesError
            If the file cannot be written.
        """
        from causalgia.plot import save_figure

        return save_figure(self.draw(task=task), path)

    def _about(self, task: str) -> Answer:
        """Return the answer about one task alone."""
        found = {name: _of_task(dataset, task) for name, dataset in self.findings.items()}
        estimates, decisions = (_of_task(table, task) for table in (self.estimates, self.decisions))
        return replace(self, findings=found, estimates=estimates, decisions=decisions)


def largest(table: xr.Dataset, *, most: int = 30, n: int = 20) -> xr.Dataset:
    """Return a table as it is where it has few contrasts, else those of its largest effects, the largest first.

    Parameters
    ----------
    table
        Estimates or decisions; effects are as large as they are away from none (0, of ratios 1), in any task or model.
    most
        Contrasts that are few.
    n
        How many are returned of more than that; fewer, but three at least, where tasks and models make them 60 rows.

    Examples
    --------
    >>> import xarray as xr
    >>> names = {"contrast": ["a", "b", "c"], "task": ["K562"]}
    >>> table = xr.Dataset({"ace": (("contrast", "task"), [[0.1], [-2.0], [1.0]])}, coords=names)
    >>> largest(table, most=2, n=2)["contrast"].values.tolist()
    ['b', 'c']
    """
    if table.sizes["contrast"] <= most:
        return table
    away = abs(table["ace"] - float(table.attrs.get("null_value", 0.0)))
    size = away.max([dim for dim in away.dims if dim != "contrast"]).to_numpy()
    n = min(n, max(3, 60 * away.sizes["contrast"] // away.size)) if n < away.sizes["contrast"] else n
    pairs = [name for name, variable in table.variables.items() if "contrast_" in variable.dims]
    return table.drop_vars(pairs).isel(contrast=np.argsort(-size, kind="stable")[:n])


def _of_task(dataset: xr.Dataset, task: str) -> xr.Dataset:
    """Return a Dataset about one task, which stays a dim; as it is where it has no tasks."""
    import xarray as xr

    if not isinstance(dataset, xr.Dataset) or "task" not in dataset.dims or "task" not in dataset.coords:
        return dataset
    return dataset.isel(task=[[str(name) for name in dataset["task"].to_numpy()].index(task)])
