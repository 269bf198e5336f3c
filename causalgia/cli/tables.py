"""Printed output of the commands: tables of effects and verdicts, the catalogue, and
names of written files.
"""

from __future__ import annotations

import inspect
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import Parameter

from causalgia.attributes import about
from causalgia.choices import requested_parts
from causalgia.cli.output import echo, record, record_files, records
from causalgia.cli.shell import All, Arms, Notes, Sentences
from causalgia.inputs import to_csv
from causalgia.notes import said_from_json, said_to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import xarray as xr

    from causalgia.experiments import Answer
    from causalgia.tell.answers import AnswerParts


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Printed:
    """What of an answer is printed: tasks, rows, parts beside the answer, and the order
    of rows; and the columns of the table that is written.

    Parameters
    ----------
    task
        Show these tasks alone: a name or a pattern such as 'DNASE:*'.
    all_rows
        Print a line for each arm and placebo.
    all_columns
        Give the table of effects every column there is.
    order
        Order of rows: directions by size, undecided, negligible; or as in the file.
    """

    task: list[str] | None = None
    all_rows: All = False
    all_columns: bool = False
    sentences: Sentences = False
    arms: Arms = False
    notes: Notes = False
    order: Literal["size", "file"] = "size"

    @property
    def requested(self) -> tuple[str, ...]:
        """Parts of the report beside the answer."""
        return requested_parts(
            arms=self.arms, sentences=self.sentences, notes=self.notes
        )


def print_answers(
    effects: xr.Dataset,
    *,
    truth: xr.DataArray | None = None,
    printed: Printed = Printed(),
    command: str = "",
) -> None:
    """Print the answer, one table and a foot of at most three lines; definitions of
    arms, sentences on each effect and notes on request.

    The table shows verdicts if there are any. Of many rows the first 20 are shown, with
    the `command` that prints all.
    """
    from causalgia.effect_table import select_tasks
    from causalgia.tell.answers import answer_parts

    record(
        effects=lambda: records(effects_frame(effects, printed.task, all_columns=True))
    )
    # before they are read, so that an error names the option
    select_tasks(effects, printed.task or None, place="--")
    parts = answer_parts(
        effects,
        width=terminal_width(),
        rows="all" if printed.all_rows else "summary",
        task=printed.task or None,
        order=printed.order,
        requested=printed.requested,
        answer=stored_sentences(effects, "answer") or None,
        details=stored_sentences(effects, "details"),
        truth=truth,
        every=command or "--all",
        noted="--notes",
    )
    print_parts(parts)


def stored_sentences(effects: xr.Dataset, name: str) -> tuple[str, ...]:
    """Return the sentences of an experiment that are stored with its decisions.

    Parameters
    ----------
    effects
        Decisions.
    name
        ``"answer"`` or ``"details"``.
    """
    text = about(effects, "[]")
    return said_from_json(text.answer if name == "answer" else text.details)


def with_sentences(decisions: xr.Dataset, answer: Answer) -> xr.Dataset:
    """Return decisions with the sentences of their experiment, to be stored."""
    stored = {"answer": answer.sentences, "details": answer.details}
    return decisions.assign_attrs(
        {name: said_to_json(found) for name, found in stored.items()}
    )


def print_parts(parts: AnswerParts) -> None:
    """Print an answer, folded where it goes to a terminal, and a blank line."""
    fold = sys.stdout.isatty() or "COLUMNS" in os.environ
    echo(parts.text(terminal_width(), fold=fold))
    echo()


def terminal_width() -> int:
    """Return the columns of the terminal, or of the variable COLUMNS; 100 where the
    output goes to a file or a pipe.
    """
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


EFFECT_COLUMNS = (
    "term",
    "task",
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "p_value",
    "q",
    "verdict",
    "shrunken",
    "shrunken_low",
    "shrunken_high",
    "lfsr",
    "n",
    "note",
)
"""Columns of a table of effects, those of `causalgia.tidy`, in this order."""


def effects_frame(
    effects: Any, task: Sequence[str] | None = None, *, all_columns: bool = False
) -> pd.DataFrame:
    """Return effects as a table with the columns `EFFECT_COLUMNS`, empty where there
    are none, the group of an element of the bench, and with `all_columns` the others of
    `causalgia.tidy` after them.
    """
    from causalgia.tell import tidy

    frame = tidy(effects, task=task or None)
    if "measured" in effects:  # an element has a row for each contrast of its arms
        frame = frame[frame["estimate"].notna()]
    if "group" in effects.coords and effects["group"].dims == ("contrast",):
        frame["group"] = effects["group"].to_series()[frame["term"]].to_numpy()
    where = [name for name in ("group", "position", "model") if name in frame]
    first = [*EFFECT_COLUMNS[:2], *where, *EFFECT_COLUMNS[2:]]
    rest = [name for name in frame if name not in first] if all_columns else []
    return frame.reindex(columns=[*first, *rest])


def effects_text(
    effects: Any, task: Sequence[str] | None = None, *, all_columns: bool = False
) -> str:
    """Return `effects_frame` as tab-separated text."""
    return to_csv(
        effects_frame(effects, task, all_columns=all_columns), index=False, tabs=True
    )


def print_written(folder: Path, *names: str) -> None:
    """Print the names of the files written to a folder."""
    record_files(*(folder / name for name in names))
    echo(f"Wrote {', '.join(names)} in {folder}.")


_IN_PYTHON = (
    "context_swap",
    "null_models",
    "across_predictors",
    "tile_search",
)


def print_catalogue() -> None:
    """Print the name and question of each experiment, and the functions available only
    in Python.
    """
    from causalgia import experiments

    found = experiments.entries()
    wide = max(map(len, (*found, *_IN_PYTHON)))
    for name, entry in found.items():
        echo(f"{name:<{wide}}  {entry.question}")
    echo("\nIn Python, as causalgia.experiments.<name>:")
    for name in _IN_PYTHON:
        echo(f"{name:<{wide}}  {_summary(getattr(experiments, name))}")


def print_networks() -> None:
    """Print each published network: its name, what it predicts, license and paper."""
    from causalgia import networks

    found = networks.list()
    for name, one in found.iterrows():
        echo(f"{name}\n    {one['what']}\n    {one['license']}. {one['cite']}")
    echo(
        "\nIn Python, as causalgia.networks.load(name). CAUSALGIA_NETWORKS names a folder "
        "with the files, where they\nstand at no address of their own."
    )


def _summary(function: object) -> str:
    """Return the first paragraph of a docstring in one line."""
    return " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())


def print_entry(name: str) -> None:
    """Print one experiment: question, estimand, paper, and settings with their
    defaults.

    Raises
    ------
    DesignError
        If there is no such experiment; suggests the nearest.
    """
    from causalgia import experiments
    from causalgia.experiments import entries
    from causalgia.trial_file import settings_of, toml_value

    if name in _IN_PYTHON:
        summary = _summary(getattr(experiments, name))
        echo(f"{name}: {summary}\nIn Python alone: help(causalgia.experiments.{name})")
        return
    settings = settings_of(name)
    entry = entries()[name]
    echo(f"{name}: {entry.question}\n{entry.estimand}\nhttps://doi.org/{entry.doi}\n")
    for setting in settings:
        value = (
            "needed"
            if setting.required
            else "left out"
            if setting.default is None
            else toml_value(setting.default)
        )
        echo(f"  {setting.name} ({value})\n      {setting.words}")
    echo(f"\nA file to begin with: causalgia init --experiment {name}")
