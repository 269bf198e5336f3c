"""What an experiment found: verdicts on its contrasts, what they say together, and the words for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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

        return "\n".join(
            [self.question, "", report(self.decisions), *(["", *self.sentences] if self.sentences else [])]
        )

    def __repr__(self) -> str:
        return f"<Answer to {self.question!r}: {self.decisions.sizes['contrast']:,} contrasts>"

    def draw(self) -> Axes:
        """Draw the answer: the figure of the experiment, by default a forest plot of its contrasts."""
        from causalgia.plot import forest

        if self.figure is not None:
            return self.figure(self)
        return forest(self.decisions, task=str(self.decisions["task"].to_numpy()[0]))

    def save(self, path: str | Path) -> Path:
        """Write the figure to a file (PNG, PDF or SVG by its name).

        Raises
        ------
        OutcomesError
            If the file cannot be written.
        """
        from causalgia.plot import save_figure

        return save_figure(self.draw(), path)
