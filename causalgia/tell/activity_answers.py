"""The answer of activities of oligos: how many lie above a quantile of the negative
controls, and a table of these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from causalgia.attributes import about
from causalgia.errors import DataError, quoted
from causalgia.inputs import format_p
from causalgia.notes import notes_of
from causalgia.tell.answers import ROWS_SHOWN, AnswerParts, short_answer
from causalgia.tell.count_answers import table_format
from causalgia.tell.table_formats import percent
from causalgia.tell.verdict_sentences import truncation_sentence

_HEADER = ["oligo", "element", "arm", "activity", "SE", "interval", "q"]
_WORDS = ["oligo", "element", "arm"]


def activity_table(found: xr.Dataset) -> pd.DataFrame:
    """Return a row for each oligo, as `causalgia.mpra.activity` found them: the lowest p
    first, without negative controls the most active.

    Examples
    --------
    >>> from causalgia.mpra import activity
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> list(activity_table(activity(simulated())))[:5]
    ['oligo', 'element', 'arm', 'group', 'activity']
    """
    names = ["element", "arm", "group", *map(str, found.data_vars)]
    table = found.to_dataframe()[names].reset_index()
    if "p" in table:
        return table.sort_values("log_p", kind="stable")
    return table.sort_values("activity", ascending=False, kind="stable")


def activity_parts(
    found: xr.Dataset,
    *,
    q: float = 0.05,
    every_row: bool = False,
    requested: Sequence[str] = (),
    every: str = 'rows="all"',
    noted: str = "notes=True",
) -> AnswerParts:
    """Return how many oligos are more active than the quantile of the negative controls,
    at a false discovery rate q, and how many estimates lie above that of the controls';
    a line for each that is called and the largest others, twenty in all, or for each
    oligo.

    Examples
    --------
    >>> from causalgia.mpra import activity
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> activity_parts(activity(simulated())).sentences[0]
    '11 of 40 oligos are more active than the .975 quantile of 20 negative controls (-0.18, SE 0.19), q <= .05.'
    """
    if not 0 < q < 1:
        raise DataError(f"q={quoted(q)} is a false discovery rate, between 0 and 1")
    table, known = activity_table(found), about(found, None)
    ci_prob = about(found).ci_prob
    if "q" in table:
        compared = about(found)
        called = (table["q"] <= q).to_numpy()
        n, of = int(called.sum()), int(table["q"].notna().sum())
        begin = (
            f"{n:,} of {of:,} oligos {'is' if n == 1 else 'are'}"
            if n
            else f"Of {of:,} oligos none can be called"
        )
        answer = [
            f"{begin} more active than the {_bare(compared.above)} quantile of "
            f"{compared.n_negative:,} negative controls ({compared.threshold:.2f}, SE "
            f"{compared.threshold_se:.2f}), q <= {_bare(q)}.",
            _largest_estimates(table, found, q, n),
        ]
        largest = table[~called & table["q"].notna()]
        largest = largest.sort_values("activity", ascending=False, kind="stable")
        most = max(ROWS_SHOWN - n, 0)
        more = "" if every_row or not most else f"Below the {n:,} called: the largest."
        shown = table if every_row else pd.concat([table[called], largest[:most]])
    else:
        answer = [
            f"Activities of {len(table):,} oligos; there are no negative controls to "
            "compare them with."
        ]
        shown, more = table, ""
    lines = [
        [
            *(str(row[name]) for name in _WORDS),
            f"{row['activity']:.2f}",
            f"{row['se']:.2f}",
            f"[{row['lower']:.2f}, {row['upper']:.2f}]",
            "" if np.isnan(row.get("q", np.nan)) else format_p(row["q"]),
        ]
        for row in shown.to_dict("records")
    ]
    heading = f"{percent(ci_prob)} interval"
    few = str(known.replicates_left_out or "")
    left_out = [f"Replicates left out: {few}, of too few reads."] if few else []
    if known.n_unseen:
        left_out.append(f"Oligos without DNA, left out: {known.n_unseen:,}.")
    foot = []
    if "q" in table:
        sampling = about(found).threshold_sampling_se
        foot = [
            f"Of other such controls the quantile would have an SE of {sampling:.2f}."
        ]
    these = " " if str(known.null).startswith("the barcodes") else f", of {known.null} "
    return short_answer(
        [*truncation_sentence(found.attrs), *left_out, *answer],
        [heading if name == "interval" else name for name in _HEADER],
        lines,
        words=_WORDS,
        foot=[
            f"Activity: mean log2(RNA/DNA){these}over barcodes and replicates.",
            *foot,
            *(f"Counts: {one}." for one in table_format(found)),
        ],
        notes=notes_of(found),
        requested=requested,
        every_row=every_row,
        more=more,
        pointers={"every": every, "noted": noted},
    )


def _largest_estimates(table: pd.DataFrame, found: xr.Dataset, q: float, n: int) -> str:
    """Return how many estimates lie above a quantile of the controls' estimates and above
    all of these, the numbers that chance gives, and what distance a call takes.
    """
    known = about(found)
    test = table[table["q"].notna()]
    own = table.loc[table["group"] == known.negative, "activity"]
    above, top = (
        int((test["activity"] > control).sum())
        for control in (own.quantile(known.above), own.max())
    )
    chance = (1 - known.above) * len(test), len(test) / (len(own) + 1)
    se, df = test["se"].median(), test["df"].median()
    least = special.stdtrit(df, 1 - q * max(n, 1) / len(test))
    return (
        f"By estimates alone {above:,} lie above that quantile of the controls' "
        f"({chance[0]:,.0f} by chance), and {top:,} above all controls "
        f"({chance[1]:,.0f}). With the median SE, {se:.2f} at "
        f"{test['n_barcodes'].median():g} barcodes, a call takes "
        f"{least * np.hypot(se, known.threshold_se):.2f} above it."
    )


def _bare(x: float) -> str:
    """Return a probability without its 0: ``.975``."""
    return f"{x:g}".removeprefix("0")
