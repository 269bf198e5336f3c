"""A view of estimates or decisions for notebooks: their table, estimand and notes in place of the Dataset's."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

import xarray as xr

from causalgia.paper._report import report
from causalgia.paper._table import table
from causalgia.positions import has_positions

if TYPE_CHECKING:
    from causalgia.experiments import Answer


@dataclass(frozen=True, repr=False, eq=False)
class View:
    """Effects as a notebook shows them; printed, they are their report.

    Parameters
    ----------
    effects
        Estimates, decisions, the fit of an MPRA, or the `~causalgia.experiments.Answer` of an experiment. Of curves,
        tipping points and other results without such a table their report is shown.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> View(from_effects([1.4], se=[0.1], names=["GATA1"]))._repr_html_().count("<tr>")
    2
    """

    effects: xr.Dataset | Answer

    def _repr_html_(self) -> str:
        given = self.effects
        curve = isinstance(given, xr.Dataset) and has_positions(given)
        if isinstance(given, xr.Dataset) and (curve or "ace" not in given):  # of which there is no table
            return f"<pre>{html.escape(report(given))}</pre>"
        return str(table(given, to="html"))

    def __repr__(self) -> str:
        return report(self.effects) if isinstance(self.effects, xr.Dataset) else str(self.effects)
