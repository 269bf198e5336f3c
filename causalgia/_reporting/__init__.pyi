from ._curve_report import curve_report as curve_report
from ._trial_report import sentences as sentences, tasks_in_words as tasks_in_words
from .answers import trial_report as trial_report
from .effect_rows import (
    Row as Row,
    Rows as Rows,
    cells as cells,
    placebo_summary as placebo_summary,
    rows as rows,
)
from .table_formats import (
    format_effect as format_effect,
    format_number as format_number,
    format_p as format_p,
    format_se as format_se,
    format_share as format_share,
    p_clause as p_clause,
)
