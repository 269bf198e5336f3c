"""Reports of estimates and outcomes as text and tables: effect size first, then the
interval, p last.

`rows` and `cells` make the table that reports and the command line print; numbers are
formatted in `causalgia.reporting.table_formats` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.estimation.crossover_estimates import placebo_contrasts
    from causalgia.reporting._curve_report import curve_report, write_bigwig, write_npz
    from causalgia.reporting._trial_report import (
        sentence,
        sentences,
        tasks_in_words,
    )
    from causalgia.reporting.answers import trial_report
    from causalgia.reporting.effect_rows import Row, Rows, cells, placebo_summary, rows
    from causalgia.reporting.table_formats import (
        format_effect,
        format_number,
        format_p,
        format_se,
        format_share,
        p_clause,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Row",
    "Rows",
    "cells",
    "curve_report",
    "format_effect",
    "format_number",
    "format_p",
    "format_se",
    "format_share",
    "p_clause",
    "placebo_contrasts",
    "placebo_summary",
    "rows",
    "sentence",
    "sentences",
    "tasks_in_words",
    "trial_report",
    "write_bigwig",
    "write_npz",
]
