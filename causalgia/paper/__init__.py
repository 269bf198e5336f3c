"""For the paper: results as a report, a tidy table, a table to print, and sentences of
methods and results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia._reporting._curve_report import write_bigwig
    from causalgia.paper._methods import methods as methods
    from causalgia.paper._report import checklist, report as report
    from causalgia.paper.effect_tables import View, table as table, tidy as tidy
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "View",
    "checklist",
    "write_bigwig",
]
