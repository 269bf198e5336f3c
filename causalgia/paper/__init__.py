"""For the paper: results as a report, a tidy table, a table to print, and sentences of
methods and results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.paper._methods import Paragraphs, methods
    from causalgia.paper._report import checklist, report
    from causalgia.paper.effect_tables import View, table, tidy
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["Paragraphs", "View", "checklist", "methods", "report", "table", "tidy"]
