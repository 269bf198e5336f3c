"""Estimates and outcomes in words and tables: the size of an effect first, its interval, and p last.

`rows` and `cells` make the table of which the text here and the command line are two renderings; numbers are formatted
in `causalgia.reporting.numbers` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.exports import on_first_use

if TYPE_CHECKING:
    from causalgia.estimation.words import placebo_words
    from causalgia.reporting.numbers import format_effect, format_number, format_p, format_se
    from causalgia.reporting.outcomes import describe, tasks_in_words
    from causalgia.reporting.table import Row, Rows, cells, placebo_summary, rows
    from causalgia.reporting.text import estimand, report, sentence, sentences
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Row",
    "Rows",
    "cells",
    "describe",
    "estimand",
    "format_effect",
    "format_number",
    "format_p",
    "format_se",
    "placebo_summary",
    "placebo_words",
    "report",
    "rows",
    "sentence",
    "sentences",
    "tasks_in_words",
]
