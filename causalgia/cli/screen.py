"""What a command prints: the tables of effects and of verdicts, and which files it wrote."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.reporting import Rows


def print_estimates(estimates: xr.Dataset, *, truth: xr.DataArray | None = None, all_rows: bool = False) -> None:
    """Print the estimand, the table of effects, and the sentences of a report."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from causalgia.reporting import cells, estimand, sentences

    which: Rows = "all" if all_rows else "summary"
    header, lines = cells(estimates, rows=which, truth=truth)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in header:
        words = name in ("contrast", "task", "model")
        table.add_column(name, justify="left" if words else "right", no_wrap=not words, overflow="fold")
    for line in lines:
        table.add_row(*map(Text, line))
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200)
    for part in (estimand(estimates), table, "\n".join(sentences(estimates, rows=which))):
        if part:
            console.print(part)
            console.print()


def print_decisions(decisions: xr.Dataset, *, all_rows: bool = False) -> None:
    """Print the table of verdicts, and a sentence for each where they are few."""
    from rich.console import Console

    from causalgia.reporting import report

    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200)
    console.print(report(decisions, rows="all" if all_rows else "summary"))
    console.print()


def print_written(folder: Path, *names: str) -> None:
    """Print which files were written where."""
    typer.echo(f"Wrote {', '.join(names)} in {folder}.")
