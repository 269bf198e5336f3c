"""Reports of estimates and outcomes as text and tables: effect size first, then the
interval, p last.

`rows` and `cells` make the table that reports and the command line print; numbers are
formatted in `causalgia._reporting.table_formats` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia._reporting._curve_report import (
        curve_report as curve_report,
        write_bigwig as write_bigwig,
        write_npz as write_npz,
    )
    from causalgia._reporting._trial_report import (
        sentence as sentence,
        sentences as sentences,
        tasks_in_words as tasks_in_words,
    )
    from causalgia._reporting.answers import trial_report as trial_report
    from causalgia._reporting.effect_rows import (
        Row as Row,
        Rows as Rows,
        cells as cells,
        placebo_summary as placebo_summary,
        rows as rows,
    )
    from causalgia._reporting.table_formats import (
        format_effect as format_effect,
        format_number as format_number,
        format_p as format_p,
        format_se as format_se,
        format_share as format_share,
        p_clause as p_clause,
    )
    from causalgia.estimation.crossover_estimates import (
        placebo_contrasts as placebo_contrasts,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)
