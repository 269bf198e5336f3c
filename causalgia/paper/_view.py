"""A view of estimates or decisions for notebooks: their table, estimand and notes in place of the Dataset's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import xarray as xr

from causalgia.paper._report import report
from causalgia.paper._table import table

if TYPE_CHECKING:
    from causalgia.experiments import Answer


@dataclass(frozen=True, repr=False, eq=False)
class View:
    """Effects as a notebook shows them; printed, they are their report.

    Parameters
    ----------
    effects
        Estimates, decisions, the fit of an MPRA, or the `~causalgia.experiments.Answer` of an experiment.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> View(from_effects([1.4], se=[0.1], names=["GATA1"]))._repr_html_().count("<tr>")
    2
    """

    effects: xr.Dataset | Answer

    def _repr_html_(self) -> str:
        return str(table(self.effects, to="html"))

    def __repr__(self) -> str:
        return report(self.effects) if isinstance(self.effects, xr.Dataset) else str(self.effects)
